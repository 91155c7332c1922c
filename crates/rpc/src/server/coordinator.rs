//! A coordinator's side: a task for each member and each watcher, which says something at least every beat.

use std::sync::Arc;
use std::time::Duration;

use ports::cluster::{BEAT_INTERVAL_MS, CoordinatorApi, Orders, SILENCE_MS, Vitals, Welcome};
use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

use crate::convert::cluster::Joined;
use crate::convert::{Malformed, needed};
use crate::refused::Refused;
use crate::wire;
use crate::wire::coordinator_says::Says as CoordinatorWord;
use crate::wire::member_says::Says as MemberWord;
use crate::wire::membership_server::Membership;

/// Beats that the coordinator has not looked at yet: more say nothing that the last one does not.
const BEATS_WAITING_MAX: usize = 16;
/// Words on their way to a member or watcher that does not read; then the next ones wait, and newer ones replace them.
const WORDS_WAITING_MAX: usize = 4;
/// A member says who it is at once; one that does not within several times the silence that it allows itself is none.
const JOIN_WAIT: Duration = Duration::from_millis(3 * SILENCE_MS);

type Words<T> = mpsc::Sender<Result<T, Status>>;

#[derive(Clone)]
pub(super) struct Desk {
    pub(super) coordinator: Arc<dyn CoordinatorApi>,
    pub(super) shutdown: CancellationToken,
}

#[tonic::async_trait]
impl Membership for Desk {
    type JoinStream = ReceiverStream<Result<wire::CoordinatorSays, Status>>;
    type WatchMapStream = ReceiverStream<Result<wire::ClusterMapMessage, Status>>;

    async fn join(
        &self,
        request: Request<Streaming<wire::MemberSays>>,
    ) -> Result<Response<Self::JoinStream>, Status> {
        let mut stream = request.into_inner();
        let silent = || Status::deadline_exceeded("the member did not say who it is");
        let first = timeout(JOIN_WAIT, stream.message()).await.map_err(|_| silent())??;
        let joined = first.ok_or_else(silent)?.try_into().map_err(Refused::from)?;
        let (words, outbox) = mpsc::channel(WORDS_WAITING_MAX);
        let (beats, beats_heard) = mpsc::channel(BEATS_WAITING_MAX);
        let over = self.shutdown.child_token();
        let guard = over.clone().drop_guard();
        tokio::spawn(over.run_until_cancelled_owned(hear_member(stream, beats)));
        let desk = self.clone();
        tokio::spawn(async move {
            let _ends_the_hearing = guard;
            let talk = desk.talk(joined, beats_heard, &words);
            let shutdown = desk.shutdown.clone();
            tokio::select! {
                () = talk => {}
                () = words.closed() => {}
                () = shutdown.cancelled() => {}
            }
        });
        Ok(Response::new(ReceiverStream::new(outbox)))
    }

    async fn watch_map(
        &self,
        _request: Request<wire::WatchMapRequest>,
    ) -> Result<Response<Self::WatchMapStream>, Status> {
        let (words, outbox) = mpsc::channel(WORDS_WAITING_MAX);
        let (mut map, shutdown) = (self.coordinator.map(), self.shutdown.clone());
        map.mark_changed();
        tokio::spawn(async move {
            tokio::select! {
                () = tell_map(map, &words) => {}
                () = words.closed() => {}
                () = shutdown.cancelled() => {}
            }
        });
        Ok(Response::new(ReceiverStream::new(outbox)))
    }
}

type MapReceiver = watch::Receiver<Option<Arc<ports::cluster::ClusterMap>>>;

async fn tell_map(mut map: MapReceiver, words: &Words<wire::ClusterMapMessage>) {
    while map.changed().await.is_ok() {
        let Some(newest) = map.borrow_and_update().clone() else { continue };
        if words.send(Ok(newest.as_ref().into())).await.is_err() {
            return;
        }
    }
}

impl TryFrom<wire::MemberSays> for Joined {
    type Error = Malformed;

    fn try_from(says: wire::MemberSays) -> Result<Joined, Malformed> {
        match needed("says", says.says)? {
            MemberWord::Join(join) => join.try_into(),
            MemberWord::Beat(_) => Err(Malformed::new("says", "a stream begins with `join`")),
        }
    }
}

/// Hands beats on until the stream ends; the end of the channel is the end of the stream.
async fn hear_member(mut stream: Streaming<wire::MemberSays>, beats: mpsc::Sender<Vitals>) {
    loop {
        let says = match stream.message().await {
            Ok(Some(says)) => says,
            Ok(None) => return,
            Err(status) => return tracing::debug!(%status, "a member's stream broke off"),
        };
        let vitals = match beat(says) {
            Ok(vitals) => vitals,
            Err(error) => return tracing::warn!(%error, "a member cannot be understood"),
        };
        if matches!(beats.try_send(vitals), Err(mpsc::error::TrySendError::Closed(_))) {
            return;
        }
    }
}

fn beat(says: wire::MemberSays) -> Result<Vitals, Malformed> {
    match needed("says", says.says)? {
        MemberWord::Beat(beat) => beat.try_into(),
        MemberWord::Join(_) => Err(Malformed::new("says", "a member joins once in a stream")),
    }
}

impl Desk {
    /// Welcomes the member and gives it its orders as they change. From the first moment a pulse says that we are there, so
    /// that a coordinator that waits for etcd is told from one that is frozen.
    async fn talk(
        &self,
        Joined { joining, lease }: Joined,
        beats: mpsc::Receiver<Vitals>,
        words: &Words<wire::CoordinatorSays>,
    ) {
        let joined = self.coordinator.join(joining, lease, beats);
        let welcome = tokio::select! {
            welcome = joined => welcome,
            () = pulse(words) => return,
        };
        let Welcome { lease, replica, orders } = match welcome {
            Ok(welcome) => welcome,
            Err(error) => {
                let refusal = Status::unavailable(error.to_string());
                return drop(words.send(Err(refusal)).await);
            }
        };
        say(words, CoordinatorWord::Welcome(wire::Welcome { lease, replica })).await;
        tokio::select! {
            () = order(orders, words) => {}
            () = pulse(words) => {}
        }
    }
}

async fn say(words: &Words<wire::CoordinatorSays>, word: CoordinatorWord) {
    // That nobody hears it any more ends the whole talk from outside.
    let _ = words.send(Ok(wire::CoordinatorSays { says: Some(word) })).await;
}

async fn pulse(words: &Words<wire::CoordinatorSays>) {
    let mut ticks = interval(Duration::from_millis(BEAT_INTERVAL_MS));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !words.is_closed() {
        ticks.tick().await;
        say(words, CoordinatorWord::Pulse(wire::Pulse {})).await;
    }
}

/// Ends when the coordinator has no more orders to give.
async fn order(mut orders: watch::Receiver<Option<Orders>>, words: &Words<wire::CoordinatorSays>) {
    orders.mark_changed();
    while orders.changed().await.is_ok() {
        let newest = orders.borrow_and_update().as_ref().map(wire::OrdersMessage::from);
        if let Some(message) = newest {
            say(words, CoordinatorWord::Orders(message)).await;
        }
    }
}
