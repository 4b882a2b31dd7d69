//! The files that PayPal puts into Outgoing, as its page shows them.

use super::check::stem;
use super::content::Content;
use super::faults::{Step, Struck, Wrong};
use super::record::written;
use crate::simulator::batch::{Batch, ItemState};
use crate::simulator::currency::exact;
use crate::simulator::errors;
use crate::simulator::view;
use flate2::{Compression, write::GzEncoder};
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::ops::Range;
use std::sync::Arc;
use time::OffsetDateTime;

/// The column names, from the page. Reports do not begin with them.
const HEADER: &str = "REF_ID,PAYOUT_ITEM_ID,TRANSACTION_ID,RECIPIENT_NAME,RECIPIENT,CURRENCY_CODE,PAYOUT_AMOUNT,FEE,TOTAL,TRANSACTION_STATUS,ERROR_ENUM,ERROR_MESSAGE,TIME_PROCESSED,TIME_CLAIMED\n";

/// How long after the Out report the Final one follows.
pub const FINAL_AFTER: time::Duration = time::Duration::days(31);

/// A file for somebody's Outgoing folder.
#[derive(Debug, Clone)]
pub struct Paper {
    /// Whose folder.
    pub user: String,
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: Step,
    /// When it was made.
    pub at: OffsetDateTime,
    /// What is in it.
    pub content: Arc<Content>,
}

/// Which report.
#[derive(Debug, Clone)]
pub enum Stage {
    /// A part was processed: these items.
    Part(Range<usize>),
    /// All of them were.
    Out,
    /// 31 days later.
    Final,
}

impl Stage {
    /// What fault rules call it.
    pub fn kind(&self) -> Step {
        match self {
            Stage::Part(_) => Step::Part,
            Stage::Out => Step::Out,
            Stage::Final => Step::Final,
        }
    }
}

/// The answer to a file: `ACK`, `NACK` or `DUPS`, named by the file without its extension.
pub fn answer(user: &str, file: &str, kind: Step, at: OffsetDateTime, nack: Option<&str>) -> Paper {
    let stem = stem(file);
    let line = |word| format!("{},{},{word}\n", view::time(at), written(stem));
    let (ending, text) = match kind {
        Step::Ack => ("ack", line("ACCEPTED_FOR_PROCESSING")),
        Step::Nack => ("nack", nack.unwrap_or_default().to_owned()),
        // The page of the DUPS report does not show one; it is formed like an ACK.
        _ => ("dups", line("DUPLICATE_FILE")),
    };
    Paper { user: user.to_owned(), name: format!("{stem}_{ending}.csv"), kind, at, content: content(text.into_bytes()) }
}

/// The name of a report: that of the file without its extension, in capitals, and which one it is.
pub fn name(file: &str, stage: &Stage) -> String {
    let stem = stem(file).to_ascii_uppercase();
    match stage {
        Stage::Part(rows) => format!("{stem}_{}_{}.csv", rows.start + 1, rows.end),
        Stage::Out => format!("{stem}_OUT.csv"),
        Stage::Final => format!("{stem}_FINAL.csv"),
    }
}

/// A report of a file's batch as it stands now, with its rows in another order than the file's.
pub fn rows(batch: &Batch, stage: &Stage) -> Arc<Content> {
    let rows = match stage {
        Stage::Part(rows) => rows.clone(),
        Stage::Out | Stage::Final => 0..batch.items.len(),
    };
    let mut text = String::with_capacity(rows.len() * 128);
    let mut times = Times::default();
    for place in shuffled(rows) {
        row(&mut text, batch, place, &mut times);
    }
    content(text.into_bytes())
}

/// Each place once. A prime that is larger than the count makes strides that meet no place twice.
fn shuffled(rows: Range<usize>) -> impl Iterator<Item = usize> {
    const PRIME: usize = 2_654_435_789;
    let count = rows.len();
    (0..count).map(move |index| rows.start + (index * PRIME + count / 2 + 1) % count)
}

/// The last time that was written: a part's items share one, and there are many.
#[derive(Debug, Default)]
struct Times(Option<OffsetDateTime>, String);

impl Times {
    fn text(&mut self, at: Option<OffsetDateTime>) -> &str {
        if self.0 != at {
            *self = Times(at, at.map(view::time).unwrap_or_default());
        }
        &self.1
    }
}

fn row(text: &mut String, batch: &Batch, place: usize, times: &mut Times) {
    let item = &batch.items[place];
    let payment = &item.payment;
    let (code, fee) = (&batch.currency, item.fee);
    let fee = if fee.is_zero() { "0".to_owned() } else { exact(fee, code) };
    let error = item.error.as_deref().unwrap_or_default();
    let message = if error.is_empty() { "" } else { errors::message(error) };
    // Who was not known to PayPal and took the money has a time of that beside the time of the payment.
    let claimed = item.unclaimed.filter(|_| item.state == ItemState::Success);
    let line = write!(
        text,
        "{},{},{},,{},{code},{},{fee},{},{},{error},{},{}",
        payment.sender_item_id.as_deref().unwrap_or_default(),
        item.id,
        item.transaction_id.as_deref().unwrap_or_default(),
        written(&payment.receiver),
        exact(payment.value, code),
        exact(payment.value + item.fee, code),
        item.state.word(),
        written(message),
        times.text(claimed.or(item.processed)),
    );
    line.expect("a string can be written to");
    if claimed.is_some() {
        text.push(',');
        text.push_str(times.text(item.processed));
    }
    text.push('\n');
}

fn content(bytes: Vec<u8>) -> Arc<Content> {
    let kept = Content::of(bytes).unwrap_or_else(|error| {
        tracing::error!("The simulated DropZone cannot keep a file: {error}");
        Content::default()
    });
    Arc::new(kept)
}

/// A paper as fault rules want it: none, one or two of them.
pub fn spoil(paper: &Paper, struck: &Struck) -> Vec<Paper> {
    if struck.has(Wrong::Lose) {
        return Vec::new();
    }
    let mut spoiled = paper.clone();
    let ill = [Wrong::Truncate, Wrong::Html, Wrong::Columns, Wrong::Header, Wrong::Fourteen, Wrong::Gzip];
    let ill = ill.into_iter().chain([Wrong::UnknownRow, Wrong::MissingRow]);
    if ill.into_iter().any(|wrong| struck.has(wrong)) {
        match rewrite(&paper.content, struck) {
            Ok(bytes) => spoiled.content = content(bytes),
            Err(error) => tracing::error!("The simulated DropZone cannot rewrite {}: {error}", paper.name),
        }
    }
    if struck.has(Wrong::UpperCase) {
        spoiled.name.make_ascii_uppercase();
    }
    if struck.has(Wrong::LowerCase) {
        spoiled.name.make_ascii_lowercase();
    }
    if struck.has(Wrong::DupSpelling) {
        spoiled.name = spoiled.name.replace("_dups.csv", "_dup.csv");
    }
    if struck.has(Wrong::Gzip) {
        spoiled.name.push_str(".gz");
    }
    if let Some(delay) = struck.time(Wrong::Delay) {
        spoiled.at += delay;
    }
    let mut papers = vec![spoiled];
    if struck.has(Wrong::Copy) {
        let mut copy = papers[0].clone();
        copy.name = copy.name.replacen('.', "_1.", 1);
        papers.push(copy);
    }
    papers
}

/// Two thirds down, in the middle of the row there.
fn middle_of_a_row(bytes: &[u8]) -> usize {
    let place = bytes.len() * 2 / 3;
    let start = bytes[..place].iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let length = bytes[start..].iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len() - start);
    start + length / 2
}

fn rewrite(content: &Content, struck: &Struck) -> io::Result<Vec<u8>> {
    let text = String::from_utf8(content.whole()?).map_err(io::Error::other)?;
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    if struck.has(Wrong::MissingRow) {
        lines.pop();
    }
    if struck.has(Wrong::UnknownRow)
        && let Some(first) = lines.first()
    {
        let rest = first.split_once(',').map_or("", |(_, rest)| rest);
        lines.push(format!("UNKNOWN_REF,{rest}"));
    }
    for line in &mut lines {
        // The address is the only field that may be quoted, and a comma in it is no concern here.
        if struck.has(Wrong::Columns) {
            *line = line.split(',').take(8).collect::<Vec<_>>().join(",");
        } else if struck.has(Wrong::Fourteen) && line.split(',').count() == 13 {
            line.push(',');
        }
    }
    let mut text = lines.into_iter().map(|line| line + "\n").collect::<String>();
    if struck.has(Wrong::Header) {
        text.insert_str(0, HEADER);
    }
    if struck.has(Wrong::Html) {
        "<html><body><h1>Service unavailable</h1></body></html>\n".clone_into(&mut text);
    }
    let mut bytes = text.into_bytes();
    if struck.has(Wrong::Truncate) {
        bytes.truncate(middle_of_a_row(&bytes));
    }
    if struck.has(Wrong::Gzip) {
        let mut zipped = GzEncoder::new(Vec::new(), Compression::default());
        zipped.write_all(&bytes)?;
        return zipped.finish();
    }
    Ok(bytes)
}
