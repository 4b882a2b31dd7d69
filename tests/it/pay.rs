//! From what is due to what has arrived.

use crate::support::world::{World, dec, everything};

use stipend::money::Currency;
use stipend::payout::draft::{DraftError, How, draft};
use stipend::payout::review;
use stipend::payout::selection::{DueRow, Ticked};
use time::Duration;

#[tokio::test]
async fn every_selected_affiliate_is_paid_once() {
    let mut world = World::connected().await;
    world.owe("a@example.com", &["10.00", "2.50"]).await;
    world.owe("b@example.com", &["7.25"]).await;
    world.owe_in("EUR", "b@example.com", &["3.00"]).await;
    world.owe_in("JPY", "c@example.com", &["1200"]).await;
    let batches = world.pay_all().await;
    assert_eq!(batches.len(), 3, "one batch per currency");
    world.settle().await;
    let paid = world.paid().await;
    assert_eq!(paid["a@example.com"], (1, dec("12.50")));
    assert_eq!(paid["b@example.com"], (2, dec("10.25")));
    assert_eq!(paid["c@example.com"], (1, dec("1200")));
    assert_eq!(world.standings().await["paid"], 5);
    assert_eq!(world.calls("create").await, 3);
    world.check().await;
}

#[tokio::test]
async fn the_same_form_twice_pays_once() {
    let mut world = World::connected().await;
    world.owe("a@example.com", &["10.00"]).await;
    let ask = world.review(&everything(), How::PayPal).await;
    let (first, second) =
        tokio::join!(draft(&world.app, world.merchant, &ask), draft(&world.app, world.merchant, &ask));
    assert_eq!(first.unwrap(), second.unwrap());
    world.settle().await;
    assert_eq!(draft(&world.app, world.merchant, &ask).await.unwrap().len(), 1);
    world.settle().await;
    assert_eq!(world.paid().await["a@example.com"], (1, dec("10.00")));
    let manual = stipend::payout::draft::Ask { how: How::Manual { reference: "check 7".into() }, ..ask };
    assert!(matches!(draft(&world.app, world.merchant, &manual).await, Err(DraftError::AskedOtherwise)));
    world.check().await;
}

#[tokio::test]
async fn two_people_with_overlapping_selections_pay_each_commission_once() {
    let mut world = World::connected().await;
    world.owe("a@example.com", &["10.00"]).await;
    world.owe("b@example.com", &["20.00"]).await;
    let row = DueRow { affiliate: world.affiliates["a@example.com"], currency: Currency::USD };
    let only_a = world.review(&Ticked::These { rows: vec![row], commissions: vec![] }, How::PayPal).await;
    let both = world.review(&everything(), How::PayPal).await;
    let (one, two) = tokio::join!(draft(&world.app, world.merchant, &only_a), draft(&world.app, world.merchant, &both));
    assert!(one.is_ok() != two.is_ok(), "one of the two is told that it came too late");
    assert!(matches!([one, two].into_iter().find_map(Result::err), Some(DraftError::Changed)));
    world.settle().await;
    world.check().await;
    assert_eq!(world.paid().await["a@example.com"].0, 1);
}

#[tokio::test]
async fn what_was_cancelled_since_the_review_is_asked_again() {
    let mut world = World::connected().await;
    let ids = world.owe("a@example.com", &["10.00", "5.00"]).await;
    let ask = world.review(&everything(), How::PayPal).await;
    let mut tx = world.tx().await;
    sqlx::query(
        "with gone as (delete from owed where merchant_id = $1 and commission_id = $2)
        update commissions set cancelled_at = $3 where merchant_id = $1 and id = $2",
    )
    .bind(world.merchant)
    .bind(ids[0])
    .bind(world.app.clock.now())
    .execute(&mut *tx)
    .await
    .unwrap();
    tx.commit().await.unwrap();
    assert!(matches!(draft(&world.app, world.merchant, &ask).await, Err(DraftError::Changed)));
    world.settle().await;
    assert_eq!(world.bank().await["batches"].as_array().unwrap().len(), 0);
    assert_eq!(world.standings().await["owed"], 1);
}

#[tokio::test]
async fn a_changed_address_is_asked_again() {
    let mut world = World::connected().await;
    world.owe("a@example.com", &["10.00"]).await;
    let ask = world.review(&everything(), How::PayPal).await;
    let mut tx = world.tx().await;
    sqlx::query("update affiliates set paypal_email = 'new@example.com' where merchant_id = $1")
        .bind(world.merchant)
        .execute(&mut *tx)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert!(matches!(draft(&world.app, world.merchant, &ask).await, Err(DraftError::Changed)));
    world.settle().await;
    assert!(world.paid().await.is_empty());
}

#[tokio::test]
async fn failed_and_returned_money_is_due_again_and_held_money_is_not() {
    let mut world = World::connected().await;
    for who in ["good", "failed", "unregistered", "blocked", "refunded", "onhold", "pending"] {
        world.owe(&format!("{who}@example.com"), &["10.00"]).await;
    }
    world.pay_all().await;
    world.settle().await;
    let standings = world.standings().await;
    assert_eq!(standings["owed"], 1, "the failed one: {standings:?}");
    assert_eq!(standings["needs_a_person"], 1, "the blocked one");
    assert_eq!(standings["paying"], 3, "unclaimed, on hold and pending");
    assert_eq!(standings["paid"], 2, "good, and the one that will be refunded");
    world.check().await;

    for _ in 0..40 {
        world.advance(Duration::days(1));
        world.work().await;
    }
    let standings = world.standings().await;
    assert_eq!(standings["owed"], 3, "unclaimed and held money came back: {standings:?}");
    assert_eq!(standings["needs_a_person"], 3, "blocked, refunded, and pending for too long");
    world.check().await;
}

#[tokio::test]
async fn a_refused_address_is_named_and_the_rest_can_be_paid() {
    let mut world = World::connected().await;
    // Two dots in a row pass our own check; PayPal has the last word.
    world.owe("a..b@example.com", &["10.00"]).await;
    world.owe("c@example.com", &["20.00"]).await;
    let batch = world.pay_all().await[0];
    world.settle().await;
    let (state, why) = world.batch(batch).await;
    assert_eq!((state.as_str(), why.as_deref()), ("refused", Some("VALIDATION_ERROR")));
    assert_eq!(world.standings().await["owed"], 2);
    let mut tx = world.tx().await;
    let request = stipend::payout::again::select_unpaid(&mut tx, &world.actor(), batch, None, world.today())
        .await
        .unwrap()
        .unwrap();
    let rest = review::load(&mut tx, request, (0, 200), world.app.clock.now()).await.unwrap().unwrap();
    assert_eq!(rest.lines.len(), 1);
    assert_eq!(rest.lines[0].line.receiver.as_deref(), Some("c@example.com"));
    tx.commit().await.unwrap();
    let ask = stipend::payout::draft::Ask {
        request,
        actor: world.actor(),
        how: How::PayPal,
        subject: String::new(),
        message: String::new(),
        seen: rest.seen(),
    };
    draft(&world.app, world.merchant, &ask).await.unwrap();
    world.settle().await;
    assert_eq!(world.paid().await["c@example.com"], (1, dec("20.00")));
    world.check().await;
}

#[tokio::test]
async fn fifteen_thousand_items_are_one_batch_and_one_more_is_two() {
    let world = World::connected().await;
    world.owe_many(15_001).await;
    let batches = world.pay_all().await;
    assert_eq!(batches.len(), 2);
    for _ in 0..5 {
        world.work().await;
        world.advance(Duration::seconds(5));
    }
    assert_eq!(world.standings().await["paid"], 15_001);
    assert_eq!(world.calls("create").await, 2);
    world.check().await;
}

#[tokio::test]
async fn a_manual_payment_never_calls_paypal() {
    let mut world = World::new().await;
    world.owe("a@example.com", &["10.00"]).await;
    world.owe("not an address", &["5.00"]).await;
    let ticked = Ticked::AllBut { filter: Default::default(), except: vec![], payable_only: false };
    world.try_pay(&ticked, How::Manual { reference: "bank transfer 12".into() }).await.unwrap();
    world.settle().await;
    assert_eq!(world.standings().await["paid"], 2);
    assert_eq!(world.calls("create").await, 0);
    assert_eq!(world.calls("token").await, 0);
}
