//! SQL of candidates: details that a person saved and PayPal has not confirmed.

use super::{Checked, Outcome, store};
use crate::app::App;
use crate::audit::Actor;
use crate::database::Tx;
use crate::id::CandidateId;
use crate::paypal::{Credentials, Environment};
use crate::vault::Place;
use time::{Duration, OffsetDateTime};

/// Details that PayPal has not confirmed.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// Where the app is said to live.
    pub environment: Environment,
    /// Its Client ID, so that it need not be typed again.
    pub client_id: String,
    /// What PayPal said; nothing while it is being asked, or when the asking was interrupted.
    pub outcome: Option<Outcome>,
    /// When it was saved.
    pub saved_at: OffsetDateTime,
    /// When PayPal answered.
    pub checked_at: Option<OffsetDateTime>,
    /// Whether the Secret is still kept, so that the check can be repeated.
    pub can_check_again: bool,
}

/// Asking PayPal takes no longer; what has no answer by then was broken off.
const ASKING: Duration = Duration::minutes(1);

/// Whether PayPal is perhaps being asked about details that were saved then and have no outcome.
pub fn is_being_asked(saved_at: OffsetDateTime, now: OffsetDateTime) -> bool {
    now - saved_at < ASKING
}

/// What the integrations page shows of it.
pub(super) async fn open_card(tx: &mut Tx) -> sqlx::Result<Option<Candidate>> {
    let merchant = tx.merchant();
    sqlx::query_as!(
        Candidate,
        r#"
        select
            environment as "environment: Environment",
            client_id,
            outcome as "outcome: Outcome",
            saved_at,
            checked_at,
            secret is not null as "can_check_again!"
        from connection_candidates
        where merchant_id = $1 and state in ('checking', 'failed')
        "#,
        merchant.0
    )
    .fetch_optional(&mut **tx)
    .await
}

/// Puts the details beside the connection in force; an earlier candidate gives way.
pub(super) async fn insert(
    tx: &mut Tx,
    app: &App,
    actor: &Actor,
    details: &Credentials,
) -> anyhow::Result<CandidateId> {
    let merchant = tx.merchant();
    store::lock_merchant(tx).await?;
    replace_all(tx).await?;
    let id = CandidateId::new();
    let sealed = app.vault.seal(place(merchant.0, id), &details.secret);
    sqlx::query!(
        r#"
        insert into connection_candidates (merchant_id, id, environment, client_id, secret, state, saved_at, saved_by)
        values ($1, $2, $3, $4, $5, 'checking', $6, $7)
        "#,
        merchant.0,
        id.0,
        details.environment.code(),
        details.client_id,
        sealed,
        app.clock.now(),
        actor.person.map(|person| person.0)
    )
    .execute(&mut **tx)
    .await?;
    Ok(id)
}

fn place(merchant: uuid::Uuid, id: CandidateId) -> Place<'static> {
    Place { column: "connection_candidates.secret", merchant, row: id.0 }
}

pub(super) async fn replace_all(tx: &mut Tx) -> sqlx::Result<()> {
    let merchant = tx.merchant();
    sqlx::query!(
        r#"
        update connection_candidates
        set state = 'replaced', secret = null
        where merchant_id = $1 and state in ('checking', 'failed')
        "#,
        merchant.0
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The candidate whose secret is still kept.
pub(super) async fn open(tx: &mut Tx, app: &App) -> anyhow::Result<Option<(CandidateId, Credentials)>> {
    let merchant = tx.merchant();
    let row = sqlx::query!(
        r#"
        select id as "id: CandidateId", environment as "environment: Environment", client_id, secret as "secret!"
        from connection_candidates
        where merchant_id = $1 and state in ('checking', 'failed') and secret is not null
        "#,
        merchant.0
    )
    .fetch_optional(&mut **tx)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let secret = app.vault.open(place(merchant.0, row.id), &row.secret)?;
    Ok(Some((row.id, Credentials { environment: row.environment, client_id: row.client_id, secret })))
}

/// Keeps the outcome. The secret of details that PayPal knows, or could not be asked about, stays for another check.
pub(super) async fn fail(tx: &mut Tx, app: &App, id: CandidateId, checked: &Checked) -> anyhow::Result<()> {
    let merchant = tx.merchant();
    let keep = match checked.outcome {
        Outcome::PayoutsMissing | Outcome::Unreachable => true,
        Outcome::WrongDetails | Outcome::SandboxDetails | Outcome::LiveDetails => false,
        Outcome::Ready => unreachable!("details that pass do not fail"),
    };
    sqlx::query!(
        r#"
        update connection_candidates
        set state = 'failed',
            outcome = $3,
            debug_id = $4,
            checked_at = $5,
            secret = case when $6 then secret end
        where merchant_id = $1 and id = $2 and state in ('checking', 'failed')
        "#,
        merchant.0,
        id.0,
        checked.outcome as Outcome,
        checked.debug_id,
        app.clock.now(),
        keep
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Forgets a candidate that may not take over any more.
pub(super) async fn drop(tx: &mut Tx, id: CandidateId) -> sqlx::Result<()> {
    let merchant = tx.merchant();
    sqlx::query!(
        "update connection_candidates set state = 'replaced', secret = null where merchant_id = $1 and id = $2",
        merchant.0,
        id.0
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The confirmed details take over: one connection in force before, one after. Whether that upgraded a legacy one; nothing
/// if another Save or a disconnect came while PayPal was asked.
pub(super) async fn swap(
    tx: &mut Tx,
    app: &App,
    actor: &Actor,
    candidate: CandidateId,
    details: &Credentials,
    checked: &Checked,
) -> anyhow::Result<Option<bool>> {
    let merchant = tx.merchant();
    let passed = sqlx::query!(
        r#"
        update connection_candidates
        set state = 'passed', outcome = 'ready', secret = null, debug_id = $3, checked_at = $4
        where merchant_id = $1 and id = $2 and state in ('checking', 'failed')
        "#,
        merchant.0,
        candidate.0,
        checked.debug_id,
        app.clock.now()
    )
    .execute(&mut **tx)
    .await?;
    if passed.rows_affected() == 0 {
        return Ok(None);
    }
    let retired = sqlx::query_scalar!(
        r#"
        update connections
        set in_force = false,
            secret = null,
            upgraded_at = case when kind = 'legacy_masspay' then $4::timestamptz end
        where merchant_id = $1 and in_force and (environment, client_id) is distinct from ($2::text, $3::text)
        returning kind
        "#,
        merchant.0,
        details.environment.code(),
        details.client_id,
        app.clock.now()
    )
    .fetch_optional(&mut **tx)
    .await?;

    store::put_in_force(tx, app, actor, details, checked).await?;
    Ok(Some(retired.as_deref() == Some("legacy_masspay")))
}
