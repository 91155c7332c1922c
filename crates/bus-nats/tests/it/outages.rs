//! NATS dies, freezes, forgets everything, or was never there.

use std::time::{Duration, Instant};

use bus_nats::Config;
use model::Shard;
use ports::bell::Bell;
use testkit::nats::Nats;

use crate::harness::{Ears, Process, eventually};

/// A ring is heard so soon after NATS is back.
const BACK_MAX: Duration = Duration::from_secs(2);
/// The same in a cluster, which first has to elect who keeps the bells.
const CLUSTER_BACK_MAX: Duration = Duration::from_secs(30);
/// How long a frozen server sleeps: too short for anybody to give the connection up.
const FREEZE: Duration = Duration::from_secs(2);
/// Whether NATS is there or not, ringing takes no longer than writing to memory, on a machine that does other things too.
const THOUSAND_RINGS_MAX: Duration = Duration::from_secs(1);

/// Rings much, while nobody can take it.
fn ring_in_vain(process: &Process) {
    let begun = Instant::now();
    for number in 0..1_000 {
        process.bells.ring("p", Shard(number % 64));
    }
    assert!(begun.elapsed() < THOUSAND_RINGS_MAX, "ringing took {:?}", begun.elapsed());
}

async fn check(
    nats: &mut Nats,
    process: &Process,
    ears: &mut Ears,
    fault: Fault,
    back_max: Duration,
) {
    ears.rung_until_heard(&process.bells, "p").await;
    fault(nats, process);
    let took = ears.rung_until_heard(&process.bells, "p").await;
    assert!(took <= back_max, "the first ring was heard after {took:?}");
}

/// Breaks NATS and repairs it.
type Fault = fn(&mut Nats, &Process);

fn restart(nats: &mut Nats, process: &Process) {
    nats.kill();
    ring_in_vain(process);
    nats.start_all().expect("it starts again");
}

fn wipe(nats: &mut Nats, process: &Process) {
    ring_in_vain(process);
    nats.wipe().expect("it starts again");
}

fn freeze(nats: &mut Nats, process: &Process) {
    nats.freeze().expect("it runs");
    ring_in_vain(process);
    std::thread::sleep(FREEZE);
    ring_in_vain(process);
    nats.thaw().expect("it runs");
}

#[tokio::test(flavor = "multi_thread")]
async fn rings_are_heard_again_after_every_fault() {
    let mut nats = Nats::start().expect("nats");
    let process = Process::start(&nats).await;
    let worker = Process::start(&nats).await;
    let mut ears = worker.ears(&["p", "q"]);
    for fault in [restart, freeze, wipe, freeze, restart] {
        check(&mut nats, &process, &mut ears, fault, BACK_MAX).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_rings_on_without_one_of_its_servers_and_after_it_was_wiped() {
    let mut nats = Nats::start_cluster().expect("nats");
    let config = Config { replicas: 3, ..Config::new(nats.urls(), "test") };
    let process = Process::start_with(&config).await;
    let worker = Process::start_with(&config).await;
    let mut ears = worker.ears(&["p"]);
    // Each takes as long as the cluster's elections, some seconds.
    let killed = if std::env::var_os("HOWDAH_LONG").is_some() { 3 } else { 1 };
    for at in 0..killed {
        ears.rung_until_heard(&process.bells, "p").await;
        nats.nodes()[at].kill();
        let took = ears.rung_until_heard(&process.bells, "p").await;
        assert!(took <= CLUSTER_BACK_MAX, "the first ring was heard after {took:?}");
        nats.start_all().expect("it starts again");
    }
    check(&mut nats, &process, &mut ears, wipe, CLUSTER_BACK_MAX).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_server_everything_starts_and_rings_later() {
    let mut nats = Nats::start().expect("nats");
    nats.kill();
    let process = Process::start(&nats).await;
    let mut ears = process.ears(&["p"]);
    assert!(!process.metrics.is_connected());
    ring_in_vain(&process);
    eventually("rings are dropped", || process.metrics.rings_dropped() == 1_000).await;
    nats.start_all().expect("it starts");
    let took = ears.rung_until_heard(&process.bells, "p").await;
    assert!(took <= BACK_MAX, "the first ring was heard after {took:?}");
    assert!(process.metrics.is_connected());
}
