//! What ends the waiting by itself: time, and whatever the payment stands on.

use super::{approve, ask, office};
use crate::mail;
use crate::rules::save;
use crate::support::client::Client;
use crate::support::letters::Letters;
use crate::support::world::World;
use stipend::payout::approval;
use stipend::role::Role;
use time::Duration;

#[tokio::test]
async fn what_is_not_approved_in_time_is_due_again() {
    let mut world = World::connected().await;
    let (_, _, pia) = office(&world).await;
    world.owe("ada@example.com", &["150.00"]).await;
    let at = ask(&pia, "paypal").await.url;
    world.advance(Duration::days(7) - Duration::minutes(1));
    assert!(!approval::next(&world.app).await.unwrap(), "it waits for seven days");
    world.advance(Duration::minutes(1));
    let bob = world.site.signed_in("bob@example.com").await;
    let late = approve(&bob, &at).await;
    assert!(late.text().contains("Not approved in time; nothing was paid."), "{}", late.text());
    assert_eq!(world.standings().await["owed"], 1);
    let again = ask(&bob, "paypal").await.url;
    world.advance(Duration::days(8));
    assert!(approval::next(&world.app).await.unwrap(), "the worker ends it without anybody looking");
    assert!(!approval::next(&world.app).await.unwrap());
    assert_eq!(world.standings().await["owed"], 1);
    let pia = world.site.signed_in("pia@example.com").await;
    assert!(pia.open(&again).await.text().contains("Not approved in time"));
    world.audited("payment not approved in time").await;
    world.settle().await;
    assert_eq!(world.calls("create").await, 0);
    world.check().await;
}

/// Asks, lets something change, and finds the money due again and the reason told.
async fn ended(world: &World, ann: &Client, bob: &Client, why: &str, change: impl AsyncFnOnce()) {
    let at = ask(ann, "paypal").await.url;
    let shown = bob.open(&at).await;
    change().await;
    let late = bob.submit(&shown, &format!("{at}/approval"), &[]).await;
    assert!(late.text().contains(why), "{why}: {}", late.text());
    assert!(late.text().contains("everything in it is due again"), "{}", late.text());
    assert!(!approval::next(&world.app).await.unwrap(), "nothing is left to end");
    assert_eq!(world.standings().await.get("owed"), Some(&1));
}

#[tokio::test]
async fn whatever_it_stands_on_ends_the_waiting_when_it_changes() {
    let mut world = World::connected().await;
    let (ann, bob, _) = office(&world).await;
    world.owe("ada@example.com", &["150.00"]).await;
    let ada = format!("/affiliates/{}", world.affiliates["ada@example.com"]);
    ended(&world, &ann, &bob, "the PayPal address was changed.", async || {
        let form = ann.open(&format!("{ada}/edit")).await;
        ann.submit(&form, &ada, &[("paypal_email", "thief@example.com")]).await;
    })
    .await;
    let page = ann.open(&ada).await;
    let own = ann.submit(&page, &format!("{ada}/release"), &[("why", "She called.")]).await;
    assert!(own.text().contains("somebody else who may pay must vouch for it"), "{}", own.text());
    bob.submit(&bob.open(&ada).await, &format!("{ada}/release"), &[("why", "She called.")]).await;
    ended(&world, &ann, &bob, "was archived.", async || {
        ann.submit(&ann.open(&ada).await, &format!("{ada}/archival"), &[]).await;
    })
    .await;
    ann.submit(&ann.open(&ada).await, &format!("{ada}/restoration"), &[]).await;
    ended(&world, &ann, &bob, "The connection to PayPal is not the one that it was prepared for.", async || {
        assert_eq!(world.connect("other-client", "other-secret").await, stipend::connection::Outcome::Ready);
    })
    .await;
    world.audited("payment changed before its approval").await;

    let at = ask(&ann, "paypal").await.url;
    let form = ann.open(&format!("{ada}/edit")).await;
    ann.submit(&form, &ada, &[("first_name", "Ada")]).await;
    assert!(!approval::next(&world.app).await.unwrap(), "a name is nothing that it stands on");
    let form = ann.open(&format!("{ada}/edit")).await;
    ann.submit(&form, &ada, &[("paypal_email", "third@example.com")]).await;
    assert!(approval::next(&world.app).await.unwrap(), "the worker gives the money back at once");
    assert!(bob.open(&at).await.text().contains("the PayPal address was changed."));
    world.settle().await;
    assert_eq!((world.calls("create").await, world.paid().await.len()), (0, 0));
    world.check().await;
}

/// Whoever reaches the rows themselves changes the checksum, by words as by amounts.
#[tokio::test]
async fn another_message_or_commission_is_not_what_was_asked() {
    let mut world = World::connected().await;
    let (ann, bob, _) = office(&world).await;
    world.owe("ada@example.com", &["150.00"]).await;
    for change in [
        "update payout_requests set message = 'Send it on to me'",
        "update payout_requests set subject = 'Hello'",
        "update payout_items set receiver = upper(receiver) where state = 'queued'",
        "update payout_batches set body_sha256 = sha256('x') where state = 'prepared'",
    ] {
        ended(&world, &ann, &bob, "What would be paid is not what was asked for.", async || {
            let sql = format!("begin; set local session_replication_role = replica; {change}; commit");
            let mut connection = world.app.database.pool().acquire().await.unwrap();
            sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut *connection).await.unwrap();
        })
        .await;
    }
    world.settle().await;
    assert_eq!(world.calls("create").await, 0);
}

#[tokio::test]
async fn who_asked_is_told_what_came_of_it() {
    let letters = Letters::folder();
    let mut world = World::mailing(letters.path()).await;
    let (ann, bob, _) = office(&world).await;
    world.owe("ada@example.com", &["150.00"]).await;
    let send_back = async |client: &Client, at: &str, why: &str| {
        client.submit(&client.open(at).await, &format!("{at}/return"), &[("why", why)]).await;
    };
    let told = async |news: &str| {
        mail::post(&world).await;
        letters.to("ann@example.com").iter().filter(|letter| letter.body.contains(news)).count()
    };
    send_back(&bob, &ask(&ann, "paypal").await.url, "Wrong month.").await;
    assert_eq!(told("bob@example.com sent it back: Wrong month. Nothing was paid").await, 1);
    send_back(&ann, &ask(&ann, "paypal").await.url, "My mistake.").await;
    assert_eq!(told("My mistake").await, 0, "they know what they did");
    let at = ask(&ann, "paypal").await.url;
    approve(&bob, &at).await;
    assert_eq!(told("bob@example.com approved it.").await, 1);
    assert_eq!(letters.to("ann@example.com").len(), 2);
    world.owe("tom@example.com", &["150.00"]).await;
    ask(&ann, "paypal").await;
    world.advance(Duration::days(8));
    assert!(approval::next(&world.app).await.unwrap());
    mail::post(&world).await;
    assert!(letters.to("ann@example.com").iter().any(|letter| letter.body.contains("Not approved in time")));
}

#[tokio::test]
async fn nobody_approves_without_a_second_factor() {
    let mut world = World::connected().await;
    world.site.person("bob@example.com", "Acme", Role::Approver).await;
    let ann = world.site.signed_in("ann@example.com").await;
    save(&ann, &[("approval_above_USD", "100")]).await;
    world.owe("ada@example.com", &["150.00"]).await;
    let asked = ask(&ann, "paypal").await;
    let at = asked.url.clone();
    let bob = world.site.signed_in("bob@example.com").await;
    let page = bob.open(&at).await;
    assert!(page.text().contains("Approving needs a second factor"), "{}", page.text());
    let content = asked.body.split("<code>").last().unwrap()[..64].to_owned();
    let token = page.form("/sign-out").value("token").unwrap().to_owned();
    let around = bob.post(&format!("{at}/approval"), &[("token", &token), ("content", &content)]).await;
    assert_eq!(around.header("location"), "/account");
    world.settle().await;
    assert_eq!((world.standings().await["paying"], world.calls("create").await), (1, 0));
    let bob = world.site.with_factor("bob@example.com").await;
    assert!(approve(&bob, &at).await.text().contains("Approved."));
}
