//! Who takes over an address gets no money by it before the one who had it could object.

use super::save;
use crate::approval::review;
use crate::mail;
use crate::support::client::Client;
use crate::support::letters::Letters;
use crate::support::world::{World, everything};
use stipend::payout::draft::{DraftError, How, draft};
use stipend::role::Role;
use time::Duration;

async fn readdress(client: &Client, at: &str, address: &str) {
    let form = client.open(&format!("{at}/edit")).await;
    assert_eq!(client.submit(&form, at, &[("paypal_email", address)]).await.status, 200);
}

#[tokio::test]
async fn a_changed_address_is_told_to_both_and_holds_payments_until_its_time_or_a_persons_word() {
    let letters = Letters::folder();
    let mut world = World::mailing(letters.path()).await;
    world.site.person("pia@example.com", "Acme", Role::Preparer).await;
    world.owe("ada@example.com", &["10.00"]).await;
    world.owe("tom@example.com", &["10.00"]).await;
    let ada = format!("/affiliates/{}", world.affiliates["ada@example.com"]);
    let pia = world.site.signed_in("pia@example.com").await;
    let before = world.review(&everything(), How::PayPal).await;
    readdress(&pia, &ada, "new@example.com").await;
    mail::post(&world).await;
    let told: Vec<String> = letters.all().iter().map(|letter| letter.to().to_owned()).collect();
    assert!(told.contains(&"ada@example.com".to_owned()) && told.contains(&"new@example.com".to_owned()), "{told:?}");
    assert!(letters.to("ada@example.com")[0].body.contains("If you did not ask for this, tell Acme at once."));

    let late = draft(&world.app, world.merchant, &before).await.unwrap_err();
    assert!(matches!(late, DraftError::Changed | DraftError::Unpayable(_)), "{late}");
    world.advance(Duration::days(2));
    let ann = world.site.signed_in("ann@example.com").await;
    let due = ann.open("/affiliate_payments/pay").await;
    assert!(due.text().contains("Address changed 2 days ago; can be paid from"), "{}", due.text());
    assert!(
        !due.body.contains(&format!("value=\"{} USD\"", world.affiliates["ada@example.com"])),
        "it cannot be ticked"
    );
    assert!(ann.open(&ada).await.text().contains("Payments to this affiliate are held"));
    for how in [How::PayPal, How::Export] {
        let ask = world.review(&everything(), how).await;
        let mut tx = world.tx().await;
        let lines: i64 = sqlx::query_scalar("select count(*) from selected_commissions where selection_id = $1")
            .bind(ask.request)
            .fetch_one(&mut *tx)
            .await
            .unwrap();
        assert_eq!(lines, 1, "only Tom is among what can be paid");
    }
    world.pay_all().await;
    world.settle().await;
    assert_eq!(world.paid().await.len(), 1);

    let pia = world.site.signed_in("pia@example.com").await;
    let token = pia.open(&ada).await.form("/sign-out").value("token").unwrap().to_owned();
    let fields = [("token", token.as_str()), ("why", "I know her")];
    assert_eq!(pia.post(&format!("{ada}/release"), &fields).await.status, 403, "not whoever may edit");
    let page = ann.open(&ada).await;
    let unsaid = ann.submit(&page, &format!("{ada}/release"), &[("why", " ")]).await.text();
    assert!(unsaid.contains("Say how you know that the address is right"), "{unsaid}");
    let said = ann.submit(&page, &format!("{ada}/release"), &[("why", "She called.")]).await.text();
    assert!(said.contains("not held any more"), "{said}");
    world.audited("changed address vouched for").await;
    let shown = review(&ann, "paypal").await.text();
    assert!(shown.contains("Address changed") && shown.contains("First payment"), "{shown}");
    world.pay_all().await;
    world.settle().await;
    assert_eq!(world.paid().await["new@example.com"].0, 1);
    world.check().await;
}

#[tokio::test]
async fn a_hold_ends_by_itself_and_the_merchant_says_how_long_it_is() {
    let mut world = World::connected().await;
    world.owe("ada@example.com", &["10.00"]).await;
    let ada = format!("/affiliates/{}", world.affiliates["ada@example.com"]);
    let ann = world.site.signed_in("ann@example.com").await;
    readdress(&ann, &ada, "ADA@example.com").await;
    assert!(world.try_review(&everything(), How::PayPal).await.is_some(), "the same address in other letters");
    readdress(&ann, &ada, "b@example.com").await;
    assert!(world.try_review(&everything(), How::PayPal).await.is_none());
    save(&ann, &[("hold_days", "0")]).await;
    assert!(world.try_review(&everything(), How::PayPal).await.is_none(), "what is held stays held");
    world.advance(Duration::days(3));
    assert!(world.try_review(&everything(), How::PayPal).await.is_some());
    let ann = world.site.signed_in("ann@example.com").await;
    readdress(&ann, &ada, "c@example.com").await;
    assert!(world.try_review(&everything(), How::PayPal).await.is_some(), "no hold, no waiting");
    world.check().await;
}

/// Taking an address away and giving another one is a change like any.
#[tokio::test]
async fn a_hold_is_not_got_around_by_having_no_address_for_a_moment() {
    let world = World::connected().await;
    let ann = world.site.signed_in("ann@example.com").await;
    let form = ann.open("/affiliates/new").await;
    let page = ann.submit(&form, "/affiliates", &[("code", "K-7")]).await;
    let at = page.url.clone();
    readdress(&ann, &at, "first@example.com").await;
    assert!(!ann.open(&at).await.text().contains("Payments to this affiliate are held"), "nobody to object");
    readdress(&ann, &at, "").await;
    readdress(&ann, &at, "second@example.com").await;
    assert!(ann.open(&at).await.text().contains("Payments to this affiliate are held"));
}
