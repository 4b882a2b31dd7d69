//! Seeded data, set-based.

use sqlx::AssertSqlSafe;
use stipend::database::Database;
use stipend::id::{MerchantId, PersonId};

/// A merchant with one person, `affiliates` affiliates and `commissions` commissions, due in the past.
pub async fn merchant(database: &Database, affiliates: i64, commissions: i64, paid: i64) -> (MerchantId, PersonId) {
    let (merchant, person) = (MerchantId::new(), PersonId::new());
    let mut tx = database.installation().await.unwrap();
    let statements = [
        format!("insert into merchants (id, name, time_zone, created_at) values ('{merchant}', 'Bench', 'UTC', now())"),
        format!("insert into people (id, email, password_hash, created_at) values ('{person}', '{person}@example.com', '', now())"),
        format!("insert into memberships (merchant_id, person_id, role, created_at) values ('{merchant}', '{person}', 'admin', now())"),
        format!(
            "insert into affiliates (merchant_id, id, email, first_name, last_name, created_at, updated_at)
            select '{merchant}', md5('{merchant} affiliate ' || n)::uuid, 'p' || n || '@example.com', 'First ' || md5(n::text), 'Last', now(), now()
            from generate_series(1, {affiliates}) n"
        ),
        format!(
            "with new as (
                insert into commissions (merchant_id, id, affiliate_id, amount, currency, due_on, reference, created_at)
                select '{merchant}', md5('{merchant} commission ' || n)::uuid, md5('{merchant} affiliate ' || (n % {affiliates} + 1))::uuid,
                    (n % 9000 + 100) / 100.0, 'USD', current_date - (n % 90)::int, 'order-' || n, now()
                from generate_series(1, {commissions}) n
                returning merchant_id, id, affiliate_id, currency, due_on, amount
            )
            insert into owed (merchant_id, commission_id, affiliate_id, currency, due_on, amount)
            select merchant_id, id, affiliate_id, currency, due_on, amount from new"
        ),
        format!(
            "insert into commissions (merchant_id, id, affiliate_id, amount, currency, due_on, reference, paid_before_on, created_at)
            select '{merchant}', md5('{merchant} paid ' || n)::uuid, md5('{merchant} affiliate ' || (n % {affiliates} + 1))::uuid,
                12.34, 'USD', current_date - 400, 'paid-' || n, current_date - 300, now()
            from generate_series(1, {paid}) n"
        ),
    ];
    for statement in statements {
        sqlx::query(AssertSqlSafe(statement)).execute(&mut *tx).await.unwrap();
    }
    tx.commit().await.unwrap();
    sqlx::query("vacuum analyze").execute(database.pool()).await.unwrap();
    (merchant, person)
}
