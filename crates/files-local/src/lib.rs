//! This machine's own files, logs, clock and chance: the adapters that `howdah standalone` runs on.
//!
//! * [`LocalFiles`]: the scheme `file:` behind [`ports::files::Files`]; [`local_path`] reads such a URI.
//! * [`LocalLogs`] and [`log_dir`]: what attempts printed, one directory per attempt.
//! * [`SystemClock`], [`SystemEntropy`]: the kernel's.
//!
//! **Invariants**
//! * No path that was given climbs above the root it stands under; names that become directories are encoded.
//! * Everything that touches the disk runs on tokio's blocking threads, never on its workers.
//! * Listings, globs, copies and reads are bounded, each by a named constant.
#![warn(missing_docs)]

mod copy;
mod files;
mod glob;
mod groups;
mod logs;
mod operations;
mod path;
mod system;

#[cfg(test)]
mod tests;

pub use files::LocalFiles;
pub use logs::{LocalLogs, file_name_of, log_dir};
pub use path::local_path;
pub use system::{SystemClock, SystemEntropy};
