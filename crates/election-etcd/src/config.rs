//! Where etcd is and how to speak with it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use etcd_client::{Certificate, ConnectOptions, Identity, TlsOptions};

/// A connection that is not there by then is tried at another endpoint.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(300);
/// Certificates and keys are read whole, so they have a bound, in bytes.
const PEM_BYTES_MAX: u64 = 1 << 20;

/// What an operator says about etcd.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct EtcdConfig {
    /// `http://host:port` or `https://host:port` of each server; at least one.
    pub endpoints: Vec<String>,
    /// Keeps several clusters apart in one etcd: letters, digits, `-`, `_` and `.`.
    pub namespace: String,
    /// The user, where etcd asks for one.
    pub user: Option<String>,
    /// Its password.
    pub password: Option<String>,
    /// The file with the certificates (PEM) that sign those of the servers; `https` needs it.
    pub ca: Option<PathBuf>,
    /// The file with our certificate (PEM).
    pub cert: Option<PathBuf>,
    /// The file with the key of our certificate (PEM).
    pub key: Option<PathBuf>,
}

impl fmt::Debug for EtcdConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EtcdConfig")
            .field("endpoints", &self.endpoints)
            .field("namespace", &self.namespace)
            .field("user", &self.user)
            .field("password", &self.password.as_ref().map(|_| "***"))
            .field("ca", &self.ca)
            .field("cert", &self.cert)
            .field("key", &self.key)
            .finish()
    }
}

/// Why etcd cannot be spoken with as configured.
#[derive(Debug, thiserror::Error)]
pub enum BadConfig {
    /// Nowhere to go.
    #[error("no etcd endpoint is configured; name at least one, such as http://127.0.0.1:2379")]
    NoEndpoint,
    /// An address that is none, or that does not fit the rest.
    #[error("etcd endpoint `{0}` does not begin with http:// or https://")]
    Endpoint(String),
    /// Certificates without encryption protect nothing.
    #[error(
        "etcd endpoint `{0}` is not https, but certificates are configured; use https:// or remove them"
    )]
    NotEncrypted(String),
    /// A namespace that would reach into another one.
    #[error("namespace `{0}` is not one: use 1 to 64 letters, digits, `-`, `_` and `.`")]
    Namespace(String),
    /// Half a pair.
    #[error("{0} is configured without {1}; configure both or none")]
    Half(&'static str, &'static str),
    /// Encrypted endpoints need to know whom to trust.
    #[error(
        "etcd endpoint `{0}` is https, but no `ca` is configured; name the file with the certificates that sign etcd's"
    )]
    NoCa(String),
    /// A file that is not there or too long.
    #[error("cannot read {path}: {why}")]
    File {
        /// Which one.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
}

impl EtcdConfig {
    /// The options of every connection, or why there can be none.
    pub(crate) fn options(&self) -> Result<ConnectOptions, BadConfig> {
        self.check()?;
        let mut options = ConnectOptions::new()
            .with_connect_timeout(CONNECT_TIMEOUT)
            .with_require_leader(true)
            .with_auto_token_refresh(true);
        if let (Some(user), Some(password)) = (&self.user, &self.password) {
            options = options.with_user(user, password);
        }
        if let Some(ca) = &self.ca {
            let mut tls = TlsOptions::new().ca_certificate(Certificate::from_pem(read(ca)?));
            if let (Some(cert), Some(key)) = (&self.cert, &self.key) {
                tls = tls.identity(Identity::from_pem(read(cert)?, read(key)?));
            }
            options = options.with_tls(tls);
        }
        Ok(options)
    }

    fn check(&self) -> Result<(), BadConfig> {
        if self.endpoints.is_empty() {
            return Err(BadConfig::NoEndpoint);
        }
        let is_plain = |at: &char| at.is_ascii_alphanumeric() || "-_.".contains(*at);
        let namespace = &self.namespace;
        if namespace.is_empty()
            || namespace.len() > 64
            || !namespace.chars().all(|at| is_plain(&at))
        {
            return Err(BadConfig::Namespace(namespace.clone()));
        }
        match (&self.user, &self.password) {
            (Some(_), None) => return Err(BadConfig::Half("the user of etcd", "its password")),
            (None, Some(_)) => return Err(BadConfig::Half("the password of etcd", "its user")),
            (None, None) | (Some(_), Some(_)) => {}
        }
        match (&self.cert, &self.key) {
            (Some(_), None) => return Err(BadConfig::Half("`cert`", "`key`")),
            (None, Some(_)) => return Err(BadConfig::Half("`key`", "`cert`")),
            (None, None) | (Some(_), Some(_)) => {}
        }
        self.endpoints.iter().try_for_each(|endpoint| self.check_endpoint(endpoint))
    }

    fn check_endpoint(&self, endpoint: &str) -> Result<(), BadConfig> {
        let has_tls = self.ca.is_some() || self.cert.is_some();
        if endpoint.starts_with("http://") {
            return if has_tls {
                Err(BadConfig::NotEncrypted(endpoint.to_owned()))
            } else {
                Ok(())
            };
        }
        if !endpoint.starts_with("https://") {
            return Err(BadConfig::Endpoint(endpoint.to_owned()));
        }
        if self.ca.is_none() { Err(BadConfig::NoCa(endpoint.to_owned())) } else { Ok(()) }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, BadConfig> {
    let bad = |why: String| BadConfig::File { path: path.to_owned(), why };
    let bytes = std::fs::metadata(path).map_err(|error| bad(error.to_string()))?.len();
    if bytes > PEM_BYTES_MAX {
        return Err(bad(format!("it has {bytes} bytes, more than {PEM_BYTES_MAX}")));
    }
    std::fs::read(path).map_err(|error| bad(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_are_told_before_anything_is_dialled() {
        let plain = || EtcdConfig {
            endpoints: vec!["http://127.0.0.1:2379".to_owned()],
            namespace: "prod".to_owned(),
            ..EtcdConfig::default()
        };
        assert!(plain().options().is_ok());
        let check = |config: EtcdConfig, words: &str| {
            let error = config.options().expect_err(words).to_string();
            assert!(error.contains(words), "{error}");
        };
        check(EtcdConfig { endpoints: vec![], ..plain() }, "no etcd endpoint");
        check(EtcdConfig { namespace: "a/b".to_owned(), ..plain() }, "`a/b` is not one");
        check(EtcdConfig { namespace: String::new(), ..plain() }, "`` is not one");
        check(EtcdConfig { user: Some("root".to_owned()), ..plain() }, "without its password");
        check(EtcdConfig { cert: Some("c.pem".into()), ..plain() }, "without `key`");
        check(EtcdConfig { ca: Some("ca.pem".into()), ..plain() }, "is not https");
        let https = || EtcdConfig { endpoints: vec!["https://etcd:2379".to_owned()], ..plain() };
        check(https(), "no `ca` is configured");
        check(EtcdConfig { ca: Some("/nowhere/ca.pem".into()), ..https() }, "/nowhere/ca.pem");
        let bare = EtcdConfig { endpoints: vec!["etcd:2379".to_owned()], ..plain() };
        check(bare, "does not begin with http://");
    }

    #[test]
    fn a_password_is_not_shown() {
        let config = EtcdConfig { password: Some("secret".to_owned()), ..EtcdConfig::default() };
        assert!(!format!("{config:?}").contains("secret"));
    }
}
