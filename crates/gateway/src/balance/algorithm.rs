//! Who is next: four algorithms over the members that may be asked. Pure but for the small state of [`Picker`].
//!
//! **Invariants**
//! * A member that leaves changes nothing for the others but that they share what was its; one that returns takes its
//!   share again. Nobody's place depends on how many there are.
//! * A member of weight 0 gets nothing, unless all weights are 0: then all count as equal.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Bound;
use std::str::FromStr;

use model::MemberId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How the next member is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Algorithm {
    /// One after the other, by name.
    RoundRobin,
    /// By weight, and evenly in time: a heavy member's turns are spread out.
    #[default]
    WeightedRoundRobin,
    /// The fewest requests under way for its weight; equals take turns by weight.
    LeastConnections,
    /// By weighted rendezvous hashing of the request's key: the same key, the same member. Without a key as
    /// [`Algorithm::WeightedRoundRobin`].
    Hash,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Algorithm; 4] = [
        Algorithm::RoundRobin,
        Algorithm::WeightedRoundRobin,
        Algorithm::LeastConnections,
        Algorithm::Hash,
    ];

    /// Its name in settings and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Algorithm::RoundRobin => "round-robin",
            Algorithm::WeightedRoundRobin => "weighted-round-robin",
            Algorithm::LeastConnections => "least-connections",
            Algorithm::Hash => "hash",
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A word that names no algorithm.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no balancing algorithm; there are round-robin, weighted-round-robin, least-connections and hash"
)]
pub struct NoSuchAlgorithm(pub String);

impl FromStr for Algorithm {
    type Err = NoSuchAlgorithm;

    fn from_str(word: &str) -> Result<Algorithm, NoSuchAlgorithm> {
        let found = Algorithm::ALL.into_iter().find(|one| one.as_str() == word);
        found.ok_or_else(|| NoSuchAlgorithm(word.to_owned()))
    }
}

/// A member that may be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Share<'a> {
    pub(super) id: &'a MemberId,
    pub(super) weight: u32,
    pub(super) in_flight: u64,
}

/// What one class of requests remembers of its choices.
#[derive(Debug, Default)]
pub(super) struct Picker {
    /// Whose turn it was last.
    last: Option<MemberId>,
    /// How far each member is ahead of its share (smooth weighted round robin).
    credits: BTreeMap<MemberId, i64>,
}

impl Picker {
    /// The next one of `shares`; nothing only when there are none.
    pub(super) fn pick<'a>(
        &mut self,
        algorithm: Algorithm,
        shares: &[Share<'a>],
        key: Option<&str>,
    ) -> Option<&'a MemberId> {
        let shares = willing(shares);
        match (algorithm, key) {
            (Algorithm::RoundRobin, _) => self.next_in_turn(&shares),
            (Algorithm::LeastConnections, _) => self.next_by_weight(&least_busy(&shares)),
            (Algorithm::Hash, Some(key)) => highest_score(&shares, key),
            (Algorithm::WeightedRoundRobin, _) | (Algorithm::Hash, None) => {
                self.next_by_weight(&shares)
            }
        }
    }

    /// Forgets members that are gone; who returns begins without credit or debt.
    pub(super) fn retain(&mut self, members: &BTreeSet<MemberId>) {
        self.credits.retain(|id, _| members.contains(id));
    }

    /// The first name behind the last one's, in a ring: it may have left, its place stays.
    fn next_in_turn<'a>(&mut self, shares: &[Share<'a>]) -> Option<&'a MemberId> {
        let names: BTreeSet<&'a MemberId> = shares.iter().map(|share| share.id).collect();
        let behind = self.last.as_ref().and_then(|last| {
            names.range::<MemberId, _>((Bound::Excluded(last), Bound::Unbounded)).next().copied()
        });
        let next = behind.or_else(|| names.first().copied())?;
        self.last = Some(next.clone());
        Some(next)
    }

    /// Everybody earns its weight, the richest is chosen and pays what all earned.
    fn next_by_weight<'a>(&mut self, shares: &[Share<'a>]) -> Option<&'a MemberId> {
        let mut total = 0;
        let mut richest: Option<(&'a MemberId, i64)> = None;
        for share in shares {
            let weight = i64::from(share.weight);
            let credit = self.credits.entry(share.id.clone()).or_default();
            *credit += weight;
            total += weight;
            if richest.is_none_or(|(_, most)| *credit > most) {
                richest = Some((share.id, *credit));
            }
        }
        let (chosen, _) = richest?;
        if let Some(credit) = self.credits.get_mut(chosen) {
            *credit -= total;
        }
        Some(chosen)
    }
}

/// Those with a weight; all as equals when nobody has one.
fn willing<'a>(shares: &[Share<'a>]) -> Vec<Share<'a>> {
    let some: Vec<Share<'a>> = shares.iter().copied().filter(|share| share.weight > 0).collect();
    if some.is_empty() {
        return shares.iter().map(|share| Share { weight: 1, ..*share }).collect();
    }
    some
}

/// Those with the fewest requests under way for their weight.
fn least_busy<'a>(shares: &[Share<'a>]) -> Vec<Share<'a>> {
    let least = shares.iter().min_by(|a, b| by_load(a, b)).copied();
    let equals = |share: &&Share<'a>| least.is_some_and(|one| by_load(share, &one).is_eq());
    shares.iter().filter(equals).copied().collect()
}

/// `a.in_flight / a.weight` against `b`'s, without dividing.
fn by_load(a: &Share<'_>, b: &Share<'_>) -> Ordering {
    let load =
        |one: &Share<'_>, other: &Share<'_>| u128::from(one.in_flight) * u128::from(other.weight);
    load(a, b).cmp(&load(b, a))
}

/// Weighted rendezvous: each member draws from an exponential distribution whose rate is its weight; the drawing depends
/// on the key and the member alone, so that a change of one member moves only the keys it wins or had won.
fn highest_score<'a>(shares: &[Share<'a>], key: &str) -> Option<&'a MemberId> {
    let score = |share: &Share<'_>| -f64::from(share.weight) / uniform(key, share.id).ln();
    let best =
        shares.iter().max_by(|a, b| score(a).total_cmp(&score(b)).then_with(|| b.id.cmp(a.id)));
    best.map(|share| share.id)
}

/// A number between 0 and 1, both excluded, for a key and a member.
fn uniform(key: &str, member: &MemberId) -> f64 {
    // 52 bits and the middle of the step: neither 0 nor 1 can come out.
    const BITS: u32 = 52;
    let text = [key.as_bytes(), &[0xff], member.as_str().as_bytes()].concat();
    let step = mixed(fnv1a(&text)) >> (u64::BITS - BITS);
    (step as f64 + 0.5) / (1_u64 << BITS) as f64
}

/// Spreads every bit of a hash over all of them: FNV alone leaves similar names close together.
fn mixed(hash: u64) -> u64 {
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

/// FNV-1a, 64 bits: what schedulers choose the shard of an idempotency key by.
pub(super) fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    const PICKS: usize = 10_000;
    /// Requests that are under way at the same time in the tests of least connections.
    const AT_ONCE: usize = 200;

    /// A class of requests in front of members whose answers take a while.
    #[derive(Default)]
    struct Bench {
        picker: Picker,
        under_way: VecDeque<MemberId>,
    }

    impl Bench {
        /// How many of 10 000 requests each of these members gets.
        fn run(&mut self, algorithm: Algorithm, members: &[(&str, u32)]) -> Vec<usize> {
            let ids: Vec<MemberId> = members.iter().map(|(id, _)| MemberId::new(*id)).collect();
            self.picker.retain(&ids.iter().cloned().collect());
            self.under_way.retain(|id| ids.contains(id));
            let (mut counts, mut busy) = (vec![0; members.len()], BTreeMap::new());
            for id in &self.under_way {
                *busy.entry(id.clone()).or_insert(0) += 1;
            }
            for number in 0..PICKS {
                let share = |(id, (_, weight)): (_, &(&str, u32))| {
                    let in_flight = busy.get(id).copied().unwrap_or(0);
                    Share { id, weight: *weight, in_flight }
                };
                let shares: Vec<Share<'_>> = ids.iter().zip(members).map(share).collect();
                let key = format!("key-{number}");
                let chosen = self.picker.pick(algorithm, &shares, Some(&key)).unwrap().clone();
                counts[ids.iter().position(|id| *id == chosen).unwrap()] += 1;
                *busy.entry(chosen.clone()).or_insert(0) += 1;
                self.under_way.push_back(chosen);
                if self.under_way.len() > AT_ONCE {
                    let ended = self.under_way.pop_front().unwrap();
                    *busy.get_mut(&ended).unwrap() -= 1;
                }
            }
            counts
        }
    }

    /// All are there, the last one leaves, it returns: three times 10 000 requests.
    #[track_caller]
    fn check(algorithm: Algorithm, members: &[(&str, u32)], shares_permille: &[&[usize]; 3]) {
        let mut bench = Bench::default();
        let fewer = &members[..members.len() - 1];
        for (members, expected) in [members, fewer, members].into_iter().zip(shares_permille) {
            let counts = bench.run(algorithm, members);
            let slack = match algorithm {
                // Three standard deviations of a half.
                Algorithm::Hash => 150,
                // Two requests more or less of those under way are a percent of them, and so of all.
                Algorithm::LeastConnections => 100,
                Algorithm::RoundRobin | Algorithm::WeightedRoundRobin => 10,
            };
            for (count, share) in counts.iter().zip(*expected) {
                let exact = share * PICKS / 1_000;
                assert!(
                    count.abs_diff(exact) <= slack,
                    "{algorithm} over {members:?}: {counts:?}, expected {expected:?} permille"
                );
            }
            assert_eq!(counts.iter().sum::<usize>(), PICKS);
        }
    }

    #[test]
    fn two_equal_members_take_halves_the_survivor_all_and_then_halves_again() {
        for algorithm in Algorithm::ALL {
            check(algorithm, &[("a", 1), ("b", 1)], &[&[500, 500], &[1000], &[500, 500]]);
        }
    }

    #[test]
    fn three_equal_members_take_thirds_and_two_of_them_halves() {
        let thirds: &[usize] = &[333, 333, 333];
        for algorithm in Algorithm::ALL {
            let members = [("a", 10), ("b", 10), ("c", 10)];
            check(algorithm, &members, &[thirds, &[500, 500], thirds]);
        }
    }

    #[test]
    fn unequal_members_share_by_weight_but_for_plain_round_robin() {
        for algorithm in
            [Algorithm::WeightedRoundRobin, Algorithm::LeastConnections, Algorithm::Hash]
        {
            check(algorithm, &[("a", 3), ("b", 1)], &[&[750, 250], &[1000], &[750, 250]]);
            let all: &[usize] = &[500, 300, 200];
            check(algorithm, &[("a", 5), ("b", 3), ("c", 2)], &[all, &[625, 375], all]);
        }
        let halves: &[usize] = &[500, 500];
        check(Algorithm::RoundRobin, &[("a", 3), ("b", 1)], &[halves, &[1000], halves]);
    }

    #[test]
    fn weight_zero_gets_nothing_unless_all_have_it() {
        for algorithm in Algorithm::ALL {
            check(algorithm, &[("a", 1), ("b", 0)], &[&[1000, 0], &[1000], &[1000, 0]]);
            check(algorithm, &[("a", 0), ("b", 0)], &[&[500, 500], &[1000], &[500, 500]]);
        }
    }

    /// The members that are chosen one after the other.
    fn sequence(
        picker: &mut Picker,
        algorithm: Algorithm,
        members: &[(&str, u32)],
        n: usize,
    ) -> String {
        let ids: Vec<MemberId> = members.iter().map(|(id, _)| MemberId::new(*id)).collect();
        let shares: Vec<Share<'_>> = ids
            .iter()
            .zip(members)
            .map(|(id, (_, weight))| Share { id, weight: *weight, in_flight: 0 })
            .collect();
        (0..n).map(|_| picker.pick(algorithm, &shares, None).unwrap().as_str()).collect()
    }

    #[test]
    fn round_robin_goes_on_behind_the_one_that_left() {
        let mut picker = Picker::default();
        let all = [("a", 1), ("b", 1), ("c", 1)];
        assert_eq!(sequence(&mut picker, Algorithm::RoundRobin, &all, 5), "abcab");
        assert_eq!(sequence(&mut picker, Algorithm::RoundRobin, &[("a", 1), ("c", 1)], 3), "cac");
        assert_eq!(sequence(&mut picker, Algorithm::RoundRobin, &all, 3), "abc");
    }

    #[test]
    fn turns_of_a_heavy_member_are_spread_out() {
        let members = [("a", 5), ("b", 1), ("c", 1)];
        for algorithm in
            [Algorithm::WeightedRoundRobin, Algorithm::LeastConnections, Algorithm::Hash]
        {
            let turns = sequence(&mut Picker::default(), algorithm, &members, 14);
            assert_eq!(turns, "aabacaaaabacaa", "{algorithm}");
        }
    }

    #[test]
    fn the_least_busy_for_its_weight_is_next() {
        let (a, b) = (MemberId::new("a"), MemberId::new("b"));
        for (busy_a, weight_a, busy_b, weight_b, expected) in [
            (1, 1, 0, 1, "b"),
            (0, 1, 1, 1, "a"),
            (3, 4, 1, 1, "a"),
            (4, 4, 0, 1, "b"),
            (u64::MAX, u32::MAX, u64::MAX - 1, u32::MAX, "b"),
        ] {
            let shares = [
                Share { id: &a, weight: weight_a, in_flight: busy_a },
                Share { id: &b, weight: weight_b, in_flight: busy_b },
            ];
            let chosen = Picker::default().pick(Algorithm::LeastConnections, &shares, None);
            assert_eq!(chosen.unwrap().as_str(), expected, "{shares:?}");
        }
    }

    fn homes(members: &[(&str, u32)]) -> Vec<String> {
        let ids: Vec<MemberId> = members.iter().map(|(id, _)| MemberId::new(*id)).collect();
        let shares: Vec<Share<'_>> = ids
            .iter()
            .zip(members)
            .map(|(id, (_, weight))| Share { id, weight: *weight, in_flight: 0 })
            .collect();
        let home = |number| {
            let key = format!("{number:07}-261122144400000-howdah-W");
            Picker::default().pick(Algorithm::Hash, &shares, Some(&key)).unwrap().to_string()
        };
        (0..PICKS).map(home).collect()
    }

    #[test]
    fn only_the_keys_of_the_one_that_leaves_move_and_they_come_back() {
        for members in [[("a", 1), ("b", 1), ("c", 1)], [("a", 1), ("b", 5), ("c", 2)]] {
            let (all, fewer) = (homes(&members), homes(&[members[0], members[2]]));
            for (before, after) in all.iter().zip(&fewer) {
                assert!(before == after || before == "b", "{before} moved to {after}");
            }
            assert!(fewer.iter().all(|home| home != "b"));
            assert_eq!(homes(&members), all);
        }
    }

    #[test]
    fn nobody_is_chosen_from_nobody() {
        for algorithm in Algorithm::ALL {
            assert_eq!(Picker::default().pick(algorithm, &[], Some("key")), None);
        }
    }

    #[test]
    fn names_of_algorithms_are_read_and_shown_alike() {
        for algorithm in Algorithm::ALL {
            assert_eq!(algorithm.as_str().parse(), Ok(algorithm));
            assert_eq!(serde_json::to_value(algorithm).unwrap(), algorithm.as_str());
        }
        assert_eq!("fair".parse::<Algorithm>(), Err(NoSuchAlgorithm("fair".to_owned())));
    }
}
