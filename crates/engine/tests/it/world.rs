//! A small world around one family of jobs: it keeps what the engine wants, and lets a test decide what happens.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use engine::{AttemptRef, Effect, Event, Rejection, Submission, invariants, replay, workflow};
use model::app::{ActionNode, Case};
use model::job::Rules;
use model::{
    ActionStatus, AppDigest, AttemptResult, Claim, Configuration, ErrorClass, Failure, JobId,
    JobKind, JobStatus, Location, Node, NodeKind, NodeName, Phase, Success, Timestamp, Token,
    WorkerId, WorkflowApp, WorkflowJob,
};

pub(crate) const NOOP: &str = r#"<noop xmlns="uri:howdah:noop-action:1.0"/>"#;

pub(crate) fn name(text: &str) -> NodeName {
    NodeName::new(text)
}

/// An application made by hand, node by node.
#[derive(Debug, Default)]
pub(crate) struct Builder {
    nodes: BTreeMap<NodeName, Node>,
    order: Vec<NodeName>,
}

impl Builder {
    pub(crate) fn node(&mut self, node: &str, kind: NodeKind) -> &mut Builder {
        self.nodes.insert(name(node), Node { name: name(node), at: Location::default(), kind });
        self.order.push(name(node));
        self
    }

    pub(crate) fn start(&mut self, to: &str) -> &mut Builder {
        self.node(":start:", NodeKind::Start { to: name(to) })
    }

    pub(crate) fn action(&mut self, node: &str, ok: &str) -> &mut Builder {
        self.action_with(node, ok, "fail", |_| {})
    }

    pub(crate) fn action_with(
        &mut self,
        node: &str,
        ok: &str,
        error: &str,
        change: impl FnOnce(&mut ActionNode),
    ) -> &mut Builder {
        let mut action = ActionNode {
            kind: "noop".to_owned(),
            body: NOOP.into(),
            ok: name(ok),
            error: name(error),
            cred: None,
            retry_max: None,
            retry_interval: None,
            retry_policy: None,
            sla: None,
        };
        change(&mut action);
        self.node(node, NodeKind::Action(action))
    }

    pub(crate) fn fork(&mut self, node: &str, paths: &[&str]) -> &mut Builder {
        self.node(node, NodeKind::Fork { paths: paths.iter().map(|path| name(path)).collect() })
    }

    pub(crate) fn join(&mut self, node: &str, to: &str) -> &mut Builder {
        self.node(node, NodeKind::Join { to: name(to) })
    }

    pub(crate) fn decision(
        &mut self,
        node: &str,
        cases: &[(&str, &str)],
        default: &str,
    ) -> &mut Builder {
        let cases = cases
            .iter()
            .map(|(predicate, to)| Case { predicate: (*predicate).to_owned(), to: name(to) })
            .collect();
        self.node(node, NodeKind::Decision { cases, default: name(default) })
    }

    pub(crate) fn ends(&mut self) -> &mut Builder {
        self.node("fail", NodeKind::Kill { message: "failed at ${wf:lastErrorNode()}".to_owned() });
        self.node("end", NodeKind::End)
    }

    pub(crate) fn build(&mut self) -> WorkflowApp {
        WorkflowApp {
            name: "test".to_owned(),
            schema: "1.0".to_owned(),
            parameters: Vec::new(),
            global: Configuration::new(),
            credentials: Vec::new(),
            nodes: std::mem::take(&mut self.nodes),
            order: std::mem::take(&mut self.order),
            sla: None,
        }
    }
}

/// One job in its world.
pub(crate) struct World {
    pub(crate) app: WorkflowApp,
    pub(crate) job: WorkflowJob,
    pub(crate) now: Timestamp,
    pub(crate) history: Vec<(Timestamp, Event)>,
    /// What the engine wanted, as told step by step.
    wishes: BTreeMap<String, Effect>,
    pub(crate) family: Vec<Effect>,
    tokens: u32,
    /// Changes of status that were seen: of the job, of its actions.
    pub(crate) job_changes: BTreeSet<(JobStatus, JobStatus)>,
    pub(crate) action_changes: BTreeSet<(ActionStatus, ActionStatus)>,
}

impl World {
    pub(crate) fn new(app: WorkflowApp, conf: &[(&str, &str)]) -> World {
        World::with_rules(app, conf, Rules::default())
    }

    pub(crate) fn with_rules(app: WorkflowApp, conf: &[(&str, &str)], rules: Rules) -> World {
        World::prepared(app, conf, rules, true)
    }

    pub(crate) fn prepared(
        app: WorkflowApp,
        conf: &[(&str, &str)],
        rules: Rules,
        start: bool,
    ) -> World {
        let submission = Submission {
            id: JobId::new(1, "261122144400000", "howdah", JobKind::Workflow),
            app: AppDigest::new("app"),
            app_name: "test".into(),
            app_path: "file:///apps/test".into(),
            conf: Arc::new(conf.iter().copied().collect()),
            user: "joe".into(),
            group: None,
            acl: None,
            parent: None,
            external_id: None,
            rules: Arc::new(rules),
            start,
        };
        let now = Timestamp(1_000_000);
        let (job, step) = workflow::create(&app, now, &submission);
        invariants::check(&job).unwrap();
        let mut world = World {
            app,
            job,
            now,
            history: Vec::new(),
            wishes: BTreeMap::new(),
            family: Vec::new(),
            tokens: 0,
            job_changes: BTreeSet::new(),
            action_changes: BTreeSet::new(),
        };
        world.history.push((now, Event::Submitted(Box::new(submission))));
        world.note(&step);
        world.check_wishes();
        world
    }

    /// Lets something happen; checks every invariant.
    pub(crate) fn event(&mut self, event: Event) -> Result<bool, Rejection> {
        self.now = self.now.plus_ms(7);
        let step = workflow::step(&self.app, &self.job, self.now, &event)?;
        if step.is_empty() {
            return Ok(false);
        }
        let before = self.job.clone();
        step.apply(&mut self.job);
        invariants::check_step(&before, &self.job, &step)
            .unwrap_or_else(|violation| panic!("after {event:?}: {violation}"));
        self.history.push((self.now, event));
        self.note_changes(&before, &step);
        self.note(&step);
        self.check_wishes();
        self.check_joins();
        Ok(true)
    }

    fn note_changes(&mut self, before: &WorkflowJob, step: &workflow::Step) {
        let (from, to) = (before.header.status, self.job.header.status);
        if from != to {
            self.job_changes.insert((from, to));
        }
        for action in &step.actions {
            let old = before
                .actions
                .get(&action.name)
                .filter(|old| old.run == action.run && old.status != action.status);
            self.action_changes.extend(old.map(|old| (old.status, action.status)));
        }
    }

    fn note(&mut self, step: &workflow::Step) {
        if step.effects_are_complete {
            self.wishes.clear();
        }
        if step.header.is_some() {
            self.wishes.retain(|key, _| !key.starts_with('#'));
        }
        for action in step.actions.iter().map(|action| &action.name).chain(&step.gone) {
            self.wishes.remove(action.as_str());
        }
        for effect in step.effects.iter().filter(|effect| !is_wake(effect)) {
            match key_of(effect) {
                Some(key) => {
                    self.wishes.insert(key, effect.clone());
                }
                None => self.family.push(effect.clone()),
            }
        }
    }

    /// What was told step by step is what a fresh owner would want.
    fn check_wishes(&self) {
        let told: BTreeSet<String> = self
            .wishes
            .values()
            .filter(|e| !is_wake(e))
            .map(|effect| format!("{effect:?}"))
            .collect();
        let fresh = workflow::outstanding(&self.app, &self.job);
        let fresh: BTreeSet<String> =
            fresh.iter().filter(|e| !is_wake(e)).map(|effect| format!("{effect:?}")).collect();
        assert_eq!(told, fresh, "wishes told step by step differ from those of the stored state");
    }

    /// A join that passed has no living action inside its fork.
    fn check_joins(&self) {
        for join in self.job.actions.values().filter(|action| &*action.kind == ":JOIN:") {
            let inside = |path: &str| path.starts_with(&*join.path) && path.len() > join.path.len();
            let fork_of_join = |path: &str| {
                let fork = path[join.path.len()..].split(':').next().unwrap_or_default().to_owned();
                fork.replace("fork", "join") == join.name.as_str()
            };
            for action in self
                .job
                .actions
                .values()
                .filter(|action| inside(&action.path) && fork_of_join(&action.path))
            {
                assert!(!action.is_live(), "{} passed while {} lives", join.name, action.name);
            }
        }
    }

    pub(crate) fn offers(&self) -> Vec<(NodeName, AttemptRef)> {
        let offer = |effect: &Effect| match effect {
            Effect::Offer { action, of, .. } => Some((action.clone(), *of)),
            _ => None,
        };
        self.wishes.values().filter_map(offer).collect()
    }

    pub(crate) fn wishes(&self) -> Vec<Effect> {
        self.wishes.values().cloned().collect()
    }

    /// A worker takes what is on offer; answers the token.
    pub(crate) fn claim(&mut self, action: &str) -> Token {
        let (action, of) =
            self.offers().into_iter().find(|(name, _)| name.as_str() == action).unwrap_or_else(
                || {
                    panic!(
                        "`{action}` is not on offer; on offer: {:?}; {:?}",
                        self.offers(),
                        self.statuses()
                    );
                },
            );
        let claim = self.fresh_claim();
        let token = claim.token.clone();
        assert!(self.event(Event::Claimed { action, of, claim }).unwrap());
        token
    }

    pub(crate) fn fresh_claim(&mut self) -> Claim {
        self.tokens += 1;
        Claim {
            worker: WorkerId::new("w"),
            incarnation: 1,
            token: Token::new(format!("t{}", self.tokens)),
        }
    }

    pub(crate) fn finish(&mut self, action: &str, token: &Token, result: AttemptResult) -> bool {
        self.event(Event::Finished { action: name(action), token: token.clone(), result }).unwrap()
    }

    /// Claims an action and ends it well.
    pub(crate) fn run_ok(&mut self, action: &str) {
        let token = self.claim(action);
        assert!(self.finish(action, &token, ok()));
    }

    /// Claims an action and ends it badly.
    pub(crate) fn run_error(&mut self, action: &str, class: ErrorClass, code: &str) {
        let token = self.claim(action);
        assert!(self.finish(action, &token, error(class, code)));
    }

    pub(crate) fn wake(&mut self) {
        let at = workflow::next_wakeup(&self.job).expect("nothing to wait for");
        self.now = self.now.max(at);
        self.event(Event::Woke).unwrap();
    }

    pub(crate) fn status(&self) -> JobStatus {
        self.job.header.status
    }

    pub(crate) fn action_status(&self, action: &str) -> ActionStatus {
        self.job
            .action(&name(action))
            .unwrap_or_else(|| panic!("no row `{action}`: {:?}", self.statuses()))
            .status
    }

    pub(crate) fn statuses(&self) -> Vec<String> {
        self.job
            .actions
            .values()
            .map(|action| format!("{} {}", action.name, action.status))
            .collect()
    }

    /// The recorded history leads to the same state, bit for bit.
    pub(crate) fn check_replay(&self) {
        let app = Arc::new(self.app.clone());
        let history = self.history.iter().map(|(now, event)| (*now, event));
        let replayed =
            replay::replay(history, &|_| Some(Arc::clone(&app)), |_, _, _, _| {}).unwrap().unwrap();
        assert_eq!(replayed, self.job);
        for (_, event) in &self.history {
            let stored = serde_json::to_string(event).unwrap();
            assert_eq!(&serde_json::from_str::<Event>(&stored).unwrap(), event, "{stored}");
        }
    }
}

fn is_wake(effect: &Effect) -> bool {
    matches!(effect, Effect::Wake { .. })
}

/// Wishes by what they hang on: an action, or the job (`#`); news for the family hangs on nothing.
fn key_of(effect: &Effect) -> Option<String> {
    match effect {
        Effect::Offer { action, .. }
        | Effect::Ask { action, .. }
        | Effect::ReadChild { action, .. } => Some(action.to_string()),
        Effect::Stop { token, .. } => Some(format!("#stop {token}")),
        Effect::Notify { number, .. } => Some(format!("#notify {number}")),
        Effect::Continue => Some("#continue".to_owned()),
        Effect::CreateChild(_) | Effect::Tell { .. } | Effect::Wake { .. } => None,
    }
}

pub(crate) fn ok() -> AttemptResult {
    AttemptResult::Succeeded(Success::default())
}

pub(crate) fn error(class: ErrorClass, code: &str) -> AttemptResult {
    AttemptResult::Failed(Failure {
        class,
        phase: Phase::Start,
        code: code.to_owned(),
        message: "because".to_owned(),
        data: None,
        external_id: None,
        external_status: None,
    })
}
