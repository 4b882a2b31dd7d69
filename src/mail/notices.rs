//! Mails that time alone brings about: reminders of money that waits to be accepted, and the merchant's gathered news.
//!
//! Both look across all merchants for those who have some, so this file takes on the installation's role for that.

use crate::app::App;
use crate::database::Tx;
use crate::id::MerchantId;
use serde_json::json;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

/// News of one batch come close together.
const GATHER: Duration = Duration::minutes(2);
/// At most one mail with news in this time.
const BETWEEN: Duration = Duration::hours(1);

/// Writes the mails that are due by now. False: there is never more to do at once.
pub async fn next(app: &App) -> anyhow::Result<bool> {
    if app.carrier.is_none() {
        return Ok(false);
    }
    let now = app.clock.now();
    let (unclaimed, news) = with_some(app, now).await?;
    for merchant in unclaimed {
        let mut tx = app.database.merchant(merchant).await?;
        remind(&mut tx, now).await?;
        tx.commit().await?;
    }
    for merchant in news {
        let mut tx = app.database.merchant(merchant).await?;
        gather(&mut tx, now).await?;
        tx.commit().await?;
    }
    Ok(false)
}

/// Who has money that waits, and who has news.
async fn with_some(app: &App, now: OffsetDateTime) -> sqlx::Result<(Vec<MerchantId>, Vec<MerchantId>)> {
    let mut tx = app.database.installation().await?;
    let unclaimed = sqlx::query_scalar!(
        r#"select distinct merchant_id as "merchant: MerchantId" from payout_items where wait = 'unclaimed' and changed_at <= $1"#,
        now - Duration::days(1)
    )
    .fetch_all(&mut *tx)
    .await?;
    let news = sqlx::query_scalar!(
        r#"select distinct merchant_id as "merchant: MerchantId" from mail_news where at <= $1"#,
        now - GATHER
    )
    .fetch_all(&mut *tx)
    .await?;
    Ok((unclaimed, news))
}

/// One reminder each for days 1, 14 and 25. Where several were missed, only the last is written.
async fn remind(tx: &mut Tx, now: OffsetDateTime) -> sqlx::Result<()> {
    let merchant = tx.merchant();
    sqlx::query!(
        r#"
        insert into mails (merchant_id, id, kind, about, recipient, affiliate_id, item_id, created_at, due_at)
        select i.merchant_id, gen_random_uuid(), 'unclaimed', format('unclaimed %s, day %s', i.id, d.day),
            coalesce(a.email, a.receiver), a.id, i.id, $2, $2
        from payout_items i
        join mails_wanted w on w.merchant_id = i.merchant_id and w.kind = 'unclaimed'
        join affiliates a on a.merchant_id = i.merchant_id and a.id = i.affiliate_id
        cross join lateral (
            select max(day) as day
            from unnest(array[1, 14, 25]) day
            where i.changed_at <= $2::timestamptz - make_interval(days => day)
        ) d
        where i.merchant_id = $1
            and i.wait = 'unclaimed'
            and d.day is not null
            and i.changed_at > $2::timestamptz - interval '30 days'
            and coalesce(a.email, a.receiver) is not null
        on conflict do nothing
        "#,
        merchant.0,
        now
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// One line of news.
struct News {
    what: String,
    batch: Option<i64>,
    items: i64,
}

/// Makes one mail of all news, for each who is to hear it; not sooner than an hour after the one before.
async fn gather(tx: &mut Tx, now: OffsetDateTime) -> sqlx::Result<()> {
    let merchant = tx.merchant();
    let news = sqlx::query_as!(
        News,
        r#"
        with taken as (
            delete from mail_news
            where merchant_id = $1
                and not exists (
                    select from mails m where m.merchant_id = $1 and m.kind = 'attention' and m.created_at > $2
                )
            returning what, batch_id, items
        )
        select t.what as "what!", b.number as "batch?", sum(t.items)::bigint as "items!"
        from taken t
        left join payout_batches b on b.merchant_id = $1 and b.id = t.batch_id
        group by t.what, b.number
        order by b.number nulls first, t.what
        "#,
        merchant.0,
        now - BETWEEN
    )
    .fetch_all(&mut **tx)
    .await?;
    if news.is_empty() {
        return Ok(());
    }
    let lines: Vec<String> = news.iter().map(News::words).collect();
    sqlx::query!(
        r#"
        insert into mails (merchant_id, id, kind, about, recipient, details, created_at, due_at)
        select $1, gen_random_uuid(), 'attention', format('news %s, to %s', $2::uuid, lower(r.email)), r.email, $3, $4, $4
        from mails_wanted w
        left join mail_kinds s on s.merchant_id = $1 and s.kind = 'attention'
        cross join lateral (
            select s.recipient as email
            where s.recipient is not null
            union
            select p.email
            from memberships m
            join people p on p.id = m.person_id
            where m.merchant_id = $1 and m.role = 'admin' and m.deactivated_at is null and s.recipient is null
        ) r
        where w.merchant_id = $1 and w.kind = 'attention'
        "#,
        merchant.0,
        Uuid::now_v7(),
        json!({ "news": lines.join("\n") }),
        now
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

impl News {
    fn words(&self) -> String {
        let payments = match self.items {
            1 => "1 payment".to_owned(),
            many => format!("{many} payments"),
        };
        let words = match self.what.as_str() {
            "failed" => format!("{payments} failed. The amounts are due again."),
            "returned" => format!("{payments} came back unaccepted. The amounts are due again."),
            "blocked" => format!("{payments} stopped by PayPal. Ask PayPal, then decide what becomes of the amounts."),
            "refunded" => format!("{payments} sent back by the recipient. Decide what becomes of the amounts."),
            "reversed" => format!("{payments} taken back by PayPal. Decide what becomes of the amounts."),
            "batch_denied" | "batch_canceled" => {
                format!("PayPal paid nothing of {payments}. The amounts are due again.")
            }
            "refused" => format!("PayPal did not take this batch of {payments}. The amounts are due again."),
            "stuck" => format!(
                "Whether PayPal has this batch of {payments} is not known, and we have stopped. Nothing of it is paid \
                 again before you have looked."
            ),
            "paused" => "PayPal takes no payments at the moment. Yours wait, and nothing is lost.".to_owned(),
            _ => format!("PayPal shows something about {payments} that does not fit. Look at them."),
        };
        match self.batch {
            Some(number) => format!("- Batch {number}: {words}"),
            None => format!("- {words}"),
        }
    }
}
