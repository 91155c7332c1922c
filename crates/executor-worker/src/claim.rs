//! Slots and tokens: how much may be asked for, and what was asked.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use model::{Nonce, Token};
use ports::work::CLAIM_TOKENS_MAX;

/// A claim is answered after one commit; a session that does not answer for so long is not one.
const ANSWER_MAX: Duration = Duration::from_secs(30);

/// Makes tokens: the worker's incarnation and a number, so that none repeats.
#[derive(Debug)]
pub(crate) struct Mint {
    incarnation: Nonce,
    next: u64,
    first_of_session: u64,
}

impl Mint {
    pub(crate) fn new(incarnation: Nonce) -> Mint {
        Mint { incarnation, next: 0, first_of_session: 0 }
    }

    fn token(&mut self) -> Token {
        self.next += 1;
        Token::new(format!("{}-{:x}", self.incarnation, self.next - 1))
    }

    /// Whether a token was made in this session: those of earlier ones are void, since no `Hello` listed them.
    pub(crate) fn is_of_this_session(&self, token: &Token) -> bool {
        let number = token.as_str().strip_prefix(&format!("{}-", self.incarnation));
        let number = number.and_then(|digits| u64::from_str_radix(digits, 16).ok());
        number.is_some_and(|number| (self.first_of_session..self.next).contains(&number))
    }
}

/// A claim that was not answered yet.
#[derive(Debug)]
struct Pending {
    pool: String,
    tokens: Vec<Token>,
    since: Instant,
}

/// A worker's slots.
#[derive(Debug)]
pub(crate) struct Slots {
    total: usize,
    busy: usize,
    mint: Mint,
    pending: Vec<Pending>,
    /// Pools worth asking, longest wait first.
    wanted: VecDeque<String>,
}

impl Slots {
    pub(crate) fn new(total: usize, mint: Mint) -> Slots {
        Slots { total, busy: 0, mint, pending: Vec::new(), wanted: VecDeque::new() }
    }

    pub(crate) fn busy(&self) -> usize {
        self.busy
    }

    pub(crate) fn occupy(&mut self) {
        self.busy += 1;
    }

    pub(crate) fn release(&mut self) {
        self.busy = self.busy.saturating_sub(1);
    }

    pub(crate) fn is_token_of_this_session(&self, token: &Token) -> bool {
        self.mint.is_of_this_session(token)
    }

    /// A pool may have work.
    pub(crate) fn want(&mut self, pool: &str) {
        if !self.wanted.iter().any(|wanted| wanted == pool) {
            self.wanted.push_back(pool.to_owned());
        }
    }

    /// The next claim for all free slots, when there are some and a pool may have work.
    pub(crate) fn next_claim(&mut self) -> Option<(String, Vec<Token>)> {
        let free = self.free().min(CLAIM_TOKENS_MAX);
        if free == 0 {
            return None;
        }
        let pool = self.wanted.pop_front()?;
        Some(self.claim(pool, free))
    }

    /// A claim for the one slot that an attempt of `pool` has just freed. Pools that wait for a slot go first, so that
    /// a busy one does not keep the others away.
    pub(crate) fn claim_freed(&mut self, pool: &str) -> Option<(String, Vec<Token>)> {
        if self.free() == 0 {
            return None;
        }
        self.want(pool);
        let next = self.wanted.pop_front()?;
        Some(self.claim(next, 1))
    }

    fn claim(&mut self, pool: String, count: usize) -> (String, Vec<Token>) {
        let tokens: Vec<Token> = (0..count).map(|_| self.mint.token()).collect();
        self.pending.push(Pending {
            pool: pool.clone(),
            tokens: tokens.clone(),
            since: Instant::now(),
        });
        (pool, tokens)
    }

    /// A claim was answered. When every token was used there may be more where this came from.
    pub(crate) fn answered(&mut self, pool: &str, granted: &[&Token]) {
        let of_grant =
            |pending: &Pending| granted.iter().any(|token| pending.tokens.contains(token));
        let of_pool = |pending: &Pending| pending.pool == pool;
        let which = self
            .pending
            .iter()
            .position(of_grant)
            .or_else(|| self.pending.iter().position(of_pool));
        let Some(which) = which else { return };
        if self.pending.remove(which).tokens.len() == granted.len() {
            self.want(pool);
        }
    }

    /// The session is over: what it was asked for will not come.
    pub(crate) fn forget_claims(&mut self) {
        self.pending.clear();
        self.mint.first_of_session = self.mint.next;
    }

    /// Whether a claim has waited longer for its answer than a living session needs.
    pub(crate) fn is_answer_overdue(&self) -> bool {
        self.pending.iter().any(|pending| pending.since.elapsed() > ANSWER_MAX)
    }

    fn free(&self) -> usize {
        let asked: usize = self.pending.iter().map(|pending| pending.tokens.len()).sum();
        self.total.saturating_sub(self.busy + asked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slots(total: usize) -> Slots {
        Slots::new(total, Mint::new(Nonce(7)))
    }

    fn claimed(claim: Option<(String, Vec<Token>)>) -> Option<(String, usize)> {
        claim.map(|(pool, tokens)| (pool, tokens.len()))
    }

    #[test]
    fn no_more_is_asked_for_than_fits() {
        let mut slots = slots(3);
        slots.want("a");
        slots.want("a");
        slots.want("b");
        assert_eq!(claimed(slots.next_claim()), Some(("a".to_owned(), 3)));
        assert_eq!(slots.next_claim(), None);
        slots.answered("a", &[]);
        assert_eq!(claimed(slots.next_claim()), Some(("b".to_owned(), 3)));
    }

    #[test]
    fn a_claim_that_was_filled_is_repeated() {
        let mut slots = slots(2);
        slots.want("a");
        let (_, tokens) = slots.next_claim().expect("there are slots");
        slots.answered("a", &[&tokens[0], &tokens[1]]);
        slots.occupy();
        assert_eq!(claimed(slots.next_claim()), Some(("a".to_owned(), 1)));
    }

    #[test]
    fn a_freed_slot_goes_to_the_pool_that_waits() {
        let mut slots = slots(1);
        slots.occupy();
        slots.want("b");
        slots.release();
        assert_eq!(claimed(slots.claim_freed("a")), Some(("b".to_owned(), 1)));
        assert_eq!(slots.claim_freed("a"), None);
        slots.answered("b", &[]);
        assert_eq!(claimed(slots.next_claim()), Some(("a".to_owned(), 1)));
    }

    #[test]
    fn tokens_of_a_former_session_are_void() {
        let mut slots = slots(1);
        slots.want("a");
        let (_, tokens) = slots.next_claim().expect("there is a slot");
        assert!(slots.is_token_of_this_session(&tokens[0]));
        assert!(!slots.is_token_of_this_session(&Token::new("0000000000000007-1")));
        assert!(!slots.is_token_of_this_session(&Token::new("other")));
        slots.forget_claims();
        assert!(!slots.is_token_of_this_session(&tokens[0]));
        slots.want("a");
        assert_eq!(claimed(slots.next_claim()), Some(("a".to_owned(), 1)));
    }
}
