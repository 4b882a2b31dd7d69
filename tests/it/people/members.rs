//! Members: their roles, and what becomes of those who are let go.

use super::{accept, code, id_of, invite, press};
use crate::support::site::{PASSWORD, Site};
use stipend::audit::Actor;
use stipend::id::PersonId;
use stipend::people::{self, Change, Refused};
use stipend::role::Role;

#[tokio::test]
async fn an_admin_changes_a_role_and_it_holds_from_the_next_click_on() {
    let site = Site::staffed().await;
    let admin = site.signed_in("admin@example.com").await;
    let viewer = site.signed_in("viewer@example.com").await;
    let list = admin.open("/people").await;
    for words in ["admin@example.com (you)", "preparer@example.com preparer never Active", "Audit log"] {
        assert!(list.text().contains(words), "{words}: {}", list.text());
    }
    let person = id_of(&site, "viewer@example.com").await;
    assert_eq!(viewer.get("/affiliates/new").await.status, 403);
    let said = press(&admin, person, "role", &[("role", "preparer")]).await.text();
    assert!(said.contains("viewer@example.com now has the role preparer, from this moment on."), "{said}");
    assert_eq!(viewer.get("/affiliates/new").await.status, 200);
    assert!(
        press(&admin, person, "role", &[("role", "preparer")]).await.text().contains("had the role preparer already")
    );
    assert_eq!(press(&admin, person, "role", &[("role", "owner")]).await.status, 422);
}

#[tokio::test]
async fn who_is_deactivated_is_out_at_once_and_may_come_back() {
    let site = Site::staffed().await;
    site.merchant("Globex").await;
    site.person("approver@example.com", "Globex", Role::Viewer).await;
    let admin = site.signed_in("admin@example.com").await;
    let here = site.signed_in("approver@example.com").await;
    let there = site.signed_in("approver@example.com").await;
    let page = there.open("/affiliates").await;
    let globex = page.body.split("name=\"merchant\" value=\"").nth(1).unwrap()[..36].to_owned();
    there.submit(&page, "/merchant", &[("merchant", &globex)]).await;

    let person = id_of(&site, "approver@example.com").await;
    let said = press(&admin, person, "deactivation", &[]).await.text();
    assert!(said.contains("is signed out and may do nothing here any more"), "{said}");
    let out = here.get("/affiliates").await;
    assert_eq!((out.status, out.header("location")), (303, "/sign-in?next=%2Faffiliates"), "the session has ended");
    let page = there.open("/affiliates").await;
    assert!(page.status == 200 && page.text().contains("viewer of Globex"), "another merchant is not theirs to end");
    assert!(!page.text().contains("Acme"), "and the switcher leads back no more");
    let acme = site.signed_in("approver@example.com").await.open("/affiliates").await;
    assert!(acme.text().contains("viewer of Globex"), "{}", acme.text());

    let said = press(&admin, person, "reactivation", &[]).await.text();
    assert!(said.contains("may sign in again, in the role approver"), "{said}");
    assert!(there.open("/affiliates").await.text().contains("Work for another merchant Acme"));

    let only_here = id_of(&site, "viewer@example.com").await;
    let viewer = site.signed_in("viewer@example.com").await;
    press(&admin, only_here, "deactivation", &[]).await;
    assert_eq!(viewer.get("/affiliates").await.status, 303);
    assert_eq!(site.signed_in("viewer@example.com").await.open("/affiliates").await.url, "/no-merchant");
}

#[tokio::test]
async fn nobody_decides_about_themselves_so_an_admin_is_always_left() {
    let site = Site::staffed().await;
    let admin = site.signed_in("admin@example.com").await;
    let own = id_of(&site, "admin@example.com").await;
    let page = admin.open(&format!("/people/{own}")).await;
    assert!(page.text().contains("This is you.") && !page.body.contains(&format!("action=\"/people/{own}")));
    let token = page.form("/sign-out").value("token").unwrap().to_owned();
    for (what, fields) in [("role", vec![("role", "viewer")]), ("deactivation", vec![]), ("reactivation", vec![])] {
        let fields = [&[("token", token.as_str())], &fields[..]].concat();
        let forced = admin.post(&format!("/people/{own}/{what}"), &fields).await;
        assert_eq!(forced.status, 409, "{what}");
        assert!(forced.text().contains("Nobody decides about themselves"), "{}", forced.text());
    }
    assert_eq!(admin.get("/people").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_admins_who_take_the_role_from_each_other_leave_one() {
    let site = Site::empty().await;
    let merchant = site.merchant("Acme").await;
    let ann = site.person("ann@example.com", "Acme", Role::Admin).await;
    let bob = site.person("bob@example.com", "Acme", Role::Admin).await;
    for round in 0..10 {
        let take = async |actor: PersonId, other: PersonId, change: Change| {
            let mut tx = site.app.database.merchant(merchant).await.unwrap();
            let actor = Actor { person: Some(actor), address: None, at: site.app.clock.now() };
            let done = people::change(&mut tx, &actor, other, change).await.unwrap();
            tx.commit().await.unwrap();
            done.map(drop)
        };
        let change = if round % 2 == 0 { Change::Deactivate } else { Change::Role(Role::Viewer) };
        let (one, two) = tokio::join!(take(ann, bob, change), take(bob, ann, change));
        assert!(one.is_ok() != two.is_ok(), "{one:?} {two:?}");
        assert_eq!(one.err().or(two.err()), Some(Refused::NoLongerAdmin));
        for email in ["ann@example.com", "bob@example.com"] {
            site.person(email, "Acme", Role::Admin).await;
        }
    }
}

#[tokio::test]
async fn what_somebody_did_keeps_their_name() {
    let site = Site::staffed().await;
    let admin = site.signed_in("admin@example.com").await;
    let code = code(&invite(&admin, "new@example.com", "preparer").await);
    let (nora, _) = accept(&site, &code, "Nora New").await;
    let form = nora.open("/affiliates/new").await;
    nora.submit(&form, "/affiliates", &[("email", "ada@example.com")]).await;
    let person = id_of(&site, "new@example.com").await;
    press(&admin, person, "deactivation", &[]).await;
    let log = admin.open(&format!("/audit?person={person}")).await.text();
    assert!(log.contains("Nora New from 127.0.0.1 affiliate added"), "{log}");
    assert!(log.contains("invitation accepted") && !log.contains("person deactivated"), "{log}");
    assert!(admin.open("/audit").await.text().contains("active: yes → no"));
    let refused = site.stranger();
    let page = refused.open("/sign-in").await;
    refused.submit(&page, "/sign-in", &[("email", "new@example.com"), ("password", PASSWORD)]).await;
    assert_eq!(refused.open("/affiliates").await.url, "/no-merchant");
}

#[tokio::test]
async fn who_may_invite_nobody_any_more_leaves_no_door_open() {
    let site = Site::staffed().await;
    site.person("other@example.com", "Acme", Role::Admin).await;
    let other = site.signed_in("other@example.com").await;
    let link = code(&invite(&other, "friend@example.com", "admin").await);
    let admin = site.signed_in("admin@example.com").await;
    press(&admin, id_of(&site, "other@example.com").await, "role", &[("role", "viewer")]).await;
    let late = site.stranger().open(&format!("/invitation?code={link}")).await;
    assert_eq!(late.status, 404, "{}", late.text());
    assert!(!admin.open("/people").await.text().contains("friend@example.com"));
}
