//! Reminding merchants of the upgrade, one or many at a time.

use crate::app::App;
use crate::audit::{self, Actor};
use crate::connection::legacy::tell_admins;
use crate::id::MerchantId;
use serde_json::json;
use time::Duration;

/// Nobody is reminded more often, however often the button is pressed.
const BETWEEN: Duration = Duration::days(1);

const NEWS: &str = "Your PayPal connection uses PayPal’s old Mass Pay service, through which no payments can be sent any \
                    more. Upgrade it to keep paying your affiliates from here: make an app in PayPal’s developer \
                    dashboard, and enter its Client ID and Secret. Until then you can mark payments as paid or export a \
                    file. The connection you have stays until the new one is confirmed.";

/// What came of reminding some merchants.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reminded {
    /// Merchants whose admins get a mail.
    pub told: u32,
    /// Merchants that were reminded within the last day, or need no upgrade any more.
    pub passed_over: u32,
    /// Merchants without an admin, or that want no such mail.
    pub nobody: u32,
}

/// Writes the mails. Each merchant in a transaction of its own: whoever was told is told, whatever becomes of the others.
pub async fn remind(
    app: &App,
    actor: &Actor,
    merchants: impl IntoIterator<Item = MerchantId>,
) -> sqlx::Result<Reminded> {
    let mut reminded = Reminded::default();
    for merchant in merchants {
        let mut tx = app.database.merchant(merchant).await?;
        let due = sqlx::query!(
            r#"
            update connections
            set reminded_at = $2
            where merchant_id = $1
                and kind = 'legacy_masspay'
                and in_force
                and (reminded_at is null or reminded_at <= $3)
            "#,
            merchant.0,
            actor.at,
            actor.at - BETWEEN
        )
        .execute(&mut *tx)
        .await?;
        if due.rows_affected() == 0 {
            reminded.passed_over += 1;
            continue;
        }
        let about = format!("reminder of {}", actor.at.unix_timestamp_nanos());
        let mails = tell_admins(&mut tx, &about, NEWS, true, actor).await?;
        if mails == 0 {
            reminded.nobody += 1;
            continue;
        }
        let told = json!({ "mails": mails });
        audit::record(&mut tx, actor, "reminded of the upgrade", "PayPal connection", told).await?;
        tx.commit().await?;
        reminded.told += 1;
    }
    app.wake.notify_waiters();
    Ok(reminded)
}
