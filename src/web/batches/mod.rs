//! `/batches`: what was paid and is being paid, live.

mod actions;
mod files;
mod item;
mod large;
mod large_actions;
mod resolution;
mod statement;
mod words;

use super::waits::Waits;
use super::when::{When, when};
use super::{Error, Frame, Path, Query, Result, Routes, Section, Signed, html, page, see};
use crate::app::App;
use crate::id::{BatchId, ItemId};
use crate::money::for_people;
use crate::payout::batch::{BatchState, Rail, is_slow};
use crate::payout::batches::{self, Batch, HistoryLine};
use crate::payout::item::{NotPaid, Wait};
use crate::payout::items::{self, Item};
use crate::payout::reason::{self, Fix};
use crate::role::Role;
use askama::Template;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use large::Large;
use rust_decimal::Decimal;
use serde::Deserialize;
pub(in crate::web) use words::{Told, state};
use words::{history_words, item_words, rail, sentence};

/// Batches on one page.
const BATCHES: i64 = 50;
/// Items on one page.
const ITEMS: i64 = 100;
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
        .get(Role::Viewer, "/batches/{id}/items.csv", files::items_csv)
        .get(Role::Viewer, "/batches/{id}/statement", statement::show)
        .get(Role::Viewer, "/batches/{id}/mass-payment.csv", files::mass_payment_csv)
        .post(Role::Approver, "/batches/{id}/cancellation", actions::cancel)
        .post(Role::Approver, "/batches/{id}/payment", actions::mark_paid)
        .post(Role::Approver, "/batches/{id}/release", actions::release)
        .post(Role::Preparer, "/batches/{id}/retry", actions::retry)
        .with(large_actions::routes)
        .with(resolution::routes)
        .post(Role::Approver, "/batches/{id}/unclaimed/cancellation", item::cancel_all)
        .get(Role::Viewer, "/batches/{id}/items/{item}", item::show)
        .post(Role::Approver, "/batches/{id}/items/{item}/cancellation", item::cancel)
        .post(Role::Approver, "/batches/{id}/items/{item}/decision", item::decide)
        .post(Role::Approver, "/batches/{id}/items/{item}/clearance", item::clear)
        .post(Role::Preparer, "/batches/{id}/items/{item}/retry", item::retry)
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
    told: (&'static str, &'static str, String),
}

impl ItemRow {
    fn of(item: Item, batch: &Batch, zone: &str) -> Self {
        Self { told: item_words(&item, batch, zone), item }
    }

    fn amount(&self) -> String {
        for_people(self.item.amount, self.item.currency)
    }

    /// What PayPal took, in its currency.
    fn fee(&self) -> Option<(&str, String)> {
        let code = self.item.fee_currency.as_deref()?;
        let fee = self.item.fee.filter(|fee| *fee > Decimal::ZERO)?;
        // PayPal may charge in a currency that it does not pay out.
        let words = code.parse().map_or_else(|_| fee.normalize().to_string(), |currency| for_people(fee, currency));
        Some((code, words))
    }

    /// What the link to the item says.
    fn next_step(&self) -> &'static str {
        let item = &self.item;
        let fix = item.error_name.as_deref().map(|name| reason::of_item(name, "").fix);
        match (item.not_paid, fix) {
            _ if item.flagged.is_some() || item.waits_for_a_decision() => "Look and decide",
            _ if item.can_be_cancelled() => "Remind, or take back",
            _ if item.wait == Some(Wait::Unclaimed) && item.is_by_file => "Remind",
            (Some(NotPaid::Returned), _) | (Some(NotPaid::Failed), Some(Fix::Address)) => "Correct, and pay again",
            (Some(NotPaid::Failed), Some(fix)) => fix.label(),
            (_, _) => "Details",
        }
    }
}

#[derive(Template)]
#[template(path = "payouts/show.html", blocks = ["progress"])]
struct Show {
    frame: Frame,
    batch: Batch,
    created: When,
    look: Option<When>,
    waits: Option<Waits>,
    items: Vec<ItemRow>,
    next: Option<ItemId>,
    first: bool,
    state: String,
    history: Vec<(HistoryLine, When)>,
    is_slow: bool,
    /// Sums by outcome.
    amounts: Vec<(String, Decimal)>,
    file: Option<Large>,
}

/// Lines of history with their times for people.
fn dated(lines: Vec<HistoryLine>, zone: &str) -> Vec<(HistoryLine, When)> {
    lines.into_iter().map(|line| (line.clone(), when(line.at, zone))).collect()
}

impl Show {
    fn told(&self) -> Told {
        self.file.as_ref().and_then(|file| file.told(&self.batch)).unwrap_or_else(|| state(&self.batch))
    }

    /// A file that nobody has let go, or that waits for its time.
    fn can_be_uploaded(&self) -> bool {
        let waits = self.file.as_ref().is_some_and(|file| file.scheduled.is_some());
        let is_prepared = self.batch.state == BatchState::Prepared && !self.batch.waits_for_approval;
        self.file.is_some() && (is_prepared || waits)
    }

    fn total(&self) -> String {
        for_people(self.batch.total, self.batch.currency)
    }

    fn method(&self) -> String {
        let rail = rail(&self.batch);
        match self.batch.rail {
            Rail::Api | Rail::File => format!("{rail}, {}", self.batch.environment.name()),
            Rail::Manual => rail.to_owned(),
        }
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
        let of_file = self.file.as_ref().and_then(|file| file.sentence(&self.batch));
        of_file.unwrap_or_else(|| sentence(&self.batch, self.is_slow))
    }

    fn is_through_paypal(&self) -> bool {
        self.batch.rail != Rail::Manual
    }

    /// Whether the page should go on asking for news.
    fn is_moving(&self) -> bool {
        match self.batch.state {
            BatchState::Ready => self.file.as_ref().is_none_or(|file| file.scheduled.is_none()),
            BatchState::Submitting => true,
            BatchState::Accepted => self.batch.settled_at.is_none(),
            BatchState::Prepared
            | BatchState::Closed
            | BatchState::Refused
            | BatchState::Stuck
            | BatchState::Cancelled
            | BatchState::Exported => false,
        }
    }

    fn is_stuck(&self) -> bool {
        self.batch.state == BatchState::Stuck
    }

    fn can_cancel(&self) -> bool {
        self.is_through_paypal()
            && matches!(self.batch.state, BatchState::Prepared | BatchState::Ready)
            && self.batch.doubted_at.is_none()
            && !self.batch.waits_for_approval
    }

    fn can_release(&self) -> bool {
        self.batch.rail == Rail::Manual && matches!(self.batch.state, BatchState::Exported | BatchState::Closed)
    }

    fn is_exported(&self) -> bool {
        self.batch.state == BatchState::Exported
    }

    fn can_take_back(&self) -> bool {
        self.is_api() && self.batch.unclaimed > 0 && self.batch.settled_at.is_some()
    }

    fn retry_words(&self) -> &'static str {
        let rejected = self.file.is_some() && self.batch.state == BatchState::Refused;
        if rejected { "Make a corrected file" } else { "Review and pay the rest" }
    }

    fn can_retry(&self) -> bool {
        self.is_through_paypal() && self.batch.unpaid > 0 && !self.is_moving()
    }

    /// The steps of the batch: state and word.
    fn steps(&self) -> Vec<(&'static str, String)> {
        let b = &self.batch;
        if let Some(file) = &self.file {
            return file.steps(b);
        }
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
        let steps =
            [("done", "Prepared"), (handed, "Handed to PayPal"), (paying, "PayPal is paying"), (finished, "Finished")];
        steps.map(|(state, word)| (state, word.to_owned())).into()
    }

    fn filter(&self, state: &str) -> String {
        if state.is_empty() {
            format!("/batches/{}", self.batch.id)
        } else {
            format!("/batches/{}?state={state}", self.batch.id)
        }
    }

    /// How much an outcome comes to.
    fn amount_of(&self, state: &str) -> Option<String> {
        let sum: Decimal = self.amounts.iter().filter(|(outcome, _)| outcome == state).map(|(_, amount)| *amount).sum();
        (sum > Decimal::ZERO).then(|| for_people(sum, self.batch.currency))
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
            ("queued", "Not mentioned", self.file.as_ref().map_or(0, |file| file.unmentioned(b))),
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
    let mut found = items::items(&mut tx, id, wanted, asked.after, ITEMS + 1).await?;
    let more = found.len() as i64 > ITEMS;
    found.truncate(usize::try_from(ITEMS).expect("a page is small"));
    let next = found.last().filter(|_| more).map(|item| item.id);
    let zone = &signed.time_zone;
    let items = found.into_iter().map(|item| ItemRow::of(item, &batch, zone)).collect();
    let history = batches::history(&mut tx, id).await?;
    let waits = Waits::of_batch(app, &mut tx, &batch, zone).await?;
    let file = Large::load(app, &mut tx, &batch, zone).await?;
    let amounts = batches::amounts(&mut tx, id).await?;
    Ok(Show {
        frame: signed.frame(Section::Payouts),
        created: when(batch.created_at, zone),
        look: batch.look_at.filter(|_| batch.rail != Rail::File).map(|at| when(at, zone)),
        waits,
        items,
        next,
        first: asked.after.is_none(),
        history: dated(history, zone),
        is_slow: is_slow(batch.accepted_at, batch.settled_at, app.clock.now()),
        state: asked.state,
        amounts,
        file,
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

/// The batch, if this merchant has it.
async fn exists(app: &App, signed: &Signed, id: BatchId) -> Result<Batch> {
    let mut tx = signed.tx(app).await?;
    batches::show(&mut tx, id).await?.ok_or(Error::NotFound)
}
