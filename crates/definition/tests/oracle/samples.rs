//! Documents made of everything the schemas know, each part there or not by chance: about half of them are valid.

use super::common::Random;
use super::tree::Element;

const WORKFLOWS: [&str; 8] = ["0.1", "0.2", "0.2.5", "0.3", "0.4", "0.4.5", "0.5", "1.0"];

const LAUNCH: &str =
    "job-tracker? resource-manager? name-node prepare? launcher? job-xml* configuration?";

/// Extension actions: their versions and their children in order; `?` is there or not, `*` any number of times.
const EXTENSIONS: [(&str, &[&str], &str); 9] = [
    (
        "shell",
        &["0.1", "0.2", "0.3", "1.0"],
        "LAUNCH exec argument* env-var* file* archive* capture-output?",
    ),
    (
        "hive",
        &["0.2", "0.3", "0.4", "0.5", "0.6", "1.0"],
        "LAUNCH script? query? param* argument* file* archive*",
    ),
    (
        "hive2",
        &["0.1", "0.2", "1.0"],
        "LAUNCH jdbc-url password? script? query? param* argument* file* archive*",
    ),
    ("sqoop", &["0.2", "0.3", "0.4", "1.0"], "LAUNCH command? arg* file* archive*"),
    (
        "spark",
        &["0.1", "0.2", "1.0"],
        "LAUNCH master mode? name class? jar spark-opts? arg* file* archive*",
    ),
    (
        "distcp",
        &["0.1", "0.2", "1.0"],
        "job-tracker? resource-manager? name-node prepare? launcher? configuration? java-opts? arg*",
    ),
    ("ssh", &["0.1", "0.2"], "host command args* arg* capture-output?"),
    ("email", &["0.1", "0.2"], "to cc? bcc? subject body content_type? attachment?"),
    (
        "git",
        &["1.0"],
        "resource-manager? name-node prepare? git-uri branch? key-path? destination-uri configuration?",
    ),
];

/// Actions of the workflow namespace itself.
const INLINE: [(&str, &str); 8] = [
    (
        "map-reduce",
        "job-tracker? resource-manager? name-node prepare? streaming? pipes? launcher? job-xml* configuration? config-class? \
         file* archive*",
    ),
    ("pig", "LAUNCH script param* argument* file* archive*"),
    ("java", "LAUNCH main-class java-opts? java-opt* arg* file* archive* capture-output?"),
    (
        "fs",
        "name-node? job-xml* configuration? delete* mkdir* move* chmod* touchz* chgrp* setrep? delete* mkdir?",
    ),
    ("sub-workflow", "app-path propagate-configuration? configuration?"),
    ("ssh", "host command args* capture-output?"),
    ("http", "http-url post? wait? continue? capture-output"),
    ("email", "to subject message?"),
];

/// What compound children hold; everything else holds text.
const COMPOUNDS: [(&str, &str); 9] = [
    ("prepare", "delete* mkdir*"),
    ("configuration", "property property*"),
    ("parameters", "property property*"),
    ("property", "name value description?"),
    (
        "launcher",
        "memory.mb? vcores? java-opts? env? queue? sharelib? view-acl? modify-acl? queue?",
    ),
    ("streaming", "mapper? reducer? record-reader? record-reader-mapping* env*"),
    ("pipes", "map? reduce? inputformat? partitioner? writer? program?"),
    ("credentials", "credential*"),
    ("credential", "property*"),
];

/// A workflow definition.
pub(crate) fn workflow(random: &mut Random) -> Element {
    let version = random.pick(&WORKFLOWS);
    let uri = format!("uri:oozie:workflow:{version}");
    let mut app = Element::new("workflow-app", &uri).with("name", "a ${x}");
    if random.percent(50) && version >= "0.4" {
        app = fill(app, "parameters? global? credentials?", random);
    }
    app = app.holding(Element::new("start", &uri).with("to", "a"));
    for _ in 0..1 + random.below(4) {
        app = app.holding(node(&uri, random));
    }
    app = app.holding(Element::new("end", &uri).with("name", "e"));
    if random.percent(20) { app.holding(agreement(random)) } else { app }
}

fn node(uri: &str, random: &mut Random) -> Element {
    let new = |name: &str| Element::new(name, uri);
    let to = |name: &str| new(name).with("to", "b");
    match random.below(8) {
        0 => new("kill").with("name", "k").holding(new("message").saying("no")),
        1 => new("fork")
            .with("name", "f")
            .holding(new("path").with("start", "a"))
            .holding(new("path").with("start", "b")),
        2 => to("join").with("name", "j"),
        3 => {
            let switch = new("switch")
                .holding(to("case").saying("${x}"))
                .holding(to("case"))
                .holding(to("default"));
            new("decision").with("name", "d").holding(switch)
        }
        _ => action(uri, random),
    }
}

fn action(uri: &str, random: &mut Random) -> Element {
    let mut action = Element::new("action", uri).with("name", "act");
    for attribute in ["cred", "retry-max", "retry-interval", "retry-policy"] {
        if random.percent(10) {
            action = action.with(attribute, "3");
        }
    }
    action =
        action.holding(if random.percent(50) { inline(uri, random) } else { extension(random) });
    for transition in ["ok", "error"] {
        action = action.holding(Element::new(transition, uri).with("to", "b"));
    }
    if random.percent(15) { action.holding(agreement(random)) } else { action }
}

fn inline(uri: &str, random: &mut Random) -> Element {
    let kinds = if uri.ends_with(":0.1") { 8 } else { 5 };
    let (name, children) = random.pick(&INLINE[..kinds]);
    fill(Element::new(name, uri), children, random)
}

fn extension(random: &mut Random) -> Element {
    let (name, versions, children) = random.pick(&EXTENSIONS);
    let uri = format!("uri:oozie:{name}-action:{}", random.pick(versions));
    fill(Element::new(name, &uri), children, random)
}

fn agreement(random: &mut Random) -> Element {
    let old = "app-name nominal-time should-start should-end parent-client-id? parent-sla-id? notification-msg? \
               alert-contact dev-contact qa-contact se-contact alert-frequency? alert-percentage? upstream-apps?";
    let new = "nominal-time should-start? should-end max-duration? alert-events? alert-contact? notification-msg? \
               upstream-apps?";
    let (version, children) = random.pick(&[("0.1", old), ("0.2", new)]);
    fill(Element::new("info", &format!("uri:oozie:sla:{version}")), children, random)
}

/// A coordinator definition.
pub(crate) fn coordinator(random: &mut Random) -> Element {
    let version = random.pick(&["0.1", "0.2", "0.3", "0.4", "0.5"]);
    let uri = format!("uri:oozie:coordinator:{version}");
    let mut app = Element::new("coordinator-app", &uri);
    for attribute in ["name", "frequency", "start", "end", "timezone"] {
        app = app.with(attribute, "x");
    }
    let children =
        "parameters? controls? datasets? input-events? input-logic? output-events? action";
    let mut app = fill(app, children, random);
    if let (true, Some(super::tree::Child::Element(action))) =
        (random.percent(20), app.children.last_mut())
    {
        action.children.push(super::tree::Child::Element(agreement(random)));
    }
    app
}

/// A bundle definition.
pub(crate) fn bundle(random: &mut Random) -> Element {
    let version = random.pick(&["0.1", "0.2"]);
    let app = Element::new("bundle-app", &format!("uri:oozie:bundle:{version}")).with("name", "b");
    fill(app, "parameters? controls? coordinator coordinator*", random)
}

/// What compound children of coordinators and bundles hold.
fn scheduled(name: &str, parent: &str, random: &mut Random) -> Option<&'static str> {
    Some(match (name, parent) {
        ("controls", "bundle-app") => "kick-off-time?",
        ("controls", _) => "timeout? concurrency? execution? throttle?",
        ("datasets", _) => "include* dataset* async-dataset* dataset*",
        ("dataset", _) => "uri-template done-flag?",
        ("async-dataset", _) => "uri-template",
        ("input-events", _) => {
            random.pick(&["data-in data-in*", "data-in data-in*", "and?", "or?"])
        }
        ("input-logic" | "and" | "or", _) => {
            random.pick(&["", "data-in* combine?", "and? or?", "data-in", "combine* or?"])
        }
        ("combine", _) => {
            random.pick(&["", "data-in", "data-in data-in", "data-in data-in data-in*"])
        }
        ("data-in", "input-events") => {
            random.pick(&["instance instance*", "start-instance end-instance"])
        }
        ("output-events", _) => "data-out data-out*",
        ("data-out", _) => "instance",
        ("action", "coordinator-app") => "workflow",
        ("workflow" | "coordinator", _) => "app-path configuration?",
        _ => return None,
    })
}

fn fill(mut parent: Element, children: &str, random: &mut Random) -> Element {
    for child in children.replace("LAUNCH", LAUNCH).split_whitespace() {
        let name = child.trim_end_matches(['?', '*']);
        let times = match child.len() - name.len() {
            0 => usize::from(!random.percent(2)),
            _ if child.ends_with('?') => usize::from(random.percent(30)),
            _ => random.below(10) / 5 * random.below(3),
        };
        for _ in 0..times {
            let made = make(name, &parent, random);
            parent.children.push(super::tree::Child::Element(made));
        }
    }
    parent
}

fn make(name: &str, parent: &Element, random: &mut Random) -> Element {
    let new = with_attributes(Element::new(name, &parent.uri), &parent.name, random);
    let global = "job-tracker? resource-manager? name-node? launcher? job-xml* configuration?";
    let compound =
        COMPOUNDS.iter().find(|(known, _)| *known == name).map(|(_, children)| *children);
    let compound = if name == "global" { Some(global) } else { compound };
    if let Some(children) = compound.or_else(|| scheduled(name, &parent.name, random)) {
        return fill(new, children, random);
    }
    match name {
        "capture-output" | "propagate-configuration" | "wait" | "continue" | "recursive" => new,
        "delete" | "mkdir" | "move" | "touchz" | "setrep" => new,
        "data-in" => new,
        "chmod" | "chgrp" if random.percent(70) => new,
        "chmod" | "chgrp" => fill(new, "recursive", random),
        "memory.mb" | "vcores" => {
            new.saying(random.pick(&["1", " 2 ", "+3", "-0", "x", "4294967296", "${m}"]))
        }
        _ => new.saying(random.pick(&["x", "${y}", " ", "a&b", ""])),
    }
}

fn with_attributes(element: Element, parent: &str, random: &mut Random) -> Element {
    let attributes: &[(&str, usize)] = match (element.name.as_str(), parent) {
        ("delete", _) => &[("path", 100), ("skip-trash", 10)],
        ("mkdir" | "touchz", _) => &[("path", 100)],
        ("move", _) => &[("source", 100), ("target", 100)],
        ("chmod", _) => &[("path", 100), ("permissions", 100), ("dir-files", 30)],
        ("chgrp", _) => &[("path", 100), ("group", 100), ("dir-files", 30)],
        ("setrep", _) => &[("path", 100), ("replication-factor", 100)],
        ("post", _) => &[("content-type", 100)],
        ("credential", _) => &[("name", 100), ("type", 100)],
        ("dataset", _) => {
            &[("name", 100), ("frequency", 100), ("initial-instance", 100), ("timezone", 100)]
        }
        ("async-dataset", _) => &[("name", 100), ("sequence-type", 100), ("initial-version", 100)],
        ("data-in", "input-events") => &[("name", 100), ("dataset", 100)],
        ("data-in" | "and" | "or" | "combine", _) => {
            &[("name", 30), ("min", 30), ("wait", 30), ("dataset", 50)]
        }
        ("data-out", _) => &[("name", 100), ("dataset", 100), ("nocleanup", 20)],
        ("coordinator", _) => &[("name", 100), ("critical", 10), ("enabled", 10)],
        _ => &[],
    };
    attributes.iter().fold(element, |element, (name, chance)| {
        let value = match *name {
            "replication-factor" => random.pick(&["3", " 3", "+3", "32768", "x"]),
            "skip-trash" | "nocleanup" => random.pick(&["true", " false ", "1", "yes", "${x}"]),
            "name" => random.pick(&["n", "n", "n", "_n", "n-1", "${n}"]),
            _ => "v",
        };
        if random.percent(*chance) { element.with(name, value) } else { element }
    })
}
