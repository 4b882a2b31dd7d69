//! `/integrations/payment/dropzone`: the merchant's account on PayPal's DropZone, step by step; and its card.

use super::when::{When, when};
use super::{Error, Form, FormErrors, Frame, Result, Routes, Section, Signed, Tone, page, see, unaccepted};
use crate::app::{App, Hints};
use crate::connection::dropzone::{self, Details, Dropzone, Outcome, Refused};
use crate::connection::{Blocking, Card, card};
use crate::payout::reason;
use crate::paypal::Environment;
use crate::paypal::dropzone::fingerprint;
use crate::role::Role;
use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

const PAGE: &str = "/integrations/payment/dropzone";

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .get(Role::Admin, PAGE, form)
        .post(Role::Admin, "/integrations/payment/dropzone", begin)
        .fresh()
        .get(Role::Admin, "/integrations/payment/dropzone/details", async || see(PAGE))
        .post(Role::Admin, "/integrations/payment/dropzone/details", save)
        .post(Role::Admin, "/integrations/payment/dropzone/verification", test)
        .post(Role::Admin, "/integrations/payment/dropzone/host-key", approve)
        .fresh()
        .post(Role::Admin, "/integrations/payment/dropzone/keys", add_key)
        .fresh()
        .post(Role::Admin, "/integrations/payment/dropzone/keys/retirement", drop_earlier_key)
        .fresh()
        .post(Role::Admin, "/integrations/payment/dropzone/disconnection", disconnect)
        .fresh()
}

/// What a test found, in words.
pub(super) struct Words {
    pub(super) tone: &'static str,
    pub(super) title: &'static str,
    pub(super) text: String,
}

/// What the last test found.
pub(super) fn words(dropzone: &Dropzone) -> Option<Words> {
    let told = dropzone.check_told.as_deref().unwrap_or_default();
    let (tone, title, text) = match dropzone.check_outcome? {
        Outcome::Ready => ("good", "Connected", "Incoming and Outgoing folders found. Files can be sent.".to_owned()),
        Outcome::HostKeyNew => (
            "warning",
            "Compare the server’s key",
            "The DropZone shows this key for the first time. Compare it with what PayPal tells you, then approve it. Nothing was signed in yet.".to_owned(),
        ),
        Outcome::HostKeyChanged => (
            "bad",
            "The server shows another key",
            "This is not the key that was approved, so nothing is sent. Ask PayPal whether it changed its key; if it did, compare and approve the new one.".to_owned(),
        ),
        Outcome::SignInRefused => (
            "bad",
            "PayPal does not let us in",
            "Check the user name, and that PayPal has entered the public key below for it. PayPal can take two days to do so; the sandbox also wants your outgoing address.".to_owned(),
        ),
        Outcome::FoldersMissing => ("bad", "A folder is missing", format!("We were let in, but not into a folder: {told}. Ask PayPal what the folders are called.")),
        Outcome::Unreachable => ("warning", "The DropZone could not be reached", format!("Nothing was changed: {told}. Try again in a moment; PayPal may have to admit your outgoing address first.")),
    };
    Some(Words { tone, title, text })
}

/// The card on the integrations page.
pub(super) struct DropzoneCard {
    pub(super) dropzone: Option<Dropzone>,
    pub(super) words: Option<Words>,
    pub(super) waits: Option<(String, When)>,
    pub(super) listed: Option<When>,
    pub(super) is_offered: bool,
}

impl DropzoneCard {
    pub(super) async fn load(app: &App, tx: &mut crate::database::Tx, zone: &str) -> sqlx::Result<Self> {
        let dropzone = dropzone::show(tx).await?;
        let waits = dropzone.as_ref().and_then(|dropzone| {
            let why = reason::of_call(dropzone.paused_why.as_deref()?, "").merchant;
            Some((why.into_owned(), when(dropzone.paused_at?, zone)))
        });
        Ok(Self {
            words: dropzone.as_ref().filter(|one| one.check_outcome != Some(Outcome::Ready)).and_then(words),
            waits,
            listed: dropzone.as_ref().and_then(|one| one.listed_at).map(|at| when(at, zone)),
            is_offered: offered(app).next().is_some(),
            dropzone,
        })
    }

    pub(super) fn is_active(&self) -> bool {
        self.dropzone.as_ref().is_some_and(|one| one.in_force)
    }
}

fn offered(app: &App) -> impl Iterator<Item = Environment> {
    let all = [Environment::Live, Environment::Sandbox, Environment::Simulator].into_iter();
    all.filter(|one| app.dropzone.offers(*one) && app.paypal.environments().contains(one))
}

#[derive(Template)]
#[template(path = "connection/dropzone.html")]
struct Edit {
    frame: Frame,
    errors: FormErrors,
    typed: Typed,
    dropzone: Option<Dropzone>,
    words: Option<Words>,
    checked: Option<When>,
    next_accepted: Option<When>,
    address: String,
    environments: Vec<Environment>,
    fixed: Option<Environment>,
    blocking: Vec<Blocking>,
    demo: Option<Hints>,
}

impl Edit {
    /// "SHA256:…" of a key.
    fn print(&self, line: &str) -> String {
        fingerprint(line).unwrap_or_else(|| "unreadable".to_owned())
    }

    fn is_sandbox(&self) -> bool {
        self.dropzone.as_ref().is_some_and(|one| one.environment == Environment::Sandbox)
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Typed {
    environment: String,
    user_name: String,
    incoming: String,
    outgoing: String,
    host_key: String,
}

async fn form(State(app): State<App>, signed: Signed) -> Result<Response> {
    page(&edit(&app, &signed, None, FormErrors::new()).await?)
}

async fn edit(app: &App, signed: &Signed, typed: Option<Typed>, errors: FormErrors) -> Result<Edit> {
    let mut tx = signed.tx(app).await?;
    let dropzone = dropzone::show(&mut tx).await?;
    let Card { fixed_environment: fixed, .. } = card(&mut tx).await?;
    let typed = typed.unwrap_or_else(|| {
        let known = dropzone.as_ref();
        let folder = |folder: Option<&String>, usual: &str| folder.cloned().unwrap_or_else(|| usual.to_owned());
        Typed {
            user_name: known.and_then(|one| one.user_name.clone()).unwrap_or_default(),
            incoming: folder(known.map(|one| &one.incoming), "Incoming"),
            outgoing: folder(known.map(|one| &one.outgoing), "Outgoing"),
            ..Typed::default()
        }
    });
    let zone = &signed.time_zone;
    let address =
        dropzone.as_ref().and_then(|one| app.dropzone.address(one.environment)).unwrap_or_default().to_owned();
    Ok(Edit {
        frame: signed.frame(Section::Integrations),
        errors,
        typed,
        words: dropzone.as_ref().and_then(words),
        checked: dropzone.as_ref().and_then(|one| one.checked_at).map(|at| when(at, zone)),
        next_accepted: dropzone.as_ref().and_then(|one| one.next_accepted_at).map(|at| when(at, zone)),
        address,
        environments: offered(app).filter(|one| fixed.is_none_or(|fixed| fixed == *one)).collect(),
        fixed,
        blocking: dropzone::blocking_batches(&mut tx).await?,
        dropzone,
        demo: app.demo,
    })
}

fn refusal_words(why: &Refused) -> String {
    match why {
        Refused::NotOffered => "This installation does not offer that environment.".into(),
        Refused::EnvironmentFixed(fixed) => format!(
            "This merchant’s first payment was made with {}, so it stays there: play money must never mark real commissions paid.",
            fixed.name()
        ),
        Refused::InUse(batches) => {
            let numbers: Vec<_> = batches.iter().take(5).map(|batch| batch.number.to_string()).collect();
            let more = if batches.len() > numbers.len() { " and others" } else { "" };
            format!(
                "Not finished yet: batch {}{more}. Their files can only be followed through this account as it is.",
                numbers.join(", ")
            )
        }
        Refused::OutOfDate => "Something changed meanwhile. Look at the page again; nothing was changed.".into(),
    }
}

fn done(outcome: std::result::Result<(), Refused>, said: &'static str) -> Result<Response> {
    match outcome {
        Ok(()) => Ok(see(PAGE).saying(said).into_response()),
        Err(why) => Err(Error::Conflict(refusal_words(&why))),
    }
}

fn tested(outcome: std::result::Result<Outcome, Refused>) -> Result<Response> {
    Ok(match outcome {
        Ok(Outcome::Ready) => see(PAGE).saying("Connected. Incoming and Outgoing folders found."),
        // The page says what was found, and what to do.
        Ok(
            Outcome::HostKeyNew
            | Outcome::HostKeyChanged
            | Outcome::SignInRefused
            | Outcome::FoldersMissing
            | Outcome::Unreachable,
        ) => see(PAGE),
        Err(Refused::OutOfDate) => see(PAGE).with(Tone::Info, refusal_words(&Refused::OutOfDate)),
        Err(why) => return Err(Error::Conflict(refusal_words(&why))),
    }
    .into_response())
}

async fn begin(State(app): State<App>, signed: Signed, Form(typed): Form<Typed>) -> Result<Response> {
    let Some(environment) = Environment::from_code(&typed.environment) else {
        let mut errors = FormErrors::new();
        errors.add("environment", "Choose which DropZone this is about.");
        return unaccepted(&edit(&app, &signed, Some(typed), errors).await?);
    };
    let made = dropzone::begin(&app, signed.merchant, &signed.actor(&app), environment).await?;
    done(made, "Our key is made. Send its public half to PayPal.")
}

async fn save(State(app): State<App>, signed: Signed, Form(typed): Form<Typed>) -> Result<Response> {
    let details = match Details::read(&typed.user_name, &typed.incoming, &typed.outgoing) {
        Ok(details) => details,
        Err(problems) => {
            let mut errors = FormErrors::new();
            problems.into_iter().for_each(|(field, problem)| errors.add(field, problem));
            return unaccepted(&edit(&app, &signed, Some(typed), errors).await?);
        }
    };
    match dropzone::save(&app, signed.merchant, &signed.actor(&app), &details).await? {
        Err(why @ Refused::InUse(_)) => {
            let mut errors = FormErrors::new();
            errors.add("user_name", refusal_words(&why));
            unaccepted(&edit(&app, &signed, Some(typed), errors).await?)
        }
        outcome => tested(outcome),
    }
}

async fn test(State(app): State<App>, signed: Signed) -> Result<Response> {
    tested(dropzone::test_again(&app, signed.merchant, &signed.actor(&app)).await?)
}

async fn approve(State(app): State<App>, signed: Signed, Form(typed): Form<Typed>) -> Result<Response> {
    tested(dropzone::approve(&app, signed.merchant, &signed.actor(&app), &typed.host_key).await?)
}

async fn add_key(State(app): State<App>, signed: Signed) -> Result<Response> {
    let added = dropzone::add_key(&app, signed.merchant, &signed.actor(&app)).await?;
    done(
        added,
        "A next key is made. Send its public half to PayPal; both keys are tried until you drop the earlier one.",
    )
}

async fn drop_earlier_key(State(app): State<App>, signed: Signed) -> Result<Response> {
    let dropped = dropzone::drop_earlier_key(&app, signed.merchant, &signed.actor(&app)).await?;
    done(dropped, "The earlier key is destroyed here. Ask PayPal to remove it too.")
}

async fn disconnect(State(app): State<App>, signed: Signed) -> Result<Response> {
    match dropzone::disconnect(&app, signed.merchant, &signed.actor(&app)).await? {
        Ok(()) => Ok(see("/integrations/payment")
            .saying("PayPal Large Batch is disconnected, and our keys are destroyed here.")
            .into_response()),
        Err(why) => Err(Error::Conflict(refusal_words(&why))),
    }
}
