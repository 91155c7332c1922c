//! Who works: told as stories, and as laws over random clusters.

use std::collections::{BTreeMap, BTreeSet};

use engine::placement::{
    ACTIVE_STANDBY, ASKED_MS, Assignment, BALANCED, BalancedHappening, Candidate, Happening, Mode,
    Policy, Step, Works, assign, tables,
};
use model::{Epoch, MemberId, Nonce, Shard, Timestamp};
use proptest::prelude::*;

const SHARDS: u16 = 16;
const START: Timestamp = Timestamp(1_000_000_000);

/// A cluster in which members do at once what they are told.
struct Cluster {
    policy: Policy,
    members: Vec<Candidate>,
    decided: Option<Assignment>,
    now: Timestamp,
    registered: i64,
}

impl Cluster {
    fn new(mode: Mode) -> Cluster {
        let policy = Policy { mode, ..Policy::default() };
        Cluster { policy, members: Vec::new(), decided: None, now: START, registered: 0 }
    }

    fn join(&mut self, id: &str, priority: i32) {
        self.registered += 1;
        self.members.push(Candidate {
            id: MemberId::new(id),
            nonce: Nonce(u64::try_from(self.registered).unwrap()),
            succession: self.registered,
            priority,
            weight: 1,
            store_ok: true,
            draining: false,
            well_since: self.now,
            stands_down_until: None,
            held: BTreeMap::new(),
        });
    }

    fn die(&mut self, id: &str) {
        self.members.retain(|one| one.id.as_str() != id);
    }

    fn member(&mut self, id: &str) -> &mut Candidate {
        self.members.iter_mut().find(|one| one.id.as_str() == id).unwrap()
    }

    fn pass(&mut self, ms: i64) -> &mut Cluster {
        self.now = self.now + ms;
        self
    }

    /// What is decided now, without anybody doing it.
    fn decide(&mut self) -> Assignment {
        let next = assign(self.decided.as_ref(), &self.members, &self.policy, SHARDS, self.now);
        self.decided = Some(next.clone());
        next
    }

    /// Decides, and everybody does it; then nothing is left to be decided.
    fn settle(&mut self) -> BTreeMap<String, usize> {
        for _ in 0..4 {
            let next = self.decide();
            for member in &mut self.members {
                let mine = next.of(&member.id, member.nonce);
                member.held.retain(|shard, _| mine.contains_key(shard));
                let missing = mine.into_keys().filter(|shard| !member.held.contains_key(shard));
                let taken: Vec<Shard> = missing.collect();
                member.held.extend(taken.into_iter().map(|shard| (shard, Epoch(1))));
            }
        }
        let before = self.decided.clone().unwrap();
        assert_eq!(self.decide(), before, "nothing is left to be decided");
        assert!(before.places.values().all(|place| place.from.is_none()), "{before:?}");
        self.counts()
    }

    fn counts(&self) -> BTreeMap<String, usize> {
        let workers = self.decided.as_ref().unwrap().workers();
        workers.into_iter().map(|(id, count)| (id.as_str().to_owned(), count)).collect()
    }

    fn owns(&mut self, wanted: &[(&str, usize)]) {
        let wanted: BTreeMap<String, usize> =
            wanted.iter().map(|(id, count)| ((*id).to_owned(), *count)).collect();
        assert_eq!(self.settle(), wanted);
    }
}

#[test]
fn the_earliest_leads_the_next_takes_over_and_whoever_returns_waits() {
    let mut cluster = Cluster::new(Mode::ActiveStandby);
    cluster.join("b", 0);
    cluster.join("a", 0);
    cluster.owns(&[("b", 16)]);
    cluster.die("b");
    cluster.owns(&[("a", 16)]);
    cluster.join("b", 0);
    cluster.pass(10_000_000).owns(&[("a", 16)]);
}

#[test]
fn a_preferred_member_gets_its_work_back_after_the_hold_time_and_not_within_the_gap() {
    let mut cluster = Cluster::new(Mode::ActiveStandby);
    cluster.join("a", 2);
    cluster.join("b", 1);
    cluster.owns(&[("a", 16)]);
    assert_eq!(cluster.decided.as_ref().unwrap().works(), Works::Preferred);
    for _ in 0..2 {
        cluster.die("a");
        cluster.owns(&[("b", 16)]);
        assert_eq!(cluster.decided.as_ref().unwrap().works(), Works::Standby);
        cluster.join("a", 2);
        cluster.pass(59_999).owns(&[("b", 16)]);
        let next = cluster.pass(1).decide();
        let is_first = cluster.now < START + 100_000;
        if is_first {
            let b = Some(MemberId::new("b"));
            assert!(next.places.values().all(|place| place.from == b), "by hand-over");
        }
        if !is_first {
            // The last move was a minute ago.
            cluster.owns(&[("b", 16)]);
            cluster.pass(239_999).owns(&[("b", 16)]);
            cluster.pass(1);
        }
        cluster.owns(&[("a", 16)]);
    }
}

#[test]
fn a_person_gets_failback_at_once() {
    let mut cluster = Cluster::new(Mode::ActiveStandby);
    cluster.policy.failback = false;
    cluster.join("a", 2);
    cluster.join("b", 1);
    cluster.owns(&[("a", 16)]);
    cluster.die("a");
    cluster.owns(&[("b", 16)]);
    cluster.join("a", 2);
    cluster.pass(10_000_000).owns(&[("b", 16)]);
    cluster.policy.asked_at = Some(cluster.now);
    cluster.owns(&[("a", 16)]);
}

#[test]
fn a_wish_for_failback_that_could_not_be_met_is_forgotten() {
    let mut cluster = Cluster::new(Mode::ActiveStandby);
    cluster.join("a", 2);
    cluster.join("b", 1);
    cluster.policy.asked_at = Some(cluster.now);
    cluster.owns(&[("a", 16)]);
    cluster.die("a");
    cluster.pass(30_000).owns(&[("b", 16)]);
    cluster.pass(30_000).join("a", 2);
    cluster.owns(&[("b", 16)]);
}

#[test]
fn two_equal_members_halves_all_on_the_survivor_and_halves_again() {
    let mut cluster = Cluster::new(Mode::LoadBalanced);
    cluster.join("a", 0);
    cluster.join("b", 0);
    cluster.owns(&[("a", 8), ("b", 8)]);
    cluster.pass(1_000).die("a");
    cluster.owns(&[("b", 16)]);
    cluster.join("a", 0);
    cluster.pass(59_999).owns(&[("b", 16)]);
    cluster.pass(1).owns(&[("a", 8), ("b", 8)]);
}

#[test]
fn a_second_newcomer_waits_for_the_gap() {
    let mut cluster = Cluster::new(Mode::LoadBalanced);
    cluster.join("a", 0);
    cluster.owns(&[("a", 16)]);
    cluster.join("b", 0);
    cluster.pass(60_000).owns(&[("a", 8), ("b", 8)]);
    cluster.join("c", 0);
    cluster.join("d", 0);
    cluster.pass(299_999).owns(&[("a", 8), ("b", 8)]);
    cluster.pass(1).owns(&[("a", 4), ("b", 4), ("c", 4), ("d", 4)]);
}

#[test]
fn a_changed_weight_moves_shards_when_the_gap_has_passed() {
    let mut cluster = Cluster::new(Mode::LoadBalanced);
    cluster.join("a", 0);
    cluster.join("b", 0);
    cluster.owns(&[("a", 8), ("b", 8)]);
    cluster.policy.weights.insert(MemberId::new("a"), 3);
    cluster.owns(&[("a", 12), ("b", 4)]);
    cluster.policy.weights.insert(MemberId::new("a"), 0);
    cluster.owns(&[("b", 16)]);
}

#[test]
fn the_mode_changes_at_once_and_by_hand_over() {
    let mut cluster = Cluster::new(Mode::ActiveStandby);
    cluster.join("a", 0);
    cluster.join("b", 0);
    cluster.owns(&[("a", 16)]);
    cluster.policy.mode = Mode::LoadBalanced;
    let moved = cluster.decide();
    let handed = moved.places.values().filter(|place| place.from == Some(MemberId::new("a")));
    assert_eq!(handed.count(), 8);
    cluster.owns(&[("a", 8), ("b", 8)]);
    cluster.policy.mode = Mode::ActiveStandby;
    assert_eq!(cluster.settle().len(), 1);
}

#[test]
fn a_new_process_under_the_same_name_is_somebody_else() {
    let mut cluster = Cluster::new(Mode::ActiveStandby);
    cluster.join("a", 0);
    cluster.join("b", 0);
    cluster.owns(&[("a", 16)]);
    cluster.die("a");
    cluster.join("a", 0);
    cluster.owns(&[("b", 16)]);
}

#[test]
fn a_wiped_register_learns_from_what_is_held() {
    for mode in [Mode::ActiveStandby, Mode::LoadBalanced] {
        let mut cluster = Cluster::new(mode);
        cluster.join("a", 0);
        cluster.join("b", 0);
        cluster.settle();
        cluster.die("a");
        cluster.settle();
        cluster.join("a", 5);
        let before = cluster.settle();
        cluster.decided = None;
        assert_eq!(cluster.settle(), before, "{mode}");
    }
}

#[test]
fn who_stands_down_is_passed_over_unless_nobody_else_is_there() {
    for mode in [Mode::ActiveStandby, Mode::LoadBalanced] {
        let mut cluster = Cluster::new(mode);
        cluster.join("a", 0);
        cluster.join("b", 0);
        cluster.member("a").stands_down_until = Some(START + 5_000);
        cluster.owns(&[("b", 16)]);
        cluster.die("b");
        cluster.owns(&[("a", 16)]);
    }
}

#[test]
fn a_hand_over_whose_old_owner_dies_is_a_failover() {
    let mut cluster = Cluster::new(Mode::ActiveStandby);
    cluster.join("a", 0);
    cluster.join("b", 0);
    cluster.owns(&[("a", 16)]);
    cluster.member("a").draining = true;
    assert!(cluster.decide().places.values().all(|place| place.from.is_some()));
    // Until it has released, the new owner waits.
    assert!(cluster.decide().places.values().all(|place| place.from.is_some()));
    cluster.die("a");
    assert!(cluster.decide().places.values().all(|place| place.from.is_none()));
    cluster.owns(&[("b", 16)]);
}

#[test]
fn a_hand_over_whose_new_owner_dies_goes_to_the_next() {
    let mut cluster = Cluster::new(Mode::ActiveStandby);
    for id in ["a", "b", "c"] {
        cluster.join(id, 0);
    }
    cluster.owns(&[("a", 16)]);
    cluster.member("a").draining = true;
    cluster.decide();
    cluster.die("b");
    let next = cluster.decide();
    assert_eq!(next.workers(), BTreeMap::from([(MemberId::new("c"), 16)]));
    let a = Some(MemberId::new("a"));
    assert!(next.places.values().all(|place| place.from == a), "a still holds: {next:?}");
    cluster.owns(&[("c", 16)]);
}

#[test]
fn a_hand_over_that_is_directed_elsewhere_comes_from_whoever_holds() {
    let mut cluster = Cluster::new(Mode::ActiveStandby);
    for id in ["a", "b", "c"] {
        cluster.join(id, 0);
    }
    cluster.owns(&[("a", 16)]);
    cluster.member("a").draining = true;
    cluster.decide();
    cluster.member("b").draining = true;
    let next = cluster.decide();
    assert_eq!(next.workers(), BTreeMap::from([(MemberId::new("c"), 16)]));
    let a = Some(MemberId::new("a"));
    assert!(next.places.values().all(|place| place.from == a), "{next:?}");
    assert_eq!(cluster.decide(), next, "a has not released yet");
    cluster.owns(&[("c", 16)]);
}

/// Which rows of the table the story of a cluster takes, as seen from outside.
#[test]
fn every_row_of_active_standby_is_taken() {
    for (works, happening, step) in ACTIVE_STANDBY {
        let mut cluster = Cluster::new(Mode::ActiveStandby);
        let owner = match works {
            Works::Nobody => None,
            Works::Preferred => {
                cluster.join("a", 2);
                cluster.join("b", 1);
                cluster.settle();
                Some("a")
            }
            Works::Standby => {
                cluster.join("a", 2);
                cluster.join("b", 1);
                cluster.join("c", 0);
                cluster.settle();
                cluster.die("a");
                cluster.settle();
                cluster.join("a", 2);
                cluster.settle();
                Some("b")
            }
        };
        let before = cluster.decided.as_ref().map_or(Works::Nobody, Assignment::works);
        assert_eq!(before, works);
        match (happening, owner) {
            (Happening::Came, _) => cluster.join("a", 2),
            (Happening::WorkerLost, Some(owner)) => cluster.member(owner).store_ok = false,
            (Happening::WorkerDrains, Some(owner)) => cluster.member(owner).draining = true,
            (Happening::PreferredReady, _) => drop(cluster.pass(60_000)),
            (Happening::WorkerLost | Happening::WorkerDrains, None) => unreachable!(),
        }
        let next = cluster.decide();
        let row = format!("{works:?} {happening:?} {step:?}");
        assert_eq!(next.places.len(), usize::from(SHARDS), "{row}");
        let place = next.places.values().next().unwrap();
        assert_ne!(Some(place.member.as_str()), owner, "{row}");
        let by_hand_over = step != Step::Elect;
        assert_eq!(place.from.is_some(), by_hand_over, "{row}");
        if step == Step::HandBack {
            assert_eq!(place.member.as_str(), "a", "{row}");
            assert_eq!(next.moved_at, Some(cluster.now), "{row}");
        }
    }
}

#[test]
fn every_row_of_balanced_is_taken() {
    for (_, happening, _, step) in BALANCED {
        let mut cluster = Cluster::new(Mode::LoadBalanced);
        cluster.join("a", 0);
        if happening != BalancedHappening::Vacancy {
            cluster.settle();
            cluster.join("b", 0);
            cluster.settle();
        }
        match happening {
            BalancedHappening::Vacancy => {}
            BalancedHappening::Ready => drop(cluster.pass(60_000)),
            BalancedHappening::Lost => cluster.member("a").store_ok = false,
            BalancedHappening::Drains => cluster.member("a").draining = true,
        }
        let before = cluster.decided.clone().unwrap_or_default();
        let next = cluster.decide();
        let moved = next.places.iter().filter(|(shard, place)| {
            before.places.get(shard).map(|old| &old.member) != Some(&place.member)
        });
        let moved: Vec<_> = moved.collect();
        assert!(!moved.is_empty(), "{happening:?}");
        let by_hand_over = step != Step::Elect;
        assert!(
            moved.iter().all(|(_, place)| place.from.is_some() == by_hand_over),
            "{happening:?}"
        );
    }
}

#[test]
fn the_tables_name_every_row() {
    let rows = tables().lines().filter(|line| line.starts_with("| ")).count();
    assert_eq!(rows, 2 + ACTIVE_STANDBY.len() + BALANCED.len());
}

#[test]
fn the_page_about_the_modes_has_the_tables() {
    let page = include_str!("../../../../docs/ha.md");
    let (begin, end) = ("<!-- tables: begin -->\n", "<!-- tables: end -->");
    let tables = format!("{begin}\n{}\n{end}", tables());
    assert!(page.contains(&tables), "docs/ha.md is stale; it must have\n{tables}");
}

/// Something that happens to a cluster.
#[derive(Clone, Debug)]
enum Weather {
    Join(u8, i32),
    Die(u8),
    Store(u8, bool),
    Drain(u8, bool),
    StandDown(u8),
    Weight(u8, u32),
    Mode(bool),
    Ask,
    Wipe,
    Pass(i64),
    /// Everybody does what is decided, or not yet.
    Obey,
}

fn weather() -> impl Strategy<Value = Weather> {
    let member = 0_u8..5;
    prop_oneof![
        4 => (member.clone(), 0..3_i32).prop_map(|(id, priority)| Weather::Join(id, priority)),
        2 => member.clone().prop_map(Weather::Die),
        2 => (member.clone(), any::<bool>()).prop_map(|(id, ok)| Weather::Store(id, ok)),
        1 => (member.clone(), any::<bool>()).prop_map(|(id, on)| Weather::Drain(id, on)),
        1 => member.clone().prop_map(Weather::StandDown),
        1 => (member, 0..4_u32).prop_map(|(id, weight)| Weather::Weight(id, weight)),
        1 => any::<bool>().prop_map(Weather::Mode),
        1 => Just(Weather::Ask),
        1 => Just(Weather::Wipe),
        3 => prop_oneof![Just(100), Just(61_000), Just(301_000)].prop_map(Weather::Pass),
        5 => Just(Weather::Obey),
    ]
}

impl Cluster {
    fn suffer(&mut self, weather: &Weather) {
        let name = |id: u8| format!("m{id}");
        match weather {
            Weather::Join(id, priority) => {
                self.die(&name(*id));
                self.join(&name(*id), *priority);
            }
            Weather::Die(id) => self.die(&name(*id)),
            Weather::Store(id, ok) => self.change(*id, |member| member.store_ok = *ok),
            Weather::Drain(id, on) => self.change(*id, |member| member.draining = *on),
            Weather::StandDown(id) => {
                let until = self.now + 5_000;
                self.change(*id, |member| member.stands_down_until = Some(until));
            }
            Weather::Weight(id, weight) => {
                self.policy.weights.insert(MemberId::new(name(*id)), *weight);
            }
            Weather::Mode(balanced) => {
                self.policy.mode = if *balanced { Mode::LoadBalanced } else { Mode::ActiveStandby };
            }
            Weather::Ask => self.policy.asked_at = Some(self.now),
            Weather::Wipe => self.decided = None,
            Weather::Pass(ms) => drop(self.pass(*ms)),
            Weather::Obey => self.obey(),
        }
    }

    fn change(&mut self, id: u8, change: impl FnOnce(&mut Candidate)) {
        let name = format!("m{id}");
        if let Some(member) = self.members.iter_mut().find(|one| one.id.as_str() == name) {
            change(member);
        }
    }

    /// Releases come first; who waits for one that did not come yet takes in the next round.
    fn obey(&mut self) {
        let Some(decided) = &self.decided else { return };
        for member in &mut self.members {
            let mine = decided.of(&member.id, member.nonce);
            member.held.retain(|shard, _| mine.contains_key(shard));
        }
        let held: BTreeSet<(MemberId, Shard)> = self
            .members
            .iter()
            .flat_map(|one| one.held.keys().map(|shard| (one.id.clone(), *shard)))
            .collect();
        for member in &mut self.members {
            for (shard, from) in decided.of(&member.id, member.nonce) {
                let waits = from.is_some_and(|from| held.contains(&(from, shard)));
                if !waits {
                    member.held.entry(shard).or_insert(Epoch(1));
                }
            }
        }
    }

    fn is_able(&self, one: &Candidate) -> bool {
        let weight = self.policy.weights.get(&one.id).copied().unwrap_or(one.weight);
        one.store_ok && weight > 0 && !one.draining && !self.policy.draining.contains(&one.id)
    }

    fn stands_down(&self, one: &Candidate) -> bool {
        one.stands_down_until.is_some_and(|until| until > self.now)
    }

    /// The laws that hold between two decisions.
    fn check(&self, before: Option<&Assignment>, next: &Assignment) {
        let able: Vec<&Candidate> = self.members.iter().filter(|one| self.is_able(one)).collect();
        let held =
            |shard| self.members.iter().any(|one| one.store_ok && one.held.contains_key(&shard));
        if able.is_empty() {
            let moved = next.places.iter().filter(|(shard, place)| {
                let old = before.and_then(|before| before.places.get(shard));
                let alive = old.is_some_and(|old| self.is_alive(&old.member, old.nonce));
                alive && old.is_some_and(|old| old.member != place.member)
            });
            assert_eq!(moved.count(), 0, "nobody is able: nobody moves");
            return;
        }
        assert_eq!(next.places.len(), usize::from(SHARDS), "every shard has its place");
        let willing = |one: &Candidate| {
            self.is_able(one)
                && (!self.stands_down(one) || able.iter().all(|one| self.stands_down(one)))
        };
        for (shard, place) in &next.places {
            let owner = self.members.iter().find(|one| one.id == place.member);
            let owner = owner.expect("owners live");
            assert_eq!(owner.nonce, place.nonce, "owners are the processes that live");
            assert!(willing(owner), "owners are willing: {owner:?}");
            assert_ne!(place.from.as_ref(), Some(&owner.id), "nobody hands over to itself");
            if let Some(from) = &place.from {
                assert!(
                    self.members.iter().any(|one| one.id == *from),
                    "the dead hand nothing over"
                );
            }
            let old = before.and_then(|before| before.places.get(shard));
            let Some(old) = old.filter(|old| old.member != place.member) else { continue };
            let stays = self.is_alive(&old.member, old.nonce)
                && self.members.iter().any(|one| one.id == old.member && willing(one));
            if stays {
                self.check_planned(before.expect("it has an owner"), next);
                let is_held = held(*shard) && !owner.held.contains_key(shard);
                assert!(place.from.is_some() || !is_held, "a planned move is handed over");
            }
        }
    }

    /// A willing holder was left: only by plan.
    fn check_planned(&self, before: &Assignment, next: &Assignment) {
        let is_due = |at: Timestamp| {
            self.now.since_ms(at) < ASKED_MS && before.moved_at.is_none_or(|moved| moved < at)
        };
        let asked = before.mode != self.policy.mode || self.policy.asked_at.is_some_and(is_due);
        let gap = before.moved_at.is_none_or(|at| self.now.since_ms(at) >= self.policy.move_gap_ms);
        assert!(asked || gap, "a planned move within the gap: {before:?} {next:?}");
        assert_eq!(next.moved_at, Some(self.now), "a planned move is noted");
    }

    fn is_alive(&self, id: &MemberId, nonce: Nonce) -> bool {
        self.members.iter().any(|one| one.id == *id && one.nonce == nonce)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_the_laws_hold(mode in any::<bool>(), story in prop::collection::vec(weather(), 1..60)) {
        let mut cluster = Cluster::new(if mode { Mode::LoadBalanced } else { Mode::ActiveStandby });
        for weather in &story {
            cluster.suffer(weather);
            let before = cluster.decided.clone();
            if cluster.members.is_empty() {
                continue;
            }
            let next = cluster.decide();
            cluster.check(before.as_ref(), &next);
            let again = cluster.decide();
            let moved = |one: &Assignment| -> Vec<MemberId> {
                one.places.values().map(|place| place.member.clone()).collect()
            };
            prop_assert_eq!(moved(&next), moved(&again), "{:?}", weather);
            prop_assert_eq!(&again, &cluster.decide(), "{:?}", weather);
        }
    }

    #[test]
    fn a_death_moves_only_the_shards_of_the_dead(members in 2_u8..8, dead in 0_u8..8) {
        let mut cluster = Cluster::new(Mode::LoadBalanced);
        (0..members).for_each(|id| cluster.join(&format!("m{id}"), 0));
        cluster.settle();
        let before = cluster.decided.clone().unwrap();
        let dead = format!("m{}", dead % members);
        cluster.die(&dead);
        let next = cluster.decide();
        for (shard, place) in &before.places {
            if place.member.as_str() != dead {
                prop_assert_eq!(&next.places[shard].member, &place.member);
            }
        }
        let counts = cluster.settle();
        let (least, most) = (counts.values().min().unwrap(), counts.values().max().unwrap());
        prop_assert!(most - least <= 1, "{:?}", counts);
    }

    #[test]
    fn a_newcomer_costs_no_more_moves_than_it_gets_shards(members in 1_u8..8) {
        let mut cluster = Cluster::new(Mode::LoadBalanced);
        (0..members).for_each(|id| cluster.join(&format!("m{id}"), 0));
        cluster.settle();
        let before = cluster.decided.clone().unwrap();
        cluster.join("new", 0);
        cluster.pass(400_000);
        let next = cluster.decide();
        let moved = before.places.iter().filter(|(shard, old)| next.places[shard].member != old.member);
        let got = next.workers().get(&MemberId::new("new")).copied().unwrap_or(0);
        prop_assert_eq!(moved.count(), got);
        prop_assert!(got >= usize::from(SHARDS) / (usize::from(members) + 1));
    }
}
