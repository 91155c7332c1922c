//! What reaches the driver: a closed list, so that it is easy to see everything that makes it act.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use engine::{AttemptRef, Event, Submission};
use model::{Failure, JobId, NodeName, Shard};
use ports::api::ApiError;
use ports::store::{AppSource, StoreError};
use ports::work::{FromWorker, Hello, ToWorker};
use tokio::sync::{mpsc, oneshot};

use crate::loading::{Read, Wanted};
use crate::memory::Held;

/// Which session of a worker.
pub(crate) type SessionId = u64;
/// Where an answer goes. Dropping it tells the asker that nobody knows what became of the request.
pub(crate) type Reply<T> = oneshot::Sender<Result<T, ApiError>>;

/// The application of a child, ready to be created, or why there is none.
pub(crate) type ChildApp = Result<(Box<Submission>, Arc<AppSource>), Failure>;

/// A message to the driver.
pub(crate) enum Message {
    /// A new job; its id is given out here.
    Submit {
        /// With an id that is to be replaced.
        submission: Box<Submission>,
        /// Its definition.
        source: Arc<AppSource>,
        /// The idempotency key.
        key: Option<String>,
        /// Gets the id.
        reply: Reply<JobId>,
    },
    /// A person's command about a job.
    Command {
        /// The job.
        job: JobId,
        /// The command.
        event: Box<Event>,
        /// A definition that comes with it (rerun).
        source: Option<Arc<AppSource>>,
        /// Gets the outcome.
        reply: Reply<()>,
    },
    /// Something happened.
    Happened {
        /// To which job.
        job: JobId,
        /// What.
        event: Box<Event>,
    },
    /// The application of a child was read.
    ChildRead {
        /// The parent.
        job: JobId,
        /// Its action.
        action: NodeName,
        /// And attempt.
        of: AttemptRef,
        /// The child, or why there is none.
        child: ChildApp,
        /// The child that is to be rerun in place.
        rerun_of: Option<JobId>,
    },
    /// A worker came.
    Opened {
        /// Its session.
        session: SessionId,
        /// What it said.
        hello: Hello,
        /// Towards it.
        to_worker: mpsc::Sender<ToWorker>,
    },
    /// A worker said something.
    Said {
        /// In which session.
        session: SessionId,
        /// What.
        message: FromWorker,
    },
    /// A session is over.
    Closed {
        /// Which.
        session: SessionId,
    },
    /// Jobs were read.
    Loaded {
        /// What was asked for.
        wanted: Wanted,
        /// How often shards had been taken or lost when the reading began: what was read before another change is stale.
        takes: u64,
        /// What was read.
        read: Result<Read, StoreError>,
    },
    /// Shards that are to be handed over to this scheduler were released, or it waited for long enough.
    Vacant {
        /// Which.
        shards: BTreeSet<Shard>,
    },
    /// These shards were taken by somebody else, as seen beside what was held then.
    Lost {
        /// Which.
        shards: BTreeSet<Shard>,
        /// What was held when the rows were read.
        seen: BTreeMap<Shard, Held>,
    },
    /// Job trees to purge.
    Purge {
        /// Each with its root and all below it.
        trees: Vec<Vec<JobId>>,
    },
}
