//! Disks, directories and ports that cannot be used, and a second server.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use testkit::server::{Server, binary, wait_until};

use super::bench::{Bench, chain, shared, shell, workflow, write_app};
use super::poison::quarantined;
use crate::replayed;

/// A user of every Linux who owns nothing.
const NOBODY: u32 = 65_534;
/// Room on the small disk: the database and some attempts, not much more.
const DISK: &str = "24m";
/// On a full disk an answer comes within this: it is about a fact that is known already.
const REFUSED_WITHIN: Duration = Duration::from_secs(20);

#[expect(clippy::print_stderr, reason = "a skipped test must be seen")]
fn skipped(why: &str) {
    eprintln!("skipped: {why}");
}

/// Starts a server that must refuse, and checks how: its exit code, its code, words of its message.
#[track_caller]
fn refuses(command: &mut Command, exit: i32, code: &str, words: &[&str]) {
    let Output { status, stderr, stdout } = command.stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&stderr);
    assert_eq!(status.code(), Some(exit), "{said}");
    assert!(
        !String::from_utf8_lossy(&stdout).contains("ready"),
        "it must not say that it is ready"
    );
    for word in words.iter().chain(&[code]) {
        assert!(said.contains(word), "no `{word}` in: {said}");
    }
}

fn standalone(data_dir: &Path, listen: &str) -> Command {
    let mut command = Command::new(binary());
    command.args(["standalone", "--listen", listen, "--data-dir"]).arg(data_dir);
    command
}

#[test]
fn a_second_server_is_refused_and_the_first_goes_on() {
    let bench = shared();
    let pid = bench.server.pid().to_string();
    bench.beside(|bench| {
        refuses(
            &mut standalone(&bench.server.data_dir, "127.0.0.1:0"),
            75,
            "HW5002",
            &[&pid, bench.server.data_dir.to_str().unwrap(), "--data-dir"],
        );
    });
}

#[test]
fn a_port_in_use_is_refused_and_its_owner_goes_on() {
    let bench = shared();
    let address = bench
        .server
        .url
        .trim_start_matches("http://")
        .trim_end_matches("/oozie")
        .replace("localhost", "127.0.0.1");
    let elsewhere = tempfile::tempdir().unwrap();
    bench.beside(|_| {
        refuses(&mut standalone(elsewhere.path(), &address), 69, "HW5001", &[&address, "--listen"])
    });
    bench.beside(|_| {
        refuses(
            &mut standalone(elsewhere.path(), "203.0.113.1:1"),
            69,
            "HW5001",
            &["203.0.113.1:1"],
        )
    });
    bench.beside(|_| {
        refuses(
            &mut standalone(elsewhere.path(), "nonsense"),
            69,
            "HW5001",
            &["nonsense", "--listen"],
        )
    });
}

#[test]
fn a_data_directory_that_is_none_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "not a directory").unwrap();
    refuses(
        &mut standalone(&file, "127.0.0.1:0"),
        73,
        "HW5003",
        &[file.to_str().unwrap(), "--data-dir"],
    );
    let damaged = dir.path().join("damaged");
    fs::create_dir(&damaged).unwrap();
    fs::write(
        damaged.join("howdah.db"),
        "no database at all, but long enough to look at".repeat(100),
    )
    .unwrap();
    refuses(
        &mut standalone(&damaged, "127.0.0.1:0"),
        69,
        "HW5005",
        &[damaged.to_str().unwrap(), "damaged", "restore"],
    );
}

#[test]
fn a_read_only_database_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let data_dir = dir.path().join("data");
    let mut server = Server::start(&data_dir).unwrap();
    server.kill();
    let Some(mut unprivileged) = unprivileged(&data_dir) else { return };
    let database = data_dir.join("howdah.db");
    fs::set_permissions(&database, fs::Permissions::from_mode(0o444)).unwrap();
    shared().beside(|_| refuses(&mut unprivileged, 73, "HW5003", &["howdah.db", "right to write"]));
    fs::set_permissions(&data_dir, fs::Permissions::from_mode(0o555)).unwrap();
    shared().beside(|_| {
        refuses(&mut unprivileged, 73, "HW5003", &[data_dir.to_str().unwrap(), "permissions"])
    });
    fs::set_permissions(&data_dir, fs::Permissions::from_mode(0o755)).unwrap();
}

/// The server as a user whom modes hold back: root ignores them.
fn unprivileged(data_dir: &Path) -> Option<Command> {
    let mut command = standalone(data_dir, "127.0.0.1:0");
    if !is_root() {
        return Some(command);
    }
    let able = Command::new(binary())
        .arg("version")
        .uid(NOBODY)
        .gid(NOBODY)
        .stdout(Stdio::null())
        .status();
    if !able.is_ok_and(|status| status.success()) {
        skipped("root ignores modes, and nobody else may run the server here");
        return None;
    }
    chown(data_dir, Some(NOBODY), Some(NOBODY)).unwrap();
    for entry in fs::read_dir(data_dir).unwrap().map(Result::unwrap) {
        chown(entry.path(), Some(NOBODY), Some(NOBODY)).unwrap();
    }
    command.uid(NOBODY).gid(NOBODY);
    Some(command)
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    fs::metadata("/proc/self").unwrap().uid() == 0
}

/// A small disk; gone with this.
struct Disk {
    mount: PathBuf,
}

impl Disk {
    fn new(mount: PathBuf) -> Option<Disk> {
        fs::create_dir_all(&mount).unwrap();
        let size = format!("size={DISK}");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(&mount)
            .stderr(Stdio::null())
            .status();
        mounted.is_ok_and(|status| status.success()).then_some(Disk { mount })
    }

    /// Takes all room that is left.
    fn fill(&self) {
        let mut chunk = 1 << 20;
        let mut filled = Vec::new();
        let path = self.mount.join("fill");
        while chunk > 0 {
            filled.resize(filled.len() + chunk, b'x');
            if fs::write(&path, &filled).is_err() {
                filled.truncate(filled.len() - chunk);
                chunk /= 2;
            }
        }
        let _full = fs::write(&path, &filled);
    }

    fn make_room(&self) {
        fs::remove_file(self.mount.join("fill")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: a supervisor may still be on its way out.
        let _gone = Command::new("umount").arg("-l").arg(&self.mount).status();
    }
}

#[test]
fn a_full_disk_loses_nothing_that_was_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let Some(disk) = Disk::new(dir.path().join("disk")) else {
        return skipped("a small disk can be mounted by root only");
    };
    let data_dir = disk.mount.join("data");
    let server =
        Server::start_with(&data_dir, &[], &[("HOWDAH_JOBS__RETRY_INTERVAL", "1s")]).unwrap();
    let bench = Bench::of(server, dir);
    let go = bench.path("go");
    let wait =
        shell("a", "b", &format!("while ! test -e {}; do sleep 0.1; done", go.display()), "");
    let waiting = bench.app(workflow(&(wait + &shell("b", "end", "true", ""))));
    let app = bench.path("acknowledged");
    write_app(&app, chain().as_bytes());
    let app = app.to_str().unwrap();
    let mut acknowledged = vec![bench.begin(&waiting, &[]), bench.begin(app, &[])];
    wait_until("the action runs", || {
        bench.server.job(&acknowledged[0]).unwrap()["actions"].to_string().contains("\"RUNNING\"")
    })
    .unwrap();
    // Somebody else's server on another disk does not notice.
    shared().beside(|_| {
        disk.fill();
        let refusal = loop {
            let asked = Instant::now();
            let answer = bench.submit(app, &[]);
            assert!(
                asked.elapsed() < REFUSED_WITHIN,
                "an answer took {:?}: {answer:?}",
                asked.elapsed()
            );
            match answer.status {
                201 => acknowledged.push(
                    serde_json::from_str::<serde_json::Value>(&answer.body).unwrap()["id"]
                        .as_str()
                        .unwrap()
                        .to_owned(),
                ),
                _ => break answer,
            }
        };
        assert_eq!(refusal.status, 503, "{refusal:?}");
        assert!(["E0600", "HW1012"].contains(&refusal.code.as_str()), "{refusal:?}");
        assert!(refusal.message.contains("full"), "{refusal:?}");
        let again = bench.submit(app, &[]);
        assert_eq!((again.status, again.code.as_str()), (503, "E0600"), "{again:?}");
        let killed = bench.server.command(&acknowledged[0], "kill", &[]).unwrap_err().to_string();
        assert!(killed.contains("503"), "{killed}");
    });
    let ready = bench.server.send("GET", "/ready", &[], None).unwrap();
    assert!(ready.status == 503 && ready.body.contains("full"), "{ready:?}");
    assert_eq!(bench.server.send("GET", "/live", &[], None).unwrap().status, 200);
    assert_eq!(bench.server.job(&acknowledged[0]).unwrap()["status"], "RUNNING", "reads go on");
    fs::write(&go, "").unwrap();
    thread::sleep(Duration::from_millis(500));
    disk.make_room();
    for job in &acknowledged {
        let ended = bench.server.ended(job).unwrap();
        assert_eq!(ended["status"], "SUCCEEDED", "{ended}");
    }
    wait_until("it is ready again", || {
        bench.server.send("GET", "/ready", &[], None).unwrap().status == 200
    })
    .unwrap();
    assert_eq!(bench.server.ended(&bench.begin(app, &[])).unwrap()["status"], "SUCCEEDED");
    let dir = bench.stop();
    assert!(replayed::check_all(&data_dir) > acknowledged.len());
    drop(disk);
    drop(dir);
}

/// The files of a database that nobody can write, not even who has them open; writable again when this is gone.
struct ReadOnly {
    files: Vec<PathBuf>,
}

impl ReadOnly {
    /// Nothing where files cannot be made immutable.
    fn new(data_dir: &Path) -> Option<ReadOnly> {
        // Not the index in shared memory: writing to a mapped file that turns immutable ends any program.
        let names = ["howdah.db-wal", "howdah.db"];
        let files = names.map(|name| data_dir.join(name)).into();
        let made = ReadOnly { files };
        made.set("+i").then_some(made)
    }

    fn set(&self, attribute: &str) -> bool {
        let mut command = Command::new("chattr");
        command.arg(attribute).args(&self.files).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    }
}

impl Drop for ReadOnly {
    fn drop(&mut self) {
        self.set("-i");
    }
}

#[test]
fn a_database_that_turns_read_only_loses_nothing_and_goes_on_when_it_is_writable() {
    let bench = Bench::start(&[("HOWDAH_JOBS__RETRY_INTERVAL", "1s")]);
    let data_dir = bench.server.data_dir.clone();
    let go = bench.path("go");
    let wait =
        shell("a", "b", &format!("while ! test -e {}; do sleep 0.1; done", go.display()), "");
    let waiting = bench.app(workflow(&(wait + &shell("b", "end", "true", ""))));
    let app = bench.app(chain());
    let jobs = [bench.begin(&waiting, &[]), bench.begin(&app, &[])];
    wait_until("the action runs", || {
        bench.server.job(&jobs[0]).unwrap()["actions"].to_string().contains("\"RUNNING\"")
    })
    .unwrap();
    // Somebody else's server on another database does not notice.
    let read_only = shared().beside(|_| {
        let read_only = ReadOnly::new(&data_dir)?;
        for (codes, words) in
            [(["E0600", "HW1012"].as_slice(), ""), (&["E0600"], "cannot be written")]
        {
            let asked = Instant::now();
            let answer = bench.submit(&app, &[]);
            let took = asked.elapsed();
            assert!(took < REFUSED_WITHIN, "an answer took {took:?}: {answer:?}");
            assert_eq!(answer.status, 503, "{answer:?}");
            assert!(
                codes.contains(&answer.code.as_str()) && answer.message.contains(words),
                "{answer:?}"
            );
        }
        let killed = bench.server.command(&jobs[0], "kill", &[]).unwrap_err().to_string();
        assert!(killed.contains("503"), "{killed}");
        Some(read_only)
    });
    let Some(read_only) = read_only else {
        fs::write(&go, "").unwrap();
        return skipped("files cannot be made immutable here");
    };
    let ready = bench.server.send("GET", "/ready", &[], None).unwrap();
    assert!(ready.status == 503 && ready.body.contains("cannot be written"), "{ready:?}");
    assert_eq!(bench.server.send("GET", "/live", &[], None).unwrap().status, 200);
    assert_eq!(bench.server.job(&jobs[0]).unwrap()["status"], "RUNNING", "reads go on");
    // The attempt ends while nothing can be stored of it.
    fs::write(&go, "").unwrap();
    thread::sleep(Duration::from_millis(500));
    drop(read_only);
    for job in &jobs {
        let ended = bench.server.ended(job).unwrap();
        assert_eq!(ended["status"], "SUCCEEDED", "{ended}");
    }
    wait_until("it is ready again", || {
        bench.server.send("GET", "/ready", &[], None).unwrap().status == 200
    })
    .unwrap();
    assert_eq!(bench.server.ended(&bench.begin(&app, &[])).unwrap()["status"], "SUCCEEDED");
    let _dir = bench.stop();
    assert_eq!(quarantined(&data_dir), []);
    assert!(replayed::check_all(&data_dir) > jobs.len());
}
