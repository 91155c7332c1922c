//! The cluster's schedulers behind the ports of one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::join_all;
use model::{AppDigest, JobId, WorkflowJob};
use ports::api::{
    ApiError, Command, Explanation, PolicyApi, PolicyChange, SchedulerApi, SubmitRequest,
};
use ports::cluster::PolicyRow;
use ports::store::{AppSource, HistoryLine, JobFilter, JobPage, Reads, StoreError};
use tokio::time::timeout;

use super::ask::{Class, Wanted};
use super::members::Target;
use super::{Balanced, RouteClass};

/// How long one scheduler may take to count what waits in it; then the others' numbers are shown without its.
const COUNT_LIMIT: Duration = Duration::from_secs(2);

impl Balanced {
    fn read<'a>(&self, key: Option<&'a str>) -> Wanted<'a> {
        let algorithm = self.algorithms.get(RouteClass::Read);
        let target = Target::Anybody(RouteClass::Read, algorithm, key);
        Wanted { class: Class::Read, target, repeatable: true }
    }
}

fn of_owner(job: &JobId, repeatable: bool) -> Wanted<'_> {
    Wanted { class: Class::Job, target: Target::Job(job), repeatable }
}

#[async_trait]
impl SchedulerApi for Balanced {
    async fn submit(&self, mut request: SubmitRequest) -> Result<JobId, ApiError> {
        let key = match request.key.take() {
            Some(key) => key,
            None => self.new_key().await?,
        };
        request.key = Some(key.clone());
        let wanted = Wanted { class: Class::Submit, target: Target::Key(&key), repeatable: true };
        self.ask(wanted, |remote| {
            let request = request.clone();
            async move { remote.submit(request).await }
        })
        .await
    }

    async fn dry_run(&self, request: SubmitRequest) -> Result<(), ApiError> {
        let algorithm = self.algorithms.get(RouteClass::Submit);
        let target = Target::Anybody(RouteClass::Submit, algorithm, request.key.as_deref());
        let wanted = Wanted { class: Class::Submit, target, repeatable: true };
        self.ask(wanted, |remote| {
            let request = request.clone();
            async move { remote.dry_run(request).await }
        })
        .await
    }

    async fn command(&self, job: &JobId, user: &str, command: Command) -> Result<(), ApiError> {
        self.ask(of_owner(job, false), |remote| {
            let command = command.clone();
            async move { remote.command(job, user, command).await }
        })
        .await
    }

    async fn explain(&self, job: &JobId) -> Result<Explanation, ApiError> {
        self.ask(of_owner(job, true), |remote| async move { remote.explain(job).await }).await
    }

    async fn wait_for_history(&self, job: &JobId, after: i64) -> Result<(), ApiError> {
        let wanted = of_owner(job, true);
        self.ask(wanted, |remote| async move { remote.wait_for_history(job, after).await }).await
    }

    /// Each owner counts what waits in its own shards.
    async fn ready_attempts(&self) -> Vec<(Arc<str>, u64)> {
        let owners = self.table().owners();
        let counts = owners.iter().map(|owner| timeout(COUNT_LIMIT, owner.remote.ready_attempts()));
        let mut sums: BTreeMap<Arc<str>, u64> = BTreeMap::new();
        for (pool, waiting) in join_all(counts).await.into_iter().flatten().flatten() {
            *sums.entry(pool).or_default() += waiting;
        }
        sums.into_iter().collect()
    }
}

#[async_trait]
impl Reads for Balanced {
    async fn load(&self, job: &JobId) -> Result<Option<WorkflowJob>, StoreError> {
        let wanted = self.read(Some(job.as_str()));
        self.ask(wanted, |remote| async move { remote.load(job).await }).await
    }

    async fn app(&self, digest: &AppDigest) -> Result<Option<AppSource>, StoreError> {
        let wanted = self.read(Some(digest.as_str()));
        self.ask(wanted, |remote| async move { remote.app(digest).await }).await
    }

    async fn by_external_id(&self, external_id: &str) -> Result<Option<JobId>, StoreError> {
        let wanted = self.read(Some(external_id));
        self.ask(wanted, |remote| async move { remote.by_external_id(external_id).await }).await
    }

    /// Hashed by the id when only one is asked for.
    async fn jobs(&self, filter: &JobFilter) -> Result<JobPage, StoreError> {
        let key = match filter.ids.as_slice() {
            [id] => Some(id.as_str()),
            _ => None,
        };
        self.ask(self.read(key), |remote| async move { remote.jobs(filter).await }).await
    }

    async fn history(
        &self,
        job: &JobId,
        after: i64,
        lines_max: u32,
    ) -> Result<Vec<HistoryLine>, StoreError> {
        let wanted = self.read(Some(job.as_str()));
        self.ask(wanted, |remote| async move { remote.history(job, after, lines_max).await }).await
    }
}

/// The policy is a row of the database: anybody reads and writes it.
#[async_trait]
impl PolicyApi for Balanced {
    async fn policy(&self) -> Result<PolicyRow, ApiError> {
        let wanted = Wanted { class: Class::Policy, ..self.read(None) };
        self.ask(wanted, |remote| async move { remote.policy().await }).await
    }

    async fn change_policy(&self, change: PolicyChange) -> Result<PolicyRow, ApiError> {
        let wanted = Wanted { class: Class::Policy, repeatable: false, ..self.read(None) };
        self.ask(wanted, |remote| {
            let change = change.clone();
            async move { remote.change_policy(change).await }
        })
        .await
    }
}
