//! What waits for approval, and what became of it, read for people.

use super::State;
use crate::database::Tx;
use crate::id::{BatchId, PersonId, RequestId};
use crate::money::{Currency, Money, for_people};
use crate::payout::batch::Rail;
use anyhow::Context;
use rust_decimal::Decimal;
use time::OffsetDateTime;

/// A payment and its approval.
#[derive(Debug, Clone)]
pub struct Approval {
    /// The payment.
    pub request: RequestId,
    /// How it travels.
    pub rail: Rail,
    /// Subject of PayPal's mail to the recipients.
    pub subject: String,
    /// The message in it.
    pub message: String,
    /// Who asked …
    pub asked_by: PersonId,
    /// … what people call them …
    pub asker: String,
    /// … and when.
    pub asked_at: OffsetDateTime,
    /// Until when it waits.
    pub expires_at: OffsetDateTime,
    /// SHA-256 of all that will be paid.
    pub content: String,
    /// Where it stands.
    pub state: State,
    /// When that ended …
    pub ended_at: Option<OffsetDateTime>,
    /// … by whom …
    pub ended_by: Option<String>,
    /// … and why.
    pub why: Option<String>,
    /// How many affiliates are paid.
    pub affiliates: i64,
    /// Sums of its batches.
    pub sums: Vec<Sum>,
}

/// One batch of such a payment.
#[derive(Debug, Clone)]
pub struct Sum {
    /// Its payment.
    pub request: RequestId,
    /// Its id.
    pub batch: BatchId,
    /// What people call it.
    pub number: i64,
    /// Its currency.
    pub currency: Currency,
    /// How many affiliates it pays.
    pub items: i32,
    /// How much.
    pub amount: Decimal,
}

impl Approval {
    /// What it comes to, a batch at a time.
    pub fn money(&self) -> anyhow::Result<Vec<Money>> {
        let money = |sum: &Sum| Money::new(sum.amount, sum.currency).context("a batch's total is payable");
        self.sums.iter().map(money).collect()
    }

    /// "USD 4,310.20 and EUR 210.00"
    pub fn amounts(&self) -> String {
        let mut sums: Vec<(Currency, Decimal)> = Vec::new();
        for sum in &self.sums {
            match sums.last_mut().filter(|(currency, _)| *currency == sum.currency) {
                Some((_, amount)) => *amount += sum.amount,
                None => sums.push((sum.currency, sum.amount)),
            }
        }
        let words: Vec<String> =
            sums.into_iter().map(|(currency, amount)| format!("{currency} {}", for_people(amount, currency))).collect();
        match words.as_slice() {
            [most @ .., last] if !most.is_empty() => format!("{} and {last}", most.join(", ")),
            _ => words.concat(),
        }
    }

    /// What came of it; nothing while it waits.
    pub fn outcome(&self) -> Option<String> {
        let by = self.ended_by.as_deref().unwrap_or("Somebody");
        let why = self.why.as_deref().unwrap_or_default();
        match self.state {
            State::Waiting => None,
            State::Approved if self.rail == Rail::File => {
                Some(format!("{by} approved it. The file is uploaded from its own page."))
            }
            State::Approved => Some(format!("{by} approved it.")),
            State::SentBack => {
                Some(format!("{by} sent it back: {why} Nothing was paid; everything in it is due again."))
            }
            State::Expired => Some("Not approved in time; nothing was paid. Everything in it is due again.".to_owned()),
            State::Changed => Some(format!("{why} Everything in it is due again.")),
        }
    }
}

/// What waits for approval, the oldest first.
pub async fn waiting(tx: &mut Tx) -> sqlx::Result<Vec<Approval>> {
    let mut all = fetch(tx, None, true).await?;
    all.reverse();
    Ok(all)
}

/// The latest, whatever became of them.
pub async fn latest(tx: &mut Tx) -> sqlx::Result<Vec<Approval>> {
    fetch(tx, None, false).await
}

/// One of them.
pub async fn one(tx: &mut Tx, request: RequestId) -> sqlx::Result<Option<Approval>> {
    Ok(fetch(tx, Some(request), false).await?.into_iter().next())
}

/// The latest hundred.
async fn fetch(tx: &mut Tx, request: Option<RequestId>, only_waiting: bool) -> sqlx::Result<Vec<Approval>> {
    let merchant = tx.merchant();
    let rows = sqlx::query!(
        r#"
        select
            p.request_id as "request: RequestId", r.rail as "rail: Rail", r.subject, r.message,
            p.asked_by as "asked_by: PersonId", coalesce(nullif(a.name, ''), a.email) as "asker!", p.asked_at, p.expires_at,
            p.affiliates, encode(p.content_sha256, 'hex') as "content!", p.state as "state: State", p.ended_at,
            coalesce(nullif(e.name, ''), e.email) as ended_by, p.why
        from payout_approvals p
        join payout_requests r on r.merchant_id = p.merchant_id and r.id = p.request_id
        join people a on a.id = p.asked_by
        left join people e on e.id = p.ended_by
        where p.merchant_id = $1 and ($2::uuid is null or p.request_id = $2) and (not $3 or p.state = 'waiting')
        order by p.asked_at desc, p.request_id
        limit 100
        "#,
        merchant.0,
        request.map(|request| request.0),
        only_waiting
    )
    .fetch_all(&mut **tx)
    .await?;
    let ids: Vec<_> = rows.iter().map(|row| row.request.0).collect();
    let sums = sqlx::query_as!(
        Sum,
        r#"
        select request_id as "request: RequestId", id as "batch: BatchId", number, currency as "currency: Currency", items, total as amount
        from payout_batches
        where merchant_id = $1 and request_id = any($2)
        order by request_id, part
        "#,
        merchant.0,
        &ids
    )
    .fetch_all(&mut **tx)
    .await?;
    let approvals = rows.into_iter().map(|row| Approval {
        sums: sums.iter().filter(|sum| sum.request == row.request).cloned().collect(),
        affiliates: row.affiliates,
        request: row.request,
        rail: row.rail,
        subject: row.subject,
        message: row.message,
        asked_by: row.asked_by,
        asker: row.asker,
        asked_at: row.asked_at,
        expires_at: row.expires_at,
        content: row.content,
        state: row.state,
        ended_at: row.ended_at,
        ended_by: row.ended_by,
        why: row.why,
    });
    Ok(approvals.collect())
}

/// Who else may approve what this person asks for, by name.
pub async fn others(tx: &mut Tx, person: PersonId) -> sqlx::Result<Vec<String>> {
    let merchant = tx.merchant();
    sqlx::query_scalar!(
        r#"
        select coalesce(nullif(p.name, ''), p.email) as "name!"
        from memberships m
        join people p on p.id = m.person_id
        where m.merchant_id = $1 and m.role in ('approver', 'admin') and m.deactivated_at is null and m.person_id <> $2
        order by 1
        limit 5
        "#,
        merchant.0,
        person.0
    )
    .fetch_all(&mut **tx)
    .await
}
