//! What a person ticked, frozen as single commissions when they go to the review. The only way into a draft.

use super::restoration;
use crate::audit::Actor;
use crate::database::Tx;
use crate::id::{AffiliateId, BatchId, CommissionId, RequestId};
use crate::money::{Currency, Money};
use crate::rules;
use rust_decimal::Decimal;
use sha2::{Digest, Sha256};
use sqlx::{Postgres, QueryBuilder};
use time::{Date, OffsetDateTime};

/// Selected commissions from which the planner is told to expect many rows.
pub(super) const BULK: i64 = 5_000;

/// Which rows of the due page are meant.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Filter {
    /// Part of a name, e-mail or code.
    pub search: String,
    /// Only rows of this currency.
    pub currency: Option<Currency>,
    /// Only rows of at least this much, in the row's own currency.
    pub minimum: Option<Decimal>,
}

impl Filter {
    /// Narrows a query over `owed o join affiliates a`; the minimum is a matter of its sums.
    fn push(&self, query: &mut QueryBuilder<Postgres>) {
        if let Some(currency) = self.currency {
            query.push(" and o.currency = ").push_bind(currency);
        }
        self.push_search(query);
    }

    /// Narrows a query over `affiliates a`.
    pub fn push_search(&self, query: &mut QueryBuilder<Postgres>) {
        if !self.search.is_empty() {
            let like = format!("%{}%", escape_like(&self.search.to_lowercase()));
            query.push(" and (a.sort_name like ").push_bind(like.clone());
            query.push(" or lower(a.email) like ").push_bind(like.clone());
            query.push(" or lower(a.paypal_email) like ").push_bind(like.clone());
            query.push(" or lower(a.code) like ").push_bind(like).push(")");
        }
    }
}

/// A text in which `%`, `_` and `\` stand for themselves in a `like` pattern.
pub fn escape_like(text: &str) -> String {
    text.chars().flat_map(|c| matches!(c, '\\' | '%' | '_').then_some('\\').into_iter().chain([c])).collect()
}

/// One affiliate in one currency: a row of the due page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DueRow {
    /// Whose.
    pub affiliate: AffiliateId,
    /// In which currency.
    pub currency: Currency,
}

/// What was ticked.
#[derive(Debug, Clone)]
pub enum Ticked {
    /// These rows whole, and these single commissions.
    These {
        /// Whole rows.
        rows: Vec<DueRow>,
        /// Single commissions.
        commissions: Vec<CommissionId>,
    },
    /// Everything that matches, but for these rows.
    AllBut {
        /// What the list was narrowed to.
        filter: Filter,
        /// Rows that were unticked.
        except: Vec<DueRow>,
        /// Leave out affiliates whom PayPal cannot pay.
        payable_only: bool,
    },
}

/// Freezes what was ticked. Nothing if nothing is due of it.
pub async fn select(tx: &mut Tx, actor: &Actor, through: Date, ticked: &Ticked) -> sqlx::Result<Option<RequestId>> {
    let id = insert_selection(tx, actor, through, None).await?;
    let merchant = tx.merchant();
    // While a restored backup is brought up to date, only what was paid already is entered: no rule stops that.
    let is_bound = !restoration::is_open(tx).await?;
    let has_minimums = is_bound && rules::has_minimums(tx).await?;
    let mut query = QueryBuilder::new(
        "insert into selected_commissions (merchant_id, selection_id, affiliate_id, currency, commission_id, amount) ",
    );
    query.push("select o.merchant_id, ").push_bind(id.0);
    query.push(", o.affiliate_id, o.currency, o.commission_id, o.amount from owed o ");
    query.push("join affiliates a on a.merchant_id = o.merchant_id and a.id = o.affiliate_id ");
    let not_held = |query: &mut QueryBuilder<Postgres>| {
        query.push(" and a.status = 'active'");
        if is_bound {
            query.push(" and (a.held_until is null or a.held_until <= ").push_bind(actor.at).push(")");
        }
    };
    match ticked {
        Ticked::These { rows, commissions } => {
            let (affiliates, currencies) = columns(rows);
            let commissions: Vec<uuid::Uuid> = commissions.iter().map(|id| id.0).collect();
            query.push("where o.merchant_id = ").push_bind(merchant.0);
            query.push(" and o.due_on <= ").push_bind(through);
            not_held(&mut query);
            query.push(" and (o.commission_id = any(").push_bind(commissions);
            query.push(") or (o.affiliate_id, o.currency) in (select * from unnest(").push_bind(affiliates);
            query.push("::uuid[], ").push_bind(currencies).push("::text[])))");
        }
        Ticked::AllBut { filter, except, payable_only } => {
            let (affiliates, currencies) = columns(except);
            if filter.minimum.is_some() || has_minimums {
                query.push("join (select e.affiliate_id, e.currency from (select affiliate_id, currency, sum(amount) as amount from owed where merchant_id = ");
                query.push_bind(merchant.0).push(" and due_on <= ").push_bind(through);
                query
                    .push(" group by affiliate_id, currency having sum(amount) >= ")
                    .push_bind(filter.minimum.unwrap_or_default());
                query.push(") e left join payment_rules r on r.merchant_id = ").push_bind(merchant.0);
                query
                    .push(" and r.currency = e.currency left join affiliate_minimums m on m.merchant_id = ")
                    .push_bind(merchant.0);
                query.push(" and m.affiliate_id = e.affiliate_id and m.currency = e.currency where e.amount >= coalesce(m.amount, r.minimum, 0)");
                query.push(") enough on enough.affiliate_id = o.affiliate_id and enough.currency = o.currency ");
            }
            query.push("where o.merchant_id = ").push_bind(merchant.0);
            query.push(" and o.due_on <= ").push_bind(through);
            not_held(&mut query);
            if *payable_only {
                query.push(" and a.receiver_problem is null and a.receiver_refused is null");
            }
            if !except.is_empty() {
                query.push(" and (o.affiliate_id, o.currency) not in (select * from unnest(").push_bind(affiliates);
                query.push("::uuid[], ").push_bind(currencies).push("::text[]))");
            }
            filter.push(&mut query);
        }
    }
    let mut frozen = query.build().execute(&mut **tx).await?.rows_affected();
    if has_minimums && matches!(ticked, Ticked::These { .. }) {
        frozen -= remove_stopped(tx, id, actor.at).await?;
    }
    Ok((frozen > 0).then_some(id))
}

/// A selection without commissions yet.
pub(super) async fn insert_selection(
    tx: &mut Tx,
    actor: &Actor,
    through: Date,
    retry_of: Option<BatchId>,
) -> sqlx::Result<RequestId> {
    let merchant = tx.merchant();
    let id = RequestId::new();
    sqlx::query!(
        r#"
        insert into selections (merchant_id, id, person_id, created_at, through, retry_of)
        values ($1, $2, $3, $4, $5, $6)
        "#,
        merchant.0,
        id.0,
        actor.person.map(|person| person.0),
        actor.at,
        through,
        retry_of.map(|batch| batch.0)
    )
    .execute(&mut **tx)
    .await?;
    Ok(id)
}

fn columns(rows: &[DueRow]) -> (Vec<uuid::Uuid>, Vec<String>) {
    rows.iter().map(|row| (row.affiliate.0, row.currency.code().to_owned())).unzip()
}

/// One payment of the selection: an affiliate in one currency.
#[derive(Debug, Clone)]
pub struct Line {
    /// Whom.
    pub affiliate: AffiliateId,
    /// How people know them.
    pub name: String,
    /// Where the money goes.
    pub receiver: Option<String>,
    /// Why it cannot go there: a word of the database's function `payment_problem`.
    pub problem: Option<String>,
    /// When the address last changed.
    pub receiver_changed_at: Option<OffsetDateTime>,
    /// How many commissions.
    pub commissions: i64,
    /// How much.
    pub amount: Money,
}

impl Line {
    /// The merchant's own rules stop it, whatever the way of paying: it is below the minimum, or held.
    pub fn is_stopped(&self) -> bool {
        matches!(self.problem.as_deref(), Some("below_minimum" | "held"))
    }
}

/// What the reader of the review saw, in one value: lines are added in the order of currency and affiliate. Paying is
/// asked with it, and refused when it is not what would be paid by then.
#[derive(Clone, Default)]
pub(super) struct Seen(Sha256);

impl Seen {
    pub(super) fn of(lines: &[Line]) -> [u8; 32] {
        let mut seen = Self::default();
        lines.iter().for_each(|line| seen.add(line));
        seen.finish()
    }

    pub(super) fn add(&mut self, line: &Line) {
        let receiver = line.receiver.as_deref().unwrap_or_default();
        self.0.update(format!("{} {} {} {receiver}\0", line.affiliate, line.commissions, line.amount));
    }

    pub(super) fn finish(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}

/// Takes rows out of a selection; they stay due.
pub async fn remove(tx: &mut Tx, id: RequestId, rows: &[DueRow]) -> sqlx::Result<()> {
    let merchant = tx.merchant();
    let (affiliates, currencies) = columns(rows);
    sqlx::query!(
        r#"
        delete from selected_commissions
        where merchant_id = $1
            and selection_id = $2
            and (affiliate_id, currency) in (select * from unnest($3::uuid[], $4::text[]))
        "#,
        merchant.0,
        id.0,
        &affiliates,
        &currencies
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Takes out whatever PayPal could not be asked to pay: affiliates without a usable address, and what is not owed any
/// more.
pub async fn remove_unpayable(tx: &mut Tx, id: RequestId, now: OffsetDateTime) -> sqlx::Result<()> {
    let merchant = tx.merchant();
    remove_stopped(tx, id, now).await?;
    sqlx::query!(
        r#"
        delete from selected_commissions s
        using affiliates a
        where s.merchant_id = $1
            and s.selection_id = $2
            and a.merchant_id = s.merchant_id
            and a.id = s.affiliate_id
            and (a.status <> 'active' or a.receiver_problem is not null or a.receiver_refused is not null)
        "#,
        merchant.0,
        id.0
    )
    .execute(&mut **tx)
    .await?;
    forget_gone(tx, id).await
}

/// Takes out what the merchant's own rules stop: payments below the minimum, and affiliates who are held. Says how many
/// commissions that is.
pub async fn remove_stopped(tx: &mut Tx, id: RequestId, now: OffsetDateTime) -> sqlx::Result<u64> {
    let merchant = tx.merchant();
    let removed = sqlx::query!(
        r#"
        with sums as (
            select affiliate_id, currency, sum(amount) as amount
            from selected_commissions
            where merchant_id = $1 and selection_id = $2
            group by affiliate_id, currency
        ),
        stopped as (
            select w.affiliate_id, w.currency
            from sums w
            join affiliates a on a.merchant_id = $1 and a.id = w.affiliate_id
            left join payment_rules r on r.merchant_id = $1 and r.currency = w.currency
            left join affiliate_minimums m on m.merchant_id = $1 and m.affiliate_id = w.affiliate_id and m.currency = w.currency
            where a.held_until > $3 or w.amount < coalesce(m.amount, r.minimum, 0)
        )
        delete from selected_commissions s
        using stopped
        where s.merchant_id = $1
            and s.selection_id = $2
            and s.affiliate_id = stopped.affiliate_id
            and s.currency = stopped.currency
        "#,
        merchant.0,
        id.0,
        now
    )
    .execute(&mut **tx)
    .await?;
    Ok(removed.rows_affected())
}

/// Drops what is not owed any more: the reader has been told.
pub async fn forget_gone(tx: &mut Tx, id: RequestId) -> sqlx::Result<()> {
    let merchant = tx.merchant();
    sqlx::query!(
        r#"
        delete from selected_commissions s
        where s.merchant_id = $1
            and s.selection_id = $2
            and not exists (
                select from owed o
                where o.merchant_id = s.merchant_id and o.commission_id = s.commission_id
            )
        "#,
        merchant.0,
        id.0
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
