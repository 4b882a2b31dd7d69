//! Genuine events in every order, twice, too early and not at all: the money is followed all the same.

use super::{delivered, kept, listening, move_item};
use serde_json::json;
use std::time::Duration as StdDuration;
use stipend::payout::inbox;
use time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn an_event_has_its_batch_read_at_once_and_a_closed_one_again() {
    let mut world = listening().await;
    for who in ["a", "b", "c"] {
        world.owe(&format!("{who}@example.com"), &["10.00"]).await;
    }
    world.pay_all().await;
    world.settle().await;
    delivered(&world).await;
    world.settle().await;
    assert_eq!(world.standings().await["paid"], 3);
    let before = world.calls("show_batch").await;
    world.settle().await;
    assert_eq!(world.calls("show_batch").await, before, "nobody asks without a reason");
    move_item(&world, "b@example.com", "REFUNDED").await;
    delivered(&world).await;
    world.work().await;
    world.advance(Duration::seconds(1));
    world.work().await;
    assert_eq!((world.standings().await["needs_a_person"], world.calls("show_batch").await), (1, before + 1));
    // Long after the last look for refunds.
    for day in 0..12 {
        world.advance(Duration::days(1));
        world.work().await;
        assert!(day < 11 || world.in_state("closed").await == 1);
    }
    move_item(&world, "c@example.com", "REFUNDED").await;
    delivered(&world).await;
    world.settle().await;
    assert_eq!(world.standings().await["needs_a_person"], 2, "PayPal told of a refund when we had stopped asking");
    assert_eq!(world.in_state("closed").await, 1, "and nothing more is expected again");
    world.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_overtake_the_answer_of_create_break_nothing() {
    let mut world = listening().await;
    world.owe("a@example.com", &["10.00"]).await;
    world.owe("unregistered@example.com", &["5.00"]).await;
    world.fault(json!({"call": "create", "what": "events_first"})).await;
    world.pay_all().await;
    world.work().await;
    assert!(kept(&world, "new").await + kept(&world, "followed").await >= 3, "they came before the answer");
    world.settle().await;
    assert_eq!((kept(&world, "new").await, kept(&world, "foreign").await, kept(&world, "unexpected").await), (0, 0, 0));
    assert_eq!((world.standings().await["paid"], world.standings().await["paying"]), (1, 1));
    assert_eq!(world.calls("create").await, 1);
    world.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_of_a_batch_in_doubt_makes_us_ask_again_soon() {
    let mut world = listening().await;
    world.owe("a@example.com", &["10.00"]).await;
    world.owe("claims-later@example.com", &["5.00"]).await;
    world.fault(json!({"call": "create", "what": "cut_after"})).await;
    world.fault(json!({"call": "create", "what": "status", "status": 503, "nth": 1, "times": 100})).await;
    let batch = world.pay_all().await[0];
    for _ in 0..6 {
        world.work().await;
        world.advance(Duration::minutes(20));
    }
    delivered(&world).await;
    world.work().await;
    world.no_more_faults().await;
    assert_eq!(world.batch(batch).await.0, "submitting");
    let sent = world.calls("create").await;
    // The next attempt is an hour away; PayPal tells of the batch by its own id, which we do not know.
    move_item(&world, "claims-later@example.com", "SUCCESS").await;
    delivered(&world).await;
    world.work().await;
    world.advance(Duration::seconds(1));
    world.work().await;
    assert_eq!(world.batch(batch).await.0, "accepted");
    assert_eq!(world.calls("create").await, sent + 1, "once, however many events there were");
    let mut tx = world.tx().await;
    let told: i64 =
        sqlx::query_scalar("select count(*) from payout_history where merchant_id = $1 and source = 'event'")
            .bind(world.merchant)
            .fetch_one(&mut *tx)
            .await
            .unwrap();
    assert_eq!(told, 1, "one line says by which id");
    drop(tx);
    world.settle().await;
    world.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_never_came_are_fetched_from_the_list() {
    let mut world = listening().await;
    for number in 0..130 {
        world.owe(&format!("p{number}@example.com"), &["1.00"]).await;
    }
    world.pay_all().await;
    world.settle().await;
    delivered(&world).await;
    while inbox::fetch_missed(&world.app).await.unwrap() {}
    world.settle().await;
    let known = kept(&world, "followed").await;
    assert_eq!(known, 132);
    world.tell("deliveries", json!({"off": true})).await;
    world.advance(Duration::minutes(1));
    for number in 0..120 {
        move_item(&world, &format!("p{number}@example.com"), "REFUNDED").await;
    }
    world.work().await;
    assert_eq!(kept(&world, "followed").await, known, "none of them was delivered");
    assert!(!inbox::fetch_missed(&world.app).await.unwrap(), "silence is no outage yet");
    world.advance(Duration::minutes(20));
    assert!(inbox::fetch_missed(&world.app).await.unwrap());
    world.work().await;
    world.advance(Duration::seconds(2));
    world.work().await;
    assert_eq!(world.standings().await["needs_a_person"], 120);
    assert_eq!(kept(&world, "followed").await, known + 120, "two pages, each event once");
    let listed = world.calls("events").await;
    assert!(!inbox::fetch_missed(&world.app).await.unwrap() && listed <= 6, "{listed} pages");
    world.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn thirty_thousand_shuffled_and_doubled_events_of_one_batch_end_as_the_bank_says() {
    let world = listening().await;
    while inbox::fetch_missed(&world.app).await.unwrap() {}
    world.owe_many(15_000).await;
    world.fault(json!({"call": "delivery", "what": "duplicate", "times": 1_000_000})).await;
    world.fault(json!({"call": "delivery", "what": "shuffle", "ms": 15_000, "times": 1_000_000})).await;
    world.pay_all().await;
    for _ in 0..3000 {
        world.work().await;
        tokio::time::sleep(StdDuration::from_millis(200)).await;
        world.advance(Duration::seconds(1));
        let deliveries = world.door("deliveries?last=0").await;
        if deliveries["waiting"] == 0 && deliveries["delivered"] == 30_004 {
            break;
        }
    }
    world.settle().await;
    let read = world.calls("show_batch").await;
    assert!(read <= 15 * 30, "{read} pages were read");
    assert_eq!((kept(&world, "followed").await, kept(&world, "new").await), (15_002, 0));
    // Nothing is missing, so the list tells nothing new.
    world.advance(Duration::hours(7));
    while inbox::fetch_missed(&world.app).await.unwrap() {}
    world.settle().await;
    assert_eq!((kept(&world, "followed").await, kept(&world, "new").await), (15_002, 0));
    assert_eq!(world.standings().await["paid"], 15_000);
    world.check().await;
}
