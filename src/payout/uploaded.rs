//! A report of PayPal's that a person uploads for a stuck batch: kept as it is, and its clear lines applied.

use super::manual::TooLate;
use super::report::{self, Found, NoReport, Wanted};
use super::store::{Source, tell};
use super::stuck::{Unresolved, lock};
use crate::app::App;
use crate::audit::{self, Actor};
use crate::database::Tx;
use crate::id::{BatchId, ItemId, MerchantId, PersonId};
use crate::money::Currency;
use anyhow::Context;
use serde_json::json;
use uuid::Uuid;

/// Takes in a report of PayPal's. Items that it shows as paid are paid; once all are, the doubt is over.
pub async fn take_report(
    app: &App,
    merchant: MerchantId,
    actor: &Actor,
    batch: BatchId,
    (file_name, content): (&str, &[u8]),
) -> anyhow::Result<Result<Found, Unresolved>> {
    let person = actor.person.context("only a person uploads a report")?;
    let mut tx = app.database.merchant(merchant).await?;
    if lock(&mut tx, batch).await?.is_none() {
        return Ok(Err(Unresolved::TooLate(TooLate)));
    }
    let (ids, wanted) = unknown_items(&mut tx, batch).await?;
    let found = match report::read(content, &wanted) {
        Ok(found) => found,
        Err(NoReport) => return Ok(Err(Unresolved::NoReport)),
    };
    let report = Uuid::now_v7();
    sqlx::query!(
        r#"
        insert into payout_reports (merchant_id, id, batch_id, person_id, at, file_name, content)
        values ($1, $2, $3, $4, $5, $6, $7)
        "#,
        merchant.0,
        report,
        batch.0,
        person.0,
        actor.at,
        file_name,
        content
    )
    .execute(&mut *tx)
    .await?;
    let paid = write_findings(&mut tx, actor, person, (batch, report), &ids, &found).await?;
    let told =
        format!("uploaded a report: {} lines, {} about this batch, {paid} paid", found.lines, found.findings.len());
    tell(&mut tx, batch, Source::Person(person), &told, Some(file_name), actor.at).await?;
    let details = json!({ "file": file_name, "report": report, "paid": paid });
    audit::record(&mut tx, actor, "uploaded a report of PayPal’s", &format!("batch {batch}"), details).await?;
    sqlx::query!(
        r#"
        update payout_batches
        set state = 'closed', resolved_at = $3, resolved_as = 'report', settled_at = $3, changed_at = $3
        where merchant_id = $1
            and id = $2
            and state = 'stuck'
            and not exists (
                select from payout_items i where i.merchant_id = $1 and i.batch_id = $2 and i.state <> 'paid'
            )
        "#,
        merchant.0,
        batch.0,
        actor.at
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(Ok(found))
}

async fn unknown_items(tx: &mut Tx, batch: BatchId) -> sqlx::Result<(Vec<ItemId>, Vec<Wanted>)> {
    let merchant = tx.merchant();
    let rows = sqlx::query!(
        r#"
        select id as "id: ItemId", sender_item_id, receiver, amount, currency as "currency: Currency"
        from payout_items
        where merchant_id = $1 and batch_id = $2 and state = 'queued'
        order by id
        "#,
        merchant.0,
        batch.0
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let (name, receiver, amount, currency) = (row.sender_item_id, row.receiver, row.amount, row.currency);
            (row.id, Wanted { name, receiver, amount, currency })
        })
        .unzip())
}

/// Keeps every line about our items, and moves those that were paid. A transaction that another payment has proves
/// nothing. Tells how many were paid.
async fn write_findings(
    tx: &mut Tx,
    actor: &Actor,
    person: PersonId,
    (batch, report): (BatchId, Uuid),
    ids: &[ItemId],
    found: &Found,
) -> sqlx::Result<i64> {
    let merchant = tx.merchant();
    let items: Vec<Uuid> = found.findings.iter().map(|finding| ids[finding.item].0).collect();
    let lines: Vec<i32> =
        found.findings.iter().map(|finding| i32::try_from(finding.line).unwrap_or(i32::MAX)).collect();
    let paid: Vec<bool> = found.findings.iter().map(|finding| finding.paid).collect();
    let says: Vec<String> = found.findings.iter().map(|finding| finding.says.clone()).collect();
    let transactions: Vec<Option<String>> = found.findings.iter().map(|finding| finding.transaction.clone()).collect();
    sqlx::query_scalar!(
        r#"
        with seen as (
            insert into payout_findings (merchant_id, report_id, item_id, line, paid, says, transaction_id)
            select $1, $2, n.*
            from unnest($3::uuid[], $4::int[], $5::bool[], $6::text[], $7::text[]) as n
            returning item_id, line, paid, says, transaction_id
        ),
        clear as (
            select distinct on (item_id) item_id, transaction_id, format('line %s: %s, transaction %s', line, says, transaction_id) as evidence
            from seen s
            where paid
                and not exists (select from seen o where o.transaction_id = s.transaction_id and o.item_id <> s.item_id)
                and not exists (
                    select from payout_items i where i.merchant_id = $1 and i.transaction_id = s.transaction_id
                )
            order by item_id, line
        ),
        moved as (
            update payout_items i
            set state = 'paid', transaction_id = c.transaction_id, changed_at = $8
            from clear c
            where i.merchant_id = $1 and i.id = c.item_id and i.state = 'queued'
            returning i.id, c.evidence
        ),
        told as (
            insert into payout_history (merchant_id, batch_id, item_id, at, source, person_id, was, became, evidence)
            select $1, $9, id, $8, 'report', $10, 'QUEUED', 'SUCCESS', evidence
            from moved
            returning item_id
        )
        select count(*) as "paid!" from told
        "#,
        merchant.0,
        report,
        &items,
        &lines,
        &paid,
        &says,
        &transactions as &[Option<String>],
        actor.at,
        batch.0,
        person.0
    )
    .fetch_one(&mut **tx)
    .await
}
