//! The administrator of the installation: sums and states of all, lists of none, reminders, and the upgrade in a
//! merchant's stead.

use super::{CANARIES, enter, everything_kept, in_force, no_canary};
use crate::mail::post;
use crate::support::letters::Letters;
use crate::support::world::World;
use stipend::admin;
use stipend::id::MerchantId;
use stipend::role::Role;
use stipend::web::{Access, pages};
use time::Duration;

const PAGE: &str = "/installation/legacy";
const REMINDERS: &str = "/installation/legacy/reminders";

/// Two merchants with a legacy connection, and olga, who looks after the installation and belongs to a merchant of hers.
async fn installation(world: &World) -> MerchantId {
    let globex = world.site.merchant("Globex").await;
    world.site.person("homer@example.com", "Globex", Role::Admin).await;
    world.site.person("second@example.com", "Globex", Role::Admin).await;
    enter(world, globex, "simulator").await;
    let initech = world.site.merchant("Initech").await;
    enter(world, initech, "simulator").await;
    world.site.merchant("Operations").await;
    world.site.person("olga@example.com", "Operations", Role::Admin).await;
    admin::set_installation_admin(&world.app.database, &world.app.clock, "olga@example.com", true).await.unwrap();
    globex
}

#[tokio::test(flavor = "multi_thread")]
async fn they_see_how_far_everybody_is_and_nobodys_lists() {
    let mut world = World::new().await;
    let globex = installation(&world).await;
    enter(&world, world.merchant, "simulator").await;
    world.owe("secret-affiliate@example.com", &["10.00", "2.50"]).await;
    world.owe_in("EUR", "secret-affiliate@example.com", &["3.00"]).await;
    let olga = world.site.signed_in("olga@example.com").await;
    let list = olga.open(PAGE).await;
    for words in
        ["0 of 3 merchants upgraded; 3 still to do.", "Acme", "Globex", "Initech", "USD 12.50", "EUR 3.00", "Not begun"]
    {
        assert!(list.text().contains(words), "{words}: {}", list.text());
    }
    assert!(olga.open("/").await.body.contains(PAGE), "it is in her menu");
    // Nothing of a merchant but this, and no way to its lists.
    let one = olga.open(&format!("{PAGE}/{}", world.merchant)).await;
    for page in [&list, &one] {
        assert!(!page.body.contains("secret-affiliate") && !page.body.contains("/affiliates/"), "{}", page.text());
        no_canary(&page.body);
    }
    let affiliate = world.affiliates["secret-affiliate@example.com"];
    assert_eq!(olga.get(&format!("/affiliates/{affiliate}")).await.status, 404);
    let token = olga.open("/affiliates").await.form("/sign-out").value("token").unwrap().to_owned();
    let acme = world.merchant.to_string();
    assert_eq!(olga.post("/merchant", &[("token", &token), ("merchant", &acme)]).await.status, 404);
    assert!(!olga.open("/affiliates").await.text().contains("secret-affiliate"));
    assert!(!olga.open("/affiliate_payments/pay").await.text().contains("12.50"));
    assert_eq!(olga.get(&format!("{PAGE}/{}", MerchantId::new())).await.status, 404);

    // And nobody else sees even this.
    let ann = world.site.signed_in("ann@example.com").await;
    assert!(!ann.open("/").await.body.contains(PAGE));
    for route in pages().table().iter().filter(|route| route.access == Access::Installation) {
        let path = route.path.replace("{merchant}", &globex.to_string());
        let token = ann.open("/affiliates").await.form("/sign-out").value("token").unwrap().to_owned();
        let answer = match route.method.as_str() {
            "GET" => ann.get(&path).await,
            _ => ann.post(&path, &[("token", &token), ("all", "1")]).await,
        };
        assert_eq!(answer.status, 403, "{}", route.path);
        assert!(!answer.text().contains("Globex"));
    }
    // Taken away, it is gone at once; without a merchant, it is still there.
    let nobody = "delete from memberships where person_id = (select id from people where email = 'olga@example.com')";
    sqlx::query(nobody).execute(world.app.database.pool()).await.unwrap();
    assert!(olga.open("/").await.body.contains(PAGE), "the page for people without a merchant leads there");
    assert_eq!(olga.get(PAGE).await.status, 200);
    admin::set_installation_admin(&world.app.database, &world.app.clock, "olga@example.com", false).await.unwrap();
    assert_eq!(olga.get(PAGE).await.status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn they_remind_and_upgrade_and_the_merchant_hears_of_both() {
    let letters = Letters::folder();
    let mut world = World::mailing(letters.path()).await;
    let globex = installation(&world).await;
    let olga = world.site.signed_in("olga@example.com").await;
    let list = olga.open(PAGE).await;
    let nobody = olga.submit(&list, REMINDERS, &[]).await;
    assert!(nobody.text().contains("Tick at least one merchant"), "{}", nobody.text());
    let told = olga.submit(&list, REMINDERS, &[("all", "1")]).await.text();
    assert!(told.contains("1 merchant reminded by e-mail. 1 merchant without an admin"), "{told}");
    let again = olga.submit(&list, REMINDERS, &[("merchant", &globex.to_string())]).await.text();
    assert!(again.contains("0 merchants reminded by e-mail. 1 merchant passed over"), "{again}");
    post(&world).await;
    let subject = "Your PayPal connection at Globex";
    assert_eq!(letters.summary(), [format!("homer@example.com: {subject}"), format!("second@example.com: {subject}")]);
    let letter = &letters.to("homer@example.com")[0].body;
    assert!(letter.contains("old Mass Pay service") && letter.contains("/integrations/payment/guide"), "{letter}");

    // It leads to the page of the merchant that it is about, for whom the reader may not work at the moment.
    world.site.person("second@example.com", "Acme", Role::Viewer).await;
    let second = world.site.signed_in("second@example.com").await;
    let link = letter.split("http").nth(1).unwrap().split_whitespace().next().unwrap();
    let link = format!("/merchants/{}", link.split("/merchants/").nth(1).unwrap());
    let asked = second.open(&link).await;
    assert!(
        asked.text().contains("This is about Globex") && asked.text().contains("You work for Acme"),
        "{}",
        asked.text()
    );
    // The first form of the page is the switcher's, which leads to the start.
    assert!(asked.body.contains("name=\"next\" value=\"/integrations/payment/guide\""), "{}", asked.body);
    let guide = second
        .submit(&asked, "/merchant", &[("merchant", &globex.to_string()), ("next", "/integrations/payment/guide")])
        .await;
    assert!(guide.url == "/integrations/payment/guide" && guide.text().contains("You now work for Globex"));
    assert_eq!(second.open(&link).await.url, "/integrations/payment/guide", "nobody is asked in vain");
    assert_eq!(olga.get(&link).await.status, 404, "it leads nobody in");

    // A check that fails is seen, with its reason.
    let at = format!("{PAGE}/{globex}");
    let page = olga.open(&at).await;
    let bad = olga.submit(&page, &format!("{at}/upgrade"), &[("client_id", "two words"), ("secret", "")]).await;
    assert!(bad.status == 422 && bad.text().contains("Paste the Secret"), "{}", bad.text());
    let fields = [("client_id", "no-payouts"), ("secret", "handed-over-secret")];
    let failed = olga.submit(&page, &format!("{at}/upgrade"), &fields).await;
    assert!(failed.text().contains("PayPal does not recognise this Client ID and Secret"), "{}", failed.text());
    assert_eq!(
        failed.form(&format!("{at}/upgrade")).value("client_id"),
        Some("no-payouts"),
        "it need not be typed again"
    );
    assert_eq!(in_force(&world, globex).await, (vec!["legacy_masspay".to_owned()], true));
    let list = olga.open(&format!("{PAGE}?state=failed")).await;
    assert!(list.text().contains("Check failed PayPal does not recognise"), "{}", list.text());
    assert!(list.text().contains("1 of them after a check that failed") && !list.text().contains("Initech"));

    // A reminder that waits is not sent any more once the upgrade is done.
    world.advance(Duration::days(2));
    let olga = world.site.signed_in("olga@example.com").await;
    let page = olga.open(&at).await;
    olga.submit(&page, REMINDERS, &[]).await;
    let fields = [("client_id", "other-client"), ("secret", "other-secret")];
    // She is an admin there too by now; the others hear of it all the same.
    world.site.person("olga@example.com", "Globex", Role::Admin).await;
    let done = olga.submit(&page, &format!("{at}/upgrade"), &fields).await;
    assert!(done.text().contains("Upgraded. The old details are destroyed"), "{}", done.text());
    assert_eq!(in_force(&world, globex).await, (vec!["rest".to_owned()], false));
    assert!(olga.open(PAGE).await.text().contains("1 of 2 merchants upgraded; 1 still to do."));
    let late = olga.submit(&page, &format!("{at}/upgrade"), &fields).await;
    assert_eq!(late.status, 409, "{}", late.text());
    post(&world).await;
    let homers = letters.to("homer@example.com");
    assert_eq!(homers.len(), 2, "{:?}", letters.summary());
    assert!(homers.iter().any(|letter| letter.body.contains("has upgraded your PayPal connection")));
    assert_eq!(letters.to("olga@example.com").len(), 0, "she knows what she did");

    // It is in the merchant's own audit log, with her name.
    let homer = world.site.signed_in("homer@example.com").await;
    let log = homer.open("/audit").await;
    for words in ["upgraded PayPal", "saved PayPal details", "reminded of the upgrade", "olga@example.com"] {
        assert!(log.text().contains(words), "{words}: {}", log.text());
    }
    for secret in ["handed-over-secret", "other-secret"] {
        assert!(!log.body.contains(secret) && !done.body.contains(secret) && !failed.body.contains(secret));
    }
    world.merchant = globex;
    world.audited("reminded of the upgrade").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_is_entered_by_hand() {
    let world = World::new().await;
    world.site.merchant("Operations").await;
    world.site.person("olga@example.com", "Operations", Role::Admin).await;
    admin::set_installation_admin(&world.app.database, &world.app.clock, "olga@example.com", true).await.unwrap();
    let olga = world.site.signed_in("olga@example.com").await;
    let form = olga.open(&format!("{PAGE}/new")).await;
    let [user, password, signature] = CANARIES;
    let fields = |merchant: &'static str, environment: &'static str, password: &'static str| {
        let details = [("api_username", user), ("api_password", password), ("api_signature", signature)];
        [&[("merchant", merchant), ("environment", environment)], details.as_slice()].concat()
    };
    for (merchant, environment, password, words) in [
        ("Nowhere", "live", password, "There is no merchant of this name"),
        ("Acme", "moon", password, "Environment: choose one."),
        ("Acme", "live", "", "API password: it is empty"),
    ] {
        let refused = olga.submit(&form, PAGE, &fields(merchant, environment, password)).await;
        assert!(refused.status == 422 && refused.text().contains(words), "{words}: {}", refused.text());
        assert!(refused.body.contains(&format!("value=\"{merchant}\"")), "what was typed is kept");
        no_canary(&refused.body);
    }
    let entered = olga.submit(&form, PAGE, &fields("acme", "live", password)).await;
    assert!(entered.text().contains("Entered. The three details are sealed here"), "{}", entered.text());
    let again = olga.submit(&form, PAGE, &fields("Acme", "live", password)).await;
    assert!(again.text().contains("had this connection already"), "{}", again.text());
    let other = olga.submit(&form, PAGE, &fields("Acme", "live", "another")).await;
    assert!(other.status == 422 && other.text().contains("with other details"), "{}", other.text());
    let replaced = [fields("Acme", "live", "another"), vec![("replace", "1")]].concat();
    let replaced = olga.submit(&form, PAGE, &replaced).await;
    assert!(replaced.text().contains("Entered. Details that were here"), "{}", replaced.text());
    world.audited("legacy connection entered").await;
    no_canary(&everything_kept(&world).await);
    no_canary(&entered.body);
}
