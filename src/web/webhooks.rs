//! `POST /webhooks/paypal/{connection}`: the one door that PayPal itself comes to. No session and no form: whoever comes
//! is known by a signature. It hands over raw bytes and answers with a bare status; it may call the inbox and nothing else.

use crate::app::App;
use crate::id::ConnectionId;
use crate::payout::inbox::{self, Receipt};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;

/// The longest event: PayPal's have about a kilobyte.
const EVENT_BYTES: usize = 1024 * 1024;

pub(super) fn routes() -> Router<App> {
    Router::new().route("/webhooks/paypal/{connection}", post(receive)).layer(DefaultBodyLimit::max(EVENT_BYTES))
}

async fn receive(
    State(app): State<App>,
    Path(connection): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let Ok(connection) = connection.parse::<ConnectionId>() else { return StatusCode::NOT_FOUND };
    match inbox::receive(&app, connection, &headers, &body).await {
        Ok(Receipt::Taken) => StatusCode::OK,
        Ok(Receipt::Nobody) => StatusCode::NOT_FOUND,
        Ok(Receipt::Forged) => StatusCode::BAD_REQUEST,
        // PayPal tries again for three days.
        Ok(Receipt::CannotTell) => StatusCode::SERVICE_UNAVAILABLE,
        Err(error) => {
            tracing::error!(connection.id = %connection, "an event could not be kept: {error:#}");
            StatusCode::SERVICE_UNAVAILABLE
        }
    }
}
