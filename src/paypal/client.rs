//! The calls: token cache, time-outs, one renewal of the token on a 401. No retries: those belong to the batch rows.

use super::answer::{ErrorBody, Exchange, NotYet};
use super::certificates::Certificates;
use super::payouts::{BatchPage, ItemSeen, PAGE_SIZE, parse_batch, parse_item};
use super::{Answer, Credentials, Environment, PayPalBatchId, PayPalItemId, answer, read_json};
use crate::clock::Clock;
use bytes::Bytes;
use reqwest::{Method, RequestBuilder};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration as StdDuration;
use time::{Duration, OffsetDateTime};

/// The scope that all payout operations need (PayPal's OpenAPI file, `security`).
pub const PAYOUTS_SCOPE: &str = "https://uri.paypal.com/payments/payouts";
/// Large batches are slow, and an answer missed by impatience only becomes doubt.
const CALL_TIMEOUT: StdDuration = StdDuration::from_secs(75);
/// Asking for a token is quick or broken.
const TOKEN_TIMEOUT: StdDuration = StdDuration::from_secs(20);
/// A token is renewed this long before it ends.
const TOKEN_MARGIN: Duration = Duration::minutes(2);
/// The largest answer we read: a page of 1,000 items is about half a megabyte.
const MAX_ANSWER: usize = 32 * 1024 * 1024;
/// What is kept of an answer as evidence.
const MAX_EVIDENCE: usize = 4096;

/// Speaks to PayPal, or to the simulator and then to nothing else.
#[derive(Clone)]
pub struct Client {
    pub(super) http: reqwest::Client,
    pub(super) simulator: Option<String>,
    pub(super) clock: Clock,
    pub(super) certificates: Arc<Certificates>,
    tokens: Arc<Mutex<HashMap<TokenKey, Token>>>,
}

/// A secret that was replaced must not go on using the old one's token, so its digest is part of the key.
type TokenKey = (Environment, String, [u8; 32]);

struct Token {
    value: SecretString,
    ends: OffsetDateTime,
}

/// The outcome of asking for a fresh token.
#[derive(Debug)]
pub enum SignIn {
    /// PayPal knows these credentials; what the app may do.
    Accepted {
        /// Whether the Payouts scope is among the app's scopes.
        may_pay_out: bool,
    },
    /// `invalid_client`: PayPal does not know them.
    Refused,
    /// No usable answer.
    Unreachable(String),
}

/// What "create batch" came to, with what support asks for.
#[derive(Debug)]
pub struct Sent {
    /// What the answer means.
    pub answer: Answer,
    /// HTTP status, if there was an answer.
    pub status: Option<u16>,
    /// `Paypal-Debug-Id`.
    pub debug_id: Option<String>,
    /// The beginning of the answer.
    pub evidence: String,
}

/// Why nothing could be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// PayPal does not know this id (404).
    #[error("PayPal does not know this id")]
    NotFound,
    /// PayPal refused our sign-in (401) or the reading (403).
    #[error("PayPal refused: {0}")]
    Refused(String),
    /// Too many requests (429).
    #[error("PayPal asks us to slow down")]
    TooMany,
    /// No answer, a 5xx, or something that is no such answer.
    #[error("{0}")]
    Failed(String),
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("simulator", &self.simulator).finish_non_exhaustive()
    }
}

impl Client {
    /// A client; with a simulator's base URL, live and sandbox cannot be reached any more.
    pub fn new(http: reqwest::Client, simulator: Option<String>, clock: Clock) -> Self {
        let simulator = simulator.map(|url| url.trim_end_matches('/').to_owned());
        Self { http, simulator, clock, certificates: Arc::default(), tokens: Arc::default() }
    }

    /// The environments that this installation offers.
    pub fn environments(&self) -> &'static [Environment] {
        match self.simulator {
            Some(_) => &[Environment::Simulator],
            None => &[Environment::Live, Environment::Sandbox],
        }
    }

    fn base(&self, environment: Environment) -> Result<&str, String> {
        match (&self.simulator, environment.host()) {
            (Some(simulator), None) => Ok(simulator),
            (None, Some(host)) => Ok(host),
            (Some(_), Some(_)) => Err("this installation rehearses: only its simulator can be reached".into()),
            (None, None) => Err("no simulator is configured".into()),
        }
    }

    /// Asks for a token, whatever the cache holds: a cached one has the scopes of the day it was issued.
    pub async fn sign_in(&self, credentials: &Credentials) -> (SignIn, Option<String>) {
        let fetched = self.fetch_token(credentials).await;
        match fetched {
            Ok(Fetched { token, scopes, debug_id }) => {
                let may_pay_out = scopes.split_whitespace().any(|scope| scope == PAYOUTS_SCOPE);
                self.tokens().insert(key(credentials), token);
                (SignIn::Accepted { may_pay_out }, debug_id)
            }
            Err((failed, debug_id)) => (
                match failed {
                    NotYet::SignInRefused => SignIn::Refused,
                    NotYet::Unreachable(why) | NotYet::NotPermitted(why) => SignIn::Unreachable(why),
                    NotYet::InsufficientFunds | NotYet::CurrencyNotHeld => {
                        unreachable!("asking for a token moves no money")
                    }
                },
                debug_id,
            ),
        }
    }

    /// Sends a batch: these very bytes. One attempt, with one renewal of the token if PayPal answers 401 (which means
    /// that the request was not executed).
    ///
    /// `may_send` is asked each time right before the bytes leave, when the token is at hand: its error is the only one
    /// that is returned, and then nothing was sent.
    pub async fn create_batch<F: Future<Output = anyhow::Result<()>>>(
        &self,
        credentials: &Credentials,
        sender_batch_id: &str,
        body: Bytes,
        may_send: impl Fn() -> F,
    ) -> anyhow::Result<Sent> {
        for fresh in [false, true] {
            let token = match self.token(credentials, fresh).await {
                Ok(token) => token,
                Err((why, debug_id)) => {
                    let evidence = format!("no token: {why:?}");
                    return Ok(Sent { answer: Answer::NotYet(why), status: None, debug_id, evidence });
                }
            };
            let url = match self.base(credentials.environment) {
                Ok(base) => format!("{base}/v1/payments/payouts"),
                Err(why) => {
                    let answer = Answer::NotYet(NotYet::Unreachable(why.clone()));
                    return Ok(Sent { answer, status: None, debug_id: None, evidence: why });
                }
            };
            let request = self
                .http
                .request(Method::POST, url)
                .timeout(CALL_TIMEOUT)
                .bearer_auth(token.expose_secret())
                .header("content-type", "application/json")
                .header("paypal-request-id", sender_batch_id)
                .body(body.clone());
            may_send().await?;
            let (exchange, debug_id) = exchange(request, MAX_ANSWER).await;
            if let Exchange::Answered { status: 401, .. } = exchange
                && !fresh
            {
                continue;
            }
            let (status, evidence) = match &exchange {
                Exchange::Answered { status, body, .. } => (Some(*status), excerpt(body)),
                Exchange::NotSent(why) | Exchange::Lost(why) => (None, why.clone()),
            };
            return Ok(Sent { answer: answer::classify(&exchange, sender_batch_id), status, debug_id, evidence });
        }
        unreachable!("the second round always returns")
    }

    /// One page of a batch; pages count from 1.
    pub async fn show_batch(
        &self,
        credentials: &Credentials,
        batch: &PayPalBatchId,
        page: usize,
    ) -> Result<BatchPage, ReadError> {
        let path =
            format!("/v1/payments/payouts/{}?page={page}&page_size={PAGE_SIZE}&total_required=true", segment(&batch.0));
        let body = self.read(credentials, Method::GET, &path, None).await?;
        let page = parse_batch(&body)
            .map_err(|error| ReadError::Failed(format!("PayPal's answer is not a batch: {error}")))?;
        // Another batch's "DENIED", from a cache in between, must not free this one's commissions.
        if page.id != *batch {
            return Err(ReadError::Failed(format!("PayPal answered with batch {} instead", page.id)));
        }
        Ok(page)
    }

    /// One item.
    pub async fn show_item(&self, credentials: &Credentials, item: &PayPalItemId) -> Result<ItemSeen, ReadError> {
        let path = format!("/v1/payments/payouts-item/{}", segment(&item.0));
        let body = self.read(credentials, Method::GET, &path, None).await?;
        parse_item(&body).ok().flatten().ok_or_else(|| ReadError::Failed("PayPal's answer is not a payout item".into()))
    }

    /// Reads a batch that cannot exist: 404 shows that PayPal can be reached and would let this app read payouts.
    pub async fn probe(&self, credentials: &Credentials) -> Result<(), ReadError> {
        let nowhere = format!("/v1/payments/payouts/PROBE{}", uuid::Uuid::new_v4().simple());
        match self.read(credentials, Method::GET, &nowhere[..nowhere.len().min(50)], None).await {
            Ok(_) | Err(ReadError::NotFound) => Ok(()),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn read(
        &self,
        credentials: &Credentials,
        method: Method,
        path: &str,
        body: Option<Bytes>,
    ) -> Result<Vec<u8>, ReadError> {
        let (status, body) = self.call(credentials, method, path, body).await?;
        match status {
            200..=299 => Ok(body),
            401 | 403 => Err(ReadError::Refused(error_name(&body))),
            404 => Err(ReadError::NotFound),
            429 => Err(ReadError::TooMany),
            _ => Err(ReadError::Failed(format!("PayPal answered {status} {}", error_name(&body)))),
        }
    }

    /// One call that may be repeated, with one renewal of the token: the answer's status and body.
    pub(super) async fn call(
        &self,
        credentials: &Credentials,
        method: Method,
        path: &str,
        body: Option<Bytes>,
    ) -> Result<(u16, Vec<u8>), ReadError> {
        let url = format!("{}{path}", self.base(credentials.environment).map_err(ReadError::Failed)?);
        for fresh in [false, true] {
            let token = match self.token(credentials, fresh).await {
                Ok(token) => token,
                Err((NotYet::SignInRefused, _)) => return Err(ReadError::Refused("invalid_client".into())),
                Err((why, _)) => return Err(ReadError::Failed(format!("{why:?}"))),
            };
            let mut request = self
                .http
                .request(method.clone(), &url)
                .timeout(CALL_TIMEOUT)
                .bearer_auth(token.expose_secret())
                .header("content-type", "application/json");
            if let Some(body) = &body {
                request = request.body(body.clone());
            }
            match exchange(request, MAX_ANSWER).await.0 {
                Exchange::Answered { status: 401, .. } if !fresh => {}
                Exchange::Answered { status, body, .. } => return Ok((status, body)),
                Exchange::NotSent(why) | Exchange::Lost(why) => return Err(ReadError::Failed(why)),
            }
        }
        unreachable!("the second round always returns")
    }

    async fn token(&self, credentials: &Credentials, fresh: bool) -> Result<SecretString, (NotYet, Option<String>)> {
        let key = key(credentials);
        if !fresh
            && let Some(token) = self.tokens().get(&key)
            && token.ends > self.clock.now()
        {
            return Ok(token.value.clone());
        }
        let token = self.fetch_token(credentials).await.map(|fetched| fetched.token)?;
        let value = token.value.clone();
        self.tokens().insert(key, token);
        Ok(value)
    }

    async fn fetch_token(&self, credentials: &Credentials) -> Result<Fetched, (NotYet, Option<String>)> {
        let base = self.base(credentials.environment).map_err(|why| (NotYet::Unreachable(why), None))?;
        let request = self
            .http
            .request(Method::POST, format!("{base}/v1/oauth2/token"))
            .timeout(TOKEN_TIMEOUT)
            .basic_auth(&credentials.client_id, Some(credentials.secret.expose_secret()))
            .form(&[("grant_type", "client_credentials")]);
        let (exchange, debug_id) = exchange(request, MAX_ANSWER).await;
        let unreachable = |why: String| (NotYet::Unreachable(why), debug_id.clone());
        let (status, body) = match exchange {
            Exchange::Answered { status, body, .. } => (status, body),
            Exchange::NotSent(why) | Exchange::Lost(why) => return Err(unreachable(why)),
        };
        match status {
            200 => {
                let body: TokenBody = serde_json::from_slice(&body)
                    .map_err(|_| unreachable("PayPal's token answer cannot be read".into()))?;
                let lifetime = Duration::seconds(i64::from(body.expires_in)) - TOKEN_MARGIN;
                let token = Token { value: body.access_token, ends: self.clock.now() + lifetime };
                Ok(Fetched { token, scopes: body.scope, debug_id })
            }
            // Only these two say that the credentials are wrong; a 403 in front of the token is somebody else's.
            400 | 401 if error_name(&body) == "invalid_client" || status == 401 => {
                Err((NotYet::SignInRefused, debug_id))
            }
            _ => Err(unreachable(format!("PayPal answered {status} {}", error_name(&body)))),
        }
    }

    fn tokens(&self) -> std::sync::MutexGuard<'_, HashMap<TokenKey, Token>> {
        self.tokens.lock().expect("no code panics while it holds the tokens")
    }
}

struct Fetched {
    token: Token,
    scopes: String,
    debug_id: Option<String>,
}

#[derive(serde::Deserialize)]
struct TokenBody {
    access_token: SecretString,
    expires_in: u32,
    #[serde(default)]
    scope: String,
}

fn key(credentials: &Credentials) -> TokenKey {
    let digest = Sha256::digest(credentials.secret.expose_secret().as_bytes());
    (credentials.environment, credentials.client_id.clone(), digest.into())
}

/// PayPal's error name, or OAuth's.
fn error_name(body: &[u8]) -> String {
    let error: ErrorBody = read_json(body).unwrap_or_default();
    if error.name.is_empty() { error.error } else { error.name }
}

/// One HTTP exchange. `NotSent` only where the connection itself failed; from the first byte on, silence is `Lost`.
pub(super) async fn exchange(request: RequestBuilder, limit: usize) -> (Exchange, Option<String>) {
    let mut response = match request.send().await {
        Ok(response) => response,
        Err(error) if error.is_connect() => return (Exchange::NotSent(describe(&error)), None),
        Err(error) => return (Exchange::Lost(describe(&error)), None),
    };
    let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let debug_id = header("paypal-debug-id").map(|id| id.chars().take(64).collect());
    let retry_after = header("retry-after").and_then(|seconds| seconds.parse().ok());
    let status = response.status().as_u16();
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() <= limit => body.extend_from_slice(&chunk),
            Ok(Some(_)) => return (Exchange::Lost("the answer is too long".into()), debug_id),
            Ok(None) => break,
            Err(error) => return (Exchange::Lost(describe(&error)), debug_id),
        }
    }
    (Exchange::Answered { status, retry_after, body }, debug_id)
}

/// The whole chain of causes, without the URL.
fn describe(error: &reqwest::Error) -> String {
    let mut text = if error.is_timeout() { "no answer in time".to_owned() } else { "the connection failed".to_owned() };
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

fn excerpt(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    text.chars().filter(|c| *c != '\0').take(MAX_EVIDENCE).collect()
}

/// An id as one path segment, whatever it contains.
pub(super) fn segment(id: &str) -> String {
    id.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
}
