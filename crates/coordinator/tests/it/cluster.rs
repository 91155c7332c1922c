//! A cluster on a real etcd: three replicas, schedulers that own shards.

use std::time::Duration;

use engine::placement::{Mode, Policy, Works};
use model::Epoch;
use testkit::etcd::Etcd;

use crate::world::{Member, SHARDS, Setup, World, timed};

const ALL: usize = SHARDS as usize;
const HALF: usize = ALL / 2;

async fn world() -> World {
    World::start(Etcd::start().unwrap()).await
}

fn balanced() -> Policy {
    Policy { mode: Mode::LoadBalanced, failback_after_ms: 300, move_gap_ms: 0, ..Policy::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_to_register_leads_and_a_crash_is_answered_at_once() {
    let world = world().await;
    let mut a = Member::start(&world, "a", Setup::default()).await;
    world.owned(&[("a", ALL)]).await;
    let _b = Member::start(&world, "b", Setup { first: 1, ..Setup::default() }).await;
    world.shows("both members", |map| map.members.len() == 2).await;
    let owner = |name: &'static str| {
        world.shows("another owner", move |map| {
            map.owners.len() == ALL && map.owners.values().all(|owner| owner.as_str() == name)
        })
    };

    a.crash();

    let took = timed(owner("b")).await;
    assert!(took < Duration::from_secs(2), "{took:?}");
    world.owned(&[("b", ALL)]).await;
    let map = world.map(2).borrow().clone().unwrap();
    let failover = map.last_failover.clone().unwrap();
    assert_eq!(failover.noticed_by, "refused redial");
    assert!(failover.lost.contains("a") && failover.lost.len() == 1, "{failover:?}");
    assert!(world.database.epochs().values().all(|epoch| *epoch == Epoch(2)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_member_is_replaced_and_comes_back_as_a_standby() {
    let world = world().await;
    let a = Member::start(&world, "a", Setup::default()).await;
    world.owned(&[("a", ALL)]).await;
    let _b = Member::start(&world, "b", Setup { first: 1, ..Setup::default() }).await;
    world.shows("both members", |map| map.members.len() == 2).await;

    a.freeze();
    world.owned(&[("b", ALL)]).await;
    let failover = world.map(0).borrow().clone().unwrap().last_failover.clone().unwrap();
    assert_eq!(failover.noticed_by, "silence");
    assert!((1_000..5_000).contains(&failover.took_ms), "{failover:?}");

    a.thaw();
    world.shows("both members again", |map| map.members.len() == 2).await;
    world.owned(&[("b", ALL)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_moves_with_its_lease_when_its_replica_stops_and_nobody_fails_over() {
    let world = world().await;
    let _a = Member::start(&world, "a", Setup::default()).await;
    world.owned(&[("a", ALL)]).await;
    let _b = Member::start(&world, "b", Setup { first: 1, ..Setup::default() }).await;
    world.shows("both members", |map| map.members.len() == 2).await;
    let succession = world.map(2).borrow().clone().unwrap().members[0].succession;

    world.stop_replica(0).await;

    world
        .shows("a at another replica", |map| {
            map.replicas.len() == 2
                && map.members[0].replica != "c0"
                && map.members[0].succession == succession
        })
        .await;
    world.owned(&[("a", ALL)]).await;
    assert!(world.map(1).borrow().clone().unwrap().last_failover.is_none());
    assert!(world.database.epochs().values().all(|epoch| *epoch == Epoch(1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_and_its_member_that_die_together_are_noticed_by_the_others() {
    let world = world().await;
    let mut a = Member::start(&world, "a", Setup::default()).await;
    world.owned(&[("a", ALL)]).await;
    let _b = Member::start(&world, "b", Setup { first: 1, ..Setup::default() }).await;
    world.shows("both members", |map| map.members.len() == 2).await;

    a.crash();
    world.kill_replica(0);

    let took = timed(world.owned(&[("b", ALL)])).await;
    assert!(took < Duration::from_secs(4), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_moves_while_etcd_is_away() {
    let mut world = world().await;
    let _a = Member::start(&world, "a", Setup::default()).await;
    world.owned(&[("a", ALL)]).await;
    let _b = Member::start(&world, "b", Setup { first: 1, ..Setup::default() }).await;
    world.shows("both members", |map| map.members.len() == 2).await;

    world.etcd.kill().unwrap();
    // Longer than any suspicion and than the replicas keep their members.
    tokio::time::sleep(Duration::from_secs(3)).await;
    world.etcd.start_all().unwrap();
    let _c = Member::start(&world, "c", Setup { first: 2, ..Setup::default() }).await;
    world.shows("three members", |map| map.members.len() == 3).await;

    world.owned(&[("a", ALL)]).await;
    assert!(world.map(1).borrow().clone().unwrap().last_failover.is_none());
    assert!(world.database.epochs().values().all(|epoch| *epoch == Epoch(1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn all_coordinators_may_be_away_for_longer_than_the_leases() {
    let world = world().await;
    let a = Member::start(&world, "a", Setup::default()).await;
    world.owned(&[("a", ALL)]).await;
    let _b = Member::start(&world, "b", Setup { first: 1, ..Setup::default() }).await;
    world.shows("both members", |map| map.members.len() == 2).await;

    (0..3).for_each(|at| world.kill_replica(at));
    world.forgotten().await;
    // The standby comes back first.
    a.freeze();
    world.start_replica(1).await;
    world.shows("b", |map| map.members.len() == 1).await;
    a.thaw();
    world.start_replica(0).await;
    world.start_replica(2).await;

    world.shows("both members again", |map| map.members.len() == 2).await;
    world.owned(&[("a", ALL)]).await;
    assert!(world.database.epochs().values().all(|epoch| *epoch == Epoch(1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wiped_etcd_learns_from_the_members_who_holds_what() {
    let mut world = world().await;
    let mut a = Member::start(&world, "a", Setup::default()).await;
    world.owned(&[("a", ALL)]).await;
    let _b = Member::start(&world, "b", Setup { first: 1, ..Setup::default() }).await;
    world.shows("both members", |map| map.members.len() == 2).await;
    a.crash();
    world.owned(&[("b", ALL)]).await;
    // Registered after b, and would lead if what b holds were forgotten: the name counts for nothing, the priority would.
    let setup = Setup { priority: 1, nonce: 2, ..Setup::default() };
    let _a = Member::start(&world, "a", setup).await;
    world.shows("both members again", |map| map.members.len() == 2).await;
    let number = world.map(0).borrow().clone().unwrap().revision;

    world.etcd.wipe().unwrap();

    world.shows("a new decision", |map| map.revision > number && map.members.len() == 2).await;
    world.owned(&[("b", ALL)]).await;
    assert!(world.database.epochs().values().all(|epoch| *epoch == Epoch(2)));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_preferred_member_gets_its_work_back_by_hand_over_after_the_hold_time() {
    let world = world().await;
    let policy = Policy { failback_after_ms: 1_000, move_gap_ms: 0, ..Policy::default() };
    let setup = |priority, nonce| Setup { priority, nonce, policy: policy.clone(), first: 0 };
    let mut a = Member::start(&world, "a", setup(2, 1)).await;
    world.owned(&[("a", ALL)]).await;
    let _b = Member::start(&world, "b", setup(1, 1)).await;
    world.shows("both members", |map| map.members.len() == 2).await;
    a.crash();
    world.owned(&[("b", ALL)]).await;
    world.shows("the standby works", |map| map.works == Some(Works::Standby)).await;

    let _a = Member::start(&world, "a", setup(2, 2)).await;

    world.owned(&[("a", ALL)]).await;
    world.shows("the preferred works", |map| map.works == Some(Works::Preferred)).await;
    let map = world.map(0).borrow().clone().unwrap();
    // A failover to b, a hand-over to a: the record is still the failover's.
    assert_eq!(map.last_failover.clone().unwrap().noticed_by, "refused redial");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draining_member_hands_over() {
    let world = world().await;
    let a = Member::start(&world, "a", Setup::default()).await;
    world.owned(&[("a", ALL)]).await;
    let _b = Member::start(&world, "b", Setup { first: 1, ..Setup::default() }).await;
    world.shows("both members", |map| map.members.len() == 2).await;

    a.vitals.send_modify(|vitals| vitals.draining = true);

    world.owned(&[("b", ALL)]).await;
    assert!(world.map(0).borrow().clone().unwrap().last_failover.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_equal_members_halves_all_on_the_survivor_and_halves_again() {
    let world = world().await;
    let setup = |first, nonce| Setup { first, nonce, policy: balanced(), ..Setup::default() };
    let mut a = Member::start(&world, "a", setup(0, 1)).await;
    let _b = Member::start(&world, "b", setup(1, 1)).await;
    world.owned(&[("a", HALF), ("b", HALF)]).await;
    a.crash();
    world.owned(&[("b", ALL)]).await;
    let _a = Member::start(&world, "a", setup(2, 2)).await;
    world.owned(&[("a", HALF), ("b", HALF)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_mode_changes_at_run_time() {
    let world = world().await;
    let a = Member::start(&world, "a", Setup::default()).await;
    world.owned(&[("a", ALL)]).await;
    let _b = Member::start(&world, "b", Setup { first: 1, ..Setup::default() }).await;
    world.shows("both members", |map| map.members.len() == 2).await;

    a.set_policy(2, balanced());
    world.owned(&[("a", HALF), ("b", HALF)]).await;
    world.shows("the mode", |map| map.mode == Mode::LoadBalanced && map.works.is_none()).await;

    a.set_policy(3, Policy::default());
    world.shows("the mode back", |map| map.mode == Mode::ActiveStandby).await;
    world.shows("one works", |map| map.works == Some(Works::Preferred)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_without_the_database_is_replaced_by_one_that_has_it() {
    let world = world().await;
    let a = Member::start(&world, "a", Setup::default()).await;
    world.owned(&[("a", ALL)]).await;
    let b = Member::start(&world, "b", Setup { first: 1, ..Setup::default() }).await;
    world.shows("both members", |map| map.members.len() == 2).await;

    // Nobody has it: nobody moves.
    for member in [&a, &b] {
        member.vitals.send_modify(|vitals| vitals.store_ok = false);
    }
    world.shows("nobody has it", |map| map.members.iter().all(|one| !one.store_ok)).await;
    world.owned(&[("a", ALL)]).await;
    b.vitals.send_modify(|vitals| vitals.store_ok = true);
    world.owned(&[("b", ALL)]).await;
    let failover = world.map(0).borrow().clone().unwrap().last_failover.clone().unwrap();
    assert_eq!(failover.noticed_by, "store");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_process_under_a_name_that_beats_is_refused() {
    let world = world().await;
    let _a = Member::start(&world, "a", Setup::default()).await;
    world.owned(&[("a", ALL)]).await;
    let _double = Member::start(&world, "a", Setup { nonce: 9, ..Setup::default() }).await;
    let _b = Member::start(&world, "b", Setup { first: 1, ..Setup::default() }).await;
    world.shows("both members", |map| map.members.len() == 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_of_etcd_loses_a_node_and_nothing_else() {
    let mut world = World::start(Etcd::start_cluster().unwrap()).await;
    let mut a = Member::start(&world, "a", Setup::default()).await;
    world.owned(&[("a", ALL)]).await;
    let _b = Member::start(&world, "b", Setup { first: 1, ..Setup::default() }).await;
    world.shows("both members", |map| map.members.len() == 2).await;
    // The node that every replica began with.
    world.etcd.nodes()[0].freeze().unwrap();
    let _c = Member::start(&world, "c", Setup { first: 2, ..Setup::default() }).await;
    world.shows("three members", |map| map.members.len() == 3).await;
    assert!(world.map(1).borrow().clone().unwrap().last_failover.is_none());
    a.crash();
    world.owned(&[("b", ALL)]).await;
    world.etcd.nodes()[0].thaw().unwrap();
}
