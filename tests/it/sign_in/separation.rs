//! Nothing of one merchant is ever visible to another: the wall behind the queries.

use crate::support::site::Site;
use sqlx::{AssertSqlSafe, Row};
use stipend::affiliate::{self, Raw};
use stipend::audit::Actor;
use stipend::id::{AffiliateId, MerchantId};

async fn affiliate_of(site: &Site, merchant: MerchantId, code: &str) -> AffiliateId {
    let mut tx = site.app.database.merchant(merchant).await.unwrap();
    let actor = Actor { person: None, address: None, at: site.app.clock.now() };
    let details = Raw { code: code.into(), ..Raw::default() }.parse().unwrap();
    let id = affiliate::add(&mut tx, &actor, &details).await.unwrap().unwrap();
    tx.commit().await.unwrap();
    id
}

/// Every table with rows of merchants, and the column that says whose they are.
async fn tables(site: &Site) -> Vec<(String, &'static str)> {
    let named: Vec<String> = sqlx::query_scalar(
        "select c.relname::text from pg_class c
        join pg_attribute a on a.attrelid = c.oid and a.attname = 'merchant_id' and not a.attisdropped
        where c.relkind in ('r', 'p') and c.relnamespace = 'public'::regnamespace
        order by 1",
    )
    .fetch_all(site.app.database.pool())
    .await
    .unwrap();
    named.into_iter().map(|table| (table, "merchant_id")).chain([("merchants".to_owned(), "id")]).collect()
}

#[tokio::test]
async fn every_table_of_merchants_is_walled_off() {
    let site = Site::empty().await;
    let tables = tables(&site).await;
    assert!(tables.len() >= 18, "{tables:?}");
    for (table, column) in tables {
        let row = sqlx::query(
            "select c.relrowsecurity and c.relforcerowsecurity as walled,
                (select count(*) from pg_policy p where p.polrelid = c.oid) as policies,
                (select count(*) from pg_policy p
                    where p.polrelid = c.oid and 'stipend_merchant'::regrole = any(p.polroles)
                    and pg_get_expr(p.polqual, p.polrelid) = format('(%s = ( SELECT current_merchant() AS current_merchant))', $2)
                    and pg_get_expr(p.polwithcheck, p.polrelid) = format('(%s = ( SELECT current_merchant() AS current_merchant))', $2)) as own,
                (select count(*) from pg_policy p where p.polrelid = c.oid and p.polroles = '{0}') as public
            from pg_class c where c.oid = $1::text::regclass",
        )
        .bind(&table)
        .bind(column)
        .fetch_one(site.app.database.pool())
        .await
        .unwrap();
        assert!(row.get::<bool, _>("walled"), "{table}");
        assert_eq!((row.get::<i64, _>("policies"), row.get::<i64, _>("own")), (2, 1), "{table}");
        assert_eq!(row.get::<i64, _>("public"), 0, "{table}");
    }
}

#[tokio::test]
async fn a_query_that_forgets_its_merchant_still_sees_nothing_of_another() {
    let site = Site::empty().await;
    let (ours, theirs) = (site.merchant("Acme").await, site.merchant("Globex").await);
    site.person("ada@acme.example", "Acme", stipend::role::Role::Admin).await;
    site.person("homer@globex.example", "Globex", stipend::role::Role::Admin).await;
    let mine = affiliate_of(&site, ours, "A-1").await;
    let other = affiliate_of(&site, theirs, "G-1").await;

    let mut tx = site.app.database.merchant(ours).await.unwrap();
    let seen: Vec<uuid::Uuid> = sqlx::query_scalar("select id from affiliates").fetch_all(&mut *tx).await.unwrap();
    assert_eq!(seen, [mine.0]);
    let changed = sqlx::query("update affiliates set first_name = 'Mallory'").execute(&mut *tx).await.unwrap();
    assert_eq!(changed.rows_affected(), 1, "ours alone");
    let people: Vec<String> = sqlx::query_scalar("select email from people").fetch_all(&mut *tx).await.unwrap();
    assert_eq!(people, ["ada@acme.example"], "also people are those of the merchant");
    sqlx::query("select password_hash from people").execute(&mut *tx).await.unwrap_err();
    drop(tx);

    for (table, column) in tables(&site).await {
        let mut tx = site.app.database.merchant(ours).await.unwrap();
        let sql = format!("select count(*) from {table} where {column} <> $1");
        let foreign: i64 = sqlx::query_scalar(AssertSqlSafe(sql)).bind(ours.0).fetch_one(&mut *tx).await.unwrap();
        assert_eq!(foreign, 0, "{table}");
    }
    let mut tx = site.app.database.merchant(ours).await.unwrap();
    let smuggled = sqlx::query(
        "insert into affiliates (merchant_id, id, code, created_at, updated_at) values ($1, $2, 'X', now(), now())",
    )
    .bind(theirs.0)
    .bind(uuid::Uuid::now_v7())
    .execute(&mut *tx)
    .await;
    assert!(smuggled.unwrap_err().to_string().contains("row-level security"));
    drop(tx);
    let mut tx = site.app.database.merchant(theirs).await.unwrap();
    let theirs = affiliate::find(&mut tx, other).await.unwrap().unwrap();
    assert_eq!((theirs.first_name.as_str(), theirs.version), ("", 1), "untouched");
    assert!(affiliate::find(&mut tx, mine).await.unwrap().is_none());
}

#[tokio::test]
async fn another_merchants_affiliate_answers_like_a_missing_one() {
    let site = Site::staffed().await;
    let globex = site.merchant("Globex").await;
    let theirs = affiliate_of(&site, globex, "G-1").await;
    let missing = AffiliateId::new();
    let client = site.signed_in("admin@example.com").await;
    let token = client.open("/affiliates").await.form("/sign-out").value("token").unwrap().to_owned();
    for path in ["", "/payments", "/edit"] {
        let (foreign, nobodys) = (
            client.get(&format!("/affiliates/{theirs}{path}")).await,
            client.get(&format!("/affiliates/{missing}{path}")).await,
        );
        assert_eq!((foreign.status, foreign.body), (404, nobodys.body), "{path}");
    }
    for path in ["", "/archival", "/restoration"] {
        let fields = [("token", token.as_str()), ("version", "1"), ("code", "MINE")];
        let foreign = client.post(&format!("/affiliates/{theirs}{path}"), &fields).await;
        let nobodys = client.post(&format!("/affiliates/{missing}{path}"), &fields).await;
        assert_eq!((foreign.status, foreign.body), (404, nobodys.body), "{path}");
    }
    let switch = client.post("/merchant", &[("token", &token), ("merchant", &globex.to_string())]).await;
    assert_eq!(switch.status, 404, "nobody works for a merchant that they do not belong to");
    let list = client.open(&format!("/affiliates?status=all&after={theirs}")).await;
    assert!(!list.text().contains("G-1"));
}
