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
