//! One request to a server: what is sent again, and what an error answer says.
//!
//! **Invariants**
//! * A request is sent again only if nothing of it can have arrived (no connection came about), if it only reads, or if
//!   it carries an `Idempotency-Key`, under which the server does it once.
//! * At most [`TRIES`] times, with growing pauses.

use std::error::Error as _;
use std::fmt;
use std::io::{self, Read};
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use ureq::http::{self, Method};
use ureq::{Agent, Body};

use crate::failure::Failure;

/// Times that a request is sent: what Oozie's client does by default.
pub const TRIES: u32 = 4;
/// The pause before the second try; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// Until a connection stands: long enough for a lost packet or two, short enough to tell a person.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Until the head of an answer is there: a submit reads an application from a slow file system.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(120);
/// The longest answer that is read as a whole: a list of thousands of jobs; logs are streamed and not bound by it.
const WHOLE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// The code that Oozie's client gives to a server that cannot be reached.
pub const IO_ERROR: &str = "IO_ERROR";

/// Sends requests.
#[derive(Clone, Debug)]
pub struct Http {
    agent: Agent,
    headers: Vec<(String, String)>,
    tries: u32,
    first_pause: Duration,
}

/// What is sent.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The whole address.
    pub url: String,
    /// An XML document.
    pub xml: Option<String>,
    /// Under which the server does it once.
    pub idempotency_key: Option<String>,
}

/// What came back; its body is not read yet.
pub struct Answer {
    response: http::Response<Body>,
}

/// An error of our own API.
#[derive(Debug, Deserialize)]
struct Refusal {
    code: String,
    message: String,
    help: Option<String>,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Answer({})", self.response.status())
    }
}

impl Http {
    /// With headers that every request carries.
    pub fn new(headers: Vec<(String, String)>, tries: u32) -> Http {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_recv_response(Some(ANSWER_TIMEOUT))
            // A kept connection that the server closes meanwhile would look like a lost request.
            .max_idle_connections(0)
            .user_agent(concat!("howdah/", env!("CARGO_PKG_VERSION")))
            .build();
        Http { agent: config.into(), headers, tries: tries.max(1), first_pause: FIRST_PAUSE }
    }

    /// Sends it, again where that is harmless.
    ///
    /// # Errors
    /// When no answer came; an answer of any status is one.
    pub fn send(&self, request: &Request) -> Result<Answer, Failure> {
        let mut pause = self.first_pause;
        for tried in 1.. {
            let error = match self.send_once(request) {
                Ok(response) => return Ok(Answer { response }),
                Err(error) => error,
            };
            if tried >= self.tries || !request.may_be_sent_again(&error) {
                return Err(unreachable_server(&request.url, &error, tried));
            }
            std::thread::sleep(pause);
            pause *= 2;
        }
        Err(Failure::Plain("the number of tries is unbounded".to_owned()))
    }

    fn send_once(&self, request: &Request) -> Result<http::Response<Body>, ureq::Error> {
        let mut builder = http::Request::builder().method(request.method.clone()).uri(&request.url);
        for (name, value) in &self.headers {
            builder = builder.header(name, value);
        }
        if let Some(key) = &request.idempotency_key {
            builder = builder.header("Idempotency-Key", key);
        }
        match &request.xml {
            Some(xml) => self
                .agent
                .run(builder.header("Content-Type", "application/xml;charset=UTF-8").body(xml)?),
            None if request.method == Method::PUT => self.agent.run(builder.body("")?),
            None => self.agent.run(builder.body(())?),
        }
    }
}

impl Request {
    /// A request that reads.
    pub fn get(url: String) -> Request {
        Request { method: Method::GET, url, xml: None, idempotency_key: None }
    }

    fn may_be_sent_again(&self, error: &ureq::Error) -> bool {
        match error {
            ureq::Error::Io(error) if error.kind() == io::ErrorKind::ConnectionRefused => true,
            ureq::Error::ConnectionFailed
            | ureq::Error::Timeout(ureq::Timeout::Connect | ureq::Timeout::Resolve) => true,
            ureq::Error::Io(_) | ureq::Error::Timeout(_) | ureq::Error::Protocol(_) => {
                self.method == Method::GET || self.idempotency_key.is_some()
            }
            _ => false,
        }
    }
}

fn unreachable_server(url: &str, error: &ureq::Error, tries: u32) -> Failure {
    let why = match error {
        ureq::Error::Io(why) => why.to_string(),
        other => {
            other.source().map_or_else(|| other.to_string(), |source| format!("{other}: {source}"))
        }
    };
    let address = url.split('?').next().unwrap_or(url);
    let message = format!("cannot reach {address}: {why} (tries: {tries})");
    Failure::coded(IO_ERROR, message)
        .with_help("is the server running? `howdah standalone` starts one; `-oozie URL` or OOZIE_URL says where it is")
}

impl Answer {
    /// The status.
    pub fn status(&self) -> u16 {
        self.response.status().as_u16()
    }

    /// The same answer, unless it is an error.
    ///
    /// # Errors
    /// The code and message that the server put into its headers or body, else the status.
    pub fn or_refusal(self) -> Result<Answer, Failure> {
        if self.response.status().is_success() {
            return Ok(self);
        }
        let header =
            |name: &str| Some(self.response.headers().get(name)?.to_str().ok()?.to_owned());
        let status = self.response.status();
        let reason = status.canonical_reason().unwrap_or("no reason given").to_owned();
        if let (Some(code), message) = (header("oozie-error-code"), header("oozie-error-message")) {
            return Err(Failure::coded(code, message.unwrap_or(reason)));
        }
        if header("content-type").is_some_and(|kind| kind.starts_with("application/json")) {
            let refusal: Refusal = self.json()?;
            let failure = Failure::coded(refusal.code, refusal.message);
            return Err(refusal.help.into_iter().fold(failure, Failure::with_help));
        }
        Err(Failure::coded(format!("HTTP error code: {}", status.as_u16()), reason))
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// When it is not, or too long.
    pub fn json<T: DeserializeOwned>(self) -> Result<T, Failure> {
        let text = self.text()?;
        serde_json::from_str(&text).map_err(|error| {
            let start: String = text.chars().take(80).collect();
            Failure::coded(
                IO_ERROR,
                format!("the server's answer is not what was expected ({error}): {start}"),
            )
        })
    }

    /// The body as text.
    ///
    /// # Errors
    /// When the connection breaks, or it is too long.
    pub fn text(mut self) -> Result<String, Failure> {
        let body = self.response.body_mut().with_config().limit(WHOLE_BYTES_MAX).lossy_utf8(true);
        body.read_to_string()
            .map_err(|error| Failure::coded(IO_ERROR, format!("the answer broke off: {error}")))
    }

    /// The body as it comes.
    pub fn reader(self) -> impl Read {
        self.response.into_body().into_with_config().limit(u64::MAX).reader()
    }
}

/// A text inside the query of an address.
pub fn query_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'*' => {
                encoded.push(char::from(byte))
            }
            b' ' => encoded.push('+'),
            _ => encoded.extend(['%', hexadecimal(byte >> 4), hexadecimal(byte & 15)]),
        }
    }
    encoded
}

fn hexadecimal(four_bits: u8) -> char {
    char::from_digit(u32::from(four_bits), 16).unwrap_or('0').to_ascii_uppercase()
}

/// A text as one segment of a path.
pub fn path_encoded(text: &str) -> String {
    query_encoded(text).replace('+', "%20").replace("%40", "@").replace("%3A", ":")
}

#[cfg(test)]
mod tests;
