//! What waits for somebody, read for people. What is listed is said in one place: the function `attention` of the
//! database, which both the counts and the list ask.

use super::item::NotPaid;
use super::reason;
use crate::database::Tx;
use crate::id::{AffiliateId, BatchId, ItemId, RequestId};
use crate::money::Currency;
use rust_decimal::Decimal;
use time::{Date, OffsetDateTime};

/// What kind of thing waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Kind {
    /// The connection does not work, or payments wait for it.
    Paused,
    /// PayPal refuses to be read.
    Unreadable,
    /// Files wait for the DropZone, or its folders cannot be read.
    Dropzone,
    /// A batch whose fate people must find out.
    Stuck,
    /// A file that PayPal accepted after it had been given up.
    Contradicted,
    /// A batch whose fate PayPal is asked about.
    Doubt,
    /// A payment of PayPal's old service whose end is not known.
    Legacy,
    /// A file that PayPal does not answer.
    Unanswered,
    /// A payment that a second person is asked to approve.
    Approval,
    /// A file that nobody has let go.
    Prepared,
    /// A batch that cannot be handed over.
    Waiting,
    /// A batch that cannot be read.
    Trouble,
    /// A batch that PayPal takes long for.
    Slow,
    /// A file whose Final report is late.
    NoFinal,
    /// Files of PayPal's of which something could not be used.
    Report,
    /// Payments that no report mentions.
    Unmentioned,
    /// A batch that PayPal did not take or pay, due again and not being paid.
    Refused,
    /// A payment that failed or came back, due again and not being paid.
    Failed,
    /// A payment of which PayPal shows what does not fit.
    Flagged,
    /// A payment that was stopped or sent back, and nobody has said what follows.
    Decide,
    /// A payment that its receiver has not accepted.
    Unclaimed,
    /// A payment that PayPal has reviewed for days.
    OnHold,
    /// An affiliate who is owed something and cannot be paid.
    Unpayable,
}

impl Kind {
    /// The word of addresses.
    pub fn code(self) -> &'static str {
        match self {
            Self::Paused => "paused",
            Self::Unreadable => "unreadable",
            Self::Dropzone => "dropzone",
            Self::Stuck => "stuck",
            Self::Contradicted => "contradicted",
            Self::Legacy => "legacy",
            Self::Unanswered => "unanswered",
            Self::Approval => "approval",
            Self::Prepared => "prepared",
            Self::NoFinal => "no_final",
            Self::Report => "report",
            Self::Unmentioned => "unmentioned",
            Self::Doubt => "doubt",
            Self::Waiting => "waiting",
            Self::Trouble => "trouble",
            Self::Slow => "slow",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Flagged => "flagged",
            Self::Decide => "decide",
            Self::Unclaimed => "unclaimed",
            Self::OnHold => "on_hold",
            Self::Unpayable => "unpayable",
        }
    }
}

/// A moment, and the merchant's day at it.
#[derive(Debug, Clone, Copy)]
pub struct At {
    /// The moment.
    pub now: OffsetDateTime,
    /// The day.
    pub today: Date,
}

/// One thing that waits.
#[derive(Debug, Clone)]
pub struct Line {
    /// What kind of thing.
    pub kind: Kind,
    /// Who must act: 1 the merchant, 2 the affiliate, 3 PayPal or time.
    pub who: i32,
    /// Since when.
    pub since: OffsetDateTime,
    /// The money's currency, where it is about money in one.
    pub currency: Option<Currency>,
    /// How much.
    pub amount: Option<Decimal>,
    /// How many payments, batches or commissions it is about.
    pub payments: i64,
    /// Its batch …
    pub batch: Option<BatchId>,
    /// … the click on Pay that it is of …
    pub request: Option<RequestId>,
    /// … what people call it …
    pub number: Option<i64>,
    /// … why it was refused or is stuck …
    pub why: Option<String>,
    /// … and why it could not be read.
    pub trouble: Option<String>,
    /// Its item …
    pub item: Option<ItemId>,
    /// … why that is not paid …
    pub not_paid: Option<NotPaid>,
    /// … PayPal's error …
    pub error_name: Option<String>,
    /// … with its sentence …
    pub error_message: Option<String>,
    /// … a fact that fits nowhere …
    pub flagged: Option<String>,
    /// … and whether a person asked for it back.
    pub taken_back: bool,
    /// It went in a file.
    pub by_file: bool,
    /// Its affiliate …
    pub affiliate: Option<AffiliateId>,
    /// … how people know them …
    pub name: Option<String>,
    /// … whether their address is another one than the item's …
    pub readdressed: bool,
    /// … and why they cannot be paid now, if they cannot: see `commission::due::problem_words`.
    pub problem: Option<String>,
}

/// How many things of each kind wait.
pub async fn counts(tx: &mut Tx, at: At) -> sqlx::Result<Vec<(Kind, i64)>> {
    let merchant = tx.merchant();
    let rows = sqlx::query!(
        r#"
        select kind as "kind!: Kind", count(*) as "count!"
        from attention($1, $2, $3, $4)
        group by kind
        "#,
        merchant.0,
        at.now,
        at.today,
        &reason::affiliates_to_mend()
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows.into_iter().map(|row| (row.kind, row.count)).collect())
}

/// A page of what waits, of one kind or all: by who must act, the oldest first, and of one age the largest.
pub async fn lines(tx: &mut Tx, at: At, kind: Option<Kind>, from: i64, limit: i64) -> sqlx::Result<Vec<Line>> {
    let merchant = tx.merchant();
    sqlx::query_as!(
        Line,
        r#"
        with waiting as (
            select *
            from attention($1, $2, $3, $4)
            where $5::text is null or kind = $5
            order by who, since, amount desc nulls first, batch_id, item_id, affiliate_id, currency
            offset $6
            limit $7
        )
        select
            w.kind as "kind!: Kind", w.who as "who!", w.since as "since!", w.currency as "currency: Currency", w.amount,
            w.payments as "payments!", w.batch_id as "batch: BatchId", b.request_id as "request?: RequestId", b.number as "number?", b.why, b.trouble,
            w.item_id as "item: ItemId", i.not_paid as "not_paid: NotPaid", i.error_name, i.error_message, i.flagged,
            coalesce(i.cancel_asked_at is not null, false) as "taken_back!", coalesce(b.rail = 'file', false) as "by_file!", w.affiliate_id as "affiliate: AffiliateId",
            coalesce(a.receiver is distinct from i.receiver and i.receiver <> '', false) as "readdressed!",
            coalesce(nullif(trim(a.first_name || ' ' || a.last_name), ''), a.email, a.code) as name,
            case
                when a.status <> 'active' then 'archived'
                when a.receiver_refused is not null then 'refused'
                else a.receiver_problem
            end as problem
        from waiting w
        left join payout_batches b on b.merchant_id = $1 and b.id = w.batch_id
        left join payout_items i on i.merchant_id = $1 and i.id = w.item_id
        left join affiliates a on a.merchant_id = $1 and a.id = w.affiliate_id
        order by w.who, w.since, w.amount desc nulls first, w.batch_id, w.item_id, w.affiliate_id, w.currency
        "#,
        merchant.0,
        at.now,
        at.today,
        &reason::affiliates_to_mend(),
        kind.map(Kind::code),
        from,
        limit
    )
    .fetch_all(&mut **tx)
    .await
}
