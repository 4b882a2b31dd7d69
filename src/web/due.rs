//! `/affiliate_payments/pay`: what is due, and the choice of what to pay.

use super::export;
use super::waits::Waits;
use super::when::{When, day, when};
use super::{Error, Form, Frame, Query, Result, Routes, Section, Signed, Tone, page, see};
use crate::app::App;
use crate::commission::due::{self, After, DueCommission, DueLine, Order, Totals};
use crate::connection;
use crate::id::CommissionId;
use crate::money::{Currency, for_people};
use crate::payout::selection::{self, DueRow, Filter, Ticked};
use crate::role::Role;
use askama::Template;
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use rust_decimal::Decimal;
use serde::Deserialize;
use time::Date;
use time::format_description::well_known::Iso8601;

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
        .post(Role::Preparer, "/affiliate_payments/selections", select)
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

    fn problem(&self) -> Option<&'static str> {
        self.due.problem.as_deref().map(due::problem_words)
    }
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
        self.asked.address("/affiliate_payments/pay/commissions", &[("open", &line.name())])
    }

    fn sums(&self) -> String {
        self.asked.address("/affiliate_payments/pay/sums", &[])
    }

    fn currencies(&self) -> Vec<Currency> {
        self.totals.iter().map(|total| total.currency).collect()
    }
}

async fn index(State(app): State<App>, signed: Signed, Query(asked): Query<Asked>) -> Result<Response> {
    let today = signed.today(&app);
    let through = asked.through(today);
    let mut tx = signed.tx(&app).await?;
    let totals = due::totals(&mut tx, through).await?;
    // One more than is shown tells whether there is a page beyond.
    let mut found =
        due::lines(&mut tx, &asked.filter(), through, asked.order(), asked.after().as_ref(), LINES + 1).await?;
    let more = found.len() as i64 > LINES;
    found.truncate(usize::try_from(LINES).expect("a page is small"));
    let next = found.last().filter(|_| more).map(|last| asked.address(PAGE, &[("after", &place(last, asked.order()))]));
    let opened = read_row(&asked.open);
    let mut lines = Vec::new();
    for due in found {
        let row = DueRow { affiliate: due.affiliate, currency: due.currency };
        let open = if opened == Some(row) { Some(due::commissions(&mut tx, row, through).await?) } else { None };
        let changed = due.receiver_changed_at.map(|at| when(at, &signed.time_zone));
        lines.push(Line { due, changed, open });
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
    page(&Commissions { commissions, of: row_name(row), may_prepare: signed.role >= Role::Preparer })
}

/// The sums of everything that matches and PayPal can pay, for the words of the selection bar: amounts are text, exact.
async fn sums(State(app): State<App>, signed: Signed, Query(asked): Query<Asked>) -> Result<Response> {
    let mut tx = signed.tx(&app).await?;
    let sums = due::payable_sums(&mut tx, &asked.filter(), asked.through(signed.today(&app))).await?;
    let rows: i64 = sums.iter().map(|(_, rows, _)| rows).sum();
    let sums: Vec<_> = sums.iter().map(|(currency, _, amount)| (currency, exact(*amount, *currency))).collect();
    Ok(Json(serde_json::json!({ "rows": rows, "sums": sums })).into_response())
}

/// What was ticked, as the form sends it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Chosen {
    how: String,
    all: String,
    row: Vec<String>,
    except: Vec<String>,
    commission: Vec<CommissionId>,
    through: String,
    q: String,
    minimum: String,
    currency: String,
    sort: String,
}

impl Chosen {
    fn asked(&self) -> Asked {
        Asked {
            through: self.through.clone(),
            q: self.q.clone(),
            minimum: self.minimum.clone(),
            currency: self.currency.clone(),
            sort: self.sort.clone(),
            ..Asked::default()
        }
    }

    fn ticked(&self) -> Ticked {
        let rows = |names: &[String]| names.iter().filter_map(|name| read_row(name)).collect();
        if self.all.is_empty() {
            return Ticked::These { rows: rows(&self.row), commissions: self.commission.clone() };
        }
        let except = rows(&self.except);
        Ticked::AllBut { filter: self.asked().filter(), except, payable_only: self.how != "manual" }
    }
}

/// Freezes the choice and leads to its review. Nothing is paid here.
async fn select(State(app): State<App>, signed: Signed, Form(chosen): Form<Chosen>) -> Result<Response> {
    let how = match chosen.how.as_str() {
        how @ ("paypal" | "file" | "manual" | "export") => how,
        _ => return Err(Error::Invalid("Choose how to pay. Nothing was paid.".into())),
    };
    let asked = chosen.asked();
    let through = asked.through(signed.today(&app));
    let mut tx = signed.tx(&app).await?;
    let selected = selection::select(&mut tx, &signed.actor(&app), through, &chosen.ticked()).await?;
    let Some(id) = selected else {
        let nothing = "Tick at least one affiliate who is owed something by then. Nothing was paid.";
        return Ok(see(asked.address(PAGE, &[])).with(Tone::Warning, nothing).into_response());
    };
    tx.commit().await?;
    Ok(see(format!("/payouts/new/{id}?how={how}")).into_response())
}

/// The list with its filter, for spreadsheets. It changes nothing.
async fn export_csv(State(app): State<App>, signed: Signed, Query(asked): Query<Asked>) -> Result<Response> {
    let through = asked.through(signed.today(&app));
    let heading = ["Affiliate", "Email", "PayPal address", "Currency", "Commissions", "Due", "Status"];
    let pages = futures_util::stream::try_unfold(Some(None), move |state: Option<Option<After>>| {
        let (app, signed, asked) = (app.clone(), signed.clone(), asked.clone());
        async move {
            let Some(after) = state else { return Ok(None) };
            let mut tx = signed.tx(&app).await?;
            let lines = due::lines(&mut tx, &asked.filter(), through, Order::Name, after.as_ref(), PORTION).await?;
            let more = lines.len() as i64 == PORTION;
            let last = lines.last().filter(|_| more).map(|line| After {
                currency: line.currency,
                key: line.sort_name.clone(),
                affiliate: line.affiliate,
            });
            let rows = lines.into_iter().map(csv_row).collect::<Vec<_>>();
            Ok::<_, sqlx::Error>(Some((rows, last.map(Some))))
        }
    });
    Ok(export::csv(&format!("commissions-due-{through}.csv"), &heading, pages))
}

fn csv_row(line: DueLine) -> export::Line {
    vec![
        line.name,
        line.email.unwrap_or_default(),
        line.receiver.unwrap_or_default(),
        line.currency.to_string(),
        line.commissions.to_string(),
        exact(line.amount, line.currency).to_string(),
        line.problem.as_deref().map_or("Ready", due::problem_words).to_owned(),
    ]
}
