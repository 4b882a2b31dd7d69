//! Who may pay, and what the others are told.

use super::world;
use crate::support::browser::Script;
use crate::support::office::Office;
use stipend::role::Role;

#[tokio::test(flavor = "multi_thread")]
async fn who_prepares_is_told_whom_to_ask_and_cannot_pay() {
    let world = world().await;
    world.connect("demo-client", "demo-secret").await;
    world.site.person("pia@example.com", "Acme", Role::Preparer).await;
    let office = Office::open(world, Script::On).await;
    office.sign_in_as("pia@example.com").await;
    office.choose("tom@example.com, USD 80.00", "Pay via PayPal MassPay").await;
    office.says("You may prepare this, but not pay. May approve it: ann@example.com.").await;
    office.never_says("Pay 1 affiliate").await;

    let review = office.browser.current_url().await.unwrap();
    let client = office.world.site.signed_in("pia@example.com").await;
    let page = client.open(&format!("{}?{}", review.path(), review.query().unwrap())).await;
    let fields = page.form("/approvals").filled(&[]);
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let forced = client.post("/payouts", &fields).await;
    assert_eq!(forced.status, 403, "{}", forced.text());

    // The address can be shared: an approver pays what was prepared.
    office.sign_in_as("ann@example.com").await;
    office.go(&format!("{}?{}", review.path(), review.query().unwrap())).await;
    office.press("Pay 1 affiliate USD 80.00").await;
    office.until("Done. 1 of 1 were paid USD 80.00.").await;
    office.world.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_only_looks_can_neither_choose_nor_pay() {
    let world = world().await;
    world.site.person("vic@example.com", "Acme", Role::Viewer).await;
    let client = world.site.signed_in("vic@example.com").await;
    let page = client.open("/affiliate_payments/pay").await;
    assert!(page.text().contains("tom@example.com") || page.text().contains("tom"), "{}", page.text());
    assert!(!page.body.contains("name=\"row\"") && !page.text().contains("Pay via PayPal"), "{}", page.body);
    let token = page.form("/sign-out").value("token").unwrap().to_owned();
    let fields = [("token", token.as_str()), ("all", "1"), ("how", "manual"), ("request", "x"), ("seen", "")];
    for path in ["/affiliate_payments/selections", "/payouts", "/integrations/payment/paypal"] {
        let forced = client.post(path, &fields).await;
        assert_eq!(forced.status, 403, "{path}: {}", forced.text());
    }
    assert!(world.paid().await.is_empty());
    world.check().await;
}
