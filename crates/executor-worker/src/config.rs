//! What a worker is told at its start.

use std::env;
use std::fmt;
use std::path::PathBuf;

use model::WorkerId;
use serde::{Deserialize, Serialize};

use crate::metrics::Metrics;

/// Of each stream of an attempt so much is kept: enough to read, too little to fill a disk.
const LOG_BYTES_MAX: u64 = 64 << 20;
/// `oozie.action.max.output.data` (gotcha 26).
const CAPTURE_OUTPUT_BYTES_MAX: u64 = 2048;
/// The most that [`Config::capture_output_bytes_max`] can be: a supervisor holds a captured output in memory, and the
/// database keeps it.
pub const CAPTURE_OUTPUT_BYTES_LIMIT: u64 = supervisor::CAPTURE_BYTES_MAX;
/// Between SIGTERM and SIGKILL, as YARN's node manager counts it by far, since actions clean up after themselves.
const KILL_GRACE_MS: u64 = 10_000;
/// Where programs are found when the environment says nothing.
const SEARCH_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// A worker's settings; [`Config::new`] fills in what is seldom changed.
#[derive(Clone, Debug)]
pub struct Config {
    /// Its name; stays the same over restarts.
    pub worker: WorkerId,
    /// The pools it serves.
    pub pools: Vec<String>,
    /// How many attempts it runs at a time, over all pools.
    pub slots: usize,
    /// Holds the attempt directories and the spool. Must belong to this worker alone.
    pub work_dir: PathBuf,
    /// Where what attempts print is kept, in the layout of [`files_local::log_dir`].
    pub log_root: PathBuf,
    /// The program that takes `__supervise` and [`crate::BUILTIN_ARGUMENT`]. It is opened when the worker starts, and its
    /// file may be replaced or deleted from then on.
    pub supervisor: PathBuf,
    /// Whom attempts run as.
    pub run_as: RunAs,
    /// Bytes kept of each stream of an attempt.
    pub log_bytes_max: u64,
    /// Bytes that a captured output may have, at most [`CAPTURE_OUTPUT_BYTES_LIMIT`]; a longer one fails its action.
    pub capture_output_bytes_max: u64,
    /// Milliseconds between SIGTERM and SIGKILL when an attempt is stopped.
    pub kill_grace_ms: u64,
    /// Where Java is installed; without it `java` is looked up in `search_path`.
    pub java_home: Option<PathBuf>,
    /// `PATH` of actions, behind their working directory.
    pub search_path: String,
    /// How `email` actions send.
    pub mail: MailConfig,
    /// How `ssh` actions connect.
    pub ssh: SshConfig,
    /// Where numbers are kept; [`Metrics::register`] makes them visible.
    pub metrics: Metrics,
}

impl Config {
    /// Settings with their defaults; `PATH` and `JAVA_HOME` are this process's own.
    pub fn new(
        worker: WorkerId,
        pools: Vec<String>,
        slots: usize,
        work_dir: PathBuf,
        log_root: PathBuf,
        supervisor: PathBuf,
    ) -> Config {
        Config {
            worker,
            pools,
            slots,
            work_dir,
            log_root,
            supervisor,
            run_as: RunAs::Submitter,
            log_bytes_max: LOG_BYTES_MAX,
            capture_output_bytes_max: CAPTURE_OUTPUT_BYTES_MAX,
            kill_grace_ms: KILL_GRACE_MS,
            java_home: env::var_os("JAVA_HOME").map(PathBuf::from),
            search_path: env::var("PATH").unwrap_or_else(|_| SEARCH_PATH.to_owned()),
            mail: MailConfig::default(),
            ssh: SshConfig::default(),
            metrics: Metrics::default(),
        }
    }
}

/// Whom attempts run as. `noop` actions run nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunAs {
    /// As the user who submitted the job. It must exist on this host, and be the worker's own unless the worker is root;
    /// an attempt of any other fails with HW2008.
    Submitter,
    /// As the worker's own user, whoever submitted the job.
    Worker,
}

/// The server that `email` actions send by: Oozie's `oozie.email.*` properties.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailConfig {
    /// `oozie.email.smtp.host`.
    pub host: String,
    /// `oozie.email.smtp.port`.
    pub port: u16,
    /// `oozie.email.from.address`.
    pub from: String,
    /// Whether and how the connection is encrypted.
    pub security: MailSecurity,
    /// User name and password, for a server that asks for them.
    pub login: Option<(String, Secret)>,
    /// `oozie.email.smtp.socket.timeout.ms`.
    pub timeout_ms: u64,
    /// `oozie.email.attachment.enabled`: without it the mail says that attachments are missing.
    pub attachments_enabled: bool,
}

/// How a mail connection is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MailSecurity {
    /// Not at all.
    Plain,
    /// By STARTTLS, which the server must offer.
    StartTls,
    /// From the first byte.
    Tls,
}

impl Default for MailConfig {
    fn default() -> MailConfig {
        MailConfig {
            host: "localhost".to_owned(),
            port: 25,
            from: "oozie@localhost".to_owned(),
            security: MailSecurity::Plain,
            login: None,
            timeout_ms: 10_000,
            attachments_enabled: true,
        }
    }
}

/// How `ssh` actions connect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SshConfig {
    /// The client: OpenSSH's, or one that takes its arguments.
    pub program: String,
    /// Options in front of the host; never a question, never a password.
    pub options: Vec<String>,
    /// `oozie.action.ssh.allow.user.at.host`: whether `host` may name another user than the job's.
    pub allow_user_at_host: bool,
}

impl Default for SshConfig {
    fn default() -> SshConfig {
        let options = [
            "BatchMode=yes",
            "PasswordAuthentication=no",
            "StrictHostKeyChecking=accept-new",
            "ConnectTimeout=20",
        ];
        SshConfig {
            program: "ssh".to_owned(),
            options: options
                .iter()
                .flat_map(|option| ["-o".to_owned(), (*option).to_owned()])
                .collect(),
            allow_user_at_host: true,
        }
    }
}

/// A text that no log and no `Debug` shows.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Hides a text.
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_shown() {
        let login = Some(("howdah".to_owned(), Secret::new("tiger")));
        let shown = format!("{:?}", MailConfig { login, ..MailConfig::default() });
        assert!(shown.contains("howdah") && !shown.contains("tiger"), "{shown}");
    }
}
