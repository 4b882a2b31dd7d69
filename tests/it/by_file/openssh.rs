//! The same against a real OpenSSH server, for what our own might get wrong in the same way as our client. The test plays
//! PayPal: it takes the file out of the folder, and writes the answers.

use super::{prepare, round};
use crate::support::program::test_folder;
use crate::support::sshd::Server;
use crate::support::world::World;
use std::fs;
use stipend::connection::dropzone::{self, Details, Outcome};
use stipend::payout::{files, manual};
use stipend::paypal::large_batch::check;
use stipend::paypal::{DropZone, Environment};
use stipend::verify::verify;

#[tokio::test(flavor = "multi_thread")]
async fn a_real_openssh_server_takes_the_file_and_its_answers_are_read() {
    let server = Server::start(&test_folder().join(format!("sshd-{}", uuid::Uuid::now_v7().simple())));
    let mut world = World::new().await;
    world.app.dropzone = DropZone::new(true, Some(format!("127.0.0.1:{}", server.port)));
    let actor = world.actor();
    dropzone::begin(&world.app, world.merchant, &actor, Environment::Simulator).await.unwrap().unwrap();
    let key = dropzone::show(&mut world.tx().await).await.unwrap().unwrap().public_key;
    let details = Details::read(&server.user, "Incoming", "Outgoing").unwrap();
    let saved = dropzone::save(&world.app, world.merchant, &actor, &details).await.unwrap().unwrap();
    assert_eq!(saved, Outcome::HostKeyNew);
    let offered = dropzone::show(&mut world.tx().await).await.unwrap().unwrap().host_key_offered.unwrap();
    let host_key = fs::read_to_string(server.folder.join("host_key.pub")).unwrap();
    assert!(host_key.starts_with(offered.split(' ').take(2).collect::<Vec<_>>().join(" ").as_str()));
    let refused = dropzone::approve(&world.app, world.merchant, &actor, &offered).await.unwrap().unwrap();
    assert_eq!(refused, Outcome::SignInRefused);
    server.admit(&key);
    assert_eq!(dropzone::test(&world.app, world.merchant).await.unwrap().unwrap(), Outcome::Ready);

    // More than one part, and more than one write.
    world.owe_many(20_000).await;
    let batch = prepare(&world).await[0];
    manual::let_go(&world.app, world.merchant, &actor, batch, None).await.unwrap().unwrap();
    round(&world).await;
    let input = files::input(&mut world.tx().await, batch).await.unwrap().unwrap();
    assert_eq!(server.incoming(), std::slice::from_ref(&input.name), "one file, under its final name");
    let put = fs::read(server.folder.join("Incoming").join(&input.name)).unwrap();
    let checked = check(Some(&input.name), put.as_slice(), world.app.clock.now()).unwrap();
    assert!(checked.total_findings == 0, "{:?}", checked.findings);
    assert_eq!(hex::encode(checked.sha256), input.sha256);

    // PayPal picks it up and answers.
    fs::remove_file(server.folder.join("Incoming").join(&input.name)).unwrap();
    let stem = input.name.trim_end_matches(".csv");
    server.answer(&format!("{stem}_ack.csv"), &format!("2026-02-26T05:48:53Z,{stem},ACCEPTED_FOR_PROCESSING\n"));
    server.answer("somebody_elses.csv", "not ours\n");
    world.advance(time::Duration::minutes(1));
    round(&world).await;
    assert_eq!(world.batch(batch).await.0, "accepted");
    let text = String::from_utf8(put).unwrap();
    let rows: String = text
        .lines()
        .skip(1)
        .enumerate()
        .map(|(number, line)| {
            let cells: Vec<&str> = line.split(',').collect();
            let (receiver, amount, reference) = (cells[1], cells[2], cells[4]);
            format!("{reference},ITEM{number},TX{number},,{receiver},USD,{amount},0.25,1.50,SUCCESS,,,2026-01-16T10:33:20Z\n")
        })
        .collect();
    server.answer(&format!("{}_OUT.csv", stem.to_uppercase()), &rows);
    world.advance(time::Duration::minutes(1));
    round(&world).await;
    assert_eq!(world.standings().await["paid"], 20_000);
    let report = verify(&world.app.database, None).await.unwrap();
    assert!(report.broken().is_empty(), "{report}");
    // The same report again, under another name, changes nothing.
    server.answer(&format!("{}_FINAL.csv", stem.to_uppercase()), &rows);
    world.advance(time::Duration::hours(2));
    round(&world).await;
    assert_eq!(world.batch(batch).await.0, "closed");
    assert_eq!(world.standings().await["paid"], 20_000);
}
