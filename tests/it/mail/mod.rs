//! Who is written to, when, and what it says.

mod settings;
mod smtp;

use crate::support::letters::Letters;
use crate::support::world::{World, everything};
use stipend::mail::{notices, outbox};
use stipend::payout::draft::How;
use stipend::payout::manual;
use time::Duration;

/// Lets the worker's mail steps run until nothing is due at this moment.
pub async fn post(world: &World) {
    notices::next(&world.app).await.unwrap();
    while outbox::next(&world.app).await.unwrap() {}
}

/// The same, after some time.
async fn post_after(world: &World, time: Duration) {
    world.advance(time);
    world.work().await;
    post(world).await;
}

async fn count(world: &World, state: &str) -> i64 {
    let mut tx = world.tx().await;
    let count = sqlx::query_scalar("select count(*) from mails where merchant_id = $1 and ($2 = '' or state = $2)");
    count.bind(world.merchant).bind(state).fetch_one(&mut *tx).await.unwrap()
}

#[tokio::test]
async fn each_outcome_is_told_once_to_whom_it_concerns() {
    let letters = Letters::folder();
    let mut world = World::mailing(letters.path()).await;
    for who in ["anna", "failed", "unregistered", "blocked", "pending", "failed+risk_decline"] {
        world.owe(&format!("{who}@example.com"), &["10.00", "2.50"]).await;
    }
    world.pay_all().await;
    world.settle().await;
    post(&world).await;
    post(&world).await;
    assert_eq!(
        letters.summary(),
        [
            "ann@example.com: Payments of Acme need you",
            "anna@example.com: Acme has paid you USD 12.50",
            "failed@example.com: Your payment of USD 12.50 from Acme did not arrive",
        ],
        "what the sender must mend, what waits and what is stopped is told to no affiliate"
    );
    assert!(letters.to("anna@example.com")[0].body.contains("The money went to anna@example.com."));
    let failed = &letters.to("failed@example.com")[0].body;
    assert!(
        failed.contains("Your PayPal account is locked or inactive") && failed.contains("Sign in to PayPal"),
        "{failed}"
    );
    let news = &letters.to("ann@example.com")[0].body;
    assert!(news.contains("- Batch 1: 2 payments failed."), "{news}");
    assert!(news.contains("- Batch 1: 1 payment stopped by PayPal."), "{news}");
    assert_eq!((count(&world, "dropped").await, count(&world, "sent").await), (1, 3));
    world.check().await;
}

#[tokio::test]
async fn money_that_waits_is_reminded_of_on_three_days_and_then_no_more() {
    let letters = Letters::folder();
    let mut world = World::mailing(letters.path()).await;
    world.owe("unregistered@example.com", &["10.00"]).await;
    world.owe("claims-later@example.com", &["10.00"]).await;
    world.pay_all().await;
    world.settle().await;
    let mut reminders = Vec::new();
    for day in 0..34 {
        post(&world).await;
        let waits = |letters: &Letters| {
            letters.all().iter().filter(|letter| letter.subject().contains("is waiting for you")).count()
        };
        reminders.push(waits(&letters));
        if day == 3 {
            let told: Vec<_> =
                letters.to("claims-later@example.com").iter().map(|one| one.subject().to_owned()).collect();
            assert_eq!(told, ["Acme has paid you USD 10.00", "USD 10.00 from Acme is waiting for you"]);
        }
        post_after(&world, Duration::days(1)).await;
    }
    let days: Vec<usize> = (1..reminders.len()).filter(|day| reminders[*day] > reminders[day - 1]).collect();
    assert_eq!((days, reminders[33]), (vec![1, 14, 25], 4), "{reminders:?}");
    let returned = letters.to("unregistered@example.com");
    assert_eq!(returned.iter().filter(|one| one.subject().contains("did not arrive")).count(), 1, "{returned:?}");
    let deadline = returned.iter().find(|one| one.subject().contains("waiting")).unwrap();
    assert!(deadline.body.contains("before ") && !deadline.body.contains('{'), "{}", deadline.body);
    world.check().await;
}

#[tokio::test]
async fn after_a_long_sleep_only_the_last_reminder_is_written() {
    let letters = Letters::folder();
    let mut world = World::mailing(letters.path()).await;
    world.owe("unregistered@example.com", &["10.00"]).await;
    world.pay_all().await;
    world.settle().await;
    world.advance(Duration::days(26));
    post(&world).await;
    post(&world).await;
    assert_eq!(letters.summary(), ["unregistered@example.com: USD 10.00 from Acme is waiting for you"]);
    world.check().await;
}

#[tokio::test]
async fn a_payment_outside_is_told_when_it_is_marked_and_not_if_it_is_put_back_in_time() {
    let letters = Letters::folder();
    let mut world = World::mailing(letters.path()).await;
    world.owe("a@example.com", &["10.00"]).await;
    let batches = world.try_pay(&everything(), How::Export).await.unwrap();
    post_after(&world, Duration::hours(1)).await;
    assert_eq!(letters.summary(), [""; 0], "a file has paid nobody");
    manual::mark_paid(&world.app, world.merchant, &world.actor(), batches[0], "Wire 77").await.unwrap().unwrap();
    post_after(&world, Duration::minutes(5)).await;
    assert_eq!(letters.summary(), [""; 0], "there is still time to put it back");
    post_after(&world, Duration::minutes(6)).await;
    assert_eq!(letters.summary(), ["a@example.com: Acme has paid you USD 10.00"]);
    assert!(letters.all()[0].body.contains("your account outside PayPal (reference: Wire 77)"));

    world.owe("b@example.com", &["20.00"]).await;
    let how = How::Manual { reference: "Cheque 12".into() };
    let mistaken = world.try_pay(&everything(), how.clone()).await.unwrap();
    manual::release_manual(&world.app, world.merchant, &world.actor(), mistaken[0]).await.unwrap().unwrap();
    post_after(&world, Duration::hours(1)).await;
    assert_eq!(letters.to("b@example.com").len(), 0, "it was put back before anybody was told");
    world.try_pay(&everything(), how).await.unwrap();
    post_after(&world, Duration::hours(1)).await;
    assert_eq!(letters.to("b@example.com").len(), 1);
    world.check().await;
}

#[tokio::test]
async fn a_changed_address_is_told_to_the_old_one_and_the_new_one() {
    let letters = Letters::folder();
    let world = World::mailing(letters.path()).await;
    let person = world.site.signed_in("ann@example.com").await;
    let form = person.open("/affiliates/new").await;
    let fields = [("first_name", "Ada"), ("email", "o'hara+a@example.com"), ("paypal_email", "")];
    let added = person.submit(&form, "/affiliates", &fields).await.url;
    let change = async |paypal: &str| {
        let form = person.open(&format!("{added}/edit")).await;
        person.submit(&form, &added, &[("paypal_email", paypal)]).await;
        post(&world).await;
    };
    change("new@example.com").await;
    let subject = "Your payments from Acme now go to another address";
    assert_eq!(letters.summary(), [format!("new@example.com: {subject}"), format!("o'hara+a@example.com: {subject}")]);
    for letter in letters.all() {
        assert!(letter.body.contains("Before: o'hara+a@example.com") && letter.body.contains("Now: new@example.com"));
    }
    change("NEW@example.com").await;
    assert_eq!(letters.all().len(), 2, "the same mailbox in other letters");
    change("").await;
    assert_eq!(letters.all().len(), 4);
}

#[tokio::test]
async fn a_flood_of_failures_is_one_mail_an_hour_and_none_is_left_out() {
    let letters = Letters::folder();
    let mut world = World::mailing(letters.path()).await;
    for batch in 1..=3 {
        for who in ["failed+a", "failed+b", "failed+c"] {
            world.owe(&format!("{who}{batch}@example.com"), &["10.00"]).await;
        }
        world.pay_all().await;
        world.settle().await;
        post(&world).await;
    }
    assert_eq!(letters.to("ann@example.com").len(), 1);
    post_after(&world, Duration::minutes(61)).await;
    let news = letters.to("ann@example.com");
    assert_eq!(news.len(), 2);
    let all: String = news.iter().map(|letter| letter.body.clone()).collect();
    for batch in 1..=3 {
        assert!(all.contains(&format!("- Batch {batch}: ")), "{all}");
    }
    post_after(&world, Duration::hours(2)).await;
    assert_eq!(letters.to("ann@example.com").len(), 2, "no news is no mail");
    world.check().await;
}

#[tokio::test]
async fn without_a_carrier_nothing_is_written() {
    let mut world = World::connected().await;
    world.owe("anna@example.com", &["10.00"]).await;
    world.owe("failed@example.com", &["10.00"]).await;
    world.pay_all().await;
    world.settle().await;
    post_after(&world, Duration::days(2)).await;
    assert_eq!(count(&world, "").await, 0);
    let page = world.site.signed_in("ann@example.com").await.open("/settings/mail").await;
    assert!(page.text().contains("No e-mail is configured"), "{}", page.text());
    world.check().await;
}

#[tokio::test]
async fn nothing_of_one_merchant_is_in_anothers_mail() {
    let letters = Letters::folder();
    let mut world = World::mailing(letters.path()).await;
    world.site.merchant("Bolt").await;
    world.site.person("bob@example.com", "Bolt", stipend::role::Role::Admin).await;
    world.owe("failed@example.com", &["10.00"]).await;
    world.owe("anna@example.com", &["10.00"]).await;
    world.pay_all().await;
    world.settle().await;
    post(&world).await;
    assert_eq!(letters.to("bob@example.com").len(), 0, "{:?}", letters.summary());
    assert!(letters.all().iter().all(|letter| letter.header("From").contains("Acme")));
    let page = world.site.signed_in("bob@example.com").await.open("/settings/mail").await;
    assert!(page.text().contains("No mail has been written yet") && !page.body.contains("anna@"), "{}", page.text());
    world.check().await;
}
