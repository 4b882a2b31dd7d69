//! What was paid: one line a payment, whether it went through PayPal, by hand, or before the merchant came here.

use super::Place;
use crate::database::Tx;
use crate::id::{AffiliateId, BatchId};
use crate::money::Currency;
use rust_decimal::Decimal;
use sqlx::{FromRow, Postgres, QueryBuilder};
use time::{Date, OffsetDateTime};
use uuid::Uuid;

/// How a payment went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum Channel {
    /// Through PayPal's Payouts API.
    Api,
    /// Through a file that PayPal took.
    File,
    /// By hand, outside.
    Manual,
    /// Through PayPal's old Mass Pay service, before the merchant came here.
    Legacy,
    /// Before the merchant came here; the commission was imported as paid.
    Before,
}

impl Channel {
    /// For people.
    pub fn words(self) -> &'static str {
        match self {
            Channel::Api => "via PayPal",
            Channel::File => "via PayPal file",
            Channel::Manual => "manual",
            Channel::Legacy => "via PayPal’s old Mass Pay",
            Channel::Before => "before Stipend",
        }
    }
}

/// One payment that arrived.
#[derive(Debug, Clone, FromRow)]
pub struct Payment {
    /// Its item, or the commission imported as paid: the key of the list.
    pub id: Uuid,
    /// To whom.
    pub affiliate: AffiliateId,
    /// What people call them.
    pub name: String,
    /// Their e-mail.
    pub email: Option<String>,
    /// How it went.
    pub channel: Channel,
    /// Its batch.
    pub batch: Option<BatchId>,
    /// What people call the batch.
    pub batch_number: Option<i64>,
    /// When it arrived.
    pub paid_at: Option<OffsetDateTime>,
    /// The day of a payment before Stipend.
    pub paid_on: Option<Date>,
    /// What it can be found by: PayPal's transaction, the reference of a manual payment, or that of the commission.
    pub reference: Option<String>,
    /// In which currency.
    pub currency: Currency,
    /// How much.
    pub amount: Decimal,
    /// PayPal's id of the batch.
    pub paypal_batch_id: Option<String>,
    /// PayPal's id of the item.
    pub paypal_item_id: Option<String>,
    /// What PayPal took for it, which the merchant pays.
    pub fee: Option<Decimal>,
    /// Its currency.
    pub fee_currency: Option<String>,
    /// Where it went.
    pub receiver: Option<String>,
    /// When the payment was made up, or the commission entered.
    pub created_at: OffsetDateTime,
}

/// Which payments.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Part of a name, e-mail or code, or a batch's number; empty for all.
    pub search: String,
    /// Only this currency.
    pub currency: Option<Currency>,
    /// Paid on this day or later.
    pub from: Option<Date>,
    /// Paid on this day or earlier.
    pub through: Option<Date>,
    /// Whose days these are: the merchant's time zone.
    pub zone: String,
}

impl Wanted {
    /// Narrows a query over `t`, the items or the commissions paid before.
    fn push(&self, query: &mut QueryBuilder<Postgres>, before: bool) {
        if let Some(currency) = self.currency {
            query.push(" and t.currency = ").push_bind(currency);
        }
        for (comparison, day) in [(">=", self.from), ("<", self.through.and_then(Date::next_day))] {
            let Some(day) = day else { continue };
            if before {
                query.push(format!(" and t.paid_before_on {comparison} ")).push_bind(day);
            } else {
                query.push(format!(" and coalesce(t.time_processed, t.changed_at) {comparison} ")).push_bind(day);
                query.push("::date::timestamp at time zone ").push_bind(self.zone.clone());
            }
        }
    }
}

/// At most `limit` payments from a place on, the latest first.
pub async fn payments(tx: &mut Tx, wanted: &Wanted, place: Place<Uuid>, limit: i64) -> sqlx::Result<Vec<Payment>> {
    const ITEMS: &str = "(select t.id, t.affiliate_id, case when b.legacy then 'legacy' else b.rail end as channel, t.batch_id, b.number,
            coalesce(t.time_processed, t.changed_at) as paid_at, null::date as paid_on,
            coalesce(t.transaction_id, b.reference) as reference, t.currency, t.amount,
            b.paypal_batch_id, t.paypal_item_id, t.fee, t.fee_currency, t.receiver, b.created_at
        from payout_items t
        join payout_batches b on b.merchant_id = t.merchant_id and b.id = t.batch_id";
    const BEFORE: &str = " union all (select t.id, t.affiliate_id, 'before', null, null, null, t.paid_before_on,
            t.reference, t.currency, t.amount, null, null, null, null, null, t.created_at
        from commissions t";
    let (other, comparison, direction) = match place {
        Place::Start => (None, "<", "desc"),
        Place::After(other) => (Some(other), "<", "desc"),
        Place::Before(other) => (Some(other), ">", "asc"),
    };
    let mut query = QueryBuilder::new("with page as materialized (");
    let search = wanted.search.as_str();
    for (tables, only, number, before) in [
        (ITEMS, " and t.state = 'paid'", "b.number::text", false),
        (BEFORE, " and t.paid_before_on is not null", "t.reference", true),
    ] {
        query.push(tables);
        if !search.trim().is_empty() {
            query.push(" join affiliates a on a.merchant_id = t.merchant_id and a.id = t.affiliate_id");
        }
        query.push(" where t.merchant_id = ").push_bind(tx.merchant().0).push(only);
        if !search.trim().is_empty() {
            query
                .push(format!(" and ({number} = "))
                .push_bind(search.trim().to_owned())
                .push(" or strpos(lower(concat_ws(' ', a.first_name, a.last_name, a.email, a.code)), lower(")
                .push_bind(search.trim().to_owned())
                .push(")) > 0)");
        }
        wanted.push(&mut query, before);
        if let Some(other) = other {
            query.push(format!(" and t.id {comparison} ")).push_bind(other);
        }
        query.push(format!(" order by t.id {direction} limit ")).push_bind(limit).push(")");
    }
    query
        .push(format!(" order by 1 {direction} limit "))
        .push_bind(limit)
        .push(
            ") select page.id, a.id as affiliate,
                coalesce(nullif(trim(a.first_name || ' ' || a.last_name), ''), a.email, a.code) as name, a.email,
                page.channel, page.batch_id as batch, page.number as batch_number, page.paid_at, page.paid_on,
                page.reference, page.currency, page.amount, page.paypal_batch_id, page.paypal_item_id, page.fee,
                page.fee_currency, page.receiver, page.created_at
            from page
            join affiliates a on a.id = page.affiliate_id
            where a.merchant_id = ",
        )
        .push_bind(tx.merchant().0)
        .push(" order by page.id desc");
    query.build_query_as().fetch_all(&mut **tx).await
}
