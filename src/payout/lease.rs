//! What is claimed is held for a while, renewed while its work is done, and looked at once more before bytes leave.

use super::batch::{LEASE, LEASE_RENEWAL, RESEND_WINDOW};
use crate::app::App;
use crate::id::{BatchId, DropzoneId, MerchantId};
use anyhow::ensure;

/// A lease on one batch.
#[derive(Debug, Clone, Copy)]
pub struct Lease {
    pub(super) merchant: MerchantId,
    pub(super) batch: BatchId,
    pub(super) fence: i64,
}

/// A lease on a merchant's folders at the DropZone.
#[derive(Debug, Clone, Copy)]
pub struct FolderLease {
    pub(super) merchant: MerchantId,
    pub(super) dropzone: DropzoneId,
    pub(super) fence: i64,
}

/// Something that is held while its work is done.
#[derive(Debug, Clone, Copy)]
pub(super) enum Held {
    Batch(Lease),
    Folders(FolderLease),
}

impl From<Lease> for Held {
    fn from(lease: Lease) -> Self {
        Self::Batch(lease)
    }
}

impl From<FolderLease> for Held {
    fn from(lease: FolderLease) -> Self {
        Self::Folders(lease)
    }
}

/// Does the work while the lease is renewed beside it.
pub(super) async fn holding<T>(app: &App, lease: impl Into<Held>, work: impl Future<Output = T>) -> T {
    let held = lease.into();
    let renewal = tokio::spawn({
        let app = app.clone();
        async move {
            loop {
                tokio::time::sleep(LEASE_RENEWAL).await;
                let renewed = match held {
                    Held::Batch(lease) => renew(&app, lease).await,
                    Held::Folders(lease) => renew_folders(&app, lease).await,
                };
                if let Err(error) = renewed {
                    tracing::warn!(%error, "a lease could not be renewed: {held:?}");
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

/// The same before a file is put; with it is committed that a put begins.
pub(super) async fn confirm_put(app: &App, lease: Lease) -> anyhow::Result<()> {
    confirm(app, lease).await?;
    let mut tx = app.database.merchant(lease.merchant).await?;
    let noted = sqlx::query!(
        r#"
        update payout_files f
        set put_at = $4
        from payout_batches b
        where f.merchant_id = $1
            and f.batch_id = $2
            and b.merchant_id = f.merchant_id
            and b.id = f.batch_id
            and b.fence = $3
            and b.state = 'submitting'
        "#,
        lease.merchant.0,
        lease.batch.0,
        lease.fence,
        app.clock.now()
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    ensure!(noted.rows_affected() == 1, "batch {} is not sent: the lease was lost", lease.batch);
    Ok(())
}

async fn renew_folders(app: &App, lease: FolderLease) -> sqlx::Result<()> {
    let mut tx = app.database.merchant(lease.merchant).await?;
    sqlx::query!(
        "update dropzones set look_at = $4 where merchant_id = $1 and id = $2 and fence = $3 and owner = $5",
        lease.merchant.0,
        lease.dropzone.0,
        lease.fence,
        app.clock.now() + LEASE,
        app.instance.0
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await
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
