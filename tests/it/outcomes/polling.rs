//! Followed by looking, for as long as money can move: what is late, kept too long, or denied halfway.

use super::{column, days, item_of, paid_to};
use crate::strange::{Strange, accepted, page, shown};
use crate::support::world::World;
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use stipend::payout::{reconcile, submit};
use time::Duration;

async fn work(app: &stipend::app::App) {
    while submit::next(app).await.unwrap() {}
    while reconcile::next(app).await.unwrap() {}
}

async fn two() -> World {
    let mut world = World::connected().await;
    world.owe("a@example.com", &["10.00"]).await;
    world.owe("b@example.com", &["20.00"]).await;
    world.pay_all().await;
    world
}

#[tokio::test]
async fn unclaimed_money_that_never_comes_back_is_told_and_not_freed() {
    let world = two().await;
    let app = Strange::start(&world, vec![accepted()], |sent, _| {
        let items: Vec<Value> = sent.iter().enumerate().map(|(n, item)| shown(item, n, "UNCLAIMED")).collect();
        page("SUCCESS", &items, 1)
    })
    .await;
    work(&app).await;
    world.advance(Duration::seconds(5));
    for day in 0..60 {
        work(&app).await;
        let standings = world.standings().await;
        let told = standings.get("needs_a_person").copied().unwrap_or(0);
        assert_eq!(told, if day <= 34 { 0 } else { 2 }, "day {day}");
        assert_eq!(standings.get("owed"), None, "day {day}");
        world.advance(Duration::days(1));
    }
    let mut tx = world.tx().await;
    let lines: i64 =
        sqlx::query_scalar("select count(*) from payout_history where merchant_id = $1 and became like '%35 days'")
            .bind(world.merchant)
            .fetch_one(&mut *tx)
            .await
            .unwrap();
    assert_eq!(lines, 2, "it is told once");
}

#[tokio::test]
async fn items_that_a_denied_batch_keeps_showing_as_pending_are_due_again_after_a_second_look() {
    let world = two().await;
    let app = Strange::start(&world, vec![accepted()], |sent, _| {
        let mut untouched = shown(&sent[0], 0, "PENDING");
        untouched["transaction_id"] = Value::Null;
        page("DENIED", &[untouched, shown(&sent[1], 1, "PENDING")], 1)
    })
    .await;
    work(&app).await;
    world.advance(Duration::seconds(5));
    work(&app).await;
    assert_eq!(world.standings().await["paying"], 2, "one look is not enough");
    world.advance(Duration::minutes(61));
    work(&app).await;
    let standings = world.standings().await;
    assert_eq!((standings["owed"], standings["paying"]), (1, 1), "what has a transaction is followed: {standings:?}");
    world.advance(Duration::days(2));
    work(&app).await;
    let mut tx = world.tx().await;
    let flagged: i64 =
        sqlx::query_scalar("select count(*) from payout_items where merchant_id = $1 and flagged is not null")
            .bind(world.merchant)
            .fetch_one(&mut *tx)
            .await
            .unwrap();
    assert_eq!(flagged, 0);
    assert!(stipend::verify::verify(&world.app.database, None).await.unwrap().broken().is_empty());
}

#[tokio::test]
async fn a_batch_that_paypal_does_not_finish_is_shown_as_slow() {
    let world = two().await;
    let done = Arc::new(AtomicBool::new(false));
    let is_done = done.clone();
    let app = Strange::start(&world, vec![accepted()], move |sent, _| {
        let (batch, word) =
            if is_done.load(Ordering::SeqCst) { ("SUCCESS", "SUCCESS") } else { ("PROCESSING", "PENDING") };
        let items: Vec<Value> = sent.iter().enumerate().map(|(n, item)| shown(item, n, word)).collect();
        page(batch, &items, 1)
    })
    .await;
    work(&app).await;
    let ann = world.site.signed_in("ann@example.com").await;
    let list = ann.open("/batches").await;
    let batch = list.body.split("href=\"/batches/").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let slow = "has not finished";
    world.advance(Duration::hours(23));
    let ann = world.site.signed_in("ann@example.com").await;
    assert!(!ann.open(&format!("/batches/{batch}")).await.text().contains(slow));
    world.advance(Duration::minutes(90));
    assert!(ann.open(&format!("/batches/{batch}")).await.text().contains(slow));
    done.store(true, Ordering::SeqCst);
    work(&app).await;
    assert!(!ann.open(&format!("/batches/{batch}")).await.text().contains(slow));
    assert_eq!(world.standings().await["paid"], 2);
}

#[tokio::test]
async fn each_is_looked_at_as_long_as_it_can_move_and_no_longer() {
    let (world, _) = paid_to(&["tom"]).await;
    let looks = world.calls("show_batch").await;
    days(&world, 60).await;
    assert_eq!(world.calls("show_batch").await, looks + 2, "after a day and after ten");
    let (world, _) = paid_to(&["claims-later"]).await;
    days(&world, 60).await;
    let item = item_of(&world, "claims-later").await;
    assert_eq!(column(&world, item, "state").await.as_deref(), Some("paid"));
    let looks = world.calls("show_batch").await;
    days(&world, 60).await;
    assert_eq!(world.calls("show_batch").await, looks, "nothing is expected any more");
    world.check().await;
}
