//! `stipend key rotate`: every secret sealed anew under a new master key, in one transaction.
//!
//! The new key lies in a file of its own before anything is sealed under it, and takes the place of the one before
//! after the commit. Cut off in between, the next start completes it (`admin::open_vault`): the database names the key
//! that it wants.

use crate::admin;
use crate::audit::{Actor, record_for};
use crate::clock::Clock;
use crate::database::Database;
use crate::id::MerchantId;
use crate::master_key;
use crate::payout::crash::crash_point;
use crate::people::{invite, password};
use crate::presence;
use crate::vault::{Place, Vault};
use anyhow::{Context, ensure};
use serde_json::json;
use sqlx::{AssertSqlSafe, PgConnection, Row};
use std::path::Path;
use uuid::Uuid;

/// A column of sealed secrets.
struct Sealed {
    table: &'static str,
    column: &'static str,
    /// As in "connections.secret": part of what every one of them is bound to.
    place: &'static str,
    /// In SQL, the merchant that they are bound to.
    merchant: &'static str,
}

const fn sealed(table: &'static str, column: &'static str, place: &'static str) -> Sealed {
    Sealed { table, column, place, merchant: "merchant_id" }
}

/// What a person's secrets are bound to instead of a merchant.
const NO_MERCHANT: &str = "'00000000-0000-0000-0000-000000000000'::uuid";

/// Every column with sealed secrets, in tables with an `id`.
const SEALED: &[Sealed] = &[
    sealed("connections", "secret", "connections.secret"),
    sealed("connection_candidates", "secret", "connection_candidates.secret"),
    sealed("dropzones", "private_key", "dropzones.private_key"),
    sealed("dropzones", "next_private_key", "dropzones.next_private_key"),
    Sealed { merchant: NO_MERCHANT, ..sealed("authenticators", "secret", "authenticators.secret") },
];

/// Makes a new key and seals everything under it. Says what was done.
pub async fn rotate(database: &Database, clock: &Clock, key_file: &Path) -> anyhow::Result<String> {
    let before = admin::open_vault(database, clock, key_file).await?;
    let now = clock.now();
    let mut tx = admin::begin(database).await?;
    let running = presence::running(database, now).await?;
    ensure!(
        running == 0,
        "{running} of this installation's instances run, or were killed within the last half minute. Stop them, then \
         rotate the key: what they seal meanwhile would be lost"
    );
    let after = Vault::new(&master_key::create_next(key_file)?);
    crash_point("key_file_written");
    let mut secrets = 0;
    for column in SEALED {
        secrets += seal_anew(&mut tx, column, &before, &after).await?;
    }
    invite::mint_anew(&mut tx, &after).await?;
    password::mint_anew(&mut tx, &after).await?;
    admin::put_key_check(&mut tx, &after).await?;
    let merchants = sqlx::query_scalar!(r#"select id as "id: MerchantId" from merchants"#).fetch_all(&mut *tx).await?;
    let (nobody, details) =
        (Actor { person: None, address: None, at: now }, json!({"key": after.key_id(), "was": before.key_id()}));
    for merchant in merchants {
        record_for(&mut tx, merchant, &nobody, "master key rotated", &format!("merchant {merchant}"), details.clone())
            .await?;
    }
    tx.commit().await?;
    crash_point("key_committed");
    let kept = master_key::put_in_place(key_file, before.key_id())?;
    Ok(format!(
        "{} sealed with the new master key {} in {}. The one before is kept in {}: backups made until \
         now open with it alone",
        if secrets == 1 { "1 secret is".to_owned() } else { format!("{secrets} secrets are") },
        after.key_id(),
        key_file.display(),
        kept.display()
    ))
}

async fn seal_anew(tx: &mut PgConnection, sealed: &Sealed, before: &Vault, after: &Vault) -> anyhow::Result<u64> {
    let Sealed { table, column, place, merchant } = sealed;
    let all = format!("select {merchant}, id, {column} from {table} where {column} is not null for update");
    let rows = sqlx::query(AssertSqlSafe(all)).fetch_all(&mut *tx).await?;
    let change = format!("update {table} set {column} = $3 where {merchant} = $1 and id = $2");
    for row in &rows {
        let (merchant, id): (Uuid, Uuid) = (row.get(0), row.get(1));
        let place = Place { column: place, merchant, row: id };
        let secret = before.open(place, row.get(2)).with_context(|| format!("nothing was changed: {table} {id}"))?;
        sqlx::query(AssertSqlSafe(change.clone()))
            .bind(merchant)
            .bind(id)
            .bind(after.seal(place, &secret))
            .execute(&mut *tx)
            .await?;
    }
    Ok(rows.len() as u64)
}
