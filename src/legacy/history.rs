//! `stipend legacy history`: a file with one payment a line that was made through PayPal's old Mass Pay service.

use super::import::{key_of, merchants};
use super::lines::Lines;
use super::{Reported, Unusable};
use crate::audit::Actor;
use crate::clock::Clock;
use crate::connection::legacy;
use crate::database::Database;
use crate::id::MerchantId;
use crate::money::{Currency, Money};
use crate::payout::masspay::{NotTaken, Past, Taken, bring_in};
use anyhow::Context;
use rust_decimal::Decimal;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::Read;
use time::Date;
use time::format_description::well_known::Iso8601;

/// The columns that a file must have.
pub const COLUMNS: [&str; 6] = ["merchant", "email", "amount", "currency", "date", "state"];
/// It may name PayPal's transaction, too …
pub const TRANSACTION: &str = "transaction_id";
/// … and our references of the commissions that were paid, with this between them.
pub const REFERENCE: &str = "reference";
const BETWEEN: char = '|';

/// Lines that are used in one go.
const PORTION: usize = 500;

/// How a payment ended, by the words of Mass Pay's own notifications and reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The affiliate has the money.
    Arrived,
    /// The merchant has it; what it was for is due.
    NotPaid,
    /// Neither is certain, or somebody has to say what follows.
    Unknown,
}

impl End {
    fn of(word: &str) -> Option<Self> {
        Some(match word.trim().to_lowercase().as_str() {
            "completed" | "complete" | "success" | "paid" => End::Arrived,
            "failed" | "returned" | "denied" | "canceled" | "cancelled" => End::NotPaid,
            "" | "unknown" | "created" | "pending" | "processing" | "processed" | "unclaimed" | "held" | "onhold"
            | "on hold" | "blocked" | "refunded" | "reversed" => End::Unknown,
            _ => return None,
        })
    }
}

/// Reads the file and brings in what fits what is owed.
pub async fn history(
    database: &Database,
    clock: &Clock,
    file: impl Read + Send + 'static,
    reported: &mut Reported<'_>,
) -> anyhow::Result<Result<(), Unusable>> {
    let mut lines = match Lines::open(file, &COLUMNS) {
        Ok(lines) => lines,
        Err(unusable) => return Ok(Err(unusable)),
    };
    let places = Places {
        of: COLUMNS.map(|name| lines.column(name).expect("the file has its columns")),
        transaction: lines.column(TRANSACTION),
        reference: lines.column(REFERENCE),
    };
    let merchants = merchants(database).await?;
    let mut seen: HashMap<(MerchantId, Past), u64> = HashMap::new();
    let mut waiting: BTreeMap<MerchantId, Vec<(u64, Past)>> = BTreeMap::new();
    let mut many = 0;
    while let Some((number, line)) = lines.next().context("the file could not be read to its end")? {
        let cells = match line {
            Ok(cells) => cells,
            Err(problem) => {
                reported.broken(number, problem);
                continue;
            }
        };
        match places.read(&cells, &merchants, clock.now().date()) {
            Err((column, problem)) => reported.broken_at(number, column, problem),
            Ok(None) => reported.count("not paid, so due as before"),
            Ok(Some((merchant, past))) => {
                if let Some(first) = seen.insert((merchant, past.clone()), number) {
                    let problem =
                        format!("the same as line {first}; if it is another payment, give both a {TRANSACTION}");
                    reported.broken(number, &problem);
                    continue;
                }
                waiting.entry(merchant).or_default().push((number, past));
                many += 1;
            }
        }
        if many >= PORTION {
            use_lines(database, clock, std::mem::take(&mut waiting), reported).await?;
            many = 0;
        }
    }
    use_lines(database, clock, waiting, reported).await?;
    Ok(Ok(()))
}

/// Where each column stands.
struct Places {
    of: [usize; COLUMNS.len()],
    transaction: Option<usize>,
    reference: Option<usize>,
}

type Problem = (&'static str, &'static str);

impl Places {
    /// One line: nothing where nothing was paid.
    fn read(
        &self,
        cells: &[String],
        merchants: &HashMap<String, MerchantId>,
        today: Date,
    ) -> Result<Option<(MerchantId, Past)>, Problem> {
        let [merchant, email, amount, currency, date, state] = self.of.map(|column| cells[column].trim());
        let merchant = merchants.get(&key_of(merchant)).copied();
        let merchant = merchant.ok_or(("merchant", "there is no merchant of this name here; correct it"))?;
        let end = End::of(state).ok_or((
            "state",
            "write completed if the affiliate has the money, failed if not, or unknown; PayPal’s own words are known too",
        ))?;
        if end == End::NotPaid {
            return Ok(None);
        }
        let currency: Currency = currency.parse().map_err(|_| ("currency", "PayPal does not pay out this currency"))?;
        let amount: Decimal = amount.parse().map_err(|_| ("amount", "write it with a point, as in 1234.50"))?;
        let amount = Money::new(amount, currency)
            .map_err(|_| ("amount", "this is no amount that can be paid in this currency"))?;
        let on = Date::parse(date, &Iso8601::DATE).ok().filter(|day| (1998..=9999).contains(&day.year()));
        let on = on.ok_or(("date", "write the day as in 2026-01-31"))?;
        if Some(on) > today.next_day() {
            return Err(("date", "this day is yet to come"));
        }
        let optional = |column: Option<usize>| column.map_or("", |column| cells[column].trim());
        let transaction = optional(self.transaction);
        if transaction.len() > 64 || !transaction.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err((TRANSACTION, "this is no transaction id of PayPal’s"));
        }
        let references = optional(self.reference).split(BETWEEN).map(str::trim).filter(|one| !one.is_empty());
        let mut references: Vec<String> = references.map(str::to_owned).collect();
        references.sort();
        references.dedup();
        let past = Past {
            email: email.to_owned(),
            amount,
            on,
            transaction: (!transaction.is_empty()).then(|| transaction.to_owned()),
            references,
            arrived: end == End::Arrived,
        };
        Ok(Some((merchant, past)))
    }
}

async fn use_lines(
    database: &Database,
    clock: &Clock,
    waiting: BTreeMap<MerchantId, Vec<(u64, Past)>>,
    reported: &mut Reported<'_>,
) -> anyhow::Result<()> {
    let mut refused: Vec<(u64, String)> = Vec::new();
    for (merchant, lines) in waiting {
        let (numbers, payments): (Vec<u64>, Vec<Past>) = lines.into_iter().unzip();
        let mut tx = database.merchant(merchant).await?;
        let Some(environment) = legacy::environment(&mut tx).await? else {
            let problem =
                "merchant: it never had a legacy connection here; bring that in first with: stipend legacy import";
            refused.extend(numbers.into_iter().map(|number| (number, problem.to_owned())));
            continue;
        };
        let actor = Actor { person: None, address: None, at: clock.now() };
        let elsewhere = of_others(database, merchant, &payments).await?;
        let is_elsewhere = |past: &Past| past.transaction.as_ref().is_some_and(|one| elsewhere.contains(one));
        let (numbers, payments): (Vec<u64>, Vec<Past>) = numbers
            .into_iter()
            .zip(payments)
            .filter_map(|(number, past)| {
                if is_elsewhere(&past) {
                    refused.push((number, words(NotTaken::OtherPayment)));
                    return None;
                }
                Some((number, past))
            })
            .unzip();
        let outcomes = bring_in(&mut tx, &actor, environment, &payments).await?;
        tx.commit().await?;
        for (number, outcome) in numbers.into_iter().zip(outcomes) {
            match outcome {
                Ok(Taken::Paid) => reported.count("marked as paid"),
                Ok(Taken::Waits) => reported.count("waiting under Needs attention"),
                Ok(Taken::Known) => reported.count("here already"),
                Err(why) => refused.push((number, words(why))),
            }
        }
    }
    refused.sort();
    refused.iter().for_each(|(number, problem)| reported.broken(*number, problem));
    Ok(())
}

/// Transactions of these payments that another merchant's payments have: PayPal gives each to one.
async fn of_others(database: &Database, merchant: MerchantId, payments: &[Past]) -> sqlx::Result<HashSet<String>> {
    let named: Vec<String> = payments.iter().filter_map(|past| past.transaction.clone()).collect();
    let mut tx = database.installation().await?;
    let found = sqlx::query_scalar!(
        r#"
        select transaction_id as "transaction!"
        from payout_items
        where transaction_id = any($1) and merchant_id <> $2
        "#,
        &named,
        merchant.0
    );
    Ok(found.fetch_all(&mut *tx).await?.into_iter().collect())
}

fn words(why: NotTaken) -> String {
    let column = match why {
        NotTaken::NoAffiliate => "email",
        NotTaken::NoCommissions => "amount",
        NotTaken::OtherPayment => TRANSACTION,
        NotTaken::EnvironmentFixed => "merchant",
    };
    format!("{column}: {why}")
}
