//! Dialling an address to see whether somebody listens. Nothing is said on the connection.

use std::io::ErrorKind;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::desk::Dialled;

/// An answer that takes longer is none: on one network a process that is there, or a host without it, answers in a few ms.
const DIAL_TIMEOUT: Duration = Duration::from_millis(50);
/// A process that is killed may close the socket it listens on a little after its streams.
const REDIALS_MAX: usize = 3;
const REDIAL_INTERVAL: Duration = Duration::from_millis(15);

/// Dials once; the address is `http://host:port`.
pub(crate) async fn dial(address: &str) -> Dialled {
    match timeout(DIAL_TIMEOUT, TcpStream::connect(authority(address))).await {
        Ok(Ok(_stream)) => Dialled::Reached,
        Ok(Err(error)) if error.kind() == ErrorKind::ConnectionRefused => Dialled::Refused,
        Ok(Err(_)) | Err(_) => Dialled::Silent,
    }
}

/// Dials somebody whose stream has just ended.
pub(crate) async fn redial(address: &str) -> Dialled {
    for _ in 1..REDIALS_MAX {
        match dial(address).await {
            Dialled::Reached => sleep(REDIAL_INTERVAL).await,
            other @ (Dialled::Refused | Dialled::Silent) => return other,
        }
    }
    dial(address).await
}

/// `host:port` of an address.
fn authority(address: &str) -> &str {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    rest.split('/').next().unwrap_or(rest)
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn listening_and_refusing_are_told_apart() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/x", listener.local_addr().unwrap());
        assert_eq!(redial(&address).await, Dialled::Reached);
        drop(listener);
        assert_eq!(redial(&address).await, Dialled::Refused);
        assert_eq!(dial("http://no such host:1").await, Dialled::Silent);
    }
}
