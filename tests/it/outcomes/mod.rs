//! What becomes of money that PayPal has, followed to its end: taken back, decided upon, and looked for.

mod decisions;
mod doubt;
mod in_a_browser;
mod order;
mod pages;
mod polling;
mod taking_back;

use crate::support::world::{World, reqwest_client};
use serde_json::{Value, json};
use stipend::id::{BatchId, ItemId};
use time::Duration;

/// A batch that PayPal has finished, with one payment of 10.00 and 2.50 to each of these.
async fn paid_to(receivers: &[&str]) -> (World, BatchId) {
    let mut world = World::connected().await;
    for receiver in receivers {
        world.owe(&format!("{receiver}@example.com"), &["10.00", "2.50"]).await;
    }
    let batch = world.pay_all().await[0];
    world.settle().await;
    (world, batch)
}

/// The payment to this receiver.
async fn item_of(world: &World, receiver: &str) -> ItemId {
    let mut tx = world.tx().await;
    sqlx::query_scalar("select id from payout_items where merchant_id = $1 and receiver = $2 order by id desc limit 1")
        .bind(world.merchant)
        .bind(format!("{receiver}@example.com"))
        .fetch_one(&mut *tx)
        .await
        .unwrap()
}

/// A column of an item, as text.
async fn column(world: &World, item: ItemId, name: &str) -> Option<String> {
    let mut tx = world.tx().await;
    let sql = format!("select {name}::text from payout_items where merchant_id = $1 and id = $2");
    let query = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).bind(world.merchant).bind(item);
    query.fetch_one(&mut *tx).await.unwrap()
}

/// Somebody at PayPal moves a payment.
async fn at_paypal(world: &World, receiver: &str, to: &str) {
    let bank = world.bank().await;
    let items = bank["batches"].as_array().unwrap().iter().flat_map(|batch| batch["items"].as_array().unwrap());
    let mut found = items.filter(|item| item["receiver"] == format!("{receiver}@example.com"));
    let found = found.next_back().unwrap();
    let id = found["payout_item_id"].as_str().unwrap();
    let door = format!("{}/_simulator/items/{id}", world.simulator.url());
    let answer = reqwest_client().post(door).json(&json!({ "to": to })).send().await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
}

/// Works a while, a day at a time.
async fn days(world: &World, count: i64) {
    for _ in 0..count {
        world.advance(Duration::days(1));
        world.work().await;
    }
}

/// Works a while, some seconds at a time.
async fn soon(world: &World) {
    for _ in 0..10 {
        world.work().await;
        world.advance(Duration::seconds(10));
    }
}

/// A rule for the call that takes an item back.
fn when_cancelling(what: &Value) -> Value {
    let mut rule = json!({ "call": "cancel" });
    rule.as_object_mut().unwrap().extend(what.as_object().unwrap().clone());
    rule
}
