//! Configurations that are none, and values that nobody expects.

use testkit::server::configuration;

use super::bench::{refused, shared, shell, workflow};

/// A posted configuration is refused, beside the other job.
#[track_caller]
fn check(body: impl AsRef<[u8]>, status: u16, code: &str, words: &[&str]) {
    refused(&shared().beside(|bench| bench.post(body)), status, code, words);
}

#[test]
fn configurations_that_are_none_are_refused() {
    check(
        "<configuration>\n</property>",
        400,
        "E0700",
        &["configuration", "line 2", "correct the XML"],
    );
    check("", 400, "E0700", &["configuration"]);
    check("{\"json\": true}", 400, "E0700", &[]);
    check("<properties/>", 400, "E0700", &["configuration"]);
    check(b"\x7fELF\x02\x01\x01\0", 400, "HW0001", &[]);
    check(b"<configuration>\xff</configuration>", 400, "HW0002", &[]);
}

#[test]
fn configurations_without_measure_are_refused() {
    check("x".repeat(1 << 21), 413, "HW4003", &["1048576"]);
    check("x".repeat(10 << 20), 413, "HW4003", &["1048576"]);
    // What comes without end is cut off.
    let endless = vec![b'x'; 40 << 20];
    let sent = shared().beside(|bench| {
        bench.server.send("POST", "/oozie/v2/jobs", super::bench::XML, Some(&endless))
    });
    assert!(sent.is_err() || sent.is_ok_and(|answer| answer.code == "HW4003"));
    check("<a>".repeat(100_000), 400, "HW0004", &["128"]);
    let bomb = r#"<!DOCTYPE c [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]><configuration>&b;</configuration>"#;
    check(bomb, 400, "HW0003", &[]);
    let circle = configuration(&[
        ("user.name", "x"),
        ("oozie.wf.application.path", "/a"),
        ("a", "${b}"),
        ("b", "${a}"),
    ]);
    check(circle, 400, "HW0006", &["a"]);
    let growing: Vec<(String, String)> =
        (0..40).map(|at| (format!("p{at}"), format!("${{p{0}}}${{p{0}}}", at + 1))).collect();
    let mut growing: Vec<(&str, &str)> =
        growing.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    growing.extend([("p40", "lol"), ("user.name", "x"), ("oozie.wf.application.path", "/a")]);
    check(configuration(&growing), 400, "HW0006", &[]);
}

#[test]
fn values_that_nobody_expects_pass_or_are_refused() {
    check(
        "<configuration><property><name>a</name><value>x&#0;y</value></property></configuration>",
        400,
        "E0700",
        &[],
    );
    check(
        "<configuration><property><name>a</name><value>x\0y</value></property></configuration>",
        400,
        "HW0001",
        &[],
    );
    let bench = shared();
    let app = bench.app(workflow(&shell(
        "a",
        "end",
        "test \"$X\" = 'ü\u{1f600}\u{202e}$(id)`id`'",
        "<env-var>X=${odd}</env-var>",
    )));
    let job = bench.beside(|bench| {
        bench.server.ended(&bench.begin(&app, &[("odd", "ü\u{1f600}\u{202e}$(id)`id`")])).unwrap()
    });
    assert_eq!(job["status"], "SUCCEEDED", "{job}");
}
