//! Commissions come in: written and owed in the same statement.

use super::Typed;
use crate::audit::{self, Actor};
use crate::database::Tx;
use crate::id::{AffiliateId, CommissionId};
use crate::money::Money;
use serde_json::json;
use time::{Date, OffsetDateTime};

/// A commission to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct New {
    /// Whose.
    pub affiliate: AffiliateId,
    /// How much.
    pub amount: Money,
    /// Payable from this day on.
    pub due_on: Date,
    /// The merchant's own name for it, unique.
    pub reference: String,
    /// A note.
    pub note: String,
    /// Paid elsewhere on this day already: never owed here.
    pub paid_before_on: Option<Date>,
}

/// Writes commissions and owes those that were not paid before, all in one statement. A reference that exists already
/// is an error, and the transaction is over.
pub async fn insert_many(tx: &mut Tx, now: OffsetDateTime, rows: &[New]) -> sqlx::Result<Vec<CommissionId>> {
    let merchant = tx.merchant();
    let ids: Vec<CommissionId> = rows.iter().map(|_| CommissionId::new()).collect();
    let uuids: Vec<uuid::Uuid> = ids.iter().map(|id| id.0).collect();
    let affiliates: Vec<uuid::Uuid> = rows.iter().map(|row| row.affiliate.0).collect();
    let amounts: Vec<_> = rows.iter().map(|row| row.amount.amount()).collect();
    let currencies: Vec<String> = rows.iter().map(|row| row.amount.currency().code().to_owned()).collect();
    let due: Vec<Date> = rows.iter().map(|row| row.due_on).collect();
    let references: Vec<String> = rows.iter().map(|row| row.reference.clone()).collect();
    let notes: Vec<String> = rows.iter().map(|row| row.note.clone()).collect();
    let paid: Vec<Option<Date>> = rows.iter().map(|row| row.paid_before_on).collect();
    sqlx::query!(
        r#"
        with added as (
            insert into commissions
                (merchant_id, id, affiliate_id, amount, currency, due_on, reference, note, paid_before_on, created_at)
            select $1, id, affiliate_id, amount, currency, due_on, reference, note, paid_before_on, $2
            from unnest($3::uuid[], $4::uuid[], $5::numeric[], $6::text[], $7::date[], $8::text[], $9::text[], $10::date[])
                as new (id, affiliate_id, amount, currency, due_on, reference, note, paid_before_on)
            returning id, affiliate_id, currency, due_on, amount, paid_before_on
        )
        insert into owed (merchant_id, commission_id, affiliate_id, currency, due_on, amount)
        select $1, id, affiliate_id, currency, due_on, amount
        from added
        where paid_before_on is null
        "#,
        merchant.0,
        now,
        &uuids,
        &affiliates,
        &amounts,
        &currencies,
        &due,
        &references,
        &notes,
        &paid as &[Option<Date>]
    )
    .execute(&mut **tx)
    .await?;
    Ok(ids)
}

/// What became of a commission entered by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Added {
    /// It is owed now.
    Owed(CommissionId),
    /// Another commission has this reference; nothing was written, and the transaction is over.
    ReferenceTaken,
}

/// Enters one commission by hand.
pub async fn add(tx: &mut Tx, actor: &Actor, affiliate: AffiliateId, typed: Typed) -> sqlx::Result<Added> {
    let details = json!({
        "affiliate": affiliate,
        "amount": typed.amount.to_string(),
        "due_on": typed.due_on.to_string(),
        "reference": typed.reference,
    });
    let Typed { amount, due_on, reference, note } = typed;
    let new = New { affiliate, amount, due_on, reference, note, paid_before_on: None };
    let id = match insert_many(tx, actor.at, &[new]).await {
        Ok(ids) => ids[0],
        Err(error) => {
            let constraint = error.as_database_error().and_then(|error| error.constraint());
            return if constraint == Some("one_commission_per_reference") {
                Ok(Added::ReferenceTaken)
            } else {
                Err(error)
            };
        }
    };
    audit::record(tx, actor, "commission added", &format!("commission {id}"), details).await?;
    Ok(Added::Owed(id))
}

/// An affiliate as the form suggests them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suggestion {
    /// Which one.
    pub id: AffiliateId,
    /// What the form sends: the e-mail, or the code where there is none.
    pub known_by: String,
    /// What people call them.
    pub name: String,
    /// Whether they still earn.
    pub active: bool,
}

/// Whom this e-mail or code means. Two, when it is the e-mail of one and the code of another.
pub async fn find_affiliate(tx: &mut Tx, known_by: &str) -> sqlx::Result<Vec<Suggestion>> {
    let merchant = tx.merchant();
    sqlx::query_as!(
        Suggestion,
        r#"
        select
            id as "id: AffiliateId",
            coalesce(email, code) as "known_by!",
            coalesce(nullif(trim(first_name || ' ' || last_name), ''), email, code) as "name!",
            status = 'active' as "active!"
        from affiliates
        where merchant_id = $1 and (lower(email) = lower($2) or lower(code) = lower($2))
        "#,
        merchant.0,
        known_by.trim()
    )
    .fetch_all(&mut **tx)
    .await
}

/// A few active affiliates whose name, e-mail or code has this in it.
pub async fn suggestions(tx: &mut Tx, search: &str) -> sqlx::Result<Vec<Suggestion>> {
    let merchant = tx.merchant();
    sqlx::query_as!(
        Suggestion,
        r#"
        select
            id as "id: AffiliateId",
            coalesce(email, code) as "known_by!",
            coalesce(nullif(trim(first_name || ' ' || last_name), ''), email, code) as "name!",
            true as "active!"
        from affiliates
        where merchant_id = $1
            and status = 'active'
            and strpos(lower(concat_ws(' ', first_name, last_name, email, code)), lower($2)) > 0
        order by sort_name, id
        limit 20
        "#,
        merchant.0,
        search.trim()
    )
    .fetch_all(&mut **tx)
    .await
}
