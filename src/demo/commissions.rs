//! What the example's affiliates have earned: a year of paid history, what is due, and what is due later. Nothing of it
//! is left to chance, so two demos made on the same day are alike.

use super::affiliates as kind;
use super::data::Size;
use crate::money::{Currency, Money};
use rust_decimal::Decimal;

/// One commission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commission {
    /// Whose: the place in the list of affiliates.
    pub affiliate: usize,
    /// How much.
    pub amount: Money,
    /// Days from today on which it is due.
    pub due: i32,
    /// Days from today on which it was paid, elsewhere and before.
    pub paid: Option<i32>,
    /// The order it was earned with.
    pub reference: String,
    /// What was sold.
    pub note: String,
}

/// Of a hundred commissions, so many were paid before this demo began, and so many more are due.
const PAID: u64 = 50;
const DUE: u64 = 30;
/// Days that the paid ones, the due ones and the upcoming ones reach.
const HISTORY: u64 = 340;
const RECENT: u64 = 20;
const AHEAD: u64 = 45;
/// The number of the first order.
const FIRST_ORDER: u64 = 10_293;

const GOODS: [&str; 12] = [
    "Trail running shoes",
    "Two-person tent",
    "Rain jacket",
    "Down sleeping bag",
    "Trekking poles",
    "Hiking boots",
    "Camping stove",
    "Backpack 45 l",
    "Headlamp",
    "Climbing harness",
    "Merino base layer",
    "Water filter",
];

/// What the awkward affiliates are owed: whose, how much in the smallest unit, the currency, the day.
const FIXED: [(usize, i64, Currency, i32); 19] = [
    (kind::NO_ADDRESS, 14_640, Currency::USD, -12),
    (kind::NO_ADDRESS, 8_810, Currency::USD, -3),
    (kind::UNREGISTERED, 21_275, Currency::USD, -9),
    (kind::ON_HOLD, 18_400, Currency::JPY, -6),
    (kind::FAILS, 9_620, Currency::USD, -15),
    (kind::REFUNDED, 7_350, Currency::EUR, -4),
    (kind::BLOCKED, 13_180, Currency::USD, -8),
    (kind::TINY, 120, Currency::USD, -2),
    (kind::CHANGED, 16_445, Currency::EUR, -10),
    (kind::CHANGED, 5_990, Currency::EUR, 9),
    (kind::SHARED, 6_425, Currency::USD, -5),
    (kind::SHARED_TOO, 11_260, Currency::USD, -5),
    (kind::TOO_LONG, 8_275, Currency::EUR, -7),
    (kind::NOT_ASCII, 10_530, Currency::EUR, -11),
    (kind::NOT_ASCII, 4_780, Currency::USD, 14),
    (kind::REVERSED, 15_725, Currency::USD, -5),
    (kind::RETURNED, 6_890, Currency::EUR, -6),
    (kind::PENDING, 24_990, Currency::USD, -3),
    (kind::CLAIMS_LATER, 12_040, Currency::EUR, -4),
];

/// So many commissions, in the order in which they were earned, the awkward ones first.
pub fn example(size: Size) -> impl Iterator<Item = Commission> {
    let affiliates = size.affiliates as usize;
    let fixed =
        FIXED.iter().filter(move |line| line.0 < affiliates).map(|(affiliate, units, currency, due)| Commission {
            affiliate: *affiliate,
            amount: money(*units, *currency),
            due: *due,
            paid: None,
            reference: String::new(),
            note: String::new(),
        });
    let ordinary = affiliates.saturating_sub(kind::AWKWARD);
    let count = u64::from(size.commissions);
    let all = fixed.chain((0..count).map(move |number| earned(number, count, ordinary)));
    let numbered = all.zip(0_u64..).map(|(commission, number)| Commission {
        reference: format!("ORDER-{}", FIRST_ORDER + number),
        note: GOODS[pick(mix(number ^ 0x5eed), GOODS.len())].to_owned(),
        ..commission
    });
    numbered.take(size.commissions as usize)
}

fn earned(number: u64, count: u64, ordinary: usize) -> Commission {
    let chance = mix(number);
    // The smaller of two draws: some affiliates sell much, most of them little.
    let affiliate = match ordinary {
        0 => 0,
        many => kind::AWKWARD + pick(chance >> 32, many).min(pick(chance & 0xffff_ffff, many)),
    };
    let place = number * 100 / count;
    let within =
        |from: u64, share: u64, days: u64| (number * 100 - from * count).min(share * count) * days / (share * count);
    let days = |days: u64| i32::try_from(days).expect("a year of days");
    let (due, paid) = if place < PAID {
        let due = -days(HISTORY + RECENT + 1 - within(0, PAID, HISTORY));
        (due, Some(due + days(chance % 15)))
    } else if place < PAID + DUE {
        (-days(RECENT - within(PAID, DUE, RECENT)), None)
    } else {
        (1 + days(within(PAID + DUE, 100 - PAID - DUE, AHEAD)), None)
    };
    let currency = currency(affiliate as u64, number);
    let cents = 350 + mix(chance) % 9_400 + if number.is_multiple_of(29) { 38_000 } else { 0 };
    let units = if currency == Currency::JPY { cents / 10 * 15 } else { cents };
    let amount = money(i64::try_from(units).expect("a commission is small"), currency);
    Commission { affiliate, amount, due, paid, reference: String::new(), note: String::new() }
}

/// Most affiliates earn in one currency, a few in two.
fn currency(affiliate: u64, number: u64) -> Currency {
    match mix(affiliate) % 10 {
        0..=4 => Currency::USD,
        5 if number.is_multiple_of(2) => Currency::USD,
        5..=8 => Currency::EUR,
        _ => Currency::JPY,
    }
}

fn money(units: i64, currency: Currency) -> Money {
    Money::new(Decimal::new(units, currency.scale()), currency).expect("the example's amounts can be paid")
}

/// One of so many.
fn pick(chance: u64, many: usize) -> usize {
    usize::try_from(chance % many as u64).expect("it is below a usize")
}

/// Spreads neighbouring numbers over all of them (SplitMix64).
fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, HashSet};

    #[test]
    fn there_is_some_of_everything_and_the_same_at_every_start() {
        let size = Size { affiliates: 48, commissions: 420 };
        let all: Vec<_> = example(size).collect();
        assert_eq!(all, example(size).collect::<Vec<_>>());
        assert_eq!(all.len(), 420);
        let references: HashSet<_> = all.iter().map(|one| one.reference.as_str()).collect();
        assert_eq!(references.len(), 420);
        let mut currencies = BTreeMap::new();
        for one in all.iter().filter(|one| one.paid.is_none() && one.due <= 0) {
            *currencies.entry(one.amount.currency()).or_insert(0) += 1;
        }
        assert!(currencies.len() == 3 && currencies.values().all(|count| *count > 5), "{currencies:?}");
        assert!(all.iter().all(|one| one.paid.is_none_or(|paid| paid >= one.due && paid < 0)));
        assert!(all.iter().any(|one| one.due > 0) && all.iter().any(|one| one.paid.is_some()));
    }

    #[test]
    fn any_number_of_them_can_be_made() {
        for (affiliates, commissions) in [(1, 0), (1, 1), (1, 50), (5, 3), (13, 7), (48, 100)] {
            let all: Vec<_> = example(Size { affiliates, commissions }).collect();
            assert_eq!(all.len(), commissions as usize, "{affiliates} {commissions}");
            assert!(all.iter().all(|one| one.affiliate < affiliates as usize));
        }
    }
}
