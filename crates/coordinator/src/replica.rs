//! The shell around the desk: one task that owns it, and short ones that speak with etcd and dial.
//!
//! **Invariants**
//! * The task that owns the desk awaits nothing but its inputs: a slow etcd delays answers, never beats.
//! * A stream is let go by closing its orders; its beats are not read any more.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use model::{MemberId, Nonce};
use ports::clock::Clock;
use ports::cluster::{ClusterMap, CoordinatorApi, Joining, Orders, Vitals, Welcome};
use ports::election::{Agreement, Decision, Election, NoQuorum, Standing};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::AbortHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::desk::{Action, Desk, Input, LinkId, Now, TICK_MS, Written};
use crate::dial::{dial, redial};
use crate::join::Admission;

/// Inputs that wait for the desk: a few hundred members' beats of some ticks. Senders wait when it is full.
const INPUTS_MAX: usize = 4_096;
/// Between two tries to register this replica.
const STAND_INTERVAL: Duration = Duration::from_millis(200);
/// How long a stopping replica waits for etcd to take its entry back; its lease runs out anyway.
const WITHDRAW_TIMEOUT: Duration = Duration::from_secs(1);

/// What an operator says about a replica.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicaConfig {
    /// Its name, different from every other replica's.
    pub name: String,
    /// Where the other replicas see whether it is there: `http://host:port`.
    pub address: String,
}

/// A coordinator replica.
#[derive(Debug)]
pub struct Replica {
    name: String,
    mailbox: mpsc::Sender<Letter>,
    map: watch::Receiver<Option<Arc<ClusterMap>>>,
    links: AtomicU64,
    shutdown: CancellationToken,
    stopped: CancellationToken,
    admission: Admission,
}

/// What comes to the task that owns the desk.
pub(crate) enum Letter {
    /// For the desk.
    Input(Input),
    /// A member joined: its stream.
    Joined {
        input: Input,
        link: LinkId,
        orders: watch::Sender<Option<Orders>>,
        beats: mpsc::Receiver<Vitals>,
    },
    /// Who beats under a name?
    WhoBeats { id: MemberId, answer: oneshot::Sender<Option<Nonce>> },
}

impl Replica {
    /// Starts a replica; it ends with `shutdown`. Must be called inside a tokio runtime; etcd need not be there yet.
    pub fn start(
        config: ReplicaConfig,
        election: Arc<dyn Election>,
        clock: Arc<dyn Clock>,
        shutdown: CancellationToken,
    ) -> Arc<Replica> {
        let (mailbox, letters) = mpsc::channel(INPUTS_MAX);
        let (show, map) = watch::channel(None);
        let stopped = CancellationToken::new();
        let standing = Standing { replica: config.name.clone(), address: config.address };
        tokio::spawn(stand(Arc::clone(&election), standing, shutdown.clone()));
        let began = Instant::now();
        let desk = Desk::new(config.name.clone(), Now { ms: 0, wall: clock.now() });
        let actor = Actor {
            desk,
            began,
            clock: Arc::clone(&clock),
            election: Arc::clone(&election),
            mailbox: mailbox.clone(),
            streams: BTreeMap::new(),
            show,
        };
        tokio::spawn(actor.run(letters, shutdown.clone(), stopped.clone()));
        let admission = Admission::new(config.name.clone(), election, clock, mailbox.clone());
        let links = AtomicU64::new(0);
        Arc::new(Replica { name: config.name, mailbox, map, links, shutdown, stopped, admission })
    }

    /// Waits until it has stopped.
    pub async fn stopped(&self) {
        self.stopped.cancelled().await;
    }
}

#[async_trait]
impl CoordinatorApi for Replica {
    async fn join(
        &self,
        joining: Joining,
        lease: Option<i64>,
        mut beats: mpsc::Receiver<Vitals>,
    ) -> Result<Welcome, NoQuorum> {
        let stopping = || NoQuorum("this coordinator is stopping; join another one".to_owned());
        let admitted = tokio::select! {
            admitted = self.admission.admit(&joining, lease, &mut beats) => admitted?,
            () = self.shutdown.cancelled() => return Err(stopping()),
        };
        let link = LinkId(self.links.fetch_add(1, Ordering::Relaxed));
        let lease = admitted.member.lease;
        let (sender, orders) = watch::channel(None);
        let input = Input::Joined { link, member: admitted.member, modified: admitted.modified };
        let letter = Letter::Joined { input, link, orders: sender, beats };
        self.mailbox.send(letter).await.map_err(|_| stopping())?;
        info!(member = %joining.id, nonce = %joining.nonce, "member joined");
        Ok(Welcome { lease, replica: self.name.clone(), orders })
    }

    fn map(&self) -> watch::Receiver<Option<Arc<ClusterMap>>> {
        self.map.clone()
    }
}

/// Registers this replica as soon as etcd lets it.
async fn stand(election: Arc<dyn Election>, standing: Standing, shutdown: CancellationToken) {
    loop {
        match election.stand(&standing).await {
            Ok(()) => return,
            Err(error) => debug!(%error, "cannot register this coordinator yet"),
        }
        tokio::select! {
            () = sleep(STAND_INTERVAL) => {}
            () = shutdown.cancelled() => return,
        }
    }
}

struct Actor {
    desk: Desk,
    began: Instant,
    clock: Arc<dyn Clock>,
    election: Arc<dyn Election>,
    mailbox: mpsc::Sender<Letter>,
    streams: BTreeMap<LinkId, Stream>,
    show: watch::Sender<Option<Arc<ClusterMap>>>,
}

/// A member's stream: what it is told, and the task that reads its beats.
struct Stream {
    orders: watch::Sender<Option<Orders>>,
    reader: AbortHandle,
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

impl Actor {
    async fn run(
        mut self,
        mut letters: mpsc::Receiver<Letter>,
        shutdown: CancellationToken,
        stopped: CancellationToken,
    ) {
        let mut agreement = self.election.watch();
        agreement.mark_changed();
        let mut ticks = interval(Duration::from_millis(TICK_MS));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut watches = true;
        loop {
            tokio::select! {
                () = shutdown.cancelled() => break,
                letter = letters.recv() => {
                    if let Some(letter) = letter {
                        self.open(letter);
                    }
                }
                changed = agreement.changed(), if watches => {
                    watches = changed.is_ok();
                    let now: Option<Agreement> = agreement.borrow_and_update().clone();
                    self.handle(Input::Agreed(now.filter(|_| watches)));
                }
                _ = ticks.tick() => self.handle(Input::Tick),
            }
        }
        self.handle(Input::Stopping);
        if timeout(WITHDRAW_TIMEOUT, self.election.withdraw()).await.is_err() {
            debug!("etcd did not take this coordinator's entry back; its lease runs out");
        }
        stopped.cancel();
    }

    fn open(&mut self, letter: Letter) {
        match letter {
            Letter::Input(input) => self.handle(input),
            Letter::Joined { input, link, orders, beats } => {
                let reader = tokio::spawn(read(link, beats, self.mailbox.clone()));
                self.streams.insert(link, Stream { orders, reader: reader.abort_handle() });
                self.handle(input);
            }
            // Whoever asked may be gone.
            Letter::WhoBeats { id, answer } => drop(answer.send(self.desk.beats(&id))),
        }
    }

    fn handle(&mut self, input: Input) {
        let ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let actions = self.desk.handle(Now { ms, wall: self.clock.now() }, input);
        actions.into_iter().for_each(|action| self.act(action));
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Publish(map) => drop(self.show.send_replace(Some(map))),
            Action::Order { link, orders } => {
                if let Some(stream) = self.streams.get(&link) {
                    stream.orders.send_replace(Some(orders));
                }
            }
            Action::LetGo { link } => drop(self.streams.remove(&link)),
            Action::Redial { .. }
            | Action::Probe { .. }
            | Action::ProbePeer { .. }
            | Action::KeepAlive { .. }
            | Action::Rewrite { .. }
            | Action::Enlist { .. }
            | Action::Deregister { .. }
            | Action::Decide(_)
            | Action::CopyPolicy(_) => {
                let (election, mailbox) = (Arc::clone(&self.election), self.mailbox.clone());
                tokio::spawn(async move {
                    if let Some(input) = answer(election.as_ref(), action).await {
                        // The replica may have stopped.
                        let _gone = mailbox.send(Letter::Input(input)).await;
                    }
                });
            }
        }
    }
}

/// Does what takes time, and gives the answer for the desk.
async fn answer(election: &dyn Election, action: Action) -> Option<Input> {
    match action {
        Action::Redial { link, address } => {
            Some(Input::Redialled { link, answer: redial(&address).await })
        }
        Action::Probe { member, address } => {
            Some(Input::Probed { member, answer: dial(&address).await })
        }
        Action::ProbePeer { replica, address } => {
            Some(Input::PeerProbed { replica, answer: dial(&address).await })
        }
        Action::KeepAlive { link, lease } => {
            let is_gone = election.keep_alive(lease).await == Ok(false);
            is_gone.then_some(Input::LeaseGone { link })
        }
        Action::Rewrite { link, member, expected } => {
            let written = written(election.register(&member, expected).await);
            Some(Input::Rewritten { link, written })
        }
        Action::Enlist { link, mut member } => {
            let Ok(lease) = election.grant_lease().await else {
                return Some(Input::Rewritten { link, written: Written::Unknown });
            };
            member.lease = lease;
            let written = written(election.register(&member, 0).await);
            Some(Input::Enlisted { link, lease, written })
        }
        Action::Deregister { member, modified } => {
            log_failure("remove a dead member", election.deregister(&member, modified).await);
            None
        }
        Action::Decide(decision) => {
            log_decision(&decision, election.decide(&decision).await);
            Some(Input::Decided)
        }
        Action::CopyPolicy(policy) => {
            log_failure("copy the policy", election.copy_policy(&policy).await);
            Some(Input::PolicyCopied)
        }
        Action::Publish(_) | Action::Order { .. } | Action::LetGo { .. } => None,
    }
}

fn written(answer: Result<Option<i64>, NoQuorum>) -> Written {
    match answer {
        Ok(Some(revision)) => Written::At(revision),
        Ok(None) => Written::Lost,
        Err(_) => Written::Unknown,
    }
}

fn log_failure<T>(what: &str, answer: Result<T, NoQuorum>) {
    if let Err(error) = answer {
        warn!(what, %error, "etcd did not take it, to be tried again");
    }
}

fn log_decision(decision: &Decision, answer: Result<bool, NoQuorum>) {
    let (number, workers) = (decision.decided.number, decision.decided.assignment.workers());
    let dead: Vec<String> = decision.dead.keys().map(ToString::to_string).collect();
    match answer {
        Ok(true) => info!(number, ?workers, ?dead, "decided"),
        Ok(false) => debug!(number, "another coordinator decided first"),
        Err(error) => warn!(number, %error, "cannot decide, to be tried again"),
    }
}

/// Hands a member's beats on until its stream ends.
async fn read(link: LinkId, mut beats: mpsc::Receiver<Vitals>, mailbox: mpsc::Sender<Letter>) {
    while let Some(vitals) = beats.recv().await {
        if mailbox.send(Letter::Input(Input::Beat { link, vitals })).await.is_err() {
            return;
        }
    }
    let _gone = mailbox.send(Letter::Input(Input::Ended { link })).await;
}
