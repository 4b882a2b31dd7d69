//! A batch as a file: for spreadsheets, and for another payer.

use super::exists;
use super::words::item_words;
use crate::app::App;
use crate::id::{BatchId, ItemId};
use crate::payout::items::{self, Item};
use crate::web::export;
use crate::web::when::when;
use crate::web::{Error, Path, Result, Signed};
use axum::extract::State;
use axum::response::Response;

/// Items that one portion reads.
const PORTION: i64 = 1000;

/// Every item of the batch, with all that is known.
pub(super) async fn items_csv(State(app): State<App>, signed: Signed, Path(id): Path<BatchId>) -> Result<Response> {
    let batch = exists(&app, &signed, id).await?;
    let heading = [
        "Affiliate",
        "PayPal address",
        "Currency",
        "Amount",
        "State",
        "Reason",
        "Fee",
        "Fee currency",
        "Last at PayPal",
        "PayPal batch",
        "PayPal item",
        "Transaction",
        "Our id",
    ];
    let name = format!("batch-{}.csv", batch.number);
    let zone = signed.time_zone.clone();
    let lines = portions(app, signed, id, move |item: Item| {
        let (_, word, sentence) = item_words(&item, &batch, &zone);
        let mut amount = item.amount;
        amount.rescale(item.currency.scale());
        vec![
            item.name,
            item.receiver,
            item.currency.to_string(),
            amount.to_string(),
            word.to_owned(),
            sentence,
            item.fee.map(|fee| fee.to_string()).unwrap_or_default(),
            item.fee_currency.unwrap_or_default(),
            item.time_processed.map(|at| when(at, &zone).full).unwrap_or_default(),
            batch.paypal_batch_id.clone().unwrap_or_default(),
            item.paypal_item_id.unwrap_or_default(),
            item.transaction_id.unwrap_or_default(),
            crate::id::sender_item_id(item.id),
        ]
    });
    Ok(export::csv(&name, &heading, lines))
}

/// The file for PayPal's mass payment page or another payer: address, amount, currency, our id.
pub(super) async fn mass_payment_csv(
    State(app): State<App>,
    signed: Signed,
    Path(id): Path<BatchId>,
) -> Result<Response> {
    let batch = exists(&app, &signed, id).await?;
    if batch.waits_for_approval {
        return Err(Error::Conflict("A second person must approve this payment first. Nothing was exported.".into()));
    }
    let heading = ["Email", "Amount", "Currency", "Reference"];
    let name = format!("mass-payment-{}.csv", batch.number);
    let lines = portions(app, signed, id, |item: Item| {
        let mut amount = item.amount;
        amount.rescale(item.currency.scale());
        vec![item.receiver, amount.to_string(), item.currency.to_string(), crate::id::sender_item_id(item.id)]
    });
    Ok(export::csv(&name, &heading, lines))
}

fn portions(
    app: App,
    signed: Signed,
    id: BatchId,
    line: impl Fn(Item) -> export::Line + Clone + Send + 'static,
) -> impl futures_util::Stream<Item = Result<Vec<export::Line>, sqlx::Error>> + Send {
    futures_util::stream::try_unfold(Some(None), move |state: Option<Option<ItemId>>| {
        let (app, signed, line) = (app.clone(), signed.clone(), line.clone());
        async move {
            let Some(after) = state else { return Ok(None) };
            let mut tx = signed.tx(&app).await?;
            let found = items::items(&mut tx, id, None, after, PORTION).await?;
            let last = found.last().map(|item| item.id);
            let lines = found.into_iter().map(line).collect();
            Ok(last.map(|last| (lines, Some(Some(last)))))
        }
    })
}
