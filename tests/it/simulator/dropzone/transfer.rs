//! The file transfer itself.

use super::*;
use russh_sftp::client::error::Error;
use russh_sftp::protocol::{FileAttributes, OpenFlags, StatusCode};
use std::path::PathBuf;
use tokio::io::AsyncSeekExt;
use tokio::process::Command;

fn status<T: std::fmt::Debug>(result: Result<T, Error>) -> StatusCode {
    match result {
        Err(Error::Status(status)) => status.status_code,
        other => panic!("{other:?} is no status"),
    }
}

#[tokio::test]
async fn a_client_sees_two_folders_and_what_it_put() {
    let harbour =
        Harbour::with(Duration::ZERO, |zone| Dropzone { pick_up_after: Duration::from_secs(60), ..zone }).await;
    let visit = harbour.visit().await;
    let sftp = &visit.sftp;
    assert_eq!(visit.list("/").await, ["Incoming", "Outgoing"]);
    assert_eq!(sftp.canonicalize(".").await.unwrap(), "/");
    assert_eq!(sftp.canonicalize("Incoming/../Outgoing/./x").await.unwrap(), "/Outgoing/x");
    visit.put("odd name (ä) ;rm -rf.csv", b"some bytes").await.unwrap();
    assert_eq!(visit.list("Incoming").await, ["odd name (ä) ;rm -rf.csv"]);
    let path = "Incoming/odd name (ä) ;rm -rf.csv";
    let attributes = sftp.metadata(path).await.unwrap();
    assert_eq!((attributes.len(), attributes.file_type().is_file()), (10, true));
    assert!(attributes.mtime.is_some_and(|mtime| mtime > 1_700_000_000));
    assert_eq!(sftp.symlink_metadata(path).await.unwrap().len(), 10);
    assert_eq!(sftp.read(path).await.unwrap(), b"some bytes");
    // At any offset, also before what is there.
    let mut file = sftp.open_with_flags(path, OpenFlags::READ | OpenFlags::WRITE).await.unwrap();
    file.seek(std::io::SeekFrom::Start(12)).await.unwrap();
    file.write_all(b"end").await.unwrap();
    file.seek(std::io::SeekFrom::Start(0)).await.unwrap();
    file.write_all(b"SOME").await.unwrap();
    file.flush().await.unwrap();
    assert_eq!(file.metadata().await.unwrap().len(), 15);
    file.close().await.unwrap();
    assert_eq!(sftp.read(path).await.unwrap(), b"SOME bytes\0\0end");
    // Begun anew.
    visit.put("odd name (ä) ;rm -rf.csv", b"new").await.unwrap();
    assert_eq!(sftp.read(path).await.unwrap(), b"new");
    harbour.nothing_was_paid().await;
}

#[tokio::test]
async fn nothing_else_is_allowed_and_no_path_leads_out() {
    let harbour = Harbour::start().await;
    let name = harbour.name("a").await;
    harbour.accepted(&name, file(&["a@example.com"]).as_bytes()).await;
    let visit = harbour.visit().await;
    let sftp = &visit.sftp;
    let ack = format!("/Outgoing/{}_ack.csv", stem(&name));
    let denied = StatusCode::PermissionDenied;
    visit.put("there", b"x").await.unwrap();
    assert_eq!(status(sftp.rename("/Incoming/there", "/Incoming/other").await), denied);
    assert_eq!(status(sftp.remove_file("/Incoming/there").await), denied);
    assert_eq!(status(sftp.remove_file(ack.as_str()).await), denied);
    assert_eq!(status(sftp.create_dir("/Incoming/folder").await), denied);
    assert_eq!(status(sftp.remove_dir("/Outgoing").await), denied);
    assert_eq!(status(sftp.symlink("/Incoming/link", "/etc/passwd").await), denied);
    assert_eq!(status(sftp.create("/Outgoing/x").await.map(drop)), denied);
    assert_eq!(status(sftp.open_with_flags(ack.as_str(), OpenFlags::WRITE).await.map(drop)), denied);
    let flags = OpenFlags::WRITE | OpenFlags::CREATE | OpenFlags::EXCLUDE;
    assert_eq!(status(sftp.open_with_flags("/Incoming/there", flags).await.map(drop)), StatusCode::Failure);
    assert_eq!(status(sftp.create("/x").await.map(drop)), StatusCode::NoSuchFile);
    let cut = FileAttributes { size: Some(0), ..FileAttributes::empty() };
    assert_eq!(status(sftp.set_metadata("/Incoming/there", cut).await), denied);
    let times = FileAttributes { mtime: Some(1), atime: Some(1), permissions: Some(0o600), ..FileAttributes::empty() };
    assert_eq!(status(sftp.set_metadata(ack.as_str(), times.clone()).await), denied);
    sftp.set_metadata("/Incoming/there", times).await.expect("sftp put -p does this");
    for path in ["../../etc/passwd", "/etc/passwd", "Incoming/../../../etc/passwd", "//etc//passwd", "~/.ssh/id"] {
        assert_eq!(status(sftp.read(path).await), StatusCode::NoSuchFile, "{path}");
        assert_eq!(status(sftp.create(path).await.map(drop)), StatusCode::NoSuchFile, "{path}");
    }
    assert_eq!(status(sftp.metadata("/incoming").await), StatusCode::NoSuchFile, "the names are matched exactly");
    assert_eq!(status(sftp.read_dir("/Incoming/there").await.map(|_| ())), StatusCode::NoSuchFile);
    let long = format!("/Incoming/{}", "n".repeat(256));
    assert_eq!(status(sftp.create(long).await.map(drop)), StatusCode::Failure);
}

#[tokio::test]
async fn many_clients_write_at_once_and_each_file_is_whole() {
    let harbour = Harbour::start().await;
    let writers = (0..8).map(async |number| {
        let receivers: Vec<String> = (0..2000).map(|place| format!("w{number}-{place}@example.com")).collect();
        let receivers: Vec<&str> = receivers.iter().map(String::as_str).collect();
        let visit = harbour.visit().await;
        visit.put(&format!("pp_payouts_1517395059_w{number}.csv"), file(&receivers).as_bytes()).await.unwrap();
    });
    futures_util::future::join_all(writers).await;
    harbour.picked_up(8).await;
    assert!(harbour.files().await.iter().all(|(_, answer)| answer == "ACK"), "{:?}", harbour.files().await);
    let bank = harbour.rig.get("/_simulator/bank?summary=1").await.json();
    for batch in bank["batches"].as_array().expect("batches") {
        assert_eq!(batch["states"]["SUCCESS"]["count"], 2000);
    }
    harbour.conserved().await;
}

#[tokio::test]
async fn a_file_is_picked_up_half_written_when_its_writer_is_gone() {
    let harbour = Harbour::start().await;
    let name = harbour.name("half").await;
    let content = file(&["a@example.com", "b@example.com"]);
    let visit = harbour.visit().await;
    let mut open = visit.sftp.create(format!("Incoming/{name}")).await.unwrap();
    open.write_all(&content.as_bytes()[..content.len() - 10]).await.unwrap();
    open.flush().await.unwrap();
    let nack = harbour.wait_for(&format!("{}_nack.csv", stem(&name))).await;
    assert!(nack.contains("MANDATORY_COLUMN_MISSING") || nack.contains("MATCH_CONFLICT"), "{nack}");
    // The writer that is still there does not notice.
    open.write_all(b"tail").await.unwrap();
    open.flush().await.unwrap();
    assert_eq!(status(visit.sftp.metadata(format!("Incoming/{name}")).await), StatusCode::NoSuchFile);
    harbour.nothing_was_paid().await;
}

/// OpenSSH's own client, with a key of its own making.
#[tokio::test]
async fn openssh_puts_and_gets() {
    let harbour = Harbour::start().await;
    let folder = std::env::temp_dir().join(format!("stipend-sftp-{}", uuid::Uuid::new_v4()));
    std::fs::create_dir(&folder).unwrap();
    let scratch = Scratch(folder);
    for kind in ["ed25519", "ecdsa"] {
        let key = scratch.0.join(kind);
        let made = Command::new("ssh-keygen").args(["-q", "-t", kind, "-N", "", "-f"]).arg(&key).status().await;
        assert!(made.expect("ssh-keygen is there: apt-get install openssh-client").success());
        let public_key = std::fs::read_to_string(key.with_extension("pub")).unwrap();
        harbour.rig.simulator.add_dropzone_key(USER, ID, &public_key).unwrap();
        let name = harbour.name(kind).await;
        let content = file(&[&format!("{kind}@example.com")]);
        std::fs::write(scratch.0.join(&name), &content).unwrap();
        let put = format!("cd Incoming\nput -p {name}\nls -l {name}\n-rm {name}\n-rename {name} x\nls\nbye\n");
        let said = scratch.sftp(&harbour, &key, &put).await;
        assert!(said.contains(&format!(" {} ", content.len())) && said.contains("-rw-r-----"), "{said}");
        harbour.wait_for(&format!("{}_OUT.csv", stem(&name).to_uppercase())).await;
        let said = scratch.sftp(&harbour, &key, "ls -l Outgoing\nget Outgoing/* .\n").await;
        assert!(said.contains("_ack.csv"), "{said}");
        let out = format!("{}_OUT.csv", stem(&name).to_uppercase());
        let report = std::fs::read_to_string(scratch.0.join(&out)).unwrap();
        assert_eq!(report, harbour.fetch(&out).await);
        assert!(report.contains(",SUCCESS,"), "{report}");
    }
    harbour.conserved().await;
}

struct Scratch(PathBuf);

impl Scratch {
    async fn sftp(&self, harbour: &Harbour, key: &std::path::Path, batch: &str) -> String {
        let address = harbour.rig.simulator.dropzone_address().unwrap();
        let file = self.0.join("batch");
        std::fs::write(&file, batch).unwrap();
        let mut sftp = Command::new("sftp");
        sftp.current_dir(&self.0).arg("-F").arg("none").arg("-b").arg(&file).arg("-i").arg(key);
        for option in ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "IdentitiesOnly=yes"] {
            sftp.arg("-o").arg(option);
        }
        sftp.arg("-P").arg(address.port().to_string()).arg(format!("{USER}@{}", address.ip()));
        let output = sftp.output().await.expect("sftp is there: apt-get install openssh-client");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
        said
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}
