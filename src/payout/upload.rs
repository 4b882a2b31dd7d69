//! Steps 3 and 4 of the file rail: the frozen file is put into PayPal's Incoming folder, and what came of that is written
//! down. The only caller that puts a file. PayPal's answer comes later, see [`super::collect`].
//!
//! A file is put under its own name and no other, with the same bytes, for ever. After a put whose end is not known the
//! folders are looked into first; only a file that is nowhere an hour later is put again, and PayPal answers a second
//! copy with DUPS.

use super::batch::{RESEND_WINDOW, resend_after};
use super::claim::{self, ClaimedFile};
use super::crash::crash_point;
use super::file::LATE_ANSWER;
use super::lease::{self, Lease, holding};
use super::store::{Source, tell};
use super::submit::{doubt, ensure_held, not_yet, with_patience};
use crate::app::App;
use crate::connection::dropzone;
use crate::database::Tx;
use crate::paypal::dropzone::{Account, Failed, NoSession, Session};
use crate::paypal::large_batch::outgoing;
use time::{Duration, OffsetDateTime};

/// After a refused sign-in or a changed server key, files wait this long at first; a person usually mends it before.
const PAUSE: Duration = Duration::hours(1);
/// PayPal's answer is looked for this soon after the file is there.
const FIRST_LOOK: Duration = Duration::seconds(1);

/// What handing over came to.
#[derive(Debug)]
enum Handover {
    /// All of it is there; the server showed its full size, or took it away before it could.
    There { whole: bool },
    /// Nothing of it was sent, for this reason; and whether all files have to wait.
    NotYet { why: String, pauses: bool },
    /// Perhaps it is there; look again after so long.
    Unknown { why: String, later: Duration },
}

/// Claims one file, puts it and records what came of it. False when nothing was due.
pub async fn next(app: &App) -> anyhow::Result<bool> {
    let Some(claimed) = claim::to_upload(app).await? else { return Ok(false) };
    crash_point("file_claimed");
    let handover = holding(app, claimed.lease, hand_over(app, &claimed)).await?;
    crash_point("before_noting");
    with_patience(claimed.lease, || record(app, &claimed, &handover)).await?;
    crash_point("after_noting");
    app.wake.notify_waiters();
    Ok(true)
}

/// Step 3. Holds no transaction and no connection of the pool while the server is spoken to.
async fn hand_over(app: &App, claimed: &ClaimedFile) -> anyhow::Result<Handover> {
    let lease = claimed.lease;
    let mut tx = app.database.merchant(lease.merchant).await?;
    let account = dropzone::account(&mut tx, &app.vault, claimed.dropzone).await?;
    drop(tx);
    let Some(account) = account else {
        return Ok(Handover::NotYet { why: "DROPZONE_SIGN_IN_REFUSED".into(), pauses: true });
    };
    let later = resend_after(claimed.attempts);
    let session = match app.dropzone.session(&account).await {
        Ok(session) => session,
        Err(error) => {
            let (why, pauses) = no_session(&error);
            return Ok(if claimed.doubted {
                Handover::Unknown { why, later }
            } else {
                Handover::NotYet { why, pauses }
            });
        }
    };
    let handover = match look_first(app, claimed, &session).await {
        Some(known) => known,
        None => put(app, claimed, &account, &session).await?,
    };
    if matches!(handover, Handover::Unknown { .. }) {
        app.dropzone.forget(&account);
    }
    Ok(handover)
}

/// PayPal's or our name for it, and whether it stands in the way of every file.
pub(super) fn no_session(error: &NoSession) -> (String, bool) {
    match error {
        NoSession::SignInRefused => ("DROPZONE_SIGN_IN_REFUSED".into(), true),
        NoSession::HostKey(_) => ("DROPZONE_HOST_KEY_CHANGED".into(), true),
        NoSession::Unreachable(why) => (format!("the DropZone could not be reached: {why}"), false),
    }
}

/// After a put whose end is not known: where is the file? Nothing when it has to be put (again).
async fn look_first(app: &App, claimed: &ClaimedFile, session: &Session) -> Option<Handover> {
    let put_at = claimed.put_at?;
    let unknown = |why: &str| Some(Handover::Unknown { why: why.into(), later: resend_after(claimed.attempts) });
    match session.bytes_in_incoming(&claimed.name).await {
        Ok(Some(bytes)) if bytes == claimed.bytes => return Some(Handover::There { whole: true }),
        // Cut off half way: the same bytes under the same name.
        Ok(Some(_)) => return None,
        Ok(None) => {}
        Err(error) => return unknown(&error.to_string()),
    }
    let stem = claimed.name.split('.').next().unwrap_or_default();
    match session.outgoing().await {
        Ok(entries) if entries.iter().any(|entry| outgoing(stem, &entry.name).is_some()) => {
            Some(Handover::Unknown { why: "PayPal has answered".into(), later: LATE_ANSWER })
        }
        Ok(_) if app.clock.now() - put_at < LATE_ANSWER => unknown("neither the file nor an answer is there yet"),
        Ok(_) => None,
        Err(error) => unknown(&error.to_string()),
    }
}

/// The one put, portion by portion out of the database.
async fn put(app: &App, claimed: &ClaimedFile, account: &Account, session: &Session) -> anyhow::Result<Handover> {
    let lease = claimed.lease;
    let later = resend_after(claimed.attempts);
    let unknown = |error: Failed| Handover::Unknown { why: error.to_string(), later };
    tracing::info!(batch.id = %lease.batch, "file {} is put into {}", claimed.name, account.incoming);
    crash_point("before_put");
    lease::confirm_put(app, lease).await?;
    let mut file = match session.put(&claimed.name).await {
        Ok(file) => file,
        Err(error @ (Failed::Refused(_) | Failed::NotFound)) if claimed.put_at.is_none() => {
            let why = format!("the folder {} takes no file: {error}", account.incoming);
            return Ok(Handover::NotYet { why, pauses: false });
        }
        Err(error) => return Ok(unknown(error)),
    };
    crash_point("put_begun");
    for place in 0.. {
        let mut tx = app.database.merchant(lease.merchant).await?;
        let portion = part(&mut tx, lease, place).await?;
        drop(tx);
        let Some(portion) = portion else { break };
        if let Err(error) = file.write(&portion).await {
            return Ok(unknown(error));
        }
        crash_point("mid_put");
    }
    if let Err(error) = file.finish().await {
        return Ok(unknown(error));
    }
    crash_point("after_put");
    Ok(match session.bytes_in_incoming(&claimed.name).await {
        Ok(Some(bytes)) if bytes == claimed.bytes => Handover::There { whole: true },
        Ok(Some(bytes)) => {
            let why = format!("the DropZone shows {bytes} of {} bytes", claimed.bytes);
            Handover::Unknown { why, later }
        }
        // Every byte was confirmed, and PayPal was quick.
        Ok(None) => Handover::There { whole: false },
        Err(error) => unknown(error),
    })
}

async fn part(tx: &mut Tx, lease: Lease, place: i32) -> sqlx::Result<Option<Vec<u8>>> {
    sqlx::query_scalar!(
        "select content from payout_file_parts where merchant_id = $1 and batch_id = $2 and place = $3",
        lease.merchant.0,
        lease.batch.0,
        place
    )
    .fetch_optional(&mut **tx)
    .await
}

/// Step 4.
async fn record(app: &App, claimed: &ClaimedFile, handover: &Handover) -> anyhow::Result<()> {
    let lease = claimed.lease;
    let now = app.clock.now();
    let mut tx = app.database.merchant(lease.merchant).await?;
    let (outcome, word) = match handover {
        Handover::There { whole } => {
            uploaded(&mut tx, lease, *whole, now).await?;
            dropzone::resume(&mut tx, claimed.dropzone).await?;
            ("uploaded", format!("uploaded as {}", claimed.name))
        }
        Handover::NotYet { why, pauses } => {
            if *pauses {
                dropzone::pause(&mut tx, claimed.dropzone, why, now, PAUSE).await?;
            }
            nothing_was_put(&mut tx, lease).await?;
            let again = if *pauses { now } else { now + resend_after(claimed.attempts) };
            not_yet(&mut tx, lease, again, now).await?;
            ("not_yet", format!("not yet: {why}"))
        }
        Handover::Unknown { why, later } => {
            doubt(&mut tx, lease, now, now + *later).await?;
            ("unknown", why.clone())
        }
    };
    sqlx::query!(
        r#"
        update payout_attempts
        set ended_at = $4, outcome = $5, evidence = $6
        where merchant_id = $1 and batch_id = $2 and fence = $3 and ended_at is null
        "#,
        lease.merchant.0,
        lease.batch.0,
        lease.fence,
        now,
        outcome,
        word
    )
    .execute(&mut *tx)
    .await?;
    if !matches!(handover, Handover::NotYet { .. }) {
        look_soon(&mut tx, claimed, now + FIRST_LOOK).await?;
    }
    tell(&mut tx, lease.batch, Source::Send, &word, None, now).await?;
    tx.commit().await?;
    tracing::info!(batch.id = %lease.batch, outcome, "batch {}: {word}", lease.batch);
    Ok(())
}

/// The batch waits for PayPal's answer, until the end of its window at the longest.
async fn uploaded(tx: &mut Tx, lease: Lease, whole: bool, now: OffsetDateTime) -> anyhow::Result<()> {
    let changed = sqlx::query!(
        r#"
        with there as (
            update payout_files
            set uploaded_at = $4, whole = $5
            where merchant_id = $1 and batch_id = $2 and uploaded_at is null
        )
        update payout_batches
        set look_at = first_attempt_at + make_interval(secs => $6::bigint), changed_at = $4, owner = null
        where merchant_id = $1 and id = $2 and fence = $3 and state = 'submitting'
        "#,
        lease.merchant.0,
        lease.batch.0,
        lease.fence,
        now,
        whole,
        RESEND_WINDOW.whole_seconds()
    )
    .execute(&mut **tx)
    .await?;
    ensure_held(lease, changed.rows_affected())
}

async fn nothing_was_put(tx: &mut Tx, lease: Lease) -> sqlx::Result<()> {
    sqlx::query!(
        "update payout_files set put_at = null where merchant_id = $1 and batch_id = $2",
        lease.merchant.0,
        lease.batch.0
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

async fn look_soon(tx: &mut Tx, claimed: &ClaimedFile, at: OffsetDateTime) -> sqlx::Result<()> {
    sqlx::query!(
        "update dropzones set look_at = least(look_at, $3) where merchant_id = $1 and id = $2",
        claimed.lease.merchant.0,
        claimed.dropzone.0,
        at
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
