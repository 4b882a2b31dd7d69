//! The page, its filters, its export, and the sentence about the chain.

use super::{checked, entries};
use crate::factor::{Phone, key_on};
use crate::support::client::Client;
use crate::support::world::World;
use serde_json::json;
use stipend::audit::{self, Actor};
use stipend::role::Role;
use time::Duration;

async fn ann(world: &World) -> Client {
    world.site.signed_in("ann@example.com").await
}

async fn add(client: &Client, email: &str) {
    let page = client.open("/affiliates/new").await;
    assert_eq!(client.submit(&page, "/affiliates", &[("email", email)]).await.status, 200);
}

#[tokio::test]
async fn an_admin_sees_who_did_what_when_and_from_where() {
    let world = World::connected().await;
    world.site.person("pia@example.com", "Acme", Role::Preparer).await;
    let pia = world.site.signed_in("pia@example.com").await;
    add(&pia, "ada@example.com").await;
    let list = pia.open("/affiliates").await;
    let at = list.body.split("href=\"/affiliates/").skip(1).find(|rest| rest.as_bytes()[8] == b'-').unwrap();
    let at = format!("/affiliates/{}", &at[..36]);
    let form = pia.open(&format!("{at}/edit")).await;
    pia.submit(&form, &at, &[("paypal_email", "ada.pay@example.com"), ("first_name", "Ada")]).await;
    assert_eq!(pia.get("/audit").await.status, 403, "a preparer does not look behind the others");

    let ann = ann(&world).await;
    let page = ann.open("/audit").await;
    let text = page.text();
    for words in [
        "pia@example.com from 127.0.0.1 affiliate changed affiliate Ada",
        "paypal email: none → ada.pay@example.com",
        "first name:",
        "signed in",
        "connected PayPal",
        "Stipend merchant added",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert!(page.body.contains(&format!("href=\"{at}\"")), "the object is a link");
    assert!(page.body.contains("href=\"/integrations/payment\""));

    for (query, shown, hidden) in [
        ("action=affiliate", "affiliate added", "signed in"),
        ("action=SIGNED", "signed in", "affiliate added"),
        ("object=paypal+connection", "connected PayPal", "affiliate added"),
        ("from=2001-01-01&through=2001-01-02", "No entry matches", "affiliate added"),
        ("from=2001-01-01", "affiliate added", "No entry matches"),
    ] {
        let text = ann.open(&format!("/audit?{query}")).await.text();
        let rows = text.split("Through").nth(1).unwrap();
        assert!(rows.contains(shown) && !rows.contains(hidden), "{query}: {rows}");
    }
    let person = page.body.split("<option value=\"").find(|rest| rest.contains("pia@example.com")).unwrap();
    let text = ann.open(&format!("/audit?person={}", &person[..36])).await.text();
    assert!(text.contains("affiliate changed") && !text.contains("connected PayPal"), "{text}");

    let text = ann.open("/audit?check=yes").await.text();
    assert!(text.contains(&format!("Chain verified up to entry {}.", checked(&world).await.last)), "{text}");
    let spoil = "begin; set local session_replication_role = replica; update audit_entries set action = 'x' where action = 'affiliate added'; commit";
    sqlx::raw_sql(spoil).execute(world.app.database.pool()).await.unwrap();
    let text = ann.open("/audit?check=yes").await.text();
    assert!(text.contains("The chain is broken") && !text.contains("Nothing was changed"), "{text}");
}

#[tokio::test]
async fn the_list_is_cut_into_pages_and_exported_whole_and_safe() {
    let world = World::new().await;
    let mut tx = world.tx().await;
    for number in 0..120 {
        let actor = Actor { at: world.app.clock.now() + Duration::seconds(number), ..world.actor() };
        let details = json!({ "old": { "note": "a" }, "new": { "note": "=1+1" } });
        audit::record(&mut tx, &actor, &format!("=note {number}"), "@nothing", details).await.unwrap();
    }
    tx.commit().await.unwrap();
    let ann = ann(&world).await;
    let first = ann.open("/audit?action=note").await;
    assert!(first.text().contains("=note 119") && !first.text().contains("=note 69 "), "{}", first.text());
    let next = |body: &str, rel: &str| {
        let link = body.split(&format!("rel=\"{rel}\" href=\"")).nth(1).unwrap().split('"').next().unwrap().to_owned();
        link.replace("&#38;", "&")
    };
    let second = ann.open(&next(&first.body, "next")).await;
    assert!(second.text().contains("=note 69 ") && second.text().contains("=note 20 "), "{}", second.text());
    let third = ann.open(&next(&second.body, "next")).await;
    assert!(third.text().contains("=note 0 ") && !third.body.contains("rel=\"next\""));
    assert_eq!(ann.open(&next(&third.body, "prev")).await.text().matches("=note").count(), 50);
    assert!(!ann.get("/audit?action=note").await.body.contains("<script>"));
    let fragment = world.site.signed_in("ann@example.com").await.htmx().get("/audit?action=note").await;
    assert!(fragment.body.trim_start().starts_with("<div id=\"results\">"), "{}", fragment.body);

    let export = ann.get("/audit.csv?action=note").await;
    assert_eq!(export.status, 200);
    let lines: Vec<&str> = export.body.lines().collect();
    assert_eq!(lines.len(), 121);
    assert!(lines[0].starts_with("Entry,Time,Person,From address,Action,Object,Change,Hash"));
    assert!(lines[1].contains(",'=note 119,'@nothing,note: a → =1+1,"), "{}", lines[1]);
    assert_eq!(lines[1].rsplit(',').next().unwrap().len(), 64, "with the hash, for whoever compares later");
}

#[tokio::test]
async fn no_secret_is_ever_in_an_entry() {
    let world = World::new().await;
    let ann = ann(&world).await;
    let secret = "canary-secret-4711";
    for (client_id, secret) in [("demo-client", "demo-secret"), ("canary-client-id-0815", secret)] {
        let form = ann.open("/integrations/payment/paypal").await;
        ann.submit(&form, "/integrations/payment/paypal", &[("client_id", client_id), ("secret", secret)]).await;
    }
    let page = ann.open("/people").await;
    let shown = ann.submit(&page, "/people/invitations", &[("email", "new@example.com"), ("role", "admin")]).await;
    let code = shown.body.split("code=").nth(1).unwrap()[..64].to_owned();
    crate::by_file::connect(&world).await;
    let guest = world.site.stranger();
    let page = guest.open(&format!("/invitation?code={code}")).await;
    let password = "canary password 99";
    guest.submit(&page, "/invitation", &[("name", "New"), ("password", password), ("again", password)]).await;

    let page = ann.open("/account").await;
    let page = ann.submit(&page, "/account/authenticator", &[]).await;
    let key = key_on(&page);
    let digits = Phone::with(&key).shows(&world.site);
    let page = ann.submit(&page, "/account/authenticator/confirmation", &[("code", &digits)]).await;
    let recovery = key_on(&page);

    let told = entries(&world).await.iter().map(|entry| format!("{entry:?}\n")).collect::<String>();
    for action in [
        "saved PayPal details",
        "connected PayPal",
        "person invited",
        "invitation accepted",
        "DropZone",
        "authenticator set up",
    ] {
        assert!(told.contains(action), "{action}: {told}");
    }
    let mut tx = world.app.database.installation().await.unwrap();
    let kept: Vec<String> =
        sqlx::query_scalar("select concat_ws(' ', i::text, m::text) from invitations i left join mails m on true")
            .fetch_all(&mut *tx)
            .await
            .unwrap();
    let page = ann.open("/audit").await.text();
    let dump = crate::factor::dump(&world.site).await;
    let (key, recovery) = (key.replace(' ', ""), recovery.replace('-', ""));
    for canary in [secret, "canary-client-id", "demo-secret", password, &code, "PRIVATE KEY", &key, &recovery] {
        assert!(!told.contains(canary) && !page.contains(canary), "{canary}: {told}");
        assert!(!kept.iter().any(|row| row.contains(canary)), "{canary} is in the database");
    }
    for canary in [secret, "demo-secret", password, &code, &key, &recovery] {
        assert!(!dump.contains(canary), "{canary} is in a dump of the database");
    }
    assert!(told.contains("0815"), "of the Client ID the last four characters: {told}");
}
