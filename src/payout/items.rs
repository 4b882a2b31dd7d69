//! Items, read for people: those of a batch, and one with its commissions and its history.

use super::batches::HistoryLine;
use super::item::{NotPaid, Wait};
use crate::database::Tx;
use crate::id::{AffiliateId, BatchId, CommissionId, ItemId};
use crate::money::Currency;
use rust_decimal::Decimal;
use time::OffsetDateTime;

/// One item for people.
#[derive(Debug, Clone)]
pub struct Item {
    /// Its id.
    pub id: ItemId,
    /// Whom it pays.
    pub affiliate: AffiliateId,
    /// How people know them.
    pub name: String,
    /// Where the money goes.
    pub receiver: String,
    /// The currency.
    pub currency: Currency,
    /// How much.
    pub amount: Decimal,
    /// "queued", "open", "paid" or "unpaid".
    pub state: String,
    /// What an open one waits for.
    pub wait: Option<Wait>,
    /// Why an unpaid one is.
    pub not_paid: Option<NotPaid>,
    /// What a person decided about it.
    pub decided: Option<String>,
    /// Why.
    pub decided_why: Option<String>,
    /// Of a blocked one: a later reading has confirmed it.
    pub confirmed_at: Option<OffsetDateTime>,
    /// When a person wished that it be taken back.
    pub cancel_asked_at: Option<OffsetDateTime>,
    /// When PayPal is asked for that next; nothing if it is not.
    pub cancel_at: Option<OffsetDateTime>,
    /// What PayPal last answered to it.
    pub cancel_said: Option<String>,
    /// PayPal's fee.
    pub fee: Option<Decimal>,
    /// Its currency.
    pub fee_currency: Option<String>,
    /// PayPal's error.
    pub error_name: Option<String>,
    /// PayPal's sentence to it.
    pub error_message: Option<String>,
    /// PayPal's id of the item.
    pub paypal_item_id: Option<String>,
    /// PayPal's transaction.
    pub transaction_id: Option<String>,
    /// When PayPal last processed it.
    pub time_processed: Option<OffsetDateTime>,
    /// When it last moved here.
    pub changed_at: OffsetDateTime,
    /// A fact that fits nowhere.
    pub flagged: Option<String>,
    /// How many commissions it pays.
    pub commissions: i64,
    /// It went in a file: PayPal's API knows nothing of it.
    pub is_by_file: bool,
}

impl Item {
    /// When PayPal last processed it, as far as anybody knows.
    pub fn processed(&self) -> OffsetDateTime {
        self.time_processed.unwrap_or(self.changed_at)
    }

    /// PayPal is being asked to take it back.
    pub fn is_being_cancelled(&self) -> bool {
        self.wait == Some(Wait::Unclaimed) && self.cancel_at.is_some()
    }

    /// PayPal may be asked to take it back.
    pub fn can_be_cancelled(&self) -> bool {
        let is_asked_for = self.is_by_file || self.cancel_at.is_some();
        self.wait == Some(Wait::Unclaimed) && !is_asked_for && self.paypal_item_id.is_some()
    }

    /// Its money came back, or was stopped, and a person has yet to say what follows.
    pub fn waits_for_a_decision(&self) -> bool {
        self.decided.is_none() && self.not_paid.is_some_and(|why| !why.releases())
    }
}

/// A batch's items after a place in the list, those in one state or all.
pub async fn items(
    tx: &mut Tx,
    batch: BatchId,
    state: Option<&str>,
    after: Option<ItemId>,
    limit: i64,
) -> sqlx::Result<Vec<Item>> {
    fetch(tx, batch, None, state, after, limit).await
}

/// One item of a batch.
pub async fn item(tx: &mut Tx, batch: BatchId, item: ItemId) -> sqlx::Result<Option<Item>> {
    Ok(fetch(tx, batch, Some(item), None, None, 1).await?.pop())
}

async fn fetch(
    tx: &mut Tx,
    batch: BatchId,
    item: Option<ItemId>,
    state: Option<&str>,
    after: Option<ItemId>,
    limit: i64,
) -> sqlx::Result<Vec<Item>> {
    let merchant = tx.merchant();
    sqlx::query_as!(
        Item,
        r#"
        select
            i.id as "id: ItemId", i.affiliate_id as "affiliate: AffiliateId",
            coalesce(nullif(trim(a.first_name || ' ' || a.last_name), ''), a.email, a.code) as "name!",
            i.receiver, i.currency as "currency: Currency", i.amount, i.state, i.wait as "wait: Wait",
            i.not_paid as "not_paid: NotPaid", i.decided, i.decided_why, i.confirmed_at, i.cancel_asked_at, i.cancel_at,
            i.cancel_said, i.fee, i.fee_currency, i.error_name, i.error_message, i.paypal_item_id, i.transaction_id,
            i.time_processed, i.changed_at, i.flagged,
            (select count(*) from allocations l where l.merchant_id = i.merchant_id and l.item_id = i.id) as "commissions!",
            exists (
                select from payout_files f where f.merchant_id = i.merchant_id and f.batch_id = i.batch_id
            ) as "is_by_file!"
        from payout_items i
        join affiliates a on a.merchant_id = i.merchant_id and a.id = i.affiliate_id
        where i.merchant_id = $1
            and i.batch_id = $2
            and ($3::text is null or $3 in (i.state, i.wait)
                or ($3 = 'needs_a_person' and (i.flagged is not null
                    or (i.decided is null and i.not_paid in ('blocked', 'refunded', 'reversed')))))
            and ($4::uuid is null or i.id > $4)
            and ($6::uuid is null or i.id = $6)
        order by i.id
        limit $5
        "#,
        merchant.0,
        batch.0,
        state,
        after.map(|id| id.0),
        limit,
        item.map(|id| id.0)
    )
    .fetch_all(&mut **tx)
    .await
}

/// A commission that an item pays, or was to pay.
#[derive(Debug, Clone)]
pub struct Commission {
    /// Its id.
    pub id: CommissionId,
    /// The merchant's own name for it.
    pub reference: String,
    /// How much.
    pub amount: Decimal,
    /// When it was given back to be due again.
    pub released_at: Option<OffsetDateTime>,
}

/// What an item pays, at most a thousand of them.
pub async fn commissions(tx: &mut Tx, item: ItemId) -> sqlx::Result<Vec<Commission>> {
    let merchant = tx.merchant();
    sqlx::query_as!(
        Commission,
        r#"
        select c.id as "id: CommissionId", c.reference, c.amount, l.released_at
        from allocations l
        join commissions c on c.merchant_id = l.merchant_id and c.id = l.commission_id
        where l.merchant_id = $1 and l.item_id = $2
        order by c.id
        limit 1000
        "#,
        merchant.0,
        item.0
    )
    .fetch_all(&mut **tx)
    .await
}

/// What happened to one item, newest first.
pub async fn history(tx: &mut Tx, batch: BatchId, item: ItemId) -> sqlx::Result<Vec<HistoryLine>> {
    let merchant = tx.merchant();
    sqlx::query_as!(
        HistoryLine,
        r#"
        select h.at, h.source, coalesce(nullif(p.name, ''), p.email) as person, h.became, h.evidence
        from payout_history h
        left join people p on p.id = h.person_id
        where h.merchant_id = $1 and h.batch_id = $2 and h.item_id = $3
        order by h.id desc
        limit 200
        "#,
        merchant.0,
        batch.0,
        item.0
    )
    .fetch_all(&mut **tx)
    .await
}
