//! The calls as they go when nothing is wrong, and who may make them.

use super::*;
use std::collections::HashSet;

const PAYOUTS: &str = "https://uri.paypal.com/payments/payouts";

#[tokio::test]
async fn a_token_carries_the_scope_of_its_app() {
    let rig = Rig::start().await;
    for (client_id, has_payouts) in [(ID, true), ("no-payouts", false), ("not-approved", true)] {
        let answer = rig.token_call(client_id, SECRET, "grant_type=client_credentials").await;
        assert_eq!(answer.status, StatusCode::OK);
        assert!(answer.debug_id.is_some());
        let body = answer.json();
        assert_eq!(body["token_type"], "Bearer");
        assert!(body["expires_in"].as_u64().expect("seconds") > 30_000);
        let scopes: Vec<&str> = body["scope"].as_str().expect("a scope").split(' ').collect();
        assert_eq!(scopes.contains(&PAYOUTS), has_payouts, "{scopes:?}");
    }
}

#[tokio::test]
async fn wrong_details_get_no_token() {
    let rig = Rig::start().await;
    let expected = json!({"error": "invalid_client", "error_description": "Client Authentication failed"});
    for (client_id, secret) in [(ID, "wrong"), ("nobody", SECRET), ("", ""), (ID, "")] {
        let answer = rig.token_call(client_id, secret, "grant_type=client_credentials").await;
        assert_eq!((answer.status, answer.json()), (StatusCode::UNAUTHORIZED, expected.clone()));
    }
    let anonymous = rig.http.post(format!("{}/v1/oauth2/token", rig.simulator.url()));
    assert_eq!(answer(anonymous).await.status, StatusCode::UNAUTHORIZED);
    for form in ["", "grant_type=password", "grant_type"] {
        let answer = rig.token_call(ID, SECRET, form).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        assert_eq!(answer.json()["error"], "unsupported_grant_type");
    }
}

#[tokio::test]
async fn a_call_needs_a_token_that_is_known_and_young() {
    let mut rig = Rig::start().await;
    let good = rig.token.clone();
    let body = batch("b-1", &["a@example.com"]);
    rig.token = "A21AAnothing".to_owned();
    rig.create(&body).await.refused(401, "AUTHENTICATION_FAILURE");
    rig.get("/v1/payments/payouts/X").await.refused(401, "AUTHENTICATION_FAILURE");
    let anonymous = rig.http.post(format!("{}/v1/payments/payouts", rig.simulator.url())).json(&body);
    answer(anonymous).await.refused(401, "AUTHENTICATION_FAILURE");
    rig.token = good;
    rig.advance(9 * 3600).await;
    rig.create(&body).await.refused(401, "AUTHENTICATION_FAILURE");
    assert_eq!(rig.accepted().await, 0);
    rig.token = rig.token_of(ID).await;
    rig.create(&body).await.accepted();
}

#[tokio::test]
async fn an_app_without_the_feature_may_do_nothing_and_an_unapproved_account_may_not_pay() {
    let mut rig = Rig::start().await;
    let id = rig.create(&batch("b-1", &["a@example.com"])).await.accepted();
    rig.token = rig.token_of("no-payouts").await;
    rig.create(&batch("b-2", &["a@example.com"])).await.refused(403, "REQUIRED_SCOPE_MISSING");
    rig.get(&format!("/v1/payments/payouts/{id}")).await.refused(403, "REQUIRED_SCOPE_MISSING");
    rig.token = rig.token_of("not-approved").await;
    rig.create(&batch("b-3", &["a@example.com"])).await.refused(403, "AUTHORIZATION_ERROR");
    rig.get("/v1/payments/payouts/NOSUCH").await.refused(404, "INVALID_RESOURCE_ID");
    assert_eq!(rig.accepted().await, 1);
}

#[tokio::test]
async fn a_token_keeps_the_scope_of_the_moment_it_was_given_out() {
    let mut rig = Rig::start().await;
    let change = async |rig: &Rig, change: Value| rig.post("/_simulator/accounts", &change).await.status.as_u16();
    rig.token = rig.token_of("no-payouts").await;
    assert_eq!(change(&rig, json!({"client_id": "no-payouts", "payouts": true})).await, 200);
    rig.create(&batch("b-1", &["a@example.com"])).await.refused(403, "REQUIRED_SCOPE_MISSING");
    rig.token = rig.token_of("no-payouts").await;
    rig.create(&batch("b-1", &["a@example.com"])).await.accepted();

    rig.token = rig.token_of("not-approved").await;
    rig.create(&batch("b-2", &["a@example.com"])).await.refused(403, "AUTHORIZATION_ERROR");
    assert_eq!(change(&rig, json!({"client_id": "not-approved", "approved": true})).await, 200);
    rig.create(&batch("b-2", &["a@example.com"])).await.accepted();

    assert_eq!(change(&rig, json!({"client_id": ID, "secret": "new"})).await, 200);
    assert_eq!(rig.token_call(ID, SECRET, "grant_type=client_credentials").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(rig.token_call(ID, "new", "grant_type=client_credentials").await.status, StatusCode::OK);
    assert_eq!(change(&rig, json!({"client_id": "nobody"})).await, 400);
    assert_eq!(change(&rig, json!({"payouts": true})).await, 400);
}

#[tokio::test]
async fn a_new_batch_is_pending_and_its_items_are_not_shown() {
    let rig = Rig::start().await;
    let mut body = batch("b-1", &["a@example.com"]);
    body["sender_batch_header"]["email_message"] = json!("For May");
    let answer = rig.create(&body).await;
    let id = answer.accepted();
    assert!(id.len() <= 30);
    let created = answer.json();
    assert_eq!(created["batch_header"]["batch_status"], "PENDING");
    let echo = json!({"sender_batch_id": "b-1", "email_subject": "You have a payout", "email_message": "For May"});
    assert_eq!(created["batch_header"]["sender_batch_header"], echo);
    assert!(created.get("items").is_none());
    assert_eq!(created["links"].as_array().expect("links").len(), 1);
    assert_eq!(created["links"][0]["rel"], "self");
    assert!(created["links"][0]["href"].as_str().expect("an address").ends_with(&format!("/payouts/{id}")));
}

#[tokio::test]
async fn a_batch_and_its_items_are_shown_in_the_documented_shape() {
    let rig = Rig::start().await;
    let id = rig.create(&batch("b-1", &["a@example.com", "failed@example.com"])).await.accepted();
    let shown = rig.batch(&id).await;
    let header = &shown["batch_header"];
    assert_eq!(header["batch_status"], "SUCCESS");
    assert_eq!(header["funding_source"], "BALANCE");
    assert_eq!(header["amount"], json!({"currency": "USD", "value": "20.0"}));
    assert_eq!(header["fees"], json!({"currency": "USD", "value": "0.2"}), "the fee of what failed is not charged");
    assert!(header["time_completed"].is_string() && header["time_closed"].is_string());
    assert!(shown.get("total_items").is_none() && shown.get("total_pages").is_none());
    let [paid, failed] = shown["items"].as_array().expect("items").as_slice() else { panic!("two items") };
    assert_eq!(paid["transaction_status"], "SUCCESS");
    assert_eq!(paid["payout_item"]["amount"]["value"], "10.0", "PayPal shortens what it repeats");
    assert!(paid["transaction_id"].is_string() && paid.get("errors").is_none());
    assert_eq!(failed["transaction_status"], "FAILED");
    assert!(failed.get("transaction_id").is_none());
    assert_eq!(failed["errors"]["name"], "RECEIVER_ACCOUNT_LOCKED");
    assert!(failed["errors"]["message"].is_string() && failed["errors"]["debug_id"].is_string());

    let item_id = paid["payout_item_id"].as_str().expect("an id");
    let alone = rig.get(&format!("/v1/payments/payouts-item/{item_id}")).await.json();
    assert_eq!(alone["sender_batch_id"], "b-1");
    assert_eq!(alone["payout_batch_id"], id.as_str());
    for key in ["payout_item_id", "transaction_id", "transaction_status", "payout_item", "payout_item_fee"] {
        assert_eq!(alone[key], paid[key], "{key}");
    }
}

#[tokio::test]
async fn fifteen_thousand_items_are_read_page_by_page() {
    let rig = Rig::start().await;
    let receivers: Vec<String> = (0..15_000).map(|number| format!("affiliate-{number}@example.com")).collect();
    let receivers: Vec<&str> = receivers.iter().map(String::as_str).collect();
    let id = rig.create(&batch("big", &receivers)).await.accepted();
    let mut seen = HashSet::new();
    for page in 1..=15 {
        let path = format!("/v1/payments/payouts/{id}?page={page}&page_size=1000&total_required=true");
        let shown = rig.get(&path).await.json();
        assert_eq!((shown["total_items"].as_u64(), shown["total_pages"].as_u64()), (Some(15_000), Some(15)));
        let items = shown["items"].as_array().expect("items");
        assert_eq!(items.len(), 1000);
        seen.extend(items.iter().map(|item| item["payout_item"]["receiver"].as_str().expect("text").to_owned()));
    }
    assert_eq!(seen.len(), 15_000);
    let beyond = rig.get(&format!("/v1/payments/payouts/{id}?page=16&page_size=1000")).await.json();
    assert_eq!(beyond["items"], json!([]));
    let last = rig.get(&format!("/v1/payments/payouts/{id}?page=38&page_size=400&total_required=True")).await.json();
    assert_eq!((last["items"].as_array().expect("items").len(), &last["total_pages"]), (200, &json!(38)));
    let header = rig.get(&format!("/v1/payments/payouts/{id}?fields=batch_header")).await.json();
    assert_eq!((&header["items"], &header["batch_header"]["amount"]["value"]), (&json!([]), &json!("150000.0")));
}

#[tokio::test]
async fn one_item_too_many_is_refused() {
    let rig = Rig::start().await;
    let receivers = vec!["a@example.com"; 15_001];
    let details = rig.create(&batch("big", &receivers)).await.refused(400, "VALIDATION_ERROR");
    assert_eq!(details[0]["field"], "items");
    assert_eq!(rig.accepted().await, 0);
}

#[tokio::test]
async fn a_page_outside_the_limits_is_refused() {
    let rig = Rig::start().await;
    let id = rig.create(&batch("b-1", &["a@example.com"])).await.accepted();
    let queries =
        ["page=0", "page=1001", "page=-1", "page=x", "page_size=0", "page_size=1001", "page=", "total_required=yes"];
    for query in queries {
        let details = rig.get(&format!("/v1/payments/payouts/{id}?{query}")).await.refused(400, "VALIDATION_ERROR");
        assert_eq!(details[0]["location"], "query", "{query}");
    }
}

#[tokio::test]
async fn what_belongs_to_another_account_does_not_exist() {
    let mut rig = Rig::start().await;
    let id = rig.create(&batch("b-1", &["unregistered@example.com"])).await.accepted();
    let item_id = rig.batch(&id).await["items"][0]["payout_item_id"].as_str().expect("an id").to_owned();
    rig.token = rig.token_of("client-2").await;
    rig.get(&format!("/v1/payments/payouts/{id}")).await.refused(404, "INVALID_RESOURCE_ID");
    rig.get(&format!("/v1/payments/payouts-item/{item_id}")).await.refused(404, "INVALID_RESOURCE_ID");
    let cancel = format!("/v1/payments/payouts-item/{item_id}/cancel");
    rig.post(&cancel, &json!({})).await.refused(404, "INVALID_RESOURCE_ID");
    assert_eq!(rig.item("unregistered@example.com").await["state"], "UNCLAIMED");
}

#[tokio::test]
async fn only_an_unclaimed_item_of_a_finished_batch_can_be_taken_back_and_only_once() {
    let rig = Rig::slow().await;
    let id = rig.create(&batch("b-1", &["unregistered@example.com", "a@example.com"])).await.accepted();
    let shown = rig.batch(&id).await;
    let cancel = |index: usize| {
        let item = shown["items"][index]["payout_item_id"].as_str().expect("an id");
        format!("/v1/payments/payouts-item/{item}/cancel")
    };
    rig.post(&cancel(0), &json!({})).await.refused(400, "BATCH_NOT_COMPLETED");
    rig.advance(60).await;
    rig.post(&cancel(1), &json!({})).await.refused(400, "ITEM_INCORRECT_STATUS");
    let bare = answer(rig.request(Method::POST, &cancel(0))).await;
    assert_eq!((bare.status, &bare.json()["transaction_status"]), (StatusCode::OK, &json!("RETURNED")));
    rig.post(&cancel(0), &json!({})).await.refused(400, "ITEM_ALREADY_CANCELLED");
    let item = rig.item("unregistered@example.com").await;
    assert_eq!((&item["state"], &item["payments"]), (&json!("RETURNED"), &json!(0)));
}

#[tokio::test]
async fn other_paths_and_methods_do_not_exist() {
    let rig = Rig::start().await;
    rig.get("/v1/payments/payout").await.refused(404, "RESOURCE_NOT_FOUND");
    rig.get("/v1/payments/payouts").await.refused(405, "METHOD_NOT_SUPPORTED");
    rig.get("/v1/oauth2/token").await.refused(405, "METHOD_NOT_SUPPORTED");
    rig.post("/v1/payments/payouts/X", &json!({})).await.refused(405, "METHOD_NOT_SUPPORTED");
    rig.get("/v1/payments/payouts-item/X/cancel").await.refused(405, "METHOD_NOT_SUPPORTED");
    let home = rig.get("/").await;
    assert!(home.status.is_success() && home.text.contains(ID) && !home.text.contains(SECRET));
}
