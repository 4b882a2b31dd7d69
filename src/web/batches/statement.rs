//! A batch to reconcile with PayPal's activity, made to be printed.

use super::{ItemRow, exists, rail};
use crate::app::App;
use crate::id::BatchId;
use crate::money::for_people;
use crate::payout::batches::Batch;
use crate::payout::items;
use crate::payout::totals::{self, Outcome};
use crate::web::page::{Frame, Section, page};
use crate::web::when::{When, when};
use crate::web::{Path, Result, Signed};
use askama::Template;
use axum::extract::State;
use axum::response::Response;
use rust_decimal::Decimal;

/// Items at most: a page that is printed has an end, and the export has all of them.
const ITEMS: i64 = 2000;

#[derive(Template)]
#[template(path = "payouts/statement.html")]
struct Statement {
    frame: Frame,
    merchant: String,
    batch: Batch,
    outcomes: Vec<Outcome>,
    fees: Vec<(String, Decimal)>,
    items: Vec<ItemRow>,
    is_cut: bool,
}

impl Statement {
    fn at(&self, at: &time::OffsetDateTime) -> When {
        when(*at, self.frame.zone())
    }

    fn amount(&self, amount: &Decimal) -> String {
        for_people(*amount, self.batch.currency)
    }

    fn fee(&self, currency: &str, fee: &Decimal) -> String {
        currency.parse().map_or_else(|_| fee.normalize().to_string(), |currency| for_people(*fee, currency))
    }

    fn method(&self) -> String {
        format!("{}, {}", rail(&self.batch), self.batch.environment.name())
    }

    fn words(&self, outcome: &Outcome) -> &'static str {
        match outcome.outcome.as_str() {
            "paid" => "Paid",
            "processing" => "On their way",
            "on_hold" => "Held by PayPal",
            "unclaimed" => "Not accepted yet",
            "needs_a_person" => "Needs a person",
            "written_off" => "Written off",
            _ => "Not paid, due again",
        }
    }

    /// The day on which an item's money moved.
    fn day(&self, row: &ItemRow) -> When {
        when(row.item.processed(), self.frame.zone())
    }
}

pub(super) async fn show(State(app): State<App>, signed: Signed, Path(id): Path<BatchId>) -> Result<Response> {
    let batch = exists(&app, &signed, id).await?;
    let mut tx = signed.tx(&app).await?;
    let outcomes = totals::outcomes(&mut tx, id).await?;
    let fees = totals::fees(&mut tx, id).await?;
    let mut found = items::items(&mut tx, id, None, None, ITEMS + 1).await?;
    let is_cut = found.len() as i64 > ITEMS;
    found.truncate(usize::try_from(ITEMS).expect("a page is small"));
    let items = found.into_iter().map(|item| ItemRow::of(item, &batch, &signed.time_zone)).collect();
    let (frame, merchant) = (signed.frame(Section::Payouts), signed.merchant_name.clone());
    page(&Statement { frame, merchant, batch, outcomes, fees, items, is_cut })
}
