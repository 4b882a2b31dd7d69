//! PayPal's answer to a file as a whole ("Acknowledgment reports").

use super::records::{Record, Records, is_corrupt};
use super::{Outgoing, shown};

/// Rejected lines that are kept; more are no help to anybody.
const MAX_REJECTIONS: usize = 10_000;
const MAX_NAME: usize = 64;
const MAX_TEXT: usize = 1000;

/// What PayPal makes of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileAnswer {
    /// It is being processed, and cannot be taken back.
    Accepted,
    /// Nothing of it is paid, for these reasons: at least one, and not more than 10,000.
    Rejected(Vec<Rejection>),
    /// A file of this name was sent before.
    Duplicate,
}

/// One line of a NACK report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// PayPal's LINE_NO; whether it counts lines or items is not documented, so it is for people alone. Nothing if the
    /// summary or the file is meant.
    pub line: Option<u64>,
    /// The reference of the item that is meant.
    pub reference: Option<String>,
    /// PayPal's error name as it stands; see [`super::FileError::from_name`].
    pub name: String,
    /// PayPal's sentence.
    pub text: String,
}

/// Why a file is no answer to ours. It says nothing then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(pub String);

/// Reads an ACK, NACK or DUPS report about the file with this stem. An ACK has to name the file and to say
/// `ACCEPTED_FOR_PROCESSING`; a NACK needs one line that can be read; what a DUPS report contains is not documented, so
/// its name alone counts.
pub fn parse_answer(kind: Outgoing, stem: &str, content: &[u8]) -> Result<FileAnswer, Unreadable> {
    match kind {
        Outgoing::Ack => acknowledgment(stem, content),
        Outgoing::Nack => rejections(content).map(FileAnswer::Rejected),
        Outgoing::Dups => Ok(FileAnswer::Duplicate),
        Outgoing::Part { .. } | Outgoing::Out | Outgoing::Final => {
            Err(Unreadable("this is a report about items and no answer to the file".to_owned()))
        }
    }
}

/// `DATE_TIME_STAMP_IN_UTC,ORIGINAL_FILE_NAME,ACCEPTED_FOR_PROCESSING`, and nothing else.
fn acknowledgment(stem: &str, content: &[u8]) -> Result<FileAnswer, Unreadable> {
    let mut lines = 0_u64;
    let mut names_us = false;
    each_record(content, |record| {
        if record.text(0).trim().eq_ignore_ascii_case("DATE_TIME_STAMP_IN_UTC") {
            return true; // a line of headings, which the page shows as the format
        }
        lines += 1;
        names_us = record.len() == 3
            && is_stem(record.text(1).trim(), stem)
            && record.text(2).trim().eq_ignore_ascii_case("ACCEPTED_FOR_PROCESSING");
        lines == 1
    })?;
    match (lines, names_us) {
        (1, true) => Ok(FileAnswer::Accepted),
        (0, _) => Err(Unreadable("the acknowledgment is empty".to_owned())),
        _ => Err(Unreadable(format!("the acknowledgment does not say that PayPal accepted {stem}"))),
    }
}

fn is_stem(name: &str, stem: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    name.strip_suffix(".csv").unwrap_or(name) == stem.to_ascii_lowercase()
}

fn rejections(content: &[u8]) -> Result<Vec<Rejection>, Unreadable> {
    let mut rejections = Vec::new();
    each_record(content, |record| {
        rejections.extend(rejection(record));
        rejections.len() < MAX_REJECTIONS
    })?;
    if rejections.is_empty() {
        return Err(Unreadable("no line of the rejection names an error".to_owned()));
    }
    Ok(rejections)
}

/// `PAYOUT_SUMMARY,CURRENCY_CODE,ERROR_ENUM,ERROR_DESCRIPTION` or
/// `PAYOUT,LINE_NO,REF_ID,ERROR_ENUM,ERROR_DESCRIPTION`. A description that is not enclosed may have commas.
fn rejection(record: &Record<'_>) -> Option<Rejection> {
    let kind = record.text(0).trim().to_ascii_uppercase();
    let (line, reference, name) = match kind.as_str() {
        "PAYOUT_SUMMARY" => (None, None, 2),
        "PAYOUT" | "PAYOUT_VENMO" => {
            let reference = shown(record.text(2).trim(), MAX_NAME);
            (record.text(1).trim().parse().ok(), Some(reference).filter(|text| !text.is_empty()), 3)
        }
        _ => return None,
    };
    let text = shown(record.text_from(name + 1).trim(), MAX_TEXT);
    let name = shown(record.text(name).trim(), MAX_NAME);
    // All of PayPal's names have an underscore. A currency has none, so that a line of an input file is no rejection.
    let is_name = name.contains('_') && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    is_name.then_some(Rejection { line, reference, name, text })
}

/// Each record that is not blank, until it is enough.
fn each_record(content: &[u8], mut more: impl FnMut(&Record<'_>) -> bool) -> Result<(), Unreadable> {
    let unreadable = |error: std::io::Error| {
        Unreadable(match is_corrupt(&error) {
            true => "the file is packed with gzip and damaged".to_owned(),
            false => format!("the file could not be read: {error}"),
        })
    };
    let mut records = Records::open(content).map_err(unreadable)?;
    while let Some(record) = records.next().map_err(unreadable)? {
        if !record.is_blank() && !more(&record) {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    const STEM: &str = "pp_payouts_6627887729_testfile";
    /// PayPal's example of a NACK report.
    const NACK: &str = "PAYOUT_SUMMARY,ASD,CURRENCY_INVALID,Currency is not valid\n\
         PAYOUT_SUMMARY,USD,SUMMARY_AND_PAYOUT_MATCH_CONFLICT,Summary and Payout details must match\n\
         PAYOUT,4,fourth-ref-id,PAYOUT_AMOUNT_INVALID_FORMAT,Invalid Payout amount format\n";

    fn ack(content: &str) -> Result<FileAnswer, Unreadable> {
        parse_answer(Outgoing::Ack, STEM, content.as_bytes())
    }

    #[test]
    fn an_ack_has_to_name_our_file() {
        for content in [
            "2018-02-26T05:48:53Z,pp_payouts_6627887729_testfile,ACCEPTED_FOR_PROCESSING",
            "2018-02-26T05:48:53Z,pp_payouts_6627887729_testfile,ACCEPTED_FOR_PROCESSING\r\n\r\n",
            "\u{feff}2018-02-26T05:48:53Z,PP_PAYOUTS_6627887729_TESTFILE.CSV,accepted_for_processing\n",
            "2018-02-26T05:48:53Z, pp_payouts_6627887729_testfile.csv.gz, ACCEPTED_FOR_PROCESSING\n",
            "DATE_TIME_STAMP_IN_UTC,ORIGINAL_FILE_NAME,ACCEPTED_FOR_PROCESSING\n\
             \"2018-02-26T05:48:53Z\",\"pp_payouts_6627887729_testfile\",\"ACCEPTED_FOR_PROCESSING\"\n",
        ] {
            assert_eq!(ack(content), Ok(FileAnswer::Accepted), "{content}");
        }
        for content in [
            "",
            "\n",
            "DATE_TIME_STAMP_IN_UTC,ORIGINAL_FILE_NAME,ACCEPTED_FOR_PROCESSING\n",
            "2018-02-26T05:48:53Z,pp_payouts_6627887729_testfile",
            "2018-02-26T05:48:53Z,pp_payouts_6627887729_testfile,ACCEPTED",
            "2018-02-26T05:48:53Z,pp_payouts_6627887729_testfile2,ACCEPTED_FOR_PROCESSING",
            "2018-02-26T05:48:53Z,pp_payouts_6627887729_testfile,ACCEPTED_FOR_PROCESSING,but",
            "2018-02-26T05:48:53Z,pp_payouts_6627887729_testfile,ACCEPTED_FOR_PROCESSING\nREJECTED",
            NACK,
            "<html><body>ACCEPTED_FOR_PROCESSING</body></html>",
        ] {
            assert!(ack(content).is_err(), "{content}");
        }
    }

    #[test]
    fn paypals_example_of_a_nack_is_read() {
        let rejection = |line, reference: Option<&str>, name: &str, text: &str| Rejection {
            line,
            reference: reference.map(str::to_owned),
            name: name.to_owned(),
            text: text.to_owned(),
        };
        let expected = FileAnswer::Rejected(vec![
            rejection(None, None, "CURRENCY_INVALID", "Currency is not valid"),
            rejection(None, None, "SUMMARY_AND_PAYOUT_MATCH_CONFLICT", "Summary and Payout details must match"),
            rejection(Some(4), Some("fourth-ref-id"), "PAYOUT_AMOUNT_INVALID_FORMAT", "Invalid Payout amount format"),
        ]);
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(NACK.as_bytes()).unwrap();
        for content in [NACK.as_bytes(), NACK.replace('\n', "\r\n").as_bytes(), &gzip.finish().unwrap()] {
            assert_eq!(parse_answer(Outgoing::Nack, STEM, content), Ok(expected.clone()));
        }
    }

    #[test]
    fn a_nack_is_read_as_far_as_it_can_be() {
        let nack = "payout, x ,, NEW_NAME ,\"One, two\"\nwhatever\nPAYOUT,1\nPAYOUT_VENMO,7,R,A_B,One, two\x1b\n";
        let Ok(FileAnswer::Rejected(read)) = parse_answer(Outgoing::Nack, STEM, nack.as_bytes()) else { panic!() };
        assert_eq!(read.len(), 2);
        assert_eq!((read[0].line, read[0].reference.as_deref()), (None, None));
        assert_eq!((read[0].name.as_str(), read[0].text.as_str()), ("NEW_NAME", "One, two"));
        assert_eq!((read[1].line, read[1].reference.as_deref()), (Some(7), Some("R")));
        assert_eq!((read[1].name.as_str(), read[1].text.as_str()), ("A_B", "One, two\u{fffd}"));
        for content in
            ["", "PAYOUT,1,R,,", "PAYOUT_SUMMARY,1,USD,1,,", "PAYOUT,a@b.c,1,USD,R,", "<html>", "{}", "\x1f\u{8b}"]
        {
            assert!(parse_answer(Outgoing::Nack, STEM, content.as_bytes()).is_err(), "{content}");
        }
        assert!(parse_answer(Outgoing::Nack, STEM, &[0x1f, 0x8b, 8, 0]).is_err(), "half a gzip file");
        let long = "PAYOUT,1,R,X_Y,z\n".repeat(MAX_REJECTIONS + 1);
        let Ok(FileAnswer::Rejected(read)) = parse_answer(Outgoing::Nack, STEM, long.as_bytes()) else { panic!() };
        assert_eq!(read.len(), MAX_REJECTIONS);
    }

    #[test]
    fn a_duplicate_is_one_by_its_name_and_a_report_is_no_answer() {
        assert_eq!(parse_answer(Outgoing::Dups, STEM, b"whatever"), Ok(FileAnswer::Duplicate));
        for kind in [Outgoing::Part { first: 1, last: 2 }, Outgoing::Out, Outgoing::Final] {
            assert!(parse_answer(kind, STEM, NACK.as_bytes()).is_err());
        }
    }
}
