//! Steps 5 and 6: read a batch from PayPal page by page, and apply what was read.
//!
//! Applying is repeatable: a fact that is known already changes nothing. One short transaction a page, each only while
//! the claim's fence still stands. What people wish to be taken back is asked of PayPal first, so that the same reading
//! tells what came of it.

use super::adopt::is_last;
use super::batch::{Expected, read_after, watch_next};
use super::cancel;
use super::claim::{self, ClaimedReading};
use super::crash::crash_point;
use super::facts;
use super::lease::{Lease, holding};
use super::store::{Source, release, tell};
use crate::app::App;
use crate::connection::{self, pause};
use crate::database::Tx;
use crate::paypal::ReadError;
use crate::paypal::payouts::{BatchPage, BatchStatus};
use anyhow::ensure;
use time::{Duration, OffsetDateTime};

/// Pages read of one batch at most; 15,000 items take 15.
const MAX_PAGES: usize = 1000;
/// Items that a denied batch still lists as it took them are due again once two readings this far apart agree.
const DENIED_STAYS: Duration = Duration::hours(1);

/// Claims one batch, reads it and applies what PayPal says. False when nothing was due.
pub async fn next(app: &App) -> anyhow::Result<bool> {
    let Some(claimed) = claim::to_read(app).await? else { return Ok(false) };
    let lease = claimed.lease;
    match holding(app, lease, read(app, &claimed)).await {
        Ok(Ok(status)) => {
            crash_point("before_settle");
            settle(app, &claimed, &status).await?;
            crash_point("after_settle");
        }
        Ok(Err(error)) => put_off(app, &claimed, &error).await?,
        // What was read cannot be written down. It is not asked for again and again, and people see why.
        Err(error) => put_off(app, &claimed, &ReadError::Failed(format!("it could not be kept: {error:#}"))).await?,
    }
    app.wake.notify_waiters();
    Ok(true)
}

/// All pages, each applied as it comes. The batch's own status is that of the first page.
async fn read(app: &App, claimed: &ClaimedReading) -> anyhow::Result<Result<BatchStatus, ReadError>> {
    let lease = claimed.lease;
    let mut tx = app.database.merchant(lease.merchant).await?;
    let credentials = connection::credentials(&mut tx, &app.vault, claimed.connection).await?;
    drop(tx);
    let Some(credentials) = credentials else { return Ok(Err(ReadError::Refused("the connection is gone".into()))) };
    cancel::carry_out(app, lease, &credentials).await?;
    let mut status = None;
    for number in 1..=MAX_PAGES {
        let page = match app.paypal.show_batch(&credentials, &claimed.paypal, number).await {
            Ok(page) => page,
            Err(error) => return Ok(Err(error)),
        };
        apply(app, lease, &page).await?;
        crash_point("mid_page");
        let last = is_last(&page, number);
        status.get_or_insert(page.status);
        if last {
            break;
        }
    }
    Ok(Ok(status.expect("at least one page was read")))
}

async fn apply(app: &App, lease: Lease, page: &BatchPage) -> anyhow::Result<()> {
    let mut tx = app.database.merchant(lease.merchant).await?;
    ensure_held(&mut tx, lease).await?;
    facts::apply(&mut tx, lease.batch, Source::Read, &page.items, app.clock.now()).await?;
    tx.commit().await?;
    Ok(())
}

pub(super) async fn ensure_held(tx: &mut Tx, lease: Lease) -> anyhow::Result<()> {
    let merchant = tx.merchant();
    let held = sqlx::query_scalar!(
        "select 1 as one from payout_batches where merchant_id = $1 and id = $2 and fence = $3 for update",
        merchant.0,
        lease.batch.0,
        lease.fence
    )
    .fetch_optional(&mut **tx)
    .await?;
    ensure!(held.is_some(), "the lease on batch {} was lost while it was being read", lease.batch);
    Ok(())
}

/// After the last page: what the batch's own status means for its items, what is due again, and when to look next.
async fn settle(app: &App, claimed: &ClaimedReading, status: &BatchStatus) -> anyhow::Result<()> {
    let (lease, now) = (claimed.lease, app.clock.now());
    let mut tx = app.database.merchant(lease.merchant).await?;
    ensure_held(&mut tx, lease).await?;
    let merchant = tx.merchant();
    let before = sqlx::query!(
        "select paypal_status, changed_at, settled_at from payout_batches where merchant_id = $1 and id = $2",
        merchant.0,
        lease.batch.0
    )
    .fetch_one(&mut *tx)
    .await?;
    let same = before.paypal_status.as_deref() == Some(status.word());
    if let Some(why) = not_processed(status) {
        let again = same && now - before.changed_at >= DENIED_STAYS;
        facts::unpay_denied(&mut tx, lease.batch, why, again, now).await?;
    }
    if status.is_final() {
        release(&mut tx, lease.batch, now).await?;
    }
    let (unlisted, expected) = expected(&mut tx, lease, now).await?;
    // An item that a finished batch does not list is still expected: the batch stays in flight.
    let settled_at = before.settled_at.or((status.is_final() && !unlisted).then_some(now));
    let next = match settled_at {
        None => expected.cancel.into_iter().chain([now + read_after(claimed.polls)]).min(),
        Some(settled) => watch_next(settled, now, &expected),
    };
    write_look(&mut tx, lease, status, settled_at, next, now).await?;
    pause::readable(&mut tx, claimed.connection).await?;
    if !same {
        tell(&mut tx, lease.batch, Source::Read, &format!("PayPal: {}", status.word()), None, now).await?;
    }
    if next.is_none() {
        tell(&mut tx, lease.batch, Source::Read, "closed", None, now).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Whether items are still to be listed, and what else is expected. Times are told by the hour: a large batch is paid
/// over many readings, and need not be looked at again as often.
async fn expected(tx: &mut Tx, lease: Lease, now: OffsetDateTime) -> sqlx::Result<(bool, Expected)> {
    let merchant = tx.merchant();
    let row = sqlx::query!(
        r#"
        select
            coalesce(bool_or(state = 'queued'), false) as "unlisted!",
            coalesce(bool_or(wait in ('processing', 'on_hold')), false) as "processing!",
            coalesce(bool_or(wait = 'unclaimed'), false) as "unclaimed!",
            array_agg(distinct date_trunc('hour', changed_at) + interval '1 hour')
                filter (where state = 'paid' and changed_at > $3) as paid,
            array_agg(distinct date_trunc('hour', changed_at) + interval '1 hour')
                filter (where not_paid = 'blocked' and confirmed_at is null and decided is null) as blocked,
            min(cancel_at) filter (where wait = 'unclaimed') as cancel
        from payout_items
        where merchant_id = $1 and batch_id = $2
        "#,
        merchant.0,
        lease.batch.0,
        now - Duration::days(11)
    )
    .fetch_one(&mut **tx)
    .await?;
    let expected = Expected {
        processing: row.processing,
        unclaimed: row.unclaimed,
        paid: row.paid.unwrap_or_default(),
        blocked: row.blocked.unwrap_or_default(),
        cancel: row.cancel,
    };
    Ok((row.unlisted, expected))
}

/// Of a denied or cancelled batch nothing was processed.
fn not_processed(status: &BatchStatus) -> Option<&'static str> {
    match status {
        BatchStatus::Denied => Some("batch_denied"),
        BatchStatus::Canceled => Some("batch_canceled"),
        BatchStatus::Pending | BatchStatus::Processing | BatchStatus::Success | BatchStatus::Other(_) => None,
    }
}

async fn write_look(
    tx: &mut Tx,
    lease: Lease,
    status: &BatchStatus,
    settled_at: Option<OffsetDateTime>,
    next: Option<OffsetDateTime>,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    let merchant = tx.merchant();
    sqlx::query!(
        r#"
        update payout_batches
        set paypal_status = $4,
            settled_at = $5,
            look_at = $6,
            state = case when $6::timestamptz is null then 'closed' else state end,
            changed_at = case when paypal_status is distinct from $4 or $6::timestamptz is null then $7 else changed_at end,
            trouble = null,
            trouble_since = null,
            owner = null
        where merchant_id = $1 and id = $2 and fence = $3 and state = 'accepted'
        "#,
        merchant.0,
        lease.batch.0,
        lease.fence,
        status.word(),
        settled_at,
        next,
        now
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Nothing could be read: nothing changes but the time of the next look.
async fn put_off(app: &App, claimed: &ClaimedReading, error: &ReadError) -> anyhow::Result<()> {
    let (lease, now) = (claimed.lease, app.clock.now());
    let wait = match error {
        ReadError::TooMany => Duration::minutes(1),
        ReadError::Refused(_) => Duration::minutes(15),
        ReadError::NotFound | ReadError::Failed(_) => read_after(claimed.polls).max(Duration::seconds(5)),
    };
    tracing::warn!(batch.id = %lease.batch, %error, "batch {} could not be read", lease.batch);
    let mut tx = app.database.merchant(lease.merchant).await?;
    let merchant = tx.merchant();
    sqlx::query!(
        r#"
        update payout_batches
        set look_at = $4, trouble = $5, trouble_since = coalesce(trouble_since, $6), owner = null
        where merchant_id = $1 and id = $2 and fence = $3 and state = 'accepted'
        "#,
        merchant.0,
        lease.batch.0,
        lease.fence,
        now + wait,
        error.to_string(),
        now
    )
    .execute(&mut *tx)
    .await?;
    if let ReadError::Refused(name) = error {
        pause::unreadable(&mut tx, claimed.connection, name, now).await?;
    }
    tx.commit().await?;
    Ok(())
}
