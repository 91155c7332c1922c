//! Copies of files and whole trees.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Deeper trees are not copied: links that lead back into their own tree would never end.
const DEPTH_MAX: usize = 100;

/// Files and directories in one copy.
const ENTRIES_MAX: usize = 1_000_000;

/// Copies what `from` leads to; `to` must not exist, its parent must. Links in the tree are followed.
pub(crate) fn tree(from: &Path, to: &Path) -> io::Result<()> {
    let mut waiting: Vec<(PathBuf, PathBuf, usize)> = vec![(from.to_owned(), to.to_owned(), 0)];
    let mut copied = 0;
    while let Some((from, to, depth)) = waiting.pop() {
        copied += 1;
        if depth > DEPTH_MAX || copied > ENTRIES_MAX {
            return Err(io::Error::other(format!(
                "`{}` is more than 100 deep or has over a million entries",
                from.display()
            )));
        }
        let found = fs::metadata(&from)?;
        if found.is_dir() {
            fs::create_dir(&to)?;
            for entry in fs::read_dir(&from)? {
                let entry = entry?;
                waiting.push((entry.path(), to.join(entry.file_name()), depth + 1));
            }
        } else if found.is_file() {
            fs::copy(&from, &to)?;
        } else {
            return Err(io::Error::other(format!(
                "`{}` is neither a file nor a directory",
                from.display()
            )));
        }
    }
    Ok(())
}
