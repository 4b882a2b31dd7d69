//! What the start page shows, per currency: what is owed and since when, what is on its way, what was paid each month.
//! Sums come from tallies, from what is in flight, and from what waits for a person; never from what was ever paid.

use super::due;
use crate::database::Tx;
use crate::money::Currency;
use rust_decimal::Decimal;
use time::Date;

/// A sum, and of how many.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Figure {
    /// How much.
    pub amount: Decimal,
    /// How many commissions; of what is in a payment, how many payments.
    pub count: i64,
}

/// Where one currency stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standings {
    /// Which.
    pub currency: Currency,
    /// Payable today.
    pub due: Figure,
    /// Payable later.
    pub upcoming: Figure,
    /// In a payment that is on its way.
    pub paying: Figure,
    /// In a payment that PayPal may or may not have.
    pub unknown: Figure,
    /// In a payment about which a person decides.
    pub needs_a_person: Figure,
}

/// What was paid in one month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Month {
    /// Its first day.
    pub first: Date,
    /// How much, in how many payments.
    pub paid: Figure,
}

/// What is due since a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Age {
    /// Due from this day on; none for the oldest.
    pub from: Option<Date>,
    /// Through this day.
    pub through: Date,
    /// How much, of how many commissions.
    pub due: Figure,
}

/// Days after which what is due counts as older.
pub const AGES: [i64; 3] = [7, 30, 90];
/// Months that are shown.
pub const MONTHS: usize = 12;

/// Every currency that is owed, on its way, or was paid in the last twelve months; the one with most due first.
pub async fn standings(tx: &mut Tx, today: Date) -> sqlx::Result<Vec<Standings>> {
    let mut all = Vec::new();
    for total in due::totals(tx, today).await? {
        let one = of(&mut all, total.currency);
        one.due = Figure { amount: total.due, count: total.due_commissions };
        one.upcoming = Figure { amount: total.upcoming, count: total.upcoming_commissions };
    }
    for row in in_payments(tx).await? {
        let one = of(&mut all, row.currency);
        let figure = match row.standing.as_str() {
            "unknown" => &mut one.unknown,
            "needs_a_person" => &mut one.needs_a_person,
            _ => &mut one.paying,
        };
        *figure = Figure { amount: row.amount, count: row.payments };
    }
    let merchant = tx.merchant();
    let paid = sqlx::query_scalar!(
        r#"select distinct currency as "currency: Currency" from paid_sums where merchant_id = $1 and paid_on >= $2"#,
        merchant.0,
        first_month(today)
    )
    .fetch_all(&mut **tx)
    .await?;
    for currency in paid {
        of(&mut all, currency); // it does not vanish with its last commission
    }
    all.sort_by_key(|one| (-one.due.count, -one.paying.count, one.currency.code()));
    Ok(all)
}

fn of(all: &mut Vec<Standings>, currency: Currency) -> &mut Standings {
    if let Some(place) = all.iter().position(|one| one.currency == currency) {
        return &mut all[place];
    }
    let none = Figure::default();
    let new = Standings { currency, due: none, upcoming: none, paying: none, unknown: none, needs_a_person: none };
    all.push(new);
    all.last_mut().expect("it was pushed")
}

struct InPayments {
    currency: Currency,
    standing: String,
    payments: i64,
    amount: Decimal,
}

/// What payments hold that have not arrived: by the rule of `commission_standings`, from the few items that can hold
/// any. An item's amount is the sum of its commissions.
async fn in_payments(tx: &mut Tx) -> sqlx::Result<Vec<InPayments>> {
    let merchant = tx.merchant();
    sqlx::query_as!(
        InPayments,
        r#"
        with held as (
            select
                i.currency,
                i.amount,
                case
                    when i.flagged is not null then 'needs_a_person'
                    when i.state = 'open' then 'paying'
                    when b.state = 'stuck' or (b.state = 'submitting' and b.doubted_at is not null) then 'unknown'
                    else 'paying'
                end as standing
            from payout_items i
            join payout_batches b on b.merchant_id = i.merchant_id and b.id = i.batch_id
            where i.merchant_id = $1 and i.state in ('queued', 'open')
            union all
            select currency, amount, 'needs_a_person'
            from payout_items
            where merchant_id = $1 and not_paid in ('blocked', 'refunded', 'reversed') and decided is null
            union all
            -- Failed or returned, and not due again before PayPal has finished the batch.
            select i.currency, i.amount, 'paying'
            from payout_batches b
            join payout_items i on i.merchant_id = b.merchant_id and i.batch_id = b.id
            where b.merchant_id = $1
                and b.state = 'accepted'
                and i.state = 'unpaid'
                and i.not_paid not in ('blocked', 'refunded', 'reversed')
                and exists (
                    select from allocations l
                    where l.merchant_id = i.merchant_id and l.item_id = i.id and l.released_at is null
                )
        )
        select
            currency as "currency!: Currency",
            standing as "standing!",
            count(*) as "payments!",
            sum(amount) as "amount!"
        from held
        group by currency, standing
        "#,
        merchant.0
    )
    .fetch_all(&mut **tx)
    .await
}

/// What was paid in each of the last twelve months, the oldest first.
pub async fn months(tx: &mut Tx, currency: Currency, today: Date) -> sqlx::Result<Vec<Month>> {
    let merchant = tx.merchant();
    let rows = sqlx::query!(
        r#"
        select date_trunc('month', paid_on::timestamp)::date as "first!", sum(payments)::bigint as "payments!", sum(amount) as "amount!"
        from paid_sums
        where merchant_id = $1 and currency = $2 and paid_on >= $3
        group by 1
        "#,
        merchant.0,
        currency.code(),
        first_month(today)
    )
    .fetch_all(&mut **tx)
    .await?;
    let mut first = first_month(today);
    let mut months = Vec::with_capacity(MONTHS);
    for _ in 0..MONTHS {
        let row = rows.iter().find(|row| row.first == first);
        let paid = row.map(|row| Figure { amount: row.amount, count: row.payments }).unwrap_or_default();
        months.push(Month { first, paid });
        first = last_of(first).next_day().expect("the calendar goes on");
    }
    Ok(months)
}

/// The last day of a month, given its first.
pub fn last_of(first: Date) -> Date {
    let days = first.month().length(first.year());
    first.replace_day(days).expect("a month has its last day")
}

fn first_month(today: Date) -> Date {
    let mut first = today.replace_day(1).expect("a month has its first day");
    for _ in 1..MONTHS {
        let before = first.previous_day().expect("the calendar goes back");
        first = before.replace_day(1).expect("a month has its first day");
    }
    first
}

/// What is due by its age, the newest first.
pub async fn ages(tx: &mut Tx, currency: Currency, today: Date) -> sqlx::Result<Vec<Age>> {
    let merchant = tx.merchant();
    let rows = sqlx::query!(
        r#"
        select due_on, sum(commissions)::bigint as "commissions!", sum(amount) as "amount!"
        from owed_tally
        where merchant_id = $1 and currency = $2 and due_on <= $3 and commissions > 0
        group by due_on
        "#,
        merchant.0,
        currency.code(),
        today
    )
    .fetch_all(&mut **tx)
    .await?;
    let day = |age: i64| today - time::Duration::days(age);
    let mut through = today;
    let mut ages = Vec::new();
    for from in AGES.iter().map(|age| Some(day(*age - 1))).chain([None]) {
        let here = rows.iter().filter(|row| row.due_on <= through && from.is_none_or(|from| row.due_on >= from));
        let due = here.fold(Figure::default(), |sum, row| Figure {
            amount: sum.amount + row.amount,
            count: sum.count + row.commissions,
        });
        ages.push(Age { from, through, due });
        if let Some(from) = from {
            through = from.previous_day().expect("the calendar goes back");
        }
    }
    Ok(ages)
}

/// What has to be there before anybody can be paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ready {
    /// An affiliate.
    pub affiliates: bool,
    /// A commission.
    pub commissions: bool,
}

/// Whether there is anybody to pay, and anything.
pub async fn ready(tx: &mut Tx) -> sqlx::Result<Ready> {
    let merchant = tx.merchant();
    sqlx::query_as!(
        Ready,
        r#"
        select
            exists (select from affiliates where merchant_id = $1) as "affiliates!",
            exists (select from commissions where merchant_id = $1) as "commissions!"
        "#,
        merchant.0
    )
    .fetch_one(&mut **tx)
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::date;

    #[test]
    fn twelve_months_end_with_this_one() {
        assert_eq!(first_month(date!(2026 - 11 - 23)), date!(2025 - 12 - 01));
        assert_eq!(first_month(date!(2028 - 02 - 29)), date!(2027 - 03 - 01));
        assert_eq!(last_of(date!(2028 - 02 - 01)), date!(2028 - 02 - 29));
        assert_eq!(last_of(date!(2026 - 12 - 01)), date!(2026 - 12 - 31));
    }
}
