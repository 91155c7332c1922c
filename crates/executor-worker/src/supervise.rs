//! One task per attempt: prepares it, starts its supervisor or adopts a running one, stops it when told, and says how
//! it ended.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use model::{AttemptResult, ErrorClass, Failure, Token};
use ports::clock::Clock;
use ports::crash;
use ports::files::Files;
use ports::work::Grant;
use supervisor::{Binary, Plan, Running, State, SupervisorExit};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc;
use tokio::task;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::actions;
use crate::attempt_dir::AttemptDir;
use crate::config::Config;
use crate::failure::{Refusal, WORKER_TROUBLE, at_start, of_worker};
use crate::outcome::{self, Ending};
use crate::spool::{Entry, EntryState, Spool};
use crate::users::{Account, account_for, block_on_as, check_entry};

/// Copying what an attempt needs takes no longer, or its file system is not well.
const PREPARE_MAX: Duration = Duration::from_secs(600);
/// Most attempts are over sooner, and the news of where they run would cost a commit each.
const PROGRESS_AFTER: Duration = Duration::from_millis(500);
/// Between two requests for the same stop: the first may come before the supervisor listens.
const STOP_INTERVAL: Duration = Duration::from_millis(250);
/// Between a supervisor's lock and its claim lie two syncs.
const CLAIM_INTERVAL: Duration = Duration::from_millis(50);
/// After an error of the disk or the kernel that may pass.
const TROUBLE_INTERVAL: Duration = Duration::from_secs(1);
/// Between two tries to kill what SIGKILL did not end at once.
const REMAINS_INTERVAL: Duration = Duration::from_secs(5);

/// What all attempts of a worker share.
pub(crate) struct Context {
    pub(crate) config: Config,
    pub(crate) binary: Binary,
    pub(crate) files: Arc<dyn Files>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) spool: Spool,
    pub(crate) host: String,
}

/// Where an attempt runs, once that is worth telling.
#[derive(Debug)]
pub(crate) struct Progress {
    pub(crate) token: Token,
    pub(crate) external_id: String,
}

/// An attempt that is looked after.
pub(crate) struct Attempt {
    context: Arc<Context>,
    grant: Arc<Grant>,
    dir: AttemptDir,
    stop: CancellationToken,
    progress: mpsc::Sender<Progress>,
}

impl Attempt {
    pub(crate) fn new(
        context: Arc<Context>,
        grant: Arc<Grant>,
        stop: CancellationToken,
        progress: mpsc::Sender<Progress>,
    ) -> Attempt {
        let dir = AttemptDir::of(&context.config.work_dir, &grant);
        Attempt { context, grant, dir, stop, progress }
    }

    /// Runs what was granted just now. On return the end is on disk.
    pub(crate) async fn run_new(self) -> Ending {
        crash::point("before_grant_is_noted");
        let saved = self.save(EntryState::Granted, false).await;
        crash::point("after_grant_is_noted");
        let ending = match saved {
            Ok(()) => self.prepare_and_start().await,
            Err(failure) => failed(&failure),
        };
        self.record(ending).await
    }

    /// Goes on with what a former process of this worker began.
    pub(crate) async fn run_remembered(self, entry: &Entry) -> Ending {
        let ending = self.resume(entry).await;
        self.record(ending).await
    }

    async fn resume(&self, entry: &Entry) -> Ending {
        let external_id = match &entry.state {
            EntryState::Started { external_id } => Some(external_id.clone()),
            EntryState::Granted | EntryState::Finished { .. } | EntryState::Stopped => None,
        };
        let started_once = external_id.is_some();
        if let Some(ending) = self.follow(external_id).await {
            return ending;
        }
        if !self.context.spool.is_of_this_boot(entry) {
            outcome::lost("its host was rebooted, and what was known of it may be gone")
        } else if self.dir.is_prepared() {
            self.start().await
        } else if started_once {
            outcome::lost("its directory was taken away")
        } else {
            self.prepare_and_start().await
        }
    }

    async fn prepare_and_start(&self) -> Ending {
        if let Err(failure) = self.prepare().await {
            self.tell_reader(&failure).await;
            return failed(&failure);
        }
        self.start().await
    }

    async fn prepare(&self) -> Result<(), Refusal> {
        let account = self.make_directories().await?;
        let plan = self.plan(account).await?;
        let dir = self.dir.clone();
        blocking(move || plan.write(dir.path()))
            .await
            .map_err(|error| of_worker("cannot write the plan", &error))
    }

    /// Answers the account that the attempt runs as.
    async fn make_directories(&self) -> Result<Option<Account>, Refusal> {
        let (context, grant, dir) =
            (Arc::clone(&self.context), Arc::clone(&self.grant), self.dir.clone());
        blocking(move || {
            let account = account_for(context.config.run_as, &grant.user, &context.host)?;
            dir.create()
                .and_then(|()| account.iter().try_for_each(|account| dir.give_to(account)))
                .map_err(|error| of_worker("cannot make the directory of the attempt", &error))?;
            fs::create_dir_all(actions::log_dir(&context.config, &grant))
                .map_err(|error| of_worker("cannot make the directory of the logs", &error))?;
            Ok(account)
        })
        .await
    }

    async fn plan(&self, account: Option<Account>) -> Result<Plan, Refusal> {
        let (context, grant, dir) =
            (Arc::clone(&self.context), Arc::clone(&self.grant), self.dir.clone());
        let (is_other, planned_for) =
            (account.is_some() && actions::is_launched(&grant), account.clone());
        let planning = async move {
            if is_other {
                check_entry(&dir.work())?;
            }
            let plan = actions::plan(&context, &grant, &dir, planned_for.as_ref());
            timeout(PREPARE_MAX, plan).await.unwrap_or_else(|_| Err(too_late()))
        };
        if is_other {
            blocking(move || block_on_as(account.as_ref(), planning)).await.flatten()
        } else {
            planning.await
        }
    }

    async fn start(&self) -> Ending {
        loop {
            if self.stop.is_cancelled() {
                return Ending::Stopped;
            }
            match self.start_once().await {
                Ok(Some(ending)) => return ending,
                // A supervisor that a former worker started was about to claim the attempt.
                Ok(None) => sleep(CLAIM_INTERVAL).await,
                Err(failure) => return failed(&failure),
            }
        }
    }

    /// `None`: another supervisor was at it, and has claimed nothing yet.
    async fn start_once(&self) -> Result<Option<Ending>, Refusal> {
        let (context, dir) = (Arc::clone(&self.context), self.dir.clone());
        crash::point("before_spawn");
        let started = blocking(move || supervisor::start(&context.binary, dir.path())).await;
        let mut running =
            started.map_err(|error| of_worker("cannot start a supervisor", &error))?;
        crash::point("after_spawn");
        let external_id = self.external_id(&running.pid());
        let note = EntryState::Started { external_id: external_id.clone() };
        if let Err(failure) = self.save(note, false).await {
            // The supervisor's own claim says the same after a restart.
            warn!(token = %self.grant.token, error = failure.message, "start is not noted in the spool");
        }
        let exit = self.wait_for_child(&mut running, &external_id).await;
        match self.follow(Some(external_id)).await {
            Some(ending) => Ok(Some(ending)),
            None if exit == Some(SupervisorExit::AlreadyClaimed) => Ok(None),
            None => Err(never_claimed(exit)),
        }
    }

    /// `None`: somebody else has waited for it, so that only its directory can tell.
    async fn wait_for_child(
        &self,
        running: &mut Running,
        external_id: &str,
    ) -> Option<SupervisorExit> {
        loop {
            self.wait_for(running.open_pidfd(), Some(external_id)).await;
            match running.reap() {
                Ok(Some(exit)) => return Some(exit),
                Ok(None) => {}
                Err(error) => {
                    warn!(token = %self.grant.token, error = %error, "supervisor cannot be waited for");
                    return None;
                }
            }
        }
    }

    /// Reads what a supervisor left; adopts one that runs, and waits for its end. `None`: nothing was claimed.
    async fn follow(&self, mut external_id: Option<String>) -> Option<Ending> {
        loop {
            match self.inspect().await {
                State::Finished(result) => {
                    if !result.survivors.is_empty() {
                        self.kill_remains().await;
                    }
                    let (config, external_id) = (&self.context.config, external_id.as_deref());
                    return Some(outcome::ending(config, &self.grant, external_id, &result));
                }
                State::Running(claim) => {
                    let external_id =
                        &*external_id.get_or_insert_with(|| self.external_id(&claim.pid));
                    info!(token = %self.grant.token, external_id, "attempt adopted");
                    self.wait_for(supervisor::open_pidfd(&claim), Some(external_id)).await;
                }
                State::Lost { why } => {
                    self.kill_remains().await;
                    return Some(outcome::lost(&why));
                }
                State::NotStarted => return None,
            }
        }
    }

    /// Until the process has ended. A stop that is asked for meanwhile is passed on, again and again.
    async fn wait_for(&self, pidfd: Result<OwnedFd, supervisor::Error>, external_id: Option<&str>) {
        let watched = pidfd.ok().and_then(|pidfd| watch(pidfd).ok());
        let Some(watched) = watched else {
            // It has just ended, or there are no descriptors left; either way it is looked at again.
            if self.stop.is_cancelled() {
                self.request_stop().await;
            }
            return sleep(STOP_INTERVAL).await;
        };
        let mut worth_telling = pin!(sleep(PROGRESS_AFTER));
        let (mut told, mut stopping) = (false, false);
        loop {
            tokio::select! {
                _ = watched.readable() => return,
                () = self.stop.cancelled(), if !stopping => {
                    stopping = true;
                    self.request_stop().await;
                }
                () = sleep(STOP_INTERVAL), if stopping => self.request_stop().await,
                () = &mut worth_telling, if !told => {
                    told = true;
                    self.tell_progress(external_id).await;
                }
            }
        }
    }

    async fn tell_progress(&self, external_id: Option<&str>) {
        if let Some(external_id) = external_id {
            let progress =
                Progress { token: self.grant.token.clone(), external_id: external_id.to_owned() };
            // Fails only when the worker is going away.
            let _unheard = self.progress.send(progress).await;
        }
    }

    async fn request_stop(&self) {
        let claim = match self.inspect().await {
            State::Running(claim) => Some(claim),
            State::NotStarted | State::Finished(_) | State::Lost { .. } => None,
        };
        let dir = self.dir.clone();
        if let Err(error) =
            blocking(move || supervisor::request_stop(dir.path(), claim.as_ref())).await
        {
            warn!(token = %self.grant.token, error = %error, "stop could not be requested, trying again");
        }
    }

    /// What the directory says; waits until it can be read.
    async fn inspect(&self) -> State {
        loop {
            let dir = self.dir.clone();
            match blocking(move || supervisor::inspect(dir.path())).await {
                Ok(state) => return state,
                Err(error) => {
                    warn!(token = %self.grant.token, error = %error, "attempt cannot be inspected, trying again");
                    sleep(TROUBLE_INTERVAL).await;
                }
            }
        }
    }

    /// Until nothing of the attempt is left: only then another one may begin.
    async fn kill_remains(&self) {
        loop {
            let token = self.grant.token.clone();
            match blocking(move || supervisor::kill_remains(token.as_str())).await {
                Ok(killed) => {
                    return info!(token = %self.grant.token, killed, "remains of the attempt are gone");
                }
                Err(error) => {
                    warn!(token = %self.grant.token, error = %error, "remains are still there, trying again")
                }
            }
            sleep(REMAINS_INTERVAL).await;
        }
    }

    async fn record(&self, ending: Ending) -> Ending {
        let state = match &ending {
            Ending::Result(result) => EntryState::Finished { result: result.clone() },
            Ending::Stopped => EntryState::Stopped,
        };
        crash::point("before_end_is_noted");
        let synced = !self.dir.has_result();
        if let Err(failure) = self.save(state, synced).await {
            warn!(token = %self.grant.token, error = failure.message, "end is not noted in the spool");
        }
        crash::point("after_end_is_noted");
        ending
    }

    async fn save(&self, state: EntryState, synced: bool) -> Result<(), Refusal> {
        let (spool, grant) = (self.context.spool.clone(), Arc::clone(&self.grant));
        let saved = blocking(move || spool.save(&grant, state, synced)).await;
        saved.map_err(|error| of_worker("cannot write to the spool", &error))
    }

    /// A failure before the start is in nobody's log, so it is put into the attempt's.
    async fn tell_reader(&self, failure: &Failure) {
        let logs = actions::log_dir(&self.context.config, &self.grant);
        let line = format!("howdah: {}: {}\n", failure.code, failure.message);
        let write = move || {
            fs::create_dir_all(&logs)?;
            OpenOptions::new()
                .append(true)
                .create(true)
                .open(logs.join("stderr"))?
                .write_all(line.as_bytes())
        };
        if let Err(error) = blocking(write).await {
            warn!(token = %self.grant.token, error = %error, "failure is not in the attempt's log");
        }
    }

    fn external_id(&self, pid: &dyn std::fmt::Display) -> String {
        format!("{}:{pid}", self.context.host)
    }
}

fn failed(failure: &Failure) -> Ending {
    Ending::Result(AttemptResult::Failed(failure.clone()))
}

fn too_late() -> Refusal {
    let message =
        format!("the files of the attempt were not in place after {} s", PREPARE_MAX.as_secs());
    at_start(ErrorClass::Transient, WORKER_TROUBLE, message)
}

fn never_claimed(exit: Option<SupervisorExit>) -> Refusal {
    let why = match exit {
        Some(SupervisorExit::BadPlan { message } | SupervisorExit::Failed { message }) => message,
        Some(SupervisorExit::Died { signal: Some(signal) }) => {
            format!("it was killed by signal {signal}")
        }
        Some(
            SupervisorExit::Died { signal: None }
            | SupervisorExit::Finished
            | SupervisorExit::AlreadyClaimed,
        )
        | None => "it left no word".to_owned(),
    };
    let message = format!("the supervisor ended before it started anything: {why}");
    at_start(ErrorClass::Transient, WORKER_TROUBLE, message)
}

#[expect(
    deprecated,
    reason = "its successor is unsafe for descriptors that may be swapped; this one is owned and never is"
)]
fn watch(pidfd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::with_interest(pidfd, Interest::READABLE)
}

/// Runs what may block on a thread for such work.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime is shutting down; this task goes with it.
            Err(_) => std::future::pending().await,
        },
    }
}
