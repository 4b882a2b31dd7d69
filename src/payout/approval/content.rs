//! All that will be paid, in one value: by which way, with which words, to whom, where, how much, and for which
//! commissions. It is shown to whoever approves, and computed again when they do.

use crate::database::Tx;
use crate::id::RequestId;
use futures_util::TryStreamExt;
use sha2::{Digest, Sha256};

/// Computed from the rows, as they stand.
pub(super) async fn digest(tx: &mut Tx, request: RequestId) -> anyhow::Result<[u8; 32]> {
    let merchant = tx.merchant();
    let mut all = Sha256::new();
    let head = sqlx::query!(
        "select rail, subject, message from payout_requests where merchant_id = $1 and id = $2",
        merchant.0,
        request.0
    )
    .fetch_one(&mut **tx)
    .await?;
    // Each part is preceded by its length, so that no two contents read alike.
    let mut add = |part: &str| all.update(format!("{} {part}\n", part.len()));
    [&head.rail, &head.subject, &head.message].into_iter().for_each(|part| add(part));
    let batches = sqlx::query!(
        r#"
        select
            currency, items, total, environment, sender_batch_id,
            coalesce(connection_id, dropzone_id)::text as link,
            encode(body_sha256, 'hex') as "body!"
        from payout_batches
        where merchant_id = $1 and request_id = $2
        order by part
        "#,
        merchant.0,
        request.0
    )
    .fetch_all(&mut **tx)
    .await?;
    for batch in batches {
        let link = batch.link.unwrap_or_default();
        add(&format!("{} {} in {} payments, {} {link}", batch.currency, batch.total, batch.items, batch.environment));
        add(&format!("{} {}", batch.sender_batch_id, batch.body));
    }
    let mut items = sqlx::query!(
        r#"
        with paid as (
            select l.item_id, encode(sha256(string_agg(uuid_send(l.commission_id), '' order by l.commission_id)), 'hex') as commissions
            from payout_batches b
            join payout_items i on i.merchant_id = b.merchant_id and i.batch_id = b.id
            join allocations l on l.merchant_id = i.merchant_id and l.item_id = i.id and l.released_at is null
            where b.merchant_id = $1 and b.request_id = $2
            group by l.item_id
        )
        select i.affiliate_id, i.currency, i.amount, i.receiver, i.sender_item_id, p.commissions as "commissions!"
        from payout_batches b
        join payout_items i on i.merchant_id = b.merchant_id and i.batch_id = b.id
        join paid p on p.item_id = i.id
        where b.merchant_id = $1 and b.request_id = $2
        order by b.part, i.affiliate_id
        "#,
        merchant.0,
        request.0
    )
    .fetch(&mut **tx);
    while let Some(item) = items.try_next().await? {
        let whom = format!("{} {} {}", item.affiliate_id, item.currency, item.amount);
        add(&format!("{whom} {} {} {}", item.receiver, item.sender_item_id, item.commissions));
    }
    drop(items);
    Ok(all.finalize().into())
}
