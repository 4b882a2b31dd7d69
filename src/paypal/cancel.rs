//! "Cancel an unclaimed item", the one call that takes money back.

use super::answer::{Cancellation, classify_cancellation};
use super::client::segment;
use super::{Client, Credentials, PayPalItemId};
use bytes::Bytes;
use reqwest::Method;

impl Client {
    /// Asks PayPal to take an unclaimed item back. May be asked any number of times; what became of the item is for a
    /// reading to say.
    pub async fn cancel_item(&self, credentials: &Credentials, item: &PayPalItemId) -> Cancellation {
        let path = format!("/v1/payments/payouts-item/{}/cancel", segment(&item.0));
        match self.call(credentials, Method::POST, &path, Some(Bytes::from_static(b"{}"))).await {
            Ok((status, body)) => classify_cancellation(status, &body),
            Err(error) => Cancellation::Later(error.to_string()),
        }
    }
}
