//! The administration of the installation: its master key, its merchants and its people.
//!
//! One of the few places that see all merchants, so it is kept small. Everything here happens one after the other in
//! the whole installation, under one lock: two instances do not both make a key, two people are not both the first.

use crate::audit::{Actor, record_for, record_of_person};
use crate::clock::Clock;
use crate::database::Database;
use crate::id::{MerchantId, PersonId};
use crate::master_key;
use crate::newcomer::{check_merchant, check_person};
use crate::password;
use crate::role::Role;
use crate::vault::{Place, Vault};
use anyhow::{Context, bail, ensure};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use sha2::{Digest, Sha256};
use sqlx::{PgConnection, Postgres, Transaction};
use std::path::Path;
use subtle::ConstantTimeEq;
use time::OffsetDateTime;
use uuid::Uuid;

pub use crate::newcomer::{NewMerchant, NewPerson, Problem};

/// Held while the installation is administered; any number that nothing else in the database locks.
const ADMINISTRATION: i64 = 0x5374_6970_656e_6431;
const KEY_CHECK: &str = "this master key opens this installation";

/// Why something was not done. Nothing of it was.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// What was entered cannot be.
    #[error("{}", .0.iter().map(|problem| problem.message.as_str()).collect::<Vec<_>>().join("; "))]
    Entered(Vec<Problem>),
    /// Somebody has set up this installation already.
    #[error("this installation is set up already; sign in")]
    AlreadySetUp,
    /// Not the code that the log shows.
    #[error("this is not the code; the newest one is in the log of the last start")]
    WrongCode,
    /// It could not be tried.
    #[error("it could not be stored")]
    Database(#[from] sqlx::Error),
}

/// What came of adding a person to a merchant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Added {
    /// They are new to the installation.
    Person(PersonId),
    /// They were known, and keep their password.
    Membership(PersonId),
    /// They were a member in this role before; if they were deactivated, they no longer are.
    RoleChanged(PersonId, Role),
}

/// Opens the vault that this database's secrets are sealed in; makes its key first if the database has none yet.
pub async fn open_vault(database: &Database, clock: &Clock, key_file: &Path) -> anyhow::Result<Vault> {
    let mut tx = begin(database).await?;
    let installation = sqlx::query!("select id, key_id, key_check from installation").fetch_optional(&mut *tx).await?;
    let shown = key_file.display();
    if let Some(row) = &installation {
        master_key::complete(key_file, |key| Vault::new(key).key_id() == row.key_id)?;
    }
    let key = master_key::read(key_file)?;
    if let Some(row) = installation {
        let Some(key) = key else {
            bail!(
                "the secrets in this database are sealed with the master key {}, but its file {shown} is missing. Put it \
                 back, or name the right file in STIPEND_MASTER_KEY_FILE",
                row.key_id
            );
        };
        let vault = Vault::new(&key);
        ensure!(
            vault.key_id() == row.key_id && vault.open(key_check_of(row.id), &row.key_check).is_ok(),
            "the master key in {shown} ({}) is not the one that this database's secrets are sealed with ({}). Name the \
             right file in STIPEND_MASTER_KEY_FILE",
            vault.key_id(),
            row.key_id
        );
        return Ok(vault);
    }
    let vault = match key {
        Some(key) => Vault::new(&key),
        None => Vault::new(&master_key::create(key_file)?),
    };
    let id = Uuid::now_v7();
    sqlx::query!(
        "insert into installation (id, key_id, key_check, created_at) values ($1, $2, $3, $4)",
        id,
        vault.key_id(),
        vault.seal(key_check_of(id), &KEY_CHECK.into()),
        clock.now(),
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    let made = if key.is_some() { "uses the master key" } else { "has a new master key" };
    tracing::info!(
        key.id = vault.key_id(),
        "This installation {made} in {shown}. Keep a copy: secrets open with it alone"
    );
    Ok(vault)
}

/// From now on this vault's key is the one that the secrets are sealed with.
pub(crate) async fn put_key_check(tx: &mut PgConnection, vault: &Vault) -> sqlx::Result<()> {
    let id = sqlx::query_scalar!("select id from installation").fetch_one(&mut *tx).await?;
    let check = vault.seal(key_check_of(id), &KEY_CHECK.into());
    sqlx::query!("update installation set key_id = $1, key_check = $2", vault.key_id(), check).execute(tx).await?;
    Ok(())
}

fn key_check_of(installation: Uuid) -> Place<'static> {
    Place { column: "installation.key_check", merchant: Uuid::nil(), row: installation }
}

/// Adds a merchant.
pub async fn add_merchant(database: &Database, clock: &Clock, new: NewMerchant) -> Result<MerchantId, Refused> {
    let zone = fit(check_merchant(&new))?;
    let mut tx = begin(database).await?;
    let merchant = insert_merchant(&mut tx, &new, &zone, clock.now()).await?;
    let details = json!({"name": new.name.trim()});
    let at = clock.now();
    record_for(&mut tx, merchant, &nobody(at), "merchant added", &format!("merchant {merchant}"), details).await?;
    tx.commit().await?;
    Ok(merchant)
}

/// The merchant of this name, if there is one.
pub async fn find_merchant(database: &Database, name: &str) -> sqlx::Result<Option<MerchantId>> {
    let mut tx = database.installation().await?;
    merchant_named(&mut tx, name).await
}

/// The names of all merchants, and the e-mails of everybody who can sign in.
pub async fn everybody(database: &Database) -> sqlx::Result<(Vec<String>, Vec<String>)> {
    let mut tx = database.installation().await?;
    let merchants = sqlx::query_scalar!("select name from merchants order by id").fetch_all(&mut *tx).await?;
    let people = sqlx::query_scalar!("select email from people order by id").fetch_all(&mut *tx).await?;
    Ok((merchants, people))
}

/// Adds a person to the merchant of this name. Somebody who is known already keeps their password.
pub async fn add_person(
    database: &Database,
    clock: &Clock,
    merchant: &str,
    role: Role,
    new: NewPerson,
) -> Result<Added, Refused> {
    let now = clock.now();
    let mut tx = begin(database).await?;
    let Some(merchant) = merchant_named(&mut tx, merchant).await? else {
        return Err(Refused::Entered(vec![Problem::new("merchant", format!("there is no merchant {merchant:?}"))]));
    };
    let known = person_of(&mut tx, &new.email).await?;
    let was = sqlx::query_scalar!(
        r#"select role as "role: Role" from memberships where merchant_id = $1 and person_id = $2"#,
        merchant.0,
        known.map(|person| person.0),
    );
    let was = was.fetch_optional(&mut *tx).await?;
    let person = match known {
        Some(person) => person,
        None => {
            fit(check_person(&new))?;
            insert_person(&mut tx, &new, &hash(&new.password).await?, now).await?
        }
    };
    set_role(&mut tx, (merchant, person), role, now).await?;
    let (added, action) = match (known, was) {
        (None, _) => (Added::Person(person), "person added"),
        (Some(_), None) => (Added::Membership(person), "person added"),
        (Some(_), Some(was)) => (Added::RoleChanged(person, was), "role changed"),
    };
    let details = json!({"email": new.email.trim(), "role": role.name(), "was": was.map(Role::name)});
    record_for(&mut tx, merchant, &nobody(now), action, &format!("person {person}"), details).await?;
    tx.commit().await?;
    Ok(added)
}

/// Whether somebody signs in with this e-mail: they have a password.
pub async fn is_known(database: &Database, email: &str) -> sqlx::Result<bool> {
    Ok(person_of(&mut *begin(database).await?, email).await?.is_some())
}

/// Makes somebody an administrator of the installation, or takes that away. Every merchant they belong to is told.
pub async fn set_installation_admin(
    database: &Database,
    clock: &Clock,
    email: &str,
    is_one: bool,
) -> Result<PersonId, Refused> {
    let at = clock.now();
    let mut tx = begin(database).await?;
    let person = sqlx::query_scalar!(
        r#"update people set is_installation_admin = $2 where lower(email) = lower($1) returning id as "id: PersonId""#,
        email.trim(),
        is_one
    );
    let Some(person) = person.fetch_optional(&mut *tx).await? else {
        let message = format!("nobody signs in with {:?}; add them to a merchant first", email.trim());
        return Err(Refused::Entered(vec![Problem::new("email", message)]));
    };
    let merchants = sqlx::query_scalar!(
        r#"select merchant_id as "merchant: MerchantId" from memberships where person_id = $1 order by merchant_id"#,
        person.0
    );
    let action = if is_one { "became installation admin" } else { "is installation admin no longer" };
    for merchant in merchants.fetch_all(&mut *tx).await? {
        let details = json!({"email": email.trim()});
        record_for(&mut tx, merchant, &nobody(at), action, &format!("person {person}"), details).await?;
    }
    tx.commit().await?;
    Ok(person)
}

/// Gives somebody who cannot get in another password, and ends their sessions. Their second factor stays. False if nobody
/// has this e-mail.
pub async fn set_password(
    database: &Database,
    clock: &Clock,
    email: &str,
    password: &SecretString,
) -> Result<bool, Refused> {
    password::check(password, &[email])
        .map_err(|unfit| Refused::Entered(vec![Problem::new("password", unfit.to_string())]))?;
    let hash = hash(password).await?;
    let mut tx = begin(database).await?;
    let Some(person) = person_of(&mut tx, email).await? else { return Ok(false) };
    sqlx::query!("update people set password_hash = $2 where id = $1", person.0, hash).execute(&mut *tx).await?;
    end_sessions(&mut tx, person).await?;
    record_of_person(&mut tx, person, &nobody(clock.now()), "password set by the operator", json!({})).await?;
    tx.commit().await?;
    Ok(true)
}

/// Takes every second factor from somebody who has lost all of them, and ends their sessions: the password alone lets them
/// in from then on. False if nobody has this e-mail.
pub async fn reset_factors(database: &Database, clock: &Clock, email: &str) -> sqlx::Result<bool> {
    let mut tx = begin(database).await?;
    let Some(person) = person_of(&mut tx, email).await? else { return Ok(false) };
    sqlx::query!("delete from authenticators where person_id = $1", person.0).execute(&mut *tx).await?;
    sqlx::query!("delete from passkeys where person_id = $1", person.0).execute(&mut *tx).await?;
    sqlx::query!("delete from recovery_codes where person_id = $1", person.0).execute(&mut *tx).await?;
    end_sessions(&mut tx, person).await?;
    record_of_person(&mut tx, person, &nobody(clock.now()), "second factors reset by the operator", json!({})).await?;
    tx.commit().await?;
    Ok(true)
}

async fn person_of(tx: &mut PgConnection, email: &str) -> sqlx::Result<Option<PersonId>> {
    let known = sqlx::query_scalar!("select id from people where lower(email) = lower($1)", email.trim());
    Ok(known.fetch_optional(tx).await?.map(PersonId))
}

async fn end_sessions(tx: &mut PgConnection, person: PersonId) -> sqlx::Result<()> {
    sqlx::query!("select end_sessions($1, null)", person.0).fetch_one(tx).await?;
    Ok(())
}

/// While nobody can sign in: a new code, without which nobody can be the first. The one before it is void.
pub async fn setup_code(database: &Database) -> anyhow::Result<Option<String>> {
    const LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let mut tx = begin(database).await?;
    if !nobody_yet(&mut tx).await? {
        return Ok(None);
    }
    let mut code: String =
        rand::random::<[u8; 8]>().map(|byte| LETTERS[usize::from(byte % 32)] as char).iter().collect();
    let digest = digest_of(&code);
    let stored =
        sqlx::query!("update installation set setup_code_sha256 = $1", digest.as_slice()).execute(&mut *tx).await?;
    ensure!(stored.rows_affected() == 1, "the installation has no master key yet");
    tx.commit().await.context("the setup code could not be stored")?;
    code.insert(4, '-');
    Ok(Some(code))
}

/// Whether this is the code in the log. Small letters, spaces and look-alikes are forgiven.
pub async fn check_setup_code(database: &Database, typed: &str) -> sqlx::Result<bool> {
    let mut tx = database.installation().await?;
    code_fits(&mut tx, typed).await
}

/// The first merchant and its first person, an admin of both the merchant and the installation, in one step; afterwards
/// the code is void.
pub async fn create_first(
    database: &Database,
    clock: &Clock,
    code: &str,
    merchant: NewMerchant,
    person: NewPerson,
    address: Option<String>,
) -> Result<(MerchantId, PersonId), Refused> {
    let (checked_merchant, checked_person) = (check_merchant(&merchant), check_person(&person));
    let zone = fit(match (checked_merchant, checked_person) {
        (Ok(zone), Ok(())) => Ok(zone),
        (merchant, person) => Err([merchant.err().unwrap_or_default(), person.err().unwrap_or_default()].concat()),
    })?;
    let hash = hash(&person.password).await?;
    let now = clock.now();
    let mut tx = begin(database).await?;
    if !nobody_yet(&mut tx).await? {
        return Err(Refused::AlreadySetUp);
    }
    if !code_fits(&mut tx, code).await? {
        return Err(Refused::WrongCode);
    }
    let merchant_id = insert_merchant(&mut tx, &merchant, &zone, now).await?;
    let person_id = insert_person(&mut tx, &person, &hash, now).await?;
    set_role(&mut tx, (merchant_id, person_id), Role::Admin, now).await?;
    sqlx::query!("update people set is_installation_admin = true where id = $1", person_id.0).execute(&mut *tx).await?;
    sqlx::query!("update installation set setup_code_sha256 = null").execute(&mut *tx).await?;
    let who = Actor { person: Some(person_id), address, at: now };
    let details = json!({"merchant": merchant.name.trim(), "email": person.email.trim(), "role": Role::Admin.name()});
    record_for(&mut tx, merchant_id, &who, "installation set up", &format!("merchant {merchant_id}"), details).await?;
    tx.commit().await?;
    Ok((merchant_id, person_id))
}

/// A transaction that sees all merchants and runs after every other one of its kind.
pub(crate) async fn begin(database: &Database) -> sqlx::Result<Transaction<'static, Postgres>> {
    let mut tx = database.installation().await?;
    sqlx::query!("select pg_advisory_xact_lock($1)", ADMINISTRATION).execute(&mut *tx).await?;
    Ok(tx)
}

/// The master key stays while this is held; an error if it is another one than this vault's already.
pub(crate) async fn hold_key(database: &Database, vault: &Vault) -> anyhow::Result<Transaction<'static, Postgres>> {
    let mut tx = begin(database).await?;
    let key_id = sqlx::query_scalar!("select key_id from installation").fetch_one(&mut *tx).await?;
    ensure!(key_id == vault.key_id(), "the master key was changed meanwhile to {key_id}; begin again");
    Ok(tx)
}

async fn nobody_yet(tx: &mut PgConnection) -> sqlx::Result<bool> {
    sqlx::query_scalar!(r#"select not exists (select from people) as "nobody!""#).fetch_one(tx).await
}

async fn code_fits(tx: &mut PgConnection, typed: &str) -> sqlx::Result<bool> {
    let digest = sqlx::query_scalar!("select setup_code_sha256 from installation").fetch_optional(tx).await?.flatten();
    Ok(digest.is_some_and(|digest| digest.ct_eq(&digest_of(typed)).into()))
}

fn digest_of(code: &str) -> [u8; 32] {
    let letters = code.chars().filter(char::is_ascii_alphanumeric).map(|letter| match letter.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        letter => letter,
    });
    Sha256::digest(letters.collect::<String>()).into()
}

pub(crate) async fn hash(password: &SecretString) -> Result<String, Refused> {
    let password = SecretString::from(password.expose_secret());
    let hashed = tokio::task::spawn_blocking(move || password::hash(&password)).await.expect("hashing does not panic");
    hashed.map_err(|error| Refused::Entered(vec![Problem::new("password", error.to_string())]))
}

pub(crate) fn fit<T>(checked: Result<T, Vec<Problem>>) -> Result<T, Refused> {
    checked.map_err(Refused::Entered)
}

async fn merchant_named(tx: &mut PgConnection, name: &str) -> sqlx::Result<Option<MerchantId>> {
    let found = sqlx::query_scalar!("select id from merchants where lower(name) = lower($1)", name.trim());
    Ok(found.fetch_optional(tx).await?.map(MerchantId))
}

async fn insert_merchant(
    tx: &mut PgConnection,
    new: &NewMerchant,
    zone: &str,
    now: OffsetDateTime,
) -> Result<MerchantId, Refused> {
    let name = new.name.trim();
    if merchant_named(tx, name).await?.is_some() {
        return Err(Refused::Entered(vec![Problem::new("merchant", format!("there is a merchant {name:?} already"))]));
    }
    let merchant = MerchantId::new();
    sqlx::query!(
        "insert into merchants (id, name, time_zone, created_at) values ($1, $2, $3, $4)",
        merchant.0,
        name,
        zone,
        now,
    )
    .execute(tx)
    .await?;
    Ok(merchant)
}

pub(crate) async fn insert_person(
    tx: &mut PgConnection,
    new: &NewPerson,
    hash: &str,
    now: OffsetDateTime,
) -> sqlx::Result<PersonId> {
    let person = PersonId::new();
    sqlx::query!(
        "insert into people (id, email, name, password_hash, created_at) values ($1, $2, $3, $4, $5)",
        person.0,
        new.email.trim(),
        new.name.trim(),
        hash,
        now,
    )
    .execute(tx)
    .await?;
    Ok(person)
}

pub(crate) async fn set_role(
    tx: &mut PgConnection,
    (merchant, person): (MerchantId, PersonId),
    role: Role,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into memberships (merchant_id, person_id, role, created_at)
        values ($1, $2, $3, $4)
        on conflict (merchant_id, person_id) do update set role = excluded.role, deactivated_at = null",
        merchant.0,
        person.0,
        role.name(),
        now,
    )
    .execute(&mut *tx)
    .await?;
    // Whoever may invite nobody any more leaves no door open.
    sqlx::query!(
        "update invitations set revoked_at = $3
        where merchant_id = $1 and invited_by = $2 and $4 and accepted_at is null and revoked_at is null",
        merchant.0,
        person.0,
        now,
        role != Role::Admin
    )
    .execute(&mut *tx)
    .await?;
    Ok(())
}

/// The author of what the command line does.
fn nobody(at: OffsetDateTime) -> Actor {
    Actor { person: None, address: None, at }
}
