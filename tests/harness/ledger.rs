//! The image's ledger: what it says it has taken, and what became of it.

use std::collections::BTreeMap;

use measure::Quality;
use measure::qartod::combined;

use crate::Row;

/// One line of the ledger: a reading that is in the node's flash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The life of the flash.
    pub flash: String,
    /// The boot in which it was taken.
    pub boot: u32,
    /// Its sequence.
    pub sequence: u64,
    /// Index of its channel.
    pub channel: usize,
    /// When it was taken, in milliseconds since the boot.
    pub uptime_ms: u64,
    /// The raw value, or the fault's name.
    pub value: Result<i64, String>,
    /// The QARTOD flag, where the image says it.
    pub quality: Option<u8>,
}

/// One line about an episode that the node judged itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The life of the flash.
    pub flash: String,
    /// The boot in which it happened.
    pub boot: u32,
    /// Its sequence.
    pub sequence: u64,
    /// The number of the limit.
    pub rule: u32,
    /// The sequence of the event that raised the episode.
    pub episode: u64,
    /// `raised`, `returned` or `cancelled`.
    pub state: String,
}

/// Everything that an image said, over all its boots.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    /// The readings, in the order in which they were said.
    pub entries: Vec<Entry>,
    /// The events of local limits, in the order in which they were said.
    pub events: Vec<Event>,
    /// What the image said last of its outputs.
    pub outputs: Option<u8>,
    /// Quantity and position by channel index.
    pub channels: BTreeMap<usize, (String, String)>,
    /// Lines that begin with a known word but can't be read.
    pub garbled: Vec<String>,
}

/// What became of a ledger's readings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Readings of the ledger that the export holds once, as they were taken.
    pub kept: usize,
    /// Readings of the ledger that the export lacks, or holds with another value.
    pub lost: usize,
    /// Rows beyond the first of one reading, and sequences that the node gave twice.
    pub doubled: usize,
    /// Readings of the export that were in flash when the power went, before the ledger said so.
    pub unsaid: usize,
    /// The first few that were lost or doubled, in words.
    pub examples: Vec<String>,
}

/// The most examples a verdict carries.
const EXAMPLES_MAX: usize = 10;

impl Ledger {
    /// Takes one line of the image's output; lines of another kind are passed over.
    pub fn hear(&mut self, line: &str) {
        let (kind, rest) = line.split_once(' ').unwrap_or((line, ""));
        let fields: BTreeMap<&str, &str> =
            rest.split_whitespace().filter_map(|word| word.split_once('=')).collect();
        let heard = match kind {
            "ledger" => entry(&fields).map(|entry| self.entries.push(entry)),
            "event" => event(&fields).map(|event| self.events.push(event)),
            "outputs" => fields.get("value").and_then(|value| value.parse().ok()).map(|value| {
                self.outputs = Some(value);
            }),
            "channel" => channel(&fields).map(|(index, place)| {
                self.channels.insert(index, place);
            }),
            _ => return,
        };
        if heard.is_none() {
            self.garbled.push(line.to_owned());
        }
    }

    /// Compares what was said with the rows of an export that belong to this node.
    pub fn judge(&self, rows: &[Row]) -> Verdict {
        let mut verdict = Verdict::default();
        let mut stored: BTreeMap<(&str, u64), Vec<&Row>> = BTreeMap::new();
        for row in rows {
            stored.entry((&row.flash, row.sequence)).or_default().push(row);
        }
        for ((flash, sequence), rows) in &stored {
            if rows.len() > 1 {
                verdict.doubled += rows.len() - 1;
                verdict.example(format!("stored {} times: {flash} {sequence}", rows.len()));
            }
        }
        let mut said: BTreeMap<(&str, u64), &Entry> = BTreeMap::new();
        for entry in &self.entries {
            let key = (entry.flash.as_str(), entry.sequence);
            if let Some(before) = said.insert(key, entry) {
                // After a power cut a reading is said again, the same, before it is sent.
                if before != entry {
                    verdict.doubled += 1;
                    verdict.example(format!("sequence given twice: {before:?} and {entry:?}"));
                }
                continue;
            }
            match stored.get(&key).and_then(|rows| rows.first()) {
                Some(row) if self.agrees(entry, row) => verdict.kept += 1,
                Some(row) => {
                    verdict.lost += 1;
                    verdict.example(format!("stored differently: {entry:?} as {row:?}"));
                }
                None => {
                    verdict.lost += 1;
                    verdict.example(format!("not stored: {entry:?}"));
                }
            }
        }
        verdict.unsaid = stored.keys().filter(|key| !said.contains_key(*key)).count();
        verdict
    }

    fn agrees(&self, entry: &Entry, row: &Row) -> bool {
        let place = self.channels.get(&entry.channel);
        place.is_some_and(|(quantity, position)| {
            (quantity, position, &entry.value) == (&row.quantity, &row.position, &row.value)
        }) && entry.quality.is_none_or(|said| is_kept_flag(row.quality, said))
    }
}

impl Verdict {
    fn example(&mut self, words: String) {
        if self.examples.len() < EXAMPLES_MAX {
            self.examples.push(words);
        }
    }
}

/// Returns whether a stored flag holds what a node said: the gateway may find a reading worse than its
/// node did, and never better.
pub fn is_kept_flag(stored: u8, said: u8) -> bool {
    let flags = Quality::from_code(stored).zip(Quality::from_code(said));
    flags.is_some_and(|(stored, said)| combined([stored, said]) == stored)
}

fn entry(fields: &BTreeMap<&str, &str>) -> Option<Entry> {
    let value = *fields.get("value")?;
    Some(Entry {
        flash: (*fields.get("flash")?).to_owned(),
        boot: fields.get("boot")?.parse().ok()?,
        sequence: fields.get("seq")?.parse().ok()?,
        channel: fields.get("channel")?.parse().ok()?,
        uptime_ms: fields.get("uptime_ms")?.parse().ok()?,
        value: value.parse().map_err(|_| value.to_owned()),
        quality: match fields.get("quality") {
            None => None,
            Some(code) => Some(code.parse().ok()?),
        },
    })
}

fn event(fields: &BTreeMap<&str, &str>) -> Option<Event> {
    Some(Event {
        flash: (*fields.get("flash")?).to_owned(),
        boot: fields.get("boot")?.parse().ok()?,
        sequence: fields.get("seq")?.parse().ok()?,
        rule: fields.get("rule")?.parse().ok()?,
        episode: fields.get("episode")?.parse().ok()?,
        state: (*fields.get("state")?).to_owned(),
    })
}

fn channel(fields: &BTreeMap<&str, &str>) -> Option<(usize, (String, String))> {
    let index = fields.get("index")?.parse().ok()?;
    Some((index, ((*fields.get("quantity")?).to_owned(), (*fields.get("position")?).to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger() -> Ledger {
        let mut ledger = Ledger::default();
        ledger.hear("channel index=0 quantity=air_temperature position=canopy sensor=tmp105");
        ledger.hear("ledger flash=0a boot=1 seq=1 channel=0 uptime_ms=10 value=23500");
        ledger.hear("ledger flash=0a boot=1 seq=2 channel=0 uptime_ms=20 value=not_present");
        ledger
    }

    fn row(sequence: u64, value: Result<i64, &str>) -> Row {
        Row {
            flash: "0a".into(),
            sequence,
            quantity: "air_temperature".into(),
            position: "canopy".into(),
            value: value.map_err(str::to_owned),
            quality: 1,
        }
    }

    #[test]
    fn a_flag_that_was_said_must_be_stored() {
        let mut ledger = ledger();
        ledger.hear("ledger flash=0a boot=1 seq=3 channel=0 uptime_ms=30 value=1 quality=3");
        let rows = |quality| {
            let suspect = Row { quality, ..row(3, Ok(1)) };
            [row(1, Ok(23_500)), row(2, Err("not_present")), suspect]
        };
        assert_eq!(ledger.judge(&rows(3)).lost, 0);
        assert_eq!(ledger.judge(&rows(1)).lost, 1);
        assert_eq!(ledger.judge(&rows(4)).lost, 0);
        assert_eq!(ledger.judge(&rows(5)).lost, 1);
        ledger.hear("event flash=0a boot=1 seq=4 rule=7 episode=4 state=raised");
        ledger.hear("outputs value=1");
        assert_eq!((ledger.events.len(), ledger.outputs, ledger.garbled.len()), (1, Some(1), 0));
        ledger.hear("event flash=0a boot=1");
        assert_eq!(ledger.garbled.len(), 1);
    }

    #[test]
    fn what_is_stored_once_is_kept() {
        let verdict = ledger().judge(&[row(1, Ok(23_500)), row(2, Err("not_present"))]);
        assert_eq!((verdict.kept, verdict.lost, verdict.doubled), (2, 0, 0));
    }

    #[test]
    fn what_is_missing_or_different_is_lost_and_what_stands_twice_is_doubled() {
        let verdict = ledger().judge(&[row(1, Ok(23_501))]);
        assert_eq!((verdict.kept, verdict.lost, verdict.doubled), (0, 2, 0));
        let rows =
            [row(1, Ok(23_500)), row(1, Ok(23_500)), row(2, Err("not_present")), row(3, Ok(1))];
        let verdict = ledger().judge(&rows);
        assert_eq!((verdict.kept, verdict.lost, verdict.doubled, verdict.unsaid), (2, 0, 1, 1));
    }

    #[test]
    fn a_sequence_given_twice_is_doubled_and_one_said_twice_is_not() {
        let mut ledger = ledger();
        ledger.hear("ledger flash=0a boot=1 seq=2 channel=0 uptime_ms=20 value=not_present");
        assert_eq!(ledger.judge(&[row(1, Ok(23_500))]).doubled, 0);
        ledger.hear("ledger flash=0a boot=2 seq=2 channel=0 uptime_ms=5 value=1");
        assert_eq!(ledger.judge(&[]).doubled, 1);
        ledger.hear("ledger flash=0a boot=x");
        assert_eq!(ledger.garbled.len(), 1);
    }
}
