//! One connection at a time, to one server; when it fails, the next server's.
//!
//! The client could balance over all servers by itself, but then a frozen one takes its share of the calls for as long as
//! its sockets are open. Here the first call that it does not answer leaves it.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use etcd_client::{Client, ConnectOptions, Error};
use ports::election::NoQuorum;
use tokio::time::timeout;

use crate::config::{BadConfig, EtcdConfig};

/// A call that has no answer by then goes to the next server. An etcd that is well answers in a few ms; one that elects a
/// leader takes 1 to 2 s, and coordinators accuse nobody in that time.
const CALL_TIMEOUT: Duration = Duration::from_millis(500);

/// The servers, and which one is spoken with.
pub(crate) struct Links {
    endpoints: Vec<String>,
    options: ConnectOptions,
    current: Mutex<Current>,
}

#[derive(Default)]
struct Current {
    /// Grows whenever a server is left: who was slow to fail leaves nobody else's server.
    turn: usize,
    client: Option<Client>,
}

impl Links {
    pub(crate) fn new(config: &EtcdConfig) -> Result<Links, BadConfig> {
        let options = config.options()?;
        let current = Mutex::new(Current::default());
        Ok(Links { endpoints: config.endpoints.clone(), options, current })
    }

    /// Makes a call, at each server once until one answers. Calls are safe to repeat: what writes compares revisions.
    pub(crate) async fn call<T, A>(
        &self,
        what: &str,
        call: impl Fn(Client) -> A,
    ) -> Result<T, NoQuorum>
    where
        A: Future<Output = Result<T, Error>>,
    {
        let mut why = String::new();
        for _ in 0..self.endpoints.len() {
            match self.call_once(&call).await {
                Ok(answer) => return Ok(answer),
                Err(error) => why = error,
            }
        }
        Err(NoQuorum(format!(
            "etcd does not answer ({what}: {why}); coordinators accuse nobody until it does"
        )))
    }

    async fn call_once<T, A>(&self, call: &impl Fn(Client) -> A) -> Result<T, String>
    where
        A: Future<Output = Result<T, Error>>,
    {
        let (turn, client) = self.client().await?;
        let answered = timeout(CALL_TIMEOUT, call(client)).await;
        let why = match answered {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {CALL_TIMEOUT:?}"),
        };
        self.leave(turn);
        Err(why)
    }

    /// The connection, made when there is none.
    pub(crate) async fn client(&self) -> Result<(usize, Client), String> {
        let (turn, known) = self.known();
        if let Some(client) = known {
            return Ok((turn, client));
        }
        let endpoint = &self.endpoints[turn % self.endpoints.len()];
        let connecting = Client::connect([endpoint], Some(self.options.clone()));
        let connected = timeout(CALL_TIMEOUT, connecting).await;
        let why = match connected {
            Ok(Ok(client)) => {
                self.keep(turn, &client);
                return Ok((turn, client));
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {CALL_TIMEOUT:?}"),
        };
        self.leave(turn);
        Err(format!("{endpoint}: {why}"))
    }

    /// Goes on to the next server, unless somebody else did.
    pub(crate) fn leave(&self, turn: usize) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.turn == turn {
            *current = Current { turn: turn.wrapping_add(1), client: None };
        }
    }

    fn known(&self) -> (usize, Option<Client>) {
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        (current.turn, current.client.clone())
    }

    fn keep(&self, turn: usize, client: &Client) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.turn == turn {
            current.client = Some(client.clone());
        }
    }
}
