//! The file rail: a payment as one file on PayPal's DropZone, and every answer to it.

mod answers;
mod connecting;
mod in_a_browser;
mod openssh;
mod paying;
mod reports;

use crate::support::world::{World, everything};
use serde_json::json;
use stipend::connection::dropzone::{self, Details, Outcome};
use stipend::id::BatchId;
use stipend::payout::attention::{self, At, Kind};
use stipend::payout::draft::How;
use stipend::payout::{collect, manual, upload};
use stipend::paypal::Environment;
use stipend::paypal::large_batch::Compression;
use time::Duration;

/// The user name that the simulated PayPal gives.
const USER: &str = "acme-sftp";

/// A merchant whose DropZone account is in force.
pub async fn with_dropzone() -> World {
    let world = World::new().await;
    assert_eq!(connect(&world).await, Outcome::Ready);
    world
}

/// All the steps of connecting, as a person takes them.
pub async fn connect(world: &World) -> Outcome {
    let actor = world.actor();
    dropzone::begin(&world.app, world.merchant, &actor, Environment::Simulator).await.unwrap().unwrap();
    let mut tx = world.tx().await;
    let key = dropzone::show(&mut tx).await.unwrap().unwrap().public_key;
    drop(tx);
    world.tell("dropzone", json!({"user": USER, "client_id": "demo-client", "public_key": key})).await;
    let details = Details::read(USER, "Incoming", "Outgoing").unwrap();
    let outcome = dropzone::save(&world.app, world.merchant, &actor, &details).await.unwrap().unwrap();
    assert_eq!(outcome, Outcome::HostKeyNew);
    let mut tx = world.tx().await;
    let offered = dropzone::show(&mut tx).await.unwrap().unwrap().host_key_offered.unwrap();
    drop(tx);
    dropzone::approve(&world.app, world.merchant, &actor, &offered).await.unwrap().unwrap()
}

/// Everything that is due, as prepared files.
pub async fn prepare(world: &World) -> Vec<BatchId> {
    world.try_pay(&everything(), How::File { compression: Compression::Plain }).await.unwrap()
}

/// The same, let go.
pub async fn pay(world: &World) -> Vec<BatchId> {
    let batches = prepare(world).await;
    for batch in &batches {
        manual::let_go(&world.app, world.merchant, &world.actor(), *batch, None).await.unwrap().unwrap();
    }
    batches
}

/// What waits for somebody.
async fn waits(world: &World) -> Vec<Kind> {
    let at = At { now: world.app.clock.now(), today: world.today() };
    let mut tx = world.tx().await;
    attention::counts(&mut tx, at).await.unwrap().into_iter().map(|(kind, _)| kind).collect()
}

/// One round of the worker's two steps.
pub async fn round(world: &World) {
    while upload::next(&world.app).await.unwrap() {}
    while collect::next(&world.app).await.unwrap() {}
}

/// Works until a batch stands in a state. The simulated PayPal picks files up in real time.
async fn until(world: &World, batch: BatchId, state: &str) {
    for _ in 0..100 {
        round(world).await;
        if world.batch(batch).await.0 == state {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        world.advance(Duration::seconds(2));
    }
    panic!("batch {batch} is {:?} and not {state}", world.batch(batch).await);
}

/// A column of the batch's file.
async fn stage(world: &World, batch: BatchId) -> Option<String> {
    let mut tx = world.tx().await;
    sqlx::query_scalar("select stage from payout_files where merchant_id = $1 and batch_id = $2")
        .bind(world.merchant)
        .bind(batch)
        .fetch_one(&mut *tx)
        .await
        .unwrap()
}

pub async fn until_stage(world: &World, batch: BatchId, wanted: &str) {
    for _ in 0..100 {
        round(world).await;
        if stage(world, batch).await.as_deref() == Some(wanted) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        world.advance(Duration::seconds(2));
    }
    panic!("batch {batch} is at {:?} and not at {wanted}", stage(world, batch).await);
}
