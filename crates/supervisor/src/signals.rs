//! Signals as facts to look at, and as one descriptor that wakes poll(2).

use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{
    SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGTTIN, SIGTTOU, SIGUSR1, SIGUSR2,
};
use signal_hook::flag;
use signal_hook::low_level::pipe;

/// Most of them are about a terminal, which is not the attempt's business. They get a handler rather than being ignored:
/// a handler ends with the exec, so that the program answers signals as usual, whatever the supervisor inherited (a shell
/// starts what it runs in the background with SIGINT and SIGQUIT ignored).
const TAKEN_AND_IGNORED: [i32; 8] =
    [SIGHUP, SIGINT, SIGQUIT, SIGTSTP, SIGTTIN, SIGTTOU, SIGUSR1, SIGUSR2];

/// What the supervisor was told since it last looked.
#[derive(Debug)]
pub(crate) struct Signals {
    child_ended: Arc<AtomicBool>,
    terminate: Arc<AtomicBool>,
    wake_up: UnixStream,
}

impl Signals {
    /// From here on no signal but SIGKILL ends this process. Handlers are not inherited through an exec.
    pub(crate) fn install() -> io::Result<Self> {
        let (wake_up, waker) = UnixStream::pair()?;
        wake_up.set_nonblocking(true)?;
        let signals = Self { child_ended: Arc::default(), terminate: Arc::default(), wake_up };
        // The flags come first: handlers run in order, and the one who wakes up wants to see them.
        flag::register(SIGCHLD, Arc::clone(&signals.child_ended))?;
        flag::register(SIGTERM, Arc::clone(&signals.terminate))?;
        pipe::register(SIGCHLD, waker.try_clone()?)?;
        pipe::register(SIGTERM, waker)?;
        for signal in TAKEN_AND_IGNORED {
            flag::register(signal, Arc::default())?;
        }
        Ok(signals)
    }

    /// Whether a child has ended since the last call.
    pub(crate) fn take_child_ended(&self) -> bool {
        self.child_ended.swap(false, Ordering::SeqCst)
    }

    /// Whether SIGTERM has ever come.
    pub(crate) fn is_terminate(&self) -> bool {
        self.terminate.load(Ordering::SeqCst)
    }

    /// Readable after a signal.
    pub(crate) fn wake_up(&self) -> &UnixStream {
        &self.wake_up
    }

    /// Empties the descriptor; to be called before looking at the flags.
    pub(crate) fn rest(&self) {
        let mut bytes = [0; 64];
        while matches!((&self.wake_up).read(&mut bytes), Ok(1..)) {}
    }
}
