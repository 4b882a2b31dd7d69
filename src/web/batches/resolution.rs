//! A batch whose fate is not known: the evidence at hand, and the ways for people to end the doubt.

use super::actions::TOO_LATE;
use super::words::attempt_words;
use crate::app::App;
use crate::id::BatchId;
use crate::money::for_people;
use crate::payout::batch::BatchState;
use crate::payout::batches::{self, Batch};
use crate::payout::evidence::{self, Attempt, Shown, Statement};
use crate::payout::report::LARGEST;
use crate::payout::stuck::{self, Said, Unresolved, Word};
use crate::payout::uploaded;
use crate::paypal::PayPalBatchId;
use crate::role::Role;
use crate::web::pages::counted;
use crate::web::when::{When, when};
use crate::web::{
    Error, Form, FormErrors, Frame, Path, Result, Routes, Section, Signed, Tone, Upload, page, see, unaccepted, whole,
};
use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use rust_decimal::Decimal;
use serde::Deserialize;

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .get(Role::Approver, "/batches/{id}/resolution", show)
        .post(Role::Approver, "/batches/{id}/resolution", say)
        .post(Role::Approver, "/batches/{id}/resolution/adoption", adopt)
        .upload(Role::Approver, "/batches/{id}/resolution/report", upload)
}

#[derive(Template)]
#[template(path = "payouts/resolution.html")]
struct Show {
    frame: Frame,
    batch: Batch,
    attempts: Vec<(Attempt, When)>,
    statements: Vec<(Statement, When)>,
    findings: Vec<Shown>,
    approvers: Vec<String>,
    errors: FormErrors,
    typed: Typed,
    /// What an event of PayPal's called this batch.
    told: Option<String>,
}

impl Show {
    fn total(&self) -> String {
        for_people(self.batch.total, self.batch.currency)
    }

    /// How many attempts there were, of which the last few are shown.
    fn attempts(&self) -> String {
        counted(self.batch.attempts.into(), "attempt", "attempts")
    }

    fn why(&self) -> &str {
        self.batch.why.as_deref().unwrap_or("its fate is not known")
    }
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Typed {
    says: String,
    total: String,
    looked_at: String,
    paypal_batch_id: String,
}

async fn load(app: &App, signed: &Signed, id: BatchId, mut typed: Typed, errors: FormErrors) -> Result<Show> {
    let mut tx = signed.tx(app).await?;
    let batch = batches::show(&mut tx, id).await?.ok_or(Error::NotFound)?;
    let zone = &signed.time_zone;
    let dated = |at| when(at, zone);
    // An event may have named PayPal's batch; whether that is ours is for the reading to say.
    let history = batches::history(&mut tx, id).await?;
    let told =
        history.iter().find_map(|line| line.became.strip_prefix("PayPal told of this batch as ").map(str::to_owned));
    if let Some(told) = told.clone().filter(|_| typed.paypal_batch_id.is_empty()) {
        typed.paypal_batch_id = told;
    }
    Ok(Show {
        frame: signed.frame(Section::Payouts),
        attempts: evidence::attempts(&mut tx, id)
            .await?
            .into_iter()
            .map(|one| (one.clone(), dated(one.started_at)))
            .collect(),
        statements: evidence::statements(&mut tx, id)
            .await?
            .into_iter()
            .map(|one| (one.clone(), dated(one.at)))
            .collect(),
        findings: evidence::findings(&mut tx, id).await?,
        approvers: batches::approvers(&mut tx).await?,
        batch,
        errors,
        typed,
        told,
    })
}

async fn show(State(app): State<App>, signed: Signed, Path(id): Path<BatchId>) -> Result<Response> {
    let shown = load(&app, &signed, id, Typed::default(), FormErrors::new()).await?;
    if shown.batch.state == BatchState::Stuck {
        page(&shown)
    } else {
        Ok(see(format!("/batches/{id}")).into_response())
    }
}

/// What was typed, and why it changed nothing.
async fn refused(
    app: &App,
    signed: &Signed,
    id: BatchId,
    typed: Typed,
    (field, why): (&'static str, String),
) -> Result<Response> {
    let mut errors = FormErrors::new();
    errors.add(field, why);
    unaccepted(&load(app, signed, id, typed, errors).await?)
}

async fn say(
    State(app): State<App>,
    signed: Signed,
    Path(id): Path<BatchId>,
    Form(typed): Form<Typed>,
) -> Result<Response> {
    super::exists(&app, &signed, id).await?;
    let Some(word) = Word::from_code(&typed.says) else {
        return refused(&app, &signed, id, typed, ("says", "Choose what you found.".into())).await;
    };
    let looked_at = typed.looked_at.trim().to_owned();
    if looked_at.is_empty() || looked_at.chars().count() > 500 {
        let why = "Say where you looked, in at most 500 characters.".into();
        return refused(&app, &signed, id, typed, ("looked_at", why)).await;
    }
    let Some(total) = amount(&typed.total) else {
        return refused(&app, &signed, id, typed, ("total", "Write the total with a point, such as 1234.50.".into()))
            .await;
    };
    let said = stuck::say(&app, signed.merchant, &signed.actor(&app), id, word, (total, &looked_at)).await?;
    let unresolved = match said {
        Ok(said) => return Ok(told(id, said, word)),
        Err(unresolved) => unresolved,
    };
    match why(unresolved) {
        Some(why) => refused(&app, &signed, id, typed, why).await,
        None => Err(Error::Conflict(TOO_LATE.into())),
    }
}

fn told(id: BatchId, said: Said, word: Word) -> Response {
    let resolution = format!("/batches/{id}/resolution");
    match said {
        Said::Resolved => see(format!("/batches/{id}")).saying(match word {
            Word::There => "It is settled: PayPal has this batch, and its payments count as paid.",
            Word::NotThere => "It is settled: PayPal does not have this batch. What was unknown is due again.",
        }),
        Said::WaitsForAnother => {
            see(resolution).with(Tone::Info, "Noted. Somebody else who may pay has to look and say the same.")
        }
        Said::Disputed => see(resolution)
            .with(Tone::Warning, "Noted. Somebody else says otherwise, so nothing is settled. Look together."),
    }
    .into_response()
}

/// The field and the message; nothing if the batch has moved on.
fn why(unresolved: Unresolved) -> Option<(&'static str, String)> {
    Some(match unresolved {
        Unresolved::TooLate(_) => return None,
        Unresolved::WrongTotal => ("total", "That is not the total of this batch. Look again at what you found.".into()),
        Unresolved::ShownAtPayPal => (
            "says",
            "A report shows payments of this batch at PayPal. Enter PayPal’s id of the batch instead, so that each is followed.".into(),
        ),
        Unresolved::NotAdopted(why) => ("paypal_batch_id", format!("Not taken over: {why}.")),
        Unresolved::NoReport => (
            "file",
            "This is no activity report of PayPal’s: it has no columns for transaction and amount. Nothing was changed.".into(),
        ),
    })
}

async fn adopt(
    State(app): State<App>,
    signed: Signed,
    Path(id): Path<BatchId>,
    Form(typed): Form<Typed>,
) -> Result<Response> {
    super::exists(&app, &signed, id).await?;
    let named = typed.paypal_batch_id.trim();
    if named.is_empty() || named.len() > 30 || !named.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        let why = "PayPal’s id of a batch is up to 30 letters and digits.".into();
        return refused(&app, &signed, id, typed, ("paypal_batch_id", why)).await;
    }
    let named = PayPalBatchId(named.to_owned());
    match stuck::adopt_named(&app, signed.merchant, &signed.actor(&app), id, &named).await? {
        Ok(()) => {
            let said = "PayPal has this batch, and every payment of it is ours. It is followed from now on.";
            Ok(see(format!("/batches/{id}")).saying(said).into_response())
        }
        Err(unresolved) => match why(unresolved) {
            Some(why) => refused(&app, &signed, id, typed, why).await,
            None => Err(Error::Conflict(TOO_LATE.into())),
        },
    }
}

async fn upload(State(app): State<App>, signed: Signed, Path(id): Path<BatchId>, mut form: Upload) -> Result<Response> {
    super::exists(&app, &signed, id).await?;
    let (name, content) = match form.next().await? {
        Some(field) if field.file_name().is_some_and(|name| !name.is_empty()) => whole(field, LARGEST).await?,
        Some(_) | None => {
            return refused(&app, &signed, id, Typed::default(), ("file", "Choose a file first.".into())).await;
        }
    };
    match uploaded::take_report(&app, signed.merchant, &signed.actor(&app), id, (&name, &content)).await? {
        Ok(found) => {
            let paid = found.findings.iter().filter(|finding| finding.paid).count();
            let lines = |count: usize| counted(i64::try_from(count).unwrap_or(i64::MAX), "line", "lines");
            let mut said = format!(
                "{} of this report are about this batch, {paid} of them show a finished payment.",
                lines(found.findings.len())
            );
            if found.alike > 0 {
                said.push_str(&format!(
                    " {} more have the same address and amount without our id, and prove nothing.",
                    found.alike
                ));
            }
            Ok(see(format!("/batches/{id}/resolution")).with(Tone::Info, said).into_response())
        }
        Err(unresolved) => match why(unresolved) {
            Some(why) => refused(&app, &signed, id, Typed::default(), why).await,
            None => Err(Error::Conflict(TOO_LATE.into())),
        },
    }
}

/// A total as people type it: signs between thousands and the currency are theirs.
fn amount(text: &str) -> Option<Decimal> {
    let text: String = text.chars().filter(|c| !matches!(c, ',' | ' ' | '\u{a0}') && !c.is_ascii_uppercase()).collect();
    text.parse().ok()
}
