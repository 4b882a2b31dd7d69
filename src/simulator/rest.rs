//! The four payouts calls, from PayPal's documents.

use super::bank::WINDOW;
use super::batch::{Batch, BatchStatus, ItemState, derived, new_batch_id};
use super::call::{Call, Name};
use super::currency::exact;
use super::errors::Problem;
use super::faults::{Rule, What};
use super::hook::{api, listing};
use super::journal::Entry;
use super::oauth::Caller;
use super::reply::Reply;
use super::request::{self, MAX_ITEMS};
use super::state::{Inner, State};
use super::{magic, view};
use hyper::StatusCode;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Answers one of PayPal's calls. A rule may change what becomes of an accepted batch.
pub fn answer(state: &State, call: &Call, name: Name, id: &str, rule: Option<&Rule>) -> Reply {
    if call.too_long {
        return Problem::too_large().reply();
    }
    // The body is read before the lock is taken: a large one takes a while.
    let body = (name == Name::Create && call.is_json()).then(|| request::read(&call.body));
    let (mut inner, now) = state.lock();
    let inner = &mut *inner;
    let answer = match name {
        Name::Token => return inner.tokens.issue(&inner.accounts, call, now),
        Name::Create => {
            permitted(inner, call, now).and_then(|caller| create(state, inner, now, &caller, call, body, rule))
        }
        Name::ShowBatch => permitted(inner, call, now).and_then(|caller| show_batch(inner, &caller, call, id)),
        Name::ShowItem => permitted(inner, call, now).and_then(|caller| show_item(inner, &caller, call, id)),
        Name::Cancel => permitted(inner, call, now).and_then(|caller| cancel(inner, now, &caller, call, id)),
        Name::Webhooks => hooked(inner, call, now).and_then(|caller| api::webhooks(inner, now, &caller, call, id)),
        Name::EventTypes => known(inner, call, now).and_then(|caller| api::event_types(inner, &caller, id)),
        Name::Events if id.is_empty() => {
            hooked(inner, call, now).and_then(|caller| listing::list(inner, now, &caller, call))
        }
        Name::Events => hooked(inner, call, now).and_then(|caller| listing::one(inner, now, &caller, call, id)),
        Name::Resend => hooked(inner, call, now).and_then(|caller| listing::resend(inner, now, &caller, call, id)),
        Name::Verify => hooked(inner, call, now).and_then(|caller| api::verify(inner, now, &caller, call)),
        Name::Cert => api::certificate(inner, id),
        Name::Balances => known(inner, call, now).and_then(|caller| balances(inner, now, &caller, call)),
    };
    answer.unwrap_or_else(Problem::reply)
}

/// Who calls. What is sent to them later has the address under which they know this server.
fn known(inner: &mut Inner, call: &Call, now: OffsetDateTime) -> Result<Caller, Problem> {
    let caller = inner.tokens.caller(call, now)?;
    if inner.bases.get(&caller.client_id) != Some(&call.base) {
        inner.bases.insert(caller.client_id.clone(), call.base.clone());
    }
    Ok(caller)
}

/// Who calls, when their token has the scope for webhooks.
fn hooked(inner: &mut Inner, call: &Call, now: OffsetDateTime) -> Result<Caller, Problem> {
    let caller = known(inner, call, now)?;
    if caller.webhooks { Ok(caller) } else { Err(Problem::not_authorized()) }
}

/// Who calls, when their token has the scope that all payouts calls need.
fn permitted(inner: &mut Inner, call: &Call, now: OffsetDateTime) -> Result<Caller, Problem> {
    let caller = known(inner, call, now)?;
    if caller.payouts {
        return Ok(caller);
    }
    let message = "Authorization failed due to insufficient permissions.";
    Err(Problem::new(StatusCode::FORBIDDEN, "REQUIRED_SCOPE_MISSING", message))
}

fn create(
    state: &State,
    inner: &mut Inner,
    now: OffsetDateTime,
    caller: &Caller,
    call: &Call,
    body: Option<Result<request::Create, Problem>>,
    rule: Option<&Rule>,
) -> Result<Reply, Problem> {
    let create = body.ok_or_else(Problem::media_type)?;
    if call.parameter("sync_mode").is_some_and(|mode| mode.eq_ignore_ascii_case("true")) {
        let message = "Synchronous mode is not available";
        return Err(Problem::new(StatusCode::FORBIDDEN, "SYNC_MODE_NOT_APPLICABLE", message));
    }
    if call.header("paypal-request-id").is_some_and(|id| id.is_empty() || id.len() > 1000) {
        let detail = json!({"field": "PayPal-Request-Id", "issue": "must have 1 to 1000 characters"});
        return Err(Problem::validation(vec![detail]));
    }
    let create = create?;
    if let Some(problem) = magic::refusal(&create) {
        return Err(problem);
    }
    // Approval is the account's, not the token's: it counts when a batch is created.
    let approved = inner.accounts.iter().any(|account| account.client_id == caller.client_id && account.approved);
    if !approved {
        let message = "Authorization error occurred";
        return Err(Problem::new(StatusCode::FORBIDDEN, "AUTHORIZATION_ERROR", message));
    }
    let what = rule.map(|rule| rule.what);
    let sender_batch_id = create.header.sender_batch_id.as_deref();
    if let Some(first) = sender_batch_id.and_then(|id| inner.bank.duplicate(&caller.client_id, id)) {
        return Err(duplicate(first, &call.base, what != Some(What::DuplicateWithoutLink)));
    }
    let denied = (what == Some(What::Denied)).then(|| rule.and_then(|rule| rule.name.clone()));
    let settle = (what == Some(What::SettleAfter)).then(|| rule.and_then(|rule| rule.ms)).flatten();
    let settle = settle.or((what == Some(What::EventsFirst)).then_some(0));
    let settle = settle.unwrap_or_else(|| state.settle_after.as_millis().try_into().unwrap_or(u64::MAX));
    let payout_batch_id = new_batch_id();
    let entry = Entry::Batch {
        at: now,
        client_id: caller.client_id.clone(),
        payout_batch_id: payout_batch_id.clone(),
        settle_after_ms: settle.min(WINDOW.whole_milliseconds().try_into().unwrap_or(u64::MAX)),
        later: inner
            .accounts
            .iter()
            .find(|account| account.client_id == caller.client_id)
            .map(|one| one.later)
            .unwrap_or_default(),
        denied: denied.map(|name| name.unwrap_or_else(|| "INSUFFICIENT_FUNDS".to_owned())),
        create,
        file: None,
    };
    inner.record(entry).map_err(|error| {
        tracing::error!("{error:#}");
        Problem::internal()
    })?;
    let batch = inner.bank.batch(&payout_batch_id).ok_or_else(Problem::internal)?;
    Ok(Reply::json(StatusCode::CREATED, &view::created(batch, &call.base)))
}

/// The answer that protects against a second payment: the link to the first batch sits in the detail, in a field that
/// is called `link` and is a list.
fn duplicate(first: &Batch, base: &str, linked: bool) -> Problem {
    let mut detail = json!({
        "field": "SENDER_BATCH_ID",
        "location": "body",
        "issue": "Batch with given sender_batch_id already exists",
    });
    if linked {
        detail["link"] = json!([view::link(&view::batch_address(base, &first.id), "self", "GET")]);
    }
    Problem::new(StatusCode::BAD_REQUEST, "USER_BUSINESS_ERROR", "User business error.").with(vec![detail])
}

fn show_batch(inner: &Inner, caller: &Caller, call: &Call, id: &str) -> Result<Reply, Problem> {
    let canned = magic::batch(id).transpose()?;
    let batch = match &canned {
        Some(batch) => batch,
        None => inner
            .bank
            .batch(id)
            .filter(|batch| batch.client_id == caller.client_id && batch.file.is_none())
            .ok_or_else(Problem::unknown_resource)?,
    };
    let page = number(call, "page", 1, 1)?;
    let page_size = number(call, "page_size", 1000, 1)?;
    // PayPal's own client for Python writes "True".
    let total_required = match call.parameter("total_required").map(|text| text.to_ascii_lowercase()).as_deref() {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return Err(query_problem("total_required", "must be true or false")),
    };
    let fields = call.parameter("fields");
    let with_items =
        fields.as_ref().is_none_or(|fields| fields.split(',').any(|field| field.trim().starts_with("items")));
    let shown = batch.items.iter().skip((page - 1) * page_size).take(if with_items { page_size } else { 0 });
    let total_pages = batch.items.len().div_ceil(page_size);
    let address = |page: usize| {
        let total = if total_required { "&total_required=true" } else { "" };
        format!("{}?page_size={page_size}&page={page}{total}", view::batch_address(&call.base, &batch.id))
    };
    let mut links = vec![view::link(&address(page), "self", "GET")];
    if page < total_pages {
        links.push(view::link(&address(page + 1), "next", "GET"));
    }
    let mut body = json!({
        "batch_header": view::batch_header(batch),
        "items": shown.map(|item| view::item(batch, item, &call.base)).collect::<Vec<Value>>(),
        "links": links,
    });
    if total_required {
        body["total_items"] = batch.items.len().into();
        body["total_pages"] = total_pages.min(1000).into();
    }
    Ok(Reply::json(StatusCode::OK, &body))
}

/// A number from the query, up to the 1000 that the schema allows.
fn number(call: &Call, name: &str, default: usize, least: usize) -> Result<usize, Problem> {
    let Some(text) = call.parameter(name) else { return Ok(default) };
    match text.parse() {
        Ok(number) if (least..=1000).contains(&number) => Ok(number),
        _ => Err(query_problem(name, &format!("must be a whole number from {least} to 1000"))),
    }
}

fn query_problem(field: &str, issue: &str) -> Problem {
    Problem::validation(vec![json!({"field": field, "location": "query", "issue": issue})])
}

fn show_item(inner: &Inner, caller: &Caller, call: &Call, id: &str) -> Result<Reply, Problem> {
    if let Some(canned) = magic::item(id) {
        let batch = canned?;
        return Ok(Reply::json(StatusCode::OK, &view::item_alone(&batch, &batch.items[0], &call.base)));
    }
    let (batch, item) = own_item(inner, caller, id)?;
    Ok(Reply::json(StatusCode::OK, &view::item_alone(batch, &batch.items[item], &call.base)))
}

fn own_item<'a>(inner: &'a Inner, caller: &Caller, id: &str) -> Result<(&'a Batch, usize), Problem> {
    // Whether PayPal shows what came in a file is not documented; a client must not count on it.
    let own = |(batch, _): &(&Batch, usize)| batch.client_id == caller.client_id && batch.file.is_none();
    inner.bank.item(id).filter(own).ok_or_else(Problem::unknown_resource)
}

/// Takes back an unclaimed item. The call has no body of its own; one that is sent must be JSON.
fn cancel(inner: &mut Inner, now: OffsetDateTime, caller: &Caller, call: &Call, id: &str) -> Result<Reply, Problem> {
    if !call.body.is_empty() {
        if !call.is_json() {
            return Err(Problem::media_type());
        }
        serde_json::from_slice::<serde_json::Map<String, Value>>(&call.body)
            .map_err(|error| Problem::malformed(&error.to_string()))?;
    }
    if let Some(batch) = magic::cancelled(id) {
        return Ok(Reply::json(StatusCode::OK, &view::item_alone(&batch, &batch.items[0], &call.base)));
    }
    if let Some(problem) = magic::cancel_refusal(id) {
        return Err(problem);
    }
    let (batch, place) = own_item(inner, caller, id)?;
    let item = &batch.items[place];
    let refuse = |name: &'static str, message: &'static str| Err(Problem::new(StatusCode::BAD_REQUEST, name, message));
    if matches!(batch.status, BatchStatus::Pending | BatchStatus::Processing) {
        return refuse("BATCH_NOT_COMPLETED", "The batch is still being processed");
    }
    if item.cancelled {
        return refuse("ITEM_ALREADY_CANCELLED", "The item is already cancelled");
    }
    if item.state != ItemState::Unclaimed {
        return refuse("ITEM_INCORRECT_STATUS", "Only unclaimed items can be cancelled");
    }
    inner.record(Entry::Cancel { at: now, payout_item_id: id.to_owned() }).map_err(|error| {
        tracing::error!("{error:#}");
        Problem::internal()
    })?;
    let (batch, place) = own_item(inner, caller, id)?;
    Ok(Reply::json(StatusCode::OK, &view::item_alone(batch, &batch.items[place], &call.base)))
}

/// What the account has in each currency. PayPal's figures may be three hours old; these are not.
fn balances(inner: &Inner, now: OffsetDateTime, caller: &Caller, call: &Call) -> Result<Reply, Problem> {
    if !caller.balances {
        return Err(Problem::not_authorized());
    }
    if let Some(text) = call.parameter("as_of_time") {
        let known = OffsetDateTime::parse(&text, &Rfc3339).is_ok_and(|time| time <= now);
        if !known {
            return Err(query_problem(
                "as_of_time",
                "must be a date and time in the past, such as 2026-01-12T10:00:00Z",
            ));
        }
    }
    let wanted = call.parameter("currency_code").filter(|code| code != "ALL");
    if wanted.as_ref().is_some_and(|code| code.len() != 3 || !code.bytes().all(|byte| byte.is_ascii_uppercase())) {
        return Err(query_problem("currency_code", "must be a currency code of three letters"));
    }
    let money = |code: &str, sum| json!({"currency_code": code, "value": exact(sum, code)});
    let account = inner.bank.balances().get(&caller.client_id).into_iter().flatten();
    let shown = account.filter(|(code, _)| wanted.as_ref().is_none_or(|wanted| wanted == *code)).map(|(code, sum)| {
        json!({
            "currency": code,
            "primary": *code == "USD",
            "total_balance": money(code, *sum),
            "available_balance": money(code, *sum),
            "withheld_balance": money(code, Decimal::ZERO),
        })
    });
    let body = json!({
        "balances": shown.collect::<Vec<Value>>(),
        "account_id": derived(&caller.client_id, "account", 0, 13),
        "as_of_time": view::time(now),
        "last_refresh_time": view::time(now),
    });
    Ok(Reply::json(StatusCode::OK, &body))
}

const _: () = assert!(MAX_ITEMS == 15_000, "total_items has this maximum in PayPal's schema");
