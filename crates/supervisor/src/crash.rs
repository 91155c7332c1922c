//! Named points at which a test can make the supervisor die as if by kill -9. In a release build all of this is nothing.
//!
//! `HOWDAH_CRASH_AT=<point>:<nth>` kills the process when it passes the point for the n-th time. A worker does not hand
//! its own `HOWDAH_CRASH_AT` on: `HOWDAH_CRASH_SUPERVISOR=<point>:<nth>` arms the n-th supervisor that it starts, and
//! only that one. `HOWDAH_CRASH_LOG=<path>` is handed on: every point that is passed becomes a line
//! `supervisor.<point>` there, and the death one `died at supervisor.<point>`.

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

/// What the next supervisor is to have in its environment.
#[cfg(not(debug_assertions))]
pub(crate) fn for_next_supervisor() -> Vec<(&'static str, String)> {
    Vec::new()
}

#[cfg(debug_assertions)]
pub(crate) use armed::{for_next_supervisor, point};

#[cfg(debug_assertions)]
mod armed {
    use std::env;
    use std::fs::File;
    use std::io::Write;
    use std::process;
    use std::sync::atomic::{AtomicU32, Ordering};

    use rustix::process::{Signal, getpid, kill_process};

    use super::Point;

    const AT: &str = "HOWDAH_CRASH_AT";
    const SUPERVISOR: &str = "HOWDAH_CRASH_SUPERVISOR";
    const LOG: &str = "HOWDAH_CRASH_LOG";

    static PASSED: [AtomicU32; 5] = [const { AtomicU32::new(0) }; 5];
    static STARTED: AtomicU32 = AtomicU32::new(0);

    /// Dies here if the environment says so.
    pub(crate) fn point(point: Point) {
        let (name, passed) =
            (name(point), PASSED[point as usize].fetch_add(1, Ordering::Relaxed) + 1);
        note(&format!("supervisor.{name}\n"));
        if env::var(AT).is_ok_and(|armed| armed == format!("{name}:{passed}")) {
            note(&format!("died at supervisor.{name}\n"));
            // As kill -9 would: no unwinding, no core dump. The abort is never reached where signals work.
            let _ = kill_process(getpid(), Signal::KILL);
            process::abort();
        }
    }

    /// What the next supervisor that this process starts is to have in its environment.
    pub(crate) fn for_next_supervisor() -> Vec<(&'static str, String)> {
        let nth = STARTED.fetch_add(1, Ordering::Relaxed) + 1;
        let armed = env::var(SUPERVISOR).ok().and_then(|text| {
            let (point, wanted) = text.split_once(':')?;
            (wanted == nth.to_string()).then(|| (AT, format!("{point}:1")))
        });
        let log = env::var(LOG).ok().map(|path| (LOG, path));
        armed.into_iter().chain(log).collect()
    }

    /// A line is one write, so that lines of several processes do not mix.
    fn note(line: &str) {
        let log = env::var(LOG)
            .ok()
            .and_then(|path| File::options().create(true).append(true).open(path).ok());
        if let Some(mut log) = log {
            let _missed = log.write_all(line.as_bytes());
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
