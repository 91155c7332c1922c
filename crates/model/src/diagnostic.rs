//! What is wrong with a document: where, what, and what to do about it.

use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};

/// A place in a document, for people: both numbers begin at 1; columns count characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Location {
    /// Line, from 1; 0 when the place is not known.
    pub line: u32,
    /// Column in characters, from 1; 0 when the place is not known.
    pub column: u32,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The document is refused.
    Error,
    /// The document is accepted; something in it is probably not meant so.
    Warning,
}

/// One finding about a document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// Oozie's `E####` where the situation is Oozie's, else ours, `HW####`; each has a page in `docs/errors/`.
    pub code: String,
    /// How bad it is.
    pub severity: Severity,
    /// Where, for people.
    pub at: Location,
    /// Where, in bytes of the document.
    pub span: Range<usize>,
    /// What is wrong, in words of the document.
    pub message: String,
    /// What to do next.
    pub help: Option<String>,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)?;
        if self.at.line > 0 {
            write!(f, " (line {}, column {})", self.at.line, self.at.column)?;
        }
        match &self.help {
            Some(help) => write!(f, "; {help}"),
            None => Ok(()),
        }
    }
}
