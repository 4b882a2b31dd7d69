//! What is still to be delivered, and what became of the rest.

use super::{Hooks, Webhook};
use crate::simulator::faults::{Faults, What};
use crate::simulator::view;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashSet};
use time::{Duration, OffsetDateTime};

/// PayPal tries so often, over three days.
const TRIES: u32 = 25;
/// The pause after the first try. It doubles until it reaches the longest: 25 tries then take 72 hours.
const PAUSE: Duration = Duration::seconds(10);
const LONGEST_PAUSE: Duration = Duration::minutes(276);

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It will be tried, for the first time or again.
    Waiting,
    /// It is being tried.
    Underway,
    /// It was answered with a 2xx.
    Delivered,
    /// It was not sent: a fault rule said so, or webhooks were off.
    Lost,
    /// It was tried as often as PayPal tries, or its webhook is gone.
    GivenUp,
}

/// One event on its way to one webhook.
#[derive(Debug)]
struct Delivery {
    event: usize,
    webhook_id: String,
    due: OffsetDateTime,
    standing: Standing,
    tries: u32,
    status: Option<u16>,
    error: Option<String>,
    /// How the first try is forged.
    forged: Option<What>,
    /// Whether it is a copy that a fault rule asked for, or a resend that the app did.
    again: bool,
}

/// A delivery that is to be tried now.
#[derive(Debug)]
pub struct Due {
    /// Its place here.
    pub delivery: usize,
    /// The event, by its place in the bank.
    pub event: usize,
    /// Where to.
    pub webhook: Webhook,
    /// How it is to be forged.
    pub forged: Option<What>,
}

/// All deliveries.
#[derive(Debug, Default)]
pub struct Outbox {
    /// Whether webhooks are switched off, as they sometimes are for days.
    pub off: bool,
    deliveries: Vec<Delivery>,
    schedule: BTreeSet<(OffsetDateTime, usize)>,
    /// How many of the bank's events are planned.
    planned: usize,
}

impl Outbox {
    /// Plans the deliveries of what has happened since the last time. Fault rules strike here.
    pub fn plan(&mut self, hooks: &Hooks, faults: &mut Faults) {
        let events = hooks.events.iter().enumerate().skip(self.planned);
        let pairs = events.flat_map(|(place, event)| event.webhooks.iter().map(move |id| (place, event, id)));
        let pairs: Vec<_> = pairs.map(|(place, event, id)| (place, event.at, id.clone())).collect();
        self.planned = hooks.events.len();
        for (event, at, webhook_id) in pairs {
            self.plan_one(event, at, &webhook_id, faults);
        }
    }

    fn plan_one(&mut self, event: usize, at: OffsetDateTime, webhook_id: &str, faults: &mut Faults) {
        let (mut delay, mut shuffle, mut copies) = (Duration::ZERO, 0, 0);
        let (mut lost, mut forged) = (self.off, None);
        for rule in faults.strike_delivery() {
            let ms = rule.ms.unwrap_or_default();
            match rule.what {
                What::Delay => delay += Duration::milliseconds(i64::try_from(ms).unwrap_or_default()),
                What::Shuffle => shuffle = ms,
                What::Duplicate => copies += 1,
                What::Lose => lost = true,
                forgery => forged = Some(forgery),
            }
        }
        for copy in 0..=copies {
            let random = rand::random_range(0..=shuffle);
            let due = at + delay + Duration::milliseconds(i64::try_from(random).unwrap_or_default());
            let forged = forged.filter(|_| copy == 0);
            self.add(event, webhook_id.to_owned(), due, forged, copy > 0);
            if lost {
                self.end(self.deliveries.len() - 1, Standing::Lost);
            }
        }
    }

    fn add(&mut self, event: usize, webhook_id: String, due: OffsetDateTime, forged: Option<What>, again: bool) {
        let (standing, tries, status, error) = (Standing::Waiting, 0, None, None);
        self.schedule.insert((due, self.deliveries.len()));
        self.deliveries.push(Delivery { event, webhook_id, due, standing, tries, status, error, forged, again });
    }

    /// Plans one event's delivery once more.
    pub fn resend(&mut self, event: usize, webhook_id: &str, now: OffsetDateTime) {
        self.add(event, webhook_id.to_owned(), now, None, true);
    }

    /// Plans what a journal has left: everything but what it says was delivered.
    pub fn replan(&mut self, hooks: &Hooks, delivered: &HashSet<(String, String)>) {
        self.plan(hooks, &mut Faults::default());
        for place in 0..self.deliveries.len() {
            let Delivery { event, webhook_id, .. } = &self.deliveries[place];
            if delivered.contains(&(hooks.events[*event].id.clone(), webhook_id.clone())) {
                self.end(place, Standing::Delivered);
            }
        }
    }

    /// Takes the next delivery that is due.
    pub fn take(&mut self, hooks: &Hooks, now: OffsetDateTime) -> Option<Due> {
        while let Some((due, place)) = self.schedule.first().copied().filter(|(due, _)| *due <= now) {
            self.schedule.remove(&(due, place));
            let delivery = &mut self.deliveries[place];
            let webhook = hooks.webhooks.iter().find(|webhook| webhook.id == delivery.webhook_id);
            match webhook {
                None => delivery.standing = Standing::GivenUp,
                Some(_) if self.off => delivery.standing = Standing::Lost,
                Some(webhook) => {
                    delivery.standing = Standing::Underway;
                    let forged = delivery.forged.filter(|_| delivery.tries == 0);
                    return Some(Due { delivery: place, event: delivery.event, webhook: webhook.clone(), forged });
                }
            }
        }
        None
    }

    /// Notes how a try ended: with a status, or without an answer. Gives event and webhook when it was delivered.
    pub fn note(&mut self, place: usize, answer: Result<u16, String>) -> Option<(usize, String)> {
        let delivery = &mut self.deliveries[place];
        delivery.tries += 1;
        (delivery.status, delivery.error) = match answer {
            Ok(status) => (Some(status), None),
            Err(why) => (None, Some(why)),
        };
        if delivery.status.is_some_and(|status| (200..300).contains(&status)) {
            delivery.standing = Standing::Delivered;
            return Some((delivery.event, delivery.webhook_id.clone()));
        }
        if delivery.tries == TRIES {
            delivery.standing = Standing::GivenUp;
            return None;
        }
        delivery.standing = Standing::Waiting;
        // From the planned time: a clock that jumps over three days jumps over all tries.
        let pause = PAUSE * 2_i32.pow((delivery.tries - 1).min(16));
        delivery.due += pause.min(LONGEST_PAUSE);
        self.schedule.insert((delivery.due, place));
        None
    }

    /// Whether everything that was due by now was tried at least once.
    pub fn is_caught_up(&self, now: OffsetDateTime) -> bool {
        self.deliveries.iter().all(|one| {
            let untried = matches!(one.standing, Standing::Waiting | Standing::Underway) && one.tries == 0;
            !untried || one.due > now
        })
    }

    fn end(&mut self, place: usize, standing: Standing) {
        let delivery = &mut self.deliveries[place];
        self.schedule.remove(&(delivery.due, place));
        delivery.standing = standing;
    }

    /// How many stand where, and the last of them, oldest first.
    pub fn show(&self, hooks: &Hooks, last: usize) -> Value {
        let count = |standing| self.deliveries.iter().filter(|one| one.standing == standing).count();
        let shown: Vec<Value> = self.deliveries[self.deliveries.len().saturating_sub(last)..]
            .iter()
            .map(|one| {
                let event = &hooks.events[one.event];
                json!({
                    "event_id": event.id,
                    "event_type": event.kind,
                    "webhook_id": one.webhook_id,
                    "standing": one.standing,
                    "due": view::time(one.due),
                    "tries": one.tries,
                    "status": one.status,
                    "error": one.error,
                    "forged": one.forged,
                    "again": one.again,
                })
            })
            .collect();
        json!({
            "off": self.off,
            "waiting": count(Standing::Waiting) + count(Standing::Underway),
            "delivered": count(Standing::Delivered),
            "lost": count(Standing::Lost),
            "given_up": count(Standing::GivenUp),
            "deliveries": shown,
        })
    }
}
