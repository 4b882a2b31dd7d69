//! `/password`: for whoever has forgotten theirs. Whether an e-mail is known is told to nobody.

use super::error::{Error, Result};
use super::page::{FormErrors, Frame, html, page, see, sentence, unaccepted};
use super::routes::{Access, Routes};
use super::session;
use super::visitor::{self, Visitor};
use super::{Form, Query};
use crate::admin::Refused;
use crate::app::App;
use crate::password;
use crate::people::password as person_password;
use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tower_sessions::Session;

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .get(Access::Public, "/password/forgotten", forgotten)
        .post(Access::Public, "/password/forgotten", ask)
        .get(Access::Public, "/password/new", show)
        .post(Access::Public, "/password/new", choose)
}

#[derive(Template)]
#[template(path = "account/forgotten.html")]
struct Forgotten {
    frame: Frame,
    email: String,
    /// The mail is on its way, if the address is known.
    asked: bool,
    /// Mails leave this installation.
    mails: bool,
    problem: Option<String>,
}

async fn forgotten(State(app): State<App>, session: Session, visitor: Visitor) -> Result<Response> {
    let frame = match visitor.token {
        Some(_) => visitor.frame(),
        None => Frame { token: visitor::begin(&session).await?, ..visitor.frame() },
    };
    let mails = app.carrier.is_some();
    page(&Forgotten { frame, email: String::new(), asked: false, mails, problem: None })
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Asked {
    email: String,
}

async fn ask(State(app): State<App>, visitor: Visitor, Form(Asked { email }): Form<Asked>) -> Result<Response> {
    let mails = app.carrier.is_some();
    let shown = Forgotten { frame: visitor.frame(), email, asked: false, mails, problem: None };
    if !mails {
        return page(&shown);
    }
    if let Err(too_many) = session::attempt_link(&app, &shown.email, visitor.address.as_deref()).await? {
        let again = Forgotten { problem: Some(too_many.words()), ..shown };
        return Ok(html(StatusCode::TOO_MANY_REQUESTS, again.render()?));
    }
    person_password::ask(&app, &shown.email).await?;
    page(&Forgotten { asked: true, ..shown })
}

#[derive(Template)]
#[template(path = "account/new_password.html")]
struct NewPassword {
    frame: Frame,
    errors: FormErrors,
    code: String,
    /// Whose; none for a link that does not hold.
    email: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Code {
    code: String,
}

async fn show(
    State(app): State<App>,
    session: Session,
    visitor: Visitor,
    Query(Code { code }): Query<Code>,
) -> Result<Response> {
    let email = person_password::find(&app, &code).await?;
    let status = if email.is_some() { StatusCode::OK } else { StatusCode::NOT_FOUND };
    let frame = match (&email, &visitor.token) {
        (Some(_), None) => Frame { token: visitor::begin(&session).await?, ..visitor.frame() },
        (Some(_), Some(_)) | (None, _) => visitor.frame(),
    };
    Ok(html(status, NewPassword { frame, errors: FormErrors::new(), code, email }.render()?))
}

/// The form; the passwords are never filled in again.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Typed {
    code: String,
    password: SecretString,
    again: SecretString,
}

async fn choose(State(app): State<App>, visitor: Visitor, Form(typed): Form<Typed>) -> Result<Response> {
    let Some(email) = person_password::find(&app, &typed.code).await? else {
        let void = NewPassword { frame: visitor.frame(), errors: FormErrors::new(), code: typed.code, email: None };
        return Ok(html(StatusCode::NOT_FOUND, void.render()?));
    };
    let errors = check(&email, &typed.password, &typed.again);
    if !errors.is_empty() {
        return unaccepted(&NewPassword { frame: visitor.frame(), errors, code: typed.code, email: Some(email) });
    }
    match person_password::reset(&app, &typed.code, &typed.password, visitor.address).await {
        Ok(true) => Ok(see("/sign-in").saying("Your password is changed. Sign in with it.").into_response()),
        Ok(false) => Err(Error::Conflict("This link was used or has expired meanwhile. Nothing was changed.".into())),
        Err(Refused::Database(error)) => Err(error.into()),
        Err(refused) => Err(Error::Internal(refused.into())),
    }
}

/// What is wrong with a password that somebody of this e-mail chose.
pub(super) fn check(email: &str, password: &SecretString, again: &SecretString) -> FormErrors {
    let mut errors = FormErrors::new();
    if let Err(unfit) = password::check(password, &[email]) {
        errors.add("password", sentence(&unfit.to_string()));
    } else if again.expose_secret() != password.expose_secret() {
        errors.add("again", "Type the same password twice; these two differ.");
    }
    errors
}
