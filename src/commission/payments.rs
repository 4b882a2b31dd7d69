//! What was paid: one line a payment, whether it went through PayPal, by hand, or before the merchant came here.

use super::Place;
use crate::database::Tx;
use crate::id::{AffiliateId, BatchId};
use crate::money::Currency;
use rust_decimal::Decimal;
use sqlx::{FromRow, QueryBuilder};
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
}

/// At most `limit` payments from a place on, the latest first.
pub async fn payments(tx: &mut Tx, search: &str, place: Place<Uuid>, limit: i64) -> sqlx::Result<Vec<Payment>> {
    const ITEMS: &str = "(select t.id, t.affiliate_id, b.rail as channel, t.batch_id, b.number,
            coalesce(t.time_processed, t.changed_at) as paid_at, null::date as paid_on,
            coalesce(t.transaction_id, b.reference) as reference, t.currency, t.amount
        from payout_items t
        join payout_batches b on b.merchant_id = t.merchant_id and b.id = t.batch_id";
    const BEFORE: &str = " union all (select t.id, t.affiliate_id, 'before', null, null, null, t.paid_before_on,
            t.reference, t.currency, t.amount
        from commissions t";
    let (other, comparison, direction) = match place {
        Place::Start => (None, "<", "desc"),
        Place::After(other) => (Some(other), "<", "desc"),
        Place::Before(other) => (Some(other), ">", "asc"),
    };
    let mut query = QueryBuilder::new("with page as materialized (");
    for (tables, only, number) in [
        (ITEMS, " and t.state = 'paid'", "b.number::text"),
        (BEFORE, " and t.paid_before_on is not null", "t.reference"),
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
                page.reference, page.currency, page.amount
            from page
            join affiliates a on a.id = page.affiliate_id
            where a.merchant_id = ",
        )
        .push_bind(tx.merchant().0)
        .push(" order by page.id desc");
    query.build_query_as().fetch_all(&mut **tx).await
}
