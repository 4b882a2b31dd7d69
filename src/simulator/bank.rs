//! The truth: who has how much, which batches were accepted, and what became of every item.
//!
//! The bank changes by [`Entry`]s (what people did, which the journal keeps) and by the clock alone (what was then due).
//! The same entries therefore always give the same bank.

use super::batch::{Batch, BatchStatus, Item, ItemState};
use super::currency;
use super::dropzone::{
    Ledger,
    report::{FINAL_AFTER, Stage},
};
use super::hook::Hooks;
use super::journal::Entry;
use super::receiver::{Fate, denies_batch, fate};
use rust_decimal::Decimal;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use time::{Duration, OffsetDateTime};

/// For how long PayPal refuses a repeated `sender_batch_id`, and keeps unclaimed money.
pub const WINDOW: Duration = Duration::days(30);
/// What every account starts with, in every currency.
const OPENING_BALANCE: i64 = 100_000_000;

/// The bank of one simulator.
#[derive(Debug)]
pub struct Bank {
    now: OffsetDateTime,
    balances: BTreeMap<String, BTreeMap<&'static str, Decimal>>,
    batches: Vec<Batch>,
    batch_ids: HashMap<String, usize>,
    item_ids: HashMap<String, Place>,
    sender_batch_ids: HashMap<(String, String), usize>,
    agenda: BTreeMap<(OffsetDateTime, u64), Due>,
    sequence: u64,
    hooks: Hooks,
    dropzone: Ledger,
}

/// Where an item is: its batch, and its place in it.
pub type Place = (usize, usize);

/// What happens by itself when its time comes.
#[derive(Debug)]
enum Due {
    Process { batch: usize, finish: OffsetDateTime, denied: Option<String> },
    Settle(Place),
    SettlePart { batch: usize, part: Range<usize> },
    Report { batch: usize, stage: Stage },
    Finish { batch: usize },
    Move { place: Place, from: ItemState, to: ItemState },
}

impl Bank {
    /// A bank without batches, whose history begins at `now`.
    pub fn new<'a>(client_ids: impl Iterator<Item = &'a str>, now: OffsetDateTime) -> Bank {
        Bank {
            now,
            balances: client_ids.map(|id| (id.to_owned(), opening_balances())).collect(),
            batches: Vec::new(),
            batch_ids: HashMap::new(),
            item_ids: HashMap::new(),
            sender_batch_ids: HashMap::new(),
            agenda: BTreeMap::new(),
            sequence: 0,
            hooks: Hooks::default(),
            dropzone: Ledger::default(),
        }
    }

    /// Every account's balance in every currency.
    pub fn balances(&self) -> &BTreeMap<String, BTreeMap<&'static str, Decimal>> {
        &self.balances
    }

    /// Every batch ever accepted, oldest first.
    pub fn batches(&self) -> &[Batch] {
        &self.batches
    }

    /// Who wants to hear of what, and what there was to hear.
    pub fn hooks(&self) -> &Hooks {
        &self.hooks
    }

    /// What is kept of the DropZone.
    pub fn dropzone(&self) -> &Ledger {
        &self.dropzone
    }

    /// An SFTP account that is there from the start, and not written down.
    pub fn open_dropzone(&mut self, user: &str, client_id: &str, key: Option<&str>) {
        self.dropzone.open(user, client_id, key);
    }

    /// A batch by PayPal's id.
    pub fn batch(&self, id: &str) -> Option<&Batch> {
        self.batch_ids.get(id).map(|index| &self.batches[*index])
    }

    /// An item by PayPal's id.
    pub fn item(&self, id: &str) -> Option<(&Batch, usize)> {
        self.item_ids.get(id).map(|(batch, item)| (&self.batches[*batch], *item))
    }

    /// The batch that makes PayPal refuse this `sender_batch_id` now: accepted in the last 30 days and not denied.
    pub fn duplicate(&self, client_id: &str, sender_batch_id: &str) -> Option<&Batch> {
        let index = self.sender_batch_ids.get(&(client_id.to_owned(), sender_batch_id.to_owned()))?;
        let batch = &self.batches[*index];
        (batch.status != BatchStatus::Denied && self.now < batch.created + WINDOW).then_some(batch)
    }

    /// Lets everything happen that was due until `now`, in order. Time never runs backwards here.
    pub fn advance(&mut self, now: OffsetDateTime) -> OffsetDateTime {
        while let Some(entry) = self.agenda.first_entry().filter(|entry| entry.key().0 <= now) {
            let ((at, _), due) = entry.remove_entry();
            self.now = self.now.max(at);
            self.happen(due, at);
        }
        self.now = self.now.max(now);
        self.now
    }

    /// Applies what somebody did. The caller has checked that it may happen, and written it down.
    pub fn apply(&mut self, entry: Entry) {
        match entry {
            Entry::Batch { at, client_id, payout_batch_id, settle_after_ms, denied, later, create, file } => {
                self.advance(at);
                let settle = Duration::milliseconds(settle_after_ms.try_into().unwrap_or(i64::MAX / 1_000_000));
                let begin = file.as_ref().map_or(at, |file| file.begin.max(at));
                let batch = Batch { file, ..Batch::new(payout_batch_id, client_id, create, at, later) };
                if let Some(origin) = &batch.file {
                    self.dropzone.accept(&batch, origin, at);
                }
                self.accept(begin, batch, settle, denied);
                self.advance(at);
            }
            Entry::Cancel { at, payout_item_id } => {
                self.advance(at);
                if let Some(place) = self.item_ids.get(&payout_item_id).copied() {
                    self.batches[place.0].items[place.1].cancelled = true;
                    self.set(place, ItemState::Returned, at);
                }
            }
            Entry::Process { at, payout_batch_id, denied } => {
                self.advance(at);
                if let Some(batch) = self.batch_ids.get(&payout_batch_id).copied() {
                    self.process(batch, at, at, denied);
                }
                self.advance(at);
            }
            Entry::Balance { at, client_id, currency, value } => {
                self.advance(at);
                let account = self.balances.entry(client_id).or_insert_with(opening_balances);
                if let Some(balance) = account.get_mut(currency.as_str()) {
                    *balance = value;
                }
            }
            Entry::Move { at, payout_item_id, to } => {
                self.advance(at);
                if let Some(place) = self.item_ids.get(&payout_item_id).copied() {
                    if let Some(why) = usual_reason(to) {
                        self.batches[place.0].items[place.1].error = Some(why.to_owned());
                    }
                    self.set(place, to, at);
                }
            }
            Entry::Webhook { at, webhook } => {
                self.advance(at);
                self.hooks.set(webhook);
            }
            Entry::Unhook { at, id } => {
                self.advance(at);
                self.hooks.remove(&id);
            }
            Entry::File { at, client_id, user, name, size, nack } => {
                self.advance(at);
                self.dropzone.refuse(client_id, user, name, size, nack, at);
            }
            Entry::Key { user, client_id, public_key } => self.dropzone.open(&user, &client_id, Some(&public_key)),
            Entry::Unkey { user, fingerprint } => self.dropzone.close(&user, &fingerprint),
            Entry::Clock { .. } | Entry::Delivered { .. } => {}
        }
    }

    fn accept(&mut self, at: OffsetDateTime, batch: Batch, settle: Duration, denied: Option<String>) {
        let index = self.batches.len();
        self.balances.entry(batch.client_id.clone()).or_insert_with(opening_balances);
        if let Some(sender_batch_id) = &batch.header.sender_batch_id {
            self.sender_batch_ids.insert((batch.client_id.clone(), sender_batch_id.clone()), index);
        }
        self.batch_ids.insert(batch.id.clone(), index);
        for (place, item) in batch.items.iter().enumerate() {
            self.item_ids.insert(item.id.clone(), (index, place));
        }
        self.batches.push(batch);
        self.plan(at + settle / 2, Due::Process { batch: index, finish: at + settle, denied });
    }

    fn plan(&mut self, at: OffsetDateTime, due: Due) {
        self.sequence += 1;
        self.agenda.insert((at, self.sequence), due);
    }

    fn happen(&mut self, due: Due, at: OffsetDateTime) {
        match due {
            Due::Process { batch, finish, denied } => self.process(batch, at, finish, denied),
            Due::Settle(place) => self.settle(place, at),
            Due::SettlePart { batch, part } => part.for_each(|item| self.settle((batch, item), at)),
            Due::Report { batch, stage } => self.dropzone.report(&self.batches[batch], &stage, at),
            Due::Finish { batch } => self.finish(batch, at),
            Due::Move { place: (batch, item), from, to } => {
                if self.batches[batch].items[item].state == from {
                    self.set((batch, item), to, at);
                }
            }
        }
    }

    /// Takes amount and fees of all items from the balance, or denies the batch.
    fn process(&mut self, index: usize, at: OffsetDateTime, finish: OffsetDateTime, denied: Option<String>) {
        let batch = &mut self.batches[index];
        if batch.status != BatchStatus::Pending {
            // It was processed or denied by hand before.
            return;
        }
        let fees: Decimal = batch.items.iter().map(|item| currency::fee(item.payment.value, &batch.currency)).sum();
        let denies = |item: &Item| denies_batch(&batch.client_id, &item.payment.recipient_type, &item.payment.receiver);
        let reason = denied.or_else(|| batch.items.iter().any(denies).then(|| "REFUSED_ACTION_DENIED".to_owned()));
        let balance = balance(&mut self.balances, batch);
        let reason = reason.or_else(|| (*balance < batch.amount + fees).then(|| "INSUFFICIENT_FUNDS".to_owned()));
        if let Some(reason) = reason {
            batch.status = BatchStatus::Denied;
            batch.completed = Some(at);
            batch.closed = Some(at);
            batch.open = 0;
            for item in &mut batch.items {
                item.state = ItemState::Failed;
                item.error = Some(reason.clone());
                item.processed = Some(at);
            }
            let batch = &self.batches[index];
            for item in 0..batch.items.len() {
                self.hooks.item(at, index, batch, item);
            }
            self.hooks.batch(at, index, batch);
            self.plan_reports(index, at, at);
            return;
        }
        *balance -= batch.amount + fees;
        batch.fees = fees;
        batch.status = BatchStatus::Processing;
        for item in &mut batch.items {
            item.moved = true;
            item.fee = currency::fee(item.payment.value, &batch.currency);
            item.processed = Some(at);
        }
        self.hooks.batch(at, index, &self.batches[index]);
        self.plan_items(index, at, finish);
        self.plan(finish, Due::Finish { batch: index });
        self.plan_reports(index, at, finish);
    }

    /// The items are paid one after the other until the batch is finished; those of a file part by part.
    fn plan_items(&mut self, index: usize, at: OffsetDateTime, finish: OffsetDateTime) {
        let batch = &self.batches[index];
        let count = batch.items.len();
        if let Some(file) = &batch.file {
            for (part, at) in file.parts(count, at, finish) {
                self.plan(at, Due::SettlePart { batch: index, part });
            }
            return;
        }
        let step = (finish - at) / u32::try_from(count).expect("a batch has at most 15,000 items");
        for item in 0..count {
            let turn = u32::try_from(item + 1).expect("a batch has at most 15,000 items");
            self.plan(at + step * turn, Due::Settle((index, item)));
        }
    }

    /// A report of each part of a file as soon as it is processed, one of all of it, and one 31 days later.
    fn plan_reports(&mut self, index: usize, at: OffsetDateTime, finish: OffsetDateTime) {
        let batch = &self.batches[index];
        let Some(file) = &batch.file else { return };
        for (part, at) in file.parts(batch.items.len(), at, finish) {
            self.plan(at, Due::Report { batch: index, stage: Stage::Part(part) });
        }
        self.plan(finish, Due::Report { batch: index, stage: Stage::Out });
        self.plan(finish + FINAL_AFTER, Due::Report { batch: index, stage: Stage::Final });
    }

    /// One item meets its fate.
    fn settle(&mut self, place: Place, at: OffsetDateTime) {
        let batch = &self.batches[place.0];
        let item = &batch.items[place.1];
        let fate = match item.repeated {
            true => Fate::Failed("DUPLICATE_ITEM"),
            false => fate(&batch.client_id, &item.payment.recipient_type, &item.payment.receiver),
        };
        let (state, error, later) = match fate {
            Fate::Paid => (ItemState::Success, None, None),
            Fate::Refunded => (ItemState::Success, None, Some((batch.later.refunded, ItemState::Refunded))),
            Fate::Reversed => (ItemState::Success, None, Some((batch.later.reversed, ItemState::Reversed))),
            Fate::Unclaimed(why) => (ItemState::Unclaimed, Some(why), None),
            Fate::Claimed => {
                (ItemState::Unclaimed, Some("RECEIVER_UNREGISTERED"), Some((batch.later.claimed, ItemState::Success)))
            }
            Fate::Held => (ItemState::Onhold, Some("RECEIVER_ACCOUNT_LIMITATION"), None),
            Fate::Returned => (ItemState::Returned, Some("RECEIVER_UNREGISTERED"), None),
            Fate::Failed(why) => (ItemState::Failed, Some(why), None),
            Fate::Blocked => (ItemState::Blocked, Some("REGULATORY_BLOCKED"), None),
            Fate::Pending => (ItemState::Pending, Some("REGULATORY_PENDING"), None),
            // Such a batch never gets here; it was denied when its processing began.
            Fate::DeniesBatch => (ItemState::Failed, Some("REFUSED_ACTION_DENIED"), None),
        };
        let item = &mut self.batches[place.0].items[place.1];
        item.error = error.map(str::to_owned);
        if state != ItemState::Pending {
            self.set(place, state, at);
        }
        if let Some((delay, to)) = later {
            self.plan(at + delay, Due::Move { place, from: state, to });
        }
    }

    /// The batch is over. PayPal denies a batch of one failed item.
    fn finish(&mut self, index: usize, at: OffsetDateTime) {
        let batch = &mut self.batches[index];
        let denied = batch.items.len() == 1 && batch.items[0].state == ItemState::Failed;
        batch.status = if denied { BatchStatus::Denied } else { BatchStatus::Success };
        batch.completed = Some(at);
        batch.closed = (batch.open == 0).then_some(at);
        self.hooks.batch(at, index, batch);
    }

    /// Moves an item to a state, and its money with it.
    fn set(&mut self, place: Place, state: ItemState, at: OffsetDateTime) {
        let batch = &mut self.batches[place.0];
        let transaction_id = batch.transaction_id(place.1);
        let item = &mut batch.items[place.1];
        let balance = self.balances.get_mut(&batch.client_id).expect("an account is opened before its batch");
        let balance = balance.get_mut(batch.currency.as_str()).expect("every account has every currency");
        if item.moved && !state.with_receiver() {
            *balance += item.payment.value;
            item.moved = false;
        }
        if state.costs_fee() {
            item.transaction_id.get_or_insert(transaction_id);
        } else {
            *balance += item.fee;
            batch.fees -= item.fee;
            item.fee = Decimal::ZERO;
            item.transaction_id = None;
        }
        if item.state.is_open() && !state.is_open() {
            batch.open -= 1;
        }
        item.state = state;
        item.processed = Some(at);
        if state == ItemState::Unclaimed {
            item.unclaimed = Some(at);
        }
        if state == ItemState::Success {
            item.error = None;
        }
        if batch.open == 0 && batch.is_finished() {
            batch.closed.get_or_insert(at);
        }
        self.hooks.item(at, place.0, batch, place.1);
        if matches!(state, ItemState::Unclaimed | ItemState::Onhold) {
            self.plan(at + WINDOW, Due::Move { place, from: state, to: ItemState::Returned });
        }
    }
}

fn balance<'a>(balances: &'a mut BTreeMap<String, BTreeMap<&'static str, Decimal>>, batch: &Batch) -> &'a mut Decimal {
    let account = balances.get_mut(&batch.client_id).expect("an account is opened before its batch");
    account.get_mut(batch.currency.as_str()).expect("every account has every currency")
}

/// Why PayPal usually brings an item to this state, where that is no matter of course.
fn usual_reason(state: ItemState) -> Option<&'static str> {
    match state {
        ItemState::Blocked => Some("REGULATORY_BLOCKED"),
        ItemState::Failed => Some("RECEIVER_ACCOUNT_LOCKED"),
        ItemState::Onhold => Some("RECEIVER_ACCOUNT_LIMITATION"),
        ItemState::Unclaimed => Some("RECEIVER_UNREGISTERED"),
        ItemState::Pending | ItemState::Success | ItemState::Returned | ItemState::Refunded | ItemState::Reversed => {
            None
        }
    }
}

fn opening_balances() -> BTreeMap<&'static str, Decimal> {
    currency::ALL.iter().map(|(code, _)| (*code, Decimal::from(OPENING_BALANCE))).collect()
}
