//! kill -9 at every point of the log and at any moment: nothing is lost and nothing runs twice.
//!
//! Each round runs an ETL-shaped family of jobs on a real server that is killed in its middle and started again, and is
//! judged by the witness file, the stored history and what the worker left on disk. `HOWDAH_LONG=1` runs many more rounds;
//! `HOWDAH_SEED=<seed>` runs just the round that a failure named.

mod etl;
mod round;

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Condvar, LazyLock, Mutex};
use std::time::Duration;

use anyhow::{Context, bail};
use tempfile::TempDir;
use testkit::server::{Server, wait_until};

use crate::crashes::etl::Application;
use crate::crashes::round::{Blow, Report, Round};
use crate::{replayed, witness};

/// Servers that run at the same time: two for each processor of the smallest machine that this is to run on.
const PLACES: usize = 4;
/// A point that was passed often in the dry run may be passed less often when commits are merged; then another is drawn.
const DRAWS_MAX: usize = 8;
/// The longest that a restart follows a crash: longer than any term in which a worker is given up (60 s).
const LATE: Duration = Duration::from_secs(62);
/// A server is ready within about this time; the second of two crashes falls into it or shortly after.
const BIRTH_MS_MAX: u64 = 400;

/// The points that a run without crashes passes, in their order, and how long it takes.
static DRY: LazyLock<(Vec<String>, Duration)> = LazyLock::new(|| {
    let _place = Place::take();
    let (passed, took) = Round::dry().expect("a run without crashes succeeds");
    assert!(!passed.is_empty(), "no crash points: build the binary with debug assertions");
    (passed, took)
});

#[test]
fn crashes_at_the_points_of_the_log_lose_nothing_and_run_nothing_twice() {
    let reports = play("points", 1_000, rounds(24, 300), |random| Plan {
        blows: vec![random.point()],
        late: false,
    });
    assert_some_were_adopted(&reports);
}

#[test]
fn kills_at_any_moment_lose_nothing_and_run_nothing_twice() {
    let (count, late) = (rounds(12, 200), rounds(0, 20));
    let plan = |random: &mut Random| Plan {
        blows: vec![random.moment()],
        late: random.seed % 1_000 < late as u64,
    };
    let reports = play("clock", 2_000, count, plan);
    assert_some_were_adopted(&reports);
}

#[test]
fn a_second_crash_right_after_the_restart_changes_nothing() {
    play("double", 3_000, rounds(8, 60), |random| {
        let first = if random.below(2) == 0 { random.moment() } else { random.server_point() };
        let second = if random.below(2) == 0 { random.birth() } else { random.moment() };
        Plan { blows: vec![first, second], late: false }
    });
}

#[test]
fn a_kill_that_was_committed_before_the_crash_stops_the_process_after_it() {
    for (name, blow) in [
        ("stop heard and not passed on", Some("after_stop_heard:1")),
        ("right after the answer", None),
    ] {
        let _place = Place::take();
        let dir = TempDir::new().unwrap();
        let (data, app) = (dir.path().join("data"), Application::endless(dir.path()));
        let mut server =
            Server::start_with(&data, &[], &[("HOWDAH_CRASH_AT", blow.unwrap_or_default())])
                .unwrap();
        let job = app.submit(&server, None).unwrap();
        wait_until("the action runs", || !witness::lines(&app.witness).is_empty()).unwrap();
        let pid = witness::lines(&app.witness)[0].pid;
        let answer = server.command(&job, "kill", &[]);
        match blow {
            Some(_) => {
                wait_until("the server dies of the stop", || server.has_ended()).unwrap();
                assert!(is_alive(pid), "{name}: nobody has stopped it yet");
            }
            None => {
                answer.unwrap();
                server.kill();
            }
        }
        let mut server = Server::start(&data).unwrap();
        assert_eq!(server.job(&job).unwrap()["status"], "KILLED", "{name}");
        wait_until("the process is stopped", || !is_alive(pid)).unwrap();
        server.kill();
        let lines = witness::lines(&app.witness);
        assert!(lines.len() == 1 && !lines[0].is_end, "{name}: {lines:?}");
        assert_eq!(replayed::check_all(&data), 1, "{name}");
    }
}

#[test]
fn a_submission_that_was_answered_before_the_crash_is_found_again_by_its_key() {
    let _place = Place::take();
    let dir = TempDir::new().unwrap();
    let (data, app) = (dir.path().join("data"), Application::short(dir.path()));
    let mut server = Server::start(&data).unwrap();
    let mut jobs = BTreeSet::new();
    let count = rounds(4, 40);
    for n in 0..count {
        let key = format!("key-{n}");
        let job = app.submit(&server, Some(&key)).unwrap();
        server.kill();
        server = Server::start(&data).unwrap();
        assert_eq!(app.submit(&server, Some(&key)).unwrap(), job);
        assert_eq!(server.ended(&job).unwrap()["status"], "SUCCEEDED");
        jobs.insert(job);
    }
    server.kill();
    assert_eq!(jobs.len(), count, "every key has a job of its own");
    let seen = witness::read(&app.witness);
    assert!(
        seen.len() == count && seen.values().all(|seen| seen.starts == 1 && seen.ends == 1),
        "{seen:?}"
    );
    assert_eq!(replayed::check_all(&data), count);
}

fn assert_some_were_adopted(reports: &[Report]) {
    let any = reports.iter().any(|report| report.adopted > 0);
    assert!(any || reports.len() < 2, "no action was running at any crash: this proves too little");
}

/// Whether a process is there; one that has ended and was not waited for is not.
fn is_alive(pid: u32) -> bool {
    let stat = std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat"))
        .unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

/// How many rounds: quick ones belong to every run of the tests, long ones take hours.
fn rounds(quick: usize, long: usize) -> usize {
    if std::env::var("HOWDAH_LONG").is_ok_and(|value| value == "1") { long } else { quick }
}

// === rounds side by side

/// What happens in a round.
struct Plan {
    /// One after another.
    blows: Vec<Blow>,
    /// Whether the restart comes only after [`LATE`].
    late: bool,
}

/// Plays rounds side by side, with seeds from `first` on, a line each, a table at the end. Fails with the seeds of those that failed.
fn play(
    name: &str,
    first: u64,
    count: usize,
    plan: impl Fn(&mut Random) -> Plan + Sync,
) -> Vec<Report> {
    LazyLock::force(&DRY);
    let seeds: Vec<u64> = match std::env::var("HOWDAH_SEED") {
        Ok(seed) => {
            seed.parse().into_iter().filter(|seed| (first..first + 1_000).contains(seed)).collect()
        }
        Err(_) => (first..).take(count).collect(),
    };
    let results: Vec<anyhow::Result<Report>> = std::thread::scope(|scope| {
        let play = |seed| one(name, seed, &plan);
        let rounds: Vec<_> = seeds.iter().map(|seed| scope.spawn(move || play(*seed))).collect();
        rounds
            .into_iter()
            .map(|round| round.join().expect("panics are caught in the round"))
            .collect()
    });
    let failed: Vec<String> = results
        .iter()
        .filter_map(|result| result.as_ref().err())
        .map(|error| format!("{error:#}"))
        .collect();
    let reports: Vec<Report> = results.into_iter().flatten().collect();
    show_table(name, &reports);
    assert!(failed.is_empty(), "{} of {count} rounds failed:\n{}", failed.len(), failed.join("\n"));
    reports
}

/// One round, drawn anew when its crash did not come before the job was over.
fn one(
    name: &str,
    seed: u64,
    plan: &(impl Fn(&mut Random) -> Plan + Sync),
) -> anyhow::Result<Report> {
    let mut random = Random::new(seed);
    for _ in 0..DRAWS_MAX {
        let plan = plan(&mut random);
        let blows: Vec<String> = plan.blows.iter().map(Blow::exactly).collect();
        let what = || {
            let blows = blows.join(", then ");
            format!("{name}: HOWDAH_SEED={seed} ({blows}; kept in howdah-crash-{seed}-*)")
        };
        let played = catch_unwind(AssertUnwindSafe(|| in_turn(seed, &plan)));
        let played = played.unwrap_or_else(|panic| bail!("{}", words_of(&*panic)));
        if let Some(report) = played.with_context(what)? {
            show_line(seed, &report, plan.late);
            return Ok(report);
        }
    }
    bail!(
        "{name}: HOWDAH_SEED={seed}: none of {DRAWS_MAX} drawn crashes came before the job was over"
    )
}

/// A late restart gives its place to others while it waits.
fn in_turn(seed: u64, plan: &Plan) -> anyhow::Result<Option<Report>> {
    let mut place = Some(Place::take());
    Round::new(seed).play(&plan.blows, &mut || {
        if plan.late {
            place.take();
            std::thread::sleep(LATE);
            place = Some(Place::take());
        }
    })
}

fn words_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .unwrap_or_else(|| "a panic without words".to_owned())
}

#[expect(clippy::print_stdout, reason = "the record of what was tried")]
fn show_line(seed: u64, report: &Report, late: bool) {
    let strikes = report.struck.iter().map(|struck| {
        let running: Vec<&str> = struck.running.iter().map(|line| line.action.as_str()).collect();
        format!("{} while [{}] ran", struck.blow.exactly(), running.join(" "))
    });
    let strikes: Vec<String> = strikes.collect();
    let late = if late { ", restarted late" } else { "" };
    println!(
        "seed {seed}: {}{late}; adopted {}; {} after {:.1?}",
        strikes.join(", then "),
        report.adopted,
        report.end,
        report.took
    );
}

#[expect(clippy::print_stdout, reason = "the record of what was tried")]
fn show_table(name: &str, reports: &[Report]) {
    let mut rows: BTreeMap<String, (usize, usize, BTreeMap<&str, usize>)> = BTreeMap::new();
    for report in reports {
        let kinds: Vec<String> = report.struck.iter().map(|struck| struck.blow.kind()).collect();
        let row = rows.entry(kinds.join(" + ")).or_default();
        row.0 += 1;
        row.1 += report.adopted;
        *row.2.entry(&report.end).or_default() += 1;
    }
    println!("{name}: {:<44} {:>7} {:>7}  ends", "crash", "crashes", "adopted");
    for (kind, (crashes, adopted, ends)) in rows {
        println!("{name}: {kind:<44} {crashes:>7} {adopted:>7}  {ends:?}");
    }
}

/// A server's place among those that may run.
struct Place;

static FREE: Mutex<usize> = Mutex::new(PLACES);
static FREED: Condvar = Condvar::new();

impl Place {
    fn take() -> Place {
        let mut free = FREED.wait_while(FREE.lock().unwrap(), |free| *free == 0).unwrap();
        *free -= 1;
        Place
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        *FREE.lock().unwrap() += 1;
        FREED.notify_one();
    }
}

// === chance

/// A small generator (splitmix64): the same seed draws the same.
struct Random {
    seed: u64,
    state: u64,
}

impl Random {
    fn new(seed: u64) -> Random {
        Random { seed, state: seed }
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % bound
    }

    /// One of the points that the dry run passed, each pass as likely as any other.
    fn point(&mut self) -> Blow {
        let passed = &DRY.0;
        let at = usize::try_from(self.below(passed.len() as u64)).unwrap();
        let nth = passed[..=at].iter().filter(|name| **name == passed[at]).count() as u64;
        match passed[at].strip_prefix("supervisor.") {
            Some(point) => {
                Blow::Supervisor { point: point.to_owned(), nth, server_too: self.below(2) == 0 }
            }
            None => Blow::Point { name: passed[at].clone(), nth },
        }
    }

    /// One of the server's own.
    fn server_point(&mut self) -> Blow {
        loop {
            let point = self.point();
            if matches!(point, Blow::Point { .. }) {
                return point;
            }
        }
    }

    /// A moment of the run.
    fn moment(&mut self) -> Blow {
        let run_ms = u64::try_from(DRY.1.as_millis()).unwrap();
        Blow::Clock(Duration::from_millis(self.below(run_ms)))
    }

    fn birth(&mut self) -> Blow {
        Blow::Birth(Duration::from_millis(self.below(BIRTH_MS_MAX)))
    }
}
