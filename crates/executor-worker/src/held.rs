//! What the worker holds: attempts that were granted and whose end is not acknowledged.

use std::sync::Arc;

use model::{AttemptResult, JobId, NodeName, Token};
use ports::work::{FromWorker, Grant, HeldToken};
use tokio_util::sync::CancellationToken;

/// An attempt that was granted and whose end is not acknowledged.
pub(crate) struct Held {
    pub(crate) grant: Arc<Grant>,
    pub(crate) state: HeldState,
}

/// How far it came.
pub(crate) enum HeldState {
    Running { stop: CancellationToken },
    Finished(AttemptResult),
    Stopped,
}

impl Held {
    /// How it is told to a scheduler at the begin of a session.
    pub(crate) fn listed(&self) -> HeldToken {
        HeldToken { token: self.grant.token.clone(), job: self.grant.job.clone() }
    }

    /// What is repeated at every session until it is acknowledged.
    pub(crate) fn last_words(&self, next: Option<(String, Vec<Token>)>) -> Option<FromWorker> {
        let (job, token): (JobId, Token) = (self.grant.job.clone(), self.grant.token.clone());
        let action: NodeName = self.grant.action.clone();
        match &self.state {
            HeldState::Running { .. } => None,
            HeldState::Finished(result) => {
                Some(FromWorker::Finish { job, action, token, result: result.clone(), next })
            }
            HeldState::Stopped => Some(FromWorker::Stopped { job, token }),
        }
    }
}
