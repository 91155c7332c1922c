//! What a worker remembers of its attempts over a `kill -9`: one small file each.
//!
//! `<work_dir>/.spool/<token>.json` holds the grant and how far it came. A file is written when an attempt is granted,
//! started, and over, and removed when the scheduler has acknowledged the end.
//!
//! Only an end that no supervisor has synced is synced here. After a power failure (another boot) an entry may be older than the truth, or gone: one that
//! is gone is not listed and so fenced by the scheduler; of one that is there nothing is started any more.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use files_local::file_name_of;
use model::{AttemptResult, Token};
use ports::crash;
use ports::work::Grant;
use serde::{Deserialize, Serialize};
use tracing::warn;

/// A grant carries a body and a configuration, each bounded far below.
const ENTRY_BYTES_MAX: u64 = 64 << 20;

const BOOT_ID_FILE: &str = "/proc/sys/kernel/random/boot_id";

/// One attempt, as remembered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// The boot of this host in which it was written.
    pub(crate) boot_id: String,
    /// What was granted.
    pub(crate) grant: Grant,
    /// How far it came.
    pub(crate) state: EntryState,
}

/// How far an attempt came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub(crate) enum EntryState {
    /// Nothing was started yet, for all that is known.
    Granted,
    /// A supervisor was started.
    Started {
        /// Where it runs.
        external_id: String,
    },
    /// It is over.
    Finished {
        /// How it ended.
        result: AttemptResult,
    },
    /// It was stopped, and nothing of it runs.
    Stopped,
}

/// The directory of entries.
#[derive(Clone, Debug)]
pub(crate) struct Spool {
    dir: PathBuf,
    boot_id: String,
}

impl Spool {
    /// The spool of a worker, made if it is not there.
    pub(crate) fn open(work_dir: &Path) -> io::Result<Spool> {
        let dir = work_dir.join(".spool");
        fs::create_dir_all(&dir)?;
        Ok(Spool { dir, boot_id: fs::read_to_string(BOOT_ID_FILE)?.trim().to_owned() })
    }

    /// Whether an entry was written in the present boot, so that everything written since is still to be seen.
    pub(crate) fn is_of_this_boot(&self, entry: &Entry) -> bool {
        entry.boot_id == self.boot_id
    }

    /// All entries, at a worker's start. One that cannot be read is set aside: its token is not listed, so the scheduler
    /// fences it. What a former process was just writing aside never counted, and goes.
    pub(crate) fn load(&self) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for file in fs::read_dir(&self.dir)? {
            let path = file?.path();
            match path.extension().and_then(OsStr::to_str) {
                Some("json") => entries.extend(read_or_set_aside(&path)),
                Some("new") => fs::remove_file(&path)?,
                _ => {}
            }
        }
        Ok(entries)
    }

    /// Writes an entry; readers see the old one or the new one. With `synced` it is on disk on return.
    pub(crate) fn save(&self, grant: &Grant, state: EntryState, synced: bool) -> io::Result<()> {
        let entry = Entry { boot_id: self.boot_id.clone(), grant: grant.clone(), state };
        let path = self.path(&grant.token);
        let aside = path.with_extension("new");
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&aside)?;
        file.write_all(&serde_json::to_vec(&entry)?)?;
        if synced {
            file.sync_all()?;
        }
        crash::point("before_spool_rename");
        fs::rename(&aside, &path)?;
        if synced { File::open(&self.dir)?.sync_all() } else { Ok(()) }
    }

    /// Forgets an attempt.
    pub(crate) fn remove(&self, token: &Token) -> io::Result<()> {
        crash::point("before_spool_removal");
        match fs::remove_file(self.path(token)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        crash::point("after_spool_removal");
        Ok(())
    }

    fn path(&self, token: &Token) -> PathBuf {
        self.dir.join(format!("{}.json", file_name_of(token.as_str())))
    }
}

fn read_or_set_aside(path: &Path) -> Option<Entry> {
    let read = read(path);
    if let Err(error) = &read {
        warn!(path = %path.display(), error = %error, "spool entry is unreadable, set aside");
        // What cannot even be renamed is met again at the next start.
        let _kept = fs::rename(path, path.with_extension("unreadable"));
    }
    read.ok()
}

fn read(path: &Path) -> io::Result<Entry> {
    let mut text = Vec::new();
    File::open(path)?.take(ENTRY_BYTES_MAX).read_to_end(&mut text)?;
    Ok(serde_json::from_slice(&text)?)
}
