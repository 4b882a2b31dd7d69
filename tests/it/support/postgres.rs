//! Throw-away databases: one server a test process, one migrated template, one clone of it a test.

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use std::fs::{self, File};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use stipend::database::Database;
use stipend::database::local::{LocalPostgres, Purpose};
use tokio::sync::OnceCell;

/// Many tests run at once and share the server's connections.
const POOL_SIZE: u32 = 8;

/// A migrated database of this test alone. Dropped, it is gone.
#[derive(Debug)]
pub struct TestDatabase {
    /// How the program itself connects.
    pub url: String,
    /// How the test does.
    pub database: Database,
    name: String,
}

/// A new database with every migration and no rows.
pub async fn database() -> TestDatabase {
    database_from(Some(TEMPLATE)).await
}

/// A new database with nothing in it.
pub async fn empty_database() -> TestDatabase {
    database_from(None).await
}

const TEMPLATE: &str = "migrated";

async fn database_from(template: Option<&str>) -> TestDatabase {
    static NUMBER: AtomicU32 = AtomicU32::new(1);
    let url = server().await.url();
    let name = format!("test_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    let from = template.map_or(String::new(), |template| format!("template {template}"));
    statement(&url, format!("create database {name} {from}")).await;
    let url = url_of(&url, &name);
    let pool = PgPoolOptions::new().max_connections(POOL_SIZE).connect(&url).await.unwrap();
    TestDatabase { url, database: Database::from_pool(pool), name }
}

/// How to administer the server of this process.
pub async fn server_url() -> String {
    server().await.url()
}

/// The server of this process. It ends with the process, however that ends.
async fn server() -> &'static LocalPostgres {
    static SERVER: OnceCell<LocalPostgres> = OnceCell::const_new();
    let start = async || {
        let server = LocalPostgres::start(&folder(), Purpose::ThrowAway).await.unwrap();
        statement(&server.url(), format!("create database {TEMPLATE}")).await;
        let template = Database::connect(&url_of(&server.url(), TEMPLATE)).await.unwrap();
        template.migrate().await.unwrap();
        template.pool().close().await;
        server
    };
    SERVER.get_or_init(start).await
}

async fn statement(url: &str, sql: String) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    connection.execute(AssertSqlSafe(sql)).await.unwrap();
    connection.close().await.unwrap();
}

fn url_of(server: &str, database: &str) -> String {
    let mut url = reqwest::Url::parse(server).unwrap();
    url.set_path(database);
    url.into()
}

/// A folder for this process's server. A process cannot tidy up after its own end, so the next one does.
fn folder() -> PathBuf {
    let all = super::program::test_folder().join("servers");
    for entry in fs::read_dir(&all).into_iter().flatten().flatten() {
        let pid = entry.file_name().to_str().and_then(|name| name.parse().ok()).map(Pid::from_raw);
        let ended = pid.is_some_and(|pid| kill(pid, None) == Err(Errno::ESRCH));
        let lock = File::open(entry.path().join("app.lock"));
        if ended && lock.is_ok_and(|lock| lock.try_lock().is_ok()) {
            let _tidied_by_another_test_run = fs::remove_dir_all(entry.path());
        }
    }
    all.join(std::process::id().to_string())
}

impl Drop for TestDatabase {
    /// On a thread of its own, since a test's runtime may be ending around it.
    fn drop(&mut self) {
        let mut server = reqwest::Url::parse(&self.url).unwrap();
        server.set_path("postgres");
        let sql = format!("drop database if exists {} with (force)", self.name);
        let drop_it = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let options: PgConnectOptions = server.as_str().parse().unwrap();
                let mut connection = PgConnection::connect_with(&options).await.unwrap();
                connection.execute(AssertSqlSafe(sql)).await.unwrap();
            });
        };
        std::thread::spawn(drop_it).join().unwrap();
    }
}
