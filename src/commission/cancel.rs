//! Cancelling, before payment: what is being paid, or was, stays as it is. There are no negative amounts.

use super::standing::Standing;
use crate::audit::{self, Actor};
use crate::database::Tx;
use crate::id::CommissionId;
use serde_json::json;

/// What became of the commissions that somebody wanted to cancel.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cancelled {
    /// How many were cancelled now.
    pub cancelled: usize,
    /// Those that are not owed any more, and were left alone.
    pub kept: Vec<Kept>,
}

/// A commission that was left alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The merchant's own name for it.
    pub reference: String,
    /// Where it stands.
    pub standing: Standing,
    /// The number of the batch that has it.
    pub batch: Option<i64>,
}

/// Cancels those of these commissions that are still owed, for good. Removing the row in `owed` is what takes them: of
/// a payment and a cancellation that want one commission, the second finds it gone.
pub async fn cancel(tx: &mut Tx, actor: &Actor, ids: &[CommissionId], why: &str) -> sqlx::Result<Cancelled> {
    let merchant = tx.merchant();
    let ids: Vec<uuid::Uuid> = ids.iter().map(|id| id.0).collect();
    // A draft takes the same lock first, so that the two never wait for each other's rows crosswise.
    sqlx::query!("select id from merchants where id = $1 for no key update", merchant.0).fetch_one(&mut **tx).await?;
    let cancelled = sqlx::query_scalar!(
        r#"
        with taken as (
            delete from owed
            where merchant_id = $1 and commission_id = any($2)
            returning commission_id
        )
        update commissions c
        set cancelled_at = $3, cancelled_why = nullif($4, '')
        from taken
        where c.merchant_id = $1 and c.id = taken.commission_id
        returning c.reference
        "#,
        merchant.0,
        &ids,
        actor.at,
        why.trim()
    )
    .fetch_all(&mut **tx)
    .await?;
    let kept = sqlx::query_as!(
        Kept,
        r#"
        select
            c.reference,
            -- Owed again since: a payment failed just now.
            case s.standing when 'owed' then 'due' else s.standing end as "standing!: Standing",
            b.number as "batch?"
        from commissions c
        join commission_standings s on s.merchant_id = c.merchant_id and s.id = c.id
        left join payout_batches b on b.merchant_id = s.merchant_id and b.id = s.batch_id
        where c.merchant_id = $1 and c.id = any($2) and c.cancelled_at is distinct from $3
        order by c.id
        "#,
        merchant.0,
        &ids,
        actor.at
    )
    .fetch_all(&mut **tx)
    .await?;
    if !cancelled.is_empty() {
        let details = json!({ "references": cancelled, "why": why.trim() });
        audit::record(tx, actor, "commissions cancelled", &format!("{} commissions", cancelled.len()), details).await?;
    }
    Ok(Cancelled { cancelled: cancelled.len(), kept })
}
