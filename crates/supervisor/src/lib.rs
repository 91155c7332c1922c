//! One attempt of an action, owned by one small process.
//!
//! A worker may be killed, upgraded or restarted while actions run; their processes must neither die with it nor be
//! started a second time. So between the worker and each action stands a *supervisor*: a single-threaded process of
//! its own session that lives exactly as long as the attempt. They talk through the *attempt directory*:
//!
//! ```text
//!  worker                          attempt directory                supervisor
//!  Plan::write ──────────────────► plan.json ─────────────────────► what to run
//!  start ─────────────────────────────────────────────────────────► (a new process)
//!                                  lock           ◄──── flock ───── held for its life
//!                                  result.json.N  ◄──────────────── room for the result
//!  inspect, open_pidfd ◄────────── claim.json     ◄─── once only ── synced before anything is executed
//!  request_stop ─────────────────► stop (+ SIGTERM) ──────────────► ends the process tree
//!  renew_lease ──────────────────► lease.json ────────────────────► read when the known term is over
//!  inspect ◄────────────────────── result.json    ◄──── rename ──── synced; then it exits
//! ```
//!
//! Invariants:
//! * **At most once.** `claim.json` appears complete and exactly once, and only its creator executes the program.
//! * **Nobody guesses by pid.** A supervisor is running if the host has not rebooted, the claimed pid has the claimed
//!   start time, and the lock is held. Anything else without a result is [`State::Lost`].
//! * **An attempt ends with its tree.** The supervisor is the subreaper of everything below it; `result.json` is
//!   written when no descendant is left (those that could not be killed are listed in it).
//! * **A full disk loses no exit status.** Room for the result is reserved before the start; a result that still does
//!   not fit is kept in memory and tried again until it is written.
//! * **Nothing is inherited.** The supervisor closes every foreign descriptor first, and passes on only three.
//! * **kill -9 of the supervisor ends the program too.** The program is executed by a trampoline (the same binary
//!   again), which asks the kernel to kill it with its parent. Grandchildren that survive this way are found by
//!   their environment: see [`kill_remains`].
//!
//! The limits are the kernel's: a program that gains privileges when executed (set-user-ID) sheds the parent-death
//! signal and may refuse our signals, and a process in an uninterruptible wait dies when that ends.

mod attempt;
mod binary;
mod capture;
mod claim;
mod clock;
mod crash;
mod error;
mod handle;
mod plan;
mod processes;
mod result;
mod signals;
mod stream;
mod supervise;
mod trampoline;
mod watch;

pub use attempt::{State, inspect, kill_remains, open_pidfd, remove, renew_lease, request_stop};
pub use binary::{Binary, THIS_BINARY, take_name};
pub use claim::Claim;
pub use clock::Boottime;
pub use error::Error;
pub use handle::{Running, SupervisorExit, start};
pub use plan::{CAPTURE_BYTES_MAX, CaptureFile, Plan, RunAs, TOKEN_VARIABLE};
pub use result::{AttemptResult, Captured, Outcome, Stage, StopCause};
pub use supervise::{FIRST_ARGUMENT, main};
