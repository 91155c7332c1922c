//! One family of jobs over several lives of its server: each life but the last is ended by a blow.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use engine::Event;
use model::AttemptResult;
use tempfile::{Builder, TempDir};
use testkit::server::{PATIENCE, Server, wait_until};

use super::etl::{Application, WITNESSES};
use crate::replayed;
use crate::witness::{self, Line};

/// Between two looks at a job.
const POLL: Duration = Duration::from_millis(15);
/// The supervisor's points after which nobody can know how the attempt ended.
const LOSING: [&str; 4] = ["after_claim", "before_spawn", "after_spawn", "before_result"];
const OVER: [&str; 3] = ["SUCCEEDED", "KILLED", "FAILED"];
/// The code of an attempt whose end nobody knows.
const LOST: &str = "HW2002";

/// What ends a life of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Blow {
    /// The server dies when it passes a point for the nth time.
    Point { name: String, nth: u64 },
    /// The nth supervisor dies at a point; the server dies just after it has started that one, or lives on.
    Supervisor { point: String, nth: u64, server_too: bool },
    /// SIGKILL so long after the submission was begun (or, when it is known already, repeated).
    Clock(Duration),
    /// SIGKILL so long after the process was created, ready or not.
    Birth(Duration),
}

impl Blow {
    /// What the table counts together.
    pub(crate) fn kind(&self) -> String {
        match self {
            Blow::Point { name, .. } => name.clone(),
            Blow::Supervisor { point, .. } => format!("supervisor.{point}"),
            Blow::Clock(_) => "wall clock".to_owned(),
            Blow::Birth(_) => "after birth".to_owned(),
        }
    }

    /// With its number or moment.
    pub(crate) fn exactly(&self) -> String {
        match self {
            Blow::Point { name, nth } => format!("{name}:{nth}"),
            Blow::Supervisor { point, nth, server_too } => {
                format!("supervisor.{point}:{nth}{}", if *server_too { "+server" } else { "" })
            }
            Blow::Clock(after) => format!("{} ms after submit", after.as_millis()),
            Blow::Birth(after) => format!("{} ms after birth", after.as_millis()),
        }
    }

    fn environment(&self) -> Vec<(&'static str, String)> {
        match self {
            Blow::Point { name, nth } => vec![("HOWDAH_CRASH_AT", format!("{name}:{nth}"))],
            Blow::Supervisor { point, nth, server_too } => {
                let server = server_too.then(|| ("HOWDAH_CRASH_AT", format!("after_spawn:{nth}")));
                server
                    .into_iter()
                    .chain([("HOWDAH_CRASH_SUPERVISOR", format!("{point}:{nth}"))])
                    .collect()
            }
            Blow::Clock(_) | Blow::Birth(_) => Vec::new(),
        }
    }
}

/// What is known of one blow.
#[derive(Debug)]
pub(crate) struct Struck {
    pub(crate) blow: Blow,
    /// Witness actions that had started and not ended when the server was gone.
    pub(crate) running: Vec<Line>,
}

/// How a round ended.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) struck: Vec<Struck>,
    /// How many of all running ones were adopted.
    pub(crate) adopted: usize,
    /// The job's end, with the code of a lost attempt.
    pub(crate) end: String,
    pub(crate) took: Duration,
}

/// A data directory, an application, and what is known of its one submission. What failed stays on disk.
#[derive(Debug)]
pub(crate) struct Round {
    dir: TempDir,
    etl: Application,
    key: String,
    job: Option<String>,
    struck: Vec<Struck>,
}

enum Life {
    /// The server died.
    Struck,
    /// All is over and tidied away, and the server lives.
    Settled,
}

impl Round {
    pub(crate) fn new(seed: u64) -> Round {
        let prefix = format!("howdah-crash-{seed}-");
        let dir = Builder::new().prefix(&prefix).disable_cleanup(true).tempdir().unwrap();
        let etl = Application::etl(dir.path());
        Round { dir, etl, key: format!("seed-{seed}"), job: None, struck: Vec::new() }
    }

    /// Runs without a blow. Answers the points that were passed, in their order, and how long the job took.
    pub(crate) fn dry() -> anyhow::Result<(Vec<String>, Duration)> {
        let mut round = Round::new(0);
        let mut server = round.start(&[])?;
        let begin = Instant::now();
        round.submit(&server)?;
        let status = round.follow_to_the_end(&server)?;
        let took = begin.elapsed();
        server.kill();
        round.judge(&status)?;
        round.dir.disable_cleanup(false);
        Ok((round.crash_log(), took))
    }

    /// Runs through all blows and then to the end. `None`: a blow did not come, since the job was over before.
    pub(crate) fn play(
        mut self,
        blows: &[Blow],
        pause: &mut dyn FnMut(),
    ) -> anyhow::Result<Option<Report>> {
        let begin = Instant::now();
        for blow in blows {
            if !self.suffer(blow)? {
                self.dir.disable_cleanup(false);
                return Ok(None);
            }
            pause();
        }
        let mut server = self.start(&[])?;
        self.submit(&server)?;
        let status = self.follow_to_the_end(&server)?;
        server.kill();
        let (adopted, end) = self.judge(&status)?;
        self.dir.disable_cleanup(false);
        Ok(Some(Report { struck: self.struck, adopted, end, took: begin.elapsed() }))
    }

    fn suffer(&mut self, blow: &Blow) -> anyhow::Result<bool> {
        if let Blow::Birth(after) = blow {
            Server::start_and_kill(&self.data(), *after)?;
        } else if matches!(self.live(blow)?, Life::Settled) && !self.has_died(blow) {
            return Ok(false);
        }
        let running = running(&witness::lines(&self.etl.witness));
        self.struck.push(Struck { blow: blow.clone(), running });
        Ok(true)
    }

    /// One life of a server, until it is gone or nothing is left to do.
    fn live(&mut self, blow: &Blow) -> anyhow::Result<Life> {
        let mut server = match self.start(&blow.environment()) {
            Ok(server) => server,
            Err(_) if self.has_died(blow) => return Ok(Life::Struck),
            Err(error) => return Err(error),
        };
        let followed = match blow {
            Blow::Clock(after) => std::thread::scope(|scope| {
                scope.spawn(|| {
                    std::thread::sleep(*after);
                    server.strike();
                });
                self.submit(&server).and_then(|()| self.follow_to_the_end(&server))
            }),
            _ => self.submit(&server).and_then(|()| self.follow_to_the_end(&server)),
        };
        match followed {
            Ok(_) if matches!(blow, Blow::Clock(_)) => Ok(Life::Struck),
            Ok(_) => Ok(Life::Settled),
            Err(error) => {
                wait_until("the server is gone", || server.has_ended())
                    .with_context(|| format!("{error:#}"))?;
                Ok(Life::Struck)
            }
        }
    }

    fn start(&self, blow: &[(&'static str, String)]) -> anyhow::Result<Server> {
        let log = self.dir.path().join("crash.log");
        let mut variables = vec![(
            "HOWDAH_CRASH_LOG",
            log.to_str().context("a temporary directory has a plain name")?,
        )];
        variables.extend(blow.iter().map(|(name, value)| (*name, value.as_str())));
        Server::start_with(&self.data(), &[], &variables)
    }

    /// Always under the same key, as a client would that got no answer: it is the same job (S7).
    fn submit(&mut self, server: &Server) -> anyhow::Result<()> {
        let job = self.etl.submit(server, Some(&self.key))?;
        assert_eq!(
            *self.job.get_or_insert_with(|| job.clone()),
            job,
            "the key leads to another job than before"
        );
        Ok(())
    }

    /// Until the job is over and the worker has nothing left of it. Answers the job's status.
    fn follow_to_the_end(&self, server: &Server) -> anyhow::Result<String> {
        let job = self.job.as_deref().context("it was submitted")?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            let info = server.job(job)?;
            let status = info["status"].as_str().unwrap_or_default();
            if OVER.contains(&status) && self.left().is_empty() {
                return Ok(status.to_owned());
            }
            if Instant::now() > deadline {
                let explained = server.get_text(&format!("/api/v1/jobs/{job}/explain"))?;
                bail!(
                    "{job} is {status} after {PATIENCE:?}; left in the worker's directory: {:?}; {explained}",
                    self.left()
                );
            }
            std::thread::sleep(POLL);
        }
    }

    /// Spool entries and attempt directories, whatever their state.
    fn left(&self) -> Vec<PathBuf> {
        let entries = |dir: PathBuf| {
            fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path())
        };
        let work = self.data().join("work");
        let spool = work.join(".spool");
        entries(work).filter(|path| *path != spool).chain(entries(spool.clone())).collect()
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    fn crash_log(&self) -> Vec<String> {
        let text = fs::read_to_string(self.dir.path().join("crash.log")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    fn has_died(&self, blow: &Blow) -> bool {
        self.crash_log().contains(&format!("died at {}", blow.kind()))
    }

    /// Judges the stopped server's data by the witness. Answers how many were adopted, and the end.
    fn judge(&self, status: &str) -> anyhow::Result<(usize, String)> {
        let jobs = replayed::check_all(&self.data());
        let lost = self.struck.iter().any(|struck| match &struck.blow {
            Blow::Supervisor { point, .. } => {
                LOSING.contains(&point.as_str()) && self.has_died(&struck.blow)
            }
            Blow::Point { .. } | Blow::Clock(_) | Blow::Birth(_) => false,
        });
        let lines = witness::lines(&self.etl.witness);
        let told = Told::read(&self.data());
        self.nothing_ran_twice(&lines)?;
        if lost {
            ensure!(
                told.failures.contains_key(LOST),
                "an attempt was lost, but no result says {LOST}: {:?}",
                told.failures
            );
            ensure!(
                status == "KILLED",
                "the error path ends in a kill node, and the job is {status}"
            );
            return Ok((0, format!("KILLED {LOST}")));
        }
        ensure!(told.failures.is_empty(), "nothing was to fail: {:?}", told.failures);
        ensure!(status == "SUCCEEDED", "the job is {status}");
        ensure!(jobs == 2, "there are {jobs} jobs: a parent and its child were expected");
        ensure!(self.etl.is_published(), "the result is not in its place");
        self.everything_ran(&lines, &told)?;
        Ok((self.adopted(&told)?, "SUCCEEDED".to_owned()))
    }

    fn nothing_ran_twice(&self, lines: &[Line]) -> anyhow::Result<()> {
        for ((job, action), seen) in witness::read(&self.etl.witness) {
            ensure!(seen.starts == 1 && seen.ends <= 1, "{job}@{action}: {seen:?}: {lines:?}");
        }
        Ok(())
    }

    /// Started once, ended once, under one token, and this is the one that history knows the result of.
    fn everything_ran(&self, lines: &[Line], told: &Told) -> anyhow::Result<()> {
        for action in WITNESSES {
            let own: Vec<&Line> = lines.iter().filter(|line| line.action == action).collect();
            let [start, end] = own.as_slice() else { bail!("{action}: {own:?}") };
            ensure!(!start.is_end && end.is_end && start.token == end.token, "{action}: {own:?}");
            ensure!(
                told.succeeded.contains(&start.token),
                "{action}: history has no result under {}",
                start.token
            );
        }
        ensure!(
            lines.len() == 2 * WITNESSES.len(),
            "there are more lines than expected: {lines:?}"
        );
        Ok(())
    }

    /// What was running at a blow kept its token: its result came in under it, and it was never given back.
    fn adopted(&self, told: &Told) -> anyhow::Result<usize> {
        let mut adopted = BTreeSet::new();
        for line in self.struck.iter().flat_map(|struck| &struck.running) {
            ensure!(
                told.succeeded.contains(&line.token),
                "{} was running and has no result under {}",
                line.action,
                line.token
            );
            ensure!(
                !told.returned.contains(&line.token),
                "{} was running and was offered again",
                line.action
            );
            adopted.insert(&line.token);
        }
        Ok(adopted.len())
    }
}

/// Starts that have no end yet.
fn running(lines: &[Line]) -> Vec<Line> {
    let ended = |token: &str| lines.iter().any(|line| line.is_end && line.token == token);
    lines.iter().filter(|line| !line.is_end && !ended(&line.token)).cloned().collect()
}

/// What the stored histories say of attempts.
#[derive(Debug, Default)]
struct Told {
    /// Tokens under which an attempt succeeded.
    succeeded: BTreeSet<String>,
    /// Tokens that came back unused.
    returned: BTreeSet<String>,
    /// Error codes of attempts that failed, each with a message.
    failures: BTreeMap<String, String>,
}

impl Told {
    fn read(data_dir: &Path) -> Told {
        let mut told = Told::default();
        for event in replayed::histories(data_dir).into_values().flatten() {
            match event {
                Event::Finished { token, result: AttemptResult::Succeeded(_), .. } => {
                    told.succeeded.insert(token.to_string());
                }
                Event::Finished { result: AttemptResult::Failed(failure), .. } => {
                    told.failures.insert(failure.code, failure.message);
                }
                Event::Returned { token } => {
                    told.returned.insert(token.to_string());
                }
                _ => {}
            }
        }
        told
    }
}
