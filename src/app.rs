//! What every flow is given first.

use crate::clock::Clock;
use crate::database::Database;
use crate::id::InstanceId;
use crate::vault::Vault;
use std::sync::Arc;
use tokio::sync::Notify;

/// The running application: cheap to clone, shared by every request and every step of the worker.
#[derive(Debug, Clone)]
pub struct App {
    /// Where everything is kept.
    pub database: Database,
    /// The one source of time.
    pub clock: Clock,
    /// Seals and opens secrets.
    pub vault: Vault,
    /// One HTTP client for all calls to PayPal; follows no redirects.
    pub http: reqwest::Client,
    /// Where the simulated PayPal listens, when this installation rehearses.
    pub simulator: Option<String>,
    /// Where people reach the application from outside, when the operator says so ("https://payouts.example.com").
    pub public_url: Option<String>,
    /// This running program.
    pub instance: InstanceId,
    /// Wakes the worker: something may be due now.
    pub wake: Arc<Notify>,
}
