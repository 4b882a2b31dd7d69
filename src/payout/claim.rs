//! Step 2, and the same for reading: a batch that is due is taken with a lease and a higher fence.
//!
//! Claims look across all merchants, so this file takes on the installation's role. Whoever holds a claim renews it
//! while it works; every later write names the fence it expects, so a holder that slept past its lease writes nothing.

use super::batch::{LEASE, LEASE_RENEWAL, RESEND_WINDOW};
use crate::app::App;
use crate::id::{BatchId, ConnectionId, MerchantId};
use crate::money::Currency;
use crate::paypal::PayPalBatchId;
use anyhow::ensure;
use bytes::Bytes;
use time::{Duration, OffsetDateTime};

/// An instance whose clock is further than this from the database's does not claim.
const MAX_CLOCK_DIFFERENCE: Duration = Duration::minutes(1);

/// What comes of a batch is known by then, or its sender is gone: while payments wait, the next one may try.
const LONGEST_TRY: Duration = Duration::minutes(3);

/// A lease on one batch.
#[derive(Debug, Clone, Copy)]
pub struct Lease {
    pub(super) merchant: MerchantId,
    pub(super) batch: BatchId,
    pub(super) connection: ConnectionId,
    pub(super) fence: i64,
}

/// A committed claim to send. Made only here and consumed by the sending, so that no code can call PayPal without one.
#[derive(Debug)]
pub struct ClaimedBatch {
    pub(super) lease: Lease,
    pub(super) sender_batch_id: String,
    pub(super) body: Bytes,
    pub(super) currency: Currency,
    pub(super) attempts: i32,
    /// An earlier attempt's fate is not known.
    pub(super) doubted: bool,
}

/// A committed claim to read.
#[derive(Debug)]
pub struct ClaimedReading {
    pub(super) lease: Lease,
    pub(super) paypal: PayPalBatchId,
    pub(super) polls: i32,
}

/// Takes the batch that has waited longest to be sent, inside its window. Taking over a lapsed attempt is doubt: the
/// crashed one may have reached PayPal.
pub async fn to_send(app: &App) -> anyhow::Result<Option<ClaimedBatch>> {
    let now = app.clock.now();
    let mut tx = app.database.installation().await?;
    let row = sqlx::query_file!(
        "src/payout/claim_to_send.sql",
        now,
        now - RESEND_WINDOW,
        app.instance.0,
        now + LEASE,
        now + LONGEST_TRY
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(row) = row else { return Ok(None) };
    ensure_same_time(app, row.database_now)?;
    tx.commit().await?;
    let lease = Lease { merchant: row.merchant, batch: row.batch, connection: row.connection, fence: row.fence };
    Ok(Some(ClaimedBatch {
        lease,
        sender_batch_id: row.sender_batch_id,
        body: row.body.into(),
        currency: row.currency,
        attempts: row.attempts,
        doubted: row.doubted,
    }))
}

/// Takes the accepted batch that has waited longest to be read.
pub async fn to_read(app: &App) -> anyhow::Result<Option<ClaimedReading>> {
    let now = app.clock.now();
    let mut tx = app.database.installation().await?;
    let row = sqlx::query!(
        r#"
        with next as (
            select b.merchant_id, b.id
            from payout_batches b
            join connections c on c.merchant_id = b.merchant_id and c.id = b.connection_id
            where b.state = 'accepted' and b.rail = 'api' and b.look_at <= $1 and c.secret is not null
            order by b.look_at
            limit 1
            for update of b skip locked
        )
        update payout_batches b
        set fence = b.fence + 1, owner = $2, polls = b.polls + 1, look_at = $3
        from next
        where b.merchant_id = next.merchant_id and b.id = next.id
        returning
            b.merchant_id as "merchant: MerchantId",
            b.id as "batch: BatchId",
            b.connection_id as "connection!: ConnectionId",
            b.fence,
            b.paypal_batch_id as "paypal!: PayPalBatchId",
            b.polls
        "#,
        now,
        app.instance.0,
        now + LEASE
    )
    .fetch_optional(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(row.map(|row| ClaimedReading {
        lease: Lease { merchant: row.merchant, batch: row.batch, connection: row.connection, fence: row.fence },
        paypal: row.paypal,
        polls: row.polls,
    }))
}

/// A batch whose window has closed without an answer, as it was seen: with this fence, and in doubt or not.
#[derive(Debug)]
pub(super) struct Expired {
    pub(super) merchant: MerchantId,
    pub(super) batch: BatchId,
    pub(super) fence: i64,
    pub(super) doubted: bool,
}

/// Batches whose window has closed.
pub(super) async fn expired(app: &App) -> anyhow::Result<Vec<Expired>> {
    let now = app.clock.now();
    let mut tx = app.database.installation().await?;
    let database_now = sqlx::query_scalar!(r#"select clock_timestamp() as "now!""#).fetch_one(&mut *tx).await?;
    ensure_same_time(app, database_now)?;
    let expired = sqlx::query_as!(
        Expired,
        r#"
        select
            merchant_id as "merchant: MerchantId",
            id as "batch: BatchId",
            fence,
            (state = 'submitting' or doubted_at is not null) as "doubted!"
        from payout_batches
        where state in ('ready', 'submitting') and rail = 'api' and look_at <= $1 and first_attempt_at <= $2
        order by look_at
        limit 100
        "#,
        now,
        now - RESEND_WINDOW
    )
    .fetch_all(&mut *tx)
    .await?;
    Ok(expired)
}

fn ensure_same_time(app: &App, database_now: OffsetDateTime) -> anyhow::Result<()> {
    let difference = (app.clock.system_now() - database_now).abs();
    ensure!(
        difference <= MAX_CLOCK_DIFFERENCE,
        "this machine's clock is {} seconds away from the database's, so nothing is sent from here: set the clock",
        difference.whole_seconds()
    );
    Ok(())
}

/// Does the work while the lease is renewed beside it.
pub(super) async fn holding<T>(app: &App, lease: Lease, work: impl Future<Output = T>) -> T {
    let renewal = tokio::spawn({
        let app = app.clone();
        async move {
            loop {
                tokio::time::sleep(LEASE_RENEWAL).await;
                if let Err(error) = renew(&app, lease).await {
                    tracing::warn!(batch.id = %lease.batch, %error, "the lease of batch {} could not be renewed", lease.batch);
                }
            }
        }
    });
    let _stop = AbortOnDrop(renewal);
    work.await
}

struct AbortOnDrop(tokio::task::JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The last look before the bytes leave: the lease is still ours and begins anew, and the window is open. Whoever slept
/// since the claim, for seconds or for days, is stopped here.
pub(super) async fn confirm(app: &App, lease: Lease) -> anyhow::Result<()> {
    let now = app.clock.now();
    let mut tx = app.database.merchant(lease.merchant).await?;
    let confirmed = sqlx::query!(
        r#"
        update payout_batches
        set look_at = $4
        where merchant_id = $1
            and id = $2
            and fence = $3
            and owner = $5
            and state = 'submitting'
            and first_attempt_at > $6
        "#,
        lease.merchant.0,
        lease.batch.0,
        lease.fence,
        now + LEASE,
        app.instance.0,
        now - RESEND_WINDOW
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    ensure!(
        confirmed.rows_affected() == 1,
        "batch {} is not sent: the lease was lost, or its window has closed",
        lease.batch
    );
    Ok(())
}

async fn renew(app: &App, lease: Lease) -> sqlx::Result<()> {
    let mut tx = app.database.merchant(lease.merchant).await?;
    sqlx::query!(
        r#"
        update payout_batches
        set look_at = $4
        where merchant_id = $1 and id = $2 and fence = $3 and owner = $5 and state in ('submitting', 'accepted')
        "#,
        lease.merchant.0,
        lease.batch.0,
        lease.fence,
        app.clock.now() + LEASE,
        app.instance.0
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await
}
