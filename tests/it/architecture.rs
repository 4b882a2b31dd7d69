//! Who may know whom. What the compiler cannot say of a single crate is said here, as a table.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Each module, and the modules of ours that it may import. What is not here may not be imported: above all nothing
/// knows the pages, the worker or the program around them, `paypal` knows no commission, and `simulator` never reads
/// `paypal`, so that the two stay independent readings of PayPal's documents.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("id", &[]),
    ("money", &[]),
    ("clock", &[]),
    ("role", &[]),
    ("password", &[]),
    ("vault", &[]),
    ("master_key", &[]),
    ("name", &[]),
    ("newcomer", &["clock", "name", "password"]),
    ("database", &["id"]),
    ("audit", &["database", "id"]),
    ("paypal", &["clock", "money"]),
    ("simulator", &["clock"]),
    ("rehearsal", &["clock"]),
    ("carrier", &["config"]),
    ("large_batch_check", &["paypal"]),
    ("app", &["carrier", "clock", "database", "id", "paypal", "vault"]),
    ("admin", &["audit", "clock", "database", "id", "master_key", "newcomer", "password", "role", "vault"]),
    ("verify", &["database", "money", "paypal"]),
    ("affiliate", &["audit", "database", "id", "money", "name"]),
    ("crash", &[]),
    ("connection", &["app", "audit", "crash", "database", "id", "money", "paypal", "vault"]),
    ("rules", &["audit", "database", "id", "money"]),
    ("payout", &["app", "audit", "connection", "crash", "database", "id", "money", "paypal", "rules"]),
    ("commission", &["audit", "database", "id", "money", "payout", "rules"]),
    ("import", &["affiliate", "app", "audit", "commission", "database", "id", "money", "rules"]),
    ("mail", &["app", "audit", "carrier", "database", "id", "money", "payout", "people"]),
    (
        "legacy",
        &["admin", "app", "audit", "clock", "connection", "database", "id", "money", "payout", "paypal", "vault"],
    ),
    ("trail", &["commission", "database", "id"]),
    ("restored", &["admin", "audit", "database", "id", "payout", "presence"]),
    ("presence", &["app", "clock", "database"]),
    ("rotation", &["admin", "audit", "clock", "database", "id", "master_key", "payout", "people", "presence", "vault"]),
    ("people", &["admin", "app", "audit", "carrier", "database", "id", "newcomer", "role", "vault"]),
    ("factor", &["app", "audit", "database", "id", "money", "vault"]),
    ("prune", &["app"]),
    ("worker", &["app", "connection", "import", "mail", "payout", "people", "prune"]),
    ("telemetry", &["app"]),
    ("config", &[]),
    (
        "web",
        &[
            "admin",
            "affiliate",
            "app",
            "audit",
            "carrier",
            "clock",
            "commission",
            "connection",
            "database",
            "factor",
            "id",
            "import",
            "legacy",
            "mail",
            "money",
            "password",
            "payout",
            "paypal",
            "people",
            "role",
            "rules",
            "telemetry",
            "trail",
        ],
    ),
    (
        "serve",
        &[
            "admin",
            "app",
            "carrier",
            "clock",
            "config",
            "database",
            "id",
            "mail",
            "paypal",
            "presence",
            "rehearsal",
            "telemetry",
            "web",
            "worker",
        ],
    ),
];

/// The program's two ends, which put everything together.
const TOPS: &[&str] = &["main", "lib", "command_line", "demo"];

/// These decide and do nothing else: no database, no waiting.
const PURE: &[&str] = &[
    "money.rs",
    "payout/batch.rs",
    "payout/file.rs",
    "payout/item.rs",
    "payout/reason/mod.rs",
    "payout/report.rs",
    "paypal/answer.rs",
    "paypal/large_batch/answer.rs",
    "paypal/large_batch/check/found.rs",
    "paypal/large_batch/check/lines.rs",
    "paypal/large_batch/check/mod.rs",
    "paypal/large_batch/check/references.rs",
    "paypal/large_batch/file_error.rs",
    "paypal/large_batch/mod.rs",
    "paypal/large_batch/name.rs",
    "paypal/large_batch/records.rs",
    "paypal/large_batch/report.rs",
    "paypal/large_batch/write.rs",
    "paypal/payouts.rs",
    "rules/sentence.rs",
];

/// Every source file, by its path below src.
fn sources() -> BTreeMap<String, String> {
    let sources = texts("src", "rs");
    assert!(sources.len() > 60, "the sources were not found");
    sources
}

/// Every file with this ending below a folder of the project, by its path there.
fn texts(folder: &str, ending: &str) -> BTreeMap<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut folders = vec![root.clone()];
    let mut texts = BTreeMap::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == ending) {
                let name = path.strip_prefix(&root).unwrap().display().to_string();
                texts.insert(name, fs::read_to_string(&path).unwrap());
            }
        }
    }
    texts
}

fn module(file: &str) -> &str {
    file.split('/').next().unwrap().trim_end_matches(".rs")
}

/// The modules of ours that a file names.
fn imports(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for after in text.split("crate::").skip(1) {
        let word = |text: &str| text.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect::<String>();
        match after.strip_prefix('{') {
            Some(list) => found.extend(list.split('}').next().unwrap().split(',').map(|part| word(part.trim()))),
            None => found.extend([word(after)]),
        }
    }
    found.remove("");
    found
}

/// The files whose code contains this.
fn with(sources: &BTreeMap<String, String>, what: &str) -> BTreeSet<String> {
    let found = sources
        .iter()
        .filter(|(_, text)| text.lines().any(|line| !line.trim_start().starts_with("//") && line.contains(what)));
    found.map(|(file, _)| file.clone()).collect()
}

fn files(list: &[&str]) -> BTreeSet<String> {
    list.iter().map(|file| (*file).to_owned()).collect()
}

#[test]
fn each_module_knows_only_whom_it_may() {
    for (file, text) in sources().iter().filter(|(file, _)| !TOPS.contains(&module(file))) {
        let this = module(file);
        let Some((_, allowed)) = MAY_IMPORT.iter().find(|(module, _)| *module == this) else {
            panic!("{file}: say in the table whom {this} may import");
        };
        for import in imports(text) {
            assert!(import == this || allowed.contains(&import.as_str()), "{file} must not know {import}");
        }
    }
}

#[test]
fn only_the_sending_moves_money() {
    let sources = sources();
    assert_eq!(with(&sources, ".create_batch("), files(&["payout/submit.rs"]));
    assert_eq!(with(&sources, "/v1/payments/payouts\""), files(&["paypal/client.rs"]));
    assert_eq!(with(&sources, "session.put("), files(&["payout/upload.rs"]));
    assert_eq!(with(&sources, "sftp.create("), files(&["paypal/dropzone.rs"]));
    for claim in ["ClaimedBatch {", "ClaimedFile {"] {
        assert_eq!(with(&sources, claim), files(&["payout/claim.rs"]), "a claim is made by claiming alone");
    }
}

#[test]
fn an_event_changes_no_payout() {
    let sources = sources();
    let named = imports(&sources["web/webhooks.rs"]);
    assert_eq!(named, files(&["app", "id", "payout"]));
    assert_eq!(sources["web/webhooks.rs"].matches("crate::payout::inbox").count(), 1);
    assert_eq!(sources["web/webhooks.rs"].matches("crate::payout").count(), 1, "the inbox and nothing else");
    for table in ["payout_batches", "payout_items", "allocations"] {
        assert!(!sources["payout/inbox.rs"].contains(table), "the inbox writes {table}");
    }
}

#[test]
fn whoever_sees_all_merchants_is_on_the_list() {
    let sources = sources();
    let list = sources["database/mod.rs"].lines().take_while(|line| line.starts_with("//!")).collect::<String>();
    let listed: BTreeSet<String> = list.split('`').filter(|word| word.ends_with(".rs")).map(str::to_owned).collect();
    assert!(!listed.is_empty());
    assert_eq!(with(&sources, ".installation()"), listed, "the list is in src/database/mod.rs");
}

#[test]
fn money_is_never_a_float() {
    for float in ["f32", "f64"] {
        assert_eq!(with(&sources(), float), files(&[]));
    }
}

#[test]
fn what_decides_does_nothing_else() {
    let sources = sources();
    for file in PURE {
        for word in ["async fn", "sqlx::query", ".await", "crate::database", "axum"] {
            assert!(!with(&sources, word).contains(*file), "{file} contains {word}");
        }
    }
}

#[test]
fn every_place_to_crash_at_is_named_once_and_crashed_at() {
    let sources = sources();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/crash");
    let tests: String = ["files.rs", "key.rs", "mails.rs", "steps.rs", "upgrade.rs"]
        .map(|file| fs::read_to_string(folder.join(file)).unwrap())
        .concat();
    let mut places = BTreeSet::new();
    for text in sources.values() {
        for after in text.split("crash_point(\"").skip(1) {
            let place = after.split('"').next().unwrap();
            assert!(places.insert(place), "{place} is named twice");
            assert!(tests.contains(&format!("\"{place}\"")), "nothing crashes at {place}");
        }
    }
    assert!(places.len() >= 10, "{places:?}");
    assert_eq!(with(&sources, "process::abort"), files(&["crash.rs"]));
}

#[test]
fn every_sealed_column_is_sealed_anew_under_a_new_master_key() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut columns = BTreeSet::new();
    for file in fs::read_dir(root.join("migrations")).unwrap() {
        let text = fs::read_to_string(file.unwrap().path()).unwrap();
        let mut table = "";
        for line in text.lines() {
            if let Some(name) = line.strip_prefix("create table ").or(line.strip_prefix("alter table ")) {
                table = name.split_whitespace().next().unwrap();
            }
            if let Some((column, _)) = line.split_once("-- sealed") {
                let column = column.trim().trim_start_matches("add column ").split_whitespace().next().unwrap();
                columns.insert(format!("\"{table}\", \"{column}\""));
            }
        }
    }
    assert!(columns.len() >= 4, "{columns:?}");
    let rotation = fs::read_to_string(root.join("src/rotation.rs")).unwrap();
    for column in columns {
        assert!(rotation.contains(&format!("sealed({column}, ")), "{column} is missing in src/rotation.rs");
    }
}

/// The tests in this text, known by the attribute that stands with others before the function.
fn tests(text: &str) -> impl Iterator<Item = &str> {
    let is_test = |at: usize| {
        let before = text[..at].rsplit("\n\n").next().unwrap();
        before.contains("test]") || before.contains("test(")
    };
    text.match_indices("fn ").filter(move |(at, _)| is_test(*at)).map(|(at, word)| {
        let name = &text[at + word.len()..];
        name.split('(').next().unwrap()
    })
}

#[test]
fn every_test_that_security_md_names_is_there() {
    let texts = [texts("src", "rs"), texts("tests/it", "rs")];
    let tests: BTreeSet<&str> = texts.iter().flat_map(BTreeMap::values).flat_map(|text| tests(text)).collect();
    let table = include_str!("../../SECURITY.md").lines().filter(|line| {
        let row = line.strip_prefix("| ");
        row.is_some_and(|row| row.starts_with(|first: char| first.is_ascii_digit()))
    });
    let mut rows = 0;
    for row in table {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        assert_eq!(cells.len(), 4, "{row}");
        for name in cells[3].split('`').skip(1).step_by(2) {
            assert!(tests.contains(name), "{}: there is no test {name}", cells[0]);
        }
        rows += 1;
    }
    assert!(rows > 150, "the table was not found: {rows} rows");
}

#[test]
fn our_scripts_keep_nothing_and_write_text_alone() {
    let scripts = texts("static", "js");
    assert!(scripts.contains_key("app.js"));
    for (file, script) in scripts.iter().filter(|(file, _)| *file != "htmx.min.js") {
        for word in [
            "localStorage",
            "sessionStorage",
            "indexedDB",
            "document.cookie",
            "postMessage",
            "eval(",
            "new Function",
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
        ] {
            assert!(!script.contains(word), "{file} contains {word}");
        }
    }
    let layout = include_str!("../../templates/layout.html");
    for setting in ["\"allowEval\":false", "\"historyCacheSize\":0", "\"selfRequestsOnly\":true"] {
        assert!(layout.contains(setting), "htmx is told {setting}");
    }
}
