//! What the node makes of what it hears.

use embedded_storage_async::nor_flash::MultiwriteNorFlash;
use measure::Uptime;
use wire::{Ack, Command, Detail, Outcome, Request, Topic, TopicKind};

use crate::node::{Answer, Link, check_interval};
use crate::outbox::Result;
use crate::{Action, Error, Node, Update};

impl<F: MultiwriteNorFlash, const PAGES: usize> Node<F, PAGES> {
    /// Takes a message in, and returns what it asks of the board.
    ///
    /// # Errors
    /// `Error::Wire` where it is none of the contract's: log it and go on. `Error::Flash` and
    /// `Error::Damaged` where the flash did not take what follows from it.
    pub async fn receive<'p>(
        &mut self,
        now: Uptime,
        topic: &str,
        payload: &'p [u8],
    ) -> Result<Option<Action<'p>>, F::Error> {
        let topic = Topic::parse(topic)?;
        if topic.node_key() != self.key {
            return Err(Error::Wire(wire::Error::Topic));
        }
        match topic.kind {
            TopicKind::Ack => {
                let ack = wire::decode_ack(payload)?;
                self.acknowledged(now, &ack).await.map(|()| None)
            }
            TopicKind::Command => match wire::decode_command(payload) {
                Ok(request) => self.commanded(request).await,
                Err(wire::Error::UnknownCommand { id, .. }) => {
                    self.answer(id, Outcome::Unknown, Detail::new());
                    Ok(None)
                }
                Err(wire::Error::BadCommand { id, what }) => {
                    self.answer(id, Outcome::Refused, wire::detail(format_args!("{what}")));
                    Ok(None)
                }
                Err(error) => Err(error.into()),
            },
            TopicKind::Ota => Ok(Some(Action::Chunk(wire::decode_chunk(payload)?))),
            TopicKind::Birth | TopicKind::Data | TopicKind::Death => {
                Err(Error::Wire(wire::Error::Topic))
            }
        }
    }

    async fn acknowledged(&mut self, now: Uptime, ack: &Ack) -> Result<(), F::Error> {
        if ack.flash != self.birth.flash {
            return Ok(());
        }
        // Only an answer to what this session has sent says how long it took: another boot's uptime, or
        // an answer that the broker had kept, would set a wrong clock.
        let is_birth = matches!(self.link, Link::BirthSent { at, .. } if at == ack.echo);
        if is_birth || self.flight.was_sent_at(ack.echo) {
            self.clock.answer(now, ack.echo, ack.utc);
        }
        if is_birth {
            self.link = Link::Up;
        }
        let mut gaps_changed = false;
        for range in &ack.ranges {
            gaps_changed |= self.outbox.free(*range);
        }
        let outbox = &self.outbox;
        self.flight.land(|range| outbox.is_done(range));
        if self.has_undated
            && let Some(boot_utc) = self.clock.first()
        {
            self.has_undated = false;
            self.outbox.push_clock(now, boot_utc).await?;
        }
        if gaps_changed {
            self.outbox.save_gaps().await?;
        }
        if ack.ranges.is_empty() { Ok(()) } else { self.outbox.settle().await }
    }

    async fn commanded<'p>(&mut self, request: Request) -> Result<Option<Action<'p>>, F::Error> {
        let Request { id, command } = request;
        if let Some(Answer { id: last, outcome, detail }) = self.answered.clone()
            && last == id
        {
            self.answer(id, outcome, detail);
            return Ok(None);
        }
        let (outcome, action) = match command {
            Command::Rebirth => {
                self.rebirth();
                (Outcome::Done, None)
            }
            Command::Identify => (Outcome::Done, Some(Action::Identify)),
            Command::Reboot => (Outcome::Done, Some(Action::Reboot)),
            Command::Interval(ms) if check_interval(ms).is_none() => (Outcome::Refused, None),
            Command::Interval(ms) => {
                self.birth.interval_ms = ms;
                // The gateway judges silence by the interval that the birth names.
                self.rebirth();
                (Outcome::Done, Some(Action::Configured))
            }
            Command::Configure(_) => (Outcome::Refused, None),
            Command::Update { manifest, signature } => {
                return Ok(Some(Action::Offer { id, manifest, signature }));
            }
        };
        self.answer(id, outcome, Detail::new());
        Ok(action)
    }

    pub(crate) fn rebirth(&mut self) {
        if self.link != Link::Down {
            self.link = Link::BirthDue;
        }
    }

    /// Says how an update comes along, once nothing fresh waits; a later report takes the place of one
    /// that was not said yet. It is not acknowledged: the board says it again as long as it wants bytes.
    pub fn report_update(&mut self, update: Update) {
        self.update = Some(update);
    }

    /// Answers a command: the board does so for an [`Action::Offer`].
    pub fn answer(&mut self, id: u32, outcome: Outcome, detail: Detail) {
        let answer = Answer { id, outcome, detail };
        self.answered = Some(answer.clone());
        if self.answers.is_full() {
            self.answers.remove(0);
        }
        // There is room now.
        self.answers.extend([answer]);
    }
}
