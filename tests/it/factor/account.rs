//! The account: sessions that can be seen and ended, and another password.

use super::{half_in, is_in, pass, second, set_up};
use crate::support::client::{Client, Page};
use crate::support::site::{PASSWORD, Site};
use crate::support::world::World;
use time::Duration;

/// Signs in with a browser of this name.
async fn from(site: &Site, email: &str, browser: &str) -> Client {
    let client = site.stranger().named(browser);
    let page = client.open("/sign-in").await;
    client.submit(&page, "/sign-in", &[("email", email), ("password", PASSWORD)]).await;
    assert!(is_in(&client).await);
    client
}

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
const EDGE: &str = "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0";

/// The session that the button of this row ends.
fn session(page: &Page, row: &str) -> String {
    let row = page.body.split("<li>").find(|one| one.contains(row)).unwrap();
    row.split("name=\"session\" value=\"").nth(1).unwrap()[..64].to_owned()
}

#[tokio::test]
async fn sessions_are_seen_and_ended_one_by_one_and_all_others_at_once() {
    let world = World::new().await;
    let site = &world.site;
    let here = from(site, "ann@example.com", FIREFOX).await;
    let there = from(site, "ann@example.com", EDGE).await;
    let third = from(site, "ann@example.com", "curl/8.0").await;
    pass(site, Duration::minutes(10));
    assert!(is_in(&there).await, "used later than the others");
    let page = here.open("/account").await;
    let text = page.text();
    for words in ["Firefox on Linux This one from 127.0.0.1, begun", "Edge on Windows from", "curl/8.0 from"] {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert_eq!(page.body.matches("name=\"session\"").count(), 2, "this one ends by signing out");

    let ended = session(&page, "Edge");
    let page = here.submit(&page, "/account/sessions/revocation", &[("session", &ended)]).await;
    assert!(page.text().contains("That session is ended") && !page.text().contains("Edge"), "{}", page.text());
    assert!(!is_in(&there).await && is_in(&third).await);
    assert_eq!(here.submit(&page, "/account/sessions/revocation", &[("session", &ended)]).await.status, 409);

    let page = here.open("/account").await;
    let page = here.submit(&page, "/account/sessions/others/revocation", &[]).await;
    assert!(page.text().contains("Your other sessions are ended"));
    assert!(!is_in(&third).await && is_in(&here).await);
    world.audited("session ended").await;

    site.person("eve@example.com", "Acme", stipend::role::Role::Admin).await;
    let eve = from(site, "eve@example.com", "Eve").await;
    let other = from(site, "ann@example.com", EDGE).await;
    let theirs = session(&here.open("/account").await, "Edge");
    let page = eve.open("/account").await;
    assert!(!page.body.contains(&theirs));
    let token = page.form("/sign-out").value("token").unwrap().to_owned();
    let refused = eve.post("/account/sessions/revocation", &[("token", &token), ("session", &theirs)]).await;
    assert_eq!(refused.status, 409, "nobody ends somebody else’s");
    assert!(is_in(&other).await);
    pass(site, Duration::hours(3));
    assert!(!from(site, "ann@example.com", FIREFOX).await.open("/account").await.text().contains("Edge"), "it is over");
}

#[tokio::test]
async fn another_password_needs_the_one_in_use_and_ends_the_other_sessions() {
    let world = World::new().await;
    let here = world.site.signed_in("ann@example.com").await;
    let there = world.site.signed_in("ann@example.com").await;
    let change = async |current: &str, new: &str, again: &str| {
        let page = here.open("/account").await;
        here.submit(&page, "/account/password", &[("current", current), ("password", new), ("again", again)]).await
    };
    for (current, new, again, problem) in [
        ("a guess", "another password", "another password", "This is not your password."),
        (PASSWORD, "short", "short", "at least 8 characters"),
        (PASSWORD, "password1", "password1", "among the first that somebody would try"),
        (PASSWORD, "another password", "another passwort", "these two differ"),
    ] {
        let refused = change(current, new, again).await;
        assert_eq!(refused.status, 422);
        assert!(refused.text().contains(problem), "{problem}: {}", refused.text());
        assert!(!refused.body.contains("another pass"));
    }
    assert!(is_in(&there).await);
    let done = change(PASSWORD, "another password", "another password").await;
    assert!(done.text().contains("Your password is changed"), "{}", done.text());
    assert!(is_in(&here).await && !is_in(&there).await);
    world.audited("password changed").await;
    for _ in 0..5 {
        change("a guess", "yet another one", "yet another one").await;
    }
    assert!(change("another password", "yet another one", "yet another one").await.text().contains("Wait 15 minutes"));
}

#[tokio::test]
async fn who_belongs_to_no_merchant_has_an_account_all_the_same() {
    let site = Site::staffed().await;
    let client = site.signed_in("viewer@example.com").await;
    sqlx::query("delete from memberships where person_id = (select id from people where email = 'viewer@example.com')")
        .execute(site.app.database.pool())
        .await
        .unwrap();
    assert!(client.open("/").await.body.contains("href=\"/account\""));
    assert!(client.open("/account").await.text().contains("You sign in as viewer@example.com"));
    set_up(&site, &client).await;
}

/// Whoever has the password alone, and came in while there was no second factor, is out once there is one.
#[tokio::test]
async fn a_session_in_which_no_factor_was_shown_ends_when_one_is_set_up() {
    let world = World::new().await;
    let site = &world.site;
    let thief = site.signed_in("ann@example.com").await;
    let ann = site.signed_in("ann@example.com").await;
    let token = thief.open("/account").await.form("/sign-out").value("token").unwrap().to_owned();
    let (phone, codes) = set_up(site, &ann).await;
    assert!(is_in(&ann).await && !is_in(&thief).await);
    let taken = thief.post("/account/recovery-codes", &[("token", &token)]).await;
    assert_eq!((taken.status, taken.header("location").split('?').next().unwrap()), (303, "/sign-in"));
    let (client, page) = half_in(site, "ann@example.com").await;
    second(&client, &page, &codes[0]).await;
    assert!(is_in(&client).await, "her codes are as they were");
    let (client, page) = half_in(site, "ann@example.com").await;
    second(&client, &page, &phone.shows(site)).await;
    assert!(is_in(&client).await && is_in(&ann).await);
}
