//! An event as PayPal shows and sends it.

use crate::simulator::batch::{Batch, BatchStatus, Item, ItemState, derived};
use crate::simulator::view::{self, link};
use serde_json::{Value, json};
use time::OffsetDateTime;

/// The event types that can be asked for: those of payouts, and some of the many others.
pub const TYPES: [(&str, &str); 16] = [
    ("PAYMENT.PAYOUTSBATCH.DENIED", "A batch payout payment is denied."),
    ("PAYMENT.PAYOUTSBATCH.PROCESSING", "A batch payout payment has entered the processing state."),
    ("PAYMENT.PAYOUTSBATCH.SUCCESS", "A batch payout payment completes."),
    ("PAYMENT.PAYOUTS-ITEM.BLOCKED", "A payout item is blocked."),
    ("PAYMENT.PAYOUTS-ITEM.CANCELED", "A payout item is canceled."),
    ("PAYMENT.PAYOUTS-ITEM.FAILED", "A payout item fails."),
    ("PAYMENT.PAYOUTS-ITEM.HELD", "A payout item is held."),
    ("PAYMENT.PAYOUTS-ITEM.REFUNDED", "A payout item is refunded."),
    ("PAYMENT.PAYOUTS-ITEM.RETURNED", "A payout item is returned."),
    ("PAYMENT.PAYOUTS-ITEM.SUCCEEDED", "A payout item succeeds."),
    ("PAYMENT.PAYOUTS-ITEM.UNCLAIMED", "A payout item is unclaimed."),
    ("PAYMENT.AUTHORIZATION.CREATED", "A payment authorization is created."),
    ("PAYMENT.AUTHORIZATION.VOIDED", "A payment authorization is voided."),
    ("PAYMENT.CAPTURE.COMPLETED", "A payment capture completes."),
    ("PAYMENT.SALE.COMPLETED", "A sale completes."),
    ("CUSTOMER.DISPUTE.CREATED", "A dispute is created."),
];

/// Something that happened to a batch or an item, as it was then.
#[derive(Debug)]
pub struct Event {
    /// `WH-...-...`, the same again when the journal is replayed.
    pub id: String,
    /// When.
    pub at: OffsetDateTime,
    /// `PAYMENT.PAYOUTS-ITEM.SUCCEEDED` and so on.
    pub kind: &'static str,
    /// Which batch, by its place in the bank.
    pub batch: usize,
    /// Which webhooks were subscribed to it.
    pub webhooks: Vec<String>,
    about: About,
}

#[derive(Debug)]
enum About {
    /// The batch's header then.
    Batch(Value),
    /// The item then.
    Item(Box<Item>),
}

/// The event that a batch in this state gives, if any.
pub fn of_batch(status: BatchStatus) -> Option<&'static str> {
    match status {
        BatchStatus::Pending => None,
        BatchStatus::Processing => Some("PAYMENT.PAYOUTSBATCH.PROCESSING"),
        BatchStatus::Success => Some("PAYMENT.PAYOUTSBATCH.SUCCESS"),
        BatchStatus::Denied => Some("PAYMENT.PAYOUTSBATCH.DENIED"),
    }
}

/// The event that an item in this state gives, if any: the names are not those of the states, and a reversal has none.
pub fn of_item(item: &Item) -> Option<&'static str> {
    match item.state {
        ItemState::Pending | ItemState::Reversed => None,
        ItemState::Success => Some("PAYMENT.PAYOUTS-ITEM.SUCCEEDED"),
        ItemState::Failed => Some("PAYMENT.PAYOUTS-ITEM.FAILED"),
        ItemState::Unclaimed => Some("PAYMENT.PAYOUTS-ITEM.UNCLAIMED"),
        ItemState::Returned if item.cancelled => Some("PAYMENT.PAYOUTS-ITEM.CANCELED"),
        ItemState::Returned => Some("PAYMENT.PAYOUTS-ITEM.RETURNED"),
        ItemState::Onhold => Some("PAYMENT.PAYOUTS-ITEM.HELD"),
        ItemState::Blocked => Some("PAYMENT.PAYOUTS-ITEM.BLOCKED"),
        ItemState::Refunded => Some("PAYMENT.PAYOUTS-ITEM.REFUNDED"),
    }
}

impl Event {
    /// The batch came to where it stands.
    pub fn batch(at: OffsetDateTime, kind: &'static str, place: usize, batch: &Batch, webhooks: Vec<String>) -> Event {
        let mut header = view::batch_header(batch);
        header["payments"] = batch.items.len().into();
        Event { id: id(&batch.id, kind, at), at, kind, batch: place, webhooks, about: About::Batch(header) }
    }

    /// The item came to where it stands.
    pub fn item(at: OffsetDateTime, kind: &'static str, place: usize, item: &Item, webhooks: Vec<String>) -> Event {
        let about = About::Item(Box::new(item.clone()));
        Event { id: id(&item.id, kind, at), at, kind, batch: place, webhooks, about }
    }

    /// The transaction it tells of.
    pub fn transaction_id(&self) -> Option<&str> {
        match &self.about {
            About::Batch(_) => None,
            About::Item(item) => item.transaction_id.as_deref(),
        }
    }

    /// The event as it is sent, and listed.
    pub fn show(&self, batch: &Batch, base: &str) -> Value {
        let (resource_type, resource) = match &self.about {
            About::Batch(header) => {
                let address = view::batch_address(base, &batch.id);
                ("payouts", json!({"batch_header": header, "links": [link(&address, "self", "GET")]}))
            }
            About::Item(item) => ("payouts_item", view::item_alone(batch, item, base)),
        };
        let address = format!("{base}/v1/notifications/webhooks-events/{}", self.id);
        json!({
            "id": self.id,
            "event_version": "1.0",
            "create_time": view::time(self.at),
            "resource_type": resource_type,
            "event_type": self.kind,
            "summary": summary(self.kind),
            "resource": resource,
            "links": [link(&address, "self", "GET"), link(&format!("{address}/resend"), "resend", "POST")],
        })
    }
}

fn summary(kind: &str) -> String {
    match kind.rsplit_once('.') {
        Some(("PAYMENT.PAYOUTSBATCH", word)) => format!("Payouts batch: {}.", word.to_ascii_lowercase()),
        Some((_, word)) => format!("A payout item: {}.", word.to_ascii_lowercase()),
        None => String::new(),
    }
}

/// Nothing comes to the same state twice at one moment.
fn id(of: &str, kind: &str, at: OffsetDateTime) -> String {
    let seed = format!("{of}:{kind}:{}", at.unix_timestamp_nanos());
    format!("WH-{}-{}", derived(&seed, "event", 0, 17), derived(&seed, "event", 1, 17))
}
