//! What `docker compose up` would run, run without containers: the same commands with the same variables, where only
//! host names and the places of files are others.

use crate::support::postgres;
use crate::support::program::{DataFolder, Program, RunAs, program};
use nix::sys::signal::Signal;
use serde::Deserialize;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::process::Command;

#[derive(Deserialize)]
struct Compose {
    services: HashMap<String, Service>,
    volumes: HashMap<String, Option<String>>,
}

#[derive(Deserialize)]
struct Service {
    image: Option<String>,
    build: Option<String>,
    #[serde(default)]
    command: Vec<String>,
    #[serde(default)]
    environment: BTreeMap<String, String>,
    #[serde(default)]
    ports: Vec<String>,
    #[serde(default)]
    volumes: Vec<String>,
    healthcheck: Option<Healthcheck>,
}

#[derive(Deserialize)]
struct Healthcheck {
    test: Vec<String>,
}

fn file(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// The file as compose reads it where no variable is set: each `${NAME:-default}` is its default.
fn compose() -> Compose {
    let mut text = file("docker-compose.yml");
    while let Some(start) = text.find("${") {
        let end = start + text[start..].find('}').unwrap();
        let default = text[start..end].split_once(":-").expect("every variable has a default").1.to_owned();
        text.replace_range(start..=end, &default);
    }
    serde_saphyr::from_str(&text).unwrap()
}

/// The values of an instruction's lines in the last stage of the Dockerfile.
fn dockerfile(instruction: &str) -> Vec<String> {
    let text = file("Dockerfile").replace("\\\n", " ");
    let last_stage = text.rsplit("\nFROM ").next().unwrap().to_owned();
    let values = last_stage.lines().filter_map(|line| line.strip_prefix(instruction)?.strip_prefix(' '));
    values.map(|value| value.trim().to_owned()).collect()
}

/// Postgres as its image would set it up, on the server that tests have. Gives the address as seen from here.
async fn start_postgres(service: &Service, url_inside: &str) -> String {
    let setting = |name: &str| service.environment[name].as_str();
    let (user, database) = (setting("POSTGRES_USER"), setting("POSTGRES_DB"));
    let mut server = PgConnection::connect(&postgres::server_url().await).await.unwrap();
    for statement in [
        format!("create role {user} superuser login password '{}'", setting("POSTGRES_PASSWORD")),
        format!("create database {database}_composed owner {user}"),
    ] {
        server.execute(AssertSqlSafe(statement)).await.unwrap();
    }
    let inside = reqwest::Url::parse(url_inside).unwrap();
    assert_eq!((inside.host_str(), inside.port()), (Some("postgres"), Some(5432)));
    assert_eq!((inside.username(), inside.password()), (user, Some(setting("POSTGRES_PASSWORD"))));
    assert_eq!(inside.path(), format!("/{database}"));

    let mut here = reqwest::Url::parse(&postgres::server_url().await).unwrap();
    here.set_username(user).unwrap();
    here.set_password(inside.password()).unwrap();
    here.set_path(&format!("{database}_composed"));
    let socket_dir = here.query_pairs().find(|(name, _)| name == "host").unwrap().1.into_owned();
    let [kind, line] = service.healthcheck.as_ref().unwrap().test.as_slice() else { panic!("one line of shell") };
    assert_eq!(kind, "CMD-SHELL");
    let healthy =
        Command::new("sh").args(["-c", line]).env("PGHOST", socket_dir).env("PGPORT", "5432").output().unwrap();
    assert!(healthy.status.success(), "{healthy:?}");
    here.into()
}

/// The program as the image runs it. That it needs no rights is shown by the tests that run it as nobody; here it must
/// reach the test server's private socket.
fn command_of(service: &Service) -> Command {
    assert_eq!(service.build.as_deref(), Some("."));
    assert_eq!(dockerfile("ENTRYPOINT"), [r#"["stipend"]"#]);
    let user = dockerfile("USER");
    assert!(user.len() == 1 && user[0] != "root", "{user:?}");
    program(RunAs::Us)
}

#[tokio::test]
async fn what_compose_runs_becomes_ready_and_the_simulator_answers() {
    let Compose { services, volumes } = compose();
    let (app, simulator) = (&services["app"], &services["paypal-simulator"]);
    assert!(services["postgres"].image.as_deref().unwrap().starts_with("postgres:"));

    let mut command = command_of(simulator);
    let listen = simulator.command.iter().position(|word| word == "--listen").unwrap() + 1;
    assert_eq!(
        app.environment["STIPEND_SIMULATOR_URL"],
        simulator.command[listen].replace("0.0.0.0", "http://paypal-simulator")
    );
    let dropzone = simulator.command.iter().position(|word| word == "--dropzone").unwrap() + 1;
    assert_eq!(
        app.environment["STIPEND_SIMULATOR_DROPZONE"],
        simulator.command[dropzone].replace("0.0.0.0", "paypal-simulator")
    );
    let mut words = simulator.command.clone();
    words[listen] = "127.0.0.1:0".to_owned();
    words[dropzone] = "127.0.0.1:0".to_owned();
    command.args(words);
    let mut paypal = Program::spawn(command);
    let line = paypal.wait_for_line("listening on ");
    let paypal_url = line.rsplit(' ').next().unwrap().trim_end_matches('/').to_owned();
    let line = paypal.wait_for_line("DropZone listening on ");
    let paypal_dropzone = line.rsplit("sftp://").next().unwrap().to_owned();

    let data = DataFolder::new(RunAs::Us);
    let mut command = command_of(app);
    command.args(&app.command).envs(&app.environment);
    command.env("DATABASE_URL", start_postgres(&services["postgres"], &app.environment["DATABASE_URL"]).await);
    command.env("STIPEND_BIND", "127.0.0.1:0").env("STIPEND_DATA_DIR", data.path());
    command.env("STIPEND_SIMULATOR_URL", &paypal_url).env("STIPEND_SIMULATOR_DROPZONE", paypal_dropzone);
    let mut stipend = Program::start(command);
    assert_eq!(stipend.get("/readyz").await, (200, "ready\n".to_owned()));
    assert!(stipend.log.iter().any(|line| line.contains("rehearses with the simulated PayPal")), "{:?}", stipend.log);
    let bank = reqwest::get(format!("{paypal_url}/_simulator/bank")).await.unwrap();
    assert_eq!(bank.status().as_u16(), 200);

    let keeps = &app.environment["STIPEND_DATA_DIR"];
    assert!(data.path().join("master.key").exists());
    let (volume, place) = app.volumes[0].split_once(':').unwrap();
    assert!(volumes.contains_key(volume) && place == keeps, "the key outlives the container");
    assert_eq!(dockerfile("VOLUME"), [keeps.as_str()]);
    assert_eq!(app.environment["STIPEND_BIND"], "0.0.0.0:3000");
    assert!(app.ports.iter().all(|port| port.ends_with(":3000")), "{:?}", app.ports);
    assert_eq!(stipend.end_by(Signal::SIGTERM).code(), Some(0));
    assert_eq!(paypal.end_by(Signal::SIGTERM).code(), Some(0));
}

#[test]
fn the_image_is_built_by_a_rust_that_is_new_enough() {
    let manifest = file("Cargo.toml");
    let wanted = manifest.lines().find_map(|line| line.strip_prefix("rust-version = ")).unwrap().trim_matches('"');
    assert!(file("Dockerfile").contains(&format!("FROM rust:{wanted}-")), "Cargo.toml wants {wanted}");
    assert!(file("bin/setup").contains(&format!("RUST_OLDEST={wanted}\n")), "bin/setup asks for another Rust");
    assert!(dockerfile("ENV").join(" ").contains("STIPEND_BIND=0.0.0.0:3000"));
}
