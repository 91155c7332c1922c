//! How connections are made, and how long anything may take.

use std::time::Duration;

use tonic::transport::Endpoint;

use crate::refused::DETAILS_BYTES_MAX;

/// Bytes under way on one stream: a session must not wait for acknowledgements in the middle of a grant.
pub(crate) const STREAM_WINDOW: u32 = 2 << 20;
/// Bytes under way on one connection: one slow stream must not stop the others.
pub(crate) const CONNECTION_WINDOW: u32 = 32 << 20;
/// Headers of an answer: the findings of a refused definition are in them, in base64.
const HEADERS_BYTES_MAX: u32 = (DETAILS_BYTES_MAX / 3 * 4 + (64 << 10)) as u32;

/// How long a client waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// For a connection.
    pub connect_timeout: Duration,
    /// For an answer.
    pub request_timeout: Duration,
    /// For the answer of `wait_for_history`; longer than a scheduler waits itself.
    pub wait_timeout: Duration,
    /// For the first word of a scheduler in a session.
    pub session_timeout: Duration,
    /// Between two questions whether the other side is still there, while anything is asked of it.
    pub keep_alive_interval: Duration,
    /// For the answer to such a question.
    pub keep_alive_timeout: Duration,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            connect_timeout: Duration::from_secs(1),
            request_timeout: Duration::from_secs(60),
            wait_timeout: Duration::from_secs(20),
            session_timeout: Duration::from_secs(5),
            keep_alive_interval: Duration::from_millis(250),
            keep_alive_timeout: Duration::from_secs(1),
        }
    }
}

/// An address that no client can use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{address}` is not an address of a service: {why}; it looks like http://host:port")]
pub struct BadAddress {
    /// What was given.
    pub address: String,
    /// What is wrong with it.
    pub why: String,
}

/// Where a client connects to.
pub(crate) fn endpoint(address: &str, options: &Options) -> Result<Endpoint, BadAddress> {
    let bad = |why: String| BadAddress { address: address.to_owned(), why };
    let endpoint =
        Endpoint::from_shared(address.to_owned()).map_err(|error| bad(error.to_string()))?;
    match (endpoint.uri().scheme_str(), endpoint.uri().host()) {
        (Some("http"), Some(_)) => {}
        (Some("http"), None) => return Err(bad("it names no host".to_owned())),
        (_, _) => return Err(bad("it does not begin with http://".to_owned())),
    }
    Ok(endpoint
        .http2_keep_alive_interval(options.keep_alive_interval)
        .keep_alive_timeout(options.keep_alive_timeout)
        .keep_alive_while_idle(false)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .http2_max_header_list_size(HEADERS_BYTES_MAX)
        .tcp_nodelay(true))
}
