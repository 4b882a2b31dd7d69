//! What is owed, recomputed: whatever is kept beside the commissions for speed must equal it.

use stipend::app::App;
use stipend::id::MerchantId;

/// `owed` and its tally are what the commissions and their allocations say, to the row and to the cent.
pub async fn check_books(app: &App, merchant: MerchantId) {
    let mut tx = app.database.merchant(merchant).await.unwrap();
    let wrong: i64 = sqlx::query_scalar(
        "with should as (
            select c.id, c.affiliate_id, c.currency, c.due_on, c.amount from commissions c
            where c.merchant_id = $1 and c.cancelled_at is null and c.paid_before_on is null and not exists (
                select from allocations l
                where l.merchant_id = c.merchant_id and l.commission_id = c.id and l.released_at is null)
        ), kept as (
            select commission_id, affiliate_id, currency, due_on, amount from owed where merchant_id = $1
        )
        select count(*) from ((table should except table kept) union all (table kept except table should)) as differing",
    )
    .bind(merchant)
    .fetch_one(&mut *tx)
    .await
    .unwrap();
    assert_eq!(wrong, 0, "owed is not what the commissions say");
    let wrong: i64 = sqlx::query_scalar(
        "with should as (
            select currency, due_on, count(*) as commissions, sum(amount) as amount from owed
            where merchant_id = $1 group by currency, due_on
        ), kept as (
            select currency, due_on, commissions, amount from owed_tally where merchant_id = $1 and commissions > 0
        )
        select count(*) from ((table should except table kept) union all (table kept except table should)) as differing",
    )
    .bind(merchant)
    .fetch_one(&mut *tx)
    .await
    .unwrap();
    assert_eq!(wrong, 0, "the tally is not the sum of what is owed");
}
