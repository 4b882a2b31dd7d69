//! PayPal's answers to a file as a whole, noted as they come and judged together: see [`super::file`].

use super::batch::BatchState;
use super::collect::ensure_held;
use super::file::{FINAL_OVERDUE, Seen, Verdict, is_doubtful, judge};
use super::lease::FolderLease;
use super::refuse::{NamedItem, refuse};
use super::reports::Kept;
use super::store::{Source, tell};
use super::submit::stick;
use crate::app::App;
use crate::database::Tx;
use crate::id::{BatchId, DropzoneFileId};
use crate::paypal::Refusal;
use crate::paypal::large_batch::{FileAnswer, Outgoing, Rejection, parse_answer};
use time::OffsetDateTime;

/// Rejected lines that mark their payments.
const MARKED: usize = 10_000;

/// Notes an answer. One that cannot be read is kept and shown, and changes nothing.
pub(super) async fn note(app: &App, lease: FolderLease, file: &Kept, content: &[u8]) -> anyhow::Result<()> {
    let now = app.clock.now();
    let mut tx = app.database.merchant(lease.merchant).await?;
    ensure_held(&mut tx, lease).await?;
    let name = name(&mut tx, file.batch).await?;
    let kind = match file.kind.as_str() {
        "ack" => Outgoing::Ack,
        "nack" => Outgoing::Nack,
        _ => Outgoing::Dups,
    };
    let stem = name.split('.').next().unwrap_or_default();
    let (outcome, word, says) = match parse_answer(kind, stem, content) {
        Ok(answer) => {
            let doubtful = match &answer {
                FileAnswer::Rejected(lines) => lines.iter().any(|line| is_doubtful(&line.name)),
                FileAnswer::Accepted | FileAnswer::Duplicate => false,
            };
            answered(&mut tx, file, doubtful).await?;
            let (word, says) = words(&answer);
            ("applied", word, says)
        }
        Err(why) => ("unreadable", format!("{} cannot be read", file.name), Some(why.to_string())),
    };
    sqlx::query!(
        "update dropzone_files set handled_at = $3, outcome = $4, says = $5 where merchant_id = $1 and id = $2",
        lease.merchant.0,
        file.id.0,
        now,
        outcome,
        says
    )
    .execute(&mut *tx)
    .await?;
    tell(&mut tx, file.batch, Source::Report, &word, says.as_deref(), now).await?;
    tx.commit().await?;
    Ok(())
}

fn words(answer: &FileAnswer) -> (String, Option<String>) {
    match answer {
        FileAnswer::Accepted => ("PayPal accepted the file (ACK)".into(), None),
        FileAnswer::Duplicate => ("PayPal has had a file of this name before (DUPS)".into(), None),
        FileAnswer::Rejected(lines) => {
            let first = lines.first().map(|line| format!("{}: {}", line.name, line.text));
            (format!("PayPal rejected the file (NACK), {} lines", lines.len()), first)
        }
    }
}

async fn name(tx: &mut Tx, batch: BatchId) -> sqlx::Result<String> {
    let merchant = tx.merchant();
    sqlx::query_scalar!("select name from payout_files where merchant_id = $1 and batch_id = $2", merchant.0, batch.0)
        .fetch_one(&mut **tx)
        .await
}

/// The first of each kind counts.
async fn answered(tx: &mut Tx, file: &Kept, doubtful: bool) -> sqlx::Result<()> {
    let merchant = tx.merchant();
    sqlx::query!(
        r#"
        update payout_files
        set ack_at = case when $3 = 'ack' then coalesce(ack_at, $4) else ack_at end,
            nack_at = case when $3 = 'nack' then coalesce(nack_at, $4) else nack_at end,
            nack_doubtful = nack_doubtful or $5,
            dups_at = case when $3 = 'dups' then coalesce(dups_at, $4) else dups_at end
        where merchant_id = $1 and batch_id = $2
        "#,
        merchant.0,
        file.batch.0,
        file.kind,
        file.fetched_at,
        doubtful
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// A file whose answers are to be judged.
struct Row {
    batch: BatchId,
    state: BatchState,
    fence: i64,
    doubted: bool,
    uploaded_at: Option<OffsetDateTime>,
    whole: bool,
    gone: bool,
    accepted: bool,
    dups: bool,
    nack_at: Option<OffsetDateTime>,
    nack_is_doubtful: bool,
}

impl Row {
    fn seen(&self) -> Seen {
        Seen {
            doubted: self.doubted,
            uploaded_at: self.uploaded_at,
            whole: self.whole,
            gone: self.gone,
            accepted: self.accepted,
            dups: self.dups,
            nack_at: self.nack_at,
            nack_is_doubtful: self.nack_is_doubtful,
        }
    }
}

/// Judges every file that PayPal has answered and that nobody is putting right now.
pub(super) async fn judge_all(app: &App, lease: FolderLease) -> anyhow::Result<()> {
    let now = app.clock.now();
    let mut tx = app.database.merchant(lease.merchant).await?;
    ensure_held(&mut tx, lease).await?;
    let rows = sqlx::query_as!(
        Row,
        r#"
        select
            b.id as "batch: BatchId",
            b.state as "state: BatchState",
            b.fence,
            b.doubted_at is not null as "doubted!",
            f.uploaded_at,
            f.whole,
            f.gone_at is not null as "gone!",
            f.ack_at is not null as "accepted!",
            f.dups_at is not null as "dups!",
            f.nack_at,
            f.nack_doubtful as nack_is_doubtful
        from payout_batches b
        join payout_files f on f.merchant_id = b.merchant_id and f.batch_id = b.id
        where b.merchant_id = $1
            and b.dropzone_id = $2
            and b.state in ('submitting', 'stuck')
            and (f.ack_at is not null or f.nack_at is not null)
            and (b.owner is null or b.look_at <= $3)
        for update of b
        "#,
        lease.merchant.0,
        lease.dropzone.0,
        now
    )
    .fetch_all(&mut *tx)
    .await?;
    for row in rows {
        match judge(&row.seen(), now) {
            Verdict::Wait => {}
            Verdict::Accepted => accept(&mut tx, row.batch, now).await?,
            Verdict::Refused | Verdict::Stuck(_) if row.state == BatchState::Stuck => {}
            Verdict::Refused => reject(&mut tx, &row, now).await?,
            Verdict::Stuck(why) => {
                stick(&mut tx, row.batch, row.fence, why, now).await?;
                tell(&mut tx, row.batch, Source::Report, &format!("stuck: {why}"), None, now).await?;
            }
        }
    }
    close_watched(&mut tx, lease, now).await?;
    tx.commit().await?;
    Ok(())
}

/// PayPal has the file. That ends a doubt, also one that had us stop.
pub(super) async fn accept(tx: &mut Tx, batch: BatchId, now: OffsetDateTime) -> sqlx::Result<()> {
    let merchant = tx.merchant();
    sqlx::query!(
        r#"
        update payout_batches
        set state = 'accepted',
            accepted_at = $3::timestamptz,
            changed_at = $3::timestamptz,
            look_at = null,
            owner = null,
            fence = fence + 1,
            resolved_at = case when state = 'stuck' then $3::timestamptz end,
            resolved_as = case when state = 'stuck' then 'answered' end
        where merchant_id = $1 and id = $2 and state in ('submitting', 'stuck')
        "#,
        merchant.0,
        batch.0,
        now
    )
    .execute(&mut **tx)
    .await?;
    sqlx::query!(
        r#"
        update payout_files
        set uploaded_at = coalesce(uploaded_at, $3), gone_at = coalesce(gone_at, $3)
        where merchant_id = $1 and batch_id = $2
        "#,
        merchant.0,
        batch.0,
        now
    )
    .execute(&mut **tx)
    .await?;
    tell(tx, batch, Source::Report, "accepted", None, now).await
}

/// PayPal did not take the file: everything in it is due again, and the payments that it named are marked.
async fn reject(tx: &mut Tx, row: &Row, now: OffsetDateTime) -> anyhow::Result<()> {
    let lines = rejections(tx, row.batch).await?;
    let refusal = Refusal {
        name: lines.first().map_or_else(|| "NACK".to_owned(), |line| line.name.clone()),
        message: lines.first().map_or_else(String::new, |line| line.text.clone()),
        details: Vec::new(),
    };
    let named: Vec<_> = lines
        .into_iter()
        .take(MARKED)
        .filter_map(|line| Some(NamedItem::of_file(line.reference?, &line.name, &line.text)))
        .collect();
    refuse(tx, row.batch, row.fence, Source::Report, &refusal, &named, now).await?;
    let word = format!("refused: {}", refusal.name);
    Ok(tell(tx, row.batch, Source::Report, &word, None, now).await?)
}

/// What PayPal said about single lines of a file, or about all of it, as far as it can be read.
pub async fn rejections(tx: &mut Tx, batch: BatchId) -> anyhow::Result<Vec<Rejection>> {
    let merchant = tx.merchant();
    let file = sqlx::query_scalar!(
        r#"
        select id as "id: DropzoneFileId"
        from dropzone_files
        where merchant_id = $1 and batch_id = $2 and kind = 'nack' and outcome = 'applied'
        order by id
        limit 1
        "#,
        merchant.0,
        batch.0
    )
    .fetch_optional(&mut **tx)
    .await?;
    let Some(file) = file else { return Ok(Vec::new()) };
    let parts = sqlx::query_scalar!(
        "select content from dropzone_file_parts where merchant_id = $1 and file_id = $2 order by place",
        merchant.0,
        file.0
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(match parse_answer(Outgoing::Nack, "", &parts.concat()) {
        Ok(FileAnswer::Rejected(lines)) => lines,
        Ok(FileAnswer::Accepted | FileAnswer::Duplicate) | Err(_) => Vec::new(),
    })
}

/// Files of which nothing is open end some days after their Final report was due, whether it came or not.
async fn close_watched(tx: &mut Tx, lease: FolderLease, now: OffsetDateTime) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        update payout_batches b
        set state = 'closed', changed_at = $3
        where b.merchant_id = $1
            and b.dropzone_id = $2
            and b.state = 'accepted'
            and b.settled_at <= $4
            and not exists (
                select from payout_items i
                where i.merchant_id = b.merchant_id and i.batch_id = b.id and i.state in ('queued', 'open')
            )
        "#,
        lease.merchant.0,
        lease.dropzone.0,
        now,
        now - FINAL_OVERDUE
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
