//! Taking an unclaimed item back. The wish is committed; the next reading of the batch asks PayPal for it, under the same
//! lease, and then reads as always: only what it reads moves the item and frees its commissions.
//!
//! A wish ends by the item not being unclaimed any more, whichever way that came about, or by an answer after which
//! asking again would change nothing. Silence, a crash and a second person cost nothing: cancelling twice cancels once.

use super::batch::resend_after;
use super::crash::crash_point;
use super::lease::Lease;
use super::manual::TooLate;
use super::reconcile::ensure_held;
use super::store::Source;
use crate::app::App;
use crate::audit::{self, Actor};
use crate::database::Tx;
use crate::id::{BatchId, ItemId, MerchantId};
use crate::paypal::{Cancellation, Credentials, PayPalItemId};
use anyhow::Context;
use serde_json::json;
use time::{Duration, OffsetDateTime};

/// Items that PayPal is asked to take back before the batch is read; the rest after it.
const AT_A_TIME: usize = 50;
/// PayPal said that an item is cancelled and still shows it as unclaimed: it is asked again then.
const SHOWN_LATE: Duration = Duration::minutes(15);

/// A person wishes that an unclaimed item be taken back, or all of a batch. Tells how many were not asked for before.
pub async fn ask(
    app: &App,
    merchant: MerchantId,
    actor: &Actor,
    batch: BatchId,
    item: Option<ItemId>,
) -> anyhow::Result<Result<u64, TooLate>> {
    let mut tx = app.database.merchant(merchant).await?;
    let here = sqlx::query_scalar!(
        r#"select 1 as "one!" from payout_batches where merchant_id = $1 and id = $2 and rail = 'api' and state = 'accepted' for update"#,
        merchant.0,
        batch.0
    )
    .fetch_optional(&mut *tx)
    .await?;
    let person = actor.person.context("only a person takes a payment back")?;
    let asked = match here {
        Some(_) => write_wish(&mut tx, actor.at, person, batch, item).await?,
        None => 0,
    };
    if asked == 0 {
        return Ok(Err(TooLate));
    }
    // A reading in hand finds the wish when it settles; without one the batch is read at once.
    sqlx::query!(
        "update payout_batches set look_at = $3 where merchant_id = $1 and id = $2 and owner is null",
        merchant.0,
        batch.0,
        actor.at
    )
    .execute(&mut *tx)
    .await?;
    let object = item.map_or_else(|| format!("batch {batch}"), |item| format!("payment {item}"));
    audit::record(&mut tx, actor, "asked PayPal to take back", &object, json!({ "payments": asked })).await?;
    tx.commit().await?;
    app.wake.notify_waiters();
    Ok(Ok(asked))
}

async fn write_wish(
    tx: &mut Tx,
    now: OffsetDateTime,
    person: crate::id::PersonId,
    batch: BatchId,
    item: Option<ItemId>,
) -> sqlx::Result<u64> {
    let merchant = tx.merchant();
    let (source, by) = Source::Person(person).columns();
    let asked = sqlx::query!(
        r#"
        with asked as (
            update payout_items
            set cancel_asked_at = $3, cancel_asked_by = $4, cancel_at = $3, cancel_tries = 0, cancel_said = null
            where merchant_id = $1
                and batch_id = $2
                and wait = 'unclaimed'
                and paypal_item_id is not null
                and cancel_at is null
                and ($5::uuid is null or id = $5)
            returning id
        )
        insert into payout_history (merchant_id, batch_id, item_id, at, source, person_id, was, became)
        select $1, $2, id, $3, $6, $4, 'UNCLAIMED', 'asked PayPal to take it back'
        from asked
        "#,
        merchant.0,
        batch.0,
        now,
        by,
        item.map(|item| item.0),
        source
    )
    .execute(&mut **tx)
    .await?;
    Ok(asked.rows_affected())
}

/// A wish whose time has come.
struct Wish {
    item: ItemId,
    paypal: PayPalItemId,
    tries: i32,
}

/// Asks PayPal for what people wish of this batch, one after the other.
pub(super) async fn carry_out(app: &App, lease: Lease, credentials: &Credentials) -> anyhow::Result<()> {
    for _ in 0..AT_A_TIME {
        let Some(wish) = next(app, lease).await? else { break };
        crash_point("before_cancel");
        let answer = app.paypal.cancel_item(credentials, &wish.paypal).await;
        crash_point("after_cancel");
        keep(app, lease, &wish, &answer).await?;
    }
    Ok(())
}

/// The wish that has waited longest. Before PayPal is asked, the time of the next try is set: a crash must not ask in a
/// hurry.
async fn next(app: &App, lease: Lease) -> anyhow::Result<Option<Wish>> {
    let now = app.clock.now();
    let mut tx = app.database.merchant(lease.merchant).await?;
    ensure_held(&mut tx, lease).await?;
    let wish = sqlx::query_as!(
        Wish,
        r#"
        select id as "item: ItemId", paypal_item_id as "paypal!: PayPalItemId", cancel_tries + 1 as "tries!"
        from payout_items
        where merchant_id = $1 and batch_id = $2 and wait = 'unclaimed' and cancel_at <= $3
        order by cancel_at, id
        limit 1
        "#,
        lease.merchant.0,
        lease.batch.0,
        now
    )
    .fetch_optional(&mut *tx)
    .await?;
    if let Some(wish) = &wish {
        sqlx::query!(
            "update payout_items set cancel_tries = $3, cancel_at = $4 where merchant_id = $1 and id = $2",
            lease.merchant.0,
            wish.item.0,
            wish.tries,
            now + resend_after(wish.tries)
        )
        .execute(&mut *tx)
        .await?;
    }
    tx.commit().await?;
    Ok(wish)
}

/// Keeps what PayPal answered: for people, and for whether it is asked again.
async fn keep(app: &App, lease: Lease, wish: &Wish, answer: &Cancellation) -> anyhow::Result<()> {
    let now = app.clock.now();
    let (said, again) = match answer {
        Cancellation::Done(said) => (said, Some(now + SHOWN_LATE)),
        Cancellation::Later(said) => (said, Some(now + resend_after(wish.tries))),
        Cancellation::Over(said) => (said, None),
    };
    tracing::info!(batch.id = %lease.batch, item.id = %wish.item, "asked to take back item {}, PayPal says {said}", wish.item);
    let mut tx = app.database.merchant(lease.merchant).await?;
    ensure_held(&mut tx, lease).await?;
    sqlx::query!(
        r#"
        with kept as (
            update payout_items
            set cancel_at = $4, cancel_said = $5
            where merchant_id = $1 and id = $3 and cancel_said is distinct from $5
            returning id
        ),
        unchanged as (
            update payout_items
            set cancel_at = $4
            where merchant_id = $1 and id = $3 and cancel_said = $5
        )
        insert into payout_history (merchant_id, batch_id, item_id, at, source, was, became, evidence)
        select $1, $2, id, $6, 'read', 'UNCLAIMED', 'PayPal was asked to take it back', $5
        from kept
        "#,
        lease.merchant.0,
        lease.batch.0,
        wish.item.0,
        again,
        said,
        now
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(())
}
