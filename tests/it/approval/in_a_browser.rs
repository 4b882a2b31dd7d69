//! Two people at one browser, one after the other: asked, sent back, asked again, approved and paid.

use crate::rules::save;
use crate::support::browser::Script;
use crate::support::office::Office;
use crate::support::world::World;
use stipend::role::Role;

async fn two_people(script: Script) {
    let mut world = World::connected().await;
    world.site.person("bob@example.com", "Acme", Role::Approver).await;
    let ann = world.site.signed_in("ann@example.com").await;
    save(&ann, &[("approval_above_USD", "100")]).await;
    world.site.with_factor("bob@example.com").await;
    world.owe("ada@example.com", &["150.00"]).await;
    let office = Office::open(world, script).await;
    office.choose("ada@example.com, USD 150.00", "Pay via PayPal MassPay").await;
    office.says("A second person must approve this payment").await;
    office.press("Ask for approval of USD 150.00 to 1 affiliate").await;
    office.says("You prepared this payment, so someone else must approve it.").await;
    office.never_says("Approve and pay").await;

    office.sign_in_as("bob@example.com").await;
    office.go("/").await;
    office.says("You are asked to approve USD 150.00 to 1 affiliate").await;
    office.press("Look at the payment").await;
    office.browser.fill("why", "Please check her address.").await;
    office.press("Send back").await;
    office.says("sent it back: Please check her address.").await;

    office.sign_in_as("ann@example.com").await;
    office.go("/approvals").await;
    office.press("USD 150.00").await;
    office.press("Prepare it again").await;
    office.press("Ask for approval of USD 150.00 to 1 affiliate").await;
    office.says("Waits for approval").await;

    office.sign_in_as("bob@example.com").await;
    office.go("/").await;
    office.press("Look at the payment").await;
    office.press("Approve and pay USD 150.00 to 1 affiliate").await;
    office.says("Approved.").await;
    for _ in 0..4 {
        tokio::time::sleep(std::time::Duration::from_millis(700)).await;
        office.world.advance(time::Duration::seconds(3));
    }
    office.until("Done. 1 of 1 were paid USD 150.00.").await;
    assert_eq!(office.world.paid().await["ada@example.com"].0, 1);
    office.world.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_people_pay_together() {
    two_people(Script::On).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn and_without_javascript() {
    two_people(Script::Off).await;
}
