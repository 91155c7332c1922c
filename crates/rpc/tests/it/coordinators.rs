//! Members and coordinators: beats, orders, maps, and coordinators that refuse, freeze and die.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc as threads;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use model::{MemberId, Nonce};
use ports::clock::Entropy;
use ports::cluster::{
    BEAT_INTERVAL_MS, ClusterMap, ClusterMaps, CoordinatorApi, DEAD_MS, Joining, Membership,
    Orders, SILENCE_MS, Vitals, Welcome,
};
use ports::election::NoQuorum;
use rpc::{MembershipClient, serve_coordinator};
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::double::{PATIENCE, free_port, silent_port, soon};
use crate::generated::{self, samples};

/// Always the first coordinator first, and the shortest waits.
struct Zero;

impl Entropy for Zero {
    fn nonce(&self) -> Nonce {
        Nonce(0)
    }
}

/// What a coordinator saw of a member that joined.
struct Seen {
    joining: Joining,
    lease: Option<i64>,
    beats: mpsc::Receiver<Vitals>,
    orders: watch::Sender<Option<Orders>>,
}

struct Double {
    lease: Option<i64>,
    joined: mpsc::Sender<Seen>,
    map: watch::Sender<Option<Arc<ClusterMap>>>,
}

#[async_trait]
impl CoordinatorApi for Double {
    async fn join(
        &self,
        joining: Joining,
        lease: Option<i64>,
        beats: mpsc::Receiver<Vitals>,
    ) -> Result<Welcome, NoQuorum> {
        let (orders, known) = watch::channel(None);
        self.joined.send(Seen { joining, lease, beats, orders }).await.unwrap();
        let granted = self.lease.ok_or_else(|| NoQuorum("it is away".to_owned()))?;
        let lease = lease.unwrap_or(granted);
        Ok(Welcome { lease, replica: format!("c{granted}"), orders: known })
    }

    fn map(&self) -> watch::Receiver<Option<Arc<ClusterMap>>> {
        self.map.subscribe()
    }
}

/// A runtime that ends all at once.
struct Process(Option<Runtime>);

impl Drop for Process {
    fn drop(&mut self) {
        self.0.take().unwrap().shutdown_background();
    }
}

/// A coordinator with a runtime of its own, so that it can freeze and die as a process does.
struct Coordinator {
    address: String,
    process: Process,
    joined: mpsc::Receiver<Seen>,
    map: watch::Sender<Option<Arc<ClusterMap>>>,
    shutdown: CancellationToken,
}

impl Coordinator {
    /// One that grants this lease; without one it refuses whoever joins.
    fn new(lease: Option<i64>) -> Coordinator {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let (listener, address) = std::thread::scope(|scope| {
            scope.spawn(|| runtime.block_on(free_port())).join().unwrap()
        });
        let (sender, joined) = mpsc::channel(8);
        let map = watch::Sender::new(None);
        let double = Arc::new(Double { lease, joined: sender, map: map.clone() });
        let shutdown = CancellationToken::new();
        runtime.spawn(serve_coordinator(listener, double, shutdown.clone()));
        let process = Process(Some(runtime));
        Coordinator { address: url(address), process, joined, map, shutdown }
    }

    async fn member(&mut self) -> Seen {
        soon("a member that joins", self.joined.recv()).await.unwrap()
    }

    /// Its only thread stands still until what comes back is dropped.
    fn freeze(&self) -> threads::SyncSender<()> {
        let (thaw, frozen) = threads::sync_channel(0);
        self.process.0.as_ref().unwrap().spawn(async move {
            let _thawed = frozen.recv_timeout(PATIENCE);
        });
        thaw
    }

    /// All its connections end, and its port refuses.
    fn kill(self) {
        drop(self.process);
    }
}

fn url(address: SocketAddr) -> String {
    format!("http://{address}")
}

fn membership(addresses: &[&str]) -> MembershipClient {
    let addresses: Vec<String> = addresses.iter().map(|&one| one.to_owned()).collect();
    MembershipClient::new(&addresses, Arc::new(Zero)).unwrap()
}

fn joining() -> Joining {
    Joining {
        id: MemberId::new("s1"),
        nonce: Nonce(u64::MAX),
        address: "http://s1:1".to_owned(),
        priority: -5,
        weight: 3,
        shards: 64,
    }
}

fn turning() -> Vitals {
    Vitals { turning: true, store_ok: true, ..Vitals::default() }
}

fn some_orders(revision: i64) -> Orders {
    samples(generated::orders(revision), 1).pop().unwrap()
}

fn some_map(revision: i64) -> ClusterMap {
    ClusterMap { revision, ..samples(generated::map(), 1).pop().unwrap() }
}

/// A member's own end.
struct Member {
    vitals: watch::Sender<Vitals>,
    orders: watch::Receiver<Option<Orders>>,
}

impl Member {
    fn joins(addresses: &[&str]) -> Member {
        let (vitals, told) = watch::channel(turning());
        Member { vitals, orders: membership(addresses).join(joining(), told) }
    }

    async fn ordered(&mut self, orders: &Orders) {
        let what = "the member's orders";
        soon(what, self.orders.wait_for(|known| known.as_ref() == Some(orders))).await.unwrap();
    }
}

#[tokio::test]
async fn a_member_introduces_itself_and_beats_every_tenth_of_a_second() {
    let mut coordinator = Coordinator::new(Some(1));
    let _member = Member::joins(&[&coordinator.address]);
    let mut seen = coordinator.member().await;
    assert_eq!((seen.joining, seen.lease), (joining(), None));
    assert_eq!(soon("a beat", seen.beats.recv()).await, Some(turning()));
    let began = Instant::now();
    for _ in 0..10 {
        assert_eq!(soon("a beat", seen.beats.recv()).await, Some(turning()));
    }
    let mean_ms = began.elapsed().as_millis() / 10;
    assert!((80..=150).contains(&mean_ms), "a beat every {mean_ms} ms");
}

#[tokio::test]
async fn vitals_arrive_as_they_are_and_at_once() {
    let mut coordinator = Coordinator::new(Some(1));
    let member = Member::joins(&[&coordinator.address]);
    let mut seen = coordinator.member().await;
    let began = Instant::now();
    let all = samples(generated::vitals(), 50);
    for vitals in &all {
        member.vitals.send_replace(vitals.clone());
        while soon("a beat", seen.beats.recv()).await.as_ref() != Some(vitals) {}
    }
    let slowest = Duration::from_millis(BEAT_INTERVAL_MS) * 50;
    assert!(began.elapsed() < slowest / 2, "they waited for the next beat: {:?}", began.elapsed());
}

#[tokio::test]
async fn a_member_that_does_not_turn_is_silent_and_stays_joined() {
    let mut coordinator = Coordinator::new(Some(1));
    let mut member = Member::joins(&[&coordinator.address]);
    let mut seen = coordinator.member().await;
    assert_eq!(soon("a beat", seen.beats.recv()).await, Some(turning()));
    member.vitals.send_replace(Vitals { turning: false, ..turning() });
    let quiet = Duration::from_millis(SILENCE_MS);
    while tokio::time::timeout(quiet, seen.beats.recv()).await.is_ok_and(|beat| {
        assert!(beat.expect("the stream stays").turning);
        true
    }) {}
    seen.orders.send_replace(Some(some_orders(4)));
    member.ordered(&some_orders(4)).await;
    member.vitals.send_replace(turning());
    assert_eq!(soon("a beat", seen.beats.recv()).await, Some(turning()));
}

#[tokio::test]
async fn orders_arrive_as_they_are_and_older_ones_are_not_believed() {
    let mut coordinator = Coordinator::new(Some(1));
    let mut member = Member::joins(&[&coordinator.address]);
    let seen = coordinator.member().await;
    for revision in 10..30 {
        let orders = samples(generated::orders(revision), 20).swap_remove((revision - 10) as usize);
        seen.orders.send_replace(Some(orders.clone()));
        member.ordered(&orders).await;
    }
    coordinator.kill();

    let mut other = Coordinator::new(Some(2));
    let mut member = Member::joins(&[&other.address]);
    let seen = other.member().await;
    seen.orders.send_replace(Some(some_orders(20)));
    member.ordered(&some_orders(20)).await;
    let same_revision = Orders { revision: 20, ..Orders::default() };
    seen.orders.send_replace(Some(same_revision.clone()));
    member.ordered(&same_revision).await;
    seen.orders.send_replace(Some(some_orders(19)));
    // A newer word of the coordinator's, so that the older one was certainly heard before it.
    soon("the pulse after", wait_for_beats(seen.beats, 3)).await;
    assert_eq!(*member.orders.borrow(), Some(same_revision));
    seen.orders.send_replace(Some(some_orders(21)));
    member.ordered(&some_orders(21)).await;
}

async fn wait_for_beats(mut beats: mpsc::Receiver<Vitals>, count: usize) {
    for _ in 0..count {
        beats.recv().await.unwrap();
    }
}

#[tokio::test]
async fn a_frozen_coordinator_is_left_for_the_next_with_the_same_lease() {
    let mut first = Coordinator::new(Some(77));
    let mut second = Coordinator::new(Some(88));
    let mut member = Member::joins(&[&first.address, &second.address]);
    let mut seen = first.member().await;
    seen.orders.send_replace(Some(some_orders(5)));
    member.ordered(&some_orders(5)).await;
    assert!(soon("a beat", seen.beats.recv()).await.is_some());

    let thaw = first.freeze();
    let began = Instant::now();
    let next = second.member().await;
    let took = began.elapsed();
    assert_eq!((next.joining, next.lease), (joining(), Some(77)));
    let (shortest, longest) = (SILENCE_MS - 2 * BEAT_INTERVAL_MS, DEAD_MS);
    assert!(took >= Duration::from_millis(shortest), "left after {took:?}");
    assert!(took < Duration::from_millis(longest), "left after {took:?}");
    assert_eq!(*member.orders.borrow(), Some(some_orders(5)));

    next.orders.send_replace(Some(some_orders(6)));
    member.ordered(&some_orders(6)).await;
    drop(thaw);
    soon("the end of the first stream", async { while seen.beats.recv().await.is_some() {} }).await;
}

/// As the kernel does for a stopped process: the connection is made, and nobody answers.
#[tokio::test]
async fn a_coordinator_that_was_frozen_before_is_passed_by() {
    let (_listener, address) = free_port().await;
    let mut second = Coordinator::new(Some(88));
    let began = Instant::now();
    let _member = Member::joins(&[&url(address), &second.address]);
    second.member().await;
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(SILENCE_MS), "left after {took:?}");
    assert!(took < Duration::from_millis(DEAD_MS), "left after {took:?}");
}

#[tokio::test]
async fn a_dead_coordinator_is_left_at_once_and_losing_all_keeps_the_last_orders() {
    let mut first = Coordinator::new(Some(77));
    let mut second = Coordinator::new(Some(88));
    let (third, address) = silent_port();
    let mut member = Member::joins(&[&first.address, &second.address, &url(address)]);
    let seen = first.member().await;
    seen.orders.send_replace(Some(some_orders(5)));
    member.ordered(&some_orders(5)).await;
    first.kill();
    assert_eq!(second.member().await.lease, Some(77));
    second.kill();

    assert_eq!(*member.orders.borrow_and_update(), Some(some_orders(5)));
    let (joined, mut members) = mpsc::channel(8);
    let double = Double { lease: Some(99), joined, map: watch::Sender::new(None) };
    let listener = third.listen(8).unwrap();
    tokio::spawn(serve_coordinator(listener, Arc::new(double), CancellationToken::new()));
    let seen = soon("the member comes back", members.recv()).await.unwrap();
    assert_eq!(seen.lease, Some(77));
    assert!(!member.orders.has_changed().unwrap(), "orders changed while nobody gave any");
}

#[tokio::test]
async fn a_coordinator_that_refuses_or_stops_is_left_for_the_next() {
    let mut refuses = Coordinator::new(None);
    let mut stops = Coordinator::new(Some(77));
    let mut third = Coordinator::new(Some(88));
    let addresses = [refuses.address.as_str(), &stops.address, &third.address];
    let _member = Member::joins(&addresses);
    assert_eq!(refuses.member().await.lease, None);
    let mut seen = stops.member().await;
    assert!(soon("a beat", seen.beats.recv()).await.is_some());
    stops.shutdown.cancel();
    assert_eq!(third.member().await.lease, Some(77));
    soon("the end of the stream", async { while seen.beats.recv().await.is_some() {} }).await;
}

#[tokio::test]
async fn a_member_that_is_no_more_ends_its_stream() {
    let mut coordinator = Coordinator::new(Some(1));
    let member = Member::joins(&[&coordinator.address]);
    let mut seen = coordinator.member().await;
    drop(member.vitals);
    soon("the end of the stream", async { while seen.beats.recv().await.is_some() {} }).await;

    let member = Member::joins(&[&coordinator.address]);
    let mut seen = coordinator.member().await;
    drop(member.orders);
    soon("the end of the stream", async { while seen.beats.recv().await.is_some() {} }).await;
}

async fn mapped(maps: &mut watch::Receiver<Option<Arc<ClusterMap>>>, map: &ClusterMap) {
    let what = "the map of the cluster";
    soon(what, maps.wait_for(|known| known.as_deref() == Some(map))).await.unwrap();
}

#[tokio::test]
async fn maps_arrive_as_they_are() {
    let coordinator = Coordinator::new(Some(1));
    let client = membership(&[&coordinator.address]);
    let mut maps = client.watch();
    assert_eq!(*maps.borrow(), None);
    for map in samples(generated::map(), 30) {
        coordinator.map.send_replace(Some(Arc::new(map.clone())));
        mapped(&mut maps, &map).await;
        mapped(&mut client.watch(), &map).await;
    }
}

#[tokio::test]
async fn the_map_survives_a_coordinator_that_dies_or_freezes() {
    let coordinators =
        [Coordinator::new(Some(1)), Coordinator::new(Some(2)), Coordinator::new(Some(3))];
    let addresses = coordinators.each_ref().map(|one| one.address.as_str());
    let mut maps = membership(&addresses).watch();
    let [first, second, third] = coordinators;
    first.map.send_replace(Some(Arc::new(some_map(7))));
    mapped(&mut maps, &some_map(7)).await;
    first.kill();
    let kept = maps.borrow().clone();
    assert_eq!(kept.as_deref(), Some(&some_map(7)));
    second.map.send_replace(Some(Arc::new(ClusterMap { last_failover: None, ..some_map(8) })));
    mapped(&mut maps, &ClusterMap { last_failover: None, ..some_map(8) }).await;
    let _thaw = second.freeze();
    let began = Instant::now();
    third.map.send_replace(Some(Arc::new(some_map(9))));
    mapped(&mut maps, &some_map(9)).await;
    assert!(began.elapsed() < Duration::from_secs(4), "took {:?}", began.elapsed());
}

#[test]
fn addresses_are_looked_at() {
    let entropy = || Arc::new(Zero);
    assert!(MembershipClient::new(&[], entropy()).is_err());
    let bad = ["http://a:1".to_owned(), "b".to_owned()];
    assert_eq!(MembershipClient::new(&bad, entropy()).unwrap_err().address, "b");
}
