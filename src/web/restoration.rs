//! `/restoration`: after a restored backup, what PayPal did meanwhile, and the sign-off with which paying goes on.

use super::pages::counted;
use super::when::{When, when};
use super::{
    Error, Form, FormErrors, Frame, Path, Result, Routes, Section, Signed, Tone, Upload, page, see, unaccepted, whole,
};
use crate::app::App;
use crate::money::for_people;
use crate::payout::report::LARGEST;
use crate::payout::restoration::unknown::{self, Unknown};
use crate::payout::restoration::{self, Restoration};
use crate::role::Role;
use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use uuid::Uuid;

const PAGE: &str = "/restoration";
/// Said wherever something would be sent before the sign-off.
pub(super) const NOT_SIGNED_OFF: &str =
    "This installation was restored from a backup. Nothing is paid until it is matched with PayPal and signed off.";
/// The longest that people write about one thing.
const LONGEST: usize = 500;

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .get(Role::Viewer, PAGE, show)
        .upload(Role::Approver, "/restoration/report", upload)
        .post(Role::Approver, "/restoration/entries", enter_all)
        .post(Role::Approver, "/restoration/payments/{id}/entry", enter)
        .post(Role::Approver, "/restoration/payments/{id}/settlement", settle)
        .post(Role::Approver, "/restoration/sign-off", sign_off)
}

#[derive(Template)]
#[template(path = "restoration.html")]
struct Show {
    frame: Frame,
    open: Option<(Restoration, When)>,
    read: Option<When>,
    payments: Vec<(Unknown, Option<When>)>,
    errors: FormErrors,
    typed: Typed,
}

impl Show {
    fn amount(&self, unknown: &Unknown) -> String {
        amount_of(unknown)
    }

    /// How many of those shown can be entered together.
    fn clear(&self) -> usize {
        self.payments.iter().filter(|(one, _)| one.is_clear()).count()
    }

    /// How many more there are than are shown.
    fn more(&self) -> i64 {
        let shown = i64::try_from(self.payments.len()).unwrap_or(i64::MAX);
        self.open.as_ref().map_or(0, |(open, _)| open.unknown - shown)
    }
}

fn amount_of(unknown: &Unknown) -> String {
    let payment = &unknown.payment;
    match payment.currency.parse() {
        Ok(currency) => format!("{} {}", payment.currency, for_people(payment.amount, currency)),
        Err(_) => format!("{} {}", payment.currency, payment.amount),
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Typed {
    looked_at: String,
    what: String,
}

async fn show(State(app): State<App>, signed: Signed) -> Result<Response> {
    page(&build(&app, &signed, Typed::default(), FormErrors::new()).await?)
}

async fn build(app: &App, signed: &Signed, typed: Typed, errors: FormErrors) -> Result<Show> {
    let mut tx = signed.tx(app).await?;
    let zone = &signed.time_zone;
    let open = restoration::open(&mut tx).await?;
    let payments = match &open {
        Some(open) => unknown::list(&mut tx, open.id, signed.today(app)).await?,
        None => Vec::new(),
    };
    let at = |unknown: &Unknown| unknown.payment.at.map(|at| when(at, zone));
    Ok(Show {
        frame: signed.frame(Section::Payouts),
        read: open.as_ref().and_then(|open| open.events_at).map(|at| when(at, zone)),
        open: open.map(|open| {
            let since = when(open.since, zone);
            (open, since)
        }),
        payments: payments.into_iter().map(|unknown| (at(&unknown), unknown)).map(|(at, one)| (one, at)).collect(),
        errors,
        typed,
    })
}

async fn refused(app: &App, signed: &Signed, typed: Typed, field: &'static str, why: &str) -> Result<Response> {
    let mut errors = FormErrors::new();
    errors.add(field, why);
    unaccepted(&build(app, signed, typed, errors).await?)
}

async fn upload(State(app): State<App>, signed: Signed, mut form: Upload) -> Result<Response> {
    let (name, content) = match form.next().await? {
        Some(field) if field.file_name().is_some_and(|name| !name.is_empty()) => whole(field, LARGEST).await?,
        Some(_) | None => return refused(&app, &signed, Typed::default(), "file", "Choose a file first.").await,
    };
    if restoration::open(&mut signed.tx(&app).await?).await?.is_none() {
        return Err(Error::Conflict("It is signed off already.".into()));
    }
    let report = (name.as_str(), content.as_slice());
    let Ok(compared) = unknown::take_report(&app, signed.merchant, &signed.actor(&app), report).await? else {
        let why = "This is no activity report of PayPal’s: it has no columns for transaction and amount. \
                   Download the activity from PayPal as CSV.";
        return refused(&app, &signed, Typed::default(), "file", why).await;
    };
    let said = format!(
        "The report shows {} payments, {} of them not known here and new below.",
        compared.payments, compared.unknown
    );
    Ok(see(PAGE).with(Tone::Info, said).into_response())
}

async fn enter(State(app): State<App>, signed: Signed, Path(id): Path<Uuid>) -> Result<Response> {
    exists(&app, &signed, id).await?;
    if unknown::enter(&app, signed.merchant, &signed.actor(&app), Some(id), signed.today(&app)).await? > 0 {
        return Ok(see(PAGE).saying("Entered as paid: nobody is paid again for it.").into_response());
    }
    let why = "This is no longer exactly what was due to somebody. Mark the commissions as paid on Commissions Due, then \
               settle it here in words.";
    Err(Error::Conflict(why.into()))
}

async fn enter_all(State(app): State<App>, signed: Signed) -> Result<Response> {
    let entered = unknown::enter(&app, signed.merchant, &signed.actor(&app), None, signed.today(&app)).await?;
    let payments = counted(i64::try_from(entered).unwrap_or(i64::MAX), "payment", "payments");
    Ok(see(PAGE).saying(format!("{payments} entered as paid: nobody is paid again for them.")).into_response())
}

async fn settle(
    State(app): State<App>,
    signed: Signed,
    Path(id): Path<Uuid>,
    Form(typed): Form<Typed>,
) -> Result<Response> {
    exists(&app, &signed, id).await?;
    let what = typed.what.trim().to_owned();
    if what.is_empty() || what.chars().count() > LONGEST {
        return refused(&app, &signed, typed, "what", "Say in 1 to 500 characters what this payment was.").await;
    }
    let mut tx = signed.tx(&app).await?;
    let settled = unknown::settle(&mut tx, &signed.actor(&app), id, &what).await?;
    tx.commit().await?;
    let said = if settled { "Settled." } else { "Somebody has settled it already." };
    Ok(see(PAGE).saying(said).into_response())
}

async fn exists(app: &App, signed: &Signed, id: Uuid) -> Result<()> {
    if unknown::exists(&mut signed.tx(app).await?, id).await? { Ok(()) } else { Err(Error::NotFound) }
}

async fn sign_off(State(app): State<App>, signed: Signed, Form(typed): Form<Typed>) -> Result<Response> {
    let looked_at = typed.looked_at.trim().to_owned();
    if looked_at.is_empty() || looked_at.chars().count() > LONGEST {
        return refused(&app, &signed, typed, "looked_at", "Say in 1 to 500 characters where you looked.").await;
    }
    let mut tx = signed.tx(&app).await?;
    match restoration::sign_off(&mut tx, &signed.actor(&app), &looked_at).await? {
        Ok(()) => {
            tx.commit().await?;
            app.wake.notify_waiters();
            Ok(see("/affiliate_payments/pay").saying("Signed off. Paying goes on.").into_response())
        }
        Err(missing) => refused(&app, &signed, typed, "looked_at", missing).await,
    }
}
