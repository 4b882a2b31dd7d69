//! A forgotten password: by mail, or by whoever runs the installation.

use super::{half_in, is_in, pass, second, set_up};
use crate::support::client::{Client, Page};
use crate::support::letters::Letters;
use crate::support::site::{PASSWORD, Site};
use crate::support::world::World;
use stipend::people::password;
use time::Duration;

const NEW: &str = "a password of mine";

async fn ask(client: &Client, email: &str) -> Page {
    let page = client.open("/password/forgotten").await;
    client.submit(&page, "/password/forgotten", &[("email", email)]).await
}

/// The link of the mail that leaves now.
async fn link(world: &World, letters: &Letters, email: &str) -> String {
    let before = letters.to(email).len();
    while password::send_next(&world.app).await.unwrap() {}
    let mails = letters.to(email);
    assert_eq!(mails.len(), before + 1);
    let links = mails.iter().map(|mail| {
        let link = mail.body.split("/password/new?code=").nth(1).unwrap()[..64].to_owned();
        format!("/password/new?code={link}")
    });
    // Mails have no order; the one that holds is the last that was asked for.
    let mut held = Vec::new();
    for link in links {
        if world.site.stranger().get(&link).await.status == 200 {
            held.push(link);
        }
    }
    held.pop().expect("no link holds")
}

async fn choose(client: &Client, link: &str, new: &str) -> Page {
    let page = client.open(link).await;
    client.submit(&page, "/password/new", &[("password", new), ("again", new)]).await
}

#[tokio::test]
async fn a_link_works_once_ends_all_sessions_and_leaves_the_second_factor() {
    let letters = Letters::folder();
    let world = World::mailing(letters.path()).await;
    let site = &world.site;
    let ann = site.signed_in("ann@example.com").await;
    let (phone, _) = set_up(site, &ann).await;
    let (half, step) = half_in(site, "ann@example.com").await;
    let stranger = site.stranger();
    let page = stranger.open("/sign-in").await;
    assert!(page.body.contains("href=\"/password/forgotten\""));
    let known = ask(&stranger, "Ann@example.com").await;
    let unknown = ask(&site.stranger(), "nobody@example.com").await;
    assert_eq!(known.text().replace("Ann@", "nobody@"), unknown.text(), "the answer tells nothing");
    let link = link(&world, &letters, "ann@example.com").await;
    assert!(letters.to("nobody@example.com").is_empty());
    let kept = super::dump(site).await;
    assert!(!kept.contains(link.rsplit('=').next().unwrap()), "the database has the digest alone");

    let refused = choose(&stranger, &link, "short").await;
    assert_eq!(refused.status, 422);
    assert!(refused.text().contains("at least 8 characters"), "{}", refused.text());
    assert!(is_in(&ann).await, "nothing was changed yet");
    let done = choose(&stranger, &link, NEW).await;
    assert!(done.text().contains("Your password is changed. Sign in with it."), "{}", done.text());
    assert!(!is_in(&ann).await && !is_in(&stranger).await, "everybody is out, and nobody is let in by a mail");
    assert_eq!(second(&half, &step, &phone.shows(site)).await.status, 403);
    assert_eq!(half.open("/sign-in/second").await.url, "/sign-in", "nor is anybody half in");
    assert_eq!(stranger.get(&link).await.status, 404, "once");

    let page = stranger.open("/sign-in").await;
    let page = stranger.submit(&page, "/sign-in", &[("email", "ann@example.com"), ("password", NEW)]).await;
    assert!(page.text().contains("Second step"), "{}", page.text());
    pass(site, Duration::seconds(30));
    second(&stranger, &page, &phone.shows(site)).await;
    assert!(is_in(&stranger).await);
    world.audited("password reset").await;
}

#[tokio::test]
async fn a_link_is_void_after_an_hour_and_after_another_was_used() {
    let letters = Letters::folder();
    let world = World::mailing(letters.path()).await;
    let site = &world.site;
    ask(&site.stranger(), "ann@example.com").await;
    let first = link(&world, &letters, "ann@example.com").await;
    pass(site, Duration::minutes(60));
    assert_eq!(site.stranger().get(&first).await.status, 404);
    ask(&site.stranger(), "ann@example.com").await;
    let second = link(&world, &letters, "ann@example.com").await;
    pass(site, Duration::minutes(1));
    ask(&site.stranger(), "ann@example.com").await;
    while password::send_next(&world.app).await.unwrap() {}
    choose(&site.stranger(), &second, NEW).await;
    for mail in letters.to("ann@example.com") {
        let code = &mail.body.split("/password/new?code=").nth(1).unwrap()[..64];
        let void = site.stranger().get(&format!("/password/new?code={code}")).await;
        assert_eq!(void.status, 404);
        assert!(void.text().contains("This link does not hold any more"));
    }
    for wrong in ["", "0", &"0".repeat(64)] {
        assert_eq!(site.stranger().get(&format!("/password/new?code={wrong}")).await.status, 404);
    }
    // A fourth within the quarter of an hour is refused, known or not.
    for email in ["ann@example.com", "nobody@example.com"] {
        pass(site, Duration::minutes(16));
        for _ in 0..3 {
            assert_eq!(ask(&site.stranger(), email).await.status, 200);
        }
        assert_eq!(ask(&site.stranger(), email).await.status, 429);
    }
}

#[tokio::test]
async fn without_mail_the_page_names_whom_to_ask_and_the_operator_helps() {
    let site = Site::staffed().await;
    let viewer = site.signed_in("viewer@example.com").await;
    let page = site.stranger().open("/password/forgotten").await;
    assert!(page.text().contains("This installation sends no e-mail") && page.text().contains("stipend user password"));
    let (database, clock) = (&site.app.database, &site.app.clock);
    let short = stipend::admin::set_password(database, clock, "viewer@example.com", &"short".into()).await;
    assert!(short.unwrap_err().to_string().contains("at least 8 characters"));
    assert!(stipend::admin::set_password(database, clock, "Viewer@example.com", &NEW.into()).await.unwrap());
    assert!(!stipend::admin::set_password(database, clock, "nobody@example.com", &NEW.into()).await.unwrap());
    assert!(!is_in(&viewer).await);
    let client = site.stranger();
    for (password, status) in [(PASSWORD, 422), (NEW, 200)] {
        let page = client.open("/sign-in").await;
        let fill = [("email", "viewer@example.com"), ("password", password)];
        assert_eq!(client.submit(&page, "/sign-in", &fill).await.status, status);
    }
    let admin = site.signed_in("admin@example.com").await;
    assert!(admin.open("/audit").await.text().contains("Stipend password set by the operator"));
}
