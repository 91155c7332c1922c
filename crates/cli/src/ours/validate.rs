//! `validate`: every mistake of a definition at once, each with its place in the text and what to do.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use definition::{DefinitionKind, Limits, WorkflowSources};
use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode};
use model::{Configuration, Diagnostic, Severity};
use serde::Serialize;

use crate::client::Client;
use crate::failure::{FAILED_EXIT, Failure};
use crate::terminal::{Meaning, Terminal, painted};

/// How deep directories are searched: deeper than any tree that people lay out.
const DEPTH_MAX: usize = 32;
/// How many files of a directory are looked at: a large company's whole repository.
const FILES_MAX: usize = 100_000;
/// The width of a report: what fits beside an editor.
const WIDTH: usize = 100;

/// Has the server do it, and says what Oozie's client says.
///
/// # Errors
/// The server's refusal, without its code, as in Oozie.
pub fn by_server(out: &mut dyn Write, file: &str, client: &Client) -> Result<(), Failure> {
    let answer = client.validate(file).map_err(|failure| match failure {
        Failure::Coded { message, .. } => Failure::Plain(message),
        other => other,
    })?;
    Ok(writeln!(out, "{answer}")?)
}

/// Does it here: one file, or every definition in a directory.
///
/// # Errors
/// Exit code 1 when anything is refused, or nothing can be read.
pub fn here(terminal: &mut Terminal<'_>, path: &str, json: bool) -> Result<(), Failure> {
    let path = Path::new(path.strip_prefix("file://").unwrap_or(path));
    let checked = checked_at(path)?;
    if json {
        let text = serde_json::to_string_pretty(&checked)
            .map_err(|error| Failure::Plain(error.to_string()))?;
        writeln!(terminal.out, "{text}")?;
    } else {
        told(terminal, &checked, path.is_dir())?;
    }
    if checked.iter().all(|file| file.valid) { Ok(()) } else { Err(Failure::Quiet(FAILED_EXIT)) }
}

/// What was found in one file.
#[derive(Clone, Debug, Serialize)]
pub struct Checked {
    /// The file.
    pub file: PathBuf,
    /// `workflow-app`, `coordinator-app` or `bundle-app`, when it can be told.
    pub kind: Option<&'static str>,
    /// Whether Oozie would accept it.
    pub valid: bool,
    /// Everything that is wrong with it.
    pub diagnostics: Vec<Diagnostic>,
    /// Its text, for the pictures.
    #[serde(skip)]
    text: String,
}

fn checked_at(path: &Path) -> Result<Vec<Checked>, Failure> {
    let missing =
        || Failure::coded("HW5007", format!("there is no file or directory {}", path.display()));
    let kind = fs::metadata(path)
        .map_err(|_| missing().with_help("name a definition, or a directory that has some"))?;
    if !kind.is_dir() {
        return Ok(vec![check(path)?]);
    }
    let mut found = Vec::new();
    collect(path, 0, &mut found)?;
    found.sort();
    let read = found.iter().filter(|file| is_definition(file)).map(|file| check(file));
    let checked: Vec<Checked> = read.collect::<Result<_, _>>()?;
    if checked.is_empty() {
        let message =
            format!("{} has no workflow, coordinator or bundle definition", path.display());
        return Err(Failure::coded("HW5007", message)
            .with_help("name a definition, or a directory that has some"));
    }
    Ok(checked)
}

/// The XML files below a directory.
fn collect(directory: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let unreadable =
        |error| Failure::Plain(format!("cannot list {}: {error}", directory.display()));
    for entry in fs::read_dir(directory).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let (kind, path) = (entry.file_type().map_err(unreadable)?, entry.path());
        if kind.is_dir() && depth < DEPTH_MAX {
            collect(&path, depth + 1, found)?;
        } else if kind.is_file() && path.extension().is_some_and(|extension| extension == "xml") {
            found.push(path);
        }
        if found.len() > FILES_MAX {
            return Err(Failure::Plain(format!(
                "{} has more than {FILES_MAX} XML files",
                directory.display()
            )));
        }
    }
    Ok(())
}

/// Whether a file of a directory looks like a definition, rather than a configuration or anything else in XML.
fn is_definition(file: &Path) -> bool {
    let text = fs::read(file).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    ["workflow-app", "coordinator-app", "bundle-app"]
        .iter()
        .any(|root| text.match_indices(root).any(|(at, _)| text[..at].ends_with(['<', ':'])))
}

/// Reads and checks one file.
///
/// # Errors
/// When it cannot be read at all; what is wrong with its text is in the answer.
pub fn check(file: &Path) -> Result<Checked, Failure> {
    let unreadable =
        |error| Failure::coded("HW5007", format!("cannot read {}: {error}", file.display()));
    let bytes = fs::read(file).map_err(unreadable)?;
    let (kind, diagnostics) = match definition::decode(&bytes, Limits::default()) {
        Ok(text) => judged(text, file),
        Err(refusal) => (None, vec![refusal]),
    };
    let valid = diagnostics.iter().all(|diagnostic| diagnostic.severity != Severity::Error);
    let text = String::from_utf8_lossy(&bytes);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text).to_owned();
    Ok(Checked {
        file: file.to_owned(),
        kind: kind.map(DefinitionKind::root),
        valid,
        diagnostics,
        text,
    })
}

fn judged(text: &str, file: &Path) -> (Option<DefinitionKind>, Vec<Diagnostic>) {
    match definition::validate_definition(text, Limits::default()) {
        Ok(DefinitionKind::Workflow) => {
            let defaults = defaults_beside(file);
            let sources =
                WorkflowSources { config_default: defaults.as_ref(), ..WorkflowSources::of(text) };
            (
                Some(DefinitionKind::Workflow),
                definition::read_workflow(sources).err().unwrap_or_default(),
            )
        }
        Ok(kind) => (Some(kind), Vec::new()),
        Err(found) => (None, found),
    }
}

/// The `config-default.xml` of the application, if it has one that can be read.
fn defaults_beside(file: &Path) -> Option<Configuration> {
    let text = fs::read_to_string(file.with_file_name("config-default.xml")).ok()?;
    definition::read_configuration(&text).ok()
}

/// Pictures of what is wrong go to standard error, one line a file and a summary to standard output.
fn told(terminal: &mut Terminal<'_>, checked: &[Checked], many: bool) -> Result<(), Failure> {
    for file in checked {
        for diagnostic in &file.diagnostics {
            write!(terminal.err, "{}", picture(file, diagnostic, terminal.err_color))?;
        }
        if many {
            writeln!(terminal.out, "{}", line(file, terminal.out_color))?;
        } else if let (true, Some(kind)) = (file.valid, file.kind) {
            writeln!(terminal.out, "Valid {kind}")?;
        }
    }
    if many {
        let refused = checked.iter().filter(|file| !file.valid).count();
        writeln!(
            terminal.err,
            "{} definitions, {} valid, {refused} refused",
            checked.len(),
            checked.len() - refused
        )?;
    }
    Ok(())
}

fn line(file: &Checked, color: bool) -> String {
    if file.valid {
        let kind = file.kind.unwrap_or("definition");
        return format!(
            "{}: {} {kind}",
            file.file.display(),
            painted("valid", Meaning::Good, color)
        );
    }
    let mut codes: Vec<&str> =
        file.diagnostics.iter().map(|diagnostic| diagnostic.code.as_str()).collect();
    codes.dedup();
    format!(
        "{}: {} {}",
        file.file.display(),
        painted("refused", Meaning::Bad, color),
        codes.join(" ")
    )
}

/// A finding with the lines of text around it.
pub fn picture(file: &Checked, diagnostic: &Diagnostic, color: bool) -> String {
    let theme = if color { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    let handler = GraphicalReportHandler::new_themed(theme).with_width(WIDTH).with_links(false);
    let source =
        NamedSource::new(file.file.display().to_string(), file.text.clone()).with_language("XML");
    let mut text = String::new();
    match handler.render_report(&mut text, &Finding { diagnostic, source }) {
        Ok(()) => text,
        Err(_) => format!("{}: {diagnostic}\n", file.file.display()),
    }
}

/// A finding in miette's eyes.
#[derive(Debug)]
struct Finding<'a> {
    diagnostic: &'a Diagnostic,
    source: NamedSource<String>,
}

impl std::fmt::Display for Finding<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.diagnostic.message)
    }
}

impl std::error::Error for Finding<'_> {}

impl miette::Diagnostic for Finding<'_> {
    fn code(&self) -> Option<Box<dyn std::fmt::Display + '_>> {
        Some(Box::new(&self.diagnostic.code))
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.diagnostic.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
        })
    }

    fn help(&self) -> Option<Box<dyn std::fmt::Display + '_>> {
        self.diagnostic.help.as_ref().map(|help| Box::new(help) as Box<dyn std::fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&self.source)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let span = &self.diagnostic.span;
        (self.diagnostic.at.line > 0).then(|| {
            let label = LabeledSpan::new(Some("here".to_owned()), span.start, span.len());
            Box::new(std::iter::once(label)) as Box<dyn Iterator<Item = LabeledSpan>>
        })
    }
}

#[cfg(test)]
mod tests;
