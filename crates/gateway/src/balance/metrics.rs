//! What the gateway counts of each scheduler. Members are configured names, so that there are few.

use std::sync::atomic::AtomicI64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use model::MemberId;

/// Counts by member; clones count into the same numbers.
#[derive(Clone, Debug, Default)]
pub struct MemberMetrics {
    requests: Family<OutcomeLabels, Counter>,
    in_flight: Family<ClassLabels, InFlight>,
    ejections: Family<MemberLabels, Counter>,
}

pub(super) type InFlight = Gauge<i64, AtomicI64>;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OutcomeLabels {
    member: String,
    class: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ClassLabels {
    member: String,
    class: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct MemberLabels {
    member: String,
}

impl MemberMetrics {
    /// Shows them in a process's registry.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "howdah_gateway_member_requests",
            "Requests to schedulers, retries included, by member, class (submit, read, job, policy) and outcome (answered, moved, not_reached, failed)",
            self.requests.clone(),
        );
        registry.register(
            "howdah_gateway_member_in_flight",
            "Requests to schedulers that are under way, by member and class",
            self.in_flight.clone(),
        );
        registry.register(
            "howdah_gateway_member_ejections",
            "How often a scheduler was left alone for a while because of its failures",
            self.ejections.clone(),
        );
    }

    pub(super) fn count(&self, member: &MemberId, class: &'static str, outcome: &'static str) {
        let labels = OutcomeLabels { member: member.to_string(), class, outcome };
        self.requests.get_or_create(&labels).inc();
    }

    pub(super) fn in_flight(&self, member: &MemberId, class: &'static str) -> InFlight {
        self.in_flight.get_or_create(&ClassLabels { member: member.to_string(), class }).clone()
    }

    pub(super) fn ejected(&self, member: &MemberId) {
        self.ejections.get_or_create(&MemberLabels { member: member.to_string() }).inc();
    }
}
