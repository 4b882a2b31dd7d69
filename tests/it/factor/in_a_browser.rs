//! Passkeys in a real browser, with an authenticator that is not there; and what is said where they cannot be.

use crate::support::browser::{Browser, Script};
use crate::support::site::PASSWORD;
use crate::support::world::World;
use thirtyfour::By;
use time::Duration;

struct Walk {
    world: World,
    browser: Browser,
    base: String,
}

impl Walk {
    /// Passkeys hold for names; the browser's own name for this machine is one.
    async fn begin(script: Script) -> Self {
        let world = World::new().await;
        let base = world.site.address.replace("127.0.0.1", "localhost");
        Self { browser: Browser::open(script).await, world, base }
    }

    async fn go(&self, path: &str) {
        self.browser.goto(format!("{}{path}", self.base)).await.unwrap();
    }

    async fn password(&self) {
        self.go("/sign-in").await;
        self.browser.fill("email", "ann@example.com").await;
        self.browser.fill("password", PASSWORD).await;
        self.browser.press("Sign in").await;
    }

    async fn sees(&self, words: &str) {
        self.browser.wait_for_words(words).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passkey_is_registered_signs_in_and_confirms_anew() {
    let walk = Walk::begin(Script::On).await;
    let authenticator = walk.browser.virtual_authenticator().await;
    walk.password().await;
    walk.sees("Home").await;
    walk.go("/account/passkeys/new").await;
    walk.browser.fill("name", "My laptop").await;
    walk.browser.press("Add a passkey").await;
    walk.sees("Keep these where nobody else looks").await;
    walk.browser.press("I have kept them").await;
    walk.sees("My laptop").await;
    walk.world.audited("passkey added").await;
    // The same device again is told so by the browser.
    walk.go("/account/passkeys/new").await;
    walk.browser.press("Add a passkey").await;
    walk.sees("This device has a passkey of your account already").await;

    walk.browser.delete_all_cookies().await.unwrap();
    walk.password().await;
    walk.sees("Second step").await;
    walk.browser.press("Use a passkey").await;
    walk.sees("Home").await;
    walk.go("/account").await;
    walk.sees("last used").await;

    super::pass(&walk.world.site, Duration::minutes(5));
    walk.go("/integrations/payment/paypal").await;
    walk.sees("Confirm that it is you").await;
    walk.browser.press("Use a passkey").await;
    walk.sees("PayPal MassPay Configuration").await;

    // A person who does not show finger or PIN is not let in.
    walk.browser.user_verified(&authenticator, false).await;
    walk.browser.delete_all_cookies().await.unwrap();
    walk.password().await;
    walk.sees("Second step").await;
    walk.browser.press("Use a passkey").await;
    walk.sees("Your browser gave no passkey").await;
    walk.browser.user_verified(&authenticator, true).await;
    walk.browser.press("Use a passkey").await;
    walk.sees("Home").await;

    walk.go("/account").await;
    walk.browser.press("Remove").await;
    walk.sees("That passkey opens nothing here any more").await;
    walk.world.audited("passkey removed").await;
    walk.browser.delete_all_cookies().await.unwrap();
    walk.password().await;
    walk.sees("Home").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_is_set_up_without_javascript_and_passkeys_say_what_they_need() {
    let walk = Walk::begin(Script::Off).await;
    walk.password().await;
    walk.sees("Home").await;
    walk.go("/account/passkeys/new").await;
    walk.sees("A passkey needs JavaScript, and this page has none").await;
    walk.go("/account").await;
    walk.browser.press("Set up an app").await;
    walk.sees("Scan this with an authenticator app").await;
    let key = walk.browser.find(By::Css("code.secret")).await.unwrap().text().await.unwrap();
    let phone = super::Phone::with(&key);
    walk.browser.fill("code", &phone.shows(&walk.world.site)).await;
    walk.browser.press("Set up").await;
    walk.sees("Recovery codes").await;
    super::pass(&walk.world.site, Duration::seconds(30));
    walk.browser.delete_all_cookies().await.unwrap();
    walk.password().await;
    walk.sees("Second step").await;
    walk.browser.fill("code", &phone.shows(&walk.world.site)).await;
    walk.browser.press("Sign in").await;
    walk.sees("Home").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn at_a_number_the_page_says_where_passkeys_hold() {
    let mut walk = Walk::begin(Script::On).await;
    walk.base = walk.world.site.address.clone();
    walk.password().await;
    walk.sees("Home").await;
    walk.go("/account/passkeys/new").await;
    walk.sees("Passkeys of this installation hold at http://localhost:").await;
}
