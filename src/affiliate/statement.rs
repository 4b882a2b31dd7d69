//! A statement: what one affiliate earned and was paid in a period, with what was owed before and after it.
//!
//! Everything is as known today: a commission that was cancelled or written off since is in no statement any more, and a
//! payment that came back was none. A commission counts from the day it is due, or is paid, whichever comes first. So
//! what is owed after a period is always what was owed before it, plus what was earned, less what was paid.

use crate::database::Tx;
use crate::id::{AffiliateId, BatchId, ItemId};
use crate::money::Currency;
use rust_decimal::Decimal;
use time::Date;

/// Lines of one kind at most; a page that is printed has an end.
pub const LINES: i64 = 2000;

/// From one day through another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// The first day.
    pub from: Date,
    /// The last day.
    pub through: Date,
}

/// One currency's sums.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sums {
    /// Which.
    pub currency: Currency,
    /// Owed when the period began.
    pub before: Decimal,
    /// Earned in it.
    pub earned: Decimal,
    /// Paid in it.
    pub paid: Decimal,
    /// Owed when it ended.
    pub after: Decimal,
    /// Of that, in a payment by now that has not arrived.
    pub on_its_way: Decimal,
}

/// One commission of the period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Earned {
    /// The day from which it counts.
    pub on: Date,
    /// The merchant's own reference.
    pub reference: String,
    /// A note.
    pub note: String,
    /// In which currency.
    pub currency: Currency,
    /// How much.
    pub amount: Decimal,
}

/// One payment of the period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paid {
    /// When it arrived.
    pub on: Date,
    /// "api", "file", "manual", or "before": before the merchant came here.
    pub rail: String,
    /// Its item and batch, and what people call the batch.
    pub item: Option<ItemId>,
    /// Its batch.
    pub batch: Option<BatchId>,
    /// What people call the batch.
    pub batch_number: Option<i64>,
    /// Where it went.
    pub receiver: Option<String>,
    /// What it can be found by.
    pub reference: Option<String>,
    /// In which currency.
    pub currency: Currency,
    /// How much.
    pub amount: Decimal,
}

/// The sums of a period in every currency that the affiliate ever earned in.
pub async fn sums(tx: &mut Tx, affiliate: AffiliateId, period: Period) -> sqlx::Result<Vec<Sums>> {
    let merchant = tx.merchant();
    sqlx::query_as!(
        Sums,
        r#"
        with counted as (
            select c.currency, c.amount, s.standing, p.paid_on, least(c.due_on, p.paid_on) as earned_on
            from commissions c
            join commission_standings s on s.merchant_id = c.merchant_id and s.id = c.id
            join merchant_zones z on z.merchant_id = c.merchant_id
            left join payout_items i on i.merchant_id = s.merchant_id and i.id = s.item_id and i.state = 'paid'
            cross join lateral (
                select coalesce(c.paid_before_on, (coalesce(i.time_processed, i.changed_at) at time zone z.zone)::date) as paid_on
            ) p
            where c.merchant_id = $1 and c.affiliate_id = $2 and s.standing not in ('cancelled', 'written_off')
        )
        select
            currency as "currency!: Currency",
            coalesce(sum(amount) filter (where earned_on < $3), 0) - coalesce(sum(amount) filter (where paid_on < $3), 0) as "before!",
            coalesce(sum(amount) filter (where earned_on between $3 and $4), 0) as "earned!",
            coalesce(sum(amount) filter (where paid_on between $3 and $4), 0) as "paid!",
            coalesce(sum(amount) filter (where earned_on <= $4), 0) - coalesce(sum(amount) filter (where paid_on <= $4), 0) as "after!",
            coalesce(sum(amount) filter (where earned_on <= $4 and standing in ('paying', 'unknown', 'needs_a_person')), 0) as "on_its_way!"
        from counted
        group by currency
        order by currency
        "#,
        merchant.0,
        affiliate.0,
        period.from,
        period.through
    )
    .fetch_all(&mut **tx)
    .await
}

/// What was earned in the period, by day.
pub async fn earned(tx: &mut Tx, affiliate: AffiliateId, period: Period) -> sqlx::Result<Vec<Earned>> {
    let merchant = tx.merchant();
    sqlx::query_as!(
        Earned,
        r#"
        select e.earned_on as "on!", c.reference, c.note, c.currency as "currency: Currency", c.amount
        from commissions c
        join commission_standings s on s.merchant_id = c.merchant_id and s.id = c.id
        join merchant_zones z on z.merchant_id = c.merchant_id
        left join payout_items i on i.merchant_id = s.merchant_id and i.id = s.item_id and i.state = 'paid'
        cross join lateral (
            select least(c.due_on, coalesce(c.paid_before_on, (coalesce(i.time_processed, i.changed_at) at time zone z.zone)::date)) as earned_on
        ) e
        where c.merchant_id = $1
            and c.affiliate_id = $2
            and s.standing not in ('cancelled', 'written_off')
            and e.earned_on between $3 and $4
        order by e.earned_on, c.id
        limit $5
        "#,
        merchant.0,
        affiliate.0,
        period.from,
        period.through,
        LINES
    )
    .fetch_all(&mut **tx)
    .await
}

/// What was paid in the period, by day.
pub async fn paid(tx: &mut Tx, affiliate: AffiliateId, period: Period) -> sqlx::Result<Vec<Paid>> {
    let merchant = tx.merchant();
    sqlx::query_as!(
        Paid,
        r#"
        select
            (coalesce(i.time_processed, i.changed_at) at time zone z.zone)::date as "on!",
            b.rail as "rail!",
            i.id as "item: ItemId",
            b.id as "batch: BatchId",
            b.number as batch_number,
            i.receiver,
            coalesce(i.transaction_id, b.reference) as reference,
            i.currency as "currency!: Currency",
            i.amount as "amount!"
        from payout_items i
        join payout_batches b on b.merchant_id = i.merchant_id and b.id = i.batch_id
        join merchant_zones z on z.merchant_id = i.merchant_id
        where i.merchant_id = $1
            and i.affiliate_id = $2
            and i.state = 'paid'
            and (coalesce(i.time_processed, i.changed_at) at time zone z.zone)::date between $3 and $4
        union all
        select paid_before_on, 'before', null, null, null, null, reference, currency, amount
        from commissions
        where merchant_id = $1 and affiliate_id = $2 and paid_before_on between $3 and $4
        order by 1, 5
        limit $5
        "#,
        merchant.0,
        affiliate.0,
        period.from,
        period.through,
        LINES
    )
    .fetch_all(&mut **tx)
    .await
}
