//! Passkeys (WebAuthn): what the person's device signs for this installation's address and for no other. The browser gets
//! a challenge with the page, and its answer comes back in a form; what was asked stays in the session, for one answer.

use super::{begin, recovery};
use crate::app::App;
use crate::audit::{Actor, record_of_person};
use crate::id::{PasskeyId, PersonId};
use anyhow::Context;
use secrecy::SecretString;
use serde_json::json;
use sqlx::PgConnection;
use url::Url;
use webauthn_rs::prelude::{CredentialID, Passkey, PasskeyAuthentication, PasskeyRegistration};
use webauthn_rs::{Webauthn, WebauthnBuilder};

/// Of a name, in characters; the schema says the same.
pub const LONGEST_NAME: usize = 100;

/// What a page asks the browser: JSON for its script.
#[derive(Debug, Clone)]
pub struct Challenge<State> {
    /// What goes to the browser.
    pub asked: String,
    /// What its answer is compared with; stays here.
    pub state: State,
}

/// Why a passkey was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// It does not answer what was asked.
    Wrong,
    /// It is known already.
    Known,
}

/// Where passkeys of this installation hold, as in "https://pay.example.com". Browsers want a name and no number, so what
/// answers on this machine alone is called localhost. Nothing where it is reached by a number.
pub fn origin(app: &App) -> Option<String> {
    let mut url = Url::parse(app.public_url.as_deref().or(app.listens_at.as_deref())?).ok()?;
    let is_here = match url.host()? {
        url::Host::Ipv4(ip) => ip.is_loopback(),
        url::Host::Ipv6(ip) => ip.is_loopback(),
        url::Host::Domain(_) => false,
    };
    if is_here {
        url.set_host(Some("localhost")).ok()?;
    }
    url.domain()?;
    Some(url.origin().ascii_serialization())
}

fn relying_party(app: &App) -> anyhow::Result<Option<Webauthn>> {
    let Some(origin) = origin(app) else { return Ok(None) };
    let url = Url::parse(&origin)?;
    let id = url.domain().context("an origin has a host")?;
    let builder = WebauthnBuilder::new(id, &url).context("passkeys do not take this address")?;
    Ok(Some(builder.rp_name("Stipend").build().context("passkeys do not take this address")?))
}

async fn known(tx: &mut PgConnection, person: PersonId) -> anyhow::Result<Vec<Passkey>> {
    let rows = sqlx::query_scalar!("select credential from passkeys where person_id = $1 order by id", person.0);
    let rows = rows.fetch_all(tx).await?;
    rows.into_iter().map(|row| serde_json::from_value(row).context("a stored passkey cannot be read")).collect()
}

/// Asks for a new passkey; nothing where passkeys cannot be.
pub async fn start_registration(
    app: &App,
    person: PersonId,
    email: &str,
) -> anyhow::Result<Option<Challenge<PasskeyRegistration>>> {
    let Some(party) = relying_party(app)? else { return Ok(None) };
    let mut tx = begin(app, person).await?;
    let known: Vec<CredentialID> = known(&mut tx, person).await?.iter().map(|one| one.cred_id().clone()).collect();
    tx.commit().await?;
    let (asked, state) = party.start_passkey_registration(person.0, email, email, Some(known))?;
    Ok(Some(Challenge { asked: serde_json::to_string(&asked)?, state }))
}

/// Keeps the passkey that was made. Recovery codes where the person had none.
pub async fn register(
    app: &App,
    actor: &Actor,
    person: PersonId,
    name: &str,
    answer: &str,
    state: &PasskeyRegistration,
) -> anyhow::Result<Result<Vec<SecretString>, Refused>> {
    let party = relying_party(app)?.context("passkeys cannot be used at this address")?;
    let Ok(answer) = serde_json::from_str(answer) else { return Ok(Err(Refused::Wrong)) };
    let passkey = match party.finish_passkey_registration(&answer, state) {
        Ok(passkey) => passkey,
        Err(error) => {
            tracing::info!(person.id = %person, "a passkey was not registered: {error}");
            return Ok(Err(Refused::Wrong));
        }
    };
    let id = PasskeyId::new();
    let mut tx = begin(app, person).await?;
    let kept = sqlx::query!(
        "insert into passkeys (id, person_id, name, credential_id, credential, created_at)
        values ($1, $2, $3, $4, $5, $6)
        on conflict (credential_id) do nothing",
        id.0,
        person.0,
        name,
        passkey.cred_id().as_slice(),
        serde_json::to_value(&passkey)?,
        actor.at
    );
    if kept.execute(&mut *tx).await?.rows_affected() == 0 {
        return Ok(Err(Refused::Known));
    }
    record_of_person(&mut tx, person, actor, "passkey added", json!({ "name": name })).await?;
    let codes = recovery::make_first(&mut tx, person).await?;
    tx.commit().await?;
    Ok(Ok(codes))
}

/// Asks for any of the person's passkeys; nothing where they have none, or passkeys cannot be.
pub async fn start(app: &App, person: PersonId) -> anyhow::Result<Option<Challenge<PasskeyAuthentication>>> {
    let Some(party) = relying_party(app)? else { return Ok(None) };
    let mut tx = begin(app, person).await?;
    let known = known(&mut tx, person).await?;
    tx.commit().await?;
    if known.is_empty() {
        return Ok(None);
    }
    let (asked, state) = party.start_passkey_authentication(&known)?;
    Ok(Some(Challenge { asked: serde_json::to_string(&asked)?, state }))
}

/// Whether one of the person's passkeys signed what was asked.
pub async fn check(app: &App, person: PersonId, answer: &str, state: &PasskeyAuthentication) -> anyhow::Result<bool> {
    let Some(party) = relying_party(app)? else { return Ok(false) };
    let Ok(answer) = serde_json::from_str(answer) else { return Ok(false) };
    let result = match party.finish_passkey_authentication(&answer, state) {
        Ok(result) => result,
        Err(error) => {
            tracing::info!(person.id = %person, "a passkey was not accepted: {error}");
            return Ok(false);
        }
    };
    let mut tx = begin(app, person).await?;
    // One that was removed meanwhile is none.
    let Some(mut passkey) = known(&mut tx, person).await?.into_iter().find(|one| one.cred_id() == result.cred_id())
    else {
        return Ok(false);
    };
    passkey.update_credential(&result);
    sqlx::query!(
        "update passkeys set credential = $3, used_at = $4 where person_id = $1 and credential_id = $2",
        person.0,
        result.cred_id().as_slice(),
        serde_json::to_value(&passkey)?,
        app.clock.now()
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(true)
}
