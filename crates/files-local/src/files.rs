//! `file:` behind the port: parses the paths and moves the work to blocking threads.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use ports::files::{FileStatus, Files, FilesError};
use tokio::task;

use crate::operations::{self, Asker};
use crate::{glob, path};

/// The file systems of this machine, under the scheme `file:`.
///
/// **Acts as the user of the process**, whoever is named in a call: that name only stands in refusals. A server that
/// runs for several users must therefore not run as one who may do more than they; `howdah standalone` runs as the
/// one who started it.
///
/// There is no trash: `skip_trash` makes no difference. There are no copies to keep: `setrep` is not supported.
#[derive(Clone, Copy, Debug, Default)]
pub struct LocalFiles(());

impl LocalFiles {
    /// The files of this machine.
    pub fn new() -> LocalFiles {
        LocalFiles::default()
    }

    async fn on<T: Send + 'static>(
        user: &str,
        path: &str,
        operation: impl FnOnce(&Asker, &Path) -> Result<T, FilesError> + Send + 'static,
    ) -> Result<T, FilesError> {
        let (asker, parsed) = (Asker(user.to_owned()), path::local_path(path)?);
        blocking(path, move || operation(&asker, &parsed)).await
    }
}

async fn blocking<T: Send + 'static>(
    path: &str,
    operation: impl FnOnce() -> Result<T, FilesError> + Send + 'static,
) -> Result<T, FilesError> {
    task::spawn_blocking(operation).await.unwrap_or_else(|error| {
        let source_message = error.to_string();
        Err(FilesError::Io {
            what: "finish an operation on".to_owned(),
            path: path.to_owned(),
            source_message,
        })
    })
}

#[async_trait]
impl Files for LocalFiles {
    async fn stat(&self, user: &str, path: &str) -> Result<Option<FileStatus>, FilesError> {
        Self::on(user, path, operations::stat).await
    }

    async fn list(&self, user: &str, path: &str) -> Result<Vec<FileStatus>, FilesError> {
        Self::on(user, path, operations::list).await
    }

    async fn glob(&self, user: &str, pattern: &str) -> Result<Vec<FileStatus>, FilesError> {
        let bad = |why: &str| FilesError::BadPath { path: pattern.to_owned(), why: why.to_owned() };
        // Says what is wrong with the path as such; the pattern must keep its backslashes and is not a path yet.
        path::local_path(pattern)?;
        let parts = glob::parse(path::without_scheme(pattern)?).map_err(bad)?;
        let asker = Asker(user.to_owned());
        blocking(pattern, move || operations::glob(&asker, &parts)).await
    }

    async fn read(&self, user: &str, path: &str, bytes_max: u64) -> Result<Vec<u8>, FilesError> {
        Self::on(user, path, move |asker, path| operations::read(asker, path, bytes_max)).await
    }

    async fn write(&self, user: &str, path: &str, bytes: &[u8]) -> Result<(), FilesError> {
        let bytes = bytes.to_vec();
        Self::on(user, path, move |asker, path| operations::write(asker, path, &bytes)).await
    }

    async fn mkdir(&self, user: &str, path: &str) -> Result<(), FilesError> {
        Self::on(user, path, operations::mkdir).await
    }

    async fn rename(&self, user: &str, from: &str, to: &str) -> Result<(), FilesError> {
        let to: PathBuf = path::local_path(to)?;
        Self::on(user, from, move |asker, from| operations::rename(asker, from, &to)).await
    }

    async fn delete(&self, user: &str, path: &str, _skip_trash: bool) -> Result<bool, FilesError> {
        Self::on(user, path, operations::delete).await
    }

    async fn touch(&self, user: &str, path: &str) -> Result<(), FilesError> {
        Self::on(user, path, operations::touch).await
    }

    async fn chmod(&self, user: &str, path: &str, mode: u32) -> Result<(), FilesError> {
        Self::on(user, path, move |asker, path| operations::chmod(asker, path, mode)).await
    }

    async fn chgrp(&self, user: &str, path: &str, group: &str) -> Result<(), FilesError> {
        let group = group.to_owned();
        Self::on(user, path, move |asker, path| operations::chgrp(asker, path, &group)).await
    }

    async fn setrep(&self, _user: &str, path: &str, _factor: i16) -> Result<(), FilesError> {
        path::local_path(path)?;
        Err(FilesError::NotSupported {
            what: "a replication factor".to_owned(),
            path: path.to_owned(),
        })
    }

    async fn fetch(&self, user: &str, path: &str, local: &Path) -> Result<(), FilesError> {
        let local = local.to_owned();
        Self::on(user, path, move |asker, path| operations::fetch(asker, path, &local)).await
    }
}
