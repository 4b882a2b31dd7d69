//! Each fault does what it says; whether the call was carried out is asked from the bank.

use super::*;
use std::io::ErrorKind;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Sends a create call over a bare connection and reads until it ends.
async fn raw_create(rig: &Rig, body: &Value) -> (Vec<u8>, Option<ErrorKind>) {
    let body = body.to_string();
    let mut stream = TcpStream::connect(rig.simulator.address()).await.expect("a connection");
    let head = format!(
        "POST /v1/payments/payouts HTTP/1.1\r\nhost: paypal\r\nauthorization: Bearer {}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        rig.token,
        body.len()
    );
    stream.write_all(head.as_bytes()).await.expect("the head is sent");
    stream.write_all(body.as_bytes()).await.expect("the body is sent");
    let mut received = Vec::new();
    let end = stream.read_to_end(&mut received).await;
    (received, end.err().map(|error| error.kind()))
}

#[tokio::test]
async fn a_cut_connection_is_reset_without_an_answer() {
    let rig = Rig::start().await;
    for (what, accepted) in [("cut_before", 0), ("cut_after", 1)] {
        rig.faults(json!([{"call": "create", "what": what}])).await;
        let (received, end) = raw_create(&rig, &batch(what, &["a@example.com"])).await;
        assert_eq!((received.len(), end), (0, Some(ErrorKind::ConnectionReset)), "{what}");
        assert_eq!(rig.accepted().await, accepted, "{what}");
    }
    let calls = rig.get("/_simulator/calls").await.json();
    assert_eq!(calls["counts"]["create"], 2);
    let last = calls["calls"].as_array().expect("a list").last().expect("a call").clone();
    assert_eq!((&last["call"], &last["status"], &last["fault"]), (&json!("create"), &json!(null), &json!("cut_after")));
}

#[tokio::test]
async fn a_cut_body_ends_in_the_middle() {
    let rig = Rig::start().await;
    rig.faults(json!([{"call": "create", "what": "cut_body"}])).await;
    let (received, _) = raw_create(&rig, &batch("b-1", &["a@example.com"])).await;
    let text = String::from_utf8(received).expect("text");
    let (head, body) = text.split_once("\r\n\r\n").expect("a whole head");
    assert!(head.starts_with("HTTP/1.1 201"), "{head}");
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).expect("an announced length");
    let length: usize = length.parse().expect("a number");
    assert!(!body.is_empty() && body.len() < length, "{} of {length}", body.len());
    assert_eq!(rig.accepted().await, 1);
}

#[tokio::test]
async fn a_status_is_answered_before_or_after_carrying_out() {
    let rig = Rig::start().await;
    rig.faults(json!([
        {"call": "create", "nth": 1, "what": "status", "status": 503},
        {"call": "create", "nth": 2, "what": "status_after", "status": 500, "name": "INTERNAL_ERROR"},
        {"call": "create", "nth": 3, "what": "status", "status": 502, "body": "<h1>Bad gateway</h1>", "retry_after": 7},
        {"call": "create", "nth": 4, "what": "status", "status": 409, "body": {"name": "X"}},
    ]))
    .await;
    let send = async |id: &str| rig.create(&batch(id, &["a@example.com"])).await;
    send("b-1").await.refused(503, "SERVICE_UNAVAILABLE");
    assert_eq!(rig.accepted().await, 0);
    send("b-2").await.refused(500, "INTERNAL_ERROR");
    assert_eq!(rig.accepted().await, 1);
    let html = send("b-3").await;
    assert_eq!((html.status.as_u16(), html.retry_after.as_deref()), (502, Some("7")));
    assert_eq!(html.text, "<h1>Bad gateway</h1>");
    assert_eq!(send("b-4").await.text, r#"{"name":"X"}"#);
    send("b-5").await.accepted();
    let rules = rig.get("/_simulator/faults").await.json();
    for rule in rules.as_array().expect("a list") {
        assert_eq!((&rule["seen"], &rule["fired"]), (&json!(5), &json!(1)));
    }
}

#[tokio::test]
async fn an_answer_can_be_unreadable() {
    let rig = Rig::start().await;
    for (what, accepted) in [
        ("garbage_before", 0),
        ("broken_json_before", 0),
        ("empty_before", 0),
        ("garbage", 1),
        ("broken_json", 2),
        ("empty", 3),
    ] {
        rig.faults(json!([{"call": "create", "what": what}])).await;
        let answer = rig.create(&batch(what, &["a@example.com"])).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{what}");
        match what {
            "empty" | "empty_before" => assert_eq!(answer.json(), json!({})),
            _ => assert!(serde_json::from_str::<Value>(&answer.text).is_err(), "{what}: {}", answer.text),
        }
        assert_eq!(rig.accepted().await, accepted, "{what}");
    }
}

#[tokio::test]
async fn a_late_answer_has_been_carried_out_already() {
    let rig = Rig::start().await;
    rig.faults(json!([{"call": "create", "what": "delay", "ms": 60_000}])).await;
    let body = batch("b-1", &["a@example.com"]);
    let sent = rig.create(&body);
    tokio::pin!(sent);
    // The answer does not come; the bank has the batch while it is waited for.
    loop {
        tokio::select! {
            answer = &mut sent => panic!("an answer came: {answer:?}"),
            accepted = rig.accepted() => if accepted == 1 { break },
        }
    }
}

#[tokio::test]
async fn a_late_call_is_carried_out_although_the_caller_has_gone() {
    let rig = Rig::start().await;
    rig.faults(json!([{"call": "create", "what": "delay_before", "ms": 200}])).await;
    let request = rig.request(Method::POST, "/v1/payments/payouts").json(&batch("b-1", &["a@example.com"]));
    let gone = request.timeout(Duration::from_millis(50)).send().await;
    assert!(gone.is_err_and(|error| error.is_timeout()));
    while rig.accepted().await == 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_slow_body_arrives_whole() {
    let rig = Rig::start().await;
    rig.faults(json!([{"call": "create", "what": "slow_body", "ms": 100}])).await;
    rig.create(&batch("b-1", &["a@example.com"])).await.accepted();
    assert_eq!(rig.accepted().await, 1);
}

#[tokio::test]
async fn a_rate_limit_may_say_when_to_come_back() {
    let rig = Rig::start().await;
    rig.faults(json!([
        {"call": "create", "nth": 1, "what": "rate_limit"},
        {"call": "create", "nth": 2, "what": "rate_limit", "retry_after": 30},
    ]))
    .await;
    for expected in [None, Some("30")] {
        let answer = rig.create(&batch("b-1", &["a@example.com"])).await;
        answer.refused(429, "RATE_LIMIT_REACHED");
        assert_eq!(answer.retry_after.as_deref(), expected);
    }
    assert_eq!(rig.accepted().await, 0);
}

#[tokio::test]
async fn tokens_can_expire_in_the_middle() {
    let mut rig = Rig::start().await;
    rig.faults(json!([{"call": "create", "what": "expire_tokens"}])).await;
    rig.create(&batch("b-1", &["a@example.com"])).await.refused(401, "AUTHENTICATION_FAILURE");
    assert_eq!(rig.accepted().await, 0);
    rig.token = rig.token_of(ID).await;
    rig.create(&batch("b-1", &["a@example.com"])).await.accepted();
}

#[tokio::test]
async fn a_duplicate_answer_can_lack_its_link() {
    let rig = Rig::start().await;
    let body = batch("b-1", &["a@example.com"]);
    rig.create(&body).await.accepted();
    rig.faults(json!([{"call": "create", "what": "duplicate_without_link"}])).await;
    let details = rig.create(&body).await.refused(400, "USER_BUSINESS_ERROR");
    assert_eq!((&details[0]["field"], details[0].get("link")), (&json!("SENDER_BATCH_ID"), None));
    let details = rig.create(&body).await.refused(400, "USER_BUSINESS_ERROR");
    assert!(details[0]["link"].is_array());
}

#[tokio::test]
async fn an_accepted_batch_can_end_denied_or_take_its_time() {
    let rig = Rig::start().await;
    rig.faults(json!([
        {"call": "create", "nth": 1, "what": "denied", "name": "SENDER_ACCOUNT_LOCKED"},
        {"call": "create", "nth": 2, "what": "settle_after", "ms": 3_600_000},
    ]))
    .await;
    let denied = rig.create(&batch("b-1", &["a@example.com", "b@example.com"])).await.accepted();
    let shown = rig.batch(&denied).await;
    assert_eq!(shown["batch_header"]["batch_status"], "DENIED");
    assert_eq!(shown["items"][1]["errors"]["name"], "SENDER_ACCOUNT_LOCKED");
    let slow = rig.create(&batch("b-2", &["c@example.com"])).await.accepted();
    assert_eq!(rig.batch(&slow).await["batch_header"]["batch_status"], "PENDING");
    rig.advance(3600).await;
    assert_eq!(rig.batch(&slow).await["batch_header"]["batch_status"], "SUCCESS");
}

#[tokio::test]
async fn a_rule_strikes_its_own_calls_only_and_as_often_as_it_says() {
    let rig = Rig::start().await;
    let id = rig.create(&batch("b-1", &["a@example.com"])).await.accepted();
    rig.faults(json!([{"call": "show_batch", "nth": 2, "times": 2, "what": "status", "status": 500}])).await;
    let mut statuses = Vec::new();
    for number in 0..5 {
        rig.create(&batch(&format!("c-{number}"), &["a@example.com"])).await.accepted();
        statuses.push(rig.get(&format!("/v1/payments/payouts/{id}")).await.status.as_u16());
    }
    assert_eq!(statuses, [200, 500, 500, 200, 200]);
    rig.faults(json!([{"call": "any", "what": "status", "status": 500}])).await;
    let cleared = answer(rig.request(Method::DELETE, "/_simulator/faults")).await;
    assert_eq!(cleared.json(), json!([]));
    rig.create(&batch("b-2", &["a@example.com"])).await.accepted();
}

#[tokio::test]
async fn a_bad_rule_is_explained_and_none_of_its_list_is_kept() {
    let rig = Rig::start().await;
    let good = json!({"call": "create", "what": "cut_before"});
    for bad in [
        json!({"call": "create"}),
        json!({"call": "delete", "what": "cut_before"}),
        json!({"call": "create", "what": "explode"}),
        json!({"call": "create", "what": "cut_before", "when": 3}),
        json!({"call": "create", "what": "cut_before", "nth": 0}),
        json!({"call": "create", "what": "cut_before", "nth": -1}),
        json!({"call": "create", "what": "delay"}),
        json!({"call": "create", "what": "status"}),
        json!({"call": "create", "what": "status", "status": 200}),
        json!({"call": "create", "what": "garbage", "status": 500}),
        json!({"call": "show_batch", "what": "denied"}),
        json!("cut_before"),
    ] {
        let answer = rig.post("/_simulator/faults", &json!([good, bad])).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{bad}");
        let why = answer.json()["error"].as_str().expect("an explanation").to_owned();
        assert!(why.contains("FAULT RULES") && why.contains("cut_after"), "{why}");
    }
    assert_eq!(rig.post("/_simulator/faults", &good).await.status, StatusCode::BAD_REQUEST, "not a list");
    assert_eq!(rig.get("/_simulator/faults").await.json(), json!([]));
}
