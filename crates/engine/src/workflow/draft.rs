//! The next state of a job while a step works on it: an overlay over the present one.
//!
//! The present state is never touched, so a step that is refused, or that panics, has changed nothing; and what was
//! touched is known exactly, which is what the store needs.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use model::job::{Entry, JobHeader};
use model::{JobStatus, NodeName, Timestamp, WorkflowAction, WorkflowApp, WorkflowJob};

use crate::event::Effect;

/// What a step changed, and what it wants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// The job's own row, when it changed.
    pub header: Option<Arc<JobHeader>>,
    /// Actions that are new or changed.
    pub actions: Vec<Arc<WorkflowAction>>,
    /// Actions that are gone.
    pub gone: Vec<NodeName>,
    /// The configuration was replaced.
    pub conf_changed: bool,
    /// What is wanted now: for touched actions all of it, for untouched ones nothing new.
    pub effects: Vec<Effect>,
    /// The job's status changed, so the wishes of untouched actions changed too: `effects` holds those of all.
    pub effects_are_complete: bool,
}

impl Step {
    /// Puts the changes into the state that the step was made from.
    pub fn apply(&self, job: &mut WorkflowJob) {
        for name in &self.gone {
            job.actions.remove(name);
        }
        for action in &self.actions {
            job.actions.insert(action.name.clone(), Arc::clone(action));
        }
        if let Some(header) = &self.header {
            job.header = JobHeader::clone(header);
        }
    }

    /// Whether nothing changed and nothing is wanted.
    pub fn is_empty(&self) -> bool {
        self.header.is_none()
            && self.actions.is_empty()
            && self.gone.is_empty()
            && self.effects.is_empty()
    }
}

/// The overlay.
pub(crate) struct Draft<'a> {
    pub(crate) app: &'a WorkflowApp,
    pub(crate) now: Timestamp,
    base: &'a WorkflowJob,
    header: Option<JobHeader>,
    actions: BTreeMap<NodeName, WorkflowAction>,
    gone: BTreeSet<NodeName>,
    conf_changed: bool,
    /// Nodes to enter, in order.
    pub(crate) queue: VecDeque<Entry>,
    /// Entered nodes whose beginning is next.
    pub(crate) beginning: VecDeque<NodeName>,
    /// Effects that are not wishes of the state but part of this very commit: children and news for the family.
    pub(crate) family: Vec<Effect>,
}

impl<'a> Draft<'a> {
    pub(crate) fn new(app: &'a WorkflowApp, base: &'a WorkflowJob, now: Timestamp) -> Draft<'a> {
        Draft {
            app,
            now,
            base,
            header: None,
            actions: BTreeMap::new(),
            gone: BTreeSet::new(),
            conf_changed: false,
            queue: base.header.frontier.iter().cloned().collect(),
            beginning: VecDeque::new(),
            family: Vec::new(),
        }
    }

    pub(crate) fn header(&self) -> &JobHeader {
        self.header.as_ref().unwrap_or(&self.base.header)
    }

    pub(crate) fn header_mut(&mut self) -> &mut JobHeader {
        let now = self.now;
        let header = self.header.get_or_insert_with(|| self.base.header.clone());
        header.changed_at = now;
        header
    }

    pub(crate) fn status(&self) -> JobStatus {
        self.header().status
    }

    pub(crate) fn is_running(&self) -> bool {
        self.status() == JobStatus::Running
    }

    pub(crate) fn action(&self, name: &NodeName) -> Option<&WorkflowAction> {
        if self.gone.contains(name) {
            return None;
        }
        self.actions.get(name).or_else(|| self.base.action(name))
    }

    /// The action, to be changed. Its `changed_at` moves.
    pub(crate) fn action_mut(&mut self, name: &NodeName) -> Option<&mut WorkflowAction> {
        if !self.actions.contains_key(name) {
            let copy = self.action(name)?.clone();
            self.actions.insert(name.clone(), copy);
        }
        let now = self.now;
        let action = self.actions.get_mut(name)?;
        action.changed_at = now;
        Some(action)
    }

    pub(crate) fn insert(&mut self, action: WorkflowAction) {
        self.gone.remove(&action.name);
        self.actions.insert(action.name.clone(), action);
    }

    pub(crate) fn remove(&mut self, name: &NodeName) {
        self.actions.remove(name);
        self.gone.insert(name.clone());
    }

    pub(crate) fn conf_changed(&mut self) {
        self.conf_changed = true;
    }

    /// The names of all actions, in order.
    pub(crate) fn names(&self) -> Vec<NodeName> {
        let mut names: BTreeSet<&NodeName> = self.base.actions.keys().collect();
        names.extend(self.actions.keys());
        names.into_iter().filter(|name| !self.gone.contains(*name)).cloned().collect()
    }

    /// The actions that are not over.
    pub(crate) fn live_names(&self) -> Vec<NodeName> {
        let live = |name: &NodeName| self.action(name).is_some_and(WorkflowAction::is_live);
        self.names().into_iter().filter(live).collect()
    }

    /// The step that leads from the base to this.
    pub(crate) fn finish(mut self) -> Step {
        let rest: Vec<Entry> = self.queue.drain(..).collect();
        if self.header().frontier != rest {
            self.header_mut().frontier = rest;
        }
        let status_changed = self.header().status != self.base.header.status
            || self.header().run != self.base.header.run;
        let stops_changed = self.header().stopping != self.base.header.stopping;
        let header = self.header.filter(|header| *header != self.base.header || self.conf_changed);
        let changed = |action: &WorkflowAction| self.base.action(&action.name) != Some(action);
        let gone: Vec<NodeName> = self
            .gone
            .into_iter()
            .filter(|name| self.base.actions.contains_key(name) && !self.actions.contains_key(name))
            .collect();
        let actions: Vec<Arc<WorkflowAction>> =
            self.actions.into_values().filter(|a| changed(a)).map(Arc::new).collect();
        Step {
            header: header.map(Arc::new),
            actions,
            gone,
            conf_changed: self.conf_changed,
            effects: self.family,
            effects_are_complete: status_changed || stops_changed,
        }
    }
}
