//! The project as data: its packages as cargo knows them, its files as they are on disk.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use anyhow::{Context, ensure};
use serde_json::Value;

use crate::rust_text::RustText;

/// Folders that hold nothing of ours.
const FOREIGN_FOLDERS: [&str; 2] = ["target", ".git"];
/// Longer files are data, not text: they are listed, not read.
const TEXT_BYTES_MAX: u64 = 1 << 20;

/// The whole project.
#[derive(Debug)]
pub struct Workspace {
    /// Its folder.
    pub root: PathBuf,
    /// Our packages.
    pub packages: Vec<Package>,
    /// Everything that is compiled in, ours and foreign.
    pub everything: Vec<Release>,
    /// Our files of Rust.
    pub sources: Vec<Source>,
    /// All our text files, the Rust files among them.
    pub texts: Vec<Text>,
}

/// One of our packages.
#[derive(Debug)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its folder, relative to the root.
    pub folder: String,
    /// What its manifest lists.
    pub dependencies: Vec<Dependency>,
}

/// A line under `[dependencies]` and the like.
#[derive(Clone, Debug)]
pub struct Dependency {
    /// The name of the package.
    pub name: String,
    /// Whether only tests have it.
    pub is_dev: bool,
}

/// A package of any origin.
#[derive(Debug)]
pub struct Release {
    /// Its name and version.
    pub name: String,
    /// Its licence expression; absent when the manifest has none.
    pub licence: Option<String>,
    /// Where it comes from; absent for ours.
    pub source: Option<String>,
}

/// A file of Rust.
#[derive(Debug)]
pub struct Source {
    /// Relative to the root, with slashes.
    pub path: String,
    /// The package it belongs to.
    pub package: String,
    /// Its text.
    pub text: String,
    /// The same, taken apart.
    pub rust: RustText,
}

/// A text file.
#[derive(Debug)]
pub struct Text {
    /// Relative to the root, with slashes.
    pub path: String,
    /// Its text.
    pub text: String,
}

impl Workspace {
    /// The folder of the workspace.
    pub fn root() -> PathBuf {
        let own = Path::new(env!("CARGO_MANIFEST_DIR"));
        own.ancestors().nth(2).expect("this crate lives in crates/xtask").to_owned()
    }

    /// Reads everything.
    ///
    /// # Errors
    /// When `cargo metadata` fails or a file cannot be read.
    pub fn load() -> anyhow::Result<Workspace> {
        let root = Workspace::root();
        let metadata = metadata(&root)?;
        let packages = packages(&metadata, &root)?;
        let texts = texts(&root)?;
        let sources = texts.iter().filter_map(|text| source(text, &packages)).collect();
        Ok(Workspace { everything: releases(&metadata)?, root, packages, sources, texts })
    }

    /// One of our packages.
    pub fn package(&self, name: &str) -> Option<&Package> {
        self.packages.iter().find(|package| package.name == name)
    }
}

impl Source {
    /// Whether all of it is tests, examples or benchmarks.
    pub fn is_test(&self) -> bool {
        let inside =
            self.path.split('/').any(|part| ["tests", "examples", "benches"].contains(&part));
        inside || self.path.ends_with("/tests.rs")
    }

    /// Where these words stand in code that is shipped, as line numbers.
    pub fn shipped_lines(&self, words: &str) -> Vec<usize> {
        if self.is_test() {
            return Vec::new();
        }
        let places = self.rust.places(words).into_iter();
        places.filter(|at| !self.rust.is_test(*at)).map(|at| self.rust.line(at)).collect()
    }
}

fn metadata(root: &Path) -> anyhow::Result<Value> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--quiet"])
        .current_dir(root)
        .output()
        .context("cannot start cargo")?;
    ensure!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).context("cargo metadata is no JSON")
}

fn packages(metadata: &Value, root: &Path) -> anyhow::Result<Vec<Package>> {
    let members = list(metadata, "workspace_members")?;
    let is_ours = |package: &&Value| members.contains(&package["id"]);
    list(metadata, "packages")?
        .iter()
        .filter(is_ours)
        .map(|package| own_package(package, root))
        .collect()
}

fn own_package(package: &Value, root: &Path) -> anyhow::Result<Package> {
    let manifest = Path::new(text_of(package, "manifest_path")?);
    let folder = manifest.parent().and_then(|folder| folder.strip_prefix(root).ok());
    let listed = list(package, "dependencies")?.iter().map(|dependency| {
        Ok(Dependency {
            name: text_of(dependency, "name")?.to_owned(),
            is_dev: dependency["kind"] == "dev",
        })
    });
    Ok(Package {
        name: text_of(package, "name")?.to_owned(),
        folder: folder
            .context("a member of the workspace is outside of its folder")?
            .display()
            .to_string(),
        dependencies: listed.collect::<anyhow::Result<_>>()?,
    })
}

fn releases(metadata: &Value) -> anyhow::Result<Vec<Release>> {
    let release = |package: &Value| {
        let name = format!("{} {}", text_of(package, "name")?, text_of(package, "version")?);
        let optional = |key: &str| package[key].as_str().map(str::to_owned);
        Ok(Release { name, licence: optional("license"), source: optional("source") })
    };
    list(metadata, "packages")?.iter().map(release).collect()
}

fn list<'a>(value: &'a Value, key: &str) -> anyhow::Result<&'a Vec<Value>> {
    value[key].as_array().with_context(|| format!("cargo metadata has no list `{key}`"))
}

fn text_of<'a>(value: &'a Value, key: &str) -> anyhow::Result<&'a str> {
    value[key].as_str().with_context(|| format!("cargo metadata has no text `{key}`"))
}

fn source(text: &Text, packages: &[Package]) -> Option<Source> {
    let folder_of = |package: &&Package| text.path.starts_with(&format!("{}/", package.folder));
    let package = packages.iter().find(folder_of).filter(|_| text.path.ends_with(".rs"))?;
    Some(Source {
        path: text.path.clone(),
        package: package.name.clone(),
        text: text.text.clone(),
        rust: RustText::read(&text.text),
    })
}

fn texts(root: &Path) -> anyhow::Result<Vec<Text>> {
    let mut found = BTreeSet::new();
    collect_files(root, &mut found)?;
    let mut texts = Vec::new();
    for path in found {
        // What is no UTF-8 is data; what is gone was somebody's temporary file.
        let Ok(text) = fs::read_to_string(&path) else { continue };
        let path = path.strip_prefix(root).context("a file is outside of the workspace")?;
        texts.push(Text { path: path.display().to_string(), text });
    }
    Ok(texts)
}

fn collect_files(folder: &Path, found: &mut BTreeSet<PathBuf>) -> anyhow::Result<()> {
    for entry in
        fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?
    {
        let entry = entry?;
        let Ok(metadata) = fs::symlink_metadata(entry.path()) else { continue };
        let is_foreign = FOREIGN_FOLDERS.iter().any(|name| entry.file_name() == *name);
        if metadata.is_dir() && !is_foreign {
            collect_files(&entry.path(), found)?;
        } else if metadata.is_file() && metadata.len() <= TEXT_BYTES_MAX {
            found.insert(entry.path());
        }
    }
    Ok(())
}
