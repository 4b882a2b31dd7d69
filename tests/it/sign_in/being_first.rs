//! Setting up an empty installation.

use crate::support::client::{Client, Page};
use crate::support::site::{PASSWORD, Site};
use stipend::admin;

/// An empty site with a master key, and the code that its log would show.
async fn fresh() -> (Site, String) {
    let site = Site::empty().await;
    let folder = crate::support::program::DataFolder::new(crate::support::program::RunAs::Us);
    let key = folder.outer().join("master.key");
    admin::open_vault(&site.app.database, &site.app.clock, &key).await.unwrap();
    let code = admin::setup_code(&site.app.database).await.unwrap().unwrap();
    (site, code)
}

async fn set_up(client: &Client, code: &str, email: &str, change: &[(&str, &str)]) -> Page {
    let page = client.open("/").await;
    assert_eq!(page.url, "/setup", "an empty installation begins with its set-up");
    let mut fill = vec![
        ("code", code),
        ("merchant", "Acme"),
        ("time_zone", "Europe/Berlin"),
        ("name", "Ada"),
        ("email", email),
        ("password", PASSWORD),
        ("again", PASSWORD),
    ];
    fill.retain(|(name, _)| !change.iter().any(|(changed, _)| changed == name));
    fill.extend(change);
    client.submit(&page, "/setup", &fill).await
}

async fn people(site: &Site) -> i64 {
    let mut tx = site.app.database.installation().await.unwrap();
    sqlx::query_scalar("select count(*) from people").fetch_one(&mut *tx).await.unwrap()
}

#[tokio::test]
async fn a_stranger_cannot_be_first_without_the_code() {
    let (site, code) = fresh().await;
    for wrong in ["", "AAAA-AAAA", "' or true --"] {
        let page = set_up(&site.stranger(), wrong, "mallory@example.com", &[]).await;
        assert_eq!(page.status, 422, "{}", page.body);
        assert!(page.text().contains("This is not the code"), "{}", page.text());
        assert_eq!(page.form("/setup").value("merchant"), Some("Acme"), "what was typed is kept");
        assert!(!page.body.contains(PASSWORD), "but no password");
    }
    assert_eq!(people(&site).await, 0);
    let client = site.stranger();
    let page = set_up(&client, &code, "ada@example.com", &[]).await;
    assert_eq!(page.status, 200);
    assert!(
        page.text().contains("you are its first admin") && page.text().contains("admin of Acme"),
        "{}",
        page.text()
    );
    assert_eq!(client.get("/installation/legacy").await.status, 200, "and an administrator of the installation");
    assert_eq!(site.stranger().open("/setup").await.url, "/sign-in", "there is no second first");
}

#[tokio::test]
async fn everything_wrong_with_the_first_form_is_said() {
    let (site, code) = fresh().await;
    let change = [("merchant", " "), ("time_zone", "Berlin"), ("password", "short"), ("again", "short")];
    let page = set_up(&site.stranger(), &code, "ada", &change).await;
    assert_eq!(page.status, 422);
    assert!(page.text().starts_with("Error:"), "{}", page.text());
    for field in ["merchant", "time_zone", "email", "password"] {
        assert!(page.body.contains(&format!("id=\"wrong-{field}\"")), "{field} has a message");
    }
    let page = set_up(&site.stranger(), &code, "ada@example.com", &[("again", "another password")]).await;
    assert!(page.body.contains("id=\"wrong-again\""));
    assert_eq!(people(&site).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_set_ups_race_and_one_wins() {
    let (site, code) = fresh().await;
    let (one, other) = (site.stranger(), site.stranger());
    let (one, other) = tokio::join!(
        set_up(&one, &code, "ada@example.com", &[]),
        set_up(&other, &code, "grace@example.com", &[("merchant", "Globex")])
    );
    let mut outcomes = [one.status, other.status];
    outcomes.sort_unstable();
    assert_eq!(outcomes, [200, 409], "{} {}", one.text(), other.text());
    assert_eq!(people(&site).await, 1);
}

#[tokio::test]
async fn who_guesses_the_code_has_to_wait() {
    let (site, code) = fresh().await;
    for _ in 0..5 {
        assert!(set_up(&site.stranger(), "AAAA-AAAA", "eve@example.com", &[]).await.text().contains("not the code"));
    }
    let late = set_up(&site.stranger(), &code, "eve@example.com", &[]).await;
    assert!(late.text().contains("Too many attempts failed. Wait 15 minutes"), "{}", late.text());
    assert_eq!(people(&site).await, 0);
}

#[tokio::test]
async fn a_time_zone_is_that_of_a_place() {
    let (site, code) = fresh().await;
    for zone in ["localtime", "posixrules", "Factory", "EST5EDT"] {
        let page = set_up(&site.stranger(), &code, "ada@example.com", &[("time_zone", zone)]).await;
        assert!(page.body.contains("id=\"wrong-time_zone\""), "{zone}");
    }
}
