//! A server of its own for a test: any free port, a temporary data directory, ended with the test.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Stdio};
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::{DEADLINE, Said, howdah, text};

pub(crate) struct Server {
    pub(crate) url: String,
    pub(crate) data: TempDir,
    child: Child,
    _out: BufReader<ChildStdout>,
}

impl Server {
    pub(crate) fn start() -> Server {
        let data = tempfile::tempdir().expect("a directory");
        let mut command =
            howdah(&["standalone", "--listen", "127.0.0.1:0", "--data-dir", text(data.path())]);
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
        let mut out = BufReader::new(child.stdout.take().expect("piped"));
        let mut line = String::new();
        out.read_line(&mut line).expect("text");
        let words: Vec<&str> = line.split_whitespace().collect();
        assert!(
            line.starts_with("howdah is ready at http://localhost:"),
            "{line:?} {}",
            errors_if_over(&mut child)
        );
        let url = words[4].to_owned();
        assert!(line.ends_with(&format!("(data in {})\n", data.path().display())), "{line:?}");
        Server { url, data, child, _out: out }
    }

    /// A command against this server.
    pub(crate) fn say(&self, words: &[&str]) -> Said {
        Said::of(howdah(words).env("OOZIE_URL", &self.url).output().expect("starts"))
    }

    /// Says it until the answer is as wanted.
    pub(crate) fn wait_for(&self, words: &[&str], wanted: impl Fn(&Said) -> bool) -> Said {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let said = self.say(words);
            if wanted(&said) {
                return said;
            }
            assert!(Instant::now() < deadline, "{words:?}: {}{}", said.out, said.err);
        }
    }

    /// Asks it to stop; answers its exit code.
    pub(crate) fn stop(mut self) -> Option<i32> {
        kill_process(Pid::from_child(&self.child), Signal::TERM).expect("it runs");
        self.child.wait().expect("it ends").code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself, which is fine.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

fn errors_if_over(child: &mut Child) -> String {
    let mut text = String::new();
    if child.try_wait().ok().flatten().is_some()
        && let Some(mut err) = child.stderr.take()
    {
        err.read_to_string(&mut text).expect("text");
    }
    text
}
