//! The schemas of coordinators, bundles and service level agreements: read to accept or refuse, not yet to run.

use super::common::{configuration, configuration_block, parameters, texts};
use super::notation::{
    Attribute, Foreign, Model, Namespace, Text, Type, all_of, attributes, element, elements,
    foreign, one_of, optional, required, text,
};

/// The tables of all coordinator versions; the number is the digit after `0.`.
pub(crate) fn coordinators() -> Vec<Namespace> {
    let versions = [
        ("uri:oozie:coordinator:0.1", 1),
        ("uri:oozie:coordinator:0.2", 2),
        ("uri:oozie:coordinator:0.3", 3),
        ("uri:oozie:coordinator:0.4", 4),
        ("uri:oozie:coordinator:0.5", 5),
    ];
    versions.map(|(uri, version)| coordinator(uri, version)).to_vec()
}

fn coordinator(uri: &'static str, version: u8) -> Namespace {
    let roots = vec![("coordinator-app", "coordinator-app"), ("datasets", "datasets")];
    let own = [
        coordinator_app(version),
        controls(version),
        coordinator_action(version),
        called_workflow(),
    ];
    let types = [
        texts(),
        configuration(),
        parameters(),
        own.to_vec(),
        datasets(),
        events(version),
        input_logic(),
    ];
    Namespace { uri, roots, types: types.concat() }
}

fn coordinator_app(version: u8) -> Type {
    let model = [
        element("parameters", "parameters").optional().when(version >= 4),
        element("controls", "controls").optional(),
        element("datasets", "datasets").optional(),
        element("input-events", "input-events").optional(),
        element("input-logic", "input-logic").optional().when(version >= 5),
        element("output-events", "output-events").optional(),
        element("action", "action"),
    ];
    let attributes =
        ["name", "frequency", "start", "end", "timezone"].map(|name| required(name, Text::Any));
    elements("coordinator-app", all_of(model)).with(attributes)
}

fn controls(version: u8) -> Type {
    let throttle = text("throttle").optional().when(version >= 2);
    let controls = ["timeout", "concurrency", "execution"].map(|name| text(name).optional());
    elements("controls", all_of(controls.into_iter().chain([throttle])))
}

fn coordinator_action(version: u8) -> Type {
    let sla: &[&str] = if version >= 4 {
        &["uri:oozie:sla:0.1", "uri:oozie:sla:0.2"]
    } else {
        &["uri:oozie:sla:0.1"]
    };
    elements(
        "action",
        all_of([element("workflow", "workflow"), foreign(Foreign::Of(sla)).optional()]),
    )
}

fn called_workflow() -> Type {
    elements("workflow", all_of([text("app-path"), configuration_block()]))
}

fn datasets() -> Vec<Type> {
    let either = one_of([element("dataset", "dataset"), element("async-dataset", "async-dataset")]);
    let name = || required("name", Text::PlainIdentifier);
    let any = |name| required(name, Text::Any);
    vec![
        elements("datasets", all_of([text("include").many(), either.many()])),
        elements("dataset", all_of([text("uri-template"), text("done-flag").optional()])).with([
            name(),
            any("frequency"),
            any("initial-instance"),
            any("timezone"),
        ]),
        elements("async-dataset", text("uri-template")).with([
            name(),
            any("sequence-type"),
            any("initial-version"),
        ]),
    ]
}

fn events(version: u8) -> Vec<Type> {
    let attributes = || [required("name", Text::PlainIdentifier), required("dataset", Text::Any)];
    let range = all_of([text("start-instance"), text("end-instance")]);
    let cleanup = (version >= 4).then(|| optional("nocleanup", Text::Boolean));
    let data_in = element("data-in", "data-in").some();
    let inputs = if version >= 5 {
        one_of([element("and", "logic").optional(), element("or", "logic").optional(), data_in])
    } else {
        data_in
    };
    vec![
        elements("input-events", inputs),
        elements("data-in", one_of([text("instance").some(), range])).with(attributes()),
        elements("output-events", element("data-out", "data-out").some()),
        elements("data-out", text("instance")).with(attributes()).with(cleanup),
    ]
}

/// The conditions over data sets of coordinator 0.5; `and` and `or` hold each other.
fn input_logic() -> Vec<Type> {
    let common = || ["name", "min", "wait"].map(|name| optional(name, Text::Any));
    let data_in = || element("data-in", "logic-data-in");
    let parts = || -> Model {
        one_of([
            element("and", "logic"),
            element("or", "logic"),
            element("combine", "combine"),
            data_in(),
        ])
        .many()
    };
    let dataset: [Attribute; 1] = [required("dataset", Text::Any)];
    vec![
        elements("input-logic", parts()),
        elements("logic", parts()).with(common()),
        elements("combine", all_of([data_in(), data_in().some()]).optional()).with(common()),
        attributes("logic-data-in", common().into_iter().chain(dataset)),
    ]
}

/// The tables of both bundle versions.
pub(crate) fn bundles() -> Vec<Namespace> {
    vec![bundle("uri:oozie:bundle:0.1", false), bundle("uri:oozie:bundle:0.2", true)]
}

fn bundle(uri: &'static str, second: bool) -> Namespace {
    let parameters_block = element("parameters", "parameters").optional().when(second);
    let controls = element("controls", "controls").optional();
    let coordinators = element("coordinator", "coordinator").some();
    let name = required("name", if second { Text::Any } else { Text::PlainIdentifier });
    let enabled = second.then(|| optional("enabled", Text::Any));
    let own = vec![
        elements("bundle-app", all_of([parameters_block, controls, coordinators]))
            .with([required("name", Text::Any)]),
        elements("controls", text("kick-off-time").optional()),
        elements("coordinator", all_of([text("app-path"), configuration_block()]))
            .with([name, optional("critical", Text::Any)])
            .with(enabled),
    ];
    let types = [texts(), configuration(), parameters(), own].concat();
    Namespace { uri, roots: vec![("bundle-app", "bundle-app")], types }
}

/// The tables of `sla:info`, old and new.
pub(crate) fn agreements() -> Vec<Namespace> {
    let old_required = ["app-name", "nominal-time", "should-start", "should-end"];
    let old_optional = ["parent-client-id", "parent-sla-id", "notification-msg"];
    let old_contacts = ["alert-contact", "dev-contact", "qa-contact", "se-contact"];
    let old_rest = ["alert-frequency", "alert-percentage", "upstream-apps"];
    let maybe = |name| text(name).optional();
    let old = all_of([
        all_of(old_required.map(text)),
        all_of(old_optional.map(maybe)),
        all_of(old_contacts.map(text)),
        all_of(old_rest.map(maybe)),
    ]);
    let new_rest =
        ["max-duration", "alert-events", "alert-contact", "notification-msg", "upstream-apps"];
    let new_times = [text("nominal-time"), maybe("should-start"), text("should-end")];
    let new = all_of(new_times.into_iter().chain(new_rest.map(maybe)));
    vec![agreement("uri:oozie:sla:0.1", old), agreement("uri:oozie:sla:0.2", new)]
}

fn agreement(uri: &'static str, model: Model) -> Namespace {
    let types = [texts(), vec![elements("info", model)]].concat();
    Namespace { uri, roots: vec![("info", "info")], types }
}
