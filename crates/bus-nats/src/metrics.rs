//! Every number about NATS that a process shows.

use std::sync::atomic::AtomicI64;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// The numbers: cheap to clone, all clones count together.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    pub(crate) rings_sent: Counter,
    pub(crate) rings_dropped: Counter,
    pub(crate) rings_heard: Counter,
    pub(crate) reconnects: Counter,
    pub(crate) streams_made: Counter,
    pub(crate) connected: Gauge<i64, AtomicI64>,
}

impl Metrics {
    /// Makes the numbers visible, as `howdah_nats_…`.
    pub fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("howdah_nats");
        let counters = [
            ("rings_sent", "Rings that NATS has taken", &self.rings_sent),
            ("rings_dropped", "Rings lost because NATS was away or full", &self.rings_dropped),
            ("rings_heard", "Rings that listeners have heard", &self.rings_heard),
            ("reconnects", "Connections made after the first one", &self.reconnects),
            ("streams_made", "How often the stream had to be made", &self.streams_made),
        ];
        for (name, help, counter) in counters {
            registry.register(name, help, counter.clone());
        }
        let help = "Whether there is a connection to a server that can be used";
        registry.register("connected", help, self.connected.clone());
    }

    /// Rings that NATS has taken.
    pub fn rings_sent(&self) -> u64 {
        self.rings_sent.get()
    }

    /// Rings that were lost because NATS was away, did not answer, or too many waited.
    pub fn rings_dropped(&self) -> u64 {
        self.rings_dropped.get()
    }

    /// Rings that listeners have heard.
    pub fn rings_heard(&self) -> u64 {
        self.rings_heard.get()
    }

    /// Whether there is a connection to a server that can be used.
    pub fn is_connected(&self) -> bool {
        self.connected.get() == 1
    }
}
