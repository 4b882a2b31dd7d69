//! A merchant's office: a person at a real browser, the application with its worker, and the simulated PayPal.

use super::browser::{Browser, Script};
use super::site::PASSWORD;
use super::world::World;
use stipend::worker;
use thirtyfour::By;
use tokio_util::sync::{CancellationToken, DropGuard};

/// See the module.
pub struct Office {
    pub world: World,
    pub browser: Browser,
    script: Script,
    _worker: DropGuard,
}

impl Office {
    /// Opens a browser on this world and signs its admin in.
    pub async fn open(world: World, script: Script) -> Self {
        let stop = CancellationToken::new();
        tokio::spawn(worker::run(world.app.clone(), stop.clone()));
        let browser = Browser::open(script).await;
        let office = Self { world, browser, script, _worker: stop.drop_guard() };
        office.sign_in("ann@example.com").await;
        office
    }

    /// Signs in, and goes from the start page to what is due.
    pub async fn sign_in(&self, email: &str) {
        self.go("/sign-in").await;
        self.browser.fill("email", email).await;
        self.browser.fill("password", PASSWORD).await;
        self.browser.press("Sign in").await;
        if self.browser.current_url().await.unwrap().path() == "/sign-in/second" {
            self.browser.fill("code", &self.world.site.recovery_code(email)).await;
            self.browser.press("Sign in").await;
        }
        self.press("Commissions Due").await;
        self.says("Upcoming Commissions").await;
    }

    pub async fn go(&self, path: &str) {
        self.browser.goto(format!("{}{path}", self.world.site.address)).await.unwrap();
    }

    /// Waits for the words; without script, by loading the page again as a person would.
    pub async fn until(&self, words: &str) {
        if self.script == Script::On {
            return self.browser.wait_for_words(words).await;
        }
        for _ in 0..300 {
            if self.browser.words().await.contains(words) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            self.browser.refresh().await.unwrap();
        }
        panic!("the page never said {words:?}: {}", self.browser.words().await);
    }

    /// The page has these words, or gets them.
    pub async fn says(&self, words: &str) {
        self.browser.wait_for_words(words).await;
    }

    pub async fn never_says(&self, words: &str) {
        let said = self.browser.words().await;
        assert!(!said.is_empty() && !said.contains(words), "the page says {words:?}: {said}");
    }

    /// Presses the button or link with these words, once it is there.
    pub async fn press(&self, words: &str) {
        self.says(words).await;
        self.browser.press(words).await;
    }

    /// Clicks what a screen reader calls like this.
    pub async fn click_labelled(&self, label: &str) {
        let found = self.browser.find(By::Css(format!("[aria-label='{label}']"))).await;
        let found = found.unwrap_or_else(|_| panic!("there is no {label:?}"));
        found.scroll_into_view().await.unwrap(); // not below a bar that stays in view
        found.click().await.unwrap();
    }

    /// Connects PayPal by its form.
    pub async fn connect(&self, client_id: &str, secret: &str) {
        self.go("/integrations/payment/paypal").await;
        self.browser.fill("client_id", client_id).await;
        self.browser.fill("secret", secret).await;
        self.press("Save").await;
        self.says("Payment services").await;
    }

    /// Ticks the affiliate of this address on the due page and asks for the review.
    pub async fn choose(&self, label: &str, how: &str) {
        self.go("/affiliate_payments/pay").await;
        self.click_labelled(&format!("Select {label}")).await;
        self.press(how).await;
        self.says("Commissions due through").await;
    }

    /// Tries to connect, and is refused with these words.
    pub async fn connect_refused(&self, client_id: &str, secret: &str, words: &str) {
        self.go("/integrations/payment/paypal").await;
        self.browser.fill("client_id", client_id).await;
        self.browser.fill("secret", secret).await;
        self.press("Save").await;
        self.says(words).await;
    }

    /// Somebody else takes the seat.
    pub async fn sign_in_as(&self, email: &str) {
        self.browser.delete_all_cookies().await.unwrap();
        self.sign_in(email).await;
    }
}
