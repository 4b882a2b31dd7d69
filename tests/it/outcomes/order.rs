//! Every order of two readings: no state moves backwards, nothing is freed that may be paid, and no page breaks.

use super::{at_paypal, column, item_of, paid_to};
use crate::strange::{Strange, accepted, page, shown};
use crate::support::world::World;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use stipend::payout::{reconcile, submit};
use stipend::verify::verify;
use time::Duration;

const WORDS: [&str; 12] = [
    "PENDING",
    "ONHOLD",
    "UNCLAIMED",
    "SUCCESS",
    "FAILED",
    "RETURNED",
    "BLOCKED",
    "REFUNDED",
    "REVERSED",
    "DENIED",
    "TELEPORTED",
    "",
];

/// Where an item stands after PayPal's words, told from the states that PayPal documents and not from our code.
fn expected(words: [&'static str; 2]) -> &'static str {
    let mut state = "QUEUED";
    for word in words {
        let word = if word == "DENIED" { "FAILED" } else { word };
        let known = WORDS[..9].contains(&word);
        let moves = match state {
            "QUEUED" | "PENDING" => true,
            "ONHOLD" | "UNCLAIMED" => word != "PENDING",
            "SUCCESS" => ["REFUNDED", "REVERSED"].contains(&word),
            _ => false,
        };
        if known && moves {
            state = word;
        }
    }
    state
}

#[tokio::test]
async fn every_pair_of_words_in_every_order_ends_where_money_can_go() {
    let mut world = World::connected().await;
    for first in 0..12 {
        for second in 0..12 {
            world.owe(&format!("p{first:02}{second:02}@example.com"), &["1.00"]).await;
        }
    }
    let batch = world.pay_all().await[0];
    let reading = Arc::new(AtomicUsize::new(0));
    let now = reading.clone();
    let app = Strange::start(&world, vec![accepted()], move |sent, _| {
        let round = now.load(Ordering::SeqCst);
        let items: Vec<Value> = sent
            .iter()
            .enumerate()
            .map(|(number, item)| {
                let name = &item["receiver"].as_str().unwrap()[1..5];
                let which: usize = name[round * 2..round * 2 + 2].parse().unwrap();
                shown(item, number, WORDS[which])
            })
            .collect();
        page("SUCCESS", &items, 1)
    })
    .await;
    while submit::next(&app).await.unwrap() {}
    for round in 0..2 {
        reading.store(round, Ordering::SeqCst);
        world.advance(Duration::hours(2));
        assert!(reconcile::next(&app).await.unwrap(), "round {round}");
        while reconcile::next(&app).await.unwrap() {}
    }
    let mut tx = world.tx().await;
    let items: Vec<(String, String, Option<String>, bool, bool)> = sqlx::query_as(
        "select i.receiver, coalesce(i.not_paid, i.wait, i.state), i.flagged,
            exists (select from allocations l where l.merchant_id = i.merchant_id and l.item_id = i.id and l.released_at is null),
            exists (select from owed o join allocations l on l.merchant_id = o.merchant_id and l.commission_id = o.commission_id
                where l.merchant_id = i.merchant_id and l.item_id = i.id)
        from payout_items i where i.merchant_id = $1",
    )
    .bind(world.merchant)
    .fetch_all(&mut *tx)
    .await
    .unwrap();
    drop(tx);
    assert_eq!(items.len(), 144);
    for (receiver, state, flagged, held, owed) in &items {
        let words = [&receiver[1..3], &receiver[3..5]].map(|which| WORDS[which.parse::<usize>().unwrap()]);
        let state = match state.as_str() {
            "processing" => "PENDING".to_owned(),
            "on_hold" => "ONHOLD".to_owned(),
            "paid" => "SUCCESS".to_owned(),
            other => other.to_uppercase(),
        };
        let should = expected(words);
        assert_eq!(state, should, "{words:?}");
        let frees = ["FAILED", "RETURNED"].contains(&should);
        assert_eq!((*held, *owed), (!frees, frees), "{words:?}");
        // The second word counts, or is told to a person.
        let last = if words[1] == "DENIED" { "FAILED" } else { words[1] };
        assert_eq!(flagged.is_some(), should != last, "{words:?}: {flagged:?}");
    }
    assert!(verify(&world.app.database, None).await.unwrap().broken().is_empty());
    let ann = world.site.signed_in("ann@example.com").await;
    let mut address = format!("/batches/{batch}");
    let mut seen = 0;
    loop {
        let page = ann.open(&address).await;
        assert_eq!(page.status, 200, "{address}");
        for part in page.body.split("/items/").skip(1).filter(|part| !part.starts_with('.')) {
            let item = part.split('"').next().unwrap();
            assert_eq!(ann.open(&format!("/batches/{batch}/items/{item}")).await.status, 200);
            seen += 1;
        }
        let Some(next) = page.body.split("rel=\"next\" href=\"").nth(1) else { break };
        address = next.split('"').next().unwrap().replace("&amp;", "&").replace("&#38;", "&");
    }
    assert_eq!(seen, 144);
}

/// One instance has asked and waits for its answer while time passes, PayPal moves, and another instance reads.
#[tokio::test]
async fn the_older_of_two_readings_writes_nothing_whichever_ends_first() {
    for (receiver, to, state) in [
        ("unregistered", "SUCCESS", "paid"),
        ("unregistered", "RETURNED", "unpaid"),
        ("onhold", "UNCLAIMED", "open"),
        ("tom", "REFUNDED", "unpaid"),
    ] {
        let (world, _) = paid_to(&[receiver]).await;
        world.advance(Duration::days(2));
        let slow = world.another_instance();
        world.fault(json!({"call": "show_batch", "what": "delay", "ms": 900})).await;
        let older = tokio::spawn(async move { reconcile::next(&slow).await });
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        world.advance(Duration::seconds(10));
        at_paypal(&world, receiver, to).await;
        assert!(reconcile::next(&world.app).await.unwrap());
        let item = item_of(&world, receiver).await;
        assert_eq!(column(&world, item, "state").await.as_deref(), Some(state), "{receiver} {to}");
        assert!(older.await.unwrap().unwrap());
        assert_eq!(column(&world, item, "state").await.as_deref(), Some(state), "{receiver} {to}");
        assert_eq!(column(&world, item, "flagged").await, None);
        world.check().await;
    }
}
