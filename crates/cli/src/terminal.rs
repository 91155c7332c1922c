//! What a command writes to and what it knows of the world around it, handed in so that tests own both.
//!
//! Standard output is data, standard error is everything else. Colours only where a person looks.

use std::collections::BTreeMap;
use std::env;
use std::fmt;
use std::fs;
use std::io::{self, IsTerminal, Write};

use owo_colors::OwoColorize;

/// The two streams.
pub struct Terminal<'a> {
    /// Data.
    pub out: &'a mut dyn Write,
    /// Everything else.
    pub err: &'a mut dyn Write,
    /// Whether data may be coloured.
    pub out_color: bool,
    /// Whether the rest may be coloured, and lines redrawn in place.
    pub err_color: bool,
    /// Whether a person watches standard error.
    pub watched: bool,
}

impl fmt::Debug for Terminal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Terminal").field("out_color", &self.out_color).finish_non_exhaustive()
    }
}

/// What the process was started with.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// Environment variables that are texts.
    pub variables: BTreeMap<String, String>,
    /// The user of this process, as the system names them.
    pub user: String,
}

impl Environment {
    /// This process's own.
    pub fn of_process() -> Environment {
        let texts = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        let variables: BTreeMap<String, String> = env::vars_os().filter_map(texts).collect();
        let user = user_name(&variables);
        Environment { variables, user }
    }

    /// A variable, unless it is missing or empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Whether a stream may be coloured: a terminal that understands it, and nobody said no.
    pub fn may_color(&self, is_terminal: bool) -> bool {
        is_terminal && self.get("NO_COLOR").is_none() && self.get("TERM") != Some("dumb")
    }
}

/// The streams of this process.
#[derive(Debug)]
pub struct Streams {
    out: io::Stdout,
    err: io::Stderr,
}

impl Streams {
    /// Standard output and standard error.
    pub fn of_process() -> Streams {
        Streams { out: io::stdout(), err: io::stderr() }
    }

    /// As a terminal for one command.
    pub fn terminal(&mut self, environment: &Environment) -> Terminal<'_> {
        let out_color = environment.may_color(self.out.is_terminal());
        let err_color = environment.may_color(self.err.is_terminal());
        let watched = self.err.is_terminal() && environment.get("TERM") != Some("dumb");
        Terminal { out: &mut self.out, err: &mut self.err, out_color, err_color, watched }
    }
}

/// The name of the process's user: the password file's (as Java's `user.name`), else the shell's, else the number.
fn user_name(variables: &BTreeMap<String, String>) -> String {
    let id = rustix::process::getuid().as_raw().to_string();
    let passwords = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let of_id = |line: &str| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == id).then(|| name.to_owned())
    };
    let shell = || {
        variables
            .get("USER")
            .or_else(|| variables.get("LOGNAME"))
            .filter(|name| !name.is_empty())
            .cloned()
    };
    passwords.lines().find_map(of_id).or_else(shell).unwrap_or(id)
}

/// What a colour stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// It worked.
    Good,
    /// It did not.
    Bad,
    /// It is on its way, or somebody should look.
    Busy,
    /// It is beside the point.
    Aside,
}

/// The text in the colour of what it stands for.
pub fn painted(text: &str, meaning: Meaning, color: bool) -> String {
    if !color {
        return text.to_owned();
    }
    match meaning {
        Meaning::Good => text.green().to_string(),
        Meaning::Bad => text.red().to_string(),
        Meaning::Busy => text.yellow().to_string(),
        Meaning::Aside => text.dimmed().to_string(),
    }
}

/// What the colour of a status is, whatever it is the status of.
pub fn meaning_of(status: &str) -> Meaning {
    match status {
        "SUCCEEDED" | "OK" => Meaning::Good,
        "FAILED" | "KILLED" | "ERROR" => Meaning::Bad,
        _ => Meaning::Busy,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_for_people_who_did_not_say_no() {
        let environment = |name: &str, value: &str| Environment {
            variables: BTreeMap::from([(name.to_owned(), value.to_owned())]),
            user: String::new(),
        };
        assert!(environment("TERM", "xterm").may_color(true));
        assert!(!environment("TERM", "xterm").may_color(false));
        assert!(!environment("TERM", "dumb").may_color(true));
        assert!(!environment("NO_COLOR", "1").may_color(true));
        assert!(environment("NO_COLOR", "").may_color(true), "an empty NO_COLOR says nothing");
    }

    #[test]
    fn every_process_has_a_user() {
        assert!(!Environment::of_process().user.is_empty());
    }
}
