//! Firmware releases, and how far each node has come with the one that it was offered.

use measure::{NodeKey, Slug, Timestamp};
use people::Actor;
use rusqlite::{Connection, Row, params};
use serde_json::json;

use crate::audit::{Done, record};
use crate::{Error, Registry, node_key, nodes, slug, time};

/// The most releases kept; one more is refused.
pub const RELEASES_MAX: usize = 64;
/// The longest image, in bytes; a longer one is refused.
pub const RELEASE_BYTES_MAX: usize = 4 << 20;

/// What names a release: what it is made for, and its number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReleaseKey {
    /// The boards that it runs on.
    pub target: Slug,
    /// A greater one is newer.
    pub number: u32,
}

/// A release, without its image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// What names it.
    pub key: ReleaseKey,
    /// The version for people.
    pub version: String,
    /// The length of the image, in bytes.
    pub length: u32,
    /// The SHA-256 of the image.
    pub sha256: [u8; 32],
    /// What is signed.
    pub manifest: Vec<u8>,
    /// The signature of it.
    pub signature: [u8; 64],
    /// The public key that it was checked with.
    pub signer: [u8; 32],
    /// When it was added.
    pub added: Timestamp,
    /// By whom.
    pub by: Actor,
}

/// How far a node has come with a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RolloutState {
    /// It was offered and the node has not begun.
    Offered,
    /// The node fetches it.
    Wanting,
    /// The node has it whole and restarts into it.
    Staged,
    /// It runs and tests itself.
    Trial,
    /// The node runs it.
    Confirmed,
    /// It did not pass, and the one from before runs again.
    RolledBack,
    /// The node does not take it.
    Refused,
    /// A person took the offer back.
    Cancelled,
}

impl RolloutState {
    /// Every state.
    pub const ALL: [Self; 8] = [
        Self::Offered,
        Self::Wanting,
        Self::Staged,
        Self::Trial,
        Self::Confirmed,
        Self::RolledBack,
        Self::Refused,
        Self::Cancelled,
    ];

    /// Returns its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Offered => "offered",
            Self::Wanting => "wanting",
            Self::Staged => "staged",
            Self::Trial => "trial",
            Self::Confirmed => "confirmed",
            Self::RolledBack => "rolled_back",
            Self::Refused => "refused",
            Self::Cancelled => "cancelled",
        }
    }

    /// Returns whether the node may still ask for bytes: the offer stands.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Offered | Self::Wanting | Self::Staged)
    }

    fn parse(name: &str) -> Result<Self, Error> {
        let found = Self::ALL.into_iter().find(|state| state.name() == name);
        found.ok_or_else(|| Error::broken("rollout state", format!("`{name}`")))
    }
}

/// What a node was offered last, and how far it has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rollout {
    /// The node.
    pub node: NodeKey,
    /// The release.
    pub release: ReleaseKey,
    /// How far it has come.
    pub state: RolloutState,
    /// How many bytes the node has, as it said last.
    pub had: u32,
    /// Where it was refused: why, in the node's short word.
    pub detail: String,
    /// When it was offered.
    pub offered: Timestamp,
    /// By whom.
    pub by: Actor,
    /// When the state changed last.
    pub changed: Timestamp,
}

const RELEASE: &str =
    "SELECT target, number, version, length(image), sha256, manifest, signature, key,
                       added_us, by FROM release";
const ROLLOUT: &str =
    "SELECT site, node, target, number, state, had, detail, offered_us, by, changed_us
                       FROM rollout";

impl Registry {
    /// Keeps a release. The same one again is no change.
    ///
    /// # Errors
    /// `Taken` where another image has its target and number, `Refused` for too many releases or too
    /// long an image, or a failure of the file.
    pub fn add_release(&self, release: &Release, image: &[u8]) -> Result<(), Error> {
        if image.is_empty() || image.len() > RELEASE_BYTES_MAX {
            return Err(Error::refused(
                "image",
                format!("固件镜像须为 1 到 {RELEASE_BYTES_MAX} 字节,而不是 {}", image.len()),
                format!("an image has 1 to {RELEASE_BYTES_MAX} bytes, not {}", image.len()),
            ));
        }
        self.write(|db| {
            let key = &release.key;
            if let Some(known) = find(db, key)? {
                if known.sha256 == release.sha256 {
                    return Ok(());
                }
                let name = format!("{}/{}", key.target, key.number);
                return Err(Error::Taken { what: "release", name });
            }
            let count: i64 = db.query_row("SELECT COUNT(*) FROM release", [], |row| row.get(0))?;
            if count >= RELEASES_MAX as i64 {
                return Err(Error::refused(
                    "release",
                    format!("已有 {RELEASES_MAX} 个固件版本;请先删除旧版本"),
                    format!("there are {RELEASES_MAX} releases already; remove an old one"),
                ));
            }
            let sql =
                "INSERT INTO release (target, number, version, sha256, manifest, signature, key,
                       added_us, by, image) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
            db.prepare_cached(sql)?.execute(params![
                key.target.as_str(),
                key.number,
                release.version,
                release.sha256,
                release.manifest,
                release.signature,
                release.signer,
                release.added.micros(),
                release.by.to_string(),
                image,
            ])?;
            let subject = format!("{}/{}", key.target, key.number);
            let detail = json!({ "version": release.version, "bytes": image.len() });
            record(db, release.added, &release.by, Done::new("release.add", &subject), &detail)
        })
    }

    /// Removes a release that no node is being given or runs after an offer.
    ///
    /// # Errors
    /// `Unknown`, `Refused` where a node was offered it last, or a failure of the file.
    pub fn remove_release(
        &self,
        key: &ReleaseKey,
        by: &Actor,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.write(|db| {
            require(db, key)?;
            let sql = "SELECT COUNT(*) FROM rollout WHERE target = ?1 AND number = ?2";
            let used: i64 =
                db.query_row(sql, params![key.target.as_str(), key.number], |row| row.get(0))?;
            if used > 0 {
                return Err(Error::refused(
                    "release",
                    format!("有 {used} 个节点最近一次提供的就是此版本;请先给它们提供别的版本"),
                    format!("{used} nodes were offered it last; offer them another one first"),
                ));
            }
            let sql = "DELETE FROM release WHERE target = ?1 AND number = ?2";
            db.execute(sql, params![key.target.as_str(), key.number])?;
            let subject = format!("{}/{}", key.target, key.number);
            record(db, now, by, Done::new("release.remove", &subject), &json!({}))
        })
    }

    /// Returns every release by target, newest first.
    ///
    /// # Errors
    /// Where the file can't be read.
    pub fn releases(&self) -> Result<Vec<Release>, Error> {
        self.read(|db| {
            let mut query =
                db.prepare_cached(&format!("{RELEASE} ORDER BY target, number DESC"))?;
            let mut rows = query.query([])?;
            let mut releases = Vec::new();
            while let Some(row) = rows.next()? {
                releases.push(read_release(row)?);
            }
            Ok(releases)
        })
    }

    /// Returns a release and its image; `None` where there is none.
    ///
    /// # Errors
    /// Where the file can't be read.
    pub fn release(&self, key: &ReleaseKey) -> Result<Option<(Release, Vec<u8>)>, Error> {
        self.read(|db| {
            let Some(release) = find(db, key)? else { return Ok(None) };
            let sql = "SELECT image FROM release WHERE target = ?1 AND number = ?2";
            let image = db
                .prepare_cached(sql)?
                .query_row(params![key.target.as_str(), key.number], |row| row.get(0))?;
            Ok(Some((release, image)))
        })
    }

    /// Offers a release to a node, in place of what it was offered before.
    ///
    /// # Errors
    /// `Unknown` for the node or the release, or a failure of the file.
    pub fn offer_release(
        &self,
        node: &NodeKey,
        key: &ReleaseKey,
        by: &Actor,
        now: Timestamp,
    ) -> Result<Rollout, Error> {
        self.write(|db| {
            require(db, key)?;
            if nodes::find(db, node)?.is_none() {
                return Err(Error::Unknown { what: "node", name: node.to_string() });
            }
            let sql =
                "INSERT INTO rollout (site, node, target, number, state, had, detail, offered_us,
                       by, changed_us) VALUES (?1, ?2, ?3, ?4, 'offered', 0, '', ?5, ?6, ?5)
                       ON CONFLICT (site, node) DO UPDATE SET target = excluded.target,
                       number = excluded.number, state = 'offered', had = 0, detail = '',
                       offered_us = excluded.offered_us, by = excluded.by,
                       changed_us = excluded.changed_us";
            let (site, name) = (node.site.as_str(), node.node.as_str());
            let row =
                params![site, name, key.target.as_str(), key.number, now.micros(), by.to_string()];
            db.prepare_cached(sql)?.execute(row)?;
            let detail = json!({ "target": key.target.as_str(), "release": key.number });
            record(db, now, by, Done::new("node.offer_release", &node.to_string()), &detail)?;
            rollout(db, node)
        })
    }

    /// Takes an offer back. A node that runs the release already keeps it.
    ///
    /// # Errors
    /// `Unknown` where the node was offered nothing, `Refused` where it is over, or a failure of the file.
    pub fn cancel_rollout(
        &self,
        node: &NodeKey,
        by: &Actor,
        now: Timestamp,
    ) -> Result<Rollout, Error> {
        self.write(|db| {
            let known = rollout(db, node)?;
            if !known.state.is_open() {
                let name = known.state.name();
                return Err(Error::refused(
                    "state",
                    format!("升级已处于 {name} 状态,无法取消"),
                    format!("the update is {name} already and cannot be cancelled"),
                ));
            }
            set(db, node, (RolloutState::Cancelled, known.had, ""), now)?;
            record(db, now, by, Done::new("node.cancel_release", &node.to_string()), &json!({}))?;
            rollout(db, node)
        })
    }

    /// Notes how far nodes have come, each with the release that it is about: a word about another one
    /// than was offered last changes nothing, nor does one after the offer was taken back.
    ///
    /// # Errors
    /// A failure of the file.
    pub fn note_rollouts(
        &self,
        notes: &[(NodeKey, ReleaseKey, RolloutState, u32, String)],
        now: Timestamp,
    ) -> Result<(), Error> {
        self.write(|db| {
            for (node, key, state, had, detail) in notes {
                let known = match rollout(db, node) {
                    Ok(known) => known,
                    Err(Error::Unknown { .. }) => continue,
                    Err(error) => return Err(error),
                };
                let is_over = known.state == RolloutState::Cancelled && state.is_open();
                if known.release == *key && !is_over {
                    set(db, node, (*state, *had, detail), now)?;
                }
            }
            Ok(())
        })
    }

    /// Returns what every node was offered last, by site and node.
    ///
    /// # Errors
    /// Where the file can't be read.
    pub fn rollouts(&self) -> Result<Vec<Rollout>, Error> {
        self.read(|db| {
            let mut query = db.prepare_cached(&format!("{ROLLOUT} ORDER BY site, node"))?;
            let mut rows = query.query([])?;
            let mut rollouts = Vec::new();
            while let Some(row) = rows.next()? {
                rollouts.push(read_rollout(row)?);
            }
            Ok(rollouts)
        })
    }
}

fn set(
    db: &Connection,
    node: &NodeKey,
    (state, had, detail): (RolloutState, u32, &str),
    now: Timestamp,
) -> Result<(), Error> {
    let sql = "UPDATE rollout SET changed_us = CASE state WHEN ?3 THEN changed_us ELSE ?6 END,
               state = ?3, had = ?4, detail = ?5 WHERE site = ?1 AND node = ?2";
    let (site, name) = (node.site.as_str(), node.node.as_str());
    db.prepare_cached(sql)?.execute(params![
        site,
        name,
        state.name(),
        had,
        detail,
        now.micros()
    ])?;
    Ok(())
}

fn require(db: &Connection, key: &ReleaseKey) -> Result<(), Error> {
    if find(db, key)?.is_some() {
        return Ok(());
    }
    Err(Error::Unknown { what: "release", name: format!("{}/{}", key.target, key.number) })
}

fn find(db: &Connection, key: &ReleaseKey) -> Result<Option<Release>, Error> {
    let mut query = db.prepare_cached(&format!("{RELEASE} WHERE target = ?1 AND number = ?2"))?;
    let mut rows = query.query(params![key.target.as_str(), key.number])?;
    rows.next()?.map(read_release).transpose()
}

fn rollout(db: &Connection, node: &NodeKey) -> Result<Rollout, Error> {
    let mut query = db.prepare_cached(&format!("{ROLLOUT} WHERE site = ?1 AND node = ?2"))?;
    let mut rows = query.query([node.site.as_str(), node.node.as_str()])?;
    let found = rows.next()?.map(read_rollout).transpose()?;
    found.ok_or_else(|| Error::Unknown { what: "rollout", name: node.to_string() })
}

fn read_release(row: &Row<'_>) -> Result<Release, Error> {
    let (target, by): (String, String) = (row.get(0)?, row.get(9)?);
    Ok(Release {
        key: ReleaseKey { target: slug(&target)?, number: row.get(1)? },
        version: row.get(2)?,
        length: row.get(3)?,
        sha256: row.get(4)?,
        manifest: row.get(5)?,
        signature: row.get(6)?,
        signer: row.get(7)?,
        added: time(row.get(8)?)?,
        by: by.parse().map_err(|error| Error::broken("actor", error))?,
    })
}

fn read_rollout(row: &Row<'_>) -> Result<Rollout, Error> {
    let (site, node, target): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
    let (state, by): (String, String) = (row.get(4)?, row.get(8)?);
    Ok(Rollout {
        node: node_key(&site, &node)?,
        release: ReleaseKey { target: slug(&target)?, number: row.get(3)? },
        state: RolloutState::parse(&state)?,
        had: row.get(5)?,
        detail: row.get(6)?,
        offered: time(row.get(7)?)?,
        by: by.parse().map_err(|error| Error::broken("actor", error))?,
        changed: time(row.get(9)?)?,
    })
}
