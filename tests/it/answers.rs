//! Each row of the answer table, made to happen on the wire; then the bank is asked.

use crate::support::world::{World, dec};

use serde_json::json;
use stipend::connection::Outcome;
use time::Duration;

/// Faults after which PayPal may or may not have the batch: it must be asked again, and pay once.
const DOUBTFUL: &[&str] = &[
    "cut_before",
    "cut_after",
    "cut_body",
    "garbage",
    "garbage_before",
    "broken_json",
    "broken_json_before",
    "empty",
    "empty_before",
    "rate_limit",
];

#[tokio::test]
async fn a_lost_answer_does_not_pay_twice_and_is_not_forgotten() {
    for what in DOUBTFUL {
        let mut world = World::connected().await;
        world.owe("a@example.com", &["10.00"]).await;
        world.fault(json!({"call": "create", "what": what})).await;
        let batch = world.pay_all().await[0];
        world.work().await;
        assert_eq!(world.batch(batch).await.0, "submitting", "{what}");
        assert_eq!(world.standings().await["unknown"], 1, "{what}");
        world.settle().await;
        assert_eq!(world.paid().await["a@example.com"], (1, dec("10.00")), "{what}");
        assert_eq!(world.standings().await["paid"], 1, "{what}");
        world.check().await;
    }
}

#[tokio::test]
async fn a_server_error_is_doubt_whether_or_not_the_batch_was_taken() {
    for status in [500, 502, 503, 504, 408, 409] {
        for what in ["status", "status_after"] {
            let mut world = World::connected().await;
            world.owe("a@example.com", &["10.00"]).await;
            world.fault(json!({"call": "create", "what": what, "status": status, "times": 2})).await;
            let batch = world.pay_all().await[0];
            world.work().await;
            assert_eq!(world.batch(batch).await.0, "submitting", "{what} {status}");
            world.settle().await;
            assert_eq!(world.paid().await["a@example.com"], (1, dec("10.00")), "{what} {status}");
            world.check().await;
        }
    }
}

#[tokio::test]
async fn a_refusal_after_doubt_frees_nothing() {
    let mut world = World::connected().await;
    world.owe("a@example.com", &["10.00"]).await;
    world.fault(json!({"call": "create", "what": "cut_after"})).await;
    world.fault(json!({"call": "create", "nth": 2, "what": "status", "status": 400, "name": "VALIDATION_ERROR"})).await;
    world
        .fault(json!({"call": "create", "nth": 3, "what": "status", "status": 422, "name": "INSUFFICIENT_FUNDS"}))
        .await;
    world
        .fault(json!({"call": "create", "nth": 4, "what": "status", "status": 403, "name": "SENDER_RESTRICTED"}))
        .await;
    let batch = world.pay_all().await[0];
    for _ in 0..4 {
        world.work().await;
        assert_eq!(world.batch(batch).await.0, "submitting");
        assert_eq!(world.standings().await.get("owed"), None, "a commission was freed in doubt");
        world.advance(Duration::hours(1));
    }
    world.settle().await;
    assert_eq!(world.standings().await["paid"], 1);
    assert_eq!(world.paid().await["a@example.com"], (1, dec("10.00")));
    world.check().await;
}

#[tokio::test]
async fn a_duplicate_without_a_link_stays_in_doubt() {
    let mut world = World::connected().await;
    world.owe("a@example.com", &["10.00"]).await;
    world.fault(json!({"call": "create", "what": "cut_after"})).await;
    world.fault(json!({"call": "create", "nth": 2, "what": "duplicate_without_link"})).await;
    let batch = world.pay_all().await[0];
    world.work().await;
    world.advance(Duration::minutes(1));
    world.work().await;
    assert_eq!(world.batch(batch).await.0, "submitting");
    world.settle().await;
    assert_eq!(world.standings().await["paid"], 1);
    world.check().await;
}

#[tokio::test]
async fn an_expired_token_is_renewed_once_and_nothing_is_paid_twice() {
    let mut world = World::connected().await;
    world.owe("a@example.com", &["10.00"]).await;
    world.fault(json!({"call": "create", "what": "expire_tokens"})).await;
    world.pay_all().await;
    world.settle().await;
    assert_eq!(world.paid().await["a@example.com"], (1, dec("10.00")));
    assert_eq!(world.calls("create").await, 2);
    world.check().await;
}

#[tokio::test]
async fn nothing_is_sent_past_the_window_and_doubt_stays_visible() {
    let mut world = World::connected().await;
    world.owe("a@example.com", &["10.00"]).await;
    world.fault(json!({"call": "create", "what": "cut_after", "times": 10_000})).await;
    let batch = world.pay_all().await[0];
    for day in 0..70 {
        world.work().await;
        world.advance(Duration::hours(23));
        if day == 40 {
            assert_eq!(world.batch(batch).await.0, "stuck");
        }
    }
    let bank = world.bank().await;
    let sent = world.calls("create").await;
    world.advance(Duration::days(30));
    world.work().await;
    assert_eq!(world.calls("create").await, sent, "sent past the window");
    assert_eq!(world.standings().await["unknown"], 1);
    assert_eq!(bank["batches"].as_array().unwrap().len(), 1);
    world.check().await;
}

#[tokio::test]
async fn a_batch_that_never_left_is_taken_back_when_its_window_closes() {
    let mut world = World::connected().await;
    world.owe("a@example.com", &["10.00"]).await;
    world
        .fault(
            json!({"call": "create", "what": "status", "status": 422, "name": "INSUFFICIENT_FUNDS", "times": 10_000}),
        )
        .await;
    let batch = world.pay_all().await[0];
    for _ in 0..32 {
        world.work().await;
        world.advance(Duration::days(1));
    }
    assert_eq!(world.batch(batch).await.0, "refused");
    assert_eq!(world.standings().await["owed"], 1);
    assert!(world.paid().await.is_empty());
}

#[tokio::test]
async fn a_denied_batch_is_due_again() {
    let mut world = World::connected().await;
    world.owe("a@example.com", &["10.00"]).await;
    world.owe("b@example.com", &["10.00"]).await;
    world.fault(json!({"call": "create", "what": "denied"})).await;
    world.pay_all().await;
    world.settle().await;
    assert_eq!(world.standings().await["owed"], 2);
    world.check().await;
    world.pay_all().await;
    world.settle().await;
    assert_eq!(world.standings().await["paid"], 2);
    world.check().await;
}

#[tokio::test]
async fn each_outcome_of_the_connection_check_has_its_own_answer() {
    let world = World::new().await;
    assert_eq!(world.connect("demo-client", "wrong").await, Outcome::WrongDetails);
    assert_eq!(world.connect("nobody", "demo-secret").await, Outcome::WrongDetails);
    assert_eq!(world.connect("no-payouts", "secret").await, Outcome::PayoutsMissing);
    for rule in [
        json!({"call": "token", "what": "cut_before"}),
        json!({"call": "token", "what": "status", "status": 503}),
        json!({"call": "token", "what": "garbage"}),
    ] {
        world.fault(rule).await;
        assert_eq!(world.connect("demo-client", "demo-secret").await, Outcome::Unreachable);
    }
    assert_eq!(world.connect("demo-client", "demo-secret").await, Outcome::Ready);
    // Whatever is saved next and fails leaves the connection in force.
    assert_eq!(world.connect("demo-client", "wrong").await, Outcome::WrongDetails);
    assert_eq!(world.connect("other-client", "wrong").await, Outcome::WrongDetails);
    let mut tx = world.tx().await;
    let now = stipend::connection::in_force(&mut tx).await.unwrap().unwrap();
    assert_eq!(now.client_id, "demo-client");
    assert_eq!(world.connect("other-client", "other-secret").await, Outcome::Ready);
}
