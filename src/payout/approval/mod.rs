//! A payment that a second person must approve. It is drafted as any other, so that its commissions are locked and its
//! bytes frozen, but its batches wait: no claim can take them, by a constraint, until an approval by somebody else lets
//! them go, by a trigger (`migrations/0018_approval.sql`).
//!
//! The waiting ends once: approved; sent back with a reason; not approved within [`PATIENCE`]; or because what it stands
//! on has changed. In every case but the first the money is due again. What changes is marked by triggers in the statement
//! of the change, and the worker gives the money back ([`next`]); whoever approves looks once more.

mod content;
mod decide;
mod show;

pub(super) use decide::take_back;
pub use decide::{Refused, approve, next, send_back};
pub use show::{Approval, Sum, latest, one, others, waiting};

use super::draft::{Ask, DraftError, Release, write};
use crate::app::App;
use crate::database::Tx;
use crate::id::{MerchantId, RequestId};
use anyhow::Context;
use serde_json::json;
use time::{Duration, OffsetDateTime};

/// A payment waits so long for its approval.
pub const PATIENCE: Duration = Duration::days(7);

/// Where an approval stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum State {
    /// Somebody is asked.
    Waiting,
    /// A second person approved it.
    Approved,
    /// A person sent it back, or took it back themselves.
    SentBack,
    /// Nobody approved it in time.
    Expired,
    /// What it stood on has changed.
    Changed,
}

impl State {
    fn code(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Approved => "approved",
            Self::SentBack => "sent_back",
            Self::Expired => "expired",
            Self::Changed => "changed",
        }
    }
}

/// Drafts a payment that waits for approval, and tells everybody else who may approve. The same ask again finds the first.
pub async fn ask(app: &App, merchant: MerchantId, ask: &Ask) -> Result<(), DraftError> {
    if !ask.how.moves_money() {
        return Err(anyhow::anyhow!("what was paid outside needs nobody's approval").into());
    }
    write(app, merchant, ask, Release::OnceApproved).await?;
    Ok(())
}

/// Writes down what is asked, in the transaction of its draft.
pub(super) async fn insert(tx: &mut Tx, ask: &Ask, now: OffsetDateTime) -> anyhow::Result<()> {
    let merchant = tx.merchant();
    let person = ask.actor.person.context("a person asks for approval")?;
    let content = content::digest(tx, ask.request).await?;
    sqlx::query!(
        r#"
        insert into payout_approvals (merchant_id, request_id, asked_by, asked_at, expires_at, content_sha256, affiliates)
        select $1, $2, $3, $4, $5, $6, count(distinct i.affiliate_id)
        from payout_batches b
        join payout_items i on i.merchant_id = b.merchant_id and i.batch_id = b.id
        where b.merchant_id = $1 and b.request_id = $2
        "#,
        merchant.0,
        ask.request.0,
        person.0,
        now,
        now + PATIENCE,
        content.as_slice()
    )
    .execute(&mut **tx)
    .await?;
    tell_approvers(tx, ask.request, now).await
}

/// A mail to everybody who may approve it.
async fn tell_approvers(tx: &mut Tx, request: RequestId, now: OffsetDateTime) -> anyhow::Result<()> {
    let merchant = tx.merchant();
    let asked = one(tx, request).await?.context("it was just asked for")?;
    let details = json!({ "request": request, "amounts": asked.amounts(), "affiliates": asked.affiliates });
    sqlx::query!(
        r#"
        insert into mails (merchant_id, id, kind, about, recipient, details, created_at, due_at)
        select $1, gen_random_uuid(), 'approval', format('approval of %s, to %s', $2::uuid, lower(p.email)), p.email, $3, $4, $4
        from mails_wanted w
        join memberships m on m.merchant_id = w.merchant_id
        join people p on p.id = m.person_id
        where w.merchant_id = $1
            and w.kind = 'approval'
            and m.role in ('approver', 'admin')
            and m.deactivated_at is null
            and m.person_id <> $5
        "#,
        merchant.0,
        request.0,
        details,
        now,
        asked.asked_by.0
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
