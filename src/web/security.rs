//! `/settings/security`: what the merchant asks of its people before they may send money or decide.

use super::fresh;
use super::page::sentence;
use super::pages::address;
use super::{Error, Form, FormErrors, Frame, Query, Result, Routes, Section, Signed, Tone, page, see, unaccepted};
use crate::app::App;
use crate::factor::settings::{self, Security};
use crate::money::{Currency, Money, plain};
use crate::role::Role;
use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

const PAGE: &str = "/settings/security";

pub(super) fn routes(routes: Routes) -> Routes {
    routes.get(Role::Admin, PAGE, show).post(Role::Admin, "/settings/security/factor", require).fresh().post(
        Role::Admin,
        "/settings/security/amounts",
        ask_above,
    )
}

#[derive(Template)]
#[template(path = "settings/security.html")]
struct Index {
    frame: Frame,
    errors: FormErrors,
    security: Security,
    has_factor: bool,
    typed: Typed,
}

impl Index {
    fn currencies(&self) -> &'static [Currency] {
        Currency::ALL
    }

    fn is_chosen(&self, currency: &Currency) -> bool {
        let chosen = if self.typed.currency.is_empty() { "USD" } else { self.typed.currency.as_str() };
        currency.code() == chosen
    }
}

/// An amount as it was typed; without one, nothing is asked in this currency.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Typed {
    currency: String,
    amount: String,
}

async fn load(app: &App, signed: &Signed, typed: Typed) -> Result<Index> {
    let security = settings::of(&mut signed.tx(app).await?).await?;
    let frame = signed.frame(Section::Settings);
    Ok(Index { frame, errors: FormErrors::new(), security, has_factor: signed.has_factor, typed })
}

async fn show(State(app): State<App>, signed: Signed, Query(typed): Query<Typed>) -> Result<Response> {
    page(&load(&app, &signed, typed).await?)
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Required {
    required: String,
}

async fn require(State(app): State<App>, signed: Signed, Form(typed): Form<Required>) -> Result<Response> {
    let on = match typed.required.as_str() {
        "yes" => true,
        "no" => false,
        _ => return Err(Error::Invalid("Choose whether a second factor is required. Nothing was changed.".into())),
    };
    if on && !signed.has_factor {
        let said = "Set up a second factor yourself first, or this would hold you back too. Nothing was changed.";
        return Ok(see(PAGE).with(Tone::Warning, said).into_response());
    }
    let mut tx = signed.tx(&app).await?;
    settings::require(&mut tx, &signed.actor(&app), on).await?;
    tx.commit().await?;
    let said = if on {
        "Approvers and admins now need a second factor. Who has none may only look until they have set one up."
    } else {
        "A second factor is no longer required. Whoever has one is still asked for it."
    };
    Ok(see(PAGE).saying(said).into_response())
}

async fn ask_above(State(app): State<App>, signed: Signed, Form(typed): Form<Typed>) -> Result<Response> {
    fresh::demand(&signed, address(PAGE, &[("currency", &typed.currency), ("amount", &typed.amount)]))?;
    let Ok(currency) = typed.currency.parse::<Currency>() else {
        return Err(Error::Invalid("Choose one of the currencies. Nothing was changed.".into()));
    };
    let above = match read(&typed.amount, currency) {
        Ok(above) => above,
        Err(problem) => {
            let mut errors = FormErrors::new();
            errors.add("amount", problem);
            return unaccepted(&Index { errors, ..load(&app, &signed, typed).await? });
        }
    };
    let mut tx = signed.tx(&app).await?;
    settings::ask_above(&mut tx, &signed.actor(&app), currency, above).await?;
    tx.commit().await?;
    let said = match above {
        Some(above) => format!("Whoever sends more than {above} in one payment now confirms that it is them."),
        None => format!("Payments in {currency} are no longer confirmed."),
    };
    Ok(see(PAGE).saying(said).into_response())
}

fn read(amount: &str, currency: Currency) -> Result<Option<Money>, String> {
    if amount.trim().is_empty() {
        return Ok(None);
    }
    let amount = plain(amount.trim()).ok_or("Write the amount with a point and without other signs, as in 1000.00.")?;
    Money::new(amount, currency).map(Some).map_err(|problem| sentence(&problem.to_string()))
}
