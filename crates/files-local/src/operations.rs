//! The operations themselves, on paths of this machine; every one may block.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use model::Timestamp;
use ports::clock::Entropy;
use ports::files::{FileStatus, FilesError, GLOB_PATHS_MAX};
use rustix::fs::{
    AtFlags, CWD, RenameFlags, Timespec, Timestamps, UTIME_NOW, renameat_with, utimensat,
};
use rustix::io::Errno;

use crate::glob::{Part, matches};
use crate::path::to_uri;
use crate::{SystemEntropy, copy, groups};

/// Entries that one listing may have: each is held in memory.
const LIST_ENTRIES_MAX: usize = 1_000_000;

/// For whom an operation is made; only named in refusals.
pub(crate) struct Asker(pub(crate) String);

impl Asker {
    /// For `map_err`: what a refusal of the system means for callers.
    pub(crate) fn refused(&self, what: &str, path: &Path) -> impl Fn(io::Error) -> FilesError {
        let (user, what, path) = (self.0.clone(), what.to_owned(), to_uri(path));
        move |error| match error.kind() {
            ErrorKind::NotFound | ErrorKind::NotADirectory => {
                FilesError::NotFound { path: path.clone() }
            }
            ErrorKind::PermissionDenied => FilesError::PermissionDenied {
                user: user.clone(),
                what: what.clone(),
                path: path.clone(),
            },
            ErrorKind::AlreadyExists => FilesError::Exists { path: path.clone() },
            _ => FilesError::Io {
                what: what.clone(),
                path: path.clone(),
                source_message: error.to_string(),
            },
        }
    }
}

pub(crate) fn stat(asker: &Asker, path: &Path) -> Result<Option<FileStatus>, FilesError> {
    match fs::metadata(path) {
        Ok(found) => Ok(Some(status(path, &found))),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(asker.refused("look at", path)(error)),
    }
}

pub(crate) fn list(asker: &Asker, path: &Path) -> Result<Vec<FileStatus>, FilesError> {
    let entries = entries(asker, path)?;
    entries.into_iter().filter_map(|entry| entry_status(asker, &entry).transpose()).collect()
}

/// What a directory holds, sorted by name.
fn entries(asker: &Asker, path: &Path) -> Result<Vec<PathBuf>, FilesError> {
    let mut found = Vec::new();
    for entry in fs::read_dir(path).map_err(asker.refused("list", path))? {
        found.push(entry.map_err(asker.refused("list", path))?.path());
        if found.len() > LIST_ENTRIES_MAX {
            return Err(over_limit(path, LIST_ENTRIES_MAX as u64, "entries"));
        }
    }
    found.sort();
    Ok(found)
}

/// A link that leads nowhere is shown as itself; an entry that has just gone, not at all.
fn entry_status(asker: &Asker, path: &Path) -> Result<Option<FileStatus>, FilesError> {
    match fs::metadata(path).or_else(|_| fs::symlink_metadata(path)) {
        Ok(found) => Ok(Some(status(path, &found))),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(asker.refused("look at", path)(error)),
    }
}

pub(crate) fn glob(
    asker: &Asker,
    alternatives: &[Vec<Part>],
) -> Result<Vec<FileStatus>, FilesError> {
    let mut found = Vec::new();
    for parts in alternatives {
        found.extend(glob_one(asker, parts)?);
        if found.len() > GLOB_PATHS_MAX {
            return Err(over_limit(Path::new("/"), GLOB_PATHS_MAX as u64, "matching paths"));
        }
    }
    found.sort();
    found.dedup();
    found.iter().filter_map(|path| stat(asker, path).transpose()).collect()
}

fn glob_one(asker: &Asker, parts: &[Part]) -> Result<Vec<PathBuf>, FilesError> {
    let mut found = vec![PathBuf::from("/")];
    for part in parts {
        let mut next = Vec::new();
        for base in &found {
            next.extend(step(asker, base, part)?);
            if next.len() > GLOB_PATHS_MAX {
                return Err(over_limit(base, GLOB_PATHS_MAX as u64, "matching paths"));
            }
        }
        found = next;
    }
    Ok(found)
}

fn step(asker: &Asker, base: &Path, part: &Part) -> Result<Vec<PathBuf>, FilesError> {
    match part {
        Part::Name(name) => Ok(Some(base.join(name))
            .filter(|path| fs::symlink_metadata(path).is_ok())
            .into_iter()
            .collect()),
        Part::Pattern(tokens) if base.is_dir() => {
            let fits = |path: &PathBuf| {
                path.file_name().is_some_and(|name| matches(tokens, &name.to_string_lossy()))
            };
            Ok(entries(asker, base)?.into_iter().filter(fits).collect())
        }
        Part::Pattern(_) => Ok(Vec::new()),
    }
}

pub(crate) fn read(asker: &Asker, path: &Path, bytes_max: u64) -> Result<Vec<u8>, FilesError> {
    let found = fs::metadata(path).map_err(asker.refused("read", path))?;
    if !found.is_file() {
        return Err(bad(path, "it is not a regular file"));
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(asker.refused("read", path))?;
    file.take(bytes_max.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(asker.refused("read", path))?;
    if bytes.len() as u64 > bytes_max {
        Err(over_limit(path, bytes_max, "bytes"))
    } else {
        Ok(bytes)
    }
}

/// Readers see the old content or the new, never a part: it is written aside, synced, and renamed.
pub(crate) fn write(asker: &Asker, path: &Path, bytes: &[u8]) -> Result<(), FilesError> {
    refuse_root(path)?;
    if path.is_dir() {
        return Err(FilesError::Exists { path: to_uri(path) });
    }
    let parent = parent_of(path);
    mkdir(asker, parent)?;
    let aside = aside(path);
    let written = write_synced(&aside, bytes).and_then(|()| fs::rename(&aside, path));
    if written.is_err() {
        // It may not even have been made; the refusal below is what matters.
        let _leftover = fs::remove_file(&aside);
    }
    written.map_err(asker.refused("write", path))
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

pub(crate) fn mkdir(asker: &Asker, path: &Path) -> Result<(), FilesError> {
    fs::create_dir_all(path).map_err(asker.refused("create the directory", path))
}

/// Hadoop's rename: into a directory that is there; never over anything; never into itself.
pub(crate) fn rename(asker: &Asker, from: &Path, to: &Path) -> Result<(), FilesError> {
    refuse_root(from)?;
    fs::symlink_metadata(from).map_err(asker.refused("rename", from))?;
    let target =
        if to.is_dir() { to.join(from.file_name().unwrap_or_default()) } else { to.to_owned() };
    if target == from {
        return Ok(());
    }
    if target.starts_with(from) {
        return Err(bad(&target, "a directory cannot be moved below itself"));
    }
    let parent = parent_of(&target);
    if !parent.is_dir() {
        return Err(FilesError::NotFound { path: to_uri(parent) });
    }
    rename_to_free(from, &target).map_err(asker.refused("rename to", &target))
}

fn rename_to_free(from: &Path, to: &Path) -> io::Result<()> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS) if fs::symlink_metadata(to).is_err() => {
            fs::rename(from, to)
        }
        Err(Errno::INVAL | Errno::NOSYS) => Err(ErrorKind::AlreadyExists.into()),
        Err(Errno::XDEV) => move_by_copy(from, to),
        other => Ok(other?),
    }
}

/// To another file system: the copy gets its name only when it is complete.
fn move_by_copy(from: &Path, to: &Path) -> io::Result<()> {
    if fs::symlink_metadata(to).is_ok() {
        return Err(ErrorKind::AlreadyExists.into());
    }
    let aside = aside(to);
    let copied = copy::tree(from, &aside).and_then(|()| fs::rename(&aside, to));
    if copied.is_err() {
        // The refusal below is what matters.
        let _leftover = remove(&aside);
    }
    copied.and_then(|()| remove(from))
}

pub(crate) fn delete(asker: &Asker, path: &Path) -> Result<bool, FilesError> {
    refuse_root(path)?;
    match remove(path) {
        Ok(()) => Ok(true),
        Err(error) if is_absent(&error) => Ok(false),
        Err(error) => Err(asker.refused("delete", path)(error)),
    }
}

/// A link is removed, not what it leads to.
fn remove(path: &Path) -> io::Result<()> {
    if fs::symlink_metadata(path)?.is_dir() {
        fs::remove_dir_all(path)
    } else {
        fs::remove_file(path)
    }
}

pub(crate) fn touch(asker: &Asker, path: &Path) -> Result<(), FilesError> {
    refuse_root(path)?;
    mkdir(asker, parent_of(path))?;
    OpenOptions::new()
        .append(true)
        .create(true)
        .open(path)
        .and_then(|_| Ok(utimensat(CWD, path, &NOW, AtFlags::empty())?))
        .map_err(asker.refused("touch", path))
}

const NOW: Timestamps = {
    let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
    Timestamps { last_access: now, last_modification: now }
};

pub(crate) fn chmod(asker: &Asker, path: &Path, mode: u32) -> Result<(), FilesError> {
    const MODE_MASK: u32 = 0o7777;
    let permissions = fs::Permissions::from_mode(mode & MODE_MASK);
    fs::set_permissions(path, permissions).map_err(asker.refused("change the permissions of", path))
}

pub(crate) fn chgrp(asker: &Asker, path: &Path, group: &str) -> Result<(), FilesError> {
    let what = "change the group of";
    let id = groups::id_of(group).ok_or_else(|| FilesError::Io {
        what: what.to_owned(),
        path: to_uri(path),
        source_message: format!("this machine knows no group `{group}`"),
    })?;
    std::os::unix::fs::chown(path, None, Some(id)).map_err(asker.refused(what, path))
}

pub(crate) fn fetch(asker: &Asker, path: &Path, local: &Path) -> Result<(), FilesError> {
    fs::metadata(path).map_err(asker.refused("read", path))?;
    let target = if local.is_dir() {
        local.join(path.file_name().unwrap_or_default())
    } else {
        local.to_owned()
    };
    copy::tree(path, &target).map_err(asker.refused("copy", path))
}

fn status(path: &Path, found: &Metadata) -> FileStatus {
    let modified_at = found
        .modified()
        .ok()
        .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
        .unwrap_or_default();
    FileStatus {
        path: to_uri(path),
        is_dir: found.is_dir(),
        size_bytes: if found.is_dir() { 0 } else { found.len() },
        block_size_bytes: found.blksize(),
        modified_at: Timestamp(i64::try_from(modified_at.as_millis()).unwrap_or(i64::MAX)),
        mode: found.mode() & 0o7777,
    }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

fn refuse_root(path: &Path) -> Result<(), FilesError> {
    if path.parent().is_none() {
        Err(bad(path, "the root itself cannot be changed"))
    } else {
        Ok(())
    }
}

fn parent_of(path: &Path) -> &Path {
    path.parent().unwrap_or(path)
}

/// A name beside `path` that nobody else uses; it is short, so that it is not too long where `path` was not.
fn aside(path: &Path) -> PathBuf {
    parent_of(path).join(format!(".howdah-{}", SystemEntropy.nonce()))
}

fn bad(path: &Path, why: &str) -> FilesError {
    FilesError::BadPath { path: to_uri(path), why: why.to_owned() }
}

fn over_limit(path: &Path, limit: u64, unit: &str) -> FilesError {
    FilesError::OverLimit { path: to_uri(path), limit, unit: unit.to_owned() }
}
