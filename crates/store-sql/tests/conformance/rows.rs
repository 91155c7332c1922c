//! What goes in comes out.

use std::sync::Arc;

use model::job::JobHeader;
use model::{ActionId, ActionStatus, AppDigest, JobStatus, WorkflowJob};
use ports::store::{AppSource, Batch, CommitOutcome, QuarantinedEvent, Store};

use crate::samples::{
    NOW, Term, action_row, batch_of, conf, full_action, full_header, header, job_id, job_row, line,
    node,
};

async fn loaded(store: &dyn Store, serial: u64) -> WorkflowJob {
    store.load(&job_id(serial)).await.expect("it loads").expect("it is there")
}

async fn write(store: &dyn Store, batch: Batch) {
    let mut term = Term::take(store, &[0, 1, 2, 3], 1).await.expect("taken");
    assert_eq!(term.commit(batch).await, CommitOutcome::Committed);
}

pub(crate) async fn every_field_comes_back(store: &dyn Store) {
    let id = job_id(1);
    let actions = [full_action("a"), full_action(":start:")];
    let batch = Batch {
        actions: actions.iter().map(|action| action_row(&id, action.clone())).collect(),
        ..batch_of(full_header(1))
    };
    write(store, batch).await;
    let expected = WorkflowJob {
        header: full_header(1),
        actions: actions
            .into_iter()
            .map(|action| (action.name.clone(), Arc::new(action)))
            .collect(),
    };
    assert_eq!(loaded(store, 1).await, expected);
}

pub(crate) async fn a_job_without_optional_fields_comes_back(store: &dyn Store) {
    write(store, batch_of(header(2))).await;
    assert_eq!(loaded(store, 2).await, WorkflowJob { header: header(2), actions: [].into() });
    assert_eq!(store.load(&job_id(3)).await, Ok(None));
}

pub(crate) async fn a_row_that_is_written_again_is_replaced(store: &dyn Store) {
    let id = job_id(1);
    let mut first = batch_of(full_header(1));
    first.actions = vec![action_row(&id, full_action("a")), action_row(&id, full_action("b"))];
    write(store, first).await;
    let changed = JobHeader { status: JobStatus::Killed, ..header(1) };
    let mut action = full_action("a");
    action.status = ActionStatus::Killed;
    action.claim = None;
    let mut second = batch_of(changed.clone());
    second.jobs[0].conf = None;
    second.actions = vec![action_row(&id, action.clone())];
    write(store, second).await;
    let job = loaded(store, 1).await;
    assert_eq!(job.header, changed);
    assert_eq!(*job.header.conf, conf());
    assert_eq!(job.action(&node("a")), Some(&action));
    assert_eq!(job.action(&node("b")), Some(&full_action("b")));
}

pub(crate) async fn actions_that_are_gone_do_not_come_back(store: &dyn Store) {
    let id = job_id(1);
    let mut first = batch_of(header(1));
    first.actions = ["a", "b", "c"].map(|name| action_row(&id, full_action(name))).into();
    write(store, first).await;
    let mut back = full_action("b");
    back.retries = 99;
    let gone = |name| ActionId { job: id.clone(), name: node(name) };
    write(
        store,
        Batch {
            gone_actions: vec![gone("a"), gone("b"), gone("never there")],
            actions: vec![action_row(&id, back.clone())],
            ..Batch::default()
        },
    )
    .await;
    let job = loaded(store, 1).await;
    assert_eq!(job.actions.keys().map(|name| name.as_str()).collect::<Vec<_>>(), ["b", "c"]);
    assert_eq!(job.action(&node("b")), Some(&back));
}

pub(crate) async fn hundreds_of_rows_go_in_at_once(store: &dyn Store) {
    let id = job_id(0);
    let mut batch = batch_of(header(0));
    batch.jobs.extend((1..=229).map(|serial| job_row(header(serial))));
    batch.actions = (0..397).map(|n| action_row(&id, full_action(&format!("a{n:03}")))).collect();
    batch.lines = (0..301).map(|n| line(&job_id(n), &n.to_string())).collect();
    write(store, batch).await;
    assert_eq!(loaded(store, 0).await.actions.len(), 397);
    assert_eq!(loaded(store, 229).await.header, header(229));
    assert_eq!(store.history(&job_id(300), 0, 10).await.expect("read")[0].event, "300");
}

pub(crate) async fn a_purged_job_takes_everything_with_it(store: &dyn Store) {
    for serial in [1, 5] {
        let mut batch = batch_of(full_header(serial));
        batch.actions = vec![action_row(&job_id(serial), full_action("a"))];
        batch.submissions = vec![(format!("key {serial}"), job_id(serial))];
        write(store, batch).await;
    }
    write(store, Batch { gone_jobs: vec![job_id(1)], ..Batch::default() }).await;
    assert_eq!(store.load(&job_id(1)).await, Ok(None));
    assert_eq!(store.history(&job_id(1), 0, 10).await, Ok(vec![]));
    assert_eq!(store.submission("key 1").await, Ok(None));
    assert_eq!(loaded(store, 5).await.actions.len(), 1);
    assert_eq!(store.history(&job_id(5), 0, 10).await.expect("read").len(), 1);
    assert_eq!(store.submission("key 5").await, Ok(Some(job_id(5))));
    // The same id again: nothing of the former job is left to mix with.
    write(store, batch_of(header(1))).await;
    assert_eq!(loaded(store, 1).await.actions.len(), 0);
}

pub(crate) async fn a_definition_and_a_submission_stay_what_they_were(store: &dyn Store) {
    let source = |text: &str| AppSource {
        definition: text.to_owned(),
        config_default: Some("<configuration/>".to_owned()),
        inherited_global: Some("<global/>".to_owned()),
    };
    let digest = AppDigest::new("d1");
    for (serial, text) in [(1, "first"), (5, "second")] {
        let mut batch = batch_of(header(serial));
        batch.apps = vec![(digest.clone(), Arc::new(source(text)))];
        batch.submissions = vec![("key".to_owned(), job_id(serial))];
        write(store, batch).await;
    }
    assert_eq!(store.app(&digest).await, Ok(Some(source("first"))));
    assert_eq!(store.app(&AppDigest::new("d2")).await, Ok(None));
    assert_eq!(store.submission("key").await, Ok(Some(job_id(1))));
    assert_eq!(store.submission("other").await, Ok(None));
}

pub(crate) async fn the_newest_job_with_an_external_id_is_found(store: &dyn Store) {
    for (serial, created_at) in [(1, NOW + 5), (2, NOW + 9), (3, NOW)] {
        write(
            store,
            batch_of(JobHeader { external_id: Some("e".into()), created_at, ..header(serial) }),
        )
        .await;
    }
    assert_eq!(store.by_external_id("e").await, Ok(Some(job_id(2))));
    assert_eq!(store.by_external_id("f").await, Ok(None));
}

pub(crate) async fn quarantined_events_come_newest_first(store: &dyn Store) {
    let event = |at, why: &str| QuarantinedEvent {
        job: job_id(1),
        at: NOW + at,
        event: "{\"x\":\"\\u0000\"}".to_owned(),
        why: why.to_owned(),
    };
    let all = vec![event(1, "a"), event(3, "b"), event(2, "c")];
    write(store, Batch { quarantined: all, ..Batch::default() }).await;
    assert_eq!(store.quarantined(2).await, Ok(vec![event(3, "b"), event(2, "c")]));
}

pub(crate) async fn what_can_never_be_stored_is_rejected_and_changes_nothing(store: &dyn Store) {
    let good = || batch_of(header(1));
    let mut twice = good();
    twice.jobs.push(job_row(header(1)));
    let mut both = good();
    both.gone_jobs.push(job_id(1));
    let mut key = good();
    key.submissions.push(("a\0b".to_owned(), job_id(1)));
    let mut event = good();
    event.lines[0].event = "\0".to_owned();
    let mut foreign = good();
    foreign.actions.push(action_row(&job_id(3), full_action("a")));
    for (batch, why) in [
        (batch_of(JobHeader { app_name: "a\0".into(), ..header(1) }), "NUL"),
        (key, "NUL"),
        (event, "NUL"),
        (twice, "twice"),
        (both, "twice"),
        (foreign, "no fence"),
    ] {
        let mut term = Term::take(store, &[0, 1], 1).await.expect("taken");
        let outcome = term.commit(batch).await;
        assert!(
            matches!(&outcome, CommitOutcome::Rejected(said) if said.contains(why)),
            "{why}: {outcome:?}"
        );
    }
    let mut term = Term::take(store, &[0, 1], 1).await.expect("taken");
    let mut sparse = term.fenced(good());
    sparse.lines[0].n += 1;
    assert!(matches!(store.commit(&sparse).await, CommitOutcome::Rejected(_)));
    assert_eq!(store.load(&job_id(1)).await, Ok(None));
    assert_eq!(term.commit(good()).await, CommitOutcome::Committed);
}
