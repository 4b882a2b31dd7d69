//! A batch and its items as the bank keeps them, and the ids PayPal gives them.

use super::Later;
use super::dropzone::Origin;
use super::request::{Create, Header, Payment};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::HashSet;
use std::sync::Arc;
use time::OffsetDateTime;

/// PayPal's word for the state of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum BatchStatus {
    /// Accepted; no money has moved.
    Pending,
    /// Its items are being paid.
    Processing,
    /// Processed; each item has its own state.
    Success,
    /// Nothing was paid, and its `sender_batch_id` is free again.
    Denied,
}

/// PayPal's word for the state of an item.
///
/// ```text
/// PENDING ──▶ any          ONHOLD ──▶ SUCCESS UNCLAIMED RETURNED BLOCKED FAILED
/// SUCCESS ──▶ REFUNDED REVERSED     UNCLAIMED ──▶ SUCCESS RETURNED ONHOLD BLOCKED FAILED
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ItemState {
    /// On its way.
    Pending,
    /// With the receiver.
    Success,
    /// Never left.
    Failed,
    /// Reserved for a receiver who has not claimed it.
    Unclaimed,
    /// Came back unclaimed.
    Returned,
    /// Reserved, and held.
    Onhold,
    /// Stopped by a review.
    Blocked,
    /// Sent back by the receiver.
    Refunded,
    /// Taken back.
    Reversed,
}

impl ItemState {
    /// PayPal's word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Success => "SUCCESS",
            Self::Failed => "FAILED",
            Self::Unclaimed => "UNCLAIMED",
            Self::Returned => "RETURNED",
            Self::Onhold => "ONHOLD",
            Self::Blocked => "BLOCKED",
            Self::Refunded => "REFUNDED",
            Self::Reversed => "REVERSED",
        }
    }

    /// Whether the money is with the receiver or reserved for them.
    pub fn with_receiver(self) -> bool {
        match self {
            Self::Pending | Self::Success | Self::Unclaimed | Self::Onhold => true,
            Self::Failed | Self::Returned | Self::Blocked | Self::Refunded | Self::Reversed => false,
        }
    }

    /// Whether the sender pays the fee: what came back has cost it, what never left has not.
    pub fn costs_fee(self) -> bool {
        !matches!(self, Self::Failed | Self::Blocked)
    }

    /// Whether the item still waits for something.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Pending | Self::Unclaimed | Self::Onhold)
    }

    /// Whether PayPal ever moves an item this way.
    pub fn can_become(self, next: ItemState) -> bool {
        match self {
            Self::Pending => next != Self::Pending,
            Self::Onhold => {
                matches!(next, Self::Success | Self::Unclaimed | Self::Returned | Self::Blocked | Self::Failed)
            }
            Self::Unclaimed => {
                matches!(next, Self::Success | Self::Returned | Self::Onhold | Self::Blocked | Self::Failed)
            }
            Self::Success => matches!(next, Self::Refunded | Self::Reversed),
            Self::Failed | Self::Returned | Self::Blocked | Self::Refunded | Self::Reversed => false,
        }
    }
}

/// An accepted batch.
#[derive(Debug)]
pub struct Batch {
    /// `payout_batch_id`.
    pub id: String,
    /// The app that sent it.
    pub client_id: String,
    /// What it said about itself.
    pub header: Header,
    /// Its one currency.
    pub currency: String,
    /// Where it stands.
    pub status: BatchStatus,
    /// When it was accepted.
    pub created: OffsetDateTime,
    /// When its processing ended.
    pub completed: Option<OffsetDateTime>,
    /// When its last item stopped waiting.
    pub closed: Option<OffsetDateTime>,
    /// Its items, in the order they were sent.
    pub items: Vec<Item>,
    /// The sum of the items.
    pub amount: Decimal,
    /// The sum of the fees charged.
    pub fees: Decimal,
    /// How many items still wait.
    pub open: usize,
    /// When its receivers do what they do later.
    pub later: Later,
    /// The file it came in, if it did not come over REST.
    pub file: Option<Box<Origin>>,
}

/// One payment of a batch.
#[derive(Debug, Clone)]
pub struct Item {
    /// `payout_item_id`.
    pub id: String,
    /// What was asked for.
    pub payment: Arc<Payment>,
    /// Where it stands.
    pub state: ItemState,
    /// Why, in PayPal's word.
    pub error: Option<String>,
    /// Set once money moved for it.
    pub transaction_id: Option<String>,
    /// The fee charged.
    pub fee: Decimal,
    /// Whether the money has left the sender's balance and not come back.
    pub moved: bool,
    /// When its state last changed.
    pub processed: Option<OffsetDateTime>,
    /// When it began to wait for its receiver.
    pub unclaimed: Option<OffsetDateTime>,
    /// Whether its sender took it back.
    pub cancelled: bool,
    /// Whether an earlier item of the batch has the same `sender_item_id`.
    pub repeated: bool,
}

impl Batch {
    /// A batch that was just accepted.
    pub fn new(id: String, client_id: String, create: Create, created: OffsetDateTime, later: Later) -> Batch {
        let amount = create.items.iter().map(|payment| payment.value).sum();
        let mut names = HashSet::new();
        let items: Vec<Item> = create
            .items
            .into_iter()
            .enumerate()
            .map(|(index, payment)| Item::new(derived(&id, "item", index, 13), payment))
            .map(|mut item| {
                item.repeated = item.payment.sender_item_id.as_ref().is_some_and(|id| !names.insert(id.clone()));
                item
            })
            .collect();
        Batch {
            open: items.len(),
            header: create.header,
            currency: create.currency,
            status: BatchStatus::Pending,
            completed: None,
            closed: None,
            fees: Decimal::ZERO,
            id,
            client_id,
            created,
            items,
            amount,
            later,
            file: None,
        }
    }

    /// Whether nothing more will happen to the batch as a whole.
    pub fn is_finished(&self) -> bool {
        matches!(self.status, BatchStatus::Success | BatchStatus::Denied)
    }

    /// The transaction id an item gets when its money moves.
    pub fn transaction_id(&self, item: usize) -> String {
        derived(&self.id, "transaction", item, 17)
    }
}

impl Item {
    fn new(id: String, payment: Payment) -> Item {
        Item {
            id,
            payment: Arc::new(payment),
            state: ItemState::Pending,
            error: None,
            transaction_id: None,
            fee: Decimal::ZERO,
            moved: false,
            processed: None,
            unclaimed: None,
            cancelled: false,
            repeated: false,
        }
    }
}

/// A new `payout_batch_id`.
pub fn new_batch_id() -> String {
    new_id("batch", 13)
}

/// A new id of some kind.
pub fn new_id(kind: &str, length: usize) -> String {
    derived(&uuid::Uuid::new_v4().to_string(), kind, 0, length)
}

/// An id that follows from another one, so that a replayed journal gives the same ones. At most 32 characters.
pub fn derived(seed: &str, kind: &str, index: usize, length: usize) -> String {
    const DIGITS: &[u8; 32] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZ";
    let hash = Sha256::digest(format!("{kind}:{index}:{seed}"));
    hash.iter().take(length).map(|byte| char::from(DIGITS[usize::from(byte % 32)])).collect()
}
