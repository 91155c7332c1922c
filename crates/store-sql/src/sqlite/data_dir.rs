//! The data directory: one server at a time, on a disk of this machine.
//!
//! The lock is an flock that is held for life and inherited by nobody (CLOEXEC): a supervisor that outlives its server must
//! not keep the next one out. It says nothing about network file systems, so those are refused: SQLite's own locks and
//! shared memory do not work there.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ports::store::StoreError;
use rustix::fs::{FlockOperation, flock, statfs};
use rustix::io::Errno;

use crate::cluster::refused;

const LOCK: &str = "lock";
const DATABASE: &str = "howdah.db";
/// Only the server's own user reads what jobs were configured with.
const PRIVATE: u32 = 0o600;

/// For half a second a server that was just killed may seem to live: in a child of its that has not yet come to its exec,
/// which is where CLOEXEC happens.
const LOCK_TRIES: u32 = 25;
const LOCK_INTERVAL: Duration = Duration::from_millis(20);

/// File systems on which another machine may write too, by their number in `statfs(2)`.
const NETWORK: &[(u64, &str)] = &[
    (0x6969, "NFS"),
    (0x517b, "SMB"),
    (0xff53_4d42, "CIFS"),
    (0xfe53_4d42, "SMB2"),
    (0x6573_5546, "FUSE"),
    (0x5346_414f, "AFS"),
    (0x7375_7245, "Coda"),
    (0x0102_1997, "9P"),
    (0x00c3_6400, "Ceph"),
    (0x0bd0_0bd0, "Lustre"),
    (0x0116_1970, "GFS2"),
    (0x7461_636f, "OCFS2"),
    (0x4750_4653, "GPFS"),
    (0x1983_0326, "BeeGFS"),
];

/// A data directory that is ours until this is dropped.
#[derive(Debug)]
pub(crate) struct DataDir {
    path: PathBuf,
    _lock: File,
}

impl DataDir {
    /// Creates the directory if need be and takes it.
    pub(crate) async fn take(path: &Path) -> Result<DataDir, StoreError> {
        fs::create_dir_all(path).map_err(|error| cannot("create", path, &error))?;
        refuse_network(path)?;
        let lock = lock(&path.join(LOCK), path).await?;
        let dir = DataDir { path: path.to_owned(), _lock: lock };
        private(&dir.database()).map_err(|error| cannot("write", &dir.database(), &error))?;
        Ok(dir)
    }

    /// The database file.
    pub(crate) fn database(&self) -> PathBuf {
        self.path.join(DATABASE)
    }
}

fn refuse_network(path: &Path) -> Result<(), StoreError> {
    let found = statfs(path).map_err(|error| cannot("look at", path, &error.into()))?;
    match network_name(u64::try_from(found.f_type).unwrap_or_default()) {
        Some(name) => Err(refused(format!(
            "the data directory {} is on a network file system ({name}), where its locks cannot be trusted; choose a directory \
             on a local disk, or use PostgreSQL",
            path.display()
        ))),
        None => Ok(()),
    }
}

fn network_name(magic: u64) -> Option<&'static str> {
    NETWORK.iter().find(|(known, _)| *known == magic & 0xffff_ffff).map(|(_, name)| *name)
}

async fn lock(path: &Path, dir: &Path) -> Result<File, StoreError> {
    let mut file = private(path).map_err(|error| cannot("write", path, &error))?;
    let mut tries = 1;
    while let Err(error) = flock(&file, FlockOperation::NonBlockingLockExclusive) {
        match error {
            Errno::WOULDBLOCK if tries < LOCK_TRIES => tokio::time::sleep(LOCK_INTERVAL).await,
            Errno::WOULDBLOCK => return Err(second_server(&mut file, dir)),
            other => return Err(cannot("lock", path, &other.into())),
        }
        tries += 1;
    }
    let note = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
    note.map_err(|error| cannot("write", path, &error))?;
    Ok(file)
}

fn second_server(file: &mut File, dir: &Path) -> StoreError {
    let mut pid = String::new();
    let read = file.read_to_string(&mut pid);
    let who = if read.is_ok() && !pid.trim().is_empty() { pid.trim() } else { "unknown" };
    refused(format!(
        "this is a second server: the one with pid {who} holds the data directory {}; stop it first, or choose another directory",
        dir.display()
    ))
}

/// Opens for reading and writing, CLOEXEC as all files of the standard library are.
fn private(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(PRIVATE).open(path)
}

fn cannot(verb: &str, path: &Path, error: &io::Error) -> StoreError {
    let advice = match error.kind() {
        io::ErrorKind::PermissionDenied => {
            "give the user that runs howdah the right to write there, or choose another data directory"
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            "mount the file system for writing, or choose another data directory"
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "make room on that disk, or choose another data directory"
        }
        _ => "choose another data directory",
    };
    refused(format!("cannot {verb} {}: {error}; {advice}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn network_file_systems_are_known_by_name() {
        for (magic, name) in [
            (0x6969, Some("NFS")),
            (0xff53_4d42, Some("CIFS")),
            (0xef53, None),
            (0x0102_1994, None),
        ] {
            assert_eq!(network_name(magic), name, "{magic:x}");
        }
    }

    #[tokio::test]
    async fn a_second_server_is_told_the_pid_of_the_first_and_may_follow_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let first = DataDir::take(dir.path()).await.expect("it is free");
        let why = DataDir::take(dir.path()).await.expect_err("it is held").to_string();
        assert!(why.contains(&format!("pid {}", std::process::id())), "{why}");
        drop(first);
        DataDir::take(dir.path()).await.expect("it is free");
    }
}
