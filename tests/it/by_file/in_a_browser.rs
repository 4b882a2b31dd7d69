//! Large Batch in a real browser: connecting step by step, choosing the file, looking at it, letting it go, watching it.

use super::USER;
use crate::support::browser::Script;
use crate::support::office::Office;
use crate::support::world::{World, dec};
use serde_json::json;
use thirtyfour::By;

async fn connected_looked_at_and_paid(script: Script) {
    let mut world = World::new().await;
    world.owe("maya@example.com", &["120.00", "30.50"]).await;
    world.owe("tom.unregistered@example.com", &["80.00"]).await;
    let office = Office::open(world, script).await;
    office.go("/integrations/payment/dropzone").await;
    office.press("Make our key").await;
    office.says("Our key is made.").await;
    let key = office.browser.find(By::Id("public-key")).await.unwrap().value().await.unwrap().unwrap();
    office.world.tell("dropzone", json!({"user": USER, "client_id": "demo-client", "public_key": key})).await;
    office.browser.fill("user_name", "two words").await;
    office.press("Save and test").await;
    office.says("A user name is one word").await;
    office.browser.fill("user_name", USER).await;
    office.press("Save and test").await;
    office.says("Compare the server’s key").await;
    office.press("This is PayPal’s key: approve it").await;
    office.says("Connected. Incoming and Outgoing folders found.").await;

    office.choose("maya@example.com, USD 150.50", "Pay by Large Batch file").await;
    office.press("Prepare a file for 1 affiliate, USD 150.50").await;
    office.says("The file is prepared and frozen.").await;
    let text = office.browser.find(By::LinkText("Download the file")).await.unwrap().attr("href").await.unwrap();
    assert!(text.unwrap().ends_with("/file"));
    office.press("Upload to PayPal now").await;
    for _ in 0..30 {
        office.world.advance(time::Duration::seconds(2));
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    office.until("Done. 1 of 1 were paid USD 150.50.").await;
    office.says("Accepted (ACK)").await;
    office.says("Out report").await;
    assert_eq!(office.world.paid().await["maya@example.com"], (1, dec("150.50")));
    office.world.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_javascript() {
    connected_looked_at_and_paid(Script::On).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_javascript() {
    connected_looked_at_and_paid(Script::Off).await;
}
