//! The extension actions: each kind has XML namespaces of its own, `uri:oozie:<kind>-action:<version>`.

use super::common::{
    Generation, action_types, addresses, configuration_block, files, launch, launcher_block,
    prepare_block, script,
};
use super::notation::{Model, Namespace, all_of, attributes, element, elements, one_of, text};

use Generation::{First, Global, Launcher, ManyJobXml};

/// The tables of all extension actions.
pub(crate) fn namespaces() -> Vec<Namespace> {
    [shell(), hive(), hive2(), sqoop(), spark(), distcp(), others()].concat()
}

fn action(uri: &'static str, name: &'static str, model: Model) -> Namespace {
    let types = [action_types(), vec![elements("action", model)]].concat();
    Namespace { uri, roots: vec![(name, "action")], types }
}

fn capture_output() -> Model {
    element("capture-output", "flag").optional()
}

fn shell() -> Vec<Namespace> {
    let versions = [
        ("uri:oozie:shell-action:0.1", First),
        ("uri:oozie:shell-action:0.2", ManyJobXml),
        ("uri:oozie:shell-action:0.3", Global),
        ("uri:oozie:shell-action:1.0", Launcher),
    ];
    let model = |generation| {
        let command = [text("exec"), text("argument").many(), text("env-var").many()];
        all_of([launch(generation), all_of(command), files(), capture_output()])
    };
    versions.map(|(uri, generation)| action(uri, "shell", model(generation))).to_vec()
}

fn hive() -> Vec<Namespace> {
    let versions = [
        ("uri:oozie:hive-action:0.2", First, false, false),
        ("uri:oozie:hive-action:0.3", ManyJobXml, false, false),
        ("uri:oozie:hive-action:0.4", Global, false, false),
        ("uri:oozie:hive-action:0.5", Global, false, true),
        ("uri:oozie:hive-action:0.6", Global, true, true),
        ("uri:oozie:hive-action:1.0", Launcher, true, true),
    ];
    let model = |generation, query, arguments| {
        let arguments = text("argument").many().when(arguments);
        all_of([launch(generation), script(query), text("param").many(), arguments, files()])
    };
    versions
        .map(|(uri, generation, query, arguments)| {
            action(uri, "hive", model(generation, query, arguments))
        })
        .to_vec()
}

fn hive2() -> Vec<Namespace> {
    let versions = [
        ("uri:oozie:hive2-action:0.1", Global, false),
        ("uri:oozie:hive2-action:0.2", Global, true),
        ("uri:oozie:hive2-action:1.0", Launcher, true),
    ];
    let model = |generation, query| {
        let connection = all_of([text("jdbc-url"), text("password").optional()]);
        let arguments = all_of([text("param").many(), text("argument").many()]);
        all_of([launch(generation), connection, script(query), arguments, files()])
    };
    versions.map(|(uri, generation, query)| action(uri, "hive2", model(generation, query))).to_vec()
}

fn sqoop() -> Vec<Namespace> {
    let versions = [
        ("uri:oozie:sqoop-action:0.2", First),
        ("uri:oozie:sqoop-action:0.3", ManyJobXml),
        ("uri:oozie:sqoop-action:0.4", Global),
        ("uri:oozie:sqoop-action:1.0", Launcher),
    ];
    let model = |generation| {
        all_of([launch(generation), one_of([text("command"), text("arg").some()]), files()])
    };
    versions.map(|(uri, generation)| action(uri, "sqoop", model(generation))).to_vec()
}

fn spark() -> Vec<Namespace> {
    let versions = [
        ("uri:oozie:spark-action:0.1", ManyJobXml),
        ("uri:oozie:spark-action:0.2", Global),
        ("uri:oozie:spark-action:1.0", Launcher),
    ];
    let model = |generation| {
        let application = [
            text("master"),
            text("mode").optional(),
            text("name"),
            text("class").optional(),
            text("jar"),
            text("spark-opts").optional(),
            text("arg").many(),
        ];
        all_of([launch(generation), all_of(application), files().when(generation >= Global)])
    };
    versions.map(|(uri, generation)| action(uri, "spark", model(generation))).to_vec()
}

fn distcp() -> Vec<Namespace> {
    let versions = [
        ("uri:oozie:distcp-action:0.1", First),
        ("uri:oozie:distcp-action:0.2", Global),
        ("uri:oozie:distcp-action:1.0", Launcher),
    ];
    let model = |generation| {
        let begin = [
            addresses(generation),
            prepare_block(),
            launcher_block(generation),
            configuration_block(),
        ];
        all_of([all_of(begin), text("java-opts").optional(), text("arg").many()])
    };
    versions.map(|(uri, generation)| action(uri, "distcp", model(generation))).to_vec()
}

/// The actions without launcher generations: ssh, email, git, and ours.
fn others() -> Vec<Namespace> {
    vec![
        action("uri:oozie:ssh-action:0.1", "ssh", ssh(text("args").many())),
        action(
            "uri:oozie:ssh-action:0.2",
            "ssh",
            ssh(one_of([text("args").many(), text("arg").many()])),
        ),
        action("uri:oozie:email-action:0.1", "email", email(false)),
        action("uri:oozie:email-action:0.2", "email", email(true)),
        action("uri:oozie:git-action:1.0", "git", git()),
        noop(),
    ]
}

/// Our own: `<noop xmlns="uri:howdah:noop-action:1.0"/>`, an action that does nothing.
fn noop() -> Namespace {
    Namespace {
        uri: "uri:howdah:noop-action:1.0",
        roots: vec![("noop", "noop")],
        types: vec![attributes("noop", [])],
    }
}

fn ssh(arguments: Model) -> Model {
    all_of([text("host"), text("command"), arguments, capture_output()])
}

fn email(attachments: bool) -> Model {
    let bcc = text("bcc").optional().when(attachments);
    let rest =
        all_of([text("content_type").optional(), text("attachment").optional()]).when(attachments);
    all_of([text("to"), text("cc").optional(), bcc, text("subject"), text("body"), rest])
}

fn git() -> Model {
    all_of([
        text("resource-manager").optional(),
        text("name-node"),
        prepare_block(),
        text("git-uri"),
        text("branch").optional(),
        text("key-path").optional(),
        text("destination-uri"),
        configuration_block(),
    ])
}
