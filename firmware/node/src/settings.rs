//! The settings from afar: kept in flash, tried, proven, or given up.
//!
//! Two places in flash take turns. New settings are written into the one that is not proven, and then one
//! small item says that they are on trial: a power cut anywhere leaves the old ones or the new ones in
//! force, whole. They are proven by a birth that is answered in a session begun after them. Where that
//! does not come in [`SETTINGS_PROOF_MS`] of being awake, the proven ones are in force again.
//!
//! The small item, little-endian: format 1, proven place (0: as built, 1, 2), place on trial (0: none),
//! milliseconds left of the trial (4), revision given up (4), interval set by command over the proven
//! settings and over those on trial (4 each, 0: none).
//!
//! The same revision again is `done` where its bytes have the same CRC-32, else it is refused.
//!
//! The command `interval` changes no revision. It holds until other settings come, or until those on
//! trial, over which it was set, are given up.

use embedded_storage_async::nor_flash::MultiwriteNorFlash;
use heapless::Vec;
use measure::Uptime;
use wire::{Detail, LIMITS_MAX, Outcome, SETTINGS_BYTES_MAX, Settings, detail};

use crate::limits::Watched;
use crate::node::{Link, check_interval};
use crate::outbox::{KEY_OLD_INTERVAL, KEY_SETTLED, KEYS_SETTINGS, Result};
use crate::sleep::crc32;
use crate::{Action, Node, valid};

/// Settings on trial are given up when no gateway answered for so long, in milliseconds of trying.
pub const SETTINGS_PROOF_MS: u32 = 300_000;
/// What is left of a trial is written down in steps of so many milliseconds.
const TRIAL_STEP_MS: u32 = 60_000;
/// What a restart costs of a trial, in milliseconds: settings with which the node does not stay up are
/// given up too.
const TRIAL_BOOT_MS: u32 = 10_000;

const FORMAT: u8 = 1;
const SETTLED_BYTES: usize = 19;

/// Settings as they lie in flash.
pub(crate) type SettingsBytes = Vec<u8, SETTINGS_BYTES_MAX>;

/// Which settings are in force.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Settled {
    proven: u8,
    trial: u8,
    left_ms: u32,
    rolled_back: u32,
    proven_interval_ms: u32,
    trial_interval_ms: u32,
}

impl Settled {
    fn emit(&self) -> [u8; SETTLED_BYTES] {
        let bytes = [FORMAT, self.proven, self.trial]
            .into_iter()
            .chain(self.left_ms.to_le_bytes())
            .chain(self.rolled_back.to_le_bytes())
            .chain(self.proven_interval_ms.to_le_bytes())
            .chain(self.trial_interval_ms.to_le_bytes());
        let mut out = [0; SETTLED_BYTES];
        out.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
        out
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let ([format, proven, trial], rest) = bytes.split_first_chunk::<3>()?;
        let (left, rest) = rest.split_first_chunk::<4>()?;
        let (rolled_back, rest) = rest.split_first_chunk::<4>()?;
        let (proven_interval, rest) = rest.split_first_chunk::<4>()?;
        let trial_interval = rest.first_chunk::<4>()?;
        let is_place = |place: u8| usize::from(place) <= KEYS_SETTINGS.len();
        let is_known = *format == FORMAT && is_place(*proven) && is_place(*trial);
        is_known.then_some(Self {
            proven: *proven,
            trial: *trial,
            left_ms: u32::from_le_bytes(*left),
            rolled_back: u32::from_le_bytes(*rolled_back),
            proven_interval_ms: u32::from_le_bytes(*proven_interval),
            trial_interval_ms: u32::from_le_bytes(*trial_interval),
        })
    }

    /// Returns the key of the settings in force.
    fn key(&self) -> Option<u8> {
        let place = if self.trial == 0 { self.proven } else { self.trial };
        KEYS_SETTINGS.get(usize::from(place.checked_sub(1)?)).copied()
    }

    fn interval_ms(&self) -> Option<u32> {
        let ms = if self.trial == 0 { self.proven_interval_ms } else { self.trial_interval_ms };
        check_interval(ms)
    }
}

/// A trial under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Trial {
    pub(crate) left_ms: u32,
    /// When the time was counted last.
    pub(crate) seen: Uptime,
    /// No session up to this one proves anything.
    pub(crate) session: u32,
}

impl<F: MultiwriteNorFlash, const PAGES: usize> Node<F, PAGES> {
    /// Returns whom to connect to, in this order: as the settings say, else as the board was provisioned.
    pub fn gateways(&self) -> impl Iterator<Item = &str> {
        let own = &self.gateways;
        let all = if own.is_empty() { &self.built_gateways } else { own };
        all.iter().map(|address| address.as_str())
    }

    /// Returns whether settings are on trial: [`Self::check`] has a time to it then.
    pub fn is_on_trial(&self) -> bool {
        self.trial.is_some()
    }

    /// Looks after settings on trial. Call it once in each loop, and do what it returns.
    ///
    /// # Errors
    /// `Error::Flash` and `Error::Damaged` where the flash did not take it.
    pub async fn check(&mut self, now: Uptime) -> Result<Option<Action<'static>>, F::Error> {
        let Some(trial) = &mut self.trial else { return Ok(None) };
        let passed_ms = u32::try_from(now.ms_since(trial.seen)).unwrap_or(u32::MAX);
        trial.left_ms = trial.left_ms.saturating_sub(passed_ms);
        trial.seen = trial.seen.max(now);
        let left_ms = trial.left_ms;
        if left_ms == 0 {
            self.roll_back(now).await?;
            return Ok(Some(Action::Reconnect));
        }
        if self.settled.left_ms.saturating_sub(left_ms) >= TRIAL_STEP_MS {
            self.settle(Settled { left_ms, ..self.settled }).await?;
        }
        Ok(None)
    }

    /// Reads at a start which settings are in force.
    pub(crate) async fn load_settings(
        &mut self,
        now: Uptime,
        is_new: bool,
    ) -> Result<(), F::Error> {
        let mut bytes = [0; SETTLED_BYTES];
        if let Some(length) = self.outbox.load(KEY_SETTLED, &mut bytes).await? {
            self.settled = bytes.get(..length).and_then(Settled::parse).unwrap_or_default();
        } else if let Some(4) = self.outbox.load(KEY_OLD_INTERVAL, &mut bytes).await? {
            let interval_ms = bytes.first_chunk().map_or(0, |ms| u32::from_le_bytes(*ms));
            self.settled.proven_interval_ms = check_interval(interval_ms).unwrap_or(0);
        }
        self.birth.rolled_back =
            (self.settled.rolled_back != 0).then_some(self.settled.rolled_back);
        if self.settled.trial != 0 {
            let cost_ms = if is_new { TRIAL_BOOT_MS } else { 0 };
            let left_ms = self.settled.left_ms.saturating_sub(cost_ms);
            self.trial = Some(Trial { left_ms, seen: now, session: self.birth.session });
            if is_new {
                self.settle(Settled { left_ms, ..self.settled }).await?;
            }
            if !self.put_in_force().await? || left_ms == 0 {
                return self.roll_back(now).await;
            }
            return Ok(());
        }
        self.put_in_force().await.map(|_| ())
    }

    /// Checks settings and writes them as they lie in flash; a detail says what is wrong with them.
    pub(crate) fn prepare(
        &self,
        settings: &Settings,
    ) -> core::result::Result<SettingsBytes, Detail> {
        let in_force = self.birth.settings;
        if settings.revision < in_force {
            return Err(detail(format_args!("revision: {in_force} is in force")));
        }
        valid::check(settings, &self.birth.channels)?;
        let mut bytes = SettingsBytes::new();
        bytes.resize_default(SETTINGS_BYTES_MAX).map_err(|_| Detail::new())?;
        let length = wire::encode_settings(settings, &mut bytes)
            .map_err(|_| detail(format_args!("longer than {SETTINGS_BYTES_MAX} bytes")))?;
        bytes.truncate(length);
        Ok(bytes)
    }

    /// Puts settings on trial that [`Self::prepare`] has passed.
    pub(crate) async fn configure(
        &mut self,
        now: Uptime,
        id: u32,
        revision: u32,
        bytes: &SettingsBytes,
    ) -> Result<Option<Action<'static>>, F::Error> {
        if revision == self.birth.settings {
            if self.settings_crc == crc32(bytes) {
                self.answer(id, Outcome::Done, Detail::new());
            } else {
                let other = detail(format_args!("revision: {revision} says otherwise"));
                self.answer(id, Outcome::Refused, other);
            }
            return Ok(None);
        }
        let place = if self.settled.proven == 1 { 2 } else { 1 };
        let [one, two] = KEYS_SETTINGS;
        self.outbox.save(if place == 1 { one } else { two }, bytes).await?;
        self.settle(Settled {
            trial: place,
            left_ms: SETTINGS_PROOF_MS,
            rolled_back: 0,
            trial_interval_ms: 0,
            ..self.settled
        })
        .await?;
        let session = self.birth.session;
        self.trial = Some(Trial { left_ms: SETTINGS_PROOF_MS, seen: now, session });
        self.birth.rolled_back = None;
        self.apply(Some(bytes));
        self.cancel_orphans(now.max(self.recorded_at)).await?;
        self.answer(id, Outcome::Done, Detail::new());
        Ok(Some(Action::Reconnect))
    }

    /// Samples at another interval from now on.
    pub(crate) async fn set_interval(&mut self, ms: u32) -> Result<(), F::Error> {
        let settled = match self.settled.trial {
            0 => Settled { proven_interval_ms: ms, ..self.settled },
            _ => Settled { trial_interval_ms: ms, ..self.settled },
        };
        self.settle(settled).await?;
        self.birth.interval_ms = ms;
        // The gateway judges silence by the interval that the birth names.
        self.rebirth();
        Ok(())
    }

    /// A birth was answered: settings on trial from before its session are proven.
    pub(crate) async fn prove(&mut self) -> Result<(), F::Error> {
        if self.trial.is_none_or(|trial| self.birth.session <= trial.session) {
            return Ok(());
        }
        let Settled { trial, trial_interval_ms, .. } = self.settled;
        let proven_interval_ms = trial_interval_ms;
        self.settle(Settled { proven: trial, proven_interval_ms, ..Settled::default() }).await?;
        self.trial = None;
        Ok(())
    }

    /// Goes back to the settings that were proven.
    async fn roll_back(&mut self, now: Uptime) -> Result<(), F::Error> {
        let Settled { proven, proven_interval_ms, .. } = self.settled;
        // Settings that cannot be read have no revision to name.
        let rolled_back = self.birth.settings;
        self.settle(Settled { proven, proven_interval_ms, rolled_back, ..Settled::default() })
            .await?;
        self.trial = None;
        self.birth.rolled_back = (rolled_back != 0).then_some(rolled_back);
        self.put_in_force().await?;
        self.cancel_orphans(now.max(self.recorded_at)).await?;
        self.rebirth();
        Ok(())
    }

    async fn settle(&mut self, settled: Settled) -> Result<(), F::Error> {
        self.outbox.save(KEY_SETTLED, &settled.emit()).await?;
        self.settled = settled;
        Ok(())
    }

    /// Reads the settings in force; returns their length.
    async fn settings_bytes(
        &mut self,
        into: &mut [u8; SETTINGS_BYTES_MAX],
    ) -> Result<Option<usize>, F::Error> {
        match self.settled.key() {
            None => Ok(None),
            Some(key) => self.outbox.load(key, into).await,
        }
    }

    /// Works by the settings in force; false where they cannot be read, and the node is as built.
    async fn put_in_force(&mut self) -> Result<bool, F::Error> {
        let mut bytes = [0; SETTINGS_BYTES_MAX];
        let length = self.settings_bytes(&mut bytes).await?;
        let is_built = self.settled.key().is_none();
        Ok(self.apply(length.and_then(|length| bytes.get(..length))) || is_built)
    }

    /// Works by these settings; false where there are none that it can work by, and it is as built.
    // Not inlined: decoded settings take 3 KiB of stack, only while this runs.
    #[inline(never)]
    fn apply(&mut self, bytes: Option<&[u8]>) -> bool {
        let settings = bytes.and_then(|bytes| wire::decode_settings(bytes).ok());
        let settings = settings.filter(|one| valid::check(one, &self.birth.channels).is_ok());
        let interval_ms = settings.as_ref().map_or(self.built_interval_ms, |one| one.interval_ms);
        self.birth.interval_ms = self.settled.interval_ms().unwrap_or(interval_ms);
        self.birth.settings = settings.as_ref().map_or(0, |one| one.revision);
        self.birth.heartbeat_ms = settings.as_ref().and_then(|one| one.heartbeat_ms);
        self.connect_ms = settings.as_ref().and_then(|one| one.connect_ms);
        self.has_positions = false;
        for (channel, told) in self.channels.iter_mut().zip(&mut self.birth.channels) {
            *channel = Default::default();
            told.enabled = true;
            told.calibration = 0;
        }
        let before = core::mem::take(&mut self.limits);
        self.settings_crc = bytes.map_or(0, crc32);
        let Some(settings) = settings else {
            self.gateways.clear();
            return false;
        };
        for own in settings.channels {
            let place = usize::from(own.channel);
            if let (Some(channel), Some(told)) =
                (self.channels.get_mut(place), self.birth.channels.get_mut(place))
            {
                channel.deadband = own.deadband;
                channel.calibration = own.calibration;
                told.enabled = own.enabled;
                told.calibration = own.calibration.map_or(0, |line| line.number);
                self.has_positions |= own.position.is_some();
            }
        }
        let watched = settings.limits.into_iter().map(|limit| {
            let as_before = before.iter().find(|watched| watched.limit == limit);
            as_before.copied().unwrap_or(Watched::new(limit))
        });
        self.limits = watched.collect::<Vec<_, LIMITS_MAX>>();
        self.gateways = settings.gateways;
        true
    }

    /// Puts the positions of the settings into the birth, or takes them out again: called twice, before
    /// and after it is written.
    fn swap_positions(&mut self, moved: &mut Settings) {
        for own in &mut moved.channels {
            if let (Some(position), Some(told)) =
                (&mut own.position, self.birth.channels.get_mut(usize::from(own.channel)))
            {
                core::mem::swap(position, &mut told.position);
            }
        }
    }

    /// Writes the birth, with the positions of the settings where they give others.
    pub(crate) async fn write_birth(&mut self, buffer: &mut [u8]) -> Result<usize, F::Error> {
        if !self.has_positions {
            return Ok(wire::encode_birth(&self.birth, buffer)?);
        }
        let mut bytes = [0; SETTINGS_BYTES_MAX];
        let length = self.settings_bytes(&mut bytes).await?;
        self.encode_birth(length.and_then(|length| bytes.get(..length)), buffer)
    }

    // Not inlined: decoded settings take 3 KiB of stack, only while this runs.
    #[inline(never)]
    fn encode_birth(
        &mut self,
        settings: Option<&[u8]>,
        buffer: &mut [u8],
    ) -> Result<usize, F::Error> {
        let mut moved = settings.and_then(|bytes| wire::decode_settings(bytes).ok());
        moved.iter_mut().for_each(|moved| self.swap_positions(moved));
        let length = wire::encode_birth(&self.birth, buffer);
        moved.iter_mut().for_each(|moved| self.swap_positions(moved));
        Ok(length?)
    }

    pub(crate) fn rebirth(&mut self) {
        if self.link != Link::Down {
            self.link = Link::BirthDue;
        }
    }
}
