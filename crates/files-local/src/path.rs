//! From the texts that definitions use to paths of this machine, and back.

use std::path::{Path, PathBuf};

use ports::files::FilesError;

/// The longest path that the kernel takes (`PATH_MAX`).
const PATH_BYTES_MAX: usize = 4096;

/// The one scheme that is served here.
const SCHEME: &str = "file";

/// The path that `uri` names: `file:///a`, `file://localhost/a`, `file:/a` or a bare `/a`.
///
/// As in Hadoop nothing is percent-decoded, repeated slashes count as one, and `.` and `..` are resolved in the text,
/// before any link is followed.
///
/// # Errors
/// [`FilesError::UnknownScheme`] for another scheme, [`FilesError::BadPath`] for what is no absolute path of this
/// machine or climbs above its root.
pub fn local_path(uri: &str) -> Result<PathBuf, FilesError> {
    let bad = |why: &str| FilesError::BadPath { path: shown(uri), why: why.to_owned() };
    if uri.contains('\0') {
        return Err(bad("it contains a NUL"));
    }
    if uri.len() > PATH_BYTES_MAX {
        return Err(bad("it is longer than 4096 bytes"));
    }
    let path = without_scheme(uri)?;
    if !path.starts_with('/') {
        return Err(bad("it must be absolute, such as file:///data/in"));
    }
    normalise(path).ok_or_else(|| bad("its `..` climb above the root"))
}

/// The text for a path: a full URI.
pub(crate) fn to_uri(path: &Path) -> String {
    format!("{SCHEME}://{}", path.to_string_lossy())
}

/// What is cut off a pattern or path in front of its first slash, once it was found to be ours.
pub(crate) fn without_scheme(uri: &str) -> Result<&str, FilesError> {
    let Some((scheme, rest)) = split_scheme(uri) else { return Ok(uri) };
    if !scheme.eq_ignore_ascii_case(SCHEME) {
        return Err(FilesError::UnknownScheme { path: shown(uri), known: SCHEME.to_owned() });
    }
    let Some(after) = rest.strip_prefix("//") else { return Ok(rest) };
    let start = after.find('/').unwrap_or(after.len());
    match &after[..start] {
        "" | "localhost" => Ok(&after[start..]),
        host => Err(FilesError::BadPath {
            path: shown(uri),
            why: format!(
                "`{host}` is another host; a file: path names this machine, as in file:///data/in"
            ),
        }),
    }
}

fn split_scheme(uri: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = uri.split_once(':')?;
    let mut letters = scheme.bytes();
    let starts_well = letters.next().is_some_and(|b| b.is_ascii_alphabetic());
    (starts_well && letters.all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b)))
        .then_some((scheme, rest))
}

fn normalise(path: &str) -> Option<PathBuf> {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(Path::new("/").join(parts.join("/")))
}

/// A path as an error may show it: neither endless nor with control characters.
fn shown(uri: &str) -> String {
    const SHOWN_CHARS_MAX: usize = 512;
    uri.chars().take(SHOWN_CHARS_MAX).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(uri: &str, expected: &str) {
        let found = match local_path(uri) {
            Ok(path) => path.display().to_string(),
            Err(error) => error.to_string(),
        };
        assert_eq!(found, expected, "{uri:?}");
    }

    #[test]
    fn three_spellings_name_one_path() {
        for uri in [
            "file:///a/b",
            "file:/a/b",
            "/a/b",
            "FILE:///a//b/",
            "file://localhost/a/./b",
            "/x/../a/b",
        ] {
            check(uri, "/a/b");
        }
        check("/", "/");
        check("file:///a b%20c", "/a b%20c");
        check("/a:b/c", "/a:b/c");
    }

    #[test]
    fn what_is_no_path_here_says_why() {
        check("a/b", "a/b is not a usable path: it must be absolute, such as file:///data/in");
        check("", " is not a usable path: it must be absolute, such as file:///data/in");
        check("/a/../../b", "/a/../../b is not a usable path: its `..` climb above the root");
        check("/a\0b", "/a\u{fffd}b is not a usable path: it contains a NUL");
        check("hdfs://nn/a", "no file system is configured for hdfs://nn/a; known schemes: file");
        check(
            "file://far/a",
            "file://far/a is not a usable path: `far` is another host; a file: path names this machine, as in file:///data/in",
        );
        assert!(local_path(&"/a".repeat(2049)).is_err());
    }
}
