//! Payments that wait because PayPal said "not yet": all of the connection's, or those in one currency.
//!
//! The queue pauses once, and tries again with one batch at a time (`payout/claim.rs`), later and later, until PayPal
//! accepts one. Nothing here reaches PayPal.

use crate::database::Tx;
use crate::id::ConnectionId;
use crate::money::Currency;
use time::{Duration, OffsetDateTime};

/// The longest wait between two tries.
const LONGEST: Duration = Duration::hours(4);

/// A pause for people.
#[derive(Debug, Clone)]
pub struct Pause {
    /// The one currency that waits; none: everything does.
    pub currency: Option<Currency>,
    /// Since when.
    pub since: OffsetDateTime,
    /// PayPal's error name, or ours: see `payout::reason`.
    pub why: String,
    /// When one payment is tried again.
    pub resume_at: Option<OffsetDateTime>,
}

/// The pauses of the connection in force, the one of everything first.
pub async fn all(tx: &mut Tx) -> sqlx::Result<Vec<Pause>> {
    let merchant = tx.merchant();
    sqlx::query_as!(
        Pause,
        r#"
        select
            null as "currency: Currency",
            paused_at as "since!",
            paused_why as "why!",
            resume_at
        from connections
        where merchant_id = $1 and in_force and paused_at is not null
        union all
        select p.currency, p.paused_at, p.paused_why, p.resume_at
        from currency_pauses p
        join connections c on c.merchant_id = p.merchant_id and c.id = p.connection_id
        where p.merchant_id = $1 and c.in_force
        order by 1 nulls first
        "#,
        merchant.0
    )
    .fetch_all(&mut **tx)
    .await
}

/// Payments wait: all, or those in one currency. The first wait is `first`, each later one about as long as payments
/// have waited already.
pub async fn begin(
    tx: &mut Tx,
    id: ConnectionId,
    currency: Option<Currency>,
    why: &str,
    now: OffsetDateTime,
    first: Duration,
) -> sqlx::Result<()> {
    let merchant = tx.merchant();
    let since = match currency {
        None => {
            sqlx::query_scalar!(
                r#"
                update connections
                set paused_at = coalesce(paused_at, $4), paused_why = $3
                where merchant_id = $1 and id = $2
                returning paused_at as "since!"
                "#,
                merchant.0,
                id.0,
                why,
                now
            )
            .fetch_one(&mut **tx)
            .await?
        }
        Some(currency) => {
            sqlx::query_scalar!(
                r#"
                insert into currency_pauses as p (merchant_id, connection_id, currency, paused_at, paused_why, resume_at)
                values ($1, $2, $3, $5, $4, $5)
                on conflict (merchant_id, connection_id, currency) do update set paused_why = excluded.paused_why
                returning paused_at as "since!"
                "#,
                merchant.0,
                id.0,
                currency.code(),
                why,
                now
            )
            .fetch_one(&mut **tx)
            .await?
        }
    };
    let until = now + (now - since).clamp(first, LONGEST.max(first));
    set_resumption(tx, id, currency, until).await
}

async fn set_resumption(
    tx: &mut Tx,
    id: ConnectionId,
    currency: Option<Currency>,
    until: OffsetDateTime,
) -> sqlx::Result<()> {
    let merchant = tx.merchant();
    sqlx::query!(
        r#"
        with of_all as (
            update connections
            set resume_at = $4
            where merchant_id = $1 and id = $2 and $3::text is null
        )
        update currency_pauses
        set resume_at = $4
        where merchant_id = $1 and connection_id = $2 and currency = $3
        "#,
        merchant.0,
        id.0,
        currency.map(Currency::code),
        until
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// PayPal has accepted a payment in this currency: what waited for the same goes on.
pub async fn accepted(tx: &mut Tx, id: ConnectionId, currency: Currency, now: OffsetDateTime) -> sqlx::Result<()> {
    let merchant = tx.merchant();
    sqlx::query!(
        r#"
        with of_currency as (
            delete from currency_pauses
            where merchant_id = $1 and connection_id = $2 and currency = $3
        )
        update connections
        set first_payout_accepted_at = coalesce(first_payout_accepted_at, $4),
            paused_at = null,
            paused_why = null,
            resume_at = null
        where merchant_id = $1
            and id = $2
            and (first_payout_accepted_at is null or paused_at is not null)
        "#,
        merchant.0,
        id.0,
        currency.code(),
        now
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Something may have changed at PayPal: whatever waits is tried now, with one payment, and what could not be read is
/// read. A pause for which nothing waits ends.
pub async fn try_now(tx: &mut Tx, id: ConnectionId, now: OffsetDateTime) -> anyhow::Result<()> {
    let merchant = tx.merchant();
    let waiting = sqlx::query_scalar!(
        r#"
        select distinct currency as "currency: Currency"
        from payout_batches
        where merchant_id = $1 and connection_id = $2 and state in ('ready', 'submitting')
        "#,
        merchant.0,
        id.0
    )
    .fetch_all(&mut **tx)
    .await?;
    if waiting.is_empty() {
        return end(tx, id, now).await;
    }
    set_resumption(tx, id, None, now).await?;
    for currency in waiting {
        set_resumption(tx, id, Some(currency), now).await?;
    }
    read_again(tx, id, now).await?;
    Ok(())
}

/// Nothing waits any more: the details are new.
pub(super) async fn end(tx: &mut Tx, id: ConnectionId, now: OffsetDateTime) -> anyhow::Result<()> {
    let merchant = tx.merchant();
    sqlx::query!(
        r#"
        with of_currencies as (
            delete from currency_pauses
            where merchant_id = $1 and connection_id = $2
        )
        update connections
        set paused_at = null, paused_why = null, resume_at = null
        where merchant_id = $1 and id = $2
        "#,
        merchant.0,
        id.0
    )
    .execute(&mut **tx)
    .await?;
    read_again(tx, id, now).await?;
    Ok(())
}

async fn read_again(tx: &mut Tx, id: ConnectionId, now: OffsetDateTime) -> sqlx::Result<()> {
    readable(tx, id).await?;
    let merchant = tx.merchant();
    sqlx::query!(
        r#"
        update payout_batches
        set look_at = $3
        where merchant_id = $1
            and connection_id = $2
            and state = 'accepted'
            and trouble is not null
            and owner is null
            and look_at > $3
        "#,
        merchant.0,
        id.0,
        now
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// PayPal refuses to be read, with this error name.
pub async fn unreadable(tx: &mut Tx, id: ConnectionId, why: &str, now: OffsetDateTime) -> sqlx::Result<()> {
    let merchant = tx.merchant();
    sqlx::query!(
        r#"
        update connections
        set unreadable_at = coalesce(unreadable_at, $4), unreadable_why = $3
        where merchant_id = $1 and id = $2
        "#,
        merchant.0,
        id.0,
        why,
        now
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// PayPal can be read again.
pub async fn readable(tx: &mut Tx, id: ConnectionId) -> sqlx::Result<()> {
    let merchant = tx.merchant();
    sqlx::query!(
        r#"
        update connections
        set unreadable_at = null, unreadable_why = null
        where merchant_id = $1 and id = $2 and unreadable_at is not null
        "#,
        merchant.0,
        id.0
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
