//! What a worker can see of an attempt, and do about it, with nothing but its directory: also after a restart, and
//! also for supervisors that another worker process started.

use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::thread;
use std::time::Duration;

use rustix::process::{Signal, pidfd_send_signal};

use crate::claim::Claim;
use crate::clock::Boottime;
use crate::error::Error;
use crate::plan::TOKEN_VARIABLE;
use crate::processes::{signal_all, with_environment};
use crate::result::AttemptResult;

const STOP_FILE: &str = "stop";
const LEASE_FILE: &str = "lease.json";

/// SIGKILL takes effect in milliseconds, unless a process is stuck in the kernel.
const KILL_REMAINS_MS: u64 = 10_000;
const KILL_REMAINS_INTERVAL: Duration = Duration::from_millis(5);

/// What an attempt directory says of its attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// No supervisor has claimed it (yet): nothing was executed.
    NotStarted,
    /// Its supervisor lives. It may be adopted: [`open_pidfd`] tells when it ends.
    Running(Claim),
    /// It has ended, and so has everything below it.
    Finished(Box<AttemptResult>),
    /// It was claimed, and how it ended will never be known. On the same boot, [`kill_remains`] before saying so.
    Lost {
        /// How we know.
        why: String,
    },
}

/// Looks at an attempt. Never guesses by pid: a running supervisor has this boot's id, the claimed start time, and
/// the lock.
///
/// # Errors
/// [`Error::Io`] if it cannot be known at the moment.
pub fn inspect(attempt_dir: &Path) -> Result<State, Error> {
    let claim = match Claim::read(attempt_dir) {
        Ok(None) => return Ok(State::NotStarted),
        Ok(Some(claim)) => claim,
        Err(error @ Error::Malformed { .. }) => return Ok(State::Lost { why: error.to_string() }),
        Err(error) => return Err(error),
    };
    if let Some(finished) = finished(&claim, attempt_dir)? {
        return Ok(finished);
    }
    let Some(why) = why_not_running(&claim, attempt_dir)? else { return Ok(State::Running(claim)) };
    // It may have finished since the first look; it cannot any more after this one.
    Ok(finished(&claim, attempt_dir)?.unwrap_or_else(|| State::Lost { why: why.to_owned() }))
}

/// A descriptor of exactly the claimed process: readable when it has ended, and the only safe way to signal it.
///
/// # Errors
/// [`Error::Gone`] if it has ended already; [`Error::Io`].
pub fn open_pidfd(claim: &Claim) -> Result<OwnedFd, Error> {
    let gone = || Error::Gone { pid: claim.pid };
    claim.identity()?.ok_or_else(gone)?.open_pidfd().map_err(|_| gone())
}

/// Asks for the end of an attempt: SIGTERM to its whole tree, SIGKILL after the plan's grace. To be repeated until
/// [`inspect`] says it has ended. Without a claim, a supervisor that starts later will execute nothing.
///
/// The request is a file, which cannot be missed; SIGTERM only makes it quick.
///
/// # Errors
/// [`Error::Io`] if neither could be done.
pub fn request_stop(attempt_dir: &Path, claim: Option<&Claim>) -> Result<(), Error> {
    let path = attempt_dir.join(STOP_FILE);
    let requested = File::create(&path).map_err(Error::io("create", &path));
    let signalled = claim.is_some_and(|claim| {
        open_pidfd(claim).is_ok_and(|pidfd| pidfd_send_signal(pidfd, Signal::TERM).is_ok())
    });
    if signalled { Ok(()) } else { requested.map(drop) }
}

/// Moves the end of the attempt lease. The caller computes it from the moment at which it *sent* the heartbeat that
/// the shard's owner acknowledged; an earlier end than before is ignored once the supervisor has seen the later one.
///
/// # Errors
/// [`Error::Io`]: the lease is as it was.
pub fn renew_lease(attempt_dir: &Path, until: Boottime) -> Result<(), Error> {
    let path = attempt_dir.join(LEASE_FILE);
    let aside = path.with_extension("new");
    let text = serde_json::to_vec(&until).expect("a number is valid JSON");
    fs::write(&aside, text)
        .and_then(|()| fs::rename(&aside, &path))
        .map_err(Error::io("write", &path))
}

/// Removes an attempt directory whose attempt does not run.
///
/// # Errors
/// [`Error::StillRunning`], and [`Error::Io`].
pub fn remove(attempt_dir: &Path) -> Result<(), Error> {
    match inspect(attempt_dir)? {
        State::Running(_) => Err(Error::StillRunning(attempt_dir.to_owned())),
        State::NotStarted | State::Finished(_) | State::Lost { .. } => {
            fs::remove_dir_all(attempt_dir).map_err(Error::io("remove", attempt_dir))
        }
    }
}

/// Kills what a lost supervisor left behind: every process of this host whose environment has the attempt's token.
/// Returns how many there were, when none is left. Blocks for milliseconds, at worst for ten seconds.
///
/// The program itself dies with its supervisor, by the kernel; this is for its descendants, and to be sure. It does
/// not find processes that were started with another environment (`env -i`), or overwrote theirs.
///
/// # Errors
/// [`Error::Unkillable`] if something is left.
pub fn kill_remains(token: &str) -> Result<usize, Error> {
    let entry = format!("{TOKEN_VARIABLE}={token}");
    let end = Boottime::now().plus_ms(KILL_REMAINS_MS);
    let mut found = Vec::new();
    loop {
        let left = with_environment(&entry);
        if left.is_empty() {
            return Ok(found.len());
        }
        if end <= Boottime::now() {
            return Err(Error::Unkillable(left.len()));
        }
        signal_all(&left, Signal::KILL);
        found.extend(
            left.into_iter().filter(|process| !found.contains(process)).collect::<Vec<_>>(),
        );
        thread::sleep(KILL_REMAINS_INTERVAL);
    }
}

pub(crate) fn is_stop_requested(attempt_dir: &Path) -> bool {
    attempt_dir.join(STOP_FILE).exists()
}

/// The renewed end of the lease; `None`: never renewed, or unreadable, which is the same.
pub(crate) fn read_lease(attempt_dir: &Path) -> Option<Boottime> {
    let text = fs::read(attempt_dir.join(LEASE_FILE)).ok()?;
    serde_json::from_slice(&text).ok()
}

fn finished(claim: &Claim, attempt_dir: &Path) -> Result<Option<State>, Error> {
    Ok(match AttemptResult::read(attempt_dir) {
        Ok(None) => None,
        Ok(Some(result)) if result.token == claim.token => Some(State::Finished(Box::new(result))),
        Ok(Some(_)) => {
            Some(State::Lost { why: "the result belongs to another attempt".to_owned() })
        }
        Err(error @ Error::Malformed { .. }) => Some(State::Lost { why: error.to_string() }),
        Err(error) => return Err(error),
    })
}

fn why_not_running(claim: &Claim, attempt_dir: &Path) -> Result<Option<&'static str>, Error> {
    let Some(identity) = claim.identity()? else {
        return Ok(Some("this host was rebooted while it ran"));
    };
    if identity.open_pidfd().is_err() {
        return Ok(Some("its supervisor was killed"));
    }
    let dying = "its supervisor let go of its lock: it is being killed";
    Ok((!claim.is_lock_held(attempt_dir)?).then_some(dying))
}
