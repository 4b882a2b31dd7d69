//! What a person may still do with a batch.

use super::exists;
use crate::app::App;
use crate::id::BatchId;
use crate::payout::manual::{self, TooLate};
use crate::payout::selection;
use crate::web::{Error, Form, Path, Result, Signed, Tone, see};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

const TOO_LATE: &str = "It is too late for that: this batch has moved on. Nothing was changed.";

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
    let mut tx = signed.tx(&app).await?;
    let through = signed.today(&app);
    let Some(request) = selection::select_unpaid(&mut tx, &signed.actor(&app), id, through).await? else {
        let nothing =
            "Nothing of this batch can be paid again: it is paid already, or its addresses need mending first.";
        return Ok(see(format!("/batches/{id}")).with(Tone::Info, nothing).into_response());
    };
    tx.commit().await?;
    Ok(see(format!("/payouts/new/{request}?how=paypal")).into_response())
}
