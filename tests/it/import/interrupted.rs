//! Imports that are cut off, done twice or done by several at once; and whom they belong to.

use super::{Desk, HEADER, ISO, file};
use crate::support::books::check_books;
use std::future::Future;
use std::pin::pin;
use std::task::Poll;
use stipend::import::{self, Kind, Upload};
use time::Duration;

/// Polls so often, and drops the future wherever it is then.
async fn cut_off<T>(work: impl Future<Output = T>, polls: usize) -> Option<T> {
    let mut work = pin!(work);
    let mut left = polls;
    std::future::poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        work.as_mut().poll(context).map(Some)
    })
    .await
}

#[tokio::test]
async fn a_check_or_an_import_that_is_cut_off_anywhere_goes_on_and_doubles_nothing() {
    let desk = Desk::open().await;
    desk.affiliates().await;
    let lines: Vec<String> = (0..25_000).map(|n| format!("ADA,{n}.25,USD,2026-02-0{},R-{n},,", n % 9 + 1)).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let page = desk.upload("commissions", "many.csv", file(&lines)).await;
    desk.client.submit(&page, &format!("{}/mapping", page.url), &ISO).await;
    let app = &desk.site.app;
    // Each step is cut off after its first poll, its second, and so on, until it comes to its end.
    let cut_until_done = async |state: &str| {
        let mut cuts = 0;
        for _ in 0..100 {
            for polls in 1.. {
                match cut_off(import::next(app), polls).await.map(Result::unwrap) {
                    Some(true) => break,
                    // Nothing left, or what was cut off just now has not let go of its lock yet.
                    Some(false) if desk.client.open(&page.url).await.text().contains(state) => {
                        assert!(cuts > 10, "it was cut off {cuts} times only");
                        return;
                    }
                    Some(false) => {}
                    None => cuts += 1,
                }
            }
            check_books(app, desk.merchant).await;
        }
        panic!("never {state}");
    };
    cut_until_done("25,000 lines: 25,000 ready, 0 with problems, 0 already known.").await;
    let checked = desk.client.open(&page.url).await;
    desk.client.submit(&checked, &format!("{}/confirmation", page.url), &[]).await;
    cut_until_done("Done: 25,000 commissions imported, 0 with problems, 0 already known.").await;
    assert_eq!(desk.count("select count(*) from commissions").await, 25_000);
    assert_eq!(desk.count("select count(distinct reference) from commissions").await, 25_000);
}

#[tokio::test]
async fn several_instances_work_on_one_import_without_doubling_anything() {
    let desk = Desk::open().await;
    desk.affiliates().await;
    let lines: Vec<String> = (1..=25_000).map(|n| format!("ADA,{n}.25,USD,2026-02-01,R-{n},,")).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let page = desk.upload("commissions", "many.csv", file(&lines)).await;
    desk.client.submit(&page, &format!("{}/mapping", page.url), &ISO).await;
    let three = async || {
        tokio::join!(desk.work(), desk.work(), desk.work());
        desk.work().await;
    };
    three().await;
    let checked = desk.client.open(&page.url).await;
    assert!(checked.text().contains("25,000 ready"), "{}", checked.text());
    desk.client.submit(&checked, &format!("{}/confirmation", page.url), &[]).await;
    three().await;
    assert!(desk.client.open(&page.url).await.text().contains("Done: 25,000 commissions imported, 0 with problems"));
    check_books(&desk.site.app, desk.merchant).await;
}

#[tokio::test]
async fn what_was_entered_since_the_check_is_never_overwritten() {
    let desk = Desk::open().await;
    desk.affiliates().await;
    let lines = ["ADA,5.00,USD,2026-02-01,R-1,,", "ADA,6.00,USD,2026-02-01,R-2,,", "ADA,7.00,USD,2026-02-01,R-3,,"];
    let first = desk.checked("commissions", file(&lines), &ISO).await;
    let second = desk.checked("commissions", file(&[lines[1], "ADA,9.99,USD,2026-02-01,R-3,,"]), &ISO).await;
    assert!(second.text().contains("2 ready"), "nothing of the first is in yet");
    desk.confirmed(&first).await;
    let done = desk.confirmed(&second).await;
    assert!(done.text().contains("Done: 0 commissions imported, 1 with problems, 1 already known."), "{}", done.text());
    assert!(done.text().contains("The reference “R-3” exists already, with other content: USD 7.00."));
    assert_eq!(desk.count("select count(*) from commissions where amount = 7").await, 1);
}

#[tokio::test]
async fn the_columns_can_be_changed_after_a_check_and_the_file_removed() {
    let desk = Desk::open().await;
    desk.affiliates().await;
    let page = desk.checked("commissions", file(&["ADA,\"5,00\",USD,2026-02-01,R-1,,"]), &ISO).await;
    assert!(page.text().contains("0 ready, 1 with problems"));
    let mapping = format!("{}/mapping", page.url);
    let form = desk.client.open(&mapping).await;
    assert_eq!(form.form(&mapping).value("decimal"), Some("point"), "what was said is kept");
    desk.client.submit(&form, &mapping, &[("decimal", "comma")]).await;
    desk.work().await;
    let page = desk.client.open(&page.url).await;
    assert!(page.text().contains("1 line: 1 ready, 0 with problems"), "{}", page.text());
    let removed = desk.client.submit(&page, &format!("{}/removal", page.url), &[]).await;
    assert!(removed.text().contains("file.csv was removed. Nothing of it has come in."), "{}", removed.text());
    assert_eq!(desk.client.get(&page.url).await.status, 404);
    let tables =
        "select (select count(*) from imports where kind = 'commissions') + (select count(*) from import_parts)
        + (select count(*) from import_commissions) + (select count(*) from import_problems)";
    assert_eq!(desk.count(tables).await, 0);
}

#[tokio::test]
async fn a_form_sent_twice_imports_once() {
    let desk = Desk::open().await;
    desk.affiliates().await;
    let page = desk.checked("commissions", file(&["ADA,5.00,USD,2026-02-01,R-1,,"]), &ISO).await;
    let address = format!("{}/confirmation", page.url);
    let (one, two) =
        tokio::join!(desk.client.submit_once(&page, &address, &[]), desk.client.submit_once(&page, &address, &[]));
    assert_eq!((one.status, two.status), (303, 303));
    desk.work().await;
    let late = desk.client.submit(&page, &address, &[]).await;
    assert!(late.text().contains("has moved on meanwhile") && late.text().contains("Done: 1 commission imported"));
    assert_eq!(desk.count("select count(*) from commissions").await, 1);
}

#[tokio::test]
async fn progress_is_polled_until_it_ends() {
    let desk = Desk::open().await;
    desk.affiliates().await;
    let page = desk.upload("commissions", "f.csv", file(&["ADA,5.00,USD,2026-02-01,R-1,,"])).await;
    let moving = desk.client.submit(&page, &format!("{}/mapping", page.url), &ISO).await;
    assert!(moving.text().contains("0 of 1 lines checked") && moving.body.contains("hx-trigger=\"every 1s\""));
    let htmx = desk.site.signed_in("viewer@example.com").await.htmx();
    let fragment = htmx.get(&page.url).await;
    assert_eq!(fragment.status, 200);
    assert!(fragment.body.contains("id=\"stage\"") && !fragment.body.contains("<html"));
    desk.work().await;
    let last = htmx.get(&page.url).await;
    assert_eq!(last.status, 286, "the answer that ends the polling");
    assert!(last.text().contains("1 ready") && !last.body.contains("hx-trigger"));
    assert!(!last.body.contains("<form"), "a viewer only looks");
}

#[tokio::test]
async fn an_upload_that_breaks_off_is_forgotten() {
    let desk = Desk::open().await;
    let app = &desk.site.app;
    let mut tx = app.database.installation().await.unwrap();
    let person = sqlx::query_scalar("select id from people where email = 'preparer@example.com'").fetch_one(&mut *tx);
    let person = stipend::id::PersonId(person.await.unwrap());
    drop(tx);
    let line = "ada@example.com,1.00,USD,2026-01-01,R,,\n";
    let actor = stipend::audit::Actor { person: Some(person), address: None, at: app.clock.now() };
    let mut upload = Upload::new(app, desk.merchant, person, Kind::Commissions, "half.csv");
    upload.push(format!("{HEADER}\n{}", line.repeat(20_000)).as_bytes()).await.unwrap();
    desk.work().await;
    assert_eq!(desk.count("select count(*) from imports where state = 'uploading'").await, 1, "it may still go on");
    app.clock.set_offset(Duration::minutes(11));
    desk.work().await;
    assert_eq!(desk.count("select count(*) from imports").await, 0);
    assert_eq!(desk.count("select count(*) from import_parts").await, 0);
    let late = upload.finish(&actor).await.unwrap_err();
    assert!(late.to_string().contains("given up"), "{late}");
    assert_eq!(desk.count("select count(*) from import_parts").await, 0);
}

#[tokio::test]
async fn an_import_belongs_to_its_merchant_and_a_viewer_only_looks() {
    let desk = Desk::open().await;
    let page = desk.upload("affiliates", "ours.csv", "email\nada@example.com\n").await;
    desk.site.merchant("Other").await;
    desk.site.person("other@example.com", "Other", stipend::role::Role::Admin).await;
    let other = desk.site.signed_in("other@example.com").await;
    for path in ["", "/mapping", "/problems.csv"] {
        assert_eq!(other.get(&format!("{}{path}", page.url)).await.status, 404, "{path}");
    }
    let token =
        other.open("/imports/new/affiliates").await.form("/imports/new/affiliates").value("token").unwrap().to_owned();
    for path in ["mapping", "confirmation", "removal"] {
        let answer = other.post(&format!("{}/{path}", page.url), &[("token", &token), ("email", "0")]).await;
        assert_eq!(answer.status, 404, "{path}");
    }
    assert!(!other.open("/imports").await.text().contains("ours.csv"));
    let viewer = desk.site.signed_in("viewer@example.com").await;
    assert!(viewer.open("/imports").await.text().contains("ours.csv"));
    assert_eq!(viewer.get("/imports/new/affiliates").await.status, 403);
    assert_eq!(viewer.open(&page.url).await.status, 200);
    for kind in ["affiliates", "commissions"] {
        let example = viewer.get(&format!("/imports/example/{kind}.csv")).await;
        assert_eq!(example.status, 200);
        let checked = desk.checked(kind, &example.body, if kind == "affiliates" { &[] } else { &ISO }).await;
        assert!(checked.text().contains(" 0 with problems"), "the example is a good file: {}", checked.text());
        desk.confirmed(&checked).await;
    }
}
