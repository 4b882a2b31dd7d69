//! A commission by hand.

use crate::affiliate;
use crate::app::App;
use crate::commission::{self, Added, Raw, Suggestion, Typed};
use crate::id::AffiliateId;
use crate::money::Currency;
use crate::rules;
use crate::web::error::{Error, Result};
use crate::web::page::{FormErrors, Frame, Section, page, see, unaccepted};
use crate::web::{Form, Query, Signed};
use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use time::Duration;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct For {
    affiliate: Option<AffiliateId>,
    q: String,
}

#[derive(Template)]
#[template(path = "commissions/new.html", blocks = ["options"])]
struct New {
    frame: Frame,
    errors: FormErrors,
    raw: Raw,
    suggestions: Vec<Suggestion>,
}

impl New {
    fn currencies(&self) -> &'static [Currency] {
        Currency::ALL
    }

    fn is_chosen(&self, currency: &Currency) -> bool {
        self.raw.currency.eq_ignore_ascii_case(currency.code())
    }
}

/// A name for a commission without one of its own. It stands in the form, so that a form sent twice writes one.
fn suggested_reference() -> String {
    let id = hex::encode(rand::random::<[u8; 5]>());
    format!("manual-{id}")
}

pub(super) async fn new(State(app): State<App>, signed: Signed, Query(asked): Query<For>) -> Result<Response> {
    let rules = rules::load(&mut signed.tx(&app).await?).await?;
    let due_on = signed.today(&app).saturating_add(Duration::days(rules.waiting_days.into()));
    let mut raw = Raw { due_on: due_on.to_string(), reference: suggested_reference(), ..Raw::default() };
    raw.currency = Currency::USD.code().to_owned();
    if let Some(id) = asked.affiliate {
        let affiliate = affiliate::find(&mut signed.tx(&app).await?, id).await?.ok_or(Error::NotFound)?;
        raw.affiliate = affiliate.email.or(affiliate.code).unwrap_or_default();
    }
    let frame = signed.frame(Section::Commissions);
    page(&New { frame, errors: FormErrors::new(), raw, suggestions: Vec::new() })
}

/// What the field of the affiliate offers while somebody types.
pub(super) async fn suggest(State(app): State<App>, signed: Signed, Query(asked): Query<Raw>) -> Result<Response> {
    let suggestions = commission::suggestions(&mut signed.tx(&app).await?, &asked.affiliate).await?;
    let frame = signed.frame(Section::Commissions);
    page(&New { frame, errors: FormErrors::new(), raw: asked, suggestions }.as_options())
}

pub(super) async fn create(State(app): State<App>, signed: Signed, Form(mut raw): Form<Raw>) -> Result<Response> {
    if raw.reference.trim().is_empty() {
        raw.reference = suggested_reference();
    }
    match entered(&app, &signed, &raw).await? {
        Ok((name, typed)) => {
            let said = format!("Added {} for {name}, due on {}.", typed.amount, typed.due_on);
            Ok(see("/affiliate_payments/all").saying(said).into_response())
        }
        Err(errors) => {
            let frame = signed.frame(Section::Commissions);
            unaccepted(&New { frame, errors: errors.into(), raw, suggestions: Vec::new() })
        }
    }
}

/// The affiliate's name with what was added, or what is wrong with the form.
type Entered = Result<(String, Typed), Vec<(&'static str, String)>>;

async fn entered(app: &App, signed: &Signed, raw: &Raw) -> Result<Entered> {
    let mut tx = signed.tx(app).await?;
    let (typed, mut problems) = match raw.parse() {
        Ok(typed) => (Some(typed), Vec::new()),
        Err(problems) => (None, problems),
    };
    let found = commission::find_affiliate(&mut tx, &raw.affiliate).await?;
    let affiliate = match found.as_slice() {
        [] if raw.affiliate.trim().is_empty() => None,
        [] => {
            let nobody = "No affiliate has this email or code. Add the affiliate first, or choose another.";
            problems.insert(0, ("affiliate", nobody.into()));
            None
        }
        [one] if !one.active => {
            problems
                .insert(0, ("affiliate", format!("{} is archived. Take them back before they earn again.", one.name)));
            None
        }
        [one] => Some(one),
        [..] => {
            let two = "This is the email of one affiliate and the code of another. Use what only one of them has.";
            problems.insert(0, ("affiliate", two.into()));
            None
        }
    };
    let (Some(typed), Some(affiliate)) = (typed, affiliate) else { return Ok(Err(problems)) };
    match commission::add(&mut tx, &signed.actor(app), affiliate.id, typed.clone()).await? {
        Added::Owed(_) => {
            tx.commit().await?;
            Ok(Ok((affiliate.name.clone(), typed)))
        }
        Added::ReferenceTaken => {
            let taken = "Another commission has this reference already. If this is the same one, it is there; \
                otherwise choose another reference.";
            Ok(Err(vec![("reference", taken.into())]))
        }
    }
}
