//! What every flow is given first.

use crate::carrier::Carrier;
use crate::clock::Clock;
use crate::database::Database;
use crate::id::InstanceId;
use crate::paypal;
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
    /// Speaks to PayPal, or to the simulator when this installation rehearses.
    pub paypal: paypal::Client,
    /// Reaches PayPal's DropZone for Large Batch files, or the simulated one.
    pub dropzone: paypal::DropZone,
    /// How e-mail leaves, if any does.
    pub carrier: Option<Carrier>,
    /// Where people reach this installation, as "https://pay.example.com".
    pub public_url: Option<String>,
    /// Where this program itself answers, as "http://127.0.0.1:3000": near enough for a simulated PayPal.
    pub listens_at: Option<String>,
    /// What the pages of a demo show; nothing elsewhere.
    pub demo: Option<Hints>,
    /// This running program.
    pub instance: InstanceId,
    /// Wakes the worker: something may be due now.
    pub wake: Arc<Notify>,
}

/// How to get into a demo, shown on its pages.
#[derive(Debug, Clone, Copy)]
pub struct Hints {
    /// With which one signs in.
    pub email: &'static str,
    /// Its password.
    pub password: &'static str,
    /// The Client ID that the simulated PayPal takes.
    pub client_id: &'static str,
    /// Its Secret.
    pub secret: &'static str,
}

impl App {
    /// Whether all money here is play money: PayPal is simulated.
    pub fn rehearses(&self) -> bool {
        self.paypal.environments().iter().all(|environment| !environment.is_real_money())
    }
}
