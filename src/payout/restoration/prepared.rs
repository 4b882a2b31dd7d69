//! Payments that the backup shows as waiting for a person. They are taken back: whoever still wants one asks for it anew
//! after the sign-off, and if one was let go since, its payments are found like the others that PayPal made meanwhile.

use crate::app::App;
use crate::audit::Actor;
use crate::id::{BatchId, MerchantId, RequestId};
use crate::payout::{approval, manual};
use time::OffsetDateTime;

/// As a sentence of its own, on the page of the payment.
const WHY: &str = "A backup was restored, and it may have been paid since.";

/// One transaction each: a file may be large. Nothing else lets them go meanwhile.
pub(super) async fn take_back(app: &App, merchant: MerchantId, now: OffsetDateTime) -> anyhow::Result<()> {
    let actor = Actor { person: None, address: None, at: now };
    loop {
        let mut tx = app.database.merchant(merchant).await?;
        let found = sqlx::query!(
            r#"
            select id as "batch: BatchId", request_id as "request: RequestId", waits_for_approval
            from payout_batches
            where merchant_id = $1 and state = 'prepared'
            limit 1
            "#,
            merchant.0
        )
        .fetch_optional(&mut *tx)
        .await?;
        match found {
            None => return Ok(()),
            Some(found) if found.waits_for_approval => approval::take_back(tx, &actor, found.request, WHY).await?,
            Some(found) => manual::take_back(tx, &actor, found.batch, WHY).await?,
        }
    }
}
