//! News about histories.

use std::time::Duration;

use bus_nats::NatsNews;
use futures::StreamExt;
use futures::stream::BoxStream;
use model::Shard;
use testkit::nats::Nats;
use tokio::time::timeout;

use crate::harness::{PATIENCE, Process};

/// Between two announcements that may be lost.
const INTERVAL: Duration = Duration::from_millis(50);

/// Announces until somebody follows: a server learns of followers a little later than they do.
async fn followed(
    news: &NatsNews,
    followed: &mut BoxStream<'static, (Shard, u64)>,
    shard: Shard,
    n: u64,
) {
    let until_told = async {
        loop {
            news.announce(shard, n);
            // What was told before may come late.
            if timeout(INTERVAL, followed.next()).await == Ok(Some((shard, n))) {
                return;
            }
        }
    };
    timeout(PATIENCE, until_told).await.expect("in time");
}

#[tokio::test(flavor = "multi_thread")]
async fn news_are_followed_over_restarts() {
    let mut nats = Nats::start().expect("nats");
    let (scheduler, monitor) = (Process::start(&nats).await, Process::start(&nats).await);
    let told = NatsNews::new(&scheduler.connection);
    let mut following = NatsNews::new(&monitor.connection).follow().await;
    followed(&told, &mut following, Shard(3), 17).await;
    nats.kill();
    told.announce(Shard(3), 18);
    nats.start_all().expect("it starts again");
    followed(&told, &mut following, Shard(64), u64::MAX).await;
}
