//! The loop that watches over a running tree until it has ended.
//!
//! ```text
//!            program ended                    0.5 s                     kill grace
//! Running ────────────────────► Lingering ───────────► Terminating ────────────────► Killing ─► (again, and again)
//!    │                                                      ▲
//!    └──── stop, time-out, lease expired: SIGTERM ──────────┘        done, from anywhere: nothing is left below us
//! ```
//!
//! SIGTERM goes once to everything that is there: what a program starts in answer to it is its clean-up, and has the
//! grace.
//!
//! A child that is forked in that moment may be left out, and would have to be waited for until the grace is over. So
//! the program's group gets SIGTERM in one step of the kernel; and, since shells hold signals back while they fork, what
//! a program that died of its SIGTERM leaves behind gets it too: whoever did not answer it has no clean-up. SIGKILL goes to everything, as often as something is left.

use std::borrow::Borrow;
use std::io::{self, PipeReader, Read};
use std::path::Path;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, getpid, kill_process_group, wait};

use crate::attempt::{is_stop_requested, read_lease};
use crate::clock::{Boottime, timespec};
use crate::plan::Plan;
use crate::processes::{Identity, Stat, descendants, has_children, signal_all, tree};
use crate::result::{Outcome, StopCause};
use crate::signals::Signals;
use crate::stream::Stream;
use crate::trampoline::StartFailure;

/// A stop request normally comes with a signal; this is how long one that lost its signal waits.
const LOOK_INTERVAL_MS: u64 = 1_000;

/// What the program left behind may end by itself for so long: a `tee` that still has to write.
const LINGER_MS: u64 = 500;

/// Between two rounds of SIGKILL: enough for the kernel at first, then rare, as each reads all of `/proc`.
const KILL_INTERVAL_MIN_MS: u64 = 5;
const KILL_INTERVAL_MAX_MS: u64 = 1_000;

/// After so long, descendants that SIGKILL does not end are reported as survivors. The program itself is waited for
/// as long as it takes: without its end there is no result.
const GIVE_UP_MS: u64 = 60_000;

/// Somebody outside the tree may hold a pipe and write without end.
const LAST_DRAIN_MS: u64 = 1_000;

/// How a tree ended.
#[derive(Debug)]
pub(crate) struct Watched {
    pub(crate) outcome: Outcome,
    pub(crate) survivors: Vec<i32>,
    pub(crate) streams: [Stream; 2],
}

#[derive(Debug)]
pub(crate) struct Watch<'a> {
    plan: &'a Plan,
    attempt_dir: &'a Path,
    signals: &'a Signals,
    main: Pid,
    main_end: Option<WaitStatus>,
    failure: PipeReader,
    streams: [Stream; 2],
    phase: Phase,
    cause: Option<Cause>,
    /// Who was there at the SIGTERM.
    told: Vec<Identity>,
    timeout_at: Option<Boottime>,
    lease_until: Option<Boottime>,
    look_at: Boottime,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    Running,
    Lingering { terminate_at: Boottime },
    Terminating { kill_at: Boottime },
    Killing { interval_ms: u64, again_at: Boottime, give_up_at: Boottime },
}

/// Why the tree was ended from here.
#[derive(Clone, Copy, Debug)]
enum Cause {
    TimedOut,
    Stopped(StopCause),
}

impl<'a> Watch<'a> {
    pub(crate) fn new(
        plan: &'a Plan,
        attempt_dir: &'a Path,
        signals: &'a Signals,
        main: Pid,
        failure: PipeReader,
        streams: [Stream; 2],
    ) -> Self {
        let now = Boottime::now();
        Self {
            plan,
            attempt_dir,
            signals,
            main,
            main_end: None,
            failure,
            streams,
            phase: Phase::Running,
            cause: None,
            told: Vec::new(),
            timeout_at: plan.timeout_ms.map(|timeout_ms| now.plus_ms(timeout_ms)),
            lease_until: plan.lease_ms.map(|lease_ms| now.plus_ms(lease_ms)),
            // At once: a request may have come while the program was being started.
            look_at: now,
        }
    }

    /// Comes back when the tree has ended.
    pub(crate) fn run(mut self) -> Watched {
        let main_end = loop {
            self.reap();
            if let Some(main_end) = self.main_end.filter(|_| self.is_over()) {
                break main_end;
            }
            self.advance(Boottime::now());
            self.wait_for_news();
        };
        self.drain_rest();
        Watched {
            outcome: self.outcome(main_end),
            survivors: self.survivors(),
            streams: self.streams,
        }
    }

    fn reap(&mut self) {
        if !self.signals.take_child_ended() {
            return;
        }
        let mut terminated = false;
        while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
            if pid == self.main {
                self.main_end = Some(status);
            }
            terminated |= is_terminated(status);
        }
        if terminated && self.main_end.is_some_and(is_terminated) {
            self.terminate_missed();
        }
    }

    /// The children of what has just died of SIGTERM are ours now.
    fn terminate_missed(&mut self) {
        if !matches!(self.phase, Phase::Terminating { .. }) {
            return;
        }
        let us = getpid().as_raw_pid();
        let mut missed = identities(tree().into_iter().filter(|process| process.parent_pid == us));
        missed.retain(|process| !self.told.contains(process));
        signal_all(&missed, Signal::TERM);
        self.told.extend(missed);
    }

    /// Asked only after the program has ended.
    fn is_over(&self) -> bool {
        let gave_up = matches!(self.phase, Phase::Killing { give_up_at, .. } if give_up_at <= Boottime::now());
        gave_up || !has_children()
    }

    fn advance(&mut self, now: Boottime) {
        match self.phase {
            Phase::Running if self.main_end.is_some() => {
                self.phase = Phase::Lingering { terminate_at: now.plus_ms(LINGER_MS) };
            }
            Phase::Running => {
                self.cause = self.cause_to_end(now);
                if self.cause.is_some() {
                    self.terminate(now);
                }
            }
            Phase::Lingering { terminate_at } if terminate_at <= now => self.terminate(now),
            Phase::Terminating { kill_at } if kill_at <= now => {
                self.kill(now, KILL_INTERVAL_MIN_MS, now.plus_ms(GIVE_UP_MS));
            }
            Phase::Killing { interval_ms, again_at, give_up_at } if again_at <= now => {
                self.kill(now, (interval_ms * 2).min(KILL_INTERVAL_MAX_MS), give_up_at);
            }
            Phase::Lingering { .. } | Phase::Terminating { .. } | Phase::Killing { .. } => {}
        }
    }

    fn cause_to_end(&mut self, now: Boottime) -> Option<Cause> {
        if self.timeout_at.is_some_and(|timeout_at| timeout_at <= now) {
            return Some(Cause::TimedOut);
        }
        self.stop_cause(now).map(Cause::Stopped)
    }

    fn stop_cause(&mut self, now: Boottime) -> Option<StopCause> {
        let terminate = self.signals.is_terminate();
        if terminate || self.look_at <= now {
            self.look_at = now.plus_ms(LOOK_INTERVAL_MS);
            if is_stop_requested(self.attempt_dir) {
                return Some(StopCause::Requested);
            }
        }
        if terminate {
            return Some(StopCause::Signal);
        }
        self.is_lease_over(now).then_some(StopCause::LeaseExpired)
    }

    /// Looks for a renewal only when the known term is over.
    fn is_lease_over(&mut self, now: Boottime) -> bool {
        let over = |lease_until: Option<Boottime>| lease_until.is_some_and(|until| until <= now);
        if over(self.lease_until) {
            self.lease_until = self.lease_until.max(read_lease(self.attempt_dir));
        }
        over(self.lease_until)
    }

    fn terminate(&mut self, now: Boottime) {
        let there = tree();
        self.told = identities(there.iter());
        // The number of the group is not free before we reap.
        let group = self.main_end.is_none().then_some(self.main);
        if let Some(group) = group {
            // Ended already, or not ours to signal: the next look at the tree tells. SIGCONT is for the stopped.
            let _ = kill_process_group(group, Signal::TERM);
            let _ = kill_process_group(group, Signal::CONT);
        }
        let is_member = |process: &&Stat| group.map(Pid::as_raw_pid) == Some(process.group);
        let others = there.iter().filter(|process| !is_member(process));
        signal_all(&identities(others), Signal::TERM);
        self.phase = Phase::Terminating { kill_at: now.plus_ms(self.plan.kill_grace_ms) };
    }

    fn kill(&mut self, now: Boottime, interval_ms: u64, give_up_at: Boottime) {
        if self.main_end.is_none() {
            // In one step for the whole group, so that forks cannot outrun it; its number is not free before we reap.
            let _ = kill_process_group(self.main, Signal::KILL);
        }
        signal_all(&descendants(), Signal::KILL);
        self.phase = Phase::Killing { interval_ms, again_at: now.plus_ms(interval_ms), give_up_at };
    }

    /// Sleeps until a signal, output, or the next moment at which something is due; takes the output.
    fn wait_for_news(&mut self) {
        let timeout = timespec(Boottime::now().ms_until(self.next_due()));
        let mut descriptors = vec![PollFd::new(self.signals.wake_up(), PollFlags::IN)];
        let open = self.streams.iter().filter_map(Stream::as_open_fd);
        descriptors.extend(open.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
        // An interruption is a signal, and the next turn looks at those anyway.
        let _ = poll(&mut descriptors, Some(&timeout));
        self.signals.rest();
        self.streams.iter_mut().for_each(|stream| {
            stream.drain_chunk();
        });
    }

    fn next_due(&self) -> Boottime {
        match self.phase {
            Phase::Running => {
                let deadlines = self.timeout_at.into_iter().chain(self.lease_until);
                deadlines.chain([self.look_at]).min().expect("there is always a next look")
            }
            Phase::Lingering { terminate_at } => terminate_at,
            Phase::Terminating { kill_at } => kill_at,
            Phase::Killing { again_at, give_up_at, .. } => again_at.min(give_up_at),
        }
    }

    /// What is still in the pipes when all writers have ended.
    fn drain_rest(&mut self) {
        let end = Boottime::now().plus_ms(LAST_DRAIN_MS);
        for stream in &mut self.streams {
            while stream.drain_chunk() && Boottime::now() < end {}
        }
    }

    fn survivors(&self) -> Vec<i32> {
        if has_children() {
            descendants().iter().map(|left| left.pid.as_raw_pid()).collect()
        } else {
            Vec::new()
        }
    }

    fn outcome(&mut self, main_end: WaitStatus) -> Outcome {
        match self.cause {
            Some(Cause::TimedOut) => Outcome::TimedOut,
            Some(Cause::Stopped(cause)) => Outcome::Stopped { cause },
            None => self
                .start_failure()
                .map_or_else(|| outcome_of(main_end), StartFailure::into_outcome),
        }
    }

    /// What the trampoline reported if it could not become the program. It has ended, so this does not block.
    fn start_failure(&mut self) -> Option<StartFailure> {
        let mut text = Vec::new();
        let read: io::Result<usize> = self.failure.read_to_end(&mut text);
        read.ok().and_then(|_| serde_json::from_slice(&text).ok())
    }
}

fn identities(processes: impl Iterator<Item = impl Borrow<Stat>>) -> Vec<Identity> {
    processes.map(|process| process.borrow().identity).collect()
}

fn is_terminated(status: WaitStatus) -> bool {
    status.terminating_signal() == Some(Signal::TERM.as_raw())
}

fn outcome_of(status: WaitStatus) -> Outcome {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => Outcome::Exited { code },
        (None, Some(signal)) => Outcome::Signaled { signal },
        (None, None) => unreachable!("wait(2) without further options reports ends only"),
    }
}
