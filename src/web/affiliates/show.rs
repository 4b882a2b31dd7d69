//! One affiliate: what they are owed, what they were paid, and where it goes.

use super::next::{self, Answer};
use crate::affiliate::account::{self, Earned, Payment, Sums};
use crate::affiliate::{self, Affiliate};
use crate::app::App;
use crate::id::{AffiliateId, CommissionId, ItemId};
use crate::money::{Currency, for_people};
use crate::rules;
use crate::web::due::held_words;
use crate::web::error::{Error, Result};
use crate::web::page::{Frame, Section, page};
use crate::web::when::{When, day, when};
use crate::web::{Path, Query, Signed};
use askama::Template;
use axum::extract::State;
use axum::response::Response;
use rust_decimal::Decimal;
use serde::Deserialize;
use time::Date;

/// Lines on one page.
const PAGE: i64 = 50;

/// What is above the tabs.
struct Head {
    affiliate: Affiliate,
    added: When,
    receiver_changed: Option<When>,
    /// That the address changed, and until when that holds payments.
    held: Option<String>,
    /// What is known of that already.
    vouched: String,
    minimums: Vec<(Currency, Decimal)>,
    sums: Vec<Sums>,
    next: Vec<Answer>,
}

impl Head {
    /// "none in USD, EUR 50.00": what differs from the merchant's rules.
    fn minimums(&self) -> String {
        let words = self.minimums.iter().map(|(currency, amount)| minimum_words(*currency, *amount));
        words.collect::<Vec<_>>().join(", ")
    }

    /// The amounts of one kind that are not zero.
    fn amounts(&self, of: impl Fn(&Sums) -> Decimal) -> Vec<(Currency, String)> {
        let some = self.sums.iter().filter(|sums| !of(sums).is_zero());
        some.map(|sums| (sums.currency, for_people(of(sums), sums.currency))).collect()
    }

    fn due(&self) -> Vec<(Currency, String)> {
        self.amounts(|sums| sums.due)
    }

    fn upcoming(&self) -> Vec<(Currency, String)> {
        self.amounts(|sums| sums.upcoming)
    }

    fn paying(&self) -> Vec<(Currency, String)> {
        self.amounts(|sums| sums.paying)
    }

    fn needs_a_person(&self) -> Vec<(Currency, String)> {
        self.amounts(|sums| sums.needs_a_person)
    }

    fn paid(&self) -> Vec<(Currency, String)> {
        self.amounts(|sums| sums.paid)
    }
}

pub(super) fn minimum_words(currency: Currency, amount: Decimal) -> String {
    if amount.is_zero() {
        format!("none in {currency}")
    } else {
        format!("{currency} {}", for_people(amount, currency))
    }
}

async fn head(app: &App, signed: &Signed, id: AffiliateId) -> Result<Head> {
    let mut tx = signed.tx(app).await?;
    let affiliate = affiliate::find(&mut tx, id).await?.ok_or(Error::NotFound)?;
    let sums = account::sums(&mut tx, id, signed.today(app)).await?;
    let added = when(affiliate.created_at, &signed.time_zone);
    let receiver_changed = affiliate.receiver_changed_at.map(|at| when(at, &signed.time_zone));
    let now = app.clock.now();
    let until = affiliate.held_until.filter(|until| *until > now);
    let held = until.map(|until| held_words(affiliate.receiver_changed_at, until, now, &signed.time_zone));
    let next = next::answers(app, signed, &mut tx, id, held.as_deref()).await?;
    let minimums = rules::minimums_of(&mut tx, id).await?;
    Ok(Head { affiliate, added, receiver_changed, held, vouched: String::new(), minimums, sums, next })
}

#[derive(Template)]
#[template(path = "affiliates/commissions.html")]
struct Commissions {
    frame: Frame,
    head: Head,
    today: Date,
    rows: Vec<Earned>,
    later: String,
    older: String,
}

impl Commissions {
    /// Tone and word of a commission's standing.
    fn standing(&self, earned: &Earned) -> (&'static str, &'static str) {
        match earned.standing.as_str() {
            "owed" if earned.due_on > self.today => ("quiet", "Upcoming"),
            "owed" => ("info", "Due"),
            "paying" => ("waiting", "Being paid"),
            "unknown" => ("warning", "Not known yet"),
            "needs_a_person" => ("bad", "Needs a person"),
            "paid" => ("good", "Paid"),
            "written_off" => ("quiet", "Written off"),
            _ => ("quiet", "Cancelled"),
        }
    }

    fn due_on(&self, earned: &Earned) -> String {
        day(earned.due_on)
    }

    fn amount(&self, earned: &Earned) -> String {
        for_people(earned.amount, earned.currency)
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct From {
    after: Option<CommissionId>,
    /// What was typed about a changed address before somebody was asked whether it is them.
    vouched: String,
}

pub(super) async fn commissions(
    State(app): State<App>,
    signed: Signed,
    Path(id): Path<AffiliateId>,
    Query(from): Query<From>,
) -> Result<Response> {
    let head = Head { vouched: from.vouched, ..head(&app, &signed, id).await? };
    let mut rows = account::commissions(&mut signed.tx(&app).await?, id, from.after, PAGE + 1).await?;
    let size = usize::try_from(PAGE).expect("a page is small");
    let more = rows.len() > size;
    rows.truncate(size);
    let older = rows.last().filter(|_| more).map(|last| format!("/affiliates/{id}?after={}", last.id));
    let later = from.after.map(|_| format!("/affiliates/{id}"));
    page(&Commissions {
        frame: signed.frame(Section::Affiliates),
        head,
        today: signed.today(&app),
        rows,
        later: later.unwrap_or_default(),
        older: older.unwrap_or_default(),
    })
}

#[derive(Template)]
#[template(path = "affiliates/payments.html")]
struct Payments {
    frame: Frame,
    head: Head,
    rows: Vec<Payment>,
    later: String,
    older: String,
}

impl Payments {
    fn state(&self, payment: &Payment) -> (&'static str, &'static str) {
        state(payment)
    }

    fn amount(&self, payment: &Payment) -> String {
        for_people(payment.amount, payment.currency)
    }

    fn changed(&self, payment: &Payment) -> When {
        when(payment.changed_at, self.frame.zone())
    }

    /// The day PayPal processed it, or it was paid outside; nothing before.
    fn processed(&self, payment: &Payment) -> Option<When> {
        let at = payment.time_processed.or((payment.state == "paid").then_some(payment.changed_at));
        at.map(|at| when(at, self.frame.zone()))
    }

    /// What PayPal took, in its currency.
    fn fee(&self, payment: &Payment) -> Option<(String, String)> {
        let code = payment.fee_currency.clone()?;
        let fee = payment.fee.filter(|fee| *fee > Decimal::ZERO)?;
        let words = code.parse().map_or_else(|_| fee.normalize().to_string(), |currency| for_people(fee, currency));
        Some((code, words))
    }

    fn rail(&self, payment: &Payment) -> &'static str {
        match payment.rail.as_str() {
            "api" => "PayPal",
            "file" => "PayPal file",
            _ => "Manual",
        }
    }
}

/// Tone and words of a payment's state.
pub(super) fn state(payment: &Payment) -> (&'static str, &'static str) {
    match (payment.state.as_str(), payment.wait.as_deref(), payment.not_paid.as_deref()) {
        ("paid", ..) => ("good", "Paid"),
        ("queued", ..) => ("waiting", "On its way to PayPal"),
        ("open", Some("unclaimed"), _) => ("warning", "Not accepted yet"),
        ("open", Some("on_hold"), _) => ("warning", "PayPal reviews it"),
        ("open", ..) => ("waiting", "PayPal works on it"),
        (_, _, Some("returned")) => ("bad", "Came back"),
        (_, _, Some("blocked")) => ("bad", "PayPal stopped it"),
        (_, _, Some("refunded" | "reversed")) => ("bad", "Sent back"),
        (_, _, Some("put_back")) => ("quiet", "Put back"),
        _ => ("bad", "Not paid"),
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct FromItem {
    after: Option<ItemId>,
}

pub(super) async fn payments(
    State(app): State<App>,
    signed: Signed,
    Path(id): Path<AffiliateId>,
    Query(from): Query<FromItem>,
) -> Result<Response> {
    let head = head(&app, &signed, id).await?;
    let mut rows = account::payments(&mut signed.tx(&app).await?, id, from.after, PAGE + 1).await?;
    let size = usize::try_from(PAGE).expect("a page is small");
    let more = rows.len() > size;
    rows.truncate(size);
    let path = format!("/affiliates/{id}/payments");
    let older = rows.last().filter(|_| more).map(|last| format!("{path}?after={}", last.id)).unwrap_or_default();
    let later = from.after.map(|_| path).unwrap_or_default();
    page(&Payments { frame: signed.frame(Section::Affiliates), head, rows, later, older })
}
