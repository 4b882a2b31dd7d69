//! What is not PayPal's changes nothing, and is cheap.

use super::host::{Host, WEBHOOK};
use stipend::id::ConnectionId;

#[tokio::test]
async fn an_event_signed_by_another_implementation_is_kept_once() {
    let host = Host::start().await;
    let event = host.event("WH-1");
    for _ in 0..3 {
        assert_eq!(host.deliver(&event).await, 200, "a replay is answered, so that PayPal stops");
    }
    assert_eq!(host.deliver(&host.event("WH-1")).await, 200, "the same event in another transmission");
    assert_eq!((host.kept().await, host.fetched(), host.questions()), (1, 1, 0));
    assert_eq!(host.deliver(&host.event("WH-2")).await, 200);
    assert_eq!((host.kept().await, host.fetched()), (2, 1), "the certificate is fetched once");
    let strange = "{ \"event_type\":\"PAYMENT.PAYOUTS-ITEM.X\", \"n\": 1.0, \"é\": \"\\u00e9\\/\", \"id\":\"WH-3\" }\n";
    assert_eq!(host.deliver(&host.signed(strange.as_bytes(), WEBHOOK)).await, 200, "the raw bytes are what counts");
    assert_eq!(host.kept().await, 3);
}

#[tokio::test]
async fn every_forgery_is_refused_and_changes_nothing() {
    let host = Host::start().await;
    let good = host.event("WH-1");
    let signature = good.headers[3].1.clone();
    let tampered =
        format!("{}{}{}", &signature[..100], if &signature[100..101] == "A" { "B" } else { "A" }, &signature[101..]);
    let mut altered = good.clone();
    altered.body[20] ^= 1;
    let mut longer = good.clone();
    longer.body.push(b' ');
    let mut missing = good.clone();
    missing.headers.remove(1);
    let mut twice = good.clone();
    twice.headers.push(twice.headers[3].clone());
    let elsewhere = |url: &str| good.clone().with("paypal-cert-url", url);
    let list = [
        ("signature", good.clone().with("paypal-transmission-sig", tampered)),
        ("no signature", good.clone().with("paypal-transmission-sig", "")),
        ("no base64", good.clone().with("paypal-transmission-sig", "!!!!")),
        ("altered byte", altered),
        ("added byte", longer),
        ("missing header", missing),
        ("header twice", twice),
        ("time", good.clone().with("paypal-transmission-time", "2026-06-06T03:44:55.000Z")),
        ("transmission", good.clone().with("paypal-transmission-id", "another")),
        ("algorithm", good.clone().with("paypal-auth-algo", "SHA1withRSA")),
        ("no algorithm", good.clone().with("paypal-auth-algo", "none")),
        ("another webhook", host.signed(&good.body, "1AB23456CD789012E")),
        ("PayPal's public simulator", host.signed(&good.body, "WEBHOOK_ID")),
        ("expired certificate", elsewhere(&host.certificate("CERT-EXPIRED"))),
        ("early certificate", elsewhere(&host.certificate("CERT-EARLY"))),
        ("self-made certificate", elsewhere(&host.certificate("CERT-STRANGER"))),
        ("no such certificate", elsewhere(&host.certificate("CERT-NONE"))),
    ];
    for (what, forged) in &list {
        assert_eq!(host.deliver(forged).await, 400, "{what}");
    }
    assert_eq!((host.kept().await, host.questions()), (0, 0));
    assert_eq!(host.deliver(&good).await, 200, "and the original is taken");
}

#[tokio::test]
async fn nothing_is_fetched_from_anywhere_but_paypals_own_host() {
    let (host, stranger) = (Host::start().await, Host::start().await);
    let good = host.event("WH-1");
    for url in [
        stranger.certificate("CERT-GOOD"),
        stranger.certificate("CERT-GOOD").replace("127.0.0.1", "localhost"),
        host.certificate("CERT-GOOD").replace("http://", "http://me@"),
        host.certificate("CERT-GOOD").replace("http://", "https://"),
        host.certificate("CERT-GOOD").replace("/v1/", "/v2/"),
        host.certificate("../../oauth2/token"),
        host.certificate("CERT-GOOD?x=1"),
        "https://api.paypal.com/v1/notifications/certs/CERT-GOOD".to_owned(),
        "https://api.sandbox.paypal.com/v1/notifications/certs/CERT-GOOD".to_owned(),
    ] {
        assert_eq!(host.deliver(&good.clone().with("paypal-cert-url", url.clone())).await, 400, "{url}");
    }
    assert_eq!((host.fetched(), stranger.fetched(), host.kept().await), (0, 0, 0));
    let moved = good.with("paypal-cert-url", host.certificate("CERT-MOVED"));
    assert_eq!(host.deliver(&moved).await, 503, "a redirect is not followed");
    assert_eq!(host.fetched(), 1);
}

#[tokio::test]
async fn a_flood_of_forgeries_fetches_little_and_over_long_ones_nothing() {
    let host = Host::start().await;
    let good = host.event("WH-1");
    let mut statuses = Vec::new();
    for number in 0..60 {
        let forged = good.clone().with("paypal-cert-url", host.certificate(&format!("CERT-{number}")));
        statuses.push(host.deliver(&forged).await);
    }
    assert!(statuses.iter().all(|status| [400, 503].contains(status)), "{statuses:?}");
    assert!(host.fetched() <= 40, "{} fetches", host.fetched());
    let mut long = good.clone();
    long.body.resize(1024 * 1024 + 1, b' ');
    assert_eq!(host.deliver(&long).await, 413);
    assert_eq!(host.kept().await, 0);
}

#[tokio::test]
async fn nobody_listens_at_an_unknown_address() {
    let host = Host::start().await;
    let event = host.event("WH-1");
    for connection in [ConnectionId::new().to_string(), host.merchant.to_string(), "x".into(), "%00".into()] {
        assert_eq!(host.deliver_to(&connection, &event).await, 404, "{connection}");
    }
    assert_eq!((host.kept().await, host.fetched()), (0, 0));
    let got = host.site.stranger().get(&format!("/webhooks/paypal/{}", host.connection)).await;
    assert_eq!(got.status, 405);
}

#[tokio::test]
async fn without_the_certificate_paypal_itself_is_asked_with_its_own_text() {
    let host = Host::start().await;
    let body = "{ \"b\":1.0,\"id\":\"WH-1\", \"event_type\":\"PAYMENT.PAYOUTS-ITEM.HELD\",\"a\":\"\\u00e9\" }";
    let down = |name| host.signed(body.as_bytes(), WEBHOOK).with("paypal-cert-url", host.certificate(name));
    assert_eq!(host.deliver(&down("CERT-DOWN")).await, 503, "who cannot tell lets PayPal try again");
    *host.said.verdict.lock().unwrap() = Some("FAILURE");
    assert_eq!(host.deliver(&down("CERT-DOWN")).await, 400);
    assert_eq!((host.kept().await, host.questions()), (0, 2));
    *host.said.verdict.lock().unwrap() = Some("SUCCESS");
    assert_eq!(host.deliver(&down("CERT-GARBAGE")).await, 200);
    assert_eq!(host.kept().await, 1);
    let asked = host.said.asked.lock().unwrap().clone();
    assert!(asked.contains(&format!("\"webhook_event\":{body}}}")), "spliced in as it came: {asked}");
    let down = down("CERT-DOWN");
    let smuggling = super::host::Delivery { body: b"{\"id\":\"WH-2\"},\"webhook_id\":\"X\"".to_vec(), ..down };
    assert_eq!(host.deliver(&smuggling).await, 400, "what is no single JSON value is not passed on");
}

#[tokio::test]
async fn genuine_events_that_say_nothing_of_payouts_are_answered_and_dropped() {
    let host = Host::start().await;
    for body in [
        &br#"{"id":"WH-9","event_type":"PAYMENT.CAPTURE.COMPLETED","resource":{"id":"X"}}"#[..],
        b"{}",
        b"[]",
        b"no json",
        b"",
    ] {
        assert_eq!(host.deliver(&host.signed(body, WEBHOOK)).await, 200);
    }
    assert_eq!(host.kept().await, 0);
}
