//! `/affiliate_payments/pay`: what is due, and the choice of what to pay.

mod chosen;

use super::export;
use super::waits::Waits;
use super::when::{When, day, when};
use super::{Error, Frame, Query, Result, Routes, Section, Signed, page, see};
use crate::app::App;
use crate::commission::due::{self, After, DueCommission, DueLine, Order, Totals};
use crate::connection;
use crate::money::{Currency, for_people};
use crate::payout::selection::{DueRow, Filter};
use crate::role::Role;
use askama::Template;
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use rust_decimal::Decimal;
use serde::Deserialize;
use time::format_description::well_known::Iso8601;
use time::{Date, OffsetDateTime};

/// Lines on one page.
const LINES: i64 = 50;
/// Lines that one portion of the export reads.
const PORTION: i64 = 1000;
const PAGE: &str = "/affiliate_payments/pay";

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .get(Role::Viewer, "/affiliate_payments", async || see(PAGE))
        .get(Role::Viewer, PAGE, index)
        .get(Role::Viewer, "/affiliate_payments/pay.csv", export_csv)
        .get(Role::Viewer, "/affiliate_payments/pay/commissions", commissions)
        .get(Role::Viewer, "/affiliate_payments/pay/sums", sums)
        .post(Role::Preparer, "/affiliate_payments/selections", chosen::select)
}

/// The query, all of it optional; the address of any page of any search can be shared.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Asked {
    through: String,
    q: String,
    minimum: String,
    currency: String,
    sort: String,
    after: String,
    open: String,
    /// Of an opened row: nothing of it can be ticked.
    fixed: String,
}

impl Asked {
    fn through(&self, today: Date) -> Date {
        Date::parse(self.through.trim(), &Iso8601::DATE).unwrap_or(today)
    }

    fn filter(&self) -> Filter {
        Filter {
            search: self.q.trim().to_owned(),
            currency: self.currency.parse().ok(),
            minimum: self.minimum.trim().parse().ok().filter(|minimum: &Decimal| *minimum > Decimal::ZERO),
        }
    }

    fn order(&self) -> Order {
        if self.sort == "name" { Order::Name } else { Order::Amount }
    }

    /// "currency affiliate key", as [`place`] writes it.
    fn after(&self) -> Option<After> {
        let (currency, rest) = self.after.split_once(' ')?;
        let (affiliate, key) = rest.split_once(' ')?;
        Some(After { currency: currency.parse().ok()?, affiliate: affiliate.parse().ok()?, key: key.to_owned() })
    }

    /// What is wrong with the minimum that was typed, if anything.
    fn minimum_problem(&self) -> &'static str {
        let minimum = self.minimum.trim();
        if minimum.is_empty() || minimum.parse::<Decimal>().is_ok_and(|minimum| minimum >= Decimal::ZERO) {
            ""
        } else {
            "Write the minimum with a point and no grouping, as in 20 or 20.50."
        }
    }

    fn is_filtered(&self) -> bool {
        !self.q.trim().is_empty() || !self.minimum.trim().is_empty() || !self.currency.is_empty()
    }

    /// The address of the same list with something else.
    fn address(&self, path: &str, changes: &[(&str, &str)]) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        let kept = [
            ("through", &self.through),
            ("q", &self.q),
            ("minimum", &self.minimum),
            ("currency", &self.currency),
            ("sort", &self.sort),
        ];
        for (name, value) in kept {
            if !value.is_empty() && !changes.iter().any(|(changed, _)| *changed == name) {
                query.append_pair(name, value);
            }
        }
        for (name, value) in changes.iter().filter(|(_, value)| !value.is_empty()) {
            query.append_pair(name, value);
        }
        let query = query.finish();
        if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
    }
}

/// A row's name in forms: "affiliate currency".
fn row_name(row: DueRow) -> String {
    format!("{} {}", row.affiliate, row.currency)
}

/// Reads a row's name; a name that no row has is no row.
pub(super) fn read_row(name: &str) -> Option<DueRow> {
    let (affiliate, currency) = name.split_once(' ')?;
    Some(DueRow { affiliate: affiliate.parse().ok()?, currency: currency.parse().ok()? })
}

/// The amount in its currency's scale.
fn exact(mut amount: Decimal, currency: Currency) -> Decimal {
    amount.rescale(currency.scale());
    amount
}

struct Line {
    due: DueLine,
    changed: Option<When>,
    /// Why nothing of it can be paid now.
    stopped: Option<String>,
    open: Option<Vec<DueCommission>>,
}

impl Line {
    fn row(&self) -> DueRow {
        DueRow { affiliate: self.due.affiliate, currency: self.due.currency }
    }

    fn name(&self) -> String {
        row_name(self.row())
    }

    fn amount(&self) -> String {
        for_people(self.due.amount, self.due.currency)
    }

    /// For sums in the browser.
    fn exact(&self) -> Decimal {
        exact(self.due.amount, self.due.currency)
    }

    /// The e-mail, where the line does not show it already.
    fn other_email(&self) -> Option<&str> {
        let email = self.due.email.as_deref()?;
        (email != self.due.name && self.due.receiver.as_deref() != Some(email)).then_some(email)
    }

    fn of(due: DueLine, open: Option<Vec<DueCommission>>, now: OffsetDateTime, zone: &str) -> Self {
        let changed = due.receiver_changed_at.map(|at| when(at, zone));
        let stopped = stopped(&due, now, zone);
        Self { due, changed, stopped, open }
    }

    /// Why PayPal cannot pay it.
    fn problem(&self) -> Option<&'static str> {
        self.due.problem.as_deref().filter(|_| self.stopped.is_none()).map(due::problem_words)
    }
}

/// Why the merchant's own rules stop a line: "USD 8.00 of 20.00; carries over", "Address changed 2 days ago; can be paid
/// from 3 May 2026".
fn stopped(due: &DueLine, now: OffsetDateTime, zone: &str) -> Option<String> {
    if !due.is_stopped() {
        return None;
    }
    if let Some(until) = due.held_until.filter(|until| *until > now) {
        return Some(held_words(due.receiver_changed_at, until, now, zone));
    }
    let minimum = for_people(due.minimum.unwrap_or_default(), due.currency);
    Some(format!("{} {} of {minimum}; carries over", due.currency, for_people(due.amount, due.currency)))
}

/// That an address changed, and from when on it can be paid to.
pub(super) fn held_words(
    changed: Option<OffsetDateTime>,
    until: OffsetDateTime,
    now: OffsetDateTime,
    zone: &str,
) -> String {
    let changed = match changed.map(|at| (now - at).whole_days()) {
        Some(..=0) => "Address changed today".to_owned(),
        Some(1) => "Address changed 1 day ago".to_owned(),
        Some(days) => format!("Address changed {days} days ago"),
        None => "Address changed".to_owned(),
    };
    format!("{changed}; can be paid from {}", when(until, zone).day)
}

#[derive(Template)]
#[template(path = "due/index.html")]
struct Index {
    frame: Frame,
    asked: Asked,
    through: Date,
    totals: Vec<Totals>,
    lines: Vec<Line>,
    first: String,
    next: String,
    connected: bool,
    /// Connected to a service through which nothing can be paid any more.
    legacy: bool,
    takes_files: bool,
    /// Why payments would wait now.
    waits: Vec<Waits>,
}

impl Index {
    fn through_iso(&self) -> String {
        self.through.to_string()
    }

    fn through_words(&self) -> String {
        day(self.through)
    }

    fn due(&self, totals: &Totals) -> String {
        for_people(totals.due, totals.currency)
    }

    fn upcoming(&self, totals: &Totals) -> String {
        for_people(totals.upcoming, totals.currency)
    }

    fn upcoming_commissions(&self) -> i64 {
        self.totals.iter().map(|total| total.upcoming_commissions).sum()
    }

    fn any_due(&self) -> bool {
        self.totals.iter().any(|total| total.due_commissions > 0)
    }

    /// For `aria-sort` of the two columns.
    fn order_of(&self, sort: &str) -> &'static str {
        match (self.asked.order(), sort) {
            (Order::Name, "name") => "ascending",
            (Order::Amount, "") => "descending",
            (Order::Name | Order::Amount, _) => "",
        }
    }

    fn sorted(&self, sort: &str) -> String {
        self.asked.address(PAGE, &[("sort", sort)])
    }

    fn export(&self) -> String {
        self.asked.address("/affiliate_payments/pay.csv", &[])
    }

    fn opened(&self, line: &Line) -> String {
        let open = if line.open.is_some() { String::new() } else { line.name() };
        self.asked.address(PAGE, &[("after", &self.asked.after), ("open", &open)])
    }

    fn fragment(&self, line: &Line) -> String {
        let fixed = if line.stopped.is_some() { "1" } else { "" };
        self.asked.address("/affiliate_payments/pay/commissions", &[("open", &line.name()), ("fixed", fixed)])
    }

    fn sums(&self) -> String {
        self.asked.address("/affiliate_payments/pay/sums", &[])
    }

    fn currencies(&self) -> Vec<Currency> {
        self.totals.iter().map(|total| total.currency).collect()
    }
}

async fn index(State(app): State<App>, signed: Signed, Query(asked): Query<Asked>) -> Result<Response> {
    let now = app.clock.now();
    let through = asked.through(signed.today(&app));
    let mut tx = signed.tx(&app).await?;
    let totals = due::totals(&mut tx, through).await?;
    // One more than is shown tells whether there is a page beyond.
    let mut found =
        due::lines(&mut tx, &asked.filter(), (through, now), asked.order(), asked.after().as_ref(), LINES + 1).await?;
    let more = found.len() as i64 > LINES;
    found.truncate(usize::try_from(LINES).expect("a page is small"));
    let next = found.last().filter(|_| more).map(|last| asked.address(PAGE, &[("after", &place(last, asked.order()))]));
    let opened = read_row(&asked.open);
    let mut lines = Vec::new();
    for due in found {
        let row = DueRow { affiliate: due.affiliate, currency: due.currency };
        let open = if opened == Some(row) { Some(due::commissions(&mut tx, row, through).await?) } else { None };
        lines.push(Line::of(due, open, now, &signed.time_zone));
    }
    let connected = connection::in_force(&mut tx).await?.is_some();
    let legacy = connection::legacy::in_force(&mut tx).await?.is_some();
    let takes_files = connection::dropzone::in_force(&mut tx).await?.is_some();
    let pauses = connection::pause::all(&mut tx).await?;
    let first = if asked.after.is_empty() { String::new() } else { asked.address(PAGE, &[]) };
    let shown = Index {
        frame: signed.frame(Section::Commissions),
        through,
        totals,
        lines,
        first,
        next: next.unwrap_or_default(),
        connected,
        legacy,
        takes_files,
        waits: pauses.iter().map(|pause| Waits::of(&app, pause, &signed.time_zone)).collect(),
        asked,
    };
    page(&shown)
}

fn place(line: &DueLine, order: Order) -> String {
    let key = match order {
        Order::Amount => line.amount.to_string(),
        Order::Name => line.sort_name.clone(),
    };
    format!("{} {} {key}", line.currency, line.affiliate)
}

#[derive(Template)]
#[template(path = "due/commissions.html")]
struct Commissions {
    commissions: Vec<DueCommission>,
    of: String,
    may_prepare: bool,
}

/// The single commissions of one row, for the place below it.
async fn commissions(State(app): State<App>, signed: Signed, Query(asked): Query<Asked>) -> Result<Response> {
    let row = read_row(&asked.open).ok_or(Error::NotFound)?;
    let mut tx = signed.tx(&app).await?;
    let commissions = due::commissions(&mut tx, row, asked.through(signed.today(&app))).await?;
    page(&Commissions {
        commissions,
        of: row_name(row),
        may_prepare: signed.role >= Role::Preparer && asked.fixed.is_empty(),
    })
}

/// The sums of everything that matches and PayPal can pay, for the words of the selection bar: amounts are text, exact.
async fn sums(State(app): State<App>, signed: Signed, Query(asked): Query<Asked>) -> Result<Response> {
    let mut tx = signed.tx(&app).await?;
    let at = (asked.through(signed.today(&app)), app.clock.now());
    let sums = due::payable_sums(&mut tx, &asked.filter(), at).await?;
    let rows: i64 = sums.iter().map(|(_, rows, _)| rows).sum();
    let sums: Vec<_> = sums.iter().map(|(currency, _, amount)| (currency, exact(*amount, *currency))).collect();
    Ok(Json(serde_json::json!({ "rows": rows, "sums": sums })).into_response())
}

/// The list with its filter, for spreadsheets. It changes nothing.
async fn export_csv(State(app): State<App>, signed: Signed, Query(asked): Query<Asked>) -> Result<Response> {
    let (through, now) = (asked.through(signed.today(&app)), app.clock.now());
    let heading = ["Affiliate", "Email", "PayPal address", "Currency", "Commissions", "Due", "Status"];
    let pages = futures_util::stream::try_unfold(Some(None), move |state: Option<Option<After>>| {
        let (app, signed, asked) = (app.clone(), signed.clone(), asked.clone());
        async move {
            let Some(after) = state else { return Ok(None) };
            let mut tx = signed.tx(&app).await?;
            let lines =
                due::lines(&mut tx, &asked.filter(), (through, now), Order::Name, after.as_ref(), PORTION).await?;
            let more = lines.len() as i64 == PORTION;
            let last = lines.last().filter(|_| more).map(|line| After {
                currency: line.currency,
                key: line.sort_name.clone(),
                affiliate: line.affiliate,
            });
            let rows = lines.into_iter().map(|line| csv_row(line, now, &signed.time_zone)).collect::<Vec<_>>();
            Ok::<_, sqlx::Error>(Some((rows, last.map(Some))))
        }
    });
    Ok(export::csv(&format!("commissions-due-{through}.csv"), &heading, pages))
}

fn csv_row(line: DueLine, now: OffsetDateTime, zone: &str) -> export::Line {
    let stopped = stopped(&line, now, zone);
    vec![
        line.name,
        line.email.unwrap_or_default(),
        line.receiver.unwrap_or_default(),
        line.currency.to_string(),
        line.commissions.to_string(),
        exact(line.amount, line.currency).to_string(),
        stopped.unwrap_or_else(|| line.problem.as_deref().map_or("Ready", due::problem_words).to_owned()),
    ]
}
