//! What is due: one line per affiliate and currency, and the sums above the list.
//!
//! Two queries find the lines. By name over much that is due, the affiliates are walked in order and each page costs
//! its fifty lines. In every other case the due commissions are summed first, which costs what is due and never what
//! was paid.

use crate::database::Tx;
use crate::id::{AffiliateId, CommissionId};
use crate::money::{Currency, Money};
use crate::payout::selection::{DueRow, Filter};
use crate::rules;
use rust_decimal::Decimal;
use sqlx::{FromRow, Postgres, QueryBuilder};
use time::{Date, OffsetDateTime};

/// From so many due commissions on, walking the affiliates by name is cheaper than summing everything.
const DENSE: i64 = 20_000;

/// Sums of one currency.
#[derive(Debug, Clone)]
pub struct Totals {
    /// The currency.
    pub currency: Currency,
    /// Due by the day asked for.
    pub due: Decimal,
    /// How many commissions that is.
    pub due_commissions: i64,
    /// Due later.
    pub upcoming: Decimal,
    /// How many commissions that is.
    pub upcoming_commissions: i64,
}

/// What is owed, by currency. Costs one row per currency and day.
pub async fn totals(tx: &mut Tx, through: Date) -> sqlx::Result<Vec<Totals>> {
    let merchant = tx.merchant();
    sqlx::query_as!(
        Totals,
        r#"
        select
            currency as "currency: Currency",
            coalesce(sum(amount) filter (where due_on <= $2), 0) as "due!",
            coalesce(sum(commissions) filter (where due_on <= $2), 0)::bigint as "due_commissions!",
            coalesce(sum(amount) filter (where due_on > $2), 0) as "upcoming!",
            coalesce(sum(commissions) filter (where due_on > $2), 0)::bigint as "upcoming_commissions!"
        from owed_tally
        where merchant_id = $1 and commissions > 0
        group by currency
        order by currency
        "#,
        merchant.0,
        through
    )
    .fetch_all(&mut **tx)
    .await
}

/// One line of the due page.
#[derive(Debug, Clone, FromRow)]
pub struct DueLine {
    /// Whose.
    pub affiliate: AffiliateId,
    /// How people know them.
    pub name: String,
    /// Their e-mail.
    pub email: Option<String>,
    /// For the order by name.
    pub sort_name: String,
    /// Where the money would go.
    pub receiver: Option<String>,
    /// Why PayPal could not pay them: see [`problem_words`].
    pub problem: Option<String>,
    /// When that address last changed.
    pub receiver_changed_at: Option<OffsetDateTime>,
    /// Until when they are not paid because of that.
    pub held_until: Option<OffsetDateTime>,
    /// The least that they are paid at a time in this currency.
    pub minimum: Option<Decimal>,
    /// The currency.
    pub currency: Currency,
    /// How many commissions.
    pub commissions: i64,
    /// How much.
    pub amount: Decimal,
}

impl DueLine {
    /// The merchant's own rules stop it, whatever the way of paying.
    pub fn is_stopped(&self) -> bool {
        matches!(self.problem.as_deref(), Some("below_minimum" | "held"))
    }
}

/// The order of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// By currency, and in it the largest amount first.
    #[default]
    Amount,
    /// By name.
    Name,
}

/// The last line of the page before.
#[derive(Debug, Clone)]
pub struct After {
    /// Its currency.
    pub currency: Currency,
    /// Its amount, or for the order by name its sort name.
    pub key: String,
    /// Its affiliate.
    pub affiliate: AffiliateId,
}

/// A page of lines, at most `limit`.
pub async fn lines(
    tx: &mut Tx,
    filter: &Filter,
    (through, now): (Date, OffsetDateTime),
    order: Order,
    after: Option<&After>,
    limit: i64,
) -> sqlx::Result<Vec<DueLine>> {
    let rules = Judged { now, has_minimums: rules::has_minimums(tx).await? };
    let dense = totals(tx, through).await?.iter().map(|total| total.due_commissions).sum::<i64>() >= DENSE;
    let walk = dense && order == Order::Name && filter.minimum.is_none();
    let mut query = if walk {
        walk_by_name(tx, filter, through, rules, after)
    } else {
        sum_first(tx, filter, through, rules, order, after)
    };
    query.push(" limit ").push_bind(limit);
    query.build_query_as().fetch_all(&mut **tx).await
}

/// Sums per currency of all lines that match and PayPal can pay: how many lines, how much.
pub async fn payable_sums(
    tx: &mut Tx,
    filter: &Filter,
    (through, now): (Date, OffsetDateTime),
) -> sqlx::Result<Vec<(Currency, i64, Decimal)>> {
    let rules = Judged { now, has_minimums: rules::has_minimums(tx).await? };
    let mut query = QueryBuilder::new("select currency, count(*), sum(amount) from (");
    push_sum_first(&mut query, tx, filter, through, rules);
    query.push(") lines where problem is null group by currency order by currency");
    query.build_query_as().fetch_all(&mut **tx).await
}

/// By what a line is judged. Where nobody has a minimum, none is looked for.
#[derive(Debug, Clone, Copy)]
struct Judged {
    now: OffsetDateTime,
    has_minimums: bool,
}

impl Judged {
    /// What a query over `affiliates a` and sums `s` selects.
    fn push_columns(self, query: &mut QueryBuilder<Postgres>) {
        let minimum = if self.has_minimums { "coalesce(m.amount, r.minimum)" } else { "null::numeric" };
        query.push(
            "a.id as affiliate, coalesce(nullif(trim(a.first_name || ' ' || a.last_name), ''), a.email, a.code) as name, \
            a.email, a.sort_name, a.receiver, a.receiver_changed_at, a.held_until, s.currency, s.commissions, s.amount, ",
        );
        query.push(minimum).push(" as minimum, payment_problem(a, false, s.amount, ").push(minimum);
        query.push(", ").push_bind(self.now).push(") as problem");
    }

    /// What it joins for that.
    fn push_joins(self, query: &mut QueryBuilder<Postgres>) {
        if self.has_minimums {
            query.push(
                " left join payment_rules r on r.merchant_id = a.merchant_id and r.currency = s.currency \
                left join affiliate_minimums m \
                on m.merchant_id = a.merchant_id and m.affiliate_id = a.id and m.currency = s.currency",
            );
        }
    }
}

fn walk_by_name(
    tx: &Tx,
    filter: &Filter,
    through: Date,
    rules: Judged,
    after: Option<&After>,
) -> QueryBuilder<Postgres> {
    let merchant = tx.merchant();
    let mut query = QueryBuilder::new("select ");
    rules.push_columns(&mut query);
    query.push(
        " from affiliates a cross join lateral (
            select o.currency, count(*) as commissions, sum(o.amount) as amount
            from owed o
            where o.merchant_id = ",
    );
    query.push_bind(merchant.0).push(" and o.affiliate_id = a.id and o.due_on <= ").push_bind(through);
    if let Some(currency) = filter.currency {
        query.push(" and o.currency = ").push_bind(currency);
    }
    query.push(" group by o.currency) s");
    rules.push_joins(&mut query);
    query.push(" where a.merchant_id = ").push_bind(merchant.0);
    filter.push_search(&mut query);
    if let Some(after) = after {
        // The first comparison finds the place in the index, the second drops what was shown.
        query.push(" and (a.sort_name, a.id) >= (").push_bind(after.key.clone());
        query.push(", ").push_bind(after.affiliate).push(")");
        query.push(" and (a.sort_name, a.id, s.currency) > (").push_bind(after.key.clone());
        query.push(", ").push_bind(after.affiliate).push(", ").push_bind(after.currency).push(")");
    }
    query.push(" order by a.sort_name, a.id, s.currency");
    query
}

fn sum_first(
    tx: &Tx,
    filter: &Filter,
    through: Date,
    rules: Judged,
    order: Order,
    after: Option<&After>,
) -> QueryBuilder<Postgres> {
    let mut query = QueryBuilder::new("");
    push_sum_first(&mut query, tx, filter, through, rules);
    match (order, after) {
        (Order::Amount, Some(after)) => {
            let amount: Decimal = after.key.parse().unwrap_or_default();
            query.push(" and (s.currency > ").push_bind(after.currency);
            query.push(" or (s.currency = ").push_bind(after.currency);
            query.push(" and (-s.amount, a.id) > (").push_bind(-amount);
            query.push(", ").push_bind(after.affiliate).push(")))");
        }
        (Order::Name, Some(after)) => {
            query.push(" and (a.sort_name, a.id, s.currency) > (").push_bind(after.key.clone());
            query.push(", ").push_bind(after.affiliate).push(", ").push_bind(after.currency).push(")");
        }
        (Order::Amount | Order::Name, None) => {}
    }
    query.push(match order {
        Order::Amount => " order by s.currency, s.amount desc, a.id",
        Order::Name => " order by a.sort_name, a.id, s.currency",
    });
    query
}

/// All lines that match, still without an order.
fn push_sum_first(query: &mut QueryBuilder<Postgres>, tx: &Tx, filter: &Filter, through: Date, rules: Judged) {
    let merchant = tx.merchant();
    query.push(
        "with s as (select o.affiliate_id, o.currency, count(*) as commissions, sum(o.amount) as amount from owed o where o.merchant_id = ",
    );
    query.push_bind(merchant.0).push(" and o.due_on <= ").push_bind(through);
    if let Some(currency) = filter.currency {
        query.push(" and o.currency = ").push_bind(currency);
    }
    query.push(" group by o.affiliate_id, o.currency");
    if let Some(minimum) = filter.minimum {
        query.push(" having sum(o.amount) >= ").push_bind(minimum);
    }
    query.push(") select ");
    rules.push_columns(query);
    query.push(" from s join affiliates a on a.id = s.affiliate_id");
    rules.push_joins(query);
    query.push(" where a.merchant_id = ").push_bind(merchant.0);
    filter.push_search(query);
}

/// One due commission of an expanded line.
#[derive(Debug, Clone)]
pub struct DueCommission {
    /// Its id.
    pub id: CommissionId,
    /// The merchant's own reference.
    pub reference: String,
    /// The merchant's note.
    pub note: String,
    /// Since when it is due.
    pub due_on: Date,
    /// How much.
    pub amount: Money,
}

/// The commissions behind a line, oldest first; at most 500.
pub async fn commissions(tx: &mut Tx, row: DueRow, through: Date) -> anyhow::Result<Vec<DueCommission>> {
    let merchant = tx.merchant();
    let rows = sqlx::query!(
        r#"
        select c.id as "id: CommissionId", c.reference, c.note, o.due_on, o.amount
        from owed o
        join commissions c on c.merchant_id = o.merchant_id and c.id = o.commission_id
        where o.merchant_id = $1 and o.affiliate_id = $2 and o.currency = $3 and o.due_on <= $4
        order by o.due_on, c.id
        limit 500
        "#,
        merchant.0,
        row.affiliate.0,
        row.currency.code(),
        through
    )
    .fetch_all(&mut **tx)
    .await?;
    rows.into_iter()
        .map(|line| {
            Ok(DueCommission {
                id: line.id,
                reference: line.reference,
                note: line.note,
                due_on: line.due_on,
                amount: Money::new(line.amount, row.currency)?,
            })
        })
        .collect()
}

/// Why an affiliate cannot be paid through PayPal, for people.
pub fn problem_words(problem: &str) -> &'static str {
    match problem {
        "missing" => "No PayPal address",
        "too_long" => "Address too long for PayPal",
        "not_ascii" => "Address has letters PayPal does not take",
        "malformed" => "Not an e-mail address",
        "refused" => "PayPal refused this address",
        "archived" => "Archived",
        "held" => "Address changed lately: payments are held",
        "below_minimum" => "Below the minimum: carries over",
        "contradicted" => {
            "PayPal rejected a file with this payment, and then said that it had accepted it: clear that up first"
        }
        _ => "Cannot be paid",
    }
}
