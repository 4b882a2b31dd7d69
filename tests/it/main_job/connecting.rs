//! What can go wrong between us and PayPal before any money moves, as a person meets it.

use super::world;
use crate::support::browser::Script;
use crate::support::office::Office;
use crate::support::site::{PASSWORD, Site};
use crate::support::world::{World, reqwest_client};
use serde_json::json;
use thirtyfour::By;
use time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn an_app_without_payouts_is_named_and_passes_once_paypal_enables_them() {
    let office = Office::open(World::new().await, Script::On).await;
    office.connect("no-payouts", "secret").await;
    office.says("Payouts are not enabled on this app").await;
    office.says("Inactive").await;
    let door = format!("{}/_simulator/accounts", office.world.simulator.url());
    let enabled = json!({ "client_id": "no-payouts", "payouts": true });
    assert!(reqwest_client().post(door).json(&enabled).send().await.unwrap().status().is_success());
    office.press("Check again").await;
    office.says("PayPal confirmed the connection").await;
    office.says("Active").await;
    assert!(office.world.paid().await.is_empty(), "checking moves no money");
}

#[tokio::test(flavor = "multi_thread")]
async fn while_paypal_cannot_be_reached_the_earlier_connection_stays() {
    let office = Office::open(World::connected().await, Script::Off).await;
    office.world.fault(json!({ "call": "token", "what": "cut_before", "times": 10 })).await;
    office.connect("other-client", "other-secret").await;
    office.says("PayPal could not be reached").await;
    office.says("The earlier connection is still in use.").await;
    office.says("Active").await;
    office.says("…ient").await;
    let clear = format!("{}/_simulator/faults", office.world.simulator.url());
    assert!(reqwest_client().delete(clear).send().await.unwrap().status().is_success());
    let again = By::XPath("//*[@role='status']//button[normalize-space()='Check again']");
    office.browser.find(again).await.unwrap().click().await.unwrap();
    office.says("PayPal confirmed the connection").await;
    office.never_says("could not be reached").await;
    assert!(office.world.paid().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_with_a_batch_in_flight_is_neither_changed_nor_cut() {
    let world = world().await;
    world.connect("demo-client", "demo-secret").await;
    world.fault(json!({ "call": "create", "what": "settle_after", "ms": 600_000 })).await;
    let office = Office::open(world, Script::On).await;
    office.choose("tom@example.com, USD 80.00", "Pay via PayPal MassPay").await;
    office.press("Pay 1 affiliate USD 80.00").await;
    office.until("PayPal has it and is paying.").await;

    office.go("/integrations/payment").await;
    office.says("In use by batch 1").await;
    let client = office.world.site.signed_in("ann@example.com").await;
    let page = client.open("/integrations/payment").await;
    let token = page.form("/sign-out").value("token").unwrap().to_owned();
    let cut = client.post("/integrations/payment/paypal/disconnection", &[("token", &token)]).await;
    assert_eq!(cut.status, 409, "{}", cut.text());
    assert!(cut.text().contains("batch 1 is not finished"), "{}", cut.text());
    office.connect_refused("other-client", "other-secret", "batch 1 is not finished").await;
    office.connect("demo-client", "demo-secret").await;
    office.says("PayPal is connected").await;

    office.world.advance(Duration::hours(1));
    office.go("/batches").await;
    office.press("Batch 1").await;
    office.until("Done. 1 of 1 were paid USD 80.00.").await;
    office.go("/integrations/payment").await;
    office.press("Disconnect").await;
    office.says("1 finished batch would no longer be watched").await;
    office.press("Disconnect PayPal").await;
    office.says("Confirm that it is you").await;
    office.browser.fill("password", PASSWORD).await;
    office.press("Confirm").await;
    office.press("Disconnect").await;
    office.press("Disconnect PayPal").await;
    office.says("PayPal is disconnected").await;
    office.says("Inactive").await;
    office.world.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_payment_fixes_where_a_merchant_pays() {
    let world = world().await;
    world.connect("demo-client", "demo-secret").await;
    let office = Office::open(world, Script::On).await;
    office.go("/integrations/payment/paypal").await;
    office.never_says("first payment was made with").await;
    office.choose("tom@example.com, USD 80.00", "Pay via PayPal MassPay").await;
    office.press("Pay 1 affiliate USD 80.00").await;
    office.until("Done. 1 of 1 were paid USD 80.00.").await;
    office.go("/integrations/payment/paypal").await;
    office.says("This merchant’s first payment was made with Simulator").await;
    office.world.check().await;
}

#[tokio::test]
async fn play_money_and_real_money_never_share_a_merchant() {
    let site = Site::staffed().await;
    let client = site.signed_in("admin@example.com").await;
    let page = client.open("/integrations/payment/paypal").await;
    assert!(page.text().contains("Live") && page.text().contains("Sandbox"));
    let mut tx = site.app.database.installation().await.unwrap();
    let fixed = sqlx::query("update merchants set environment = 'sandbox'").execute(&mut *tx).await.unwrap();
    assert_eq!(fixed.rows_affected(), 1);
    tx.commit().await.unwrap();
    let page = client.open("/integrations/payment/paypal").await;
    assert!(page.body.contains("value=\"sandbox\"") && !page.body.contains("value=\"live\""), "{}", page.body);
    let details = [("environment", "live"), ("client_id", "id"), ("secret", "hunter2")];
    let refused = client.submit(&page, "/integrations/payment/paypal", &details).await;
    assert_eq!(refused.status, 422);
    assert!(refused.text().contains("must never mark real commissions paid"), "{}", refused.text());
    assert!(!refused.body.contains("hunter2"));
}
