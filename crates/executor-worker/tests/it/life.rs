//! Claims, stops, restarts: what a worker owes its scheduler.

use std::fs;
use std::path::Path;

use executor_worker::Metrics;
use model::{AttemptResult, ErrorClass, Token};
use ports::work::{FromWorker, Grant, ToWorker};
use rustix::process::{Pid, Signal, kill_process};

use crate::harness::{Bench, is_empty, is_running, job, script, wait_for};

/// Says that it runs, and goes on until it is told.
const PATIENT: &str = "#!/bin/sh\necho $$ >> \"$1/started\"\nwhile [ ! -e \"$1/go\" ]; do sleep 0.02; done\necho done >> \"$1/ended\"\n";

async fn start_patient(bench: &mut Bench) -> Token {
    bench.app_file("p.sh", PATIENT);
    let argument = format!("<argument>{}</argument>", bench.path("").display());
    let token = bench.start_attempt("shell", &script("p.sh", &argument)).await;
    let started = bench.path("started");
    wait_for("the script runs", || read(&started).ends_with('\n')).await;
    token
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn pids(path: &Path) -> Vec<u32> {
    read(path).lines().filter_map(|line| line.parse().ok()).collect()
}

fn assert_succeeded(result: &AttemptResult) {
    assert!(matches!(result, AttemptResult::Succeeded(_)), "{result:?}");
}

fn code(result: AttemptResult) -> String {
    match result {
        AttemptResult::Failed(failure) => failure.code,
        AttemptResult::Succeeded(success) => panic!("it should fail: {success:?}"),
    }
}

#[tokio::test]
async fn claims_ask_for_the_free_slots_and_no_more() {
    let mut bench = Bench::with(|config| config.slots = 2);
    bench.start();
    assert_eq!(bench.peer().await.held().await, []);
    let tokens = bench.claimed().await;
    assert_eq!(tokens.len(), 2);
    bench.app_file("p.sh", PATIENT);
    let argument = format!("<argument>{}</argument>", bench.path("").display());
    let grant = bench.grant_of(&tokens[0], "shell", &script("p.sh", &argument));
    bench.grant(grant).await;
    let more = bench.claimed().await;
    assert_eq!(more.len(), 1);
    assert!(!tokens.contains(&more[0]));
    fs::write(bench.path("go"), "").expect("room");
    bench.tell(ToWorker::Grants { pool: "default".to_owned(), grants: Vec::new() }).await;
    assert_succeeded(&bench.result(&tokens[0]).await);
}

#[tokio::test]
async fn a_noop_is_answered_without_a_trace_and_asks_for_the_next() {
    let mut bench = Bench::new();
    bench.answers_next = false;
    bench.start();
    let token = bench.start_attempt("noop", "<noop/>").await;
    let (result, next) = bench
        .until(|message| match message {
            FromWorker::Finish { result, next, .. } => Some((result.clone(), next.clone())),
            _ => None,
        })
        .await;
    assert_succeeded(&result);
    let (pool, tokens) = next.expect("a slot was freed");
    assert_eq!((pool.as_str(), tokens.len()), ("default", 1));
    assert_ne!(tokens[0], token);
    bench.tell(ToWorker::FinishAcknowledged { token }).await;
    let grant = bench.grant_of(&tokens[0], "noop", "<noop/>");
    bench.grant(grant).await;
    assert_succeeded(&bench.result(&tokens[0]).await);
    let names: Vec<_> = fs::read_dir(bench.path("work"))
        .expect("it is there")
        .map(|e| e.expect("readable").file_name())
        .collect();
    assert_eq!(names, [".spool"]);
    assert!(is_empty(&bench.path("work/.spool")));
}

#[tokio::test]
async fn what_was_acknowledged_is_cleaned_away() {
    let mut bench = Bench::new();
    bench.app_file("s.sh", "#!/bin/sh\n");
    bench.succeeds("shell", &script("s.sh", "")).await;
    let (spool, job_dir) =
        (bench.path("work/.spool"), bench.path("work/0000001-200101000000000-howdah-W"));
    wait_for("nothing is left", || is_empty(&spool) && !job_dir.exists()).await;
}

/// Ignores SIGTERM, and so do its children.
const STUBBORN: &str = "#!/bin/sh\ntrap '' TERM\n(while :; do sleep 1; done) &\necho $! >> \"$1/pids\"\necho $$ >> \"$1/pids\"\nwait\nwhile :; do sleep 1; done\n";

#[tokio::test]
async fn a_stop_ends_the_whole_tree_and_is_repeated_until_acknowledged() {
    let mut bench = Bench::new();
    bench.start();
    bench.app_file("s.sh", STUBBORN);
    let argument = format!("<argument>{}</argument>", bench.path("").display());
    let token = bench.start_attempt("shell", &script("s.sh", &argument)).await;
    let path = bench.path("pids");
    wait_for("the tree runs", || pids(&path).len() == 2).await;
    let tree = pids(&path);
    bench.tell(ToWorker::Stop { job: job(), token: token.clone() }).await;
    bench.stopped(&token).await;
    assert!(!tree.into_iter().any(is_running), "a process is left");
    bench.hang_up();
    assert_eq!(bench.peer().await.held().await, std::slice::from_ref(&token));
    bench.stopped(&token).await;
    bench.tell(ToWorker::StoppedAcknowledged { token }).await;
    let spool = bench.path("work/.spool");
    wait_for("the spool is empty", || is_empty(&spool)).await;
}

#[tokio::test]
async fn a_stop_before_its_grant_leaves_a_tombstone() {
    let mut bench = Bench::new();
    bench.start();
    let tokens = bench.claimed().await;
    bench.tell(ToWorker::Stop { job: job(), token: tokens[0].clone() }).await;
    bench.stopped(&tokens[0]).await;
    let witness = bench.path("witness");
    bench.app_file("s.sh", &format!("#!/bin/sh\necho run >> {}\n", witness.display()));
    let grants: Vec<Grant> = tokens[..2]
        .iter()
        .map(|token| bench.grant_of(token, "shell", &script("s.sh", "")))
        .collect();
    bench.tell(ToWorker::Grants { pool: "default".to_owned(), grants }).await;
    bench.stopped(&tokens[0]).await;
    assert_succeeded(&bench.result(&tokens[1]).await);
    assert_eq!(read(&witness), "run\n");
}

#[tokio::test]
async fn grants_that_were_not_asked_for_are_refused() {
    let mut bench = Bench::new();
    bench.start();
    let stale = bench.claimed().await.remove(0);
    bench.hang_up();
    bench.claimed().await;
    for token in [stale, Token::new("../../../escape"), Token::new("made-up")] {
        let grant = bench.grant_of(&token, "shell", "<shell><exec>true</exec></shell>");
        bench.grant(grant).await;
        bench.stopped(&token).await;
    }
}

#[tokio::test]
async fn a_running_attempt_is_adopted_by_the_next_worker() {
    let mut bench = Bench::new();
    bench.start();
    let token = start_patient(&mut bench).await;
    bench.end_worker().await;
    bench.start();
    assert_eq!(bench.peer().await.held().await, std::slice::from_ref(&token));
    fs::write(bench.path("go"), "").expect("room");
    assert_succeeded(&bench.result(&token).await);
    assert_eq!(
        (read(&bench.path("started")).lines().count(), read(&bench.path("ended")).lines().count()),
        (1, 1)
    );
}

#[tokio::test]
async fn an_attempt_that_ended_meanwhile_is_reported_by_the_next_worker() {
    let mut bench = Bench::new();
    bench.start();
    let token = start_patient(&mut bench).await;
    bench.end_worker().await;
    fs::write(bench.path("go"), "").expect("room");
    let ended = bench.path("ended");
    wait_for("the script ended", || read(&ended) == "done\n").await;
    bench.start();
    assert_succeeded(&bench.unacknowledged_result(&token).await);
    bench.end_worker().await;
    bench.start();
    assert_eq!(bench.peer().await.held().await, std::slice::from_ref(&token));
    assert_succeeded(&bench.unacknowledged_result(&token).await);
    bench.hang_up();
    assert_succeeded(&bench.result(&token).await);
    let spool = bench.path("work/.spool");
    wait_for("the spool is empty", || is_empty(&spool)).await;
}

#[tokio::test]
async fn an_adopted_attempt_can_be_stopped() {
    let mut bench = Bench::new();
    bench.start();
    let token = start_patient(&mut bench).await;
    bench.end_worker().await;
    bench.start();
    bench.tell(ToWorker::Stop { job: job(), token: token.clone() }).await;
    bench.stopped(&token).await;
    assert!(!pids(&bench.path("started")).into_iter().any(is_running));
}

#[tokio::test]
async fn a_supervisor_that_is_killed_leaves_a_lost_attempt_and_no_process() {
    let mut bench = Bench::new();
    bench.start();
    let token = start_patient(&mut bench).await;
    let external_id = bench
        .until(|message| match message {
            FromWorker::Progressed { external_id, .. } => external_id.clone(),
            _ => None,
        })
        .await;
    let supervisor = external_id
        .rsplit(':')
        .next()
        .and_then(|pid| Pid::from_raw(pid.parse().ok()?))
        .expect("a pid");
    kill_process(supervisor, Signal::KILL).expect("it runs");
    let result = bench.result(&token).await;
    let AttemptResult::Failed(failure) = result else { panic!("it should be lost") };
    assert_eq!((failure.class, failure.code.as_str()), (ErrorClass::Error, "HW2002"));
    assert!(!pids(&bench.path("started")).into_iter().any(is_running));
}

/// Writes what a worker that was killed would have left.
fn leave_behind(bench: &Bench, grant: &Grant, boot_id: &str, state: serde_json::Value) {
    let spool = bench.path("work/.spool");
    fs::create_dir_all(&spool).expect("room");
    let entry = serde_json::json!({ "boot_id": boot_id, "grant": grant, "state": state });
    fs::write(spool.join(format!("{}.json", grant.token)), entry.to_string()).expect("room");
}

fn this_boot() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").expect("this is Linux").trim().to_owned()
}

#[tokio::test]
async fn a_grant_that_was_not_started_is_started_by_the_next_worker() {
    let mut bench = Bench::new();
    bench.app_file("s.sh", "#!/bin/sh\n");
    let token = Token::new("0000000000000001-0");
    let grant = bench.grant_of(&token, "shell", &script("s.sh", ""));
    leave_behind(&bench, &grant, &this_boot(), serde_json::json!({ "state": "granted" }));
    bench.start();
    assert_eq!(bench.peer().await.held().await, std::slice::from_ref(&token));
    assert_succeeded(&bench.result(&token).await);
}

#[tokio::test]
async fn nothing_is_started_after_a_reboot_or_in_a_directory_that_is_gone() {
    let mut bench = Bench::new();
    let (rebooted, gone) = (Token::new("0000000000000001-0"), Token::new("0000000000000001-1"));
    bench.app_file("s.sh", "#!/bin/sh\n");
    let grant = bench.grant_of(&rebooted, "shell", &script("s.sh", ""));
    leave_behind(&bench, &grant, "another boot", serde_json::json!({ "state": "granted" }));
    let grant = bench.grant_of(&gone, "shell", &script("s.sh", ""));
    leave_behind(
        &bench,
        &grant,
        &this_boot(),
        serde_json::json!({ "state": "started", "external_id": "h:1" }),
    );
    fs::write(bench.path("work/.spool/broken.json"), "{").expect("room");
    bench.start();
    assert_eq!(bench.peer().await.held().await, [rebooted.clone(), gone.clone()]);
    let mut codes = Vec::new();
    for _ in 0..2 {
        let (token, result) = bench
            .until(|message| match message {
                FromWorker::Finish { token, result, .. } => Some((token.clone(), result.clone())),
                _ => None,
            })
            .await;
        codes.push((token, code(result)));
    }
    codes.sort();
    assert_eq!(codes, [(rebooted, "HW2002".to_owned()), (gone, "HW2002".to_owned())]);
}

#[tokio::test]
async fn directories_that_nobody_remembers_are_removed() {
    let mut bench = Bench::new();
    let orphan = bench.path("work/0000009-200101000000000-howdah-W/b/0-1-x");
    fs::create_dir_all(orphan.join("work")).expect("room");
    bench.start();
    bench.claimed().await;
    wait_for("the orphan is gone", || !orphan.exists()).await;
}

#[tokio::test]
async fn a_worker_whose_disk_fails_says_so_and_goes_on() {
    let mut bench = Bench::new();
    bench.app_file("s.sh", "#!/bin/sh\n");
    bench.config.log_root = bench.path("app/s.sh");
    let failure = bench.fails("shell", &script("s.sh", "")).await;
    assert_eq!((failure.class, failure.code.as_str()), (ErrorClass::Transient, "HW2006"));
    assert_succeeded(&bench.run("noop", "<noop/>").await);
}

#[tokio::test]
async fn numbers_tell_what_happened() {
    let metrics = Metrics::default();
    let mut bench = Bench::with(|config| config.metrics = metrics.clone());
    bench.app_file("s.sh", "#!/bin/sh\nexit 1\n");
    bench.fails("shell", &script("s.sh", "")).await;
    let mut registry = prometheus_client::registry::Registry::default();
    metrics.register(&mut registry);
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry)
        .expect("a String takes all text");
    for line in [
        "howdah_worker_slots 4",
        r#"howdah_worker_attempts_ended_total{kind="shell",outcome="failed"} 1"#,
    ] {
        assert!(text.contains(line), "{line} is not in {text}");
    }
}
