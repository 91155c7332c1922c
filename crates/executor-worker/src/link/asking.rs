//! Claims on their way through the schedulers.
//!
//! A claim is put to one scheduler after the other until somebody grants something, everybody was asked, a session breaks
//! under it, or its time is up:
//!
//! ```text
//!           ┌────────── nothing granted, nothing lost ──────────┐
//!           ▼                                                   │
//!   Between ───► Dialling(peer) ──opened──► At(peer) ──Grants───┤
//!      │             │failed: Between          │                └──some granted──► the worker's answer
//!      │             ▼                         └─broken, too slow: its tokens are void──► Over
//!      └─ nobody is left, time is up ──────────────────────────────────────────────────► Over ──► an empty answer
//! ```
//! **Invariant**: a token was put to two schedulers only if the first one answered its claim without using it.
//!
//! The worker takes one answer a claim, and an empty one as that to its oldest claim of the pool: so empty answers wait for
//! older claims of their pool, and one with grants ends its claim at once, although others were not asked yet.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use model::{MemberId, Token};

use super::core::{Moment, PeerId};

/// How long one scheduler may take to answer; one that is frozen does not hold up the others' work.
pub(super) const HOP_MAX: Duration = Duration::from_secs(1);
/// How long a claim goes round; far less than a worker waits for its answer.
const ROUND_MAX: Duration = Duration::from_secs(5);

/// Which claim of the worker's session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ClaimId(u64);

/// Where a claim is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The next scheduler is to be chosen.
    Between,
    /// It waits for a session.
    Dialling(PeerId),
    /// It was sent, and is answered by then.
    At(PeerId, Moment),
    /// It got nothing; its answer waits for its turn.
    Over,
}

/// A claim of the worker's.
#[derive(Debug)]
pub(super) struct Asking {
    pub(super) pool: String,
    /// Those that no scheduler has used, or may have used.
    pub(super) tokens: Vec<Token>,
    pub(super) asked: BTreeSet<MemberId>,
    pub(super) place: Place,
    until: Moment,
}

impl Asking {
    /// Whether no other scheduler is to be asked any more.
    pub(super) fn is_late(&self, now: Moment) -> bool {
        now >= self.until
    }
}

/// All claims that are not answered.
#[derive(Debug, Default)]
pub(super) struct Claims {
    all: BTreeMap<ClaimId, Asking>,
    made: u64,
}

impl Claims {
    pub(super) fn begin(&mut self, now: Moment, pool: String, tokens: Vec<Token>) -> ClaimId {
        self.made += 1;
        let id = ClaimId(self.made);
        let asked = BTreeSet::new();
        let (place, until) = (Place::Between, now + ROUND_MAX);
        self.all.insert(id, Asking { pool, tokens, asked, place, until });
        id
    }

    pub(super) fn get(&self, id: ClaimId) -> Option<&Asking> {
        self.all.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: ClaimId) -> Option<&mut Asking> {
        self.all.get_mut(&id)
    }

    /// Takes a claim out, to be answered with grants.
    pub(super) fn end(&mut self, id: ClaimId) -> Option<Asking> {
        self.all.remove(&id)
    }

    /// The session under a claim broke: a grant may be lost, so none of its tokens is used again.
    pub(super) fn void(&mut self, id: ClaimId) {
        if let Some(asking) = self.all.get_mut(&id) {
            asking.tokens.clear();
            asking.place = Place::Over;
        }
    }

    /// The claims that wait for a session.
    pub(super) fn dialling(&self, peer: PeerId) -> Vec<ClaimId> {
        self.find(|asking| asking.place == Place::Dialling(peer))
    }

    /// The claims to which nothing came in time while they waited for a session.
    pub(super) fn late_diallers(&self, now: Moment) -> Vec<ClaimId> {
        self.find(|asking| matches!(asking.place, Place::Dialling(_)) && asking.is_late(now))
    }

    /// The sessions that have not answered in time.
    pub(super) fn slow_peers(&self, now: Moment) -> BTreeSet<PeerId> {
        let slow = |asking: &Asking| match asking.place {
            Place::At(peer, until) if now >= until => Some(peer),
            Place::At(..) | Place::Between | Place::Dialling(_) | Place::Over => None,
        };
        self.all.values().filter_map(slow).collect()
    }

    fn find(&self, is_meant: impl Fn(&Asking) -> bool) -> Vec<ClaimId> {
        self.all.iter().filter(|(_, asking)| is_meant(asking)).map(|(id, _)| *id).collect()
    }

    /// The pools of claims that are over and may be answered, in the order of the claims.
    pub(super) fn empty_answers(&mut self) -> Vec<String> {
        let mut waiting: BTreeSet<String> = BTreeSet::new();
        let mut answers = Vec::new();
        self.all.retain(|_, asking| {
            let is_answered = asking.place == Place::Over && !waiting.contains(&asking.pool);
            if is_answered {
                answers.push(asking.pool.clone());
            } else {
                waiting.insert(asking.pool.clone());
            }
            !is_answered
        });
        answers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn over(claims: &mut Claims, id: ClaimId) {
        claims.get_mut(id).expect("it is open").place = Place::Over;
    }

    #[test]
    fn empty_answers_keep_the_order_of_their_pool() {
        let mut claims = Claims::default();
        let ids = ["a", "a", "b", "a"]
            .map(|pool| claims.begin(Moment::ZERO, pool.to_owned(), vec![Token::new("t")]));
        over(&mut claims, ids[1]);
        over(&mut claims, ids[2]);
        assert_eq!(claims.empty_answers(), ["b"]);
        assert!(claims.end(ids[0]).is_some());
        assert_eq!(claims.empty_answers(), ["a"]);
        over(&mut claims, ids[3]);
        assert_eq!(claims.empty_answers(), ["a"]);
        assert_eq!(claims.empty_answers(), [""; 0]);
    }

    #[test]
    fn the_tokens_of_a_broken_claim_are_gone() {
        let mut claims = Claims::default();
        let id = claims.begin(Moment::ZERO, "a".to_owned(), vec![Token::new("t")]);
        claims.void(id);
        assert_eq!(claims.get(id).map(|asking| asking.tokens.len()), Some(0));
        assert_eq!(claims.empty_answers(), ["a"]);
    }
}
