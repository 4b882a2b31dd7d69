//! Codes of an app, and recovery codes.

use super::{half_in, is_in, key_on, pass, second, set_up};
use crate::support::site::{PASSWORD, Site};
use crate::support::world::World;
use time::Duration;

const COOKIE: &str = "stipend_session";

#[tokio::test]
async fn nobody_is_in_before_the_second_step_and_the_session_gets_a_new_id_at_each() {
    let site = Site::staffed().await;
    let (phone, _) = set_up(&site, &site.signed_in("approver@example.com").await).await;
    let client = site.stranger();
    let page = client.open("/sign-in?next=%2Faffiliates%3Fq%3Dada").await;
    let before = client.cookie(COOKIE).unwrap();
    let fill = [("email", "approver@example.com"), ("password", PASSWORD)];
    let page = client.submit(&page, "/sign-in", &fill).await;
    assert!(page.text().contains("Second step") && !is_in(&client).await, "{}", page.text());
    let half = client.cookie(COOKIE).unwrap();
    for wrong in ["", "000000", "12345", "AAAA-AAAA-AAAA-AAAA"] {
        assert_eq!(second(&client, &page, wrong).await.status, 422, "{wrong}");
        assert!(!is_in(&client).await);
    }
    let page = second(&client, &page, &phone.shows(&site)).await;
    assert_eq!((page.status, page.url.as_str()), (200, "/affiliates?q=ada"));
    let after = client.cookie(COOKIE).unwrap();
    assert!(before != half && half != after && before != after);
    for planted in [before, half] {
        let thief = site.stranger();
        thief.set_cookie(COOKIE, &planted);
        assert!(!is_in(&thief).await, "an id from before opens nothing");
        assert_eq!(thief.open("/sign-in/second").await.url, "/sign-in", "not even the second step");
    }
}

#[tokio::test]
async fn a_code_works_once_and_one_beside_it_for_clocks_that_differ() {
    let site = Site::staffed().await;
    let (phone, _) = set_up(&site, &site.signed_in("approver@example.com").await).await;
    let code = phone.shows(&site);
    let (one, page) = half_in(&site, "approver@example.com").await;
    let (two, other) = half_in(&site, "approver@example.com").await;
    second(&one, &page, &code).await;
    assert!(is_in(&one).await);
    assert_eq!(second(&two, &other, &code).await.status, 422, "somebody looked over the shoulder");
    let ahead = phone.shows_in(&site, Duration::seconds(30));
    second(&two, &other, &format!("{} {}", &ahead[..3], &ahead[3..])).await;
    assert!(is_in(&two).await, "a phone may be half a minute ahead");
    let (three, page) = half_in(&site, "approver@example.com").await;
    assert_eq!(second(&three, &page, &code).await.status, 422, "and nothing before what was used");
    assert_eq!(second(&three, &page, &phone.shows_in(&site, Duration::seconds(90))).await.status, 422);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_sent_twice_at_once_lets_one_in() {
    let site = Site::staffed().await;
    let (phone, codes) = set_up(&site, &site.signed_in("approver@example.com").await).await;
    for code in [phone.shows(&site), codes[0].clone()] {
        let (one, page) = half_in(&site, "approver@example.com").await;
        let (two, other) = half_in(&site, "approver@example.com").await;
        tokio::join!(second(&one, &page, &code), second(&two, &other, &code));
        assert!(is_in(&one).await != is_in(&two).await, "{code}");
    }
}

#[tokio::test]
async fn the_half_way_ends_in_minutes_and_guesses_are_counted_for_the_person() {
    let site = Site::staffed().await;
    let (phone, codes) = set_up(&site, &site.signed_in("approver@example.com").await).await;
    let (client, page) = half_in(&site, "approver@example.com").await;
    pass(&site, Duration::minutes(5));
    let late = second(&client, &page, &phone.shows(&site)).await;
    assert!(late.url.starts_with("/sign-in") && late.text().contains("waits for five minutes"), "{}", late.text());
    assert!(!is_in(&client).await);

    for _ in 0..5 {
        let (client, page) = half_in(&site, "approver@example.com").await;
        assert_eq!(second(&client, &page, "000000").await.status, 422);
    }
    let (client, page) = half_in(&site, "approver@example.com").await;
    for right in [phone.shows(&site), codes[0].clone()] {
        let refused = second(&client, &page, &right).await;
        assert_eq!(refused.status, 429, "the right one does not help any more");
        assert!(refused.text().contains("Wait 15 minutes"), "{}", refused.text());
    }
    pass(&site, Duration::minutes(16));
    let (client, page) = half_in(&site, "approver@example.com").await;
    second(&client, &page, &phone.shows(&site)).await;
    assert!(is_in(&client).await);
}

#[tokio::test]
async fn a_recovery_code_works_once_and_says_how_many_are_left() {
    let site = Site::staffed().await;
    let approver = site.signed_in("approver@example.com").await;
    let (_, codes) = set_up(&site, &approver).await;
    assert_eq!(codes.len(), 10);
    let (client, page) = half_in(&site, "approver@example.com").await;
    let landed = second(&client, &page, &codes[0].to_lowercase().replace('-', " ")).await;
    assert!(landed.text().contains("9 recovery codes are left"), "{}", landed.text());
    assert!(client.open("/account").await.text().contains("9 of 10 are left"));
    let (again, page) = half_in(&site, "approver@example.com").await;
    assert_eq!(second(&again, &page, &codes[0]).await.status, 422);

    let page = client.open("/account").await;
    let shown = client.submit(&page, "/account/recovery-codes", &[]).await;
    assert!(shown.text().contains("The codes before them no longer work"), "{}", shown.text());
    assert!(client.open("/account").await.text().contains("10 of 10 are left"));
    assert_eq!(second(&again, &page_of(&again).await, &codes[1]).await.status, 422);
    let (other, page) = half_in(&site, "viewer@example.com").await;
    assert!(is_in(&other).await, "who has no factor is asked for none: {}", page.url);
    let refused = other.post("/account/recovery-codes", &[("token", &token(&other).await)]).await;
    assert_eq!(refused.status, 409);
}

async fn page_of(client: &crate::support::client::Client) -> crate::support::client::Page {
    client.open("/sign-in/second").await
}

async fn token(client: &crate::support::client::Client) -> String {
    client.open("/account").await.form("/sign-out").value("token").unwrap().to_owned()
}

#[tokio::test]
async fn another_app_takes_the_place_of_the_first_once_it_is_set_up() {
    let site = Site::staffed().await;
    let approver = site.signed_in("approver@example.com").await;
    let (old, _) = set_up(&site, &approver).await;
    let page = approver.open("/account").await;
    let page = approver.submit(&page, "/account/authenticator", &[]).await;
    let refused = approver.submit(&page, "/account/authenticator/confirmation", &[("code", "000000")]).await;
    assert_eq!(refused.status, 422);
    assert_eq!(key_on(&refused), key_on(&page), "the key stays while a code is mistyped");
    let (client, step) = half_in(&site, "approver@example.com").await;
    second(&client, &step, &old.shows(&site)).await;
    assert!(is_in(&client).await, "until then the first app holds");

    let new = super::Phone::with(&key_on(&page));
    let done = approver.submit(&page, "/account/authenticator/confirmation", &[("code", &new.shows(&site))]).await;
    assert_eq!(done.url, "/account", "the recovery codes stay: {}", done.text());
    pass(&site, Duration::seconds(60));
    let (client, step) = half_in(&site, "approver@example.com").await;
    assert_eq!(second(&client, &step, &old.shows(&site)).await.status, 422);
    second(&client, &step, &new.shows(&site)).await;
    assert!(is_in(&client).await);
    assert_eq!(approver.open("/account/authenticator").await.url, "/account", "the key is never shown again");
}

#[tokio::test]
async fn no_key_and_no_code_is_kept_where_it_can_be_read() {
    let world = World::new().await;
    let ann = world.site.signed_in("ann@example.com").await;
    let page = ann.open("/account").await;
    let page = ann.submit(&page, "/account/authenticator", &[]).await;
    let key = key_on(&page);
    let plain = key.replace(' ', "");
    let everything = async || crate::factor::dump(&world.site).await;
    assert!(!everything().await.contains(&plain), "not even while it is set up");
    let phone = super::Phone::with(&key);
    let code = phone.shows(&world.site);
    let page = ann.submit(&page, "/account/authenticator/confirmation", &[("code", &code)]).await;
    let codes: Vec<&str> =
        page.body.split("<code class=\"secret\">").skip(1).map(|rest| rest.split('<').next().unwrap()).collect();
    let kept = everything().await;
    assert!(kept.contains("authenticator set up") && kept.contains("ann@example.com"), "the dump is one");
    let mut seen = kept;
    for path in ["/account", "/audit", "/settings/security", "/people", "/account/authenticator"] {
        seen.push_str(&ann.open(path).await.body);
    }
    assert!(!seen.contains(&plain) && !seen.contains(&key));
    for code in codes {
        assert!(!seen.contains(code) && !seen.contains(&code.replace('-', "")), "{code}");
    }
    world.audited("authenticator set up").await;
}
