//! CSV files through the door: uploaded, checked, imported; hostile ones refused.

mod interrupted;

use crate::support::books::check_books;
use crate::support::client::{Client, Page};
use crate::support::site::Site;
use stipend::id::MerchantId;
use stipend::import;

/// A preparer of "Acme" at work.
struct Desk {
    site: Site,
    client: Client,
    merchant: MerchantId,
}

impl Desk {
    async fn open() -> Self {
        let site = Site::staffed().await;
        let client = site.signed_in("preparer@example.com").await;
        let mut tx = site.app.database.installation().await.unwrap();
        let merchant = sqlx::query_scalar("select id from merchants where name = 'Acme'").fetch_one(&mut *tx).await;
        Self { merchant: MerchantId(merchant.unwrap()), site, client }
    }

    async fn upload(&self, kind: &str, name: &str, file: impl AsRef<[u8]>) -> Page {
        let address = format!("/imports/new/{kind}");
        let page = self.client.open(&address).await;
        let token = page.form(&address).value("token").unwrap().to_owned();
        let answer = post_file(&self.client, &address, &token, name, file.as_ref()).await;
        if answer.status == 303 { self.client.open(answer.header("location")).await } else { answer }
    }

    /// Uploads a file, says what its columns mean as the form guessed it and as told here, and has it checked.
    async fn checked(&self, kind: &str, file: impl AsRef<[u8]>, fill: &[(&str, &str)]) -> Page {
        let page = self.upload(kind, "file.csv", file).await;
        assert_eq!(page.status, 200, "{}", page.text());
        let moved = self.client.submit(&page, &format!("{}/mapping", page.url), fill).await;
        assert_eq!(moved.status, 200, "{}", moved.text());
        self.work().await;
        self.client.open(&page.url).await
    }

    /// Imports what a check has found good.
    async fn confirmed(&self, page: &Page) -> Page {
        let moved = self.client.submit(page, &format!("{}/confirmation", page.url), &[]).await;
        assert_eq!(moved.status, 200, "{}", moved.text());
        self.work().await;
        check_books(&self.site.app, self.merchant).await;
        self.client.open(&page.url).await
    }

    async fn work(&self) {
        while import::next(&self.site.app).await.unwrap() {}
    }

    async fn affiliates(&self) {
        let page = self.checked("affiliates", "email,code\nada@example.com,ADA\ngrace@example.com,\n,K7\n", &[]).await;
        assert!(self.confirmed(&page).await.text().contains("Done: 3 affiliates imported"));
    }

    async fn count(&self, query: &'static str) -> i64 {
        let mut tx = self.site.app.database.merchant(self.merchant).await.unwrap();
        sqlx::query_scalar(query).fetch_one(&mut *tx).await.unwrap()
    }
}

pub async fn post_file(client: &Client, address: &str, token: &str, name: &str, file: &[u8]) -> Page {
    let head = format!(
        "--line\r\ncontent-disposition: form-data; name=\"token\"\r\n\r\n{token}\r\n--line\r\n\
         content-disposition: form-data; name=\"file\"; filename=\"{name}\"\r\ncontent-type: text/csv\r\n\r\n"
    );
    let body = [head.as_bytes(), file, b"\r\n--line--\r\n"].concat();
    client.post_raw(address, &[("content-type", "multipart/form-data; boundary=line")], body).await
}

const ISO: [(&str, &str); 2] = [("decimal", "point"), ("dates", "iso")];
const HEADER: &str = "affiliate,amount,currency,due date,reference,note,paid on";

fn file(lines: &[&str]) -> String {
    [&[HEADER], lines].concat().join("\n")
}

#[tokio::test]
async fn every_bad_line_is_named_with_what_to_do_and_the_good_ones_come_in() {
    let desk = Desk::open().await;
    desk.affiliates().await;
    let bad = [
        ("ada@example.com,\"1,234.50\",USD,2026-02-01,B-1,,", "has a grouping sign. Write 1234.50."),
        ("ada@example.com,\"1.234,50\",USD,2026-02-01,B-2,,", "has a grouping sign. Write 1234.50."),
        ("ada@example.com,\"12,50\",USD,2026-02-01,B-3,,", "Write 12.50."),
        ("ada@example.com,1.000,USD,2026-02-01,B-4,,", "can be read in two ways"),
        ("ada@example.com,\"1,000\",USD,2026-02-01,B-5,,", "can be read in two ways"),
        ("ada@example.com,-5.00,USD,2026-02-01,B-6,,", "is negative"),
        ("ada@example.com,0,USD,2026-02-01,B-7,,", "must be more than zero"),
        ("ada@example.com,$5,USD,2026-02-01,B-8,,", "has more than digits in it"),
        ("ada@example.com,5.50,JPY,2026-02-01,B-9,,", "JPY amounts have no decimal places"),
        ("ada@example.com,5.50,TND,2026-02-01,B-10,,", "PayPal does not pay out “TND”"),
        ("ada@example.com,,USD,2026-02-01,B-11,,", "The amount is missing."),
        ("ada@example.com,5.50,,2026-02-01,B-12,,", "The currency is missing."),
        ("ada@example.com,5.50,USD,,B-13,,", "The due date is missing."),
        ("ada@example.com,5.50,USD,01/02/2026,B-14,,", "The due date “01/02/2026” is not a date as chosen"),
        ("ada@example.com,5.50,USD,2026-02-30,B-15,,", "is not a date"),
        ("ada@example.com,5.50,USD,2026-02-01,,,", "The reference is missing"),
        ("ada@example.com,5.50,USD,2026-02-01,B-17,,soon", "The day it was paid on “soon” is not a date"),
        (",5.50,USD,2026-02-01,B-18,,", "The affiliate is missing."),
        ("eve@example.com,5.50,USD,2026-02-01,B-19,,", "Import or add the affiliates first."),
        ("ada@example.com,5.50,USD,2026-02-01,B-20", "The line has 5 columns, and the header has 7."),
        ("ada@example.com,5,50,USD,2026-02-01,B-21,,", "The line has 8 columns, and the header has 7."),
        ("ada@example.com,99999999999999,USD,2026-02-01,B-22,,", "the amount is too large"),
        ("ada@example.com,7.00,USD,2026-02-01,G-1,,", "is in line 2 already, with other content"),
        ("nobody,$,XXX,,,,", "PayPal does not pay out “XXX”"),
    ];
    let good = [
        "ada@example.com,5.50,USD,2026-02-01,G-1,first,",
        "ADA,1234.5,eur,2026-03-01,G-2,by code,",
        "k7,1200,JPY,2026-03-01,G-3,,",
        "Grace@Example.com,8.00,USD,2025-12-01,G-4,,2025-12-24",
        "ada@example.com,5.50,USD,2026-02-01,G-1,first,",
    ];
    let long = format!("ada@example.com,5.50,USD,2026-02-01,{},,", "R".repeat(129));
    let lines: Vec<&str> =
        good.iter().copied().chain(bad.iter().map(|(line, _)| *line)).chain([long.as_str()]).collect();
    let page = desk.checked("commissions", file(&lines), &ISO).await;
    let text = page.text();
    assert!(text.contains("30 lines: 4 ready, 25 with problems, 1 already known."), "{text}");
    assert!(text.contains("PayPal does not pay out “XXX”"), "all that is wrong with a line is said: {text}");
    for (place, (line, problem)) in bad.iter().enumerate() {
        let number = place + 2 + good.len();
        let row = text.split("What to mend").nth(1).unwrap();
        let row = row.split(&format!(" {number} ")).nth(1).unwrap_or_else(|| panic!("line {number}: {line}: {text}"));
        let row = row.split(&format!(" {} ", number + 1)).next().unwrap();
        assert!(row.contains(problem), "line {number}, {line}: {row}");
    }
    assert!(text.contains("up to 128 characters"));

    let problems = desk.client.get(&format!("{}/problems.csv", page.url)).await;
    assert_eq!(problems.status, 200);
    assert_eq!(problems.body.lines().next(), Some(&*format!("{HEADER},Line,Problem")));
    assert_eq!(problems.body.matches("\r\n").count(), 26, "{}", problems.body);
    assert!(
        problems.body.contains("ada@example.com,'-5.00,USD,2026-02-01,B-6,,,12,"),
        "no cell runs: {}",
        problems.body
    );

    let done = desk.confirmed(&page).await;
    assert!(
        done.text().contains("Done: 4 commissions imported, 25 with problems, 1 already known."),
        "{}",
        done.text()
    );
    assert_eq!(desk.count("select count(*) from commissions").await, 4);
    assert_eq!(desk.count("select count(*) from owed").await, 3, "what was paid before is never owed");
    assert_eq!(desk.count("select count(*) from import_commissions").await, 0, "what is in is not kept twice");
    assert_eq!(desk.client.get(&format!("{}/problems.csv", page.url)).await.body, problems.body);
    let paid = desk.client.open("/affiliate_payments/paid").await.text();
    assert!(paid.contains("24 Dec 2025 before Stipend G-4 USD 8.00"), "{paid}");
    let audited = "select count(*) from audit_entries where action in ('import started', 'import finished')
        and details->>'kind' = 'commissions'";
    assert_eq!(desk.count(audited).await, 2);
}

#[tokio::test]
async fn the_same_file_again_is_known_and_another_content_is_never_an_update() {
    let desk = Desk::open().await;
    desk.affiliates().await;
    let lines = [
        "ada@example.com,5.50,USD,2026-02-01,R-1,n,",
        "ADA,7.00,USD,2026-02-01,R-2,,",
        "K7,1,USD,2026-02-01,R-3,,2026-01-01",
    ];
    let page = desk.checked("commissions", file(&lines), &ISO).await;
    desk.confirmed(&page).await;
    let again = desk.checked("commissions", file(&lines), &ISO).await;
    assert!(again.text().contains("3 lines: 0 ready, 0 with problems, 3 already known. There is nothing to import."));
    assert!(!again.body.contains("/confirmation"), "there is no button to import nothing");
    for (line, problem) in [
        ("ada@example.com,5.51,USD,2026-02-01,R-1,n,", "with other content: USD 5.50."),
        ("ada@example.com,5.50,EUR,2026-02-01,R-1,n,", "with other content: USD 5.50."),
        ("grace@example.com,5.50,USD,2026-02-01,R-1,n,", "with other content: another affiliate."),
        ("ada@example.com,5.50,USD,2026-02-02,R-1,n,", "with other content: due on 2026-02-01."),
        ("ada@example.com,5.50,USD,2026-02-01,R-1,m,", "with other content: another note."),
        ("ada@example.com,5.50,USD,2026-02-01,R-1,n,2026-02-03", "with other content: not imported as paid."),
        ("K7,1,USD,2026-02-01,R-3,,", "with other content: paid on 2026-01-01."),
    ] {
        let page = desk.checked("commissions", file(&[line]), &ISO).await;
        assert!(page.text().contains("1 line: 0 ready, 1 with problems"), "{}", page.text());
        assert!(page.text().contains(problem), "{line}: {}", page.text());
    }
    assert_eq!(desk.count("select count(*) from commissions where note in ('n', '')").await, 3);
    // A column that the file does not have is not compared.
    let page = desk.checked(
        "commissions",
        "affiliate,amount,due date,reference\nADA,5.50,2026-02-01,R-1\n",
        &[("decimal", "point"), ("currency", "USD")],
    );
    let page = page.await;
    assert!(page.text().contains("1 already known"), "{}", page.text());
}

#[tokio::test]
async fn affiliates_are_new_known_or_a_problem() {
    let desk = Desk::open().await;
    let header = "E-mail;First name;Last name;Affiliate code;PayPal e-mail\n";
    let first = format!(
        "{header}ada@example.com;Ada;Lovelace;ADA;\nG@example.com;Grace;\"Hopper; Admiral\";;grace@pay.example\n;No;Mail;K7;\n"
    );
    let page = desk.checked("affiliates", &first, &[]).await;
    assert!(page.text().contains("3 lines: 3 ready, 0 with problems, 0 already known."), "{}", page.text());
    desk.confirmed(&page).await;
    let second = format!(
        "{header}{}",
        [
            "ADA@example.com;Ada;Lovelace;ada;",
            "ada@example.com;Ada;King;ADA;",
            "g@example.com;Grace;\"Hopper; Admiral\";;other@pay.example",
            "new@example.com;;;K7;",
            "ada@example.com;;;K7;",
            "nonsense;;;;",
            ";Nobody;;;",
            "jürgen@example.com;Jürgen;Müller;;",
            "twin@example.com;Twin;One;;",
            "TWIN@example.com;Twin;One;;",
            "twin@example.com;Twin;Two;;",
            "x@example.com;;;;not ok@pay.example",
        ]
        .join("\n")
    );
    let page = desk.checked("affiliates", &second, &[]).await;
    let text = page.text();
    assert!(text.contains("12 lines: 2 ready, 8 with problems, 2 already known."), "{text}");
    for part in [
        "first name “No”",
        "PayPal email “grace@pay.example”",
        "The email or code is in line 10 already",
        "Give an email, or an affiliate code",
        "Check the email",
        "Check the PayPal email",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let done = desk.confirmed(&page).await;
    assert!(done.text().contains("Done: 2 affiliates imported"), "{}", done.text());
    assert_eq!(desk.count("select count(*) from affiliates").await, 5);
    assert_eq!(desk.count("select count(*) from affiliates where first_name = 'Jürgen'").await, 1);
    assert_eq!(desk.count("select count(*) from affiliates where last_name = 'Lovelace' and version = 1").await, 1);
}

#[tokio::test]
async fn amounts_and_dates_are_read_as_chosen_in_any_encoding() {
    let desk = Desk::open().await;
    desk.affiliates().await;
    let text = "Affiliate;Betrag;Fällig;Reference\r\nADA;1234,50;03.05.2026;Ä-1\r\nADA;7;4.5.2026;Ä-2\r\n";
    let utf16: Vec<u8> = [0xfeff].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let page = desk.upload("commissions", "Ümläute.csv", &utf16).await;
    for part in
        ["“1234,50” becomes 1234.50", "“1234,50” cannot be read", "The first lines of the file", "Fällig", "Ä-1"]
    {
        assert!(page.text().contains(part), "{part}: {}", page.text());
    }
    let mapping = format!("{}/mapping", page.url);
    let wrong = desk.client.submit(&page, &mapping, &[]).await;
    assert_eq!(wrong.status, 422);
    for part in ["amounts are not guessed", "Choose the column of the due date.", "Choose the column of the currency."]
    {
        assert!(wrong.text().contains(part), "{part}: {}", wrong.text());
    }
    let fill = [("decimal", "comma"), ("dates", "dots"), ("due_on", "2"), ("currency", "EUR")];
    desk.client.submit(&wrong, &mapping, &fill).await;
    desk.work().await;
    let checked = desk.client.open(&page.url).await;
    assert!(checked.text().contains("2 lines: 2 ready"), "{}", checked.text());
    desk.confirmed(&checked).await;
    let right = "select count(*) from commissions
        where (amount, currency, due_on, reference) in ((1234.50, 'EUR', '2026-05-03', 'Ä-1'), (7, 'EUR', '2026-05-04', 'Ä-2'))";
    assert_eq!(desk.count(right).await, 2);
}

#[tokio::test]
async fn a_file_that_cannot_be_read_is_explained_and_leaves_nothing() {
    let desk = Desk::open().await;
    let line = "ada@example.com,1.00,USD,2026-01-01,R,,\n";
    let long = [HEADER.as_bytes(), b"\n", line.repeat(9000).as_bytes()].concat();
    let files: Vec<(&str, Vec<u8>)> = vec![
        ("The file is empty.", vec![]),
        ("The file is empty.", b"\n\n \n".to_vec()),
        ("a header and no lines", format!("{HEADER}\n,,,,,,\n").into_bytes()),
        ("an Excel workbook", b"PK\x03\x04\x14\0\0\0[Content_Types].xml xl/workbook.xml".to_vec()),
        ("a ZIP archive", b"PK\x03\x04\x14\0\0\0\0\0".to_vec()),
        ("a compressed file (gzip)", b"\x1f\x8b\x08\0\0\0\0\0".to_vec()),
        ("an old Excel workbook", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".to_vec()),
        ("Line 9002 has a letter that is not in UTF-8", [&long, b"J\xfcrgen,1,USD,2026-01-01,X,,".as_slice()].concat()),
        ("Line 9002 has a character that no text has", [&long, b"A\0da,1,USD,2026-01-01,X,,".as_slice()].concat()),
        ("The quote that opens in line 9002 is never closed.", [&long, b"ada,\"1,USD\n".as_slice()].concat()),
        ("Line 9002 is longer than one megabyte", [&long, b"ada,\"".as_slice(), &b"1".repeat(5_000_000)].concat()),
        ("Line 2 has more than 200 columns", [HEADER.as_bytes(), b"\n", &b",".repeat(1000)].concat()),
    ];
    for (why, file) in files {
        let page = desk.upload("commissions", "f.csv", &file).await;
        assert_eq!(page.status, 422, "{why}");
        assert!(page.text().contains(why), "{why}: {}", page.text());
        for left in ["select count(*) from imports", "select count(*) from import_parts"] {
            assert_eq!(desk.count(left).await, 0, "{why}");
        }
    }
    let none = desk.client.open("/imports/new/commissions").await;
    let token = none.form("/imports/new/commissions").value("token").unwrap().to_owned();
    let page = post_file(&desk.client, "/imports/new/commissions", &token, "", b"").await;
    assert_eq!((page.status, page.text().contains("Choose a file first.")), (422, true));
    let page = post_file(&desk.client, "/imports/new/commissions", "wrong", "f.csv", line.as_bytes()).await;
    assert_eq!(page.status, 403);
    assert_eq!(desk.client.post("/imports/new/commissions", &[("token", &token)]).await.status, 415);
    assert_eq!(desk.client.get("/imports/new/payments").await.status, 404);
    assert_eq!(desk.count("select count(*) from imports").await, 0);
}
