//! Paid Commissions: one row a payment.

use crate::app::App;
use crate::commission::{Payment, Place, Wanted, payments};
use crate::id::{ItemId, sender_item_id};
use crate::money::for_people;
use crate::web::error::Result;
use crate::web::page::{Frame, Section, page};
use crate::web::pages::{PAGE, address, cut, place};
use crate::web::when::{When, day, read_day, when};
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
    currency: String,
    from: String,
    through: String,
    after: Option<Uuid>,
    before: Option<Uuid>,
}

impl Asked {
    fn wanted(&self, signed: &Signed) -> Wanted {
        Wanted {
            search: self.q.clone(),
            currency: self.currency.parse().ok(),
            from: read_day(&self.from),
            through: read_day(&self.through),
            zone: signed.time_zone.clone(),
        }
    }

    fn is_narrowed(&self) -> bool {
        [&self.q, &self.currency, &self.from, &self.through].iter().any(|text| !text.trim().is_empty())
    }

    /// The address of the same list with something beside.
    fn address(&self, path: &str, beside: (&str, &str)) -> String {
        let kept =
            [("q", self.q.trim()), ("currency", &self.currency), ("from", &self.from), ("through", &self.through)];
        address(path, &[&kept[..], &[beside]].concat())
    }
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
        self.asked.address("/affiliate_payments/paid.csv", ("", ""))
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
    let mut rows = payments(&mut signed.tx(&app).await?, &asked.wanted(&signed), place, PAGE + 1).await?;
    let (before, behind) = cut(&mut rows, place, |row| row.id);
    let beside = |name: &str, id: Option<Uuid>| {
        let id = id.map(|id| id.to_string());
        id.map(|id| asked.address("/affiliate_payments/paid", (name, &id))).unwrap_or_default()
    };
    let (previous, next) = (beside("before", before), beside("after", behind));
    let template = Paid { frame: signed.frame(Section::Commissions), asked, rows, previous, next };
    if headers.contains_key("hx-request") { page(&template.as_results()) } else { page(&template) }
}

pub(super) async fn export(State(app): State<App>, signed: Signed, Query(asked): Query<Asked>) -> Response {
    let name = format!("payments-{}.csv", signed.today(&app));
    let portions = stream::try_unfold(Some(Place::Start), move |place| {
        let (app, signed, wanted) = (app.clone(), signed.clone(), asked.wanted(&signed));
        async move {
            let Some(place) = place else { return Ok(None) };
            let rows = payments(&mut signed.tx(&app).await?, &wanted, place, PORTION).await?;
            let next = rows.last().map(|last| Place::After(last.id));
            let lines = rows.into_iter().map(|row| line(row, &signed.time_zone)).collect();
            Ok::<_, sqlx::Error>(next.map(|next| (lines, Some(next))))
        }
    });
    export::csv(&name, &HEADING, portions)
}

const HEADING: [&str; 15] = [
    "Batch",
    "Affiliate",
    "Affiliate email",
    "Paid on",
    "Channel",
    "Reference",
    "Amount",
    "Currency",
    "Fee",
    "Fee currency",
    "PayPal address",
    "PayPal batch",
    "PayPal item",
    "Created on",
    "Our id",
];

fn line(row: Payment, zone: &str) -> export::Line {
    let date = |at| when(at, zone).full.chars().take(10).collect::<String>();
    let at = row.paid_at.map(date);
    let ours = row.batch.map(|_| sender_item_id(ItemId(row.id)));
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
        row.fee.map(|fee| fee.to_string()).unwrap_or_default(),
        row.fee_currency.unwrap_or_default(),
        row.receiver.unwrap_or_default(),
        row.paypal_batch_id.unwrap_or_default(),
        row.paypal_item_id.unwrap_or_default(),
        date(row.created_at),
        ours.unwrap_or_default(),
    ]
}
