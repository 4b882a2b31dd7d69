//! What the log tells of those who try what is not theirs, and what it never tells.

use crate::crash::Stage;
use crate::factor::{Phone, key_on, second};
use crate::support::client::Client;
use crate::support::site::{PASSWORD, Site};
use crate::support::world::World;
use nix::sys::signal::Signal;
use std::io;
use std::sync::{Arc, Mutex};
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// What the application logs in this thread.
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
        let format = tracing_subscriber::fmt().with_env_filter(EnvFilter::new("stipend=info")).json();
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
    assert!(log.told().contains("/affiliates was refused: not allowed"));
    assert_eq!(viewer.post("/sign-out", &[("token", "forged")]).await.status, 403);
    assert!(log.told().contains("/sign-out was refused: the form is not this session’s"));
}

/// The real program, which logs all that it and its libraries have to say.
#[tokio::test(flavor = "multi_thread")]
async fn no_key_code_or_password_is_logged() {
    let world = World::new().await;
    let mut running = Stage::of(&world).serve_with(&[("STIPEND_LOG", "debug")]);
    let in_by = async |code: Option<&str>| {
        let client = Client::new(&running.address);
        sign_in(&client, "ann@example.com", PASSWORD).await;
        if let Some(code) = code {
            second(&client, &client.open("/sign-in/second").await, code).await;
        }
        client
    };
    let ann = in_by(None).await;
    let page = ann.submit(&ann.open("/account").await, "/account/authenticator", &[]).await;
    let key = key_on(&page);
    let code = Phone::with(&key).shows(&world.site);
    let made = ann.submit(&page, "/account/authenticator/confirmation", &[("code", &code)]).await;
    let codes: Vec<String> = made
        .body
        .split("<code class=\"secret\">")
        .skip(1)
        .map(|rest| rest.split('<').next().unwrap().to_owned())
        .collect();
    in_by(Some("000000")).await;
    in_by(Some(&codes[0])).await;
    let other = [("current", PASSWORD), ("password", "another password"), ("again", "another password")];
    let changed = ann.submit(&ann.open("/account").await, "/account/password", &other).await;
    assert!(changed.text().contains("Your password is changed"), "{}", changed.text());
    running.end_by(Signal::SIGTERM);
    let told = running.log.join("\n");
    assert!(told.contains("a sign-in was refused: who it is was not shown"), "{told}");
    assert!(told.contains("update people set password_hash"), "the driver's words are among them: {told}");
    let squeezed: String = key.split_whitespace().collect();
    for secret in [key.as_str(), &squeezed, &code, &codes[0], &codes[1], PASSWORD, "another password", "$argon2id$"] {
        assert!(!told.contains(secret), "{secret} is in the log");
    }
}
