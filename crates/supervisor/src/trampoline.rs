//! The step between the supervisor and the program: a child of the supervisor that becomes the program.
//!
//! What has to happen in the child before the program is executed (another user, the working directory, the
//! parent-death signal) would otherwise need code between fork and exec, where little is allowed. So the supervisor
//! executes its own binary again, which does these steps as ordinary code, then executes the program in its place:
//! same pid, no process in between. It costs one more exec, and says exactly which step failed.
//!
//! It runs with the supervisor's environment; the program's own (which its user may choose) is only for the program,
//! because a loader variable in it must not act on a process that still has the supervisor's rights.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, PipeReader, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use rustix::fs::{Gid, Mode, Uid, fchown};
use rustix::io::ioctl_fionbio;
use rustix::process::{
    Pid, Signal, chdir, getpid, getppid, set_parent_process_death_signal, umask,
};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};
use serde::{Deserialize, Serialize};

use crate::binary::{THIS_BINARY, command_of_this_binary};
use crate::plan::{Plan, RunAs};
use crate::result::{Outcome, Stage};
use crate::supervise::FIRST_ARGUMENT;

/// The argument after [`FIRST_ARGUMENT`] that makes a process the trampoline.
pub(crate) const FLAG: &str = "--exec";

/// What a shell answers for a command that it cannot run.
const EXIT_CODE: u8 = 127;

/// A child that is, or is about to become, the program.
#[derive(Debug)]
pub(crate) struct Launched {
    pub(crate) main: Pid,
    /// Reads without blocking, like the other.
    pub(crate) stdout: PipeReader,
    pub(crate) stderr: PipeReader,
    /// Has a [`StartFailure`] once the child has ended, if it never became the program.
    pub(crate) failure: PipeReader,
}

/// Why there is no program.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct StartFailure {
    stage: Stage,
    errno: Option<i32>,
    message: String,
}

impl StartFailure {
    pub(crate) fn new(stage: Stage, error: &io::Error, message: String) -> Self {
        Self { stage, errno: error.raw_os_error(), message }
    }

    pub(crate) fn into_outcome(self) -> Outcome {
        Outcome::StartFailed { stage: self.stage, errno: self.errno, message: self.message }
    }
}

/// Starts the trampoline, as the leader of a process group of its own.
pub(crate) fn spawn(plan: &Plan, attempt_dir: &Path) -> io::Result<Launched> {
    let (stdout, stdout_writer) = io::pipe()?;
    let (stderr, stderr_writer) = io::pipe()?;
    let (failure, failure_writer) = io::pipe()?;
    ioctl_fionbio(&stdout, true)?;
    ioctl_fionbio(&stderr, true)?;
    if let Some(run_as) = &plan.run_as {
        // So that the program may open `/dev/stdout`.
        run_as.give(&stdout_writer)?;
        run_as.give(&stderr_writer)?;
    }
    let child = command_of_this_binary()
        .args([FIRST_ARGUMENT, FLAG])
        .arg(getpid().as_raw_pid().to_string())
        .arg(attempt_dir)
        .stdin(failure_writer)
        .stdout(stdout_writer)
        .stderr(stderr_writer)
        .process_group(0)
        .spawn()?;
    Ok(Launched { main: Pid::from_child(&child), stdout, stderr, failure })
}

/// Becomes the program. Returns only if that failed.
pub(crate) fn main(supervisor: &OsStr, attempt_dir: &Path) -> ExitCode {
    let Ok(report) = io::stdin().as_fd().try_clone_to_owned() else { return EXIT_CODE.into() };
    let Err(failure) = become_program(supervisor, attempt_dir);
    report_failure(report, &failure);
    EXIT_CODE.into()
}

fn report_failure(report: OwnedFd, failure: &StartFailure) {
    let text = serde_json::to_vec(failure).expect("a failure is plain data");
    // Nobody listens only if the supervisor is dead.
    let _ = File::from(report).write_all(&text);
}

fn become_program(supervisor: &OsStr, attempt_dir: &Path) -> Result<Never, StartFailure> {
    let plan = Plan::read(attempt_dir).map_err(|error| {
        StartFailure::new(Stage::Spawn, &io::Error::other("plan"), error.to_string())
    })?;
    if let Some(mask) = plan.umask {
        umask(Mode::from_raw_mode(mask));
    }
    if let Some(run_as) = &plan.run_as {
        run_as.switch().map_err(|error| {
            let message =
                format!("cannot run as user {}: the supervisor may not switch users", run_as.uid);
            StartFailure::new(Stage::RunAs, &error, message)
        })?;
    }
    // After the switch, which would undo it.
    die_with(supervisor)
        .map_err(|error| StartFailure::new(Stage::Spawn, &error, error.to_string()))?;
    chdir(&plan.working_dir).map_err(|errno| working_dir_failure(&plan, &errno.into()))?;
    Err(program_failure(&plan, &execute(&plan)))
}

/// Asks for SIGKILL when the supervisor ends, however it ends; and sees to it that it has not ended before.
fn die_with(supervisor: &OsStr) -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let parent = getppid().map(|pid| pid.as_raw_pid().to_string());
    if parent.is_some_and(|pid| OsStr::new(&pid) == supervisor) {
        return Ok(());
    }
    Err(io::Error::other("the supervisor has ended"))
}

fn execute(plan: &Plan) -> io::Error {
    let mut command = match plan.program.as_str() {
        THIS_BINARY => command_of_this_binary(),
        program => Command::new(program),
    };
    command.args(&plan.args).env_clear().envs(plan.environment()).stdin(Stdio::null()).exec()
}

fn working_dir_failure(plan: &Plan, error: &io::Error) -> StartFailure {
    let path = plan.working_dir.display();
    let message = match error.kind() {
        io::ErrorKind::NotFound => format!("the working directory `{path}` does not exist"),
        _ => format!("cannot enter the working directory `{path}`: {error}"),
    };
    StartFailure::new(Stage::WorkingDir, error, message)
}

fn program_failure(plan: &Plan, error: &io::Error) -> StartFailure {
    let program = &plan.program;
    let message = match error.kind() {
        io::ErrorKind::NotFound => {
            format!("command not found: `{program}` (or the interpreter that its first line names)")
        }
        io::ErrorKind::PermissionDenied => {
            format!("permission denied: `{program}` is not executable by its user")
        }
        _ => format!("cannot execute `{program}`: {error}"),
    };
    StartFailure::new(Stage::Program, error, message)
}

impl RunAs {
    /// For good: real, effective and saved ids. The trampoline has one thread, so this is the whole process.
    fn switch(&self) -> io::Result<()> {
        let (uid, gid) = (Uid::from_raw(self.uid), Gid::from_raw(self.gid));
        let groups: Vec<Gid> = self.groups.iter().map(|group| Gid::from_raw(*group)).collect();
        set_thread_groups(&groups)?;
        set_thread_res_gid(gid, gid, gid)?;
        Ok(set_thread_res_uid(uid, uid, uid)?)
    }

    fn give(&self, pipe: impl AsFd) -> io::Result<()> {
        Ok(fchown(pipe, Some(Uid::from_raw(self.uid)), Some(Gid::from_raw(self.gid)))?)
    }
}

/// What a function returns that only returns errors.
enum Never {}
