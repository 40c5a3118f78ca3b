//! The technician's night over real HTTP: shelving, links of messages, notes, confirmed limits,
//! contacts, test messages, and what the morning reads of it.

use alarms::AlarmId;
use measure::Quantity;
use people::{Actor, Role};
use serde_json::{Value, json};

use crate::world::{Answer, Ask, MINUTE_MS, NOW_MS, World, at, name};
use crate::{PASSWORD, sign_in};

const HOUR_MS: i64 = 60 * MINUTE_MS;

/// A house that is too hot; returns the alarm's id.
fn too_hot(world: &World) -> String {
    world.measure("n2", Quantity::AirTemperature, &[36.0; 15]);
    let [alarm] = world.registry.alarms(registry::Which::Open, 9).unwrap().try_into().unwrap();
    alarm.episode.id.0.to_string()
}

fn shelve(world: &World, token: &str, id: &str, until_ms: i64, reason: &str) -> Answer {
    let body = json!({ "until": until_ms.to_string(), "one_shot": false, "reason": reason });
    world.post(token, &format!("/api/v1/alarms/{id}/shelve"), &body)
}

#[test]
fn an_alarm_is_shelved_with_a_reason_and_an_end_and_taken_from_the_shelf() {
    let world = World::start();
    let token = world.token(Role::Technician);
    let id = too_hot(&world);
    let field = |answer: Answer| {
        assert_eq!(answer.status, 422, "{}", answer.body);
        answer.json()["field"].as_str().unwrap().to_owned()
    };
    assert_eq!(field(shelve(&world, &token, &id, NOW_MS + HOUR_MS, " ")), "reason");
    assert_eq!(field(shelve(&world, &token, &id, NOW_MS, "probe")), "until");
    assert_eq!(field(shelve(&world, &token, &id, NOW_MS + 25 * HOUR_MS, "probe")), "until");
    let shelved = shelve(&world, &token, &id, NOW_MS + 24 * HOUR_MS, "the probe is being moved");
    assert_eq!(shelved.status, 200, "{}", shelved.body);
    let expect = json!({
        "until_ms": NOW_MS + 24 * HOUR_MS, "one_shot": false, "by": "token:technician",
        "reason": "the probe is being moved",
    });
    assert_eq!(shelved.json()["shelved"], expect);
    let listed = world.get(&token, "/api/v1/alarms").json();
    assert_eq!(listed["alarms"][0]["shelved"], expect);

    let path = format!("/api/v1/alarms/{id}");
    let answer = world.post(&token, &format!("{path}/unshelve"), &json!({ "comment": "" }));
    assert_eq!((answer.status, &answer.json()["shelved"]), (200, &Value::Null));
    assert_eq!(answer.json()["state"], "unacknowledged");
    let timeline = world.get(&token, &path).json()["timeline"].clone();
    let kinds: Vec<_> = timeline.as_array().unwrap().iter().map(|it| it["kind"].clone()).collect();
    assert_eq!(kinds, ["raised", "shelved", "unshelved"]);
    let over = shelve(&world, &token, "999", NOW_MS + HOUR_MS, "x");
    assert_eq!(over.status, 404);
}

fn ask_open(world: &World, path: &str, token: &str) -> Answer {
    let body = json!({ "token": token }).to_string();
    world.ask("POST", path, Ask { body: Some(&body), ..Ask::default() })
}

/// A user with a link to the open alarm; returns the link's token.
fn link(world: &World, user: &str, role: Role, id: &str) -> String {
    let (by, user) = (Actor::CommandLine, name(user));
    world.registry.add_user(&user, role, PASSWORD, &by, at(NOW_MS)).unwrap();
    let alarm = AlarmId(id.parse().unwrap());
    let token = world.registry.draw_link(alarm, &user, "m1", at(NOW_MS)).unwrap();
    token.reveal().to_owned()
}

#[test]
fn a_message_s_link_shows_the_alarm_and_acknowledges_it_once() {
    let world = World::start();
    let id = too_hot(&world);
    let token = link(&world, "李雷", Role::Technician, &id);
    for _ in 0..3 {
        let card = ask_open(&world, "/api/v1/answers/look", &token);
        assert_eq!(card.status, 200, "{}", card.body);
        let card = card.json();
        assert_eq!(
            (&card["used"], &card["alarm"]["state"]),
            (&json!(false), &json!("unacknowledged"))
        );
        assert_eq!(card["user"], "李雷");
        assert_eq!(card["site_name"]["zh"], "南川苗圃");
        assert_eq!(card["time_zone"], "Asia/Shanghai");
        assert_eq!(card["expires_ms"], NOW_MS + registry::LINK_MS);
        assert!(card["action"]["zh"].as_str().unwrap().starts_with("打开通风"));
    }
    for method in ["GET", "HEAD"] {
        let looked = world.begin(method, "/api/v1/answers", Ask::default());
        assert_eq!(looked.status(), 405, "{method}");
    }
    let done = ask_open(&world, "/api/v1/answers", &token);
    assert_eq!(done.status, 200, "{}", done.body);
    assert_eq!(
        (&done.json()["used"], &done.json()["alarm"]["state"]),
        (&json!(true), &json!("acknowledged"))
    );
    let kept = world.registry.alarm(AlarmId(id.parse().unwrap())).unwrap().unwrap();
    let acknowledged = kept.episode.acknowledged.unwrap();
    assert_eq!(acknowledged.by, "user:李雷");
    assert!(acknowledged.comment.contains("by the link of message m1"));

    let again = ask_open(&world, "/api/v1/answers", &token);
    assert_eq!((again.status, &again.json()["code"]), (409, &json!("link_used")));
    let card = ask_open(&world, "/api/v1/answers/look", &token).json();
    assert_eq!((&card["used"], &card["alarm"]["acknowledged_by"]), (&json!(true), &json!("李雷")));
}

#[test]
fn a_link_dies_with_its_time_its_right_and_its_user() {
    let world = World::start();
    let id = too_hot(&world);
    let viewer = link(&world, "viewer", Role::Viewer, &id);
    let refused = ask_open(&world, "/api/v1/answers", &viewer);
    assert_eq!((refused.status, &refused.json()["code"]), (403, &json!("not_allowed")));
    let gone = link(&world, "gone", Role::Technician, &id);
    world.registry.remove_user(&name("gone"), &Actor::CommandLine, at(NOW_MS)).unwrap();
    assert_eq!(ask_open(&world, "/api/v1/answers/look", &gone).status, 404);
    let token = link(&world, "li", Role::Technician, &id);
    world.pass_ms(registry::LINK_MS - 1);
    assert_eq!(ask_open(&world, "/api/v1/answers/look", &token).status, 200);
    world.pass_ms(1);
    for path in ["/api/v1/answers/look", "/api/v1/answers"] {
        let expired = ask_open(&world, path, &token);
        assert_eq!((expired.status, &expired.json()["code"]), (410, &json!("link_expired")));
        assert!(!expired.json()["message"]["zh"].as_str().unwrap().is_empty());
    }
    let alarm = world.registry.alarm(AlarmId(id.parse().unwrap())).unwrap().unwrap();
    assert_eq!(alarm.episode.acknowledged, None);
}

#[test]
fn guessing_links_becomes_slow() {
    let world = World::start();
    let id = too_hot(&world);
    let token = link(&world, "li", Role::Technician, &id);
    for _ in 0..people::PAIR_FREE {
        let unknown = ask_open(&world, "/api/v1/answers/look", "made-up");
        assert_eq!((unknown.status, &unknown.json()["code"]), (404, &json!("link_unknown")));
    }
    let slowed = ask_open(&world, "/api/v1/answers/look", &token);
    assert_eq!((slowed.status, slowed.header("retry-after")), (429, "1"));
    world.pass_ms(1_000);
    assert_eq!(ask_open(&world, "/api/v1/answers/look", &token).status, 200);
}

#[test]
fn the_morning_reads_what_the_night_left() {
    let world = World::start();
    let token = world.token(Role::Technician);
    let id = too_hot(&world);
    let text =
        json!({ "site": "nanchuan", "zone": "house-2", "alarm": id, "text": "风机皮带已换" });
    let made = world.post(&token, "/api/v1/notes", &text);
    assert_eq!(made.status, 201, "{}", made.body);
    let note = made.json();
    let night = world.get(&token, "/api/v1/overview").json()["night"].clone();
    // 14:00 in Nanchuan: since 18:00 of the day before.
    assert_eq!(night["from_ms"], NOW_MS - 20 * HOUR_MS);
    assert_eq!((&night["raised"], &night["told"]), (&json!(1), &json!(0)));
    assert_eq!((&night["alarms"][0]["id"], &night["notes"][0]), (&json!(id), &note));
    let detail = world.get(&token, &format!("/api/v1/alarms/{id}")).json();
    assert_eq!(detail["notes"], json!([note]));

    let done = world.post(&token, &format!("/api/v1/notes/{}/done", note["id"]), &json!({}));
    assert_eq!((done.status, &done.json()["done_by"]), (200, &json!("token:technician")));
    assert_eq!(world.get(&token, "/api/v1/notes").json()["notes"], json!([]));
    let all = world.get(&token, "/api/v1/notes?state=all").json();
    assert_eq!(all["notes"][0], done.json());
    let night = world.get(&token, "/api/v1/overview").json()["night"].clone();
    assert_eq!(night["notes"], json!([]));
    world.pass_ms(4 * HOUR_MS);
    let night = world.get(&token, "/api/v1/overview").json()["night"].clone();
    assert_eq!((&night["from_ms"], &night["raised"]), (&json!(NOW_MS + 4 * HOUR_MS), &json!(0)));
}

#[test]
fn who_was_told_stands_with_the_alarm() {
    let world = World::start();
    let token = world.token(Role::Viewer);
    let id = too_hot(&world);
    let [message] = world.registry.outbox().unwrap().try_into().unwrap();
    let to = |channel, name: &str| registry::Recipient { channel, name: name.into() };
    let told = [to(registry::Channel::Email, "li"), to(registry::Channel::Webhook, "hook")];
    world.registry.fan_out(message.number, &told, at(NOW_MS)).unwrap();
    let [mail, hook] = world.registry.due_deliveries(at(NOW_MS), 9).unwrap().try_into().unwrap();
    let again = registry::Tried::Again { next: at(NOW_MS + 10_000), reason: "451 later".into() };
    let times = (at(NOW_MS), at(NOW_MS));
    world.registry.record_try(mail.delivery.number, &again, times).unwrap();
    world.registry.record_try(hook.delivery.number, &registry::Tried::Sent, times).unwrap();
    let detail = world.get(&token, &format!("/api/v1/alarms/{id}")).json();
    let expect = json!([
        { "channel": "email", "to": "li", "state": "waiting", "at_ms": NOW_MS + 10_000,
          "attempts": 1, "error": "451 later" },
        { "channel": "webhook", "to": "hook", "state": "sent", "at_ms": NOW_MS,
          "attempts": 1, "error": null },
    ]);
    assert_eq!(detail["messages"], expect);
    let night = world.get(&token, "/api/v1/overview").json()["night"].clone();
    assert_eq!(night["told"], 1);
    let notify = world.get(&world.token(Role::Admin), "/api/v1/notify").json();
    assert_eq!((&notify["waiting"], &notify["failed"]), (&json!(1), &json!(0)));
}

fn limit(world: &World, token: &str) -> Value {
    let zone = world.get(token, "/api/v1/zones/nanchuan/house-1").json();
    let tracks = zone["bands"].as_array().unwrap();
    let track = tracks.iter().find(|it| it["quantity"] == "relative_humidity").unwrap();
    let limits = track["steps"][0]["band"]["limits"].as_array().unwrap().clone();
    limits.into_iter().find(|it| it["side"] == "low").unwrap()
}

#[test]
fn a_weak_limit_is_confirmed_as_it_is_shown_and_wakes_from_then_on() {
    let world = World::start();
    let token = world.token(Role::Grower);
    world.measure("n1", Quantity::RelativeHumidity, &[80.0; 3]);
    let before = limit(&world, &token);
    assert_eq!((&before["class"], &before["wakes"]), (&json!("C"), &json!(false)));
    assert_eq!(
        (&before["needs_confirmation"], &before["confirmed_by"]),
        (&json!(true), &Value::Null)
    );
    let ask = |limit: f64, reason: &str, quantity: &str| {
        let body = json!({
            "site": "nanchuan", "zone": "house-1", "quantity": quantity, "side": "low",
            "limit": limit, "reason": reason,
        });
        let answer = world.post(&token, "/api/v1/limits/confirm", &body);
        let field =
            (answer.status == 422).then(|| answer.json()["field"].as_str().unwrap().to_owned());
        (answer.status, field.unwrap_or_default())
    };
    assert_eq!(ask(40.0, "", "relative_humidity"), (422, "reason".into()));
    assert_eq!(ask(41.0, "ours", "relative_humidity"), (422, "limit".into()));
    assert_eq!(ask(10.0, "ours", "air_temperature"), (422, "limit".into()), "class B needs none");
    assert_eq!(ask(40.0, "ours", "joy"), (422, "quantity".into()));
    assert_eq!(ask(40.0, "measured here for years", "relative_humidity"), (204, String::new()));
    let after = limit(&world, &token);
    assert_eq!((&after["wakes"], &after["needs_confirmation"]), (&json!(true), &json!(false)));
    assert_eq!(after["confirmed_by"], "token:grower");
    let last = world.registry.changes(0).unwrap().pop().unwrap();
    assert_eq!(
        (last.what.as_str(), last.why.as_deref()),
        ("limit.confirm", Some("measured here for years"))
    );
}

#[test]
fn people_say_where_they_are_told_and_admins_for_others() {
    let world = World::start();
    let admin = world.token(Role::Admin);
    let contact = json!({ "email": "li@example.com", "language": "en", "wakes": true });
    let user =
        json!({ "user": "li", "role": "technician", "password": PASSWORD, "contact": contact });
    let made = world.post(&admin, "/api/v1/users", &user);
    assert_eq!((made.status, &made.json()["contact"]), (201, &contact), "{}", made.body);
    let cookie = sign_in(&world, "li", PASSWORD).unwrap();
    let ask = Ask { cookie: Some(&cookie), ..Ask::default() };
    assert_eq!(world.ask("GET", "/api/v1/session", ask).json()["contact"], contact);
    let other = json!({ "email": null, "language": "zh", "wakes": false });
    let body = other.to_string();
    let own = |ask| world.ask("POST", "/api/v1/session/contact", Ask { body: Some(&body), ..ask });
    assert_eq!(own(ask).json()["code"], "password_change_required");
    let change = json!({ "old": PASSWORD, "new": "second leaf of spring" }).to_string();
    let changed = world.ask("POST", "/api/v1/session/password", Ask { body: Some(&change), ..ask });
    assert_eq!(changed.status, 204);
    assert_eq!((own(ask).status, own(ask).json()), (200, other.clone()));
    assert_eq!(world.get(&admin, "/api/v1/users").json()["users"][0]["contact"], other);
    let wrong = json!({ "email": "li@example.com\r\nBcc: x@y", "language": "zh", "wakes": true });
    let wrong = world.post(&admin, "/api/v1/users/li/contact", &wrong);
    assert_eq!((wrong.status, wrong.json()["field"].as_str()), (422, Some("email")));
    assert_eq!(world.post(&admin, "/api/v1/users/nobody/contact", &other).status, 404);
    assert_eq!(world.post(&admin, "/api/v1/users/li/contact", &contact).status, 200);
    let token = Ask { token: Some(&admin), ..Ask::default() };
    assert_eq!(own(token).json()["code"], "not_a_user");
}

#[test]
fn a_test_message_says_what_became_of_it() {
    let world = World::start();
    let admin = world.token(Role::Admin);
    let shown = world.get(&admin, "/api/v1/notify").json();
    assert_eq!(shown["public_url"], "https://miaopu.example:8443");
    assert_eq!(shown["channels"][0]["channel"], "webhook");
    assert!(shown["channels"][0]["server"].as_str().unwrap().starts_with("127.0.0.1:"));
    let tried = world.post(&admin, "/api/v1/notify/test", &json!({}));
    assert_eq!(tried.status, 200, "{}", tried.body);
    let results = tried.json()["results"].clone();
    let expect = json!([{ "channel": "webhook", "to": "127.0.0.1", "state": "sent",
                          "at_ms": NOW_MS, "attempts": 1, "error": null }]);
    assert_eq!(results, expect);
    let last = world.registry.changes(0).unwrap().pop().unwrap();
    assert_eq!(
        (last.what.as_str(), last.detail.as_str()),
        ("notify.test", "{\"webhook\":\"sent\"}")
    );
}
