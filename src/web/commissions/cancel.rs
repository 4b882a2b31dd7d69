//! Taking commissions back before they are paid: looked at once more, then for good.

use crate::app::App;
use crate::commission::{self, Cancelled, Kept, Listed};
use crate::id::CommissionId;
use crate::money::{Currency, for_people};
use crate::web::error::{Error, Result};
use crate::web::page::{Frame, Section, Tone, page, see};
use crate::web::pages::counted;
use crate::web::when::day;
use crate::web::{Form, Query, Signed};
use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use rust_decimal::Decimal;
use serde::Deserialize;

/// The longest reason.
const WHY_CHARS: usize = 500;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Chosen {
    id: Vec<CommissionId>,
    why: String,
}

#[derive(Template)]
#[template(path = "commissions/cancel.html")]
struct Review {
    frame: Frame,
    owed: Vec<Listed>,
    others: Vec<Listed>,
}

impl Review {
    /// "3 commissions, EUR 20.00, USD 30.00"
    fn sums(&self) -> String {
        let mut words = vec![counted(i64::try_from(self.owed.len()).unwrap_or(i64::MAX), "commission", "commissions")];
        for currency in Currency::ALL {
            let amounts = self.owed.iter().filter(|row| row.currency == *currency).map(|row| row.amount);
            let sum: Decimal = amounts.sum();
            if !sum.is_zero() {
                words.push(format!("{currency} {}", for_people(sum, *currency)));
            }
        }
        words.join(", ")
    }

    fn due_on(&self, row: &Listed) -> String {
        day(row.due_on)
    }

    fn amount(&self, row: &Listed) -> String {
        for_people(row.amount, row.currency)
    }
}

pub(super) async fn review(State(app): State<App>, signed: Signed, Query(chosen): Query<Chosen>) -> Result<Response> {
    if chosen.id.is_empty() {
        return Ok(see("/affiliate_payments/all")
            .with(Tone::Info, "Tick the commissions to cancel first.")
            .into_response());
    }
    let rows = commission::some(&mut signed.tx(&app).await?, &chosen.id, signed.today(&app)).await?;
    if rows.is_empty() {
        return Err(Error::NotFound);
    }
    let (owed, others) = rows.into_iter().partition(|row| row.standing.is_owed());
    page(&Review { frame: signed.frame(Section::Commissions), owed, others })
}

pub(super) async fn create(State(app): State<App>, signed: Signed, Form(chosen): Form<Chosen>) -> Result<Response> {
    if chosen.why.chars().count() > WHY_CHARS {
        return Err(Error::Invalid(format!(
            "The reason may have up to {WHY_CHARS} characters. Nothing was cancelled."
        )));
    }
    let mut tx = signed.tx(&app).await?;
    let outcome = commission::cancel(&mut tx, &signed.actor(&app), &chosen.id, &chosen.why).await?;
    tx.commit().await?;
    if outcome.cancelled == 0 && outcome.kept.is_empty() {
        return Err(Error::NotFound);
    }
    let tone = if outcome.kept.is_empty() { Tone::Good } else { Tone::Warning };
    Ok(see("/affiliate_payments/all").with(tone, words(&outcome)).into_response())
}

/// What happened, with those named that were left alone.
fn words(outcome: &Cancelled) -> String {
    const NAMED: usize = 10;
    let mut words = match outcome.cancelled {
        0 => "Nothing was cancelled.".to_owned(),
        1 => "1 commission was cancelled.".to_owned(),
        count => format!("{count} commissions were cancelled."),
    };
    if !outcome.kept.is_empty() {
        let names: Vec<String> = outcome.kept.iter().take(NAMED).map(kept).collect();
        let more = outcome.kept.len().saturating_sub(NAMED);
        let and_more = if more > 0 { format!(" and {more} more") } else { String::new() };
        words.push_str(&format!(
            " Left as they are, because they are not owed any more: {}{and_more}.",
            names.join(", ")
        ));
    }
    words
}

fn kept(kept: &Kept) -> String {
    let standing = kept.standing.words().to_lowercase();
    match kept.batch {
        Some(batch) => format!("{} ({standing} in batch {batch})", kept.reference),
        None => format!("{} ({standing})", kept.reference),
    }
}
