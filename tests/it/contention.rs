//! What happens at the same time: people who pay beside each other, a connection that goes meanwhile, clocks that
//! disagree, and a bug in one batch beside all others.

use crate::support::world::{World, everything};
use stipend::connection;
use stipend::money::Currency;
use stipend::payout::draft::{DraftError, How, draft};
use stipend::payout::selection::{DueRow, Ticked};
use stipend::payout::submit;
use stipend::worker;
use time::Duration;
use tokio_util::sync::CancellationToken;

fn row(world: &World, email: &str) -> Ticked {
    let row = DueRow { affiliate: world.affiliates[email], currency: Currency::USD };
    Ticked::These { rows: vec![row], commissions: vec![] }
}

#[tokio::test]
async fn people_who_pay_different_affiliates_at_once_all_succeed() {
    let mut world = World::connected().await;
    let emails: Vec<String> = (0..8).map(|n| format!("a{n}@example.com")).collect();
    let mut asks = Vec::new();
    for email in &emails {
        world.owe(email, &["10.00"]).await;
        asks.push(world.review(&row(&world, email), How::PayPal).await);
    }
    let drafts = asks.iter().map(|ask| draft(&world.app, world.merchant, ask));
    for outcome in futures_util::future::join_all(drafts).await {
        assert_eq!(outcome.unwrap().len(), 1);
    }
    world.settle().await;
    assert_eq!(world.standings().await["paid"], 8);
    world.check().await;
}

#[tokio::test]
async fn a_payment_that_waits_for_a_disconnect_finds_no_connection() {
    let mut world = World::connected().await;
    world.owe("a@example.com", &["10.00"]).await;
    let ask = world.review(&everything(), How::PayPal).await;
    // A change of the connection holds the merchant while the draft arrives.
    let mut change = world.tx().await;
    sqlx::query("select from merchants where id = $1 for update")
        .bind(world.merchant)
        .execute(&mut *change)
        .await
        .unwrap();
    let waiting = tokio::spawn({
        let (app, merchant) = (world.app.clone(), world.merchant);
        async move { draft(&app, merchant, &ask).await }
    });
    let waits = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
    while sqlx::query_scalar::<_, i64>(waits).fetch_one(world.app.database.pool()).await.unwrap() == 0 {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    sqlx::query("update connections set in_force = false, secret = null where merchant_id = $1")
        .bind(world.merchant)
        .execute(&mut *change)
        .await
        .unwrap();
    change.commit().await.unwrap();
    assert!(matches!(waiting.await.unwrap(), Err(DraftError::NoConnection)));
    assert_eq!(world.standings().await["owed"], 1);
    world.check().await;
}

#[tokio::test]
async fn a_payment_and_a_disconnect_at_once_never_leave_a_batch_without_its_connection() {
    for _ in 0..6 {
        let mut world = World::connected().await;
        world.owe("a@example.com", &["10.00"]).await;
        let ask = world.review(&everything(), How::PayPal).await;
        let actor = world.actor();
        let (paid, gone) = tokio::join!(
            draft(&world.app, world.merchant, &ask),
            connection::disconnect(&world.app, world.merchant, &actor)
        );
        assert!(paid.is_ok() != gone.unwrap().is_ok(), "one of the two has to give way");
        world.settle().await;
        world.check().await;
    }
}

#[tokio::test]
async fn an_instance_whose_clock_is_wrong_neither_sends_nor_gives_up() {
    let mut world = World::connected().await;
    world.owe("a@example.com", &["10.00"]).await;
    world.pay_all().await;
    // Another day in the database than here: clock_timestamp() of this database runs an hour ahead.
    let mut connection = world.app.database.pool().acquire().await.unwrap();
    sqlx::raw_sql(
        "create function public.clock_timestamp() returns timestamptz language sql
            as 'select pg_catalog.clock_timestamp() + interval ''1 hour''';
        grant execute on function public.clock_timestamp to public",
    )
    .execute(&mut *connection)
    .await
    .unwrap();
    let database =
        sqlx::query_scalar::<_, String>("select current_database()").fetch_one(&mut *connection).await.unwrap();
    sqlx::query(sqlx::AssertSqlSafe(format!("alter database {database} set search_path = public, pg_catalog")))
        .execute(&mut *connection)
        .await
        .unwrap();
    drop(connection);
    let wrong = stipend::database::Database::connect(&world.site.database_url).await.unwrap();
    let app = stipend::app::App { database: wrong, ..world.another_instance() };
    assert!(submit::next(&app).await.unwrap_err().to_string().contains("set the clock"));
    assert!(submit::expire(&app).await.unwrap_err().to_string().contains("set the clock"));
    assert_eq!(world.calls("create").await, 0);
    assert_eq!(world.standings().await["paying"], 1);
}

#[tokio::test]
async fn a_bug_in_one_batch_does_not_stop_the_others() {
    let mut world = World::connected().await;
    world.owe("a@example.com", &["10.00"]).await;
    let broken = world.pay_all().await[0];
    let mut connection = world.app.database.pool().acquire().await.unwrap();
    sqlx::raw_sql(
        "begin; set local session_replication_role = replica; update payout_batches set body = '{', body_sha256 = sha256('{'); commit",
    )
    .execute(&mut *connection)
    .await
    .unwrap();
    drop(connection);
    world.owe("b@example.com", &["20.00"]).await;
    world.advance(Duration::seconds(1));
    world.pay_all().await;
    let stop = CancellationToken::new();
    let working = tokio::spawn(worker::run(world.app.clone(), stop.clone()));
    for _ in 0..400 {
        if world.standings().await.contains_key("paid") {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        world.advance(Duration::milliseconds(500));
    }
    stop.cancel();
    working.await.unwrap();
    assert_eq!(world.paid().await["b@example.com"].0, 1);
    assert_eq!(world.batch(broken).await.0, "submitting", "what is broken stays in doubt");
}
