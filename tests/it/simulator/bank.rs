//! What becomes of the money.

use super::*;
use rust_decimal::Decimal;

/// Every account's opening balance is its balance, what its receivers have, and its fees.
async fn conserved(rig: &Rig) {
    let bank = rig.bank().await;
    let decimal = |value: &Value| value.as_str().expect("a decimal").parse::<Decimal>().expect("a decimal");
    for account in bank["accounts"].as_array().expect("accounts") {
        for (code, balance) in account["balances"].as_object().expect("balances") {
            let batches = bank["batches"].as_array().expect("batches").iter();
            let own = batches
                .filter(|batch| batch["client_id"] == account["client_id"] && batch["currency"] == code.as_str());
            let items = own.flat_map(|batch| batch["items"].as_array().expect("items"));
            let spent: Decimal = items.map(|item| decimal(&item["money_moved"]) + decimal(&item["fee"])).sum();
            assert_eq!(decimal(balance) + spent, Decimal::from(100_000_000), "{code} of {}", account["client_id"]);
        }
    }
    assert!(bank["accounts"][0]["balances"].as_object().is_some_and(|balances| balances.len() == 24));
}

async fn has(rig: &Rig, sender_item_id: &str, state: &str, error: Option<&str>, payments: u64) {
    let item = rig.item(sender_item_id).await;
    assert_eq!(item["state"], state, "{item}");
    assert_eq!(item["error"].as_str(), error, "{item}");
    assert_eq!(item["payments"].as_u64(), Some(payments), "{item}");
    assert_eq!(item["money_moved"], if payments == 1 { "10.00" } else { "0.00" }, "{item}");
}

#[tokio::test]
async fn the_address_decides_what_becomes_of_a_payment() {
    let rig = Rig::start().await;
    let expected = [
        ("anna@example.com", "SUCCESS", None, 1),
        ("unregistered@example.com", "UNCLAIMED", Some("RECEIVER_UNREGISTERED"), 1),
        ("x.Unconfirmed@example.com", "UNCLAIMED", Some("RECEIVER_UNCONFIRMED"), 1),
        ("claims-later@example.com", "UNCLAIMED", Some("RECEIVER_UNREGISTERED"), 1),
        ("onhold@example.com", "ONHOLD", Some("RECEIVER_ACCOUNT_LIMITATION"), 1),
        ("failed@example.com", "FAILED", Some("RECEIVER_ACCOUNT_LOCKED"), 0),
        ("failed+closed_market@example.com", "FAILED", Some("CLOSED_MARKET"), 0),
        ("locked@example.com", "FAILED", Some("RECEIVER_ACCOUNT_LOCKED"), 0),
        ("client-1@business.example.com", "FAILED", Some("SELF_PAY_NOT_ALLOWED"), 0),
        ("blocked@example.com", "BLOCKED", Some("REGULATORY_BLOCKED"), 0),
        ("refunded@example.com", "SUCCESS", None, 1),
        ("reversed@example.com", "SUCCESS", None, 1),
        ("returned@example.com", "RETURNED", Some("RECEIVER_UNREGISTERED"), 0),
        ("pending@example.com", "PENDING", Some("REGULATORY_PENDING"), 1),
    ];
    let receivers: Vec<&str> = expected.iter().map(|(receiver, ..)| *receiver).collect();
    let id = rig.create(&batch("b-1", &receivers)).await.accepted();
    assert_eq!(rig.batch(&id).await["batch_header"]["batch_status"], "SUCCESS");
    for (receiver, state, error, payments) in expected {
        has(&rig, receiver, state, error, payments).await;
    }
    conserved(&rig).await;

    rig.advance(DAY / 2).await;
    has(&rig, "refunded@example.com", "REFUNDED", None, 0).await;
    has(&rig, "reversed@example.com", "REVERSED", None, 0).await;
    rig.advance(DAY + DAY / 2).await;
    has(&rig, "claims-later@example.com", "SUCCESS", None, 1).await;
    rig.advance(28 * DAY - 60).await;
    has(&rig, "unregistered@example.com", "UNCLAIMED", Some("RECEIVER_UNREGISTERED"), 1).await;
    conserved(&rig).await;
    rig.advance(60).await;
    has(&rig, "unregistered@example.com", "RETURNED", Some("RECEIVER_UNREGISTERED"), 0).await;
    has(&rig, "x.Unconfirmed@example.com", "RETURNED", Some("RECEIVER_UNCONFIRMED"), 0).await;
    has(&rig, "onhold@example.com", "RETURNED", Some("RECEIVER_ACCOUNT_LIMITATION"), 0).await;
    has(&rig, "claims-later@example.com", "SUCCESS", None, 1).await;
    has(&rig, "pending@example.com", "PENDING", Some("REGULATORY_PENDING"), 1).await;
    conserved(&rig).await;
}

#[tokio::test]
async fn a_batch_is_pending_then_processing_then_finished() {
    let rig = Rig::slow().await;
    let id = rig.create(&batch("b-1", &["a@example.com", "b@example.com"])).await.accepted();
    let pending = rig.batch(&id).await;
    assert_eq!(pending["batch_header"]["batch_status"], "PENDING");
    assert_eq!(pending["batch_header"]["fees"]["value"], "0.0", "fees are unknown before processing");
    assert_eq!(pending["items"][0]["transaction_status"], "PENDING");
    has(&rig, "a@example.com", "PENDING", None, 0).await;
    conserved(&rig).await;

    rig.advance(45).await;
    let processing = rig.batch(&id).await;
    assert_eq!(processing["batch_header"]["batch_status"], "PROCESSING");
    assert_eq!(processing["batch_header"]["fees"]["value"], "0.4");
    let states = [&processing["items"][0]["transaction_status"], &processing["items"][1]["transaction_status"]];
    assert_eq!(states, ["SUCCESS", "PENDING"], "items are paid one after the other");
    assert!(processing["batch_header"].get("time_completed").is_none());
    conserved(&rig).await;

    rig.advance(15).await;
    let finished = rig.batch(&id).await;
    assert_eq!(finished["batch_header"]["batch_status"], "SUCCESS");
    assert!(finished["batch_header"]["time_closed"].is_string());
    conserved(&rig).await;
}

#[tokio::test]
async fn a_batch_closes_when_its_last_item_stops_waiting() {
    let rig = Rig::start().await;
    let id = rig.create(&batch("b-1", &["a@example.com", "unregistered@example.com"])).await.accepted();
    let header = rig.batch(&id).await["batch_header"].clone();
    assert!(header["time_completed"].is_string() && header.get("time_closed").is_none());
    let mut rig = rig;
    rig.advance(30 * DAY).await;
    rig.token = rig.token_of(ID).await;
    assert!(rig.batch(&id).await["batch_header"]["time_closed"].is_string());
}

#[tokio::test]
async fn a_batch_beyond_the_balance_is_denied_as_a_whole() {
    let rig = Rig::start().await;
    let mut body = batch("b-1", &["a@example.com", "b@example.com"]);
    // The amounts alone would fit; the fees do not.
    body["items"][0]["amount"]["value"] = json!("99000000.00");
    let id = rig.create(&body).await.accepted();
    let shown = rig.batch(&id).await;
    assert_eq!(shown["batch_header"]["batch_status"], "DENIED");
    for item in shown["items"].as_array().expect("items") {
        assert_eq!(
            (&item["transaction_status"], &item["errors"]["name"]),
            (&json!("FAILED"), &json!("INSUFFICIENT_FUNDS"))
        );
        assert!(item.get("transaction_id").is_none());
    }
    has(&rig, "b@example.com", "FAILED", Some("INSUFFICIENT_FUNDS"), 0).await;
    conserved(&rig).await;
    // Another currency has a balance of its own.
    body["sender_batch_header"]["sender_batch_id"] = json!("b-2");
    body["items"][0]["amount"] = json!({"currency": "EUR", "value": "98000000.00"});
    body["items"][1]["amount"]["currency"] = json!("EUR");
    let id = rig.create(&body).await.accepted();
    assert_eq!(rig.batch(&id).await["batch_header"]["batch_status"], "SUCCESS");
    conserved(&rig).await;
}

#[tokio::test]
async fn one_address_can_deny_a_batch_and_one_failed_item_alone_does() {
    let rig = Rig::start().await;
    let denied = rig.create(&batch("b-1", &["denied-batch@example.com", "a@example.com"])).await.accepted();
    assert_eq!(rig.batch(&denied).await["batch_header"]["batch_status"], "DENIED");
    has(&rig, "a@example.com", "FAILED", Some("REFUSED_ACTION_DENIED"), 0).await;
    let alone = rig.create(&batch("b-2", &["failed@example.com"])).await.accepted();
    assert_eq!(rig.batch(&alone).await["batch_header"]["batch_status"], "DENIED");
    let mut body = batch("b-3", &["c@example.com"]);
    body["items"][0]["recipient_type"] = json!("PAYPAL_ID");
    body["items"][0]["receiver"] = json!("BOGUS");
    let bogus = rig.create(&body).await.accepted();
    let shown = rig.batch(&bogus).await;
    assert_eq!(shown["batch_header"]["batch_status"], "DENIED");
    assert_eq!(shown["items"][0]["errors"]["name"], "RECEIVER_ACCOUNT_INVALID");
    conserved(&rig).await;
}

#[tokio::test]
async fn an_item_named_twice_in_one_batch_is_paid_once() {
    let rig = Rig::start().await;
    let mut body = batch("b-1", &["a@example.com", "b@example.com"]);
    body["items"][1]["sender_item_id"] = body["items"][0]["sender_item_id"].clone();
    let id = rig.create(&body).await.accepted();
    let shown = rig.batch(&id).await;
    assert_eq!(shown["items"][0]["transaction_status"], "SUCCESS");
    assert_eq!(shown["items"][1]["transaction_status"], "FAILED");
    assert_eq!(shown["items"][1]["errors"]["name"], "DUPLICATE_ITEM");
    conserved(&rig).await;
}

#[tokio::test]
async fn a_cancelled_item_comes_back() {
    let rig = Rig::start().await;
    let id = rig.create(&batch("b-1", &["unregistered@example.com", "a@example.com"])).await.accepted();
    let item = rig.batch(&id).await["items"][0]["payout_item_id"].as_str().expect("an id").to_owned();
    rig.post(&format!("/v1/payments/payouts-item/{item}/cancel"), &json!({})).await;
    has(&rig, "unregistered@example.com", "RETURNED", Some("RECEIVER_UNREGISTERED"), 0).await;
    rig.advance(31 * DAY).await;
    conserved(&rig).await;
}

#[tokio::test]
async fn an_item_can_be_moved_only_where_paypal_could() {
    let rig = Rig::start().await;
    rig.create(&batch("b-1", &["a@example.com", "onhold@example.com"])).await.accepted();
    let door = async |receiver: &str, to: &str| {
        let id = rig.item(receiver).await["payout_item_id"].as_str().expect("an id").to_owned();
        rig.post(&format!("/_simulator/items/{id}"), &json!({"to": to})).await.status.as_u16()
    };
    assert_eq!(door("a@example.com", "RETURNED").await, 400);
    assert_eq!(door("a@example.com", "REFUNDED").await, 200);
    assert_eq!(door("a@example.com", "SUCCESS").await, 400);
    assert_eq!(door("onhold@example.com", "UNCLAIMED").await, 200);
    assert_eq!(door("onhold@example.com", "SUCCESS").await, 200);
    assert_eq!(door("onhold@example.com", "LOST").await, 400);
    has(&rig, "a@example.com", "REFUNDED", None, 0).await;
    has(&rig, "onhold@example.com", "SUCCESS", None, 1).await;
    conserved(&rig).await;
}

#[tokio::test]
async fn the_clock_never_runs_backwards() {
    let rig = Rig::start().await;
    let set = async |body: Value| rig.post("/_simulator/clock", &body).await;
    let after = set(json!({"offset_seconds": 3 * DAY})).await.json();
    assert_eq!(after["offset_seconds"], 3 * DAY);
    assert_eq!(set(json!({"advance_seconds": DAY})).await.json()["offset_seconds"], 4 * DAY);
    for bad in [
        json!({"offset_seconds": DAY}),
        json!({"advance_seconds": -1}),
        json!({"advance_seconds": i64::MAX}),
        json!({"offset_seconds": 1e30}),
        json!({"offset": 1}),
        json!({}),
        json!({"offset_seconds": 5 * DAY, "advance_seconds": 1}),
        json!([]),
    ] {
        let answer = set(bad.clone()).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{bad}");
        assert!(answer.json()["error"].is_string());
    }
    let clock = rig.get("/_simulator/clock").await.json();
    assert_eq!(clock["offset_seconds"], 4 * DAY);
    assert_eq!(clock["now"].as_str().map(|now| now.ends_with('Z')), Some(true));
}
