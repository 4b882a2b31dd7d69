//! Everything a running simulator knows, behind one lock: each call is carried out wholly before the next one.

use super::bank::Bank;
use super::calls::Calls;
use super::faults::Faults;
use super::journal::{Entry, Journal};
use super::oauth::Tokens;
use super::{Account, Settings};
use crate::clock::Clock;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use time::OffsetDateTime;

/// A running simulator's knowledge.
#[derive(Debug)]
pub struct State {
    /// How long a batch takes.
    pub settle_after: Duration,
    /// The time.
    pub clock: Clock,
    inner: Mutex<Inner>,
}

/// What the lock guards.
#[derive(Debug)]
pub struct Inner {
    /// The apps that may call.
    pub accounts: Vec<Account>,
    /// The money.
    pub bank: Bank,
    /// The tokens given out.
    pub tokens: Tokens,
    /// What is to go wrong.
    pub faults: Faults,
    /// What was asked so far.
    pub calls: Calls,
    journal: Journal,
}

impl State {
    /// The state at the end of the journal, if there is one.
    pub fn new(settings: Settings) -> anyhow::Result<State> {
        let Settings { accounts, settle_after, journal, clock } = settings;
        let (journal, entries) = match journal {
            Some(path) => Journal::open(&path)?,
            None => (Journal::none(), Vec::new()),
        };
        let ids = accounts.iter().map(|account| account.client_id.as_str());
        let mut bank = Bank::new(ids, OffsetDateTime::UNIX_EPOCH);
        for entry in entries {
            if let Entry::Clock { offset_seconds } = entry {
                clock.set_offset(clock.offset().max(time::Duration::seconds(offset_seconds)));
            }
            bank.apply(entry);
        }
        let inner = Inner {
            accounts,
            bank,
            tokens: Tokens::default(),
            faults: Faults::default(),
            calls: Calls::default(),
            journal,
        };
        Ok(State { settle_after, clock, inner: Mutex::new(inner) })
    }

    /// Takes the lock, and lets everything happen in the bank that is due by now.
    pub fn lock(&self) -> (MutexGuard<'_, Inner>, OffsetDateTime) {
        // A panic in one call must not end the others; the bank changes only in steps that cannot panic half way.
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let now = inner.bank.advance(self.clock.now());
        (inner, now)
    }
}

impl Inner {
    /// Writes an entry down, then applies it.
    pub fn record(&mut self, entry: Entry) -> anyhow::Result<()> {
        self.journal.write(&entry)?;
        self.bank.apply(entry);
        Ok(())
    }
}
