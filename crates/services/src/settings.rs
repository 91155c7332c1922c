//! Sections that several services share: the same shape everywhere.

use std::path::PathBuf;

use chassis::HumanDuration;
use chassis::telemetry::Format;
use election_etcd::EtcdConfig;
use model::MemberId;
use serde::Deserialize;

/// What every service has.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Common {
    pub(crate) service: ServiceSettings,
    pub(crate) log: Log,
}

/// `[service]`
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ServiceSettings {
    pub(crate) name: String,
    pub(crate) admin: String,
    pub(crate) drain: HumanDuration,
}

/// `[log]`
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Log {
    pub(crate) level: String,
    pub(crate) format: Format,
}

/// `[rpc]`
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Rpc {
    pub(crate) listen: String,
    pub(crate) advertise: String,
}

impl Rpc {
    /// How others reach this process: what is said, else the address that was bound.
    pub(crate) fn address(&self, bound: std::net::SocketAddr) -> String {
        match self.advertise.as_str() {
            "" => format!("http://{bound}"),
            said if said.contains("://") => said.to_owned(),
            said => format!("http://{said}"),
        }
    }
}

/// `[ha]` of whoever follows the coordinators.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Ha {
    pub(crate) namespace: String,
    pub(crate) coordinators: Vec<String>,
}

/// `[store]`
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Store {
    pub(crate) url: String,
    pub(crate) shards: u16,
    pub(crate) system_id: String,
}

/// `[nats]`
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Nats {
    pub(crate) servers: Vec<String>,
    pub(crate) replicas: usize,
    pub(crate) user: String,
    pub(crate) password: String,
    pub(crate) ca: String,
}

impl Nats {
    /// The settings of a connection.
    pub(crate) fn config(&self, namespace: &str, client: &str) -> bus_nats::Config {
        let mut config = bus_nats::Config::new(self.servers.clone(), namespace);
        client.clone_into(&mut config.client_name);
        config.replicas = self.replicas;
        if !self.user.is_empty() {
            config.credentials = bus_nats::Credentials::Password {
                user: self.user.clone(),
                password: self.password.clone(),
            };
        }
        config.tls.ca_file = path(&self.ca);
        config
    }
}

/// `[etcd]`
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Etcd {
    pub(crate) endpoints: Vec<String>,
    pub(crate) user: String,
    pub(crate) password: String,
    pub(crate) ca: String,
    pub(crate) cert: String,
    pub(crate) key: String,
}

impl Etcd {
    /// The settings of the client.
    pub(crate) fn config(&self, namespace: &str) -> EtcdConfig {
        let said = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        EtcdConfig {
            endpoints: self.endpoints.clone(),
            namespace: namespace.to_owned(),
            user: said(&self.user),
            password: said(&self.password),
            ca: path(&self.ca),
            cert: path(&self.cert),
            key: path(&self.key),
        }
    }
}

fn path(text: &str) -> Option<PathBuf> {
    (!text.is_empty()).then(|| PathBuf::from(text))
}

/// A configured name; without one the host's, so that replicas of one image differ.
pub(crate) fn name_of(configured: &str) -> String {
    if !configured.is_empty() {
        return configured.to_owned();
    }
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match host.trim() {
        "" => "howdah".to_owned(),
        host => host.to_owned(),
    }
}

/// The same, as a member.
pub(crate) fn member_of(configured: &str) -> MemberId {
    MemberId::new(name_of(configured))
}
