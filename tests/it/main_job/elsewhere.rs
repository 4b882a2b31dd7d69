//! Payments that PayPal has no part in: marked by hand, or by way of a file.

use super::world;
use crate::support::browser::Script;
use crate::support::office::Office;

async fn by_hand(script: Script) {
    let office = Office::open(world().await, script).await;
    office.choose("tom@example.com, USD 80.00", "Pay Manually").await;
    office.browser.fill("reference", "Bank transfer 88-12").await;
    office.press("Mark 1 affiliate as paid USD 80.00").await;
    office.says("Marked as paid: USD 80.00. Reference: Bank transfer 88-12.").await;
    assert_eq!(office.world.standings().await["paid"], 1);
    office.press("Put back to due").await;
    office.press("Put all of it back").await;
    office.says("Everything in this batch is due again.").await;
    assert_eq!(office.world.standings().await.get("paid"), None);
    office.go("/affiliate_payments/pay").await;
    office.says("tom@example.com").await;
    assert_eq!(
        (office.world.calls("create").await, office.world.calls("token").await),
        (0, 0),
        "PayPal is never asked"
    );
    office.world.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_by_hand_is_marked_and_undone() {
    by_hand(Script::On).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_by_hand_without_javascript() {
    by_hand(Script::Off).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exported_file_holds_its_commissions_until_it_is_paid_or_put_back() {
    let office = Office::open(world().await, Script::On).await;
    office.choose("tom@example.com, USD 80.00", "Export CSV for Mass Payment").await;
    office.press("Export a file for 1 affiliate, USD 80.00").await;
    office.says("Its commissions stand as paying").await;
    assert_eq!(office.world.standings().await["paying"], 1);
    let batch = office.browser.current_url().await.unwrap().path().to_owned();
    let client = office.world.site.signed_in("ann@example.com").await;
    let file = client.get(&format!("{batch}/mass-payment.csv")).await;
    assert!(file.body.contains("tom@example.com,80.00,USD,"), "{}", file.body);
    office.go("/affiliate_payments/pay").await;
    office.says("maya@example.com").await;
    office.never_says("tom@example.com").await;

    office.go(&batch).await;
    office.press("Put back to due").await;
    office.press("Put all of it back").await;
    office.says("Everything in this batch is due again.").await;
    office.choose("tom@example.com, USD 80.00", "Export CSV for Mass Payment").await;
    office.press("Export a file for 1 affiliate, USD 80.00").await;
    office.browser.fill("reference", "PayPal mass payment of today").await;
    office.press("Mark as paid").await;
    office.says("Marked as paid: USD 80.00. Reference: PayPal mass payment of today.").await;
    assert_eq!(office.world.standings().await["paid"], 1);
    assert_eq!(office.world.calls("create").await, 0);
    office.world.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_typed_stays_when_the_reference_is_missing() {
    let world = world().await;
    let client = world.site.signed_in("ann@example.com").await;
    let due = client.open("/affiliate_payments/pay").await;
    let review = client.submit(&due, "/affiliate_payments/selections", &[("all", "1"), ("how", "manual")]).await;
    let asked = client.submit(&review, "/payouts", &[("reference", "  ")]).await;
    assert_eq!(asked.status, 422);
    assert!(asked.text().contains("Say where this payment can be found"), "{}", asked.text());
    let long = "x".repeat(201);
    let asked = client.submit(&asked, "/payouts", &[("reference", &long)]).await;
    assert_eq!((asked.status, asked.form("/payouts").value("reference")), (422, Some(long.as_str())));
    assert_eq!(world.standings().await.get("paid"), None, "nothing is half done");
    world.check().await;
}
