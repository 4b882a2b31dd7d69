//! What stands before every handler: the least role of its route, whether the person has shown lately that it is them,
//! the form's token, and text that can be stored.

use super::error::{Error, Result};
use super::fresh;
use super::routes::{Access, Route, Takes};
use super::visitor::{Signed, Visitor, Who};
use crate::role::Role;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http_body_util::LengthLimitError;
use std::error::Error as _;
use subtle::ConstantTimeEq;

/// The longest form. Files have routes of their own.
pub const FORM_BYTES: usize = 1024 * 1024;

/// The field that carries the token, in every form.
pub const TOKEN_FIELD: &str = "token";

/// The layer around one route's handler.
pub(super) async fn check(State(route): State<Route>, visitor: Visitor, request: Request, next: Next) -> Response {
    match pass(&route, &visitor, request).await {
        Ok(request) => next.run(request).await,
        Err(refusal) => {
            note(&route, &visitor, &refusal);
            refusal.into_response()
        }
    }
}

/// Somebody tried what is not theirs to do: whoever watches the log may want to know.
fn note(route: &Route, visitor: &Visitor, refusal: &Error) {
    if matches!(refusal, Error::Forbidden(_) | Error::OutOfDate) {
        let person = match &visitor.who {
            Who::Member(signed) => signed.person.to_string(),
            Who::Outsider(_) | Who::Stranger => String::new(),
        };
        let address = visitor.address.as_deref().unwrap_or_default();
        let why = if matches!(refusal, Error::OutOfDate) { "the form is not this session’s" } else { "not allowed" };
        tracing::warn!(person.id = person, address, page = route.path, "{} was refused: {why}", route.path);
    }
}

async fn pass(route: &Route, visitor: &Visitor, request: Request) -> Result<Request> {
    admit(route.access, visitor, &request)?;
    if route.fresh && !visitor.oneself.as_ref().is_some_and(|oneself| oneself.is_fresh) {
        return Err(fresh::first(fresh::back_from(&request)));
    }
    readable(request.uri().query().unwrap_or_default().as_bytes())?;
    match route.takes {
        Takes::Nothing | Takes::File => Ok(request),
        Takes::Form => with_token(visitor, request).await,
    }
}

fn admit(access: Access, visitor: &Visitor, request: &Request) -> Result<()> {
    match (access, &visitor.who) {
        (Access::Public, _) | (Access::SignedIn, Who::Outsider(_) | Who::Member(_)) => Ok(()),
        (Access::SignedIn | Access::Least(_) | Access::Installation, Who::Stranger) => {
            Err(Error::Elsewhere(sign_in_for(request)))
        }
        (Access::Installation, Who::Outsider(_) | Who::Member(_)) if visitor.installation_admin.is_some() => Ok(()),
        (Access::Installation, Who::Outsider(_) | Who::Member(_)) => {
            Err(Error::Forbidden("Only an administrator of this installation may do that. Nothing was changed.".into()))
        }
        (Access::Least(_), Who::Outsider(_)) => Err(Error::Elsewhere("/no-merchant".into())),
        (Access::Least(least), Who::Member(signed)) if signed.role >= least => Ok(()),
        (Access::Least(least), Who::Member(signed)) if signed.held_back.is_some_and(|role| role >= least) => {
            Err(Error::Elsewhere("/account".into()))
        }
        (Access::Least(least), Who::Member(signed)) => Err(too_little(least, signed)),
    }
}

/// After signing in, the person comes back to the page they asked for.
fn sign_in_for(request: &Request) -> String {
    let asked = request.uri().path_and_query().map_or("/", |path| path.as_str());
    if request.method() != Method::GET || asked == "/" {
        return "/sign-in".to_owned();
    }
    let query = form_urlencoded::Serializer::new(String::new()).append_pair("next", asked).finish();
    format!("/sign-in?{query}")
}

fn too_little(least: Role, signed: &Signed) -> Error {
    let may = match signed.role {
        Role::Viewer => "look at everything",
        Role::Preparer => "keep affiliates and commissions and prepare payments",
        Role::Approver => "prepare and send payments",
        Role::Admin => "do everything",
    };
    Error::Forbidden(format!(
        "As {article} {role} of {merchant} you may {may}. This needs the role {least}; an admin of {merchant} can give \
         it to you. Nothing was changed.",
        article = if matches!(signed.role, Role::Approver | Role::Admin) { "an" } else { "a" },
        role = signed.role,
        merchant = signed.merchant_name,
    ))
}

/// Reads the form, checks its token, and puts the body back for the handler.
async fn with_token(visitor: &Visitor, request: Request) -> Result<Request> {
    let (parts, body) = request.into_parts();
    let kind = parts.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(Error::WrongType);
    }
    let body = to_bytes(body, FORM_BYTES).await.map_err(|error| {
        if error.source().is_some_and(|cause| cause.is::<LengthLimitError>()) {
            Error::TooLarge
        } else {
            Error::Unreadable("The request broke off before it was complete. Nothing was changed.".into())
        }
    })?;
    let sent = readable(&body)?.into_iter().find_map(|(name, value)| (name == TOKEN_FIELD).then_some(value));
    if !token_holds(visitor, sent.as_deref()) {
        return Err(Error::OutOfDate);
    }
    Ok(Request::from_parts(parts, Body::from(body)))
}

/// The token that a form carried is this visitor's, for the merchant they work for now.
pub(super) fn token_holds(visitor: &Visitor, sent: Option<&str>) -> bool {
    match (&visitor.token, sent) {
        (Some(token), Some(sent)) => token.as_bytes().ct_eq(sent.as_bytes()).into(),
        (None, _) | (_, None) => false,
    }
}

/// Names and values as text. Postgres stores neither broken UTF-8 nor the character zero, so neither comes further.
fn readable(encoded: &[u8]) -> Result<Vec<(String, String)>> {
    encoded
        .split(|byte| *byte == b'&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let at = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
            Ok((text(&pair[..at])?, text(pair.get(at + 1..).unwrap_or_default())?))
        })
        .collect()
}

fn text(encoded: &[u8]) -> Result<String> {
    let plus_is_space: Vec<u8> = encoded.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    let bytes: Vec<u8> = percent_encoding::percent_decode(&plus_is_space).collect();
    let text = String::from_utf8(bytes)
        .map_err(|_| Error::Unreadable("What was sent is not text in UTF-8. Nothing was changed.".into()))?;
    if text.contains('\0') {
        return Err(Error::Unreadable(
            "What was sent contains a character that no text has. Nothing was changed.".into(),
        ));
    }
    Ok(text)
}

/// A path from our own pages to come back to; anything that could lead elsewhere is not one.
pub(super) fn local_path(path: &str) -> Option<&str> {
    let local = path.starts_with('/') && !path.starts_with("//") && !path.contains(['\\', '\r', '\n', '\t']);
    local.then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_stored_does_not_come_in() {
        assert_eq!(readable(b"a=1&b=x+y%C3%A9&c").unwrap()[1], ("b".into(), "x yé".into()));
        for bad in [b"a=%FF".as_slice(), b"%00=a", b"a=%C3", b"a=\xff"] {
            assert!(readable(bad).is_err());
        }
    }

    #[test]
    fn signing_in_leads_nowhere_else() {
        assert_eq!(local_path("/affiliates?q=a"), Some("/affiliates?q=a"));
        for bad in ["", "https://evil.example", "//evil.example", "/\\evil.example", "/a\nb"] {
            assert_eq!(local_path(bad), None);
        }
    }
}
