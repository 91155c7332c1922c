//! The workers that are connected. One session a worker: a newer one takes the place of an older one.

use std::collections::HashMap;

use model::WorkerId;
use ports::work::{Hello, ToWorker};
use tokio::sync::mpsc;

use crate::inbox::SessionId;

/// A connected worker.
#[derive(Debug)]
pub(crate) struct Connected {
    /// Who.
    pub(crate) hello: Hello,
    /// Towards it.
    to_worker: mpsc::Sender<ToWorker>,
}

/// All connected workers.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    open: HashMap<SessionId, Connected>,
    by_worker: HashMap<WorkerId, SessionId>,
}

impl Sessions {
    /// A worker came.
    pub(crate) fn open(
        &mut self,
        session: SessionId,
        hello: Hello,
        to_worker: mpsc::Sender<ToWorker>,
    ) {
        if let Some(old) = self.by_worker.insert(hello.worker.clone(), session) {
            self.open.remove(&old);
        }
        self.open.insert(session, Connected { hello, to_worker });
    }

    /// A session ended.
    pub(crate) fn close(&mut self, session: SessionId) {
        if let Some(connected) = self.open.remove(&session)
            && self.by_worker.get(&connected.hello.worker) == Some(&session)
        {
            self.by_worker.remove(&connected.hello.worker);
        }
    }

    /// Cuts everybody off. Grants and acknowledgements that never left are then found missing: workers come back and list
    /// what they hold.
    pub(crate) fn close_all(&mut self) {
        self.open.clear();
        self.by_worker.clear();
    }

    /// Who speaks in a session, while it is the worker's current one.
    pub(crate) fn get(&self, session: SessionId) -> Option<&Connected> {
        self.open.get(&session)
    }

    /// The session of a worker.
    pub(crate) fn of(&self, worker: &WorkerId) -> Option<SessionId> {
        self.by_worker.get(worker).copied()
    }

    /// Whether some connected worker serves a pool.
    pub(crate) fn serve(&self, pool: &str) -> bool {
        self.open
            .values()
            .any(|connected| connected.hello.pools.iter().any(|served| served == pool))
    }

    /// Sends without waiting. A worker whose stream is full is cut off: it comes back and lists what it holds.
    pub(crate) fn send(&mut self, session: SessionId, message: ToWorker) {
        let lost = self
            .open
            .get(&session)
            .is_some_and(|connected| connected.to_worker.try_send(message).is_err());
        if lost {
            self.close(session);
        }
    }
}
