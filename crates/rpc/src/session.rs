//! Both ends of a session between worker and scheduler. Each end has a task that reads the stream; the stream that is
//! written is fed from the port's channel. Whatever half closes first ends the other.

use futures::{Stream, StreamExt, stream};
use ports::work::{FromWorker, Hello, SESSION_MESSAGES_MAX, Session, ToWorker};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;
use tonic::{Status, Streaming};

use crate::convert::work::{Assembly, scheduler_says};
use crate::trace::request;
use crate::wire;
use crate::wire::work_client::WorkClient;

/// Opens a session: its first message is `hello`.
pub(crate) async fn open(mut work: WorkClient<Channel>, hello: Hello) -> Result<Session, Status> {
    let (to_scheduler, outbox) = mpsc::channel::<FromWorker>(SESSION_MESSAGES_MAX);
    let over = CancellationToken::new();
    let words = ReceiverStream::new(outbox).map(wire::WorkerSays::from);
    let says = stream::iter([hello.into()]).chain(words);
    let guard = over.clone().drop_guard();
    let answer = work.session(request(says.take_until(over.cancelled_owned()))).await?;
    let (inbox, from_scheduler) = mpsc::channel(SESSION_MESSAGES_MAX);
    tokio::spawn(async move {
        let _ends_the_other_half = guard;
        hear_scheduler(answer.into_inner(), inbox).await;
    });
    Ok(Session { to_scheduler, from_scheduler })
}

async fn hear_scheduler(mut stream: Streaming<wire::SchedulerSays>, inbox: mpsc::Sender<ToWorker>) {
    let mut assembly = Assembly::default();
    loop {
        let said = tokio::select! {
            said = stream.message() => said,
            () = inbox.closed() => return,
        };
        let says = match said {
            Ok(Some(says)) => says,
            Ok(None) => return,
            Err(status) => return tracing::debug!(%status, "a session broke off"),
        };
        match assembly.take(says) {
            Ok(Some(message)) => {
                if inbox.send(message).await.is_err() {
                    return;
                }
            }
            Ok(None) => {}
            Err(error) => return tracing::warn!(%error, "a scheduler cannot be understood"),
        }
    }
}

/// The scheduler's end: hears the worker until either is through; gives what is to be sent.
pub(crate) fn serve(
    stream: Streaming<wire::WorkerSays>,
    session: Session,
    over: CancellationToken,
) -> impl Stream<Item = Result<wire::SchedulerSays, Status>> + Send + 'static {
    let hearing = over.clone();
    tokio::spawn(async move {
        let ended = hearing.clone().drop_guard();
        hearing.run_until_cancelled(hear_worker(stream, session.to_scheduler)).await;
        drop(ended);
    });
    let ended = over.clone().drop_guard();
    ReceiverStream::new(session.from_scheduler)
        .flat_map(|message| stream::iter(scheduler_says(message)))
        .map(move |says| {
            let _lives_as_long_as_the_stream = &ended;
            Ok(says)
        })
        .take_until(over.cancelled_owned())
}

async fn hear_worker(mut stream: Streaming<wire::WorkerSays>, inbox: mpsc::Sender<FromWorker>) {
    loop {
        let said = tokio::select! {
            said = stream.message() => said,
            () = inbox.closed() => return,
        };
        let says = match said {
            Ok(Some(says)) => says,
            Ok(None) => return,
            Err(status) => return tracing::debug!(%status, "a session broke off"),
        };
        match FromWorker::try_from(says) {
            Ok(message) => {
                if inbox.send(message).await.is_err() {
                    return;
                }
            }
            Err(error) => return tracing::warn!(%error, "a worker cannot be understood"),
        }
    }
}
