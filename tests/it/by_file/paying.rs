//! A file from the review to its Final report.

use super::{pay, round, until, until_stage, with_dropzone};
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
