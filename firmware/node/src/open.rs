//! A start, in three steps: what the flash holds, a node made of it, and what that goes on with.

use embedded_storage_async::nor_flash::MultiwriteNorFlash;
use heapless::Vec;
use measure::{FlashId, Sequence, Uptime};
use wire::Birth;

use crate::clock::Clock;
use crate::entry::ring_bytes;
use crate::flight::Flight;
use crate::node::{Fresh, Link, check_interval};
use crate::outbox::{Outbox, Result};
use crate::settings::Settled;
use crate::{Config, Error, Node, Start, judge};

/// What the flash of a node holds: some hundred bytes.
pub struct Found<F: MultiwriteNorFlash, const PAGES: usize> {
    outbox: Outbox<F, PAGES>,
    random: u64,
}

impl<F: MultiwriteNorFlash, const PAGES: usize> Found<F, PAGES> {
    /// Reads the flash and begins a boot, or goes on with one after deep sleep. `random` is a new random
    /// number at each start: it becomes the flash id where the flash holds nothing and is formatted, and
    /// spreads the node's resends. The start returned is the one that the flash bears out, for
    /// [`Node::begin`].
    ///
    /// # Errors
    /// `Error::Flash` where the driver fails, `Error::Layout` and `Error::Config` where the
    /// configuration is not possible. Damage in the flash is repaired, and reported as a gap.
    pub async fn read<'r>(
        flash: F,
        config: &Config,
        random: u64,
        start: Start<'r>,
    ) -> Result<(Self, Start<'r>), F::Error> {
        check_interval(config.interval_ms).ok_or(Error::Config("interval_ms"))?;
        if config.channels.is_empty() {
            return Err(Error::Config("channels"));
        }
        let resumed = start.resumed().map(|(head, _)| head.resumed);
        let fresh_id = FlashId(random as u32);
        let (outbox, goes_on) =
            Outbox::open(flash, config.layout.clone(), fresh_id, resumed).await?;
        Ok((Self { outbox, random }, if goes_on { start } else { Start::Cold }))
    }
}

impl<F: MultiwriteNorFlash, const PAGES: usize> Node<F, PAGES> {
    /// Takes all steps of a start: [`Found::read`], [`Self::new`] and [`Self::begin`]. It takes two nodes of
    /// stack; a board that has less takes them one by one, with the node in its place from [`Self::new`] on.
    ///
    /// # Errors
    /// As for [`Found::read`].
    pub async fn open(
        flash: F,
        config: Config,
        random: u64,
        start: Start<'_>,
    ) -> Result<Self, F::Error> {
        let (found, start) = Found::read(flash, &config, random, start).await?;
        let mut node = Self::new(found, config);
        node.begin(start).await?;
        Ok(node)
    }

    /// Returns the node of this flash, as it was built: [`Self::begin`] comes before everything else.
    pub fn new(found: Found<F, PAGES>, config: Config) -> Self {
        let channels = config.channels.len();
        let pages = (config.layout.ring.len() / F::ERASE_SIZE).saturating_sub(1);
        let rounds = pages * (F::ERASE_SIZE.saturating_sub(8) / ring_bytes(channels));
        let birth = Birth {
            flash: found.outbox.identity.flash,
            boot: found.outbox.identity.boot,
            session: 0,
            uptime: Uptime(0),
            next_sequence: found.outbox.next,
            ring_used: 0,
            ring_size: u32::try_from(rounds * channels).unwrap_or(u32::MAX),
            interval_ms: config.interval_ms,
            next_due_ms: None,
            firmware: config.firmware,
            channels: config.channels,
            settings: 0,
            rolled_back: None,
            heartbeat_ms: None,
            target: config.target,
            release: config.release,
        };
        Self {
            outbox: found.outbox,
            key: config.key,
            birth,
            built_gateways: config.gateways,
            gateways: Vec::new(),
            built_interval_ms: config.interval_ms,
            connect_ms: None,
            has_positions: false,
            settled: Settled::default(),
            settings_crc: 0,
            trial: None,
            channels: (0..channels).map(|_| judge::Channel::default()).collect(),
            limits: Vec::new(),
            fresh_events: Vec::new(),
            sample_due: Uptime(0),
            connect_due: Uptime(0),
            heard_at: Uptime(0),
            is_urgent: false,
            link: Link::Down,
            clock: Clock::default(),
            fresh: Fresh { first: Sequence(0), boot_utc: None, readings: Vec::new() },
            flight: Flight::default(),
            has_backlog: true,
            backlog_at: Uptime(0),
            backlog_pause_ms: config.backlog_pause_ms,
            has_undated: false,
            recorded_at: Uptime(0),
            answers: Vec::new(),
            answered: None,
            update: None,
            published: None,
            // An xorshift must not begin at 0.
            random: ((found.random >> 32) as u32) | 1,
        }
    }

    /// Takes up the settings and what else goes on through a restart, or through the sleep of `start`.
    ///
    /// # Errors
    /// `Error::Flash` and `Error::Damaged` where the flash fails or did not take what follows from it.
    pub async fn begin(&mut self, start: Start<'_>) -> Result<(), F::Error> {
        let retained = start.resumed();
        let now = retained.map_or(Uptime(0), |(head, _)| head.until);
        self.heard_at = now;
        self.load_settings(now, retained.is_none()).await?;
        self.resume_episodes(now, retained).await
    }
}
