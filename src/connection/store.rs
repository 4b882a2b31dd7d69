//! SQL of connections.

use super::candidate::{self, Candidate};
use super::legacy::{self, Legacy};
use super::pause::{self, Pause};
use super::{Checked, Outcome};
use crate::app::App;
use crate::audit::Actor;
use crate::database::Tx;
use crate::id::{BatchId, ConnectionId};
use crate::paypal::{Credentials, Environment};
use crate::vault::{Place, Vault};
use time::OffsetDateTime;

/// A connection, without its secret.
#[derive(Debug, Clone)]
pub struct Connection {
    /// Its id.
    pub id: ConnectionId,
    /// Decides whether its money is real.
    pub environment: Environment,
    /// The app's Client ID.
    pub client_id: String,
    /// When its details were first confirmed.
    pub connected_at: OffsetDateTime,
    /// When PayPal was last asked.
    pub checked_at: OffsetDateTime,
    /// What PayPal said then.
    pub check_outcome: Outcome,
    /// PayPal refuses to be read since then …
    pub unreadable_at: Option<OffsetDateTime>,
    /// … with this error name.
    pub unreadable_why: Option<String>,
    /// PayPal accepted a payment through it: the account is approved.
    pub first_payout_accepted_at: Option<OffsetDateTime>,
}

/// A batch that still needs the connection in force.
#[derive(Debug, Clone)]
pub struct Blocking {
    /// Its id.
    pub id: BatchId,
    /// What people call it.
    pub number: i64,
    /// Where it stands.
    pub state: String,
}

/// Everything the integrations page shows.
#[derive(Debug, Clone)]
pub struct Card {
    /// The connection in force.
    pub connection: Option<Connection>,
    /// A legacy one in force in its place.
    pub legacy: Option<Legacy>,
    /// What of it waits.
    pub pauses: Vec<Pause>,
    /// What was saved beside it and has not passed.
    pub candidate: Option<Candidate>,
    /// Fixed by the first batch.
    pub fixed_environment: Option<Environment>,
    /// Batches that forbid another Client ID, and disconnecting.
    pub blocking: Vec<Blocking>,
    /// How many batches would no longer be followed after a disconnect.
    pub watched: i64,
}

/// The integrations page.
pub async fn card(tx: &mut Tx) -> anyhow::Result<Card> {
    Ok(Card {
        connection: in_force(tx).await?,
        legacy: legacy::in_force(tx).await?,
        pauses: pause::all(tx).await?,
        candidate: candidate::open_card(tx).await?,
        fixed_environment: fixed_environment(tx).await?,
        blocking: blocking_batches(tx).await?,
        watched: watched_batches(tx).await?,
    })
}

/// The connection in force, if payments can go through it: a legacy one is not among them.
pub async fn in_force(tx: &mut Tx) -> sqlx::Result<Option<Connection>> {
    let merchant = tx.merchant();
    sqlx::query_as!(
        Connection,
        r#"
        select
            id as "id: ConnectionId",
            environment as "environment: Environment",
            client_id as "client_id!",
            connected_at,
            checked_at,
            check_outcome as "check_outcome!: Outcome",
            unreadable_at,
            unreadable_why,
            first_payout_accepted_at
        from connections
        where merchant_id = $1 and in_force and kind = 'rest'
        "#,
        merchant.0
    )
    .fetch_optional(&mut **tx)
    .await
}

/// The environment that the merchant's first batch fixed.
pub(super) async fn fixed_environment(tx: &mut Tx) -> sqlx::Result<Option<Environment>> {
    let merchant = tx.merchant();
    sqlx::query_scalar!(r#"select environment as "environment: Environment" from merchants where id = $1"#, merchant.0)
        .fetch_one(&mut **tx)
        .await
}

/// Batches that are prepared, ready, being sent, in doubt, or still processing at PayPal.
pub async fn blocking_batches(tx: &mut Tx) -> sqlx::Result<Vec<Blocking>> {
    unfinished_batches(tx, "api").await
}

/// The same of one rail.
pub(super) async fn unfinished_batches(tx: &mut Tx, rail: &str) -> sqlx::Result<Vec<Blocking>> {
    let merchant = tx.merchant();
    sqlx::query_as!(
        Blocking,
        r#"
        select id as "id: BatchId", number, state
        from payout_batches
        where merchant_id = $1
            and rail = $2
            and (state in ('prepared', 'ready', 'submitting', 'stuck') or (state = 'accepted' and settled_at is null))
            -- What waits for approval falls back to due when its connection goes.
            and not waits_for_approval
        order by number
        limit 100
        "#,
        merchant.0,
        rail
    )
    .fetch_all(&mut **tx)
    .await
}

/// How many batches are only watched still: for unclaimed items, and for refunds.
pub async fn watched_batches(tx: &mut Tx) -> sqlx::Result<i64> {
    let merchant = tx.merchant();
    sqlx::query_scalar!(
        r#"
        select count(*) as "count!"
        from payout_batches
        where merchant_id = $1 and rail = 'api' and state = 'accepted' and settled_at is not null
        "#,
        merchant.0
    )
    .fetch_one(&mut **tx)
    .await
}

/// The connection's credentials, or nothing once its secret is destroyed.
pub async fn credentials(tx: &mut Tx, vault: &Vault, id: ConnectionId) -> anyhow::Result<Option<Credentials>> {
    let merchant = tx.merchant();
    let row = sqlx::query!(
        r#"
        select environment as "environment: Environment", client_id as "client_id!", secret
        from connections
        where merchant_id = $1 and id = $2 and kind = 'rest'
        "#,
        merchant.0,
        id.0
    )
    .fetch_one(&mut **tx)
    .await?;
    let Some(sealed) = row.secret else { return Ok(None) };
    let secret = vault.open(Place { column: "connections.secret", merchant: merchant.0, row: id.0 }, &sealed)?;
    Ok(Some(Credentials { environment: row.environment, client_id: row.client_id, secret }))
}

/// Taken by whoever drafts a payment or changes the connection, so that the two never cross.
pub(super) async fn lock_merchant(tx: &mut Tx) -> sqlx::Result<()> {
    let merchant = tx.merchant();
    sqlx::query_scalar!("select 1 as one from merchants where id = $1 for update", merchant.0)
        .fetch_one(&mut **tx)
        .await?;
    Ok(())
}

/// Makes these confirmed details the connection in force; the same Client ID keeps its row.
pub(super) async fn put_in_force(
    tx: &mut Tx,
    app: &App,
    actor: &Actor,
    details: &Credentials,
    checked: &Checked,
) -> anyhow::Result<()> {
    let merchant = tx.merchant();
    let known = sqlx::query_scalar!(
        r#"
        select id as "id: ConnectionId"
        from connections
        where merchant_id = $1 and environment = $2 and client_id = $3
        "#,
        merchant.0,
        details.environment.code(),
        details.client_id
    )
    .fetch_optional(&mut **tx)
    .await?;
    let id = known.unwrap_or_else(ConnectionId::new);
    let place = Place { column: "connections.secret", merchant: merchant.0, row: id.0 };
    sqlx::query!(
        r#"
        insert into connections (
            merchant_id, id, environment, client_id, secret, in_force, connected_at, connected_by,
            checked_at, check_outcome, check_debug_id
        )
        values ($1, $2, $3, $4, $5, true, $6, $7, $6, 'ready', $8)
        on conflict (merchant_id, id) do update
        set secret = excluded.secret,
            in_force = true,
            connected_at = excluded.connected_at,
            connected_by = excluded.connected_by,
            checked_at = excluded.checked_at,
            check_outcome = 'ready',
            check_debug_id = excluded.check_debug_id,
            webhook_look_at = null,
            events_look_at = null
        "#,
        merchant.0,
        id.0,
        details.environment.code(),
        details.client_id,
        app.vault.seal(place, &details.secret),
        app.clock.now(),
        actor.person.map(|person| person.0),
        checked.debug_id
    )
    .execute(&mut **tx)
    .await?;
    pause::end(tx, id, app.clock.now()).await
}

/// Keeps what PayPal said about the connection in force. "Ready" lets a paused queue try again.
pub(super) async fn record_check(tx: &mut Tx, app: &App, id: ConnectionId, checked: &Checked) -> anyhow::Result<()> {
    let merchant = tx.merchant();
    if checked.outcome == Outcome::Unreachable {
        return Ok(());
    }
    sqlx::query!(
        r#"
        update connections
        set check_outcome = $3, check_debug_id = $4, checked_at = $5, webhook_look_at = null
        where merchant_id = $1 and id = $2
        "#,
        merchant.0,
        id.0,
        checked.outcome as Outcome,
        checked.debug_id,
        app.clock.now()
    )
    .execute(&mut **tx)
    .await?;
    if checked.outcome == Outcome::Ready {
        pause::try_now(tx, id, app.clock.now()).await?;
    }
    Ok(())
}

/// Takes the connection out of force; its secret and that of any candidate are destroyed.
pub(super) async fn retire(tx: &mut Tx, app: &App) -> sqlx::Result<()> {
    let merchant = tx.merchant();
    candidate::replace_all(tx).await?;
    sqlx::query!(
        r#"
        update connections
        set in_force = false,
            secret = null,
            checked_at = $2,
            paused_at = null,
            paused_why = null,
            resume_at = null,
            unreadable_at = null,
            unreadable_why = null
        where merchant_id = $1 and in_force
        "#,
        merchant.0,
        app.clock.now()
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
