//! What nodes judged themselves: events as they came, and the episodes that they make.

use measure::{FlashId, NodeKey, Quantity, Scaled, Sequence, Slug, Timestamp};
use rusqlite::{Row, params};

use crate::{Error, Registry, time};

/// The most events kept of one node; beyond it the oldest are dropped. A dropped one that its node
/// repeats is kept anew, and falls out again.
pub const LOCAL_EVENTS_MAX: usize = 10_000;
/// The most episodes that one call returns, the newest first.
pub const LOCAL_EPISODES_PAGE_MAX: usize = 100;

/// What happened to an episode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LocalState {
    /// The limit was broken for its on-delay.
    Raised,
    /// The value was back for the off-delay.
    Returned,
    /// The limit was taken away or changed, or the node restarted.
    Cancelled,
}

impl LocalState {
    const ALL: [Self; 3] = [Self::Raised, Self::Returned, Self::Cancelled];

    /// Returns the name used in the file and the API, such as `raised`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Raised => "raised",
            Self::Returned => "returned",
            Self::Cancelled => "cancelled",
        }
    }
}

/// An event of a node's own judgement. Site, node, flash and sequence name it for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalEvent {
    /// The node.
    pub node: NodeKey,
    /// The life of the flash that sequences count in.
    pub flash: FlashId,
    /// Its sequence.
    pub sequence: Sequence,
    /// The sequence of the event that raised the episode.
    pub episode: Sequence,
    /// Where on the bench.
    pub position: Slug,
    /// What was judged.
    pub quantity: Quantity,
    /// The number of the limit on the wire.
    pub rule: u32,
    /// What happened.
    pub state: LocalState,
    /// When.
    pub at: Timestamp,
    /// The time is an estimate.
    pub uncertain: bool,
    /// The value that decided.
    pub value: Scaled,
    /// The outputs driven from here on, one bit each.
    pub outputs: u8,
    /// When the gateway received it.
    pub received: Timestamp,
}

/// An episode that a node judged itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalEpisode {
    /// The number of the limit on the wire.
    pub rule: u32,
    /// When it was raised; `None` where that event was dropped as the oldest.
    pub raised: Option<Timestamp>,
    /// When it ended, and how; `None` while it lasts.
    pub ended: Option<(Timestamp, LocalState)>,
    /// A time of it is an estimate.
    pub uncertain: bool,
    /// The outputs that it drove, one bit each.
    pub outputs: u8,
}

impl Registry {
    /// Keeps events; one that is there already changes nothing. On disk when this returns.
    ///
    /// # Errors
    /// Where the file can't be written; none of them was kept then.
    pub fn keep_local_events(&self, events: &[LocalEvent]) -> Result<(), Error> {
        self.write(|db| {
            let sql = "INSERT INTO local_event (site, node, flash, sequence, episode, position,
                           quantity, rule, state, at_us, uncertain, steps, outputs, received_us)
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)
                       ON CONFLICT DO NOTHING";
            let trim = "DELETE FROM local_event WHERE (site, node, flash, sequence) IN (
                            SELECT site, node, flash, sequence FROM local_event
                            WHERE site = ?1 AND node = ?2
                            ORDER BY received_us DESC, sequence DESC LIMIT -1 OFFSET ?3)";
            for event in events {
                let (site, node) = (event.node.site.as_str(), event.node.node.as_str());
                db.prepare_cached(sql)?.execute(params![
                    site,
                    node,
                    event.flash.0,
                    event.sequence.0.cast_signed(),
                    event.episode.0.cast_signed(),
                    event.position.as_str(),
                    event.quantity.name(),
                    event.rule,
                    event.state.name(),
                    event.at.micros(),
                    event.uncertain,
                    event.value.0,
                    event.outputs,
                    event.received.micros(),
                ])?;
                db.prepare_cached(trim)?.execute(params![site, node, LOCAL_EVENTS_MAX as i64])?;
            }
            Ok(())
        })
    }

    /// Returns the episodes of a channel that had an event from `from` on and before `to`, newest
    /// first, at most [`LOCAL_EPISODES_PAGE_MAX`].
    ///
    /// # Errors
    /// Where the file can't be read.
    pub fn local_episodes(
        &self,
        node: &NodeKey,
        (position, quantity): (&Slug, Quantity),
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<LocalEpisode>, Error> {
        self.read(|db| {
            let sql = "SELECT rule,
                           min(CASE WHEN state = 'raised' THEN at_us END) AS raised_us,
                           max(CASE WHEN state != 'raised' THEN at_us END),
                           max(CASE WHEN state != 'raised' THEN state END),
                           max(uncertain),
                           max(CASE WHEN state = 'raised' THEN outputs ELSE 0 END)
                       FROM local_event
                       WHERE site = ?1 AND node = ?2 AND position = ?3 AND quantity = ?4
                       GROUP BY flash, episode, rule
                       HAVING max(at_us) >= ?5 AND min(at_us) < ?6
                       ORDER BY min(at_us) DESC LIMIT ?7";
            let mut query = db.prepare_cached(sql)?;
            let mut rows = query.query(params![
                node.site.as_str(),
                node.node.as_str(),
                position.as_str(),
                quantity.name(),
                from.micros(),
                to.micros(),
                LOCAL_EPISODES_PAGE_MAX as i64,
            ])?;
            let mut episodes = Vec::new();
            while let Some(row) = rows.next()? {
                episodes.push(read(row)?);
            }
            Ok(episodes)
        })
    }
}

fn read(row: &Row<'_>) -> Result<LocalEpisode, Error> {
    let ended: Option<i64> = row.get(2)?;
    let how: Option<String> = row.get(3)?;
    let how = how.map(|name| {
        let found = LocalState::ALL.into_iter().find(|it| it.name() == name);
        found.ok_or_else(|| Error::broken("state", format!("`{name}` is none")))
    });
    Ok(LocalEpisode {
        rule: row.get(0)?,
        raised: row.get::<_, Option<i64>>(1)?.map(time).transpose()?,
        ended: ended.map(time).transpose()?.zip(how.transpose()?),
        uncertain: row.get(4)?,
        outputs: row.get(5)?,
    })
}
