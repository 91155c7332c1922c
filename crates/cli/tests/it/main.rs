//! The program itself, as a person starts it: runs without a server, a server with commands against it, and each way
//! in which a start can fail.

mod replay;
mod run;
mod server;
mod standalone;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use tempfile::TempDir;

/// Nothing in here takes as long, not even on a busy machine.
const DEADLINE: Duration = Duration::from_secs(60);

/// The program with a clean environment: nobody's own server, zone or settings.
fn howdah(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_howdah"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    command.args(words).env_clear().env("PATH", path).env("TZ", "UTC").env("HOME", "/nonexistent");
    command.stdin(Stdio::null());
    command
}

/// What a command said and ended with.
struct Said {
    out: String,
    err: String,
    exit: Option<i32>,
}

impl Said {
    fn of(output: Output) -> Said {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        Said { out: text(output.stdout), err: text(output.stderr), exit: output.status.code() }
    }
}

fn say(words: &[&str]) -> Said {
    Said::of(howdah(words).output().expect("the program starts"))
}

/// An application whose one action runs a shell command; `${...}` in it is EL.
fn application(name: &str, command: &str) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join(name);
    fs::create_dir(&path).expect("a directory");
    let command = command.replace('&', "&amp;").replace('<', "&lt;");
    let definition = format!(
        r#"<workflow-app xmlns="uri:oozie:workflow:1.0" name="{name}">
  <global><resource-manager>${{resourceManager}}</resource-manager><name-node>${{nameNode}}</name-node></global>
  <start to="work"/>
  <action name="work">
    <shell xmlns="uri:oozie:shell-action:1.0"><exec>sh</exec><argument>-c</argument><argument>{command}</argument><capture-output/></shell>
    <ok to="end"/><error to="fail"/>
  </action>
  <kill name="fail"><message>it said ${{wf:errorCode(wf:lastErrorNode())}}</message></kill>
  <end name="end"/>
</workflow-app>
"#
    );
    fs::write(path.join("workflow.xml"), definition).expect("writable");
    (directory, path)
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a temporary path is text")
}
