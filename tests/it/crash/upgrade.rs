//! An instance that crashes at each step of an upgrade: one connection is in force at any moment, and the upgrade can be
//! gone on with.

use super::Stage;
use crate::legacy::{everything_kept, in_force, legacy_world, no_canary};
use crate::support::client::{Client, Page};
use crate::support::site::PASSWORD;
use nix::sys::signal::Signal;
use std::os::unix::process::ExitStatusExt;

const CARD: &str = "/integrations/payment";
const FORM: &str = "/integrations/payment/paypal";
const KEYS: &[(&str, &str)] = &[("client_id", "demo-client"), ("secret", "demo-secret")];

async fn signed_in(address: &str) -> Client {
    let client = Client::new(address);
    let page = client.open("/sign-in").await;
    client.submit(&page, "/sign-in", &[("email", "ann@example.com"), ("password", PASSWORD)]).await;
    client
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_at_any_step_of_an_upgrade_leaves_one_connection_in_force() {
    // Where it crashes, and whether the new connection is in force after that.
    for (place, is_upgraded) in
        [("details_saved", false), ("details_checked", false), ("before_swap", false), ("after_swap", true)]
    {
        let world = legacy_world().await;
        let stage = Stage::of(&world);
        let mut crashing = stage.serve_with(&[("STIPEND_CRASH_AT", place)]);
        let ann = signed_in(&crashing.address).await;
        let form = ann.open(FORM).await;
        let fields = form.form(FORM).filled(KEYS);
        // The answer never comes.
        let sent = tokio::spawn(async move {
            let fields: Vec<(&str, &str)> =
                fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            ann.post(FORM, &fields).await
        });
        assert_eq!(crashing.wait().signal(), Some(Signal::SIGABRT as i32), "it was to crash at {place}");
        assert!(sent.await.is_err(), "{place}");
        let kind = if is_upgraded { "rest" } else { "legacy_masspay" };
        assert_eq!(in_force(&world, world.merchant).await, (vec![kind.to_owned()], !is_upgraded), "{place}");

        // As far as anybody knows, PayPal is being asked for a minute more.
        let older = "update connection_candidates set saved_at = saved_at - interval '1 minute'";
        sqlx::query(older).execute(world.app.database.pool()).await.unwrap();
        let running = stage.serve();
        let ann = signed_in(&running.address).await;
        let card: Page = ann.open(CARD).await;
        if !is_upgraded {
            assert!(card.text().contains("The check was interrupted"), "{place}: {}", card.text());
            assert!(card.text().contains("Upgrade it to keep paying"), "{place}");
            let done = ann.submit(&card, "/integrations/payment/paypal/verification", &[]).await;
            assert!(done.text().contains("Upgraded. Your next payment"), "{place}: {}", done.text());
        }
        assert_eq!(in_force(&world, world.merchant).await, (vec!["rest".to_owned()], false), "{place}");
        assert!(!ann.open(CARD).await.text().contains("old Mass Pay service"), "{place}");
        no_canary(&everything_kept(&world).await);
        no_canary(&running.log.join("\n"));
        world.check().await;
    }
}
