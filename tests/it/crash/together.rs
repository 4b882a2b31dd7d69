//! Several instances over one database.

use super::{Stage, converge, everybody_was_paid_once};
use crate::support::world::World;
use nix::sys::signal::Signal;

const CURRENCIES: [&str; 12] = ["AUD", "CAD", "CHF", "CZK", "DKK", "EUR", "GBP", "HUF", "JPY", "NOK", "SEK", "USD"];

async fn many_batches() -> World {
    let mut world = World::connected().await;
    for currency in CURRENCIES {
        world.owe_in(currency, &format!("a.{currency}@example.com"), &["10", "20"]).await;
    }
    assert_eq!(world.pay_all().await.len(), CURRENCIES.len());
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn two_instances_beside_each_other_pay_every_batch_once() {
    let world = many_batches().await;
    let stage = Stage::of(&world);
    let _both = (stage.serve(), stage.serve());
    converge(&world).await;
    everybody_was_paid_once(&world, 24).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_instance_takes_over_from_another_that_was_killed() {
    let world = many_batches().await;
    let stage = Stage::of(&world);
    let mut first = stage.serve();
    let _second = stage.serve();
    first.wait_for_line("is handed to PayPal");
    first.end_by(Signal::SIGKILL);
    converge(&world).await;
    everybody_was_paid_once(&world, 24).await;
}
