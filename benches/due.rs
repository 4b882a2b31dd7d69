//! G3: the page of what is due, whole pages over HTTP, by name and by amount.

use crate::{RUNS, data, median, tell, timed};
use sqlx::Executor;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use stipend::app::App;
use stipend::clock::Clock;
use stipend::database::Database;
use stipend::id::InstanceId;
use stipend::password;
use stipend::paypal::{Client, DropZone};
use stipend::vault::Vault;

const CLIENTS: usize = 16;

pub async fn measure(database: &Database) {
    let (_, person) = data::merchant(database, 100_000, 1_000_000, 0).await;
    let hash = password::hash(&"bench bench bench".to_owned().into()).unwrap();
    let mut tx = database.installation().await.unwrap();
    sqlx::query("update people set password_hash = $1 where id = $2")
        .bind(hash)
        .bind(person)
        .execute(&mut *tx)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let site = serve(database).await;
    let browser = sign_in(&site, &format!("{person}@example.com")).await;

    let by_name = format!("{site}/affiliate_payments/pay?sort=name");
    let mut pages = Vec::new();
    for _ in 0..50 {
        pages.push(timed(page(&browser, &by_name)).await.0);
    }
    println!("G3: by name, one client, median: {:.3?} (goal 3 ms)", median(pages));
    let mut times = Vec::new();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let (browser, by_name) = (browser.clone(), by_name.clone());
            tokio::spawn(async move {
                // The first pages wait for the pool to open its connections, once.
                page(&browser, &by_name).await;
                let mut times = Vec::new();
                for _ in 0..50 {
                    times.push(timed(page(&browser, &by_name)).await.0);
                }
                times
            })
        })
        .collect();
    for client in clients {
        times.extend(client.await.unwrap());
    }
    times.sort();
    println!("G3: by name, {CLIENTS} clients, 99th percentile: {:.3?} (goal 40 ms)", times[times.len() * 99 / 100]);

    let (mut limits, mut by_amount) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let mut connection = database.pool().acquire().await.unwrap();
        let sum = "select affiliate_id, sum(amount) from owed group by affiliate_id order by 2 desc limit 50";
        limits.push(timed(connection.execute(sum)).await.0);
        drop(connection);
        by_amount.push(timed(page(&browser, &format!("{site}/affiliate_payments/pay"))).await.0);
    }
    let limit = median(limits);
    println!("L5: sums per affiliate over 1,000,000 commissions: {limit:.3?}");
    tell("G3", "by amount", median(by_amount), limit, 1.5);
}

async fn page(browser: &reqwest::Client, url: &str) {
    let answer = browser.get(url).send().await.unwrap();
    assert!(answer.status().is_success());
    let body = answer.text().await.unwrap();
    assert!(body.contains("Currently Due") && body.contains("data-row"));
}

async fn serve(database: &Database) -> String {
    let clock = Clock::system();
    let http = reqwest::Client::builder().build().unwrap();
    let app = App {
        database: database.clone(),
        vault: Vault::new(&[7; 32]),
        paypal: Client::new(http, None, clock.clone()),
        dropzone: DropZone::new(true, None),
        clock,
        carrier: None,
        public_url: None,
        listens_at: None,
        demo: None,
        instance: InstanceId::new(),
        wake: Arc::default(),
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let site = format!("http://{}", listener.local_addr().unwrap());
    let router = stipend::web::router(app).into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    site
}

async fn sign_in(site: &str, email: &str) -> reqwest::Client {
    let browser = reqwest::Client::builder().cookie_store(true).timeout(Duration::from_secs(60)).build().unwrap();
    let form = browser.get(format!("{site}/sign-in")).send().await.unwrap().text().await.unwrap();
    let token = form.split("name=\"token\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let fields = [("token", token.as_str()), ("email", email), ("password", "bench bench bench")];
    let landed = browser.post(format!("{site}/sign-in")).form(&fields).send().await.unwrap();
    assert!(landed.status().is_success() && !landed.url().path().contains("sign-in"));
    browser
}
