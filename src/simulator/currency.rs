//! The currencies that PayPal pays out, with PayPal's own number of decimals: HUF and TWD have none here, whatever
//! ISO 4217 says.

use rust_decimal::Decimal;

/// Code and decimals of the 24 currencies.
pub const ALL: [(&str, u32); 24] = [
    ("AUD", 2),
    ("BRL", 2),
    ("CAD", 2),
    ("CHF", 2),
    ("CNY", 2),
    ("CZK", 2),
    ("DKK", 2),
    ("EUR", 2),
    ("GBP", 2),
    ("HKD", 2),
    ("HUF", 0),
    ("ILS", 2),
    ("JPY", 0),
    ("MXN", 2),
    ("MYR", 2),
    ("NOK", 2),
    ("NZD", 2),
    ("PHP", 2),
    ("PLN", 2),
    ("SEK", 2),
    ("SGD", 2),
    ("THB", 2),
    ("TWD", 0),
    ("USD", 2),
];

/// The number of decimals, or `None` for a currency that PayPal does not pay out.
pub fn scale(code: &str) -> Option<u32> {
    ALL.iter().find(|(known, _)| *known == code).map(|(_, scale)| *scale)
}

/// An amount with all its decimals: "12.30".
pub fn exact(amount: Decimal, code: &str) -> String {
    let mut amount = amount;
    amount.rescale(scale(code).unwrap_or(2));
    amount.to_string()
}

/// An amount as PayPal repeats it: shortened, but with one decimal left where the currency has any ("12.3", "10.0").
/// A client that compares text instead of numbers is found out here.
pub fn shortened(amount: Decimal, code: &str) -> String {
    let mut amount = amount.normalize();
    if amount.scale() == 0 && scale(code) != Some(0) {
        amount.rescale(1);
    }
    amount.to_string()
}

/// The sender's fee on one payment: two per cent, rounded to what the currency can express.
pub fn fee(amount: Decimal, code: &str) -> Decimal {
    let fee = amount * Decimal::new(2, 2);
    fee.round_dp_with_strategy(scale(code).unwrap_or(2), rust_decimal::RoundingStrategy::MidpointAwayFromZero)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    #[test]
    fn amounts_are_repeated_shortened() {
        assert_eq!(shortened(decimal("1.00"), "USD"), "1.0");
        assert_eq!(shortened(decimal("190"), "USD"), "190.0");
        assert_eq!(shortened(decimal("12.34"), "USD"), "12.34");
        assert_eq!(shortened(decimal("500"), "JPY"), "500");
        assert_eq!(exact(decimal("1"), "USD"), "1.00");
    }

    /// The captures that the fee was read from.
    #[test]
    fn the_fee_is_two_per_cent() {
        assert_eq!(fee(decimal("262.00"), "GBP"), decimal("5.24"));
        assert_eq!(fee(decimal("12.34"), "GBP"), decimal("0.25"));
        assert_eq!(fee(decimal("5.00"), "USD"), decimal("0.10"));
        assert_eq!(fee(decimal("1234"), "JPY"), decimal("25"));
    }
}
