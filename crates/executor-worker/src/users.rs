//! Whom attempts run as: the account of the submitting user, and work that is done in its name.
//!
//! A worker that runs as root has two ways to act for others. An action's program is switched for good by the
//! supervisor's child ([`supervisor::Plan::run_as`]). What is done here (copying files, unpacking archives, `prepare`,
//! `fs` commands, attachments) runs on a thread of its own whose *effective* ids alone are the user's: the kernel
//! judges each access as that user's, and the user can neither signal nor trace the thread.
//!
//! Threads that such a thread begins are the user's too, so that whatever blocks for it is.

use std::fs;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::panic::resume_unwind;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread;

use model::ErrorClass;
use rustix::fs::{Gid, Uid};
use rustix::process::geteuid;
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};
use serde::{Deserialize, Serialize};
use tokio::runtime;

use crate::config::RunAs;
use crate::failure::{CANNOT_RUN_AS, Refusal, at_start, of_worker};

/// A user of this host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Account {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// Supplementary groups, and the primary one.
    pub(crate) groups: Vec<u32>,
    pub(crate) home: String,
}

/// The account that an attempt of `user` runs as; `None`: the worker's own. Asks the host's directory: blocks.
///
/// # Errors
/// The host has no such user, or this process may not become it.
pub(crate) fn account_for(
    run_as: RunAs,
    user: &str,
    host: &str,
) -> Result<Option<Account>, Refusal> {
    let own = geteuid();
    match run_as {
        RunAs::Worker => Ok(None),
        RunAs::Submitter => match find(user)? {
            None => Err(unknown(user, host)),
            Some(account) if account.uid == own.as_raw() => Ok(None),
            Some(_) if !own.is_root() => Err(not_allowed(user, host, own)),
            Some(account) => Ok(Some(account)),
        },
    }
}

/// Runs a future to its end, as that account if there is one. Blocks.
///
/// # Errors
/// This process may not become it, or there are no threads left.
pub(crate) fn block_on_as<T: Send>(
    account: Option<&Account>,
    work: impl Future<Output = T> + Send,
) -> Result<T, Refusal> {
    let Some(account) = account else { return block_on(work) };
    let switched = || {
        account.assume().map_err(|error| {
            let message = format!(
                "cannot act as uid {}: {error}; give the worker the right to switch users, or {ALL_AS_ONE}",
                account.uid
            );
            at_start(ErrorClass::Error, CANNOT_RUN_AS, message)
        })?;
        block_on(work)
    };
    thread::scope(|scope| {
        let thread = thread::Builder::new().name("as-submitter".to_owned());
        let begun = thread
            .spawn_scoped(scope, switched)
            .map_err(|error| of_worker("cannot begin a thread", &error))?;
        begun.join().unwrap_or_else(|panic| resume_unwind(panic))
    })
}

fn block_on<T>(work: impl Future<Output = T>) -> Result<T, Refusal> {
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| of_worker("cannot begin to wait", &error))?;
    let done = runtime.block_on(work);
    // What was given up after its time-out may hang in a file system; nobody waits for it.
    runtime.shutdown_background();
    Ok(done)
}

/// Whether whoever asks can come to the working directory of its program. To be asked as the user.
///
/// # Errors
/// A directory above it is closed.
pub(crate) fn check_entry(working_dir: &Path) -> Result<(), Refusal> {
    let entered = fs::metadata(working_dir.join("."));
    entered.map(drop).map_err(|error| {
        let message = format!(
            "the job's user cannot enter its working directory {}: {error}; open the directories above the worker's data \
             (chmod a+x), or {ALL_AS_ONE}",
            working_dir.display()
        );
        at_start(ErrorClass::Error, CANNOT_RUN_AS, message)
    })
}

const ALL_AS_ONE: &str =
    "set worker.run_as = \"worker\" to run the actions of all users as the worker's own user";

fn unknown(user: &str, host: &str) -> Refusal {
    let message = format!(
        "the host {host} has no user `{user}`, as whom the action would run; create it there, submit as a user that \
         exists, or {ALL_AS_ONE}"
    );
    at_start(ErrorClass::Error, CANNOT_RUN_AS, message)
}

fn not_allowed(user: &str, host: &str, own: Uid) -> Refusal {
    let message = format!(
        "the action would run as `{user}`, but its worker on {host} runs as uid {} and may not switch users; run the \
         worker as root, submit as its own user, or {ALL_AS_ONE}",
        own.as_raw()
    );
    at_start(ErrorClass::Error, CANNOT_RUN_AS, message)
}

impl Account {
    /// For a supervisor's plan.
    pub(crate) fn to_plan(&self) -> supervisor::RunAs {
        supervisor::RunAs { uid: self.uid, gid: self.gid, groups: self.groups.clone() }
    }

    /// Makes the effective ids of this thread the account's. The saved and real ones stay, so that nobody else may signal
    /// the thread.
    fn assume(&self) -> io::Result<()> {
        let groups: Vec<Gid> = self.groups.iter().map(|group| Gid::from_raw(*group)).collect();
        set_thread_groups(&groups)?;
        set_thread_res_gid(None, Gid::from_raw(self.gid), None)?;
        Ok(set_thread_res_uid(None, Uid::from_raw(self.uid), None)?)
    }
}

/// The host's own tools know every directory that is configured there: files, LDAP, SSSD.
fn find(user: &str) -> Result<Option<Account>, Refusal> {
    // No file of users has such a name, and no command line an argument with NUL.
    if user.is_empty() || user.contains(['\0', ':', '\n']) {
        return Ok(None);
    }
    let Some(line) = ask("getent", &["passwd", "--", user])? else { return Ok(None) };
    let groups = ask("id", &["-G", "--", user])?.unwrap_or_default();
    Ok(account_of(user, &line, &groups))
}

/// What a tool prints; `None`: it knows of no such user.
fn ask(tool: &str, arguments: &[&str]) -> Result<Option<String>, Refusal> {
    let asked = Command::new(tool).args(arguments).stdin(Stdio::null()).output();
    let told = asked.and_then(|output| match output.status.signal() {
        Some(signal) => Err(io::Error::other(format!("it was killed by signal {signal}"))),
        None => Ok(told(output)),
    });
    told.map_err(|error| of_worker(&format!("cannot ask `{tool}` for the job's user"), &error))
}

fn told(output: Output) -> Option<String> {
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Of a line `name:password:uid:gid:comment:home:shell`. The name must be the one asked for: tools take a number for a
/// user as well, and a job of the user `0` is not root's.
fn account_of(user: &str, line: &str, groups: &str) -> Option<Account> {
    let mut fields = line.lines().next()?.split(':');
    if fields.next()? != user {
        return None;
    }
    let uid = fields.nth(1)?.parse().ok()?;
    let gid = fields.next()?.parse().ok()?;
    let home = fields.nth(1)?.to_owned();
    let groups = groups.split_ascii_whitespace().filter_map(|group| group.parse().ok()).collect();
    Some(Account { uid, gid, groups, home })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_the_one_asked_for() {
        let line = "ann:x:1001:100:Ann,,,:/home/ann:/bin/sh\n";
        let ann =
            Account { uid: 1001, gid: 100, groups: vec![100, 27], home: "/home/ann".to_owned() };
        let check = |user: &str, line: &str, account: Option<&Account>| {
            assert_eq!(account_of(user, line, "100 27\n").as_ref(), account, "{user} in {line:?}");
        };
        check("ann", line, Some(&ann));
        check("1001", line, None);
        check("ann", "", None);
        check("ann", "ann:x:many:100::/:", None);
    }

    #[test]
    fn nobody_is_found_by_a_number_or_a_trick() {
        for user in ["", "0", "-s", "a:b", "root\0", "no-such-user-here"] {
            assert_eq!(find(user), Ok(None), "{user:?}");
        }
    }

    #[test]
    fn a_worker_that_is_not_root_runs_its_own_users_attempts_alone() {
        if !geteuid().is_root() {
            return;
        }
        let nobody = find("nobody").expect("the tools are there").expect("every host has it");
        let as_nobody = |run_as: RunAs, user: &str| {
            block_on_as(Some(&nobody), async { account_for(run_as, user, "h1") })
                .expect("root may switch")
        };
        assert_eq!(as_nobody(RunAs::Submitter, "nobody"), Ok(None));
        assert_eq!(as_nobody(RunAs::Worker, "root"), Ok(None));
        let refusal = as_nobody(RunAs::Submitter, "root").expect_err("nobody may not switch");
        assert_eq!((refusal.class, refusal.code.as_str()), (ErrorClass::Error, CANNOT_RUN_AS));
        let words = format!("its worker on h1 runs as uid {} and may not", nobody.uid);
        assert!(refusal.message.contains(&words), "{}", refusal.message);
        assert!(geteuid().is_root(), "only that thread was switched");
        assert_eq!(
            as_nobody(RunAs::Submitter, "no-such-user-here").map_err(|r| r.code),
            Err("HW2008".to_owned())
        );
    }

    #[test]
    fn root_is_found_with_its_home() {
        let root = find("root").expect("the tools are there").expect("every host has it");
        assert_eq!((root.uid, root.gid, root.home.as_str()), (0, 0, "/root"));
        assert!(root.groups.contains(&0));
    }
}
