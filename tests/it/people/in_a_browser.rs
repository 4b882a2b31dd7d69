//! From the invitation to the first sign-in, in a real browser, with and without JavaScript.

use crate::support::browser::{Browser, Script};
use crate::support::site::{PASSWORD, Site};
use thirtyfour::By;

async fn sign_in(browser: &Browser, email: &str) {
    browser.fill("email", email).await;
    browser.fill("password", PASSWORD).await;
    browser.press("Sign in").await;
}

async fn sign_out(browser: &Browser) {
    browser.find(By::Css("details.menu summary")).await.unwrap().click().await.unwrap();
    browser.find(By::XPath("//button[normalize-space()='Sign out']")).await.unwrap().click().await.unwrap();
    browser.wait_for_words("Password").await;
}

async fn from_invitation_to_first_sign_in(script: Script) {
    let site = Site::staffed().await;
    let browser = Browser::open(script).await;
    browser.goto(format!("{}/people", site.address)).await.unwrap();
    sign_in(&browser, "admin@example.com").await;
    browser.wait_for_words("Who works for this merchant").await;
    browser.fill("email", "nora@example.com").await;
    browser.find(By::Css("input[value=approver]")).await.unwrap().click().await.unwrap();
    browser.press("Invite").await;
    browser.wait_for_words("Hand this link to nora@example.com").await;
    let link = browser.find(By::Css("code.secret")).await.unwrap().text().await.unwrap();
    sign_out(&browser).await;

    browser.goto(&link).await.unwrap();
    browser.wait_for_words("Join Acme").await;
    browser.fill("name", "Nora").await;
    browser.fill("password", PASSWORD).await;
    browser.fill("again", PASSWORD).await;
    browser.press("Join Acme").await;
    browser.wait_for_words("Welcome to Acme. Your role is approver.").await;
    sign_out(&browser).await;
    sign_in(&browser, "nora@example.com").await;
    browser.wait_for_words("Home").await;
    browser.goto(&link).await.unwrap();
    browser.wait_for_words("This invitation does not hold any more").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_leads_to_the_first_sign_in() {
    from_invitation_to_first_sign_in(Script::On).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn and_without_javascript() {
    from_invitation_to_first_sign_in(Script::Off).await;
}
