//! A whole cluster as child processes: etcd, NATS, a database, and Howdah's own services, each of which can be killed,
//! frozen and started again.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use rustix::process::Signal;

use crate::etcd::Etcd;
use crate::nats::Nats;
use crate::postgres::Postgres;
use crate::process::Process;
use crate::server::{PATIENCE, Rest, binary};

const POLL: Duration = Duration::from_millis(10);

/// How many of what.
#[derive(Clone, Debug)]
pub struct Shape {
    /// Coordinator replicas.
    pub coordinators: usize,
    /// Schedulers, `s1` and up; the first has the priority `first_priority`.
    pub schedulers: usize,
    /// Of `s1`; the others have 0.
    pub first_priority: i32,
    /// Workers, `w1` and up.
    pub workers: usize,
    /// Gateways, `g1` and up.
    pub gateways: usize,
    /// Slots of each worker.
    pub slots: usize,
    /// Shards of the database.
    pub shards: u16,
}

impl Default for Shape {
    fn default() -> Shape {
        Shape {
            coordinators: 1,
            schedulers: 2,
            first_priority: 0,
            workers: 1,
            gateways: 1,
            slots: 8,
            shards: 16,
        }
    }
}

/// One of Howdah's processes.
#[derive(Debug)]
struct Member {
    program: &'static str,
    dir: PathBuf,
    rpc: u16,
    admin: u16,
    process: Option<Process>,
}

/// A running cluster.
#[derive(Debug)]
pub struct Cluster {
    /// Where everything is kept.
    pub dir: PathBuf,
    /// The etcd of the coordinators.
    pub etcd: Etcd,
    /// The bells.
    pub nats: Nats,
    /// The database's address.
    pub database: String,
    members: BTreeMap<String, Member>,
}

impl Cluster {
    /// Starts everything and waits until a gateway reaches an owner.
    ///
    /// # Errors
    /// When something does not start; the message has what it said.
    pub fn start(dir: &Path, shape: &Shape) -> anyhow::Result<Cluster> {
        let (etcd, nats) = (Etcd::start()?, Nats::start()?);
        let database = Postgres::shared().database();
        let mut cluster =
            Cluster { dir: dir.to_owned(), etcd, nats, database, members: BTreeMap::new() };
        cluster.describe(shape)?;
        for name in cluster.names() {
            cluster.launch(&name)?;
        }
        for name in cluster.names() {
            cluster.wait_ready(&name)?;
        }
        Ok(cluster)
    }

    /// The names of its processes.
    pub fn names(&self) -> Vec<String> {
        self.members.keys().cloned().collect()
    }

    fn describe(&mut self, shape: &Shape) -> anyhow::Result<()> {
        let kinds = [
            ("c", "howdah-coordinator", shape.coordinators),
            ("s", "howdah-scheduler", shape.schedulers),
            ("w", "howdah-worker", shape.workers),
            ("g", "howdah-gateway", shape.gateways),
        ];
        let count: usize = kinds.iter().map(|(_, _, count)| count).sum();
        let mut ports = free_ports(2 * count)?.into_iter();
        for (letter, program, count) in kinds {
            for number in 1..=count {
                let name = format!("{letter}{number}");
                let dir = self.dir.join(&name);
                fs::create_dir_all(&dir)?;
                let (rpc, admin) = (ports.next(), ports.next());
                let member = Member {
                    program,
                    dir,
                    rpc: rpc.context("enough ports")?,
                    admin: admin.context("enough ports")?,
                    process: None,
                };
                self.members.insert(name, member);
            }
        }
        let coordinators: Vec<String> = self
            .members
            .values()
            .filter(|member| member.program == "howdah-coordinator")
            .map(|member| format!("http://127.0.0.1:{}", member.rpc))
            .collect();
        for (name, member) in &self.members {
            let text = self.settings(name, member, &coordinators, shape)?;
            fs::write(member.dir.join("howdah.toml"), text)?;
        }
        Ok(())
    }

    fn settings(
        &self,
        name: &str,
        member: &Member,
        coordinators: &[String],
        shape: &Shape,
    ) -> anyhow::Result<String> {
        let (rpc, admin) = (member.rpc, member.admin);
        let mut text = format!("[service]\nname = \"{name}\"\nadmin = \"127.0.0.1:{admin}\"\n");
        let logs = self.dir.join("logs");
        let rpc_section = format!("[rpc]\nlisten = \"127.0.0.1:{rpc}\"\n");
        let ha = format!("[ha]\nnamespace = \"test\"\ncoordinators = {coordinators:?}\n");
        let nats = format!("[nats]\nservers = {:?}\n", self.nats.urls());
        match member.program {
            "howdah-coordinator" => {
                let endpoints = self.etcd.endpoints();
                write!(
                    text,
                    "{rpc_section}[ha]\nnamespace = \"test\"\n[etcd]\nendpoints = {endpoints:?}\n"
                )?;
            }
            "howdah-scheduler" => {
                let priority = if name == "s1" { shape.first_priority } else { 0 };
                let (database, shards) = (&self.database, shape.shards);
                let base_url = self.rest("g1")?.url;
                write!(
                    text,
                    "{rpc_section}{ha}priority = {priority}\n{nats}[store]\nurl = \"{database}\"\nshards = {shards}\n[jobs]\nbase_url = \"{base_url}\"\n[logs]\ndir = {logs:?}\n"
                )?;
            }
            "howdah-worker" => {
                let (work, slots) = (member.dir.join("work"), shape.slots);
                write!(
                    text,
                    "{ha}{nats}[worker]\nname = \"{name}\"\nwork_dir = {work:?}\nlog_dir = {logs:?}\nslots = {slots}\nrun_as = \"worker\"\n"
                )?;
            }
            _ => {
                write!(text, "[http]\nlisten = \"127.0.0.1:{rpc}\"\n{ha}[logs]\ndir = {logs:?}\n")?;
            }
        }
        Ok(text)
    }

    /// Starts a process that does not run, and waits until it is ready.
    ///
    /// # Errors
    /// When it does not get ready.
    pub fn launch_ready(&mut self, name: &str) -> anyhow::Result<()> {
        self.launch(name)?;
        self.wait_ready(name)
    }

    /// Starts a process that does not run.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn launch(&mut self, name: &str) -> anyhow::Result<()> {
        let member = self.members.get_mut(name).context("no such process")?;
        let program = binary().with_file_name(member.program);
        ensure!(
            program.exists(),
            "{} is not there: build it with `cargo build -p services`",
            program.display()
        );
        let config = member.dir.join("howdah.toml");
        let config = config.to_str().context("a path in UTF-8")?;
        member.process = Some(Process::start(&member.dir, &program, &["--config", config])?);
        Ok(())
    }

    /// Waits until `/ready` of a process says so.
    ///
    /// # Errors
    /// When it does not; the message has the end of its log.
    pub fn wait_ready(&self, name: &str) -> anyhow::Result<()> {
        let member = self.members.get(name).context("no such process")?;
        let url = format!("http://127.0.0.1:{}/ready", member.admin);
        let deadline = Instant::now() + PATIENCE;
        loop {
            if ureq::get(&url).call().is_ok_and(|answer| answer.status() == 200) {
                return Ok(());
            }
            let ended = member.process.as_ref().is_none_or(Process::has_ended);
            if ended || Instant::now() > deadline {
                bail!("{name} is not ready:\n{}", self.log(name));
            }
            std::thread::sleep(POLL);
        }
    }

    /// What a process has logged.
    pub fn log(&self, name: &str) -> String {
        self.members
            .get(name)
            .and_then(|member| fs::read_to_string(member.dir.join("log")).ok())
            .unwrap_or_default()
    }

    /// Kills a process (SIGKILL) and waits until it is gone.
    ///
    /// # Errors
    /// When it does not run.
    pub fn kill(&mut self, name: &str) -> anyhow::Result<()> {
        self.signal(name, Signal::KILL)?;
        let member = self.members.get_mut(name).context("no such process")?;
        let process = member.process.take().context("it does not run")?;
        while !process.has_ended() {
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// Sends a signal: TERM, STOP, CONT.
    ///
    /// # Errors
    /// When it does not run.
    pub fn signal(&self, name: &str, signal: Signal) -> anyhow::Result<()> {
        let member = self.members.get(name).context("no such process")?;
        member.process.as_ref().context("it does not run")?.signal(signal)
    }

    /// Waits until a process that was asked to end has ended.
    ///
    /// # Errors
    /// When it goes on.
    pub fn wait_ended(&mut self, name: &str) -> anyhow::Result<()> {
        let member = self.members.get_mut(name).context("no such process")?;
        let Some(process) = &member.process else { return Ok(()) };
        let deadline = Instant::now() + PATIENCE;
        while !process.has_ended() {
            ensure!(Instant::now() < deadline, "{name} does not end");
            std::thread::sleep(POLL);
        }
        member.process = None;
        Ok(())
    }

    /// The REST interface of a gateway.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn rest(&self, gateway: &str) -> anyhow::Result<Rest> {
        let member = self.members.get(gateway).context("no such gateway")?;
        Ok(Rest { url: format!("http://127.0.0.1:{}/oozie", member.rpc) })
    }

    /// A number that a process exports, by the beginning of its line.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn metric(&self, name: &str, line: &str) -> anyhow::Result<f64> {
        let member = self.members.get(name).context("no such process")?;
        let url = format!("http://127.0.0.1:{}/metrics", member.admin);
        let text = ureq::get(&url).call()?.body_mut().read_to_string()?;
        let found = text.lines().filter(|one| one.starts_with(line));
        let values = found.filter_map(|one| one.rsplit(' ').next()?.parse::<f64>().ok());
        Ok(values.sum())
    }
}

/// Ports that nobody listens on; held until all are chosen.
fn free_ports(count: usize) -> anyhow::Result<Vec<u16>> {
    let listeners: Vec<TcpListener> =
        (0..count).map(|_| TcpListener::bind(("127.0.0.1", 0))).collect::<Result<_, _>>()?;
    listeners.iter().map(|one| Ok(one.local_addr()?.port())).collect()
}
