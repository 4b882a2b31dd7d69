//! The master key is changed: by somebody who forgot to stop, by a process that is killed, and then for good.

use super::{Stage, converge, everybody_was_paid_once};
use crate::support::program::{RunAs, program};
use crate::support::world::World;
use nix::sys::signal::Signal;
use sha2::{Digest, Sha256};
use std::path::PathBuf;
use std::process::{Command, Output};
use stipend::connection::Outcome;
use stipend::people::invite;
use stipend::role::Role;

fn rotate(stage: &Stage, places: &[(&str, &str)]) -> Output {
    let mut command: Command = program(RunAs::Us);
    command.args(["key", "rotate"]).envs(stage.settings.clone()).envs(places.iter().copied());
    command.output().unwrap()
}

fn key_files(stage: &Stage) -> Vec<PathBuf> {
    let files = std::fs::read_dir(&stage.folder).unwrap().map(|file| file.unwrap().path());
    files.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("master.key")).collect()
}

async fn world() -> World {
    let mut world = World::new().await;
    assert_eq!(world.connect("demo-client", "demo-secret").await, Outcome::Ready);
    world.owe("a@example.com", &["10.00"]).await;
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_master_key_opens_what_the_one_before_sealed() {
    let world = world().await;
    let stage = Stage::of(&world);
    let mails = stage.folder.join("mails").display().to_string();
    let mut running = stage.serve_with(&[("STIPEND_MAIL_FOLDER", &mails)]);
    let refused = rotate(&stage, &[]);
    assert!(!refused.status.success());
    let why = String::from_utf8(refused.stderr).unwrap();
    assert!(why.contains("1 of this installation's instances run"), "{why}");
    assert_eq!(key_files(&stage).len(), 1, "nothing is left of a refusal");
    assert!(running.end_by(Signal::SIGTERM).success());
    let mut tx = world.tx().await;
    invite::invite(&world.app, &mut tx, &world.actor(), "new@example.com", Role::Viewer).await.unwrap().unwrap();
    tx.commit().await.unwrap();

    let before = std::fs::read_to_string(stage.folder.join("master.key")).unwrap();
    let rotated = rotate(&stage, &[]);
    let told = String::from_utf8(rotated.stdout).unwrap();
    assert!(rotated.status.success() && told.starts_with("1 secrets are sealed with the new master key"), "{told}");
    let now = std::fs::read_to_string(stage.folder.join("master.key")).unwrap();
    assert_ne!(before, now);
    assert!(!told.contains(now.trim()) && !told.contains(before.trim()));
    let kept = key_files(&stage).into_iter().find(|file| !file.ends_with("master.key")).unwrap();
    assert_eq!(std::fs::read_to_string(kept).unwrap(), before, "backups open with it");
    world.audited("master key rotated").await;

    world.pay_all().await;
    let _serving = stage.serve_with(&[("STIPEND_MAIL_FOLDER", &mails)]);
    converge(&world).await;
    everybody_was_paid_once(&world, 1).await;
    assert_eq!(mailed_link(&mails).await, invited(&world).await, "a link that was not mailed yet is a good one");
}

/// The digest of the link in the one invitation's mail.
async fn mailed_link(mails: &str) -> String {
    for _ in 0..200 {
        for file in std::fs::read_dir(mails).unwrap() {
            // Quoted-printable breaks lines with "=", and says "=3D" for it.
            let mail = std::fs::read_to_string(file.unwrap().path()).unwrap().replace("=\r\n", "").replace("=3D", "=");
            if let Some((_, code)) = mail.split_once("/invitation?code=") {
                return hex::encode(Sha256::digest(&code[..64]));
            }
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("no invitation was mailed");
}

async fn invited(world: &World) -> String {
    let mut tx = world.tx().await;
    sqlx::query_scalar("select encode(secret_sha256, 'hex') from invitations").fetch_one(&mut *tx).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_the_master_key_that_is_killed_is_completed_or_was_not() {
    let world = world().await;
    let stage = Stage::of(&world);
    let killed = rotate(&stage, &[("STIPEND_CRASH_AT", "key_file_written")]);
    assert!(!killed.status.success());
    assert_eq!(key_files(&stage).len(), 2);
    assert!(stage.serve().end_by(Signal::SIGTERM).success());

    let killed = rotate(&stage, &[("STIPEND_CRASH_AT", "key_committed")]);
    assert!(!killed.status.success());
    world.pay_all().await;
    let _serving = stage.serve();
    converge(&world).await;
    everybody_was_paid_once(&world, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_under_another_master_key_stops() {
    let world = world().await;
    let stage = Stage::of(&world);
    let mut running = stage.serve();
    let mut tx = world.app.database.installation().await.unwrap();
    sqlx::query("update installation set key_id = 'another'").execute(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
    running.wait_for_line("the master key was changed");
    running.wait();
}
