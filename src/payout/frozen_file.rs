//! What the draft of a Large Batch file writes: the same rows as for a call, a portion at a time, and the file itself as
//! it goes. Hundreds of thousands of payments take the memory of some thousands.

use super::draft::{Ask, DraftError, Ground, Link, ensure_payable, fix_environment};
use super::frozen::{NewBatch, NewPayment, insert_batches, insert_items};
use super::limits;
use super::selection::Seen;
use super::store::Lines;
use crate::database::Tx;
use crate::id::{BatchId, RequestId, sender_batch_id};
use crate::money::{Currency, Money};
use crate::paypal::large_batch::{Compression, InputName, Line as FileLine, Summary, Writer};
use anyhow::Context;
use rust_decimal::Decimal;
use sha2::{Digest, Sha256};
use std::io;
use time::{Duration, OffsetDateTime};

/// Payments in one file at most, a limit of ours: what people can still look after.
pub const MAX_LINES: i64 = 5_000_000;
/// The name's time lies so far back: a clock that is a little fast must not make it a scheduled one.
const NAME_AGE: Duration = Duration::seconds(60);
/// How much of a file is one row.
const PART: usize = 1024 * 1024;

/// Drafts one file per currency. They wait until a person lets them go.
pub(super) async fn draft(
    tx: &mut Tx,
    ask: &Ask,
    compression: Compression,
    ground: &Ground,
    now: OffsetDateTime,
) -> Result<Vec<NewBatch>, DraftError> {
    let (dropzone, environment) = ground.dropzone.ok_or(DraftError::NoConnection)?;
    fix_environment(tx, ground, environment).await?;
    let totals = totals(tx, ask.request).await?;
    if totals.is_empty() {
        return Err(DraftError::Changed);
    }
    if totals.iter().any(|total| total.items > MAX_LINES) {
        return Err(DraftError::TooMany);
    }
    let sums = totals.iter().map(|total| Money::new(total.amount, total.currency)).collect::<Result<Vec<_>, _>>();
    limits::ensure(tx, ask, ground, &sums.context("a total is not payable")?).await?;
    let mut files =
        totals.into_iter().map(|total| File::begin(ask, compression, total, now)).collect::<Result<Vec<_>, _>>()?;
    let mut seen = Seen::default();
    let mut lines = Lines::open(tx, ask.request, now).await?;
    loop {
        let portion = lines.next(tx).await?;
        if portion.is_empty() {
            break;
        }
        ensure_payable(&ask.how, &portion)?;
        let mut items = Vec::with_capacity(portion.len());
        for line in portion {
            seen.add(&line);
            let file = files.iter_mut().find(|file| file.total.currency() == line.amount.currency());
            let file = file.context("a line has a currency without a total")?;
            let item = NewPayment::new(file.id, line);
            file.add(&item).context("a file in memory cannot be written")?;
            items.push(item);
        }
        insert_items(tx, &ask.how, &items, now).await?;
        for file in &mut files {
            file.store(tx).await?;
        }
    }
    if seen.finish() != ask.seen || take(tx, ask.request).await? != ground.selected {
        return Err(DraftError::Changed);
    }
    let mut batches = Vec::with_capacity(files.len());
    let mut rows = Vec::with_capacity(files.len());
    for file in files {
        let (batch, name, bytes) = file.end(tx).await?;
        rows.push((batch.id, name, bytes));
        batches.push(batch);
    }
    insert_batches(tx, ask, ground, environment, Link::DropZone(dropzone), &batches, now).await?;
    insert_files(tx, &rows).await?;
    allocate(tx, ask.request, &batches).await?;
    Ok(batches)
}

#[derive(Clone, Copy)]
struct Total {
    currency: Currency,
    items: i64,
    amount: Decimal,
}

async fn totals(tx: &mut Tx, selection: RequestId) -> sqlx::Result<Vec<Total>> {
    let merchant = tx.merchant();
    sqlx::query_as!(
        Total,
        r#"
        select o.currency as "currency!: Currency", count(distinct o.affiliate_id) as "items!", sum(o.amount) as "amount!"
        from selected_commissions s
        join owed o on o.merchant_id = s.merchant_id and o.commission_id = s.commission_id
        where s.merchant_id = $1 and s.selection_id = $2
        group by o.currency
        order by o.currency
        "#,
        merchant.0,
        selection.0
    )
    .fetch_all(&mut **tx)
    .await
}

/// A file as it is written.
struct File {
    id: BatchId,
    name: InputName,
    total: Money,
    expected: i64,
    lines: i64,
    writer: Writer<Parts>,
}

impl File {
    fn begin(ask: &Ask, compression: Compression, total: Total, now: OffsetDateTime) -> anyhow::Result<Self> {
        let id = BatchId::new();
        let amount = Money::new(total.amount, total.currency).context("the total is not payable")?;
        let summary =
            Summary { total: amount, items: u64::try_from(total.items)?, subject: &ask.subject, message: &ask.message };
        let name = InputName::new(now - NAME_AGE, &sender_batch_id(id), compression);
        let writer = Writer::new(Parts::default(), compression, &summary)?;
        Ok(Self { id, name, total: amount, expected: total.items, lines: 0, writer })
    }

    fn add(&mut self, item: &NewPayment) -> io::Result<()> {
        self.lines += 1;
        let receiver = item.line.receiver.as_deref().expect("payable lines have a receiver");
        self.writer.line(&FileLine { receiver, amount: item.line.amount, reference: &item.name, note: "" })
    }

    /// Writes down the parts that are full.
    async fn store(&mut self, tx: &mut Tx) -> sqlx::Result<()> {
        self.writer.get_mut().store(tx, self.id, PART).await
    }

    async fn end(self, tx: &mut Tx) -> Result<(NewBatch, String, i64), DraftError> {
        if self.lines != self.expected {
            return Err(DraftError::Changed);
        }
        let mut parts = self.writer.finish().context("a file in memory cannot be written")?;
        parts.store(tx, self.id, 1).await?;
        let batch = NewBatch {
            id: self.id,
            currency: self.total.currency(),
            items: usize::try_from(self.lines).context("a count is positive")?,
            total: self.total,
            body: None,
            sha256: parts.digest.finalize().to_vec(),
        };
        Ok((batch, self.name.to_string(), parts.bytes))
    }
}

/// Bytes on their way into the database.
#[derive(Default)]
struct Parts {
    waiting: Vec<u8>,
    digest: Sha256,
    place: i32,
    bytes: i64,
}

impl io::Write for Parts {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.waiting.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Parts {
    /// Writes down what waits, as long as it is at least so much.
    async fn store(&mut self, tx: &mut Tx, batch: BatchId, least: usize) -> sqlx::Result<()> {
        let merchant = tx.merchant();
        while self.waiting.len() >= least {
            let part: Vec<u8> = self.waiting.drain(..self.waiting.len().min(PART)).collect();
            self.digest.update(&part);
            self.bytes += i64::try_from(part.len()).expect("a part is small");
            sqlx::query!(
                "insert into payout_file_parts (merchant_id, batch_id, place, content) values ($1, $2, $3, $4)",
                merchant.0,
                batch.0,
                self.place,
                part
            )
            .execute(&mut **tx)
            .await?;
            self.place += 1;
        }
        Ok(())
    }
}

/// Takes the selected commissions out of what is owed, and says how many there were. The deletion is the lock: of two
/// drafts that want one commission, the second finds it gone.
async fn take(tx: &mut Tx, selection: RequestId) -> sqlx::Result<i64> {
    let merchant = tx.merchant();
    let taken = sqlx::query!(
        r#"
        delete from owed o
        using selected_commissions s
        where s.merchant_id = $1 and s.selection_id = $2 and o.merchant_id = $1 and o.commission_id = s.commission_id
        "#,
        merchant.0,
        selection.0
    )
    .execute(&mut **tx)
    .await?;
    Ok(i64::try_from(taken.rows_affected()).expect("a count of rows"))
}

async fn insert_files(tx: &mut Tx, files: &[(BatchId, String, i64)]) -> sqlx::Result<()> {
    let merchant = tx.merchant();
    for (batch, name, bytes) in files {
        sqlx::query!(
            "insert into payout_files (merchant_id, batch_id, name, bytes) values ($1, $2, $3, $4)",
            merchant.0,
            batch.0,
            name,
            bytes
        )
        .execute(&mut **tx)
        .await?;
    }
    Ok(())
}

/// Everything that was selected has been taken, so the selection says which commissions each item pays.
async fn allocate(tx: &mut Tx, selection: RequestId, batches: &[NewBatch]) -> sqlx::Result<()> {
    let merchant = tx.merchant();
    let ids: Vec<_> = batches.iter().map(|batch| batch.id.0).collect();
    sqlx::query!(
        r#"
        insert into allocations (merchant_id, item_id, commission_id)
        select $1, i.id, s.commission_id
        from selected_commissions s
        join payout_items i
            on i.merchant_id = $1
            and i.batch_id = any($3)
            and i.affiliate_id = s.affiliate_id
            and i.currency = s.currency
        where s.merchant_id = $1 and s.selection_id = $2
        "#,
        merchant.0,
        selection.0,
        &ids
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
