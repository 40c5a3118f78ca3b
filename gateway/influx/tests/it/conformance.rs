//! What every store must do, over a server: the stand-in always, and a real one where
//! `MIAOPU_TEST_INFLUX_URL`, `_TOKEN` and `_ORG` name it.

use std::ops::ControlFlow;

use crate::common::{PATIENCE, options, target};
use influx::standin::StandIn;
use influx::{Influx, Target, Token};
use measure::{FlashId, NodeKey, SequenceRange, Timestamp};
use store::{
    Batch, Columns, Committed, Error, Gap, Position, Sample, SeriesId, SeriesKey, Store,
    conformance,
};
use tempfile::TempDir;

/// When the folder forgets what it has shipped.
#[derive(Clone, Copy)]
enum Forgets {
    /// Never: it answers by itself while it ships behind.
    Never,
    /// After each commit, so that the server alone answers.
    Always,
    /// After every third commit, so that both answer.
    Sometimes,
}

/// A store with its folder, and with what keeps its server alive.
struct Kept<K: Send + Sync> {
    influx: Influx,
    forgets: Forgets,
    commits: std::sync::atomic::AtomicU64,
    _dir: TempDir,
    _server: K,
}

impl<K: Send + Sync> Kept<K> {
    fn new(target: Target, forgets: Forgets, server: K) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let influx = Influx::open(dir.path(), target, options()).unwrap();
        let commits = std::sync::atomic::AtomicU64::new(0);
        Self { influx, forgets, commits, _dir: dir, _server: server }
    }
}

impl<K: Send + Sync> Store for Kept<K> {
    fn series_id(&self, key: &SeriesKey) -> Result<SeriesId, Error> {
        self.influx.series_id(key)
    }
    fn series(&self) -> Result<Vec<(SeriesId, SeriesKey)>, Error> {
        self.influx.series()
    }
    fn commit(&self, batch: &Batch) -> Result<Committed, Error> {
        let committed = self.influx.commit(batch)?;
        let commits = self.commits.fetch_add(1, std::sync::atomic::Ordering::SeqCst) + 1;
        let forget = match self.forgets {
            Forgets::Never => false,
            Forgets::Always => true,
            Forgets::Sometimes => commits.is_multiple_of(3),
        };
        if forget {
            assert!(self.influx.flush(PATIENCE)?, "{:?}", self.influx.shipping().borrow());
            assert!(self.influx.forget_here()?);
        }
        Ok(committed)
    }
    fn seen(&self, node: &NodeKey, flash: FlashId) -> Result<Vec<SequenceRange>, Error> {
        self.influx.seen(node, flash)
    }
    fn latest(&self) -> Result<Vec<Sample>, Error> {
        self.influx.latest()
    }
    fn scan(
        &self,
        series: SeriesId,
        from: Timestamp,
        to: Timestamp,
        visit: &mut dyn FnMut(&Sample) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        self.influx.scan(series, from, to, visit)
    }
    fn downsample(
        &self,
        series: SeriesId,
        from: Timestamp,
        to: Timestamp,
        step_ms: i64,
        origin: Timestamp,
    ) -> Result<Columns, Error> {
        self.influx.downsample(series, from, to, step_ms, origin)
    }
    fn journal(
        &self,
        after: Position,
        limit: usize,
    ) -> Result<Vec<(Position, Vec<Sample>)>, Error> {
        self.influx.journal(after, limit)
    }
    fn release(&self, upto: Position) -> Result<(), Error> {
        self.influx.release(upto)
    }
    fn last_position(&self) -> Result<Position, Error> {
        self.influx.last_position()
    }
    fn gaps(&self, node: &NodeKey) -> Result<Vec<Gap>, Error> {
        self.influx.gaps(node)
    }
}

fn over_the_stand_in(forgets: Forgets) {
    conformance::run(|| {
        let server = StandIn::start();
        Box::new(Kept::new(target(&server), forgets, server))
    });
}

#[test]
fn the_folder_conforms_while_it_ships() {
    over_the_stand_in(Forgets::Never);
}

#[test]
fn the_server_conforms() {
    over_the_stand_in(Forgets::Always);
}

#[test]
fn folder_and_server_conform_as_one() {
    over_the_stand_in(Forgets::Sometimes);
}

/// A bucket of a real server, deleted when it is dropped.
struct Bucket {
    url: String,
    token: String,
    id: String,
    name: String,
}

impl Bucket {
    fn create(url: &str, token: &str, org: &str) -> Self {
        let url = url.trim_end_matches('/').to_owned();
        let authorization = format!("Token {token}");
        let mut answer = ureq::get(format!("{url}/api/v2/orgs"))
            .query("org", org)
            .header("Authorization", &authorization)
            .call()
            .expect("the organizations of the server");
        let orgs: serde_json::Value = answer.body_mut().read_json().expect("JSON");
        let org_id = orgs["orgs"][0]["id"].as_str().expect("the organization is there").to_owned();
        let name = format!("miaopu-conformance-{:016x}", fastrand::u64(..));
        let mut answer = ureq::post(format!("{url}/api/v2/buckets"))
            .header("Authorization", &authorization)
            .send_json(serde_json::json!({ "orgID": org_id, "name": name, "retentionRules": [] }))
            .expect("the token may make buckets");
        let made: serde_json::Value = answer.body_mut().read_json().expect("JSON");
        let id = made["id"].as_str().expect("the bucket has an id").to_owned();
        Self { url, token: token.to_owned(), id, name }
    }
}

impl Drop for Bucket {
    fn drop(&mut self) {
        let deleted = ureq::delete(format!("{}/api/v2/buckets/{}", self.url, self.id))
            .header("Authorization", format!("Token {}", self.token))
            .call();
        if let Err(error) = deleted {
            println!("bucket {} was left behind: {error}", self.name);
        }
    }
}

#[test]
fn a_real_server_conforms_where_one_is_named() {
    let named = |name: &str| std::env::var(format!("MIAOPU_TEST_INFLUX_{name}")).ok();
    let (Some(url), Some(token), Some(org)) = (named("URL"), named("TOKEN"), named("ORG")) else {
        println!("no real InfluxDB 2 is named by MIAOPU_TEST_INFLUX_URL, _TOKEN and _ORG");
        return;
    };
    for forgets in [Forgets::Never, Forgets::Always, Forgets::Sometimes] {
        conformance::run(|| {
            let bucket = Bucket::create(&url, &token, &org);
            let target = Target::new(&url, &org, &bucket.name, Token::new(&token)).unwrap();
            Box::new(Kept::new(target, forgets, bucket))
        });
    }
    println!("a real InfluxDB 2 at {url} conforms");
}
