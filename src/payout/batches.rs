//! Batches, read for people: the list, one batch and its history.

use super::batch::{BatchState, Rail};
use crate::database::Tx;
use crate::id::{BatchId, RequestId};
use crate::money::Currency;
use crate::paypal::Environment;
use rust_decimal::Decimal;
use time::OffsetDateTime;

/// A batch as the list and its own page show it, with how its items stand.
#[derive(Debug, Clone)]
pub struct Batch {
    /// Its id.
    pub id: BatchId,
    /// What people call it.
    pub number: i64,
    /// How it travels.
    pub rail: Rail,
    /// Whether its money is real.
    pub environment: Environment,
    /// The one currency of its items.
    pub currency: Currency,
    /// How many items.
    pub items: i32,
    /// Their sum.
    pub total: Decimal,
    /// What PayPal knows it by.
    pub sender_batch_id: String,
    /// Where it stands.
    pub state: BatchState,
    /// The click on Pay that it is of.
    pub request: RequestId,
    /// A second person is asked to approve it; stays so where nobody did.
    pub waits_for_approval: bool,
    /// When it was drafted.
    pub created_at: OffsetDateTime,
    /// Who drafted it.
    pub person: Option<String>,
    /// When it is looked at next.
    pub look_at: Option<OffsetDateTime>,
    /// The first attempt to send it.
    pub first_attempt_at: Option<OffsetDateTime>,
    /// How many attempts.
    pub attempts: i32,
    /// Since when its fate is not known.
    pub doubted_at: Option<OffsetDateTime>,
    /// When PayPal took it.
    pub accepted_at: Option<OffsetDateTime>,
    /// When PayPal had finished processing it.
    pub settled_at: Option<OffsetDateTime>,
    /// PayPal's id of it.
    pub paypal_batch_id: Option<String>,
    /// PayPal's last word about it.
    pub paypal_status: Option<String>,
    /// Why the last reading failed.
    pub trouble: Option<String>,
    /// Why it was refused or is stuck.
    pub why: Option<String>,
    /// PayPal's sentence to that.
    pub why_message: Option<String>,
    /// How people ended a doubt about it.
    pub resolved_as: Option<String>,
    /// Where a payment made outside can be found.
    pub reference: Option<String>,
    /// It was paid before, through PayPal's old service.
    pub legacy: bool,
    /// Items whose money the receivers have.
    pub paid: i64,
    /// Their sum.
    pub paid_amount: Decimal,
    /// Items that PayPal still works on.
    pub processing: i64,
    /// Items that wait for their receivers.
    pub unclaimed: i64,
    /// Items that PayPal reviews.
    pub on_hold: i64,
    /// Items that are not paid: due again, or written off.
    pub unpaid: i64,
    /// Items about which a person must decide or look.
    pub needs_a_person: i64,
    /// Fees that PayPal has charged, in the batch's currency.
    pub fees: Decimal,
}

/// The newest batches before a number; `limit` of them.
pub async fn list(tx: &mut Tx, before: Option<i64>, limit: i64) -> sqlx::Result<Vec<Batch>> {
    fetch(tx, None, before.unwrap_or(i64::MAX), limit).await
}

/// One batch.
pub async fn show(tx: &mut Tx, id: BatchId) -> sqlx::Result<Option<Batch>> {
    Ok(fetch(tx, Some(id), i64::MAX, 1).await?.into_iter().next())
}

async fn fetch(tx: &mut Tx, id: Option<BatchId>, before: i64, limit: i64) -> sqlx::Result<Vec<Batch>> {
    let merchant = tx.merchant();
    sqlx::query_as!(
        Batch,
        r#"
        select
            b.id as "id: BatchId", b.number, b.rail as "rail: Rail", b.environment as "environment: Environment",
            b.currency as "currency: Currency", b.items, b.total, b.sender_batch_id, b.state as "state: BatchState",
            b.request_id as "request: RequestId", b.waits_for_approval, b.created_at, coalesce(nullif(p.name, ''), p.email) as person, b.look_at, b.first_attempt_at, b.attempts,
            b.doubted_at, b.accepted_at, b.settled_at, b.paypal_batch_id, b.paypal_status, b.trouble, b.why,
            b.why_details ->> 'message' as why_message, b.resolved_as, b.reference, b.legacy,
            c.paid as "paid!", c.paid_amount as "paid_amount!", c.processing as "processing!",
            c.unclaimed as "unclaimed!", c.on_hold as "on_hold!", c.unpaid as "unpaid!",
            c.needs_a_person as "needs_a_person!", c.fees as "fees!"
        from payout_batches b
        join payout_requests r on r.merchant_id = b.merchant_id and r.id = b.request_id
        left join people p on p.id = r.person_id
        cross join lateral (
            select
                coalesce(sum(s.items) filter (where s.outcome = 'paid'), 0)::bigint as paid,
                coalesce(sum(s.amount) filter (where s.outcome = 'paid'), 0) as paid_amount,
                coalesce(sum(s.items) filter (where s.outcome = 'processing'), 0)::bigint as processing,
                coalesce(sum(s.items) filter (where s.outcome = 'unclaimed'), 0)::bigint as unclaimed,
                coalesce(sum(s.items) filter (where s.outcome = 'on_hold'), 0)::bigint as on_hold,
                coalesce(sum(s.items) filter (where s.outcome = 'unpaid'), 0)::bigint as unpaid,
                coalesce(sum(s.items) filter (where s.outcome = 'came_back' or s.flagged), 0)::bigint as needs_a_person,
                coalesce(sum(s.fees), 0) as fees
            from batch_sums s
            where s.merchant_id = b.merchant_id and s.batch_id = b.id
        ) c
        where b.merchant_id = $1 and ($2::uuid is null or b.id = $2) and b.number < $3
        order by b.number desc
        limit $4
        "#,
        merchant.0,
        id.map(|id| id.0),
        before,
        limit
    )
    .fetch_all(&mut **tx)
    .await
}

/// How much a batch comes to by outcome: "paid", "unpaid", "queued", "needs_a_person", or what is waited for. From what is
/// kept for speed, since it is asked for while millions of items move.
pub async fn amounts(tx: &mut Tx, id: BatchId) -> sqlx::Result<Vec<(String, Decimal)>> {
    let merchant = tx.merchant();
    let rows = sqlx::query!(
        r#"
        select case when outcome = 'came_back' or flagged then 'needs_a_person' else outcome end as "outcome!", sum(amount) as "amount!"
        from batch_sums
        where merchant_id = $1 and batch_id = $2
        group by 1
        "#,
        merchant.0,
        id.0
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows.into_iter().map(|row| (row.outcome, row.amount)).collect())
}

/// One line of the history of a batch, or of one of its items.
#[derive(Debug, Clone)]
pub struct HistoryLine {
    /// When.
    pub at: OffsetDateTime,
    /// "person", "send", "read", "report" or "event".
    pub source: String,
    /// Who, if a person did it.
    pub person: Option<String>,
    /// What it became.
    pub became: String,
    /// The raw words behind it.
    pub evidence: Option<String>,
}

/// What happened to the batch itself, newest first.
pub async fn history(tx: &mut Tx, batch: BatchId) -> sqlx::Result<Vec<HistoryLine>> {
    let merchant = tx.merchant();
    sqlx::query_as!(
        HistoryLine,
        r#"
        select h.at, h.source, coalesce(nullif(p.name, ''), p.email) as person, h.became, h.evidence
        from payout_history h
        left join people p on p.id = h.person_id
        where h.merchant_id = $1 and h.batch_id = $2 and h.item_id is null
        order by h.id desc
        limit 100
        "#,
        merchant.0,
        batch.0
    )
    .fetch_all(&mut **tx)
    .await
}

/// The batches that a selection became.
pub async fn of_request(tx: &mut Tx, request: RequestId) -> sqlx::Result<Vec<BatchId>> {
    let merchant = tx.merchant();
    sqlx::query_scalar!(
        r#"select id as "id: BatchId" from payout_batches where merchant_id = $1 and request_id = $2 order by part"#,
        merchant.0,
        request.0
    )
    .fetch_all(&mut **tx)
    .await
}

/// The people of this merchant who may pay, by name.
pub async fn approvers(tx: &mut Tx) -> sqlx::Result<Vec<String>> {
    let merchant = tx.merchant();
    sqlx::query_scalar!(
        r#"
        select coalesce(nullif(p.name, ''), p.email) as "name!"
        from memberships m
        join people p on p.id = m.person_id
        where m.merchant_id = $1 and m.role in ('approver', 'admin') and m.deactivated_at is null
        order by 1
        limit 5
        "#,
        merchant.0
    )
    .fetch_all(&mut **tx)
    .await
}
