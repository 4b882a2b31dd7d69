//! What the program tells of itself: its log, and its figures for Prometheus.

use crate::app::App;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use std::io::IsTerminal;
use std::sync::OnceLock;
use tracing::Instrument;
use tracing_subscriber::EnvFilter;

const SECONDS: &str = "stipend_http_request_seconds";
const REQUESTS: &str = "stipend_http_requests_total";

static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();

/// Starts the log, on standard error: lines for people on a terminal, JSON for programs elsewhere.
pub fn start_log(filter: &str) {
    let log = tracing_subscriber::fmt().with_env_filter(EnvFilter::new(filter)).with_writer(std::io::stderr);
    if std::io::stderr().is_terminal() {
        log.with_target(false).init();
    } else {
        log.json().flatten_event(true).with_current_span(false).init();
    }
}

/// Starts counting, once a program.
pub fn start_metrics() -> anyhow::Result<()> {
    let buckets = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0];
    let recorder = PrometheusBuilder::new().set_buckets_for_metric(Matcher::Full(SECONDS.to_owned()), &buckets)?;
    let handle = recorder.install_recorder()?;
    if RECORDER.set(handle).is_err() {
        anyhow::bail!("the metrics were started twice");
    }
    metrics::describe_counter!(REQUESTS, "Requests answered, by route, method and status");
    metrics::describe_histogram!(SECONDS, "Time until a request was answered");
    metrics::describe_gauge!("stipend_database_connections", "Connections to the database, by use");
    metrics::gauge!("stipend_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1);
    Ok(())
}

/// Everything counted so far, as Prometheus reads it.
pub fn figures(app: &App) -> String {
    let Some(recorder) = RECORDER.get() else { return String::new() };
    let (open, idle) = (app.database.pool().size(), app.database.pool().num_idle());
    let idle = u32::try_from(idle).expect("a pool is small");
    metrics::gauge!("stipend_database_connections", "use" => "idle").set(idle);
    metrics::gauge!("stipend_database_connections", "use" => "busy").set(open.saturating_sub(idle));
    recorder.run_upkeep();
    recorder.render()
}

/// Counts and logs each request; its id is in every line that is logged on its way.
pub async fn watch(State(app): State<App>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    let method = request.method().clone();
    let id = uuid::Uuid::now_v7();
    let span = tracing::info_span!("request", request.id = %id, method = %method, path = request.uri().path());
    let began = app.clock.system_now();
    let response = next.run(request).instrument(span.clone()).await;
    let took = (app.clock.system_now() - began).unsigned_abs();
    let status = response.status().as_u16();
    span.in_scope(|| {
        tracing::debug!(status, route, ms = took.as_millis(), "Answered {status} in {} ms", took.as_millis());
    });
    metrics::counter!(REQUESTS, "route" => route.clone(), "method" => method.to_string(), "status" => status.to_string())
        .increment(1);
    metrics::histogram!(SECONDS, "route" => route).record(took);
    response
}
