//! By which rules a merchant pays: how little and how much at once, after how long, and what a second person approves.
//!
//! What they come to is enforced where money is drafted and let go (the module `payout`), and by the database. Here they
//! are kept, and told in a sentence.

mod sentence;

pub use sentence::sentences;

use crate::audit::{self, Actor};
use crate::database::Tx;
use crate::id::AffiliateId;
use crate::money::Currency;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The longest waiting time, and the longest hold of a changed address, in days; the schema says the same.
pub const MAX_WAITING_DAYS: i32 = 365;
/// See [`MAX_WAITING_DAYS`].
pub const MAX_HOLD_DAYS: i32 = 60;

/// All rules of a merchant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// A commission without a due date is due so many days after it was earned.
    pub waiting_days: i32,
    /// Somebody whose address changed is not paid for so many days.
    pub hold_days: i32,
    /// Where the merchant's days begin, an IANA name.
    pub time_zone: String,
    /// Amounts in each currency that has any.
    pub amounts: BTreeMap<Currency, Amounts>,
}

/// The rules of one currency.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Amounts {
    /// The least that is paid to one affiliate at a time.
    pub minimum: Option<Decimal>,
    /// The most that one click on Pay may come to.
    pub per_payment: Option<Decimal>,
    /// The most that a day may come to.
    pub per_day: Option<Decimal>,
    /// More than this is approved by a second person.
    pub approval_above: Option<Decimal>,
}

impl Amounts {
    fn told(&self) -> Value {
        json!({
            "minimum": self.minimum,
            "per payment": self.per_payment,
            "per day": self.per_day,
            "approval above": self.approval_above,
        })
    }
}

impl Rules {
    /// The rules of a currency; none where it has none.
    pub fn of(&self, currency: Currency) -> Amounts {
        self.amounts.get(&currency).copied().unwrap_or_default()
    }

    /// For the audit log.
    fn told(&self) -> Value {
        let amounts: BTreeMap<&str, Value> =
            self.amounts.iter().map(|(currency, amounts)| (currency.code(), amounts.told())).collect();
        json!({
            "waiting days": self.waiting_days,
            "hold days": self.hold_days,
            "time zone": self.time_zone,
            "amounts": amounts,
        })
    }
}

/// The merchant's rules.
pub async fn load(tx: &mut Tx) -> sqlx::Result<Rules> {
    let merchant = tx.merchant();
    let row = sqlx::query!("select waiting_days, hold_days, time_zone from merchants where id = $1", merchant.0)
        .fetch_one(&mut **tx)
        .await?;
    let amounts = sqlx::query!(
        r#"
        select currency as "currency: Currency", minimum, per_payment, per_day, approval_above
        from payment_rules
        where merchant_id = $1
        "#,
        merchant.0
    )
    .fetch_all(&mut **tx)
    .await?;
    let amounts = amounts.into_iter().map(|row| {
        let (minimum, per_payment, per_day) = (row.minimum, row.per_payment, row.per_day);
        (row.currency, Amounts { minimum, per_payment, per_day, approval_above: row.approval_above })
    });
    Ok(Rules {
        waiting_days: row.waiting_days,
        hold_days: row.hold_days,
        time_zone: row.time_zone,
        amounts: amounts.collect(),
    })
}

/// Whether anybody has a minimum: most merchants have none, and their lists need not look for it.
pub async fn has_minimums(tx: &mut Tx) -> sqlx::Result<bool> {
    let merchant = tx.merchant();
    sqlx::query_scalar!(
        r#"
        select exists (select from payment_rules where merchant_id = $1 and minimum is not null)
            or exists (select from affiliate_minimums where merchant_id = $1 and amount > 0) as "has!"
        "#,
        merchant.0
    )
    .fetch_one(&mut **tx)
    .await
}

/// Keeps what an admin decided. Drafts and approvals lock the merchant too, so that none goes by half of it.
pub async fn save(tx: &mut Tx, actor: &Actor, rules: &Rules) -> sqlx::Result<()> {
    let merchant = tx.merchant();
    sqlx::query!("select id from merchants where id = $1 for no key update", merchant.0).fetch_one(&mut **tx).await?;
    let old = load(tx).await?;
    if old.time_zone != rules.time_zone {
        move_days(tx, &rules.time_zone).await?;
    }
    sqlx::query!(
        "update merchants set waiting_days = $2, hold_days = $3 where id = $1",
        merchant.0,
        rules.waiting_days,
        rules.hold_days
    )
    .execute(&mut **tx)
    .await?;
    sqlx::query!("delete from payment_rules where merchant_id = $1", merchant.0).execute(&mut **tx).await?;
    for (currency, amounts) in rules.amounts.iter().filter(|(_, amounts)| **amounts != Amounts::default()) {
        sqlx::query!(
            r#"
            insert into payment_rules (merchant_id, currency, minimum, per_payment, per_day, approval_above)
            values ($1, $2, $3, $4, $5, $6)
            "#,
            merchant.0,
            currency.code(),
            amounts.minimum,
            amounts.per_payment,
            amounts.per_day,
            amounts.approval_above
        )
        .execute(&mut **tx)
        .await?;
    }
    audit::record(tx, actor, "payment rules changed", "rules", json!({ "old": old.told(), "new": rules.told() })).await
}

/// Days begin elsewhere: what was paid on which day is summed anew. Nobody may move an item meanwhile, since their
/// trigger would still sum by the old days; it takes as long as reading what was ever paid, and happens about once.
async fn move_days(tx: &mut Tx, zone: &str) -> sqlx::Result<()> {
    let merchant = tx.merchant();
    sqlx::query("lock table payout_items, commissions in share row exclusive mode").execute(&mut **tx).await?;
    sqlx::query!("update merchants set time_zone = $2 where id = $1", merchant.0, zone).execute(&mut **tx).await?;
    sqlx::query!(
        r#"
        insert into paid_sums (merchant_id, currency, paid_on, payments, amount)
        select $1, currency, paid_on, sum(payments)::bigint, sum(amount)
        from (
            select currency, paid_on, -payments as payments, -amount as amount from paid_sums where merchant_id = $1
            union all
            select i.currency, (coalesce(i.time_processed, i.changed_at) at time zone z.zone)::date, 1, i.amount
            from payout_items i
            join merchant_zones z on z.merchant_id = i.merchant_id
            where i.merchant_id = $1 and i.state = 'paid'
            union all
            select currency, paid_before_on, 1, amount from commissions where merchant_id = $1 and paid_before_on is not null
        ) days
        group by currency, paid_on
        having sum(payments) <> 0 or sum(amount) <> 0
        "#,
        merchant.0
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// An affiliate's own minimums, by currency.
pub async fn minimums_of(tx: &mut Tx, affiliate: AffiliateId) -> sqlx::Result<Vec<(Currency, Decimal)>> {
    let merchant = tx.merchant();
    let rows = sqlx::query!(
        r#"
        select currency as "currency: Currency", amount
        from affiliate_minimums
        where merchant_id = $1 and affiliate_id = $2
        order by currency
        "#,
        merchant.0,
        affiliate.0
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows.into_iter().map(|row| (row.currency, row.amount)).collect())
}

/// Gives an affiliate a minimum of their own (zero: none), or the merchant's again.
pub async fn set_minimum(
    tx: &mut Tx,
    actor: &Actor,
    affiliate: AffiliateId,
    currency: Currency,
    minimum: Option<Decimal>,
) -> sqlx::Result<()> {
    let merchant = tx.merchant();
    let old = minimums_of(tx, affiliate).await?.into_iter().find(|(of, _)| *of == currency).map(|(_, amount)| amount);
    match minimum {
        Some(amount) => {
            sqlx::query!(
                r#"
                insert into affiliate_minimums (merchant_id, affiliate_id, currency, amount)
                values ($1, $2, $3, $4)
                on conflict (merchant_id, affiliate_id, currency) do update set amount = excluded.amount
                "#,
                merchant.0,
                affiliate.0,
                currency.code(),
                amount
            )
            .execute(&mut **tx)
            .await?
        }
        None => {
            sqlx::query!(
                "delete from affiliate_minimums where merchant_id = $1 and affiliate_id = $2 and currency = $3",
                merchant.0,
                affiliate.0,
                currency.code()
            )
            .execute(&mut **tx)
            .await?
        }
    };
    let told = |amount: Option<Decimal>| json!({ "currency": currency.code(), "minimum": amount });
    let details = json!({ "old": told(old), "new": told(minimum) });
    audit::record(tx, actor, "minimum changed", &format!("affiliate {affiliate}"), details).await
}
