//! Every answer to a file, in every dangerous order; and what no answer at all does.

use super::{pay, prepare, round, until, until_stage, waits, with_dropzone};
use crate::support::world::{World, everything};
use serde_json::json;
use stipend::id::BatchId;
use stipend::payout::attention::Kind;
use stipend::payout::draft::{DraftError, How};
use stipend::payout::manual;
use stipend::paypal::large_batch::Compression;
use time::Duration;

async fn doubted(world: &World, batch: BatchId) -> bool {
    let mut tx = world.tx().await;
    sqlx::query_scalar("select doubted_at is not null from payout_batches where merchant_id = $1 and id = $2")
        .bind(world.merchant)
        .bind(batch)
        .fetch_one(&mut *tx)
        .await
        .unwrap()
}

/// Works for some real time; the clock moves little.
async fn wait(world: &World) {
    for _ in 0..20 {
        round(world).await;
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        world.advance(Duration::seconds(2));
    }
}

/// The simulated PayPal has taken what lies in the folder.
async fn picked_up(world: &World) {
    for _ in 0..200 {
        if world.door("dropzone").await["users"][0]["incoming"] == json!([]) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("nobody picks the file up: {}", world.door("dropzone").await);
}

async fn owing() -> World {
    let mut world = with_dropzone().await;
    world.owe("a@example.com", &["10.00"]).await;
    world.owe("b@example.com", &["20.00"]).await;
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejected_file_is_due_again_after_an_hour_and_not_before() {
    let world = owing().await;
    world.fault(json!({"call": "pick_up", "what": "reject", "name": "SANDBOX_LIMIT_ERROR"})).await;
    let batch = pay(&world).await[0];
    wait(&world).await;
    assert_eq!(world.batch(batch).await.0, "submitting", "an ACK may still come");
    assert_eq!(world.standings().await.get("owed"), None);
    world.advance(Duration::hours(1));
    until(&world, batch, "refused").await;
    assert_eq!(world.batch(batch).await.1.as_deref(), Some("SANDBOX_LIMIT_ERROR"));
    assert_eq!(world.standings().await["owed"], 2);

    // A corrected file has another name, and is paid.
    let again = pay(&world).await[0];
    until_stage(&world, again, "out").await;
    assert_eq!(world.standings().await["paid"], 2);
    world.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejection_for_what_paypal_does_not_document_waits_for_a_person() {
    let world = owing().await;
    world.fault(json!({"call": "pick_up", "what": "reject", "name": "CONTENT_SENT_BEFORE"})).await;
    let batch = pay(&world).await[0];
    wait(&world).await;
    world.advance(Duration::hours(1));
    until(&world, batch, "stuck").await;
    world.advance(Duration::days(40));
    wait(&world).await;
    assert_eq!(world.standings().await.get("owed"), None, "nothing was given back");
    assert!(waits(&world).await.contains(&Kind::Stuck));
    world.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_ack_beats_the_nack_before_it() {
    let world = owing().await;
    world.fault(json!({"call": "pick_up", "what": "reject", "name": "SANDBOX_LIMIT_ERROR"})).await;
    world.fault(json!({"call": "nack", "what": "late_ack", "ms": 300_000})).await;
    let batch = pay(&world).await[0];
    wait(&world).await;
    assert_eq!(world.batch(batch).await.0, "submitting");
    world.advance(Duration::minutes(10));
    until(&world, batch, "accepted").await;
    assert_eq!(world.standings().await.get("owed"), None, "nothing was given back");
    world.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ack_after_the_release_stops_a_second_payment_until_a_person_has_asked() {
    let world = owing().await;
    world.fault(json!({"call": "pick_up", "what": "reject", "name": "SANDBOX_LIMIT_ERROR"})).await;
    world.fault(json!({"call": "nack", "what": "late_ack", "ms": 7_200_000})).await;
    let batch = pay(&world).await[0];
    wait(&world).await;
    world.advance(Duration::minutes(70));
    until(&world, batch, "refused").await;
    world.advance(Duration::hours(2));
    for _ in 0..5 {
        world.advance(Duration::hours(1));
        round(&world).await;
    }
    assert_eq!(waits(&world).await, [Kind::Contradicted]);
    let how = How::File { compression: Compression::Plain };
    assert!(
        matches!(world.try_pay(&everything(), how.clone()).await, Err(DraftError::Unpayable(lines)) if lines.len() == 2)
    );
    // PayPal says that it paid nothing.
    let cleared =
        manual::clear_contradiction(&world.app, world.merchant, &world.actor(), batch, "support").await.unwrap();
    world.audited("cleared up a rejected and accepted file").await;
    assert!(cleared.is_ok());
    assert!(world.try_pay(&everything(), how).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_nack_after_an_ack_changes_nothing() {
    let world = owing().await;
    world.fault(json!({"call": "ack", "what": "late_nack", "ms": 300_000})).await;
    let batch = pay(&world).await[0];
    until_stage(&world, batch, "out").await;
    world.advance(Duration::minutes(10));
    wait(&world).await;
    world.advance(Duration::hours(2));
    wait(&world).await;
    assert_eq!(world.batch(batch).await.0, "accepted");
    assert_eq!(world.standings().await["paid"], 2);
    world.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_half_read_file_frees_nothing() {
    let world = owing().await;
    world.fault(json!({"call": "upload", "what": "grab", "bytes": 60})).await;
    world.fault(json!({"call": "upload", "what": "slow", "ms": 300})).await;
    let batch = pay(&world).await[0];
    wait(&world).await;
    world.advance(Duration::hours(2));
    until(&world, batch, "stuck").await;
    let standings = world.standings().await;
    assert_eq!((standings.get("owed"), standings["unknown"]), (None, 2), "{standings:?}");
    assert!(world.paid().await.values().all(|(payments, _)| *payments == 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_upload_is_put_again_under_the_same_name_and_paid_once() {
    let world = owing().await;
    world.fault(json!({"call": "upload", "what": "cut", "bytes": 50})).await;
    world.fault(json!({"call": "pick_up", "what": "lose"})).await;
    let batch = pay(&world).await[0];
    round(&world).await;
    assert!(doubted(&world, batch).await, "nobody knows how much of it arrived");
    assert_eq!(world.standings().await["unknown"], 2);
    picked_up(&world).await;
    world.advance(Duration::hours(2));
    until(&world, batch, "accepted").await;
    until_stage(&world, batch, "out").await;
    let files = world.door("dropzone").await;
    let names: std::collections::HashSet<String> =
        files["files"].as_array().unwrap().iter().map(|file| file["name"].as_str().unwrap().to_owned()).collect();
    assert_eq!(names.len(), 1, "{files}");
    assert_eq!(world.standings().await["paid"], 2);
    world.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_ack_is_made_up_for_by_the_reports() {
    let world = owing().await;
    world.fault(json!({"call": "ack", "what": "lose"})).await;
    let batch = pay(&world).await[0];
    until_stage(&world, batch, "out").await;
    assert_eq!(world.batch(batch).await.0, "accepted");
    assert_eq!(world.standings().await["paid"], 2);
    world.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_in_any_spelling_are_understood() {
    let world = owing().await;
    world.fault(json!({"call": "ack", "what": "upper_case"})).await;
    world.fault(json!({"call": "report", "what": "lower_case", "times": 9})).await;
    world.fault(json!({"call": "out", "what": "gzip"})).await;
    world.fault(json!({"call": "out", "what": "header"})).await;
    let batch = pay(&world).await[0];
    until_stage(&world, batch, "out").await;
    assert_eq!(world.standings().await["paid"], 2);
    world.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_server_is_tried_again() {
    let world = owing().await;
    world.fault(json!({"call": "upload", "what": "full", "bytes": 10})).await;
    world.fault(json!({"call": "pick_up", "what": "lose"})).await;
    let batch = pay(&world).await[0];
    round(&world).await;
    assert_eq!((world.batch(batch).await.0.as_str(), doubted(&world, batch).await), ("submitting", true));
    assert_eq!(world.standings().await.get("owed"), None, "nothing is freed by trouble");
    picked_up(&world).await;
    world.advance(Duration::hours(2));
    until(&world, batch, "accepted").await;
    until_stage(&world, batch, "out").await;
    assert_eq!(world.standings().await["paid"], 2);
    world.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_is_told_after_an_hour_and_frees_nothing() {
    let world = owing().await;
    world.fault(json!({"call": "pick_up", "what": "lose"})).await;
    let batch = pay(&world).await[0];
    wait(&world).await;
    assert_eq!(waits(&world).await, []);
    world.advance(Duration::hours(1));
    wait(&world).await;
    assert_eq!(waits(&world).await, [Kind::Unanswered]);
    world.advance(Duration::days(10));
    wait(&world).await;
    assert_eq!(world.batch(batch).await.0, "submitting");
    assert_eq!(world.standings().await.get("owed"), None, "silence frees nothing");
    world.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prepared_file_waits_for_a_person_and_a_scheduled_one_for_its_time() {
    let world = owing().await;
    let batch = prepare(&world).await[0];
    wait(&world).await;
    assert_eq!(world.batch(batch).await.0, "prepared");
    assert_eq!(waits(&world).await, []);
    world.advance(Duration::minutes(20));
    assert_eq!(waits(&world).await, [Kind::Prepared]);
    let at = world.app.clock.now() + Duration::days(3);
    manual::let_go(&world.app, world.merchant, &world.actor(), batch, Some(at)).await.unwrap().unwrap();
    wait(&world).await;
    assert_eq!((world.batch(batch).await.0.as_str(), waits(&world).await), ("ready", vec![]));
    assert_eq!(world.door("dropzone").await["files"].as_array().unwrap().len(), 0);
    world.advance(Duration::days(3));
    until(&world, batch, "accepted").await;

    // Another one is taken back before its time.
    let mut world = world;
    world.owe("c@example.com", &["5.00"]).await;
    let other = prepare(&world).await[0];
    let at = world.app.clock.now() + Duration::days(3);
    manual::let_go(&world.app, world.merchant, &world.actor(), other, Some(at)).await.unwrap().unwrap();
    manual::cancel(&world.app, world.merchant, &world.actor(), other).await.unwrap().unwrap();
    assert_eq!(world.batch(other).await.0, "cancelled");
    world.advance(Duration::days(4));
    wait(&world).await;
    assert_eq!(world.door("dropzone").await["files"].as_array().unwrap().len(), 1);
    world.check().await;
}
