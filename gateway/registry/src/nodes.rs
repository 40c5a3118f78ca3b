//! Nodes: where they stand, and the hash of what they sign in with.

use measure::{NodeKey, Slug, Timestamp};
use nursery::NodePlaced;
use people::Actor;
use rusqlite::{Connection, OptionalExtension as _, params};
use serde_json::json;

use crate::audit::{Done, record};
use crate::{Error, Registry, Secret, Topic, node_key, secret, slug, time, touch};

/// The most nodes of all sites together; one more is refused.
pub const NODES_MAX: usize = 20_000;

/// A node, without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// The node.
    pub key: NodeKey,
    /// The zone it stands in; none where it was not placed.
    pub zone: Option<Slug>,
    /// Whether it has a secret: without one it can't connect.
    pub admitted: bool,
    /// Since when it is known.
    pub added: Timestamp,
}

impl Registry {
    /// Adds a node, or places a known one anew, and returns its new secret, which is kept only as a
    /// hash. A secret from before opens nothing any more.
    ///
    /// # Errors
    /// `Unknown` for the site or zone, `Refused` for too many nodes, or a failure of the file.
    pub fn add_node(
        &self,
        key: &NodeKey,
        zone: &Slug,
        by: &Actor,
        now: Timestamp,
    ) -> Result<Secret, Error> {
        let secret = Secret::draw("")?;
        self.write(|db| {
            require_zone(db, &key.site, zone)?;
            let known = find(db, key)?.is_some();
            let count: i64 = db.query_row("SELECT COUNT(*) FROM node", [], |row| row.get(0))?;
            if !known && count >= NODES_MAX as i64 {
                return Err(Error::refused(
                    "node",
                    format!("已有 {NODES_MAX} 个节点"),
                    format!("there are {NODES_MAX} nodes already"),
                ));
            }
            let sql = "INSERT INTO node (site, node, zone, secret, added_us)
                       VALUES (?1, ?2, ?3, ?4, ?5)
                       ON CONFLICT (site, node) DO UPDATE
                       SET zone = excluded.zone, secret = excluded.secret";
            let (site, node) = (key.site.as_str(), key.node.as_str());
            db.execute(sql, params![site, node, zone.as_str(), secret.hash(), now.micros()])?;
            keep_placement(db, key, zone.as_str(), now)?;
            let what = if known { "node.renew" } else { "node.add" };
            let detail = json!({ "zone": zone.as_str() });
            record(db, now, by, Done::new(what, &key.to_string()), &detail)?;
            touch(db, Topic::Nodes)
        })?;
        Ok(secret)
    }

    /// Returns whether `secret` is the node's; false for an unknown node and one without a secret.
    ///
    /// # Errors
    /// Where the file can't be read.
    pub fn admits(&self, key: &NodeKey, secret: &str) -> Result<bool, Error> {
        let sql = "SELECT secret FROM node WHERE site = ?1 AND node = ?2";
        let kept: Option<Option<Vec<u8>>> = self.read(|db| {
            let mut query = db.prepare_cached(sql)?;
            let names = [key.site.as_str(), key.node.as_str()];
            Ok(query.query_row(names, |row| row.get(0)).optional()?)
        })?;
        let given = secret::hash(secret);
        Ok(kept.flatten().is_some_and(|kept| secret::same(&kept, &given)))
    }

    /// Returns whether a person has added the node.
    ///
    /// # Errors
    /// Where the file can't be read.
    pub fn knows_node(&self, key: &NodeKey) -> Result<bool, Error> {
        self.read(|db| Ok(find(db, key)?.is_some()))
    }

    /// Returns every node by site and name.
    ///
    /// # Errors
    /// Where the file can't be read.
    pub fn nodes(&self) -> Result<Vec<Node>, Error> {
        self.read(|db| {
            let sql = "SELECT site, node, zone, secret IS NOT NULL, added_us FROM node
                       ORDER BY site, node";
            let mut query = db.prepare_cached(sql)?;
            let mut rows = query.query([])?;
            let mut nodes = Vec::new();
            while let Some(row) = rows.next()? {
                let (site, node): (String, String) = (row.get(0)?, row.get(1)?);
                let zone: Option<String> = row.get(2)?;
                nodes.push(Node {
                    key: node_key(&site, &node)?,
                    zone: zone.as_deref().map(slug).transpose()?,
                    admitted: row.get(3)?,
                    added: time(row.get(4)?)?,
                });
            }
            Ok(nodes)
        })
    }

    /// Returns where every node stood, oldest first.
    ///
    /// # Errors
    /// Where the file can't be read.
    pub fn node_history(&self) -> Result<Vec<NodePlaced>, Error> {
        self.read(|db| {
            let sql = "SELECT site, node, zone, from_us FROM node_placement
                       ORDER BY from_us, site, node";
            let mut query = db.prepare_cached(sql)?;
            let mut rows = query.query([])?;
            let mut history = Vec::new();
            while let Some(row) = rows.next()? {
                let (site, node): (String, String) = (row.get(0)?, row.get(1)?);
                let zone: Option<String> = row.get(2)?;
                history.push(NodePlaced {
                    node: node_key(&site, &node)?,
                    zone: zone.as_deref().map(slug).transpose()?,
                    from: time(row.get(3)?)?,
                });
            }
            Ok(history)
        })
    }
}

/// Keeps where a node stands from now on, beside where it stood before.
pub(crate) fn keep_placement(
    db: &Connection,
    key: &NodeKey,
    zone: &str,
    now: Timestamp,
) -> Result<(), Error> {
    let (site, node) = (key.site.as_str(), key.node.as_str());
    let sql = "SELECT from_us, zone FROM node_placement WHERE site = ?1 AND node = ?2
               ORDER BY from_us DESC LIMIT 1";
    let last: Option<(i64, Option<String>)> = db
        .prepare_cached(sql)?
        .query_row([site, node], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    if last.as_ref().is_some_and(|(_, there)| there.as_deref() == Some(zone)) {
        return Ok(());
    }
    // Where the clock was set back, what is true now still comes last.
    let from = last.map_or(now.micros(), |(from, _)| from.max(now.micros()));
    let sql = "INSERT INTO node_placement (site, node, from_us, zone) VALUES (?1, ?2, ?3, ?4)
               ON CONFLICT (site, node, from_us) DO UPDATE SET zone = excluded.zone";
    db.prepare_cached(sql)?.execute(params![site, node, from, zone])?;
    Ok(())
}

/// Returns the zone of a node, or `None` where the node is unknown.
pub(crate) fn find(db: &Connection, key: &NodeKey) -> Result<Option<Option<String>>, Error> {
    let sql = "SELECT zone FROM node WHERE site = ?1 AND node = ?2";
    let names = [key.site.as_str(), key.node.as_str()];
    Ok(db.prepare_cached(sql)?.query_row(names, |row| row.get(0)).optional()?)
}

pub(crate) fn require_zone(db: &Connection, site: &Slug, zone: &Slug) -> Result<(), Error> {
    let sql = "SELECT 1 FROM zone WHERE site = ?1 AND zone = ?2";
    let names = [site.as_str(), zone.as_str()];
    if db.prepare_cached(sql)?.exists(names)? {
        return Ok(());
    }
    Err(Error::Unknown { what: "zone", name: format!("{site}/{zone}") })
}
