//! What the node says next.

use embedded_storage_async::nor_flash::MultiwriteNorFlash;
use measure::{Sequence, SequenceRange, Uptime};
use wire::{Body, Data, Frame, Head, Pushed, TopicKind};

use crate::flight::{FRAMES_IN_FLIGHT_MAX, Flying, RESEND_JITTER_MS, RESEND_MS};
use crate::node::{Answer, FreshEvent, Link, Published};
use crate::outbox::Result;
use crate::ranges::{FREED_RANGES_MAX, Freed, Gap};
use crate::select::Unsent;
use crate::{Error, Node, Publish, Update};

impl<F: MultiwriteNorFlash, const PAGES: usize> Node<F, PAGES> {
    /// Returns the next message to publish, written into `buffer`, or `None` where there is nothing to
    /// say now. Events of limits come first, then fresh readings, then gaps and backlog.
    ///
    /// # Errors
    /// `Error::Wire` where `buffer` is too small, `Error::Flash` and `Error::Damaged` where the flash
    /// cannot be read.
    pub async fn next_publish<'b>(
        &mut self,
        now: Uptime,
        buffer: &'b mut [u8],
    ) -> Result<Option<Publish<'b>>, F::Error> {
        match self.link {
            Link::Down => return Ok(None),
            Link::BirthSent { due, .. } if now < due => return Ok(None),
            Link::BirthDue | Link::BirthSent { .. } => {
                return self.publish_birth(now, buffer).await.map(Some);
            }
            Link::Up => {}
        }
        self.has_backlog |= self.flight.expire(now);
        if let Some(Answer { id, outcome, detail }) = self.answers.first().cloned() {
            let length = self.encode(now, Body::Answer { id, outcome, detail }, buffer)?;
            let answer = self.answers.remove(0);
            self.published = Some(Published::Answer(answer));
            return Ok(Some(self.publish(TopicKind::Data, buffer, length)));
        }
        if !self.flight.is_full()
            && let Some(event) = self.fresh_events.first().copied()
        {
            self.fresh_events.remove(0);
            return self.publish_event(now, event, buffer).map(Some);
        }
        if !self.flight.is_full() && !self.fresh.readings.is_empty() {
            return self.publish_fresh(now, buffer).map(Some);
        }
        if let Some(update) = self.update.take() {
            return self.publish_update(now, update, buffer).map(Some);
        }
        if !self.flight.has_room_for_backlog() || now < self.backlog_at {
            return Ok(None);
        }
        if let Some(gap) = self.gap_to_say() {
            return self.publish_gap(now, gap, buffer).map(Some);
        }
        if self.has_backlog { self.publish_backlog(now, buffer).await } else { Ok(None) }
    }

    /// The client did not take the last message: it is handed out again.
    pub fn publish_failed(&mut self) {
        match self.published.take() {
            None => {}
            Some(Published::Birth) if self.link != Link::Down => self.link = Link::BirthDue,
            Some(Published::Birth) => {}
            Some(Published::Answer(Answer { id, outcome, detail })) => {
                self.answer(id, outcome, detail);
            }
            Some(Published::Update(update)) => self.update = self.update.take().or(Some(update)),
            Some(Published::Frame) => {
                self.flight.undo();
                self.has_backlog = true;
            }
        }
    }

    /// Returns when [`Self::next_publish`] will have something; `now` where it has, `None` where only a
    /// message or a reading can change that.
    pub fn next_wake(&self, now: Uptime) -> Option<Uptime> {
        match self.link {
            Link::Down => return None,
            Link::BirthDue => return Some(now),
            Link::BirthSent { due, .. } => return Some(due.max(now)),
            Link::Up => {}
        }
        let is_empty = self.fresh.readings.is_empty() && self.fresh_events.is_empty();
        let has_fresh = !is_empty && !self.flight.is_full();
        if has_fresh || !self.answers.is_empty() || self.update.is_some() {
            return Some(now);
        }
        let has_more = self.has_backlog || self.gap_to_say().is_some();
        let backlog =
            (has_more && self.flight.has_room_for_backlog()).then(|| self.backlog_at.max(now));
        let due = self.flight.next_due().map(|due| due.max(now));
        backlog.into_iter().chain(due).min()
    }

    async fn publish_birth<'b>(
        &mut self,
        now: Uptime,
        buffer: &'b mut [u8],
    ) -> Result<Publish<'b>, F::Error> {
        self.birth.uptime = now;
        self.birth.next_sequence = self.outbox.next;
        self.birth.ring_used = self.waiting();
        self.birth.next_due_ms = self
            .connect_ms
            .map(|_| u32::try_from(self.next_connect(now).ms_since(now)).unwrap_or(u32::MAX));
        let length = self.write_birth(buffer).await?;
        self.link = Link::BirthSent { at: now, due: self.resend_at(now) };
        self.published = Some(Published::Birth);
        Ok(Publish { retain: true, ..self.publish(TopicKind::Birth, buffer, length) })
    }

    fn publish_event<'b>(
        &mut self,
        now: Uptime,
        fresh: FreshEvent,
        buffer: &'b mut [u8],
    ) -> Result<Publish<'b>, F::Error> {
        let FreshEvent { sequence, boot_utc, event } = fresh;
        let boot_utc = boot_utc.or(self.clock.first());
        let body = Body::Event { sequence, boot_utc, uncertain: false, event };
        let length = self.encode(now, body, buffer)?;
        self.sent(now, SequenceRange { first: sequence, last: sequence }, false);
        Ok(self.publish(TopicKind::Data, buffer, length))
    }

    fn publish_fresh<'b>(
        &mut self,
        now: Uptime,
        buffer: &'b mut [u8],
    ) -> Result<Publish<'b>, F::Error> {
        let first = self.fresh.first;
        let head = Head {
            flash: self.birth.flash,
            boot: self.birth.boot,
            sent: now,
            first,
            boot_utc: self.fresh.boot_utc.or(self.clock.first()),
            uncertain: false,
            history: false,
        };
        let mut frame = Frame::new(buffer, &head)?;
        for sampled in &self.fresh.readings {
            if frame.push(sampled)? == Pushed::Full {
                break;
            }
        }
        let count = frame.count();
        let length = frame.finish();
        let last = Sequence((first.0 + count as u64).saturating_sub(1));
        let range = SequenceRange::new(first, last)
            .ok_or(Error::Wire(wire::Error::Buffer { bytes: buffer.len() }))?;
        self.fresh.remove(count);
        self.sent(now, range, false);
        Ok(self.publish(TopicKind::Data, buffer, length))
    }

    fn publish_update<'b>(
        &mut self,
        now: Uptime,
        update: Update,
        buffer: &'b mut [u8],
    ) -> Result<Publish<'b>, F::Error> {
        let Update { release, state, offset, length, detail } = update.clone();
        let body = Body::Update { release, state, offset, length, detail };
        let length = self.encode(now, body, buffer)?;
        self.published = Some(Published::Update(update));
        Ok(self.publish(TopicKind::Data, buffer, length))
    }

    fn publish_gap<'b>(
        &mut self,
        now: Uptime,
        gap: Gap,
        buffer: &'b mut [u8],
    ) -> Result<Publish<'b>, F::Error> {
        let Gap { range, reason } = gap;
        let length = self.encode(now, Body::Gap { range, reason }, buffer)?;
        self.sent(now, range, true);
        Ok(self.publish(TopicKind::Data, buffer, length))
    }

    async fn publish_backlog<'b>(
        &mut self,
        now: Uptime,
        buffer: &'b mut [u8],
    ) -> Result<Option<Publish<'b>>, F::Error> {
        let mut covered: Freed<{ FREED_RANGES_MAX + FRAMES_IN_FLIGHT_MAX }> =
            self.outbox.freed.widened();
        self.flight.cover(&mut covered);
        let below =
            if self.fresh.readings.is_empty() { self.outbox.next } else { self.fresh.first };
        let (round, first) = match self.outbox.oldest_unsent(&covered, below).await? {
            None => {
                self.has_backlog = false;
                return Ok(None);
            }
            Some(Unsent::Gap(gap)) => return self.publish_gap(now, gap, buffer).map(Some),
            Some(Unsent::Event(round, event)) => {
                let dated = self.outbox.date(&round, self.clock.first()).await?;
                let body = Body::Event {
                    sequence: round.first,
                    boot_utc: dated.boot_utc,
                    uncertain: dated.uncertain,
                    event,
                };
                let data = Data { flash: self.birth.flash, boot: round.boot, sent: now, body };
                let length = wire::encode_data(&data, buffer)?;
                self.sent(now, SequenceRange { first: round.first, last: round.first }, true);
                return Ok(Some(self.publish(TopicKind::Data, buffer, length)));
            }
            Some(Unsent::Readings(round, first)) => (round, first),
        };
        let dated = self.outbox.date(&round, self.clock.first()).await?;
        let head = Head {
            flash: self.birth.flash,
            boot: round.boot,
            sent: now,
            first,
            boot_utc: dated.boot_utc,
            uncertain: dated.uncertain,
            history: round.history,
        };
        let (length, range) = self.outbox.fill(&round, &head, &covered, below, buffer).await?;
        self.sent(now, range, true);
        Ok(Some(self.publish(TopicKind::Data, buffer, length)))
    }

    /// Returns a gap that is neither acknowledged nor under way.
    fn gap_to_say(&self) -> Option<Gap> {
        self.outbox.gaps.iter().find(|gap| !self.flight.touches(gap.range))
    }

    fn sent(&mut self, now: Uptime, range: SequenceRange, is_backlog: bool) {
        let due = self.resend_at(now);
        self.flight.add(Flying { range, sent: now, due, is_backlog });
        self.published = Some(Published::Frame);
        if is_backlog {
            self.backlog_at = now.plus_ms(u64::from(self.backlog_pause_ms));
        }
    }

    fn resend_at(&mut self, now: Uptime) -> Uptime {
        // Marsaglia, "Xorshift RNGs" (2003), doi:10.18637/jss.v008.i14: enough to spread resends.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 17;
        self.random ^= self.random << 5;
        now.plus_ms(RESEND_MS + u64::from(self.random) % RESEND_JITTER_MS)
    }

    fn encode(&self, now: Uptime, body: Body, buffer: &mut [u8]) -> Result<usize, F::Error> {
        let data = Data { flash: self.birth.flash, boot: self.birth.boot, sent: now, body };
        Ok(wire::encode_data(&data, buffer)?)
    }
}
