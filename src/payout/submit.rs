//! Steps 3 and 4: send the frozen bytes, and write down what came of it. The only caller that moves money.

use super::adopt::{Adoption, adopt};
use super::batch::resend_after;
use super::claim::{self, ClaimedBatch, Expired};
use super::crash::crash_point;
use super::lease::{self, Lease, holding};
use super::refuse::{name_items, refuse};
use super::store::{Source, tell};
use crate::app::App;
use crate::connection::{self, pause};
use crate::database::Tx;
use crate::money::Currency;
use crate::paypal::client::Sent;
use crate::paypal::{Answer, NotYet, PayPalBatchId, Refusal, Unknown};
use anyhow::ensure;
use time::{Duration, OffsetDateTime};

/// After a refused sign-in the queue tries again then; a person usually mends it before.
const SIGN_IN_PAUSE: Duration = Duration::hours(1);
/// The same for missing permission and money.
const PAUSE: Duration = Duration::minutes(15);
/// After "too many requests".
const SLOW_DOWN: Duration = Duration::minutes(1);

/// How many seconds PayPal's answer waits for the database, time after time.
const WAITS_FOR_THE_DATABASE: [u64; 6] = [0, 1, 2, 5, 10, 20];

/// What sending came to.
#[derive(Debug)]
enum Submission {
    /// PayPal has it.
    Accepted(PayPalBatchId),
    /// PayPal did not take this batch.
    Refused(Refusal),
    /// It did not take it now.
    NotYet(NotYet),
    /// Perhaps it has it; look again after so long.
    Unknown(String, Duration),
    /// The same, and nothing else may be sent before.
    SlowDown(Duration),
    /// A batch of this name is there, and it is not ours: nobody may send or free anything until a person has looked.
    Mismatch(String),
}

/// Claims one batch, sends it and records the answer. False when nothing was due.
pub async fn next(app: &App) -> anyhow::Result<bool> {
    let Some(claimed) = claim::to_send(app).await? else { return Ok(false) };
    crash_point("after_claim");
    let lease = claimed.lease;
    let (sent, submission) = holding(app, lease, send(app, &claimed)).await?;
    crash_point("before_record");
    with_patience(lease, || record(app, &claimed, &sent, &submission)).await?;
    crash_point("after_record");
    Ok(true)
}

/// Records, and waits for a database that has gone for a moment: given up, a plain refusal in hand would become doubt
/// until somebody looks. Nobody else can take the batch while the database is gone, and a lost lease ends this.
pub(super) async fn with_patience<F: Future<Output = anyhow::Result<()>>>(
    lease: Lease,
    record: impl Fn() -> F,
) -> anyhow::Result<()> {
    for seconds in WAITS_FOR_THE_DATABASE {
        match record().await {
            Err(error) if is_gone(&error) => {
                tracing::warn!(batch.id = %lease.batch, "the database is gone, PayPal's answer waits: {error:#}");
                tokio::time::sleep(std::time::Duration::from_secs(seconds)).await;
            }
            recorded => return recorded,
        }
    }
    record().await
}

fn is_gone(error: &anyhow::Error) -> bool {
    match error.downcast_ref::<sqlx::Error>() {
        // Classes 08 and 57: the connection broke, or the server is stopping or starting.
        Some(sqlx::Error::Database(error)) => {
            error.code().is_some_and(|code| code.starts_with("08") || code.starts_with("57"))
        }
        Some(sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::Protocol(_)) => true,
        Some(_) | None => false,
    }
}

/// Step 3. Holds no transaction and no connection of the pool while PayPal is spoken to.
async fn send(app: &App, claimed: &ClaimedBatch) -> anyhow::Result<(Sent, Submission)> {
    let lease = claimed.lease;
    let mut tx = app.database.merchant(lease.merchant).await?;
    let credentials = connection::credentials(&mut tx, &app.vault, claimed.connection).await?;
    drop(tx);
    let Some(credentials) = credentials else {
        let sent = Sent {
            answer: Answer::NotYet(NotYet::SignInRefused),
            status: None,
            debug_id: None,
            evidence: String::new(),
        };
        return Ok((sent, Submission::NotYet(NotYet::SignInRefused)));
    };
    tracing::info!(batch.id = %lease.batch, attempt = claimed.attempts, "batch {} is handed to PayPal", lease.batch);
    let may_send = || {
        crash_point("before_send");
        lease::confirm(app, lease)
    };
    let mut sent =
        app.paypal.create_batch(&credentials, &claimed.sender_batch_id, claimed.body.clone(), may_send).await?;
    crash_point("after_send");
    let later = resend_after(claimed.attempts);
    let submission = match sent.answer.clone() {
        Answer::Created(id) => Submission::Accepted(id),
        Answer::Duplicate(None) => {
            Submission::Unknown("PayPal has a batch of this name and does not say which".into(), later)
        }
        Answer::Duplicate(Some(id)) => {
            match adopt(app, &credentials, (&claimed.sender_batch_id, &claimed.body), &id).await {
                Adoption::Ours => Submission::Accepted(id),
                Adoption::NotOurs(why) => Submission::Mismatch(why),
                Adoption::CannotTell(why) => Submission::Unknown(why, later),
            }
        }
        Answer::Refused(refusal) => Submission::Refused(refusal),
        Answer::NotYet(why) => Submission::NotYet(why),
        Answer::Unknown(Unknown::TooMany(seconds)) => {
            let wait = seconds.and_then(|s| i64::try_from(s).ok()).map_or(SLOW_DOWN, Duration::seconds);
            Submission::SlowDown(wait.clamp(SLOW_DOWN, Duration::hours(1)))
        }
        Answer::Unknown(Unknown::NoAnswer(why)) => Submission::Unknown(why, later),
        Answer::Unknown(Unknown::Failed(status)) => Submission::Unknown(format!("PayPal answered {status}"), later),
        Answer::Unknown(Unknown::Strange(status)) => {
            Submission::Unknown(format!("PayPal answered {status} with something we cannot read"), later)
        }
    };
    if let Submission::Accepted(id) = &submission {
        sent.evidence = format!("payout_batch_id {id}");
    }
    Ok((sent, submission))
}

/// Step 4. A refusal counts only if no attempt before it is in doubt: the doubtful one may have been taken, and may
/// even be why this one was refused.
async fn record(app: &App, claimed: &ClaimedBatch, sent: &Sent, submission: &Submission) -> anyhow::Result<()> {
    let lease = claimed.lease;
    let now = app.clock.now();
    let mut tx = app.database.merchant(lease.merchant).await?;
    let (outcome, word) = match submission {
        Submission::Accepted(id) => {
            accepted(&mut tx, claimed, id, now).await?;
            ("accepted", "accepted".to_owned())
        }
        Submission::Refused(refusal) if !claimed.doubted => {
            let affected = name_items(&claimed.body, refusal);
            refuse(&mut tx, lease.batch, lease.fence, Source::Send, refusal, &affected, now).await?;
            ("refused", format!("refused: {}", refusal.name))
        }
        Submission::Refused(refusal) => {
            let why = format!("refused as {} after an attempt whose fate is unknown", refusal.name);
            doubt(&mut tx, lease, now, now + resend_after(claimed.attempts)).await?;
            ("unknown", why)
        }
        Submission::NotYet(why) => {
            let (reason, waits) = not_yet_words(why, claimed.currency);
            if let Some((currency, first)) = waits {
                pause::begin(&mut tx, claimed.connection, currency, &reason, now, first).await?;
            }
            let later = now + resend_after(claimed.attempts);
            if claimed.doubted {
                doubt(&mut tx, lease, now, later).await?;
                ("unknown", format!("{reason} after an attempt whose fate is unknown"))
            } else {
                not_yet(&mut tx, lease, if waits.is_some() { now } else { later }, now).await?;
                ("not_yet", format!("not yet: {reason}"))
            }
        }
        Submission::SlowDown(wait) => {
            pause::begin(&mut tx, claimed.connection, None, "RATE_LIMIT_REACHED", now, *wait).await?;
            doubt(&mut tx, lease, now, now + *wait).await?;
            ("unknown", "PayPal asks us to slow down (429)".to_owned())
        }
        Submission::Unknown(why, wait) => {
            doubt(&mut tx, lease, now, now + *wait).await?;
            ("unknown", why.clone())
        }
        Submission::Mismatch(why) => {
            stick(&mut tx, lease.batch, lease.fence, why, now).await?;
            ("unknown", why.clone())
        }
    };
    end_attempt(&mut tx, lease, outcome, sent, now).await?;
    tell(&mut tx, lease.batch, Source::Send, &word, Some(&sent.evidence), now).await?;
    tx.commit().await?;
    tracing::info!(batch.id = %lease.batch, paypal.debug_id = sent.debug_id, outcome, "batch {}: {word}", lease.batch);
    app.wake.notify_waiters();
    Ok(())
}

async fn accepted(tx: &mut Tx, claimed: &ClaimedBatch, id: &PayPalBatchId, now: OffsetDateTime) -> anyhow::Result<()> {
    let (merchant, lease) = (tx.merchant(), claimed.lease);
    let changed = sqlx::query!(
        r#"
        update payout_batches
        set state = 'accepted', paypal_batch_id = $4, accepted_at = $5, changed_at = $5, look_at = $6, owner = null
        where merchant_id = $1 and id = $2 and fence = $3 and state = 'submitting'
        "#,
        merchant.0,
        lease.batch.0,
        lease.fence,
        id.0,
        now,
        now + super::batch::read_after(0)
    )
    .execute(&mut **tx)
    .await?;
    ensure_held(lease, changed.rows_affected())?;
    pause::accepted(tx, claimed.connection, claimed.currency, now).await?;
    Ok(())
}

/// Back to Ready, certainly not at PayPal.
pub(super) async fn not_yet(
    tx: &mut Tx,
    lease: Lease,
    again: OffsetDateTime,
    now: OffsetDateTime,
) -> anyhow::Result<()> {
    let merchant = tx.merchant();
    let changed = sqlx::query!(
        r#"
        update payout_batches
        set state = 'ready', look_at = $4, changed_at = $5, owner = null
        where merchant_id = $1 and id = $2 and fence = $3 and state = 'submitting' and doubted_at is null
        "#,
        merchant.0,
        lease.batch.0,
        lease.fence,
        again,
        now
    )
    .execute(&mut **tx)
    .await?;
    ensure_held(lease, changed.rows_affected())
}

/// PayPal's name for it or our words, and what has to wait for how long at first: everything, one currency, or (PayPal
/// being merely out of reach) nothing but this batch.
fn not_yet_words(why: &NotYet, currency: Currency) -> (String, Option<(Option<Currency>, Duration)>) {
    match why {
        NotYet::Unreachable(why) => (format!("PayPal could not be reached: {why}"), None),
        NotYet::SignInRefused => ("SIGN_IN_REFUSED".into(), Some((None, SIGN_IN_PAUSE))),
        NotYet::NotPermitted(name) => (name.clone(), Some((None, PAUSE))),
        NotYet::InsufficientFunds => ("INSUFFICIENT_FUNDS".into(), Some((None, PAUSE))),
        NotYet::CurrencyNotHeld => ("NON_HOLDING_CURRENCY".into(), Some((Some(currency), PAUSE))),
    }
}

pub(super) async fn doubt(tx: &mut Tx, lease: Lease, now: OffsetDateTime, again: OffsetDateTime) -> anyhow::Result<()> {
    let merchant = tx.merchant();
    let changed = sqlx::query!(
        r#"
        update payout_batches
        set doubted_at = coalesce(doubted_at, $4), look_at = $5, changed_at = $4, owner = null
        where merchant_id = $1 and id = $2 and fence = $3 and state = 'submitting'
        "#,
        merchant.0,
        lease.batch.0,
        lease.fence,
        now,
        again
    )
    .execute(&mut **tx)
    .await?;
    ensure_held(lease, changed.rows_affected())
}

/// We stop on purpose: nothing is sent or freed until a person has looked.
pub(super) async fn stick(
    tx: &mut Tx,
    batch: crate::id::BatchId,
    fence: i64,
    why: &str,
    now: OffsetDateTime,
) -> anyhow::Result<()> {
    let merchant = tx.merchant();
    let changed = sqlx::query!(
        r#"
        update payout_batches
        set state = 'stuck',
            why = $4,
            doubted_at = coalesce(doubted_at, $5),
            look_at = null,
            changed_at = $5,
            owner = null
        where merchant_id = $1 and id = $2 and fence = $3 and state = 'submitting'
        "#,
        merchant.0,
        batch.0,
        fence,
        why,
        now
    )
    .execute(&mut **tx)
    .await?;
    ensure!(changed.rows_affected() == 1, "batch {batch} has moved on");
    Ok(())
}

async fn end_attempt(tx: &mut Tx, lease: Lease, outcome: &str, sent: &Sent, now: OffsetDateTime) -> sqlx::Result<()> {
    let merchant = tx.merchant();
    sqlx::query!(
        r#"
        update payout_attempts
        set ended_at = $4, outcome = $5, http_status = $6, debug_id = $7, evidence = $8
        where merchant_id = $1 and batch_id = $2 and fence = $3 and ended_at is null
        "#,
        merchant.0,
        lease.batch.0,
        lease.fence,
        now,
        outcome,
        sent.status.map(i32::from),
        sent.debug_id,
        sent.evidence
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

pub(super) fn ensure_held(lease: Lease, changed: u64) -> anyhow::Result<()> {
    ensure!(
        changed == 1,
        "the lease on batch {} was lost while it was being sent; another instance has it",
        lease.batch
    );
    Ok(())
}

/// Ends the sending of batches whose window has closed. What was never in doubt is due again; what is stays locked.
pub async fn expire(app: &App) -> anyhow::Result<()> {
    for expired in claim::expired(app).await? {
        let batch = expired.batch;
        match end_unsent(app, &expired).await {
            Ok(word) => tracing::error!(batch.id = %batch, "batch {batch}: {word}"),
            Err(error) => {
                tracing::error!(batch.id = %batch, "batch {batch} has expired and could not be ended: {error:#}");
            }
        }
    }
    Ok(())
}

async fn end_unsent(app: &App, expired: &Expired) -> anyhow::Result<&'static str> {
    let &Expired { merchant, batch, fence, doubted } = expired;
    let now = app.clock.now();
    let mut tx = app.database.merchant(merchant).await?;
    let word = if doubted {
        let why = "PayPal gave no answer for 29 days; whether it has this batch is not known";
        stick(&mut tx, batch, fence, why, now).await?;
        "stuck: the window for asking again has closed"
    } else {
        let refusal = Refusal {
            name: "NOT_SENT".into(),
            message: "It could not be sent for 29 days and was taken back.".into(),
            details: Vec::new(),
        };
        refuse(&mut tx, batch, fence, Source::Send, &refusal, &[], now).await?;
        "refused: not sent for 29 days"
    };
    tell(&mut tx, batch, Source::Send, word, None, now).await?;
    tx.commit().await?;
    Ok(word)
}
