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

/// One line of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) job: String,
    pub(crate) action: String,
    pub(crate) attempt: String,
    pub(crate) token: String,
    pub(crate) pid: u32,
    pub(crate) is_end: bool,
}

/// Reads a witness file: by job and action.
pub(crate) fn read(path: &Path) -> BTreeMap<(String, String), Seen> {
    let mut seen: BTreeMap<(String, String), Seen> = BTreeMap::new();
    for line in lines(path) {
        let entry = seen.entry((line.job, line.action)).or_default();
        if line.is_end {
            entry.ends += 1;
        } else {
            entry.starts += 1;
        }
    }
    seen
}

/// Reads a witness file line by line. One that is not there has no lines.
pub(crate) fn lines(path: &Path) -> Vec<Line> {
    std::fs::read_to_string(path).unwrap_or_default().lines().map(line_of).collect()
}

fn line_of(line: &str) -> Line {
    let words: Vec<&str> = line.split(' ').collect();
    let [job, action, _run, attempt, token, _boot, pid, word] = *words else {
        panic!("a torn witness line: {line}")
    };
    let is_end = match word {
        "start" => false,
        "end" => true,
        other => panic!("an unknown word in the witness file: {other}"),
    };
    let own = str::to_owned;
    Line {
        job: own(job),
        action: own(action),
        attempt: own(attempt),
        token: own(token),
        pid: pid.parse().unwrap(),
        is_end,
    }
}
