//! `stipend legacy import`: a thousand merchants, and every kind of broken line among them.

use super::{CANARIES, everything_kept, in_force, no_canary, read_file, said};
use crate::support::program::{RunAs, program};
use crate::support::world::World;
use stipend::id::MerchantId;

const IMPORT: &[&str] = &["legacy", "import"];
const HEADER: &str = "Merchant,API Username,API Password,API Signature,Environment,connected_on,comment\n";

fn import(world: &World, file: &str, flags: &[&str]) -> (i32, String) {
    let output = read_file(world, IMPORT, file.as_bytes(), flags);
    (output.status.code().unwrap(), said(&output))
}

fn line(merchant: &str, environment: &str) -> String {
    format!("{merchant},{},{environment},2016-03-01,\n", CANARIES.join(","))
}

async fn add_merchants(world: &World, count: i32) {
    let mut tx = world.app.database.installation().await.unwrap();
    let sql = "insert into merchants (id, name, time_zone, created_at)
        select gen_random_uuid(), 'Merchant ' || n, 'UTC', $1 from generate_series(1, $2) n";
    sqlx::query(sql).bind(world.app.clock.now()).bind(count).execute(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
}

async fn count(world: &World, sql: &'static str) -> i64 {
    let mut tx = world.app.database.installation().await.unwrap();
    sqlx::query_scalar(sql).fetch_one(&mut *tx).await.unwrap()
}

const LEGACY: &str = "select count(*) from connections where kind = 'legacy_masspay' and in_force";
const ENTRIES: &str = "select count(*) from audit_entries where action like 'legacy connection%'";

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_merchants_come_in_and_every_broken_line_is_named() {
    let world = World::connected().await;
    add_merchants(&world, 1_010).await;
    let [user, password, signature] = CANARIES;
    let quoted = format!("\"Merchant 1001,{user},{password},{signature},live,,\n");
    let good =
        |number: u32| line(&format!("merchant {number} "), if number.is_multiple_of(2) { "live" } else { "Sandbox" });
    // Each with what is said of it.
    let broken: Vec<(String, &str)> = vec![
        (line("Merchant 9999", "live"), "merchant: there is no merchant of this name"),
        (line("", "live"), "merchant: it is empty"),
        (line("Acme", "live"), "connected through PayPal’s Payouts API already"),
        (good(1), "the same merchant as in line 2"),
        (line("Merchant 1001", "production"), "environment: write live, sandbox or simulator"),
        (format!("Merchant 1001,,{password},{signature},live,,\n"), "api_username: it is empty"),
        (
            format!("Merchant 1001,{user},, ,live,,\n"),
            "api_password: it is empty; copy it from PayPal, or from what paid before. api_signature",
        ),
        (format!("Merchant 1001,{user},two {password},{signature},live,,\n"), "api_password: it has spaces"),
        (format!("Merchant 1001,{user},{password},{},live,,\n", signature.repeat(20)), "api_signature: it is too long"),
        (format!("Merchant 1001,{user},{password},{signature},live,01/03/2016,\n"), "connected_on: write the day"),
        (
            format!("Merchant 1001,{user},{password},{signature},live,2999-01-01,\n"),
            "connected_on: this day is yet to come",
        ),
        // Swapped and shifted columns: a secret stands where a name or an environment should.
        (format!("{password},Merchant 1001,{user},{signature},live,,\n"), "merchant: there is no merchant"),
        (format!("Merchant 1001,{user},live,{signature},{password},,\n"), "environment: write live"),
        (format!("Merchant 1001,{user},{password},{signature},live,{signature},\n"), "connected_on: write the day"),
        (format!("Merchant 1001,{user},{password},{signature},live\n"), "another number of columns"),
        (format!("Merchant 1001,{user},{password},{signature},live,,,,\n"), "another number of columns"),
        (quoted, "opens a quote and never closes it"),
        (format!("Merchant 1001,\"{user}\"{password},{signature},,live,,\n"), "text behind a closing quote"),
        (format!("Merchant 1001,{user},{password}\"x,{signature},live,,\n"), "a quote in the middle of a cell"),
        (format!("Merchant 1001,{user},{password}\0,{signature},live,,\n"), "control characters"),
        (format!("Merchant 1001,{user},{password},{signature},live,,{}\n", "x".repeat(200_000)), "far too long"),
    ];
    let mut file = HEADER.to_owned();
    let mut expected = Vec::new();
    let mut number = 1;
    for merchant in 1..=1_000 {
        number += 1;
        file.push_str(&good(merchant));
        if let Some((bad, words)) = broken.get(merchant as usize / 40).filter(|_| merchant % 40 == 20) {
            number += 1;
            file.push_str(bad);
            expected.push((number, *words));
        }
    }
    let mut file = file.into_bytes();
    file.extend_from_slice(b"Merchant 1002,\xff\xfe,x,y,live,,\n");
    expected.push((number + 1, "not in UTF-8"));
    file.extend_from_slice(b"\n , , \nMerchant 1003,user,pass,sign,live,,");

    let output = read_file(&world, IMPORT, &file, &[]);
    let told = said(&output);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert_eq!(expected.len(), broken.len() + 1, "every broken line is in the file");
    for (number, words) in &expected {
        let of_line = told.lines().find(|line| line.starts_with(&format!("line {number}: ")));
        assert!(of_line.is_some_and(|line| line.contains(words)), "line {number} {words:?}: {of_line:?}");
    }
    assert_eq!(told.lines().filter(|line| line.starts_with("line ")).count(), expected.len(), "{told}");
    assert!(told.contains(&format!("1001 added, {} not used", expected.len())), "{told}");
    assert_eq!(count(&world, LEGACY).await, 1_001);
    assert_eq!(count(&world, ENTRIES).await, 1_001);
    no_canary(&told);
    no_canary(&everything_kept(&world).await);
    assert_eq!(in_force(&world, world.merchant).await.0, ["rest"], "who pays already is left alone");

    let again = read_file(&world, IMPORT, &file, &[]);
    assert!(said(&again).contains(&format!("1001 here already, {} not used", expected.len())), "{}", said(&again));
    assert_eq!((count(&world, LEGACY).await, count(&world, ENTRIES).await), (1_001, 1_001), "nothing was changed");
    world.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_details_are_replaced_only_if_that_is_asked_for() {
    let world = World::new().await;
    let (status, told) = import(&world, &format!("{HEADER}{}", line("Acme", "live")), &[]);
    assert_eq!((status, told.contains("1 added, 0 not used")), (0, true), "{told}");
    let other = format!("{HEADER}Acme,another,secret,here,live,,\n");
    let (status, told) = import(&world, &other, &[]);
    assert!(status == 1 && told.contains("line 2: this merchant has a legacy connection with other details"), "{told}");
    let (status, told) = import(&world, &other, &["--replace"]);
    assert!(status == 0 && told.contains("1 replaced, 0 not used"), "{told}");
    assert!(import(&world, &other, &[]).1.contains("1 here already"));
    world.audited("legacy connection replaced").await;

    let ann = world.site.signed_in("ann@example.com").await;
    let card = ann.open("/integrations/payment").await;
    let card = ann.submit(&card, "/integrations/payment/paypal/disconnection", &[]).await;
    assert!(card.text().contains("Inactive"), "{}", card.text());
    assert_eq!(in_force(&world, world.merchant).await, (vec![], false), "the secrets are destroyed");
    let (status, told) = import(&world, &other, &[]);
    assert!(status == 1 && told.contains("disconnected here, and is not brought back by itself"), "{told}");
    assert!(import(&world, &other, &["--replace"]).1.contains("1 replaced"));
    assert_eq!(in_force(&world, world.merchant).await, (vec!["legacy_masspay".to_owned()], true));
    world.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn any_text_is_read_and_no_other_file_is() {
    let world = World::new().await;
    let text = format!("{HEADER}{}", line("Acme", "live"));
    let wide: Vec<u8> = [0xfeff].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    assert!(said(&read_file(&world, IMPORT, &wide, &[])).contains("1 added"));
    for file in [
        text.replace(',', ";").replace('\n', "\r\n").into_bytes(),
        format!("\u{feff}{text}").into_bytes(),
        text.replace('\n', "\r").into_bytes(),
    ] {
        let told = said(&read_file(&world, IMPORT, &file, &[]));
        assert!(told.contains("1 here already, 0 not used"), "{told}");
    }
    let without_names = line("Acme", "live");
    let missing = text.replace("API Signature", "Sign");
    for file in
        [b"".as_slice(), without_names.as_bytes(), missing.as_bytes(), b"\x1f\x8b\x08\0\0\0\0\0", b"PK\x03\x04xx"]
    {
        let output = read_file(&world, IMPORT, file, &[]);
        assert_eq!(output.status.code(), Some(2), "{}", said(&output));
        assert!(said(&output).contains("nothing of it was used"), "{}", said(&output));
        no_canary(&said(&output));
    }
    let nowhere = program(RunAs::Us).args(["legacy", "import", "/nowhere/file.csv"]).output().unwrap();
    assert_eq!(nowhere.status.code(), Some(2), "{}", said(&nowhere));
    let help = said(&program(RunAs::Us).args(["legacy", "import", "--help"]).output().unwrap());
    for column in ["merchant", "api_username", "api_password", "api_signature", "environment", "connected_on"] {
        assert!(help.contains(&format!("  {column}")), "{help}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn details_of_another_merchant_do_not_open() {
    let world = World::new().await;
    let globex: MerchantId = world.site.merchant("Globex").await;
    let file = format!("{HEADER}{}{}", line("Acme", "live"), line("Globex", "live"));
    assert_eq!(import(&world, &file, &[]).0, 0);
    let sql = "update connections set secret = (select secret from connections where merchant_id = $1) where merchant_id = $2";
    let mut tx = world.app.database.installation().await.unwrap();
    sqlx::query(sql).bind(globex).bind(world.merchant).execute(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
    let (status, told) = import(&world, &file, &[]);
    assert!(status == 1 && told.contains("does not open with this master key"), "{told}");
    no_canary(&told);
}
