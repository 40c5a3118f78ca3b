//! The stage that lets go of old readings, as the configuration says: their roll-ups stay.

use std::{sync::Arc, time::Duration};

use store::embedded::{Engine, Policy};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::clock::Clock;

/// How often the store is told to let go. A pass goes some days; see `store::embedded`.
const EVERY: Duration = Duration::from_secs(3_600);
/// When the first pass begins, so that a start is not held up.
const FIRST_AFTER: Duration = Duration::from_secs(60);

/// Makes passes until `stop`. Where everything is kept there are none.
pub(crate) async fn run(store: Arc<Engine>, policy: Policy, clock: Clock, stop: CancellationToken) {
    if policy.keeps_all() {
        return;
    }
    let policy = Arc::new(policy);
    let mut pause = FIRST_AFTER;
    while stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_some() {
        let (store, policy, now) = (Arc::clone(&store), Arc::clone(&policy), clock.now());
        let pass = tokio::task::spawn_blocking(move || store.retain(&policy, now)).await;
        match pass {
            Ok(Ok(gone)) if gone.damaged_days > 0 => warn!(
                damaged_days = gone.damaged_days,
                "Days that are due to be rolled up are damaged; run `miaopu store check`."
            ),
            Ok(Ok(gone)) if gone.days + gone.ten_minutes_days > 0 => info!(
                days = gone.days,
                readings = gone.samples,
                ten_minutes_days = gone.ten_minutes_days,
                "Rolled up what is older than is kept."
            ),
            Ok(Ok(_)) => {}
            Ok(Err(error)) => warn!(%error, "Put off rolling up; nothing is lost."),
            Err(error) => warn!(%error, "Rolling up ended early; nothing is lost."),
        }
        pause = EVERY;
    }
}
