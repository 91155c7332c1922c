//! The one connection of a process, and whether what it leads to can be used.
//!
//! ```text
//!             connected, good                     connected, good
//!  Starting ───────────────────► Usable(n) ◄─────────────────────── Away
//!     │  │                        │      lost                        ▲ ▲
//!     │  │ connected, refused     └──────────────────────────────────┘ │
//!     │  └──────────────────────► Unfit ───────────────────────────────┤ lost
//!     └────────────────────────────────────────────────────────────────┘ no server takes a connection
//! ```
//! Each outage is said once in the log, however often connecting fails in it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::context::AccountErrorKind;
use async_nats::jetstream::{self, ErrorCode};
use async_nats::{Client, ConnectOptions, Event};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::{error, info, warn};

use crate::config::{ANSWER_MAX, Config, wrong};
use crate::error::Error;
use crate::keeper::{Keeper, context};
use crate::metrics::Metrics;
use crate::names::Names;

/// The oldest server that works: its JetStream no longer loses what an older one may.
pub(crate) const OLDEST_VERSION: (u32, u32) = (2, 12);
/// A start waits so long for a server, so that one that is unfit is refused while somebody looks.
const START_MAX: Duration = Duration::from_secs(1);
/// What happened to the connection and was not looked at yet; more than that is dropped by the client itself.
const EVENTS_MAX: usize = 64;

/// A connection to NATS, which lasts over any number of outages; clones share it, and the last one closes it.
#[derive(Clone)]
pub struct Connection {
    shared: Arc<Shared>,
}

struct Shared {
    client: Client,
    names: Names,
    keeper: Keeper,
    metrics: Metrics,
    state: watch::Receiver<State>,
    _watching: DropGuard,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    /// Nothing is known yet.
    Starting,
    /// There is no connection.
    Away,
    /// There is one; the number tells it from former ones.
    Usable(Session),
    /// There is one, and it is of no use.
    Unfit(Error),
}

/// Which connection it is, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Session(u64);

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Connection({}, {:?})", self.shared.names.stream(), *self.shared.state.borrow())
    }
}

impl Connection {
    /// Connects, or begins to: without a server it returns too, and goes on trying for as long as it lives.
    ///
    /// # Errors
    /// A setting is wrong, or a server answers that cannot be used ([`Error::code`]).
    pub async fn open(config: &Config, metrics: &Metrics) -> Result<Connection, Error> {
        let (client, events) = connect(config).await?;
        let (known, state) = watch::channel(State::Starting);
        let stop = CancellationToken::new();
        let watcher =
            Watcher { client: client.clone(), known, metrics: metrics.clone(), sessions: 0 };
        tokio::spawn(stop.clone().run_until_cancelled_owned(watcher.watch(events)));
        let names = Names::new(&config.namespace);
        let keeper = Keeper::new(&client, names.clone(), config.replicas, metrics.clone());
        let _watching = stop.drop_guard();
        let shared = Shared { client, names, keeper, metrics: metrics.clone(), state, _watching };
        let connection = Connection { shared: Arc::new(shared) };
        connection.begun().await.map(|()| connection)
    }

    async fn begun(&self) -> Result<(), Error> {
        let mut state = self.shared.state.clone();
        // Who waited long enough goes on without knowing.
        let _known = timeout(START_MAX, state.wait_for(|state| *state != State::Starting)).await;
        match &*self.shared.state.borrow() {
            State::Unfit(error) => Err(error.clone()),
            State::Starting | State::Away | State::Usable(_) => Ok(()),
        }
    }

    pub(crate) fn client(&self) -> &Client {
        &self.shared.client
    }

    pub(crate) fn names(&self) -> &Names {
        &self.shared.names
    }

    pub(crate) fn keeper(&self) -> &Keeper {
        &self.shared.keeper
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.shared.metrics
    }

    pub(crate) fn is_usable(&self) -> bool {
        matches!(*self.shared.state.borrow(), State::Usable(_))
    }

    /// Waits until there is a connection that can be used; nothing when there will be none any more.
    pub(crate) async fn usable(&self) -> Option<Session> {
        let mut state = self.shared.state.clone();
        let state = state.wait_for(|state| matches!(state, State::Usable(_))).await.ok()?;
        match *state {
            State::Usable(session) => Some(session),
            State::Starting | State::Away | State::Unfit(_) => None,
        }
    }

    /// Waits until a connection is over.
    pub(crate) async fn lost(&self, session: Session) {
        let mut state = self.shared.state.clone();
        // An error says that nobody watches any more, which is an end too.
        let _changed = state.wait_for(|state| *state != State::Usable(session)).await;
    }
}

async fn connect(config: &Config) -> Result<(Client, mpsc::Receiver<Event>), Error> {
    let (happened, events) = mpsc::channel(EVENTS_MAX);
    let options: ConnectOptions = config.options().await?.event_callback(move |event| {
        let happened = happened.clone();
        async move {
            // Fails only when nobody watches any more.
            let _unwatched = happened.send(event).await;
        }
    });
    let client = options.connect(config.servers.clone()).await;
    let client = client.map_err(|error| wrong("servers", error.to_string()))?;
    Ok((client, events))
}

/// Follows what happens to the connection.
struct Watcher {
    client: Client,
    known: watch::Sender<State>,
    metrics: Metrics,
    sessions: u64,
}

impl Watcher {
    async fn watch(mut self, mut events: mpsc::Receiver<Event>) {
        while let Some(event) = events.recv().await {
            match event {
                Event::Connected => self.connected().await,
                Event::Disconnected | Event::Closed => self.lost("the connection was lost"),
                // Each round over all servers that none of them ended well.
                Event::ClientError(error) => self.lost(&error.to_string()),
                Event::ServerError(error) => warn!(%error, "nats complains"),
                Event::LameDuckMode | Event::Draining | Event::SlowConsumer(_) => {}
            }
        }
    }

    async fn connected(&mut self) {
        self.sessions += 1;
        if self.sessions > 1 {
            self.metrics.reconnects.inc();
        }
        match self.judge().await {
            None => {
                info!(server = %self.client.server_info().server_name, "nats is there");
                self.now(State::Usable(Session(self.sessions)));
            }
            Some(refusal) => {
                let code = refusal.code();
                error!(code, error = %refusal, "nats cannot be used, going on without it");
                self.now(State::Unfit(refusal));
            }
        }
    }

    fn lost(&self, why: &str) {
        if *self.known.borrow() == State::Away {
            return;
        }
        warn!(why, "nats is away: rings are dropped, and workers ask for work by themselves");
        self.now(State::Away);
    }

    fn now(&self, state: State) {
        self.metrics.connected.set(i64::from(matches!(state, State::Usable(_))));
        self.known.send_replace(state);
    }

    /// What keeps the server from being used. One that does not answer now may do so later, and is not refused.
    async fn judge(&self) -> Option<Error> {
        // Done when the client has turned to the new server, and knows how that one has introduced itself.
        let flushed = timeout(ANSWER_MAX, self.client.flush()).await;
        let info =
            flushed.ok().and_then(Result::ok).and_then(|()| self.client.try_server_info())?;
        let server = info.server_name;
        if is_too_old(&info.version) {
            return Some(Error::TooOld { server, version: info.version });
        }
        let account = context(&self.client).query_account().await;
        match account.map_err(|error| error.kind()) {
            Err(AccountErrorKind::JetStreamUnavailable) => Some(Error::NoJetStream { server }),
            Err(AccountErrorKind::JetStream(error)) if is_switched_off(&error) => {
                Some(Error::NoJetStream { server })
            }
            Ok(_)
            | Err(
                AccountErrorKind::TimedOut
                | AccountErrorKind::Other
                | AccountErrorKind::JetStream(_),
            ) => None,
        }
    }
}

fn is_switched_off(error: &jetstream::Error) -> bool {
    let codes = [ErrorCode::JETSTREAM_NOT_ENABLED, ErrorCode::JETSTREAM_NOT_ENABLED_FOR_ACCOUNT];
    codes.contains(&error.error_code())
}

/// Builds of developers, whose versions are no numbers, are let through.
fn is_too_old(version: &str) -> bool {
    let mut numbers = version.split('.').map_while(|number| number.parse::<u32>().ok());
    match (numbers.next(), numbers.next()) {
        (Some(major), Some(minor)) => (major, minor) < OLDEST_VERSION,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_versions_are_known() {
        let check = |version, expected| assert_eq!(is_too_old(version), expected, "{version}");
        check("2.9.10", true);
        check("2.11.11", true);
        check("1.99.0", true);
        check("2.12.0", false);
        check("2.12.0-RC.1", false);
        check("2.100.1", false);
        check("3.0.0", false);
        check("dev", false);
    }
}
