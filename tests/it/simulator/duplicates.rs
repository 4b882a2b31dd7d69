//! `sender_batch_id`, the only protection against a second payment.

use super::*;

fn is_duplicate(answer: &Answer, first: &str) {
    let details = answer.refused(400, "USER_BUSINESS_ERROR");
    assert_eq!(details[0]["field"], "SENDER_BATCH_ID");
    assert_eq!(details[0]["issue"], "Batch with given sender_batch_id already exists");
    assert_eq!(details[0]["link"][0]["rel"], "self");
    let href = details[0]["link"][0]["href"].as_str().expect("an address");
    assert_eq!(href.rsplit('/').next(), Some(first));
    assert_eq!(answer.json()["links"], json!([]));
}

#[tokio::test]
async fn a_repeated_batch_is_refused_with_a_link_to_the_first() {
    let rig = Rig::start().await;
    let first = rig.create(&batch("b-1", &["a@example.com"])).await.accepted();
    is_duplicate(&rig.create(&batch("b-1", &["a@example.com"])).await, &first);
    is_duplicate(&rig.create(&batch("b-1", &["other@example.com"])).await, &first);
    assert_eq!(rig.accepted().await, 1);
}

#[tokio::test]
async fn an_id_is_free_again_after_thirty_days_exactly() {
    let mut rig = Rig::start().await;
    let first = rig.create(&batch("b-1", &["a@example.com"])).await.accepted();
    // The rest of the last day is a minute short of what is missing, so that the test's own slowness cannot matter.
    rig.advance(30 * DAY - 60).await;
    rig.token = rig.token_of(ID).await;
    is_duplicate(&rig.create(&batch("b-1", &["a@example.com"])).await, &first);
    rig.advance(60).await;
    let second = rig.create(&batch("b-1", &["a@example.com"])).await.accepted();
    assert_ne!(first, second);
    is_duplicate(&rig.create(&batch("b-1", &["a@example.com"])).await, &second);
}

#[tokio::test]
async fn a_denied_batch_frees_its_id() {
    let rig = Rig::slow().await;
    let first = rig.create(&batch("b-1", &["denied-batch@example.com", "a@example.com"])).await.accepted();
    is_duplicate(&rig.create(&batch("b-1", &["a@example.com"])).await, &first);
    rig.advance(60).await;
    assert_eq!(rig.batch(&first).await["batch_header"]["batch_status"], "DENIED");
    let second = rig.create(&batch("b-1", &["a@example.com"])).await.accepted();
    is_duplicate(&rig.create(&batch("b-1", &["a@example.com"])).await, &second);
}

#[tokio::test]
async fn without_an_id_nothing_protects() {
    let rig = Rig::start().await;
    let mut body = batch("", &["a@example.com"]);
    rig.create(&body).await.accepted();
    rig.create(&body).await.accepted();
    body["sender_batch_header"].as_object_mut().expect("an object").remove("sender_batch_id");
    for _ in 0..2 {
        let request = rig.request(Method::POST, "/v1/payments/payouts").header("PayPal-Request-Id", "same").json(&body);
        answer(request).await.accepted();
    }
    assert_eq!(rig.accepted().await, 4);
}

#[tokio::test]
async fn the_same_id_of_another_account_is_another_batch() {
    let mut rig = Rig::start().await;
    rig.create(&batch("b-1", &["a@example.com"])).await.accepted();
    rig.token = rig.token_of("client-2").await;
    rig.create(&batch("b-1", &["a@example.com"])).await.accepted();
}

#[tokio::test]
async fn simultaneous_calls_with_one_id_make_one_batch() {
    let rig = Rig::start().await;
    let body = batch("b-1", &["a@example.com"]);
    let answers = futures_util::future::join_all((0..20).map(|_| rig.create(&body))).await;
    let accepted: Vec<&Answer> = answers.iter().filter(|answer| answer.status == StatusCode::CREATED).collect();
    assert_eq!(accepted.len(), 1);
    let first = accepted[0].accepted();
    for answer in answers.iter().filter(|answer| answer.status != StatusCode::CREATED) {
        is_duplicate(answer, &first);
    }
    assert_eq!(rig.accepted().await, 1);
}
