//! The `[worker]` and `[mail]` sections of a configuration file.

use std::path::Path;
use std::{fs, thread};

use chassis::{ByteSize, HumanDuration};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use crate::config::{CAPTURE_OUTPUT_BYTES_LIMIT, Config, MailConfig, MailSecurity, RunAs, Secret};

/// Slots for each processor: actions mostly wait for others.
const SLOTS_PER_PROCESSOR: usize = 4;

/// `[worker]`
#[derive(Clone, Debug, Deserialize)]
pub struct WorkerSettings {
    /// Its name; stays the same over restarts.
    pub name: String,
    /// The pools it serves.
    pub pools: Vec<String>,
    /// Actions that run at the same time; 0: four per processor.
    pub slots: usize,
    /// Between SIGTERM and SIGKILL when an action is stopped.
    pub kill_grace: HumanDuration,
    /// Kept of each output stream of an attempt.
    pub log_size_max: ByteSize,
    /// What `capture-output` takes at most.
    #[serde(deserialize_with = "captured_output_max")]
    pub captured_output_max: ByteSize,
    /// Whom actions run as.
    pub run_as: RunAs,
}

/// `[mail]`
#[derive(Clone, Debug, Deserialize)]
pub struct MailSettings {
    /// The server.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The sender.
    pub from: String,
    /// Whether and how the connection is encrypted.
    pub security: MailSecurity,
    /// For a server that asks for it; empty for none.
    pub user: String,
    /// As it stands, or `file:/path`.
    pub password: String,
}

/// A larger one would be refused for each action that captures anything.
fn captured_output_max<'de, D: Deserializer<'de>>(from: D) -> Result<ByteSize, D::Error> {
    const MIB: u64 = 1 << 20;
    let size = ByteSize::deserialize(from)?;
    if size.0 <= CAPTURE_OUTPUT_BYTES_LIMIT {
        return Ok(size);
    }
    let limit = CAPTURE_OUTPUT_BYTES_LIMIT / MIB;
    Err(D::Error::custom(format!(
        "at most {limit} MiB can be captured; set `{limit} MiB` or less, and let actions write larger output to files"
    )))
}

impl WorkerSettings {
    /// How many actions run at the same time.
    pub fn slots(&self) -> usize {
        let processors = || thread::available_parallelism().map_or(1, usize::from);
        if self.slots == 0 { SLOTS_PER_PROCESSOR * processors() } else { self.slots }
    }

    /// The configuration of a worker that works in `work_dir` and keeps logs in `log_root`.
    pub fn config(&self, work_dir: &Path, log_root: &Path, mail: MailConfig) -> Config {
        let config = Config::new(
            self.name.as_str().into(),
            self.pools.clone(),
            self.slots(),
            work_dir.to_owned(),
            log_root.to_owned(),
            // What runs here, even if its file was replaced a moment ago.
            supervisor::THIS_BINARY.into(),
        );
        Config {
            run_as: self.run_as,
            log_bytes_max: self.log_size_max.0,
            capture_output_bytes_max: self.captured_output_max.0,
            kill_grace_ms: u64::try_from(self.kill_grace.0.as_millis()).unwrap_or(u64::MAX),
            mail,
            ..config
        }
    }
}

impl MailSettings {
    /// How mails are sent.
    ///
    /// # Errors
    /// When the file with the password cannot be read.
    pub fn config(&self) -> Result<MailConfig, String> {
        let login = match self.user.is_empty() {
            true => None,
            false => Some((self.user.clone(), Secret::new(secret(&self.password)?))),
        };
        Ok(MailConfig {
            host: self.host.clone(),
            port: self.port,
            from: self.from.clone(),
            security: self.security,
            login,
            ..MailConfig::default()
        })
    }
}

/// A secret as it stands, or out of `file:/path`.
fn secret(text: &str) -> Result<String, String> {
    let Some(path) = text.strip_prefix("file:") else { return Ok(text.to_owned()) };
    let read = fs::read_to_string(path).map(|text| text.trim_end().to_owned());
    read.map_err(|error| format!("cannot read {path}: {error}"))
}
