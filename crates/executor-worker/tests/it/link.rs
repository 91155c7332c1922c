//! The link between one worker and several schedulers, which this test plays.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use executor_worker::link::{Link, Schedulers};
use executor_worker::{Ports, Worker};
use files_local::{LocalFiles, SystemClock, SystemEntropy};
use model::{Epoch, MemberId, Nonce, Shard, Timestamp, Token, WorkerId};
use ports::bell::{Bell, Bells, Listener, LocalBells};
use ports::cluster::{ClusterMap, ClusterMaps, MemberView};
use ports::work::{
    FromWorker, Hello, NoScheduler, SESSION_MESSAGES_MAX, Session, ToWorker, WorkSource,
};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::harness::{Bench, DEADLINE, POOL, is_empty, job, script, wait_for};

type MapSender = watch::Sender<Option<Arc<ClusterMap>>>;

/// The last map, whatever became of its sender.
struct Maps(watch::Receiver<Option<Arc<ClusterMap>>>);

impl ClusterMaps for Maps {
    fn watch(&self) -> watch::Receiver<Option<Arc<ClusterMap>>> {
        self.0.clone()
    }
}

/// A scheduler's ends of a session.
struct Peer {
    hello: Hello,
    to_worker: mpsc::Sender<ToWorker>,
    from_worker: mpsc::Receiver<FromWorker>,
}

impl Peer {
    async fn tell(&self, message: ToWorker) {
        self.to_worker.send(message).await.expect("the session lasts");
    }

    async fn heard(&mut self) -> FromWorker {
        timeout(DEADLINE, self.from_worker.recv()).await.expect("in time").expect("it lasts")
    }

    /// Tells what it owns, and waits for the list.
    async fn owns(&mut self, shards: &[(u16, i64)]) -> Vec<Token> {
        let shards = shards.iter().map(|(shard, epoch)| (Shard(*shard), Epoch(*epoch))).collect();
        self.tell(ToWorker::Owns { number: 1, shards }).await;
        loop {
            match self.heard().await {
                FromWorker::Holds { number: 1, held } => {
                    return held.into_iter().map(|held| held.token).collect();
                }
                FromWorker::Claim { pool, .. } => self.answer(&pool).await,
                other => panic!("unexpected: {other:?}"),
            }
        }
    }

    async fn answer(&self, pool: &str) {
        self.tell(ToWorker::Grants { pool: pool.to_owned(), grants: Vec::new() }).await;
    }

    async fn claimed(&mut self) -> Vec<Token> {
        match self.heard().await {
            FromWorker::Claim { tokens, .. } => tokens,
            other => panic!("not a claim: {other:?}"),
        }
    }
}

struct Source(Option<mpsc::Sender<Peer>>);

#[async_trait]
impl WorkSource for Source {
    async fn open(&self, hello: Hello) -> Result<Session, NoScheduler> {
        let refused = || NoScheduler("connection refused".to_owned());
        let (to_scheduler, from_worker) = mpsc::channel(SESSION_MESSAGES_MAX);
        let (to_worker, from_scheduler) = mpsc::channel(SESSION_MESSAGES_MAX);
        let taken = self.0.as_ref().ok_or_else(refused)?;
        taken.send(Peer { hello, to_worker, from_worker }).await.map_err(|_| refused())?;
        Ok(Session { to_scheduler, from_scheduler })
    }
}

struct Addresses(BTreeMap<String, mpsc::Sender<Peer>>);

impl Schedulers for Addresses {
    fn at(&self, address: &str) -> Arc<dyn WorkSource> {
        Arc::new(Source(self.0.get(address).cloned()))
    }
}

/// A link, the schedulers `a` and `b`, and what they are told of each other.
struct Cluster {
    link: Arc<Link>,
    maps: MapSender,
    bells: Arc<LocalBells>,
    peers: BTreeMap<char, mpsc::Receiver<Peer>>,
}

impl Cluster {
    fn new() -> Cluster {
        let (maps, watched) = watch::channel(None);
        let bells = Arc::new(LocalBells::default());
        let (mut addresses, mut peers) = (BTreeMap::new(), BTreeMap::new());
        for letter in ['a', 'b'] {
            let (sender, receiver) = mpsc::channel(SESSION_MESSAGES_MAX);
            addresses.insert(format!("http://{letter}"), sender);
            peers.insert(letter, receiver);
        }
        let link = Link::new(
            Arc::new(Maps(watched)),
            Arc::new(Addresses(addresses)),
            Arc::clone(&bells) as Arc<dyn Bells>,
        );
        Cluster { link: Arc::new(link), maps, bells, peers }
    }

    /// Each letter owns the shard of its place; `c` is there and takes no sessions.
    fn map(&self, owners: &str) {
        let members = owners.chars().collect::<std::collections::BTreeSet<char>>();
        let members = members.into_iter().map(member).collect();
        let named = owners.chars().zip(0..);
        let shards = u16::try_from(owners.chars().count()).expect("few shards");
        let owners = named
            .map(|(letter, shard)| (Shard(shard), MemberId::new(letter.to_string())))
            .collect();
        self.maps.send_replace(Some(Arc::new(ClusterMap {
            shards,
            members,
            owners,
            ..ClusterMap::default()
        })));
    }

    async fn peer(&mut self, letter: char) -> Peer {
        let peers = self.peers.get_mut(&letter).expect("it is there");
        timeout(DEADLINE, peers.recv()).await.expect("a session is opened").expect("it lasts")
    }

    async fn open(&self) -> Session {
        let hello =
            Hello { worker: WorkerId::new("w"), incarnation: 7, pools: vec![POOL.to_owned()] };
        self.link.open(hello).await.expect("somebody is there")
    }
}

fn member(letter: char) -> MemberView {
    MemberView {
        id: MemberId::new(letter.to_string()),
        nonce: Nonce(1),
        address: format!("http://{letter}"),
        succession: 1,
        priority: 0,
        weight: 1,
        store_ok: true,
        draining: false,
        well_since: Timestamp(0),
        held: BTreeMap::new(),
        replica: String::new(),
    }
}

async fn heard(session: &mut Session) -> ToWorker {
    let message = timeout(DEADLINE, session.from_scheduler.recv()).await.expect("in time");
    message.expect("the session lasts")
}

/// The next answer to a claim: how many were granted.
async fn answer(session: &mut Session) -> usize {
    loop {
        if let ToWorker::Grants { grants, .. } = heard(session).await {
            return grants.len();
        }
    }
}

async fn claim(session: &Session, tokens: &[&str]) {
    let tokens = tokens.iter().map(|token| Token::new(*token)).collect();
    let claim = FromWorker::Claim { pool: POOL.to_owned(), tokens };
    session.to_scheduler.send(claim).await.expect("the session lasts");
}

/// Rings in a shard, and waits until the link knows.
async fn ring(cluster: &Cluster, listener: &mut Box<dyn Listener>, shard: u16) {
    cluster.bells.ring(POOL, Shard(shard));
    assert_eq!(heard_pool(listener).await, POOL);
}

async fn heard_pool(listener: &mut Box<dyn Listener>) -> String {
    timeout(DEADLINE, listener.heard()).await.expect("in time").expect("the bells last")
}

#[tokio::test]
async fn a_session_waits_for_a_scheduler_and_says_why_there_is_none() {
    let (unknown, refusing) = (Cluster::new(), Cluster::new());
    refusing.map("c");
    let (unknown, refusing) = tokio::join!(refused(&unknown), refused(&refusing));
    assert!(unknown.contains("no coordinator has told yet who is there"), "{unknown}");
    assert!(refusing.contains("none answers at http://c"), "{refusing}");
}

async fn refused(cluster: &Cluster) -> String {
    let hello = Hello { worker: WorkerId::new("w"), incarnation: 7, pools: vec![] };
    cluster.link.open(hello).await.expect_err("nobody takes a session").to_string()
}

#[tokio::test]
async fn the_first_session_lets_the_worker_in() {
    let mut cluster = Cluster::new();
    let link = Arc::clone(&cluster.link);
    let hello = Hello { worker: WorkerId::new("w"), incarnation: 7, pools: vec![] };
    let opening = tokio::spawn(async move { link.open(hello).await });
    cluster.map("ca");
    assert_eq!(cluster.peer('a').await.hello.incarnation, 7);
    opening.await.expect("no panic").expect("somebody is there");
}

#[tokio::test]
async fn what_one_owner_does_not_grant_another_one_may() {
    let mut cluster = Cluster::new();
    let mut listener = cluster.link.listen(&[POOL.to_owned()]);
    cluster.map("ab");
    let mut session = cluster.open().await;
    let (mut a, mut b) = (cluster.peer('a').await, cluster.peer('b').await);
    ring(&cluster, &mut listener, 1).await;
    claim(&session, &["1", "2"]).await;
    assert_eq!(b.claimed().await.len(), 2);
    b.answer(POOL).await;
    assert_eq!(a.claimed().await.len(), 2);
    let mut grant = Bench::new().grant_of(&Token::new("2"), "shell", "");
    grant.shard = Shard(0);
    a.tell(ToWorker::Grants { pool: POOL.to_owned(), grants: vec![grant] }).await;
    assert_eq!(answer(&mut session).await, 1);
}

#[tokio::test]
async fn a_partly_filled_claim_rings_for_the_rest() {
    let mut cluster = Cluster::new();
    let mut listener = cluster.link.listen(&[POOL.to_owned()]);
    cluster.map("ab");
    let mut session = cluster.open().await;
    let mut a = cluster.peer('a').await;
    ring(&cluster, &mut listener, 0).await;
    claim(&session, &["1", "2"]).await;
    let token = a.claimed().await.remove(0);
    let grant = Bench::new().grant_of(&token, "shell", "");
    a.tell(ToWorker::Grants { pool: POOL.to_owned(), grants: vec![grant] }).await;
    assert_eq!(answer(&mut session).await, 1);
    assert_eq!(heard_pool(&mut listener).await, POOL);
    claim(&session, &["3"]).await;
    let mut b = cluster.peer('b').await;
    assert_eq!(b.claimed().await, [Token::new("3")], "the other one is asked next");
}

#[tokio::test]
async fn a_frozen_scheduler_is_left_and_the_others_give_work() {
    let mut cluster = Cluster::new();
    let mut listener = cluster.link.listen(&[POOL.to_owned()]);
    cluster.map("ab");
    let mut session = cluster.open().await;
    let (mut a, mut b) = (cluster.peer('a').await, cluster.peer('b').await);
    ring(&cluster, &mut listener, 0).await;
    claim(&session, &["1"]).await;
    assert_eq!(a.claimed().await, [Token::new("1")]);
    assert_eq!(answer(&mut session).await, 0);
    timeout(DEADLINE, a.to_worker.closed()).await.expect("it is left");
    ring(&cluster, &mut listener, 1).await;
    claim(&session, &["2"]).await;
    assert_eq!(b.claimed().await, [Token::new("2")]);
    cluster.peer('a').await;
}

#[tokio::test]
async fn sessions_end_with_the_workers() {
    let mut cluster = Cluster::new();
    cluster.map("ab");
    let session = cluster.open().await;
    let (a, b) = (cluster.peer('a').await, cluster.peer('b').await);
    drop(session);
    for peer in [a, b] {
        timeout(DEADLINE, peer.to_worker.closed()).await.expect("nobody needs it");
    }
}

#[tokio::test]
async fn the_worker_follows_its_shard_to_the_next_owner() {
    let mut cluster = Cluster::new();
    let mut bench = Bench::new();
    cluster.map("bb");
    let ports = Ports {
        source: Arc::clone(&cluster.link) as Arc<dyn WorkSource>,
        bells: Arc::clone(&cluster.link) as Arc<dyn Bells>,
        files: Arc::new(LocalFiles::new()),
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
    };
    let shutdown = CancellationToken::new();
    let worker = Worker::start(bench.config.clone(), ports, shutdown.clone());
    let mut b = cluster.peer('b').await;
    assert!(b.owns(&[(0, 1), (1, 1)]).await.is_empty());
    let token = b.claimed().await.remove(0);
    let go = bench.path("go");
    bench.app_file("s.sh", &format!("while [ ! -e {} ]; do sleep 0.01; done", go.display()));
    let mut grant = bench.grant_of(&token, "shell", &script("s.sh", ""));
    grant.shard = job().shard(2);
    b.tell(ToWorker::Grants { pool: POOL.to_owned(), grants: vec![grant] }).await;
    cluster.map("ba");
    let mut a = cluster.peer('a').await;
    assert_eq!(a.owns(&[(1, 2)]).await, std::slice::from_ref(&token));
    drop(b);
    std::fs::write(&go, "").expect("room");
    loop {
        match a.heard().await {
            FromWorker::Finish { token: ended, .. } => break assert_eq!(ended, token),
            FromWorker::Claim { pool, .. } => a.answer(&pool).await,
            _ => {}
        }
    }
    a.tell(ToWorker::FinishAcknowledged { token }).await;
    let spool = bench.path("work/.spool");
    wait_for("the spool is empty", || is_empty(&spool)).await;
    shutdown.cancel();
    worker.await.expect("no panic");
}
