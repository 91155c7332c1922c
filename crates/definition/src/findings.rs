//! The list of findings about one document, while it is being made.

use std::ops::Range;

use model::Diagnostic;

use crate::source::{Lines, finding};

/// How many findings one document gives at most: more help nobody, and hostile documents could have thousands.
const MAX_FINDINGS: usize = 100;

/// Findings about one text, bounded.
#[derive(Debug)]
pub(crate) struct Findings<'text> {
    lines: Lines<'text>,
    list: Vec<Diagnostic>,
}

impl<'text> Findings<'text> {
    pub(crate) fn about(text: &'text str) -> Findings<'text> {
        Findings { lines: Lines::of(text), list: Vec::new() }
    }

    /// Adds an error at this place; no help when `help` is empty.
    pub(crate) fn error(&mut self, code: &str, span: Range<usize>, message: String, help: &str) {
        if !self.is_full() {
            let at = self.lines.location(span.start);
            self.list.push(Diagnostic { at, ..finding(code, span, message, help) });
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether nothing more would be kept: the document is refused, looking further is wasted.
    pub(crate) fn is_full(&self) -> bool {
        self.list.len() >= MAX_FINDINGS
    }

    pub(crate) fn lines(&self) -> &Lines<'text> {
        &self.lines
    }

    /// All findings in the order of the document.
    pub(crate) fn into_sorted(mut self) -> Vec<Diagnostic> {
        self.list.sort_by_key(|one| one.span.start);
        self.list
    }
}
