//! What nodes are set to: what a person set, what was made of it, and what the node said to that.

use measure::{NodeKey, Timestamp};
use people::Actor;
use rusqlite::{OptionalExtension as _, Row, params};
use serde_json::Value;

use crate::audit::{Done, record};
use crate::{Error, Registry, Topic, node_key, nodes, time, touch};

/// The longest settings of a person, in bytes of JSON; longer ones are refused.
pub const NODE_SETTINGS_BYTES_MAX: usize = 16 * 1_024;

/// The settings of one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeSettings {
    /// The node.
    pub node: NodeKey,
    /// What a person set, as JSON.
    pub body: String,
    /// The revision of `content`; 0 where nothing was made of it yet.
    pub revision: u32,
    /// What the node is sent, under revision 1.
    pub content: Option<Vec<u8>>,
    /// The node's word, where it refused this very revision.
    pub refused: Option<String>,
    /// When it was set.
    pub set: Timestamp,
    /// By whom.
    pub by: String,
    /// Why.
    pub why: String,
}

impl Registry {
    /// Keeps what a person sets a node to, in place of what was set before.
    ///
    /// # Errors
    /// `Unknown` for the node, `Refused` for too long a text, or a failure of the file.
    pub fn set_node_settings(
        &self,
        node: &NodeKey,
        body: &str,
        why: &str,
        by: &Actor,
        now: Timestamp,
    ) -> Result<(), Error> {
        if body.len() > NODE_SETTINGS_BYTES_MAX {
            return Err(Error::refused(
                "settings",
                format!("设置不得超过 {NODE_SETTINGS_BYTES_MAX} 字节"),
                format!("settings must not have more than {NODE_SETTINGS_BYTES_MAX} bytes"),
            ));
        }
        let detail: Value = crate::parse("settings", body)?;
        self.write(|db| {
            if nodes::find(db, node)?.is_none() {
                return Err(Error::Unknown { what: "node", name: node.to_string() });
            }
            let sql = "INSERT INTO node_settings (site, node, body, revision, set_us, by, why)
                       VALUES (?1, ?2, ?3, 0, ?4, ?5, ?6)
                       ON CONFLICT DO UPDATE SET body = excluded.body, set_us = excluded.set_us,
                           by = excluded.by, why = excluded.why";
            let (site, name) = (node.site.as_str(), node.node.as_str());
            db.execute(sql, params![site, name, body, now.micros(), by.to_string(), why])?;
            let subject = node.to_string();
            let done = Done { what: "node.settings", subject: &subject, why: Some(why) };
            record(db, now, by, done, &detail)?;
            touch(db, Topic::Nodes)
        })
    }

    /// Keeps what was made of a node's settings and returns its revision, which counts up where the
    /// content is another one and is never below `least`.
    ///
    /// # Errors
    /// `Unknown` where nothing was set, or a failure of the file.
    pub fn make_node_settings(
        &self,
        node: &NodeKey,
        content: &[u8],
        least: u32,
    ) -> Result<u32, Error> {
        self.write(|db| {
            let sql = "SELECT revision, content FROM node_settings WHERE site = ?1 AND node = ?2";
            let names = [node.site.as_str(), node.node.as_str()];
            let known: Option<(u32, Option<Vec<u8>>)> = db
                .prepare_cached(sql)?
                .query_row(names, |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()?;
            let Some((revision, before)) = known else {
                return Err(Error::Unknown { what: "settings", name: node.to_string() });
            };
            let is_same = before.as_deref() == Some(content) && revision >= least;
            if is_same {
                return Ok(revision);
            }
            let revision = revision.saturating_add(1).max(least);
            let sql = "UPDATE node_settings SET revision = ?3, content = ?4, refused = NULL,
                           detail = NULL WHERE site = ?1 AND node = ?2";
            db.prepare_cached(sql)?.execute(params![names[0], names[1], revision, content])?;
            Ok(revision)
        })
    }

    /// Keeps that a node refused a revision, with its word for why.
    ///
    /// # Errors
    /// Where the file can't be written.
    pub fn refuse_node_settings(
        &self,
        node: &NodeKey,
        revision: u32,
        detail: &str,
    ) -> Result<(), Error> {
        self.write(|db| {
            let sql = "UPDATE node_settings SET refused = ?3, detail = ?4
                       WHERE site = ?1 AND node = ?2 AND revision = ?3";
            let (site, name) = (node.site.as_str(), node.node.as_str());
            db.prepare_cached(sql)?.execute(params![site, name, revision, detail])?;
            Ok(())
        })
    }

    /// Returns the settings of every node that has some.
    ///
    /// # Errors
    /// Where the file can't be read.
    pub fn node_settings(&self) -> Result<Vec<NodeSettings>, Error> {
        self.read(|db| {
            let sql = "SELECT site, node, body, revision, content, refused, detail, set_us, by, why
                       FROM node_settings ORDER BY site, node";
            let mut query = db.prepare_cached(sql)?;
            let mut rows = query.query([])?;
            let mut settings = Vec::new();
            while let Some(row) = rows.next()? {
                settings.push(read(row)?);
            }
            Ok(settings)
        })
    }

    /// Keeps that a person told a node to do something.
    ///
    /// # Errors
    /// `Unknown` for the node, or a failure of the file.
    pub fn record_node_command(
        &self,
        node: &NodeKey,
        command: &str,
        why: Option<&str>,
        by: &Actor,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.write(|db| {
            if nodes::find(db, node)?.is_none() {
                return Err(Error::Unknown { what: "node", name: node.to_string() });
            }
            let subject = node.to_string();
            let done = Done { what: "node.command", subject: &subject, why };
            record(db, now, by, done, &serde_json::json!({ "command": command }))
        })
    }
}

fn read(row: &Row<'_>) -> Result<NodeSettings, Error> {
    let (site, node): (String, String) = (row.get(0)?, row.get(1)?);
    let (revision, refused): (u32, Option<u32>) = (row.get(3)?, row.get(5)?);
    let detail: Option<String> = row.get(6)?;
    Ok(NodeSettings {
        node: node_key(&site, &node)?,
        body: row.get(2)?,
        revision,
        content: row.get(4)?,
        refused: detail.filter(|_| refused == Some(revision)),
        set: time(row.get(7)?)?,
        by: row.get(8)?,
        why: row.get(9)?,
    })
}
