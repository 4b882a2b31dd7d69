//! `/payouts/new/{id}`: the review of a selection, and the one button that pays it.

mod pay;

use super::due::read_row;
use super::funds::{self, Sum, sums};
use super::waits::Waits;
use super::when::{When, day, when};
use super::{Error, Form, FormErrors, Frame, Path, Query, Result, Routes, Section, See, Signed, Tone, page, see};
use crate::app::App;
use crate::commission::due::problem_words;
use crate::connection::dropzone::{self, Dropzone};
use crate::connection::{self, Connection, balance, pause};
use crate::database::Tx;
use crate::factor::settings;
use crate::id::RequestId;
use crate::money::{Currency, Money, for_people};
use crate::payout::approval;
use crate::payout::limits::{self, Verdict};
use crate::payout::review::{self, Notable, Review, Reviewed};
use crate::payout::selection::{self, DueRow, Line};
use crate::paypal::payouts::MAX_ITEMS;
use crate::role::Role;
use crate::rules;
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
        .post(Role::Approver, "/payouts", pay::pay)
        .post(Role::Preparer, "/approvals", pay::ask_for_approval)
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
    unpayable_payments: usize,
    verdict: Verdict,
    lines: Vec<Shown>,
    warnings: Vec<String>,
    from: usize,
    /// Others who may pay or approve.
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
        let payable = self.unpayable.is_empty() && self.verdict.refusals.is_empty();
        self.review.gone.is_empty() && self.review.payments > 0 && payable && linked
    }

    /// A second person must approve it, or this person may not pay.
    fn asks_for_approval(&self) -> bool {
        !self.is_manual() && (self.verdict.needs_approval || !self.frame.may_approve())
    }

    /// Where the form goes.
    fn target(&self) -> &'static str {
        if self.asks_for_approval() { "/approvals" } else { "/payouts" }
    }

    /// What is said of those who might approve.
    fn approvers(&self) -> String {
        match self.approvers.as_slice() {
            [] => "Nobody else may approve payments yet: an admin gives somebody the role approver.".to_owned(),
            some => {
                format!("May approve it: {}. Nothing is paid before one of them does.", some.join(", "))
            }
        }
    }

    /// "Pay 24 affiliates USD 4,310.20 and EUR 210.00"
    fn button(&self) -> String {
        let people = super::pages::counted(self.review.affiliates, "affiliate", "affiliates");
        let amounts: Vec<String> = self.sums.iter().map(|sum| sum.amount.to_string()).collect();
        let amounts = match amounts.as_slice() {
            [most @ .., last] if !most.is_empty() => format!("{} and {last}", most.join(", ")),
            _ => amounts.concat(),
        };
        if self.asks_for_approval() {
            return format!("Ask for approval of {amounts} to {people}");
        }
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
        return Ok(batches.into_response());
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

/// The way to what became of a selection that was paid, or that somebody is asked to approve.
async fn already_paid(tx: &mut Tx, id: RequestId) -> Result<Option<See>> {
    if approval::one(tx, id).await?.is_some() {
        return Ok(Some(see(format!("/approvals/{id}"))));
    }
    let batches = match crate::payout::batches::of_request(tx, id).await?.as_slice() {
        [] => None,
        [one] => Some(format!("/batches/{one}")),
        _ => Some("/batches".to_owned()),
    };
    Ok(batches.map(|batches| see(batches).with(Tone::Info, "This selection was paid already.")))
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
    // Above the limits of PayPal stand the merchant's own rules, which hold for every way of paying.
    let (unpayable, unpayable_payments) = match paypal || typed.how == "file" {
        true => (&review.unpayable, review.unpayable_payments),
        false => (&review.stopped, review.stopped_payments),
    };
    let unpayable = unpayable.iter().map(shown).collect();
    let verdict = if outside { verdict(app, signed, tx, &review).await? } else { Verdict::default() };
    let mut warnings = if outside { warnings(&review.notable) } else { Vec::new() };
    let sums = sums(&review);
    let told = match &connection {
        Some(connection) if paypal => balance::told(tx, connection.id).await?,
        Some(_) | None => balance::Told::NotYet,
    };
    warnings.extend(sums.iter().filter_map(|sum| sum.shortage(&told)));
    let waits = if paypal { waits(app, signed, tx, &review).await? } else { Vec::new() };
    let approvers = approval::others(tx, signed.person).await?;
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
        unpayable_payments,
        verdict,
        lines: review.lines.iter().map(shown).collect(),
        warnings,
        from,
        approvers,
        typed: Typed { request: Some(id), seen: hex::encode(review.seen()), ..typed },
        review,
    })
}

/// What the rules say of it. What waits for approval counts for the day of that.
async fn verdict(app: &App, signed: &Signed, tx: &mut Tx, review: &Review) -> Result<Verdict> {
    let rules = rules::load(tx).await?;
    let amounts: Vec<Money> = review.totals.iter().map(|total| total.amount).collect();
    let alone = limits::judge(&rules, &amounts, &[]);
    if alone.needs_approval || signed.role < Role::Approver {
        return Ok(alone);
    }
    let paid = limits::paid_on(tx, signed.today(app)).await?;
    Ok(limits::judge(&rules, &amounts, &paid))
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
        return Ok(batches.into_response());
    }
    match removal.what.as_str() {
        "unpayable" if matches!(removal.how.as_str(), "manual" | "export") => {
            selection::remove_stopped(&mut tx, id, app.clock.now()).await?;
        }
        "unpayable" => selection::remove_unpayable(&mut tx, id, app.clock.now()).await?,
        "gone" => selection::forget_gone(&mut tx, id).await?,
        _ => {
            let rows: Vec<DueRow> = removal.row.iter().filter_map(|name| read_row(name)).collect();
            selection::remove(&mut tx, id, &rows).await?;
        }
    }
    tx.commit().await?;
    Ok(see(format!("/payouts/new/{id}?how={}", removal.how)).into_response())
}

/// What leaves, by currency.
fn amounts(review: &Review) -> Vec<(Currency, Decimal)> {
    review.totals.iter().map(|total| (total.amount.currency(), total.amount.amount())).collect()
}
