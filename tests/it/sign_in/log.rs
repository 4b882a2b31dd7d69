//! What the log tells of those who try what is not theirs, and what it never tells.

use crate::factor::{half_in, second, set_up};
use crate::support::client::Client;
use crate::support::site::{PASSWORD, Site};
use std::io;
use std::sync::{Arc, Mutex};
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// What is logged in this thread, by everything from the application down to the database's driver.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(part)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Log {
    fn begin() -> (Self, DefaultGuard) {
        let log = Self::default();
        let format = tracing_subscriber::fmt().with_env_filter(EnvFilter::new("debug")).json();
        let guard = tracing::subscriber::set_default(format.with_writer(log.clone()).finish());
        (log, guard)
    }

    /// What came since the last look.
    fn told(&self) -> String {
        String::from_utf8(std::mem::take(&mut *self.0.lock().unwrap())).unwrap()
    }
}

async fn sign_in(client: &Client, email: &str, password: &str) {
    let page = client.open("/sign-in").await;
    client.submit(&page, "/sign-in", &[("email", email), ("password", password)]).await;
}

#[tokio::test]
async fn whoever_is_refused_is_logged_without_what_they_typed() {
    let (log, _guard) = Log::begin();
    let site = Site::staffed().await;
    let stranger = site.stranger();
    sign_in(&stranger, "viewer@example.com", "my other password").await;
    sign_in(&stranger, "my-password-in-the-wrong-field", "x").await;
    let told = log.told();
    assert_eq!(told.matches("a sign-in was refused: the password is wrong").count(), 2, "{told}");
    for typed in ["my other password", "my-password-in-the-wrong-field"] {
        assert!(!told.contains(typed), "{typed}: {told}");
    }

    let viewer = site.signed_in("viewer@example.com").await;
    let page = viewer.open("/affiliates").await;
    let token = page.form("/sign-out").value("token").unwrap().to_owned();
    log.told();
    assert_eq!(viewer.post("/affiliates", &[("token", &token)]).await.status, 403);
    assert!(log.told().contains("/affiliates was refused: forbidden"));
    assert_eq!(viewer.post("/sign-out", &[("token", "forged")]).await.status, 403);
    assert!(log.told().contains("/sign-out was refused: the form is out of date"));
}

#[tokio::test]
async fn no_key_code_or_password_is_logged() {
    let (log, _guard) = Log::begin();
    let site = Site::staffed().await;
    let admin = site.signed_in("admin@example.com").await;
    let page = admin.open("/account").await;
    let shown = admin.submit(&page, "/account/authenticator", &[]).await;
    let key = crate::factor::key_on(&shown);
    let (phone, codes) = set_up(&site, &admin).await;
    let code = phone.shows(&site);
    let (client, page) = half_in(&site, "admin@example.com").await;
    second(&client, &page, "000000").await;
    assert!(log.told().contains("a sign-in was refused: who it is was not shown"));
    second(&client, &page, &code).await;
    let (client, page) = half_in(&site, "admin@example.com").await;
    second(&client, &page, &codes[0]).await;
    let page = admin.open("/account").await;
    let other = [("current", PASSWORD), ("password", "another password"), ("again", "another password")];
    admin.submit(&page, "/account/password", &other).await;
    let told = log.told();
    assert!(told.contains("update people set password_hash"), "the driver's words are among them: {told}");
    let squeezed: String = key.split_whitespace().collect();
    for secret in [key.as_str(), &squeezed, &code, &codes[0], &codes[1], PASSWORD, "another password", "$argon2id$"] {
        assert!(!told.contains(secret), "{secret} is in the log");
    }
}
