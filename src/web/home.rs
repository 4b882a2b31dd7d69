//! `/`: where the merchant's money stands, at a glance. Every figure leads to its list.

use super::approvals;
use super::batches::{Told, state};
use super::pages::{address, counted};
use super::when::{When, day, when};
use super::{Frame, Result, Section, Signed, page};
use crate::app::App;
use crate::commission::overview::{self, Age, Figure, Month, Ready, Standings};
use crate::connection;
use crate::money::{Currency, for_people};
use crate::payout::approval;
use crate::payout::batch::BatchState;
use crate::payout::batches::{self, Batch};
use askama::Template;
use axum::response::Response;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::Deserialize;
use time::Date;

/// Batches whose outcomes are shown.
const BATCHES: i64 = 6;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    currency: String,
}

#[derive(Template)]
#[template(path = "home.html")]
struct Home {
    frame: Frame,
    today: Date,
    ready: Ready,
    connected: bool,
    legacy: bool,
    currencies: Vec<Currency>,
    shown: Option<Shown>,
    rows: Vec<Row>,
    /// What waits for a second person's approval.
    approvals: Vec<approvals::Row>,
}

impl Home {
    fn today(&self) -> String {
        day(self.today)
    }

    /// What is still to be done before anybody can be paid: state, words, address.
    fn setup(&self) -> Vec<(&'static str, &'static str, &'static str)> {
        let steps = [
            (self.connected, if self.legacy { "Upgrade PayPal" } else { "Connect PayPal" }, "/integrations/payment"),
            (self.ready.affiliates, "Add or import affiliates", "/affiliates"),
            (self.ready.commissions, "Add or import commissions", "/imports"),
        ];
        let mut next = "current";
        let state = |done| if done { "done" } else { std::mem::replace(&mut next, "waiting") };
        let states: Vec<_> = steps.iter().map(|(done, ..)| *done).map(state).collect();
        if steps.iter().all(|(done, ..)| *done) {
            return Vec::new();
        }
        states.into_iter().zip(steps).map(|(state, (_, words, to))| (state, words, to)).collect()
    }
}

/// One currency.
struct Shown {
    of: Standings,
    months: Vec<Month>,
    ages: Vec<Age>,
}

impl Shown {
    fn code(&self) -> &'static str {
        self.of.currency.code()
    }

    fn amount(&self, figure: &Figure) -> String {
        for_people(figure.amount, self.of.currency)
    }

    fn commissions(&self, figure: &Figure) -> String {
        counted(figure.count, "commission", "commissions")
    }

    fn payments(&self, figure: &Figure) -> String {
        counted(figure.count, "payment", "payments")
    }

    fn due(&self) -> String {
        address("/affiliate_payments/pay", &[("currency", self.code())])
    }

    fn upcoming(&self) -> String {
        address("/affiliate_payments/upcoming", &[("currency", self.code())])
    }

    fn standing(&self, standing: &str) -> String {
        address("/affiliate_payments/all", &[("standing", standing), ("currency", self.code())])
    }

    fn most(&self) -> Decimal {
        self.months.iter().map(|month| month.paid.amount).max().unwrap_or_default()
    }

    fn most_words(&self) -> String {
        for_people(self.most(), self.of.currency)
    }

    fn paid(&self) -> String {
        for_people(self.months.iter().map(|month| month.paid.amount).sum(), self.of.currency)
    }

    /// A bar's height of a hundred; what is there at all is seen.
    fn height(&self, month: &Month) -> i64 {
        share(month.paid.amount, self.most(), 100)
    }

    /// "Mar"
    fn name(&self, month: &Month) -> String {
        month.first.month().to_string()[..3].to_owned()
    }

    /// "March 2026"
    fn full_name(&self, month: &Month) -> String {
        format!("{} {}", month.first.month(), month.first.year())
    }

    fn month(&self, month: &Month) -> String {
        let (from, through) = (month.first.to_string(), overview::last_of(month.first).to_string());
        let parameters = [("currency", self.code()), ("from", &from), ("through", &through)];
        address("/affiliate_payments/paid", &parameters)
    }

    fn oldest(&self) -> Decimal {
        self.ages.iter().map(|age| age.due.amount).max().unwrap_or_default()
    }

    fn width(&self, age: &Age) -> i64 {
        share(age.due.amount, self.oldest(), 100)
    }

    fn age(&self, place: &usize) -> String {
        let ages = overview::AGES;
        match (place.checked_sub(1).map(|before| ages[before]), ages.get(*place)) {
            (None, Some(below)) => format!("Less than {below} days"),
            (Some(from), Some(below)) => format!("{from} to {} days", below - 1),
            (from, None) => format!("{} days and more", from.unwrap_or_default()),
        }
    }

    fn aged(&self, age: &Age) -> String {
        let (from, through) = (age.from.map(|from| from.to_string()), age.through.to_string());
        let parameters = [
            ("standing", "due"),
            ("currency", self.code()),
            ("from", from.as_deref().unwrap_or_default()),
            ("through", &through),
        ];
        address("/affiliate_payments/all", &parameters)
    }
}

/// How much of `of` parts this is; never nothing where something is.
fn share(amount: Decimal, most: Decimal, of: i64) -> i64 {
    if amount <= Decimal::ZERO || most <= Decimal::ZERO {
        return 0;
    }
    (amount * Decimal::from(of) / most).round().to_i64().unwrap_or(of).clamp(1, of)
}

/// A batch and what became of its items.
struct Row {
    batch: Batch,
    created: When,
}

/// A part of a batch's bar: tone, word, how many, which filter of the batch's page, where it begins and how wide it is.
struct Part {
    tone: &'static str,
    word: &'static str,
    count: i64,
    filter: &'static str,
    x: i64,
    width: i64,
}

impl Row {
    fn told(&self) -> Told {
        state(&self.batch)
    }

    fn total(&self) -> String {
        for_people(self.batch.total, self.batch.currency)
    }

    fn parts(&self) -> Vec<Part> {
        let b = &self.batch;
        let all = i64::from(b.items);
        let told = b.paid + b.processing + b.on_hold + b.unclaimed + b.unpaid + b.needs_a_person;
        let rest = (all - told).max(0);
        let unknown = if b.state == BatchState::Stuck { rest } else { 0 };
        let counts = [
            ("good", "paid", b.paid, "paid"),
            ("info", "on their way", b.processing + b.on_hold + rest - unknown, ""),
            ("warning", "not known yet", unknown, ""),
            ("warning", "not accepted yet", b.unclaimed, "unclaimed"),
            ("quiet", "not paid", b.unpaid, "unpaid"),
            (
                "bad",
                if b.needs_a_person == 1 { "needs a person" } else { "need a person" },
                b.needs_a_person,
                "needs_a_person",
            ),
        ];
        let (mut parts, mut x) = (Vec::new(), 0);
        for (tone, word, count, filter) in counts.into_iter().filter(|(_, _, count, _)| *count > 0) {
            let width = share(count.into(), all.into(), 1000);
            parts.push(Part { tone, word, count, filter, x, width });
            x += width;
        }
        parts
    }

    fn link(&self, part: &Part) -> String {
        address(&format!("/batches/{}", self.batch.id), &[("state", part.filter)])
    }
}

/// The start page of a member.
pub(super) async fn show(app: &App, signed: &Signed, asked: &Asked) -> Result<Response> {
    let today = signed.today(app);
    let mut tx = signed.tx(app).await?;
    let all = overview::standings(&mut tx, today).await?;
    let currencies = all.iter().map(|one| one.currency).collect();
    let chosen = all.iter().find(|one| one.currency.code() == asked.currency).or(all.first()).cloned();
    let shown = match chosen {
        Some(of) => {
            let months = overview::months(&mut tx, of.currency, today).await?;
            let ages = overview::ages(&mut tx, of.currency, today).await?;
            Some(Shown { of, months, ages })
        }
        None => None,
    };
    let ready = overview::ready(&mut tx).await?;
    let connected = connection::in_force(&mut tx).await?.is_some();
    let legacy = connection::legacy::in_force(&mut tx).await?.is_some();
    let approvals = approval::waiting(&mut tx).await?;
    let approvals = approvals.into_iter().map(|one| approvals::Row::of(one, signed)).collect();
    let rows = batches::list(&mut tx, None, BATCHES).await?;
    let rows = rows.into_iter().map(|batch| Row { created: when(batch.created_at, &signed.time_zone), batch });
    let (frame, rows) = (signed.frame(Section::Home), rows.collect());
    page(&Home { frame, today, ready, connected, legacy, currencies, shown, rows, approvals })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_seen_and_never_longer_than_the_whole() {
        let share = |amount: i64, most: i64| share(amount.into(), most.into(), 100);
        assert_eq!((share(0, 0), share(0, 5), share(1, 1_000_000), share(5, 5), share(1, 3)), (0, 0, 1, 100, 33));
    }
}
