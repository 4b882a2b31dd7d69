//! Step 2, and the same for reading: a batch that is due is taken with a lease and a higher fence.
//!
//! Claims look across all merchants, so this file takes on the installation's role. Whoever holds a claim renews it
//! while it works; every later write names the fence it expects, so a holder that slept past its lease writes nothing.

use super::batch::{LEASE, RESEND_WINDOW};
use super::lease::{FolderLease, Lease};
use crate::app::App;
use crate::id::{BatchId, ConnectionId, DropzoneId, MerchantId};
use crate::money::Currency;
use crate::paypal::PayPalBatchId;
use anyhow::ensure;
use bytes::Bytes;
use time::{Duration, OffsetDateTime};

/// An instance whose clock is further than this from the database's does not claim.
const MAX_CLOCK_DIFFERENCE: Duration = Duration::minutes(1);

/// What comes of a batch is known by then, or its sender is gone: while payments wait, the next one may try.
const LONGEST_TRY: Duration = Duration::minutes(3);

/// A committed claim to send. Made only here and consumed by the sending, so that no code can call PayPal without one.
#[derive(Debug)]
pub struct ClaimedBatch {
    pub(super) lease: Lease,
    pub(super) connection: ConnectionId,
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
    pub(super) connection: ConnectionId,
    pub(super) paypal: PayPalBatchId,
    pub(super) polls: i32,
}

/// A committed claim to put a file. Made only here, so that none is put without one.
#[derive(Debug)]
pub struct ClaimedFile {
    pub(super) lease: Lease,
    pub(super) dropzone: DropzoneId,
    pub(super) name: String,
    pub(super) bytes: u64,
    pub(super) attempts: i32,
    /// When an earlier put began whose end is not known.
    pub(super) put_at: Option<OffsetDateTime>,
    /// An earlier attempt's fate is not known.
    pub(super) doubted: bool,
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
    Ok(Some(ClaimedBatch {
        lease: Lease { merchant: row.merchant, batch: row.batch, fence: row.fence },
        connection: row.connection,
        sender_batch_id: row.sender_batch_id,
        body: row.body.into(),
        currency: row.currency,
        attempts: row.attempts,
        doubted: row.doubted,
    }))
}

/// Takes the file that has waited longest to be put, inside its window. Taking over a lapsed attempt is doubt only if
/// its put had begun.
pub async fn to_upload(app: &App) -> anyhow::Result<Option<ClaimedFile>> {
    let now = app.clock.now();
    let mut tx = app.database.installation().await?;
    let row = sqlx::query_file!(
        "src/payout/claim_to_upload.sql",
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
    Ok(Some(ClaimedFile {
        lease: Lease { merchant: row.merchant, batch: row.batch, fence: row.fence },
        dropzone: row.dropzone,
        name: row.name,
        bytes: u64::try_from(row.bytes)?,
        attempts: row.attempts,
        put_at: row.put_at,
        doubted: row.doubted,
    }))
}

/// Takes the DropZone account whose folders have waited longest to be read, where anything is waited for.
pub async fn to_list(app: &App) -> anyhow::Result<Option<FolderLease>> {
    let now = app.clock.now();
    let mut tx = app.database.installation().await?;
    let row = sqlx::query!(
        r#"
        with next as (
            select d.merchant_id, d.id
            from dropzones d
            where d.private_key is not null
                and d.user_name is not null
                and d.look_at <= $1
                and exists (
                    select from payout_batches b
                    where b.merchant_id = d.merchant_id
                        and b.dropzone_id = d.id
                        and (b.state in ('submitting', 'accepted', 'stuck') or (b.state = 'refused' and b.changed_at > $4))
                )
            order by d.look_at
            limit 1
            for update skip locked
        )
        update dropzones d
        set fence = d.fence + 1, owner = $2, look_at = $3
        from next
        where d.merchant_id = next.merchant_id and d.id = next.id
        returning d.merchant_id as "merchant: MerchantId", d.id as "dropzone: DropzoneId", d.fence
        "#,
        now,
        app.instance.0,
        now + LEASE,
        now - super::file::FINAL_OVERDUE
    )
    .fetch_optional(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(row.map(|row| FolderLease { merchant: row.merchant, dropzone: row.dropzone, fence: row.fence }))
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
        lease: Lease { merchant: row.merchant, batch: row.batch, fence: row.fence },
        connection: row.connection,
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
        where state in ('ready', 'submitting') and look_at <= $1 and first_attempt_at <= $2
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
