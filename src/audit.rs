//! Who changed what. An entry is written in the transaction of the change it tells of: both are true, or neither. When
//! that transaction commits, the database links it to the entry before it (`migrations/0014_audit_chain.sql`).
//!
//! Whatever a person does for a merchant leaves an entry, signing in for it included. Failed sign-ins do not: nobody
//! knows yet who tried, and for which merchant. They are counted, slowed down and forgotten (`web/session.rs`).

use crate::database::Tx;
use crate::id::{MerchantId, PersonId};
use serde_json::Value;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

/// Who makes a change, when, and from where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// The person; none for the program itself and its command line.
    pub person: Option<PersonId>,
    /// The network address that the request came from.
    pub address: Option<String>,
    /// The time of the change.
    pub at: OffsetDateTime,
}

/// Writes one entry: the action in words ("affiliate changed"), what it was done to ("affiliate 0190…"), and what was
/// before and after, as `old` and `new` where there was something before. Secrets never belong in the details.
pub async fn record(tx: &mut Tx, actor: &Actor, action: &str, object: &str, details: Value) -> sqlx::Result<()> {
    let merchant = tx.merchant();
    record_for(tx, merchant, actor, action, object, details).await
}

/// The same in a transaction that sees all merchants.
pub async fn record_for(
    connection: &mut PgConnection,
    merchant: MerchantId,
    actor: &Actor,
    action: &str,
    object: &str,
    details: Value,
) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into audit_entries (merchant_id, id, at, person_id, address, action, object, details)
        values ($1, $2, $3, $4, $5, $6, $7, $8)",
        merchant.0,
        Uuid::now_v7(),
        actor.at,
        actor.person.map(|person| person.0),
        actor.address,
        action,
        object,
        details,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// An entry for each merchant that this person may work for: of what they did or what was done about them alone, such as
/// a new password. Somebody who may work for none leaves no entry, since there is nobody to read it.
pub async fn record_of_person(
    connection: &mut PgConnection,
    person: PersonId,
    actor: &Actor,
    action: &str,
    details: Value,
) -> sqlx::Result<()> {
    let merchants = sqlx::query_scalar!(
        r#"
        select merchant_id as "merchant: MerchantId"
        from memberships
        where person_id = $1 and deactivated_at is null
        order by merchant_id
        "#,
        person.0
    )
    .fetch_all(&mut *connection)
    .await?;
    for merchant in merchants {
        record_for(connection, merchant, actor, action, &format!("person {person}"), details.clone()).await?;
    }
    Ok(())
}
