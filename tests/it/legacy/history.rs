//! `stipend legacy history`: what was paid before is not paid again, and what may have been waits for a person.

use super::{enter, legacy_world, read_file, said};
use crate::mail::post;
use crate::support::letters::Letters;
use crate::support::world::World;
use stipend::connection::Outcome;
use stipend::id::CommissionId;
use time::Duration;

const HEADER: &str = "merchant,email,amount,currency,date,transaction_id,state,reference\n";

fn history(world: &World, lines: &str) -> (i32, String) {
    let output = read_file(world, &["legacy", "history"], format!("{HEADER}{lines}").as_bytes(), &[]);
    (output.status.code().unwrap(), said(&output))
}

async fn reference(world: &World, commission: CommissionId) -> String {
    let mut tx = world.tx().await;
    let sql = "select reference from commissions where merchant_id = $1 and id = $2";
    sqlx::query_scalar(sql).bind(world.merchant).bind(commission).fetch_one(&mut *tx).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_paid_by_masspay_is_not_paid_again_and_what_may_have_been_waits_for_a_person() {
    let mut world = legacy_world().await;
    let today = world.today();
    world.owe("all@example.com", &["10.00", "5.00"]).await;
    let named = world.owe("named@example.com", &["7.00", "7.00", "1.00"]).await;
    world.owe("open@example.com", &["20.00"]).await;
    world.owe("lost@example.com", &["30.00"]).await;
    world.owe("ernie@example.com", &["40.00"]).await;
    world.owe("never@example.com", &["50.00"]).await;
    let (first, last) = (reference(&world, named[0]).await, reference(&world, named[2]).await);
    let lines = format!(
        "Acme,ALL@example.com,15.00,USD,{today},MP-1,Completed,\n\
        acme,named@example.com,8.00,USD,{today},MP-2,success,{first}|{last}\n\
        Acme,open@example.com,20.00,USD,{today},MP-3,Pending,\n\
        Acme,lost@example.com,30.00,USD,{today},,,\n\
        Acme,ernie@example.com,40.00,USD,{today},MP-5,Failed,\n\
        Acme,never@example.com,49.00,USD,{today},MP-6,Completed,\n\
        Acme,nobody@example.com,49.00,USD,{today},MP-7,Completed,\n\
        Nowhere,never@example.com,50.00,USD,{today},MP-8,Completed,\n\
        Acme,never@example.com,\"50,00\",USD,{today},MP-8,Completed,\n\
        Acme,never@example.com,50.00,XYZ,{today},MP-8,Completed,\n\
        Acme,never@example.com,50.00,USD,yesterday,MP-8,Completed,\n\
        Acme,never@example.com,50.00,USD,2999-01-01,MP-8,Completed,\n\
        Acme,never@example.com,50.00,USD,{today},MP-8,perhaps,\n\
        Acme,never@example.com,50.00,USD,{today},MP-8,Completed,no-such-reference\n\
        Acme,never@example.com,50.00,USD,{today},MP-1,Completed,\n\
        Acme,lost@example.com,30.00,USD,{today},,,\n"
    );
    let (status, told) = history(&world, &lines);
    assert_eq!(status, 1, "{told}");
    for (line, words) in [
        (7, "amount: nothing that was due then comes to this amount"),
        (8, "email: no affiliate of this merchant"),
        (9, "merchant: there is no merchant"),
        (10, "amount: write it with a point"),
        (11, "currency: PayPal does not pay out"),
        (12, "date: write the day"),
        (13, "date: this day is yet to come"),
        (14, "state: write completed"),
        (15, "reference: not all of these are owed"),
        (16, "transaction_id: another payment here"),
        (17, "the same as line 5"),
    ] {
        assert!(told.contains(&format!("line {line}: {words}")), "line {line} {words}: {told}");
    }
    let summary = "2 marked as paid, 2 waiting under Needs attention, 1 not paid, so due as before, 11 not used";
    assert!(told.contains(summary), "{told}");
    let standings = world.standings().await;
    assert_eq!((standings["paid"], standings["paying"], standings["owed"]), (4, 2, 3), "{standings:?}");
    let (status, told) = history(&world, &lines);
    assert!(status == 1 && told.contains("4 here already, 1 not paid, so due as before, 11 not used"), "{told}");
    assert_eq!(world.standings().await, standings, "the same file changes nothing");
    world.check().await;

    let ann = world.site.signed_in("ann@example.com").await;
    let attention = ann.open("/attention").await;
    assert!(attention.text().matches("what became of it is not known").count() == 2, "{}", attention.text());
    let paid = ann.open("/affiliate_payments/paid").await.text();
    assert!(
        paid.contains("via PayPal’s old Mass Pay")
            && paid.contains("MP-1")
            && paid.contains("MP-2")
            && !paid.contains("MP-3"),
        "{paid}"
    );

    // The first payment through the Payouts API takes neither what was paid nor what may have been.
    assert_eq!(world.connect("demo-client", "demo-secret").await, Outcome::Ready);
    world.pay_all().await;
    world.settle().await;
    let bank = world.paid().await;
    assert_eq!(bank.len(), 3, "{bank:?}");
    for receiver in ["ernie@example.com", "never@example.com", "named@example.com"] {
        assert_eq!(bank[receiver].0, 1, "{bank:?}");
    }
    assert_eq!(bank["named@example.com"].1, "7.00".parse().unwrap());

    // One arrived after all, the other did not.
    let batch = async |email: &str| -> String {
        let sql = "select b.id::text from payout_batches b join payout_items i on i.merchant_id = b.merchant_id and i.batch_id = b.id
            join affiliates a on a.merchant_id = i.merchant_id and a.id = i.affiliate_id where b.legacy and a.email = $1";
        sqlx::query_scalar(sql).bind(email).fetch_one(&mut *world.tx().await).await.unwrap()
    };
    let (open, lost) = (batch("open@example.com").await, batch("lost@example.com").await);
    let page = ann.open(&format!("/batches/{open}")).await;
    assert!(page.text().contains("PayPal’s old Mass Pay service was told to pay this"), "{}", page.text());
    ann.submit(&page, &format!("/batches/{open}/payment"), &[("reference", "seen at PayPal")]).await;
    let page = ann.open(&format!("/batches/{lost}")).await;
    ann.submit(&page, &format!("/batches/{lost}/release"), &[]).await;
    let attention = ann.open("/attention").await;
    assert!(!attention.text().contains("what became of it is not known"), "{}", attention.text());
    world.pay_all().await;
    world.settle().await;
    assert_eq!(world.paid().await.get("open@example.com"), None, "PayPal's old service paid it");
    assert_eq!(world.paid().await["lost@example.com"].0, 1);
    assert_eq!(world.standings().await.get("paid"), Some(&9), "{:?}", world.standings().await);
    world.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn history_of_one_merchant_touches_no_other() {
    let mut world = legacy_world().await;
    let today = world.today();
    world.owe("a@example.com", &["10.00"]).await;
    let globex = world.site.merchant("Globex").await;
    let line = |merchant: &str| format!("{merchant},a@example.com,10.00,USD,{today},MP-1,completed,\n");
    let (_, told) = history(&world, &line("Globex"));
    assert!(told.contains("line 2: merchant: it has no PayPal connection here"), "{told}");
    enter(&world, globex, "simulator").await;
    let (status, told) = history(&world, &format!("{}{}", line("Acme"), line("Globex")));
    assert!(status == 1 && told.contains("1 marked as paid, 1 not used"), "{told}");
    assert!(told.contains("line 3: "), "{told}");
    world.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_mailed_about_the_past() {
    let letters = Letters::folder();
    let mut world = World::mailing(letters.path()).await;
    let ann = world.site.signed_in("ann@example.com").await;
    ann.submit(&ann.open("/integrations/payment").await, "/integrations/payment/paypal/disconnection", &[]).await;
    enter(&world, world.merchant, "simulator").await;
    let today = world.today();
    world.owe("a@example.com", &["10.00"]).await;
    world.owe("b@example.com", &["20.00"]).await;
    let lines =
        format!("Acme,a@example.com,10.00,USD,{today},,paid,\nAcme,b@example.com,20.00,USD,{today},,unknown,\n");
    assert_eq!(history(&world, &lines).0, 0);
    let batch: String = sqlx::query_scalar("select id::text from payout_batches where state = 'exported'")
        .fetch_one(&mut *world.tx().await)
        .await
        .unwrap();
    let page = ann.open(&format!("/batches/{batch}")).await;
    ann.submit(&page, &format!("/batches/{batch}/payment"), &[("reference", "seen")]).await;
    assert_eq!(world.standings().await.get("paid"), Some(&2));
    world.advance(Duration::hours(1));
    post(&world).await;
    assert_eq!(letters.summary(), Vec::<String>::new(), "they had the money long ago");
    world.check().await;
}

/// A file for each of the ways in which two lines may tell of one payment, or not.
#[tokio::test(flavor = "multi_thread")]
async fn one_payment_that_two_lines_tell_differently_settles_nothing_else() {
    let mut world = legacy_world().await;
    let today = world.today();
    world.owe("a@example.com", &["20.00"]).await;
    let line = |id: &str, state: &str| format!("Acme,a@example.com,20.00,USD,{today},{id},{state},\n");
    let (status, told) = history(&world, &format!("{}{}", line("", "completed"), line("MP-1", "completed")));
    assert!(status == 1 && told.contains("1 marked as paid, 1 not used"), "{told}");
    assert!(told.contains("line 3: transaction_id: a payment of this amount on this day is here"), "{told}");
    // Another commission of the same amount is not taken for it, now or later.
    world.owe("a@example.com", &["20.00"]).await;
    let (status, told) = history(&world, &line("MP-1", "completed"));
    assert!(status == 1 && told.contains("only one of the two has a transaction id"), "{told}");
    assert!(history(&world, &line("", "completed")).1.contains("1 here already"));
    assert_eq!(world.standings().await["owed"], 1);

    // What is here is not changed by a file that tells another end, and whoever reads it hears so.
    let (status, told) = history(&world, &line("", "failed"));
    assert!(status == 1 && told.contains("state: this payment is here as paid"), "{told}");
    world.owe("b@example.com", &["30.00"]).await;
    let line = |state: &str| format!("Acme,b@example.com,30.00,USD,{today},MP-2,{state},\n");
    assert!(history(&world, &line("pending")).1.contains("1 waiting under Needs attention"));
    for state in ["completed", "failed"] {
        let (status, told) = history(&world, &line(state));
        assert!(status == 1 && told.contains("state: this payment waits under Needs attention"), "{told}");
    }
    assert!(history(&world, &line("unclaimed")).1.contains("1 here already"));
    let batch: String = sqlx::query_scalar("select id::text from payout_batches where state = 'exported'")
        .fetch_one(&mut *world.tx().await)
        .await
        .unwrap();
    let ann = world.site.signed_in("ann@example.com").await;
    ann.submit(&ann.open(&format!("/batches/{batch}")).await, &format!("/batches/{batch}/release"), &[]).await;
    let (status, told) = history(&world, &line("completed"));
    assert!(status == 1 && told.contains("state: a person has put this payment back"), "{told}");
    assert!(history(&world, &line("failed")).1.contains("1 here already"));
    assert_eq!(world.standings().await["owed"], 2);
    world.check().await;
}

/// What is due only later was not paid by it, and the order of the lines changes nothing.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_paid_first_is_settled_first() {
    let mut world = legacy_world().await;
    world.owe("a@example.com", &["7.25", "10.50"]).await;
    let (today, tomorrow) = (world.today(), world.today().next_day().unwrap());
    let later = "with added as (
            insert into commissions (merchant_id, id, affiliate_id, amount, currency, due_on, reference, created_at)
            values ($1, gen_random_uuid(), $2, 7.25, 'USD', $3, 'LATER', now()) returning *
        )
        insert into owed select merchant_id, id, affiliate_id, currency, due_on, amount from added";
    let mut tx = world.tx().await;
    let affiliate = world.affiliates["a@example.com"];
    sqlx::query(later).bind(world.merchant).bind(affiliate).bind(tomorrow).execute(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
    let line = |amount: &str, on: time::Date| format!("Acme,a@example.com,{amount},USD,{on},,completed,\n");
    let (status, told) = history(&world, &line("7.25", today));
    assert!(status == 0 && told.contains("1 marked as paid"), "only one of this amount was due: {told}");
    let (status, told) = history(&world, &format!("{}{}", line("7.25", tomorrow), line("10.50", today)));
    assert!(status == 0 && told.contains("2 marked as paid"), "{told}");
    assert_eq!(world.standings().await["paid"], 3);
    world.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_environment_is_corrected_while_nothing_was_paid_from_here() {
    let mut world = legacy_world().await;
    world.owe("a@example.com", &["10.00"]).await;
    world.owe("b@example.com", &["20.00"]).await;
    let today = world.today();
    enter(&world, world.merchant, "live").await;
    let line = |email: &str, amount: &str| format!("Acme,{email},{amount},USD,{today},,completed,\n");
    assert!(history(&world, &line("a@example.com", "10.00")).1.contains("1 marked as paid"));
    enter(&world, world.merchant, "simulator").await;
    assert_eq!(world.connect("demo-client", "demo-secret").await, Outcome::Ready);
    // Whoever pays through the Payouts API already can still say what was paid before.
    assert!(history(&world, &line("b@example.com", "20.00")).1.contains("1 marked as paid"));
    assert_eq!(world.standings().await, [("paid".to_owned(), 2)].into());
    world.check().await;
}
