//! Sessions: how they begin, how they end, and how many guesses there are.

use crate::support::client::{Client, Page};
use crate::support::site::{PASSWORD, Site};
use stipend::role::Role;
use time::Duration;

const COOKIE: &str = "stipend_session";

async fn try_in(client: &Client, email: &str, password: &str) -> Page {
    let page = client.open("/sign-in").await;
    client.submit(&page, "/sign-in", &[("email", email), ("password", password)]).await
}

async fn is_in(client: &Client) -> bool {
    let page = client.get("/affiliates").await;
    assert!([200, 303].contains(&page.status), "{}", page.body);
    page.status == 200
}

#[tokio::test]
async fn signing_in_leads_to_the_page_that_was_asked_for() {
    let site = Site::staffed().await;
    let client = site.stranger();
    let page = client.open("/affiliates?q=ada").await;
    assert!(page.url.starts_with("/sign-in?next="), "{}", page.url);
    let page = client.submit(&page, "/sign-in", &[("email", "Viewer@Example.com"), ("password", PASSWORD)]).await;
    assert_eq!((page.status, page.url.as_str()), (200, "/affiliates?q=ada"));

    let elsewhere = site.stranger();
    let page = elsewhere.open("/sign-in?next=//evil.example/").await;
    let answer =
        elsewhere.submit_once(&page, "/sign-in", &[("email", "viewer@example.com"), ("password", PASSWORD)]).await;
    assert_eq!((answer.status, answer.header("location")), (303, "/"));
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_email_look_the_same() {
    let site = Site::staffed().await;
    let wrong = try_in(&site.stranger(), "viewer@example.com", "guess").await;
    let unknown = try_in(&site.stranger(), "nobody@example.com", "guess").await;
    assert_eq!((wrong.status, unknown.status), (422, 422));
    assert_eq!(wrong.text(), unknown.text());
    assert_eq!(wrong.form("/sign-in").value("email"), Some("viewer@example.com"), "what was typed is kept");
    assert!(!wrong.body.contains("guess"));
}

#[tokio::test]
async fn a_session_gets_a_new_id_at_sign_in() {
    let site = Site::staffed().await;
    let client = site.stranger();
    client.open("/sign-in").await;
    let before = client.cookie(COOKIE).unwrap();
    try_in(&client, "viewer@example.com", PASSWORD).await;
    let after = client.cookie(COOKIE).unwrap();
    assert_ne!(before, after);
    let planted = site.stranger();
    planted.set_cookie(COOKIE, &before);
    assert!(!is_in(&planted).await, "the id from before signing in opens nothing");
    assert!(is_in(&client).await);
    let invented = site.stranger();
    invented.set_cookie(COOKIE, "AAAAAAAAAAAAAAAAAAAAAA");
    assert_eq!(invented.open("/sign-in").await.status, 200);
    assert_ne!(
        invented.cookie(COOKIE).unwrap(),
        "AAAAAAAAAAAAAAAAAAAAAA",
        "an id that we did not give is not taken on"
    );
}

#[tokio::test]
async fn the_cookie_is_kept_from_scripts_and_other_sites() {
    let site = Site::with(|app| app.public_url = Some("https://payouts.example.com".into())).await;
    site.merchant("Acme").await;
    site.person("viewer@example.com", "Acme", Role::Viewer).await;
    let page = site.stranger().get("/sign-in").await;
    let cookie = page.header("set-cookie");
    for part in ["HttpOnly", "SameSite=Lax", "Secure", "Path=/"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(cookie.starts_with("__Host-stipend_session=") && !cookie.contains("Domain"), "{cookie}");
    assert!(page.header("strict-transport-security").contains("max-age"));
    let plain = Site::staffed().await;
    assert!(!plain.stranger().get("/sign-in").await.header("set-cookie").contains("Secure"), "or nobody could sign in");
}

#[tokio::test]
async fn signing_out_ends_the_session_everywhere() {
    let site = Site::staffed().await;
    let client = site.signed_in("viewer@example.com").await;
    let copy = site.stranger();
    copy.set_cookie(COOKIE, &client.cookie(COOKIE).unwrap());
    assert!(is_in(&copy).await);
    let page = client.open("/affiliates").await;
    let page = client.submit(&page, "/sign-out", &[]).await;
    assert_eq!(page.url, "/sign-in");
    assert!(!is_in(&client).await && !is_in(&copy).await);
}

#[tokio::test]
async fn an_idle_session_ends() {
    let site = Site::staffed().await;
    let client = site.signed_in("viewer@example.com").await;
    for hours in [1, 2, 3] {
        site.app.clock.set_offset(Duration::minutes(hours * 100));
        assert!(is_in(&client).await, "a session in use goes on");
    }
    site.app.clock.set_offset(Duration::minutes(300 + 121));
    assert!(!is_in(&client).await);
}

#[tokio::test]
async fn no_session_outlives_half_a_day() {
    let site = Site::staffed().await;
    let client = site.signed_in("viewer@example.com").await;
    for hour in 1..12 {
        site.app.clock.set_offset(Duration::hours(hour));
        assert!(is_in(&client).await, "after {hour} hours");
    }
    site.app.clock.set_offset(Duration::hours(12));
    assert!(!is_in(&client).await);
    let page = try_in(&client, "viewer@example.com", PASSWORD).await;
    assert_eq!(page.status, 200, "and signing in again works: {}", page.text());
}

#[tokio::test]
async fn who_guesses_has_to_wait() {
    let site = Site::staffed().await;
    for _ in 0..5 {
        assert_eq!(try_in(&site.stranger(), "viewer@example.com", "guess").await.status, 422);
    }
    let page = try_in(&site.stranger(), "VIEWER@example.com", PASSWORD).await;
    assert_eq!(page.status, 429, "the right password does not help any more");
    assert!(page.text().contains("Wait 15 minutes"), "{}", page.text());
    assert_eq!(try_in(&site.stranger(), "admin@example.com", PASSWORD).await.status, 200, "others are not locked out");
    site.app.clock.set_offset(Duration::minutes(16));
    assert_eq!(try_in(&site.stranger(), "viewer@example.com", PASSWORD).await.status, 200);
    for _ in 0..4 {
        try_in(&site.stranger(), "viewer@example.com", "guess").await;
    }
    assert_eq!(try_in(&site.stranger(), "viewer@example.com", PASSWORD).await.status, 200);
    for _ in 0..5 {
        let page = try_in(&site.stranger(), "viewer@example.com", "guess").await;
        assert_eq!(page.status, 422, "after a success the count begins anew");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn guesses_at_the_same_moment_are_counted_too() {
    let site = Site::staffed().await;
    let tries = (0..20).map(async |_| {
        let client = site.stranger();
        try_in(&client, "viewer@example.com", "guess").await.status
    });
    let statuses = futures_util::future::join_all(tries).await;
    assert_eq!(statuses.iter().filter(|status| **status == 422).count(), 5, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 429).count(), 15);
}

#[tokio::test]
async fn one_address_cannot_try_everybody() {
    let site = Site::staffed().await;
    for number in 0..30 {
        assert_eq!(try_in(&site.stranger(), &format!("{number}@example.com"), "guess").await.status, 422);
    }
    assert_eq!(try_in(&site.stranger(), "viewer@example.com", PASSWORD).await.status, 429);
}

#[tokio::test]
async fn what_a_visitor_says_of_their_address_does_not_count() {
    let site = Site::staffed().await;
    let client = site.stranger();
    let token = client.open("/sign-in").await.form("/sign-in").value("token").unwrap().to_owned();
    let body = format!("token={token}&email=admin%40example.com&password={}", PASSWORD.replace(' ', "+"));
    let form = ("content-type", "application/x-www-form-urlencoded");
    // The proxy puts its own entry behind what the visitor sent.
    let forwarded = ("x-forwarded-for", "198.51.100.66, 203.0.113.9");
    assert_eq!(client.post_raw("/sign-in", &[form, forwarded], body).await.status, 303);
    let entries = client.get("/audit.csv").await.body;
    assert!(entries.contains(",203.0.113.9,") && !entries.contains("198.51.100.66"), "{entries}");
}

#[tokio::test]
async fn the_database_keeps_no_session_id_and_nothing_typed() {
    let site = Site::staffed().await;
    let client = site.signed_in("viewer@example.com").await;
    try_in(&site.stranger(), "my-password-by-mistake", "guess").await;
    let mut tx = site.app.database.installation().await.unwrap();
    let kept: Vec<String> =
        sqlx::query_scalar("select s::text from sessions s union all select f::text from sign_in_failures f")
            .fetch_all(&mut *tx)
            .await
            .unwrap();
    assert!(kept.len() >= 2);
    let id = client.cookie(COOKIE).unwrap();
    assert!(!kept.iter().any(|row| row.contains(&id) || row.contains("mistake")), "{kept:?}");
}
