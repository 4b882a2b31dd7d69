//! What the operator's tools ask: is it alive, is it ready, what has it counted. No sign-in, no session.

use crate::app::App;
use crate::database::MIGRATIONS;
use crate::telemetry;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use std::time::Duration;

/// A database that answers later than this is as good as none.
const PATIENCE: Duration = Duration::from_secs(2);

/// `/healthz` (the program is alive) and `/readyz` (the database is there, with this program's schema).
pub fn routes(app: App) -> Router {
    Router::new().route("/healthz", get(async || "alive\n")).route("/readyz", get(readyz)).with_state(app)
}

/// `/metrics`, which may be on an address of its own.
pub fn metrics(app: App) -> Router {
    Router::new().route("/metrics", get(figures)).with_state(app)
}

async fn readyz(State(app): State<App>) -> impl IntoResponse {
    match tokio::time::timeout(PATIENCE, schema(&app)).await {
        Ok(Ok(true)) => (StatusCode::OK, "ready\n"),
        Ok(Ok(false)) => (StatusCode::SERVICE_UNAVAILABLE, "the database has not been migrated to this version\n"),
        Ok(Err(error)) => {
            tracing::warn!("The database does not answer: {error}");
            (StatusCode::SERVICE_UNAVAILABLE, "the database cannot be reached\n")
        }
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n"),
    }
}

/// Whether the database has every migration of this program; a newer program's on top of them do no harm.
async fn schema(app: &App) -> sqlx::Result<bool> {
    let wanted: Vec<i64> = MIGRATIONS.iter().map(|migration| migration.version).collect();
    let there: i64 = sqlx::query_scalar("select count(*) from _sqlx_migrations where success and version = any($1)")
        .bind(&wanted)
        .fetch_one(app.database.pool())
        .await?;
    Ok(usize::try_from(there) == Ok(wanted.len()))
}

async fn figures(State(app): State<App>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], telemetry::figures(&app))
}
