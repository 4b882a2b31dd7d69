//! Files of the file rail, read for people: what was sent, what PayPal put into its folder about it, and the bytes of both.

use super::answers::rejections;
use crate::database::Tx;
use crate::id::{AffiliateId, BatchId, DropzoneFileId};
use crate::money::Currency;
use crate::paypal::large_batch::FileError;
use rust_decimal::Decimal;
use time::OffsetDateTime;

/// Lines of a rejection that are shown.
const SHOWN: usize = 200;

/// The input file of a batch.
#[derive(Debug, Clone)]
pub struct InputFile {
    /// Its name at PayPal.
    pub name: String,
    /// Its length.
    pub bytes: i64,
    /// The digest of its bytes, as people compare it.
    pub sha256: String,
    /// When the last upload began.
    pub put_at: Option<OffsetDateTime>,
    /// When all of it was in the Incoming folder.
    pub uploaded_at: Option<OffsetDateTime>,
    /// When PayPal had picked it up.
    pub gone_at: Option<OffsetDateTime>,
    /// When PayPal accepted it.
    pub ack_at: Option<OffsetDateTime>,
    /// When PayPal rejected it.
    pub nack_at: Option<OffsetDateTime>,
    /// When PayPal said that it had had one of this name before.
    pub dups_at: Option<OffsetDateTime>,
    /// A person has cleared up that it was accepted after all.
    pub cleared_at: Option<OffsetDateTime>,
    /// "part", "out" or "final": the furthest report that was applied …
    pub stage: Option<String>,
    /// … and when.
    pub staged_at: Option<OffsetDateTime>,
}

/// The input file of a batch, if it has one.
pub async fn input(tx: &mut Tx, batch: BatchId) -> sqlx::Result<Option<InputFile>> {
    let merchant = tx.merchant();
    sqlx::query_as!(
        InputFile,
        r#"
        select
            f.name, f.bytes, encode(b.body_sha256, 'hex') as "sha256!", f.put_at, f.uploaded_at, f.gone_at, f.ack_at, f.nack_at,
            f.dups_at, f.stage, f.staged_at, f.cleared_at
        from payout_files f
        join payout_batches b on b.merchant_id = f.merchant_id and b.id = f.batch_id
        where f.merchant_id = $1 and f.batch_id = $2
        "#,
        merchant.0,
        batch.0
    )
    .fetch_optional(&mut **tx)
    .await
}

/// One megabyte of it, or nothing past its end.
pub async fn input_part(tx: &mut Tx, batch: BatchId, place: i32) -> sqlx::Result<Option<Vec<u8>>> {
    let merchant = tx.merchant();
    sqlx::query_scalar!(
        "select content from payout_file_parts where merchant_id = $1 and batch_id = $2 and place = $3",
        merchant.0,
        batch.0,
        place
    )
    .fetch_optional(&mut **tx)
    .await
}

/// A file that PayPal put into its folder.
#[derive(Debug, Clone)]
pub struct Answered {
    /// Its id.
    pub id: DropzoneFileId,
    /// Its name there.
    pub name: String,
    /// Its length.
    pub bytes: i64,
    /// "ack", "nack", "dups", "part", "out" or "final".
    pub kind: String,
    /// When it was fetched.
    pub fetched_at: OffsetDateTime,
    /// "applied", "repeated" or "unreadable"; nothing while it is being applied.
    pub outcome: Option<String>,
    /// Its rows.
    pub rows: i64,
    /// Those that could not be read.
    pub bad_rows: i64,
    /// Those about payments that are not in the file.
    pub unknown_refs: i64,
    /// The first of what could not be used.
    pub says: Option<String>,
    /// Somebody has looked at that.
    pub seen_at: Option<OffsetDateTime>,
}

impl Answered {
    /// Something of it could not be used, and nobody has looked at that yet.
    pub fn needs_a_look(&self) -> bool {
        self.seen_at.is_none()
            && (self.outcome.as_deref() == Some("unreadable") || self.bad_rows > 0 || self.unknown_refs > 0)
    }
}

/// What PayPal put into its folder about a batch, the latest first; at most 500.
pub async fn answers(tx: &mut Tx, batch: BatchId) -> sqlx::Result<Vec<Answered>> {
    let merchant = tx.merchant();
    sqlx::query_as!(
        Answered,
        r#"
        select
            id as "id: DropzoneFileId", name, bytes, kind, fetched_at, outcome, rows, bad_rows, unknown_refs, says, seen_at
        from dropzone_files
        where merchant_id = $1 and batch_id = $2
        order by id desc
        limit 500
        "#,
        merchant.0,
        batch.0
    )
    .fetch_all(&mut **tx)
    .await
}

/// One megabyte of such a file, or nothing past its end.
pub async fn answer_part(tx: &mut Tx, batch: BatchId, id: DropzoneFileId, place: i32) -> sqlx::Result<Option<Vec<u8>>> {
    let merchant = tx.merchant();
    sqlx::query_scalar!(
        r#"
        select p.content
        from dropzone_file_parts p
        join dropzone_files f on f.merchant_id = p.merchant_id and f.id = p.file_id
        where p.merchant_id = $1 and f.batch_id = $2 and p.file_id = $3 and p.place = $4
        "#,
        merchant.0,
        batch.0,
        id.0,
        place
    )
    .fetch_optional(&mut **tx)
    .await
}

/// A person has looked at what could not be used.
pub async fn mark_seen(tx: &mut Tx, batch: BatchId, by: crate::id::PersonId, now: OffsetDateTime) -> sqlx::Result<u64> {
    let merchant = tx.merchant();
    let marked = sqlx::query!(
        r#"
        update dropzone_files
        set seen_at = $3, seen_by = $4
        where merchant_id = $1
            and batch_id = $2
            and seen_at is null
            and (outcome = 'unreadable' or bad_rows > 0 or unknown_refs > 0)
        "#,
        merchant.0,
        batch.0,
        now,
        by.0
    )
    .execute(&mut **tx)
    .await?;
    Ok(marked.rows_affected())
}

/// What PayPal said about a line, beside ours.
#[derive(Debug, Clone)]
pub struct Rejected {
    /// PayPal's number of it, whatever it counts.
    pub line: Option<u64>,
    /// The reference that PayPal named.
    pub reference: Option<String>,
    /// PayPal's error name.
    pub name: String,
    /// PayPal's sentence.
    pub text: String,
    /// What to do about it.
    pub advice: &'static str,
    /// Ours.
    pub ours: Option<OurLine>,
}

/// A payment of the file.
#[derive(Debug, Clone)]
pub struct OurLine {
    /// Whom it pays.
    pub affiliate: AffiliateId,
    /// How people know them.
    pub who: String,
    /// Where the money was to go.
    pub receiver: String,
    /// In which currency.
    pub currency: Currency,
    /// How much.
    pub amount: Decimal,
}

/// What PayPal rejected a file for, the first 200 lines; and how many there are.
pub async fn rejected(tx: &mut Tx, batch: BatchId) -> anyhow::Result<(Vec<Rejected>, usize)> {
    let lines = rejections(tx, batch).await?;
    let all = lines.len();
    let merchant = tx.merchant();
    let named: Vec<String> = lines.iter().take(SHOWN).filter_map(|line| line.reference.clone()).collect();
    let ids: Vec<_> = named.iter().filter_map(|name| Some(crate::id::item_of(name)?.0)).collect();
    let mut ours: std::collections::HashMap<String, OurLine> = sqlx::query!(
        r#"
        select
            i.sender_item_id, i.affiliate_id as "affiliate: AffiliateId", i.receiver, i.currency as "currency: Currency", i.amount,
            coalesce(nullif(trim(a.first_name || ' ' || a.last_name), ''), a.email, a.code) as "who!"
        from payout_items i
        join affiliates a on a.merchant_id = i.merchant_id and a.id = i.affiliate_id
        where i.merchant_id = $1 and i.batch_id = $2 and i.id = any($3)
        "#,
        merchant.0,
        batch.0,
        &ids
    )
    .fetch_all(&mut **tx)
    .await?
    .into_iter()
    .map(|row| {
        let line = OurLine {
            affiliate: row.affiliate,
            who: row.who,
            receiver: row.receiver,
            currency: row.currency,
            amount: row.amount,
        };
        (row.sender_item_id, line)
    })
    .collect();
    let shown = lines.into_iter().take(SHOWN).map(|line| Rejected {
        ours: line.reference.as_ref().and_then(|name| ours.remove(name)),
        advice: FileError::from_name(&line.name)
            .map_or("PayPal’s documents do not know this error. Ask PayPal what it means.", FileError::advice),
        line: line.line,
        reference: line.reference,
        name: line.name,
        text: line.text,
    });
    Ok((shown.collect(), all))
}
