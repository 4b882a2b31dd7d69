//! `/payouts/new/{id}`: the review of a selection, and the one button that pays it.

use super::due::read_row;
use super::fresh;
use super::funds::{self, Sum, sums};
use super::pages::address;
use super::waits::Waits;
use super::when::{When, day, when};
use super::{
    Error, Form, FormErrors, Frame, Path, Query, Result, Routes, Section, Signed, Tone, page, see, unaccepted,
};
use crate::app::App;
use crate::commission::due::problem_words;
use crate::connection::dropzone::{self, Dropzone};
use crate::connection::{self, Connection, balance, pause};
use crate::database::Tx;
use crate::factor::settings;
use crate::id::RequestId;
use crate::money::{Currency, for_people};
use crate::payout::draft::{Ask, DraftError, How, draft};
use crate::payout::review::{self, Notable, Review, Reviewed};
use crate::payout::selection::{self, DueRow, Line};
use crate::paypal::large_batch::Compression;
use crate::paypal::payouts::{MAX_ITEMS, MAX_MESSAGE, MAX_SUBJECT};
use crate::role::Role;
use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use rust_decimal::Decimal;
use serde::Deserialize;
use std::collections::HashSet;
use time::OffsetDateTime;

/// Lines shown at once; all of them are paid.
const SHOWN: usize = 200;

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .get(Role::Preparer, "/payouts/new/{id}", show)
        .post(Role::Preparer, "/payouts/new/{id}/removal", remove)
        .post(Role::Approver, "/payouts", pay)
}

/// How the reader wants to pay, and how much of the list they want to see.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Asked {
    how: String,
    from: usize,
    /// What was typed before somebody was asked whether it is them.
    subject: String,
    message: String,
}

/// What is typed on the page.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Typed {
    request: Option<RequestId>,
    how: String,
    seen: String,
    subject: String,
    message: String,
    reference: String,
    /// Of a file: whether it is compressed.
    gzip: Option<String>,
}

struct Shown {
    line: Line,
    changed: Option<When>,
    first: bool,
    shared: bool,
    over_limit: bool,
}

impl Shown {
    /// What warns before money leaves has no place where it has left already.
    fn of(one: &Reviewed, outside: bool, now: OffsetDateTime, zone: &str) -> Self {
        Self {
            changed: one.changed(now).map(|at| when(at, zone)),
            first: outside && one.is_first,
            shared: one.is_shared,
            over_limit: one.is_over_limit(),
            line: one.line.clone(),
        }
    }

    fn row(&self) -> String {
        format!("{} {}", self.line.affiliate, self.line.amount.currency())
    }

    fn amount(&self) -> String {
        for_people(self.line.amount.amount(), self.line.amount.currency())
    }

    fn problem(&self) -> Option<&'static str> {
        self.line.problem.as_deref().map(problem_words)
    }
}

#[derive(Template)]
#[template(path = "payouts/review.html")]
struct Page {
    frame: Frame,
    errors: FormErrors,
    typed: Typed,
    review: Review,
    connection: Option<Connection>,
    legacy: bool,
    dropzone: Option<Dropzone>,
    waits: Vec<Waits>,
    sums: Vec<Sum>,
    balance: String,
    unpayable: Vec<Shown>,
    lines: Vec<Shown>,
    warnings: Vec<String>,
    from: usize,
    approvers: Vec<String>,
    /// Whether the button leads to the question whether it is them.
    confirms: bool,
}

impl Page {
    fn through(&self) -> String {
        day(self.review.through)
    }

    fn is_paypal(&self) -> bool {
        self.typed.how == "paypal"
    }

    fn is_file(&self) -> bool {
        self.typed.how == "file"
    }

    /// Through PayPal, by call or by file.
    fn is_through_paypal(&self) -> bool {
        self.is_paypal() || self.is_file()
    }

    /// A file is the better way: each call carries 15,000 payments.
    fn wants_a_file(&self) -> bool {
        usize::try_from(self.review.most_payments()).is_ok_and(|payments| payments > MAX_ITEMS)
    }

    /// "34 calls"
    fn calls(&self) -> String {
        let calls = self
            .review
            .totals
            .iter()
            .map(|total| usize::try_from(total.affiliates).unwrap_or_default().div_ceil(MAX_ITEMS));
        super::pages::counted(calls.sum::<usize>() as i64, "call", "calls")
    }

    fn is_manual(&self) -> bool {
        self.typed.how == "manual"
    }

    /// Whether the button may be pressed: what stands above it in red must be settled first.
    fn can_pay(&self) -> bool {
        let linked = match self.typed.how.as_str() {
            "paypal" => self.connection.is_some(),
            "file" => self.dropzone.is_some(),
            _ => true,
        };
        let payable = self.unpayable.is_empty() || !self.is_through_paypal();
        self.review.gone.is_empty() && self.review.payments > 0 && payable && linked
    }

    /// "Pay 24 affiliates USD 4,310.20 and EUR 210.00"
    fn button(&self) -> String {
        let people = super::pages::counted(self.review.affiliates, "affiliate", "affiliates");
        let amounts: Vec<String> = self.sums.iter().map(|sum| sum.amount.to_string()).collect();
        let amounts = match amounts.as_slice() {
            [most @ .., last] if !most.is_empty() => format!("{} and {last}", most.join(", ")),
            _ => amounts.concat(),
        };
        match self.typed.how.as_str() {
            "manual" => format!("Mark {people} as paid {amounts}"),
            "export" => format!("Export a file for {people}, {amounts}"),
            "file" => format!("Prepare a file for {people}, {amounts}"),
            _ => format!("Pay {people} {amounts}"),
        }
    }

    fn page_from(&self, from: usize) -> String {
        format!("/payouts/new/{}?how={}&from={from}", self.review.id, self.typed.how)
    }

    fn earlier(&self) -> Option<String> {
        (self.from > 0).then(|| self.page_from(self.from.saturating_sub(SHOWN)))
    }

    fn later(&self) -> Option<String> {
        let next = self.from + self.lines.len();
        (next < self.review.payments).then(|| self.page_from(next))
    }
}

async fn show(
    State(app): State<App>,
    signed: Signed,
    Path(id): Path<RequestId>,
    Query(asked): Query<Asked>,
) -> Result<Response> {
    funds::ask(&app, &signed).await;
    let mut tx = signed.tx(&app).await?;
    if let Some(batches) = already_paid(&mut tx, id).await? {
        return Ok(see(batches).with(Tone::Info, "This selection was paid already.").into_response());
    }
    let how = match asked.how.as_str() {
        how @ ("file" | "manual" | "export") => how.to_owned(),
        _ => "paypal".to_owned(),
    };
    let subject = format!("You have a payout from {}", signed.merchant_name);
    let subject = if is_single_byte(&subject) { subject } else { "You have a payout".to_owned() };
    let subject = if asked.subject.is_empty() { subject } else { asked.subject };
    let typed = Typed { how, subject, message: asked.message, ..Typed::default() };
    page(&build(&app, &signed, &mut tx, id, asked.from, typed, FormErrors::new()).await?)
}

/// The batches of a selection that became a payment, as an address.
async fn already_paid(tx: &mut Tx, id: RequestId) -> Result<Option<String>> {
    Ok(match crate::payout::batches::of_request(tx, id).await?.as_slice() {
        [] => None,
        [one] => Some(format!("/batches/{one}")),
        _ => Some("/batches".to_owned()),
    })
}

async fn build(
    app: &App,
    signed: &Signed,
    tx: &mut Tx,
    id: RequestId,
    from: usize,
    typed: Typed,
    errors: FormErrors,
) -> Result<Page> {
    let now = app.clock.now();
    let review = review::load(tx, id, (from, SHOWN), now).await?.ok_or(Error::NotFound)?;
    let connection = connection::in_force(tx).await?;
    let legacy = connection::legacy::in_force(tx).await?.is_some();
    let dropzone = dropzone::show(tx).await?.filter(|dropzone| dropzone.in_force);
    let outside = typed.how != "manual";
    let paypal = typed.how == "paypal";
    let shown = |line: &Reviewed| Shown::of(line, outside, now, &signed.time_zone);
    let unpayable =
        if paypal || typed.how == "file" { review.unpayable.iter().map(shown).collect() } else { Vec::new() };
    let mut warnings = if outside { warnings(&review.notable) } else { Vec::new() };
    let sums = sums(&review);
    let told = match &connection {
        Some(connection) if paypal => balance::told(tx, connection.id).await?,
        Some(_) | None => balance::Told::NotYet,
    };
    warnings.extend(sums.iter().filter_map(|sum| sum.shortage(&told)));
    let waits = if paypal { waits(app, signed, tx, &review).await? } else { Vec::new() };
    let approvers =
        if signed.role < Role::Approver { crate::payout::batches::approvers(tx).await? } else { Vec::new() };
    let much = paypal && !signed.is_fresh && settings::is_much(tx, &amounts(&review)).await?;
    Ok(Page {
        frame: signed.frame(Section::Commissions),
        errors,
        confirms: much,
        balance: funds::words(&told, Some(&sums), &signed.time_zone),
        sums,
        connection,
        legacy,
        dropzone,
        waits,
        unpayable,
        lines: review.lines.iter().map(shown).collect(),
        warnings,
        from,
        approvers,
        typed: Typed { request: Some(id), seen: hex::encode(review.seen()), ..typed },
        review,
    })
}

/// What this payment would wait for.
async fn waits(app: &App, signed: &Signed, tx: &mut Tx, review: &Review) -> Result<Vec<Waits>> {
    let currencies: HashSet<_> = review.totals.iter().map(|total| total.amount.currency()).collect();
    let pauses = pause::all(tx).await?.into_iter();
    let these = pauses.filter(|pause| pause.currency.is_none_or(|currency| currencies.contains(&currency)));
    Ok(these.map(|pause| Waits::of(app, &pause, &signed.time_zone)).collect())
}

fn warnings(notable: &Notable) -> Vec<String> {
    let mut warnings = Vec::new();
    let mut warn = |number: usize, one: &str, many: &str| match number {
        0 => {}
        1 => warnings.push(one.to_owned()),
        number => warnings.push(format!("{number} {many}")),
    };
    warn(notable.first.len(), "1 affiliate is paid for the first time.", "affiliates are paid for the first time.");
    warn(
        notable.changed,
        "1 PayPal address changed in the last two weeks.",
        "PayPal addresses changed in the last two weeks.",
    );
    warn(
        notable.shared,
        "1 payment goes to an address that another affiliate has too.",
        "payments go to addresses that more than one affiliate has.",
    );
    warn(
        notable.over_limit,
        "1 payment is above PayPal’s usual limit. The limit depends on your account; PayPal may fail it.",
        "payments are above PayPal’s usual limit. The limit depends on your account; PayPal may fail them.",
    );
    warnings
}

/// PayPal takes single-byte characters in the subject.
fn is_single_byte(text: &str) -> bool {
    text.chars().all(|c| u32::from(c) < 256 && !c.is_control())
}

/// Rows to leave out, or a whole kind of them.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Removal {
    how: String,
    what: String,
    row: Vec<String>,
}

async fn remove(
    State(app): State<App>,
    signed: Signed,
    Path(id): Path<RequestId>,
    Form(removal): Form<Removal>,
) -> Result<Response> {
    let mut tx = signed.tx(&app).await?;
    if let Some(batches) = already_paid(&mut tx, id).await? {
        return Ok(see(batches).with(Tone::Info, "This selection was paid already.").into_response());
    }
    match removal.what.as_str() {
        "unpayable" => selection::remove_unpayable(&mut tx, id).await?,
        "gone" => selection::forget_gone(&mut tx, id).await?,
        _ => {
            let rows: Vec<DueRow> = removal.row.iter().filter_map(|name| read_row(name)).collect();
            selection::remove(&mut tx, id, &rows).await?;
        }
    }
    tx.commit().await?;
    Ok(see(format!("/payouts/new/{id}?how={}", removal.how)).into_response())
}

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

/// What leaves, by currency.
fn amounts(review: &Review) -> Vec<(Currency, Decimal)> {
    review.totals.iter().map(|total| (total.amount.currency(), total.amount.amount())).collect()
}

/// Asks whether it is them before much money leaves, and comes back here with what was typed. A file is asked about when
/// it is let go.
async fn confirmed(app: &App, signed: &Signed, request: RequestId, typed: &Typed) -> Result<()> {
    if typed.how != "paypal" || signed.is_fresh {
        return Ok(());
    }
    let mut tx = signed.tx(app).await?;
    let Some(review) = review::load(&mut tx, request, (0, 0), app.clock.now()).await? else { return Ok(()) };
    let kept = [("how", typed.how.as_str()), ("subject", &typed.subject), ("message", &typed.message)];
    let back = address(&format!("/payouts/new/{request}"), &kept);
    fresh::before_money(&mut tx, signed, &amounts(&review), back).await
}

async fn pay(State(app): State<App>, signed: Signed, Form(typed): Form<Typed>) -> Result<Response> {
    let request = typed.request.ok_or(Error::NotFound)?;
    let errors = checked(&typed);
    if !errors.is_empty() {
        return again(&app, &signed, request, typed, errors).await;
    }
    confirmed(&app, &signed, request, &typed).await?;
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
        actor: signed.actor(&app),
        how,
        subject: one_line(&typed.subject),
        message: one_line(&typed.message),
        seen,
    };
    match draft(&app, signed.merchant, &ask).await {
        Ok(batches) => Ok(match batches.as_slice() {
            [one] => see(format!("/batches/{one}")),
            _ => see("/batches").saying(format!("{} batches were made, one per currency.", batches.len())),
        }
        .into_response()),
        Err(DraftError::NotFound) => Err(Error::NotFound),
        Err(error @ (DraftError::Changed | DraftError::Unpayable(_))) => {
            tracing::info!(%error, "a payment was not drafted");
            let mut errors = FormErrors::new();
            errors.add("lines", "Something changed since you looked. Nothing was paid; review the new amounts.");
            again(&app, &signed, request, typed, errors).await
        }
        Err(DraftError::TooMany) => Err(Error::Conflict(
            "A file has at most 5,000,000 payments. Pay in several selections. Nothing was paid.".into(),
        )),
        Err(DraftError::Restored) => Err(Error::Conflict(
            "This installation was restored from a backup. Nothing is paid until it is matched with PayPal and signed off."
                .into(),
        )),
        Err(DraftError::NoConnection) => {
            Err(Error::Conflict("PayPal is not connected for this way of paying. Nothing was paid.".into()))
        }
        Err(DraftError::AskedOtherwise) => {
            Err(Error::Conflict("This selection was already paid in another way. Nothing was paid again.".into()))
        }
        Err(DraftError::Database(error)) => Err(error.into()),
        Err(DraftError::Internal(error)) => Err(error.into()),
    }
}

async fn again(app: &App, signed: &Signed, id: RequestId, typed: Typed, errors: FormErrors) -> Result<Response> {
    let mut tx = signed.tx(app).await?;
    unaccepted(&build(app, signed, &mut tx, id, 0, typed, errors).await?)
}
