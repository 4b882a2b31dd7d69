//! "Why not paid?": each affiliate's page answers.

use crate::support::world::World;
use serde_json::json;
use time::Duration;

async fn says(world: &World, email: &str, words: &[&str]) {
    let ann = world.site.signed_in("ann@example.com").await;
    let text = ann.open(&format!("/affiliates/{}", world.affiliates[email])).await.text();
    for words in words {
        assert!(text.contains(words), "{email}: {words:?} is not in {text}");
    }
}

#[tokio::test]
async fn an_affiliates_page_says_what_is_paid_next_or_why_nothing_is() {
    let mut world = World::connected().await;
    for name in ["unclaimed", "blocked", "locked", "onhold", "good"] {
        world.owe(&format!("{name}@example.com"), &["10.00"]).await;
    }
    says(&world, "good@example.com", &["USD 10.00 is due now. Pay"]).await;
    world.pay_all().await;
    says(&world, "good@example.com", &["USD 10.00 is being paid now in batch 1."]).await;
    world.settle().await;
    says(&world, "unclaimed@example.com", &["is not accepted yet; it comes back on", "Remind them"]).await;
    says(&world, "blocked@example.com", &["was stopped or came back, and needs a decision. Decide"]).await;
    says(&world, "onhold@example.com", &["PayPal is reviewing USD 10.00."]).await;
    says(&world, "locked@example.com", &["Last time it was not paid: The recipient’s PayPal account is locked"]).await;
    let ann = world.site.signed_in("ann@example.com").await;
    let good = ann.open(&format!("/affiliates/{}", world.affiliates["good@example.com"])).await;
    assert!(!good.text().contains("Next payment"), "{}", good.text());
    world.check().await;
}

#[tokio::test]
async fn what_waits_or_is_not_known_is_told_where_the_affiliate_is() {
    let mut world = World::connected().await;
    world.owe("a@example.com", &["10.00"]).await;
    world.fault(json!({"call": "create", "what": "status", "status": 422, "name": "INSUFFICIENT_FUNDS"})).await;
    world.pay_all().await;
    world.work().await;
    says(&world, "a@example.com", &["USD 10.00 waits in batch 1.", "not enough money in your PayPal balance"]).await;
    world.owe("b@example.com", &["7.00"]).await;
    says(&world, "b@example.com", &["USD 7.00 is due now, and payments wait."]).await;
    world.fault(json!({"call": "create", "what": "cut_after", "times": 3})).await;
    world.advance(Duration::minutes(16));
    world.work().await;
    says(&world, "a@example.com", &["Whether PayPal has USD 10.00 is not known yet."]).await;
    world.advance(Duration::hours(2));
    world.settle().await;
    world.check().await;
}
