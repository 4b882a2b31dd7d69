//! Paid Commissions: one row a payment.

use crate::app::App;
use crate::commission::{Payment, Place, payments};
use crate::money::for_people;
use crate::web::error::Result;
use crate::web::page::{Frame, Section, page};
use crate::web::pages::{PAGE, address, cut, place};
use crate::web::when::{When, day, when};
use crate::web::{Query, Signed, export};
use askama::Template;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use futures_util::stream;
use serde::Deserialize;
use uuid::Uuid;

/// Payments in one portion of the export.
const PORTION: i64 = 5000;

/// The query of the list, all of it optional.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    q: String,
    after: Option<Uuid>,
    before: Option<Uuid>,
}

#[derive(Template)]
#[template(path = "commissions/paid.html", blocks = ["results"])]
struct Paid {
    frame: Frame,
    asked: Asked,
    rows: Vec<Payment>,
    previous: String,
    next: String,
}

impl Paid {
    fn export(&self) -> String {
        address("/affiliate_payments/paid.csv", &[("q", self.asked.q.trim())])
    }

    fn at(&self, row: &Payment) -> Option<When> {
        row.paid_at.map(|at| when(at, self.frame.zone()))
    }

    fn on(&self, row: &Payment) -> String {
        row.paid_on.map(day).unwrap_or_default()
    }

    fn amount(&self, row: &Payment) -> String {
        for_people(row.amount, row.currency)
    }
}

pub(super) async fn index(
    State(app): State<App>,
    signed: Signed,
    headers: HeaderMap,
    Query(asked): Query<Asked>,
) -> Result<Response> {
    let place = place(asked.after, asked.before);
    let mut rows = payments(&mut signed.tx(&app).await?, &asked.q, place, PAGE + 1).await?;
    let (before, behind) = cut(&mut rows, place, |row| row.id);
    let beside = |name: &str, id: Option<Uuid>| {
        let id = id.map(|id| id.to_string());
        id.map(|id| address("/affiliate_payments/paid", &[("q", asked.q.trim()), (name, &id)])).unwrap_or_default()
    };
    let (previous, next) = (beside("before", before), beside("after", behind));
    let template = Paid { frame: signed.frame(Section::Commissions), asked, rows, previous, next };
    if headers.contains_key("hx-request") { page(&template.as_results()) } else { page(&template) }
}

pub(super) async fn export(State(app): State<App>, signed: Signed, Query(asked): Query<Asked>) -> Response {
    let heading = ["Batch", "Affiliate", "Affiliate email", "Paid on", "Channel", "Reference", "Amount", "Currency"];
    let name = format!("payments-{}.csv", signed.today(&app));
    let portions = stream::try_unfold(Some(Place::Start), move |place| {
        let (app, signed, search) = (app.clone(), signed.clone(), asked.q.clone());
        async move {
            let Some(place) = place else { return Ok(None) };
            let rows = payments(&mut signed.tx(&app).await?, &search, place, PORTION).await?;
            let next = rows.last().map(|last| Place::After(last.id));
            let lines = rows.into_iter().map(|row| line(row, &signed.time_zone)).collect();
            Ok::<_, sqlx::Error>(next.map(|next| (lines, Some(next))))
        }
    });
    export::csv(&name, &heading, portions)
}

fn line(row: Payment, zone: &str) -> export::Line {
    let at = row.paid_at.map(|at| when(at, zone).full.chars().take(10).collect());
    let on = row.paid_on.map(|day| day.to_string());
    let mut amount = row.amount;
    amount.rescale(row.currency.scale());
    vec![
        row.batch_number.map(|number| number.to_string()).unwrap_or_default(),
        row.name,
        row.email.unwrap_or_default(),
        at.or(on).unwrap_or_default(),
        row.channel.words().to_owned(),
        row.reference.unwrap_or_default(),
        amount.to_string(),
        row.currency.code().to_owned(),
    ]
}
