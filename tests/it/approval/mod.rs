//! Payments that a second person must approve: asked for, approved, sent back, and never paid around.

mod changes;
mod in_a_browser;
mod pictures;
mod races;

use crate::by_file;
use crate::support::client::{Client, Page};
use crate::support::letters::Letters;
use crate::support::world::{World, dec};
use crate::{mail, rules::save};
use stipend::payout::{approval, submit};
use stipend::role::Role;

/// An office with Ann (admin), Bob (approver) and Pia (preparer), where more than USD 100 needs a second person.
pub async fn office(world: &World) -> (Client, Client, Client) {
    world.site.person("bob@example.com", "Acme", Role::Approver).await;
    world.site.person("pia@example.com", "Acme", Role::Preparer).await;
    let ann = world.site.signed_in("ann@example.com").await;
    save(&ann, &[("approval_above_USD", "100")]).await;
    (ann, world.site.with_factor("bob@example.com").await, world.site.signed_in("pia@example.com").await)
}

/// Ticks everything that can be paid; the review.
pub async fn review(client: &Client, how: &str) -> Page {
    let page = client.open("/affiliate_payments/pay").await;
    let token = page.form("/sign-out").value("token").unwrap().to_owned();
    let fields = [("token", token.as_str()), ("all", "1"), ("how", how)];
    let answer = client.post("/affiliate_payments/selections", &fields).await;
    client.open(answer.header("location")).await
}

/// Asks for the approval of everything that can be paid; the page of that.
pub async fn ask(client: &Client, how: &str) -> Page {
    let page = review(client, how).await;
    let asked = client.submit(&page, "/approvals", &[]).await;
    assert!(asked.url.starts_with("/approvals/"), "{}", asked.text());
    asked
}

/// Approves what stands on a page.
pub async fn approve(client: &Client, at: &str) -> Page {
    let page = client.open(at).await;
    client.submit(&page, &format!("{at}/approval"), &[]).await
}

#[tokio::test]
async fn a_payment_above_the_amount_is_paid_once_a_second_person_approves_it() {
    let letters = Letters::folder();
    let mut world = World::mailing(letters.path()).await;
    let (ann, bob, pia) = office(&world).await;
    world.owe("ada@example.com", &["80.00"]).await;
    world.owe("tom@example.com", &["30.00", "10.00"]).await;
    let page = review(&ann, "paypal").await;
    assert!(page.text().contains("A second person must approve this payment"), "{}", page.text());
    assert!(page.text().contains("Ask for approval of USD 120.00 to 2 affiliates"), "{}", page.text());
    assert!(page.text().contains("May approve it: bob@example.com."), "{}", page.text());
    let fields = page.form("/approvals").filled(&[]);
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let around = ann.post("/payouts", &fields).await;
    assert_eq!(around.status, 422, "nobody pays around it");
    assert!(around.text().contains("A second person must approve a payment of this amount"), "{}", around.text());
    assert_eq!(world.standings().await["owed"], 3);

    let asked = ann.submit(&page, "/approvals", &[("message", "Thank you")]).await;
    let at = asked.url.clone();
    let said = asked.text();
    for words in ["Waits for approval", "You prepared this payment, so someone else must approve it.", "Thank you"] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let content = asked.body.split("<code>").last().unwrap()[..64].to_owned();
    assert!(content.bytes().all(|byte| byte.is_ascii_hexdigit()), "its checksum is shown: {content}");
    assert_eq!(world.standings().await["paying"], 3, "its commissions are locked");
    world.work().await;
    assert!(!submit::next(&world.another_instance()).await.unwrap());
    assert_eq!((world.calls("create").await, world.paid().await.len()), (0, 0), "nothing is sent before");

    let token = asked.form("/sign-out").value("token").unwrap().to_owned();
    let own = ann.post(&format!("{at}/approval"), &[("token", &token), ("content", &content)]).await;
    assert_eq!(own.status, 409);
    assert!(own.text().contains("someone else must approve it"), "{}", own.text());
    let token = pia.open(&at).await.form("/sign-out").value("token").unwrap().to_owned();
    let fields = [("token", token.as_str()), ("content", content.as_str()), ("why", "no")];
    assert_eq!(pia.post(&format!("{at}/approval"), &fields).await.status, 403, "a preparer approves nothing");
    assert_eq!(pia.post(&format!("{at}/return"), &fields).await.status, 409, "nor sends back what is another's");
    mail::post(&world).await;
    assert_eq!(letters.summary(), ["bob@example.com: You are asked to approve USD 120.00 of Acme"]);
    let letter = &letters.to("bob@example.com")[0].body;
    assert!(letter.contains("ann@example.com has prepared a payment of USD 120.00"), "{letter}");
    assert!(bob.open("/").await.text().contains("You are asked to approve USD 120.00 to 2 affiliates"));
    let waits = bob.open("/attention?kind=approval").await;
    assert!(waits.text().contains("A second person is asked to approve") && waits.body.contains(&at));

    let forged = bob.open(&at).await.form(&format!("{at}/approval")).value("token").unwrap().to_owned();
    let other = bob.post(&format!("{at}/approval"), &[("token", &forged), ("content", &"0".repeat(64))]).await;
    assert!(bob.open(other.header("location")).await.text().contains("What you saw is not what would be paid"));
    let approved = approve(&bob, &at).await;
    assert!(approved.url.starts_with("/batches/") && approved.text().contains("Approved."), "{}", approved.text());
    world.settle().await;
    let paid = world.paid().await;
    assert_eq!((paid["ada@example.com"], paid["tom@example.com"]), ((1, dec("80")), (1, dec("40"))));
    assert!(ann.open(&at).await.text().contains("bob@example.com approved it."));
    assert!(bob.open("/attention").await.text().contains("Nothing needs attention"));
    world.audited("asked for approval").await;
    world.audited("approved a payment").await;
    world.check().await;
}

#[tokio::test]
async fn exactly_the_amount_needs_nobody_and_a_preparer_asks_for_any() {
    let mut world = World::connected().await;
    let (_, bob, pia) = office(&world).await;
    world.owe("ada@example.com", &["100.00"]).await;
    world.owe_in("EUR", "tom@example.com", &["900.00"]).await;
    let page = review(&bob, "paypal").await;
    assert!(bob.submit(&page, "/payouts", &[]).await.url.starts_with("/batches"), "each currency for itself");
    world.owe("eve@example.com", &["7.00"]).await;
    let page = review(&pia, "paypal").await;
    assert!(page.text().contains("You may prepare this, but not pay."), "{}", page.text());
    let asked = pia.submit(&page, "/approvals", &[]).await;
    world.work().await;
    assert_eq!(world.in_state("prepared").await, 1);
    approve(&bob, &asked.url).await;
    world.settle().await;
    assert_eq!(world.paid().await.values().map(|(payments, _)| payments).sum::<u64>(), 3);
    world.check().await;
}

#[tokio::test]
async fn one_currency_above_its_amount_holds_the_whole_click() {
    let mut world = World::connected().await;
    let (ann, bob, _) = office(&world).await;
    world.owe("ada@example.com", &["100.01"]).await;
    world.owe_in("EUR", "ada@example.com", &["3.00"]).await;
    let asked = ask(&ann, "paypal").await;
    assert!(asked.text().contains("EUR 3.00 and USD 100.01 to 1 affiliate"), "{}", asked.text());
    world.work().await;
    assert_eq!((world.in_state("prepared").await, world.calls("create").await), (2, 0));
    approve(&bob, &asked.url).await;
    world.settle().await;
    assert_eq!(world.standings().await["paid"], 2);
    world.check().await;
}

#[tokio::test]
async fn what_is_sent_back_is_due_again_and_can_be_prepared_again() {
    let mut world = World::connected().await;
    let (_, bob, pia) = office(&world).await;
    world.owe("ada@example.com", &["150.00"]).await;
    let at = ask(&pia, "paypal").await.url;
    let page = bob.open(&at).await;
    let unsaid = bob.submit(&page, &format!("{at}/return"), &[]).await;
    assert!(unsaid.text().contains("Say why, in at most 500 characters."), "{}", unsaid.text());
    let back = bob.submit(&page, &format!("{at}/return"), &[("why", "Ada left in May.")]).await.text();
    assert!(back.contains("Sent back: Ada left in May.") || back.contains("sent it back: Ada left in May."), "{back}");
    assert_eq!(world.standings().await["owed"], 1);
    let late = bob.submit(&page, &format!("{at}/approval"), &[]).await.text();
    assert!(late.contains("It does not wait any more."), "{late}");
    let page = pia.open(&at).await;
    let again = pia.submit(&page, &format!("{at}/again"), &[]).await;
    assert!(again.url.starts_with("/payouts/new/") && again.text().contains("USD 150.00"), "{}", again.text());
    let own = pia.submit(&again, "/approvals", &[]).await;
    let taken = pia.submit(&own, &format!("{}/return", own.url), &[("why", "A mistake.")]).await.text();
    assert!(taken.contains("everything in it is due again"), "one takes back one's own: {taken}");
    world.audited("sent a payment back").await;
    world.settle().await;
    assert_eq!(world.calls("create").await, 0);
    world.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_let_go_only_after_its_approval() {
    let mut world = by_file::with_dropzone().await;
    let (ann, bob, _) = office(&world).await;
    world.owe("ada@example.com", &["150.00"]).await;
    let asked = ask(&ann, "file").await;
    let batch = asked.body.split("href=\"/batches/").nth(1).unwrap()[..36].to_owned();
    let page = ann.open(&format!("/batches/{batch}")).await;
    assert!(!page.body.contains(&format!("action=\"/batches/{batch}/upload\"")), "nothing to press");
    let token = page.form("/sign-out").value("token").unwrap().to_owned();
    for at in ["", "2099-01-01T10:00"] {
        let fields = [("token", token.as_str()), ("at", at)];
        let forced = ann.post(&format!("/batches/{batch}/upload"), &fields).await;
        assert!([303, 409].contains(&forced.status), "{}", forced.text());
    }
    assert_eq!(ann.post(&format!("/batches/{batch}/cancellation"), &[("token", &token)]).await.status, 409);
    by_file::round(&world).await;
    assert_eq!(world.in_state("prepared").await, 1, "neither now nor at a time");
    let waits = ann.open("/attention").await.text();
    assert!(!waits.contains("Prepared files"), "nobody could let it go: {waits}");

    let approved = approve(&bob, &asked.url).await;
    assert_eq!(world.in_state("prepared").await, 1, "somebody still uploads it");
    ann.submit(&ann.open(&approved.url).await, &format!("/batches/{batch}/upload"), &[]).await;
    by_file::until_stage(&world, batch.parse().unwrap(), "out").await;
    assert_eq!(world.paid().await["ada@example.com"], (1, dec("150")));
    world.check().await;
}

#[tokio::test]
async fn an_export_is_no_way_around_and_what_was_paid_outside_needs_nobody() {
    let mut world = World::connected().await;
    let (ann, bob, _) = office(&world).await;
    world.owe("ada@example.com", &["150.00"]).await;
    let asked = ask(&ann, "export").await;
    let batch = asked.body.split("href=\"/batches/").nth(1).unwrap()[..36].to_owned();
    assert_eq!(ann.get(&format!("/batches/{batch}/mass-payment.csv")).await.status, 409);
    approve(&bob, &asked.url).await;
    assert!(ann.get(&format!("/batches/{batch}/mass-payment.csv")).await.body.contains("ada@example.com,150.00,USD"));
    world.owe("tom@example.com", &["300.00"]).await;
    let page = review(&ann, "manual").await;
    let done = ann.submit(&page, "/payouts", &[("reference", "cheque 7")]).await;
    assert!(done.text().contains("Marked as paid: USD 300.00"), "{}", done.text());
    world.check().await;
}

#[tokio::test]
async fn what_failed_is_paid_again_by_the_same_rule() {
    let mut world = World::connected().await;
    let (ann, bob, _) = office(&world).await;
    world.owe("failed@example.com", &["150.00"]).await;
    let at = ask(&ann, "paypal").await.url;
    let batch = approve(&bob, &at).await.url;
    world.settle().await;
    let page = ann.open(&batch).await;
    let again = ann.submit(&page, &format!("{batch}/retry"), &[]).await;
    assert!(again.text().contains("Ask for approval of USD 150.00 to 1 affiliate"), "{}", again.text());
    assert!(ann.submit(&again, "/approvals", &[]).await.text().contains("Waits for approval"));
    world.work().await;
    assert_eq!(world.calls("create").await, 1);
    world.check().await;
}

/// Whatever code may come: the database itself keeps what was not approved where it is.
#[tokio::test]
async fn the_database_lets_nothing_go_without_an_approval_by_another() {
    let mut world = World::connected().await;
    let (ann, ..) = office(&world).await;
    world.owe("ada@example.com", &["150.00"]).await;
    ask(&ann, "paypal").await;
    let bob = "(select id from people where email = 'bob@example.com')";
    let pia = "(select id from people where email = 'pia@example.com')";
    let end =
        |by: &str| format!("update payout_approvals set state = 'approved', ended_at = asked_at, ended_by = {by}");
    let refused = [
        ("update payout_batches set state = 'ready', look_at = now()".to_owned(), "what_waits_for_approval_is_not_sent"),
        ("update payout_batches set look_at = now()".into(), "what_waits_for_approval_is_not_sent"),
        ("update payout_batches set waits_for_approval = false".into(), "only_an_approval_lets_a_batch_go"),
        ("update payout_batches set approval_above = null".into(), "only_an_approval_lets_a_batch_go"),
        (end("asked_by"), "nobody_approves_their_own"),
        (end(pia), "approvers_approve"),
        (end(bob).replace("ended_at = asked_at", "ended_at = expires_at"), "an_approval_comes_in_time"),
        (format!("update payout_approvals set changed_why = 'x'; {}", end(bob)), "what_has_changed_is_not_approved"),
        (
            "insert into payout_requests select merchant_id, gen_random_uuid(), person_id, created_at, asked, rail, subject, message from payout_requests;
            insert into payout_batches (merchant_id, id, number, request_id, part, rail, environment, connection_id, currency, items, total, sender_batch_id, body, body_sha256, state, changed_at, look_at, created_at)
            select b.merchant_id, gen_random_uuid(), 99, r.id, 1, b.rail, b.environment, b.connection_id, b.currency, b.items, b.total, repeat('0', 26), b.body, b.body_sha256, 'ready', now(), now(), now()
            from payout_batches b join payout_requests r on r.id <> b.request_id".into(),
            "a_large_payment_waits_for_approval",
        ),
    ];
    for (sql, constraint) in refused {
        let mut connection = world.app.database.pool().acquire().await.unwrap();
        let tried = sqlx::raw_sql(sqlx::AssertSqlSafe(format!("begin; {sql}; commit"))).execute(&mut *connection).await;
        let error = tried.unwrap_err();
        assert_eq!(error.as_database_error().and_then(|error| error.constraint()), Some(constraint), "{sql}: {error}");
        sqlx::raw_sql("rollback").execute(&mut *connection).await.unwrap();
    }
    assert!(!approval::next(&world.app).await.unwrap());
    world.work().await;
    assert_eq!(world.calls("create").await, 0);
    world.check().await;
}
