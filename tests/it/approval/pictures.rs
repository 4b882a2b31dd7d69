//! Pictures of the rules, of what they stop, and of approvals; see `pictures.rs`.

use super::{ask, office};
use crate::pictures::shoot;
use crate::rules::save;
use crate::support::browser::{Browser, Script};
use crate::support::site::PASSWORD;
use crate::support::world::World;
use std::path::Path;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes pictures for people; it proves nothing"]
async fn pictures_of_rules_and_approvals() {
    let folder = std::env::var_os("STIPEND_PICTURES").expect("STIPEND_PICTURES names the folder for the pictures");
    let folder = Path::new(&folder);
    std::fs::create_dir_all(folder).unwrap();
    let mut world = World::connected().await;
    let (ann, ..) = office(&world).await;
    let fill = [("minimum_USD", "20"), ("per_payment_USD", "5000"), ("waiting_days", "30"), ("currency_new", "EUR")];
    save(&ann, &[fill.as_slice(), &[("minimum_new", "25"), ("per_day_new", "900")]].concat()).await;
    world.owe("ada.lovelace@example.com", &["1250.00", "310.20"]).await;
    world.owe_in("EUR", "grace.hopper@example.com", &["89.90"]).await;
    world.owe("low@example.com", &["5.00", "3.00"]).await;
    world.owe("held@example.com", &["64.00"]).await;
    let held = format!("/affiliates/{}", world.affiliates["held@example.com"]);
    let form = ann.open(&format!("{held}/edit")).await;
    ann.submit(&form, &held, &[("paypal_email", "another.address@example.org")]).await;
    let asked = ask(&ann, "paypal").await.url;
    world.owe("alan@example.com", &["5400.00"]).await;

    let browser = Browser::open(Script::On).await;
    let at = |path: &str| format!("{}{path}", world.site.address);
    let sign_in = async |email: &str| {
        browser.delete_all_cookies().await.unwrap();
        browser.goto(at("/affiliates")).await.unwrap();
        browser.fill("email", email).await;
        browser.fill("password", PASSWORD).await;
        browser.press("Sign in").await;
        if email.starts_with("bob") {
            browser.fill("code", &world.site.recovery_code(email)).await;
            browser.press("Sign in").await;
        }
    };
    sign_in("ann@example.com").await;
    for (path, name) in [("/settings/rules", "rules"), (asked.as_str(), "approval-own"), (held.as_str(), "held")] {
        browser.goto(at(path)).await.unwrap();
        shoot(&browser, folder, name).await;
    }
    browser.goto(at("/settings/rules")).await.unwrap();
    browser.fill("minimum_USD", "1,000").await;
    browser.fill("hold_days", "x").await;
    browser.press("Save").await;
    shoot(&browser, folder, "rules-wrong").await;
    browser.goto(at(&format!("/affiliates/{}/minimum", world.affiliates["low@example.com"]))).await.unwrap();
    shoot(&browser, folder, "minimum").await;
    browser.goto(at("/affiliate_payments/pay")).await.unwrap();
    shoot(&browser, folder, "due-rules").await;
    let review = super::review(&ann, "paypal").await.url;
    browser.goto(at(&review)).await.unwrap();
    shoot(&browser, folder, "review-over-limit").await;
    save(&ann, &[("per_payment_USD", "")]).await;
    browser.goto(at(&review)).await.unwrap();
    shoot(&browser, folder, "review-approval").await;
    sign_in("bob@example.com").await;
    for (path, name) in [("/", "home-approval"), (asked.as_str(), "approval"), ("/approvals", "approvals")] {
        browser.goto(at(path)).await.unwrap();
        shoot(&browser, folder, name).await;
    }
    for path in ["/attention", "/batches"] {
        browser.goto(at(path)).await.unwrap();
        shoot(&browser, folder, &format!("approval{}", path.replace('/', "-"))).await;
    }
}
