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
    let (world, stage) = crashed_at(place, pick_up).await;
    let _restarted = stage.serve();
    converge(&world).await;
    world
}

async fn crashed_at(place: &str, pick_up: StdDuration) -> (World, Stage) {
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
    (world, stage)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_around_an_upload_pays_once() {
    for place in ["file_claimed", "before_put", "after_put", "before_noting", "after_noting"] {
        let world = crash_at(place, PICK_UP / 8).await;
        everybody_was_paid_once(&world, 8).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_in_the_middle_of_an_upload_puts_the_same_file_again() {
    for place in ["put_begun", "mid_put"] {
        let world = crash_at(place, PICK_UP).await;
        everybody_was_paid_once(&world, 8).await;
        let files = world.door("dropzone").await["files"].as_array().unwrap().len();
        assert_eq!(files, 1, "one name, one file: {place}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_half_file_that_paypal_took_is_in_doubt_and_frees_nothing() {
    let (world, stage) = crashed_at("put_begun", StdDuration::from_millis(50)).await;
    tokio::time::sleep(StdDuration::from_millis(500)).await;
    let _restarted = stage.serve();
    for _ in 0..100 {
        if world.in_state("stuck").await == 1 {
            break;
        }
        tokio::time::sleep(StdDuration::from_millis(200)).await;
        world.advance(time::Duration::minutes(2));
    }
    assert_eq!(world.standings().await, [("unknown".to_owned(), 8)].into());
    assert_eq!(world.in_state("stuck").await, 1);
    assert!(world.paid().await.is_empty());
    world.check().await;
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
    for seed in 0..2_u64 {
        let mut random = rand::rngs::StdRng::seed_from_u64(seed);
        let world = owing(PICK_UP).await;
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
        everybody_was_paid_once(&world, 8).await;
    }
}
