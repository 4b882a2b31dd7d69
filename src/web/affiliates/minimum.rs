//! The least that is paid to one affiliate at a time, where it is not the merchant's rule.

use super::show::minimum_words;
use crate::affiliate::{self, Affiliate};
use crate::app::App;
use crate::id::AffiliateId;
use crate::money::{Currency, Money, plain};
use crate::rules;
use crate::web::error::{Error, Result};
use crate::web::page::{FormErrors, Frame, Section, page, see, unaccepted};
use crate::web::{Form, Path, Signed};
use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use rust_decimal::Decimal;
use serde::Deserialize;

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Typed {
    currency: String,
    minimum: String,
}

impl Typed {
    /// A currency and its minimum; nothing for the merchant's, zero for none.
    fn parse(&self) -> std::result::Result<(Currency, Option<Decimal>), (&'static str, String)> {
        let currency: Currency = self.currency.parse().map_err(|unknown| ("currency", format!("{unknown}.")))?;
        let minimum = self.minimum.trim();
        if minimum.is_empty() {
            return Ok((currency, None));
        }
        let odd = || ("minimum", "Write the amount with a point and no grouping, as in 20 or 20.50.".to_owned());
        let amount = plain(minimum).ok_or_else(odd)?;
        if amount.is_zero() {
            return Ok((currency, Some(Decimal::ZERO)));
        }
        let money = Money::new(amount, currency).map_err(|why| ("minimum", format!("Check the amount: {why}.")))?;
        Ok((currency, Some(money.amount())))
    }
}

#[derive(Template)]
#[template(path = "affiliates/minimum.html")]
struct Edit {
    frame: Frame,
    errors: FormErrors,
    affiliate: Affiliate,
    own: Vec<String>,
    typed: Typed,
}

impl Edit {
    async fn load(app: &App, signed: &Signed, id: AffiliateId) -> Result<Self> {
        let mut tx = signed.tx(app).await?;
        let affiliate = affiliate::find(&mut tx, id).await?.ok_or(Error::NotFound)?;
        let own = rules::minimums_of(&mut tx, id).await?;
        let rules = rules::load(&mut tx).await?;
        let first = own.first().map(|(currency, _)| *currency).or(rules.amounts.keys().next().copied());
        Ok(Self {
            frame: signed.frame(Section::Affiliates),
            errors: FormErrors::new(),
            affiliate,
            own: own.into_iter().map(|(currency, amount)| minimum_words(currency, amount)).collect(),
            typed: Typed { currency: first.unwrap_or(Currency::USD).code().to_owned(), minimum: String::new() },
        })
    }

    fn currencies(&self) -> &'static [Currency] {
        Currency::ALL
    }
}

pub(super) async fn edit(State(app): State<App>, signed: Signed, Path(id): Path<AffiliateId>) -> Result<Response> {
    page(&Edit::load(&app, &signed, id).await?)
}

pub(super) async fn save(
    State(app): State<App>,
    signed: Signed,
    Path(id): Path<AffiliateId>,
    Form(typed): Form<Typed>,
) -> Result<Response> {
    let shown = Edit::load(&app, &signed, id).await?;
    let (currency, minimum) = match typed.parse() {
        Ok(parsed) => parsed,
        Err(problem) => return unaccepted(&Edit { errors: vec![problem].into(), typed, ..shown }),
    };
    let mut tx = signed.tx(&app).await?;
    rules::set_minimum(&mut tx, &signed.actor(&app), id, currency, minimum).await?;
    tx.commit().await?;
    let said = match minimum {
        None => format!("The rule of everybody holds again in {currency}."),
        Some(amount) => format!("Saved. The minimum of this affiliate: {}.", minimum_words(currency, amount)),
    };
    Ok(see(format!("/affiliates/{id}")).saying(said).into_response())
}
