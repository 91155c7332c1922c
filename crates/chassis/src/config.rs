//! Settings: an embedded default, then a file, then the environment, then flags; each value knows where it came from.
//!
//! The default document is the reference: a key that it lacks does not exist, and its value says of which kind the key
//! is. So a mistyped key is an error that names the nearest known one, wherever it was written.
//! In the environment, `server.listen` is `HOWDAH_SERVER__LISTEN`; variables without `__` are not settings.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use toml::de::{DeTable, DeValue};
use toml::{Table, Value};

use crate::nearest::nearest;

const ENVIRONMENT_PREFIX: &str = "HOWDAH_";
const ENVIRONMENT_SEPARATOR: &str = "__";

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The embedded default.
    Default,
    /// A line of the configuration file.
    File {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// An environment variable.
    Environment(String),
    /// A flag of the command line.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::File { path, line } => write!(f, "{}:{line}", path.display()),
            Origin::Environment(name) => write!(f, "environment {name}"),
            Origin::Flag(name) => write!(f, "flag {name}"),
        }
    }
}

/// A configuration that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("cannot read the configuration file {path}: {why}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's words.
        why: String,
    },
    /// The file is not TOML.
    #[error("{path}:{line}: not TOML: {why}")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The parser's words.
        why: String,
    },
    /// There is no such setting.
    #[error("{origin}: there is no setting `{key}`{}", hint(nearest.as_deref()))]
    UnknownKey {
        /// The key as written.
        key: String,
        /// Where it was written.
        origin: Origin,
        /// What was probably meant.
        nearest: Option<String>,
    },
    /// The value is of the wrong kind, or out of range.
    #[error("{origin}: `{key}` cannot be `{value}`: {why}")]
    BadValue {
        /// The setting.
        key: String,
        /// What it was given.
        value: String,
        /// Where.
        origin: Origin,
        /// What is wrong with it.
        why: String,
    },
}

fn hint(nearest: Option<&str>) -> String {
    nearest.map_or_else(
        || "; `--print-config` shows all settings".to_owned(),
        |known| format!("; did you mean `{known}`?"),
    )
}

#[derive(Clone, Debug)]
struct Setting {
    value: Value,
    origin: Origin,
}

/// Settings by dotted key.
#[derive(Clone, Debug)]
pub struct Settings {
    settings: BTreeMap<String, Setting>,
}

impl Settings {
    /// Reads the embedded default document: tables of plain values.
    ///
    /// # Panics
    /// When the embedded document is not TOML: a mistake of the build, found by any test that starts the service.
    pub fn new(default_toml: &str) -> Settings {
        let table: Table =
            default_toml.parse().expect("the embedded default configuration is TOML");
        let setting = |(key, value)| (key, Setting { value, origin: Origin::Default });
        Settings { settings: flat("", table).into_iter().map(setting).collect() }
    }

    /// Lays a file over what is there.
    ///
    /// # Errors
    /// When it cannot be read, is not TOML, or sets something that does not exist or to a value of another kind.
    pub fn overlay_file(&mut self, path: &Path) -> Result<(), Error> {
        let unreadable = |error: std::io::Error| Error::Unreadable {
            path: path.to_owned(),
            why: error.to_string(),
        };
        let text = fs::read_to_string(path).map_err(unreadable)?;
        let syntax = |error: toml::de::Error| Error::Syntax {
            path: path.to_owned(),
            line: line_of(&text, error.span().map_or(0, |span| span.start)),
            why: error.message().to_owned(),
        };
        let mut lines = BTreeMap::new();
        key_lines("", DeTable::parse(&text).map_err(syntax)?.get_ref(), &text, &mut lines);
        for (key, value) in flat("", text.parse::<Table>().map_err(syntax)?) {
            let line = lines.get(&key).copied().unwrap_or(1);
            self.put(&key, value, Origin::File { path: path.to_owned(), line })?;
        }
        Ok(())
    }

    /// Lays `HOWDAH_<SECTION>__<KEY>` variables over what is there.
    ///
    /// # Errors
    /// As [`Settings::overlay_file`].
    pub fn overlay_environment(
        &mut self,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<(), Error> {
        for (name, text) in variables {
            let Some(rest) = name.strip_prefix(ENVIRONMENT_PREFIX) else { continue };
            if rest.contains(ENVIRONMENT_SEPARATOR) {
                let key = rest.to_lowercase().replace(ENVIRONMENT_SEPARATOR, ".");
                self.put_text(&key, &text, Origin::Environment(name))?;
            }
        }
        Ok(())
    }

    /// Lays one flag over what is there.
    ///
    /// # Errors
    /// As [`Settings::overlay_file`].
    pub fn overlay_flag(&mut self, flag: &str, key: &str, text: &str) -> Result<(), Error> {
        self.put_text(key, text, Origin::Flag(flag.to_owned()))
    }

    /// All settings as `T`.
    ///
    /// # Errors
    /// When a value does not fit; says which, and where it was given.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Error> {
        Value::Table(self.tree()).try_into::<T>().map_err(|error| self.blame(&error))
    }

    /// Every setting with its origin, one a line, as TOML that can be read back; secrets are hidden.
    pub fn print(&self) -> String {
        let line = |(key, setting): (&String, &Setting)| {
            let hidden = Value::String(HIDDEN.to_owned());
            let value = if is_secret(key, &setting.value) { &hidden } else { &setting.value };
            format!("{key} = {value}  # {}\n", setting.origin)
        };
        self.settings.iter().map(line).collect()
    }

    /// Every setting by its dotted key; secrets are hidden.
    pub fn values(&self) -> impl Iterator<Item = (&str, String)> {
        self.settings.iter().map(|(key, setting)| {
            let hidden = is_secret(key, &setting.value);
            (key.as_str(), if hidden { HIDDEN.to_owned() } else { plain(&setting.value) })
        })
    }

    fn put_text(&mut self, key: &str, text: &str, origin: Origin) -> Result<(), Error> {
        let kind = self.settings.get(key).map(|setting| setting.value.clone());
        let value = match kind {
            Some(Value::Integer(_)) => text.parse().map(Value::Integer).ok(),
            Some(Value::Float(_)) => text.parse().map(Value::Float).ok(),
            Some(Value::Boolean(_)) => text.parse().map(Value::Boolean).ok(),
            Some(Value::Array(_)) => Some(Value::Array(words(text))),
            Some(Value::String(_) | Value::Datetime(_) | Value::Table(_)) | None => None,
        };
        self.put(key, value.unwrap_or_else(|| Value::String(text.to_owned())), origin)
    }

    fn put(&mut self, key: &str, value: Value, origin: Origin) -> Result<(), Error> {
        let Some(setting) = self.settings.get_mut(key) else {
            let nearest = nearest(key, self.settings.keys().map(String::as_str)).map(str::to_owned);
            return Err(Error::UnknownKey { key: key.to_owned(), origin, nearest });
        };
        if !setting.value.same_type(&value) {
            let why = format!("{} is wanted here", kind_of(&setting.value));
            return Err(Error::BadValue { key: key.to_owned(), value: plain(&value), origin, why });
        }
        *setting = Setting { value, origin };
        Ok(())
    }

    fn tree(&self) -> Table {
        let mut root = Table::new();
        for (key, setting) in &self.settings {
            let mut table = &mut root;
            let (path, name) = key.rsplit_once('.').unwrap_or(("", key));
            for part in path.split('.').filter(|part| !part.is_empty()) {
                let entry = table.entry(part).or_insert_with(|| Value::Table(Table::new()));
                table = entry
                    .as_table_mut()
                    .expect("a key of the default document is either a table or a value");
            }
            table.insert(name.to_owned(), setting.value.clone());
        }
        root
    }

    /// Finds the setting that a conversion stumbled over: the only one whose conversion message it can be.
    fn blame(&self, error: &toml::de::Error) -> Error {
        let text = error.to_string();
        let key =
            self.settings.keys().find(|key| mentions(&text, key)).cloned().unwrap_or_default();
        let (value, origin) = match self.settings.get(&key) {
            Some(setting) => (plain(&setting.value), setting.origin.clone()),
            None => (String::new(), Origin::Default),
        };
        Error::BadValue { key, value, origin, why: error.message().to_owned() }
    }
}

/// Whether the library's message (`... in \`server.listen\``) names this key.
fn mentions(text: &str, key: &str) -> bool {
    text.contains(&format!("`{key}`"))
}

/// What is shown instead of a secret.
const HIDDEN: &str = "(hidden)";

/// A password, or an address that may have one in it; an empty one hides nothing, and `file:` only says where it is.
fn is_secret(key: &str, value: &Value) -> bool {
    let text = value.as_str().unwrap_or_default();
    let named = key.ends_with("password") || key.ends_with("secret");
    (named && !text.is_empty() && !text.starts_with("file:"))
        || (text.contains("://") && text.contains('@'))
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "a text",
        Value::Integer(_) => "a whole number",
        Value::Float(_) => "a number",
        Value::Boolean(_) => "true or false",
        Value::Datetime(_) => "a date",
        Value::Array(_) => "a list",
        Value::Table(_) => "a section",
    }
}

fn words(text: &str) -> Vec<Value> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts.map(|part| Value::String(part.to_owned())).collect()
}

fn joined(prefix: &str, name: &str) -> String {
    if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") }
}

/// The values of a document by dotted key.
fn flat(prefix: &str, table: Table) -> Vec<(String, Value)> {
    let entry = |(name, value): (String, Value)| match value {
        Value::Table(inner) => flat(&joined(prefix, &name), inner),
        value => vec![(joined(prefix, &name), value)],
    };
    table.into_iter().flat_map(entry).collect()
}

/// The line of every key of a document.
fn key_lines(prefix: &str, table: &DeTable<'_>, text: &str, into: &mut BTreeMap<String, usize>) {
    for (name, value) in table {
        let key = joined(prefix, name.get_ref());
        if let DeValue::Table(inner) = value.get_ref() {
            key_lines(&key, inner, text, into);
        } else {
            into.insert(key, line_of(text, name.span().start));
        }
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}

#[cfg(test)]
mod tests;
