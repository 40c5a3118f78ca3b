//! What is promised of e-mail.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use alarms::{Action, Kind};
use measure::Timestamp;
use notify::{EmailSettings, Notice, Security, retry};
use people::Language;
use registry::{DeliveryState, Registry};
use rustls::ServerConfig;

use crate::smtp::{Mail, Manner, Smtp};
use crate::world::*;

fn ids(mails: &[Mail]) -> Vec<String> {
    mails.iter().map(|mail| mail.header("Message-ID").unwrap()).collect()
}

fn states(registry: &Registry) -> Vec<(DeliveryState, u32)> {
    let all = registry.deliveries(ALARM).unwrap();
    all.iter().map(|it| (it.state, it.attempts)).collect()
}

#[tokio::test]
async fn an_alarm_is_told_in_both_languages_with_everything_that_helps_at_three_at_night() {
    let server = Smtp::start(Manner::default()).await;
    let mut world = World::new("B");
    world.add("li", Language::Zh);
    world.add("han", Language::En);
    world.raise();
    let next = world.courier(by_mail(&settings(&server))).round().await.unwrap();
    assert_eq!(next, None);
    let mails = server.messages();
    assert_eq!(mails.len(), 2);
    let to = |user: &str| {
        let address = format!("{user}@example.com");
        mails.iter().find(|mail| mail.header("To").unwrap().contains(&address)).unwrap()
    };
    let (li, han) = (to("li"), to("han"));
    assert_eq!(li.subject(), "[高/High] 一号棚 空气温度 38.2 °C > 35.0 · House 1 air temperature");
    assert_eq!(han.subject(), "[高/High] House 1 air temperature 38.2 °C > 35.0 · 一号棚 空气温度");
    let text = li.text();
    for part in [
        "【高】一号棚:空气温度过高",
        "地点:南川苗圃 › 一号棚 › canopy(节点 n1)",
        "数值:38.2 °C(限值 35.0 °C)",
        "开始:2026-11-23 14:01(Asia/Shanghai 当地时间),2026-11-23 14:11 报警",
        "检查:天窗、侧窗和遮阳网是否打开",
        "处理:打开通风和遮阳",
        "[High] House 1: air temperature too high",
        "Where: Nanchuan nursery › House 1 › canopy (node n1)",
        "Value: 38.2 °C (limit 35.0 °C)",
        "Do: Open vents and shade",
        "https://miaopu.example:8443/answer#",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    assert!(text.find("一号棚").unwrap() < text.find("House 1").unwrap(), "Chinese first");
    let text = han.text();
    assert!(text.find("House 1").unwrap() < text.find("一号棚").unwrap(), "English first");

    assert!(li.header("From").unwrap().contains("<miaopu@nursery.example>"));
    assert_eq!(li.header("Content-Type").unwrap(), "text/plain; charset=utf-8");
    assert_eq!(li.header("Auto-Submitted").unwrap(), "auto-generated");
    assert_eq!(li.header("Date").unwrap(), "Mon, 23 Nov 2026 06:00:00 +0000");
    assert_eq!((li.header("In-Reply-To"), li.header("References")), (None, None));
    assert!(ids(&mails)[0] != ids(&mails)[1] && ids(&mails)[0].ends_with("@nursery.example>"));
    assert_eq!(states(&world.registry), [(DeliveryState::Sent, 1); 2]);
}

fn token(mail: &Mail) -> String {
    let text = mail.text();
    let (_, rest) = text.split_once("/answer#").unwrap();
    rest.split_whitespace().next().unwrap().to_owned()
}

#[tokio::test]
async fn the_link_stands_for_its_reader_and_is_nowhere_on_disk() {
    let server = Smtp::start(Manner::default()).await;
    let mut world = World::new("B");
    world.add("li", Language::Zh);
    world.raise();
    world.courier(by_mail(&settings(&server))).round().await.unwrap();
    let token = token(&server.messages()[0]);
    let link = world.registry.link(&token).unwrap().unwrap();
    assert_eq!((link.alarm, link.user.to_string()), (ALARM, "li".to_owned()));
    assert_eq!((link.expires.ms_since(at(0)), link.used), (registry::LINK_MS, None));
    assert!(world.registry.link("aaaaaaaaaaaaaaaa").unwrap().is_none());
    let disk = bytes(&world.file);
    assert!(!disk.windows(token.len()).any(|part| part == token.as_bytes()));
    assert!(world.registry.use_link(&token, at(1)).unwrap());
    assert!(!world.registry.use_link(&token, at(2)).unwrap(), "once");
}

#[tokio::test]
async fn a_line_that_drops_before_the_server_s_word_gives_the_same_message_again() {
    let server = Smtp::start(Manner { drops: 2, ..Manner::default() }).await;
    let mut world = World::new("B");
    world.add("li", Language::Zh);
    world.raise();
    let mut courier = world.courier(by_mail(&settings(&server)));
    for expect in [Some(10_000), Some(20_000), None] {
        let next = courier.round().await.unwrap();
        let now_ms = world.wall_ms.load(Ordering::SeqCst);
        assert_eq!(next.map(|next| next.millis() - now_ms), expect);
        world.pass_ms(expect.unwrap_or(0));
    }
    let seen = server.seen.lock().unwrap();
    let (lost, taken) = (ids(&seen.unconfirmed), ids(&seen.messages));
    assert_eq!((lost.len(), taken.len()), (2, 1));
    assert!(lost.iter().all(|id| *id == taken[0]), "{lost:?} {taken:?}");
    assert_eq!(seen.unconfirmed[0].header("Date"), seen.messages[0].header("Date"));
    assert_eq!(states(&world.registry), [(DeliveryState::Sent, 3)]);
    assert_ne!(token(&seen.unconfirmed[0]), token(&seen.messages[0]));
    for mail in [&seen.unconfirmed[0], &seen.messages[0]] {
        assert!(world.registry.link(&token(mail)).unwrap().is_some(), "whichever arrives, works");
    }
}

#[tokio::test]
async fn a_kill_between_the_outbox_and_the_server_loses_no_message_and_repeats_at_most_one() {
    let server = Smtp::start(Manner { refuses: Some(451), ..Manner::default() }).await;
    let mut world = World::new("B");
    world.add("li", Language::Zh);
    world.raise();
    world.reopen();
    assert_eq!(world.registry.outbox().unwrap().len(), 1, "killed before the fan-out");
    world.courier(by_mail(&settings(&server))).round().await.unwrap();
    world.reopen();
    assert!(world.registry.outbox().unwrap().is_empty());
    let kept = world.registry.deliveries(ALARM).unwrap()[0].message.clone();
    assert_eq!(states(&world.registry), [(DeliveryState::Waiting, 1)], "killed before the send");

    server.manner.lock().unwrap().refuses = None;
    world.pass_ms(60_000);
    // The registry as it was before the send: what a kill before the note of it leaves behind.
    let before = world.file.with_extension("before");
    let sql = format!("VACUUM INTO '{}'", before.display());
    rusqlite::Connection::open(&world.file).unwrap().execute_batch(&sql).unwrap();
    world.courier(by_mail(&settings(&server))).round().await.unwrap();
    world.file = before;
    world.reopen();
    world.courier(by_mail(&settings(&server))).round().await.unwrap();
    world.reopen();
    world.courier(by_mail(&settings(&server))).round().await.unwrap();
    assert_eq!(ids(&server.messages()), vec![format!("<{kept}@nursery.example>"); 2]);
}

fn tls() -> (Arc<ServerConfig>, Vec<u8>) {
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    (Arc::new(config), made.cert.pem().into_bytes())
}

#[tokio::test]
async fn a_password_is_said_under_tls_only_and_to_a_believed_server_only() {
    let (config, pem) = tls();
    let wanted = Some(("miaopu", PASSWORD));
    let server =
        Smtp::start(Manner { tls: Some(config), login: wanted, ..Manner::default() }).await;
    let starttls = EmailSettings { security: Security::Starttls, ..settings(&server) };
    let mut world = World::new("B");
    world.add("li", Language::Zh);
    world.raise();
    world.courier(by_mail(&login(starttls.clone(), PASSWORD))).round().await.unwrap();
    assert_eq!(states(&world.registry), [(DeliveryState::Waiting, 1)], "a stranger's certificate");
    assert!(server.messages().is_empty());

    world.pass_ms(60_000);
    let own = EmailSettings { ca_pem: Some(pem), ..starttls.clone() };
    world.courier(by_mail(&login(own.clone(), "wrong"))).round().await.unwrap();
    assert_eq!(states(&world.registry), [(DeliveryState::Waiting, 2)], "a password can be mended");
    let error = world.registry.deliveries(ALARM).unwrap()[0].error.clone().unwrap();
    assert!(error.contains("wrong password"), "{error}");

    world.pass_ms(60_000);
    world.courier(by_mail(&login(own, PASSWORD))).round().await.unwrap();
    assert_eq!(server.messages().len(), 1);
    let clear = server.seen.lock().unwrap().clear.join("\n");
    assert!(!clear.contains("AUTH") && clear.contains("STARTTLS"), "{clear}");
}

#[tokio::test]
async fn where_the_server_offers_no_tls_nothing_is_said() {
    let server =
        Smtp::start(Manner { login: Some(("miaopu", PASSWORD)), ..Manner::default() }).await;
    let mut world = World::new("B");
    world.add("li", Language::Zh);
    world.raise();
    let starttls = EmailSettings { security: Security::Starttls, ..settings(&server) };
    world.courier(by_mail(&login(starttls, PASSWORD))).round().await.unwrap();
    assert_eq!(states(&world.registry), [(DeliveryState::Waiting, 1)]);
    let clear = server.seen.lock().unwrap().clear.join("\n");
    assert!(!clear.contains("AUTH") && !clear.contains("MAIL"), "{clear}");
}

#[tokio::test]
async fn what_the_server_refuses_for_good_is_given_up_and_what_takes_too_long_too() {
    let server = Smtp::start(Manner { refuses: Some(550), ..Manner::default() }).await;
    let mut world = World::new("B");
    world.add("li", Language::Zh);
    world.raise();
    let mut courier = world.courier(by_mail(&settings(&server)));
    assert_eq!(courier.round().await.unwrap(), None);
    assert_eq!(states(&world.registry), [(DeliveryState::Failed, 1)]);
    let record = world.registry.channel_record(registry::Channel::Email).unwrap();
    assert!(record.sent.is_none() && record.error.unwrap().contains("not here"));
    assert_eq!(world.registry.delivery_counts().unwrap(), (0, 1));

    let mut world = World::new("B");
    world.add("li", Language::Zh);
    world.raise();
    server.manner.lock().unwrap().refuses = Some(450);
    let mut courier = world.courier(by_mail(&settings(&server)));
    let mut rounds = 0;
    while let Some(next) = courier.round().await.unwrap() {
        world.wall_ms.store(next.millis(), Ordering::SeqCst);
        rounds += 1;
    }
    let passed_ms = world.wall_ms.load(Ordering::SeqCst) - at(0).millis();
    assert!((retry::GIVE_UP_MS..retry::GIVE_UP_MS + retry::WAIT_MAX_MS).contains(&passed_ms));
    assert_eq!(states(&world.registry), [(DeliveryState::Failed, rounds + 1)]);
    assert!(rounds < retry::ATTEMPTS_MAX);
}

#[tokio::test]
async fn who_was_told_is_told_that_it_is_over_in_the_same_thread() {
    let server = Smtp::start(Manner::default()).await;
    let mut world = World::new("B");
    world.add("li", Language::Zh);
    world.raise();
    world.courier(by_mail(&settings(&server))).round().await.unwrap();
    world.add("late", Language::En);
    let kinds: Vec<_> = world.minutes(12, 25.0).iter().map(|it| it.kind).collect();
    assert_eq!(kinds, [Kind::Returned]);
    world.courier(by_mail(&settings(&server))).round().await.unwrap();
    let mails = server.messages();
    assert_eq!(mails.len(), 2, "who was not told of it is not told that it is over");
    let first = mails[0].header("Message-ID").unwrap();
    assert_ne!(mails[1].header("Message-ID").unwrap(), first);
    assert_eq!(mails[1].header("In-Reply-To").as_ref(), Some(&first));
    assert_eq!(mails[1].header("References").as_ref(), Some(&first));
    assert!(mails[1].subject().starts_with("[恢复/Returned] 一号棚 空气温度 25.0 °C"));
    let text = mails[1].text();
    assert!(text.contains("https://miaopu.example:8443/alarms/1") && !text.contains("/answer#"));
    assert!(text.contains("其间最甚 38.2 °C") && text.contains("恢复:2026-11-23 14:13"), "{text}");
    assert_eq!(mails[1].header("Importance"), None, "an end wakes nobody");
}

#[tokio::test]
async fn an_end_is_not_told_before_its_beginning() {
    let server = Smtp::start(Manner { refuses: Some(451), ..Manner::default() }).await;
    let mut world = World::new("B");
    world.add("li", Language::Zh);
    world.raise();
    world.courier(by_mail(&settings(&server))).round().await.unwrap();
    world.minutes(12, 25.0);
    server.manner.lock().unwrap().refuses = None;
    world.courier(by_mail(&settings(&server))).round().await.unwrap();
    assert!(server.messages().is_empty(), "the first one's time has not come");
    world.pass_ms(10_000);
    world.courier(by_mail(&settings(&server))).round().await.unwrap();
    let subjects: Vec<_> = server.messages().iter().map(Mail::subject).collect();
    assert!(subjects[0].starts_with("[高/High]") && subjects[1].starts_with("[恢复/Returned]"));
}

#[tokio::test]
async fn a_shelved_alarm_tells_nobody_until_it_leaves_the_shelf() {
    let server = Smtp::start(Manner::default()).await;
    let mut world = World::new("B");
    world.add("li", Language::Zh);
    world.raise();
    let mut courier = world.courier(by_mail(&settings(&server)));
    courier.round().await.unwrap();
    let until = world.now().plus_ms(3_600_000);
    world.act(Action::Shelve { until, one_shot: false });
    world.minutes(12, 25.0);
    world.minutes(12, 38.2);
    courier.round().await.unwrap();
    let subjects: Vec<_> = server.messages().iter().map(Mail::subject).collect();
    assert_eq!(subjects.len(), 2, "{subjects:?}");
    assert!(subjects[1].starts_with("[恢复/Returned]"), "an end is never kept back");
    world.act(Action::Unshelve);
    courier.round().await.unwrap();
    assert_eq!(server.messages().len(), 3, "still too hot when it leaves the shelf");
    assert!(server.messages()[2].subject().contains("38.2 °C > 35.0"));
}

#[tokio::test]
async fn a_weak_limit_tells_nobody_until_it_is_confirmed() {
    for class in ["C", "G"] {
        let server = Smtp::start(Manner::default()).await;
        let mut world = World::new(class);
        world.add("li", Language::Zh);
        world.raise();
        world.minutes(12, 25.0);
        let mut courier = world.courier(by_mail(&settings(&server)));
        courier.round().await.unwrap();
        assert!(server.messages().is_empty(), "class {class}");
        world.confirm();
        world.minutes(12, 38.2);
        courier.round().await.unwrap();
        assert_eq!(server.messages().len(), 1, "class {class}, confirmed");
    }
}

#[tokio::test]
async fn whoever_is_woken_by_alarms_is_told_that_the_disk_is_full_in_the_own_language_first() {
    let server = Smtp::start(Manner::default()).await;
    let world = World::new("B");
    world.add("li", Language::Zh);
    world.add("han", Language::En);
    let office = by_mail(&settings(&server));
    let people = world.registry.people().unwrap();
    let made = Timestamp::from_millis(1_795_000_000_000).unwrap();
    for (number, to) in office.told(&people).iter().enumerate() {
        let message = format!("gateway{number}");
        // A repeat is the same message.
        for _ in 0..2 {
            office.tell(Notice::DiskFull, to, &people, (&message, made)).await.unwrap();
        }
    }
    let mails = server.messages();
    assert_eq!(mails.len(), 4);
    let mut different = ids(&mails);
    different.dedup();
    assert_eq!(different.len(), 2);
    for mail in &mails {
        assert_eq!(mail.subject(), "[严重/Critical] 网关磁盘已满 · The gateway's disk is full");
        assert_eq!(mail.header("Importance").as_deref(), Some("high"));
        let text = mail.text();
        let (zh, en) = (text.find("网关的磁盘已满").unwrap(), text.find("disk is full").unwrap());
        assert_eq!(zh < en, mail.header("To").unwrap().contains("li@example.com"));
    }
}
