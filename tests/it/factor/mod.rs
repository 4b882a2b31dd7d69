//! The second factor: set up, asked for, asked for anew, lost; and the account that it belongs to.

mod account;
mod codes;
mod fresh;
mod in_a_browser;
mod required;
mod reset;

use crate::support::client::{Client, Page};
use crate::support::site::{PASSWORD, Site};
use time::Duration;
use totp_rs::{Builder, Secret, Totp};

/// An app on somebody's phone.
pub struct Phone(Totp);

impl Phone {
    /// Types the key from the page.
    pub fn with(key: &str) -> Self {
        let key: String = key.chars().filter(|c| !c.is_whitespace()).collect();
        Self(Builder::new().with_secret(Secret::try_from_base32(key).unwrap()).build().unwrap())
    }

    /// What it shows so much later.
    pub fn shows_in(&self, site: &Site, later: Duration) -> String {
        let at = site.app.clock.now() + later;
        self.0.generate(u64::try_from(at.unix_timestamp()).unwrap()).to_string()
    }

    pub fn shows(&self, site: &Site) -> String {
        self.shows_in(site, Duration::ZERO)
    }
}

/// The key that a page shows, as it stands there.
pub fn key_on(page: &Page) -> String {
    page.body.split("<code class=\"secret\">").nth(1).unwrap().split('<').next().unwrap().to_owned()
}

/// Sets an app up on the account page; the phone, and the recovery codes that were shown.
pub async fn set_up(site: &Site, client: &Client) -> (Phone, Vec<String>) {
    let page = client.open("/account").await;
    let page = client.submit(&page, "/account/authenticator", &[]).await;
    let phone = Phone::with(&key_on(&page));
    let code = phone.shows(site);
    let page = client.submit(&page, "/account/authenticator/confirmation", &[("code", &code)]).await;
    assert!(page.text().contains("Your app is set up"), "{}", page.text());
    let codes =
        page.body.split("<code class=\"secret\">").skip(1).map(|rest| rest.split('<').next().unwrap().to_owned());
    let codes = codes.collect();
    // The code that was just used counts no more.
    pass(site, Duration::seconds(30));
    (phone, codes)
}

/// Time goes by.
pub fn pass(site: &Site, time: Duration) {
    site.app.clock.set_offset(site.app.clock.offset() + time);
}

/// The first step: the page that asks for the second.
pub async fn half_in(site: &Site, email: &str) -> (Client, Page) {
    let client = site.stranger();
    let page = client.open("/sign-in").await;
    let page = client.submit(&page, "/sign-in", &[("email", email), ("password", PASSWORD)]).await;
    (client, page)
}

/// The second step.
pub async fn second(client: &Client, page: &Page, code: &str) -> Page {
    client.submit(page, "/sign-in/second", &[("code", code)]).await
}

/// Whether pages open.
pub async fn is_in(client: &Client) -> bool {
    client.get("/affiliates").await.status == 200
}

/// All that the database holds, as text.
pub async fn dump(site: &Site) -> String {
    let tables: Vec<String> =
        sqlx::query_scalar("select tablename::text from pg_tables where schemaname = 'public' order by 1")
            .fetch_all(site.app.database.pool())
            .await
            .unwrap();
    let mut tx = site.app.database.pool().begin().await.unwrap();
    sqlx::raw_sql("set local row_security = off").execute(&mut *tx).await.unwrap();
    let mut all = String::new();
    for table in tables {
        let rows = sqlx::query_scalar::<_, String>(sqlx::AssertSqlSafe(format!("select t::text from {table} t")));
        for row in rows.fetch_all(&mut *tx).await.unwrap() {
            all.push_str(&row);
            all.push('\n');
        }
    }
    all
}
