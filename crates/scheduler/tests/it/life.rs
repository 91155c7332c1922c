//! One scheduler on SQLite.

use std::time::Duration;

use model::{ActionStatus, JobStatus, NodeName};
use ports::api::{ApiErrorKind, Command, SchedulerApi};
use ports::store::JobFilter;
use ports::work::{FromWorker, Hello, Session, ToWorker, WorkSource};

use crate::bench::{Running, app, chain, check_dense, check_replay, noop, request, sqlite, tokens};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chain_runs_and_its_history_rebuilds_it() {
    let dir = tempfile::tempdir().unwrap();
    let running = Running::start(sqlite(dir.path()).await, "a").await;
    let _worker = running.work("w1");
    let job = running.submit(&chain(dir.path(), 10), &[]).await;
    assert_eq!(running.ended(&job).await, JobStatus::Succeeded);
    let stored = check_replay(&*running.store, &job).await;
    assert!(stored.actions.values().all(|action| action.status == ActionStatus::Ok));
    check_dense(&*running.store).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_jobs_at_once_all_end() {
    let dir = tempfile::tempdir().unwrap();
    let running = Running::start(sqlite(dir.path()).await, "a").await;
    let _workers = [running.work("w1"), running.work("w2")];
    let app = chain(dir.path(), 5);
    let mut jobs = Vec::new();
    for _ in 0..50 {
        jobs.push(running.submit(&app, &[]).await);
    }
    for job in &jobs {
        assert_eq!(running.ended(job).await, JobStatus::Succeeded);
        check_replay(&*running.store, job).await;
    }
    let page = running.store.jobs(&JobFilter { len: 10, ..JobFilter::default() }).await.unwrap();
    assert_eq!((page.total, page.jobs.len()), (50, 10));
    check_dense(&*running.store).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_goes_on_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let app = chain(dir.path(), 6);
    let job = {
        let running = Running::start(sqlite(dir.path()).await, "a").await;
        let job = running.submit(&app, &[]).await;
        running.stop().await;
        job
    };
    let running = Running::start(sqlite(dir.path()).await, "a").await;
    let _worker = running.work("w1");
    assert_eq!(running.ended(&job).await, JobStatus::Succeeded);
    check_replay(&*running.store, &job).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_key_gives_the_same_job() {
    let dir = tempfile::tempdir().unwrap();
    let running = Running::start(sqlite(dir.path()).await, "a").await;
    let app = chain(dir.path(), 1);
    let (first, second) = tokio::join!(
        running.handle.submit(request(&app, &[], Some("k"))),
        running.handle.submit(request(&app, &[], Some("k")))
    );
    let third = running.handle.submit(request(&app, &[], Some("k"))).await;
    assert_eq!((first.clone().unwrap(), first.unwrap()), (second.unwrap(), third.unwrap()));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_token_gets_the_same_grant_and_a_kill_is_followed_by_a_stop() {
    let dir = tempfile::tempdir().unwrap();
    let running = Running::start(sqlite(dir.path()).await, "a").await;
    let job = running.submit(&chain(dir.path(), 1), &[]).await;
    let hello = Hello {
        worker: model::WorkerId::new("w"),
        incarnation: 1,
        pools: vec!["default".to_owned()],
    };
    let mut session = running.handle.open(hello).await.unwrap();
    let token = tokens(1);
    let mut granted = Vec::new();
    for _ in 0..2 {
        session
            .to_scheduler
            .send(FromWorker::Claim { pool: "default".to_owned(), tokens: token.clone() })
            .await
            .unwrap();
        match heard(&mut session).await {
            ToWorker::Grants { grants, .. } => granted.push(grants),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(granted[0].len(), 1);
    assert_eq!(granted[0], granted[1]);
    running.handle.command(&job, "joe", Command::Kill).await.unwrap();
    let stop = heard(&mut session).await;
    assert!(
        matches!(&stop, ToWorker::Stop { token: stopped, .. } if *stopped == token[0]),
        "{stop:?}"
    );
    session
        .to_scheduler
        .send(FromWorker::Stopped { job: job.clone(), token: token[0].clone() })
        .await
        .unwrap();
    while !matches!(
        session.from_scheduler.recv().await.unwrap(),
        ToWorker::StoppedAcknowledged { .. }
    ) {}
    let stored = check_replay(&*running.store, &job).await;
    assert_eq!((stored.header.status, stored.header.stopping.len()), (JobStatus::Killed, 0));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_comes_back_without_its_claim_gets_the_work_anew() {
    let dir = tempfile::tempdir().unwrap();
    let running = Running::start(sqlite(dir.path()).await, "a").await;
    let job = running.submit(&chain(dir.path(), 2), &[]).await;
    let hello = Hello {
        worker: model::WorkerId::new("w1"),
        incarnation: 1,
        pools: vec!["default".to_owned()],
    };
    let mut session = running.handle.open(hello).await.unwrap();
    session
        .to_scheduler
        .send(FromWorker::Claim { pool: "default".to_owned(), tokens: tokens(1) })
        .await
        .unwrap();
    assert!(
        matches!(heard(&mut session).await, ToWorker::Grants { grants, .. } if grants.len() == 1)
    );
    drop(session);
    let _back = running.work("w1");
    assert_eq!(running.ended(&job).await, JobStatus::Succeeded);
    let stored = check_replay(&*running.store, &job).await;
    assert_eq!(stored.action(&NodeName::new("a1")).unwrap().attempt.0, 2);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_child_workflow_is_created_joined_and_rerun_in_place() {
    let dir = tempfile::tempdir().unwrap();
    let running = Running::start(sqlite(dir.path()).await, "a").await;
    let worker = running.work("w1");
    let nodes = "<start to=\"x\"/><action name=\"x\"><shell xmlns=\"uri:oozie:shell-action:1.0\"><resource-manager>local</resource-manager><name-node>file:///</name-node><exec>${wf:run() gt 0 ? 'x' : nothing}</exec></shell><ok to=\"end\"/><error to=\"fail\"/></action>";
    let child = app(dir.path(), "child", nodes);
    let sub = format!(
        "<start to=\"s\"/><action name=\"s\"><sub-workflow><app-path>file://{}</app-path><propagate-configuration/></sub-workflow><ok to=\"end\"/><error to=\"fail\"/></action>",
        child.display()
    );
    let job = running.submit(&app(dir.path(), "parent", &sub), &[]).await;
    assert_eq!(running.ended(&job).await, JobStatus::Killed);
    let first = check_replay(&*running.store, &job)
        .await
        .action(&NodeName::new("s"))
        .unwrap()
        .child
        .clone()
        .unwrap();
    let again = Command::Rerun([("oozie.wf.rerun.failnodes", "true")].into_iter().collect());
    running.handle.command(&job, "joe", again).await.unwrap();
    assert_eq!(running.ended(&job).await, JobStatus::Succeeded);
    let stored = check_replay(&*running.store, &job).await;
    assert_eq!(
        stored.action(&NodeName::new("s")).unwrap().child.as_ref(),
        Some(&first),
        "the child keeps its id"
    );
    let child = check_replay(&*running.store, &first).await;
    assert_eq!((child.header.status, child.header.run.0), (JobStatus::Succeeded, 1));
    worker.abort();
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_about_no_job_and_bad_applications_say_what_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let running = Running::start(sqlite(dir.path()).await, "a").await;
    let nobody = "0000777-200101000000000-howdah-W".parse().unwrap();
    let error = running.handle.command(&nobody, "joe", Command::Kill).await.unwrap_err();
    assert_eq!((error.kind, error.code.as_str()), (ApiErrorKind::NotFound, "E0604"));
    let refused = |nodes: &'static str| {
        let path = app(dir.path(), "bad", nodes);
        let handle = running.handle.clone();
        async move { handle.submit(request(&path, &[], None)).await.unwrap_err().code }
    };
    assert_eq!(refused("<start to=\"nowhere\"/>").await, "E0708");
    assert_eq!(refused("<nonsense/>").await, "E0701");
    let missing =
        running.handle.submit(request(&dir.path().join("missing"), &[], None)).await.unwrap_err();
    assert_eq!(missing.code, "E0504");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn suspend_resume_and_questions_to_files() {
    let dir = tempfile::tempdir().unwrap();
    let running = Running::start(sqlite(dir.path()).await, "a").await;
    let _worker = running.work("w1");
    let there = format!("file://{}", dir.path().display());
    let nodes = format!(
        "<start to=\"d\"/><decision name=\"d\"><switch><case to=\"x\">${{fs:exists('{there}') and fs:isDir('{there}')}}</case><default to=\"fail\"/></switch></decision>{}",
        noop("x", "end")
    );
    let job =
        running.submit(&app(dir.path(), "ask", &nodes), &[("oozie.suspend.on.nodes", "x")]).await;
    assert_eq!(
        running
            .reached(&job, |status| status == JobStatus::Suspended || status.is_terminal())
            .await,
        JobStatus::Suspended
    );
    let explained = running.handle.explain(&job).await.unwrap();
    assert!(explained.summary.contains("HW1002"), "{explained:?}");
    running.handle.command(&job, "joe", Command::Resume).await.unwrap();
    assert_eq!(running.ended(&job).await, JobStatus::Succeeded);
    check_replay(&*running.store, &job).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fork_of_a_thousand_joins() {
    let dir = tempfile::tempdir().unwrap();
    let running = Running::start(sqlite(dir.path()).await, "a").await;
    let _workers = [running.work("w1"), running.work("w2")];
    let mut nodes = "<start to=\"f\"/><fork name=\"f\">".to_owned();
    nodes += &(0..1000).map(|index| format!("<path start=\"a{index}\"/>")).collect::<String>();
    nodes += "</fork>";
    nodes += &(0..1000).map(|index| noop(&format!("a{index}"), "j")).collect::<String>();
    nodes += "<join name=\"j\" to=\"end\"/>";
    let path = app(dir.path(), "wide", "");
    let text = std::fs::read_to_string(path.join("workflow.xml"))
        .unwrap()
        .replace("<kill", &format!("{nodes}<kill"));
    std::fs::write(path.join("workflow.xml"), text).unwrap();
    let job = match running.handle.submit(request(&path, &[], None)).await {
        Ok(job) => job,
        Err(error) => {
            return assert_eq!(
                error.code, "E0736",
                "a definition of this size is over Oozie's limit"
            );
        }
    };
    assert_eq!(running.ended(&job).await, JobStatus::Succeeded);
    tokio::time::timeout(Duration::from_secs(30), check_replay(&*running.store, &job))
        .await
        .unwrap();
    running.stop().await;
}

/// PostgreSQL refuses NUL in texts; what a worker tells is stored without, and nobody is set aside for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_worker_tells_is_stored_without_nul() {
    let dir = tempfile::tempdir().unwrap();
    let running = Running::start(sqlite(dir.path()).await, "a").await;
    let job = running.submit(&chain(dir.path(), 1), &[]).await;
    let hello = Hello {
        worker: model::WorkerId::new("w1"),
        incarnation: 1,
        pools: vec!["default".to_owned()],
    };
    let mut session = running.handle.open(hello).await.unwrap();
    let claim = FromWorker::Claim { pool: "default".to_owned(), tokens: tokens(1) };
    session.to_scheduler.send(claim).await.unwrap();
    let grant = loop {
        match session.from_scheduler.recv().await.unwrap() {
            ToWorker::Grants { mut grants, .. } if !grants.is_empty() => break grants.remove(0),
            _ => {}
        }
    };
    let told = model::Success {
        data: Some("a=\0b\n".to_owned()),
        external_id: Some("4711\0".to_owned()),
        ..model::Success::default()
    };
    let finish = FromWorker::Finish {
        job: grant.job,
        action: grant.action,
        token: grant.token,
        result: model::AttemptResult::Succeeded(told),
        next: None,
    };
    session.to_scheduler.send(finish).await.unwrap();
    assert_eq!(running.ended(&job).await, JobStatus::Succeeded);
    let stored = check_replay(&*running.store, &job).await;
    let action = stored.action(&NodeName::new("a1")).unwrap();
    assert_eq!(action.external_id.as_deref(), Some("4711\u{fffd}"));
    assert_eq!(action.data.as_deref(), Some("a=\u{fffd}b\n"));
    assert!(running.store.quarantined(10).await.unwrap().is_empty());
}

/// The next message but the list of shards.
async fn heard(session: &mut Session) -> ToWorker {
    loop {
        match session.from_scheduler.recv().await.unwrap() {
            ToWorker::Owns { .. } => {}
            message => return message,
        }
    }
}
