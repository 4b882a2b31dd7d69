//! What is at hand about a batch whose fate is not known: the attempts, what people said, what reports show.

use super::stuck::Word;
use crate::database::Tx;
use crate::id::{BatchId, ItemId};
use time::OffsetDateTime;

/// One attempt to send.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// When it began.
    pub started_at: OffsetDateTime,
    /// What came of it; nothing if that was never written down.
    pub outcome: Option<String>,
    /// PayPal's status.
    pub http_status: Option<i32>,
    /// What PayPal's support asks for.
    pub debug_id: Option<String>,
    /// What PayPal answered.
    pub evidence: Option<String>,
}

/// The attempts to send a batch, the last ones first.
pub async fn attempts(tx: &mut Tx, batch: BatchId) -> sqlx::Result<Vec<Attempt>> {
    let merchant = tx.merchant();
    sqlx::query_as!(
        Attempt,
        r#"
        select started_at, outcome, http_status, debug_id, evidence
        from payout_attempts
        where merchant_id = $1 and batch_id = $2
        order by fence desc
        limit 20
        "#,
        merchant.0,
        batch.0
    )
    .fetch_all(&mut **tx)
    .await
}

/// What a person said.
#[derive(Debug, Clone)]
pub struct Statement {
    /// Who.
    pub person: String,
    /// When.
    pub at: OffsetDateTime,
    /// What.
    pub says: Word,
    /// Where they looked.
    pub looked_at: String,
}

/// What people said about a batch, the latest first.
pub async fn statements(tx: &mut Tx, batch: BatchId) -> sqlx::Result<Vec<Statement>> {
    let merchant = tx.merchant();
    sqlx::query_as!(
        Statement,
        r#"
        select coalesce(nullif(p.name, ''), p.email) as "person!", s.at, s.says as "says: Word", s.looked_at
        from payout_statements s
        join people p on p.id = s.person_id
        where s.merchant_id = $1 and s.batch_id = $2
        order by s.id desc
        limit 50
        "#,
        merchant.0,
        batch.0
    )
    .fetch_all(&mut **tx)
    .await
}

/// What a line of a report says about an item.
#[derive(Debug, Clone)]
pub struct Shown {
    /// The report.
    pub file_name: String,
    /// Its line.
    pub line: i32,
    /// The item.
    pub item: ItemId,
    /// Whom it pays.
    pub name: String,
    /// What the line says.
    pub says: String,
    /// PayPal's transaction.
    pub transaction_id: Option<String>,
    /// Whether the item counts as paid by now.
    pub is_paid: bool,
}

/// What reports show of a batch's items, those first that are still unknown.
pub async fn findings(tx: &mut Tx, batch: BatchId) -> sqlx::Result<Vec<Shown>> {
    let merchant = tx.merchant();
    sqlx::query_as!(
        Shown,
        r#"
        select
            r.file_name, f.line, i.id as "item: ItemId",
            coalesce(nullif(trim(a.first_name || ' ' || a.last_name), ''), a.email, a.code) as "name!",
            f.says, f.transaction_id, i.state = 'paid' as "is_paid!"
        from payout_reports r
        join payout_findings f on f.merchant_id = r.merchant_id and f.report_id = r.id
        join payout_items i on i.merchant_id = f.merchant_id and i.id = f.item_id
        join affiliates a on a.merchant_id = i.merchant_id and a.id = i.affiliate_id
        where r.merchant_id = $1 and r.batch_id = $2
        order by i.state = 'paid', r.id desc, f.line
        limit 500
        "#,
        merchant.0,
        batch.0
    )
    .fetch_all(&mut **tx)
    .await
}
