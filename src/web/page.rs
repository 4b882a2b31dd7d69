//! What all pages share: the frame around them, forms with messages at their fields, and the word that an action
//! leaves for the page after it.

use super::error::Result;
use super::visitor::Signed;
use crate::id::MerchantId;
use crate::role::Role;
use askama::Template;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

/// The parts of the application, as the top bar names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Section {
    /// A page outside of all parts: sign-in, errors.
    #[default]
    None,
    /// The start page.
    Home,
    /// The affiliates.
    Affiliates,
    /// Commissions: due, upcoming, paid, all; imports.
    Commissions,
    /// Batches.
    Payouts,
    /// Connections to payment services.
    Integrations,
    /// What waits for somebody.
    Attention,
    /// What the merchant decided.
    Settings,
}

/// What `layout.html` needs; every page struct has one in its field `frame`.
#[derive(Debug, Clone, Default)]
pub struct Frame {
    /// The part of the application that the page belongs to.
    pub section: Section,
    /// For the hidden field of every form: `{% call ui::token(frame) %}{% endcall %}`.
    pub token: String,
    /// What the last action had to say.
    pub flash: Option<Flash>,
    /// Who looks, if they have signed in.
    pub signed: Option<Box<Signed>>,
}

impl Frame {
    /// The person may do what this role may.
    pub fn may(&self, role: Role) -> bool {
        self.signed.as_ref().is_some_and(|signed| signed.role >= role)
    }

    /// `may(Role::Preparer)`, for templates.
    pub fn may_prepare(&self) -> bool {
        self.may(Role::Preparer)
    }

    /// `may(Role::Approver)`, for templates.
    pub fn may_approve(&self) -> bool {
        self.may(Role::Approver)
    }

    /// `may(Role::Admin)`, for templates.
    pub fn may_administer(&self) -> bool {
        self.may(Role::Admin)
    }

    /// Whether every page says that nothing is paid because of a restored backup.
    pub fn restoring(&self) -> bool {
        self.signed.as_ref().is_some_and(|signed| signed.restoring)
    }

    /// The words of the band that every page carries while money is not real.
    pub fn band(&self) -> Option<&'static str> {
        let signed = self.signed.as_ref()?;
        if signed.rehearsing {
            return Some("Rehearsal: PayPal is simulated here. No real money moves.");
        }
        match signed.environment.as_deref() {
            Some("sandbox") => Some("Sandbox: this merchant pays with PayPal’s play money. No real money moves."),
            Some("simulator") => Some("Simulator: this merchant rehearses. No real money moves."),
            Some(_) | None => None,
        }
    }

    /// The time zone in which the page tells times.
    pub fn zone(&self) -> &str {
        self.signed.as_ref().map_or("UTC", |signed| signed.time_zone.as_str())
    }

    /// The other merchants of this person.
    pub fn other_merchants(&self) -> Vec<&(MerchantId, String)> {
        let signed = self.signed.as_ref();
        signed
            .map(|signed| signed.merchants.iter().filter(|(id, _)| *id != signed.merchant).collect())
            .unwrap_or_default()
    }
}

/// How a flash is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tone {
    /// It was done.
    Good,
    /// For information.
    Info,
    /// Something needs a look.
    Warning,
}

impl Tone {
    /// The class in `app.css`, which is also the icon's name.
    pub fn class(self) -> &'static str {
        match self {
            Tone::Good => "good",
            Tone::Info => "info",
            Tone::Warning => "warning",
        }
    }
}

/// One sentence that an action leaves for the next page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flash {
    /// How it is meant.
    pub tone: Tone,
    /// The sentence.
    pub text: String,
}

/// The answer to a form that was obeyed: see another page.
#[derive(Debug, Clone)]
pub struct See {
    target: String,
    flash: Option<Flash>,
}

/// Leads to a page of ours by a 303 (for htmx: by opening it).
pub fn see(target: impl Into<String>) -> See {
    See { target: target.into(), flash: None }
}

impl See {
    /// Says there that it was done.
    pub fn saying(self, text: impl Into<String>) -> Self {
        self.with(Tone::Good, text)
    }

    /// Says something there.
    pub fn with(self, tone: Tone, text: impl Into<String>) -> Self {
        Self { flash: Some(Flash { tone, text: text.into() }), ..self }
    }
}

impl IntoResponse for See {
    fn into_response(self) -> Response {
        let Ok(target) = HeaderValue::from_str(&self.target) else {
            return super::Error::Internal(anyhow::anyhow!("{:?} is no target", self.target)).into_response();
        };
        let mut response = StatusCode::SEE_OTHER.into_response();
        response.headers_mut().insert(header::LOCATION, target);
        if let Some(flash) = self.flash {
            response.extensions_mut().insert(flash);
        }
        response
    }
}

/// A rendered page or fragment.
pub fn page(template: &impl Template) -> Result<Response> {
    Ok(html(StatusCode::OK, template.render()?))
}

/// The page of a form that was not accepted, with what was typed and a message at each field.
pub fn unaccepted(template: &impl Template) -> Result<Response> {
    Ok(html(StatusCode::UNPROCESSABLE_ENTITY, template.render()?))
}

/// HTML with a status of its own.
pub fn html(status: StatusCode, body: String) -> Response {
    (status, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], body).into_response()
}

/// Messages at the fields of a form, in the form's order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FormErrors(Vec<(&'static str, String)>);

impl From<Vec<(&'static str, String)>> for FormErrors {
    fn from(problems: Vec<(&'static str, String)>) -> Self {
        Self(problems)
    }
}

impl FormErrors {
    /// Nothing to complain about yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A message at a field: what is wrong and what to do.
    pub fn add(&mut self, field: &'static str, message: impl Into<String>) {
        self.0.push((field, message.into()));
    }

    /// The form can be accepted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The first message at this field, or nothing.
    pub fn at(&self, field: &str) -> &str {
        self.0.iter().find(|(name, _)| *name == field).map(|(_, message)| message.as_str()).unwrap_or_default()
    }

    /// All messages, for the summary on top: field and message.
    pub fn all(&self) -> &[(&'static str, String)] {
        &self.0
    }
}

/// A clause as a sentence: "a password has …" becomes "A password has … .".
pub(super) fn sentence(clause: &str) -> String {
    let mut letters = clause.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}
