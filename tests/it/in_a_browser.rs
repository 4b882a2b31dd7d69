//! The first steps in a real browser, with and without JavaScript.

use crate::support::browser::{Browser, Script};
use crate::support::site::{PASSWORD, Site};
use thirtyfour::By;

/// From the sign-in to an affiliate and out again.
async fn first_steps(script: Script) {
    let site = Site::staffed().await;
    let browser = Browser::open(script).await;
    browser.goto(format!("{}/affiliates/new", site.address)).await.unwrap();
    let show = browser.find(By::Css("button[data-show]")).await.unwrap();
    assert_eq!(show.is_displayed().await.unwrap(), script == Script::On, "the script runs as it should");
    browser.fill("email", "preparer@example.com").await;
    browser.fill("password", "wrong").await;
    browser.press("Sign in").await;
    browser.wait_for_words("do not belong together").await;
    browser.fill("password", PASSWORD).await;
    browser.press("Sign in").await;
    browser.fill("first_name", "Ada").await;
    browser.fill("email", "ada").await;
    browser.press("Save affiliate").await;
    browser.wait_for_words("Check the email").await;
    browser.fill("email", "ada@example.com").await;
    browser.press("Save affiliate").await;
    browser.wait_for_words("The affiliate was added.").await;
    browser.wait_for_words("ada@example.com").await;
    browser.find(By::Css("details.menu summary")).await.unwrap().click().await.unwrap();
    browser.find(By::XPath("//button[normalize-space()='Sign out']")).await.unwrap().click().await.unwrap();
    browser.wait_for_words("Password").await;
    assert!(browser.current_url().await.unwrap().path().starts_with("/sign-in"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_signs_in_and_adds_an_affiliate() {
    first_steps(Script::On).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_works_without_javascript() {
    first_steps(Script::Off).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_search_answers_while_it_is_typed() {
    let site = Site::staffed().await;
    let client = site.signed_in("preparer@example.com").await;
    for code in ["ALPHA", "BETA"] {
        let page = client.open("/affiliates/new").await;
        assert_eq!(client.submit(&page, "/affiliates", &[("code", code)]).await.status, 200);
    }
    let browser = Browser::open(Script::On).await;
    browser.goto(format!("{}/affiliates", site.address)).await.unwrap();
    browser.fill("email", "viewer@example.com").await;
    browser.fill("password", PASSWORD).await;
    browser.press("Sign in").await;
    browser.wait_for_words("2 affiliates").await;
    browser.fill("q", "alp").await;
    browser.wait_for_words("1 affiliate").await;
    assert!(!browser.words().await.contains("BETA"));
    assert!(browser.current_url().await.unwrap().query().unwrap().contains("q=alp"), "the address can be shared");
    browser.fill("q", "zzz").await;
    browser.wait_for_words("No affiliate matches").await;
}
