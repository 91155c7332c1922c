//! `logs`: what the actions of a job printed; with `--follow`, what they print.
//!
//! Of one action, its standard output is our standard output and its standard error ours. Of a whole job, each line is
//! led by the action's name.
//!
//! Readers are threads that nobody waits for: when our own reader goes away, the program ends at once, whatever a
//! quiet action still has to say.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::sync::Arc;
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
pub fn run(terminal: &mut Terminal<'_>, logs: &Logs, client: Client) -> Result<(), Failure> {
    let (sender, receiver) = mpsc::sync_channel(LINES_MAX);
    let reader = Reader { client: Arc::new(client), job: logs.job.clone(), sender };
    let (action, follow) = (logs.action.clone(), logs.follow);
    let whole_job = action.is_none();
    thread::spawn(move || match (action, follow) {
        (Some(action), true) => reader.follow(&action),
        (Some(action), false) => reader.told(|reader| reader.both(&action)),
        (None, true) => reader.told(Reader::follow_all),
        (None, false) => reader.told(Reader::all),
    });
    write(terminal, &receiver, whole_job)
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

/// What readers pass on.
enum Passed {
    /// A line of an action, with its line break if it has one.
    Line { action: String, stream: Stream, bytes: Vec<u8> },
    /// A reader cannot go on.
    Failed(Failure),
}

/// Reads logs of one job and passes them on. The writer ends when the last reader is gone.
#[derive(Clone)]
struct Reader {
    client: Arc<Client>,
    job: String,
    sender: SyncSender<Passed>,
}

impl Reader {
    /// Does a part of the work and passes on its failure. A writer that is gone needs no telling.
    fn told(&self, part: impl FnOnce(&Reader) -> Result<(), Failure>) {
        if let Err(failure) = part(self) {
            let _gone = self.sender.send(Passed::Failed(failure));
        }
    }

    fn look(&self) -> Result<JobView, Failure> {
        self.client.api(&format!("jobs/{}", path_encoded(&self.job)), &[])
    }

    /// What every action has printed so far.
    fn all(&self) -> Result<(), Failure> {
        let view = self.look()?;
        view.actions
            .iter()
            .filter(|action| action.does_work())
            .try_for_each(|action| self.both(&action.name))
    }

    /// Follows every action of a job, those too that start later, until the job is over.
    fn follow_all(&self) -> Result<(), Failure> {
        let mut followed = BTreeSet::new();
        loop {
            let next_look = Instant::now() + LOOK_INTERVAL;
            let view = self.look()?;
            for action in view
                .actions
                .iter()
                .filter(|action| action.does_work() && action.started_at.is_some())
            {
                if followed.insert(action.name.clone()) {
                    self.follow(&action.name);
                }
            }
            if view.over {
                return Ok(());
            }
            thread::sleep(next_look.saturating_duration_since(Instant::now()));
        }
    }

    /// Follows both streams of an action, side by side.
    fn follow(&self, action: &str) {
        for stream in [Stream::Stdout, Stream::Stderr] {
            let (reader, action) = (self.clone(), action.to_owned());
            thread::spawn(move || reader.told(|reader| reader.pass_on(&action, stream, true)));
        }
    }

    /// What an action has printed so far.
    fn both(&self, action: &str) -> Result<(), Failure> {
        self.pass_on(action, Stream::Stdout, false)?;
        self.pass_on(action, Stream::Stderr, false)
    }

    fn pass_on(&self, action: &str, stream: Stream, follow: bool) -> Result<(), Failure> {
        let path = format!("jobs/{}/logs/{}", path_encoded(&self.job), path_encoded(action));
        let follow = if follow { "true" } else { "false" };
        let body = self
            .client
            .api_stream(&path, &[("stream", Some(stream.as_str())), ("follow", Some(follow))])?;
        let mut body = BufReader::new(body);
        loop {
            let mut bytes = Vec::new();
            let broke_off =
                |error| Failure::Plain(format!("the log of {action} broke off: {error}"));
            let count = (&mut body)
                .take(LINE_BYTES_MAX)
                .read_until(b'\n', &mut bytes)
                .map_err(broke_off)?;
            let line = Passed::Line { action: action.to_owned(), stream, bytes };
            if count == 0 || self.sender.send(line).is_err() {
                return Ok(());
            }
        }
    }
}

/// Writes what comes until the last reader is gone, or one fails.
fn write(
    terminal: &mut Terminal<'_>,
    receiver: &Receiver<Passed>,
    led: bool,
) -> Result<(), Failure> {
    for read in receiver {
        let (action, stream, bytes) = match read {
            Passed::Line { action, stream, bytes } => (action, stream, bytes),
            Passed::Failed(failure) => return Err(failure),
        };
        let (target, color) = match stream {
            Stream::Stdout => (&mut *terminal.out, terminal.out_color),
            Stream::Stderr => (&mut *terminal.err, terminal.err_color),
        };
        if led {
            target.write_all(painted(&format!("{action} | "), Meaning::Aside, color).as_bytes())?;
        }
        target.write_all(&bytes)?;
        if led && !bytes.ends_with(b"\n") {
            target.write_all(b"\n")?;
        }
        target.flush()?;
    }
    Ok(())
}
