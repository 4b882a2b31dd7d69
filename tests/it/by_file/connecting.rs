//! The account on the DropZone: every outcome of the test, the server's key, two keys while one replaces the other.

use super::{USER, pay, round, until, waits, with_dropzone};
use crate::support::world::World;
use serde_json::json;
use stipend::connection::dropzone::{self, Details, Dropzone, Outcome, Refused};
use stipend::payout::attention::Kind;
use stipend::paypal::Environment;

async fn shown(world: &World) -> Dropzone {
    dropzone::show(&mut world.tx().await).await.unwrap().unwrap()
}

async fn test(world: &World) -> Outcome {
    dropzone::test(&world.app, world.merchant).await.unwrap().unwrap()
}

async fn save(world: &World, user: &str, incoming: &str) -> Result<Outcome, Refused> {
    let details = Details::read(user, incoming, "Outgoing").unwrap();
    dropzone::save(&world.app, world.merchant, &world.actor(), &details).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_signed_in_before_a_person_approves_the_servers_key() {
    let world = World::new().await;
    let begun = dropzone::begin(&world.app, world.merchant, &world.actor(), Environment::Simulator).await.unwrap();
    assert!(begun.is_ok());
    let first = shown(&world).await.public_key;
    // A second click makes no second key.
    dropzone::begin(&world.app, world.merchant, &world.actor(), Environment::Simulator).await.unwrap().unwrap();
    assert_eq!(shown(&world).await.public_key, first);
    assert!(first.starts_with("ssh-ed25519 "));

    assert_eq!(save(&world, USER, "Incoming").await.unwrap(), Outcome::HostKeyNew);
    let seen = shown(&world).await;
    assert_eq!((seen.in_force, seen.host_key), (false, None));
    let other = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";
    let approved = dropzone::approve(&world.app, world.merchant, &world.actor(), other).await.unwrap();
    assert!(matches!(approved, Err(Refused::OutOfDate)), "only the key that is shown can be approved");

    // PayPal does not know our key yet.
    let offered = seen.host_key_offered.unwrap();
    let outcome = dropzone::approve(&world.app, world.merchant, &world.actor(), &offered).await.unwrap().unwrap();
    assert_eq!(outcome, Outcome::SignInRefused);
    world.tell("dropzone", json!({"user": USER, "client_id": "demo-client", "public_key": first})).await;
    assert_eq!(test(&world).await, Outcome::Ready);
    assert!(shown(&world).await.in_force);

    assert_eq!(save(&world, USER, "Elsewhere").await.unwrap(), Outcome::FoldersMissing);
    assert!(!shown(&world).await.in_force, "another folder is tested anew");
}

#[tokio::test(flavor = "multi_thread")]
async fn live_and_sandbox_cannot_be_reached_in_a_rehearsal() {
    let world = World::new().await;
    for environment in [Environment::Live, Environment::Sandbox] {
        let begun = dropzone::begin(&world.app, world.merchant, &world.actor(), environment).await.unwrap();
        assert!(matches!(begun, Err(Refused::NotOffered)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_server_key_stops_everything_until_a_person_approves_it() {
    let mut world = with_dropzone().await;
    world.owe("a@example.com", &["10.00"]).await;
    world.tell("dropzone", json!({"new_host_key": true})).await;
    world.app.dropzone = fresh(&world);
    let batch = pay(&world).await[0];
    round(&world).await;
    assert_eq!(world.batch(batch).await.0, "ready");
    assert_eq!(shown(&world).await.paused_why.as_deref(), Some("DROPZONE_HOST_KEY_CHANGED"));
    assert_eq!(test(&world).await, Outcome::HostKeyChanged);
    assert!(world.paid().await.is_empty());
    assert_eq!(waits(&world).await, [Kind::Dropzone]);

    let offered = shown(&world).await.host_key_offered.unwrap();
    let outcome = dropzone::approve(&world.app, world.merchant, &world.actor(), &offered).await.unwrap().unwrap();
    assert_eq!(outcome, Outcome::Ready);
    assert_eq!(shown(&world).await.paused_at, None, "files go on");
    until(&world, batch, "accepted").await;
}

/// Without the sessions that are open.
fn fresh(world: &World) -> stipend::paypal::DropZone {
    stipend::paypal::DropZone::new(true, world.simulator.dropzone_address().map(|address| address.to_string()))
}

#[tokio::test(flavor = "multi_thread")]
async fn both_keys_are_known_while_one_replaces_the_other() {
    let mut world = with_dropzone().await;
    let actor = world.actor();
    dropzone::add_key(&world.app, world.merchant, &actor).await.unwrap().unwrap();
    assert_eq!(test(&world).await, Outcome::Ready, "the first key goes on working");
    let early = dropzone::drop_earlier_key(&world.app, world.merchant, &actor).await.unwrap();
    assert!(matches!(early, Err(Refused::OutOfDate)), "PayPal does not know the next one yet");

    let keys = shown(&world).await;
    let next = keys.next_public_key.unwrap();
    world.tell("dropzone", json!({"user": USER, "client_id": "demo-client", "public_key": next})).await;
    assert_eq!(test(&world).await, Outcome::Ready);
    assert!(shown(&world).await.next_accepted_at.is_some());
    dropzone::drop_earlier_key(&world.app, world.merchant, &actor).await.unwrap().unwrap();
    let after = shown(&world).await;
    assert_eq!((after.public_key, after.next_public_key), (next, None));

    world.app.dropzone = fresh(&world);
    world.owe("a@example.com", &["10.00"]).await;
    let batch = pay(&world).await[0];
    until(&world, batch, "accepted").await;
    world.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_in_use_is_neither_changed_nor_disconnected() {
    let mut world = with_dropzone().await;
    world.owe("a@example.com", &["10.00"]).await;
    let batch = pay(&world).await[0];
    assert!(matches!(save(&world, "other", "Incoming").await, Err(Refused::InUse(_))));
    let disconnected = dropzone::disconnect(&world.app, world.merchant, &world.actor()).await.unwrap();
    assert!(matches!(disconnected, Err(Refused::InUse(batches)) if batches[0].id == batch));
    until(&world, batch, "accepted").await;
    super::until_stage(&world, batch, "out").await;
    dropzone::disconnect(&world.app, world.merchant, &world.actor()).await.unwrap().unwrap();
    assert!(dropzone::show(&mut world.tx().await).await.unwrap().is_none(), "the keys are gone");
    // Connected again with another key; the server's key is still the approved one.
    dropzone::begin(&world.app, world.merchant, &world.actor(), Environment::Simulator).await.unwrap().unwrap();
    assert_eq!(save(&world, USER, "Incoming").await.unwrap(), Outcome::SignInRefused, "PayPal has to be told the key");
}
