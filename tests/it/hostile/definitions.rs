//! Definitions that are none, and definitions that want too much.

use std::os::unix::fs::symlink;
use std::{fs, process};

use super::bench::{Bench, failed, refused, shared, shell, workflow};

/// A submit of this definition is refused, beside the other job.
#[track_caller]
fn check(definition: impl AsRef<[u8]>, code: &str, words: &[&str]) {
    let bench = shared();
    let app = bench.app(definition);
    refused(&bench.beside(|bench| bench.submit(&app, &[])), 400, code, words);
    assert!(bench.resident_bytes() < super::bench::RESIDENT_BYTES_MAX);
}

const OK: &str = r#"<action name="a"><shell xmlns="uri:oozie:shell-action:0.3"><job-tracker>local</job-tracker><name-node>file:///</name-node><exec>true</exec></shell><ok to="end"/><error to="fail"/></action>"#;

#[test]
fn broken_xml_is_refused_with_its_place() {
    check(
        "<workflow-app xmlns='uri:oozie:workflow:0.5' name='x'>\n  <start to=</workflow-app>",
        "E0701",
        &["line 2", "correct the XML"],
    );
    check("", "E0701", &["root"]);
    check("hello", "E0701", &["line 1"]);
}

#[test]
fn what_the_schema_does_not_know_is_refused_with_its_place() {
    check(
        workflow(&OK.replace("<exec>true</exec>", "\n<exec>true</exec><surprise/>")),
        "E0701",
        &["surprise", "line 2"],
    );
    check("<nothing-of-oozie/>", "E0701", &["nothing-of-oozie"]);
    check(
        workflow(
            "<action name='a'><martian xmlns='uri:mars:0.1'/><ok to='end'/><error to='fail'/></action>",
        ),
        "E0701",
        &["martian"],
    );
}

#[test]
fn graphs_that_lead_nowhere_or_round_are_refused() {
    let second = |to: &str| {
        OK.replace(r#"name="a""#, r#"name="b""#).replace(r#"to="end""#, &format!(r#"to="{to}""#))
    };
    check(workflow(&format!("{}{}", OK.replace("end", "b"), second("a"))), "E0707", &["a", "b"]);
    check(workflow(&OK.replace("end", "a")), "E0706", &["a"]);
    check(workflow(&OK.replace("end", "nowhere")), "E0708", &["nowhere"]);
    check(
        workflow(&format!("{}<join name='j' to='end'/>", OK.replace("end", "j"))),
        "E0730",
        &["(j)"],
    );
    check(workflow("<fork name='a'><path start='b'/><path start='c'/></fork>"), "E0708", &["b"]);
    check(workflow(&format!("{OK}{OK}")), "E0705", &["a"]);
    let forked = format!(
        "<fork name='a'><path start='b'/><path start='c'/></fork>{}{}",
        second("end"),
        second("end").replace(r#""b""#, r#""c""#)
    );
    check(workflow(&forked), "E0730", &["0 joins"]);
}

#[test]
fn an_expression_that_fails_at_submit_is_refused_with_its_text() {
    check(workflow(OK).replace(r#"name="hostile""#, r#"name="${nope}""#), "E0803", &["nope"]);
    check(
        workflow(OK).replace(r#"name="hostile""#, r#"name="${1 +}""#),
        "E0803",
        &["1 +", "job properties"],
    );
    check(
        workflow(OK).replace(r#"name="hostile""#, r#"name="${no:such('x')}""#),
        "E0803",
        &["no:such"],
    );
}

#[test]
fn an_expression_that_fails_at_run_time_ends_its_job_only() {
    let bench = shared();
    let ends = |exec: &str| {
        let app = bench.app(workflow(&OK.replace("true", exec)));
        bench.beside(|bench| bench.server.ended(&bench.begin(&app, &[])).unwrap())
    };
    let job = ends("${nope}");
    failed(&job, "a", "EL_ERROR", &["nope"]);
    let job = ends("${wf:actionData('never')['x']['y']}");
    failed(&job, "a", "JA018", &["<exec> is empty"]);
    let deep = format!("${{{}1{}}}", "(".repeat(20_000), ")".repeat(20_000));
    let job = ends(&deep);
    failed(&job, "a", "EL_ERROR", &[]);
    let decision = r#"<decision name="a"><switch><case to="end">${nope gt 1}</case><default to="end"/></switch></decision>"#;
    let app = bench.app(workflow(decision));
    let job = bench.beside(|bench| bench.server.ended(&bench.begin(&app, &[])).unwrap());
    assert_eq!(job["status"], "FAILED", "{job}");
    failed(&job, "a", "EL_ERROR", &["nope"]);
}

#[test]
fn an_application_that_is_not_there_is_refused() {
    let bench = shared();
    let missing = bench.path("not-there");
    let empty = bench.path("empty");
    fs::create_dir_all(&empty).unwrap();
    let case = |path: &str, code: &str, words: &[&str]| {
        refused(&bench.beside(|bench| bench.submit(path, &[])), 400, code, words);
    };
    case(missing.to_str().unwrap(), "E0504", &["not-there", "oozie.wf.application.path"]);
    case(empty.to_str().unwrap(), "E0505", &["workflow.xml", "put it there"]);
    case("hdfs://nowhere:8020/app", "E0904", &["hdfs"]);
    case("relative/app", "E0507", &["relative/app"]);
    case("/dev/zero", "E0507", &["/dev/zero"]);
    case(&format!("/{}", "x".repeat(5_000)), "E0507", &[]);
    case("", "E0405", &["oozie.wf.application.path"]);
    refused(&bench.submit("file:///tmp/a%00b", &[]), 400, "E0504", &[]);
    let circle = bench.path("circle");
    symlink(&circle, &circle).unwrap();
    case(circle.to_str().unwrap(), "E0507", &["circle"]);
}

#[test]
fn a_pipe_as_definition_does_not_hold_the_server() {
    let bench = shared();
    let app = bench.app("");
    let pipe = format!("{app}/workflow.xml");
    fs::remove_file(&pipe).unwrap();
    assert!(process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    refused(&bench.beside(|bench| bench.submit(&app, &[])), 400, "E0507", &["regular file"]);
}

#[test]
fn huge_definitions_are_refused_by_their_size() {
    let padded = |bytes: usize| {
        workflow(OK).replace("<start", &format!("<!--{}--><start", "x".repeat(bytes)))
    };
    check(padded(100_000), "E0736", &["100000"]);
    check(padded(50 << 20), "E0736", &[]);
}

#[test]
fn deep_definitions_are_refused_by_their_depth() {
    let levels = 100_000;
    check(format!("{}{}", "<a>".repeat(levels), "</a>".repeat(levels)), "E0736", &[]);
    check("<a>".repeat(30_000), "HW0004", &["128"]);
}

#[test]
fn entities_are_refused_before_they_are_expanded() {
    let mut bomb = "<!DOCTYPE lolz [<!ENTITY l0 \"lol\">".to_owned();
    for at in 1..10 {
        let tenfold = format!("&l{};", at - 1).repeat(10);
        bomb.extend(["<!ENTITY l", &at.to_string(), " \"", &tenfold, "\">"]);
    }
    bomb += "]>";
    check(bomb + &workflow(OK).replace("hostile", "&l9;"), "HW0003", &["entities"]);
    let external = r#"<!DOCTYPE x [<!ENTITY secret SYSTEM "file:///etc/passwd">]>"#;
    check(
        format!("{external}{}", workflow(OK).replace("hostile", "&secret;")),
        "HW0003",
        &["entities"],
    );
}

#[test]
fn binary_files_are_refused_as_such() {
    check(b"\x7fELF\x02\x01\x01\0\0\0\0\0".repeat(100), "HW0001", &["not XML text"]);
    check(b"PK\x03\x04 some archive", "HW0001", &["not XML text"]);
    check(&fs::read("/bin/ls").unwrap()[..90_000], "HW0001", &[]);
    check(b"<workflow-app name='\xff\xfe'/>", "HW0002", &[]);
    check(workflow(OK).replace("hostile", "a\0b"), "HW0001", &[]);
    check(workflow(OK).replace("hostile", "a&#0;b"), "E0701", &[]);
}

/// A `file` of an action.
fn with_file(bench: &Bench, file: &str) -> serde_json::Value {
    let app = bench.app(workflow(&shell("a", "end", "true", &format!("<file>{file}</file>"))));
    bench.beside(|bench| bench.server.ended(&bench.begin(&app, &[])).unwrap())
}

#[test]
fn files_of_an_action_do_not_leave_its_directory() {
    let bench = shared();
    for file in [
        "../../../etc/passwd#../../out",
        "/etc/passwd#/tmp/howdah-out",
        "/etc/passwd#a/../../b",
        "/etc/passwd#..",
        "/etc/passwd#.",
    ] {
        failed(&with_file(&bench, file), "a", "HW2005", &["working directory"]);
    }
    let plain = with_file(&bench, "../../../etc/passwd");
    assert_eq!(plain["status"], "SUCCEEDED", "its own name stays inside: {plain}");
    failed(&with_file(&bench, &"../".repeat(30)), "a", "HW2005", &["above the root"]);
    failed(&with_file(&bench, "../../../no/such/file"), "a", "JA008", &["../../../no/such/file"]);
    assert!(!fs::exists("/tmp/howdah-out").unwrap());
}
