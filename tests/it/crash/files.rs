//! The file rail: killed at every place of the upload and of what follows it, and at random moments.

use super::{Stage, converge, everybody_was_paid_once};
use crate::by_file::{connect, pay};
use crate::support::world::World;
use nix::sys::signal::Signal;
use rand::{Rng, SeedableRng};
use std::os::unix::process::ExitStatusExt;
use std::time::Duration as StdDuration;

/// Long enough for a restarted instance to put the rest of a file before PayPal takes the half of it.
const PICK_UP: StdDuration = StdDuration::from_secs(8);

async fn owing(pick_up: StdDuration) -> World {
    let mut world = World::picking_up_after(pick_up).await;
    connect(&world).await;
    for who in ["a", "b", "c", "d"] {
        world.owe(&format!("{who}@example.com"), &["10.00", "2.50"]).await;
    }
    world
}

async fn crash_at(place: &str, pick_up: StdDuration) -> World {
    let world = owing(pick_up).await;
    let stage = Stage::of(&world);
    pay(&world).await;
    let mut crashing = stage.serve_with(&[("STIPEND_CRASH_AT", place)]);
    for _ in 0..400 {
        if crashing.has_ended() {
            break;
        }
        tokio::time::sleep(StdDuration::from_millis(50)).await;
        world.advance(time::Duration::milliseconds(500));
    }
    assert_eq!(crashing.wait().signal(), Some(Signal::SIGABRT as i32), "it was to crash at {place}");
    let _restarted = stage.serve();
    converge(&world).await;
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_around_an_upload_pays_once() {
    for place in ["after_claim", "before_send", "after_send", "before_record", "after_record"] {
        let world = crash_at(place, PICK_UP / 8).await;
        everybody_was_paid_once(&world, 8).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_in_the_middle_of_an_upload_puts_the_same_file_again() {
    for place in ["mid_send", "mid_put"] {
        let world = crash_at(place, PICK_UP).await;
        everybody_was_paid_once(&world, 8).await;
        let files = world.door("dropzone").await["files"].as_array().unwrap().len();
        assert_eq!(files, 1, "one name, one file: {place}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_half_file_that_paypal_took_is_in_doubt_and_frees_nothing() {
    let world = crash_at("mid_send", StdDuration::from_millis(50)).await;
    let standings = world.standings().await;
    assert!(
        standings == [("unknown".to_owned(), 8)].into() || standings == [("paid".to_owned(), 8)].into(),
        "{standings:?}"
    );
    for (payments, _) in world.paid().await.values() {
        assert!(*payments <= 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_while_a_report_is_kept_or_applied_loses_none() {
    for place in ["before_report", "after_report", "mid_report"] {
        let world = crash_at(place, PICK_UP / 8).await;
        everybody_was_paid_once(&world, 8).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_at_any_moment_pays_a_file_once() {
    for seed in 0..3_u64 {
        let mut random = rand::rngs::StdRng::seed_from_u64(seed);
        let world = owing(StdDuration::from_secs(2)).await;
        let stage = Stage::of(&world);
        pay(&world).await;
        for _ in 0..5 {
            let mut program = stage.serve();
            tokio::time::sleep(StdDuration::from_millis(random.random_range(0..900))).await;
            world.advance(time::Duration::seconds(random.random_range(0..8)));
            program.end_by(Signal::SIGKILL);
        }
        let _restarted = stage.serve();
        converge(&world).await;
        let standings = world.standings().await;
        assert!(["paid", "unknown"].iter().any(|word| standings.get(*word) == Some(&8)), "seed {seed}: {standings:?}");
        for (payments, _) in world.paid().await.values() {
            assert!(*payments <= 1, "seed {seed}");
        }
    }
}
