//! Brings events to webhooks: many at once, each tried until it is answered with a 2xx.

use super::outbox::Due;
use super::signing::{ALGORITHM, Signed};
use crate::simulator::faults::What;
use crate::simulator::state::State;
use crate::simulator::view;
use reqwest::header::CONTENT_TYPE;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How many are under way at once.
const AT_ONCE: usize = 32;
/// How long a receiver may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often the courier looks whether something is due: time alone makes it so.
const LOOKS_EVERY: Duration = Duration::from_millis(50);

/// One try, with everything it needs.
#[derive(Debug)]
pub struct Parcel {
    /// What it is for.
    pub due: Due,
    /// The event.
    pub body: String,
    /// Where the certificate is.
    pub cert_url: String,
    /// When it is sent.
    pub time: String,
}

/// Works until told to stop.
pub async fn run(state: Arc<State>, stop: CancellationToken) {
    let http = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(PATIENCE)
        .http1_title_case_headers()
        .build();
    let http = match http {
        Ok(http) => http,
        Err(error) => return tracing::error!("The simulator can deliver no events: {error}"),
    };
    let mut tries = JoinSet::new();
    loop {
        while tries.len() < AT_ONCE
            && let Some(parcel) = state.next_parcel()
        {
            let http = http.clone();
            tries.spawn(async move { (parcel.due.delivery, deliver(&http, &parcel).await) });
        }
        tokio::select! {
            () = stop.cancelled() => return,
            Some(tried) = tries.join_next() => {
                if let Ok((delivery, answer)) = tried {
                    state.note_delivery(delivery, answer);
                }
            }
            () = tokio::time::sleep(LOOKS_EVERY) => (),
        }
    }
}

async fn deliver(http: &reqwest::Client, parcel: &Parcel) -> Result<u16, String> {
    let Parcel { due, body, cert_url, time } = parcel;
    let transmission_id = uuid::Uuid::new_v4().to_string();
    let forged = |what| due.forged == Some(what);
    let signed = Signed {
        transmission_id: &transmission_id,
        transmission_time: time,
        webhook_id: if forged(What::ForgeWebhook) { "WEBHOOK_ID" } else { &due.webhook.id },
        body: if forged(What::ForgeSignature) { b"another body" } else { body.as_bytes() },
    };
    let signature = signed.sign(forged(What::ForgeCertificate));
    // Another byte than the signed one, in JSON that reads as well.
    let body = if forged(What::ForgeBody) { body.replacen("\"WH-", "\"WX-", 1) } else { body.clone() };
    let request = http
        .post(&due.webhook.url)
        .header(CONTENT_TYPE, "application/json")
        .header("PAYPAL-TRANSMISSION-ID", &transmission_id)
        .header("PAYPAL-TRANSMISSION-TIME", time)
        .header("PAYPAL-TRANSMISSION-SIG", signature)
        .header("PAYPAL-CERT-URL", cert_url)
        .header("PAYPAL-AUTH-ALGO", ALGORITHM)
        .body(body);
    let answer = request.send().await.map_err(|error| view::chain(&error))?;
    let status = answer.status().as_u16();
    // The connection can be used again once the answer was read.
    let _nobody_reads = answer.bytes().await;
    Ok(status)
}
