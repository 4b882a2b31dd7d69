//! What goes wrong, as pages with a way out. Handlers return [`Error`]; the layer [`as_pages`] turns it, and whatever
//! the framework itself refuses, into the page or (for htmx) the box that the person sees.

use super::page::{self, Frame};
use super::visitor::Visitor;
use askama::Template;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::any::Any;

/// Why a request was not answered as asked. Sentences are for the person who asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No such page or row, or it is another merchant's.
    #[error("not found")]
    NotFound,
    /// This person may not do this.
    #[error("forbidden: {0}")]
    Forbidden(String),
    /// Another page comes first, such as the one to sign in.
    #[error("see {0}")]
    Elsewhere(String),
    /// The form's token is missing or belongs to another session or merchant.
    #[error("the form is out of date")]
    OutOfDate,
    /// The request cannot be read.
    #[error("unreadable: {0}")]
    Unreadable(String),
    /// The request is in a format that this page does not take.
    #[error("wrong content type")]
    WrongType,
    /// The request is longer than this page takes.
    #[error("too large")]
    TooLarge,
    /// The request can be read and makes no sense. A form with a message at a field is rendered by its handler instead.
    #[error("invalid: {0}")]
    Invalid(String),
    /// Someone else was faster.
    #[error("conflict: {0}")]
    Conflict(String),
    /// The database cannot be reached at the moment.
    #[error("the database cannot be reached")]
    Unavailable,
    /// A bug, or something broken beyond the person's reach.
    #[error(transparent)]
    Internal(anyhow::Error),
}

/// What handlers return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        if is_out_of_reach(&error) { Error::Unavailable } else { Error::Internal(error.into()) }
    }
}

impl From<anyhow::Error> for Error {
    fn from(error: anyhow::Error) -> Self {
        match error.chain().find_map(|cause| cause.downcast_ref::<sqlx::Error>()) {
            Some(cause) if is_out_of_reach(cause) => Error::Unavailable,
            Some(_) | None => Error::Internal(error),
        }
    }
}

impl From<askama::Error> for Error {
    fn from(error: askama::Error) -> Self {
        Error::Internal(error.into())
    }
}

/// The database is gone, going or full: another try may succeed.
fn is_out_of_reach(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => true,
        // Class 08 is a lost connection, 57P a server that stops or starts, 53 a server without room.
        sqlx::Error::Database(error) => {
            error.code().is_some_and(|code| ["08", "57P", "53"].iter().any(|class| code.starts_with(class)))
        }
        _ => false,
    }
}

/// What [`as_pages`] says about a failed request.
#[derive(Debug, Clone, Default)]
struct Failure {
    sentence: Option<String>,
    reference: Option<String>,
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let (status, failure) = match self {
            Error::NotFound => (StatusCode::NOT_FOUND, Failure::default()),
            Error::Forbidden(why) => (StatusCode::FORBIDDEN, Failure::saying(why)),
            Error::Elsewhere(page) => return page::see(page).into_response(),
            Error::OutOfDate => (StatusCode::FORBIDDEN, Failure::saying(OUT_OF_DATE)),
            Error::Unreadable(why) => (StatusCode::BAD_REQUEST, Failure::saying(why)),
            Error::WrongType => (StatusCode::UNSUPPORTED_MEDIA_TYPE, Failure::default()),
            Error::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, Failure::default()),
            Error::Invalid(why) => (StatusCode::UNPROCESSABLE_ENTITY, Failure::saying(why)),
            Error::Conflict(why) => (StatusCode::CONFLICT, Failure::saying(why)),
            Error::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, Failure::default()),
            Error::Internal(cause) => {
                let reference = reference();
                tracing::error!(reference, error = format!("{cause:#}"), "a request failed; reference {reference}");
                let failure = Failure { sentence: None, reference: Some(reference) };
                (StatusCode::INTERNAL_SERVER_ERROR, failure)
            }
        };
        let mut response = status.into_response();
        response.extensions_mut().insert(failure);
        response
    }
}

const OUT_OF_DATE: &str = "This form was opened in another session, or for another merchant, so nothing was done. \
    Go back, reload the page and send it again.";

impl Failure {
    fn saying(sentence: impl Into<String>) -> Self {
        Self { sentence: Some(sentence.into()), reference: None }
    }
}

/// Four characters that a person can read out over the telephone and an operator finds in the log.
fn reference() -> String {
    const LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    (0..6).map(|_| LETTERS[usize::from(rand::random::<u8>() % 32)] as char).collect()
}

/// Turns a panic into the same page as any other failure of ours.
#[expect(clippy::needless_pass_by_value, reason = "the layer that catches panics calls it so")]
pub(super) fn from_panic(panic: Box<dyn Any + Send + 'static>) -> Response {
    let said = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("without a word");
    Error::Internal(anyhow::anyhow!("a handler panicked: {said}")).into_response()
}

/// The page, and within it the box that is all an htmx request gets.
#[derive(Template)]
#[template(path = "error.html", blocks = ["problem"])]
struct ErrorPage {
    frame: Frame,
    tone: &'static str,
    title: &'static str,
    sentence: String,
    way_out: &'static str,
    reference: Option<String>,
}

/// The outermost layer of the pages: whatever failed below gets a page.
pub(super) async fn as_pages(request: Request, next: Next) -> Response {
    let htmx = request.headers().contains_key("hx-request");
    let response = next.run(request).await;
    let status = response.status();
    let failed = status.is_client_error() || status.is_server_error();
    if !failed || is_html(&response) {
        return response;
    }
    let failure = response.extensions().get::<Failure>().cloned().unwrap_or_default();
    let frame = response.extensions().get::<Visitor>().map(Visitor::frame).unwrap_or_default();
    let (title, sentence, way_out) = words(status);
    let sentence = failure.sentence.unwrap_or_else(|| sentence.to_owned());
    let tone = if status.is_server_error() { "bad" } else { "warning" };
    let page = ErrorPage { frame, tone, title, sentence, way_out, reference: failure.reference };
    let body = if htmx { page.as_problem().render() } else { page.render() };
    let Ok(body) = body else { return response };
    let mut page = page::html(status, body);
    page.headers_mut().extend(response.headers().get_all(header::ALLOW).iter().map(|v| (header::ALLOW, v.clone())));
    if htmx {
        page.headers_mut().insert("hx-retarget", HeaderValue::from_static("#problem"));
        page.headers_mut().insert("hx-reswap", HeaderValue::from_static("innerHTML show:top"));
    }
    if status == StatusCode::SERVICE_UNAVAILABLE {
        page.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
    }
    page
}

fn is_html(response: &Response) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"))
}

/// Title, sentence, and what to do next.
fn words(status: StatusCode) -> (&'static str, &'static str, &'static str) {
    match status {
        StatusCode::NOT_FOUND => (
            "Page not found",
            "There is nothing at this address, or what it names is not part of this account.",
            "Check the address, or switch to the merchant it belongs to.",
        ),
        StatusCode::FORBIDDEN => ("Not allowed", "You may not do this. Nothing was changed.", ""),
        StatusCode::METHOD_NOT_ALLOWED => {
            ("That does not work here", "This address exists, but it cannot be used in this way.", "")
        }
        StatusCode::CONFLICT => (
            "Someone was faster",
            "This was changed in the meantime. Nothing was overwritten.",
            "Reload and try again.",
        ),
        StatusCode::PAYLOAD_TOO_LARGE => (
            "Too much at once",
            "What was sent is longer than this page accepts. Nothing was changed.",
            "Shorten it and send it again.",
        ),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => (
            "Unknown format",
            "This page accepts what its own form sends, and this was something else. Nothing was changed.",
            "",
        ),
        StatusCode::UNPROCESSABLE_ENTITY => (
            "The form was incomplete",
            "A field is missing or cannot be read. Nothing was changed.",
            "Go back, reload the page and send it again.",
        ),
        StatusCode::SERVICE_UNAVAILABLE => (
            "One moment, please",
            "The database cannot be reached right now. Nothing was lost, and payments continue when it is back.",
            "Try again in a few seconds.",
        ),
        status if status.is_server_error() => (
            "Something broke on our side",
            "It has been noted. Whatever was being paid is still protected: nothing is sent twice.",
            "Try again; if it stays, give the reference below to whoever runs this installation.",
        ),
        _ => ("This request makes no sense", "It could not be read. Nothing was changed.", "Go back and try again."),
    }
}
