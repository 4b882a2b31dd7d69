//! The start page: its figures are those of the lists behind them, recomputed here from the commissions one by one.

use crate::support::client::{Client, Page};
use crate::support::world::{World, dec, everything};
use rust_decimal::Decimal;
use std::collections::HashMap;
use stipend::id::{AffiliateId, CommissionId};
use stipend::money::{Currency, for_people};
use stipend::payout::draft::How;
use stipend::role::Role;
use time::Duration;

/// Sums by currency and standing, from every commission and the view alone.
async fn recomputed(world: &World) -> HashMap<(String, String), (Decimal, i64)> {
    let mut tx = world.tx().await;
    let rows: Vec<(String, String, Decimal, i64)> = sqlx::query_as(
        "select c.currency,
            case when s.standing <> 'owed' then s.standing when c.due_on > $2 then 'upcoming' else 'due' end,
            sum(c.amount), count(*)
        from commissions c join commission_standings s on s.merchant_id = c.merchant_id and s.id = c.id
        where c.merchant_id = $1
        group by 1, 2",
    )
    .bind(world.merchant)
    .bind(world.today())
    .fetch_all(&mut *tx)
    .await
    .unwrap();
    rows.into_iter().map(|(currency, standing, sum, count)| ((currency, standing), (sum, count))).collect()
}

/// The amounts that a CSV lists.
fn sum_of_csv(page: &Page) -> Decimal {
    let mut reader = csv::Reader::from_reader(page.body.as_bytes());
    let column = reader.headers().unwrap().iter().position(|name| ["Amount", "Due"].contains(&name)).unwrap();
    reader.records().map(|line| line.unwrap()[column].parse::<Decimal>().unwrap()).sum()
}

/// Every figure of the page for this currency: the address of its list, and the amount that the link shows.
fn figures(page: &Page, currency: &str) -> Vec<(String, String)> {
    let links = page.body.split("<a href=\"").skip(1);
    links
        .filter_map(|link| {
            let (href, rest) = link.split_once('"')?;
            let text = crate::support::html::text(rest.split("</a>").next()?.split_once('>')?.1);
            let amount = text.trim().strip_prefix(currency)?.trim().to_owned();
            let amount = amount.split_whitespace().next()?.to_owned();
            Some((href.replace("&#38;", "&").replace("&amp;", "&"), amount))
        })
        .collect()
}

/// Follows every figure to its list, takes the list as CSV, and finds the same sum there.
async fn every_figure_is_its_lists_sum(client: &Client, page: &Page, currency: Currency) -> usize {
    let figures = figures(page, currency.code());
    for (href, shown) in &figures {
        assert_eq!(client.get(href).await.status, 200, "{href}");
        let (path, query) = href.split_once('?').unwrap();
        let csv = client.get(&format!("{path}.csv?{query}")).await;
        assert_eq!(csv.status, 200, "{href}");
        // The due page's file has a line for each affiliate.
        assert_eq!(&for_people(sum_of_csv(&csv), currency), shown, "{href}: {}", csv.body);
    }
    figures.len()
}

/// Owes an amount that has been due for some days.
async fn owe_since(world: &World, affiliate: AffiliateId, amount: &str, days: i64) {
    let mut tx = world.tx().await;
    sqlx::query(
        "with new as (
            insert into commissions (merchant_id, id, affiliate_id, amount, currency, due_on, reference, created_at)
            values ($1, $2, $3, $4, 'USD', $5, $2::text, $6)
            returning merchant_id, id, affiliate_id, currency, due_on, amount
        )
        insert into owed (merchant_id, commission_id, affiliate_id, currency, due_on, amount) select * from new",
    )
    .bind(world.merchant)
    .bind(CommissionId::new())
    .bind(affiliate)
    .bind(dec(amount))
    .bind(world.today() - Duration::days(days))
    .bind(world.app.clock.now())
    .execute(&mut *tx)
    .await
    .unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn each_figure_is_the_sum_of_the_list_behind_it() {
    let mut world = World::connected().await;
    for who in ["good", "failed", "unregistered", "blocked", "onhold", "refunded", "pending"] {
        world.owe(&format!("{who}@example.com"), &["10.00", "2.50"]).await;
        world.owe_in("JPY", &format!("{who}@example.com"), &["1000"]).await;
    }
    world.pay_all().await;
    world.settle().await;
    world.advance(Duration::days(2));
    world.work().await;
    world.owe("hand@example.com", &["7.77"]).await;
    world.try_pay(&everything(), How::Manual { reference: "Wire".into() }).await.unwrap();
    world.fault(serde_json::json!({"call": "create", "what": "cut_before"})).await;
    world.owe("lost@example.com", &["31.00"]).await;
    world.pay_all().await;
    world.work().await;
    world.owe("new@example.com", &["80.00"]).await;
    let client = world.site.signed_in("ann@example.com").await;
    let home = client.open("/").await;
    assert_eq!(home.url, "/");
    let sums = recomputed(&world).await;
    for currency in [Currency::USD, Currency::JPY] {
        let page = client.open(&format!("/?currency={currency}")).await;
        let figures = figures(&page, currency.code());
        for (standing, part) in [
            ("due", "/affiliate_payments/pay?"),
            ("upcoming", "/affiliate_payments/upcoming?"),
            ("paying", "standing=paying"),
            ("unknown", "standing=unknown"),
            ("needs_a_person", "standing=needs_a_person"),
        ] {
            let (sum, _) = sums.get(&(currency.to_string(), standing.to_owned())).copied().unwrap_or_default();
            let (_, shown) = figures.iter().find(|(href, _)| href.contains(part)).unwrap();
            assert_eq!(shown, &for_people(sum, currency), "{currency} {standing}");
        }
        let checked = every_figure_is_its_lists_sum(&client, &page, currency).await;
        assert!(checked >= 5 + 12, "only {checked} figures of {currency} were found");
    }
    assert!(sums.contains_key(&("USD".into(), "unknown".into())), "one is in doubt: {sums:?}");
    world.no_more_faults().await;
    world.settle().await;
    world.check().await;
}

#[tokio::test]
async fn what_is_due_is_shown_by_its_age_and_what_was_paid_by_its_month() {
    let mut world = World::connected().await;
    world.owe("anna@example.com", &[]).await;
    let anna = world.affiliates["anna@example.com"];
    for (days, amount) in
        [(0, "1.00"), (6, "2.00"), (7, "4.00"), (29, "8.00"), (30, "16.00"), (89, "32.00"), (90, "64.00")]
    {
        owe_since(&world, anna, amount, days).await;
    }
    let client = world.site.signed_in("ann@example.com").await;
    let page = client.open("/").await;
    let text = page.text();
    for (age, sum) in [
        ("Less than 7 days", "3.00"),
        ("7 to 29 days", "12.00"),
        ("30 to 89 days", "48.00"),
        ("90 days and more", "64.00"),
    ] {
        let at = text.find(age).unwrap_or_else(|| panic!("{age}: {text}"));
        assert!(text[at..].trim_start_matches(age).trim_start().starts_with(&format!("USD {sum}")), "{age}: {text}");
    }
    every_figure_is_its_lists_sum(&client, &page, Currency::USD).await;
    world.pay_all().await;
    world.settle().await;
    world.advance(Duration::days(31));
    world.owe("anna@example.com", &["5.00"]).await;
    world.pay_all().await;
    world.settle().await;
    let client = world.site.signed_in("ann@example.com").await;
    let page = client.open("/").await;
    let months: Vec<_> = figures(&page, "USD").into_iter().filter(|(href, _)| href.contains("/paid?")).collect();
    let paid: Vec<&str> = months.iter().map(|(_, amount)| amount.as_str()).filter(|amount| *amount != "0.00").collect();
    assert_eq!(paid, ["127.00", "5.00"], "{months:?}");
    every_figure_is_its_lists_sum(&client, &page, Currency::USD).await;
    world.check().await;
}

#[tokio::test]
async fn what_came_back_leaves_its_month_again() {
    let mut world = World::connected().await;
    world.owe("refunded@example.com", &["10.00"]).await;
    world.owe("good@example.com", &["1.00"]).await;
    world.pay_all().await;
    world.settle().await;
    let client = world.site.signed_in("ann@example.com").await;
    assert!(client.open("/").await.text().contains("USD 11.00 in twelve months"));
    world.advance(Duration::days(2));
    world.work().await;
    let page = world.site.signed_in("ann@example.com").await.open("/").await;
    assert!(page.text().contains("USD 1.00 in twelve months"), "{}", page.text());
    world.check().await;
}

#[tokio::test]
async fn a_newcomer_is_led_through_what_is_missing() {
    let mut world = World::new().await;
    let client = world.site.signed_in("ann@example.com").await;
    let page = client.open("/").await.text();
    for words in ["Until you can pay", "Connect PayPal", "Add or import affiliates", "Nothing to pay yet"] {
        assert!(page.contains(words), "{words}: {page}");
    }
    world.connect("demo-client", "demo-secret").await;
    world.owe("anna@example.com", &["10.00"]).await;
    let page = client.open("/").await.text();
    assert!(!page.contains("Until you can pay") && page.contains("USD 10.00"), "{page}");
}

#[tokio::test]
async fn another_merchant_sees_none_of_it() {
    let mut world = World::connected().await;
    world.owe("anna@example.com", &["4321.00"]).await;
    world.pay_all().await;
    world.settle().await;
    world.owe("anna@example.com", &["1234.00"]).await;
    world.site.merchant("Bolt").await;
    world.site.person("bob@example.com", "Bolt", Role::Viewer).await;
    let page = world.site.signed_in("bob@example.com").await.open("/").await;
    assert!(!page.body.contains("4,321") && !page.body.contains("1,234") && page.text().contains("Nothing to pay yet"));
    let own = world.site.signed_in("ann@example.com").await.open("/").await;
    assert!(own.body.contains("4,321") && own.body.contains("1,234"));
    assert_eq!(dec("4321.00"), recomputed(&world).await[&("USD".to_owned(), "paid".to_owned())].0);
    world.check().await;
}
