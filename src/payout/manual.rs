//! What a person may do with a batch that is not on its way at PayPal: let a prepared file go, take a batch back before
//! it was sent, and say what became of a payment made outside.

use super::refuse::refuse;
use super::restoration;
use super::store::{Source, release, tell};
use crate::app::App;
use crate::audit::{self, Actor};
use crate::database::Tx;
use crate::id::{BatchId, MerchantId};
use crate::paypal::Refusal;
use serde_json::json;
use time::OffsetDateTime;

/// Nothing was changed: the batch is not, or no longer, where this could be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLate;

/// Why a file was not let go. Nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotLetGo {
    /// It is not, or no longer, prepared.
    TooLate,
    /// The database is a restored backup that nobody has signed off.
    Restored,
}

/// Lets a prepared file go, if it needs nobody's approval any more, at once or at some time; until it leaves, that time
/// can be changed and the file taken back.
pub async fn let_go(
    app: &App,
    merchant: MerchantId,
    actor: &Actor,
    batch: BatchId,
    at: Option<OffsetDateTime>,
) -> anyhow::Result<Result<(), NotLetGo>> {
    let mut tx = app.database.merchant(merchant).await?;
    if restoration::is_open(&mut tx).await? {
        return Ok(Err(NotLetGo::Restored));
    }
    let released = sqlx::query!(
        r#"
        with released as (
            update payout_batches
            set state = 'ready', look_at = $4, changed_at = $3
            where merchant_id = $1 and id = $2 and rail = 'file' and state in ('prepared', 'ready') and attempts = 0
                and not waits_for_approval
            returning request_id
        )
        update payout_requests r
        set released_at = coalesce(r.released_at, $3)
        from released
        where r.merchant_id = $1 and r.id = released.request_id
        "#,
        merchant.0,
        batch.0,
        actor.at,
        at.unwrap_or(actor.at)
    )
    .execute(&mut *tx)
    .await?;
    if released.rows_affected() == 0 {
        return Ok(Err(NotLetGo::TooLate));
    }
    finish(tx, actor, batch, if at.is_some() { "scheduled" } else { "let go" }).await?;
    app.wake.notify_waiters();
    Ok(Ok(()))
}

/// PayPal accepted a file after it had rejected it and its commissions were due again; a person has asked PayPal, and
/// nothing of it was paid. From here on they may be paid again.
pub async fn clear_contradiction(
    app: &App,
    merchant: MerchantId,
    actor: &Actor,
    batch: BatchId,
    looked_at: &str,
) -> anyhow::Result<Result<(), TooLate>> {
    let mut tx = app.database.merchant(merchant).await?;
    let cleared = sqlx::query!(
        r#"
        update payout_files f
        set cleared_at = $3, cleared_by = $4
        from payout_batches b
        where f.merchant_id = $1
            and f.batch_id = $2
            and b.merchant_id = f.merchant_id
            and b.id = f.batch_id
            and b.state = 'refused'
            and (f.ack_at is not null or f.stage is not null)
            and f.cleared_at is null
        "#,
        merchant.0,
        batch.0,
        actor.at,
        actor.person.map(|person| person.0)
    )
    .execute(&mut *tx)
    .await?;
    if cleared.rows_affected() == 0 {
        return Ok(Err(TooLate));
    }
    tell(&mut tx, batch, source(actor), "says that PayPal paid nothing of this file", Some(looked_at), actor.at)
        .await?;
    let details = json!({ "looked_at": looked_at });
    audit::record(&mut tx, actor, "cleared up a rejected and accepted file", &format!("batch {batch}"), details)
        .await?;
    tx.commit().await?;
    Ok(Ok(()))
}

/// Takes back a payment that waits. Batches that were never handed to PayPal, and those that PayPal certainly did not
/// take, can be; their commissions are due again. One that waits for approval is sent back as a whole instead.
pub async fn cancel(
    app: &App,
    merchant: MerchantId,
    actor: &Actor,
    batch: BatchId,
) -> anyhow::Result<Result<(), TooLate>> {
    let mut tx = app.database.merchant(merchant).await?;
    let waits = sqlx::query!(
        r#"
        select attempts, fence
        from payout_batches
        where merchant_id = $1
            and id = $2
            and rail <> 'manual'
            and state in ('prepared', 'ready')
            and doubted_at is null
            and not waits_for_approval
        for update
        "#,
        merchant.0,
        batch.0
    )
    .fetch_optional(&mut *tx)
    .await?;
    match waits {
        None => return Ok(Err(TooLate)),
        Some(row) if row.attempts == 0 => put_back(&mut tx, batch, actor).await?,
        Some(row) => {
            let taken_back = Refusal {
                name: "TAKEN_BACK".into(),
                message: "A person took it back before PayPal took it.".into(),
                details: Vec::new(),
            };
            refuse(&mut tx, batch, row.fence, source(actor), &taken_back, &[], actor.at).await?;
        }
    }
    finish(tx, actor, batch, "cancelled").await?;
    Ok(Ok(()))
}

/// Takes back a prepared file that a restored backup shows.
pub(super) async fn take_back(mut tx: Tx, actor: &Actor, batch: BatchId, why: &str) -> anyhow::Result<()> {
    put_back(&mut tx, batch, actor).await?;
    tell(&mut tx, batch, source(actor), "taken back", Some(why), actor.at).await?;
    audit::record(&mut tx, actor, "batch taken back", &format!("batch {batch}"), json!({ "why": why })).await?;
    Ok(tx.commit().await?)
}

/// Undoes a payment made outside, or an export: it was not paid after all, and is due again.
pub async fn release_manual(
    app: &App,
    merchant: MerchantId,
    actor: &Actor,
    batch: BatchId,
) -> anyhow::Result<Result<(), TooLate>> {
    let mut tx = app.database.merchant(merchant).await?;
    let here = sqlx::query_scalar!(
        r#"
        select 1 as "one!"
        from payout_batches
        where merchant_id = $1 and id = $2 and rail = 'manual' and state in ('exported', 'closed')
        for update
        "#,
        merchant.0,
        batch.0
    )
    .fetch_optional(&mut *tx)
    .await?;
    if here.is_none() {
        return Ok(Err(TooLate));
    }
    put_back(&mut tx, batch, actor).await?;
    finish(tx, actor, batch, "put back to due").await?;
    Ok(Ok(()))
}

/// An exported file was paid outside; the reference says where that can be found.
pub async fn mark_paid(
    app: &App,
    merchant: MerchantId,
    actor: &Actor,
    batch: BatchId,
    reference: &str,
) -> anyhow::Result<Result<(), TooLate>> {
    let mut tx = app.database.merchant(merchant).await?;
    let closed = sqlx::query!(
        r#"
        update payout_batches
        set state = 'closed', settled_at = $3, changed_at = $3, reference = $4
        where merchant_id = $1 and id = $2 and rail = 'manual' and state = 'exported'
        "#,
        merchant.0,
        batch.0,
        actor.at,
        reference
    )
    .execute(&mut *tx)
    .await?;
    if closed.rows_affected() == 0 {
        return Ok(Err(TooLate));
    }
    let (source, person) = source(actor).columns();
    sqlx::query!(
        r#"
        with paid as (
            update payout_items
            set state = 'paid', changed_at = $3
            where merchant_id = $1 and batch_id = $2 and state = 'queued'
            returning id
        )
        insert into payout_history (merchant_id, batch_id, item_id, at, source, person_id, was, became)
        select $1, $2, id, $3, $4, $5, 'QUEUED', 'SUCCESS'
        from paid
        "#,
        merchant.0,
        batch.0,
        actor.at,
        source,
        person
    )
    .execute(&mut *tx)
    .await?;
    finish(tx, actor, batch, "marked as paid").await?;
    Ok(Ok(()))
}

/// Takes a batch back that is not on its way: what was in it is due again.
pub(super) async fn put_back(tx: &mut Tx, batch: BatchId, actor: &Actor) -> anyhow::Result<()> {
    let merchant = tx.merchant();
    sqlx::query!(
        r#"
        update payout_batches
        set state = 'cancelled', look_at = null, changed_at = $3
        where merchant_id = $1 and id = $2
        "#,
        merchant.0,
        batch.0,
        actor.at
    )
    .execute(&mut **tx)
    .await?;
    let (source, person) = source(actor).columns();
    sqlx::query!(
        r#"
        with before as (
            select id, state
            from payout_items
            where merchant_id = $1 and batch_id = $2 and state in ('queued', 'paid')
        ),
        unpaid as (
            update payout_items i
            set state = 'unpaid', not_paid = 'put_back', changed_at = $3
            from before
            where i.merchant_id = $1 and i.id = before.id
            returning i.id, before.state
        )
        insert into payout_history (merchant_id, batch_id, item_id, at, source, person_id, was, became)
        select $1, $2, id, $3, $4, $5, case state when 'paid' then 'SUCCESS' else 'QUEUED' end, 'PUT BACK'
        from unpaid
        "#,
        merchant.0,
        batch.0,
        actor.at,
        source,
        person
    )
    .execute(&mut **tx)
    .await?;
    release(tx, batch, actor.at).await?;
    Ok(())
}

async fn finish(mut tx: Tx, actor: &Actor, batch: BatchId, what: &str) -> anyhow::Result<()> {
    tell(&mut tx, batch, source(actor), what, None, actor.at).await?;
    audit::record(&mut tx, actor, &format!("batch {what}"), &format!("batch {batch}"), json!({})).await?;
    tx.commit().await?;
    Ok(())
}

fn source(actor: &Actor) -> Source {
    actor.person.map_or(Source::Send, Source::Person)
}
