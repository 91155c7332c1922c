//! Types that several namespaces share. Each namespace has its own copy, in its own XML namespace.

use super::notation::{
    Model, Text, Type, all_of, attributes, element, elements, one_of, optional, required, text,
    text_type,
};

/// Texts of all kinds.
pub(crate) fn texts() -> Vec<Type> {
    vec![text_type("string", Text::Any), text_type("unsigned-int", Text::UnsignedInt)]
}

/// `<configuration>`: properties with a name and a value.
pub(crate) fn configuration() -> Vec<Type> {
    vec![
        elements("configuration", element("property", "property").some()),
        elements("property", all_of([text("name"), text("value"), text("description").optional()])),
    ]
}

/// `<parameters>`: properties whose value may be left out.
pub(crate) fn parameters() -> Vec<Type> {
    vec![
        elements("parameters", element("property", "parameter").some()),
        elements(
            "parameter",
            all_of([text("name"), text("value").optional(), text("description").optional()]),
        ),
    ]
}

/// `<prepare>`: all deletes before all mkdirs. `delete` itself is not among them: workflow 0.5 has its own.
pub(crate) fn prepare() -> Vec<Type> {
    vec![
        elements(
            "prepare",
            all_of([element("delete", "delete").many(), element("mkdir", "mkdir").many()]),
        ),
        attributes("mkdir", [required("path", Text::Any)]),
        attributes("flag", []),
    ]
}

/// `<delete path="..."/>`, with `skip-trash` where the version has it.
pub(crate) fn delete(skip_trash: bool) -> Type {
    let skip_trash = skip_trash.then(|| optional("skip-trash", Text::Boolean));
    attributes("delete", [required("path", Text::Any)].into_iter().chain(skip_trash))
}

/// `<launcher>` of schema 1.0: settings in any order, any number of times, also none.
pub(crate) fn launcher() -> Type {
    let settings = ["java-opts", "env", "queue", "sharelib", "view-acl", "modify-acl"].map(text);
    let numbers = ["memory.mb", "vcores"].map(|name| element(name, "unsigned-int"));
    elements("launcher", one_of(numbers.into_iter().chain(settings)).many())
}

/// How an action says where it runs, by generation of its schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Generation {
    /// Job tracker and name node are required; one job-xml.
    First,
    /// As [`Generation::First`], with any number of job-xml.
    ManyJobXml,
    /// As [`Generation::ManyJobXml`], and both addresses may come from `<global>`.
    Global,
    /// Schema 1.0: a resource manager instead of the job tracker, and a `<launcher>` block.
    Launcher,
}

/// Job tracker or resource manager, and name node.
pub(crate) fn addresses(generation: Generation) -> Model {
    let optional = generation >= Generation::Global;
    let tracker = match generation {
        Generation::Launcher => one_of([text("job-tracker"), text("resource-manager")]),
        Generation::First | Generation::ManyJobXml | Generation::Global => text("job-tracker"),
    };
    all_of([tracker.optional_when(optional), text("name-node").optional_when(optional)])
}

/// `<launcher>?`, in schema 1.0.
pub(crate) fn launcher_block(generation: Generation) -> Model {
    element("launcher", "launcher").optional().when(generation == Generation::Launcher)
}

/// `<job-xml>` as often as the generation allows.
pub(crate) fn job_xml(generation: Generation) -> Model {
    match generation {
        Generation::First => text("job-xml").optional(),
        Generation::ManyJobXml | Generation::Global | Generation::Launcher => {
            text("job-xml").many()
        }
    }
}

/// `<configuration>?`.
pub(crate) fn configuration_block() -> Model {
    element("configuration", "configuration").optional()
}

/// `<prepare>?`.
pub(crate) fn prepare_block() -> Model {
    element("prepare", "prepare").optional()
}

/// What most launched actions begin with: addresses, prepare, launcher, job-xml, configuration.
pub(crate) fn launch(generation: Generation) -> Model {
    all_of([
        addresses(generation),
        prepare_block(),
        launcher_block(generation),
        job_xml(generation),
        configuration_block(),
    ])
}

/// `<file>*` and `<archive>*`.
pub(crate) fn files() -> Model {
    all_of([text("file").many(), text("archive").many()])
}

/// `<script>`, or `<query>` where the version has it.
pub(crate) fn script(query: bool) -> Model {
    if query { one_of([text("script"), text("query")]) } else { text("script") }
}

/// Every type that action tables use.
pub(crate) fn action_types() -> Vec<Type> {
    [texts(), configuration(), prepare(), vec![delete(false), launcher()]].concat()
}
