//! Sessions, sign-in and who belongs to which merchant, in Postgres. Before anyone is known there is no merchant, so
//! this is the one file of the web that reads across all of them.
//!
//! The database keeps a digest of each session's id, so that a copy of it opens no session. A session ends two hours
//! after its last use and twelve after it began, by the application's clock.

use crate::app::App;
use crate::audit::{Actor, record_of_person};
use crate::clock::Clock;
use crate::database::Database;
use crate::id::{MerchantId, PersonId};
use crate::role::Role;
use async_trait::async_trait;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use time::{Duration, OffsetDateTime};
use tower_sessions::session::{Id, Record};
use tower_sessions::session_store::{Error as StoreError, Result as StoreResult, SessionStore};

/// A session that nobody used for this long has ended.
pub const IDLE: Duration = Duration::hours(2);
/// A session ends this long after signing in, however busy it is.
pub const LONGEST: Duration = Duration::hours(12);
/// The end is moved no more often than this, so that reading pages does not write.
const EXTEND_EVERY: Duration = Duration::minutes(5);

/// Failed sign-ins for one e-mail, second steps of one person, and both from one network address within [`PATIENCE`]; more
/// have to wait.
const FAILURES_PER_EMAIL: i64 = 5;
const FAILURES_PER_PERSON: i64 = 5;
const FAILURES_PER_ADDRESS: i64 = 30;
/// Mails with a link for one e-mail; asking is no failure, and counts all the same.
const LINKS_PER_EMAIL: i64 = 3;
const PATIENCE: Duration = Duration::minutes(15);

/// Where tower-sessions keeps its records.
#[derive(Debug, Clone)]
pub(super) struct Sessions {
    database: Database,
    clock: Clock,
}

impl Sessions {
    pub(super) fn new(app: &App) -> Self {
        Self { database: app.database.clone(), clock: app.clock.clone() }
    }

    async fn insert(&self, record: &Record) -> sqlx::Result<()> {
        let mut tx = self.database.installation().await?;
        sqlx::query!(
            "insert into sessions (id, data, expires_at) values ($1, $2, $3)",
            digest(&record.id),
            serde_json::json!(record.data),
            self.clock.now() + IDLE,
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await
    }

    /// A session that was ended in the meantime stays ended: this updates, and never inserts.
    async fn update(&self, record: &Record) -> sqlx::Result<()> {
        let mut tx = self.database.installation().await?;
        sqlx::query!(
            "update sessions set data = $2, expires_at = $3 where id = $1",
            digest(&record.id),
            serde_json::json!(record.data),
            self.clock.now() + IDLE,
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await
    }

    async fn find(&self, id: &Id) -> sqlx::Result<Option<serde_json::Value>> {
        let now = self.clock.now();
        let mut tx = self.database.installation().await?;
        let found =
            sqlx::query!("select data, expires_at from sessions where id = $1 and expires_at > $2", digest(id), now)
                .fetch_optional(&mut *tx)
                .await?;
        if let Some(found) = &found
            && found.expires_at < now + IDLE - EXTEND_EVERY
        {
            sqlx::query!("update sessions set expires_at = $2 where id = $1", digest(id), now + IDLE)
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        Ok(found.map(|found| found.data))
    }

    async fn remove(&self, id: &Id) -> sqlx::Result<()> {
        let mut tx = self.database.installation().await?;
        sqlx::query!("delete from sessions where id = $1", digest(id)).execute(&mut *tx).await?;
        tx.commit().await
    }
}

pub(super) fn digest(id: &Id) -> String {
    hex::encode(Sha256::digest(id.to_string()))
}

#[expect(clippy::needless_pass_by_value, reason = "it stands in map_err")]
fn backend(error: sqlx::Error) -> StoreError {
    StoreError::Backend(error.to_string())
}

#[async_trait]
impl SessionStore for Sessions {
    async fn create(&self, record: &mut Record) -> StoreResult<()> {
        self.insert(record).await.map_err(backend)
    }

    async fn save(&self, record: &Record) -> StoreResult<()> {
        self.update(record).await.map_err(backend)
    }

    async fn load(&self, id: &Id) -> StoreResult<Option<Record>> {
        let Some(data) = self.find(id).await.map_err(backend)? else { return Ok(None) };
        let data: HashMap<String, serde_json::Value> =
            serde_json::from_value(data).map_err(|error| StoreError::Decode(error.to_string()))?;
        // The end of a session is a matter of `find`; this date is only what the record's type asks for.
        Ok(Some(Record { id: *id, data, expiry_date: self.clock.system_now() + IDLE }))
    }

    async fn delete(&self, id: &Id) -> StoreResult<()> {
        self.remove(id).await.map_err(backend)
    }
}

/// One merchant that a person belongs to.
#[derive(Debug, Clone)]
pub(super) struct Membership {
    pub(super) merchant: MerchantId,
    pub(super) merchant_name: String,
    pub(super) time_zone: String,
    pub(super) environment: Option<String>,
    pub(super) role: Role,
    /// Of its approvers and admins.
    pub(super) requires_factor: bool,
}

/// A person, and the merchants that they belong to by name.
#[derive(Debug, Clone)]
pub(super) struct Person {
    pub(super) email: String,
    pub(super) name: String,
    pub(super) is_installation_admin: bool,
    pub(super) has_factor: bool,
    pub(super) memberships: Vec<Membership>,
}

/// Looks a person up anew for each request, so that a role taken away is gone at once.
pub(super) async fn person(app: &App, person: PersonId) -> sqlx::Result<Option<Person>> {
    let mut tx = app.database.installation().await?;
    let rows = sqlx::query!(
        r#"select p.email, p.name, p.is_installation_admin, m.id as "merchant?: MerchantId", m.name as "merchant_name?",
            m.time_zone as "time_zone?", m.environment, ms.role as "role?: Role",
            coalesce(s.requires_factor, false) as "requires_factor!",
            has_factor(p.id) as "has_factor!"
        from people p
        left join memberships ms on ms.person_id = p.id and ms.deactivated_at is null
        left join merchants m on m.id = ms.merchant_id
        left join security_settings s on s.merchant_id = m.id
        where p.id = $1
        order by lower(m.name), m.id"#,
        person.0
    )
    .fetch_all(&mut *tx)
    .await?;
    tx.commit().await?;
    let Some(first) = rows.first() else { return Ok(None) };
    let mut found = Person {
        email: first.email.clone(),
        name: first.name.clone(),
        is_installation_admin: first.is_installation_admin,
        has_factor: first.has_factor,
        memberships: Vec::new(),
    };
    for row in rows {
        if let (Some(merchant), Some(merchant_name), Some(time_zone), Some(role)) =
            (row.merchant, row.merchant_name, row.time_zone, row.role)
        {
            found.memberships.push(Membership {
                merchant,
                merchant_name,
                time_zone,
                environment: row.environment,
                role,
                requires_factor: row.requires_factor,
            });
        }
    }
    Ok(Some(found))
}

/// Ends every session in which this person works for this merchant. What they do for another one is not ours to end.
pub(super) async fn end(app: &App, person: PersonId, merchant: MerchantId) -> sqlx::Result<()> {
    let mut tx = app.database.installation().await?;
    sqlx::query!(
        "delete from sessions
        where data #>> '{signed_in,person}' = $1::uuid::text and data #>> '{signed_in,merchant}' = $2::uuid::text",
        person.0,
        merchant.0
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await
}

/// A session in which somebody has signed in, as its person knows it.
#[derive(Debug, Clone)]
pub(super) struct Listed {
    /// The digest of its id, which opens nothing.
    pub(super) digest: String,
    pub(super) since: OffsetDateTime,
    /// To the few minutes after which its end is moved.
    pub(super) seen: OffsetDateTime,
    pub(super) address: Option<String>,
    pub(super) browser: Option<String>,
}

/// The sessions of a person that have not ended, the one used last first.
pub(super) async fn of_person(app: &App, person: PersonId) -> sqlx::Result<Vec<Listed>> {
    let now = app.clock.now();
    let mut tx = app.database.installation().await?;
    let rows = sqlx::query!(
        r#"
        select id, to_timestamp((data #>> '{signed_in,since}')::bigint) as "since!", expires_at,
            data #>> '{signed_in,address}' as address, data #>> '{signed_in,browser}' as browser
        from sessions
        where data #>> '{signed_in,person}' = $1::uuid::text and expires_at > $2
        order by expires_at desc, id
        "#,
        person.0,
        now
    )
    .fetch_all(&mut *tx)
    .await?;
    tx.commit().await?;
    let listed = rows.into_iter().map(|row| Listed {
        digest: row.id,
        since: row.since,
        seen: row.expires_at - IDLE,
        address: row.address,
        browser: row.browser,
    });
    Ok(listed.filter(|one| now < one.since + LONGEST).collect())
}

/// Ends one session of this person. False if there is none.
pub(super) async fn end_one(app: &App, actor: &Actor, person: PersonId, digest: &str) -> sqlx::Result<bool> {
    let mut tx = app.database.installation().await?;
    let ended = sqlx::query!(
        "delete from sessions where data #>> '{signed_in,person}' = $1::uuid::text and id = $2",
        person.0,
        digest
    );
    if ended.execute(&mut *tx).await?.rows_affected() == 0 {
        return Ok(false);
    }
    record_of_person(&mut tx, person, actor, "session ended", serde_json::json!({ "sessions": "one" })).await?;
    tx.commit().await?;
    Ok(true)
}

/// Ends every session of this person but one.
pub(super) async fn end_others(app: &App, actor: &Actor, person: PersonId, keep: Option<&str>) -> sqlx::Result<()> {
    let mut tx = app.database.installation().await?;
    sqlx::query!("select end_sessions($1, $2)", person.0, keep).fetch_one(&mut *tx).await?;
    record_of_person(&mut tx, person, actor, "session ended", serde_json::json!({ "sessions": "all others" })).await?;
    tx.commit().await
}

/// The person with this e-mail, and the hash of their password.
pub(super) async fn credentials(app: &App, email: &str) -> sqlx::Result<Option<(PersonId, String)>> {
    let mut tx = app.database.installation().await?;
    let found = sqlx::query!(
        r#"select id as "id: PersonId", password_hash from people where lower(email) = lower($1)"#,
        email.trim()
    )
    .fetch_optional(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(found.map(|found| (found.id, found.password_hash)))
}

/// Nobody has been set up yet.
pub(super) async fn installation_is_empty(app: &App) -> sqlx::Result<bool> {
    let mut tx = app.database.installation().await?;
    let empty =
        sqlx::query_scalar!(r#"select not exists (select from people) as "empty!""#).fetch_one(&mut *tx).await?;
    tx.commit().await?;
    Ok(empty)
}

/// Leave to try one password or one code. It counts as a failure until [`forgive`] takes it back, so that many tries at once
/// cannot slip through before the first of them has failed.
pub(super) struct Attempt {
    subjects: Vec<String>,
    at: OffsetDateTime,
}

/// Too many of them failed: none is looked at before this much time has passed.
pub(super) struct TooMany {
    wait: Duration,
}

impl TooMany {
    /// For people.
    pub(super) fn words(&self) -> String {
        let minutes = self.wait.whole_minutes() + 1;
        let minutes = if minutes == 1 { "1 minute".to_owned() } else { format!("{minutes} minutes") };
        format!("Too many attempts failed. Wait {minutes}, then try again.")
    }
}

/// Counts one attempt at a password for the e-mail and for the network address, or says how long to wait.
pub(super) async fn attempt(app: &App, email: &str, address: Option<&str>) -> sqlx::Result<Result<Attempt, TooMany>> {
    count(app, (format!("email {}", digest_of(email)), FAILURES_PER_EMAIL), address).await
}

/// The same for an attempt at a second factor.
pub(super) async fn attempt_factor(
    app: &App,
    person: PersonId,
    address: Option<&str>,
) -> sqlx::Result<Result<Attempt, TooMany>> {
    count(app, (format!("factor {person}"), FAILURES_PER_PERSON), address).await
}

/// The same for somebody who asks for a link by e-mail.
pub(super) async fn attempt_link(
    app: &App,
    email: &str,
    address: Option<&str>,
) -> sqlx::Result<Result<Attempt, TooMany>> {
    count(app, (format!("link {}", digest_of(email)), LINKS_PER_EMAIL), address).await
}

async fn count(app: &App, first: (String, i64), address: Option<&str>) -> sqlx::Result<Result<Attempt, TooMany>> {
    let now = app.clock.now();
    let mut subjects = vec![first];
    subjects.extend(address.map(|address| (format!("address {address}"), FAILURES_PER_ADDRESS)));
    let mut tx = app.database.installation().await?;
    sqlx::query!("delete from sign_in_failures where at < $1", now - PATIENCE).execute(&mut *tx).await?;
    sqlx::query!("delete from sessions where expires_at < $1", now).execute(&mut *tx).await?;
    for (subject, limit) in &subjects {
        sqlx::query!("select pg_advisory_xact_lock(hashtextextended('sign-in ' || $1, 0))", subject)
            .fetch_one(&mut *tx)
            .await?;
        // The attempt whose age decides: when it is forgotten, there is room for one more.
        let decisive = sqlx::query_scalar!(
            "select at from sign_in_failures where subject = $1 order by at desc offset $2 limit 1",
            subject,
            limit - 1
        )
        .fetch_optional(&mut *tx)
        .await?;
        if let Some(decisive) = decisive {
            return Ok(Err(TooMany { wait: decisive + PATIENCE - now }));
        }
    }
    let subjects: Vec<String> = subjects.into_iter().map(|(subject, _)| subject).collect();
    sqlx::query!("insert into sign_in_failures (subject, at) select unnest($1::text[]), $2", &subjects, now)
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(Ok(Attempt { subjects, at: now }))
}

/// It was right: the e-mail or the person starts afresh, the address gets this attempt back.
pub(super) async fn forgive(app: &App, attempt: &Attempt) -> sqlx::Result<()> {
    let mut tx = app.database.installation().await?;
    sqlx::query!(
        "delete from sign_in_failures where subject = $1 or (subject = any($2) and at = $3)",
        attempt.subjects[0],
        &attempt.subjects,
        attempt.at
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await
}

/// A digest: what people type into this field is sometimes their password.
fn digest_of(email: &str) -> String {
    hex::encode(Sha256::digest(email.trim().to_lowercase()))
}
