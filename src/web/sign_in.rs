//! Signing in and out, and choosing the merchant to work for.

use super::error::Result;
use super::guard::local_path;
use super::home;
use super::page::{Frame, Section, html, page, see};
use super::routes::{Access, Routes};
use super::second_step;
use super::session;
use super::visitor::{self, SIGNED_IN, SignedIn, Visitor, Who};
use super::{Error, Form, Path, Query, Signed};
use crate::app::{App, Hints};
use crate::audit::{self, Actor};
use crate::id::{MerchantId, PersonId};
use crate::password;
use crate::people;
use crate::role::Role;
use anyhow::Context;
use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use secrecy::SecretString;
use serde::Deserialize;
use std::sync::LazyLock;
use tokio::sync::Semaphore;
use tower_sessions::Session;

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .get(Access::Public, "/", start)
        .get(Access::Public, "/sign-in", show)
        .post(Access::Public, "/sign-in", sign_in)
        .post(Access::SignedIn, "/sign-out", sign_out)
        .post(Access::SignedIn, "/merchant", choose_merchant)
        .get(Role::Viewer, "/merchants/{id}", ask_merchant)
        .get(Access::SignedIn, "/no-merchant", no_merchant)
}

/// Passwords checked at once; each takes some 20 MB and a processor.
static CHECKS: Semaphore = Semaphore::const_new(4);

/// What an unknown e-mail's password is compared with: the same work, so that the time tells nothing.
static NOBODY: LazyLock<String> = LazyLock::new(|| {
    password::hash(&SecretString::from("nobody has this one")).expect("hashing in memory cannot fail")
});

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignIn {
    frame: Frame,
    next: String,
    email: String,
    problem: Option<String>,
    demo: Option<Hints>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Next {
    next: String,
}

/// Where everybody lands: members on their start page, others where they can become one.
async fn start(State(app): State<App>, visitor: Visitor, Query(asked): Query<home::Asked>) -> Result<Response> {
    Ok(match visitor.who {
        Who::Member(signed) => return home::show(&app, &signed, &asked).await,
        Who::Outsider(_) => see("/no-merchant"),
        Who::Stranger if session::installation_is_empty(&app).await? => see("/setup"),
        Who::Stranger => see("/sign-in"),
    }
    .into_response())
}

async fn show(
    State(app): State<App>,
    session: Session,
    visitor: Visitor,
    Query(query): Query<Next>,
) -> Result<Response> {
    if !matches!(visitor.who, Who::Stranger) {
        return Ok(see(local_path(&query.next).unwrap_or("/")).into_response());
    }
    if session::installation_is_empty(&app).await? {
        return Ok(see("/setup").into_response());
    }
    let frame = Frame { token: visitor::begin(&session).await?, ..visitor.frame() };
    page(&SignIn { frame, next: query.next, email: String::new(), problem: None, demo: app.demo })
}

#[derive(Deserialize)]
struct SignInForm {
    email: String,
    password: SecretString,
    #[serde(default)]
    next: String,
}

async fn sign_in(
    State(app): State<App>,
    session: Session,
    visitor: Visitor,
    Form(form): Form<SignInForm>,
) -> Result<Response> {
    let again = |status, problem: String| {
        let (frame, email) = (visitor.frame(), form.email.clone());
        Ok(html(
            status,
            SignIn { frame, next: form.next.clone(), email, problem: Some(problem), demo: app.demo }.render()?,
        ))
    };
    let attempt = match session::attempt(&app, &form.email, visitor.address.as_deref()).await? {
        Ok(attempt) => attempt,
        Err(too_many) => {
            refused(visitor.address.as_deref(), None, "too many attempts");
            return again(StatusCode::TOO_MANY_REQUESTS, too_many.words());
        }
    };
    let credentials = session::credentials(&app, &form.email).await?;
    let known = credentials.as_ref().map(|(person, _)| *person);
    let Some(person) = check(credentials, form.password.clone()).await? else {
        refused(visitor.address.as_deref(), known, "the password is wrong");
        return again(
            StatusCode::UNPROCESSABLE_ENTITY,
            "This email and password do not belong together. Check both and try again.".into(),
        );
    };
    session::forgive(&app, &attempt).await?;
    if session::person(&app, person).await?.is_some_and(|person| person.has_factor) {
        return second_step::begin(&app, &session, person, &form.next).await;
    }
    enter(&app, &session, person, &visitor, false).await?;
    Ok(see(local_path(&form.next).unwrap_or("/")).into_response())
}

/// Somebody could not sign in, or not show that it is them. An e-mail that nobody has is not written down: people type passwords there.
pub(super) fn refused(address: Option<&str>, person: Option<PersonId>, why: &str) {
    let (person, address) = (person.map(|person| person.to_string()).unwrap_or_default(), address.unwrap_or_default());
    tracing::warn!(person.id = person, address, "a sign-in was refused: {why}");
}

/// Compares the password where it may take its time, and as long for an e-mail that nobody has.
pub(super) async fn check(
    credentials: Option<(PersonId, String)>,
    given: SecretString,
) -> anyhow::Result<Option<PersonId>> {
    let _one_of_few = CHECKS.acquire().await.context("the semaphore is never closed")?;
    tokio::task::spawn_blocking(move || match credentials {
        Some((person, hash)) => password::verify(&given, &hash).then_some(person),
        None => {
            password::verify(&given, &NOBODY);
            None
        }
    })
    .await
    .context("the check of a password did not end")
}

/// Makes the session this person's, under an id that nobody has seen before, and begins with the first of their merchants.
pub(super) async fn enter(
    app: &App,
    session: &Session,
    person: PersonId,
    visitor: &Visitor,
    by_factor: bool,
) -> Result<()> {
    let found = session::person(app, person).await?;
    let merchant = found.and_then(|found| found.memberships.first().map(|first| first.merchant));
    enter_for(app, session, (person, merchant), visitor, by_factor).await
}

/// The same for a merchant that was chosen.
pub(super) async fn enter_for(
    app: &App,
    session: &Session,
    (person, merchant): (PersonId, Option<MerchantId>),
    visitor: &Visitor,
    by_factor: bool,
) -> Result<()> {
    session.cycle_id().await.context("the session could not be renewed")?;
    visitor::renew_secret(session).await?;
    let (now, address, browser) = (app.clock.now(), visitor.address.clone(), visitor.browser.clone());
    let signed_in =
        SignedIn { person, merchant, since: now, shown_at: now, by_factor, address: address.clone(), browser };
    session.insert(SIGNED_IN, signed_in).await.context("the session could not be written")?;
    tracing::info!(person.id = %person, "person {person} signed in");
    if let Some(merchant) = merchant {
        came(app, merchant, person, address).await?;
    }
    Ok(())
}

/// Somebody who has signed in works for another merchant from now on; their session is no younger for it.
pub(super) async fn work_for(app: &App, session: &Session, visitor: &Visitor, merchant: MerchantId) -> Result<()> {
    let kept: Option<SignedIn> = session.get(SIGNED_IN).await.context("the session could not be read")?;
    let kept = kept.context("they have signed in")?;
    let person = kept.person;
    let chosen = SignedIn { merchant: Some(merchant), ..kept };
    session.insert(SIGNED_IN, chosen).await.context("the session could not be written")?;
    Ok(came(app, merchant, person, visitor.address.clone()).await?)
}

/// Tells the merchant that somebody now works for it.
async fn came(app: &App, merchant: MerchantId, person: PersonId, address: Option<String>) -> sqlx::Result<()> {
    let mut tx = app.database.merchant(merchant).await?;
    people::signed_in(&mut tx, &Actor { person: Some(person), address, at: app.clock.now() }).await?;
    tx.commit().await
}

async fn sign_out(State(app): State<App>, session: Session, visitor: Visitor) -> Result<Response> {
    if let Who::Member(signed) = visitor.who {
        let (mut tx, object) = (signed.tx(&app).await?, format!("person {}", signed.person));
        audit::record(&mut tx, &signed.actor(&app), "signed out", &object, serde_json::json!({})).await?;
        tx.commit().await?;
    }
    session.flush().await.context("the session could not be ended")?;
    Ok(see("/sign-in").into_response())
}

#[derive(Debug, Deserialize)]
struct MerchantForm {
    merchant: MerchantId,
    #[serde(default)]
    next: String,
}

#[derive(Template)]
#[template(path = "account/other_merchant.html")]
struct OtherMerchant {
    frame: Frame,
    merchant: MerchantId,
    name: String,
    next: String,
}

/// Links in mails lead here: they are about one merchant, and whoever follows them may work for another at the moment.
/// A link alone changes nothing, so they are asked.
async fn ask_merchant(
    signed: Signed,
    Path(merchant): Path<MerchantId>,
    Query(Next { next }): Query<Next>,
) -> Result<Response> {
    if signed.merchant == merchant {
        return Ok(see(local_path(&next).unwrap_or("/")).into_response());
    }
    let found = signed.merchants.iter().find(|(id, _)| *id == merchant);
    let (_, name) = found.ok_or(Error::NotFound)?.clone();
    page(&OtherMerchant { frame: signed.frame(Section::None), merchant, name, next })
}

async fn choose_merchant(
    State(app): State<App>,
    session: Session,
    visitor: Visitor,
    Form(form): Form<MerchantForm>,
) -> Result<Response> {
    let Who::Member(signed) = &visitor.who else { return Err(Error::NotFound) };
    let Some((_, name)) = signed.merchants.iter().find(|(id, _)| *id == form.merchant) else {
        return Err(Error::NotFound);
    };
    work_for(&app, &session, &visitor, form.merchant).await?;
    let next = local_path(&form.next).unwrap_or("/");
    Ok(see(next).saying(format!("You now work for {name}.")).into_response())
}

#[derive(Template)]
#[template(path = "no_merchant.html")]
struct NoMerchant {
    frame: Frame,
    email: String,
    is_installation_admin: bool,
}

async fn no_merchant(visitor: Visitor) -> Result<Response> {
    let Who::Outsider(email) = &visitor.who else { return Ok(see("/").into_response()) };
    page(&NoMerchant {
        frame: Frame { section: Section::None, ..visitor.frame() },
        email: email.clone(),
        is_installation_admin: visitor.installation_admin.is_some(),
    })
}
