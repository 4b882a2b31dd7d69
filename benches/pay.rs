//! G5, G6 and G8: from the click to the durable draft, and to every item accepted, against claiming by UPDATE.

use crate::{RUNS, data, median, tell, timed};
use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};
use sqlx::Executor;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use stipend::app::App;
use stipend::audit::Actor;
use stipend::clock::Clock;
use stipend::connection;
use stipend::database::Database;
use stipend::id::InstanceId;
use stipend::payout::draft::{Ask, How, draft};
use stipend::payout::review;
use stipend::payout::selection::{self, Filter, Ticked};
use stipend::payout::submit;
use stipend::paypal::{Client, Credentials, DropZone, Environment};
use stipend::vault::Vault;

const AFFILIATES: i64 = 10_000;
const COMMISSIONS: i64 = 100_000;

pub async fn measure(database: &Database) {
    let paid: i64 = std::env::var("PAID").ok().and_then(|text| text.parse().ok()).unwrap_or(0);
    let (mut limits, mut choices, mut drafts, mut accepted) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let posts = Arc::new(AtomicUsize::new(0));
    let stand_in = stand_in(posts.clone()).await;
    for run in 0..RUNS {
        let (merchant, person) =
            data::merchant(database, AFFILIATES, COMMISSIONS, if run == 0 { paid } else { 0 }).await;
        limits.push(limit(database).await);
        let clock = Clock::system();
        let http = reqwest::Client::builder().build().unwrap();
        let app = App {
            database: database.clone(),
            vault: Vault::new(&[7; 32]),
            paypal: Client::new(http, Some(stand_in.clone()), clock.clone()),
            dropzone: DropZone::new(true, None),
            clock,
            carrier: None,
            public_url: None,
            listens_at: None,
            demo: None,
            instance: InstanceId::new(),
            wake: Arc::default(),
        };
        let actor = Actor { person: Some(person), address: None, at: app.clock.now() };
        let details = Credentials {
            environment: Environment::Simulator,
            client_id: "bench".into(),
            secret: "bench".to_owned().into(),
        };
        connection::save(&app, merchant, &actor, &details).await.unwrap().unwrap();
        let (choosing, (request, seen)) = timed(async {
            let everything = Ticked::AllBut { filter: Filter::default(), except: Vec::new(), payable_only: true };
            let mut tx = database.merchant(merchant).await.unwrap();
            let request =
                selection::select(&mut tx, &actor, app.clock.today("UTC"), &everything).await.unwrap().unwrap();
            let seen = review::load(&mut tx, request, (0, 200), actor.at).await.unwrap().unwrap().seen();
            tx.commit().await.unwrap();
            (request, seen)
        })
        .await;
        choices.push(choosing);
        let ask = Ask { request, actor, how: How::PayPal, subject: String::new(), message: String::new(), seen };
        let (drafting, batches) = timed(draft(&app, merchant, &ask)).await;
        assert_eq!(batches.unwrap().len(), 1);
        drafts.push(drafting);
        let (sending, sent) = timed(submit::next(&app)).await;
        assert!(sent.unwrap());
        accepted.push(drafting + sending);
    }
    let limit = median(limits);
    println!("L8: claiming {COMMISSIONS} commissions by UPDATE: {limit:.3?}");
    println!("    select all and open the review: {:.3?}", median(choices));
    tell("G5", "click to durable draft", median(drafts), limit, 1.0);
    tell("G6", "click to accepted, the stand-in taking 200 ms", median(accepted), Duration::from_secs(2), 1.0);
    println!("G8: {} POST for {RUNS} batches of {AFFILIATES} items", posts.load(Ordering::Relaxed));
}

/// The same claim by updating the commissions themselves, with the indexes they would need.
async fn limit(database: &Database) -> Duration {
    let mut connection = database.pool().acquire().await.unwrap();
    connection
        .execute(
            "drop table if exists claimed;
            create table claimed (id uuid primary key, affiliate_id uuid not null, reference text not null unique,
                amount numeric(16, 2) not null, due_on date not null, status text not null, item_id uuid);
            create index claimed_due on claimed (affiliate_id, due_on) include (amount) where status = 'due';
            insert into claimed select gen_random_uuid(), md5((n % 10000)::text)::uuid, 'r' || n, 12.34, current_date, 'due', null
                from generate_series(1, 100000) n;
            analyze claimed",
        )
        .await
        .unwrap();
    timed(connection.execute("update claimed set status = 'paying', item_id = affiliate_id where status = 'due'"))
        .await
        .0
}

/// PayPal as far as this needs it: a token, and every batch accepted after 200 ms.
async fn stand_in(posts: Arc<AtomicUsize>) -> String {
    let create = async |State(posts): State<Arc<AtomicUsize>>| {
        let number = posts.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(200)).await;
        format!(
            r#"{{"batch_header":{{"payout_batch_id":"BENCH{number}{}","batch_status":"PENDING"}}}}"#,
            std::process::id()
        )
    };
    let router = Router::new()
        .route(
            "/v1/oauth2/token",
            post(async || {
                r#"{"access_token":"t","token_type":"Bearer","expires_in":30000,"scope":"https://uri.paypal.com/payments/payouts"}"#
            }),
        )
        .route("/v1/payments/payouts", post(create))
        .route("/v1/payments/payouts/{id}", get(async || axum::http::StatusCode::NOT_FOUND))
        .layer(axum::extract::DefaultBodyLimit::max(64 << 20))
        .with_state(posts);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    url
}
