//! Webhooks: registered as PayPal registers them, signed as PayPal signs, delivered as often as it takes.

use super::receiver::{Arrived, Receiver, crc32};
use super::*;

const PATH: &str = "/v1/notifications/webhooks";

fn kinds(arrived: &[Arrived]) -> Vec<String> {
    let mut kinds: Vec<String> = arrived.iter().map(Arrived::kind).collect();
    kinds.sort();
    kinds
}

/// A rig whose clock stands at whatever the last test of time said, with a receiver and its webhook.
async fn hooked() -> (Rig, Receiver, String) {
    let (rig, receiver) = (Rig::start().await, Receiver::start().await);
    let id = rig.hook(&receiver.url).await;
    (rig, receiver, id)
}

#[test]
fn the_checks_own_crc_is_the_one_that_paypal_means() {
    assert_eq!(crc32(b"123456789"), 3_421_780_262);
    assert_eq!(crc32(br#"{"id":"WH-TEST-1","event_type":"PAYMENT.PAYOUTS-ITEM.SUCCEEDED"}"#), 3_839_233_106);
}

#[tokio::test]
async fn each_change_of_a_batch_and_its_items_is_told_once_and_signed() {
    let (rig, receiver, webhook) = hooked().await;
    let receivers = ["a", "unregistered", "onhold", "failed", "blocked", "returned", "pending"];
    let receivers = receivers.map(|name| format!("{name}@example.com"));
    let receivers: Vec<&str> = receivers.iter().map(String::as_str).collect();
    let id = rig.create(&batch("b-1", &receivers)).await.accepted();
    let arrived = receiver.wait_for(8).await;
    for event in &arrived {
        rig.refutes(event, &webhook).await.expect("a genuine event");
        assert!(rig.refutes(event, "WEBHOOK_ID").await.is_err());
    }
    let expected = [
        "PAYMENT.PAYOUTS-ITEM.BLOCKED",
        "PAYMENT.PAYOUTS-ITEM.FAILED",
        "PAYMENT.PAYOUTS-ITEM.HELD",
        "PAYMENT.PAYOUTS-ITEM.RETURNED",
        "PAYMENT.PAYOUTS-ITEM.SUCCEEDED",
        "PAYMENT.PAYOUTS-ITEM.UNCLAIMED",
        "PAYMENT.PAYOUTSBATCH.PROCESSING",
        "PAYMENT.PAYOUTSBATCH.SUCCESS",
    ];
    assert_eq!(kinds(&arrived), expected);
    let succeeded = arrived.iter().find(|event| event.kind().ends_with("SUCCEEDED")).expect("one of them").json();
    assert_eq!(succeeded["resource_type"], "payouts_item");
    assert_eq!(succeeded["event_version"], "1.0");
    assert!(succeeded["id"].as_str().is_some_and(|id| id.starts_with("WH-")), "{succeeded}");
    let resource = &succeeded["resource"];
    assert_eq!((&resource["payout_batch_id"], &resource["transaction_status"]), (&json!(id), &json!("SUCCESS")));
    assert_eq!(resource["payout_item"]["amount"], json!({"currency": "USD", "value": "10.0"}));
    let finished = arrived.iter().find(|event| event.kind().ends_with("BATCH.SUCCESS")).expect("one of them").json();
    assert_eq!(finished["resource_type"], "payouts");
    let header = &finished["resource"]["batch_header"];
    assert_eq!((&header["batch_status"], &header["payments"]), (&json!("SUCCESS"), &json!(7)));
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(receiver.count(), 8, "a pending item has no event, and nothing comes twice");
}

#[tokio::test]
async fn a_webhook_is_registered_changed_and_deleted() {
    let rig = Rig::start().await;
    let wanted = json!({"url": "https://example.com/hook", "event_types": [{"name": "PAYMENT.PAYOUTSBATCH.SUCCESS"}]});
    let answer = rig.post(PATH, &wanted).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
    let made = answer.json();
    let id = made["id"].as_str().expect("an id").to_owned();
    assert!(id.len() == 17 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{id}");
    assert_eq!(made["event_types"][0]["name"], "PAYMENT.PAYOUTSBATCH.SUCCESS");
    let path = format!("{PATH}/{id}");
    let rels: Vec<_> = made["links"].as_array().expect("links").iter().map(|link| link["rel"].clone()).collect();
    assert_eq!(rels, ["self", "update", "delete"]);
    assert_eq!(made["links"][0]["href"], format!("{}{path}", rig.simulator.url()));
    assert_eq!(rig.get(&path).await.json(), made);
    assert_eq!(rig.get(PATH).await.json(), json!({"webhooks": [made]}));
    rig.post(PATH, &wanted).await.refused(400, "WEBHOOK_URL_ALREADY_EXISTS");

    let patch = json!([{"op": "replace", "path": "/url", "value": "https://example.com/other"},
        {"op": "replace", "path": "/event_types", "value": [{"name": "*"}]}]);
    let changed = answer_of(&rig, Method::PATCH, &path, &patch).await;
    assert_eq!((changed.status, &changed.json()["url"]), (StatusCode::OK, &json!("https://example.com/other")));
    assert_eq!(rig.get(&format!("{path}/event-types")).await.json()["event_types"][0]["name"], "*");
    answer_of(&rig, Method::PATCH, &path, &patch).await.refused(400, "WEBHOOK_PATCH_REQUEST_NO_CHANGE");
    for bad in [
        json!({"op": "replace"}),
        json!([{"op": "add", "path": "/url", "value": "https://example.com/x"}]),
        json!([{"op": "replace", "path": "/id", "value": "X"}]),
        json!([{"op": "replace", "path": "/url", "value": "http://example.com/x"}]),
    ] {
        answer_of(&rig, Method::PATCH, &path, &bad).await.refused(400, "VALIDATION_ERROR");
    }

    let mut stranger = Rig { token: rig.token_of("client-2").await, ..rig };
    assert_eq!(stranger.get(PATH).await.json(), json!({"webhooks": []}));
    stranger.get(&path).await.refused(404, "INVALID_RESOURCE_ID");
    answer_of(&stranger, Method::DELETE, &path, &Value::Null).await.refused(404, "INVALID_RESOURCE_ID");
    stranger.token = stranger.token_of(ID).await;
    let rig = stranger;
    let deleted = answer_of(&rig, Method::DELETE, &path, &Value::Null).await;
    assert_eq!((deleted.status, deleted.text.as_str()), (StatusCode::NO_CONTENT, ""));
    answer_of(&rig, Method::DELETE, &path, &Value::Null).await.refused(404, "INVALID_RESOURCE_ID");
    answer_of(&rig, Method::PUT, &path, &Value::Null).await.refused(405, "METHOD_NOT_SUPPORTED");
}

async fn answer_of(rig: &Rig, method: Method, path: &str, body: &Value) -> Answer {
    let request = rig.request(method, path);
    answer(if body.is_null() { request } else { request.json(body) }).await
}

#[tokio::test]
async fn a_bad_registration_is_refused() {
    let rig = Rig::start().await;
    let good = json!([{"name": "*"}]);
    let long = format!("https://example.com/{}", "x".repeat(2048));
    for url in ["http://example.com/h", "https://example.com:8443/h", "example.com", "ftp://example.com/", "", &long] {
        let details = rig.post(PATH, &json!({"url": url, "event_types": good})).await.refused(400, "VALIDATION_ERROR");
        assert_eq!(details[0]["issue"], "Not a valid webhook URL", "{url}");
    }
    for (types, issue) in [
        (json!([{"name": "PAYMENT.PAYOUTS-ITEM.DENIED"}]), "Not a valid event name"),
        (json!([{"name": "PAYMENT.PAYOUTS-ITEM.REVERSED"}]), "Not a valid event name"),
        (json!(["*"]), "Not a valid event name"),
        (json!([]), "must have 1 to 500 event types"),
        (Value::Null, "Required field is missing"),
    ] {
        let body = json!({"url": "https://example.com/h", "event_types": types});
        assert_eq!(rig.post(PATH, &body).await.refused(400, "VALIDATION_ERROR")[0]["issue"], issue, "{types}");
    }
    answer(rig.request(Method::POST, PATH).body("{}")).await.refused(415, "UNSUPPORTED_MEDIA_TYPE");
    let types = rig.get("/v1/notifications/webhooks-event-types").await.json();
    let types: Vec<Value> = types["event_types"].as_array().expect("types").clone();
    assert!(types.iter().filter(|one| one["name"].as_str().is_some_and(|name| name.contains("PAYOUTS"))).count() == 11);
    // What the list offers can be asked for, and an app has ten addresses at most.
    for number in 0..10 {
        let body = json!({"url": format!("http://127.0.0.1:1/{number}"), "event_types": types});
        assert_eq!(rig.post(PATH, &body).await.status, StatusCode::CREATED);
    }
    let eleventh = json!({"url": "https://example.com:443/h", "event_types": good});
    rig.post(PATH, &eleventh).await.refused(400, "WEBHOOK_NUMBER_LIMIT_EXCEEDED");
}

#[tokio::test]
async fn an_app_without_the_scope_registers_nothing() {
    let without = Account { webhooks: false, balances: false, ..Account::new(ID, SECRET) };
    let rig = Rig::with(Settings { accounts: vec![without], ..settings(Duration::ZERO) }).await;
    let scope = rig.token_call(ID, SECRET, "grant_type=client_credentials").await.json()["scope"].clone();
    let scope: Vec<&str> = scope.as_str().expect("a scope").split_whitespace().collect();
    assert!(scope.contains(&"https://uri.paypal.com/payments/payouts"));
    assert!(!scope.contains(&"https://uri.paypal.com/services/applications/webhooks"));
    assert!(!scope.contains(&"https://uri.paypal.com/services/reporting/search/read"));
    rig.get(PATH).await.refused(403, "NOT_AUTHORIZED");
    rig.get("/v1/notifications/webhooks-events").await.refused(403, "NOT_AUTHORIZED");
    rig.get("/v1/reporting/balances").await.refused(403, "NOT_AUTHORIZED");
    answer(rig.http.get(format!("{}{PATH}", rig.simulator.url()))).await.refused(401, "AUTHENTICATION_FAILURE");
}

#[tokio::test]
async fn what_is_not_answered_with_a_2xx_is_sent_again_for_three_days() {
    let (mut rig, receiver, webhook) = hooked().await;
    receiver.answers(500);
    rig.create(&batch("b-1", &["a@example.com"])).await.accepted();
    receiver.wait_for(3).await;
    rig.advance(10).await;
    let arrived = receiver.wait_for(6).await;
    assert_eq!(kinds(&arrived[..3]), kinds(&arrived[3..]), "each of them again");
    for event in &arrived {
        rig.refutes(event, &webhook).await.expect("a genuine event");
    }
    rig.advance(2 * DAY + DAY / 2).await;
    eventually(&rig, "almost all tries", |shown| shown["deliveries"][0]["tries"].as_u64() > Some(20)).await;
    let shown = deliveries(&rig).await;
    assert_eq!((&shown["waiting"], &shown["deliveries"][0]["status"]), (&json!(3), &json!(500)));
    rig.advance(DAY).await;
    eventually(&rig, "an end", |shown| shown["given_up"] == 3).await;
    assert_eq!(receiver.count(), 75);

    receiver.answers(204);
    rig.token = rig.token_of(ID).await;
    rig.create(&batch("b-2", &["a@example.com"])).await.accepted();
    eventually(&rig, "the next batch", |shown| shown["delivered"] == 3).await;
    assert_eq!(receiver.count(), 78);
}

async fn deliveries(rig: &Rig) -> Value {
    rig.get("/_simulator/deliveries").await.json()
}

async fn eventually(rig: &Rig, what: &str, is_so: impl Fn(&Value) -> bool) {
    for _ in 0..500 {
        if is_so(&deliveries(rig).await) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("not after a long time: {what}: {}", deliveries(rig).await);
}

#[tokio::test]
async fn forgeries_are_forged_once_and_then_come_the_genuine_ones() {
    for (what, why) in [
        ("forge_signature", "the signature"),
        ("forge_body", "the signature"),
        ("forge_webhook", "the signature"),
        ("forge_certificate", "did not sign"),
        ("forge_host", "elsewhere"),
    ] {
        let (rig, receiver, webhook) = hooked().await;
        receiver.answers(401);
        rig.faults(json!([{"call": "delivery", "what": what, "times": 100}])).await;
        rig.create(&batch("b-1", &["a@example.com"])).await.accepted();
        for event in receiver.wait_for(3).await {
            let refuted = rig.refutes(&event, &webhook).await.expect_err("a forgery");
            assert!(refuted.contains(why), "{what}: {refuted}");
            event.json();
        }
        assert_eq!(deliveries(&rig).await["deliveries"][0]["forged"], what);
        receiver.answers(200);
        rig.advance(10).await;
        for event in &receiver.wait_for(6).await[3..] {
            rig.refutes(event, &webhook).await.expect("a genuine event");
        }
    }
}

#[tokio::test]
async fn events_can_be_lost_doubled_late_and_mixed() {
    let (rig, receiver, _) = hooked().await;
    rig.faults(json!([
        {"call": "delivery", "what": "lose", "nth": 1, "times": 2},
        {"call": "delivery", "what": "duplicate", "nth": 3, "times": 2},
        {"call": "delivery", "what": "delay", "nth": 5, "ms": 3_600_000},
    ]))
    .await;
    let receivers = ["a@example.com", "b@example.com", "c@example.com"];
    let id = rig.create(&batch("b-1", &receivers)).await.accepted();
    eventually(&rig, "two events twice", |shown| shown["delivered"] == 4).await;
    let shown = deliveries(&rig).await;
    assert_eq!((&shown["lost"], &shown["waiting"]), (&json!(2), &json!(1)));
    let arrived = receiver.arrived();
    let ids: std::collections::HashSet<String> = arrived.iter().map(|event| event.json()["id"].to_string()).collect();
    assert_eq!((arrived.len(), ids.len()), (4, 2));
    rig.advance(3600).await;
    eventually(&rig, "the late one", |shown| shown["delivered"] == 5).await;
    let events = rig.get("/v1/notifications/webhooks-events").await.json();
    assert_eq!(events["count"], 5, "the list has the lost ones too");

    let answer = rig.post("/_simulator/deliveries", &json!({"off": true})).await;
    assert_eq!(answer.json()["off"], true);
    rig.create(&batch("b-2", &["a@example.com"])).await.accepted();
    eventually(&rig, "three more lost ones", |shown| shown["lost"] == 5).await;
    assert_eq!(rig.get("/v1/notifications/webhooks-events").await.json()["count"], 8);
    rig.post("/_simulator/deliveries", &json!({"off": false})).await;
    let item = rig.batch(&id).await["items"][0]["payout_item_id"].as_str().expect("an id").to_owned();
    rig.post(&format!("/_simulator/items/{item}"), &json!({"to": "REFUNDED"})).await;
    eventually(&rig, "the refund", |shown| shown["delivered"] == 6).await;
    for rule in [
        json!([{"call": "delivery", "what": "status", "status": 500}]),
        json!([{"call": "create", "what": "lose"}]),
        json!([{"call": "delivery", "what": "shuffle"}]),
    ] {
        assert_eq!(rig.post("/_simulator/faults", &rule).await.status, StatusCode::BAD_REQUEST, "{rule}");
    }
}

#[tokio::test]
async fn events_can_arrive_before_the_create_call_is_answered() {
    let rig = Rig::slow().await;
    let receiver = Receiver::start().await;
    rig.hook(&receiver.url).await;
    rig.faults(json!([{"call": "create", "what": "events_first"}])).await;
    rig.create(&batch("b-1", &["a@example.com"])).await.accepted();
    assert_eq!(receiver.count(), 3);
}

#[tokio::test]
async fn three_thousand_outcomes_arrive_twice_and_in_disorder() {
    let (rig, receiver, webhook) = hooked().await;
    rig.faults(json!([
        {"call": "delivery", "what": "duplicate", "times": 100_000},
        {"call": "delivery", "what": "shuffle", "times": 100_000, "ms": 2000},
    ]))
    .await;
    let receivers: Vec<String> = (0..3_000).map(|number| format!("a{number}@example.com")).collect();
    let receivers: Vec<&str> = receivers.iter().map(String::as_str).collect();
    rig.create(&batch("b-1", &receivers)).await.accepted();
    let arrived = receiver.wait_for(6_004).await;
    let ids: std::collections::HashSet<String> =
        arrived.iter().map(|event| event.json()["id"].as_str().expect("an id").to_owned()).collect();
    assert_eq!((arrived.len(), ids.len()), (6_004, 3_002));
    for event in arrived.iter().step_by(1000) {
        rig.refutes(event, &webhook).await.expect("a genuine event");
    }
}

#[tokio::test]
async fn the_list_of_events_has_filters_and_pages() {
    let (rig, receiver, _) = hooked().await;
    let first = rig.create(&batch("b-1", &["a@example.com", "b@example.com"])).await.accepted();
    receiver.wait_for(4).await;
    rig.advance(3600).await;
    rig.create(&batch("b-2", &["c@example.com"])).await.accepted();
    receiver.wait_for(7).await;
    let list = async |query: &str| rig.get(&format!("/v1/notifications/webhooks-events?{query}")).await.json();
    let all = list("page_size=300").await;
    let all: Vec<Value> = all["events"].as_array().expect("events").clone();
    assert_eq!((all.len(), &all[0]["event_type"]), (7, &json!("PAYMENT.PAYOUTSBATCH.SUCCESS")), "newest first");
    let sent = receiver.arrived().iter().map(Arrived::json).find(|event| event["id"] == all[6]["id"]);
    assert_eq!(sent.as_ref(), Some(&all[6]), "listed as it was sent");

    let mut pages = Vec::new();
    let mut query = "page_size=3".to_owned();
    loop {
        let page = list(&query).await;
        pages.extend(page["events"].as_array().expect("events").clone());
        assert_eq!(page["count"], page["events"].as_array().expect("events").len());
        let links = page["links"].as_array().expect("links");
        let Some(next) = links.iter().find(|link| link["rel"] == "next") else {
            assert_eq!(links[0]["rel"], "previous");
            break;
        };
        query = next["href"].as_str().expect("a link").split_once('?').expect("a query").1.to_owned();
    }
    assert_eq!(pages, all);
    assert_eq!(list("event_type=PAYMENT.PAYOUTSBATCH.SUCCESS").await["count"], 2);
    let later = all[0]["create_time"].as_str().expect("a time");
    assert_eq!(list(&format!("start_time={later}")).await["count"], 3);
    assert_eq!(list(&format!("end_time={later}")).await["count"], 7);
    let items = rig.batch(&first).await["items"].clone();
    let transaction = items[1]["transaction_id"].as_str().expect("an id");
    assert_eq!(list(&format!("transaction_id={transaction}")).await["count"], 1);
    for bad in ["start_time=yesterday", "page_size=0", "page_size=x", "index_id=x&move_to=next"] {
        rig.get(&format!("/v1/notifications/webhooks-events?{bad}")).await.refused(400, "VALIDATION_ERROR");
    }

    let id = all[2]["id"].as_str().expect("an id");
    let path = format!("/v1/notifications/webhooks-events/{id}");
    assert_eq!(rig.get(&path).await.json(), all[2]);
    let again = rig.post(&format!("{path}/resend"), &json!({})).await;
    assert_eq!((again.status, again.json()), (StatusCode::ACCEPTED, all[2].clone()));
    assert_eq!(receiver.wait_for(8).await[7].json(), all[2]);
    rig.post(&format!("{path}/resend"), &json!({"webhook_ids": ["NOBODYS"]})).await.refused(404, "INVALID_RESOURCE_ID");
    rig.get("/v1/notifications/webhooks-events/WH-1").await.refused(404, "INVALID_RESOURCE_ID");
    let stranger = Rig { token: rig.token_of("client-2").await, ..rig };
    assert_eq!(stranger.get("/v1/notifications/webhooks-events").await.json()["count"], 0);
    stranger.get(&path).await.refused(404, "INVALID_RESOURCE_ID");
}

#[tokio::test]
async fn a_signature_can_be_checked_by_asking() {
    let (rig, receiver, webhook) = hooked().await;
    rig.create(&batch("b-1", &["a@example.com"])).await.accepted();
    let event = receiver.wait_for(3).await[0].clone();
    let path = "/v1/notifications/verify-webhook-signature";
    let asked = |event: &Arrived, webhook: &str, body: &str| {
        format!(
            r#"{{"auth_algo":"{}","cert_url":"{}","transmission_id":"{}","transmission_sig":"{}","transmission_time":"{}","webhook_id":"{webhook}","webhook_event":{body}}}"#,
            event.header("paypal-auth-algo"),
            event.header("paypal-cert-url"),
            event.header("paypal-transmission-id"),
            event.header("paypal-transmission-sig"),
            event.header("paypal-transmission-time"),
        )
    };
    let verify = async |body: String| {
        let request = rig.request(Method::POST, path).header("content-type", "application/json");
        answer(request.body(body)).await.json()["verification_status"].clone()
    };
    let text = std::str::from_utf8(&event.body).expect("text");
    assert_eq!(verify(asked(&event, &webhook, text)).await, "SUCCESS");
    assert_eq!(verify(asked(&event, "OTHER", text)).await, "FAILURE");
    assert_eq!(verify(asked(&event, &webhook, &text.replacen(':', ": ", 1))).await, "FAILURE", "the bytes count");
    let elsewhere = asked(&event, &webhook, text).replace(&rig.simulator.url(), "https://api.paypal.com");
    assert_eq!(verify(elsewhere).await, "FAILURE");
    rig.post(path, &json!({"webhook_id": webhook})).await.refused(400, "VALIDATION_ERROR");
    let stranger = Rig { token: rig.token_of("client-2").await, ..rig };
    let request = stranger.request(Method::POST, path).header("content-type", "application/json");
    let answer = answer(request.body(asked(&event, &webhook, text))).await;
    assert_eq!(answer.json()["verification_status"], "FAILURE", "another app's webhook");
}
