//! The map of the cluster, from whichever coordinator answers. It is a hint: the newest heard counts, whatever its number, so
//! that coordinators whose etcd began anew are believed again.

use std::sync::Arc;
use std::time::Duration;

use ports::cluster::ClusterMap;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use tonic::Status;
use tonic::transport::Endpoint;

use crate::MESSAGE_BYTES_MAX;
use crate::membership::Coordinators;
use crate::wire;
use crate::wire::membership_client::MembershipClient;

/// For the first word of a coordinator.
const ANSWER_WAIT: Duration = Duration::from_secs(1);

type Maps = watch::Sender<Option<Arc<ClusterMap>>>;

/// Keeps the map up to date until nobody looks at it any more.
pub(super) async fn keep(mut coordinators: Coordinators, maps: Maps) {
    loop {
        let began = Instant::now();
        let left = tokio::select! {
            left = follow(coordinators.current(), &maps) => left,
            () = maps.closed() => return,
        };
        let uri = coordinators.current().uri();
        tracing::debug!(%uri, ?left, "a coordinator tells nothing more of the cluster");
        let wait = coordinators.leave(began.elapsed());
        tokio::select! {
            () = sleep(wait) => {}
            () = maps.closed() => return,
        }
    }
}

async fn follow(endpoint: &Endpoint, maps: &Maps) -> Result<(), Status> {
    let channel = endpoint.connect().await.map_err(|error| Status::from_error(error.into()))?;
    let mut client = MembershipClient::new(channel).max_decoding_message_size(MESSAGE_BYTES_MAX);
    let asked = timeout(ANSWER_WAIT, client.watch_map(wire::WatchMapRequest {})).await;
    let mut stream = asked.map_err(|_| Status::deadline_exceeded("no answer"))??.into_inner();
    while let Some(message) = stream.message().await? {
        match ClusterMap::try_from(message) {
            Ok(map) => publish(maps, map),
            Err(error) => return Err(Status::internal(error.to_string())),
        }
    }
    Ok(())
}

/// A map that says the same wakes nobody.
fn publish(maps: &Maps, map: ClusterMap) {
    maps.send_if_modified(|known| {
        let is_new = known.as_deref() != Some(&map);
        if is_new {
            *known = Some(Arc::new(map));
        }
        is_new
    });
}
