//! A database of its own for each test.

use stipend::database::Database;

/// A migrated, empty database.
pub struct TestDatabase {
    pub database: Database,
}

/// One more database.
pub async fn database() -> TestDatabase {
    use sqlx::Connection;
    let name = format!("t_{}", uuid::Uuid::now_v7().simple());
    let mut admin =
        sqlx::PgConnection::connect("postgres://postgres@localhost/postgres?host=/var/lib/stipend-dev").await.unwrap();
    sqlx::query(sqlx::AssertSqlSafe(format!("create database {name}"))).execute(&mut admin).await.unwrap();
    let database =
        Database::connect(&format!("postgres://postgres@localhost/{name}?host=/var/lib/stipend-dev")).await.unwrap();
    database.migrate().await.unwrap();
    TestDatabase { database }
}
