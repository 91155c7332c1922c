//! Places where tests may make a process die or a step panic. In a release build all of this is nothing.
//!
//! `HOWDAH_CRASH_AT=<point>:<nth>` aborts the process when the point is passed for the nth time; with
//! `HOWDAH_CRASH_LOG=<path>` every point that is passed becomes a line there, and the abort one `died at <point>`.
//! `HOWDAH_PANIC_ON=<words>` panics in the step of an event whose stored form holds these words.

/// A place between two steps of the log: the process may end here.
#[cfg(not(debug_assertions))]
#[inline]
pub fn point(_name: &'static str) {}

/// Whether a panic is planted for events whose stored form holds these words.
#[cfg(not(debug_assertions))]
#[inline]
pub fn is_panic_planted(_stored_form: impl FnOnce() -> String) -> bool {
    false
}

#[cfg(debug_assertions)]
pub use planted::{is_panic_planted, point};

#[cfg(debug_assertions)]
mod planted {
    use std::fs::File;
    use std::io::Write;
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    static CRASH: LazyLock<Option<(String, u64)>> = LazyLock::new(|| {
        let text = variable("HOWDAH_CRASH_AT")?;
        let (name, nth) = text.split_once(':')?;
        Some((name.to_owned(), nth.parse().ok()?))
    });
    static LOG: LazyLock<Option<File>> = LazyLock::new(|| {
        let path = variable("HOWDAH_CRASH_LOG")?;
        File::options().create(true).append(true).open(path).ok()
    });
    static PANIC: LazyLock<Option<String>> = LazyLock::new(|| variable("HOWDAH_PANIC_ON"));
    static PASSED: AtomicU64 = AtomicU64::new(0);

    fn variable(name: &str) -> Option<String> {
        std::env::var(name).ok().filter(|text| !text.is_empty())
    }

    /// A place between two steps of the log: the process may end here.
    pub fn point(name: &'static str) {
        note(&format!("{name}\n"));
        if let Some((wanted, nth)) = &*CRASH
            && wanted == name
            && PASSED.fetch_add(1, Ordering::SeqCst) + 1 == *nth
        {
            note(&format!("died at {name}\n"));
            std::process::abort();
        }
    }

    /// A line is one write, so that lines of several processes do not mix. A test that misses one says so.
    fn note(line: &str) {
        if let Some(mut log) = LOG.as_ref() {
            let _missed = log.write_all(line.as_bytes());
        }
    }

    /// Whether a panic is planted for events whose stored form holds these words.
    pub fn is_panic_planted(stored_form: impl FnOnce() -> String) -> bool {
        PANIC.as_ref().is_some_and(|words| stored_form().contains(words))
    }
}
