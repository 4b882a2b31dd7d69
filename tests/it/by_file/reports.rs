//! Reports in every form, and those that are none.

use super::{pay, round, until, until_stage, waits, with_dropzone};
use crate::support::world::World;
use rust_decimal::Decimal;
use serde_json::json;
use stipend::id::BatchId;
use stipend::payout::attention::Kind;
use stipend::payout::decide::{self, Undecided};
use stipend::payout::files;
use stipend::payout::stuck::Word;
use time::Duration;

async fn owing(affiliates: usize) -> World {
    let mut world = with_dropzone().await;
    for number in 0..affiliates {
        world.owe(&format!("p{number}@example.com"), &["10.00"]).await;
    }
    world
}

/// Items by state.
async fn queued(world: &World, batch: BatchId) -> i64 {
    let mut tx = world.tx().await;
    sqlx::query_scalar(
        "select count(*) from payout_items where merchant_id = $1 and batch_id = $2 and state = 'queued'",
    )
    .bind(world.merchant)
    .bind(batch)
    .fetch_one(&mut *tx)
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_report_mentions_stays_locked_until_a_person_has_asked() {
    let world = owing(5).await;
    world.fault(json!({"call": "report", "what": "missing_row", "times": 9})).await;
    let batch = pay(&world).await[0];
    until_stage(&world, batch, "out").await;
    let missing = queued(&world, batch).await;
    assert!(missing > 0);
    assert!(waits(&world).await.contains(&Kind::Unmentioned));
    assert_eq!(world.standings().await.get("owed"), None, "never due again by itself");

    let sum = Decimal::from(10 * missing);
    let say = async |word, sum| {
        let (app, actor) = (&world.app, world.actor());
        decide::settle_unmentioned(app, world.merchant, &actor, (batch, None), word, (sum, "asked support"))
            .await
            .unwrap()
    };
    assert_eq!(
        say(Word::There, sum).await,
        Err(Undecided::TooLate(stipend::payout::manual::TooLate)),
        "a day is waited"
    );
    world.advance(Duration::days(2));
    assert_eq!(say(Word::There, sum + Decimal::ONE).await, Err(Undecided::WrongSum));
    assert_eq!(say(Word::There, sum).await, Ok(u64::try_from(missing).unwrap()));
    world.audited("settled unmentioned payments").await;
    assert_eq!(world.standings().await["paid"], 5);
    assert!(!waits(&world).await.contains(&Kind::Unmentioned));
    world.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_that_is_none_is_kept_and_shown_and_changes_nothing() {
    let world = owing(2).await;
    world.fault(json!({"call": "part", "what": "lose", "times": 9})).await;
    world.fault(json!({"call": "out", "what": "html"})).await;
    let batch = pay(&world).await[0];
    until(&world, batch, "accepted").await;
    for _ in 0..20 {
        round(&world).await;
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        world.advance(Duration::seconds(2));
    }
    assert_eq!(queued(&world, batch).await, 2);
    let mut tx = world.tx().await;
    let answers = files::answers(&mut tx, batch).await.unwrap();
    let out = answers.iter().find(|file| file.kind == "out").unwrap();
    assert_eq!(out.outcome.as_deref(), Some("unreadable"));
    assert!(files::answer_part(&mut tx, batch, out.id, 0).await.unwrap().is_some_and(|kept| !kept.is_empty()));
    drop(tx);
    assert!(waits(&world).await.contains(&Kind::Report));
    let mut tx = world.tx().await;
    files::mark_seen(&mut tx, batch, world.person, world.app.clock.now()).await.unwrap();
    tx.commit().await.unwrap();
    assert!(!waits(&world).await.contains(&Kind::Report));
    // The Final report makes up for it.
    world.advance(Duration::days(31));
    until_stage(&world, batch, "final").await;
    assert_eq!(world.standings().await["paid"], 2);
    world.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_of_somebody_else_is_reported_and_the_rest_applied() {
    let world = owing(3).await;
    world.fault(json!({"call": "out", "what": "unknown_row"})).await;
    let batch = pay(&world).await[0];
    until_stage(&world, batch, "out").await;
    assert_eq!(world.standings().await["paid"], 3);
    let answers = files::answers(&mut world.tx().await, batch).await.unwrap();
    let out = answers.iter().find(|file| file.kind == "out").unwrap();
    assert_eq!((out.outcome.as_deref(), out.unknown_refs), (Some("applied"), 1));
    assert!(waits(&world).await.contains(&Kind::Report));
    world.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_part_report_takes_nothing_back() {
    let mut world = with_dropzone().await;
    world.owe("unregistered@example.com", &["10.00"]).await;
    world.owe("a@example.com", &["10.00"]).await;
    world.fault(json!({"call": "part", "what": "delay", "ms": 32 * 24 * 3_600_000_i64, "times": 9})).await;
    let batch = pay(&world).await[0];
    until_stage(&world, batch, "out").await;
    world.advance(Duration::days(31));
    until(&world, batch, "closed").await;
    world.advance(Duration::days(3));
    for _ in 0..10 {
        round(&world).await;
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        world.advance(Duration::hours(1));
    }
    let standings = world.standings().await;
    assert_eq!((standings["paid"], standings["owed"]), (1, 1), "{standings:?}");
    assert!(!waits(&world).await.contains(&Kind::Flagged));
    world.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_final_report_that_does_not_come_is_missed_on_day_35() {
    let mut world = with_dropzone().await;
    world.owe("unregistered@example.com", &["10.00"]).await;
    world.fault(json!({"call": "final", "what": "lose"})).await;
    let batch = pay(&world).await[0];
    until_stage(&world, batch, "out").await;
    world.advance(Duration::days(34));
    round(&world).await;
    assert!(!waits(&world).await.contains(&Kind::NoFinal));
    world.advance(Duration::days(2));
    round(&world).await;
    assert!(waits(&world).await.contains(&Kind::NoFinal));
    assert_eq!(world.standings().await.get("owed"), None, "no time frees money");
    assert_eq!(world.batch(batch).await.0, "accepted");
}
