//! What PayPal refuses when a batch is created. One bad part refuses the whole batch.

use super::*;

/// Changes a good batch of two items at a JSON pointer, and expects a refusal that names a field.
async fn check(rig: &Rig, pointer: &str, value: Value, field: &str) {
    let mut body = batch("b-1", &["a@example.com", "b@example.com"]);
    match body.pointer_mut(pointer) {
        Some(place) => *place = value.clone(),
        None => {
            let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
            body.pointer_mut(parent).expect("a parent")[key] = value.clone();
        }
    }
    let details = rig.create(&body).await.refused(400, "VALIDATION_ERROR");
    let fields: Vec<&str> = details.iter().map(|detail| detail["field"].as_str().expect("a field")).collect();
    assert!(fields.contains(&field), "{pointer} = {value} named {fields:?}, not {field}");
    assert!(details.iter().all(|detail| detail["issue"].is_string() && detail["location"] == "body"));
}

#[tokio::test]
async fn a_bad_receiver_refuses_the_whole_batch() {
    let rig = Rig::start().await;
    let long = format!("a@{}.com", "x".repeat(130));
    for bad in ["", "no-at-sign", "a@b", "a@@b.co", "müller@example.com", "a b@example.com", " a@example.com", &long] {
        check(&rig, "/items/1/receiver", json!(bad), "items[1].receiver").await;
    }
    for bad in [json!(5), json!(null), json!(["a@example.com"])] {
        check(&rig, "/items/1/receiver", bad, "items[1].receiver").await;
    }
    for kind in ["PHONE", "PAYPAL_ID", "USER_HANDLE", "VENMO_HANDLE", "BOGUS", "email", ""] {
        check(&rig, "/items/1/recipient_type", json!(kind), "items[1].receiver").await;
    }
    assert_eq!(rig.accepted().await, 0);
}

#[tokio::test]
async fn a_bad_amount_refuses_the_whole_batch() {
    let rig = Rig::start().await;
    for bad in ["0", "0.00", "-1.00", "+1.00", "1,000.00", "1.005", "1.", ".5", "1e3", "", "ten", " 1.00", "1.00 ", "٣"]
    {
        check(&rig, "/items/1/amount/value", json!(bad), "items[1].amount.value").await;
    }
    check(&rig, "/items/1/amount/value", json!("12345678901234"), "items[1].amount.value").await;
    check(&rig, "/items/1/amount/value", json!(10.5), "items[1].amount.value").await;
    check(&rig, "/items/1/amount", json!("10.00"), "items[1].amount").await;
    check(&rig, "/items/0/amount", json!({"value": "1.00"}), "items[0].amount.currency").await;
    check(&rig, "/items/0/amount", json!({"currency": "USD"}), "items[0].amount.value").await;
    assert_eq!(rig.accepted().await, 0);
}

#[tokio::test]
async fn a_currency_without_decimals_has_none() {
    let rig = Rig::start().await;
    for code in ["JPY", "HUF", "TWD"] {
        for (value, good) in [("1200", true), ("1200.5", false), ("1200.00", false)] {
            let mut body = batch(&format!("{code}-{value}"), &["a@example.com"]);
            body["items"][0]["amount"] = json!({"currency": code, "value": value});
            let answer = rig.create(&body).await;
            assert_eq!(answer.status == StatusCode::CREATED, good, "{code} {value}: {}", answer.text);
        }
    }
}

#[tokio::test]
async fn a_second_currency_refuses_the_whole_batch() {
    let rig = Rig::start().await;
    check(&rig, "/items/1/amount/currency", json!("EUR"), "items[1].amount.currency").await;
    for code in ["XXX", "usd", "TND", "ARS", "", "US Dollar"] {
        check(&rig, "/items/0/amount/currency", json!(code), "items[0].amount.currency").await;
    }
    assert_eq!(rig.accepted().await, 0);
}

#[tokio::test]
async fn every_text_has_its_limit() {
    let rig = Rig::start().await;
    let header = "/sender_batch_header";
    for (key, max) in [
        ("sender_batch_id", 256),
        ("email_subject", 255),
        ("email_message", 1000),
        ("note", 1000),
        ("recipient_type", 13),
    ] {
        let field = format!("sender_batch_header.{key}");
        check(&rig, &format!("{header}/{key}"), json!("x".repeat(max + 1)), &field).await;
        check(&rig, &format!("{header}/{key}"), json!(7), &field).await;
        check(&rig, &format!("{header}/{key}"), json!("two\nlines"), &field).await;
    }
    check(&rig, "/sender_batch_header/email_subject", json!("ü".repeat(128)), "sender_batch_header.email_subject")
        .await;
    for (key, max) in [("sender_item_id", 63), ("note", 4000), ("recipient_wallet", 36), ("notification_language", 10)]
    {
        check(&rig, &format!("/items/0/{key}"), json!("x".repeat(max + 1)), &format!("items[0].{key}")).await;
    }
    check(&rig, "/items/0/note", json!("ü".repeat(1001)), "items[0].note").await;
    let mut longest = batch(&"i".repeat(256), &["a@example.com"]);
    longest["sender_batch_header"]["email_subject"] = json!("x".repeat(255));
    longest["sender_batch_header"]["email_message"] = json!("ü".repeat(1000));
    longest["items"][0]["note"] = json!("x".repeat(4000));
    longest["items"][0]["sender_item_id"] = json!("x".repeat(63));
    rig.create(&longest).await.accepted();
    longest["sender_batch_header"]["sender_batch_id"] = json!("another");
    longest["sender_batch_header"]["note"] = json!("x");
    let details = rig.create(&longest).await.refused(400, "VALIDATION_ERROR");
    assert_eq!(details[0]["field"], "items[0].note", "both notes share a mail of 1000 characters");
}

#[tokio::test]
async fn the_smaller_parts_must_be_well_formed_too() {
    let rig = Rig::start().await;
    for (key, bad, field) in [
        ("purpose", json!("GIFT"), "purpose"),
        ("recipient_wallet", json!("BANK"), "recipient_wallet"),
        ("notification_language", json!("en_US"), "notification_language"),
        ("application_context", json!({"social_feed_privacy": "SECRET"}), "application_context.social_feed_privacy"),
        ("application_context", json!([]), "application_context"),
        (
            "alternate_notification_method",
            json!({"phone": {"country_code": "49"}}),
            "alternate_notification_method.phone.national_number",
        ),
        (
            "alternate_notification_method",
            json!({"phone": {"country_code": "+49", "national_number": "1"}}),
            "alternate_notification_method.phone.country_code",
        ),
        (
            "alternate_notification_method",
            json!({"phone": {"country_code": "123", "national_number": "1234567890123"}}),
            "alternate_notification_method.phone",
        ),
    ] {
        check(&rig, &format!("/items/0/{key}"), bad, &format!("items[0].{field}")).await;
    }
    let mut venmo = batch("venmo", &["a@example.com"]);
    venmo["items"][0]["recipient_wallet"] = json!("Venmo");
    venmo["items"][0]["note"] = json!("");
    let details = rig.create(&venmo).await.refused(400, "VALIDATION_ERROR");
    assert_eq!(details[0]["field"], "items[0].note");
}

#[tokio::test]
async fn the_recipient_type_stands_on_the_item_or_on_the_header() {
    let rig = Rig::start().await;
    let mut body = batch("b-1", &["a@example.com"]);
    body["items"][0].as_object_mut().expect("an object").remove("recipient_type");
    let details = rig.create(&body).await.refused(400, "VALIDATION_ERROR");
    assert_eq!(details[0]["field"], "items[0].recipient_type");
    body["sender_batch_header"]["recipient_type"] = json!("EMAIL");
    rig.create(&body).await.accepted();
    let mut phone = batch("b-2", &["a@example.com", "b@example.com"]);
    phone["sender_batch_header"]["recipient_type"] = json!("EMAIL");
    phone["items"][1]["recipient_type"] = json!("PHONE");
    phone["items"][1]["receiver"] = json!("91-734-234-1234");
    rig.create(&phone).await.accepted();
}

#[tokio::test]
async fn every_bad_item_is_named() {
    let rig = Rig::start().await;
    let body = batch("b-1", &["a@example.com", "bad", "b@example.com", "worse"]);
    let details = rig.create(&body).await.refused(400, "VALIDATION_ERROR");
    let fields: Vec<&Value> = details.iter().map(|detail| &detail["field"]).collect();
    assert_eq!(fields, ["items[1].receiver", "items[3].receiver"]);
    assert_eq!(details[0]["issue"], "Receiver is invalid or does not match with type");
    assert_eq!(rig.accepted().await, 0);
}

#[tokio::test]
async fn a_body_of_the_wrong_shape_is_refused() {
    let rig = Rig::start().await;
    for (body, field) in [
        (json!({}), "sender_batch_header"),
        (json!({"sender_batch_header": {}}), "items"),
        (json!({"sender_batch_header": {}, "items": []}), "items"),
        (json!({"sender_batch_header": {}, "items": {}}), "items"),
        (json!({"sender_batch_header": [], "items": [item("a@example.com", "1.00")]}), "sender_batch_header"),
        (json!({"sender_batch_header": {}, "items": ["a@example.com"]}), "items[0]"),
    ] {
        let details = rig.create(&body).await.refused(400, "VALIDATION_ERROR");
        assert!(details.iter().any(|detail| detail["field"] == field), "{body}: {details:?}");
    }
    let deep = "[".repeat(100_000);
    for text in ["", "{", "[]", "null", "\"\"", "{\"items\": \u{0}}", &deep] {
        let request = rig.request(Method::POST, "/v1/payments/payouts").header("content-type", "application/json");
        answer(request.body(text.to_owned())).await.refused(400, "INVALID_REQUEST");
    }
    let request = rig.request(Method::POST, "/v1/payments/payouts").header("content-type", "application/json");
    answer(request.body(b"{\"a\": \"\xff\xfe\"}".to_vec())).await.refused(400, "INVALID_REQUEST");
    assert_eq!(rig.accepted().await, 0);
}

#[tokio::test]
async fn a_body_must_be_announced_as_json() {
    let rig = Rig::start().await;
    let body = batch("b-1", &["a@example.com"]).to_string();
    for kind in ["text/plain", "application/x-www-form-urlencoded", "application/jsonp"] {
        let request = rig.request(Method::POST, "/v1/payments/payouts").header("content-type", kind);
        answer(request.body(body.clone())).await.refused(415, "UNSUPPORTED_MEDIA_TYPE");
    }
    let bare = rig.request(Method::POST, "/v1/payments/payouts").body(body.clone());
    answer(bare).await.refused(415, "UNSUPPORTED_MEDIA_TYPE");
    let request =
        rig.request(Method::POST, "/v1/payments/payouts").header("content-type", "application/json; charset=UTF-8");
    answer(request.body(body)).await.accepted();
}

#[tokio::test]
async fn a_body_that_never_ends_is_refused() {
    let rig = Rig::start().await;
    let request = rig.request(Method::POST, "/v1/payments/payouts").header("content-type", "application/json");
    answer(request.body(vec![b' '; 33 * 1024 * 1024])).await.refused(413, "REQUEST_ENTITY_TOO_LARGE");
}

#[tokio::test]
async fn the_synchronous_mode_is_gone() {
    let rig = Rig::start().await;
    let answer = rig.post("/v1/payments/payouts?sync_mode=true", &batch("b-1", &["a@example.com"])).await;
    answer.refused(403, "SYNC_MODE_NOT_APPLICABLE");
    rig.post("/v1/payments/payouts?sync_mode=false", &batch("b-1", &["a@example.com"])).await.accepted();
}
