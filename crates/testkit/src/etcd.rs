//! A real etcd for tests, alone or as a cluster of three: own ports and directories, gone with the test.
//!
//! **Invariants**
//! * Nothing is left running, also when the test is killed: a shell stands between, whose standard input is a pipe from the
//!   test process. When the pipe ends, for whatever reason, it kills the server; when the shell itself is killed, the
//!   kernel kills the server (`setpriv --pdeathsig`).
//! * A node keeps its ports and its data over [`Node::stop`], [`Node::kill`] and [`Node::start`]; only [`Etcd::wipe`]
//!   forgets data.
//! * Readiness is asked for, not waited for by time alone.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// How long a start, or finding a leader, may take on a busy machine.
const START_TIMEOUT: Duration = Duration::from_secs(60);
/// Between two questions whether it is ready.
const POLL_INTERVAL: Duration = Duration::from_millis(20);
/// One question.
const ASK_TIMEOUT: Duration = Duration::from_secs(2);

/// Starts the server, tells its pid, and ends it when the pipe does.
const JANITOR: &str = r#"
trap "" INT TERM HUP
dir=$1; shift
"$@" </dev/null >>"$dir/log" 2>&1 &
server=$!
echo "$server" >"$dir/pid.new" && mv "$dir/pid.new" "$dir/pid"
read -r word
kill -KILL "$server" 2>/dev/null
wait "$server"
"#;

/// One or more servers that form one cluster; dropped, they end.
#[derive(Debug)]
pub struct Etcd {
    nodes: Vec<Node>,
}

/// One server of a cluster.
#[derive(Debug)]
pub struct Node {
    dir: TempDir,
    client_port: u16,
    endpoint: String,
    arguments: Vec<String>,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    janitor: Child,
    pid: Pid,
}

impl Etcd {
    /// Starts a single server.
    ///
    /// # Errors
    /// When it is not installed or does not get ready; the message has what to do.
    pub fn start() -> anyhow::Result<Etcd> {
        Etcd::start_nodes(1, None)
    }

    /// Starts a single server that speaks TLS, with these files, and asks clients for certificates of the same authority.
    ///
    /// # Errors
    /// See [`Etcd::start`].
    pub fn start_tls(ca: &str, cert: &str, key: &str) -> anyhow::Result<Etcd> {
        Etcd::start_nodes(1, Some([ca, cert, key]))
    }

    /// Starts a cluster of three.
    ///
    /// # Errors
    /// See [`Etcd::start`].
    pub fn start_cluster() -> anyhow::Result<Etcd> {
        Etcd::start_nodes(3, None)
    }

    fn start_nodes(count: usize, tls: Option<[&str; 3]>) -> anyhow::Result<Etcd> {
        // Held until all are chosen, so that no two are the same.
        let listeners: Vec<TcpListener> = (0..2 * count)
            .map(|_| TcpListener::bind(("127.0.0.1", 0)))
            .collect::<Result<_, _>>()?;
        let ports: Vec<u16> = listeners
            .iter()
            .map(|one| one.local_addr().map(|address| address.port()))
            .collect::<Result<_, _>>()?;
        drop(listeners);
        let (clients, peers) = ports.split_at(count);
        let members: Vec<String> =
            peers.iter().enumerate().map(|(at, peer)| format!("n{at}={}", url(*peer))).collect();
        let members = members.join(",");
        let nodes: Vec<Node> = (0..count)
            .map(|at| Node::new(at, clients[at], peers[at], &members, tls))
            .collect::<anyhow::Result<_>>()?;
        let mut etcd = Etcd { nodes };
        etcd.start_all()?;
        Ok(etcd)
    }

    /// The servers.
    pub fn nodes(&mut self) -> &mut [Node] {
        &mut self.nodes
    }

    /// Where clients reach each server: `http://127.0.0.1:PORT`.
    pub fn endpoints(&self) -> Vec<String> {
        self.nodes.iter().map(Node::endpoint).collect()
    }

    /// Kills every server (SIGKILL); data stays.
    ///
    /// # Errors
    /// When the system does not let it.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.nodes.iter_mut().try_for_each(Node::kill)
    }

    /// Starts every server that does not run, and waits until the cluster works.
    ///
    /// # Errors
    /// When it does not get ready.
    pub fn start_all(&mut self) -> anyhow::Result<()> {
        self.nodes.iter_mut().try_for_each(Node::start)?;
        self.wait_until_ready()
    }

    /// Stops all (SIGSTOP): sockets stay open, nobody answers.
    ///
    /// # Errors
    /// When the system does not let it.
    pub fn freeze(&mut self) -> anyhow::Result<()> {
        self.nodes.iter_mut().try_for_each(|node| node.freeze())
    }

    /// Lets all go on.
    ///
    /// # Errors
    /// When the system does not let it.
    pub fn thaw(&mut self) -> anyhow::Result<()> {
        self.nodes.iter_mut().try_for_each(|node| node.thaw())
    }

    /// Kills all, forgets everything they stored, and starts them again at the same addresses.
    ///
    /// # Errors
    /// When they do not get ready again.
    pub fn wipe(&mut self) -> anyhow::Result<()> {
        self.kill()?;
        for node in &self.nodes {
            fs::remove_dir_all(node.dir.path().join("data")).context("cannot forget the data")?;
        }
        self.start_all()
    }

    fn wait_until_ready(&mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + START_TIMEOUT;
        for node in &mut self.nodes {
            while !node.is_healthy() {
                ensure!(!node.has_ended(), "etcd ended while it started: {}", node.log());
                if Instant::now() > deadline {
                    bail!("etcd is not ready after {START_TIMEOUT:?}: {}", node.log());
                }
                std::thread::sleep(POLL_INTERVAL);
            }
        }
        Ok(())
    }
}

impl Node {
    fn new(
        at: usize,
        client: u16,
        peer: u16,
        members: &str,
        tls: Option<[&str; 3]>,
    ) -> anyhow::Result<Node> {
        let dir = tempfile::Builder::new().prefix("howdah-etcd-").tempdir()?;
        let data = dir.path().join("data").to_string_lossy().into_owned();
        let endpoint = url(client).replace("http", if tls.is_some() { "https" } else { "http" });
        let mut settings = vec![
            ("--name", format!("n{at}")),
            ("--data-dir", data),
            ("--listen-client-urls", endpoint.clone()),
            ("--advertise-client-urls", endpoint.clone()),
            ("--listen-peer-urls", url(peer)),
            ("--initial-advertise-peer-urls", url(peer)),
            ("--initial-cluster", members.to_owned()),
            ("--initial-cluster-state", "new".to_owned()),
            ("--logger", "zap".to_owned()),
        ];
        if let Some([ca, cert, key]) = tls {
            settings.push(("--client-cert-auth", "true".to_owned()));
            settings.push(("--trusted-ca-file", ca.to_owned()));
            settings.push(("--cert-file", cert.to_owned()));
            settings.push(("--key-file", key.to_owned()));
        }
        let arguments =
            settings.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        Ok(Node { dir, client_port: client, endpoint, arguments, running: None })
    }

    /// Where clients reach it.
    pub fn endpoint(&self) -> String {
        self.endpoint.clone()
    }

    /// Starts it when it does not run; does not wait until it is ready.
    ///
    /// # Errors
    /// When it is not installed.
    pub fn start(&mut self) -> anyhow::Result<()> {
        if self.running.is_some() && !self.has_ended() {
            return Ok(());
        }
        self.end_janitor();
        let pid_file = self.dir.path().join("pid");
        let _none_yet = fs::remove_file(&pid_file);
        let mut janitor = Command::new("sh")
            .args(["-c", JANITOR, "janitor"])
            .arg(self.dir.path())
            .args(["setpriv", "--pdeathsig=KILL", "--"])
            .arg(program()?)
            .args(&self.arguments)
            .stdin(Stdio::piped())
            .stderr(Stdio::null()) // It would tell of each kill.
            .spawn()
            .context("cannot start sh")?;
        let pid = read_pid(&pid_file, &mut janitor)?;
        self.running = Some(Running { janitor, pid });
        Ok(())
    }

    /// Asks it to end (SIGTERM) and waits until it has; data stays.
    ///
    /// # Errors
    /// When it does not end.
    pub fn stop(&mut self) -> anyhow::Result<()> {
        self.signal(Signal::TERM)?;
        let deadline = Instant::now() + START_TIMEOUT;
        while !self.has_ended() {
            ensure!(Instant::now() < deadline, "etcd does not end: {}", self.log());
            std::thread::sleep(POLL_INTERVAL);
        }
        self.end_janitor();
        Ok(())
    }

    /// Kills it (SIGKILL); data stays.
    ///
    /// # Errors
    /// When the system does not let it.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.end_janitor();
        Ok(())
    }

    /// Stops it (SIGSTOP).
    ///
    /// # Errors
    /// When it does not run.
    pub fn freeze(&self) -> anyhow::Result<()> {
        self.signal(Signal::STOP)
    }

    /// Lets it go on (SIGCONT).
    ///
    /// # Errors
    /// When it does not run.
    pub fn thaw(&self) -> anyhow::Result<()> {
        self.signal(Signal::CONT)
    }

    fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let running = self.running.as_ref().context("this etcd does not run")?;
        kill_process(running.pid, signal).context("cannot signal etcd")
    }

    /// The shell kills the server when its standard input ends, and waits for it.
    fn end_janitor(&mut self) {
        let Some(mut running) = self.running.take() else { return };
        drop(running.janitor.stdin.take());
        let _status = running.janitor.wait();
    }

    /// Whether the server's process is gone: a zombie of the shell has no command line any more.
    fn has_ended(&self) -> bool {
        let Some(running) = &self.running else { return true };
        let pid = running.pid.as_raw_nonzero();
        fs::read(format!("/proc/{pid}/cmdline")).map_or(true, |words| words.is_empty())
    }

    /// Whether it says so; one that speaks TLS only lets us know that it listens.
    fn is_healthy(&self) -> bool {
        if self.endpoint.starts_with("https") {
            return TcpStream::connect(("127.0.0.1", self.client_port)).is_ok();
        }
        let answer = agent().get(format!("{}/health", self.endpoint)).call();
        answer.is_ok_and(|mut answer| {
            answer.body_mut().read_to_string().is_ok_and(|text| text.contains("true"))
        })
    }

    fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.end_janitor();
    }
}

/// Sends JSON to etcd's own gateway, such as `http://127.0.0.1:PORT/v3/kv/put`.
///
/// # Errors
/// When it refuses.
pub fn post(url: &str, body: &str) -> anyhow::Result<()> {
    agent().post(url).send(body).with_context(|| format!("{url} {body}"))?;
    Ok(())
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder().timeout_global(Some(ASK_TIMEOUT)).build().new_agent()
}

fn url(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

fn read_pid(file: &Path, janitor: &mut Child) -> anyhow::Result<Pid> {
    let deadline = Instant::now() + START_TIMEOUT;
    loop {
        let text = fs::read_to_string(file).unwrap_or_default();
        if let Some(pid) = text.trim().parse().ok().and_then(Pid::from_raw) {
            return Ok(pid);
        }
        ensure!(janitor.try_wait()?.is_none(), "the shell that starts etcd has ended");
        ensure!(Instant::now() < deadline, "the shell that starts etcd says no pid");
        std::thread::sleep(POLL_INTERVAL);
    }
}

/// `HOWDAH_ETCD`, or the first `etcd` in PATH.
fn program() -> anyhow::Result<PathBuf> {
    if let Some(path) = std::env::var_os("HOWDAH_ETCD") {
        return Ok(PathBuf::from(path));
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut found = std::env::split_paths(&path).map(|folder| folder.join("etcd"));
    found
        .find(|program| program.is_file())
        .context("no etcd in PATH: install it (Debian: apt-get install etcd-server)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_answers_survives_a_kill_and_a_wipe_and_leaves_nothing_behind() {
        let mut etcd = Etcd::start_cluster().expect("it starts");
        etcd.nodes()[0].kill().expect("it can be killed");
        assert!(!etcd.nodes()[0].is_healthy());
        etcd.wipe().expect("it starts again");
        etcd.nodes()[1].stop().expect("it ends");
        let folders: Vec<PathBuf> =
            etcd.nodes.iter().map(|node| node.dir.path().to_owned()).collect();
        let pid = etcd.nodes[2].running.as_ref().expect("it runs").pid.as_raw_nonzero();
        drop(etcd);
        assert!(folders.iter().all(|folder| !folder.exists()));
        assert!(!Path::new(&format!("/proc/{pid}")).exists());
    }
}
