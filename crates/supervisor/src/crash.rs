//! Named points at which a test can make the supervisor die as if by kill -9.
//!
//! Only in builds with debug assertions: `HOWDAH_CRASH_AT=<point>:<nth>` kills the process when it passes the point
//! for the n-th time. Without the feature nothing of this is compiled.

/// Where a supervisor can be stopped dead.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Point {
    /// The claim is on disk, nothing was executed.
    AfterClaim,
    /// The last moment at which nothing was executed.
    BeforeSpawn,
    /// The trampoline runs.
    AfterSpawn,
    /// The result is written, but does not have its name yet.
    BeforeResult,
    /// The result is readable, the supervisor has not exited.
    AfterResult,
}

/// Dies here if the environment says so.
#[cfg(not(debug_assertions))]
pub(crate) fn point(_point: Point) {}

/// Dies here if the environment says so.
#[cfg(debug_assertions)]
pub(crate) fn point(point: Point) {
    armed::pass(point);
}

/// The environment variable that arms a point.
#[cfg(debug_assertions)]
pub(crate) const VARIABLE: &str = "HOWDAH_CRASH_AT";

#[cfg(debug_assertions)]
mod armed {
    use std::env;
    use std::process;
    use std::sync::atomic::{AtomicU32, Ordering};

    use rustix::process::{Signal, getpid, kill_process};

    use super::{Point, VARIABLE};

    static PASSED: [AtomicU32; 5] = [const { AtomicU32::new(0) }; 5];

    pub(super) fn pass(point: Point) {
        let passed = PASSED[point as usize].fetch_add(1, Ordering::Relaxed) + 1;
        if env::var(VARIABLE).is_ok_and(|armed| armed == format!("{}:{passed}", name(point))) {
            // As kill -9 would: no unwinding, no core dump. The abort is never reached where signals work.
            let _ = kill_process(getpid(), Signal::KILL);
            process::abort();
        }
    }

    fn name(point: Point) -> &'static str {
        match point {
            Point::AfterClaim => "after_claim",
            Point::BeforeSpawn => "before_spawn",
            Point::AfterSpawn => "after_spawn",
            Point::BeforeResult => "before_result",
            Point::AfterResult => "after_result",
        }
    }
}
