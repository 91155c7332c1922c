//! Log lines: lowercase, no full stop, facts in fields rather than in the sentence.

use super::Offence;
use crate::rust_text::is_whole;
use crate::workspace::{Source, Workspace};

const LEVELS: [&str; 5] = ["error!(", "warn!(", "info!(", "debug!(", "trace!("];

/// Looks at the message of every log macro.
pub(super) fn log_lines(workspace: &Workspace) -> Vec<Offence> {
    let shipped = workspace.sources.iter().filter(|source| !source.is_test());
    shipped.flat_map(messages).filter_map(|(place, message)| offence(place, &message)).collect()
}

/// The messages of a file, with their places.
fn messages(source: &Source) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for level in LEVELS {
        for (begin, _) in source.rust.code.match_indices(level) {
            let is_macro = is_whole(&source.rust.code, begin, level.len() - 2);
            let message = message_of(source, begin + level.len());
            if let (true, false, Some(message)) = (is_macro, source.rust.is_test(begin), message) {
                found.push((format!("{}:{}", source.path, source.rust.line(begin)), message));
            }
        }
    }
    found
}

/// The last literal of a macro that is no field's value.
fn message_of(source: &Source, from: usize) -> Option<String> {
    let end = closing(&source.rust.code, from)?;
    let inside = source.rust.literals.iter().filter(|literal| (from..end).contains(&literal.at));
    let mut messages = inside.filter(|literal| is_argument(&source.rust.code[from..literal.at]));
    messages.next_back().map(|literal| literal.text.clone())
}

/// Whether what comes next is an argument of its own, neither a field's value nor inside of a call.
fn is_argument(before: &str) -> bool {
    let before = before.trim_end();
    before.is_empty() || before.ends_with(',')
}

fn closing(code: &str, from: usize) -> Option<usize> {
    let mut depth = 1_usize;
    for (at, byte) in code.bytes().enumerate().skip(from) {
        match byte {
            b'(' => depth += 1,
            b')' if depth == 1 => return Some(at),
            b')' => depth -= 1,
            _ => {}
        }
    }
    None
}

fn offence(place: String, message: &str) -> Option<Offence> {
    let mut characters = message.chars();
    let is_capital = characters.next().is_some_and(char::is_uppercase);
    // Names such as SIGTERM keep their look.
    let is_name = characters.next().is_some_and(char::is_uppercase);
    let words = match message {
        _ if is_capital && !is_name => "begins with a capital letter; log lines are lowercase",
        _ if message.ends_with('.') => "ends with a full stop; log lines have none",
        _ if message.contains('{') => "puts values into the sentence; make them fields",
        _ => return None,
    };
    Some(Offence::new(place, format!("\"{message}\" {words}")))
}

#[cfg(test)]
mod tests {
    use crate::rust_text::RustText;

    use super::*;

    fn check(code: &str, expected: Option<&str>) {
        let source = Source {
            path: "a.rs".to_owned(),
            package: "a".to_owned(),
            text: code.to_owned(),
            rust: RustText::read(code),
        };
        let said =
            messages(&source).into_iter().find_map(|(place, message)| offence(place, &message));
        assert_eq!(
            said.map(|offence| offence.words.contains(expected.unwrap_or("nothing"))),
            expected.map(|_| true),
            "{code}"
        );
    }

    #[test]
    fn messages_are_judged() {
        check("info!(job = %id, \"the job has ended\")", None);
        check("tracing::info!(name = \"The Name.\", \"fine\")", None);
        check("warn!(path = f(\"X\"), \"fine\");", None);
        check("warn!(\"SIGTERM came\")", None);
        check("warn!(\"The job\")", Some("capital"));
        check("warn!(%error, \"the job ended.\")", Some("full stop"));
        check("warn!(\"the job {id}\")", Some("fields"));
        check("compile_error!(\"The feature is gone.\")", None);
    }
}
