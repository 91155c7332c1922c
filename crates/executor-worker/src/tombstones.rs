//! Stops for tokens that were never heard of: a later grant of one must not start anything (architecture §4).

use std::collections::{BTreeSet, VecDeque};

use model::Token;

/// More than a scheduler can have on its way; the oldest goes first.
const TOMBSTONES_MAX: usize = 10_000;

/// The tokens that must not start.
#[derive(Debug, Default)]
pub(crate) struct Tombstones {
    known: BTreeSet<Token>,
    oldest_first: VecDeque<Token>,
}

impl Tombstones {
    pub(crate) fn put(&mut self, token: Token) {
        if !self.known.insert(token.clone()) {
            return;
        }
        self.oldest_first.push_back(token);
        if self.oldest_first.len() > TOMBSTONES_MAX
            && let Some(oldest) = self.oldest_first.pop_front()
        {
            self.known.remove(&oldest);
        }
    }

    pub(crate) fn has(&self, token: &Token) -> bool {
        self.known.contains(token)
    }

    pub(crate) fn take_away(&mut self, token: &Token) {
        if self.known.remove(token) {
            self.oldest_first.retain(|other| other != token);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_goes_when_there_are_too_many() {
        let token = |n: usize| Token::new(n.to_string());
        let mut stones = Tombstones::default();
        for n in 0..=TOMBSTONES_MAX {
            stones.put(token(n));
            stones.put(token(n));
        }
        assert!(
            !stones.has(&token(0)) && stones.has(&token(1)) && stones.has(&token(TOMBSTONES_MAX))
        );
        stones.take_away(&token(1));
        assert!(!stones.has(&token(1)));
        assert_eq!(stones.known.len(), stones.oldest_first.len());
    }
}
