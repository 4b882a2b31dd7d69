//! `.sqlx` is what the queries were checked against in a build without a database. It must be what the migrations say.

use crate::support::postgres;
use serde_json::Value;
use sqlx::{AssertSqlSafe, Executor, SqlSafeStr};
use std::fs;
use std::path::{Path, PathBuf};

const REMEDY: &str = "run bin/sqlx-prepare and commit .sqlx";

/// Every kept description: its file, its query, and what the database said of it.
fn kept() -> Vec<(PathBuf, String, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(".sqlx");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let read = |file: PathBuf| {
        let mut data: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
        (file, data["query"].as_str().unwrap().to_owned(), data["describe"].take())
    };
    files.map(read).collect()
}

#[tokio::test]
async fn each_query_is_described_as_the_migrations_make_it() {
    let database = postgres::database().await;
    let kept = kept();
    assert!(!kept.is_empty());
    for (file, query, described) in kept {
        let now = database.database.pool().describe(AssertSqlSafe(query.clone()).into_sql_str()).await;
        let now = now.unwrap_or_else(|error| panic!("{}: {error}; {REMEDY}\n{query}", file.display()));
        let now = serde_json::to_value(now).unwrap();
        // What an outer join leaves empty is read off the plan, and plans differ with what the tables hold.
        for part in ["columns", "parameters"] {
            assert_eq!(now[part], described[part], "{}: {REMEDY}\n{query}", file.display());
        }
    }
}

#[test]
fn no_description_outlives_its_query() {
    let mut sources = String::new();
    let mut folders =
        vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs" || extension == "sql") {
                sources += &fs::read_to_string(path).unwrap();
            }
        }
    }
    for (file, query, _) in kept() {
        let written_plainly = query.replace('\\', "\\\\").replace('"', "\\\"");
        let found = sources.contains(&query) || sources.contains(&written_plainly);
        assert!(found, "{} belongs to no query any more; {REMEDY}\n{query}", file.display());
    }
}
