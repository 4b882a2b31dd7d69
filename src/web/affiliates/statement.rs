//! An affiliate's statement, made to be printed; and the affiliate's payments as a file.

use crate::affiliate::account::{self, Payment};
use crate::affiliate::statement::{self, Earned, LINES, Paid, Period, Sums};
use crate::affiliate::{self, Affiliate};
use crate::app::App;
use crate::id::{AffiliateId, ItemId, sender_item_id};
use crate::money::{Currency, for_people};
use crate::web::error::{Error, Result};
use crate::web::page::{Frame, Section, page};
use crate::web::pages::address;
use crate::web::when::{day, read_day, when};
use crate::web::{Path, Query, Signed, export};
use askama::Template;
use axum::extract::State;
use axum::response::Response;
use futures_util::stream;
use rust_decimal::Decimal;
use serde::Deserialize;
use time::Date;

/// Payments in one portion of the export.
const PORTION: i64 = 1000;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    from: String,
    through: String,
}

#[derive(Template)]
#[template(path = "affiliates/statement.html")]
struct Statement {
    frame: Frame,
    affiliate: Affiliate,
    merchant: String,
    today: Date,
    period: Period,
    sums: Vec<Sums>,
    earned: Vec<Earned>,
    paid: Vec<Paid>,
}

impl Statement {
    fn day(&self, date: &Date) -> String {
        day(*date)
    }

    fn iso(&self, date: &Date) -> String {
        date.to_string()
    }

    fn amount(&self, amount: &Decimal, currency: &Currency) -> String {
        for_people(*amount, *currency)
    }

    fn is_cut(&self) -> bool {
        let most = usize::try_from(LINES).expect("a page is small");
        self.earned.len() == most || self.paid.len() == most
    }

    fn rail(&self, paid: &Paid) -> &'static str {
        rail(&paid.rail)
    }

    /// The statement of other periods: words and address.
    fn others(&self) -> Vec<(&'static str, String)> {
        let first = self.today.replace_day(1).expect("a month has its first day");
        let before = first.previous_day().expect("the calendar goes back");
        let year = first.replace_month(time::Month::January).expect("the first of January is a day");
        let periods = [
            ("This month", first, self.today),
            ("Last month", before.replace_day(1).expect("a month has its first day"), before),
            ("This year", year, self.today),
        ];
        let path = format!("/affiliates/{}/statement", self.affiliate.id);
        let link = |from: Date, through: Date| {
            address(&path, &[("from", &from.to_string()), ("through", &through.to_string())])
        };
        periods.into_iter().map(|(words, from, through)| (words, link(from, through))).collect()
    }
}

fn rail(rail: &str) -> &'static str {
    match rail {
        "api" => "PayPal",
        "file" => "PayPal file",
        "before" => "before Stipend",
        _ => "Manual",
    }
}

pub(super) async fn show(
    State(app): State<App>,
    signed: Signed,
    Path(id): Path<AffiliateId>,
    Query(asked): Query<Asked>,
) -> Result<Response> {
    let today = signed.today(&app);
    let from = read_day(&asked.from).unwrap_or(today.replace_day(1).expect("a month has its first day"));
    let through = read_day(&asked.through).unwrap_or(today);
    let period = Period { from: from.min(through), through: from.max(through) };
    let mut tx = signed.tx(&app).await?;
    let affiliate = affiliate::find(&mut tx, id).await?.ok_or(Error::NotFound)?;
    page(&Statement {
        frame: signed.frame(Section::Affiliates),
        affiliate,
        merchant: signed.merchant_name.clone(),
        today,
        period,
        sums: statement::sums(&mut tx, id, period).await?,
        earned: statement::earned(&mut tx, id, period).await?,
        paid: statement::paid(&mut tx, id, period).await?,
    })
}

const HEADING: [&str; 17] = [
    "Batch",
    "Method",
    "Amount",
    "Currency",
    "State",
    "Created on",
    "Processed at PayPal",
    "Last change",
    "Fee",
    "Fee currency",
    "Address",
    "PayPal batch",
    "PayPal item",
    "Transaction",
    "Reference",
    "Our id",
    "Reason",
];

/// Every payment to the affiliate, also those that did not arrive.
pub(super) async fn payments_csv(
    State(app): State<App>,
    signed: Signed,
    Path(id): Path<AffiliateId>,
) -> Result<Response> {
    affiliate::find(&mut signed.tx(&app).await?, id).await?.ok_or(Error::NotFound)?;
    let name = format!("payments-{id}.csv");
    let portions = stream::try_unfold(Some(None), move |after: Option<Option<ItemId>>| {
        let (app, signed) = (app.clone(), signed.clone());
        async move {
            let Some(after) = after else { return Ok(None) };
            let rows = account::payments(&mut signed.tx(&app).await?, id, after, PORTION).await?;
            let next = rows.last().map(|last| Some(last.id));
            let lines = rows.into_iter().map(|row| line(row, &signed.time_zone)).collect();
            Ok::<_, sqlx::Error>(next.map(|next| (lines, Some(next))))
        }
    });
    Ok(export::csv(&name, &HEADING, portions))
}

fn line(row: Payment, zone: &str) -> export::Line {
    let mut amount = row.amount;
    amount.rescale(row.currency.scale());
    let at = |at| when(at, zone).full;
    vec![
        row.batch_number.to_string(),
        rail(&row.rail).to_owned(),
        amount.to_string(),
        row.currency.to_string(),
        super::show::state(&row).1.to_owned(),
        at(row.created_at).chars().take(10).collect(),
        row.time_processed.map(at).unwrap_or_default(),
        at(row.changed_at),
        row.fee.map(|fee| fee.to_string()).unwrap_or_default(),
        row.fee_currency.unwrap_or_default(),
        row.receiver,
        row.paypal_batch_id.unwrap_or_default(),
        row.paypal_item_id.unwrap_or_default(),
        row.transaction_id.unwrap_or_default(),
        row.reference.unwrap_or_default(),
        sender_item_id(row.id),
        row.not_paid.unwrap_or_default(),
    ]
}
