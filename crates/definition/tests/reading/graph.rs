//! Names, transitions and circles.

use expect_test::{Expect, expect};
use model::NodeName;

use super::{action, codes, read, shown, workflow};

#[track_caller]
fn check(nodes: &str, expected: Expect) {
    expected.assert_eq(&shown(&read(&workflow(nodes)).err().unwrap_or_default()));
}

#[test]
fn a_straight_line_is_read() {
    let app = read(&workflow(&format!("<start to='a'/>{}<end name='e'/>", action("a", "e", "e"))))
        .expect("valid");
    let order: Vec<&str> = app.order.iter().map(NodeName::as_str).collect();
    assert_eq!(
        (app.name.as_str(), app.schema.as_str(), order),
        ("t", "0.5", vec![":start:", "a", "e"])
    );
    assert_eq!(
        app.node(&NodeName::new("a")).map(|node| (node.at.line, node.at.column)),
        Some((2, 16))
    );
}

#[test]
fn transitions_to_nowhere_are_told_with_the_nearest_name() {
    check(
        &format!("<start to='lod'/>{}<end name='e'/>", action("load", "e", "nowhere")),
        expect![[r#"
            E0708: node 'start' goes to 'lod', which does not exist (line 2, column 12); did you mean 'load'?
        "#]],
    );
    check(
        &format!("<start to='load'/>{}<end name='end'/>", action("load", "ende", "fail")),
        expect![[r#"
            E0708: node 'load' goes to 'ende', which does not exist (line 2, column 52); did you mean 'end'?
            E0708: node 'load' goes to 'fail', which does not exist (line 2, column 70); add that node, or name another one
        "#]],
    );
}

/// What a finding underlines.
#[track_caller]
fn check_marked(nodes: &str, code: &str, marked: &[&str]) {
    let text = workflow(nodes);
    let findings = read(&text).expect_err("it is refused");
    let found: Vec<&str> = findings
        .iter()
        .map(|finding| {
            assert_eq!(finding.code, code);
            let span = finding.span.clone();
            assert_eq!(&text[span.start - 1..span.start], "'", "it is the value of an attribute");
            &text[span]
        })
        .collect();
    assert_eq!(found, marked);
}

#[test]
fn a_bad_transition_is_marked_where_it_is_written() {
    let end = "<end name='e'/>";
    let decision = "<decision name='d'><switch><case to='x1'>${1 == 1}</case><case to='e'>${1 == 2}</case>\
                    <default to='x2'/></switch></decision>";
    let fork = "<fork name='f'><path start='x1'/><path start='b'/></fork><join name='j' to='x2'/>";
    for (nodes, marked) in [
        ("<start to='x1'/>".to_owned(), ["x1"].as_slice()),
        (format!("<start to='a'/>{}", action("a", "x1", "x2")), &["x1", "x2"]),
        (format!("<start to='d'/>{decision}"), &["x1", "x2"]),
        (format!("<start to='f'/>{fork}{}", action("b", "j", "e")), &["x1", "x2"]),
    ] {
        check_marked(&format!("{nodes}{end}"), "E0708", marked);
    }
    let itself = format!("<start to='a'/>{}{end}", action("a", "e", "a"));
    check_marked(&itself, "E0706", &["a"]);
    let circle = format!("<start to='a'/>{}{}{end}", action("a", "e", "b"), action("b", "a", "e"));
    check_marked(&circle, "E0707", &["a"]);
}

#[test]
fn doubled_names_and_nodes_that_go_to_themselves_are_told() {
    let nodes = [
        "<start to='a'/>",
        &action("a", "a", "b"),
        &action("b", "e", "e"),
        &action("b", "e", "e"),
        "<end name='e'/>",
    ];
    check(
        &nodes.concat(),
        expect![[r#"
            E0706: node 'a' goes to itself (line 2, column 46); name another node as its transition
            E0705: node name 'b' is used twice, first in line 3 (line 4, column 1); give one of the two nodes another name
        "#]],
    );
}

#[test]
fn circles_are_written_out() {
    let nodes = [
        "<start to='a'/>",
        &action("a", "b", "c"),
        &action("b", "c", "e"),
        &action("c", "a", "e"),
        "<end name='e'/>",
    ];
    check(
        &nodes.concat(),
        expect![[r#"
            E0707: the workflow goes in a circle: a -> b -> c -> a (line 4, column 31); no node may lead back to itself; repeat work with a sub-workflow
        "#]],
    );
}

#[test]
fn what_is_unreachable_is_not_looked_at() {
    let nodes = [
        "<start to='e'/>",
        &action("x", "y", "nowhere"),
        &action("y", "x", "x"),
        "<end name='e'/>",
    ];
    assert_eq!(codes(&read(&workflow(&nodes.concat()))), "ok");
}

#[test]
fn names_have_a_longest_length() {
    let [short, long] = [128, 129].map(|length| "n".repeat(length));
    for (name, expected) in [(short, "ok"), (long, "E0724")] {
        let nodes = format!("<start to='{name}'/>{}<end name='e'/>", action(&name, "e", "e"));
        assert_eq!(codes(&read(&workflow(&nodes))), expected);
    }
}

#[test]
fn kinds_nobody_runs_are_told() {
    let text = "<workflow-app xmlns='uri:oozie:workflow:0.1' name='t'><start to='a'/><action name='a'><http>\
                <http-url>u</http-url><wait/><capture-output/></http><ok to='e'/><error to='e'/></action><end name='e'/>\
                </workflow-app>";
    expect![[r#"
        E0723: action 'a' is of the unknown kind <http> (line 1, column 87); known are map-reduce, pig, hive, hive2, java, shell, ssh, fs, email, distcp, sqoop, spark, sub-workflow, git, noop
    "#]].assert_eq(&shown(&read(text).expect_err("no http")));
}

#[test]
fn only_a_workflow_app_is_a_workflow() {
    assert_eq!(
        codes(&read("<kill xmlns='uri:oozie:workflow:0.5' name='k'><message/></kill>")),
        "E0703"
    );
}

#[test]
fn parameters_are_read_from_schema_0_4_on() {
    let text = |version: &str, name: &str| {
        format!(
            "<workflow-app xmlns='uri:oozie:workflow:{version}' name='t'><parameters><property><name> {name} </name></property>\
             <property><name>b</name><value> 1 </value></property></parameters><start to='e'/><end name='e'/></workflow-app>"
        )
    };
    let app = read(&text("0.4", "a")).expect("valid");
    let read_back: Vec<_> =
        app.parameters.iter().map(|one| (one.name.as_str(), one.default.as_deref())).collect();
    assert_eq!(read_back, [("a", None), ("b", Some("1"))]);
    assert_eq!(codes(&read(&text("1.0", ""))), "E0739");
    assert_eq!(read(&text("0.4.5", "a")).expect("valid").parameters, []);
}
