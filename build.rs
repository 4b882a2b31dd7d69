//! A build needs no database: queries are checked against `.sqlx`. Only who keeps an `.env` (a developer, whose queries
//! change) has them checked against the database named there. A `DATABASE_URL` that is meant for running the program
//! is not asked.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=migrations"); // they are compiled into the program
    println!("cargo::rerun-if-env-changed=SQLX_OFFLINE");
    let chosen = std::env::var_os("SQLX_OFFLINE").is_some();
    if !chosen && !std::path::Path::new(".env").exists() {
        println!("cargo::rustc-env=SQLX_OFFLINE=true");
    }
}
