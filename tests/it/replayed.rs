//! The history of a job, taken from a stopped server's database, rebuilds its rows bit for bit.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use definition::WorkflowSources;
use engine::{Event, replay};
use model::{AppDigest, JobId, Timestamp, WorkflowApp};
use ports::store::{JobFilter, Reads};
use store_sql::{NewCluster, SqliteStore};

/// Checks every job of a data directory whose server has ended. Answers how many there were.
pub(crate) fn check_all(data_dir: &Path) -> usize {
    with_jobs(data_dir, async |store, jobs| {
        for job in &jobs {
            check(store, job).await;
        }
        jobs.len()
    })
}

/// The events of every job of a data directory whose server has ended.
pub(crate) fn histories(data_dir: &Path) -> BTreeMap<String, Vec<Event>> {
    with_jobs(data_dir, async |store, jobs| {
        let mut histories = BTreeMap::new();
        for job in &jobs {
            let lines = store.history(job, 0, 1_000_000).await.unwrap();
            let events =
                lines.iter().map(|line| serde_json::from_str(&line.event).unwrap()).collect();
            histories.insert(job.to_string(), events);
        }
        histories
    })
}

fn with_jobs<T>(data_dir: &Path, work: impl AsyncFnOnce(&SqliteStore, Vec<JobId>) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let create = NewCluster { system_id: "unused".to_owned(), shards: 64, now: Timestamp(0) };
        let store = SqliteStore::open(data_dir, &create).await.unwrap();
        let page = store.jobs(&JobFilter { len: 100_000, ..JobFilter::default() }).await.unwrap();
        let jobs = page.jobs.iter().map(|header| header.id.clone()).collect();
        work(&store, jobs).await
    })
}

async fn check(store: &SqliteStore, job: &JobId) {
    let lines = store.history(job, 0, 1_000_000).await.unwrap();
    let events: Vec<(Timestamp, Event)> =
        lines.iter().map(|line| (line.at, serde_json::from_str(&line.event).unwrap())).collect();
    let mut apps: BTreeMap<AppDigest, Arc<WorkflowApp>> = BTreeMap::new();
    for (_, event) in &events {
        let digest = match event {
            Event::Submitted(submission) => &submission.app,
            Event::Rerun(request) => &request.app,
            _ => continue,
        };
        apps.insert(digest.clone(), app(store, digest).await);
    }
    let replayed = replay::replay(
        events.iter().map(|(at, event)| (*at, event)),
        &|digest| apps.get(digest).cloned(),
        |_, _, _, _| {},
    );
    let stored = store.load(job).await.unwrap().unwrap();
    assert_eq!(replayed.unwrap().as_ref(), Some(&stored), "the history of {job} leads elsewhere");
}

async fn app(store: &SqliteStore, digest: &AppDigest) -> Arc<WorkflowApp> {
    let source = store.app(digest).await.unwrap().unwrap();
    let defaults =
        source.config_default.as_deref().map(|text| definition::read_configuration(text).unwrap());
    let sources = WorkflowSources {
        config_default: defaults.as_ref(),
        inherited_global: source.inherited_global.as_deref(),
        validate_fork_join: false,
        ..WorkflowSources::of(&source.definition)
    };
    Arc::new(definition::read_workflow(sources).unwrap())
}
