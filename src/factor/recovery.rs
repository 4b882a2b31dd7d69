//! Recovery codes: for whoever has lost the phone. They are shown once, when they are made; the database has digests.

use super::begin;
use crate::app::App;
use crate::audit::{Actor, record_of_person};
use crate::id::PersonId;
use secrecy::SecretString;
use serde_json::json;
use sha2::{Digest, Sha256};
use sqlx::PgConnection;

/// Codes of one set.
pub const CODES: usize = 10;

/// Sixteen of 32 letters: 80 bits, so that a digest without salt tells nobody what it was made of.
const LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const LENGTH: usize = 16;

/// A new set; the one before it is void.
pub async fn renew(app: &App, actor: &Actor, person: PersonId) -> sqlx::Result<Vec<SecretString>> {
    let mut tx = begin(app, person).await?;
    let codes = make(&mut tx, person).await?;
    record_of_person(&mut tx, person, actor, "recovery codes made", json!({ "codes": codes.len() })).await?;
    tx.commit().await?;
    Ok(codes)
}

/// A set for a person who has none; nothing where there is one, used up or not.
pub(super) async fn make_first(tx: &mut PgConnection, person: PersonId) -> sqlx::Result<Vec<SecretString>> {
    let has_some =
        sqlx::query_scalar!(r#"select exists (select from recovery_codes where person_id = $1) as "some!""#, person.0);
    if has_some.fetch_one(&mut *tx).await? { Ok(Vec::new()) } else { make(tx, person).await }
}

async fn make(tx: &mut PgConnection, person: PersonId) -> sqlx::Result<Vec<SecretString>> {
    let codes: Vec<String> = (0..CODES)
        .map(|_| rand::random::<[u8; LENGTH]>().map(|byte| LETTERS[usize::from(byte % 32)] as char).iter().collect())
        .collect();
    let digests: Vec<Vec<u8>> = codes.iter().map(|code| digest(code)).collect();
    sqlx::query!("delete from recovery_codes where person_id = $1", person.0).execute(&mut *tx).await?;
    sqlx::query!("insert into recovery_codes (person_id, sha256) select $1, unnest($2::bytea[])", person.0, &digests)
        .execute(tx)
        .await?;
    Ok(codes.iter().map(|code| SecretString::from(in_groups(code))).collect())
}

/// Uses a code up, and says how many are left. Nothing if it is none, or was used.
pub(super) async fn spend(app: &App, actor: &Actor, person: PersonId, typed: &str) -> sqlx::Result<Option<i64>> {
    let mut tx = begin(app, person).await?;
    let spent = sqlx::query!(
        "update recovery_codes set used_at = $3 where person_id = $1 and sha256 = $2 and used_at is null",
        person.0,
        digest(typed),
        actor.at
    );
    if spent.execute(&mut *tx).await?.rows_affected() == 0 {
        return Ok(None);
    }
    let left = sqlx::query_scalar!(
        r#"select count(*) as "left!" from recovery_codes where person_id = $1 and used_at is null"#,
        person.0
    );
    let left = left.fetch_one(&mut *tx).await?;
    record_of_person(&mut tx, person, actor, "recovery code used", json!({ "left": left })).await?;
    tx.commit().await?;
    Ok(Some(left))
}

/// As it is written down: "7K3M-…".
fn in_groups(code: &str) -> String {
    code.as_bytes().chunks(4).map(String::from_utf8_lossy).collect::<Vec<_>>().join("-")
}

/// Small letters, spaces, dashes and look-alikes are forgiven.
fn digest(typed: &str) -> Vec<u8> {
    let letters = typed.chars().filter(char::is_ascii_alphanumeric).map(|letter| match letter.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        letter => letter,
    });
    Sha256::digest(letters.collect::<String>()).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_known_however_it_is_copied() {
        assert_eq!(in_groups("0123456789ABCDEF"), "0123-4567-89AB-CDEF");
        assert_eq!(digest("oi23-4567 89ab-cdef"), digest("0123456789ABCDEF"));
        assert_ne!(digest("0123456789ABCDE"), digest("0123456789ABCDEF"));
    }
}
