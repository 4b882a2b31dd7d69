//! The simulated PayPal, through its own door: HTTP in, its bank out.

mod api;
mod bank;
mod dropzone;
mod duplicates;
mod faults;
mod journal;
mod play;
pub mod receiver;
mod refusals;
mod sandbox;
mod webhooks;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;
use stipend::clock::Clock;
use stipend::simulator::{Account, Settings, Simulator};

const ID: &str = "client-1";
const SECRET: &str = "secret-1";
const DAY: i64 = 86_400;

/// A running simulator and a caller who holds a token for it.
struct Rig {
    simulator: Simulator,
    http: reqwest::Client,
    token: String,
}

/// An answer, read to its end.
#[derive(Debug)]
struct Answer {
    status: StatusCode,
    debug_id: Option<String>,
    retry_after: Option<String>,
    text: String,
}

impl Answer {
    /// The body, which must be JSON.
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// Asserts a refusal in PayPal's envelope, and gives its details.
    fn refused(&self, status: u16, name: &str) -> Vec<Value> {
        let body = self.json();
        assert_eq!((self.status.as_u16(), body["name"].as_str()), (status, Some(name)), "{body}");
        assert!(body["message"].is_string(), "{body}");
        assert_eq!(body["debug_id"].as_str(), self.debug_id.as_deref(), "the header repeats the body's id");
        body["details"].as_array().cloned().unwrap_or_default()
    }

    /// Asserts an accepted batch, and gives its id.
    fn accepted(&self) -> String {
        assert_eq!(self.status, StatusCode::CREATED, "{}", self.text);
        self.json()["batch_header"]["payout_batch_id"].as_str().expect("a payout_batch_id").to_owned()
    }
}

fn settings(settle_after: Duration) -> Settings {
    let without_payouts = Account { payouts: false, ..Account::new("no-payouts", SECRET) };
    let not_approved = Account { approved: false, ..Account::new("not-approved", SECRET) };
    let accounts = vec![Account::new(ID, SECRET), Account::new("client-2", SECRET), without_payouts, not_approved];
    Settings { accounts, settle_after, journal: None, clock: Clock::system(), dropzone: None }
}

impl Rig {
    /// A simulator whose batches are finished as soon as they are accepted.
    async fn start() -> Rig {
        Rig::with(settings(Duration::ZERO)).await
    }

    /// A simulator whose batches take a minute of its clock.
    async fn slow() -> Rig {
        Rig::with(settings(Duration::from_secs(60))).await
    }

    async fn with(settings: Settings) -> Rig {
        let any_port: SocketAddr = "127.0.0.1:0".parse().expect("an address");
        let simulator = Simulator::start(any_port, settings).await.expect("the simulator starts");
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        let mut rig = Rig { simulator, http, token: String::new() };
        rig.token = rig.token_of(ID).await;
        rig
    }

    async fn token_of(&self, client_id: &str) -> String {
        let answer = self.token_call(client_id, SECRET, "grant_type=client_credentials").await;
        answer.json()["access_token"].as_str().expect("an access token").to_owned()
    }

    async fn token_call(&self, client_id: &str, secret: &str, form: &str) -> Answer {
        let request = self.http.post(format!("{}/v1/oauth2/token", self.simulator.url()));
        let form_type = "application/x-www-form-urlencoded";
        let request = request.header("content-type", form_type).basic_auth(client_id, Some(secret));
        answer(request.body(form.to_owned())).await
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, format!("{}{path}", self.simulator.url())).bearer_auth(&self.token)
    }

    async fn get(&self, path: &str) -> Answer {
        answer(self.request(Method::GET, path)).await
    }

    async fn post(&self, path: &str, body: &Value) -> Answer {
        answer(self.request(Method::POST, path).json(body)).await
    }

    async fn create(&self, body: &Value) -> Answer {
        self.post("/v1/payments/payouts", body).await
    }

    async fn batch(&self, id: &str) -> Value {
        self.get(&format!("/v1/payments/payouts/{id}")).await.json()
    }

    /// Adds fault rules.
    async fn faults(&self, rules: Value) {
        let answer = self.post("/_simulator/faults", &rules).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    }

    /// Lets time pass.
    async fn advance(&self, seconds: i64) {
        let answer = self.post("/_simulator/clock", &json!({"advance_seconds": seconds})).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    }

    async fn bank(&self) -> Value {
        self.get("/_simulator/bank").await.json()
    }

    /// How many batches the bank has accepted.
    async fn accepted(&self) -> usize {
        self.bank().await["batches"].as_array().expect("a list of batches").len()
    }

    /// The only item with this name, as the bank has it.
    async fn item(&self, sender_item_id: &str) -> Value {
        let bank = self.bank().await;
        let batches = bank["batches"].as_array().expect("a list of batches");
        let items = batches.iter().flat_map(|batch| batch["items"].as_array().expect("a list of items"));
        let mut named = items.filter(|item| item["sender_item_id"] == sender_item_id);
        let item = named.next().unwrap_or_else(|| panic!("no item {sender_item_id} in {bank}")).clone();
        assert!(named.next().is_none(), "two items are named {sender_item_id}");
        item
    }
}

async fn answer(request: reqwest::RequestBuilder) -> Answer {
    let response = request.send().await.expect("an answer");
    let header = |name: &str| response.headers().get(name).map(|value| value.to_str().expect("ASCII").to_owned());
    let (debug_id, retry_after) = (header("Paypal-Debug-Id"), header("Retry-After"));
    Answer { status: response.status(), debug_id, retry_after, text: response.text().await.expect("a body") }
}

/// A batch that PayPal accepts, with one item for each receiver, named by it.
fn batch(id: &str, receivers: &[&str]) -> Value {
    let items: Vec<Value> = receivers.iter().map(|receiver| item(receiver, "10.00")).collect();
    json!({"sender_batch_header": {"sender_batch_id": id, "email_subject": "You have a payout"}, "items": items})
}

fn item(receiver: &str, value: &str) -> Value {
    json!({
        "recipient_type": "EMAIL",
        "receiver": receiver,
        "amount": {"currency": "USD", "value": value},
        "sender_item_id": receiver.chars().take(63).collect::<String>(),
        "note": "Commission for May",
    })
}
