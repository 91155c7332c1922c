//! A real `howdah standalone` as a child process: started in a directory, killed at any moment, started again.

use std::io::{BufRead, BufReader, Read};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde_json::Value;

/// How long anything may take before a test gives up.
pub const PATIENCE: Duration = Duration::from_secs(90);
const POLL: Duration = Duration::from_millis(20);

/// The binary under test: `HOWDAH_BIN`, or the one beside the test's own executable.
///
/// # Panics
/// When there is none: build it first.
pub fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("HOWDAH_BIN") {
        return PathBuf::from(path);
    }
    let own = std::env::current_exe().expect("a test knows its own path");
    let path = own
        .ancestors()
        .nth(2)
        .map(|target| target.join("howdah"))
        .expect("tests live in target/<profile>/deps");
    assert!(path.exists(), "{} is not there: build it with `cargo build -p cli`", path.display());
    path
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    child: Child,
    rest: Rest,
    /// Where its data is.
    pub data_dir: PathBuf,
}

/// What a request was answered with.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// `oozie-error-code`; empty when there is none.
    pub code: String,
    /// `oozie-error-message`; empty when there is none.
    pub message: String,
    /// The body, read as far as it is text.
    pub body: String,
}

impl Server {
    /// Starts a server on a free port and waits until it says that it is ready.
    ///
    /// # Errors
    /// When it does not start; the message has what it said.
    pub fn start(data_dir: &Path) -> anyhow::Result<Server> {
        Server::start_with(data_dir, &[], &[])
    }

    /// The same with more arguments and environment variables.
    ///
    /// # Errors
    /// See [`Server::start`].
    pub fn start_with(
        data_dir: &Path,
        args: &[&str],
        env: &[(&str, &str)],
    ) -> anyhow::Result<Server> {
        let mut command = command(data_dir)?;
        command.args(args).envs(env.iter().copied()).stdout(Stdio::piped());
        let mut child = command.spawn().context("cannot start howdah")?;
        let stdout = child.stdout.take().context("it has a standard output")?;
        let mut lines = BufReader::new(stdout).lines();
        while let Some(Ok(line)) = lines.next() {
            if let Some((_, rest)) = line.split_once("ready at ") {
                let url = rest.split(' ').next().unwrap_or_default().to_owned();
                std::thread::spawn(move || lines.for_each(drop));
                return Ok(Server { child, rest: Rest { url }, data_dir: data_dir.to_owned() });
            }
        }
        let status = child.wait()?;
        let said = std::fs::read_to_string(data_dir.with_extension("log")).unwrap_or_default();
        bail!("howdah ended with {status} before it was ready: {said}")
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Kills it without warning (SIGKILL) while others still speak with it, and does not wait.
    ///
    /// # Panics
    /// When the system does not let it.
    pub fn strike(&self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::KILL)
            .expect("an own child that nobody has waited for");
    }

    /// Starts one and kills it (SIGKILL) after a while, ready or not.
    ///
    /// # Errors
    /// When it cannot be started at all.
    pub fn start_and_kill(data_dir: &Path, after: Duration) -> anyhow::Result<()> {
        let mut child =
            command(data_dir)?.stdout(Stdio::null()).spawn().context("cannot start howdah")?;
        std::thread::sleep(after);
        child.kill()?;
        child.wait()?;
        Ok(())
    }

    /// Kills it without warning (SIGKILL) and waits until it is gone.
    pub fn kill(&mut self) {
        let _already_gone = self.child.kill();
        let _status = self.child.wait();
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(Some(_)))
    }
}

impl Deref for Server {
    type Target = Rest;

    fn deref(&self) -> &Rest {
        &self.rest
    }
}

/// Oozie's REST interface, as tests use it.
#[derive(Clone, Debug)]
pub struct Rest {
    /// `http://127.0.0.1:PORT/oozie`.
    pub url: String,
}

impl Rest {
    /// Submits and starts a job; the properties are those of a job.properties file.
    ///
    /// # Errors
    /// What the server answered.
    pub fn submit(&self, properties: &[(&str, &str)]) -> anyhow::Result<String> {
        self.submit_with_key(properties, None)
    }

    /// The same with an idempotency key.
    ///
    /// # Errors
    /// What the server answered.
    pub fn submit_with_key(
        &self,
        properties: &[(&str, &str)],
        key: Option<&str>,
    ) -> anyhow::Result<String> {
        let mut request = agent()
            .post(format!("{}/v2/jobs?action=start", self.url))
            .header("content-type", "application/xml;charset=UTF-8");
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        let mut response = request.send(configuration(properties))?;
        let text = response.body_mut().read_to_string()?;
        if response.status().as_u16() != 201 {
            let code = response
                .headers()
                .get("oozie-error-code")
                .and_then(|code| code.to_str().ok())
                .unwrap_or("-");
            let message = response
                .headers()
                .get("oozie-error-message")
                .and_then(|text| text.to_str().ok())
                .unwrap_or("-");
            bail!("{} {code} {message}", response.status());
        }
        let answer: Value = serde_json::from_str(&text)?;
        Ok(answer["id"].as_str().context("no id")?.to_owned())
    }

    /// `PUT /v2/job/{id}?action=...`, with a configuration for a rerun.
    ///
    /// # Errors
    /// What the server answered.
    pub fn command(
        &self,
        job: &str,
        action: &str,
        properties: &[(&str, &str)],
    ) -> anyhow::Result<()> {
        let request =
            agent().put(format!("{}/v2/job/{job}?action={action}&user.name=tester", self.url));
        let response = request
            .header("content-type", "application/xml;charset=UTF-8")
            .send(configuration(properties))?;
        if response.status().as_u16() == 200 {
            return Ok(());
        }
        let code = response
            .headers()
            .get("oozie-error-code")
            .and_then(|code| code.to_str().ok())
            .unwrap_or("-")
            .to_owned();
        bail!("{} {code}", response.status())
    }

    /// A GET below the server's address, as JSON.
    ///
    /// # Errors
    /// When it does not answer, or not with JSON.
    pub fn get(&self, path: &str) -> anyhow::Result<Value> {
        Ok(serde_json::from_str(&self.get_text(path)?)?)
    }

    /// A GET below the server's address, as text. `/api/...` is taken from the root.
    ///
    /// # Errors
    /// When it does not answer with 200.
    pub fn get_text(&self, path: &str) -> anyhow::Result<String> {
        let root = self.url.trim_end_matches("/oozie");
        let url = if path.starts_with("/api/") || path == "/metrics" {
            format!("{root}{path}")
        } else {
            format!("{}{path}", self.url)
        };
        let mut response = agent().get(&url).call()?;
        let mut text = String::new();
        response.body_mut().as_reader().read_to_string(&mut text)?;
        if response.status().as_u16() != 200 {
            bail!("{url}: {}: {text}", response.status());
        }
        Ok(text)
    }

    /// Any request below the server's root (`/oozie/...`, `/api/...`): whatever it is answered with.
    ///
    /// # Errors
    /// When there is no answer at all.
    pub fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> anyhow::Result<Answer> {
        let root = self.url.trim_end_matches("/oozie");
        let mut request =
            ureq::http::Request::builder().method(method).uri(format!("{root}{path}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut response = match body {
            Some(body) => agent().run(request.body(body)?)?,
            None => agent().run(request.body(())?)?,
        };
        let header = |name: &str| {
            response
                .headers()
                .get(name)
                .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
                .unwrap_or_default()
        };
        let (code, message) = (header("oozie-error-code"), header("oozie-error-message"));
        let mut bytes = Vec::new();
        response.body_mut().as_reader().read_to_end(&mut bytes)?;
        Ok(Answer {
            status: response.status().as_u16(),
            code,
            message,
            body: String::from_utf8_lossy(&bytes).into_owned(),
        })
    }

    /// The job with its actions, as Oozie shows it.
    ///
    /// # Errors
    /// See [`Rest::get`].
    pub fn job(&self, job: &str) -> anyhow::Result<Value> {
        self.get(&format!("/v2/job/{job}?show=info"))
    }

    /// Waits until a job is over and answers it.
    ///
    /// # Errors
    /// When that takes longer than [`PATIENCE`]; the message explains what the job waits for.
    pub fn ended(&self, job: &str) -> anyhow::Result<Value> {
        self.reached(job, |status| matches!(status, "SUCCEEDED" | "KILLED" | "FAILED"))
    }

    /// Waits until a job has a status that is wanted.
    ///
    /// # Errors
    /// See [`Rest::ended`].
    pub fn reached(&self, job: &str, wanted: impl Fn(&str) -> bool) -> anyhow::Result<Value> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let info = self.job(job)?;
            if wanted(info["status"].as_str().unwrap_or_default()) {
                return Ok(info);
            }
            if Instant::now() > deadline {
                bail!(
                    "{job} is {}: {}",
                    info["status"],
                    self.get_text(&format!("/api/v1/jobs/{job}/explain"))?
                );
            }
            std::thread::sleep(POLL);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

fn command(data_dir: &Path) -> anyhow::Result<Command> {
    let log =
        std::fs::File::options().create(true).append(true).open(data_dir.with_extension("log"))?;
    let mut command = Command::new(binary());
    command
        .args(["standalone", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(data_dir)
        .stdin(Stdio::null())
        .stderr(log);
    Ok(command)
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(PATIENCE))
        .build()
        .new_agent()
}

/// A configuration document.
pub fn configuration(properties: &[(&str, &str)]) -> String {
    let escape = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let property = |(name, value): &(&str, &str)| {
        format!(
            "<property><name>{}</name><value>{}</value></property>",
            escape(name),
            escape(value)
        )
    };
    format!(
        "<configuration>{}</configuration>",
        properties.iter().map(property).collect::<String>()
    )
}

/// Waits until something holds.
///
/// # Errors
/// When it does not within [`PATIENCE`].
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        if Instant::now() > deadline {
            bail!("not within {PATIENCE:?}: {what}");
        }
        std::thread::sleep(POLL);
    }
    Ok(())
}
