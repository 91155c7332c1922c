//! Who hears which ring.

use std::collections::BTreeSet;

use bus_nats::Config;
use model::Shard;
use ports::bell::{Bell, Bells};
use testkit::nats::Nats;

use crate::harness::{PATIENCE, Process, eventually, ring};

#[tokio::test(flavor = "multi_thread")]
async fn a_ring_wakes_exactly_one_of_several_listeners() {
    let nats = Nats::start().expect("nats");
    let scheduler = Process::start(&nats).await;
    let workers =
        [Process::start(&nats).await, Process::start(&nats).await, Process::start(&nats).await];
    let mut ears = workers.each_ref().map(|worker| worker.ears(&["default"]));
    let heard = || workers.iter().map(|worker| worker.metrics.rings_heard()).sum::<u64>();
    for round in 1..=40 {
        scheduler.bells.ring("default", Shard(7));
        eventually("the ring is heard", || heard() >= round).await;
    }
    let (all, quiet) = ears.iter_mut().fold((0, Vec::new()), |(all, mut quiet), ears| {
        let rings = ears.so_far();
        assert!(rings.iter().all(|one| *one == ring("default", 7)), "{rings:?}");
        quiet.push(ears.assert_quiet());
        (all + rings.len(), quiet)
    });
    // A ring that two have heard, or that comes again, would show by now.
    futures::future::join_all(quiet).await;
    assert_eq!((all, heard(), scheduler.metrics.rings_sent()), (40, 40, 40));
}

#[tokio::test(flavor = "multi_thread")]
async fn many_rings_of_one_subject_are_heard_as_one() {
    let nats = Nats::start().expect("nats");
    let process = Process::start(&nats).await;
    for round in 0..50 {
        process.bells.ring("many", Shard(1));
        process.bells.ring("many", Shard(2));
        process.bells.ring("other", Shard(round));
    }
    // Rings leave in order, so that those before the last one are there when it is.
    let mut marker = process.ears(&["marker"]);
    process.bells.ring("marker", Shard(3));
    assert_eq!(marker.next().await, ring("marker", 3));
    let mut ears = process.ears(&["many"]);
    let heard = [ears.next().await, ears.next().await];
    assert!([1, 2].iter().all(|shard| heard.contains(&ring("many", *shard))), "{heard:?}");
    ears.assert_quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rings_of_other_pools_and_other_namespaces_are_not_heard() {
    let nats = Nats::start().expect("nats");
    let process = Process::start(&nats).await;
    let neighbour = Process::start_with(&Config::new(nats.urls(), "neighbour")).await;
    let mut ears = process.ears(&["a"]);
    let mut others = neighbour.ears(&["a"]);
    process.bells.ring("b", Shard(1));
    process.bells.ring("a", Shard(2));
    assert_eq!(ears.next().await, ring("a", 2));
    ears.assert_quiet().await;
    others.assert_quiet().await;
    assert_eq!(process.ears(&["b"]).next().await, ring("b", 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn names_of_pools_arrive_as_they_are() {
    let nats = Nats::start().expect("nats");
    let process = Process::start(&nats).await;
    let long = "ö".repeat(150);
    let pools = ["a.b", "a b", "a%2Eb", "größe", "*", ">", "a/b\\c", "日本", "", &long, "x-Y_9"];
    let mut ears = process.ears(&pools);
    for pool in pools {
        process.bells.ring(pool, Shard(63));
    }
    let mut heard = BTreeSet::new();
    while heard.len() < pools.len() {
        let ring = ears.next().await;
        assert_eq!(ring.shard, Some(Shard(63)));
        // Many bells at a time for one listener: the server may give one out again while it learns that it was heard.
        heard.insert(ring.pool);
    }
    assert_eq!(heard, pools.map(str::to_owned).into());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_await_a_ring_leaves_it_to_the_others() {
    let nats = Nats::start().expect("nats");
    let (busy, free) = (Process::start(&nats).await, Process::start(&nats).await);
    let mut listener = busy.bells.listen(&["p".to_owned(), "q".to_owned()]);
    busy.bells.ring("p", Shard(1));
    let first = tokio::time::timeout(PATIENCE, listener.heard()).await;
    assert_eq!(first.expect("in time").as_deref(), Some("p"));
    let mut ears = free.ears(&["p", "q"]);
    for shard in 2..12 {
        busy.bells.ring("q", Shard(shard));
        assert_eq!(ears.next().await, ring("q", shard));
    }
    assert_eq!(busy.metrics.rings_heard(), 1);
}
