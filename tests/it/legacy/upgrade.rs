//! The merchant's own upgrade: the card, what is not offered meanwhile, every outcome of the check, and what is left.

use super::{everything_kept, in_force, legacy_world, no_canary};
use crate::support::world::everything;
use serde_json::json;
use stipend::payout::draft::{DraftError, How};
use stipend::role::Role;

const CARD: &str = "/integrations/payment";
const FORM: &str = "/integrations/payment/paypal";

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_swaps_once_paypal_has_confirmed_and_changes_nothing_before() {
    let mut world = legacy_world().await;
    world.owe("a@example.com", &["10.00"]).await;
    world.owe("b@example.com", &["12.00"]).await;
    let ann = world.site.signed_in("ann@example.com").await;
    let card = ann.open(CARD).await;
    for words in [
        "Active",
        "This connection uses PayPal’s old Mass Pay service. Upgrade it to keep paying.",
        "More Info",
        "Upgrade",
        "Disconnect",
    ] {
        assert!(card.text().contains(words), "{words}: {}", card.text());
    }
    let guide = ann.open("/integrations/payment/guide").await.text();
    assert!(guide.contains("What PayPal has changed") && guide.contains("Make the app"), "{guide}");

    // Paying by MassPay is not offered; what needs no connection is.
    let due = ann.open("/affiliate_payments/pay").await;
    assert!(due.text().contains("PayPal MassPay cannot pay") && due.text().contains("Upgrade it"), "{}", due.text());
    assert!(
        !due.body.contains("value=\"paypal\"")
            && due.body.contains("value=\"manual\"")
            && due.body.contains("value=\"export\"")
    );
    let refused = world.try_pay(&everything(), How::PayPal).await;
    assert!(matches!(refused, Err(DraftError::NoConnection)), "{refused:?}");
    let review = ann.submit(&due, "/affiliate_payments/selections", &[("all", "1"), ("how", "paypal")]).await;
    assert!(review.text().contains("through which nothing can be paid"), "{}", review.text());
    let review =
        ann.submit(&due, "/affiliate_payments/selections", &[("row", &row(&due.body)), ("how", "manual")]).await;
    let paid = ann.submit(&review, "/payouts", &[("reference", "bank 1")]).await;
    assert!(paid.text().contains("Marked as paid"), "{}", paid.text());

    for (client_id, secret, words) in [
        ("demo-client", "wrong", "PayPal does not recognise this Client ID and Secret"),
        ("no-payouts", "secret", "Payouts are not enabled on this app"),
        ("demo-client", "unreachable", "PayPal could not be reached"),
    ] {
        if secret == "unreachable" {
            world.fault(json!({"call": "token", "what": "cut_before"})).await;
        }
        let form = ann.open(FORM).await;
        let card = ann.submit(&form, FORM, &[("client_id", client_id), ("secret", secret)]).await;
        assert!(
            card.text().contains(words) && card.text().contains("Your connection is as it was."),
            "{words}: {}",
            card.text()
        );
        assert!(card.text().contains("Upgrade it to keep paying"), "the notice stays");
        assert_eq!(in_force(&world, world.merchant).await, (vec!["legacy_masspay".to_owned()], true), "{words}");
    }
    world.no_more_faults().await;
    no_canary(&everything_kept(&world).await);

    let form = ann.open(FORM).await;
    assert!(form.text().contains("Upgrade PayPal MassPay"));
    let card = ann.submit(&form, FORM, &[("client_id", "demo-client"), ("secret", "demo-secret")]).await;
    assert!(card.text().contains("Upgraded. Your next payment will use the new connection."), "{}", card.text());
    assert!(
        !card.text().contains("old Mass Pay service") && card.text().contains("May send payouts"),
        "{}",
        card.text()
    );
    assert_eq!(
        in_force(&world, world.merchant).await,
        (vec!["rest".to_owned()], false),
        "the legacy secrets are wiped"
    );
    world.audited("upgraded PayPal").await;
    let log = ann.open("/audit").await;
    no_canary(&log.body);
    no_canary(&card.body);
    let due = ann.open("/affiliate_payments/pay").await;
    assert!(due.body.contains("value=\"paypal\"") && !due.text().contains("cannot pay"), "{}", due.text());
    world.pay_all().await;
    world.settle().await;
    assert_eq!(world.standings().await.get("paid"), Some(&2));
    world.check().await;
}

/// The first row of the list.
fn row(body: &str) -> String {
    let after = body.split("name=\"row\" value=\"").nth(1).unwrap();
    after.split('"').next().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn only_an_admin_upgrades_and_everybody_sees_why_it_is_needed() {
    let world = legacy_world().await;
    world.site.person("vic@example.com", "Acme", Role::Approver).await;
    let vic = world.site.signed_in("vic@example.com").await;
    let card = vic.open(CARD).await.text();
    assert!(card.contains("Upgrade it to keep paying") && !card.contains("Disconnect PayPal"), "{card}");
    assert_eq!(vic.get("/integrations/payment/guide").await.status, 200);
    assert_eq!(vic.get(FORM).await.status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_connections_are_never_in_force_at_once() {
    let world = legacy_world().await;
    let mut tx = world.tx().await;
    let second = "insert into connections (merchant_id, id, kind, environment, client_id, secret, in_force, connected_at, checked_at, check_outcome)
        values ($1, gen_random_uuid(), 'rest', 'live', 'x', 'x', true, now(), now(), 'ready')";
    let refused = sqlx::query(second).bind(world.merchant).execute(&mut *tx).await.unwrap_err();
    assert!(refused.to_string().contains("one_connection_in_force"), "{refused}");
    drop(tx);
    let mut tx = world.tx().await;
    let unwiped = "update connections set in_force = false where merchant_id = $1";
    let refused = sqlx::query(unwiped).bind(world.merchant).execute(&mut *tx).await.unwrap_err();
    assert!(refused.to_string().contains("what_is_not_in_force_keeps_no_legacy_secret"), "{refused}");
}

/// Two people save at once: PayPal is asked about both, and the one who came last counts.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_who_save_at_once_one_is_told_that_the_other_was_faster() {
    let world = legacy_world().await;
    let ann = world.site.signed_in("ann@example.com").await;
    let form = ann.open(FORM).await;
    world.fault(json!({"call": "token", "what": "delay_before", "nth": 1, "ms": 1500})).await;
    let first = ann.submit(&form, FORM, &[("client_id", "other-client"), ("secret", "other-secret")]);
    let second = async {
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        let other = world.site.signed_in("ann@example.com").await;
        let card = other.open(CARD).await;
        assert!(card.text().contains("PayPal is being asked about these details"), "{}", card.text());
        assert!(!card.text().contains("Check again"), "{}", card.text());
        let form = other.open(FORM).await;
        other.submit(&form, FORM, &[("client_id", "demo-client"), ("secret", "demo-secret")]).await
    };
    let (first, second) = tokio::join!(first, second);
    assert!(second.text().contains("Upgraded."), "{}", second.text());
    assert_eq!(first.status, 422);
    assert!(first.text().contains("This connection was changed while PayPal was asked"), "{}", first.text());
    assert_eq!(in_force(&world, world.merchant).await, (vec!["rest".to_owned()], false));
}
