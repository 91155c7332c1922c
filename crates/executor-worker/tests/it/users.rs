//! Whom actions run as. A worker that may switch users is root, so most of this needs root.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use executor_worker::{MailConfig, RunAs};
use model::ErrorClass;
use ports::logs::LogStream;

use crate::harness::{Bench, script, shell};

/// Exists on every host, and may do nothing.
const OTHER: &str = "nobody";

const SECRET: &str = "for root alone";

/// A worker that runs attempts as their submitters, and can be walked through by them; `None` without root.
fn bench_of(user: &'static str) -> Option<Bench> {
    if !rustix::process::geteuid().is_root() {
        skip();
        return None;
    }
    let mut bench = Bench::with(|config| {
        config.run_as = RunAs::Submitter;
        // Nothing listens there.
        config.mail = MailConfig { port: 1, ..MailConfig::default() };
    });
    bench.user = user;
    open_to_all(&bench.path(""));
    fs::write(bench.path("secret"), SECRET).expect("room");
    fs::set_permissions(bench.path("secret"), Permissions::from_mode(0o600)).expect("ours");
    Some(bench)
}

#[expect(clippy::print_stderr, reason = "whoever runs the tests should know")]
fn skip() {
    eprintln!("skipped: switching users needs root");
}

fn open_to_all(path: &Path) {
    fs::set_permissions(path, Permissions::from_mode(0o755)).expect("ours");
}

fn uid_of_other() -> u32 {
    let users = fs::read_to_string("/etc/passwd").expect("every host has it");
    let line = users.lines().find(|line| line.starts_with("nobody:")).expect("every host has it");
    line.split(':').nth(2).expect("its uid").parse().expect("a number")
}

/// A directory that belongs to the other user.
fn dir_of_other(bench: &Bench) -> PathBuf {
    let dir = bench.path("of-other");
    fs::create_dir(&dir).expect("room");
    chown(&dir, Some(uid_of_other()), None).expect("we are root");
    dir
}

#[tokio::test]
async fn a_shell_action_is_its_user_and_reads_what_that_user_may_read() {
    let Some(mut bench) = bench_of(OTHER) else { return };
    let secret = bench.path("secret").display().to_string();
    let text = format!(
        "#!/bin/sh\nid -un >&2; echo $USER $LOGNAME $HOME >&2\ncat {secret} && exit 1\n\
         echo mine > file && stat -c %U . file >&2\ngrep -c property \"$OOZIE_ACTION_CONF_XML\" >/dev/null && echo k=v\n"
    );
    open_to_all(&bench.app_file("s.sh", &text));
    let success = bench.succeeds("shell", &script("s.sh", "<capture-output/>")).await;
    assert_eq!(success.data.as_deref(), Some("k=v\n"));
    let told = bench.log(LogStream::Stderr).await;
    let expected = "nobody\nnobody nobody /nonexistent\n";
    assert!(told.starts_with(expected) && told.ends_with("nobody\nnobody\n"), "{told}");
    assert!(told.contains("Permission denied") && !told.contains(SECRET), "{told}");
}

#[tokio::test]
async fn the_worker_s_own_user_runs_as_it_is() {
    let Some(mut bench) = bench_of("root") else { return };
    let secret = bench.path("secret").display().to_string();
    let body = shell(&format!("<exec>cat</exec><argument>{secret}</argument>"));
    bench.succeeds("shell", &body).await;
    assert_eq!(bench.log(LogStream::Stdout).await, SECRET);
}

#[tokio::test]
async fn a_user_whom_the_host_does_not_know_is_refused() {
    let mut bench = Bench::with(|config| config.run_as = RunAs::Submitter);
    bench.user = "no-such-user-here";
    for (kind, body) in [("shell", shell("<exec>true</exec>")), ("fs", fs_body(""))] {
        let failure = bench.fails(kind, &body).await;
        assert_eq!((failure.class, failure.code.as_str()), (ErrorClass::Error, "HW2008"));
        for part in ["`no-such-user-here`", "worker.run_as"] {
            assert!(failure.message.contains(part), "{part} is not in {}", failure.message);
        }
    }
    bench.user = "ann";
    bench.succeeds("noop", "<noop/>").await;
}

#[tokio::test]
async fn a_directory_that_the_user_cannot_pass_through_is_told() {
    let Some(mut bench) = bench_of(OTHER) else { return };
    fs::create_dir(bench.path("work")).expect("room");
    fs::set_permissions(bench.path("work"), Permissions::from_mode(0o700)).expect("ours");
    let failure = bench.fails("shell", &shell("<exec>true</exec>")).await;
    assert_eq!((failure.class, failure.code.as_str()), (ErrorClass::Error, "HW2008"));
    assert!(failure.message.contains("chmod a+x"), "{}", failure.message);
}

#[tokio::test]
async fn what_is_prepared_for_a_user_is_read_and_done_as_that_user() {
    let Some(mut bench) = bench_of(OTHER) else { return };
    let secret = bench.path("secret").display().to_string();
    let archive = bench.app_file("t.tar", "");
    fs::set_permissions(&archive, Permissions::from_mode(0o600)).expect("ours");
    let cases = [
        // Copied, since it is the program and not executable.
        (format!("<exec>x</exec><file>{secret}#x</file>"), "HW2006"),
        (format!("<exec>true</exec><archive>{}#t</archive>", archive.display()), "HW2005"),
        (format!("<job-xml>{secret}</job-xml><exec>true</exec>"), "JA002"),
        (format!("<prepare><delete path='{secret}'/></prepare><exec>true</exec>"), "JA018"),
        (format!("<prepare><mkdir path='{secret}-dir'/></prepare><exec>true</exec>"), "JA018"),
    ];
    for (inner, code) in cases {
        let failure = bench.fails("shell", &shell(&inner)).await;
        assert_eq!(failure.code, code, "{inner}: {}", failure.message);
        assert!(!failure.message.contains(SECRET), "{}", failure.message);
    }
    assert!(bench.path("secret").exists() && !bench.path("secret-dir").exists());
    let new = dir_of_other(&bench).join("new");
    let body = format!("<prepare><mkdir path='{}'/></prepare><exec>true</exec>", new.display());
    bench.succeeds("shell", &shell(&body)).await;
    assert_eq!(fs::metadata(new).expect("it was made").uid(), uid_of_other());
}

fn fs_body(commands: &str) -> String {
    format!(r#"<fs xmlns="uri:oozie:workflow:0.5"><name-node>file:///</name-node>{commands}</fs>"#)
}

#[tokio::test]
async fn fs_commands_are_done_as_the_user() {
    let Some(mut bench) = bench_of(OTHER) else { return };
    let new = dir_of_other(&bench).join("new");
    bench.succeeds("fs", &fs_body(&format!("<mkdir path='{}'/>", new.display()))).await;
    assert_eq!(fs::metadata(new).expect("it was made").uid(), uid_of_other());
    let secret = bench.path("secret");
    let failure =
        bench.fails("fs", &fs_body(&format!("<delete path='{}'/>", secret.display()))).await;
    assert_eq!(failure.code, "FS014", "{}", failure.message);
    assert!(failure.message.contains("nobody has no permission"), "{}", failure.message);
    assert!(secret.exists());
}

#[tokio::test]
async fn attachments_are_read_as_the_user() {
    let Some(mut bench) = bench_of(OTHER) else { return };
    let body = format!(
        r#"<email xmlns="uri:oozie:email-action:0.2"><to>a@b.c</to><subject>s</subject><body>b</body><attachment>{}</attachment></email>"#,
        bench.path("secret").display()
    );
    let failure = bench.fails("email", &body).await;
    assert_eq!(failure.code, "EM008", "{}", failure.message);
    assert!(failure.message.contains("nobody has no permission"), "{}", failure.message);
}
