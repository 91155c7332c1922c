//! What every adapter of the port must do, as a table of steps, run on this one.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use ports::files::{FileStatus, Files, FilesError};

use crate::LocalFiles;

/// A directory of its own, and calls on names below it.
struct Place {
    dir: tempfile::TempDir,
    files: LocalFiles,
}

impl Place {
    fn new() -> Place {
        Place { dir: tempfile::tempdir().expect("room"), files: LocalFiles::new() }
    }

    fn uri(&self, name: &str) -> String {
        format!("file://{}/{name}", self.dir.path().display())
    }

    /// Runs lines such as `write a/b text`, `rename a b`; a line that ends in `-> word` must answer that word.
    async fn run(&self, script: &str) {
        for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (step, expected) = line.split_once(" -> ").unwrap_or((line, "ok"));
            let words: Vec<&str> = step.split(' ').collect();
            assert_eq!(self.step(&words).await, expected, "{line}");
        }
    }

    async fn step(&self, words: &[&str]) -> String {
        let uri = |at: usize| self.uri(words.get(at).unwrap_or(&""));
        let text = |at: usize| words.get(at).copied().unwrap_or_default();
        let done = |result: Result<(), FilesError>| result.map(|()| "ok".to_owned());
        let files = &self.files;
        let answer = match words[0] {
            "write" => done(files.write("ann", &uri(1), text(2).as_bytes()).await),
            "read" => files
                .read("ann", &uri(1), 8)
                .await
                .map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
            "mkdir" => done(files.mkdir("ann", &uri(1)).await),
            "rename" => done(files.rename("ann", &uri(1), &uri(2)).await),
            "delete" => files.delete("ann", &uri(1), true).await.map(|was| was.to_string()),
            "touch" => done(files.touch("ann", &uri(1)).await),
            "chmod" => done(
                files.chmod("ann", &uri(1), u32::from_str_radix(text(2), 8).expect("octal")).await,
            ),
            "chgrp" => done(files.chgrp("ann", &uri(1), text(2)).await),
            "setrep" => done(files.setrep("ann", &uri(1), 3).await),
            "list" => files.list("ann", &uri(1)).await.map(|found| self.names(&found)),
            "glob" => files.glob("ann", &uri(1)).await.map(|found| self.names(&found)),
            "stat" => files
                .stat("ann", &uri(1))
                .await
                .map(|found| found.as_ref().map_or_else(|| "none".to_owned(), shown)),
            "fetch" => done(files.fetch("ann", &uri(1), &self.dir.path().join(text(2))).await),
            other => panic!("no step {other}"),
        };
        answer.unwrap_or_else(|error| kind(&error).to_owned())
    }

    fn names(&self, found: &[FileStatus]) -> String {
        let base = self.uri("");
        if found.is_empty() {
            return "nothing".to_owned();
        }
        found
            .iter()
            .map(|one| one.path.strip_prefix(&base).unwrap_or(&one.path))
            .collect::<Vec<_>>()
            .join(" ")
    }
}

fn shown(status: &FileStatus) -> String {
    format!(
        "{} {} {:o}",
        if status.is_dir { "dir" } else { "file" },
        status.size_bytes,
        status.mode
    )
}

fn kind(error: &FilesError) -> &'static str {
    match error {
        FilesError::NotFound { .. } => "not-found",
        FilesError::PermissionDenied { .. } => "denied",
        FilesError::NotSupported { .. } => "not-supported",
        FilesError::UnknownScheme { .. } => "unknown-scheme",
        FilesError::BadPath { .. } => "bad-path",
        FilesError::OverLimit { .. } => "over-limit",
        FilesError::Exists { .. } => "exists",
        FilesError::Io { .. } => "io",
    }
}

#[tokio::test]
async fn files_are_written_read_and_bounded() {
    Place::new()
        .run(
            "write a/b/c one
             read a/b/c -> one
             write a/b/c two
             read a/b/c -> two
             list a/b -> a/b/c
             write long 123456789
             read long -> over-limit
             read a -> bad-path
             read none -> not-found
             read a/b/c/d -> not-found
             write a/b x -> exists
             list none -> not-found",
        )
        .await;
}

#[tokio::test]
async fn directories_are_made_with_their_parents_and_twice() {
    Place::new()
        .run(
            "mkdir a/b/c
             mkdir a/b/c
             write file x
             mkdir file -> exists
             stat none -> none
             stat file/below -> none
             chmod file 640
             stat file -> file 1 640
             chmod a 750
             stat a -> dir 0 750
             chmod none 777 -> not-found",
        )
        .await;
}

#[tokio::test]
async fn rename_goes_into_a_directory_and_never_over_anything() {
    Place::new()
        .run(
            "write a x
             rename a b
             stat a -> none
             mkdir dir
             rename b dir
             read dir/b -> x
             write b y
             rename b dir -> exists
             read b -> y
             write c z
             rename b c -> exists
             rename b none/b -> not-found
             rename none d -> not-found
             rename dir dir/below -> bad-path
             rename dir dir -> bad-path
             rename b b
             rename dir moved
             read moved/b -> x",
        )
        .await;
}

#[tokio::test]
async fn delete_takes_everything_below_and_says_whether_there_was_anything() {
    let place = Place::new();
    place.run("write a/b/c x\nwrite kept x").await;
    symlink(place.dir.path().join("kept"), place.dir.path().join("a/link")).expect("a link");
    symlink("nowhere", place.dir.path().join("dangling")).expect("a link");
    place
        .run(
            "delete a -> true
             delete a -> false
             read kept -> x
             stat dangling -> none
             delete dangling -> true
             delete kept/below -> false",
        )
        .await;
    assert_eq!(
        place.files.delete("ann", "file:///", true).await.map_err(|e| kind(&e)),
        Err("bad-path")
    );
}

#[tokio::test]
async fn touch_makes_an_empty_file_or_renews_its_time() {
    let place = Place::new();
    place.run("touch a/new\nstat a/new -> file 0 644\nwrite old x").await;
    let path = place.dir.path().join("old");
    let old = fs::File::options().append(true).open(&path).expect("it is there");
    old.set_modified(std::time::UNIX_EPOCH).expect("ours");
    place.run("touch old\nread old -> x").await;
    let modified = fs::metadata(&path).and_then(|found| found.modified()).expect("it is there");
    assert!(modified > std::time::UNIX_EPOCH);
}

#[tokio::test]
async fn globs_match_part_by_part() {
    let place = Place::new();
    place
        .run(
            "write in/2024-01-01/part-0 x
             write in/2024-01-01/part-1 x
             write in/2024-01-02/part-0 x
             write in/2024-01-02/.hidden x
             write in/odd*name x
             glob in/*/part-0 -> in/2024-01-01/part-0 in/2024-01-02/part-0
             glob in/2024-01-0[2-9]/* -> in/2024-01-02/.hidden in/2024-01-02/part-0
             glob in/{2024-01-01/part-1,2024-01-02/part-0} -> in/2024-01-01/part-1 in/2024-01-02/part-0
             glob in/2024-01-01 -> in/2024-01-01
             glob in/odd\\*name -> in/odd*name
             glob in/x/../2024-01-0?/part-1 -> in/2024-01-01/part-1
             glob none/* -> nothing
             glob in/part-0/* -> nothing
             glob in/[ -> bad-path
             glob in/{*,2024*}/part-1 -> in/2024-01-01/part-1",
        )
        .await;
}

#[tokio::test]
async fn groups_and_replication() {
    let place = Place::new();
    let own = rustix::process::getgid().as_raw();
    place
        .run(&format!(
            "write a x
             chgrp a {own}
             chgrp a no-such-group-here -> io
             chgrp none {own} -> not-found
             setrep a -> not-supported"
        ))
        .await;
}

#[tokio::test]
async fn fetch_copies_files_and_trees() {
    let place = Place::new();
    place
        .run(
            "write from/a/b x
             fetch from/a/b copy
             read copy -> x
             fetch from tree
             read tree/a/b -> x
             mkdir into
             fetch from/a into
             read into/a/b -> x
             fetch none copy2 -> not-found",
        )
        .await;
    symlink(".", place.dir.path().join("from/loop")).expect("a link");
    place.run("fetch from endless -> io").await;
}

#[tokio::test]
async fn a_closed_directory_says_who_may_not() {
    if rustix::process::geteuid().is_root() {
        // Root may do everything: nothing to see.
        return;
    }
    let place = Place::new();
    place.run("write closed/a x").await;
    let closed = place.dir.path().join("closed");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).expect("ours");
    place.run("read closed/a -> denied\nlist closed -> denied\nwrite closed/b x -> denied").await;
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o755)).expect("ours");
}

#[tokio::test]
async fn a_pipe_is_not_read_from() {
    let place = Place::new();
    rustix::fs::mkfifoat(rustix::fs::CWD, place.dir.path().join("pipe"), rustix::fs::Mode::RWXU)
        .expect("a pipe");
    place.run("read pipe -> bad-path\nfetch pipe copy -> io").await;
}

#[tokio::test]
async fn no_file_is_left_aside() {
    let place = Place::new();
    place.run("write a one\nwrite a two\nmkdir b\nwrite b x -> exists\nlist  -> a b").await;
    assert!(Path::new(place.dir.path()).exists());
}
