//! Batches and items as PayPal shows them.

use super::batch::{Batch, BatchStatus, Item, ItemState};
use super::currency::shortened;
use super::errors::item_error;
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A time in PayPal's form: whole seconds, UTC.
pub fn time(at: OffsetDateTime) -> String {
    at.replace_nanosecond(0).unwrap_or(at).format(&Rfc3339).expect("a time of this era can be written")
}

/// An error and what caused it.
pub fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// One link, with the field that PayPal adds to what its schema says.
pub fn link(href: &str, rel: &str, method: &str) -> Value {
    json!({"href": href, "rel": rel, "method": method, "encType": "application/json"})
}

/// The address of a batch.
pub fn batch_address(base: &str, id: &str) -> String {
    format!("{base}/v1/payments/payouts/{id}")
}

/// The answer to a create call. A new batch is always pending, and its items are not shown.
pub fn created(batch: &Batch, base: &str) -> Value {
    json!({
        "batch_header": {
            "payout_batch_id": batch.id,
            "batch_status": BatchStatus::Pending,
            "time_created": time(batch.created),
            "sender_batch_header": sender_batch_header(batch),
        },
        "links": [link(&batch_address(base, &batch.id), "self", "GET")],
    })
}

/// The header of a batch with its progress.
pub fn batch_header(batch: &Batch) -> Value {
    let mut header = json!({
        "payout_batch_id": batch.id,
        "batch_status": batch.status,
        "time_created": time(batch.created),
        "sender_batch_header": sender_batch_header(batch),
        "funding_source": "BALANCE",
        "amount": money(batch.amount, batch),
        "fees": money(batch.fees, batch),
    });
    if let Some(completed) = batch.completed {
        header["time_completed"] = time(completed).into();
    }
    if let Some(closed) = batch.closed {
        header["time_closed"] = time(closed).into();
    }
    header
}

fn sender_batch_header(batch: &Batch) -> Value {
    let header = &batch.header;
    let mut shown = Map::new();
    put(&mut shown, "sender_batch_id", header.sender_batch_id.as_ref());
    put(&mut shown, "recipient_type", header.recipient_type.as_ref().filter(|kind| is_shown(kind)));
    put(&mut shown, "email_subject", header.email_subject.as_ref());
    put(&mut shown, "email_message", header.email_message.as_ref());
    Value::Object(shown)
}

/// One item, as the batch lists it.
pub fn item(batch: &Batch, item: &Item, base: &str) -> Value {
    let mut shown = Map::new();
    shown.insert("payout_item_id".into(), item.id.clone().into());
    put(&mut shown, "transaction_id", item.transaction_id.as_ref());
    put(&mut shown, "activity_id", item.transaction_id.as_ref());
    shown.insert("transaction_status".into(), json!(item.state));
    shown.insert("payout_item_fee".into(), money(item.fee, batch));
    shown.insert("payout_batch_id".into(), batch.id.clone().into());
    shown.insert("payout_item".into(), payment(batch, item));
    if let Some(processed) = item.processed {
        shown.insert("time_processed".into(), time(processed).into());
    }
    if let Some(error) = &item.error {
        shown.insert("errors".into(), item_error(error));
    }
    let address = format!("{base}/v1/payments/payouts-item/{}", item.id);
    shown.insert("links".into(), json!([link(&address, "item", "GET")]));
    Value::Object(shown)
}

/// One item, as it is shown alone.
pub fn item_alone(batch: &Batch, one: &Item, base: &str) -> Value {
    let mut shown = item(batch, one, base);
    if let Some(id) = &batch.header.sender_batch_id {
        shown["sender_batch_id"] = id.clone().into();
    }
    let address = format!("{base}/v1/payments/payouts-item/{}", one.id);
    shown["links"] = json!([link(&address, "self", "GET"), link(&batch_address(base, &batch.id), "batch", "GET")]);
    shown
}

fn payment(batch: &Batch, item: &Item) -> Value {
    let payment = &item.payment;
    let mut shown = Map::new();
    if is_shown(&payment.recipient_type) {
        shown.insert("recipient_type".into(), payment.recipient_type.clone().into());
    }
    shown.insert("amount".into(), money(payment.value, batch));
    put(&mut shown, "note", payment.note.as_ref());
    shown.insert("receiver".into(), payment.receiver.clone().into());
    put(&mut shown, "sender_item_id", payment.sender_item_id.as_ref());
    shown.insert("recipient_wallet".into(), payment.recipient_wallet.clone().unwrap_or("PAYPAL".into()).into());
    put(&mut shown, "purpose", payment.purpose.as_ref());
    if item.state == ItemState::Success {
        let name = payment.receiver.split('@').next().unwrap_or_default();
        shown.insert("recipient_name".into(), json!({"full_name": name}));
    }
    Value::Object(shown)
}

/// The schema of answers knows no user handles, so they are left out there.
fn is_shown(recipient_type: &str) -> bool {
    ["EMAIL", "PHONE", "PAYPAL_ID"].contains(&recipient_type)
}

fn money(amount: Decimal, batch: &Batch) -> Value {
    json!({"currency": batch.currency, "value": shortened(amount, &batch.currency)})
}

fn put(object: &mut Map<String, Value>, key: &str, text: Option<&String>) {
    if let Some(text) = text {
        object.insert(key.to_owned(), text.clone().into());
    }
}
