//! A person's second factor: an app that makes codes, passkeys, and recovery codes for the day on which neither is at
//! hand. They belong to a person, who may work for several merchants, so this file takes on the installation's role; what
//! was changed is an entry of each merchant that the person may work for.
//!
//! Recovery codes alone are no factor: they stand in for one.

pub mod authenticator;
pub mod passkey;
pub mod recovery;
pub mod settings;

use crate::app::App;
use crate::audit::{Actor, record_of_person};
use crate::id::{PasskeyId, PersonId};
use serde_json::json;
use sqlx::{PgConnection, Postgres, Transaction};
use time::OffsetDateTime;

/// What a person has.
#[derive(Debug, Clone)]
pub struct Factors {
    /// Since when an app makes codes.
    pub authenticator: Option<OffsetDateTime>,
    /// Their passkeys, the oldest first.
    pub passkeys: Vec<Passkey>,
    /// Recovery codes that were not used.
    pub codes_left: i64,
}

impl Factors {
    /// Whether there is a second factor at all.
    pub fn is_any(&self) -> bool {
        self.authenticator.is_some() || !self.passkeys.is_empty()
    }
}

/// One passkey, as its person named it.
#[derive(Debug, Clone)]
pub struct Passkey {
    /// Its id.
    pub id: PasskeyId,
    /// What it is called.
    pub name: String,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// When it was last used.
    pub used_at: Option<OffsetDateTime>,
}

/// With what somebody showed that it is them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// A code of their app.
    Code,
    /// A recovery code; so many are left.
    RecoveryCode(i64),
}

/// What is to be removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// The app that makes codes.
    Authenticator,
    /// One passkey.
    Passkey(PasskeyId),
}

/// Why a factor stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// There is none of this id.
    NotFound,
    /// It is the last one, and these merchants require one of this person.
    Required(Vec<String>),
}

/// A transaction in which nobody else changes this person's factors.
async fn begin(app: &App, person: PersonId) -> sqlx::Result<Transaction<'static, Postgres>> {
    let mut tx = app.database.installation().await?;
    sqlx::query!("select id from people where id = $1 for update", person.0).fetch_optional(&mut *tx).await?;
    Ok(tx)
}

/// What this person has.
pub async fn of(app: &App, person: PersonId) -> sqlx::Result<Factors> {
    let mut tx = app.database.installation().await?;
    let factors = read(&mut tx, person).await?;
    tx.commit().await?;
    Ok(factors)
}

async fn read(tx: &mut PgConnection, person: PersonId) -> sqlx::Result<Factors> {
    let authenticator = sqlx::query_scalar!(
        r#"select confirmed_at as "at!" from authenticators where person_id = $1 and confirmed_at is not null"#,
        person.0
    );
    let passkeys = sqlx::query_as!(
        Passkey,
        r#"select id as "id: PasskeyId", name, created_at, used_at from passkeys where person_id = $1 order by id"#,
        person.0
    );
    let codes_left = sqlx::query_scalar!(
        r#"select count(*) as "left!" from recovery_codes where person_id = $1 and used_at is null"#,
        person.0
    );
    Ok(Factors {
        authenticator: authenticator.fetch_optional(&mut *tx).await?,
        passkeys: passkeys.fetch_all(&mut *tx).await?,
        codes_left: codes_left.fetch_one(&mut *tx).await?,
    })
}

/// Whether what was typed is a code of the person's app or a recovery code. Neither counts twice.
pub async fn check_code(app: &App, actor: &Actor, person: PersonId, typed: &str) -> anyhow::Result<Option<Shown>> {
    let typed: String = typed.chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
    if typed.len() == authenticator::DIGITS && typed.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(authenticator::check(app, person, &typed).await?.then_some(Shown::Code));
    }
    Ok(recovery::spend(app, actor, person, &typed).await?.map(Shown::RecoveryCode))
}

/// Removes a factor. With the last one go the recovery codes, which stand in for nothing then.
pub async fn remove(app: &App, actor: &Actor, person: PersonId, which: Which) -> sqlx::Result<Result<(), Refused>> {
    let mut tx = begin(app, person).await?;
    let before = read(&mut tx, person).await?;
    let (action, name) = match which {
        Which::Authenticator if before.authenticator.is_some() => ("authenticator removed", None),
        Which::Authenticator => return Ok(Err(Refused::NotFound)),
        Which::Passkey(id) => match before.passkeys.iter().find(|passkey| passkey.id == id) {
            Some(passkey) => ("passkey removed", Some(passkey.name.clone())),
            None => return Ok(Err(Refused::NotFound)),
        },
    };
    let is_last = before.passkeys.len() + usize::from(before.authenticator.is_some()) == 1;
    if is_last {
        let merchants = required_by(&mut tx, person).await?;
        if !merchants.is_empty() {
            return Ok(Err(Refused::Required(merchants)));
        }
        sqlx::query!("delete from recovery_codes where person_id = $1", person.0).execute(&mut *tx).await?;
    }
    match which {
        Which::Authenticator => {
            let gone = sqlx::query!("delete from authenticators where person_id = $1", person.0);
            gone.execute(&mut *tx).await?;
        }
        Which::Passkey(id) => {
            let gone = sqlx::query!("delete from passkeys where person_id = $1 and id = $2", person.0, id.0);
            gone.execute(&mut *tx).await?;
        }
    }
    record_of_person(&mut tx, person, actor, action, json!({ "name": name, "last": is_last })).await?;
    tx.commit().await?;
    Ok(Ok(()))
}

/// The merchants that require a factor of this person, by name.
async fn required_by(tx: &mut PgConnection, person: PersonId) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        "select m.name
        from memberships ms
        join merchants m on m.id = ms.merchant_id
        join security_settings s on s.merchant_id = ms.merchant_id
        where ms.person_id = $1 and ms.deactivated_at is null and ms.role in ('approver', 'admin') and s.requires_factor
        order by lower(m.name)",
        person.0
    )
    .fetch_all(tx)
    .await
}
