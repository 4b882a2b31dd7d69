//! A repeated name was refused as a duplicate, or a person names a batch: is what PayPal has the batch we sent?

use super::crash::crash_point;
use crate::app::App;
use crate::paypal::payouts::{BatchPage, ItemSeen};
use crate::paypal::{Credentials, PayPalBatchId};
use rust_decimal::Decimal;
use serde::Deserialize;
use std::collections::{HashMap, HashSet};

/// Pages of a batch at most: 15,000 items at 1,000 a page, and some in hand.
const MAX_PAGES: usize = 20;

/// Whose batch it is.
#[derive(Debug)]
pub(super) enum Adoption {
    /// Name and every item are ours.
    Ours,
    /// Something differs.
    NotOurs(String),
    /// It could not be read, or not in full yet.
    CannotTell(String),
}

/// The frozen body, read back: the only thing worth comparing with.
#[derive(Deserialize)]
pub(super) struct FrozenBody {
    pub(super) items: Vec<FrozenItem>,
}

/// One item of it.
#[derive(Deserialize)]
pub(super) struct FrozenItem {
    pub(super) sender_item_id: String,
    pub(super) amount: FrozenAmount,
}

/// Its amount.
#[derive(Deserialize)]
pub(super) struct FrozenAmount {
    pub(super) currency: String,
    pub(super) value: Decimal,
}

/// Reads the batch that PayPal names and compares it with the frozen bytes, item by item.
pub(super) async fn adopt(
    app: &App,
    credentials: &Credentials,
    (sender_batch_id, body): (&str, &[u8]),
    id: &PayPalBatchId,
) -> Adoption {
    let frozen: FrozenBody = serde_json::from_slice(body).expect("we wrote this body");
    let ours: HashMap<&str, &FrozenAmount> =
        frozen.items.iter().map(|item| (item.sender_item_id.as_str(), &item.amount)).collect();
    let mut found = HashSet::new();
    for number in 1..=MAX_PAGES {
        let page = match app.paypal.show_batch(credentials, id, number).await {
            Ok(page) => page,
            Err(error) => {
                return Adoption::CannotTell(format!("PayPal names batch {id}, which could not be read: {error}"));
            }
        };
        crash_point("mid_adopt");
        if let Some(other) = page.sender_batch_id.as_deref().filter(|echo| *echo != sender_batch_id) {
            return Adoption::NotOurs(format!("PayPal names batch {id}, whose name is {other}"));
        }
        // An item may be listed twice: pages shift while PayPal works on the batch.
        for item in &page.items {
            match compare(&ours, item) {
                Compared::Same => found.insert(item.sender_item_id.clone()),
                Compared::NotTold => continue,
                Compared::Foreign(why) => return Adoption::NotOurs(format!("PayPal names batch {id}, {why}")),
            };
        }
        if is_last(&page, number) {
            break;
        }
    }
    match ours.len() - found.len() {
        0 => Adoption::Ours,
        missing => Adoption::CannotTell(format!("batch {id} does not show {missing} of the items that were sent")),
    }
}

/// Whether there is no page after this one, the `number`th.
pub(super) fn is_last(page: &BatchPage, number: usize) -> bool {
    match page.total_pages {
        Some(total) => number >= total,
        None => page.items.is_empty(),
    }
}

enum Compared {
    Same,
    /// PayPal leaves out what there is to compare.
    NotTold,
    Foreign(String),
}

fn compare(ours: &HashMap<&str, &FrozenAmount>, seen: &ItemSeen) -> Compared {
    let name = seen.sender_item_id.as_str();
    match (ours.get(name), &seen.amount) {
        (None, _) if name.is_empty() => Compared::NotTold,
        (None, _) => Compared::Foreign(format!("which holds an item {name} that we did not send")),
        (Some(_), None) => Compared::NotTold,
        (Some(ours), Some((value, currency))) if *value == ours.value && *currency == ours.currency => Compared::Same,
        (Some(_), Some(_)) => Compared::Foreign(format!("where item {name} has another amount")),
    }
}
