//! The supervisor's own life: claim the attempt, run it, write the result.

use std::error;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::{Path, PathBuf, absolute};
use std::process::ExitCode;

use rustix::process::{chdir, getpid, set_child_subreaper, setsid};

use crate::attempt::is_stop_requested;
use crate::binary::take_name;
use crate::claim::{Claim, Lock};
use crate::clock::wall_clock_ms;
use crate::crash::{self, Point};
use crate::error::Error;
use crate::handle::{FAILURE_FILE, SupervisorExit};
use crate::plan::Plan;
use crate::result::{AttemptResult, Outcome, ReservedResult, Stage, StopCause};
use crate::signals::Signals;
use crate::stream::{Log, Stream, StreamTotals};
use crate::trampoline::{self, StartFailure};
use crate::watch::{Watch, Watched};

/// The first argument that makes a program hand over to [`main`].
pub const FIRST_ARGUMENT: &str = "__supervise";

/// Runs this process as a supervisor, or as its trampoline. To be called by a program's `main` before anything else,
/// with the arguments that follow [`FIRST_ARGUMENT`]: it closes every descriptor above standard error, and expects
/// to be the only thread.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    take_name();
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let arguments: Vec<&OsStr> = arguments.iter().map(OsString::as_os_str).collect();
    match arguments.as_slice() {
        [attempt_dir] => run(Path::new(attempt_dir)).into(),
        [flag, parent, attempt_dir] if *flag == trampoline::FLAG => {
            trampoline::main(parent, Path::new(attempt_dir))
        }
        _ => SupervisorExit::BAD_PLAN.into(),
    }
}

fn run(attempt_dir: &Path) -> SupervisorExit {
    close_foreign_descriptors();
    // Fails only for the leader of a process group, as under an interactive shell; signals are handled either way.
    let _ = setsid();
    absolute(attempt_dir).map_err(Error::io("find", attempt_dir)).and_then(own).unwrap_or_else(
        |error| {
            // For the worker to show; the exit code says the essential part.
            let _ = fs::write(attempt_dir.join(FAILURE_FILE), describe(&error));
            SupervisorExit::of_error(&error)
        },
    )
}

/// Owns the attempt, unless somebody else does. After the claim every failure is part of the result.
fn own(attempt_dir: PathBuf) -> Result<SupervisorExit, Error> {
    let plan = Plan::read(&attempt_dir)?;
    let signals = Signals::install().map_err(Error::io("handle signals for", &attempt_dir))?;
    chdir("/").map_err(Error::io("enter", Path::new("/")))?;
    let Some(lock) = Lock::take(&attempt_dir)? else { return Ok(SupervisorExit::AlreadyClaimed) };
    if Claim::read(&attempt_dir)?.is_some() {
        return Ok(SupervisorExit::AlreadyClaimed);
    }
    let reserved = ReservedResult::reserve(&attempt_dir, plan.captured_text_bytes_max())?;
    if Claim::take(&plan.token, &attempt_dir, &lock)?.is_none() {
        reserved.discard();
        return Ok(SupervisorExit::AlreadyClaimed);
    }
    crash::point(Point::AfterClaim);
    let result = perform(&plan, &attempt_dir, &signals);
    reserved.write(&result).map_err(Error::io("write the result into", &attempt_dir))?;
    crash::point(Point::AfterResult);
    Ok(SupervisorExit::Finished)
}

fn perform(plan: &Plan, attempt_dir: &Path, signals: &Signals) -> AttemptResult {
    let started_at_ms = wall_clock_ms();
    if is_stop_requested(attempt_dir) {
        let outcome = Outcome::Stopped { cause: StopCause::Requested };
        return without_a_start(plan, started_at_ms, outcome);
    }
    crash::point(Point::BeforeSpawn);
    match launch(plan, attempt_dir, signals) {
        Ok(watch) => {
            crash::point(Point::AfterSpawn);
            collect(plan, started_at_ms, watch.run())
        }
        Err(failure) => without_a_start(plan, started_at_ms, failure.into_outcome()),
    }
}

fn launch<'a>(
    plan: &'a Plan,
    attempt_dir: &'a Path,
    signals: &'a Signals,
) -> Result<Watch<'a>, StartFailure> {
    let stdout_log = open_log(&plan.stdout_log, plan)?;
    let stderr_log = open_log(&plan.stderr_log, plan)?;
    let failed = |error: io::Error| {
        StartFailure::new(Stage::Spawn, &error, "cannot create the process".to_owned())
    };
    set_child_subreaper(Some(getpid())).map_err(|errno| failed(errno.into()))?;
    let launched = trampoline::spawn(plan, attempt_dir).map_err(failed)?;
    let stdout = Stream::new(launched.stdout, stdout_log, plan.capture_output_bytes_max);
    let stderr = Stream::new(launched.stderr, stderr_log, None);
    Ok(Watch::new(plan, attempt_dir, signals, launched.main, launched.failure, [stdout, stderr]))
}

fn open_log(path: &Path, plan: &Plan) -> Result<Log, StartFailure> {
    Log::open(path, plan.log_bytes_max).map_err(|error| {
        StartFailure::new(
            Stage::Log,
            &error,
            format!("cannot open the log `{}`: {error}", path.display()),
        )
    })
}

fn without_a_start(plan: &Plan, at_ms: u64, outcome: Outcome) -> AttemptResult {
    AttemptResult {
        token: plan.token.clone(),
        outcome,
        started_at_ms: at_ms,
        ended_at_ms: wall_clock_ms(),
        captured_output: None,
        captured_files: Vec::new(),
        output_too_large: false,
        stdout_bytes: 0,
        stdout_dropped_bytes: 0,
        stderr_bytes: 0,
        stderr_dropped_bytes: 0,
        survivors: Vec::new(),
    }
}

fn collect(plan: &Plan, started_at_ms: u64, watched: Watched) -> AttemptResult {
    let [stdout, stderr] = watched.streams.map(Stream::finish);
    let StreamTotals { captured: captured_output, .. } = stdout;
    let captured_files: Vec<_> = plan.capture_files.iter().map(|file| file.read(plan)).collect();
    let mut captures = captured_files.iter().flatten().chain(&captured_output);
    AttemptResult {
        token: plan.token.clone(),
        outcome: watched.outcome,
        started_at_ms,
        ended_at_ms: wall_clock_ms(),
        output_too_large: captures.any(|captured| captured.too_large),
        captured_output,
        captured_files,
        stdout_bytes: stdout.bytes,
        stdout_dropped_bytes: stdout.dropped_bytes,
        stderr_bytes: stderr.bytes,
        stderr_dropped_bytes: stderr.dropped_bytes,
        survivors: watched.survivors,
    }
}

/// Forgets whatever was inherited beyond the standard streams: a lock of the worker must not live on in here.
fn close_foreign_descriptors() {
    const LAST_STANDARD: i32 = 2;
    let entries = fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
    let listed: Vec<i32> =
        entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    // The descriptor that listed them is among them, and closed by now.
    let is_open =
        |descriptor: &i32| fs::symlink_metadata(format!("/proc/self/fd/{descriptor}")).is_ok();
    for descriptor in
        listed.into_iter().filter(|descriptor| *descriptor > LAST_STANDARD).filter(is_open)
    {
        #[expect(
            unsafe_code,
            reason = "inherited descriptors have no owner in this process, which has only started"
        )]
        // SAFETY: `main` is called before this process opens anything, so nobody owns this number; it is open, and
        // there is no other thread that could close it.
        unsafe {
            rustix::io::close(descriptor);
        }
    }
}

/// The error and its sources in one line.
fn describe(error: &Error) -> String {
    let mut line = error.to_string();
    let mut source = error::Error::source(error);
    while let Some(error) = source {
        line = format!("{line}: {error}");
        source = error.source();
    }
    line
}
