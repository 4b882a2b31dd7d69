//! A payment that waits for approval, and processes that come and go.

use super::{Stage, converge, everybody_was_paid_once};
use crate::approval::{approve, ask, office};
use crate::support::world::World;
use nix::sys::signal::Signal;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_approval_is_sent_by_no_process_killed_or_started_anew() {
    let mut world = World::connected().await;
    let (ann, bob, _) = office(&world).await;
    world.owe("ada@example.com", &["150.00"]).await;
    let at = ask(&ann, "paypal").await.url;
    let stage = Stage::of(&world);
    for end in [Signal::SIGKILL, Signal::SIGTERM] {
        let mut process = stage.serve();
        tokio::time::sleep(Duration::from_millis(1500)).await;
        process.end_by(end);
    }
    assert_eq!((world.calls("create").await, world.paid().await.len()), (0, 0));
    approve(&bob, &at).await;
    let _process = stage.serve();
    converge(&world).await;
    everybody_was_paid_once(&world, 1).await;
}
