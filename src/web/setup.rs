//! The first page of an empty installation: its first merchant and first person, an admin. Only who can read the log
//! knows the code, so no stranger is first.

use super::Form;
use super::error::{Error, Result};
use super::page::{FormErrors, Frame, page, see, sentence, unaccepted};
use super::routes::{Access, Routes};
use super::session::{self, TooMany};
use super::sign_in;
use super::visitor::{self, Visitor};
use crate::admin::{self, NewMerchant, NewPerson, Refused};
use crate::app::App;
use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use std::sync::LazyLock;
use tower_sessions::Session;

pub(super) fn routes(routes: Routes) -> Routes {
    routes.get(Access::Public, "/setup", show).post(Access::Public, "/setup", set_up)
}

/// For the list that the browser offers; any IANA name may be typed.
static ZONES: LazyLock<Vec<String>> =
    LazyLock::new(|| jiff::tz::db().available().map(|zone| zone.to_string()).collect());

#[derive(Template)]
#[template(path = "setup.html")]
struct Setup {
    frame: Frame,
    errors: FormErrors,
    typed: Typed,
    zones: &'static [String],
}

/// The form; the passwords are never filled in again.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Typed {
    code: String,
    merchant: String,
    time_zone: String,
    name: String,
    email: String,
    password: SecretString,
    again: SecretString,
}

async fn show(State(app): State<App>, session: Session, visitor: Visitor) -> Result<Response> {
    if !session::installation_is_empty(&app).await? {
        return Ok(see("/sign-in").into_response());
    }
    let frame = Frame { token: visitor::begin(&session).await?, ..visitor.frame() };
    page(&Setup { frame, errors: FormErrors::new(), typed: Typed::default(), zones: &ZONES })
}

async fn set_up(
    State(app): State<App>,
    session: Session,
    visitor: Visitor,
    Form(typed): Form<Typed>,
) -> Result<Response> {
    let mut errors = FormErrors::new();
    let merchant = NewMerchant { name: typed.merchant.clone(), time_zone: typed.time_zone.clone() };
    let person = NewPerson { email: typed.email.clone(), name: typed.name.clone(), password: typed.password.clone() };
    if typed.again.expose_secret() != typed.password.expose_secret() {
        errors.add("again", "Type the same password twice; these two differ.");
    } else if let Err(too_many) = try_code(&app, &typed.code, visitor.address.as_deref()).await? {
        errors.add("code", too_many.words());
    } else if !admin::check_setup_code(&app.database, &typed.code).await? {
        wrong_code(&app, &mut errors).await?;
    } else {
        match admin::create_first(&app.database, &app.clock, &typed.code, merchant, person, visitor.address.clone())
            .await
        {
            Ok((_, person)) => {
                sign_in::enter(&app, &session, person, &visitor, false).await?;
                return Ok(see("/").saying("Welcome. Stipend is set up, and you are its first admin.").into_response());
            }
            Err(Refused::Entered(problems)) => {
                problems.into_iter().for_each(|problem| errors.add(problem.field, sentence(&problem.message)));
            }
            Err(Refused::WrongCode) => wrong_code(&app, &mut errors).await?,
            Err(Refused::AlreadySetUp) => return Err(already_set_up()),
            Err(Refused::Database(error)) => return Err(error.into()),
        }
    }
    unaccepted(&Setup { frame: visitor.frame(), errors, typed, zones: &ZONES })
}

/// Guesses are counted like those of a password; a right one gives its attempt back.
async fn try_code(app: &App, code: &str, address: Option<&str>) -> Result<Result<(), TooMany>> {
    let attempt = match session::attempt(app, "the first set-up", address).await? {
        Ok(attempt) => attempt,
        Err(too_many) => return Ok(Err(too_many)),
    };
    if admin::check_setup_code(&app.database, code).await? {
        session::forgive(app, &attempt).await?;
    }
    Ok(Ok(()))
}

fn already_set_up() -> Error {
    Error::Conflict("Somebody else has set up this installation already. Sign in, or ask them to add you.".into())
}

/// No code is right any more once somebody was first; whoever comes second is told that instead.
async fn wrong_code(app: &App, errors: &mut FormErrors) -> Result<()> {
    if !session::installation_is_empty(app).await? {
        return Err(already_set_up());
    }
    errors.add("code", "This is not the code. The newest one is in the log, near the line that says Stipend is ready.");
    Ok(())
}
