//! The database stops while money is on its way, at once or for a while.

use super::{Stage, converge, everybody_was_paid_once};
use crate::support::program::{DataFolder, Program, RunAs};
use crate::support::world::World;
use nix::sys::signal::{Signal, kill};
use serde_json::json;
use std::time::Duration as StdDuration;
use stipend::connection::Outcome;
use stipend::database::Database;
use stipend::database::local::{LocalPostgres, Purpose};

/// A world on a server of its own.
async fn own_server() -> (World, DataFolder, LocalPostgres) {
    let folder = DataFolder::new(RunAs::Us);
    let server = LocalPostgres::start(&folder.path(), Purpose::Keep).await.unwrap();
    let database = Database::connect(&server.url()).await.unwrap();
    database.migrate().await.unwrap();
    let world = World::on(database, server.url(), None).await;
    assert_eq!(world.connect("demo-client", "demo-secret").await, Outcome::Ready);
    (world, folder, server)
}

async fn answers(program: &Program, status: u16) {
    for _ in 0..600 {
        if program.get("/readyz").await.0 == status {
            return;
        }
        tokio::time::sleep(StdDuration::from_millis(50)).await;
    }
    panic!("/readyz never answered {status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_restarts_at_once_loses_nothing() {
    let (mut world, folder, _server) = own_server().await;
    for currency in ["USD", "EUR", "GBP", "CHF"] {
        world.owe_in(currency, &format!("a.{currency}@example.com"), &["10.00"]).await;
    }
    let stage = Stage::of(&world);
    world.pay_all().await;
    let mut program = stage.serve();
    for _ in 0..3 {
        program.wait_for_line("is handed to PayPal");
        let postmaster = folder.postmaster();
        kill(postmaster, Signal::SIGQUIT).unwrap();
        crate::support::program::eventually("the server runs again", || {
            folder.pg().join("postmaster.pid").exists() && folder.postmaster() != postmaster
        });
        answers(&program, 200).await;
    }
    converge(&world).await;
    everybody_was_paid_once(&world, 4).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_in_hand_outlives_a_database_that_is_gone() {
    let (mut world, folder, server) = own_server().await;
    world.owe("a..b@example.com", &["10.00"]).await;
    // PayPal refuses this address, after a while in which the database goes.
    world.fault(json!({"call": "create", "what": "delay", "ms": 10_000})).await;
    // The server has to be gone before the answer comes: nothing it does in its last moments may wait for a busy disk.
    for hurry in ["alter system set fsync = off", "select pg_reload_conf()", "checkpoint"] {
        sqlx::query(hurry).execute(world.app.database.pool()).await.unwrap();
    }
    let stage = Stage::of(&world);
    let batch = world.pay_all().await[0];
    let mut program = stage.serve();
    program.wait_for_line("is handed to PayPal");
    // A call is counted when it is answered; the rule tells that it has arrived.
    while world.door("faults").await[0]["fired"] != 1 {
        tokio::time::sleep(StdDuration::from_millis(20)).await;
    }
    server.stop().await;
    program.wait_for_line("PayPal's answer waits");
    answers(&program, 503).await;
    let _again = LocalPostgres::start(&folder.path(), Purpose::Keep).await.unwrap();
    answers(&program, 200).await;
    converge(&world).await;
    let (state, why) = world.batch(batch).await;
    assert_eq!((state.as_str(), why.as_deref()), ("refused", Some("VALIDATION_ERROR")), "what was certain stays so");
    assert_eq!(world.standings().await["owed"], 1);
    assert_eq!(world.calls("create").await, 1);
    world.check().await;
}
