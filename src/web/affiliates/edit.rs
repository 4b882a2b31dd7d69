//! Adding, editing and archiving an affiliate.

use crate::affiliate::{self, Affiliate, Change, NotReleased, Raw, Status};
use crate::app::App;
use crate::id::AffiliateId;
use crate::payout::decide::MAX_WHY;
use crate::web::error::{Error, Result};
use crate::web::fresh;
use crate::web::page::{FormErrors, Frame, Section, See, Tone, html, page, see, unaccepted};
use crate::web::pages::address;
use crate::web::{Form, Path, Signed};
use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

#[derive(Template)]
#[template(path = "affiliates/form.html")]
struct AffiliateForm {
    frame: Frame,
    errors: FormErrors,
    raw: Raw,
    /// The affiliate that is edited: its name, address and version. None: a new one is added.
    edited: Option<Edited>,
    /// What somebody else saved while this form was open.
    newer: Vec<Difference>,
}

struct Edited {
    id: AffiliateId,
    name: String,
    version: i32,
}

impl Edited {
    fn of(affiliate: &Affiliate) -> Self {
        Self { id: affiliate.id, name: affiliate.name(), version: affiliate.version }
    }
}

/// A field where the saved value and the typed one differ.
struct Difference {
    label: &'static str,
    saved: String,
    typed: String,
}

pub(super) async fn new(signed: Signed) -> Result<Response> {
    let frame = signed.frame(Section::Affiliates);
    page(&AffiliateForm { frame, errors: FormErrors::new(), raw: Raw::default(), edited: None, newer: Vec::new() })
}

pub(super) async fn create(State(app): State<App>, signed: Signed, Form(raw): Form<Raw>) -> Result<Response> {
    let added = match raw.parse() {
        Ok(details) => {
            let mut tx = signed.tx(&app).await?;
            let added = affiliate::add(&mut tx, &signed.actor(&app), &details).await?;
            if added.is_ok() {
                tx.commit().await?;
            }
            added.map_err(|problem| vec![problem])
        }
        Err(problems) => Err(problems),
    };
    match added {
        Ok(id) => Ok(see(format!("/affiliates/{id}")).saying("The affiliate was added.").into_response()),
        Err(problems) => {
            let frame = signed.frame(Section::Affiliates);
            unaccepted(&AffiliateForm { frame, errors: problems.into(), raw, edited: None, newer: Vec::new() })
        }
    }
}

pub(super) async fn edit(State(app): State<App>, signed: Signed, Path(id): Path<AffiliateId>) -> Result<Response> {
    let affiliate = affiliate::find(&mut signed.tx(&app).await?, id).await?.ok_or(Error::NotFound)?;
    let (frame, edited) = (signed.frame(Section::Affiliates), Some(Edited::of(&affiliate)));
    page(&AffiliateForm { frame, errors: FormErrors::new(), raw: typed(affiliate), edited, newer: Vec::new() })
}

/// The form's fields, and the version that the person saw when they opened it.
#[derive(Deserialize)]
pub(super) struct Seen {
    version: i32,
    #[serde(flatten)]
    raw: Raw,
}

pub(super) async fn update(
    State(app): State<App>,
    signed: Signed,
    Path(id): Path<AffiliateId>,
    Form(Seen { version, raw }): Form<Seen>,
) -> Result<Response> {
    let mut tx = signed.tx(&app).await?;
    let before = affiliate::find(&mut tx, id).await?.ok_or(Error::NotFound)?;
    let frame = signed.frame(Section::Affiliates);
    let again = |problems: Vec<affiliate::Problem>, raw: Raw| {
        let edited = Some(Edited { version, ..Edited::of(&before) });
        unaccepted(&AffiliateForm { frame: frame.clone(), errors: problems.into(), raw, edited, newer: Vec::new() })
    };
    let details = match raw.parse() {
        Ok(details) => details,
        Err(problems) => return again(problems, raw),
    };
    match affiliate::change(&mut tx, &signed.actor(&app), id, version, &details).await?.ok_or(Error::NotFound)? {
        Change::Made => {
            tx.commit().await?;
            Ok(see(format!("/affiliates/{id}")).saying("The changes were saved.").into_response())
        }
        Change::Taken(problem) => again(vec![problem], raw),
        Change::Stale(current) => {
            let edited = Some(Edited::of(&current));
            let newer = differences(&typed(*current), &raw);
            let form = AffiliateForm { frame, errors: FormErrors::new(), raw, edited, newer };
            Ok(html(StatusCode::CONFLICT, form.render()?))
        }
    }
}

fn typed(affiliate: Affiliate) -> Raw {
    Raw {
        email: affiliate.email.unwrap_or_default(),
        first_name: affiliate.first_name,
        last_name: affiliate.last_name,
        code: affiliate.code.unwrap_or_default(),
        paypal_email: affiliate.paypal_email.unwrap_or_default(),
    }
}

fn differences(saved: &Raw, typed: &Raw) -> Vec<Difference> {
    [
        ("First name", &saved.first_name, &typed.first_name),
        ("Last name", &saved.last_name, &typed.last_name),
        ("Email", &saved.email, &typed.email),
        ("PayPal email", &saved.paypal_email, &typed.paypal_email),
        ("Affiliate code", &saved.code, &typed.code),
    ]
    .into_iter()
    .map(|(label, saved, typed)| Difference { label, saved: saved.clone(), typed: typed.trim().to_owned() })
    .filter(|one| one.saved != one.typed)
    .collect()
}

pub(super) async fn archive(State(app): State<App>, signed: Signed, Path(id): Path<AffiliateId>) -> Result<See> {
    set_status(&app, &signed, id, Status::Archived).await?;
    Ok(see(format!("/affiliates/{id}")).saying("The affiliate is archived. What they are owed stays due."))
}

pub(super) async fn restore(State(app): State<App>, signed: Signed, Path(id): Path<AffiliateId>) -> Result<See> {
    set_status(&app, &signed, id, Status::Active).await?;
    Ok(see(format!("/affiliates/{id}")).saying("The affiliate is active again."))
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Vouched {
    why: String,
}

/// A person who may pay says that a changed address is right.
pub(super) async fn release(
    State(app): State<App>,
    signed: Signed,
    Path(id): Path<AffiliateId>,
    Form(typed): Form<Vouched>,
) -> Result<See> {
    let mut tx = signed.tx(&app).await?;
    affiliate::find(&mut tx, id).await?.ok_or(Error::NotFound)?;
    let page = see(format!("/affiliates/{id}"));
    let why = typed.why.trim();
    if why.is_empty() || why.chars().count() > MAX_WHY {
        let message = "Say how you know that the address is right, in at most 500 characters. Nothing was changed.";
        return Ok(page.with(Tone::Warning, message));
    }
    fresh::demand(&signed, address(&format!("/affiliates/{id}"), &[("vouched", why)]))?;
    match affiliate::release(&mut tx, &signed.actor(&app), id, why).await? {
        Ok(()) => {
            tx.commit().await?;
            Ok(page.saying("Noted. Payments to this address are not held any more."))
        }
        Err(NotReleased::NotHeld) => Ok(page.with(Tone::Info, "Payments to this affiliate are not held.")),
        Err(NotReleased::Own) => {
            let message =
                "You changed this address, so somebody else who may pay must vouch for it. Nothing was changed.";
            Ok(page.with(Tone::Warning, message))
        }
    }
}

async fn set_status(app: &App, signed: &Signed, id: AffiliateId, status: Status) -> Result<()> {
    let mut tx = signed.tx(app).await?;
    if !affiliate::set_status(&mut tx, &signed.actor(app), id, status).await? {
        return Err(Error::NotFound);
    }
    Ok(tx.commit().await?)
}
