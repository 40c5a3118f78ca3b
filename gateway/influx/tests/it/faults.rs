//! A server that is away, slow, wrong, full or killed: nothing is lost, nothing doubled, nobody is
//! told that there is less than there is.

use std::time::Duration;

use crate::common::{
    DAY_MS, PATIENCE, all, batch, eventually, holds, key, node, open, options, target,
};
use influx::standin::{BUCKET, Fault, ORG, StandIn, TOKEN};
use influx::{Influx, Target, Token, Trouble};
use measure::{FlashId, Quality, Scaled, Timestamp};
use store::{Batch, Error, Flag, Part, Store as _};

fn text(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

fn points(server: &StandIn) -> usize {
    server.data().points.values().map(std::collections::BTreeMap::len).sum()
}

#[test]
fn kills_in_mid_stream_lose_and_double_nothing() {
    let mut server = StandIn::start();
    let dir = tempfile::tempdir().unwrap();
    let mut influx = open(dir.path(), &server);
    let series = influx.series_id(&key("a")).unwrap();
    let mut sent = 0;
    for round in 0_u64..24 {
        for _ in 0..3 {
            influx.commit(&batch(series, sent, 40)).unwrap();
            // What comes twice is dropped here, whatever the server does.
            assert_eq!(influx.commit(&batch(series, sent, 40)).unwrap().repeated, 40);
            sent += 40;
        }
        match round % 4 {
            0 => server.kill(),
            1 => server.revive(),
            // The points are kept and the answer is lost, so that they are sent again.
            2 => server.data().write_faults.push_back(Fault::DoneButBroken),
            _ => {
                drop(influx);
                influx = open(dir.path(), &server);
            }
        }
        holds_here(&influx, sent);
    }
    assert!(influx.flush(PATIENCE).unwrap());
    assert_eq!(points(&server) as u64, sent);
    assert!(server.data().lines >= sent, "the faults have made it send some again");
    assert!(influx.forget_here().unwrap());
    holds(&influx, series, sent);
    assert!(server.data().all_gzip);
}

fn holds_here(influx: &Influx, sent: u64) {
    let seen = influx.seen(&node(), FlashId(7)).unwrap();
    assert_eq!(seen.iter().map(|r| r.last.0 - r.first.0 + 1).sum::<u64>(), sent);
}

#[test]
fn a_busy_server_is_left_alone_for_as_long_as_it_asks() {
    let server = StandIn::start();
    let dir = tempfile::tempdir().unwrap();
    let influx = open(dir.path(), &server);
    let series = influx.series_id(&key("a")).unwrap();
    server.data().write_faults.extend([Fault::Status(429, Some(2)), Fault::Status(503, None)]);
    influx.commit(&batch(series, 0, 3)).unwrap();
    eventually(&influx, |status| status.trouble == Some(Trouble::Away));
    // Once it was asked how long, no further request comes before that: the retry is at 50 ms else.
    let asked = server.requests();
    std::thread::park_timeout(Duration::from_millis(500));
    assert!(server.requests() <= asked + 1, "{} requests after {asked}", server.requests());
    assert!(!influx.flush(Duration::from_millis(500)).unwrap());
    assert!(influx.flush(PATIENCE).unwrap());
    assert_eq!(points(&server), 3);
    eventually(&influx, |status| status.trouble.is_none());
}

#[test]
fn points_that_the_server_refuses_are_put_aside_and_no_other() {
    let server = StandIn::start();
    let dir = tempfile::tempdir().unwrap();
    let influx = open(dir.path(), &server);
    let series = influx.series_id(&key("a")).unwrap();
    // The bucket keeps only what is younger than the third point.
    server.data().retained_from_ns = (DAY_MS + 3_000) * 1_000_000;
    influx.commit(&batch(series, 0, 500)).unwrap();
    assert!(influx.flush(PATIENCE).unwrap());
    assert_eq!(points(&server), 497);
    let status = influx.shipping().borrow().clone();
    assert_eq!((status.aside, status.trouble), (3, Some(Trouble::Refused)));
    // They are still answered for, after a restart too.
    assert!(influx.forget_here().unwrap());
    holds(&influx, series, 500);
    drop(influx);
    let influx = open(dir.path(), &server);
    holds(&influx, series, 500);
    let day = |ms| Timestamp::from_millis(DAY_MS + ms).unwrap();
    let columns = influx.downsample(series, day(0), day(10_000), 5_000, day(0)).unwrap();
    assert_eq!(columns.count, [4, 4]);
}

#[test]
fn a_body_too_large_goes_in_halves() {
    let server = StandIn::start();
    let dir = tempfile::tempdir().unwrap();
    let influx = open(dir.path(), &server);
    let series = influx.series_id(&key("a")).unwrap();
    server.data().body_bytes_max = 4_000;
    influx.commit(&batch(series, 0, 1_000)).unwrap();
    assert!(influx.flush(PATIENCE).unwrap());
    assert_eq!(points(&server), 1_000);
    assert_eq!(influx.shipping().borrow().aside, 0);
}

#[test]
fn wrong_settings_are_named_with_what_to_do() {
    let server = StandIn::start();
    let open = |org: &str, bucket: &str, token: &str| {
        let dir = tempfile::tempdir().unwrap();
        let target = Target::new(&server.url(), org, bucket, Token::new(token)).unwrap();
        let error = Influx::open(dir.path(), target, options()).unwrap_err();
        assert!(error.is_transient());
        let said = text(&error);
        assert!(!said.contains(TOKEN) && !said.contains("stolen"), "{said}");
        said
    };
    assert!(open(ORG, BUCKET, "stolen").contains("put one that may read and write bucket"));
    let said = open(ORG, "elsewhere", TOKEN);
    assert!(
        said.contains("no bucket `elsewhere`") && said.contains("influx bucket create"),
        "{said}"
    );
    assert!(open("other", BUCKET, TOKEN).contains("no organization `other`"));
    assert!(!format!("{:?}", target(&server)).contains(TOKEN));
    for (url, expect) in [
        ("127.0.0.1:8086", "is no address"),
        ("ftp://h", "is no address"),
        ("http://h/influx", "has a path"),
        ("http://user:secret@h", "holds a user"),
        ("http://h/?token=secret", "holds a user"),
    ] {
        let error = Target::new(url, ORG, BUCKET, Token::new(TOKEN)).unwrap_err().to_string();
        assert!(error.contains(expect) && !error.contains("secret"), "{error}");
    }
    for (org, bucket, token) in [("", "b", "t"), ("o", " ", "t"), ("o", "b", ""), ("o", "b", "ö")]
    {
        assert!(Target::new("http://h", org, bucket, Token::new(token)).is_err());
    }
}

#[test]
fn what_is_wrong_later_keeps_readings_waiting_and_is_told() {
    let server = StandIn::start();
    let dir = tempfile::tempdir().unwrap();
    let influx = open(dir.path(), &server);
    let series = influx.series_id(&key("a")).unwrap();
    drop(influx);
    for (org, token, trouble) in
        [(ORG, "stolen", Trouble::Token), ("gone", TOKEN, Trouble::NotFound)]
    {
        // The folder knows its bucket, so another organization would be refused: it was renamed.
        let note = dir.path().join("influx.json");
        let text = std::fs::read_to_string(&note).unwrap();
        std::fs::write(&note, text.replace(ORG, org)).unwrap();
        let wrong = Target::new(&server.url(), org, BUCKET, Token::new(token)).unwrap();
        let influx = Influx::open(dir.path(), wrong, options()).unwrap();
        let next = influx.last_position().unwrap().0 * 10;
        influx.commit(&batch(series, next, 10)).unwrap();
        eventually(&influx, |status| status.trouble == Some(trouble.clone()));
        assert_eq!(all(&influx, series).len() as u64, next + 10);
        drop(influx);
        std::fs::write(&note, text).unwrap();
    }
    let influx = open(dir.path(), &server);
    assert!(influx.flush(PATIENCE).unwrap());
    assert_eq!(points(&server), 20);
}

#[test]
fn an_answer_that_breaks_off_is_an_error_and_never_fewer_rows() {
    let server = StandIn::start();
    let dir = tempfile::tempdir().unwrap();
    let influx = open(dir.path(), &server);
    let series = influx.series_id(&key("a")).unwrap();
    influx.commit(&batch(series, 0, 200)).unwrap();
    assert!(influx.flush(PATIENCE).unwrap());
    assert!(influx.forget_here().unwrap());
    let (from, to) = (Timestamp::MIN, Timestamp::MAX);
    let fails = |second: bool, fault: Fault| {
        let mut data = server.data();
        data.query_faults.clear();
        if second {
            // The first question is where the series begins.
            data.query_faults.push_back(Fault::Late(Duration::ZERO));
        }
        data.query_faults.push_back(fault.clone());
        drop(data);
        let result = influx.scan(series, from, to, &mut |_| std::ops::ControlFlow::Continue(()));
        let error = result.expect_err("the answer was not whole");
        assert!(error.is_transient(), "{fault:?}: {error:?}");
    };
    for second in [false, true] {
        for at in [0, 1, 50, 150, 180] {
            fails(second, Fault::Cut(at));
        }
        // Ended in due form, as behind a proxy that has lost the rest.
        for at in [1, 50, 100] {
            fails(second, Fault::Short(at));
        }
        fails(second, Fault::DoneButBroken);
        fails(second, Fault::Status(500, None));
        fails(second, Fault::Status(503, Some(1)));
        fails(second, Fault::Body("<html>Welcome</html>\n".to_owned()));
        fails(second, Fault::Body("#datatype,string,long\n,error,reference\n,oom,1\n".to_owned()));
    }
    server.data().query_faults.clear();
    holds(&influx, series, 200);
}

#[test]
fn without_its_server_the_folder_goes_on() {
    let mut server = StandIn::start();
    let dir = tempfile::tempdir().unwrap();
    let influx = open(dir.path(), &server);
    let series = influx.series_id(&key("a")).unwrap();
    influx.commit(&batch(series, 0, 50)).unwrap();
    assert!(influx.flush(PATIENCE).unwrap());
    server.kill();
    influx.commit(&batch(series, 50, 50)).unwrap();
    holds(&influx, series, 100);
    drop(influx);
    // It opens without it, too.
    let influx = open(dir.path(), &server);
    holds(&influx, series, 100);
    eventually(&influx, |status| status.trouble == Some(Trouble::Away));
    server.revive();
    assert!(influx.flush(PATIENCE).unwrap());
    assert_eq!(points(&server), 100);
}

#[test]
fn a_flag_found_out_later_reaches_the_server() {
    let mut server = StandIn::start();
    let dir = tempfile::tempdir().unwrap();
    let influx = open(dir.path(), &server);
    let series = influx.series_id(&key("a")).unwrap();
    influx.commit(&batch(series, 1, 5)).unwrap();
    assert!(influx.flush(PATIENCE).unwrap());
    assert!(influx.forget_here().unwrap());
    let before = all(&influx, series);
    let flag = Flag { series, time: before[2].time, quality: Quality::Suspect };
    let flagged = influx.commit(&Batch { parts: vec![Part::Flags(vec![flag])] }).unwrap();
    // A kill before it was shipped loses nothing of it.
    server.kill();
    drop(influx);
    server.revive();
    let influx = open(dir.path(), &server);
    assert!(influx.flush(PATIENCE).unwrap());
    assert!(influx.forget_here().unwrap());
    let after = all(&influx, series);
    assert_eq!(after.len(), 5);
    assert_eq!((flagged.flagged, after[2].quality), (1, Quality::Suspect));
    assert_eq!(after[2].reading, Ok(Scaled(3 * 11 - 500)));
}

#[test]
fn another_bucket_is_refused_for_a_folder_that_has_one() {
    let (one, other) = (StandIn::start(), StandIn::start());
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path(), &one));
    let error = Influx::open(dir.path(), target(&other), options()).unwrap_err();
    assert!(text(&error).contains("miaopu store copy"), "{}", text(&error));
}

#[test]
fn a_new_folder_takes_up_what_the_bucket_holds() {
    let server = StandIn::start();
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let influx = open(one.path(), &server);
    let series = influx.series_id(&key("a")).unwrap();
    influx.commit(&batch(series, 0, 300)).unwrap();
    assert!(influx.flush(PATIENCE).unwrap());
    let latest = influx.latest().unwrap();
    drop(influx);
    let influx = open(other.path(), &server);
    let series = influx.series_id(&key("a")).unwrap();
    assert_eq!(influx.latest().unwrap(), latest);
    // What was there is known, and comes in no second time.
    assert_eq!(influx.commit(&batch(series, 200, 150)).unwrap().kept, 50);
    holds(&influx, series, 350);
    assert!(influx.flush(PATIENCE).unwrap());
    assert_eq!(points(&server), 350);
}

#[test]
fn a_folder_from_a_backup_learns_what_came_after_it() {
    let server = StandIn::start();
    let (dir, old) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let influx = open(dir.path(), &server);
    let series = influx.series_id(&key("a")).unwrap();
    influx.commit(&batch(series, 0, 100)).unwrap();
    assert!(influx.flush(PATIENCE).unwrap());
    store::embedded::Snapshot::take(dir.path())
        .unwrap()
        .copy_to(&old.path().join(store::embedded::FILE), &mut |_| ())
        .unwrap();
    influx.commit(&batch(series, 100, 100)).unwrap();
    assert!(influx.flush(PATIENCE).unwrap());
    let latest = influx.latest().unwrap();
    drop(influx);
    let influx = open(old.path(), &server);
    assert_eq!(influx.latest().unwrap(), latest);
    // A node that heard nothing sends the last of it again.
    assert_eq!(influx.commit(&batch(series, 150, 60)).unwrap().kept, 10);
    holds(&influx, series, 210);
    assert!(influx.flush(PATIENCE).unwrap());
    assert_eq!(points(&server), 210);
}

#[test]
fn the_folder_stays_within_its_limit() {
    let server = StandIn::start();
    let dir = tempfile::tempdir().unwrap();
    let small = influx::Options { local_bytes_max: 150_000, ..options() };
    let influx = Influx::open(dir.path(), target(&server), small).unwrap();
    let load = store::load::Load {
        nodes: 1,
        start: Timestamp::from_millis(DAY_MS).unwrap(),
        minutes: 4 * 1_440,
        minutes_per_commit: 720,
    };
    let kept = store::load::fill(&influx, &load, |_| ()).unwrap();
    assert!(influx.flush(PATIENCE).unwrap());
    for _ in 0..3 {
        // When nothing is left to ship, the folder is looked at.
        let series = influx.series_id(&key("a")).unwrap();
        let next = influx.last_position().unwrap().0;
        influx.commit(&batch(series, next, 1)).unwrap();
        influx.release(influx.last_position().unwrap()).unwrap();
        assert!(influx.flush(PATIENCE).unwrap());
    }
    assert_eq!(points(&server) as u64, kept + 3);
    let file = std::fs::metadata(dir.path().join("series.sqlite")).unwrap().len();
    let used = influx.local_bytes().unwrap();
    assert!(used <= 400_000, "{used} bytes of {file} are in use");
    let found: usize = (1..=8).map(|id| all(&influx, store::SeriesId(id)).len()).sum();
    assert_eq!(found as u64, kept);
}
