//! One affiliate in the database: added, changed, archived; each with its audit entry in the same transaction.

use super::{Affiliate, Details, Problem, Status};
use crate::audit::{self, Actor};
use crate::database::Tx;
use crate::id::AffiliateId;
use serde_json::json;

/// What became of a change that a person asked for.
#[derive(Debug)]
pub enum Change {
    /// It was made.
    Made,
    /// Somebody else was faster: this is what they made of it.
    Stale(Box<Affiliate>),
    /// Another affiliate has the e-mail or code already.
    Taken(Problem),
}

/// The affiliate, if this merchant has it.
pub async fn find(tx: &mut Tx, id: AffiliateId) -> sqlx::Result<Option<Affiliate>> {
    let merchant = tx.merchant();
    sqlx::query_as!(
        Affiliate,
        r#"select id as "id: AffiliateId", email, first_name, last_name, code, paypal_email,
            status as "status: Status", created_at, receiver_changed_at, held_until, version
        from affiliates
        where merchant_id = $1 and id = $2"#,
        merchant.0,
        id.0
    )
    .fetch_optional(&mut **tx)
    .await
}

/// Adds an affiliate. After a problem the transaction is over and can only be dropped.
pub async fn add(tx: &mut Tx, actor: &Actor, details: &Details) -> sqlx::Result<Result<AffiliateId, Problem>> {
    let merchant = tx.merchant();
    let id = AffiliateId::new();
    let added = sqlx::query!(
        "insert into affiliates
            (merchant_id, id, email, first_name, last_name, code, paypal_email, created_at, updated_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $8)",
        merchant.0,
        id.0,
        details.email,
        details.first_name,
        details.last_name,
        details.code,
        details.paypal_email,
        actor.at
    )
    .execute(&mut **tx)
    .await;
    if let Err(error) = added {
        return taken(error).map(Err);
    }
    audit::record(tx, actor, "affiliate added", &object(id), json!({ "new": details })).await?;
    Ok(Ok(id))
}

/// Changes an affiliate that the person saw in this version; nothing if it does not exist. When the address that money
/// goes to becomes another, the time of that is kept: the review warns of it.
pub async fn change(
    tx: &mut Tx,
    actor: &Actor,
    id: AffiliateId,
    seen: i32,
    details: &Details,
) -> sqlx::Result<Option<Change>> {
    let Some(old) = find(tx, id).await? else { return Ok(None) };
    let merchant = tx.merchant();
    let changed = sqlx::query!(
        "update affiliates
        set email = $4, first_name = $5, last_name = $6, code = $7, paypal_email = $8, updated_at = $9,
            version = version + 1,
            receiver_changed_at = case
                when lower(coalesce(paypal_email, email)) is distinct from lower(coalesce($8, $4)) then $9
                else receiver_changed_at
            end,
            receiver_changed_by = case
                when lower(coalesce(paypal_email, email)) is distinct from lower(coalesce($8, $4)) then $10
                else receiver_changed_by
            end
        where merchant_id = $1 and id = $2 and version = $3",
        merchant.0,
        id.0,
        seen,
        details.email,
        details.first_name,
        details.last_name,
        details.code,
        details.paypal_email,
        actor.at,
        actor.person.map(|person| person.0)
    )
    .execute(&mut **tx)
    .await;
    let rows = match changed {
        Ok(done) => done.rows_affected(),
        Err(error) => return taken(error).map(|problem| Some(Change::Taken(problem))),
    };
    if rows == 0 {
        // Read again: what was read first may be older than what the update met.
        let current = find(tx, id).await?;
        return Ok(current.map(|current| Change::Stale(Box::new(current))));
    }
    assert!(rows == 1, "an update by primary key changed {rows} rows");
    let old = Details {
        email: old.email,
        first_name: old.first_name,
        last_name: old.last_name,
        code: old.code,
        paypal_email: old.paypal_email,
    };
    audit::record(tx, actor, "affiliate changed", &object(id), json!({ "old": old, "new": details })).await?;
    Ok(Some(Change::Made))
}

/// Archives an affiliate or takes it back; says whether there is such an affiliate. Twice is as good as once.
pub async fn set_status(tx: &mut Tx, actor: &Actor, id: AffiliateId, status: Status) -> sqlx::Result<bool> {
    let merchant = tx.merchant();
    let done = sqlx::query!(
        "update affiliates
        set status = $3, updated_at = $4, version = version + 1
        where merchant_id = $1 and id = $2 and status <> $3",
        merchant.0,
        id.0,
        status.name(),
        actor.at
    )
    .execute(&mut **tx)
    .await?;
    if done.rows_affected() == 0 {
        return Ok(find(tx, id).await?.is_some());
    }
    let action = match status {
        Status::Archived => "affiliate archived",
        Status::Active => "affiliate taken back",
    };
    audit::record(tx, actor, action, &object(id), json!({})).await?;
    Ok(true)
}

/// Somebody who may pay vouches for a changed address: payments to it are held no longer. Whoever changed it vouches for
/// it only where nobody else could: else one stolen session would send money wherever it likes.
pub async fn release(tx: &mut Tx, actor: &Actor, id: AffiliateId, why: &str) -> sqlx::Result<Result<(), NotReleased>> {
    let merchant = tx.merchant();
    let person = actor.person.map(|person| person.0);
    let held = sqlx::query!(
        r#"
        select receiver_changed_by is not distinct from $3 and exists (
            select
            from memberships m
            where m.merchant_id = $1
                and m.role in ('approver', 'admin')
                and m.deactivated_at is null
                and m.person_id is distinct from $3
        ) as "own!"
        from affiliates
        where merchant_id = $1 and id = $2 and held_until > $4
        for update
        "#,
        merchant.0,
        id.0,
        person,
        actor.at
    )
    .fetch_optional(&mut **tx)
    .await?;
    match held {
        None => return Ok(Err(NotReleased::NotHeld)),
        Some(held) if held.own => return Ok(Err(NotReleased::Own)),
        Some(_) => {}
    }
    sqlx::query!(
        "update affiliates set held_until = null, updated_at = $3, version = version + 1
        where merchant_id = $1 and id = $2",
        merchant.0,
        id.0,
        actor.at
    )
    .execute(&mut **tx)
    .await?;
    audit::record(tx, actor, "changed address vouched for", &object(id), json!({ "why": why })).await?;
    Ok(Ok(()))
}

/// Why an address is held on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotReleased {
    /// It is not held.
    NotHeld,
    /// They have changed it themselves, and somebody else could vouch for it.
    Own,
}

/// The named index becomes a message at its field; any other error stays one.
fn taken(error: sqlx::Error) -> sqlx::Result<Problem> {
    match error.as_database_error().and_then(|error| error.constraint()) {
        Some("one_affiliate_per_email") => Ok(("email", "Another affiliate has this email already.".into())),
        Some("one_affiliate_per_code") => Ok(("code", "Another affiliate has this code already.".into())),
        Some(_) | None => Err(error),
    }
}

fn object(id: AffiliateId) -> String {
    format!("affiliate {id}")
}
