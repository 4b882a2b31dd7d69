//! What people did, one JSON line each, so that a restarted simulator knows its bank again.

use super::Later;
use super::batch::ItemState;
use super::dropzone::Origin;
use super::hook::Webhook;
use super::request::Create;
use anyhow::Context;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;
use time::OffsetDateTime;

/// Something done to the bank from outside. What the clock alone brings about is not written down.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "snake_case")]
pub enum Entry {
    /// A batch was accepted.
    Batch {
        /// When.
        #[serde(with = "time::serde::rfc3339")]
        at: OffsetDateTime,
        /// Of which app.
        client_id: String,
        /// Under which id.
        payout_batch_id: String,
        /// How long it takes.
        settle_after_ms: u64,
        /// Why it will be denied, when a fault rule said so.
        denied: Option<String>,
        /// When its receivers do what they do later.
        #[serde(default)]
        later: Later,
        /// What was asked for.
        create: Create,
        /// The file it came in, if it did not come over REST.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        file: Option<Box<Origin>>,
    },
    /// A file was picked up and is no batch.
    File {
        /// When.
        #[serde(with = "time::serde::rfc3339")]
        at: OffsetDateTime,
        /// Whose.
        client_id: String,
        /// Who sent it.
        user: String,
        /// Its name.
        name: String,
        /// Its length.
        size: u64,
        /// Why it is refused; nothing when a file had this name before.
        nack: Option<String>,
    },
    /// An SFTP account was made, or may have another key.
    Key {
        /// Which.
        user: String,
        /// From whose balance it pays.
        client_id: String,
        /// The key, as in a `.pub` file.
        public_key: String,
    },
    /// A key was taken from an SFTP account.
    Unkey {
        /// Which account.
        user: String,
        /// The key's `SHA256:...`.
        fingerprint: String,
    },
    /// An unclaimed item was taken back.
    Cancel {
        /// When.
        #[serde(with = "time::serde::rfc3339")]
        at: OffsetDateTime,
        /// Which.
        payout_item_id: String,
    },
    /// An item was moved through the simulator's own door.
    Move {
        /// When.
        #[serde(with = "time::serde::rfc3339")]
        at: OffsetDateTime,
        /// Which.
        payout_item_id: String,
        /// Where to.
        to: ItemState,
    },
    /// A pending batch was processed at once, or denied.
    Process {
        /// When.
        #[serde(with = "time::serde::rfc3339")]
        at: OffsetDateTime,
        /// Which.
        payout_batch_id: String,
        /// Why it is denied, if it is.
        denied: Option<String>,
    },
    /// A balance was set.
    Balance {
        /// When.
        #[serde(with = "time::serde::rfc3339")]
        at: OffsetDateTime,
        /// Whose.
        client_id: String,
        /// In which currency.
        currency: String,
        /// To how much.
        value: Decimal,
    },
    /// A webhook was registered or changed.
    Webhook {
        /// When.
        #[serde(with = "time::serde::rfc3339")]
        at: OffsetDateTime,
        /// As it is now.
        webhook: Webhook,
    },
    /// A webhook was deleted.
    Unhook {
        /// When.
        #[serde(with = "time::serde::rfc3339")]
        at: OffsetDateTime,
        /// Which.
        id: String,
    },
    /// An event was delivered, and need not be again.
    Delivered {
        /// Which.
        event_id: String,
        /// To which webhook.
        webhook_id: String,
    },
    /// The clock was moved.
    Clock {
        /// Its whole offset.
        offset_seconds: i64,
    },
}

/// The file behind the bank, or nothing.
#[derive(Debug)]
pub struct Journal(Option<Lines>);

#[derive(Debug)]
struct Lines {
    file: File,
    /// The length of its whole lines.
    length: u64,
}

impl Journal {
    /// A journal that forgets.
    pub fn none() -> Journal {
        Journal(None)
    }

    /// Opens a journal and reads what it holds. A last line that was cut off by a crash is dropped: its answer never
    /// left.
    pub fn open(path: &Path) -> anyhow::Result<(Journal, Vec<Entry>)> {
        let describe = || format!("the simulator's journal {}", path.display());
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(path).with_context(describe)?;
        let mut text = Vec::new();
        file.read_to_end(&mut text).with_context(describe)?;
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let mut entries = Vec::new();
        for (number, line) in text[..whole].split(|byte| *byte == b'\n').enumerate() {
            if !line.is_empty() {
                let entry =
                    serde_json::from_slice(line).with_context(|| format!("{}, line {}", describe(), number + 1))?;
                entries.push(entry);
            }
        }
        let length = whole as u64;
        file.set_len(length).with_context(describe)?;
        Ok((Journal(Some(Lines { file, length })), entries))
    }

    /// Writes an entry down. It survives the end of this process as soon as this returns; the machine's own sudden end
    /// it need not survive.
    pub fn write(&mut self, entry: &Entry) -> anyhow::Result<()> {
        let Some(lines) = &mut self.0 else { return Ok(()) };
        let mut line = serde_json::to_vec(entry)?;
        line.push(b'\n');
        if let Err(error) = lines.file.write_all(&line) {
            // Half a line would spoil the next one. If even this fails, the next start says which line is damaged.
            lines.file.set_len(lines.length).ok();
            return Err(error).context("the simulator's journal");
        }
        lines.length += line.len() as u64;
        Ok(())
    }
}
