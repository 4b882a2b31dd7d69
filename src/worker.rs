//! Which reconcilers run, how often, and what wakes them. The rows are the queue; nothing is kept here.

use crate::app::App;
use crate::connection::notifications;
use crate::import;
use crate::mail::{notices, outbox};
use crate::payout::{approval, collect, hint, inbox, reconcile, restoration, submit, upload};
use crate::people::password;
use crate::prune;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How often due rows are looked for without being woken.
const TICK: Duration = Duration::from_millis(500);
/// At most one batch a second is handed over: PayPal's published limit is 400 a minute, and one batch holds 15,000.
const BETWEEN_SENDS: Duration = Duration::from_secs(1);
/// Nobody waits for a reminder, and looking for them reads all that waits to be accepted.
const BETWEEN_NOTICES: Duration = Duration::from_secs(10);
/// Nothing waits for old rows to go.
const BETWEEN_PRUNES: Duration = Duration::from_mins(10);
/// Batches that one instance reads at a time.
const READERS: usize = 4;
/// After a failure of our own (the database is gone), wait this long.
const AFTER_FAILURE: Duration = Duration::from_secs(2);

/// Runs until told to stop, then finishes the steps in hand.
pub async fn run(app: App, stop: CancellationToken) {
    let mut loops = JoinSet::new();
    loops.spawn(repeat(app.clone(), stop.clone(), Step::Send));
    for _ in 0..READERS {
        loops.spawn(repeat(app.clone(), stop.clone(), Step::Read));
    }
    for step in [
        Step::Upload,
        Step::Collect,
        Step::Import,
        Step::Hint,
        Step::Register,
        Step::Missed,
        Step::Restore,
        Step::Mail,
        Step::Reset,
        Step::Notice,
        Step::Approval,
        Step::Prune,
    ] {
        loops.spawn(repeat(app.clone(), stop.clone(), step));
    }
    loops.spawn(repeat(app, stop, Step::Expire));
    while loops.join_next().await.is_some() {}
}

#[derive(Clone, Copy)]
enum Step {
    Send,
    Read,
    Upload,
    Collect,
    Import,
    Mail,
    Reset,
    Notice,
    Hint,
    Register,
    Missed,
    Approval,
    Restore,
    Prune,
    Expire,
}

async fn repeat(app: App, stop: CancellationToken, step: Step) {
    while !stop.is_cancelled() {
        let woken = app.wake.notified();
        let outcome = take(app.clone(), step).await;
        let (pause, wakeable) = match outcome {
            Ok(true) if matches!(step, Step::Send) => (BETWEEN_SENDS, false),
            Ok(true) => continue,
            Ok(false) if matches!(step, Step::Notice) => (BETWEEN_NOTICES, false),
            Ok(false) if matches!(step, Step::Prune) => (BETWEEN_PRUNES, false),
            Ok(false) => (TICK, true),
            Err(error) => {
                tracing::error!("a step of the worker failed: {error:#}");
                (AFTER_FAILURE, false)
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = woken, if wakeable => {}
            () = stop.cancelled() => {}
        }
    }
}

/// One step, on a task of its own: a bug that panics in it ends neither the loop nor the sending of everything else.
async fn take(app: App, step: Step) -> anyhow::Result<bool> {
    let taken = tokio::spawn(async move {
        match step {
            Step::Send => submit::next(&app).await,
            Step::Read => reconcile::next(&app).await,
            Step::Upload => upload::next(&app).await,
            Step::Collect => collect::next(&app).await,
            Step::Import => import::next(&app).await,
            Step::Mail => outbox::next(&app).await,
            Step::Reset => password::send_next(&app).await,
            Step::Notice => notices::next(&app).await,
            Step::Hint => hint::next(&app).await,
            Step::Register => notifications::next(&app).await,
            Step::Missed => inbox::fetch_missed(&app).await,
            Step::Approval => approval::next(&app).await,
            Step::Restore => restoration::look::next(&app).await,
            Step::Prune => prune::next(&app).await,
            Step::Expire => submit::expire(&app).await.map(|()| false),
        }
    });
    taken.await?
}
