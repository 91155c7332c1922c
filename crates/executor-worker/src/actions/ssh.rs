//! `ssh`: a command on another host, by OpenSSH's client (gotcha 38).
//!
//! The far shell says its process id first, on standard error, where the line is taken out again; so that a stop can end
//! what runs there: OpenSSH does not when its connection closes.
//!
//! The client runs as the worker's own user and with its keys, as Oozie's server does; the job's user is only the account
//! on the other host where `host` names none.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use model::action_spec::Ssh;
use model::{AttemptResult, ErrorClass, Failure, Phase, Success};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time;

use crate::builtin::{Order, say};
use crate::config::SshConfig;
use crate::failure::{self, Refusal};

/// What OpenSSH's client itself exits with.
const CONNECTION_FAILED: i32 = 255;
/// In front of the far process id.
const PID_MARK: &str = "howdah-remote-pid:";
/// Kept of standard error, for messages and to tell what went wrong.
const ERRORS_CHARS_MAX: usize = 2_000;
/// A line of standard error is passed on in parts of so many bytes.
const LINE_BYTES_MAX: u64 = 64 << 10;
/// Ending the far process may take so long; less than the grace before SIGKILL.
const REMOTE_KILL_MAX: Duration = Duration::from_secs(8);

/// Runs the command.
pub(crate) async fn perform(order: &Order, spec: &Ssh) -> AttemptResult {
    match run(order, spec).await {
        Ok(success) => AttemptResult::Succeeded(success),
        Err(failure) => AttemptResult::Failed(*failure),
    }
}

/// What standard error told.
#[derive(Debug, Default)]
struct Heard {
    pid: Option<u32>,
    errors: String,
}

async fn run(order: &Order, spec: &Ssh) -> Result<Success, Refusal> {
    let host = user_at_host(&order.ssh, &spec.host, &order.grant.user)?;
    let mut child = connect(&order.ssh, &host, &remote_line(spec))?;
    let mut heard = Heard::default();
    let ended = watch(&mut child, &mut heard, &order.ssh, &host).await;
    let status = ended.map_err(|e| {
        error(ErrorClass::Error, "UNKNOWN_ERROR", format!("cannot wait for ssh: {e}"))
    })?;
    outcome(&host, status, &heard)
}

/// Passes standard error on until the client ends; on SIGTERM ends the far process too.
async fn watch(
    child: &mut Child,
    heard: &mut Heard,
    ssh: &SshConfig,
    host: &str,
) -> io::Result<ExitStatus> {
    let mut terminated = signal(SignalKind::terminate())?;
    let stderr =
        child.stderr.take().ok_or_else(|| io::Error::other("its standard error was not opened"))?;
    tokio::select! {
        () = listen(stderr, heard) => {}
        _ = terminated.recv() => child.start_kill()?,
    }
    let status = child.wait().await?;
    // A stop ends the client too, maybe before this process hears of it.
    if status.signal().is_some()
        && let Some(pid) = heard.pid
    {
        kill_remote(ssh, host, pid).await;
    }
    Ok(status)
}

async fn listen(stderr: impl AsyncRead + Unpin, heard: &mut Heard) {
    let mut lines = BufReader::new(stderr);
    loop {
        let mut line = Vec::new();
        match (&mut lines).take(LINE_BYTES_MAX).read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) => heard.take_in(String::from_utf8_lossy(&line).trim_end_matches('\n')),
        }
    }
}

impl Heard {
    fn take_in(&mut self, line: &str) {
        if self.pid.is_none()
            && let Some(pid) = line.strip_prefix(PID_MARK)
        {
            self.pid = pid.trim().parse().ok();
            return;
        }
        say(&mut io::stderr(), line);
        if self.errors.len() < ERRORS_CHARS_MAX {
            self.errors.push_str(line);
            self.errors.push('\n');
        }
    }
}

fn connect(ssh: &SshConfig, host: &str, remote_line: &str) -> Result<Child, Refusal> {
    let spawned = command(ssh, host, remote_line)
        .stdout(Stdio::inherit())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn();
    spawned.map_err(|e| {
        error(
            ErrorClass::Transient,
            "FNF",
            format!("cannot run the ssh client `{}`: {e}; install OpenSSH's", ssh.program),
        )
    })
}

fn command(ssh: &SshConfig, host: &str, remote_line: &str) -> Command {
    let mut command = Command::new(&ssh.program);
    command.args(&ssh.options).arg("--").arg(host).arg(remote_line).stdin(Stdio::null());
    command
}

async fn kill_remote(ssh: &SshConfig, host: &str, pid: u32) {
    let script = format!(
        "g=$(ps -o pgid= -p {pid} | tr -d ' '); if [ -n \"$g\" ]; then kill -KILL -- -$g; else kill -KILL {pid}; fi"
    );
    let mut kill = command(ssh, host, &format!("sh -c {}", quoted(&script)));
    let killed = time::timeout(REMOTE_KILL_MAX, kill.stdout(Stdio::null()).status()).await;
    if !matches!(killed, Ok(Ok(status)) if status.success()) {
        say(
            &mut io::stderr(),
            &format!("could not end process {pid} on {host}; it may still run there"),
        );
    }
}

/// The words for the far login shell. `args` are split and expanded there, `arg` arrive as they are.
fn remote_line(spec: &Ssh) -> String {
    let args: Vec<String> = if spec.args.is_empty() {
        spec.arg.iter().map(|arg| quoted(arg)).collect()
    } else {
        spec.args.clone()
    };
    let words: Vec<&str> =
        std::iter::once(spec.command.as_str()).chain(args.iter().map(String::as_str)).collect();
    format!("sh -c {}", quoted(&format!("echo {PID_MARK}$$ >&2; {}", words.join(" "))))
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// `host` may name the user; without one it is the job's.
fn user_at_host(ssh: &SshConfig, host: &str, user: &str) -> Result<String, Refusal> {
    let named = host.split_once('@').map(|(named, _)| named);
    if host.is_empty() || host.starts_with('-') || host.contains(char::is_whitespace) {
        return Err(error(
            ErrorClass::Error,
            "UNKNOWN_ERROR",
            format!("[{host}] is no host; write user@host"),
        ));
    }
    match named {
        None => Ok(format!("{user}@{host}")),
        Some(named) if !ssh.allow_user_at_host && !named.eq_ignore_ascii_case(user) => {
            let message =
                format!("user mismatch between oozie user [{user}] and ssh host [{host}]");
            Err(error(ErrorClass::Error, "ERR_USER_MISMATCH", message))
        }
        Some(_) => Ok(host.to_owned()),
    }
}

fn outcome(host: &str, status: ExitStatus, heard: &Heard) -> Result<Success, Refusal> {
    let external_id = heard.pid.map(|pid| pid.to_string());
    let failure = match (status.code(), heard.pid) {
        (Some(0), _) => {
            let external_status = Some("OK".to_owned());
            return Ok(Success { external_id, external_status, ..Success::default() });
        }
        (Some(CONNECTION_FAILED) | None, None) => not_connected(host, &heard.errors),
        (Some(CONNECTION_FAILED), Some(_)) if is_cut_off(&heard.errors) => {
            let message = format!(
                "the connection to [{host}] was lost; what runs there may go on: {}",
                heard.errors.trim()
            );
            failure::failure(ErrorClass::Failed, Phase::Check, "COULD_NOT_CONNECT", message)
        }
        (Some(code), _) => {
            failure::failure(ErrorClass::Error, Phase::End, "E1111", format!("Exit code:{code}"))
        }
        (None, Some(_)) => failure::failure(
            ErrorClass::Error,
            Phase::End,
            "E1111",
            "the ssh client was killed".to_owned(),
        ),
    };
    Err(Box::new(Failure { external_id, external_status: Some("ERROR".to_owned()), ..*failure }))
}

fn is_cut_off(errors: &str) -> bool {
    ["closed by remote host", "Connection reset", "Broken pipe", "timed out", "not responding"]
        .iter()
        .any(|sign| errors.contains(sign))
}

/// Oozie's reading of the client's words, in its order.
fn not_connected(host: &str, errors: &str) -> Refusal {
    const SIGNS: [(&str, ErrorClass, &str); 5] = [
        ("Could not resolve hostname", ErrorClass::Transient, "COULD_NOT_RESOLVE_HOST"),
        ("service not known", ErrorClass::Transient, "COULD_NOT_RESOLVE_HOST"),
        ("timed out", ErrorClass::Transient, "COULD_NOT_CONNECT"),
        ("command not found", ErrorClass::NonTransient, "FNF"),
        ("Permission denied", ErrorClass::NonTransient, "AUTH_FAILED"),
    ];
    let found = SIGNS.iter().find(|(sign, ..)| errors.contains(sign));
    let (class, code) =
        found.map_or((ErrorClass::Error, "UNKNOWN_ERROR"), |(_, class, code)| (*class, *code));
    error(class, code, format!("could not run a command on [{host}]: {}", errors.trim()))
}

fn error(class: ErrorClass, code: &str, message: String) -> Refusal {
    failure::failure(class, Phase::Start, code, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_far_shell_gets_args_split_and_arg_whole() {
        let spec = Ssh {
            command: "echo".to_owned(),
            args: vec!["a b".to_owned(), "$HOME".to_owned()],
            ..Ssh::default()
        };
        assert_eq!(remote_line(&spec), "sh -c 'echo howdah-remote-pid:$$ >&2; echo a b $HOME'");
        let spec =
            Ssh { command: "echo".to_owned(), arg: vec!["it's $1".to_owned()], ..Ssh::default() };
        assert_eq!(
            remote_line(&spec),
            r"sh -c 'echo howdah-remote-pid:$$ >&2; echo '\''it'\''\'\'''\''s $1'\'''"
        );
    }

    #[test]
    fn the_user_is_the_job_s_unless_the_host_names_one() {
        let (open, strict) =
            (SshConfig::default(), SshConfig { allow_user_at_host: false, ..SshConfig::default() });
        let check = |ssh, host, expected: Result<&str, &str>| {
            let found = user_at_host(ssh, host, "ann").map_err(|failure| failure.code);
            assert_eq!(found.as_deref().map_err(String::as_str), expected, "{host}");
        };
        check(&open, "h", Ok("ann@h"));
        check(&open, "bob@h", Ok("bob@h"));
        check(&strict, "bob@h", Err("ERR_USER_MISMATCH"));
        check(&strict, "Ann@h", Ok("Ann@h"));
        check(&open, "-oProxyCommand=x", Err("UNKNOWN_ERROR"));
    }

    #[test]
    fn the_client_s_words_have_oozie_s_codes() {
        for (words, code) in [
            (
                "ssh: Could not resolve hostname nope: Name or service not known",
                "COULD_NOT_RESOLVE_HOST",
            ),
            ("ssh: connect to host h port 22: Connection timed out", "COULD_NOT_CONNECT"),
            ("ann@h: Permission denied (publickey).", "AUTH_FAILED"),
            ("ssh: connect to host h port 22: Connection refused", "UNKNOWN_ERROR"),
        ] {
            assert_eq!(not_connected("h", words).code, code, "{words}");
        }
    }
}
