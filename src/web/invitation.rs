//! `/invitation`: what the link in an invitation leads to. The code is in the query, where no log sees it.

use super::error::{Error, Result};
use super::page::{FormErrors, Frame, html, page, see, sentence, unaccepted};
use super::routes::{Access, Routes};
use super::visitor::{self, Visitor, Who};
use super::{Form, Query, sign_in};
use crate::app::App;
use crate::people::accept::{self, Guest, NotAccepted, Offer};
use crate::role::Role;
use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tower_sessions::Session;

pub(super) fn routes(routes: Routes) -> Routes {
    routes.get(Access::Public, "/invitation", show).post(Access::Public, "/invitation", join)
}

/// What the visitor can do with the invitation.
enum Door {
    /// There is none, or not any more.
    Void,
    /// They are new: a name and a password.
    New(Offer),
    /// They have been here before, and sign in first.
    SignIn(Offer),
    /// They are the one who was invited.
    Join(Offer),
    /// They signed in as somebody else: their e-mail.
    Elses(Offer, String),
}

#[derive(Template)]
#[template(path = "invitation.html")]
struct Page {
    frame: Frame,
    errors: FormErrors,
    door: Door,
    code: String,
    /// The name as it was typed.
    called: String,
}

impl Page {
    /// Signing in leads back here.
    fn sign_in(&self) -> String {
        let back = super::pages::address("/invitation", &[("code", &self.code)]);
        super::pages::address("/sign-in", &[("next", &back)])
    }

    fn article(&self, role: &Role) -> &'static str {
        if *role >= Role::Approver { "an" } else { "a" }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Code {
    code: String,
}

async fn door(app: &App, visitor: &Visitor, code: &str) -> Result<Door> {
    let Some(offer) = accept::find(app, code).await? else { return Ok(Door::Void) };
    let email = match &visitor.who {
        Who::Stranger if offer.known.is_some() => return Ok(Door::SignIn(offer)),
        Who::Stranger => return Ok(Door::New(offer)),
        Who::Outsider(email) => email,
        Who::Member(signed) => &signed.email,
    };
    Ok(if email.eq_ignore_ascii_case(&offer.email) { Door::Join(offer) } else { Door::Elses(offer, email.clone()) })
}

async fn show(
    State(app): State<App>,
    session: Session,
    visitor: Visitor,
    Query(Code { code }): Query<Code>,
) -> Result<Response> {
    let door = door(&app, &visitor, &code).await?;
    let frame = match door {
        Door::New(_) => Frame { token: visitor::begin(&session).await?, ..visitor.frame() },
        Door::Void | Door::SignIn(_) | Door::Join(_) | Door::Elses(..) => visitor.frame(),
    };
    let status = if matches!(door, Door::Void) { StatusCode::NOT_FOUND } else { StatusCode::OK };
    Ok(html(status, Page { frame, errors: FormErrors::new(), door, code, called: String::new() }.render()?))
}

/// The form; the passwords are never filled in again.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Typed {
    code: String,
    name: String,
    password: SecretString,
    again: SecretString,
}

async fn join(
    State(app): State<App>,
    session: Session,
    visitor: Visitor,
    Form(typed): Form<Typed>,
) -> Result<Response> {
    let door = door(&app, &visitor, &typed.code).await?;
    let mut errors = FormErrors::new();
    let guest = match &door {
        Door::New(_) if typed.again.expose_secret() != typed.password.expose_secret() => {
            errors.add("again", "Type the same password twice; these two differ.");
            None
        }
        Door::New(_) => Some(Guest::New { name: typed.name.clone(), password: typed.password.clone() }),
        Door::Join(offer) => offer.known.map(Guest::Known),
        Door::Void | Door::SignIn(_) | Door::Elses(..) => None,
    };
    if let Some(guest) = guest {
        match accept::accept(&app, &typed.code, guest, visitor.address.clone()).await {
            Ok((offer, person)) => {
                match visitor.who {
                    Who::Stranger => {
                        sign_in::enter_for(&app, &session, (person, Some(offer.merchant)), &visitor, false).await?;
                    }
                    Who::Outsider(_) | Who::Member(_) => {
                        sign_in::work_for(&app, &session, &visitor, offer.merchant).await?;
                    }
                }
                let said = format!("Welcome to {}. Your role is {}.", offer.merchant_name, offer.role);
                return Ok(see("/").saying(said).into_response());
            }
            Err(NotAccepted::Entered(problems)) => {
                problems.into_iter().for_each(|problem| errors.add(problem.field, sentence(&problem.message)));
            }
            Err(NotAccepted::Void | NotAccepted::NotYours) => return Err(Error::Conflict(TOO_LATE.into())),
            Err(NotAccepted::Database(error)) => return Err(error.into()),
        }
    }
    let shown = Page { frame: visitor.frame(), errors, door, code: typed.code, called: typed.name };
    if shown.errors.is_empty() && matches!(shown.door, Door::Void) {
        return Ok(html(StatusCode::NOT_FOUND, shown.render()?));
    }
    if shown.errors.is_empty() { page(&shown) } else { unaccepted(&shown) }
}

const TOO_LATE: &str = "This invitation was accepted or taken back meanwhile. Nothing was changed.";
