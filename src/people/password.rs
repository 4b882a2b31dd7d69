//! Another password: chosen by whoever knows the one before it, or by whoever reads the mail that goes to the person.
//!
//! A person belongs to several merchants or to none, and mails belong to one. So a wish for a new password is its own
//! outbox: [`send_next`] tries its mail until the link is void. It says nothing of money, and goes out wherever mails
//! leave. Whose password it is, is the person's matter alone, so this file takes on the installation's role.

use super::invite::digest;
use crate::admin;
use crate::app::App;
use crate::audit::{Actor, record_of_person};
use crate::carrier::Letter;
use crate::id::{PersonId, ResetId};
use crate::vault::{Place, Vault};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use sqlx::PgConnection;
use time::{Duration, OffsetDateTime};

/// A link that nobody followed for so long is void.
pub const LASTS: Duration = Duration::hours(1);
/// Longer than handing a mail over can take.
const LEASE: Duration = Duration::minutes(2);
/// What is older tells nobody anything.
const KEPT: Duration = Duration::days(7);

/// Gives the person another password; every other session of theirs ends.
pub async fn change(
    app: &App,
    actor: &Actor,
    person: PersonId,
    password: &SecretString,
    keep: Option<&str>,
) -> Result<(), admin::Refused> {
    let hash = admin::hash(password).await?;
    let mut tx = app.database.installation().await?;
    sqlx::query!("update people set password_hash = $2 where id = $1", person.0, hash).execute(&mut *tx).await?;
    sqlx::query!("select end_sessions($1, $2)", person.0, keep).fetch_one(&mut *tx).await?;
    sqlx::query!(
        "update password_resets set used_at = $2, due_at = null where person_id = $1 and used_at is null",
        person.0,
        actor.at
    )
    .execute(&mut *tx)
    .await?;
    record_of_person(&mut tx, person, actor, "password changed", json!({})).await?;
    tx.commit().await?;
    Ok(())
}

/// Somebody asks for a link. The same is done for an e-mail that nobody has, up to the row.
pub async fn ask(app: &App, email: &str) -> sqlx::Result<()> {
    let (id, now) = (ResetId::new(), app.clock.now());
    let secret = mint(&app.vault, id);
    let mut tx = app.database.installation().await?;
    sqlx::query!("delete from password_resets where created_at < $1", now - KEPT).execute(&mut *tx).await?;
    sqlx::query!(
        "insert into password_resets (id, person_id, secret_sha256, created_at, expires_at, due_at)
        select $1, id, $2, $3, $4, $3 from people where lower(email) = lower($5)",
        id.0,
        digest(secret.expose_secret()),
        now,
        now + LASTS,
        email.trim()
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    app.wake.notify_waiters();
    Ok(())
}

/// The e-mail of whoever may choose a password with this link.
pub async fn find(app: &App, code: &str) -> sqlx::Result<Option<String>> {
    let mut tx = app.database.installation().await?;
    sqlx::query_scalar!(
        "select p.email
        from password_resets r
        join people p on p.id = r.person_id
        where r.secret_sha256 = $1 and r.used_at is null and r.expires_at > $2",
        digest(code),
        app.clock.now()
    )
    .fetch_optional(&mut *tx)
    .await
}

/// Sets the password; every link and every session of the person is void from then on. False if this link was before.
pub async fn reset(
    app: &App,
    code: &str,
    password: &SecretString,
    address: Option<String>,
) -> Result<bool, admin::Refused> {
    let hash = admin::hash(password).await?;
    let now = app.clock.now();
    let mut tx = app.database.installation().await?;
    let used = sqlx::query_scalar!(
        r#"
        update password_resets
        set used_at = $2, due_at = null
        where secret_sha256 = $1 and used_at is null and expires_at > $2
        returning person_id as "person: PersonId"
        "#,
        digest(code),
        now
    );
    let Some(person) = used.fetch_optional(&mut *tx).await? else { return Ok(false) };
    sqlx::query!(
        "update password_resets set used_at = $2, due_at = null where person_id = $1 and used_at is null",
        person.0,
        now
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!("update people set password_hash = $2 where id = $1", person.0, hash).execute(&mut *tx).await?;
    sqlx::query!("select end_sessions($1, null)", person.0).fetch_one(&mut *tx).await?;
    let actor = Actor { person: Some(person), address, at: now };
    record_of_person(&mut tx, person, &actor, "password reset", json!({})).await?;
    tx.commit().await?;
    Ok(true)
}

/// Sends the link that has waited longest. False if none was due.
pub async fn send_next(app: &App) -> anyhow::Result<bool> {
    let Some(carrier) = &app.carrier else { return Ok(false) };
    let now = app.clock.now();
    let mut tx = app.database.installation().await?;
    let claimed = sqlx::query!(
        r#"
        update password_resets r
        set due_at = $2, attempts = r.attempts + 1
        from people p
        where p.id = r.person_id and r.id = (
            select id from password_resets where due_at <= $1 order by due_at limit 1 for update skip locked
        )
        returning r.id as "id: ResetId", r.attempts, r.expires_at, p.email
        "#,
        now,
        now + LEASE
    );
    let Some(row) = claimed.fetch_optional(&mut *tx).await? else { return Ok(false) };
    tx.commit().await?;
    let tried =
        if row.expires_at > now { carrier.hand_over(&letter(app, row.id, &row.email, now)).await } else { Ok(()) };
    if let Err(error) = &tried {
        tracing::warn!(reset.id = %row.id, "a mail could not be handed over: {error:#}");
    }
    let due_at = tried.err().map(|_| now + Duration::minutes(i64::from(row.attempts)));
    let mut tx = app.database.installation().await?;
    sqlx::query!(
        "update password_resets set due_at = $3 where id = $1 and attempts = $2 and used_at is null",
        row.id.0,
        row.attempts,
        due_at
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(true)
}

fn letter(app: &App, id: ResetId, email: &str, now: OffsetDateTime) -> Letter {
    let base = app.public_url.as_deref().or(app.listens_at.as_deref()).unwrap_or_default().trim_end_matches('/');
    let secret = mint(&app.vault, id);
    Letter {
        id: id.0,
        sender: "Stipend".to_owned(),
        recipient: email.to_owned(),
        subject: "Choose a new password for Stipend".to_owned(),
        body: format!(
            "Hello,\n\nsomebody asked for a new password for {email} at {base}. To choose one, open this link within an \
             hour. It works once:\n\n{base}/password/new?code={}\n\nIf it was not you, ignore this message: nothing was \
             changed.\n",
            secret.expose_secret()
        ),
        at: now,
    }
}

/// Under another master key the links that were not mailed yet are others; those that were mailed stay good.
pub(crate) async fn mint_anew(tx: &mut PgConnection, vault: &Vault) -> sqlx::Result<()> {
    let waiting = sqlx::query_scalar!(r#"select id as "id: ResetId" from password_resets where due_at is not null"#);
    for id in waiting.fetch_all(&mut *tx).await? {
        let digest = digest(mint(vault, id).expose_secret());
        sqlx::query!("update password_resets set secret_sha256 = $2 where id = $1", id.0, digest)
            .execute(&mut *tx)
            .await?;
    }
    Ok(())
}

fn mint(vault: &Vault, id: ResetId) -> SecretString {
    vault.mint(Place { column: "password_resets.secret_sha256", merchant: uuid::Uuid::nil(), row: id.0 }, 1)
}
