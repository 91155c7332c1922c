//! What goes in and out of the actor: opening a session, messages both ways, bells.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use ports::bell::Listener;
use ports::clock::Entropy;
use ports::crash;
use ports::work::{FromWorker, Hello, Session, ToWorker, WorkSource};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tracing::debug;

/// A scheduler that takes a session does so after at most one round trip.
const OPEN_MAX: Duration = Duration::from_secs(10);
/// Between tries to open a session: the first, and the longest; each with jitter, so that workers do not come in step.
const RECONNECT_MS_MIN: u64 = 20;
const RECONNECT_MS_MAX: u64 = 5_000;

/// Passes bells on until the worker goes away.
pub(crate) async fn pass_on(mut listener: Box<dyn Listener>, bells: mpsc::Sender<String>) {
    while let Some(pool) = listener.heard().await {
        if bells.send(pool).await.is_err() {
            return;
        }
    }
}

/// What the scheduler says next; `None` when the session is over. Waits for ever without one.
pub(crate) async fn heard(session: &mut Option<mpsc::Receiver<ToWorker>>) -> Option<ToWorker> {
    match session {
        Some(from_scheduler) => from_scheduler.recv().await,
        None => std::future::pending().await,
    }
}

/// Sends as much as there is room for, at least one message; false when the other side is gone.
pub(crate) async fn send_first(
    session: Option<&mpsc::Sender<FromWorker>>,
    outbox: &mut VecDeque<FromWorker>,
) -> bool {
    let Some(to_scheduler) = session else { return true };
    let Ok(mut permit) = to_scheduler.reserve().await else { return false };
    while let Some(message) = outbox.pop_front() {
        send(permit, message);
        match to_scheduler.try_reserve() {
            Ok(another) => permit = another,
            Err(_) => break,
        }
    }
    true
}

fn send(permit: mpsc::Permit<'_, FromWorker>, message: FromWorker) {
    let (before, after) = match &message {
        FromWorker::Claim { .. } => ("before_claim_sent", "after_claim_sent"),
        FromWorker::Finish { .. } => ("before_finish_sent", "after_finish_sent"),
        FromWorker::Stopped { .. } => ("before_stopped_sent", "after_stopped_sent"),
        FromWorker::Holds { .. } | FromWorker::Beat { .. } | FromWorker::Progressed { .. } => {
            return permit.send(message);
        }
    };
    crash::point(before);
    permit.send(message);
    crash::point(after);
}

/// Tries until there is a session.
pub(crate) async fn connect(
    source: Arc<dyn WorkSource>,
    entropy: Arc<dyn Entropy>,
    hello: Hello,
    opened: mpsc::Sender<Session>,
) {
    let mut wait_ms = RECONNECT_MS_MIN;
    loop {
        match timeout(OPEN_MAX, source.open(hello.clone())).await {
            Ok(Ok(session)) => {
                // Fails only when the worker is going away.
                let _unused = opened.send(session).await;
                return;
            }
            Ok(Err(error)) => debug!(error = %error, wait_ms, "no session, trying again"),
            Err(_) => debug!(wait_ms, "opening a session took too long, trying again"),
        }
        let jitter_ms = entropy.nonce().0 % wait_ms;
        sleep(Duration::from_millis(wait_ms / 2 + jitter_ms)).await;
        wait_ms = (wait_ms * 2).min(RECONNECT_MS_MAX);
    }
}
