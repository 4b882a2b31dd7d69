//! A merchant that requires a second factor.

use super::{half_in, is_in, pass, second, set_up};
use crate::support::client::{Client, Page};
use crate::support::site::Site;
use stipend::role::Role;
use time::Duration;

async fn require(client: &Client, required: &str) -> Page {
    let page = client.open("/settings/security").await;
    client.submit(&page, "/settings/security/factor", &[("required", required)]).await
}

#[tokio::test]
async fn approvers_and_admins_without_one_may_only_look_and_are_led_to_set_it_up() {
    let site = Site::staffed().await;
    site.person("boss@example.com", "Acme", Role::Admin).await;
    let admin = site.signed_in("admin@example.com").await;
    let refused = require(&admin, "yes").await;
    assert!(refused.text().contains("Set up a second factor yourself first"), "{}", refused.text());
    let (phone, _) = set_up(&site, &admin).await;
    assert!(require(&admin, "yes").await.text().contains("Approvers and admins now need a second factor"));
    let people = admin.open("/people").await.text();
    assert!(people.contains("Active Set up") && people.contains("approver never Active none"), "{people}");

    for (email, path) in [("approver@example.com", "/payouts"), ("boss@example.com", "/people/invitations")] {
        let held = site.signed_in(email).await;
        let page = held.open("/affiliates").await;
        assert_eq!(page.status, 200, "{email} may look");
        assert!(page.text().contains("Set up a second factor first"), "{}", page.text());
        assert!(!page.body.contains("href=\"/affiliates/new\""), "no button that would refuse");
        let token = page.form("/sign-out").value("token").unwrap().to_owned();
        for path in ["/affiliates", path] {
            let answer = held.post(path, &[("token", &token), ("email", "x@example.com")]).await;
            assert_eq!((answer.status, answer.header("location")), (303, "/account"), "{email} {path}");
        }
        assert_eq!(held.open("/affiliates/new").await.url, "/account");
        set_up(&site, &held).await;
        assert_eq!(held.get("/affiliates/new").await.status, 200, "{email} may again, in the same session");
    }
    for email in ["viewer@example.com", "preparer@example.com"] {
        let client = site.signed_in(email).await;
        assert!(!client.open("/affiliates").await.text().contains("Set up a second factor first"), "{email}");
    }
    // Another merchant requires nothing.
    site.merchant("Globex").await;
    site.person("new@example.com", "Globex", Role::Admin).await;
    assert_eq!(site.signed_in("new@example.com").await.get("/people").await.status, 200);

    pass(&site, Duration::minutes(1));
    let (admin, page) = half_in(&site, "admin@example.com").await;
    second(&admin, &page, &phone.shows(&site)).await;
    assert!(require(&admin, "no").await.text().contains("no longer required"));
    assert_eq!(require(&admin, "perhaps").await.status, 422);
}

#[tokio::test]
async fn the_last_factor_stays_where_one_is_required_and_the_operator_can_take_it() {
    let site = Site::staffed().await;
    let admin = site.signed_in("admin@example.com").await;
    set_up(&site, &admin).await;
    require(&admin, "yes").await;
    let page = admin.open("/account").await;
    let kept = admin.submit(&page, "/account/authenticator/removal", &[]).await;
    assert!(kept.text().contains("This is your last second factor, and Acme requires one of you"), "{}", kept.text());
    assert!(admin.open("/account").await.text().contains("Authenticator app Set up"));
    require(&admin, "no").await;
    let gone = admin.submit(&page, "/account/authenticator/removal", &[]).await;
    assert!(gone.text().contains("Codes of that app open nothing here any more"), "{}", gone.text());
    assert!(!gone.text().contains("Recovery codes"), "they stand in for nothing now");
    assert!(admin.submit(&page, "/account/authenticator/removal", &[]).await.text().contains("removed already"));
    assert!(is_in(&site.signed_in("admin@example.com").await).await);

    let (_, codes) = set_up(&site, &admin).await;
    let clock = &site.app.clock;
    assert!(stipend::admin::reset_factors(&site.app.database, clock, "Admin@example.com").await.unwrap());
    assert!(!stipend::admin::reset_factors(&site.app.database, clock, "nobody@example.com").await.unwrap());
    assert!(!is_in(&admin).await, "their sessions are ended");
    let (admin, page) = half_in(&site, "admin@example.com").await;
    assert!(is_in(&admin).await, "{}", page.text());
    assert!(admin.open("/audit").await.text().contains("Stipend second factors reset by the operator"));
    let (phone, _) = set_up(&site, &admin).await;
    let (admin, page) = half_in(&site, "admin@example.com").await;
    assert_eq!(second(&admin, &page, &codes[0]).await.status, 422, "codes of before are void");
    second(&admin, &page, &phone.shows(&site)).await;
    assert!(is_in(&admin).await);
}
