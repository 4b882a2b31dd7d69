//! `/batches`: what was paid and is being paid, live.

use super::export;
use super::when::{When, when};
use super::{Error, Form, Frame, Path, Query, Result, Routes, Section, Signed, Tone, html, page, see};
use crate::app::App;
use crate::id::{BatchId, ItemId};
use crate::money::for_people;
use crate::payout::batch::{BatchState, Rail};
use crate::payout::batches::{self, Batch, HistoryLine, Item};
use crate::payout::item::{NotPaid, Wait};
use crate::payout::manual::{self, TooLate};
use crate::payout::selection;
use crate::role::Role;
use askama::Template;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use rust_decimal::Decimal;
use serde::Deserialize;

/// Batches on one page.
const BATCHES: i64 = 50;
/// Items on one page.
const ITEMS: i64 = 100;
/// Items that one portion of an export reads.
const PORTION: i64 = 1000;
/// htmx stops polling on this status.
const STOP_POLLING: StatusCode = match StatusCode::from_u16(286) {
    Ok(status) => status,
    Err(_) => panic!("286 is a status"),
};

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .get(Role::Viewer, "/batches", index)
        .get(Role::Viewer, "/batches/{id}", show)
        .get(Role::Viewer, "/batches/{id}/progress", progress)
        .get(Role::Viewer, "/batches/{id}/items.csv", items_csv)
        .get(Role::Viewer, "/batches/{id}/mass-payment.csv", mass_payment_csv)
        .post(Role::Approver, "/batches/{id}/cancellation", cancel)
        .post(Role::Approver, "/batches/{id}/payment", mark_paid)
        .post(Role::Approver, "/batches/{id}/release", release)
        .post(Role::Preparer, "/batches/{id}/retry", retry)
}

/// A state for people: tone, word, and a sentence.
pub(super) struct Told {
    pub(super) tone: &'static str,
    pub(super) word: &'static str,
}

/// A batch's state in a word.
pub(super) fn state(batch: &Batch) -> Told {
    let (tone, word) = match batch.state {
        BatchState::Prepared => ("info", "Prepared"),
        BatchState::Ready if batch.attempts > 0 => ("warning", "Waiting"),
        BatchState::Ready => ("info", "Ready"),
        BatchState::Submitting if batch.doubted_at.is_some() => ("warning", "Unknown"),
        BatchState::Submitting => ("info", "Being handed to PayPal"),
        BatchState::Accepted if batch.settled_at.is_none() => ("info", "PayPal is paying"),
        BatchState::Accepted | BatchState::Closed if batch.needs_a_person > 0 => ("warning", "Needs a person"),
        BatchState::Accepted if batch.unclaimed + batch.on_hold + batch.processing > 0 => ("info", "Some are waiting"),
        BatchState::Accepted | BatchState::Closed if batch.unpaid > 0 => ("warning", "Some were not paid"),
        BatchState::Accepted | BatchState::Closed => ("good", "Paid"),
        BatchState::Refused => ("bad", "Not paid"),
        BatchState::Stuck => ("bad", "Stuck"),
        BatchState::Cancelled => ("quiet", "Put back"),
        BatchState::Exported => ("info", "Exported"),
    };
    Told { tone, word }
}

struct Row {
    batch: Batch,
    created: When,
}

impl Row {
    fn state(&self) -> Told {
        state(&self.batch)
    }

    fn total(&self) -> String {
        for_people(self.batch.total, self.batch.currency)
    }

    fn fees(&self) -> String {
        for_people(self.batch.fees, self.batch.currency)
    }
}

fn rail(batch: &Batch) -> &'static str {
    match batch.rail {
        Rail::Api => "PayPal",
        Rail::File => "PayPal file",
        Rail::Manual => "Manual",
    }
}

#[derive(Template)]
#[template(path = "payouts/index.html")]
struct Index {
    frame: Frame,
    rows: Vec<Row>,
    first: bool,
    next: Option<i64>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Before {
    before: Option<i64>,
}

async fn index(State(app): State<App>, signed: Signed, Query(asked): Query<Before>) -> Result<Response> {
    let mut tx = signed.tx(&app).await?;
    let mut found = batches::list(&mut tx, asked.before, BATCHES + 1).await?;
    let more = found.len() as i64 > BATCHES;
    found.truncate(usize::try_from(BATCHES).expect("a page is small"));
    let next = found.last().filter(|_| more).map(|batch| batch.number);
    let rows = found.into_iter().map(|batch| Row { created: when(batch.created_at, &signed.time_zone), batch });
    page(&Index { frame: signed.frame(Section::Payouts), rows: rows.collect(), first: asked.before.is_none(), next })
}

struct ItemRow {
    item: Item,
    at: When,
}

impl ItemRow {
    fn amount(&self) -> String {
        for_people(self.item.amount, self.item.currency)
    }

    fn fee(&self) -> Option<String> {
        let (fee, currency) = self.item.fee.zip(self.item.fee_currency.clone())?;
        let mut fee = fee;
        fee.rescale(2);
        (fee > Decimal::ZERO).then(|| format!("{currency} {fee}"))
    }

    fn told(&self, batch: &Batch) -> (&'static str, &'static str, String) {
        item_words(&self.item, batch, &self.at)
    }
}

/// An item's state: tone, word, and a sentence that says what it means and what to do.
fn item_words(item: &Item, batch: &Batch, at: &When) -> (&'static str, &'static str, String) {
    let paypal = match (&item.error_name, &item.error_message) {
        (Some(name), Some(message)) if !message.is_empty() => format!(" PayPal says: {message} ({name})"),
        (Some(name), _) => format!(" PayPal says: {name}"),
        (None, Some(message)) => format!(" {message}"),
        (None, None) => String::new(),
    };
    if let Some(flag) = &item.flagged {
        return ("warning", "Needs a person", format!("{flag}, which does not fit. Look at this payment at PayPal."));
    }
    let (tone, word, sentence) = match (item.state.as_str(), item.wait, item.not_paid) {
        ("paid", _, _) => ("good", "Paid", format!("Paid on {}.", at.day)),
        (_, Some(Wait::Processing), _) => ("info", "Processing", "PayPal is working on it.".to_owned()),
        (_, Some(Wait::OnHold), _) => ("info", "Held", "PayPal is reviewing it. Nothing to do yet.".to_owned()),
        (_, Some(Wait::Unclaimed), _) => {
            ("warning", "Unclaimed", "Sent, and not accepted yet. It comes back 30 days after the payment.".to_owned())
        }
        (_, _, Some(NotPaid::Failed)) => ("bad", "Failed", "Not paid. The amount is due again.".to_owned()),
        (_, _, Some(NotPaid::Returned)) => {
            ("warning", "Returned", "Not accepted; the money is back and due again.".to_owned())
        }
        (_, _, Some(NotPaid::Blocked)) => (
            "bad",
            "Blocked",
            "PayPal stopped it. Contact PayPal with its id; it is not due again by itself.".to_owned(),
        ),
        (_, _, Some(NotPaid::Refunded)) => {
            ("warning", "Refunded", "The recipient sent it back. A person decides what follows.".to_owned())
        }
        (_, _, Some(NotPaid::Reversed)) => {
            ("warning", "Reversed", "PayPal took it back. A person decides what follows.".to_owned())
        }
        (_, _, Some(NotPaid::BatchDenied)) => {
            ("bad", "Not paid", "PayPal denied the whole batch. The amount is due again.".to_owned())
        }
        (_, _, Some(NotPaid::BatchCanceled)) => {
            ("bad", "Not paid", "The batch was cancelled at PayPal. The amount is due again.".to_owned())
        }
        (_, _, Some(NotPaid::BatchRefused)) => {
            ("bad", "Not paid", "PayPal did not take the batch. The amount is due again.".to_owned())
        }
        (_, _, Some(NotPaid::PutBack)) => ("quiet", "Put back", "Put back by a person; due again.".to_owned()),
        (_, None, None) => queued_words(batch),
    };
    (tone, word, format!("{sentence}{paypal}"))
}

/// An item of which PayPal has said nothing yet shares its batch's fate.
fn queued_words(batch: &Batch) -> (&'static str, &'static str, String) {
    match batch.state {
        BatchState::Stuck => {
            ("bad", "Unknown", "Whether PayPal has it is not known. Locked until a person has looked.".to_owned())
        }
        BatchState::Submitting if batch.doubted_at.is_some() => {
            ("warning", "Unknown", "We do not know yet whether PayPal accepted it. Locked until known.".to_owned())
        }
        BatchState::Exported => ("info", "Exported", "In a file that somebody pays outside.".to_owned()),
        BatchState::Accepted | BatchState::Closed => {
            ("info", "Processing", "PayPal has it, and has not listed it yet.".to_owned())
        }
        BatchState::Prepared
        | BatchState::Ready
        | BatchState::Submitting
        | BatchState::Refused
        | BatchState::Cancelled => ("info", "Sending", "Not handed to PayPal yet.".to_owned()),
    }
}

#[derive(Template)]
#[template(path = "payouts/show.html", blocks = ["progress"])]
struct Show {
    frame: Frame,
    batch: Batch,
    created: When,
    look: Option<When>,
    items: Vec<ItemRow>,
    next: Option<ItemId>,
    first: bool,
    state: String,
    history: Vec<(HistoryLine, When)>,
}

impl Show {
    fn told(&self) -> Told {
        state(&self.batch)
    }

    fn total(&self) -> String {
        for_people(self.batch.total, self.batch.currency)
    }

    fn rail(&self) -> &'static str {
        rail(&self.batch)
    }

    fn is_api(&self) -> bool {
        self.batch.rail == Rail::Api
    }

    fn handed_over(&self) -> i64 {
        if self.batch.accepted_at.is_some() { i64::from(self.batch.items) } else { 0 }
    }

    /// "312 of 500 handed to PayPal; 240 paid, 3 need attention"
    fn progress_words(&self) -> String {
        let b = &self.batch;
        let attention = b.unclaimed + b.unpaid + b.needs_a_person;
        let mut words = format!("{} of {} handed to PayPal; {} paid", self.handed_over(), b.items, b.paid);
        if b.processing + b.on_hold > 0 {
            words.push_str(&format!(", {} in progress", b.processing + b.on_hold));
        }
        if attention > 0 {
            words.push_str(&format!(", {attention} need attention"));
        }
        words
    }

    /// Items of which PayPal has said something final for now.
    fn done(&self) -> i64 {
        self.batch.paid + self.batch.unclaimed + self.batch.unpaid + self.batch.needs_a_person + self.batch.on_hold
    }

    /// What the page says above everything else.
    fn sentence(&self) -> String {
        let b = &self.batch;
        let paid = for_people(b.paid_amount, b.currency);
        match b.state {
            BatchState::Prepared => "Prepared, and not released yet. Nothing has been sent.".into(),
            BatchState::Ready if b.attempts > 0 => {
                "PayPal did not take this batch yet. Nothing was paid, and nothing is lost: it is tried again, or you take it back.".into()
            }
            BatchState::Ready => "Waiting to be handed to PayPal.".into(),
            BatchState::Submitting if b.doubted_at.is_some() => {
                "PayPal did not answer in time. We are asking whether it accepted this batch. Please do not pay these affiliates again.".into()
            }
            BatchState::Submitting => "Being handed to PayPal.".into(),
            BatchState::Accepted if b.settled_at.is_none() => "PayPal has it and is paying.".into(),
            BatchState::Accepted | BatchState::Closed if b.rail == Rail::Manual => {
                format!("Marked as paid: {} {}. Reference: {}.", b.currency, self.total(), b.reference.as_deref().unwrap_or("none"))
            }
            BatchState::Accepted | BatchState::Closed => {
                let rest = i64::from(b.items) - b.paid;
                let rest = match rest {
                    0 => String::new(),
                    1 => " 1 has not been paid; see below.".into(),
                    rest => format!(" {rest} have not been paid; see below."),
                };
                format!("Done. {} of {} were paid {} {paid}.{rest}", b.paid, b.items, b.currency)
            }
            BatchState::Refused => format!(
                "PayPal did not take this batch ({}). Nothing was paid, and everything in it is due again.",
                b.why.as_deref().unwrap_or("no reason given")
            ),
            BatchState::Stuck => format!(
                "Stopped on purpose: {}. Its commissions stay locked and are not due. Look at PayPal’s activity for this batch before anything else.",
                b.why.as_deref().unwrap_or("its fate is unknown")
            ),
            BatchState::Cancelled => "Put back: nothing of it was paid, and everything in it is due again.".into(),
            BatchState::Exported => {
                "A file for payment outside was made. Its commissions stand as paying until you mark it as paid or put it back.".into()
            }
        }
    }

    /// Whether the page should go on asking for news.
    fn is_moving(&self) -> bool {
        match self.batch.state {
            BatchState::Ready | BatchState::Submitting => true,
            BatchState::Accepted => self.batch.settled_at.is_none(),
            BatchState::Prepared
            | BatchState::Closed
            | BatchState::Refused
            | BatchState::Stuck
            | BatchState::Cancelled
            | BatchState::Exported => false,
        }
    }

    fn can_cancel(&self) -> bool {
        self.is_api()
            && matches!(self.batch.state, BatchState::Prepared | BatchState::Ready)
            && self.batch.doubted_at.is_none()
    }

    fn can_release(&self) -> bool {
        self.batch.rail == Rail::Manual && matches!(self.batch.state, BatchState::Exported | BatchState::Closed)
    }

    fn is_exported(&self) -> bool {
        self.batch.state == BatchState::Exported
    }

    fn can_retry(&self) -> bool {
        self.is_api() && self.batch.unpaid > 0 && !self.is_moving()
    }

    /// The steps of the batch: state and word.
    fn steps(&self) -> Vec<(&'static str, &'static str)> {
        let b = &self.batch;
        let stopped = matches!(b.state, BatchState::Refused | BatchState::Stuck);
        let handed = match b.state {
            _ if b.accepted_at.is_some() => "done",
            _ if stopped => "bad",
            BatchState::Submitting | BatchState::Ready => "current",
            _ => "waiting",
        };
        let paying = match (b.accepted_at, b.settled_at) {
            (Some(_), Some(_)) => "done",
            (Some(_), None) => "current",
            (None, _) => "waiting",
        };
        let finished = if b.settled_at.is_some() { "done" } else { "waiting" };
        vec![("done", "Prepared"), (handed, "Handed to PayPal"), (paying, "PayPal is paying"), (finished, "Finished")]
    }

    fn filter(&self, state: &str) -> String {
        if state.is_empty() {
            format!("/batches/{}", self.batch.id)
        } else {
            format!("/batches/{}?state={state}", self.batch.id)
        }
    }

    /// Tabs over the items: state, word, how many.
    fn filters(&self) -> Vec<(&'static str, &'static str, i64)> {
        let b = &self.batch;
        let all = [
            ("", "All", i64::from(b.items)),
            ("paid", "Paid", b.paid),
            ("processing", "Processing", b.processing),
            ("unclaimed", "Unclaimed", b.unclaimed),
            ("on_hold", "Held", b.on_hold),
            ("unpaid", "Not paid", b.unpaid),
            ("needs_a_person", "Needs a person", b.needs_a_person),
        ];
        all.into_iter().filter(|(state, _, count)| state.is_empty() || *count > 0).collect()
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Asked {
    state: String,
    after: Option<ItemId>,
}

async fn show(
    State(app): State<App>,
    signed: Signed,
    Path(id): Path<BatchId>,
    Query(asked): Query<Asked>,
) -> Result<Response> {
    page(&load(&app, &signed, id, asked).await?)
}

async fn load(app: &App, signed: &Signed, id: BatchId, asked: Asked) -> Result<Show> {
    let mut tx = signed.tx(app).await?;
    let batch = batches::show(&mut tx, id).await?.ok_or(Error::NotFound)?;
    let wanted = (!asked.state.is_empty()).then_some(asked.state.as_str());
    let mut items = batches::items(&mut tx, id, wanted, asked.after, ITEMS + 1).await?;
    let more = items.len() as i64 > ITEMS;
    items.truncate(usize::try_from(ITEMS).expect("a page is small"));
    let next = items.last().filter(|_| more).map(|item| item.id);
    let zone = &signed.time_zone;
    let items = items
        .into_iter()
        .map(|item| ItemRow { at: when(item.time_processed.unwrap_or(item.changed_at), zone), item })
        .collect();
    let history = batches::history(&mut tx, id).await?;
    Ok(Show {
        frame: signed.frame(Section::Payouts),
        created: when(batch.created_at, zone),
        look: batch.look_at.map(|at| when(at, zone)),
        items,
        next,
        first: asked.after.is_none(),
        history: history
            .into_iter()
            .map(|line| {
                let at = when(line.at, zone);
                (line, at)
            })
            .collect(),
        state: asked.state,
        batch,
    })
}

/// The moving part of the page. Status 286 ends the polling.
async fn progress(
    State(app): State<App>,
    signed: Signed,
    headers: HeaderMap,
    Path(id): Path<BatchId>,
    Query(asked): Query<Asked>,
) -> Result<Response> {
    if !headers.contains_key("hx-request") {
        return Ok(see(format!("/batches/{id}")).into_response());
    }
    let shown = load(&app, &signed, id, asked).await?;
    let status = if shown.is_moving() { StatusCode::OK } else { STOP_POLLING };
    Ok(html(status, shown.as_progress().render()?))
}

const TOO_LATE: &str = "It is too late for that: this batch has moved on. Nothing was changed.";

fn done(id: BatchId, outcome: Result<(), TooLate>, said: &'static str) -> Result<Response> {
    match outcome {
        Ok(()) => Ok(see(format!("/batches/{id}")).saying(said).into_response()),
        Err(TooLate) => Err(Error::Conflict(TOO_LATE.into())),
    }
}

async fn cancel(State(app): State<App>, signed: Signed, Path(id): Path<BatchId>) -> Result<Response> {
    exists(&app, &signed, id).await?;
    let outcome = manual::cancel(&app, signed.merchant, &signed.actor(&app), id).await?;
    done(id, outcome, "Taken back. Nothing was paid; everything in this batch is due again.")
}

async fn release(State(app): State<App>, signed: Signed, Path(id): Path<BatchId>) -> Result<Response> {
    exists(&app, &signed, id).await?;
    let outcome = manual::release_manual(&app, signed.merchant, &signed.actor(&app), id).await?;
    done(id, outcome, "Put back. Everything in this batch is due again.")
}

#[derive(Deserialize)]
struct Reference {
    reference: String,
}

async fn mark_paid(
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

async fn retry(State(app): State<App>, signed: Signed, Path(id): Path<BatchId>) -> Result<Response> {
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

async fn exists(app: &App, signed: &Signed, id: BatchId) -> Result<Batch> {
    let mut tx = signed.tx(app).await?;
    batches::show(&mut tx, id).await?.ok_or(Error::NotFound)
}

/// Every item of the batch, with all that is known.
async fn items_csv(State(app): State<App>, signed: Signed, Path(id): Path<BatchId>) -> Result<Response> {
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
        "PayPal item",
        "Transaction",
        "Our id",
    ];
    let name = format!("batch-{}.csv", batch.number);
    let zone = signed.time_zone.clone();
    let lines = portions(app, signed, id, move |item: Item| {
        let at = when(item.time_processed.unwrap_or(item.changed_at), &zone);
        let (_, word, sentence) = item_words(&item, &batch, &at);
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
            item.paypal_item_id.unwrap_or_default(),
            item.transaction_id.unwrap_or_default(),
            crate::id::sender_item_id(item.id),
        ]
    });
    Ok(export::csv(&name, &heading, lines))
}

/// The file for PayPal's mass payment page or another payer: address, amount, currency, our id.
async fn mass_payment_csv(State(app): State<App>, signed: Signed, Path(id): Path<BatchId>) -> Result<Response> {
    let batch = exists(&app, &signed, id).await?;
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
            let items = batches::items(&mut tx, id, None, after, PORTION).await?;
            let last = items.last().map(|item| item.id);
            let lines = items.into_iter().map(line).collect();
            Ok(last.map(|last| (lines, Some(Some(last)))))
        }
    })
}
