//! PayPal says "not yet": the queue pauses once, says why, and goes on.

use crate::support::client::{Client, Page};
use crate::support::world::{World, everything};
use serde_json::json;
use stipend::connection::pause;
use stipend::payout::draft::How;
use stipend::payout::selection::{DueRow, Ticked};
use stipend::paypal::{Credentials, Environment};
use time::Duration;

const CARD: &str = "/integrations/payment";

/// One payment for each of so many affiliates, each a batch of its own.
async fn single_batches(world: &mut World, number: usize, currency: &str) {
    for place in 0..number {
        let email = format!("{}{place}@example.com", currency.to_lowercase());
        world.owe_in(currency, &email, &["10.00"]).await;
        let row = DueRow { affiliate: world.affiliates[&email], currency: currency.parse().unwrap() };
        let ticked = Ticked::These { rows: vec![row], commissions: Vec::new() };
        world.try_pay(&ticked, How::PayPal).await.unwrap();
    }
}

async fn refuse(world: &World, status: u16, name: &str, times: u32) {
    let rule = json!({"call": "create", "what": "status", "status": status, "name": name, "times": times});
    world.fault(rule).await;
}

async fn pauses(world: &World) -> Vec<pause::Pause> {
    pause::all(&mut world.tx().await).await.unwrap()
}

pub(super) async fn ann(world: &World) -> Client {
    world.site.signed_in("ann@example.com").await
}

async fn pressed(client: &Client, target: &str) -> Page {
    let page = client.open(CARD).await;
    client.submit(&page, target, &[]).await
}

#[tokio::test]
async fn ten_batches_wait_together_and_one_call_tries_for_all() {
    let mut world = World::connected().await;
    single_batches(&mut world, 10, "USD").await;
    refuse(&world, 422, "INSUFFICIENT_FUNDS", 1000).await;
    world.work().await;
    assert_eq!(world.calls("create").await, 1, "one batch asked for all of them");
    let since = pauses(&world).await[0].since;
    // Another instance does not ask either, and each later try is one call, after a longer and longer wait.
    let other = world.another_instance();
    assert!(!stipend::payout::submit::next(&other).await.unwrap());
    let mut waits = Vec::new();
    for tries in 2..7 {
        let again = pauses(&world).await[0].resume_at.unwrap();
        waits.push(again - world.app.clock.now());
        world.advance(again - world.app.clock.now() + Duration::seconds(1));
        world.work().await;
        assert_eq!(world.calls("create").await, tries, "one batch tried again");
    }
    assert!(waits.is_sorted() && waits[0] <= Duration::minutes(15) && waits[4] > Duration::hours(1), "{waits:?}");
    assert_eq!(pauses(&world).await[0].since, since, "the queue paused once");
    // Money is added; whoever may pay says so, and everything goes on.
    world.no_more_faults().await;
    let ann = ann(&world).await;
    let page = ann.open(CARD).await;
    assert!(page.text().contains("not enough money in your PayPal balance"), "{}", page.text());
    assert!(page.text().contains("It is tried again at"), "{}", page.text());
    assert!(page.text().contains("I have added money, try now"), "{}", page.text());
    pressed(&ann, "/integrations/payment/paypal/resumption").await;
    world.settle().await;
    assert_eq!(world.standings().await["paid"], 10);
    assert!(pauses(&world).await.is_empty());
    world.check().await;
}

#[tokio::test]
async fn of_what_waits_one_instance_tries_while_the_others_wait_for_its_answer() {
    let mut world = World::connected().await;
    single_batches(&mut world, 3, "USD").await;
    refuse(&world, 403, "SENDER_RESTRICTED", 1).await;
    world.work().await;
    world.fault(json!({"call": "create", "nth": 1, "what": "delay_before", "ms": 1500})).await;
    world.advance(Duration::minutes(16));
    let (slow, other) = (world.app.clone(), world.another_instance());
    let trying = tokio::spawn(async move { stipend::payout::submit::next(&slow).await.unwrap() });
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    assert!(!stipend::payout::submit::next(&other).await.unwrap(), "a second one tried");
    assert!(trying.await.unwrap());
    assert!(pauses(&world).await.is_empty(), "PayPal took one, so the others may go");
    world.settle().await;
    assert_eq!(world.standings().await["paid"], 3);
    world.check().await;
}

#[tokio::test]
async fn a_currency_that_is_not_held_waits_alone() {
    let mut world = World::connected().await;
    refuse(&world, 400, "NON_HOLDING_CURRENCY", 1).await;
    single_batches(&mut world, 2, "EUR").await;
    single_batches(&mut world, 2, "USD").await;
    world.work().await;
    assert_eq!(world.calls("create").await, 3, "one in EUR asked for both; USD went on");
    let paused = pauses(&world).await;
    assert_eq!(paused.len(), 1);
    assert_eq!(paused[0].currency.unwrap().code(), "EUR");
    let page = ann(&world).await.open(CARD).await;
    assert!(page.text().contains("Payments in EUR wait"), "{}", page.text());
    assert!(page.text().contains("does not hold this currency"), "{}", page.text());
    world.advance(Duration::minutes(16));
    world.settle().await;
    assert_eq!(world.standings().await["paid"], 4);
    assert!(pauses(&world).await.is_empty());
    world.check().await;
}

/// Each name: what the page says, which button it offers, and that paying goes on by itself.
#[tokio::test]
async fn every_not_yet_says_what_paypal_wants_and_ends_by_itself() {
    for (status, name, words, button) in [
        (422, "INSUFFICIENT_FUNDS", "not enough money in your PayPal balance", "I have added money, try now"),
        (400, "NON_HOLDING_CURRENCY", "does not hold this currency", "I have added money, try now"),
        (403, "REQUIRED_SCOPE_MISSING", "Enable Payouts for it in PayPal’s developer dashboard", "Check again"),
        (403, "AUTHORIZATION_ERROR", "has not approved this account for payouts yet", "Check again"),
        (403, "NOT_AUTHORIZED", "has not approved this account for payouts yet", "Check again"),
        (403, "SENDER_EMAIL_UNCONFIRMED", "wants the e-mail address of your PayPal account confirmed", "Check again"),
        (403, "SENDER_ACCOUNT_UNVERIFIED", "wants the identity behind your PayPal account verified", "Check again"),
        (403, "CIP_NOT_VERIFIED", "wants the identity behind your PayPal account verified", "Check again"),
        (403, "SENDER_RESTRICTED", "has restricted or locked your PayPal account", "Check again"),
        (403, "SENDER_LOCKED", "has restricted or locked your PayPal account", "Check again"),
        (403, "BRAND_NEW", "PayPal says BRAND_NEW", "Check again"),
        (429, "RATE_LIMIT_REACHED", "asks us to slow down", "by itself"),
    ] {
        let mut world = World::connected().await;
        world.owe("a@example.com", &["10.00"]).await;
        refuse(&world, status, name, 1).await;
        let batch = world.pay_all().await[0];
        world.work().await;
        let client = ann(&world).await;
        for page in [CARD.to_owned(), format!("/batches/{batch}")] {
            let text = client.open(&page).await.text();
            assert!(text.contains(words) && text.contains(button), "{name} on {page}: {text}");
            assert!(text.contains("wait since") || text.contains("Payments in USD wait"), "{name} on {page}: {text}");
        }
        world.advance(Duration::minutes(16));
        world.settle().await;
        assert_eq!(world.standings().await["paid"], 1, "{name}");
        assert!(!client.open(CARD).await.text().contains(words), "{name} is still told");
        world.check().await;
    }
}

#[tokio::test]
async fn a_secret_that_paypal_no_longer_takes_is_asked_for_and_paying_goes_on_with_a_new_one() {
    let mut world = World::connected().await;
    world.owe("a@example.com", &["10.00"]).await;
    world.fault(json!({"call": "create", "what": "expire_tokens"})).await;
    world.fault(json!({"call": "token", "what": "status", "status": 401, "name": "invalid_client", "times": 9})).await;
    let batch = world.pay_all().await[0];
    world.work().await;
    let client = ann(&world).await;
    for page in [CARD.to_owned(), format!("/batches/{batch}")] {
        let page = client.open(&page).await;
        assert!(page.text().contains("PayPal refuses our sign-in"), "{}", page.text());
        assert!(page.text().contains("Enter new details"), "{}", page.text());
    }
    world.no_more_faults().await;
    let again = Credentials {
        environment: Environment::Simulator,
        client_id: "demo-client".into(),
        secret: "demo-secret".to_owned().into(),
    };
    stipend::connection::save(&world.app, world.merchant, &world.actor(), &again).await.unwrap().unwrap();
    assert!(pauses(&world).await.is_empty());
    world.settle().await;
    assert_eq!(world.standings().await["paid"], 1);
    world.check().await;
}

#[tokio::test]
async fn what_cannot_be_read_is_told_until_it_can() {
    for (rule, words) in [
        (json!({"call": "show_batch", "what": "status", "status": 401, "times": 50}), "cannot be seen since"),
        (
            json!({"call": "show_batch", "what": "status", "status": 403, "name": "NOT_AUTHORIZED", "times": 50}),
            "has not approved this account",
        ),
    ] {
        let mut world = World::connected().await;
        world.owe("a@example.com", &["10.00"]).await;
        let batch = world.pay_all().await[0];
        world.fault(rule).await;
        world.work().await;
        world.advance(Duration::seconds(5));
        world.work().await;
        let client = ann(&world).await;
        for page in [CARD.to_owned(), format!("/batches/{batch}")] {
            let text = client.open(&page).await.text();
            assert!(text.contains(words), "{page}: {text}");
        }
        // Once PayPal lets us again, a check is enough: the batch is read at once and not in a quarter of an hour.
        world.no_more_faults().await;
        pressed(&client, "/integrations/payment/paypal/verification").await;
        world.settle().await;
        assert_eq!(world.standings().await["paid"], 1);
        assert!(!client.open(CARD).await.text().contains(words));
        world.check().await;
    }
}

#[tokio::test]
async fn only_whoever_may_pay_asks_for_another_try() {
    let mut world = World::connected().await;
    world.site.person("prep@example.com", "Acme", stipend::role::Role::Preparer).await;
    world.owe("a@example.com", &["10.00"]).await;
    refuse(&world, 422, "INSUFFICIENT_FUNDS", 100).await;
    world.try_pay(&everything(), How::PayPal).await.unwrap();
    world.work().await;
    let prep = world.site.signed_in("prep@example.com").await;
    let page = prep.open(CARD).await;
    assert!(page.text().contains("Someone who may pay tries it again"), "{}", page.text());
    assert!(!page.text().contains("I have added money"), "{}", page.text());
    let token = page.form("/sign-out").value("token").unwrap().to_owned();
    let answer = prep.post("/integrations/payment/paypal/resumption", &[("token", &token)]).await;
    assert_eq!(answer.status, 403);
    world.check().await;
}
