//! What the node makes of what it hears.

use embedded_storage_async::nor_flash::MultiwriteNorFlash;
use measure::Uptime;
use wire::{Ack, Command, Detail, Outcome, Request, Topic, TopicKind};

use crate::node::{Answer, Link, check_interval};
use crate::outbox::Result;
use crate::settings::SettingsBytes;
use crate::{Action, Error, Node, Update};

/// What a command leaves to do.
#[expect(clippy::large_enum_variant, reason = "there is no allocator to box the settings with")]
enum Asked {
    Nothing,
    Action(Action<'static>),
    Interval { id: u32, ms: u32 },
    Settings { id: u32, revision: u32, bytes: SettingsBytes },
}

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
            TopicKind::Command => {
                let asked = self.commanded(payload)?;
                // By reference: a future would hold what is moved out of it a second time.
                match &asked {
                    Asked::Nothing => Ok(None),
                    Asked::Action(action) => Ok(Some(action.clone())),
                    Asked::Interval { id, ms } => {
                        self.set_interval(*ms).await?;
                        self.answer(*id, Outcome::Done, Detail::new());
                        Ok(Some(Action::Configured))
                    }
                    Asked::Settings { id, revision, bytes } => {
                        self.configure(now, *id, *revision, bytes).await
                    }
                }
            }
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
            self.connect_due = self.next_connect(now);
            self.is_urgent = false;
            self.prove().await?;
        }
        self.heard(now);
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

    /// Reads a command, and does and answers what needs no flash.
    // Not inlined, and no future: a decoded command takes 3 KiB of stack, only while this runs.
    #[inline(never)]
    fn commanded(&mut self, payload: &[u8]) -> Result<Asked, F::Error> {
        let (id, command) = match wire::decode_command(payload) {
            Ok(Request { id, command }) => (id, command),
            Err(wire::Error::UnknownCommand { id, .. }) => {
                self.answer(id, Outcome::Unknown, Detail::new());
                return Ok(Asked::Nothing);
            }
            Err(wire::Error::BadCommand { id, what }) => {
                self.answer(id, Outcome::Refused, wire::detail(format_args!("{what}")));
                return Ok(Asked::Nothing);
            }
            Err(error) => return Err(error.into()),
        };
        if let Some(Answer { outcome, detail, .. }) =
            self.answered.clone().filter(|answer| answer.id == id)
        {
            self.answer(id, outcome, detail);
            return Ok(Asked::Nothing);
        }
        let asked = match command {
            Command::Rebirth => {
                self.rebirth();
                Asked::Nothing
            }
            Command::Identify => Asked::Action(Action::Identify),
            Command::Reboot => Asked::Action(Action::Reboot),
            Command::Interval(ms) if check_interval(ms).is_none() => {
                self.answer(id, Outcome::Refused, wire::detail(format_args!("interval_ms")));
                return Ok(Asked::Nothing);
            }
            Command::Interval(ms) => return Ok(Asked::Interval { id, ms }),
            Command::Configure(settings) => {
                return Ok(match self.prepare(&settings) {
                    Ok(bytes) => Asked::Settings { id, revision: settings.revision, bytes },
                    Err(detail) => {
                        self.answer(id, Outcome::Refused, detail);
                        Asked::Nothing
                    }
                });
            }
            // The board answers.
            Command::Update { manifest, signature } => {
                return Ok(Asked::Action(Action::Offer { id, manifest, signature }));
            }
        };
        self.answer(id, Outcome::Done, Detail::new());
        Ok(asked)
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
