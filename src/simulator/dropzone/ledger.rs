//! What the bank keeps of the DropZone. It changes by the journal's entries and by time alone, so that a restarted
//! simulator has the same answers and reports.

use super::faults::Step;
use super::keys;
use super::report::{self, Paper, Stage};
use super::{DropzoneAccount, check};
use crate::simulator::batch::Batch;
use russh::keys::PublicKey;
use serde::{Deserialize, Serialize};
use std::ops::Range;
use std::sync::Arc;
use time::{Duration, OffsetDateTime};

/// For how long PayPal refuses the content of an accepted file under another name, from its later page.
const SAME_CONTENT: Duration = Duration::days(7);

/// Where a batch that came in a file comes from.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Origin {
    /// Who sent it.
    pub user: String,
    /// The file's name.
    pub name: String,
    /// Its length.
    pub size: u64,
    /// The digest of its text.
    pub sha256: String,
    /// When its processing begins.
    #[serde(with = "time::serde::rfc3339")]
    pub begin: OffsetDateTime,
    /// How many items make a part.
    pub part_size: usize,
}

impl Origin {
    /// The parts of so many items, and when each is processed if all of them take this time.
    pub fn parts(
        &self,
        items: usize,
        at: OffsetDateTime,
        finish: OffsetDateTime,
    ) -> Vec<(Range<usize>, OffsetDateTime)> {
        let size = self.part_size.max(1);
        let parts = u32::try_from(items.div_ceil(size)).expect("no file has that many parts");
        let part = |number: u32| {
            let first = size * number as usize;
            // The last one ends exactly with the file.
            let end = if number + 1 == parts { finish } else { at + (finish - at) / parts * (number + 1) };
            (first..items.min(first + size), end)
        };
        (0..parts).map(part).collect()
    }
}

/// What became of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is a batch now: its id.
    Accepted(String),
    /// It was answered with a NACK: its lines.
    Refused(String),
    /// It has the name of an earlier one.
    Repeated,
}

/// A file that was picked up.
#[derive(Debug)]
pub struct Picked {
    /// Whose.
    pub client_id: String,
    /// Who sent it.
    pub user: String,
    /// Its name.
    pub name: String,
    /// Its length.
    pub size: u64,
    /// The digest of its text, where it was accepted.
    sha256: String,
    /// When.
    pub at: OffsetDateTime,
    /// What became of it.
    pub outcome: Outcome,
}

/// Accounts, files, and everything that was ever put into an Outgoing folder.
#[derive(Debug, Default)]
pub struct Ledger {
    users: Vec<DropzoneAccount>,
    files: Vec<Picked>,
    papers: Vec<Paper>,
}

impl Ledger {
    /// The accounts.
    pub fn users(&self) -> &[DropzoneAccount] {
        &self.users
    }

    /// An account by its name.
    pub fn user(&self, name: &str) -> Option<&DropzoneAccount> {
        self.users.iter().find(|user| user.user == name)
    }

    /// The files, oldest first.
    pub fn files(&self) -> &[Picked] {
        &self.files
    }

    /// What there is for Outgoing folders, oldest first.
    pub fn papers(&self) -> &[Paper] {
        &self.papers
    }

    /// Makes an account, or lets one have another key.
    pub fn open(&mut self, user: &str, client_id: &str, key: Option<&str>) {
        let place = self.users.iter().position(|known| known.user == user).unwrap_or_else(|| {
            let (user, client_id) = (user.to_owned(), client_id.to_owned());
            self.users.push(DropzoneAccount { user, client_id, public_keys: Vec::new() });
            self.users.len() - 1
        });
        let keys = &mut self.users[place].public_keys;
        if let Some(key) = key.filter(|key| !keys.iter().any(|known| known == key)) {
            keys.push(key.to_owned());
        }
    }

    /// Takes a key from an account.
    pub fn close(&mut self, user: &str, fingerprint: &str) {
        if let Some(user) = self.users.iter_mut().find(|known| known.user == user) {
            user.public_keys.retain(|key| !keys_of(key).any(|key| keys::fingerprint(&key) == fingerprint));
        }
    }

    /// Whether an account has this key.
    pub fn knows(&self, user: &str, key: &PublicKey) -> bool {
        let mut keys = self.user(user).into_iter().flat_map(|user| &user.public_keys).flat_map(|text| keys_of(text));
        keys.any(|known| known.key_data() == key.key_data())
    }

    /// Whether a file of this name was picked up before. Answers are named by the name without its extension and
    /// reports by that in capitals: names that differ in no more count as the same.
    pub fn has(&self, client_id: &str, name: &str) -> bool {
        let stem = check::stem(name);
        let mut own = self.files.iter().filter(|file| file.client_id == client_id);
        own.any(|file| check::stem(&file.name).eq_ignore_ascii_case(stem))
    }

    /// The file that was accepted lately with the same content.
    pub fn same(&self, client_id: &str, sha256: &str, now: OffsetDateTime) -> Option<&str> {
        let lately = self.files.iter().rev().take_while(|file| now < file.at + SAME_CONTENT);
        let mut accepted = lately.filter(|file| matches!(file.outcome, Outcome::Accepted(_)));
        accepted.find(|file| file.client_id == client_id && file.sha256 == sha256).map(|file| file.name.as_str())
    }

    /// A file became a batch.
    pub fn accept(&mut self, batch: &Batch, origin: &Origin, at: OffsetDateTime) {
        self.files.push(Picked {
            client_id: batch.client_id.clone(),
            user: origin.user.clone(),
            name: origin.name.clone(),
            size: origin.size,
            sha256: origin.sha256.clone(),
            at,
            outcome: Outcome::Accepted(batch.id.clone()),
        });
        self.papers.push(report::answer(&origin.user, &origin.name, Step::Ack, at, None));
    }

    /// A file was refused, or had the name of an earlier one.
    pub fn refuse(
        &mut self,
        client_id: String,
        user: String,
        name: String,
        size: u64,
        nack: Option<String>,
        at: OffsetDateTime,
    ) {
        let kind = if nack.is_some() { Step::Nack } else { Step::Dups };
        self.papers.push(report::answer(&user, &name, kind, at, nack.as_deref()));
        let outcome = nack.map_or(Outcome::Repeated, Outcome::Refused);
        self.files.push(Picked { client_id, user, name, size, sha256: String::new(), at, outcome });
    }

    /// A report is due.
    pub fn report(&mut self, batch: &Batch, stage: &Stage, at: OffsetDateTime) {
        let Some(origin) = &batch.file else { return };
        let name = report::name(&origin.name, stage);
        // What was one part is the whole file, in the same moment.
        let whole = match stage {
            Stage::Out => self.papers.iter().rev().find(|paper| {
                let part = Stage::Part(0..batch.items.len());
                paper.at == at && paper.user == origin.user && paper.name == report::name(&origin.name, &part)
            }),
            _ => None,
        };
        let content = match whole {
            Some(part) => Arc::clone(&part.content),
            None => report::rows(batch, stage),
        };
        let (user, kind) = (origin.user.clone(), stage.kind());
        self.papers.push(Paper { user, name, kind, at, content });
    }
}

fn keys_of(text: &str) -> impl Iterator<Item = PublicKey> {
    keys::read(text).unwrap_or_default().into_iter()
}
