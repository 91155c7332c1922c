//! Why a connection is refused.

use thiserror::Error;

use crate::connection::OLDEST_VERSION;

/// The server is older than what is needed.
const TOO_OLD: &str = "HW5021";
/// The server does not keep streams.
const NO_JETSTREAM: &str = "HW5022";
/// A setting is wrong, whatever service reads it.
const WRONG_SETTING: &str = "HW5004";

/// What keeps this process from using NATS until somebody does something about it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Error {
    /// The server is older than 2.12.
    #[error(
        "the NATS server {server} is version {version}, and {}.{} or newer is needed; upgrade it, or name another one in nats.servers",
        OLDEST_VERSION.0,
        OLDEST_VERSION.1
    )]
    TooOld {
        /// Its name.
        server: String,
        /// Its version, as it says.
        version: String,
    },
    /// JetStream is off.
    #[error(
        "the NATS server {server} has JetStream switched off for us; add `jetstream {{}}` to its configuration, or allow it to the account"
    )]
    NoJetStream {
        /// Its name.
        server: String,
    },
    /// A setting that no server has to be asked about.
    #[error("the setting nats.{setting} is wrong: {why}")]
    Setting {
        /// Which.
        setting: &'static str,
        /// What is wrong with it.
        why: String,
    },
}

impl Error {
    /// The code under which people look it up.
    pub fn code(&self) -> &'static str {
        match self {
            Error::TooOld { .. } => TOO_OLD,
            Error::NoJetStream { .. } => NO_JETSTREAM,
            Error::Setting { .. } => WRONG_SETTING,
        }
    }
}
