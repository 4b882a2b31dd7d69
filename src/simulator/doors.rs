//! The simulator's own doors: for checks from outside, and for whoever wants to say what goes wrong next.

use super::batch::{Batch, ItemState};
use super::call::Call;
use super::currency::exact;
use super::hook::signing;
use super::reply::Reply;
use super::state::State;
use super::{dropzone, help, play, view};
use hyper::{Method, StatusCode};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use time::Duration;
use time::format_description::well_known::Rfc3339;

/// Answers a call at one of the doors.
pub fn answer(state: &State, call: &Call, door: &str) -> Reply {
    let result = match (&call.method, door) {
        (&Method::GET, "bank") => Ok(bank(state, call.parameter("summary").as_deref() == Some("1"))),
        (&Method::GET, "dropzone") => dropzone::door::show(state),
        (&Method::POST, "dropzone") => dropzone::door::change(state, &call.body),
        (&Method::POST, "accounts") => set_account(state, &call.body),
        (&Method::GET, "calls") => Ok(state.lock().0.calls.show()),
        (&Method::GET, "clock") => Ok(clock(state)),
        (&Method::POST, "clock") => set_clock(state, &call.body),
        (&Method::GET, "ca.pem") => return Reply::pem(signing::root().to_owned()),
        (&Method::GET, "deliveries") => deliveries(state, call),
        (&Method::POST, "deliveries") => switch_webhooks(state, &call.body),
        (&Method::GET, "faults") => Ok(state.lock().0.faults.show()),
        (&Method::POST, "faults") => add_faults(state, &call.body),
        (&Method::DELETE, "faults") => {
            let (mut inner, _) = state.lock();
            inner.faults.clear();
            Ok(inner.faults.show())
        }
        (&Method::POST, "balances") => set_balance(state, &call.body),
        (&Method::POST, door) if door.starts_with("batches/") => process(state, &door["batches/".len()..], &call.body),
        (&Method::POST, door) if door.starts_with("items/") => move_item(state, &door["items/".len()..], &call.body),
        (_, "accounts" | "balances" | "bank" | "ca.pem" | "calls" | "clock" | "deliveries" | "dropzone" | "faults") => {
            return refusal(StatusCode::METHOD_NOT_ALLOWED, &format!("no {} here", call.method));
        }
        _ => {
            let doors = "accounts, balances, bank, batches/{payout_batch_id}, ca.pem, calls, clock, deliveries, dropzone, faults, items/{payout_item_id}";
            return refusal(StatusCode::NOT_FOUND, &format!("the doors are /_simulator/ followed by {doors}"));
        }
    };
    match result {
        Ok(body) => Reply::json(StatusCode::OK, &body),
        Err(why) => refusal(StatusCode::BAD_REQUEST, &why),
    }
}

fn refusal(status: StatusCode, why: &str) -> Reply {
    Reply::json(status, &json!({"error": why}))
}

/// Everything, or without the items.
fn bank(state: &State, summary: bool) -> Value {
    let (inner, now) = state.lock();
    let accounts: Vec<Value> = inner
        .bank
        .balances()
        .iter()
        .map(|(client_id, balances)| {
            let shown: Map<String, Value> =
                balances.iter().map(|(code, sum)| ((*code).to_owned(), exact(*sum, code).into())).collect();
            json!({"client_id": client_id, "balances": shown})
        })
        .collect();
    let batches: Vec<Value> = inner.bank.batches().iter().map(if summary { summed } else { batch }).collect();
    json!({"now": now.format(&Rfc3339).unwrap_or_default(), "accounts": accounts, "batches": batches})
}

/// A batch with how many items stand where, and what they come to.
fn summed(batch: &Batch) -> Value {
    let mut states: BTreeMap<&str, [Decimal; 4]> = BTreeMap::new();
    for item in &batch.items {
        let moved = if item.moved { item.payment.value } else { Decimal::ZERO };
        let sums = states.entry(item.state.word()).or_default();
        for (sum, more) in sums.iter_mut().zip([Decimal::ONE, item.payment.value, moved, item.fee]) {
            *sum += more;
        }
    }
    let text = |sum: Decimal| exact(sum, &batch.currency);
    let states: Map<String, Value> = states
        .into_iter()
        .map(|(state, [count, amount, moved, fee])| {
            let count = count.to_u64().unwrap_or_default();
            let sums = json!({"count": count, "amount": text(amount), "money_moved": text(moved), "fee": text(fee)});
            (state.to_owned(), sums)
        })
        .collect();
    let mut shown = header(batch);
    shown["states"] = states.into();
    shown
}

fn batch(batch: &Batch) -> Value {
    let items: Vec<Value> = batch
        .items
        .iter()
        .map(|item| {
            json!({
                "payout_item_id": item.id,
                "sender_item_id": item.payment.sender_item_id,
                "receiver": item.payment.receiver,
                "amount": exact(item.payment.value, &batch.currency),
                "currency": batch.currency,
                "state": item.state,
                "error": item.error,
                "money_moved": exact(if item.moved { item.payment.value } else { Decimal::ZERO }, &batch.currency),
                "payments": u8::from(item.moved),
                "transaction_id": item.transaction_id,
                "fee": exact(item.fee, &batch.currency),
            })
        })
        .collect();
    let mut shown = header(batch);
    shown["items"] = items.into();
    shown
}

fn header(batch: &Batch) -> Value {
    json!({
        "payout_batch_id": batch.id,
        "client_id": batch.client_id,
        "sender_batch_id": batch.header.sender_batch_id,
        "file_name": batch.file.as_ref().map(|file| &file.name),
        "batch_status": batch.status,
        "currency": batch.currency,
        "amount": exact(batch.amount, &batch.currency),
        "count": batch.items.len(),
        "time_created": view::time(batch.created),
    })
}

fn clock(state: &State) -> Value {
    let (_bank, now) = state.lock();
    json!({
        "now": now.format(&Rfc3339).unwrap_or_default(),
        "offset_seconds": state.clock.offset().whole_seconds(),
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetClock {
    offset_seconds: Option<i64>,
    advance_seconds: Option<i64>,
}

fn set_clock(state: &State, body: &[u8]) -> Result<Value, String> {
    let forms = r#"send {"offset_seconds": N} for the whole offset or {"advance_seconds": N} to add to it"#;
    let wanted: SetClock = serde_json::from_slice(body).map_err(|error| format!("{error}; {forms}"))?;
    play::set_clock(state, |before| match (wanted.offset_seconds, wanted.advance_seconds) {
        (Some(seconds), None) => Ok(Duration::seconds(seconds)),
        (None, Some(seconds)) => Ok(before.saturating_add(Duration::seconds(seconds))),
        _ => Err(forms.to_owned()),
    })?;
    Ok(clock(state))
}

/// How deliveries stand, and the last of them.
fn deliveries(state: &State, call: &Call) -> Result<Value, String> {
    let last = call.parameter("last").map_or(Ok(500), |text| text.parse());
    let last = last.map_err(|_| "last is a whole number".to_owned())?;
    let (inner, _) = state.lock();
    Ok(inner.outbox.show(inner.bank.hooks(), last))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SwitchWebhooks {
    off: bool,
}

fn switch_webhooks(state: &State, body: &[u8]) -> Result<Value, String> {
    let wanted: SwitchWebhooks =
        serde_json::from_slice(body).map_err(|error| format!(r#"{error}; send {{"off": true}} or false"#))?;
    let (mut inner, _) = state.lock();
    inner.outbox.off = wanted.off;
    Ok(inner.outbox.show(inner.bank.hooks(), 0))
}

fn add_faults(state: &State, body: &[u8]) -> Result<Value, String> {
    let (mut inner, _) = state.lock();
    inner.faults.add(body).map_err(|why| format!("{why}\n\n{}", help::FAULTS))?;
    Ok(inner.faults.show())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetAccount {
    client_id: String,
    secret: Option<String>,
    payouts: Option<bool>,
    approved: Option<bool>,
    webhooks: Option<bool>,
    balances: Option<bool>,
}

/// Changes what PayPal lets an app do, as its merchant or PayPal would. Tokens given out keep their scope.
fn set_account(state: &State, body: &[u8]) -> Result<Value, String> {
    let forms = r#"send {"client_id": "...", "secret": "...", "payouts": true, "approved": true, "webhooks": true, "balances": true}; all but client_id may be left out"#;
    let wanted: SetAccount = serde_json::from_slice(body).map_err(|error| format!("{error}; {forms}"))?;
    let (mut inner, _) = state.lock();
    let mut accounts = inner.accounts.iter_mut();
    let account =
        accounts.find(|account| account.client_id == wanted.client_id).ok_or("no account has this client_id")?;
    account.payouts = wanted.payouts.unwrap_or(account.payouts);
    account.approved = wanted.approved.unwrap_or(account.approved);
    account.webhooks = wanted.webhooks.unwrap_or(account.webhooks);
    account.balances = wanted.balances.unwrap_or(account.balances);
    if let Some(secret) = wanted.secret {
        account.secret = secret;
    }
    Ok(json!({"client_id": account.client_id, "payouts": account.payouts, "approved": account.approved,
        "webhooks": account.webhooks, "balances": account.balances}))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MoveItem {
    to: Option<ItemState>,
    #[serde(rename = "do")]
    word: Option<play::Word>,
}

fn move_item(state: &State, id: &str, body: &[u8]) -> Result<Value, String> {
    let forms = r#"send {"to": "RETURNED"} or another state, or {"do": "refund"} or another word"#;
    let wanted: MoveItem = serde_json::from_slice(body).map_err(|error| format!("{error}; {forms}"))?;
    let to = match (wanted.to, wanted.word) {
        (Some(to), None) => to,
        (None, Some(word)) => word.state(),
        _ => return Err(forms.to_owned()),
    };
    play::move_item(state, id, to)?;
    let (inner, _) = state.lock();
    let (of, place) = inner.bank.item(id).ok_or("the bank has no such item")?;
    Ok(batch(of)["items"][place].clone())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Process {
    to: String,
    error: Option<String>,
}

fn process(state: &State, id: &str, body: &[u8]) -> Result<Value, String> {
    let forms = r#"send {"to": "SUCCESS"}, or {"to": "DENIED", "error": "INSUFFICIENT_FUNDS"}"#;
    let wanted: Process = serde_json::from_slice(body).map_err(|error| format!("{error}; {forms}"))?;
    let denied = match (wanted.to.as_str(), wanted.error) {
        ("SUCCESS", None) => None,
        ("DENIED", error) => Some(error.unwrap_or_else(|| "REFUSED_ACTION_DENIED".to_owned())),
        _ => return Err(forms.to_owned()),
    };
    play::process(state, id, denied)?;
    let (inner, _) = state.lock();
    Ok(inner.bank.batch(id).map(batch).unwrap_or_default())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetBalance {
    client_id: String,
    currency: String,
    value: String,
}

fn set_balance(state: &State, body: &[u8]) -> Result<Value, String> {
    let forms = r#"send {"client_id": "...", "currency": "USD", "value": "12.50"}"#;
    let wanted: SetBalance = serde_json::from_slice(body).map_err(|error| format!("{error}; {forms}"))?;
    play::set_balance(state, &wanted.client_id, &wanted.currency, &wanted.value)?;
    let (inner, _) = state.lock();
    let balance = inner.bank.balances()[&wanted.client_id][wanted.currency.as_str()];
    Ok(json!({"client_id": wanted.client_id, "currency": wanted.currency, "value": exact(balance, &wanted.currency)}))
}
