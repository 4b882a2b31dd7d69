//! Playing PayPal: what the receivers, PayPal's reviewers and the merchant's own balance do. The doors and the buttons of
//! the page do the same, and everything obeys PayPal's state machine.

use super::batch::{BatchStatus, ItemState};
use super::call::Call;
use super::currency;
use super::dropzone::door;
use super::journal::Entry;
use super::reply::Reply;
use super::state::State;
use hyper::StatusCode;
use hyper::header::LOCATION;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::HashMap;
use time::Duration;

/// The clock may run ahead by this much, so that no sum of times overflows.
const FURTHEST: Duration = Duration::days(365 * 100);

/// What somebody does about one payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Word {
    /// The receiver takes the money.
    Claim,
    /// The receiver does not want it.
    Refuse,
    /// The receiver sends it back.
    Refund,
    /// PayPal takes it back.
    Reverse,
    /// PayPal lets it through.
    Release,
    /// It comes back unclaimed.
    Return,
    /// PayPal holds it.
    Hold,
    /// PayPal stops it.
    Block,
    /// PayPal cannot pay it.
    Fail,
}

impl Word {
    /// Where the payment is then.
    pub fn state(self) -> ItemState {
        match self {
            Self::Claim | Self::Release => ItemState::Success,
            Self::Refuse | Self::Return => ItemState::Returned,
            Self::Refund => ItemState::Refunded,
            Self::Reverse => ItemState::Reversed,
            Self::Hold => ItemState::Onhold,
            Self::Block => ItemState::Blocked,
            Self::Fail => ItemState::Failed,
        }
    }

    /// What can be done about a payment that stands there.
    pub fn offered(state: ItemState) -> &'static [Word] {
        match state {
            ItemState::Success => &[Word::Refund, Word::Reverse],
            ItemState::Unclaimed => &[Word::Claim, Word::Return, Word::Hold, Word::Block],
            ItemState::Onhold | ItemState::Pending => &[Word::Release, Word::Return, Word::Block, Word::Fail],
            ItemState::Failed
            | ItemState::Returned
            | ItemState::Blocked
            | ItemState::Refunded
            | ItemState::Reversed => &[],
        }
    }
}

fn kept(result: anyhow::Result<()>) -> Result<(), String> {
    result.map_err(|error| format!("{error:#}"))
}

/// Moves an item of a finished batch where PayPal could.
pub fn move_item(state: &State, id: &str, to: ItemState) -> Result<(), String> {
    let (mut inner, now) = state.lock();
    let (of, place) = inner.bank.item(id).ok_or("the bank has no such item")?;
    let from = of.items[place].state;
    if !of.is_finished() {
        return Err("its batch is still being processed".to_owned());
    }
    if !from.can_become(to) {
        return Err(format!("PayPal never moves an item from {} to {}", json!(from), json!(to)));
    }
    kept(inner.record(Entry::Move { at: now, payout_item_id: id.to_owned(), to }))
}

/// Processes a pending batch at once, or denies it for a reason.
pub fn process(state: &State, id: &str, denied: Option<String>) -> Result<(), String> {
    let (mut inner, now) = state.lock();
    let batch = inner.bank.batch(id).ok_or("the bank has no such batch")?;
    if batch.status != BatchStatus::Pending {
        return Err("only a pending batch can be processed or denied".to_owned());
    }
    kept(inner.record(Entry::Process { at: now, payout_batch_id: id.to_owned(), denied }))
}

/// Sets what an account has in one currency.
pub fn set_balance(state: &State, client_id: &str, code: &str, value: &str) -> Result<(), String> {
    let scale = currency::scale(code).ok_or("PayPal does not pay out this currency")?;
    let value: Decimal = value.trim().parse().map_err(|_| "a balance is a number such as 12.50".to_owned())?;
    if value.normalize().scale() > scale || value.is_sign_negative() {
        return Err(format!("a balance in {code} has at most {scale} decimals and no sign"));
    }
    let (mut inner, now) = state.lock();
    if !inner.accounts.iter().any(|account| account.client_id == client_id) {
        return Err("no account has this client_id".to_owned());
    }
    let (client_id, currency) = (client_id.to_owned(), code.to_owned());
    kept(inner.record(Entry::Balance { at: now, client_id, currency, value }))
}

/// Sets the clock's whole offset, or adds to it.
pub fn set_clock(state: &State, by: impl FnOnce(Duration) -> Result<Duration, String>) -> Result<(), String> {
    let (mut inner, _) = state.lock();
    let before = state.clock.offset();
    let after = by(before)?;
    // Whole seconds are what a caller can say; the part of a second that is ahead of them stays.
    let after = if after.whole_seconds() == before.whole_seconds() { before } else { after };
    if after < before {
        let seconds = before.whole_seconds();
        return Err(format!("the clock never runs backwards; its offset is {seconds} seconds"));
    }
    if after > FURTHEST {
        return Err("the clock runs ahead by at most a hundred years".to_owned());
    }
    kept(inner.record(Entry::Clock { offset_seconds: after.whole_seconds() }))?;
    state.clock.set_offset(after);
    Ok(())
}

/// Does what a button of the page asks for, and shows the page again.
pub fn answer(state: &State, call: &Call) -> Reply {
    // A page of somebody else must not press these buttons.
    let stranger = call.header("origin").is_some_and(|origin| origin != call.base);
    if stranger || call.method != hyper::Method::POST {
        return Reply::html(StatusCode::FORBIDDEN, "Use the buttons of the simulator's page.".to_owned());
    }
    let form: HashMap<String, String> = form_urlencoded::parse(&call.body).into_owned().collect();
    let said = press(state, &form).unwrap_or_else(|why| format!("Not done: {why}."));
    let field = |name: &str| form.get(name).map_or("", String::as_str);
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("q", field("q"))
        .append_pair("page", field("page"))
        .append_pair("said", &said)
        .finish();
    Reply::html(StatusCode::SEE_OTHER, String::new()).header(LOCATION, &format!("/?{query}"))
}

fn press(state: &State, form: &HashMap<String, String>) -> Result<String, String> {
    let field = |name: &str| form.get(name).map_or("", String::as_str);
    let id = field("id");
    let done = match field("do") {
        "deny" => {
            process(state, id, Some("REFUSED_ACTION_DENIED".to_owned()))?;
            format!("Batch {id} is denied.")
        }
        "process" => {
            process(state, id, None)?;
            format!("Batch {id} is processed.")
        }
        "clock" => {
            let seconds = field("seconds").parse().map_err(|_| "seconds is a whole number".to_owned())?;
            set_clock(state, |offset| Ok(offset.saturating_add(Duration::seconds(seconds))))?;
            "The clock was moved.".to_owned()
        }
        "balance" => {
            set_balance(state, field("client_id"), field("currency"), field("value"))?;
            format!("The balance in {} was set.", field("currency"))
        }
        "key" => {
            door::add_key(state, field("user").trim(), Some(field("client_id")), field("public_key"))?;
            format!("{} may connect with this key.", field("user").trim())
        }
        "lose" => {
            state.lock().0.faults.add(br#"[{"call": "create", "what": "cut_after"}]"#)?;
            "The answer to the next batch will be lost; the batch will not.".to_owned()
        }
        "calm" => {
            state.lock().0.faults.clear();
            "Nothing goes wrong any more.".to_owned()
        }
        "webhooks" => {
            let off = field("off") == "1";
            state.lock().0.outbox.off = off;
            if off { "Webhooks are off." } else { "Webhooks are on again." }.to_owned()
        }
        word => {
            let word: Word = serde_json::from_value(word.into()).map_err(|_| "no such button".to_owned())?;
            move_item(state, id, word.state())?;
            let name = json!(word.state());
            format!("Payment {id} is {} now.", name.as_str().unwrap_or_default())
        }
    };
    Ok(done)
}
