//! The demonstration: a server of its own in a temporary directory, the ETL example submitted over REST, its progress and
//! its result. Everything is done by the `howdah` binary, so what is shown is what a user gets.

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

/// A server that is not up by then will not come up.
const START_PATIENCE: Duration = Duration::from_secs(60);
const LOOK_INTERVAL: Duration = Duration::from_millis(50);
/// How long a server may take to end by itself.
const STOP_PATIENCE: Duration = Duration::from_secs(20);
/// Lines that are shown of each published table.
const LINES_SHOWN: usize = 5;

/// Runs it.
///
/// # Errors
/// When the server does not start or the job does not succeed.
pub fn run(root: &Path, howdah: &OsStr, out: &mut dyn Write) -> anyhow::Result<()> {
    let begin = Instant::now();
    let folder = tempfile::Builder::new().prefix("howdah-demo-").tempdir()?;
    let app = folder.path().join("etl");
    copy(&root.join("examples/etl"), &app)?;
    let server = Server::start(howdah, &folder.path().join("data"))?;
    writeln!(out, "a server is up at {} after {:.1} s", server.url, begin.elapsed().as_secs_f64())?;
    let job = submit(&server, &app)?;
    writeln!(out, "submitted {} as {job}", app.display())?;
    server.show(&["events", "--follow", &job])?;
    server.show(&["job", "-info", &job])?;
    ensure!(
        status(&server, &job)? == "SUCCEEDED",
        "the job did not succeed; look at the lines above"
    );
    show_tables(&app.join("output/published"), out)?;
    writeln!(
        out,
        "\nSUCCEEDED in {:.1} s, the server's start included",
        begin.elapsed().as_secs_f64()
    )?;
    Ok(())
}

fn submit(server: &Server<'_>, app: &Path) -> anyhow::Result<String> {
    let config = app.join("job.properties");
    let path = format!("oozie.wf.application.path=file://{}", app.display());
    let said =
        server.ask(&["job", "-config", &config.display().to_string(), "-D", &path, "-run"])?;
    let id = said.lines().find_map(|line| line.strip_prefix("job: ")).map(str::trim);
    id.map(str::to_owned).with_context(|| format!("the server gave no job id: {said}"))
}

fn status(server: &Server<'_>, job: &str) -> anyhow::Result<String> {
    let said = server.ask(&["job", "-info", job])?;
    let line = said.lines().find(|line| line.starts_with("Status")).unwrap_or_default();
    Ok(line.rsplit(':').next().unwrap_or_default().trim().to_owned())
}

fn show_tables(folder: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
    let entries = fs::read_dir(folder)
        .with_context(|| format!("nothing was published in {}", folder.display()))?;
    let mut tables: Vec<PathBuf> =
        entries.flatten().map(|entry| entry.path()).filter(|path| path.is_file()).collect();
    tables.sort();
    for table in tables {
        let text = fs::read_to_string(&table)?;
        writeln!(out, "\n{} ({} lines)", table.display(), text.lines().count())?;
        for line in text.lines().take(LINES_SHOWN) {
            writeln!(out, "  {line}")?;
        }
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot list {}", from.display()))? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        match entry.file_type()?.is_dir() {
            // What an earlier run left behind is not a part of the example.
            true if entry.file_name() == "output" => {}
            true => copy(&entry.path(), &target)?,
            false => drop(fs::copy(entry.path(), target)?),
        }
    }
    Ok(())
}

/// A server that ends with this value.
struct Server<'a> {
    howdah: &'a OsStr,
    url: String,
    child: Child,
}

impl<'a> Server<'a> {
    fn start(howdah: &'a OsStr, data: &Path) -> anyhow::Result<Server<'a>> {
        let address = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.to_string();
        let mut command = Command::new(howdah);
        command.arg("standalone").arg("--data-dir").arg(data).args(["--listen", &address]);
        fs::create_dir_all(data)?;
        let log = fs::File::create(data.with_extension("log"))?;
        let child = command.stdin(Stdio::null()).stderr(log).stdout(Stdio::null()).spawn();
        let child = child.with_context(|| format!("cannot start {}", howdah.display()))?;
        let mut server = Server { howdah, url: format!("http://{address}/oozie"), child };
        server.wait_until_up(&data.with_extension("log"))?;
        Ok(server)
    }

    fn wait_until_up(&mut self, log: &Path) -> anyhow::Result<()> {
        let end = Instant::now() + START_PATIENCE;
        while self.ask(&["admin", "-status"]).is_err() {
            let ended = self.child.try_wait()?;
            if ended.is_some() || Instant::now() > end {
                bail!(
                    "the server did not come up: {}",
                    fs::read_to_string(log).unwrap_or_default()
                );
            }
            thread::sleep(LOOK_INTERVAL);
        }
        Ok(())
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.howdah);
        command.args(arguments).env("OOZIE_URL", &self.url).stdin(Stdio::null());
        command
    }

    /// What a command prints.
    fn ask(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let output = self.command(arguments).output()?;
        let errors = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "howdah {}: {errors}", arguments.join(" "));
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Runs a command whose output is for the one who watches.
    fn show(&self, arguments: &[&str]) -> anyhow::Result<()> {
        let status = self.command(arguments).status()?;
        ensure!(status.success(), "howdah {}: {status}", arguments.join(" "));
        Ok(())
    }
}

impl Drop for Server<'_> {
    fn drop(&mut self) {
        // SIGTERM first, so that the server ends as it does in earnest; what is left of it then is killed.
        let _asked = Command::new("kill").arg(self.child.id().to_string()).status();
        let end = Instant::now() + STOP_PATIENCE;
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < end {
            thread::sleep(LOOK_INTERVAL);
        }
        let _over = self.child.kill().and_then(|()| self.child.wait());
    }
}
