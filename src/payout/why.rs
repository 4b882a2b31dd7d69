//! Why an affiliate is not paid, read for their page: what of theirs is under way or stopped, and what is owed.

use super::batch::BatchState;
use super::item::{NotPaid, Wait};
use crate::database::Tx;
use crate::id::{AffiliateId, BatchId, ItemId};
use crate::money::Currency;
use rust_decimal::Decimal;
use time::{Date, OffsetDateTime};

/// A payment of theirs that has not ended well yet.
#[derive(Debug, Clone)]
pub struct Open {
    /// The item.
    pub item: ItemId,
    /// Its batch …
    pub batch: BatchId,
    /// … what people call it …
    pub number: i64,
    /// … where it stands …
    pub state: BatchState,
    /// … whether its fate is not known …
    pub doubted: bool,
    /// … and whether a second person is asked to approve it.
    pub waits_for_approval: bool,
    /// The currency.
    pub currency: Currency,
    /// How much.
    pub amount: Decimal,
    /// What it waits for at PayPal.
    pub wait: Option<Wait>,
    /// Why it is not paid, if a person must say what follows.
    pub not_paid: Option<NotPaid>,
    /// A fact that fits nowhere.
    pub flagged: bool,
    /// When PayPal last processed it.
    pub processed: OffsetDateTime,
}

/// What is owed in one currency.
#[derive(Debug, Clone)]
pub struct Owed {
    /// The currency.
    pub currency: Currency,
    /// Due by now.
    pub due: Decimal,
    /// The least that is paid to them at a time.
    pub minimum: Option<Decimal>,
    /// What is due next after that, and when.
    pub next: Option<Decimal>,
    /// The day of it.
    pub next_on: Option<Date>,
    /// PayPal's name for why the last payment of what is due failed, if it did …
    pub error_name: Option<String>,
    /// … and its sentence.
    pub error_message: Option<String>,
}

/// Payments of this affiliate that are under way, or that a person must decide about.
pub async fn open(tx: &mut Tx, affiliate: AffiliateId) -> sqlx::Result<Vec<Open>> {
    let merchant = tx.merchant();
    sqlx::query_as!(
        Open,
        r#"
        select
            i.id as "item: ItemId", b.id as "batch: BatchId", b.number, b.state as "state: BatchState",
            (b.doubted_at is not null and b.accepted_at is null) as "doubted!", b.waits_for_approval,
            i.currency as "currency: Currency",
            i.amount, i.wait as "wait: Wait", i.not_paid as "not_paid: NotPaid", i.flagged is not null as "flagged!",
            coalesce(i.time_processed, i.changed_at) as "processed!"
        from payout_items i
        join payout_batches b on b.merchant_id = i.merchant_id and b.id = i.batch_id
        where i.merchant_id = $1
            and i.affiliate_id = $2
            and (i.state in ('queued', 'open') or i.flagged is not null
                or (i.not_paid in ('blocked', 'refunded', 'reversed') and i.decided is null))
        order by i.id
        limit 50
        "#,
        merchant.0,
        affiliate.0
    )
    .fetch_all(&mut **tx)
    .await
}

/// What this affiliate is owed, by currency.
pub async fn owed(tx: &mut Tx, affiliate: AffiliateId, today: Date) -> sqlx::Result<Vec<Owed>> {
    let merchant = tx.merchant();
    sqlx::query_as!(
        Owed,
        r#"
        with days as (
            select currency, due_on, sum(amount) as amount, (array_agg(released_from) filter (where released_from is not null))[1] as item
            from owed
            where merchant_id = $1 and affiliate_id = $2
            group by currency, due_on
        ),
        sums as (
            select
                currency,
                coalesce(sum(amount) filter (where due_on <= $3), 0) as due,
                min(due_on) filter (where due_on > $3) as next_on,
                (array_agg(item) filter (where item is not null and due_on <= $3))[1] as item
            from days
            group by currency
        )
        select
            s.currency as "currency: Currency", s.due as "due!", coalesce(m.amount, r.minimum) as minimum, s.next_on, d.amount as next, i.error_name, i.error_message
        from sums s
        left join days d on d.currency = s.currency and d.due_on = s.next_on
        left join payout_items i on i.merchant_id = $1 and i.id = s.item
        left join payment_rules r on r.merchant_id = $1 and r.currency = s.currency
        left join affiliate_minimums m on m.merchant_id = $1 and m.affiliate_id = $2 and m.currency = s.currency
        order by s.currency
        "#,
        merchant.0,
        affiliate.0,
        today
    )
    .fetch_all(&mut **tx)
    .await
}

/// Why this affiliate cannot be paid through PayPal, whatever the amount, if they cannot: see
/// `commission::due::problem_words`.
pub async fn problem(tx: &mut Tx, affiliate: AffiliateId, now: OffsetDateTime) -> sqlx::Result<Option<String>> {
    let merchant = tx.merchant();
    sqlx::query_scalar!(
        r#"
        select payment_problem(a, false, null, null, $3)
        from affiliates a
        where merchant_id = $1 and id = $2
        "#,
        merchant.0,
        affiliate.0,
        now
    )
    .fetch_one(&mut **tx)
    .await
}
