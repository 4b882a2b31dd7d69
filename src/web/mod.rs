//! HTML over HTTP. A page family is one file here with its templates; it lists its routes, each with the least role it
//! needs, in a function `routes`, and [`pages`] names that function. Handlers parse, call one verb of the domain, and
//! render; every action is a form that works without JavaScript and answers with another page.

mod account;
mod affiliates;
mod approvals;
pub mod assets;
mod attention;
mod audit;
mod batches;
mod browser;
mod commissions;
mod connection;
mod dropzone;
mod due;
mod error;
pub mod export;
mod extract;
mod factors;
mod fresh;
mod funds;
mod guard;
pub mod health;
mod home;
mod imports;
mod installation;
mod invitation;
mod page;
pub mod pages;
mod people;
mod proof;
mod reset;
mod restoration;
mod review;
mod routes;
mod rules;
mod second_step;
mod security;
mod session;
mod settings;
mod setup;
mod sign_in;
mod visitor;
mod waits;
mod webhooks;
pub mod when;

pub use error::{Error, Result};
use extract::whole;
pub use extract::{Form, Path, Query, Upload};
pub use guard::{FORM_BYTES, TOKEN_FIELD};
pub use page::{Flash, FormErrors, Frame, Section, See, Tone, html, page, see, unaccepted};
pub use routes::{Access, Route, Routes, Takes};
pub use visitor::{Oneself, Signed, Visitor, Who};

use crate::app::App;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::get;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::csrf::{CsrfLayer, ProtectionError};
use tower_http::set_header::SetResponseHeaderLayer;
use tower_sessions::cookie::SameSite;
use tower_sessions::{Expiry, SessionManagerLayer};

/// Every page of the application: one line a family.
pub fn pages() -> Routes {
    Routes::new()
        .with(sign_in::routes)
        .with(setup::routes)
        .with(affiliates::routes)
        .with(commissions::routes)
        .with(imports::routes)
        .with(connection::routes)
        .with(dropzone::routes)
        .with(due::routes)
        .with(review::routes)
        .with(approvals::routes)
        .with(restoration::routes)
        .with(batches::routes)
        .with(attention::routes)
        .with(settings::routes)
        .with(rules::routes)
        .with(people::routes)
        .with(audit::routes)
        .with(invitation::routes)
        .with(installation::routes)
        .with(second_step::routes)
        .with(reset::routes)
        .with(fresh::routes)
        .with(account::routes)
        .with(factors::routes)
        .with(security::routes)
}

/// The whole web application.
pub fn router(app: App) -> Router {
    let https = app.public_url.as_deref().is_some_and(|url| url.starts_with("https://"));
    let sessions = SessionManagerLayer::new(session::Sessions::new(&app))
        // The prefix tells browsers that no other host may have set it; they take it over HTTPS alone.
        .with_name(if https { "__Host-stipend_session" } else { "stipend_session" })
        .with_secure(https)
        .with_same_site(SameSite::Lax)
        .with_http_only(true)
        .with_expiry(Expiry::OnSessionEnd);
    let pages = pages()
        .into_router()
        .fallback(async || Error::NotFound)
        // From the innermost to the outermost.
        .layer(DefaultBodyLimit::max(FORM_BYTES))
        .layer(origin_check(&app))
        .layer(CatchPanicLayer::custom(error::from_panic))
        .layer(from_fn_with_state(app.clone(), visitor::identify))
        .layer(sessions)
        .layer(from_fn(error::as_pages))
        .layer(set(header::VARY, "HX-Request"))
        .layer(set(header::CACHE_CONTROL, "no-store"));
    let files = Router::new().route("/static/{address}", get(assets::serve)).layer(CompressionLayer::new());
    let router = Router::new().merge(files).merge(webhooks::routes()).merge(pages).with_state(app);
    with_security_headers(router, https)
}

/// Refuses what another site makes a browser send, whatever cookies it brings along.
fn origin_check(app: &App) -> CsrfLayer<fn(ProtectionError) -> axum::response::Response> {
    let layer = CsrfLayer::new();
    // Behind a proxy that rewrites Host, only the public address tells that a request is our own.
    let origin = app.public_url.as_deref().map(|url| url.trim_end_matches('/'));
    let layer = match origin.map(|origin| CsrfLayer::new().add_trusted_origin(origin)) {
        Some(Ok(trusting)) => trusting,
        Some(Err(_)) | None => layer,
    };
    layer.with_rejection_response(|_| {
        tracing::warn!("a form of another site was refused");
        axum::response::IntoResponse::into_response(Error::OutOfDate)
    })
}

fn set(name: HeaderName, value: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
}

/// Nothing but our own files may run or style a page, and no other site may frame it.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

fn with_security_headers(router: Router, https: bool) -> Router {
    let router = router
        .layer(set(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY))
        .layer(set(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(set(header::X_FRAME_OPTIONS, "DENY"))
        .layer(set(header::REFERRER_POLICY, "same-origin"))
        .layer(set(HeaderName::from_static("cross-origin-opener-policy"), "same-origin"))
        .layer(set(HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=()"));
    if https { router.layer(set(header::STRICT_TRANSPORT_SECURITY, "max-age=31536000")) } else { router }
}
