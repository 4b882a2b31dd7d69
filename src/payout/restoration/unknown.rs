//! Payments of PayPal's that a restored database does not know, until a person has said what each of them was.

use super::open;
use crate::app::App;
use crate::audit::{self, Actor};
use crate::database::Tx;
use crate::id::{AffiliateId, BatchId, MerchantId};
use crate::money::Currency;
use crate::payout::draft::{Ask, DraftError, How, draft};
use crate::payout::report::{self, NoReport};
use crate::payout::review;
use crate::payout::selection::{self, DueRow, Ticked};
use crate::payout::uploaded;
use anyhow::Context;
use rust_decimal::Decimal;
use serde_json::json;
use std::collections::{BTreeSet, HashSet};
use time::{Date, OffsetDateTime};
use uuid::Uuid;

/// Payments on the page; the oldest first.
pub const SHOWN: i64 = 200;

/// A payment that PayPal shows.
#[derive(Debug, Clone)]
pub struct Payment {
    /// PayPal's transaction, or its id of the item where there is none yet.
    pub name: String,
    /// Where the money went.
    pub receiver: String,
    /// PayPal's code of the currency.
    pub currency: String,
    /// How much.
    pub amount: Decimal,
    /// PayPal's word.
    pub status: String,
    /// When PayPal processed it.
    pub at: Option<OffsetDateTime>,
}

/// One that nobody has settled yet.
#[derive(Debug, Clone)]
pub struct Unknown {
    /// Its id here.
    pub id: Uuid,
    /// What PayPal shows.
    pub payment: Payment,
    /// The day on which it was made, where the merchant is; today if PayPal does not tell.
    pub day: Date,
    /// An affiliate with this address.
    pub affiliate: Option<(AffiliateId, String)>,
    /// What was due to them on the day of the payment: commissions, and their sum.
    pub due: Option<(i64, Decimal)>,
    /// A batch that pays just this and has not told its transactions, and its number: this may be one of them.
    pub alike: Option<(BatchId, i64)>,
}

impl Unknown {
    /// It is exactly what was due to somebody, and can be entered with one click.
    pub fn fits(&self) -> bool {
        self.due.is_some_and(|(_, sum)| sum == self.payment.amount)
    }

    /// It fits, and no batch that is not finished pays just this too.
    pub fn is_clear(&self) -> bool {
        self.fits() && self.alike.is_none()
    }
}

/// What came of reading a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compared {
    /// Payments sent that it shows.
    pub payments: usize,
    /// Those that this database does not know.
    pub unknown: usize,
}

/// Keeps those that this database does not know, once each. Says how many are new.
pub(super) async fn keep(
    tx: &mut Tx,
    restoration: Uuid,
    found: &[Payment],
    now: OffsetDateTime,
) -> sqlx::Result<usize> {
    let merchant = tx.merchant();
    let column = |of: fn(&Payment) -> &str| found.iter().map(|one| of(one).to_owned()).collect::<Vec<String>>();
    let amounts: Vec<Decimal> = found.iter().map(|one| one.amount).collect();
    let times: Vec<Option<OffsetDateTime>> = found.iter().map(|one| one.at).collect();
    let kept = sqlx::query!(
        r#"
        insert into unknown_payments
            (merchant_id, id, restoration_id, found_at, name, receiver, currency, amount, status, at)
        select distinct on (n.name) $1::uuid, gen_random_uuid(), $2::uuid, $3::timestamptz, n.*
        from unnest($4::text[], $5::text[], $6::text[], $7::numeric[], $8::text[], $9::timestamptz[])
            as n (name, receiver, currency, amount, status, at)
        where not exists (select from payout_items i where i.transaction_id = n.name or i.paypal_item_id = n.name)
        on conflict do nothing
        "#,
        merchant.0,
        restoration,
        now,
        &column(|one| &one.name),
        &column(|one| &one.receiver),
        &column(|one| &one.currency),
        &amounts,
        &column(|one| &one.status),
        &times as &[Option<OffsetDateTime>]
    )
    .execute(&mut **tx)
    .await?;
    Ok(usize::try_from(kept.rows_affected()).unwrap_or(usize::MAX))
}

/// The oldest that nobody has settled.
pub async fn list(tx: &mut Tx, restoration: Uuid, today: Date) -> sqlx::Result<Vec<Unknown>> {
    let merchant = tx.merchant();
    let rows = sqlx::query!(
        r#"
        select day.on as "day!", u.id as "id!", u.name as "name!", u.receiver as "receiver!", u.currency as "currency!",
            u.amount as "amount!", u.status as "status!", u.at,
            a.id as "affiliate?: AffiliateId", a.name as "affiliate_name?", d.commissions, d.sum,
            s.id as "alike?: BatchId", s.number as "alike_number?"
        from still_unknown u
        join merchant_zones z on z.merchant_id = u.merchant_id
        cross join lateral (select coalesce((u.at at time zone z.zone)::date, $3) as on) day
        left join lateral (
            select a.id, coalesce(nullif(trim(a.first_name || ' ' || a.last_name), ''), a.email, a.code) as name
            from affiliates a
            where a.merchant_id = $1 and lower(a.receiver) = lower(u.receiver)
            order by a.id
            limit 1
        ) a on true
        left join lateral (
            select count(*) as commissions, sum(o.amount) as sum
            from owed o
            where o.merchant_id = $1 and o.affiliate_id = a.id and o.currency = u.currency
                and o.due_on <= day.on
            having count(*) > 0
        ) d on true
        left join lateral (
            select b.id, b.number
            from payout_batches b
            join payout_items i on i.merchant_id = b.merchant_id and i.batch_id = b.id
            where b.merchant_id = $1 and b.state in ('stuck', 'accepted') and i.state in ('queued', 'open')
                and i.transaction_id is null and lower(i.receiver) = lower(u.receiver) and i.currency = u.currency and i.amount = u.amount
            order by b.number
            limit 1
        ) s on true
        where u.merchant_id = $1 and u.restoration_id = $2
        order by u.at nulls last, u.id
        limit $4
        "#,
        merchant.0,
        restoration,
        today,
        SHOWN
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Unknown {
            id: row.id,
            day: row.day,
            payment: Payment {
                name: row.name,
                receiver: row.receiver,
                currency: row.currency,
                amount: row.amount,
                status: row.status,
                at: row.at,
            },
            affiliate: row.affiliate.zip(row.affiliate_name),
            due: row.commissions.zip(row.sum),
            alike: row.alike.zip(row.alike_number),
        })
        .collect())
}

/// Takes in PayPal's activity report: every payment sent that this database does not know waits for a person. What it says
/// of batches that are stuck is evidence about those.
pub async fn take_report(
    app: &App,
    merchant: MerchantId,
    actor: &Actor,
    (file_name, content): (&str, &[u8]),
) -> anyhow::Result<Result<Compared, NoReport>> {
    let person = actor.person.context("only a person uploads a report")?;
    let mut tx = app.database.merchant(merchant).await?;
    let restoration = open(&mut tx).await?.context("nothing is being restored")?;
    let payments = match report::payments(content) {
        Ok(payments) => payments,
        Err(NoReport) => return Ok(Err(NoReport)),
    };
    let ids: Vec<String> = payments.iter().flat_map(|line| line.ids.clone()).collect();
    let known = sqlx::query!(
        r#"
        select i.sender_item_id, b.id as "batch: BatchId", b.state = 'stuck' as "stuck!"
        from payout_items i
        join payout_batches b on b.merchant_id = i.merchant_id and b.id = i.batch_id
        where i.merchant_id = $1 and i.sender_item_id = any($2) and b.state not in ('prepared', 'cancelled', 'refused')
        "#,
        merchant.0,
        &ids
    )
    .fetch_all(&mut *tx)
    .await?;
    let stuck: BTreeSet<BatchId> = known.iter().filter(|item| item.stuck).map(|item| item.batch).collect();
    let known: HashSet<String> = known.into_iter().map(|item| item.sender_item_id).collect();
    let found: Vec<Payment> = payments
        .iter()
        .filter(|line| !line.ids.iter().any(|id| known.contains(id)))
        .map(|line| line.payment.clone())
        .collect();
    let unknown = keep(&mut tx, restoration.id, &found, actor.at).await?;
    let count = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
    sqlx::query!(
        "insert into restoration_reports (merchant_id, id, restoration_id, person_id, at, file_name, lines, unknown, content)
        values ($1, gen_random_uuid(), $2, $3, $4, $5, $6, $7, $8)",
        merchant.0,
        restoration.id,
        person.0,
        actor.at,
        file_name,
        count(payments.len()),
        count(unknown),
        content
    )
    .execute(&mut *tx)
    .await?;
    let details = json!({ "file": file_name, "payments": payments.len(), "unknown": unknown });
    audit::record(&mut tx, actor, "compared a report of PayPal’s", &format!("merchant {merchant}"), details).await?;
    tx.commit().await?;
    for batch in stuck {
        // One whose doubt has just ended needs no evidence any more.
        let _ended = uploaded::take_report(app, merchant, actor, batch, (file_name, content)).await?;
    }
    Ok(Ok(Compared { payments: payments.len(), unknown }))
}

/// Whether there is such a payment, settled or not.
pub async fn exists(tx: &mut Tx, id: Uuid) -> sqlx::Result<bool> {
    let merchant = tx.merchant();
    sqlx::query_scalar!(
        r#"select exists (select from unknown_payments where merchant_id = $1 and id = $2) as "exists!""#,
        merchant.0,
        id
    )
    .fetch_one(&mut **tx)
    .await
}

/// A person says what it was; nothing is entered. False if somebody has settled it.
pub async fn settle(tx: &mut Tx, actor: &Actor, id: Uuid, what: &str) -> sqlx::Result<bool> {
    let merchant = tx.merchant();
    let name = sqlx::query_scalar!(
        "update unknown_payments set settled_at = $3, settled_by = $4, settled_as = $5
        where merchant_id = $1 and id = $2 and settled_at is null
        returning name",
        merchant.0,
        id,
        actor.at,
        actor.person.map(|person| person.0),
        what
    )
    .fetch_optional(&mut **tx)
    .await?;
    if let Some(name) = &name {
        let details = json!({ "payment": name, "what": what });
        audit::record(tx, actor, "settled a payment of PayPal’s", &format!("merchant {merchant}"), details).await?;
    }
    Ok(name.is_some())
}

/// Enters as paid outside: one, or all that are shown and leave no doubt. Each must be exactly what was due to its
/// affiliate on its day. Says how many were entered.
pub async fn enter(
    app: &App,
    merchant: MerchantId,
    actor: &Actor,
    one: Option<Uuid>,
    today: Date,
) -> anyhow::Result<usize> {
    let mut tx = app.database.merchant(merchant).await?;
    let Some(restoration) = open(&mut tx).await? else { return Ok(0) };
    let shown = list(&mut tx, restoration.id, today).await?;
    drop(tx);
    let mut entered = 0;
    for found in shown.iter().filter(|found| one.map_or(found.is_clear(), |one| one == found.id)) {
        entered += usize::from(enter_one(app, merchant, actor, found).await?);
    }
    Ok(entered)
}

async fn enter_one(app: &App, merchant: MerchantId, actor: &Actor, found: &Unknown) -> anyhow::Result<bool> {
    let mut tx = app.database.merchant(merchant).await?;
    let reference = format!("PayPal {}", found.payment.name);
    // Cut off before it was settled here, it is entered already.
    if !is_entered(&mut tx, &reference).await? {
        let (Some((affiliate, _)), true) = (&found.affiliate, found.fits()) else { return Ok(false) };
        let currency: Currency = found.payment.currency.parse()?;
        let ticked = Ticked::These { rows: vec![DueRow { affiliate: *affiliate, currency }], commissions: Vec::new() };
        let Some(request) = selection::select(&mut tx, actor, found.day, &ticked).await? else { return Ok(false) };
        let review = review::load(&mut tx, request, (0, 1), actor.at).await?.context("it was selected just now")?;
        // Another payment may have been entered for what this one was shown with.
        if review.totals.iter().map(|total| total.amount.amount()).sum::<Decimal>() != found.payment.amount {
            return Ok(false);
        }
        tx.commit().await?;
        let how = How::Manual { reference };
        let (actor, seen) = (actor.clone(), review.seen());
        let ask = Ask { request, actor, how, subject: String::new(), message: String::new(), seen };
        match draft(app, merchant, &ask).await {
            Ok(_) => {}
            Err(DraftError::Changed | DraftError::AskedOtherwise | DraftError::NotFound) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
        tx = app.database.merchant(merchant).await?;
    }
    let settled = settle(&mut tx, actor, found.id, "entered as paid").await?;
    tx.commit().await?;
    Ok(settled)
}

async fn is_entered(tx: &mut Tx, reference: &str) -> sqlx::Result<bool> {
    let merchant = tx.merchant();
    sqlx::query_scalar!(
        r#"
        select exists (
            select from payout_batches where merchant_id = $1 and reference = $2 and state = 'closed'
        ) as "entered!"
        "#,
        merchant.0,
        reference
    )
    .fetch_one(&mut **tx)
    .await
}
