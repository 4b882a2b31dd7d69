//! `/integrations/payment`: the card of the PayPal connection, and the form behind Connect and Edit.

use super::dropzone::DropzoneCard;
use super::funds;
use super::waits::Waits;
use super::when::{When, when};
use super::{Error, Form, FormErrors, Frame, Result, Routes, Section, Signed, Tone, page, see, unaccepted};
use crate::app::{App, Hints};
use crate::connection::balance::{self, Told};
use crate::connection::notifications::{self, Farewell, Notifications};
use crate::connection::{self, BadDetails, Blocking, Candidate, Card, Connection, Outcome, Refused, is_being_asked};
use crate::paypal::Environment;
use crate::role::Role;
use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

const PAGE: &str = "/integrations/payment";
const UPGRADED: &str = "Upgraded. Your next payment will use the new connection.";

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .get(Role::Viewer, "/integrations", async || see(PAGE))
        .get(Role::Viewer, PAGE, index)
        .get(Role::Viewer, "/integrations/payment/guide", guide)
        .get(Role::Admin, "/integrations/payment/paypal", form)
        .fresh()
        .post(Role::Admin, "/integrations/payment/paypal", save)
        .fresh()
        .post(Role::Admin, "/integrations/payment/paypal/verification", check_again)
        .post(Role::Approver, "/integrations/payment/paypal/resumption", try_now)
        .post(Role::Admin, "/integrations/payment/paypal/disconnection", disconnect)
        .fresh()
}

#[derive(Template)]
#[template(path = "connection/index.html")]
struct Index {
    frame: Frame,
    card: Card,
    connected: Option<When>,
    /// Since when there is a legacy connection.
    legacy_since: Option<When>,
    checked: Option<When>,
    waits: Vec<Waits>,
    tried: Option<When>,
    /// The check of the candidate goes on, as far as is known.
    is_being_asked: bool,
    notified: Option<Words<String>>,
    balance: Option<String>,
    dropzone: DropzoneCard,
}

impl Index {
    fn new(
        app: &App,
        signed: &Signed,
        card: Card,
        dropzone: DropzoneCard,
        notifications: Option<&Notifications>,
        told: Option<&Told>,
    ) -> Self {
        let zone = &signed.time_zone;
        let connection = card.connection.as_ref();
        let pauses = card.pauses.iter().map(|pause| Waits::of(app, pause, zone));
        let waits = pauses.chain(connection.and_then(|c| Waits::of_reading(c, zone))).collect();
        Self {
            frame: signed.frame(Section::Integrations),
            connected: connection.map(|c| when(c.connected_at, zone)),
            legacy_since: card.legacy.as_ref().map(|legacy| when(legacy.connected_at, zone)),
            checked: connection.map(|c| when(c.checked_at, zone)),
            waits,
            tried: card.candidate.as_ref().map(|c| when(c.checked_at.unwrap_or(c.saved_at), zone)),
            is_being_asked: card
                .candidate
                .as_ref()
                .is_some_and(|one| one.outcome.is_none() && is_being_asked(one.saved_at, app.clock.now())),
            notified: notifications.map(|told| notification_words(told, zone)),
            balance: told.map(|told| funds::words(told, None, zone)),
            dropzone,
            card,
        }
    }

    fn masked(&self, connection: &Connection) -> String {
        connection::masked(&connection.client_id)
    }

    fn works(&self, connection: &Connection) -> bool {
        connection.check_outcome == Outcome::Ready
    }

    fn is_active(&self) -> bool {
        self.card.connection.is_some() || self.card.legacy.is_some()
    }

    fn candidate_words(&self, candidate: &Candidate) -> Words {
        if self.is_being_asked { BEING_ASKED } else { words(candidate.outcome, self.is_active()) }
    }

    fn stopped_words(&self, connection: &Connection) -> Words {
        words(Some(connection.check_outcome), true)
    }
}

/// What an outcome is called, and what to do.
pub(super) struct Words<Text = &'static str> {
    pub(super) tone: &'static str,
    pub(super) title: &'static str,
    pub(super) text: Text,
}

/// Before there is an outcome.
pub(super) const BEING_ASKED: Words = Words {
    tone: "info",
    title: "PayPal is being asked about these details",
    text: "Load this page again in a moment.",
};

pub(super) fn words(outcome: Option<Outcome>, other_in_force: bool) -> Words {
    let (tone, title, text) = match outcome {
        None => ("info", "The check was interrupted", "PayPal has not confirmed these details yet. Check them again."),
        Some(Outcome::Ready) => ("good", "Ready to pay", "PayPal knows this app and lets it send payouts."),
        Some(Outcome::WrongDetails) => (
            "bad",
            "PayPal does not recognise this Client ID and Secret",
            "Check that both come from the same app, and that you copied the pair of the environment you chose.",
        ),
        Some(Outcome::SandboxDetails) => (
            "bad",
            "These are sandbox details",
            "PayPal’s sandbox knows this pair, live PayPal does not. In PayPal’s developer dashboard switch to Live and copy both values again.",
        ),
        Some(Outcome::LiveDetails) => (
            "bad",
            "These are live details",
            "Live PayPal knows this pair, the sandbox does not. Choose Live, or copy the sandbox pair.",
        ),
        Some(Outcome::PayoutsMissing) => (
            "warning",
            "Payouts are not enabled on this app",
            "PayPal accepts the details, but this app may not send payouts yet. Enable Payouts for the app in PayPal’s developer dashboard; PayPal can take a few days to approve it. Until then you can export a file or mark payments as paid.",
        ),
        Some(Outcome::Unreachable) if other_in_force => (
            "warning",
            "PayPal could not be reached",
            "The earlier connection is still in use. Try again in a few minutes.",
        ),
        Some(Outcome::Unreachable) => {
            ("warning", "PayPal could not be reached", "Nothing was changed. Try again in a moment.")
        }
    };
    Words { tone, title, text }
}

/// Whether PayPal tells us by itself. Payments are followed either way.
fn notification_words(told: &Notifications, zone: &str) -> Words<String> {
    let minute = |at| when(at, zone).minute;
    let (tone, title, text) = match told {
        Notifications::NoAddress => (
            "quiet",
            "Notifications not available",
            "This installation has no public HTTPS address, so PayPal is asked instead.".into(),
        ),
        Notifications::Soon => ("quiet", "Notifications not registered yet", String::new()),
        Notifications::Registered(None) => ("good", "Notifications registered", "None has come yet.".into()),
        Notifications::Registered(Some(last)) => {
            ("good", "Notifications registered", format!("The last one came {}.", minute(*last)))
        }
        Notifications::NotPermitted(at, again) => (
            "warning",
            "Notifications not permitted",
            format!(
                "The app may not register a webhook (asked {}); PayPal is asked instead. We try again {}.",
                minute(*at),
                minute(*again)
            ),
        ),
        Notifications::Failed(why, at, again) => (
            "warning",
            "Notifications not registered",
            format!("It failed {}: {why}. PayPal is asked instead. We try again {}.", minute(*at), minute(*again)),
        ),
    };
    Words { tone, title, text }
}

async fn index(State(app): State<App>, signed: Signed) -> Result<Response> {
    funds::ask(&app, &signed).await;
    let mut tx = signed.tx(&app).await?;
    let card = connection::card(&mut tx).await?;
    let (notifications, told) = match &card.connection {
        Some(connection) => (
            Some(notifications::shown(&mut tx, &app, connection.id).await?),
            Some(balance::told(&mut tx, connection.id).await?),
        ),
        None => (None, None),
    };
    let dropzone = DropzoneCard::load(&app, &mut tx, &signed.time_zone).await?;
    page(&Index::new(&app, &signed, card, dropzone, notifications.as_ref(), told.as_ref()))
}

/// How to get a Client ID and Secret, for newcomers and for whoever upgrades.
#[derive(Template)]
#[template(path = "connection/guide.html")]
struct Guide {
    frame: Frame,
    upgrades: bool,
    connected: bool,
}

async fn guide(State(app): State<App>, signed: Signed) -> Result<Response> {
    let mut tx = signed.tx(&app).await?;
    page(&Guide {
        frame: signed.frame(Section::Integrations),
        upgrades: connection::legacy::in_force(&mut tx).await?.is_some(),
        connected: connection::in_force(&mut tx).await?.is_some(),
    })
}

#[derive(Template)]
#[template(path = "connection/form.html")]
struct Edit {
    frame: Frame,
    errors: FormErrors,
    typed: Typed,
    environments: Vec<Environment>,
    fixed: Option<Environment>,
    connected: bool,
    /// The form upgrades a legacy connection.
    upgrades: bool,
    blocking: Vec<Blocking>,
    demo: Option<Hints>,
}

/// The form as it is typed. The Secret is taken and never given back.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Typed {
    pub(super) environment: String,
    pub(super) client_id: String,
    pub(super) secret: String,
}

async fn form(State(app): State<App>, signed: Signed) -> Result<Response> {
    let mut tx = signed.tx(&app).await?;
    let card = connection::card(&mut tx).await?;
    let known = match (&card.connection, &card.candidate, &card.legacy) {
        (_, Some(candidate), _) => Some((candidate.environment, candidate.client_id.clone())),
        (Some(connection), None, _) => Some((connection.environment, connection.client_id.clone())),
        (None, None, Some(legacy)) => Some((legacy.environment, String::new())),
        (None, None, None) => None,
    };
    let typed = known.map_or_else(Typed::default, |(environment, client_id)| Typed {
        environment: environment.code().into(),
        client_id,
        secret: String::new(),
    });
    page(&edit(&app, &signed, card, typed, FormErrors::new()))
}

fn edit(app: &App, signed: &Signed, card: Card, typed: Typed, errors: FormErrors) -> Edit {
    let offered = app.paypal.environments().iter().copied();
    let environments: Vec<_> = offered.filter(|one| card.fixed_environment.is_none_or(|fixed| fixed == *one)).collect();
    let is_offered = environments.iter().any(|one| one.code() == typed.environment);
    let only = environments.first().map(|one| one.code().to_owned()).unwrap_or_default();
    let environment = if is_offered { typed.environment } else { only };
    Edit {
        frame: signed.frame(Section::Integrations),
        errors,
        typed: Typed { environment, ..typed },
        environments,
        fixed: card.fixed_environment,
        connected: card.connection.is_some() || card.legacy.is_some(),
        upgrades: card.legacy.is_some(),
        blocking: card.blocking,
        demo: app.demo,
    }
}

async fn save(State(app): State<App>, signed: Signed, Form(typed): Form<Typed>) -> Result<Response> {
    let details = match connection::read_details(&typed.environment, &typed.client_id, &typed.secret) {
        Ok(details) => details,
        Err(bad) => return refused(&app, &signed, typed, wrong_fields(&bad)).await,
    };
    let upgrades = connection::legacy::in_force(&mut signed.tx(&app).await?).await?.is_some();
    match connection::save(&app, signed.merchant, &signed.actor(&app), &details).await? {
        Ok(Outcome::Ready) => {
            let said = match upgrades {
                true => UPGRADED,
                false => "PayPal is connected. Your next payment will use this connection.",
            };
            Ok(see(PAGE).saying(said).into_response())
        }
        // The card says what PayPal said, and what to do.
        Ok(
            Outcome::WrongDetails
            | Outcome::SandboxDetails
            | Outcome::LiveDetails
            | Outcome::PayoutsMissing
            | Outcome::Unreachable,
        ) => Ok(see(PAGE).into_response()),
        Err(why) => {
            let mut errors = FormErrors::new();
            let (field, message) = refusal_words(&why);
            errors.add(field, message);
            refused(&app, &signed, typed, errors).await
        }
    }
}

async fn refused(app: &App, signed: &Signed, typed: Typed, errors: FormErrors) -> Result<Response> {
    let mut tx = signed.tx(app).await?;
    let card = connection::card(&mut tx).await?;
    unaccepted(&edit(app, signed, card, typed, errors))
}

pub(super) fn wrong_fields(bad: &BadDetails) -> FormErrors {
    let mut errors = FormErrors::new();
    for (field, problem) in [("environment", bad.environment), ("client_id", bad.client_id), ("secret", bad.secret)] {
        if let Some(problem) = problem {
            errors.add(field, problem);
        }
    }
    errors
}

pub(super) fn refusal_words(why: &Refused) -> (&'static str, String) {
    match why {
        Refused::NotOffered => ("environment", "This installation does not offer that environment.".into()),
        Refused::EnvironmentFixed(fixed) => (
            "environment",
            format!(
                "This merchant’s first payment was made with {}, so it stays there: play money must never mark real commissions paid.",
                fixed.name()
            ),
        ),
        Refused::InUse(batches) => (
            "client_id",
            format!(
                "Another Client ID is another connection, and {} not finished: PayPal can be asked about it only through the one in force. Wait, or enter a new Secret for the same Client ID.",
                unfinished(batches)
            ),
        ),
        Refused::Overtaken => (
            "client_id",
            "This connection was changed while PayPal was asked, and that counts. Look at it before you save anew."
                .into(),
        ),
    }
}

/// "batch 4 is", "batches 4, 5 are": to be followed by "not finished".
fn unfinished(batches: &[Blocking]) -> String {
    let numbers: Vec<_> = batches.iter().take(5).map(|batch| batch.number.to_string()).collect();
    match (numbers.as_slice(), batches.len() > numbers.len()) {
        ([one], _) => format!("batch {one} is"),
        (_, false) => format!("batches {} are", numbers.join(", ")),
        (_, true) => format!("batches {} and others are", numbers.join(", ")),
    }
}

async fn check_again(State(app): State<App>, signed: Signed) -> Result<Response> {
    let upgrades = connection::legacy::in_force(&mut signed.tx(&app).await?).await?.is_some();
    let outcome = match connection::check_again(&app, signed.merchant, &signed.actor(&app)).await? {
        Ok(Some(outcome)) => outcome,
        Ok(None) => {
            return Ok(see(PAGE)
                .with(Tone::Info, "There is nothing to check: PayPal is not connected.")
                .into_response());
        }
        Err(why) => return Err(Error::Conflict(refusal_words(&why).1)),
    };
    let mut tx = signed.tx(&app).await?;
    let card = connection::card(&mut tx).await?;
    let told = match outcome {
        Outcome::Ready if upgrades => see(PAGE).saying(UPGRADED),
        Outcome::Ready => see(PAGE).saying("PayPal confirmed the connection: it is ready to pay."),
        // Nothing of this is kept beside a connection that works, so only this page can say it.
        Outcome::Unreachable if card.candidate.is_none() => {
            let Words { title, text, .. } = words(Some(outcome), true);
            see(PAGE).with(Tone::Warning, format!("{title}. {text}"))
        }
        Outcome::WrongDetails
        | Outcome::SandboxDetails
        | Outcome::LiveDetails
        | Outcome::PayoutsMissing
        | Outcome::Unreachable => see(PAGE),
    };
    Ok(told.into_response())
}

async fn try_now(State(app): State<App>, signed: Signed) -> Result<Response> {
    if connection::try_now(&app, signed.merchant, &signed.actor(&app)).await? {
        let said = "One of the payments that wait is tried now; if PayPal takes it, the others follow.";
        return Ok(see(PAGE).saying(said).into_response());
    }
    Ok(see(PAGE).with(Tone::Info, "There is nothing to try: PayPal is not connected.").into_response())
}

async fn disconnect(State(app): State<App>, signed: Signed) -> Result<Response> {
    match connection::disconnect(&app, signed.merchant, &signed.actor(&app)).await? {
        Ok(Farewell::Clean) => {
            Ok(see(PAGE).saying("PayPal is disconnected, and its Secret is destroyed here.").into_response())
        }
        Ok(Farewell::LeftBehind) => Ok(see(PAGE)
            .with(
                Tone::Warning,
                "PayPal is disconnected, and its Secret is destroyed here. PayPal did not take our webhook off its list: \
                remove it from the app in PayPal’s developer dashboard.",
            )
            .into_response()),
        Err(Refused::InUse(batches)) => Err(Error::Conflict(format!(
            "PayPal stays connected: {} not finished, and can only be followed through this connection.",
            unfinished(&batches)
        ))),
        Err(Refused::NotOffered | Refused::EnvironmentFixed(_) | Refused::Overtaken) => {
            unreachable!("disconnecting asks for no environment, and PayPal for nothing that it goes by")
        }
    }
}
