//! Pictures of every page, wide and narrow, light and dark, for whoever wants to look:
//! `STIPEND_PICTURES=/tmp/pictures cargo test --test it pictures -- --ignored`.

use crate::support::browser::{Browser, Script};
use crate::support::letters::Letters;
use crate::support::site::{PASSWORD, Site};
use crate::support::world::{World, everything};
use std::path::Path;
use stipend::affiliate::{self, Raw};
use stipend::audit::Actor;
use stipend::id::MerchantId;
use stipend::payout::draft::How;
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

pub async fn shoot(browser: &Browser, folder: &Path, name: &str) {
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

/// Commissions of every standing, and a file of each kind.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes pictures for people; it proves nothing"]
async fn pictures_of_commissions() {
    let folder = std::env::var_os("STIPEND_PICTURES").expect("STIPEND_PICTURES names the folder for the pictures");
    let folder = Path::new(&folder);
    std::fs::create_dir_all(folder).unwrap();
    let mut world = World::connected().await;
    world.owe("paid@example.com", &["1310.00", "24.50"]).await;
    world.owe_in("EUR", "grace.hopper@example.com", &["89.90"]).await;
    world.pay_all().await;
    world.settle().await;
    world.owe("hand@example.com", &["40.00"]).await;
    world.try_pay(&everything(), How::Manual { reference: "Bank transfer 2211".into() }).await.unwrap();
    world.owe("ada.lovelace@example.com", &["1250.00", "310.20"]).await;
    world.pay_all().await;
    let ids = world.owe("barbara@example.com", &["12.00", "80.00", "7.25"]).await;
    let browser = Browser::open(Script::On).await;
    browser.goto(format!("{}/affiliates", world.site.address)).await.unwrap();
    browser.fill("email", "ann@example.com").await;
    browser.fill("password", PASSWORD).await;
    browser.press("Sign in").await;
    let at = |path: &str| format!("{}{path}", world.site.address);
    browser.goto(at("/affiliate_payments/upcoming")).await.unwrap();
    shoot(&browser, folder, "upcoming-none").await;
    let files = folder.join("files");
    std::fs::create_dir_all(&files).unwrap();
    let upload = async |kind: &str, name: &str, text: String| {
        std::fs::write(files.join(name), text).unwrap();
        browser.goto(at(&format!("/imports/new/{kind}"))).await.unwrap();
        let input = browser.find(By::Css("input[type=file]")).await.unwrap();
        input.send_keys(files.join(name).to_str().unwrap()).await.unwrap();
        browser.press("Upload").await;
    };
    browser.goto(at("/imports")).await.unwrap();
    shoot(&browser, folder, "imports-none").await;
    browser.goto(at("/imports/new/commissions")).await.unwrap();
    shoot(&browser, folder, "import-new").await;
    upload("commissions", "report.xlsx.csv", "PK\u{3}\u{4}[Content_Types].xml".into()).await;
    shoot(&browser, folder, "import-refused").await;
    let lines: String = (0..1190)
        .map(|n| {
            format!(
                "barbara@example.com;{}{n},50;{:02}.02.2027;ORDER-{n};Order from the spring sale\n",
                n % 7,
                n % 28 + 1
            )
        })
        .chain((0..9).map(|n| format!("barbara@example.com;1.{n}34,50;01.02.2027;BAD-{n};\n")))
        .chain((0..5).map(|n| format!("barbara@example.com;{n}{n},50;01.02.2027;ORDER-{n};\n")))
        .collect();
    upload("commissions", "february.csv", format!("Partner;Betrag;Fällig;Order ID;Note\n{lines}")).await;
    shoot(&browser, folder, "import-columns").await;
    browser.press("Check the file").await;
    shoot(&browser, folder, "import-columns-wrong").await;
    for (field, value) in [("due_on", "2"), ("amount", "1"), ("currency", "EUR")] {
        let option = format!("select[name={field}] option[value='{value}']");
        browser.find(By::Css(option)).await.unwrap().click().await.unwrap();
    }
    for choice in ["input[value=comma]", "input[value=dots]"] {
        browser.find(By::Css(choice)).await.unwrap().click().await.unwrap();
    }
    browser.press("Check the file").await;
    shoot(&browser, folder, "import-checking").await;
    while stipend::import::next(&world.app).await.unwrap() {}
    browser.wait_for_words("already known").await;
    shoot(&browser, folder, "import-checked").await;
    browser.press("Import 1,190 commissions").await;
    stipend::import::next(&world.app).await.unwrap();
    shoot(&browser, folder, "import-importing").await;
    while stipend::import::next(&world.app).await.unwrap() {}
    browser.wait_for_words("Done:").await;
    shoot(&browser, folder, "import-done").await;
    browser.goto(at("/imports")).await.unwrap();
    shoot(&browser, folder, "imports").await;
    for list in ["upcoming", "processing", "paid", "all"] {
        browser.goto(at(&format!("/affiliate_payments/{list}"))).await.unwrap();
        shoot(&browser, folder, &format!("list-{list}")).await;
    }
    browser.goto(at("/affiliate_payments/all?standing=due&q=barb")).await.unwrap();
    browser.find(By::Css("input[data-row]")).await.unwrap().click().await.unwrap();
    shoot(&browser, folder, "list-selected").await;
    browser.goto(at(&format!("/commissions/cancellation?id={}&id={}", ids[0], ids[1]))).await.unwrap();
    shoot(&browser, folder, "cancel").await;
    browser.fill("why", "Returned goods").await;
    browser.press("Cancel 2 commissions, USD 92.00").await;
    shoot(&browser, folder, "cancelled").await;
    browser.goto(at("/commissions/new")).await.unwrap();
    browser.fill("amount", "1,5").await;
    browser.press("Add commission").await;
    shoot(&browser, folder, "commission-wrong").await;
}

/// The start page, e-mail settings, statements.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes pictures for people; it proves nothing"]
async fn pictures_of_home() {
    let folder = std::env::var_os("STIPEND_PICTURES").expect("STIPEND_PICTURES names the folder for the pictures");
    let folder = Path::new(&folder);
    std::fs::create_dir_all(folder).unwrap();
    let letters = Letters::folder();
    let mut world = World::mailing(letters.path()).await;
    let browser = Browser::open(Script::On).await;
    let address = world.site.address.clone();
    let at = |path: &str| format!("{address}{path}");
    let sign_in = async || {
        browser.delete_all_cookies().await.unwrap();
        browser.goto(at("/sign-in")).await.unwrap();
        browser.fill("email", "ann@example.com").await;
        browser.fill("password", PASSWORD).await;
        browser.press("Sign in").await;
    };
    sign_in().await;
    shoot(&browser, folder, "home-new").await;
    for month in 1..=9 {
        for who in ["ada.lovelace", "grace.hopper", "barbara", "failed", "unregistered"] {
            let amounts = [format!("{}.50", month * 137 % 400 + 20), format!("{}.00", month * 71 % 90 + 1)];
            world.owe(&format!("{who}@example.com"), &[&amounts[0], &amounts[1]]).await;
        }
        world.pay_all().await;
        world.settle().await;
        crate::mail::post(&world).await;
        world.advance(time::Duration::days(31));
        world.work().await;
    }
    for who in ["blocked", "refunded", "onhold", "ada.lovelace"] {
        world.owe(&format!("{who}@example.com"), &["1250.00", "310.20"]).await;
        world.owe_in("EUR", &format!("{who}@example.com"), &["89.90"]).await;
    }
    world.pay_all().await;
    world.settle().await;
    world.owe("ada.lovelace@example.com", &["410.00", "3.30"]).await;
    world.owe_in("EUR", "hand@example.com", &["40.00"]).await;
    sign_in().await;
    shoot(&browser, folder, "home").await;
    browser.press("The same as a table").await;
    shoot(&browser, folder, "home-table").await;
    browser.goto(at("/settings/mail")).await.unwrap();
    shoot(&browser, folder, "settings-mail").await;
    browser.goto(at("/settings/mail/unclaimed")).await.unwrap();
    browser.press("Preview").await;
    shoot(&browser, folder, "settings-mail-preview").await;
    browser.goto(at("/affiliate_payments/paid?currency=USD&from=2027-01-01")).await.unwrap();
    shoot(&browser, folder, "paid-narrowed").await;
    let ada = world.affiliates["ada.lovelace@example.com"];
    browser.goto(at(&format!("/affiliates/{ada}/payments"))).await.unwrap();
    shoot(&browser, folder, "affiliate-payments").await;
    let batch: stipend::id::BatchId = sqlx::query_scalar("select id from payout_batches order by number desc limit 1")
        .fetch_one(&mut *world.tx().await)
        .await
        .unwrap();
    let year = world.today().year();
    for (name, path) in [
        ("statement", format!("/affiliates/{ada}/statement?from={}-01-01&through={year}-12-31", year - 1)),
        ("batch-statement", format!("/batches/{batch}/statement")),
    ] {
        browser.goto(at(&path)).await.unwrap();
        shoot(&browser, folder, name).await;
        browser.resize(794, 1123).await;
        browser.as_printed().await;
        browser.photograph(&folder.join(format!("{name}-print.png"))).await;
    }
}

/// The settings: people, an invitation and the audit log.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes pictures for people; it proves nothing"]
async fn pictures_of_people() {
    let folder = std::env::var_os("STIPEND_PICTURES").expect("STIPEND_PICTURES names the folder for the pictures");
    let folder = Path::new(&folder);
    std::fs::create_dir_all(folder).unwrap();
    let world = World::connected().await;
    some_affiliates(&world.site, world.merchant).await;
    for (email, role) in [
        ("pia.preparer@example.com", Role::Preparer),
        ("a.very.long.address.of.bob@accounting.example.com", Role::Approver),
    ] {
        world.site.person(email, "Acme", role).await;
        world.site.signed_in(email).await;
    }
    let at = |path: &str| format!("{}{path}", world.site.address);
    let browser = Browser::open(Script::On).await;
    browser.goto(at("/people")).await.unwrap();
    browser.fill("email", "ann@example.com").await;
    browser.fill("password", PASSWORD).await;
    browser.press("Sign in").await;
    shoot(&browser, folder, "people").await;
    browser.fill("email", "pia.preparer@example.com").await;
    browser.press("Invite").await;
    shoot(&browser, folder, "people-refused").await;
    browser.fill("email", "nora@example.com").await;
    browser.press("Invite").await;
    shoot(&browser, folder, "people-link").await;
    let link = browser.find(By::Css("code.secret")).await.unwrap().text().await.unwrap();
    browser.press("pia.preparer@example.com").await;
    shoot(&browser, folder, "person").await;
    browser.press("Deactivate").await;
    shoot(&browser, folder, "person-deactivated").await;
    browser.goto(at("/affiliates")).await.unwrap();
    browser.press("Barbara Liskov").await;
    browser.press("Edit").await;
    browser.fill("paypal_email", "barbara.new@example.org").await;
    browser.press("Save affiliate").await;
    for (name, path) in [("audit", "/audit?check=yes"), ("audit-none", "/audit?action=nothing+like+it")] {
        browser.goto(at(path)).await.unwrap();
        shoot(&browser, folder, name).await;
    }
    let spoil = "begin; set local session_replication_role = replica; update audit_entries set action = 'x' where action = 'affiliate added'; commit";
    sqlx::raw_sql(spoil).execute(world.app.database.pool()).await.unwrap();
    browser.goto(at("/audit?check=yes")).await.unwrap();
    shoot(&browser, folder, "audit-broken").await;
    browser.goto(at("/settings/mail/invitation")).await.unwrap();
    shoot(&browser, folder, "mail-invitation").await;
    browser.goto(&link).await.unwrap();
    shoot(&browser, folder, "invitation-of-another").await;
    browser.delete_all_cookies().await.unwrap();
    browser.goto(&link).await.unwrap();
    shoot(&browser, folder, "invitation").await;
    browser.goto(at("/invitation?code=0")).await.unwrap();
    shoot(&browser, folder, "invitation-void").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes pictures for people; it proves nothing"]
async fn pictures_of_large_batch() {
    let folder = std::env::var_os("STIPEND_PICTURES").expect("STIPEND_PICTURES names the folder for the pictures");
    let folder = Path::new(&folder);
    std::fs::create_dir_all(folder).unwrap();
    let mut world = World::new().await;
    for name in ["maya", "tom", "locked.jim", "ada.unregistered", "grace", "barbara"] {
        world.owe(&format!("{name}@example.com"), &["120.00", "30.50"]).await;
    }
    let browser = Browser::open(Script::On).await;
    let address = world.site.address.clone();
    let goto = async |path: &str| browser.goto(format!("{address}{path}")).await.unwrap();
    goto("/integrations/payment/dropzone").await;
    browser.fill("email", "ann@example.com").await;
    browser.fill("password", PASSWORD).await;
    browser.press("Sign in").await;
    browser.wait_for_words("Make our key").await;
    shoot(&browser, folder, "dropzone-begin").await;
    browser.press("Make our key").await;
    browser.wait_for_words("Our key is made").await;
    browser.fill("user_name", "acme-sftp").await;
    browser.press("Save and test").await;
    browser.wait_for_words("Compare the server").await;
    shoot(&browser, folder, "dropzone-key").await;
    let outcome = crate::by_file::connect(&world).await;
    assert_eq!(outcome, stipend::connection::dropzone::Outcome::Ready);
    goto("/integrations/payment").await;
    shoot(&browser, folder, "integrations").await;
    let how = How::File { compression: stipend::paypal::large_batch::Compression::Plain };
    let ask = world.review(&everything(), how.clone()).await;
    goto(&format!("/payouts/new/{}?how=file", ask.request)).await;
    shoot(&browser, folder, "review-file").await;
    let batch = stipend::payout::draft::draft(&world.app, world.merchant, &ask).await.unwrap()[0];
    goto(&format!("/batches/{batch}")).await;
    shoot(&browser, folder, "file-prepared").await;
    let actor = world.actor();
    stipend::payout::manual::let_go(&world.app, world.merchant, &actor, batch, None).await.unwrap().unwrap();
    crate::by_file::until_stage(&world, batch, "out").await;
    goto(&format!("/batches/{batch}")).await;
    shoot(&browser, folder, "file-out").await;

    world.fault(serde_json::json!({"call": "pick_up", "what": "reject", "name": "SANDBOX_LIMIT_ERROR"})).await;
    world.owe("second@example.com", &["12.00"]).await;
    let rejected = crate::by_file::pay(&world).await[0];
    for _ in 0..20 {
        crate::by_file::round(&world).await;
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        world.advance(time::Duration::seconds(2));
    }
    goto(&format!("/batches/{rejected}")).await;
    shoot(&browser, folder, "file-rejected").await;
    goto("/attention").await;
    shoot(&browser, folder, "file-attention").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes pictures for people; it proves nothing"]
async fn pictures_of_legacy_connections() {
    let folder = std::env::var_os("STIPEND_PICTURES").expect("STIPEND_PICTURES names the folder for the pictures");
    let folder = Path::new(&folder);
    std::fs::create_dir_all(folder).unwrap();
    let letters = Letters::folder();
    let world = World::mailing(letters.path()).await;
    let (database, clock) = (&world.app.database, &world.app.clock);
    stipend::admin::set_installation_admin(database, clock, "ann@example.com", true).await.unwrap();
    for name in ["Tailwind Books", "A merchant with a very long name that breaks over lines", "Globex", "Initech"] {
        let merchant = world.site.merchant(name).await;
        world.site.person("ann@example.com", name, Role::Admin).await;
        crate::legacy::enter(&world, merchant, "simulator").await;
        some_affiliates(&world.site, merchant).await;
    }
    let browser = Browser::open(Script::On).await;
    let at = |path: &str| format!("{}{path}", world.site.address);
    browser.goto(at("/installation/legacy")).await.unwrap();
    browser.fill("email", "ann@example.com").await;
    browser.fill("password", PASSWORD).await;
    browser.press("Sign in").await;
    for (merchant, client_id, secret) in
        [("Globex", "no-payouts", "secret"), ("Initech", "other-client", "other-secret")]
    {
        browser.goto(at("/installation/legacy")).await.unwrap();
        browser.press(merchant).await;
        browser.fill("client_id", client_id).await;
        browser.fill("secret", secret).await;
        browser.press("Upgrade").await;
        shoot(&browser, folder, &format!("legacy-{client_id}")).await;
    }
    browser.goto(at("/installation/legacy")).await.unwrap();
    browser.press("Send reminder to all 3 that are to be upgraded").await;
    shoot(&browser, folder, "legacy").await;
    browser.goto(at("/installation/legacy/new")).await.unwrap();
    browser.press("Enter").await;
    shoot(&browser, folder, "legacy-new").await;
    browser.find(By::Css("details.menu summary")).await.unwrap().click().await.unwrap();
    shoot(&browser, folder, "legacy-menu").await;
    browser.find(By::XPath("//button[normalize-space()='Globex']")).await.unwrap().click().await.unwrap();
    for (name, path) in [
        ("legacy-card", "/integrations/payment"),
        ("legacy-guide", "/integrations/payment/guide"),
        ("legacy-upgrade", "/integrations/payment/paypal"),
        ("legacy-due", "/affiliate_payments/pay"),
    ] {
        browser.goto(at(path)).await.unwrap();
        shoot(&browser, folder, name).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes pictures for people; it proves nothing"]
async fn pictures_of_the_account() {
    let folder = std::env::var_os("STIPEND_PICTURES").expect("STIPEND_PICTURES names the folder for the pictures");
    let folder = Path::new(&folder);
    std::fs::create_dir_all(folder).unwrap();
    let letters = Letters::folder();
    let mut world = World::mailing(letters.path()).await;
    world.owe("tom@example.com", &["1250.00"]).await;
    let base = world.site.address.replace("127.0.0.1", "localhost");
    let browser = Browser::open(Script::On).await;
    browser.virtual_authenticator().await;
    let goto = async |path: &str| browser.goto(format!("{base}{path}")).await.unwrap();
    let password = async || {
        browser.delete_all_cookies().await.unwrap();
        goto("/sign-in").await;
        browser.fill("email", "ann@example.com").await;
        browser.fill("password", PASSWORD).await;
        browser.press("Sign in").await;
    };
    goto("/password/forgotten").await;
    shoot(&browser, folder, "forgotten").await;
    browser.fill("email", "ann@example.com").await;
    browser.press("Send the link").await;
    shoot(&browser, folder, "forgotten-sent").await;
    while stipend::people::password::send_next(&world.app).await.unwrap() {}
    let code = letters.to("ann@example.com")[0].body.split("/password/new?code=").nth(1).unwrap()[..64].to_owned();
    goto(&format!("/password/new?code={code}")).await;
    shoot(&browser, folder, "new-password").await;
    goto("/password/new?code=0").await;
    shoot(&browser, folder, "new-password-void").await;
    password().await;
    goto("/account").await;
    shoot(&browser, folder, "account-none").await;
    goto("/settings/security").await;
    shoot(&browser, folder, "security-none").await;
    goto("/account/passkeys/new").await;
    shoot(&browser, folder, "passkey-new").await;
    browser.fill("name", "My laptop").await;
    browser.press("Add a passkey").await;
    browser.wait_for_words("Keep these").await;
    shoot(&browser, folder, "recovery-codes").await;
    goto("/account").await;
    browser.press("Set up an app").await;
    shoot(&browser, folder, "authenticator").await;
    let key = browser.find(By::Css("code.secret")).await.unwrap().text().await.unwrap();
    let phone = crate::factor::Phone::with(&key);
    browser.fill("code", &phone.shows(&world.site)).await;
    browser.press("Set up").await;
    browser.wait_for_words("Your app is set up").await;
    shoot(&browser, folder, "account").await;
    goto("/settings/security").await;
    browser.press("Require it of approvers and admins").await;
    browser.fill("amount", "1000.00").await;
    browser.press("Set").await;
    browser.wait_for_words("Whoever sends more").await;
    shoot(&browser, folder, "security").await;
    let ask = world.review(&everything(), How::PayPal).await;
    crate::factor::pass(&world.site, time::Duration::minutes(6));
    goto(&format!("/payouts/new/{}?how=paypal", ask.request)).await;
    shoot(&browser, folder, "review-confirms").await;
    goto("/integrations/payment/paypal").await;
    shoot(&browser, folder, "confirm").await;
    password().await;
    browser.wait_for_words("Second step").await;
    browser.fill("code", "123456").await;
    browser.press("Sign in").await;
    shoot(&browser, folder, "second-step").await;
    world.site.person("bob@example.com", "Acme", Role::Approver).await;
    browser.delete_all_cookies().await.unwrap();
    goto("/sign-in").await;
    browser.fill("email", "bob@example.com").await;
    browser.fill("password", PASSWORD).await;
    browser.press("Sign in").await;
    shoot(&browser, folder, "held-back").await;
}
