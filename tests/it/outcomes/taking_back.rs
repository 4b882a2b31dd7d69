//! Unclaimed money is taken back by a wish, which PayPal is asked for, and which only a reading fulfils.

use super::{at_paypal, column, days, item_of, paid_to, soon, when_cancelling};
use crate::support::world::{World, dec};
use serde_json::{Value, json};
use stipend::id::BatchId;
use stipend::payout::cancel;
use stipend::payout::manual::TooLate;
use time::Duration;

async fn ask(world: &World, batch: BatchId) -> Result<u64, TooLate> {
    cancel::ask(&world.app, world.merchant, &world.actor(), batch, None).await.unwrap()
}

#[tokio::test]
async fn what_was_taken_back_is_due_again_and_paid_once_elsewhere() {
    let (world, batch) = paid_to(&["maya.unregistered", "tom"]).await;
    let item = item_of(&world, "maya.unregistered").await;
    assert_eq!(ask(&world, batch).await, Ok(1));
    assert_eq!(world.standings().await["paying"], 2, "a wish alone frees nothing");
    world.work().await;
    assert_eq!(world.standings().await["owed"], 2);
    assert_eq!(column(&world, item, "not_paid").await.as_deref(), Some("returned"));
    world.check().await;
    let mut tx = world.tx().await;
    sqlx::query(
        "update affiliates set paypal_email = 'maya@example.com' where merchant_id = $1 and email like 'maya%'",
    )
    .bind(world.merchant)
    .execute(&mut *tx)
    .await
    .unwrap();
    let vouched = sqlx::query("update affiliates set held_until = null where merchant_id = $1").bind(world.merchant);
    vouched.execute(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
    world.pay_all().await;
    world.settle().await;
    let paid = world.paid().await;
    assert_eq!(paid["maya.unregistered@example.com"], (0, dec("0")));
    assert_eq!(paid["maya@example.com"], (1, dec("12.50")));
    world.check().await;
}

#[tokio::test]
async fn two_people_at_once_take_back_once() {
    let (world, batch) = paid_to(&["unregistered"]).await;
    let (one, two) = tokio::join!(ask(&world, batch), ask(&world, batch));
    assert!(one.is_ok() != two.is_ok(), "{one:?} {two:?}");
    soon(&world).await;
    assert_eq!(world.calls("cancel").await, 1);
    assert_eq!(world.standings().await["owed"], 2);
    assert_eq!(ask(&world, batch).await, Err(TooLate));
    world.check().await;
}

#[tokio::test]
async fn money_that_was_claimed_meanwhile_is_paid() {
    let (world, batch) = paid_to(&["unregistered"]).await;
    ask(&world, batch).await.unwrap();
    at_paypal(&world, "unregistered", "SUCCESS").await;
    soon(&world).await;
    let item = item_of(&world, "unregistered").await;
    assert_eq!(column(&world, item, "state").await.as_deref(), Some("paid"));
    assert_eq!(column(&world, item, "cancel_said").await.as_deref(), Some("ITEM_INCORRECT_STATUS"));
    assert_eq!(world.standings().await["paid"], 2);
    days(&world, 3).await;
    assert_eq!(world.calls("cancel").await, 1, "it is not asked again");
    world.check().await;
}

#[tokio::test]
async fn whatever_becomes_of_the_answer_the_money_is_in_one_place() {
    let struck: [Value; 12] = [
        json!({"what": "cut_before"}),
        json!({"what": "cut_after"}),
        json!({"what": "cut_body"}),
        json!({"what": "garbage"}),
        json!({"what": "garbage_before"}),
        json!({"what": "empty_before"}),
        json!({"what": "rate_limit"}),
        json!({"what": "status", "status": 500}),
        json!({"what": "status_after", "status": 503}),
        json!({"what": "status", "status": 400, "name": "BATCH_NOT_COMPLETED"}),
        json!({"what": "status", "status": 400, "name": "ITEM_CANCELLATION_FAILED", "times": 3}),
        json!({"what": "status", "status": 403, "name": "NOT_AUTHORIZED"}),
    ];
    for what in struck {
        let (world, batch) = paid_to(&["unregistered"]).await;
        world.fault(when_cancelling(&what)).await;
        ask(&world, batch).await.unwrap();
        for _ in 0..5 {
            world.work().await;
            world.advance(Duration::minutes(16));
        }
        assert_eq!(world.standings().await.get("owed"), Some(&2), "{what}");
        assert_eq!(world.paid().await["unregistered@example.com"].0, 0, "{what}");
        world.check().await;
    }
}

#[tokio::test]
async fn a_no_is_told_and_may_be_asked_again() {
    for (status, name) in [(400, "NEVER_HEARD_OF"), (404, "INVALID_RESOURCE_ID"), (400, "ITEM_INCORRECT_STATUS")] {
        let (world, batch) = paid_to(&["unregistered"]).await;
        world.fault(when_cancelling(&json!({"what": "status", "status": status, "name": name}))).await;
        ask(&world, batch).await.unwrap();
        soon(&world).await;
        let item = item_of(&world, "unregistered").await;
        assert_eq!(column(&world, item, "cancel_said").await.as_deref(), Some(name));
        assert_eq!(column(&world, item, "cancel_at").await, None, "{name}");
        assert_eq!(world.standings().await["paying"], 2, "nothing is freed by an answer");
        assert_eq!(ask(&world, batch).await, Ok(1));
        soon(&world).await;
        assert_eq!(world.standings().await["owed"], 2);
        world.check().await;
    }
}

#[tokio::test]
async fn all_that_is_unclaimed_is_taken_back_and_nothing_else() {
    let unclaimed: Vec<String> = (0..60).map(|number| format!("unregistered{number}")).collect();
    let mut receivers: Vec<&str> = unclaimed.iter().map(String::as_str).collect();
    receivers.extend(["tom", "onhold", "blocked"]);
    let (world, batch) = paid_to(&receivers).await;
    assert_eq!(ask(&world, batch).await, Ok(60));
    world.work().await;
    let standings = world.standings().await;
    assert_eq!((standings["owed"], standings["paid"], standings["paying"]), (120, 2, 2), "{standings:?}");
    assert_eq!(world.calls("cancel").await, 60);
    world.check().await;
}

#[tokio::test]
async fn a_wish_while_the_batch_is_read_is_not_lost() {
    let (world, batch) = paid_to(&["unregistered"]).await;
    world.advance(Duration::days(1));
    world.fault(json!({"call": "show_batch", "what": "delay", "ms": 400})).await;
    let app = world.another_instance();
    let reading = tokio::spawn(async move { stipend::payout::reconcile::next(&app).await });
    tokio::time::sleep(std::time::Duration::from_millis(150)).await;
    ask(&world, batch).await.unwrap();
    assert!(reading.await.unwrap().unwrap());
    soon(&world).await;
    assert_eq!(world.standings().await["owed"], 2);
    world.check().await;
}
