//! Where an attempt lives on the worker's disk.

use std::fs::{self, DirBuilder, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use files_local::file_name_of;
use ports::work::Grant;

use crate::users::Account;

/// Between making a parent and making the directory in it, the clean-up of a sibling may take the parent away again.
const CREATE_TRIES_MAX: usize = 5;

/// One attempt's directory: `<work_dir>/<job>/<action>/<run>-<attempt>-<token>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AttemptDir(PathBuf);

impl AttemptDir {
    /// The directory of a granted attempt. Every name in it is encoded, so that none climbs out of `work_dir`.
    pub(crate) fn of(work_dir: &Path, grant: &Grant) -> AttemptDir {
        let (job, action) = (file_name_of(grant.job.as_str()), file_name_of(grant.action.as_str()));
        let name =
            format!("{}-{}-{}", grant.run, grant.attempt, file_name_of(grant.token.as_str()));
        AttemptDir(work_dir.join(job).join(action).join(name))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// The working directory of the program.
    pub(crate) fn work(&self) -> PathBuf {
        self.0.join("work")
    }

    /// Copies of files that are elsewhere.
    pub(crate) fn cache(&self) -> PathBuf {
        self.0.join("cache")
    }

    /// What a built-in action is to do.
    pub(crate) fn order(&self) -> PathBuf {
        self.0.join("order.json")
    }

    /// How a built-in action ended.
    pub(crate) fn answer(&self) -> PathBuf {
        self.0.join("answer.json")
    }

    /// Stands while an `fs` action of this run is under way: one that finds it goes on after a crash (gotcha 31).
    pub(crate) fn recovery_marker(&self, grant: &Grant) -> PathBuf {
        self.action_dir().join(format!("fs-{}.recovery", grant.run))
    }

    /// Whether everything was put in place for the supervisor: the plan is written last.
    pub(crate) fn is_prepared(&self) -> bool {
        self.0.join("plan.json").exists()
    }

    /// Whether the end is on disk already, by its supervisor.
    pub(crate) fn has_result(&self) -> bool {
        self.0.join("result.json").exists()
    }

    /// Makes the directory anew, for nobody else to look into: configurations hold passwords. Only for attempts that
    /// no supervisor was started for.
    pub(crate) fn create(&self) -> io::Result<()> {
        match fs::remove_dir_all(&self.0) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut tries = 0;
        loop {
            tries += 1;
            match DirBuilder::new().recursive(true).mode(0o700).create(&self.0) {
                Err(error) if error.kind() == ErrorKind::NotFound && tries < CREATE_TRIES_MAX => {}
                made => return made.and_then(|()| fs::create_dir(self.work())),
            }
        }
    }

    /// Gives the working directory and the copies to the user whom the program runs as. The directories above can be
    /// passed through then, but not listed; what else is in them stays the worker's.
    pub(crate) fn give_to(&self, account: &Account) -> io::Result<()> {
        const PASSED_THROUGH: u32 = 0o711;
        const PRIVATE: u32 = 0o700;
        fs::create_dir(self.cache())?;
        for given in [self.work(), self.cache()] {
            fs::set_permissions(&given, Permissions::from_mode(PRIVATE))?;
            chown(&given, Some(account.uid), Some(account.gid))?;
        }
        [self.path(), self.action_dir(), self.job_dir()]
            .into_iter()
            .try_for_each(|dir| fs::set_permissions(dir, Permissions::from_mode(PASSED_THROUGH)))
    }

    /// Removes the directory, and its parents when they are empty then. For an attempt that does not run.
    pub(crate) fn remove(&self) -> Result<(), supervisor::Error> {
        if self.0.exists() {
            supervisor::remove(&self.0)?;
        }
        // They stay while a sibling or a marker is in them, and go with the last one. A former process may have come
        // as far as the first of them.
        let _kept = match fs::remove_dir(self.action_dir()) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => fs::remove_dir(self.job_dir()),
        };
        Ok(())
    }

    fn action_dir(&self) -> &Path {
        self.0.parent().unwrap_or(&self.0)
    }

    fn job_dir(&self) -> &Path {
        self.action_dir().parent().unwrap_or(&self.0)
    }
}

/// Every attempt directory below `work_dir`, for the sweep at a worker's start.
pub(crate) fn all(work_dir: &Path) -> Vec<AttemptDir> {
    let below =
        |dir: PathBuf| fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    let visible = |path: &PathBuf| {
        path.file_name().is_some_and(|name| !name.as_encoded_bytes().starts_with(b"."))
    };
    let jobs = below(work_dir.to_owned()).filter(visible);
    jobs.flat_map(below).flat_map(below).filter(|path| path.is_dir()).map(AttemptDir).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_removal_that_broke_off_anywhere_is_completed_by_the_next() {
        for left in ["job", "job/action", "job/action/attempt"] {
            let work_dir = tempfile::tempdir().unwrap();
            fs::create_dir_all(work_dir.path().join(left)).unwrap();
            AttemptDir(work_dir.path().join("job/action/attempt")).remove().unwrap();
            assert!(!work_dir.path().join("job").exists(), "{left}");
        }
    }

    #[test]
    fn a_sibling_keeps_the_parents() {
        let work_dir = tempfile::tempdir().unwrap();
        let paths = ["first", "second"].map(|name| work_dir.path().join("job/action").join(name));
        paths.iter().for_each(|path| fs::create_dir_all(path).unwrap());
        let [first, second] = paths.map(AttemptDir);
        first.remove().unwrap();
        assert!(!first.path().exists() && second.path().exists());
    }
}
