//! `/settings/rules`: by which rules the merchant pays, with the sentence that they come to.

use super::fresh;
use super::pages::address;
use super::{Form, Frame, Query, Result, Routes, Section, Signed, page, see, unaccepted};
use crate::app::App;
use crate::clock::zone_named;
use crate::commission::due;
use crate::money::{Currency, Money, plain};
use crate::payout::approval;
use crate::role::Role;
use crate::rules::{self, Amounts, MAX_HOLD_DAYS, MAX_WAITING_DAYS, Rules};
use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use std::collections::BTreeMap;

const PAGE: &str = "/settings/rules";
/// The row of a currency that has no rules yet.
const NEW: &str = "new";
/// The amounts of a row: the field's name, and what it is called.
const AMOUNTS: [(&str, &str); 4] = [
    ("minimum", "Minimum payout"),
    ("per_payment", "At most in one payment"),
    ("per_day", "At most in one day"),
    ("approval_above", "Approval above"),
];

pub(super) fn routes(routes: Routes) -> Routes {
    routes.get(Role::Admin, PAGE, index).get(Role::Admin, "/settings/rules/sentence", sentence).post(
        Role::Admin,
        PAGE,
        save,
    )
}

/// The form as it was typed; the amounts are named after their currencies, "minimum_USD".
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Typed {
    waiting_days: String,
    hold_days: String,
    time_zone: String,
    currency_new: String,
    #[serde(flatten)]
    amounts: BTreeMap<String, String>,
}

/// What is wrong, each at its field.
#[derive(Debug, Clone, Default)]
struct Problems(Vec<(String, String)>);

impl Problems {
    fn add(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.0.push((field.into(), message.into()));
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn at(&self, field: &str) -> &str {
        self.0.iter().find(|(name, _)| name == field).map(|(_, message)| message.as_str()).unwrap_or_default()
    }

    fn all(&self) -> &[(String, String)] {
        &self.0
    }
}

impl Typed {
    fn of(rules: &Rules, shown: &[Currency]) -> Self {
        let mut amounts = BTreeMap::new();
        for currency in shown {
            let of = rules.of(*currency);
            for ((name, _), amount) in AMOUNTS.iter().zip([of.minimum, of.per_payment, of.per_day, of.approval_above]) {
                let text = amount.map(|mut amount| {
                    amount.rescale(currency.scale());
                    amount.to_string()
                });
                amounts.insert(format!("{name}_{currency}"), text.unwrap_or_default());
            }
        }
        Self {
            waiting_days: rules.waiting_days.to_string(),
            hold_days: rules.hold_days.to_string(),
            time_zone: rules.time_zone.clone(),
            currency_new: String::new(),
            amounts,
        }
    }

    /// The page with all of it.
    fn address(&self) -> String {
        let of_form = |name: &str| AMOUNTS.iter().any(|(amount, _)| name.starts_with(amount));
        let amounts = self.amounts.iter().filter(|(name, _)| of_form(name));
        let mut fields: Vec<(&str, &str)> = amounts.map(|(name, text)| (name.as_str(), text.as_str())).collect();
        fields.extend([
            ("waiting_days", self.waiting_days.as_str()),
            ("hold_days", &self.hold_days),
            ("time_zone", &self.time_zone),
            ("currency_new", &self.currency_new),
        ]);
        address(PAGE, &fields)
    }

    fn text(&self, name: &str, row: &str) -> &str {
        self.amounts.get(&format!("{name}_{row}")).map(|text| text.trim()).unwrap_or_default()
    }

    /// What can be read of it, over what holds now, and what is wrong.
    fn parse(&self, now: &Rules) -> (Rules, Problems) {
        let mut problems = Problems::default();
        let mut days = |field: &str, text: &str, most: i32, before: i32| match text.trim().parse::<i32>() {
            Ok(days) if (0..=most).contains(&days) => days,
            Ok(_) | Err(_) => {
                problems.add(field, format!("Give a number of days between 0 and {most}."));
                before
            }
        };
        let waiting_days = days("waiting_days", &self.waiting_days, MAX_WAITING_DAYS, now.waiting_days);
        let hold_days = days("hold_days", &self.hold_days, MAX_HOLD_DAYS, now.hold_days);
        let zone = zone_named(&self.time_zone);
        if zone.is_none() {
            problems.add("time_zone", "Write the time zone as in Europe/Berlin or America/New_York.");
        }
        let mut amounts = BTreeMap::new();
        let rows = Currency::ALL.iter().map(|currency| (currency.code(), *currency));
        let new = self.currency_new.parse::<Currency>().ok().map(|currency| (NEW, currency));
        for (row, currency) in rows.chain(new) {
            let of = self.amounts_of(row, currency, &mut problems);
            if of != Amounts::default() {
                amounts.insert(currency, of);
            }
        }
        if new.is_none() && AMOUNTS.iter().any(|(name, _)| !self.text(name, NEW).is_empty()) {
            problems.add("currency_new", "Choose the currency of these amounts.");
        }
        (Rules { waiting_days, hold_days, time_zone: zone.unwrap_or_else(|| now.time_zone.clone()), amounts }, problems)
    }

    fn amounts_of(&self, row: &str, currency: Currency, problems: &mut Problems) -> Amounts {
        let mut amount = |name: &str| {
            let text = self.text(name, row);
            if text.is_empty() {
                return None;
            }
            let field = format!("{name}_{row}");
            let Some(amount) = plain(text) else {
                problems.add(
                    field,
                    format!("{currency}: write amounts with a point and no grouping, as in 1000 or 20.50."),
                );
                return None;
            };
            // Every payment is above zero.
            if name == "approval_above" && amount.is_zero() {
                return Some(amount);
            }
            match Money::new(amount, currency) {
                Ok(money) => Some(money.amount()),
                Err(why) => {
                    problems.add(field, format!("{currency}: {why}."));
                    None
                }
            }
        };
        let [minimum, per_payment, per_day, approval_above] = AMOUNTS.map(|(name, _)| amount(name));
        Amounts { minimum, per_payment, per_day, approval_above }
    }
}

#[derive(Template)]
#[template(path = "settings/rules.html")]
struct Index {
    frame: Frame,
    problems: Problems,
    typed: Typed,
    shown: Vec<Currency>,
    sentences: Vec<String>,
    /// A second person is wanted and there is none.
    is_alone: bool,
}

impl Index {
    /// The rows of the form: the end of their fields' names, and the currency.
    fn rows(&self) -> Vec<String> {
        self.shown.iter().map(ToString::to_string).chain([NEW.to_owned()]).collect()
    }

    fn amounts(&self) -> [(&'static str, &'static str); 4] {
        AMOUNTS
    }

    fn text(&self, name: &str, row: &str) -> &str {
        self.typed.text(name, row)
    }

    fn problem(&self, name: &str, row: &str) -> &str {
        self.problems.at(&format!("{name}_{row}"))
    }

    /// Currencies without a row.
    fn others(&self) -> Vec<Currency> {
        Currency::ALL.iter().copied().filter(|currency| !self.shown.contains(currency)).collect()
    }

    async fn load(app: &App, signed: &Signed) -> Result<(Self, Rules)> {
        let mut tx = signed.tx(app).await?;
        let rules = rules::load(&mut tx).await?;
        let mut shown: Vec<Currency> = rules.amounts.keys().copied().collect();
        shown.extend(due::totals(&mut tx, signed.today(app)).await?.iter().map(|total| total.currency));
        shown.push(Currency::USD);
        shown.sort_unstable();
        shown.dedup();
        let wants_two = rules.amounts.values().any(|of| of.approval_above.is_some());
        let is_alone = wants_two && approval::others(&mut tx, signed.person).await?.is_empty();
        let page = Self {
            frame: signed.frame(Section::Settings),
            problems: Problems::default(),
            typed: Typed::of(&rules, &shown),
            shown,
            sentences: rules::sentences(&rules),
            is_alone,
        };
        Ok((page, rules))
    }
}

/// With what was typed before somebody was asked whether it is them.
async fn index(State(app): State<App>, signed: Signed, Query(typed): Query<Typed>) -> Result<Response> {
    let index = Index::load(&app, &signed).await?.0;
    page(&if typed.waiting_days.is_empty() { index } else { Index { typed, ..index } })
}

#[derive(Template)]
#[template(path = "settings/rules_sentence.html")]
struct Sentence {
    sentences: Vec<String>,
}

/// What the rules would come to as they are typed; of what cannot be read, as they are.
async fn sentence(State(app): State<App>, signed: Signed, Query(typed): Query<Typed>) -> Result<Response> {
    let now = rules::load(&mut signed.tx(&app).await?).await?;
    page(&Sentence { sentences: rules::sentences(&typed.parse(&now).0) })
}

async fn save(State(app): State<App>, signed: Signed, Form(typed): Form<Typed>) -> Result<Response> {
    // These rules hold back whoever has stolen a session, too.
    fresh::demand(&signed, typed.address())?;
    let (shown, before) = Index::load(&app, &signed).await?;
    let (rules, problems) = typed.parse(&before);
    if !problems.is_empty() {
        return unaccepted(&Index { problems, typed, ..shown });
    }
    let mut tx = signed.tx(&app).await?;
    rules::save(&mut tx, &signed.actor(&app), &rules).await?;
    tx.commit().await?;
    Ok(see(PAGE).saying("Saved. The rules hold from now on.").into_response())
}
