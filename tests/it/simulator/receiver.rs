//! A webhook's receiver that keeps what it was sent, and checks it by PayPal's description of the signature: with
//! another library than the one that signs, and a CRC of its own.

use super::*;
use axum::body::Bytes;
use axum::http::HeaderMap;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use x509_parser::pem::Pem;

/// One request that arrived.
#[derive(Debug, Clone)]
pub struct Arrived {
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Arrived {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("an event is JSON")
    }

    pub fn header(&self, name: &str) -> &str {
        let all: Vec<_> = self.headers.get_all(name).iter().collect();
        assert_eq!(all.len(), 1, "{name} is there once");
        all[0].to_str().expect("ASCII")
    }

    pub fn kind(&self) -> String {
        self.json()["event_type"].as_str().expect("a type").to_owned()
    }
}

/// Listens on loopback, and answers every request with one status.
#[derive(Clone)]
pub struct Receiver {
    pub url: String,
    arrived: Arc<Mutex<Vec<Arrived>>>,
    status: Arc<AtomicU16>,
}

impl Receiver {
    pub async fn start() -> Receiver {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/hook", listener.local_addr().expect("an address"));
        let receiver = Receiver { url, arrived: Arc::default(), status: Arc::new(AtomicU16::new(200)) };
        let (arrived, status) = (Arc::clone(&receiver.arrived), Arc::clone(&receiver.status));
        let router = axum::Router::new().fallback(move |headers: HeaderMap, body: Bytes| {
            arrived.lock().expect("no panic").push(Arrived { headers, body });
            let status = StatusCode::from_u16(status.load(Ordering::Relaxed)).expect("a status");
            async move { status }
        });
        tokio::spawn(async move { axum::serve(listener, router).await });
        receiver
    }

    pub fn answers(&self, status: u16) {
        self.status.store(status, Ordering::Relaxed);
    }

    pub fn arrived(&self) -> Vec<Arrived> {
        self.arrived.lock().expect("no panic").clone()
    }

    pub fn count(&self) -> usize {
        self.arrived.lock().expect("no panic").len()
    }

    /// What has arrived, once it is so much.
    pub async fn wait_for(&self, count: usize) -> Vec<Arrived> {
        for _ in 0..3000 {
            if self.count() >= count {
                return self.arrived();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{} of {count} events arrived: {:?}", self.count(), self.arrived().iter().map(Arrived::kind));
    }
}

impl Rig {
    /// Registers a webhook for everything, and gives its id.
    pub async fn hook(&self, url: &str) -> String {
        let answer =
            self.post("/v1/notifications/webhooks", &json!({"url": url, "event_types": [{"name": "*"}]})).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
        answer.json()["id"].as_str().expect("an id").to_owned()
    }

    /// Why this event is not PayPal's, if so.
    pub async fn refutes(&self, event: &Arrived, webhook_id: &str) -> Result<(), String> {
        if event.header("paypal-auth-algo") != "SHA256withRSA" {
            return Err("the algorithm".to_owned());
        }
        let cert_url = event.header("paypal-cert-url");
        let Some(id) = cert_url.strip_prefix(&format!("{}/v1/notifications/certs/", self.simulator.url())) else {
            return Err(format!("the certificate is elsewhere: {cert_url}"));
        };
        let chain = self.http.get(format!("{}/v1/notifications/certs/{id}", self.simulator.url()));
        let chain = answer(chain).await.text;
        let root = answer(self.http.get(format!("{}/_simulator/ca.pem", self.simulator.url()))).await.text;
        let key = trusted_key(&chain, &root)?;
        let signed = format!(
            "{}|{}|{webhook_id}|{}",
            event.header("paypal-transmission-id"),
            event.header("paypal-transmission-time"),
            crc32(&event.body)
        );
        let signature = STANDARD.decode(event.header("paypal-transmission-sig")).map_err(|error| error.to_string())?;
        ring::signature::UnparsedPublicKey::new(&ring::signature::RSA_PKCS1_2048_8192_SHA256, key)
            .verify(signed.as_bytes(), &signature)
            .map_err(|_| "the signature".to_owned())
    }
}

/// The leaf's key, if each certificate is signed by the next one and the last one by the root.
fn trusted_key(chain: &str, root: &str) -> Result<Vec<u8>, String> {
    let all = format!("{chain}{root}");
    let pems: Vec<Pem> = Pem::iter_from_buffer(all.as_bytes()).map(|pem| pem.expect("PEM")).collect();
    let certificates: Vec<_> = pems.iter().map(|pem| pem.parse_x509().expect("a certificate")).collect();
    for pair in certificates.windows(2) {
        if pair[0].issuer() != pair[1].subject() || pair[0].verify_signature(Some(pair[1].public_key())).is_err() {
            return Err(format!("{} did not sign {}", pair[1].subject(), pair[0].subject()));
        }
        assert!(pair[1].is_ca() && !certificates[0].is_ca());
    }
    assert!(certificates[0].validity().is_valid(), "the leaf is valid at the real time");
    Ok(certificates[0].public_key().subject_public_key.data.to_vec())
}

/// CRC-32 as zlib has it, bit by bit.
pub fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 })
    })
}
