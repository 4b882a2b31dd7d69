//! The merchant's account on PayPal's DropZone: the key pair that we make, the user name that PayPal gives, the server's
//! key that a person approves, and the test that puts it in force.
//!
//! PayPal makes an account for whoever sends it a public key, so the key comes first. Nothing is signed in anywhere before a
//! person has approved the server's key, and nowhere once the server shows another one.

mod store;

pub use store::{Dropzone, account, blocking_batches, in_force, next_key_works, pause, resume, show};

use super::store::{Blocking, fixed_environment, lock_merchant};
use crate::app::App;
use crate::audit::{self, Actor};
use crate::database::Tx;
use crate::id::MerchantId;
use crate::paypal::Environment;
use crate::paypal::dropzone::{Account, Failed, KeyPair, NoSession, fingerprint};
use serde_json::json;

/// What a test of the connection found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Outcome {
    /// Signed in, both folders found.
    Ready,
    /// The server shows its key for the first time; a person has to approve it.
    HostKeyNew,
    /// It shows another key than the approved one.
    HostKeyChanged,
    /// It does not let this user and key in.
    SignInRefused,
    /// It let us in, and a folder is not there or cannot be read.
    FoldersMissing,
    /// No usable answer.
    Unreachable,
}

impl Outcome {
    /// The word of the database.
    pub fn code(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::HostKeyNew => "host_key_new",
            Self::HostKeyChanged => "host_key_changed",
            Self::SignInRefused => "sign_in_refused",
            Self::FoldersMissing => "folders_missing",
            Self::Unreachable => "unreachable",
        }
    }
}

/// What PayPal told about the account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Details {
    /// The user name.
    pub user_name: String,
    /// The folder that PayPal picks files up from.
    pub incoming: String,
    /// The folder that PayPal answers in.
    pub outgoing: String,
}

impl Details {
    /// Reads what was typed; problems name the field.
    pub fn read(user_name: &str, incoming: &str, outgoing: &str) -> Result<Self, Vec<(&'static str, &'static str)>> {
        let folder = |text: &str| text.trim().trim_end_matches('/').to_owned();
        let details =
            Self { user_name: user_name.trim().to_owned(), incoming: folder(incoming), outgoing: folder(outgoing) };
        let odd =
            |text: &str| text.chars().any(|c| c.is_control() || c == '\\') || text.split('/').any(|part| part == "..");
        let mut problems = Vec::new();
        if details.user_name.is_empty() {
            problems.push(("user_name", "Enter the user name that PayPal gave you for the DropZone."));
        } else if details.user_name.len() > 128
            || details.user_name.chars().any(|c| c.is_whitespace() || c.is_control())
        {
            problems.push(("user_name", "A user name is one word of at most 128 characters; paste it again."));
        }
        for (field, folder) in [("incoming", &details.incoming), ("outgoing", &details.outgoing)] {
            if folder.is_empty() || folder.len() > 255 || odd(folder) {
                problems.push((field, "Enter the folder’s name as PayPal gave it, usually Incoming or Outgoing."));
            }
        }
        if problems.is_empty() && details.incoming == details.outgoing {
            problems.push(("outgoing", "PayPal answers in another folder than it picks files up from."));
        }
        if problems.is_empty() { Ok(details) } else { Err(problems) }
    }
}

/// Why nothing was changed.
#[derive(Debug)]
pub enum Refused {
    /// This installation cannot reach that DropZone.
    NotOffered,
    /// The merchant's first batch fixed another environment.
    EnvironmentFixed(Environment),
    /// These files are not finished, and can only be followed through the account as it is.
    InUse(Vec<Blocking>),
    /// There is no such account, or not any more; or the server meanwhile shows something else.
    OutOfDate,
}

/// Makes the key pair for an environment, to be sent to PayPal. A second click finds the first one's.
pub async fn begin(
    app: &App,
    merchant: MerchantId,
    actor: &Actor,
    environment: Environment,
) -> anyhow::Result<Result<(), Refused>> {
    let mut tx = app.database.merchant(merchant).await?;
    lock_merchant(&mut tx).await?;
    if !app.dropzone.offers(environment) {
        return Ok(Err(Refused::NotOffered));
    }
    if let Some(fixed) = fixed_environment(&mut tx).await?.filter(|fixed| *fixed != environment) {
        return Ok(Err(Refused::EnvironmentFixed(fixed)));
    }
    let keys = KeyPair::new(&format!("stipend-{}", environment.code()));
    store::begin(&mut tx, &app.vault, environment, &keys, actor).await?;
    note(&mut tx, actor, "made a key for PayPal’s DropZone", json!({ "environment": environment.code() })).await?;
    tx.commit().await?;
    Ok(Ok(()))
}

/// Keeps what PayPal told, and tests it.
pub async fn save(
    app: &App,
    merchant: MerchantId,
    actor: &Actor,
    details: &Details,
) -> anyhow::Result<Result<Outcome, Refused>> {
    let mut tx = app.database.merchant(merchant).await?;
    lock_merchant(&mut tx).await?;
    let Some(now) = show(&mut tx).await? else { return Ok(Err(Refused::OutOfDate)) };
    let same = now.user_name.as_ref().is_none_or(|user| *user == details.user_name)
        && (now.user_name.is_none() || (&now.incoming, &now.outgoing) == (&details.incoming, &details.outgoing));
    let blocking = blocking_batches(&mut tx).await?;
    if !same && !blocking.is_empty() {
        return Ok(Err(Refused::InUse(blocking)));
    }
    store::save(&mut tx, now.id, details).await?;
    let change = json!({
        "old": { "user_name": now.user_name, "incoming": now.incoming, "outgoing": now.outgoing },
        "new": { "user_name": details.user_name, "incoming": details.incoming, "outgoing": details.outgoing },
    });
    note(&mut tx, actor, "saved DropZone details", change).await?;
    tx.commit().await?;
    test(app, merchant).await
}

/// A person wants it tested again.
pub async fn test_again(app: &App, merchant: MerchantId, actor: &Actor) -> anyhow::Result<Result<Outcome, Refused>> {
    let mut tx = app.database.merchant(merchant).await?;
    note(&mut tx, actor, "tested PayPal’s DropZone", json!({})).await?;
    tx.commit().await?;
    test(app, merchant).await
}

/// Tests the connection, and puts the account in force if everything is there.
pub async fn test(app: &App, merchant: MerchantId) -> anyhow::Result<Result<Outcome, Refused>> {
    let mut tx = app.database.merchant(merchant).await?;
    let Some(dropzone) = show(&mut tx).await? else { return Ok(Err(Refused::OutOfDate)) };
    let Some(account) = account(&mut tx, &app.vault, dropzone.id).await? else { return Ok(Err(Refused::OutOfDate)) };
    drop(tx);
    let found = look(app, &account).await;
    let mut tx = app.database.merchant(merchant).await?;
    lock_merchant(&mut tx).await?;
    // Somebody may have changed the account while the server was asked.
    let same = show(&mut tx).await?.is_some_and(|now| {
        now.id == dropzone.id && (&now.user_name, &now.host_key) == (&dropzone.user_name, &dropzone.host_key)
    });
    if !same {
        return Ok(Err(Refused::OutOfDate));
    }
    let now = app.clock.now();
    store::record_check(&mut tx, dropzone.id, found.outcome, found.told.as_deref(), found.offered.as_deref(), now)
        .await?;
    if found.outcome == Outcome::HostKeyChanged && dropzone.in_force {
        pause(&mut tx, dropzone.id, "DROPZONE_HOST_KEY_CHANGED", now, time::Duration::hours(1)).await?;
    }
    if found.next_key && dropzone.next_public_key.is_some() {
        next_key_works(&mut tx, dropzone.id, now).await?;
    }
    tx.commit().await?;
    app.wake.notify_waiters();
    Ok(Ok(found.outcome))
}

struct Found {
    outcome: Outcome,
    told: Option<String>,
    offered: Option<String>,
    /// The first of the account's keys was let in.
    next_key: bool,
}

async fn look(app: &App, account: &Account) -> Found {
    let found = |outcome, told: Option<String>| Found { outcome, told, offered: None, next_key: false };
    let session = match app.dropzone.open(account).await {
        Ok(session) => session,
        Err(NoSession::HostKey(line)) => {
            let outcome = if account.host_key.is_some() { Outcome::HostKeyChanged } else { Outcome::HostKeyNew };
            return Found { offered: Some(line.clone()), ..found(outcome, fingerprint(&line)) };
        }
        Err(NoSession::SignInRefused) => return found(Outcome::SignInRefused, None),
        Err(NoSession::Unreachable(why)) => return found(Outcome::Unreachable, Some(why)),
    };
    for (folder, listed) in
        [(&account.incoming, session.incoming().await), (&account.outgoing, session.outgoing().await)]
    {
        match listed {
            Ok(_) => {}
            Err(Failed::Broken(why)) => return found(Outcome::Unreachable, Some(why)),
            Err(error) => return found(Outcome::FoldersMissing, Some(format!("{folder}: {error}"))),
        }
    }
    Found { next_key: session.key() == 0, ..found(Outcome::Ready, None) }
}

/// A person has compared the server's key: it is pinned, and the connection tested.
pub async fn approve(
    app: &App,
    merchant: MerchantId,
    actor: &Actor,
    line: &str,
) -> anyhow::Result<Result<Outcome, Refused>> {
    let mut tx = app.database.merchant(merchant).await?;
    let Some(dropzone) = show(&mut tx).await? else { return Ok(Err(Refused::OutOfDate)) };
    if !store::approve(&mut tx, dropzone.id, line).await? {
        return Ok(Err(Refused::OutOfDate));
    }
    let was = dropzone.host_key.as_deref().and_then(fingerprint);
    note(&mut tx, actor, "approved the DropZone’s key", json!({ "key": fingerprint(line), "was": was })).await?;
    tx.commit().await?;
    test(app, merchant).await
}

/// Makes a next key beside the one in use, to be sent to PayPal too.
pub async fn add_key(app: &App, merchant: MerchantId, actor: &Actor) -> anyhow::Result<Result<(), Refused>> {
    let mut tx = app.database.merchant(merchant).await?;
    let Some(dropzone) = show(&mut tx).await? else { return Ok(Err(Refused::OutOfDate)) };
    let keys = KeyPair::new(&format!("stipend-{}", dropzone.environment.code()));
    if store::add_key(&mut tx, &app.vault, dropzone.id, &keys).await? {
        note(&mut tx, actor, "made a next key for PayPal’s DropZone", json!({ "key": fingerprint(&keys.public) }))
            .await?;
        tx.commit().await?;
    }
    Ok(Ok(()))
}

/// Destroys the earlier key, once PayPal has let the next one in.
pub async fn drop_earlier_key(app: &App, merchant: MerchantId, actor: &Actor) -> anyhow::Result<Result<(), Refused>> {
    let mut tx = app.database.merchant(merchant).await?;
    let Some(dropzone) = show(&mut tx).await? else { return Ok(Err(Refused::OutOfDate)) };
    if !store::drop_earlier_key(&mut tx, &app.vault, dropzone.id).await? {
        return Ok(Err(Refused::OutOfDate));
    }
    note(&mut tx, actor, "destroyed an earlier DropZone key", json!({ "key": fingerprint(&dropzone.public_key) }))
        .await?;
    tx.commit().await?;
    Ok(Ok(()))
}

/// Takes the account out of force and destroys our keys.
pub async fn disconnect(app: &App, merchant: MerchantId, actor: &Actor) -> anyhow::Result<Result<(), Refused>> {
    let mut tx = app.database.merchant(merchant).await?;
    lock_merchant(&mut tx).await?;
    let blocking = blocking_batches(&mut tx).await?;
    if !blocking.is_empty() {
        return Ok(Err(Refused::InUse(blocking)));
    }
    let Some(dropzone) = show(&mut tx).await? else { return Ok(Err(Refused::OutOfDate)) };
    store::retire(&mut tx, dropzone.id).await?;
    note(&mut tx, actor, "disconnected PayPal’s DropZone", json!({})).await?;
    tx.commit().await?;
    Ok(Ok(()))
}

async fn note(tx: &mut Tx, actor: &Actor, what: &str, details: serde_json::Value) -> sqlx::Result<()> {
    audit::record(tx, actor, what, "PayPal DropZone", details).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_paypal_told_is_read_and_nonsense_is_named() {
        let read = Details::read(" acme_sftp ", "Incoming/", "Outgoing").unwrap();
        assert_eq!((read.user_name.as_str(), read.incoming.as_str()), ("acme_sftp", "Incoming"));
        let fields = |user, incoming, outgoing| {
            Details::read(user, incoming, outgoing).unwrap_err().into_iter().map(|(field, _)| field).collect::<Vec<_>>()
        };
        assert_eq!(fields("", "", "a\nb"), ["user_name", "incoming", "outgoing"]);
        assert_eq!(fields("two words", "../x", "Outgoing"), ["user_name", "incoming"]);
        assert_eq!(fields("acme", "Same", "Same"), ["outgoing"]);
    }
}
