//! Any bytes as an answer to a file.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stipend::paypal::large_batch::{FileAnswer, Outgoing, parse_answer};

fuzz_target!(|content: &[u8]| {
    let stem = "pp_payouts_1517395059_ABC123";
    if let Ok(answer) = parse_answer(Outgoing::Ack, stem, content) {
        assert_eq!(answer, FileAnswer::Accepted);
    }
    match parse_answer(Outgoing::Nack, stem, content) {
        Ok(FileAnswer::Rejected(rejections)) => assert!(!rejections.is_empty()),
        Ok(other) => panic!("a rejection was read as {other:?}"),
        Err(_) => {}
    }
});
