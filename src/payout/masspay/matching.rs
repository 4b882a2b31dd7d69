//! What a line of the past is about: whose payment, whether it is here already, and which commissions it paid.

use super::{End, Matched, NotTaken, Past, Taken};
use crate::database::Tx;
use crate::id::AffiliateId;
use rust_decimal::Decimal;
use uuid::Uuid;

/// Why a payment cannot come in beside those that come in with it.
fn beside(matched: &[Matched<'_>], affiliate: AffiliateId, past: &Past) -> Option<NotTaken> {
    matched.iter().find_map(|other| match () {
        () if past.transaction.is_some() && past.transaction == other.past.transaction => Some(NotTaken::OtherPayment),
        () if affiliate == other.affiliate && past.may_be(other.past) => Some(NotTaken::Unnamed),
        () => None,
    })
}

/// What came of looking.
pub(super) enum Found {
    Here(Taken),
    Owed(AffiliateId, Vec<Uuid>),
    Not(NotTaken),
}

/// Looks for it here, and else for what it paid of what is owed.
pub(super) async fn find(tx: &mut Tx, past: &Past, matched: &[Matched<'_>]) -> sqlx::Result<Found> {
    let merchant = tx.merchant();
    let affiliate = match affiliate(tx, &past.email).await? {
        Ok(affiliate) => affiliate,
        // Whoever it was, nothing was paid.
        Err(NotTaken::NoAffiliate) if past.end == End::NotPaid => return Ok(Found::Here(Taken::NotPaid)),
        Err(why) => return Ok(Found::Not(why)),
    };
    if let Some(here) = here(tx, affiliate, past).await? {
        return Ok(here.map_or_else(Found::Not, Found::Here));
    }
    if let Some(why) = beside(matched, affiliate, past) {
        return Ok(Found::Not(why));
    }
    if past.end == End::NotPaid {
        return Ok(Found::Here(Taken::NotPaid));
    }
    let owed = sqlx::query!(
        r#"
        select o.commission_id, o.amount, o.due_on, c.reference
        from owed o
        join commissions c on c.merchant_id = o.merchant_id and c.id = o.commission_id
        where o.merchant_id = $1 and o.affiliate_id = $2 and o.currency = $3
        order by o.due_on, o.commission_id
        "#,
        merchant.0,
        affiliate.0,
        past.amount.currency().code()
    )
    .fetch_all(&mut **tx)
    .await?;
    let amount = past.amount.amount();
    let pick = |picked: Vec<(Uuid, Decimal)>| {
        let sum: Decimal = picked.iter().map(|(_, amount)| *amount).sum();
        (sum == amount).then(|| picked.into_iter().map(|(id, _)| id).collect::<Vec<_>>())
    };
    let chosen = if past.references.is_empty() {
        // All that was due then, else the only one of this amount.
        let due: Vec<_> = owed.iter().filter(|one| one.due_on <= past.on).collect();
        let exact: Vec<_> = due.iter().filter(|one| one.amount == amount).map(|one| one.commission_id).collect();
        match pick(due.iter().map(|one| (one.commission_id, one.amount)).collect()) {
            Some(all) => Ok(all),
            None if exact.len() == 1 => Ok(exact),
            None if exact.is_empty() => Err(NotTaken::NotOwed),
            None => Err(NotTaken::Ambiguous),
        }
    } else {
        let named = owed.iter().filter(|one| past.references.contains(&one.reference));
        let named: Vec<_> = named.map(|one| (one.commission_id, one.amount)).collect();
        (named.len() == past.references.len()).then_some(named).and_then(pick).ok_or(NotTaken::References)
    };
    Ok(chosen.map_or_else(Found::Not, |commissions| Found::Owed(affiliate, commissions)))
}

/// Whose e-mail this is, else the only one whom money goes to there.
async fn affiliate(tx: &mut Tx, email: &str) -> sqlx::Result<Result<AffiliateId, NotTaken>> {
    let merchant = tx.merchant();
    let found = sqlx::query!(
        r#"
        select id as "id: AffiliateId", coalesce(lower(email) = lower($2), false) as "by_email!"
        from affiliates
        where merchant_id = $1 and (lower(email) = lower($2) or lower(paypal_email) = lower($2))
        order by 2 desc
        limit 2
        "#,
        merchant.0,
        email
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(match found.as_slice() {
        [] => Err(NotTaken::NoAffiliate),
        [one] => Ok(one.id),
        [one, ..] if one.by_email => Ok(one.id),
        [..] => Err(NotTaken::Shared),
    })
}

/// What is here of this payment, if anything: it stands as the file says, or why that has to be looked at.
async fn here(tx: &mut Tx, affiliate: AffiliateId, past: &Past) -> sqlx::Result<Option<Result<Taken, NotTaken>>> {
    let merchant = tx.merchant();
    // The one with the same id first, or the one that has none either.
    let found = sqlx::query!(
        r#"
        select
            i.transaction_id is not distinct from $5 as "same_id!",
            (i.affiliate_id = $2 and i.currency = $3 and i.amount = $4) as "same!",
            i.state
        from payout_items i
        join payout_batches b on b.merchant_id = i.merchant_id and b.id = i.batch_id
        join merchant_zones z on z.merchant_id = i.merchant_id
        where i.merchant_id = $1
            and (i.transaction_id = $5
                or ($5::text is null or i.transaction_id is null)
                    and b.legacy and i.affiliate_id = $2 and i.currency = $3 and i.amount = $4
                    and (i.time_processed at time zone z.zone)::date = $6)
        order by 1 desc
        limit 1
        "#,
        merchant.0,
        affiliate.0,
        past.amount.currency().code(),
        past.amount.amount(),
        past.transaction,
        past.on
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(found.map(|found| match (found.same_id, found.same) {
        (true, true) => stands(&found.state, past.end),
        (true, false) => Err(NotTaken::OtherPayment),
        (false, _) => Err(NotTaken::Unnamed),
    }))
}

/// A payment that is here in this state, beside what the file says of it. Only a person changes what is here.
fn stands(here: &str, end: End) -> Result<Taken, NotTaken> {
    match (here, end) {
        ("paid", End::Arrived) | ("unpaid", End::Unknown | End::NotPaid) => Ok(Taken::Known),
        ("paid", End::Unknown | End::NotPaid) => Err(NotTaken::PaidHere),
        ("unpaid", End::Arrived) => Err(NotTaken::PutBackHere),
        (_, End::Unknown) => Ok(Taken::Known),
        (_, End::Arrived | End::NotPaid) => Err(NotTaken::WaitsHere),
    }
}
