//! An app that makes a code of six digits every thirty seconds (RFC 6238, with SHA-1: what every such app understands).

use super::{begin, recovery};
use crate::app::App;
use crate::audit::{Actor, record_of_person};
use crate::id::PersonId;
use crate::vault::Place;
use anyhow::Context;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use qrcodegen::{QrCode, QrCodeEcc};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use std::fmt::Write;
use time::OffsetDateTime;
use totp_rs::{Builder, Secret, Totp};
use uuid::Uuid;

/// Of a code.
pub const DIGITS: usize = 6;

/// What is shown while an app is set up, and never again.
#[derive(Debug)]
pub struct SetUp {
    /// To be typed where nothing can be photographed.
    pub secret: SecretString,
    /// The same and what it is for, as a picture.
    pub picture: SecretString,
    /// Its width and height.
    pub size: i32,
}

/// Makes a secret for an app that is to be set up. The app that is in use stays in use until then.
pub async fn start(app: &App, person: PersonId) -> sqlx::Result<()> {
    let id = Uuid::now_v7();
    let secret = SecretString::from(Secret::from(rand::random::<[u8; 20]>().to_vec()).to_base32());
    let mut tx = begin(app, person).await?;
    sqlx::query!("delete from authenticators where person_id = $1 and confirmed_at is null", person.0)
        .execute(&mut *tx)
        .await?;
    sqlx::query!(
        "insert into authenticators (id, person_id, secret, created_at) values ($1, $2, $3, $4)",
        id,
        person.0,
        app.vault.seal(place(id), &secret),
        app.clock.now()
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await
}

/// What is to be shown for the app that is being set up, if one is.
pub async fn starting(app: &App, person: PersonId, email: &str) -> anyhow::Result<Option<SetUp>> {
    let mut tx = begin(app, person).await?;
    let row =
        sqlx::query!("select id, secret from authenticators where person_id = $1 and confirmed_at is null", person.0)
            .fetch_optional(&mut *tx)
            .await?;
    tx.commit().await?;
    let Some(row) = row else { return Ok(None) };
    let secret = app.vault.open(place(row.id), &row.secret)?;
    let url = format!(
        "otpauth://totp/Stipend:{}?secret={}&issuer=Stipend",
        utf8_percent_encode(email, NON_ALPHANUMERIC),
        secret.expose_secret()
    );
    let code = QrCode::encode_text(&url, QrCodeEcc::Medium).context("an address and a secret fit into a picture")?;
    Ok(Some(SetUp { secret, picture: SecretString::from(path(&code)), size: code.size() }))
}

/// The dark modules as the path of an SVG.
fn path(code: &QrCode) -> String {
    let mut path = String::new();
    for y in 0..code.size() {
        for x in (0..code.size()).filter(|x| code.get_module(*x, y)) {
            write!(path, "M{x} {y}h1v1h-1z").expect("writing to a string cannot fail");
        }
    }
    path
}

/// The first code of the app that is being set up: from here on it is in use, and one before it is not. Recovery codes
/// where the person had none. Nothing if this is not its code.
pub async fn confirm(
    app: &App,
    actor: &Actor,
    person: PersonId,
    typed: &str,
) -> anyhow::Result<Option<Vec<SecretString>>> {
    let mut tx = begin(app, person).await?;
    let row =
        sqlx::query!("select id, secret from authenticators where person_id = $1 and confirmed_at is null", person.0);
    let Some(row) = row.fetch_optional(&mut *tx).await? else { return Ok(None) };
    let typed: String = typed.chars().filter(|c| !c.is_whitespace()).collect();
    let Some(step) = step(&app.vault.open(place(row.id), &row.secret)?, &typed, actor.at)? else { return Ok(None) };
    let replaced =
        sqlx::query!("delete from authenticators where person_id = $1 and confirmed_at is not null", person.0)
            .execute(&mut *tx)
            .await?;
    sqlx::query!("update authenticators set confirmed_at = $2, last_step = $3 where id = $1", row.id, actor.at, step)
        .execute(&mut *tx)
        .await?;
    let details = json!({ "replaced": replaced.rows_affected() > 0 });
    record_of_person(&mut tx, person, actor, "authenticator set up", details).await?;
    let codes = recovery::make_first(&mut tx, person).await?;
    tx.commit().await?;
    Ok(Some(codes))
}

/// Whether this is a code of the person's app, now and for the first time.
pub(super) async fn check(app: &App, person: PersonId, typed: &str) -> anyhow::Result<bool> {
    let mut tx = begin(app, person).await?;
    let row = sqlx::query!(
        "select id, secret from authenticators where person_id = $1 and confirmed_at is not null",
        person.0
    );
    let Some(row) = row.fetch_optional(&mut *tx).await? else { return Ok(false) };
    let step = step(&app.vault.open(place(row.id), &row.secret)?, typed, app.clock.now())?;
    let taken = sqlx::query!("update authenticators set last_step = $2 where id = $1 and last_step < $2", row.id, step)
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(taken.rows_affected() == 1)
}

/// The step whose code this is: the current one, or one beside it for clocks that differ.
fn step(secret: &SecretString, typed: &str, now: OffsetDateTime) -> anyhow::Result<Option<i64>> {
    let secret = Secret::try_from_base32(secret.expose_secret()).ok().context("a stored secret is not base32")?;
    let totp: Totp = Builder::new().with_secret(secret).build().context("a stored secret is too short")?;
    let step = totp.check(typed, u64::try_from(now.unix_timestamp())?);
    Ok(step.map(i64::try_from).transpose()?)
}

fn place(authenticator: Uuid) -> Place<'static> {
    Place { column: "authenticators.secret", merchant: Uuid::nil(), row: authenticator }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_the_standard_and_hold_for_a_step_on_each_side() {
        // RFC 6238, appendix B, cut to six digits.
        let secret = SecretString::from(Secret::from(b"12345678901234567890".to_vec()).to_base32());
        let at = |seconds| step(&secret, "287082", OffsetDateTime::from_unix_timestamp(seconds).unwrap()).unwrap();
        assert_eq!(at(59), Some(1));
        assert_eq!((at(0), at(89), at(90)), (Some(1), Some(1), None));
        assert_eq!(step(&secret, "287083", OffsetDateTime::from_unix_timestamp(59).unwrap()).unwrap(), None);
    }

    #[test]
    fn the_picture_is_a_path_of_squares() {
        let code = QrCode::encode_text("otpauth://totp/Stipend:a?secret=A", QrCodeEcc::Medium).unwrap();
        let path = path(&code);
        assert!(path.starts_with("M0 0h1v1h-1zM1 0"), "{path}");
        assert_eq!(path.matches('M').count() * "M0 0h1v1h-1z".len() / path.len(), 0, "places have two digits too");
    }
}
