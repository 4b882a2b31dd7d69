//! Which instances run: each says so every few seconds. One that works under another master key than the database's
//! stops, so that nothing is sealed with a key that is no longer in use.

use crate::app::App;
use crate::clock::Clock;
use crate::database::Database;
use anyhow::bail;
use std::time::Duration;
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;

const EVERY: Duration = Duration::from_secs(5);
/// An instance that has said nothing for so long does not run any more.
const GONE_AFTER: time::Duration = time::Duration::seconds(30);

/// Says that this instance runs; an error if the secrets are sealed with another key than its own.
pub async fn announce(app: &App) -> anyhow::Result<()> {
    // Not the rehearsal's time, which somebody may have moved.
    let now = Clock::system().now();
    let mut tx = app.database.installation().await?;
    sqlx::query!(
        "insert into instances (id, started_at, seen_at) values ($1, $2, $2)
        on conflict (id) do update set seen_at = excluded.seen_at",
        app.instance.0,
        now
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!("delete from instances where seen_at < $1", now - GONE_AFTER).execute(&mut *tx).await?;
    let key_id = sqlx::query_scalar!("select key_id from installation").fetch_one(&mut *tx).await?;
    tx.commit().await?;
    if key_id != app.vault.key_id() {
        bail!("the master key was changed to {key_id}; start this instance again, with the new key file");
    }
    Ok(())
}

/// Goes on saying so until told to stop.
pub async fn run(app: App, stop: CancellationToken) {
    while stop.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_some() {
        match announce(&app).await {
            Ok(()) => {}
            Err(error) if error.is::<sqlx::Error>() => {} // told by whatever else needs the database
            Err(error) => {
                tracing::error!("Stopping: {error:#}");
                stop.cancel();
            }
        }
    }
    if let Err(error) = leave(&app).await {
        tracing::warn!("This instance counts as running for half a minute more: {error}");
    }
}

async fn leave(app: &App) -> sqlx::Result<()> {
    let mut tx = app.database.installation().await?;
    sqlx::query!("delete from instances where id = $1", app.instance.0).execute(&mut *tx).await?;
    tx.commit().await
}

/// How many instances have said that they run lately.
pub async fn running(database: &Database, now: OffsetDateTime) -> sqlx::Result<i64> {
    let mut tx = database.installation().await?;
    sqlx::query_scalar!(r#"select count(*) as "running!" from instances where seen_at > $1"#, now - GONE_AFTER)
        .fetch_one(&mut *tx)
        .await
}
