//! What can be reconciled: payments with every id, statements whose sums add up, files of both.

use crate::support::client::Page;
use crate::support::world::{World, dec, everything};
use rust_decimal::Decimal;
use std::collections::HashMap;
use stipend::payout::draft::How;
use stipend::role::Role;
use time::Duration;

/// The lines of a CSV, each by its headings.
fn lines(page: &Page) -> Vec<HashMap<String, String>> {
    assert_eq!((page.status, page.header("content-type")), (200, "text/csv; charset=utf-8"), "{}", page.body);
    let mut reader = csv::Reader::from_reader(page.body.as_bytes());
    let heading = reader.headers().unwrap().clone();
    let line =
        |line: csv::StringRecord| heading.iter().map(str::to_owned).zip(line.iter().map(str::to_owned)).collect();
    reader.records().map(|record| line(record.unwrap())).collect()
}

fn sum(lines: &[HashMap<String, String>]) -> Decimal {
    lines.iter().map(|line| dec(&line["Amount"])).sum()
}

/// The numbers in a statement's row of sums: owed before, earned, paid, owed after.
fn sums(page: &Page, currency: &str) -> [Decimal; 4] {
    let row = page.body.split("<tr>").find(|row| row.contains(&format!("<th scope=\"row\">{currency}</th>")));
    let row = row.unwrap_or_else(|| panic!("no sums in {currency}: {}", page.text()));
    let cells = row.split("class=\"amount\">").skip(1);
    let number = |cell: &str| {
        let text = crate::support::html::text(cell);
        text.split_whitespace().next().unwrap().replace(',', "").parse().unwrap()
    };
    cells.map(number).collect::<Vec<_>>().try_into().unwrap()
}

#[tokio::test]
async fn a_payment_can_be_found_at_paypal_by_every_id_it_has() {
    let mut world = World::connected().await;
    for who in ["anna", "failed", "unregistered"] {
        world.owe(&format!("{who}@example.com"), &["10.00", "2.50"]).await;
    }
    let batch = world.pay_all().await[0];
    world.settle().await;
    let client = world.site.signed_in("ann@example.com").await;
    let bank = world.bank().await;
    let at_paypal = &bank["batches"][0];
    let anna = world.affiliates["anna@example.com"];
    let page = client.open(&format!("/affiliates/{anna}/payments")).await;
    let statement = client.open(&format!("/batches/{batch}/statement")).await;
    let file = lines(&client.open(&format!("/affiliates/{anna}/payments.csv")).await);
    let of_batch = lines(&client.open(&format!("/batches/{batch}/items.csv")).await);
    let paid = lines(&client.open("/affiliate_payments/paid.csv").await);
    assert_eq!((file.len(), of_batch.len(), paid.len()), (1, 3, 1));
    let items = at_paypal["items"].as_array().unwrap();
    let item = items.iter().find(|item| item["receiver"] == "anna@example.com").unwrap();
    let ids =
        [&at_paypal["payout_batch_id"], &item["payout_item_id"], &item["transaction_id"], &item["sender_item_id"]];
    for id in ids.map(|id| id.as_str().unwrap_or_else(|| panic!("the bank says {at_paypal}"))) {
        let in_file = |lines: &[HashMap<String, String>]| lines.iter().any(|line| line.values().any(|cell| cell == id));
        assert!(in_file(&file) && in_file(&of_batch) && in_file(&paid), "{id} is missing in a file");
        assert!(statement.body.contains(id), "{id} is missing in the statement");
        assert!(page.body.contains(id) || id == item["sender_item_id"], "{id} is missing on the page");
    }
    assert!(dec(&file[0]["Fee"]) > Decimal::ZERO && file[0]["Fee currency"] == "USD", "{file:?}");
    assert!(statement.text().contains("Not accepted yet 1 USD 12.50"), "{}", statement.text());
    assert!(statement.text().contains("Whole batch 3 USD 37.50"), "{}", statement.text());
    world.check().await;
}

#[tokio::test]
async fn what_is_owed_after_is_what_was_owed_before_and_earned_less_what_was_paid() {
    let mut world = World::connected().await;
    let first = world.today();
    for _ in 0..4 {
        for who in ["anna", "refunded", "unregistered"] {
            world.owe(&format!("{who}@example.com"), &["10.00", "2.50"]).await;
            world.owe_in("JPY", &format!("{who}@example.com"), &["1000"]).await;
        }
        world.pay_all().await;
        world.settle().await;
        world.advance(Duration::days(5));
        world.work().await;
    }
    world.owe("anna@example.com", &["7.77"]).await;
    world.try_pay(&everything(), How::Manual { reference: "Wire".into() }).await.unwrap();
    world.owe("anna@example.com", &["100.00"]).await;
    let client = world.site.signed_in("ann@example.com").await;
    let last = world.today();
    for who in ["anna", "refunded", "unregistered"] {
        let id = world.affiliates[&format!("{who}@example.com")];
        let statement = async |from: time::Date, through: time::Date| {
            client.open(&format!("/affiliates/{id}/statement?from={from}&through={through}")).await
        };
        for currency in ["USD", "JPY"] {
            let whole = sums(&statement(first - Duration::days(9), last).await, currency);
            assert_eq!(whole[0], Decimal::ZERO, "nothing was owed before anything was earned");
            assert_eq!(whole[0] + whole[1] - whole[2], whole[3], "{who} {currency}");
            let mut tx = world.tx().await;
            let owed: Decimal = sqlx::query_scalar(
                "select coalesce(sum(c.amount), 0) from commissions c
                join commission_standings s on s.merchant_id = c.merchant_id and s.id = c.id
                where c.merchant_id = $1 and c.affiliate_id = $2 and c.currency = $3 and s.standing <> 'paid'",
            )
            .bind(world.merchant)
            .bind(id)
            .bind(currency)
            .fetch_one(&mut *tx)
            .await
            .unwrap();
            assert_eq!(whole[3], owed, "{who} {currency}: what is owed at the end is what is not paid");
            drop(tx);
            // Any cut in two gives the same.
            for days in [0, 4, 5, 11, 19] {
                let cut = first + Duration::days(days);
                let one = sums(&statement(first - Duration::days(9), cut).await, currency);
                let two = sums(&statement(cut + Duration::days(1), last).await, currency);
                assert_eq!(one[3], two[0], "{who} {currency} cut on day {days}");
                assert_eq!((one[1] + two[1], one[2] + two[2], two[3]), (whole[1], whole[2], whole[3]));
            }
        }
    }
    let anna = world.affiliates["anna@example.com"];
    let page = client.open(&format!("/affiliates/{anna}/statement?from={first}&through={last}")).await;
    assert!(page.text().contains("Wire") && !page.text().contains("USD 0.25"), "no fee in it: {}", page.text());
    world.check().await;
}

#[tokio::test]
async fn payments_of_a_range_of_days_are_those_days_payments() {
    let mut world = World::connected().await;
    let first = world.today();
    for amount in ["1.00", "2.00", "4.00"] {
        world.owe("anna@example.com", &[amount]).await;
        world.owe_in("EUR", "anna@example.com", &[amount]).await;
        world.pay_all().await;
        world.settle().await;
        world.advance(Duration::days(10));
    }
    let client = world.site.signed_in("ann@example.com").await;
    let day = |days: i64| (first + Duration::days(days)).to_string();
    for (from, through, currency, expected) in [
        (String::new(), String::new(), "", "14.00"),
        (day(0), day(0), "USD", "1.00"),
        (day(1), day(15), "USD", "2.00"),
        (day(5), String::new(), "EUR", "6.00"),
        (day(1), day(9), "", "0"),
    ] {
        let path = format!("/affiliate_payments/paid.csv?from={from}&through={through}&currency={currency}");
        assert_eq!(sum(&lines(&client.open(&path).await)), dec(expected), "{path}");
        assert_eq!(client.open(&path.replace(".csv", "")).await.status, 200);
    }
    world.check().await;
}

#[tokio::test]
async fn nobody_else_sees_a_statement() {
    let mut world = World::connected().await;
    world.owe("anna@example.com", &["10.00"]).await;
    let batch = world.pay_all().await[0];
    world.settle().await;
    world.site.merchant("Bolt").await;
    world.site.person("bob@example.com", "Bolt", Role::Admin).await;
    let client = world.site.signed_in("bob@example.com").await;
    let anna = world.affiliates["anna@example.com"];
    for path in [
        format!("/affiliates/{anna}/statement"),
        format!("/affiliates/{anna}/payments.csv"),
        format!("/batches/{batch}/statement"),
    ] {
        assert_eq!(client.get(&path).await.status, 404, "{path}");
    }
    assert_eq!(lines(&client.open("/affiliate_payments/paid.csv").await).len(), 0);
    world.check().await;
}
