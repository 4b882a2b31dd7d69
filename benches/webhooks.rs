//! G10: events received, verified, stored and answered, against inserts of one row and one commit each; and 10,000 of
//! them, doubled, followed to the batch they name.

use crate::{data, tell, timed};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair as RsaKeyPair;
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, PKCS_RSA_SHA256, RsaKeySize};
use serde_json::{Value, json};
use sqlx::Executor;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use stipend::app::App;
use stipend::audit::Actor;
use stipend::clock::Clock;
use stipend::connection::{self, notifications};
use stipend::database::Database;
use stipend::id::InstanceId;
use stipend::payout::hint;
use stipend::paypal::{Client, Credentials, DropZone, Environment};
use stipend::vault::Vault;

const EVENTS: usize = 10_000;
const CLIENTS: usize = 8;
const WEBHOOK: &str = "5GP028458E2496506";

pub async fn measure(database: &Database) {
    let (merchant, person) = data::merchant(database, 1, 1, 0).await;
    let limit = limit(database).await;
    let keys = Keys::new();
    let app = app(database, paypal(&keys).await);
    let actor = Actor { person: Some(person), address: None, at: app.clock.now() };
    let details = Credentials {
        environment: Environment::Simulator,
        client_id: "bench".into(),
        secret: "bench".to_owned().into(),
    };
    connection::save(&app, merchant, &actor, &details).await.unwrap().unwrap();
    let (app, site) = serve(app).await;
    assert!(notifications::next(&app).await.unwrap());
    let mut tx = database.merchant(merchant).await.unwrap();
    let id = connection::in_force(&mut tx).await.unwrap().unwrap().id;
    drop(tx);

    let url = format!("{site}/webhooks/paypal/{id}");
    let requests: Arc<Vec<_>> = Arc::new((0..EVENTS).map(|number| keys.event(number)).collect());
    let first = timed(deliver(&url, &requests)).await.0;
    println!("L4: {EVENTS} single inserts, one commit each, {CLIENTS} connections: {limit:.3?}");
    println!("G10: {:.0} events a second", EVENTS as f64 / first.as_secs_f64());
    tell("G10", "10,000 events received, verified, stored, answered", first, limit, 10.0);
    tell("G10", "the same, at 2,000 a second", first, Duration::from_secs(5), 1.0);
    let (again, ()) = timed(async {
        deliver(&url, &requests).await;
        while hint::next(&app).await.unwrap() {}
    })
    .await;
    tell("G10", "10,000 events with as many duplicates, followed", first + again, Duration::from_secs(10), 1.0);
    let mut tx = database.merchant(merchant).await.unwrap();
    let handled = "select count(*) from paypal_events where handled_at is not null";
    let handled: i64 = sqlx::query_scalar(handled).fetch_one(&mut *tx).await.unwrap();
    assert_eq!(usize::try_from(handled), Ok(EVENTS));
}

async fn limit(database: &Database) -> Duration {
    let table = "drop table if exists one_row; create table one_row (merchant_id uuid, id text, body text, at timestamptz, \
        primary key (merchant_id, id))";
    database.pool().execute(table).await.unwrap();
    let clients = (0..CLIENTS).map(|client| {
        let pool = database.pool().clone();
        async move {
            let insert = "insert into one_row values ($1, $2, 'PAYMENT.PAYOUTS-ITEM.SUCCEEDED', now())";
            for number in 0..EVENTS / CLIENTS {
                let id = format!("WH-{client}-{number}");
                sqlx::query(insert).bind(uuid::Uuid::nil()).bind(id).execute(&pool).await.unwrap();
            }
        }
    });
    timed(all(clients)).await.0
}

async fn all<F: Future<Output = ()> + Send + 'static>(work: impl Iterator<Item = F>) {
    let mut tasks = tokio::task::JoinSet::new();
    work.for_each(|one| {
        tasks.spawn(one);
    });
    tasks.join_all().await;
}

type Request = (Vec<(&'static str, String)>, String);

async fn deliver(url: &str, requests: &Arc<Vec<Request>>) {
    let http = reqwest::Client::builder().build().unwrap();
    all((0..CLIENTS).map(|client| {
        let (http, url, requests) = (http.clone(), url.to_owned(), requests.clone());
        async move {
            for (headers, body) in requests.iter().skip(client).step_by(CLIENTS) {
                let mut request = http.post(&url).body(body.clone());
                for (name, value) in headers {
                    request = request.header(*name, value);
                }
                assert_eq!(request.send().await.unwrap().status(), 200);
            }
        }
    }))
    .await;
}

struct Keys {
    ca: String,
    leaf: String,
    signing: RsaKeyPair,
    site: std::sync::OnceLock<String>,
}

impl Keys {
    fn new() -> Self {
        let key = || KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
        let mut root = CertificateParams::default();
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let (root_key, key) = (key(), key());
        let ca = root.self_signed(&root_key).unwrap().pem();
        let leaf = CertificateParams::new(vec!["certificates.example.com".to_owned()]).unwrap();
        let leaf = leaf.signed_by(&key, &Issuer::new(root, root_key)).unwrap().pem();
        let signing = RsaKeyPair::from_pkcs8(key.serialized_der()).unwrap();
        Self { ca, leaf, signing, site: std::sync::OnceLock::new() }
    }

    fn event(&self, number: usize) -> Request {
        let body = json!({
            "id": format!("WH-{number}"), "event_version": "1.0", "create_time": "2026-06-06T03:44:51Z",
            "resource_type": "payouts_item", "event_type": "PAYMENT.PAYOUTS-ITEM.SUCCEEDED",
            "summary": "A payout item has succeeded",
            "resource": {"payout_batch_id": "BATCH", "payout_item_id": format!("ITEM{number}"), "transaction_status": "SUCCESS",
                "payout_item": {"recipient_type": "EMAIL", "receiver": "affiliate@example.com", "amount": {"currency": "USD", "value": "1.25"}}},
        })
        .to_string();
        let (id, time) = (uuid::Uuid::now_v7().to_string(), "2026-06-06T03:44:55Z");
        let message = format!("{id}|{time}|{WEBHOOK}|{}", crc32fast::hash(body.as_bytes()));
        let mut signature = vec![0; self.signing.public_modulus_len()];
        self.signing.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature).unwrap();
        let certificate = format!("{}/v1/notifications/certs/CERT", self.site.get().unwrap());
        let headers = vec![
            ("paypal-auth-algo", "SHA256withRSA".to_owned()),
            ("paypal-transmission-id", id),
            ("paypal-transmission-time", time.to_owned()),
            ("paypal-transmission-sig", STANDARD.encode(signature)),
            ("paypal-cert-url", certificate),
        ];
        (headers, body)
    }
}

fn app(database: &Database, paypal: String) -> App {
    let clock = Clock::system();
    let http = reqwest::Client::builder().build().unwrap();
    App {
        database: database.clone(),
        vault: Vault::new(&[7; 32]),
        paypal: Client::new(http, Some(paypal), clock.clone()),
        dropzone: DropZone::new(true, None),
        clock,
        carrier: None,
        public_url: None,
        listens_at: None,
        demo: None,
        instance: InstanceId::new(),
        wake: Arc::default(),
    }
}

async fn serve(mut app: App) -> (App, String) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let site = format!("http://{}", listener.local_addr().unwrap());
    app.listens_at = Some(site.clone());
    let router = stipend::web::router(app.clone()).into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (app, site)
}

/// PayPal as far as this needs it.
async fn paypal(keys: &Keys) -> String {
    let (ca, leaf) = (keys.ca.clone(), keys.leaf.clone());
    let token = json!({"access_token": "t", "expires_in": 30_000, "scope": "https://uri.paypal.com/payments/payouts"});
    let types = json!({"event_types": [{"name": "PAYMENT.PAYOUTS-ITEM.SUCCEEDED"}]});
    let create = async |Json(asked): Json<Value>| {
        let made = json!({"id": WEBHOOK, "url": asked["url"], "event_types": asked["event_types"]});
        (axum::http::StatusCode::CREATED, Json(made))
    };
    let router = Router::new()
        .route("/v1/oauth2/token", post(async || Json(token)))
        .route("/v1/payments/payouts/{id}", get(async || axum::http::StatusCode::NOT_FOUND))
        .route("/v1/notifications/webhooks-event-types", get(async || Json(types)))
        .route("/v1/notifications/webhooks", get(async || Json(json!({"webhooks": []}))).post(create))
        .route("/v1/notifications/certs/CERT", get(async || leaf))
        .route("/_simulator/ca.pem", get(async || ca));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    keys.site.set(url.clone()).unwrap();
    url
}
