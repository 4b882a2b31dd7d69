//! Pictures of every page, wide and narrow, light and dark, for whoever wants to look:
//! `STIPEND_PICTURES=/tmp/pictures cargo test --test it pictures -- --ignored`.

use crate::support::browser::{Browser, Script};
use crate::support::site::{PASSWORD, Site};
use std::path::Path;
use stipend::affiliate::{self, Raw};
use stipend::audit::Actor;
use stipend::id::MerchantId;
use stipend::role::Role;
use thirtyfour::By;

async fn some_affiliates(site: &Site, merchant: MerchantId) {
    let names = ["Ada Lovelace", "Grace Hopper", "Edsger Dijkstra", "Barbara Liskov", "Alan Turing", "Frances Allen"];
    let mut tx = site.app.database.merchant(merchant).await.unwrap();
    let actor = Actor { person: None, address: None, at: site.app.clock.now() };
    for (place, name) in names.iter().enumerate() {
        let (first, last) = name.split_once(' ').unwrap();
        let raw = Raw {
            first_name: first.into(),
            last_name: last.into(),
            email: format!("{}@example.com", first.to_lowercase()),
            code: if place % 2 == 0 { format!("AFF-{place:03}") } else { String::new() },
            paypal_email: if place % 3 == 0 {
                format!("{}.pay@example.org", last.to_lowercase())
            } else {
                String::new()
            },
        };
        let id = affiliate::add(&mut tx, &actor, &raw.parse().unwrap()).await.unwrap().unwrap();
        for (number, (amount, currency, days)) in
            [("1250.00", "USD", -5), ("89.90", "EUR", -2), ("40.00", "USD", 20)].iter().enumerate().take(place % 4)
        {
            let commission = uuid::Uuid::now_v7();
            let due_on = site.app.clock.today("Europe/Berlin") + time::Duration::days(*days);
            sqlx::query(
                "with added as (insert into commissions (merchant_id, id, affiliate_id, amount, currency, due_on, reference, note, created_at)
                values ($1, $2, $3, $4::numeric, $5, $6, $7, 'Order from the spring sale', $8) returning *)
                insert into owed select merchant_id, id, affiliate_id, currency, due_on, amount from added",
            )
            .bind(merchant.0)
            .bind(commission)
            .bind(id.0)
            .bind(*amount)
            .bind(*currency)
            .bind(due_on)
            .bind(format!("ORD-{place}{number:03}"))
            .bind(site.app.clock.now())
            .execute(&mut *tx)
            .await
            .unwrap();
        }
    }
    let raw = Raw { code: "NOMAIL-1".into(), first_name: "No".into(), last_name: "Address".into(), ..Raw::default() };
    affiliate::add(&mut tx, &actor, &raw.parse().unwrap()).await.unwrap().unwrap();
    tx.commit().await.unwrap();
}

async fn shoot(browser: &Browser, folder: &Path, name: &str) {
    for (width, height) in [(1280, 900), (390, 844)] {
        for colours in ["light", "dark"] {
            browser.resize(width, height).await;
            browser.colours(colours).await;
            browser.photograph(&folder.join(format!("{name}-{width}-{colours}.png"))).await;
        }
    }
    browser.resize(1280, 900).await;
    browser.colours("light").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes pictures for people; it proves nothing"]
async fn pictures() {
    let folder = std::env::var_os("STIPEND_PICTURES").expect("STIPEND_PICTURES names the folder for the pictures");
    let folder = Path::new(&folder);
    std::fs::create_dir_all(folder).unwrap();
    let browser = Browser::open(Script::On).await;
    let site = Site::empty().await;
    browser.goto(format!("{}/setup", site.address)).await.unwrap();
    shoot(&browser, folder, "setup").await;
    let merchant = site.merchant("Acme Outdoor").await;
    site.merchant("Acme Rehearsal").await;
    site.person("ada@example.com", "Acme Outdoor", Role::Admin).await;
    site.person("ada@example.com", "Acme Rehearsal", Role::Admin).await;
    browser.goto(format!("{}/affiliates", site.address)).await.unwrap();
    browser.fill("email", "ada@example.com").await;
    browser.fill("password", "wrong").await;
    browser.press("Sign in").await;
    shoot(&browser, folder, "sign-in-wrong").await;
    browser.fill("password", PASSWORD).await;
    browser.press("Sign in").await;
    shoot(&browser, folder, "affiliates-none").await;
    some_affiliates(&site, merchant).await;
    browser.goto(format!("{}/affiliates", site.address)).await.unwrap();
    shoot(&browser, folder, "affiliates").await;
    browser.goto(format!("{}/affiliates/new", site.address)).await.unwrap();
    browser.fill("email", "nonsense").await;
    browser.press("Save affiliate").await;
    shoot(&browser, folder, "affiliate-wrong").await;
    browser.goto(format!("{}/affiliates", site.address)).await.unwrap();
    browser.press("Barbara Liskov").await;
    shoot(&browser, folder, "affiliate").await;
    browser.find(By::Css("details.menu summary")).await.unwrap().click().await.unwrap();
    shoot(&browser, folder, "menu").await;
    browser.press("Payments").await;
    shoot(&browser, folder, "affiliate-payments").await;
    browser.press("Archive").await;
    shoot(&browser, folder, "affiliate-archived").await;
    browser.goto(format!("{}/nowhere", site.address)).await.unwrap();
    shoot(&browser, folder, "not-found").await;
}
