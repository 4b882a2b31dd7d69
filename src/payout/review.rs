//! A selection as the review shows it: its sums, what of it deserves a look, and one page of its lines. It is read as a
//! stream, since it may have hundreds of thousands of lines.

use super::selection::{BULK, Line, Seen};
use super::store::payable;
use crate::database::Tx;
use crate::id::{AffiliateId, BatchId, RequestId};
use crate::money::{Currency, Money};
use anyhow::Context;
use futures_util::TryStreamExt;
use rust_decimal::{Decimal, RoundingStrategy};
use std::collections::HashSet;
use time::{Date, Duration, OffsetDateTime};

/// An address changed more recently than this is pointed out.
const RECENT: Duration = Duration::days(14);
/// Lines that cannot be paid, of which so many are named.
const NAMED: usize = 200;

/// A selection under review.
#[derive(Debug, Clone)]
pub struct Review {
    /// Its id, and that of the payment it becomes.
    pub id: RequestId,
    /// Through which date commissions were selected.
    pub through: Date,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// The batch whose unpaid rest it is.
    pub retry_of: Option<BatchId>,
    /// Per currency, in the order of codes.
    pub totals: Vec<Total>,
    /// How many affiliates there are in all currencies together.
    pub affiliates: i64,
    /// How many lines there are.
    pub payments: usize,
    /// One page of them.
    pub lines: Vec<Reviewed>,
    /// Those that PayPal cannot be asked to pay, the first 200 …
    pub unpayable: Vec<Reviewed>,
    /// … and how many there are.
    pub unpayable_payments: usize,
    /// Those that the merchant's own rules stop, whatever the way of paying, the first 200 …
    pub stopped: Vec<Reviewed>,
    /// … and how many there are.
    pub stopped_payments: usize,
    /// What deserves a look.
    pub notable: Notable,
    /// What was selected and is not owed any more.
    pub gone: Vec<Gone>,
    /// All of it in one value.
    seen: [u8; 32],
}

impl Review {
    /// What the reader saw, in one value. Paying is asked with it, and refused when it is not what would be paid by then.
    pub fn seen(&self) -> [u8; 32] {
        self.seen
    }

    fn add(&mut self, line: Reviewed, (from, limit): (usize, usize), now: OffsetDateTime) -> anyhow::Result<()> {
        add(&mut self.totals, &line.line)?;
        self.notable.count(&line, now);
        if line.line.problem.is_some() {
            self.unpayable_payments += 1;
            if self.unpayable.len() < NAMED {
                self.unpayable.push(line.clone());
            }
        }
        if line.line.is_stopped() {
            self.stopped_payments += 1;
            if self.stopped.len() < NAMED {
                self.stopped.push(line.clone());
            }
        }
        if self.payments >= from && self.lines.len() < limit {
            self.lines.push(line);
        }
        self.payments += 1;
        Ok(())
    }

    /// The most payments in one currency: what one file would hold.
    pub fn most_payments(&self) -> i64 {
        self.totals.iter().map(|total| total.affiliates).max().unwrap_or(0)
    }
}

/// Sums in one currency.
#[derive(Debug, Clone)]
pub struct Total {
    /// How many affiliates, each with one payment.
    pub affiliates: i64,
    /// How many commissions.
    pub commissions: i64,
    /// How much.
    pub amount: Money,
    /// What PayPal takes at the most, as far as is usual.
    pub fee: Decimal,
}

/// A line with what deserves a look.
#[derive(Debug, Clone)]
pub struct Reviewed {
    /// The line.
    pub line: Line,
    /// Nothing was ever paid to this affiliate.
    pub is_first: bool,
    /// Another affiliate of the selection has the same address.
    pub is_shared: bool,
}

impl Reviewed {
    /// When the address changed, if that was lately.
    pub fn changed(&self, now: OffsetDateTime) -> Option<OffsetDateTime> {
        self.line.receiver_changed_at.filter(|at| now - *at < RECENT)
    }

    /// Above what PayPal usually pays at once.
    pub fn is_over_limit(&self) -> bool {
        self.line.amount.amount() > self.line.amount.currency().usual_item_limit()
    }
}

/// How many lines deserve a look, for each reason.
#[derive(Debug, Clone, Default)]
pub struct Notable {
    /// Affiliates who were never paid.
    pub first: HashSet<AffiliateId>,
    /// Addresses that changed lately.
    pub changed: usize,
    /// Addresses that several affiliates have.
    pub shared: usize,
    /// Amounts above PayPal's usual limit.
    pub over_limit: usize,
}

/// Commissions that were selected and cannot be paid any more.
#[derive(Debug, Clone)]
pub struct Gone {
    /// Whose.
    pub name: String,
    /// How many of that affiliate.
    pub commissions: i64,
    /// How much.
    pub amount: Money,
    /// The batch that took them, if one did; else they were cancelled.
    pub batch: Option<i64>,
}

/// Loads a selection with a page of its lines, and with what has changed since it was made.
pub async fn load(
    tx: &mut Tx,
    id: RequestId,
    (from, limit): (usize, usize),
    now: OffsetDateTime,
) -> anyhow::Result<Option<Review>> {
    let merchant = tx.merchant();
    let Some(row) = sqlx::query!(
        r#"
        select
            through,
            created_at,
            retry_of as "retry_of: BatchId",
            (
                select count(*)
                from selected_commissions c
                where c.merchant_id = s.merchant_id and c.selection_id = s.id
            ) as "commissions!"
        from selections s
        where merchant_id = $1 and id = $2
        "#,
        merchant.0,
        id.0
    )
    .fetch_optional(&mut **tx)
    .await?
    else {
        return Ok(None);
    };
    if row.commissions >= BULK {
        tx.expect_many_rows().await?;
    }
    let mut review = Review {
        id,
        through: row.through,
        created_at: row.created_at,
        retry_of: row.retry_of,
        totals: Vec::new(),
        affiliates: affiliates(tx, id).await?,
        payments: 0,
        lines: Vec::new(),
        unpayable: Vec::new(),
        unpayable_payments: 0,
        stopped: Vec::new(),
        stopped_payments: 0,
        notable: Notable::default(),
        gone: gone(tx, id).await?,
        seen: [0; 32],
    };
    read_lines(tx, &mut review, (from, limit), now).await?;
    Ok(Some(review))
}

/// Goes through all lines, and keeps what the page shows.
async fn read_lines(
    tx: &mut Tx,
    review: &mut Review,
    (from, limit): (usize, usize),
    now: OffsetDateTime,
) -> anyhow::Result<()> {
    let merchant = tx.merchant();
    let mut seen = Seen::default();
    let mut rows = sqlx::query!(
        r#"
        with wanted as (
            select o.affiliate_id, o.currency, count(*) as commissions, sum(o.amount) as amount,
                bool_or(o.released_from is not null and is_contradicted(o.merchant_id, o.released_from)) as contradicted
            from selected_commissions s
            join owed o on o.merchant_id = s.merchant_id and o.commission_id = s.commission_id
            where s.merchant_id = $1 and s.selection_id = $2
            group by o.affiliate_id, o.currency
        )
        select
            w.affiliate_id as "affiliate!: AffiliateId",
            coalesce(nullif(trim(a.first_name || ' ' || a.last_name), ''), a.email, a.code) as "name!",
            a.receiver,
            payment_problem(a, w.contradicted, w.amount, coalesce(m.amount, r.minimum), $3) as problem,
            a.receiver_changed_at,
            w.currency as "currency!: Currency",
            w.commissions as "commissions!",
            w.amount as "amount!",
            not exists (
                select from payout_items i
                where i.merchant_id = $1 and i.affiliate_id = a.id and i.state = 'paid'
            ) and not exists (
                select from commissions c
                where c.merchant_id = $1 and c.affiliate_id = a.id and c.paid_before_on is not null
            ) as "is_first!",
            a.receiver is not null
                and min(a.id::text) over (partition by lower(a.receiver)) <> max(a.id::text) over (partition by lower(a.receiver))
                as "is_shared!"
        from wanted w
        join affiliates a on a.merchant_id = $1 and a.id = w.affiliate_id
        left join payment_rules r on r.merchant_id = $1 and r.currency = w.currency
        left join affiliate_minimums m on m.merchant_id = $1 and m.affiliate_id = w.affiliate_id and m.currency = w.currency
        order by w.currency, w.affiliate_id
        "#,
        merchant.0,
        review.id.0,
        now
    )
    .fetch(&mut **tx);
    while let Some(row) = rows.try_next().await? {
        let line = Line {
            affiliate: row.affiliate,
            name: row.name,
            receiver: row.receiver,
            problem: row.problem,
            receiver_changed_at: row.receiver_changed_at,
            commissions: row.commissions,
            amount: payable(row.affiliate, row.amount, row.currency)?,
        };
        seen.add(&line);
        let reviewed = Reviewed { line, is_first: row.is_first, is_shared: row.is_shared };
        review.add(reviewed, (from, limit), now)?;
    }
    review.seen = seen.finish();
    Ok(())
}

impl Notable {
    fn count(&mut self, line: &Reviewed, now: OffsetDateTime) {
        if line.is_first {
            self.first.insert(line.line.affiliate);
        }
        self.changed += usize::from(line.changed(now).is_some());
        self.shared += usize::from(line.is_shared);
        self.over_limit += usize::from(line.is_over_limit());
    }
}

/// Lines come ordered by currency, so the last sum is the one that grows.
fn add(totals: &mut Vec<Total>, line: &Line) -> anyhow::Result<()> {
    let fee = usual_fee(line.amount);
    match totals.last_mut().filter(|total| total.amount.currency() == line.amount.currency()) {
        Some(total) => {
            total.affiliates += 1;
            total.commissions += line.commissions;
            total.amount = Money::sum([total.amount, line.amount]).context("two amounts have a sum")?;
            total.fee += fee;
        }
        None => totals.push(Total { affiliates: 1, commissions: line.commissions, amount: line.amount, fee }),
    }
    Ok(())
}

/// The most that PayPal usually takes for itself: 2 % of each payment. What it really takes is known once it has paid.
fn usual_fee(amount: Money) -> Decimal {
    let fee = amount.amount() * Decimal::new(2, 2);
    fee.round_dp_with_strategy(amount.currency().scale(), RoundingStrategy::AwayFromZero)
}

/// One payment of a drafted request, with what deserves a look.
#[derive(Debug, Clone)]
pub struct Marked {
    /// Whom.
    pub affiliate: AffiliateId,
    /// How people know them.
    pub name: String,
    /// Where the money goes.
    pub receiver: String,
    /// In which currency.
    pub currency: Currency,
    /// How much.
    pub amount: Decimal,
    /// Nothing was ever paid to this affiliate.
    pub is_first: bool,
    /// When the address changed, if that was lately.
    pub changed_at: Option<OffsetDateTime>,
}

/// The largest payments of a drafted request.
pub async fn marked(tx: &mut Tx, id: RequestId, now: OffsetDateTime, limit: i64) -> sqlx::Result<Vec<Marked>> {
    let merchant = tx.merchant();
    sqlx::query_as!(
        Marked,
        r#"
        with largest as (
            select i.affiliate_id, i.receiver, i.currency, i.amount
            from payout_batches b
            join payout_items i on i.merchant_id = b.merchant_id and i.batch_id = b.id
            where b.merchant_id = $1 and b.request_id = $2
            order by i.amount desc, i.id
            limit $4
        )
        select
            l.affiliate_id as "affiliate!: AffiliateId", l.receiver as "receiver!", l.currency as "currency!: Currency",
            l.amount as "amount!", coalesce(nullif(trim(a.first_name || ' ' || a.last_name), ''), a.email, a.code) as "name!",
            case when a.receiver_changed_at > $3 then a.receiver_changed_at end as changed_at,
            not exists (
                select from payout_items p
                where p.merchant_id = $1 and p.affiliate_id = a.id and p.state = 'paid'
            ) and not exists (
                select from commissions c
                where c.merchant_id = $1 and c.affiliate_id = a.id and c.paid_before_on is not null
            ) as "is_first!"
        from largest l
        join affiliates a on a.merchant_id = $1 and a.id = l.affiliate_id
        order by l.amount desc, l.affiliate_id, l.currency
        "#,
        merchant.0,
        id.0,
        now - RECENT,
        limit
    )
    .fetch_all(&mut **tx)
    .await
}

async fn affiliates(tx: &mut Tx, id: RequestId) -> sqlx::Result<i64> {
    let merchant = tx.merchant();
    sqlx::query_scalar!(
        r#"
        select count(distinct o.affiliate_id) as "count!"
        from selected_commissions s
        join owed o on o.merchant_id = s.merchant_id and o.commission_id = s.commission_id
        where s.merchant_id = $1 and s.selection_id = $2
        "#,
        merchant.0,
        id.0
    )
    .fetch_one(&mut **tx)
    .await
}

async fn gone(tx: &mut Tx, id: RequestId) -> anyhow::Result<Vec<Gone>> {
    let merchant = tx.merchant();
    let rows = sqlx::query!(
        r#"
        select
            coalesce(nullif(trim(a.first_name || ' ' || a.last_name), ''), a.email, a.code) as "name!",
            s.currency as "currency: Currency",
            count(*) as "commissions!",
            sum(s.amount) as "amount!",
            b.number as "batch?"
        from selected_commissions s
        join affiliates a on a.merchant_id = s.merchant_id and a.id = s.affiliate_id
        left join allocations l
            on l.merchant_id = s.merchant_id and l.commission_id = s.commission_id and l.released_at is null
        left join payout_items i on i.merchant_id = l.merchant_id and i.id = l.item_id
        left join payout_batches b on b.merchant_id = i.merchant_id and b.id = i.batch_id
        where s.merchant_id = $1
            and s.selection_id = $2
            and not exists (
                select from owed o
                where o.merchant_id = s.merchant_id and o.commission_id = s.commission_id
            )
        group by 1, a.id, s.currency, b.number
        order by 1, s.currency
        limit 200
        "#,
        merchant.0,
        id.0
    )
    .fetch_all(&mut **tx)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Gone {
                name: row.name,
                commissions: row.commissions,
                amount: Money::new(row.amount, row.currency)?,
                batch: row.batch,
            })
        })
        .collect()
}
