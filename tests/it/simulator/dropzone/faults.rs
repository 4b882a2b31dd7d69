//! What goes wrong because a rule says so.

use super::*;
use flate2::read::GzDecoder;
use std::io::Read;

/// A DropZone in which these rules are at work.
async fn with(rules: Value) -> Harbour {
    let harbour = Harbour::start().await;
    harbour.rig.faults(rules).await;
    harbour
}

fn out(name: &str) -> String {
    format!("{}_OUT.csv", stem(name).to_uppercase())
}

/// The name of a file that pays two, accepted and processed.
async fn processed(harbour: &Harbour) -> String {
    let name = harbour.name("fault").await;
    harbour.put(&name, file(&["a@example.com", "b@example.com"]).as_bytes()).await;
    harbour.picked_up(1).await;
    name
}

#[tokio::test]
async fn a_connection_can_be_refused_and_so_can_a_key() {
    let rules = json!([{"call": "connect", "what": "refuse"}, {"call": "connect", "nth": 2, "what": "refuse_key"}]);
    let harbour = with(rules).await;
    let cut = harbour.visit_as(USER, &harbour.key).await.err().expect("refused");
    assert!(!cut.contains("refused: "), "{cut}");
    let refused = harbour.visit_as(USER, &harbour.key).await.err().expect("refused");
    assert!(refused.starts_with("refused: "), "{refused}");
    harbour.visit().await;
}

#[tokio::test]
async fn an_upload_can_be_cut_and_what_came_is_picked_up() {
    let harbour = with(json!([{"call": "upload", "what": "cut", "bytes": 60}])).await;
    let (name, content) = (harbour.name("cut").await, file(&["a@example.com", "b@example.com"]));
    assert!(harbour.visit().await.put(&name, content.as_bytes()).await.is_err());
    let visit = harbour.visit().await;
    assert_eq!(visit.sftp.metadata(format!("Incoming/{name}")).await.unwrap().len(), 60);
    harbour.wait_for(&format!("{}_nack.csv", stem(&name))).await;
    harbour.nothing_was_paid().await;
    // The last byte arrives and its answer does not: the file is whole.
    let name = harbour.name("lost").await;
    harbour.rig.faults(json!([{"call": "upload", "what": "cut", "bytes": content.len()}])).await;
    assert!(harbour.visit().await.put(&name, content.as_bytes()).await.is_err());
    harbour.wait_for(&format!("{}_ack.csv", stem(&name))).await;
    harbour.conserved().await;
}

#[tokio::test]
async fn a_disk_can_be_full_and_a_wire_slow() {
    let rules = json!([
        {"call": "upload", "what": "full", "bytes": 10},
        {"call": "upload", "nth": 2, "what": "slow", "ms": 60},
        {"call": "list", "what": "slow", "ms": 1},
    ]);
    let harbour = with(rules).await;
    let content = file(&["a@example.com"]);
    let full = harbour.visit().await.put("full", content.as_bytes()).await.expect_err("no space");
    assert!(full.contains("No space left on device"), "{full}");
    let name = harbour.name("slow").await;
    harbour.put(&name, content.as_bytes()).await;
    harbour.wait_for(&format!("{}_ack.csv", stem(&name))).await;
    let rules = harbour.rig.get("/_simulator/faults").await.json();
    assert!(rules.as_array().unwrap().iter().all(|rule| rule["fired"] == 1), "{rules}");
    harbour.conserved().await;
}

#[tokio::test]
async fn a_file_can_be_picked_up_while_it_is_written() {
    let harbour = with(json!([{"call": "upload", "what": "grab", "bytes": 70}])).await;
    let (name, content) = (harbour.name("grab").await, file(&["a@example.com", "b@example.com"]));
    harbour.put(&name, content.as_bytes()).await;
    harbour.wait_for(&format!("{}_nack.csv", stem(&name))).await;
    let shown = harbour.rig.get("/_simulator/dropzone").await.json();
    assert_eq!(shown["files"][0]["size"], 70);
    harbour.nothing_was_paid().await;
}

#[tokio::test]
async fn a_file_can_be_lost_late_or_rejected() {
    let rules = json!([
        {"call": "pick_up", "what": "reject", "name": "SANDBOX_LIMIT_ERROR"},
        {"call": "pick_up", "nth": 2, "what": "lose"},
        {"call": "pick_up", "nth": 3, "what": "delay", "ms": 500},
    ]);
    let harbour = with(rules).await;
    let content = file(&["a@example.com"]);
    let names = [harbour.name("rejected").await, harbour.name("lost").await, harbour.name("late").await];
    for name in &names {
        harbour.put(name, content.as_bytes()).await;
        let visit = harbour.visit().await;
        while name != &names[2] && visit.list("Incoming").await.contains(name) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    let nack = harbour.wait_for(&format!("{}_nack.csv", stem(&names[0]))).await;
    assert!(nack.starts_with("PAYOUT_SUMMARY,,SANDBOX_LIMIT_ERROR,"), "{nack}");
    harbour.wait_for(&format!("{}_ack.csv", stem(&names[2]))).await;
    assert_eq!(harbour.files().await.len(), 2, "the lost one was never looked at");
    assert_eq!(harbour.rig.accepted().await, 1);
    harbour.conserved().await;
}

#[tokio::test]
async fn an_answer_can_be_missing_late_or_spelled_otherwise() {
    let rules = json!([
        {"call": "ack", "what": "lose"},
        {"call": "ack", "nth": 2, "what": "delay", "ms": 3_600_000},
        {"call": "answer", "nth": 3, "what": "upper_case"},
        {"call": "dups", "what": "dup_spelling"},
    ]);
    let harbour = with(rules).await;
    let names = [harbour.name("one").await, harbour.name("two").await, harbour.name("three").await];
    for (place, name) in names.iter().enumerate() {
        harbour.put(name, file(&[&format!("a{place}@example.com")]).as_bytes()).await;
        harbour.picked_up(place + 1).await;
    }
    harbour.put(&names[2], b"again").await;
    harbour.picked_up(4).await;
    let acks = async || {
        let there = harbour.outgoing().await.into_iter();
        there.filter(|name| !name.contains("_OUT.") && !name.contains("_1_1.")).collect::<Vec<_>>()
    };
    let three = [format!("{}_ACK.CSV", stem(&names[2]).to_uppercase()), format!("{}_dup.csv", stem(&names[2]))];
    assert_eq!(acks().await, three);
    harbour.rig.advance(3600).await;
    assert!(acks().await.contains(&format!("{}_ack.csv", stem(&names[1]))));
    assert_eq!(harbour.rig.accepted().await, 3, "all three are paid");
    harbour.conserved().await;
}

#[tokio::test]
async fn an_answer_can_be_contradicted_later() {
    let rules = json!([
        {"call": "ack", "what": "late_nack", "ms": 600_000},
        {"call": "nack", "what": "late_ack", "ms": 600_000},
    ]);
    let harbour = with(rules).await;
    let name = processed(&harbour).await;
    harbour.put("pp_payouts_1517395059_bad.csv", b"bad").await;
    harbour.wait_for("pp_payouts_1517395059_bad_nack.csv").await;
    let (nack, ack) = (format!("{}_nack.csv", stem(&name)), "pp_payouts_1517395059_bad_ack.csv".to_owned());
    let there = harbour.outgoing().await;
    assert!(!there.contains(&nack) && !there.contains(&ack), "{there:?}");
    harbour.rig.advance(600).await;
    assert!(harbour.fetch(&nack).await.contains(",SUMMARY_AND_PAYOUT_MATCH_CONFLICT,"));
    assert!(harbour.fetch(&ack).await.contains(",pp_payouts_1517395059_bad,ACCEPTED_FOR_PROCESSING"));
    assert_eq!(harbour.rig.accepted().await, 1);
    assert_eq!(harbour.rig.item("R2").await["state"], "SUCCESS");
    harbour.conserved().await;
}

#[tokio::test]
async fn a_report_can_be_anything_else() {
    let whats = [
        "truncate",
        "html",
        "columns",
        "header",
        "fourteen",
        "unknown_row",
        "missing_row",
        "lower_case",
        "copy",
        "lose",
    ];
    let rules = whats.iter().enumerate().map(|(place, what)| json!({"call": "out", "nth": place + 1, "what": what}));
    let harbour = with(rules.collect()).await;
    let mut names = Vec::new();
    for (place, what) in whats.iter().enumerate() {
        let name = harbour.name(&what.replace('_', "-")).await;
        let receivers =
            [format!("{what}1@example.com"), format!("{what}2@example.com"), format!("{what}3@example.com")];
        harbour.put(&name, file(&receivers.each_ref().map(String::as_str)).as_bytes()).await;
        harbour.picked_up(place + 1).await;
        names.push(name);
    }
    let fetch = async |place: usize| harbour.wait_for(&out(&names[place])).await;
    let whole = harbour.wait_for(&out(&names[0]).replace("_OUT.", "_1_3.")).await;
    let [half, html, columns, header] = [fetch(0).await, fetch(1).await, fetch(2).await, fetch(3).await];
    assert!(whole.starts_with(&half) && half.len() < whole.len() && !half.ends_with('\n'), "{half}");
    assert!(html.starts_with("<html>"), "{html}");
    assert!(columns.lines().count() == 3 && columns.lines().all(|line| line.split(',').count() == 8), "{columns}");
    assert!(header.starts_with("REF_ID,PAYOUT_ITEM_ID,") && header.lines().count() == 4, "{header}");
    assert!(fetch(4).await.lines().all(|line| line.split(',').count() == 14));
    assert!(rows(&fetch(5).await).contains_key("UNKNOWN_REF"));
    assert_eq!(rows(&fetch(6).await).len(), 2);
    let there = harbour.outgoing().await;
    assert!(there.contains(&out(&names[7]).to_lowercase()) && !there.contains(&out(&names[7])));
    let copy = out(&names[8]).replace("_OUT.", "_OUT_1.");
    assert_eq!(harbour.fetch(&copy).await, fetch(8).await);
    assert!(!there.contains(&out(&names[9])), "{there:?}");
    harbour.conserved().await;
}

#[tokio::test]
async fn reports_can_be_compressed_late_or_all_missing() {
    let rules = json!([
        {"call": "part", "what": "lose"},
        {"call": "out", "what": "gzip"},
        {"call": "out", "what": "header"},
        {"call": "final", "what": "delay", "ms": 86_400_000},
    ]);
    let harbour = with(rules).await;
    let name = processed(&harbour).await;
    let there = harbour.outgoing().await;
    assert_eq!(there, [format!("{}.gz", out(&name)), format!("{}_ack.csv", stem(&name))]);
    let zipped = harbour.visit().await.fetch(&there[0]).await;
    let mut text = String::new();
    GzDecoder::new(zipped.as_slice()).read_to_string(&mut text).unwrap();
    assert!(text.starts_with("REF_ID,") && text.lines().count() == 3, "rules add up: {text}");
    let last = out(&name).replace("_OUT.", "_FINAL.");
    harbour.rig.advance(31 * DAY).await;
    assert!(!harbour.outgoing().await.contains(&last));
    harbour.rig.advance(DAY).await;
    harbour.wait_for(&last).await;
    harbour.conserved().await;
}

#[tokio::test]
async fn a_rule_that_cannot_happen_is_explained() {
    let harbour = Harbour::start().await;
    for bad in [
        json!({"call": "upload", "what": "lose"}),
        json!({"call": "upload", "what": "cut"}),
        json!({"call": "upload", "what": "cut", "bytes": 1, "ms": 1}),
        json!({"call": "upload", "what": "cut_before"}),
        json!({"call": "create", "what": "cut", "bytes": 1}),
        json!({"call": "create", "what": "cut_before", "bytes": 1}),
        json!({"call": "delivery", "what": "truncate"}),
        json!({"call": "ack", "what": "late_nack"}),
        json!({"call": "ack", "what": "late_ack", "ms": 1}),
        json!({"call": "ack", "what": "gzip"}),
        json!({"call": "out", "what": "delay"}),
        json!({"call": "pick_up", "what": "reject"}),
        json!({"call": "list", "what": "slow", "ms": 60_001}),
        json!({"call": "part", "what": "header", "status": 500}),
        json!({"call": "report", "what": "header", "nth": 0}),
    ] {
        let answer = harbour.rig.post("/_simulator/faults", &json!([bad])).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{bad}");
        let why = answer.json()["error"].as_str().expect("an explanation").to_owned();
        assert!(why.contains("FAULTS OF THE DROPZONE") && why.contains("late_nack"), "{why}");
    }
}
