//! The rules of payment: set on their page, and kept wherever money is due or drafted.

mod addresses;
mod in_a_browser;

use crate::import::post_file;
use crate::support::client::{Client, Page};
use crate::support::world::{World, everything};
use stipend::import;
use stipend::money::Currency;
use stipend::payout::draft::{DraftError, How, draft};
use stipend::payout::selection::{self, DueRow, Ticked};
use time::Duration;

const RULES: &str = "/settings/rules";

/// Fills the form in as an admin would.
pub async fn save(client: &Client, fill: &[(&str, &str)]) -> Page {
    let page = client.open(RULES).await;
    let saved = client.submit(&page, RULES, fill).await;
    assert!(saved.text().contains("Saved. The rules hold from now on."), "{}", saved.text());
    saved
}

#[tokio::test]
async fn the_rules_are_kept_told_in_a_sentence_and_refused_where_they_make_no_sense() {
    let world = World::connected().await;
    let ann = world.site.signed_in("ann@example.com").await;
    let said = ann.open(RULES).await.text();
    assert!(said.contains("Every affiliate is paid for commissions as soon as they are due."), "{said}");
    let sentence = "Every affiliate with at least USD 20 is paid for commissions older than 30 days, after approval by a \
                    second person above USD 1,000.";
    let fill = [("minimum_USD", "20"), ("approval_above_USD", "1000"), ("waiting_days", "30")];
    let typed =
        "/settings/rules/sentence?minimum_USD=20&approval_above_USD=1000&waiting_days=30&hold_days=x&per_day_USD=,";
    let told = ann.open(typed).await;
    assert!(told.text().starts_with(sentence) && !told.body.contains("<html"), "as typed: {}", told.text());
    assert!(told.text().contains("for 3 days"), "what cannot be read is as it was: {}", told.text());
    let page = save(&ann, &fill).await;
    assert!(page.text().contains(sentence) && page.text().contains("Nobody else may approve"), "{}", page.text());
    let page = save(&ann, &[("currency_new", "JPY"), ("minimum_new", "3000"), ("minimum_USD", "")]).await;
    assert!(page.text().contains("with at least JPY 3,000 is paid"), "{}", page.text());

    let bad = [
        ("minimum_USD", "1,000"),
        ("per_day_JPY", "0.5"),
        ("per_payment_USD", "-1"),
        ("waiting_days", "soon"),
        ("hold_days", "61"),
        ("time_zone", "Mars"),
        ("approval_above_new", "5"),
    ];
    let refused = ann.submit(&page, RULES, &bad).await;
    assert_eq!(refused.status, 422);
    for (field, _) in bad.iter().take(6) {
        assert!(refused.body.contains(&format!("href=\"#field-{field}\"")), "{field}: {}", refused.text());
    }
    assert!(refused.text().contains("Choose the currency of these amounts."));
    assert!(
        refused.body.contains("value=\"1,000\"") && refused.body.contains("value=\"Mars\""),
        "what was typed stays"
    );
    assert!(ann.open(RULES).await.text().contains("JPY 3,000"), "nothing was changed");
    world.audited("payment rules changed").await;
}

#[tokio::test]
async fn below_the_minimum_money_carries_over_and_nobody_pays_it() {
    let mut world = World::connected().await;
    world.owe("low@example.com", &["5.00", "3.00"]).await;
    world.owe("high@example.com", &["20.00"]).await;
    world.owe_in("EUR", "low@example.com", &["1.00"]).await;
    let low = world.affiliates["low@example.com"];
    let ann = world.site.signed_in("ann@example.com").await;
    let before = world.review(&everything(), How::PayPal).await;
    save(&ann, &[("minimum_USD", "20")]).await;
    let late = draft(&world.app, world.merchant, &before).await.unwrap_err();
    assert!(matches!(&late, DraftError::Unpayable(lines) if lines.len() == 1), "{late}");

    let page = ann.open("/affiliate_payments/pay").await;
    assert!(page.text().contains("USD 8.00 of 20.00; carries over"), "{}", page.text());
    assert!(!page.body.contains(&format!("value=\"{low} USD\"")), "it cannot be ticked");
    assert!(page.body.contains(&format!("value=\"{low} EUR\"")), "another currency can");
    let sums = ann.open("/affiliate_payments/pay/sums").await.body;
    assert!(sums.contains(r#"["EUR","1.00"],["USD","20.00"]"#), "{sums}");
    assert!(ann.get("/affiliate_payments/pay.csv").await.body.contains("USD,2,8.00,USD 8.00 of 20.00; carries over"));
    let open = ann.open(&format!("/affiliate_payments/pay?open={low}%20USD")).await;
    assert!(!open.body.contains("name=\"commission\""), "nor single commissions of it");
    let own = ann.open(&format!("/affiliates/{low}")).await.text();
    assert!(own.contains("USD 8.00 of 20.00; carries over until it is that much."), "{own}");

    let token = page.form("/sign-out").value("token").unwrap().to_owned();
    let row = format!("{low} USD");
    let forced = [("token", token.as_str()), ("row", row.as_str()), ("how", "manual")];
    let nothing = ann.post("/affiliate_payments/selections", &forced).await;
    assert!(nothing.header("location").starts_with("/affiliate_payments/pay"), "nor by any forged form");
    let one = Ticked::These { rows: vec![DueRow { affiliate: low, currency: Currency::USD }], commissions: vec![] };
    assert!(world.try_review(&one, How::Manual { reference: "x".into() }).await.is_none());
    world.pay_all().await;
    world.settle().await;
    assert_eq!(world.paid().await.len(), 2, "everybody else");

    world.owe("low@example.com", &["12.00"]).await;
    world.pay_all().await;
    world.settle().await;
    assert_eq!(world.paid().await["low@example.com"].0, 2, "once it is enough, all of it");
    world.check().await;
}

#[tokio::test]
async fn an_affiliates_own_minimum_takes_the_place_of_everybodys() {
    let mut world = World::connected().await;
    world.owe("low@example.com", &["8.00"]).await;
    world.owe("high@example.com", &["25.00"]).await;
    let ann = world.site.signed_in("ann@example.com").await;
    save(&ann, &[("minimum_USD", "20")]).await;
    let set = async |email: &str, minimum: &str| {
        let at = format!("/affiliates/{}/minimum", world.affiliates[email]);
        let page = ann.open(&at).await;
        ann.submit(&page, &at, &[("currency", "USD"), ("minimum", minimum)]).await
    };
    assert_eq!(set("low@example.com", "much").await.status, 422);
    assert!(set("low@example.com", "0").await.text().contains("The minimum of this affiliate: none in USD."));
    assert!(set("high@example.com", "50").await.text().contains("Minimum payout USD 50.00"));
    let due = ann.open("/affiliate_payments/pay").await.text();
    assert!(due.contains("USD 25.00 of 50.00; carries over") && !due.contains("USD 8.00 of"), "{due}");
    world.pay_all().await;
    assert!(set("high@example.com", "").await.text().contains("The rule of everybody holds again in USD."));
    world.pay_all().await;
    world.settle().await;
    assert_eq!(world.paid().await.len(), 2);
    world.audited("minimum changed").await;
    world.check().await;
}

#[tokio::test]
async fn a_single_commission_below_the_minimum_is_refused_at_the_review() {
    let mut world = World::connected().await;
    let commissions = world.owe("ada@example.com", &["15.00", "15.00"]).await;
    let ann = world.site.signed_in("ann@example.com").await;
    save(&ann, &[("minimum_USD", "20")]).await;
    let mut tx = world.tx().await;
    let one = Ticked::These { rows: vec![], commissions: vec![commissions[0]] };
    let nothing = selection::select(&mut tx, &world.actor(), world.today(), &one).await.unwrap();
    assert_eq!(nothing, None, "a payment of 15.00 is below the minimum");
    drop(tx);
    world.pay_all().await;
    world.settle().await;
    world.check().await;
}

#[tokio::test]
async fn limits_refuse_in_words_and_in_the_draft() {
    let mut world = World::connected().await;
    let ann = world.site.signed_in("ann@example.com").await;
    world.owe("ada@example.com", &["70.00"]).await;
    world.owe("tom@example.com", &["50.00"]).await;
    save(&ann, &[("per_payment_USD", "100"), ("per_day_USD", "110")]).await;
    let over = crate::approval::review(&ann, "paypal").await;
    let words = "One payment comes to at most USD 100.00, and this one comes to USD 120.00.";
    assert!(over.text().contains(words), "{}", over.text());
    assert!(!over.text().contains("Pay 2 affiliates"), "nothing to press");
    for how in [How::PayPal, How::Export] {
        let refused = world.try_pay(&everything(), how).await.unwrap_err();
        assert!(matches!(refused, DraftError::OverLimit(_)), "{refused}");
    }
    let of = |email: &str| Ticked::These {
        rows: vec![DueRow { affiliate: world.affiliates[email], currency: Currency::USD }],
        commissions: vec![],
    };
    world.try_pay(&of("ada@example.com"), How::PayPal).await.unwrap();
    let over = crate::approval::review(&ann, "paypal").await;
    let words = "The payments of one day come to at most USD 110.00; USD 40.00 of it is left today.";
    assert!(over.text().contains(words), "{}", over.text());
    let fields = over.form("/payouts").filled(&[]);
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(ann.post("/payouts", &fields).await.status, 422);
    world.settle().await;
    assert_eq!(world.paid().await.len(), 1);
    world.advance(Duration::days(1));
    world.try_pay(&of("tom@example.com"), How::PayPal).await.unwrap();
    world.settle().await;
    assert_eq!(world.paid().await.len(), 2, "the next day is another day");
    world.check().await;
}

#[tokio::test]
async fn what_comes_in_without_a_due_date_waits_its_days() {
    let world = World::connected().await;
    let ann = world.site.signed_in("ann@example.com").await;
    save(&ann, &[("waiting_days", "30")]).await;
    let form = ann.open("/commissions/new").await;
    let due = (world.today() + Duration::days(30)).to_string();
    assert_eq!(form.form("/commissions").value("due_on"), Some(due.as_str()), "by hand it is suggested");

    let affiliates = ann.open("/affiliates/new").await;
    ann.submit(&affiliates, "/affiliates", &[("email", "ada@example.com")]).await;
    let token = ann.open("/affiliates").await.form("/sign-out").value("token").unwrap().to_owned();
    let file = b"Affiliate,Amount,Currency,Earned on,Reference\nada@example.com,5.00,USD,2026-01-01,A-1\n";
    for round in 0..2 {
        let at = post_file(&ann, "/imports/new/commissions", &token, "c.csv", file).await.header("location").to_owned();
        let page = ann.open(&at).await;
        let checked = ann.submit(&page, &format!("{at}/mapping"), &[("decimal", "point"), ("dates", "iso")]).await;
        assert!(checked.status == 200, "{}", checked.text());
        while import::next(&world.app).await.unwrap() {}
        let found = ann.open(&at).await;
        if round == 0 {
            ann.submit(&found, &format!("{at}/confirmation"), &[]).await;
            while import::next(&world.app).await.unwrap() {}
            // Other rules from now on do not make the same file another one.
            save(&ann, &[("waiting_days", "10")]).await;
        } else {
            assert!(!found.text().contains("with other content"), "{}", found.text());
        }
    }
    let mut tx = world.tx().await;
    let due: time::Date = sqlx::query_scalar("select due_on from commissions where merchant_id = $1")
        .bind(world.merchant)
        .fetch_one(&mut *tx)
        .await
        .unwrap();
    assert_eq!(due, time::macros::date!(2026 - 01 - 31));
    drop(tx);
    world.check().await;
}

#[tokio::test]
async fn another_time_zone_moves_the_days_of_what_was_paid() {
    let mut world = World::connected().await;
    let ann = world.site.signed_in("ann@example.com").await;
    for _ in 0..4 {
        world.owe("ada@example.com", &["10.00"]).await;
        world.pay_all().await;
        world.settle().await;
        world.advance(Duration::hours(7));
    }
    let ann_again = world.site.signed_in("ann@example.com").await;
    for zone in ["Pacific/Auckland", "America/Los_Angeles"] {
        let page = save(&ann_again, &[("time_zone", zone)]).await;
        assert!(page.text().contains(&format!("Dates are in {zone}.")), "{}", page.text());
        world.check().await;
    }
    drop(ann);
}
