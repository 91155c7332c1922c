//! A scheduler's side of its services: each call is counted, read, handed to a port, and answered.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, stream};
use model::AppDigest;
use ports::api::PolicyChange;
use ports::store::JobFilter;
use ports::work::Hello;
use tokio::time::timeout;
use tonic::{Request, Response, Status, Streaming};

use crate::convert::api::Commanded;
use crate::convert::{document, job_id, reads, value};
use crate::refused::{Refused, cut_off, no_session};
use crate::server::{CountCalls, Ending, SchedulerPorts};
use crate::wire::scheduler_server::Scheduler;
use crate::wire::work_server::Work;
use crate::{session, trace, wire};

/// A worker says hello at once; a connection that says nothing is not kept.
const HELLO_WAIT: Duration = Duration::from_secs(5);

type Answer<T> = Result<Response<T>, Status>;
type Says<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[derive(Clone)]
pub(super) struct Desk {
    pub(super) ports: SchedulerPorts,
    pub(super) counter: Arc<dyn CountCalls>,
    pub(super) ending: Ending,
}

impl Desk {
    async fn answer<T, R, W>(
        &self,
        method: &'static str,
        request: Request<T>,
        work: impl FnOnce(T) -> W + Send,
    ) -> Answer<R>
    where
        W: Future<Output = Result<R, Refused>>,
    {
        self.counter.called(method);
        let parent = trace::parent_of(&request);
        let done = trace::within(parent, work(request.into_inner()));
        tokio::select! {
            done = done => Ok(Response::new(done?)),
            () = self.ending.cut.cancelled() => Err(cut_off()),
        }
    }
}

/// An answer in pieces.
fn in_pieces<T: Send + 'static>(pieces: Vec<T>) -> Says<T> {
    Box::pin(stream::iter(pieces.into_iter().map(Ok)))
}

#[tonic::async_trait]
impl Scheduler for Desk {
    type LoadStream = Says<wire::JobPiece>;
    type JobsStream = Says<wire::JobPagePiece>;
    type HistoryStream = Says<wire::HistoryPiece>;

    async fn submit(&self, request: Request<wire::SubmitRequest>) -> Answer<wire::SubmitReply> {
        let submit = async |message: wire::SubmitRequest| {
            let job = self.ports.api.submit(message.into()).await?;
            Ok(wire::SubmitReply { job: job.into() })
        };
        self.answer("submit", request, submit).await
    }

    async fn dry_run(&self, request: Request<wire::SubmitRequest>) -> Answer<wire::Empty> {
        let check = async |message: wire::SubmitRequest| {
            self.ports.api.dry_run(message.into()).await?;
            Ok(wire::Empty {})
        };
        self.answer("dry_run", request, check).await
    }

    async fn command(&self, request: Request<wire::CommandRequest>) -> Answer<wire::Empty> {
        let give = async |message| {
            let Commanded { job, user, command } = Commanded::try_from(message)?;
            self.ports.api.command(&job, &user, command).await?;
            Ok(wire::Empty {})
        };
        self.answer("command", request, give).await
    }

    async fn explain(&self, request: Request<wire::JobRequest>) -> Answer<wire::Document> {
        let explain = async |message: wire::JobRequest| {
            let explanation = self.ports.api.explain(&job_id(&message.job)?).await?;
            Ok(wire::Document { json: document(&explanation) })
        };
        self.answer("explain", request, explain).await
    }

    async fn wait_for_history(
        &self,
        request: Request<wire::WaitForHistoryRequest>,
    ) -> Answer<wire::Empty> {
        let wait = async |message: wire::WaitForHistoryRequest| {
            let job = job_id(&message.job)?;
            tokio::select! {
                waited = self.ports.api.wait_for_history(&job, message.after) => waited?,
                () = self.ending.shutdown.cancelled() => {}
            }
            Ok(wire::Empty {})
        };
        self.answer("wait_for_history", request, wait).await
    }

    async fn ready_attempts(
        &self,
        request: Request<wire::Empty>,
    ) -> Answer<wire::ReadyAttemptsReply> {
        let count = async |_| Ok(self.ports.api.ready_attempts().await.into());
        self.answer("ready_attempts", request, count).await
    }

    async fn policy(&self, request: Request<wire::Empty>) -> Answer<wire::Document> {
        let policy = async |_| {
            let row = self.ports.policy.policy().await?;
            Ok(wire::Document { json: document(&row) })
        };
        self.answer("policy", request, policy).await
    }

    async fn change_policy(&self, request: Request<wire::Document>) -> Answer<wire::Document> {
        let change = async |message: wire::Document| {
            let change: PolicyChange = value(&message.json)?;
            let row = self.ports.policy.change_policy(change).await?;
            Ok(wire::Document { json: document(&row) })
        };
        self.answer("change_policy", request, change).await
    }

    async fn load(&self, request: Request<wire::JobRequest>) -> Answer<Self::LoadStream> {
        let load = async |message: wire::JobRequest| {
            let job = self.ports.reads.load(&job_id(&message.job)?).await?;
            Ok(in_pieces(job.map_or_else(Vec::new, |job| reads::job_pieces(&job))))
        };
        self.answer("load", request, load).await
    }

    async fn app(&self, request: Request<wire::AppRequest>) -> Answer<wire::OptionalDocument> {
        let read = async |message: wire::AppRequest| {
            let app = self.ports.reads.app(&AppDigest::new(message.digest)).await?;
            Ok(wire::OptionalDocument { json: app.as_ref().map(document) })
        };
        self.answer("app", request, read).await
    }

    async fn by_external_id(
        &self,
        request: Request<wire::ByExternalIdRequest>,
    ) -> Answer<wire::OptionalJobId> {
        let look_up = async |message: wire::ByExternalIdRequest| {
            let job = self.ports.reads.by_external_id(&message.external_id).await?;
            Ok(wire::OptionalJobId { job: job.map(String::from) })
        };
        self.answer("by_external_id", request, look_up).await
    }

    async fn jobs(&self, request: Request<wire::JobFilter>) -> Answer<Self::JobsStream> {
        let list = async |message| {
            let page = self.ports.reads.jobs(&JobFilter::try_from(message)?).await?;
            Ok(in_pieces(reads::page_pieces(&page)))
        };
        self.answer("jobs", request, list).await
    }

    async fn history(&self, request: Request<wire::HistoryRequest>) -> Answer<Self::HistoryStream> {
        let read = async |message: wire::HistoryRequest| {
            let job = job_id(&message.job)?;
            let lines = self.ports.reads.history(&job, message.after, message.lines_max).await?;
            Ok(in_pieces(reads::history_pieces(lines)))
        };
        self.answer("history", request, read).await
    }
}

#[tonic::async_trait]
impl Work for Desk {
    type SessionStream = Says<wire::SchedulerSays>;

    async fn session(
        &self,
        request: Request<Streaming<wire::WorkerSays>>,
    ) -> Answer<Self::SessionStream> {
        self.counter.called("open");
        let mut stream = request.into_inner();
        let first = timeout(HELLO_WAIT, stream.message()).await;
        let silent = || Status::deadline_exceeded("the worker did not say hello");
        let says = first.map_err(|_| silent())??.ok_or_else(silent)?;
        let hello = Hello::try_from(says).map_err(Refused::from)?;
        let session = self.ports.work.open(hello).await.map_err(no_session)?;
        let over = self.ending.shutdown.child_token();
        Ok(Response::new(Box::pin(session::serve(stream, session, over))))
    }
}
