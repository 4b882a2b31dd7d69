//! Our webhook at PayPal: made, found again, moved, taken away; and a connection that works without it.

use super::listening;
use crate::support::world::World;
use serde_json::{Value, json};
use stipend::connection::notifications::{self, Farewell, Notifications};
use stipend::connection::{self, Outcome};
use time::Duration;

/// The simulator's webhooks of an app.
async fn webhooks(world: &World, client: &str, secret: &str) -> Vec<Value> {
    let http = crate::support::world::reqwest_client();
    let token: Value = http
        .post(format!("{}/v1/oauth2/token", world.simulator.url()))
        .basic_auth(client, Some(secret))
        .form(&[("grant_type", "client_credentials")])
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let list = http.get(format!("{}/v1/notifications/webhooks", world.simulator.url()));
    let list: Value =
        list.bearer_auth(token["access_token"].as_str().unwrap()).send().await.unwrap().json().await.unwrap();
    list["webhooks"].as_array().unwrap().clone()
}

async fn demo(world: &World) -> Vec<Value> {
    webhooks(world, "demo-client", "demo-secret").await
}

async fn shown(world: &World) -> Notifications {
    let mut tx = world.tx().await;
    let connection = connection::in_force(&mut tx).await.unwrap().unwrap();
    notifications::shown(&mut tx, &world.app, connection.id).await.unwrap()
}

#[tokio::test]
async fn connecting_registers_disconnecting_removes() {
    let world = listening().await;
    let made = demo(&world).await;
    assert_eq!(made.len(), 1);
    assert!(made[0]["url"].as_str().unwrap().starts_with(&format!("{}/webhooks/paypal/", world.site.address)));
    let names: Vec<&str> =
        made[0]["event_types"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names.len(), 11, "those that PayPal's own list offers: {names:?}");
    assert!(!names.contains(&"PAYMENT.PAYOUTS-ITEM.DENIED"));
    assert_eq!(shown(&world).await, Notifications::Registered(None));
    let page = world.site.signed_in("ann@example.com").await.open("/integrations/payment").await;
    assert!(page.text().contains("Notifications registered"), "{}", page.text());
    assert!(!notifications::next(&world.app).await.unwrap(), "nothing more to do");

    let left = connection::disconnect(&world.app, world.merchant, &world.actor()).await.unwrap().unwrap();
    assert_eq!((left, demo(&world).await.len()), (Farewell::Clean, 0));
    assert_eq!(world.connect("demo-client", "demo-secret").await, Outcome::Ready);
    assert!(notifications::next(&world.app).await.unwrap());
    assert_eq!(demo(&world).await.len(), 1);
}

#[tokio::test]
async fn a_registration_that_was_cut_off_is_found_and_not_made_twice() {
    let mut world = listening().await;
    let made = demo(&world).await;
    let forget = "update connections set webhook_id = null, webhook_url = null, webhook_look_at = null";
    let mut tx = world.tx().await;
    sqlx::query(forget).execute(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
    assert!(notifications::next(&world.app).await.unwrap());
    assert_eq!(demo(&world).await, made, "found by its address");

    world.app.public_url = Some("https://pay.example.com".into());
    world.advance(Duration::minutes(2));
    assert!(notifications::next(&world.app).await.unwrap());
    let moved = demo(&world).await;
    assert_eq!((moved.len(), &moved[0]["id"]), (1, &made[0]["id"]), "the same webhook, at the new address");
    assert!(moved[0]["url"].as_str().unwrap().starts_with("https://pay.example.com/webhooks/paypal/"));

    connection::disconnect(&world.app, world.merchant, &world.actor()).await.unwrap().unwrap();
    assert_eq!(world.connect("demo-client", "demo-secret").await, Outcome::Ready);
    notifications::next(&world.app).await.unwrap();
    world.advance(Duration::days(2));
    assert!(notifications::next(&world.app).await.unwrap(), "looked after once a day");
    assert_eq!(demo(&world).await.len(), 1);
}

#[tokio::test]
async fn another_app_takes_the_place_of_the_first_ones_webhook() {
    let world = listening().await;
    assert_eq!(world.connect("demo-client", "demo-secret").await, Outcome::Ready);
    assert_eq!(demo(&world).await.len(), 1, "the same app keeps it");
    assert_eq!(world.connect("other-client", "other-secret").await, Outcome::Ready);
    assert_eq!(demo(&world).await.len(), 0, "taken away with the old secret, before that is destroyed");
    assert!(notifications::next(&world.app).await.unwrap());
    assert_eq!(webhooks(&world, "other-client", "other-secret").await.len(), 1);
}

#[tokio::test]
async fn a_connection_works_without_notifications_and_says_so() {
    let mut world = World::new().await;
    world.tell("accounts", json!({"client_id": "demo-client", "webhooks": false})).await;
    assert_eq!(world.connect("demo-client", "demo-secret").await, Outcome::Ready);
    assert_eq!(shown(&world).await, Notifications::Soon);
    assert!(notifications::next(&world.app).await.unwrap());
    assert!(matches!(shown(&world).await, Notifications::NotPermitted(..)));
    assert!(!notifications::next(&world.app).await.unwrap(), "not asked again and again");
    let page = world.site.signed_in("ann@example.com").await.open("/integrations/payment").await;
    assert!(page.text().contains("Notifications not permitted"), "{}", page.text());

    world.app.listens_at = None;
    assert_eq!(shown(&world).await, Notifications::NoAddress);
    world.advance(Duration::days(1));
    assert!(!notifications::next(&world.app).await.unwrap());
    world.owe("a@example.com", &["10.00"]).await;
    world.pay_all().await;
    world.settle().await;
    assert_eq!(world.standings().await["paid"], 1, "by polling");
    assert_eq!(
        connection::disconnect(&world.app, world.merchant, &world.actor()).await.unwrap().unwrap(),
        Farewell::Clean
    );
    world.check().await;
}

#[tokio::test]
async fn a_failed_registration_is_tried_again_and_a_failed_removal_told() {
    let world = World::connected().await;
    world.fault(json!({"call": "webhooks", "what": "status", "status": 500})).await;
    assert!(notifications::next(&world.app).await.unwrap());
    assert!(matches!(shown(&world).await, Notifications::Failed(..)));
    world.advance(Duration::minutes(6));
    assert!(notifications::next(&world.app).await.unwrap());
    assert_eq!(shown(&world).await, Notifications::Registered(None));
    world.fault(json!({"call": "webhooks", "what": "status", "status": 500})).await;
    let client = world.site.signed_in("ann@example.com").await;
    let page = client.open("/integrations/payment").await;
    let told = client.submit(&page, "/integrations/payment/paypal/disconnection", &[]).await;
    assert!(told.text().contains("remove it from the app"), "{}", told.text());
    assert!(!told.text().contains("Notifications"), "nothing is connected");
}
