//! Reads PayPal's list of events for the time that a restored database does not know, and the batches it names.

use super::prepared;
use super::unknown::{self, Payment};
use crate::app::App;
use crate::audit::Actor;
use crate::connection::{self, notifications};
use crate::database::Tx;
use crate::id::{BatchId, MerchantId};
use crate::payout::adopt::is_last;
use crate::payout::batch::BatchState;
use crate::payout::store::{Source, tell};
use crate::payout::stuck::{Unresolved, adopt_named};
use crate::paypal::payouts::{ItemSeen, TransactionStatus};
use crate::paypal::webhooks::Event;
use crate::paypal::{Credentials, PayPalBatchId, ReadError};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

/// After trouble, and while it is being read.
const AGAIN_AFTER: Duration = Duration::minutes(2);
/// As far as PayPal's list goes back ("List event notifications": 30 days).
const FURTHEST: Duration = Duration::days(30);
const MAX_PAGES: usize = 1000;

/// What is to be looked at.
struct Due {
    merchant: MerchantId,
    restoration: Uuid,
    since: OffsetDateTime,
}

/// Reads the list for one merchant. False when none was due.
pub async fn next(app: &App) -> anyhow::Result<bool> {
    let now = app.clock.now();
    let Some(due) = claim(app, now).await? else { return Ok(false) };
    prepared::take_back(app, due.merchant, now).await?;
    let outcome = read(app, &due, now).await?;
    let (events_at, look_at, trouble) = match outcome {
        Ok(trouble) => (trouble.is_none().then_some(now), None, trouble),
        Err(error) => (None, Some(now + AGAIN_AFTER), Some(error.to_string())),
    };
    let mut tx = app.database.merchant(due.merchant).await?;
    sqlx::query!(
        "update restorations set events_at = $3, look_at = $4, trouble = $5 where merchant_id = $1 and id = $2",
        due.merchant.0,
        due.restoration,
        events_at,
        look_at,
        trouble
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(true)
}

async fn claim(app: &App, now: OffsetDateTime) -> sqlx::Result<Option<Due>> {
    let mut tx = app.database.installation().await?;
    let due = sqlx::query_as!(
        Due,
        r#"
        update restorations r
        set look_at = $2
        from (
            select merchant_id, id from restorations
            where signed_at is null and look_at <= $1
            order by look_at
            limit 1
            for update skip locked
        ) next
        where r.merchant_id = next.merchant_id and r.id = next.id
        returning r.merchant_id as "merchant: MerchantId", r.id as restoration, r.since
        "#,
        now,
        now + AGAIN_AFTER
    )
    .fetch_optional(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(due)
}

/// All of it; or why there is nothing to read, or not all.
async fn read(app: &App, due: &Due, now: OffsetDateTime) -> anyhow::Result<Result<Option<String>, ReadError>> {
    let mut tx = app.database.merchant(due.merchant).await?;
    let in_force = connection::in_force(&mut tx).await?;
    let credentials = match &in_force {
        Some(connection) => connection::credentials(&mut tx, &app.vault, connection.id).await?,
        None => None,
    };
    drop(tx);
    let (Some(connection), Some(credentials)) = (in_force, credentials) else {
        return Ok(Ok(Some("PayPal’s API is not connected: the report alone shows what was paid.".into())));
    };
    let listening = notifications::listening(app, connection.id).await?;
    if listening.and_then(|listening| listening.webhook_id).is_none() {
        return Ok(Ok(Some("PayPal does not notify this installation: the report alone shows what was paid.".into())));
    }
    let since = due.since.max(now - FURTHEST);
    if let Err(error) = list(app, due, &credentials, since, now).await? {
        return Ok(Err(error));
    }
    for batch in unread(app, due).await? {
        if let Err(error) = read_batch(app, due, &credentials, &batch, now).await? {
            return Ok(Err(error));
        }
    }
    let reaches = since == due.since;
    Ok(Ok(
        (!reaches).then(|| "PayPal’s list of events goes back 30 days; the report has to show what was before.".into())
    ))
}

async fn list(
    app: &App,
    due: &Due,
    credentials: &Credentials,
    since: OffsetDateTime,
    now: OffsetDateTime,
) -> anyhow::Result<Result<(), ReadError>> {
    let mut next = None;
    for _ in 0..MAX_PAGES {
        let page = match app.paypal.events(credentials, since, now, next.as_ref()).await {
            Ok(page) => page,
            Err(error) => return Ok(Err(error)),
        };
        let named: Vec<String> =
            page.events.into_iter().filter(Event::is_of_payouts).filter_map(|event| Some(event.batch?.0)).collect();
        let mut tx = app.database.merchant(due.merchant).await?;
        sqlx::query!(
            r#"
            insert into restored_batches (merchant_id, restoration_id, paypal_batch_id)
            select distinct $1::uuid, $2::uuid, named
            from unnest($3::text[]) named
            where not exists (select from payout_batches b where b.paypal_batch_id = named)
            on conflict do nothing
            "#,
            due.merchant.0,
            due.restoration,
            &named
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        match page.next {
            Some(following) if next.as_ref() != Some(&following) => next = Some(following),
            Some(_) | None => break,
        }
    }
    Ok(Ok(()))
}

async fn unread(app: &App, due: &Due) -> sqlx::Result<Vec<PayPalBatchId>> {
    let mut tx = app.database.merchant(due.merchant).await?;
    let found = sqlx::query_scalar!(
        "select paypal_batch_id from restored_batches where merchant_id = $1 and restoration_id = $2 and read_at is null",
        due.merchant.0,
        due.restoration
    )
    .fetch_all(&mut *tx)
    .await?;
    Ok(found.into_iter().map(PayPalBatchId).collect())
}

/// A batch of ours under a name that this database has sent is followed like any other, from now on if it was stuck; of
/// the rest, every payment whose money has left is unknown.
async fn read_batch(
    app: &App,
    due: &Due,
    credentials: &Credentials,
    batch: &PayPalBatchId,
    now: OffsetDateTime,
) -> anyhow::Result<Result<(), ReadError>> {
    for number in 1..=MAX_PAGES {
        let page = match app.paypal.show_batch(credentials, batch, number).await {
            Ok(page) => page,
            Err(error) => return Ok(Err(error)),
        };
        let mut tx = app.database.merchant(due.merchant).await?;
        if let Some((ours, state)) = sent_as(&mut tx, page.sender_batch_id.as_deref()).await? {
            drop(tx);
            if state == BatchState::Stuck {
                follow(app, due, ours, batch, now).await?;
            }
            break;
        }
        let found: Vec<Payment> = page.items.iter().filter_map(payment).collect();
        unknown::keep(&mut tx, due.restoration, &found, now).await?;
        tx.commit().await?;
        if is_last(&page, number) {
            break;
        }
    }
    let mut tx = app.database.merchant(due.merchant).await?;
    sqlx::query!(
        "update restored_batches set read_at = $4
        where merchant_id = $1 and restoration_id = $2 and paypal_batch_id = $3",
        due.merchant.0,
        due.restoration,
        batch.0,
        now
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(Ok(()))
}

/// The batch of this name that PayPal has, or may have, as far as is known here.
async fn sent_as(tx: &mut Tx, name: Option<&str>) -> sqlx::Result<Option<(BatchId, BatchState)>> {
    let merchant = tx.merchant();
    let row = sqlx::query!(
        r#"
        select id as "batch: BatchId", state as "state: BatchState"
        from payout_batches
        where merchant_id = $1 and sender_batch_id = $2 and state not in ('prepared', 'cancelled', 'refused')
        "#,
        merchant.0,
        name
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(row.map(|row| (row.batch, row.state)))
}

/// PayPal's list shows the batch under its name, which is all that its doubt was about. If it cannot be compared now, it
/// stays stuck and a person names it.
async fn follow(app: &App, due: &Due, batch: BatchId, id: &PayPalBatchId, now: OffsetDateTime) -> anyhow::Result<()> {
    let actor = Actor { person: None, address: None, at: now };
    if let Err(Unresolved::NotAdopted(why)) = adopt_named(app, due.merchant, &actor, batch, id).await? {
        let mut tx = app.database.merchant(due.merchant).await?;
        tell(
            &mut tx,
            batch,
            Source::Read,
            &format!("PayPal’s list shows {id}, which was not taken up"),
            Some(&why),
            now,
        )
        .await?;
        tx.commit().await?;
    }
    Ok(())
}

/// Money that left, or may have left.
fn payment(item: &ItemSeen) -> Option<Payment> {
    match item.status {
        TransactionStatus::Failed | TransactionStatus::Returned | TransactionStatus::Reversed => return None,
        TransactionStatus::Pending
        | TransactionStatus::Success
        | TransactionStatus::Unclaimed
        | TransactionStatus::OnHold
        | TransactionStatus::Blocked
        | TransactionStatus::Refunded
        | TransactionStatus::Other(_) => {}
    }
    // Leaving out what cannot be read would hide a payment.
    let (amount, currency) = item.amount.clone().unwrap_or_default();
    Some(Payment {
        name: item.transaction_id.clone().or_else(|| item.id.as_ref().map(|id| id.0.clone()))?,
        receiver: item.receiver.clone().unwrap_or_default(),
        currency,
        amount,
        status: item.status.word().to_owned(),
        at: item.time_processed,
    })
}
