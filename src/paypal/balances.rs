//! What the account has: `GET /v1/reporting/balances` (PayPal's Transaction Search API). It needs a scope that few apps
//! have, and may lag hours behind.

use super::{Client, Credentials, ReadError, read_json};
use reqwest::Method;
use rust_decimal::Decimal;
use serde::Deserialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// What the account has in one currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Funds {
    /// PayPal's code; also of currencies that it does not pay out.
    pub currency: String,
    /// `available_balance`: what may be spent; can be negative.
    pub available: Decimal,
}

impl Client {
    /// Everything the account has, and as of when. Refused where the app may not know.
    pub async fn balances(&self, credentials: &Credentials) -> Result<(Vec<Funds>, Option<OffsetDateTime>), ReadError> {
        let body = self.read(credentials, Method::GET, "/v1/reporting/balances", None).await?;
        parse(&body).map_err(|error| ReadError::Failed(format!("PayPal's answer is no list of balances: {error}")))
    }
}

fn parse(body: &[u8]) -> serde_json::Result<(Vec<Funds>, Option<OffsetDateTime>)> {
    #[derive(Deserialize)]
    struct Answer {
        balances: Vec<Balance>,
        as_of_time: Option<String>,
    }
    #[derive(Deserialize)]
    struct Balance {
        available_balance: Option<Amount>,
    }
    #[derive(Deserialize)]
    struct Amount {
        currency_code: String,
        value: Decimal,
    }
    let answer: Answer = read_json(body)?;
    let funds = answer.balances.into_iter().filter_map(|balance| {
        balance.available_balance.map(|amount| Funds { currency: amount.currency_code, available: amount.value })
    });
    let as_of = answer.as_of_time.and_then(|text| OffsetDateTime::parse(&text, &Rfc3339).ok());
    Ok((funds.collect(), as_of))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_told_is_not_assumed() {
        let (funds, as_of) = parse(
            br#"{"balances":[{"currency":"USD","primary":true,
                "total_balance":{"currency_code":"USD","value":"12.00"},
                "available_balance":{"currency_code":"USD","value":"10.50"}},
                {"currency":"EUR","total_balance":{"currency_code":"EUR","value":"7.00"}}],
                "account_id":"A","as_of_time":"2026-01-02T03:04:05Z"}"#,
        )
        .unwrap();
        assert_eq!(funds, [Funds { currency: "USD".into(), available: Decimal::new(1050, 2) }]);
        assert_eq!(as_of.unwrap().unix_timestamp(), 1_767_323_045);
        assert!(parse(b"{}").is_err());
    }
}
