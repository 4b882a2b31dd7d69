//! How somebody shows that it is them, wherever they are asked: a passkey, a code, a recovery code, or the password of a
//! person who has no second factor.

use super::Result;
use super::session::{self, Attempt, TooMany};
use super::sign_in;
use crate::app::App;
use crate::audit::Actor;
use crate::factor::{self, Shown, passkey};
use crate::id::PersonId;
use crate::web::pages::counted;
use anyhow::Context;
use axum::http::StatusCode;
use secrecy::SecretString;
use serde::Deserialize;
use tower_sessions::Session;
use webauthn_rs::prelude::PasskeyAuthentication;

const ASKED: &str = "passkey_asked";

/// The ways that a person has; for `account/proof.html`.
#[derive(Debug)]
pub(super) struct Ways {
    /// An app makes codes.
    pub(super) code: bool,
    /// Recovery codes are left.
    pub(super) recovery: bool,
    /// What the page's script asks the browser.
    pub(super) passkey: Option<String>,
    /// There are passkeys, wherever they hold.
    pub(super) has_passkeys: bool,
    /// Where passkeys hold.
    pub(super) origin: String,
}

impl Ways {
    /// Nothing but the password.
    pub(super) fn is_password(&self) -> bool {
        !self.code && !self.has_passkeys
    }
}

/// What was typed, or what a passkey answered.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Typed {
    pub(super) next: String,
    code: String,
    password: SecretString,
    passkey: String,
}

/// Finds the ways, and notes in the session what a passkey is asked.
pub(super) async fn ways(app: &App, session: &Session, person: PersonId) -> Result<Ways> {
    let factors = factor::of(app, person).await?;
    let asked = passkey::start(app, person).await?;
    if let Some(asked) = &asked {
        session.insert(ASKED, &asked.state).await.context("the session could not be written")?;
    }
    Ok(Ways {
        code: factors.authenticator.is_some(),
        recovery: factors.is_any() && factors.codes_left > 0,
        passkey: asked.map(|asked| asked.asked),
        has_passkeys: !factors.passkeys.is_empty(),
        origin: passkey::origin(app).unwrap_or_default(),
    })
}

/// Checks it: what there is to say about it, or what is wrong. Each attempt is counted.
pub(super) async fn shown(
    app: &App,
    session: &Session,
    actor: &Actor,
    person: PersonId,
    email: &str,
    typed: &Typed,
) -> Result<Result<Option<String>, (StatusCode, String)>> {
    let answer = check(app, session, actor, person, email, typed).await?;
    if answer.is_err() {
        sign_in::refused(actor.address.as_deref(), Some(person), "who it is was not shown");
    }
    Ok(answer)
}

async fn check(
    app: &App,
    session: &Session,
    actor: &Actor,
    person: PersonId,
    email: &str,
    typed: &Typed,
) -> Result<Result<Option<String>, (StatusCode, String)>> {
    let address = actor.address.as_deref();
    if !factor::of(app, person).await?.is_any() {
        let attempt = match session::attempt(app, email, address).await? {
            Ok(attempt) => attempt,
            Err(too_many) => return Ok(Err(refused(&too_many))),
        };
        let credentials = session::credentials(app, email).await?;
        let known = sign_in::check(credentials, typed.password.clone()).await?;
        return right(app, &attempt, known == Some(person), "This is not your password.").await;
    }
    let attempt = match session::attempt_factor(app, person, address).await? {
        Ok(attempt) => attempt,
        Err(too_many) => return Ok(Err(refused(&too_many))),
    };
    if !typed.passkey.is_empty() {
        let asked = session.remove::<PasskeyAuthentication>(ASKED).await.context("the session could not be read")?;
        let holds = match &asked {
            Some(asked) => passkey::check(app, person, &typed.passkey, asked).await?,
            None => false,
        };
        return right(app, &attempt, holds, "This passkey was not accepted. Try again.").await;
    }
    let found = factor::check_code(app, actor, person, &typed.code).await?;
    let problem = "This code does not hold. Type the one that your app shows now; each works once.";
    let answer = right(app, &attempt, found.is_some(), problem).await?;
    Ok(answer.map(|_| match found {
        Some(Shown::RecoveryCode(left)) => {
            let left = counted(left, "recovery code is", "recovery codes are");
            Some(format!("That recovery code is used up; {left} left. Your account has new ones."))
        }
        Some(Shown::Code) | None => None,
    }))
}

async fn right(
    app: &App,
    attempt: &Attempt,
    holds: bool,
    problem: &str,
) -> Result<Result<Option<String>, (StatusCode, String)>> {
    if !holds {
        return Ok(Err((StatusCode::UNPROCESSABLE_ENTITY, problem.to_owned())));
    }
    session::forgive(app, attempt).await?;
    Ok(Ok(None))
}

fn refused(too_many: &TooMany) -> (StatusCode, String) {
    (StatusCode::TOO_MANY_REQUESTS, too_many.words())
}
