//! `/sign-in/second`: whoever has a second factor shows it after the password. Until then nobody is signed in: the
//! session says only whose password was right, for a few minutes, and signing in gives it another id.

use super::error::Result;
use super::guard::local_path;
use super::page::{Frame, html, page, see};
use super::pages::address;
use super::proof::{self, Typed, Ways};
use super::routes::{Access, Routes};
use super::session;
use super::sign_in;
use super::visitor::{self, Visitor, Who};
use super::{Form, Query, Tone};
use crate::app::App;
use crate::audit::Actor;
use crate::id::PersonId;
use anyhow::Context;
use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};
use tower_sessions::Session;

/// Between the password and the second step.
const PATIENCE: Duration = Duration::minutes(5);
const HALF: &str = "half";

/// What the session knows between the two steps.
#[derive(Debug, Serialize, Deserialize)]
struct Half {
    person: PersonId,
    #[serde(with = "time::serde::timestamp")]
    since: OffsetDateTime,
}

pub(super) fn routes(routes: Routes) -> Routes {
    routes.get(Access::Public, "/sign-in/second", show).post(Access::Public, "/sign-in/second", finish)
}

#[derive(Template)]
#[template(path = "account/second_step.html")]
struct SecondStep {
    frame: Frame,
    next: String,
    ways: Ways,
    problem: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Next {
    next: String,
}

/// The password was right.
pub(super) async fn begin(app: &App, session: &Session, person: PersonId, next: &str) -> Result<Response> {
    session.cycle_id().await.context("the session could not be renewed")?;
    visitor::renew_secret(session).await?;
    let half = Half { person, since: app.clock.now() };
    session.insert(HALF, half).await.context("the session could not be written")?;
    Ok(see(address("/sign-in/second", &[("next", next)])).into_response())
}

/// Whose password was right, and not long ago.
async fn half(app: &App, session: &Session) -> Result<Option<PersonId>> {
    let half: Option<Half> = session.get(HALF).await.context("the session could not be read")?;
    Ok(half.filter(|half| app.clock.now() < half.since + PATIENCE).map(|half| half.person))
}

fn too_late(next: &str) -> Response {
    let said = "Sign in again: the second step waits for five minutes.";
    see(address("/sign-in", &[("next", next)])).with(Tone::Info, said).into_response()
}

async fn show(
    State(app): State<App>,
    session: Session,
    visitor: Visitor,
    Query(Next { next }): Query<Next>,
) -> Result<Response> {
    if !matches!(visitor.who, Who::Stranger) {
        return Ok(see(local_path(&next).unwrap_or("/")).into_response());
    }
    let Some(person) = half(&app, &session).await? else { return Ok(too_late(&next)) };
    let ways = proof::ways(&app, &session, person).await?;
    page(&SecondStep { frame: visitor.frame(), next, ways, problem: None })
}

async fn finish(
    State(app): State<App>,
    session: Session,
    visitor: Visitor,
    Form(typed): Form<Typed>,
) -> Result<Response> {
    let Some(person) = half(&app, &session).await? else { return Ok(too_late(&typed.next)) };
    let Some(found) = session::person(&app, person).await? else { return Ok(too_late(&typed.next)) };
    let actor = Actor { person: Some(person), address: visitor.address.clone(), at: app.clock.now() };
    match proof::shown(&app, &session, &actor, person, &found.email, &typed).await? {
        Ok(said) => {
            session.remove::<Half>(HALF).await.context("the session could not be written")?;
            sign_in::enter(&app, &session, person, &visitor, found.has_factor).await?;
            let answer = see(local_path(&typed.next).unwrap_or("/"));
            Ok(match said {
                Some(said) => answer.with(Tone::Warning, said).into_response(),
                None => answer.into_response(),
            })
        }
        Err((status, problem)) => {
            let ways = proof::ways(&app, &session, person).await?;
            let again = SecondStep { frame: visitor.frame(), next: typed.next, ways, problem: Some(problem) };
            Ok(html(status, again.render()?))
        }
    }
}
