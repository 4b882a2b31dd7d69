//! `/account/…`: setting up an app that makes codes, passkeys and recovery codes, and removing them. Each asks anew first.

use super::account::ACCOUNT;
use super::page::{FormErrors, Frame, Section, page, see, unaccepted};
use super::routes::{Access, Routes};
use super::visitor::{SIGNED_IN, SignedIn};
use super::{Error, Form, Oneself, Result, Tone, Visitor};
use crate::app::App;
use crate::factor::authenticator::{self, SetUp};
use crate::factor::passkey::{self, LONGEST_NAME};
use crate::factor::{self, Refused, recovery};
use crate::id::PasskeyId;
use anyhow::Context;
use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tower_sessions::Session;
use webauthn_rs::prelude::PasskeyRegistration;

const APP: &str = "/account/authenticator";
const ASKED: &str = "passkey_to_make";

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .post(Access::SignedIn, APP, start)
        .fresh()
        .get(Access::SignedIn, APP, show)
        .fresh()
        // Where a mistyped form is shown again, whoever is asked anew comes back to.
        .get(Access::SignedIn, "/account/authenticator/confirmation", async || see(APP))
        .post(Access::SignedIn, "/account/authenticator/confirmation", confirm)
        .fresh()
        .post(Access::SignedIn, "/account/authenticator/removal", remove_authenticator)
        .fresh()
        .get(Access::SignedIn, "/account/passkeys/new", new_passkey)
        .fresh()
        .get(Access::SignedIn, "/account/passkeys", async || see("/account/passkeys/new"))
        .post(Access::SignedIn, "/account/passkeys", add_passkey)
        .fresh()
        .post(Access::SignedIn, "/account/passkeys/removal", remove_passkey)
        .fresh()
        .post(Access::SignedIn, "/account/recovery-codes", renew_codes)
        .fresh()
}

fn frame(visitor: &Visitor) -> Frame {
    Frame { section: Section::None, ..visitor.frame() }
}

#[derive(Template)]
#[template(path = "account/authenticator.html")]
struct Authenticator {
    frame: Frame,
    errors: FormErrors,
    set_up: SetUp,
}

impl Authenticator {
    /// In groups of four, as it is read out and typed.
    fn secret(&self) -> String {
        let letters = self.set_up.secret.expose_secret().as_bytes();
        letters.chunks(4).map(String::from_utf8_lossy).collect::<Vec<_>>().join(" ")
    }
}

async fn start(State(app): State<App>, oneself: Oneself) -> Result<Response> {
    authenticator::start(&app, oneself.person).await?;
    Ok(see(APP).into_response())
}

async fn show(State(app): State<App>, visitor: Visitor, oneself: Oneself) -> Result<Response> {
    match authenticator::starting(&app, oneself.person, &oneself.email).await? {
        Some(set_up) => page(&Authenticator { frame: frame(&visitor), errors: FormErrors::new(), set_up }),
        None => Ok(see(ACCOUNT).into_response()),
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Code {
    code: String,
}

async fn confirm(
    State(app): State<App>,
    session: Session,
    visitor: Visitor,
    oneself: Oneself,
    Form(typed): Form<Code>,
) -> Result<Response> {
    if let Some(codes) = authenticator::confirm(&app, &oneself.actor(&app), oneself.person, &typed.code).await? {
        keep_in(&session).await?;
        return made(&visitor, codes, "Your app is set up: sign-in asks for its code from now on.");
    }
    let Some(set_up) = authenticator::starting(&app, oneself.person, &oneself.email).await? else {
        return Ok(see(ACCOUNT).into_response());
    };
    let mut errors = FormErrors::new();
    errors.add("code", "This is not the app’s code. Type the one that it shows now; its clock must be right.");
    unaccepted(&Authenticator { frame: frame(&visitor), errors, set_up })
}

/// The factor was made in this session, which goes on; others of this person, in which it was not shown, do not.
async fn keep_in(session: &Session) -> Result<()> {
    let kept: Option<SignedIn> = session.get(SIGNED_IN).await.context("the session could not be read")?;
    let kept = kept.context("they have signed in")?;
    session
        .insert(SIGNED_IN, SignedIn { by_factor: true, ..kept })
        .await
        .context("the session could not be written")?;
    Ok(())
}

/// Recovery codes, which are shown this once: in no flash, which the database would keep.
#[derive(Template)]
#[template(path = "account/recovery_codes.html")]
struct RecoveryCodes {
    frame: Frame,
    said: &'static str,
    codes: Vec<SecretString>,
}

fn made(visitor: &Visitor, codes: Vec<SecretString>, said: &'static str) -> Result<Response> {
    if codes.is_empty() {
        return Ok(see(ACCOUNT).saying(said).into_response());
    }
    page(&RecoveryCodes { frame: frame(visitor), said, codes })
}

async fn renew_codes(State(app): State<App>, visitor: Visitor, oneself: Oneself) -> Result<Response> {
    if !oneself.has_factor {
        return Err(Error::Conflict("Recovery codes stand in for a second factor. Set one up first.".into()));
    }
    let codes = recovery::renew(&app, &oneself.actor(&app), oneself.person).await?;
    made(&visitor, codes, "These are new. The codes before them no longer work.")
}

#[derive(Template)]
#[template(path = "account/passkey.html")]
struct NewPasskey {
    frame: Frame,
    errors: FormErrors,
    called: String,
    /// What the page's script asks the browser; none where this installation has no name of its own.
    asked: Option<String>,
    origin: String,
}

async fn ask(app: &App, session: &Session, visitor: &Visitor, oneself: &Oneself) -> Result<NewPasskey> {
    let asked = passkey::start_registration(app, oneself.person, &oneself.email).await?;
    if let Some(asked) = &asked {
        session.insert(ASKED, &asked.state).await.context("the session could not be written")?;
    }
    Ok(NewPasskey {
        frame: frame(visitor),
        errors: FormErrors::new(),
        called: visitor.browser.clone().unwrap_or_default(),
        asked: asked.map(|asked| asked.asked),
        origin: passkey::origin(app).unwrap_or_default(),
    })
}

async fn new_passkey(State(app): State<App>, session: Session, visitor: Visitor, oneself: Oneself) -> Result<Response> {
    page(&ask(&app, &session, &visitor, &oneself).await?)
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Made {
    name: String,
    passkey: String,
}

async fn add_passkey(
    State(app): State<App>,
    session: Session,
    visitor: Visitor,
    oneself: Oneself,
    Form(typed): Form<Made>,
) -> Result<Response> {
    let mut errors = FormErrors::new();
    let name = typed.name.trim();
    let asked = session.remove::<PasskeyRegistration>(ASKED).await.context("the session could not be read")?;
    if !(1..=LONGEST_NAME).contains(&name.chars().count()) {
        errors.add("name", format!("A passkey’s name has 1 to {LONGEST_NAME} characters."));
    } else if let Some(asked) = asked {
        let actor = oneself.actor(&app);
        match passkey::register(&app, &actor, oneself.person, name, &typed.passkey, &asked).await? {
            Ok(codes) => {
                keep_in(&session).await?;
                return made(&visitor, codes, "Your passkey is added: sign-in asks for it from now on.");
            }
            Err(passkey::Refused::Known) => errors.add("passkey", "This passkey is in your account already."),
            Err(passkey::Refused::Wrong) => errors.add("passkey", NOT_MADE),
        }
    } else {
        errors.add("passkey", NOT_MADE);
    }
    unaccepted(&NewPasskey { errors, called: typed.name.clone(), ..ask(&app, &session, &visitor, &oneself).await? })
}

const NOT_MADE: &str = "No passkey was made. Press the button and follow your browser; it needs JavaScript.";

#[derive(Deserialize)]
struct Which {
    passkey: PasskeyId,
}

async fn remove_passkey(State(app): State<App>, oneself: Oneself, Form(which): Form<Which>) -> Result<Response> {
    remove(&app, &oneself, factor::Which::Passkey(which.passkey), "That passkey opens nothing here any more.").await
}

async fn remove_authenticator(State(app): State<App>, oneself: Oneself) -> Result<Response> {
    remove(&app, &oneself, factor::Which::Authenticator, "Codes of that app open nothing here any more.").await
}

async fn remove(app: &App, oneself: &Oneself, which: factor::Which, said: &str) -> Result<Response> {
    match factor::remove(app, &oneself.actor(app), oneself.person, which).await? {
        Ok(()) => Ok(see(ACCOUNT).saying(said).into_response()),
        Err(Refused::NotFound) => Ok(see(ACCOUNT).with(Tone::Info, "It was removed already.").into_response()),
        Err(Refused::Required(merchants)) => {
            let said = format!(
                "This is your last second factor, and {} requires one of you. Add another one, then remove this one.",
                merchants.join(", ")
            );
            Ok(see(ACCOUNT).with(Tone::Warning, said).into_response())
        }
    }
}
