//! What PayPal tells of the balance is shown with its age; what it does not tell is not assumed.

use super::connection::ann;
use crate::support::client::{Client, Page};
use crate::support::world::{World, everything};
use serde_json::json;
use stipend::payout::draft::How;
use time::Duration;

/// The page, once it says this: it waits for PayPal only a moment, and what comes later is on the next look.
async fn says(client: &Client, path: &str, words: &str) -> Page {
    for _ in 0..200 {
        let page = client.open(path).await;
        if page.text().contains(words) {
            return page;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("{path} never said {words:?}: {}", client.open(path).await.text());
}

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
    let page = says(&ann, &review, "USD 101.00 as of").await.text();
    assert!(page.contains("Your PayPal balance was USD 1.00 short of this payment and its fee"), "{page}");
    // Asked for once in a while, not by every look.
    set_balance(&world, "102.00").await;
    assert!(ann.open(&review).await.text().contains("USD 101.00 as of"));
    assert_eq!(world.calls("balances").await, 1);
    world.advance(Duration::minutes(6));
    let page = says(&ann, &review, "USD 102.00 as of").await;
    assert!(!page.text().contains("short of"), "{}", page.text());
    assert!(ann.open("/integrations/payment").await.text().contains("and 21 more currencies, as of"));
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
    let page = says(&ann, &review, "PayPal does not tell us your balance.").await.text();
    assert!(!page.contains("short of"), "{page}");
    // A PayPal that fails says nothing about the money either, and the page comes all the same.
    world.advance(Duration::minutes(6));
    world.fault(json!({"call": "balances", "what": "delay", "ms": 3000})).await;
    assert!(ann.open(&review).await.text().contains("PayPal does not tell us your balance."));
    world.check().await;
}
