//! Servers: a listener, the ports behind it, and an end in bounded time.
//!
//! When it is told to stop, a server takes no more connections, ends sessions and watches at once, and lets requests that
//! are under way finish for [`DRAIN_MAX`]; what is not done then is told so.

mod coordinator;
mod scheduler;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, stream};
use ports::api::{PolicyApi, SchedulerApi};
use ports::cluster::CoordinatorApi;
use ports::store::Reads;
use ports::work::WorkSource;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;
use tonic::transport::server::Router;

use crate::MESSAGE_BYTES_MAX;
use crate::connect::{CONNECTION_WINDOW, STREAM_WINDOW};
use crate::wire::membership_server::MembershipServer;
use crate::wire::scheduler_server::SchedulerServer;
use crate::wire::work_server::WorkServer;

/// Requests that are under way at the end have so long to finish.
const DRAIN_MAX: Duration = Duration::from_secs(5);
/// After that, the last answers have so long to get out.
const LINGER_MAX: Duration = Duration::from_secs(1);
/// Streams of one connection: a gateway with as many clients that follow jobs.
const STREAMS_MAX: u32 = 4096;
/// Calls that a client gave up before the server looked at them: our clients are trusted, and a gateway whose own clients hang
/// up all at once must not lose its connection for it.
const RESETS_MAX: usize = 4096;
/// Between two questions whether a client is still there.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(1);
/// For the answer to such a question.
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(2);
/// A listener that fails (no file descriptor is left, say) is asked again after so long.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What a scheduler offers.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "ports cannot be printed")]
pub struct SchedulerPorts {
    /// Commands.
    pub api: Arc<dyn SchedulerApi>,
    /// The policy of the cluster.
    pub policy: Arc<dyn PolicyApi>,
    /// The database, for reading.
    pub reads: Arc<dyn Reads>,
    /// Work for workers.
    pub work: Arc<dyn WorkSource>,
}

/// Hears of every call that a server takes: `howdah_rpc_requests_total{method}` is counted by it.
pub trait CountCalls: Send + Sync {
    /// A call of this method came; the name is that of the port's method, a session is `open`.
    fn called(&self, method: &'static str);
}

/// Counts nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Uncounted;

impl CountCalls for Uncounted {
    fn called(&self, _method: &'static str) {}
}

/// A server could not go on.
#[derive(Debug, thiserror::Error)]
#[error("the gRPC server stopped: {0}")]
pub struct ServeError(#[from] tonic::transport::Error);

/// The two moments at the end of a server.
#[derive(Clone)]
struct Ending {
    /// Nothing new; what has no end of its own ends.
    shutdown: CancellationToken,
    /// What is still under way is cut off.
    cut: CancellationToken,
}

/// Serves a scheduler until `shutdown`, and then as long as requests under way need, within bounds.
///
/// # Errors
/// When the listener cannot be served.
pub async fn serve_scheduler(
    listener: TcpListener,
    ports: SchedulerPorts,
    counter: Arc<dyn CountCalls>,
    shutdown: CancellationToken,
) -> Result<(), ServeError> {
    let ending = Ending { shutdown, cut: CancellationToken::new() };
    let desk = scheduler::Desk { ports, counter, ending: ending.clone() };
    let (health, health_service) = tonic_health::server::health_reporter();
    health.set_serving::<SchedulerServer<scheduler::Desk>>().await;
    health.set_serving::<WorkServer<scheduler::Desk>>().await;
    let router = server()
        .add_service(health_service)
        .add_service(
            SchedulerServer::new(desk.clone())
                .max_decoding_message_size(MESSAGE_BYTES_MAX)
                .max_encoding_message_size(MESSAGE_BYTES_MAX),
        )
        .add_service(
            WorkServer::new(desk)
                .max_decoding_message_size(MESSAGE_BYTES_MAX)
                .max_encoding_message_size(MESSAGE_BYTES_MAX),
        );
    serve(router, listener, ending).await
}

/// Serves a coordinator until `shutdown`; members and watchers go to another one then.
///
/// # Errors
/// When the listener cannot be served.
pub async fn serve_coordinator(
    listener: TcpListener,
    coordinator: Arc<dyn CoordinatorApi>,
    shutdown: CancellationToken,
) -> Result<(), ServeError> {
    let ending = Ending { shutdown: shutdown.clone(), cut: CancellationToken::new() };
    let desk = coordinator::Desk { coordinator, shutdown };
    let (health, health_service) = tonic_health::server::health_reporter();
    health.set_serving::<MembershipServer<coordinator::Desk>>().await;
    let router = server().add_service(health_service).add_service(MembershipServer::new(desk));
    serve(router, listener, ending).await
}

fn server() -> Server {
    Server::builder()
        .http2_keepalive_interval(Some(KEEP_ALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEP_ALIVE_TIMEOUT))
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_concurrent_streams(STREAMS_MAX)
        .http2_max_pending_accept_reset_streams(Some(RESETS_MAX))
}

async fn serve(router: Router, listener: TcpListener, ending: Ending) -> Result<(), ServeError> {
    let stop = ending.shutdown.clone().cancelled_owned();
    let serving = router.serve_with_incoming_shutdown(connections(listener), stop);
    tokio::select! {
        served = serving => Ok(served?),
        () = over(&ending) => {
            tracing::warn!("a gRPC server ends with connections that do not close");
            Ok(())
        }
    }
}

/// Resolves when a server has had all the time that it gets after it was told to stop.
async fn over(ending: &Ending) {
    ending.shutdown.cancelled().await;
    sleep(DRAIN_MAX).await;
    ending.cut.cancel();
    sleep(LINGER_MAX).await;
}

/// Connections as they come; a listener that fails is asked again, so that a moment without descriptors ends nothing.
fn connections(listener: TcpListener) -> impl Stream<Item = Result<TcpStream, Infallible>> {
    stream::unfold(listener, async |listener| {
        let connection = loop {
            match listener.accept().await {
                Ok((connection, _)) => break connection,
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        };
        if let Err(error) = connection.set_nodelay(true) {
            tracing::debug!(%error, "a connection closed at once");
        }
        Some((Ok(connection), listener))
    })
}
