//! Upcoming, Processing and All Commissions, each with its export.

use crate::app::App;
use crate::commission::{self, Filter, Listed, Place, Standing, Which};
use crate::id::CommissionId;
use crate::money::{Currency, for_people};
use crate::web::error::Result;
use crate::web::page::{Frame, Section, page};
use crate::web::pages::{PAGE, address, counted, cut, place};
use crate::web::when::{day, read_day};
use crate::web::{Query, Signed, export};
use askama::Template;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use futures_util::stream;
use serde::Deserialize;
use time::Date;

/// Commissions in one portion of an export.
const PORTION: i64 = 5000;

/// The query of a list, all of it optional.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    q: String,
    standing: String,
    currency: String,
    from: String,
    through: String,
    after: Option<CommissionId>,
    before: Option<CommissionId>,
}

impl Asked {
    fn filter(&self, tab: Tab, today: Date) -> Filter {
        Filter {
            which: tab.which(self),
            search: self.q.clone(),
            currency: self.currency.parse().ok(),
            due: (read_day(&self.from), read_day(&self.through)),
            today,
        }
    }

    /// The address of the same list with something beside.
    fn address(&self, path: &str, beside: (&str, &str)) -> String {
        let kept = [
            ("q", self.q.trim()),
            ("standing", &self.standing),
            ("currency", &self.currency),
            ("from", &self.from),
            ("through", &self.through),
            beside,
        ];
        address(path, &kept)
    }

    /// The fields that the form keeps unseen.
    fn kept(&self) -> [(&'static str, &str); 3] {
        [("currency", &self.currency), ("from", &self.from), ("through", &self.through)]
    }

    /// What the list is narrowed to beside its own fields, in words: "USD, due from 1 Jan 2026".
    fn narrowed(&self) -> String {
        let currency = self.currency.parse::<Currency>().ok().map(|currency| currency.to_string());
        let from = read_day(&self.from).map(|from| format!("due from {}", day(from)));
        let through = read_day(&self.through).map(|through| format!("due through {}", day(through)));
        [currency, from, through].into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

/// One of the lists as a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tab {
    Upcoming,
    Processing,
    All,
}

impl Tab {
    fn name(self) -> &'static str {
        match self {
            Tab::Upcoming => "upcoming",
            Tab::Processing => "processing",
            Tab::All => "all",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Tab::Upcoming => "Upcoming",
            Tab::Processing => "Processing",
            Tab::All => "All Commissions",
        }
    }

    fn path(self) -> String {
        format!("/affiliate_payments/{}", self.name())
    }

    fn which(self, asked: &Asked) -> Which {
        match self {
            Tab::Upcoming => Which::Upcoming,
            Tab::Processing => Which::Processing,
            Tab::All => Which::All(Standing::named(&asked.standing)),
        }
    }
}

#[derive(Template)]
#[template(path = "commissions/list.html", blocks = ["results"])]
struct List {
    frame: Frame,
    tab: Tab,
    asked: Asked,
    rows: Vec<Listed>,
    sums: String,
    previous: String,
    next: String,
}

impl List {
    fn filtered(&self) -> bool {
        !self.asked.q.trim().is_empty()
            || !self.asked.narrowed().is_empty()
            || (self.tab == Tab::All && Standing::named(&self.asked.standing).is_some())
    }

    fn standings(&self) -> [Standing; 8] {
        Standing::ALL
    }

    fn export(&self) -> String {
        self.asked.address(&format!("{}.csv", self.tab.path()), ("", ""))
    }

    /// Whether rows can be ticked, to be cancelled.
    fn can_cancel(&self) -> bool {
        self.frame.may_prepare() && self.rows.iter().any(|row| row.standing.is_owed())
    }

    fn nothing(&self) -> (&'static str, &'static str) {
        match self.tab {
            Tab::Upcoming => ("Nothing is upcoming", "Commissions with a later due date wait here until their day."),
            Tab::Processing => (
                "Nothing is being paid",
                "Commissions appear here from the moment they are sent until they have arrived.",
            ),
            Tab::All => ("No commissions yet", "Add one by hand, or import what your shop recorded as a CSV file."),
        }
    }

    fn due_on(&self, row: &Listed) -> String {
        day(row.due_on)
    }

    fn amount(&self, row: &Listed) -> String {
        for_people(row.amount, row.currency)
    }

    /// The amount in plain digits, for the sums of what is ticked.
    fn plain(&self, row: &Listed) -> String {
        plain(row)
    }
}

/// In the currency's own scale, without grouping.
fn plain(row: &Listed) -> String {
    let mut amount = row.amount;
    amount.rescale(row.currency.scale());
    amount.to_string()
}

pub(super) async fn upcoming(
    app: State<App>,
    signed: Signed,
    headers: HeaderMap,
    asked: Query<Asked>,
) -> Result<Response> {
    show(&app, &signed, &headers, asked.0, Tab::Upcoming).await
}

pub(super) async fn processing(
    app: State<App>,
    signed: Signed,
    headers: HeaderMap,
    asked: Query<Asked>,
) -> Result<Response> {
    show(&app, &signed, &headers, asked.0, Tab::Processing).await
}

pub(super) async fn all(app: State<App>, signed: Signed, headers: HeaderMap, asked: Query<Asked>) -> Result<Response> {
    show(&app, &signed, &headers, asked.0, Tab::All).await
}

async fn show(app: &App, signed: &Signed, headers: &HeaderMap, asked: Asked, tab: Tab) -> Result<Response> {
    let today = signed.today(app);
    let filter = asked.filter(tab, today);
    let place = place(asked.after, asked.before);
    let mut tx = signed.tx(app).await?;
    let mut rows = commission::list(&mut tx, &filter, place, PAGE + 1).await?;
    let (before, behind) = cut(&mut rows, place, |row| row.id);
    let sums = match tab {
        Tab::Upcoming => sums(&commission::upcoming(&mut tx, today).await?),
        Tab::Processing | Tab::All => String::new(),
    };
    let beside = |name: &str, id: Option<CommissionId>| {
        id.map(|id| asked.address(&tab.path(), (name, &id.to_string()))).unwrap_or_default()
    };
    let (previous, next) = (beside("before", before), beside("after", behind));
    let template = List { frame: signed.frame(Section::Commissions), tab, asked, rows, sums, previous, next };
    if headers.contains_key("hx-request") { page(&template.as_results()) } else { page(&template) }
}

/// "1,204 commissions: EUR 210.00, USD 4,310.20"
fn sums(sums: &[commission::Sum]) -> String {
    if sums.is_empty() {
        return String::new();
    }
    let count = sums.iter().map(|sum| sum.commissions).sum();
    let amounts: Vec<String> =
        sums.iter().map(|sum| format!("{} {}", sum.currency, for_people(sum.amount, sum.currency))).collect();
    format!("{}: {}", counted(count, "commission", "commissions"), amounts.join(", "))
}

pub(super) async fn export_upcoming(app: State<App>, signed: Signed, asked: Query<Asked>) -> Response {
    exported(app.0, signed, &asked.0, Tab::Upcoming)
}

pub(super) async fn export_processing(app: State<App>, signed: Signed, asked: Query<Asked>) -> Response {
    exported(app.0, signed, &asked.0, Tab::Processing)
}

pub(super) async fn export_all(app: State<App>, signed: Signed, asked: Query<Asked>) -> Response {
    exported(app.0, signed, &asked.0, Tab::All)
}

const HEADING: [&str; 11] = [
    "Reference",
    "Affiliate",
    "Affiliate email",
    "Amount",
    "Currency",
    "Due date",
    "Standing",
    "Paid on",
    "Batch",
    "Note",
    "Cancelled because",
];

/// Each portion is a transaction of its own: a slow download holds no connection.
fn exported(app: App, signed: Signed, asked: &Asked, tab: Tab) -> Response {
    let today = signed.today(&app);
    let filter = asked.filter(tab, today);
    let name = format!("commissions-{}-{today}.csv", tab.name());
    let portions = stream::try_unfold(Some(Place::Start), move |place| {
        let (app, signed, filter) = (app.clone(), signed.clone(), filter.clone());
        async move {
            let Some(place) = place else { return Ok(None) };
            let mut tx = signed.tx(&app).await?;
            let rows = commission::list(&mut tx, &filter, place, PORTION).await?;
            let next = rows.last().map(|last| Place::After(last.id));
            Ok::<_, sqlx::Error>(next.map(|next| (rows.into_iter().map(line).collect(), Some(next))))
        }
    });
    export::csv(&name, &HEADING, portions)
}

fn line(row: Listed) -> export::Line {
    vec![
        row.reference.clone(),
        row.name.clone(),
        row.email.clone().unwrap_or_default(),
        plain(&row),
        row.currency.code().to_owned(),
        row.due_on.to_string(),
        row.standing.words().to_owned(),
        row.paid_before_on.map(|day| day.to_string()).unwrap_or_default(),
        row.batch_number.map(|number| number.to_string()).unwrap_or_default(),
        row.note,
        row.cancelled_why.unwrap_or_default(),
    ]
}
