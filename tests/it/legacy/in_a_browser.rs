//! The upgrade and the administrator's page in a real browser, with and without JavaScript.

use super::{in_force, legacy_world};
use crate::support::browser::Script;
use crate::support::office::Office;
use stipend::admin;
use thirtyfour::By;

/// From the notice on the due page over the guide to a connection that pays.
async fn upgrade(script: Script) {
    let mut world = legacy_world().await;
    world.owe("ada@example.com", &["10.00"]).await;
    let office = Office::open(world, script).await;
    office.says("PayPal MassPay cannot pay").await;
    office.never_says("Pay via PayPal MassPay").await;
    office.press("More Info").await;
    office.says("What PayPal has changed").await;
    office.press("Upgrade").await;
    office.says("The connection you have stays until PayPal has confirmed them").await;
    office.browser.fill("client_id", "demo-client").await;
    office.browser.fill("secret", "mistyped").await;
    office.press("Save").await;
    office.says("PayPal does not recognise this Client ID and Secret").await;
    office.says("Your connection is as it was.").await;
    office.says("Upgrade it to keep paying").await;
    assert_eq!(in_force(&office.world, office.world.merchant).await, (vec!["legacy_masspay".to_owned()], true));
    office.press("Upgrade").await;
    office.says("Upgrade PayPal MassPay").await;
    office.browser.fill("secret", "demo-secret").await;
    office.press("Save").await;
    office.says("Upgraded. Your next payment will use the new connection.").await;
    office.never_says("old Mass Pay service").await;
    assert_eq!(in_force(&office.world, office.world.merchant).await, (vec!["rest".to_owned()], false));
    office.choose("ada@example.com, USD 10.00", "Pay via PayPal MassPay").await;
    office.press("Pay 1 affiliate USD 10.00").await;
    office.until("Done. 1 of 1 were paid").await;
    office.world.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_legacy_connection_is_upgraded_and_pays() {
    upgrade(Script::On).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn and_without_javascript() {
    upgrade(Script::Off).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_administrator_of_the_installation_upgrades_a_merchant() {
    let mut world = legacy_world().await;
    world.owe("ada@example.com", &["10.00"]).await;
    admin::set_installation_admin(&world.app.database, &world.app.clock, "ann@example.com", true).await.unwrap();
    let office = Office::open(world, Script::On).await;
    office.browser.find(By::Css("details.menu summary")).await.unwrap().click().await.unwrap();
    office.browser.find(By::LinkText("Legacy connections")).await.unwrap().click().await.unwrap();
    office.says("0 of 1 merchant upgraded; 1 still to do.").await;
    office.says("USD 10.00").await;
    office.says("This installation sends no e-mail").await;
    office.browser.find(By::Css("tbody a.row-link")).await.unwrap().click().await.unwrap();
    office.says("Upgrade with keys that the merchant has handed over").await;
    office.browser.fill("client_id", "no-payouts").await;
    office.browser.fill("secret", "secret").await;
    office.press("Upgrade").await;
    office.says("Payouts are not enabled on this app").await;
    office.browser.fill("client_id", "demo-client").await;
    office.browser.fill("secret", "demo-secret").await;
    office.press("Upgrade").await;
    office.says("Upgraded. The old details are destroyed").await;
    office.go("/installation/legacy").await;
    office.says("1 of 1 merchant upgraded; 0 still to do.").await;
    assert_eq!(in_force(&office.world, office.world.merchant).await, (vec!["rest".to_owned()], false));
}
