//! The latest birth of each node, as the bytes that it sent: what ingest needs after a restart.

use measure::{NodeKey, Timestamp};
use rusqlite::params;

use crate::{Error, Registry, node_key, time};

/// The longest birth, in bytes; a longer one is refused.
pub const BIRTH_BYTES_MAX: usize = 16 * 1_024;

/// The latest birth of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Birth {
    /// The node.
    pub node: NodeKey,
    /// When the gateway received it.
    pub received: Timestamp,
    /// The frame as it came.
    pub frame: Vec<u8>,
}

impl Registry {
    /// Keeps a node's birth in place of the one before.
    ///
    /// # Errors
    /// `Refused` for one longer than [`BIRTH_BYTES_MAX`], or a failure of the file.
    pub fn save_birth(&self, birth: &Birth) -> Result<(), Error> {
        if birth.frame.len() > BIRTH_BYTES_MAX {
            return Err(Error::refused(
                "frame",
                format!("上线报文不得超过 {BIRTH_BYTES_MAX} 字节"),
                format!("a birth must not have more than {BIRTH_BYTES_MAX} bytes"),
            ));
        }
        let sql = "INSERT INTO birth (site, node, received_us, frame) VALUES (?1, ?2, ?3, ?4)
                   ON CONFLICT (site, node) DO UPDATE
                   SET received_us = excluded.received_us, frame = excluded.frame";
        self.write(|db| {
            let (site, node) = (birth.node.site.as_str(), birth.node.node.as_str());
            let row = params![site, node, birth.received.micros(), birth.frame];
            db.prepare_cached(sql)?.execute(row)?;
            Ok(())
        })
    }

    /// Returns the latest birth of every node.
    ///
    /// # Errors
    /// Where the file can't be read.
    pub fn births(&self) -> Result<Vec<Birth>, Error> {
        self.read(|db| {
            let sql = "SELECT site, node, received_us, frame FROM birth ORDER BY site, node";
            let mut query = db.prepare_cached(sql)?;
            let mut rows = query.query([])?;
            let mut births = Vec::new();
            while let Some(row) = rows.next()? {
                let (site, node): (String, String) = (row.get(0)?, row.get(1)?);
                births.push(Birth {
                    node: node_key(&site, &node)?,
                    received: time(row.get(2)?)?,
                    frame: row.get(3)?,
                });
            }
            Ok(births)
        })
    }
}
