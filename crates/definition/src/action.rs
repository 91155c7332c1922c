//! From an evaluated action body to what a worker runs.
//!
//! The body was valid before its expressions were evaluated; evaluation can only change texts and attribute values, or
//! make it ill-formed. Texts are trimmed, as Oozie's executors do; a body's namespace says nothing any more.

use model::action_spec::{
    Email, FileRef, Fs, FsCommand, Java, Launch, Prepare, Shell, Ssh, SubWorkflow,
};
use model::{ActionSpec, Diagnostic};
use roxmltree::Node;

use crate::codes;
use crate::configuration::{LocalName, inline_configuration};
use crate::findings::Findings;
use crate::source::{self, Limits};
use crate::xml;

/// Reads the evaluated body of an action of this kind: the element name, as in [`model::ActionNode::kind`].
///
/// A kind that exists in Oozie and is not run here yet gives [`ActionSpec::Unavailable`].
///
/// # Errors
/// `E0700` when the evaluated text is not well-formed any more (a value with `<` or `&` that was not escaped), `HW0007`
/// when its element is of another kind, or a value became something that the action can't have.
pub fn read_action(kind: &str, evaluated: &str) -> Result<ActionSpec, Vec<Diagnostic>> {
    let document = source::parse(evaluated, Limits::configuration(), codes::XML)
        .map_err(|refusal| vec![refusal])?;
    let mut findings = Findings::about(evaluated);
    let body = document.root_element();
    if !body.has_tag_name_local(kind) {
        let message =
            format!("the action is a <{kind}>, but its body is a <{}>", body.tag_name().name());
        findings.error(codes::ACTION_BODY, body.range(), message, "");
    }
    let spec = spec_of(kind, body, &mut findings);
    if findings.is_empty() { Ok(spec) } else { Err(findings.into_sorted()) }
}

fn spec_of(kind: &str, body: Node<'_, '_>, findings: &mut Findings<'_>) -> ActionSpec {
    match kind {
        "shell" => ActionSpec::Shell(shell(body)),
        "java" => ActionSpec::Java(java(body)),
        "fs" => ActionSpec::Fs(fs(body, findings)),
        "sub-workflow" => ActionSpec::SubWorkflow(sub_workflow(body)),
        "email" => ActionSpec::Email(email(body)),
        "ssh" => ActionSpec::Ssh(ssh(body)),
        "noop" => ActionSpec::Noop,
        other => ActionSpec::Unavailable { kind: other.to_owned() },
    }
}

fn child<'a, 'input>(node: Node<'a, 'input>, name: &str) -> Option<Node<'a, 'input>> {
    node.children().find(|child| child.has_tag_name_local(name))
}

fn text(node: Node<'_, '_>, name: &str) -> Option<String> {
    child(node, name).map(xml::trimmed_text_of)
}

fn texts(node: Node<'_, '_>, name: &str) -> Vec<String> {
    node.children()
        .filter(|child| child.has_tag_name_local(name))
        .map(xml::trimmed_text_of)
        .collect()
}

fn attribute(node: Node<'_, '_>, name: &str) -> String {
    node.attribute(name).unwrap_or_default().trim().to_owned()
}

fn launch(body: Node<'_, '_>) -> Launch {
    let prepare =
        child(body, "prepare").map(|prepare| prepare.children().filter_map(prepare_step).collect());
    Launch {
        name_node: text(body, "name-node"),
        resource_manager: text(body, "resource-manager").or_else(|| text(body, "job-tracker")),
        prepare: prepare.unwrap_or_default(),
        job_xml: texts(body, "job-xml"),
        configuration: child(body, "configuration").map(inline_configuration).unwrap_or_default(),
        files: file_refs(body, "file"),
        archives: file_refs(body, "archive"),
        capture_output: child(body, "capture-output").is_some(),
    }
}

fn prepare_step(step: Node<'_, '_>) -> Option<Prepare> {
    let path = || attribute(step, "path");
    match step.tag_name().name() {
        "delete" => Some(Prepare::Delete { path: path(), skip_trash: skip_trash(step) }),
        "mkdir" => Some(Prepare::Mkdir { path: path() }),
        _ => None,
    }
}

/// Everything but the word `false` means that the trash is skipped.
fn skip_trash(delete: Node<'_, '_>) -> bool {
    delete.attribute("skip-trash") != Some("false")
}

/// Each element may list several, with commas between; a link follows the first `#`.
fn file_refs(body: Node<'_, '_>, name: &str) -> Vec<FileRef> {
    let lists = texts(body, name);
    let files = lists
        .iter()
        .flat_map(|list| list.split(','))
        .map(str::trim)
        .filter(|file| !file.is_empty());
    files.map(file_ref).collect()
}

fn file_ref(file: &str) -> FileRef {
    match file.split_once('#') {
        Some((path, link)) if !link.is_empty() => {
            FileRef { path: path.to_owned(), link: Some(link.to_owned()) }
        }
        Some((path, _)) => FileRef { path: path.to_owned(), link: None },
        None => FileRef { path: file.to_owned(), link: None },
    }
}

fn shell(body: Node<'_, '_>) -> Shell {
    Shell {
        launch: launch(body),
        exec: text(body, "exec").unwrap_or_default(),
        arguments: texts(body, "argument"),
        env_vars: texts(body, "env-var"),
    }
}

fn java(body: Node<'_, '_>) -> Java {
    let options = texts(body, "java-opts").into_iter().chain(texts(body, "java-opt"));
    Java {
        launch: launch(body),
        main_class: text(body, "main-class").unwrap_or_default(),
        java_opts: options
            .flat_map(|words| words.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
            .collect(),
        args: texts(body, "arg"),
    }
}

fn fs(body: Node<'_, '_>, findings: &mut Findings<'_>) -> Fs {
    Fs {
        name_node: text(body, "name-node").filter(|address| !address.is_empty()),
        job_xml: texts(body, "job-xml"),
        configuration: child(body, "configuration").map(inline_configuration).unwrap_or_default(),
        commands: body.children().filter_map(|command| fs_command(command, findings)).collect(),
    }
}

fn fs_command(command: Node<'_, '_>, findings: &mut Findings<'_>) -> Option<FsCommand> {
    let path = attribute(command, "path");
    let recursive = child(command, "recursive").is_some();
    let dir_files =
        || command.attribute("dir-files").is_none_or(|value| value.eq_ignore_ascii_case("true"));
    Some(match command.tag_name().name() {
        "delete" => FsCommand::Delete { path, skip_trash: skip_trash(command) },
        "mkdir" => FsCommand::Mkdir { path },
        "move" => FsCommand::Move {
            source: attribute(command, "source"),
            target: attribute(command, "target"),
        },
        "touchz" => FsCommand::Touchz { path },
        "chmod" => {
            let permissions = attribute(command, "permissions");
            FsCommand::Chmod { path, permissions, dir_files: dir_files(), recursive }
        }
        "chgrp" => FsCommand::Chgrp {
            path,
            group: attribute(command, "group"),
            dir_files: dir_files(),
            recursive,
        },
        "setrep" => FsCommand::Setrep { path, factor: replication_factor(command, findings) },
        _ => return None,
    })
}

fn replication_factor(command: Node<'_, '_>, findings: &mut Findings<'_>) -> i16 {
    let text = attribute(command, "replication-factor");
    text.parse().unwrap_or_else(|_| {
        let message = format!(
            "the replication factor is {text:?}, but it must be an integer from -32768 to 32767"
        );
        findings.error(codes::ACTION_BODY, command.range(), message, "");
        0
    })
}

fn sub_workflow(body: Node<'_, '_>) -> SubWorkflow {
    SubWorkflow {
        app_path: text(body, "app-path").unwrap_or_default(),
        propagate_configuration: child(body, "propagate-configuration").is_some(),
        configuration: child(body, "configuration").map(inline_configuration).unwrap_or_default(),
    }
}

/// The mail of schema 0.1 of workflows calls its text `message`.
fn email(body: Node<'_, '_>) -> Email {
    Email {
        to: text(body, "to").unwrap_or_default(),
        cc: text(body, "cc"),
        bcc: text(body, "bcc"),
        subject: text(body, "subject").unwrap_or_default(),
        body: text(body, "body").or_else(|| text(body, "message")).unwrap_or_default(),
        content_type: text(body, "content_type"),
        attachment: text(body, "attachment"),
    }
}

fn ssh(body: Node<'_, '_>) -> Ssh {
    Ssh {
        host: text(body, "host").unwrap_or_default(),
        command: text(body, "command").unwrap_or_default(),
        args: texts(body, "args"),
        arg: texts(body, "arg"),
        capture_output: child(body, "capture-output").is_some(),
    }
}
