//! What a person may still do with a batch.

use super::exists;
use crate::app::App;
use crate::id::{BatchId, ItemId};
use crate::payout::again;
use crate::payout::batch::Rail;
use crate::payout::batches;
use crate::payout::manual::{self, TooLate};
use crate::web::{Error, Form, Path, Result, Signed, Tone, see};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

pub(super) const TOO_LATE: &str = "It is too late for that: this payment has moved on. Nothing was changed.";

fn done(id: BatchId, outcome: Result<(), TooLate>, said: &'static str) -> Result<Response> {
    match outcome {
        Ok(()) => Ok(see(format!("/batches/{id}")).saying(said).into_response()),
        Err(TooLate) => Err(Error::Conflict(TOO_LATE.into())),
    }
}

pub(super) async fn cancel(State(app): State<App>, signed: Signed, Path(id): Path<BatchId>) -> Result<Response> {
    exists(&app, &signed, id).await?;
    let outcome = manual::cancel(&app, signed.merchant, &signed.actor(&app), id).await?;
    done(id, outcome, "Taken back. Nothing was paid; everything in this batch is due again.")
}

pub(super) async fn release(State(app): State<App>, signed: Signed, Path(id): Path<BatchId>) -> Result<Response> {
    exists(&app, &signed, id).await?;
    let outcome = manual::release_manual(&app, signed.merchant, &signed.actor(&app), id).await?;
    done(id, outcome, "Put back. Everything in this batch is due again.")
}

#[derive(Deserialize)]
pub(super) struct Reference {
    reference: String,
}

pub(super) async fn mark_paid(
    State(app): State<App>,
    signed: Signed,
    Path(id): Path<BatchId>,
    Form(typed): Form<Reference>,
) -> Result<Response> {
    exists(&app, &signed, id).await?;
    let reference = typed.reference.trim();
    if reference.is_empty() || reference.chars().count() > 200 {
        let message = "Say where this payment can be found, in at most 200 characters. Nothing was changed.";
        return Ok(see(format!("/batches/{id}")).with(Tone::Warning, message).into_response());
    }
    let outcome = manual::mark_paid(&app, signed.merchant, &signed.actor(&app), id, reference).await?;
    done(id, outcome, "Marked as paid.")
}

pub(super) async fn retry(State(app): State<App>, signed: Signed, Path(id): Path<BatchId>) -> Result<Response> {
    exists(&app, &signed, id).await?;
    pay_again(&app, &signed, id, None).await
}

/// The review of what a batch, or one item of it, left unpaid.
pub(super) async fn pay_again(app: &App, signed: &Signed, id: BatchId, item: Option<ItemId>) -> Result<Response> {
    let mut tx = signed.tx(app).await?;
    let through = signed.today(app);
    let Some(request) = again::select_unpaid(&mut tx, &signed.actor(app), id, item, through).await? else {
        let nothing = "Nothing of this can be paid again now: it is paid already, its address needs mending first, or the address changed lately and payments to it are held.";
        let page = item.map_or_else(|| format!("/batches/{id}"), |item| format!("/batches/{id}/items/{item}"));
        return Ok(see(page).with(Tone::Info, nothing).into_response());
    };
    let by_file = batches::show(&mut tx, id).await?.is_some_and(|batch| batch.rail == Rail::File);
    tx.commit().await?;
    let how = if by_file { "file" } else { "paypal" };
    Ok(see(format!("/payouts/new/{request}?how={how}")).into_response())
}
