//! The local Postgres: it comes and goes with the application, and nothing that happens to either loses data.

use crate::support::program::{DataFolder, Program, RunAs, eventually, program};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sqlx::{Connection, PgConnection};
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::process::{Command, Output, Stdio};

/// An application over a new folder, with something in its database that must not be lost.
fn with_data(run_as: RunAs) -> (DataFolder, Program) {
    let data = DataFolder::new(run_as);
    let program = data.serve();
    let added = data.run(&["merchant", "add", "Kept", "--time-zone", "UTC"]);
    assert!(added.status.success(), "{}", error_of(&added));
    (data, program)
}

async fn merchants(data: &DataFolder) -> Vec<String> {
    let mut connection = PgConnection::connect(&data.server_url()).await.unwrap();
    sqlx::query_scalar("select name from merchants order by name").fetch_all(&mut connection).await.unwrap()
}

/// The application starts again and everything is there.
async fn starts_again(data: &DataFolder) -> Program {
    let program = data.serve();
    assert_eq!(program.get("/readyz").await, (200, "ready\n".to_owned()));
    assert_eq!(merchants(data).await, ["Kept"]);
    program
}

fn error_of(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn nothing_is_left_running(data: &DataFolder) {
    assert!(!data.pg().join("postmaster.pid").exists());
    assert_eq!(processes_of(data), []);
}

fn processes_of(data: &DataFolder) -> Vec<Pid> {
    let here = data.pg().canonicalize().unwrap();
    let pids = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter(|pid: &i32| fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == here))
        .map(Pid::from_raw)
        .collect()
}

fn kill_server(data: &DataFolder) {
    kill(data.postmaster(), Signal::SIGKILL).unwrap();
}

#[tokio::test]
async fn it_starts_cold_and_warm_and_stops_at_either_signal() {
    for run_as in RunAs::everyone() {
        let (data, mut program) = with_data(run_as);
        let there = fs::metadata(data.pg()).unwrap();
        assert_eq!(there.mode() & 0o777, 0o700);
        assert_eq!(there.uid() == fs::metadata(data.path()).unwrap().uid(), !run_as.is_root());
        assert_eq!(program.end_by(Signal::SIGINT).code(), Some(0), "{:?}", program.log);
        nothing_is_left_running(&data);

        let mut program = starts_again(&data).await;
        assert!(!program.log.iter().any(|line| line.contains("Setting up")), "{:?}", program.log);
        assert_eq!(program.end_by(Signal::SIGTERM).code(), Some(0), "{:?}", program.log);
        nothing_is_left_running(&data);
    }
}

#[tokio::test]
async fn every_commit_reaches_the_disk_and_nobody_listens_on_the_network() {
    let data = DataFolder::new(RunAs::Us);
    let _program = data.serve();
    let mut connection = PgConnection::connect(&data.server_url()).await.unwrap();
    for (setting, wanted) in [
        ("fsync", "on"),
        ("synchronous_commit", "on"),
        ("full_page_writes", "on"),
        ("data_checksums", "on"),
        ("listen_addresses", ""),
        ("server_encoding", "UTF8"),
        ("lc_collate", "C.UTF-8"),
    ] {
        let found: String =
            sqlx::query_scalar("select current_setting($1)").bind(setting).fetch_one(&mut connection).await.unwrap();
        assert_eq!(found, wanted, "{setting}");
    }
}

#[tokio::test]
async fn a_killed_application_takes_its_server_along_and_starts_again_at_once() {
    for run_as in RunAs::everyone() {
        let (data, mut program) = with_data(run_as);
        program.end_by(Signal::SIGKILL);
        let mut program = starts_again(&data).await;
        program.end_by(Signal::SIGKILL);
        eventually("the server ends with its application", || processes_of(&data).is_empty());
        assert!(!data.pg().join("postmaster.pid").exists(), "it was stopped, not killed");
        starts_again(&data).await;
    }
}

#[tokio::test]
async fn a_killed_server_is_started_again_under_the_running_application() {
    for run_as in RunAs::everyone() {
        let (data, mut program) = with_data(run_as);
        let before = data.postmaster();
        kill_server(&data);
        program.wait_for_line("runs again");
        assert_ne!(data.postmaster(), before);
        let mut status = 0;
        for _ in 0..500 {
            status = program.get("/readyz").await.0;
            if status == 200 {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        assert_eq!(status, 200);
        assert_eq!(merchants(&data).await, ["Kept"]);
        assert_eq!(program.end_by(Signal::SIGTERM).code(), Some(0));
        nothing_is_left_running(&data);
    }
}

/// Both at once: the application is held so that it cannot mend its server.
fn kill_both(data: &DataFolder, program: &mut Program) {
    kill(program.pid(), Signal::SIGSTOP).unwrap();
    kill_server(data);
    program.end_by(Signal::SIGKILL);
    assert!(data.pg().join("postmaster.pid").exists(), "the killed server has left its file behind");
}

#[tokio::test]
async fn both_killed_at_once_lose_nothing() {
    for run_as in RunAs::everyone() {
        let (data, mut program) = with_data(run_as);
        kill_both(&data, &mut program);
        let mut program = starts_again(&data).await;
        assert_eq!(program.end_by(Signal::SIGTERM).code(), Some(0));
    }
}

#[tokio::test]
async fn a_process_id_that_belongs_to_a_stranger_by_now_is_not_trusted() {
    for run_as in RunAs::everyone() {
        let (data, mut program) = with_data(run_as);
        kill_both(&data, &mut program);
        let mut stranger = Command::new("sleep").arg("600").spawn().unwrap();
        for file in [data.pg().join("postmaster.pid"), data.path().join("run/.s.PGSQL.5432.lock")] {
            let text = fs::read_to_string(&file).unwrap();
            let rest = text.split_once('\n').unwrap().1;
            fs::write(&file, format!("{}\n{rest}", stranger.id())).unwrap();
        }
        starts_again(&data).await;
        assert_eq!(stranger.try_wait().unwrap(), None, "the stranger was left alone");
        stranger.kill().unwrap();
        stranger.wait().unwrap();
    }
}

#[tokio::test]
async fn two_servers_never_share_a_folder_even_when_a_backend_outlives_its_server() {
    let (data, mut program) = with_data(RunAs::Us);
    let mut connection = PgConnection::connect(&data.server_url()).await.unwrap();
    let backend: i32 = sqlx::query_scalar("select pg_backend_pid()").fetch_one(&mut connection).await.unwrap();
    kill(Pid::from_raw(backend), Signal::SIGSTOP).unwrap(); // it cannot notice that its server dies
    kill_both(&data, &mut program);
    eventually("only that backend is left", || processes_of(&data) == [Pid::from_raw(backend)]);
    starts_again(&data).await;
    assert!(!processes_of(&data).contains(&Pid::from_raw(backend)));
}

#[tokio::test]
async fn a_server_left_running_is_taken_over_and_stopped_in_the_end() {
    for run_as in RunAs::everyone() {
        let (data, mut program) = with_data(run_as);
        let there = fs::metadata(data.pg()).unwrap();
        let command_line = fs::read_to_string(format!("/proc/{}/cmdline", data.postmaster())).unwrap();
        program.end_by(Signal::SIGTERM);
        let words: Vec<&str> = command_line.trim_end_matches('\0').split('\0').collect();
        let mut orphan = Command::new(words[0]);
        if there.uid() != nix::unistd::Uid::effective().as_raw() {
            orphan.uid(there.uid()).gid(there.gid());
        }
        orphan.args(&words[1..]).current_dir("/").process_group(0).stdin(Stdio::null()).stderr(Stdio::null());
        let mut orphan = orphan.spawn().unwrap();
        eventually("the orphan is ready", || {
            fs::read_to_string(data.pg().join("postmaster.pid")).is_ok_and(|text| text.contains("ready"))
        });
        let mut program = starts_again(&data).await;
        assert!(program.log.iter().any(|line| line.contains("Taking over")), "{:?}", program.log);
        assert_eq!(data.postmaster().as_raw(), i32::try_from(orphan.id()).unwrap());
        assert_eq!(program.end_by(Signal::SIGTERM).code(), Some(0));
        assert!(orphan.wait().unwrap().success());
        nothing_is_left_running(&data);
    }
}

#[tokio::test]
async fn a_second_instance_is_refused_and_the_first_one_undisturbed() {
    for run_as in RunAs::everyone() {
        let (data, program) = with_data(run_as);
        let second = data.run(&["serve", "--bind", "127.0.0.1:0"]);
        assert_eq!(second.status.code(), Some(1));
        assert!(
            error_of(&second).contains("another instance is already using the data folder"),
            "{}",
            error_of(&second)
        );
        assert_eq!(program.get("/readyz").await.0, 200);
        assert_eq!(merchants(&data).await, ["Kept"]);
    }
}

#[tokio::test]
async fn a_folder_that_cannot_be_entered_is_refused_before_anything_is_made() {
    for run_as in RunAs::everyone() {
        let data = DataFolder::new(run_as);
        let closed = if run_as.is_root() { 0o700 } else { 0o000 };
        fs::set_permissions(data.outer(), Permissions::from_mode(closed)).unwrap();
        let refused = data.run(&["serve", "--bind", "127.0.0.1:0"]);
        fs::set_permissions(data.outer(), Permissions::from_mode(0o755)).unwrap();
        assert_eq!(refused.status.code(), Some(1));
        let told = error_of(&refused);
        assert!(told.contains(&data.outer().display().to_string()) && told.contains("--data-dir"), "{told}");
        assert_eq!(told.contains("chmod o+x"), run_as.is_root(), "{told}");
        assert!(!data.pg().exists() && !data.path().join("pg.new").exists());
    }
}

#[tokio::test]
async fn another_major_version_is_told_and_nothing_is_changed() {
    let (data, mut program) = with_data(RunAs::Us);
    program.end_by(Signal::SIGTERM);
    let file = data.pg().join("PG_VERSION");
    let version = fs::read_to_string(&file).unwrap();
    fs::write(&file, "9\n").unwrap();
    let refused = data.run(&["serve", "--bind", "127.0.0.1:0"]);
    assert_eq!(refused.status.code(), Some(1));
    let told = error_of(&refused);
    assert!(told.contains("made by Postgres 9") && told.contains(version.trim()), "{told}");
    fs::write(&file, version).unwrap();
    starts_again(&data).await;
}

#[tokio::test]
async fn an_interrupted_beginning_never_looks_like_data() {
    let data = DataFolder::new(RunAs::Us);
    fs::create_dir_all(data.path().join("pg.new/base")).unwrap();
    fs::write(data.path().join("pg.new/PG_VERSION"), "15\n").unwrap();
    fs::set_permissions(data.path(), Permissions::from_mode(0o711)).unwrap();
    let program = data.serve();
    assert_eq!(program.get("/readyz").await.0, 200);
    assert!(!data.path().join("pg.new").exists());
}

#[tokio::test]
async fn a_path_too_long_for_a_socket_is_served_all_the_same() {
    let data = DataFolder::new(RunAs::Us);
    let deep = data
        .outer()
        .join("a-name-of-forty-characters-as-some-have-it")
        .join("another-name-of-forty-characters-or-more");
    let mut command = program(RunAs::Us);
    command.args(["serve", "--bind", "127.0.0.1:0", "--data-dir"]).arg(&deep);
    let mut program = Program::start(command);
    assert_eq!(program.get("/readyz").await.0, 200);
    assert!(!deep.join("run").exists());
    assert_eq!(program.end_by(Signal::SIGINT).code(), Some(0));
}

#[tokio::test]
async fn without_server_programs_the_way_to_get_them_is_told() {
    let data = DataFolder::new(RunAs::Us);
    let mut command = program(RunAs::Us);
    command.args(["serve", "--bind", "127.0.0.1:0", "--data-dir"]).arg(data.path()).env("PG_BIN_DIR", data.outer());
    let refused = command.output().unwrap();
    assert_eq!(refused.status.code(), Some(1));
    let told = error_of(&refused);
    assert!(told.contains("no Postgres server from version 15 on") && told.contains("DATABASE_URL"), "{told}");
}
