//! A page on which a person plays PayPal.

use super::batch::{Batch, BatchStatus, Item, ItemState};
use super::call::Call;
use super::currency::{self, exact};
use super::dropzone::Zone;
use super::play::Word;
use super::reply::Reply;
use super::state::{Inner, State};
use super::view;
use askama::Template;
use hyper::StatusCode;
use serde_json::json;
use std::collections::BTreeSet;

/// How many payments one page shows.
const SHOWN: usize = 60;

#[derive(Template)]
#[template(path = "simulator.html")]
struct Page<'a> {
    now: String,
    days_ahead: i64,
    query: &'a str,
    page: usize,
    last: usize,
    said: &'a str,
    batches: Vec<Shown>,
    any: bool,
    accounts: Vec<Balances>,
    currencies: Vec<&'static str>,
    rules: usize,
    off: bool,
    webhooks: Vec<String>,
    delivered: u64,
    waiting: u64,
    lost: u64,
    dropzone: Option<Dropzone>,
}

struct Dropzone {
    address: String,
    fingerprint: String,
    users: Vec<(String, String, usize)>,
    client_ids: Vec<String>,
}

struct Balances {
    client_id: String,
    limits: &'static str,
    balances: Vec<(&'static str, String)>,
}

struct Shown {
    id: String,
    status: String,
    pending: bool,
    sender_batch_id: String,
    client_id: String,
    created: String,
    amount: String,
    count: usize,
    items: Vec<Payment>,
}

struct Payment {
    id: String,
    receiver: String,
    amount: String,
    state: String,
    class: &'static str,
    why: String,
    words: Vec<(String, String)>,
}

/// The page, narrowed to what is searched for.
pub fn answer(state: &State, call: &Call) -> Reply {
    let query = call.parameter("q").unwrap_or_default();
    let said = call.parameter("said").unwrap_or_default();
    let page = call.parameter("page").and_then(|page| page.parse().ok()).unwrap_or(1).max(1);
    let (inner, now) = state.lock();
    let (batches, last) = found(&inner, &query.trim().to_lowercase(), page);
    let mail = inner.outbox.show(inner.bank.hooks(), 0);
    let count = |standing: &str| mail[standing].as_u64().unwrap_or_default();
    let shown = Page {
        now: view::time(now).replace('T', " ").replace('Z', " UTC"),
        days_ahead: state.clock.offset().whole_days(),
        query: query.trim(),
        page,
        last,
        said: &said,
        batches,
        any: !inner.bank.batches().is_empty(),
        accounts: accounts(&inner),
        currencies: currency::ALL.iter().map(|(code, _)| *code).collect(),
        rules: inner.faults.waiting(),
        off: inner.outbox.off,
        webhooks: inner.bank.hooks().webhooks.iter().map(|webhook| webhook.url.clone()).collect(),
        delivered: count("delivered"),
        waiting: count("waiting"),
        lost: count("lost") + count("given_up"),
        dropzone: state.dropzone.as_ref().map(|zone| dropzone(zone, &inner)),
    };
    match shown.render() {
        Ok(html) => Reply::html(StatusCode::OK, html),
        Err(error) => Reply::html(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    }
}

/// The payments of one page in their batches, newest batch first, and the number of the last page.
fn found(inner: &Inner, query: &str, page: usize) -> (Vec<Shown>, usize) {
    let newest = inner.bank.batches().iter().rev();
    let all = newest.flat_map(|batch| batch.items.iter().map(move |item| (batch, item)));
    let matching: Vec<_> = all.filter(|(batch, item)| matches(batch, item, query)).collect();
    let mut shown: Vec<Shown> = Vec::new();
    for (batch, item) in matching.iter().skip((page - 1) * SHOWN).take(SHOWN) {
        if shown.last().is_none_or(|last| last.id != batch.id) {
            shown.push(batch_of(batch));
        }
        if let Some(last) = shown.last_mut() {
            last.items.push(payment(batch, item));
        }
    }
    (shown, matching.len().div_ceil(SHOWN).max(1))
}

fn matches(batch: &Batch, item: &Item, query: &str) -> bool {
    let has = |text: &str| text.to_lowercase().contains(query);
    query.is_empty()
        || has(&item.payment.receiver)
        || has(&item.id)
        || has(&batch.id)
        || has(&word(item.state))
        || name_of(batch).is_some_and(has)
        || item.payment.sender_item_id.as_deref().is_some_and(has)
}

/// The sender's name for a batch, or the file's that it came in.
fn name_of(batch: &Batch) -> Option<&str> {
    batch.file.as_ref().map(|file| file.name.as_str()).or(batch.header.sender_batch_id.as_deref())
}

fn dropzone(zone: &Zone, inner: &Inner) -> Dropzone {
    let users = inner.bank.dropzone().users().iter();
    Dropzone {
        address: format!("sftp://{}", zone.address),
        fingerprint: zone.host_key().fingerprint(),
        users: users.map(|one| (one.user.clone(), one.client_id.clone(), one.public_keys.len())).collect(),
        client_ids: inner.accounts.iter().map(|account| account.client_id.clone()).collect(),
    }
}

fn word(state: impl serde::Serialize) -> String {
    json!(state).as_str().unwrap_or_default().to_owned()
}

fn batch_of(batch: &Batch) -> Shown {
    Shown {
        id: batch.id.clone(),
        status: word(batch.status),
        pending: batch.status == BatchStatus::Pending,
        sender_batch_id: name_of(batch).unwrap_or_default().to_owned(),
        client_id: batch.client_id.clone(),
        created: view::time(batch.created).replace('T', " ").replace('Z', ""),
        amount: format!("{} {}", exact(batch.amount, &batch.currency), batch.currency),
        count: batch.items.len(),
        items: Vec::new(),
    }
}

fn payment(batch: &Batch, item: &Item) -> Payment {
    let words = if batch.is_finished() { Word::offered(item.state) } else { &[] };
    let words = words.iter().map(|one| (word(one), capital(&word(one)))).collect();
    let class = match item.state {
        ItemState::Success => "good",
        ItemState::Pending | ItemState::Unclaimed | ItemState::Onhold => "open",
        ItemState::Failed | ItemState::Blocked | ItemState::Returned | ItemState::Refunded | ItemState::Reversed => {
            "back"
        }
    };
    Payment {
        id: item.id.clone(),
        receiver: item.payment.receiver.clone(),
        amount: format!("{} {}", exact(item.payment.value, &batch.currency), batch.currency),
        state: word(item.state),
        class,
        why: item.error.clone().unwrap_or_default(),
        words,
    }
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// The accounts with their balances in the currencies that they pay in.
fn accounts(inner: &Inner) -> Vec<Balances> {
    let shown = inner.accounts.iter().map(|account| {
        let own = inner.bank.batches().iter().filter(|batch| batch.client_id == account.client_id);
        let used: BTreeSet<&str> = own.map(|batch| batch.currency.as_str()).chain(["USD"]).collect();
        let balances = inner.bank.balances().get(&account.client_id).into_iter().flatten();
        let balances = balances.filter(|(code, _)| used.contains(*code)).map(|(code, sum)| (*code, exact(*sum, code)));
        let limits = match (account.payouts, account.approved) {
            (false, _) => "its app lacks the Payouts feature",
            (true, false) => "not approved for payouts",
            (true, true) => "",
        };
        Balances { client_id: account.client_id.clone(), limits, balances: balances.collect() }
    });
    shown.collect()
}
