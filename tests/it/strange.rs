//! A PayPal that answers strangely: what it says is kept, moves nothing it should not, and never ends the reading.

use crate::support::site::app_on;
use crate::support::world::World;
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use stipend::app::App;
use stipend::payout::{reconcile, submit};
use time::Duration;

/// Makes the answer to "show batch" from the items that were sent and the page that is asked for.
type Show = dyn Fn(&[Value], usize) -> Value + Send + Sync;

#[derive(Clone)]
pub struct Strange {
    sent: Arc<Mutex<Vec<Value>>>,
    /// What "create batch" answers, time after time; the last one stays.
    created: Arc<Mutex<Vec<(u16, Value)>>>,
    show: Arc<Show>,
}

impl Strange {
    /// Serves, and gives an instance that believes it is PayPal.
    pub async fn start(
        world: &World,
        created: Vec<(u16, Value)>,
        show: impl Fn(&[Value], usize) -> Value + Send + Sync + 'static,
    ) -> App {
        let strange = Strange { sent: Arc::default(), created: Arc::new(Mutex::new(created)), show: Arc::new(show) };
        let token =
            json!({"access_token": "t", "expires_in": 32_000, "scope": "https://uri.paypal.com/payments/payouts"});
        let router = Router::new()
            .route("/v1/oauth2/token", post(async || Json(token)))
            .route("/v1/payments/payouts", post(create))
            .route("/v1/payments/payouts/{id}", get(show_batch))
            .with_state(strange);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async { axum::serve(listener, router).await });
        app_on(world.app.database.clone(), Some(format!("http://{address}")), world.app.clock.clone())
    }
}

async fn create(State(strange): State<Strange>, body: Bytes) -> (StatusCode, Json<Value>) {
    let body: Value = serde_json::from_slice(&body).unwrap();
    *strange.sent.lock().unwrap() = body["items"].as_array().unwrap().clone();
    let mut created = strange.created.lock().unwrap();
    let (status, answer) = if created.len() > 1 { created.remove(0) } else { created[0].clone() };
    (StatusCode::from_u16(status).unwrap(), Json(answer))
}

async fn show_batch(State(strange): State<Strange>, Query(query): Query<HashMap<String, String>>) -> Json<Value> {
    let page = query["page"].parse().unwrap();
    Json((strange.show)(&strange.sent.lock().unwrap(), page))
}

pub fn accepted() -> (u16, Value) {
    (201, json!({"batch_header": {"payout_batch_id": "PB1", "batch_status": "PENDING"}}))
}

fn duplicate() -> (u16, Value) {
    let link = json!([{"href": "https://api.sandbox.paypal.com/v1/payments/payouts/PB1", "rel": "self"}]);
    (
        400,
        json!({"name": "USER_BUSINESS_ERROR", "details": [{"field": "SENDER_BATCH_ID", "issue": "exists", "link": link}]}),
    )
}

/// A page of one batch.
pub fn page(status: &str, items: &[Value], pages: usize) -> Value {
    json!({"total_pages": pages, "batch_header": {"payout_batch_id": "PB1", "batch_status": status}, "items": items})
}

/// The item that was sent, as PayPal shows it.
pub fn shown(sent: &Value, number: usize, status: &str) -> Value {
    json!({
        "payout_item_id": format!("PI{number}"),
        "transaction_id": format!("T{number}"),
        "transaction_status": status,
        "payout_item": {"amount": sent["amount"], "sender_item_id": sent["sender_item_id"], "receiver": sent["receiver"]},
    })
}

async fn two_affiliates() -> World {
    let mut world = World::connected().await;
    world.owe("a@example.com", &["10.00"]).await;
    world.owe("b@example.com", &["20.00"]).await;
    world.pay_all().await;
    world
}

async fn work(world: &World, app: &App) {
    for _ in 0..6 {
        while submit::next(app).await.unwrap() {}
        while reconcile::next(app).await.unwrap() {}
        world.advance(Duration::seconds(20));
    }
}

async fn state(world: &World) -> (String, Option<String>) {
    let mut tx = world.tx().await;
    sqlx::query_as("select state, coalesce(trouble, why) from payout_batches where merchant_id = $1")
        .bind(world.merchant)
        .fetch_one(&mut *tx)
        .await
        .unwrap()
}

async fn flags(world: &World) -> Vec<String> {
    let mut tx = world.tx().await;
    sqlx::query_scalar("select flagged from payout_items where merchant_id = $1 and flagged is not null")
        .bind(world.merchant)
        .fetch_all(&mut *tx)
        .await
        .unwrap()
}

#[tokio::test]
async fn another_batchs_denial_frees_nothing() {
    let world = two_affiliates().await;
    let app = Strange::start(&world, vec![accepted()], |_, _| {
        json!({"total_pages": 1, "batch_header": {"payout_batch_id": "PB2", "batch_status": "DENIED"}, "items": []})
    })
    .await;
    work(&world, &app).await;
    assert_eq!(world.standings().await["paying"], 2);
    assert_eq!(state(&world).await, ("accepted".into(), Some("PayPal answered with batch PB2 instead".into())));
}

#[tokio::test]
async fn a_transaction_shown_for_two_items_on_two_pages_is_flagged() {
    let world = two_affiliates().await;
    let app = Strange::start(&world, vec![accepted()], |sent, number| {
        let mut item = shown(&sent[number - 1], number, "SUCCESS");
        item["transaction_id"] = "T1".into();
        page("SUCCESS", &[item], 2)
    })
    .await;
    work(&world, &app).await;
    assert_eq!(world.standings().await["paid"], 1);
    assert_eq!(world.standings().await["needs_a_person"], 1);
    assert_eq!(flags(&world).await, ["PayPal shows another item's transaction for this one"]);
}

#[tokio::test]
async fn a_nul_in_paypals_words_does_not_end_the_reading() {
    let world = two_affiliates().await;
    let app = Strange::start(&world, vec![accepted()], |sent, _| {
        let mut item = shown(&sent[1], 2, "FAILED");
        item["errors"] = json!({"name": "RISK\u{0}_DECLINE", "message": "\u{0}declined"});
        page("SUCCESS", &[shown(&sent[0], 1, "SUCCESS"), item], 1)
    })
    .await;
    work(&world, &app).await;
    assert_eq!(world.standings().await["paid"], 1);
    assert_eq!(world.standings().await["owed"], 1);
}

#[tokio::test]
async fn what_cannot_be_kept_is_told_and_moves_nothing() {
    let world = two_affiliates().await;
    let app = Strange::start(&world, vec![accepted()], |sent, _| {
        let mut item = shown(&sent[1], 2, "SUCCESS");
        item["payout_item_fee"] = json!({"currency": "USD", "value": "99999999999999999999"});
        page("SUCCESS", &[shown(&sent[0], 1, "SUCCESS"), item], 1)
    })
    .await;
    work(&world, &app).await;
    assert_eq!(world.standings().await["paying"], 2);
    let (batch, trouble) = state(&world).await;
    assert!(batch == "accepted" && trouble.unwrap().contains("could not be kept"));
}

#[tokio::test]
async fn a_duplicate_that_lists_an_item_twice_is_still_ours() {
    let world = two_affiliates().await;
    let app = Strange::start(&world, vec![(500, json!({})), duplicate()], |sent, number| {
        let items = [shown(&sent[0], 1, "PENDING"), shown(&sent[number - 1], number, "PENDING")];
        page("PROCESSING", &items, 2)
    })
    .await;
    work(&world, &app).await;
    assert_eq!(state(&world).await.0, "accepted");
}

#[tokio::test]
async fn a_duplicate_that_leaves_out_an_amount_stays_in_doubt() {
    let world = two_affiliates().await;
    let app = Strange::start(&world, vec![(500, json!({})), duplicate()], |sent, _| {
        let mut item = shown(&sent[1], 2, "PENDING");
        item["payout_item"]["amount"] = Value::Null;
        page("PROCESSING", &[shown(&sent[0], 1, "PENDING"), item], 1)
    })
    .await;
    work(&world, &app).await;
    assert_eq!(state(&world).await.0, "submitting");
    assert_eq!(world.standings().await["unknown"], 2);
}

#[tokio::test]
async fn a_duplicate_with_another_amount_or_item_is_nobodys_to_send_or_free() {
    for field in ["amount", "sender_item_id"] {
        let world = two_affiliates().await;
        let app = Strange::start(&world, vec![(500, json!({})), duplicate()], move |sent, _| {
            let mut item = shown(&sent[1], 2, "PENDING");
            item["payout_item"][field] =
                if field == "amount" { json!({"currency": "USD", "value": "21.00"}) } else { "X1".into() };
            page("PROCESSING", &[shown(&sent[0], 1, "PENDING"), item], 1)
        })
        .await;
        work(&world, &app).await;
        assert_eq!(state(&world).await.0, "stuck", "{field}");
        assert_eq!(world.standings().await["unknown"], 2, "{field}");
    }
}

#[tokio::test]
async fn words_nobody_knows_move_nothing() {
    let world = two_affiliates().await;
    let app = Strange::start(&world, vec![accepted()], |sent, _| {
        page("ACKNOWLEDGED", &[shown(&sent[0], 1, "TELEPORTED"), shown(&sent[1], 2, "")], 1)
    })
    .await;
    work(&world, &app).await;
    assert_eq!(world.standings().await["needs_a_person"], 2);
    assert_eq!(flags(&world).await.len(), 2);
    assert_eq!(state(&world).await.0, "accepted");
}
