//! The proof: a fresh token, the Payouts scope, and one read that cannot exist. It moves no money.
//!
//! It proves that the app has the Payouts feature, not that PayPal has approved the account: only the first accepted
//! payment shows that, and it is kept as a fact of its own.

use crate::paypal::{Client, Credentials, Environment, ReadError, SignIn};

/// What PayPal said about some details.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Outcome {
    /// Signed in, and may send payouts.
    Ready,
    /// PayPal does not know this pair.
    WrongDetails,
    /// Offered as live, but PayPal's sandbox knows them.
    SandboxDetails,
    /// Offered as sandbox, but live PayPal knows them.
    LiveDetails,
    /// Signed in; the app or account may not send payouts yet.
    PayoutsMissing,
    /// No answer that says anything.
    Unreachable,
}

/// The outcome, with the id that PayPal's support asks for.
#[derive(Debug, Clone)]
pub struct Checked {
    /// What it came to.
    pub outcome: Outcome,
    /// `Paypal-Debug-Id` of the token call.
    pub debug_id: Option<String>,
}

/// Asks PayPal.
pub async fn check(paypal: &Client, details: &Credentials) -> Checked {
    let (signed_in, debug_id) = paypal.sign_in(details).await;
    let outcome = match signed_in {
        SignIn::Unreachable(why) => {
            tracing::warn!(%why, "PayPal could not be asked about a connection");
            Outcome::Unreachable
        }
        SignIn::Refused => whose(paypal, details).await,
        SignIn::Accepted { may_pay_out: false } => Outcome::PayoutsMissing,
        SignIn::Accepted { may_pay_out: true } => match paypal.probe(details).await {
            Ok(()) => Outcome::Ready,
            Err(ReadError::Refused(_)) => Outcome::PayoutsMissing,
            Err(ReadError::NotFound | ReadError::TooMany | ReadError::Failed(_)) => Outcome::Unreachable,
        },
    };
    Checked { outcome, debug_id }
}

/// Both of PayPal's hosts answer "wrong" with the same words to the other's details; one more question tells.
async fn whose(paypal: &Client, details: &Credentials) -> Outcome {
    let (other, outcome) = match details.environment {
        Environment::Live => (Environment::Sandbox, Outcome::SandboxDetails),
        Environment::Sandbox => (Environment::Live, Outcome::LiveDetails),
        Environment::Simulator => return Outcome::WrongDetails,
    };
    let elsewhere = Credentials { environment: other, ..details.clone() };
    match paypal.sign_in(&elsewhere).await.0 {
        SignIn::Accepted { .. } => outcome,
        SignIn::Refused | SignIn::Unreachable(_) => Outcome::WrongDetails,
    }
}
