//! Money that came back, or was stopped, waits for a person, and for nothing else.

use super::{at_paypal, column, days, item_of, paid_to};
use crate::support::world::World;
use stipend::id::{BatchId, ItemId};
use stipend::payout::decide::{Decision, Undecided, decide};
use stipend::payout::manual::TooLate;
use stipend::verify::{Invariant, verify};
use time::Duration;

async fn say(world: &World, batch: BatchId, item: ItemId, decision: Decision) -> Result<(), Undecided> {
    decide(&world.app, world.merchant, &world.actor(), (batch, item), decision, "we agreed so").await.unwrap()
}

const TOO_LATE: Result<(), Undecided> = Err(Undecided::TooLate(TooLate));

#[tokio::test]
async fn refunded_money_is_due_again_when_a_person_says_so_and_then_paid_once() {
    for receiver in ["refunded", "reversed"] {
        let (world, batch) = paid_to(&[receiver]).await;
        days(&world, 2).await;
        assert_eq!(world.standings().await["needs_a_person"], 2);
        let item = item_of(&world, receiver).await;
        days(&world, 40).await;
        assert_eq!(world.standings().await["needs_a_person"], 2, "no time decides");
        assert_eq!(say(&world, batch, item, Decision::DueAgain).await, Ok(()));
        assert_eq!(world.standings().await["owed"], 2);
        assert_eq!(column(&world, item, "decided_why").await.as_deref(), Some("we agreed so"));
        assert_eq!(say(&world, batch, item, Decision::DueAgain).await, TOO_LATE);
        assert_eq!(say(&world, batch, item, Decision::WrittenOff).await, TOO_LATE, "it may be paid again by now");
        world.check().await;
        world.pay_all().await;
        world.settle().await;
        assert_eq!(world.standings().await["paid"], 2);
        world.check().await;
    }
}

#[tokio::test]
async fn what_was_written_off_is_not_due_until_a_person_takes_that_back() {
    let (world, batch) = paid_to(&["refunded"]).await;
    days(&world, 2).await;
    let item = item_of(&world, "refunded").await;
    assert_eq!(say(&world, batch, item, Decision::WrittenOff).await, Ok(()));
    assert_eq!(world.standings().await["written_off"], 2);
    world.check().await;
    days(&world, 20).await;
    assert_eq!(world.standings().await["written_off"], 2);
    assert_eq!(say(&world, batch, item, Decision::WrittenOff).await, TOO_LATE);
    assert_eq!(say(&world, batch, item, Decision::DueAgain).await, Ok(()));
    assert_eq!(world.standings().await["owed"], 2);
    world.check().await;
}

#[tokio::test]
async fn blocked_money_is_due_again_only_after_a_second_look() {
    let (world, batch) = paid_to(&["blocked"]).await;
    let item = item_of(&world, "blocked").await;
    assert_eq!(say(&world, batch, item, Decision::DueAgain).await, Err(Undecided::NotConfirmed));
    let looks = world.calls("show_batch").await;
    world.advance(Duration::hours(7));
    assert_eq!(say(&world, batch, item, Decision::DueAgain).await, Err(Undecided::NotConfirmed), "time is no look");
    world.work().await;
    assert_eq!(world.calls("show_batch").await, looks + 1);
    assert_eq!(say(&world, batch, item, Decision::DueAgain).await, Ok(()));
    assert_eq!(world.standings().await["owed"], 2);
    world.check().await;
}

#[tokio::test]
async fn nothing_else_is_for_a_person_to_decide() {
    let (world, batch) = paid_to(&["tom", "unregistered", "failed", "returned", "onhold", "pending"]).await;
    for receiver in ["tom", "unregistered", "failed", "returned", "onhold", "pending"] {
        let item = item_of(&world, receiver).await;
        for decision in [Decision::DueAgain, Decision::WrittenOff] {
            assert_eq!(say(&world, batch, item, decision).await, TOO_LATE, "{receiver}");
        }
    }
    world.check().await;
}

#[tokio::test]
async fn of_two_who_decide_at_once_one_does() {
    let (world, batch) = paid_to(&["refunded"]).await;
    days(&world, 2).await;
    let item = item_of(&world, "refunded").await;
    let (one, two) =
        tokio::join!(say(&world, batch, item, Decision::DueAgain), say(&world, batch, item, Decision::DueAgain));
    assert!(one.is_ok() != two.is_ok(), "{one:?} {two:?}");
    assert_eq!(world.standings().await["owed"], 2);
    world.check().await;
}

#[tokio::test]
async fn a_payment_sent_back_after_a_week_is_noticed_on_the_tenth_day() {
    let (world, batch) = paid_to(&["tom"]).await;
    days(&world, 7).await;
    at_paypal(&world, "tom", "REFUNDED").await;
    days(&world, 4).await;
    assert_eq!(world.standings().await["needs_a_person"], 2);
    let item = item_of(&world, "tom").await;
    assert_eq!(say(&world, batch, item, Decision::DueAgain).await, Ok(()));
    world.check().await;
}

#[tokio::test]
async fn the_database_frees_nothing_that_nobody_decided() {
    let (world, _) = paid_to(&["refunded", "tom"]).await;
    days(&world, 2).await;
    for receiver in ["refunded", "tom"] {
        let item = item_of(&world, receiver).await;
        let mut tx = world.tx().await;
        let freed = sqlx::query("update allocations set released_at = now() where merchant_id = $1 and item_id = $2")
            .bind(world.merchant)
            .bind(item)
            .execute(&mut *tx)
            .await;
        assert!(freed.unwrap_err().to_string().contains("is not here to be released"), "{receiver}");
        drop(tx);
        let mut tx = world.tx().await;
        let decided = sqlx::query("update payout_items set decided = 'due_again' where merchant_id = $1 and id = $2")
            .bind(world.merchant)
            .bind(item)
            .execute(&mut *tx)
            .await;
        assert!(decided.is_err(), "{receiver} was decided by nobody");
    }
    assert!(!verify(&world.app.database, None).await.unwrap().broken().contains(&Invariant::I3));
}
