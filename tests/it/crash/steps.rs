//! A crash after each of the six steps, at each of the named places, and at random moments.

use super::{Stage, converge, everybody_was_paid_once};
use crate::support::site::app_on;
use crate::support::world::{World, everything};
use nix::sys::signal::Signal;
use rand::{Rng, SeedableRng};
use serde_json::json;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::time::Duration as StdDuration;
use stipend::audit::Actor;
use stipend::clock::Clock;
use stipend::database::Database;
use stipend::payout::cancel;
use stipend::payout::draft::{Ask, How, draft};

async fn crash_at(place: &str, fault: Option<serde_json::Value>) {
    let mut world = World::connected().await;
    for who in ["a", "b", "c"] {
        world.owe(&format!("{who}@example.com"), &["10.00", "2.50"]).await;
    }
    if let Some(fault) = fault {
        world.fault(fault).await;
    }
    let stage = Stage::of(&world);
    world.pay_all().await;
    let mut crashing = stage.serve_with(&[("STIPEND_CRASH_AT", place)]);
    for _ in 0..300 {
        if crashing.has_ended() {
            break;
        }
        tokio::time::sleep(StdDuration::from_millis(50)).await;
        world.advance(time::Duration::milliseconds(500));
    }
    assert_eq!(crashing.wait().signal(), Some(Signal::SIGABRT as i32), "it was to crash at {place}");
    let _restarted = stage.serve();
    converge(&world).await;
    everybody_was_paid_once(&world, 6).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_while_sending_pays_once() {
    for place in ["after_claim", "before_send", "after_send", "before_record", "after_record"] {
        crash_at(place, None).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_while_adopting_what_paypal_has_already_pays_once() {
    crash_at("mid_adopt", Some(json!({"call": "create", "what": "cut_after"}))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_while_reading_pays_once() {
    for place in ["mid_page", "before_settle", "after_settle"] {
        crash_at(place, None).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_while_an_event_is_kept_pays_once() {
    for place in ["before_event", "after_event"] {
        crash_at(place, None).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_between_two_pages_loses_none() {
    let world = World::connected().await;
    world.owe_many(1_500).await;
    let stage = Stage::of(&world);
    world.pay_all().await;
    let before = world.calls("show_batch").await;
    let mut crashing = stage.serve_with(&[("STIPEND_CRASH_AT", "mid_page")]);
    assert_eq!(crashing.wait().signal(), Some(Signal::SIGABRT as i32));
    assert_eq!(world.calls("show_batch").await, before + 1, "the second page was not asked for");
    let _restarted = stage.serve();
    converge(&world).await;
    everybody_was_paid_once(&world, 1_500).await;
}

/// Makes a draft and crashes after it; only [`a_crash_after_the_draft_pays_once`] runs it.
#[tokio::test]
#[ignore = "run by another test, in a process of its own"]
async fn draft_and_crash() {
    let told = |name: &str| std::env::var(name).unwrap();
    let database = Database::connect(&told("DRAFT_DATABASE")).await.unwrap();
    let app = app_on(database, Some("http://127.0.0.1:9".into()), Clock::system());
    let merchant = told("DRAFT_MERCHANT").parse().unwrap();
    let ask = Ask {
        request: told("DRAFT_REQUEST").parse().unwrap(),
        actor: Actor { person: None, address: None, at: app.clock.now() },
        how: How::PayPal,
        subject: told("DRAFT_SUBJECT"),
        message: String::new(),
        seen: hex::decode(told("DRAFT_SEEN")).unwrap().try_into().unwrap(),
    };
    draft(&app, merchant, &ask).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_after_the_draft_pays_once() {
    let mut world = World::connected().await;
    world.owe("a@example.com", &["10.00"]).await;
    let ask = world.review(&everything(), How::PayPal).await;
    let crashed = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "crash::steps::draft_and_crash"])
        .env("STIPEND_CRASH_AT", "after_draft")
        .env("DRAFT_DATABASE", &world.site.database_url)
        .env("DRAFT_MERCHANT", world.merchant.to_string())
        .env("DRAFT_REQUEST", ask.request.to_string())
        .env("DRAFT_SUBJECT", &ask.subject)
        .env("DRAFT_SEEN", hex::encode(ask.seen))
        .output()
        .unwrap();
    assert_eq!(crashed.status.signal(), Some(Signal::SIGABRT as i32), "{crashed:?}");
    let stage = Stage::of(&world);
    let _running = stage.serve();
    let again = draft(&world.app, world.merchant, &ask).await.unwrap();
    assert_eq!(again.len(), 1, "the same form finds the batch that was drafted");
    converge(&world).await;
    everybody_was_paid_once(&world, 1).await;
    assert_eq!(world.bank().await["batches"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_at_any_moment_pays_once() {
    for seed in 0..4_u64 {
        let mut random = rand::rngs::StdRng::seed_from_u64(seed);
        let mut world = World::connected().await;
        for currency in ["USD", "EUR", "GBP"] {
            for who in ["a", "b"] {
                world.owe_in(currency, &format!("{who}.{currency}@example.com"), &["10.00"]).await;
            }
        }
        let stage = Stage::of(&world);
        world.pay_all().await;
        for _ in 0..5 {
            let mut program = stage.serve();
            tokio::time::sleep(StdDuration::from_millis(random.random_range(0..900))).await;
            world.advance(time::Duration::seconds(random.random_range(0..8)));
            program.end_by(Signal::SIGKILL);
        }
        let _restarted = stage.serve();
        converge(&world).await;
        everybody_was_paid_once(&world, 6).await;
    }
}

/// An unclaimed item is taken back, and the instance that asks PayPal for it crashes before or after it has asked.
#[tokio::test(flavor = "multi_thread")]
async fn a_crash_while_taking_back_leaves_the_money_in_one_place() {
    for place in ["before_cancel", "after_cancel"] {
        let mut world = World::connected().await;
        world.owe("unregistered@example.com", &["10.00", "2.50"]).await;
        let batch = world.pay_all().await[0];
        world.settle().await;
        cancel::ask(&world.app, world.merchant, &world.actor(), batch, None).await.unwrap().unwrap();
        let stage = Stage::of(&world);
        let mut crashing = stage.serve_with(&[("STIPEND_CRASH_AT", place)]);
        assert_eq!(crashing.wait().signal(), Some(Signal::SIGABRT as i32), "it was to crash at {place}");
        assert_eq!(world.standings().await.get("paying"), Some(&2), "nothing was read yet");
        let _restarted = stage.serve();
        for _ in 0..100 {
            if world.standings().await.get("owed") == Some(&2) {
                break;
            }
            tokio::time::sleep(StdDuration::from_millis(100)).await;
            world.advance(time::Duration::seconds(2));
        }
        assert_eq!(world.standings().await.get("owed"), Some(&2), "{place}");
        assert_eq!(world.paid().await["unregistered@example.com"].0, 0, "{place}");
        world.check().await;
    }
}
