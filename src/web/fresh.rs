//! Asking anew: before secrets, roles or factors change, and before much money leaves, the person shows that it is still
//! them who sits there. A second factor does, or the password where there is none, for the next five minutes.
//!
//! A route asks by itself where it ends in `.fresh()`; a handler asks in one line, [`demand`] or [`before_money`], and
//! says where the person comes back to, with what they typed. `/confirm` is where they are asked.

use super::guard::local_path;
use super::page::{Frame, Section, html, page, see};
use super::pages::address;
use super::proof::{self, Typed, Ways};
use super::routes::{Access, Routes};
use super::visitor::{SIGNED_IN, SignedIn};
use super::{Error, Form, Oneself, Query, Result, Signed, Visitor};
use crate::app::App;
use crate::database::Tx;
use crate::factor::settings;
use crate::money::Currency;
use anyhow::Context;
use askama::Template;
use axum::extract::{Request, State};
use axum::http::{Method, header};
use axum::response::{IntoResponse, Response};
use rust_decimal::Decimal;
use serde::Deserialize;
use time::Duration;
use tower_sessions::Session;

/// Whoever has shown that it is them is not asked again for so long.
pub(super) const LASTS: Duration = Duration::minutes(5);

/// Goes on only if the person has shown lately that it is them; else they are asked, and come back to `back`, a page of
/// ours with what was typed in its query.
pub(super) fn demand(signed: &Signed, back: impl AsRef<str>) -> Result<()> {
    if signed.is_fresh { Ok(()) } else { Err(first(back)) }
}

/// The same before these sums leave in one payment, if one of them is above what the merchant set.
pub(super) async fn before_money(
    tx: &mut Tx,
    signed: &Signed,
    sums: &[(Currency, Decimal)],
    back: impl AsRef<str>,
) -> Result<()> {
    if signed.is_fresh || !settings::is_much(tx, sums).await? { Ok(()) } else { Err(first(back)) }
}

/// Leads to the question.
pub(super) fn first(back: impl AsRef<str>) -> Error {
    Error::Elsewhere(address("/confirm", &[("next", back.as_ref())]))
}

/// Where somebody comes back to whom a route has asked: the page itself, or the page whose form they sent. The browser
/// tells that one, and whoever tells another is led to a page of ours all the same.
pub(super) fn back_from(request: &Request) -> String {
    if request.method() == Method::GET {
        return request.uri().path_and_query().map_or("/", |path| path.as_str()).to_owned();
    }
    let told = request.headers().get(header::REFERER).and_then(|told| reqwest::Url::parse(told.to_str().ok()?).ok());
    told.map_or_else(|| "/".to_owned(), |url| url[url::Position::BeforePath..url::Position::AfterQuery].to_owned())
}

pub(super) fn routes(routes: Routes) -> Routes {
    routes.get(Access::SignedIn, "/confirm", show).post(Access::SignedIn, "/confirm", confirm)
}

#[derive(Template)]
#[template(path = "account/confirm.html")]
struct Confirm {
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

async fn show(
    State(app): State<App>,
    session: Session,
    visitor: Visitor,
    oneself: Oneself,
    Query(Next { next }): Query<Next>,
) -> Result<Response> {
    if oneself.is_fresh {
        return Ok(see(local_path(&next).unwrap_or("/")).into_response());
    }
    let ways = proof::ways(&app, &session, oneself.person).await?;
    page(&Confirm { frame: frame(&visitor), next, ways, problem: None })
}

fn frame(visitor: &Visitor) -> Frame {
    Frame { section: Section::None, ..visitor.frame() }
}

async fn confirm(
    State(app): State<App>,
    session: Session,
    visitor: Visitor,
    oneself: Oneself,
    Form(typed): Form<Typed>,
) -> Result<Response> {
    let said = match proof::shown(&app, &session, &oneself.actor(&app), oneself.person, &oneself.email, &typed).await? {
        Ok(said) => said,
        Err((status, problem)) => {
            let ways = proof::ways(&app, &session, oneself.person).await?;
            let again = Confirm { frame: frame(&visitor), next: typed.next, ways, problem: Some(problem) };
            return Ok(html(status, again.render()?));
        }
    };
    // What somebody may have read of the session's id before is worth no more than it was.
    session.cycle_id().await.context("the session could not be renewed")?;
    let kept: Option<SignedIn> = session.get(SIGNED_IN).await.context("the session could not be read")?;
    let kept = kept.context("they have signed in")?;
    let now = app.clock.now();
    session.insert(SIGNED_IN, SignedIn { shown_at: now, ..kept }).await.context("the session could not be written")?;
    let answer = see(local_path(&typed.next).unwrap_or("/"));
    Ok(match said {
        Some(said) => answer.saying(said).into_response(),
        None => answer.into_response(),
    })
}
