//! What the gateway counts: requests by route class and status, how long they took, and open streams.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Upper bounds in seconds: reads take about a millisecond, commands a commit, pictures up to seconds.
const SECONDS: [f64; 10] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.0, 10.0, 60.0];

/// The gateway's metrics; clones count into the same numbers.
#[derive(Clone, Debug)]
pub struct Metrics {
    requests: Family<RequestLabels, Counter>,
    seconds: Family<RouteLabels, Histogram, fn() -> Histogram>,
    followers: Gauge,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RequestLabels {
    route: &'static str,
    method: &'static str,
    status: u16,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RouteLabels {
    route: &'static str,
}

impl Default for Metrics {
    fn default() -> Metrics {
        Metrics {
            requests: Family::default(),
            seconds: Family::new_with_constructor(|| Histogram::new(SECONDS)),
            followers: Gauge::default(),
        }
    }
}

impl Metrics {
    /// Shows them in a process's registry.
    pub fn register(&self, registry: &mut Registry) {
        let help = "Requests by class of route, method and status";
        registry.register("howdah_gateway_requests", help, self.requests.clone());
        let help = "Seconds until the answer began, by class of route";
        registry.register("howdah_gateway_request_seconds", help, self.seconds.clone());
        registry.register(
            "howdah_gateway_followers",
            "Open event streams and followed logs",
            self.followers.clone(),
        );
    }

    pub(crate) fn count(
        &self,
        route: &'static str,
        method: &'static str,
        status: u16,
        seconds: f64,
    ) {
        self.requests.get_or_create(&RequestLabels { route, method, status }).inc();
        self.seconds.get_or_create(&RouteLabels { route }).observe(seconds);
    }

    /// Counts a stream as open until it is dropped.
    pub(crate) fn follower(&self) -> Follower {
        self.followers.inc();
        Follower(self.followers.clone())
    }
}

/// An open stream.
#[derive(Debug)]
pub(crate) struct Follower(Gauge);

impl Drop for Follower {
    fn drop(&mut self) {
        self.0.dec();
    }
}
