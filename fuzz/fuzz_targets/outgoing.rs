//! Any two words as a stem and the name of a file, parted by a line break.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stipend::paypal::large_batch::{InputName, outgoing};

fuzz_target!(|input: &str| {
    let (stem, name) = input.split_once('\n').unwrap_or((input, "pp_payouts_1517395059_ABC123_ack.csv"));
    if outgoing(stem, name).is_some() {
        assert!(name.len() > stem.len() && name.to_ascii_lowercase().starts_with(&stem.to_ascii_lowercase()));
    }
    if let Ok(parsed) = InputName::parse(name) {
        assert_eq!(parsed.to_string(), name);
        assert!(outgoing(parsed.stem(), &format!("{}_ack.csv", parsed.stem())).is_some());
    }
});
