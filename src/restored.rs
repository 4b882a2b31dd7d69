//! `stipend restored --since TIME`: after a backup was restored, and before the first start. What follows is in
//! `payout/restoration`.

use crate::admin;
use crate::audit::{Actor, record_for};
use crate::database::Database;
use crate::id::MerchantId;
use crate::payout::restoration::STOPPED;
use crate::presence;
use anyhow::ensure;
use serde_json::json;
use sqlx::PgConnection;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Every merchant who can pay through PayPal stops paying. Says how many there are.
pub async fn begin(database: &Database, since: OffsetDateTime, now: OffsetDateTime) -> anyhow::Result<String> {
    ensure!(since < now, "the time of the backup, {}, has not come yet", since.format(&Rfc3339)?);
    let mut tx = admin::begin(database).await?;
    ensure!(
        presence::running(database, now).await? == 0,
        "an instance runs, or was killed within the last half minute; stop it first, since it may be paying right now"
    );
    stop(&mut tx, since, now).await?;
    let merchants = sqlx::query_scalar!(
        r#"
        insert into restorations (merchant_id, id, since, told_at, look_at)
        select m.id, gen_random_uuid(), $1, $2, $2
        from merchants m
        where exists (select from connections c where c.merchant_id = m.id)
            or exists (select from dropzones d where d.merchant_id = m.id)
        on conflict (merchant_id) where signed_at is null
            do update set since = least(restorations.since, excluded.since), told_at = excluded.told_at,
                look_at = excluded.look_at, events_at = null
        returning merchant_id as "merchant: MerchantId"
        "#,
        since,
        now
    )
    .fetch_all(&mut *tx)
    .await?;
    let actor = Actor { person: None, address: None, at: now };
    for merchant in &merchants {
        let details = json!({ "since": since.format(&Rfc3339)? });
        record_for(&mut tx, *merchant, &actor, "restored from a backup", &format!("merchant {merchant}"), details)
            .await?;
    }
    tx.commit().await?;
    Ok(format!(
        "{} paused until what PayPal did since {} is matched and signed off, on the page “Restored backup”",
        if merchants.len() == 1 {
            "1 merchant stays".to_owned()
        } else {
            format!("{} merchants stay", merchants.len())
        },
        since.format(&Rfc3339)?
    ))
}

/// What PayPal had not answered was perhaps answered since, in any way, and its commissions perhaps paid otherwise: it
/// stops until PayPal's own list shows it or people say what became of it. Sending it again under its name, as after any
/// other doubt, would pay twice what PayPal refused and another payment then paid. One that shows no attempt counts as
/// attempted at the time of the backup.
async fn stop(tx: &mut PgConnection, since: OffsetDateTime, now: OffsetDateTime) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        with perhaps as (
            update payout_batches
            set fence = fence + 1, attempts = 1, first_attempt_at = $1
            where state = 'ready' and rail in ('api', 'file') and attempts = 0
            returning merchant_id, id, fence
        )
        insert into payout_attempts (merchant_id, batch_id, fence, owner, started_at)
        select merchant_id, id, fence, gen_random_uuid(), $1 from perhaps
        "#,
        since
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!(
        r#"
        with stopped as (
            update payout_batches
            set state = 'stuck', why = $3, doubted_at = coalesce(doubted_at, $1), fence = fence + 1, look_at = null,
                owner = null, changed_at = $2
            where state in ('ready', 'submitting') and rail in ('api', 'file')
            returning merchant_id, id
        )
        insert into payout_history (merchant_id, batch_id, at, source, became)
        select merchant_id, id, $2, 'send', 'stuck: ' || $3 from stopped
        "#,
        since,
        now,
        STOPPED
    )
    .execute(&mut *tx)
    .await?;
    // What PayPal has is read anew: money that came back meanwhile is due, and another payment may have paid it.
    sqlx::query!(
        r#"
        with folders as (
            update dropzones set look_at = $1 where private_key is not null
        )
        update payout_batches set look_at = $1 where state = 'accepted' and rail = 'api'
        "#,
        now
    )
    .execute(&mut *tx)
    .await?;
    Ok(())
}
