//! What was paid through PayPal's old Mass Pay service before the merchant came here, brought in so that nobody is paid
//! again for it.
//!
//! A payment that arrived is an item of a manual batch, paid on its day; its commissions are settled like any others. One
//! whose end is not known is a manual batch of its own that stands as exported: its commissions are taken, so that no
//! payment can take them, until a person marks it as paid or puts it back (`manual`). Both say `legacy`.

mod matching;

use super::store::{Source, tell};
use crate::audit::{self, Actor};
use crate::database::Tx;
use crate::id::{AffiliateId, BatchId, ItemId, RequestId, sender_batch_id, sender_item_id};
use crate::money::Money;
use crate::paypal::Environment;
use crate::paypal::payouts::MAX_ITEMS;
use anyhow::ensure;
use matching::{Found, find};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use time::Date;
use uuid::Uuid;

/// One payment of the past.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Past {
    /// The affiliate's e-mail, or the address that the money went to.
    pub email: String,
    /// How much.
    pub amount: Money,
    /// When.
    pub on: Date,
    /// PayPal's transaction, where it is known.
    pub transaction: Option<String>,
    /// Our references of the commissions that it paid; without any they are found by the amount.
    pub references: Vec<String>,
    /// How it ended.
    pub end: End,
}

/// How a payment ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum End {
    /// The affiliate has the money.
    Arrived,
    /// The merchant has it; what it was for is due.
    NotPaid,
    /// Neither is certain, or somebody has to say what follows.
    Unknown,
}

impl Past {
    /// To the same affiliate, as much, on the same day, and one of them without the id that would tell them apart.
    fn may_be(&self, other: &Past) -> bool {
        let named = self.transaction.is_some() && other.transaction.is_some();
        !named && self.amount == other.amount && self.on == other.on
    }
}

/// What came of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// Its commissions are paid.
    Paid,
    /// A person has to decide; until then its commissions are not due.
    Waits,
    /// It was brought in before.
    Known,
    /// Nothing was paid, and nothing of it is here.
    NotPaid,
}

/// Why one was not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    /// Nobody has this address.
    #[error("email: no affiliate of this merchant has this address; correct it")]
    NoAffiliate,
    /// Several have it.
    #[error("email: money of several affiliates goes to this address; write the affiliate’s own e-mail instead")]
    Shared,
    /// What it paid is not owed.
    #[error(
        "amount: nothing that was due then comes to this amount; name what it paid in the column reference, or take the line \
         out if that is not here"
    )]
    NotOwed,
    /// What it paid cannot be told.
    #[error("amount: several commissions have this amount; name the one that it paid in the column reference")]
    Ambiguous,
    /// The commissions that it names are not what it paid.
    #[error(
        "reference: not all of these are owed to this affiliate in this currency, or together they are another amount; \
         correct them"
    )]
    References,
    /// Another payment has this transaction.
    #[error("transaction_id: another payment here has this transaction id; correct it")]
    OtherPayment,
    /// One of the two has no transaction id.
    #[error(
        "transaction_id: a payment of this amount on this day is here, and only one of the two has a transaction id. If it \
         is the same, take the line out; if it is another, mark its commissions as paid on Commissions Due"
    )]
    Unnamed,
    /// It is here as paid.
    #[error("state: this payment is here as paid, and the file says otherwise; see on its batch’s page which is right")]
    PaidHere,
    /// It is here, and a person has to decide.
    #[error("state: this payment waits under Needs attention, where a person has to say what became of it")]
    WaitsHere,
    /// It is here, and a person has said that it was not paid.
    #[error(
        "state: a person has put this payment back, so it is due; if it was paid after all, mark its commissions as paid on \
         Commissions Due"
    )]
    PutBackHere,
    /// The merchant's payments are of another environment.
    #[error("merchant: its payments here are of another environment than its connection")]
    EnvironmentFixed,
}

/// One payment with what it pays.
struct Matched<'a> {
    past: &'a Past,
    affiliate: AffiliateId,
    commissions: Vec<Uuid>,
}

/// A batch to be: payments of one currency and day, none of them to the same affiliate.
struct Group<'a> {
    id: BatchId,
    payments: Vec<Matched<'a>>,
}

/// Brings payments in, all in this transaction; what came of each is told in their order.
pub async fn bring_in(
    tx: &mut Tx,
    actor: &Actor,
    environment: Environment,
    payments: &[Past],
) -> anyhow::Result<Vec<Result<Taken, NotTaken>>> {
    let merchant = tx.merchant();
    // As a draft does: the two never cross.
    let row = sqlx::query!(
        r#"select environment as "environment: Environment" from merchants where id = $1 for no key update"#,
        merchant.0
    )
    .fetch_one(&mut **tx)
    .await?;
    if row.environment.is_some_and(|fixed| fixed != environment) {
        return Ok(vec![Err(NotTaken::EnvironmentFixed); payments.len()]);
    }
    let (mut outcomes, mut matched) = (Vec::new(), Vec::<Matched<'_>>::new());
    for past in payments {
        let outcome = match find(tx, past, &matched).await? {
            Found::Here(taken) => Ok(taken),
            Found::Not(why) => Err(why),
            Found::Owed(affiliate, commissions) => {
                take(tx, &commissions).await?;
                matched.push(Matched { past, affiliate, commissions });
                Ok(if past.end == End::Arrived { Taken::Paid } else { Taken::Waits })
            }
        };
        outcomes.push(outcome);
    }
    if !matched.is_empty() {
        sqlx::query!("update merchants set environment = $2 where id = $1", merchant.0, environment.code())
            .execute(&mut **tx)
            .await?;
        let groups = group(matched);
        write(tx, actor, environment, &groups).await?;
        let count = |arrived: bool| {
            groups
                .iter()
                .flat_map(|group| &group.payments)
                .filter(|one| (one.past.end == End::Arrived) == arrived)
                .count()
        };
        let told = json!({ "paid": count(true), "not known": count(false) });
        audit::record(tx, actor, "brought in payments of MassPay", "PayPal connection", told).await?;
    }
    Ok(outcomes)
}

/// The deletion is the lock, as in a draft.
async fn take(tx: &mut Tx, commissions: &[Uuid]) -> anyhow::Result<()> {
    let merchant = tx.merchant();
    let taken =
        sqlx::query!("delete from owed where merchant_id = $1 and commission_id = any($2)", merchant.0, commissions)
            .execute(&mut **tx)
            .await?;
    ensure!(
        taken.rows_affected() == commissions.len() as u64,
        "a commission was cancelled while the file was read; read it again"
    );
    Ok(())
}

/// What arrived goes together by currency and day; each of the others is decided upon by itself.
fn group(matched: Vec<Matched<'_>>) -> Vec<Group<'_>> {
    let (mut groups, mut days): (Vec<Group<'_>>, BTreeMap<_, Vec<Group<'_>>>) = (Vec::new(), BTreeMap::new());
    for one in matched {
        if one.past.end != End::Arrived {
            groups.push(Group { id: BatchId::new(), payments: vec![one] });
            continue;
        }
        let of_day = days.entry((one.past.on, one.past.amount.currency())).or_default();
        let fits = |group: &&mut Group<'_>| {
            group.payments.len() < MAX_ITEMS && group.payments.iter().all(|other| other.affiliate != one.affiliate)
        };
        match of_day.iter_mut().find(fits) {
            Some(group) => group.payments.push(one),
            None => of_day.push(Group { id: BatchId::new(), payments: vec![one] }),
        }
    }
    groups.extend(days.into_values().flatten());
    groups
}

async fn write(tx: &mut Tx, actor: &Actor, environment: Environment, groups: &[Group<'_>]) -> anyhow::Result<()> {
    let merchant = tx.merchant();
    let request = RequestId::new();
    sqlx::query!(
        r#"
        insert into payout_requests (merchant_id, id, person_id, created_at, asked, rail, released_at)
        values ($1, $2, $3, $4, $5, 'manual', $4)
        "#,
        merchant.0,
        request.0,
        actor.person.map(|person| person.0),
        actor.at,
        Sha256::digest(request.0.as_bytes()).to_vec()
    )
    .execute(&mut **tx)
    .await?;
    let last = sqlx::query_scalar!(
        r#"select coalesce(max(number), 0) as "last!" from payout_batches where merchant_id = $1"#,
        merchant.0
    )
    .fetch_one(&mut **tx)
    .await?;
    for (group, part) in groups.iter().zip(1..) {
        write_batch(tx, actor, environment, (request, part, last + i64::from(part)), group).await?;
        write_items(tx, actor, group).await?;
        tell(tx, group.id, Source::Report, "brought in", None, actor.at).await?;
    }
    Ok(())
}

async fn write_batch(
    tx: &mut Tx,
    actor: &Actor,
    environment: Environment,
    (request, part, number): (RequestId, i32, i64),
    group: &Group<'_>,
) -> anyhow::Result<()> {
    let merchant = tx.merchant();
    let first = group.payments[0].past;
    let total = Money::sum(group.payments.iter().map(|one| one.past.amount)).expect("a batch has payments");
    let reference = match (group.payments.len(), &first.transaction) {
        (1, Some(transaction)) => transaction.clone(),
        _ => format!("MassPay on {}", first.on),
    };
    sqlx::query!(
        r#"
        insert into payout_batches (
            merchant_id, id, number, request_id, part, rail, environment, currency, items, total, sender_batch_id,
            body_sha256, state, changed_at, settled_at, reference, created_at, legacy
        )
        values (
            $1, $2, $3, $4, $5, 'manual', $6, $7, $8, $9, $10, $11, $12::text, $13,
            case $12::text when 'closed' then $13::timestamptz end, $14, $13, true
        )
        "#,
        merchant.0,
        group.id.0,
        number,
        request.0,
        part,
        environment.code(),
        total.currency().code(),
        i32::try_from(group.payments.len())?,
        total.amount(),
        sender_batch_id(group.id),
        Sha256::digest([]).to_vec(),
        if first.end == End::Arrived { "closed" } else { "exported" },
        actor.at,
        reference
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

async fn write_items(tx: &mut Tx, actor: &Actor, group: &Group<'_>) -> sqlx::Result<()> {
    let merchant = tx.merchant();
    let first = group.payments[0].past;
    let ids: Vec<ItemId> = group.payments.iter().map(|_| ItemId::new()).collect();
    let uuids: Vec<_> = ids.iter().map(|id| id.0).collect();
    let names: Vec<_> = ids.iter().map(|id| sender_item_id(*id)).collect();
    let affiliates: Vec<_> = group.payments.iter().map(|one| one.affiliate.0).collect();
    let amounts: Vec<_> = group.payments.iter().map(|one| one.past.amount.amount()).collect();
    let receivers: Vec<_> = group.payments.iter().map(|one| one.past.email.clone()).collect();
    let transactions: Vec<_> = group.payments.iter().map(|one| one.past.transaction.clone()).collect();
    sqlx::query!(
        r#"
        insert into payout_items (
            merchant_id, id, batch_id, affiliate_id, currency, amount, sender_item_id, receiver, transaction_id, state,
            changed_at, time_processed
        )
        select $1, n.id, $2, n.affiliate, $3, n.amount, n.name, n.receiver, n.transaction, $4, $5,
            ($6::date + time '12:00') at time zone z.zone
        from unnest($7::uuid[], $8::uuid[], $9::numeric[], $10::text[], $11::text[], $12::text[])
            as n (id, affiliate, amount, name, receiver, transaction)
        join merchant_zones z on z.merchant_id = $1
        "#,
        merchant.0,
        group.id.0,
        first.amount.currency().code(),
        if first.end == End::Arrived { "paid" } else { "queued" },
        actor.at,
        first.on,
        &uuids,
        &affiliates,
        &amounts,
        &names,
        &receivers,
        &transactions as &[Option<String>]
    )
    .execute(&mut **tx)
    .await?;
    let pairs = group.payments.iter().zip(&ids);
    let pairs = pairs.flat_map(|(one, id)| one.commissions.iter().map(|commission| (id.0, *commission)));
    let (items, commissions): (Vec<Uuid>, Vec<Uuid>) = pairs.unzip();
    sqlx::query!(
        r#"
        insert into allocations (merchant_id, item_id, commission_id)
        select $1, n.*
        from unnest($2::uuid[], $3::uuid[]) as n
        "#,
        merchant.0,
        &items,
        &commissions
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
