//! The pages of a payment and of a doubt, as people meet them.

use super::{days, item_of, paid_to, soon};
use crate::support::client::Client;
use crate::support::world::World;
use serde_json::json;
use stipend::id::BatchId;
use stipend::role::Role;
use time::Duration;

async fn page_of(world: &World, batch: BatchId, receiver: &str) -> String {
    format!("/batches/{batch}/items/{}", item_of(world, receiver).await)
}

#[tokio::test]
async fn an_unclaimed_payment_tells_its_deadline_and_is_taken_back_by_a_button() {
    let (world, batch) = paid_to(&["unregistered"]).await;
    days(&world, 3).await;
    let ann = world.site.signed_in("ann@example.com").await;
    let at = page_of(&world, batch, "unregistered").await;
    let page = ann.open(&at).await;
    for words in
        ["Unclaimed for 3 days", "It comes back on", "we have sent you USD 12.50 with PayPal", "Correct the address"]
    {
        assert!(page.text().contains(words), "{words}: {}", page.text());
    }
    let list = ann.open(&format!("/batches/{batch}")).await;
    assert!(list.body.contains(&at) && list.text().contains("Remind, or take back"));
    let after = ann.submit(&page, &format!("{at}/cancellation"), &[]).await;
    assert!(after.text().contains("Being taken back"), "{}", after.text());
    let again = ann.submit(&page, &format!("{at}/cancellation"), &[]).await;
    assert_eq!(again.status, 409, "the same form again");
    soon(&world).await;
    let after = ann.open(&at).await.text();
    for words in
        ["Cancelled", "You took it back", "Review and pay again", "PayPal was asked to take it back", "Given back"]
    {
        assert!(after.contains(words), "{words}: {after}");
    }
    let review = ann.submit(&ann.open(&at).await, &format!("{at}/retry"), &[]).await;
    assert!(review.url.starts_with("/payouts/new/") && review.text().contains("12.50"), "{}", review.url);
    world.check().await;
}

#[tokio::test]
async fn what_follows_is_decided_with_a_reason_by_those_who_may_pay() {
    let (world, batch) = paid_to(&["refunded"]).await;
    days(&world, 2).await;
    world.site.person("pat@example.com", "Acme", Role::Preparer).await;
    let at = page_of(&world, batch, "refunded").await;
    let pat = world.site.signed_in("pat@example.com").await;
    assert!(!pat.open(&at).await.text().contains("What follows"));
    let ann = world.site.signed_in("ann@example.com").await;
    let page = ann.open(&at).await;
    let decide =
        async |client: &Client, fill: &[(&str, &str)]| client.submit(&page, &format!("{at}/decision"), fill).await;
    let refused = decide(&ann, &[("decision", "written_off"), ("why", "  ")]).await;
    assert!(refused.text().contains("Say why"), "{}", refused.text());
    let long = "x".repeat(501);
    assert!(decide(&ann, &[("decision", "written_off"), ("why", &long)]).await.text().contains("Say why"));
    assert_eq!(decide(&ann, &[("decision", "paid"), ("why", "x")]).await.status, 422);
    let done = decide(&ann, &[("decision", "written_off"), ("why", "paid in cash")]).await.text();
    for words in ["Written off", "Reason: paid in cash", "Due again"] {
        assert!(done.contains(words), "{words}: {done}");
    }
    let undone = decide(&ann, &[("decision", "due_again"), ("why", "the cash came back")]).await.text();
    assert!(undone.contains("Review and pay again"), "{undone}");
    assert_eq!(decide(&ann, &[("decision", "written_off"), ("why", "too late")]).await.status, 409);
    assert_eq!(world.standings().await["owed"], 2);
    world.check().await;
}

#[tokio::test]
async fn a_blocked_payment_says_that_it_is_looked_at_once_more() {
    let (world, batch) = paid_to(&["blocked"]).await;
    let ann = world.site.signed_in("ann@example.com").await;
    let at = page_of(&world, batch, "blocked").await;
    let page = ann.open(&at).await;
    assert!(page.text().contains("asked once more") && !page.text().contains("Due again"), "{}", page.text());
    let forced = ann.submit(&page, &format!("{at}/decision"), &[("decision", "due_again"), ("why", "now")]).await;
    assert_eq!(forced.status, 409);
    world.advance(Duration::hours(7));
    world.work().await;
    let ann = world.site.signed_in("ann@example.com").await;
    assert!(ann.open(&at).await.text().contains("Due again"));
}

#[tokio::test]
async fn another_merchants_payment_is_no_payment() {
    let (world, batch) = paid_to(&["unregistered"]).await;
    world.site.merchant("Beta").await;
    world.site.person("bea@example.com", "Beta", Role::Admin).await;
    let bea = world.site.signed_in("bea@example.com").await;
    let token = bea.open("/affiliates").await.form("/sign-out").value("token").unwrap().to_owned();
    let at = page_of(&world, batch, "unregistered").await;
    assert_eq!(bea.open(&at).await.status, 404);
    for (path, fields) in [
        (format!("{at}/cancellation"), vec![("token", token.as_str())]),
        (format!("{at}/decision"), vec![("token", token.as_str()), ("decision", "written_off"), ("why", "x")]),
        (format!("{at}/retry"), vec![("token", token.as_str())]),
        (format!("/batches/{batch}/unclaimed/cancellation"), vec![("token", token.as_str())]),
        (format!("/batches/{batch}/resolution"), vec![("token", token.as_str()), ("says", "there")]),
    ] {
        assert_eq!(bea.post(&path, &fields).await.status, 404, "{path}");
    }
    soon(&world).await;
    assert_eq!(world.calls("cancel").await, 0);
    world.check().await;
}

#[tokio::test]
async fn a_doubt_is_ended_on_its_page() {
    let mut world = World::connected().await;
    world.owe("a@example.com", &["1200.00"]).await;
    world.fault(json!({"call": "create", "what": "cut_before", "times": 10_000})).await;
    let batch = world.pay_all().await[0];
    world.work().await;
    let ann = world.site.signed_in("ann@example.com").await;
    let at = format!("/batches/{batch}/resolution");
    assert_eq!(ann.open(&at).await.url, format!("/batches/{batch}"), "it may still be cleared up by itself");
    days(&world, 30).await;
    world.no_more_faults().await;
    let ann = world.site.signed_in("ann@example.com").await;
    assert!(ann.open(&format!("/batches/{batch}")).await.text().contains("Find out what became of it"));
    let page = ann.open(&at).await;
    let token = page.form(&at).value("token").unwrap().to_owned();
    for (fill, says) in [
        (vec![("total", "1200"), ("looked_at", "PayPal")], "Choose what you found"),
        (vec![("says", "not_there"), ("total", "1200"), ("looked_at", " ")], "Say where you looked"),
        (vec![("says", "not_there"), ("total", "a lot"), ("looked_at", "PayPal")], "Write the total with a point"),
        (vec![("says", "not_there"), ("total", "1300"), ("looked_at", "PayPal")], "not the total of this batch"),
    ] {
        let refused = ann.submit(&page, &at, &fill).await;
        assert!(refused.status == 422 && refused.text().contains(says), "{says}: {}", refused.text());
    }
    let adoption = format!("{at}/adoption");
    for (id, says) in [("../x", "letters and digits"), ("NOSUCHBATCH", "could not be read")] {
        let refused = ann.submit(&page, &adoption, &[("paypal_batch_id", id)]).await;
        assert!(refused.status == 422 && refused.text().contains(says), "{id}: {}", refused.text());
    }
    let multipart = |content: &str| {
        format!(
            "--b\r\ncontent-disposition: form-data; name=\"token\"\r\n\r\n{token}\r\n--b\r\ncontent-disposition: form-data; \
            name=\"file\"; filename=\"may.csv\"\r\n\r\n{content}\r\n--b--\r\n"
        )
    };
    let kind = ("content-type", "multipart/form-data; boundary=b");
    let report = format!("{at}/report");
    let refused = ann.post_raw(&report, &[kind], multipart("nonsense")).await;
    assert!(refused.status == 422 && refused.text().contains("no activity report"), "{}", refused.text());
    let taken = ann.post_raw(&report, &[kind], multipart("Transaction ID,Gross,Status\nT1,1,Completed")).await;
    assert_eq!(taken.status, 303);
    assert!(ann.open(&at).await.text().contains("0 lines of this report are about this batch"));
    let done =
        ann.submit(&page, &at, &[("says", "not_there"), ("total", "USD 1,200.00"), ("looked_at", "PayPal, May")]).await;
    assert!(done.text().contains("people looked and said so"), "{}", done.text());
    assert_eq!(world.standings().await["owed"], 1);
    world.check().await;
}
