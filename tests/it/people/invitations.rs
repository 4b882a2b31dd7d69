//! Invitations: by mail or by hand, once and for a week, for one person and no other.

use super::{accept, code, id_of, invite};
use crate::mail::post;
use crate::support::letters::Letters;
use crate::support::site::{PASSWORD, Site};
use crate::support::world::World;
use stipend::carrier::Carrier;
use stipend::config::Mail;
use stipend::mail::outbox;
use stipend::role::Role;
use time::Duration;

#[tokio::test]
async fn somebody_new_sets_a_name_and_a_password_and_is_in() {
    let site = Site::staffed().await;
    let admin = site.signed_in("admin@example.com").await;
    let page = invite(&admin, "new@example.com", "approver").await;
    assert!(page.text().contains("Hand this link to new@example.com"), "no mail leaves here: {}", page.text());
    let code = code(&page);
    let list = admin.open("/people").await;
    assert!(list.text().contains("new@example.com by admin@example.com approver"), "{}", list.text());
    assert!(!list.body.contains(&code), "it is shown once");

    let guest = site.stranger();
    let page = guest.open(&format!("/invitation?code={code}")).await;
    assert!(page.text().contains("admin@example.com invites you to be an approver of Acme"), "{}", page.text());
    for (password, again, problem) in [("short", "short", "at least 8"), (PASSWORD, "another one", "these two differ")]
    {
        let refused = guest.submit(&page, "/invitation", &[("password", password), ("again", again)]).await;
        assert_eq!(refused.status, 422);
        assert!(refused.text().contains(problem) && !refused.body.contains(password), "{}", refused.text());
    }
    let fill = [("name", "Nora New"), ("password", PASSWORD), ("again", PASSWORD)];
    let landed = guest.submit(&page, "/invitation", &fill).await;
    assert!(landed.text().contains("Welcome to Acme. Your role is approver."), "{}", landed.text());
    assert!(landed.text().contains("Nora New"));
    assert_eq!(site.signed_in("new@example.com").await.get("/affiliates").await.status, 200, "the password is theirs");

    let used = site.stranger().open(&format!("/invitation?code={code}")).await;
    assert_eq!(used.status, 404);
    assert!(used.text().contains("does not hold any more"), "it works once: {}", used.text());
    let again = guest.submit(&page, "/invitation", &fill).await;
    assert_eq!(again.status, 403, "that form belongs to the session before");
}

#[tokio::test]
async fn somebody_known_signs_in_and_joins_with_the_password_they_have() {
    let site = Site::staffed().await;
    site.merchant("Globex").await;
    site.person("homer@example.com", "Globex", Role::Admin).await;
    let admin = site.signed_in("admin@example.com").await;
    let code = code(&invite(&admin, "Homer@example.com", "viewer").await);
    let at = format!("/invitation?code={code}");

    let homer = site.stranger();
    let page = homer.open(&at).await;
    assert!(page.text().contains("sign in, and you come back"), "{}", page.text());
    assert!(!page.body.contains("name=\"password\""), "nobody sets the password of somebody who has one");
    let link = page.body.split("href=\"/sign-in").nth(1).unwrap().split('"').next().unwrap().replace("&#38;", "&");
    let page = homer.open(&format!("/sign-in{link}")).await;
    let page = homer.submit(&page, "/sign-in", &[("email", "homer@example.com"), ("password", PASSWORD)]).await;
    assert_eq!(page.url, at);

    // Somebody else who has the link gains nothing by it.
    let viewer = site.signed_in("viewer@example.com").await;
    let elses = viewer.open(&at).await;
    assert!(elses.text().contains("It is for Homer@example.com, and you are signed in as viewer@example.com"));
    let token = elses.form("/sign-out").value("token").unwrap().to_owned();
    let forced = viewer.post("/invitation", &[("token", &token), ("code", &code)]).await;
    assert!(forced.text().contains("for somebody else"), "{}", forced.text());

    for hour in 1..12 {
        site.app.clock.set_offset(Duration::hours(hour));
        assert_eq!(homer.open(&at).await.status, 200);
    }
    let landed = homer.submit(&page, "/invitation", &[]).await;
    assert!(landed.text().contains("Welcome to Acme. Your role is viewer."), "{}", landed.text());
    let switch = homer.open("/affiliates").await;
    assert!(switch.text().contains("viewer of Acme") && switch.text().contains("Work for another merchant Globex"));
    assert_eq!(homer.get("/people").await.status, 403, "an admin there is a viewer here");
    site.app.clock.set_offset(Duration::hours(12));
    assert_eq!(homer.get("/affiliates").await.status, 303, "joining makes no session younger");
}

#[tokio::test]
async fn a_link_ends_after_a_week_when_it_is_sent_again_and_when_it_is_revoked() {
    let site = Site::staffed().await;
    let admin = site.signed_in("admin@example.com").await;
    let first = code(&invite(&admin, "new@example.com", "viewer").await);
    let holds = async |code: &str| site.stranger().open(&format!("/invitation?code={code}")).await.status == 200;
    assert!(holds(&first).await);
    site.app.clock.set_offset(Duration::days(7) - Duration::minutes(1));
    assert!(holds(&first).await);
    site.app.clock.set_offset(Duration::days(7));
    assert!(!holds(&first).await);

    let admin = site.signed_in("admin@example.com").await;
    let page = admin.open("/people").await;
    assert!(page.text().contains("Expired"), "{}", page.text());
    let sending = page.body.split("action=\"").find(|rest| rest.contains("/sending\"")).unwrap();
    let sending = sending.split('"').next().unwrap().to_owned();
    let second = code(&admin.submit(&page, &sending, &[]).await);
    assert_ne!(first, second);
    assert!(holds(&second).await && !holds(&first).await);
    let page = admin.open("/people").await;
    let third = code(&admin.submit(&page, &sending, &[]).await);
    assert!(holds(&third).await && !holds(&second).await, "the link before is void");

    let page = admin.open("/people").await;
    let revoked = admin.submit(&page, &sending.replace("sending", "revocation"), &[]).await;
    assert!(revoked.text().contains("Revoked. The link that new@example.com has no longer works."));
    assert!(!holds(&third).await);
    let late = admin.submit(&page, &sending, &[]).await;
    assert_eq!(late.status, 404, "what is revoked is not sent again");
    for wrong in ["", "0", &"0".repeat(64), &format!("{third}0")] {
        assert!(!holds(wrong).await, "{wrong}");
    }
    code(&invite(&admin, "new@example.com", "viewer").await);
}

#[tokio::test]
async fn who_cannot_be_invited_is_said_at_the_field() {
    let site = Site::staffed().await;
    let admin = site.signed_in("admin@example.com").await;
    invite(&admin, "new@example.com", "viewer").await;
    let viewer = id_of(&site, "viewer@example.com").await;
    super::press(&admin, viewer, "deactivation", &[]).await;
    for (email, problem) in [
        ("nonsense", "is no e-mail address"),
        ("NEW@example.com", "is invited already"),
        ("Approver@example.com", "is a member"),
        ("viewer@example.com", "was deactivated; reactivate them below"),
    ] {
        let refused = invite(&admin, email, "admin").await;
        assert_eq!(refused.status, 422, "{email}");
        assert!(refused.text().contains(problem) && refused.body.contains(email), "{email}: {}", refused.text());
    }
    assert_eq!(invite(&admin, "other@example.com", "owner").await.status, 422);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_followed_twice_at_once_makes_one_person() {
    let site = Site::staffed().await;
    let admin = site.signed_in("admin@example.com").await;
    let code = code(&invite(&admin, "new@example.com", "viewer").await);
    let ((_, one), (_, two)) = tokio::join!(accept(&site, &code, "One"), accept(&site, &code, "Two"));
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    // Who comes a moment later finds no invitation any more.
    assert!(statuses[0] == 200 && [404, 409].contains(&statuses[1]), "{} {}", one.text(), two.text());
    let mut tx = site.app.database.installation().await.unwrap();
    let people: i64 = sqlx::query_scalar("select count(*) from people where email = 'new@example.com'")
        .fetch_one(&mut *tx)
        .await
        .unwrap();
    assert_eq!(people, 1);
}

#[tokio::test]
async fn who_became_a_member_in_another_way_keeps_the_role_they_have() {
    let site = Site::staffed().await;
    let admin = site.signed_in("admin@example.com").await;
    let code = code(&invite(&admin, "new@example.com", "viewer").await);
    site.person("new@example.com", "Acme", Role::Admin).await;
    let new = site.signed_in("new@example.com").await;
    assert_eq!(new.open(&format!("/invitation?code={code}")).await.status, 404);
    assert_eq!(new.get("/people").await.status, 200, "still an admin");
}

#[tokio::test]
async fn the_mail_carries_the_link_and_the_database_only_its_digest() {
    let letters = Letters::folder();
    let world = World::mailing(letters.path()).await;
    let ann = world.site.signed_in("ann@example.com").await;
    let shown = code(&invite(&ann, "new@example.com", "preparer").await);
    while outbox::next(&world.app).await.unwrap() {}
    let letter = &letters.to("new@example.com")[0];
    assert_eq!(letter.subject(), "ann@example.com invites you to Acme");
    assert!(letter.body.contains("in the role preparer"), "{}", letter.body);
    let link = format!("{}/invitation?code={shown}", world.site.address);
    assert!(letter.body.replace("\r\n", "\n").contains(&format!("\n{link}\n")), "{}", letter.body);
    let mut tx = world.app.database.installation().await.unwrap();
    let kept: Vec<String> =
        sqlx::query_scalar("select i::text from invitations i union all select m::text from mails m")
            .fetch_all(&mut *tx)
            .await
            .unwrap();
    assert!(!kept.iter().any(|row| row.contains(&shown)), "{kept:?}");
    drop(tx);
    let (_, landed) = accept(&world.site, &shown, "Nora").await;
    assert!(landed.text().contains("Welcome to Acme"), "{}", landed.text());

    // What was revoked before it left is not sent; and without its link the text cannot be saved.
    invite(&ann, "late@example.com", "viewer").await;
    let page = ann.open("/people").await;
    let revoke = page.body.split("action=\"").find(|rest| rest.contains("/revocation\"")).unwrap();
    ann.submit(&page, revoke.split('"').next().unwrap(), &[]).await;
    while outbox::next(&world.app).await.unwrap() {}
    assert!(letters.to("late@example.com").is_empty());
    let at = "/settings/mail/invitation";
    let form = ann.open(at).await;
    let refused = ann.submit(&form, at, &[("body", "Come to {merchant}"), ("button", "save")]).await;
    assert!(refused.text().contains("Without {link} nobody can accept"), "{}", refused.text());
    world.check().await;
}

#[tokio::test]
async fn where_mails_leave_the_page_shows_no_link() {
    let from = "Stipend <stipend@example.com>".parse().unwrap();
    let mail = Mail::Smtp { url: "smtp://127.0.0.1:9".to_owned().into(), from };
    let site = Site::with(|app| app.carrier = Some(Carrier::new(&mail).unwrap())).await;
    outbox::announce(&site.app).await.unwrap();
    site.merchant("Acme").await;
    site.person("admin@example.com", "Acme", Role::Admin).await;
    let admin = site.signed_in("admin@example.com").await;
    let page = invite(&admin, "new@example.com", "viewer").await;
    assert!(page.text().contains("new@example.com gets a mail with a link that works once"), "{}", page.text());
    assert!(!page.body.contains("/invitation?code="));
    // Switched off, it is handed over.
    let form = admin.open("/settings/mail/invitation").await;
    let kept: Vec<(String, String)> =
        form.form("/settings/mail/invitation").filled(&[]).into_iter().filter(|(name, _)| name != "on").collect();
    let mut kept: Vec<(&str, &str)> = kept.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    kept.push(("button", "save"));
    assert_eq!(admin.post("/settings/mail/invitation", &kept).await.status, 303);
    code(&invite(&admin, "by-hand@example.com", "viewer").await);
}

#[tokio::test]
async fn a_mailbox_is_not_filled_with_invitations() {
    let letters = Letters::folder();
    let world = World::mailing(letters.path()).await;
    let ann = world.site.signed_in("ann@example.com").await;
    let mut page = invite(&ann, "new@example.com", "viewer").await;
    let again = page.body.split("action=\"").find(|rest| rest.contains("/sending\"")).unwrap();
    let again = again.split('"').next().unwrap().to_owned();
    for _ in 0..4 {
        page = ann.submit(&ann.open("/people").await, &again, &[]).await;
    }
    assert!(
        page.text().contains("Nothing was sent: many invitations were sent within the last hour"),
        "{}",
        page.text()
    );
    post(&world).await;
    assert_eq!(letters.to("new@example.com").len(), 1, "of three the last holds");
}

#[tokio::test]
async fn a_name_is_one_line_and_reads_as_it_is_written() {
    let site = Site::staffed().await;
    let admin = site.signed_in("admin@example.com").await;
    let code = code(&invite(&admin, "new@example.com", "viewer").await);
    let guest = site.stranger();
    let page = guest.open(&format!("/invitation?code={code}")).await;
    for name in ["Eve\r\n\r\nhttps://evil.example", "Eve\u{202e}moc.live"] {
        let fill = [("name", name), ("password", PASSWORD), ("again", PASSWORD)];
        let refused = guest.submit(&page, "/invitation", &fill).await;
        assert!(refused.status == 422 && refused.text().contains("A name is one line"), "{}", refused.text());
    }
    let form = admin.open("/affiliates/new").await;
    let refused = admin.submit(&form, "/affiliates", &[("email", "a@example.com"), ("first_name", "A\nX")]).await;
    assert!(refused.status == 422 && refused.text().contains("The first name is one line"), "{}", refused.text());
}
