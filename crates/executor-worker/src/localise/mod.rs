//! What a launched action finds in its working directory: its configuration, files, archives and libraries.
//!
//! The names are those that Oozie's distributed cache gives: `path#link`, else the last part of the path. Files of this
//! machine are linked, files from elsewhere are copied. What the action names itself goes before what `lib` holds.

pub(crate) mod archives;
pub(crate) mod configuration;
pub(crate) mod links;
pub(crate) mod locations;

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use model::action_spec::{FileRef, Launch, Prepare};
use model::{Configuration, ErrorClass};
use ports::files::{Files, FilesError};
use ports::work::Grant;
use tokio::task;

use crate::attempt_dir::AttemptDir;
use crate::failure::{
    BAD_FILE, FILE_NOT_FOUND, LAUNCHED_FAILED, Refusal, at_start, of_files, of_worker,
};
use archives::Format;

pub(crate) use locations::{AppDir, app_dir};

/// Files, archives and libraries of one action, together.
const ITEMS_MAX: usize = 10_000;

/// What was put in place.
#[derive(Debug)]
pub(crate) struct Localised {
    /// The action's configuration, as `action.xml` has it.
    pub(crate) conf: Configuration,
    /// Names of jars in the working directory, in the order of the class path.
    pub(crate) jars: Vec<String>,
}

/// One thing that is to be in the working directory.
#[derive(Clone, Debug)]
struct Item {
    uri: String,
    link: String,
    kind: ItemKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ItemKind {
    File,
    Archive,
    Library,
}

/// Puts everything in place. `program` is the name of the program, which is made executable when it is among the files.
pub(crate) async fn localise(
    files: &dyn Files,
    grant: &Grant,
    launch: &Launch,
    dir: &AttemptDir,
    program: Option<&str>,
) -> Result<Localised, Refusal> {
    let app = app_dir(files, grant).await?;
    let conf = configuration::assemble(files, grant, launch, &app).await?;
    configuration::write(&conf, &dir.work())
        .map_err(|error| of_worker("cannot write action.xml", &error))?;
    let items = items(files, grant, launch, &app).await?;
    let sources = sources(files, grant, &items, dir).await?;
    let jars =
        items.iter().filter(|item| item.kind != ItemKind::Archive).map(|item| item.link.clone());
    let jars = jars.filter(|link| link.ends_with(".jar")).collect();
    put_in_place(dir, items, sources, program).await?;
    prepare(files, grant, launch, &app).await?;
    Ok(Localised { conf, jars })
}

/// Deletes and directories in front of an action; run again at each try, as Oozie's launcher does.
async fn prepare(
    files: &dyn Files,
    grant: &Grant,
    launch: &Launch,
    app: &AppDir,
) -> Result<(), Refusal> {
    for step in &launch.prepare {
        let done = match step {
            Prepare::Delete { path, skip_trash } => {
                delete_all(
                    files,
                    &grant.user,
                    &app.resolve(path, launch.name_node.as_deref()),
                    *skip_trash,
                )
                .await
            }
            Prepare::Mkdir { path } => {
                files.mkdir(&grant.user, &app.resolve(path, launch.name_node.as_deref())).await
            }
        };
        done.map_err(|error| match error {
            FilesError::NotSupported { .. } | FilesError::UnknownScheme { .. } => {
                of_files("prepare failed", &error)
            }
            _ => at_start(ErrorClass::Error, LAUNCHED_FAILED, format!("prepare failed: {error}")),
        })?;
    }
    Ok(())
}

async fn delete_all(
    files: &dyn Files,
    user: &str,
    pattern: &str,
    skip_trash: bool,
) -> Result<(), FilesError> {
    for found in files.glob(user, pattern).await? {
        files.delete(user, &found.path, skip_trash).await?;
    }
    Ok(())
}

async fn items(
    files: &dyn Files,
    grant: &Grant,
    launch: &Launch,
    app: &AppDir,
) -> Result<Vec<Item>, Refusal> {
    let name_node = launch.name_node.as_deref();
    let item = |kind| {
        move |file: &FileRef| Item {
            uri: app.resolve(&file.path, name_node),
            link: link_of(file),
            kind,
        }
    };
    let mut items: Vec<Item> = launch.files.iter().map(item(ItemKind::File)).collect();
    items.extend(launch.archives.iter().map(item(ItemKind::Archive)));
    for library in app.libraries(&launch.configuration, &grant.conf) {
        items.extend(library_items(files, &grant.user, &library).await?);
    }
    if items.len() > ITEMS_MAX {
        return Err(at_start(
            ErrorClass::Error,
            BAD_FILE,
            format!("more than {ITEMS_MAX} files, archives and libraries"),
        ));
    }
    Ok(items)
}

/// A library directory that is not there is none.
async fn library_items(files: &dyn Files, user: &str, library: &str) -> Result<Vec<Item>, Refusal> {
    match files.list(user, library).await {
        Ok(found) => Ok(found
            .into_iter()
            .map(|file| Item {
                link: last_part(&file.path).to_owned(),
                uri: file.path,
                kind: ItemKind::Library,
            })
            .collect()),
        Err(FilesError::NotFound { .. }) => Ok(Vec::new()),
        Err(error) => Err(of_files("cannot read the libraries of the application", &error)),
    }
}

fn link_of(file: &FileRef) -> String {
    file.link.clone().unwrap_or_else(|| last_part(&file.path).to_owned())
}

fn last_part(path: &str) -> &str {
    path.trim_end_matches('/').rsplit('/').next().unwrap_or_default()
}

/// A path of this machine for each item: its own, or that of a copy.
async fn sources(
    files: &dyn Files,
    grant: &Grant,
    items: &[Item],
    dir: &AttemptDir,
) -> Result<Vec<PathBuf>, Refusal> {
    let mut sources = Vec::with_capacity(items.len());
    for (number, item) in items.iter().enumerate() {
        sources.push(match files_local::local_path(&item.uri) {
            Ok(path) => path,
            Err(FilesError::UnknownScheme { .. }) => fetch(files, grant, item, dir, number).await?,
            Err(error) => return Err(of_files(&doing(item), &error)),
        });
    }
    Ok(sources)
}

async fn fetch(
    files: &dyn Files,
    grant: &Grant,
    item: &Item,
    dir: &AttemptDir,
    number: usize,
) -> Result<PathBuf, Refusal> {
    let cache = dir.cache();
    fs::create_dir_all(&cache)
        .map_err(|error| of_worker("cannot make a directory for copies", &error))?;
    let copy = cache.join(number.to_string());
    files
        .fetch(&grant.user, &item.uri, &copy)
        .await
        .map_err(|error| of_files(&doing(item), &error))?;
    Ok(copy)
}

fn doing(item: &Item) -> String {
    let what = match item.kind {
        ItemKind::File => "file",
        ItemKind::Archive => "archive",
        ItemKind::Library => "library",
    };
    format!("cannot put the {what} `{}` into the working directory as `{}`", item.uri, item.link)
}

async fn put_in_place(
    dir: &AttemptDir,
    items: Vec<Item>,
    sources: Vec<PathBuf>,
    program: Option<&str>,
) -> Result<(), Refusal> {
    let (work, program) = (dir.work(), program.map(str::to_owned));
    let all = move || {
        items
            .iter()
            .zip(&sources)
            .try_for_each(|(item, source)| put_one(&work, item, source, program.as_deref()))
    };
    task::spawn_blocking(all)
        .await
        .unwrap_or_else(|error| Err(of_worker("cannot fill the working directory", &error)))
}

/// A name that is taken already stays as it is: the first one wins.
fn put_one(work: &Path, item: &Item, source: &Path, program: Option<&str>) -> Result<(), Refusal> {
    let refused = |error: &dyn std::error::Error| {
        at_start(ErrorClass::Error, BAD_FILE, format!("{}: {error}", doing(item)))
    };
    if let Err(error) = fs::metadata(source) {
        return Err(missing(item, &error));
    }
    let format = (item.kind == ItemKind::Archive).then(|| Format::of(&item.uri)).flatten();
    if let Some(format) = format {
        let root = links::place(work, &item.link).map_err(|error| refused(&error))?;
        return if root.exists() {
            Ok(())
        } else {
            archives::unpack(format, source, &root).map_err(|error| refused(&error))
        };
    }
    if program == Some(item.link.as_str()) && !is_executable(source) {
        return copy_executable(work, item, source);
    }
    links::link(work, &item.link, source).map(drop).map_err(|error| refused(&error))
}

fn missing(item: &Item, error: &io::Error) -> Refusal {
    let hint = "check the path; a relative one stands under the application's directory";
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => at_start(
            ErrorClass::Error,
            FILE_NOT_FOUND,
            format!("{}: it does not exist; {hint}", doing(item)),
        ),
        _ => at_start(ErrorClass::Error, BAD_FILE, format!("{}: {error}", doing(item))),
    }
}

fn is_executable(path: &Path) -> bool {
    const EXECUTABLE: u32 = 0o111;
    fs::metadata(path).is_ok_and(|found| found.permissions().mode() & EXECUTABLE != 0)
}

/// The file itself is the user's: its mode is not ours to change, as it is in a copy.
fn copy_executable(work: &Path, item: &Item, source: &Path) -> Result<(), Refusal> {
    let at = links::place(work, &item.link).map_err(|error| {
        at_start(ErrorClass::Error, BAD_FILE, format!("{}: {error}", doing(item)))
    })?;
    let copied = fs::copy(source, &at)
        .and_then(|_| fs::set_permissions(&at, fs::Permissions::from_mode(0o755)));
    copied.map_err(|error| of_worker(&doing(item), &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_the_name_after_the_hash_or_its_own() {
        let file = |path: &str, link: Option<&str>| FileRef {
            path: path.to_owned(),
            link: link.map(str::to_owned),
        };
        assert_eq!(link_of(&file("/a/b.jar", None)), "b.jar");
        assert_eq!(link_of(&file("/a/dir/", None)), "dir");
        assert_eq!(link_of(&file("/a/b.jar", Some("c.jar"))), "c.jar");
    }
}
