//! Every call arrives as it was made, and every answer as it was given.

use std::fmt::Debug;
use std::sync::Arc;

use model::{
    AppDigest, Configuration, Diagnostic, JobId, Location, NodeName, Severity, Timestamp,
    WorkflowJob,
};
use ports::api::{
    ApiError, ApiErrorKind, Explanation, PolicyApi, SchedulerApi, SubmitRequest, Wait,
};
use ports::store::{JobPage, Reads, StoreError};

use crate::double::{Scene, scene};
use crate::generated::{self, samples};

const SAMPLES: usize = 24;

fn some_job() -> JobId {
    "0000123-261122144400000-howdah-W".parse().unwrap()
}

impl Scene {
    /// What was asked last is what the test asked.
    fn check_asked(&self, question: impl Debug) {
        assert_eq!(self.double.told().asked.last(), Some(&format!("{question:?}")));
    }
}

#[tokio::test]
async fn submits_and_dry_runs_arrive_as_they_were_made() {
    let scene = scene().await;
    for (request, job) in samples((generated::submit(), generated::job_id()), SAMPLES) {
        scene.double.told().job = Some(job.clone());
        assert_eq!(scene.client.submit(request.clone()).await, Ok(job));
        scene.check_asked(("submit", request.clone()));
        assert_eq!(scene.client.dry_run(request.clone()).await, Ok(()));
        scene.check_asked(("dry_run", request));
    }
}

#[tokio::test]
async fn commands_arrive_as_they_were_made() {
    let scene = scene().await;
    let commands = (generated::job_id(), generated::text(), generated::command());
    for (job, user, command) in samples(commands, SAMPLES) {
        assert_eq!(scene.client.command(&job, &user, command.clone()).await, Ok(()));
        scene.check_asked(("command", job, user, command));
    }
}

#[tokio::test]
async fn explanations_waits_and_counts_come_back() {
    let (scene, job) = (scene().await, some_job());
    let wait = Wait {
        action: Some(NodeName::new("a\"b")),
        attempt: Some(2),
        status: None,
        waiting_for: "a worker of the pool 'ä'".to_owned(),
        since: Timestamp(i64::MAX),
        until: None,
    };
    let words = || "…".to_owned();
    let explanation =
        Explanation { job: words(), status: words(), summary: words(), waits: vec![wait] };
    let ready = vec![(Arc::from("z"), 1), (Arc::from("a"), u64::MAX)];
    scene.double.told().explanation = Some(explanation.clone());
    scene.double.told().ready.clone_from(&ready);

    assert_eq!(scene.client.explain(&job).await, Ok(explanation));
    assert_eq!(scene.client.wait_for_history(&job, -3).await, Ok(()));
    scene.check_asked(("wait_for_history", &job, -3));
    assert_eq!(scene.client.ready_attempts().await, ready);
}

#[tokio::test]
async fn the_policy_is_read_and_changed() {
    let scene = scene().await;
    for (change, row) in samples((generated::policy_change(), generated::policy_row()), SAMPLES) {
        scene.double.told().policy = Some(row.clone());
        assert_eq!(scene.client.policy().await.as_ref(), Ok(&row));
        assert_eq!(scene.client.change_policy(change.clone()).await, Ok(row));
        scene.check_asked(("change_policy", change));
    }
}

#[tokio::test]
async fn jobs_are_loaded_with_all_that_they_have() {
    let scene = scene().await;
    for job in samples(generated::job(), SAMPLES) {
        scene.double.told().loaded = Some(job.clone());
        assert_eq!(scene.client.load(job.id()).await, Ok(Some(job)));
    }
    scene.double.told().loaded = None;
    assert_eq!(scene.client.load(&some_job()).await, Ok(None));
}

/// 40 MB: more than any one message may be.
#[tokio::test]
async fn a_job_of_any_size_is_loaded() {
    let scene = scene().await;
    let job = samples(generated::job(), SAMPLES).into_iter().find(|job| !job.actions.is_empty());
    let job = large(job.unwrap(), 40, 1_000_000);
    scene.double.told().loaded = Some(job.clone());
    let loaded = scene.client.load(job.id()).await.unwrap().unwrap();
    assert!(loaded == job, "it came back changed");
}

fn large(mut job: WorkflowJob, actions: usize, bytes: usize) -> WorkflowJob {
    let pattern = job.actions.values().next().unwrap().as_ref().clone();
    for number in 0..actions {
        let mut action = pattern.clone();
        action.name = NodeName::new(format!("a{number}"));
        action.conf = Some("x".repeat(bytes).into());
        job.actions.insert(action.name.clone(), Arc::new(action));
    }
    job
}

#[tokio::test]
async fn pages_definitions_history_and_external_ids_are_read() {
    let (scene, job) = (scene().await, some_job());
    let headers = samples(generated::job(), 3).into_iter().map(|mut job| {
        job.header.conf = Arc::new(Configuration::new());
        job.header
    });
    let page = JobPage { jobs: headers.collect(), total: u64::MAX };
    let lines = samples(generated::line(), SAMPLES);
    scene.double.told().page = page.clone();
    scene.double.told().lines.clone_from(&lines);

    for filter in samples(generated::filter(), SAMPLES) {
        assert_eq!(scene.client.jobs(&filter).await.as_ref(), Ok(&page));
        scene.check_asked(("jobs", filter));
    }
    assert_eq!(scene.client.history(&job, 7, 1_000).await, Ok(lines));
    scene.check_asked(("history", &job, 7, 1_000));
    for app in samples(generated::app(), SAMPLES) {
        scene.double.told().app = Some(app.clone());
        assert_eq!(scene.client.app(&AppDigest::new("d")).await, Ok(Some(app)));
    }
    assert_eq!(scene.client.by_external_id("ä/?#").await, Ok(None));
    scene.check_asked(("by_external_id", "ä/?#"));
    scene.double.told().job = Some(job.clone());
    assert_eq!(scene.client.by_external_id("x").await, Ok(Some(job)));
}

#[tokio::test]
async fn refusals_keep_kind_code_words_and_findings() {
    let scene = scene().await;
    let finding = Diagnostic {
        code: "E0701".to_owned(),
        severity: Severity::Warning,
        at: Location { line: 3, column: 7 },
        span: 5..19,
        message: "`ä€` is not allowed here\n".to_owned(),
        help: Some("x".repeat(100)),
    };
    for kind in [
        ApiErrorKind::BadRequest,
        ApiErrorKind::NotFound,
        ApiErrorKind::Unauthorized,
        ApiErrorKind::Unavailable,
        ApiErrorKind::Internal,
    ] {
        let mut refusal = ApiError::new(kind, "E0803", "nö\r\n\0");
        refusal.diagnostics = vec![finding.clone(); 2];
        scene.double.told().refusal = Some(refusal.clone());
        assert_eq!(scene.client.explain(&some_job()).await, Err(refusal.clone()));
        assert_eq!(scene.client.policy().await, Err(refusal));
    }
    let mut refusal = ApiError::new(ApiErrorKind::BadRequest, "E0701", "");
    refusal.diagnostics = vec![finding; 1_500];
    scene.double.told().refusal = Some(refusal.clone());
    assert_eq!(scene.client.explain(&some_job()).await, Err(refusal));
}

#[tokio::test]
async fn a_refusal_that_is_too_long_is_cut_and_still_one() {
    let scene = scene().await;
    let refusal = ApiError::new(ApiErrorKind::BadRequest, "E0701", "x".repeat(3_000_000));
    scene.double.told().refusal = Some(refusal);
    let error = scene.client.explain(&some_job()).await.unwrap_err();
    assert_eq!((error.kind, error.code.as_str()), (ApiErrorKind::BadRequest, "E0701"));
    assert!(error.message.starts_with("xxx") && error.message.len() > 100_000);
}

#[tokio::test]
async fn what_the_database_says_is_told_apart() {
    let scene = scene().await;
    let source_message = "ä".to_owned();
    for error in [
        StoreError::Unavailable { what: "read a job", source_message: source_message.clone() },
        StoreError::Corrupt { what: "read a job", source_message: source_message.clone() },
        StoreError::Refused { why: source_message },
    ] {
        scene.double.told().store_error = Some(error.clone());
        assert_eq!(scene.client.load(&some_job()).await, Err(error));
    }
}

#[tokio::test]
async fn calls_are_counted_by_method_and_traces_are_handed_on() {
    let scene = scene().await;
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned();
    let explain = scene.client.policy();
    scene.double.told().policy = samples(generated::policy_row(), 1).pop();
    rpc::trace::within(Some(parent.clone()), explain).await.unwrap();
    scene.client.policy().await.unwrap();
    scene.client.load(&some_job()).await.unwrap();

    let told = scene.double.told();
    assert_eq!(told.traces, [Some(parent), None]);
    assert_eq!(told.calls.iter().collect::<Vec<_>>(), [(&"load", &1), (&"policy", &2)]);
}

#[tokio::test]
async fn one_connection_carries_many_calls_at_once() {
    let scene = scene().await;
    scene.double.told().job = Some(some_job());
    let request = || SubmitRequest {
        conf: Configuration::new(),
        user: "joe".to_owned(),
        start: true,
        key: None,
    };
    let calls = (0..200).map(|_| scene.client.submit(request()));
    for answer in futures::future::join_all(calls).await {
        assert_eq!(answer, Ok(some_job()));
    }
}
