//! `explain`: why a job is not moving, one line for each thing that it waits for.

use std::io::{self, Write};

use jiff::Timestamp;

use super::views::{Explanation, Wait};
use crate::args::OneJob;
use crate::client::Client;
use crate::failure::Failure;
use crate::http::path_encoded;
use crate::terminal::{Meaning, Terminal, meaning_of, painted};
use crate::times;

/// Does it.
///
/// # Errors
/// The server's refusal, or when the output is gone.
pub fn run(terminal: &mut Terminal<'_>, one: &OneJob, client: &Client) -> Result<(), Failure> {
    let told: Explanation = client.api(&format!("jobs/{}/explain", path_encoded(&one.job)), &[])?;
    if one.json {
        let text = serde_json::to_string_pretty(&told)
            .map_err(|error| Failure::Plain(error.to_string()))?;
        return Ok(writeln!(terminal.out, "{text}")?);
    }
    Ok(told_to(terminal.out, &told, Timestamp::now(), terminal.out_color)?)
}

fn told_to(out: &mut dyn Write, told: &Explanation, now: Timestamp, color: bool) -> io::Result<()> {
    let status = painted(&told.status, meaning_of(&told.status), color);
    writeln!(out, "{} {status}: {}", told.job, told.summary)?;
    told.waits.iter().try_for_each(|wait| writeln!(out, "  {}", line(wait, now, color)))
}

/// `fetch (attempt 2, USER_RETRY) waits for its next try since 3m05s, until 2026-11-22 14:00:00 UTC`
fn line(wait: &Wait, now: Timestamp, color: bool) -> String {
    let mut about = Vec::new();
    about.extend(wait.attempt.map(|attempt| format!("attempt {attempt}")));
    about.extend(wait.status.as_ref().map(|status| painted(status, meaning_of(status), color)));
    let about = if about.is_empty() { String::new() } else { format!(" ({})", about.join(", ")) };
    let since = moment_ms(&wait.since).map(|since| times::span(now.as_millisecond() - since));
    let since = since
        .map(|span| painted(&format!(" for {span}"), Meaning::Aside, color))
        .unwrap_or_default();
    let until = wait.until.as_deref().and_then(moment_ms).map(times::shown_ms);
    let until = until.map(|moment| format!(", until {moment} at most")).unwrap_or_default();
    let who = wait.action.as_deref().unwrap_or("the job");
    format!("{who}{about} waits{since} for {}{until}", wait.waiting_for)
}

/// Milliseconds since the epoch of an RFC 3339 moment.
pub fn moment_ms(text: &str) -> Option<i64> {
    text.parse::<Timestamp>().ok().map(Timestamp::as_millisecond)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_wait_is_a_sentence() {
        let json = r#"{"job":"0000001-261122144400000-howdah-W","status":"RUNNING","summary":"it runs; 2 of its actions are not over",
            "waits":[{"action":"fetch","attempt":2,"status":"USER_RETRY","waiting_for":"its next try","since":"2026-11-22T14:00:00.000Z","until":null},
                     {"action":null,"attempt":null,"status":null,"waiting_for":"branch b at join j","since":"2026-11-22T14:03:00Z","until":null}]}"#;
        let told: Explanation = serde_json::from_str(json).expect("an explanation");
        let mut out = Vec::new();
        let now = "2026-11-22T14:03:05Z".parse().expect("a moment");
        told_to(&mut out, &told, now, false).expect("a vector takes everything");
        expect_test::expect![[r#"
            0000001-261122144400000-howdah-W RUNNING: it runs; 2 of its actions are not over
              fetch (attempt 2, USER_RETRY) waits for 3m05s for its next try
              the job waits for 5.0s for branch b at join j
        "#]]
        .assert_eq(&String::from_utf8(out).expect("text"));
    }
}
