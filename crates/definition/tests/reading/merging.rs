//! Defaults, global and launcher in action bodies.

use definition::{
    SiteDefaults, WorkflowSources, read_configuration, read_workflow, write_configuration,
};
use expect_test::{Expect, expect};
use model::{Configuration, NodeKind, NodeName, WorkflowApp};

use super::{codes, shown};

fn properties(pairs: &[(&str, &str)]) -> String {
    let property = |(name, value): &(&str, &str)| {
        format!("<property><name>{name}</name><value>{value}</value></property>")
    };
    format!("<configuration>{}</configuration>", pairs.iter().map(property).collect::<String>())
}

fn app(version: &str, global: &str, body: &str) -> String {
    format!(
        "<workflow-app xmlns='uri:oozie:workflow:{version}' name='t'>{global}<start to='a'/><action name='a'>{body}<ok to='e'/>\
         <error to='e'/></action><end name='e'/></workflow-app>"
    )
}

fn body(app: &WorkflowApp) -> String {
    match app.node(&NodeName::new("a")).map(|node| &node.kind) {
        Some(NodeKind::Action(action)) => action.body.replace("><", ">\n<"),
        other => panic!("no action: {other:?}"),
    }
}

#[track_caller]
fn check(sources: WorkflowSources<'_>, expected: Expect) {
    expected.assert_eq(&match read_workflow(sources) {
        Ok(app) => body(&app),
        Err(found) => shown(&found),
    });
}

#[test]
fn the_nearest_configuration_wins() {
    let global = format!(
        "<global><resource-manager>rm</resource-manager><name-node>nn</name-node><launcher><queue>global</queue>\
         <vcores>1</vcores></launcher><job-xml>g.xml</job-xml><job-xml>both.xml</job-xml>{}</global>",
        properties(&[
            ("b", "global"),
            ("c", "global"),
            ("d", "global"),
            ("oozie.launcher.queue", "lost")
        ])
    );
    let shell = format!(
        "<shell xmlns='uri:oozie:shell-action:1.0'><launcher><queue>launcher</queue><view-acl>v</view-acl></launcher>\
         <job-xml>both.xml</job-xml>{}<exec>x</exec></shell>",
        properties(&[("d", " action "), ("oozie.launcher.view.acl", "wins"), ("empty", "")])
    );
    let text = app("1.0", &global, &shell);
    let defaults =
        Configuration::from_iter([("a", "${b}-default"), ("b", "default"), ("c", "default")]);
    let sources = WorkflowSources { config_default: Some(&defaults), ..WorkflowSources::of(&text) };
    check(
        sources,
        expect![[r#"
        <shell xmlns="uri:oozie:shell-action:1.0">
        <resource-manager>rm</resource-manager>
        <name-node>nn</name-node>
        <job-xml>g.xml</job-xml>
        <launcher>
        <queue>launcher</queue>
        <view-acl>v</view-acl>
        </launcher>
        <job-xml>both.xml</job-xml>
        <configuration>
        <property>
        <name>a</name>
        <value>default-default</value>
        </property>
        <property>
        <name>b</name>
        <value>global</value>
        </property>
        <property>
        <name>c</name>
        <value>global</value>
        </property>
        <property>
        <name>d</name>
        <value>action</value>
        </property>
        <property>
        <name>oozie.launcher.queue</name>
        <value>launcher</value>
        </property>
        <property>
        <name>oozie.launcher.vcores</name>
        <value>1</value>
        </property>
        <property>
        <name>oozie.launcher.view.acl</name>
        <value>wins</value>
        </property>
        </configuration>
        <exec>x</exec>
        </shell>"#]],
    );
}

#[test]
fn what_an_action_says_itself_stays() {
    let shell = "<s:shell xmlns:s='uri:oozie:shell-action:0.3'>\n<s:job-tracker> jt </s:job-tracker><s:name-node>nn</s:name-node>\n\
                 <!-- ${unknown} --><s:exec>x</s:exec><s:argument><![CDATA[${a > 1}]]></s:argument></s:shell>";
    let text = app("0.5", "<global><name-node>other</name-node></global>", shell);
    check(
        WorkflowSources::of(&text),
        expect![[r#"
        <shell xmlns="uri:oozie:shell-action:0.3">
        <job-tracker>jt</job-tracker>
        <name-node>nn</name-node>
        <exec>x</exec>
        <argument>
        <![CDATA[${a > 1}]]>
        </argument>
        </shell>"#]],
    );
}

#[test]
fn defaults_do_not_reach_sub_workflows_and_mails_get_nothing() {
    let defaults = Configuration::from_iter([("a", "default")]);
    let global =
        format!("<global><name-node>nn</name-node>{}</global>", properties(&[("b", "global")]));
    let text = app("0.5", &global, "<sub-workflow><app-path>p</app-path></sub-workflow>");
    check(
        WorkflowSources { config_default: Some(&defaults), ..WorkflowSources::of(&text) },
        expect![[r#"
        <sub-workflow xmlns="uri:oozie:workflow:0.5">
        <name-node>nn</name-node>
        <app-path>p</app-path>
        <configuration>
        <property>
        <name>b</name>
        <value>global</value>
        </property>
        </configuration>
        </sub-workflow>"#]],
    );
    let email = "<email xmlns='uri:oozie:email-action:0.1'><to>t</to><subject>s</subject><body>b</body></email>";
    let text = app("0.5", &global, email);
    check(
        WorkflowSources { config_default: Some(&defaults), ..WorkflowSources::of(&text) },
        expect![[r#"
        <email xmlns="uri:oozie:email-action:0.1">
        <to>t</to>
        <subject>s</subject>
        <body>b</body>
        </email>"#]],
    );
    let text = app("0.5", &global, "<fs><mkdir path='x'/></fs>");
    check(
        WorkflowSources { config_default: Some(&defaults), ..WorkflowSources::of(&text) },
        expect![[r#"
        <fs xmlns="uri:oozie:workflow:0.5">
        <name-node>nn</name-node>
        <mkdir path='x'/>
        <configuration>
        <property>
        <name>a</name>
        <value>default</value>
        </property>
        <property>
        <name>b</name>
        <value>global</value>
        </property>
        </configuration>
        </fs>"#]],
    );
}

#[test]
fn addresses_must_come_from_somewhere() {
    let text = app("0.5", "", "<shell xmlns='uri:oozie:shell-action:0.3'><exec>x</exec></shell>");
    check(
        WorkflowSources::of(&text),
        expect![[r#"
        E0701: action 'a' has no <resource-manager>, and neither <global> nor the server's configuration has one (line 1, column 87); add <resource-manager> to the action or to <global>, or set oozie.actions.default.resource-manager for all
        E0701: action 'a' has no <name-node>, and neither <global> nor the server's configuration has one (line 1, column 87); add <name-node> to the action or to <global>, or set oozie.actions.default.name-node for all
    "#]],
    );
    let site = SiteDefaults {
        name_node: Some("file:///".to_owned()),
        resource_manager: Some("local".to_owned()),
    };
    check(
        WorkflowSources { site: &site, ..WorkflowSources::of(&text) },
        expect![[r#"
        <shell xmlns="uri:oozie:shell-action:0.3">
        <resource-manager>local</resource-manager>
        <name-node>file:///</name-node>
        <exec>x</exec>
        </shell>"#]],
    );
}

#[test]
fn a_global_section_goes_down_to_children() {
    let global = format!(
        "<global><job-tracker>jt</job-tracker><name-node>parent</name-node><job-xml>p1.xml</job-xml><job-xml>p2.xml</job-xml>{}</global>",
        properties(&[("a", "parent"), ("b", "parent")])
    );
    let parent = app(
        "0.5",
        &global,
        "<sub-workflow><app-path>p</app-path><propagate-configuration/></sub-workflow>",
    );
    let parent = read_workflow(WorkflowSources::of(&parent)).expect("valid");
    let handed_on = write_configuration(&parent.global);
    assert_eq!(read_configuration(&handed_on).as_ref(), Ok(&parent.global));

    let shell = "<shell xmlns='uri:oozie:shell-action:0.3'><exec>x</exec></shell>";
    let child = app("0.5", "", shell);
    let sources =
        WorkflowSources { inherited_global: Some(&handed_on), ..WorkflowSources::of(&child) };
    check(
        sources,
        expect![[r#"
        <shell xmlns="uri:oozie:shell-action:0.3">
        <resource-manager>jt</resource-manager>
        <name-node>parent</name-node>
        <job-xml>p1.xml</job-xml>
        <job-xml>p2.xml</job-xml>
        <exec>x</exec>
        <configuration>
        <property>
        <name>a</name>
        <value>parent</value>
        </property>
        <property>
        <name>b</name>
        <value>parent</value>
        </property>
        </configuration>
        </shell>"#]],
    );
    let own =
        format!("<global><name-node>child</name-node>{}</global>", properties(&[("b", "child")]));
    let child = app("0.5", &own, shell);
    let sources =
        WorkflowSources { inherited_global: Some(&handed_on), ..WorkflowSources::of(&child) };
    check(
        sources,
        expect![[r#"
        <shell xmlns="uri:oozie:shell-action:0.3">
        <resource-manager>jt</resource-manager>
        <name-node>child</name-node>
        <job-xml>p1.xml</job-xml>
        <job-xml>p2.xml</job-xml>
        <exec>x</exec>
        <configuration>
        <property>
        <name>a</name>
        <value>parent</value>
        </property>
        <property>
        <name>b</name>
        <value>child</value>
        </property>
        </configuration>
        </shell>"#]],
    );
    let sources = WorkflowSources { inherited_global: Some("<x/>"), ..WorkflowSources::of(&child) };
    assert_eq!(codes(&read_workflow(sources)), "E0700");
}

#[test]
fn credentials_agreements_and_attributes_are_read() {
    let text = "<workflow-app xmlns='uri:oozie:workflow:0.5' xmlns:sla='uri:oozie:sla:0.2' name='${n}'><credentials>\
                <credential name='c' type='hcat'><property><name>p</name><value>v</value></property></credential></credentials>\
                <start to='a'/><action name='a' cred='c' retry-max='${r}' retry-interval='1'><fs/><ok to='d'/><error to='k'/>\
                <sla:info><sla:nominal-time>${t}</sla:nominal-time><sla:should-end>5</sla:should-end></sla:info></action>\
                <decision name='d'><switch><case to='e'> ${x &gt; 1} </case><default to='k'/></switch></decision>\
                <kill name='k'><message> no </message></kill><end name='e'/></workflow-app>";
    let app = read_workflow(WorkflowSources::of(text)).expect("valid");
    expect![[r#"
        (
            [
                Credential {
                    name: "c",
                    kind: "hcat",
                    properties: Configuration(
                        {
                            "p": "v",
                        },
                    ),
                },
            ],
            {
                NodeName(:start:): Node {
                    name: NodeName(:start:),
                    at: Location {
                        line: 1,
                        column: 212,
                    },
                    kind: Start {
                        to: NodeName(a),
                    },
                },
                NodeName(a): Node {
                    name: NodeName(a),
                    at: Location {
                        line: 1,
                        column: 227,
                    },
                    kind: Action(
                        ActionNode {
                            kind: "fs",
                            body: "<fs xmlns=\"uri:oozie:workflow:0.5\"></fs>",
                            ok: NodeName(d),
                            error: NodeName(k),
                            cred: Some(
                                "c",
                            ),
                            retry_max: Some(
                                "${r}",
                            ),
                            retry_interval: Some(
                                "1",
                            ),
                            retry_policy: None,
                            sla: Some(
                                "<info xmlns=\"uri:oozie:sla:0.2\"><nominal-time>${t}</nominal-time><should-end>5</should-end></info>",
                            ),
                        },
                    ),
                },
                NodeName(d): Node {
                    name: NodeName(d),
                    at: Location {
                        line: 1,
                        column: 426,
                    },
                    kind: Decision {
                        cases: [
                            Case {
                                predicate: "${x > 1}",
                                to: NodeName(e),
                            },
                        ],
                        default: NodeName(k),
                    },
                },
                NodeName(e): Node {
                    name: NodeName(e),
                    at: Location {
                        line: 1,
                        column: 568,
                    },
                    kind: End,
                },
                NodeName(k): Node {
                    name: NodeName(k),
                    at: Location {
                        line: 1,
                        column: 523,
                    },
                    kind: Kill {
                        message: " no ",
                    },
                },
            },
        )
    "#]].assert_debug_eq(&(&app.credentials, &app.nodes));
}
