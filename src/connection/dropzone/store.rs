//! SQL of DropZone accounts.

use super::{Details, Outcome};
use crate::connection::store::{Blocking, unfinished_batches};
use crate::database::Tx;
use crate::id::DropzoneId;
use crate::paypal::Environment;
use crate::paypal::dropzone::{Account, KeyPair};
use crate::vault::{Place, Vault};
use time::{Duration, OffsetDateTime};

/// The longest wait between two tries while files wait.
const LONGEST: Duration = Duration::hours(4);

/// A DropZone account, without its private keys.
#[derive(Debug, Clone)]
pub struct Dropzone {
    /// Its id.
    pub id: DropzoneId,
    /// Decides the address, and whether its money is real.
    pub environment: Environment,
    /// Files may be sent through it.
    pub in_force: bool,
    /// The user name that PayPal gave, once it has.
    pub user_name: Option<String>,
    /// The folder that PayPal picks files up from.
    pub incoming: String,
    /// The folder that PayPal answers in.
    pub outgoing: String,
    /// The line that was made to be sent to PayPal.
    pub public_key: String,
    /// The same of the key that is to take its place.
    pub next_public_key: Option<String>,
    /// When PayPal first let that one in.
    pub next_accepted_at: Option<OffsetDateTime>,
    /// The server's key that a person approved.
    pub host_key: Option<String>,
    /// Another one that the server showed.
    pub host_key_offered: Option<String>,
    /// When the connection was last tested.
    pub checked_at: Option<OffsetDateTime>,
    /// What came of it.
    pub check_outcome: Option<Outcome>,
    /// The server's words.
    pub check_told: Option<String>,
    /// Files wait since then …
    pub paused_at: Option<OffsetDateTime>,
    /// … for this reason …
    pub paused_why: Option<String>,
    /// … until then.
    pub resume_at: Option<OffsetDateTime>,
    /// When PayPal's folders were last read.
    pub listed_at: Option<OffsetDateTime>,
    /// Why they could not be read since.
    pub trouble: Option<String>,
}

/// The account that counts: of the environment that is fixed, else the one in force, else the last that was begun.
pub async fn show(tx: &mut Tx) -> sqlx::Result<Option<Dropzone>> {
    let merchant = tx.merchant();
    sqlx::query_as!(
        Dropzone,
        r#"
        select
            d.id as "id: DropzoneId", d.environment as "environment: Environment", d.in_force, d.user_name, d.incoming,
            d.outgoing, d.public_key, d.next_public_key, d.next_accepted_at, d.host_key, d.host_key_offered, d.checked_at,
            d.check_outcome as "check_outcome: Outcome", d.check_told, d.paused_at, d.paused_why, d.resume_at, d.listed_at,
            d.trouble
        from dropzones d
        join merchants m on m.id = d.merchant_id
        where d.merchant_id = $1
            and d.private_key is not null
            and (m.environment is null or d.environment = m.environment)
        order by d.in_force desc, d.made_at desc
        limit 1
        "#,
        merchant.0
    )
    .fetch_optional(&mut **tx)
    .await
}

/// The account that files are sent through, and its environment.
pub async fn in_force(tx: &mut Tx) -> sqlx::Result<Option<(DropzoneId, Environment)>> {
    let merchant = tx.merchant();
    let row = sqlx::query!(
        r#"
        select id as "id: DropzoneId", environment as "environment: Environment"
        from dropzones
        where merchant_id = $1 and in_force
        "#,
        merchant.0
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(row.map(|row| (row.id, row.environment)))
}

fn place(column: &'static str, tx: &Tx, id: DropzoneId) -> Place<'static> {
    Place { column, merchant: tx.merchant().0, row: id.0 }
}

/// What it takes to get in; nothing while there is no user name, or once the keys are destroyed. A next key is tried
/// before the earlier one.
pub async fn account(tx: &mut Tx, vault: &Vault, id: DropzoneId) -> anyhow::Result<Option<Account>> {
    let merchant = tx.merchant();
    let row = sqlx::query!(
        r#"
        select environment as "environment: Environment", user_name, incoming, outgoing, private_key, next_private_key, host_key
        from dropzones
        where merchant_id = $1 and id = $2
        "#,
        merchant.0,
        id.0
    )
    .fetch_one(&mut **tx)
    .await?;
    let (Some(user_name), Some(key)) = (row.user_name, row.private_key) else { return Ok(None) };
    let mut keys = vec![vault.open(place("dropzones.private_key", tx, id), &key)?];
    if let Some(next) = row.next_private_key {
        keys.insert(0, vault.open(place("dropzones.next_private_key", tx, id), &next)?);
    }
    let (incoming, outgoing, host_key) = (row.incoming, row.outgoing, row.host_key);
    Ok(Some(Account { environment: row.environment, user_name, incoming, outgoing, keys, host_key }))
}

/// Begins an account with a key pair of ours, or begins it anew after it was disconnected.
pub(super) async fn begin(
    tx: &mut Tx,
    vault: &Vault,
    environment: Environment,
    keys: &KeyPair,
    actor: &crate::audit::Actor,
) -> sqlx::Result<()> {
    let merchant = tx.merchant();
    let known = sqlx::query_scalar!(
        r#"select id as "id: DropzoneId" from dropzones where merchant_id = $1 and environment = $2"#,
        merchant.0,
        environment.code()
    )
    .fetch_optional(&mut **tx)
    .await?;
    let id = known.unwrap_or_else(DropzoneId::new);
    sqlx::query!(
        r#"
        insert into dropzones as d (merchant_id, id, environment, public_key, private_key, made_at, made_by)
        values ($1, $2, $3, $4, $5, $6, $7)
        on conflict (merchant_id, environment) do update
        set public_key = excluded.public_key,
            private_key = excluded.private_key,
            made_at = excluded.made_at,
            made_by = excluded.made_by
        where d.private_key is null
        "#,
        merchant.0,
        id.0,
        environment.code(),
        keys.public,
        vault.seal(place("dropzones.private_key", tx, id), &keys.private),
        actor.at,
        actor.person.map(|person| person.0)
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Keeps what PayPal told about the account. Another user or server has to be tested anew.
pub(super) async fn save(tx: &mut Tx, id: DropzoneId, details: &Details) -> sqlx::Result<()> {
    let merchant = tx.merchant();
    sqlx::query!(
        r#"
        update dropzones
        set user_name = $3,
            incoming = $4,
            outgoing = $5,
            in_force = in_force and (user_name, incoming, outgoing) is not distinct from ($3, $4, $5),
            check_outcome = null,
            check_told = null,
            checked_at = null
        where merchant_id = $1 and id = $2
        "#,
        merchant.0,
        id.0,
        details.user_name,
        details.incoming,
        details.outgoing
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Keeps what a test found. One that found everything puts the account in force, and lets what waits go on.
pub(super) async fn record_check(
    tx: &mut Tx,
    id: DropzoneId,
    outcome: Outcome,
    told: Option<&str>,
    offered: Option<&str>,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    let merchant = tx.merchant();
    sqlx::query!(
        r#"
        update dropzones
        set checked_at = $3,
            check_outcome = $4::text,
            check_told = $5,
            host_key_offered = case when $4::text = 'ready' then null else coalesce($6, host_key_offered) end,
            in_force = in_force or $4::text = 'ready',
            look_at = case when $4::text = 'ready' then $3 else look_at end
        where merchant_id = $1 and id = $2
        "#,
        merchant.0,
        id.0,
        now,
        outcome.code(),
        told,
        offered
    )
    .execute(&mut **tx)
    .await?;
    match outcome {
        Outcome::Ready => resume(tx, id).await,
        Outcome::HostKeyNew
        | Outcome::HostKeyChanged
        | Outcome::SignInRefused
        | Outcome::FoldersMissing
        | Outcome::Unreachable => Ok(()),
    }
}

/// Pins the key that the server showed, if it is still the one that the person saw.
pub(super) async fn approve(tx: &mut Tx, id: DropzoneId, line: &str) -> sqlx::Result<bool> {
    let merchant = tx.merchant();
    let approved = sqlx::query!(
        r#"
        update dropzones
        set host_key = host_key_offered, host_key_offered = null
        where merchant_id = $1 and id = $2 and host_key_offered = $3
        "#,
        merchant.0,
        id.0,
        line
    )
    .execute(&mut **tx)
    .await?;
    Ok(approved.rows_affected() == 1)
}

/// A next key, beside the one in use.
pub(super) async fn add_key(tx: &mut Tx, vault: &Vault, id: DropzoneId, keys: &KeyPair) -> sqlx::Result<bool> {
    let merchant = tx.merchant();
    let sealed = vault.seal(place("dropzones.next_private_key", tx, id), &keys.private);
    let added = sqlx::query!(
        r#"
        update dropzones
        set next_public_key = $3, next_private_key = $4, next_accepted_at = null
        where merchant_id = $1 and id = $2 and private_key is not null and next_public_key is null
        "#,
        merchant.0,
        id.0,
        keys.public,
        sealed
    )
    .execute(&mut **tx)
    .await?;
    Ok(added.rows_affected() == 1)
}

/// PayPal let the next key in.
pub async fn next_key_works(tx: &mut Tx, id: DropzoneId, now: OffsetDateTime) -> sqlx::Result<()> {
    let merchant = tx.merchant();
    sqlx::query!(
        r#"
        update dropzones
        set next_accepted_at = $3
        where merchant_id = $1 and id = $2 and next_public_key is not null and next_accepted_at is null
        "#,
        merchant.0,
        id.0,
        now
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The next key takes the place of the earlier one, which is destroyed. Only once PayPal has let it in.
pub(super) async fn drop_earlier_key(tx: &mut Tx, vault: &Vault, id: DropzoneId) -> anyhow::Result<bool> {
    let merchant = tx.merchant();
    let next = sqlx::query_scalar!(
        r#"
        select next_private_key as "key!"
        from dropzones
        where merchant_id = $1 and id = $2 and next_accepted_at is not null and next_private_key is not null
        for update
        "#,
        merchant.0,
        id.0
    )
    .fetch_optional(&mut **tx)
    .await?;
    let Some(next) = next else { return Ok(false) };
    let key = vault.open(place("dropzones.next_private_key", tx, id), &next)?;
    sqlx::query!(
        r#"
        update dropzones
        set public_key = next_public_key,
            private_key = $3,
            next_public_key = null,
            next_private_key = null,
            next_accepted_at = null
        where merchant_id = $1 and id = $2
        "#,
        merchant.0,
        id.0,
        vault.seal(place("dropzones.private_key", tx, id), &key)
    )
    .execute(&mut **tx)
    .await?;
    Ok(true)
}

/// Takes the account out of force and destroys its keys; what people approved of the server stays.
pub(super) async fn retire(tx: &mut Tx, id: DropzoneId) -> sqlx::Result<()> {
    let merchant = tx.merchant();
    sqlx::query!(
        r#"
        update dropzones
        set in_force = false,
            private_key = null,
            next_public_key = null,
            next_private_key = null,
            next_accepted_at = null,
            check_outcome = null,
            check_told = null,
            trouble = null,
            trouble_since = null
        where merchant_id = $1 and id = $2
        "#,
        merchant.0,
        id.0
    )
    .execute(&mut **tx)
    .await?;
    resume(tx, id).await
}

/// Files wait, all of them. The first wait is `first`, each later one about as long as they have waited already.
pub async fn pause(
    tx: &mut Tx,
    id: DropzoneId,
    why: &str,
    now: OffsetDateTime,
    first: Duration,
) -> sqlx::Result<OffsetDateTime> {
    let merchant = tx.merchant();
    let since = sqlx::query_scalar!(
        r#"
        update dropzones
        set paused_at = coalesce(paused_at, $4), paused_why = $3
        where merchant_id = $1 and id = $2
        returning paused_at as "since!"
        "#,
        merchant.0,
        id.0,
        why,
        now
    )
    .fetch_one(&mut **tx)
    .await?;
    let until = now + (now - since).clamp(first, LONGEST.max(first));
    sqlx::query!("update dropzones set resume_at = $3 where merchant_id = $1 and id = $2", merchant.0, id.0, until)
        .execute(&mut **tx)
        .await?;
    Ok(until)
}

/// Files go on.
pub async fn resume(tx: &mut Tx, id: DropzoneId) -> sqlx::Result<()> {
    let merchant = tx.merchant();
    sqlx::query!(
        r#"
        update dropzones
        set paused_at = null, paused_why = null, resume_at = null
        where merchant_id = $1 and id = $2 and paused_at is not null
        "#,
        merchant.0,
        id.0
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Files that are prepared, wait, are on their way, in doubt, or not finished by PayPal.
pub async fn blocking_batches(tx: &mut Tx) -> sqlx::Result<Vec<Blocking>> {
    unfinished_batches(tx, "file").await
}
