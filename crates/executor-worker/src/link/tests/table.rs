//! The link's decisions, one by one: what happens, and what is done about it.

use std::collections::BTreeMap;
use std::time::Duration;

use model::{Epoch, NodeName, Shard, Token, WorkerId};
use ports::bell::Ring;
use ports::work::{FromWorker, HeldToken, ToWorker};

use super::{SHARDS, finish, grant, id, job, map};
use crate::link::core::{Action, Core, PeerId};
use crate::link::known::{Epochs, Rung};
use crate::link::ledger::WORDS_MAX;

fn tokens(text: &str) -> Vec<Token> {
    text.split_whitespace().map(Token::from).collect()
}

fn shards(told: &[(u16, i64)]) -> BTreeMap<Shard, Epoch> {
    told.iter().map(|(shard, epoch)| (Shard(*shard), Epoch(*epoch))).collect()
}

fn words(tokens: &[Token]) -> String {
    tokens.iter().map(Token::as_str).collect::<Vec<_>>().join(" ")
}

/// A link whose sessions are named by the address that was dialled.
struct Bench {
    core: Core,
    now: Duration,
    names: BTreeMap<PeerId, String>,
}

impl Bench {
    /// A link with the sessions that it opens at its begin, whose schedulers own the shards in the first epoch. `a` was
    /// asked last.
    fn new(owners: &str) -> Bench {
        let mut bench = Bench::closed();
        bench.map(owners, 1);
        bench.core.said(bench.now, FromWorker::Holds { number: 0, held: vec![] });
        bench.done();
        let mut letters: Vec<char> = owners.chars().collect();
        letters.sort_unstable();
        letters.dedup();
        for letter in letters {
            let own = owners.chars().zip(0..).filter(|(owner, _)| *owner == letter);
            let told: Vec<(u16, i64)> = own.map(|(_, shard)| (shard, 1)).collect();
            bench.opened(&letter.to_string());
            bench.owns(&letter.to_string(), &told);
        }
        bench.core.after.insert("p".to_owned(), id('a'));
        bench
    }

    fn closed() -> Bench {
        let core = Core::new(WorkerId::new("w"), Epochs::default(), Rung::default());
        Bench { core, now: Duration::ZERO, names: BTreeMap::new() }
    }

    fn peer(&self, name: &str) -> PeerId {
        let newest = self.names.iter().rfind(|(_, known)| *known == name);
        *newest.expect("it was dialled").0
    }

    /// What was done since the last look, a line each.
    fn done(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        for action in self.core.take_actions() {
            lines.push(match action {
                Action::Open { peer, address } => {
                    let name = address.trim_start_matches("http://").to_owned();
                    self.names.insert(peer, name.clone());
                    format!("open {name}")
                }
                Action::Close { peer, .. } => format!("close {}", self.names[&peer]),
                Action::Send(peer, message) => {
                    format!("{} < {}", self.names[&peer], said(&message))
                }
                Action::Tell(message) => format!("worker < {}", told(&message)),
                Action::Ring(pool) => format!("ring {pool}"),
                Action::Leave(why) => format!("leave: {why}"),
            });
        }
        lines
    }

    fn map(&mut self, owners: &str, nonce: u64) -> Vec<String> {
        self.core.map(self.now, map(owners, nonce));
        self.done()
    }

    fn opened(&mut self, name: &str) -> Vec<String> {
        self.core.opened(self.now, self.peer(name));
        self.done()
    }

    fn closed_by(&mut self, name: &str) -> Vec<String> {
        self.core.closed(self.now, self.peer(name), "it was closed");
        self.done()
    }

    fn hears(&mut self, name: &str, message: ToWorker) -> Vec<String> {
        self.core.heard(self.now, self.peer(name), message);
        self.done()
    }

    /// A scheduler tells what it owns, and the worker answers that it holds nothing of interest.
    fn owns(&mut self, name: &str, told: &[(u16, i64)]) -> Vec<String> {
        let asked = self.asks(name, told);
        let number: u64 = asked
            .first()
            .and_then(|line| line.rsplit(' ').next()?.parse().ok())
            .expect("the worker is asked");
        self.says(FromWorker::Holds { number, held: vec![] })
    }

    fn asks(&mut self, name: &str, told: &[(u16, i64)]) -> Vec<String> {
        self.hears(name, ToWorker::Owns { number: 7, shards: shards(told) })
    }

    fn says(&mut self, message: FromWorker) -> Vec<String> {
        self.core.said(self.now, message);
        self.done()
    }

    fn claims(&mut self, text: &str) -> Vec<String> {
        self.says(FromWorker::Claim { pool: "p".to_owned(), tokens: tokens(text) })
    }

    fn grants(&mut self, name: &str, grants: &[(&str, u64, i64)]) -> Vec<String> {
        let of =
            |(token, serial, epoch): &(&str, u64, i64)| grant(&Token::new(*token), *serial, *epoch);
        let grants = grants.iter().map(of).collect();
        self.hears(name, ToWorker::Grants { pool: "p".to_owned(), grants })
    }

    fn waits(&mut self, ms: u64) -> Vec<String> {
        self.now += Duration::from_millis(ms);
        self.core.tick(self.now);
        self.done()
    }

    /// The worker runs this token of this job, granted by this scheduler.
    fn runs(&mut self, name: &str, token: &str, serial: u64, epoch: i64) {
        self.core.rung.note(&Ring { pool: "p".to_owned(), shard: Some(job(serial).shard(SHARDS)) });
        assert_eq!(self.claims(token), [format!("{name} < claim {token}")]);
        assert_eq!(
            self.grants(name, &[(token, serial, epoch)]),
            [format!("worker < grants {token}")]
        );
    }
}

fn said(message: &FromWorker) -> String {
    match message {
        FromWorker::Claim { tokens, .. } => format!("claim {}", words(tokens)),
        FromWorker::Holds { number, .. } => format!("holds {number}"),
        FromWorker::Beat { tokens } => format!("beat {}", words(tokens)),
        FromWorker::Progressed { token, .. } => format!("progressed {token}"),
        FromWorker::Finish { token, next: None, .. } => format!("finish {token}"),
        FromWorker::Finish { token, next: Some((_, next)), .. } => {
            format!("finish {token} next {}", words(next))
        }
        FromWorker::Stopped { token, .. } => format!("stopped {token}"),
    }
}

fn told(message: &ToWorker) -> String {
    match message {
        ToWorker::Grants { grants, .. } => {
            let tokens: Vec<Token> = grants.iter().map(|grant| grant.token.clone()).collect();
            format!("grants {}", words(&tokens))
        }
        ToWorker::Owns { number, .. } => format!("owns {number}"),
        ToWorker::FinishAcknowledged { token } => format!("finish acknowledged {token}"),
        ToWorker::Stop { token, .. } => format!("stop {token}"),
        ToWorker::StoppedAcknowledged { token } => format!("stopped acknowledged {token}"),
    }
}

const NOTHING: [&str; 0] = [];

fn acknowledged(token: &str) -> ToWorker {
    ToWorker::FinishAcknowledged { token: Token::new(token) }
}

fn stop(token: &str, serial: u64) -> ToWorker {
    ToWorker::Stop { job: job(serial), token: Token::new(token) }
}

fn stopped(token: &str, serial: u64) -> FromWorker {
    FromWorker::Stopped { job: job(serial), token: Token::new(token) }
}

#[test]
fn the_worker_is_asked_first_what_it_holds_and_every_owner_hears_it_once() {
    let mut bench = Bench::closed();
    assert_eq!(bench.done(), ["worker < owns 0"]);
    assert_eq!(bench.map("abab", 1), ["open a", "open b"]);
    assert_eq!(bench.opened("a"), NOTHING);
    assert_eq!(bench.asks("a", &[(0, 1), (2, 1)]), ["worker < owns 1"]);
    assert_eq!(bench.says(FromWorker::Holds { number: 1, held: vec![] }), ["a < holds 7"]);
    assert_eq!(bench.says(FromWorker::Holds { number: 1, held: vec![] }), NOTHING);
}

#[test]
fn unused_tokens_go_from_owner_to_owner_and_back_to_the_worker_when_all_were_asked() {
    let mut bench = Bench::new("abab");
    assert_eq!(bench.claims("1 2"), ["b < claim 1 2"]);
    assert_eq!(bench.grants("b", &[]), ["a < claim 1 2"]);
    assert_eq!(bench.grants("a", &[]), ["worker < grants "]);
    assert_eq!(bench.claims("3"), ["a < claim 3"]);
}

#[test]
fn grants_are_passed_on_at_once_and_the_rest_is_asked_for_anew() {
    let mut bench = Bench::new("abab");
    assert_eq!(bench.claims("1 2"), ["b < claim 1 2"]);
    assert_eq!(bench.grants("b", &[("2", 1, 1)]), ["worker < grants 2", "ring p"]);
    assert_eq!(bench.claims("3"), ["a < claim 3"]);
    assert_eq!(bench.grants("a", &[("3", 2, 1)]), ["worker < grants 3"]);
    assert_eq!(bench.grants("a", &[("3", 2, 1)]), NOTHING, "said twice");
}

#[test]
fn the_one_that_rang_last_is_asked_first() {
    let mut bench = Bench::new("abcc");
    for shard in [1, 0] {
        bench.core.rung.note(&Ring { pool: "p".to_owned(), shard: Some(Shard(shard)) });
    }
    assert_eq!(bench.claims("1"), ["a < claim 1"]);
    assert_eq!(bench.grants("a", &[]), ["b < claim 1"]);
    assert_eq!(bench.grants("b", &[]), ["c < claim 1"]);
    assert_eq!(bench.grants("c", &[]), ["worker < grants "]);
}

#[test]
fn tokens_of_a_session_that_broke_are_never_used_again() {
    let mut bench = Bench::new("abab");
    assert_eq!(bench.claims("1 2"), ["b < claim 1 2"]);
    assert_eq!(bench.closed_by("b"), ["close b", "worker < grants "]);
    assert_eq!(bench.claims("3"), ["a < claim 3"]);
    assert_eq!(bench.waits(100), ["open b"], "its owner hears what is held");
}

#[test]
fn a_scheduler_that_does_not_answer_is_left() {
    let mut bench = Bench::new("abab");
    assert_eq!(bench.claims("1"), ["b < claim 1"]);
    assert_eq!(bench.waits(999), NOTHING);
    assert_eq!(bench.waits(1), ["close b", "worker < grants "]);
    let line = bench.grants("b", &[("1", 1, 1)]);
    assert_eq!(line, NOTHING, "it comes from a session that was left");
    assert_eq!(bench.waits(100), ["open b"]);
    assert_eq!(bench.waits(1_000), ["close b"], "it takes no session either");
}

#[test]
fn a_scheduler_that_takes_no_session_was_not_asked() {
    let mut bench = Bench::new("abab");
    assert_eq!(bench.closed_by("b"), ["close b"]);
    assert_eq!(bench.waits(100), ["open b"]);
    assert_eq!(bench.claims("1"), NOTHING, "its turn is now");
    assert_eq!(bench.closed_by("b"), ["close b", "a < claim 1"]);
    assert_eq!(bench.grants("a", &[("1", 0, 1)]), ["worker < grants 1"]);
}

#[test]
fn a_claim_that_waits_for_a_session_is_put_when_it_is_open() {
    let mut bench = Bench::closed();
    bench.map("a", 1);
    assert_eq!(bench.claims("1"), NOTHING);
    assert_eq!(bench.opened("a"), ["a < claim 1"]);
}

#[test]
fn without_an_owner_a_claim_is_answered_with_nothing() {
    let mut bench = Bench::closed();
    bench.done();
    assert_eq!(bench.claims("1"), ["worker < grants "]);
    assert_eq!(bench.map("----", 1), NOTHING);
    assert_eq!(bench.claims("2"), ["worker < grants "]);
}

#[test]
fn an_answer_to_no_claim_ends_the_session() {
    let mut bench = Bench::new("aaaa");
    assert_eq!(bench.grants("a", &[("9", 0, 1)]), ["close a"]);
    let mut bench = Bench::new("aaaa");
    bench.claims("1");
    assert_eq!(bench.grants("a", &[("9", 0, 1)]), ["close a", "worker < grants "]);
}

#[test]
fn a_result_goes_to_the_owner_with_the_claim_for_its_slot() {
    let mut bench = Bench::new("abab");
    bench.runs("b", "1", 1, 1);
    let next = Some(("p".to_owned(), tokens("2")));
    assert_eq!(bench.says(finish(&Token::new("1"), 1, next)), ["b < finish 1 next 2"]);
    assert_eq!(bench.hears("b", acknowledged("1")), ["worker < finish acknowledged 1"]);
    assert_eq!(bench.hears("b", acknowledged("1")), NOTHING, "said twice");
    assert_eq!(bench.grants("b", &[]), ["a < claim 2"]);
    assert!(bench.core.ledger.tokens().is_empty());
}

#[test]
fn a_result_waits_for_the_owner_and_its_claim_does_not() {
    let mut bench = Bench::new("abab");
    bench.runs("b", "1", 1, 1);
    bench.closed_by("b");
    let next = Some(("p".to_owned(), tokens("2")));
    assert_eq!(bench.says(finish(&Token::new("1"), 1, next)), ["a < claim 2"]);
    assert_eq!(bench.waits(100), ["open b"]);
    assert_eq!(bench.opened("b"), NOTHING);
    assert_eq!(bench.owns("b", &[(1, 1), (3, 1)]), ["b < holds 7", "b < finish 1"]);
}

#[test]
fn a_new_owner_is_dialled_at_once_and_hears_everything() {
    let mut bench = Bench::new("aabb");
    bench.runs("a", "1", 1, 1);
    bench.runs("a", "2", 0, 1);
    let progressed = FromWorker::Progressed {
        job: job(1),
        action: NodeName::new("a"),
        token: Token::new("1"),
        external_id: None,
        console_url: None,
    };
    assert_eq!(bench.says(progressed), ["a < progressed 1"]);
    assert_eq!(bench.says(finish(&Token::new("1"), 1, None)), ["a < finish 1"]);
    assert_eq!(bench.map("acbb", 1), ["open c"]);
    bench.opened("c");
    assert_eq!(bench.owns("c", &[(1, 2)]), ["c < holds 7", "c < progressed 1", "c < finish 1"]);
    assert_eq!(bench.hears("a", acknowledged("1")), NOTHING, "it is deposed");
    assert_eq!(bench.hears("c", acknowledged("1")), ["worker < finish acknowledged 1"]);
    assert_eq!(bench.says(finish(&Token::new("2"), 0, None)), ["a < finish 2"]);
}

#[test]
fn an_owner_that_took_its_shard_again_hears_it_again() {
    let mut bench = Bench::new("aaaa");
    bench.runs("a", "1", 1, 1);
    bench.says(finish(&Token::new("1"), 1, None));
    let again = [(0, 1), (1, 2), (2, 1), (3, 1)];
    assert_eq!(bench.owns("a", &again), ["a < holds 7", "a < finish 1"]);
    assert_eq!(bench.owns("a", &again), ["a < holds 7"]);
}

#[test]
fn what_a_deposed_owner_says_of_its_shard_is_not_passed_on() {
    let mut bench = Bench::new("aabb");
    bench.core.rung.note(&Ring { pool: "p".to_owned(), shard: Some(Shard(0)) });
    assert_eq!(bench.claims("1 2 3"), ["a < claim 1 2 3"]);
    assert_eq!(bench.owns("b", &[(1, 2), (2, 1), (3, 1)]), ["b < holds 7"]);
    assert_eq!(bench.hears("a", stop("8", 1)), NOTHING);
    assert_eq!(bench.hears("a", stop("8", 0)), ["worker < stop 8"]);
    assert_eq!(bench.hears("b", stop("8", 1)), ["worker < stop 8"]);
    let granted = bench.grants("a", &[("1", 1, 1)]);
    assert_eq!(granted, ["b < claim 2 3"], "the token is used up, the others are not");
    let granted = bench.grants("b", &[("2", 1, 2), ("3", 2, 1)]);
    assert_eq!(granted, ["worker < grants 2 3"]);
    assert_eq!(bench.core.ledger.tokens(), tokens("2 3").into_iter().collect());
}

#[test]
fn the_answer_to_a_stop_is_repeated_until_it_is_acknowledged() {
    let mut bench = Bench::new("aaaa");
    assert_eq!(bench.hears("a", stop("9", 2)), ["worker < stop 9"]);
    assert_eq!(bench.says(stopped("9", 2)), ["a < stopped 9"]);
    bench.closed_by("a");
    bench.waits(100);
    bench.opened("a");
    let all = [(0, 1), (1, 1), (2, 1), (3, 1)];
    assert_eq!(bench.owns("a", &all), ["a < holds 7", "a < stopped 9"]);
    let acknowledged = ToWorker::StoppedAcknowledged { token: Token::new("9") };
    assert_eq!(bench.hears("a", acknowledged), ["worker < stopped acknowledged 9"]);
    assert_eq!(bench.owns("a", &[(2, 2)]), ["a < holds 7"]);
}

#[test]
fn beats_are_split_by_owner() {
    let mut bench = Bench::new("aabb");
    bench.runs("a", "1", 0, 1);
    bench.runs("a", "2", 1, 1);
    bench.runs("b", "3", 2, 1);
    let beat = FromWorker::Beat { tokens: tokens("1 2 3 4") };
    assert_eq!(bench.says(beat), ["a < beat 1 2", "b < beat 3"]);
}

#[test]
fn owners_of_what_was_held_before_are_found_by_the_answer_to_the_first_question() {
    let mut bench = Bench::new("aaaa");
    let held = vec![HeldToken { token: Token::new("old"), job: job(3) }];
    bench.says(FromWorker::Holds { number: 0, held });
    assert_eq!(bench.map("aaab", 1), ["open b"]);
    bench.opened("b");
    assert_eq!(bench.owns("b", &[(3, 2)]), ["b < holds 7"]);
    assert_eq!(bench.says(finish(&Token::new("old"), 3, None)), ["b < finish old"]);
}

#[test]
fn a_session_that_nobody_needs_is_closed_after_a_minute() {
    let mut bench = Bench::new("abab");
    bench.runs("b", "1", 1, 1);
    assert_eq!(bench.waits(59_999), NOTHING);
    assert_eq!(bench.waits(1), ["close a"]);
    assert_eq!(bench.waits(60_000), NOTHING, "something is held at the other one");
    bench.says(finish(&Token::new("1"), 1, None));
    bench.hears("b", acknowledged("1"));
    assert_eq!(bench.waits(100), ["close b"]);
    assert_eq!(bench.claims("2"), ["open a"]);
}

#[test]
fn a_member_that_was_started_anew_is_dialled_anew() {
    let mut bench = Bench::new("aaaa");
    assert_eq!(bench.claims("1"), ["a < claim 1"]);
    assert_eq!(bench.map("aaaa", 2), ["close a", "worker < grants "]);
    assert_eq!(bench.waits(100), ["open a"]);
}

#[test]
fn tries_come_less_and_less_often() {
    let mut bench = Bench::closed();
    bench.map("a", 1);
    let mut gaps = Vec::new();
    for _ in 0..10 {
        bench.closed_by("a");
        let failed = bench.now;
        while bench.waits(10) != ["open a"] {}
        gaps.push(bench.now - failed);
    }
    assert!(gaps[0] <= Duration::from_millis(60), "{gaps:?}");
    assert!(gaps[9] >= Duration::from_millis(2_500), "{gaps:?}");
    assert!(gaps[9] <= Duration::from_millis(5_100), "{gaps:?}");
}

#[test]
fn a_map_without_a_member_takes_nothing_away() {
    let mut bench = Bench::new("aabb");
    bench.runs("a", "1", 1, 1);
    assert_eq!(bench.map("bbbb", 1), NOTHING);
    assert_eq!(
        bench.says(finish(&Token::new("1"), 1, None)),
        ["a < finish 1"],
        "nobody told of a later owner"
    );
    assert_eq!(bench.owns("b", &[(0, 2), (1, 2), (2, 1), (3, 1)]), ["b < holds 7", "b < finish 1"]);
}

#[test]
fn a_link_that_has_too_much_to_say_begins_anew() {
    let mut bench = Bench::closed();
    bench.done();
    for serial in 0..WORDS_MAX {
        let token = serial.to_string();
        assert_eq!(bench.says(stopped(&token, 1)), NOTHING);
    }
    let left = bench.says(stopped("one more", 1));
    assert_eq!(left, ["leave: too many results wait for an owner"]);
}
