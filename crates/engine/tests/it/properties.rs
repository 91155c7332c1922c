//! Random definitions in random weather: whatever happens in whatever order, the invariants hold, what is wanted follows
//! from what is stored, and when the weather clears every job ends.

use std::collections::BTreeSet;

use engine::workflow::table;
use engine::{Effect, Event, RerunRequest, Skip};
use model::action::Answer;
use model::job::Rules;
use model::{AppDigest, AttemptResult, ErrorClass, Failure, JobStatus, Phase, Token, WorkflowApp};
use proptest::prelude::*;

use crate::world::{Builder, World, error, name, ok};

/// SplitMix64: one stream of chance a seed.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound.max(1) as u64).unwrap()
    }

    fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }
}

/// Bodies: none (a no-op), one that asks, one that never evaluates, one that may be no XML once evaluated.
const BODIES: [&str; 5] = [
    "",
    r#"<shell xmlns="uri:oozie:shell-action:1.0"><exec>${fs:exists('file:///y')}</exec></shell>"#,
    r#"<shell xmlns="uri:oozie:shell-action:1.0"><exec>${fs:exists('file:///y')}</exec><argument>${fs:isDir('file:///z')}</argument></shell>"#,
    r#"<shell xmlns="uri:oozie:shell-action:1.0"><exec>${nothing}</exec></shell>"#,
    r#"<shell xmlns="uri:oozie:shell-action:1.0"><exec>${fs:exists('file:///y') ? '&lt;' : '<'}</exec></shell>"#,
];

/// A block with one way in and one way out: an action, a sequence, a decision, a fork with its join.
fn block(
    builder: &mut Builder,
    chance: &mut Chance,
    depth: u32,
    count: &mut u32,
    next: &str,
) -> String {
    *count += 1;
    let number = *count;
    match if depth == 0 { 0 } else { chance.below(5) } {
        0 | 1 => {
            let node = format!("a{number}");
            let retry = chance.one_in(3);
            let body = BODIES[if chance.one_in(3) { chance.below(BODIES.len()) } else { 0 }];
            builder.action_with(&node, next, "fail", |action| {
                action.retry_max = retry.then(|| "2".to_owned());
                if !body.is_empty() {
                    action.kind = "shell".to_owned();
                    action.body = body.into();
                }
            });
            node
        }
        2 => {
            let second = block(builder, chance, depth - 1, count, next);
            block(builder, chance, depth - 1, count, &second)
        }
        3 => {
            let left = block(builder, chance, depth - 1, count, next);
            let right = block(builder, chance, depth - 1, count, next);
            let node = format!("d{number}");
            let predicate =
                ["${fs:exists('file:///x')}", "${wf:run() gt 0}", "true"][chance.below(3)];
            builder.decision(&node, &[(predicate, &left)], &right);
            node
        }
        _ => {
            let (fork, join) = (format!("fork{number}"), format!("join{number}"));
            let width = 2 + chance.below(3);
            let branches: Vec<String> =
                (0..width).map(|_| block(builder, chance, depth - 1, count, &join)).collect();
            builder.fork(&fork, &branches.iter().map(String::as_str).collect::<Vec<_>>());
            builder.join(&join, next);
            fork
        }
    }
}

/// A definition without anything broken in it.
fn sound_app(chance: &mut Chance) -> WorkflowApp {
    loop {
        let app = random_app(chance);
        let broken = |body: &str| body.contains("nothing") || body.contains("'<'");
        let sound = app.nodes.values().all(|node| match &node.kind {
            model::NodeKind::Action(action) => !broken(&action.body),
            model::NodeKind::Start { to } => !matches!(to.as_str(), "fail" | "broken"),
            _ => true,
        });
        if sound {
            return app;
        }
    }
}

fn random_app(chance: &mut Chance) -> WorkflowApp {
    let mut builder = Builder::default();
    if chance.one_in(12) {
        let first = ["end", "fail", "broken"][chance.below(3)];
        builder.decision("broken", &[("${nothing}", "end")], "end");
        return builder.start(first).ends().build();
    }
    let first = block(&mut builder, chance, 4, &mut 0, "end");
    builder.start(&first).ends().build()
}

fn random_result(chance: &mut Chance, mild: bool) -> AttemptResult {
    if mild || !chance.one_in(4) {
        return ok();
    }
    let class =
        [ErrorClass::Transient, ErrorClass::NonTransient, ErrorClass::Error, ErrorClass::Failed]
            [chance.below(4)];
    let phase = [Phase::Start, Phase::Check, Phase::End][chance.below(3)];
    match error(class, "JA018") {
        AttemptResult::Failed(failure) => AttemptResult::Failed(Failure { phase, ..failure }),
        AttemptResult::Succeeded(_) => unreachable!("an error is a failure"),
    }
}

fn random_answer(chance: &mut Chance) -> Answer {
    let refused = |transient| Answer::Refused {
        code: "HW3005".to_owned(),
        message: "because".to_owned(),
        transient,
    };
    match chance.below(6) {
        0 | 1 => refused(true),
        2 => refused(false),
        other => Answer::Bool(other == 3),
    }
}

/// Does one of the things that the state wants.
fn serve(world: &mut World, chance: &mut Chance, running: &mut Vec<(String, Token)>, mild: bool) {
    let wishes = world.wishes();
    if !running.is_empty() && (wishes.is_empty() || chance.one_in(2)) {
        let (action, token) = running.swap_remove(chance.below(running.len()));
        let result = random_result(chance, mild);
        let _late = world.finish(&action, &token, result);
        return;
    }
    let timer = engine::workflow::next_wakeup(&world.job).is_some();
    if timer && (wishes.is_empty() || chance.one_in(4)) {
        return world.wake();
    }
    if wishes.is_empty() {
        return;
    }
    match wishes[chance.below(wishes.len())].clone() {
        Effect::Offer { action, .. } => {
            let token = world.claim(action.as_str());
            running.push((action.to_string(), token));
        }
        Effect::Ask { action, of, questions } => {
            let answer = if mild { Answer::Bool(chance.one_in(2)) } else { random_answer(chance) };
            let answers = questions.into_iter().map(|(function, args)| engine::Answered {
                function,
                args,
                answer: answer.clone(),
            });
            world.event(Event::Answered { action, of, answers: answers.collect() }).unwrap();
        }
        Effect::Stop { token, .. } => {
            running.retain(|(_, held)| *held != token);
            world.event(Event::Stopped { token }).unwrap();
        }
        Effect::Continue => {
            world.event(Event::Continued).unwrap();
        }
        other => panic!("nobody asked for {other:?}"),
    }
}

/// Lets something untimely happen: commands of people, repeated and stale news.
fn disturb(world: &mut World, chance: &mut Chance, running: &mut Vec<(String, Token)>) {
    let event = match chance.below(9) {
        0 => Event::Suspended,
        1 | 2 => Event::Resumed,
        3 if chance.one_in(4) || world.status() == JobStatus::Prep => Event::Killed,
        4 => Event::Woke,
        5 => match world.history.get(chance.below(world.history.len())) {
            Some((_, old)) if !is_command(old) => return stale(world, old.clone(), running),
            _ => return,
        },
        6 if world.status().is_terminal() => Event::Rerun(Box::new(rerun(chance))),
        7 if !running.is_empty() => {
            let (_, token) = running.swap_remove(chance.below(running.len()));
            Event::Returned { token }
        }
        _ => Event::Started,
    };
    let _refused = world.event(event);
}

fn is_command(event: &Event) -> bool {
    matches!(
        event,
        Event::Submitted(_)
            | Event::Started
            | Event::Suspended
            | Event::Resumed
            | Event::Killed
            | Event::Rerun(_)
            | Event::Woke
            | Event::Continued
    )
}

/// Repeated news of an attempt or token changes nothing, unless it still speaks of what runs now.
fn stale(world: &mut World, event: Event, running: &[(String, Token)]) {
    let current = match &event {
        Event::Finished { token, .. } | Event::Stopped { token } | Event::Returned { token } => {
            running.iter().any(|(_, held)| held == token)
                || world.job.header.stopping.contains_key(token)
        }
        _ => false,
    };
    if !current && let Ok(changed) = world.event(event.clone()) {
        assert!(!changed, "stale news changed the job: {event:?}");
    }
}

fn rerun(chance: &mut Chance) -> RerunRequest {
    RerunRequest {
        app: AppDigest::new("app"),
        app_name: "again".into(),
        app_path: "file:///apps/test".into(),
        conf: std::sync::Arc::new(
            [("oozie.suspend.on.nodes", if chance.one_in(4) { "*" } else { "" })]
                .into_iter()
                .collect(),
        ),
        rules: std::sync::Arc::default(),
        skip: if chance.one_in(2) { Skip::AllButFailed } else { Skip::Nodes([].into()) },
        parent: None,
    }
}

fn storm(seed: u64) -> World {
    let mut chance = Chance(seed);
    let app = random_app(&mut chance);
    let listed = ["a1,a2,join3", "*", "", "", ""][chance.below(5)];
    let mut rules = Rules::default();
    if chance.one_in(3) {
        rules.user_retry_codes.insert("ALL".to_owned());
    }
    let started = chance.one_in(2);
    let retries = ["0", "3", "1"][chance.below(3)];
    let conf = [("oozie.suspend.on.nodes", listed), ("oozie.wf.action.max.retries", retries)];
    let mut world = World::prepared(app, &conf, rules, started);
    let mut running = Vec::new();
    for _ in 0..120 {
        if chance.one_in(5) {
            disturb(&mut world, &mut chance, &mut running);
        } else {
            serve(&mut world, &mut chance, &mut running, false);
        }
    }
    calm(&mut world, &mut chance, &mut running);
    world.check_replay();
    world
}

/// L1: when the weather clears, every job ends.
fn calm(world: &mut World, chance: &mut Chance, running: &mut Vec<(String, Token)>) {
    for _ in 0..20_000 {
        let quiet = world.status().is_terminal() && world.wishes().is_empty() && running.is_empty();
        if quiet {
            return;
        }
        match world.status() {
            JobStatus::Prep => assert!(world.event(Event::Started).unwrap()),
            JobStatus::Suspended => assert!(world.event(Event::Resumed).unwrap()),
            JobStatus::Running | JobStatus::Succeeded | JobStatus::Killed | JobStatus::Failed => {}
        }
        serve(world, chance, running, true);
    }
    panic!(
        "the job does not end: {:?} {:?} {:?}",
        world.status(),
        world.statuses(),
        world.wishes()
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn invariants_hold_in_any_weather(seed in any::<u64>()) {
        storm(seed);
    }
}

/// The tables of states list exactly what happens: the storms fail on a change that is not listed, this on one that is
/// listed and never seen.
#[test]
fn every_listed_change_of_status_is_seen() {
    let (mut jobs, mut actions) = (BTreeSet::new(), BTreeSet::new());
    for seed in 0..4_000 {
        let world = storm(seed);
        jobs.extend(world.job_changes);
        actions.extend(world.action_changes);
    }
    fn listed<S: Copy + Ord>(table: &[(S, &[S])]) -> BTreeSet<(S, S)> {
        table.iter().flat_map(|(from, next)| next.iter().map(|to| (*from, *to))).collect()
    }
    let unseen_jobs: Vec<_> = listed(table::JOB_TRANSITIONS).difference(&jobs).copied().collect();
    let unseen_actions: Vec<_> =
        listed(table::ACTION_TRANSITIONS).difference(&actions).copied().collect();
    assert!(
        unseen_jobs.is_empty() && unseen_actions.is_empty(),
        "never seen: {unseen_jobs:?} {unseen_actions:?}"
    );
}

#[test]
fn an_undisturbed_job_succeeds_whatever_its_shape() {
    for seed in 0..300 {
        let mut chance = Chance(seed);
        let app = sound_app(&mut chance);
        let mut world = World::new(app, &[]);
        let mut running = Vec::new();
        calm(&mut world, &mut chance, &mut running);
        assert_eq!(world.status(), JobStatus::Succeeded, "seed {seed}");
        assert!(world.job.action(&name("end")).is_some());
    }
}
