//! What a batch left unpaid, or a payment that nobody approved, as a selection: the way to a second payment is the review, as for the first.

use super::selection::insert_selection;
use crate::audit::Actor;
use crate::database::Tx;
use crate::id::{BatchId, ItemId, RequestId};
use time::Date;

/// Freezes what a finished batch, or one item of it, left unpaid and is due again. Affiliates whose address PayPal
/// refused are left out until it changes.
pub async fn select_unpaid(
    tx: &mut Tx,
    actor: &Actor,
    batch: BatchId,
    item: Option<ItemId>,
    through: Date,
) -> sqlx::Result<Option<RequestId>> {
    let id = insert_selection(tx, actor, through, Some(batch)).await?;
    let merchant = tx.merchant();
    let frozen = sqlx::query!(
        r#"
        insert into selected_commissions (merchant_id, selection_id, affiliate_id, currency, commission_id, amount)
        select o.merchant_id, $3, o.affiliate_id, o.currency, o.commission_id, o.amount
        from payout_items i
        join allocations l on l.merchant_id = i.merchant_id and l.item_id = i.id
        join owed o on o.merchant_id = l.merchant_id and o.commission_id = l.commission_id
        join affiliates a on a.merchant_id = i.merchant_id and a.id = i.affiliate_id
        where i.merchant_id = $1
            and i.batch_id = $2
            and i.state = 'unpaid'
            and ($4::uuid is null or i.id = $4)
            and a.status = 'active'
            and a.receiver_problem is null
            and a.receiver_refused is null
            and (a.held_until is null or a.held_until <= $5)
        "#,
        merchant.0,
        batch.0,
        id.0,
        item.map(|item| item.0),
        actor.at
    )
    .execute(&mut **tx)
    .await?
    .rows_affected();
    Ok((frozen > 0).then_some(id))
}

/// The same of all batches of a payment that nobody approved.
pub async fn select_request(
    tx: &mut Tx,
    actor: &Actor,
    request: RequestId,
    through: Date,
) -> sqlx::Result<Option<RequestId>> {
    let id = insert_selection(tx, actor, through, None).await?;
    let merchant = tx.merchant();
    let frozen = sqlx::query!(
        r#"
        insert into selected_commissions (merchant_id, selection_id, affiliate_id, currency, commission_id, amount)
        select o.merchant_id, $3, o.affiliate_id, o.currency, o.commission_id, o.amount
        from payout_batches b
        join payout_items i on i.merchant_id = b.merchant_id and i.batch_id = b.id
        join allocations l on l.merchant_id = i.merchant_id and l.item_id = i.id
        join owed o on o.merchant_id = l.merchant_id and o.commission_id = l.commission_id
        join affiliates a on a.merchant_id = i.merchant_id and a.id = i.affiliate_id
        where b.merchant_id = $1
            and b.request_id = $2
            and b.state = 'cancelled'
            and a.status = 'active'
            and a.receiver_problem is null
            and a.receiver_refused is null
            and (a.held_until is null or a.held_until <= $4)
        "#,
        merchant.0,
        request.0,
        id.0,
        actor.at
    )
    .execute(&mut **tx)
    .await?
    .rows_affected();
    Ok((frozen > 0).then_some(id))
}
