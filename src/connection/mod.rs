//! The merchant's link to PayPal: what a person saves, how it is proved, and what takes its place.
//!
//! Every Save makes a candidate beside the connection in force. PayPal is asked outside any transaction; only a
//! candidate that passed the whole check takes over, in one transaction, so a failed or interrupted check changes
//! nothing. Secrets leave the vault only towards PayPal.

pub mod balance;
mod candidate;
pub mod dropzone;
pub mod legacy;
pub mod notifications;
pub mod pause;
mod store;
mod verify;

pub use candidate::{Candidate, is_being_asked};
pub use pause::Pause;
pub use store::{Blocking, Card, Connection, blocking_batches, card, credentials, in_force, watched_batches};
pub use verify::{Checked, Outcome, check};

use crate::app::App;
use crate::audit::{self, Actor};
use crate::crash::crash_point;
use crate::database::Tx;
use crate::id::{CandidateId, MerchantId};
use crate::paypal::{Credentials, Environment};
use anyhow::Context;
use notifications::Farewell;
use secrecy::SecretString;

/// Longest Client ID or Secret that is taken; PayPal's have 80 characters.
const MAX_DETAIL: usize = 256;

/// What a person typed is not usable as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BadDetails {
    /// What is wrong with the environment.
    pub environment: Option<&'static str>,
    /// What is wrong with the Client ID.
    pub client_id: Option<&'static str>,
    /// What is wrong with the Secret.
    pub secret: Option<&'static str>,
}

/// Reads pasted details: surrounding white space is dropped, anything else that cannot be a key is refused.
pub fn read_details(environment: &str, client_id: &str, secret: &str) -> Result<Credentials, BadDetails> {
    let problem = |text: &str, empty, odd, long| match text {
        "" => Some(empty),
        text if text.chars().any(|c| c.is_control() || c.is_whitespace()) => Some(odd),
        text if text.len() > MAX_DETAIL => Some(long),
        _ => None,
    };
    let (client_id, secret) = (client_id.trim(), secret.trim());
    let bad = BadDetails {
        environment: Environment::from_code(environment).is_none().then_some("Choose where this app lives."),
        client_id: problem(
            client_id,
            "Paste the Client ID of your PayPal app.",
            "A Client ID has no spaces or line breaks; paste it again.",
            "This is too long for a Client ID; paste it again.",
        ),
        secret: problem(
            secret,
            "Paste the Secret of the same PayPal app.",
            "A Secret has no spaces or line breaks; paste it again.",
            "This is too long for a Secret; paste it again.",
        ),
    };
    match Environment::from_code(environment) {
        Some(environment) if bad == BadDetails::default() => Ok(Credentials {
            environment,
            client_id: client_id.to_owned(),
            secret: SecretString::from(secret.to_owned()),
        }),
        Some(_) | None => Err(bad),
    }
}

/// Why details cannot be saved, whatever PayPal would say of them.
#[derive(Debug)]
pub enum Refused {
    /// This installation does not offer the environment.
    NotOffered,
    /// The merchant's first batch fixed another environment.
    EnvironmentFixed(Environment),
    /// Another Client ID is another connection, and these batches still need the one in force.
    InUse(Vec<Blocking>),
    /// Other details were saved, or the connection was taken away, while PayPal was asked.
    Overtaken,
}

/// Keeps the details as a candidate, asks PayPal, and lets them take over if they pass.
pub async fn save(
    app: &App,
    merchant: MerchantId,
    actor: &Actor,
    details: &Credentials,
) -> anyhow::Result<Result<Outcome, Refused>> {
    let mut tx = app.database.merchant(merchant).await?;
    if let Some(refused) = refusal(app, &mut tx, details).await? {
        return Ok(Err(refused));
    }
    let id = candidate::insert(&mut tx, app, actor, details).await?;
    let old = in_force(&mut tx)
        .await?
        .map(|old| serde_json::json!({ "environment": old.environment.code(), "client_id": masked(&old.client_id) }));
    let change = serde_json::json!({ "old": old, "new": told(details) });
    audit::record(&mut tx, actor, "saved PayPal details", "PayPal connection", change).await?;
    tx.commit().await?;
    crash_point("details_saved");
    prove(app, merchant, actor, id, details).await
}

/// Asks PayPal again: about the candidate that waits, else about the connection in force.
pub async fn check_again(
    app: &App,
    merchant: MerchantId,
    actor: &Actor,
) -> anyhow::Result<Result<Option<Outcome>, Refused>> {
    let mut tx = app.database.merchant(merchant).await?;
    let asked = async |tx: &mut Tx| {
        audit::record(tx, actor, "checked PayPal details again", "PayPal connection", serde_json::json!({})).await
    };
    if let Some((id, details)) = candidate::open(&mut tx, app).await? {
        asked(&mut tx).await?;
        tx.commit().await?;
        return Ok(prove(app, merchant, actor, id, &details).await?.map(Some));
    }
    let Some(connection) = in_force(&mut tx).await? else { return Ok(Ok(None)) };
    let details =
        credentials(&mut tx, &app.vault, connection.id).await?.context("a connection in force has its secret")?;
    asked(&mut tx).await?;
    tx.commit().await?;
    let checked = check(&app.paypal, &details).await;
    let mut tx = app.database.merchant(merchant).await?;
    store::record_check(&mut tx, app, connection.id, &checked).await?;
    tx.commit().await?;
    app.wake.notify_waiters();
    Ok(Ok(Some(checked.outcome)))
}

/// A person says that something has changed at PayPal: one payment of those that wait is tried now.
pub async fn try_now(app: &App, merchant: MerchantId, actor: &Actor) -> anyhow::Result<bool> {
    let mut tx = app.database.merchant(merchant).await?;
    let Some(connection) = in_force(&mut tx).await? else { return Ok(false) };
    pause::try_now(&mut tx, connection.id, app.clock.now()).await?;
    audit::record(&mut tx, actor, "asked to try payments again", "PayPal connection", serde_json::json!({})).await?;
    tx.commit().await?;
    app.wake.notify_waiters();
    Ok(true)
}

/// Takes the connection out of force and destroys its secret, after a last use of it: PayPal need not tell us any more.
pub async fn disconnect(app: &App, merchant: MerchantId, actor: &Actor) -> anyhow::Result<Result<Farewell, Refused>> {
    let mut tx = app.database.merchant(merchant).await?;
    let blocking = blocking_batches(&mut tx).await?;
    drop(tx);
    if !blocking.is_empty() {
        return Ok(Err(Refused::InUse(blocking)));
    }
    let farewell = notifications::leave(app, merchant, None).await?;
    let mut tx = app.database.merchant(merchant).await?;
    store::lock_merchant(&mut tx).await?;
    let blocking = blocking_batches(&mut tx).await?;
    if !blocking.is_empty() {
        return Ok(Err(Refused::InUse(blocking)));
    }
    store::retire(&mut tx, app).await?;
    audit::record(&mut tx, actor, "disconnected PayPal", "PayPal connection", serde_json::json!({})).await?;
    tx.commit().await?;
    Ok(Ok(farewell))
}

async fn prove(
    app: &App,
    merchant: MerchantId,
    actor: &Actor,
    id: CandidateId,
    details: &Credentials,
) -> anyhow::Result<Result<Outcome, Refused>> {
    let checked = check(&app.paypal, details).await;
    crash_point("details_checked");
    if checked.outcome == Outcome::Ready {
        // A webhook that stays behind is answered "nobody here".
        notifications::leave(app, merchant, Some(details)).await?;
    }
    let mut tx = app.database.merchant(merchant).await?;
    store::lock_merchant(&mut tx).await?;
    if checked.outcome == Outcome::Ready {
        // A payment may have been drafted while PayPal was asked. The worker registers the earlier details again.
        if let Some(refused) = refusal(app, &mut tx, details).await? {
            candidate::drop(&mut tx, id).await?;
            tx.commit().await?;
            return Ok(Err(refused));
        }
        let Some(upgraded) = candidate::swap(&mut tx, app, actor, id, details, &checked).await? else {
            return Ok(Err(Refused::Overtaken));
        };
        if upgraded {
            audit::record(&mut tx, actor, "upgraded PayPal", "PayPal connection", told(details)).await?;
            legacy::tell_of_upgrade(&mut tx, actor).await?;
        } else {
            audit::record(&mut tx, actor, "connected PayPal", "PayPal connection", told(details)).await?;
        }
        crash_point("before_swap");
    } else {
        candidate::fail(&mut tx, app, id, &checked).await?;
    }
    tx.commit().await?;
    crash_point("after_swap");
    app.wake.notify_waiters();
    Ok(Ok(checked.outcome))
}

/// What the audit log keeps of details: never the Secret, and of the Client ID its end.
fn told(details: &Credentials) -> serde_json::Value {
    serde_json::json!({ "environment": details.environment.code(), "client_id": masked(&details.client_id) })
}

/// A Client ID as pages show it: its last four characters.
pub fn masked(client_id: &str) -> String {
    let end: String = client_id.chars().skip(client_id.chars().count().saturating_sub(4)).collect();
    format!("…{end}")
}

async fn refusal(app: &App, tx: &mut Tx, details: &Credentials) -> anyhow::Result<Option<Refused>> {
    if !app.paypal.environments().contains(&details.environment) {
        return Ok(Some(Refused::NotOffered));
    }
    if let Some(fixed) = store::fixed_environment(tx).await?
        && fixed != details.environment
    {
        return Ok(Some(Refused::EnvironmentFixed(fixed)));
    }
    // A legacy connection has no batches that only it could follow.
    let same = in_force(tx)
        .await?
        .is_none_or(|now| now.environment == details.environment && now.client_id == details.client_id);
    if same {
        return Ok(None);
    }
    let blocking = blocking_batches(tx).await?;
    Ok((!blocking.is_empty()).then_some(Refused::InUse(blocking)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    #[test]
    fn pasted_white_space_is_dropped_and_nonsense_is_named() {
        let read = read_details("sandbox", "  AbC-1_2 \n", "\ts3cret ").unwrap();
        assert_eq!((read.client_id.as_str(), read.secret.expose_secret()), ("AbC-1_2", "s3cret"));
        let bad = read_details("moon", "", "two words").unwrap_err();
        assert!(bad.environment.is_some() && bad.client_id.is_some() && bad.secret.is_some());
        assert!(read_details("live", &"x".repeat(300), "s").unwrap_err().client_id.is_some());
    }
}
