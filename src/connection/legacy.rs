//! Connections of PayPal's old Mass Pay service. They are known, never used: nothing is sent through them, and what is
//! kept of them waits to be wiped by an upgrade (see [`super::save`]) or a disconnect.
//!
//! User name, password and signature are sealed together, and nothing of them is ever shown: in which column of a file a
//! secret stands is known only if the file is right.

use super::store::{fixed_environment, lock_merchant};
use crate::audit::{self, Actor};
use crate::database::Tx;
use crate::id::{ConnectionId, MerchantId};
use crate::paypal::Environment;
use crate::vault::{Place, Vault};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use subtle::ConstantTimeEq;
use time::OffsetDateTime;

/// Longest user name, password or signature; PayPal's signatures have about 60 characters.
const MAX_DETAIL: usize = 256;

/// A legacy connection in force, without its secrets.
#[derive(Debug, Clone)]
pub struct Legacy {
    /// Whether its money was real.
    pub environment: Environment,
    /// Since when the merchant has had it.
    pub connected_at: OffsetDateTime,
}

/// What PayPal's old service knew a merchant by.
#[derive(Debug)]
pub struct LegacyDetails {
    environment: Environment,
    /// User name, password and signature in one, as it is sealed.
    secret: SecretString,
}

/// A field and what to do about it. Never what stands in it.
pub type BadField = (&'static str, &'static str);

impl LegacyDetails {
    /// Reads what was typed or stands in a file: environment, user name, password and signature.
    pub fn read(
        environment: &str,
        user_name: &SecretString,
        password: &SecretString,
        signature: &SecretString,
    ) -> Result<Self, Vec<BadField>> {
        let mut bad = Vec::new();
        let environment = Environment::from_code(&environment.trim().to_ascii_lowercase());
        if environment.is_none() {
            bad.push(("environment", "write live, sandbox or simulator"));
        }
        let mut kept = Vec::new();
        for (field, value) in [("api_username", user_name), ("api_password", password), ("api_signature", signature)] {
            let value = value.expose_secret().trim();
            match value {
                "" => bad.push((field, "it is empty; copy it from PayPal, or from what paid before")),
                value if value.len() > MAX_DETAIL => bad.push((field, "it is too long for what PayPal gave out")),
                value if !value.bytes().all(|byte| byte.is_ascii_graphic()) => {
                    bad.push((field, "it has spaces or characters that PayPal never gave out; copy it again"));
                }
                value => kept.push(value),
            }
        }
        match environment {
            Some(environment) if bad.is_empty() => {
                let secret = SecretString::from(serde_json::to_string(&kept).expect("text is JSON"));
                Ok(Self { environment, secret })
            }
            Some(_) | None => Err(bad),
        }
    }
}

/// What came of entering a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// The merchant has it now.
    Added,
    /// The merchant had this one already.
    Unchanged,
    /// Its details, or one that was disconnected, were replaced.
    Replaced,
}

/// Why nothing was entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotPut {
    /// It pays through the Payouts API.
    #[error("this merchant is connected through PayPal’s Payouts API already and needs no legacy connection")]
    Connected,
    /// It did once, and was upgraded.
    #[error("this merchant’s legacy connection was upgraded already")]
    Upgraded,
    /// It did once, and was disconnected.
    #[error("this merchant’s legacy connection was disconnected here, and is not brought back by itself")]
    Disconnected,
    /// It has one with other details.
    #[error("this merchant has a legacy connection with other details, and they are not replaced by themselves")]
    Differs,
    /// It has paid from here, in another environment.
    #[error("this merchant has paid from here in another environment")]
    EnvironmentFixed,
}

/// The legacy connection in force, if that is what the merchant has.
pub async fn in_force(tx: &mut Tx) -> sqlx::Result<Option<Legacy>> {
    let merchant = tx.merchant();
    sqlx::query_as!(
        Legacy,
        r#"
        select environment as "environment: Environment", connected_at
        from connections
        where merchant_id = $1 and in_force and kind = 'legacy_masspay'
        "#,
        merchant.0
    )
    .fetch_optional(&mut **tx)
    .await
}

/// The environment of the legacy connection that the merchant has, or had; of the connection in force where it never did.
pub async fn environment(tx: &mut Tx) -> sqlx::Result<Option<Environment>> {
    let merchant = tx.merchant();
    sqlx::query_scalar!(
        r#"
        select environment as "environment: Environment"
        from connections
        where merchant_id = $1 and (kind = 'legacy_masspay' or in_force)
        order by kind = 'legacy_masspay' desc
        limit 1
        "#,
        merchant.0
    )
    .fetch_optional(&mut **tx)
    .await
}

/// Gives the merchant this legacy connection. What is there with other details is replaced only if that is asked for.
pub async fn put(
    tx: &mut Tx,
    vault: &Vault,
    actor: &Actor,
    details: &LegacyDetails,
    since: Option<OffsetDateTime>,
    replace: bool,
) -> anyhow::Result<Result<Put, NotPut>> {
    let merchant = tx.merchant();
    lock_merchant(tx).await?;
    let (id, put) = match compare(tx, vault, details, replace).await? {
        Ok((_, Put::Unchanged)) => return Ok(Ok(Put::Unchanged)),
        Ok(found) => found,
        Err(why) => return Ok(Err(why)),
    };
    if fixed_environment(tx).await?.is_some_and(|fixed| fixed != details.environment)
        && !correct_environment(tx, details.environment).await?
    {
        return Ok(Err(NotPut::EnvironmentFixed));
    }
    sqlx::query!(
        r#"
        insert into connections (
            merchant_id, id, kind, environment, secret, in_force, connected_at, connected_by, checked_at
        )
        values ($1, $2, 'legacy_masspay', $3, $4, true, coalesce($5, $6::timestamptz), $7, $6)
        on conflict (merchant_id, id) do update
        set environment = excluded.environment,
            secret = excluded.secret,
            in_force = true,
            upgraded_at = null,
            checked_at = excluded.checked_at
        "#,
        merchant.0,
        id.0,
        details.environment.code(),
        vault.seal(place(merchant, id), &details.secret),
        since,
        actor.at,
        actor.person.map(|person| person.0)
    )
    .execute(&mut **tx)
    .await?;
    let action = match put {
        Put::Replaced => "legacy connection replaced",
        Put::Added | Put::Unchanged => "legacy connection entered",
    };
    let told = json!({ "environment": details.environment.code() });
    audit::record(tx, actor, action, "PayPal connection", told).await?;
    Ok(Ok(put))
}

/// A history that was brought in has fixed a wrong environment: nothing was paid from here yet, so that it can be another.
async fn correct_environment(tx: &mut Tx, environment: Environment) -> sqlx::Result<bool> {
    let merchant = tx.merchant();
    let corrected = sqlx::query!(
        r#"
        update merchants m
        set environment = $2
        where m.id = $1
            and not exists (select from payout_batches b where b.merchant_id = m.id and not b.legacy)
        "#,
        merchant.0,
        environment.code()
    )
    .execute(&mut **tx)
    .await?;
    Ok(corrected.rows_affected() == 1)
}

fn place(merchant: MerchantId, id: ConnectionId) -> Place<'static> {
    Place { column: "connections.secret", merchant: merchant.0, row: id.0 }
}

/// What these details are beside what is there: the row that they go to.
async fn compare(
    tx: &mut Tx,
    vault: &Vault,
    details: &LegacyDetails,
    replace: bool,
) -> anyhow::Result<Result<(ConnectionId, Put), NotPut>> {
    let merchant = tx.merchant();
    let known = sqlx::query!(
        r#"
        select id as "id: ConnectionId", kind, in_force, upgraded_at, environment as "environment: Environment", secret
        from connections
        where merchant_id = $1 and (in_force or kind = 'legacy_masspay')
        "#,
        merchant.0
    )
    .fetch_all(&mut **tx)
    .await?;
    let legacy = known.iter().find(|one| one.kind == "legacy_masspay");
    if known.iter().any(|one| one.kind == "rest") {
        let upgraded = legacy.is_some_and(|one| one.upgraded_at.is_some());
        return Ok(Err(if upgraded { NotPut::Upgraded } else { NotPut::Connected }));
    }
    let Some(one) = legacy else { return Ok(Ok((ConnectionId::new(), Put::Added))) };
    let kept = one.secret.as_ref().map(|sealed| vault.open(place(merchant, one.id), sealed)).transpose()?;
    let same: bool = kept
        .is_some_and(|kept| kept.expose_secret().as_bytes().ct_eq(details.secret.expose_secret().as_bytes()).into());
    Ok(match (one.in_force, same && one.environment == details.environment, replace) {
        (true, true, _) => Ok((one.id, Put::Unchanged)),
        (true, false, false) => Err(NotPut::Differs),
        (false, _, false) => Err(NotPut::Disconnected),
        (_, _, true) => Ok((one.id, Put::Replaced)),
    })
}

/// Writes a mail about the upgrade to each admin of the merchant, but what was done not to the one who did it. How many;
/// none where no such mail is wanted.
pub async fn tell_admins(tx: &mut Tx, about: &str, news: &str, reminds: bool, actor: &Actor) -> sqlx::Result<u64> {
    let merchant = tx.merchant();
    let written = sqlx::query!(
        r#"
        insert into mails (merchant_id, id, kind, about, recipient, details, created_at, due_at)
        select $1, gen_random_uuid(), 'upgrade', format('%s, to %s', $2::text, lower(p.email)), p.email, $3, $4, $4
        from mails_wanted w
        join memberships m on m.merchant_id = w.merchant_id and m.role = 'admin' and m.deactivated_at is null
        join people p on p.id = m.person_id
        where w.merchant_id = $1 and w.kind = 'upgrade' and (p.id is distinct from $5 or $6)
        "#,
        merchant.0,
        about,
        json!({ "news": news, "reminds": reminds }),
        actor.at,
        actor.person.map(|person| person.0),
        reminds
    )
    .execute(&mut **tx)
    .await?;
    Ok(written.rows_affected())
}

/// An administrator of the installation has carried out the upgrade: the merchant's admins hear of it.
pub(super) async fn tell_of_upgrade(tx: &mut Tx, actor: &Actor) -> sqlx::Result<()> {
    let merchant = tx.merchant();
    let is_theirs_alone = sqlx::query_scalar!(
        r#"
        select exists (
            select
            from memberships m
            join people p on p.id = m.person_id
            where m.merchant_id = $1 and m.person_id = $2 and m.deactivated_at is null and not p.is_installation_admin
        ) as "theirs!"
        "#,
        merchant.0,
        actor.person.map(|person| person.0)
    )
    .fetch_one(&mut **tx)
    .await?;
    if is_theirs_alone {
        return Ok(());
    }
    let news = "An administrator of this installation has upgraded your PayPal connection with the Client ID and Secret \
                that you handed over. Your next payment will use the new connection, and the old details are destroyed. \
                The audit log says who did it and when.";
    tell_admins(tx, &format!("upgrade at {}", actor.at.unix_timestamp_nanos()), news, false, actor).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_said_by_field_and_never_repeated() {
        let secret = |text: &str| SecretString::from(text);
        let read = |environment, user: &str, password: &str, signature: &str| {
            LegacyDetails::read(environment, &secret(user), &secret(password), &secret(signature))
        };
        read(" Live ", "acme_api1.example.com", " PASSWORD ", "AbC.d-e_f").unwrap();
        let bad = read("hunter2", "", "two words", &"x".repeat(300)).unwrap_err();
        assert_eq!(
            bad.iter().map(|(field, _)| *field).collect::<Vec<_>>(),
            ["environment", "api_username", "api_password", "api_signature"]
        );
        assert!(!format!("{bad:?}").contains("hunter2"));
        let kept = read("live", "user", "pass", "sign").unwrap();
        assert!(!format!("{kept:?}").contains("pass"));
    }
}
