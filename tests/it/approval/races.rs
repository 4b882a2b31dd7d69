//! Two at once.

use super::{ask, office};
use crate::rules::save;
use crate::support::world::{World, dec};
use stipend::audit::Actor;
use stipend::id::{PersonId, RequestId};
use stipend::money::Currency;
use stipend::payout::approval::{self, Refused, State};
use stipend::payout::draft::{DraftError, How, draft};
use stipend::payout::selection::{DueRow, Ticked};
use stipend::role::Role;

#[tokio::test(flavor = "multi_thread")]
async fn of_two_who_approve_at_once_one_does() {
    let mut world = World::connected().await;
    let (ann, ..) = office(&world).await;
    let bob = world.site.person("bob@example.com", "Acme", Role::Approver).await;
    let eve = world.site.person("eve@example.com", "Acme", Role::Admin).await;
    world.site.with_factor("eve@example.com").await;
    for round in 0..6 {
        world.owe("ada@example.com", &["150.00"]).await;
        let page = ask(&ann, "paypal").await;
        let request: RequestId = page.url.trim_start_matches("/approvals/").parse().unwrap();
        let content = hex::decode(&page.body.split("<code>").last().unwrap()[..64]).unwrap();
        let approve = async |person: PersonId| {
            let actor = Actor { person: Some(person), address: None, at: world.app.clock.now() };
            approval::approve(&world.app, world.merchant, &actor, request, &content).await.unwrap()
        };
        let (one, two) = tokio::join!(approve(bob), approve(eve));
        assert!(one.is_ok() != two.is_ok(), "round {round}: {one:?} {two:?}");
        assert_eq!(one.err().or(two.err()), Some(Refused::Ended(State::Approved)));
    }
    world.settle().await;
    assert_eq!(world.paid().await["ada@example.com"], (6, dec("900")));
    world.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_payments_that_together_are_too_much_for_a_day_one_is_made() {
    let mut world = World::connected().await;
    let ann = world.site.signed_in("ann@example.com").await;
    save(&ann, &[("per_day_USD", "100")]).await;
    world.owe("ada@example.com", &["60.00"]).await;
    world.owe("tom@example.com", &["60.00"]).await;
    let row = |email: &str| Ticked::These {
        rows: vec![DueRow { affiliate: world.affiliates[email], currency: Currency::USD }],
        commissions: vec![],
    };
    let ada = world.review(&row("ada@example.com"), How::PayPal).await;
    let tom = world.review(&row("tom@example.com"), How::PayPal).await;
    let (one, two) = tokio::join!(draft(&world.app, world.merchant, &ada), draft(&world.app, world.merchant, &tom));
    assert!(one.is_ok() != two.is_ok(), "{one:?} {two:?}");
    let over = one.err().or(two.err()).unwrap();
    assert!(matches!(&over, DraftError::OverLimit(why) if why[0].contains("USD 40.00 of it is left today")), "{over}");
    world.settle().await;
    assert_eq!(world.paid().await.len(), 1);
    world.check().await;
}

/// What waits for approval counts for the day of its approval, and is refused then if the day has no room; it waits on.
#[tokio::test]
async fn an_approval_keeps_the_days_limit_too() {
    let mut world = World::connected().await;
    let (ann, bob, _) = office(&world).await;
    save(&ann, &[("approval_above_USD", "100"), ("per_day_USD", "200")]).await;
    world.owe("ada@example.com", &["150.00"]).await;
    let at = ask(&ann, "paypal").await.url;
    world.owe("tom@example.com", &["60.00"]).await;
    world.pay_all().await;
    let over = super::approve(&bob, &at).await.text();
    assert!(over.contains("USD 140.00 of it is left today") && over.contains("it waits on"), "{over}");
    world.settle().await;
    assert_eq!(world.paid().await.len(), 1);
    world.advance(time::Duration::days(1));
    let bob = world.site.signed_in("bob@example.com").await;
    super::approve(&bob, &at).await;
    world.settle().await;
    assert_eq!(world.paid().await["ada@example.com"].0, 1);
    world.check().await;
}
