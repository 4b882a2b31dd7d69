//! Step 6 of the file rail: what was fetched from PayPal's folder is applied. Answers to a file are noted and judged
//! ([`super::answers`]); the rows of reports are facts like those of a reading, a page at a time, each page a transaction.
//!
//! Applying is repeatable: a crash in the middle begins the file anew, and known facts change nothing. A report of an
//! earlier stage than one that was applied says only what is still unknown. What cannot be read is kept and shown, and
//! changes nothing; what no report mentions stays as it is, for a person.

use super::answers;
use super::batch::BatchState;
use super::collect::ensure_held;
use super::crash::crash_point;
use super::facts;
use super::lease::FolderLease;
use super::store::{Source, release, tell};
use crate::app::App;
use crate::database::Tx;
use crate::id::{BatchId, DropzoneFileId, item_of};
use crate::paypal::PayPalItemId;
use crate::paypal::large_batch::{BadRow, Outgoing, ReportRow, rows};
use crate::paypal::payouts::ItemSeen;
use anyhow::Context;
use std::collections::HashSet;
use std::io::{Seek, SeekFrom, Write};
use time::OffsetDateTime;
use tokio::sync::mpsc;

/// Rows in one transaction.
const PAGE: usize = 5_000;
/// Pages that wait while one is written.
const AHEAD: usize = 2;
/// The longest answer to a file that is read: ten thousand lines and more.
const LONGEST_ANSWER: i64 = 16 * 1024 * 1024;

/// The word of the database.
pub(super) fn code(kind: Outgoing) -> &'static str {
    match kind {
        Outgoing::Ack => "ack",
        Outgoing::Nack => "nack",
        Outgoing::Dups => "dups",
        Outgoing::Part { .. } => "part",
        Outgoing::Out => "out",
        Outgoing::Final => "final",
    }
}

/// How far a report is along: a later one knows more.
fn rank(stage: &str) -> u8 {
    match stage {
        "part" => 1,
        "out" => 2,
        "final" => 3,
        _ => 0,
    }
}

/// A file that was fetched and not applied yet.
pub(super) struct Kept {
    pub(super) id: DropzoneFileId,
    pub(super) batch: BatchId,
    pub(super) name: String,
    pub(super) bytes: i64,
    pub(super) kind: String,
    pub(super) fetched_at: OffsetDateTime,
}

/// Applies all that waits, answers first. What cannot be applied now is left for the next time.
pub(super) async fn apply_kept(app: &App, lease: FolderLease) -> anyhow::Result<()> {
    let mut tx = app.database.merchant(lease.merchant).await?;
    let waiting = sqlx::query_as!(
        Kept,
        r#"
        select id as "id: DropzoneFileId", batch_id as "batch: BatchId", name, bytes, kind, fetched_at
        from dropzone_files
        where merchant_id = $1 and dropzone_id = $2 and handled_at is null
        order by array_position(array['ack', 'nack', 'dups', 'part', 'out', 'final'], kind), id
        "#,
        lease.merchant.0,
        lease.dropzone.0
    )
    .fetch_all(&mut *tx)
    .await?;
    drop(tx);
    for file in &waiting {
        match file.kind.as_str() {
            "ack" | "nack" | "dups" => {
                let short = file.bytes <= LONGEST_ANSWER;
                let content = if short { content(app, lease, file.id).await? } else { Vec::new() };
                answers::note(app, lease, file, &content).await?;
            }
            _ => apply(app, lease, file).await?,
        }
    }
    Ok(())
}

/// All of a short file.
async fn content(app: &App, lease: FolderLease, id: DropzoneFileId) -> anyhow::Result<Vec<u8>> {
    let mut tx = app.database.merchant(lease.merchant).await?;
    let parts = sqlx::query_scalar!(
        "select content from dropzone_file_parts where merchant_id = $1 and file_id = $2 order by place",
        lease.merchant.0,
        id.0
    )
    .fetch_all(&mut *tx)
    .await?;
    Ok(parts.concat())
}

/// A file on disk, out of the database part by part.
async fn spool(app: &App, lease: FolderLease, id: DropzoneFileId) -> anyhow::Result<std::fs::File> {
    let mut file = tempfile::tempfile().context("no place for a report of PayPal's")?;
    for place in 0.. {
        let mut tx = app.database.merchant(lease.merchant).await?;
        let part = sqlx::query_scalar!(
            "select content from dropzone_file_parts where merchant_id = $1 and file_id = $2 and place = $3",
            lease.merchant.0,
            id.0,
            place
        )
        .fetch_optional(&mut *tx)
        .await?;
        drop(tx);
        let Some(part) = part else { break };
        file.write_all(&part)?;
    }
    file.seek(SeekFrom::Start(0))?;
    Ok(file)
}

/// Rows as they come out of the file.
#[derive(Default)]
struct Page {
    rows: Vec<ReportRow>,
    bad: Vec<BadRow>,
}

/// What became of a report's rows.
#[derive(Default)]
struct Tally {
    rows: i64,
    bad: i64,
    strangers: i64,
    ours: i64,
    /// The first things that could not be used.
    says: Vec<String>,
}

impl Tally {
    fn say(&mut self, what: String) {
        if self.says.len() < 5 {
            self.says.push(what);
        }
    }
}

async fn apply(app: &App, lease: FolderLease, file: &Kept) -> anyhow::Result<()> {
    let spooled = spool(app, lease, file.id).await?;
    let (sender, mut pages) = mpsc::channel(AHEAD);
    let reading = tokio::task::spawn_blocking(move || read(spooled, &sender));
    let mut tally = Tally::default();
    while let Some(page) = pages.recv().await {
        let Some(()) = apply_page(app, lease, file, page, &mut tally).await? else { return Ok(()) };
        crash_point("mid_report");
    }
    reading.await?;
    conclude(app, lease, file, &tally).await
}

fn read(file: std::fs::File, pages: &mpsc::Sender<Page>) {
    let mut page = Page::default();
    for row in rows(std::io::BufReader::new(file)) {
        match row {
            Ok(row) => page.rows.push(row),
            Err(bad) => page.bad.push(bad),
        }
        if page.rows.len() + page.bad.len() >= PAGE {
            // Nobody listens any more: the file begins anew another time.
            if pages.blocking_send(std::mem::take(&mut page)).is_err() {
                return;
            }
        }
    }
    pages.blocking_send(page).ok();
}

/// The batch of a report, locked.
struct Batch {
    state: BatchState,
    busy: bool,
    stage: Option<String>,
}

/// Nothing while somebody is still putting the file.
async fn lock(tx: &mut Tx, id: BatchId, now: OffsetDateTime) -> sqlx::Result<Batch> {
    let merchant = tx.merchant();
    sqlx::query_as!(
        Batch,
        r#"
        select
            b.state as "state: BatchState",
            b.state = 'submitting' and b.owner is not null and b.look_at > $3 as "busy!",
            f.stage
        from payout_batches b
        join payout_files f on f.merchant_id = b.merchant_id and f.batch_id = b.id
        where b.merchant_id = $1 and b.id = $2
        for update
        "#,
        merchant.0,
        id.0,
        now
    )
    .fetch_one(&mut **tx)
    .await
}

async fn apply_page(
    app: &App,
    lease: FolderLease,
    file: &Kept,
    page: Page,
    tally: &mut Tally,
) -> anyhow::Result<Option<()>> {
    let now = app.clock.now();
    tally.bad += i64::try_from(page.bad.len())?;
    page.bad.iter().for_each(|bad| tally.say(bad.to_string()));
    tally.rows += i64::try_from(page.rows.len() + page.bad.len())?;
    let mut tx = app.database.merchant(lease.merchant).await?;
    ensure_held(&mut tx, lease).await?;
    let batch = lock(&mut tx, file.batch, now).await?;
    if batch.busy {
        return Ok(None);
    }
    tx.expect_many_rows().await?;
    let known =
        known(&mut tx, file.batch, &page.rows, rank(&file.kind) < batch.stage.as_deref().map_or(0, rank)).await?;
    let mut seen = Vec::with_capacity(page.rows.len());
    for row in page.rows {
        match item_of(&row.reference).map(|item| known.get(&item.0)) {
            Some(Some(true)) => seen.push(fact(row)),
            Some(Some(false)) => tally.ours += 1,
            Some(None) | None => {
                tally.strangers += 1;
                tally.say(format!("{} is no payment of this file", row.reference));
            }
        }
    }
    tally.ours += i64::try_from(seen.len())?;
    if !seen.is_empty() && matches!(batch.state, BatchState::Submitting | BatchState::Stuck) {
        answers::accept(&mut tx, file.batch, now).await?;
    }
    facts::apply(&mut tx, file.batch, Source::Report, &seen, now).await?;
    tx.commit().await?;
    Ok(Some(()))
}

/// The items of these rows, and whether this report has news of each: one of an earlier stage has it only of those of
/// which nothing is known.
async fn known(
    tx: &mut Tx,
    batch: BatchId,
    rows: &[ReportRow],
    is_earlier: bool,
) -> sqlx::Result<std::collections::HashMap<uuid::Uuid, bool>> {
    let merchant = tx.merchant();
    let ids: Vec<_> =
        rows.iter().filter_map(|row| Some(item_of(&row.reference)?.0)).collect::<HashSet<_>>().into_iter().collect();
    let found = sqlx::query!(
        "select id, state = 'queued' as \"queued!\" from payout_items where merchant_id = $1 and batch_id = $2 and id = any($3)",
        merchant.0,
        batch.0,
        &ids
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(found.into_iter().map(|row| (row.id, row.queued || !is_earlier)).collect())
}

fn fact(row: ReportRow) -> ItemSeen {
    ItemSeen {
        id: row.payout_item_id.map(PayPalItemId),
        sender_item_id: row.reference,
        receiver: None,
        status: row.status,
        amount: Some((row.amount, row.currency.clone())),
        transaction_id: row.transaction_id,
        fee: row.fee.map(|fee| (fee, row.currency)),
        error: row.error_name.map(|name| (name, row.error_message.unwrap_or_default())),
        time_processed: row.time_processed,
    }
}

/// After the last row: how far PayPal is with the file, what is due again, and what of the report a person should see.
async fn conclude(app: &App, lease: FolderLease, file: &Kept, tally: &Tally) -> anyhow::Result<()> {
    let now = app.clock.now();
    let mut tx = app.database.merchant(lease.merchant).await?;
    ensure_held(&mut tx, lease).await?;
    let batch = lock(&mut tx, file.batch, now).await?;
    let usable = tally.ours > 0;
    handled(&mut tx, file.id, if usable { "applied" } else { "unreadable" }, tally, now).await?;
    let word = if usable {
        format!("report {}: {} payments", file.name, tally.ours)
    } else {
        format!("{} says nothing about this file’s payments", file.name)
    };
    tell(&mut tx, file.batch, Source::Report, &word, tally.says.first().map(String::as_str), now).await?;
    if usable && rank(&file.kind) > batch.stage.as_deref().map_or(0, rank) {
        advance(&mut tx, file, now).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// The file has come one stage further. With the Out report PayPal has finished it: what failed or came back is due again.
async fn advance(tx: &mut Tx, file: &Kept, now: OffsetDateTime) -> sqlx::Result<()> {
    let merchant = tx.merchant();
    sqlx::query!(
        "update payout_files set stage = $3, staged_at = $4 where merchant_id = $1 and batch_id = $2",
        merchant.0,
        file.batch.0,
        file.kind,
        now
    )
    .execute(&mut **tx)
    .await?;
    if file.kind == "part" {
        return Ok(());
    }
    release(tx, file.batch, now).await?;
    // Closed with the Final report, unless something is still open or was never mentioned: that needs a person.
    sqlx::query!(
        r#"
        update payout_batches b
        set settled_at = coalesce(b.settled_at, $3),
            paypal_status = upper($4),
            changed_at = $3,
            state = case when $4 = 'final' and b.state = 'accepted' and not exists (
                    select from payout_items i
                    where i.merchant_id = b.merchant_id and i.batch_id = b.id and i.state in ('queued', 'open')
                ) then 'closed' else b.state end
        where b.merchant_id = $1 and b.id = $2 and b.state in ('accepted', 'closed')
        "#,
        merchant.0,
        file.batch.0,
        now,
        file.kind
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

async fn handled(
    tx: &mut Tx,
    id: DropzoneFileId,
    outcome: &str,
    tally: &Tally,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    let merchant = tx.merchant();
    let says = (!tally.says.is_empty()).then(|| tally.says.join("\n"));
    sqlx::query!(
        r#"
        update dropzone_files
        set handled_at = $3, outcome = $4, rows = $5, bad_rows = $6, unknown_refs = $7, says = $8
        where merchant_id = $1 and id = $2
        "#,
        merchant.0,
        id.0,
        now,
        outcome,
        tally.rows,
        tally.bad,
        tally.strangers,
        says
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
