//! A real NATS with JetStream for tests, alone or as a cluster of three: own ports and directories, gone with the test.
//!
//! A node keeps its ports and its store over [`NatsNode::kill`] and [`NatsNode::start`]; only [`Nats::wipe`] forgets the
//! store. Readiness is asked for, not waited for by time alone.

use std::fmt::Write as _;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use rustix::process::{Pid, Signal};
use tempfile::TempDir;

use crate::process::Process;

/// How long a start, or finding a leader, may take on a busy machine.
const START_TIMEOUT: Duration = Duration::from_secs(60);
/// Between two questions whether it is ready.
const POLL_INTERVAL: Duration = Duration::from_millis(20);
/// One question.
const ASK_TIMEOUT: Duration = Duration::from_secs(2);
/// For clients, for questions, and for the other nodes.
const PORTS_PER_NODE: usize = 3;

/// What kind of server to start.
#[derive(Clone, Debug)]
pub struct NatsSettings {
    /// How many servers form the cluster: 1 or 3.
    pub nodes: usize,
    /// Whether JetStream is on.
    pub jetstream: bool,
    /// A server that is older than what Howdah needs.
    pub old: bool,
    /// More lines of the configuration file, such as `authorization { token: "t" }`.
    pub more: String,
}

impl Default for NatsSettings {
    fn default() -> NatsSettings {
        NatsSettings { nodes: 1, jetstream: true, old: false, more: String::new() }
    }
}

/// One or more servers that form one cluster; dropped, they end.
#[derive(Debug)]
pub struct Nats {
    nodes: Vec<NatsNode>,
}

/// One server of a cluster.
#[derive(Debug)]
pub struct NatsNode {
    // First, so that it is gone before its directory goes.
    running: Option<Process>,
    dir: TempDir,
    program: PathBuf,
    ports: Ports,
}

#[derive(Clone, Copy, Debug)]
struct Ports {
    client: u16,
    monitor: u16,
    route: u16,
}

impl Nats {
    /// Starts a single server with JetStream.
    ///
    /// # Errors
    /// When it is not installed or does not get ready; the message has what to do.
    pub fn start() -> anyhow::Result<Nats> {
        Nats::start_with(&NatsSettings::default())
    }

    /// Starts a cluster of three with JetStream.
    ///
    /// # Errors
    /// See [`Nats::start`].
    pub fn start_cluster() -> anyhow::Result<Nats> {
        Nats::start_with(&NatsSettings { nodes: 3, ..NatsSettings::default() })
    }

    /// Starts what `settings` say.
    ///
    /// # Errors
    /// See [`Nats::start`].
    pub fn start_with(settings: &NatsSettings) -> anyhow::Result<Nats> {
        let program = program(settings.old)?;
        let ports = free_ports(settings.nodes)?;
        let nodes = (0..settings.nodes)
            .map(|at| NatsNode::new(at, &ports, &program, settings))
            .collect::<anyhow::Result<_>>()?;
        let mut nats = Nats { nodes };
        nats.start_all()?;
        Ok(nats)
    }

    /// The servers.
    pub fn nodes(&mut self) -> &mut [NatsNode] {
        &mut self.nodes
    }

    /// Where clients reach each server: `nats://127.0.0.1:PORT`.
    pub fn urls(&self) -> Vec<String> {
        self.nodes.iter().map(NatsNode::url).collect()
    }

    /// Kills every server (SIGKILL); the store stays.
    pub fn kill(&mut self) {
        self.nodes.iter_mut().for_each(NatsNode::kill);
    }

    /// Starts every server that does not run, and waits until all are ready.
    ///
    /// # Errors
    /// When they do not get ready.
    pub fn start_all(&mut self) -> anyhow::Result<()> {
        self.nodes.iter_mut().try_for_each(NatsNode::start)?;
        self.nodes.iter().try_for_each(NatsNode::wait_until_ready)
    }

    /// Stops all (SIGSTOP): sockets stay open, nobody answers.
    ///
    /// # Errors
    /// When one does not run.
    pub fn freeze(&self) -> anyhow::Result<()> {
        self.nodes.iter().try_for_each(NatsNode::freeze)
    }

    /// Lets all go on (SIGCONT).
    ///
    /// # Errors
    /// When one does not run.
    pub fn thaw(&self) -> anyhow::Result<()> {
        self.nodes.iter().try_for_each(NatsNode::thaw)
    }

    /// Kills all and starts them again at the same addresses, with what they stored.
    ///
    /// # Errors
    /// When they do not get ready again.
    pub fn restart(&mut self) -> anyhow::Result<()> {
        self.kill();
        self.start_all()
    }

    /// Kills all, forgets everything they stored, and starts them again at the same addresses.
    ///
    /// # Errors
    /// When they do not get ready again.
    pub fn wipe(&mut self) -> anyhow::Result<()> {
        self.kill();
        self.nodes.iter().try_for_each(NatsNode::forget)?;
        self.start_all()
    }
}

impl NatsNode {
    fn new(
        at: usize,
        ports: &[Ports],
        program: &Path,
        settings: &NatsSettings,
    ) -> anyhow::Result<NatsNode> {
        let dir = tempfile::Builder::new().prefix("howdah-nats-").tempdir()?;
        let text = configuration(at, ports, dir.path(), settings);
        fs::write(dir.path().join("nats.conf"), text)?;
        Ok(NatsNode { running: None, dir, program: program.to_owned(), ports: ports[at] })
    }

    /// Where clients reach it.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.ports.client)
    }

    /// Its process id, while it runs.
    pub fn pid(&self) -> Option<Pid> {
        self.running.as_ref().map(Process::pid)
    }

    /// Starts it when it does not run; does not wait until it is ready.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(&mut self) -> anyhow::Result<()> {
        if self.running.as_ref().is_some_and(|process| !process.has_ended()) {
            return Ok(());
        }
        self.kill();
        let file = self.dir.path().join("nats.conf");
        let arguments = ["-c", file.to_str().context("the path is text")?];
        self.running = Some(Process::start(self.dir.path(), &self.program, &arguments)?);
        Ok(())
    }

    /// Kills it (SIGKILL); the store stays.
    pub fn kill(&mut self) {
        drop(self.running.take());
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

    /// Waits until it serves clients, and JetStream where that is on.
    ///
    /// # Errors
    /// When it ends, or takes longer than a minute.
    pub fn wait_until_ready(&self) -> anyhow::Result<()> {
        let deadline = Instant::now() + START_TIMEOUT;
        while !self.is_healthy() {
            let has_ended = self.running.as_ref().is_none_or(Process::has_ended);
            ensure!(!has_ended, "nats-server ended while it started: {}", self.log());
            ensure!(Instant::now() < deadline, "nats-server does not get ready: {}", self.log());
            std::thread::sleep(POLL_INTERVAL);
        }
        Ok(())
    }

    fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        self.running.as_ref().context("this nats-server does not run")?.signal(signal)
    }

    fn forget(&self) -> anyhow::Result<()> {
        let store = self.dir.path().join("store");
        if store.exists() {
            fs::remove_dir_all(store).context("cannot forget the store")?;
        }
        Ok(())
    }

    fn is_healthy(&self) -> bool {
        let agent =
            ureq::Agent::config_builder().timeout_global(Some(ASK_TIMEOUT)).build().new_agent();
        agent.get(format!("http://127.0.0.1:{}/healthz", self.ports.monitor)).call().is_ok()
    }

    fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }
}

fn configuration(at: usize, ports: &[Ports], dir: &Path, settings: &NatsSettings) -> String {
    let Ports { client, monitor, route } = ports[at];
    let mut text = format!(
        "server_name: n{at}\nlisten: \"127.0.0.1:{client}\"\nhttp: \"127.0.0.1:{monitor}\"\n{}\n",
        settings.more
    );
    if settings.jetstream {
        let store = dir.join("store");
        let _text = writeln!(
            text,
            "jetstream {{ store_dir: \"{}\", max_mem: 64M, max_file: 64M }}",
            store.display()
        );
    }
    if ports.len() > 1 {
        let routes: Vec<String> =
            ports.iter().map(|one| format!("\"nats://127.0.0.1:{}\"", one.route)).collect();
        let _text = writeln!(
            text,
            "cluster {{ name: howdah-test, listen: \"127.0.0.1:{route}\", routes: [{}] }}",
            routes.join(", ")
        );
    }
    text
}

fn free_ports(nodes: usize) -> anyhow::Result<Vec<Ports>> {
    // Held until all are chosen, so that no two are the same.
    let listeners: Vec<TcpListener> = (0..PORTS_PER_NODE * nodes)
        .map(|_| TcpListener::bind(("127.0.0.1", 0)))
        .collect::<Result<_, _>>()?;
    let ports: Vec<u16> = listeners
        .iter()
        .map(|one| one.local_addr().map(|address| address.port()))
        .collect::<Result<_, _>>()?;
    let of_node = |ports: &[u16]| Ports { client: ports[0], monitor: ports[1], route: ports[2] };
    Ok(ports.chunks_exact(PORTS_PER_NODE).map(of_node).collect())
}

/// `HOWDAH_NATS_SERVER`, or what `make setup` has put into the cache.
fn program(old: bool) -> anyhow::Result<PathBuf> {
    let (variable, folder) = if old {
        ("HOWDAH_NATS_SERVER_OLD", "nats-server-old")
    } else {
        ("HOWDAH_NATS_SERVER", "nats-server")
    };
    if let Some(path) = std::env::var_os(variable) {
        return Ok(PathBuf::from(path));
    }
    let home = std::env::var_os("HOME").context("HOME is not set")?;
    let path = Path::new(&home).join(".cache/howdah").join(folder).join("bin/nats-server");
    ensure!(path.is_file(), "{} is not there: run `make setup`, or set {variable}", path.display());
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_answers_survives_a_kill_and_a_wipe_and_leaves_nothing_behind() {
        let mut nats = Nats::start_cluster().expect("it starts");
        nats.nodes()[0].kill();
        assert!(!nats.nodes()[0].is_healthy());
        nats.wipe().expect("it starts again");
        nats.freeze().expect("all run");
        nats.thaw().expect("all run");
        let folders: Vec<PathBuf> =
            nats.nodes.iter().map(|node| node.dir.path().to_owned()).collect();
        let pid = nats.nodes[2].pid().expect("it runs").as_raw_nonzero();
        drop(nats);
        assert!(folders.iter().all(|folder| !folder.exists()));
        assert!(!Path::new(&format!("/proc/{pid}")).exists());
    }
}
