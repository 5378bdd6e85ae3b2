//! How the user stops a command.

use crate::rpc::control::{Failure, Kind};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Cancelled by Ctrl-C or SIGTERM: the command cleans up and ends. The second signal ends the process at once.
pub fn interruptible() -> Result<CancellationToken, Failure> {
    let listen = |kind| signal(kind).map_err(|e| Failure::new(Kind::Failed, format!("listening for signals: {e}")));
    let (mut interrupt, mut terminate) = (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
    let stop = CancellationToken::new();
    let asked = stop.clone();
    tokio::spawn(async move {
        for again in [false, true] {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            asked.cancel();
            if again {
                std::process::exit(1);
            }
        }
    });
    Ok(stop)
}

/// Resolves with Ctrl-C, `kill`, or when the terminal is closed.
pub async fn told_to_stop() {
    let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
    let heard = kinds.into_iter().filter_map(|kind| signal(kind).ok());
    let waits = heard.map(|mut heard| Box::pin(async move { heard.recv().await }));
    futures::future::select_all(waits).await;
}
