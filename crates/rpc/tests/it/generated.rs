//! Values of every shape that the ports let through: odd characters, empty and long texts, numbers at their ends.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use engine::placement::{Mode, Policy, Works};
use model::action::{Answer, Claim, EarlierAttempt, Question};
use model::job::{Entry, JobHeader, Notification, Reason, Rules, Stopping};
use model::{
    ActionStatus, AppDigest, Attempt, AttemptResult, Configuration, Epoch, ErrorClass, Failure,
    JobId, JobKind, JobStatus, MemberId, NodeName, Nonce, ParentRef, Phase, Run, Shard, Success,
    Timestamp, Token, UserRetry, WorkerId, WorkflowAction, WorkflowJob,
};
use ports::api::{Command, PolicyChange, SubmitRequest};
use ports::cluster::{ClusterMap, Failover, MemberView, Orders, PolicyRow, Vitals};
use ports::store::{AppSource, HistoryLine, JobFilter};
use ports::work::{FromWorker, Grant, HeldToken, Hello, ToWorker};
use proptest::collection::{btree_map, btree_set, vec};
use proptest::option::of;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

/// The same values at every run.
pub(crate) fn samples<S: Strategy>(strategy: S, count: usize) -> Vec<S::Value> {
    let mut runner = TestRunner::deterministic();
    let one = |_| strategy.new_tree(&mut runner).unwrap().current();
    (0..count).map(one).collect()
}

pub(crate) fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[a-z]{0,12}",
        Just("\0 \u{feff}\r\n\u{202e}ä€😀 &<>\"'%".to_owned()),
        Just("x".repeat(5_000)),
    ]
}

pub(crate) fn job_id() -> impl Strategy<Value = JobId> {
    (0..99_999_999_u64).prop_map(|n| JobId::new(n, "261122144400000", "howdah", JobKind::Workflow))
}

pub(crate) fn conf() -> impl Strategy<Value = Configuration> {
    btree_map(text(), text(), 0..8).prop_map(Configuration::from_iter)
}

fn arc_text() -> impl Strategy<Value = Arc<str>> {
    text().prop_map(Arc::from)
}

fn time() -> impl Strategy<Value = Timestamp> {
    any::<i64>().prop_map(Timestamp)
}

fn node() -> impl Strategy<Value = NodeName> {
    text().prop_map(NodeName::new)
}

fn token() -> impl Strategy<Value = Token> {
    text().prop_map(Token::new)
}

fn member() -> impl Strategy<Value = MemberId> {
    "[a-z]{1,8}".prop_map(MemberId::new)
}

pub(crate) fn submit() -> impl Strategy<Value = SubmitRequest> {
    (conf(), text(), any::<bool>(), of(text())).prop_map(|(conf, user, start, key)| SubmitRequest {
        conf,
        user,
        start,
        key,
    })
}

pub(crate) fn command() -> impl Strategy<Value = Command> {
    prop_oneof![
        Just(Command::Start),
        Just(Command::Suspend),
        Just(Command::Resume),
        Just(Command::Kill),
        conf().prop_map(Command::Rerun),
    ]
}

pub(crate) fn policy_change() -> impl Strategy<Value = PolicyChange> {
    prop_oneof![
        mode().prop_map(|mode| PolicyChange::Mode { mode }),
        Just(PolicyChange::Failback),
        (any::<bool>(), any::<i64>(), any::<i64>()).prop_map(|(failback, after, gap)| {
            PolicyChange::Hysteresis { failback, failback_after_ms: after, move_gap_ms: gap }
        }),
        (member(), of(any::<u32>()))
            .prop_map(|(member, weight)| PolicyChange::Weight { member, weight }),
        (member(), any::<bool>()).prop_map(|(member, on)| PolicyChange::Drain { member, on }),
    ]
}

fn mode() -> impl Strategy<Value = Mode> {
    prop_oneof![Just(Mode::ActiveStandby), Just(Mode::LoadBalanced)]
}

fn policy() -> impl Strategy<Value = Policy> {
    let numbers = (any::<bool>(), any::<i64>(), any::<i64>(), of(time()));
    let maps = (btree_map(member(), any::<u32>(), 0..4), btree_set(member(), 0..4));
    (mode(), numbers, maps).prop_map(
        |(mode, (failback, after, gap, asked_at), (weights, draining))| {
            let (failback_after_ms, move_gap_ms) = (after, gap);
            Policy { mode, failback, failback_after_ms, move_gap_ms, asked_at, weights, draining }
        },
    )
}

pub(crate) fn policy_row() -> impl Strategy<Value = PolicyRow> {
    (any::<i64>(), policy()).prop_map(|(revision, policy)| PolicyRow { revision, policy })
}

fn held() -> impl Strategy<Value = BTreeMap<Shard, Epoch>> {
    btree_map(any::<u16>().prop_map(Shard), any::<i64>().prop_map(Epoch), 0..70)
}

pub(crate) fn vitals() -> impl Strategy<Value = Vitals> {
    (any::<bool>(), any::<bool>(), held(), of(time()), of(policy_row())).prop_map(
        |(store_ok, draining, held, stands_down_until, policy)| Vitals {
            turning: true,
            store_ok,
            draining,
            held,
            stands_down_until,
            policy,
        },
    )
}

pub(crate) fn orders(revision: i64) -> impl Strategy<Value = Orders> {
    btree_map(any::<u16>().prop_map(Shard), of(member()), 0..70)
        .prop_map(move |shards| Orders { revision, shards })
}

fn member_view() -> impl Strategy<Value = MemberView> {
    let numbers = (any::<u64>(), any::<i64>(), any::<i32>(), any::<u32>());
    let state = (any::<bool>(), any::<bool>(), time(), held());
    (member(), numbers, state, text(), text()).prop_map(|(id, numbers, state, address, replica)| {
        let (nonce, succession, priority, weight) = numbers;
        let (store_ok, draining, well_since, held) = state;
        let nonce = Nonce(nonce);
        MemberView {
            id,
            nonce,
            address,
            succession,
            priority,
            weight,
            store_ok,
            draining,
            well_since,
            held,
            replica,
        }
    })
}

fn failover() -> impl Strategy<Value = Failover> {
    (time(), btree_set(member(), 0..3), text(), any::<i64>())
        .prop_map(|(at, lost, noticed_by, took_ms)| Failover { at, lost, noticed_by, took_ms })
}

pub(crate) fn map() -> impl Strategy<Value = ClusterMap> {
    let works = prop_oneof![Just(Works::Nobody), Just(Works::Preferred), Just(Works::Standby)];
    let owners = btree_map(any::<u16>().prop_map(Shard), member(), 0..70);
    let known = (vec(member_view(), 0..4), owners, of(member()), of(works));
    (any::<i64>(), (mode(), any::<u16>()), known, btree_set(text(), 0..3), of(failover())).prop_map(
        |(
            revision,
            (mode, shards),
            (members, owners, preferred, works),
            replicas,
            last_failover,
        )| {
            ClusterMap {
                revision,
                mode,
                shards,
                members,
                owners,
                preferred,
                works,
                replicas,
                last_failover,
            }
        },
    )
}

pub(crate) fn hello() -> impl Strategy<Value = Hello> {
    (text().prop_map(WorkerId::new), any::<u64>(), vec(text(), 0..4))
        .prop_map(|(worker, incarnation, pools)| Hello { worker, incarnation, pools })
}

fn result() -> impl Strategy<Value = AttemptResult> {
    let success = (of(text()), of(text()), of(text()), of(text()), of(text())).prop_map(
        |(data, stats, external_child_ids, external_id, external_status)| {
            AttemptResult::Succeeded(Success {
                data,
                stats,
                external_child_ids,
                external_id,
                external_status,
            })
        },
    );
    let class = prop_oneof![
        Just(ErrorClass::Transient),
        Just(ErrorClass::NonTransient),
        Just(ErrorClass::Error),
        Just(ErrorClass::Failed),
    ];
    let phase = prop_oneof![Just(Phase::Start), Just(Phase::Check), Just(Phase::End)];
    let texts = (text(), text(), of(text()), of(text()), of(text()));
    let failure = (class, phase, texts).prop_map(|(class, phase, texts)| {
        let (code, message, data, external_id, external_status) = texts;
        AttemptResult::Failed(Failure {
            class,
            phase,
            code,
            message,
            data,
            external_id,
            external_status,
        })
    });
    prop_oneof![success, failure]
}

pub(crate) fn from_worker() -> impl Strategy<Value = FromWorker> {
    let tokens = || vec(token(), 0..5);
    let held = vec((token(), job_id()).prop_map(|(token, job)| HeldToken { token, job }), 0..5);
    prop_oneof![
        (text(), tokens()).prop_map(|(pool, tokens)| FromWorker::Claim { pool, tokens }),
        (any::<u64>(), held).prop_map(|(number, held)| FromWorker::Holds { number, held }),
        tokens().prop_map(|tokens| FromWorker::Beat { tokens }),
        (job_id(), node(), token(), of(text()), of(text())).prop_map(
            |(job, action, token, external_id, console_url)| FromWorker::Progressed {
                job,
                action,
                token,
                external_id,
                console_url
            }
        ),
        (job_id(), node(), token(), result(), of((text(), tokens()))).prop_map(
            |(job, action, token, result, next)| FromWorker::Finish {
                job,
                action,
                token,
                result,
                next
            }
        ),
        (job_id(), token()).prop_map(|(job, token)| FromWorker::Stopped { job, token }),
    ]
}

pub(crate) fn grant() -> impl Strategy<Value = Grant> {
    let names = (token(), job_id(), node(), arc_text(), arc_text());
    let texts = (arc_text(), arc_text(), arc_text(), arc_text(), of(text()));
    let numbers = (any::<u32>(), any::<u32>(), any::<u32>(), any::<u16>(), any::<i64>());
    (names, texts, numbers, conf()).prop_map(|(names, texts, numbers, conf)| {
        let (token, job, action, app_name, kind) = names;
        let (body, user, app_path, pool, traceparent) = texts;
        let (run, attempt, retries, shard, epoch) = numbers;
        Grant {
            token,
            job,
            app_name,
            action,
            kind,
            run: Run(run),
            attempt: Attempt(attempt),
            retries,
            body,
            user,
            app_path,
            conf: Arc::new(conf),
            pool,
            shard: Shard(shard),
            epoch: Epoch(epoch),
            traceparent,
        }
    })
}

pub(crate) fn to_worker() -> impl Strategy<Value = ToWorker> {
    prop_oneof![
        (text(), vec(grant(), 0..4)).prop_map(|(pool, grants)| ToWorker::Grants { pool, grants }),
        (any::<u64>(), held()).prop_map(|(number, shards)| ToWorker::Owns { number, shards }),
        token().prop_map(|token| ToWorker::FinishAcknowledged { token }),
        (job_id(), token()).prop_map(|(job, token)| ToWorker::Stop { job, token }),
        token().prop_map(|token| ToWorker::StoppedAcknowledged { token }),
    ]
}

pub(crate) fn app() -> impl Strategy<Value = AppSource> {
    (text(), of(text()), of(text())).prop_map(|(definition, config_default, inherited_global)| {
        AppSource { definition, config_default, inherited_global }
    })
}

pub(crate) fn filter() -> impl Strategy<Value = JobFilter> {
    let texts = || vec(text(), 0..3);
    let lists = (texts(), texts(), texts(), texts(), texts());
    let statuses = vec(any::<prop::sample::Index>(), 0..4);
    let rest = (of(time()), of(time()), of(job_id()), any::<bool>(), any::<u32>(), any::<u32>());
    (lists, statuses, rest).prop_map(|(lists, statuses, rest)| {
        let (ids, users, groups, names, texts) = lists;
        let (created_from, created_to, parent, by_last_modified, offset, len) = rest;
        let statuses = statuses.iter().map(|index| *index.get(JobStatus::ALL)).collect();
        JobFilter {
            ids,
            users,
            groups,
            names,
            statuses,
            texts,
            created_from,
            created_to,
            parent,
            by_last_modified,
            offset,
            len,
        }
    })
}

pub(crate) fn line() -> impl Strategy<Value = HistoryLine> {
    let place = (any::<u16>(), any::<i64>(), time(), job_id());
    (place, text(), text(), text()).prop_map(|((shard, n, at, job), name, event, engine)| {
        HistoryLine { shard: Shard(shard), n, at, job, name, event, engine }
    })
}

/// A job in which nothing is left out.
pub(crate) fn job() -> impl Strategy<Value = WorkflowJob> {
    (job_id(), conf(), vec(text(), 4), time(), vec(action(), 0..6)).prop_map(
        |(id, conf, words, at, actions)| {
            let header = header(id, conf, &words, at);
            let actions = actions.into_iter().map(|one| (one.name.clone(), Arc::new(one)));
            WorkflowJob { header, actions: actions.collect() }
        },
    )
}

fn header(id: JobId, conf: Configuration, words: &[String], at: Timestamp) -> JobHeader {
    let word = |n: usize| words[n].clone();
    let arc = |n: usize| Arc::<str>::from(word(n));
    let node = |n: usize| NodeName::new(word(n));
    let stopping = Stopping {
        action: node(0),
        run: Run(1),
        attempt: Attempt(2),
        worker: WorkerId::new(word(1)),
    };
    let notification =
        Notification { url: word(2), proxy: Some(word(3)), tries: 1, due_at: Some(at) };
    JobHeader {
        app: AppDigest::new(word(0)),
        app_name: arc(1),
        app_path: arc(2),
        conf: Arc::new(conf),
        user: arc(3),
        group: Some(arc(0)),
        acl: None,
        parent: Some(ParentRef {
            job: id.clone(),
            action: node(1),
            run: Run(0),
            attempt: Attempt(1),
            depth: 3,
        }),
        external_id: Some(arc(2)),
        rules: Arc::new(Rules::default()),
        status: JobStatus::Suspended,
        run: Run(7),
        created_at: at,
        started_at: Some(at),
        ended_at: None,
        changed_at: at,
        frontier: vec![Entry { node: node(3), path: arc(0) }],
        joins: BTreeMap::from([(word(1), BTreeSet::from([word(2)]))]),
        kept: BTreeSet::from([node(0)]),
        rerun_children: BTreeMap::from([(node(1), id.clone())]),
        last_error_node: Some(node(2)),
        stopping: BTreeMap::from([(Token::new(word(3)), stopping)]),
        notifications: BTreeMap::from([(u64::MAX, notification)]),
        next_notification: 9,
        reason: Some(Reason { code: word(0), message: word(1) }),
        id,
    }
}

fn action() -> impl Strategy<Value = WorkflowAction> {
    let status = any::<prop::sample::Index>().prop_map(|index| *index.get(ActionStatus::ALL));
    (node(), status, of(result()), vec(text(), 3), time()).prop_map(
        |(name, status, result, words, at)| {
            let arc = |n: usize| Some(Arc::<str>::from(words[n].clone()));
            let worker = WorkerId::new(words[0].clone());
            let question = Question {
                function: words[1].clone(),
                args: words.clone(),
                answer: Some(Answer::Text(words[2].clone())),
            };
            let earlier = EarlierAttempt {
                attempt: Attempt(1),
                started_at: None,
                ended_at: at,
                error_code: arc(0),
            };
            WorkflowAction {
                name,
                kind: "shell".into(),
                status,
                path: "/".into(),
                run: Run(1),
                attempt: Attempt(2),
                conf: arc(0),
                evaluated: true,
                cred: arc(1),
                transition: arc(2),
                created_at: at,
                started_at: Some(at),
                ended_at: None,
                changed_at: at,
                retries: 1,
                user_retry: UserRetry::default(),
                due_at: Some(at),
                data: arc(0),
                stats: arc(1),
                external_child_ids: arc(2),
                external_id: arc(0),
                external_status: arc(1),
                tracker_uri: arc(2),
                console_url: None,
                error_code: arc(0),
                error_message: arc(1),
                claim: Some(Claim { worker, incarnation: u64::MAX, token: Token::new("t") }),
                result,
                questions: vec![question],
                pool: "default".into(),
                priority: -1,
                child: None,
                earlier: vec![earlier],
            }
        },
    )
}
