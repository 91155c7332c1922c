//! The deciding part of a replica, without clock, sockets and tasks: what came in and the time go in, what is to be done
//! comes out.
//!
//! ```text
//!  Joined Beat Ended Redialled          ┌──────┐   Redial Probe ProbePeer
//!  Agreed Probed PeerProbed Tick  ────► │ Desk │ ► KeepAlive Rewrite Enlist Deregister
//!  Written Decided ...                  └──────┘   Decide CopyPolicy Order LetGo Publish
//! ```
//!
//! A member is judged by the replica that it is joined to (`links`); when that replica is gone itself, by any other
//! (`others`).
//!
//! **Invariants** (`tests/it/random.rs` checks them in random weather)
//! * Whoever beats is not dead. A beat clears what was held against its sender.
//! * Nobody is accused without an agreement (no quorum), while this replica stops, or by what it noticed before its own
//!   tick was late ([`LATE_MS`]): it may have been frozen itself.
//! * A death is written by compare-and-set of the entry that was judged: whoever rejoined in between is safe.
//! * While members live and a decision is there, what it says of them is changed only as `engine::placement` says.

mod decide;
mod links;
mod others;
mod tell;

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{MemberId, Nonce, Timestamp};
use ports::cluster::{ClusterMap, Orders, PolicyRow, Vitals};
use ports::election::{Agreement, Decision, Registered};

use decide::Deciding;
use links::Link;
use others::{Orphan, Peer, Replaced};

/// Between two ticks, in ms.
pub const TICK_MS: u64 = 100;
/// A replica whose tick is later than this was frozen, and forgets what it noticed, in ms.
pub const LATE_MS: u64 = 300;
/// A replica that has been without a quorum for so long lets its members go: another one may have it, and leases live for
/// 5 s only, in ms.
pub const LET_GO_MS: u64 = 1_500;
/// How often a member's lease is prolonged, in ms: some may be missed within a lease's life.
pub const KEEP_ALIVE_MS: u64 = 1_000;
/// Without any decision, or right after this replica came, nobody who is missing is replaced for so long: members that hold
/// shards have rejoined by then, in ms.
pub const SETTLE_MS: u64 = 2_000;

/// A moment: on the replica's own clock, which never steps, and on the wall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Milliseconds since the replica started.
    pub ms: u64,
    /// For what people and other replicas see.
    pub wall: Timestamp,
}

/// One stream of a member: a member that joins again has another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LinkId(pub u64);

/// What a dialled address did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialled {
    /// Somebody listens.
    Reached,
    /// Nobody listens: the process is gone, its host is there.
    Refused,
    /// No answer in time, or the way is barred.
    Silent,
}

/// What became of a write that compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It is there, at this revision.
    At(i64),
    /// Somebody was faster, or the lease is gone; nothing was written.
    Lost,
    /// Nobody knows.
    Unknown,
}

/// What happened.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields are named after what they are")]
pub enum Input {
    /// A member's stream begins; its entry was written at this revision.
    Joined { link: LinkId, member: Registered, modified: i64 },
    /// Another process joins under this member's name: the one of this entry has ended.
    Replaced { member: MemberId, nonce: Nonce, modified: i64 },
    /// A member's beat.
    Beat { link: LinkId, vitals: Vitals },
    /// A member's stream has ended.
    Ended { link: LinkId },
    /// The answer to [`Action::Redial`].
    Redialled { link: LinkId, answer: Dialled },
    /// The answer to [`Action::Probe`].
    Probed { member: MemberId, answer: Dialled },
    /// The answer to [`Action::ProbePeer`].
    PeerProbed { replica: String, answer: Dialled },
    /// The agreement changed; `None` when there is no quorum.
    Agreed(Option<Agreement>),
    /// The answer to [`Action::Rewrite`].
    Rewritten { link: LinkId, written: Written },
    /// The answer to [`Action::Enlist`], with the new lease.
    Enlisted { link: LinkId, lease: i64, written: Written },
    /// A member's lease was not there any more.
    LeaseGone { link: LinkId },
    /// [`Action::Decide`] was answered.
    Decided,
    /// [`Action::CopyPolicy`] was answered.
    PolicyCopied,
    /// This replica is stopping.
    Stopping,
    /// [`TICK_MS`] have passed.
    Tick,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the fields are named after what they are")]
pub enum Action {
    /// Dial the member, whose stream has ended.
    Redial { link: LinkId, address: String },
    /// Dial a member whose replica is gone.
    Probe { member: MemberId, address: String },
    /// Dial another replica.
    ProbePeer { replica: String, address: String },
    /// Prolong a member's lease.
    KeepAlive { link: LinkId, lease: i64 },
    /// Write a member's entry over the one of this revision.
    Rewrite { link: LinkId, member: Box<Registered>, expected: i64 },
    /// Write a member's entry, which is not there, under a fresh lease.
    Enlist { link: LinkId, member: Box<Registered> },
    /// Remove the entry of a dead member that owned nothing.
    Deregister { member: MemberId, modified: i64 },
    /// Write a decision.
    Decide(Box<Decision>),
    /// Copy the policy to etcd.
    CopyPolicy(PolicyRow),
    /// Tell a member what it is to own.
    Order { link: LinkId, orders: Orders },
    /// End a member's stream from our side; it joins another replica.
    LetGo { link: LinkId },
    /// Show the map.
    Publish(Arc<ClusterMap>),
}

/// Why somebody is dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Verdict {
    noticed_by: &'static str,
    /// The last sign of life.
    last_sign_ms: u64,
}

const REFUSED: &str = "refused redial";
const SILENCE: &str = "silence";
const RESTART: &str = "restart";

/// What a replica knows, and what it makes of it.
#[derive(Debug)]
pub struct Desk {
    replica: String,
    now: Now,
    ticked_ms: u64,
    is_stopping: bool,
    /// What is agreed; `None` without a quorum.
    agreement: Option<Agreement>,
    /// Since when there is a quorum, or none, without a pause of this replica's own.
    quorum_changed_ms: u64,
    links: BTreeMap<LinkId, Link>,
    orphans: BTreeMap<MemberId, Orphan>,
    peers: BTreeMap<String, Peer>,
    /// Entries of processes that were replaced by others of the same name.
    replaced: BTreeMap<MemberId, Replaced>,
    /// When a member's entry went away, changed its process, or lost the database.
    troubled_ms: BTreeMap<MemberId, u64>,
    /// The newest policy among beats.
    policy: Option<PolicyRow>,
    deciding: Deciding,
    shown: Option<Arc<ClusterMap>>,
    actions: Vec<Action>,
}

impl Desk {
    /// The desk of a replica that knows nothing yet.
    pub fn new(replica: impl Into<String>, now: Now) -> Desk {
        Desk {
            replica: replica.into(),
            now,
            ticked_ms: now.ms,
            is_stopping: false,
            agreement: None,
            quorum_changed_ms: now.ms,
            links: BTreeMap::new(),
            orphans: BTreeMap::new(),
            peers: BTreeMap::new(),
            replaced: BTreeMap::new(),
            troubled_ms: BTreeMap::new(),
            policy: None,
            deciding: Deciding::default(),
            shown: None,
            actions: Vec::new(),
        }
    }

    /// Takes what happened, and says what to do.
    pub fn handle(&mut self, now: Now, input: Input) -> Vec<Action> {
        self.now = Now { ms: now.ms.max(self.now.ms), wall: now.wall };
        if self.now.ms - self.ticked_ms > TICK_MS + LATE_MS {
            self.forgive();
        }
        let is_news = self.take(input);
        self.judge();
        self.judge_others();
        if is_news {
            self.tell();
        }
        self.decide(is_news);
        std::mem::take(&mut self.actions)
    }

    /// Whether a process that beats under this name is joined here: another process with the name is not taken in.
    pub fn beats(&self, id: &MemberId) -> Option<Nonce> {
        let mut live = self.links.values().filter(|link| !link.is_suspected(self.now.ms));
        live.find(|link| link.member.joining.id == *id).map(|link| link.member.joining.nonce)
    }

    /// What is agreed, as far as this replica knows.
    pub fn agreement(&self) -> Option<&Agreement> {
        self.agreement.as_ref()
    }

    /// Whether what came may change the decision or what members see.
    fn take(&mut self, input: Input) -> bool {
        match input {
            Input::Joined { link, member, modified } => self.joined(link, member, modified),
            Input::Replaced { member, nonce, modified } => {
                let replaced = Replaced { nonce, modified, at_ms: self.now.ms };
                self.replaced.insert(member, replaced);
            }
            Input::Beat { link, vitals } => return self.beat(link, vitals),
            Input::Ended { link } => self.ended(link),
            Input::Redialled { link, answer } => self.redialled(link, answer),
            Input::Probed { member, answer } => self.probed(&member, answer),
            Input::PeerProbed { replica, answer } => self.peer_probed(&replica, answer),
            Input::Agreed(agreement) => self.agreed(agreement),
            Input::Rewritten { link, written } => self.rewritten(link, written),
            Input::Enlisted { link, lease, written } => self.enlisted(link, lease, written),
            Input::LeaseGone { link } => self.lease_gone(link),
            Input::Decided => self.deciding.answered(self.now.ms),
            Input::PolicyCopied => self.deciding.is_copying = false,
            Input::Stopping => {
                self.is_stopping = true;
                self.forgive();
                self.let_all_go();
            }
            Input::Tick => {
                self.ticked_ms = self.now.ms;
                self.tick();
                return false;
            }
        }
        true
    }

    fn tick(&mut self) {
        if self.agreement.is_some() {
            self.keep_leases();
            self.probe_others();
        } else if self.now.ms - self.quorum_changed_ms >= LET_GO_MS {
            self.let_all_go();
        }
    }

    fn agreed(&mut self, agreement: Option<Agreement>) {
        if agreement.is_some() != self.agreement.is_some() {
            self.forgive();
        }
        let Some(agreement) = agreement else {
            self.agreement = None;
            return;
        };
        match &self.agreement {
            // etcd was wiped, or set back: what we wrote is not there, and who is missing may be back in a moment.
            Some(known) if agreement.revision < known.revision => {
                self.links.values_mut().for_each(|link| link.modified = 0);
                self.troubled_ms.clear();
                self.forgive();
            }
            Some(_) | None => self.note_troubles(&agreement),
        }
        self.deciding.saw(&agreement, self.now.ms);
        let is_there = |id: &MemberId, one: &mut Replaced| {
            agreement.members.get(id).is_some_and(|entry| one.is_of(entry))
        };
        self.replaced.retain(is_there);
        self.agreement = Some(agreement);
        self.compare_links();
        self.find_others();
    }

    /// Forgets every suspicion: this replica may have been frozen, or cut off. Everybody begins anew.
    fn forgive(&mut self) {
        let now_ms = self.now.ms;
        self.ticked_ms = now_ms;
        self.quorum_changed_ms = now_ms;
        self.deciding.forgive(now_ms);
        self.links.values_mut().for_each(|link| link.forgive(now_ms));
        self.orphans.values_mut().for_each(|orphan| orphan.forgive(now_ms));
        self.peers.values_mut().for_each(|peer| peer.forgive(now_ms));
    }

    fn may_accuse(&self) -> bool {
        self.agreement.is_some() && !self.is_stopping
    }
}
