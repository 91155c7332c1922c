//! What only a file shows: one server at a time, directories that cannot be written, disks that fill up.
//!
//! Facts that need a machine of their own run in a second process of this test: without root's right to pass by modes, or in
//! a mount namespace where a small disk can be made. Where the machine does not let us, the skip is printed.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use model::job::JobHeader;
use ports::store::{CommitOutcome, Reads, Store, StoreError};
use store_sql::{NewCluster, SqliteStore};

use crate::samples::{Term, batch_of, header, job_id, new_cluster};

/// Where the second process finds its directory.
const DIR: &str = "HOWDAH_TEST_DIR";
/// Long enough to fill a small disk soon.
const LONG: usize = 100_000;

async fn open(dir: &Path) -> Result<SqliteStore, StoreError> {
    SqliteStore::open(dir, &new_cluster()).await
}

fn why(found: Result<SqliteStore, StoreError>) -> String {
    let StoreError::Refused { why } = found.expect_err("it is refused") else {
        panic!("another error")
    };
    why
}

#[tokio::test]
async fn a_second_server_on_one_directory_is_refused_with_the_pid_of_the_first() {
    let dir = tempfile::tempdir().expect("a directory");
    let first = open(dir.path()).await.expect("it opens");
    let said = why(open(dir.path()).await);
    assert!(
        said.contains("second server") && said.contains(&format!("pid {}", std::process::id())),
        "{said}"
    );
    drop(first);
    open(dir.path()).await.expect("it opens again");
}

/// A supervisor outlives its server; it must not keep the lock.
#[tokio::test]
async fn a_child_does_not_inherit_the_lock() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path()).await.expect("it opens");
    let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().expect("it starts");
    drop(store);
    let again = open(dir.path()).await;
    child.kill().and_then(|()| child.wait()).expect("it ends");
    again.expect("it opens again");
}

#[tokio::test]
async fn what_was_committed_is_there_after_a_restart_and_nobody_else_may_read_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path()).await.expect("it opens");
    let mut term = Term::take(&store, &[1], 1).await.expect("taken");
    assert_eq!(term.commit(batch_of(header(1))).await, CommitOutcome::Committed);
    drop(store);
    let store = open(dir.path()).await.expect("it opens");
    assert_eq!(
        store.load(&job_id(1)).await.expect("it loads").expect("it is there").header,
        header(1)
    );
    assert_eq!(store.cluster().stamp, "261121142320042");
    assert_eq!(fs::metadata(dir.path().join("howdah.db")).expect("a file").mode() & 0o777, 0o600);
}

#[tokio::test]
async fn another_shard_count_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    drop(open(dir.path()).await.expect("it opens"));
    let said =
        why(SqliteStore::open(dir.path(), &NewCluster { shards: 64, ..new_cluster() }).await);
    assert!(said.contains("4 shards") && said.contains("64"), "{said}");
}

#[tokio::test]
async fn a_file_that_is_no_database_is_called_damaged() {
    let dir = tempfile::tempdir().expect("a directory");
    fs::write(
        dir.path().join("howdah.db"),
        "this is no database, but it is long enough to be asked",
    )
    .expect("written");
    let found = open(dir.path()).await;
    assert!(
        matches!(&found, Err(StoreError::Corrupt { source_message, .. }) if source_message.contains("damaged")),
        "{found:?}"
    );
}

/// Runs an ignored fact of this file in a process that `wrapper` starts; says so when the machine does not allow it.
#[expect(clippy::print_stderr, reason = "a skip must be seen")]
fn run_within(wrapper: &[&str], fact: &str, dir: &Path) {
    let (program, args) = wrapper.split_first().expect("a program");
    if !Command::new(program).args(args).arg("true").status().is_ok_and(|status| status.success()) {
        eprintln!("SKIPPED {fact}: `{}` is not allowed here", wrapper.join(" "));
        return;
    }
    let own = std::env::current_exe().expect("its own name");
    let mut command = Command::new(program);
    command.args(args).arg(own).args([
        "--ignored",
        "--exact",
        "--nocapture",
        &format!("sqlite_only::{fact}"),
    ]);
    let output = command.env(DIR, dir).output().expect("it starts");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn given_dir() -> PathBuf {
    std::env::var_os(DIR).expect("set by the first process").into()
}

/// Root passes by modes unless it gives that right away.
const BOUND_BY_MODES: &[&str] = &["setpriv", "--bounding-set=-dac_override,-dac_read_search"];
/// A namespace of its own for mounts, as root of a user namespace where we are not root.
const OWN_MOUNTS: &[&str] = &["unshare", "--mount", "--map-root-user"];

#[test]
fn a_directory_or_database_that_cannot_be_written_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let is_root = fs::metadata("/proc/self").expect("a process").uid() == 0;
    let wrapper = if is_root { BOUND_BY_MODES } else { &["env"] };
    run_within(wrapper, "in_a_directory_that_cannot_be_written", dir.path());
}

#[tokio::test]
#[ignore = "run by a_directory_or_database_that_cannot_be_written_is_refused"]
async fn in_a_directory_that_cannot_be_written() {
    let dir = given_dir();
    let chmod = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("changed")
    };
    chmod(&dir, 0o555);
    for place in [dir.clone(), dir.join("below")] {
        let said = why(open(&place).await);
        assert!(said.contains("Permission denied") && said.contains("right to write"), "{said}");
    }
    chmod(&dir, 0o755);
    drop(open(&dir).await.expect("it opens"));
    chmod(&dir.join("howdah.db"), 0o444);
    let said = why(open(&dir).await);
    assert!(said.contains("howdah.db") && said.contains("right to write"), "{said}");
}

#[test]
fn a_full_disk_is_nobodys_fault_and_passes() {
    let dir = tempfile::tempdir().expect("a directory");
    run_within(OWN_MOUNTS, "on_a_small_disk", dir.path());
}

fn mount(options: &str, dir: &Path) -> bool {
    let status =
        Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(dir).status();
    status.expect("mount starts").success()
}

/// A dropped store closes its files on threads of their own.
async fn until_read_only(dir: &Path) {
    let mounting = async {
        while !mount("remount,ro", dir) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), mounting).await.expect("all files are closed");
}

#[tokio::test]
#[ignore = "run by a_full_disk_is_nobodys_fault_and_passes"]
async fn on_a_small_disk() {
    let dir = given_dir();
    assert!(mount("size=2m", &dir));
    let store = open(&dir).await.expect("it opens");
    let mut term = Term::take(&store, &[1], 1).await.expect("taken");
    let long = |serial| batch_of(JobHeader { app_path: "x".repeat(LONG).into(), ..header(serial) });
    let mut written = 0;
    let outcome = loop {
        match term.commit(long(written * 4 + 1)).await {
            CommitOutcome::Committed => written += 1,
            other => break other,
        }
    };
    assert!(
        matches!(&outcome, CommitOutcome::Unavailable(why) if why.contains("make room")),
        "{outcome:?}"
    );
    assert!(written > 2, "only {written} went in");
    assert_eq!(store.load(&job_id(written * 4 + 1)).await, Ok(None));
    assert!(store.load(&job_id(1)).await.expect("it loads").is_some());
    assert!(mount("remount,size=20m", &dir));
    assert_eq!(term.commit(long(written * 4 + 1)).await, CommitOutcome::Committed);
    drop(store);
    until_read_only(&dir).await;
    let said = why(open(&dir).await);
    assert!(said.contains("Read-only file system") && said.contains("mount"), "{said}");
}
