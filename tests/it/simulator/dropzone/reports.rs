//! Processing and its reports, as the clock moves.

use super::*;

const MINUTE: Duration = Duration::from_secs(60);

/// A name's report.
fn report(name: &str, which: &str) -> String {
    format!("{}_{which}.csv", stem(name).to_uppercase())
}

#[tokio::test]
async fn parts_then_out_then_final_follow_the_clock() {
    let harbour = Harbour::with(MINUTE, |zone| Dropzone { part_size: 2, ..zone }).await;
    let name = harbour.name("Parts-1").await;
    let receivers =
        ["a@example.com", "unclaimed@example.com", "claims-later@example.com", "failed@example.com", "no-address"];
    let batch = harbour.accepted(&name, file(&receivers).as_bytes()).await;
    assert_eq!(batch["batch_status"], "PENDING");
    assert_eq!(harbour.outgoing().await, [format!("{}_ack.csv", stem(&name))]);
    harbour.conserved().await;

    // Processing takes the second half of the minute, part by part.
    let (first, second, third) = (report(&name, "1_2"), report(&name, "3_4"), report(&name, "5_5"));
    harbour.rig.advance(41).await;
    let there = harbour.outgoing().await;
    assert!(there.contains(&first) && !there.contains(&second), "{there:?}");
    assert_eq!(harbour.rig.item("R1").await["state"], "SUCCESS");
    assert_eq!(harbour.rig.item("R4").await["state"], "PENDING");
    harbour.rig.advance(25).await;
    let there = harbour.outgoing().await;
    assert!([&second, &third, &report(&name, "OUT")].iter().all(|name| there.contains(name)), "{there:?}");
    let parts =
        [rows(&harbour.fetch(&first).await), rows(&harbour.fetch(&second).await), rows(&harbour.fetch(&third).await)];
    assert_eq!(
        parts.each_ref().map(|part| part.keys().cloned().collect::<Vec<_>>().join(" ")),
        ["R1 R2", "R3 R4", "R5"]
    );

    let out = harbour.fetch(&report(&name, "OUT")).await;
    assert!(!out.starts_with("REF_ID"), "there is no row of names");
    assert!(!out.starts_with("R1,"), "rows are in another order than sent: {out}");
    let out = rows(&out);
    assert_eq!(out.len(), 5);
    assert!(out.values().all(|row| row.len() == 13), "{out:?}");
    let facts = |row: &[String]| row[4..12].join(",");
    assert_eq!(facts(&out["R1"]), "a@example.com,USD,10.00,0.20,10.20,SUCCESS,,");
    let unregistered = "USD,10.00,0.20,10.20,UNCLAIMED,RECEIVER_UNREGISTERED,Receiver is unregistered";
    assert_eq!(facts(&out["R2"]), format!("unclaimed@example.com,{unregistered}"));
    assert_eq!(
        facts(&out["R4"]),
        "failed@example.com,USD,10.00,0,10.00,FAILED,RECEIVER_ACCOUNT_LOCKED,Receiver account is inactive or locked"
    );
    assert!(out["R4"][2].is_empty() && out["R5"][2].is_empty() && out["R1"][2].len() == 17);
    assert_eq!(out["R5"][10], "INVALID_EMAIL_ID");
    assert!(out.values().all(|row| row[1].len() == 13 && row[3].is_empty()));

    // What PayPal says over REST of what came in a file is not documented: nothing.
    let item = &out["R1"][1];
    harbour.rig.get(&format!("/v1/payments/payouts-item/{item}")).await.refused(404, "INVALID_RESOURCE_ID");
    let batch = batch["payout_batch_id"].as_str().unwrap();
    harbour.rig.get(&format!("/v1/payments/payouts/{batch}")).await.refused(404, "INVALID_RESOURCE_ID");

    harbour.rig.advance(31 * DAY - 120).await;
    assert!(!harbour.outgoing().await.contains(&report(&name, "FINAL")));
    harbour.rig.advance(120).await;
    let last = rows(&harbour.fetch(&report(&name, "FINAL")).await);
    assert_eq!(last["R2"][9], "RETURNED");
    let claimed = &last["R3"];
    assert_eq!((claimed[9].as_str(), claimed.len()), ("SUCCESS", 14), "who claims has a time of it: {claimed:?}");
    assert!(claimed[12] < claimed[13], "{claimed:?}");
    assert_eq!(last["R1"], out["R1"], "what is over stays as it was");
    harbour.conserved().await;
}

#[tokio::test]
async fn a_name_ahead_is_acknowledged_at_once_and_paid_then() {
    let harbour = Harbour::start().await;
    let name = harbour.name_ahead("scheduled", 7 * DAY - 3600).await;
    let batch = harbour.accepted(&name, file(&["a@example.com"]).as_bytes()).await;
    assert_eq!(batch["batch_status"], "PENDING");
    harbour.rig.advance(6 * DAY).await;
    assert_eq!(harbour.rig.item("R1").await["state"], "PENDING");
    assert!(!harbour.outgoing().await.contains(&report(&name, "OUT")));
    harbour.rig.advance(DAY).await;
    assert_eq!(harbour.rig.item("R1").await["state"], "SUCCESS");
    harbour.wait_for(&report(&name, "OUT")).await;
    harbour.conserved().await;
}

#[tokio::test]
async fn a_file_beyond_the_balance_fails_as_a_whole() {
    let harbour = Harbour::start().await;
    let name = harbour.name("poor").await;
    let balance = json!({"client_id": ID, "currency": "USD", "value": "20.00"});
    harbour.rig.post("/_simulator/balances", &balance).await;
    // The amounts alone would fit; the fees do not.
    harbour.accepted(&name, file(&["a@example.com", "b@example.com"]).as_bytes()).await;
    let out = rows(&harbour.wait_for(&report(&name, "OUT")).await);
    assert!(out.values().all(|row| row[9..11] == ["FAILED", "INSUFFICIENT_FUNDS"] && row[7] == "0"), "{out:?}");
    harbour.wait_for(&report(&name, "1_2")).await;
    let bank = harbour.rig.bank().await;
    assert_eq!(bank["accounts"][0]["balances"]["USD"], "20.00");
    harbour.rig.advance(31 * DAY).await;
    assert_eq!(rows(&harbour.wait_for(&report(&name, "FINAL")).await).len(), 2);
}

#[tokio::test]
async fn items_meet_the_same_fates_as_over_rest_and_can_be_moved() {
    let harbour = Harbour::start().await;
    let name = harbour.name("fates").await;
    let receivers = [
        "unclaimed@example.com",
        "onhold@example.com",
        "blocked@example.com",
        "pending@example.com",
        "returned@example.com",
        "failed+risk_decline@example.com",
        "client-1@business.example.com",
        "refunded@example.com",
    ];
    harbour.accepted(&name, file(&receivers).as_bytes()).await;
    let out = rows(&harbour.wait_for(&report(&name, "OUT")).await);
    let states: Vec<&str> = out.values().map(|row| row[9].as_str()).collect();
    assert_eq!(states, ["UNCLAIMED", "ONHOLD", "BLOCKED", "PENDING", "RETURNED", "FAILED", "FAILED", "SUCCESS"]);
    assert_eq!((out["R6"][10].as_str(), out["R7"][10].as_str()), ("RISK_DECLINE", "SELF_PAY_NOT_ALLOWED"));
    let id = &out["R1"][1];
    let moved = harbour.rig.post(&format!("/_simulator/items/{id}"), &json!({"do": "claim"})).await;
    assert_eq!(moved.json()["state"], "SUCCESS", "{}", moved.text);
    harbour.rig.advance(31 * DAY).await;
    let last = rows(&harbour.wait_for(&report(&name, "FINAL")).await);
    let states: Vec<&str> = last.values().map(|row| row[9].as_str()).collect();
    assert_eq!(states, ["SUCCESS", "RETURNED", "BLOCKED", "PENDING", "RETURNED", "FAILED", "FAILED", "REFUNDED"]);
    harbour.conserved().await;
}

#[tokio::test]
async fn an_account_that_may_not_pay_pays_nobody() {
    let harbour = Harbour::start().await;
    let limit = json!({"client_id": ID, "approved": false});
    harbour.rig.post("/_simulator/accounts", &limit).await;
    let name = harbour.name("limited").await;
    harbour.accepted(&name, file(&["a@example.com"]).as_bytes()).await;
    let out = rows(&harbour.wait_for(&report(&name, "OUT")).await);
    assert_eq!(out["R1"][9..11], ["FAILED", "REFUSED_ACTION_DENIED"]);
    harbour.conserved().await;
}

#[tokio::test]
#[ignore = "takes half a minute without optimisation: cargo test --test it half_a_million -- --ignored"]
async fn half_a_million_payments_are_one_file() {
    const MANY: usize = 500_000;
    let harbour = Harbour::start().await;
    let name = harbour.name("many").await;
    let mut text = format!("PAYOUT_SUMMARY,{MANY}.00,USD,{MANY},Commission,\n");
    for number in 0..MANY {
        text += &format!("PAYOUT,affiliate-{number}@example.com,1.00,USD,pi_{number:012},Commission for May\n");
    }
    harbour.put(&name, text.as_bytes()).await;
    let ended = async {
        while !harbour.outgoing().await.contains(&report(&name, "OUT")) {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(300), ended).await.expect("the file is processed");
    let out = harbour.fetch(&report(&name, "OUT")).await;
    assert_eq!(out.lines().count(), MANY);
    assert_eq!(rows(&out).len(), MANY, "each reference once");
    let bank = harbour.rig.get("/_simulator/bank?summary=1").await.json();
    let sums =
        json!({"SUCCESS": {"count": MANY, "amount": "500000.00", "money_moved": "500000.00", "fee": "10000.00"}});
    assert_eq!(bank["batches"][0]["states"], sums);
    harbour.conserved().await;
}
