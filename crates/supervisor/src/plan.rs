//! What the worker asks a supervisor to run: `plan.json`, written once, before the start.

use std::collections::BTreeMap;
use std::env;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::Error;

/// The most that a supervisor ever captures of one stream or file: it is held in memory, and in the database later.
pub const CAPTURE_BYTES_MAX: u64 = 16 << 20;

/// Set for the program: the attempt's token, by which [`crate::kill_remains`] finds what a killed supervisor left.
pub const TOKEN_VARIABLE: &str = "HOWDAH_ATTEMPT_TOKEN";

/// What is passed on from the worker's environment when the plan does not say otherwise.
const INHERITED: [&str; 5] = ["PATH", "LANG", "LC_ALL", "TZ", "TMPDIR"];

/// Passed on too, unless the program runs as somebody else.
const INHERITED_BY_SAME_USER: [&str; 4] = ["HOME", "USER", "LOGNAME", "SHELL"];

/// Arguments and environment are bounded by the kernel at about 2 MiB; JSON escapes make it longer.
const PLAN_BYTES_MAX: u64 = 16 << 20;

/// Each file costs room in the reserved result; Oozie's launcher knows four.
const CAPTURE_FILES_MAX: usize = 8;

const PLAN_FILE: &str = "plan.json";

/// One attempt to run a program: everything its supervisor needs to know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Names this attempt in the claim, the result and the program's environment ([`TOKEN_VARIABLE`]).
    pub token: String,
    /// The program: a path, or a name that is looked up in the `PATH` of its own environment; or
    /// [`crate::THIS_BINARY`].
    pub program: String,
    /// Its arguments, without its own name.
    pub args: Vec<String>,
    /// Its environment, on top of the few harmless variables that are inherited (`PATH`, `HOME`, `LANG`, `TZ` …).
    pub env: BTreeMap<String, String>,
    /// Where it runs: an absolute path, like those of the logs.
    pub working_dir: PathBuf,
    /// Where its standard output is stored; created if missing, appended to otherwise. The directory must exist.
    pub stdout_log: PathBuf,
    /// Where its standard error is stored; may be the same file.
    pub stderr_log: PathBuf,
    /// The most that is stored of each stream; the rest is read, counted and dropped.
    pub log_bytes_max: u64,
    /// Keep the standard output for the result, up to this many bytes.
    pub capture_output_bytes_max: Option<u64>,
    /// Files that the program writes and whose content belongs to the result.
    pub capture_files: Vec<CaptureFile>,
    /// The tree is stopped after this long; `None`: never.
    pub timeout_ms: Option<u64>,
    /// How long the tree has between SIGTERM and SIGKILL.
    pub kill_grace_ms: u64,
    /// Whom to run the program as; `None`: as the supervisor itself.
    pub run_as: Option<RunAs>,
    /// The program's file mode creation mask; `None`: the supervisor's.
    pub umask: Option<u32>,
    /// The first term of the attempt lease: the tree is stopped at the first moment after this duration that
    /// [`crate::renew_lease`] did not move. `None`: it runs without a lease (`on_worker_lost = wait`).
    pub lease_ms: Option<u64>,
}

/// A file that the program writes, such as the one named by `oozie.action.output.properties`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaptureFile {
    /// Where; relative to the working directory.
    pub path: PathBuf,
    /// Longer content is not captured.
    pub bytes_max: u64,
}

/// The user that a program runs as. Needs a supervisor that may switch users (root).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunAs {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
    /// Supplementary groups; all others are dropped.
    pub groups: Vec<u32>,
}

impl Plan {
    /// Writes the plan into an existing attempt directory, for nobody else to read (its environment may hold secrets).
    /// It appears whole or not at all, even if this process dies meanwhile. It is not synced: after a reboot nothing is
    /// started from it.
    ///
    /// # Errors
    /// [`Error::BadPlan`] if it asks for something out of bounds; [`Error::Io`].
    pub fn write(&self, attempt_dir: &Path) -> Result<(), Error> {
        self.check()?;
        let path = attempt_dir.join(PLAN_FILE);
        let aside = path.with_extension("new");
        let text = serde_json::to_vec(self)
            .expect("a plan has only string keys and UTF-8 paths: checked above");
        OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&aside)
            .and_then(|mut file| file.write_all(&text))
            .and_then(|()| fs::rename(&aside, &path))
            .map_err(Error::io("write", &path))
    }

    /// Reads the plan of an attempt directory.
    pub(crate) fn read(attempt_dir: &Path) -> Result<Self, Error> {
        let path = attempt_dir.join(PLAN_FILE);
        let mut text = Vec::new();
        File::open(&path)
            .and_then(|file| file.take(PLAN_BYTES_MAX).read_to_end(&mut text))
            .map_err(Error::io("read", &path))?;
        let plan: Self =
            serde_json::from_slice(&text).map_err(|source| Error::Malformed { path, source })?;
        plan.check()?;
        Ok(plan)
    }

    /// The program's whole environment.
    pub(crate) fn environment(&self) -> BTreeMap<String, String> {
        let mut environment: BTreeMap<_, _> = inherited(self.run_as.is_some()).collect();
        environment.extend(self.env.clone());
        environment.insert(TOKEN_VARIABLE.to_owned(), self.token.clone());
        environment
    }

    /// The largest result text that the captures can make: each byte may become six (`\u0001`).
    pub(crate) fn captured_text_bytes_max(&self) -> u64 {
        const ESCAPED_BYTES_PER_BYTE: u64 = 6;
        let files: u64 = self.capture_files.iter().map(|file| file.bytes_max).sum();
        (files + self.capture_output_bytes_max.unwrap_or(0)) * ESCAPED_BYTES_PER_BYTE
    }

    fn check(&self) -> Result<(), Error> {
        let captures = self
            .capture_files
            .iter()
            .map(|file| file.bytes_max)
            .chain(self.capture_output_bytes_max);
        if self.token.is_empty() || self.token.contains('\0') {
            return Err(Error::BadPlan("its token is empty or contains a NUL".to_owned()));
        }
        if self.program.is_empty() {
            return Err(Error::BadPlan("it names no program".to_owned()));
        }
        if self.capture_files.len() > CAPTURE_FILES_MAX {
            return Err(Error::BadPlan(format!("it captures more than {CAPTURE_FILES_MAX} files")));
        }
        if captures.into_iter().any(|bytes_max| bytes_max > CAPTURE_BYTES_MAX) {
            return Err(Error::BadPlan(format!("it captures more than {CAPTURE_BYTES_MAX} bytes")));
        }
        if self.absolute_paths().any(|path| path.is_relative()) {
            return Err(Error::BadPlan(
                "its working directory and log files must be absolute paths".to_owned(),
            ));
        }
        if self.paths().any(|path| path.to_str().is_none()) {
            return Err(Error::BadPlan("one of its paths is not UTF-8".to_owned()));
        }
        if self.run_as.as_ref().is_some_and(RunAs::is_out_of_range) {
            return Err(Error::BadPlan(
                "a user or group id means `unchanged` (the largest number)".to_owned(),
            ));
        }
        Ok(())
    }

    fn paths(&self) -> impl Iterator<Item = &Path> {
        self.absolute_paths().chain(self.capture_files.iter().map(|file| file.path.as_path()))
    }

    fn absolute_paths(&self) -> impl Iterator<Item = &Path> {
        [&self.working_dir, &self.stdout_log, &self.stderr_log].into_iter().map(PathBuf::as_path)
    }
}

impl RunAs {
    fn is_out_of_range(&self) -> bool {
        [self.uid, self.gid].iter().chain(&self.groups).any(|id| *id == u32::MAX)
    }
}

/// The part of this process's own environment that programs may see.
pub(crate) fn inherited(other_user: bool) -> impl Iterator<Item = (String, String)> {
    let of_user: &[&str] = if other_user { &[] } else { &INHERITED_BY_SAME_USER };
    INHERITED.iter().chain(of_user).filter_map(|name| Some(((*name).to_owned(), variable(name)?)))
}

fn variable(name: &str) -> Option<String> {
    env::var(name).ok()
}
