//! What a payment comes to, and what PayPal says there is for it, with its age.

use super::Signed;
use super::when::when;
use crate::app::App;
use crate::connection::balance::{self, Told};
use crate::money::{Money, for_people};
use crate::payout::review::Review;
use rust_decimal::Decimal;
use std::time::Duration;

/// A page waits so long for PayPal; what comes later is on the next page.
const PATIENCE: Duration = Duration::from_millis(500);

/// Currencies that are listed where there are many.
const MANY: usize = 3;

/// A payment in one currency.
pub(super) struct Sum {
    pub(super) affiliates: i64,
    pub(super) commissions: i64,
    pub(super) amount: Money,
    fee: Decimal,
}

impl Sum {
    /// "USD 12.40"
    pub(super) fn fee(&self) -> String {
        let currency = self.amount.currency();
        format!("{currency} {}", for_people(self.fee, currency))
    }

    /// A warning where the payment and its fee are above what PayPal last told.
    pub(super) fn shortage(&self, told: &Told) -> Option<String> {
        let currency = self.amount.currency();
        let short = self.amount.amount() + self.fee - told.available(currency)?;
        (short > Decimal::ZERO).then(|| {
            let short = for_people(short, currency);
            format!(
                "Your PayPal balance was {currency} {short} short of this payment and its fee. Add money at PayPal or \
                 take payments out: PayPal refuses what the balance does not cover."
            )
        })
    }
}

/// Sums per currency.
pub(super) fn sums(review: &Review) -> Vec<Sum> {
    let totals = review.totals.iter();
    totals
        .map(|total| Sum {
            affiliates: total.affiliates,
            commissions: total.commissions,
            amount: total.amount,
            fee: total.fee,
        })
        .collect()
}

/// Asks PayPal for the balance if the last answer is old. To be called before a transaction is open.
pub(super) async fn ask(app: &App, signed: &Signed) {
    let asking = tokio::spawn({
        let (app, merchant) = (app.clone(), signed.merchant);
        async move {
            if let Err(error) = balance::refresh(&app, merchant).await {
                tracing::warn!("the balance could not be kept: {error:#}");
            }
        }
    });
    let _comes_later_if_it_is_late = tokio::time::timeout(PATIENCE, asking).await;
}

/// "USD 5,020.11, EUR 12.00 as of 12 Jan 2026, 10:02": in the currencies of a payment, or in all that there are.
pub(super) fn words(told: &Told, of: Option<&[Sum]>, zone: &str) -> String {
    let (funds, as_of) = match told {
        Told::NotYet => return "PayPal has not told it yet.".into(),
        Told::Withheld => return "PayPal does not tell us your balance.".into(),
        Told::Funds(funds, as_of) => (funds, when(*as_of, zone).minute),
    };
    let wanted = funds.iter().filter(|(currency, available)| match of {
        Some(sums) => sums.iter().any(|sum| sum.amount.currency() == *currency),
        None => !available.is_zero(),
    });
    let amounts = wanted.map(|(currency, funds)| format!("{currency} {}", for_people(*funds, *currency)));
    match amounts.collect::<Vec<_>>().as_slice() {
        [] => format!("PayPal lists none, as of {as_of}."),
        amounts if of.is_none() && amounts.len() > MANY + 1 => {
            let rest = amounts.len() - MANY;
            format!("{} and {rest} more currencies, as of {as_of}", amounts[..MANY].join(", "))
        }
        amounts => format!("{} as of {as_of}", amounts.join(", ")),
    }
}
