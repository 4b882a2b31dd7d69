//! Any file under any name: the first line of the input is the name, the rest the file.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stipend::paypal::large_batch::check;
use time::macros::datetime;

fuzz_target!(|input: &[u8]| {
    let (name, content) = match input.iter().position(|byte| *byte == b'\n') {
        Some(end) => (std::str::from_utf8(&input[..end]).ok(), &input[end + 1..]),
        None => (None, input),
    };
    let checked = check(name, content, datetime!(2026-06-01 12:00 UTC)).expect("no input is too large here");
    assert!(checked.findings.len() as u64 <= checked.total_findings);
    assert!(
        !checked.is_accepted() || (checked.lines > 0 && checked.sum.is_sign_positive() && checked.currency.is_some())
    );
});
