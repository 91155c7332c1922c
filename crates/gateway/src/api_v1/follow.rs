//! A place among the streams that one gateway keeps open, and how long to wait in them.

use std::time::Duration;

use axum::http::StatusCode;
use tokio::sync::OwnedSemaphorePermit;

use crate::config::App;
use crate::error::{self, Failure};
use crate::metrics::Follower;

/// Least time between two reads that find nothing, whatever the wait in between says: bounds the load of a follower.
pub(super) const PAUSE: Duration = Duration::from_millis(200);

/// Held as long as a stream is open.
#[derive(Debug)]
pub(super) struct Place {
    _permit: OwnedSemaphorePermit,
    _counted: Follower,
}

impl Place {
    /// Takes a place; `HW4006` when all are taken.
    pub(super) fn take(app: &App) -> Result<Place, Failure> {
        let permit = app
            .followers
            .clone()
            .try_acquire_owned()
            .map_err(|_| full(app.config.followers_max))?;
        Ok(Place { _permit: permit, _counted: app.config.metrics.follower() })
    }
}

fn full(followers_max: usize) -> Failure {
    let message = format!("{followers_max} event streams and logs are followed already");
    Failure::new(StatusCode::SERVICE_UNAVAILABLE, error::TOO_MANY_FOLLOWERS, message)
        .help("try again later, ask another gateway, or raise the server's limit of followers")
}
