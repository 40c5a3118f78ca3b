//! From a reading above its limit to the alarm on a page: both through the doors that nodes and people
//! use, while everything else flows on.

use std::io::{BufRead as _, BufReader};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};
use serde_json::Value;

use crate::feed::{self, Book, Feed};
use crate::flow::{pace, plan};
use crate::site::Site;
use crate::table::{Better, Table, percentile};
use crate::{Arguments, usage};

/// Readings a second meanwhile.
const FLOW: f64 = 10_000.0;
/// Time between two readings above a limit, over all nodes.
const BETWEEN: Duration = Duration::from_millis(50);
/// How long a node rests between two of its own, so that it is back within the limit.
const REST: Duration = Duration::from_millis(1_500);
/// The latest that 99 of 100 alarms may come, in milliseconds.
const P99_MS: f64 = 100.0;
/// How long an alarm may take before it counts as not raised.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) fn measure(arguments: &Arguments, table: &mut Table) -> Result<()> {
    println!("from a reading to its alarm, at {FLOW} readings/s");
    let site = Site::build(arguments.nodes)?;
    let gateway = site.gateway()?;
    let token = site.token()?;
    let feed = Feed::start(
        plan(&site, &gateway, Some(pace(arguments.nodes, FLOW))),
        feed::books(arguments.nodes),
    )?;
    let over = Arc::new(AtomicBool::new(false));
    let listening = {
        let (books, over) = (Arc::clone(&feed.books), Arc::clone(&over));
        let url = format!("http://{}/api/v1/events", gateway.http);
        std::thread::spawn(move || listen(&url, &token, &books, &over))
    };
    // Every channel is known, and the page has its stream.
    std::thread::sleep(Duration::from_secs(2));
    let asked = ask(&feed.books, arguments.span().max(Duration::from_secs(10)))?;
    over.store(true, Relaxed);
    let waited = Instant::now();
    let mut took_ms = loop {
        if listening.is_finished() {
            break listening.join().map_err(|_| anyhow!("the listener panicked"))??;
        }
        ensure!(waited.elapsed() < PATIENCE, "the event stream fell silent");
        std::thread::sleep(Duration::from_millis(50));
    };
    let memory = usage::peak_mb(gateway.id())?;
    feed.drain()?;
    ensure!(took_ms.len() == asked, "{asked} alarms were to come, {} came", took_ms.len());
    took_ms.sort_by(f64::total_cmp);
    let (p50, p99) = (percentile(&took_ms, 0.5), percentile(&took_ms, 0.99));
    let worst = percentile(&took_ms, 1.0);
    table.note(format!(
        "publish to alarm at {FLOW} readings/s, {asked} alarms: p50 {p50:.1} ms, p99 {p99:.1} ms, \
         worst {worst:.1} ms; memory {memory:.0} MB"
    ));
    table.row(
        "publish to alarm, p50, against the p99 to reach",
        (p50, P99_MS),
        "ms",
        Better::Lower,
    );
    table.row(
        "publish to alarm, p99, against the number to reach",
        (p99, P99_MS),
        "ms",
        Better::Lower,
    );
    Ok(())
}

/// Makes one node after the other hot; returns how many alarms must come of it.
fn ask(books: &[Book], span: Duration) -> Result<usize> {
    let began = Instant::now();
    let mut asked = 0;
    let mut rested: Vec<Option<Instant>> = books.iter().map(|_| None).collect();
    for number in (0..books.len()).cycle() {
        if began.elapsed() > span {
            break;
        }
        let (Some(book), Some(rest)) = (books.get(number), rested.get_mut(number)) else {
            continue;
        };
        while rest.is_some_and(|since| since.elapsed() < REST) || book.is_hot.load(Relaxed) {
            ensure!(began.elapsed() < span + PATIENCE, "no alarm came of node {number}");
            std::thread::sleep(Duration::from_millis(5));
        }
        *book.hot_since.lock().unwrap_or_else(PoisonError::into_inner) = None;
        book.is_hot.store(true, Relaxed);
        asked += 1;
        *rest = Some(Instant::now());
        std::thread::sleep(BETWEEN);
    }
    let waited = Instant::now();
    while books.iter().any(|book| book.is_hot.load(Relaxed)) {
        ensure!(waited.elapsed() < PATIENCE, "an alarm did not come");
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(asked)
}

/// Reads the event stream as a page does; returns how long each alarm took, in milliseconds.
fn listen(url: &str, token: &str, books: &[Book], over: &AtomicBool) -> Result<Vec<f64>> {
    let agent: ureq::Agent = ureq::Agent::config_builder().build().into();
    let bearer = format!("Bearer {token}");
    let answer = agent.get(url).header("Authorization", bearer).call()?;
    let stream = answer.into_body().into_with_config().limit(u64::MAX).reader();
    let mut took_ms = Vec::new();
    for line in BufReader::new(stream).lines() {
        let line = line?;
        let seen = Instant::now();
        if line.starts_with(r#"data:{"type":"alarm""#)
            || line.starts_with(r#"data: {"type":"alarm""#)
        {
            let json = line.split_once(':').map(|(_, rest)| rest).context("a line has a field")?;
            let event: Value = serde_json::from_str(json)?;
            took_ms.extend(heed(&event, books, seen));
        }
        if over.load(Relaxed) {
            break;
        }
    }
    Ok(took_ms)
}

fn heed(event: &Value, books: &[Book], seen: Instant) -> Option<f64> {
    let alarm = event.get("alarm")?;
    let is_raised = alarm.get("returned_ms")?.is_null();
    let number: usize = alarm.get("node")?.as_str()?.strip_prefix('n')?.parse().ok()?;
    let book = books.get(number)?;
    let is_temperature = alarm.get("quantity")?.as_str()? == "air_temperature";
    if !is_raised || !is_temperature || !book.is_hot.load(Relaxed) {
        return None;
    }
    let mut since = book.hot_since.lock().unwrap_or_else(PoisonError::into_inner);
    let took = seen.duration_since(since.take()?);
    book.is_hot.store(false, Relaxed);
    Some(took.as_secs_f64() * 1e3)
}
