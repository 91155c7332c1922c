//! Serving HTTP: a bounded number of connections, and bounded patience with clients that do not finish what they begin.
//!
//! A connection costs a file descriptor, and so does everything else that a server does: clients that open connections
//! and go to sleep must not take the last one.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use rustix::process::{Resource, getrlimit};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// Connections beyond this wait to be accepted: each may hold some hundred KiB while it is served.
const CONNECTIONS_MAX: usize = 4_096;
/// At least so many of the process's file descriptors are kept for everything else: databases, logs, attempts.
const OTHERS_SHARE: u64 = 2;
/// Between the first and the last byte of the head of a request, and between two requests of a connection.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// After the system could not give a connection: it has no descriptors left, or no memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// What clients may take of the process.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at the same time; more wait to be accepted.
    pub connections_max: usize,
    /// The longest that the head of a request may take.
    pub head_timeout: Duration,
}

impl Limits {
    /// What this process can give: at most half of its file descriptors.
    pub fn of_process() -> Limits {
        let descriptors = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        let share = usize::try_from(descriptors / OTHERS_SHARE).unwrap_or(usize::MAX);
        Limits { connections_max: share.clamp(1, CONNECTIONS_MAX), head_timeout: HEAD_TIMEOUT }
    }
}

/// Serves until `stop`; requests that are under way then are answered.
///
/// # Errors
/// None now: a connection that cannot be had is tried again.
pub async fn serve(
    listener: TcpListener,
    app: Router,
    limits: Limits,
    stop: CancellationToken,
) -> io::Result<()> {
    let places = Arc::new(Semaphore::new(limits.connections_max));
    let graceful = GracefulShutdown::new();
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(limits.head_timeout);
    while let Some(place) = stop.run_until_cancelled(Arc::clone(&places).acquire_owned()).await {
        let Some(stream) = stop.run_until_cancelled(accept(&listener)).await else { break };
        let service = TowerToHyperService::new(app.clone());
        let served = graceful.watch(http.serve_connection(TokioIo::new(stream), service));
        tokio::spawn(async move {
            let _place = place;
            if let Err(error) = served.await {
                tracing::debug!(%error, "a connection broke off");
            }
        });
    }
    drop(listener);
    graceful.shutdown().await;
    Ok(())
}

/// The next connection.
async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // Answers are small and whole; without it some would wait for an acknowledgement. It is an option only.
                let _slower = stream.set_nodelay(true);
                return stream;
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted, trying again");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::time::timeout;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    async fn said(stream: &mut TcpStream) -> String {
        let mut answer = Vec::new();
        timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("in time").expect("read");
        String::from_utf8(answer).expect("text")
    }

    #[tokio::test]
    async fn clients_that_do_not_finish_give_way_to_others() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let app = Router::new().route("/", get(|| async { "here" }));
        let limits = Limits { connections_max: 2, head_timeout: Duration::from_millis(50) };
        let stop = CancellationToken::new();
        let serving = tokio::spawn(serve(listener, app, limits, stop.clone()));
        let mut silent = TcpStream::connect(address).await.expect("a connection");
        let mut slow = TcpStream::connect(address).await.expect("a connection");
        slow.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nx: ").await.expect("sent");
        let mut third = TcpStream::connect(address).await.expect("a connection");
        let request = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        third.write_all(request).await.expect("sent");
        assert!(said(&mut third).await.ends_with("here"));
        assert!(!said(&mut slow).await.contains("200"));
        assert_eq!(said(&mut silent).await, "");
        stop.cancel();
        let ended = timeout(PATIENCE, serving).await.expect("in time").expect("no panic");
        assert!(ended.is_ok());
    }
}
