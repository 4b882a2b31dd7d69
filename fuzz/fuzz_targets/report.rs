//! Any bytes as a report.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stipend::paypal::large_batch::rows;

fuzz_target!(|content: &[u8]| {
    for row in rows(content) {
        match row {
            Ok(row) => assert!(!row.reference.is_empty() && row.reference.len() <= 63 && row.currency.len() == 3),
            Err(bad) => assert!(!bad.why.is_empty()),
        }
    }
});
