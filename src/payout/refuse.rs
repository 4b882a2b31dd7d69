//! A batch that PayPal never took: its commissions are due again, and the affiliates that PayPal named are marked.

use super::adopt::FrozenBody;
use super::store::{Source, release};
use crate::database::Tx;
use crate::id::BatchId;
use crate::paypal::Refusal;
use anyhow::ensure;
use time::OffsetDateTime;

/// An item that a refusal names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NamedItem {
    sender_item_id: String,
    /// PayPal's words.
    issue: String,
    /// Whether it is the address that PayPal does not take.
    receiver: bool,
}

impl NamedItem {
    /// An item that the answer to a file names.
    pub(super) fn of_file(sender_item_id: String, name: &str, text: &str) -> Self {
        let about = name.to_ascii_uppercase();
        let issue = if text.is_empty() { name } else { text };
        Self {
            sender_item_id,
            issue: issue.chars().take(500).collect(),
            receiver: about.contains("RECIPIENT") || about.contains("RECEIVER"),
        }
    }
}

/// Finds the items that a refusal names ("items[3].receiver") in the bytes it refused.
pub(super) fn name_items(body: &[u8], refusal: &Refusal) -> Vec<NamedItem> {
    let frozen: FrozenBody = serde_json::from_slice(body).expect("we wrote this body");
    let named = refusal.details.iter().filter_map(|detail| {
        let item = frozen.items.get(detail.item()?)?;
        let issue = if detail.description.is_empty() { &detail.issue } else { &detail.description };
        Some(NamedItem {
            sender_item_id: item.sender_item_id.clone(),
            issue: issue.chars().take(500).collect(),
            receiver: detail.field.to_ascii_lowercase().ends_with("receiver"),
        })
    });
    named.collect()
}

/// Ends a batch that certainly is not at PayPal, and frees what it held. Only while its fence is the one that the caller
/// has seen: whoever took it since may be handing it to PayPal right now.
pub(super) async fn refuse(
    tx: &mut Tx,
    batch: BatchId,
    fence: i64,
    source: Source,
    refusal: &Refusal,
    named: &[NamedItem],
    now: OffsetDateTime,
) -> anyhow::Result<()> {
    let merchant = tx.merchant();
    let details = serde_json::json!({ "message": refusal.message, "details": refusal.details });
    let changed = sqlx::query!(
        r#"
        update payout_batches
        set state = 'refused', why = $4, why_details = $5, look_at = null, changed_at = $6, owner = null
        where merchant_id = $1
            and id = $2
            and fence = $3
            and state in ('submitting', 'ready')
            and doubted_at is null
        "#,
        merchant.0,
        batch.0,
        fence,
        refusal.name,
        details,
        now
    )
    .execute(&mut **tx)
    .await?;
    ensure!(changed.rows_affected() == 1, "batch {batch} has moved on");
    unpay(tx, batch, source, refusal, named, now).await?;
    mark_affiliates(tx, batch, named, now).await?;
    release(tx, batch, now).await?;
    Ok(())
}

async fn unpay(
    tx: &mut Tx,
    batch: BatchId,
    source: Source,
    refusal: &Refusal,
    named: &[NamedItem],
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    let merchant = tx.merchant();
    let (source, person) = source.columns();
    let ids: Vec<_> = named.iter().map(|item| item.sender_item_id.clone()).collect();
    let issues: Vec<_> = named.iter().map(|item| item.issue.clone()).collect();
    sqlx::query!(
        r#"
        with unpaid as (
            update payout_items i
            set state = 'unpaid',
                not_paid = 'batch_refused',
                error_name = case when n.issue is not null then $3 end,
                error_message = n.issue,
                changed_at = $4
            from payout_items self
            left join unnest($5::text[], $6::text[]) as n (sender_item_id, issue)
                on n.sender_item_id = self.sender_item_id
            where i.merchant_id = $1
                and i.batch_id = $2
                and self.merchant_id = i.merchant_id
                and self.id = i.id
            returning i.id, i.error_message
        )
        insert into payout_history (merchant_id, batch_id, item_id, at, source, person_id, was, became, evidence)
        select $1, $2, id, $4, $7, $8, 'QUEUED', 'BATCH REFUSED', error_message
        from unpaid
        "#,
        merchant.0,
        batch.0,
        refusal.name,
        now,
        &ids,
        &issues,
        source,
        person
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Affiliates whose address PayPal named are not asked to be paid again until it changes.
async fn mark_affiliates(tx: &mut Tx, batch: BatchId, named: &[NamedItem], now: OffsetDateTime) -> sqlx::Result<()> {
    let merchant = tx.merchant();
    let receivers = || named.iter().filter(|item| item.receiver);
    let ids: Vec<_> = receivers().map(|item| item.sender_item_id.clone()).collect();
    let issues: Vec<_> = receivers().map(|item| item.issue.clone()).collect();
    sqlx::query!(
        r#"
        update affiliates a
        set receiver_refused = n.issue, updated_at = $3
        from payout_items i
        join unnest($4::text[], $5::text[]) as n (sender_item_id, issue) on n.sender_item_id = i.sender_item_id
        where a.merchant_id = $1
            and i.merchant_id = $1
            and i.batch_id = $2
            and a.id = i.affiliate_id
            and a.receiver = i.receiver
        "#,
        merchant.0,
        batch.0,
        now,
        &ids,
        &issues
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
