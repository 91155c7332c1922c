//! A real PostgreSQL for tests: its own directory, user, port and sockets, fsync on, gone with the test.
//!
//! **Invariants**
//! * Root never runs the server: then the user `postgres`, or else `nobody`, does.
//! * Nothing is left behind, also when the test is killed: a shell stands between, whose standard input is a pipe from the
//!   test process. When the pipe ends, for whatever reason, it ends the server and removes the directory; and when the
//!   shell itself is killed, the kernel ends the server (`setpriv --pdeathsig`).
//! * Readiness is asked for, not waited for by time alone.

use std::ffi::OsStr;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

/// How long a start may take on a busy machine.
const START_TIMEOUT: Duration = Duration::from_secs(60);
/// Between two questions whether it is ready.
const POLL_INTERVAL: Duration = Duration::from_millis(20);
/// The superuser of the server.
const USER: &str = "howdah";

/// What stands between the test and the server: starts it, ends it when the pipe does, and cleans up.
const JANITOR: &str = r#"
trap "" INT TERM HUP
dir=$1; shift
"$@" </dev/null >"$dir/log" 2>&1 &
server=$!
read -r word
kill -QUIT "$server" 2>/dev/null
wait "$server"
rm -rf "$dir"
"#;

/// A running server; dropped, it ends.
#[derive(Debug)]
pub struct Postgres {
    janitor: Child,
    programs: PathBuf,
    dir: PathBuf,
    port: u16,
    databases: AtomicU32,
}

impl Postgres {
    /// Starts a server with the settings of a fresh installation.
    pub fn start() -> anyhow::Result<Postgres> {
        Postgres::start_with(&[])
    }

    /// Starts a server with these settings over those of a fresh installation.
    pub fn start_with(settings: &[(&str, &str)]) -> anyhow::Result<Postgres> {
        Postgres::start_after(settings, |_| Ok(()))
    }

    /// Starts a server that stays in recovery, as a standby does: it can be read, not written.
    pub fn start_in_recovery() -> anyhow::Result<Postgres> {
        Postgres::start_after(&[], |data| {
            fs::write(data.join("standby.signal"), "").context("cannot write standby.signal")
        })
    }

    fn start_after(
        settings: &[(&str, &str)],
        prepare: fn(&Path) -> anyhow::Result<()>,
    ) -> anyhow::Result<Postgres> {
        let programs = find_programs()?;
        let dir = tempfile::Builder::new().prefix("howdah-postgres-").tempdir()?;
        let user = unprivileged_user()?;
        if let Some(user) = &user {
            chown(dir.path(), Some(user.uid), Some(user.gid))?;
        }
        initialise(&programs, dir.path(), user.as_ref())?;
        prepare(&dir.path().join("data"))?;
        let port = free_port()?;
        let janitor = spawn(&programs, dir.path(), user.as_ref(), port, settings)?;
        let mut server =
            Postgres { janitor, programs, dir: dir.keep(), port, databases: AtomicU32::new(0) };
        server.wait_until_ready()?;
        Ok(server)
    }

    /// The server that all tests of this process share; each takes a [`Postgres::database`] of its own.
    ///
    /// # Panics
    /// When no server can be started: the message says what to install.
    pub fn shared() -> &'static Postgres {
        static SHARED: OnceLock<Postgres> = OnceLock::new();
        SHARED.get_or_init(|| Postgres::start().unwrap_or_else(|error| panic!("{error:#}")))
    }

    /// Creates an empty database and gives its address.
    ///
    /// # Panics
    /// When the server refuses.
    pub fn database(&self) -> String {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres", &format!("CREATE DATABASE {name}"))
            .unwrap_or_else(|error| panic!("{error:#}"));
        self.url(&name)
    }

    /// The address of a database, by the Unix socket.
    pub fn url(&self, database: &str) -> String {
        let host = self.dir.to_string_lossy().replace('/', "%2F");
        format!("postgres://{USER}@{host}:{}/{database}", self.port)
    }

    /// The address of a database, by TCP on the loopback interface at `port`: the server's own, or a proxy's.
    pub fn tcp_url(&self, database: &str, port: u16) -> String {
        format!("postgres://{USER}@127.0.0.1:{port}/{database}")
    }

    /// Its port, on the loopback interface.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Runs SQL by `psql` and gives what it printed, unaligned and without headings.
    pub fn sql(&self, database: &str, sql: &str) -> anyhow::Result<String> {
        run(Command::new(self.programs.join("psql")).args([
            "-X",
            "-q",
            "-A",
            "-t",
            "-v",
            "ON_ERROR_STOP=1",
            "-d",
            &self.url(database),
            "-c",
            sql,
        ]))
    }

    fn wait_until_ready(&mut self) -> anyhow::Result<()> {
        let deadline = deadline();
        while !self.is_ready() {
            if let Some(status) = self.janitor.try_wait()? {
                bail!("postgres ended while it started ({status}): {}", self.log());
            }
            ensure!(
                Instant::now() < deadline,
                "postgres is not ready after {START_TIMEOUT:?}: {}",
                self.log()
            );
            std::thread::sleep(POLL_INTERVAL);
        }
        Ok(())
    }

    fn is_ready(&self) -> bool {
        Command::new(self.programs.join("pg_isready"))
            .args(["-q", "-h"])
            .arg(&self.dir)
            .args(["-p", &self.port.to_string()])
            .status()
            .is_ok_and(|status| status.success())
    }

    fn log(&self) -> String {
        fs::read_to_string(self.dir.join("log")).unwrap_or_default()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        drop(self.janitor.stdin.take());
        let _ = self.janitor.wait();
    }
}

fn deadline() -> Instant {
    Instant::now() + START_TIMEOUT
}

/// Who runs the server instead of root.
struct User {
    uid: u32,
    gid: u32,
}

impl User {
    fn command(user: Option<&User>, program: impl AsRef<OsStr>, with: &[&str]) -> Command {
        let mut command = Command::new("setpriv");
        command.args(with);
        if let Some(User { uid, gid }) = user {
            command.args([
                format!("--reuid={uid}"),
                format!("--regid={gid}"),
                "--clear-groups".to_owned(),
            ]);
        }
        command.arg("--").arg(program);
        command
    }
}

fn unprivileged_user() -> anyhow::Result<Option<User>> {
    if fs::metadata("/proc/self")?.uid() != 0 {
        return Ok(None);
    }
    let users = fs::read_to_string("/etc/passwd")?;
    let found = ["postgres", "nobody"].iter().find_map(|name| user_in(&users, name));
    Ok(Some(
        found.context(
            "root may not run postgres, and there is neither a user postgres nor nobody",
        )?,
    ))
}

fn user_in(users: &str, name: &str) -> Option<User> {
    let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
    let mut fields = line.split(':').skip(2);
    Some(User { uid: fields.next()?.parse().ok()?, gid: fields.next()?.parse().ok()? })
}

/// The newest of /usr/lib/postgresql/*/bin (Debian), or the folder of the first `initdb` in PATH.
fn find_programs() -> anyhow::Result<PathBuf> {
    let has_it = |dir: &PathBuf| dir.join("initdb").is_file() && dir.join("postgres").is_file();
    let mut packaged: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .map(|entries| {
            entries.flatten().map(|entry| entry.path().join("bin")).filter(has_it).collect()
        })
        .unwrap_or_default();
    packaged.sort_by_key(|bin| version_of(bin));
    let path = std::env::var_os("PATH").unwrap_or_default();
    packaged.pop().or_else(|| std::env::split_paths(&path).find(has_it)).context(
        "no PostgreSQL server programs in /usr/lib/postgresql/*/bin or PATH: install them (Debian: apt-get install postgresql)",
    )
}

fn version_of(bin: &Path) -> Option<u32> {
    bin.parent()?.file_name()?.to_str()?.parse().ok()
}

fn initialise(programs: &Path, dir: &Path, user: Option<&User>) -> anyhow::Result<()> {
    let mut command = User::command(user, programs.join("initdb"), &[]);
    command.args([
        "--no-sync",
        "--auth=trust",
        "--encoding=UTF8",
        "--locale=C",
        "--username",
        USER,
        "-D",
    ]);
    run(command.arg(dir.join("data")).current_dir(dir)).map(drop)
}

fn spawn(
    programs: &Path,
    dir: &Path,
    user: Option<&User>,
    port: u16,
    settings: &[(&str, &str)],
) -> anyhow::Result<Child> {
    let server = User::command(user, programs.join("postgres"), &["--pdeathsig=KILL"]);
    let mut janitor = Command::new("sh");
    janitor
        .args(["-c", JANITOR, "janitor"])
        .arg(dir)
        .arg(server.get_program())
        .args(server.get_args());
    janitor.arg("-D").arg(dir.join("data")).arg("-k").arg(dir);
    janitor.args(["-h", "127.0.0.1", "-p", &port.to_string()]);
    for (name, value) in settings {
        janitor.arg("-c").arg(format!("{name}={value}"));
    }
    janitor.stdin(Stdio::piped()).current_dir(dir).spawn().context("cannot start sh")
}

fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

fn run(command: &mut Command) -> anyhow::Result<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot start {command:?}"))?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?} ended with {}: {errors}", output.status);
    Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_answers_keeps_fsync_on_and_leaves_nothing_behind() {
        let server = Postgres::start().expect("it starts");
        let url = server.database();
        assert!(url.ends_with("/test_0"), "{url}");
        assert_eq!(server.sql("test_0", "SHOW fsync").expect("it answers"), "on");
        let dir = server.dir.clone();
        drop(server);
        assert!(!dir.exists());
    }
}
