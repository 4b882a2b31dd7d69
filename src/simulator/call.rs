//! A request that has arrived whole, and which of PayPal's calls it is.

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{HeaderMap, Method, Request};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// The longest body that is kept; 15,000 items of the longest kind fit twice.
const MAX_BODY: usize = 32 * 1024 * 1024;

/// PayPal's calls, by the names that fault rules use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Name {
    /// `POST /v1/oauth2/token`
    Token,
    /// `POST /v1/payments/payouts`
    Create,
    /// `GET /v1/payments/payouts/{id}`
    ShowBatch,
    /// `GET /v1/payments/payouts-item/{id}`
    ShowItem,
    /// `POST /v1/payments/payouts-item/{id}/cancel`
    Cancel,
    /// `/v1/notifications/webhooks`, and one of them
    Webhooks,
    /// `GET /v1/notifications/webhooks-event-types`, and `.../webhooks/{id}/event-types`
    EventTypes,
    /// `GET /v1/notifications/webhooks-events`, and one of them
    Events,
    /// `POST /v1/notifications/webhooks-events/{id}/resend`
    Resend,
    /// `POST /v1/notifications/verify-webhook-signature`
    Verify,
    /// `GET /v1/notifications/certs/{id}`
    Cert,
    /// `GET /v1/reporting/balances`
    Balances,
}

impl Name {
    /// All of them.
    pub const ALL: [Name; 12] = [
        Name::Token,
        Name::Create,
        Name::ShowBatch,
        Name::ShowItem,
        Name::Cancel,
        Name::Webhooks,
        Name::EventTypes,
        Name::Events,
        Name::Resend,
        Name::Verify,
        Name::Cert,
        Name::Balances,
    ];

    /// Whether it is one of the five calls that paying needs.
    pub fn pays(self) -> bool {
        Name::ALL[..5].contains(&self)
    }
}

/// Where a request goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// One of PayPal's calls, with the id in its path if it has one.
    Api(Name, String),
    /// The simulator's own doors: the path after `/_simulator/`.
    Door(String),
    /// The page for people.
    Home,
    /// A path of PayPal's by another method than the one given here.
    Method(&'static str),
    /// Nothing is here.
    Unknown,
}

/// A request that has arrived whole.
#[derive(Debug)]
pub struct Call {
    /// Its method.
    pub method: Method,
    /// Its path.
    pub path: String,
    /// Its query, undecoded.
    pub query: String,
    /// Its body; empty when it was too long to keep.
    pub body: Bytes,
    /// Whether the body was longer than the simulator keeps.
    pub too_long: bool,
    /// The address under which the caller knows this server, for links.
    pub base: String,
    headers: HeaderMap,
}

impl Call {
    /// Reads a request to its end. A body that is too long is read but not kept, so that the caller sees the refusal
    /// instead of a broken pipe.
    pub async fn read(request: Request<Incoming>, address: SocketAddr) -> Result<Call, hyper::Error> {
        let (head, mut incoming) = request.into_parts();
        let mut body = BytesMut::new();
        let mut too_long = false;
        while let Some(frame) = incoming.frame().await {
            if let Ok(data) = frame?.into_data() {
                too_long |= body.len() + data.len() > MAX_BODY;
                if too_long {
                    body.clear();
                } else {
                    body.extend_from_slice(&data);
                }
            }
        }
        let host = head.headers.get(HOST).and_then(|host| host.to_str().ok()).map(str::to_owned);
        Ok(Call {
            method: head.method,
            path: head.uri.path().to_owned(),
            query: head.uri.query().unwrap_or_default().to_owned(),
            body: body.freeze(),
            too_long,
            base: format!("http://{}", host.unwrap_or_else(|| address.to_string())),
            headers: head.headers,
        })
    }

    /// A header's text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// A query parameter's first value, decoded.
    pub fn parameter(&self, name: &str) -> Option<String> {
        form_urlencoded::parse(self.query.as_bytes()).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }

    /// Whether the body is announced as JSON.
    pub fn is_json(&self) -> bool {
        let kind = self.header(CONTENT_TYPE.as_str()).unwrap_or_default();
        kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json")
    }

    /// Where the request goes.
    pub fn route(&self) -> Route {
        let path = self.path.trim_end_matches('/');
        let segments: Vec<&str> = path.split('/').skip(1).collect();
        let api = |method: Method, allow, name, id: &str| match self.method == method {
            true => Route::Api(name, id.to_owned()),
            false => Route::Method(allow),
        };
        match segments.as_slice() {
            [] => Route::Home,
            ["_simulator", rest @ ..] => Route::Door(rest.join("/")),
            ["v1", "oauth2", "token"] => api(Method::POST, "POST", Name::Token, ""),
            ["v1", "payments", "payouts"] => api(Method::POST, "POST", Name::Create, ""),
            ["v1", "payments", "payouts", id] => api(Method::GET, "GET", Name::ShowBatch, id),
            ["v1", "payments", "payouts-item", id] => api(Method::GET, "GET", Name::ShowItem, id),
            ["v1", "payments", "payouts-item", id, "cancel"] => api(Method::POST, "POST", Name::Cancel, id),
            ["v1", "notifications", rest @ ..] => match rest {
                ["webhooks"] if self.method == Method::GET => Route::Api(Name::Webhooks, String::new()),
                ["webhooks"] => api(Method::POST, "GET, POST", Name::Webhooks, ""),
                ["webhooks", id] if [Method::GET, Method::PATCH, Method::DELETE].contains(&self.method) => {
                    Route::Api(Name::Webhooks, (*id).to_owned())
                }
                ["webhooks", _] => Route::Method("GET, PATCH, DELETE"),
                ["webhooks", id, "event-types"] => api(Method::GET, "GET", Name::EventTypes, id),
                ["webhooks-event-types"] => api(Method::GET, "GET", Name::EventTypes, ""),
                ["webhooks-events"] => api(Method::GET, "GET", Name::Events, ""),
                ["webhooks-events", id] => api(Method::GET, "GET", Name::Events, id),
                ["webhooks-events", id, "resend"] => api(Method::POST, "POST", Name::Resend, id),
                ["verify-webhook-signature"] => api(Method::POST, "POST", Name::Verify, ""),
                ["certs", id] => api(Method::GET, "GET", Name::Cert, id),
                _ => Route::Unknown,
            },
            ["v1", "reporting", "balances"] => api(Method::GET, "GET", Name::Balances, ""),
            _ => Route::Unknown,
        }
    }
}
