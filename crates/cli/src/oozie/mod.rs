//! Oozie's own commands: same options, same output, same exit codes (census §6).

pub mod admin;
#[cfg(test)]
mod golden;
pub mod info;
pub mod job;
pub mod jobs;
pub mod schedule_tables;
pub mod tables;

use crate::args::{Connection, Zones};
use crate::client::{Client, DEFAULT_URL};
use crate::failure::Failure;
use crate::http::{Http, TRIES};
use crate::terminal::Environment;
use crate::times::Zone;

/// Headers that a leading `-Dheader:NAME=VALUE` asks for, and how often to try.
#[derive(Clone, Debug)]
pub struct Defines {
    /// Name and value.
    pub headers: Vec<(String, String)>,
    /// `-Doozie.connection.retry.count`.
    pub tries: u32,
}

impl Defines {
    /// Takes the `-D` words before the command, which Oozie's script hands to Java; those it knows count, the others
    /// (such as `-Doozie.auth.token.cache=false`) have no meaning here.
    pub fn taken_from(words: &mut Vec<String>) -> Defines {
        let count = words.iter().take_while(|word| word.starts_with("-D")).count();
        let mut defines = Defines { headers: Vec::new(), tries: TRIES };
        for word in words.drain(..count) {
            let define = &word["-D".len()..];
            let (name, value) = define.split_once('=').unwrap_or((define, ""));
            if let Some(header) = name.strip_prefix("header:") {
                defines.headers.push((header.to_owned(), value.to_owned()));
            } else if name == "oozie.connection.retry.count" {
                defines.tries = value.trim().parse().unwrap_or(TRIES);
            }
        }
        defines
    }
}

/// The server that the options and the environment name.
///
/// # Errors
/// When the options of authentication do not fit together.
pub fn client(
    connection: &Connection,
    environment: &Environment,
    defines: &Defines,
) -> Result<Client, Failure> {
    let url =
        connection.oozie.as_deref().or_else(|| environment.get("OOZIE_URL")).unwrap_or(DEFAULT_URL);
    let mut headers = defines.headers.clone();
    headers.extend(authorization(connection, environment)?);
    let debug =
        connection.debug || environment.get("OOZIE_DEBUG").is_some_and(|level| level.trim() != "0");
    let http = Http::new(headers, defines.tries);
    Ok(Client::new(http, url, &environment.user, connection.doas.as_deref(), debug))
}

fn authorization(
    connection: &Connection,
    environment: &Environment,
) -> Result<Option<(String, String)>, Failure> {
    let kind =
        connection.auth.as_deref().or_else(|| environment.get("OOZIE_AUTH")).unwrap_or("SIMPLE");
    match (&connection.username, &connection.password) {
        (Some(user), Some(password)) => {
            let encoded = base64(format!("{user}:{password}").as_bytes());
            Ok(Some(("Authorization".to_owned(), format!("Basic {encoded}"))))
        }
        (Some(_), None) => Err(Failure::Plain(
            "No password specified, it is required, if username is set!".to_owned(),
        )),
        (None, Some(_)) => Err(Failure::Plain(
            "No username specified, it is required, if password is set!".to_owned(),
        )),
        (None, None) => match kind.to_uppercase().as_str() {
            "SIMPLE" => Ok(None),
            "BASIC" => {
                let message = "BASIC authentication requires -username and -password to set!";
                Err(Failure::Plain(message.to_owned()))
            }
            other => Err(Failure::Plain(format!(
                "authentication type {other} is not yet available here"
            ))),
        },
    }
}

/// The zone that the options and the environment name.
pub fn zone(zones: &Zones, environment: &Environment) -> Zone {
    if zones.localtime {
        return Zone::local();
    }
    let id = zones.timezone.as_deref().or_else(|| environment.get("OOZIE_TIMEZONE"));
    id.map_or_else(Zone::gmt, Zone::named)
}

/// A command of Oozie's that is not here yet.
pub fn unavailable(name: &str) -> Failure {
    Failure::Plain(format!("`{name}` is not yet available here"))
}

/// Base 64 with padding (RFC 4648).
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let group = |chunk: &[u8]| {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        let letter = move |at: usize| match at <= chunk.len() {
            true => char::from(LETTERS[(bits >> (18 - 6 * at) & 63) as usize]),
            false => '=',
        };
        (0..4).map(letter).collect::<String>()
    };
    bytes.chunks(3).map(group).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_padded() {
        let cases = [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("joe:secret", "am9lOnNlY3JldA=="),
        ];
        for (text, encoded) in cases {
            assert_eq!(base64(text.as_bytes()), encoded);
        }
    }

    #[test]
    fn defines_before_the_command_are_javas() {
        let words = [
            "-Dheader:X-A=1=2",
            "-Doozie.auth.token.cache=false",
            "-Doozie.connection.retry.count=2",
            "job",
            "-Dx=y",
        ];
        let mut words: Vec<String> = words.map(str::to_owned).to_vec();
        let defines = Defines::taken_from(&mut words);
        assert_eq!(defines.headers, [("X-A".to_owned(), "1=2".to_owned())]);
        assert_eq!((defines.tries, words), (2, vec!["job".to_owned(), "-Dx=y".to_owned()]));
    }

    #[test]
    fn authentication_says_what_is_missing() {
        let environment = Environment::default();
        let said = |connection: Connection| match authorization(&connection, &environment) {
            Ok(header) => format!("{header:?}"),
            Err(failure) => failure.to_string(),
        };
        let with = |auth: &str, user: Option<&str>, password: Option<&str>| Connection {
            auth: Some(auth.to_owned()),
            username: user.map(str::to_owned),
            password: password.map(str::to_owned),
            ..Connection::default()
        };
        assert_eq!(said(with("simple", None, None)), "None");
        assert!(
            said(with("BASIC", Some("joe"), Some("secret"))).contains("Basic am9lOnNlY3JldA==")
        );
        assert_eq!(
            said(with("BASIC", None, None)),
            "BASIC authentication requires -username and -password to set!"
        );
        assert_eq!(
            said(with("SIMPLE", Some("j"), None)),
            "No password specified, it is required, if username is set!"
        );
        assert_eq!(
            said(with("KERBEROS", None, None)),
            "authentication type KERBEROS is not yet available here"
        );
    }
}
