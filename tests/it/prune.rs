//! What nobody needs any more goes, and nothing that it protected comes back.

use crate::mail::post;
use crate::support::letters::Letters;
use crate::support::world::{World, everything};
use crate::webhooks::{delivered, kept, listening, move_item};
use stipend::payout::draft::{DraftError, How, draft};
use stipend::payout::inbox;
use stipend::prune;
use time::Duration;

async fn prune(world: &World) {
    while prune::next(&world.app).await.unwrap() {}
}

async fn rows(world: &World, table: &str) -> i64 {
    let mut tx = world.tx().await;
    let count = format!("select count(*) from {table} where merchant_id = $1");
    sqlx::query_scalar(sqlx::AssertSqlSafe(count)).bind(world.merchant).fetch_one(&mut *tx).await.unwrap()
}

async fn days(world: &World, days: i64) {
    for _ in 0..days {
        world.advance(Duration::days(1));
        world.work().await;
        post(world).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_were_followed_go_after_45_days_and_are_not_listed_again() {
    let mut world = listening().await;
    world.owe("a@example.com", &["10.00"]).await;
    world.owe("b@example.com", &["10.00"]).await;
    world.pay_all().await;
    world.settle().await;
    delivered(&world).await;
    world.settle().await;
    while inbox::fetch_missed(&world.app).await.unwrap() {}
    assert_eq!(kept(&world, "followed").await, 4);
    world.advance(Duration::days(44));
    prune(&world).await;
    assert_eq!(kept(&world, "followed").await, 4);
    world.advance(Duration::days(2));
    prune(&world).await;
    assert_eq!(kept(&world, "followed").await, 1, "the last one says when PayPal last told us");
    let read = world.calls("show_batch").await;
    while inbox::fetch_missed(&world.app).await.unwrap() {}
    world.work().await;
    assert_eq!((kept(&world, "followed").await, kept(&world, "new").await), (1, 0));
    // What is new stays until it has been followed, however long that takes.
    move_item(&world, "b@example.com", "REFUNDED").await;
    delivered(&world).await;
    world.advance(Duration::days(60));
    prune(&world).await;
    assert_eq!((kept(&world, "followed").await, kept(&world, "new").await), (0, 1));
    world.settle().await;
    assert!(world.calls("show_batch").await > read);
    assert_eq!(world.standings().await["needs_a_person"], 1);
    world.check().await;
}

#[tokio::test]
async fn mails_go_after_90_days_and_nobody_is_told_twice() {
    let letters = Letters::folder();
    let mut world = World::mailing(letters.path()).await;
    for who in ["good", "failed", "unclaimed"] {
        world.owe(&format!("{who}@example.com"), &["10.00"]).await;
    }
    world.pay_all().await;
    world.settle().await;
    days(&world, 2).await;
    // The merchant's news, the payment, the failure, and a reminder.
    assert_eq!((letters.all().len(), rows(&world, "mails").await), (4, 4), "{:?}", letters.summary());
    // Nobody looks for months: we still take the unclaimed payment for open, so what was told of it is remembered.
    world.advance(Duration::days(87));
    prune(&world).await;
    assert_eq!(rows(&world, "mails").await, 4, "not yet");
    world.advance(Duration::days(5));
    prune(&world).await;
    assert_eq!(rows(&world, "mails").await, 1);
    days(&world, 3).await;
    let told = ["good", "failed", "unclaimed"].map(|who| letters.to(&format!("{who}@example.com")).len());
    assert_eq!(told, [1, 1, 2], "the payment has come back, and that is told: {:?}", letters.summary());
    days(&world, 95).await;
    prune(&world).await;
    assert_eq!(rows(&world, "mails").await, 0);
    days(&world, 3).await;
    let told = ["good", "failed", "unclaimed"].map(|who| letters.to(&format!("{who}@example.com")).len());
    assert_eq!(told, [1, 1, 2], "{:?}", letters.summary());
    world.check().await;
}

#[tokio::test]
async fn a_selection_that_nobody_paid_goes_after_30_days_and_a_paid_one_stays() {
    let mut world = World::connected().await;
    world.owe("a@example.com", &["10.00", "5.00"]).await;
    let paid = world.review(&everything(), How::PayPal).await;
    let batches = draft(&world.app, world.merchant, &paid).await.unwrap();
    world.settle().await;
    world.owe("b@example.com", &["10.00", "5.00", "1.00"]).await;
    let unpaid = world.review(&everything(), How::PayPal).await;
    world.advance(Duration::days(29));
    prune(&world).await;
    assert_eq!((rows(&world, "selections").await, rows(&world, "selected_commissions").await), (2, 5));
    world.advance(Duration::days(2));
    // A draft holds what it pays: it is neither waited for nor taken apart.
    let mut drafting = world.tx().await;
    let held = "select id from selections where merchant_id = $1 for key share";
    sqlx::query(held).bind(world.merchant).execute(&mut *drafting).await.unwrap();
    prune(&world).await;
    assert_eq!((rows(&world, "selections").await, rows(&world, "selected_commissions").await), (2, 5));
    drafting.commit().await.unwrap();
    prune(&world).await;
    assert_eq!((rows(&world, "selections").await, rows(&world, "selected_commissions").await), (1, 2));
    let late = draft(&world.app, world.merchant, &unpaid).await;
    assert!(matches!(late, Err(DraftError::NotFound)), "{late:?}");
    assert_eq!(draft(&world.app, world.merchant, &paid).await.unwrap(), batches, "the same click finds its batch");
    world.settle().await;
    assert_eq!(world.standings().await["owed"], 3);
    world.check().await;
}
