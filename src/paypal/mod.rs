//! PayPal as typed functions. Knows nothing of affiliates, commissions or our database.
//!
//! The only hosts it ever talks to are the two constants below, or the simulator that the operator named. Links in
//! PayPal's answers are never followed; only their last segment is read.

pub mod answer;
pub mod balances;
mod cancel;
mod certificates;
pub mod client;
pub mod dropzone;
pub mod large_batch;
pub mod payouts;
pub mod signature;
pub mod webhooks;

pub use answer::{Answer, Cancellation, NotYet, Refusal, Unknown};
pub use certificates::Authenticity;
pub use client::{Client, ReadError, SignIn};
pub use dropzone::DropZone;

use secrecy::SecretString;

/// Where a connection's money lives; decides every address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, sqlx::Type, serde::Serialize, serde::Deserialize)]
#[sqlx(type_name = "text", rename_all = "lowercase")]
#[serde(rename_all = "lowercase")]
pub enum Environment {
    /// Real money.
    Live,
    /// PayPal's sandbox: play money.
    Sandbox,
    /// A simulated PayPal that the operator runs: play money.
    Simulator,
}

impl Environment {
    /// PayPal's REST host. The simulator has no constant address.
    pub fn host(self) -> Option<&'static str> {
        match self {
            Self::Live => Some("https://api-m.paypal.com"),
            Self::Sandbox => Some("https://api-m.sandbox.paypal.com"),
            Self::Simulator => None,
        }
    }

    /// The word that people read.
    pub fn name(self) -> &'static str {
        match self {
            Self::Live => "Live",
            Self::Sandbox => "Sandbox",
            Self::Simulator => "Simulator",
        }
    }

    /// The word that forms and the database use.
    pub fn code(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Sandbox => "sandbox",
            Self::Simulator => "simulator",
        }
    }

    /// From a form or the database.
    pub fn from_code(code: &str) -> Option<Self> {
        [Self::Live, Self::Sandbox, Self::Simulator].into_iter().find(|environment| environment.code() == code)
    }

    /// Whether payments move real money.
    pub fn is_real_money(self) -> bool {
        match self {
            Self::Live => true,
            Self::Sandbox | Self::Simulator => false,
        }
    }
}

/// What PayPal knows a merchant's app by.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// Decides the host.
    pub environment: Environment,
    /// "Client ID" of the REST app.
    pub client_id: String,
    /// "Secret" of the REST app.
    pub secret: SecretString,
}

/// PayPal's id of a batch (`payout_batch_id`), at most 30 characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash, sqlx::Type, serde::Deserialize)]
#[sqlx(transparent)]
#[serde(transparent)]
pub struct PayPalBatchId(pub String);

/// PayPal's id of an item (`payout_item_id`), at most 32 characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash, sqlx::Type, serde::Deserialize)]
#[sqlx(transparent)]
#[serde(transparent)]
pub struct PayPalItemId(pub String);

impl std::fmt::Display for PayPalBatchId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::fmt::Display for PayPalItemId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Reads an answer. NUL characters are dropped from its texts: JSON can carry them and Postgres keeps none, so a single
/// one would make the whole answer impossible to write down.
fn read_json<T: serde::de::DeserializeOwned>(body: &[u8]) -> serde_json::Result<T> {
    let mut value = serde_json::from_slice(body)?;
    drop_nul(&mut value);
    serde_json::from_value(value)
}

fn drop_nul(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::String(text) => text.retain(|c| c != '\0'),
        serde_json::Value::Array(list) => list.iter_mut().for_each(drop_nul),
        serde_json::Value::Object(fields) => fields.values_mut().for_each(drop_nul),
        serde_json::Value::Null | serde_json::Value::Bool(_) | serde_json::Value::Number(_) => {}
    }
}

/// An id as one path segment, whatever it contains.
fn segment(id: &str) -> String {
    id.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
}
