use super::*;
use std::io::Write;
use time::macros::datetime;

const NOW: OffsetDateTime = datetime!(2026-06-01 12:00 UTC);
const NAME: &str = "pp_payouts_1780315200_ABC123.csv"; // of just now
const SUMMARY: &str = "PAYOUT_SUMMARY,17.9,USD,5,\"Hey, You got a Payout\",Payout for\n";
const ITEMS: &str = "PAYOUT,test-1@paypal.com,4.82,USD,REF_ID_1,NOTE_1
PAYOUT,test-2@paypal.com,4.93,USD,REF_ID_2,NOTE_2
PAYOUT,test-3@paypal.com,2.77,USD,REF_ID_3,NOTE_3
PAYOUT,test-4@paypal.com,3.51,USD,REF_ID_4,NOTE_4
PAYOUT,test-5paypal.com,1.87,USD,REF_ID_5,NOTE_5
";

fn checked(content: impl AsRef<[u8]>) -> Checked {
    check(Some(NAME), content.as_ref(), NOW).unwrap()
}

/// The names of what PayPal would answer, each with its line.
fn errors(content: impl AsRef<[u8]>) -> Vec<(&'static str, Option<u64>)> {
    checked(content).findings.iter().map(|finding| (finding.error.name(), finding.line)).collect()
}

fn one_item(line: &str) -> String {
    format!("PAYOUT_SUMMARY,1.00,USD,1,,\n{line}\n")
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(content).unwrap();
    gzip.finish().unwrap()
}

#[test]
fn paypals_example_is_accepted_and_its_fifth_recipient_warned_about() {
    let content = format!("{SUMMARY}{ITEMS}");
    let checked = checked(&content);
    assert!(checked.is_accepted(), "{:?}", checked.findings);
    assert_eq!(
        (checked.lines, checked.sum.to_string().as_str(), checked.currency.as_deref()),
        (5, "17.90", Some("USD"))
    );
    assert_eq!(checked.sha256, <[u8; 32]>::from(Sha256::digest(&content)));
    assert_eq!(checked.warnings.len(), 1);
    assert_eq!((checked.warnings[0].line, checked.warnings[0].reference.as_deref()), (Some(6), Some("REF_ID_5")));
}

#[test]
fn paypals_variants_of_lines_are_accepted() {
    for summary in [
        "PAYOUT_SUMMARY,17.9,USD,5,You Got a Payout,Payout For",
        "PAYOUT_SUMMARY,17.9,USD,5,,Payout For",
        "PAYOUT_SUMMARY,17.9,USD,5,You Got a Payout,",
        "PAYOUT_SUMMARY,17.9,USD,5,You Got a Payout",
        "PAYOUT_SUMMARY,17.9,USD,5",
        "PAYOUT_SUMMARY,17.9,USD,5,\"Hey, You got a Payout\",Payout For",
        "PAYOUT_SUMMARY,17.9,USD,5,\"HEY, YOU GOT a \"\"PAYOUT\"\"\",Payout For",
    ] {
        assert_eq!(errors(format!("{summary}\n{ITEMS}")), [], "{summary}");
        assert_eq!(errors(format!("{summary}\n{ITEMS}").replace('\n', "\r\n")), [], "{summary}");
    }
    for item in [
        "PAYOUT,test-1@paypal.com,1.00,USD,REF_ID_1",
        "PAYOUT,test-1@paypal.com,1.00,USD,REF_ID_1,",
        "PAYOUT,test-1@paypal.com,1.00,USD,REF_ID_1,NOTE_1",
        "PAYOUT,test-1@paypal.com,1.00,USD,REF_ID_1,\"NOTE_1,test\"",
        "PAYOUT,test-1@paypal.com,1.00,USD,REF_ID_1,\"NOTE_1,test\"\"23\"\"\"",
        "PAYOUT,SX3QT8QVBVE4L,1.0,USD,REF_ID_1",
        "PAYOUT,test-1@paypal.com,1,USD,REF_ID_1,,,,,",
        "PAYOUT_VENMO,@handle,1,USD,REF_ID_1,NOTE,PUBLIC,https://x,https://y,SERVICES",
    ] {
        let checked = checked(one_item(item));
        assert_eq!((checked.findings, checked.warnings), (vec![], vec![]), "{item}");
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a list of cases is read as one")]
fn every_documented_error_has_a_file_that_brings_it_about() {
    let item = |item: &str| one_item(item).into_bytes();
    let summary = |summary: &str| format!("{summary}\n{ITEMS}").into_bytes();
    let long = "ü".repeat(1001);
    let cases: Vec<(FileError, Option<u64>, Vec<u8>)> = vec![
        (FileError::SummaryAndPayoutMatchConflict, None, summary("PAYOUT_SUMMARY,17.91,USD,5")),
        (FileError::TotalPaymentsMismatch, None, summary("PAYOUT_SUMMARY,17.90,USD,6")),
        (
            FileError::DuplicateRefId,
            Some(3),
            summary("PAYOUT_SUMMARY,17.90,USD,5").replace_text("REF_ID_2", "REF_ID_1"),
        ),
        (FileError::InvalidRefIdFormat, Some(2), item(&format!("PAYOUT,a@b.c,1,USD,{},", "R".repeat(31)))),
        (FileError::InvalidRefIdFormat, Some(2), item("PAYOUT,a@b.c,1,USD,REF ID,")),
        (FileError::InvalidRefIdFormat, Some(2), item("PAYOUT,a@b.c,1,USD, R,")),
        (FileError::PayoutAmountNonPositive, Some(2), item("PAYOUT,a@b.c,-0.10,USD,R")),
        (FileError::PayoutAmountNonPositive, Some(2), item("PAYOUT,a@b.c,0.00,USD,R")),
        (FileError::PayoutAmountInvalidFormat, Some(2), item("PAYOUT,a@b.c,\"1,00\",USD,R,")),
        (FileError::PayoutAmountInvalidFormat, Some(2), item("PAYOUT,a@b.c,$1.00,USD,R,")),
        (FileError::PayoutAmountInvalidFormat, Some(2), item("PAYOUT,a@b.c, 1.00,USD,R,")),
        (FileError::PayoutAmountInvalidFormat, Some(2), item("PAYOUT,a@b.c,1.001,USD,R,")),
        (FileError::SummaryLinesNonInteger, Some(1), summary("PAYOUT_SUMMARY,17.90,USD,5.0")),
        (FileError::SummaryLinesNonInteger, Some(1), summary("PAYOUT_SUMMARY,17.90,USD,five")),
        (FileError::SummaryLinesNonPositive, Some(1), summary("PAYOUT_SUMMARY,17.90,USD,0")),
        (FileError::SummaryLinesNonPositive, Some(1), summary("PAYOUT_SUMMARY,17.90,USD,-5")),
        (FileError::SummaryAmountInvalidFormat, Some(1), summary("PAYOUT_SUMMARY,\"17,90\",USD,5")),
        (FileError::SummaryAmountInvalidFormat, Some(1), summary("PAYOUT_SUMMARY,17.901,USD,5")),
        (FileError::SummaryAmountNonPositive, Some(1), summary("PAYOUT_SUMMARY,0,USD,5")),
        (FileError::InvalidCurrency, Some(1), summary("PAYOUT_SUMMARY,17.9,ASD,5")),
        (FileError::InvalidCurrency, Some(2), item("PAYOUT,a@b.c,1,usd,R,")),
        (FileError::MultiCurrencyNotSupported, Some(2), item("PAYOUT,a@b.c,1,EUR,R,")),
        (FileError::InvalidFirstColumn, Some(1), summary("payout_summary,17.9,USD,5")),
        (FileError::InvalidFirstColumn, Some(2), item("payout,a@b.c,1,USD,R,")),
        (FileError::InvalidFirstColumn, Some(2), item("whatever")),
        (FileError::MandatoryColumnMissing, Some(1), summary("PAYOUT_SUMMARY,17.9,USD")),
        (FileError::MandatoryColumnMissing, Some(1), summary("PAYOUT_SUMMARY,,USD,5")),
        (FileError::MandatoryColumnMissing, Some(2), item("PAYOUT,a@b.c,1,USD")),
        (FileError::MandatoryColumnMissing, Some(2), item("PAYOUT,,1,USD,R")),
        (
            FileError::EmailSubjectExceededMaxSize,
            Some(1),
            summary(&format!("PAYOUT_SUMMARY,17.9,USD,5,{}", &long[..512])),
        ),
        (FileError::EmailMessageExceededMaxSize, Some(1), summary(&format!("PAYOUT_SUMMARY,17.9,USD,5,,{long}"))),
        (FileError::EmailMessageExceededMaxSize, Some(2), item(&format!("PAYOUT,a@b.c,1,USD,R,{long}"))),
        (FileError::FileSizeError, None, vec![]),
        (FileError::FileEmptyOrCorrupt, None, b"\n \r\n".to_vec()),
        (
            FileError::EncodingError,
            Some(2),
            item("PAYOUT,a@b.c,1,USD,R,ü").replace_text("ü", "\x00").replace_byte(0, 0xfc),
        ),
        (FileError::EncodingError, None, gzip(&item("PAYOUT,a@b.c,1,USD,R,"))),
        (FileError::InvalidFileFormat, Some(1), summary("PAYOUT_SUMMARY,17.9,USD,5,,,")),
        (FileError::InvalidFileFormat, Some(2), item("PAYOUT,a@b.c,1,USD,R,,,,,,x")),
        (FileError::InvalidFileFormat, Some(2), item("PAYOUT,a@b.c,1,USD,R,5\" pipe")),
        (FileError::InvalidSummaryLinePosition, Some(6), format!("{ITEMS}{SUMMARY}").into_bytes()),
        (
            FileError::MultipleSummaryRecords,
            Some(2),
            summary(SUMMARY.trim_end()).replace_text("PAYOUT,test-1", &format!("{SUMMARY}PAYOUT,test-1")),
        ),
        (FileError::SummaryMissing, None, ITEMS.into()),
        (FileError::InvalidPurpose, Some(2), item("PAYOUT,a@b.c,1,USD,R,,,,,FUN")),
    ];
    for (error, line, content) in &cases {
        let mut errors = errors(content);
        // What cannot be read is not added up, in PayPal's own example of a NACK too.
        let of_sums = [FileError::SummaryAndPayoutMatchConflict, FileError::TotalPaymentsMismatch];
        errors.retain(|(name, _)| of_sums.contains(error) || of_sums.iter().all(|of_sums| of_sums.name() != *name));
        assert_eq!(errors, [(error.name(), *line)], "{}", String::from_utf8_lossy(content));
    }
    let brought_about: Vec<_> = cases.iter().map(|(error, ..)| *error).collect();
    let of_names = [FileError::InvalidFileName, FileError::ScheduledTimeError, FileError::GzFileCorruptError];
    let not_of_a_file = [FileError::FileNotFound, FileError::SandboxLimitError]; // of the folder, of the sandbox
    for error in FileError::ALL {
        let is_known = [&brought_about[..], &of_names, &not_of_a_file].iter().any(|errors| errors.contains(error));
        assert!(is_known, "no file brings {error:?} about");
    }
}

/// Small changes of bytes in the tables above.
trait Changed {
    fn replace_text(self, from: &str, to: &str) -> Self;
    fn replace_byte(self, from: u8, to: u8) -> Self;
}

impl Changed for Vec<u8> {
    fn replace_text(self, from: &str, to: &str) -> Self {
        String::from_utf8(self).unwrap().replace(from, to).into_bytes()
    }

    fn replace_byte(self, from: u8, to: u8) -> Self {
        self.into_iter().map(|byte| if byte == from { to } else { byte }).collect()
    }
}

#[test]
fn a_name_is_checked_with_its_time_and_ending() {
    let content = format!("{SUMMARY}{ITEMS}");
    let named = |name: &str, content: &[u8]| {
        let checked = check(Some(name), content, NOW).unwrap();
        (checked.findings.iter().map(|finding| finding.error.name()).collect::<Vec<_>>(), checked.total_warnings)
    };
    let at = |seconds: i64| format!("pp_payouts_{}_ABC123.csv", NOW.unix_timestamp() + seconds);
    const WEEK: i64 = 7 * 24 * 60 * 60;
    assert_eq!(named(&at(0), content.as_bytes()), (vec![], 1));
    assert_eq!(named(&at(1), content.as_bytes()), (vec![], 2), "the future is warned about");
    assert_eq!(named(&at(WEEK), content.as_bytes()), (vec![], 2));
    assert_eq!(named(&at(WEEK + 1), content.as_bytes()).0, ["SCHEDULED_TIME_ERROR"]);
    assert_eq!(named("pp_payouts_1517395059_ABC123.csv", content.as_bytes()).0, [""; 0], "the past is fine");
    assert_eq!(named("payouts.csv", content.as_bytes()).0, ["INVALID_FILE_NAME"]);
    assert_eq!(named("payouts.csv", b"").0, ["INVALID_FILE_NAME", "FILE_SIZE_ERROR"]);

    let packed = gzip(content.as_bytes());
    let gz = format!("{NAME}.gz");
    assert_eq!(named(&gz, &packed).0, [""; 0]);
    assert_eq!(named(&gz, &gzip(b"")).0, ["FILE_SIZE_ERROR"]);
    assert_eq!(named(&gz, b"").0, ["FILE_SIZE_ERROR"]);
    assert_eq!(named(&gz, content.as_bytes()).0, ["GZ_FILE_CORRUPT_ERROR"]);
    assert_eq!(named(&gz, &packed[..packed.len() - 1]).0, ["GZ_FILE_CORRUPT_ERROR"]);
    let mut damaged = packed.clone();
    damaged[packed.len() - 5] ^= 1;
    assert_eq!(named(&gz, &damaged).0, ["GZ_FILE_CORRUPT_ERROR"]);
    let whole = check(None, &damaged[..], NOW).unwrap();
    assert_eq!(whole.findings[0].error, FileError::GzFileCorruptError);
    assert_eq!(whole.sha256, <[u8; 32]>::from(Sha256::digest(&damaged)));
    assert!(check(None, &packed[..], NOW).unwrap().is_accepted(), "without a name the bytes tell");
}

/// The three errors of PayPal's example of a NACK come from one file.
#[test]
fn several_errors_are_told_as_paypal_tells_them() {
    let content = "PAYOUT_SUMMARY,17.9,ASD,4\nPAYOUT,a@b.c,1,USD,first-ref-id\nPAYOUT,a@b.c,1,USD,second-ref-id\n\
        PAYOUT,a@b.c,1,USD,third-ref-id\nPAYOUT,a@b.c,one,USD,fourth-ref-id\n";
    let checked = checked(content);
    let told: Vec<_> =
        checked.findings.iter().map(|f| (f.is_of_item, f.reference.as_deref(), f.error.name())).collect();
    assert_eq!(
        told,
        [
            (false, None, "INVALID_CURRENCY"),
            (true, Some("fourth-ref-id"), "PAYOUT_AMOUNT_INVALID_FORMAT"),
            (false, None, "SUMMARY_AND_PAYOUT_MATCH_CONFLICT"),
        ]
    );
    assert_eq!(checked.currency.as_deref(), Some("USD"));
}

#[test]
fn what_paypal_would_take_and_should_not_get_is_a_warning() {
    for (content, line, warning) in [
        (format!("\u{feff}{}", one_item("PAYOUT,a@b.c,1,USD,R,")), None, "byte order mark"),
        (one_item("PAYOUT,a@b.c,1,USD,R,\"a\nb\""), Some(2), "the note has line breaks"),
        (one_item("PAYOUT,a@b.c,1,USD,R,\x07"), Some(2), "the note has line breaks or control characters"),
        (one_item("PAYOUT,a b@b.c,1,USD,R,"), Some(2), "no e-mail address"),
        (one_item(&format!("PAYOUT,{}@b.c,1,USD,R,", "a".repeat(124))), Some(2), "128 characters"),
        (one_item("PAYOUT,a@b.c,1,USD,R,\n"), Some(3), "empty"),
        (one_item("PAYOUT,a@b.c,1.000,USD,R,"), Some(2), "more decimal places"),
        ("PAYOUT_SUMMARY,20000.01,USD,1\nPAYOUT,a@b.c,20000.01,USD,R".to_owned(), Some(2), "more than PayPal usually"),
    ] {
        let checked = checked(&content);
        assert_eq!(checked.findings, [], "{content}");
        assert_eq!((checked.warnings.len(), checked.warnings[0].line), (1, line), "{content}");
        assert!(checked.warnings[0].text.contains(warning), "{:?}", checked.warnings);
    }
}

#[test]
fn currencies_have_their_own_scale() {
    let yen = |amount: &str| errors(format!("PAYOUT_SUMMARY,1200,JPY,1\nPAYOUT,a@b.c,{amount},JPY,R\n"));
    assert_eq!(yen("1200"), []);
    assert_eq!(yen("1200.00"), [], "with a warning");
    assert_eq!(yen("1200.5")[0], ("PAYOUT_AMOUNT_INVALID_FORMAT", Some(2)));
}

#[test]
fn a_hostile_file_costs_no_more_than_another() {
    let line = "PAYOUT,a@b.c,x,USD,R\n";
    let many = checked(format!("{SUMMARY}{}", line.repeat(12_000)));
    assert_eq!((many.findings.len(), many.lines), (10_000, 12_000));
    assert_eq!(many.total_findings, 12_000 + 11_999 + 2, "amounts, references, the sum and the number");
    let long = checked(format!("{SUMMARY}PAYOUT,{}\n{line}", "\"\"\x1b,".repeat(1_000_000)));
    assert!(long.findings.iter().all(|f| f.detail.len() < 400 && !f.detail.contains('\x1b')));
    assert_eq!(long.lines, 2, "the line after it is read");
    let bomb = gzip(&vec![b'0'; 50_000_000]);
    let bomb = check(None, &bomb[..], NOW).unwrap();
    assert_eq!(bomb.findings[0].error, FileError::InvalidFileFormat);
}

#[test]
fn a_failing_disk_is_no_fault_of_the_file() {
    struct Failing;
    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("the disk"))
        }
    }
    assert!(check(None, Failing, NOW).is_err());
    let packed = gzip(SUMMARY.as_bytes());
    assert!(check(None, packed[..20].chain(Failing), NOW).is_err());
}
