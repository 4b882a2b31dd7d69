//! A repeated name was refused as a duplicate: is the batch that PayPal has the one we sent?

use super::claim::ClaimedBatch;
use crate::app::App;
use crate::paypal::payouts::{BatchPage, ItemSeen};
use crate::paypal::{Credentials, PayPalBatchId};
use rust_decimal::Decimal;
use serde::Deserialize;
use std::collections::HashMap;

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
    claimed: &ClaimedBatch,
    id: &PayPalBatchId,
) -> Adoption {
    let frozen: FrozenBody = serde_json::from_slice(&claimed.body).expect("we wrote this body");
    let mut missing: HashMap<&str, &FrozenAmount> =
        frozen.items.iter().map(|item| (item.sender_item_id.as_str(), &item.amount)).collect();
    for number in 1..=MAX_PAGES {
        let page = match app.paypal.show_batch(credentials, id, number).await {
            Ok(page) => page,
            Err(error) => {
                return Adoption::CannotTell(format!("PayPal names batch {id}, which could not be read: {error}"));
            }
        };
        if let Some(other) = page.sender_batch_id.as_deref().filter(|echo| *echo != claimed.sender_batch_id) {
            return Adoption::NotOurs(format!("PayPal names batch {id}, whose name is {other}"));
        }
        if let Some(why) = page.items.iter().find_map(|item| foreign(&mut missing, item)) {
            return Adoption::NotOurs(format!("PayPal names batch {id}, {why}"));
        }
        if is_last(&page, number) {
            break;
        }
    }
    if missing.is_empty() {
        Adoption::Ours
    } else {
        Adoption::CannotTell(format!("batch {id} lists {} of our items less than were sent", missing.len()))
    }
}

/// Whether there is no page after this one, the `number`th.
pub(super) fn is_last(page: &BatchPage, number: usize) -> bool {
    match page.total_pages {
        Some(total) => number >= total,
        None => page.items.is_empty(),
    }
}

fn foreign(missing: &mut HashMap<&str, &FrozenAmount>, seen: &ItemSeen) -> Option<String> {
    let Some(ours) = missing.remove(seen.sender_item_id.as_str()) else {
        return Some(format!("which holds an item {} that we did not send", seen.sender_item_id));
    };
    match &seen.amount {
        Some((value, currency)) if *value == ours.value && *currency == ours.currency => None,
        _ => Some(format!("where item {} has another amount", seen.sender_item_id)),
    }
}
