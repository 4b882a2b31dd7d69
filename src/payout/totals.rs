//! What a batch came to: its items by outcome, and its fees.

use crate::database::Tx;
use crate::id::BatchId;
use rust_decimal::Decimal;

/// The items of one outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// "paid", "processing", "on_hold", "unclaimed", "unpaid", "needs_a_person" or "written_off".
    pub outcome: String,
    /// How many.
    pub items: i64,
    /// Their sum.
    pub amount: Decimal,
}

/// The items of a batch by outcome; together they are the batch.
pub async fn outcomes(tx: &mut Tx, batch: BatchId) -> sqlx::Result<Vec<Outcome>> {
    let merchant = tx.merchant();
    sqlx::query_as!(
        Outcome,
        r#"
        select outcome as "outcome!", count(*) as "items!", sum(amount) as "amount!"
        from (
            select
                amount,
                case
                    when state = 'paid' then 'paid'
                    when decided = 'written_off' then 'written_off'
                    when decided = 'due_again' then 'unpaid'
                    when flagged is not null or not_paid in ('blocked', 'refunded', 'reversed') then 'needs_a_person'
                    when state = 'unpaid' then 'unpaid'
                    else coalesce(wait, 'processing')
                end as outcome
            from payout_items
            where merchant_id = $1 and batch_id = $2
        ) items
        group by outcome
        order by array_position(
            array['paid', 'processing', 'on_hold', 'unclaimed', 'unpaid', 'needs_a_person', 'written_off'], outcome)
        "#,
        merchant.0,
        batch.0
    )
    .fetch_all(&mut **tx)
    .await
}

/// What PayPal charged for a batch, per currency: it may charge in one that it does not pay out.
pub async fn fees(tx: &mut Tx, batch: BatchId) -> sqlx::Result<Vec<(String, Decimal)>> {
    let merchant = tx.merchant();
    let rows = sqlx::query!(
        r#"
        select fee_currency as "currency!", sum(fee) as "fee!"
        from payout_items
        where merchant_id = $1 and batch_id = $2 and fee > 0 and fee_currency is not null
        group by fee_currency
        order by fee_currency
        "#,
        merchant.0,
        batch.0
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows.into_iter().map(|row| (row.currency, row.fee)).collect())
}
