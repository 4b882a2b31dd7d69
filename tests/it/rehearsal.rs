//! Rehearsing: the application's time is the simulator's.

use crate::support::program::{Program, RunAs, program};
use nix::sys::signal::Signal;
use std::time::Duration;
use stipend::clock::Clock;
use stipend::rehearsal::Rehearsal;
use tokio_util::sync::CancellationToken;

async fn move_clock(simulator: &str, offset_seconds: i64) {
    let address = format!("{simulator}/_simulator/clock");
    let moved = reqwest::Client::builder().build().unwrap().post(address);
    let moved = moved.json(&serde_json::json!({"offset_seconds": offset_seconds})).send().await.unwrap();
    assert!(moved.status().is_success(), "{moved:?}");
}

async fn until_offset(clock: &Clock, seconds: i64) {
    let reached = async {
        while clock.offset() != time::Duration::seconds(seconds) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), reached).await.expect("the clock follows");
}

#[tokio::test]
async fn days_pass_for_the_application_when_they_pass_at_the_simulator() {
    let mut command = program(RunAs::Us);
    command.args(["paypal-simulator", "--listen", "127.0.0.1:0", "--account", "id:secret"]);
    let mut paypal = Program::spawn(command);
    let line = paypal.wait_for_line("listening on ");
    let simulator = line.rsplit(' ').next().unwrap().trim_end_matches('/').to_owned();
    move_clock(&simulator, 28 * 86_400).await;

    let (clock, shutdown) = (Clock::system(), CancellationToken::new());
    let http = reqwest::Client::builder().build().unwrap();
    let rehearsal = Rehearsal { http, clock: clock.clone(), simulator: simulator.clone() };
    rehearsal.join(&shutdown).await;
    assert_eq!(clock.offset(), time::Duration::days(28), "nothing happens before the time is known");

    let following = tokio::spawn(rehearsal.follow(shutdown.clone()));
    move_clock(&simulator, 60 * 86_400).await;
    until_offset(&clock, 60 * 86_400).await;
    paypal.end_by(Signal::SIGKILL);
    assert_eq!(clock.offset(), time::Duration::days(60), "time does not jump back when the simulator is away");
    shutdown.cancel();
    following.await.unwrap();
}
