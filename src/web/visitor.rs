//! Who is asking. The layer [`identify`] finds out once a request and hands it to the guard and the handlers.

use super::browser;
use super::error::Error;
use super::fresh;
use super::page::{Flash, Frame, Section};
use super::session::{self, Membership};
use crate::app::App;
use crate::audit::Actor;
use crate::database::Tx;
use crate::id::{MerchantId, PersonId};
use crate::payout::attention::{self, At};
use crate::payout::restoration;
use crate::role::Role;
use anyhow::Context;
use axum::extract::{ConnectInfo, FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::net::SocketAddr;
use time::{Date, OffsetDateTime};
use tower_sessions::Session;

/// What a session keeps of a sign-in, under [`SIGNED_IN`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct SignedIn {
    pub(super) person: PersonId,
    pub(super) merchant: Option<MerchantId>,
    #[serde(with = "time::serde::timestamp")]
    pub(super) since: OffsetDateTime,
    /// When they last showed that it is them: by a second factor, or by the password where there is none.
    #[serde(with = "time::serde::timestamp", default = "long_ago")]
    pub(super) shown_at: OffsetDateTime,
    /// Whether a second factor was shown in it, or set up.
    #[serde(default)]
    pub(super) by_factor: bool,
    /// Where and with what it began, for the person's list of sessions.
    #[serde(default)]
    pub(super) address: Option<String>,
    #[serde(default)]
    pub(super) browser: Option<String>,
}

fn long_ago() -> OffsetDateTime {
    OffsetDateTime::UNIX_EPOCH
}

pub(super) const SIGNED_IN: &str = "signed_in";
const SECRET: &str = "secret";
const FLASH: &str = "flash";

/// Whoever sent the request.
#[derive(Debug, Clone)]
pub struct Visitor {
    /// What this visitor's forms must carry; none before there is a session.
    pub token: Option<String>,
    /// What the last action had to say, to be shown once.
    pub flash: Option<Flash>,
    /// The network address, as far as it is known.
    pub address: Option<String>,
    /// The person, if they are an administrator of the installation.
    pub installation_admin: Option<PersonId>,
    /// The browser, as it calls itself.
    pub browser: Option<String>,
    /// The person, if any.
    pub who: Who,
    /// The same without a merchant.
    pub oneself: Option<Oneself>,
}

/// A person who signed in, for what concerns them alone. Handlers take it as an argument.
#[derive(Debug, Clone)]
pub struct Oneself {
    /// The person.
    pub person: PersonId,
    /// Their e-mail.
    pub email: String,
    /// Where the request came from.
    pub address: Option<String>,
    /// Whether they have a second factor.
    pub has_factor: bool,
    /// Whether they have shown within the last minutes, in this session, that it is them.
    pub is_fresh: bool,
}

impl Oneself {
    /// This person as the author of a change made now.
    pub fn actor(&self, app: &App) -> Actor {
        Actor { person: Some(self.person), address: self.address.clone(), at: app.clock.now() }
    }
}

/// Whether a visitor has signed in.
#[derive(Debug, Clone)]
pub enum Who {
    /// Nobody we know.
    Stranger,
    /// A person who belongs to no merchant (any more): their e-mail.
    Outsider(String),
    /// A member of a merchant.
    Member(Box<Signed>),
}

/// A person who signed in and works for one merchant at the moment. Handlers take it as an argument.
#[derive(Debug, Clone)]
pub struct Signed {
    /// The person.
    pub person: PersonId,
    /// Their name, or their e-mail where they gave none.
    pub person_name: String,
    /// Their e-mail.
    pub email: String,
    /// The merchant they work for at the moment.
    pub merchant: MerchantId,
    /// Its name.
    pub merchant_name: String,
    /// Its time zone, an IANA name.
    pub time_zone: String,
    /// "live", "sandbox" or "simulator", once the merchant's first batch has fixed it.
    pub environment: Option<String>,
    /// What the person may do there at the moment.
    pub role: Role,
    /// What they might do with a second factor, which the merchant requires and they do not have.
    pub held_back: Option<Role>,
    /// Whether they have a second factor.
    pub has_factor: bool,
    /// Whether they have shown within the last minutes, in this session, that it is them; see [`super::fresh`].
    pub is_fresh: bool,
    /// All merchants of this person, by name.
    pub merchants: Vec<(MerchantId, String)>,
    /// What every form must carry; it holds for this session and this merchant only.
    pub token: String,
    /// Where the request came from.
    pub address: Option<String>,
    /// What the last action had to say.
    pub flash: Option<Flash>,
    /// This installation rehearses with a simulated PayPal.
    pub rehearsing: bool,
    /// How many things wait for somebody; counted for pages alone.
    pub attention: i64,
    /// Nothing is paid until a restored backup is signed off; looked up for pages alone.
    pub restoring: bool,
    /// They look after the installation, too.
    pub is_installation_admin: bool,
}

impl Signed {
    /// A transaction that sees this person's current merchant.
    pub async fn tx(&self, app: &App) -> sqlx::Result<Tx> {
        app.database.merchant(self.merchant).await
    }

    /// This person as the author of a change made now.
    pub fn actor(&self, app: &App) -> Actor {
        Actor { person: Some(self.person), address: self.address.clone(), at: app.clock.now() }
    }

    /// Today where the merchant is.
    pub fn today(&self, app: &App) -> Date {
        app.clock.today(&self.time_zone)
    }

    /// What the layout needs, with this part of the application marked in the top bar.
    pub fn frame(&self, section: Section) -> Frame {
        Frame { section, token: self.token.clone(), flash: self.flash.clone(), signed: Some(Box::new(self.clone())) }
    }
}

impl Visitor {
    /// This administrator of the installation as the author of a change made now; the guard has seen that they are one.
    pub(super) fn installation_actor(&self, app: &App) -> Actor {
        Actor { person: self.installation_admin, address: self.address.clone(), at: app.clock.now() }
    }

    /// The frame of a page that belongs to no section.
    pub fn frame(&self) -> Frame {
        match &self.who {
            Who::Member(signed) => signed.frame(Section::None),
            Who::Stranger | Who::Outsider(_) => Frame {
                section: Section::None,
                token: self.token.clone().unwrap_or_default(),
                flash: self.flash.clone(),
                signed: None,
            },
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Visitor {
    type Rejection = Error;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        Ok(parts.extensions.get::<Visitor>().context("the route is outside of the layer that identifies")?.clone())
    }
}

impl<S: Sync> FromRequestParts<S> for Signed {
    type Rejection = Error;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        match Visitor::from_request_parts(parts, state).await?.who {
            Who::Member(signed) => Ok(*signed),
            Who::Stranger | Who::Outsider(_) => {
                Err(anyhow::anyhow!("the route's least role lets in people without a merchant").into())
            }
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Oneself {
    type Rejection = Error;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let oneself = Visitor::from_request_parts(parts, state).await?.oneself;
        Ok(oneself.context("the route's access lets in people who have not signed in")?)
    }
}

/// The layer: who is asking, what the last action had to say, and afterwards what this one has to say.
pub(super) async fn identify(State(app): State<App>, session: Session, mut request: Request, next: Next) -> Response {
    let page = takes_flash(&request);
    let htmx = request.headers().contains_key("hx-request");
    let visitor = match find(&app, &session, Place::of(&request), page).await {
        Ok(visitor) => visitor,
        Err(error) => return error.into_response(),
    };
    request.extensions_mut().insert(visitor.clone());
    let mut response = next.run(request).await;
    let said = response.extensions().get::<Flash>().cloned();
    let shown = visitor.flash.is_some() && !response.status().is_redirection();
    if let Err(error) = keep_flash(&session, said, shown).await {
        return Error::from(anyhow::Error::from(error)).into_response();
    }
    response.extensions_mut().insert(visitor);
    if htmx && response.status() == StatusCode::SEE_OTHER {
        follow_as_page(&mut response);
    }
    response
}

/// What this action has to say is kept for the next page; what the last one had to say is forgotten once a page has
/// shown it, and not by a redirect on the way there.
async fn keep_flash(session: &Session, said: Option<Flash>, shown: bool) -> Result<(), tower_sessions::session::Error> {
    match said {
        Some(flash) => session.insert(FLASH, flash).await,
        None if shown => session.remove::<Flash>(FLASH).await.map(drop),
        None => Ok(()),
    }
}

/// Only a page shows a flash; a fragment or a download must not swallow it.
fn takes_flash(request: &Request) -> bool {
    let html = request.headers().get(header::ACCEPT).is_none_or(|accept| {
        accept.to_str().is_ok_and(|accept| accept.contains("text/html") || accept.contains("*/*"))
    });
    request.method().is_safe() && html && !request.headers().contains_key("hx-request")
}

/// htmx would fetch the target of a redirect and swap it into the fragment; it shall open the page instead.
fn follow_as_page(response: &mut Response) {
    if let Some(target) = response.headers_mut().remove(header::LOCATION) {
        response.headers_mut().insert("hx-redirect", target);
        *response.status_mut() = StatusCode::OK;
    }
}

/// Where and with what a request was sent.
struct Place {
    address: Option<String>,
    browser: Option<String>,
}

impl Place {
    fn of(request: &Request) -> Self {
        Self { address: address(request), browser: browser::name(request.headers()) }
    }
}

async fn find(app: &App, session: &Session, place: Place, page: bool) -> Result<Visitor, Error> {
    let broken = |error| broken_session(app, error);
    let secret: Option<String> = session.get(SECRET).await.map_err(broken)?;
    let mut visitor = Visitor {
        token: None,
        flash: None,
        address: place.address,
        browser: place.browser,
        installation_admin: None,
        who: Who::Stranger,
        oneself: None,
    };
    let Some(secret) = secret else { return Ok(visitor) };
    if page {
        visitor.flash = session.get(FLASH).await.map_err(broken)?;
    }
    visitor.token = Some(token(&secret, None));
    let signed_in: Option<SignedIn> = session.get(SIGNED_IN).await.map_err(broken)?;
    let Some(signed_in) = signed_in.filter(|signed_in| app.clock.now() < signed_in.since + session::LONGEST) else {
        return Ok(visitor);
    };
    let Some(person) = session::person(app, signed_in.person).await? else { return Ok(visitor) };
    // Who has got a second factor since, elsewhere, shows it here too: whoever sits here may have the password alone.
    if person.has_factor && !signed_in.by_factor {
        session.remove::<SignedIn>(SIGNED_IN).await.map_err(broken)?;
        return Ok(visitor);
    }
    visitor.installation_admin = person.is_installation_admin.then_some(signed_in.person);
    visitor.oneself = Some(Oneself {
        person: signed_in.person,
        email: person.email.clone(),
        address: visitor.address.clone(),
        has_factor: person.has_factor,
        is_fresh: app.clock.now() < signed_in.shown_at + fresh::LASTS,
    });
    let chosen = person.memberships.iter().find(|membership| Some(membership.merchant) == signed_in.merchant);
    let Some(current) = chosen.or(person.memberships.first()).cloned() else {
        visitor.who = Who::Outsider(person.email);
        return Ok(visitor);
    };
    visitor.token = Some(token(&secret, Some(current.merchant)));
    let mut signed = signed(app, signed_in.person, person, current, &visitor);
    if page {
        let at = At { now: app.clock.now(), today: signed.today(app) };
        let mut tx = signed.tx(app).await?;
        let counts = attention::counts(&mut tx, at).await?;
        signed.restoring = restoration::is_open(&mut tx).await?;
        signed.attention = counts.iter().map(|(_, count)| count).sum();
    }
    visitor.who = Who::Member(Box::new(signed));
    Ok(visitor)
}

fn signed(app: &App, id: PersonId, person: session::Person, current: Membership, visitor: &Visitor) -> Signed {
    let merchants = person.memberships.into_iter().map(|one| (one.merchant, one.merchant_name)).collect();
    let lacks_factor = current.requires_factor && !person.has_factor && current.role >= Role::Approver;
    let person_name = if person.name.is_empty() { person.email.clone() } else { person.name };
    Signed {
        person: id,
        person_name,
        email: person.email,
        merchant: current.merchant,
        merchant_name: current.merchant_name,
        time_zone: current.time_zone,
        environment: current.environment,
        role: if lacks_factor { Role::Viewer } else { current.role },
        held_back: lacks_factor.then_some(current.role),
        has_factor: person.has_factor,
        is_fresh: visitor.oneself.as_ref().is_some_and(|oneself| oneself.is_fresh),
        merchants,
        token: visitor.token.clone().unwrap_or_default(),
        address: visitor.address.clone(),
        flash: visitor.flash.clone(),
        rehearsing: app.rehearses(),
        attention: 0,
        restoring: false,
        is_installation_admin: person.is_installation_admin,
    }
}

/// A session that cannot be read is, but for bugs, a database that cannot be reached.
fn broken_session(app: &App, error: tower_sessions::session::Error) -> Error {
    match error {
        tower_sessions::session::Error::Store(tower_sessions::session_store::Error::Backend(why)) => {
            tracing::warn!(instance = %app.instance, "a session could not be read: {why}");
            Error::Unavailable
        }
        other => Error::Internal(other.into()),
    }
}

/// A token for this session's forms; another merchant's forms have another, so that a page left open in one tab cannot
/// act for the merchant chosen in another.
fn token(secret: &str, merchant: Option<MerchantId>) -> String {
    let merchant = merchant.map(|merchant| merchant.to_string()).unwrap_or_default();
    hex::encode(Sha256::digest(format!("stipend form {secret} {merchant}")))
}

/// The token of a visitor without a merchant, beginning a session if there is none.
pub(super) async fn begin(session: &Session) -> anyhow::Result<String> {
    let secret = match session.get(SECRET).await? {
        Some(secret) => secret,
        None => renew_secret(session).await?,
    };
    Ok(token(&secret, None))
}

/// A fresh secret: forms opened before no longer pass.
pub(super) async fn renew_secret(session: &Session) -> anyhow::Result<String> {
    let secret = hex::encode(rand::random::<[u8; 32]>());
    session.insert(SECRET, &secret).await?;
    Ok(secret)
}

/// Where the request came from: the peer, or what a proxy beside us says the peer was.
fn address(request: &Request) -> Option<String> {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>()?.0.ip().to_canonical();
    let near = match peer {
        std::net::IpAddr::V4(peer) => peer.is_loopback() || peer.is_private(),
        std::net::IpAddr::V6(peer) => peer.is_loopback() || peer.is_unique_local(),
    };
    let forwarded = near.then(|| forwarded_for(request.headers())).flatten();
    Some(forwarded.unwrap_or(peer).to_string())
}

/// The last entry of X-Forwarded-For: the one that the nearest proxy wrote.
fn forwarded_for(headers: &HeaderMap<HeaderValue>) -> Option<std::net::IpAddr> {
    let last = headers.get_all("x-forwarded-for").iter().next_back()?;
    last.to_str().ok()?.rsplit(',').next()?.trim().parse().ok()
}
