//! What PayPal showed of items, applied to ours: a page at a time, three statements a page.

use super::item::{BLOCKED_STAYS, ItemState, NotPaid, Step, Wait};
use super::store::{Source, item_state};
use crate::database::Tx;
use crate::id::{BatchId, ItemId, item_of};
use crate::money::Currency;
use crate::paypal::payouts::ItemSeen;
use rust_decimal::Decimal;
use std::collections::{HashMap, HashSet};
use time::OffsetDateTime;

/// An item of ours as it stands.
#[derive(Debug, Clone, PartialEq)]
struct Known {
    id: ItemId,
    amount: Decimal,
    currency: Currency,
    state: ItemState,
    paypal_item_id: Option<String>,
    transaction_id: Option<String>,
    fee: Option<(Decimal, String)>,
    error: Option<(String, String)>,
    time_processed: Option<OffsetDateTime>,
    changed_at: OffsetDateTime,
    /// Of a blocked item: a later reading said so again.
    confirmed_at: Option<OffsetDateTime>,
    flagged: Option<String>,
    /// A flag that a person has cleared up: the same fact raises it no more.
    cleared_flag: Option<String>,
}

impl Known {
    fn raised(&self, flag: Option<String>) -> Option<String> {
        flag.filter(|flag| self.cleared_flag.as_ref() != Some(flag))
    }
}

/// Applies one page of facts. Items that are not ours are left alone: other tools may use the same account. Says how many
/// were not ours, or were told twice.
pub(super) async fn apply(
    tx: &mut Tx,
    batch: BatchId,
    source: Source,
    seen: &[ItemSeen],
    now: OffsetDateTime,
) -> anyhow::Result<usize> {
    let mut known = load(tx, batch, seen).await?;
    let taken = load_taken(tx, seen).await?;
    let mut transactions = HashSet::new();
    let (mut changes, mut strangers) = (Vec::new(), 0);
    for fact in seen {
        let Some(before) = known.remove(fact.sender_item_id.as_str()) else {
            tracing::warn!(batch.id = %batch, "PayPal lists an item of batch {batch} that we did not send, or lists it twice");
            strangers += 1;
            continue;
        };
        let twice = fact.transaction_id.as_ref().is_some_and(|id| !transactions.insert(id));
        let taken = taken.iter().any(|other| other.is_taken_from(fact));
        let after = observe(&before, fact, twice || taken, now);
        if after != before {
            changes.push((before, after));
        }
    }
    write(tx, &changes, now).await?;
    write_history(tx, batch, source, &changes, now).await?;
    Ok(strangers)
}

/// What one fact makes of an item. Anything that does not fit is flagged and changes no state.
fn observe(before: &Known, fact: &ItemSeen, is_another_items: bool, now: OffsetDateTime) -> Known {
    let strange = |why: String| Known { flagged: before.raised(Some(why)), ..before.clone() };
    if let Some((value, currency)) = &fact.amount
        && (*value != before.amount || currency != before.currency.code())
    {
        return strange(format!("PayPal shows {currency} {value} for this item"));
    }
    if let (Some(known), Some(shown)) = (&before.paypal_item_id, &fact.id)
        && *known != shown.0
    {
        return strange(format!("PayPal now shows this item as {shown}"));
    }
    if is_another_items {
        return strange("PayPal shows another item's transaction for this one".into());
    }
    let state = match before.state.next(&fact.status) {
        Step::Strange(why) => return strange(why),
        Step::Stay => before.state,
        Step::Move(state) => state,
    };
    let time_processed = fact.time_processed.or(before.time_processed);
    let stayed = state == before.state && now - before.changed_at >= BLOCKED_STAYS;
    let since = if state == before.state { before.changed_at } else { now };
    Known {
        state,
        paypal_item_id: fact.id.as_ref().map(|id| id.0.clone()).or(before.paypal_item_id.clone()),
        transaction_id: fact.transaction_id.clone().or(before.transaction_id.clone()),
        fee: fact.fee.clone().or(before.fee.clone()),
        error: fact.error.clone(),
        time_processed,
        confirmed_at: match state {
            ItemState::Unpaid(NotPaid::Blocked) => before.confirmed_at.or(stayed.then_some(now)),
            ItemState::Queued | ItemState::Open(_) | ItemState::Paid | ItemState::Unpaid(_) => None,
        },
        flagged: before.raised(state.overdue(time_processed.unwrap_or(since), now)),
        ..before.clone()
    }
}

/// An item that has one of the ids PayPal shows.
struct Taken {
    sender_item_id: String,
    paypal_item_id: Option<String>,
    transaction_id: Option<String>,
}

impl Taken {
    fn is_taken_from(&self, fact: &ItemSeen) -> bool {
        self.sender_item_id != fact.sender_item_id
            && (self.paypal_item_id.is_some()
                && self.paypal_item_id.as_deref() == fact.id.as_ref().map(|id| id.0.as_str())
                || self.transaction_id.is_some() && self.transaction_id == fact.transaction_id)
    }
}

async fn load_taken(tx: &mut Tx, seen: &[ItemSeen]) -> sqlx::Result<Vec<Taken>> {
    let merchant = tx.merchant();
    let names: Vec<String> = seen.iter().map(|item| item.sender_item_id.clone()).collect();
    let items: Vec<String> = seen.iter().filter_map(|item| Some(item.id.as_ref()?.0.clone())).collect();
    let transactions: Vec<String> = seen.iter().filter_map(|item| item.transaction_id.clone()).collect();
    sqlx::query_as!(
        Taken,
        r#"
        select sender_item_id, paypal_item_id, transaction_id
        from payout_items
        where merchant_id = $1
            and (paypal_item_id = any($2) or transaction_id = any($3))
            and sender_item_id <> all($4)
        "#,
        merchant.0,
        &items,
        &transactions,
        &names
    )
    .fetch_all(&mut **tx)
    .await
}

async fn load(tx: &mut Tx, batch: BatchId, seen: &[ItemSeen]) -> anyhow::Result<HashMap<String, Known>> {
    let merchant = tx.merchant();
    let ids: Vec<_> = seen.iter().filter_map(|item| Some(item_of(&item.sender_item_id)?.0)).collect();
    let rows = sqlx::query!(
        r#"
        select
            id as "id: ItemId", sender_item_id, amount, currency as "currency: Currency",
            state, wait as "wait: Wait", not_paid as "not_paid: NotPaid",
            paypal_item_id, transaction_id, fee, fee_currency, error_name, error_message, time_processed, changed_at,
            confirmed_at, flagged, cleared_flag
        from payout_items
        where merchant_id = $1 and batch_id = $2 and id = any($3)
        for update
        "#,
        merchant.0,
        batch.0,
        &ids
    )
    .fetch_all(&mut **tx)
    .await?;
    rows.into_iter()
        .map(|row| {
            let known = Known {
                id: row.id,
                amount: row.amount,
                currency: row.currency,
                state: item_state(row.id, &row.state, row.wait, row.not_paid)?,
                paypal_item_id: row.paypal_item_id,
                transaction_id: row.transaction_id,
                fee: row.fee.zip(row.fee_currency),
                error: row.error_name.zip(row.error_message),
                time_processed: row.time_processed,
                changed_at: row.changed_at,
                confirmed_at: row.confirmed_at,
                flagged: row.flagged,
                cleared_flag: row.cleared_flag,
            };
            Ok((row.sender_item_id, known))
        })
        .collect()
}

async fn write(tx: &mut Tx, changes: &[(Known, Known)], now: OffsetDateTime) -> sqlx::Result<()> {
    let merchant = tx.merchant();
    let after = || changes.iter().map(|(_, after)| after);
    let ids: Vec<_> = after().map(|item| item.id.0).collect();
    let states: Vec<_> = after().map(|item| columns(item.state).0.to_owned()).collect();
    let waits: Vec<_> = after().map(|item| columns(item.state).1).collect();
    let reasons: Vec<_> = after().map(|item| columns(item.state).2).collect();
    let paypal: Vec<_> = after().map(|item| item.paypal_item_id.clone()).collect();
    let transactions: Vec<_> = after().map(|item| item.transaction_id.clone()).collect();
    let fees: Vec<_> = after().map(|item| item.fee.as_ref().map(|(fee, _)| *fee)).collect();
    let fee_currencies: Vec<_> = after().map(|item| item.fee.as_ref().map(|(_, currency)| currency.clone())).collect();
    let errors: Vec<_> = after().map(|item| item.error.as_ref().map(|(name, _)| name.clone())).collect();
    let messages: Vec<_> = after().map(|item| item.error.as_ref().map(|(_, message)| message.clone())).collect();
    let times: Vec<_> = after().map(|item| item.time_processed).collect();
    let confirmed: Vec<_> = after().map(|item| item.confirmed_at).collect();
    let flags: Vec<_> = after().map(|item| item.flagged.clone()).collect();
    sqlx::query!(
        r#"
        update payout_items i
        set state = n.state, wait = n.wait, not_paid = n.not_paid, paypal_item_id = n.paypal_item_id,
            transaction_id = n.transaction_id, fee = n.fee, fee_currency = n.fee_currency, error_name = n.error_name,
            error_message = n.error_message, time_processed = n.time_processed, confirmed_at = n.confirmed_at,
            flagged = n.flagged,
            changed_at = case when (i.state, i.wait, i.not_paid) is distinct from (n.state, n.wait, n.not_paid) then $2 else i.changed_at end
        from unnest(
            $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::numeric[], $10::text[],
            $11::text[], $12::text[], $13::timestamptz[], $14::timestamptz[], $15::text[]
        ) as n (id, state, wait, not_paid, paypal_item_id, transaction_id, fee, fee_currency, error_name, error_message,
                time_processed, confirmed_at, flagged)
        -- The second condition says to the planner that few of a large batch are meant.
        where i.merchant_id = $1 and i.id = n.id and i.id = any($3)
        "#,
        merchant.0,
        now,
        &ids,
        &states,
        &waits as &[Option<Wait>],
        &reasons as &[Option<NotPaid>],
        &paypal as &[Option<String>],
        &transactions as &[Option<String>],
        &fees as &[Option<Decimal>],
        &fee_currencies as &[Option<String>],
        &errors as &[Option<String>],
        &messages as &[Option<String>],
        &times as &[Option<OffsetDateTime>],
        &confirmed as &[Option<OffsetDateTime>],
        &flags as &[Option<String>]
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

fn columns(state: ItemState) -> (&'static str, Option<Wait>, Option<NotPaid>) {
    match state {
        ItemState::Queued => ("queued", None, None),
        ItemState::Open(wait) => ("open", Some(wait), None),
        ItemState::Paid => ("paid", None, None),
        ItemState::Unpaid(why) => ("unpaid", None, Some(why)),
    }
}

/// One line for each item that moved, or whose flag is new.
async fn write_history(
    tx: &mut Tx,
    batch: BatchId,
    source: Source,
    changes: &[(Known, Known)],
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    let merchant = tx.merchant();
    let (source, _) = source.columns();
    let lines: Vec<_> = changes
        .iter()
        .filter(|(before, after)| {
            before.state != after.state || (before.flagged != after.flagged && after.flagged.is_some())
        })
        .collect();
    let ids: Vec<_> = lines.iter().map(|(_, after)| after.id.0).collect();
    let was: Vec<_> = lines.iter().map(|(before, _)| before.state.to_string()).collect();
    let became: Vec<_> =
        lines.iter().map(|(_, after)| after.flagged.clone().unwrap_or_else(|| after.state.to_string())).collect();
    let evidence: Vec<_> = lines
        .iter()
        .map(|(_, after)| {
            serde_json::json!({
                "transaction_id": after.transaction_id,
                "error": after.error.as_ref().map(|(name, _)| name),
                "fee": after.fee.as_ref().filter(|(fee, _)| !fee.is_zero()).map(|(fee, currency)| format!("{currency} {fee}")),
            })
            .to_string()
        })
        .collect();
    sqlx::query!(
        r#"
        insert into payout_history (merchant_id, batch_id, item_id, at, source, was, became, evidence)
        select $1, $2, n.item_id, $3, $8, n.was, n.became, n.evidence
        from unnest($4::uuid[], $5::text[], $6::text[], $7::text[]) as n (item_id, was, became, evidence)
        "#,
        merchant.0,
        batch.0,
        now,
        &ids,
        &was,
        &became,
        &evidence,
        source
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The items of a denied or cancelled batch, of which PayPal processed nothing: those that it does not list, and once an
/// earlier reading of long enough ago said the same (`again`), those that it lists as it took them and without a
/// transaction.
pub(super) async fn unpay_denied(
    tx: &mut Tx,
    batch: BatchId,
    why: &str,
    again: bool,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    let merchant = tx.merchant();
    sqlx::query!(
        r#"
        with before as (
            select id, state
            from payout_items
            where merchant_id = $1
                and batch_id = $2
                and flagged is null
                and (state = 'queued' or (wait = 'processing' and transaction_id is null and $5))
        ),
        unpaid as (
            update payout_items i
            set state = 'unpaid', wait = null, not_paid = $3, changed_at = $4
            from before
            where i.merchant_id = $1 and i.id = before.id
            returning i.id, before.state
        )
        insert into payout_history (merchant_id, batch_id, item_id, at, source, was, became)
        select $1, $2, id, $4, 'read', case state when 'open' then 'PENDING' else 'QUEUED' end, upper(replace($3, '_', ' '))
        from unpaid
        "#,
        merchant.0,
        batch.0,
        why,
        now,
        again
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
