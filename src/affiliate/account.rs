//! What one affiliate earned, is owed and was paid.

use crate::database::Tx;
use crate::id::{AffiliateId, BatchId, CommissionId, ItemId};
use crate::money::Currency;
use rust_decimal::Decimal;
use time::{Date, OffsetDateTime};

/// Sums in one currency; currencies are never added together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sums {
    /// The currency.
    pub currency: Currency,
    /// Can be paid today.
    pub due: Decimal,
    /// Will be due later.
    pub upcoming: Decimal,
    /// On its way, or not known yet.
    pub paying: Decimal,
    /// Came back or was stopped; a person decides.
    pub needs_a_person: Decimal,
    /// Has arrived, here or elsewhere before.
    pub paid: Decimal,
}

/// One commission of the affiliate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Earned {
    /// Which one.
    pub id: CommissionId,
    /// The merchant's own reference.
    pub reference: String,
    /// A note.
    pub note: String,
    /// In which currency.
    pub currency: Currency,
    /// How much.
    pub amount: Decimal,
    /// Payable from this day on.
    pub due_on: Date,
    /// As the view `commission_standings` has it.
    pub standing: String,
    /// The batch that pays it, and its number.
    pub batch: Option<BatchId>,
    /// What people call the batch.
    pub batch_number: Option<i64>,
}

/// One payment to the affiliate, or the attempt at one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    /// Its item.
    pub id: ItemId,
    /// Its batch.
    pub batch: BatchId,
    /// What people call the batch.
    pub batch_number: i64,
    /// "api", "file" or "manual".
    pub rail: String,
    /// In which currency.
    pub currency: Currency,
    /// How much.
    pub amount: Decimal,
    /// Where it went; empty on the manual rail.
    pub receiver: String,
    /// "queued", "open", "paid" or "unpaid".
    pub state: String,
    /// What an open payment waits for.
    pub wait: Option<String>,
    /// Why it was not paid.
    pub not_paid: Option<String>,
    /// When it came to this state.
    pub changed_at: OffsetDateTime,
    /// When it was made up.
    pub created_at: OffsetDateTime,
    /// When PayPal last processed it.
    pub time_processed: Option<OffsetDateTime>,
    /// PayPal's id of the batch.
    pub paypal_batch_id: Option<String>,
    /// PayPal's id of the item.
    pub paypal_item_id: Option<String>,
    /// PayPal's transaction.
    pub transaction_id: Option<String>,
    /// What PayPal took for it, which the merchant pays.
    pub fee: Option<Decimal>,
    /// Its currency.
    pub fee_currency: Option<String>,
    /// Where a payment made outside can be found.
    pub reference: Option<String>,
}

/// Due, upcoming, paid and what lies between, per currency.
pub async fn sums(tx: &mut Tx, affiliate: AffiliateId, today: Date) -> sqlx::Result<Vec<Sums>> {
    let merchant = tx.merchant();
    sqlx::query_as!(
        Sums,
        r#"select c.currency as "currency: Currency",
            coalesce(sum(c.amount) filter (where s.standing = 'owed' and c.due_on <= $3), 0) as "due!",
            coalesce(sum(c.amount) filter (where s.standing = 'owed' and c.due_on > $3), 0) as "upcoming!",
            coalesce(sum(c.amount) filter (where s.standing in ('paying', 'unknown')), 0) as "paying!",
            coalesce(sum(c.amount) filter (where s.standing = 'needs_a_person'), 0) as "needs_a_person!",
            coalesce(sum(c.amount) filter (where s.standing = 'paid'), 0) as "paid!"
        from commissions c
        join commission_standings s on s.merchant_id = c.merchant_id and s.id = c.id
        where c.merchant_id = $1 and c.affiliate_id = $2
        group by c.currency
        order by c.currency"#,
        merchant.0,
        affiliate.0,
        today
    )
    .fetch_all(&mut **tx)
    .await
}

/// The affiliate's commissions, the latest first, from behind `after` on.
pub async fn commissions(
    tx: &mut Tx,
    affiliate: AffiliateId,
    after: Option<CommissionId>,
    limit: i64,
) -> sqlx::Result<Vec<Earned>> {
    let merchant = tx.merchant();
    sqlx::query_as!(
        Earned,
        r#"select c.id as "id: CommissionId", c.reference, c.note, c.currency as "currency: Currency", c.amount,
            c.due_on, s.standing as "standing!", s.batch_id as "batch?: BatchId", b.number as "batch_number?"
        from commissions c
        join commission_standings s on s.merchant_id = c.merchant_id and s.id = c.id
        left join payout_batches b on b.merchant_id = s.merchant_id and b.id = s.batch_id
        where c.merchant_id = $1 and c.affiliate_id = $2 and ($3::uuid is null or c.id < $3)
        order by c.id desc
        limit $4"#,
        merchant.0,
        affiliate.0,
        after.map(|after| after.0),
        limit
    )
    .fetch_all(&mut **tx)
    .await
}

/// The payments to the affiliate, the latest first, from behind `after` on.
pub async fn payments(
    tx: &mut Tx,
    affiliate: AffiliateId,
    after: Option<ItemId>,
    limit: i64,
) -> sqlx::Result<Vec<Payment>> {
    let merchant = tx.merchant();
    sqlx::query_as!(
        Payment,
        r#"select i.id as "id: ItemId", b.id as "batch: BatchId", b.number as batch_number, b.rail,
            i.currency as "currency: Currency", i.amount, i.receiver, i.state, i.wait, i.not_paid, i.changed_at,
            b.created_at, i.time_processed, b.paypal_batch_id, i.paypal_item_id, i.transaction_id, i.fee, i.fee_currency,
            b.reference
        from payout_items i
        join payout_batches b on b.merchant_id = i.merchant_id and b.id = i.batch_id
        where i.merchant_id = $1 and i.affiliate_id = $2 and ($3::uuid is null or i.id < $3)
        order by i.id desc
        limit $4"#,
        merchant.0,
        affiliate.0,
        after.map(|after| after.0),
        limit
    )
    .fetch_all(&mut **tx)
    .await
}
