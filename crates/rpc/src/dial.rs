//! Connections of a client to its server.
//!
//! Requests that wait for a connection wait in a row, and each one behind the first would make an attempt of its own: with a
//! server that is cut off, the last one would learn it after as many time-outs. So an attempt that failed speaks for those
//! that follow it, for as long as it took itself: refusals are asked anew at once, time-outs are not waited for twice.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tonic::codegen::Service;
use tonic::transport::{Channel, Endpoint, Uri};

/// A channel that connects when it is first needed and whenever the connection broke.
pub(crate) fn lazily(endpoint: &Endpoint, limit: Duration) -> Channel {
    let dialer = Dialer { limit, failure: Arc::default() };
    endpoint.connect_with_connector_lazy(dialer)
}

#[derive(Clone)]
struct Dialer {
    limit: Duration,
    failure: Arc<Mutex<Option<Failure>>>,
}

struct Failure {
    kind: io::ErrorKind,
    words: String,
    counts_until: Instant,
}

impl Service<Uri> for Dialer {
    type Response = TokioIo<TcpStream>;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<TokioIo<TcpStream>>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        self.clone().dial(uri).boxed()
    }
}

impl Dialer {
    async fn dial(self, uri: Uri) -> io::Result<TokioIo<TcpStream>> {
        self.recent_failure()?;
        let began = Instant::now();
        let too_late = || {
            io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {:?}", self.limit))
        };
        let dialed = timeout(self.limit, connect(&uri)).await.unwrap_or_else(|_| Err(too_late()));
        self.remember(dialed.as_ref().err(), began);
        dialed.map(TokioIo::new)
    }

    fn recent_failure(&self) -> io::Result<()> {
        match &*self.failure.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(failure) if Instant::now() < failure.counts_until => {
                Err(io::Error::new(failure.kind, failure.words.clone()))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn remember(&self, error: Option<&io::Error>, began: Instant) {
        let failure = error.map(|error| Failure {
            kind: error.kind(),
            words: error.to_string(),
            counts_until: Instant::now() + began.elapsed(),
        });
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = failure;
    }
}

async fn connect(uri: &Uri) -> io::Result<TcpStream> {
    let host = uri.host().unwrap_or_default();
    let stream =
        TcpStream::connect((host.trim_matches(['[', ']']), uri.port_u16().unwrap_or(80))).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}
