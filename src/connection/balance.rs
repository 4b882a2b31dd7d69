//! What PayPal says of the merchant's money: asked for in passing when somebody looks, shown with its age, never
//! reckoned with. Only PayPal knows whether it will pay.

use crate::app::App;
use crate::database::Tx;
use crate::id::{ConnectionId, MerchantId};
use crate::money::Currency;
use crate::paypal::ReadError;
use crate::paypal::balances::Funds;
use rust_decimal::Decimal;
use time::{Duration, OffsetDateTime};

/// It is not asked for more often.
const STALE: Duration = Duration::minutes(5);

/// What is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// PayPal has not answered yet.
    NotYet,
    /// The app may not know.
    Withheld,
    /// What there was, and as of when.
    Funds(Vec<(Currency, Decimal)>, OffsetDateTime),
}

impl Told {
    /// What there was in a currency.
    pub fn available(&self, currency: Currency) -> Option<Decimal> {
        match self {
            Told::Funds(funds, _) => funds.iter().find(|(one, _)| *one == currency).map(|(_, available)| *available),
            Told::NotYet | Told::Withheld => None,
        }
    }
}

/// What PayPal said last.
pub async fn told(tx: &mut Tx, connection: ConnectionId) -> sqlx::Result<Told> {
    let merchant = tx.merchant();
    let rows = sqlx::query!(
        r#"
        select c.balance_told, b.currency as "currency?: Currency", b.available as "available?", b.as_of as "as_of?"
        from connections c
        left join balances b on b.merchant_id = c.merchant_id and b.connection_id = c.id
        where c.merchant_id = $1 and c.id = $2
        order by b.available desc
        "#,
        merchant.0,
        connection.0
    )
    .fetch_all(&mut **tx)
    .await?;
    let is_told = rows.first().and_then(|row| row.balance_told);
    let as_of = rows.first().and_then(|row| row.as_of);
    Ok(match (is_told, as_of) {
        (None, _) | (Some(true), None) => Told::NotYet,
        (Some(false), _) => Told::Withheld,
        (Some(true), Some(as_of)) => {
            Told::Funds(rows.into_iter().filter_map(|row| row.currency.zip(row.available)).collect(), as_of)
        }
    })
}

/// Asks PayPal, unless it was asked just now. What cannot be read changes nothing.
pub async fn refresh(app: &App, merchant: MerchantId) -> anyhow::Result<()> {
    let now = app.clock.now();
    let mut tx = app.database.merchant(merchant).await?;
    let due = sqlx::query_scalar!(
        r#"
        update connections
        set balance_asked_at = $2
        where merchant_id = $1 and in_force and kind = 'rest' and (balance_asked_at is null or balance_asked_at <= $3)
        returning id as "id: ConnectionId"
        "#,
        merchant.0,
        now,
        now - STALE
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(connection) = due else { return Ok(()) };
    let credentials = super::credentials(&mut tx, &app.vault, connection).await?;
    tx.commit().await?;
    let Some(credentials) = credentials else { return Ok(()) };
    let answer = app.paypal.balances(&credentials).await;
    let mut tx = app.database.merchant(merchant).await?;
    match answer {
        Ok((funds, as_of)) => keep(&mut tx, connection, &funds, as_of.unwrap_or(now)).await?,
        Err(ReadError::Refused(_) | ReadError::NotFound) => withheld(&mut tx, connection).await?,
        Err(error @ (ReadError::TooMany | ReadError::Failed(_))) => {
            tracing::debug!(%error, "the balance could not be read");
        }
    }
    tx.commit().await?;
    Ok(())
}

async fn keep(tx: &mut Tx, connection: ConnectionId, funds: &[Funds], as_of: OffsetDateTime) -> sqlx::Result<()> {
    let merchant = tx.merchant();
    // Currencies that PayPal does not pay out are of no use here.
    let known = || funds.iter().filter(|one| one.currency.parse::<Currency>().is_ok());
    let currencies: Vec<_> = known().map(|one| one.currency.clone()).collect();
    let amounts: Vec<_> = known().map(|one| one.available).collect();
    sqlx::query!(
        r#"
        with told as (
            update connections set balance_told = true where merchant_id = $1 and id = $2
        ),
        gone as (
            delete from balances where merchant_id = $1 and connection_id = $2 and currency <> all($3)
        )
        insert into balances (merchant_id, connection_id, currency, available, as_of)
        select $1, $2, n.currency, n.available, $5
        from unnest($3::text[], $4::numeric[]) as n (currency, available)
        on conflict (merchant_id, connection_id, currency) do update
        set available = excluded.available, as_of = excluded.as_of
        "#,
        merchant.0,
        connection.0,
        &currencies,
        &amounts,
        as_of
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

async fn withheld(tx: &mut Tx, connection: ConnectionId) -> sqlx::Result<()> {
    let merchant = tx.merchant();
    sqlx::query!(
        r#"
        with gone as (delete from balances where merchant_id = $1 and connection_id = $2)
        update connections set balance_told = false where merchant_id = $1 and id = $2
        "#,
        merchant.0,
        connection.0
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
