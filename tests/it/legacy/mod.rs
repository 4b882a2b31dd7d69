//! Merchants that come over from PayPal's old Mass Pay service: their connections, what was paid through them, and the
//! upgrade. What must never be seen again is looked for in every output, page and row.

mod files;
mod history;
mod in_a_browser;
mod installation;
mod upgrade;

use crate::support::program::{DataFolder, RunAs, program};
use crate::support::site::MASTER_KEY;
use crate::support::world::World;
use secrecy::SecretString;
use sqlx::AssertSqlSafe;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::Output;
use stipend::connection::legacy::{LegacyDetails, put};
use stipend::id::MerchantId;

/// User name, password and signature of every legacy connection of these tests.
const CANARIES: [&str; 3] = ["canary-user_api1.example.com", "CANARYPASSWORD16", "Canary.Signature-4711"];

/// A merchant with a legacy connection, as the file or the page would have left it.
pub(super) async fn legacy_world() -> World {
    let world = World::new().await;
    enter(&world, world.merchant, "simulator").await;
    world
}

/// Enters a legacy connection.
pub(super) async fn enter(world: &World, merchant: MerchantId, environment: &str) {
    let [user, password, signature] = CANARIES.map(SecretString::from);
    let details = LegacyDetails::read(environment, &user, &password, &signature).unwrap();
    let mut tx = world.app.database.merchant(merchant).await.unwrap();
    put(&mut tx, &world.app.vault, &world.actor(), &details, None, true).await.unwrap().unwrap();
    tx.commit().await.unwrap();
}

/// The kinds of the merchant's connections in force, and whether a legacy one still has its secret.
pub(super) async fn in_force(world: &World, merchant: MerchantId) -> (Vec<String>, bool) {
    let mut tx = world.app.database.merchant(merchant).await.unwrap();
    let kinds = sqlx::query_scalar("select kind from connections where merchant_id = $1 and in_force").bind(merchant);
    let kinds = kinds.fetch_all(&mut *tx).await.unwrap();
    let secret = sqlx::query_scalar(
        "select exists (select from connections where merchant_id = $1 and kind = 'legacy_masspay' and secret is not null)",
    );
    (kinds, secret.bind(merchant).fetch_one(&mut *tx).await.unwrap())
}

/// Runs a verb on the world's database with this file.
fn read_file(world: &World, verb: &[&str], file: &[u8], flags: &[&str]) -> Output {
    let folder = DataFolder::new(RunAs::Us);
    let (path, key) = (folder.outer().join("file.csv"), folder.outer().join("master.key"));
    fs::write(&path, file).unwrap();
    fs::write(&key, hex::encode(MASTER_KEY)).unwrap();
    fs::set_permissions(&key, Permissions::from_mode(0o600)).unwrap();
    let mut command = program(RunAs::Us);
    command.args(verb).arg(&path).args(flags).arg("--data-dir").arg(folder.path());
    command.env("DATABASE_URL", &world.site.database_url).env("STIPEND_MASTER_KEY_FILE", &key);
    command.env("STIPEND_LOG", "trace").env("RUST_BACKTRACE", "1");
    command.output().unwrap()
}

/// Everything that a run has said.
fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Every row of every table, as a dump would show them.
pub(super) async fn everything_kept(world: &World) -> String {
    let pool = world.app.database.pool();
    let tables = "select relname::text from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace";
    let mut kept = String::new();
    for table in sqlx::query_scalar::<_, String>(tables).fetch_all(pool).await.unwrap() {
        let rows = AssertSqlSafe(format!("select coalesce(string_agg(t::text, E'\n'), '') from {table} t"));
        kept.push_str(&sqlx::query_scalar::<_, String>(rows).fetch_one(pool).await.unwrap());
    }
    assert!(kept.contains("legacy_masspay"), "the rows are really read");
    kept
}

/// Nothing that must not be seen is in this text, as it is or as bytes.
pub(super) fn no_canary(text: &str) {
    for canary in CANARIES {
        for shape in [canary.to_owned(), hex::encode(canary)] {
            assert!(!text.to_lowercase().contains(&shape.to_lowercase()), "{canary} is in {text:.2000}");
        }
    }
}
