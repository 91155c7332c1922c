//! Where NATS is, and how it is spoken to.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_nats::ConnectOptions;
use tokio::fs;

use crate::error::Error;
use crate::pace;

/// A server that does not take a connection for so long is passed over for the next one.
const CONNECT_MAX: Duration = Duration::from_secs(2);
/// Between two questions whether the server still answers; a connection without two answers is given up.
const PING_INTERVAL: Duration = Duration::from_secs(2);
/// Between two tries to connect: the first pause, and the longest.
const RECONNECT_MS_MIN: u64 = 10;
const RECONNECT_MS_MAX: u64 = 500;
/// What is asked of JetStream is answered in milliseconds, or its leader is being elected.
pub(crate) const ANSWER_MAX: Duration = Duration::from_secs(2);

/// How to reach NATS.
#[derive(Clone, Debug)]
pub struct Config {
    /// The servers: `nats://host:4222`, or `tls://…`; one is chosen by chance.
    pub servers: Vec<String>,
    /// Which Howdah this is, so that several share one NATS.
    pub namespace: String,
    /// How this process is called in the server's lists.
    pub client_name: String,
    /// Who we are.
    pub credentials: Credentials,
    /// How the connection is protected.
    pub tls: Tls,
    /// On how many servers the bells are kept: 1, or 3 in a cluster, so that they ring on when a server dies.
    pub replicas: usize,
}

/// Who we are.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum Credentials {
    /// The server asks nobody.
    #[default]
    None,
    /// A name and a password.
    Password {
        /// The name.
        user: String,
        /// The password.
        password: String,
    },
    /// A shared word.
    Token(String),
    /// A file with a JWT and a seed, as `nsc` writes it.
    File(PathBuf),
    /// The seed of an nkey, `SU…`.
    NkeySeed(String),
}

/// How the connection is protected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// Whether a connection without it is refused; `tls://` in an address asks for it too.
    pub is_required: bool,
    /// The authorities to trust (PEM) instead of those of the system.
    pub ca_file: Option<PathBuf>,
    /// Our certificate (PEM), where the server asks for one.
    pub certificate_file: Option<PathBuf>,
    /// The key of our certificate (PEM).
    pub key_file: Option<PathBuf>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Credentials::None => f.write_str("None"),
            Credentials::Password { user, .. } => write!(f, "Password({user}, …)"),
            Credentials::Token(_) => f.write_str("Token(…)"),
            Credentials::File(path) => write!(f, "File({})", path.display()),
            Credentials::NkeySeed(_) => f.write_str("NkeySeed(…)"),
        }
    }
}

impl Config {
    /// The settings for servers that ask for nothing.
    pub fn new(servers: Vec<String>, namespace: &str) -> Config {
        Config {
            servers,
            namespace: namespace.to_owned(),
            client_name: "howdah".to_owned(),
            credentials: Credentials::None,
            tls: Tls::default(),
            replicas: 1,
        }
    }

    /// What the client has to know; says what is wrong before anything is connected.
    pub(crate) async fn options(&self) -> Result<ConnectOptions, Error> {
        self.check()?;
        let options = ConnectOptions::new()
            .name(&self.client_name)
            .retry_on_initial_connect()
            .connection_timeout(CONNECT_MAX)
            .ping_interval(PING_INTERVAL)
            .request_timeout(Some(ANSWER_MAX))
            .reconnect_delay_callback(reconnect_delay);
        let options = self.tls.put_into(options).await?;
        self.credentials.put_into(options).await
    }

    fn check(&self) -> Result<(), Error> {
        if self.servers.is_empty() {
            return Err(wrong("servers", "it names none"));
        }
        if ![1, 3, 5].contains(&self.replicas) {
            return Err(wrong("replicas", format!("{} is neither 1, 3 nor 5", self.replicas)));
        }
        Ok(())
    }
}

impl Credentials {
    async fn put_into(&self, options: ConnectOptions) -> Result<ConnectOptions, Error> {
        Ok(match self {
            Credentials::None => options,
            Credentials::Password { user, password } => {
                options.user_and_password(user.clone(), password.clone())
            }
            Credentials::Token(token) => options.token(token.clone()),
            Credentials::NkeySeed(seed) => options.nkey(seed.clone()),
            Credentials::File(path) => options.credentials_file(path).await.map_err(|error| {
                wrong("credentials_file", format!("{}: {error}", path.display()))
            })?,
        })
    }
}

impl Tls {
    async fn put_into(&self, options: ConnectOptions) -> Result<ConnectOptions, Error> {
        let mut options = options.require_tls(self.is_required);
        if let Some(path) = &self.ca_file {
            readable("tls.ca_file", path).await?;
            options = options.add_root_certificates(path.clone());
        }
        match (&self.certificate_file, &self.key_file) {
            (None, None) => Ok(options),
            (Some(certificate), Some(key)) => {
                readable("tls.certificate_file", certificate).await?;
                readable("tls.key_file", key).await?;
                Ok(options.add_client_certificate(certificate.clone(), key.clone()))
            }
            (Some(_), None) => Err(wrong("tls.key_file", "there is a certificate without a key")),
            (None, Some(_)) => {
                Err(wrong("tls.certificate_file", "there is a key without a certificate"))
            }
        }
    }
}

async fn readable(setting: &'static str, path: &Path) -> Result<(), Error> {
    let opened = fs::File::open(path).await;
    opened.map(drop).map_err(|error| wrong(setting, format!("{}: {error}", path.display())))
}

pub(crate) fn wrong(setting: &'static str, why: impl Into<String>) -> Error {
    Error::Setting { setting, why: why.into() }
}

/// The first try is made at once, the later ones more and more rarely, and never by all at the same moment.
fn reconnect_delay(attempt: usize) -> Duration {
    match u32::try_from(attempt.saturating_sub(1)).unwrap_or(u32::MAX) {
        0 => Duration::ZERO,
        failures => pace::pause(failures, RECONNECT_MS_MIN, RECONNECT_MS_MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn wrong_settings_are_named() {
        let check = async |change: fn(&mut Config), setting: Option<&str>| {
            let mut config = Config::new(vec!["nats://localhost".to_owned()], "n");
            change(&mut config);
            let said = config.options().await.err();
            let said = said.map(|error| match error {
                Error::Setting { setting, .. } => setting,
                other => panic!("{other}"),
            });
            assert_eq!(said, setting, "{config:?}");
        };
        check(|_| {}, None).await;
        check(|config| config.servers.clear(), Some("servers")).await;
        check(|config| config.replicas = 2, Some("replicas")).await;
        check(|config| config.tls.ca_file = Some("/no/ca".into()), Some("tls.ca_file")).await;
        check(|config| config.tls.key_file = Some("/no/key".into()), Some("tls.certificate_file"))
            .await;
        check(|config| config.tls.certificate_file = Some("/no/key".into()), Some("tls.key_file"))
            .await;
        check(
            |config| config.credentials = Credentials::File("/no/file".into()),
            Some("credentials_file"),
        )
        .await;
        check(|config| config.credentials = Credentials::NkeySeed("SU".to_owned()), None).await;
    }

    #[test]
    fn secrets_are_not_shown() {
        let secrets = [
            Credentials::Password { user: "u".to_owned(), password: "hush".to_owned() },
            Credentials::Token("hush".to_owned()),
            Credentials::NkeySeed("hush".to_owned()),
        ];
        for secret in secrets {
            assert!(!format!("{secret:?}").contains("hush"));
        }
    }
}
