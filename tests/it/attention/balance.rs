//! What PayPal tells of the balance is shown with its age; what it does not tell is not assumed.

use super::connection::ann;
use crate::support::world::{World, everything};
use serde_json::json;
use stipend::payout::draft::How;
use time::Duration;

async fn set_balance(world: &World, value: &str) {
    world.tell("balances", json!({"client_id": "demo-client", "currency": "USD", "value": value})).await;
}

#[tokio::test]
async fn the_review_warns_when_the_balance_is_short_and_lets_people_pay_all_the_same() {
    let mut world = World::connected().await;
    world.owe("a@example.com", &["100.00"]).await;
    set_balance(&world, "101.00").await;
    let ann = ann(&world).await;
    let review = format!("/payouts/new/{}", world.review(&everything(), How::PayPal).await.request);
    let page = ann.open(&review).await.text();
    assert!(page.contains("USD 101.00 as of"), "{page}");
    assert!(page.contains("Your PayPal balance was USD 1.00 short of this payment and its fee"), "{page}");
    // Asked for once in a while, not by every look.
    set_balance(&world, "102.00").await;
    assert!(ann.open(&review).await.text().contains("USD 101.00 as of"));
    assert_eq!(world.calls("balances").await, 1);
    world.advance(Duration::minutes(6));
    let page = ann.open(&review).await;
    assert!(page.text().contains("USD 102.00 as of") && !page.text().contains("short of"), "{}", page.text());
    assert!(ann.open("/integrations/payment").await.text().contains("USD 102.00"));
    ann.submit(&page, "/payouts", &[]).await;
    world.settle().await;
    assert_eq!(world.paid().await["a@example.com"].0, 1);
    world.check().await;
}

#[tokio::test]
async fn a_balance_that_paypal_does_not_tell_is_no_balance() {
    let mut world = World::new().await;
    world.tell("accounts", json!({"client_id": "demo-client", "balances": false})).await;
    world.connect("demo-client", "demo-secret").await;
    world.owe("a@example.com", &["100.00"]).await;
    let ann = ann(&world).await;
    let review = format!("/payouts/new/{}", world.review(&everything(), How::PayPal).await.request);
    let page = ann.open(&review).await.text();
    assert!(page.contains("PayPal does not tell us your balance.") && !page.contains("short of"), "{page}");
    // A PayPal that fails says nothing about the money either, and the page comes all the same.
    world.advance(Duration::minutes(6));
    world.fault(json!({"call": "balances", "what": "delay", "ms": 3000})).await;
    assert!(ann.open(&review).await.text().contains("PayPal does not tell us your balance."));
    world.check().await;
}
