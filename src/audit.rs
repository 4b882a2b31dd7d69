//! Who changed what. An entry is written in the transaction of the change it tells of: both are true, or neither.

use crate::database::Tx;
use crate::id::PersonId;
use serde_json::Value;
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
/// before and after. Secrets never belong in the details.
pub async fn record(tx: &mut Tx, actor: &Actor, action: &str, object: &str, details: Value) -> sqlx::Result<()> {
    let merchant = tx.merchant();
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
    .execute(&mut **tx)
    .await?;
    Ok(())
}
