//! `/account`: what belongs to the person and no merchant: password, second factor, sessions.

use super::page::{FormErrors, Frame, Section, page, see, unaccepted};
use super::reset;
use super::routes::{Access, Routes};
use super::session::{self, Listed};
use super::sign_in;
use super::when::{When, when};
use super::{Error, Form, Oneself, Result, Visitor};
use crate::admin::Refused;
use crate::app::App;
use crate::factor::{self, Factors, Passkey, recovery};
use crate::people::password;
use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use secrecy::SecretString;
use serde::Deserialize;
use tower_sessions::Session;

pub(super) const ACCOUNT: &str = "/account";

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .get(Access::SignedIn, ACCOUNT, show)
        .post(Access::SignedIn, "/account/password", change_password)
        .post(Access::SignedIn, "/account/sessions/revocation", revoke)
        .post(Access::SignedIn, "/account/sessions/others/revocation", revoke_others)
}

#[derive(Template)]
#[template(path = "account/index.html")]
struct Account {
    frame: Frame,
    errors: FormErrors,
    email: String,
    factors: Factors,
    sessions: Vec<Listed>,
    this: String,
}

impl Account {
    fn when(&self, at: &time::OffsetDateTime) -> When {
        when(*at, self.frame.zone())
    }

    fn is_this(&self, one: &Listed) -> bool {
        one.digest == self.this
    }

    fn used(&self, passkey: &Passkey) -> Option<When> {
        passkey.used_at.map(|at| when(at, self.frame.zone()))
    }

    /// "3 of 10 are left"
    fn codes_left(&self) -> String {
        format!("{} of {} are left", self.factors.codes_left, recovery::CODES)
    }

    fn runs_out(&self) -> bool {
        self.factors.codes_left <= 2
    }
}

async fn load(app: &App, session: &Session, visitor: &Visitor, oneself: &Oneself) -> Result<Account> {
    Ok(Account {
        frame: Frame { section: Section::None, ..visitor.frame() },
        errors: FormErrors::new(),
        email: oneself.email.clone(),
        factors: factor::of(app, oneself.person).await?,
        sessions: session::of_person(app, oneself.person).await?,
        this: this(session).unwrap_or_default(),
    })
}

fn this(session: &Session) -> Option<String> {
    session.id().as_ref().map(session::digest)
}

async fn show(State(app): State<App>, session: Session, visitor: Visitor, oneself: Oneself) -> Result<Response> {
    page(&load(&app, &session, &visitor, &oneself).await?)
}

/// The form; the passwords are never filled in again.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Passwords {
    current: SecretString,
    password: SecretString,
    again: SecretString,
}

/// The password in use is asked for here, so nothing else is: who sits there knows it.
async fn change_password(
    State(app): State<App>,
    session: Session,
    visitor: Visitor,
    oneself: Oneself,
    Form(typed): Form<Passwords>,
) -> Result<Response> {
    let mut errors = reset::check(&oneself.email, &typed.password, &typed.again);
    if errors.is_empty() {
        match session::attempt(&app, &oneself.email, oneself.address.as_deref()).await? {
            Err(too_many) => errors.add("current", too_many.words()),
            Ok(attempt) => {
                let credentials = session::credentials(&app, &oneself.email).await?;
                if sign_in::check(credentials, typed.current).await? == Some(oneself.person) {
                    session::forgive(&app, &attempt).await?;
                } else {
                    sign_in::refused(oneself.address.as_deref(), Some(oneself.person), "the password is wrong");
                    errors.add("current", "This is not your password.");
                }
            }
        }
    }
    if !errors.is_empty() {
        return unaccepted(&Account { errors, ..load(&app, &session, &visitor, &oneself).await? });
    }
    let keep = this(&session);
    match password::change(&app, &oneself.actor(&app), oneself.person, &typed.password, keep.as_deref()).await {
        Ok(()) => {
            let said = "Your password is changed. Your other sessions are ended.";
            Ok(see(ACCOUNT).saying(said).into_response())
        }
        Err(Refused::Database(error)) => Err(error.into()),
        Err(refused) => Err(Error::Internal(refused.into())),
    }
}

#[derive(Deserialize)]
struct Which {
    session: String,
}

async fn revoke(State(app): State<App>, oneself: Oneself, Form(which): Form<Which>) -> Result<Response> {
    if !session::end_one(&app, &oneself.actor(&app), oneself.person, &which.session).await? {
        return Err(Error::Conflict("That session has ended already.".into()));
    }
    Ok(see(ACCOUNT).saying("That session is ended.").into_response())
}

async fn revoke_others(State(app): State<App>, session: Session, oneself: Oneself) -> Result<Response> {
    session::end_others(&app, &oneself.actor(&app), oneself.person, this(&session).as_deref()).await?;
    Ok(see(ACCOUNT).saying("Your other sessions are ended.").into_response())
}
