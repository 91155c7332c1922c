//! What the integration tests of this crate share: the corpus of published definitions, and a seeded random source.

use std::fs;
use std::path::{Path, PathBuf};

/// Where the corpus lies: `HOWDAH_CORPUS`, else beside the workspace.
pub(crate) fn corpus_root() -> PathBuf {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus/public");
    std::env::var_os("HOWDAH_CORPUS").map_or_else(beside, PathBuf::from)
}

/// Every XML file of the corpus with its path below the root, sorted. Empty where there is no corpus.
pub(crate) fn corpus() -> Vec<(String, Vec<u8>)> {
    let root = corpus_root();
    let mut files = Vec::new();
    collect(&root, &mut files);
    files.sort();
    let read = |path: &PathBuf| fs::read(path).expect("a listed file can be read");
    let below =
        |path: &PathBuf| path.strip_prefix(&root).expect("below").to_string_lossy().into_owned();
    files.iter().map(|path| (below(path), read(path))).collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "xml") {
            files.push(path);
        }
    }
}

/// Says loudly that a test did not run, and why.
#[expect(clippy::print_stderr, reason = "a skipped test must be seen")]
pub(crate) fn skipped(why: &str) {
    eprintln!("skipped: {why}");
}

/// Numbers that look random and are the same in every run (splitmix64).
#[derive(Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// A number below the bound.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % bound as u64).expect("below a usize")
    }

    /// True this often in a hundred.
    pub(crate) fn percent(&mut self, chance: usize) -> bool {
        self.below(100) < chance
    }

    /// One of these.
    pub(crate) fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())]
    }
}
