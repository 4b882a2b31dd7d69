//! What the operator tells the program, and what it tells the operator.

use crate::support::postgres;
use crate::support::program::{DataFolder, Program, RunAs, eventually, program};
use nix::sys::signal::Signal;
use sqlx::{AssertSqlSafe, Executor};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

/// `serve` on a given database, with its key in this file.
fn serve(url: &str, key: &Path) -> Command {
    let mut command = program(RunAs::Us);
    command.arg("serve").env("DATABASE_URL", url).env("STIPEND_MASTER_KEY_FILE", key);
    command.env("STIPEND_BIND", "127.0.0.1:0").env("STIPEND_DATA_DIR", key.parent().unwrap().join("data"));
    command
}

fn error_of(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn every_problem_is_told_at_once_with_status_2() {
    let mut command = program(RunAs::Us);
    command.arg("serve").env("DATABASE_URL", "mysql://me:hunter2@db/x").env("STIPEND_BIND", "3000");
    command.env("STIPEND_PUBLIC_URL", "example.com").env("STIPEND_SIMULATOR_URL", "");
    command.args(["--simulator-dropzone", "localhost"]);
    let refused = command.output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
    let told = error_of(&refused);
    for name in ["DATABASE_URL", "STIPEND_BIND", "STIPEND_PUBLIC_URL", "STIPEND_SIMULATOR_DROPZONE"] {
        assert!(told.contains(&format!("- {name}")), "{name} is missing in:\n{told}");
    }
    assert!(!told.contains("hunter2"));
}

#[test]
fn an_unknown_flag_or_verb_has_status_2_as_well() {
    for words in [["serve", "--bnid"], ["pay", "everyone"], ["user", "add"]] {
        assert_eq!(program(RunAs::Us).args(words).output().unwrap().status.code(), Some(2), "{words:?}");
    }
}

#[tokio::test]
async fn a_new_database_gets_a_key_and_opens_with_that_key_alone() {
    let (database, data) = (postgres::empty_database().await, DataFolder::new(RunAs::Us));
    let key = data.outer().join("master.key");
    let mut first = Program::start(serve(&database.url, &key));
    assert!(
        first.log.iter().any(|line| line.contains("new master key in") && line.contains("master.key")),
        "{:?}",
        first.log
    );
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(first.end_by(Signal::SIGTERM).code(), Some(0));
    Program::start(serve(&database.url, &key));

    let kept = fs::read(&key).unwrap();
    fs::remove_file(&key).unwrap();
    let missing = serve(&database.url, &key).output().unwrap();
    assert_eq!(missing.status.code(), Some(1));
    assert!(error_of(&missing).contains("is missing") && error_of(&missing).contains("STIPEND_MASTER_KEY_FILE"));
    assert!(!key.exists(), "a second key is never made");

    fs::write(&key, "ab".repeat(32)).unwrap();
    fs::set_permissions(&key, Permissions::from_mode(0o600)).unwrap();
    let other = serve(&database.url, &key).output().unwrap();
    assert_eq!(other.status.code(), Some(1));
    assert!(error_of(&other).contains("is not the one"), "{}", error_of(&other));

    fs::write(&key, kept).unwrap();
    fs::set_permissions(&key, Permissions::from_mode(0o604)).unwrap();
    let open = serve(&database.url, &key).output().unwrap();
    assert_eq!(open.status.code(), Some(1));
    assert!(error_of(&open).contains("chmod 600"), "{}", error_of(&open));
}

#[tokio::test]
async fn two_instances_that_start_at_once_on_an_empty_database_make_one_key() {
    let (database, data) = (postgres::empty_database().await, DataFolder::new(RunAs::Us));
    let key = data.outer().join("master.key");
    let mut both = [Program::spawn(serve(&database.url, &key)), Program::spawn(serve(&database.url, &key))];
    for program in &mut both {
        program.wait_for_line("is ready at");
    }
    let made = both.iter().flat_map(|program| &program.log).filter(|line| line.contains("new master key in")).count();
    assert_eq!(made, 1);

    let (database, data) = (postgres::empty_database().await, DataFolder::new(RunAs::Us));
    let keys = ["here", "there"].map(|folder| data.outer().join(folder).join("master.key"));
    let mut both = keys.each_ref().map(|key| Program::spawn(serve(&database.url, key)));
    eventually("one of them gives up", || both.iter_mut().any(Program::has_ended));
    let refused = both.iter_mut().find_map(|program| program.has_ended().then(|| program.wait())).unwrap();
    assert_eq!(refused.code(), Some(1));
    assert_eq!(keys.iter().filter(|key| key.exists()).count(), 1);
}

#[tokio::test]
async fn metrics_are_on_their_own_address_when_it_is_given() {
    let (database, data) = (postgres::database().await, DataFolder::new(RunAs::Us));
    let key = data.outer().join("master.key");
    let beside = Program::start(serve(&database.url, &key));
    beside.get("/healthz").await;
    let (status, text) = beside.get("/metrics").await;
    assert_eq!(status, 200);
    assert!(text.contains(r#"stipend_http_requests_total{route="/healthz",method="GET",status="200"} 1"#), "{text}");

    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut command = serve(&database.url, &key);
    command.env("STIPEND_METRICS_BIND", free.to_string());
    let apart = Program::start(command);
    assert_eq!(apart.get("/metrics").await.0, 404);
    let text = reqwest::get(format!("http://{free}/metrics")).await.unwrap().text().await.unwrap();
    assert!(text.contains("stipend_build_info"), "{text}");
}

#[tokio::test]
async fn it_is_not_ready_without_its_database_and_recovers_by_itself() {
    let (database, data) = (postgres::database().await, DataFolder::new(RunAs::Us));
    let program = Program::start(serve(&database.url, &data.outer().join("master.key")));
    assert_eq!(program.get("/readyz").await, (200, "ready\n".to_owned()));
    let name: String =
        sqlx::query_scalar("select current_database()").fetch_one(database.database.pool()).await.unwrap();
    let elsewhere = postgres::empty_database().await;
    let pool = elsewhere.database.pool();
    pool.execute(AssertSqlSafe(format!("alter database {name} allow_connections false"))).await.unwrap();
    pool.execute(AssertSqlSafe(format!(
        "select pg_terminate_backend(pid, 10000) from pg_stat_activity where datname = '{name}'"
    )))
    .await
    .unwrap();
    assert_eq!(program.get("/readyz").await.0, 503);
    assert_eq!(program.get("/healthz").await, (200, "alive\n".to_owned()));
    pool.execute(AssertSqlSafe(format!("alter database {name} allow_connections true"))).await.unwrap();
    // A connection that is gone may be found out by a question that fails.
    let mut tries = 0;
    while program.get("/readyz").await.0 != 200 {
        tries += 1;
        assert!(tries < 100, "it does not get ready again");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn an_address_in_use_is_told_before_anything_is_started() {
    let data = DataFolder::new(RunAs::Us);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let refused = data.run(&["serve", "--bind", &taken.local_addr().unwrap().to_string()]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(error_of(&refused).contains("cannot be listened on"), "{}", error_of(&refused));
    assert!(!data.path().exists());
}

#[tokio::test]
async fn an_unreachable_database_is_told_without_its_password() {
    let data = DataFolder::new(RunAs::Us);
    let url = "postgres://me:hunter2@127.0.0.1:1/stipend";
    let refused = serve(url, &data.outer().join("master.key")).output().unwrap();
    assert_eq!(refused.status.code(), Some(1));
    let told = error_of(&refused);
    assert!(told.contains("the database cannot be reached") && !told.contains("hunter2"), "{told}");
}
