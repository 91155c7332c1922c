//! Connections: their names, their bounds, and the question that each is asked before it is used.
//!
//! Every connection is called `hw:` and sixteen hex digits, the nonce of this process, so that a person and a later owner can
//! tell whose it is. A standby is refused. System identifier and timeline are compared with those seen before: when they
//! change, the database was promoted or restored, and whoever watches [`Timeline`] takes all shards again.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use model::Nonce;
use ports::store::StoreError;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions, Row as _};
use tokio::sync::watch;

use super::errors::store_error;
use crate::cluster::refused;

/// Longest statement: a batch of 2 000 rows takes 20 ms, a purge may take seconds.
const STATEMENT_TIMEOUT: &str = "10s";
/// Longest wait for a lock: a take waits so long for the last batch of the former owner.
const LOCK_TIMEOUT: &str = "5s";
/// Connections for reads and takes; the committer has its own.
const POOL_MAX: u32 = 8;
/// How long a read waits for a free connection, or a new connection for the server.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Which history a server is on: a promotion starts a new timeline, a restore or another server changes the identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeline {
    /// The identifier that was made when the server was initialised.
    pub system_identifier: i64,
    /// The number of its timeline.
    pub timeline: u32,
}

/// One server process of ours, told apart from a later one with the same pid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Backend {
    pub(crate) pid: i64,
    pub(crate) started: String,
}

/// The committer's connection.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) connection: PgConnection,
    pub(crate) backend: Backend,
}

/// Makes connections and watches what they say.
#[derive(Clone, Debug)]
pub(crate) struct Connector {
    options: PgConnectOptions,
    pub(crate) name: String,
    seen: Arc<watch::Sender<Option<Timeline>>>,
}

impl Connector {
    pub(crate) fn new(url: &str, process: Nonce) -> Result<Connector, StoreError> {
        let name = format!("hw:{process}");
        let options = PgConnectOptions::from_str(url)
            .map_err(|error| {
                refused(format!(
                    "its address is not one: {error}; it looks like postgres://user@host:5432/name"
                ))
            })?
            .application_name(&name)
            .disable_statement_logging();
        Ok(Connector { options, name, seen: Arc::new(watch::Sender::new(None)) })
    }

    /// For migrations, which may wait long for another process that migrates too.
    pub(crate) async fn unbounded(&self) -> Result<Link, StoreError> {
        self.connect(self.options.clone()).await
    }

    /// For the committer: one plan for each statement, whatever the size of its arrays.
    pub(crate) async fn committer(&self) -> Result<Link, StoreError> {
        self.connect(
            bounded(self.options.clone()).options([("plan_cache_mode", "force_generic_plan")]),
        )
        .await
    }

    async fn connect(&self, options: PgConnectOptions) -> Result<Link, StoreError> {
        const WHAT: &str = "connect to it";
        let connecting = async {
            let mut connection = options.connect().await?;
            let greeting = greet(&mut connection).await?;
            Ok::<_, sqlx::Error>((connection, greeting))
        };
        let late = |_| StoreError::Unavailable {
            what: WHAT,
            source_message: format!("no answer within {CONNECT_TIMEOUT:?}"),
        };
        let connected = tokio::time::timeout(CONNECT_TIMEOUT, connecting).await.map_err(late)?;
        let (connection, greeting) = connected.map_err(|error| store_error(WHAT, &error))?;
        let Some(timeline) = greeting.timeline else {
            return Err(refused("this server is a standby; connect to the primary"));
        };
        note(&self.seen, timeline);
        Ok(Link { connection, backend: greeting.backend })
    }

    /// For reads and takes.
    pub(crate) fn pool(&self) -> PgPool {
        let seen = Arc::clone(&self.seen);
        PgPoolOptions::new()
            .max_connections(POOL_MAX)
            .acquire_timeout(CONNECT_TIMEOUT)
            .after_connect(move |connection, _| {
                let seen = Arc::clone(&seen);
                Box::pin(async move {
                    let standby = || sqlx::Error::Protocol("this server is a standby".to_owned());
                    note(&seen, greet(connection).await?.timeline.ok_or_else(standby)?);
                    Ok(())
                })
            })
            .connect_lazy_with(bounded(self.options.clone()))
    }

    pub(crate) fn timelines(&self) -> watch::Receiver<Option<Timeline>> {
        self.seen.subscribe()
    }
}

fn bounded(options: PgConnectOptions) -> PgConnectOptions {
    options.options([
        ("statement_timeout", STATEMENT_TIMEOUT),
        ("lock_timeout", LOCK_TIMEOUT),
        ("idle_in_transaction_session_timeout", STATEMENT_TIMEOUT),
    ])
}

struct Greeting {
    backend: Backend,
    /// Nothing on a standby.
    timeline: Option<Timeline>,
}

async fn greet(connection: &mut PgConnection) -> Result<Greeting, sqlx::Error> {
    let row =
        sqlx::query(include_str!("../../sql/postgres/greet.sql")).fetch_one(connection).await?;
    let backend = Backend { pid: row.try_get("pid")?, started: row.try_get("started")? };
    if row.try_get("in_recovery")? {
        return Ok(Greeting { backend, timeline: None });
    }
    let digits: String = row.try_get("timeline")?;
    let timeline =
        u32::from_str_radix(&digits, 16).map_err(|error| sqlx::Error::Decode(error.into()))?;
    Ok(Greeting {
        backend,
        timeline: Some(Timeline { system_identifier: row.try_get("system_identifier")?, timeline }),
    })
}

fn note(seen: &watch::Sender<Option<Timeline>>, now: Timeline) {
    seen.send_if_modified(|last| {
        let before = last.replace(now);
        if let Some(before) = before.filter(|before| *before != now) {
            tracing::warn!(?before, ?now, "the database was promoted or restored");
        }
        before != Some(now)
    });
}
