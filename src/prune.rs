//! What nobody needs any more, removed in small portions by a step of the worker.
//!
//! Rows are taken with `skip locked` and lock nothing else, so nobody waits for this and two instances share the work.
//! It looks across all merchants, so this file takes on the installation's role.

use crate::app::App;
use time::{Duration, OffsetDateTime};

/// Rows that one portion removes at most.
const PORTION: i64 = 5000;
/// Events are a protection against their own repetition: PayPal tries for three days, and its list of events, which we
/// read at most 29 days back, reaches 30. One that is told even later is a hint again, and costs one reading.
const EVENTS: Duration = Duration::days(45);
/// Mails that ended are kept for whoever asks what was sent.
const MAILS: Duration = Duration::days(90);
/// What somebody ticked and never paid. Nobody comes back to that review.
const SELECTIONS: Duration = Duration::days(30);

/// Removes one portion of each. False when there was no full one.
pub async fn next(app: &App) -> anyhow::Result<bool> {
    let now = app.clock.now();
    let removed = [events(app, now).await?, mails(app, now).await?, selection(app, now).await?];
    Ok(removed.iter().any(|rows| *rows >= PORTION))
}

/// The last event of a connection stays: it says when PayPal last told us anything.
async fn events(app: &App, now: OffsetDateTime) -> sqlx::Result<i64> {
    let mut tx = app.database.installation().await?;
    let removed = sqlx::query_scalar!(
        r#"
        with old as (
            select e.merchant_id, e.id
            from paypal_events e
            where e.handled_at < $1
                and exists (
                    select from paypal_events n
                    where n.merchant_id = e.merchant_id
                        and n.connection_id = e.connection_id
                        and n.received_at > e.received_at
                )
            order by e.handled_at
            limit $2
            for update skip locked
        ),
        gone as (
            delete from paypal_events e
            using old
            where e.merchant_id = old.merchant_id and e.id = old.id
            returning 1
        )
        select count(*) as "removed!" from gone
        "#,
        now - EVENTS,
        PORTION
    )
    .fetch_one(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(removed)
}

/// A mail is told once because its row is there, so it stays as long as what it tells of can come about again: while its
/// payment is still on its way. An item that is paid or unpaid comes to neither a second time, the version of an
/// affiliate's address only grows, and news is told under an id of its own.
async fn mails(app: &App, now: OffsetDateTime) -> sqlx::Result<i64> {
    let mut tx = app.database.installation().await?;
    let removed = sqlx::query_scalar!(
        r#"
        with old as (
            select m.merchant_id, m.id
            from mails m
            where m.ended_at < $1
                and not exists (
                    select from payout_items i
                    where i.merchant_id = m.merchant_id and i.id = m.item_id and i.state in ('queued', 'open')
                )
            order by m.ended_at
            limit $2
            for update skip locked
        ),
        gone as (
            delete from mails m
            using old
            where m.merchant_id = old.merchant_id and m.id = old.id
            returning 1
        )
        select count(*) as "removed!" from gone
        "#,
        now - MAILS,
        PORTION
    )
    .fetch_one(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(removed)
}

/// Lines of the oldest selection that was never paid, and itself with the last of them. A draft holds its selection's
/// row, so that none is taken apart while it is being paid; one that comes later finds it changed, or gone.
async fn selection(app: &App, now: OffsetDateTime) -> sqlx::Result<i64> {
    let mut tx = app.database.installation().await?;
    let removed = sqlx::query_scalar!(
        r#"
        with old as (
            select s.merchant_id, s.id
            from selections s
            where s.created_at < $1
                and not exists (select from payout_requests r where r.merchant_id = s.merchant_id and r.id = s.id)
            order by s.created_at
            limit 1
            for update skip locked
        ),
        chosen as (
            select c.merchant_id, c.selection_id, c.commission_id
            from selected_commissions c
            join old on old.merchant_id = c.merchant_id and old.id = c.selection_id
            limit $2
        ),
        lines as (
            delete from selected_commissions c
            using chosen
            where c.merchant_id = chosen.merchant_id
                and c.selection_id = chosen.selection_id
                and c.commission_id = chosen.commission_id
            returning 1
        ),
        gone as (
            delete from selections s
            using old
            where s.merchant_id = old.merchant_id and s.id = old.id and (select count(*) from lines) < $2
            returning 1
        )
        select count(*) + (select count(*) from gone) * $2 as "removed!" from lines
        "#,
        now - SELECTIONS,
        PORTION
    )
    .fetch_one(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(removed)
}
