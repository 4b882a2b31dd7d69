//! Asked anew: before secrets, roles and factors change, and before much money leaves.

use super::{half_in, pass, second, set_up};
use crate::support::client::{Client, Page};
use crate::support::site::{PASSWORD, Site};
use crate::support::world::World;
use stipend::role::Role;
use stipend::web::pages;
use time::Duration;

/// Answers the question with the password, and goes where it leads.
async fn confirm(client: &Client, page: &Page) -> Page {
    assert!(page.text().contains("Confirm that it is you"), "{}", page.text());
    client.submit(page, "/confirm", &[("password", PASSWORD)]).await
}

#[tokio::test]
async fn what_was_typed_comes_back_after_the_question() {
    let site = Site::staffed().await;
    let admin = site.signed_in("admin@example.com").await;
    pass(&site, Duration::minutes(5));
    let page = admin.open("/people").await;
    assert_eq!(page.status, 200, "looking asks nothing");
    let asked = admin.submit(&page, "/people/invitations", &[("email", "new@example.com"), ("role", "approver")]).await;
    let wrong = admin.submit(&asked, "/confirm", &[("password", "a guess")]).await;
    assert_eq!(wrong.status, 422);
    assert!(wrong.text().contains("This is not your password"), "{}", wrong.text());
    let page = confirm(&admin, &wrong).await;
    let form = page.form("/people/invitations");
    assert_eq!((form.value("email"), form.value("role")), (Some("new@example.com"), Some("approver")));
    let sent = admin.submit(&page, "/people/invitations", &[]).await;
    assert!(sent.text().contains("Hand this link to new@example.com"), "and is not asked again: {}", sent.text());

    pass(&site, Duration::minutes(5));
    let viewer = crate::people::id_of(&site, "viewer@example.com").await;
    let at = format!("/people/{viewer}");
    let page = admin.open(&at).await;
    let asked = admin.submit(&page, &format!("{at}/role"), &[("role", "preparer")]).await;
    let page = confirm(&admin, &asked).await;
    assert_eq!(page.form(&format!("{at}/role")).value("role"), Some("preparer"));
    assert!(page.text().contains("Role viewer"), "nothing was changed yet: {}", page.text());
    assert!(admin.submit(&page, &format!("{at}/role"), &[]).await.text().contains("now has the role preparer"));
}

#[tokio::test]
async fn a_question_leads_to_no_other_site_and_nobody_answers_it_without_end() {
    let site = Site::staffed().await;
    let admin = site.signed_in("admin@example.com").await;
    assert_eq!(admin.get("/confirm?next=%2Fpeople").await.header("location"), "/people", "just shown");
    for elsewhere in ["https://evil.example/", "//evil.example/", "/\\evil.example"] {
        let next = form_urlencoded::byte_serialize(elsewhere.as_bytes()).collect::<String>();
        assert_eq!(admin.get(&format!("/confirm?next={next}")).await.header("location"), "/", "{elsewhere}");
    }
    pass(&site, Duration::minutes(6));
    let page = admin.open("/confirm?next=https://evil.example/").await;
    let before = admin.cookie("stipend_session").unwrap();
    let answer = admin.submit_once(&page, "/confirm", &[("password", PASSWORD)]).await;
    assert_eq!((answer.status, answer.header("location")), (303, "/"));
    assert_ne!(admin.cookie("stipend_session").unwrap(), before, "the session has a new id");
    // A page that says it was somewhere else.
    pass(&site, Duration::minutes(6));
    let token = admin.open("/account").await.form("/sign-out").value("token").unwrap().to_owned();
    let headers =
        [("content-type", "application/x-www-form-urlencoded"), ("referer", "https://evil.example//evil.example/x")];
    let asked = admin.post_raw("/account/recovery-codes", &headers, format!("token={token}")).await;
    assert!(asked.header("location").starts_with("/confirm?next="), "{}", asked.header("location"));
    let page = admin.open(asked.header("location")).await;
    for _ in 0..5 {
        assert_eq!(admin.submit(&page, "/confirm", &[("password", "a guess")]).await.status, 422);
    }
    assert_eq!(admin.submit(&page, "/confirm", &[("password", PASSWORD)]).await.status, 429);
    pass(&site, Duration::minutes(16));
    let answer =
        admin.submit_once(&admin.open(asked.header("location")).await, "/confirm", &[("password", PASSWORD)]).await;
    assert_eq!(answer.header("location"), "/");
}

#[tokio::test]
async fn every_route_that_asks_anew_asks_before_anything_else() {
    let site = Site::staffed().await;
    stipend::admin::set_installation_admin(&site.app.database, &site.app.clock, "admin@example.com", true)
        .await
        .unwrap();
    let admin = site.signed_in("admin@example.com").await;
    let token = admin.open("/account").await.form("/sign-out").value("token").unwrap().to_owned();
    pass(&site, Duration::minutes(5));
    let routes = pages();
    let fresh: Vec<_> = routes.table().iter().filter(|route| route.fresh).collect();
    assert!(fresh.len() >= 15);
    for route in fresh {
        let page = if route.method == axum::http::Method::GET {
            admin.get(route.path).await
        } else {
            admin.post(route.path, &[("token", &token)]).await
        };
        assert_eq!(page.status, 303, "{} {}", route.method, route.path);
        assert!(page.header("location").starts_with("/confirm?next="), "{}: {}", route.path, page.header("location"));
    }
    for (path, fields) in [
        ("/people/invitations", vec![("email", "new@example.com"), ("role", "admin")]),
        ("/settings/security/amounts", vec![("currency", "USD"), ("amount", "10")]),
    ] {
        let page = admin.post(path, &[&[("token", token.as_str())], &fields[..]].concat()).await;
        assert!(page.header("location").starts_with("/confirm?next="), "{path}");
    }
}

#[tokio::test]
async fn who_has_a_factor_confirms_by_it_and_not_by_the_password() {
    let site = Site::staffed().await;
    let (phone, codes) = set_up(&site, &site.signed_in("admin@example.com").await).await;
    let (admin, page) = half_in(&site, "admin@example.com").await;
    second(&admin, &page, &phone.shows(&site)).await;
    assert_eq!(admin.get("/integrations/payment/paypal").await.status, 200, "the second step was one");
    pass(&site, Duration::minutes(5));
    let asked = admin.open("/integrations/payment/paypal").await;
    assert_eq!(admin.submit(&asked, "/confirm", &[("password", PASSWORD)]).await.status, 422);
    let page = admin.submit(&asked, "/confirm", &[("code", &phone.shows(&site))]).await;
    assert_eq!((page.status, page.url.as_str()), (200, "/integrations/payment/paypal"));
    pass(&site, Duration::minutes(5));
    let asked = admin.open("/integrations/payment/paypal").await;
    let page = admin.submit(&asked, "/confirm", &[("code", &codes[3])]).await;
    assert!(page.text().contains("9 recovery codes are left"), "{}", page.text());
}

#[tokio::test]
async fn much_money_asks_on_the_review_and_keeps_what_was_typed() {
    let mut world = World::connected().await;
    world.owe("tom@example.com", &["60.00", "50.00"]).await;
    let site = &world.site;
    let ann = site.signed_in("ann@example.com").await;
    let set = async |amount: &str| {
        let page = ann.open("/settings/security").await;
        ann.submit(&page, "/settings/security/amounts", &[("currency", "USD"), ("amount", amount)]).await
    };
    for wrong in ["0", "-5", "ten", "1,000.00", "1.234"] {
        assert_eq!(set(wrong).await.status, 422, "{wrong}");
    }
    assert!(set("109.99").await.text().contains("Whoever sends more than USD 109.99 in one payment"));
    world.audited("amount to confirm above changed").await;
    site.person("bob@example.com", "Acme", Role::Approver).await;
    let bob = site.signed_in("bob@example.com").await;
    let token = bob.open("/affiliates").await.form("/sign-out").value("token").unwrap().to_owned();
    let fields = [("token", token.as_str()), ("all", "1"), ("how", "paypal")];
    let review = bob.post("/affiliate_payments/selections", &fields).await.header("location").to_owned();
    assert!(!bob.open(&review).await.text().contains("first asks whether it is you"), "just signed in");
    pass(site, Duration::minutes(5));
    let page = bob.open(&review).await;
    assert!(page.text().contains("first asks whether it is you"), "{}", page.text());
    let asked = bob.submit(&page, "/payouts", &[("subject", "For May"), ("message", "Thank you & all")]).await;
    let page = confirm(&bob, &asked).await;
    let form = page.form("/payouts");
    assert_eq!(form.value("subject"), Some("For May"));
    assert!(page.body.contains("Thank you &#38; all</textarea>"), "{}", page.body);
    assert!(page.text().contains("Nothing has been sent yet"));
    let paid = bob.submit(&page, "/payouts", &[]).await;
    assert!(paid.url.starts_with("/batches/"), "{} {}", paid.url, paid.text());
    world.settle().await;

    // Exactly the amount does not ask, and none set asks nobody.
    world.owe("eve@example.com", &["109.99"]).await;
    let bob = world.site.signed_in("bob@example.com").await;
    let page = due(&bob).await;
    pass(&world.site, Duration::minutes(5));
    assert!(bob.submit(&page, "/payouts", &[]).await.url.starts_with("/batches/"));
    world.settle().await;
    world.check().await;
}

async fn due(client: &Client) -> Page {
    let token = client.open("/affiliates").await.form("/sign-out").value("token").unwrap().to_owned();
    let fields = [("token", token.as_str()), ("all", "1"), ("how", "paypal")];
    let review = client.post("/affiliate_payments/selections", &fields).await.header("location").to_owned();
    client.open(&review).await
}

#[tokio::test]
async fn a_large_file_asks_before_it_is_let_go() {
    let mut world = World::connected().await;
    crate::by_file::connect(&world).await;
    world.owe("tom@example.com", &["500.00"]).await;
    let ann = world.site.signed_in("ann@example.com").await;
    let page = ann.open("/settings/security").await;
    ann.submit(&page, "/settings/security/amounts", &[("currency", "USD"), ("amount", "100")]).await;
    let batch = crate::by_file::prepare(&world).await[0];
    pass(&world.site, Duration::minutes(5));
    let at = format!("/batches/{batch}");
    let page = ann.open(&at).await;
    let asked = ann.submit(&page, &format!("{at}/upload"), &[("at", "")]).await;
    let page = confirm(&ann, &asked).await;
    assert_eq!(page.url, at);
    assert!(ann.submit(&page, &format!("{at}/upload"), &[("at", "")]).await.text().contains("It is being uploaded"));
}

#[tokio::test]
async fn rules_and_held_addresses_ask_before_they_change_and_keep_what_was_typed() {
    let mut world = World::connected().await;
    world.site.person("pia@example.com", "Acme", Role::Preparer).await;
    world.owe("ada@example.com", &["150.00"]).await;
    let ada = format!("/affiliates/{}", world.affiliates["ada@example.com"]);
    let pia = world.site.signed_in("pia@example.com").await;
    pia.submit(&pia.open(&format!("{ada}/edit")).await, &ada, &[("paypal_email", "new@example.com")]).await;
    let ann = world.site.signed_in("ann@example.com").await;
    pass(&world.site, Duration::minutes(6));

    let page = ann.open("/settings/rules").await;
    let asked = ann.submit(&page, "/settings/rules", &[("approval_above_USD", "77"), ("hold_days", "0")]).await;
    assert!(asked.url.starts_with("/confirm"), "{}", asked.url);
    let back = ann.submit(&asked, "/confirm", &[("password", PASSWORD)]).await;
    let form = back.form("/settings/rules");
    assert_eq!((form.value("approval_above_USD"), form.value("hold_days")), (Some("77"), Some("0")));
    assert!(!ann.open("/settings/rules").await.body.contains("value=\"77\""), "nothing is saved yet");
    assert!(ann.submit(&back, "/settings/rules", &[]).await.text().contains("Saved."));

    pass(&world.site, Duration::minutes(6));
    let page = ann.open(&ada).await;
    let asked = ann.submit(&page, &format!("{ada}/release"), &[("why", "She called.")]).await;
    let back = ann.submit(&asked, "/confirm", &[("password", PASSWORD)]).await;
    assert_eq!(back.form(&format!("{ada}/release")).value("why"), Some("She called."));
    assert!(ann.submit(&back, &format!("{ada}/release"), &[]).await.text().contains("not held any more"));
}
