//! What handlers take from a request. The framework's own extractors answer in plain text and call a malformed id a bad
//! request; these answer with our pages, and an id that nobody could have looks like one that nobody has.

use super::error::Error;
use super::guard::{TOKEN_FIELD, token_holds};
use super::visitor::Visitor;
use crate::app::App;
use axum::extract::multipart::{Field, MultipartError, MultipartRejection};
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequest, FromRequestParts, Multipart, Request};
use axum::http::StatusCode;
use axum_extra::extract::{FormRejection, QueryRejection};

/// The parameters of the path.
#[derive(Debug, FromRequestParts)]
#[from_request(via(axum::extract::Path), rejection(Error))]
pub struct Path<T>(pub T);

/// The query; repeated fields become a list.
#[derive(Debug, FromRequestParts)]
#[from_request(via(axum_extra::extract::Query), rejection(Error))]
pub struct Query<T>(pub T);

/// A form's fields; repeated fields become a list.
#[derive(Debug, FromRequest)]
#[from_request(via(axum_extra::extract::Form), rejection(Error))]
pub struct Form<T>(pub T);

impl From<PathRejection> for Error {
    fn from(_: PathRejection) -> Self {
        Error::NotFound
    }
}

impl From<QueryRejection> for Error {
    fn from(_: QueryRejection) -> Self {
        Error::Unreadable("Part of this address cannot be read. Nothing was changed.".into())
    }
}

impl From<FormRejection> for Error {
    fn from(_: FormRejection) -> Self {
        Error::Invalid("A field is missing or cannot be read. Nothing was changed.".into())
    }
}

/// A form with a file, read as it arrives. The token must be the form's first field; the constructor has checked it.
#[derive(Debug)]
pub struct Upload(Multipart);

/// The longest first field: the token.
const TOKEN_BYTES: usize = 128;

impl Upload {
    /// The next field after the token.
    pub async fn next(&mut self) -> Result<Option<Field<'_>>, Error> {
        self.0.next_field().await.map_err(Error::from)
    }
}

impl FromRequest<App> for Upload {
    type Rejection = Error;
    async fn from_request(request: Request, app: &App) -> Result<Self, Error> {
        let (mut parts, body) = request.into_parts();
        let visitor = Visitor::from_request_parts(&mut parts, app).await?;
        let mut form = Multipart::from_request(Request::from_parts(parts, body), app).await?;
        let mut first = form.next_field().await?.ok_or(Error::OutOfDate)?;
        if first.name() != Some(TOKEN_FIELD) {
            return Err(Error::OutOfDate);
        }
        let mut sent = Vec::new();
        while let Some(chunk) = first.chunk().await? {
            sent.extend_from_slice(&chunk);
            if sent.len() > TOKEN_BYTES {
                return Err(Error::OutOfDate);
            }
        }
        drop(first);
        if !token_holds(&visitor, std::str::from_utf8(&sent).ok()) {
            return Err(Error::OutOfDate);
        }
        Ok(Self(form))
    }
}

impl From<MultipartRejection> for Error {
    fn from(_: MultipartRejection) -> Self {
        Error::WrongType
    }
}

impl From<MultipartError> for Error {
    fn from(error: MultipartError) -> Self {
        if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
            Error::TooLarge
        } else {
            Error::Unreadable("The file broke off before it was complete. Send it again.".into())
        }
    }
}

/// A whole file of at most so many bytes, and its name.
pub(super) async fn whole(mut file: Field<'_>, largest: usize) -> Result<(String, Vec<u8>), Error> {
    let name: String = file.file_name().unwrap_or_default().chars().filter(|c| *c != '\0').take(200).collect();
    let mut content = Vec::new();
    while let Some(bytes) = file.chunk().await? {
        content.extend_from_slice(&bytes);
        if content.len() > largest {
            return Err(Error::TooLarge);
        }
    }
    Ok((name, content))
}
