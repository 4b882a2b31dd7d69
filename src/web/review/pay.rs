//! What the review's button does: a payment is drafted, or somebody is asked to approve it.

use super::{Typed, amounts, build, is_single_byte};
use crate::app::App;
use crate::id::RequestId;
use crate::payout::approval;
use crate::payout::draft::{Ask, DraftError, How, draft};
use crate::payout::review;
use crate::paypal::large_batch::Compression;
use crate::paypal::payouts::{MAX_MESSAGE, MAX_SUBJECT};
use crate::web::fresh;
use crate::web::pages::address;
use crate::web::restoration::NOT_SIGNED_OFF;
use crate::web::{Error, Form, FormErrors, Result, Signed, see, unaccepted};
use axum::extract::State;
use axum::response::{IntoResponse, Response};

fn checked(typed: &Typed) -> FormErrors {
    let mut errors = FormErrors::new();
    if typed.subject.chars().count() > MAX_SUBJECT {
        errors.add("subject", "PayPal takes a subject of at most 255 characters.");
    } else if !is_single_byte(&typed.subject) {
        errors.add("subject", "PayPal takes no such letters in the subject; write it in plain Latin letters.");
    }
    if typed.message.chars().count() > MAX_MESSAGE {
        errors.add("message", "PayPal takes a message of at most 1,000 characters.");
    }
    if typed.how == "manual" && typed.reference.trim().is_empty() {
        errors.add("reference", "Say where this payment can be found: a bank reference, a cheque number, a name.");
    } else if typed.reference.chars().count() > 200 {
        errors.add("reference", "A reference has at most 200 characters.");
    }
    errors
}

/// What the form asks, or what is said to it instead.
async fn read(app: &App, signed: &Signed, typed: Typed) -> Result<std::result::Result<(Ask, Typed), Response>> {
    let request = typed.request.ok_or(Error::NotFound)?;
    let errors = checked(&typed);
    if !errors.is_empty() {
        return Ok(Err(again(app, signed, request, typed, errors).await?));
    }
    let how = match typed.how.as_str() {
        "paypal" => How::PayPal,
        "file" => {
            let compression = if typed.gzip.is_some() { Compression::Gzip } else { Compression::Plain };
            How::File { compression }
        }
        "manual" => How::Manual { reference: typed.reference.trim().to_owned() },
        "export" => How::Export,
        _ => return Err(Error::Invalid("Choose how to pay. Nothing was paid.".into())),
    };
    let seen = hex::decode(&typed.seen).ok().and_then(|seen| seen.try_into().ok());
    let Some(seen) = seen else {
        return Err(Error::Invalid("The review is incomplete. Open it again. Nothing was paid.".into()));
    };
    // PayPal's schema takes one line; line breaks become spaces.
    let one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let ask = Ask {
        request,
        actor: signed.actor(app),
        how,
        subject: one_line(&typed.subject),
        message: one_line(&typed.message),
        seen,
    };
    Ok(Ok((ask, typed)))
}

/// Asks whether it is them before much money leaves, and comes back here with what was typed. A file is asked about when
/// it is let go, and a payment that a second person approves when they do.
async fn confirmed(app: &App, signed: &Signed, ask: &Ask, typed: &Typed) -> Result<()> {
    if ask.how != How::PayPal || signed.is_fresh {
        return Ok(());
    }
    let mut tx = signed.tx(app).await?;
    let Some(review) = review::load(&mut tx, ask.request, (0, 0), app.clock.now()).await? else { return Ok(()) };
    let kept = [("how", typed.how.as_str()), ("subject", &typed.subject), ("message", &typed.message)];
    let back = address(&format!("/payouts/new/{}", ask.request), &kept);
    fresh::before_money(&mut tx, signed, &amounts(&review), back).await
}

pub(super) async fn pay(State(app): State<App>, signed: Signed, Form(typed): Form<Typed>) -> Result<Response> {
    let (ask, typed) = match read(&app, &signed, typed).await? {
        Ok(read) => read,
        Err(answer) => return Ok(answer),
    };
    confirmed(&app, &signed, &ask, &typed).await?;
    match draft(&app, signed.merchant, &ask).await {
        Ok(batches) => Ok(match batches.as_slice() {
            [one] => see(format!("/batches/{one}")),
            _ => see("/batches").saying(format!("{} batches were made, one per currency.", batches.len())),
        }
        .into_response()),
        Err(error) => refused(&app, &signed, ask.request, typed, error).await,
    }
}

/// Freezes the payment, and asks others to approve it.
pub(super) async fn ask_for_approval(
    State(app): State<App>,
    signed: Signed,
    Form(typed): Form<Typed>,
) -> Result<Response> {
    if typed.how == "manual" {
        return Err(Error::Invalid("What was paid elsewhere needs nobody’s approval. Nothing was changed.".into()));
    }
    let (ask, typed) = match read(&app, &signed, typed).await? {
        Ok(read) => read,
        Err(answer) => return Ok(answer),
    };
    match approval::ask(&app, signed.merchant, &ask).await {
        Ok(()) => {
            app.wake.notify_waiters();
            Ok(see(format!("/approvals/{}", ask.request))
                .saying("Asked. Nothing is paid before it is approved.")
                .into_response())
        }
        Err(error) => refused(&app, &signed, ask.request, typed, error).await,
    }
}

/// Nothing was drafted, and why.
async fn refused(app: &App, signed: &Signed, request: RequestId, typed: Typed, error: DraftError) -> Result<Response> {
    let mut errors = FormErrors::new();
    match error {
        DraftError::NotFound => Err(Error::NotFound),
        error @ (DraftError::Changed | DraftError::Unpayable(_)) => {
            tracing::info!(%error, "a payment was not drafted");
            errors.add("lines", "Something changed since you looked. Nothing was paid; review the new amounts.");
            again(app, signed, request, typed, errors).await
        }
        DraftError::OverLimit(_) => {
            errors.add("rules", "This is more than the limits allow. Nothing was paid.");
            again(app, signed, request, typed, errors).await
        }
        DraftError::NeedsApproval => {
            errors.add("rules", "A second person must approve a payment of this amount. Nothing was paid.");
            again(app, signed, request, typed, errors).await
        }
        DraftError::TooMany => Err(Error::Conflict(
            "A file has at most 5,000,000 payments. Pay in several selections. Nothing was paid.".into(),
        )),
        DraftError::Restored => Err(Error::Conflict(NOT_SIGNED_OFF.into())),
        DraftError::NoConnection => {
            Err(Error::Conflict("PayPal is not connected for this way of paying. Nothing was paid.".into()))
        }
        DraftError::AskedOtherwise => {
            Err(Error::Conflict("This selection was already paid in another way. Nothing was paid again.".into()))
        }
        DraftError::Database(error) => Err(error.into()),
        DraftError::Internal(error) => Err(error.into()),
    }
}

async fn again(app: &App, signed: &Signed, id: RequestId, typed: Typed, errors: FormErrors) -> Result<Response> {
    let mut tx = signed.tx(app).await?;
    unaccepted(&build(app, signed, &mut tx, id, 0, typed, errors).await?)
}
