//! Merchants and people from the command line, and the first of them from the first page.

use crate::support::postgres::{self, TestDatabase};
use crate::support::program::{DataFolder, RunAs, program, run_with_input};
use secrecy::SecretString;
use sqlx::Row;
use std::process::Output;
use stipend::admin::{self, NewMerchant, NewPerson, Refused};
use stipend::clock::Clock;
use stipend::password;

const PASSWORD: &str = "correct horse battery";

fn stipend(database: &TestDatabase, words: &[&str], input: &str) -> Output {
    let mut command = program(RunAs::Us);
    command.args(words).env("DATABASE_URL", &database.url);
    run_with_input(command, input)
}

fn error_of(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Everybody: e-mail, merchant, role, password hash.
async fn people(database: &TestDatabase) -> Vec<(String, String, String, String)> {
    let rows = sqlx::query(
        "select email, m.name, role, password_hash
        from people p join memberships s on s.person_id = p.id join merchants m on m.id = s.merchant_id
        order by email, m.name",
    );
    let mut tx = database.database.installation().await.unwrap();
    let rows = rows.fetch_all(&mut *tx).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1), row.get(2), row.get(3))).collect()
}

async fn audited(database: &TestDatabase) -> Vec<String> {
    let mut tx = database.database.installation().await.unwrap();
    sqlx::query_scalar("select action from audit_entries order by id").fetch_all(&mut *tx).await.unwrap()
}

#[tokio::test]
async fn people_are_added_to_merchants_from_the_command_line() {
    let database = postgres::database().await;
    for (name, zone) in [("Acme", "Europe/Berlin"), ("Beta", "utc")] {
        let added = stipend(&database, &["merchant", "add", name, "--time-zone", zone], "");
        assert!(added.status.success(), "{}", error_of(&added));
    }
    let add = |email, merchant, role, password| {
        stipend(&database, &["user", "add", email, "--merchant", merchant, "--role", role], password)
    };
    assert!(add("ann@example.com", "acme", "preparer", "correct horse battery\n").status.success());
    assert!(add("Ann@example.com", "Beta", "admin", "another password\n").status.success());
    assert!(add("ann@example.com", "Acme", "approver", "another password\n").status.success());

    let people = people(&database).await;
    let shown: Vec<_> =
        people.iter().map(|(email, merchant, role, _)| [email, merchant, role].map(String::as_str)).collect();
    assert_eq!(shown, [["ann@example.com", "Acme", "approver"], ["ann@example.com", "Beta", "admin"]]);
    assert!(password::verify(&PASSWORD.into(), &people[0].3), "the first password stays");
    assert_eq!(
        audited(&database).await,
        ["merchant added", "merchant added", "person added", "person added", "role changed"]
    );
}

#[tokio::test]
async fn an_administrator_of_the_installation_is_named_and_dismissed() {
    let database = postgres::database().await;
    let added = stipend(&database, &["merchant", "add", "Acme", "Beta", "--time-zone", "UTC"], "");
    assert!(added.status.success(), "{}", error_of(&added));
    let add = ["user", "add", "ann@example.com", "--merchant", "acme", "--role", "viewer"];
    assert!(stipend(&database, &add, PASSWORD).status.success());
    let is_one = async || -> bool {
        let mut tx = database.database.installation().await.unwrap();
        sqlx::query_scalar("select is_installation_admin from people").fetch_one(&mut *tx).await.unwrap()
    };
    assert!(!is_one().await);
    let name = ["user", "installation-admin", "Ann@example.com"];
    assert!(stipend(&database, &name, "").status.success());
    assert!(is_one().await);
    assert!(stipend(&database, &[name.as_slice(), &["--remove"]].concat(), "").status.success());
    assert!(!is_one().await);
    let nobody = stipend(&database, &["user", "installation-admin", "bob@example.com"], "");
    assert!(error_of(&nobody).contains("nobody signs in with"), "{}", error_of(&nobody));
    let told = audited(&database).await;
    assert_eq!(told[3..], ["became installation admin", "is installation admin no longer"], "{told:?}");
}

#[tokio::test]
async fn what_cannot_be_is_refused_in_plain_words() {
    let database = postgres::database().await;
    assert!(stipend(&database, &["merchant", "add", "Acme", "--time-zone", "UTC"], "").status.success());
    let user = |email, merchant| vec!["user", "add", email, "--merchant", merchant, "--role", "admin"];
    for (words, input, told) in [
        (vec!["merchant", "add", "ACME", "--time-zone", "UTC"], "", "there is a merchant"),
        (vec!["merchant", "add", "Beta", "--time-zone", "Mars/Base"], "", "is no time zone"),
        (vec!["merchant", "add", "  ", "--time-zone", "UTC"], "", "1 to 200 characters"),
        (user("ann@example.com", "Gamma"), PASSWORD, "there is no merchant"),
        (user("ann", "Acme"), PASSWORD, "no e-mail address"),
        (user("ann@example.com", "Acme"), "short", "at least 8 characters"),
        (user("ann@example.com", "Acme"), "", "at least 8 characters"),
    ] {
        let refused = stipend(&database, &words, input);
        assert_eq!(refused.status.code(), Some(1), "{words:?}");
        assert!(error_of(&refused).contains(told), "{words:?}: {}", error_of(&refused));
    }
    let unknown_role =
        stipend(&database, &["user", "add", "a@example.com", "--merchant", "Acme", "--role", "owner"], PASSWORD);
    assert_eq!(unknown_role.status.code(), Some(2));
    assert_eq!(people(&database).await, []);
}

fn first(email: &str) -> (NewMerchant, NewPerson) {
    let password = SecretString::from(PASSWORD);
    (
        NewMerchant { name: "Acme".into(), time_zone: "Europe/Berlin".into() },
        NewPerson { email: email.into(), name: "Ann".into(), password },
    )
}

/// An installation with a key, where nobody can sign in yet.
#[tokio::test]
async fn who_cannot_get_in_is_helped_from_the_command_line() {
    let database = postgres::database().await;
    assert!(stipend(&database, &["merchant", "add", "Acme", "--time-zone", "utc"], "").status.success());
    let add = ["user", "add", "ann@example.com", "--merchant", "Acme", "--role", "admin"];
    assert!(stipend(&database, &add, "correct horse battery\n").status.success());
    let set = stipend(&database, &["user", "password", "Ann@example.com"], "another password\n");
    assert!(set.status.success(), "{}", error_of(&set));
    assert!(password::verify(&"another password".into(), &people(&database).await[0].3));
    let known = stipend(&database, &["user", "add", "ann@example.com", "--merchant", "Acme", "--role", "viewer"], "");
    assert!(known.status.success(), "whoever has a password is asked for none: {}", error_of(&known));
    assert!(stipend(&database, &["user", "reset-factors", "ann@example.com"], "").status.success());
    assert!(!stipend(&database, &["user", "password", "ann@example.com"], "short\n").status.success());
    let unknown = stipend(&database, &["user", "reset-factors", "bob@example.com"], "");
    assert!(!unknown.status.success() && error_of(&unknown).contains("nobody signs in as bob@example.com"));
    let entries = audited(&database).await;
    assert_eq!(entries[2..], ["password set by the operator", "role changed", "second factors reset by the operator"]);
}

async fn installation() -> (TestDatabase, String) {
    let (database, data) = (postgres::database().await, DataFolder::new(RunAs::Us));
    admin::open_vault(&database.database, &Clock::system(), &data.path().join("master.key")).await.unwrap();
    let code = admin::setup_code(&database.database).await.unwrap().unwrap();
    (database, code)
}

#[tokio::test]
async fn only_one_of_two_people_with_the_code_is_first() {
    let (database, code) = installation().await;
    let (clock, address) = (Clock::system(), Some("203.0.113.7".to_owned()));
    let ((merchant, ann), (other, bob)) = (first("ann@example.com"), first("bob@example.com"));
    let outcomes = tokio::join!(
        admin::create_first(&database.database, &clock, &code, merchant, ann, address.clone()),
        admin::create_first(&database.database, &clock, &code, other, bob, address),
    );
    let refused = match outcomes {
        (Ok(_), Err(refused)) | (Err(refused), Ok(_)) => refused,
        both => panic!("{both:?}"),
    };
    assert!(matches!(refused, Refused::AlreadySetUp), "{refused:?}");
    let people = people(&database).await;
    assert_eq!(people.len(), 1);
    assert_eq!((people[0].1.as_str(), people[0].2.as_str()), ("Acme", "admin"));
    assert_eq!(audited(&database).await, ["installation set up"]);
    assert_eq!(admin::setup_code(&database.database).await.unwrap(), None);
    assert!(!admin::check_setup_code(&database.database, &code).await.unwrap());
}

#[tokio::test]
async fn a_stranger_without_the_code_is_never_first() {
    let (database, earlier) = installation().await;
    let code = admin::setup_code(&database.database).await.unwrap().unwrap();
    assert_eq!(code.len(), 9);
    for wrong in ["", "0000-0000", &earlier] {
        let (merchant, person) = first("eve@example.com");
        let refused = admin::create_first(&database.database, &Clock::system(), wrong, merchant, person, None).await;
        assert!(matches!(refused, Err(Refused::WrongCode)), "{wrong}: {refused:?}");
    }
    assert_eq!(people(&database).await, []);
    let typed = format!(" {} ", code.to_lowercase().replace('-', " ").replace('0', "o").replace('1', "l"));
    assert!(admin::check_setup_code(&database.database, &typed).await.unwrap());
}

#[tokio::test]
async fn every_field_of_the_first_page_is_told_at_once() {
    let (database, code) = installation().await;
    let merchant = NewMerchant { name: String::new(), time_zone: "Mars".into() };
    let person = NewPerson { email: "@".into(), name: String::new(), password: "short".into() };
    let refused = admin::create_first(&database.database, &Clock::system(), &code, merchant, person, None).await;
    let Err(Refused::Entered(problems)) = refused else { panic!("{refused:?}") };
    let fields: Vec<_> = problems.iter().map(|problem| problem.field).collect();
    assert_eq!(fields, ["merchant", "time_zone", "email", "password"]);
}
