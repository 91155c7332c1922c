//! The tasks around [`Core`]: one for the worker's session, one for each session with a scheduler.
//!
//! The worker's task never waits for a scheduler: one that takes no messages loses its session.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use ports::cluster::ClusterMap;
use ports::work::{FromWorker, Hello, Session, ToWorker, WorkSource};
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tracing::{debug, info, warn};

use super::Schedulers;
use super::core::{Action, Core, Moment, PeerId};

/// How late a time-out may be noticed.
const TICK: Duration = Duration::from_millis(100);
/// Messages that wait for a slow scheduler; one that is slower is left, and told everything anew.
const OUTBOX_MAX: usize = 16_384;
/// Messages that wait for the worker, which reads before it does anything else; one that is slower begins anew.
const INBOX_MAX: usize = 16_384;
/// News of sessions that wait for the task; the sessions wait too when it is full.
const NEWS_MAX: usize = 1_024;

/// The link's ends of the worker's session.
pub(super) struct WorkerEnds {
    pub(super) hello: Hello,
    pub(super) from_worker: mpsc::Receiver<FromWorker>,
    pub(super) to_worker: mpsc::Sender<ToWorker>,
    /// Told when the first scheduler has taken a session.
    pub(super) ready: Option<oneshot::Sender<()>>,
}

/// What the task of a session tells.
enum News {
    Opened,
    Heard(ToWorker),
    Closed(&'static str),
}

/// A session with a scheduler, as the worker's task holds it.
struct Outlet {
    outbox: mpsc::Sender<FromWorker>,
    task: AbortHandle,
}

/// The task of the worker's session.
pub(super) struct Shell {
    core: Core,
    ends: WorkerEnds,
    schedulers: Arc<dyn Schedulers>,
    maps: watch::Receiver<Option<Arc<ClusterMap>>>,
    rings: broadcast::Sender<String>,
    outlets: BTreeMap<PeerId, Outlet>,
    sessions: JoinSet<()>,
    inbox: VecDeque<ToWorker>,
    began: Instant,
}

impl Shell {
    pub(super) fn new(
        core: Core,
        ends: WorkerEnds,
        schedulers: Arc<dyn Schedulers>,
        maps: watch::Receiver<Option<Arc<ClusterMap>>>,
        rings: broadcast::Sender<String>,
    ) -> Shell {
        Shell {
            core,
            ends,
            schedulers,
            maps,
            rings,
            outlets: BTreeMap::new(),
            sessions: JoinSet::new(),
            inbox: VecDeque::new(),
            began: Instant::now(),
        }
    }

    /// Runs until the worker drops its ends, or is to begin anew. All sessions end with it.
    pub(super) async fn run(mut self) {
        let (news, mut heard) = mpsc::channel(NEWS_MAX);
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.maps.mark_changed();
        let mut has_maps = true;
        while self.act(&news) {
            tokio::select! {
                biased;
                _ = ticks.tick() => self.core.tick(self.now()),
                is_there = pass_on(&self.ends.to_worker, &mut self.inbox), if !self.inbox.is_empty() => {
                    if !is_there {
                        return;
                    }
                }
                changed = self.maps.changed(), if has_maps => {
                    has_maps = changed.is_ok();
                    self.take_map();
                }
                message = self.ends.from_worker.recv() => match message {
                    Some(message) => self.core.said(self.now(), message),
                    None => return,
                },
                Some((peer, news)) = heard.recv() => self.take_news(peer, news),
                Some(_) = self.sessions.join_next() => {}
            }
        }
    }

    fn now(&self) -> Moment {
        self.began.elapsed()
    }

    fn take_map(&mut self) {
        let map = self.maps.borrow_and_update().clone();
        if let Some(map) = map {
            self.core.map(self.now(), map);
        }
    }

    fn take_news(&mut self, peer: PeerId, news: News) {
        let now = self.now();
        match news {
            News::Opened => {
                // An error says that the worker has given up, which is noticed by its ends.
                let _given_up = self.ends.ready.take().map(|ready| ready.send(()));
                self.core.opened(now, peer);
            }
            News::Heard(message) => self.core.heard(now, peer, message),
            News::Closed(why) => self.core.closed(now, peer, why),
        }
    }

    /// Does what was decided; false when the worker is to begin anew.
    fn act(&mut self, news: &mpsc::Sender<(PeerId, News)>) -> bool {
        loop {
            let actions = self.core.take_actions();
            if actions.is_empty() {
                return true;
            }
            for action in actions {
                if let Action::Leave(why) = action {
                    warn!(why, "the worker's link begins anew");
                    return false;
                }
                self.perform(action, news);
            }
            if self.inbox.len() > INBOX_MAX {
                warn!("the worker takes no messages, its link begins anew");
                return false;
            }
        }
    }

    fn perform(&mut self, action: Action, news: &mpsc::Sender<(PeerId, News)>) {
        match action {
            Action::Open { peer, address } => self.open(peer, &address, news.clone()),
            Action::Close { peer, why } => {
                if let Some(outlet) = self.outlets.remove(&peer) {
                    debug!(session = peer.0, why, "session with a scheduler is over");
                    outlet.task.abort();
                }
            }
            Action::Send(peer, message) => {
                let outlet = self.outlets.get(&peer);
                if outlet.is_some_and(|outlet| outlet.outbox.try_send(message).is_err()) {
                    self.core.closed(self.now(), peer, "it takes no messages");
                }
            }
            Action::Tell(message) => self.inbox.push_back(message),
            // An error says that nobody listens; the worker asks at its next tick.
            Action::Ring(pool) => drop(self.rings.send(pool)),
            Action::Leave(_) => {}
        }
    }

    fn open(&mut self, peer: PeerId, address: &str, news: mpsc::Sender<(PeerId, News)>) {
        info!(session = peer.0, address, "opening a session with a scheduler");
        let (outbox, messages) = mpsc::channel(OUTBOX_MAX);
        let (source, hello) = (self.schedulers.at(address), self.ends.hello.clone());
        let task = self.sessions.spawn(speak(peer, source, hello, messages, news));
        self.outlets.insert(peer, Outlet { outbox, task });
    }
}

/// Passes on as much as there is room for, at least one message; false when the worker is gone.
async fn pass_on(to_worker: &mpsc::Sender<ToWorker>, inbox: &mut VecDeque<ToWorker>) -> bool {
    let Ok(mut permit) = to_worker.reserve().await else { return false };
    while let Some(message) = inbox.pop_front() {
        permit.send(message);
        match to_worker.try_reserve() {
            Ok(another) => permit = another,
            Err(_) => break,
        }
    }
    true
}

/// A session with one scheduler, from its opening to its end. The worker's task being gone ends it too.
async fn speak(
    peer: PeerId,
    source: Arc<dyn WorkSource>,
    hello: Hello,
    messages: mpsc::Receiver<FromWorker>,
    news: mpsc::Sender<(PeerId, News)>,
) {
    let why = match source.open(hello).await {
        Ok(session) => {
            let _gone = news.send((peer, News::Opened)).await;
            exchange(peer, session, messages, &news).await
        }
        Err(error) => {
            debug!(session = peer.0, %error, "a scheduler takes no session");
            "it took no session"
        }
    };
    let _gone = news.send((peer, News::Closed(why))).await;
}

/// Both ways at once: a scheduler that reads slowly is heard all the same.
async fn exchange(
    peer: PeerId,
    session: Session,
    mut messages: mpsc::Receiver<FromWorker>,
    news: &mpsc::Sender<(PeerId, News)>,
) -> &'static str {
    let Session { to_scheduler, mut from_scheduler } = session;
    let send = async {
        while let Some(message) = messages.recv().await {
            if to_scheduler.send(message).await.is_err() {
                return;
            }
        }
    };
    let hear = async {
        while let Some(message) = from_scheduler.recv().await {
            if news.send((peer, News::Heard(message))).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = send => "it takes no messages",
        () = hear => "it was closed",
    }
}
