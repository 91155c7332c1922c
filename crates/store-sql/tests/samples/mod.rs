//! Rows to write in tests, and a term of ownership that numbers lines and keeps its fences.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::action::{Answer, EarlierAttempt, Question};
use model::job::{Entry, JobHeader, Notification, ParentRef, Reason, Rules, Stopping};
use model::{
    ActionStatus, AppDigest, Attempt, AttemptResult, Claim, Configuration, ErrorClass, Failure,
    JobId, JobKind, JobStatus, NodeName, Nonce, Phase, RetryPolicy, Run, Shard, Timestamp, Token,
    UserRetry, WorkerId, WorkflowAction,
};
use ports::store::{
    ActionRow, Batch, CommitOutcome, Fence, HistoryLine, JobRow, ShardState, Store, StoreError,
};
use store_sql::NewCluster;

/// Shards of every database in tests.
pub(crate) const SHARDS: u16 = 4;
/// 2026-11-21T14:23:20.042Z.
pub(crate) const NOW: Timestamp = Timestamp(1_795_271_000_042);

/// What every database in tests is created with.
pub(crate) fn new_cluster() -> NewCluster {
    NewCluster { system_id: "test".to_owned(), shards: SHARDS, now: NOW }
}

/// The workflow job with this serial: it lives in shard `serial % SHARDS`.
pub(crate) fn job_id(serial: u64) -> JobId {
    JobId::new(serial, "261121142320042", "test", JobKind::Workflow)
}

/// A job that runs, with every field filled in.
pub(crate) fn full_header(serial: u64) -> JobHeader {
    let text = |text: &str| -> Arc<str> { text.into() };
    let parent = ParentRef {
        job: job_id(serial + 1000),
        action: "call".into(),
        run: Run(3),
        attempt: Attempt(2),
        depth: 1,
    };
    let stopping = Stopping {
        action: "a".into(),
        run: Run(1),
        attempt: Attempt(2),
        worker: WorkerId::new("w1"),
    };
    let notification = Notification {
        url: "http://x/?a=$".to_owned(),
        proxy: Some("p:1".to_owned()),
        tries: 2,
        due_at: Some(NOW),
    };
    JobHeader {
        id: job_id(serial),
        app: AppDigest::new("d1"),
        app_name: text("näme \"quoted\" \u{1F600} \\ \n\u{1}"),
        app_path: text("file:///apps/x"),
        conf: Arc::new(conf()),
        user: text("joe"),
        group: Some(text("users")),
        acl: Some(text("*")),
        parent: Some(parent),
        external_id: Some(text("ext-1")),
        rules: Arc::new(Rules::default()),
        status: JobStatus::Running,
        run: Run(7),
        created_at: NOW,
        started_at: Some(NOW + 1),
        ended_at: Some(NOW + 2),
        changed_at: NOW + 3,
        frontier: vec![Entry { node: "n".into(), path: text("/f:b") }],
        joins: BTreeMap::from([("j /".to_owned(), ["b1".to_owned(), "b2".to_owned()].into())]),
        kept: ["k1".into()].into(),
        rerun_children: BTreeMap::from([("call".into(), job_id(serial + 4))]),
        last_error_node: Some("e".into()),
        stopping: BTreeMap::from([(Token::new("t0"), stopping)]),
        notifications: BTreeMap::from([(5, notification)]),
        next_notification: u64::MAX,
        reason: Some(Reason { code: "HW0001".to_owned(), message: "because".to_owned() }),
    }
}

/// A job that runs, with nothing but what it must have.
pub(crate) fn header(serial: u64) -> JobHeader {
    JobHeader {
        app_name: "app".into(),
        group: None,
        acl: None,
        parent: None,
        external_id: None,
        run: Run(0),
        started_at: None,
        ended_at: None,
        changed_at: NOW,
        frontier: vec![],
        joins: BTreeMap::new(),
        kept: [].into(),
        rerun_children: BTreeMap::new(),
        last_error_node: None,
        stopping: BTreeMap::new(),
        notifications: BTreeMap::new(),
        next_notification: 0,
        reason: None,
        ..full_header(serial)
    }
}

/// A configuration with texts that are hard to store.
pub(crate) fn conf() -> Configuration {
    Configuration::from_iter([
        ("user.name", "joe"),
        ("a b", "<x>&\"'\u{fffd}\n"),
        ("empty", ""),
        ("ü", "日本"),
    ])
}

/// An action that waits, with every field filled in.
pub(crate) fn full_action(name: &str) -> WorkflowAction {
    let text = |text: &str| -> Option<Arc<str>> { Some(text.into()) };
    let failure = Failure {
        class: ErrorClass::NonTransient,
        phase: Phase::Check,
        code: "JA018".to_owned(),
        message: "m\u{7}".to_owned(),
        data: Some("a=b\n".to_owned()),
        external_id: Some("e".to_owned()),
        external_status: Some("FAILED/KILLED".to_owned()),
    };
    let question = |function: &str, answer| Question {
        function: function.to_owned(),
        args: vec!["x".to_owned()],
        answer,
    };
    let refused =
        Answer::Refused { code: "c".to_owned(), message: "m".to_owned(), transient: true };
    WorkflowAction {
        name: name.into(),
        kind: "shell".into(),
        status: ActionStatus::Running,
        path: "/f:b".into(),
        run: Run(2),
        attempt: Attempt(3),
        conf: text("<shell>\u{1}ä</shell>"),
        evaluated: true,
        cred: text("c"),
        transition: text("*"),
        created_at: NOW,
        started_at: Some(NOW + 1),
        ended_at: Some(NOW + 2),
        changed_at: NOW + 3,
        retries: 4,
        user_retry: UserRetry {
            count: 1,
            max: 2,
            interval_minutes: 3,
            policy: RetryPolicy::Exponential,
        },
        due_at: Some(NOW + 4),
        data: text("k=v\n"),
        stats: text("{\"a\":1}"),
        external_child_ids: text("1,2"),
        external_id: text("pid"),
        external_status: text("OK"),
        tracker_uri: text("t"),
        console_url: text("http://c"),
        error_code: text("E1"),
        error_message: text("em"),
        claim: Some(Claim {
            worker: WorkerId::new("w"),
            incarnation: u64::MAX,
            token: Token::new("tok"),
        }),
        result: Some(AttemptResult::Failed(failure)),
        questions: vec![
            question("fs:exists", Some(Answer::Bool(true))),
            question("fs:fileSize", Some(Answer::Int(-5))),
            question("x", Some(Answer::Text("t".to_owned()))),
            question("y", Some(refused)),
            question("z", None),
        ],
        pool: "default".into(),
        priority: -7,
        child: Some(job_id(77)),
        earlier: vec![EarlierAttempt {
            attempt: Attempt(1),
            started_at: Some(NOW),
            ended_at: NOW + 1,
            error_code: text("JA017"),
        }],
    }
}

/// A job's row with its configuration.
pub(crate) fn job_row(header: JobHeader) -> JobRow {
    JobRow { conf: Some(Arc::clone(&header.conf)), header: Arc::new(header), due_at: None }
}

/// An action's row.
pub(crate) fn action_row(job: &JobId, action: WorkflowAction) -> ActionRow {
    ActionRow { job: job.clone(), action: Arc::new(action), ready: false }
}

/// A line, to be numbered by [`Term::fenced`].
pub(crate) fn line(job: &JobId, event: &str) -> HistoryLine {
    HistoryLine {
        shard: job.shard(SHARDS),
        n: 0,
        at: NOW,
        job: job.clone(),
        name: "woke".to_owned(),
        event: event.to_owned(),
        engine: "1".to_owned(),
    }
}

/// A batch that writes this job and one line about it.
pub(crate) fn batch_of(header: JobHeader) -> Batch {
    let lines = vec![line(&header.id, "{}")];
    Batch { jobs: vec![job_row(header)], lines, ..Batch::default() }
}

/// Shards as they were when they were taken, and every batch since.
pub(crate) struct Term<'a> {
    pub(crate) store: &'a dyn Store,
    pub(crate) states: BTreeMap<Shard, ShardState>,
}

impl<'a> Term<'a> {
    /// Takes shards for an owner named after the nonce.
    pub(crate) async fn take(
        store: &'a dyn Store,
        shards: &[u16],
        nonce: u64,
    ) -> Result<Term<'a>, StoreError> {
        let shards: Vec<Shard> = shards.iter().copied().map(Shard).collect();
        let taken = store.take(&shards, &format!("owner {nonce}"), Nonce(nonce)).await?;
        Ok(Term { store, states: taken.into_iter().map(|state| (state.shard, state)).collect() })
    }

    /// The batch with its lines numbered, and the fences of all shards of this term.
    pub(crate) fn fenced(&self, mut batch: Batch) -> Batch {
        let mut ends: BTreeMap<Shard, i64> =
            self.states.iter().map(|(shard, state)| (*shard, state.pos)).collect();
        for line in &mut batch.lines {
            let end = ends.entry(line.shard).or_default();
            *end += 1;
            line.n = *end;
        }
        batch.fences = self
            .states
            .values()
            .map(|state| fence(state, ends[&state.shard] - state.pos))
            .collect();
        batch
    }

    /// Commits the batch and, when it is in, moves on.
    pub(crate) async fn commit(&mut self, batch: Batch) -> CommitOutcome {
        let batch = self.fenced(batch);
        let outcome = self.store.commit(&batch).await;
        if outcome == CommitOutcome::Committed {
            self.advance(&batch.fences);
        }
        outcome
    }

    /// Moves on past a batch that is in.
    pub(crate) fn advance(&mut self, fences: &[Fence]) {
        for fence in fences {
            if let Some(state) = self.states.get_mut(&fence.shard) {
                state.pos += fence.lines;
                state.next_serial = fence.next_serial;
            }
        }
    }
}

/// The fence that a shard in this state passes.
pub(crate) fn fence(state: &ShardState, lines: i64) -> Fence {
    Fence {
        shard: state.shard,
        epoch: state.epoch,
        nonce: state.owner_nonce,
        pos: state.pos,
        lines,
        next_serial: state.next_serial,
    }
}

/// A name as tests write it.
pub(crate) fn node(name: &str) -> NodeName {
    NodeName::new(name)
}
