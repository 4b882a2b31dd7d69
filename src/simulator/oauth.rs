//! The token call, and the tokens it gave out. Tokens live in memory only: a restarted simulator knows none of them.

use super::Account;
use super::call::Call;
use super::errors::{Problem, debug_id};
use super::reply::Reply;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::StatusCode;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE};
use serde_json::json;
use std::collections::HashMap;
use time::{Duration, OffsetDateTime};

/// The scope that every payouts call needs.
const PAYOUTS: &str = "https://uri.paypal.com/payments/payouts";
/// The scope for webhooks and their events.
const WEBHOOKS: &str = "https://uri.paypal.com/services/applications/webhooks";
/// The scope for balances.
const BALANCES: &str = "https://uri.paypal.com/services/reporting/search/read";
const LIFETIME: Duration = Duration::hours(9);
const OTHER_SCOPES: &str = "https://uri.paypal.com/services/invoicing https://api.paypal.com/v1/payments/.* \
     openid Braintree:Vault";

/// Who calls, proven by a token.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The app's id.
    pub client_id: String,
    /// Whether the token has the payouts scope; fixed when the token was given out, like the others.
    pub payouts: bool,
    /// Whether it has the scope for webhooks.
    pub webhooks: bool,
    /// Whether it has the scope for balances.
    pub balances: bool,
}

/// Every token given out, with its holder and its end.
#[derive(Debug, Default)]
pub struct Tokens(HashMap<String, (Caller, OffsetDateTime)>);

impl Tokens {
    /// Who holds this token at this time.
    pub fn caller(&self, call: &Call, now: OffsetDateTime) -> Result<Caller, Problem> {
        let header = call.header(AUTHORIZATION.as_str()).ok_or_else(|| Problem::unauthenticated("no token"))?;
        let (scheme, token) = header.split_once(' ').unwrap_or((header, ""));
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(Problem::unauthenticated("not a bearer token"));
        }
        match self.0.get(token.trim()) {
            Some((caller, end)) if now < *end => Ok(caller.clone()),
            Some(_) => Err(Problem::unauthenticated("the token has expired")),
            None => Err(Problem::unauthenticated("the token is unknown")),
        }
    }

    /// Makes every token given out so far invalid.
    pub fn expire(&mut self) {
        self.0.clear();
    }

    /// Answers the token call.
    pub fn issue(&mut self, accounts: &[Account], call: &Call, now: OffsetDateTime) -> Reply {
        let Some(account) = basic(call).and_then(|(id, secret)| {
            accounts.iter().find(|account| account.client_id == id && account.secret == secret)
        }) else {
            return refusal(StatusCode::UNAUTHORIZED, "invalid_client", "Client Authentication failed");
        };
        let is_form = call
            .header(CONTENT_TYPE.as_str())
            .is_some_and(|kind| kind.to_ascii_lowercase().starts_with("application/x-www-form-urlencoded"));
        let grant = is_form
            .then(|| form_urlencoded::parse(&call.body).find(|(key, _)| key == "grant_type"))
            .flatten()
            .map(|(_, grant)| grant.into_owned());
        match grant.as_deref() {
            Some("client_credentials") => {}
            Some(_) => {
                return refusal(StatusCode::BAD_REQUEST, "unsupported_grant_type", "unsupported grant_type");
            }
            None => return refusal(StatusCode::BAD_REQUEST, "unsupported_grant_type", "Grant Type is NULL"),
        }
        let token = format!("A21AA{}{}", uuid::Uuid::new_v4().simple(), uuid::Uuid::new_v4().simple());
        let Account { payouts, webhooks, balances, .. } = *account;
        let caller = Caller { client_id: account.client_id.clone(), payouts, webhooks, balances };
        let mut scope = OTHER_SCOPES.to_owned();
        for (_, uri) in [(webhooks, WEBHOOKS), (balances, BALANCES), (payouts, PAYOUTS)].iter().filter(|one| one.0) {
            scope = format!("{scope} {uri}");
        }
        self.0.insert(token.clone(), (caller, now + LIFETIME));
        let body = json!({
            "scope": scope,
            "access_token": token,
            "token_type": "Bearer",
            "app_id": "APP-80W284485P519543T",
            "expires_in": LIFETIME.whole_seconds(),
            "nonce": format!("{}{}", super::view::time(now), debug_id()),
        });
        Reply::json(StatusCode::OK, &body)
    }
}

/// The token call's refusals have a shape of their own.
fn refusal(status: StatusCode, error: &str, description: &str) -> Reply {
    Reply::json(status, &json!({"error": error, "error_description": description}))
}

fn basic(call: &Call) -> Option<(String, String)> {
    let (scheme, encoded) = call.header(AUTHORIZATION.as_str())?.split_once(' ')?;
    let decoded = scheme.eq_ignore_ascii_case("basic").then(|| STANDARD.decode(encoded.trim()).ok()).flatten()?;
    let (id, secret) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
    Some((id.to_owned(), secret.to_owned()))
}
