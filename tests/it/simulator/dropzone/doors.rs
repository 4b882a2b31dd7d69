//! Accounts, keys, the host key, and what a restart keeps.

use super::*;
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

struct Folder(std::path::PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

async fn door(harbour: &Harbour, body: Value) -> Value {
    let answer = harbour.rig.post("/_simulator/dropzone", &body).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    answer.json()
}

#[tokio::test]
async fn a_key_can_be_changed_while_both_are_known() {
    let harbour = Harbour::start().await;
    let new = new_key();
    let refused = harbour.visit_as(USER, &new).await.err().expect("an unknown key");
    assert!(refused.contains("PublicKey") && !refused.contains("Password"), "{refused}");
    assert!(harbour.visit_as("nobody", &harbour.key).await.is_err());
    assert!(harbour.visit_as("other", &harbour.key).await.is_err(), "a key is its own account's");

    let shown = door(&harbour, json!({"user": USER, "public_key": public(&new)})).await;
    let old = harbour.key.public_key().fingerprint(HashAlg::Sha256).to_string();
    assert_eq!(shown["users"][0]["keys"], json!([old, new.public_key().fingerprint(HashAlg::Sha256).to_string()]));
    harbour.visit_as(USER, &new).await.expect("the new key");
    harbour.visit().await;
    door(&harbour, json!({"user": USER, "remove_key": old})).await;
    harbour.visit_as(USER, &new).await.expect("the new key");
    assert!(harbour.visit_as(USER, &harbour.key).await.is_err());

    // A new account, and an account that was there without a key.
    harbour.rig.simulator.add_dropzone_key("third", "client-2", &public(&new)).unwrap();
    door(&harbour, json!({"user": "other", "public_key": public(&new)})).await;
    let visit = harbour.visit_as("third", &new).await.expect("a new account");
    let name = harbour.name("third").await;
    visit.put(&name, file(&["a@example.com"]).as_bytes()).await.unwrap();
    harbour.picked_up(1).await;
    assert_eq!(harbour.batch_of(&name).await["client_id"], "client-2");
    let visit = harbour.visit_as(USER, &new).await.expect("the new key");
    assert_eq!(visit.list("Outgoing").await, [""; 0], "folders are an account's own");
    for bad in [
        json!({"user": USER, "public_key": "ssh-ed25519 AAAA"}),
        json!({"user": USER, "public_key": ""}),
        json!({"user": USER, "client_id": "client-2", "public_key": public(&new)}),
        json!({"user": "new", "public_key": public(&new)}),
        json!({"user": "new", "client_id": "nobody", "public_key": public(&new)}),
        json!({"user": "a/b", "client_id": ID, "public_key": public(&new)}),
        json!({"user": USER}),
        json!({"user": USER, "remove_key": "SHA256:no"}),
        json!({"new_host_key": false}),
        json!({}),
    ] {
        assert_eq!(harbour.rig.post("/_simulator/dropzone", &bad).await.status, StatusCode::BAD_REQUEST, "{bad}");
    }
    harbour.conserved().await;
}

#[tokio::test]
async fn a_person_enters_a_key_and_sees_files_on_the_page() {
    let harbour = Harbour::start().await;
    let (new, url) = (new_key(), harbour.rig.simulator.url());
    let (key, name) = (public(&new), harbour.name("page").await);
    let form = [("do", "key"), ("user", "page"), ("client_id", ID), ("public_key", key.as_str())];
    let pressed = harbour.rig.http.post(format!("{url}/_simulator/play")).header("origin", &url).form(&form);
    let page = answer(pressed).await.text;
    assert!(page.contains("page may connect with this key.") && page.contains("sftp://127.0.0.1:"), "{page}");
    let visit = harbour.visit_as("page", &new).await.expect("the key that was entered");
    visit.put(&name, file(&["a@example.com"]).as_bytes()).await.unwrap();
    harbour.picked_up(1).await;
    let page = answer(harbour.rig.http.get(format!("{url}/?q={name}"))).await.text;
    assert!(page.contains("a@example.com") && page.contains(&name), "{page}");
    let form = [("do", "key"), ("user", "page"), ("client_id", ID), ("public_key", "rubbish")];
    let pressed = harbour.rig.http.post(format!("{url}/_simulator/play")).header("origin", &url).form(&form);
    assert!(answer(pressed).await.text.contains("Not done: this is no OpenSSH public key"));
    harbour.conserved().await;
}

#[tokio::test]
async fn a_host_key_stays_until_it_is_changed() {
    let harbour = Harbour::start().await;
    let before = harbour.rig.simulator.dropzone_host_key().unwrap();
    let visit = harbour.visit().await;
    assert_eq!(visit.host_key, before);
    assert_eq!(harbour.visit().await.host_key, before);
    let shown = door(&harbour, json!({"new_host_key": true})).await;
    let after = harbour.visit().await.host_key;
    assert_ne!(after, before);
    assert_eq!(shown["host_key_fingerprint"], json!(after));
    assert_eq!(visit.list("/").await.len(), 2, "who is connected stays connected");
}

#[tokio::test]
async fn a_restarted_dropzone_has_the_same_files() {
    let folder = Folder(std::env::temp_dir().join(format!("stipend-dropzone-{}", uuid::Uuid::new_v4())));
    std::fs::create_dir(&folder.0).unwrap();
    let (key, added) = (new_key(), new_key());
    let start = async || {
        let (journal, dropzone) = (Some(folder.0.join("journal")), Some(Dropzone { part_size: 1, ..zone(&key) }));
        Rig::with(Settings { journal, dropzone, ..settings(Duration::from_secs(60)) }).await
    };
    let harbour = Harbour { rig: start().await, key: key.clone() };
    harbour.rig.simulator.add_dropzone_key("added", ID, &public(&added)).unwrap();
    let host_key = harbour.visit().await.host_key;
    let (first, second) = (harbour.name("first").await, harbour.name("second").await);
    let content = file(&["a@example.com", "unclaimed@example.com"]);
    harbour.accepted(&first, content.as_bytes()).await;
    harbour.rig.advance(60).await;
    harbour.put(&second, b"bad").await;
    harbour.wait_for(&format!("{}_nack.csv", stem(&second))).await;
    let (there, bank) = (harbour.outgoing().await, harbour.rig.bank().await["batches"].clone());
    assert_eq!(there.len(), 5, "{there:?}");
    let out = format!("{}_OUT.csv", stem(&first).to_uppercase());
    let before = harbour.fetch(&out).await;
    harbour.rig.simulator.stop().await;

    let harbour = Harbour { rig: start().await, key };
    assert_eq!(harbour.visit().await.host_key, host_key);
    harbour.visit_as("added", &added).await.expect("an account that was added");
    assert_eq!(harbour.outgoing().await, there);
    assert_eq!(harbour.fetch(&out).await, before);
    assert_eq!(harbour.rig.bank().await["batches"], bank);
    // Names and contents are known again.
    harbour.put(&first, content.as_bytes()).await;
    harbour.wait_for(&format!("{}_dups.csv", stem(&first))).await;
    harbour.rig.advance(31 * DAY).await;
    let last = harbour.wait_for(&format!("{}_FINAL.csv", stem(&first).to_uppercase())).await;
    assert_eq!(rows(&last)["R2"][9], "RETURNED");
    harbour.conserved().await;
}

#[tokio::test]
async fn without_a_dropzone_there_is_none() {
    let rig = Rig::start().await;
    assert_eq!(rig.simulator.dropzone_address(), None);
    assert_eq!(rig.simulator.dropzone_host_key(), None);
    let answer = rig.get("/_simulator/dropzone").await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert!(answer.text.contains("--dropzone ADDR"), "{}", answer.text);
}

#[tokio::test]
async fn the_program_has_a_dropzone_when_it_is_told_to() {
    let folder = Folder(std::env::temp_dir().join(format!("stipend-dropzone-{}", uuid::Uuid::new_v4())));
    std::fs::create_dir(&folder.0).unwrap();
    let (first, second) = (new_key(), new_key());
    let keys = folder.0.join("keys.pub");
    std::fs::write(&keys, format!("# two keys\n{}\n\n{} ann@office\n", public(&first), public(&second))).unwrap();
    let program = |arguments: &[&str]| {
        let mut program = Command::new(env!("CARGO_BIN_EXE_stipend"));
        program.args(["paypal-simulator", "--listen", "127.0.0.1:0", "--account", "client-1:secret-1"]);
        program.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        program
    };
    let account = format!("shop:client-1:{}", keys.display());
    let started = ["--dropzone", "127.0.0.1:0", "--dropzone-account", &account, "--pick-up-after", "100ms"];
    let mut child = program(&started).spawn().expect("the program starts");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let mut line = async || lines.next_line().await.expect("a line").expect("a line");
    let url = line().await;
    let url = url.strip_prefix("PayPal simulator listening on ").expect("the address").to_owned();
    let zone = line().await;
    let zone = zone.strip_prefix("PayPal DropZone listening on sftp://").expect("the address").to_owned();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let shown = answer(http.get(format!("{url}/_simulator/dropzone"))).await.json();
    assert_eq!(shown["address"], format!("sftp://{zone}"));
    let prints = [&first, &second].map(|key| key.public_key().fingerprint(HashAlg::Sha256).to_string());
    assert_eq!(shown["users"][0]["keys"], json!(prints));

    for (bad, why) in [
        (vec!["--dropzone-account", &account], "--dropzone"),
        (vec!["--dropzone", "127.0.0.1:0", "--dropzone-account", "shop:client-1"], "USER:CLIENT_ID:PUBLIC_KEY_FILE"),
        (vec!["--dropzone", "127.0.0.1:0", "--dropzone-account", "shop:client-1:/nothing/there"], "/nothing/there"),
        (vec!["--dropzone", "127.0.0.1:0", "--part-size", "0"], "--part-size"),
    ] {
        let output = program(&bad).output().await.expect("the program ends");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(why), "{bad:?}: {said}");
    }
    let other = format!("shop:client-9:{}", keys.display());
    let output = program(&["--dropzone", "127.0.0.1:0", "--dropzone-account", &other]).output().await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("no account has this client_id"), "{said}");
}
