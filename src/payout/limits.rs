//! How much may be paid at once and on one day, and from which amount on a second person must approve. Judged on the
//! review, and again under the merchant's lock by whoever drafts or approves: of two payments at once the second finds
//! the first one counted.

use super::draft::{Ask, DraftError, Ground, Release};
use crate::database::Tx;
use crate::money::{Currency, Money, for_people};
use crate::rules::{self, Rules};
use rust_decimal::Decimal;
use std::collections::BTreeMap;
use time::Date;

/// What the rules say of a payment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Why it cannot be made, a sentence each.
    pub refusals: Vec<String>,
    /// A second person must approve it.
    pub needs_approval: bool,
}

/// Judges a payment of these amounts (several of one currency are added) on a day on which so much was paid already.
pub fn judge(rules: &Rules, amounts: &[Money], paid: &[(Currency, Decimal)]) -> Verdict {
    let mut sums: BTreeMap<Currency, Decimal> = BTreeMap::new();
    for amount in amounts {
        *sums.entry(amount.currency()).or_default() += amount.amount();
    }
    let mut verdict = Verdict::default();
    for (currency, sum) in sums {
        let of = rules.of(currency);
        let words = |amount: Decimal| format!("{currency} {}", for_people(amount, currency));
        if let Some(most) = of.per_payment.filter(|most| sum > *most) {
            let refusal = "One payment comes to at most";
            verdict.refusals.push(format!("{refusal} {}, and this one comes to {}.", words(most), words(sum)));
        }
        let before = paid.iter().find(|(of, _)| *of == currency).map_or(Decimal::ZERO, |(_, amount)| *amount);
        if let Some(most) = of.per_day.filter(|most| before + sum > *most) {
            let left = (most - before).max(Decimal::ZERO);
            let refusal = "The payments of one day come to at most";
            verdict.refusals.push(match before.is_zero() {
                true => format!("{refusal} {}, and this one comes to {}.", words(most), words(sum)),
                false => format!("{refusal} {}; {} of it is left today.", words(most), words(left)),
            });
        }
        verdict.needs_approval |= of.approval_above.is_some_and(|above| sum > above);
    }
    verdict
}

/// What payments of this day come to, but for those that were taken back or refused.
pub async fn paid_on(tx: &mut Tx, day: Date) -> sqlx::Result<Vec<(Currency, Decimal)>> {
    let merchant = tx.merchant();
    let rows = sqlx::query!(
        r#"
        select b.currency as "currency: Currency", sum(b.total) as "amount!"
        from payout_requests r
        join payout_batches b on b.merchant_id = r.merchant_id and b.request_id = r.id
        where r.merchant_id = $1 and r.counts_on = $2 and b.state not in ('cancelled', 'refused')
        group by b.currency
        "#,
        merchant.0,
        day
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows.into_iter().map(|row| (row.currency, row.amount)).collect())
}

/// The payment that is being drafted keeps the rules. One that waits for approval counts for the day of its approval.
pub(super) async fn ensure(tx: &mut Tx, ask: &Ask, ground: &Ground, sums: &[Money]) -> Result<(), DraftError> {
    if !ask.how.moves_money() {
        return Ok(());
    }
    let rules = rules::load(tx).await?;
    let paid = match ground.release {
        Release::Now => paid_on(tx, ground.today).await?,
        Release::OnceApproved => Vec::new(),
    };
    let verdict = judge(&rules, sums, &paid);
    if !verdict.refusals.is_empty() {
        return Err(DraftError::OverLimit(verdict.refusals));
    }
    if verdict.needs_approval && ground.release == Release::Now {
        return Err(DraftError::NeedsApproval);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::Amounts;

    fn usd(amount: i64) -> Money {
        Money::new(Decimal::from(amount), Currency::USD).unwrap()
    }

    fn rules() -> Rules {
        let amounts = Amounts {
            per_payment: Some(Decimal::from(500)),
            per_day: Some(Decimal::from(800)),
            approval_above: Some(Decimal::from(100)),
            ..Amounts::default()
        };
        Rules { waiting_days: 0, hold_days: 0, time_zone: "UTC".into(), amounts: [(Currency::USD, amounts)].into() }
    }

    #[test]
    fn amounts_of_one_currency_are_one_payment() {
        assert_eq!(judge(&rules(), &[usd(50), usd(50)], &[]), Verdict::default());
        assert!(judge(&rules(), &[usd(50), usd(51)], &[]).needs_approval);
        let over = judge(&rules(), &[usd(300), usd(201)], &[]).refusals;
        assert_eq!(over, ["One payment comes to at most USD 500.00, and this one comes to USD 501.00."]);
        let eur = Money::new(Decimal::from(9000), Currency::EUR).unwrap();
        assert_eq!(judge(&rules(), &[eur, usd(100)], &[]), Verdict::default(), "no rule for this currency");
    }

    #[test]
    fn a_day_is_used_up() {
        let paid = [(Currency::USD, Decimal::from(700))];
        assert_eq!(judge(&rules(), &[usd(100)], &paid), Verdict::default());
        let over = judge(&rules(), &[usd(101)], &paid).refusals;
        assert_eq!(over, ["The payments of one day come to at most USD 800.00; USD 100.00 of it is left today."]);
    }
}
