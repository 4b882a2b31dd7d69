//! `stipend legacy history`: a file with one payment a line that was made through PayPal's old Mass Pay service.

use super::import::{key_of, merchants};
use super::lines::Lines;
use super::{Reported, Unusable};
use crate::audit::Actor;
use crate::clock::Clock;
use crate::connection::legacy;
use crate::database::Database;
use crate::id::MerchantId;
use crate::money::{Currency, Money, plain};
use crate::payout::masspay::{End, NotTaken, Past, Taken, bring_in};
use anyhow::Context;
use std::collections::hash_map::Entry;
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

/// PayPal's first.
pub(super) const FIRST_YEAR: i32 = 1998;

/// Lines that are used in one go.
const PORTION: usize = 500;

/// How a payment ended, by the words of Mass Pay's own notifications and reports.
fn end_of(word: &str) -> Option<End> {
    Some(match word.trim().to_lowercase().as_str() {
        "completed" | "complete" | "success" | "paid" => End::Arrived,
        "failed" | "returned" | "denied" | "canceled" | "cancelled" => End::NotPaid,
        "" | "unknown" | "created" | "pending" | "processing" | "processed" | "unclaimed" | "held" | "onhold"
        | "on hold" | "blocked" | "refunded" | "reversed" => End::Unknown,
        _ => return None,
    })
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
    let mut refused: Vec<(u64, String)> = Vec::new();
    while let Some((number, line)) = lines.next().context("the file could not be read to its end")? {
        let read = line.map_err(str::to_owned).and_then(|cells| {
            let read = places.read(&cells, &merchants, clock.now().date());
            read.map_err(|(column, problem)| format!("{column}: {problem}"))
        });
        match read {
            Err(problem) => refused.push((number, problem)),
            Ok(payment) => match seen.entry(payment) {
                Entry::Vacant(free) => {
                    free.insert(number);
                }
                Entry::Occupied(first) => refused.push((
                    number,
                    format!("the same as line {}; if it is another payment, give both a {TRANSACTION}", first.get()),
                )),
            },
        }
    }
    // What was paid first is settled first, in whatever order the file tells it.
    let mut payments: BTreeMap<MerchantId, Vec<(Date, u64, Past)>> = BTreeMap::new();
    for ((merchant, past), number) in seen {
        payments.entry(merchant).or_default().push((past.on, number, past));
    }
    for (merchant, mut of_merchant) in payments {
        // What was not paid is only compared with what is here, so it comes last.
        of_merchant.sort_by_key(|(on, number, past)| (past.end == End::NotPaid, *on, *number));
        for portion in of_merchant.chunks(PORTION) {
            let (numbers, payments): (Vec<u64>, Vec<Past>) =
                portion.iter().map(|(_, number, past)| (*number, past.clone())).unzip();
            match use_lines(database, clock, merchant, (numbers, payments), reported).await {
                Ok(more) => refused.extend(more),
                Err(error) => {
                    tell(refused, reported);
                    return Err(error);
                }
            }
        }
    }
    tell(refused, reported);
    Ok(Ok(()))
}

fn tell(mut refused: Vec<(u64, String)>, reported: &mut Reported<'_>) {
    refused.sort();
    refused.iter().for_each(|(number, problem)| reported.broken(*number, problem));
}

/// Where each column stands.
struct Places {
    of: [usize; COLUMNS.len()],
    transaction: Option<usize>,
    reference: Option<usize>,
}

type Problem = (&'static str, &'static str);

impl Places {
    /// One line.
    fn read(
        &self,
        cells: &[String],
        merchants: &HashMap<String, MerchantId>,
        today: Date,
    ) -> Result<(MerchantId, Past), Problem> {
        let [merchant, email, amount, currency, date, state] = self.of.map(|column| cells[column].trim());
        let known = merchants.get(&key_of(merchant)).copied();
        let merchant = known.ok_or((
            "merchant",
            match merchant {
                "" => "it is empty; write the merchant’s name as Stipend shows it",
                _ => "there is no merchant of this name here; correct it",
            },
        ))?;
        let end = end_of(state).ok_or((
            "state",
            "write completed if the affiliate has the money, failed if not, or unknown; PayPal’s own words are known too",
        ))?;
        let currency: Currency = currency.parse().map_err(|_| ("currency", "PayPal does not pay out this currency"))?;
        let amount = plain(amount).ok_or(("amount", "write it with a point, as in 1234.50"))?;
        let amount = Money::new(amount, currency).map_err(|_| {
            ("amount", "write what was paid: more than zero, with no more decimals than the currency has")
        })?;
        let on = Date::parse(date, &Iso8601::DATE).ok().ok_or(("date", "write the day as in 2026-01-31"))?;
        if on.year() < FIRST_YEAR {
            return Err(("date", "PayPal did not exist on this day; correct it"));
        }
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
            end,
        };
        Ok((merchant, past))
    }
}

/// Uses lines of one merchant, with their numbers. Those that cannot be used come back with what to do.
async fn use_lines(
    database: &Database,
    clock: &Clock,
    merchant: MerchantId,
    (numbers, payments): (Vec<u64>, Vec<Past>),
    reported: &mut Reported<'_>,
) -> anyhow::Result<Vec<(u64, String)>> {
    let mut tx = database.merchant(merchant).await?;
    let Some(environment) = legacy::environment(&mut tx).await? else {
        let problem = "merchant: it has no PayPal connection here, so it is not known whether this was real money; bring \
                       its legacy connection in first with: stipend legacy import";
        return Ok(numbers.into_iter().map(|number| (number, problem.to_owned())).collect());
    };
    let actor = Actor { person: None, address: None, at: clock.now() };
    let elsewhere = of_others(database, merchant, &payments).await?;
    let is_elsewhere = |past: &Past| past.transaction.as_ref().is_some_and(|one| elsewhere.contains(one));
    let (others, ours): (Vec<_>, Vec<_>) = numbers.into_iter().zip(payments).partition(|(_, past)| is_elsewhere(past));
    let mut refused: Vec<(u64, String)> =
        others.into_iter().map(|(number, _)| (number, NotTaken::OtherPayment.to_string())).collect();
    let (numbers, payments): (Vec<u64>, Vec<Past>) = ours.into_iter().unzip();
    let outcomes = bring_in(&mut tx, &actor, environment, &payments).await?;
    tx.commit().await?;
    for (number, outcome) in numbers.into_iter().zip(outcomes) {
        match outcome {
            Ok(Taken::Paid) => reported.count("marked as paid"),
            Ok(Taken::Waits) => reported.count("waiting under Needs attention"),
            Ok(Taken::Known) => reported.count("here already"),
            Ok(Taken::NotPaid) => reported.count("not paid, so due as before"),
            Err(why) => refused.push((number, why.to_string())),
        }
    }
    Ok(refused)
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
