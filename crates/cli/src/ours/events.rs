//! `events`: what happened to a job, line by line, and with `--follow` what happens.

use std::io::{BufRead, BufReader, Read};

use super::explain::moment_ms;
use super::views::{HistoryPage, JobView, LineView};
use crate::args::Events;
use crate::client::Client;
use crate::failure::Failure;
use crate::http::path_encoded;
use crate::terminal::{Meaning, Terminal, meaning_of, painted};
use crate::times;

/// Lines asked for at once: what the server gives at most.
const PAGE_LINES: &str = "1000";

/// Does it.
///
/// # Errors
/// The server's refusal, or when the output is gone.
pub fn run(terminal: &mut Terminal<'_>, events: &Events, client: &Client) -> Result<(), Failure> {
    match events.follow {
        true => followed(terminal, events, client)?,
        false => history(client, &events.job, |line| told(terminal, &line, events.json))?,
    }
    if events.json { Ok(()) } else { end(terminal, &events.job, client) }
}

/// Events are what came to a job from outside; how it ended is not among them, and is what is looked for.
fn end(terminal: &mut Terminal<'_>, job: &str, client: &Client) -> Result<(), Failure> {
    let view: JobView = client.api(&format!("jobs/{}", path_encoded(job)), &[])?;
    if !view.over {
        return Ok(());
    }
    let ended_at = view.other.get("ended_at").and_then(|at| at.as_str()).unwrap_or_default();
    let at = moment_ms(ended_at).map_or_else(|| ended_at.to_owned(), times::shown_ms);
    let (at, level) = (
        painted(&at, Meaning::Aside, terminal.out_color),
        painted(" INFO", Meaning::Aside, terminal.out_color),
    );
    let status = painted(&view.status, meaning_of(&view.status), terminal.out_color);
    Ok(writeln!(terminal.out, "{at} {level} job is over: {status}")?)
}

/// Every line of a job's history, page by page.
fn history(
    client: &Client,
    job: &str,
    each: impl FnMut(LineView) -> Result<(), Failure>,
) -> Result<(), Failure> {
    history_after(client, job, 0, each)
}

/// Every line of a job's history that comes after line `after`, page by page.
///
/// # Errors
/// The server's refusal, or what `each` says.
pub fn history_after(
    client: &Client,
    job: &str,
    after: i64,
    mut each: impl FnMut(LineView) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let path = format!("jobs/{}/history", path_encoded(job));
    let mut after = Some(after);
    while let Some(from) = after {
        let from = from.to_string();
        let page: HistoryPage =
            client.api(&path, &[("after", Some(from.as_str())), ("len", Some(PAGE_LINES))])?;
        page.lines.into_iter().try_for_each(&mut each)?;
        after = page.next_after;
    }
    Ok(())
}

fn followed(terminal: &mut Terminal<'_>, events: &Events, client: &Client) -> Result<(), Failure> {
    let path = format!("jobs/{}/events", path_encoded(&events.job));
    let stream = client.api_stream(&path, &[("until", Some("over"))])?;
    for message in Messages::of(stream) {
        let Message { event, data } = message?;
        match event.as_str() {
            "history" => {
                let unreadable =
                    |error| Failure::Plain(format!("the server sent an unreadable event: {error}"));
                told(terminal, &serde_json::from_str(&data).map_err(unreadable)?, events.json)?;
                terminal.out.flush()?;
            }
            "error" => return Err(Failure::Plain(format!("the server ended the stream: {data}"))),
            _ => return Ok(()),
        }
    }
    Err(Failure::Plain(
        "the server went away before the job was over; run the command again to go on".to_owned(),
    ))
}

fn told(terminal: &mut Terminal<'_>, line: &LineView, json: bool) -> Result<(), Failure> {
    if json {
        let text =
            serde_json::to_string(line).map_err(|error| Failure::Plain(error.to_string()))?;
        return Ok(writeln!(terminal.out, "{text}")?);
    }
    Ok(writeln!(terminal.out, "{}", shown(line, terminal.out_color))?)
}

/// `2026-11-22 14:00:00 UTC  INFO fetch: ended well`
pub fn shown(line: &LineView, color: bool) -> String {
    let meaning = match line.level.as_str() {
        "ERROR" => Meaning::Bad,
        "WARN" => Meaning::Busy,
        _ => Meaning::Aside,
    };
    let at = moment_ms(&line.at).map_or_else(|| line.at.clone(), times::shown_ms);
    let level = painted(&format!("{:>5}", line.level), meaning, color);
    let action = line.action.as_ref().map(|action| format!("{action}: ")).unwrap_or_default();
    format!("{} {level} {action}{}", painted(&at, Meaning::Aside, color), line.text)
}

/// One server-sent event.
#[derive(Debug, Default, PartialEq, Eq)]
struct Message {
    event: String,
    data: String,
}

/// Server-sent events from a stream of bytes; comments that keep the connection alive are passed over.
struct Messages<R> {
    lines: std::io::Lines<BufReader<R>>,
}

impl<R: Read> Messages<R> {
    fn of(stream: R) -> Messages<R> {
        Messages { lines: BufReader::new(stream).lines() }
    }
}

impl<R: Read> Iterator for Messages<R> {
    type Item = Result<Message, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut message = Message::default();
        loop {
            let line = match self.lines.next()? {
                Ok(line) => line,
                Err(error) => {
                    return Some(Err(Failure::Plain(format!("the stream broke off: {error}"))));
                }
            };
            let (field, value) = line.split_once(':').unwrap_or((&line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "" if line.is_empty() && message != Message::default() => return Some(Ok(message)),
                "event" => message.event = value.to_owned(),
                "data" => message.data.push_str(value),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn server_sent_events_are_read_and_comments_passed_over() {
        let stream =
            ":\n\nevent: history\nid: 4\ndata: {\"n\":4}\n\n: keep\n\nevent:end\ndata:{}\n\n";
        let messages: Vec<Message> =
            Messages::of(stream.as_bytes()).map(|message| message.expect("read")).collect();
        let message =
            |event: &str, data: &str| Message { event: event.to_owned(), data: data.to_owned() };
        assert_eq!(messages, [message("history", "{\"n\":4}"), message("end", "{}")]);
    }
}
