//! Webhooks: where PayPal tells us that something happened, and its list of what it told.

use super::signature::Transmission;
use super::{Client, Credentials, PayPalBatchId, ReadError, drop_nul, read_json};
use bytes::Bytes;
use reqwest::{Method, Url};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The events that say something of a payout (PayPal's page of event names). Asked for as far as PayPal's own list
/// offers them, since one name that it does not know refuses the whole registration; the last is in older lists only.
const EVENTS: [&str; 12] = [
    "PAYMENT.PAYOUTSBATCH.PROCESSING",
    "PAYMENT.PAYOUTSBATCH.SUCCESS",
    "PAYMENT.PAYOUTSBATCH.DENIED",
    "PAYMENT.PAYOUTS-ITEM.SUCCEEDED",
    "PAYMENT.PAYOUTS-ITEM.FAILED",
    "PAYMENT.PAYOUTS-ITEM.UNCLAIMED",
    "PAYMENT.PAYOUTS-ITEM.RETURNED",
    "PAYMENT.PAYOUTS-ITEM.CANCELED",
    "PAYMENT.PAYOUTS-ITEM.HELD",
    "PAYMENT.PAYOUTS-ITEM.BLOCKED",
    "PAYMENT.PAYOUTS-ITEM.REFUNDED",
    "PAYMENT.PAYOUTS-ITEM.DENIED",
];
/// What all of their names begin with.
const OF_PAYOUTS: &str = "PAYMENT.PAYOUTS";
/// Events a page of the list; PayPal's file names no greatest size, and ten is what it gives by itself.
const EVENTS_A_PAGE: usize = 100;
/// Longest id or name that is believed to be one (`event_id` has 50 characters at most).
const MAX_NAME: usize = 256;

const WEBHOOKS: &str = "/v1/notifications/webhooks";

/// One address that PayPal tells.
#[derive(Debug, Clone, Deserialize)]
pub struct Webhook {
    /// PayPal's id of it, which every signature names.
    pub id: String,
    /// The address.
    #[serde(default)]
    pub url: String,
    #[serde(default)]
    event_types: Vec<EventType>,
}

impl Webhook {
    /// Whether it is told of all these events.
    pub fn hears(&self, events: &[&str]) -> bool {
        let hears = |name: &str| self.event_types.iter().any(|one| one.name == name || one.name == "*");
        events.iter().all(|name| hears(name))
    }
}

#[derive(Debug, Clone, Deserialize)]
struct EventType {
    #[serde(default)]
    name: String,
}

/// One event, as far as we read it: that something happened to a batch, never what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// PayPal's id; the same in each delivery.
    pub id: String,
    /// As in "PAYMENT.PAYOUTS-ITEM.SUCCEEDED".
    pub kind: String,
    /// When PayPal wrote it.
    pub created_at: Option<OffsetDateTime>,
    /// The batch, by PayPal's id.
    pub batch: Option<PayPalBatchId>,
    /// The batch, by our name.
    pub sender_batch_id: Option<String>,
    /// The item, by our name.
    pub sender_item_id: Option<String>,
}

impl Event {
    /// Reads an event; nothing if this is none. Every field but the id may be missing.
    pub fn parse(body: &[u8]) -> Option<Self> {
        let mut value: Value = serde_json::from_slice(body).ok()?;
        drop_nul(&mut value);
        let text = |paths: &[&str]| {
            let found = paths.iter().find_map(|path| value.pointer(path)?.as_str());
            found.filter(|text| (1..=MAX_NAME).contains(&text.len())).map(str::to_owned)
        };
        let created = text(&["/create_time"]);
        Some(Self {
            id: text(&["/id"])?,
            kind: text(&["/event_type"]).unwrap_or_default(),
            created_at: created.and_then(|text| OffsetDateTime::parse(&text, &Rfc3339).ok()),
            batch: text(&["/resource/payout_batch_id", "/resource/batch_header/payout_batch_id"]).map(PayPalBatchId),
            sender_batch_id: text(&[
                "/resource/sender_batch_id",
                "/resource/batch_header/sender_batch_header/sender_batch_id",
            ]),
            sender_item_id: text(&["/resource/payout_item/sender_item_id"]),
        })
    }

    /// Whether it is about a payout at all; another tool's events may come to the same app.
    pub fn is_of_payouts(&self) -> bool {
        self.kind.starts_with(OF_PAYOUTS)
    }
}

/// One page of the list of events.
#[derive(Debug)]
pub struct EventPage {
    /// Those that could be read.
    pub events: Vec<Event>,
    /// What to ask for next; nothing after the last page.
    pub next: Option<NextPage>,
}

/// The query of a next page: all that is ever taken from a link in an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextPage(String);

impl Client {
    /// The events of payouts that PayPal offers.
    pub async fn event_types(&self, credentials: &Credentials) -> Result<Vec<&'static str>, ReadError> {
        #[derive(Deserialize)]
        struct List {
            event_types: Vec<EventType>,
        }
        let body = self.read(credentials, Method::GET, "/v1/notifications/webhooks-event-types", None).await?;
        let list: List = read_json(&body).map_err(|_| not("a list of event names"))?;
        Ok(EVENTS.into_iter().filter(|name| list.event_types.iter().any(|offered| offered.name == *name)).collect())
    }

    /// Every address that PayPal tells of this app's events: ten at most.
    pub async fn webhooks(&self, credentials: &Credentials) -> Result<Vec<Webhook>, ReadError> {
        #[derive(Deserialize)]
        struct List {
            #[serde(default)]
            webhooks: Vec<Webhook>,
        }
        let body = self.read(credentials, Method::GET, WEBHOOKS, None).await?;
        let list: List = read_json(&body).map_err(|_| not("a list of webhooks"))?;
        Ok(list.webhooks)
    }

    /// Has PayPal tell this address.
    pub async fn create_webhook(
        &self,
        credentials: &Credentials,
        url: &str,
        events: &[&str],
    ) -> Result<Webhook, ReadError> {
        let asked = json!({ "url": url, "event_types": names(events) });
        let body = self.read(credentials, Method::POST, WEBHOOKS, Some(asked.to_string().into())).await?;
        read_json(&body).map_err(|_| not("a webhook"))
    }

    /// Moves a webhook of ours to this address and these events.
    pub async fn change_webhook(
        &self,
        credentials: &Credentials,
        id: &str,
        url: &str,
        events: &[&str],
    ) -> Result<(), ReadError> {
        let patch = json!([
            { "op": "replace", "path": "/url", "value": url },
            { "op": "replace", "path": "/event_types", "value": names(events) },
        ]);
        let path = format!("{WEBHOOKS}/{}", super::client::segment(id));
        self.read(credentials, Method::PATCH, &path, Some(patch.to_string().into())).await.map(drop)
    }

    /// PayPal no longer tells this address; one that is gone already is no error.
    pub async fn delete_webhook(&self, credentials: &Credentials, id: &str) -> Result<(), ReadError> {
        let path = format!("{WEBHOOKS}/{}", super::client::segment(id));
        match self.read(credentials, Method::DELETE, &path, None).await {
            Ok(_) | Err(ReadError::NotFound) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// One page of what PayPal told since then, newest first; then the next.
    pub async fn events(
        &self,
        credentials: &Credentials,
        since: OffsetDateTime,
        until: OffsetDateTime,
        page: Option<&NextPage>,
    ) -> Result<EventPage, ReadError> {
        let query = match page {
            Some(NextPage(query)) => query.clone(),
            None => form_urlencoded::Serializer::new(String::new())
                .append_pair("page_size", &EVENTS_A_PAGE.to_string())
                .append_pair("start_time", &seconds(since))
                .append_pair("end_time", &seconds(until))
                .finish(),
        };
        let path = format!("/v1/notifications/webhooks-events?{query}");
        let body = self.read(credentials, Method::GET, &path, None).await?;
        parse_events(&body).map_err(|_| not("a list of events"))
    }

    /// Asks PayPal whether it sent this. Its own text of the event goes back unchanged: written anew, it would have
    /// another checksum.
    pub async fn sent_by_paypal(
        &self,
        credentials: &Credentials,
        transmission: &Transmission,
        webhook_id: &str,
        body: &[u8],
    ) -> Result<bool, ReadError> {
        #[derive(serde::Serialize)]
        struct Asked<'a> {
            auth_algo: &'a str,
            cert_url: &'a str,
            transmission_id: &'a str,
            transmission_sig: &'a str,
            transmission_time: &'a str,
            webhook_id: &'a str,
            webhook_event: &'a RawValue,
        }
        #[derive(Deserialize)]
        struct Told {
            verification_status: String,
        }
        let Ok(webhook_event) = serde_json::from_slice::<&RawValue>(body) else { return Ok(false) };
        let asked = Asked {
            auth_algo: super::signature::ALGORITHM,
            cert_url: &transmission.certificate,
            transmission_id: &transmission.id,
            transmission_sig: &transmission.signature,
            transmission_time: &transmission.time,
            webhook_id,
            webhook_event,
        };
        let asked: Bytes = serde_json::to_vec(&asked).expect("texts always serialise").into();
        let path = "/v1/notifications/verify-webhook-signature";
        let told: Told = read_json(&self.read(credentials, Method::POST, path, Some(asked)).await?)
            .map_err(|_| not("the outcome of a verification"))?;
        match told.verification_status.as_str() {
            "SUCCESS" => Ok(true),
            "FAILURE" => Ok(false),
            _ => Err(not("the outcome of a verification")),
        }
    }
}

fn parse_events(body: &[u8]) -> serde_json::Result<EventPage> {
    #[derive(Deserialize)]
    struct List<'a> {
        #[serde(borrow, default)]
        events: Vec<&'a RawValue>,
        #[serde(default)]
        links: Vec<Link>,
    }
    #[derive(Deserialize)]
    struct Link {
        #[serde(default)]
        href: String,
        #[serde(default)]
        rel: String,
    }
    let list: List<'_> = serde_json::from_slice(body)?;
    let next = list.links.iter().find(|link| link.rel == "next").and_then(|link| {
        let query = Url::parse(&link.href).ok()?.query()?.to_owned();
        Some(NextPage(query))
    });
    let events: Vec<_> = list.events.iter().filter_map(|event| Event::parse(event.get().as_bytes())).collect();
    let next = next.filter(|_| !list.events.is_empty());
    Ok(EventPage { events, next })
}

fn names(events: &[&str]) -> Vec<Value> {
    events.iter().map(|name| json!({ "name": name })).collect()
}

fn seconds(at: OffsetDateTime) -> String {
    let at = at.replace_nanosecond(0).expect("zero is within a second");
    at.format(&Rfc3339).expect("a time of this century has this form")
}

fn not(what: &str) -> ReadError {
    ReadError::Failed(format!("PayPal's answer is not {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_read_whatever_is_missing() {
        let item = br#"{"id":"WH-1","create_time":"2026-06-06T03:44:51Z","event_type":"PAYMENT.PAYOUTS-ITEM.SUCCEEDED",
            "resource":{"payout_batch_id":"B1","payout_item":{"sender_item_id":"I1\u0000"},"transaction_status":7}}"#;
        let event = Event::parse(item).unwrap();
        assert_eq!(event.batch, Some(PayPalBatchId("B1".into())));
        assert_eq!((event.sender_item_id.as_deref(), event.sender_batch_id.as_deref()), (Some("I1"), None));
        assert!(event.is_of_payouts() && event.created_at.is_some());
        let batch = br#"{"id":"WH-2","event_type":"PAYMENT.PAYOUTSBATCH.DENIED","resource":{"batch_header":
            {"payout_batch_id":"B2","sender_batch_header":{"sender_batch_id":"OURS"}}}}"#;
        let event = Event::parse(batch).unwrap();
        assert_eq!((event.batch.unwrap().0.as_str(), event.sender_batch_id.as_deref()), ("B2", Some("OURS")));
        let bare = Event::parse(br#"{"id":"WH-3"}"#).unwrap();
        assert!(bare.batch.is_none() && !bare.is_of_payouts());
        for none in [&b"{}"[..], b"[]", b"7", b"\"WH\"", b"{\"id\":7}", b"{\"id\":\"\"}", b"", b"\xff"] {
            assert_eq!(Event::parse(none), None);
        }
    }

    #[test]
    fn of_a_link_only_its_query_is_taken() {
        let page = parse_events(
            br#"{"events":[{"id":"WH-1"},{"no":"id"}],"links":[{"rel":"self","href":"https://x"},
            {"rel":"next","href":"https://evil.example/steal?page_size=100&index_id=3"}]}"#,
        )
        .unwrap();
        assert_eq!(page.events.len(), 1);
        assert_eq!(page.next, Some(NextPage("page_size=100&index_id=3".into())));
        let last = parse_events(br#"{"events":[],"links":[{"rel":"next","href":"https://x?a=b"}]}"#).unwrap();
        assert_eq!(last.next, None, "an empty page is the last");
    }
}
