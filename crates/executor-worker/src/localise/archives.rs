//! Archives, unpacked into a directory of the working directory.
//!
//! An archive is somebody's input: names that climb out, links out, and archives that grow without end are refused.

use std::fs::{self, File, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use flate2::read::GzDecoder;

use super::links::{self, LinkError};

/// What an archive may grow to.
const UNPACKED_BYTES_MAX: u64 = 16 << 30;
/// What an archive may hold.
const ENTRIES_MAX: usize = 500_000;
/// The bits of a mode that are taken from an archive: no set-user-ID.
const MODE_MASK: u32 = 0o777;
const FILE_TYPE_MASK: u32 = 0o170_000;
const LINK_TYPE: u32 = 0o120_000;

/// Why an archive was not unpacked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ArchiveError {
    /// It is broken, or the disk is.
    #[error("cannot unpack it: {0}")]
    Io(#[from] io::Error),
    /// It is no zip file.
    #[error("cannot unpack it: {0}")]
    Zip(#[from] zip::result::ZipError),
    /// A name or link in it climbs out.
    #[error(transparent)]
    Name(#[from] LinkError),
    /// A link in it leads out.
    #[error("`{name}` in it is a link to `{target}`, out of its directory")]
    LinkOut {
        /// The link.
        name: String,
        /// Where it leads.
        target: String,
    },
    /// It is too large.
    #[error("it holds more than {ENTRIES_MAX} entries or {UNPACKED_BYTES_MAX} bytes")]
    TooLarge,
}

/// The formats that YARN unpacks too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// `.zip`, `.jar`.
    Zip,
    /// `.tar`.
    Tar,
    /// `.tar.gz`, `.tgz`.
    TarGz,
}

impl Format {
    /// By the end of the name; `None`: it is not unpacked but put there as it is, as YARN does.
    pub(crate) fn of(name: &str) -> Option<Format> {
        let name = name.to_ascii_lowercase();
        let ends_in = |ends: &[&str]| ends.iter().any(|end| name.ends_with(end));
        if ends_in(&[".zip", ".jar"]) {
            Some(Format::Zip)
        } else if ends_in(&[".tar"]) {
            Some(Format::Tar)
        } else if ends_in(&[".tar.gz", ".tgz"]) {
            Some(Format::TarGz)
        } else {
            None
        }
    }
}

/// Unpacks an archive into `root`, which is made.
pub(crate) fn unpack(format: Format, archive: &Path, root: &Path) -> Result<(), ArchiveError> {
    fs::create_dir(root)?;
    let file = File::open(archive)?;
    match format {
        Format::Zip => unzip(file, root),
        Format::Tar => untar(file, root),
        Format::TarGz => untar(GzDecoder::new(file), root),
    }
}

/// Counts what comes out of an archive.
struct Budget {
    bytes: u64,
    entries: usize,
}

impl Budget {
    fn new() -> Budget {
        Budget { bytes: UNPACKED_BYTES_MAX, entries: ENTRIES_MAX }
    }

    fn spend(&mut self, bytes: u64) -> Result<(), ArchiveError> {
        self.entries = self.entries.checked_sub(1).ok_or(ArchiveError::TooLarge)?;
        self.bytes = self.bytes.checked_sub(bytes).ok_or(ArchiveError::TooLarge)?;
        Ok(())
    }
}

fn untar(stream: impl Read, root: &Path) -> Result<(), ArchiveError> {
    let mut budget = Budget::new();
    let mut archive = tar::Archive::new(stream);
    for entry in archive.entries()? {
        let mut entry = entry?;
        budget.spend(entry.size())?;
        let name = entry.path()?.display().to_string();
        // False says that the name climbs out; links are followed by nobody: parents are looked at as they are.
        if !entry.unpack_in(root)? {
            return Err(LinkError::Outside { name }.into());
        }
    }
    Ok(())
}

fn unzip(file: File, root: &Path) -> Result<(), ArchiveError> {
    let mut budget = Budget::new();
    let mut archive = zip::ZipArchive::new(file)?;
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index)?;
        let name = entry.name()?.into_owned();
        let mode = entry.unix_mode();
        if entry.is_dir() {
            budget.spend(0)?;
            links::directory(root, &name)?;
        } else if mode.is_some_and(|mode| mode & FILE_TYPE_MASK == LINK_TYPE) {
            budget.spend(0)?;
            link_inside(root, &name, &mut entry)?;
        } else {
            let written = write_entry(root, &name, &mut entry, mode, budget.bytes)?;
            budget.spend(written)?;
        }
    }
    Ok(())
}

/// What is really inside counts, not what the archive says of itself.
fn write_entry(
    root: &Path,
    name: &str,
    entry: &mut impl Read,
    mode: Option<u32>,
    bytes_max: u64,
) -> Result<u64, ArchiveError> {
    let path = links::place(root, name)?;
    let mut file = File::create_new(path)?;
    let written = io::copy(&mut entry.take(bytes_max.saturating_add(1)), &mut file)?;
    if let Some(mode) = mode.filter(|mode| mode & MODE_MASK != 0) {
        file.set_permissions(Permissions::from_mode(mode & MODE_MASK))?;
    }
    Ok(written)
}

fn link_inside(root: &Path, name: &str, entry: &mut impl Read) -> Result<(), ArchiveError> {
    const TARGET_BYTES_MAX: u64 = 4096;
    let mut target = String::new();
    entry.take(TARGET_BYTES_MAX).read_to_string(&mut target)?;
    let depth = links::inside(name)?.components().count() - 1;
    if !stays_inside(&target, depth) {
        return Err(ArchiveError::LinkOut { name: name.to_owned(), target });
    }
    links::link(root, name, Path::new(&target))?;
    Ok(())
}

/// Whether a relative target, seen from `depth` directories down, never rises above the root.
fn stays_inside(target: &str, depth: usize) -> bool {
    let mut depth = Some(depth);
    for part in target.split('/') {
        depth = match part {
            "" | "." => depth,
            ".." => depth.and_then(|depth| depth.checked_sub(1)),
            _ => depth.map(|depth| depth + 1),
        };
    }
    depth.is_some() && !target.starts_with('/') && !target.is_empty()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use zip::write::SimpleFileOptions;

    use super::*;

    struct Place(tempfile::TempDir);

    impl Place {
        fn new() -> Place {
            Place(tempfile::tempdir().expect("room"))
        }

        fn zip(&self, entries: &[(&str, &str)]) -> std::path::PathBuf {
            let path = self.0.path().join("a.zip");
            let mut writer = zip::ZipWriter::new(File::create(&path).expect("ours"));
            for (name, content) in entries {
                match name.strip_suffix('@') {
                    Some(link) => writer
                        .add_symlink(link, *content, SimpleFileOptions::default())
                        .expect("a link"),
                    None => writer
                        .start_file(*name, SimpleFileOptions::default().unix_permissions(0o755))
                        .expect("a file"),
                }
                writer
                    .write_all(if name.ends_with('@') { b"" } else { content.as_bytes() })
                    .expect("room");
            }
            writer.finish().expect("room");
            path
        }

        fn tar(&self, entries: &[(&str, &str)]) -> std::path::PathBuf {
            let path = self.0.path().join("a.tar");
            let mut builder = tar::Builder::new(File::create(&path).expect("ours"));
            for (name, content) in entries {
                let mut header = tar::Header::new_gnu();
                // Set by hand: the crate's own setter refuses what a hostile archive has.
                header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
                header.set_mode(0o755);
                header.set_size(content.len() as u64);
                header.set_cksum();
                builder.append(&header, content.as_bytes()).expect("room");
            }
            builder.finish().expect("room");
            path
        }

        fn unpacked(&self, format: Format, archive: &Path) -> Result<String, String> {
            let root = self.0.path().join("out");
            unpack(format, archive, &root).map_err(|error| error.to_string())?;
            fs::read_to_string(root.join("d/f")).map_err(|error| error.to_string())
        }
    }

    #[test]
    fn archives_keep_names_contents_and_modes() {
        let place = Place::new();
        assert_eq!(
            place.unpacked(Format::Zip, &place.zip(&[("d/f", "x"), ("l@", "d/f")])),
            Ok("x".to_owned())
        );
        let mode = fs::metadata(place.0.path().join("out/l"))
            .expect("the link leads to it")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o755);
        let place = Place::new();
        assert_eq!(place.unpacked(Format::Tar, &place.tar(&[("d/f", "x")])), Ok("x".to_owned()));
    }

    #[test]
    fn what_climbs_out_is_refused() {
        for name in ["../f", "/abs", "d/../../f"] {
            let place = Place::new();
            assert!(place.unpacked(Format::Zip, &place.zip(&[(name, "x")])).is_err(), "{name}");
            assert!(!place.0.path().join("f").exists());
        }
        let place = Place::new();
        assert!(place.unpacked(Format::Tar, &place.tar(&[("../f", "x")])).is_err());
        assert!(!place.0.path().join("f").exists());
        for entries in [&[("l@", "/etc")][..], &[("l@", "../x")], &[("l@", "."), ("l/f", "x")]] {
            let place = Place::new();
            assert!(place.unpacked(Format::Zip, &place.zip(entries)).is_err(), "{entries:?}");
        }
    }

    #[test]
    fn what_is_no_archive_says_so() {
        let place = Place::new();
        let path = place.0.path().join("a.zip");
        fs::write(&path, "no archive").expect("room");
        assert!(
            place
                .unpacked(Format::Zip, &path)
                .is_err_and(|why| why.starts_with("cannot unpack it"))
        );
    }

    #[test]
    fn the_name_says_the_format() {
        assert_eq!(Format::of("a.ZIP"), Some(Format::Zip));
        assert_eq!(Format::of("a.tar.gz"), Some(Format::TarGz));
        assert_eq!(Format::of("a.tgz"), Some(Format::TarGz));
        assert_eq!(Format::of("a.tar"), Some(Format::Tar));
        assert_eq!(Format::of("a.gz"), None);
    }
}
