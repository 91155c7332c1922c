//! How a member comes in: its entry is written before anybody counts on it.
//!
//! A member that moves from another replica keeps its lease, its place in the succession and the time since when it is
//! well. Another process under the same name is another member: the old one's entry goes first, as after a death, and what
//! it owned is decided anew in the same write.

use std::sync::Arc;
use std::time::Duration;

use model::Nonce;
use ports::clock::Clock;
use ports::cluster::{Joining, SUSPECT_MS, Vitals};
use ports::election::{Agreement, Election, Entry, NoQuorum, Registered};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, timeout};

use crate::desk::Input;
use crate::replica::Letter;

/// A member that sends no beat right after it joined is not taken in.
const FIRST_BEAT_TIMEOUT: Duration = Duration::from_millis(SUSPECT_MS);
/// Somebody else may write the entry in between; each time it is read again.
const TRIES_MAX: usize = 50;
/// Between two tries, while the old process's entry is removed.
const TRY_INTERVAL: Duration = Duration::from_millis(20);

/// What taking members in needs.
pub(crate) struct Admission {
    replica: String,
    election: Arc<dyn Election>,
    clock: Arc<dyn Clock>,
    mailbox: mpsc::Sender<Letter>,
}

/// A member whose entry is written.
pub(crate) struct Admitted {
    pub(crate) member: Registered,
    pub(crate) modified: i64,
}

impl std::fmt::Debug for Admission {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Admission").field("replica", &self.replica).finish_non_exhaustive()
    }
}

impl Admission {
    pub(crate) fn new(
        replica: String,
        election: Arc<dyn Election>,
        clock: Arc<dyn Clock>,
        mailbox: mpsc::Sender<Letter>,
    ) -> Admission {
        Admission { replica, election, clock, mailbox }
    }

    /// Writes the member's entry.
    pub(crate) async fn admit(
        &self,
        joining: &Joining,
        lease: Option<i64>,
        beats: &mut mpsc::Receiver<Vitals>,
    ) -> Result<Admitted, NoQuorum> {
        let vitals = first_beat(joining, beats).await?;
        self.refuse_doubles(joining).await?;
        for _ in 0..TRIES_MAX {
            let agreement = self.election.read().await?;
            refuse_other_databases(joining, &agreement)?;
            if let Some(admitted) = self.try_once(joining, lease, &vitals, &agreement).await? {
                return Ok(admitted);
            }
            sleep(TRY_INTERVAL).await;
        }
        Err(NoQuorum(format!("the entry of `{}` changes all the time; try again", joining.id)))
    }

    async fn try_once(
        &self,
        joining: &Joining,
        lease: Option<i64>,
        vitals: &Vitals,
        agreement: &Agreement,
    ) -> Result<Option<Admitted>, NoQuorum> {
        let entry = agreement.members.get(&joining.id);
        if let Some(old) = entry.filter(|entry| entry.member.joining.nonce != joining.nonce) {
            let input = Input::Replaced {
                member: joining.id.clone(),
                nonce: old.member.joining.nonce,
                modified: old.modified,
            };
            self.tell(Letter::Input(input)).await?;
            return Ok(None);
        }
        let lease = self.lease(entry.map(|entry| entry.member.lease).or(lease)).await?;
        let member = Registered {
            joining: joining.clone(),
            vitals: Vitals { policy: None, ..vitals.clone() },
            replica: self.replica.clone(),
            lease,
            well_since_ms: self.well_since_ms(entry, vitals),
        };
        let expected = entry.map_or(0, |entry| entry.modified);
        let modified = self.election.register(&member, expected).await?;
        Ok(modified.map(|modified| Admitted { member, modified }))
    }

    /// The lease that the member has, while it lives; else a fresh one.
    async fn lease(&self, known: Option<i64>) -> Result<i64, NoQuorum> {
        match known {
            Some(lease) if self.election.keep_alive(lease).await? => Ok(lease),
            Some(_) | None => self.election.grant_lease().await,
        }
    }

    fn well_since_ms(&self, entry: Option<&Entry>, vitals: &Vitals) -> i64 {
        let is_well = |vitals: &Vitals| vitals.store_ok && !vitals.draining;
        entry
            .filter(|entry| is_well(&entry.member.vitals) && is_well(vitals))
            .map_or_else(|| self.clock.now().as_ms(), |entry| entry.member.well_since_ms)
    }

    /// Two processes under one name would push each other out for ever.
    async fn refuse_doubles(&self, joining: &Joining) -> Result<(), NoQuorum> {
        let (answer, answered) = oneshot::channel::<Option<Nonce>>();
        self.tell(Letter::WhoBeats { id: joining.id.clone(), answer }).await?;
        match answered.await {
            Ok(Some(nonce)) if nonce != joining.nonce => Err(NoQuorum(format!(
                "another process beats here as `{}`; give each scheduler a name of its own",
                joining.id
            ))),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    async fn tell(&self, letter: Letter) -> Result<(), NoQuorum> {
        let stopped = |_| NoQuorum("this coordinator has stopped; join another one".to_owned());
        self.mailbox.send(letter).await.map_err(stopped)
    }
}

/// What a member tells first: an entry without it would say that it has no database.
async fn first_beat(
    joining: &Joining,
    beats: &mut mpsc::Receiver<Vitals>,
) -> Result<Vitals, NoQuorum> {
    let vitals = timeout(FIRST_BEAT_TIMEOUT, beats.recv()).await;
    let vitals = vitals.ok().flatten();
    vitals.ok_or_else(|| {
        NoQuorum(format!("`{}` joined without a beat within {FIRST_BEAT_TIMEOUT:?}", joining.id))
    })
}

/// Members of one cluster share one database, and so its number of shards.
fn refuse_other_databases(joining: &Joining, agreement: &Agreement) -> Result<(), NoQuorum> {
    let other = agreement.members.values().map(|entry| &entry.member.joining);
    match other.filter(|other| other.id != joining.id).find(|other| other.shards != joining.shards)
    {
        Some(other) => Err(NoQuorum(format!(
            "`{}` has a database of {} shards, but `{}` in the same namespace one of {}; use one database, or another namespace",
            joining.id, joining.shards, other.id, other.shards
        ))),
        None => Ok(()),
    }
}
