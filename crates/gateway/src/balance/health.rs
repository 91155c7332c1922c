//! Whether a member is worth asking: outlier ejection by what its answers were. Pure: the moment is an argument.

use std::time::Duration;

use tokio::time::Instant;

/// When a member is left alone, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ejection {
    /// So many failures one after the other eject a member; one that is not reached at all is ejected at once.
    pub failures_max: u32,
    /// The first ejection; each one after it takes twice as long.
    pub first: Duration,
    /// The longest.
    pub longest: Duration,
}

impl Default for Ejection {
    /// The first is about as long as the cluster needs to notice a death; the longest is short enough that nobody has
    /// to help a member that is well again.
    fn default() -> Ejection {
        Ejection {
            failures_max: 3,
            first: Duration::from_secs(1),
            longest: Duration::from_secs(30),
        }
    }
}

/// What went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Nothing was sent: nobody listens there.
    NotReached,
    /// It broke off, or could not do its work.
    Failed,
}

/// What a failure leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing yet.
    Stays,
    /// It is left alone for a while.
    Ejected,
    /// Even the last one fails, so that nobody is an outlier: all are asked again.
    Pardon,
}

/// The health of one process of a member.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Health {
    /// One after the other.
    failures: u32,
    /// How often it was ejected without having been well for long in between.
    ejections: u32,
    /// The last ejection: its end and how long it was.
    last: Option<(Instant, Duration)>,
}

impl Health {
    pub(super) fn is_ejected(&self, now: Instant) -> bool {
        self.last.is_some_and(|(until, _)| now < until)
    }

    /// It answered. An ejection ends; that there was one is forgotten once it has been over for as long as it was.
    pub(super) fn succeeded(&mut self, now: Instant) {
        self.failures = 0;
        self.pardoned(now);
        let Some((until, length)) = self.last else { return };
        if now >= until + length {
            (self.last, self.ejections) = (None, 0);
        }
    }

    /// It did not. The last healthy one is never ejected.
    pub(super) fn failed(
        &mut self,
        now: Instant,
        trouble: Trouble,
        is_last: bool,
        limits: &Ejection,
    ) -> Verdict {
        self.failures = self.failures.saturating_add(1);
        let enough = trouble == Trouble::NotReached || self.failures >= limits.failures_max;
        match (enough && !self.is_ejected(now), is_last) {
            (false, _) => Verdict::Stays,
            (true, true) => Verdict::Pardon,
            (true, false) => {
                self.eject(now, limits);
                Verdict::Ejected
            }
        }
    }

    /// It may be asked again.
    pub(super) fn pardoned(&mut self, now: Instant) {
        if let Some((until, _)) = &mut self.last {
            *until = (*until).min(now);
        }
    }

    fn eject(&mut self, now: Instant, limits: &Ejection) {
        let length = limits.first.saturating_mul(2_u32.saturating_pow(self.ejections));
        let length = length.min(limits.longest);
        self.last = Some((now + length, length));
        (self.failures, self.ejections) = (0, self.ejections.saturating_add(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Ejection = Ejection {
        failures_max: 3,
        first: Duration::from_secs(1),
        longest: Duration::from_secs(5),
    };

    fn fails(health: &mut Health, now: Instant) -> bool {
        health.failed(now, Trouble::Failed, false, &LIMITS) == Verdict::Ejected
    }

    #[test]
    fn three_failures_in_a_row_eject_and_an_answer_in_between_does_not() {
        let (mut health, now) = (Health::default(), Instant::now());
        assert!(!fails(&mut health, now) && !fails(&mut health, now));
        health.succeeded(now);
        assert!(!fails(&mut health, now) && !fails(&mut health, now));
        assert!(fails(&mut health, now) && health.is_ejected(now));
    }

    #[test]
    fn who_is_not_reached_is_ejected_at_once() {
        let (mut health, now) = (Health::default(), Instant::now());
        let mut not_reached = || health.failed(now, Trouble::NotReached, false, &LIMITS);
        assert_eq!(not_reached(), Verdict::Ejected);
        assert_eq!(not_reached(), Verdict::Stays, "it is ejected already");
    }

    #[test]
    fn the_last_one_is_never_ejected_and_its_failures_bring_the_others_back() {
        let (mut health, mut other, now) = (Health::default(), Health::default(), Instant::now());
        other.failed(now, Trouble::NotReached, false, &LIMITS);
        for _ in 0..10 {
            assert_eq!(health.failed(now, Trouble::NotReached, true, &LIMITS), Verdict::Pardon);
        }
        assert!(!health.is_ejected(now) && other.is_ejected(now));
        other.pardoned(now);
        assert!(!other.is_ejected(now));
    }

    #[test]
    fn ejections_grow_up_to_a_bound_and_are_forgotten_after_a_good_time() {
        let (mut health, mut now) = (Health::default(), Instant::now());
        for seconds in [1, 2, 4, 5, 5] {
            health.failed(now, Trouble::NotReached, false, &LIMITS);
            let length = Duration::from_secs(seconds);
            assert!(health.is_ejected(now + length - Duration::from_millis(1)), "{seconds}");
            now += length;
            assert!(!health.is_ejected(now), "{seconds}");
        }
        health.succeeded(now + Duration::from_secs(4));
        health.failed(now + Duration::from_secs(4), Trouble::NotReached, false, &LIMITS);
        now += Duration::from_secs(4 + 5);
        assert!(!health.is_ejected(now));
        health.succeeded(now + Duration::from_secs(5));
        now += Duration::from_secs(5);
        health.failed(now, Trouble::NotReached, false, &LIMITS);
        assert!(!health.is_ejected(now + Duration::from_secs(1)), "it is short again");
    }

    #[test]
    fn an_answer_ends_an_ejection() {
        let (mut health, now) = (Health::default(), Instant::now());
        health.failed(now, Trouble::NotReached, false, &LIMITS);
        health.succeeded(now);
        assert!(!health.is_ejected(now));
    }
}
