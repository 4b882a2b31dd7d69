//! Where PayPal tells us of events: registered at PayPal by the worker, which finds out what is missing by asking, and
//! taken away before a secret is destroyed. Without an address that PayPal can reach everything works by polling.
//!
//! Claims, and the question whose connection an event came to, look across all merchants, so this file takes on the
//! installation's role.

use super::store::{credentials, lock_merchant};
use crate::app::App;
use crate::database::Tx;
use crate::id::{ConnectionId, MerchantId};
use crate::paypal::{Credentials, Environment, ReadError};
use reqwest::Url;
use std::net::IpAddr;
use std::time::Duration as StdDuration;
use time::{Duration, OffsetDateTime};

/// A registration that was begun and not finished is begun again after so long.
const CLAIMED: Duration = Duration::minutes(1);
/// A registration is looked at again then: somebody may have removed it at PayPal.
const REGISTERED: Duration = Duration::days(1);
/// After a failure.
const FAILED: Duration = Duration::minutes(5);
/// After "not permitted", which a person has to mend.
const NOT_PERMITTED: Duration = Duration::hours(1);
/// How long a person waits for PayPal to forget us.
const FAREWELL: StdDuration = StdDuration::from_secs(10);
/// After so long without an event, PayPal's list is read while payments are followed …
const QUIET: Duration = Duration::minutes(15);
/// … and after so long while none are.
const IDLE: Duration = Duration::hours(6);

/// A connection that PayPal may tell of events.
#[derive(Debug, Clone)]
pub struct Listening {
    /// Whose it is.
    pub merchant: MerchantId,
    /// Its id, which is part of the address.
    pub connection: ConnectionId,
    /// Decides who may sign.
    pub environment: Environment,
    /// PayPal's id of the registration, which is part of what it signs.
    pub webhook_id: Option<String>,
    /// When its missed events should have been looked for.
    pub events_look_at: Option<OffsetDateTime>,
}

/// What the integrations page says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notifications {
    /// PayPal can reach no address of ours.
    NoAddress,
    /// Not asked for yet.
    Soon,
    /// PayPal tells us; when it last did.
    Registered(Option<OffsetDateTime>),
    /// The app may not register: asked then, and again then.
    NotPermitted(OffsetDateTime, OffsetDateTime),
    /// It did not work, in PayPal's words: asked then, and again then.
    Failed(String, OffsetDateTime, OffsetDateTime),
}

/// Whether PayPal still tells an address that nobody listens at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Farewell {
    /// PayPal tells it no more.
    Clean,
    /// It could not be taken away.
    LeftBehind,
}

fn path(connection: ConnectionId) -> String {
    format!("/webhooks/paypal/{connection}")
}

/// Where PayPal can reach this installation: a public HTTPS address at its usual port. The simulator reaches any, also
/// the one that the program listens on.
fn base(app: &App) -> Option<&str> {
    let public = app.public_url.as_deref();
    if app.rehearses() {
        return public.or(app.listens_at.as_deref());
    }
    public.filter(|url| is_public(url))
}

fn is_public(url: &str) -> bool {
    let Ok(url) = Url::parse(url) else { return false };
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let named = host.contains('.') && !host.ends_with(".local") && !host.ends_with(".localhost");
    url.scheme() == "https" && url.port().is_none() && named && host.parse::<IpAddr>().is_err()
}

/// Registers one connection that is due, or looks after its registration. False when nothing was due.
pub async fn next(app: &App) -> anyhow::Result<bool> {
    let Some(base) = base(app) else { return Ok(false) };
    let Some(due) = to_register(app, base).await? else { return Ok(false) };
    let url = format!("{base}{}", path(due.connection));
    let mut tx = app.database.merchant(due.merchant).await?;
    let details = credentials(&mut tx, &app.vault, due.connection).await?;
    drop(tx);
    let Some(details) = details else { return Ok(true) };
    let registered = register(app, &details, &due, &url).await;
    if let Err(error) = &registered {
        tracing::warn!(connection.id = %due.connection, "PayPal's notifications could not be registered: {error}");
    }
    record(app, &due, &url, registered).await?;
    Ok(true)
}

async fn to_register(app: &App, base: &str) -> anyhow::Result<Option<Listening>> {
    let now = app.clock.now();
    let mut tx = app.database.installation().await?;
    let due = sqlx::query_as!(
        Listening,
        r#"
        with next as (
            select merchant_id, id
            from connections
            where in_force
                and kind = 'rest'
                and secret is not null
                and (webhook_look_at is null
                    or webhook_look_at <= $1
                    -- The program listens elsewhere now. Two that listen at different addresses do not fight over it.
                    or (webhook_url <> $2 || '/webhooks/paypal/' || id and webhook_checked_at <= $3))
            order by webhook_look_at nulls first
            limit 1
            for update skip locked
        )
        update connections c
        set webhook_look_at = $4, webhook_checked_at = $1
        from next
        where c.merchant_id = next.merchant_id and c.id = next.id
        returning
            c.merchant_id as "merchant: MerchantId",
            c.id as "connection: ConnectionId",
            c.environment as "environment: Environment",
            c.webhook_id,
            c.events_look_at
        "#,
        now,
        base,
        now - CLAIMED,
        now + CLAIMED
    )
    .fetch_optional(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(due)
}

/// Finds our webhook among the app's own and mends it, or makes it.
async fn register(app: &App, details: &Credentials, due: &Listening, url: &str) -> Result<String, ReadError> {
    let events = app.paypal.event_types(details).await?;
    if events.is_empty() {
        return Err(ReadError::Failed("PayPal offers no events of payouts".into()));
    }
    let all = app.paypal.webhooks(details).await?;
    let here = all.iter().find(|one| one.url == url);
    match here.or_else(|| all.iter().find(|one| Some(&one.id) == due.webhook_id.as_ref())) {
        Some(ours) if ours.url == url && ours.hears(&events) => Ok(ours.id.clone()),
        Some(ours) => {
            app.paypal.change_webhook(details, &ours.id, url, &events).await?;
            Ok(ours.id.clone())
        }
        None => Ok(app.paypal.create_webhook(details, url, &events).await?.id),
    }
}

async fn record(app: &App, due: &Listening, url: &str, registered: Result<String, ReadError>) -> anyhow::Result<()> {
    let now = app.clock.now();
    let (id, outcome, trouble, wait) = match registered {
        Ok(id) => (Some(id), "registered", None, REGISTERED),
        Err(ReadError::Refused(why)) => (None, "not_permitted", Some(why), NOT_PERMITTED),
        Err(error @ (ReadError::NotFound | ReadError::TooMany | ReadError::Failed(_))) => {
            (None, "failed", Some(error.to_string()), FAILED)
        }
    };
    let mut tx = app.database.merchant(due.merchant).await?;
    sqlx::query!(
        r#"
        update connections
        set webhook_id = coalesce($3, webhook_id),
            webhook_url = case when $3::text is null then webhook_url else $4 end,
            webhook_outcome = $5,
            webhook_trouble = $6,
            webhook_checked_at = $7,
            webhook_look_at = $8
        where merchant_id = $1 and id = $2 and in_force
        "#,
        due.merchant.0,
        due.connection.0,
        id,
        url,
        outcome,
        trouble,
        now,
        now + wait
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(())
}

/// The connection in force of this id, whoever's it is: an event came to its address.
pub async fn listening(app: &App, id: ConnectionId) -> anyhow::Result<Option<Listening>> {
    let mut tx = app.database.installation().await?;
    let found = sqlx::query_as!(
        Listening,
        r#"
        select
            merchant_id as "merchant: MerchantId",
            id as "connection: ConnectionId",
            environment as "environment: Environment",
            webhook_id,
            events_look_at
        from connections
        where id = $1 and in_force and kind = 'rest' and secret is not null
        "#,
        id.0
    )
    .fetch_optional(&mut *tx)
    .await?;
    Ok(found)
}

/// Takes a connection whose events have been silent for a while, or were not looked for when they should have been:
/// its list is to be read. Gives the time at which that should have been.
pub async fn to_list(app: &App) -> anyhow::Result<Option<Listening>> {
    let now = app.clock.now();
    let mut tx = app.database.installation().await?;
    let due = sqlx::query_as!(
        Listening,
        r#"
        with next as (
            select c.merchant_id, c.id, c.events_look_at
            from connections c
            where c.in_force
                and c.secret is not null
                and c.webhook_id is not null
                and (c.events_look_at is null
                    or c.events_look_at <= $2
                    or (c.events_look_at <= $1 and not exists (
                        select from paypal_events e
                        where e.merchant_id = c.merchant_id and e.connection_id = c.id and e.received_at > $2
                    )))
            order by c.events_look_at nulls first
            limit 1
            for update skip locked
        )
        update connections c
        set events_look_at = case
                when exists (
                    select from payout_batches b
                    where b.merchant_id = c.merchant_id and b.connection_id = c.id and b.state in ('submitting', 'accepted')
                ) then $3::timestamptz
                else $4::timestamptz
            end
        from next
        where c.merchant_id = next.merchant_id and c.id = next.id
        returning
            c.merchant_id as "merchant: MerchantId",
            c.id as "connection: ConnectionId",
            c.environment as "environment: Environment",
            c.webhook_id,
            next.events_look_at
        "#,
        now,
        now - QUIET,
        now + QUIET,
        now + IDLE
    )
    .fetch_optional(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(due)
}

/// The list was read to its end, up to this moment.
pub async fn listed(tx: &mut Tx, id: ConnectionId, now: OffsetDateTime) -> sqlx::Result<()> {
    let merchant = tx.merchant();
    sqlx::query!(
        "update connections set events_listed_at = $3 where merchant_id = $1 and id = $2",
        merchant.0,
        id.0,
        now
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// What is to be said of this connection's notifications.
pub async fn shown(tx: &mut Tx, app: &App, id: ConnectionId) -> sqlx::Result<Notifications> {
    if base(app).is_none() {
        return Ok(Notifications::NoAddress);
    }
    let merchant = tx.merchant();
    let row = sqlx::query!(
        r#"
        select
            c.webhook_outcome as outcome,
            c.webhook_trouble as trouble,
            c.webhook_checked_at as checked,
            c.webhook_look_at as again,
            (
                select max(e.received_at)
                from paypal_events e
                where e.merchant_id = c.merchant_id and e.connection_id = c.id
            ) as last
        from connections c
        where c.merchant_id = $1 and c.id = $2
        "#,
        merchant.0,
        id.0
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok(match (row.outcome.as_deref(), row.checked, row.again) {
        (Some("registered"), _, _) => Notifications::Registered(row.last),
        (Some("not_permitted"), Some(at), Some(again)) => Notifications::NotPermitted(at, again),
        (Some("failed"), Some(at), Some(again)) => Notifications::Failed(row.trouble.unwrap_or_default(), at, again),
        (_, _, _) => Notifications::Soon,
    })
}

/// Has PayPal forget the address of the connection in force, while its secret is still there to say so. Should this be
/// cut off, the connection is still in force and the worker registers it again. Details that stay are not touched.
pub(super) async fn leave(app: &App, merchant: MerchantId, stays: Option<&Credentials>) -> anyhow::Result<Farewell> {
    let mut tx = app.database.merchant(merchant).await?;
    lock_merchant(&mut tx).await?;
    let row = sqlx::query!(
        r#"
        update connections
        set webhook_look_at = $2
        where merchant_id = $1 and in_force and webhook_id is not null
        returning id as "id: ConnectionId", webhook_id as "webhook_id!"
        "#,
        merchant.0,
        app.clock.now() + CLAIMED
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(row) = row else { return Ok(Farewell::Clean) };
    let Some(details) = credentials(&mut tx, &app.vault, row.id).await? else { return Ok(Farewell::LeftBehind) };
    let same = |stays: &Credentials| {
        (stays.environment, stays.client_id.as_str()) == (details.environment, details.client_id.as_str())
    };
    if stays.is_some_and(same) {
        return Ok(Farewell::Clean);
    }
    tx.commit().await?;
    let deleted = tokio::time::timeout(FAREWELL, app.paypal.delete_webhook(&details, &row.webhook_id)).await;
    if !matches!(deleted, Ok(Ok(()))) {
        tracing::warn!(connection.id = %row.id, "PayPal's notifications could not be taken away: {deleted:?}");
        return Ok(Farewell::LeftBehind);
    }
    let mut tx = app.database.merchant(merchant).await?;
    sqlx::query!(
        r#"
        update connections
        set webhook_id = null, webhook_url = null, webhook_outcome = null
        where merchant_id = $1 and id = $2
        "#,
        merchant.0,
        row.id.0
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(Farewell::Clean)
}

#[cfg(test)]
mod tests {
    use super::is_public;

    #[test]
    fn paypal_reaches_public_https_addresses_at_the_usual_port() {
        assert!(is_public("https://pay.example.com"));
        for not in [
            "http://pay.example.com",
            "https://pay.example.com:8443",
            "https://localhost",
            "https://stipend.local",
            "https://10.0.0.7",
            "https://[::1]",
            "https://intranet",
            "",
        ] {
            assert!(!is_public(not), "{not}");
        }
    }
}
