//! The workers that are connected. One session a worker: a newer one takes the place of an older one.

use std::collections::{HashMap, HashSet};

use model::{JobId, Token, WorkerId};
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
    /// The number of the last `Owns` that was made for it.
    pub(crate) number: u64,
    /// What it holds, as it answered that `Owns`.
    pub(crate) held: Option<HashMap<Token, JobId>>,
    /// What of that list it has told the end of.
    pub(crate) ended: HashSet<Token>,
    /// Claims that were made for it since that `Owns` was: its answer may not know them yet.
    pub(crate) claimed_since: HashSet<Token>,
}

impl Connected {
    /// Whether a claim of this worker's, older than its last answer, is missing in that answer: it never reached the worker,
    /// and never will.
    pub(crate) fn lacks(&self, token: &Token) -> bool {
        let missing = |held: &HashMap<Token, JobId>| !held.contains_key(token);
        self.held.as_ref().is_some_and(missing) && !self.claimed_since.contains(token)
    }
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
        let connected = Connected {
            hello,
            to_worker,
            number: 0,
            held: None,
            ended: HashSet::new(),
            claimed_since: HashSet::new(),
        };
        self.open.insert(session, connected);
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

    /// The same, to be changed.
    pub(crate) fn get_mut(&mut self, session: SessionId) -> Option<&mut Connected> {
        self.open.get_mut(&session)
    }

    /// All sessions.
    pub(crate) fn all(&self) -> impl Iterator<Item = (SessionId, &Connected)> {
        self.open.iter().map(|(session, connected)| (*session, connected))
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
