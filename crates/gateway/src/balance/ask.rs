//! One request: somebody is chosen and asked, and somebody else when that was in vain, until patience ends.

use std::collections::BTreeSet;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use model::{MemberId, Shard};
use ports::cluster::ClusterMap;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::fate::{Fate, Verdict};
use super::members::{Member, Table, Target, Ticket};
use super::{Balanced, Remote};

/// First pause when everybody was asked in vain, doubled up to [`PAUSE_MAX`]; a newer map ends it. A planned hand-over takes
/// a few of them.
const PAUSE_FIRST: Duration = Duration::from_millis(10);
/// Longest pause: a new owner that is loading is found soon after it can answer.
const PAUSE_MAX: Duration = Duration::from_millis(200);

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'a> {
    pub(super) class: Class,
    pub(super) target: Target<'a>,
    /// Whether it may be done twice.
    pub(super) repeatable: bool,
}

/// As counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    Submit,
    Read,
    Job,
    Policy,
}

impl Class {
    fn as_str(self) -> &'static str {
        match self {
            Class::Submit => "submit",
            Class::Read => "read",
            Class::Job => "job",
            Class::Policy => "policy",
        }
    }
}

impl Balanced {
    /// See the module. `call` is made once for each member that is asked.
    pub(super) async fn ask<T, E: Verdict, F>(
        &self,
        wanted: Wanted<'_>,
        call: impl Fn(Arc<dyn Remote>) -> F,
    ) -> Result<T, E>
    where
        F: Future<Output = Result<T, E>>,
    {
        let mut search = Search::new(self);
        let mut last = None;
        loop {
            while let Some(ticket) = self.choose(wanted, &search.tried) {
                let answer = call(Arc::clone(&ticket.member.remote));
                let answer = self.within_limits(wanted, &ticket.member, answer).await;
                let fate = answer.as_ref().err().map_or(Fate::Answered, Verdict::fate);
                self.heard(wanted.class, &ticket.member, fate);
                match (answer, fate) {
                    (Err(error), Fate::NotDone(_)) => last = Some(error),
                    (Err(error), Fate::Unknown) if wanted.repeatable => last = Some(error),
                    (answer, _) => return answer,
                }
                search.tried.insert(ticket.member.id.clone());
            }
            if !search.goes_on().await {
                return Err(last.unwrap_or_else(E::nobody));
            }
        }
    }

    /// A key for a submit that has none, so that it may be done twice.
    pub(super) async fn new_key<E: Verdict>(&self) -> Result<String, E> {
        let mut search = Search::new(self);
        let seed = self.entropy.nonce();
        loop {
            let algorithm = self.algorithms.get(super::RouteClass::Submit);
            if let Some(key) = self.table().new_key(algorithm, seed, Instant::now()) {
                return Ok(key);
            }
            if !search.goes_on().await {
                return Err(E::nobody());
            }
        }
    }

    /// The table, as the newest map has it.
    pub(super) fn table(&self) -> MutexGuard<'_, Table> {
        // What a panic left behind is whole: entries are replaced, never half written.
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let map = self.maps.borrow().clone();
        table.follow(map.as_ref(), &*self.connect);
        table
    }

    fn choose(&self, wanted: Wanted<'_>, tried: &BTreeSet<MemberId>) -> Option<Ticket> {
        let member = self.table().choose(wanted.target, tried, Instant::now())?;
        let shown = self.metrics.in_flight(&member.id, wanted.class.as_str());
        Some(Ticket::new(member, shown))
    }

    fn heard(&self, class: Class, member: &Arc<Member>, fate: Fate) {
        self.metrics.count(&member.id, class.as_str(), fate.outcome());
        let limits = &self.settings.ejection;
        if self.table().heard(member, fate, Instant::now(), limits) {
            self.metrics.ejected(&member.id);
            tracing::warn!(member = %member.id, "a scheduler is left alone for a while because of its failures");
        }
    }

    /// The answer, unless the member is given up before.
    async fn within_limits<T, E: Verdict>(
        &self,
        wanted: Wanted<'_>,
        member: &Member,
        answer: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        // What may be done twice does not wait for a former owner; what may not ends where it began.
        let shard = self
            .table()
            .shard(wanted.target)
            .filter(|_| wanted.class == Class::Job && wanted.repeatable);
        let limit = (wanted.class == Class::Read).then_some(self.settings.read_limit);
        tokio::select! {
            biased;
            answer = answer => answer,
            () = gone(self.maps.clone(), member, shard, self.settings.grace) => Err(E::given_up(member.id.as_str())),
            () = over(limit) => Err(E::given_up(member.id.as_str())),
        }
    }
}

/// Until the map has a member no more, or another owner for the shard, and then for a grace.
async fn gone(
    mut maps: watch::Receiver<Option<Arc<ClusterMap>>>,
    member: &Member,
    shard: Option<Shard>,
    grace: Duration,
) {
    let is_there = |map: &ClusterMap| {
        let process =
            map.members.iter().any(|one| one.id == member.id && one.nonce == member.nonce);
        process && shard.is_none_or(|shard| map.owners.get(&shard) == Some(&member.id))
    };
    let left = maps.wait_for(|map| map.as_ref().is_some_and(|map| !is_there(map))).await.is_ok();
    match left {
        true => sleep(grace).await,
        // Nobody tells of changes any more.
        false => std::future::pending().await,
    }
}

async fn over(limit: Option<Duration>) {
    match limit {
        Some(limit) => sleep(limit).await,
        None => std::future::pending().await,
    }
}

/// How far the search for somebody is.
struct Search {
    maps: watch::Receiver<Option<Arc<ClusterMap>>>,
    /// Asked in vain since the last pause.
    tried: BTreeSet<MemberId>,
    patience: Duration,
    /// Set by the first failure.
    deadline: Option<Instant>,
    pause: Duration,
}

impl Search {
    fn new(balanced: &Balanced) -> Search {
        let mut maps = balanced.maps.clone();
        maps.mark_unchanged();
        let patience = balanced.settings.patience;
        Search { maps, tried: BTreeSet::new(), patience, deadline: None, pause: PAUSE_FIRST }
    }

    /// Waits for a newer map or a little; then everybody may be asked again. Says no when patience has ended.
    async fn goes_on(&mut self) -> bool {
        let now = Instant::now();
        let left = self.deadline.get_or_insert(now + self.patience).saturating_duration_since(now);
        if left.is_zero() {
            return false;
        }
        let pause = sleep(self.pause.min(left));
        tokio::pin!(pause);
        tokio::select! {
            () = &mut pause => {}
            changed = self.maps.changed() => if changed.is_err() { pause.await },
        }
        self.pause = self.pause.saturating_mul(2).min(PAUSE_MAX);
        self.tried.clear();
        true
    }
}
