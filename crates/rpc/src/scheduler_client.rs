//! A scheduler that is elsewhere.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use model::{AppDigest, JobId, WorkflowJob};
use ports::api::{
    ApiError, Command, Explanation, PolicyApi, PolicyChange, SchedulerApi, SubmitRequest,
};
use ports::cluster::PolicyRow;
use ports::store::{AppSource, HistoryLine, JobFilter, JobPage, Reads, StoreError};
use ports::work::{Hello, NoScheduler, Session, WorkSource};
use serde::de::DeserializeOwned;
use tokio::time::timeout;
use tonic::transport::Channel;
use tonic::{Response, Status, Streaming};

use crate::connect::{BadAddress, Options, endpoint};
use crate::convert::{Malformed, document, job_id, reads, value};
use crate::dial::lazily;
use crate::refused::{MISUNDERSTOOD, api_error, no_scheduler, store_error};
use crate::trace::request;
use crate::wire::scheduler_client::SchedulerClient as Scheduler;
use crate::wire::work_client::WorkClient;
use crate::{MESSAGE_BYTES_MAX, session, wire};

/// The ports of one scheduler over one connection, which is made when it is first needed and made anew when it broke.
///
/// Failures of the way, not of the scheduler, have codes of their own: see [`crate::Reach`].
#[derive(Clone, Debug)]
pub struct SchedulerClient {
    scheduler: Scheduler<Channel>,
    work: WorkClient<Channel>,
    options: Arc<Options>,
}

impl SchedulerClient {
    /// A client of the scheduler at `http://host:port`. To be called inside of a runtime.
    ///
    /// # Errors
    /// When the address is none. That nobody is there shows at the first request.
    pub fn new(address: &str, options: Options) -> Result<SchedulerClient, BadAddress> {
        let channel = lazily(&endpoint(address, &options)?, options.connect_timeout);
        let scheduler = Scheduler::new(channel.clone());
        let work = WorkClient::new(channel);
        Ok(SchedulerClient {
            scheduler: scheduler
                .max_decoding_message_size(MESSAGE_BYTES_MAX)
                .max_encoding_message_size(MESSAGE_BYTES_MAX),
            work: work
                .max_decoding_message_size(MESSAGE_BYTES_MAX)
                .max_encoding_message_size(MESSAGE_BYTES_MAX),
            options: Arc::new(options),
        })
    }

    fn scheduler(&self) -> Scheduler<Channel> {
        self.scheduler.clone()
    }

    async fn answer<T>(
        &self,
        call: impl Future<Output = Result<Response<T>, Status>>,
    ) -> Result<T, ApiError> {
        answer_within(self.options.request_timeout, call).await
    }

    /// All messages of a streamed answer.
    async fn pieces<T>(
        &self,
        call: impl Future<Output = Result<Response<Streaming<T>>, Status>>,
    ) -> Result<Vec<T>, ApiError> {
        let all = async {
            let mut stream = call.await?.into_inner();
            let mut pieces = Vec::new();
            while let Some(piece) = stream.message().await? {
                pieces.push(piece);
            }
            Ok(Response::new(pieces))
        };
        self.answer(all).await
    }
}

async fn answer_within<T>(
    limit: Duration,
    call: impl Future<Output = Result<Response<T>, Status>>,
) -> Result<T, ApiError> {
    match timeout(limit, call).await {
        Ok(Ok(answer)) => Ok(answer.into_inner()),
        Ok(Err(status)) => Err(api_error(&status)),
        Err(_) => Err(api_error(&too_late(limit))),
    }
}

fn too_late(limit: Duration) -> Status {
    Status::deadline_exceeded(format!("no answer within {} s", limit.as_secs_f32()))
}

fn misunderstood(error: Malformed) -> ApiError {
    ApiError::new(ports::api::ApiErrorKind::Internal, MISUNDERSTOOD, error.to_string())
}

fn read<T: DeserializeOwned>(json: &[u8]) -> Result<T, ApiError> {
    value(json).map_err(misunderstood)
}

fn asked(job: &JobId) -> wire::JobRequest {
    wire::JobRequest { job: job.as_str().to_owned() }
}

#[async_trait]
impl SchedulerApi for SchedulerClient {
    async fn submit(&self, submit: SubmitRequest) -> Result<JobId, ApiError> {
        let reply = self.answer(self.scheduler().submit(request(submit.into()))).await?;
        job_id(&reply.job).map_err(misunderstood)
    }

    async fn dry_run(&self, submit: SubmitRequest) -> Result<(), ApiError> {
        let wire::Empty {} = self.answer(self.scheduler().dry_run(request(submit.into()))).await?;
        Ok(())
    }

    async fn command(&self, job: &JobId, user: &str, command: Command) -> Result<(), ApiError> {
        let (job, user) = (job.as_str().to_owned(), user.to_owned());
        let message = wire::CommandRequest { job, user, command: Some(command.into()) };
        let wire::Empty {} = self.answer(self.scheduler().command(request(message))).await?;
        Ok(())
    }

    async fn explain(&self, job: &JobId) -> Result<Explanation, ApiError> {
        read(&self.answer(self.scheduler().explain(request(asked(job)))).await?.json)
    }

    async fn wait_for_history(&self, job: &JobId, after: i64) -> Result<(), ApiError> {
        let message = wire::WaitForHistoryRequest { job: job.as_str().to_owned(), after };
        let mut scheduler = self.scheduler();
        let call = scheduler.wait_for_history(request(message));
        let wire::Empty {} = answer_within(self.options.wait_timeout, call).await?;
        Ok(())
    }

    /// None while the scheduler does not answer.
    async fn ready_attempts(&self) -> Vec<(Arc<str>, u64)> {
        match self.answer(self.scheduler().ready_attempts(request(wire::Empty {}))).await {
            Ok(reply) => reply.into(),
            Err(error) => {
                tracing::debug!(%error, "a scheduler does not say what is ready");
                Vec::new()
            }
        }
    }
}

#[async_trait]
impl PolicyApi for SchedulerClient {
    async fn policy(&self) -> Result<PolicyRow, ApiError> {
        read(&self.answer(self.scheduler().policy(request(wire::Empty {}))).await?.json)
    }

    async fn change_policy(&self, change: PolicyChange) -> Result<PolicyRow, ApiError> {
        let message = wire::Document { json: document(&change) };
        read(&self.answer(self.scheduler().change_policy(request(message))).await?.json)
    }
}

#[async_trait]
impl Reads for SchedulerClient {
    async fn load(&self, job: &JobId) -> Result<Option<WorkflowJob>, StoreError> {
        let failed = |error| store_error("read a job", error);
        let mut scheduler = self.scheduler();
        let pieces = self.pieces(scheduler.load(request(asked(job)))).await.map_err(failed)?;
        reads::job(pieces).map_err(misunderstood).map_err(failed)
    }

    async fn app(&self, digest: &AppDigest) -> Result<Option<AppSource>, StoreError> {
        let failed = |error| store_error("read a definition", error);
        let message = wire::AppRequest { digest: digest.as_str().to_owned() };
        let reply = self.answer(self.scheduler().app(request(message))).await.map_err(failed)?;
        reply.json.map(|json| read(&json)).transpose().map_err(failed)
    }

    async fn by_external_id(&self, external_id: &str) -> Result<Option<JobId>, StoreError> {
        let failed = |error| store_error("look up an external id", error);
        let message = wire::ByExternalIdRequest { external_id: external_id.to_owned() };
        let mut scheduler = self.scheduler();
        let reply =
            self.answer(scheduler.by_external_id(request(message))).await.map_err(failed)?;
        let job = reply.job.as_deref().map(job_id).transpose();
        job.map_err(misunderstood).map_err(failed)
    }

    async fn jobs(&self, filter: &JobFilter) -> Result<JobPage, StoreError> {
        let failed = |error| store_error("list jobs", error);
        let mut scheduler = self.scheduler();
        let pieces = self.pieces(scheduler.jobs(request(filter.into()))).await.map_err(failed)?;
        reads::page(pieces).map_err(misunderstood).map_err(failed)
    }

    async fn history(
        &self,
        job: &JobId,
        after: i64,
        lines_max: u32,
    ) -> Result<Vec<HistoryLine>, StoreError> {
        let failed = |error| store_error("read history", error);
        let message = wire::HistoryRequest { job: job.as_str().to_owned(), after, lines_max };
        let mut scheduler = self.scheduler();
        let pieces = self.pieces(scheduler.history(request(message))).await.map_err(failed)?;
        reads::history(pieces).map_err(misunderstood).map_err(failed)
    }
}

#[async_trait]
impl WorkSource for SchedulerClient {
    async fn open(&self, hello: Hello) -> Result<Session, NoScheduler> {
        let limit = self.options.session_timeout;
        let opened = timeout(limit, session::open(self.work.clone(), hello)).await;
        opened.unwrap_or_else(|_| Err(too_late(limit))).map_err(|status| no_scheduler(&status))
    }
}
