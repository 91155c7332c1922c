//! Reading a file that the program wrote, without trusting the program.
//!
//! The supervisor may have more rights than the program's user. So it reads plain files of that user only: no links,
//! which could lead to somebody else's secrets, and nothing that blocks.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};

use rustix::fs::OFlags;

use crate::plan::{CaptureFile, Plan};
use crate::result::Captured;

impl CaptureFile {
    /// The content; `None`: it is not there, or not a plain file of the program's user.
    pub(crate) fn read(&self, plan: &Plan) -> Option<Captured> {
        let mut file = self.open(plan).ok()?;
        let mut bytes = Vec::new();
        (&mut file).take(self.bytes_max + 1).read_to_end(&mut bytes).ok()?;
        let too_large = bytes.len() as u64 > self.bytes_max;
        Some(if too_large { Captured::TOO_LARGE } else { Captured::from_bytes(&bytes) })
    }

    fn open(&self, plan: &Plan) -> io::Result<File> {
        let flags = i32::try_from((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits())
            .expect("open flags are C integers");
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(flags)
            .open(plan.working_dir.join(&self.path))?;
        let metadata = file.metadata()?;
        let foreign = plan.run_as.as_ref().is_some_and(|run_as| run_as.uid != metadata.uid());
        if foreign || !metadata.is_file() {
            Err(io::ErrorKind::PermissionDenied.into())
        } else {
            Ok(file)
        }
    }
}
