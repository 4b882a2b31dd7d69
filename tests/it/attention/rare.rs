//! What seldom waits: a payment that does not fit, a connection that cannot be read, a batch that cannot be handed over.

use super::page::{press, target, waits};
use crate::support::world::World;
use serde_json::json;
use stipend::payout::attention::Kind;
use time::Duration;

/// Time passes, and nobody is told more often than the worker looks.
async fn days(world: &World, days: i64) {
    for _ in 0..days {
        world.advance(Duration::days(1));
        world.work().await;
    }
}

/// The address of the only payment that the page leads to.
fn payment(page: &crate::support::client::Page) -> String {
    let hrefs = page.body.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap());
    hrefs.into_iter().find(|href| href.contains("/items/")).unwrap().to_owned()
}

#[tokio::test]
async fn a_payment_that_stays_open_for_too_long_waits_until_paypal_ends_it() {
    let mut world = World::connected().await;
    world.owe("pending@example.com", &["10.00"]).await;
    world.pay_all().await;
    world.settle().await;
    days(&world, 34).await;
    waits(&world, &[]).await;
    days(&world, 8).await;
    let page = waits(&world, &[(Kind::Flagged, 1)]).await;
    let text = page.text();
    assert!(text.contains("PayPal still says PENDING after 35 days, which does not fit."), "{text}");
    assert!(text.contains("Must act: You") && text.contains("USD 10.00"), "{text}");
    assert!(text.contains("Look at the payment"), "{text}");
    assert_eq!(world.standings().await["needs_a_person"], 1, "no time frees money");
    let bank = world.bank().await;
    let id = bank["batches"][0]["items"][0]["payout_item_id"].as_str().unwrap();
    world.tell(&format!("items/{id}"), json!({"to": "SUCCESS"})).await;
    days(&world, 8).await;
    waits(&world, &[]).await;
    assert_eq!(world.standings().await["paid"], 1);
    world.check().await;
}

#[tokio::test]
async fn what_a_person_has_cleared_up_does_not_wait_again_until_paypal_shows_something_else() {
    let mut world = World::connected().await;
    world.owe("pending@example.com", &["10.00"]).await;
    world.pay_all().await;
    world.settle().await;
    days(&world, 43).await;
    let item = payment(&waits(&world, &[(Kind::Flagged, 1)]).await);
    let ann = world.site.signed_in("ann@example.com").await;
    let clearance = format!("{item}/clearance");
    let without = press(&ann, &item, &clearance, &[("why", "  ")]).await;
    assert!(without.text().contains("Say why"), "{}", without.text());
    waits(&world, &[(Kind::Flagged, 1)]).await;
    let done = press(&ann, &item, &clearance, &[("why", "PayPal looks into it, case 77")]).await;
    assert!(done.text().contains("Cleared up.") && done.text().contains("case 77"), "{}", done.text());
    assert!(!done.body.contains(&clearance), "nothing is left to clear up");
    world.audited("cleared up").await;
    waits(&world, &[]).await;
    days(&world, 15).await;
    waits(&world, &[]).await;
    assert_eq!(world.standings().await["paying"], 1, "it frees no money");
    world.check().await;
}

#[tokio::test]
async fn a_connection_that_cannot_be_read_waits_once_for_all_its_batches() {
    let mut world = World::connected().await;
    for who in ["a", "b"] {
        world.owe(&format!("{who}@example.com"), &["10.00"]).await;
        world.pay_all().await;
        world.work().await;
        world.advance(Duration::seconds(2));
    }
    let refused =
        json!({"call": "show_batch", "what": "status", "status": 403, "name": "AUTHORIZATION_ERROR", "times": 1000});
    world.fault(refused).await;
    world.settle().await;
    world.advance(Duration::minutes(16));
    world.work().await;
    let page = waits(&world, &[(Kind::Unreadable, 1)]).await;
    let text = page.text();
    assert!(text.contains("What becomes of payments cannot be seen") && text.contains("Must act: You"), "{text}");
    world.no_more_faults().await;
    let ann = world.site.signed_in("ann@example.com").await;
    press(&ann, "/attention", &target(&page, "/verification"), &[]).await;
    world.settle().await;
    waits(&world, &[]).await;
    assert_eq!(world.standings().await["paid"], 2);
    world.check().await;
}

#[tokio::test]
async fn a_batch_that_cannot_be_handed_over_waits_after_an_hour() {
    let mut world = World::connected().await;
    world.owe("a@example.com", &["10.00"]).await;
    // The sign-in of before is used up, and PayPal is out of reach for another one.
    world.advance(Duration::hours(10));
    world.fault(json!({"call": "token", "what": "cut_before", "times": 1000})).await;
    world.pay_all().await;
    world.work().await;
    waits(&world, &[]).await;
    for _ in 0..7 {
        world.advance(Duration::minutes(10));
        world.work().await;
    }
    let page = waits(&world, &[(Kind::Waiting, 1)]).await;
    let text = page.text();
    assert!(text.contains("It could not be handed to PayPal yet. It is tried again by itself."), "{text}");
    assert!(text.contains("Must act: PayPal, or time") && text.contains("USD 10.00"), "{text}");
    assert!(page.body.contains("Look at the batch"), "{text}");
    assert_eq!(world.calls("create").await, 0);
    world.no_more_faults().await;
    world.advance(Duration::hours(2));
    world.settle().await;
    waits(&world, &[]).await;
    assert_eq!(world.standings().await["paid"], 1);
    world.check().await;
}

#[tokio::test]
async fn the_due_page_says_once_why_payments_wait() {
    let mut world = World::connected().await;
    world.owe("a@example.com", &["10.00"]).await;
    world.owe_in("EUR", "a@example.com", &["10.00"]).await;
    let due = async |world: &World| {
        let ann = world.site.signed_in("ann@example.com").await;
        ann.open("/affiliate_payments/pay").await
    };
    assert!(!due(&world).await.text().contains("Payments wait"));
    world
        .fault(json!({"call": "create", "what": "status", "status": 422, "name": "INSUFFICIENT_FUNDS", "times": 2}))
        .await;
    world.pay_all().await;
    world.work().await;
    for who in ["b", "c"] {
        world.owe(&format!("{who}@example.com"), &["7.00"]).await;
    }
    let page = due(&world).await;
    let text = page.text();
    assert_eq!(text.matches("Payments wait since").count(), 1, "{text}");
    assert!(text.contains("not enough money in your PayPal balance"), "{text}");
    let ann = world.site.signed_in("ann@example.com").await;
    press(&ann, "/affiliate_payments/pay", &target(&page, "/resumption"), &[]).await;
    world.no_more_faults().await;
    world.advance(Duration::hours(1));
    world.settle().await;
    assert!(!due(&world).await.text().contains("Payments wait"));
    world.check().await;
}
