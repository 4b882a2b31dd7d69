//! Large Batch files from outside: other readers of CSV, any bytes, and the program's verb.

use flate2::read::GzDecoder;
use proptest::collection::vec;
use proptest::prelude::*;
use rust_decimal::Decimal;
use std::io::{Read, Write};
use std::process::{Command, Output, Stdio};
use stipend::money::{Currency, Money};
use stipend::paypal::large_batch::{
    Compression, FileAnswer, InputName, Line, MAX_MESSAGE, MAX_NOTE, MAX_SUBJECT, Outgoing, Rejection, Summary, Writer,
    check, outgoing, parse_answer, rows,
};
use time::OffsetDateTime;
use time::macros::datetime;

const NOW: OffsetDateTime = datetime!(2026-06-01 12:00 UTC);
const NAME: &str = "pp_payouts_1780315200_ABC123.csv";

/// Texts with whatever could break a line, a column or a terminal.
fn hostile(longest: usize) -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        ",",
        "\"",
        "\"\"",
        "\r\n",
        "\n",
        "\r",
        "\t",
        "\0",
        "\x1b",
        "\u{85}",
        "\u{2028}",
        "\u{feff}",
        "=1+1",
        "PAYOUT,",
        "PAYOUT_SUMMARY,1,USD,1",
        "é",
        "¢",
        "’",
        "😀",
        " ",
        "a",
        ";",
        "'",
        "\\",
    ]);
    let pieces = prop_oneof![pieces.prop_map(str::to_owned), any::<char>().prop_map(String::from), ".{0,20}"];
    vec(pieces, 0..60).prop_map(move |pieces| pieces.concat().chars().take(longest).collect())
}

fn item() -> impl Strategy<Value = (String, i64, String)> {
    ("[a-z\"',;]{1,20}@[a-z]{1,10}\\.com", 1..100_000_000_i64, hostile(MAX_NOTE))
}

/// As it is to be read again.
fn on_one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') { ' ' } else { c }).collect()
}

fn write(
    compression: Compression,
    currency: Currency,
    subject: &str,
    message: &str,
    items: &[(String, i64, String)],
) -> Vec<u8> {
    let money = |minor: i64| Money::new(Decimal::new(minor, currency.scale()), currency).unwrap();
    let total = money(items.iter().map(|(_, minor, _)| minor).sum());
    let summary = Summary { total, items: items.len() as u64, subject, message };
    let mut writer = Writer::new(Vec::new(), compression, &summary).unwrap();
    for (place, (receiver, minor, note)) in items.iter().enumerate() {
        let reference = format!("R-{place:0>20}_x");
        writer.line(&Line { receiver, amount: money(*minor), reference: &reference, note }).unwrap();
    }
    writer.finish().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    /// The check and the csv crate read what was written, whatever the texts.
    #[test]
    fn what_is_written_is_read_the_same_by_everybody(
        currency in prop::sample::select(Currency::ALL.to_vec()),
        subject in hostile(MAX_SUBJECT),
        message in hostile(MAX_MESSAGE),
        items in vec(item(), 1..20),
    ) {
        let plain = write(Compression::Plain, currency, &subject, &message, &items);
        let packed = write(Compression::Gzip, currency, &subject, &message, &items);
        let mut unpacked = Vec::new();
        GzDecoder::new(&packed[..]).read_to_end(&mut unpacked).unwrap();
        prop_assert_eq!(&plain, &unpacked);

        let sum = Decimal::new(items.iter().map(|(_, minor, _)| minor).sum(), currency.scale());
        for (name, content) in [(NAME.to_owned(), &plain), (format!("{NAME}.gz"), &packed)] {
            let checked = check(Some(&name), &content[..], NOW).unwrap();
            prop_assert!(checked.is_accepted(), "{:?}", checked.findings);
            prop_assert_eq!((checked.lines, checked.sum), (items.len() as u64, sum));
            prop_assert_eq!(checked.currency.as_deref(), Some(currency.code()));
        }

        let text = std::str::from_utf8(&plain).unwrap();
        prop_assert_eq!(text.lines().count(), items.len() + 1);
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(&plain[..]);
        let records: Vec<_> = reader.records().map(Result::unwrap).collect();
        prop_assert_eq!(
            records[0].iter().collect::<Vec<_>>(),
            ["PAYOUT_SUMMARY", &sum.to_string(), currency.code(), &items.len().to_string(), &on_one_line(&subject), &on_one_line(&message)]
        );
        for (place, (record, (receiver, minor, note))) in records[1..].iter().zip(&items).enumerate() {
            let amount = Decimal::new(*minor, currency.scale()).to_string();
            prop_assert_eq!(
                record.iter().collect::<Vec<_>>(),
                ["PAYOUT", receiver, &amount, currency.code(), &format!("R-{place:0>20}_x"), &on_one_line(note)]
            );
        }
    }

    /// One byte changed is either noticed, or leaves payments that add up.
    #[test]
    fn no_changed_file_ends_the_program(items in vec(item(), 1..5), place in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<prop::sample::Index>()) {
        for compression in [Compression::Plain, Compression::Gzip] {
            let mut content = write(compression, Currency::EUR, "s", "m", &items);
            let length = content.len();
            content[place.index(length)] = byte;
            let _whatever_it_is = check(Some(NAME), &content[..], NOW).unwrap();
            let cut = check(None, &content[..cut.index(length)], NOW).unwrap();
            prop_assert!(cut.sha256 != [0; 32]);
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(content in vec(any::<u8>(), 0..400), lines in vec(hostile(200), 0..10), name in hostile(80)) {
        let gzip = [&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff], &content[..]].concat();
        for content in [&content[..], lines.join("\n").as_bytes(), &gzip] {
            let checked = check(Some(&name), content, NOW).unwrap();
            prop_assert!(!checked.is_accepted());
            for row in rows(content) {
                prop_assert!(row.is_err(), "{row:?}");
            }
            for kind in [Outgoing::Ack, Outgoing::Final] {
                prop_assert!(parse_answer(kind, "pp_payouts_1517395059_x", content).is_err());
            }
            // A line that looks like a rejection is one, whoever wrote it; it cannot hurt whoever reads it.
            if let Ok(answer) = parse_answer(Outgoing::Nack, "pp_payouts_1517395059_x", content) {
                let FileAnswer::Rejected(rejections) = answer else { panic!("a rejection is {answer:?}") };
                for Rejection { name, text, reference, .. } in rejections {
                    prop_assert!(name.contains('_'));
                    assert!(!format!("{text}{}", reference.unwrap_or_default()).contains(char::is_control));
                }
            }
        }
        if let Ok(parsed) = InputName::parse(&name) {
            prop_assert_eq!(parsed.to_string(), name.clone());
        }
        prop_assert_eq!(outgoing("pp_payouts_1517395059_x", &name), None);
        let _whatever_it_is = outgoing(&name, &format!("{name}_ack.csv"));
    }
}

/// The csv crate writes a report in its own way; it is read as it was meant.
#[test]
fn a_report_of_another_writer_is_read() {
    let mut writer = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .quote_style(csv::QuoteStyle::Always)
        .from_writer(Vec::new());
    for number in 1..=100 {
        let (reference, message) = (format!("R{number}"), "One, \"two\"\nthree");
        writer
            .write_record([
                &reference, "I", "T", "A, B", "a@b.c", "EUR", "1.0", "0.02", "1.02", "RETURNED", "X", message, "", "",
            ])
            .unwrap();
    }
    let read: Vec<_> = rows(&writer.into_inner().unwrap()[..]).map(Result::unwrap).collect();
    assert_eq!(read.len(), 100);
    assert_eq!(read[99].reference, "R100");
    assert_eq!(read[99].error_message.as_deref(), Some("One, \"two\"\u{fffd}three"));
}

fn stipend(arguments: &[&str], input: &str) -> (Option<i32>, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_stipend"))
        .args(["large-batch", "check"])
        .args(arguments)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let _it_may_not_read = child.stdin.take().unwrap().write_all(input.as_bytes());
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

const GOOD: &str = "PAYOUT_SUMMARY,17.9,USD,2,You got a Payout,Payout for\n\
    PAYOUT,test-1@paypal.com,14.39,USD,REF_ID_1,NOTE_1\n\
    PAYOUT,test-5paypal.com,3.51,USD,REF_ID_5,NOTE_5\n";
const PAST: &str = "pp_payouts_1517395059_ABC123.csv";

#[test]
fn the_verb_answers_as_paypal_would() {
    let (status, out, _) = stipend(&["-", "--as", PAST], GOOD);
    assert_eq!(status, Some(0));
    let (time, rest) = out.split_once(',').unwrap();
    assert_eq!(time.len(), "2018-02-26T05:48:53Z".len());
    insta::assert_snapshot!(rest, @r#"
    pp_payouts_1517395059_ABC123,ACCEPTED_FOR_PROCESSING
    warning: line 3: REF_ID_5: “test-5paypal.com” is no e-mail address; the payment would fail
    PayPal would accept this file: 2 payments, USD 17.90 in all, SHA-256 81ac08abe5ff830fe505014cc373458bcfaddf261a9348e56c178811579498c7.
    "#);

    let bad = GOOD.replace("17.9,USD", "17.9,ASD").replace("3.51", "\"3,51\"").replace("REF_ID_5", "R\"5");
    let (status, out, _) = stipend(&["-", "--as", PAST], &bad);
    assert_eq!(status, Some(1));
    insta::assert_snapshot!(out, @r#"
    PAYOUT_SUMMARY,USD,INVALID_CURRENCY,This currency is invalid. Please retry with an accepted currency format.
        # It is “ASD”. Write the code of a currency that PayPal pays out, in upper case and without spaces, as in USD.
    PAYOUT,3,"R""5",INVALID_FILE_FORMAT,"The input file contains characters, columns, or details that are not required for processing payouts. Remove these characters, columns, or details and upload the file."
        # There is a quotation mark that neither encloses a column nor is doubled. Remove the columns at the end. Enclose a text with commas or quotation marks in quotation marks, and double those inside it.
    PAYOUT,3,"R""5",PAYOUT_AMOUNT_INVALID_FORMAT,The Payout amount must use a decimal. Other special characters are not allowed. Please retry with the correct format.
        # It is “3,51”. Write digits and at most one point, as in 1234.50: no comma, no currency sign, no space, and no more decimals than the currency has.
    PAYOUT,3,"R""5",INVALID_REF_ID_FORMAT,The Reference ID must be alphanumeric. The maximum character limit of 63. Please retry with the correct Reference ID.
        # It has characters that are not allowed. Use 1 to 30 letters without accents, digits, underscores and hyphens; elsewhere PayPal says that 63 are too many.
    PAYOUT_SUMMARY,USD,SUMMARY_AND_PAYOUT_MATCH_CONFLICT,The Payout amount in the Summary line doesn’t match the total item value. Please retry with the correct amount.
        # It says 17.9, and the lines that can be read add up to 14.39. Write the sum of all amounts into the second column of the first line. If the sum is right, lines are missing.
    warning: line 3: R"5: “test-5paypal.com” is no e-mail address; the payment would fail
    PayPal would reject this file: 2 payments, USD 14.39 in all, SHA-256 1fcabf94d0da1b9069b91aa1a53502f1ca369198aa786610eaeac8e300f7347f.
    "#);

    let (status, out, _) = stipend(&["-", "--as", "x", "--json"], "");
    assert_eq!(status, Some(1));
    insta::assert_snapshot!(out, @r#"
    {
      "name": "x",
      "accepted": false,
      "lines": 0,
      "sum": "0",
      "currency": null,
      "sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
      "total_findings": 2,
      "findings": [
        {
          "line": null,
          "reference": null,
          "error": "INVALID_FILE_NAME",
          "text": "The format of your file name is invalid. Please retry with the correct file name.",
          "detail": "It is called “x”.",
          "advice": "Name it pp_payouts_<seconds since 1970>_<reference>.csv or .csv.gz in lower case, with a reference of 1 to 63 letters, digits, underscores and hyphens."
        },
        {
          "line": null,
          "reference": null,
          "error": "FILE_SIZE_ERROR",
          "text": "Your payout input file is empty. Please retry with a valid file.",
          "detail": "There is nothing in it.",
          "advice": "Write the file again; it may not have been written to its end."
        }
      ],
      "total_warnings": 0,
      "warnings": []
    }
    "#);
}

#[test]
fn a_file_is_checked_under_its_own_name() {
    let folder = std::env::temp_dir().join(format!("stipend-large-batch-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join(PAST);
    std::fs::write(&file, GOOD).unwrap();
    let file = file.to_str().unwrap();
    assert_eq!(stipend(&[file], "").0, Some(0));
    assert_eq!(stipend(&[file, "--as", "other.csv"], "").0, Some(1));
    for (misuse, said) in [
        (vec![folder.join("missing").to_str().unwrap()], "could not be opened"),
        (vec![folder.to_str().unwrap()], "could not be checked"),
        (vec!["-"], "--as"),
        (vec![], "FILE"),
    ] {
        let (status, out, error) = stipend(&misuse, "");
        assert_eq!((status, out.as_str()), (Some(2), ""), "{misuse:?}");
        assert!(error.contains(said), "{error}");
    }
    std::fs::remove_dir_all(folder).unwrap();
}
