//! Names inside a working directory: checked, and made without leaving it.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Component, Path, PathBuf};

/// Why a name is refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkError {
    /// It climbs out, or is no name.
    #[error(
        "`{name}` is not a name inside the working directory: it must be relative, without `..` and without NUL"
    )]
    Outside {
        /// The name.
        name: String,
    },
    /// A part of it is a link already: what is put below it would land elsewhere.
    #[error("`{name}` leads through `{through}`, which is a link out of the working directory")]
    ThroughLink {
        /// The name.
        name: String,
        /// The part.
        through: String,
    },
    /// The system refused.
    #[error("cannot put `{name}` into the working directory: {source}")]
    Io {
        /// The name.
        name: String,
        /// The refusal.
        source: io::Error,
    },
}

/// A name that stays inside, as a relative path.
pub(crate) fn inside(name: &str) -> Result<PathBuf, LinkError> {
    let outside = || LinkError::Outside { name: name.to_owned() };
    let mut path = PathBuf::new();
    for component in Path::new(name).components() {
        match component {
            Component::Normal(part) => path.push(part),
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => {
                return Err(outside());
            }
        }
    }
    if path.as_os_str().is_empty() || name.contains('\0') { Err(outside()) } else { Ok(path) }
}

/// Where `name` is to be made in `root`, with its parents made; none of them is a link.
pub(crate) fn place(root: &Path, name: &str) -> Result<PathBuf, LinkError> {
    let relative = inside(name)?;
    make_directories(root, name, relative.parent().unwrap_or(&relative))?;
    Ok(root.join(relative))
}

/// Makes the directory `name` in `root`, with its parents; none of them is a link.
pub(crate) fn directory(root: &Path, name: &str) -> Result<(), LinkError> {
    make_directories(root, name, &inside(name)?)
}

fn make_directories(root: &Path, name: &str, relative: &Path) -> Result<(), LinkError> {
    let failed = |source| LinkError::Io { name: name.to_owned(), source };
    let mut at = root.to_owned();
    for part in relative.components() {
        at.push(part);
        match fs::symlink_metadata(&at) {
            Ok(found) if found.is_dir() => {}
            Ok(_) => return Err(through(name, root, &at)),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                fs::create_dir(&at).map_err(failed)?
            }
            Err(error) => return Err(failed(error)),
        }
    }
    Ok(())
}

/// Links `name` in `root` to `source`; answers whether the name was free.
pub(crate) fn link(root: &Path, name: &str, source: &Path) -> Result<bool, LinkError> {
    let at = place(root, name)?;
    match std::os::unix::fs::symlink(source, at) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(source) => Err(LinkError::Io { name: name.to_owned(), source }),
    }
}

fn through(name: &str, root: &Path, at: &Path) -> LinkError {
    let through = at.strip_prefix(root).unwrap_or(at).display().to_string();
    LinkError::ThroughLink { name: name.to_owned(), through }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_inside() {
        for name in ["a", "a/b", "./a", "a b", "..a"] {
            assert!(inside(name).is_ok(), "{name}");
        }
        for name in ["", ".", "..", "/a", "a/../../b", "a/..", "a\0b"] {
            assert!(inside(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn nothing_is_made_behind_a_link() {
        let root = tempfile::tempdir().expect("room");
        let elsewhere = tempfile::tempdir().expect("room");
        assert!(matches!(link(root.path(), "x", elsewhere.path()), Ok(true)));
        assert!(matches!(link(root.path(), "x", elsewhere.path()), Ok(false)));
        assert!(matches!(
            link(root.path(), "x/y", Path::new("/etc")),
            Err(LinkError::ThroughLink { .. })
        ));
        assert!(matches!(link(root.path(), "d/e/f", Path::new("/etc")), Ok(true)));
        assert_eq!(fs::read_dir(elsewhere.path()).expect("ours").count(), 0);
    }
}
