//! Money: a positive exact amount in its currency's own scale. Never a float, never two currencies in one sum.

use rust_decimal::Decimal;
use std::fmt;
use std::str::FromStr;

macro_rules! currencies {
    ($($code:ident $scale:literal $limit:literal,)*) => {
        /// The currencies that PayPal pays out: a closed list (PayPal's payouts guide, "Supported currencies").
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, sqlx::Type, serde::Serialize, serde::Deserialize)]
        #[sqlx(type_name = "text", rename_all = "UPPERCASE")]
        #[serde(rename_all = "UPPERCASE")]
        pub enum Currency { $(#[doc = concat!("ISO 4217 ", stringify!($code), ".")] $code,)* }

        impl Currency {
            /// Every currency, by code.
            pub const ALL: &[Currency] = &[$(Currency::$code,)*];

            /// The ISO 4217 code.
            pub fn code(self) -> &'static str {
                match self { $(Currency::$code => stringify!($code),)* }
            }

            /// Decimal places at PayPal: none for HUF, JPY and TWD (ISO has two for HUF and TWD; PayPal refuses them).
            pub fn scale(self) -> u32 {
                match self { $(Currency::$code => $scale,)* }
            }

            /// PayPal's usual limit of one payout item, USD 20,000, in round local terms. The true limit depends on the
            /// account and only PayPal knows it, so this is good for a warning and for nothing else.
            pub fn usual_item_limit(self) -> Decimal {
                match self { $(Currency::$code => Decimal::from($limit),)* }
            }
        }
    };
}

currencies! {
    AUD 2 30_000, BRL 2 100_000, CAD 2 27_000, CHF 2 17_000, CNY 2 140_000, CZK 2 450_000, DKK 2 135_000,
    EUR 2 18_000, GBP 2 15_000, HKD 2 155_000, HUF 0 7_000_000, ILS 2 72_000, JPY 0 3_000_000, MXN 2 360_000,
    MYR 2 88_000, NOK 2 215_000, NZD 2 33_000, PHP 2 1_100_000, PLN 2 78_000, SEK 2 205_000, SGD 2 26_000,
    THB 2 690_000, TWD 0 640_000, USD 2 20_000,
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// The code is not one that PayPal pays out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("PayPal does not pay out “{0}”; use one of AUD, EUR, GBP, USD and the other payout currencies")]
pub struct UnknownCurrency(pub String);

impl FromStr for Currency {
    type Err = UnknownCurrency;
    fn from_str(code: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .iter()
            .copied()
            .find(|currency| currency.code().eq_ignore_ascii_case(code.trim()))
            .ok_or_else(|| UnknownCurrency(code.trim().to_owned()))
    }
}

/// A positive amount in one currency, already in that currency's scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Money {
    amount: Decimal,
    currency: Currency,
}

/// Why an amount is not money that can be paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotMoney {
    /// Zero or less.
    #[error("the amount must be more than zero")]
    NotPositive,
    /// Finer than the currency allows.
    #[error("{0} amounts have {decimals} decimal places at PayPal", decimals = match .0.scale() { 0 => "no", _ => "at most two" })]
    TooFine(Currency),
    /// A trillion or more.
    #[error("the amount is too large")]
    TooLarge,
}

impl Money {
    /// An amount that can be paid.
    pub fn new(amount: Decimal, currency: Currency) -> Result<Self, NotMoney> {
        if amount <= Decimal::ZERO {
            return Err(NotMoney::NotPositive);
        }
        if amount >= Decimal::from(1_000_000_000_000_i64) {
            return Err(NotMoney::TooLarge);
        }
        let scaled = amount.round_dp(currency.scale());
        if scaled != amount {
            return Err(NotMoney::TooFine(currency));
        }
        let mut amount = scaled;
        amount.rescale(currency.scale());
        Ok(Self { amount, currency })
    }

    /// The exact amount, in the currency's scale.
    pub fn amount(self) -> Decimal {
        self.amount
    }

    /// The currency.
    pub fn currency(self) -> Currency {
        self.currency
    }

    /// The sum of amounts in one currency, or nothing for an empty list.
    ///
    /// # Panics
    /// When two currencies are mixed: only a bug can do that.
    pub fn sum(amounts: impl IntoIterator<Item = Money>) -> Option<Money> {
        amounts.into_iter().reduce(|a, b| {
            assert!(a.currency == b.currency, "two currencies were added together");
            Money { amount: a.amount + b.amount, currency: a.currency }
        })
    }

    /// As PayPal wants it in `amount.value`: a point, no grouping, always the currency's scale ("10.00", "1200" for JPY).
    pub fn for_paypal(self) -> String {
        self.amount.to_string()
    }
}

/// For people: the code first, thousands separated, as in "USD 4,310.20".
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.currency, for_people(self.amount, self.currency))
    }
}

/// An amount for people, without its code. For sums, which may also be zero.
pub fn for_people(amount: Decimal, currency: Currency) -> String {
    let mut amount = amount;
    amount.rescale(currency.scale());
    let text = amount.to_string();
    let (sign, text) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text.as_str()),
    };
    let (whole, fraction) = text.split_once('.').map_or((text, None), |(w, f)| (w, Some(f)));
    let mut grouped = String::from(sign);
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    if let Some(fraction) = fraction {
        grouped.push('.');
        grouped.push_str(fraction);
    }
    grouped
}

/// A number as people write amounts: digits, one point, and perhaps a minus before them. Neither grouping nor an exponent:
/// what "1e5" or "1,000" was meant to be is not guessed.
pub fn plain(text: &str) -> Option<Decimal> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_plain = digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    text.parse().ok().filter(|_| is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_amount_was_meant_to_be_is_not_guessed() {
        assert_eq!(plain("1234.50"), Some("1234.50".parse().unwrap()));
        assert_eq!(plain("-2"), Some("-2".parse().unwrap()));
        for odd in ["1e5", "1.05E1", "+7", "1,000", "1_000", "--1", " 1", ".", "", "1.2.3", "١"] {
            assert_eq!(plain(odd), None, "{odd:?}");
        }
    }

    fn money(amount: &str, currency: Currency) -> Result<Money, NotMoney> {
        Money::new(amount.parse().unwrap(), currency)
    }

    #[test]
    fn an_amount_keeps_its_currencys_scale() {
        assert_eq!(money("10", Currency::USD).unwrap().for_paypal(), "10.00");
        assert_eq!(money("10.5000", Currency::EUR).unwrap().for_paypal(), "10.50");
        assert_eq!(money("1200.00", Currency::JPY).unwrap().for_paypal(), "1200");
        assert_eq!(money("1234567.8", Currency::USD).unwrap().to_string(), "USD 1,234,567.80");
        assert_eq!(money("999", Currency::HUF).unwrap().to_string(), "HUF 999");
    }

    #[test]
    fn what_cannot_be_paid_is_refused_where_it_enters() {
        assert_eq!(money("0", Currency::USD), Err(NotMoney::NotPositive));
        assert_eq!(money("-1", Currency::USD), Err(NotMoney::NotPositive));
        assert_eq!(money("0.001", Currency::USD), Err(NotMoney::TooFine(Currency::USD)));
        assert_eq!(money("10.5", Currency::TWD), Err(NotMoney::TooFine(Currency::TWD)));
        assert_eq!(money("1000000000000", Currency::USD), Err(NotMoney::TooLarge));
        assert_eq!("usd".parse(), Ok(Currency::USD));
        assert!("TND".parse::<Currency>().is_err());
        assert_eq!(Currency::ALL.len(), 24);
    }

    #[test]
    #[should_panic(expected = "two currencies")]
    fn two_currencies_are_never_added() {
        Money::sum([money("1", Currency::USD).unwrap(), money("1", Currency::EUR).unwrap()]);
    }
}
