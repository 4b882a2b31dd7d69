//! PayPal's own test values.

use super::*;

#[tokio::test]
async fn a_note_asks_for_a_refusal() {
    let rig = Rig::start().await;
    for (note, status, name) in [
        ("ERRPYO001", 403, "SENDER_RESTRICTED"),
        ("ERRPYO002", 403, "SENDER_EMAIL_UNCONFIRMED"),
        ("ERRPYO003", 403, "AUTHORIZATION_ERROR"),
        ("ERRPYO005", 422, "INSUFFICIENT_FUNDS"),
        ("ERRPYO006", 500, "INTERNAL_ERROR"),
        ("ERRPYO010", 400, "VALIDATION_ERROR"),
        ("ERRPYO011", 403, "REQUIRED_SCOPE_MISSING"),
        ("ERRPYO012", 403, "SENDER_LOCKED"),
        ("ERRPYO014", 400, "USER_BUSINESS_ERROR"),
        ("ERRPYO035", 429, "RATE_LIMIT_REACHED"),
        ("ERRPYO036", 504, "REQUEST_TIMEOUT_EXCEEDED"),
        ("ERRPYO037", 403, "SYNC_MODE_NOT_APPLICABLE"),
        ("ERRPYO038", 400, "NON_HOLDING_CURRENCY"),
        ("ERRPYO039", 409, "PREVIOUS_REQUEST_IN_PROGRESS"),
        ("ERRPYO040", 403, "CIP_NOT_VERIFIED"),
    ] {
        let mut body = batch("b-1", &["a@example.com"]);
        body["items"][0]["note"] = json!(note);
        rig.create(&body).await.refused(status, name);
    }
    rig.create(&batch("ERRPYO013", &["a@example.com"])).await.refused(400, "VALIDATION_ERROR");
    assert_eq!(rig.accepted().await, 0);
    for note in ["POSPYO001", "ERRPYO004", "ERRPYO007", "errpyo001", "ERRPYO001 "] {
        let mut body = batch(note, &["a@example.com"]);
        body["items"][0]["note"] = json!(note);
        rig.create(&body).await.accepted();
    }
}

#[tokio::test]
async fn a_path_asks_for_a_batch() {
    let rig = Rig::start().await;
    for (id, status, item, error) in [
        ("POSPYO002", "SUCCESS", "SUCCESS", None),
        ("ERRPYOB001", "SUCCESS", "SUCCESS", None),
        ("ERRPYOB002", "PENDING", "PENDING", None),
        ("ERRPYOB003", "PROCESSING", "PENDING", None),
        ("ERRPYOB004", "DENIED", "FAILED", Some("REFUSED_ACTION_DENIED")),
        ("ERRPYOB005", "DENIED", "FAILED", Some("ACCOUNT_RESTRICTED")),
        ("ERRPYOB015", "DENIED", "FAILED", Some("TRANSACTION_DECLINED_BY_TRAVEL_RULE")),
        ("ERRPYO015", "DENIED", "FAILED", Some("CLOSED_MARKET")),
        ("ERRPYO022", "SUCCESS", "UNCLAIMED", Some("RECEIVER_UNREGISTERED")),
        ("ERRPYO034", "DENIED", "FAILED", Some("INVALID_EMAIL")),
        ("ERRPYO060", "SUCCESS", "ONHOLD", Some("RECEIVER_ACCOUNT_LIMITATION")),
    ] {
        let shown = rig.batch(id).await;
        assert_eq!(shown["batch_header"]["batch_status"], status, "{id}");
        assert_eq!(shown["items"][0]["transaction_status"], item, "{id}");
        assert_eq!(shown["items"][0]["errors"]["name"].as_str(), error, "{id}");
    }
    for id in ["ERRPYO032", "ERRPYO035", "ERRPYOB016", "ERRPYOB000", "ERRPYO"] {
        rig.get(&format!("/v1/payments/payouts/{id}")).await.refused(404, "INVALID_RESOURCE_ID");
    }
}

#[tokio::test]
async fn a_path_asks_for_an_item_or_a_cancellation() {
    let rig = Rig::start().await;
    for (id, state, error) in [
        ("POSPOI001", "SUCCESS", None),
        ("ERRPYO041", "FAILED", Some("CLOSED_MARKET")),
        ("ERRPYO043", "FAILED", Some("CURRENCY_NOT_SUPPORTED_FOR_RECEIVER")),
        ("ERRPYO044", "FAILED", Some("RECEIVER_ACCOUNT_LOCKED")),
        ("ERRPYO047", "UNCLAIMED", Some("RECEIVER_UNREGISTERED")),
        ("ERRPYO050", "BLOCKED", Some("REGULATORY_BLOCKED")),
        ("ERRPYO051", "PENDING", Some("REGULATORY_PENDING")),
        ("ERRPYO059", "FAILED", Some("INVALID_EMAIL")),
        ("ERRPYO061", "ONHOLD", Some("RECEIVER_ACCOUNT_LIMITATION")),
        ("ERRPYOB026", "FAILED", Some("TRANSACTION_DECLINED_BY_TRAVEL_RULE")),
    ] {
        let shown = rig.get(&format!("/v1/payments/payouts-item/{id}")).await.json();
        assert_eq!(shown["transaction_status"], state, "{id}");
        assert_eq!(shown["errors"]["name"].as_str(), error, "{id}");
    }
    let cancel = |id: &str| format!("/v1/payments/payouts-item/{id}/cancel");
    assert_eq!(rig.post(&cancel("POSPOI002"), &json!({})).await.json()["transaction_status"], "RETURNED");
    rig.post(&cancel("ERRPOI001"), &json!({})).await.refused(404, "INVALID_RESOURCE_ID");
    for (id, name) in [
        ("ERRPYO004", "BATCH_NOT_COMPLETED"),
        ("ERRPYO007", "ITEM_ALREADY_CANCELLED"),
        ("ERRPYO008", "ITEM_CANCELLATION_FAILED"),
        ("ERRPYO009", "ITEM_INCORRECT_STATUS"),
    ] {
        rig.post(&cancel(id), &json!({})).await.refused(400, name);
    }
    assert_eq!(rig.accepted().await, 0);
}
