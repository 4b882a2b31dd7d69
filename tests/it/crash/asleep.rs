//! Instances that sleep past their lease: whoever wakes finds out before it sends, and writes nothing.

use super::{Stage, converge, everybody_was_paid_once, in_flight};
use crate::support::world::World;
use nix::sys::signal::{Signal, kill};
use serde_json::json;
use std::time::Duration as StdDuration;
use stipend::payout::{reconcile, submit};
use time::Duration;

async fn attempts(world: &World) -> Vec<(i64, bool)> {
    let mut tx = world.tx().await;
    sqlx::query_as("select fence, ended_at is not null from payout_attempts where merchant_id = $1 order by fence")
        .bind(world.merchant)
        .fetch_all(&mut *tx)
        .await
        .unwrap()
}

/// Everything that is known of the one batch.
async fn batch(world: &World) -> String {
    let mut tx = world.tx().await;
    sqlx::query_scalar(
        "select (b.*)::text || (select count(*) from payout_history) from payout_batches b where merchant_id = $1",
    )
    .bind(world.merchant)
    .fetch_one(&mut *tx)
    .await
    .unwrap()
}

async fn asleep_at(place: &str, woken_says: &str, calls: u64) {
    let mut world = World::connected().await;
    world.owe("a@example.com", &["10.00"]).await;
    let stage = Stage::of(&world);
    world.pay_all().await;
    let mut asleep = stage.serve_with(&[("STIPEND_STOP_AT", place)]);
    asleep.wait_for_line("stopped at");
    let awake = stage.serve();
    converge(&world).await;
    drop(awake);
    let before = batch(&world).await;
    kill(asleep.pid(), Signal::SIGCONT).unwrap();
    asleep.wait_for_line(woken_says);
    assert_eq!(batch(&world).await, before, "the woken one wrote something");
    assert_eq!(attempts(&world).await, [(1, false), (2, true)]);
    assert_eq!(world.calls("create").await, calls);
    drop(asleep);
    everybody_was_paid_once(&world, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_slept_before_it_sent_sends_nothing() {
    asleep_at("before_send", "the lease was lost", 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_slept_after_it_sent_writes_nothing() {
    asleep_at("after_send", "another instance has it", 2).await;
}

/// Lets `one` begin to send and hang on the way to its token while `meanwhile` happens.
async fn hanging_on_its_way(
    world: &World,
    one: &stipend::app::App,
    meanwhile: impl AsyncFnOnce(),
) -> anyhow::Result<bool> {
    world.fault(json!({"call": "token", "what": "delay", "ms": 1_500})).await;
    let before = attempts(world).await.len();
    let sending = tokio::spawn({
        let one = one.clone();
        async move { submit::next(&one).await }
    });
    while attempts(world).await.len() == before {
        tokio::time::sleep(StdDuration::from_millis(10)).await;
    }
    meanwhile().await;
    sending.await.unwrap()
}

#[tokio::test]
async fn a_name_that_paypal_has_freed_is_not_sent_again() {
    let mut world = World::connected().await;
    world.owe("a@example.com", &["10.00"]).await;
    world.pay_all().await;
    let slow = world.another_instance();
    let outcome = hanging_on_its_way(&world, &slow, async || {
        world.advance(Duration::seconds(10));
        world.fault(json!({"call": "create", "what": "denied"})).await;
        while in_flight(&world).await > 0 {
            submit::next(&world.app).await.unwrap();
            reconcile::next(&world.app).await.unwrap();
            world.advance(Duration::seconds(2));
        }
        assert_eq!(world.standings().await.get("owed"), Some(&1), "{:?}", world.bank().await);
    })
    .await;
    assert!(outcome.unwrap_err().to_string().contains("is not sent"));
    world.pay_all().await;
    world.settle().await;
    assert_eq!(world.paid().await["a@example.com"].0, 1);
    assert_eq!(world.calls("create").await, 2, "the denied one, and the new one");
    world.check().await;
}

#[tokio::test]
async fn a_machine_that_slept_for_a_month_sends_nothing() {
    let mut world = World::connected().await;
    world.owe("a@example.com", &["10.00"]).await;
    world.fault(json!({"call": "create", "what": "cut_after"})).await;
    let id = world.pay_all().await[0];
    world.work().await;
    assert_eq!(world.calls("create").await, 1, "one attempt is one call");
    world.advance(Duration::minutes(1));
    let slow = world.another_instance();
    let outcome = hanging_on_its_way(&world, &slow, async || world.advance(Duration::days(31))).await;
    assert!(outcome.unwrap_err().to_string().contains("is not sent"));
    assert_eq!(world.calls("create").await, 1);
    world.advance(Duration::minutes(1));
    world.work().await;
    assert_eq!(world.batch(id).await.0, "stuck");
    assert_eq!(world.standings().await["unknown"], 1);
    assert_eq!(world.paid().await["a@example.com"].0, 1);
    world.check().await;
}
