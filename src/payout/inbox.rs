//! What PayPal tells by itself: verified, kept once, answered. It is a hint and changes no payout; [`super::hint`]
//! follows it. What did not arrive is fetched from PayPal's list.

use super::crash::crash_point;
use crate::app::App;
use crate::connection::{self, notifications};
use crate::database::Tx;
use crate::id::{ConnectionId, item_of};
use crate::paypal::signature::Transmission;
use crate::paypal::webhooks::Event;
use crate::paypal::{Authenticity, ReadError};
use notifications::Listening;
use reqwest::header::HeaderMap;
use time::{Duration, OffsetDateTime};

/// Pages of the list read in one go at most.
const MAX_PAGES: usize = 1000;
/// Listed anew before the last event that is known: its neighbours may have been lost.
const OVERLAP: Duration = Duration::minutes(10);
/// How far back the list is read at most.
const FURTHEST: Duration = Duration::days(29);

/// What a delivery came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Receipt {
    /// Kept, known already, or nothing to us. PayPal need not tell it again.
    Taken,
    /// No connection of this id listens.
    Nobody,
    /// Not from PayPal.
    Forged,
    /// It cannot be told now: PayPal shall try again.
    CannotTell,
}

/// Takes a delivery: five headers and the raw body, as they came.
pub async fn receive(app: &App, connection: ConnectionId, headers: &HeaderMap, body: &[u8]) -> anyhow::Result<Receipt> {
    let transmission = match Transmission::read(headers) {
        Ok(transmission) => transmission,
        Err(why) => return Ok(forged(connection, &why.to_string())),
    };
    let Some(listening) = notifications::listening(app, connection).await? else { return Ok(Receipt::Nobody) };
    // PayPal was asked to tell us and its answer has not been kept yet.
    let Some(webhook_id) = &listening.webhook_id else { return Ok(Receipt::CannotTell) };
    match app.paypal.authenticate(listening.environment, webhook_id, &transmission, body).await {
        Authenticity::Genuine => {}
        Authenticity::Forged(why) => return Ok(forged(connection, &why.to_string())),
        Authenticity::TooMany => return Ok(Receipt::CannotTell),
        Authenticity::AskPayPal(why) => {
            tracing::warn!(connection.id = %connection, "PayPal is asked about an event: {why}");
            match ask(app, &listening, &transmission, webhook_id, body).await? {
                Ok(true) => {}
                Ok(false) => return Ok(forged(connection, "PayPal says that it did not send it")),
                Err(error) => {
                    tracing::warn!(connection.id = %connection, "PayPal could not be asked about an event: {error}");
                    return Ok(Receipt::CannotTell);
                }
            }
        }
    }
    match Event::parse(body) {
        Some(event) if event.is_of_payouts() => {
            let mut tx = app.database.merchant(listening.merchant).await?;
            keep(&mut tx, connection, std::slice::from_ref(&event), app.clock.now()).await?;
            crash_point("before_event");
            tx.commit().await?;
            crash_point("after_event");
        }
        Some(_) | None => {}
    }
    Ok(Receipt::Taken)
}

fn forged(connection: ConnectionId, why: &str) -> Receipt {
    tracing::info!(connection.id = %connection, "an event was refused: {why}");
    Receipt::Forged
}

async fn ask(
    app: &App,
    listening: &Listening,
    transmission: &Transmission,
    webhook_id: &str,
    body: &[u8],
) -> anyhow::Result<Result<bool, ReadError>> {
    let mut tx = app.database.merchant(listening.merchant).await?;
    let credentials = connection::credentials(&mut tx, &app.vault, listening.connection).await?;
    drop(tx);
    let Some(credentials) = credentials else { return Ok(Err(ReadError::Refused("the connection is gone".into()))) };
    Ok(app.paypal.sent_by_paypal(&credentials, transmission, webhook_id, body).await)
}

/// Keeps what is not known yet.
async fn keep(tx: &mut Tx, connection: ConnectionId, events: &[Event], now: OffsetDateTime) -> sqlx::Result<()> {
    let merchant = tx.merchant();
    let ids: Vec<_> = events.iter().map(|event| event.id.clone()).collect();
    let kinds: Vec<_> = events.iter().map(|event| event.kind.clone()).collect();
    let created: Vec<_> = events.iter().map(|event| event.created_at).collect();
    let batches: Vec<_> = events.iter().map(|event| event.batch.as_ref().map(|batch| batch.0.clone())).collect();
    let names: Vec<_> = events.iter().map(|event| event.sender_batch_id.clone()).collect();
    let items: Vec<_> = events.iter().map(|event| Some(item_of(event.sender_item_id.as_deref()?)?.0)).collect();
    sqlx::query!(
        r#"
        insert into paypal_events (
            merchant_id, id, connection_id, kind, created_at, received_at, paypal_batch_id, sender_batch_id, item_id
        )
        select $1, n.id, $2, n.kind, n.created_at, $3, n.paypal_batch_id, n.sender_batch_id, n.item_id
        from unnest($4::text[], $5::text[], $6::timestamptz[], $7::text[], $8::text[], $9::uuid[])
            as n (id, kind, created_at, paypal_batch_id, sender_batch_id, item_id)
        on conflict do nothing
        "#,
        merchant.0,
        connection.0,
        now,
        &ids,
        &kinds,
        &created as &[Option<OffsetDateTime>],
        &batches as &[Option<String>],
        &names as &[Option<String>],
        &items as &[Option<uuid::Uuid>]
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// After silence, fetches what PayPal told meanwhile from its list. False when no list was due.
pub async fn fetch_missed(app: &App) -> anyhow::Result<bool> {
    let Some(listening) = notifications::to_list(app).await? else { return Ok(false) };
    match list(app, &listening).await? {
        Ok(0) => {}
        Ok(fetched) => {
            tracing::info!(connection.id = %listening.connection, "PayPal's list of events was read: {fetched} of payouts");
        }
        // The time of the next look is set already.
        Err(error) => {
            let connection = listening.connection;
            tracing::warn!(connection.id = %connection, "PayPal's list of events could not be read: {error}");
        }
    }
    Ok(true)
}

async fn list(app: &App, listening: &Listening) -> anyhow::Result<Result<usize, ReadError>> {
    let now = app.clock.now();
    let mut tx = app.database.merchant(listening.merchant).await?;
    let credentials = connection::credentials(&mut tx, &app.vault, listening.connection).await?;
    let known = last_known(&mut tx, listening).await?;
    drop(tx);
    let Some(credentials) = credentials else { return Ok(Err(ReadError::Refused("the connection is gone".into()))) };
    let since = (known.unwrap_or(now) - OVERLAP).max(now - FURTHEST);
    let (mut next, mut fetched) = (None, 0);
    for _ in 0..MAX_PAGES {
        let page = match app.paypal.events(&credentials, since, now, next.as_ref()).await {
            Ok(page) => page,
            Err(error) => return Ok(Err(error)),
        };
        let events: Vec<Event> = page.events.into_iter().filter(Event::is_of_payouts).collect();
        fetched += events.len();
        let mut tx = app.database.merchant(listening.merchant).await?;
        keep(&mut tx, listening.connection, &events, now).await?;
        tx.commit().await?;
        match page.next {
            Some(following) if next.as_ref() != Some(&following) => next = Some(following),
            Some(_) | None => break,
        }
    }
    let mut tx = app.database.merchant(listening.merchant).await?;
    notifications::listed(&mut tx, listening.connection, now).await?;
    tx.commit().await?;
    Ok(Ok(fetched))
}

/// The last thing that is known to have been told: the last list that was read to its end, or the last event that came
/// while lists were read in time. What came later may be the first of many that PayPal tries again.
async fn last_known(tx: &mut Tx, listening: &Listening) -> sqlx::Result<Option<OffsetDateTime>> {
    let merchant = tx.merchant();
    sqlx::query_scalar!(
        r#"
        select greatest(
            c.events_listed_at,
            (
                select max(e.received_at)
                from paypal_events e
                where e.merchant_id = c.merchant_id and e.connection_id = c.id and e.received_at < $3
            )
        ) as known
        from connections c
        where c.merchant_id = $1 and c.id = $2
        "#,
        merchant.0,
        listening.connection.0,
        listening.events_look_at
    )
    .fetch_one(&mut **tx)
    .await
}
