//! A restarted simulator knows its bank.

use super::receiver::Receiver;
use super::*;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// A journal's path that nothing uses yet, removed in the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Scratch {
        Scratch(std::env::temp_dir().join(format!("stipend-journal-{}.jsonl", uuid::Uuid::new_v4())))
    }

    fn settings(&self) -> Settings {
        Settings { journal: Some(self.0.clone()), ..settings(Duration::from_secs(60)) }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).ok();
    }
}

/// The bank without its time, which goes on.
async fn timeless(rig: &Rig) -> Value {
    let mut bank = rig.bank().await;
    bank["now"] = Value::Null;
    bank
}

#[tokio::test]
async fn a_restarted_simulator_has_the_same_bank() {
    let scratch = Scratch::new();
    let mut rig = Rig::with(scratch.settings()).await;
    rig.faults(json!([{"call": "create", "nth": 2, "what": "denied"}])).await;
    let receivers = ["a@example.com", "unregistered@example.com", "onhold@example.com", "refunded@example.com"];
    let first = rig.create(&batch("b-1", &receivers)).await.accepted();
    rig.create(&batch("b-2", &["b@example.com"])).await.accepted();
    rig.advance(DAY).await;
    rig.token = rig.token_of(ID).await;
    let shown = rig.batch(&first).await;
    let item = shown["items"][1]["payout_item_id"].as_str().expect("an id");
    assert!(rig.post(&format!("/v1/payments/payouts-item/{item}/cancel"), &json!({})).await.status.is_success());
    let held = shown["items"][2]["payout_item_id"].as_str().expect("an id");
    assert!(rig.post(&format!("/_simulator/items/{held}"), &json!({"to": "SUCCESS"})).await.status.is_success());
    rig.create(&batch("b-3", &["c@example.com"])).await.accepted();
    let before = timeless(&rig).await;
    let old_token = rig.token.clone();
    rig.simulator.stop().await;

    let mut rig = Rig::with(scratch.settings()).await;
    assert_eq!(timeless(&rig).await, before);
    assert_eq!(rig.get("/_simulator/clock").await.json()["offset_seconds"], DAY);
    rig.create(&batch("b-1", &["a@example.com"])).await.refused(400, "USER_BUSINESS_ERROR");
    rig.advance(60).await;
    assert_eq!(rig.item("c@example.com").await["state"], "SUCCESS", "what was under way goes on");
    rig.token = old_token;
    rig.get(&format!("/v1/payments/payouts/{first}")).await.refused(401, "AUTHENTICATION_FAILURE");
}

#[tokio::test]
async fn a_restarted_simulator_knows_its_webhooks_and_what_they_were_told() {
    let (scratch, hook) = (Scratch::new(), Receiver::start().await);
    let rig = Rig::with(scratch.settings()).await;
    let webhook = rig.hook(&hook.url).await;
    let other = rig.hook("http://127.0.0.1:1/nobody").await;
    rig.create(&batch("b-1", &["a@example.com", "onhold@example.com"])).await.accepted();
    rig.advance(60).await;
    let told = hook.wait_for(4).await;
    let set = json!({"client_id": ID, "currency": "USD", "value": "5.00"});
    rig.post("/_simulator/balances", &set).await;
    let path = format!("/v1/notifications/webhooks/{other}");
    assert_eq!(answer(rig.request(Method::DELETE, &path)).await.status, StatusCode::NO_CONTENT);
    hook.answers(500);
    let item = rig.item("onhold@example.com").await["payout_item_id"].as_str().expect("an id").to_owned();
    rig.post(&format!("/_simulator/items/{item}"), &json!({"do": "release"})).await;
    hook.wait_for(5).await;
    let before = timeless(&rig).await;
    let listed = rig.get("/v1/notifications/webhooks-events").await.json()["events"].clone();
    rig.simulator.stop().await;

    hook.answers(200);
    let mut rig = Rig::with(scratch.settings()).await;
    assert_eq!(timeless(&rig).await, before);
    let known = rig.get("/v1/notifications/webhooks").await.json();
    assert_eq!((known["webhooks"].as_array().map(Vec::len), &known["webhooks"][0]["id"]), (Some(1), &json!(webhook)));
    let again = hook.wait_for(6).await[5].clone();
    assert_eq!(again.json()["id"], hook.arrived()[4].json()["id"], "what was not delivered comes again");
    rig.refutes(&again, &webhook).await.expect("a genuine event");
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(hook.count(), told.len() + 2, "what was delivered does not");
    let ids = |events: &Value| {
        let ids: Vec<Value> = events.as_array().expect("events").iter().map(|event| event["id"].clone()).collect();
        ids
    };
    let now = rig.get("/v1/notifications/webhooks-events").await.json()["events"].clone();
    assert_eq!(ids(&now), ids(&listed), "the same events under the same ids");
    rig.simulator.stop().await;
    rig = Rig::with(scratch.settings()).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(hook.count(), told.len() + 2, "now nothing does");
    rig.simulator.stop().await;
}

#[tokio::test]
async fn without_a_journal_everything_is_forgotten() {
    let rig = Rig::start().await;
    rig.create(&batch("b-1", &["a@example.com"])).await.accepted();
    rig.simulator.stop().await;
    let rig = Rig::start().await;
    rig.create(&batch("b-1", &["a@example.com"])).await.accepted();
}

#[tokio::test]
async fn a_line_cut_off_by_a_crash_is_dropped_and_a_damaged_one_is_not() {
    let scratch = Scratch::new();
    let rig = Rig::with(scratch.settings()).await;
    rig.create(&batch("b-1", &["a@example.com"])).await.accepted();
    rig.simulator.stop().await;
    let whole = std::fs::read_to_string(&scratch.0).expect("a journal");
    assert!(whole.ends_with('\n') && whole.lines().count() == 1);
    std::fs::write(&scratch.0, format!("{whole}{}", &whole[..whole.len() / 2])).expect("written");
    let rig = Rig::with(scratch.settings()).await;
    assert_eq!(rig.accepted().await, 1);
    rig.create(&batch("b-2", &["b@example.com"])).await.accepted();
    rig.simulator.stop().await;
    let rig = Rig::with(scratch.settings()).await;
    assert_eq!(rig.accepted().await, 2);
    rig.simulator.stop().await;

    std::fs::write(&scratch.0, format!("{whole}{{\"entry\":\n")).expect("written");
    let any_port = "127.0.0.1:0".parse().expect("an address");
    let refused = Simulator::start(any_port, scratch.settings()).await.expect_err("a damaged journal");
    assert!(format!("{refused:#}").contains("line 2"), "{refused:#}");
}

/// Starts the program, and waits for the address it prints.
async fn program(journal: &Path) -> (Child, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_stipend"))
        .args(["paypal-simulator", "--listen", "127.0.0.1:0", "--settle-after", "0s", "--account", "client-1:secret-1"])
        .arg("--journal")
        .arg(journal)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("the program starts");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let line = lines.next_line().await.expect("a line").expect("the address is printed");
    let url = line.strip_prefix("PayPal simulator listening on ").unwrap_or_else(|| panic!("{line}"));
    (child, url.to_owned())
}

async fn create_at(url: &str, id: &str) -> Answer {
    let http = reqwest::Client::builder().no_proxy().build().expect("a client");
    let request = http.post(format!("{url}/v1/oauth2/token")).basic_auth(ID, Some(SECRET));
    let token = answer(request.form(&[("grant_type", "client_credentials")])).await.json();
    let token = token["access_token"].as_str().expect("a token").to_owned();
    let request = http.post(format!("{url}/v1/payments/payouts")).bearer_auth(token);
    answer(request.json(&batch(id, &["a@example.com"]))).await
}

#[tokio::test]
async fn a_killed_simulator_still_knows_what_it_answered() {
    let scratch = Scratch::new();
    let (mut child, url) = program(&scratch.0).await;
    create_at(&url, "b-1").await.accepted();
    child.kill().await.expect("it is killed");
    let (mut child, url) = program(&scratch.0).await;
    create_at(&url, "b-1").await.refused(400, "USER_BUSINESS_ERROR");

    let pid = i32::try_from(child.id().expect("it runs")).expect("a pid");
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGTERM).expect("it is told");
    assert!(child.wait().await.expect("it ends").success(), "it ends cleanly when told to");
}
