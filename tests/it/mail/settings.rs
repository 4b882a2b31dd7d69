//! What a merchant may change about its mails.

use super::{count, post};
use crate::support::letters::Letters;
use crate::support::world::World;
use stipend::role::Role;

const PAID: &str = "/settings/mail/paid";

#[tokio::test]
async fn a_kind_that_is_switched_off_is_not_written_and_what_waited_is_not_sent() {
    let letters = Letters::folder();
    let mut world = World::mailing(letters.path()).await;
    world.owe("early@example.com", &["10.00"]).await;
    world.pay_all().await;
    world.settle().await;
    let person = world.site.signed_in("ann@example.com").await;
    let form = person.open(PAID).await;
    // A box that is not ticked is not sent; the form helper sends what a browser would have ticked.
    let standard = stipend::mail::Kind::Paid.standard();
    let fields = [("button", "save"), ("subject", standard.subject.as_str()), ("body", standard.body.as_str())];
    let token = form.form(PAID).filled(&[]).into_iter().find(|(name, _)| name == "token").unwrap().1;
    let mut unticked = fields.to_vec();
    unticked.push(("token", &token));
    assert_eq!(person.post(PAID, &unticked).await.status, 303);
    assert!(person.open("/settings/mail").await.text().contains("Saved. This mail is not sent."));
    world.owe("late@example.com", &["10.00"]).await;
    world.pay_all().await;
    world.settle().await;
    post(&world).await;
    assert_eq!(letters.summary(), [""; 0]);
    assert_eq!((count(&world, "dropped").await, count(&world, "").await), (1, 1));

    let form = person.open(PAID).await;
    person.submit(&form, PAID, &[("on", "1"), ("button", "save")]).await;
    world.owe("again@example.com", &["10.00"]).await;
    world.pay_all().await;
    world.settle().await;
    post(&world).await;
    assert_eq!(letters.summary(), ["again@example.com: Acme has paid you USD 10.00"]);
    world.check().await;
}

#[tokio::test]
async fn an_edited_text_is_previewed_kept_sent_and_reset() {
    let letters = Letters::folder();
    let mut world = World::mailing(letters.path()).await;
    let person = world.site.signed_in("ann@example.com").await;
    let form = person.open(PAID).await;
    assert!(!form.text().contains("Back to the standard text"));
    let own = [("subject", "{amount} für {name}"), ("body", "Batch {batch}\n<b>{merchant}</b> {address}")];
    let preview = person.submit(&form, PAID, &[own[0], own[1], ("button", "preview")]).await;
    assert!(preview.text().contains("USD 120.00 für Ada Lovelace"), "{}", preview.text());
    assert!(preview.body.contains("&#60;b&#62;Acme&#60;/b&#62;") || preview.body.contains("&lt;b&gt;Acme"), "escaped");
    let unchanged = person.open(PAID).await;
    assert!(unchanged.body.contains("{merchant} has paid you {amount}"), "a preview keeps nothing");

    let refused =
        person.submit(&form, PAID, &[("subject", "{nmae}"), ("body", "x {deadline}"), ("button", "save")]).await;
    assert_eq!(refused.status, 422);
    assert!(refused.text().contains("{nmae} is nothing that this mail can fill in. It knows {name}, {amount}"));
    assert!(refused.body.contains("x {deadline}"), "what was typed is still there");

    let saved = person.submit(&form, PAID, &[own[0], own[1], ("button", "save")]).await;
    assert!(saved.text().contains("Your own"), "{}", saved.text());
    world.owe("anna@example.com", &["10.00"]).await;
    world.pay_all().await;
    world.settle().await;
    post(&world).await;
    assert_eq!(letters.all()[0].body.trim_end(), "Batch 1\r\n<b>Acme</b> anna@example.com");
    let form = person.open(PAID).await;
    let reset = person.submit(&form, PAID, &[("button", "reset")]).await;
    assert!(reset.text().contains("The standard text is back.") && !reset.text().contains("Your own"));
    world.check().await;
}

#[tokio::test]
async fn no_name_and_no_text_becomes_a_header() {
    let letters = Letters::folder();
    let mut world = World::mailing(letters.path()).await;
    let person = world.site.signed_in("ann@example.com").await;
    // Kept from a time when a name could have several lines.
    let evil = "Eve\r\nBcc: eve@evil.example\r\n\r\nGone";
    world.owe("anna@example.com", &["10.00"]).await;
    let named = sqlx::query("update affiliates set first_name = $1 where email = 'anna@example.com'").bind(evil);
    named.execute(world.app.database.pool()).await.unwrap();
    let form = person.open(PAID).await;
    let refused = person.submit(&form, PAID, &[("subject", "Hi\r\nBcc: eve@evil.example"), ("button", "save")]).await;
    assert_eq!(refused.status, 422);
    person.submit(&form, PAID, &[("subject", "For {name}"), ("button", "save")]).await;
    world.pay_all().await;
    world.settle().await;
    post(&world).await;
    let letter = &letters.all()[0];
    let names: Vec<&str> = letter.headers.iter().map(|(name, _)| name.as_str()).collect();
    assert!(!names.iter().any(|name| name.eq_ignore_ascii_case("bcc")), "{names:?}");
    assert_eq!(letter.subject(), "For Eve Bcc: eve@evil.example Gone");
    assert_eq!(letter.header("Auto-Submitted"), "auto-generated");
}

#[tokio::test]
async fn the_merchants_news_goes_where_the_merchant_says() {
    let letters = Letters::folder();
    let mut world = World::mailing(letters.path()).await;
    world.site.person("pia@example.com", "Acme", Role::Preparer).await;
    let person = world.site.signed_in("ann@example.com").await;
    let page = "/settings/mail/attention";
    let form = person.open(page).await;
    let refused = person.submit(&form, page, &[("recipient", "a@b.co\r\nBcc: x@y.co"), ("button", "save")]).await;
    assert_eq!(refused.status, 422, "{}", refused.text());
    person.submit(&form, page, &[("recipient", "money@acme.example"), ("button", "save")]).await;
    world.owe("failed@example.com", &["10.00"]).await;
    world.pay_all().await;
    world.settle().await;
    post(&world).await;
    assert_eq!(letters.to("money@acme.example").len(), 1, "{:?}", letters.summary());
    assert_eq!(letters.to("ann@example.com").len() + letters.to("pia@example.com").len(), 0);
    let preparer = world.site.signed_in("pia@example.com").await;
    assert_eq!(preparer.get("/settings/mail").await.status, 403);
    assert!(!preparer.open("/affiliates").await.text().contains("Settings"));
    world.check().await;
}
