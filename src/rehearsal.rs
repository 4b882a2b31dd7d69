//! Rehearsing with a simulated PayPal: its clock is ours, so that weeks pass for both at once.

use crate::clock::Clock;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const FOLLOW_EVERY: Duration = Duration::from_secs(1);
const FIRST_TRIES: u32 = 20;
const FIRST_TRY_EVERY: Duration = Duration::from_millis(250);
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(serde::Deserialize)]
struct SimulatorClock {
    offset_seconds: i64,
}

/// A simulated PayPal whose time ours follows.
#[derive(Debug, Clone)]
pub struct Rehearsal {
    /// Asks the simulator.
    pub http: reqwest::Client,
    /// Ours, which follows.
    pub clock: Clock,
    /// The simulator's base URL.
    pub simulator: String,
}

impl Rehearsal {
    /// Takes over the simulator's time before anything happens here, if the simulator can be reached.
    pub async fn join(&self, shutdown: &CancellationToken) {
        let simulator = &self.simulator;
        for _ in 0..FIRST_TRIES {
            if self.ask().await.is_ok() {
                tracing::info!("This installation rehearses with the simulated PayPal at {simulator}");
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(FIRST_TRY_EVERY) => (),
                () = shutdown.cancelled() => return,
            }
        }
        tracing::warn!("The simulated PayPal at {simulator} cannot be reached yet");
    }

    /// Keeps this clock at the simulator's, until told to stop.
    pub async fn follow(self, shutdown: CancellationToken) {
        let simulator = &self.simulator;
        let mut reachable = true;
        loop {
            let asked = self.ask().await;
            match &asked {
                Err(error) if reachable => {
                    tracing::warn!("The simulated PayPal at {simulator} cannot be asked: {error:#}");
                }
                Ok(()) if !reachable => tracing::info!("The simulated PayPal at {simulator} answers again"),
                Ok(()) | Err(_) => (),
            }
            reachable = asked.is_ok();
            tokio::select! {
                () = tokio::time::sleep(FOLLOW_EVERY) => (),
                () = shutdown.cancelled() => return,
            }
        }
    }

    async fn ask(&self) -> reqwest::Result<()> {
        let address = format!("{}/_simulator/clock", self.simulator);
        let answer = self.http.get(address).timeout(PATIENCE).send().await?.error_for_status()?;
        let clock: SimulatorClock = answer.json().await?;
        self.clock.set_offset(time::Duration::seconds(clock.offset_seconds));
        Ok(())
    }
}
