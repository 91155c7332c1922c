//! The workflow schemas, `uri:oozie:workflow:0.1` to `1.0` (census §1.1, §1.2): one function per type, the version
//! decides what it holds.

use super::common::{
    Generation, configuration, configuration_block, delete, files, job_xml, launch, launcher,
    launcher_block, parameters, prepare, prepare_block, script, texts,
};
use super::notation::{
    Content, Foreign, Model, Namespace, Text, Type, all_of, attributes, element, elements, foreign,
    nothing, one_of, optional, required, text,
};

use Version::{V0_1, V0_2, V0_2_5, V0_3, V0_4, V0_4_5, V0_5, V1_0};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Version {
    V0_1,
    V0_2,
    V0_2_5,
    V0_3,
    V0_4,
    V0_4_5,
    V0_5,
    V1_0,
}

/// The tables of all workflow versions.
pub(crate) fn namespaces() -> Vec<Namespace> {
    let versions = [
        ("uri:oozie:workflow:0.1", V0_1),
        ("uri:oozie:workflow:0.2", V0_2),
        ("uri:oozie:workflow:0.2.5", V0_2_5),
        ("uri:oozie:workflow:0.3", V0_3),
        ("uri:oozie:workflow:0.4", V0_4),
        ("uri:oozie:workflow:0.4.5", V0_4_5),
        ("uri:oozie:workflow:0.5", V0_5),
        ("uri:oozie:workflow:1.0", V1_0),
    ];
    versions.map(|(uri, version)| namespace(uri, version)).to_vec()
}

fn namespace(uri: &'static str, version: Version) -> Namespace {
    let mut roots = vec![("workflow-app", "workflow-app"), ("switch", "switch"), ("kill", "kill")];
    roots.extend(["map-reduce", "pig", "sub-workflow", "fs", "java"].map(|kind| (kind, kind)));
    if version == V0_1 {
        roots.push(("ssh", "ssh"));
    }
    let types = [
        texts(),
        configuration(),
        parameters(),
        prepare(),
        vec![delete(version == V0_5), launcher(), workflow_app(version), global(version)],
        control_nodes(),
        vec![
            action(version),
            map_reduce(version),
            pig(version),
            java(version),
            fs(version),
            sub_workflow(),
        ],
        streaming_and_pipes(),
        fs_commands(version),
        credentials(),
        inline_actions(),
    ];
    Namespace { uri, roots, types: types.concat() }
}

fn generation(version: Version) -> Generation {
    match version {
        V0_1 | V0_2 | V0_2_5 | V0_3 => Generation::First,
        V0_4 | V0_4_5 | V0_5 => Generation::Global,
        V1_0 => Generation::Launcher,
    }
}

fn name() -> [super::notation::Attribute; 1] {
    [required("name", Text::Identifier)]
}

fn workflow_app(version: Version) -> Type {
    let head = [
        element("parameters", "parameters").optional().when(version >= V0_4),
        element("global", "global").optional().when(version >= V0_4),
        element("credentials", "credentials").optional().when(version >= V0_2_5),
    ];
    let nodes = ["decision", "fork", "join", "kill", "action"].map(|kind| element(kind, kind));
    let body = [element("start", "to"), one_of(nodes).many(), element("end", "end"), sla(version)];
    elements("workflow-app", all_of(head.into_iter().chain(body)))
        .with([required("name", Text::Any)])
}

/// `<sla:info>?`, from the namespaces the version knows.
fn sla(version: Version) -> Model {
    match version {
        V0_1 => nothing(),
        V0_2 | V0_2_5 | V0_3 | V0_4 | V0_4_5 => {
            foreign(Foreign::Of(&["uri:oozie:sla:0.1"])).optional()
        }
        V0_5 | V1_0 => foreign(Foreign::Of(&["uri:oozie:sla:0.1", "uri:oozie:sla:0.2"])).optional(),
    }
}

/// `<global>`: before schema 1.0 it has its own order, from then on that of launched actions without prepare.
fn global(version: Version) -> Type {
    let generation = generation(version);
    let addresses = super::common::addresses(generation);
    elements(
        "global",
        all_of([addresses, launcher_block(generation), job_xml(generation), configuration_block()]),
    )
}

fn control_nodes() -> Vec<Type> {
    let to = || required("to", Text::Identifier);
    let path = || element("path", "path");
    let cases = all_of([element("case", "case").some(), element("default", "to")]);
    vec![
        attributes("to", [to()]),
        attributes("end", name()),
        attributes("join", name()).with([to()]),
        attributes("path", [required("start", Text::Identifier)]),
        elements("fork", all_of([path(), path().some()])).with(name()),
        elements("decision", element("switch", "switch")).with(name()),
        elements("switch", cases),
        Type { name: "case", attributes: vec![to()], content: Content::Text(Text::Any) },
        elements("kill", text("message")).with(name()),
    ]
}

fn action(version: Version) -> Type {
    let inline: &[&'static str] = if version == V0_1 { &["ssh", "http", "email"] } else { &[] };
    let kinds = ["map-reduce", "pig", "sub-workflow", "fs", "java"];
    let kinds = kinds.iter().chain(inline).map(|kind| element(kind, kind));
    let kind = one_of(kinds.chain([foreign(Foreign::AnyOther)]));
    let model = all_of([kind, element("ok", "to"), element("error", "to"), sla(version)]);
    let since =
        [("cred", V0_2_5), ("retry-max", V0_3), ("retry-interval", V0_3), ("retry-policy", V0_5)];
    let attributes = since.into_iter().filter(|(_, first)| version >= *first);
    elements("action", model)
        .with(name())
        .with(attributes.map(|(attribute, _)| optional(attribute, Text::Any)))
}

fn map_reduce(version: Version) -> Type {
    let generation = generation(version);
    let program = one_of([element("streaming", "streaming"), element("pipes", "pipes")]).optional();
    let model = [
        super::common::addresses(generation),
        prepare_block(),
        program,
        launcher_block(generation),
        job_xml(generation),
        configuration_block(),
        text("config-class").optional().when(version >= V0_5),
        files(),
    ];
    elements("map-reduce", all_of(model))
}

fn pig(version: Version) -> Type {
    let arguments = text("argument").many().when(version >= V0_2);
    let model =
        [launch(generation(version)), script(false), text("param").many(), arguments, files()];
    elements("pig", all_of(model))
}

fn java(version: Version) -> Type {
    let options = if version >= V0_4 {
        one_of([text("java-opts"), text("java-opt").some()])
    } else {
        text("java-opts")
    };
    let model = [
        launch(generation(version)),
        text("main-class"),
        options.optional(),
        text("arg").many(),
        files(),
        element("capture-output", "flag").optional(),
    ];
    elements("java", all_of(model))
}

fn sub_workflow() -> Type {
    let propagate = element("propagate-configuration", "flag").optional();
    elements("sub-workflow", all_of([text("app-path"), propagate, configuration_block()]))
}

fn fs(version: Version) -> Type {
    let head = [text("name-node").optional(), text("job-xml").many(), configuration_block()];
    let since = [
        ("delete", V0_1),
        ("mkdir", V0_1),
        ("move", V0_1),
        ("chmod", V0_1),
        ("touchz", V0_4),
        ("chgrp", V0_4_5),
    ];
    let commands = since
        .into_iter()
        .filter(|(_, first)| version >= *first)
        .map(|(name, _)| element(name, name));
    // Schema 1.0 lost `setrep` and `skip-trash`, though the specification still promises both (gotcha 1).
    let setrep = (version == V0_5).then(|| element("setrep", "setrep"));
    let commands = one_of(commands.chain(setrep)).many();
    elements("fs", all_of([all_of(head).when(version >= V0_4), commands]))
}

fn fs_commands(version: Version) -> Vec<Type> {
    let path = || required("path", Text::Any);
    let recursive = || element("recursive", "flag").optional().when(version >= V0_4);
    let dir_files = || optional("dir-files", Text::Any);
    let chmod = [path(), required("permissions", Text::Any), dir_files()];
    let chgrp = [path(), required("group", Text::Any), dir_files()];
    vec![
        attributes("move", [required("source", Text::Any), required("target", Text::Any)]),
        attributes("touchz", [path()]),
        attributes("setrep", [path(), required("replication-factor", Text::Short)]),
        elements("chgrp", recursive()).with(chgrp),
        if version >= V0_4 {
            elements("chmod", recursive()).with(chmod)
        } else {
            attributes("chmod", chmod)
        },
    ]
}

fn streaming_and_pipes() -> Vec<Type> {
    let streaming = [
        text("mapper").optional(),
        text("reducer").optional(),
        text("record-reader").optional(),
        text("record-reader-mapping").many(),
        text("env").many(),
    ];
    let pipes = ["map", "reduce", "inputformat", "partitioner", "writer", "program"];
    vec![
        elements("streaming", all_of(streaming)),
        elements("pipes", all_of(pipes.map(|name| text(name).optional()))),
    ]
}

fn credentials() -> Vec<Type> {
    vec![
        elements("credentials", element("credential", "credential").many()),
        elements("credential", element("property", "property").many())
            .with([required("name", Text::Any), required("type", Text::Any)]),
    ]
}

/// Actions that only schema 0.1 has inside its own namespace.
fn inline_actions() -> Vec<Type> {
    let flag = |name| element(name, "flag");
    let post = Type {
        name: "post",
        attributes: vec![required("content-type", Text::Any)],
        content: Content::Text(Text::Any),
    };
    let http = [
        text("http-url"),
        element("post", "post").optional(),
        one_of([flag("wait"), flag("continue")]),
        flag("capture-output"),
    ];
    let ssh =
        [text("host"), text("command"), text("args").many(), flag("capture-output").optional()];
    vec![
        post,
        elements("http", all_of(http)),
        elements("ssh", all_of(ssh)),
        elements("email", all_of([text("to"), text("subject"), text("message").optional()])),
    ]
}
