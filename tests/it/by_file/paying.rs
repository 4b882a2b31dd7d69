//! A file from the review to its Final report.

use super::{pay, prepare, round, until, until_stage, with_dropzone};
use stipend::payout::files;
use time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_paid_and_followed_to_its_final_report() {
    let mut world = with_dropzone().await;
    for name in ["a", "b", "c", "d", "unregistered", "locked"] {
        world.owe(&format!("{name}@example.com"), &["10.00", "2.50"]).await;
    }
    let batches = pay(&world).await;
    assert_eq!(batches.len(), 1);
    round(&world).await;
    assert_eq!(world.batch(batches[0]).await.0, "submitting", "it waits for the answer");
    until(&world, batches[0], "accepted").await;
    until_stage(&world, batches[0], "out").await;
    let standings = world.standings().await;
    assert_eq!((standings["paid"], standings["paying"], standings["owed"]), (8, 2, 2), "{standings:?}");
    world.check().await;

    world.advance(Duration::days(31));
    until(&world, batches[0], "closed").await;
    let standings = world.standings().await;
    assert_eq!((standings["paid"], standings["owed"]), (8, 4), "what nobody claimed came back: {standings:?}");
    world.check().await;
}

/// What each affiliate is owed stands on one line of the file, with the receiver and the reference of its item.
#[tokio::test(flavor = "multi_thread")]
async fn the_frozen_file_holds_each_item_once() {
    let mut world = with_dropzone().await;
    for name in ["a", "o'brien", "d"] {
        world.owe(&format!("{name}@example.com"), &["10.00", "2.50"]).await;
    }
    let batch = prepare(&world).await[0];
    let mut tx = world.tx().await;
    let mut content = Vec::new();
    while let Some(part) = files::input_part(&mut tx, batch, i32::try_from(content.len()).unwrap()).await.unwrap() {
        content.push(part);
    }
    let content = content.concat();
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(&content[..]);
    let mut lines: Vec<Vec<String>> =
        reader.records().map(|line| line.unwrap().iter().map(str::to_owned).collect()).collect();
    let head = lines.remove(0);
    assert_eq!(head[..4], ["PAYOUT_SUMMARY", "37.50", "USD", "3"]);

    let mut items: Vec<(String, String, String)> = sqlx::query_as(
        "select receiver, amount::text, sender_item_id from payout_items where merchant_id = $1 and batch_id = $2",
    )
    .bind(world.merchant)
    .bind(batch)
    .fetch_all(&mut *tx)
    .await
    .unwrap();
    let mut read: Vec<_> = lines.into_iter().map(|line| (line[1].clone(), line[2].clone(), line[4].clone())).collect();
    items.sort();
    read.sort();
    assert_eq!(read, items);
}
