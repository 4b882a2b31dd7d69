//! The bodies of Payouts v1: what we send, and what we read back with every field optional and every enum open.

use super::{PayPalBatchId, PayPalItemId, read_json};
use crate::money::Money;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// Items that one "create batch" may carry (`items.maxItems` of `create_payout_request`).
pub const MAX_ITEMS: usize = 15_000;
/// Longest `receiver`, in single-byte characters (`payout_item.receiver`).
pub const MAX_RECEIVER: usize = 127;
/// Longest `email_subject` (`sender_batch_header.email_subject`).
pub const MAX_SUBJECT: usize = 255;
/// Longest `email_message` (`sender_batch_header.email_message`).
pub const MAX_MESSAGE: usize = 1000;
/// Items a page of "show batch" carries at most (`page_size`).
pub const PAGE_SIZE: usize = 1000;

/// One item of a batch to be created.
#[derive(Debug, Clone)]
pub struct NewItem<'a> {
    /// Our id of it.
    pub sender_item_id: &'a str,
    /// An e-mail address.
    pub receiver: &'a str,
    /// How much.
    pub amount: Money,
}

/// The exact bytes of a "create batch" request. They are frozen and sent again as they are, never built twice.
pub fn create_body(sender_batch_id: &str, subject: &str, message: &str, items: &[NewItem<'_>]) -> Vec<u8> {
    #[derive(Serialize)]
    struct Body<'a> {
        sender_batch_header: Header<'a>,
        items: Vec<Item<'a>>,
    }
    #[derive(Serialize)]
    struct Header<'a> {
        sender_batch_id: &'a str,
        recipient_type: &'static str,
        #[serde(skip_serializing_if = "str::is_empty")]
        email_subject: &'a str,
        #[serde(skip_serializing_if = "str::is_empty")]
        email_message: &'a str,
    }
    #[derive(Serialize)]
    struct Item<'a> {
        recipient_type: &'static str,
        receiver: &'a str,
        amount: Amount,
        sender_item_id: &'a str,
        purpose: &'static str,
    }
    #[derive(Serialize)]
    struct Amount {
        currency: &'static str,
        value: String,
    }
    assert!((1..=MAX_ITEMS).contains(&items.len()), "a batch has 1 to 15,000 items");
    let body = Body {
        sender_batch_header: Header {
            sender_batch_id,
            recipient_type: "EMAIL",
            email_subject: subject,
            email_message: message,
        },
        items: items
            .iter()
            .map(|item| Item {
                recipient_type: "EMAIL",
                receiver: item.receiver,
                amount: Amount { currency: item.amount.currency().code(), value: item.amount.for_paypal() },
                sender_item_id: item.sender_item_id,
                purpose: "SERVICES",
            })
            .collect(),
    };
    serde_json::to_vec(&body).expect("strings and lists always serialise")
}

/// `batch_status`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BatchStatus {
    /// Accepted, not begun.
    Pending,
    /// Items are moving.
    Processing,
    /// Processing has finished; each item has its own outcome.
    Success,
    /// Nothing was processed.
    Denied,
    /// Cancelled by the owner of the account, in PayPal's portal.
    Canceled,
    /// A word we do not know; or none.
    Other(String),
}

impl BatchStatus {
    fn parse(word: &str) -> Self {
        match word {
            "PENDING" => Self::Pending,
            "PROCESSING" => Self::Processing,
            "SUCCESS" => Self::Success,
            "DENIED" => Self::Denied,
            "CANCELED" => Self::Canceled,
            other => Self::Other(other.to_owned()),
        }
    }

    /// PayPal's word.
    pub fn word(&self) -> &str {
        match self {
            Self::Pending => "PENDING",
            Self::Processing => "PROCESSING",
            Self::Success => "SUCCESS",
            Self::Denied => "DENIED",
            Self::Canceled => "CANCELED",
            Self::Other(word) => word,
        }
    }

    /// Whether PayPal has finished with the batch itself; its items may still change.
    pub fn is_final(&self) -> bool {
        match self {
            Self::Success | Self::Denied | Self::Canceled => true,
            Self::Pending | Self::Processing | Self::Other(_) => false,
        }
    }
}

/// `transaction_status` of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TransactionStatus {
    /// PayPal is working on it.
    Pending,
    /// The receiver has it.
    Success,
    /// Sent to an address that no account has confirmed; it returns after 30 days.
    Unclaimed,
    /// PayPal reviews it.
    OnHold,
    /// Not paid; the money did not leave.
    Failed,
    /// Not accepted in 30 days, or cancelled: the money came back.
    Returned,
    /// PayPal stopped it; when the money is back is not documented.
    Blocked,
    /// The receiver sent it back.
    Refunded,
    /// PayPal took it back.
    Reversed,
    /// A word we do not know; or none.
    Other(String),
}

impl TransactionStatus {
    /// From PayPal's word. The undocumented item status DENIED, seen in older lists, means FAILED.
    pub fn parse(word: &str) -> Self {
        match word {
            "PENDING" => Self::Pending,
            "SUCCESS" => Self::Success,
            "UNCLAIMED" => Self::Unclaimed,
            "ONHOLD" => Self::OnHold,
            "FAILED" | "DENIED" => Self::Failed,
            "RETURNED" => Self::Returned,
            "BLOCKED" => Self::Blocked,
            "REFUNDED" => Self::Refunded,
            "REVERSED" => Self::Reversed,
            other => Self::Other(other.to_owned()),
        }
    }

    /// PayPal's word.
    pub fn word(&self) -> &str {
        match self {
            Self::Pending => "PENDING",
            Self::Success => "SUCCESS",
            Self::Unclaimed => "UNCLAIMED",
            Self::OnHold => "ONHOLD",
            Self::Failed => "FAILED",
            Self::Returned => "RETURNED",
            Self::Blocked => "BLOCKED",
            Self::Refunded => "REFUNDED",
            Self::Reversed => "REVERSED",
            Self::Other(word) => word,
        }
    }
}

/// One page of "show batch".
#[derive(Debug, Clone)]
pub struct BatchPage {
    /// Which batch it is.
    pub id: PayPalBatchId,
    /// Where the batch stands.
    pub status: BatchStatus,
    /// The id we gave it, as PayPal echoes it.
    pub sender_batch_id: Option<String>,
    /// How many pages there are, where PayPal says.
    pub total_pages: Option<usize>,
    /// How many items there are, where PayPal says.
    pub total_items: Option<usize>,
    /// The items of this page.
    pub items: Vec<ItemSeen>,
}

/// One item as PayPal shows it.
#[derive(Debug, Clone)]
pub struct ItemSeen {
    /// PayPal's id; a report may leave it out.
    pub id: Option<PayPalItemId>,
    /// Ours.
    pub sender_item_id: String,
    /// Where the money goes, as PayPal echoes it.
    pub receiver: Option<String>,
    /// Where it stands.
    pub status: TransactionStatus,
    /// What PayPal echoes as the amount; shortened forms ("1.0") are usual, so it is compared as a number.
    pub amount: Option<(Decimal, String)>,
    /// PayPal's transaction; absent for items that were never processed.
    pub transaction_id: Option<String>,
    /// The fee, in its own currency.
    pub fee: Option<(Decimal, String)>,
    /// Error name and sentence.
    pub error: Option<(String, String)>,
    /// When PayPal last processed it.
    pub time_processed: Option<OffsetDateTime>,
}

/// Parses "show batch". Fails on anything that is not such an answer: then nothing was observed.
pub fn parse_batch(body: &[u8]) -> serde_json::Result<BatchPage> {
    let page: wire::Batch = read_json(body)?;
    Ok(BatchPage {
        id: page.batch_header.payout_batch_id,
        status: BatchStatus::parse(&page.batch_header.batch_status),
        sender_batch_id: page
            .batch_header
            .sender_batch_header
            .or(page.batch_header.sender_payout_header)
            .and_then(|h| h.sender_batch_id),
        total_pages: page.total_pages,
        total_items: page.total_items,
        items: page.items.into_iter().filter_map(item).collect(),
    })
}

/// Parses "show item" and the answer of "cancel".
pub fn parse_item(body: &[u8]) -> serde_json::Result<Option<ItemSeen>> {
    Ok(item(read_json(body)?))
}

fn item(item: wire::Item) -> Option<ItemSeen> {
    let amount = |wire::Amount { value, currency }: wire::Amount| Some((value.parse().ok()?, currency));
    Some(ItemSeen {
        id: Some(PayPalItemId(item.payout_item_id.filter(|id| !id.is_empty())?)),
        sender_item_id: item.payout_item.sender_item_id.unwrap_or_default(),
        receiver: item.payout_item.receiver,
        status: TransactionStatus::parse(item.transaction_status.as_deref().unwrap_or_default()),
        amount: item.payout_item.amount.and_then(amount),
        transaction_id: item.transaction_id.filter(|id| !id.is_empty()),
        fee: item.payout_item_fee.and_then(amount),
        error: item
            .errors
            .map(|wire::OneOrMany(error)| (error.name, error.message))
            .filter(|(name, _)| !name.is_empty()),
        time_processed: item
            .time_processed
            .and_then(|text| OffsetDateTime::parse(&text, &time::format_description::well_known::Rfc3339).ok()),
    })
}

/// What PayPal sends, as it sends it.
mod wire {
    use super::{Deserialize, PayPalBatchId};

    #[derive(Deserialize)]
    pub struct Batch {
        pub total_items: Option<usize>,
        pub total_pages: Option<usize>,
        pub batch_header: Header,
        #[serde(default)]
        pub items: Vec<Item>,
    }

    #[derive(Deserialize)]
    pub struct Header {
        /// An answer without it is not a batch.
        pub payout_batch_id: PayPalBatchId,
        #[serde(default)]
        pub batch_status: String,
        pub sender_batch_header: Option<SenderHeader>,
        /// Older answers call the echo so.
        pub sender_payout_header: Option<SenderHeader>,
    }

    #[derive(Deserialize)]
    pub struct SenderHeader {
        pub sender_batch_id: Option<String>,
    }

    #[derive(Deserialize)]
    pub struct Item {
        pub payout_item_id: Option<String>,
        pub transaction_id: Option<String>,
        pub transaction_status: Option<String>,
        pub payout_item_fee: Option<Amount>,
        #[serde(default)]
        pub payout_item: Echo,
        pub time_processed: Option<String>,
        pub errors: Option<OneOrMany>,
    }

    #[derive(Deserialize, Default)]
    pub struct Echo {
        pub sender_item_id: Option<String>,
        pub receiver: Option<String>,
        pub amount: Option<Amount>,
    }

    #[derive(Deserialize)]
    pub struct Amount {
        pub currency: String,
        pub value: String,
    }

    #[derive(Deserialize, Default)]
    #[serde(default)]
    pub struct Error {
        pub name: String,
        pub message: String,
    }

    /// `errors` holds one object in spite of its name; a list is read by its first.
    pub struct OneOrMany(pub Error);

    impl<'de> Deserialize<'de> for OneOrMany {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let value = serde_json::Value::deserialize(deserializer)?;
            let one = match value {
                serde_json::Value::Array(list) => list.into_iter().next().unwrap_or_default(),
                one => one,
            };
            Ok(Self(serde_json::from_value(one).unwrap_or_default()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::money::Currency;

    #[test]
    fn the_body_is_what_paypals_schema_asks_for() {
        let item = |id, amount: &str, receiver| NewItem {
            sender_item_id: id,
            receiver,
            amount: Money::new(amount.parse().unwrap(), Currency::USD).unwrap(),
        };
        let body = create_body("BATCH", "You have a payout", "", &[item("A", "12.3", "a@example.com")]);
        insta::assert_snapshot!(String::from_utf8(body).unwrap(), @r#"{"sender_batch_header":{"sender_batch_id":"BATCH","recipient_type":"EMAIL","email_subject":"You have a payout"},"items":[{"recipient_type":"EMAIL","receiver":"a@example.com","amount":{"currency":"USD","value":"12.30"},"sender_item_id":"A","purpose":"SERVICES"}]}"#);
    }

    #[test]
    fn an_answer_is_read_with_every_field_optional() {
        let page = parse_batch(
            br#"{"batch_header":{"payout_batch_id":"B","batch_status":"NEW","sender_payout_header":{"sender_batch_id":"MINE"}},
            "items":[{"payout_item_id":"I1"},{"payout_item_id":""},
            {"payout_item_id":"I2","transaction_status":"UNCLAIMED","payout_item_fee":{"currency":"USD","value":"0.25"},
             "payout_item":{"amount":{"currency":"USD","value":"1.0"},"receiver":"a@example.com","sender_item_id":"S2"},
             "errors":{"name":"RECEIVER_UNREGISTERED","message":"Receiver is unregistered"},"time_processed":"2026-06-06T03:44:51Z"},
            {"payout_item_id":"I3","transaction_status":"WHATEVER","errors":[{"name":"X"}]}]}"#,
        )
        .unwrap();
        assert_eq!(page.status, BatchStatus::Other("NEW".into()));
        assert_eq!(page.sender_batch_id.as_deref(), Some("MINE"));
        assert_eq!(page.items.len(), 3);
        assert_eq!(page.items[0].status, TransactionStatus::Other(String::new()));
        assert_eq!(page.items[1].status, TransactionStatus::Unclaimed);
        assert_eq!(page.items[1].amount, Some((Decimal::ONE, "USD".into())));
        assert_eq!(page.items[1].error.as_ref().unwrap().0, "RECEIVER_UNREGISTERED");
        assert_eq!(page.items[2].status, TransactionStatus::Other("WHATEVER".into()));
        assert!(parse_batch(b"<html>").is_err());
        assert!(parse_batch(b"{}").is_err());
    }
}
