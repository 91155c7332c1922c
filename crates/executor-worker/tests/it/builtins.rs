//! `fs`, `email` and `ssh`.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::thread::{self, JoinHandle};

use model::ErrorClass;
use ports::logs::LogStream;
use ports::work::ToWorker;

use crate::harness::{Bench, job, wait_for};

fn fs_body(commands: &str) -> String {
    format!(r#"<fs xmlns="uri:oozie:workflow:0.5"><name-node>file:///</name-node>{commands}</fs>"#)
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("it is there").permissions().mode() & 0o777
}

#[tokio::test]
async fn fs_commands_do_what_oozie_does() {
    let mut bench = Bench::new();
    let d = bench.path("data").display().to_string();
    fs::create_dir_all(bench.path("data/old/x")).expect("room");
    fs::write(bench.path("data/part-1"), "1").expect("room");
    fs::write(bench.path("data/part-2"), "2").expect("room");
    let commands = format!(
        r#"<delete path="{d}/old"/><delete path="{d}/missing*"/><mkdir path="{d}/new/deep"/><mkdir path="{d}/new/deep"/>
           <move source="file://{d}/part-*" target="{d}/new/deep"/><touchz path="{d}/new/_SUCCESS"/><touchz path="{d}/new/_SUCCESS"/>
           <chmod path="{d}/new" permissions="700" dir-files="false"/>
           <chmod path="{d}/new/*" permissions="-rwxr-x---" dir-files="true"><recursive/></chmod>
           <chgrp path="{d}/new" group="{}"/>"#,
        rustix::process::getgid().as_raw()
    );
    let success = bench.succeeds("fs", &fs_body(&commands)).await;
    assert_eq!(
        (success.external_status.as_deref(), success.external_id.as_deref()),
        (Some("OK"), Some("-"))
    );
    assert!(!bench.path("data/old").exists() && !bench.path("data/part-1").exists());
    assert_eq!(fs::read_to_string(bench.path("data/new/deep/part-2")).expect("it was moved"), "2");
    assert_eq!(
        (mode(&bench.path("data/new")), mode(&bench.path("data/new/deep/part-2"))),
        (0o700, 0o750)
    );
    assert!(bench.log(LogStream::Stdout).await.contains("mkdir file:///"));
}

#[tokio::test]
async fn fs_mistakes_have_oozie_s_codes_and_stop_the_rest() {
    let mut bench = Bench::new();
    let d = bench.path("").display().to_string();
    fs::write(bench.path("one-1"), "x").expect("room");
    fs::write(bench.path("one-2"), "x").expect("room");
    let cases = [
        (fs_body("<mkdir path='relative'/>"), "FS011"),
        ("<fs><mkdir path='/no/scheme'/></fs>".to_owned(), "FS001"),
        (fs_body(&format!("<move source='{d}none' target='{d}x'/>")), "FS006"),
        (fs_body(&format!("<move source='{d}one-1' target='hdfs://nn/x'/>")), "FS007"),
        (fs_body(&format!("<move source='{d}one-1' target='{d}no/such/parent'/>")), "FS008"),
        (fs_body(&format!("<chmod path='{d}none*' permissions='755'/>")), "FS009"),
        (fs_body(&format!("<chmod path='{d}one-1' permissions='rw'/>")), "FS010"),
        (fs_body(&format!("<move source='{d}one-*' target='{d}not-a-directory'/>")), "FS012"),
        (fs_body(&format!("<mkdir path='{d}one-1/below'/>")), "FS004"),
        (fs_body("<mkdir path='hdfs://nn/x'/>"), "HW3002"),
        (fs_body(&format!("<setrep path='file://{d}one-1' replication-factor='2'/>")), "HW3001"),
    ];
    for (body, code) in cases {
        let failure = bench.fails("fs", &body).await;
        assert_eq!(
            (failure.class, failure.code.as_str()),
            (ErrorClass::Error, code),
            "{body}: {}",
            failure.message
        );
    }
    let failure = bench
        .fails(
            "fs",
            &fs_body(&format!("<mkdir path='{d}a'/><mkdir path='x'/><mkdir path='{d}b'/>")),
        )
        .await;
    assert_eq!(failure.code, "FS011");
    assert!(bench.path("a").exists() && !bench.path("b").exists());
}

#[tokio::test]
async fn a_move_that_a_crashed_attempt_has_done_is_done() {
    let mut bench = Bench::new();
    let d = bench.path("").display().to_string();
    let body = fs_body(&format!("<move source='{d}gone' target='{d}there'/>"));
    let action_dir = bench.path("work/0000001-200101000000000-howdah-W/a");
    fs::create_dir_all(&action_dir).expect("room");
    fs::write(action_dir.join("fs-0.recovery"), "").expect("room");
    bench.succeeds("fs", &body).await;
    assert!(!action_dir.join("fs-0.recovery").exists());
    assert_eq!(bench.fails("fs", &body).await.code, "FS006");
}

/// Takes one mail and answers it; or refuses the connection's first word.
fn mail_server(greeting: &'static str) -> (u16, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    let served = thread::spawn(move || {
        let (stream, _) = listener.accept().expect("a client");
        serve(stream, greeting).unwrap_or_default()
    });
    (port, served)
}

fn serve(mut stream: TcpStream, greeting: &str) -> std::io::Result<String> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let mut heard = String::new();
    let mut in_data = false;
    writeln!(stream, "{greeting}\r")?;
    while let Some(line) = lines.next().transpose()? {
        heard.push_str(&line);
        heard.push('\n');
        let answer = match line.split([' ', ':']).next().unwrap_or_default() {
            _ if in_data && line != "." => continue,
            "." => "250 taken",
            "EHLO" => "250 here",
            "DATA" => "354 go on",
            "QUIT" => "221 bye",
            _ => "250 fine",
        };
        in_data = answer.starts_with("354");
        writeln!(stream, "{answer}\r")?;
    }
    Ok(heard)
}

const EMAIL: &str = "<email xmlns='uri:oozie:email-action:0.2'><to>a@example.org,b@example.org</to><cc>c@example.org</cc>\
    <subject>done</subject><body>all is well</body>";

#[tokio::test]
async fn a_mail_goes_to_everybody_with_its_attachment() {
    let (port, served) = mail_server("220 here");
    let mut bench = Bench::with(|config| {
        config.mail.host = "127.0.0.1".to_owned();
        config.mail.port = port;
    });
    let attachment = bench.app_file("report.txt", "figures");
    let body = format!("{EMAIL}<attachment>file://{}</attachment></email>", attachment.display());
    let success = bench.succeeds("email", &body).await;
    assert_eq!(success.external_status.as_deref(), Some("OK"));
    let heard = served.join().expect("the server does not break");
    for part in [
        "RCPT TO:<b@example.org>",
        "RCPT TO:<c@example.org>",
        "Subject: done",
        "all is well",
        "filename=\"report.txt\"",
        "figures",
    ] {
        assert!(heard.contains(part), "{part} is not in {heard}");
    }
}

#[tokio::test]
async fn mail_troubles_have_oozie_s_codes() {
    let (port, served) = mail_server("554 not today");
    let mut bench = Bench::with(|config| {
        config.mail.host = "127.0.0.1".to_owned();
        config.mail.port = port;
    });
    let failure = bench.fails("email", &format!("{EMAIL}</email>")).await;
    assert_eq!((failure.class, failure.code.as_str()), (ErrorClass::Error, "EM007"));
    served.join().expect("the server does not break");
    let missing = format!("{EMAIL}<attachment>file:///no/such/file</attachment></email>");
    assert_eq!(bench.fails("email", &missing).await.code, "EM008");
    let nobody = "<email><to> </to><subject>s</subject><body>b</body></email>";
    assert_eq!(bench.fails("email", nobody).await.code, "EM001");
}

/// Stands for OpenSSH's client: notes its arguments, and runs the command here.
const SSH: &str = r#"#!/bin/sh
dir=$(dirname "$0")
echo "$@" >> "$dir/calls"
for last; do :; done
case "$*" in
  *nowhere*) echo 'ssh: Could not resolve hostname nowhere: Name or service not known' >&2; exit 255 ;;
  *locked*) echo 'ann@locked: Permission denied (publickey).' >&2; exit 255 ;;
esac
exec sh -c "$last"
"#;

fn ssh(host: &str, more: &str) -> String {
    format!("<ssh xmlns='uri:oozie:ssh-action:0.2'><host>{host}</host>{more}</ssh>")
}

fn with_ssh() -> Bench {
    let mut bench = Bench::new();
    bench.config.ssh.program = bench.program("ssh", SSH).display().to_string();
    bench
}

#[tokio::test]
async fn ssh_runs_a_command_elsewhere_and_captures_its_output() {
    let mut bench = with_ssh();
    let more = "<command>printf</command><arg>k=%s\\n</arg><arg>it's $HOME</arg><capture-output/>";
    let success = bench.succeeds("ssh", &ssh("bob@far", more)).await;
    assert_eq!(success.data.as_deref(), Some("k=it's $HOME\n"));
    assert_eq!(success.external_status.as_deref(), Some("OK"));
    assert!(success.external_id.is_some_and(|pid| pid.parse::<u32>().is_ok()));
    assert!(
        fs::read_to_string(bench.path("calls"))
            .expect("it was called")
            .contains("-o BatchMode=yes")
    );
    assert_eq!(bench.log(LogStream::Stderr).await, "");
    bench.succeeds("ssh", &ssh("far", "<command>test</command><args>a = a</args>")).await;
}

#[tokio::test]
async fn ssh_troubles_have_oozie_s_codes() {
    let mut bench = with_ssh();
    let run = |host: &str, command: &str| {
        ssh(host, &format!("<command>{command}</command><capture-output/>"))
    };
    let cases = [
        (run("far", "exit 3"), ErrorClass::Error, "E1111"),
        (run("nowhere", "true"), ErrorClass::Transient, "COULD_NOT_RESOLVE_HOST"),
        (run("locked", "true"), ErrorClass::NonTransient, "AUTH_FAILED"),
        (run("far", "head -c 3000 /dev/zero"), ErrorClass::Error, "ERR_OUTPUT_EXCEED_MAX_LEN"),
    ];
    for (body, class, code) in cases {
        let failure = bench.fails("ssh", &body).await;
        assert_eq!(
            (failure.class, failure.code.as_str()),
            (class, code),
            "{body}: {}",
            failure.message
        );
    }
    assert_eq!(bench.fails("ssh", &run("far", "exit 3")).await.message, "Exit code:3");
}

#[tokio::test]
async fn a_stop_ends_what_runs_elsewhere() {
    let mut bench = with_ssh();
    bench.config.kill_grace_ms = 10_000;
    bench.start();
    let started = bench.path("started");
    let command = format!("<command>touch {} ; sleep 600</command>", started.display());
    let token = bench.start_attempt("ssh", &ssh("far", &command)).await;
    wait_for("the command runs", || started.exists()).await;
    bench.tell(ToWorker::Stop { job: job(), token: token.clone() }).await;
    bench.stopped(&token).await;
    let calls = fs::read_to_string(bench.path("calls")).expect("it was called");
    assert!(calls.contains("kill -KILL"), "{calls}");
}
