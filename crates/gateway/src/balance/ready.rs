//! A gateway is ready when it reaches an owner.

use std::time::Duration;

use futures::future::join_all;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::Balanced;
use super::fate::{Fate, Verdict};
use super::health::Trouble;

/// Between two looks: a balancer in front asks about as often.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// How long an owner may take to show that it is there.
const LOOK_LIMIT: Duration = Duration::from_secs(1);

impl Balanced {
    /// Whether a scheduler that owns something answers; why not, else.
    pub async fn reaches_an_owner(&self) -> Result<(), &'static str> {
        if self.maps.borrow().is_none() {
            return Err("no coordinator has sent a map of the cluster yet");
        }
        let owners = self.table().owners();
        if owners.is_empty() {
            return Err("no scheduler owns anything");
        }
        let looks = owners.iter().map(|owner| timeout(LOOK_LIMIT, owner.remote.policy()));
        let is_reached = join_all(looks).await.into_iter().flatten().any(|answer| {
            match answer.err().map_or(Fate::Answered, |error| error.fate()) {
                Fate::Unknown | Fate::NotDone(Some(Trouble::NotReached)) => false,
                Fate::Answered | Fate::NotDone(_) => true,
            }
        });
        if is_reached { Ok(()) } else { Err("no owner answers") }
    }

    /// Tells again and again whether an owner is reached: to be spawned, with a readiness latch behind `tell`.
    pub async fn watch_owners(self, mut tell: impl FnMut(Result<(), &str>)) {
        let mut tick = interval(LOOK_INTERVAL);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            tell(self.reaches_an_owner().await);
        }
    }
}
