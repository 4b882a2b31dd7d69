//! Webhooks: who wants to hear of what, what there was to hear, and the courier that brings it.

pub mod api;
pub mod courier;
pub mod event;
pub mod listing;
pub mod outbox;
pub mod signing;

use super::batch::Batch;
use event::Event;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// How many addresses one app may have.
pub const MOST: usize = 10;

/// One address of an app, and what it wants to hear of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhook {
    /// PayPal's id of it.
    pub id: String,
    /// Whose.
    pub client_id: String,
    /// Where events are sent.
    pub url: String,
    /// Names of event types, or `*`.
    pub event_types: Vec<String>,
}

impl Webhook {
    fn wants(&self, kind: &str) -> bool {
        self.event_types.iter().any(|wanted| wanted == "*" || wanted == kind)
    }
}

/// What the bank keeps of webhooks. An event that nobody was subscribed to is not kept.
#[derive(Debug, Default)]
pub struct Hooks {
    /// The registered ones, oldest first.
    pub webhooks: Vec<Webhook>,
    /// What they were to hear, oldest first.
    pub events: Vec<Event>,
}

impl Hooks {
    /// Registers a webhook, or changes the one with its id.
    pub fn set(&mut self, webhook: Webhook) {
        match self.webhooks.iter_mut().find(|known| known.id == webhook.id) {
            Some(known) => *known = webhook,
            None => self.webhooks.push(webhook),
        }
    }

    /// Forgets a webhook.
    pub fn remove(&mut self, id: &str) {
        self.webhooks.retain(|webhook| webhook.id != id);
    }

    /// Those of one app.
    pub fn of<'a>(&'a self, client_id: &str) -> impl Iterator<Item = &'a Webhook> {
        self.webhooks.iter().filter(move |webhook| webhook.client_id == client_id)
    }

    /// Notes that the batch came to where it stands.
    pub fn batch(&mut self, at: OffsetDateTime, place: usize, batch: &Batch) {
        if let Some((kind, webhooks)) = self.wanted(batch, event::of_batch(batch.status)) {
            self.events.push(Event::batch(at, kind, place, batch, webhooks));
        }
    }

    /// Notes that an item of it came to where it stands.
    pub fn item(&mut self, at: OffsetDateTime, place: usize, batch: &Batch, item: usize) {
        let item = &batch.items[item];
        if let Some((kind, webhooks)) = self.wanted(batch, event::of_item(item)) {
            self.events.push(Event::item(at, kind, place, item, webhooks));
        }
    }

    /// Whether PayPal tells of what came in a file is not documented: nothing is told.
    fn wanted(&self, batch: &Batch, kind: Option<&'static str>) -> Option<(&'static str, Vec<String>)> {
        let kind = kind.filter(|_| batch.file.is_none())?;
        let own = self.of(&batch.client_id).filter(|webhook| webhook.wants(kind));
        let webhooks: Vec<String> = own.map(|webhook| webhook.id.clone()).collect();
        (!webhooks.is_empty()).then_some((kind, webhooks))
    }
}
