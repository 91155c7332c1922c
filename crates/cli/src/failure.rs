//! A command that could not be done: what is said about it, and the exit code.
//!
//! Oozie's commands end with 255 and `Error: <code> : <message>`, because scripts look for both. Ours say what happened
//! and what to do next, with a code that has a page in `docs/errors/`.

use std::io::{self, Write};

use owo_colors::OwoColorize;

/// What Oozie's client ends with on every error (-1 in Java).
pub const OOZIE_EXIT: u8 = 255;
/// Our commands: it did not work.
pub const FAILED_EXIT: u8 = 1;
/// Our commands: the command line is wrong.
pub const USAGE_EXIT: u8 = 2;
/// What a shell reports of a program that SIGINT ended.
pub const INTERRUPTED_EXIT: u8 = 130;
/// What a shell reports of a program whose reader went away.
const CLOSED_PIPE_EXIT: u8 = 141;

/// Which of the two kinds of commands speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// As `oozie` does.
    Oozie,
    /// As only `howdah` does.
    Ours,
}

/// Why a command was not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// With a code: the server's, or one of ours.
    #[error("{code} : {message}")]
    Coded {
        /// `E####`, `HW####`, or what Oozie's client puts there, such as `IO_ERROR`.
        code: String,
        /// What happened.
        message: String,
        /// What to do next.
        help: Option<String>,
        /// The exit code of our commands, when it is a special one.
        exit: Option<u8>,
    },
    /// Without a code.
    #[error("{0}")]
    Plain(String),
    /// The command line is wrong.
    #[error("{0}")]
    Usage(String),
    /// Everything was said already; only the exit code is left.
    #[error("exit code {0}")]
    Quiet(u8),
}

impl Failure {
    /// A failure with a code and nothing to add.
    pub fn coded(code: impl Into<String>, message: impl Into<String>) -> Failure {
        Failure::Coded { code: code.into(), message: message.into(), help: None, exit: None }
    }

    /// The same failure with what to do next.
    #[must_use]
    pub fn with_help(self, next: impl Into<String>) -> Failure {
        match self {
            Failure::Coded { code, message, exit, .. } => {
                Failure::Coded { code, message, help: Some(next.into()), exit }
            }
            Failure::Plain(_) | Failure::Usage(_) | Failure::Quiet(_) => self,
        }
    }

    /// The same failure with an exit code of its own, for scripts that tell failures apart.
    #[must_use]
    pub fn with_exit(self, exit: u8) -> Failure {
        match self {
            Failure::Coded { code, message, help, .. } => {
                Failure::Coded { code, message, help, exit: Some(exit) }
            }
            Failure::Plain(_) | Failure::Usage(_) | Failure::Quiet(_) => self,
        }
    }

    /// The exit code of a command of this style.
    pub fn exit(&self, style: Style) -> u8 {
        match (self, style) {
            (Failure::Quiet(code), _) => *code,
            (_, Style::Oozie) => OOZIE_EXIT,
            (Failure::Usage(_), Style::Ours) => USAGE_EXIT,
            (Failure::Coded { exit, .. }, Style::Ours) => exit.unwrap_or(FAILED_EXIT),
            (Failure::Plain(_), Style::Ours) => FAILED_EXIT,
        }
    }

    /// Says it.
    ///
    /// # Errors
    /// When standard error is gone.
    pub fn tell(&self, style: Style, color: bool, err: &mut dyn Write) -> io::Result<()> {
        match (self, style) {
            (Failure::Quiet(_), _) => Ok(()),
            (Failure::Usage(message), Style::Oozie) => {
                writeln!(
                    err,
                    "Invalid sub-command: {message}\n\nuse 'help [sub-command]' for help details"
                )
            }
            (_, Style::Oozie) => writeln!(err, "Error: {self}"),
            (Failure::Coded { code, message, help, .. }, Style::Ours) => {
                let head = red(&format!("error[{code}]"), color);
                writeln!(err, "{head}: {message}")?;
                help.iter().try_for_each(|next| writeln!(err, "  help: {next}"))
            }
            (Failure::Plain(message), Style::Ours) => {
                writeln!(err, "{}: {message}", red("error", color))
            }
            (Failure::Usage(message), Style::Ours) => writeln!(err, "{message}"),
        }
    }
}

fn red(text: &str, color: bool) -> String {
    if color { text.red().bold().to_string() } else { text.to_owned() }
}

impl From<io::Error> for Failure {
    /// Output that nobody reads any more ends the command silently, as a shell's own tools do.
    fn from(error: io::Error) -> Failure {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::Quiet(CLOSED_PIPE_EXIT),
            _ => Failure::Plain(format!("cannot write: {error}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(failure: &Failure, style: Style, text: &str, exit: u8) {
        let mut err = Vec::new();
        failure.tell(style, false, &mut err).expect("a vector takes everything");
        assert_eq!(
            (String::from_utf8(err).expect("text").as_str(), failure.exit(style)),
            (text, exit)
        );
    }

    #[test]
    fn oozie_commands_fail_as_oozie_does_and_ours_say_what_next() {
        let refused = Failure::coded("E0604", "Job does not exist [x]")
            .with_help("list jobs with `howdah jobs`");
        check(&refused, Style::Oozie, "Error: E0604 : Job does not exist [x]\n", 255);
        let ours = "error[E0604]: Job does not exist [x]\n  help: list jobs with `howdah jobs`\n";
        check(&refused, Style::Ours, ours, 1);
        check(
            &Failure::Plain("no such file".to_owned()),
            Style::Oozie,
            "Error: no such file\n",
            255,
        );
        let usage = Failure::Usage("Unrecognized option: -x".to_owned());
        let said = "Invalid sub-command: Unrecognized option: -x\n\nuse 'help [sub-command]' for help details\n";
        check(&usage, Style::Oozie, said, 255);
        check(&usage, Style::Ours, "Unrecognized option: -x\n", 2);
        check(&Failure::Quiet(130), Style::Ours, "", 130);
        check(&io::Error::from(io::ErrorKind::BrokenPipe).into(), Style::Oozie, "", 141);
    }
}
