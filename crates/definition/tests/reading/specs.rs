//! Evaluated bodies as workers get them.

use definition::read_action;
use expect_test::{Expect, expect};

use super::shown;

#[track_caller]
fn check(kind: &str, body: &str, expected: Expect) {
    expected.assert_eq(&match read_action(kind, body) {
        Ok(spec) => format!("{spec:#?}\n"),
        Err(found) => shown(&found),
    });
}

#[test]
fn a_shell_action() {
    let body = "<shell xmlns='uri:oozie:shell-action:1.0'><resource-manager>rm</resource-manager><name-node>hdfs://n</name-node>\
                <prepare><delete path=' out '/><mkdir path='tmp'/></prepare><job-xml>a.xml</job-xml><configuration><property>\
                <name>q</name><value> d </value></property></configuration><exec> run.sh </exec><argument>a &lt; b</argument>\
                <argument/><env-var>A=1</env-var><file>run.sh#run.sh, lib/x.py</file><archive>z.tgz#z</archive><capture-output/></shell>";
    check(
        "shell",
        body,
        expect![[r#"
        Shell(
            Shell {
                launch: Launch {
                    name_node: Some(
                        "hdfs://n",
                    ),
                    resource_manager: Some(
                        "rm",
                    ),
                    prepare: [
                        Delete {
                            path: "out",
                            skip_trash: true,
                        },
                        Mkdir {
                            path: "tmp",
                        },
                    ],
                    job_xml: [
                        "a.xml",
                    ],
                    configuration: Configuration(
                        {
                            "q": "d",
                        },
                    ),
                    files: [
                        FileRef {
                            path: "run.sh",
                            link: Some(
                                "run.sh",
                            ),
                        },
                        FileRef {
                            path: "lib/x.py",
                            link: None,
                        },
                    ],
                    archives: [
                        FileRef {
                            path: "z.tgz",
                            link: Some(
                                "z",
                            ),
                        },
                    ],
                    capture_output: true,
                },
                exec: "run.sh",
                arguments: [
                    "a < b",
                    "",
                ],
                env_vars: [
                    "A=1",
                ],
            },
        )
    "#]],
    );
}

#[test]
fn an_fs_action_keeps_the_order_of_its_commands() {
    let body = "<fs xmlns='u'><name-node>hdfs://n</name-node><configuration/><mkdir path='a'/><delete path='b' skip-trash='false'/>\
                <move source='a' target='b'/><chmod path='a' permissions='755' dir-files='false'><recursive/></chmod>\
                <touchz path='t'/><chgrp path='a' group='g'/><setrep path='a' replication-factor='3'/></fs>";
    check(
        "fs",
        body,
        expect![[r#"
        Fs(
            Fs {
                name_node: Some(
                    "hdfs://n",
                ),
                job_xml: [],
                configuration: Configuration(
                    {},
                ),
                commands: [
                    Mkdir {
                        path: "a",
                    },
                    Delete {
                        path: "b",
                        skip_trash: false,
                    },
                    Move {
                        source: "a",
                        target: "b",
                    },
                    Chmod {
                        path: "a",
                        permissions: "755",
                        dir_files: false,
                        recursive: true,
                    },
                    Touchz {
                        path: "t",
                    },
                    Chgrp {
                        path: "a",
                        group: "g",
                        dir_files: true,
                        recursive: false,
                    },
                    Setrep {
                        path: "a",
                        factor: 3,
                    },
                ],
            },
        )
    "#]],
    );
    check(
        "fs",
        "<fs><setrep path='a' replication-factor='many'/></fs>",
        expect![[r#"
        HW0007: the replication factor is "many", but it must be an integer from -32768 to 32767 (line 1, column 5)
    "#]],
    );
}

#[test]
fn the_other_actions() {
    check(
        "java",
        "<java><main-class>M</main-class><java-opt>-Xmx1g -Da=b</java-opt><java-opt>-ea</java-opt><arg>1</arg></java>",
        expect![[r#"
        Java(
            Java {
                launch: Launch {
                    name_node: None,
                    resource_manager: None,
                    prepare: [],
                    job_xml: [],
                    configuration: Configuration(
                        {},
                    ),
                    files: [],
                    archives: [],
                    capture_output: false,
                },
                main_class: "M",
                java_opts: [
                    "-Xmx1g",
                    "-Da=b",
                    "-ea",
                ],
                args: [
                    "1",
                ],
            },
        )
    "#]],
    );
    let child = "<sub-workflow><app-path> /p </app-path><propagate-configuration/><configuration><property><name>a</name>\
                 <value>1</value></property></configuration></sub-workflow>";
    check(
        "sub-workflow",
        child,
        expect![[r#"
        SubWorkflow(
            SubWorkflow {
                app_path: "/p",
                propagate_configuration: true,
                configuration: Configuration(
                    {
                        "a": "1",
                    },
                ),
            },
        )
    "#]],
    );
    check(
        "email",
        "<email><to>a,b</to><subject>s</subject><body> t </body></email>",
        expect![[r#"
        Email(
            Email {
                to: "a,b",
                cc: None,
                bcc: None,
                subject: "s",
                body: "t",
                content_type: None,
                attachment: None,
            },
        )
    "#]],
    );
    check(
        "ssh",
        "<ssh><host>u@h</host><command>c</command><args>a b</args><capture-output/></ssh>",
        expect![[r#"
        Ssh(
            Ssh {
                host: "u@h",
                command: "c",
                args: [
                    "a b",
                ],
                arg: [],
                capture_output: true,
            },
        )
    "#]],
    );
    check(
        "noop",
        "<noop xmlns='uri:howdah:noop-action:1.0'/>",
        expect![[r#"
        Noop
    "#]],
    );
    check(
        "pig",
        "<pig><script>s</script></pig>",
        expect![[r#"
        Unavailable {
            kind: "pig",
        }
    "#]],
    );
}

#[test]
fn what_evaluation_spoilt_is_told() {
    check(
        "shell",
        "<shell><exec>a & b</exec></shell>",
        expect![[r#"
        E0700: not well-formed XML: malformed entity reference (line 1, column 16); correct the XML here; an XML-aware editor shows the place
    "#]],
    );
    check(
        "shell",
        "<fs/>",
        expect![[r#"
        HW0007: the action is a <shell>, but its body is a <fs> (line 1, column 1)
    "#]],
    );
}
