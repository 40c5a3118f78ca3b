//! Tells people that the disk is full, and that it has room again. Nothing of it is written down, since
//! that is what a full disk forbids: a restart on a full disk tells once more.

use std::{sync::Arc, time::Duration};

use measure::Timestamp;
use notify::{Notice, Office};
use registry::{Recipient, Registry};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// How long until somebody who could not be told is tried again.
const TRY_AGAIN: Duration = Duration::from_secs(30);
/// How often each is tried; after that the log and `/health` say it alone.
const TRIES_MAX: u32 = 120;

/// What the stage works with.
pub(crate) struct Crier {
    pub(crate) registry: Arc<Registry>,
    pub(crate) office: Arc<Office>,
    pub(crate) wall: Arc<dyn Fn() -> Timestamp + Send + Sync>,
}

impl Crier {
    /// Tells each change of `short` until told to stop.
    pub(crate) async fn run(self, mut short: watch::Receiver<bool>, stop: CancellationToken) {
        let mut told_full = false;
        loop {
            let is_short = *short.borrow_and_update();
            if is_short != told_full {
                told_full = is_short;
                let notice = if is_short { Notice::DiskFull } else { Notice::DiskHasRoom };
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = self.tell(notice) => {}
                    // Whoever was not reached yet is told how it is now instead.
                    changed = short.changed() => if changed.is_err() { return } else { continue },
                }
            }
            tokio::select! {
                () = stop.cancelled() => return,
                changed = short.changed() => if changed.is_err() { return },
            }
        }
    }

    /// Tries everybody until they are told.
    async fn tell(&self, notice: Notice) {
        let made = (self.wall)();
        let mut waiting: Option<Vec<(usize, Recipient)>> = None;
        for _ in 0..TRIES_MAX {
            let registry = Arc::clone(&self.registry);
            let asked = tokio::task::spawn_blocking(move || registry.people()).await;
            let people = asked.ok().and_then(Result::ok);
            if let Some(people) = people {
                let everybody = || self.office.told(&people).into_iter().enumerate().collect();
                let mut left = Vec::new();
                for (number, to) in waiting.take().unwrap_or_else(everybody) {
                    let message = format!("gateway{}n{number}", made.micros());
                    match self.office.tell(notice, &to, &people, (&message, made)).await {
                        Ok(()) => info!(channel = to.channel.name(), ?notice, "Told of the disk."),
                        Err(failure) => {
                            warn!(channel = to.channel.name(), %failure, "Could not tell of the disk.");
                            if !failure.is_permanent {
                                left.push((number, to));
                            }
                        }
                    }
                }
                if left.is_empty() {
                    return;
                }
                waiting = Some(left);
            }
            tokio::time::sleep(TRY_AGAIN).await;
        }
    }
}
