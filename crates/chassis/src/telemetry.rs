//! Log lines on standard error, for people or as JSON, with a level that can be changed while the process runs.

use std::fmt;
use std::io;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Registry, fmt as lines, reload};

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// For people.
    #[default]
    Human,
    /// One JSON object a line.
    Json,
}

/// What [`start`] is told.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// `info`, or directives such as `warn,scheduler=debug`.
    pub level: String,
    /// How lines look.
    pub format: Format,
    /// Whether human lines may be coloured.
    pub color: bool,
}

/// Why logging could not be started or changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The level cannot be read.
    #[error(
        "`{level}` is no log level: {why}; write error, warn, info, debug or trace, or directives such as `warn,scheduler=debug`"
    )]
    BadLevel {
        /// What was asked for.
        level: String,
        /// The parser's words.
        why: String,
    },
    /// Something else in this process writes the log already.
    #[error("logging was started already")]
    Started,
    /// The log is gone; the process is ending.
    #[error("logging has ended")]
    Ended,
}

/// Changes the level of a running process.
#[derive(Clone)]
pub struct LogLevel {
    change: Arc<dyn Fn(EnvFilter) -> Result<(), Error> + Send + Sync>,
}

impl fmt::Debug for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LogLevel")
    }
}

impl LogLevel {
    /// From now on, this level.
    ///
    /// # Errors
    /// When the level cannot be read.
    pub fn set(&self, level: &str) -> Result<(), Error> {
        (self.change)(filter(level)?)
    }
}

/// Starts logging for the whole process.
///
/// # Errors
/// When the level cannot be read, or logging was started already.
pub fn start(options: &Options) -> Result<LogLevel, Error> {
    let (filter, handle) = reload::Layer::<EnvFilter, Registry>::new(filter(&options.level)?);
    let writer = lines::layer().with_writer(io::stderr);
    let layer = match options.format {
        Format::Human => writer.with_ansi(options.color).boxed(),
        Format::Json => writer.json().flatten_event(true).boxed(),
    };
    tracing_subscriber::registry()
        .with(filter)
        .with(layer)
        .try_init()
        .map_err(|_taken| Error::Started)?;
    let change = move |filter| handle.reload(filter).map_err(|_gone| Error::Ended);
    Ok(LogLevel { change: Arc::new(change) })
}

fn filter(level: &str) -> Result<EnvFilter, Error> {
    let bad = |why: String| Error::BadLevel { level: level.to_owned(), why };
    if level.trim().is_empty() {
        return Err(bad("it is empty".to_owned()));
    }
    EnvFilter::from_str(level.trim()).map_err(|error| bad(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_and_directives_are_read_and_others_are_refused() {
        assert!(filter("info").is_ok());
        assert!(filter("warn,scheduler=debug").is_ok());
        assert!(matches!(filter("scheduler=loud"), Err(Error::BadLevel { .. })));
        assert!(matches!(filter(" "), Err(Error::BadLevel { .. })));
    }

    #[test]
    fn the_level_changes_while_the_process_runs() {
        let level = start(&Options { level: "error".to_owned(), ..Options::default() })
            .expect("first start");
        assert!(!tracing::enabled!(tracing::Level::DEBUG));
        level.set("debug").expect("a level");
        assert!(tracing::enabled!(tracing::Level::DEBUG));
        assert_eq!(
            level.set("").expect_err("empty").to_string().split(':').next(),
            Some("`` is no log level")
        );
        assert_eq!(
            start(&Options { level: "info".to_owned(), ..Options::default() }).err(),
            Some(Error::Started)
        );
    }
}
