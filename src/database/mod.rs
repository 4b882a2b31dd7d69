//! The database: the pool, and the two roles under which anything is read or written.
//!
//! [`Database::merchant`] opens a transaction that sees one merchant; every request and every step of the worker uses
//! it. [`Database::installation`] opens one that sees all; sign-in (`web/session.rs`), the worker's claims
//! (`payout/claim.rs`, `payout/hint.rs`, `import/step.rs`, `mail/outbox.rs`, `mail/notices.rs`), its tidying (`prune.rs`), whose
//! connection an event came to (`connection/notifications.rs`), who was invited (`people/accept.rs`), which instances run (`presence.rs`) and the administration of the
//! installation (`admin.rs`, `verify/mod.rs`) are its only callers.

pub mod local;

use crate::id::MerchantId;
use anyhow::{Context, ensure};
use sqlx::postgres::{PgConnection, PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection, Postgres, Transaction};
use std::ops::{Deref, DerefMut};
use std::time::Duration;

/// The migrations, compiled into the program.
pub static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!();

/// Connections that one instance keeps at most.
const POOL_SIZE: u32 = 16;
/// A request that has waited this long for a connection is told that the database is down.
const PATIENCE: Duration = Duration::from_secs(5);
/// A connection used so shortly ago is not asked whether it still lives: that is a round trip a transaction.
const FRESH: Duration = Duration::from_secs(1);
/// A transaction that nobody continues for so long is rolled back.
const LONGEST_PAUSE: Duration = Duration::from_secs(20);
/// The oldest Postgres that has all that is used here.
const OLDEST: i32 = 15;

/// The application's Postgres.
#[derive(Debug, Clone)]
pub struct Database {
    pool: PgPool,
}

impl Database {
    /// Connects, with a pool of its own.
    pub async fn connect(url: &str) -> anyhow::Result<Self> {
        let pool = PgPoolOptions::new()
            .max_connections(POOL_SIZE)
            .acquire_timeout(PATIENCE)
            .test_before_acquire(false)
            .before_acquire(|connection, seen| Box::pin(async move { Ok(is_alive(connection, seen.idle_for).await) }))
            .connect(url)
            .await
            .context("the database cannot be reached")?;
        let version = sqlx::query_scalar::<_, i32>("select current_setting('server_version_num')::int / 10000");
        let version = version.fetch_one(&pool).await.context("the database does not tell its version")?;
        ensure!(version >= OLDEST, "the database is Postgres {version}, but Stipend needs Postgres {OLDEST} or newer");
        Ok(Self { pool })
    }

    /// Uses a pool that is there already.
    pub fn from_pool(pool: PgPool) -> Self {
        Self { pool }
    }

    /// Brings the schema up to this program's version.
    pub async fn migrate(&self) -> anyhow::Result<()> {
        MIGRATIONS.run(&self.pool).await.context("the database could not be migrated")
    }

    /// The pool itself, without a role: it sees no merchant's rows. For migrations and readiness.
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Refreshes the planner's statistics after a bulk change, at once instead of some minute: with every key led by
    /// the merchant, a plan made without them can read a table once a row.
    pub async fn analyze(&self) -> sqlx::Result<()> {
        let tables = "analyze affiliates, commissions, owed, selected_commissions, payout_items, allocations, \
            import_affiliates, import_commissions, import_problems";
        sqlx::query(tables).execute(&self.pool).await?;
        Ok(())
    }

    /// A transaction that sees this merchant's rows and nothing else, whatever its queries say.
    pub async fn merchant(&self, merchant: MerchantId) -> sqlx::Result<Tx> {
        let as_merchant = format!("set local role stipend_merchant; set local stipend.merchant = '{merchant}'");
        Ok(Tx { inner: self.begin(&as_merchant).await?, merchant })
    }

    /// A transaction that sees all merchants. See the module's list of who may call this.
    pub async fn installation(&self) -> sqlx::Result<Transaction<'static, Postgres>> {
        self.begin("set local role stipend_installation").await
    }

    /// Begins, and takes on a role in the same round trip. An instance that stops in the middle of a transaction (asleep,
    /// or cut off) must not keep its locks from the others, so the server ends what idles.
    async fn begin(&self, role: &str) -> sqlx::Result<Transaction<'static, Postgres>> {
        let idle = format!("set local idle_in_transaction_session_timeout = {}", LONGEST_PAUSE.as_millis());
        // Compiling a plan costs more than it saves; joins of a large payment are to fit into memory.
        let plans = "set local jit = off; set local work_mem = '32MB'";
        self.pool.begin_with(AssertSqlSafe(format!("begin; {role}; {idle}; {plans}"))).await
    }
}

async fn is_alive(connection: &mut PgConnection, idle_for: Duration) -> bool {
    idle_for < FRESH || connection.ping().await.is_ok()
}

/// A transaction that has taken on one merchant. Dropped without [`Tx::commit`], it rolls back.
#[derive(Debug)]
pub struct Tx {
    inner: Transaction<'static, Postgres>,
    merchant: MerchantId,
}

impl Tx {
    /// Whose rows this transaction sees; the first argument of every query.
    pub fn merchant(&self) -> MerchantId {
        self.merchant
    }

    /// From here on this transaction joins many rows that are too fresh for the planner's statistics: it expects a
    /// handful and would look them up one by one, or merge them by the merchant alone and compare each with each.
    pub async fn expect_many_rows(&mut self) -> sqlx::Result<()> {
        sqlx::raw_sql("set local enable_nestloop = off; set local enable_mergejoin = off")
            .execute(&mut *self.inner)
            .await?;
        Ok(())
    }

    /// Makes everything done here true at once.
    pub async fn commit(self) -> sqlx::Result<()> {
        self.inner.commit().await
    }
}

impl Deref for Tx {
    type Target = PgConnection;
    fn deref(&self) -> &PgConnection {
        &self.inner
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.inner
    }
}
