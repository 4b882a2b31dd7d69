//! The rules in words, made in this one place. Pure.

use super::{Amounts, Rules};
use crate::money::{Currency, for_people};
use rust_decimal::Decimal;

/// What the rules come to: "Every affiliate with at least USD 20 is paid for commissions older than 30 days, after
/// approval by a second person above USD 1,000.", and what else holds.
pub fn sentences(rules: &Rules) -> Vec<String> {
    let who = match joined(rules, "or", |of| of.minimum) {
        Some(amounts) => format!("Every affiliate with at least {amounts}"),
        None => "Every affiliate".to_owned(),
    };
    let what = match rules.waiting_days {
        0 => "is paid for commissions as soon as they are due".to_owned(),
        1 => "is paid for commissions older than 1 day".to_owned(),
        days => format!("is paid for commissions older than {days} days"),
    };
    let approval = match joined(rules, "or", |of| of.approval_above.filter(|above| !above.is_zero())) {
        Some(amounts) => format!(", after approval by a second person above {amounts}"),
        None => String::new(),
    };
    let mut all = vec![format!("{who} {what}{approval}.")];
    let always = rules.amounts.iter().filter(|(_, of)| of.approval_above.is_some_and(|above| above.is_zero()));
    let always: Vec<String> = always.map(|(currency, _)| currency.to_string()).collect();
    if !always.is_empty() {
        all.push(format!("Every payment in {} is approved by a second person.", list(&always, "and")));
    }
    if let Some(amounts) = joined(rules, "and", |of| of.per_payment) {
        all.push(format!("One payment comes to at most {amounts}."));
    }
    if let Some(amounts) = joined(rules, "and", |of| of.per_day) {
        all.push(format!("The payments of one day come to at most {amounts}."));
    }
    all.push(match rules.hold_days {
        0 => "A changed PayPal address is paid to at once.".to_owned(),
        1 => "Nobody is paid for 1 day after their PayPal address has changed.".to_owned(),
        days => format!("Nobody is paid for {days} days after their PayPal address has changed."),
    });
    all
}

/// "USD 20 or EUR 25", of the currencies that have such an amount.
fn joined(rules: &Rules, word: &str, amount: impl Fn(&Amounts) -> Option<Decimal>) -> Option<String> {
    let amounts: Vec<String> =
        rules.amounts.iter().filter_map(|(currency, of)| Some(plain(amount(of)?, *currency))).collect();
    (!amounts.is_empty()).then(|| list(&amounts, word))
}

/// "a, b and c"
fn list(parts: &[String], word: &str) -> String {
    match parts {
        [most @ .., last] if !most.is_empty() => format!("{} {word} {last}", most.join(", ")),
        _ => parts.concat(),
    }
}

/// "USD 1,000", and "USD 0.50" where there are cents.
fn plain(amount: Decimal, currency: Currency) -> String {
    let words = for_people(amount, currency);
    format!("{currency} {}", words.strip_suffix(".00").unwrap_or(&words))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(amounts: &[(Currency, Amounts)], waiting_days: i32, hold_days: i32) -> Rules {
        Rules { waiting_days, hold_days, time_zone: "UTC".into(), amounts: amounts.iter().copied().collect() }
    }

    #[test]
    fn the_rules_read_as_people_would_say_them() {
        let usd = Amounts {
            minimum: Some(Decimal::from(20)),
            approval_above: Some(Decimal::from(1000)),
            ..Amounts::default()
        };
        let all = sentences(&rules(&[(Currency::USD, usd)], 30, 3));
        assert_eq!(
            all,
            [
                "Every affiliate with at least USD 20 is paid for commissions older than 30 days, after approval by a \
                second person above USD 1,000.",
                "Nobody is paid for 3 days after their PayPal address has changed.",
            ]
        );
    }

    #[test]
    fn without_rules_everybody_is_paid_at_once() {
        let all = sentences(&rules(&[], 0, 0));
        let said = [
            "Every affiliate is paid for commissions as soon as they are due.",
            "A changed PayPal address is paid to at once.",
        ];
        assert_eq!(all, said);
    }

    #[test]
    fn each_currency_has_its_own_amounts() {
        let of = |minimum: &str, above: i64| Amounts {
            minimum: Some(minimum.parse().unwrap()),
            per_day: Some(Decimal::from(5000)),
            approval_above: Some(Decimal::from(above)),
            ..Amounts::default()
        };
        let all = sentences(&rules(&[(Currency::USD, of("0.50", 0)), (Currency::JPY, of("3000", 70_000))], 1, 1));
        assert_eq!(
            all[0],
            "Every affiliate with at least JPY 3,000 or USD 0.50 is paid for commissions older than 1 day, after approval \
            by a second person above JPY 70,000."
        );
        assert_eq!(all[1], "Every payment in USD is approved by a second person.");
        assert_eq!(all[2], "The payments of one day come to at most JPY 5,000 and USD 5,000.");
    }
}
