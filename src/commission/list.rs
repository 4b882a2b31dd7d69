//! Commissions as lists: searched, a page at a time by key. Each list starts from the narrowest table that knows its
//! rows, so that what is owed is found without reading what was ever paid.

use super::standing::{STANDING, STANDING_END, Standing};
use crate::database::Tx;
use crate::id::{AffiliateId, BatchId, CommissionId};
use crate::money::Currency;
use rust_decimal::Decimal;
use sqlx::{FromRow, Postgres, QueryBuilder};
use time::{Date, OffsetDateTime};

/// One of the lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// Due after today, the next first.
    Upcoming,
    /// On their way, or waiting for a person; the latest payment first.
    Processing,
    /// All, or those of one standing; the latest first.
    All(Option<Standing>),
}

/// Which list, of what, as of which day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// The list.
    pub which: Which,
    /// Part of a name, e-mail, code, reference or note; empty for all.
    pub search: String,
    /// Only this currency.
    pub currency: Option<Currency>,
    /// Only those due from one day through another; of commissions in a payment it is not asked.
    pub due: (Option<Date>, Option<Date>),
    /// Today where the merchant is.
    pub today: Date,
}

/// Where in a list to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place<Id> {
    /// At its beginning.
    Start,
    /// Behind this one.
    After(Id),
    /// In front of this one: the page that ends there.
    Before(Id),
}

/// One line of a list.
#[derive(Debug, Clone, FromRow)]
pub struct Listed {
    /// Which one.
    pub id: CommissionId,
    /// Whose.
    pub affiliate: AffiliateId,
    /// What people call them.
    pub name: String,
    /// Their e-mail.
    pub email: Option<String>,
    /// The merchant's own name for it.
    pub reference: String,
    /// A note.
    pub note: String,
    /// In which currency.
    pub currency: Currency,
    /// How much.
    pub amount: Decimal,
    /// Payable from this day on.
    pub due_on: Date,
    /// When it was entered.
    pub created_at: OffsetDateTime,
    /// Paid elsewhere on this day, before it came here.
    pub paid_before_on: Option<Date>,
    /// Why it was cancelled, if somebody said.
    pub cancelled_why: Option<String>,
    /// Where it stands.
    pub standing: Standing,
    /// The batch that has it.
    pub batch: Option<BatchId>,
    /// What people call the batch.
    pub batch_number: Option<i64>,
}

const DETAILS: &str = "select c.id, c.affiliate_id as affiliate,
        coalesce(nullif(trim(a.first_name || ' ' || a.last_name), ''), a.email, a.code) as name, a.email,
        c.reference, c.note, c.currency, c.amount, c.due_on, c.created_at, c.paid_before_on, c.cancelled_why,
        s.batch_id as batch, b.number as batch_number, ";
const DETAILS_FROM: &str = " as standing
    from page
    join commissions c on c.id = page.id
    join affiliates a on a.merchant_id = c.merchant_id and a.id = c.affiliate_id
    join commission_standings s on s.merchant_id = c.merchant_id and s.id = c.id
    left join payout_batches b on b.merchant_id = s.merchant_id and b.id = s.batch_id
    where c.merchant_id = ";

/// At most `limit` commissions from a place on, in the list's order.
pub async fn list(tx: &mut Tx, filter: &Filter, place: Place<CommissionId>, limit: i64) -> sqlx::Result<Vec<Listed>> {
    let merchant = tx.merchant().0;
    let source = Source::of(filter.which);
    // A page in front of a place is read backwards and turned round.
    let (other, backwards) = match place {
        Place::Start => (None, false),
        Place::After(other) => (Some(other), false),
        Place::Before(other) => (Some(other), true),
    };
    let down = source.down != backwards;
    let (comparison, direction) = if down { ("<", "desc") } else { (">", "asc") };
    let columns: Vec<String> = source.key.split(", ").map(|column| format!("{column} {direction}")).collect();
    let order = columns.join(", ");
    let mut query = QueryBuilder::new("with page as materialized (select ");
    query.push(source.id).push(format!(" as id, row_number() over (order by {order}) as place from {}", source.tables));
    source.narrow(&mut query, filter, merchant);
    if let Some(other) = other {
        query.push(format!(" and ({}) {comparison} ({} where merchant_id = ", source.key, source.key_of));
        query.push_bind(merchant).push(source.key_of_id).push_bind(other.0).push(" order by 1 desc limit 1)");
    }
    query.push(format!(" order by {order} limit ")).push_bind(limit).push(") ");
    query.push(DETAILS).push(STANDING).push_bind(filter.today).push(STANDING_END);
    query.push(DETAILS_FROM).push_bind(merchant).push(" order by page.place");
    let mut listed: Vec<Listed> = query.build_query_as().fetch_all(&mut **tx).await?;
    if backwards {
        listed.reverse();
    }
    Ok(listed)
}

/// These commissions, as many of them as there are.
pub async fn some(tx: &mut Tx, ids: &[CommissionId], today: Date) -> sqlx::Result<Vec<Listed>> {
    let merchant = tx.merchant().0;
    let ids: Vec<uuid::Uuid> = ids.iter().map(|id| id.0).collect();
    let mut query = QueryBuilder::new("with page as materialized (select unnest(");
    query.push_bind(ids).push("::uuid[]) as id) ");
    query.push(DETAILS).push(STANDING).push_bind(today).push(STANDING_END);
    query.push(DETAILS_FROM).push_bind(merchant).push(" order by c.id desc");
    query.build_query_as().fetch_all(&mut **tx).await
}

const UNPAID_ITEMS: &str = "payout_items t
    join allocations l on l.merchant_id = t.merchant_id and l.item_id = t.id and l.released_at is null
    join commission_standings s on s.merchant_id = t.merchant_id and s.id = l.commission_id";

/// Where a list's rows are found. `t` is the table that leads.
struct Source {
    tables: &'static str,
    /// The commission's id.
    id: &'static str,
    /// The list's order.
    key: &'static str,
    /// The place of any commission in that order, also once it has left the list.
    key_of: &'static str,
    key_of_id: &'static str,
    only: &'static str,
    due: Option<&'static str>,
    standing: Option<Standing>,
    down: bool,
}

impl Source {
    fn of(which: Which) -> Self {
        let all = Source {
            tables: "commissions t",
            id: "t.id",
            key: "t.id",
            key_of: "select id from commissions",
            key_of_id: " and id = ",
            only: "",
            due: None,
            standing: None,
            down: true,
        };
        let owed = Source { tables: "owed t", id: "t.commission_id", key: "t.commission_id", ..all };
        let unpaid = Source {
            tables: UNPAID_ITEMS,
            id: "l.commission_id",
            key: "l.commission_id",
            only: " and t.state <> 'paid'",
            ..all
        };
        match which {
            Which::All(None) => all,
            Which::All(Some(Standing::Due)) => Source { due: Some("<="), ..owed },
            Which::All(Some(Standing::Upcoming)) => Source { due: Some(">"), ..owed },
            Which::All(Some(Standing::Cancelled)) => Source { only: " and t.cancelled_at is not null", ..all },
            Which::All(Some(Standing::Paid)) => Source { only: IS_PAID, ..all },
            Which::All(Some(
                standing @ (Standing::Paying | Standing::Unknown | Standing::NeedsAPerson | Standing::WrittenOff),
            )) => Source { standing: Some(standing), ..unpaid },
            Which::Upcoming => Source {
                key: "t.due_on, t.commission_id",
                key_of: "select due_on, id from commissions",
                due: Some(">"),
                down: false,
                ..owed
            },
            Which::Processing => Source {
                key: "t.id, l.commission_id",
                key_of: "select item_id, commission_id from allocations",
                key_of_id: " and commission_id = ",
                only: " and t.state <> 'paid' and t.decided is distinct from 'written_off'",
                ..unpaid
            },
        }
    }

    fn narrow(&self, query: &mut QueryBuilder<Postgres>, filter: &Filter, merchant: uuid::Uuid) {
        let search = filter.search.trim();
        if !search.is_empty() {
            query.push(" join commissions c on c.merchant_id = t.merchant_id and c.id = ").push(self.id);
            query.push(" join affiliates a on a.merchant_id = t.merchant_id and a.id = t.affiliate_id");
        }
        query.push(" where t.merchant_id = ").push_bind(merchant).push(self.only);
        if let Some(comparison) = self.due {
            query.push(format!(" and t.due_on {comparison} ")).push_bind(filter.today);
        }
        if let Some(currency) = filter.currency {
            query.push(" and t.currency = ").push_bind(currency);
        }
        for (comparison, day) in [(">=", filter.due.0), ("<=", filter.due.1)] {
            if let Some(day) = day.filter(|_| self.tables != UNPAID_ITEMS) {
                query.push(format!(" and t.due_on {comparison} ")).push_bind(day);
            }
        }
        if let Some(standing) = self.standing {
            query.push(" and s.standing = ").push_bind(standing);
        }
        if !search.is_empty() {
            let texts = "a.first_name, a.last_name, a.email, a.code, c.reference, c.note";
            query.push(format!(" and strpos(lower(concat_ws(' ', {texts})), lower("));
            query.push_bind(search.to_owned()).push(")) > 0");
        }
    }
}

const IS_PAID: &str = " and not exists (
        select from owed o where o.merchant_id = t.merchant_id and o.commission_id = t.id
    ) and exists (
        select from commission_standings s
        where s.merchant_id = t.merchant_id and s.id = t.id and s.standing = 'paid'
    )";

/// What is owed in one currency after a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sum {
    /// The currency.
    pub currency: Currency,
    /// How many commissions.
    pub commissions: i64,
    /// How much.
    pub amount: Decimal,
}

/// What becomes due after today, from the tally.
pub async fn upcoming(tx: &mut Tx, today: Date) -> sqlx::Result<Vec<Sum>> {
    let merchant = tx.merchant();
    sqlx::query_as!(
        Sum,
        r#"
        select currency as "currency: Currency", sum(commissions)::bigint as "commissions!", sum(amount) as "amount!"
        from owed_tally
        where merchant_id = $1 and due_on > $2
        group by currency
        having sum(commissions) > 0
        order by currency
        "#,
        merchant.0,
        today
    )
    .fetch_all(&mut **tx)
    .await
}
