//! What is accepted, and what is refused with which words.

use super::*;
use flate2::{Compression, write::GzEncoder};
use std::io::Write;

/// The example of PayPal's page, "2. Create an input file". Its fifth address is none, as there.
const EXAMPLE: &str = "\
PAYOUT_SUMMARY,17.9,USD,5,\"Hey, You got a Payout\",Payout for
PAYOUT,test-1@paypal.com,4.82,USD,REF_ID_1,NOTE_1
PAYOUT,test-2@paypal.com,4.93,USD,REF_ID_2,NOTE_2
PAYOUT,test-3@paypal.com,2.77,USD,REF_ID_3,NOTE_3
PAYOUT,test-4@paypal.com,3.51,USD,REF_ID_4,NOTE_4
PAYOUT,test-5paypal.com,1.87,USD,REF_ID_5,NOTE_5
";

/// The texts of PayPal's table, of its sample of a NACK file where that has them, and of the simulator for the names
/// that only PayPal's later page has.
const TEXTS: &str = "\
SUMMARY_AND_PAYOUT_MATCH_CONFLICT|Summary and Payout details must match
DUPLICATE_REF_ID|Reference IDs must be unique within an input file. Please correct and retry the payout.
INVALID_REF_ID_FORMAT|The Reference ID must be alphanumeric. The maximum character limit of 63. Please retry with the correct Reference ID.
PAYOUT_AMOUNT_INVALID_FORMAT|Invalid Payout amount format
PAYOUT_AMOUNT_NON_POSITIVE|The Payout amount must be greater than zero. Please retry with the correct amount.
SUMMARY_LINES_NON_INTEGER|The total number of payments field in the Summary line must be an integer. Please retry with the correct format.
SUMMARY_LINES_NON_POSITIVE|The total number of payments field in Summary line must be greater than zero. Please retry with the correct information.
SUMMARY_AMOUNT_INVALID_FORMAT|The Summary amount must a decimal. Other special characters are not allowed. Please retry with the correct format.
SUMMARY_AMOUNT_NON_POSITIVE|The total Payout amount in the Summary line must be greater than zero. Please retry with the correct amount.
CURRENCY_INVALID|Currency is not valid
INVALID_CURRENCY|This currency is invalid. Please retry with an accepted currency format.
INVALID_FIRST_COLUMN|\"The first column entry in the Summary must be PAYOUT_SUMMARY. For an item record, it must be PAYOUT.\"
MANDATORY_COLUMN_MISSING|Your file is missing mandatory columns. Please enter the required info and retry the Payout.
EMAIL_SUBJECT_EXCEEDED_MAX_SIZE|You’ve exceeded the maximum character limit for the email subject. The maximum length is 255.
EMAIL_MESSAGE_EXCEEDED_MAX_SIZE|You’ve exceeded the maximum character limit for the email message. The maximum length is 1000.
MULTI_CURRENCY_NOT_SUPPORTED|Your payout input file has more than one currency. Please retry the file with a single currency.
INVALID_FILE_NAME|The format of your file name is invalid. Please retry with the correct file name.
SCHEDULED_TIME_ERROR|You can schedule a payout only seven days in advance. Please retry within the seven day scheduling limit.
FILE_SIZE_ERROR|Your payout input file is empty. Please retry with a valid file.
GZ_FILE_CORRUPT_ERROR|Your payout input file is corrupt or has a checksum issue. Please retry with a valid file.
ENCODING_ERROR|The file is not encoded in UTF-8.
FILE_EMPTY_OR_CORRUPT|The file is empty or corrupt.
INVALID_FILE_FORMAT|The file has unneeded characters or columns.
INVALID_SUMMARY_LINE_POSITION|The summary must be the first line of the file.
MULTIPLE_SUMMARY_RECORDS|The file has more than one summary.
SUMMARY_MISSING|The file has no summary.
TOTAL_PAYMENTS_MISMATCH|The number of payments in the summary is not the number of item records.
INVALID_PURPOSE|The purpose is invalid.";

/// A NACK file from `USD|NAME` for the summary and `4|REF_ID|NAME` for an item, each on its line.
fn nack(lines: &[&str]) -> String {
    let text = |name: &str| TEXTS.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('|')).expect(name);
    let line = |line: &&str| match line.split('|').collect::<Vec<_>>().as_slice() {
        [currency, name] => format!("PAYOUT_SUMMARY,{currency},{name},{}\n", text(name)),
        [number, reference, name] => format!("PAYOUT,{number},{reference},{name},{}\n", text(name)),
        _ => panic!("{line}"),
    };
    lines.iter().map(line).collect()
}

fn gzip(text: &str) -> Vec<u8> {
    let mut zipped = GzEncoder::new(Vec::new(), Compression::default());
    zipped.write_all(text.as_bytes()).unwrap();
    zipped.finish().unwrap()
}

/// A file of one item that would be accepted, with its summary and item changed.
fn one(summary: &str, item: &str) -> Vec<u8> {
    format!("{summary}\n{item}\n").into_bytes()
}

const SUMMARY: &str = "PAYOUT_SUMMARY,1.00,USD,1,Subject,Message";
const ITEM: &str = "PAYOUT,a@example.com,1.00,USD,r-1,note";

/// Puts all files, then compares all answers.
async fn are_refused(harbour: &Harbour, cases: Vec<(String, Vec<u8>, Vec<&str>)>) {
    let visit = harbour.visit().await;
    for (name, content, _) in &cases {
        visit.put(name, content).await.expect("the file is taken");
    }
    for (name, content, lines) in cases {
        let expected = nack(&lines);
        let stem = name.strip_suffix(".gz").unwrap_or(&name);
        let stem = stem.strip_suffix(".csv").unwrap_or(stem);
        let answer = harbour.wait_for(&format!("{stem}_nack.csv")).await;
        assert_eq!(answer, expected, "{name}: {}", String::from_utf8_lossy(&content[..content.len().min(300)]));
    }
    assert!(harbour.files().await.iter().all(|(_, answer)| answer == "NACK"));
    harbour.nothing_was_paid().await;
}

#[tokio::test]
async fn the_pages_own_example_is_accepted_and_acknowledged_as_the_page_says() {
    let harbour = Harbour::start().await;
    let name = harbour.name("testfile").await;
    let batch = harbour.accepted(&name, EXAMPLE.as_bytes()).await;
    let ack = harbour.fetch(&format!("{}_ack.csv", stem(&name))).await;
    let time = &ack[..20];
    assert_eq!(ack, format!("{time},{},ACCEPTED_FOR_PROCESSING\n", stem(&name)));
    time::OffsetDateTime::parse(time, &time::format_description::well_known::Rfc3339).expect("2018-02-26T05:48:53Z");
    assert_eq!((&batch["amount"], &batch["count"]), (&json!("17.90"), &json!(5)));
    assert_eq!(harbour.rig.item("REF_ID_1").await["state"], "SUCCESS");
    // Whether an address is one is no check of the file.
    let fifth = harbour.rig.item("REF_ID_5").await;
    assert_eq!((&fifth["state"], &fifth["error"]), (&json!("FAILED"), &json!("INVALID_EMAIL_ID")));
    harbour.conserved().await;
}

#[tokio::test]
async fn the_pages_own_nack_is_what_its_errors_give() {
    let harbour = Harbour::start().await;
    let name = harbour.name("nack").await;
    let content = "PAYOUT_SUMMARY,17.9,ASD,4\nPAYOUT,a@example.com,1.00,USD,first-ref-id\n\
                   PAYOUT,b@example.com,1.00,USD,second-ref-id\nPAYOUT,c@example.com,1.00,USD,third-ref-id\n\
                   PAYOUT,d@example.com,1,00,USD,fourth-ref-id\n"
        .replace("1,00,USD", "\"1,00\",USD");
    harbour.put(&name, content.as_bytes()).await;
    let answer = harbour.wait_for(&format!("{}_nack.csv", stem(&name))).await;
    assert_eq!(
        answer,
        "PAYOUT_SUMMARY,ASD,CURRENCY_INVALID,Currency is not valid\n\
         PAYOUT_SUMMARY,USD,SUMMARY_AND_PAYOUT_MATCH_CONFLICT,Summary and Payout details must match\n\
         PAYOUT,4,fourth-ref-id,PAYOUT_AMOUNT_INVALID_FORMAT,Invalid Payout amount format\n"
    );
    harbour.nothing_was_paid().await;
}

#[tokio::test]
async fn a_name_that_is_not_the_pages_is_refused() {
    let harbour = Harbour::start().await;
    let good = one(SUMMARY, ITEM);
    let long = format!("pp_payouts_1517395059_{}.csv", "a".repeat(64));
    let names = [
        "payouts.csv",
        "PP_payouts_1517395059_a.csv",
        "pp_payouts_1517395059_.csv",
        "pp_payouts__a.csv",
        "pp_payouts_15173x5059_b.csv",
        "pp_payouts_1517395059_a b.csv",
        "pp_payouts_1517395059_a.b.csv",
        "pp_payouts_1517395059_ä.csv",
        "pp_payouts_1517395059_a.csv.csv",
        &long,
    ];
    let mut cases: Vec<(String, Vec<u8>, Vec<&str>)> =
        names.map(|name| (name.to_owned(), good.clone(), vec!["|INVALID_FILE_NAME"])).into();
    let far = harbour.name_ahead("far", 7 * DAY + 60).await;
    cases.push((far, good.clone(), vec!["|SCHEDULED_TIME_ERROR"]));
    cases.push(("pp_payouts_6627887729_testfile.csv".to_owned(), good.clone(), vec!["|SCHEDULED_TIME_ERROR"]));
    let milliseconds = "pp_payouts_1517395059000_ms.csv".to_owned();
    cases.push((milliseconds, good, vec!["|SCHEDULED_TIME_ERROR"]));
    are_refused(&harbour, cases).await;
}

#[tokio::test]
async fn a_file_that_cannot_be_read_is_refused() {
    let harbour = Harbour::start().await;
    let name = |reference: &str| format!("pp_payouts_1517395059_{reference}.csv");
    let zipped = |reference: &str| format!("pp_payouts_1517395059_{reference}.csv.gz");
    let whole = gzip("PAYOUT_SUMMARY,1.00,USD,1\nPAYOUT,a@example.com,1.00,USD,r-1\n");
    let mut wrong_sum = whole.clone();
    let crc = wrong_sum.len() - 8;
    wrong_sum[crc] ^= 1;
    let cases = vec![
        (name("empty"), vec![], vec!["|FILE_SIZE_ERROR"]),
        (zipped("emptygz"), vec![], vec!["|FILE_SIZE_ERROR"]),
        (zipped("nothing"), gzip(""), vec!["|FILE_EMPTY_OR_CORRUPT"]),
        (name("lines"), b"\r\n\n\n".to_vec(), vec!["|FILE_EMPTY_OR_CORRUPT"]),
        (name("zeros"), one(SUMMARY, "PAYOUT,a\0@example.com,1.00,USD,r-1"), vec!["|FILE_EMPTY_OR_CORRUPT"]),
        (zipped("plain"), one(SUMMARY, ITEM), vec!["|GZ_FILE_CORRUPT_ERROR"]),
        (zipped("half"), whole[..whole.len() / 2].to_vec(), vec!["|GZ_FILE_CORRUPT_ERROR"]),
        (zipped("sum"), wrong_sum, vec!["|GZ_FILE_CORRUPT_ERROR"]),
        (zipped("more"), [whole.as_slice(), b"more"].concat(), vec!["|GZ_FILE_CORRUPT_ERROR"]),
        (name("gz"), whole, vec!["|ENCODING_ERROR"]),
        (name("latin"), b"PAYOUT_SUMMARY,1.00,USD,1,Gr\xfc\xdfe\n".to_vec(), vec!["|ENCODING_ERROR"]),
    ];
    are_refused(&harbour, cases).await;
}

#[tokio::test]
async fn a_bad_summary_is_refused() {
    let harbour = Harbour::start().await;
    let long_subject = format!("PAYOUT_SUMMARY,1.00,USD,1,{},", "ü".repeat(256));
    let long_message = format!("PAYOUT_SUMMARY,1.00,USD,1,,{}", "m".repeat(1001));
    let sum = "USD|SUMMARY_AND_PAYOUT_MATCH_CONFLICT";
    let summaries: Vec<(&str, Vec<&str>)> = vec![
        ("PAYOUT_SUMMARY,1.01,USD,1", vec![sum]),
        ("PAYOUT_SUMMARY,1.00,USD,2", vec!["USD|TOTAL_PAYMENTS_MISMATCH"]),
        ("PAYOUT_SUMMARY,2.00,USD,2", vec!["USD|TOTAL_PAYMENTS_MISMATCH", sum]),
        ("PAYOUT_SUMMARY,1.00,USD,1.0", vec!["USD|SUMMARY_LINES_NON_INTEGER"]),
        ("PAYOUT_SUMMARY,1.00,USD,one", vec!["USD|SUMMARY_LINES_NON_INTEGER"]),
        ("PAYOUT_SUMMARY,1.00,USD,0", vec!["USD|SUMMARY_LINES_NON_POSITIVE"]),
        ("PAYOUT_SUMMARY,1.00,USD,-1", vec!["USD|SUMMARY_LINES_NON_POSITIVE"]),
        ("PAYOUT_SUMMARY,$1.00,USD,1", vec!["USD|SUMMARY_AMOUNT_INVALID_FORMAT"]),
        ("PAYOUT_SUMMARY,\"1,00\",USD,1", vec!["USD|SUMMARY_AMOUNT_INVALID_FORMAT"]),
        ("PAYOUT_SUMMARY,1e0,USD,1", vec!["USD|SUMMARY_AMOUNT_INVALID_FORMAT"]),
        ("PAYOUT_SUMMARY,1.000,USD,1", vec!["USD|SUMMARY_AMOUNT_INVALID_FORMAT"]),
        ("PAYOUT_SUMMARY,0.00,USD,1", vec!["USD|SUMMARY_AMOUNT_NON_POSITIVE"]),
        ("PAYOUT_SUMMARY,-1.00,USD,1", vec!["USD|SUMMARY_AMOUNT_NON_POSITIVE"]),
        ("PAYOUT_SUMMARY,1.00,usd,1", vec!["usd|CURRENCY_INVALID"]),
        ("PAYOUT_SUMMARY,1.00,TND,1", vec!["TND|CURRENCY_INVALID"]),
        ("PAYOUT_SUMMARY,1.00,EUR,1", vec!["EUR|MULTI_CURRENCY_NOT_SUPPORTED"]),
        ("PAYOUT_SUMMARY,1.00,,1", vec!["|MANDATORY_COLUMN_MISSING"]),
        ("PAYOUT_SUMMARY,1.00,USD", vec!["USD|MANDATORY_COLUMN_MISSING"]),
        ("PAYOUT_SUMMARY", vec!["|MANDATORY_COLUMN_MISSING"]),
        ("payout_summary,1.00,USD,1", vec!["USD|INVALID_FIRST_COLUMN"]),
        ("TOTAL,1.00,USD,1", vec!["USD|INVALID_FIRST_COLUMN"]),
        ("\u{feff}PAYOUT_SUMMARY,1.00,USD,1", vec!["USD|INVALID_FIRST_COLUMN"]),
        ("PAYOUT_SUMMARY,1.00,USD,1,a,b,c", vec!["USD|INVALID_FILE_FORMAT"]),
        ("PAYOUT_SUMMARY, 1.00, USD, 1", vec![" USD|INVALID_FILE_FORMAT"]),
        ("PAYOUT_SUMMARY,1.00,USD,1,\"open", vec!["|INVALID_FILE_FORMAT"]),
        ("PAYOUT_SUMMARY,1.00,USD,1,say \"x\"", vec!["|INVALID_FILE_FORMAT"]),
        ("", vec!["|INVALID_FILE_FORMAT"]),
        (&long_subject, vec!["USD|EMAIL_SUBJECT_EXCEEDED_MAX_SIZE"]),
        (&long_message, vec!["USD|EMAIL_MESSAGE_EXCEEDED_MAX_SIZE"]),
    ];
    let cases = summaries
        .into_iter()
        .enumerate()
        .map(|(number, (summary, lines))| (format!("pp_payouts_1517395059_s{number}.csv"), one(summary, ITEM), lines));
    are_refused(&harbour, cases.collect()).await;
}

#[tokio::test]
async fn a_summary_stands_first_and_alone() {
    let harbour = Harbour::start().await;
    let cases = [
        (format!("{ITEM}\n"), vec!["USD|SUMMARY_MISSING"]),
        (format!("{ITEM}\n{SUMMARY}\n"), vec!["USD|INVALID_SUMMARY_LINE_POSITION"]),
        (format!("{SUMMARY}\n{ITEM}\n{SUMMARY}\n"), vec!["USD|MULTIPLE_SUMMARY_RECORDS"]),
        (format!("{SUMMARY}\n"), vec!["USD|TOTAL_PAYMENTS_MISMATCH", "USD|SUMMARY_AND_PAYOUT_MATCH_CONFLICT"]),
        (
            "PAYOUT_SUMMARY,3.00,USD,2\nPAYOUT,a@example.com,1.00,USD,r\nPAYOUT,b@example.com,2.00,EUR,s\n".to_owned(),
            vec!["USD|MULTI_CURRENCY_NOT_SUPPORTED"],
        ),
    ];
    let cases = cases.into_iter().enumerate().map(|(number, (content, lines))| {
        (format!("pp_payouts_1517395059_p{number}.csv"), content.into_bytes(), lines)
    });
    are_refused(&harbour, cases.collect()).await;
}

#[tokio::test]
async fn a_bad_item_is_refused_by_its_number_and_reference() {
    let harbour = Harbour::start().await;
    let long_note = format!("PAYOUT,a@example.com,1.00,USD,r-1,{}", "n".repeat(1001));
    let long_recipient = format!("PAYOUT,{}@example.com,1.00,USD,r-1", "a".repeat(116));
    let long_reference = format!("PAYOUT,a@example.com,1.00,USD,{},", "r".repeat(31));
    let long_reference_line = format!("1|{}|INVALID_REF_ID_FORMAT", "r".repeat(31));
    let sum = "USD|SUMMARY_AND_PAYOUT_MATCH_CONFLICT";
    let items: Vec<(&str, Vec<&str>)> = vec![
        ("PAYOUT,a@example.com,1.000,USD,r-1", vec![sum, "1|r-1|PAYOUT_AMOUNT_INVALID_FORMAT"]),
        ("PAYOUT,a@example.com,$1,USD,r-1", vec![sum, "1|r-1|PAYOUT_AMOUNT_INVALID_FORMAT"]),
        ("PAYOUT,a@example.com,\"1,000.00\",USD,r-1", vec![sum, "1|r-1|PAYOUT_AMOUNT_INVALID_FORMAT"]),
        ("PAYOUT,a@example.com,+1.00,USD,r-1", vec![sum, "1|r-1|PAYOUT_AMOUNT_INVALID_FORMAT"]),
        ("PAYOUT,a@example.com,.50,USD,r-1", vec![sum, "1|r-1|PAYOUT_AMOUNT_INVALID_FORMAT"]),
        ("PAYOUT,a@example.com,0.00,USD,r-1", vec![sum, "1|r-1|PAYOUT_AMOUNT_NON_POSITIVE"]),
        ("PAYOUT,a@example.com,-1.00,USD,r-1", vec![sum, "1|r-1|PAYOUT_AMOUNT_NON_POSITIVE"]),
        ("PAYOUT,a@example.com,,USD,r-1", vec![sum, "1|r-1|MANDATORY_COLUMN_MISSING"]),
        ("PAYOUT,,1.00,USD,r-1", vec!["1|r-1|MANDATORY_COLUMN_MISSING"]),
        ("PAYOUT,a@example.com,1.00,USD,", vec!["1||MANDATORY_COLUMN_MISSING"]),
        ("PAYOUT,a@example.com,1.00,USD", vec!["1||MANDATORY_COLUMN_MISSING"]),
        ("PAYOUT,a@example.com,1.00,XXX,r-1", vec!["1|r-1|INVALID_CURRENCY"]),
        ("PAYOUT,a@example.com,1.00,usd,r-1", vec!["1|r-1|INVALID_CURRENCY"]),
        ("PAYOUT,a@example.com,1.00,USD,r.1", vec!["1|r.1|INVALID_REF_ID_FORMAT"]),
        ("PAYOUT,a@example.com,1.00,USD,rä", vec!["1|rä|INVALID_REF_ID_FORMAT"]),
        (&long_reference, vec![&long_reference_line]),
        ("Payout,a@example.com,1.00,USD,r-1", vec![sum, "1|r-1|INVALID_FIRST_COLUMN"]),
        ("PAYMENT,a@example.com,1.00,USD,r-1", vec![sum, "1|r-1|INVALID_FIRST_COLUMN"]),
        ("PAYOUT,a@example.com, 1.00,USD,r-1", vec![sum, "1|r-1|INVALID_FILE_FORMAT"]),
        ("PAYOUT,a@example.com,1.00,USD,r-1,n,,,,GOODS,x", vec![sum, "1|r-1|INVALID_FILE_FORMAT"]),
        ("PAYOUT,a@example.com,1.00,USD,r-1,\"n\"x", vec![sum, "1||INVALID_FILE_FORMAT"]),
        ("PAYOUT,a@example.com,1.00,USD,r-1,n,SECRET", vec!["1|r-1|INVALID_FILE_FORMAT"]),
        ("PAYOUT,a@example.com,1.00,USD,r-1,n,PRIVATE,,,BRIBES", vec!["1|r-1|INVALID_PURPOSE"]),
        ("PAYOUT_VENMO,a@example.com,1.00,USD,r-1", vec!["1|r-1|MANDATORY_COLUMN_MISSING"]),
        (&long_note, vec!["1|r-1|EMAIL_MESSAGE_EXCEEDED_MAX_SIZE"]),
        (&long_recipient, vec!["1|r-1|INVALID_FILE_FORMAT"]),
        ("", vec![sum, "1||INVALID_FILE_FORMAT"]),
        (
            "PAYOUT,a@example.com,0.50,USD,r-1\nPAYOUT,b@example.com,0.50,USD,r-1",
            vec!["USD|TOTAL_PAYMENTS_MISMATCH", "2|r-1|DUPLICATE_REF_ID"],
        ),
        (
            "PAYOUT,a@example.com,1.00,USD,r-1\n\n",
            vec!["USD|TOTAL_PAYMENTS_MISMATCH", "2||INVALID_FILE_FORMAT", "3||INVALID_FILE_FORMAT"],
        ),
    ];
    let cases = items.into_iter().enumerate().map(|(number, (item, lines))| {
        let name = format!("pp_payouts_1517395059_i{number}.csv");
        (name, one("PAYOUT_SUMMARY,1.00,USD,1", item), lines)
    });
    are_refused(&harbour, cases.collect()).await;
}

#[tokio::test]
async fn whatever_the_page_allows_is_accepted() {
    let harbour = Harbour::start().await;
    let good: [&[u8]; 12] = [
        b"PAYOUT_SUMMARY,17.9,USD,1,You Got a Payout,Payout For\nPAYOUT,test-1@paypal.com,17.90,USD,REF_ID_1\n",
        b"PAYOUT_SUMMARY,17.9,USD,1,,Payout For\nPAYOUT,test-1@paypal.com,17.9,USD,REF_ID_1,\n",
        b"PAYOUT_SUMMARY,17.9,USD,1,You Got a Payout,\nPAYOUT,test-1@paypal.com,17.9,USD,REF_ID_1,NOTE_1",
        b"PAYOUT_SUMMARY,17.9,USD,1,You Got a Payout\nPAYOUT,test-1@paypal.com,17.9,USD,REF_ID_1,\"NOTE_1,test\"\n",
        b"PAYOUT_SUMMARY,17.9,USD,1\nPAYOUT,test-1@paypal.com,17.9,USD,REF_ID_1,\"NOTE_1,test\"\"23\"\"\"\n",
        b"PAYOUT_SUMMARY,17.9,USD,1,\"Hey, You got a Payout\",Payout for\nPAYOUT,t@paypal.com,17.9,USD,R_2\n",
        b"PAYOUT_SUMMARY,17.9,USD,1,\"HEY, YOU GOT a \"\"PAYOUT\"\"\",Payout For\nPAYOUT,t@paypal.com,17.9,USD,R_3\n",
        b"PAYOUT_SUMMARY,5,JPY,1\r\nPAYOUT,a@example.com,5,JPY,r-1\r\n",
        b"PAYOUT_SUMMARY,3.00,USD,2\nPAYOUT,a@example.com,1.00,USD,r-1,n,PUBLIC,http://h,http://l,AWARDS\nPAYOUT_VENMO,@someone,2,USD,r-2,Thanks\n",
        "PAYOUT_SUMMARY,1.00,EUR,1,Grüße ✓, mit Rand \nPAYOUT,a@example.com,1.00,EUR,r-1, Ünicode\n".as_bytes(),
        b"PAYOUT_SUMMARY,1.00,USD,1\n\"PAYOUT\",\"a@example.com\",\"1.00\",\"USD\",\"r-9\"\n",
        b"PAYOUT_SUMMARY,2.00,USD,2\nPAYOUT,ABCDEFGHJK234,1.00,USD,id\nPAYOUT,+14155550123,1.00,USD,phone\n",
    ];
    let visit = harbour.visit().await;
    for (number, content) in good.iter().enumerate() {
        visit.put(&format!("pp_payouts_1517395059_g{number}.csv"), content).await.unwrap();
    }
    let zipped = gzip("PAYOUT_SUMMARY,1.5,USD,1\nPAYOUT,zip@example.com,1.50,USD,zip\n");
    visit.put("pp_payouts_1517395059_zip.csv.gz", &zipped).await.unwrap();
    let subject = format!("PAYOUT_SUMMARY,1.00,USD,1,{},{}\n{ITEM}", "ü".repeat(255), "m".repeat(1000));
    let reference = "r".repeat(63);
    visit.put(&format!("pp_payouts_1_{reference}.csv"), subject.as_bytes()).await.unwrap();
    harbour.picked_up(good.len() + 2).await;
    let refused: Vec<_> = harbour.files().await.into_iter().filter(|(_, answer)| answer != "ACK").collect();
    assert_eq!(refused, [], "{}", harbour.rig.get("/_simulator/dropzone").await.text);
    harbour.wait_for("pp_payouts_1517395059_zip_ack.csv").await;
    assert_eq!(harbour.rig.item("zip").await["state"], "SUCCESS");
    assert_eq!(harbour.rig.item("phone").await["state"], "SUCCESS");
    harbour.conserved().await;
}

#[tokio::test]
async fn a_name_is_used_once_and_a_content_once_in_seven_days() {
    let harbour = Harbour::start().await;
    let (first, again) = (harbour.name("first").await, harbour.name("again").await);
    let content = file(&["a@example.com"]);
    harbour.accepted(&first, content.as_bytes()).await;
    harbour.put(&first, b"PAYOUT_SUMMARY,1.00,USD,1\nPAYOUT,b@example.com,1.00,USD,r\n").await;
    let dups = harbour.wait_for(&format!("{}_dups.csv", stem(&first))).await;
    assert!(dups.ends_with(&format!(",{},DUPLICATE_FILE\n", stem(&first))), "{dups}");
    harbour.put(&again, content.as_bytes()).await;
    let nack = harbour.wait_for(&format!("{}_nack.csv", stem(&again))).await;
    let text = format!("The content of the file was received within the last seven days as {first}");
    assert_eq!(nack, format!("PAYOUT_SUMMARY,USD,DUPLICATE_FILE,{text}\n"));
    assert_eq!(harbour.rig.accepted().await, 1);
    // A name that was refused is used all the same, and a week later the content is new.
    harbour.put(&again, b"PAYOUT_SUMMARY,1.00,USD,1\nPAYOUT,b@example.com,1.00,USD,r\n").await;
    harbour.wait_for(&format!("{}_dups.csv", stem(&again))).await;
    harbour.rig.advance(7 * DAY).await;
    harbour.accepted("pp_payouts_1517395059_later.csv", content.as_bytes()).await;
    assert_eq!(harbour.rig.accepted().await, 2);
    harbour.conserved().await;
}
