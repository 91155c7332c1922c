//! The end of a process: the first SIGTERM or SIGINT asks everybody to finish, the second ends the process at once.

use std::io;
use std::process;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// What a shell reports of a program that was ended by SIGINT; also the code of a hard end.
pub const INTERRUPTED_EXIT_CODE: i32 = 130;

/// A token that the first signal cancels. Must be called inside a tokio runtime.
///
/// # Errors
/// When the system refuses to deliver signals to us.
pub fn on_signals() -> io::Result<CancellationToken> {
    let mut signals = Signals {
        terminate: signal(SignalKind::terminate())?,
        interrupt: signal(SignalKind::interrupt())?,
    };
    let token = CancellationToken::new();
    let cancelled = token.clone();
    tokio::spawn(async move {
        signals.next().await;
        tracing::info!("shutting down; a second signal ends the process at once");
        cancelled.cancel();
        signals.next().await;
        process::exit(INTERRUPTED_EXIT_CODE);
    });
    Ok(token)
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
