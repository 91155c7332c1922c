//! A full disk loses no exit status.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use supervisor::{Outcome, Plan, State, SupervisorExit, inspect};
use tempfile::TempDir;

use crate::fixture::{Attempt, exit_of, is_alive, is_root, wait_for};
use crate::surroundings::skip;

/// A disk of its own, small enough to be filled.
struct SmallDisk(TempDir);

impl SmallDisk {
    fn mount(size: &str) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let options = format!("size={size}");
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "tmpfs"])
            .arg(dir.path())
            .status();
        (is_root() && mount.is_ok_and(|status| status.success())).then_some(Self(dir))
    }

    fn filler(&self) -> PathBuf {
        self.0.path().join("filler")
    }

    fn fill(&self) {
        let mut filler = File::create(self.filler()).unwrap();
        let full = loop {
            if let Err(error) = filler.write_all(&[0; 4096]) {
                break error;
            }
        };
        assert_eq!(full.kind(), io::ErrorKind::StorageFull);
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

/// An attempt whose directory is on the small disk.
fn attempt_on(disk: &SmallDisk, script: &str, change: impl FnOnce(&mut Plan)) -> Attempt {
    let mut attempt = Attempt::with(script, change);
    let dir = disk.0.path().join("attempt");
    fs::create_dir(&dir).unwrap();
    fs::copy(attempt.dir.join("plan.json"), dir.join("plan.json")).unwrap();
    attempt.dir = dir;
    attempt
}

fn go(attempt: &Attempt) {
    fs::write(attempt.work("go"), "").unwrap();
}

#[test]
fn the_room_for_a_result_is_reserved_before_the_start() {
    let Some(disk) = SmallDisk::mount("256k") else { return skip("mounting a small disk") };
    let log_to = |path: &Path| path.join("log");
    let attempt =
        attempt_on(&disk, "until [ -e go ]; do sleep 0.01; done; echo unlogged; exit 7", |plan| {
            plan.stdout_log = log_to(disk.0.path());
        });
    let running = attempt.start();
    attempt.claim();
    disk.fill();
    go(&attempt);
    assert_eq!(exit_of(running), SupervisorExit::Finished);
    let result = attempt.result();
    assert_eq!(result.outcome, Outcome::Exited { code: 7 });
    assert_eq!(
        (result.stdout_bytes, result.stdout_dropped_bytes),
        (9, 9),
        "its log could not be written"
    );
}

#[test]
fn a_result_that_does_not_fit_waits_for_room() {
    const OUTPUT_BYTES: usize = 1_500_000;
    let Some(disk) = SmallDisk::mount("4m") else { return skip("mounting a small disk") };
    let script = format!(
        "echo $$ > pid; until [ -e go ]; do sleep 0.01; done; yes | head -c {OUTPUT_BYTES}"
    );
    let attempt = attempt_on(&disk, &script, |plan| plan.capture_output_bytes_max = Some(2 << 20));
    let running = attempt.start();
    let pid = attempt.wait_for_file("pid");
    disk.fill();
    go(&attempt);
    wait_for("the end of the program", || (!is_alive(&pid)).then_some(()));
    wait_for("a try that has failed", || {
        (begun_bytes(&attempt) > 0 && is_asleep(running.pid())).then_some(())
    });
    assert!(
        matches!(inspect(&attempt.dir).unwrap(), State::Running(_)),
        "its result is still in memory"
    );
    fs::remove_file(disk.filler()).unwrap();
    assert_eq!(exit_of(running), SupervisorExit::Finished);
    assert_eq!(attempt.result().captured_output.unwrap().text.len(), OUTPUT_BYTES);
}

/// How much of the result is in its reserved file.
fn begun_bytes(attempt: &Attempt) -> u64 {
    let path = attempt.dir.join(format!("result.json.{}", attempt.claim().pid));
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}

fn is_asleep(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/status")).unwrap().contains("State:\tS")
}

#[test]
fn without_room_for_a_result_nothing_is_started() {
    let Some(disk) = SmallDisk::mount("256k") else { return skip("mounting a small disk") };
    let attempt = attempt_on(&disk, "echo > started", |_| {});
    disk.fill();
    let exit = exit_of(attempt.start());
    assert!(matches!(exit, SupervisorExit::Failed { .. }), "{exit:?}");
    assert_eq!(inspect(&attempt.dir).unwrap(), State::NotStarted);
    fs::remove_file(disk.filler()).unwrap();
    assert_eq!(attempt.run().outcome, Outcome::Exited { code: 0 }, "it may be started later");
    assert!(attempt.work("started").exists());
}
