//! Processes as `/proc` tells them: who they are beyond their pid, and who descends from whom.
//!
//! A pid alone is never trusted: it is signalled through a pidfd that was checked, after it was opened, to belong to
//! the process with the expected start time.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, pidfd_open, pidfd_send_signal, waitid,
};

/// A process, for as long as this host is up: pids come again, pairs of pid and start time do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) pid: Pid,
    /// Clock ticks after boot: field 22 of `/proc/<pid>/stat`.
    pub(crate) start_time: u64,
}

impl Identity {
    /// Who has this pid now; `None`: nobody.
    pub(crate) fn of(pid: Pid) -> Option<Self> {
        Some(Stat::read(pid)?.identity)
    }

    /// A descriptor of exactly this process: readable when it has ended, never of a successor with its pid.
    pub(crate) fn open_pidfd(self) -> Result<OwnedFd, Errno> {
        let pidfd = pidfd_open(self.pid, PidfdFlags::empty())?;
        // Whoever has the right start time now was there before the descriptor was opened, so it is the one.
        if Self::of(self.pid) == Some(self) { Ok(pidfd) } else { Err(Errno::SRCH) }
    }

    fn signal(self, signal: Signal) {
        // Gone already, or not ours to signal: the next look at the tree tells.
        let _ = self.open_pidfd().and_then(|pidfd| pidfd_send_signal(pidfd, signal));
    }
}

/// Identifies this boot of this host.
pub(crate) fn boot_id() -> io::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}

/// Everything alive below this process. Exact only while nothing forks: callers repeat until it is empty.
pub(crate) fn descendants() -> Vec<Identity> {
    tree().into_iter().map(|stat| stat.identity).collect()
}

/// As [`descendants`], with more about each.
pub(crate) fn tree() -> Vec<Stat> {
    let mut children_of: BTreeMap<i32, Vec<Stat>> = BTreeMap::new();
    for stat in all().filter(Stat::is_alive) {
        children_of.entry(stat.parent_pid).or_default().push(stat);
    }
    let mut found = Vec::new();
    let mut parents = vec![rustix::process::getpid()];
    while let Some(parent) = parents.pop() {
        let children = children_of.remove(&parent.as_raw_pid()).unwrap_or_default();
        parents.extend(children.iter().map(|child| child.identity.pid));
        found.extend(children);
    }
    found
}

/// Whether this process has any child, dead ones included. For a subreaper without children nothing is left below it.
pub(crate) fn has_children() -> bool {
    let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    !matches!(waitid(WaitId::All, look), Err(Errno::CHILD))
}

/// Sends a signal to each; SIGCONT follows SIGTERM, so that stopped processes hear it too.
pub(crate) fn signal_all(processes: &[Identity], signal: Signal) {
    for process in processes {
        process.signal(signal);
        if signal == Signal::TERM {
            process.signal(Signal::CONT);
        }
    }
}

/// All live processes whose environment, as it was when they were executed, has this `name=value`.
pub(crate) fn with_environment(entry: &str) -> Vec<Identity> {
    let has_entry = |identity: &Identity| {
        let environment =
            fs::read(format!("/proc/{}/environ", identity.pid.as_raw_pid())).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|candidate| candidate == entry.as_bytes())
    };
    all().filter(Stat::is_alive).map(|stat| stat.identity).filter(has_entry).collect()
}

fn all() -> impl Iterator<Item = Stat> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(Pid::from_raw).filter_map(Stat::read)
}

/// What this crate needs of `/proc/<pid>/stat`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) identity: Identity,
    pub(crate) parent_pid: i32,
    /// The process group.
    pub(crate) group: i32,
    state: char,
}

impl Stat {
    fn read(pid: Pid) -> Option<Self> {
        // Bytes, not text: a program may call itself anything.
        let line = fs::read(format!("/proc/{}/stat", pid.as_raw_pid())).ok()?;
        Self::parse(pid, &String::from_utf8_lossy(&line))
    }

    fn parse(pid: Pid, line: &str) -> Option<Self> {
        const START_TIME_AFTER_GROUP: usize = 16;
        // The second field is the program's name in brackets, and may itself have brackets and spaces.
        let (_, fields) = line.rsplit_once(')')?;
        let mut fields = fields.split_ascii_whitespace();
        let state = fields.next()?.chars().next()?;
        let parent_pid = fields.next()?.parse().ok()?;
        let group = fields.next()?.parse().ok()?;
        let start_time = fields.nth(START_TIME_AFTER_GROUP)?.parse().ok()?;
        Some(Self { identity: Identity { pid, start_time }, parent_pid, group, state })
    }

    fn is_alive(&self) -> bool {
        !matches!(self.state, 'Z' | 'X')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str) {
        let pid = rustix::process::getpid();
        let line = format!("7 ({name}) S 3 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4711 9 9");
        let identity = Identity { pid, start_time: 4711 };
        assert_eq!(
            Stat::parse(pid, &line),
            Some(Stat { identity, parent_pid: 3, group: 7, state: 'S' }),
            "{line}"
        );
    }

    #[test]
    fn stat_survives_strange_program_names() {
        ["cat", "a b", "a) R 9 (b", ") ) )", ""].into_iter().for_each(check);
    }

    #[test]
    fn a_start_time_that_differs_is_another_process() {
        let me = Identity::of(rustix::process::getpid()).expect("this process exists");
        assert!(me.open_pidfd().is_ok());
        let predecessor = Identity { start_time: me.start_time - 1, ..me };
        assert_eq!(predecessor.open_pidfd().err(), Some(Errno::SRCH));
    }
}
