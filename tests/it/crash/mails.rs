//! A crash between writing a mail and sending it, and between sending it and knowing so.

use super::{Stage, converge};
use crate::support::letters::Letters;
use crate::support::world::World;
use nix::sys::signal::Signal;
use rand::{Rng, SeedableRng};
use std::os::unix::process::ExitStatusExt;
use std::time::Duration as StdDuration;
use time::Duration;

/// Waits, with time passing, until no mail waits; then each was sent once, and is one file.
async fn everybody_was_told_once(world: &World, letters: &Letters, people: usize) {
    let mut states: Vec<(String, i64)> = Vec::new();
    for _ in 0..300 {
        let mut tx = world.tx().await;
        let counts = sqlx::query_as("select state, count(*) from mails where merchant_id = $1 group by 1");
        states = counts.bind(world.merchant).fetch_all(&mut *tx).await.unwrap();
        if states == [("sent".to_owned(), i64::try_from(people).unwrap())] {
            break;
        }
        tokio::time::sleep(StdDuration::from_millis(100)).await;
        // A lease that its holder took to the grave has to lapse.
        world.advance(Duration::seconds(30));
    }
    assert_eq!(states, [("sent".to_owned(), i64::try_from(people).unwrap())]);
    let mut told: Vec<String> = letters.all().iter().map(|letter| letter.to().to_owned()).collect();
    assert_eq!(told.len(), people);
    told.dedup();
    assert_eq!(told.len(), people, "{told:?}");
    world.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_around_the_sending_of_a_mail_loses_none_and_doubles_none() {
    for place in ["mail_claimed", "mail_handed_over"] {
        let letters = Letters::folder();
        let mut world = World::connected().await;
        for who in ["a", "b", "c"] {
            world.owe(&format!("{who}@example.com"), &["10.00"]).await;
        }
        let stage = Stage::of(&world);
        let folder = letters.path().display().to_string();
        let mut crashing = stage.serve_with(&[("STIPEND_CRASH_AT", place), ("STIPEND_MAIL_FOLDER", &folder)]);
        world.pay_all().await;
        for _ in 0..300 {
            if crashing.has_ended() {
                break;
            }
            tokio::time::sleep(StdDuration::from_millis(50)).await;
            world.advance(Duration::milliseconds(500));
        }
        assert_eq!(crashing.wait().signal(), Some(Signal::SIGABRT as i32), "it was to crash at {place}");
        let _restarted = stage.serve_with(&[("STIPEND_MAIL_FOLDER", &folder)]);
        converge(&world).await;
        everybody_was_told_once(&world, &letters, 3).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_at_any_moment_tells_everybody_once() {
    let mut random = rand::rngs::StdRng::seed_from_u64(7);
    let letters = Letters::folder();
    let world = World::connected().await;
    world.owe_many(120).await;
    let stage = Stage::of(&world);
    let folder = letters.path().display().to_string();
    let settings = [("STIPEND_MAIL_FOLDER", folder.as_str())];
    drop(stage.serve_with(&settings)); // the first start says that mails leave
    world.pay_all().await;
    for _ in 0..5 {
        let mut program = stage.serve_with(&settings);
        tokio::time::sleep(StdDuration::from_millis(random.random_range(100..1200))).await;
        world.advance(Duration::seconds(random.random_range(0..8)));
        program.end_by(Signal::SIGKILL);
    }
    let _restarted = stage.serve_with(&settings);
    converge(&world).await;
    everybody_was_told_once(&world, &letters, 120).await;
}
