//! The list of events that an app was or should have been told.

use super::api::body;
use super::event::Event;
use crate::simulator::call::Call;
use crate::simulator::errors::Problem;
use crate::simulator::oauth::Caller;
use crate::simulator::reply::Reply;
use crate::simulator::state::Inner;
use crate::simulator::view::{self, link};
use hyper::StatusCode;
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

const USUAL_PAGE: usize = 10;
/// Longer pages are answered with so many: PayPal says that a page may be shorter than asked for.
const LONGEST_PAGE: usize = 100;
/// For how long events are kept.
const KEPT: Duration = Duration::days(30);

type Answer = Result<Reply, Problem>;

fn refuse(field: &str, issue: &str) -> Problem {
    Problem::validation(vec![json!({"field": field, "location": "query", "issue": issue})])
}

/// Events of one app, newest first, with their places.
fn of<'a>(inner: &'a Inner, now: OffsetDateTime, caller: &'a Caller) -> impl Iterator<Item = (usize, &'a Event)> {
    let events = inner.bank.hooks().events.iter().enumerate().rev();
    let batches = inner.bank.batches();
    events.filter(move |(_, event)| batches[event.batch].client_id == caller.client_id && now - event.at <= KEPT)
}

fn show(inner: &Inner, event: &Event, base: &str) -> Value {
    event.show(&inner.bank.batches()[event.batch], base)
}

/// One page of events.
pub fn list(inner: &Inner, now: OffsetDateTime, caller: &Caller, call: &Call) -> Answer {
    let time = |name: &str| match call.parameter(name) {
        None => Ok(None),
        Some(text) => match OffsetDateTime::parse(&text, &Rfc3339) {
            Ok(time) => Ok(Some(time)),
            Err(_) => Err(refuse(name, "must be a date and time such as 2026-01-12T10:00:00Z")),
        },
    };
    let (start, end) = (time("start_time")?, time("end_time")?);
    let whole = |name: &str| match call.parameter(name).map(|text| text.parse::<usize>()) {
        None => Ok(None),
        Some(Ok(number)) => Ok(Some(number)),
        Some(Err(_)) => Err(refuse(name, "must be a whole number")),
    };
    let page_size = whole("page_size")?.unwrap_or(USUAL_PAGE);
    if page_size == 0 {
        return Err(refuse("page_size", "must be at least 1"));
    }
    let page_size = page_size.min(LONGEST_PAGE);
    let (kind, transaction) = (call.parameter("event_type"), call.parameter("transaction_id"));
    // PayPal shows whole seconds, and its bounds are inclusive.
    let second = |event: &Event| event.at.replace_nanosecond(0).unwrap_or(event.at);
    let matching: Vec<(usize, &Event)> = of(inner, now, caller)
        .filter(|(_, event)| start.is_none_or(|start| event.at >= start) && end.is_none_or(|end| second(event) <= end))
        .filter(|(_, event)| kind.as_ref().is_none_or(|kind| event.kind == kind))
        .filter(|(_, event)| transaction.as_deref().is_none_or(|id| event.transaction_id() == Some(id)))
        .collect();
    let from = whole("index_id")?;
    let first = match (call.parameter("move_to").as_deref(), from) {
        (Some("next"), Some(from)) => matching.iter().filter(|(place, _)| *place >= from).count(),
        (Some("previous"), Some(from)) => {
            matching.iter().filter(|(place, _)| *place > from).count().saturating_sub(page_size)
        }
        _ => 0,
    };
    let page = &matching[first.min(matching.len())..matching.len().min(first + page_size)];
    let mut links = Vec::new();
    let mut lead = |rel: &str, at: Option<&(usize, &Event)>| {
        if let Some((place, event)) = at {
            links.push(link(&address(call, page_size, rel, *place, event), rel, "GET"));
        }
    };
    lead("next", page.last().filter(|_| first + page.len() < matching.len()));
    lead("previous", page.first().filter(|_| first > 0));
    let shown: Vec<Value> = page.iter().map(|(_, event)| show(inner, event, &call.base)).collect();
    Ok(Reply::json(StatusCode::OK, &json!({"events": shown, "count": page.len(), "links": links})))
}

/// The address of the page after or before this event.
fn address(call: &Call, page_size: usize, direction: &str, place: usize, event: &Event) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for name in ["start_time", "end_time", "event_type", "transaction_id"] {
        if let Some(value) = call.parameter(name) {
            query.append_pair(name, &value);
        }
    }
    query.append_pair("page_size", &page_size.to_string()).append_pair("move_to", direction);
    query.append_pair("index_time", &view::time(event.at)).append_pair("index_id", &place.to_string());
    format!("{}/v1/notifications/webhooks-events?{}", call.base, query.finish())
}

/// One event.
pub fn one(inner: &Inner, now: OffsetDateTime, caller: &Caller, call: &Call, id: &str) -> Answer {
    let (_, event) = of(inner, now, caller).find(|(_, event)| event.id == id).ok_or_else(Problem::unknown_resource)?;
    Ok(Reply::json(StatusCode::OK, &show(inner, event, &call.base)))
}

/// Delivers one event again: to the webhooks named, or to all that were subscribed to it.
pub fn resend(inner: &mut Inner, now: OffsetDateTime, caller: &Caller, call: &Call, id: &str) -> Answer {
    let wanted: Vec<String> = match &call.body {
        none if none.is_empty() => Vec::new(),
        _ => match &body(call)?["webhook_ids"] {
            Value::Null => Vec::new(),
            ids => serde_json::from_value(ids.clone()).map_err(|error| Problem::malformed(&error.to_string()))?,
        },
    };
    let found = of(inner, now, caller).find(|(_, event)| event.id == id);
    let (place, event) = found.ok_or_else(Problem::unknown_resource)?;
    let shown = show(inner, event, &call.base);
    let own: Vec<&str> = inner.bank.hooks().of(&caller.client_id).map(|webhook| webhook.id.as_str()).collect();
    if !wanted.iter().all(|id| own.contains(&id.as_str())) {
        return Err(Problem::unknown_resource());
    }
    let to = if wanted.is_empty() { event.webhooks.clone() } else { wanted };
    for id in &to {
        inner.outbox.resend(place, id, now);
    }
    Ok(Reply::json(StatusCode::ACCEPTED, &shown))
}
