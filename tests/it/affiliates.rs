//! Affiliates through the door: added, found, changed, archived, exported.

use crate::support::client::{Client, Page};
use crate::support::site::Site;
use stipend::id::MerchantId;

async fn add(client: &Client, fill: &[(&str, &str)]) -> Page {
    let page = client.open("/affiliates/new").await;
    client.submit(&page, "/affiliates", fill).await
}

/// Adds one and gives the address of its page.
async fn added(client: &Client, fill: &[(&str, &str)]) -> String {
    let page = add(client, fill).await;
    assert_eq!(page.status, 200, "{}", page.text());
    assert!(page.text().contains("The affiliate was added."), "{}", page.text());
    page.url
}

async fn acme(site: &Site) -> MerchantId {
    let mut tx = site.app.database.installation().await.unwrap();
    MerchantId(sqlx::query_scalar("select id from merchants where name = 'Acme'").fetch_one(&mut *tx).await.unwrap())
}

/// The audit's actions, in order.
async fn audit(site: &Site) -> Vec<(String, serde_json::Value)> {
    let mut tx = site.app.database.merchant(acme(site).await).await.unwrap();
    sqlx::query_as("select action, details from audit_entries where action like 'affiliate %' order by id")
        .fetch_all(&mut *tx)
        .await
        .unwrap()
}

#[tokio::test]
async fn an_affiliate_is_added_changed_and_archived_and_each_is_audited() {
    let site = Site::staffed().await;
    let client = site.signed_in("preparer@example.com").await;
    let ada = [("first_name", " Ada "), ("last_name", "Lovelace"), ("email", "ada@example.com"), ("code", "A-1")];
    let page = added(&client, &ada).await;
    let text = client.open(&page).await.text();
    for part in ["Ada Lovelace", "ada@example.com", "A-1", "Active", "No commissions yet"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let form = client.open(&format!("{page}/edit")).await;
    let saved = client.submit(&form, &page, &[("paypal_email", "ada@paypal.example")]).await;
    assert!(saved.text().contains("The changes were saved.") && saved.text().contains("ada@paypal.example"));
    assert!(saved.text().contains("changed "), "the page tells when the address changed: {}", saved.text());
    assert!(!client.open(&page).await.text().contains("The changes were saved."), "a message is shown once");

    let archived = client.submit(&saved, &format!("{page}/archival"), &[]).await;
    assert!(archived.text().contains("Archived") && archived.text().contains("What they are owed stays due"));
    assert!(!client.open("/affiliates").await.text().contains("Ada"));
    assert!(client.open("/affiliates?status=archived").await.text().contains("Ada"));
    let back = client.submit(&archived, &format!("{page}/restoration"), &[]).await;
    assert!(back.text().contains("active again"));

    let audit = audit(&site).await;
    let actions: Vec<&str> = audit.iter().map(|(action, _)| action.as_str()).collect();
    assert_eq!(actions, ["affiliate added", "affiliate changed", "affiliate archived", "affiliate taken back"]);
    assert_eq!(audit[1].1["old"]["paypal_email"], serde_json::Value::Null);
    assert_eq!(audit[1].1["new"]["paypal_email"], "ada@paypal.example");
}

#[tokio::test]
async fn a_bad_form_says_what_to_do_and_keeps_what_was_typed() {
    let site = Site::staffed().await;
    let client = site.signed_in("preparer@example.com").await;
    let long = "x".repeat(141);
    let over = format!("{}@{}.example", "a".repeat(60), "b".repeat(60));
    for (field, fill) in [
        ("email", vec![("email", "ada")]),
        ("email", vec![("first_name", "Ada")]),
        ("first_name", vec![("email", "a@b.co"), ("first_name", &long)]),
        ("code", vec![("code", &long)]),
        ("paypal_email", vec![("email", "a@b.co"), ("paypal_email", "jürgen@example.com")]),
        ("paypal_email", vec![("email", "a@b.co"), ("paypal_email", &over)]),
    ] {
        let page = add(&client, &fill).await;
        assert_eq!(page.status, 422, "{}", page.text());
        assert!(page.text().starts_with("Error:"), "{}", page.text());
        assert!(page.body.contains(&format!("href=\"#field-{field}\"")), "the summary leads to {field}");
        assert!(page.body.contains(&format!("id=\"wrong-{field}\"")), "{field} has its message");
        for (name, value) in fill {
            assert_eq!(page.form("/affiliates").value(name), Some(value));
        }
    }
    let script = "<script>alert('&\"')</script>";
    let page = add(&client, &[("email", "no"), ("first_name", script)]).await;
    assert!(!page.body.contains("<script>alert"));
    assert_eq!(page.form("/affiliates").value("first_name"), Some(script));
    assert!(client.open("/affiliates?status=all").await.text().contains("No affiliates yet"), "nothing is half done");
}

#[tokio::test]
async fn an_email_or_code_that_is_taken_is_a_message_at_its_field() {
    let site = Site::staffed().await;
    let client = site.signed_in("preparer@example.com").await;
    added(&client, &[("email", "ada@example.com"), ("code", "A-1")]).await;
    let page = add(&client, &[("email", "ADA@example.com")]).await;
    assert_eq!(page.status, 422);
    assert!(page.text().contains("Another affiliate has this email already."), "{}", page.text());
    let other = added(&client, &[("email", "grace@example.com")]).await;
    let form = client.open(&format!("{other}/edit")).await;
    let page = client.submit(&form, &other, &[("code", "a-1")]).await;
    assert_eq!(page.status, 422);
    assert!(page.body.contains("id=\"wrong-code\""));
    assert_eq!(page.form(&other).value("code"), Some("a-1"));
    site.merchant("Globex").await;
    site.person("homer@example.com", "Globex", stipend::role::Role::Preparer).await;
    added(&site.signed_in("homer@example.com").await, &[("email", "ada@example.com"), ("code", "A-1")]).await;
}

#[tokio::test]
async fn a_stale_form_loses_nothing() {
    let site = Site::staffed().await;
    let (one, other) = (site.signed_in("preparer@example.com").await, site.signed_in("admin@example.com").await);
    let page = added(&one, &[("email", "ada@example.com"), ("first_name", "Ada")]).await;
    let edit = format!("{page}/edit");
    let (first, second) = (one.open(&edit).await, other.open(&edit).await);
    assert_eq!(one.submit(&first, &page, &[("paypal_email", "first@example.com")]).await.status, 200);

    let stale = other.submit(&second, &page, &[("paypal_email", "second@example.com")]).await;
    assert_eq!(stale.status, 409);
    let text = stale.text();
    assert!(text.contains("saved is “first@example.com”, you typed “second@example.com”"), "{text}");
    assert_eq!(stale.form(&page).value("paypal_email"), Some("second@example.com"));
    assert!(other.open(&page).await.text().contains("first@example.com"), "nothing was overwritten");
    let again = other.submit(&stale, &page, &[]).await;
    assert!(again.text().contains("second@example.com") && again.status == 200, "knowingly it is");
}

#[tokio::test]
async fn only_a_new_receiver_counts_as_a_changed_address() {
    let site = Site::staffed().await;
    let client = site.signed_in("preparer@example.com").await;
    let page = added(&client, &[("email", "ada@example.com")]).await;
    let changed = async |fill: &[(&str, &str)]| {
        let form = client.open(&format!("{page}/edit")).await;
        assert_eq!(client.submit(&form, &page, fill).await.status, 200);
        let mut tx = site.app.database.merchant(acme(&site).await).await.unwrap();
        let at: Option<time::OffsetDateTime> =
            sqlx::query_scalar("select receiver_changed_at from affiliates").fetch_one(&mut *tx).await.unwrap();
        at
    };
    assert_eq!(changed(&[("first_name", "Ada"), ("code", "A-1")]).await, None);
    assert_eq!(changed(&[("paypal_email", "ADA@example.com")]).await, None, "the same address in other letters");
    let first = changed(&[("paypal_email", "ada@paypal.example")]).await;
    assert!(first.is_some());
    assert_eq!(changed(&[("email", "ada@new.example")]).await, first, "money still goes to the PayPal email");
    assert!(changed(&[("paypal_email", "")]).await > first, "now it goes to the email");
}

#[tokio::test]
async fn an_affiliate_without_an_address_says_so() {
    let site = Site::staffed().await;
    let client = site.signed_in("preparer@example.com").await;
    let page = added(&client, &[("code", "K-7")]).await;
    let text = client.open(&page).await.text();
    assert!(text.contains("cannot be paid through PayPal") && text.contains("K-7"), "{text}");
    assert!(client.open("/affiliates").await.text().contains("No address"));
    let other = added(&client, &[("email", "jürgen@example.com")]).await;
    assert!(client.open(&other).await.text().contains("127 plain characters"));
}

#[tokio::test]
async fn the_list_is_searched_sorted_and_paged_without_losing_anybody() {
    let site = Site::staffed().await;
    let actor = stipend::audit::Actor { person: None, address: None, at: site.app.clock.now() };
    let mut tx = site.app.database.merchant(acme(&site).await).await.unwrap();
    for number in 0..120 {
        let raw = stipend::affiliate::Raw {
            // Many of the same name, so that pages end among equals.
            first_name: format!("Name {}", number / 60),
            code: format!("C-{number:03}"),
            ..Default::default()
        };
        stipend::affiliate::add(&mut tx, &actor, &raw.parse().unwrap()).await.unwrap().unwrap();
    }
    tx.commit().await.unwrap();
    let client = site.signed_in("viewer@example.com").await;
    let codes = |page: &Page| -> Vec<String> {
        page.text().split_whitespace().filter(|word| word.starts_with("C-")).map(str::to_owned).collect()
    };
    let link = |page: &Page, rel: &str| {
        let after = page.body.split(&format!("rel=\"{rel}\" href=\"")).nth(1)?;
        Some(after.split('"').next().unwrap().replace("&#38;", "&"))
    };
    for sort in ["name", "name-desc", "newest", "oldest"] {
        let mut page = client.open(&format!("/affiliates?sort={sort}")).await;
        assert!(page.text().contains("120 affiliates"));
        assert_eq!(link(&page, "prev"), None);
        let mut seen = vec![codes(&page)];
        while let Some(next) = link(&page, "next") {
            page = client.open(&next).await;
            seen.push(codes(&page));
        }
        assert_eq!(seen.iter().map(Vec::len).collect::<Vec<_>>(), [50, 50, 20], "{sort}");
        let mut all = seen.concat();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 120, "{sort}: everybody once");
        for expected in seen.iter().rev().skip(1) {
            page = client.open(&link(&page, "prev").unwrap()).await;
            assert_eq!(&codes(&page), expected, "{sort}: the same page on the way back");
        }
        assert_eq!(link(&page, "prev"), None);
    }
    let found = client.open("/affiliates?q=c-07").await;
    assert_eq!(codes(&found).len(), 10);
    assert_eq!(codes(&client.open("/affiliates?q=%25").await), [""; 0], "a percent sign is only a percent sign");
    let fragment = site.signed_in("viewer@example.com").await.htmx().get("/affiliates?q=C-001").await;
    assert!(!fragment.body.contains("<html") && codes(&fragment) == ["C-001"], "{}", fragment.body);
}

#[tokio::test]
async fn the_export_has_the_filters_lines_and_no_formula() {
    let site = Site::staffed().await;
    let client = site.signed_in("preparer@example.com").await;
    added(&client, &[("email", "ada@example.com"), ("first_name", "=cmd|' /C calc'!A0"), ("code", "+1")]).await;
    added(&client, &[("email", "grace@example.com"), ("first_name", "Grace, \"Amazing\"")]).await;
    let file = site.signed_in("viewer@example.com").await.get("/affiliates.csv?q=example").await;
    assert_eq!((file.status, file.header("content-type")), (200, "text/csv; charset=utf-8"));
    assert!(file.header("content-disposition").starts_with("attachment; filename=\"affiliates-20"));
    let mut lines = csv::Reader::from_reader(file.body.as_bytes());
    assert_eq!(lines.headers().unwrap().get(0), Some("First name"));
    let lines: Vec<csv::StringRecord> = lines.records().map(Result::unwrap).collect();
    assert_eq!(lines.len(), 2);
    let cells: Vec<&str> = lines.iter().flat_map(csv::StringRecord::iter).collect();
    assert!(cells.contains(&"'=cmd|' /C calc'!A0") && cells.contains(&"'+1") && cells.contains(&"Grace, \"Amazing\""));
    assert!(!cells.iter().any(|cell| cell.starts_with(['=', '+', '-', '@'])));
    let one = client.get("/affiliates.csv?q=grace").await;
    assert_eq!(csv::Reader::from_reader(one.body.as_bytes()).records().count(), 1);
}

#[tokio::test]
async fn the_page_tells_due_upcoming_and_paid_per_currency() {
    let site = Site::staffed().await;
    let client = site.signed_in("preparer@example.com").await;
    let page = added(&client, &[("email", "ada@example.com")]).await;
    let affiliate: uuid::Uuid = page.rsplit('/').next().unwrap().parse().unwrap();
    let today = site.app.clock.today("Europe/Berlin");
    let mut tx = site.app.database.merchant(acme(&site).await).await.unwrap();
    for (reference, amount, currency, days, paid) in [
        ("R-1", "1000.50", "USD", 0, false),
        ("R-2", "234.50", "USD", -3, false),
        ("R-3", "7.00", "USD", 1, false),
        ("R-4", "1200", "JPY", -1, false),
        ("R-5", "99.99", "EUR", -9, true),
    ] {
        sqlx::query(
            "with added as (
                insert into commissions
                    (merchant_id, id, affiliate_id, amount, currency, due_on, reference, paid_before_on, created_at)
                values (current_merchant(), $1, $2, $3::numeric, $4, $5, $6, $7, $8)
                returning *
            )
            insert into owed
            select merchant_id, id, affiliate_id, currency, due_on, amount from added where paid_before_on is null",
        )
        .bind(uuid::Uuid::now_v7())
        .bind(affiliate)
        .bind(amount)
        .bind(currency)
        .bind(today + time::Duration::days(days))
        .bind(reference)
        .bind(paid.then_some(today))
        .bind(site.app.clock.now())
        .execute(&mut *tx)
        .await
        .unwrap();
    }
    tx.commit().await.unwrap();
    let text = client.open(&page).await.text();
    assert!(text.contains("Due JPY 1,200 USD 1,235.00 Upcoming USD 7.00 Paid EUR 99.99"), "{text}");
    for standing in ["R-1", "R-2", "R-3", "R-4", "R-5"] {
        assert!(text.contains(standing), "{text}");
    }
    let list = client.open("/affiliates").await.text();
    assert!(list.contains("JPY 1,200 USD 1,235.00"), "the list tells what is due: {list}");
    let file = client.get("/affiliates.csv").await.body;
    assert!(file.contains("JPY 1200; USD 1235.00"), "{file}");
}
