//! The link between a worker and schedulers that lose their shards, freeze, break off and are believed to own what they do
//! not, at random; judged by what must hold whatever happens.
//!
//! * An attempt is started once, finished once, and never stopped while it is the one that counts.
//! * A token is put to a second scheduler only after the first one has answered without using it.
//! * Each claim gets one answer.
//! * Once the world is quiet again, everything ends, and nothing is left to say.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use model::{Epoch, Shard, Token, WorkerId};
use ports::bell::Ring;
use ports::work::{FromWorker, HeldToken, ToWorker};
use proptest::prelude::*;

use super::schedulers::{Row, Scheduler, Wire};
use super::{SHARDS, finish, job, map};
use crate::link::core::{Action, Core, PeerId};
use crate::link::known::{Epochs, Rung};

const SCHEDULERS: usize = 3;
const LETTERS: [char; SCHEDULERS] = ['a', 'b', 'c'];
/// Attempts that there will ever be.
const ATTEMPTS_MAX: usize = 24;
/// Claims that the worker has open.
const CLAIMS_MAX: usize = 4;
/// Rounds of a quiet world until everything must be over; each is 100 ms.
const ROUNDS_MAX: usize = 300;

#[derive(Debug)]
enum Held {
    Running,
    Finished,
}

/// One time that a token was put to a scheduler.
#[derive(Debug)]
struct Put {
    wire: PeerId,
    is_answered_without: bool,
}

pub(super) struct World {
    core: Core,
    epochs: Epochs,
    rung: Rung,
    now: Duration,
    pub(super) order: u64,
    minted: u64,
    pub(super) owners: BTreeMap<Shard, (Epoch, usize)>,
    pub(super) rows: Vec<Row>,
    pub(super) schedulers: [Scheduler; SCHEDULERS],
    pub(super) wires: BTreeMap<(u64, PeerId), Wire>,
    /// How many sessions the worker has had.
    pub(super) session: u64,
    to_worker: VecDeque<ToWorker>,
    from_worker: VecDeque<FromWorker>,
    pending: Vec<(String, Vec<Token>)>,
    held: BTreeMap<Token, (usize, Held)>,
    started: BTreeSet<usize>,
    puts: BTreeMap<Token, Vec<Put>>,
}

pub(super) fn pool_of(attempt: usize) -> &'static str {
    if attempt.is_multiple_of(3) { "q" } else { "p" }
}

pub(super) fn shard_of(attempt: usize) -> Shard {
    job(attempt as u64).shard(SHARDS)
}

fn core(epochs: &Epochs, rung: &Rung) -> Core {
    Core::new(WorkerId::new("w"), epochs.clone(), rung.clone())
}

impl World {
    fn new() -> World {
        let (epochs, rung) = (Epochs::default(), Rung::default());
        let mut world = World {
            core: core(&epochs, &rung),
            epochs,
            rung,
            now: Duration::ZERO,
            order: 0,
            minted: 0,
            owners: (0..SHARDS).map(|shard| (Shard(shard), (Epoch(0), 0))).collect(),
            rows: vec![Row::Ready; 4],
            schedulers: Default::default(),
            wires: BTreeMap::new(),
            session: 0,
            to_worker: VecDeque::new(),
            from_worker: VecDeque::new(),
            pending: Vec::new(),
            held: BTreeMap::new(),
            started: BTreeSet::new(),
            puts: BTreeMap::new(),
        };
        (0..SHARDS).for_each(|shard| world.take(usize::from(shard) % SCHEDULERS, Shard(shard)));
        world.show_map();
        world
    }

    // === the link

    fn act(&mut self) {
        for action in self.core.take_actions() {
            match action {
                Action::Open { peer, address } => {
                    let letter = address.chars().last().expect("it has a name");
                    let scheduler = LETTERS.iter().position(|known| *known == letter);
                    let wire = Wire { scheduler: scheduler.expect("known"), ..Wire::default() };
                    self.wires.insert((self.session, peer), wire);
                }
                Action::Close { peer, .. } => {
                    let wire = self.wires.get_mut(&(self.session, peer)).expect("it was opened");
                    wire.is_left = true;
                }
                Action::Send(peer, message) => self.send(peer, message),
                Action::Tell(message) => self.to_worker.push_back(message),
                Action::Ring(_) => {}
                Action::Leave(why) => panic!("{why}"),
            }
        }
    }

    fn send(&mut self, peer: PeerId, message: FromWorker) {
        if let FromWorker::Claim { tokens, .. }
        | FromWorker::Finish { next: Some((_, tokens)), .. } = &message
        {
            for token in tokens {
                let puts = self.puts.entry(token.clone()).or_default();
                assert!(
                    puts.iter().all(|put| put.is_answered_without),
                    "{token} is used twice: {puts:?}"
                );
                puts.push(Put { wire: peer, is_answered_without: false });
            }
        }
        let wire = self.wires.get_mut(&(self.session, peer)).expect("it was opened");
        assert!(wire.is_open && !wire.is_left, "said to nobody");
        wire.up.push_back(message);
    }

    fn deliver(&mut self, peer: PeerId, twice: bool) {
        let wire = self.wires.get_mut(&(self.session, peer)).expect("it was opened");
        let Some((message, answer)) = wire.down.pop_front() else { return };
        for (token, used) in
            answer.iter().flat_map(|(all, used)| all.iter().map(move |token| (token, used)))
        {
            let puts = self.puts.get_mut(token).expect("it was put");
            let put = puts.iter_mut().find(|put| put.wire == peer).expect("it was put there");
            put.is_answered_without = !used.contains(token);
        }
        let repeats = match &message {
            ToWorker::Grants { grants, .. } => !grants.is_empty(),
            ToWorker::Owns { .. } => false,
            ToWorker::Stop { .. }
            | ToWorker::FinishAcknowledged { .. }
            | ToWorker::StoppedAcknowledged { .. } => true,
        };
        self.core.heard(self.now, peer, message.clone());
        if twice && repeats {
            self.core.heard(self.now, peer, message);
        }
        self.act();
    }

    fn dial(&mut self, peer: PeerId, works: bool) {
        if !works {
            self.core.closed(self.now, peer, "refused");
            return self.act();
        }
        let wire = self.wires.get_mut(&(self.session, peer)).expect("it was opened");
        wire.is_open = true;
        let scheduler = wire.scheduler;
        self.schedulers[scheduler].session = Some(peer);
        self.tell_owned(scheduler);
        self.core.opened(self.now, peer);
        self.act();
    }

    fn show(&mut self, owners: &str) {
        self.core.map(self.now, map(owners, 1));
        self.act();
    }

    fn show_map(&mut self) {
        let owners: String = self.owners.values().map(|(_, owner)| LETTERS[*owner]).collect();
        self.show(&owners);
    }

    fn pass_time(&mut self, ms: u64) {
        self.now += Duration::from_millis(ms);
        self.core.tick(self.now);
        self.act();
    }

    // === the worker

    fn claim(&mut self, pool: &str, count: u64) {
        if self.pending.len() < CLAIMS_MAX {
            let (pool, tokens) = self.mint(pool, count);
            self.from_worker.push_back(FromWorker::Claim { pool, tokens });
        }
    }

    fn mint(&mut self, pool: &str, count: u64) -> (String, Vec<Token>) {
        let tokens: Vec<Token> =
            (0..count).map(|more| Token::new((self.minted + more).to_string())).collect();
        self.minted += count;
        self.pending.push((pool.to_owned(), tokens.clone()));
        (pool.to_owned(), tokens)
    }

    fn end_one(&mut self, asks: bool) {
        let running = self.held.iter_mut().find(|(_, (_, state))| matches!(state, Held::Running));
        let Some((token, (attempt, state))) = running else { return };
        *state = Held::Finished;
        let (token, attempt) = (token.clone(), *attempt);
        let next = asks.then(|| self.mint(pool_of(attempt), 1));
        self.from_worker.push_back(finish(&token, attempt as u64, next));
    }

    fn worker_hears(&mut self) {
        let Some(message) = self.to_worker.pop_front() else { return };
        match message {
            ToWorker::Grants { pool, grants } => {
                let of = |(of, tokens): &(String, Vec<Token>)| match grants.first() {
                    Some(grant) => tokens.contains(&grant.token),
                    None => *of == pool,
                };
                let which = self.pending.iter().position(of).expect("one answer a claim");
                let (_, tokens) = self.pending.remove(which);
                for grant in grants {
                    assert!(tokens.contains(&grant.token), "granted without being asked");
                    let attempt = grant.job.serial() as usize;
                    assert!(self.started.insert(attempt), "{attempt} is started twice");
                    self.held.insert(grant.token, (attempt, Held::Running));
                }
            }
            ToWorker::Owns { number, .. } => {
                let listed = |(token, (attempt, _)): (&Token, &(usize, Held))| HeldToken {
                    token: token.clone(),
                    job: job(*attempt as u64),
                };
                let held = self.held.iter().map(listed).collect();
                self.from_worker.push_back(FromWorker::Holds { number, held });
            }
            ToWorker::FinishAcknowledged { token } => {
                if let Some((attempt, _)) = self.held.remove(&token) {
                    assert_eq!(self.rows[attempt], Row::Finished, "{token} is lost");
                }
            }
            ToWorker::Stop { job, token } => match self.held.get(&token) {
                Some((attempt, Held::Running)) => panic!("{attempt} is stopped"),
                Some((_, Held::Finished)) => {}
                None => self.from_worker.push_back(FromWorker::Stopped { job, token }),
            },
            ToWorker::StoppedAcknowledged { .. } => {}
        }
    }

    fn worker_speaks(&mut self) {
        if let Some(message) = self.from_worker.pop_front() {
            self.core.said(self.now, message);
            self.act();
        }
    }

    /// The worker leaves its session and opens another.
    fn begin_anew(&mut self) {
        self.session += 1;
        self.core = core(&self.epochs, &self.rung);
        self.pending.clear();
        self.to_worker.clear();
        self.from_worker.clear();
        for (token, (attempt, state)) in &self.held {
            if matches!(state, Held::Finished) {
                self.from_worker.push_back(finish(token, *attempt as u64, None));
            }
        }
        for scheduler in &mut self.schedulers {
            scheduler.session = None;
        }
        self.act();
        self.show_map();
    }

    // === what happens

    fn wires(&self, is_meant: impl Fn(&Wire) -> bool) -> Vec<PeerId> {
        let present = self.wires.iter().filter(|((session, _), _)| *session == self.session);
        present.filter(|(_, wire)| is_meant(wire)).map(|((_, peer), _)| *peer).collect()
    }

    fn one(&self, which: u8, is_meant: impl Fn(&Wire) -> bool) -> Option<PeerId> {
        let all = self.wires(is_meant);
        all.get(usize::from(which) % all.len().max(1)).copied()
    }

    fn step(&mut self, kind: u8, a: u8, b: u8) {
        let scheduler = usize::from(a) % SCHEDULERS;
        let shard = Shard(u16::from(b) % SHARDS);
        match kind {
            0..20 => {
                if let Some(peer) = self.one(a, |wire| !wire.up.is_empty()) {
                    self.hear_next(peer);
                }
            }
            20..40 => {
                if let Some(peer) = self.one(a, |wire| !wire.is_left && !wire.down.is_empty()) {
                    self.deliver(peer, b.is_multiple_of(4));
                }
            }
            40..50 => {
                if let Some(peer) = self.one(a, |wire| !wire.is_left && !wire.is_open) {
                    self.dial(peer, !b.is_multiple_of(4));
                }
            }
            50..65 => self.worker_hears(),
            65..80 => self.worker_speaks(),
            80..86 => self.claim(if a.is_multiple_of(2) { "p" } else { "q" }, u64::from(b % 3) + 1),
            86..90 => self.end_one(a.is_multiple_of(2)),
            90..92 => {
                if let Some(peer) = self.one(a, |wire| !wire.is_left && wire.is_open) {
                    self.core.closed(self.now, peer, "broken");
                    self.act();
                }
            }
            92..95 => self.take(scheduler, shard),
            95..97 => self.show_map(),
            97 => {
                let random =
                    |place: u8| LETTERS[usize::from(a.wrapping_mul(place) ^ b) % SCHEDULERS];
                self.show(&(1..=SHARDS as u8).map(random).collect::<String>());
            }
            98 => self.reread(scheduler),
            99 => self.pass_time(u64::from(a) * 10),
            100 => self.rung.note(&Ring { pool: "p".to_owned(), shard: Some(shard) }),
            101 if b.is_multiple_of(8) => self.begin_anew(),
            101 => {}
            _ => self.offer(),
        }
    }

    fn offer(&mut self) {
        if self.rows.len() < ATTEMPTS_MAX {
            let attempt = self.rows.len();
            self.rows.push(Row::Ready);
            let owner = self.owners[&shard_of(attempt)].1;
            self.schedulers[owner].memory.insert(attempt, Row::Ready);
        }
    }

    fn hear_next(&mut self, peer: PeerId) {
        let key = (self.session, peer);
        let next = self.wires.get_mut(&key).and_then(|wire| wire.up.pop_front());
        if let Some(message) = next {
            self.hear(key, message);
        }
    }

    // === the end

    fn is_over(&self) -> bool {
        self.rows.iter().all(|row| *row == Row::Finished)
            && self.held.is_empty()
            && self.pending.is_empty()
            && self.core.ledger.untold(|_| true).is_empty()
            && self.core.ledger.tokens().is_empty()
    }

    fn quiet_round(&mut self) {
        (0..SCHEDULERS).for_each(|scheduler| self.reread(scheduler));
        self.pass_time(100);
        self.wires(|wire| !wire.is_left && !wire.is_open)
            .iter()
            .for_each(|peer| self.dial(*peer, true));
        self.hang_up_replaced();
        for _ in 0..32 {
            for peer in self.wires(|wire| !wire.up.is_empty()) {
                self.hear_next(peer);
            }
            for peer in self.wires(|wire| !wire.is_left && !wire.down.is_empty()) {
                if !self.wires[&(self.session, peer)].is_left {
                    self.deliver(peer, false);
                }
            }
            self.worker_hears();
            self.worker_speaks();
        }
        self.end_one(false);
        if self.rows.contains(&Row::Ready) && self.pending.is_empty() {
            self.claim("p", 2);
            self.claim("q", 2);
        }
    }

    /// A scheduler has closed the sessions that a later one took the place of.
    fn hang_up_replaced(&mut self) {
        for peer in self.wires(|wire| !wire.is_left && wire.is_open) {
            let scheduler = self.wires[&(self.session, peer)].scheduler;
            if self.schedulers[scheduler].session != Some(peer) {
                self.core.closed(self.now, peer, "replaced");
                self.act();
            }
        }
    }

    fn becomes_quiet(&mut self) {
        self.show_map();
        for _ in 0..ROUNDS_MAX {
            if self.is_over() {
                return;
            }
            self.quiet_round();
        }
        panic!(
            "stuck: {:?} held {:?} pending {:?} core {:#?}",
            self.rows, self.held, self.pending, self.core
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_attempts_start_once_and_end(
        steps in prop::collection::vec((0u8..110, any::<u8>(), any::<u8>()), 0..600)
    ) {
        let mut world = World::new();
        for (kind, a, b) in steps {
            world.step(kind, a, b);
        }
        world.becomes_quiet();
    }
}

/// The world is one in which something happens: a good part of its attempts is granted amid the trouble.
#[test]
fn a_quiet_world_runs_everything() {
    let mut world = World::new();
    (0..ATTEMPTS_MAX).for_each(|_| world.offer());
    world.becomes_quiet();
    assert_eq!(world.started.len(), ATTEMPTS_MAX);
    let tried: usize = world.puts.values().map(Vec::len).sum();
    assert!(tried >= ATTEMPTS_MAX, "{tried}");
}
