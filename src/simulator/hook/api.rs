//! The calls that register webhooks and check signatures.

use super::event::TYPES;
use super::signing::{ALGORITHM, Signed};
use super::{MOST, Webhook};
use crate::simulator::batch::new_id;
use crate::simulator::call::Call;
use crate::simulator::errors::Problem;
use crate::simulator::journal::Entry;
use crate::simulator::oauth::Caller;
use crate::simulator::reply::Reply;
use crate::simulator::state::Inner;
use crate::simulator::view::link;
use hyper::{Method, StatusCode};
use reqwest::Url;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

const MAX_URL: usize = 2048;
const MAX_TYPES: usize = 500;

type Answer = Result<Reply, Problem>;

fn refuse(field: &str, issue: &str) -> Problem {
    Problem::validation(vec![json!({"field": field, "location": "body", "issue": issue})])
}

fn internal(error: &anyhow::Error) -> Problem {
    tracing::error!("{error:#}");
    Problem::internal()
}

/// The body of a call that must have one.
pub fn body(call: &Call) -> Result<Value, Problem> {
    if !call.is_json() {
        return Err(Problem::media_type());
    }
    serde_json::from_slice(&call.body).map_err(|error| Problem::malformed(&error.to_string()))
}

/// `/v1/notifications/webhooks` and one of them.
pub fn webhooks(inner: &mut Inner, now: OffsetDateTime, caller: &Caller, call: &Call, id: &str) -> Answer {
    match (&call.method, id) {
        (&Method::POST, _) => register(inner, now, caller, call),
        (_, "") => {
            let anchor = call.parameter("anchor_type");
            if anchor.is_some_and(|anchor| anchor != "APPLICATION" && anchor != "ACCOUNT") {
                return Err(refuse("anchor_type", "must be APPLICATION or ACCOUNT"));
            }
            let own = inner.bank.hooks().of(&caller.client_id);
            let shown: Vec<Value> = own.map(|webhook| show(webhook, &call.base)).collect();
            Ok(Reply::json(StatusCode::OK, &json!({"webhooks": shown})))
        }
        (&Method::PATCH, _) => change(inner, now, caller, call, id),
        (&Method::DELETE, _) => {
            let id = own(inner, caller, id)?.id.clone();
            inner.record(Entry::Unhook { at: now, id }).map_err(|error| internal(&error))?;
            Ok(Reply::empty(StatusCode::NO_CONTENT))
        }
        _ => Ok(Reply::json(StatusCode::OK, &show(own(inner, caller, id)?, &call.base))),
    }
}

/// All event types there are, or those of one webhook.
pub fn event_types(inner: &Inner, caller: &Caller, id: &str) -> Answer {
    let names: Vec<&str> = match id {
        "" => TYPES.iter().map(|(name, _)| *name).collect(),
        id => own(inner, caller, id)?.event_types.iter().map(String::as_str).collect(),
    };
    let shown: Vec<Value> = names.into_iter().map(event_type).collect();
    Ok(Reply::json(StatusCode::OK, &json!({"event_types": shown})))
}

fn event_type(name: &str) -> Value {
    let described = TYPES.iter().find(|(known, _)| *known == name).map_or("All events.", |(_, words)| words);
    json!({"name": name, "description": described, "status": "ENABLED", "resource_versions": ["1.0"]})
}

fn own<'a>(inner: &'a Inner, caller: &Caller, id: &str) -> Result<&'a Webhook, Problem> {
    inner.bank.hooks().of(&caller.client_id).find(|webhook| webhook.id == id).ok_or_else(Problem::unknown_resource)
}

fn show(webhook: &Webhook, base: &str) -> Value {
    let address = format!("{base}/v1/notifications/webhooks/{}", webhook.id);
    let event_types: Vec<Value> = webhook.event_types.iter().map(|name| event_type(name)).collect();
    let links = [("self", "GET"), ("update", "PATCH"), ("delete", "DELETE")];
    let links: Vec<Value> = links.iter().map(|(rel, method)| link(&address, rel, method)).collect();
    json!({"id": webhook.id, "url": webhook.url, "event_types": event_types, "links": links})
}

fn register(inner: &mut Inner, now: OffsetDateTime, caller: &Caller, call: &Call) -> Answer {
    let body = body(call)?;
    let url = read_url(&body["url"])?;
    let event_types = read_types(&body["event_types"])?;
    free(inner, caller, &url, "")?;
    if inner.bank.hooks().of(&caller.client_id).count() >= MOST {
        let message = "The number of webhooks has reached its limit";
        return Err(Problem::new(StatusCode::BAD_REQUEST, "WEBHOOK_NUMBER_LIMIT_EXCEEDED", message));
    }
    let webhook = Webhook { id: new_id("webhook", 17), client_id: caller.client_id.clone(), url, event_types };
    let shown = show(&webhook, &call.base);
    inner.record(Entry::Webhook { at: now, webhook }).map_err(|error| internal(&error))?;
    Ok(Reply::json(StatusCode::CREATED, &shown))
}

/// Another webhook of the app must not have this address.
fn free(inner: &Inner, caller: &Caller, url: &str, id: &str) -> Result<(), Problem> {
    let taken = inner.bank.hooks().of(&caller.client_id).any(|webhook| webhook.url == url && webhook.id != id);
    if taken {
        let message = "Webhook URL already exists";
        return Err(Problem::new(StatusCode::BAD_REQUEST, "WEBHOOK_URL_ALREADY_EXISTS", message));
    }
    Ok(())
}

fn read_url(value: &Value) -> Result<String, Problem> {
    let text = match value {
        Value::String(text) => text,
        Value::Null => return Err(refuse("url", "Required field is missing")),
        _ => return Err(refuse("url", "must be a string")),
    };
    let url = Url::parse(text).ok().filter(|_| text.len() <= MAX_URL);
    let good = url.is_some_and(|url| match url.scheme() {
        "https" => url.port().is_none(),
        // A rehearsal on one machine; PayPal itself takes no such address.
        "http" => is_loopback(&url),
        _ => false,
    });
    if good { Ok(text.clone()) } else { Err(refuse("url", "Not a valid webhook URL")) }
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

fn read_types(value: &Value) -> Result<Vec<String>, Problem> {
    let list = match value {
        Value::Array(list) if (1..=MAX_TYPES).contains(&list.len()) => list,
        Value::Array(_) => return Err(refuse("event_types", "must have 1 to 500 event types")),
        Value::Null => return Err(refuse("event_types", "Required field is missing")),
        _ => return Err(refuse("event_types", "must be an array")),
    };
    let mut names: Vec<String> = Vec::new();
    for (index, entry) in list.iter().enumerate() {
        let name = entry["name"].as_str().unwrap_or_default();
        if name != "*" && TYPES.iter().all(|(known, _)| *known != name) {
            return Err(refuse(&format!("event_types[{index}].name"), "Not a valid event name"));
        }
        if !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    Ok(names)
}

/// A JSON patch of which PayPal knows `replace` alone, on `/url` and `/event_types`.
fn change(inner: &mut Inner, now: OffsetDateTime, caller: &Caller, call: &Call, id: &str) -> Answer {
    let before = own(inner, caller, id)?.clone();
    let mut webhook = before.clone();
    let Value::Array(patches) = body(call)? else { return Err(refuse("/", "must be an array of patches")) };
    for (index, patch) in patches.iter().enumerate() {
        if patch["op"] != "replace" {
            return Err(refuse(&format!("[{index}].op"), "Only replace is supported"));
        }
        match patch["path"].as_str() {
            Some("/url") => webhook.url = read_url(&patch["value"])?,
            Some("/event_types") => webhook.event_types = read_types(&patch["value"])?,
            _ => return Err(refuse(&format!("[{index}].path"), "must be /url or /event_types")),
        }
    }
    if webhook == before {
        let message = "The patch changes nothing";
        return Err(Problem::new(StatusCode::BAD_REQUEST, "WEBHOOK_PATCH_REQUEST_NO_CHANGE", message));
    }
    free(inner, caller, &webhook.url, id)?;
    let shown = show(&webhook, &call.base);
    inner.record(Entry::Webhook { at: now, webhook }).map_err(|error| internal(&error))?;
    Ok(Reply::json(StatusCode::OK, &shown))
}

#[derive(Deserialize)]
struct Verify<'a> {
    auth_algo: String,
    cert_url: String,
    transmission_id: String,
    transmission_sig: String,
    transmission_time: String,
    webhook_id: String,
    /// The bytes as they came: that is what was signed.
    #[serde(borrow)]
    webhook_event: &'a RawValue,
}

/// Whether an event is the simulator's, for this app's webhook.
pub fn verify(inner: &Inner, now: OffsetDateTime, caller: &Caller, call: &Call) -> Answer {
    body(call)?;
    let asked: Verify<'_> = serde_json::from_slice(&call.body).map_err(|error| refuse("/", &error.to_string()))?;
    for (field, text, most) in [
        ("auth_algo", &asked.auth_algo, 100),
        ("cert_url", &asked.cert_url, 500),
        ("transmission_id", &asked.transmission_id, 50),
        ("transmission_sig", &asked.transmission_sig, 500),
        ("transmission_time", &asked.transmission_time, 100),
        ("webhook_id", &asked.webhook_id, 50),
    ] {
        if text.is_empty() || text.len() > most {
            return Err(refuse(field, &format!("must have 1 to {most} characters")));
        }
    }
    if OffsetDateTime::parse(&asked.transmission_time, &Rfc3339).is_err() {
        return Err(refuse("transmission_time", "must be a date and time"));
    }
    let prefix = format!("{}/v1/notifications/certs/", call.base);
    let certificate = asked.cert_url.strip_prefix(&prefix).unwrap_or_default();
    let signed = Signed {
        transmission_id: &asked.transmission_id,
        transmission_time: &asked.transmission_time,
        webhook_id: &asked.webhook_id,
        body: asked.webhook_event.get().as_bytes(),
    };
    let genuine = asked.auth_algo == ALGORITHM
        && inner.certificates.is_own(certificate, now)
        && own(inner, caller, &asked.webhook_id).is_ok()
        && signed.is_signed_by(&asked.transmission_sig);
    let status = if genuine { "SUCCESS" } else { "FAILURE" };
    Ok(Reply::json(StatusCode::OK, &json!({"verification_status": status})))
}

/// A certificate. Whoever has its address may read it.
pub fn certificate(inner: &Inner, id: &str) -> Answer {
    let pem = inner.certificates.pem(id).ok_or_else(Problem::unknown_resource)?;
    Ok(Reply::pem(pem.to_owned()))
}
