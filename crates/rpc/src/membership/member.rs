//! A member: it stays with one coordinator as long as that one speaks, beats, and keeps the last orders.
//!
//! ```text
//! ─► connect ─► Join{lease} ─► Welcome{lease} ─► beats, pulses, orders ─┐
//! └──────────── the next one, after a while ◄── silence, end, refusal ──┘
//! ```

use std::convert::Infallible;
use std::time::Duration;

use ports::cluster::{BEAT_INTERVAL_MS, Joining, Orders, SILENCE_MS, Vitals};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Endpoint;
use tonic::{Status, Streaming};

use crate::convert::Malformed;
use crate::convert::cluster::Joined;
use crate::membership::Coordinators;
use crate::refused::described;
use crate::wire;
use crate::wire::coordinator_says::Says as CoordinatorWord;
use crate::wire::member_says::Says as MemberWord;
use crate::wire::membership_client::MembershipClient;

const BEAT_INTERVAL: Duration = Duration::from_millis(BEAT_INTERVAL_MS);
const SILENCE: Duration = Duration::from_millis(SILENCE_MS);
/// Beats on their way to a coordinator that does not read: it is about to be left.
const BEATS_WAITING_MAX: usize = 4;
/// A coordinator that pulses but does not welcome (its etcd is slow) is left after so long: before the others give us up.
const WELCOME_WAIT: Duration = Duration::from_millis(800);
/// A change of the vitals is told at once, but not more often than this.
const CHANGE_GAP: Duration = Duration::from_millis(10);

/// Why a coordinator was left.
#[derive(Debug, thiserror::Error)]
enum Left {
    #[error("it said nothing for {SILENCE_MS} ms")]
    Silent,
    #[error("it did not welcome us in time")]
    NotWelcomed,
    #[error("it ended the stream")]
    Ended,
    #[error("{}", described(.0))]
    BrokeOff(#[from] Status),
    #[error(transparent)]
    Malformed(#[from] Malformed),
    #[error("the member itself is no more")]
    Over,
}

/// A member and what it remembers from one coordinator to the next.
pub(super) struct Link {
    coordinators: Coordinators,
    joining: Joining,
    vitals: watch::Receiver<Vitals>,
    orders: watch::Sender<Option<Orders>>,
    lease: Option<i64>,
}

impl Link {
    pub(super) fn new(
        coordinators: Coordinators,
        joining: Joining,
        vitals: watch::Receiver<Vitals>,
        orders: watch::Sender<Option<Orders>>,
    ) -> Link {
        Link { coordinators, joining, vitals, orders, lease: None }
    }

    /// Stays joined until the member is no more.
    pub(super) async fn keep(mut self) {
        loop {
            let began = Instant::now();
            let endpoint = self.coordinators.current().clone();
            let Err(left) = self.stay(&endpoint).await;
            if matches!(left, Left::Over) {
                return;
            }
            tracing::info!(coordinator = %endpoint.uri(), %left, "a coordinator is left for the next one");
            let wait = self.coordinators.leave(began.elapsed());
            let mut vitals = self.vitals.clone();
            tokio::select! {
                () = sleep(wait) => {}
                () = gone(&mut vitals) => return,
                () = self.orders.closed() => return,
            }
        }
    }

    /// Stays with a coordinator until there is a reason to leave it.
    async fn stay(&mut self, endpoint: &Endpoint) -> Result<Infallible, Left> {
        let (beats, outbox) = mpsc::channel(BEATS_WAITING_MAX);
        let join = Joined { joining: self.joining.clone(), lease: self.lease };
        let _fits_into_an_empty_channel =
            beats.try_send(member_says(MemberWord::Join(join.into())));
        let opened = timeout(SILENCE, open(endpoint, outbox)).await;
        let stream = opened.map_err(|_| Left::Silent)??;
        let mut vitals = self.vitals.clone();
        let orders = self.orders.clone();
        tokio::select! {
            left = self.hear(stream) => left,
            () = beat(&mut vitals, &beats) => Err(Left::Over),
            () = orders.closed() => Err(Left::Over),
        }
    }

    async fn hear(
        &mut self,
        mut stream: Streaming<wire::CoordinatorSays>,
    ) -> Result<Infallible, Left> {
        let welcome_until = Instant::now() + WELCOME_WAIT;
        let mut is_welcome = false;
        loop {
            let said = timeout(SILENCE, stream.message()).await.map_err(|_| Left::Silent)?;
            match said?.ok_or(Left::Ended)?.says {
                Some(CoordinatorWord::Welcome(welcome)) => {
                    is_welcome = true;
                    self.lease = Some(welcome.lease);
                    tracing::info!(replica = welcome.replica, "joined");
                }
                Some(CoordinatorWord::Orders(orders)) => self.obey(orders.try_into()?),
                Some(CoordinatorWord::Pulse(_)) | None => {}
            }
            if !is_welcome && Instant::now() >= welcome_until {
                return Err(Left::NotWelcomed);
            }
        }
    }

    /// Takes orders that are not older than the last ones.
    fn obey(&self, orders: Orders) {
        self.orders.send_if_modified(|known| {
            let seen = known.as_ref().map_or(i64::MIN, |known| known.revision);
            let is_new = orders.revision >= seen && known.as_ref() != Some(&orders);
            if is_new {
                *known = Some(orders);
            }
            is_new
        });
    }
}

async fn open(
    endpoint: &Endpoint,
    outbox: mpsc::Receiver<wire::MemberSays>,
) -> Result<Streaming<wire::CoordinatorSays>, Left> {
    let channel = endpoint.connect().await.map_err(|error| Status::from_error(error.into()))?;
    let answer = MembershipClient::new(channel).join(ReceiverStream::new(outbox)).await?;
    Ok(answer.into_inner())
}

fn member_says(word: MemberWord) -> wire::MemberSays {
    wire::MemberSays { says: Some(word) }
}

/// Beats at every interval, and when something changed; ends when there is nothing any more whose vitals could be told.
async fn beat(vitals: &mut watch::Receiver<Vitals>, beats: &mpsc::Sender<wire::MemberSays>) {
    let mut told = None;
    let mut told_at = Instant::now();
    let mut ticks = interval(BEAT_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            known = changed(vitals, told.as_ref()) => {
                if !known {
                    return;
                }
                sleep_until(told_at + CHANGE_GAP).await;
            }
        }
        let newest = vitals.borrow_and_update().clone();
        if newest.turning {
            told_at = Instant::now();
            // A full channel is a coordinator that does not read: its silence decides.
            let _ = beats.try_send(member_says(MemberWord::Beat((&newest).into())));
        }
        told = Some(newest);
    }
}

/// Waits for vitals that differ from what was told; `false` when there will be none.
async fn changed(vitals: &mut watch::Receiver<Vitals>, told: Option<&Vitals>) -> bool {
    loop {
        if vitals.changed().await.is_err() {
            return false;
        }
        if told != Some(&*vitals.borrow_and_update()) {
            return true;
        }
    }
}

async fn gone(vitals: &mut watch::Receiver<Vitals>) {
    while vitals.changed().await.is_ok() {}
}
