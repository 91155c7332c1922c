//! `fs`: commands on file systems, in document order, with Oozie's rules and codes (census §1.5, gotcha 35).
//!
//! Nothing is checked in front, and what was done stays done when a later command fails. A marker beside the attempt
//! stands while the commands run; an attempt that finds it goes on after a crash, and takes a `move` whose source is gone
//! for done (gotcha 31).
//!
//! The commands are done as the job's user where the worker runs attempts as their submitters: the port is told the user
//! with each, and the thread that asks it is the user's, for file systems that judge by the process. The marker is the
//! worker's.

use std::fs as std_fs;
use std::io::{self, ErrorKind};

use model::action_spec::{Fs, FsCommand};
use model::{AttemptResult, ErrorClass, Phase, Success};
use ports::files::{FileStatus, Files, FilesError};

use crate::builtin::{Order, say};
use crate::failure::{self, NOT_SUPPORTED, Refusal, UNKNOWN_SCHEME, of_worker};
use crate::localise::locations::{authority, has_scheme};
use crate::users::block_on_as;

/// Directories below a `chmod` or `chgrp` with `<recursive/>`.
const DEPTH_MAX: usize = 200;

/// Runs the commands.
pub(crate) fn perform(
    files: &dyn Files,
    order: &Order,
    spec: &Fs,
) -> Result<AttemptResult, Refusal> {
    let recovering = order.recovery_marker.exists();
    std_fs::write(&order.recovery_marker, order.grant.token.as_str())
        .map_err(|error| of_worker("cannot note the beginning of the fs action", &error))?;
    let commands = Commands {
        files,
        user: &order.grant.user,
        name_node: spec.name_node.as_deref(),
        recovering,
    };
    let done = block_on_as(order.account.as_ref(), commands.run(spec)).flatten();
    let unmarked = std_fs::remove_file(&order.recovery_marker)
        .or_else(|error| if error.kind() == ErrorKind::NotFound { Ok(()) } else { Err(error) });
    done?;
    unmarked.map_err(|error| of_worker("cannot note the end of the fs action", &error))?;
    Ok(AttemptResult::Succeeded(Success {
        external_id: Some("-".to_owned()),
        external_status: Some("OK".to_owned()),
        ..Success::default()
    }))
}

struct Commands<'a> {
    files: &'a dyn Files,
    user: &'a str,
    name_node: Option<&'a str>,
    recovering: bool,
}

/// What `chmod` and `chgrp` share: which paths are meant, and what is done to each.
struct Change<'a> {
    command: &'static str,
    pattern: &'a str,
    dir_files: bool,
    recursive: bool,
    to: To<'a>,
}

#[derive(Clone, Copy)]
enum To<'a> {
    Mode(u32),
    Group(&'a str),
}

impl Commands<'_> {
    async fn run(&self, spec: &Fs) -> Result<(), Refusal> {
        if let Some(name_node) = self.name_node {
            require_scheme(name_node)?;
        }
        for command in &spec.commands {
            self.run_one(command).await?;
        }
        Ok(())
    }

    async fn run_one(&self, command: &FsCommand) -> Result<(), Refusal> {
        match command {
            FsCommand::Delete { path, skip_trash } => self.delete(path, *skip_trash).await,
            FsCommand::Mkdir { path } => self.mkdir(path).await,
            FsCommand::Move { source, target } => self.rename(source, target).await,
            FsCommand::Touchz { path } => self.touchz(path).await,
            FsCommand::Setrep { path, factor } => self.setrep(path, *factor).await,
            FsCommand::Chmod { path, permissions, dir_files, recursive } => {
                let to = To::Mode(
                    mode_of(permissions).ok_or_else(|| bad_permissions(path, permissions))?,
                );
                let change = Change {
                    command: "chmod",
                    pattern: path,
                    dir_files: *dir_files,
                    recursive: *recursive,
                    to,
                };
                self.change(&change).await
            }
            FsCommand::Chgrp { path, group, dir_files, recursive } => {
                let to = To::Group(group);
                let change = Change {
                    command: "chgrp",
                    pattern: path,
                    dir_files: *dir_files,
                    recursive: *recursive,
                    to,
                };
                self.change(&change).await
            }
        }
    }

    async fn delete(&self, path: &str, skip_trash: bool) -> Result<(), Refusal> {
        let pattern = self.full(path)?;
        say(&mut io::stdout(), &format!("delete {pattern}"));
        let refused = |error: FilesError| {
            of(&format!("delete, could not delete [{pattern}]"), "FS005", &error)
        };
        for found in self.matching(&pattern, "FS005").await? {
            self.files.delete(self.user, &found.path, skip_trash).await.map_err(refused)?;
        }
        Ok(())
    }

    async fn mkdir(&self, path: &str) -> Result<(), Refusal> {
        let path = self.full(path)?;
        say(&mut io::stdout(), &format!("mkdir {path}"));
        let refused =
            |error| of(&format!("mkdir, could not create directory [{path}]"), "FS004", &error);
        // What exists is fine, whatever it is.
        match self.files.stat(self.user, &path).await.map_err(refused)? {
            Some(_) => Ok(()),
            None => self.files.mkdir(self.user, &path).await.map_err(refused),
        }
    }

    async fn rename(&self, source: &str, target: &str) -> Result<(), Refusal> {
        let source = self.full(source)?;
        let target = same_file_system(&source, target)?;
        say(&mut io::stdout(), &format!("move {source} to {target}"));
        let sources = self.matching(&source, "FS008").await?;
        if sources.is_empty() {
            return if self.recovering {
                Ok(())
            } else {
                Err(error("FS006", format!("move, source path [{source}] does not exist")))
            };
        }
        let into_directory = self.stat(&target).await?.is_some_and(|found| found.is_dir);
        if sources.len() > 1 && !into_directory {
            let message = format!(
                "move, several sources match [{source}], so the target [{target}] must be a directory that exists"
            );
            return if self.recovering { Ok(()) } else { Err(error("FS012", message)) };
        }
        for found in sources {
            let moved = self.files.rename(self.user, &found.path, &target).await;
            match moved {
                Err(_) if self.recovering => {}
                other => other.map_err(|e| {
                    of(&format!("move, could not move [{}] to [{target}]", found.path), "FS008", &e)
                })?,
            }
        }
        Ok(())
    }

    /// Oozie's own refusals here have the class name of the exception as their code (gotcha 29).
    async fn touchz(&self, path: &str) -> Result<(), Refusal> {
        let path = self.full(path)?;
        say(&mut io::stdout(), &format!("touchz {path}"));
        match self.stat(&path).await? {
            Some(found) if found.is_dir => {
                Err(error("Exception", format!("touchz, [{path}] is a directory")))
            }
            Some(found) if found.size_bytes > 0 => {
                Err(error("Exception", format!("touchz, [{path}] must be an empty file")))
            }
            Some(_) | None => {
                let touched = self.files.touch(self.user, &path).await;
                touched.map_err(|e| {
                    of(&format!("touchz, could not touch [{path}]"), "IOException", &e)
                })
            }
        }
    }

    /// Directories have no copies; and `name-node` does not apply here.
    async fn setrep(&self, path: &str, factor: i16) -> Result<(), Refusal> {
        require_scheme(path)?;
        say(&mut io::stdout(), &format!("setrep {factor} {path}"));
        if self.stat(path).await?.is_none_or(|found| found.is_dir) {
            return Ok(());
        }
        let set = self.files.setrep(self.user, path, factor).await;
        set.map_err(|e| {
            of(&format!("setrep, could not set the replication of [{path}]"), "IOException", &e)
        })
    }

    async fn change(&self, change: &Change<'_>) -> Result<(), Refusal> {
        let (pattern, command) = (self.full(change.pattern)?, change.command);
        say(&mut io::stdout(), &format!("{command} {pattern}"));
        let roots = self.matching(&pattern, "FS009").await?;
        if roots.is_empty() {
            return Err(error(
                "FS009",
                format!("{command}, path(s) that matches [{pattern}] does not exist"),
            ));
        }
        for root in roots {
            self.change_tree(change, root).await?;
        }
        Ok(())
    }

    /// A directory with `dir-files` means itself and its entries; with `recursive` everything below.
    async fn change_tree(&self, change: &Change<'_>, root: FileStatus) -> Result<(), Refusal> {
        let mut waiting = vec![(root, 0)];
        while let Some((at, depth)) = waiting.pop() {
            let goes_down = at.is_dir && change.dir_files && (depth == 0 || change.recursive);
            if goes_down && depth < DEPTH_MAX {
                let refused = |e| {
                    of(
                        &format!("{}, could not list [{}]", change.command, at.path),
                        "IOException",
                        &e,
                    )
                };
                let entries = self.files.list(self.user, &at.path).await.map_err(refused)?;
                waiting.extend(entries.into_iter().map(|entry| (entry, depth + 1)));
            }
            self.change_one(change, &at.path).await?;
        }
        Ok(())
    }

    async fn change_one(&self, change: &Change<'_>, path: &str) -> Result<(), Refusal> {
        let changed = match change.to {
            To::Mode(mode) => self.files.chmod(self.user, path, mode).await,
            To::Group(group) => self.files.chgrp(self.user, path, group).await,
        };
        changed.map_err(|e| {
            of(&format!("{}, could not change [{path}]", change.command), "IOException", &e)
        })
    }

    async fn matching(&self, pattern: &str, code: &str) -> Result<Vec<FileStatus>, Refusal> {
        self.files.glob(self.user, pattern).await.map_err(|e| match e {
            FilesError::OverLimit { .. } => {
                error("FS013", format!("too many globbed files/dirs to do FS operation: {e}"))
            }
            other => of(&format!("could not look for [{pattern}]"), code, &other),
        })
    }

    async fn stat(&self, path: &str) -> Result<Option<FileStatus>, Refusal> {
        self.files
            .stat(self.user, path)
            .await
            .map_err(|e| of(&format!("could not look at [{path}]"), "IOException", &e))
    }

    /// With a name node, paths without a scheme stand on it, and must be absolute; without, each must have a scheme.
    fn full(&self, path: &str) -> Result<String, Refusal> {
        match self.name_node {
            _ if has_scheme(path) => Ok(path.to_owned()),
            None => require_scheme(path).map(|()| path.to_owned()),
            Some(name_node) if path.starts_with('/') => {
                Ok(format!("{}{path}", authority(name_node)))
            }
            Some(_) => Err(error("FS011", format!("path [{path}] cannot be relative"))),
        }
    }
}

fn require_scheme(path: &str) -> Result<(), Refusal> {
    if has_scheme(path) {
        return Ok(());
    }
    Err(error(
        "FS001",
        format!(
            "missing scheme in path [{path}]; write it in full, such as file://{path}, or give a <name-node>"
        ),
    ))
}

/// A target without a scheme stands on the file system of the source; another one is refused.
fn same_file_system(source: &str, target: &str) -> Result<String, Refusal> {
    let of_source = authority(source);
    if !has_scheme(target) {
        let relative = || error("FS011", format!("path [{target}] cannot be relative"));
        return target
            .starts_with('/')
            .then(|| format!("{of_source}{target}"))
            .ok_or_else(relative);
    }
    // `file:/a` and `file:///a` name one file system.
    if authority(target).trim_end_matches('/') == of_source.trim_end_matches('/') {
        Ok(target.to_owned())
    } else {
        Err(error(
            "FS007",
            format!("move, target [{target}] is on another file system than source [{source}]"),
        ))
    }
}

/// `750`, or `-rwxr-x---` with a sticky `t` at the end.
fn mode_of(permissions: &str) -> Option<u32> {
    match permissions.len() {
        3 if permissions.bytes().all(|b| b.is_ascii_digit()) => {
            u32::from_str_radix(permissions, 8).ok()
        }
        10 => symbolic_mode(permissions),
        _ => None,
    }
}

fn symbolic_mode(permissions: &str) -> Option<u32> {
    const STICKY: u32 = 0o1000;
    let mut mode = 0;
    for (at, letter) in permissions.bytes().enumerate().skip(1) {
        let bit = 1 << (9 - at);
        mode |= match (letter, b"xrw"[at % 3]) {
            (b'-', _) => 0,
            (b't', b'x') if at == 9 => bit | STICKY,
            (b'T', b'x') if at == 9 => STICKY,
            (letter, expected) if letter == expected => bit,
            _ => return None,
        };
    }
    Some(mode)
}

fn bad_permissions(path: &str, permissions: &str) -> Refusal {
    error(
        "FS010",
        format!(
            "chmod, path [{path}] invalid permissions mask [{permissions}]; write 750 or -rwxr-x---"
        ),
    )
}

fn error(code: &str, message: String) -> Refusal {
    failure::failure(ErrorClass::Error, Phase::Start, code, message)
}

fn of(doing: &str, code: &str, refused: &FilesError) -> Refusal {
    let code = match refused {
        FilesError::PermissionDenied { .. } => "FS014",
        FilesError::NotSupported { .. } => NOT_SUPPORTED,
        FilesError::UnknownScheme { .. } => UNKNOWN_SCHEME,
        FilesError::NotFound { .. }
        | FilesError::BadPath { .. }
        | FilesError::OverLimit { .. }
        | FilesError::Exists { .. }
        | FilesError::Io { .. } => code,
    };
    error(code, format!("{doing}: {refused}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permissions_are_octal_or_symbolic() {
        for (text, mode) in [
            ("755", Some(0o755)),
            ("-rwxr-x---", Some(0o750)),
            ("drwxrwxrwt", Some(0o1777)),
            ("-rw-r--r-T", Some(0o1644)),
            ("----------", Some(0)),
            ("75", None),
            ("0755", None),
            ("799", None),
            ("+55", None),
            ("-wxrwxrwxr", None),
        ] {
            assert_eq!(mode_of(text), mode, "{text}");
        }
    }

    #[test]
    fn a_move_stays_on_its_file_system() {
        let check = |source, target, expected: Result<&str, &str>| {
            let found = same_file_system(source, target).map_err(|failure| failure.code);
            assert_eq!(found.as_deref().map_err(String::as_str), expected, "{source} {target}");
        };
        check("hdfs://a/x", "/y", Ok("hdfs://a/y"));
        check("hdfs://a/x", "hdfs://a/y", Ok("hdfs://a/y"));
        check("hdfs://a/x", "hdfs://b/y", Err("FS007"));
        check("hdfs://a/x", "y", Err("FS011"));
        check("file:///x", "file:/y", Ok("file:/y"));
    }
}
