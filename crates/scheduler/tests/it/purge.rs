//! Jobs that are over and old go away with everything that is kept about them.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use files_local::{LocalLogs, SystemClock, log_dir};
use model::{ActionId, Attempt, JobId, NodeName, Run};
use ports::clock::Clock;
use ports::files::FilesError;
use ports::logs::{LogKey, LogStream, Logs};
use ports::store::Store;

use crate::bench::{PATIENCE, Running, app, noop, sqlite};

/// Logs on disk; their removal can be made to fail, and sees to it that their job is still there.
struct Watched {
    logs: LocalLogs,
    store: Arc<dyn Store>,
    fails_for: Option<JobId>,
}

#[async_trait]
impl Logs for Watched {
    async fn attempts(&self, action: &ActionId) -> Result<Vec<LogKey>, FilesError> {
        self.logs.attempts(action).await
    }

    async fn read(
        &self,
        key: &LogKey,
        stream: LogStream,
        offset: u64,
        bytes_max: usize,
    ) -> Result<Vec<u8>, FilesError> {
        self.logs.read(key, stream, offset, bytes_max).await
    }

    async fn len(&self, key: &LogKey, stream: LogStream) -> Result<u64, FilesError> {
        self.logs.len(key, stream).await
    }

    async fn remove(&self, job: &JobId) -> Result<bool, FilesError> {
        assert!(self.store.load(job).await.unwrap().is_some(), "logs go before their job");
        if self.fails_for.as_ref() == Some(job) {
            return Err(FilesError::Io {
                what: "remove".to_owned(),
                path: job.to_string(),
                source_message: "planted".to_owned(),
            });
        }
        self.logs.remove(job).await
    }
}

/// A log as a worker leaves it.
fn written(root: &Path, job: &JobId) -> PathBuf {
    let action = ActionId { job: job.clone(), name: NodeName::new("a") };
    let dir = log_dir(root, &LogKey { action, run: Run(0), attempt: Attempt(1) });
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join("stdout"), "said").unwrap();
    dir
}

async fn until_gone(store: &dyn Store, job: &JobId) {
    let gone = async {
        while store.load(job).await.unwrap().is_some() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.unwrap();
}

#[tokio::test]
async fn an_old_job_takes_its_logs_and_its_definition_along_and_stays_while_it_cannot() {
    let dir = tempfile::tempdir().unwrap();
    let store = sqlite(dir.path()).await;
    let root = dir.path().join("logs");
    let running = Running::start(Arc::clone(&store), "a").await;
    let worker = running.work("w");
    let mut jobs = Vec::new();
    for name in ["stays", "goes"] {
        let nodes = format!("<start to='a'/>{}", noop("a", "end"));
        let app = app(dir.path(), name, &nodes);
        let job = running.submit(&app, &[]).await;
        running.ended(&job).await;
        let digest = store.load(&job).await.unwrap().unwrap().header.app.clone();
        jobs.push((written(&root, &job), digest, job));
    }
    running.stop().await;
    worker.await.unwrap();
    let [(log_stays, app_stays, stays), (log_goes, app_goes, goes)] = jobs.try_into().unwrap();
    let ended_at = store.load(&goes).await.unwrap().unwrap().header.ended_at.unwrap();
    while SystemClock.now() <= ended_at {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    for fails_for in [Some(stays.clone()), None] {
        let logs = LocalLogs::new(root.clone());
        let still_stays = fails_for.is_some();
        let logs = Arc::new(Watched { logs, store: Arc::clone(&store), fails_for });
        let purging =
            Running::start_purging(Arc::clone(&store), logs, "a", Some(Duration::ZERO)).await;
        until_gone(&*store, if still_stays { &goes } else { &stays }).await;
        purging.stop().await;
        assert!(!log_goes.exists());
        assert_eq!(store.app(&app_goes).await, Ok(None));
        assert_eq!(store.load(&stays).await.unwrap().is_some(), still_stays);
        assert_eq!(store.app(&app_stays).await.unwrap().is_some(), still_stays);
        assert_eq!(log_stays.exists(), still_stays);
    }
}
