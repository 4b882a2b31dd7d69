//! `/affiliates` and its export.

use crate::affiliate::{self, Due, Filter, Listed, Place, Sort, Status};
use crate::app::App;
use crate::id::AffiliateId;
use crate::web::error::Result;
use crate::web::page::{Frame, Section, page};
use crate::web::when::{When, when};
use crate::web::{Query, Signed, export};
use askama::Template;
use axum::extract::State;
use axum::response::Response;
use futures_util::stream;
use serde::Deserialize;

/// Affiliates on one page.
const PAGE: i64 = 50;
/// Affiliates in one portion of the export.
const PORTION: i64 = 1000;

/// The query of the list, all of it optional. The address of any page of any search can be shared.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    q: String,
    status: String,
    sort: Sort,
    after: Option<AffiliateId>,
    before: Option<AffiliateId>,
}

impl Asked {
    /// Only active affiliates, unless others are asked for.
    fn filter(&self) -> Filter {
        let status = match self.status.as_str() {
            "archived" => Some(Status::Archived),
            "all" => None,
            _ => Some(Status::Active),
        };
        Filter { search: self.q.trim().to_owned(), status, sort: self.sort }
    }

    fn place(&self) -> Place {
        match (self.after, self.before) {
            (Some(after), _) => Place::After(after),
            (None, Some(before)) => Place::Before(before),
            (None, None) => Place::Start,
        }
    }

    /// The address of the same search with something else.
    fn address(&self, path: &str, sort: Sort, place: Place) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        if !self.q.trim().is_empty() {
            query.append_pair("q", self.q.trim());
        }
        if matches!(self.status.as_str(), "archived" | "all") {
            query.append_pair("status", &self.status);
        }
        if sort != Sort::Name {
            query.append_pair("sort", sort.name());
        }
        match place {
            Place::Start => {}
            Place::After(id) => drop(query.append_pair("after", &id.to_string())),
            Place::Before(id) => drop(query.append_pair("before", &id.to_string())),
        }
        let query = query.finish();
        if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
    }
}

struct Row {
    affiliate: Listed,
    due: Vec<Due>,
    added: When,
}

#[derive(Template)]
#[template(path = "affiliates/index.html", blocks = ["results"])]
struct Index {
    frame: Frame,
    asked: Asked,
    rows: Vec<Row>,
    shown: String,
    previous: String,
    next: String,
}

impl Index {
    fn filtered(&self) -> bool {
        !self.asked.q.trim().is_empty() || self.asked.status == "archived"
    }

    /// A heading's link: this order, or the other way round when it is in force.
    fn sorted(&self, one: Sort, other: Sort) -> String {
        let wanted = if self.asked.sort == one { other } else { one };
        self.asked.address("/affiliates", wanted, Place::Start)
    }

    fn by_name(&self) -> String {
        self.sorted(Sort::Name, Sort::NameDescending)
    }

    fn by_age(&self) -> String {
        self.sorted(Sort::Newest, Sort::Oldest)
    }

    /// For `aria-sort` of the two columns.
    fn name_order(&self) -> &'static str {
        match self.asked.sort {
            Sort::Name => "ascending",
            Sort::NameDescending => "descending",
            Sort::Newest | Sort::Oldest => "",
        }
    }

    fn age_order(&self) -> &'static str {
        match self.asked.sort {
            Sort::Oldest => "ascending",
            Sort::Newest => "descending",
            Sort::Name | Sort::NameDescending => "",
        }
    }

    fn export(&self) -> String {
        self.asked.address("/affiliates.csv", self.asked.sort, Place::Start)
    }
}

pub(super) async fn index(
    State(app): State<App>,
    signed: Signed,
    headers: axum::http::HeaderMap,
    Query(asked): Query<Asked>,
) -> Result<Response> {
    let filter = asked.filter();
    let mut tx = signed.tx(&app).await?;
    let count = affiliate::count(&mut tx, &filter).await?;
    // One more than is shown tells whether there is a page beyond.
    let mut listed = affiliate::list(&mut tx, &filter, asked.place(), PAGE + 1).await?;
    let (previous, next) = neighbours(&asked, &mut listed);
    let ids: Vec<AffiliateId> = listed.iter().map(|affiliate| affiliate.id).collect();
    let mut due = affiliate::due(&mut tx, &ids, signed.today(&app)).await?;
    let rows: Vec<Row> = listed
        .into_iter()
        .map(|affiliate| Row {
            due: due.extract_if(.., |due| due.affiliate == affiliate.id).collect(),
            added: when(affiliate.created_at, &signed.time_zone),
            affiliate,
        })
        .collect();
    let shown = match count {
        1 => "1 affiliate".to_owned(),
        count => format!("{} affiliates", grouped(count)),
    };
    let template = Index { frame: signed.frame(Section::Affiliates), asked, rows, shown, previous, next };
    if headers.contains_key("hx-request") { page(&template.as_results()) } else { page(&template) }
}

/// Cuts the list to a page, and gives the addresses of the pages beside it.
fn neighbours(asked: &Asked, listed: &mut Vec<Listed>) -> (String, String) {
    let page = usize::try_from(PAGE).expect("a page is small");
    let more = listed.len() > page;
    let backwards = matches!(asked.place(), Place::Before(_));
    if more {
        if backwards { drop(listed.drain(..listed.len() - page)) } else { listed.truncate(page) }
    }
    let (first, last) = (listed.first().map(|one| one.id), listed.last().map(|one| one.id));
    let before = match asked.place() {
        Place::Start => false,
        Place::After(_) => true,
        Place::Before(_) => more,
    };
    let link = |there: bool, place: Option<Place>| match place {
        Some(place) if there => asked.address("/affiliates", asked.sort, place),
        Some(_) | None => String::new(),
    };
    (link(before, first.map(Place::Before)), link(more || backwards, last.map(Place::After)))
}

fn grouped(count: i64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

pub(super) async fn export(State(app): State<App>, signed: Signed, Query(asked): Query<Asked>) -> Result<Response> {
    let heading = ["First name", "Last name", "Email", "Affiliate code", "PayPal email", "Status", "Added", "Due"];
    let name = format!("affiliates-{}.csv", signed.today(&app));
    // Each portion is a transaction of its own: a slow download holds no connection.
    let portions = stream::try_unfold(Some(Place::Start), move |place| {
        let (app, signed, filter) = (app.clone(), signed.clone(), asked.filter());
        async move {
            let Some(place) = place else { return Ok(None) };
            let mut tx = signed.tx(&app).await?;
            let listed = affiliate::list(&mut tx, &filter, place, PORTION).await?;
            let ids: Vec<AffiliateId> = listed.iter().map(|affiliate| affiliate.id).collect();
            let due = affiliate::due(&mut tx, &ids, signed.today(&app)).await?;
            let next = listed.last().map(|last| Place::After(last.id));
            let lines = listed.into_iter().map(|affiliate| line(affiliate, &due, &signed.time_zone)).collect();
            Ok::<_, sqlx::Error>(next.map(|next| (lines, Some(next))))
        }
    });
    Ok(export::csv(&name, &heading, portions))
}

fn line(affiliate: Listed, due: &[Due], zone: &str) -> export::Line {
    let due = due.iter().filter(|due| due.affiliate == affiliate.id);
    let due: Vec<String> = due.map(|due| format!("{} {}", due.currency, due.plain())).collect();
    let added = when(affiliate.created_at, zone).full;
    vec![
        affiliate.first_name,
        affiliate.last_name,
        affiliate.email.unwrap_or_default(),
        affiliate.code.unwrap_or_default(),
        affiliate.paypal_email.unwrap_or_default(),
        affiliate.status.name().to_owned(),
        added.chars().take(10).collect(),
        due.join("; "),
    ]
}
