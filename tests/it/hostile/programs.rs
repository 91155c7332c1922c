//! Programs that are not there, print without end, or do not go.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::Value;
use testkit::server::wait_until;

use super::bench::{Bench, RESIDENT_BYTES_MAX, action, failed, shared, shell, workflow};

const CAPTURE: &str = "<capture-output/>";
/// What is kept of each stream of an attempt, by default.
const LOG_BYTES_MAX: u64 = 64 << 20;

fn run(bench: &Bench, definition: &str) -> (String, Value) {
    let app = bench.app(definition);
    bench.beside(|bench| {
        let job = bench.begin(&app, &[]);
        let ended = bench.server.ended(&job).unwrap();
        (job, ended)
    })
}

#[test]
fn a_command_that_is_not_there_fails_with_a_hint() {
    let bench = shared();
    let absent = |exec: &str| {
        workflow(
            &shell("a", "end", "true", "")
                .replace("<exec>sh</exec>", &format!("<exec>{exec}</exec>")),
        )
    };
    failed(&run(&bench, &absent("no-such-command")).1, "a", "JA018", &["no-such-command", "PATH"]);
    failed(&run(&bench, &absent("/etc/passwd")).1, "a", "JA018", &["/etc/passwd"]);
    failed(&run(&bench, &absent("/")).1, "a", "JA018", &[]);
    let app = bench.app(workflow(&shell("a", "end", ": ${long}", "")));
    let long = bench.beside(|bench| {
        let job = bench.begin(&app, &[("long", &"x".repeat(200_000))]);
        bench.server.ended(&job).unwrap()
    });
    failed(&long, "a", "JA018", &["too long"]);
    failed(
        &run(&bench, &workflow(&shell("a", "end", "kill -SEGV $$", ""))).1,
        "a",
        "JA018",
        &["signal [11]"],
    );
}

#[test]
fn a_gigabyte_of_output_is_cut_and_nobody_waits() {
    let bench = shared();
    let (job, ended) =
        run(&bench, &workflow(&shell("a", "end", "head -c 1073741824 /dev/zero", "")));
    assert_eq!(ended["status"], "SUCCEEDED", "{ended}");
    let logs = bench.path("data/logs").join(&job);
    let kept = size_below(&logs);
    assert!((LOG_BYTES_MAX..LOG_BYTES_MAX + 4096).contains(&kept), "{kept} bytes are kept");
    let resident = bench.resident_bytes();
    assert!(resident < RESIDENT_BYTES_MAX, "{resident} bytes after the output");
    for path in [format!("/oozie/v2/job/{job}?show=log"), format!("/api/v1/jobs/{job}/logs/a")] {
        let answer = bench.beside(|bench| bench.server.send("GET", &path, &[], None).unwrap());
        assert!(answer.status == 200 && answer.body.len() as u64 <= kept, "{path}");
        let resident = bench.resident_bytes();
        assert!(resident < RESIDENT_BYTES_MAX, "{resident} bytes after {path}");
    }
}

fn size_below(dir: &std::path::Path) -> u64 {
    let mut bytes = 0;
    for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
        let found = entry.metadata().unwrap();
        bytes += if found.is_dir() { size_below(&entry.path()) } else { found.len() };
    }
    bytes
}

#[test]
fn strange_bytes_in_output_are_kept_out_of_the_database() {
    let bench = shared();
    let line = r"printf 'a=x\000y\377z\nb=\357\277\277\n'; printf 'l\000o\377g\033[31m' >&2; printf '\000'";
    let (job, ended) = run(&bench, &workflow(&shell("a", "end", line, CAPTURE)));
    assert_eq!(ended["status"], "SUCCEEDED", "{ended}");
    let data = action(&ended, "a")["data"].as_str().unwrap();
    assert!(data.contains("a=x\\uFFFDy\\uFFFDz"), "{data:?}");
    for path in [
        format!("/oozie/v2/job/{job}?show=log"),
        format!("/api/v1/jobs/{job}/history"),
        format!("/api/v1/jobs/{job}/explain"),
    ] {
        let answer = bench.server.send("GET", &path, &[], None).unwrap();
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
    }
}

#[test]
fn captured_output_over_its_limit_fails_its_action() {
    let bench = shared();
    let (_, ended) = run(
        &bench,
        &workflow(&shell(
            "a",
            "end",
            "printf a=; head -c 10485760 /dev/zero | tr '\\0' x",
            CAPTURE,
        )),
    );
    failed(&ended, "a", "JA018", &["2048", "worker.captured_output_max"]);
}

#[test]
fn captured_output_of_ten_megabytes_is_kept_where_that_is_allowed() {
    let bench = Bench::start(&[("HOWDAH_WORKER__CAPTURED_OUTPUT_MAX", "16 MiB")]);
    let (job, ended) = run(
        &bench,
        &workflow(&shell(
            "a",
            "end",
            "printf a=; head -c 10485760 /dev/zero | tr '\\0' x",
            CAPTURE,
        )),
    );
    assert_eq!(
        ended["status"],
        "SUCCEEDED",
        "{}",
        bench.server.get_text(&format!("/api/v1/jobs/{job}/explain")).unwrap()
    );
    let len = action(&ended, "a")["data"].as_str().unwrap().len();
    assert!(len >= 10 << 20, "{len} bytes of data");
    let resident = bench.resident_bytes();
    assert!(resident < RESIDENT_BYTES_MAX, "{resident} bytes");
}

#[test]
fn a_family_that_does_not_want_to_go_is_gone_after_a_kill() {
    let bench = shared();
    let marker = bench.path("marker-of-this-family").to_str().unwrap().to_owned();
    let line = "trap '' TERM HUP INT; (setsid sh -c \"trap '' TERM; while :; do sleep 1; done\" &) ; (trap '' TERM; while :; do sleep 1; done) & while :; do sleep 1; done";
    let app = bench.app(workflow(&shell(
        "a",
        "end",
        line,
        &format!("<env-var>MARKER={marker}</env-var>"),
    )));
    bench.beside(|bench| {
        let job = bench.begin(&app, &[]);
        wait_until("the whole family runs", || marked(&marker).len() >= 4).unwrap();
        let asked = Instant::now();
        bench.server.command(&job, "kill", &[]).unwrap();
        wait_until("nobody of the family is left", || marked(&marker).is_empty()).unwrap();
        assert!(asked.elapsed() < Duration::from_secs(10), "it took {:?}", asked.elapsed());
        let ended = bench.server.ended(&job).unwrap();
        assert_eq!(
            (&ended["status"], &action(&ended, "a")["status"]),
            (&"KILLED".into(), &"KILLED".into())
        );
        let idle = || {
            bench.server.get(&format!("/api/v1/jobs/{job}/explain")).unwrap()["waits"]
                .as_array()
                .unwrap()
                .is_empty()
        };
        wait_until("the stop is confirmed", idle).unwrap();
    });
}

/// Processes that have these words in their environment.
fn marked(words: &str) -> Vec<String> {
    let pids = fs::read_dir("/proc")
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap_or_default());
    let has = |pid: &String| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.windows(words.len()).any(|window| window == words.as_bytes())
    };
    pids.filter(|pid| pid.bytes().all(|byte| byte.is_ascii_digit())).filter(has).collect()
}
