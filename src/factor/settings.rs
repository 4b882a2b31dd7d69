//! What a merchant asks of its people: a second factor, and to show anew that it is them before much money leaves.

use crate::audit::{self, Actor};
use crate::database::Tx;
use crate::money::{Currency, Money};
use anyhow::Context;
use rust_decimal::Decimal;
use serde_json::json;

/// A merchant's decisions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Security {
    /// Approvers and admins without a second factor may only look.
    pub requires_factor: bool,
    /// Above these amounts in one payment, whoever sends money is asked anew.
    pub asks_above: Vec<Money>,
}

/// What was decided.
pub async fn of(tx: &mut Tx) -> anyhow::Result<Security> {
    let merchant = tx.merchant();
    let requires =
        sqlx::query_scalar!("select requires_factor from security_settings where merchant_id = $1", merchant.0);
    let requires_factor = requires.fetch_optional(&mut **tx).await?.unwrap_or(false);
    let rows = sqlx::query!(
        r#"
        select currency as "currency: Currency", amount
        from fresh_factor_above
        where merchant_id = $1
        order by currency
        "#,
        merchant.0
    )
    .fetch_all(&mut **tx)
    .await?;
    let asks_above = rows.iter().map(|row| Money::new(row.amount, row.currency)).collect::<Result<_, _>>();
    Ok(Security { requires_factor, asks_above: asks_above.context("a stored amount cannot be")? })
}

/// Requires a second factor of approvers and admins, or no longer.
pub async fn require(tx: &mut Tx, actor: &Actor, on: bool) -> anyhow::Result<()> {
    let merchant = tx.merchant();
    let old = of(tx).await?.requires_factor;
    sqlx::query!(
        "insert into security_settings (merchant_id, requires_factor)
        values ($1, $2)
        on conflict (merchant_id) do update set requires_factor = excluded.requires_factor",
        merchant.0,
        on
    )
    .execute(&mut **tx)
    .await?;
    let details = json!({ "old": { "required": old }, "new": { "required": on } });
    Ok(audit::record(tx, actor, "second factor required changed", &format!("merchant {merchant}"), details).await?)
}

/// Asks anew above this amount, or at no amount of this currency.
pub async fn ask_above(tx: &mut Tx, actor: &Actor, currency: Currency, above: Option<Money>) -> anyhow::Result<()> {
    let merchant = tx.merchant();
    let old = of(tx).await?.asks_above.into_iter().find(|money| money.currency() == currency);
    match above {
        Some(above) => {
            sqlx::query!(
                "insert into fresh_factor_above (merchant_id, currency, amount)
                values ($1, $2, $3)
                on conflict (merchant_id, currency) do update set amount = excluded.amount",
                merchant.0,
                currency.code(),
                above.amount()
            )
            .execute(&mut **tx)
            .await?;
        }
        None => {
            let gone = sqlx::query!(
                "delete from fresh_factor_above where merchant_id = $1 and currency = $2",
                merchant.0,
                currency.code()
            );
            gone.execute(&mut **tx).await?;
        }
    }
    let told = |money: Option<Money>| json!({ "above": money.map(|money| money.to_string()) });
    let details = json!({ "currency": currency.code(), "old": told(old), "new": told(above) });
    let object = format!("merchant {merchant}");
    Ok(audit::record(tx, actor, "amount to confirm above changed", &object, details).await?)
}

/// Whether one of these sums is above what the merchant set.
pub async fn is_much(tx: &mut Tx, sums: &[(Currency, Decimal)]) -> anyhow::Result<bool> {
    let above = of(tx).await?.asks_above;
    Ok(above
        .iter()
        .any(|limit| sums.iter().any(|(currency, sum)| *currency == limit.currency() && *sum > limit.amount())))
}
