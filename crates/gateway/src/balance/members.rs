//! The members of the newest map with what this gateway knows of them: connection, health, requests under way.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use model::{JobId, MemberId, Nonce, Shard};
use ports::cluster::{ClusterMap, MemberView};
use tokio::time::Instant;

use super::algorithm::{Algorithm, Picker, Share, fnv1a};
use super::algorithms::RouteClass;
use super::fate::Fate;
use super::health::{Ejection, Health, Verdict};
use super::metrics::InFlight;
use super::{Connect, Remote};

/// Who may do a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target<'a> {
    /// The owner of a job.
    Job(&'a JobId),
    /// The owner of the shard of an idempotency key.
    Key(&'a str),
    /// Anybody, by the algorithm in force.
    Anybody(RouteClass, Algorithm, Option<&'a str>),
}

/// One process of a member.
pub(super) struct Member {
    pub(super) id: MemberId,
    pub(super) nonce: Nonce,
    pub(super) remote: Arc<dyn Remote>,
    address: String,
    in_flight: AtomicU64,
}

/// A request to a member, counted as under way until it is dropped.
pub(super) struct Ticket {
    pub(super) member: Arc<Member>,
    shown: InFlight,
}

impl Ticket {
    pub(super) fn new(member: Arc<Member>, shown: InFlight) -> Ticket {
        member.in_flight.fetch_add(1, Ordering::Relaxed);
        shown.inc();
        Ticket { member, shown }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.member.in_flight.fetch_sub(1, Ordering::Relaxed);
        self.shown.dec();
    }
}

struct Entry {
    member: Arc<Member>,
    weight: u32,
    draining: bool,
    store_ok: bool,
    health: Health,
}

/// How gladly a member is asked; the best ones that are there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Well,
    Ejected,
    /// It drains, or cannot read the database.
    Unfit,
}

impl Entry {
    /// Nothing when its address is none.
    fn new(view: &MemberView, connect: &dyn Connect) -> Option<Entry> {
        let told = |why: &String| tracing::error!(member = %view.id, address = view.address, why, "a scheduler cannot be reached under what it says is its address");
        let remote = connect.connect(&view.address).inspect_err(told).ok()?;
        let member = Member {
            id: view.id.clone(),
            nonce: view.nonce,
            remote,
            address: view.address.clone(),
            in_flight: AtomicU64::new(0),
        };
        Some(Entry {
            member: Arc::new(member),
            weight: view.weight,
            draining: view.draining,
            store_ok: view.store_ok,
            health: Health::default(),
        })
    }

    fn is(&self, view: &MemberView) -> bool {
        self.member.nonce == view.nonce && self.member.address == view.address
    }

    fn rank(&self, now: Instant) -> Rank {
        match (self.draining || !self.store_ok, self.health.is_ejected(now)) {
            (true, _) => Rank::Unfit,
            (false, true) => Rank::Ejected,
            (false, false) => Rank::Well,
        }
    }

    fn share(&self) -> Share<'_> {
        let in_flight = self.member.in_flight.load(Ordering::Relaxed);
        Share { id: &self.member.id, weight: self.weight, in_flight }
    }
}

/// See the module.
#[derive(Default)]
pub(super) struct Table {
    map: Option<Arc<ClusterMap>>,
    shards: u16,
    entries: BTreeMap<MemberId, Entry>,
    submits: Picker,
    reads: Picker,
}

impl Table {
    /// Takes over what a map says; connections and health of processes that stay are kept.
    pub(super) fn follow(&mut self, map: Option<&Arc<ClusterMap>>, connect: &dyn Connect) {
        let Some(map) = map else { return };
        if self.map.as_ref().is_some_and(|known| Arc::ptr_eq(known, map)) {
            return;
        }
        let mut known = std::mem::take(&mut self.entries);
        for view in &map.members {
            let same = known.remove(&view.id).filter(|entry| entry.is(view));
            let Some(mut entry) = same.or_else(|| Entry::new(view, connect)) else { continue };
            entry.weight = view.weight;
            entry.draining = view.draining;
            entry.store_ok = view.store_ok;
            self.entries.insert(view.id.clone(), entry);
        }
        let ids: BTreeSet<MemberId> = self.entries.keys().cloned().collect();
        self.submits.retain(&ids);
        self.reads.retain(&ids);
        self.shards = self.shards.max(map.shards);
        self.map = Some(Arc::clone(map));
    }

    /// Who does a request, without those that were tried already.
    pub(super) fn choose(
        &mut self,
        target: Target<'_>,
        tried: &BTreeSet<MemberId>,
        now: Instant,
    ) -> Option<Arc<Member>> {
        match target {
            Target::Job(_) | Target::Key(_) => {
                let owner = self.map.as_ref()?.owners.get(&self.shard(target)?)?;
                let entry = self.entries.get(owner).filter(|_| !tried.contains(owner))?;
                Some(Arc::clone(&entry.member))
            }
            Target::Anybody(class, algorithm, key) => {
                let may = |entry: &Entry| !tried.contains(&entry.member.id);
                let shares = best(&self.entries, may, now);
                let picker = match class {
                    RouteClass::Submit => &mut self.submits,
                    RouteClass::Read => &mut self.reads,
                };
                let id = picker.pick(algorithm, &shares, key)?;
                self.entries.get(id).map(|entry| Arc::clone(&entry.member))
            }
        }
    }

    /// An idempotency key for a submit: one that belongs to the member whose turn it is. `seed` does not repeat.
    pub(super) fn new_key(
        &mut self,
        algorithm: Algorithm,
        seed: Nonce,
        now: Instant,
    ) -> Option<String> {
        let owners = &self.map.as_ref()?.owners;
        let working: BTreeSet<&MemberId> = owners.values().collect();
        let shares = best(&self.entries, |entry| working.contains(&entry.member.id), now);
        let home = self.submits.pick(algorithm, &shares, Some(&seed.to_string()))?;
        let is_home = |key: &String| owners.get(&shard_of_key(key, self.shards)) == Some(home);
        let keys =
            (0..u32::from(self.shards) * KEYS_PER_SHARD).map(|n| format!("gateway-{seed}-{n}"));
        // Should chance be against it, the submit goes to another member than its turn says, and nothing else.
        keys.clone().find(is_home).or_else(|| keys.into_iter().next())
    }

    /// The shard of a request that only the shard's owner does.
    pub(super) fn shard(&self, target: Target<'_>) -> Option<Shard> {
        match target {
            _ if self.shards == 0 => None,
            Target::Job(job) => Some(job.shard(self.shards)),
            Target::Key(key) => Some(shard_of_key(key, self.shards)),
            Target::Anybody(..) => None,
        }
    }

    /// What became of a request. Says whether the member is ejected by it.
    pub(super) fn heard(
        &mut self,
        member: &Arc<Member>,
        fate: Fate,
        now: Instant,
        limits: &Ejection,
    ) -> bool {
        let well = |entry: &Entry| entry.rank(now) == Rank::Well && entry.member.id != member.id;
        let is_last = !self.entries.values().any(well);
        let entry = self.entries.get_mut(&member.id);
        let Some(entry) = entry.filter(|entry| Arc::ptr_eq(&entry.member, member)) else {
            return false;
        };
        let Some(trouble) = fate.trouble() else {
            entry.health.succeeded(now);
            return false;
        };
        match entry.health.failed(now, trouble, is_last, limits) {
            Verdict::Stays => false,
            Verdict::Ejected => true,
            Verdict::Pardon => {
                self.entries.values_mut().for_each(|entry| entry.health.pardoned(now));
                false
            }
        }
    }

    /// Members that are to own something.
    pub(super) fn owners(&self) -> Vec<Arc<Member>> {
        let Some(map) = &self.map else { return Vec::new() };
        let owners: BTreeSet<&MemberId> = map.owners.values().collect();
        let entries = owners.into_iter().filter_map(|id| self.entries.get(id));
        entries.map(|entry| Arc::clone(&entry.member)).collect()
    }
}

/// Keys that are tried for each shard until one belongs to the member that is wanted: with the smallest share of one shard
/// all of them miss once in e^64.
const KEYS_PER_SHARD: u32 = 64;

/// The shares of the best members among those that may be asked.
fn best(
    entries: &BTreeMap<MemberId, Entry>,
    may: impl Fn(&Entry) -> bool,
    now: Instant,
) -> Vec<Share<'_>> {
    let ranked =
        || entries.values().filter(|entry| may(entry)).map(|entry| (entry.rank(now), entry));
    let Some(rank) = ranked().map(|(rank, _)| rank).min() else { return Vec::new() };
    ranked().filter(|(one, _)| *one == rank).map(|(_, entry)| entry.share()).collect()
}

/// As schedulers choose the shard of a submit with a key.
fn shard_of_key(key: &str, shards: u16) -> Shard {
    let shard = fnv1a(key.as_bytes()) % u64::from(shards.max(1));
    Shard(u16::try_from(shard).unwrap_or(0))
}
