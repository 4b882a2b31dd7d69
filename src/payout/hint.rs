//! What PayPal told is followed: the batches that events name are read soon, and nothing else changes.
//!
//! However many events name a batch, it is read about once for each second that a reading takes. Merchants with news
//! are found across the installation; everything else is done as the merchant.

use super::batch::BatchState;
use super::store::{Source, tell};
use crate::app::App;
use crate::database::Tx;
use crate::id::{BatchId, MerchantId};
use crate::paypal::payouts::PAGE_SIZE;
use time::{Duration, OffsetDateTime};

/// Events followed in one go.
const AT_ONCE: i64 = 10_000;
/// A batch in doubt is not asked about more often than this, however many events name it.
const BETWEEN_SENDS: Duration = Duration::seconds(5);
/// An event may be this much older than the reading that did not show it yet.
const LAG: Duration = Duration::seconds(10);

/// Follows what has come in. False when there was nothing new.
pub async fn next(app: &App) -> anyhow::Result<bool> {
    let mut followed = false;
    for merchant in with_news(app).await? {
        followed |= follow(app, merchant).await?;
    }
    if followed {
        app.wake.notify_waiters();
    }
    Ok(followed)
}

async fn with_news(app: &App) -> sqlx::Result<Vec<MerchantId>> {
    let mut tx = app.database.installation().await?;
    sqlx::query_scalar!(
        r#"
        select merchant_id as "id!: MerchantId" from paypal_events where handled_at is null
        union
        select merchant_id
        from payout_batches
        where hinted_at is not null
            and (state = 'submitting' or state in ('accepted', 'closed') and paypal_batch_id is not null)
            and (owner is null or look_at <= $1)
        "#,
        app.clock.now()
    )
    .fetch_all(&mut *tx)
    .await
}

/// Events that name the same batch by the same id.
struct Told {
    batch: Option<BatchId>,
    state: Option<BatchState>,
    /// PayPal's id of it in the events.
    named: Option<String>,
    /// PayPal's id of it as we know it.
    known: Option<String>,
    items: Option<i32>,
    changed_at: Option<OffsetDateTime>,
    doubted: bool,
    newest: Option<OffsetDateTime>,
    events: Vec<String>,
}

/// What the events of one batch come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    /// Something happened to a batch that PayPal has: read it then, or before.
    LookBy(OffsetDateTime),
    /// A reading has shown it already.
    Old,
    /// Not a batch of ours.
    Foreign,
    /// PayPal names a batch where we expect none, or by another id. Kept for a person.
    Unexpected,
}

fn meaning(told: &Told, now: OffsetDateTime) -> Meaning {
    let (Some(state), Some(changed_at)) = (told.state, told.changed_at) else { return Meaning::Foreign };
    let pages = i64::from(told.items.unwrap_or(1)) / i64::try_from(PAGE_SIZE).expect("a page is small") + 1;
    let soon = Meaning::LookBy(now + Duration::seconds(pages));
    // One that people closed by their word has no id to be read by.
    let other = told.known.is_none() || told.named.is_some() && told.named != told.known;
    match state {
        BatchState::Accepted | BatchState::Closed if other => Meaning::Unexpected,
        BatchState::Accepted => soon,
        BatchState::Closed if told.newest.is_some_and(|newest| newest < changed_at - LAG) => Meaning::Old,
        BatchState::Closed => soon,
        // Its answer was lost, or has not come yet: sending the same name again tells.
        BatchState::Submitting => Meaning::LookBy(now.max(changed_at + BETWEEN_SENDS)),
        BatchState::Prepared
        | BatchState::Ready
        | BatchState::Refused
        | BatchState::Stuck
        | BatchState::Cancelled
        | BatchState::Exported => Meaning::Unexpected,
    }
}

async fn follow(app: &App, merchant: MerchantId) -> anyhow::Result<bool> {
    let now = app.clock.now();
    let mut tx = app.database.merchant(merchant).await?;
    let (mut followed, mut foreign, mut unexpected) = (Vec::new(), Vec::new(), Vec::new());
    for told in fetch(&mut tx).await? {
        let meaning = meaning(&told, now);
        let Told { batch, named, doubted, events, .. } = told;
        match (meaning, batch) {
            (Meaning::Foreign, _) | (_, None) => foreign.extend(events),
            (Meaning::Old, Some(_)) => followed.extend(events),
            (Meaning::LookBy(at), Some(batch)) => {
                look_by(&mut tx, batch, at).await?;
                if doubted {
                    note(&mut tx, batch, named.as_deref(), now).await?;
                }
                followed.extend(events);
            }
            (Meaning::Unexpected, Some(batch)) => {
                tracing::error!(batch.id = %batch, paypal = ?named, "PayPal tells of batch {batch} where none is expected");
                note(&mut tx, batch, named.as_deref(), now).await?;
                unexpected.extend(events);
            }
        }
    }
    let news = followed.len() + foreign.len() + unexpected.len() > 0;
    for (outcome, events) in [("followed", followed), ("foreign", foreign), ("unexpected", unexpected)] {
        handled(&mut tx, outcome, &events, now).await?;
    }
    take_over(&mut tx, now).await?;
    tx.commit().await?;
    Ok(news)
}

/// New events by the batch they name: by PayPal's id, else by our name of it, else by our name of an item.
async fn fetch(tx: &mut Tx) -> sqlx::Result<Vec<Told>> {
    let merchant = tx.merchant();
    sqlx::query_as!(
        Told,
        r#"
        with fresh as (
            select id, created_at, paypal_batch_id, sender_batch_id, item_id
            from paypal_events
            where merchant_id = $1 and handled_at is null
            order by received_at
            limit $2
            for update skip locked
        ),
        named as (
            select
                f.id,
                f.created_at,
                f.paypal_batch_id,
                coalesce(
                    (select b.id from payout_batches b where b.merchant_id = $1 and b.paypal_batch_id = f.paypal_batch_id),
                    (select b.id from payout_batches b where b.merchant_id = $1 and b.sender_batch_id = f.sender_batch_id),
                    (select i.batch_id from payout_items i where i.merchant_id = $1 and i.id = f.item_id)
                ) as batch_id
            from fresh f
        )
        select
            b.id as "batch?: BatchId",
            b.state as "state?: BatchState",
            n.paypal_batch_id as named,
            b.paypal_batch_id as "known?",
            b.items as "items?",
            b.changed_at as "changed_at?",
            b.doubted_at is not null as "doubted!",
            max(n.created_at) as newest,
            array_agg(n.id) as "events!"
        from named n
        left join payout_batches b on b.merchant_id = $1 and b.id = n.batch_id
        group by b.merchant_id, b.id, n.paypal_batch_id
        "#,
        merchant.0,
        AT_ONCE
    )
    .fetch_all(&mut **tx)
    .await
}

async fn look_by(tx: &mut Tx, batch: BatchId, at: OffsetDateTime) -> sqlx::Result<()> {
    let merchant = tx.merchant();
    sqlx::query!(
        "update payout_batches set hinted_at = coalesce(hinted_at, $3) where merchant_id = $1 and id = $2",
        merchant.0,
        batch.0,
        at
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Hints become the time of the next look, where nobody holds the batch: whoever reads it now may have read that page
/// before the news. A closed batch is watched again.
async fn take_over(tx: &mut Tx, now: OffsetDateTime) -> sqlx::Result<()> {
    let merchant = tx.merchant();
    sqlx::query!(
        r#"
        update payout_batches
        set look_at = least(look_at, hinted_at),
            state = case state when 'closed' then 'accepted' else state end,
            hinted_at = null
        where merchant_id = $1
            and hinted_at is not null
            and (state = 'submitting' or state in ('accepted', 'closed') and paypal_batch_id is not null)
            and (owner is null or look_at <= $2)
        "#,
        merchant.0,
        now
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// One line in the batch's history, however often PayPal tells it.
async fn note(tx: &mut Tx, batch: BatchId, named: Option<&str>, now: OffsetDateTime) -> sqlx::Result<()> {
    let merchant = tx.merchant();
    let line = format!("PayPal told of this batch as {}", named.unwrap_or("one without an id"));
    let known = sqlx::query_scalar!(
        "select 1 as one from payout_history where merchant_id = $1 and batch_id = $2 and became = $3 limit 1",
        merchant.0,
        batch.0,
        line
    )
    .fetch_optional(&mut **tx)
    .await?;
    if known.is_none() {
        tell(tx, batch, Source::Event, &line, None, now).await?;
    }
    Ok(())
}

async fn handled(tx: &mut Tx, outcome: &str, events: &[String], now: OffsetDateTime) -> sqlx::Result<()> {
    if events.is_empty() {
        return Ok(());
    }
    let merchant = tx.merchant();
    sqlx::query!(
        "update paypal_events set handled_at = $3, outcome = $4 where merchant_id = $1 and id = any($2)",
        merchant.0,
        events,
        now,
        outcome
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
