//! The demo, as a newcomer runs it: the real program in a folder of its own, stopped and killed as people do.

use crate::support::client::{Client, Page};
use crate::support::program::{DataFolder, Program, RunAs, program};
use nix::sys::signal::Signal;
use serde_json::Value;
use std::process::{Command, Output, Stdio};

fn demo(folder: &DataFolder, flags: &[&str]) -> Command {
    let mut command = program(folder.run_as);
    command.arg("demo").arg("--data-dir").arg(folder.path()).args(flags);
    command
}

/// A demo that has said that it is ready, and where its bank is.
fn start(folder: &DataFolder, flags: &[&str]) -> (Program, String) {
    let mut command = demo(folder, &["--bind", "127.0.0.1:0"]);
    command.args(flags);
    let mut program = Program::spawn(command);
    let ready = program.wait_for_line("Stipend is ready at");
    program.address = ready.split_whitespace().last().unwrap().to_owned();
    let bank = program.wait_for_line("its bank").split_whitespace().last().unwrap().to_owned();
    assert!(program.log.iter().any(|line| line.contains("play it")), "the page of the simulator is named");
    program.wait_for_line("No real money moves");
    (program, bank)
}

async fn sign_in(program: &Program) -> Client {
    let client = Client::new(&program.address);
    let page = client.open("/").await;
    assert!(page.text().contains("demo@example.com") && page.text().contains("demo-stipend"), "{}", page.text());
    let who = [("email", "demo@example.com"), ("password", "demo-stipend")];
    let landed = client.submit(&page, "/sign-in", &who).await;
    assert_eq!((landed.status, landed.url.as_str()), (200, "/"), "{}", landed.text());
    client
}

async fn connect(client: &Client) {
    let page = client.open("/integrations/payment/paypal").await;
    assert!(page.text().contains("demo-client") && page.text().contains("demo-secret"), "the keys are on the page");
    let keys = [("client_id", "demo-client"), ("secret", "demo-secret")];
    let card = client.submit(&page, "/integrations/payment/paypal", &keys).await;
    assert!(card.text().contains("Active"), "{}", card.text());
}

/// Pays everything that can be paid, and gives the page after it.
async fn pay_everything(client: &Client) -> Page {
    let due = client.open("/affiliate_payments/pay").await;
    let review = client.submit(&due, "/affiliate_payments/selections", &[("all", "1"), ("how", "paypal")]).await;
    assert_eq!(review.status, 200, "{}", review.text());
    client.submit(&review, "/payouts", &[]).await
}

async fn bank(address: &str) -> Value {
    reqwest::get(address).await.unwrap().json().await.unwrap()
}

/// Effective payments of each receiver in the bank, and how many items it has seen.
fn payments(bank: &Value) -> Vec<(String, u64)> {
    let batches = bank["batches"].as_array().unwrap().iter();
    let items = batches.flat_map(|batch| batch["items"].as_array().unwrap());
    items.map(|item| (item["receiver"].to_string(), item["payments"].as_u64().unwrap())).collect()
}

/// The addresses of the batches, oldest first.
async fn batches(client: &Client) -> Vec<String> {
    let page = client.open("/batches").await.body;
    let links = page.split("href=\"/batches/").skip(1).map(|rest| rest.split('"').next().unwrap());
    let mut links: Vec<String> = links.map(|id| format!("/batches/{id}")).collect();
    links.reverse();
    links
}

#[tokio::test]
async fn a_newcomer_pays_and_a_demo_killed_meanwhile_finishes() {
    for run_as in RunAs::everyone() {
        let folder = DataFolder::new(run_as);
        let (mut first, _) = start(&folder, &[]);
        let client = sign_in(&first).await;
        let due = client.open("/affiliate_payments/pay").await.text();
        for seen in ["EUR", "JPY", "USD", "No PayPal address", "Address too long for PayPal", "lukas.unregistered"] {
            assert!(due.contains(seen), "no {seen} in {due}");
        }
        connect(&client).await;
        let paid = pay_everything(&client).await;
        assert!(paid.text().contains("3 batches were made"), "{}", paid.text());
        first.end_by(Signal::SIGKILL);

        let (mut second, address) = start(&folder, &[]);
        assert!(!second.log.iter().any(|line| line.contains("Making")), "the data is kept: {:?}", second.log);
        let client = sign_in(&second).await;
        let made = batches(&client).await;
        assert_eq!(made.len(), 3);
        for batch in &made {
            settled(&client, batch).await;
        }
        let known = payments(&bank(&address).await);
        assert!(known.len() > 30, "{known:?}");
        assert!(known.iter().all(|(_, payments)| *payments <= 1));
        assert!(known.iter().filter(|(_, payments)| *payments == 1).count() > 30, "{known:?}");
        let due = client.open("/affiliate_payments/pay").await.text();
        assert!(due.contains("tomas.failed"), "what failed is due again");
        assert!(!due.contains("lukas.unregistered"), "what is unclaimed is not");
        assert!(second.end_by(Signal::SIGINT).success());
        assert!(!folder.pg().join("postmaster.pid").exists(), "the server has stopped too");
    }
}

/// What the row of this address says on the batch's page.
fn row<'a>(page: &'a str, address: &str) -> Option<&'a str> {
    let name = address.split('@').next().unwrap();
    let before = page.split("<tr").find(|row| row.contains(name))?;
    before.split("</tr>").next()
}

#[tokio::test]
async fn each_outcome_is_seen_within_a_minute_after_paying() {
    let folder = DataFolder::new(RunAs::Us);
    let (mut demo, _) = start(&folder, &[]);
    let client = sign_in(&demo).await;
    connect(&client).await;
    pay_everything(&client).await;
    let expected = [
        ("maya.keller@", "Paid"),
        ("lukas.unregistered@example.org", "Unclaimed"),
        ("hana.onhold@example.com", "Held"),
        ("tomas.failed@example.com", "Failed"),
        ("elif.blocked@example.com", "Blocked"),
        ("grace.refunded@example.org", "Refunded"),
        ("karim.reversed@example.com", "Reversed"),
        ("mila.returned@example.org", "Returned"),
        ("owen.pending@example.com", "Processing"),
        ("suri.claims-later@example.org", "Paid"),
    ];
    let mut missing = Vec::new();
    for _ in 0..120 {
        let mut pages = String::new();
        for batch in batches(&client).await {
            pages += &client.open(&batch).await.body;
        }
        missing = expected
            .into_iter()
            .filter(|(address, word)| !row(&pages, address).is_some_and(|row| row.contains(word)))
            .collect();
        if missing.is_empty() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    }
    assert!(missing.is_empty(), "not seen within a minute: {missing:?}");
    assert!(demo.end_by(Signal::SIGINT).success());
}

/// Waits until PayPal has finished the batch.
async fn settled(client: &Client, batch: &str) {
    let mut text = String::new();
    for _ in 0..600 {
        text = client.open(batch).await.text();
        if text.contains("Done.") {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("{batch} was never finished: {text}");
}

#[tokio::test]
async fn fresh_begins_anew_with_an_empty_bank() {
    let folder = DataFolder::new(RunAs::Us);
    let (mut first, address) = start(&folder, &["--affiliates", "14", "--commissions", "40"]);
    let client = sign_in(&first).await;
    connect(&client).await;
    pay_everything(&client).await;
    eventually_async("the bank has the payments", async || !payments(&bank(&address).await).is_empty()).await;
    assert!(first.end_by(Signal::SIGTERM).success());

    let (mut second, address) = start(&folder, &["--fresh", "--affiliates", "20", "--commissions", "60"]);
    assert!(payments(&bank(&address).await).is_empty());
    let client = sign_in(&second).await;
    assert!(batches(&client).await.is_empty());
    assert!(client.open("/affiliates").await.text().contains("20 affiliates"));
    assert!(client.open("/integrations/payment").await.text().contains("Inactive"));
    assert!(second.end_by(Signal::SIGINT).success());
}

async fn eventually_async(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    for _ in 0..600 {
        if is_so().await {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("not so after a long time: {what}");
}

#[tokio::test]
async fn a_start_that_was_cut_off_is_completed_by_the_next() {
    let folder = DataFolder::new(RunAs::Us);
    let flags = ["--affiliates", "2000", "--commissions", "40000"];
    let mut cut_off = Program::spawn(demo(&folder, &[&["--bind", "127.0.0.1:0"], &flags[..]].concat()));
    cut_off.wait_for_line("Making");
    cut_off.end_by(Signal::SIGKILL);
    let (mut whole, _) = start(&folder, &flags);
    let client = sign_in(&whole).await;
    assert!(client.open("/affiliates").await.text().contains("2,000 affiliates"));
    let verified = sums(&client).await;
    assert!(verified.contains("USD") && verified.contains("JPY"), "{verified}");
    assert!(whole.end_by(Signal::SIGINT).success());
}

async fn sums(client: &Client) -> String {
    client.open("/affiliate_payments/pay/sums").await.body
}

#[tokio::test]
async fn a_simulator_that_runs_already_is_used() {
    let mut command = program(RunAs::Us);
    command.args(["paypal-simulator", "--listen", "127.0.0.1:0", "--account", "demo-client:demo-secret"]);
    let mut paypal = Program::spawn(command);
    let url = paypal.wait_for_line("listening on ").split_whitespace().last().unwrap().to_owned();
    let folder = DataFolder::new(RunAs::Us);
    let (mut demo, address) = start(&folder, &["--simulator-url", &url, "--affiliates", "16", "--commissions", "30"]);
    assert_eq!(address, format!("{url}/_simulator/bank"));
    assert!(!folder.path().join("simulator.journal").exists());
    let client = sign_in(&demo).await;
    connect(&client).await;
    pay_everything(&client).await;
    eventually_async("the bank has the payments", async || !payments(&bank(&address).await).is_empty()).await;
    assert!(demo.end_by(Signal::SIGINT).success());
    assert!(paypal.end_by(Signal::SIGTERM).success());
}

fn refusal(mut command: Command) -> (Option<i32>, String) {
    let Output { status, stderr, .. } = command.stdin(Stdio::null()).output().unwrap();
    (status.code(), String::from_utf8(stderr).unwrap())
}

#[test]
fn a_demo_is_for_this_machine_alone() {
    let folder = DataFolder::new(RunAs::Us);
    let (status, said) = refusal(demo(&folder, &["--bind", "0.0.0.0:0", "--simulator-url", "nonsense"]));
    assert_eq!(status, Some(2), "{said}");
    assert!(said.contains("other machines") && said.contains("STIPEND_SIMULATOR_URL"), "every problem is told: {said}");
    assert!(!folder.path().exists(), "nothing was begun");
}

#[test]
fn somebodys_own_installation_is_no_place_for_a_demo() {
    let folder = DataFolder::new(RunAs::Us);
    let added = folder.run(&["merchant", "add", "Acme", "--time-zone", "Europe/Berlin"]);
    assert!(added.status.success());
    for flags in [&["--bind", "127.0.0.1:0"][..], &["--bind", "127.0.0.1:0", "--fresh"]] {
        let (status, said) = refusal(demo(&folder, flags));
        assert_eq!(status, Some(1), "{said}");
        assert!(said.contains("not a demo"), "{said}");
    }
    let again = folder.run(&["merchant", "add", "acme", "--time-zone", "Europe/Berlin"]);
    assert!(String::from_utf8_lossy(&again.stderr).contains("already"), "the installation is as it was: {again:?}");
}
