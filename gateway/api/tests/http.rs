//! The API over real HTTP: who may do what, what is answered, and what is refused.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on stops")]

mod curated;
mod founded;
mod gauged;
#[path = "https/mod.rs"]
mod https;
mod nights;
mod raised;
mod studied;
mod world;

use measure::Quantity;
use people::{Right, Role};
use serde_json::{Value, json};
use world::{Ask, MINUTE_MS, NOW_MS, World, at, name};

const PASSWORD: &str = "first leaf of spring";

/// Every method and path of the OpenAPI document, with the right that it says it needs.
fn routes() -> Vec<(String, String, Option<String>, bool)> {
    let document: Value = serde_json::from_str(&api::openapi_text()).unwrap();
    let mut routes = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let right = operation["x-right"].as_str().map(str::to_owned);
            let open = operation.get("security").is_none();
            let path = path.replace("{id}", "0").replace("{site}", "s").replace("{zone}", "z");
            let path = path.replace("{batch}", "b").replace("{number}", "0");
            let path = path.replace("{user}", "nobody").replace("{name}", "nothing");
            routes.push((method.to_uppercase(), path, right, open));
        }
    }
    routes
}

fn walk(world: &World, token: Option<&str>, check: impl Fn(u16, Option<&str>, bool, &str)) {
    for (method, path, right, open) in routes() {
        let body = (method == "POST").then_some("{}");
        let answer = world.begin(&method, &path, Ask { token, body, ..Ask::default() });
        let what = format!("{method} {path}");
        check(answer.status().as_u16(), right.as_deref(), open, &what);
    }
}

#[test]
fn a_node_is_set_and_told_by_who_may_and_every_change_says_who_and_why() {
    let world = World::start();
    let (technician, viewer) = (world.token(Role::Technician), world.token(Role::Viewer));
    let node = world.get(&viewer, "/api/v1/nodes").json()[0].clone();
    let base = format!(
        "/api/v1/nodes/{}/{}",
        node["site"].as_str().unwrap(),
        node["node"].as_str().unwrap()
    );
    let (settings, commands) = (format!("{base}/settings"), format!("{base}/commands"));
    let asked =
        |interval: u32, why: &str| json!({ "settings": { "interval_ms": interval }, "why": why });
    assert_eq!(world.get(&viewer, &settings).json()["state"], "none");
    assert_eq!(world.post(&viewer, &settings, &asked(60_000, "trial")).status, 403);
    assert_eq!(world.post(&viewer, &commands, &json!({ "command": "identify" })).status, 403);
    let refused = |asked| world.post(&technician, &settings, &asked).json()["field"].clone();
    assert_eq!(refused(asked(60_000, " ")), "why");
    assert_eq!(refused(asked(999, "trial")), "settings.interval_ms");
    assert_eq!(world.post(&technician, &settings, &asked(60_000, "trial")).status, 200);
    let told = world.post(&technician, &commands, &json!({ "command": "identify" }));
    assert_eq!((told.status, &told.json()["commands"][0]["outcome"]), (202, &json!("waiting")));
    let nobody =
        world.post(&technician, "/api/v1/nodes/x/y/commands", &json!({ "command": "reboot" }));
    assert_eq!(nobody.status, 404);
    let changes = world.registry.changes(0).unwrap();
    let of = |what: &str| changes.iter().find(|it| it.what == what).unwrap().clone();
    assert_eq!(of("node.settings").why.as_deref(), Some("trial"));
    assert!(of("node.settings").detail.contains("60000"));
    assert_eq!(of("node.command").by.to_string(), "token:technician");
}

#[test]
fn every_route_lets_in_exactly_the_roles_that_have_its_right() {
    let world = World::start();
    assert!(routes().len() >= 20);
    walk(&world, None, |status, _, open, what| {
        assert_eq!(status == 401, !open, "{what} without credentials: {status}");
    });
    walk(&world, Some("miaopu_made-up"), |status, _, open, what| {
        assert_eq!(status == 401, !open, "{what} with a made-up token: {status}");
    });
    for role in Role::ALL {
        let token = world.token(role);
        walk(&world, Some(&token), |status, right, _, what| {
            let right = right.map(|name| *Right::ALL.iter().find(|it| it.name() == name).unwrap());
            let may = right.is_none_or(|right| role.may(right));
            assert_eq!(status == 403, !may, "{what} as {role}: {status}");
            assert!(status != 401 && status < 500, "{what} as {role}: {status}");
        });
    }
}

/// Signs in and returns the cookie.
fn sign_in(world: &World, user: &str, password: &str) -> Option<String> {
    let body = json!({ "user": user, "password": password }).to_string();
    let answer = world.ask("POST", "/api/v1/session", Ask { body: Some(&body), ..Ask::default() });
    if answer.status != 200 {
        return None;
    }
    let cookie = answer.header("set-cookie");
    for part in ["Path=/", "HttpOnly", "SameSite=Strict", "Max-Age="] {
        assert!(cookie.contains(part), "{cookie}");
    }
    let value = cookie.split(['=', ';']).nth(1).unwrap();
    Some(value.to_owned())
}

#[test]
fn the_first_admin_signs_in_changes_the_password_and_signs_out() {
    let world = World::start();
    let first = world.registry.first_admin(at(NOW_MS)).unwrap().unwrap();
    let cookie = sign_in(&world, "admin", first.reveal()).unwrap();
    let ask = Ask { cookie: Some(&cookie), ..Ask::default() };
    let session = world.ask("GET", "/api/v1/session", ask).json();
    assert_eq!(session["user"], "admin");
    assert_eq!(session["must_change_password"], true);
    assert_eq!(world.ask("GET", "/api/v1/overview", ask).status, 200);
    let refused = world.ask("GET", "/api/v1/users", ask);
    assert_eq!(
        (refused.status, &refused.json()["code"]),
        (403, &json!("password_change_required"))
    );

    let other = sign_in(&world, "admin", first.reveal()).unwrap();
    let change = json!({ "old": first.reveal(), "new": PASSWORD }).to_string();
    let changed = world.ask("POST", "/api/v1/session/password", Ask { body: Some(&change), ..ask });
    assert_eq!(changed.status, 204, "{}", changed.body);
    assert_eq!(world.ask("GET", "/api/v1/users", ask).status, 200);
    let other = Ask { cookie: Some(&other), ..Ask::default() };
    assert_eq!(world.ask("GET", "/api/v1/session", other).status, 401, "other sessions end");
    assert!(sign_in(&world, "admin", first.reveal()).is_none());
    assert!(sign_in(&world, "admin", PASSWORD).is_some());
    assert!(world.registry.first_admin(at(NOW_MS)).unwrap().is_none());

    let ended = world.ask("DELETE", "/api/v1/session", ask);
    assert!(ended.status == 204 && ended.header("set-cookie").contains("Max-Age=0"));
    assert_eq!(world.ask("GET", "/api/v1/session", ask).status, 401);
}

#[test]
fn another_site_s_page_changes_nothing() {
    let world = World::start();
    let first = world.registry.first_admin(at(NOW_MS)).unwrap().unwrap();
    let cookie = sign_in(&world, "admin", first.reveal()).unwrap();
    let path = "/api/v1/alarms/1/comment";
    let post = |headers: &[(&str, &str)]| {
        let ask = Ask { cookie: Some(&cookie), headers, body: Some("{}"), ..Ask::default() };
        world.ask("POST", path, ask).status
    };
    let own = format!("http://{}", world.address);
    assert_eq!(post(&[("origin", &own), ("sec-fetch-site", "same-origin")]), 422);
    assert_eq!(post(&[("origin", "http://evil.example")]), 403);
    assert_eq!(post(&[("sec-fetch-site", "cross-site")]), 403);
    assert_eq!(post(&[("content-type", "text/plain")]), 415);
    let body = json!({ "user": "admin", "password": first.reveal() }).to_string();
    let headers = [("origin", "http://evil.example")];
    let ask = Ask { headers: &headers, body: Some(&body), ..Ask::default() };
    assert_eq!(world.ask("POST", "/api/v1/session", ask).status, 403);
}

#[test]
fn guessing_passwords_becomes_slow() {
    let world = World::start();
    let first = world.registry.first_admin(at(NOW_MS)).unwrap().unwrap();
    let body = |password: &str| json!({ "user": "admin", "password": password }).to_string();
    let guess = |password: &str| {
        let body = body(password);
        world.ask("POST", "/api/v1/session", Ask { body: Some(&body), ..Ask::default() })
    };
    for _ in 0..people::PAIR_FREE {
        assert_eq!(guess("wrong").status, 401);
    }
    let slowed = guess(first.reveal());
    assert_eq!((slowed.status, slowed.header("retry-after")), (429, "1"));
    world.pass_ms(1_000);
    assert_eq!(guess(first.reveal()).status, 200);
    assert_eq!(guess("wrong").status, 401, "the right password forgives");
}

#[track_caller]
fn refused(world: &World, token: &str, path: &str, status: u16, code: &str, field: Option<&str>) {
    let answer = world.get(token, path);
    let problem = answer.json();
    assert_eq!((answer.status, problem["code"].as_str().unwrap()), (status, code), "{path}");
    assert_eq!(problem["field"].as_str(), field, "{path}");
    for language in ["zh", "en"] {
        assert!(!problem["message"][language].as_str().unwrap().is_empty());
    }
}

#[test]
fn every_refusal_names_what_is_wrong_in_both_languages() {
    let world = World::start();
    let token = world.token(Role::Admin);
    let series = "/api/v1/channels/1/series";
    let invalid = "invalid_value";
    refused(&world, &token, "/api/v1/nothing", 404, "not_found", None);
    refused(&world, &token, "/api", 404, "not_found", None);
    refused(&world, &token, "/api/v1/channels/99/series", 404, "not_found", None);
    refused(&world, &token, "/api/v1/channels/x/series", 404, "not_found", None);
    refused(&world, &token, "/api/v1/zones/nanchuan/None", 404, "not_found", None);
    refused(&world, &token, "/api/v1/zones/%ff/z", 404, "not_found", None);
    refused(&world, &token, "/api/v1/alarms/7", 404, "not_found", None);
    refused(&world, &token, "/api/v1/alarms?state=old", 422, invalid, Some("state"));
    refused(&world, &token, "/api/v1/alarms?stat=open", 422, invalid, Some("stat"));
    refused(&world, &token, &format!("{series}?points=0"), 422, invalid, Some("points"));
    refused(&world, &token, &format!("{series}?points=10001"), 422, invalid, Some("points"));
    refused(&world, &token, &format!("{series}?from=noon"), 422, invalid, Some("from"));
    refused(&world, &token, &format!("{series}?from=5&to=5"), 422, invalid, Some("from"));
    refused(&world, &token, &format!("{series}?from=1&from=2"), 422, invalid, Some("from"));
    refused(
        &world,
        &token,
        &format!("{series}?from=0&to=9999-01-01T00:00:00Z&points=10"),
        422,
        invalid,
        Some("points"),
    );
    let wrong = world.ask("PUT", "/api/v1/alarms", Ask { token: Some(&token), ..Ask::default() });
    assert_eq!((wrong.status, &wrong.json()["code"]), (405, &json!("method_not_allowed")));
    for (body, status, field) in [
        ("{", 400, None),
        ("{\"name\":\"ci\",\"role\":\"root\"}", 422, Some("role")),
        ("{\"name\":\" \",\"role\":\"viewer\"}", 422, Some("name")),
        ("{\"name\":\"ci\"}", 422, None),
    ] {
        let ask = Ask { token: Some(&token), body: Some(body), ..Ask::default() };
        let answer = world.ask("POST", "/api/v1/tokens", ask);
        assert_eq!((answer.status, answer.json()["field"].as_str()), (status, field), "{body}");
    }
    let large = format!("{{\"name\":\"{}\"}}", "a".repeat(api::BODY_BYTES_MAX));
    let ask = Ask { token: Some(&token), body: Some(&large), ..Ask::default() };
    assert_eq!(world.ask("POST", "/api/v1/tokens", ask).status, 413);
}

#[test]
fn a_chart_has_every_bucket_and_null_where_there_is_nothing() {
    let world = World::start();
    let token = world.token(Role::Viewer);
    let id = world.measure("n1", Quantity::AirTemperature, &[24.0, 25.0, 26.5]);
    let (from, to) = (NOW_MS - 5 * MINUTE_MS, NOW_MS + MINUTE_MS);
    let path = format!("/api/v1/channels/{}/series?from={from}&to={to}&points=6", id.0);
    let series = world.get(&token, &path).json();
    assert_eq!(series["step_ms"], MINUTE_MS);
    assert_eq!(series["unit"], "Cel");
    assert_eq!(series["time_ms"][0], from);
    assert_eq!(series["mean"], json!([null, null, null, 24.0, 25.0, 26.5]));
    assert_eq!(series["count"], json!([0, 0, 0, 1, 1, 1]));
    assert_eq!(series["quality"], json!([null, null, null, 1, 1, 1]));
    let rfc = "from=2026-11-23T13:59:00%2B08:00&to=2026-11-23T06:01:00Z";
    let path = format!("/api/v1/channels/{}/series?{rfc}&points=1", id.0);
    let series = world.get(&token, &path).json();
    assert_eq!(
        series["step_ms"],
        3 * 3_600_000,
        "12:00 to 15:00 holds what two hours from 14:00 split"
    );
    assert_eq!((&series["min"], &series["max"]), (&json!([25.0]), &json!([26.5])));

    let channels = world.get(&token, "/api/v1/channels").json();
    let channel = channels.as_array().unwrap().iter().find(|it| it["id"] == id.0).unwrap();
    assert_eq!(channel["zone"], "house-1");
    assert_eq!(channel["latest"]["time"], "2026-11-23T06:00:00Z");
    assert_eq!(channel["latest"]["value"], 26.5);
    assert_eq!(
        (&channel["input"], &channel["latest"]["quality"]),
        (&json!("good"), &json!("good"))
    );
    world.pass_ms(30 * MINUTE_MS);
    let channels = world.get(&token, "/api/v1/channels").json();
    let channel = channels.as_array().unwrap().iter().find(|it| it["id"] == id.0).unwrap();
    assert_eq!(channel["input"], "stale");
}

#[test]
fn the_worst_house_comes_first_with_what_is_wrong() {
    let world = World::start();
    let token = world.token(Role::Grower);
    world.measure("n1", Quantity::AirTemperature, &[25.0; 15]);
    world.measure("n1", Quantity::RelativeHumidity, &[80.0; 15]);
    world.measure("n2", Quantity::AirTemperature, &[30.0; 15]);
    let overview = world.get(&token, "/api/v1/overview").json();
    let [first, second] = overview["zones"].as_array().unwrap().as_slice() else { panic!() };
    assert_eq!((&first["zone"], &second["zone"]), (&json!("house-2"), &json!("house-1")));
    assert_eq!(second["worst"], Value::Null);
    assert_eq!(first["worst"]["beyond"], "band");
    assert_eq!(first["worst"]["by"], 2.0);
    assert_eq!(first["crop"], json!({ "zh": "水稻", "en": "rice" }));
    let glance = &second["channels"][0];
    assert_eq!(glance["sparkline"].as_array().unwrap().len(), 48);
    assert_eq!(glance["sparkline"][47], 25.0);
    assert_eq!(glance["band"]["target_high"], 28.0);

    let from = NOW_MS - 86_400_000;
    let zone =
        world.get(&token, &format!("/api/v1/zones/nanchuan/house-2?from={from}&to={NOW_MS}"));
    let zone = zone.json();
    assert_eq!(zone["stages"][0]["stage"]["en"], "nursery");
    assert_eq!(zone["nights"].as_array().unwrap().len(), 1, "one night in the last day");
    let track = zone["bands"].as_array().unwrap();
    let track = track.iter().find(|it| it["quantity"] == "air_temperature").unwrap();
    let highs: Vec<_> = track["steps"].as_array().unwrap().iter().collect();
    let highs: Vec<_> = highs.iter().map(|step| &step["band"]["target_high"]).collect();
    assert_eq!(highs, [28.0, 22.0, 28.0], "day, night, day");
    assert_eq!(zone["nodes"][0]["node"], "n2");
}

#[test]
fn an_alarm_is_acknowledged_over_http_and_is_on_disk_with_who_and_when() {
    let world = World::start();
    let registry = &world.registry;
    registry
        .add_user(
            &name("李雷"),
            Role::Technician,
            PASSWORD,
            &people::Actor::CommandLine,
            at(NOW_MS),
        )
        .unwrap();
    let cookie = sign_in(&world, "李雷", PASSWORD).unwrap();
    let id = world.measure("n2", Quantity::AirTemperature, &[36.0; 15]);
    let ask = Ask { cookie: Some(&cookie), ..Ask::default() };
    let list = world.ask("GET", "/api/v1/alarms?state=unacknowledged", ask).json();
    let [alarm] = list["alarms"].as_array().unwrap().as_slice() else { panic!("{list}") };
    assert_eq!((&alarm["channel"], &alarm["state"]), (&json!(id.0), &json!("unacknowledged")));
    assert_eq!(
        (&alarm["zone"], &alarm["limit"], &alarm["value"]),
        (&json!("house-2"), &json!(35.0), &json!(36.0))
    );
    assert_eq!((&alarm["class"], &alarm["wakes"]), (&json!("B"), &json!(true)));
    let path = format!("/api/v1/alarms/{}", alarm["id"].as_str().unwrap());
    assert_eq!(registry.outbox().unwrap().len(), 1, "somebody is to be told");

    world.pass_ms(MINUTE_MS);
    let body = json!({ "comment": "天窗已打开" }).to_string();
    let answer =
        world.ask("POST", &format!("{path}/acknowledge"), Ask { body: Some(&body), ..ask });
    assert_eq!(answer.status, 200, "{}", answer.body);
    let alarm = answer.json();
    assert_eq!(
        (&alarm["state"], &alarm["acknowledged_by"]),
        (&json!("acknowledged"), &json!("李雷"))
    );

    let other = registry::Registry::open(&world.registry_file).unwrap();
    let number = alarm["id"].as_str().unwrap().parse().unwrap();
    let kept = other.alarm(alarms::AlarmId(number)).unwrap().unwrap().episode.acknowledged.unwrap();
    assert_eq!((kept.by.as_str(), kept.at), ("user:李雷", at(NOW_MS + MINUTE_MS)));
    assert_eq!(kept.comment, "天窗已打开");

    let comment = json!({ "comment": "温度在下降" }).to_string();
    let answer = world.ask("POST", &format!("{path}/comment"), Ask { body: Some(&comment), ..ask });
    assert_eq!(answer.status, 200, "{}", answer.body);
    let detail = world.ask("GET", &path, ask).json();
    let kinds: Vec<_> = detail["timeline"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["raised", "acknowledged", "commented"]);
    assert!(!detail["action"]["zh"].as_str().unwrap().is_empty());
    let overview = world.ask("GET", "/api/v1/overview", ask).json();
    assert_eq!(
        (&overview["unacknowledged"], &overview["zones"][0]["alarms"]["high"]),
        (&json!(0), &json!(1))
    );
    assert_eq!(overview["zones"][0]["worst"]["severity"], "high");
    let again = world.ask("POST", &format!("{path}/acknowledge"), Ask { body: Some(&body), ..ask });
    assert_eq!(again.status, 200, "acknowledging once more changes nothing: {}", again.body);
}

#[test]
fn what_happens_is_told_to_open_pages() {
    let mut world = World::start();
    let token = world.token(Role::Viewer);
    let mut events = world.events(&token);
    assert_eq!(events.next().unwrap()["type"], "clock");
    let id = world.measure("n2", Quantity::AirTemperature, &[36.0; 15]);
    let mut seen = Vec::new();
    while seen.len() < 2 {
        let event = events.next().unwrap();
        match event["type"].as_str().unwrap() {
            "samples" => {
                assert_eq!(event["channels"][0]["id"], id.0);
                assert_eq!(event["channels"][0]["latest"]["value"], 36.0);
                seen.push("samples");
            }
            "alarm" => {
                assert_eq!(event["alarm"]["zone"], "house-2");
                seen.push("alarm");
            }
            other => assert_eq!(other, "clock"),
        }
    }
    world.announcer.tell(api::Happening::Configuration);
    assert!(events.by_ref().any(|event| event["type"] == "configuration"));
    world.end();
    assert!(events.all(|event| event["type"] == "clock"), "the stream ends with the gateway");
}

#[test]
fn admins_add_and_remove_users_and_tokens() {
    let world = World::start();
    let token = world.token(Role::Admin);
    let user = json!({ "user": "韩梅梅", "role": "grower", "password": PASSWORD });
    assert_eq!(world.post(&token, "/api/v1/users", &user).status, 201);
    assert_eq!(world.post(&token, "/api/v1/users", &user).status, 409);
    let weak = json!({ "user": "x", "role": "grower", "password": "short" });
    let weak = world.post(&token, "/api/v1/users", &weak);
    assert_eq!((weak.status, weak.json()["field"].as_str()), (422, Some("password")));
    let users = world.get(&token, "/api/v1/users").json();
    assert_eq!(users["users"][0]["user"], "韩梅梅");
    assert!(!world.get(&token, "/api/v1/users").body.contains("argon2"));

    let made = world.post(&token, "/api/v1/tokens", &json!({ "name": "r", "role": "researcher" }));
    let secret = made.json()["secret"].as_str().unwrap().to_owned();
    assert_eq!(world.get(&secret, "/api/v1/channels").status, 200);
    let ask = Ask { token: Some(&token), ..Ask::default() };
    assert_eq!(world.ask("DELETE", "/api/v1/tokens/r", ask).status, 204);
    assert_eq!(world.get(&secret, "/api/v1/channels").status, 401);
    let path = "/api/v1/users/%E9%9F%A9%E6%A2%85%E6%A2%85";
    assert_eq!(world.ask("DELETE", path, ask).status, 204);
    let whats: Vec<_> =
        world.registry.changes(0).unwrap().into_iter().map(|it| (it.what, it.by)).collect();
    let removed = whats.iter().find(|(what, _)| what == "user.remove").unwrap();
    assert_eq!(removed.1.to_string(), "token:admin");
}

#[test]
fn the_dashboard_is_served_at_every_address_but_the_api_s() {
    let world = World::start();
    let page = world.ask("GET", "/", Ask::default());
    assert!(page.status == 200 && page.header("content-type").starts_with("text/html"));
    assert!(page.header("content-security-policy").contains("default-src 'none'"));
    assert_eq!(page.header("cache-control"), "no-cache");
    assert_eq!(world.ask("GET", "/houses/nanchuan/house-1", Ask::default()).body, page.body);
    assert_eq!(world.ask("GET", "/missing.js", Ask::default()).status, 404);
    assert_eq!(world.ask("GET", "/../Cargo.toml", Ask::default()).status, 404);
    let headers = [("if-none-match", page.header("etag"))];
    let again = world.ask("GET", "/", Ask { headers: &headers, ..Ask::default() });
    assert_eq!((again.status, again.body.len()), (304, 0));
    let health = world.ask("GET", "/api/v1/health", Ask::default());
    assert_eq!(
        (health.header("cache-control"), health.header("x-content-type-options")),
        ("no-store", "nosniff")
    );
    assert_eq!(health.json()["status"], "ok");
    let headers = [("accept-encoding", "gzip")];
    let packed =
        world.begin("GET", "/api/v1/openapi.json", Ask { headers: &headers, ..Ask::default() });
    assert_eq!(packed.headers().get("content-encoding").unwrap(), "gzip");
}

#[test]
fn metrics_are_for_who_may_read_and_name_routes_by_their_template() {
    let world = World::start();
    assert_eq!(world.ask("GET", "/metrics", Ask::default()).status, 401);
    let wrong = Ask { token: Some("wrong"), ..Ask::default() };
    assert_eq!(world.ask("GET", "/metrics", wrong).status, 401);
    let token = world.token(Role::Viewer);
    for id in 1..=3 {
        assert_eq!(world.get(&token, &format!("/api/v1/alarms/{id}")).status, 404);
    }
    assert_eq!(world.get(&token, "/some/page").status, 200);
    let answer = world.get(&token, "/metrics");
    assert_eq!(answer.status, 200);
    assert!(answer.header("content-type").starts_with("application/openmetrics-text"));
    let counts = |line: &str| answer.body.lines().any(|found| found == line);
    let requests = "miaopu_http_requests_total{method=\"GET\",route=";
    assert!(
        counts(&format!("{requests}\"/api/v1/alarms/{{id}}\",status=\"404\"}} 3")),
        "{}",
        answer.body
    );
    assert!(counts(&format!("{requests}\"(page)\",status=\"200\"}} 1")), "{}", answer.body);
    assert!(answer.body.ends_with("# EOF\n"));
    assert!(!answer.body.contains(&token) && !answer.body.contains("some"));
}
