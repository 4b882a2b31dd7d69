//! Somebody else's PayPal, as far as webhooks need it: it signs with another library than any of ours, and can be told
//! to lie in each way that we know.

use crate::support::postgres::database;
use crate::support::site::{Site, app_on};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, PKCS_RSA_SHA256, RsaKeySize};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use stipend::app::App;
use stipend::audit::Actor;
use stipend::clock::Clock;
use stipend::connection::{self, Outcome, notifications};
use stipend::id::{ConnectionId, MerchantId};
use stipend::paypal::{Credentials, Environment};
use time::{Duration, OffsetDateTime};

/// The id that PayPal gives our webhook.
pub const WEBHOOK: &str = "5GP028458E2496506";

struct Keys {
    ca: String,
    issuer: Issuer<'static, KeyPair>,
    leaf: KeyPair,
    signing: RsaKeyPair,
}

static KEYS: LazyLock<Keys> = LazyLock::new(|| {
    let key = || KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
    let mut root = CertificateParams::default();
    root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    root.not_before = rcgen::date_time_ymd(2020, 1, 1);
    root.not_after = rcgen::date_time_ymd(2120, 1, 1);
    let root_key = key();
    let ca = root.self_signed(&root_key).unwrap().pem();
    let leaf = key();
    let signing = RsaKeyPair::from_pkcs8(leaf.serialized_der()).unwrap();
    Keys { ca, issuer: Issuer::new(root, root_key), leaf, signing }
});

fn leaf(from: OffsetDateTime, until: OffsetDateTime) -> CertificateParams {
    let mut leaf = CertificateParams::new(vec!["messageverificationcerts.example.com".to_owned()]).unwrap();
    (leaf.not_before, leaf.not_after) = (from, until);
    leaf
}

/// What it was asked, and what it says.
#[derive(Default)]
pub struct Said {
    pub certificates: AtomicUsize,
    pub questions: AtomicUsize,
    /// What it says of a signature; nothing: it cannot tell.
    pub verdict: Mutex<Option<&'static str>>,
    pub asked: Mutex<String>,
    pems: Mutex<HashMap<&'static str, (u16, String)>>,
}

/// It runs, and one merchant is connected to it.
pub struct Host {
    pub site: Site,
    pub app: App,
    pub merchant: MerchantId,
    pub connection: ConnectionId,
    pub url: String,
    pub said: Arc<Said>,
}

/// A delivery, to be changed before it is sent.
#[derive(Clone)]
pub struct Delivery {
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

impl Delivery {
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        let value = value.into();
        self.headers.iter_mut().filter(|(known, _)| *known == name).for_each(|(_, old)| old.clone_from(&value));
        self
    }
}

impl Host {
    pub async fn start() -> Host {
        let said = Arc::new(Said::default());
        let now = OffsetDateTime::from_unix_timestamp(Clock::system().now().unix_timestamp()).unwrap();
        let day = Duration::days(1);
        let signed = |leaf: CertificateParams| leaf.signed_by(&KEYS.leaf, &KEYS.issuer).unwrap().pem();
        let pems = [
            ("CERT-GOOD", (200, signed(leaf(now - day, now + day * 300)))),
            ("CERT-EXPIRED", (200, signed(leaf(now - day * 30, now - day)))),
            ("CERT-EARLY", (200, signed(leaf(now + day, now + day * 30)))),
            ("CERT-STRANGER", (200, leaf(now - day, now + day * 300).self_signed(&KEYS.leaf).unwrap().pem())),
            ("CERT-GARBAGE", (200, "no certificate".to_owned())),
            ("CERT-DOWN", (503, String::new())),
            ("CERT-MOVED", (302, String::new())),
        ];
        *said.pems.lock().unwrap() = pems.into();
        let router = Router::new()
            .route("/v1/oauth2/token", post(async || {
                Json(json!({"access_token": "t", "expires_in": 32_000, "scope": "https://uri.paypal.com/payments/payouts"}))
            }))
            .route("/v1/payments/payouts/{id}", get(async || StatusCode::NOT_FOUND))
            .route("/v1/notifications/webhooks-event-types", get(async || {
                Json(json!({"event_types": [{"name": "PAYMENT.PAYOUTSBATCH.SUCCESS"}, {"name": "PAYMENT.PAYOUTS-ITEM.SUCCEEDED"}]}))
            }))
            .route("/v1/notifications/webhooks", get(async || Json(json!({"webhooks": []}))).post(create))
            .route("/v1/notifications/verify-webhook-signature", post(verify))
            .route("/v1/notifications/certs/{name}", get(certificate))
            .route("/_simulator/ca.pem", get(async || KEYS.ca.clone()))
            .with_state(said.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async { axum::serve(listener, router).await });

        let test = database().await;
        let app = app_on(test.database.clone(), Some(url.clone()), Clock::system());
        let site = Site::of(app, test.url.clone(), Some(test)).await;
        let merchant = site.merchant("Acme").await;
        let app = site.app.clone();
        let actor = Actor { person: None, address: None, at: app.clock.now() };
        let details = Credentials {
            environment: Environment::Simulator,
            client_id: "client".into(),
            secret: "secret".to_owned().into(),
        };
        let saved = connection::save(&app, merchant, &actor, &details).await.unwrap().unwrap();
        assert_eq!(saved, Outcome::Ready);
        assert!(notifications::next(&app).await.unwrap());
        let mut tx = app.database.merchant(merchant).await.unwrap();
        let connection = connection::in_force(&mut tx).await.unwrap().unwrap().id;
        drop(tx);
        Host { site, app, merchant, connection, url, said }
    }

    /// An event of a batch, signed as PayPal signs it.
    pub fn event(&self, id: &str) -> Delivery {
        let body = json!({
            "id": id, "event_version": "1.0", "create_time": "2026-06-06T03:44:51Z", "resource_type": "payouts_item",
            "event_type": "PAYMENT.PAYOUTS-ITEM.SUCCEEDED",
            "resource": {"payout_batch_id": "B1", "payout_item_id": "I1", "transaction_status": "SUCCESS"},
        });
        self.signed(body.to_string().as_bytes(), WEBHOOK)
    }

    /// Any body, signed for a webhook.
    pub fn signed(&self, body: &[u8], webhook: &str) -> Delivery {
        let (id, time) = (uuid::Uuid::new_v4().to_string(), "2026-06-06T03:44:55Z");
        let message = format!("{id}|{time}|{webhook}|{}", crate::simulator::receiver::crc32(body));
        let mut signature = vec![0; KEYS.signing.public().modulus_len()];
        KEYS.signing.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature).unwrap();
        let headers = vec![
            ("paypal-auth-algo", "SHA256withRSA".to_owned()),
            ("paypal-transmission-id", id),
            ("paypal-transmission-time", time.to_owned()),
            ("paypal-transmission-sig", STANDARD.encode(signature)),
            ("paypal-cert-url", self.certificate("CERT-GOOD")),
        ];
        Delivery { headers, body: body.to_vec() }
    }

    pub fn certificate(&self, name: &str) -> String {
        format!("{}/v1/notifications/certs/{name}", self.url)
    }

    /// Delivers to our webhook, and tells the status.
    pub async fn deliver(&self, delivery: &Delivery) -> u16 {
        self.deliver_to(&self.connection.to_string(), delivery).await
    }

    pub async fn deliver_to(&self, connection: &str, delivery: &Delivery) -> u16 {
        let headers: Vec<(&str, &str)> = delivery.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let path = format!("/webhooks/paypal/{connection}");
        let answer = self.site.stranger().post_raw(&path, &headers, delivery.body.clone()).await;
        assert!(answer.body.is_empty() || answer.status == 413, "nothing is told: {}", answer.body);
        answer.status
    }

    /// How many events are kept.
    pub async fn kept(&self) -> i64 {
        let mut tx = self.app.database.installation().await.unwrap();
        sqlx::query_scalar("select count(*) from paypal_events").fetch_one(&mut *tx).await.unwrap()
    }

    pub fn fetched(&self) -> usize {
        self.said.certificates.load(Ordering::Relaxed)
    }

    pub fn questions(&self) -> usize {
        self.said.questions.load(Ordering::Relaxed)
    }
}

async fn create(Json(asked): Json<Value>) -> (StatusCode, Json<Value>) {
    (StatusCode::CREATED, Json(json!({"id": WEBHOOK, "url": asked["url"], "event_types": asked["event_types"]})))
}

async fn certificate(State(said): State<Arc<Said>>, Path(name): Path<String>) -> Response {
    said.certificates.fetch_add(1, Ordering::Relaxed);
    match said.pems.lock().unwrap().get(name.as_str()) {
        Some((302, _)) => (StatusCode::FOUND, [("location", "/v1/notifications/certs/CERT-GOOD")]).into_response(),
        Some((status, pem)) => (StatusCode::from_u16(*status).unwrap(), pem.clone()).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn verify(State(said): State<Arc<Said>>, body: String) -> Response {
    said.questions.fetch_add(1, Ordering::Relaxed);
    *said.asked.lock().unwrap() = body;
    match *said.verdict.lock().unwrap() {
        Some(verdict) => Json(json!({"verification_status": verdict})).into_response(),
        None => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
