//! A doubt that lasts: the ways out of Stuck. Each needs evidence from PayPal that a person brings, and is kept with it.
//!
//! - PayPal's id of the batch: it is read, and adopted if its name and every item are ours; then it is followed as any.
//! - PayPal's activity report: items that it shows as paid are paid; what it does not show stays unknown.
//! - The word of the people who may pay, of two where there are two: PayPal has it, and what is unknown counts as paid;
//!   or it does not have it, and what is unknown is due again. The latter is refused for what a report shows at PayPal.
//!
//! Nothing else ends a doubt, and no time does.

use super::adopt::{Adoption, adopt};
use super::manual::TooLate;
use super::store::{Source, release, tell};
use crate::app::App;
use crate::audit::{self, Actor};
use crate::connection;
use crate::database::Tx;
use crate::id::{BatchId, ConnectionId, MerchantId, PersonId};
use crate::paypal::PayPalBatchId;
use anyhow::Context;
use rust_decimal::Decimal;
use serde_json::json;

/// What a person says of a batch whose fate is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Word {
    /// PayPal has it.
    There,
    /// PayPal does not have it.
    NotThere,
}

impl Word {
    /// The word of the database and of forms.
    pub fn code(self) -> &'static str {
        match self {
            Self::There => "there",
            Self::NotThere => "not_there",
        }
    }

    /// From a form.
    pub fn from_code(code: &str) -> Option<Self> {
        [Self::There, Self::NotThere].into_iter().find(|word| word.code() == code)
    }

    /// As a sentence goes on.
    pub fn words(self) -> &'static str {
        match self {
            Self::There => "PayPal has this batch",
            Self::NotThere => "PayPal does not have this batch",
        }
    }
}

/// What came of a person's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// The doubt is over.
    Resolved,
    /// Somebody else has to say the same.
    WaitsForAnother,
    /// Somebody else says otherwise.
    Disputed,
}

/// Why nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unresolved {
    /// The batch is not stuck, or not any more.
    TooLate(TooLate),
    /// Another total was typed than the batch's.
    WrongTotal,
    /// A report shows items at PayPal of which it does not say that they were paid.
    ShownAtPayPal,
    /// The batch that was named is not ours, or could not be read in full.
    NotAdopted(String),
    /// The file is no report of PayPal's.
    NoReport,
}

/// A stuck batch, locked against whoever else would end its doubt.
pub(super) struct Stuck {
    total: Decimal,
    connection: Option<ConnectionId>,
    sender_batch_id: String,
    body: Option<Vec<u8>>,
}

pub(super) async fn lock(tx: &mut Tx, batch: BatchId) -> sqlx::Result<Option<Stuck>> {
    let merchant = tx.merchant();
    sqlx::query_as!(
        Stuck,
        r#"
        select total, connection_id as "connection: ConnectionId", sender_batch_id, body
        from payout_batches
        where merchant_id = $1 and id = $2 and state = 'stuck'
        for update
        "#,
        merchant.0,
        batch.0
    )
    .fetch_optional(&mut **tx)
    .await
}

/// A person says where the batch is, with its total as they read it and the place where they looked.
pub async fn say(
    app: &App,
    merchant: MerchantId,
    actor: &Actor,
    batch: BatchId,
    word: Word,
    (total, looked_at): (Decimal, &str),
) -> anyhow::Result<Result<Said, Unresolved>> {
    let person = actor.person.context("only a person ends a doubt")?;
    let mut tx = app.database.merchant(merchant).await?;
    let Some(stuck) = lock(&mut tx, batch).await? else { return Ok(Err(Unresolved::TooLate(TooLate))) };
    if stuck.total != total {
        return Ok(Err(Unresolved::WrongTotal));
    }
    if word == Word::NotThere && shown_at_paypal(&mut tx, batch).await? {
        return Ok(Err(Unresolved::ShownAtPayPal));
    }
    sqlx::query!(
        r#"
        insert into payout_statements (merchant_id, batch_id, person_id, at, says, total, looked_at)
        values ($1, $2, $3, $4, $5, $6, $7)
        "#,
        merchant.0,
        batch.0,
        person.0,
        actor.at,
        word.code(),
        total,
        looked_at
    )
    .execute(&mut *tx)
    .await?;
    let details = json!({ "says": word.code(), "total": total, "looked_at": looked_at });
    audit::record(&mut tx, actor, "said where a batch is", &format!("batch {batch}"), details).await?;
    let source = Source::Person(person);
    tell(&mut tx, batch, source, &format!("says that {}", word.words()), Some(looked_at), actor.at).await?;
    let said = weigh(&mut tx, batch, word).await?;
    if said == Said::Resolved {
        end(&mut tx, actor, person, batch, word, looked_at).await?;
    }
    tx.commit().await?;
    Ok(Ok(said))
}

/// The last word of each member who may pay. Two of them are needed where there are two, and none may disagree.
async fn weigh(tx: &mut Tx, batch: BatchId, word: Word) -> sqlx::Result<Said> {
    let merchant = tx.merchant();
    let words = sqlx::query!(
        r#"
        select
            count(*) as "members!",
            count(*) filter (where last.says = $3) as "agree!",
            count(*) filter (where last.says <> $3) as "disagree!"
        from memberships m
        left join lateral (
            select s.says
            from payout_statements s
            where s.merchant_id = m.merchant_id and s.batch_id = $2 and s.person_id = m.person_id
            order by s.id desc
            limit 1
        ) last on true
        where m.merchant_id = $1 and m.role in ('approver', 'admin') and m.deactivated_at is null
        "#,
        merchant.0,
        batch.0,
        word.code()
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok(match words.agree {
        _ if words.disagree > 0 => Said::Disputed,
        agree if agree >= words.members.min(2) => Said::Resolved,
        _ => Said::WaitsForAnother,
    })
}

/// Whether a report shows an unknown item at PayPal, as anything but paid.
async fn shown_at_paypal(tx: &mut Tx, batch: BatchId) -> sqlx::Result<bool> {
    let merchant = tx.merchant();
    sqlx::query_scalar!(
        r#"
        select exists (
            select
            from payout_items i
            join payout_findings f on f.merchant_id = i.merchant_id and f.item_id = i.id
            where i.merchant_id = $1 and i.batch_id = $2 and i.state = 'queued'
        ) as "shown!"
        "#,
        merchant.0,
        batch.0
    )
    .fetch_one(&mut **tx)
    .await
}

/// What is unknown becomes paid, or due again.
async fn end(
    tx: &mut Tx,
    actor: &Actor,
    person: PersonId,
    batch: BatchId,
    word: Word,
    looked_at: &str,
) -> sqlx::Result<()> {
    let merchant = tx.merchant();
    // A batch of which a report has shown something was taken, whatever became of the rest.
    sqlx::query!(
        r#"
        update payout_batches b
        set state = case when $4 = 'there' or exists (
                select from payout_items i where i.merchant_id = $1 and i.batch_id = $2 and i.state <> 'queued'
            ) then 'closed' else 'refused' end,
            resolved_at = $3,
            resolved_as = $4,
            settled_at = $3,
            changed_at = $3
        where b.merchant_id = $1 and b.id = $2 and b.state = 'stuck'
        "#,
        merchant.0,
        batch.0,
        actor.at,
        word.code()
    )
    .execute(&mut **tx)
    .await?;
    let (state, not_paid, became) = match word {
        Word::There => ("paid", None, "SUCCESS"),
        Word::NotThere => ("unpaid", Some("put_back"), "PUT BACK"),
    };
    let (source, by) = Source::Person(person).columns();
    sqlx::query!(
        r#"
        with moved as (
            update payout_items
            set state = $3, not_paid = $4, changed_at = $5
            where merchant_id = $1 and batch_id = $2 and state = 'queued'
            returning id
        )
        insert into payout_history (merchant_id, batch_id, item_id, at, source, person_id, was, became, evidence)
        select $1, $2, id, $5, $6, $7, 'QUEUED', $8, $9
        from moved
        "#,
        merchant.0,
        batch.0,
        state,
        not_paid,
        actor.at,
        source,
        by,
        became,
        looked_at
    )
    .execute(&mut **tx)
    .await?;
    release(tx, batch, actor.at).await?;
    tell(tx, batch, Source::Person(person), &format!("agreed: {}", word.words()), None, actor.at).await
}

/// A person names PayPal's batch, or PayPal's own list does after a restore. It is read, and followed from then on if its
/// name and every item are ours.
pub async fn adopt_named(
    app: &App,
    merchant: MerchantId,
    actor: &Actor,
    batch: BatchId,
    id: &PayPalBatchId,
) -> anyhow::Result<Result<(), Unresolved>> {
    let mut tx = app.database.merchant(merchant).await?;
    let Some(stuck) = lock(&mut tx, batch).await? else { return Ok(Err(Unresolved::TooLate(TooLate))) };
    let (Some(connection), Some(body)) = (stuck.connection, stuck.body) else {
        return Ok(Err(Unresolved::NotAdopted("it was sent as a file, which PayPal answers in its folder".into())));
    };
    let credentials = connection::credentials(&mut tx, &app.vault, connection).await?;
    drop(tx);
    let Some(credentials) = credentials else {
        return Ok(Err(Unresolved::NotAdopted("the connection that it was sent with has been removed".into())));
    };
    match adopt(app, &credentials, (&stuck.sender_batch_id, &body), id).await {
        Adoption::Ours => {}
        Adoption::NotOurs(why) | Adoption::CannotTell(why) => return Ok(Err(Unresolved::NotAdopted(why))),
    }
    let mut tx = app.database.merchant(merchant).await?;
    let adopted = sqlx::query!(
        r#"
        update payout_batches
        set state = 'accepted',
            paypal_batch_id = $3,
            accepted_at = $4,
            resolved_at = $4,
            resolved_as = 'adopted',
            changed_at = $4,
            look_at = $4,
            polls = 0
        where merchant_id = $1 and id = $2 and state = 'stuck'
        "#,
        merchant.0,
        batch.0,
        id.0,
        actor.at
    )
    .execute(&mut *tx)
    .await?;
    if adopted.rows_affected() == 0 {
        return Ok(Err(Unresolved::TooLate(TooLate)));
    }
    let details = json!({ "paypal_batch_id": id.0 });
    audit::record(&mut tx, actor, "named PayPal’s batch", &format!("batch {batch}"), details).await?;
    let source = actor.person.map_or(Source::Read, Source::Person);
    tell(&mut tx, batch, source, "named PayPal’s batch; it is ours", Some(&id.0), actor.at).await?;
    tx.commit().await?;
    app.wake.notify_waiters();
    Ok(Ok(()))
}
