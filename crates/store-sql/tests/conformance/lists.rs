//! Lists, counts, families and what may be purged.

use std::collections::BTreeMap;

use model::job::{JobHeader, ParentRef};
use model::{Attempt, JobStatus, Run, Shard};
use ports::store::{Batch, CommitOutcome, JobFilter, Store};

use crate::samples::{NOW, Term, header, job_id, job_row};

async fn write(store: &dyn Store, headers: impl IntoIterator<Item = JobHeader>) {
    let mut term = Term::take(store, &[0, 1, 2, 3], 1).await.expect("taken");
    let jobs = headers.into_iter().map(job_row).collect();
    assert_eq!(term.commit(Batch { jobs, ..Batch::default() }).await, CommitOutcome::Committed);
}

fn child_of(serial: u64, parent: u64) -> JobHeader {
    let parent = ParentRef {
        job: job_id(parent),
        action: "call".into(),
        run: Run(0),
        attempt: Attempt(1),
        depth: 1,
    };
    JobHeader { parent: Some(parent), ..header(serial) }
}

/// Serials of a page, as they come.
async fn listed(store: &dyn Store, filter: JobFilter) -> Vec<u64> {
    let page = store.jobs(&JobFilter { len: 100, ..filter }).await.expect("listed");
    assert_eq!(page.total, page.jobs.len() as u64);
    page.jobs.iter().map(|job| job.id.serial()).collect()
}

pub(crate) async fn a_filter_takes_what_matches(store: &dyn Store) {
    let job = |serial, name: &str, user: &str, status| JobHeader {
        app_name: name.into(),
        user: user.into(),
        group: (serial == 2).then(|| "staff".into()),
        status,
        created_at: NOW + i64::try_from(serial).expect("small"),
        ..header(serial)
    };
    let long = "n".repeat(3000);
    write(
        store,
        [
            job(1, "etl", "joe", JobStatus::Running),
            job(2, "etl", "ann", JobStatus::Succeeded),
            job(3, "50%_off", "joe", JobStatus::Killed),
            job(4, &long, "Joe", JobStatus::Running),
            child_of(5, 1),
        ],
    )
    .await;
    let texts =
        |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<String>>();
    let none = JobFilter::default;
    let filters = [
        (none(), vec![4, 3, 2, 1, 5]),
        (JobFilter { ids: vec![job_id(3).to_string(), "x".to_owned()], ..none() }, vec![3]),
        (JobFilter { users: texts(&["joe", "ann"]), ..none() }, vec![3, 2, 1, 5]),
        (JobFilter { users: texts(&["joe"]), names: texts(&["etl"]), ..none() }, vec![1]),
        (JobFilter { groups: texts(&["staff", "x"]), ..none() }, vec![2]),
        (JobFilter { names: texts(&[&long]), ..none() }, vec![4]),
        (
            JobFilter { statuses: vec![JobStatus::Killed, JobStatus::Succeeded], ..none() },
            vec![3, 2],
        ),
        (JobFilter { texts: texts(&["%_"]), ..none() }, vec![3]),
        (JobFilter { texts: texts(&["etl", "Jo"]), ..none() }, vec![4, 2, 1]),
        (JobFilter { texts: texts(&["0000002-"]), ..none() }, vec![2]),
        (JobFilter { texts: texts(&["ETL"]), ..none() }, vec![]),
        (
            JobFilter { created_from: Some(NOW + 2), created_to: Some(NOW + 3), ..none() },
            vec![3, 2],
        ),
        (JobFilter { parent: Some(job_id(1)), ..none() }, vec![5]),
    ];
    for (filter, expected) in filters {
        let said = format!("{filter:?}");
        assert_eq!(listed(store, filter).await, expected, "{said}");
    }
}

pub(crate) async fn pages_are_newest_first_and_know_the_total(store: &dyn Store) {
    let job = |serial: u64, created: i64, changed: i64| JobHeader {
        created_at: NOW + created,
        changed_at: NOW + changed,
        ..header(serial)
    };
    write(store, [job(1, 5, 10), job(2, 7, 30), job(3, 7, 20), job(4, 1, 40)]).await;
    assert_eq!(listed(store, JobFilter::default()).await, [3, 2, 1, 4]);
    assert_eq!(
        listed(store, JobFilter { by_last_modified: true, ..JobFilter::default() }).await,
        [4, 2, 3, 1]
    );
    for (offset, len, expected) in
        [(0, 2, vec![3, 2]), (2, 5, vec![1, 4]), (9, 5, vec![]), (0, 0, vec![])]
    {
        let page =
            store.jobs(&JobFilter { offset, len, ..JobFilter::default() }).await.expect("listed");
        assert_eq!(page.total, 4);
        assert_eq!(page.jobs.iter().map(|job| job.id.serial()).collect::<Vec<_>>(), expected);
    }
}

pub(crate) async fn jobs_are_counted_by_status(store: &dyn Store) {
    let job = |serial, status| JobHeader { status, ..header(serial) };
    let (running, failed) = (JobStatus::Running, JobStatus::Failed);
    write(store, [job(1, running), job(2, running), job(3, failed)]).await;
    assert_eq!(store.job_counts().await, Ok(BTreeMap::from([(running, 2), (failed, 1)])));
}

pub(crate) async fn a_family_is_everybody_above_and_below(store: &dyn Store) {
    write(
        store,
        [
            header(1),
            child_of(5, 1),
            child_of(9, 5),
            child_of(13, 9),
            child_of(17, 9),
            child_of(21, 1),
            header(25),
        ],
    )
    .await;
    for (job, expected) in [
        (9, vec![5, 1, 13, 17]),
        (1, vec![5, 9, 13, 17, 21]),
        (21, vec![1]),
        (25, vec![]),
        (99, vec![]),
    ] {
        let family = store.family(&job_id(job)).await.expect("read");
        assert_eq!(family.iter().map(model::JobId::serial).collect::<Vec<_>>(), expected, "{job}");
    }
}

pub(crate) async fn a_tree_is_purgeable_when_all_of_it_ended_long_ago(store: &dyn Store) {
    let ended = |at, job: JobHeader| JobHeader {
        status: JobStatus::Succeeded,
        ended_at: Some(NOW + at),
        ..job
    };
    let unstopped =
        JobHeader { stopping: crate::samples::full_header(0).stopping, ..ended(1, header(29)) };
    write(
        store,
        [
            ended(3, header(1)),
            ended(1, child_of(5, 1)),
            ended(1, header(9)),
            ended(1, child_of(13, 9)),
            child_of(17, 13),
            ended(1, header(21)),
            ended(99, child_of(25, 21)),
            unstopped,
            ended(2, header(2)),
            ended(100, header(33)),
            header(37),
        ],
    )
    .await;
    let (one, two) = ([Shard(1)], [Shard(1), Shard(2)]);
    for (shards, before, jobs_max, expected) in [
        (&two[..], 50, 10, vec![2, 1]),
        (&one, 50, 10, vec![1]),
        (&two, 50, 1, vec![2]),
        (&one, 100, 10, vec![21, 1]),
    ] {
        let found = store.purgeable(shards, NOW + before, jobs_max).await.expect("read");
        assert_eq!(
            found.iter().map(model::JobId::serial).collect::<Vec<_>>(),
            expected,
            "{shards:?} {before}"
        );
    }
}
