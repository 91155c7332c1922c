//! A step that panics: its job stands aside, with the event kept, and everything else goes on.

use store_sql::{NewCluster, SqliteStore};
use testkit::server::wait_until;

use super::bench::{Bench, action, refused, shell, workflow};
use crate::replayed;
use model::Timestamp;
use ports::store::{QuarantinedEvent, Store};

/// The step of an event that holds these words panics.
const WORDS: &str = "PLANTED-POISON";
/// Prints them, without holding them itself.
const PRINT: &str = "printf 'a=PLANTED%s' -POISON";

#[test]
fn a_panic_in_a_step_quarantines_that_job_only() {
    let bench = Bench::start(&[("HOWDAH_PANIC_ON", WORDS)]);
    let app = bench.app(workflow(&shell("a", "end", PRINT, "<capture-output/>")));
    let data_dir = bench.server.data_dir.clone();
    let job = bench.beside(|bench| {
        let job = bench.begin(&app, &[]);
        bench.server.reached(&job, |status| status == "SUSPENDED").unwrap();
        job
    });
    let explained = bench.server.get_text(&format!("/api/v1/jobs/{job}/explain")).unwrap();
    for word in ["HW1020", "finished", "resume"] {
        assert!(explained.contains(word), "no `{word}` in {explained}");
    }
    let metrics = bench.server.get_text("/metrics").unwrap();
    assert!(
        metrics.lines().any(|line| line.starts_with("howdah_")
            && line.contains("quarantined")
            && line.ends_with(" 1")),
        "{metrics}"
    );
    // What was kept is tried again, and is poison still.
    let resumed = bench.beside(|bench| bench.server.command(&job, "resume", &[]));
    assert!(resumed.unwrap_err().to_string().contains("HW1020"));
    assert_eq!(bench.server.job(&job).unwrap()["status"], "SUSPENDED");
    let dir = bench.stop();
    let events = quarantined(&data_dir);
    assert_eq!(events.len(), 2, "{events:?}");
    assert!(
        events.iter().all(|event| event.event.contains(WORDS)
            && event.why.contains("HW1020")
            && event.job.as_str() == job),
        "{events:?}"
    );
    replayed::check_all(&data_dir);
    mended(dir, &data_dir, &job);
}

/// A server without the mistake: the job that stood aside goes on where it was.
fn mended(dir: tempfile::TempDir, data_dir: &std::path::Path, job: &str) {
    let server = testkit::server::Server::start(data_dir).unwrap();
    let bench = Bench::of(server, dir);
    assert_eq!(bench.server.job(job).unwrap()["status"], "SUSPENDED");
    bench.beside(|bench| bench.server.command(job, "resume", &[]).unwrap());
    let ended = bench.server.ended(job).unwrap();
    assert_eq!(ended["status"], "SUCCEEDED", "{ended}");
    assert_eq!(action(&ended, "a")["data"], "a=PLANTED-POISON\n");
}

#[test]
fn a_panic_at_a_submit_refuses_that_submit_only() {
    let bench = Bench::start(&[("HOWDAH_PANIC_ON", WORDS)]);
    let app = bench.app(workflow(&shell("a", "end", "true", "")));
    let answer = bench.beside(|bench| bench.submit(&app, &[("words", WORDS)]));
    refused(&answer, 500, "HW1020", &["submitted"]);
    assert_eq!(bench.server.ended(&bench.begin(&app, &[])).unwrap()["status"], "SUCCEEDED");
}

#[test]
fn a_panic_at_a_kill_leaves_a_job_that_can_be_killed_later() {
    let bench = Bench::start(&[("HOWDAH_PANIC_ON", "\"event\":\"killed\"")]);
    let app = bench.app(workflow(&shell("a", "end", "sleep 60", "")));
    let job = bench.begin(&app, &[]);
    wait_until("it runs", || {
        bench.server.job(&job).unwrap()["actions"].to_string().contains("\"RUNNING\"")
    })
    .unwrap();
    let answer = bench.beside(|bench| bench.server.command(&job, "kill", &[]));
    assert!(answer.unwrap_err().to_string().contains("HW1020"));
    assert_eq!(bench.server.job(&job).unwrap()["status"], "SUSPENDED");
    let (data_dir, dir) = (bench.server.data_dir.clone(), bench.stop());
    let server = testkit::server::Server::start(&data_dir).unwrap();
    let bench = Bench::of(server, dir);
    bench.server.command(&job, "kill", &[]).unwrap();
    assert_eq!(bench.server.ended(&job).unwrap()["status"], "KILLED");
}

/// What a stopped server's database keeps.
pub(super) fn quarantined(data_dir: &std::path::Path) -> Vec<QuarantinedEvent> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let create = NewCluster { system_id: "unused".to_owned(), shards: 64, now: Timestamp(0) };
        SqliteStore::open(data_dir, &create).await.unwrap().quarantined(10).await.unwrap()
    })
}
