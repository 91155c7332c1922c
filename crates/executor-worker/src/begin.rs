//! What a worker finds when it begins: its binary, and what a former process left in the directory.

use std::io;
use std::time::Duration;

use supervisor::Binary;
use tokio::task;
use tokio::time::sleep;
use tracing::warn;

use crate::attempt_dir::{self, AttemptDir};
use crate::config::Config;
use crate::failure::with_causes;
use crate::spool::{Entry, Spool};

/// Between two tries.
const INTERVAL: Duration = Duration::from_secs(5);

/// Everything that is read once.
pub(crate) struct Found {
    /// Held open, so that attempts start when its file is replaced or deleted under this worker.
    pub(crate) binary: Binary,
    pub(crate) spool: Spool,
    pub(crate) entries: Vec<Entry>,
    /// Directories that no entry speaks of.
    pub(crate) orphans: Vec<AttemptDir>,
}

/// Tries until everything can be used: a worker without it can neither run nor report anything.
pub(crate) async fn find(config: &Config) -> Found {
    loop {
        let (work_dir, program) = (config.work_dir.clone(), config.supervisor.clone());
        let found = task::spawn_blocking(move || {
            let binary =
                Binary::open(&program).map_err(|error| io::Error::other(with_causes(&error)))?;
            let spool = Spool::open(&work_dir)?;
            let entries = spool.load()?;
            let known: Vec<AttemptDir> =
                entries.iter().map(|entry| AttemptDir::of(&work_dir, &entry.grant)).collect();
            let orphans = attempt_dir::all(&work_dir)
                .into_iter()
                .filter(|dir| !known.contains(dir))
                .collect();
            Ok(Found { binary, spool, entries, orphans })
        });
        match found.await.unwrap_or_else(|error| Err(io::Error::other(error))) {
            Ok(found) => return found,
            Err(error) => {
                warn!(work_dir = %config.work_dir.display(), error = %error, "working directory or binary cannot be used, trying again");
                sleep(INTERVAL).await;
            }
        }
    }
}

/// Directories that nothing is remembered of: their ends were acknowledged, or their tokens are fenced.
pub(crate) fn remove_orphans(orphans: &[AttemptDir]) {
    for orphan in orphans {
        let done = match supervisor::inspect(orphan.path()) {
            Ok(supervisor::State::Running(claim)) => {
                supervisor::request_stop(orphan.path(), Some(&claim))
            }
            Ok(_) => orphan.remove(),
            Err(error) => Err(error),
        };
        if let Err(error) = done {
            warn!(path = %orphan.path().display(), error = %error, "orphaned attempt directory stays");
        }
    }
}
