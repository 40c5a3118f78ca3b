//! The limits that are broken, in flash: an episode goes on through a restart under its own number.
//!
//! The list is written before each event and names the sequence that the event will have. Whether the
//! event was written too says the ring at the next start: all below its newest sequence was. So a power
//! cut between the two leaves no episode without its event, and none open that was closed.
//!
//! Bytes: for each episode, at most [`wire::LIMITS_MAX`], little-endian: rule (4), channel (1), digest of
//! the limit (4), sequence of its first event (8), sequence of its last one or all ones (8), value that
//! decided (4).

use embedded_storage_async::nor_flash::MultiwriteNorFlash;
use heapless::Vec;
use measure::{Scaled, Sequence, Uptime};
use wire::{EventState, LIMITS_MAX, LocalEvent};

use crate::limits::{Phase, Watched, digest};
use crate::node::FreshEvent;
use crate::outbox::{KEY_EPISODES, Result};
use crate::sleep::{Head, Retained};
use crate::{Error, Node};

const EPISODE_BYTES: usize = 29;
const EPISODES_BYTES_MAX: usize = EPISODE_BYTES * LIMITS_MAX;
const OPEN: Sequence = Sequence(u64::MAX);

/// An episode as it lies in flash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Episode {
    rule: u32,
    channel: u8,
    digest: u32,
    first: Sequence,
    last: Sequence,
    value: Scaled,
}

type Episodes = Vec<Episode, LIMITS_MAX>;

fn emit(episodes: &Episodes) -> Vec<u8, EPISODES_BYTES_MAX> {
    let bytes = |one: &Episode| {
        one.rule
            .to_le_bytes()
            .into_iter()
            .chain([one.channel])
            .chain(one.digest.to_le_bytes())
            .chain(one.first.0.to_le_bytes())
            .chain(one.last.0.to_le_bytes())
            .chain(one.value.0.to_le_bytes())
    };
    episodes.iter().flat_map(bytes).collect()
}

fn parse(bytes: &[u8]) -> Episodes {
    let one = |bytes: &[u8]| {
        let (rule, rest) = bytes.split_first_chunk::<4>()?;
        let ([channel], rest) = rest.split_first_chunk::<1>()?;
        let (digest, rest) = rest.split_first_chunk::<4>()?;
        let (first, rest) = rest.split_first_chunk::<8>()?;
        let (last, rest) = rest.split_first_chunk::<8>()?;
        Some(Episode {
            rule: u32::from_le_bytes(*rule),
            channel: *channel,
            digest: u32::from_le_bytes(*digest),
            first: Sequence(u64::from_le_bytes(*first)),
            last: Sequence(u64::from_le_bytes(*last)),
            value: Scaled(i32::from_le_bytes(*rest.first_chunk::<4>()?)),
        })
    };
    bytes.chunks_exact(EPISODE_BYTES).filter_map(one).take(LIMITS_MAX).collect()
}

impl<F: MultiwriteNorFlash, const PAGES: usize> Node<F, PAGES> {
    async fn episodes(&mut self) -> Result<Episodes, F::Error> {
        let mut bytes = [0; EPISODES_BYTES_MAX];
        let length = self.outbox.load(KEY_EPISODES, &mut bytes).await?;
        Ok(length.and_then(|length| bytes.get(..length)).map(parse).unwrap_or_default())
    }

    /// Says that a limit has come to `next`, by the value that decided. Nothing has changed where it fails.
    pub(crate) async fn tell_limit(
        &mut self,
        at: Uptime,
        index: usize,
        next: Watched,
        state: EventState,
        value: Scaled,
    ) -> Result<(Sequence, LocalEvent), F::Error> {
        let Some(before) = self.limits.get(index).copied() else {
            return Err(Error::Config("limits"));
        };
        let episode = if state == EventState::Raised { self.outbox.next } else { before.episode };
        let outputs = {
            let others = self.limits.iter().enumerate().filter(|(other, _)| *other != index);
            others.fold(next.outputs(), |all, (_, other)| all | other.outputs())
        };
        let event = LocalEvent {
            channel: next.limit.channel,
            rule: next.limit.rule,
            episode,
            state,
            uptime: at,
            value,
            outputs,
        };
        let sequence = self.push_event(at, event, digest(&next.limit)).await?;
        if let Some(watched) = self.limits.get_mut(index) {
            *watched = Watched { episode, ..next };
        }
        Ok((sequence, event))
    }

    /// Writes an event down, and the list of episodes as it is with it.
    async fn push_event(
        &mut self,
        at: Uptime,
        event: LocalEvent,
        digest: u32,
    ) -> Result<Sequence, F::Error> {
        let mut episodes = self.episodes().await?;
        episodes.retain(|one| one.last == OPEN);
        let sequence = self.outbox.next;
        match event.state {
            EventState::Raised => {
                let LocalEvent { rule, channel, value, .. } = event;
                let first = event.episode;
                let raised = Episode { rule, channel, digest, first, last: OPEN, value };
                // There are as many as limits at most.
                episodes.extend((!episodes.is_full()).then_some(raised));
            }
            EventState::Returned | EventState::Cancelled => {
                episodes
                    .iter_mut()
                    .filter(|one| one.first == event.episode)
                    .for_each(|one| one.last = sequence);
            }
        }
        self.outbox.save(KEY_EPISODES, &emit(&episodes)).await?;
        let boot_utc = self.clock.stamp(at);
        match self.outbox.push_event(at, boot_utc, event).await {
            Ok(_) => {}
            Err(error) => {
                // The sequence that the list names will never be an event's.
                episodes.retain(|one| one.first != sequence);
                episodes.iter_mut().for_each(|one| one.last = OPEN);
                self.outbox.save(KEY_EPISODES, &emit(&episodes)).await?;
                return Err(error);
            }
        }
        self.recorded_at = at;
        self.has_undated |= boot_utc.is_none();
        self.is_urgent = true;
        let fresh = FreshEvent { sequence, boot_utc, event };
        self.has_backlog |= self.fresh_events.push(fresh).is_err();
        Ok(sequence)
    }

    /// After a start: takes up the episodes of before, and cancels those whose limit is not there any more.
    pub(crate) async fn resume_episodes(
        &mut self,
        at: Uptime,
        retained: Option<(Head, &Retained)>,
    ) -> Result<(), F::Error> {
        let kept = self.episodes().await?;
        let written = self.outbox.newest_end;
        let mut open: Episodes = kept
            .iter()
            .filter(|one| one.first < written && (one.last == OPEN || one.last >= written))
            .copied()
            .collect();
        open.iter_mut().for_each(|one| one.last = OPEN);
        if open != kept {
            self.outbox.save(KEY_EPISODES, &emit(&open)).await?;
        }
        for watched in &mut self.limits {
            let own = digest(&watched.limit);
            if let Some(one) = open.iter().find(|one| one.digest == own) {
                watched.phase = Phase::Raised;
                watched.episode = one.first;
            }
        }
        if let Some((head, retained)) = retained {
            self.resume(&head, retained);
        }
        self.cancel_orphans(at).await
    }

    /// Cancels each open episode that no limit of now goes on with.
    pub(crate) async fn cancel_orphans(&mut self, at: Uptime) -> Result<(), F::Error> {
        let open = self.episodes().await?;
        let outputs = self.outputs();
        for one in open.iter().filter(|one| one.last == OPEN) {
            let mut limits = self.limits.iter();
            if limits.any(|watched| watched.is_raised() && watched.episode == one.first) {
                continue;
            }
            let event = LocalEvent {
                channel: one.channel,
                rule: one.rule,
                episode: one.first,
                state: EventState::Cancelled,
                uptime: at,
                value: one.value,
                outputs,
            };
            self.push_event(at.max(self.recorded_at), event, one.digest).await?;
        }
        Ok(())
    }
}
