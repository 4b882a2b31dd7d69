//! Playing PayPal, by doors and by the page's buttons.

use super::receiver::{Arrived, Receiver};
use super::*;

async fn press(rig: &Rig, form: &[(&str, &str)]) -> Answer {
    let request = rig.http.post(format!("{}/_simulator/play", rig.simulator.url()));
    let origin = request.header("origin", rig.simulator.url());
    answer(origin.form(form)).await
}

async fn page(rig: &Rig, query: &str) -> String {
    answer(rig.http.get(format!("{}/{query}", rig.simulator.url()))).await.text
}

/// The id of the only item for this receiver.
async fn id_of(rig: &Rig, receiver: &str) -> String {
    rig.item(receiver).await["payout_item_id"].as_str().expect("an id").to_owned()
}

#[tokio::test]
async fn receivers_and_reviewers_do_what_they_are_told_and_it_is_an_event() {
    let (rig, hook) = (Rig::start().await, Receiver::start().await);
    rig.hook(&hook.url).await;
    let cases = [
        ("unclaimed1@example.com", "claim", "SUCCESS", "SUCCEEDED"),
        ("unclaimed2@example.com", "refuse", "RETURNED", "RETURNED"),
        ("unclaimed3@example.com", "hold", "ONHOLD", "HELD"),
        ("unclaimed4@example.com", "block", "BLOCKED", "BLOCKED"),
        ("onhold1@example.com", "release", "SUCCESS", "SUCCEEDED"),
        ("onhold2@example.com", "fail", "FAILED", "FAILED"),
        ("a@example.com", "refund", "REFUNDED", "REFUNDED"),
        ("pending@example.com", "return", "RETURNED", "RETURNED"),
    ];
    let receivers: Vec<&str> = cases.iter().map(|case| case.0).chain(["b@example.com"]).collect();
    rig.create(&batch("b-1", &receivers)).await.accepted();
    let mut seen = hook.wait_for(10).await.len();
    for (receiver, word, state, event) in cases {
        let door = format!("/_simulator/items/{}", id_of(&rig, receiver).await);
        let moved = rig.post(&door, &json!({"do": word})).await;
        assert_eq!(moved.json()["state"], state, "{receiver} {word}: {}", moved.text);
        seen += 1;
        let last = hook.wait_for(seen).await[seen - 1].clone();
        assert_eq!(last.kind(), format!("PAYMENT.PAYOUTS-ITEM.{event}"));
        assert_eq!(last.json()["resource"]["transaction_status"], state);
    }
    let door = format!("/_simulator/items/{}", id_of(&rig, "b@example.com").await);
    assert_eq!(rig.post(&door, &json!({"do": "claim"})).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(rig.post(&door, &json!({"do": "claim", "to": "REFUNDED"})).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(rig.post(&door, &json!({"do": "reverse"})).await.json()["state"], "REVERSED");
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(hook.count(), seen, "a reversal is no event");
}

#[tokio::test]
async fn what_its_sender_takes_back_is_told_as_canceled() {
    let (rig, hook) = (Rig::start().await, Receiver::start().await);
    rig.hook(&hook.url).await;
    rig.create(&batch("b-1", &["unclaimed@example.com"])).await.accepted();
    hook.wait_for(3).await;
    let path = format!("/v1/payments/payouts-item/{}/cancel", id_of(&rig, "unclaimed@example.com").await);
    assert_eq!(rig.post(&path, &json!({})).await.json()["transaction_status"], "RETURNED");
    let last = hook.wait_for(4).await[3].clone();
    assert_eq!(last.kind(), "PAYMENT.PAYOUTS-ITEM.CANCELED");
    assert_eq!(last.json()["resource"]["transaction_status"], "RETURNED");
}

#[tokio::test]
async fn a_pending_batch_is_processed_or_denied_by_hand() {
    let (rig, hook) = (Rig::slow().await, Receiver::start().await);
    rig.hook(&hook.url).await;
    let [first, second] = [
        rig.create(&batch("b-1", &["a@example.com", "b@example.com"])).await.accepted(),
        rig.create(&batch("b-2", &["c@example.com"])).await.accepted(),
    ];
    let door = |id: &str| format!("/_simulator/batches/{id}");
    let denied = rig.post(&door(&first), &json!({"to": "DENIED", "error": "ACCOUNT_RESTRICTED"})).await.json();
    assert_eq!(
        (&denied["batch_status"], &denied["items"][0]["error"]),
        (&json!("DENIED"), &json!("ACCOUNT_RESTRICTED"))
    );
    assert_eq!(rig.post(&door(&second), &json!({"to": "SUCCESS"})).await.json()["batch_status"], "SUCCESS");
    for id in [&first, &second] {
        assert_eq!(rig.post(&door(id), &json!({"to": "DENIED"})).await.status, StatusCode::BAD_REQUEST, "too late");
    }
    let mut kinds: Vec<String> = hook.wait_for(6).await.iter().map(Arrived::kind).collect();
    kinds.sort();
    let failed = "PAYMENT.PAYOUTS-ITEM.FAILED";
    let batch_kinds = ["DENIED", "PROCESSING", "SUCCESS"].map(|word| format!("PAYMENT.PAYOUTSBATCH.{word}"));
    assert_eq!(kinds[..3], [failed, failed, "PAYMENT.PAYOUTS-ITEM.SUCCEEDED"]);
    assert_eq!(kinds[3..], batch_kinds);
    rig.advance(3600).await;
    assert_eq!(rig.item("a@example.com").await["payments"], 0, "denied for good");
    assert_eq!(rig.item("c@example.com").await["payments"], 1, "and paid once");
}

#[tokio::test]
async fn a_balance_can_be_read_and_set_and_may_not_suffice() {
    let rig = Rig::start().await;
    let read = async |query: &str| rig.get(&format!("/v1/reporting/balances{query}")).await;
    let all = read("").await.json();
    assert_eq!(all["balances"].as_array().expect("balances").len(), 24);
    assert_eq!(all["account_id"].as_str().map(str::len), Some(13));
    assert!(all["as_of_time"].is_string() && all["last_refresh_time"].is_string());
    let set = json!({"client_id": ID, "currency": "USD", "value": "20.39"});
    assert_eq!(rig.post("/_simulator/balances", &set).await.status, StatusCode::OK);
    let one = read("?currency_code=USD").await.json();
    let money = |value: &str| json!({"currency_code": "USD", "value": value});
    let expected = json!([{"currency": "USD", "primary": true, "total_balance": money("20.39"),
        "available_balance": money("20.39"), "withheld_balance": money("0.00")}]);
    assert_eq!(one["balances"], expected);
    for bad in ["?currency_code=usd", "?as_of_time=now", "?as_of_time=2999-01-01T00:00:00Z"] {
        read(bad).await.refused(400, "VALIDATION_ERROR");
    }
    for bad in [("EUR", "1.234"), ("XXX", "1"), ("JPY", "1.5"), ("USD", "-1"), ("USD", "much")] {
        let body = json!({"client_id": ID, "currency": bad.0, "value": bad.1});
        assert_eq!(rig.post("/_simulator/balances", &body).await.status, StatusCode::BAD_REQUEST, "{body}");
    }
    // Two payments of 10.00 with two per cent each need a cent more.
    let body = batch("b-1", &["a@example.com", "b@example.com"]);
    let denied = rig.create(&body).await.accepted();
    let shown = rig.batch(&denied).await;
    assert_eq!(shown["batch_header"]["batch_status"], "DENIED");
    assert_eq!(shown["items"][0]["errors"]["name"], "INSUFFICIENT_FUNDS");
    rig.post("/_simulator/balances", &json!({"client_id": ID, "currency": "USD", "value": "20.40"})).await;
    let paid = rig.create(&body).await.accepted();
    assert_eq!(rig.batch(&paid).await["batch_header"]["batch_status"], "SUCCESS");
    assert_eq!(read("?currency_code=USD").await.json()["balances"][0]["total_balance"]["value"], "0.00");
}

#[tokio::test]
async fn the_page_has_a_button_for_everything() {
    let rig = Rig::slow().await;
    assert!(page(&rig, "").await.contains("No batch has arrived yet"));
    let batch_id = rig.create(&batch("b-1", &["a@example.com", "unclaimed<b>@example.com"])).await;
    batch_id.refused(400, "VALIDATION_ERROR");
    let id = rig.create(&batch("b-1", &["a@example.com", "unclaimed@example.com"])).await.accepted();
    let shown = page(&rig, "").await;
    assert!(shown.contains("Process now") && shown.contains("Deny") && shown.contains("unclaimed@example.com"));
    let done = press(&rig, &[("do", "process"), ("id", &id)]).await;
    assert!(done.text.contains(&format!("Batch {id} is processed.")), "{}", done.text);
    let shown = page(&rig, "?q=UNCLAIMED").await;
    assert!(shown.contains("Claim") && !shown.contains(">a@example.com<"), "narrowed to what is searched for");
    assert!(page(&rig, "?q=nobody").await.contains("No payment matches"));
    let item = id_of(&rig, "unclaimed@example.com").await;
    let claimed = press(&rig, &[("do", "claim"), ("id", &item), ("q", "unclaimed")]).await.text;
    assert!(claimed.contains("is SUCCESS now") && claimed.contains("Refund"), "{claimed}");
    assert!(press(&rig, &[("do", "claim"), ("id", &item)]).await.text.contains("Not done"));
    let refunded = press(&rig, &[("do", "refund"), ("id", &item)]).await.text;
    assert!(refunded.contains("is REFUNDED now"));
    assert!(press(&rig, &[("do", "clock"), ("seconds", "86400")]).await.text.contains("1 days ahead"));
    assert!(press(&rig, &[("do", "webhooks"), ("off", "1")]).await.text.contains("Switched off"));
    let set = [("do", "balance"), ("client_id", ID), ("currency", "USD"), ("value", "7.50")];
    assert!(press(&rig, &set).await.text.contains("7.50"));
    assert!(press(&rig, &[("do", "lose")]).await.text.contains("1 fault is still to come"));
    let mut rig = rig;
    rig.token = rig.token_of(ID).await;
    let lost = rig.request(Method::POST, "/v1/payments/payouts").json(&batch("b-2", &["c@example.com"])).send().await;
    assert!(lost.is_err(), "no answer");
    assert_eq!(rig.accepted().await, 2, "and a batch all the same");
    assert!(press(&rig, &[("do", "nonsense")]).await.text.contains("no such button"));
    let elsewhere = rig.http.post(format!("{}/_simulator/play", rig.simulator.url()));
    let elsewhere = elsewhere.header("origin", "https://elsewhere.example").form(&[("do", "lose")]);
    assert_eq!(answer(elsewhere).await.status, StatusCode::FORBIDDEN);
}
