//! Commissions through the door: added by hand, listed, cancelled.

use crate::support::books::check_books;
use crate::support::client::{Client, Page};
use crate::support::world::{World, everything};
use rust_decimal::Decimal;
use stipend::commission::{self, New};
use stipend::id::AffiliateId;
use stipend::money::{Currency, Money};
use stipend::payout::draft::{DraftError, How, draft};
use time::Duration;

async fn ann(world: &World) -> Client {
    world.site.signed_in("ann@example.com").await
}

async fn add(client: &Client, fill: &[(&str, &str)]) -> Page {
    let page = client.open("/commissions/new").await;
    client.submit(&page, "/commissions", fill).await
}

async fn count(world: &World, query: &'static str) -> i64 {
    sqlx::query_scalar(query).fetch_one(&mut *world.tx().await).await.unwrap()
}

/// As many commissions of one cent each, due so many days from today.
async fn many(world: &mut World, email: &str, number: i64, days: i64) {
    world.owe(email, &[]).await;
    let affiliate: AffiliateId = world.affiliates[email];
    let amount = Money::new(Decimal::new(1, 2), Currency::USD).unwrap();
    let new = |n: i64| New {
        affiliate,
        amount,
        due_on: world.today() + Duration::days(days + n % 7),
        reference: format!("{email}-{n}"),
        note: String::new(),
        paid_before_on: None,
    };
    let rows: Vec<New> = (0..number).map(new).collect();
    let mut tx = world.tx().await;
    commission::insert_many(&mut tx, world.app.clock.now(), &rows).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_commission_by_hand_is_owed_once_however_often_the_form_is_sent() {
    let mut world = World::new().await;
    world.owe("ada@example.com", &[]).await;
    let client = ann(&world).await;
    let id = world.affiliates["ada@example.com"];
    let page = client.open(&format!("/commissions/new?affiliate={id}")).await;
    let form = page.form("/commissions");
    assert_eq!(form.value("affiliate"), Some("ada@example.com"));
    assert!(form.value("reference").unwrap().starts_with("manual-"));
    let fill = [("amount", "12.50"), ("currency", "EUR"), ("note", "Thanks")];
    let (one, two) = tokio::join!(
        client.submit_once(&page, "/commissions", &fill),
        client.submit_once(&page, "/commissions", &fill)
    );
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [303, 422], "the second is told that the reference exists");
    let list = client.open("/affiliate_payments/all").await.text();
    assert!(list.contains("Added EUR 12.50 for ada@example.com") && list.contains("Thanks"), "{list}");
    assert_eq!(count(&world, "select count(*) from owed where amount = 12.50 and currency = 'EUR'").await, 1);
    assert_eq!(count(&world, "select count(*) from audit_entries where action = 'commission added'").await, 1);
    check_books(&world.app, world.merchant).await;
    world.check().await;
}

#[tokio::test]
async fn a_form_with_mistakes_says_each_and_keeps_what_was_typed() {
    let mut world = World::new().await;
    world.owe("ada@example.com", &[]).await;
    let client = ann(&world).await;
    let wrong = [("affiliate", "eve@example.com"), ("amount", "1,234.50"), ("due_on", "soon"), ("reference", "R-1")];
    let page = add(&client, &wrong).await;
    assert_eq!(page.status, 422);
    for part in ["No affiliate has this email or code", "with a point before the cents", "Give the due date"] {
        assert!(page.text().contains(part), "{part}: {}", page.text());
    }
    for (name, value) in wrong {
        assert_eq!(page.form("/commissions").value(name), Some(value), "{name} is kept");
    }
    let mended = [("affiliate", "ADA@example.com"), ("amount", "1234.50"), ("due_on", "2026-05-03")];
    assert_eq!(client.submit(&page, "/commissions", &mended).await.status, 200);
    let again = add(&client, &[("affiliate", "ada@example.com"), ("amount", "1"), ("reference", "R-1")]).await;
    assert_eq!(again.status, 422);
    assert!(again.text().contains("Another commission has this reference already."));
    for (amount, currency) in [("0", "USD"), ("-1", "USD"), ("1.5", "JPY"), ("0.001", "USD"), ("1000000000000", "USD")]
    {
        let page = add(&client, &[("affiliate", "ada@example.com"), ("amount", amount), ("currency", currency)]).await;
        assert_eq!(page.status, 422, "{amount} {currency}");
    }
    assert_eq!(
        add(&client, &[("affiliate", "ada@example.com"), ("amount", "1"), ("currency", "TND")]).await.status,
        422
    );
    assert_eq!(count(&world, "select count(*) from commissions").await, 1);
    let offered = client.get("/commissions/affiliates?affiliate=ADA").await;
    assert_eq!(offered.body.trim(), "<option value=\"ada@example.com\">ada@example.com</option>");
    assert_eq!(client.get(&format!("/commissions/new?affiliate={}", AffiliateId::new())).await.status, 404);
}

#[tokio::test]
async fn only_what_is_still_owed_is_cancelled_and_the_rest_is_named() {
    let mut world = World::connected().await;
    let ada = world.owe("ada@example.com", &["10.00", "5.00"]).await;
    world.pay_all().await;
    let grace = world.owe("grace@example.com", &["7.00", "8.00"]).await;
    let client = ann(&world).await;
    let review = client.open(&format!("/commissions/cancellation?id={}&id={}&id={}", ada[0], grace[0], grace[1])).await;
    assert!(
        review.text().contains("These are not owed any more")
            && review.text().contains("Cancel 2 commissions, USD 15.00")
    );
    let token = review.form("/commissions/cancellation").value("token").unwrap().to_owned();
    let (a, g, h) = (ada[0].to_string(), grace[0].to_string(), grace[1].to_string());
    let fields = [("token", token.as_str()), ("id", &a), ("id", &g), ("id", &h), ("why", "returned goods")];
    let answer = client.post("/commissions/cancellation", &fields).await;
    let said = client.open(answer.header("location")).await.text();
    assert!(said.contains("2 commissions were cancelled."), "{said}");
    assert!(said.contains(&format!("{a} (being paid in batch 1)")), "{said}");
    assert!(said.contains("returned goods"), "{said}");
    let cancelled = client.open("/affiliate_payments/all?standing=cancelled").await.text();
    assert!(cancelled.contains(&g) && cancelled.contains(&h) && !cancelled.contains(&a), "{cancelled}");
    let again = client.post("/commissions/cancellation", &fields).await;
    let said = client.open(again.header("location")).await.text();
    assert!(said.contains("Nothing was cancelled.") && said.contains("(cancelled)"), "{said}");
    assert_eq!(count(&world, "select count(*) from audit_entries where action = 'commissions cancelled'").await, 1);
    check_books(&world.app, world.merchant).await;
    world.settle().await;
    assert_eq!(world.standings().await["paid"], 2);
    world.check().await;
}

#[tokio::test]
async fn a_commission_is_either_paid_or_cancelled_whoever_is_faster() {
    let mut world = World::connected().await;
    let (mut paid, mut cancelled) = (0, 0);
    for round in 0..12 {
        let ids = world.owe("ada@example.com", &["1.00", "2.00", "3.00"]).await;
        let ask = world.review(&everything(), How::PayPal).await;
        let cancel = async {
            // Whoever begins first mostly wins; both orders are tried.
            for _ in 0..round {
                tokio::task::yield_now().await;
            }
            let mut tx = world.tx().await;
            let outcome = commission::cancel(&mut tx, &world.actor(), &ids, "").await.unwrap();
            tx.commit().await.unwrap();
            outcome.cancelled
        };
        let (drafted, cancelled_now) = if round % 2 == 0 {
            tokio::join!(draft(&world.app, world.merchant, &ask), cancel)
        } else {
            let (one, two) = tokio::join!(cancel, draft(&world.app, world.merchant, &ask));
            (two, one)
        };
        match (drafted, cancelled_now) {
            (Ok(_), 0) => paid += 1,
            (Err(DraftError::Changed), 3) => cancelled += 1,
            (drafted, cancelled) => panic!("{drafted:?}, and {cancelled} cancelled"),
        }
        check_books(&world.app, world.merchant).await;
    }
    assert_eq!(paid + cancelled, 12);
    world.settle().await;
    world.check().await;
}

#[tokio::test]
async fn each_list_shows_its_own_and_can_be_searched_and_exported() {
    let mut world = World::connected().await;
    world.owe("paid@example.com", &["10.00"]).await;
    world.pay_all().await;
    world.settle().await;
    world.owe("by-hand@example.com", &["4.00"]).await;
    world.try_pay(&everything(), How::Manual { reference: "=check 7".into() }).await.unwrap();
    world.owe("paying@example.com", &["20.00"]).await;
    world.pay_all().await;
    world.owe("due@example.com", &["30.00"]).await;
    many(&mut world, "later@example.com", 3, 10).await;
    let client = ann(&world).await;
    for (path, shown, hidden) in [
        ("upcoming", vec!["later@example.com", "3 commissions: USD 0.03"], vec!["due@example.com", "paying@"]),
        ("processing", vec!["paying@example.com", "Being paid"], vec!["due@example.com", "paid@example.com", "later@"]),
        ("paid", vec!["paid@example.com", "via PayPal", "by-hand@example.com", "manual"], vec!["due@", "paying@"]),
        ("all", vec!["later@", "due@", "paying@", "by-hand@", "Upcoming", "Due", "Paid"], vec![]),
        ("all?standing=due", vec!["due@example.com"], vec!["later@", "paying@", "by-hand@"]),
        ("all?standing=upcoming", vec!["later@example.com"], vec!["due@", "paying@"]),
        ("all?standing=paying", vec!["paying@example.com"], vec!["due@", "by-hand@"]),
        ("all?standing=paid", vec!["paid@example.com", "by-hand@"], vec!["due@", "paying@"]),
        ("all?standing=unknown", vec!["No commission matches"], vec![]),
        ("all?standing=needs_a_person", vec!["No commission matches"], vec![]),
        ("all?standing=written_off", vec!["No commission matches"], vec![]),
        ("all?standing=cancelled", vec!["No commission matches"], vec![]),
        ("all?q=DUE%40example", vec!["due@example.com"], vec!["later@", "paying@"]),
        ("processing?q=nobody", vec!["No commission matches"], vec![]),
        ("upcoming?q=later%40example.com-2", vec!["later@example.com-2"], vec!["later@example.com-1"]),
        ("paid?q=by-hand", vec!["by-hand@example.com"], vec!["via PayPal"]),
        ("paid?q=1", vec!["paid@example.com"], vec!["by-hand@"]),
        ("paid?q=nobody", vec!["No payment matches"], vec![]),
    ] {
        let page = client.open(&format!("/affiliate_payments/{path}")).await;
        assert_eq!(page.status, 200, "{path}");
        let list = page.body.split("id=\"results\"").nth(1).map(crate::support::html::text).unwrap();
        for part in shown {
            assert!(list.contains(part), "{path} shows {part}: {list}");
        }
        for part in hidden {
            assert!(!list.contains(part), "{path} does not show {part}: {list}");
        }
    }
    let export = client.get("/affiliate_payments/all.csv?standing=due").await;
    assert!(export.header("content-disposition").starts_with("attachment; filename=\"commissions-all-"));
    assert_eq!(export.body.lines().count(), 2, "{}", export.body);
    assert!(export.body.contains("due@example.com,due@example.com,30.00,USD,"), "{}", export.body);
    let export = client.get("/affiliate_payments/paid.csv").await.body;
    assert!(export.contains("manual,'=check 7,4.00,USD"), "no cell runs: {export}");
    for list in ["upcoming", "processing", "paid", "all"] {
        let viewer = client.get(&format!("/affiliate_payments/{list}.csv")).await;
        assert_eq!((viewer.status, viewer.body.lines().count() > 1), (200, true), "{list}");
    }
    world.settle().await;
    world.check().await;
}

/// Walks a list to its end and back, and gives what it met on each way.
async fn walk(client: &Client, path: &str, email: &str) -> (Vec<String>, Vec<String>) {
    let references = |page: &Page| -> Vec<String> {
        let words = page.text();
        words.split_whitespace().filter(|word| word.starts_with(&format!("{email}-"))).map(str::to_owned).collect()
    };
    let link = |page: &Page, rel: &str| {
        let at = page.body.find(&format!("rel=\"{rel}\" href=\""))?;
        let rest = &page.body[at + rel.len() + 13..];
        Some(rest.split('"').next().unwrap().replace("&#38;", "&"))
    };
    let (mut there, mut back) = (Vec::new(), Vec::new());
    let mut page = client.open(path).await;
    loop {
        there.extend(references(&page));
        let Some(next) = link(&page, "next") else { break };
        page = client.open(&next).await;
    }
    loop {
        let mut met = references(&page);
        met.extend(back);
        back = met;
        let Some(previous) = link(&page, "prev") else { break };
        page = client.open(&previous).await;
    }
    (there, back)
}

#[tokio::test]
async fn pages_by_key_meet_every_row_once_on_both_ways() {
    let mut world = World::connected().await;
    many(&mut world, "many@example.com", 120, 1).await;
    let client = ann(&world).await;
    for path in ["upcoming", "all", "all?standing=upcoming", "all?q=many%40"] {
        let (there, back) = walk(&client, &format!("/affiliate_payments/{path}"), "many@example.com").await;
        assert_eq!(there.len(), 120, "{path}");
        assert_eq!(there, back, "{path}");
        let mut once = there.clone();
        once.sort();
        once.dedup();
        assert_eq!(once.len(), 120, "{path}");
    }
    world.advance(Duration::days(30));
    world.pay_all().await;
    let client = ann(&world).await;
    for path in ["processing", "all?standing=paying"] {
        let (there, back) = walk(&client, &format!("/affiliate_payments/{path}"), "many@example.com").await;
        assert_eq!((there.len(), there == back), (120, true), "{path}");
    }
    world.settle().await;
    world.check().await;
}

#[tokio::test]
async fn a_viewer_looks_and_changes_nothing() {
    let mut world = World::new().await;
    world.owe("ada@example.com", &["10.00"]).await;
    world.site.person("viewer@example.com", "Acme", stipend::role::Role::Viewer).await;
    let viewer = world.site.signed_in("viewer@example.com").await;
    for list in ["upcoming", "processing", "paid", "all"] {
        let page = viewer.open(&format!("/affiliate_payments/{list}")).await;
        assert_eq!(page.status, 200);
        assert!(!page.body.contains("type=\"checkbox\"") && !page.body.contains("Add commission"), "{list}");
    }
    assert_eq!(viewer.get("/commissions/new").await.status, 403);
    assert_eq!(viewer.get("/commissions/cancellation").await.status, 403);
    assert_eq!(viewer.post("/commissions", &[]).await.status, 403);
}
