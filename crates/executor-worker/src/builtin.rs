//! Actions that Howdah does itself, in a child process of a supervisor: `<supervisor> __action <attempt directory>`.
//!
//! The parent leaves an order in the attempt directory, the child an answer: the [`AttemptResult`] as JSON, which the
//! supervisor captures into its own result, so that it is as safe as an exit code.
//!
//! The child itself is the worker's: order and answer are not for the job's user, and the order holds the mail server's
//! password. What a worker that runs attempts as their submitters ([`crate::RunAs`]) does for the user is done as the
//! user inside of it: all of `fs`, and all of `email`, with the attachments that it reads. `ssh` runs as the worker's
//! own user, as Oozie's server does: the keys are its own; the user only names the account on the other host.
//! `noop` has no process.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use files_local::LocalFiles;
use model::{ActionSpec, AttemptResult, Configuration};
use ports::files::Files;
use ports::work::Grant;
use serde::{Deserialize, Serialize};
use supervisor::{CaptureFile, Plan};

use crate::actions::{self, email, fs as fs_action, ssh};
use crate::attempt_dir::AttemptDir;
use crate::config::{Config, MailConfig, SshConfig};
use crate::failure::{Refusal, of_worker};
use crate::users::{Account, block_on_as};

/// The first argument that makes a program hand over to [`run_builtin`].
pub const BUILTIN_ARGUMENT: &str = "__action";

/// A message is cut at 4 000 characters, each of which JSON may write as twelve bytes.
const ANSWER_BYTES_MAX: u64 = 256 << 10;
/// An order carries a grant.
const ORDER_BYTES_MAX: u64 = 64 << 20;

/// What the child is to do.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) grant: Grant,
    pub(crate) mail: MailConfig,
    pub(crate) ssh: SshConfig,
    /// See [`AttemptDir::recovery_marker`].
    pub(crate) recovery_marker: PathBuf,
    /// Whom to act as; `None`: as this process.
    pub(crate) account: Option<Account>,
    answer: PathBuf,
}

/// Leaves the order, and says what the supervisor runs.
pub(crate) fn plan(
    config: &Config,
    grant: &Grant,
    dir: &AttemptDir,
    conf: &Configuration,
    account: Option<&Account>,
    capture_output: bool,
) -> Result<Plan, Refusal> {
    let order = Order {
        grant: grant.clone(),
        mail: config.mail.clone(),
        ssh: config.ssh.clone(),
        recovery_marker: dir.recovery_marker(grant),
        account: account.cloned(),
        answer: dir.answer(),
    };
    write_private(&dir.order(), &order)
        .map_err(|error| of_worker("cannot write the order of the action", &error))?;
    Ok(Plan {
        capture_output_bytes_max: capture_output.then_some(config.capture_output_bytes_max),
        capture_files: vec![CaptureFile { path: dir.answer(), bytes_max: ANSWER_BYTES_MAX }],
        ..actions::builtin_plan(config, grant, dir, conf)?
    })
}

/// Runs this process as a built-in action on the files of this machine. To be called by a program's `main` with the
/// arguments that follow [`BUILTIN_ARGUMENT`]: the attempt directory.
pub fn run_builtin(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    run_builtin_with(&LocalFiles::new(), arguments)
}

/// As [`run_builtin`], on other files.
pub fn run_builtin_with(
    files: &dyn Files,
    arguments: impl IntoIterator<Item = OsString>,
) -> ExitCode {
    supervisor::take_name();
    let ran = match arguments.into_iter().next() {
        Some(attempt_dir) => run(files, Path::new(&attempt_dir)),
        None => Err(io::Error::other("no attempt directory was given")),
    };
    match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&mut io::stderr(), &format!("the built-in action could not run: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn run(files: &dyn Files, attempt_dir: &Path) -> io::Result<()> {
    let mut text = Vec::new();
    File::open(attempt_dir.join("order.json"))?.take(ORDER_BYTES_MAX).read_to_end(&mut text)?;
    let order: Order = serde_json::from_slice(&text)?;
    let result = perform(files, &order).unwrap_or_else(|failure| AttemptResult::Failed(*failure));
    if let AttemptResult::Failed(failure) = &result {
        say(&mut io::stderr(), &format!("{}: {}", failure.code, failure.message));
    }
    write_private(&order.answer, &result)
}

fn perform(files: &dyn Files, order: &Order) -> Result<AttemptResult, Refusal> {
    match actions::read(&order.grant)? {
        ActionSpec::Fs(spec) => fs_action::perform(files, order, &spec),
        ActionSpec::Email(spec) => {
            block_on_as(order.account.as_ref(), email::perform(files, order, &spec))
        }
        ActionSpec::Ssh(spec) => block_on_as(None, ssh::perform(order, &spec)),
        ActionSpec::Shell(_)
        | ActionSpec::Java(_)
        | ActionSpec::SubWorkflow(_)
        | ActionSpec::Noop
        | ActionSpec::Unavailable { .. } => {
            let error =
                io::Error::other(format!("`{}` is not a built-in action", order.grant.kind));
            Err(of_worker("cannot run the order", &error))
        }
    }
}

/// For nobody else to read: an order holds the mail server's password.
fn write_private<T: Serialize>(path: &Path, value: &T) -> io::Result<()> {
    let aside = path.with_extension("new");
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&aside)?;
    file.write_all(&serde_json::to_vec(value)?)?;
    fs::rename(aside, path)
}

/// A line for the logs. Whoever reads them may be gone; the action goes on.
pub(crate) fn say(stream: &mut impl Write, line: &str) {
    let _unread = writeln!(stream, "{line}");
}
