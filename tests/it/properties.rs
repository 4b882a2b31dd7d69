//! What must hold for any bytes and any words that PayPal may ever say.

use proptest::collection::vec;
use proptest::prelude::*;
use stipend::payout::item::{ItemState, NotPaid, Step};
use stipend::paypal::answer::{Answer, Exchange, classify};
use stipend::paypal::payouts::{TransactionStatus, parse_batch, parse_item};

const WORDS: [&str; 12] = [
    "PENDING",
    "SUCCESS",
    "UNCLAIMED",
    "ONHOLD",
    "FAILED",
    "DENIED",
    "RETURNED",
    "BLOCKED",
    "REFUNDED",
    "REVERSED",
    "NEW",
    "",
];

/// Bodies that look like PayPal's, whatever the status they come with.
fn body() -> impl Strategy<Value = Vec<u8>> {
    let names = prop::sample::select(vec![
        "USER_BUSINESS_ERROR",
        "VALIDATION_ERROR",
        "INSUFFICIENT_FUNDS",
        "NON_HOLDING_CURRENCY",
        "INTERNAL_ERROR",
        "AUTHENTICATION_FAILURE",
        "RATE_LIMIT_REACHED",
        "SYNC_MODE_NOT_APPLICABLE",
        "WHATEVER",
        "",
    ]);
    let fields =
        prop::sample::select(vec!["SENDER_BATCH_ID", "items[3].receiver", "items[99999999999999999999]", "é", ""]);
    let hrefs = prop::sample::select(vec!["https://x/Q6K2", "/", "", "?#", "https://x/é", "https://x/%00"]);
    prop_oneof![
        vec(any::<u8>(), 0..300),
        json().prop_map(|value| serde_json::to_vec(&value).unwrap()),
        (names, fields, hrefs).prop_map(|(name, field, href)| {
            serde_json::to_vec(&serde_json::json!({
                "name": name, "message": "m", "details": [{"field": field, "issue": "i", "link": [{"href": href}]}]
            }))
            .unwrap()
        }),
        "[A-Z0-9]{0,20}".prop_map(|id| {
            serde_json::to_vec(&serde_json::json!({"batch_header": {"payout_batch_id": id}})).unwrap()
        }),
    ]
}

/// Any JSON, with the keys that PayPal uses.
fn json() -> impl Strategy<Value = serde_json::Value> {
    let keys = prop::sample::select(vec![
        "batch_header",
        "payout_batch_id",
        "batch_status",
        "items",
        "payout_item_id",
        "payout_item",
        "amount",
        "value",
        "currency",
        "errors",
        "name",
        "message",
        "transaction_status",
        "transaction_id",
        "sender_item_id",
        "sender_batch_header",
        "sender_batch_id",
        "time_processed",
        "total_pages",
        "total_items",
        "payout_item_fee",
    ]);
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        ".{0,20}".prop_map(serde_json::Value::from),
        prop::sample::select(WORDS.to_vec()).prop_map(Into::into),
        "-?[0-9]{1,30}(\\.[0-9]{0,30})?".prop_map(serde_json::Value::from),
    ];
    leaf.prop_recursive(5, 60, 6, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(serde_json::Value::from),
            vec((keys.clone(), inner), 0..8).prop_map(|fields| {
                serde_json::Value::Object(fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
            }),
        ]
    })
}

fn answer(status: u16, body: Vec<u8>) -> Answer {
    classify(&Exchange::Answered { status, retry_after: None, body }, "MINE")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, ..ProptestConfig::default() })]

    #[test]
    fn silence_and_failure_are_never_no(status in prop_oneof![200..=299_u16, 500..=599_u16, Just(408), Just(409), Just(429)], body in body()) {
        let answer = answer(status, body);
        prop_assert!(!matches!(answer, Answer::Refused(_) | Answer::NotYet(_)), "{status}: {answer:?}");
        if status >= 300 {
            prop_assert!(matches!(answer, Answer::Unknown(_)), "{status}: {answer:?}");
        }
    }

    #[test]
    fn a_lost_answer_is_unknown(why in ".{0,50}") {
        prop_assert!(matches!(classify(&Exchange::Lost(why), "MINE"), Answer::Unknown(_)));
    }

    #[test]
    fn no_answer_ends_the_program(status in 0..=999_u16, body in body()) {
        let answer = answer(status, body);
        if let Answer::Created(_) = answer {
            prop_assert!((200..300).contains(&status));
        }
        if let Answer::Duplicate(Some(id)) = answer {
            prop_assert!((1..=30).contains(&id.0.len()));
        }
    }

    #[test]
    fn any_json_is_a_page_or_none(value in json(), header in json(), items in vec(json(), 0..4)) {
        let _whatever_it_is = parse_item(&serde_json::to_vec(&value).unwrap());
        let _whatever_it_is = parse_batch(&serde_json::to_vec(&value).unwrap());
        let page = serde_json::json!({"batch_header": header, "items": items});
        if let Ok(page) = parse_batch(&serde_json::to_vec(&page).unwrap()) {
            for item in page.items {
                prop_assert!(item.id.is_some_and(|id| !id.0.is_empty() && !id.0.contains('\0')));
            }
        }
    }

    #[test]
    fn any_bytes_are_a_page_or_none(body in vec(any::<u8>(), 0..400)) {
        let _whatever_it_is = (parse_batch(&body), parse_item(&body));
    }

    /// The words in any order: money that did not arrive stays not arrived, and money that did can only come back.
    #[test]
    fn an_item_never_moves_where_money_cannot(words in vec(prop::sample::select(WORDS.to_vec()), 0..30)) {
        let mut state = ItemState::Queued;
        for word in words {
            let Step::Move(next) = state.next(&TransactionStatus::parse(word)) else { continue };
            match state {
                ItemState::Unpaid(_) => prop_assert!(false, "{state} became {next}"),
                ItemState::Paid => prop_assert!(
                    matches!(next, ItemState::Unpaid(NotPaid::Refunded | NotPaid::Reversed)),
                    "{state} became {next}"
                ),
                ItemState::Queued | ItemState::Open(_) => prop_assert!(next != ItemState::Queued),
            }
            state = next;
        }
    }
}
