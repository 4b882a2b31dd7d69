//! Unclaimed, taken back, the address corrected, and paid again: in a real browser, with and without JavaScript.

use crate::support::browser::Script;
use crate::support::office::Office;
use crate::support::world::{World, dec};

async fn taken_back_corrected_and_paid_again(script: Script) {
    let mut world = World::connected().await;
    world.owe("maya.unregistered@example.com", &["120.00", "30.50"]).await;
    world.owe("tom@example.com", &["80.00"]).await;
    let batch = world.pay_all().await[0];
    let office = Office::open(world, script).await;
    for _ in 0..20 {
        office.world.advance(time::Duration::seconds(2));
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    office.go(&format!("/batches/{batch}")).await;
    office.until("Done. 1 of 2 were paid USD 80.00.").await;
    office.press("Remind, or take back").await;
    office.says("It comes back on").await;
    office.press("Take it back now").await;
    office.says("PayPal is asked to take it back").await;
    for _ in 0..50 {
        if office.browser.words().await.contains("You took it back") {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        office.browser.refresh().await.unwrap();
    }
    office.press("Correct the address").await;
    office.browser.fill("paypal_email", "maya@example.com").await;
    office.press("Save affiliate").await;
    office.says("Payments to this affiliate are held").await;
    office.browser.fill("why", "Maya called.").await;
    office.press("Pay it from now on").await;
    office.says("not held any more").await;
    office.go(&format!("/batches/{batch}")).await;
    office.press("Correct, and pay again").await;
    office.press("Review and pay again").await;
    office.press("Pay 1 affiliate USD 150.50").await;
    office.until("Done. 1 of 1 were paid USD 150.50.").await;
    let paid = office.world.paid().await;
    assert_eq!(paid["maya@example.com"], (1, dec("150.50")));
    assert_eq!(paid["maya.unregistered@example.com"], (0, dec("0")));
    office.world.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_javascript() {
    taken_back_corrected_and_paid_again(Script::On).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_javascript() {
    taken_back_corrected_and_paid_again(Script::Off).await;
}
