//! The sandbox's test values: written into a note or a path, they ask for one certain answer. Nothing is kept of them.
//!
//! Values: PayPal's page "Payouts API - test values". Statuses and batch states are those seen in the sandbox where
//! anyone saw them, and the envelope's usual ones elsewhere.

use super::Later;
use super::batch::{Batch, BatchStatus, ItemState};
use super::errors::Problem;
use super::request::{Create, Header, Payment};
use hyper::StatusCode;
use rust_decimal::Decimal;
use serde_json::json;
use time::OffsetDateTime;
use time::macros::datetime;

/// The refusal that a create call asks for by its first note, or by its batch id.
pub fn refusal(create: &Create) -> Option<Problem> {
    let note = create.items[0].note.as_deref().unwrap_or_default();
    let id = create.header.sender_batch_id.as_deref().unwrap_or_default();
    if id == "ERRPYO013" {
        let issue = "Note is required for Venmo recipients";
        return Some(Problem::validation(vec![json!({"field": "items[0].note", "location": "body", "issue": issue})]));
    }
    let (status, name, message) = match note {
        "ERRPYO001" => (403, "SENDER_RESTRICTED", "Authorization error occurred"),
        "ERRPYO002" => (403, "SENDER_EMAIL_UNCONFIRMED", "Authorization error occurred"),
        "ERRPYO003" => (403, "AUTHORIZATION_ERROR", "Authorization error occurred"),
        "ERRPYO005" => {
            (422, "INSUFFICIENT_FUNDS", "Sender does not have sufficient funds. Please add funds and retry.")
        }
        "ERRPYO006" => (500, "INTERNAL_ERROR", "An internal service error occurred"),
        "ERRPYO010" => {
            let issue = "Receiver is invalid or does not match with type";
            let detail = json!({"field": "items[0].receiver", "location": "body", "issue": issue});
            return Some(Problem::validation(vec![detail]));
        }
        "ERRPYO011" => (403, "REQUIRED_SCOPE_MISSING", "The access token does not have the required scope"),
        "ERRPYO012" => (403, "SENDER_LOCKED", "Authorization error occurred"),
        "ERRPYO014" => (400, "USER_BUSINESS_ERROR", "User business error."),
        "ERRPYO035" => (429, "RATE_LIMIT_REACHED", "Too many requests. Blocked due to rate limiting."),
        "ERRPYO036" => (504, "REQUEST_TIMEOUT_EXCEEDED", "The request took too long"),
        "ERRPYO037" => (403, "SYNC_MODE_NOT_APPLICABLE", "Synchronous mode is not available"),
        "ERRPYO038" => (400, "NON_HOLDING_CURRENCY", "The sender does not hold this currency"),
        "ERRPYO039" => (409, "PREVIOUS_REQUEST_IN_PROGRESS", "A previous request is still being processed"),
        "ERRPYO040" => (403, "CIP_NOT_VERIFIED", "The sender's identity is not verified"),
        _ => return None,
    };
    Some(Problem::new(StatusCode::from_u16(status).expect("a status of the table above"), name, message))
}

/// The refusal that a cancel call asks for by its path.
pub fn cancel_refusal(id: &str) -> Option<Problem> {
    let (name, message) = match id {
        "ERRPOI001" => return Some(Problem::unknown_resource()),
        "ERRPYO004" => ("BATCH_NOT_COMPLETED", "The batch is still being processed"),
        "ERRPYO007" => ("ITEM_ALREADY_CANCELLED", "The item is already cancelled"),
        "ERRPYO008" => ("ITEM_CANCELLATION_FAILED", "The item could not be cancelled"),
        "ERRPYO009" => ("ITEM_INCORRECT_STATUS", "Only unclaimed items can be cancelled"),
        _ => return None,
    };
    Some(Problem::new(StatusCode::BAD_REQUEST, name, message))
}

/// The item that a cancel call asks for by its path.
pub fn cancelled(id: &str) -> Option<Batch> {
    (id == "POSPOI002").then(|| sample(BatchStatus::Success, ItemState::Returned, Some("RECEIVER_UNREGISTERED")))
}

/// The batch that a show call asks for by its path.
pub fn batch(id: &str) -> Option<Result<Batch, Problem>> {
    let name = match id {
        "POSPYO002" | "ERRPYOB001" => return Some(Ok(sample(BatchStatus::Success, ItemState::Success, None))),
        "ERRPYOB002" => return Some(Ok(sample(BatchStatus::Pending, ItemState::Pending, None))),
        "ERRPYOB003" => return Some(Ok(sample(BatchStatus::Processing, ItemState::Pending, None))),
        "ERRPYOB004" => "REFUSED_ACTION_DENIED",
        _ if id.starts_with("ERRPYOB") => *ACCOUNT_ERRORS.get(number(id, "ERRPYOB")?.checked_sub(5)?)?,
        "ERRPYO060" => "RECEIVER_ACCOUNT_LIMITATION",
        _ => item_error(number(id, "ERRPYO")?.checked_sub(15)?)?,
    };
    Some(canned(name))
}

/// The item that a show call asks for by its path, as the only one of a batch.
pub fn item(id: &str) -> Option<Result<Batch, Problem>> {
    let name = match id {
        "POSPOI001" => return Some(Ok(sample(BatchStatus::Success, ItemState::Success, None))),
        _ if id.starts_with("ERRPYOB") => *ACCOUNT_ERRORS.get(number(id, "ERRPYOB")?.checked_sub(16)?)?,
        "ERRPYO061" => "RECEIVER_ACCOUNT_LIMITATION",
        // The list of items is that of batches without DUPLICATE_ITEM.
        _ => match number(id, "ERRPYO")?.checked_sub(41)? {
            index @ 0..=2 => item_error(index)?,
            index => item_error(index + 1)?,
        },
    };
    Some(canned(name))
}

/// `ERRPYOB005` to `015` for batches, `016` to `026` for items.
const ACCOUNT_ERRORS: [&str; 11] = [
    "ACCOUNT_RESTRICTED",
    "ACCOUNT_UNCONFIRMED_EMAIL",
    "APPROVER_DENIED",
    "GAMER_FAILED_COUNTRY_OF_RESIDENCE_CHECK",
    "GAMER_FAILED_FUNDING_SOURCE_CHECK",
    "GAMING_INVALID_PAYMENT_FLOW",
    "NON_HOLDING_CURRENCY",
    "PENDING_RECIPIENT_NON_HOLDING_CURRENCY_PAYMENT_PREFERENCE",
    "SENDER_STATE_RESTRICTED",
    "SPENDING_LIMIT_EXCEEDED",
    "TRANSACTION_DECLINED_BY_TRAVEL_RULE",
];

/// `ERRPYO015` to `034`.
fn item_error(index: usize) -> Option<&'static str> {
    const NAMES: [&str; 20] = [
        "CLOSED_MARKET",
        "CURRENCY_COMPLIANCE",
        "CURRENCY_NOT_SUPPORTED_FOR_RECEIVER",
        "DUPLICATE_ITEM",
        "RECEIVER_ACCOUNT_LOCKED",
        "RECEIVER_COUNTRY_NOT_ALLOWED",
        "RECEIVER_UNCONFIRMED",
        "RECEIVER_UNREGISTERED",
        "RECEIVER_YOUTH_ACCOUNT",
        "RECEIVING_LIMIT_EXCEEDED",
        "REGULATORY_BLOCKED",
        "REGULATORY_PENDING",
        "RISK_DECLINE",
        "SELF_PAY_NOT_ALLOWED",
        "TRANSACTION_LIMIT_EXCEEDED",
        "UNDEFINED",
        "ZERO_AMOUNT",
        "INVALID_RESOURCE_ID",
        "INTERNAL_ERROR",
        "INVALID_EMAIL",
    ];
    NAMES.get(index).copied()
}

fn number(id: &str, prefix: &str) -> Option<usize> {
    let digits = id.strip_prefix(prefix)?;
    if digits.len() == 3 { digits.parse().ok() } else { None }
}

fn canned(name: &str) -> Result<Batch, Problem> {
    let (status, state) = match name {
        "INVALID_RESOURCE_ID" => return Err(Problem::unknown_resource()),
        "RECEIVER_UNCONFIRMED" | "RECEIVER_UNREGISTERED" => (BatchStatus::Success, ItemState::Unclaimed),
        "RECEIVER_ACCOUNT_LIMITATION" => (BatchStatus::Success, ItemState::Onhold),
        "REGULATORY_BLOCKED" => (BatchStatus::Success, ItemState::Blocked),
        "REGULATORY_PENDING" | "PENDING_RECIPIENT_NON_HOLDING_CURRENCY_PAYMENT_PREFERENCE" => {
            (BatchStatus::Success, ItemState::Pending)
        }
        _ => (BatchStatus::Denied, ItemState::Failed),
    };
    Ok(sample(status, state, Some(name)))
}

fn sample(status: BatchStatus, state: ItemState, error: Option<&str>) -> Batch {
    const THEN: OffsetDateTime = datetime!(2017-08-21 11:22:33 UTC);
    let header = Header {
        sender_batch_id: Some("test-value".to_owned()),
        recipient_type: None,
        email_subject: Some("Test value".to_owned()),
        email_message: None,
    };
    let payment = Payment {
        recipient_type: "EMAIL".to_owned(),
        receiver: "receiver@example.com".to_owned(),
        value: Decimal::ONE,
        note: None,
        sender_item_id: Some("test-item".to_owned()),
        recipient_wallet: None,
        purpose: None,
    };
    let create = Create { header, currency: "USD".to_owned(), items: vec![payment] };
    let mut batch = Batch::new("DQCP2UAJCBMNY".to_owned(), String::new(), create, THEN, Later::default());
    batch.status = status;
    batch.completed = batch.is_finished().then_some(THEN);
    let transaction_id = batch.transaction_id(0);
    let item = &mut batch.items[0];
    item.state = state;
    item.error = error.map(str::to_owned);
    item.transaction_id = (state.costs_fee() && state != ItemState::Pending).then_some(transaction_id);
    item.processed = Some(THEN);
    batch
}
