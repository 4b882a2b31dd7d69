//! A doubt that lasts is ended by people with evidence, and by nothing else.

use super::{days, soon};
use crate::support::world::{World, dec};
use serde_json::json;
use stipend::audit::Actor;
use stipend::id::{BatchId, PersonId};
use stipend::payout::stuck::{Said, Unresolved, Word, adopt_named, say};
use stipend::payout::uploaded::take_report;
use stipend::paypal::PayPalBatchId;
use stipend::role::Role;

/// A batch that PayPal took or never saw, without an answer for 29 days.
async fn stuck(fault: &str) -> (World, BatchId) {
    let mut world = World::connected().await;
    for receiver in ["a@example.com", "b.unregistered@example.com"] {
        world.owe(receiver, &["10.00", "2.50"]).await;
    }
    world.fault(json!({"call": "create", "what": fault, "times": 10_000})).await;
    let batch = world.pay_all().await[0];
    world.work().await;
    days(&world, 30).await;
    assert_eq!(world.batch(batch).await.0, "stuck");
    world.no_more_faults().await;
    (world, batch)
}

async fn says(world: &World, batch: BatchId, person: PersonId, word: Word, total: &str) -> Result<Said, Unresolved> {
    let actor = Actor { person: Some(person), ..world.actor() };
    say(&world.app, world.merchant, &actor, batch, word, (dec(total), "activity of May")).await.unwrap()
}

async fn paypals_id(world: &World, place: usize) -> PayPalBatchId {
    PayPalBatchId(world.bank().await["batches"][place]["payout_batch_id"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn paypals_id_of_the_batch_is_read_compared_and_followed() {
    let (mut world, batch) = stuck("cut_after").await;
    world.owe("c@example.com", &["1.00"]).await;
    world.pay_all().await;
    world.settle().await;
    let other = paypals_id(&world, 1).await;
    for (id, why) in [(other, "whose name is"), (PayPalBatchId("NOSUCHBATCH".into()), "could not be read")] {
        match adopt_named(&world.app, world.merchant, &world.actor(), batch, &id).await.unwrap() {
            Err(Unresolved::NotAdopted(said)) => assert!(said.contains(why), "{said}"),
            otherwise => panic!("{otherwise:?}"),
        }
        assert_eq!(world.standings().await["unknown"], 4);
    }
    let ours = paypals_id(&world, 0).await;
    adopt_named(&world.app, world.merchant, &world.actor(), batch, &ours).await.unwrap().unwrap();
    assert!(adopt_named(&world.app, world.merchant, &world.actor(), batch, &ours).await.unwrap().is_err());
    world.audited("named PayPal’s batch").await;
    soon(&world).await;
    let standings = world.standings().await;
    assert_eq!((standings["paid"], standings["owed"]), (3, 2), "the unclaimed one has come back by now: {standings:?}");
    world.check().await;
}

#[tokio::test]
async fn what_paypal_does_not_have_is_due_again_on_a_persons_word_and_paid_once() {
    let (world, batch) = stuck("cut_before").await;
    assert_eq!(says(&world, batch, world.person, Word::NotThere, "24.99").await, Err(Unresolved::WrongTotal));
    assert_eq!(world.standings().await["unknown"], 4);
    assert_eq!(says(&world, batch, world.person, Word::NotThere, "25.00").await, Ok(Said::Resolved));
    world.audited("said where a batch is").await;
    assert_eq!(world.batch(batch).await.0, "refused");
    assert_eq!(world.standings().await["owed"], 4);
    assert!(says(&world, batch, world.person, Word::There, "25").await.is_err(), "it is over");
    let sent = world.calls("create").await;
    days(&world, 3).await;
    assert_eq!(world.calls("create").await, sent, "the old name is never sent again");
    world.check().await;
    world.pay_all().await;
    world.settle().await;
    assert_eq!(world.paid().await["a@example.com"], (1, dec("12.50")));
    world.check().await;
}

#[tokio::test]
async fn where_two_may_pay_two_have_to_say_the_same() {
    let (world, batch) = stuck("cut_before").await;
    let bob = world.site.person("bob@example.com", "Acme", Role::Approver).await;
    let eve = world.site.person("eve@example.com", "Acme", Role::Preparer).await;
    let ann = world.person;
    assert_eq!(says(&world, batch, ann, Word::NotThere, "25").await, Ok(Said::WaitsForAnother));
    assert_eq!(
        says(&world, batch, ann, Word::NotThere, "25").await,
        Ok(Said::WaitsForAnother),
        "the same person twice"
    );
    assert_eq!(says(&world, batch, eve, Word::NotThere, "25").await, Ok(Said::WaitsForAnother), "who may not pay");
    assert_eq!(says(&world, batch, bob, Word::There, "25").await, Ok(Said::Disputed));
    assert_eq!(world.standings().await["unknown"], 4);
    assert_eq!(says(&world, batch, bob, Word::NotThere, "25").await, Ok(Said::Resolved), "after they looked together");
    assert_eq!(world.standings().await["owed"], 4);
    world.check().await;
}

#[tokio::test]
async fn what_people_found_at_paypal_counts_as_paid() {
    let (world, batch) = stuck("cut_after").await;
    assert_eq!(says(&world, batch, world.person, Word::There, "25.00").await, Ok(Said::Resolved));
    assert_eq!(world.standings().await["paid"], 4);
    assert_eq!(world.batch(batch).await.0, "closed");
    days(&world, 40).await;
    assert_eq!(world.standings().await["paid"], 4, "nothing of it is ever due again by itself");
}

/// What PayPal's activity shows of the first batch: a line a payment.
async fn activity(world: &World, status: impl Fn(&str) -> &'static str) -> String {
    let mut report =
        "\"Date\",\"Status\",\"Currency\",\"Gross\",\"To Email Address\",\"Transaction ID\",\"Custom Number\"\n"
            .to_owned();
    for item in world.bank().await["batches"][0]["items"].as_array().unwrap() {
        let text = |name: &str| item[name].as_str().unwrap_or("T-NONE").to_owned();
        let (receiver, amount, id) = (text("receiver"), text("amount"), text("sender_item_id"));
        let (status, transaction) = (status(&receiver), text("transaction_id"));
        report
            .push_str(&format!("\"1\",\"{status}\",\"USD\",\"-{amount}\",\"{receiver}\",\"{transaction}\",\"{id}\"\n"));
    }
    report
}

#[tokio::test]
async fn a_report_pays_what_it_shows_as_completed_and_nothing_else() {
    let (world, batch) = stuck("cut_after").await;
    let upload = async |report: &str| {
        take_report(&world.app, world.merchant, &world.actor(), batch, ("may.csv", report.as_bytes())).await.unwrap()
    };
    assert_eq!(upload("a,b\n1,2\n").await, Err(Unresolved::NoReport));
    let report = activity(&world, |receiver| if receiver.starts_with('a') { "Completed" } else { "Unclaimed" }).await;
    let found = upload(&report).await.unwrap();
    assert_eq!(found.findings.len(), 2);
    let standings = world.standings().await;
    assert_eq!((standings["paid"], standings["unknown"]), (2, 2), "{standings:?}");
    assert_eq!(
        says(&world, batch, world.person, Word::NotThere, "25").await,
        Err(Unresolved::ShownAtPayPal),
        "money that a report shows at PayPal is not freed by a word"
    );
    assert_eq!(upload(&report).await.unwrap().findings.len(), 1, "the same report again finds what is still unknown");
    let id = paypals_id(&world, 0).await;
    adopt_named(&world.app, world.merchant, &world.actor(), batch, &id).await.unwrap().unwrap();
    days(&world, 2).await;
    let standings = world.standings().await;
    assert_eq!((standings["paid"], standings["owed"]), (2, 2), "followed, it has come back by now: {standings:?}");
    world.check().await;
}

#[tokio::test]
async fn a_report_that_shows_everything_paid_ends_the_doubt() {
    let (world, batch) = stuck("cut_after").await;
    let report = activity(&world, |_| "Completed").await;
    take_report(&world.app, world.merchant, &world.actor(), batch, ("may.csv", report.as_bytes()))
        .await
        .unwrap()
        .unwrap();
    world.audited("uploaded a report of PayPal’s").await;
    assert_eq!(world.batch(batch).await.0, "closed");
    assert_eq!(world.standings().await["paid"], 4);
    let history: Vec<(String, Option<String>)> = {
        let mut tx = world.tx().await;
        sqlx::query_as(
            "select source, evidence from payout_history where merchant_id = $1 and became = 'SUCCESS' order by id",
        )
        .bind(world.merchant)
        .fetch_all(&mut *tx)
        .await
        .unwrap()
    };
    assert!(
        history
            .iter()
            .all(|(source, evidence)| source == "report" && evidence.as_ref().unwrap().contains("transaction"))
    );
    assert!(stipend::verify::verify(&world.app.database, None).await.unwrap().broken().is_empty());
}

#[tokio::test]
async fn no_statement_of_sql_ends_a_doubt_that_nobody_ended() {
    let (world, batch) = stuck("cut_before").await;
    for change in
        ["state = 'refused'", "state = 'accepted', paypal_batch_id = 'X'", "state = 'ready'", "doubted_at = null"]
    {
        let mut tx = world.tx().await;
        let sql = format!("update payout_batches set {change} where merchant_id = $1 and id = $2");
        let changed = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(world.merchant).bind(batch).execute(&mut *tx).await;
        assert!(changed.is_err(), "{change}");
    }
    let mut tx = world.tx().await;
    sqlx::query("update payout_items set state = 'unpaid', not_paid = 'put_back' where merchant_id = $1")
        .bind(world.merchant)
        .execute(&mut *tx)
        .await
        .unwrap();
    let freed = sqlx::query("update allocations set released_at = now() where merchant_id = $1")
        .bind(world.merchant)
        .execute(&mut *tx)
        .await;
    assert!(freed.unwrap_err().to_string().contains("is not here to be released"));
}
