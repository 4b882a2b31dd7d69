//! PayPal tells us by itself: who may, what it changes (when we look, and nothing else), and what happens when it does not.

mod delivered;
mod forged;
mod host;
mod registered;

use crate::support::world::World;
use serde_json::json;
use std::time::Duration as StdDuration;
use stipend::connection::notifications;

/// A merchant whose webhook is registered with the simulator.
pub async fn listening() -> World {
    let world = World::connected().await;
    assert!(notifications::next(&world.app).await.unwrap());
    world
}

/// Waits until everything that is due was delivered.
pub async fn delivered(world: &World) {
    for _ in 0..3000 {
        let now = world.app.clock.now().format(&time::format_description::well_known::Rfc3339).unwrap();
        let deliveries = world.door("deliveries").await;
        let waiting = deliveries["deliveries"].as_array().unwrap().iter().any(|one| {
            ["waiting", "underway"].contains(&one["standing"].as_str().unwrap())
                && one["due"].as_str().unwrap() <= now.as_str()
        });
        if !waiting && deliveries["waiting"] == 0 {
            return;
        }
        tokio::time::sleep(StdDuration::from_millis(20)).await;
    }
    panic!("not delivered: {}", world.door("deliveries").await);
}

/// Kept events by what became of them.
pub async fn kept(world: &World, outcome: &str) -> i64 {
    let mut tx = world.tx().await;
    sqlx::query_scalar("select count(*) from paypal_events where merchant_id = $1 and coalesce(outcome, 'new') = $2")
        .bind(world.merchant)
        .bind(outcome)
        .fetch_one(&mut *tx)
        .await
        .unwrap()
}

pub async fn move_item(world: &World, receiver: &str, to: &str) {
    let bank = world.bank().await;
    let items = bank["batches"].as_array().unwrap().iter().flat_map(|batch| batch["items"].as_array().unwrap());
    let item = items.into_iter().find(|item| item["receiver"] == receiver).unwrap();
    let id = item["payout_item_id"].as_str().unwrap();
    world.tell(&format!("items/{id}"), json!({"to": to})).await;
}
