//! Rehearsing with a simulated PayPal: its clock is ours, so that weeks pass for both at once.

use crate::app::App;
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

/// Takes over the simulator's time before anything happens here, if the simulator can be reached.
pub async fn join(app: &App, simulator: &str, shutdown: &CancellationToken) {
    for _ in 0..FIRST_TRIES {
        if ask(app, simulator).await.is_ok() {
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
pub async fn follow(app: App, simulator: String, shutdown: CancellationToken) {
    let mut reachable = true;
    loop {
        let asked = ask(&app, &simulator).await;
        match &asked {
            Err(error) if reachable => tracing::warn!("The simulated PayPal at {simulator} cannot be asked: {error:#}"),
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

async fn ask(app: &App, simulator: &str) -> reqwest::Result<()> {
    let address = format!("{simulator}/_simulator/clock");
    let answer = app.http.get(address).timeout(PATIENCE).send().await?.error_for_status()?;
    let clock: SimulatorClock = answer.json().await?;
    app.clock.set_offset(time::Duration::seconds(clock.offset_seconds));
    Ok(())
}
