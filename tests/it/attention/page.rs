//! `/attention`: each kind of thing is there while it waits, and gone once it is mended.

use crate::support::browser::Script;
use crate::support::client::{Client, Page};
use crate::support::office::Office;
use crate::support::world::World;
use serde_json::json;
use stipend::id::AffiliateId;
use stipend::payout::attention::{self, At, Kind};
use stipend::role::Role;
use time::Duration;

async fn counts(world: &World) -> Vec<(Kind, i64)> {
    let at = At { now: world.app.clock.now(), today: world.today() };
    let mut counts = attention::counts(&mut world.tx().await, at).await.unwrap();
    counts.sort();
    counts
}

/// What waits is exactly this; the list, its filters and the navigation all say so.
pub(super) async fn waits(world: &World, expected: &[(Kind, i64)]) -> Page {
    let counted = counts(world).await;
    assert_eq!(counted, expected);
    let ann = world.site.signed_in("ann@example.com").await;
    let page = ann.open("/attention").await;
    assert_eq!(page.status, 200, "{}", page.body);
    let all: i64 = expected.iter().map(|(_, count)| count).sum();
    assert_eq!(rows(&page), all, "{}", page.text());
    assert_eq!(page.body.contains("class=\"count\""), all > 0);
    if all > 0 {
        assert!(page.body.contains(&format!("{all} things wait")), "the navigation counts otherwise");
    }
    for (kind, count) in expected {
        assert_eq!(rows(&ann.open(&format!("/attention?kind={}", kind.code())).await), *count, "{kind:?}");
    }
    page
}

fn rows(page: &Page) -> i64 {
    i64::try_from(page.body.matches("<th scope=\"row\">").count()).unwrap()
}

pub(super) async fn press(client: &Client, from: &str, target: &str, fill: &[(&str, &str)]) -> Page {
    let page = client.open(from).await;
    let done = client.submit(&page, target, fill).await;
    assert_eq!(done.status, 200, "{}", done.body);
    done
}

/// The only target of a form on the page that ends like this.
pub(super) fn target(page: &Page, end: &str) -> String {
    let found = page.body.split("action=\"").skip(1).map(|rest| rest.split('"').next().unwrap());
    let found: Vec<&str> = found.filter(|target| target.ends_with(end)).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    found[0].to_owned()
}

/// Presses "Pay" on the review that the page leads to.
async fn pay(client: &Client, review: &Page) {
    let paid = client.submit(review, "/payouts", &[]).await;
    assert!(paid.url.starts_with("/batches/"), "{}", paid.text());
}

/// A changed address is paid to at once.
async fn vouch(ann: &Client, affiliate: AffiliateId) {
    let page = format!("/affiliates/{affiliate}");
    press(ann, &page, &format!("{page}/release"), &[("why", "They called.")]).await;
}

#[tokio::test]
async fn an_unclaimed_payment_waits_for_its_affiliate_until_it_is_taken_back_and_paid_elsewhere() {
    let mut world = World::connected().await;
    world.owe("unclaimed@example.com", &["10.00"]).await;
    world.pay_all().await;
    world.settle().await;
    let page = waits(&world, &[(Kind::Unclaimed, 1)]).await;
    assert!(page.text().contains("Must act: The affiliate"), "{}", page.text());
    assert!(page.text().contains("It comes back on"), "{}", page.text());
    let ann = world.site.signed_in("ann@example.com").await;
    press(&ann, "/attention", &target(&page, "/cancellation"), &[]).await;
    world.settle().await;
    let page = waits(&world, &[(Kind::Failed, 1)]).await;
    assert!(page.text().contains("You took it back."), "{}", page.text());
    assert!(page.text().contains("Correct the address"), "{}", page.text());
    let affiliate = world.affiliates["unclaimed@example.com"];
    let edit = format!("/affiliates/{affiliate}/edit");
    press(&ann, &edit, &format!("/affiliates/{affiliate}"), &[("paypal_email", "good@example.com")]).await;
    vouch(&ann, affiliate).await;
    let page = waits(&world, &[(Kind::Failed, 1)]).await;
    let review = press(&ann, "/attention", &target(&page, "/retry"), &[]).await;
    pay(&ann, &review).await;
    world.settle().await;
    waits(&world, &[]).await;
    assert_eq!(world.standings().await["paid"], 1);
    world.check().await;
}

#[tokio::test]
async fn a_failed_payment_says_why_and_waits_until_it_is_being_paid() {
    let mut world = World::connected().await;
    world.owe("locked@example.com", &["10.00"]).await;
    world.owe("failed+undefined@example.com", &["20.00"]).await;
    world.owe("good@example.com", &["5.00"]).await;
    world.pay_all().await;
    world.settle().await;
    let page = waits(&world, &[(Kind::Failed, 2)]).await;
    assert!(page.text().contains("locked or inactive and cannot receive money"), "{}", page.text());
    assert!(page.text().contains("Must act: You"), "{}", page.text());
    assert!(page.text().contains("Must act: The affiliate"), "{}", page.text());
    let ann = world.site.signed_in("ann@example.com").await;
    let review = press(&ann, "/attention", &target(&page, "/retry"), &[]).await;
    pay(&ann, &review).await;
    waits(&world, &[(Kind::Failed, 1)]).await;
    world.settle().await;
    world.check().await;
}

#[tokio::test]
async fn a_refused_batch_and_the_address_it_names_wait_until_both_are_mended() {
    let mut world = World::connected().await;
    world.owe("bad@example.com", &["10.00"]).await;
    world.owe("good@example.com", &["20.00"]).await;
    let body = json!({"name": "VALIDATION_ERROR", "message": "Invalid request - see details",
        "details": [{"field": "items[0].receiver", "issue": "Receiver is invalid"}]});
    world.fault(json!({"call": "create", "what": "status", "status": 400, "body": body})).await;
    world.pay_all().await;
    world.work().await;
    let page = waits(&world, &[(Kind::Refused, 1), (Kind::Unpayable, 1)]).await;
    assert!(page.text().contains("2 payments of it are due again"), "{}", page.text());
    assert!(page.text().contains("PayPal refused this address"), "{}", page.text());
    let ann = world.site.signed_in("ann@example.com").await;
    let review = press(&ann, "/attention", &target(&page, "/retry"), &[]).await;
    pay(&ann, &review).await;
    world.settle().await;
    let page = waits(&world, &[(Kind::Refused, 1), (Kind::Unpayable, 1)]).await;
    assert!(page.text().contains("1 payment of it is due again"), "{}", page.text());
    let bad = world.paid().await;
    let named = if bad.contains_key("good@example.com") { "bad@example.com" } else { "good@example.com" };
    let affiliate = world.affiliates[named];
    let edit = format!("/affiliates/{affiliate}/edit");
    press(&ann, &edit, &format!("/affiliates/{affiliate}"), &[("paypal_email", "mended@example.com")]).await;
    vouch(&ann, affiliate).await;
    let page = waits(&world, &[(Kind::Refused, 1)]).await;
    let review = press(&ann, "/attention", &target(&page, "/retry"), &[]).await;
    pay(&ann, &review).await;
    world.settle().await;
    waits(&world, &[]).await;
    world.check().await;
}

#[tokio::test]
async fn money_that_came_back_waits_for_a_decision() {
    let mut world = World::connected().await;
    world.owe("refunded@example.com", &["10.00"]).await;
    world.owe("blocked@example.com", &["20.00"]).await;
    world.pay_all().await;
    world.settle().await;
    world.advance(Duration::days(1));
    world.settle().await;
    let page = waits(&world, &[(Kind::Decide, 2)]).await;
    assert!(page.text().contains("The recipient sent it back."), "{}", page.text());
    assert!(page.text().contains("PayPal stopped it"), "{}", page.text());
    let ann = world.site.signed_in("ann@example.com").await;
    let hrefs = page.body.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap());
    let items: std::collections::BTreeSet<&str> = hrefs.filter(|href| href.contains("/items/")).collect();
    for item in items {
        let fill = [("decision", "written_off"), ("why", "not worth it")];
        press(&ann, item, &format!("{item}/decision"), &fill).await;
    }
    waits(&world, &[]).await;
    world.check().await;
}

#[tokio::test]
async fn doubt_and_stuck_batches_wait_in_the_open() {
    let mut world = World::connected().await;
    world.owe("a@example.com", &["10.00"]).await;
    world.fault(json!({"call": "create", "what": "cut_after", "times": 10_000})).await;
    world.pay_all().await;
    world.work().await;
    waits(&world, &[]).await;
    world.advance(Duration::minutes(6));
    let page = waits(&world, &[(Kind::Doubt, 1)]).await;
    assert!(page.text().contains("Must act: PayPal, or time"), "{}", page.text());
    for _ in 0..31 {
        world.advance(Duration::days(1));
        world.work().await;
    }
    let page = waits(&world, &[(Kind::Stuck, 1)]).await;
    assert!(page.body.contains("/resolution"), "{}", page.text());
    world.check().await;
}

#[tokio::test]
async fn what_paypal_is_slow_with_or_holds_is_told_after_a_while() {
    let mut world = World::connected().await;
    world.owe("onhold@example.com", &["10.00"]).await;
    world.pay_all().await;
    world.settle().await;
    waits(&world, &[]).await;
    world.advance(Duration::days(4));
    world.settle().await;
    let page = waits(&world, &[(Kind::OnHold, 1)]).await;
    assert!(page.text().contains("PayPal has reviewed it for days"), "{}", page.text());
    world.owe("b@example.com", &["10.00"]).await;
    world.fault(json!({"call": "create", "what": "settle_after", "ms": 400_000_000})).await;
    world.pay_all().await;
    world.settle().await;
    waits(&world, &[(Kind::OnHold, 1)]).await;
    world.advance(Duration::hours(25));
    waits(&world, &[(Kind::Slow, 1), (Kind::OnHold, 1)]).await;
    world.check().await;
}

#[tokio::test]
async fn payments_that_wait_are_one_line_however_many_they_are() {
    let mut world = World::connected().await;
    world.owe("a@example.com", &["10.00"]).await;
    world.owe_in("EUR", "a@example.com", &["10.00"]).await;
    world.fault(json!({"call": "create", "what": "status", "status": 422, "name": "INSUFFICIENT_FUNDS"})).await;
    world.pay_all().await;
    world.work().await;
    let page = waits(&world, &[(Kind::Paused, 1)]).await;
    assert!(page.text().contains("I have added money, try now"), "{}", page.text());
    let ann = world.site.signed_in("ann@example.com").await;
    press(&ann, "/attention", "/integrations/payment/paypal/resumption", &[]).await;
    world.settle().await;
    waits(&world, &[]).await;
    world.check().await;
}

#[tokio::test]
async fn an_affiliate_without_an_address_waits_from_the_day_something_is_due() {
    let mut world = World::connected().await;
    world.owe("a@example.com", &["10.00"]).await;
    let ann = world.site.signed_in("ann@example.com").await;
    let affiliate = world.affiliates["a@example.com"];
    press(&ann, &format!("/affiliates/{affiliate}"), &format!("/affiliates/{affiliate}/archival"), &[]).await;
    let page = waits(&world, &[(Kind::Unpayable, 1)]).await;
    assert!(page.text().contains("Archived. 1 commission due."), "{}", page.text());
    press(&ann, "/attention", &target(&page, "/restoration"), &[]).await;
    waits(&world, &[]).await;
    world.check().await;
}

#[tokio::test]
async fn people_see_what_they_may_do_and_nothing_of_other_merchants() {
    let mut world = World::connected().await;
    world.owe("unclaimed@example.com", &["10.00"]).await;
    world.pay_all().await;
    world.settle().await;
    world.site.person("vic@example.com", "Acme", Role::Viewer).await;
    world.site.merchant("Beta").await;
    world.site.person("bea@example.com", "Beta", Role::Admin).await;
    let viewer = world.site.signed_in("vic@example.com").await.open("/attention").await;
    assert_eq!(rows(&viewer), 1);
    assert!(!viewer.text().contains("Take it back now"), "{}", viewer.text());
    let other = world.site.signed_in("bea@example.com").await.open("/attention").await;
    assert_eq!(rows(&other), 0);
    assert!(other.text().contains("Nothing needs attention"), "{}", other.text());
    assert!(!other.body.contains("class=\"count\""));
    world.check().await;
}

#[tokio::test]
async fn many_things_are_shown_a_page_at_a_time() {
    let mut world = World::connected().await;
    for place in 0..53 {
        world.owe(&format!("unclaimed{place}@example.com"), &["10.00"]).await;
    }
    world.pay_all().await;
    world.settle().await;
    let ann = world.site.signed_in("ann@example.com").await;
    let first = ann.open("/attention?kind=unclaimed").await;
    assert_eq!(rows(&first), 50);
    assert!(first.text().contains("1 to 50 of 53"), "{}", first.text());
    let second = ann.open("/attention?kind=unclaimed&from=50").await;
    assert_eq!(rows(&second), 3);
    assert_eq!(ann.open("/attention?kind=nonsense&from=-3").await.status, 200);
    world.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_finds_what_is_wrong_and_mends_it() {
    let mut world = World::connected().await;
    for email in ["unclaimed@example.com", "locked@example.com", "blocked@example.com", "failed+undefined@example.com"]
    {
        world.owe(email, &["1250.00"]).await;
    }
    world.pay_all().await;
    world.settle().await;
    let office = Office::open(world, Script::On).await;
    office.go("/attention").await;
    office.says("Must act: The affiliate").await;
    if let Some(folder) = std::env::var_os("STIPEND_PICTURES") {
        for (width, height) in [(1280, 900), (390, 844)] {
            for colours in ["light", "dark"] {
                office.browser.resize(width, height).await;
                office.browser.colours(colours).await;
                let name = format!("attention-{width}-{colours}.png");
                office.browser.photograph(&std::path::Path::new(&folder).join(name)).await;
            }
        }
        office.browser.resize(1280, 900).await;
    }
    office.press("Review and pay again").await;
    office.press("Pay 1 affiliate USD 1,250.00").await;
    office.until("Done").await;
    office.go("/attention").await;
    office.press("Take it back now").await;
    office.until("PayPal is asked to take it back").await;
    office.world.check().await;
}
