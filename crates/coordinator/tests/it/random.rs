//! Three desks, some members and an etcd in random weather, in simulated time: crashes, freezes, restarts and lost quorums.
//!
//! Laws: whoever lives and is heard is never declared dead and never loses its lease; whoever is silent is removed within
//! bounds while a quorum lasts; owners are registered; and when the weather is calm every shard is owned by somebody who
//! lives.

use std::collections::{BTreeMap, BTreeSet};

use coordinator::desk::{Action, Desk, Dialled, Input, LinkId, Now, TICK_MS, Written};
use model::{Epoch, MemberId, Nonce, Shard, Timestamp};
use ports::cluster::{BEAT_INTERVAL_MS, Joining, SILENCE_MS, Vitals};
use ports::election::{Agreement, Decision, Entry, Registered};
use proptest::prelude::*;

const STEP_MS: u64 = 10;
const LEASE_MS: u64 = 5_000;
const SHARDS: u16 = 6;
/// Revisions in one life of etcd, between two wipes, and how many lives there may be.
const LIFE: i64 = 100_000;
const LIVES_MAX: u64 = 100;
const REPLICAS: usize = 3;
const MEMBERS: usize = 4;
/// A crash is noticed by the refused redial, at worst after the loss of the replica was noticed.
const CRASH_BOUND_MS: u64 = 2_500;
/// A freeze at worst by the lease: when member and replica are frozen, sockets answer and nobody hears anything.
const FREEZE_BOUND_MS: u64 = LEASE_MS + 2_000;
/// Longer than every bound.
const CALM_MS: u64 = 12_000;

#[derive(Clone, Debug)]
enum Fault {
    CrashMember(usize),
    StartMember(usize),
    FreezeMember(usize),
    ThawMember(usize),
    CrashReplica(usize),
    StartReplica(usize),
    FreezeReplica(usize),
    ThawReplica(usize),
    LoseQuorum,
    FindQuorum,
    Wipe,
    Reset(usize),
}

fn fault() -> impl Strategy<Value = Fault> {
    let (member, replica) = (0..MEMBERS, 0..REPLICAS);
    prop_oneof![
        3 => member.clone().prop_map(Fault::CrashMember),
        4 => member.clone().prop_map(Fault::StartMember),
        2 => member.clone().prop_map(Fault::FreezeMember),
        3 => member.clone().prop_map(Fault::ThawMember),
        1 => replica.clone().prop_map(Fault::CrashReplica),
        2 => replica.clone().prop_map(Fault::StartReplica),
        1 => replica.clone().prop_map(Fault::FreezeReplica),
        2 => replica.prop_map(Fault::ThawReplica),
        1 => Just(Fault::LoseQuorum),
        2 => Just(Fault::FindQuorum),
        1 => Just(Fault::Wipe),
        2 => member.prop_map(Fault::Reset),
    ]
}

/// etcd, as far as it matters.
#[derive(Default)]
struct Store {
    agreement: Agreement,
    leases: BTreeMap<i64, u64>,
    has_quorum: bool,
    granted: i64,
}

impl Store {
    fn grant(&mut self, now_ms: u64) -> i64 {
        self.granted += 1;
        self.leases.insert(self.granted, now_ms + LEASE_MS);
        self.granted
    }

    fn register(&mut self, member: Registered, expected: i64) -> Written {
        let id = member.joining.id.clone();
        let known = self.agreement.members.get(&id);
        let is_as_expected = known.map_or(0, |entry| entry.modified) == expected;
        if !is_as_expected || !self.leases.contains_key(&member.lease) {
            return Written::Lost;
        }
        self.agreement.revision += 1;
        let modified = self.agreement.revision;
        let created = known.map_or(modified, |entry| entry.created);
        self.agreement.members.insert(id, Entry { member, created, modified });
        Written::At(modified)
    }

    fn decide(&mut self, decision: &Decision) -> bool {
        let decided = self.agreement.decided.as_ref().map_or(0, |(_, revision)| *revision);
        let unchanged = |(id, modified): (&MemberId, &i64)| {
            self.agreement.members.get(id).is_some_and(|entry| entry.modified == *modified)
        };
        if decided != decision.expected || !decision.dead.iter().all(unchanged) {
            return false;
        }
        self.agreement.revision += 1;
        self.agreement.decided = Some((decision.decided.clone(), self.agreement.revision));
        self.agreement.members.retain(|id, _| !decision.dead.contains_key(id));
        true
    }
}

struct Replica {
    name: String,
    desk: Desk,
    is_up: bool,
    is_frozen: bool,
    /// What waits in its sockets, with the time at which it is there.
    inbox: Vec<(u64, Input)>,
    ticked_ms: u64,
    /// What its watch told: a revision, and how often etcd was wiped; nothing without a quorum.
    seen: Option<(i64, u64)>,
}

struct Member {
    id: MemberId,
    nonce: Nonce,
    is_up: bool,
    is_frozen: bool,
    joined: Option<(usize, LinkId)>,
    /// Since when it is up and not frozen, or down or frozen.
    since_ms: u64,
    beat_ms: u64,
    /// When the replica was there last.
    answered_ms: u64,
    vitals: Vitals,
    lease: i64,
}

struct World {
    now_ms: u64,
    /// When replicas or etcd changed last.
    disturbed_ms: u64,
    store: Store,
    wipes: u64,
    /// When a replica was there last.
    served_ms: u64,
    replicas: Vec<Replica>,
    members: Vec<Member>,
    links: u64,
    chance: u64,
}

impl World {
    fn new(seed: u64) -> World {
        let replica = |at| Replica {
            name: format!("c{at}"),
            desk: Desk::new(format!("c{at}"), at_ms(0)),
            is_up: true,
            is_frozen: false,
            inbox: Vec::new(),
            ticked_ms: 0,
            seen: None,
        };
        let member = |at: usize| Member {
            id: MemberId::new(format!("m{at}")),
            nonce: Nonce(at as u64),
            is_up: at < 2,
            is_frozen: false,
            joined: None,
            since_ms: 0,
            beat_ms: 0,
            answered_ms: 0,
            vitals: Vitals { turning: true, store_ok: true, ..Vitals::default() },
            lease: 0,
        };
        let agreement =
            Agreement { revision: LIFE * LIVES_MAX.cast_signed(), ..Agreement::default() };
        let store = Store { has_quorum: true, agreement, ..Store::default() };
        World {
            now_ms: 0,
            disturbed_ms: 0,
            store,
            wipes: 0,
            served_ms: 0,
            replicas: (0..REPLICAS).map(replica).collect(),
            members: (0..MEMBERS).map(member).collect(),
            links: 0,
            chance: seed | 1,
        }
    }

    /// A delay of 0 to 30 ms (xorshift).
    fn delay_ms(&mut self) -> u64 {
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 7;
        self.chance ^= self.chance << 17;
        self.chance % 4 * STEP_MS
    }

    fn suffer(&mut self, fault: &Fault) {
        let now_ms = self.now_ms;
        match fault {
            Fault::CrashMember(at) => self.crash_member(*at),
            Fault::StartMember(at) => self.start_member(*at),
            Fault::FreezeMember(at) | Fault::ThawMember(at) => {
                let freezes = matches!(fault, Fault::FreezeMember(_));
                let member = &mut self.members[*at];
                if member.is_frozen != freezes {
                    member.is_frozen = freezes;
                    member.since_ms = now_ms;
                    member.answered_ms = now_ms;
                }
            }
            Fault::CrashReplica(at) => {
                self.disturbed_ms = now_ms;
                self.replicas[*at].is_up = false;
                self.replicas[*at].is_frozen = false;
                self.members.iter_mut().for_each(|member| {
                    member.joined = member.joined.filter(|(joined, _)| joined != at);
                });
            }
            Fault::StartReplica(at) => self.start_replica(*at),
            Fault::FreezeReplica(at) | Fault::ThawReplica(at) => {
                self.disturbed_ms = now_ms;
                let freezes = matches!(fault, Fault::FreezeReplica(_));
                self.replicas[*at].is_frozen = freezes && self.replicas[*at].is_up;
            }
            Fault::LoseQuorum | Fault::FindQuorum => {
                let finds = matches!(fault, Fault::FindQuorum);
                if finds && !self.store.has_quorum {
                    // A new leader of etcd prolongs every lease.
                    let until = now_ms + LEASE_MS;
                    self.store.leases.values_mut().for_each(|lease| *lease = until);
                }
                self.disturbed_ms = now_ms;
                self.store.has_quorum = finds;
            }
            Fault::Wipe => {
                self.disturbed_ms = now_ms;
                self.wipes += 1;
                // It counts anew, here from lower numbers that nobody saw: with as few writes as in this test, stale
                // knowledge would meet its own number again, which costs a needless failover (and nothing else).
                let revision = LIFE * (LIVES_MAX - self.wipes).cast_signed();
                self.store.agreement = Agreement { revision, ..Agreement::default() };
                self.store.leases.clear();
            }
            // A broken connection: both sides see the end of the stream, and the member dials again.
            Fault::Reset(at) => self.leave(*at),
        }
    }

    fn crash_member(&mut self, at: usize) {
        self.leave(at);
        let now_ms = self.now_ms;
        let member = &mut self.members[at];
        if member.is_up {
            member.is_up = false;
            member.is_frozen = false;
            member.since_ms = now_ms;
            member.vitals.held.clear();
        }
    }

    fn start_member(&mut self, at: usize) {
        let now_ms = self.now_ms;
        let member = &mut self.members[at];
        if !member.is_up {
            member.is_up = true;
            member.since_ms = now_ms;
            member.nonce = Nonce(member.nonce.0 + MEMBERS as u64);
            member.lease = 0;
        }
    }

    fn start_replica(&mut self, at: usize) {
        let now_ms = self.now_ms;
        let replica = &mut self.replicas[at];
        if !replica.is_up {
            self.disturbed_ms = now_ms;
            replica.is_up = true;
            replica.desk = Desk::new(replica.name.clone(), at_ms(now_ms));
            replica.inbox.clear();
            replica.ticked_ms = now_ms;
            replica.seen = None;
        }
    }

    fn leave(&mut self, at: usize) {
        if let Some((replica, link)) = self.members[at].joined.take() {
            self.send(replica, Input::Ended { link });
        }
    }

    fn send(&mut self, replica: usize, input: Input) {
        let at_ms = self.now_ms + self.delay_ms();
        if self.replicas[replica].is_up {
            self.replicas[replica].inbox.push((at_ms, input));
        }
    }

    fn step(&mut self) {
        self.now_ms += STEP_MS;
        if self.replicas.iter().any(|one| one.is_up && !one.is_frozen) {
            self.served_ms = self.now_ms;
        }
        self.expire();
        (0..MEMBERS).for_each(|at| self.live(at));
        (0..REPLICAS).for_each(|at| self.serve(at));
        self.check();
    }

    fn expire(&mut self) {
        if !self.store.has_quorum {
            return;
        }
        let now_ms = self.now_ms;
        self.store.leases.retain(|_, until| *until > now_ms);
        let leases = &self.store.leases;
        let members = &self.store.agreement.members;
        let gone = members.iter().filter(|(_, entry)| !leases.contains_key(&entry.member.lease));
        let gone: Vec<(MemberId, Nonce)> =
            gone.map(|(id, entry)| (id.clone(), entry.member.joining.nonce)).collect();
        for (id, nonce) in gone {
            self.store.agreement.members.remove(&id);
            self.store.agreement.revision += 1;
            // Nobody kept it while no replica was there, nor just after.
            if now_ms - self.served_ms < 1_000 && now_ms - self.disturbed_ms >= LEASE_MS {
                self.assert_not_well(&id, nonce, "lost its lease");
            }
        }
    }

    fn live(&mut self, at: usize) {
        let now_ms = self.now_ms;
        let member = &mut self.members[at];
        if !member.is_up || member.is_frozen {
            return;
        }
        let Some((replica, link)) = member.joined else {
            return self.join(at);
        };
        if !self.replicas[replica].is_frozen {
            member.answered_ms = now_ms;
        }
        if now_ms - member.answered_ms >= SILENCE_MS {
            self.leave(at);
        } else if now_ms - member.beat_ms >= BEAT_INTERVAL_MS {
            member.beat_ms = now_ms;
            let vitals = member.vitals.clone();
            // On one stream nothing overtakes anything.
            self.replicas[replica].inbox.push((now_ms, Input::Beat { link, vitals }));
        }
    }

    fn join(&mut self, at: usize) {
        let first = usize::try_from(self.delay_ms() / STEP_MS).unwrap();
        let serves = |replica: &Replica| replica.is_up && !replica.is_frozen;
        let found = (0..REPLICAS).map(|try_at| (first + try_at) % REPLICAS);
        let found = found.into_iter().find(|replica| serves(&self.replicas[*replica]));
        let (Some(replica), true) = (found, self.store.has_quorum) else { return };
        let (id, nonce) = (self.members[at].id.clone(), self.members[at].nonce);
        let entry = self.store.agreement.members.get(&id).cloned();
        if let Some(old) = entry.as_ref().filter(|old| old.member.joining.nonce != nonce) {
            return self.send(
                replica,
                Input::Replaced {
                    member: id,
                    nonce: old.member.joining.nonce,
                    modified: old.modified,
                },
            );
        }
        let lease = self.members[at].lease;
        let lease = match self.store.leases.get_mut(&lease) {
            Some(until) => {
                *until = self.now_ms + LEASE_MS;
                lease
            }
            None => self.store.grant(self.now_ms),
        };
        let member = Registered {
            joining: joining(&id, nonce),
            vitals: self.members[at].vitals.clone(),
            replica: self.replicas[replica].name.clone(),
            lease,
            well_since_ms: 0,
        };
        let expected = entry.map_or(0, |entry| entry.modified);
        if let Written::At(modified) = self.store.register(member.clone(), expected) {
            self.links += 1;
            let link = LinkId(self.links);
            let joined = &mut self.members[at];
            joined.lease = lease;
            joined.joined = Some((replica, link));
            joined.answered_ms = self.now_ms;
            joined.beat_ms = self.now_ms;
            let inbox = &mut self.replicas[replica].inbox;
            inbox.push((self.now_ms, Input::Joined { link, member, modified }));
        }
    }

    fn serve(&mut self, at: usize) {
        let now_ms = self.now_ms;
        if !self.replicas[at].is_up || self.replicas[at].is_frozen {
            return;
        }
        let sees = self.store.has_quorum.then_some((self.store.agreement.revision, self.wipes));
        if self.replicas[at].seen != sees && self.delay_ms() == 0 {
            self.replicas[at].seen = sees;
            let standing = self.replicas.iter().filter(|one| one.is_up);
            let replicas = standing.map(|one| (one.name.clone(), one.name.clone())).collect();
            let agreement = sees.map(|_| Agreement { replicas, ..self.store.agreement.clone() });
            self.handle(at, Input::Agreed(agreement));
        }
        let inbox = std::mem::take(&mut self.replicas[at].inbox);
        let (due, later): (Vec<_>, Vec<_>) = inbox.into_iter().partition(|(ms, _)| *ms <= now_ms);
        self.replicas[at].inbox = later;
        due.into_iter().for_each(|(_, input)| self.handle(at, input));
        if now_ms - self.replicas[at].ticked_ms >= TICK_MS {
            self.replicas[at].ticked_ms = now_ms;
            self.handle(at, Input::Tick);
        }
    }

    fn handle(&mut self, at: usize, input: Input) {
        let actions = self.replicas[at].desk.handle(at_ms(self.now_ms), input);
        actions.into_iter().for_each(|action| self.act(at, action));
    }

    fn act(&mut self, at: usize, action: Action) {
        let has_quorum = self.store.has_quorum;
        let answer = match action {
            Action::Redial { link, address } => {
                Some(Input::Redialled { link, answer: self.dial(&address) })
            }
            Action::Probe { member, address } => {
                Some(Input::Probed { member, answer: self.dial(&address) })
            }
            Action::ProbePeer { replica, address } => {
                Some(Input::PeerProbed { replica, answer: self.dial(&address) })
            }
            Action::KeepAlive { link, lease } => self.keep_alive(link, lease),
            Action::Rewrite { link, member, expected } => {
                let written = self.register(*member, expected);
                Some(Input::Rewritten { link, written })
            }
            Action::Enlist { link, mut member } => {
                let lease = self.store.grant(self.now_ms);
                member.lease = lease;
                let written = self.register(*member, 0);
                Some(Input::Enlisted { link, lease, written })
            }
            Action::Deregister { member, modified } => {
                let known = self.store.agreement.members.get(&member);
                if has_quorum && let Some(entry) = known.filter(|one| one.modified == modified) {
                    let nonce = entry.member.joining.nonce;
                    self.store.agreement.members.remove(&member);
                    self.store.agreement.revision += 1;
                    self.assert_not_well(&member, nonce, "was removed");
                }
                None
            }
            Action::Decide(decision) => {
                if has_quorum {
                    self.decide(&decision);
                }
                Some(Input::Decided)
            }
            Action::CopyPolicy(_) => Some(Input::PolicyCopied),
            Action::Order { link, orders } => {
                self.obey(at, link, orders.shards.into_keys().collect());
                None
            }
            Action::LetGo { link } => {
                let stream = Some((at, link));
                let joined = self.members.iter_mut().filter(|member| member.joined == stream);
                joined.for_each(|member| member.joined = None);
                None
            }
            Action::Publish(map) => {
                let is_registered =
                    |owner: &MemberId| map.members.iter().any(|one| one.id == *owner);
                assert!(map.owners.values().all(is_registered), "owners are there: {map:?}");
                None
            }
        };
        if let Some(answer) = answer {
            self.send(at, answer);
        }
    }

    fn keep_alive(&mut self, link: LinkId, lease: i64) -> Option<Input> {
        let until = self.now_ms + LEASE_MS;
        match self.store.leases.get_mut(&lease) {
            _ if !self.store.has_quorum => None,
            Some(lease) => {
                *lease = until;
                None
            }
            None => Some(Input::LeaseGone { link }),
        }
    }

    fn register(&mut self, member: Registered, expected: i64) -> Written {
        // Every now and then a write is done, but nobody is told.
        let is_unknown = self.delay_ms() == 0;
        if !self.store.has_quorum {
            return Written::Unknown;
        }
        let written = self.store.register(member, expected);
        if is_unknown { Written::Unknown } else { written }
    }

    fn decide(&mut self, decision: &Decision) {
        let dead: Vec<(MemberId, Nonce)> = decision
            .dead
            .keys()
            .filter_map(|id| self.store.agreement.members.get(id))
            .map(|entry| (entry.member.joining.id.clone(), entry.member.joining.nonce))
            .collect();
        let kept = self.well_owners();
        if !self.store.decide(decision) {
            return;
        }
        for (shard, owner) in kept {
            let place = decision.decided.assignment.places.get(&shard);
            let now_ms = self.now_ms;
            assert_eq!(place.map(|one| &one.member), Some(&owner), "{shard} moves at {now_ms} ms");
        }
        for (id, nonce) in dead {
            self.assert_not_well(&id, nonce, "was declared dead");
        }
        let places = decision.decided.assignment.places.values();
        let owners: BTreeSet<&MemberId> = places.map(|place| &place.member).collect();
        assert!(
            owners.iter().all(|owner| !decision.dead.contains_key(*owner)),
            "the dead own nothing"
        );
    }

    /// Whoever holds a shard as it was decided, and is well: nothing is planned here that would move it.
    fn well_owners(&self) -> Vec<(Shard, MemberId)> {
        let mut owners = Vec::new();
        for member in &self.members {
            let is_well =
                member.is_up && !member.is_frozen && self.now_ms - member.since_ms >= 1_000;
            let decided = self.store.agreement.decided.as_ref();
            let places = decided.iter().flat_map(|(decided, _)| &decided.assignment.places);
            let mine = places.filter(|(shard, place)| {
                let is_mine = place.member == member.id && place.nonce == member.nonce;
                is_well && is_mine && member.vitals.held.contains_key(shard)
            });
            owners.extend(mine.map(|(shard, _)| (*shard, member.id.clone())));
        }
        owners
    }

    fn obey(&mut self, at: usize, link: LinkId, shards: BTreeSet<Shard>) {
        let stream = Some((at, link));
        for member in self.members.iter_mut().filter(|member| member.joined == stream) {
            member.vitals.held = shards.iter().map(|shard| (*shard, Epoch(1))).collect();
        }
    }

    fn dial(&self, address: &str) -> Dialled {
        let member = self.members.iter().find(|one| address == format!("{}-{}", one.id, one.nonce));
        let replica = self.replicas.iter().find(|one| one.name == address);
        let listens = member.is_some_and(|one| one.is_up) || replica.is_some_and(|one| one.is_up);
        if listens { Dialled::Reached } else { Dialled::Refused }
    }

    /// Nobody who was up and awake for a second is taken for dead.
    fn assert_not_well(&self, id: &MemberId, nonce: Nonce, what: &str) {
        let found = self.members.iter().find(|one| one.id == *id && one.nonce == nonce);
        let is_well = found
            .is_some_and(|one| one.is_up && !one.is_frozen && self.now_ms - one.since_ms >= 1_000);
        assert!(!is_well, "{id} is well and {what} at {} ms", self.now_ms);
    }

    /// Whoever is silent is removed in time.
    fn check(&self) {
        let serves = self.replicas.iter().any(|one| one.is_up && !one.is_frozen);
        if !self.store.has_quorum || !serves {
            return;
        }
        for entry in self.store.agreement.members.values() {
            let joining = &entry.member.joining;
            let member = self.members.iter().find(|one| one.id == joining.id).unwrap();
            let is_other = member.nonce != joining.nonce;
            let judge = self.replicas.iter().find(|one| one.name == entry.member.replica);
            let bound_ms = match member.is_up && !is_other {
                true if member.is_frozen => FREEZE_BOUND_MS,
                true => continue,
                // To the others a frozen replica is there.
                false if judge.is_some_and(|judge| judge.is_frozen) => FREEZE_BOUND_MS,
                false => CRASH_BOUND_MS,
            };
            let since_ms = self.disturbed_ms.max(member.since_ms);
            assert!(
                self.now_ms - since_ms <= bound_ms,
                "{} is silent since {} ms and still there at {} ms",
                member.id,
                since_ms,
                self.now_ms
            );
        }
    }

    /// In calm weather every shard is owned by somebody who lives.
    fn check_calm(&self) {
        let living = self.members.iter().filter(|one| one.is_up && !one.is_frozen);
        let living: BTreeSet<(MemberId, Nonce)> =
            living.map(|one| (one.id.clone(), one.nonce)).collect();
        let registered: BTreeSet<(MemberId, Nonce)> = self
            .store
            .agreement
            .members
            .iter()
            .map(|(id, entry)| (id.clone(), entry.member.joining.nonce))
            .collect();
        assert_eq!(living, registered, "whoever lives is registered, and nobody else");
        if living.is_empty() {
            return;
        }
        let (decided, _) = self.store.agreement.decided.as_ref().expect("it is decided");
        assert_eq!(decided.assignment.places.len(), usize::from(SHARDS));
        for place in decided.assignment.places.values() {
            assert!(living.contains(&(place.member.clone(), place.nonce)), "{place:?}");
        }
    }
}

fn joining(id: &MemberId, nonce: Nonce) -> Joining {
    Joining {
        id: id.clone(),
        nonce,
        address: format!("{id}-{nonce}"),
        priority: 0,
        weight: 1,
        shards: SHARDS,
    }
}

fn at_ms(ms: u64) -> Now {
    Now { ms, wall: Timestamp(1_000_000 + i64::try_from(ms).unwrap()) }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn the_laws_hold_in_any_weather(
        seed in any::<u64>(),
        story in prop::collection::vec((0_u64..150, fault()), 1..40),
    ) {
        let mut world = World::new(seed);
        for (steps, fault) in &story {
            (0..*steps).for_each(|_| world.step());
            world.suffer(fault);
        }
        world.suffer(&Fault::FindQuorum);
        (0..REPLICAS).for_each(|at| world.suffer(&Fault::ThawReplica(at)));
        (0..REPLICAS).for_each(|at| world.suffer(&Fault::StartReplica(at)));
        (0..CALM_MS / STEP_MS).for_each(|_| world.step());
        world.check_calm();
    }
}
