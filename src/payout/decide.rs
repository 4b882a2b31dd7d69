//! What a person decides about money that came back, or that PayPal stopped: it is due again, or it is written off. And
//! that what PayPal shows of a payment, and does not fit, is cleared up.
//!
//! Nothing here is automatic. "Due again" is the end: the commissions are owed, and paying them is a new item. What was
//! written off can still be made due again.

use super::item::NotPaid;
use super::manual::TooLate;
use super::store::{Source, release};
use super::stuck::Word;
use crate::app::App;
use crate::audit::{self, Actor};
use crate::database::Tx;
use crate::id::{BatchId, ItemId, MerchantId, PersonId};
use anyhow::Context;
use rust_decimal::Decimal;
use serde_json::json;
use time::{Duration, OffsetDateTime};

/// A report that does not mention a payment may be followed by one that does.
pub const LATER_REPORT: Duration = Duration::days(1);
/// Longest reason.
pub const MAX_WHY: usize = 500;

/// What follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// The commissions are due again.
    DueAgain,
    /// They will not be paid.
    WrittenOff,
}

impl Decision {
    /// The word of the database and of forms.
    pub fn code(self) -> &'static str {
        match self {
            Self::DueAgain => "due_again",
            Self::WrittenOff => "written_off",
        }
    }

    /// From a form.
    pub fn from_code(code: &str) -> Option<Self> {
        [Self::DueAgain, Self::WrittenOff].into_iter().find(|decision| decision.code() == code)
    }
}

/// Why nothing was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Undecided {
    /// There is nothing to decide here, or it was decided.
    TooLate(TooLate),
    /// PayPal has since shown something that does not fit; nobody may pay it again until that is cleared up.
    Flagged,
    /// PayPal blocked it, and no later reading has confirmed that yet.
    NotConfirmed,
    /// Another sum was typed than theirs.
    WrongSum,
}

/// Decides about one item. The reason is kept with it.
pub async fn decide(
    app: &App,
    merchant: MerchantId,
    actor: &Actor,
    (batch, item): (BatchId, ItemId),
    decision: Decision,
    why: &str,
) -> anyhow::Result<Result<(), Undecided>> {
    let person = actor.person.context("only a person decides")?;
    let mut tx = app.database.merchant(merchant).await?;
    let Some(stands) = stands(&mut tx, batch, item).await? else { return Ok(Err(Undecided::TooLate(TooLate))) };
    if let Err(undecided) = may(&stands, decision) {
        return Ok(Err(undecided));
    }
    write(&mut tx, actor, person, (batch, item), decision, why).await?;
    match decision {
        Decision::DueAgain => drop(release(&mut tx, batch, actor.at).await?),
        Decision::WrittenOff => {}
    }
    let details = json!({ "why": why, "before": stands.decided });
    audit::record(&mut tx, actor, &format!("decided {}", decision.code()), &format!("payment {item}"), details).await?;
    tx.commit().await?;
    Ok(Ok(()))
}

/// Takes the flag off one item: a person has looked at PayPal. The same fact raises it no more; another one does. Nothing
/// else changes. The reason is kept in its history.
pub async fn clear(
    app: &App,
    merchant: MerchantId,
    actor: &Actor,
    (batch, item): (BatchId, ItemId),
    why: &str,
) -> anyhow::Result<Result<(), TooLate>> {
    let (source, by) = Source::Person(actor.person.context("only a person clears up")?).columns();
    let mut tx = app.database.merchant(merchant).await?;
    let cleared = sqlx::query_scalar!(
        r#"
        with held as (
            select id
            from payout_batches
            where merchant_id = $1 and id = $2
            for update
        ),
        flags as (
            select i.id, i.flagged
            from payout_items i
            join held on held.id = i.batch_id
            where i.merchant_id = $1 and i.id = $3 and i.flagged is not null
            for update of i
        ),
        cleared as (
            update payout_items i
            set flagged = null, cleared_flag = flags.flagged
            from flags
            where i.merchant_id = $1 and i.id = flags.id
            returning i.cleared_flag
        )
        insert into payout_history (merchant_id, batch_id, item_id, at, source, person_id, was, became, evidence)
        select $1, $2, $3, $4, $5, $6, cleared_flag, 'cleared up', $7
        from cleared
        returning was
        "#,
        merchant.0,
        batch.0,
        item.0,
        actor.at,
        source,
        by,
        why
    )
    .fetch_optional(&mut *tx)
    .await?
    .flatten();
    let Some(flag) = cleared else { return Ok(Err(TooLate)) };
    let details = json!({ "why": why, "flag": flag });
    audit::record(&mut tx, actor, "cleared up", &format!("payment {item}"), details).await?;
    tx.commit().await?;
    Ok(Ok(()))
}

/// Payments of a file that no report mentions: a person says whether PayPal paid them, all of them or one. Their sum is
/// typed, and the reason kept. Not before PayPal has had a day for a later report.
pub async fn settle_unmentioned(
    app: &App,
    merchant: MerchantId,
    actor: &Actor,
    (batch, item): (BatchId, Option<ItemId>),
    word: Word,
    (sum, looked_at): (Decimal, &str),
) -> anyhow::Result<Result<u64, Undecided>> {
    let person = actor.person.context("only a person decides")?;
    let mut tx = app.database.merchant(merchant).await?;
    let unmentioned = unmentioned(&mut tx, (batch, item), actor.at - LATER_REPORT).await?;
    if unmentioned.payments == 0 {
        return Ok(Err(Undecided::TooLate(TooLate)));
    }
    if unmentioned.sum != sum {
        return Ok(Err(Undecided::WrongSum));
    }
    let (state, not_paid, became) = match word {
        Word::There => ("paid", None, "SUCCESS"),
        Word::NotThere => ("unpaid", Some("put_back"), "PUT BACK"),
    };
    let (source, by) = Source::Person(person).columns();
    let moved = sqlx::query!(
        r#"
        with moved as (
            update payout_items
            set state = $4, not_paid = $5, changed_at = $6
            where merchant_id = $1 and batch_id = $2 and state = 'queued' and ($3::uuid is null or id = $3)
            returning id
        )
        insert into payout_history (merchant_id, batch_id, item_id, at, source, person_id, was, became, evidence)
        select $1, $2, id, $6, $7, $8, 'QUEUED', $9, $10
        from moved
        "#,
        merchant.0,
        batch.0,
        item.map(|item| item.0),
        state,
        not_paid,
        actor.at,
        source,
        by,
        became,
        looked_at
    )
    .execute(&mut *tx)
    .await?
    .rows_affected();
    release(&mut tx, batch, actor.at).await?;
    let details = json!({ "says": word.code(), "sum": sum, "payments": moved, "looked_at": looked_at });
    audit::record(&mut tx, actor, "settled unmentioned payments", &format!("batch {batch}"), details).await?;
    tx.commit().await?;
    Ok(Ok(moved))
}

/// Payments that no report mentions.
struct Unmentioned {
    sum: Decimal,
    payments: i64,
}

/// Locked, once the last report is old enough.
async fn unmentioned(
    tx: &mut Tx,
    (batch, item): (BatchId, Option<ItemId>),
    reported_by: OffsetDateTime,
) -> sqlx::Result<Unmentioned> {
    let merchant = tx.merchant();
    sqlx::query_as!(
        Unmentioned,
        r#"
        with held as (
            select b.id
            from payout_batches b
            join payout_files f on f.merchant_id = b.merchant_id and f.batch_id = b.id
            where b.merchant_id = $1
                and b.id = $2
                and b.state = 'accepted'
                and b.settled_at is not null
                and (f.stage = 'final' or f.staged_at <= $4)
            for update of b
        )
        select coalesce(sum(i.amount), 0) as "sum!", count(*) as "payments!"
        from payout_items i
        join held on held.id = i.batch_id
        where i.merchant_id = $1 and i.state = 'queued' and ($3::uuid is null or i.id = $3)
        "#,
        merchant.0,
        batch.0,
        item.map(|item| item.0),
        reported_by
    )
    .fetch_one(&mut **tx)
    .await
}

/// An item of a batch that PayPal has finished.
struct Stands {
    not_paid: Option<NotPaid>,
    decided: Option<String>,
    is_flagged: bool,
    is_confirmed: bool,
}

/// Locked, the batch before the item, as a reading does.
async fn stands(tx: &mut Tx, batch: BatchId, item: ItemId) -> sqlx::Result<Option<Stands>> {
    let merchant = tx.merchant();
    let finished = sqlx::query_scalar!(
        r#"
        select 1 as "one!"
        from payout_batches
        where merchant_id = $1 and id = $2 and settled_at is not null
        for update
        "#,
        merchant.0,
        batch.0
    )
    .fetch_optional(&mut **tx)
    .await?;
    if finished.is_none() {
        return Ok(None);
    }
    sqlx::query_as!(
        Stands,
        r#"
        select
            not_paid as "not_paid: NotPaid",
            decided,
            flagged is not null as "is_flagged!",
            confirmed_at is not null as "is_confirmed!"
        from payout_items
        where merchant_id = $1 and batch_id = $2 and id = $3
        for update
        "#,
        merchant.0,
        batch.0,
        item.0
    )
    .fetch_optional(&mut **tx)
    .await
}

fn may(stands: &Stands, decision: Decision) -> Result<(), Undecided> {
    let waits = stands.not_paid.is_some_and(|why| !why.releases());
    match (decision, stands.decided.as_deref()) {
        (Decision::DueAgain | Decision::WrittenOff, None) if waits => {}
        (Decision::DueAgain, Some("written_off")) => {}
        (Decision::DueAgain | Decision::WrittenOff, _) => return Err(Undecided::TooLate(TooLate)),
    }
    match decision {
        Decision::DueAgain if stands.is_flagged => Err(Undecided::Flagged),
        Decision::DueAgain if stands.not_paid == Some(NotPaid::Blocked) && !stands.is_confirmed => {
            Err(Undecided::NotConfirmed)
        }
        Decision::DueAgain | Decision::WrittenOff => Ok(()),
    }
}

async fn write(
    tx: &mut Tx,
    actor: &Actor,
    person: PersonId,
    (batch, item): (BatchId, ItemId),
    decision: Decision,
    why: &str,
) -> sqlx::Result<()> {
    let merchant = tx.merchant();
    let (source, by) = Source::Person(person).columns();
    sqlx::query!(
        r#"
        with decided as (
            update payout_items
            set decided = $4, decided_at = $5, decided_by = $6, decided_why = $7
            where merchant_id = $1 and batch_id = $2 and id = $3
            returning id, upper(not_paid) as was
        )
        insert into payout_history (merchant_id, batch_id, item_id, at, source, person_id, was, became, evidence)
        select $1, $2, id, $5, $8, $6, was, replace($4, '_', ' '), $7
        from decided
        "#,
        merchant.0,
        batch.0,
        item.0,
        decision.code(),
        actor.at,
        by,
        why,
        source
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
