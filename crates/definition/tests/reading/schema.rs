//! What is said about documents that break their schema: each mistake once, with its place and what to do.

use definition::{DefinitionKind, Limits, check_schema, validate_definition};
use expect_test::{Expect, expect};

use super::shown;

#[track_caller]
fn check(text: &str, expected: Expect) {
    expected.assert_eq(&shown(&check_schema(text, DefinitionKind::Workflow, Limits::default())));
}

fn shell(inside: &str) -> String {
    format!(
        "<workflow-app xmlns='uri:oozie:workflow:0.5' name='t'><start to='a'/>\n\
         <action name='a'><shell xmlns='uri:oozie:shell-action:0.3'>\n{inside}\n</shell>\n\
         <ok to='e'/><error to='e'/></action><end name='e'/></workflow-app>"
    )
}

#[test]
fn a_valid_document_gives_no_findings() {
    check(&shell("<exec>true</exec>"), expect![[""]]);
}

#[test]
fn all_mistakes_are_told_at_once() {
    let text = shell(
        "<exce>true</exce>\n<argument>1</argument>\n<job-xml>x</job-xml>\n<file ref='x'>y</file>",
    );
    check(
        &text,
        expect![[r#"
        E0701: <exce> is not known in <shell> (line 3, column 1); did you mean <exec>?
        E0701: in <shell>, <job-xml> can't come after <argument> (line 5, column 1); after <argument> may come <argument>, <env-var>, <file>, <archive> or <capture-output>
        E0701: <file> has no attribute 'ref' in this schema version (line 6, column 7); remove it: this element has no attributes
    "#]],
    );
}

#[test]
fn a_missing_part_is_named() {
    check(
        &shell("<argument>1</argument>"),
        expect![[r#"
        E0701: in <shell>, <exec> must come before <argument> (line 3, column 1); first may come <job-tracker>, <name-node>, <prepare>, <job-xml>, <configuration> or <exec>
    "#]],
    );
    check(
        &shell(""),
        expect![[r#"
        E0701: <shell> lacks <exec> (line 2, column 18); first may come <job-tracker>, <name-node>, <prepare>, <job-xml>, <configuration> or <exec>
    "#]],
    );
}

#[test]
fn a_swap_is_one_mistake() {
    check(
        &shell("<name-node>n</name-node><job-tracker>j</job-tracker><exec>x</exec>"),
        expect![[r#"
        E0701: in <shell>, <job-tracker> can't come after <name-node> (line 3, column 25); after <name-node> may come <prepare>, <job-xml>, <configuration> or <exec>
    "#]],
    );
    check(
        &shell("<argument>x</argument><exec>x</exec>"),
        expect![[r#"
        E0701: in <shell>, <exec> must come before <argument> (line 3, column 1); first may come <job-tracker>, <name-node>, <prepare>, <job-xml>, <configuration> or <exec>
    "#]],
    );
}

#[test]
fn doubles_texts_and_fillings_are_told() {
    check(
        &shell("<exec>x</exec><exec>y</exec>"),
        expect![[r#"
        E0701: <shell> holds a second <exec> (line 3, column 15); after <exec> may come <argument>, <env-var>, <file>, <archive> or <capture-output>
    "#]],
    );
    check(
        &shell("oops<exec>x</exec>"),
        expect![[r#"
        E0701: text is not allowed directly inside <shell> (line 2, column 60); put it into an element, or into a comment
    "#]],
    );
    check(
        &shell("<exec>x<b/></exec><capture-output> </capture-output>"),
        expect![[r#"
        E0701: <exec> holds text only, but <b> is inside it (line 3, column 8); an end tag is probably missing, or stands at the wrong place
        E0701: <capture-output> must be empty, but it holds text or white space (line 3, column 35); write <capture-output .../> with nothing inside
    "#]],
    );
}

#[test]
fn parts_of_other_versions_are_not_known() {
    check(
        &shell("<resource-manager>rm</resource-manager><launcher/><exec>x</exec>"),
        expect![[r#"
        E0701: <resource-manager> is not known in <shell> (line 3, column 1); it is known in uri:oozie:shell-action:1.0
        E0701: <launcher> is not known in <shell> (line 3, column 40); it is known in uri:oozie:shell-action:1.0
    "#]],
    );
}

#[test]
fn namespaces_are_explained() {
    check(
        "<workflow-app name='t'><start to='e'/><end name='e'/></workflow-app>",
        expect![[r#"
        E0701: <workflow-app name="t"> has no namespace (line 1, column 1); add xmlns="..." with one of uri:oozie:workflow:0.1, uri:oozie:workflow:0.2, uri:oozie:workflow:0.2.5, uri:oozie:workflow:0.3, uri:oozie:workflow:0.4, uri:oozie:workflow:0.4.5, uri:oozie:workflow:0.5 or uri:oozie:workflow:1.0
    "#]],
    );
    check(
        "<workflow-app xmlns='uri:oozie:workflow:0.6' name='t'/>",
        expect![[r#"
        E0701: <workflow-app name="t"> of the namespace uri:oozie:workflow:0.6 is not known (line 1, column 1); its versions are uri:oozie:workflow:0.1, uri:oozie:workflow:0.2, uri:oozie:workflow:0.2.5, uri:oozie:workflow:0.3, uri:oozie:workflow:0.4, uri:oozie:workflow:0.4.5, uri:oozie:workflow:0.5 or uri:oozie:workflow:1.0
    "#]],
    );
    check(
        "<workflow xmlns='uri:oozie:workflow:0.5'/>",
        expect![[r#"
        E0701: <workflow> of the namespace uri:oozie:workflow:0.5 is not known (line 1, column 1); a definition begins with <workflow-app>, <coordinator-app> or <bundle-app>; an action is of a kind that Oozie 5.2.1 ships
    "#]],
    );
    let text = shell("<exec>x</exec>").replace("shell-action:0.3", "shell-action:0.4");
    check(
        &text,
        expect![[r#"
        E0701: <shell> of the namespace uri:oozie:shell-action:0.4 is not known (line 2, column 18); its versions are uri:oozie:shell-action:0.1, uri:oozie:shell-action:0.2, uri:oozie:shell-action:0.3 or uri:oozie:shell-action:1.0
    "#]],
    );
    check(
        &shell("<exec xmlns='uri:oozie:workflow:0.5'>x</exec>"),
        expect![[r#"
        E0701: <exec> is not known in <shell> as an element of the namespace uri:oozie:workflow:0.5 (line 3, column 1); it must be of the namespace uri:oozie:shell-action:0.3; check xmlns
    "#]],
    );
    check(
        &shell("<exec>x</exec>").replace(" xmlns='uri:oozie:shell-action:0.3'", ""),
        expect![[r#"
        E0701: <shell> is not known in <action name="a"> (line 2, column 18); it needs a namespace of its own: add xmlns="uri:oozie:shell-action:1.0"
    "#]],
    );
}

#[test]
fn schema_1_0_lost_setrep_and_skip_trash() {
    let fs = |version: &str| {
        format!(
            "<workflow-app xmlns='uri:oozie:workflow:{version}' name='t'><start to='a'/><action name='a'><fs>\
             <delete path='x' skip-trash='true'/><setrep path='x' replication-factor='3'/></fs><ok to='e'/><error to='e'/>\
             </action><end name='e'/></workflow-app>"
        )
    };
    check(&fs("0.5"), expect![[""]]);
    check(
        &fs("1.0"),
        expect![[r#"
        E0701: <delete> has no attribute 'skip-trash' in this schema version (line 1, column 108); its attributes are 'path'
        E0701: <setrep> is not known in <fs> (line 1, column 127); it is known in uri:oozie:workflow:0.5
    "#]],
    );
}

#[test]
fn attributes_are_explained() {
    let text = shell("<exec>x</exec>")
        .replace("<ok to='e'/>", "<ok too='e'/>")
        .replace("<end name='e'/>", "<end name='1 e'/>");
    check(
        &text,
        expect![[r#"
        E0701: <ok> has no attribute 'to' (line 5, column 1); add to="..."
        E0701: <ok> has no attribute 'too' in this schema version (line 5, column 5); did you mean 'to'?
        E0701: attribute 'name' of <end name="1 e"> is "1 e", but it must be a name: letters, digits, '-' and '_', beginning with a letter or '_' (line 5, column 43)
    "#]],
    );
    let text = shell("<exec>x</exec>").replace("<ok to='e'/>", "<ok to='${next}'/>");
    check(
        &text,
        expect![[r#"
        E0701: attribute 'to' of <ok> is "${next}", but it must be a name: letters, digits, '-' and '_', beginning with a letter or '_' (line 5, column 5); expressions are not evaluated in this attribute
    "#]],
    );
}

#[test]
fn what_is_not_xml_is_told_with_its_place() {
    check(
        "<workflow-app>\n  <start to='a'>\n</workflow-app>",
        expect![[r#"
        E0701: not well-formed XML: expected 'start' tag, not 'workflow-app' (line 3, column 1); correct the XML here; an XML-aware editor shows the place
    "#]],
    );
    check(
        "",
        expect![[r#"
        E0701: not well-formed XML: the document does not have a root node (line 1, column 1); correct the XML here; an XML-aware editor shows the place
    "#]],
    );
    check(
        "<!DOCTYPE x [<!ENTITY y 'z'>]>\n<x/>",
        expect![[r#"
        HW0003: document type declarations (<!DOCTYPE>) and the entities they define are not accepted (line 1, column 1); remove the declaration and write out what its entities stand for
    "#]],
    );
}

#[test]
fn every_kind_of_definition_can_be_validated() {
    let coordinator = "<coordinator-app xmlns='uri:oozie:coordinator:0.4' name='c' frequency='5' start='s' end='e' \
                       timezone='UTC'><action><workflow><app-path>p</app-path></workflow></action></coordinator-app>";
    let bundle = "<bundle-app xmlns='uri:oozie:bundle:0.2' name='b'><coordinator name='c'><app-path>p</app-path>\
                  </coordinator></bundle-app>";
    assert_eq!(
        validate_definition(coordinator, Limits::default()),
        Ok(DefinitionKind::Coordinator)
    );
    assert_eq!(validate_definition(bundle, Limits::default()), Ok(DefinitionKind::Bundle));
    assert_eq!(
        validate_definition(&shell("<exec>x</exec>"), Limits::default()),
        Ok(DefinitionKind::Workflow)
    );
    let found =
        validate_definition(&coordinator.replace("<app-path>p</app-path>", ""), Limits::default())
            .expect_err("no path");
    expect![[r#"
        E0701: <workflow> lacks <app-path> (line 1, column 116); first may come <app-path>
    "#]]
    .assert_eq(&shown(&found));
}
