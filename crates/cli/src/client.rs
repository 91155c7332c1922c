//! Oozie's REST API from the client's side (census §5), and ours beside it.
//!
//! The protocol version is the highest of 2, 1, 0 that the server speaks; it is asked once, at the first request.

use std::fs;
use std::io::Read;
use std::sync::OnceLock;

use serde::de::DeserializeOwned;
use ureq::http::Method;

use model::Configuration;

use crate::beans::JobList;
use crate::failure::Failure;
use crate::http::{Answer, Http, Request, path_encoded, query_encoded};

/// Where a server is looked for when nobody says.
pub const DEFAULT_URL: &str = "http://localhost:11000/oozie";
/// The versions that this client speaks, best first.
const VERSIONS: [u64; 3] = [2, 1, 0];

/// Parameters of a request; those without a value are left out.
pub type Params<'a> = &'a [(&'a str, Option<&'a str>)];

/// A server and who asks it.
#[derive(Debug)]
pub struct Client {
    http: Http,
    base: String,
    user: String,
    do_as: Option<String>,
    trace: bool,
    version: OnceLock<u64>,
}

impl Client {
    /// Of a server, for a user. With `trace`, each request is told on standard output, as `-debug` does in Oozie.
    pub fn new(http: Http, base: &str, user: &str, do_as: Option<&str>, trace: bool) -> Client {
        let base = base.trim_end_matches('/').to_owned();
        Client {
            http,
            base,
            user: user.to_owned(),
            do_as: do_as.map(str::to_owned),
            trace,
            version: OnceLock::new(),
        }
    }

    /// Who asks.
    pub fn user(&self) -> &str {
        self.do_as.as_deref().unwrap_or(&self.user)
    }

    /// Submits; `action` is `start`, `dryrun` or nothing. Answers the id, or for a dry run what the server says.
    ///
    /// # Errors
    /// The server's refusal.
    pub fn submit(&self, conf: &Configuration, action: Option<&str>) -> Result<String, Failure> {
        let params = [("action", action), ("user", Some(self.user()))];
        let request = Request {
            method: Method::POST,
            url: self.url(self.version()?, "jobs", &params),
            xml: Some(definition::write_configuration(conf)),
            idempotency_key: Some(idempotency_key()?),
        };
        #[derive(serde::Deserialize)]
        struct Submitted {
            id: String,
        }
        Ok(self.send(&request)?.json::<Submitted>()?.id)
    }

    /// Gives a command about a job, or changes it.
    ///
    /// # Errors
    /// The server's refusal.
    pub fn command(
        &self,
        job: &str,
        params: Params<'_>,
        conf: Option<&Configuration>,
    ) -> Result<Answer, Failure> {
        let url = self.url(self.version()?, &format!("job/{}", path_encoded(job)), params);
        let xml = conf.map(definition::write_configuration);
        self.send(&Request { method: Method::PUT, url, xml, idempotency_key: None })
    }

    /// What `show` shows of a job or action.
    ///
    /// # Errors
    /// The server's refusal.
    pub fn job(&self, id: &str, show: &str, params: Params<'_>) -> Result<Answer, Failure> {
        let mut all = vec![("show", Some(show))];
        all.extend_from_slice(params);
        self.get(&format!("job/{}", path_encoded(id)), &all)
    }

    /// A page of jobs, or with PUT what was done to them.
    ///
    /// # Errors
    /// The server's refusal.
    pub fn jobs(&self, method: Method, params: Params<'_>) -> Result<JobList, Failure> {
        let url = self.url(self.version()?, "jobs", params);
        self.send(&Request { method, url, xml: None, idempotency_key: None })?.json()
    }

    /// Reads or changes something of the server itself. The status is the caller's to look at.
    ///
    /// # Errors
    /// When no answer came.
    pub fn admin(
        &self,
        method: Method,
        resource: &str,
        params: Params<'_>,
    ) -> Result<Answer, Failure> {
        let url = self.url(self.version()?, &format!("admin/{resource}"), params);
        self.send_any(&Request { method, url, xml: None, idempotency_key: None })
    }

    /// Has the server validate a definition: a file of this machine is sent, any other path is read by the server.
    ///
    /// # Errors
    /// The server's refusal, or a file that cannot be read.
    pub fn validate(&self, file: &str) -> Result<String, Failure> {
        let local = file.strip_prefix("file://").unwrap_or(file);
        let is_local = !local.contains("://");
        let path = if is_local { absolute(local)? } else { local.to_owned() };
        let unreadable = |error| Failure::Plain(format!("cannot read {path}: {error}"));
        let xml =
            if is_local { fs::read_to_string(&path).map_err(unreadable)? } else { String::new() };
        let url = self.url(
            VERSIONS[0],
            "validate",
            &[("file", Some(&path)), ("user", Some(self.user()))],
        );
        #[derive(serde::Deserialize)]
        struct Validated {
            validate: String,
        }
        let request = Request { method: Method::POST, url, xml: Some(xml), idempotency_key: None };
        Ok(self.send(&request)?.json::<Validated>()?.validate)
    }

    /// Reads something of our own API, as JSON.
    ///
    /// # Errors
    /// The server's refusal.
    pub fn api<T: DeserializeOwned>(&self, path: &str, params: Params<'_>) -> Result<T, Failure> {
        self.api_answer(path, params)?.json()
    }

    /// Reads something of our own API, as it comes.
    ///
    /// # Errors
    /// The server's refusal.
    pub fn api_stream(&self, path: &str, params: Params<'_>) -> Result<impl Read + use<>, Failure> {
        Ok(self.api_answer(path, params)?.reader())
    }

    fn api_answer(&self, path: &str, params: Params<'_>) -> Result<Answer, Failure> {
        let root = self.base.strip_suffix("/oozie").unwrap_or(&self.base);
        self.send(&Request::get(format!("{root}/api/v1/{path}{}", self.query(params))))
    }

    fn get(&self, path: &str, params: Params<'_>) -> Result<Answer, Failure> {
        self.send(&Request::get(self.url(self.version()?, path, params)))
    }

    /// The protocol version to speak, asked at the first use.
    fn version(&self) -> Result<u64, Failure> {
        if let Some(version) = self.version.get() {
            return Ok(*version);
        }
        let spoken: Vec<u64> = self
            .http
            .send(&Request::get(format!("{}/versions", self.base)))?
            .or_refusal()?
            .json()?;
        let best =
            VERSIONS.into_iter().find(|version| spoken.contains(version)).ok_or_else(|| {
                let message =
                    format!("Supported version [2] or less, Unsupported versions{spoken:?}");
                Failure::coded("UNSUPPORTED_VERSION", message)
            })?;
        Ok(*self.version.get_or_init(|| best))
    }

    fn url(&self, version: u64, path: &str, params: Params<'_>) -> String {
        format!("{}/v{version}/{path}{}", self.base, self.query(params))
    }

    fn query(&self, params: Params<'_>) -> String {
        let identity = [("user.name", Some(self.user.as_str())), ("doAs", self.do_as.as_deref())];
        let given =
            params.iter().chain(&identity).filter_map(|(name, value)| Some((name, (*value)?)));
        let pairs: Vec<String> =
            given.map(|(name, value)| format!("{name}={}", query_encoded(value))).collect();
        format!("?{}", pairs.join("&"))
    }

    fn send(&self, request: &Request) -> Result<Answer, Failure> {
        self.send_any(request)?.or_refusal()
    }

    fn send_any(&self, request: &Request) -> Result<Answer, Failure> {
        if self.trace {
            use std::io::Write;
            writeln!(std::io::stdout(), "{} {}", request.method, request.url)?;
        }
        self.http.send(request)
    }
}

/// The whole path of a local file that must be there.
fn absolute(file: &str) -> Result<String, Failure> {
    let path = std::path::absolute(file).unwrap_or_else(|_| file.into());
    if path.is_file() {
        return Ok(path.display().to_string());
    }
    Err(Failure::coded("File error", format!("File does not exist : {}", path.display())))
}

/// A key that nobody else uses: the same submit sent twice makes one job.
fn idempotency_key() -> Result<String, Failure> {
    let mut bytes = [0_u8; 16];
    let read = fs::File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes));
    read.map_err(|error| Failure::Plain(format!("cannot read /dev/urandom: {error}")))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
