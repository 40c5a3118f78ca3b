//! One connection after another, until the node restarts or sleeps.

use embassy_sync::blocking_mutex::raw::RawMutex;
use embassy_sync::mutex::Mutex;
use embassy_time::Timer;
use embedded_storage_async::nor_flash::MultiwriteNorFlash;
use heapless::String;
use measure::Uptime;
use node::{Action, Dialer, Node};
use wire::GATEWAY_BYTES_MAX;

use crate::broken::Broken;
use crate::session::{self, Leave};
use crate::{Board, Dial, End, Event, HELD_MS, Identity, Memory};

/// How often the node is looked after while there is no connection, in milliseconds.
const SLICE_MS: u64 = 1_000;

/// Connects, and connects again, until the node restarts or sleeps.
///
/// It may be dropped only with the node: it works in its flash.
pub async fn run<B, D, M, F, const PAGES: usize, const MESSAGE: usize>(
    board: &B,
    dial: &mut D,
    node: &Mutex<M, Node<F, PAGES>>,
    identity: Identity<'_>,
    memory: &mut Memory<MESSAGE>,
) -> End
where
    B: Board,
    D: Dial,
    M: RawMutex,
    F: MultiwriteNorFlash,
{
    let mut dialer = Dialer::new();
    loop {
        let (pause_ms, gateway, is_only) = {
            let node = node.lock().await;
            let count = node.gateways().count();
            let dial = dialer.next(board.random(), count);
            let gateway = node.gateways().nth(dial.index).unwrap_or_default();
            let gateway: String<GATEWAY_BYTES_MAX> = gateway.try_into().unwrap_or_default();
            (dial.pause_ms, gateway, count < 2)
        };
        match pause(board, node, board.now().plus_ms(u64::from(pause_ms))).await {
            Pause::Over => {}
            Pause::Anew => {
                dialer = Dialer::new();
                continue;
            }
            Pause::End(end) => return end,
        }
        let mut answered = None;
        let begun = session::Session { board, node, identity, gateway: &gateway, is_only };
        let ended = begun.hold(dial, memory, &mut answered).await;
        node.lock().await.disconnected();
        board.went_round();
        match ended {
            Ok(Leave::Reboot) => return End::Reboot,
            Ok(Leave::Sleep(ms)) => return End::Sleep(ms),
            Ok(Leave::Reconnect) => dialer = Dialer::new(),
            Err(broken) => {
                let reason = broken.as_str();
                board.tell(Event::Down { gateway: &gateway, reason });
                // One that ends soon after each answer, time and again, has not held.
                match answered {
                    Some(at) if board.now().ms_since(at) >= HELD_MS => dialer.held(),
                    _ => dialer.failed(),
                }
            }
        }
    }
}

/// What a pause ended with.
enum Pause {
    Over,
    Anew,
    End(End),
}

/// Waits until `until` and until a connection is due, and looks after the node meanwhile.
async fn pause<B, M, F, const PAGES: usize>(
    board: &B,
    node: &Mutex<M, Node<F, PAGES>>,
    until: Uptime,
) -> Pause
where
    B: Board,
    M: RawMutex,
    F: MultiwriteNorFlash,
{
    loop {
        board.went_round();
        let now = board.now();
        let (action, sleep, is_due) = {
            let mut node = node.lock().await;
            let action = node.check(now).await.unwrap_or_else(|error| {
                board.tell(Event::Dropped { reason: Broken::from(error).as_str() });
                None
            });
            (action, node.may_sleep(now), node.is_link_due(now))
        };
        match action {
            None => {}
            Some(Action::Reboot) => return Pause::End(End::Reboot),
            Some(action) => {
                let is_anew = matches!(action, Action::Reconnect);
                board.act(action).await;
                if is_anew {
                    return Pause::Anew;
                }
            }
        }
        if let Some(ms) = sleep {
            return Pause::End(End::Sleep(ms));
        }
        if now >= until && is_due {
            return Pause::Over;
        }
        let left_ms = if is_due { until.ms_since(now) } else { SLICE_MS };
        Timer::after_millis(left_ms.clamp(1, SLICE_MS)).await;
    }
}
