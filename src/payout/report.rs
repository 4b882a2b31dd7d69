//! PayPal's activity report, read for what it says about items of ours. Pure, and tolerant of its forms: the download of
//! the Activity page, transaction and settlement reports, and the reports of large batches.
//!
//! A line is about an item only if one of its cells is our own id of that item. It shows a payment only if its amount,
//! currency and address are the item's too and PayPal calls it completed. Nothing is concluded from likeness.

use super::restoration::unknown::Payment;
use crate::money::Currency;
use rust_decimal::Decimal;
use std::collections::HashMap;

/// The largest report that is taken.
pub const LARGEST: usize = 16 * 1024 * 1024;
/// Lines before the names of the columns: settlement reports begin with some of their own.
const PREAMBLE: usize = 20;
/// Of fees, and of the hold that PayPal puts on a batch's money: they say nothing about a payment.
const BESIDE: [&str; 3] = ["T0104", "T1105", "T1503"];
/// A payment sent.
const SENT: &str = "T0001";

/// An item to be looked for.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Our id of it at PayPal.
    pub name: String,
    /// Where its money goes.
    pub receiver: String,
    /// How much.
    pub amount: Decimal,
    /// In which currency.
    pub currency: Currency,
}

/// What one line says about one item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Which of those wanted.
    pub item: usize,
    /// The line in the file.
    pub line: u64,
    /// It shows a finished payment of just this item.
    pub paid: bool,
    /// In words.
    pub says: String,
    /// PayPal's transaction.
    pub transaction: Option<String>,
}

/// What a report says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// Lines about our items.
    pub findings: Vec<Finding>,
    /// Lines in all.
    pub lines: u64,
    /// Lines of the same address and amount as an item, without our id. They prove nothing.
    pub alike: u64,
}

/// Why a file is no such report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoReport;

/// The columns that we read; each may be missing but the first two.
struct Columns {
    transaction: usize,
    amount: usize,
    /// In the currency's smallest unit, as settlement reports have it.
    in_units: bool,
    currency: Option<usize>,
    status: Option<usize>,
    code: Option<usize>,
    receiver: Option<usize>,
    /// What kind of movement it is, in words.
    kind: Option<usize>,
}

impl Columns {
    fn of(header: &csv::StringRecord) -> Option<Self> {
        let names: Vec<String> =
            header.iter().map(|name| name.chars().filter(char::is_ascii_alphanumeric).collect::<String>()).collect();
        let find = |wanted: &[&str]| {
            wanted.iter().find_map(|wanted| names.iter().position(|name| name.eq_ignore_ascii_case(wanted)))
        };
        let units = find(&["grosstransactionamount"]);
        Some(Self {
            transaction: find(&["transactionid"])?,
            amount: units.or_else(|| find(&["gross", "payoutamount", "amount"]))?,
            in_units: units.is_some(),
            currency: find(&["currency", "grosstransactioncurrency", "currencycode"]),
            status: find(&["status", "transactionstatus"]),
            code: find(&["transactioneventcode", "eventcode"]),
            receiver: find(&["toemailaddress", "recipient", "receiver"]),
            kind: find(&["type", "description"]),
        })
    }

    /// The amount of a line, without its sign.
    fn amount_in(&self, record: &csv::StringRecord, currency: Currency) -> Option<Decimal> {
        let text = record.get(self.amount).map_or("", str::trim);
        let amount = amount(text)?;
        let in_units = self.in_units && !text.contains(['.', ',']);
        Some(if in_units { amount / Decimal::from(10_u32.pow(currency.scale())) } else { amount })
    }
}

/// The items that are looked for, by what a line may tell of them.
struct Index<'a> {
    wanted: &'a [Wanted],
    by_name: HashMap<String, usize>,
    by_receiver: HashMap<String, Vec<usize>>,
}

impl<'a> Index<'a> {
    fn of(wanted: &'a [Wanted]) -> Self {
        let by_name = wanted.iter().enumerate().map(|(at, item)| (item.name.to_ascii_lowercase(), at)).collect();
        let mut by_receiver: HashMap<String, Vec<usize>> = HashMap::new();
        for (at, item) in wanted.iter().enumerate() {
            by_receiver.entry(item.receiver.to_ascii_lowercase()).or_default().push(at);
        }
        Self { wanted, by_name, by_receiver }
    }

    /// The item that one of the cells names.
    fn named(&self, record: &csv::StringRecord) -> Option<usize> {
        record.iter().filter_map(|cell| self.by_name.get(&cell.trim().to_ascii_lowercase())).min().copied()
    }

    /// Whether this is the address and the amount of any of them.
    fn is_alike(&self, columns: &Columns, record: &csv::StringRecord, receiver: &str) -> bool {
        let items = self.by_receiver.get(&receiver.to_ascii_lowercase());
        items.is_some_and(|items| items.iter().any(|&at| has_amount(columns, record, &self.wanted[at])))
    }
}

/// A payment sent, as one line shows it.
#[derive(Debug, Clone)]
pub struct Sent {
    /// What it shows.
    pub payment: Payment,
    /// Cells that may be our own id of an item.
    pub ids: Vec<String>,
}

/// Every payment sent that a report shows and that PayPal has not called failed, denied or returned. In a report that
/// tells in no way which lines are payouts, that is every line of money that left. What cannot be read is shown as it is:
/// leaving it out would hide a payment.
pub fn payments(content: &[u8]) -> Result<Vec<Sent>, NoReport> {
    let (mut payouts, mut others) = (Vec::new(), Vec::new());
    each_line(content, |columns, record, _| match movement(columns, record) {
        Some(Movement::Payout) => payouts.extend(payment(columns, record)),
        Some(Movement::MoneyLeft) => others.extend(payment(columns, record)),
        None => {}
    })?;
    Ok(if payouts.is_empty() { others } else { payouts })
}

/// What a line shows of money.
enum Movement {
    /// PayPal calls it a payout.
    Payout,
    /// It left for some other reason, or for one that the report does not tell.
    MoneyLeft,
}

fn movement(columns: &Columns, record: &csv::StringRecord) -> Option<Movement> {
    let cell = |column: Option<usize>| column.and_then(|column| record.get(column)).map_or("", str::trim);
    let (code, kind, gross) = (cell(columns.code), cell(columns.kind).to_ascii_lowercase(), cell(Some(columns.amount)));
    match code {
        SENT => Some(Movement::Payout),
        "" if kind.contains("mass pay") || kind.contains("payout") => Some(Movement::Payout),
        "" => gross.starts_with(['-', '(', '\u{2212}']).then_some(Movement::MoneyLeft),
        _ => None,
    }
}

fn payment(columns: &Columns, record: &csv::StringRecord) -> Option<Sent> {
    let cell = |column: Option<usize>| column.and_then(|column| record.get(column)).map_or("", str::trim);
    let (status, code) = (cell(columns.status), cell(columns.code));
    let never_left = ["failed", "denied", "returned", "canceled", "cancelled", "reversed", "removed"];
    let name = cell(Some(columns.transaction));
    if name.is_empty() || never_left.contains(&status.to_ascii_lowercase().as_str()) {
        return None;
    }
    let told = cell(columns.currency);
    let amount = match told.parse::<Currency>() {
        Ok(currency) => columns.amount_in(record, currency),
        Err(_) => amount(cell(Some(columns.amount))),
    };
    let payment = Payment {
        name: name.to_owned(),
        receiver: cell(columns.receiver).to_owned(),
        currency: told.to_owned(),
        amount: amount.unwrap_or_default(),
        status: if status.is_empty() { code } else { status }.to_owned(),
        at: None,
    };
    let is_id = |cell: &&str| cell.len() == 26 && cell.bytes().all(|b| b.is_ascii_alphanumeric());
    let ids = record.iter().map(str::trim).filter(is_id).map(str::to_ascii_uppercase).collect();
    Some(Sent { payment, ids })
}

/// Looks for items in a report.
pub fn read(content: &[u8], wanted: &[Wanted]) -> Result<Found, NoReport> {
    let index = Index::of(wanted);
    let mut found = Found::default();
    each_line(content, |columns, record, line| {
        found.lines += 1;
        look(columns, record, line, &index, &mut found);
    })?;
    Ok(only_clear(found))
}

/// Every line after the names of the columns.
fn each_line(content: &[u8], mut line_of: impl FnMut(&Columns, &csv::StringRecord, u64)) -> Result<(), NoReport> {
    let (text, ..) = encoding_rs::UTF_8.decode(content);
    let start =
        text.lines().take(PREAMBLE).find(|line| line.to_ascii_lowercase().contains("transaction")).ok_or(NoReport)?;
    let separator = [b',', b'\t', b';'].into_iter().max_by_key(|sign| start.bytes().filter(|b| b == sign).count());
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(separator.unwrap_or(b','))
        .has_headers(false)
        .flexible(true)
        .from_reader(text.as_bytes());
    let mut columns = None;
    for record in reader.records() {
        let record = record.map_err(|_| NoReport)?;
        let line = record.position().map_or(0, csv::Position::line);
        let Some(columns) = &columns else {
            if line > PREAMBLE as u64 {
                return Err(NoReport);
            }
            columns = Columns::of(&record);
            continue;
        };
        line_of(columns, &record, line);
    }
    columns.map(drop).ok_or(NoReport)
}

fn look(columns: &Columns, record: &csv::StringRecord, line: u64, index: &Index<'_>, found: &mut Found) {
    let cell = |column: Option<usize>| column.and_then(|column| record.get(column)).map_or("", str::trim);
    if BESIDE.contains(&cell(columns.code)) {
        return;
    }
    let Some(item) = index.named(record) else {
        found.alike += u64::from(index.is_alike(columns, record, cell(columns.receiver)));
        return;
    };
    let transaction = Some(cell(Some(columns.transaction)).to_owned()).filter(|id| !id.is_empty());
    let judged = judge(columns, record, &index.wanted[item], transaction.is_some());
    let (paid, says) = match judged {
        Ok(says) => (true, says),
        Err(why) => (false, why),
    };
    found.findings.push(Finding { item, line, paid, says, transaction });
}

/// Whether a line that names an item shows its payment: what PayPal calls it, or why not.
fn judge(
    columns: &Columns,
    record: &csv::StringRecord,
    item: &Wanted,
    has_transaction: bool,
) -> Result<String, String> {
    let cell = |column: Option<usize>| column.and_then(|column| record.get(column)).map_or("", str::trim);
    let (receiver, status, code) = (cell(columns.receiver), cell(columns.status), cell(columns.code));
    if !has_amount(columns, record, item) {
        return Err(format!("another amount: {} {}", cell(columns.currency), cell(Some(columns.amount))));
    }
    if !receiver.is_empty() && !receiver.eq_ignore_ascii_case(&item.receiver) {
        return Err(format!("another address: {receiver}"));
    }
    if !has_transaction {
        return Err("no transaction".into());
    }
    if !code.is_empty() && code != SENT {
        return Err(code.to_owned());
    }
    match status.to_ascii_lowercase().as_str() {
        "completed" | "success" | "s" => Ok(status.to_owned()),
        "" if code == SENT => Ok(code.to_owned()),
        "" => Err("no status".into()),
        _ => Err(status.to_owned()),
    }
}

/// Signs are PayPal's bookkeeping: money sent is negative there.
fn has_amount(columns: &Columns, record: &csv::StringRecord, item: &Wanted) -> bool {
    let cell = |column: usize| record.get(column).map_or("", str::trim);
    columns.amount_in(record, item.currency) == Some(item.amount)
        && columns.currency.is_none_or(|column| cell(column) == item.currency.code())
}

/// A number as people in any country write it: the last point or comma with at most two digits behind it is the decimal
/// sign, everything else between digits only groups them.
fn amount(text: &str) -> Option<Decimal> {
    let text: String = text.chars().filter(|c| c.is_ascii_digit() || matches!(c, '.' | ',')).collect();
    let (whole, fraction) = match text.rfind(['.', ',']) {
        Some(at) if text.len() - at <= 3 => (&text[..at], &text[at + 1..]),
        Some(_) | None => (text.as_str(), ""),
    };
    let whole: String = whole.chars().filter(char::is_ascii_digit).collect();
    if whole.is_empty() {
        return None;
    }
    format!("{whole}.{fraction}0").parse::<Decimal>().ok()
}

/// An item that several lines tell different things of is not shown as paid by any of them.
fn only_clear(mut found: Found) -> Found {
    let all = found.findings.clone();
    let mut of_item: HashMap<usize, Vec<&Finding>> = HashMap::new();
    all.iter().for_each(|finding| of_item.entry(finding.item).or_default().push(finding));
    for finding in &mut found.findings {
        let mut others = of_item[&finding.item].iter();
        if finding.paid && others.any(|other| !other.paid || other.transaction != finding.transaction) {
            finding.paid = false;
            finding.says.push_str(", and other lines say otherwise");
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted() -> Vec<Wanted> {
        let item = |name: &str, amount: &str, currency: &str| Wanted {
            name: name.into(),
            receiver: format!("{}@example.com", name.to_lowercase()),
            amount: amount.parse().unwrap(),
            currency: currency.parse().unwrap(),
        };
        vec![item("AAA", "12.50", "USD"), item("BBB", "1234.00", "USD"), item("CCC", "1200", "JPY")]
    }

    /// What a report says about each item: `paid` or the words, and the transaction.
    fn check(report: &str, expected: &[(usize, &str, &str)]) {
        let found = read(report.as_bytes(), &wanted()).unwrap();
        let got: Vec<(usize, String, String)> = found
            .findings
            .into_iter()
            .map(|f| (f.item, if f.paid { "paid".into() } else { f.says }, f.transaction.unwrap_or_default()))
            .collect();
        let expected: Vec<_> =
            expected.iter().map(|(i, says, id)| (*i, (*says).to_owned(), (*id).to_owned())).collect();
        assert_eq!(got, expected, "{report}");
    }

    #[test]
    fn the_activity_download_is_read() {
        check(
            "\u{feff}\"Date\",\"Name\",\"Type\",\"Status\",\"Currency\",\"Gross\",\"Fee\",\"To Email Address\",\"Transaction ID\",\"Custom Number\"\n\
            \"01/02/2026\",\"A\",\"Mass Pay Payment\",\"Completed\",\"USD\",\"-12.50\",\"-0.25\",\"AAA@example.com\",\"T1\",\"AAA\"\n\
            \"01/02/2026\",\"B\",\"Mass Pay Payment\",\"Unclaimed\",\"USD\",\"-1,234.00\",\"-0.25\",\"bbb@example.com\",\"T2\",\"BBB\"\n\
            \"01/02/2026\",\"C\",\"Mass Pay Payment\",\"Completed\",\"JPY\",\"-1,200\",\"0\",\"ccc@example.com\",\"T3\",\"CCC\"\n\
            \"01/02/2026\",\"A\",\"Mass Pay Payment\",\"Completed\",\"USD\",\"-12.50\",\"-0.25\",\"aaa@example.com\",\"T9\",\"\"\n",
            &[(0, "paid", "T1"), (1, "Unclaimed", "T2"), (2, "paid", "T3")],
        );
    }

    #[test]
    fn a_settlement_report_is_read_in_units_and_without_fees_and_holds() {
        check(
            "\"RH\",2026/01/02 00:00:00 -0800\n\"CH\",\"Transaction ID\",\"Invoice ID\",\"Transaction Event Code\",\"Gross Transaction Amount\",\"Gross Transaction Currency\"\n\
            \"SB\",\"T1\",\"AAA\",\"T0001\",\"1250\",\"USD\"\n\"SB\",\"T5\",\"AAA\",\"T0104\",\"25\",\"USD\"\n\
            \"SB\",\"T6\",\"BBB\",\"T1503\",\"123400\",\"USD\"\n\"SB\",\"T7\",\"CCC\",\"T1114\",\"1200\",\"JPY\"\n",
            &[(0, "paid", "T1"), (2, "T1114", "T7")],
        );
    }

    #[test]
    fn whatever_differs_proves_nothing() {
        let head = "Transaction ID;Status;Currency;Gross;Recipient;Ref\n";
        for (line, says) in [
            ("T1;Completed;USD;12,51;aaa@example.com;AAA", "another amount: USD 12,51"),
            ("T1;Completed;EUR;12,50;aaa@example.com;AAA", "another amount: EUR 12,50"),
            ("T1;Completed;USD;12,50;thief@example.com;AAA", "another address: thief@example.com"),
            ("T1;;USD;12,50;aaa@example.com;AAA", "no status"),
            ("T1;Pending;USD;12,50;aaa@example.com;AAA", "Pending"),
        ] {
            check(&format!("{head}{line}\n"), &[(0, says, "T1")]);
        }
        check(&format!("{head};Completed;USD;12,50;aaa@example.com;aaa\n"), &[(0, "no transaction", "")]);
        check(&format!("{head}T1;Completed;USD;12,50;aaa@example.com;AAA1\n"), &[]);
    }

    #[test]
    fn lines_that_disagree_prove_nothing() {
        let head = "Transaction ID,Status,Currency,Gross,Ref\n";
        let otherwise = "Completed, and other lines say otherwise";
        check(
            &format!("{head}T1,Completed,USD,-12.50,AAA\nT2,Refunded,USD,12.50,AAA\n"),
            &[(0, otherwise, "T1"), (0, "Refunded", "T2")],
        );
        check(
            &format!("{head}T1,Completed,USD,-12.50,AAA\nT2,Completed,USD,-12.50,AAA\n"),
            &[(0, otherwise, "T1"), (0, otherwise, "T2")],
        );
        check(
            &format!("{head}T1,Completed,USD,-12.50,AAA\nT1,Completed,USD,-12.50,AAA\n"),
            &[(0, "paid", "T1"), (0, "paid", "T1")],
        );
    }

    #[test]
    fn what_is_alike_is_counted_and_proves_nothing() {
        let report = "Transaction ID,Status,Currency,Gross,To Email Address\nT1,Completed,USD,-12.50,aaa@example.com\n";
        let found = read(report.as_bytes(), &wanted()).unwrap();
        assert_eq!((found.findings.len(), found.alike, found.lines), (0, 1, 1));
    }

    #[test]
    fn other_files_are_no_reports() {
        for other in ["", "a,b\n1,2\n", "<html>transaction</html>", "Transaction ID\nT1\n"] {
            assert_eq!(read(other.as_bytes(), &wanted()), Err(NoReport), "{other}");
        }
    }

    #[test]
    fn no_payment_that_left_is_passed_over() {
        let names = |report: &str| -> Vec<String> {
            payments(report.as_bytes()).unwrap().into_iter().map(|sent| sent.payment.name).collect()
        };
        let told = "Type,Status,Currency,Gross,Transaction ID\nMass Pay Payment,Completed,USD,-1.00,A\n\
                    Website Payment,Completed,USD,-1.00,B\nMass Pay Payment,Denied,USD,-1.00,C\n\
                    Mass Pay Payment,Unclaimed,XXX,what,D\n";
        assert_eq!(names(told), ["A", "D"], "what cannot be read is shown");
        let in_another_language = "Type,Status,Currency,Gross,Transaction ID\nMassenzahlung,Abgeschlossen,EUR,\"-1,00\",A\n\
                                   Gutschrift,Abgeschlossen,EUR,\"1,00\",B\n";
        assert_eq!(names(in_another_language), ["A"]);
        let coded = "Transaction ID,Event Code,Gross,Currency\nA,T0001,-1.00,USD\nB,T0006,-1.00,USD\n";
        assert_eq!(names(coded), ["A"]);
    }
}
