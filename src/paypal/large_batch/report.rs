//! The reports about the items of a file: Part, Out and Final have one format ("Report format").

use super::records::{Fault, Record, Records, is_corrupt};
use super::{decimal, is_reference, shown};
use crate::paypal::payouts::TransactionStatus;
use rust_decimal::Decimal;
use std::borrow::Cow;
use std::fmt;
use std::io;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The columns, in PayPal's order. Its sample rows end before the last.
#[derive(Debug, Clone, Copy)]
enum Column {
    RefId,
    PayoutItemId,
    TransactionId,
    /// Not read, and often empty.
    _RecipientName,
    Recipient,
    CurrencyCode,
    PayoutAmount,
    Fee,
    /// Not read: amount and fee.
    _Total,
    TransactionStatus,
    ErrorEnum,
    ErrorMessage,
    TimeProcessed,
    TimeClaimed,
}

/// What a line of headings calls them.
const NAMES: [&str; 14] = [
    "REF_ID",
    "PAYOUT_ITEM_ID",
    "TRANSACTION_ID",
    "RECIPIENT_NAME",
    "RECIPIENT",
    "CURRENCY_CODE",
    "PAYOUT_AMOUNT",
    "FEE",
    "TOTAL",
    "TRANSACTION_STATUS",
    "ERROR_ENUM",
    "ERROR_MESSAGE",
    "TIME_PROCESSED",
    "TIME_CLAIMED",
];

/// Longest reference and id that PayPal documents anywhere.
const MAX_ID: usize = 63;
const MAX_TEXT: usize = 1000;

/// One item as a report shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportRow {
    /// The reference that the input file gave.
    pub reference: String,
    /// PayPal's id of the item.
    pub payout_item_id: Option<String>,
    /// PayPal's transaction; absent for items that were never processed.
    pub transaction_id: Option<String>,
    /// The recipient that the input file gave.
    pub recipient: String,
    /// ISO 4217.
    pub currency: String,
    /// How much, without the fee; shortened forms are usual, so it is compared as a number.
    pub amount: Decimal,
    /// PayPal's fee, in the same currency.
    pub fee: Option<Decimal>,
    /// Where the item stands.
    pub status: TransactionStatus,
    /// PayPal's error name.
    pub error_name: Option<String>,
    /// PayPal's sentence.
    pub error_message: Option<String>,
    /// When PayPal last processed the item.
    pub time_processed: Option<OffsetDateTime>,
    /// When the recipient claimed the money.
    pub time_claimed: Option<OffsetDateTime>,
}

/// A line that is not about an item, as far as we can read. It says nothing then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRow {
    /// The line of the file, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub why: String,
}

impl fmt::Display for BadRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.why)
    }
}

/// The rows of a report, plain or gzip, with or without headings, whatever their order. A file that cannot be read on
/// ends with a bad row.
pub fn rows<'r>(content: impl io::Read + 'r) -> impl Iterator<Item = Result<ReportRow, BadRow>> + 'r {
    let mut source = Some(Records::open(content));
    let mut columns = None;
    std::iter::from_fn(move || {
        let mut records = match source.take()? {
            Ok(records) => records,
            Err(error) => return Some(Err(broken_off(0, &error))),
        };
        loop {
            let record = match records.next() {
                Ok(None) => return None,
                Err(error) => return Some(Err(broken_off(records.lines(), &error))),
                Ok(Some(record)) => record,
            };
            if record.is_blank() {
                continue;
            }
            if columns.is_none() {
                let named = Columns::named(&record);
                let is_heading = named.is_some();
                columns = Some(named.unwrap_or_default());
                if is_heading {
                    continue;
                }
            }
            let row = columns.get_or_insert_default().read(&record);
            let row = row.map_err(|why| BadRow { line: record.line, why: why.to_owned() });
            source = Some(Ok(records));
            return Some(row);
        }
    })
}

fn broken_off(lines: u64, error: &io::Error) -> BadRow {
    let why = match is_corrupt(error) {
        true => "the file is packed with gzip and damaged from here on".to_owned(),
        false => format!("the file could not be read from here on: {error}"),
    };
    BadRow { line: lines + 1, why }
}

/// Where each column is, and how many there are.
struct Columns {
    places: [Option<usize>; NAMES.len()],
    count: usize,
}

impl Default for Columns {
    fn default() -> Self {
        Self { places: std::array::from_fn(Some), count: NAMES.len() }
    }
}

impl Columns {
    /// The columns that a line of headings names; nothing for any other line.
    fn named(record: &Record<'_>) -> Option<Self> {
        // PayPal prints a remark behind the last name: "TIME_CLAIMED[Applicable for Unilateral Case]".
        let heading = |number| record.text(number).split('[').next().unwrap_or_default().trim().to_ascii_uppercase();
        let headings: Vec<String> = (0..record.len().min(2 * NAMES.len())).map(heading).collect();
        let places = NAMES.map(|name| headings.iter().position(|heading| heading == name));
        let columns = Self { places, count: record.len() };
        let needed = [Column::RefId, Column::CurrencyCode, Column::PayoutAmount, Column::TransactionStatus];
        needed.iter().all(|column| columns.places[*column as usize].is_some()).then_some(columns)
    }

    fn read(&self, record: &Record<'_>) -> Result<ReportRow, &'static str> {
        match record.fault {
            None => {}
            Some(Fault::TooLong) => return Err("the line is too long"),
            Some(Fault::Unclosed) => return Err("a quotation mark is not closed"),
            Some(Fault::Stray) => return Err("there is a quotation mark where none can be"),
        }
        if record.len() != self.count && record.len() + 1 != self.count {
            return Err("there are too many or too few columns");
        }
        let field = |column: Column| match self.places[column as usize].map(|place| record.text(place)) {
            Some(Cow::Borrowed(text)) => Cow::Borrowed(text.trim()),
            Some(Cow::Owned(text)) => Cow::Owned(text.trim().to_owned()),
            None => Cow::Borrowed(""),
        };
        let text = |column| Some(shown(&field(column), MAX_TEXT)).filter(|text| !text.is_empty());
        let id = |column| match field(column) {
            id if id.is_empty() => Ok(None),
            id if is_reference(&id, MAX_ID) => Ok(Some(id.into_owned())),
            _ => Err("there is no id where one should be"),
        };
        let amount = |column| match field(column) {
            amount if amount.is_empty() => Ok(None),
            amount => decimal(&amount).map(Some).ok_or("there is no amount where one should be"),
        };
        let time = |column| OffsetDateTime::parse(&field(column), &Rfc3339).ok();
        let is_currency = |code: &String| code.len() == 3 && code.bytes().all(|b| b.is_ascii_uppercase());
        let status = id(Column::TransactionStatus)?.ok_or("there is no status")?.to_ascii_uppercase();
        Ok(ReportRow {
            reference: id(Column::RefId)?.ok_or("there is no reference")?,
            payout_item_id: id(Column::PayoutItemId)?,
            transaction_id: id(Column::TransactionId)?,
            recipient: text(Column::Recipient).unwrap_or_default(),
            currency: text(Column::CurrencyCode).filter(is_currency).ok_or("there is no currency")?,
            amount: amount(Column::PayoutAmount)?.ok_or("there is no amount")?,
            fee: amount(Column::Fee)?,
            status: TransactionStatus::parse(&status),
            error_name: text(Column::ErrorEnum),
            error_message: text(Column::ErrorMessage),
            time_processed: time(Column::TimeProcessed),
            time_claimed: time(Column::TimeClaimed),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use time::macros::datetime;

    /// PayPal's sample report.
    const SAMPLE: &str = "\
REF_ID_1,SX3QT8QVBVE4L,35P324312A142790D,,test-1@paypal.com,USD,4.82,0.25,5.07,UNCLAIMED,RECEIVER_UNREGISTERED,Receiver is unregistered,2018-01-16T10:33:22Z
REF_ID_2,HP3B9BRJYMKRU,1H080416VK328525U,,bjonny-us4@paypal.com,USD,4.93,0.25,5.18,SUCCESS,,,2018-01-16T10:33:20Z
REF_ID_3,BUPR735Z5CJBJ,7FB53422KY616915S,,test-3@paypal.com,USD,2.77,0.25,3.02,UNCLAIMED,RECEIVER_UNREGISTERED,Receiver is unregistered,2018-01-16T10:33:19Z
REF_ID_6,AU49JFTXWUQ8Q,7RG81691FV520321P,,test-1@paypal.com,USD,0.86,0.25,1.11,UNCLAIMED,RECEIVER_UNREGISTERED,Receiver is unregistered,2018-01-16T10:33:20Z
REF_ID_7,C5USHNEDMCXWL,,,bjonny-us9@paypal.com,USD,1.71,0,1.71,FAILED,ACCOUNT_RESTRICTED,User is restricted,2018-01-16T10:33:16Z
";
    const HEADINGS: &str = "REF_ID,PAYOUT_ITEM_ID,TRANSACTION_ID,RECIPIENT_NAME,RECIPIENT,CURRENCY_CODE,PAYOUT_AMOUNT,FEE,\
        TOTAL,TRANSACTION_STATUS,ERROR_ENUM,ERROR_MESSAGE,TIME_PROCESSED,TIME_CLAIMED[Applicable for Unilateral Case]\n";

    fn sample() -> Vec<ReportRow> {
        rows(SAMPLE.as_bytes()).collect::<Result<_, _>>().unwrap()
    }

    fn bad(content: &[u8]) -> Vec<u64> {
        rows(content).map(|row| row.unwrap_err().line).collect()
    }

    #[test]
    fn paypals_sample_is_read() {
        let rows = sample();
        assert_eq!(rows.len(), 5);
        assert_eq!(
            rows[0],
            ReportRow {
                reference: "REF_ID_1".to_owned(),
                payout_item_id: Some("SX3QT8QVBVE4L".to_owned()),
                transaction_id: Some("35P324312A142790D".to_owned()),
                recipient: "test-1@paypal.com".to_owned(),
                currency: "USD".to_owned(),
                amount: Decimal::new(482, 2),
                fee: Some(Decimal::new(25, 2)),
                status: TransactionStatus::Unclaimed,
                error_name: Some("RECEIVER_UNREGISTERED".to_owned()),
                error_message: Some("Receiver is unregistered".to_owned()),
                time_processed: Some(datetime!(2018-01-16 10:33:22 UTC)),
                time_claimed: None,
            }
        );
        assert_eq!((&rows[1].status, &rows[1].error_name), (&TransactionStatus::Success, &None));
        assert_eq!((&rows[4].status, &rows[4].transaction_id), (&TransactionStatus::Failed, &None));
        assert_eq!(rows[4].fee, Some(Decimal::ZERO));
    }

    #[test]
    fn a_report_is_read_in_every_form() {
        let pack = |text: &str| {
            let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            gzip.write_all(text.as_bytes()).unwrap();
            gzip.finish().unwrap()
        };
        let fourteen = SAMPLE.replace('\n', ",\n");
        let quoted: String = SAMPLE.lines().map(|line| format!("\"{}\"\n", line.replace(',', "\",\""))).collect();
        for text in [
            SAMPLE.trim_end().to_owned(),
            format!("{HEADINGS}{SAMPLE}"),
            format!("{HEADINGS}{fourteen}"),
            format!("\u{feff}{}{SAMPLE}\n\n", HEADINGS.to_lowercase()),
            SAMPLE.replace('\n', "\r\n"),
            SAMPLE.replace('\n', "\n\n"),
            quoted,
        ] {
            assert_eq!(rows(text.as_bytes()).collect::<Result<Vec<_>, _>>().unwrap(), sample(), "{text}");
            assert_eq!(rows(&pack(&text)[..]).collect::<Result<Vec<_>, _>>().unwrap(), sample(), "{text}");
        }
        let claimed = fourteen.replace("10:33:20Z,\n", "10:33:20Z,2018-01-17T00:00:00.5+01:00\n");
        let claimed = rows(claimed.as_bytes()).nth(1).unwrap().unwrap();
        assert_eq!(claimed.time_claimed, Some(datetime!(2018-01-16 23:00:00.5 UTC)));
        let turned: String = format!("{HEADINGS}{fourteen}")
            .lines()
            .map(|line| line.rsplit(',').collect::<Vec<_>>().join(",") + "\n")
            .collect();
        assert_eq!(rows(turned.as_bytes()).collect::<Result<Vec<_>, _>>().unwrap(), sample(), "headings decide");
    }

    #[test]
    fn a_bad_row_says_nothing_and_spoils_no_other() {
        let good = SAMPLE.lines().next().unwrap();
        let row = |from: &str, to: &str| good.replacen(from, to, 1);
        for wrong in [
            row("REF_ID_1", ""),
            row("REF_ID_1", "é"),
            row("REF_ID_1", &"R".repeat(64)),
            row("REF_ID_1,", ""),
            row("REF_ID_1", "REF_ID_1,,,"),
            row("SX3QT8QVBVE4L", "SX3QT 8QVBVE4L"),
            row("USD", "usd"),
            row("USD", "Euro"),
            row("4.82", ""),
            row("4.82", "4,82"),
            row("4.82", "\"1,004.82\""),
            row("4.82", "4.82e1"),
            row("4.82", &"4".repeat(40)),
            row("0.25", "free"),
            row("UNCLAIMED", ""),
            row("UNCLAIMED", "<b>"),
            row("REF_ID_1", "REF\"ID"),
            row("REF_ID_1", &"R".repeat(100_000)),
        ] {
            let text = format!("{SAMPLE}{wrong}\n{SAMPLE}");
            let (read, bad): (Vec<_>, Vec<_>) = rows(text.as_bytes()).partition(Result::is_ok);
            assert_eq!((read.len(), bad.len()), (10, 1), "{wrong:.200}");
            assert_eq!(bad[0].as_ref().unwrap_err().line, 6, "{wrong:.200}");
        }
        let unknown = rows(row("UNCLAIMED", "on_hold").replace("22Z", "whenever").into_bytes().as_slice())
            .next()
            .unwrap()
            .unwrap();
        assert_eq!(unknown.status, TransactionStatus::Other("ON_HOLD".to_owned()));
        assert_eq!(unknown.time_processed, None);
    }

    #[test]
    fn what_is_no_report_has_bad_rows_alone() {
        assert_eq!(bad(b""), [0; 0]);
        assert_eq!(bad(b"<html>\n<body>\n"), [1, 2]);
        assert_eq!(bad(b"{\"a\": [1, 2]}"), [1]);
        assert_eq!(bad(HEADINGS.as_bytes()), [0; 0]);
        assert_eq!(bad(&[0x1f, 0x8b, 8, 0]), [1]);
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(SAMPLE.as_bytes()).unwrap();
        let mut packed = gzip.finish().unwrap();
        let end = packed.len();
        packed[end - 6] ^= 1;
        let last = rows(&packed[..]).last().unwrap().unwrap_err();
        assert!(last.to_string().contains("damaged"), "{last}");
    }
}
