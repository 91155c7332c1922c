//! `logs`: what the actions of a job printed; with `--follow`, what they print.
//!
//! Of one action, its standard output is our standard output and its standard error ours. Of a whole job, each line is
//! led by the action's name.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread;
use std::time::{Duration, Instant};

use super::views::JobView;
use crate::args::Logs;
use crate::client::Client;
use crate::failure::Failure;
use crate::http::path_encoded;
use crate::terminal::{Meaning, Terminal, painted};

/// Lines between the readers and the writer: enough to keep both busy, little enough to follow a slow terminal.
const LINES_MAX: usize = 256;
/// Between two looks for actions that have started meanwhile.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);
/// The longest line that is kept together; a longer one is broken.
const LINE_BYTES_MAX: u64 = 64 * 1024;

/// Does it.
///
/// # Errors
/// The server's refusal, or when the output is gone.
pub fn run(terminal: &mut Terminal<'_>, logs: &Logs, client: &Client) -> Result<(), Failure> {
    let (sender, receiver) = mpsc::sync_channel(LINES_MAX);
    thread::scope(|scope| {
        let reading = scope.spawn(move || read(client, logs, &sender));
        let written = write(terminal, &receiver, logs.action.is_none());
        // Without a receiver the readers' next line fails, and they end.
        drop(receiver);
        let read = reading.join().unwrap_or_else(|_| Err(Failure::Plain("a reader of logs failed".to_owned())));
        written.and(read)
    })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stream {
    Stdout,
    Stderr,
}

impl Stream {
    fn as_str(self) -> &'static str {
        match self {
            Stream::Stdout => "stdout",
            Stream::Stderr => "stderr",
        }
    }
}

/// A line of an action, with its line break if it has one.
struct Line {
    action: String,
    stream: Stream,
    bytes: Vec<u8>,
}

fn read(client: &Client, logs: &Logs, sender: &SyncSender<Line>) -> Result<(), Failure> {
    match (&logs.action, logs.follow) {
        (Some(action), follow) => both(client, &logs.job, action, follow, sender),
        (None, false) => {
            let job = look(client, &logs.job)?;
            let names = job.actions.iter().filter(|action| action.does_work()).map(|action| &action.name);
            names.into_iter().try_for_each(|name| both(client, &logs.job, name, false, sender))
        }
        (None, true) => follow_all(client, &logs.job, sender),
    }
}

fn look(client: &Client, job: &str) -> Result<JobView, Failure> {
    client.api(&format!("jobs/{}", path_encoded(job)), &[])
}

/// Follows every action of a job, those too that start later, until the job is over.
fn follow_all(client: &Client, job: &str, sender: &SyncSender<Line>) -> Result<(), Failure> {
    let mut followed = BTreeSet::new();
    thread::scope(|scope| {
        loop {
            let next_look = Instant::now() + LOOK_INTERVAL;
            let view = look(client, job)?;
            for action in view.actions.iter().filter(|action| action.does_work() && action.started_at.is_some()) {
                if followed.insert(action.name.clone()) {
                    let name = action.name.clone();
                    scope.spawn(move || both(client, job, &name, true, sender));
                }
            }
            if view.over {
                return Ok(());
            }
            thread::sleep(next_look.saturating_duration_since(Instant::now()));
        }
    })
}

/// Both streams of an action, side by side when they are followed.
fn both(client: &Client, job: &str, action: &str, follow: bool, sender: &SyncSender<Line>) -> Result<(), Failure> {
    let one = |stream| pass_on(client, job, action, stream, follow, sender);
    if !follow {
        return one(Stream::Stdout).and_then(|()| one(Stream::Stderr));
    }
    thread::scope(|scope| {
        let other = scope.spawn(|| one(Stream::Stderr));
        let first = one(Stream::Stdout);
        first.and(other.join().unwrap_or_else(|_| Err(Failure::Plain("a reader of logs failed".to_owned()))))
    })
}

fn pass_on(
    client: &Client,
    job: &str,
    action: &str,
    stream: Stream,
    follow: bool,
    sender: &SyncSender<Line>,
) -> Result<(), Failure> {
    let path = format!("jobs/{}/logs/{}", path_encoded(job), path_encoded(action));
    let follow = if follow { "true" } else { "false" };
    let body = client.api_stream(&path, &[("stream", Some(stream.as_str())), ("follow", Some(follow))])?;
    let mut reader = BufReader::new(body);
    loop {
        let mut bytes = Vec::new();
        let broke_off = |error| Failure::Plain(format!("the log of {action} broke off: {error}"));
        let read = std::io::Read::take(&mut reader, LINE_BYTES_MAX).read_until(b'\n', &mut bytes).map_err(broke_off)?;
        let line = Line { action: action.to_owned(), stream, bytes };
        if read == 0 || sender.send(line).is_err() {
            return Ok(());
        }
    }
}

fn write(terminal: &mut Terminal<'_>, receiver: &Receiver<Line>, led: bool) -> Result<(), Failure> {
    for line in receiver {
        let (target, color) = match line.stream {
            Stream::Stdout => (&mut *terminal.out, terminal.out_color),
            Stream::Stderr => (&mut *terminal.err, terminal.err_color),
        };
        if led {
            let name = format!("{} | ", line.action);
            target.write_all(painted(&name, Meaning::Aside, color).as_bytes())?;
        }
        target.write_all(&line.bytes)?;
        if led && !line.bytes.ends_with(b"\n") {
            target.write_all(b"\n")?;
        }
        target.flush()?;
    }
    Ok(())
}
