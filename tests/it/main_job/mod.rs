//! The main job in a real browser, with and without JavaScript: connect PayPal, choose, review, pay, watch it arrive.
//! Every test ends by asking the bank.

mod connecting;
mod elsewhere;
mod roles;

use crate::support::browser::Script;
use crate::support::office::Office;
use crate::support::world::{World, dec};
use thirtyfour::By;

async fn world() -> World {
    let mut world = World::new().await;
    world.owe("maya@example.com", &["120.00", "30.50"]).await;
    world.owe("tom@example.com", &["80.00"]).await;
    world.owe("lukas.unregistered@example.com", &["45.25"]).await;
    world.owe("extra@example.com", &["10.00"]).await;
    world
}

async fn from_sign_in_to_paid(script: Script) {
    let office = Office::open(world().await, script).await;
    office.press("Connect PayPal to pay from here").await;
    office.press("Connect").await;
    office.browser.fill("client_id", "demo-client").await;
    office.browser.fill("secret", "hunter2-not-the-secret").await;
    office.press("Save").await;
    office.says("PayPal does not recognise this Client ID and Secret").await;
    office.says("Inactive").await;
    office.press("Enter the details again").await;
    let kept = office.browser.find(By::Name("client_id")).await.unwrap().value().await.unwrap();
    assert_eq!(kept.as_deref(), Some("demo-client"), "what was typed is kept");
    let source = office.browser.source().await.unwrap();
    assert!(!source.contains("hunter2"), "the Secret is never given back");
    office.browser.fill("secret", "demo-secret").await;
    office.press("Save").await;
    office.says("PayPal is connected").await;
    office.says("Active").await;

    office.go("/affiliate_payments/pay").await;
    office.says("285.75").await;
    for who in
        ["maya@example.com, USD 150.50", "lukas.unregistered@example.com, USD 45.25", "extra@example.com, USD 10.00"]
    {
        office.click_labelled(&format!("Select {who}")).await;
    }
    if script == Script::On {
        office.says("3 of 4 selected: USD 205.75").await;
    }
    office.press("Pay via PayPal MassPay").await;
    office.says("3 payments").await;
    office.says("Nothing has been sent yet").await;
    office.says("3 affiliates are paid for the first time.").await;
    office.click_labelled("Remove extra@example.com").await;
    office.says("2 payments").await;
    office.press("Pay 2 affiliates USD 195.75").await;
    office.says("Batch 1").await;
    office.until("Done. 1 of 2 were paid USD 150.50. 1 has not been paid; see below.").await;
    office.says("Unclaimed").await;
    office.says("2 of 2 handed to PayPal; 1 paid, 1 need attention").await;

    office.go("/affiliate_payments/pay").await;
    office.says("tom@example.com").await;
    office.says("extra@example.com").await;
    office.never_says("maya@example.com").await;
    office.never_says("lukas.unregistered").await;
    office.go("/batches").await;
    office.says("Some are waiting").await;
    let paid = office.world.paid().await;
    assert_eq!(paid.len(), 2, "{paid:?}");
    assert_eq!(paid["maya@example.com"], (1, dec("150.50")));
    assert_eq!(paid["lukas.unregistered@example.com"], (1, dec("45.25")));
    office.world.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn from_sign_in_to_paid_in_a_browser() {
    from_sign_in_to_paid(Script::On).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn from_sign_in_to_paid_without_javascript() {
    from_sign_in_to_paid(Script::Off).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn single_commissions_are_chosen_below_their_row() {
    let world = world().await;
    world.connect("demo-client", "demo-secret").await;
    let office = Office::open(world, Script::On).await;
    office.click_labelled("Select maya@example.com, USD 150.50").await;
    office.says("1 of 4 selected: USD 150.50").await;
    office.click_labelled("2 commissions of maya@example.com").await;
    office.says("To pay only some of them").await;
    office.browser.find(By::Css(".singles li:last-child input")).await.unwrap().click().await.unwrap();
    office.says("1 of 4 selected: USD 30.50").await;
    office.press("Pay via PayPal MassPay").await;
    office.press("Pay 1 affiliate USD 30.50").await;
    office.until("Done. 1 of 1 were paid USD 30.50.").await;
    assert_eq!(office.world.paid().await["maya@example.com"], (1, dec("30.50")));
    office.go("/affiliate_payments/pay").await;
    office.says("120.00").await;
    office.world.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_match_are_chosen_but_for_those_unticked() {
    let mut world = world().await;
    // Enough for a second page, so that the choice reaches beyond what is shown.
    for number in 0..60 {
        world.owe(&format!("many{number}@example.com"), &["1.00"]).await;
    }
    world.connect("demo-client", "demo-secret").await;
    let office = Office::open(world, Script::On).await;
    office.browser.find(By::Css("input[data-every]")).await.unwrap().click().await.unwrap();
    office.says("64 selected on every page: USD 345.75").await;
    office.click_labelled("Select tom@example.com, USD 80.00").await;
    office.says("63 selected on every page: USD 265.75").await;
    office.press("Pay via PayPal MassPay").await;
    office.press("Pay 63 affiliates USD 265.75").await;
    office.until("Done. 62 of 63 were paid USD 220.50.").await;
    let paid = office.world.paid().await;
    assert!(!paid.contains_key("tom@example.com") && paid.len() == 63, "{paid:?}");
    office.world.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_follows_its_filters_and_sums_its_date() {
    let office = Office::open(world().await, Script::On).await;
    office.browser.fill("q", "maya").await;
    office.browser.wait_until_gone("tom@example.com").await;
    office.says("maya@example.com").await;
    let address = office.browser.current_url().await.unwrap();
    assert!(address.query().unwrap().contains("q=maya"), "the address can be shared: {address}");
    office.go("/affiliate_payments/pay?minimum=50").await;
    office.never_says("extra@example.com").await;
    office.go("/affiliate_payments/pay?minimum=1.000,5").await;
    office.says("Write the minimum with a point").await;
    let yesterday = office.world.today().previous_day().unwrap();
    office.go(&format!("/affiliate_payments/pay?through={yesterday}")).await;
    office.says("Nothing is due on or before").await;
    office.says("285.75").await;
    assert!(office.world.paid().await.is_empty());
}
