//! The witness outside of Howdah: actions append one line at their start and one at their end, and nothing that the server
//! believes can change that (architecture §6).

use std::collections::BTreeMap;
use std::path::Path;

/// A shell script that bears witness around some work. `WITNESS` names the file; `WORK` is what happens in between.
pub(crate) const SCRIPT: &str = r#"#!/bin/sh
say() { printf '%s %s %s %s %s %s %s %s\n' "$HOWDAH_JOB_ID" "$HOWDAH_ACTION" "$HOWDAH_RUN" "$HOWDAH_ATTEMPT" "$HOWDAH_TOKEN" "$(cat /proc/sys/kernel/random/boot_id)" "$$" "$1" >> "$WITNESS"; }
say start
eval "$WORK"
status=$?
say end
exit $status
"#;

/// What the file says of one action.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) starts: usize,
    pub(crate) ends: usize,
}

/// Reads a witness file: by job and action.
pub(crate) fn read(path: &Path) -> BTreeMap<(String, String), Seen> {
    let mut seen: BTreeMap<(String, String), Seen> = BTreeMap::new();
    for line in std::fs::read_to_string(path).unwrap_or_default().lines() {
        let words: Vec<&str> = line.split(' ').collect();
        assert_eq!(words.len(), 8, "a torn witness line: {line}");
        let entry = seen.entry((words[0].to_owned(), words[1].to_owned())).or_default();
        match words[7] {
            "start" => entry.starts += 1,
            "end" => entry.ends += 1,
            other => panic!("an unknown word in the witness file: {other}"),
        }
    }
    seen
}
