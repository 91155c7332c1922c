//! The scheduler as a member of a cluster: orders in, vitals out (architecture §3).
//!
//! * Shards that it is no longer to own are handed over: what is under way is committed, then they are released.
//! * Shards that it is to own are taken at once, or when their owner has released them, or when that took too long.
//! * What it lost to somebody else is never taken back uninvited: only other orders bring it back.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use model::{Epoch, MemberId, Shard, Timestamp};
use ports::cluster::{Orders, PolicyRow, SILENCE_MS, Vitals};
use tokio::sync::watch;

use crate::drive::Driver;
use crate::inbox::Message;
use crate::outside::World;

/// How often an idle driver turns, so that a stuck one is told from an idle one.
pub(crate) const TURN_INTERVAL: Duration = Duration::from_millis(100);
/// How often the vitals are looked at.
const VITALS_INTERVAL: Duration = Duration::from_millis(50);
/// How long a new owner waits for the release of a hand-over.
const HANDOVER_PATIENCE: Duration = Duration::from_secs(2);
/// Between two looks at whether a shard was released.
const HANDOVER_LOOK: Duration = Duration::from_millis(5);
/// A member that lost shards so often within [`STAND_DOWN_WINDOW_MS`] stands down.
const STAND_DOWN_LOSSES: usize = 2;
const STAND_DOWN_WINDOW_MS: i64 = 60_000;
const STAND_DOWN_MS: i64 = 5_000;

/// Which shards a scheduler owns.
#[derive(Debug)]
pub enum Ownership {
    /// All of them: one process alone.
    Everything,
    /// Those that coordinators say.
    Ordered {
        /// The newest orders.
        orders: watch::Receiver<Option<Orders>>,
        /// Where vitals are published.
        vitals: watch::Sender<Vitals>,
    },
}

/// What the driver shows of itself; read by a thread of its own, so that a stuck runtime shows.
#[derive(Debug)]
pub(crate) struct Pulse {
    since: Instant,
    turned_ms: AtomicU64,
    is_parked: AtomicBool,
    is_draining: AtomicBool,
    shown: Mutex<Shown>,
}

#[derive(Clone, Debug, Default)]
struct Shown {
    held: BTreeMap<Shard, Epoch>,
    stands_down_until: Option<Timestamp>,
    policy: Option<PolicyRow>,
}

impl Default for Pulse {
    fn default() -> Pulse {
        Pulse {
            since: Instant::now(),
            turned_ms: AtomicU64::new(0),
            is_parked: AtomicBool::new(false),
            is_draining: AtomicBool::new(false),
            shown: Mutex::default(),
        }
    }
}

impl Pulse {
    fn now_ms(&self) -> u64 {
        u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// The driver awaits the database.
    pub(crate) fn park(&self, parked: bool) {
        self.is_parked.store(parked, Ordering::Relaxed);
    }

    /// Asks for hand-over of everything.
    pub(crate) fn drain(&self) {
        self.is_draining.store(true, Ordering::Relaxed);
    }

    /// How many shards are held.
    pub(crate) fn held(&self) -> usize {
        self.shown().held.len()
    }

    /// Remembers the policy as the database has it.
    pub(crate) fn policy(&self, row: PolicyRow) {
        self.shown().policy = Some(row);
    }

    fn shown(&self) -> std::sync::MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn vitals(&self, store_ok: bool) -> Vitals {
        let silent_ms = self.now_ms().saturating_sub(self.turned_ms.load(Ordering::Relaxed));
        let shown = self.shown().clone();
        Vitals {
            turning: self.is_parked.load(Ordering::Relaxed) || silent_ms <= SILENCE_MS,
            store_ok,
            draining: self.is_draining.load(Ordering::Relaxed),
            held: shown.held,
            stands_down_until: shown.stands_down_until,
            policy: shown.policy,
        }
    }
}

/// The driver's end.
#[derive(Debug)]
pub(crate) struct Member {
    orders: Option<watch::Receiver<Option<Orders>>>,
    revision: i64,
    wanted: BTreeSet<Shard>,
    /// Shards that may be taken now.
    pub(crate) vacant: BTreeSet<Shard>,
    losses: VecDeque<Timestamp>,
    stands_down_until: Option<Timestamp>,
    pulse: Arc<Pulse>,
}

impl Member {
    pub(crate) fn new(
        orders: Option<watch::Receiver<Option<Orders>>>,
        pulse: Arc<Pulse>,
    ) -> Member {
        Member {
            orders,
            revision: i64::MIN,
            wanted: BTreeSet::new(),
            vacant: BTreeSet::new(),
            losses: VecDeque::new(),
            stands_down_until: None,
            pulse,
        }
    }

    /// The driver turned.
    pub(crate) fn turned(&self) {
        self.pulse.turned_ms.store(self.pulse.now_ms(), Ordering::Relaxed);
    }

    /// The next orders; never, when nobody gives any.
    pub(crate) async fn next_orders(&mut self) -> Orders {
        let Some(orders) = &mut self.orders else { return std::future::pending().await };
        loop {
            if orders.changed().await.is_err() {
                return std::future::pending().await;
            }
            if let Some(orders) = orders.borrow_and_update().clone() {
                return orders;
            }
        }
    }

    /// Whether orders wait to be read.
    pub(crate) fn has_new_orders(&self) -> bool {
        self.orders.as_ref().is_some_and(|orders| orders.has_changed().unwrap_or(false))
    }

    /// Whether a shard is this member's by the last known orders.
    pub(crate) fn is_to_own(&self, shard: Shard) -> bool {
        self.orders.is_none() || self.wanted.contains(&shard)
    }

    /// Shards went to somebody else without a hand-over; twice within a minute, and this member stands down for a while.
    pub(crate) fn lost_unplanned(&mut self, now: Timestamp) {
        self.losses.push_back(now);
        while self.losses.len() > STAND_DOWN_LOSSES {
            self.losses.pop_front();
        }
        let first = self.losses.front().filter(|_| self.losses.len() == STAND_DOWN_LOSSES);
        if first.is_some_and(|first| now.since_ms(*first) <= STAND_DOWN_WINDOW_MS) {
            self.stands_down_until = Some(now.plus_ms(STAND_DOWN_MS));
            tracing::warn!("shards were lost twice within a minute; standing down for a while");
        }
    }
}

impl Driver {
    /// Other orders.
    pub(crate) async fn ordered(&mut self, orders: Orders) {
        if orders.revision < self.member.revision {
            return;
        }
        self.member.revision = orders.revision;
        self.member.wanted = orders.shards.keys().copied().collect();
        let held: BTreeSet<Shard> = self.memory.shards.keys().copied().collect();
        let leaving: BTreeSet<Shard> = held.difference(&self.member.wanted).copied().collect();
        if !leaving.is_empty() {
            self.hand_over(&leaving).await;
        }
        self.settle().await;
        let (mut now, mut later) = (Vec::new(), BTreeMap::new());
        for (shard, from) in orders.shards {
            match from {
                _ if self.memory.shards.contains_key(&shard) => {}
                Some(from) => {
                    later.insert(shard, from);
                }
                None => now.push(shard),
            }
        }
        if !later.is_empty() {
            self.world.await_release(later);
        }
        self.take(&now).await;
    }

    /// Shards that were waited for.
    pub(crate) async fn take_vacant(&mut self) {
        let vacant = std::mem::take(&mut self.member.vacant);
        let wanted = |shard: &Shard| {
            self.member.is_to_own(*shard) && !self.memory.shards.contains_key(shard)
        };
        let wanted: Vec<Shard> = vacant.into_iter().filter(wanted).collect();
        self.settle().await;
        self.take(&wanted).await;
    }

    /// Planned: what is under way is committed, then the shards are released; nothing is lost and nobody is refused who
    /// asked before.
    async fn hand_over(&mut self, leaving: &BTreeSet<Shard>) {
        tracing::info!(shards = leaving.len(), "handing shards over");
        self.settle().await;
        let fences: BTreeMap<_, _> = self
            .memory
            .shards
            .iter()
            .filter(|(shard, _)| leaving.contains(shard))
            .map(|(shard, held)| (*shard, held.clone()))
            .collect();
        self.world.release(&fences).await;
        self.lose(leaving);
    }

    /// Commits all that has gathered. Nothing else may be asked of the database while a batch is under way and not awaited:
    /// the batch may hold what the question needs.
    async fn settle(&mut self) {
        loop {
            self.send_batch();
            let Some(mut flight) = self.flight.take() else { return };
            let outcome = flight.commit.as_mut().await;
            self.flight = Some(flight);
            self.landed(outcome).await;
        }
    }

    /// Drops shards that somebody else has, unless they were taken again since.
    pub(crate) fn lost(
        &mut self,
        mut shards: BTreeSet<Shard>,
        seen: &BTreeMap<Shard, crate::memory::Held>,
    ) {
        let same = |shard: &Shard| match (self.memory.shards.get(shard), seen.get(shard)) {
            (Some(held), Some(seen)) => held.epoch == seen.epoch && held.nonce == seen.nonce,
            _ => false,
        };
        shards.retain(same);
        if !shards.is_empty() {
            tracing::warn!(?shards, "another scheduler owns these shards now");
            self.member.lost_unplanned(self.world.clock.now());
            self.lose(&shards);
        }
    }

    /// Shows what is held.
    pub(crate) fn publish_vitals(&self) {
        let held = self.memory.shards.iter().map(|(shard, held)| (*shard, held.epoch));
        let mut shown = self.member.pulse.shown();
        shown.held = held.collect();
        shown.stands_down_until = self.member.stands_down_until;
    }
}

impl World {
    /// Waits until shards were released by who hands them over, or for long enough.
    fn await_release(self: &Arc<Self>, shards: BTreeMap<Shard, MemberId>) {
        let world = Arc::clone(self);
        tokio::spawn(async move {
            let deadline = tokio::time::Instant::now() + HANDOVER_PATIENCE;
            let mut waiting: BTreeSet<Shard> = shards.keys().copied().collect();
            while !waiting.is_empty() {
                let late = tokio::time::Instant::now() >= deadline;
                let released: BTreeSet<Shard> = match world.store.shards().await {
                    _ if late => waiting.clone(),
                    Err(_) => BTreeSet::new(),
                    Ok(rows) => rows
                        .into_iter()
                        .filter(|row| row.owner.is_empty() && waiting.contains(&row.shard))
                        .map(|row| row.shard)
                        .collect(),
                };
                if !released.is_empty() {
                    waiting.retain(|shard| !released.contains(shard));
                    let _closed = world.inbox.send(Message::Vacant { shards: released }).await;
                }
                tokio::time::sleep(HANDOVER_LOOK).await;
            }
        });
    }
}

/// Publishes vitals from a thread of its own until the driver is gone.
pub(crate) fn show_vitals(
    pulse: &Arc<Pulse>,
    world: &Arc<World>,
    vitals: watch::Sender<Vitals>,
) -> std::io::Result<()> {
    let (pulse, world): (Weak<Pulse>, Weak<World>) = (Arc::downgrade(pulse), Arc::downgrade(world));
    let show = move || {
        while let (Some(pulse), Some(world)) = (pulse.upgrade(), world.upgrade()) {
            let now = pulse.vitals(world.known_trouble().is_none());
            vitals.send_if_modified(|before| {
                let differs = *before != now;
                *before = now;
                differs
            });
            drop((pulse, world));
            std::thread::sleep(VITALS_INTERVAL);
        }
    };
    std::thread::Builder::new().name("vitals".to_owned()).spawn(show).map(drop)
}
