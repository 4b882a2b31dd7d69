//! SQL that several steps share.

use super::item::{ItemState, NotPaid, Wait};
use super::selection::Line;
use crate::database::Tx;
use crate::id::{AffiliateId, BatchId, ItemId, PersonId, RequestId};
use crate::money::{Currency, Money};
use anyhow::{Context, bail};
use rust_decimal::Decimal;
use sqlx::Row;
use time::OffsetDateTime;

/// Takes the selected commissions out of what is owed, all that are still there, and says what they come to. The
/// deletion is the lock: of two drafts that want one commission, the second finds it gone.
pub(super) async fn take_lines(tx: &mut Tx, id: RequestId, now: OffsetDateTime) -> anyhow::Result<Vec<Line>> {
    let merchant = tx.merchant();
    let rows = sqlx::query_as!(
        LineRow,
        r#"
        with taken as (
            delete from owed o
            using selected_commissions s
            where s.merchant_id = $1
                and s.selection_id = $2
                and o.merchant_id = $1
                and o.commission_id = s.commission_id
            returning o.merchant_id, o.affiliate_id, o.currency, o.amount, o.released_from
        ),
        wanted as (
            select affiliate_id, currency, count(*) as commissions, sum(amount) as amount,
                bool_or(released_from is not null and is_contradicted(merchant_id, released_from)) as contradicted
            from taken
            group by affiliate_id, currency
        )
        select
            w.affiliate_id as "affiliate!: AffiliateId",
            coalesce(nullif(trim(a.first_name || ' ' || a.last_name), ''), a.email, a.code) as "name!",
            a.receiver,
            payment_problem(a, w.contradicted, w.amount, coalesce(m.amount, r.minimum), $3) as problem,
            a.receiver_changed_at,
            w.currency as "currency!: Currency",
            w.commissions as "commissions!",
            w.amount as "amount!"
        from wanted w
        join affiliates a on a.merchant_id = $1 and a.id = w.affiliate_id
        left join payment_rules r on r.merchant_id = $1 and r.currency = w.currency
        left join affiliate_minimums m on m.merchant_id = $1 and m.affiliate_id = w.affiliate_id and m.currency = w.currency
        order by w.currency, w.affiliate_id
        "#,
        merchant.0,
        id.0,
        now
    )
    .fetch_all(&mut **tx)
    .await?;
    rows.into_iter().map(Line::try_from).collect()
}

/// How many lines are in memory at once where there may be millions.
const PORTION: usize = 10_000;

/// What is still owed of a selection, one line per currency and affiliate, in that order; a portion at a time: the caller
/// works in the same transaction meanwhile.
pub(super) struct Lines;

impl Lines {
    /// Begins to read; what is read is what was there now.
    pub(super) async fn open(tx: &mut Tx, id: RequestId, now: OffsetDateTime) -> sqlx::Result<Self> {
        let merchant = tx.merchant();
        sqlx::query("set local cursor_tuple_fraction = 1").execute(&mut **tx).await?;
        sqlx::query(concat!("declare lines no scroll cursor for ", include_str!("lines.sql")))
            .bind(merchant.0)
            .bind(id.0)
            .bind(now)
            .execute(&mut **tx)
            .await?;
        Ok(Self)
    }

    /// The next portion; empty at the end.
    pub(super) async fn next(&mut self, tx: &mut Tx) -> anyhow::Result<Vec<Line>> {
        let fetch = sqlx::AssertSqlSafe(format!("fetch forward {PORTION} from lines"));
        let rows = sqlx::query(fetch).fetch_all(&mut **tx).await?;
        rows.iter().map(|row| Line::try_from(LineRow::from_row(row)?)).collect()
    }
}

struct LineRow {
    affiliate: AffiliateId,
    name: String,
    receiver: Option<String>,
    problem: Option<String>,
    receiver_changed_at: Option<OffsetDateTime>,
    currency: Currency,
    commissions: i64,
    amount: Decimal,
}

impl LineRow {
    /// From a row whose columns come in the order of the query.
    fn from_row(row: &sqlx::postgres::PgRow) -> sqlx::Result<Self> {
        Ok(Self {
            affiliate: row.try_get(0)?,
            name: row.try_get(1)?,
            receiver: row.try_get(2)?,
            problem: row.try_get(3)?,
            receiver_changed_at: row.try_get(4)?,
            currency: row.try_get(5)?,
            commissions: row.try_get(6)?,
            amount: row.try_get(7)?,
        })
    }
}

impl TryFrom<LineRow> for Line {
    type Error = anyhow::Error;
    fn try_from(row: LineRow) -> anyhow::Result<Self> {
        Ok(Self {
            amount: payable(row.affiliate, row.amount, row.currency)?,
            affiliate: row.affiliate,
            name: row.name,
            receiver: row.receiver,
            problem: row.problem,
            receiver_changed_at: row.receiver_changed_at,
            commissions: row.commissions,
        })
    }
}

/// A sum of what is owed to somebody.
pub(super) fn payable(affiliate: AffiliateId, amount: Decimal, currency: Currency) -> anyhow::Result<Money> {
    Money::new(amount, currency).with_context(|| format!("what is owed to affiliate {affiliate} is not payable"))
}

/// An item's state from its columns.
pub(super) fn item_state(
    id: ItemId,
    state: &str,
    wait: Option<Wait>,
    not_paid: Option<NotPaid>,
) -> anyhow::Result<ItemState> {
    Ok(match (state, wait, not_paid) {
        ("queued", None, None) => ItemState::Queued,
        ("open", Some(wait), None) => ItemState::Open(wait),
        ("paid", None, None) => ItemState::Paid,
        ("unpaid", None, Some(why)) => ItemState::Unpaid(why),
        _ => bail!("payout item {id} is in an impossible state: {state} {wait:?} {not_paid:?}"),
    })
}

/// Gives back what a batch's unpaid items took: the allocations end and the commissions are owed again. Only for
/// reasons that release or where a person decided so, and only once the batch itself is finished; callers see to the
/// latter.
pub(super) async fn release(tx: &mut Tx, batch: BatchId, now: OffsetDateTime) -> sqlx::Result<u64> {
    let merchant = tx.merchant();
    let released = sqlx::query!(
        r#"
        with released as (
            update allocations l
            set released_at = $3
            from payout_items i
            where i.merchant_id = $1
                and i.batch_id = $2
                and i.state = 'unpaid'
                and (i.not_paid not in ('blocked', 'refunded', 'reversed') or i.decided = 'due_again')
                and l.merchant_id = i.merchant_id
                and l.item_id = i.id
                and l.released_at is null
            returning l.merchant_id, l.commission_id, l.item_id
        )
        insert into owed (merchant_id, commission_id, affiliate_id, currency, due_on, amount, released_from)
        select c.merchant_id, c.id, c.affiliate_id, c.currency, c.due_on, c.amount, r.item_id
        from released r
        join commissions c on c.merchant_id = r.merchant_id and c.id = r.commission_id
        "#,
        merchant.0,
        batch.0,
        now
    )
    .execute(&mut **tx)
    .await?;
    Ok(released.rows_affected())
}

/// Where a history line comes from.
#[derive(Debug, Clone, Copy)]
pub(super) enum Source {
    /// A person's click.
    Person(PersonId),
    /// An attempt to send.
    Send,
    /// A reading of PayPal.
    Read,
    /// What PayPal told by itself.
    Event,
    /// A file of PayPal's: its answer to ours, or a report.
    Report,
}

impl Source {
    /// What of it a history line keeps.
    pub(super) fn columns(self) -> (&'static str, Option<uuid::Uuid>) {
        match self {
            Self::Person(person) => ("person", Some(person.0)),
            Self::Send => ("send", None),
            Self::Read => ("read", None),
            Self::Event => ("event", None),
            Self::Report => ("report", None),
        }
    }
}

/// Adds a line to a batch's history.
pub(super) async fn tell(
    tx: &mut Tx,
    batch: BatchId,
    source: Source,
    became: &str,
    evidence: Option<&str>,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    let merchant = tx.merchant();
    let (source, person) = source.columns();
    sqlx::query!(
        r#"
        insert into payout_history (merchant_id, batch_id, at, source, person_id, became, evidence)
        values ($1, $2, $3, $4, $5, $6, $7)
        "#,
        merchant.0,
        batch.0,
        now,
        source,
        person,
        became,
        evidence
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
