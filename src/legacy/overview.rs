//! What the administrator of the installation sees of merchants with a legacy connection: how far each upgrade is, and one
//! sum a currency of what is due. No affiliate, no commission, no payment.

use crate::app::App;
use crate::connection::Outcome;
use crate::id::MerchantId;
use crate::money::Currency;
use crate::paypal::Environment;
use rust_decimal::Decimal;
use sqlx::PgConnection;
use time::{Date, OffsetDateTime};
use uuid::Uuid;

/// How far a merchant's upgrade is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Nobody has entered a Client ID and Secret.
    NotBegun,
    /// They were entered then, and the check broke off or goes on.
    Checking(OffsetDateTime),
    /// PayPal did not confirm them.
    Failed(Outcome, OffsetDateTime),
    /// Done.
    Upgraded(OffsetDateTime),
    /// The merchant has disconnected the legacy connection.
    Disconnected,
}

/// Which merchants are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// All that have or had a legacy connection.
    All,
    /// Those that are still to be upgraded.
    Open,
    /// Of those, the ones whose last check failed.
    Failed,
    /// Those that are.
    Upgraded,
}

impl Which {
    /// Every filter, in the order of the page.
    pub const ALL: [Which; 4] = [Which::All, Which::Open, Which::Failed, Which::Upgraded];

    /// As it stands in addresses.
    pub fn code(self) -> &'static str {
        match self {
            Which::All => "all",
            Which::Open => "open",
            Which::Failed => "failed",
            Which::Upgraded => "upgraded",
        }
    }
}

/// One merchant.
#[derive(Debug, Clone)]
pub struct Row {
    /// Its id.
    pub merchant: MerchantId,
    /// Its name.
    pub name: String,
    /// Whether the money of its legacy connection is real.
    pub environment: Environment,
    /// Since when it has that.
    pub since: OffsetDateTime,
    /// How far it is.
    pub stage: Stage,
    /// The day of its last payment.
    pub last_paid: Option<Date>,
    /// What is due today, one sum a currency.
    pub due: Vec<(Currency, Decimal)>,
    /// When its admins were last reminded.
    pub reminded_at: Option<OffsetDateTime>,
}

/// How many merchants are how far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// All that have or had a legacy connection.
    pub all: i64,
    /// Still to be upgraded.
    pub open: i64,
    /// Of those, the ones whose last check failed.
    pub failed: i64,
    /// Upgraded.
    pub upgraded: i64,
}

impl Progress {
    /// How many one filter shows.
    pub fn of(&self, which: Which) -> i64 {
        match which {
            Which::All => self.all,
            Which::Open => self.open,
            Which::Failed => self.failed,
            Which::Upgraded => self.upgraded,
        }
    }
}

/// The figures above the list.
pub async fn progress(app: &App) -> sqlx::Result<Progress> {
    let mut tx = app.database.installation().await?;
    sqlx::query_as!(
        Progress,
        r#"
        select
            count(*) as "all!",
            count(*) filter (where l.in_force) as "open!",
            count(*) filter (where l.in_force and c.state = 'failed') as "failed!",
            count(*) filter (where l.upgraded_at is not null) as "upgraded!"
        from connections l
        left join connection_candidates c on c.merchant_id = l.merchant_id and c.state in ('checking', 'failed')
        where l.kind = 'legacy_masspay'
        "#
    )
    .fetch_one(&mut *tx)
    .await
}

/// A page of the list: those to be upgraded first, by name.
pub async fn list(app: &App, which: Which, from: i64, limit: i64) -> sqlx::Result<Vec<Row>> {
    let mut tx = app.database.installation().await?;
    fetch(&mut tx, which, None, from, limit, app.clock.now()).await
}

/// One merchant, if it has or had a legacy connection.
pub async fn one(app: &App, merchant: MerchantId) -> sqlx::Result<Option<Row>> {
    let mut tx = app.database.installation().await?;
    Ok(fetch(&mut tx, Which::All, Some(merchant), 0, 1, app.clock.now()).await?.pop())
}

/// All that are still to be upgraded.
pub async fn open(app: &App) -> sqlx::Result<Vec<MerchantId>> {
    let mut tx = app.database.installation().await?;
    sqlx::query_scalar!(
        r#"
        select merchant_id as "merchant: MerchantId"
        from connections
        where kind = 'legacy_masspay' and in_force
        order by merchant_id
        "#
    )
    .fetch_all(&mut *tx)
    .await
}

/// The merchant of this name.
pub async fn named(app: &App, name: &str) -> sqlx::Result<Option<MerchantId>> {
    Ok(super::import::merchants(&app.database).await?.get(&super::import::key_of(name)).copied())
}

async fn fetch(
    tx: &mut PgConnection,
    which: Which,
    merchant: Option<MerchantId>,
    from: i64,
    limit: i64,
    now: OffsetDateTime,
) -> sqlx::Result<Vec<Row>> {
    let rows = sqlx::query!(
        r#"
        select
            m.id as "merchant: MerchantId", m.name, l.environment as "environment: Environment", l.connected_at,
            l.in_force, l.upgraded_at, l.reminded_at, c.state as "state?", c.outcome as "outcome?: Outcome",
            coalesce(c.checked_at, c.saved_at) as tried_at,
            (
                select p.paid_on
                from paid_sums p
                where p.merchant_id = m.id
                group by p.paid_on
                having sum(p.payments) > 0
                order by p.paid_on desc
                limit 1
            ) as last_paid
        from connections l
        join merchants m on m.id = l.merchant_id
        left join connection_candidates c on c.merchant_id = l.merchant_id and c.state in ('checking', 'failed')
        where l.kind = 'legacy_masspay'
            and ($1::uuid is null or m.id = $1)
            and case $2::text
                when 'open' then l.in_force
                when 'failed' then l.in_force and c.state = 'failed'
                when 'upgraded' then l.upgraded_at is not null
                else true
            end
        order by l.in_force desc, lower(m.name), m.id
        offset $3
        limit $4
        "#,
        merchant.map(|merchant| merchant.0),
        which.code(),
        from,
        limit
    )
    .fetch_all(&mut *tx)
    .await?;
    let merchants: Vec<_> = rows.iter().map(|row| row.merchant.0).collect();
    let sums = due(tx, &merchants, now).await?;
    Ok(rows
        .into_iter()
        .map(|row| Row {
            due: sums
                .iter()
                .filter(|(of, ..)| *of == row.merchant)
                .map(|(_, currency, sum)| (*currency, *sum))
                .collect(),
            merchant: row.merchant,
            name: row.name,
            environment: row.environment,
            since: row.connected_at,
            stage: match (row.upgraded_at, row.in_force, row.outcome, row.tried_at) {
                (Some(at), ..) => Stage::Upgraded(at),
                (None, false, ..) => Stage::Disconnected,
                (None, true, Some(outcome), Some(at)) if row.state.as_deref() == Some("failed") => {
                    Stage::Failed(outcome, at)
                }
                (None, true, _, Some(at)) => Stage::Checking(at),
                (None, true, _, None) => Stage::NotBegun,
            },
            last_paid: row.last_paid,
            reminded_at: row.reminded_at,
        })
        .collect())
}

/// What is due to all affiliates of each merchant on its today.
async fn due(
    tx: &mut PgConnection,
    merchants: &[Uuid],
    now: OffsetDateTime,
) -> sqlx::Result<Vec<(MerchantId, Currency, Decimal)>> {
    let sums = sqlx::query!(
        r#"
        select t.merchant_id as "merchant: MerchantId", t.currency as "currency: Currency", sum(t.amount) as "amount!"
        from owed_tally t
        join merchant_zones z on z.merchant_id = t.merchant_id
        where t.merchant_id = any($1) and t.due_on <= ($2::timestamptz at time zone z.zone)::date
        group by t.merchant_id, t.currency
        having sum(t.amount) > 0
        order by t.merchant_id, t.currency
        "#,
        merchants,
        now
    )
    .fetch_all(tx)
    .await?;
    Ok(sums.into_iter().map(|sum| (sum.merchant, sum.currency, sum.amount)).collect())
}
