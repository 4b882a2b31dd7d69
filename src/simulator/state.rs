//! Everything a running simulator knows, behind one lock: each call is carried out wholly before the next one.

use super::bank::Bank;
use super::calls::Calls;
use super::dropzone::{DropzoneAccount, Zone, door, keys};
use super::faults::{Faults, What};
use super::hook::courier::Parcel;
use super::hook::outbox::Outbox;
use super::hook::signing::Certificates;
use super::journal::{Entry, Journal};
use super::oauth::Tokens;
use super::{Account, Settings, view};
use crate::clock::Clock;
use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
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
    /// The DropZone, if there is one.
    pub dropzone: Option<Zone>,
    /// Where it listens, for callers that have never called.
    base: String,
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
    /// The address under which each app knows this server.
    pub bases: HashMap<String, String>,
    /// Events on their way.
    pub outbox: Outbox,
    /// The certificates of their signatures.
    pub certificates: Certificates,
    journal: Journal,
}

impl State {
    /// The state at the end of the journal, if there is one.
    pub fn new(settings: Settings, address: SocketAddr, dropzone: Option<SocketAddr>) -> anyhow::Result<State> {
        let Settings { accounts, settle_after, journal, clock, dropzone: zone } = settings;
        let open = zone.as_ref().zip(dropzone);
        let open = open.map(|(zone, address)| Zone::new(zone, address, journal.as_deref())).transpose()?;
        let (journal, entries) = match journal {
            Some(path) => Journal::open(&path)?,
            None => (Journal::none(), Vec::new()),
        };
        let ids = accounts.iter().map(|account| account.client_id.as_str());
        let mut bank = Bank::new(ids, OffsetDateTime::UNIX_EPOCH);
        let mut delivered = HashSet::new();
        for entry in entries {
            if let Entry::Delivered { event_id, webhook_id } = &entry {
                delivered.insert((event_id.clone(), webhook_id.clone()));
            }
            if let Entry::Clock { offset_seconds } = entry {
                clock.set_offset(clock.offset().max(time::Duration::seconds(offset_seconds)));
            }
            bank.apply(entry);
        }
        let mut outbox = Outbox::default();
        outbox.replan(bank.hooks(), &delivered);
        let inner = Inner {
            accounts,
            bank,
            tokens: Tokens::default(),
            faults: Faults::default(),
            calls: Calls::default(),
            bases: HashMap::new(),
            outbox,
            certificates: Certificates::default(),
            journal,
        };
        let base = format!("http://{address}");
        let state = State { settle_after, clock, dropzone: open, base, inner: Mutex::new(inner) };
        for account in zone.into_iter().flat_map(|zone| zone.accounts) {
            state.open_dropzone(&account)?;
        }
        Ok(state)
    }

    /// An SFTP account that is there from the start. Its keys are not written down: the next start may have others.
    fn open_dropzone(&self, account: &DropzoneAccount) -> anyhow::Result<()> {
        let DropzoneAccount { user, client_id, public_keys } = account;
        let (mut inner, _) = self.lock();
        let described = |why: String| anyhow::anyhow!("the DropZone account {user}: {why}");
        door::account(&inner, user, Some(client_id)).map_err(described)?;
        inner.bank.open_dropzone(user, client_id, None);
        for text in public_keys {
            for key in keys::read(text).map_err(described)? {
                inner.bank.open_dropzone(user, client_id, Some(&key.to_openssh()?));
            }
        }
        Ok(())
    }

    /// Takes the lock, and lets everything happen in the bank that is due by now.
    pub fn lock(&self) -> (MutexGuard<'_, Inner>, OffsetDateTime) {
        // A panic in one call must not end the others; the bank changes only in steps that cannot panic half way.
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let now = inner.bank.advance(self.clock.now());
        let Inner { bank, outbox, faults, .. } = &mut *inner;
        outbox.plan(bank.hooks(), faults);
        if let Some(zone) = &self.dropzone {
            zone.folders().publish(bank.dropzone().papers(), faults);
        }
        (inner, now)
    }

    /// The next event that is due at a webhook, ready to be signed and sent.
    pub fn next_parcel(&self) -> Option<Parcel> {
        let (mut inner, now) = self.lock();
        let Inner { bank, outbox, certificates, bases, .. } = &mut *inner;
        let due = outbox.take(bank.hooks(), now)?;
        let base = bases.get(&due.webhook.client_id).unwrap_or(&self.base);
        let certificate = certificates.current(now, due.forged == Some(What::ForgeCertificate));
        let certificate = certificate.expect("a certificate can be made of keys that were made");
        let host = match due.forged {
            Some(What::ForgeHost) => "https://api.paypal.com.certs.example.com",
            _ => base,
        };
        let event = &bank.hooks().events[due.event];
        let body = event.show(&bank.batches()[event.batch], base).to_string();
        Some(Parcel {
            body,
            cert_url: format!("{host}/v1/notifications/certs/{certificate}"),
            time: view::time(now),
            due,
        })
    }

    /// Whether every event until now was sent at least once.
    pub fn is_caught_up(&self) -> bool {
        let (inner, now) = self.lock();
        inner.outbox.is_caught_up(now)
    }

    /// Notes how a try to deliver ended.
    pub fn note_delivery(&self, delivery: usize, answer: Result<u16, String>) {
        let (mut inner, _) = self.lock();
        if let Some((event, webhook_id)) = inner.outbox.note(delivery, answer) {
            let event_id = inner.bank.hooks().events[event].id.clone();
            if let Err(error) = inner.record(Entry::Delivered { event_id, webhook_id }) {
                tracing::error!("{error:#}");
            }
        }
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
