//! After a restored backup: nothing is sent or exported until a person has signed off what PayPal did meanwhile.
//!
//! The operator says since when (`restored.rs`). PayPal's list of events names batches that this database does not know
//! ([`look`]), an uploaded activity report names transactions, and each payment found is entered as paid or settled
//! otherwise by a person ([`unknown`]). What the backup shows as unanswered is stuck until PayPal's list shows it, and then
//! followed as any; what it shows as merely prepared is taken back ([`prepared`]), and if it was sent since, its payments
//! are unknown ones.

pub mod look;
mod prepared;
pub mod unknown;

use crate::audit::{self, Actor};
use crate::database::Tx;
use serde_json::json;
use time::OffsetDateTime;
use uuid::Uuid;

/// Why a batch is stuck that the backup showed as unanswered.
pub const STOPPED: &str = "a backup was restored, and this batch may have been paid since";

/// A restoration that nobody has signed off.
#[derive(Debug, Clone)]
pub struct Restoration {
    /// Its id.
    pub id: Uuid,
    /// What happened later is not known here.
    pub since: OffsetDateTime,
    /// When PayPal's list of events was read to its end.
    pub events_at: Option<OffsetDateTime>,
    /// When it is read next; nothing if it was, or cannot be.
    pub look_at: Option<OffsetDateTime>,
    /// Why it was not read.
    pub trouble: Option<String>,
    /// Reports that were uploaded.
    pub reports: i64,
    /// Payments found that wait for a person.
    pub unknown: i64,
    /// What PayPal had taken before, and has not been read since.
    pub unread: i64,
    /// Batches that were stopped, and of which nobody has found out what became.
    pub stopped: i64,
}

impl Restoration {
    /// What is missing for a sign-off, in the order in which it is done.
    pub fn missing(&self) -> Option<&'static str> {
        match () {
            () if self.look_at.is_some() && self.events_at.is_none() => {
                Some("PayPal’s list of events is still being read.")
            }
            () if self.unread > 0 => Some("PayPal is still being asked about batches that it had before."),
            () if self.reports == 0 => Some("Upload PayPal’s activity report first."),
            () if self.stopped > 0 => Some("Find out first what became of the batches that are stuck."),
            () if self.unknown > 0 => Some("Settle every payment that is not known here first."),
            () => None,
        }
    }
}

/// The restoration that nobody has signed off, if there is one.
pub async fn open(tx: &mut Tx) -> sqlx::Result<Option<Restoration>> {
    let merchant = tx.merchant();
    sqlx::query_as!(
        Restoration,
        r#"
        select r.id, r.since, r.events_at, r.look_at, r.trouble,
            (select count(*) from restoration_reports p where p.merchant_id = $1 and p.restoration_id = r.id) as "reports!",
            (
                select count(*) from still_unknown u
                where u.merchant_id = $1 and u.restoration_id = r.id
            ) as "unknown!",
            (
                select count(*) from payout_batches b
                left join connections c on c.merchant_id = b.merchant_id and c.id = b.connection_id
                left join dropzones d on d.merchant_id = b.merchant_id and d.id = b.dropzone_id
                where b.merchant_id = $1 and b.state = 'accepted'
                    and ((b.look_at <= r.told_at or b.polls = 0) and c.secret is not null
                        or d.look_at <= r.told_at and d.private_key is not null)
            ) as "unread!",
            (
                select count(*) from payout_batches b
                where b.merchant_id = $1 and b.state = 'stuck' and b.why = $2
            ) as "stopped!"
        from restorations r
        where r.merchant_id = $1 and r.signed_at is null
        "#,
        merchant.0,
        STOPPED
    )
    .fetch_optional(&mut **tx)
    .await
}

/// Whether nothing may be sent.
pub async fn is_open(tx: &mut Tx) -> sqlx::Result<bool> {
    let merchant = tx.merchant();
    sqlx::query_scalar!(
        r#"select exists (select from restorations where merchant_id = $1 and signed_at is null) as "open!""#,
        merchant.0
    )
    .fetch_one(&mut **tx)
    .await
}

/// Paying goes on: a person says that all is accounted for, and where they looked. Says what is missing for it.
pub async fn sign_off(tx: &mut Tx, actor: &Actor, looked_at: &str) -> sqlx::Result<Result<(), &'static str>> {
    let Some(open) = open(tx).await? else { return Ok(Err("It is signed off already.")) };
    if let Some(missing) = open.missing() {
        return Ok(Err(missing));
    }
    let merchant = tx.merchant();
    sqlx::query!(
        "update restorations set signed_at = $3, signed_by = $4, signed_why = $5, look_at = null
        where merchant_id = $1 and id = $2 and signed_at is null",
        merchant.0,
        open.id,
        actor.at,
        actor.person.map(|person| person.0),
        looked_at
    )
    .execute(&mut **tx)
    .await?;
    let details = json!({ "looked_at": looked_at });
    audit::record(tx, actor, "signed off a restored backup", &format!("merchant {merchant}"), details).await?;
    Ok(Ok(()))
}
