//! Yesterday's backup is restored. It has forgotten a payment, and one that it shows as unsent was sent since.

use crate::approval::{approve, ask, office};
use crate::by_file;
use crate::pictures::shoot;
use crate::support::browser::{Browser, Script};
use crate::support::client::{Client, Page};
use crate::support::program::{RunAs, program};
use crate::support::site::PASSWORD;
use crate::support::world::{World, decimal, everything};
use crate::webhooks::listening;
use std::path::Path;
use std::process::{Command, Output};
use stipend::clock::Clock;
use stipend::connection::dropzone::Outcome;
use stipend::id::AffiliateId;
use stipend::money::Currency;
use stipend::payout::draft::{DraftError, How};
use stipend::payout::manual;
use stipend::payout::restoration::{self, look};
use stipend::payout::selection::{DueRow, Ticked};
use stipend::verify;
use stipend::web::TOKEN_FIELD;
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

/// Postgres's own programs, which come with its server.
fn run(name: &str, args: &[&str]) {
    let output = Command::new(name).args(args).output().unwrap_or_else(|error| {
        panic!("{name} cannot be run ({error}); install Postgres's client programs (Debian: postgresql-client)")
    });
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
}

fn affiliate(world: &World, email: &str) -> AffiliateId {
    world.affiliates[email]
}

fn due(world: &World, email: &str) -> Ticked {
    let row = DueRow { affiliate: affiliate(world, email), currency: Currency::USD };
    Ticked::These { rows: vec![row], commissions: Vec::new() }
}

fn restored(world: &World, since: OffsetDateTime) -> Output {
    let mut command = program(RunAs::Us);
    command.args(["restored", "--since", &since.format(&Rfc3339).unwrap()]);
    command.env("DATABASE_URL", &world.site.database_url).output().unwrap()
}

/// A backup of the database as it is.
struct Backup {
    file: String,
    url: String,
    made_at: OffsetDateTime,
}

fn back_up(world: &World) -> Backup {
    let made_at = Clock::system().now() - Duration::SECOND;
    let file = std::env::temp_dir().join(format!("stipend-backup-{}.sql", uuid::Uuid::now_v7())).display().to_string();
    let url = world.site.database_url.clone();
    run("pg_dump", &["--clean", "--if-exists", "--file", &file, &url]);
    Backup { file, url, made_at }
}

/// It comes back, and the operator says so.
fn restore(world: &World, backup: &Backup) {
    let Backup { file, url, made_at } = backup;
    run("psql", &["--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1", "--single-transaction", "--file", file, url]);
    std::fs::remove_file(file).unwrap();
    let told = restored(world, *made_at);
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    assert!(String::from_utf8_lossy(&told.stdout).starts_with("1 merchant stays paused"));
}

/// A world in which b and d were paid after the backup that is now restored; c is still due. Of d the backup has the
/// batch, unsent; of e too, and that was taken back since and paid by another.
async fn after_a_restore() -> (World, OffsetDateTime) {
    let mut world = listening().await;
    for (email, amount) in [("a", "10.00"), ("b", "20.00"), ("c", "30.00"), ("d", "40.00"), ("e", "50.00")] {
        world.owe(&format!("{email}@example.com"), &[amount]).await;
    }
    world.try_pay(&due(&world, "a@example.com"), How::PayPal).await.unwrap();
    world.settle().await;
    world.try_pay(&due(&world, "d@example.com"), How::PayPal).await.unwrap();
    let taken_back = world.try_pay(&due(&world, "e@example.com"), How::PayPal).await.unwrap()[0];
    let backup = back_up(&world);

    manual::cancel(&world.app, world.merchant, &world.actor(), taken_back).await.unwrap().unwrap();
    world.try_pay(&due(&world, "b@example.com"), How::PayPal).await.unwrap();
    world.try_pay(&due(&world, "e@example.com"), How::PayPal).await.unwrap();
    world.settle().await;
    assert_eq!(world.paid().await.len(), 4);
    restore(&world, &backup);
    assert_eq!(world.standings().await["owed"], 2, "b looks due again");
    verified(&world).await;
    (world, backup.made_at)
}

/// PayPal's activity: what its bank did, and a payment that somebody made on PayPal's own page.
async fn activity(world: &World) -> String {
    let mut report = "Date,Type,Status,Currency,Gross,To Email Address,Transaction ID\n".to_owned();
    for batch in world.bank().await["batches"].as_array().unwrap() {
        for item in batch["items"].as_array().unwrap() {
            report.push_str(&format!(
                "2026-05-01,Mass Pay Payment,Completed,USD,-{},{},{}\n",
                decimal(&item["money_moved"]),
                item["receiver"].as_str().unwrap(),
                item["transaction_id"].as_str().unwrap()
            ));
        }
    }
    report
        + "2026-05-01,Mass Pay Payment,Completed,USD,-5.00,by.hand@example.com,BYHAND\n\
              2026-05-01,Website Payment,Completed,USD,-7.00,shop@example.com,SHOPPING\n\
              2026-05-01,Mass Pay Payment,Failed,USD,-9.00,failed@example.com,FAILED1\n"
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_backup_pays_nobody_before_it_is_matched_and_signed_off() {
    let (world, _) = after_a_restore().await;
    let sent = world.calls("create").await;
    for how in [How::PayPal, How::Export] {
        assert!(matches!(world.try_pay(&everything(), how).await, Err(DraftError::Restored)));
    }
    world.work().await;
    world.advance(Duration::days(3));
    world.work().await;
    assert_eq!(world.calls("create").await, sent, "what the backup shows as unsent waits too");

    while look::next(&world.app).await.unwrap() {}
    let ann = world.site.signed_in("ann@example.com").await;
    assert_eq!(
        (world.in_state("accepted").await, world.in_state("stuck").await),
        (2, 1),
        "PayPal’s list shows that of d"
    );
    let page = upload(&ann, &activity(&world).await).await;
    assert!(page.text().contains("The report shows 5 payments, 2 of them not known here"), "{}", page.text());
    assert!(page.text().contains("Batch 2 is not finished and pays just this."), "{}", page.text());
    let early = ann.submit(&page, "/restoration/sign-off", &[("looked_at", "PayPal’s activity")]).await;
    assert!(early.text().contains("PayPal is still being asked about batches"), "{}", early.text());
    world.work().await;
    let page = ann.open("/affiliate_payments/pay").await;
    assert!(page.text().contains("Restored from a backup: nothing is paid"), "{}", page.text());
    let page = ann.open("/restoration").await;
    assert!(page.text().contains("b@example.com") && page.text().contains("USD 20.00"), "{}", page.text());
    assert!(!page.text().contains(" d@example.com"), "it has told its transactions: {}", page.text());
    let early = ann.submit(&page, "/restoration/sign-off", &[("looked_at", "nowhere")]).await;
    assert_eq!(early.status, 422);
    assert!(early.text().contains("Find out first what became of the batches that are stuck."), "{}", early.text());

    let page = ann.submit(&page, &address(&page, "/entry"), &[]).await;
    assert!(page.text().contains("Entered as paid"), "{}", page.text());
    let page = upload(&ann, &activity(&world).await).await;
    assert!(page.text().contains("The report shows 5 payments, 0 of them not known here"), "{}", page.text());
    assert!(page.text().contains("by.hand@example.com") && !page.text().contains("shop@example.com"));
    let by_hand = [("what", "Paid by Tom on PayPal’s page")];
    let page = ann.submit(&page, &settlement(&page, "BYHAND"), &by_hand).await;

    assert!(page.text().contains("Batch 3 is not finished and pays just this."), "{}", page.text());
    assert!(!page.text().contains("Enter as paid"), "what the stuck batch holds is not due: {}", page.text());
    let stuck = page.body.split("/batches/").nth(1).unwrap().split('"').next().unwrap();
    let form = ann.open(&format!("/batches/{stuck}/resolution")).await;
    let words = [("says", "not_there"), ("total", "50.00"), ("looked_at", "PayPal’s activity shows another")];
    let told = ann.submit(&form, &format!("/batches/{stuck}/resolution"), &words).await;
    assert!(told.text().contains("Everything in it is due again"), "{}", told.text());
    let page = ann.open("/restoration").await;
    let early = ann.submit(&page, "/restoration/sign-off", &[("looked_at", "PayPal’s activity")]).await;
    assert!(early.text().contains("Settle every payment that is not known here first."), "{}", early.text());
    let page = ann.submit(&page, &address(&page, "/entry"), &[]).await;
    let page = ann.submit(&page, "/restoration/sign-off", &[("looked_at", "PayPal’s activity")]).await;
    assert!(page.text().contains("Signed off. Paying goes on."), "{}", page.text());
    world.audited("restored from a backup").await;
    world.audited("marked as paid").await;
    world.audited("compared a report of PayPal’s").await;
    world.audited("settled a payment of PayPal’s").await;
    world.audited("signed off a restored backup").await;

    world.pay_all().await;
    for _ in 0..5 {
        world.settle().await;
    }
    assert_eq!(world.standings().await, [("paid".to_owned(), 5)].into());
    let paid = world.paid().await;
    assert_eq!(paid.len(), 5);
    assert!(paid.values().all(|(payments, _)| *payments == 1), "{paid:?}");
    verified(&world).await;
}

/// The books are right. What the bank did for payments that a backup has forgotten stands in no item.
async fn verified(world: &World) {
    let report = verify::verify(&world.app.database, None).await.unwrap();
    assert!(report.broken().is_empty(), "{report}");
}

/// PayPal tells nothing by itself; its report names our items, and that is evidence about the batch that was stopped.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_report_says_of_a_stopped_batch_ends_its_doubt() {
    let mut world = World::connected().await;
    world.owe("d@example.com", &["40.00"]).await;
    world.pay_all().await;
    let backup = back_up(&world);
    world.settle().await;
    restore(&world, &backup);
    while look::next(&world.app).await.unwrap() {}
    assert_eq!(world.in_state("stuck").await, 1);
    let ann = world.site.signed_in("ann@example.com").await;
    let item = &world.bank().await["batches"][0]["items"][0];
    let (name, transaction) = (item["sender_item_id"].as_str().unwrap(), item["transaction_id"].as_str().unwrap());
    let report = format!(
        "Date,Type,Status,Currency,Gross,To Email Address,Transaction ID,Unique ID\n\
        2026-05-01,Mass Pay Payment,Completed,USD,-40.00,d@example.com,{transaction},{name}\n"
    );
    let page = upload(&ann, &report).await;
    assert!(page.text().contains("The report shows 1 payments, 0 of them not known here"), "{}", page.text());
    let page = ann.submit(&page, "/restoration/sign-off", &[("looked_at", "PayPal’s activity")]).await;
    assert!(page.text().contains("Signed off."), "{}", page.text());
    world.settle().await;
    assert_eq!(world.standings().await, [("paid".to_owned(), 1)].into());
    world.check().await;
}

/// Money that came back after the backup is due, and another payment may have paid it: PayPal is asked before the sign-off.
#[tokio::test(flavor = "multi_thread")]
async fn what_came_back_after_the_backup_is_known_before_anybody_signs_off() {
    let mut world = listening().await;
    world.owe("ada.unregistered@example.com", &["10.00"]).await;
    let batch = world.pay_all().await[0];
    world.settle().await;
    assert_eq!(world.standings().await["paying"], 1, "unclaimed");
    let backup = back_up(&world);
    let ann = world.site.signed_in("ann@example.com").await;
    ann.submit(&ann.open(&format!("/batches/{batch}")).await, &format!("/batches/{batch}/unclaimed/cancellation"), &[])
        .await;
    world.settle().await;
    assert_eq!(world.standings().await["owed"], 1, "taken back");
    restore(&world, &backup);
    while look::next(&world.app).await.unwrap() {}
    let ann = world.site.signed_in("ann@example.com").await;
    let page = upload(&ann, &activity(&world).await).await;
    let by_hand = [("what", "Paid by Tom on PayPal’s page")];
    let page = ann.submit(&page, &settlement(&page, "BYHAND"), &by_hand).await;
    let early = ann.submit(&page, "/restoration/sign-off", &[("looked_at", "PayPal’s activity")]).await;
    assert!(early.text().contains("PayPal is still being asked about batches"), "{}", early.text());
    world.work().await;
    assert_eq!(world.standings().await["owed"], 1, "known again");
    let page = ann.open("/restoration").await;
    let page = ann.submit(&page, "/restoration/sign-off", &[("looked_at", "PayPal’s activity")]).await;
    assert!(page.text().contains("Signed off."), "{}", page.text());
    verified(&world).await;
}

/// Where one payment of PayPal's is settled in words.
fn settlement(page: &Page, name: &str) -> String {
    let row = page.body.split("<tr>").find(|row| row.contains(name)).expect(name);
    row.split("action=\"")
        .map(|rest| rest.split('"').next().unwrap())
        .find(|at| at.ends_with("/settlement"))
        .unwrap()
        .into()
}

/// Of the one form whose address ends so.
fn address(page: &Page, ending: &str) -> String {
    let mut addresses = page.body.split("action=\"").skip(1).map(|rest| rest.split('"').next().unwrap());
    addresses.find(|address| address.ends_with(ending)).expect(ending).to_owned()
}

async fn upload(client: &Client, report: &str) -> Page {
    let page = client.open("/restoration").await;
    let token =
        page.form("/restoration/report").filled(&[]).iter().find(|(name, _)| name == TOKEN_FIELD).unwrap().1.clone();
    let body = format!(
        "--x\r\ncontent-disposition: form-data; name=\"{TOKEN_FIELD}\"\r\n\r\n{token}\r\n--x\r\n\
         content-disposition: form-data; name=\"file\"; filename=\"activity.csv\"\r\n\
         content-type: text/csv\r\n\r\n{report}\r\n--x--\r\n"
    );
    let taken =
        client.post_raw("/restoration/report", &[("content-type", "multipart/form-data; boundary=x")], body).await;
    assert_eq!(taken.status, 303, "{}", taken.text());
    client.open("/restoration").await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_sends_nothing_and_signs_nothing_off_by_itself() {
    let (world, since) = after_a_restore().await;
    let mut tx = world.tx().await;
    let signed = sqlx::query(
        "update restorations set signed_at = now(), signed_why = 'x', signed_by = (select person_id from memberships limit 1)",
    )
    .execute(&mut *tx)
    .await;
    assert!(signed.unwrap_err().to_string().contains("once a report is in"));
    drop(tx);
    let mut tx = world.tx().await;
    let attempted = sqlx::query(
        "insert into payout_attempts (merchant_id, batch_id, fence, owner, started_at)
        select merchant_id, id, 99, gen_random_uuid(), now() from payout_batches where state = 'stuck'",
    )
    .execute(&mut *tx)
    .await;
    assert!(attempted.unwrap_err().to_string().contains("nothing is sent before"));
    drop(tx);
    // Told again, with an earlier time: one restoration, of the earlier time.
    assert!(restored(&world, since - Duration::days(2)).status.success());
    let open = restoration::open(&mut world.tx().await).await.unwrap().unwrap();
    assert!(open.since <= since - Duration::days(2));
    assert!(!restored(&world, Clock::system().now() + Duration::DAY).status.success(), "no backup is of tomorrow");
}

/// A backup that shows payments as waiting for a person: they were let go since.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_let_go_after_the_backup_is_found_and_not_paid_again() {
    let mut world = listening().await;
    assert_eq!(by_file::connect(&world).await, Outcome::Ready);
    let (ann, bob, _) = office(&world).await;
    world.owe("approved@example.com", &["150.00"]).await;
    let at = ask(&ann, "paypal").await.url;
    for email in ["one@example.com", "two@example.com", "three@example.com"] {
        world.owe(email, &["10.00"]).await;
    }
    let file = by_file::prepare(&world).await[0];
    let backup = back_up(&world);

    assert!(approve(&bob, &at).await.text().contains("Approved."));
    manual::let_go(&world.app, world.merchant, &world.actor(), file, None).await.unwrap().unwrap();
    by_file::until_stage(&world, file, "out").await;
    world.settle().await;
    assert_eq!(world.paid().await.len(), 4);
    restore(&world, &backup);

    let ann = world.site.signed_in("ann@example.com").await;
    let page = ann.open(&format!("/batches/{file}")).await;
    let refused = ann.submit(&page, &format!("/batches/{file}/upload"), &[]).await;
    assert_eq!(refused.status, 409);
    assert!(refused.text().contains("This installation was restored from a backup."), "{}", refused.text());

    while look::next(&world.app).await.unwrap() {}
    assert_eq!(world.in_state("cancelled").await, 2, "both are taken back");
    let page = ann.open(&at).await;
    assert!(page.text().contains("A backup was restored, and it may have been paid since."), "{}", page.text());
    let page = ann.open("/restoration").await;
    assert!(page.text().contains("approved@example.com"), "PayPal’s list shows it: {}", page.text());
    let page = upload(&ann, &activity(&world).await).await;
    let page = ann.submit(&page, "/restoration/entries", &[]).await;
    assert!(page.text().contains("4 payments entered as paid"), "{}", page.text());
    let page = ann.submit(&page, &settlement(&page, "BYHAND"), &[("what", "Paid by Tom on PayPal’s page")]).await;
    let page = ann.submit(&page, "/restoration/sign-off", &[("looked_at", "PayPal’s activity")]).await;
    assert!(page.text().contains("Signed off."), "{}", page.text());
    assert!(world.try_review(&everything(), How::PayPal).await.is_none(), "nothing is due");
    for _ in 0..3 {
        world.settle().await;
        by_file::round(&world).await;
    }
    assert!(world.paid().await.values().all(|(payments, _)| *payments == 1));
    assert_eq!(world.standings().await, [("paid".to_owned(), 4)].into());
    verified(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes pictures for people; it proves nothing"]
async fn pictures_of_a_restored_backup() {
    let folder = std::env::var_os("STIPEND_PICTURES").expect("STIPEND_PICTURES names the folder for the pictures");
    let folder = Path::new(&folder);
    std::fs::create_dir_all(folder).unwrap();
    let (world, _) = after_a_restore().await;
    let browser = Browser::open(Script::On).await;
    let at = |path: &str| format!("{}{path}", world.site.address);
    browser.goto(at("/restoration")).await.unwrap();
    browser.fill("email", "ann@example.com").await;
    browser.fill("password", PASSWORD).await;
    browser.press("Sign in").await;
    shoot(&browser, folder, "restored-unread").await;
    while look::next(&world.app).await.unwrap() {}
    world.work().await;
    upload(&world.site.signed_in("ann@example.com").await, &activity(&world).await).await;
    browser.goto(at("/restoration")).await.unwrap();
    shoot(&browser, folder, "restored").await;
    browser.goto(at("/")).await.unwrap();
    shoot(&browser, folder, "restored-home").await;
}
