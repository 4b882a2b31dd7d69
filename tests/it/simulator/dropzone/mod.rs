//! The simulated DropZone, through an SFTP client: files in, answers and reports out, and the bank asked in the end.

mod doors;
mod faults;
mod files;
mod reports;
mod transfer;

use super::*;
use russh::client::{self, AuthResult};
use russh::keys::ssh_key::private::{Ed25519Keypair, KeypairData};
use russh::keys::{HashAlg, PrivateKey, PrivateKeyWithHashAlg, PublicKeyOrCertificate};
use russh_sftp::client::SftpSession;
use rust_decimal::Decimal;
use std::sync::{Arc, Mutex};
use stipend::simulator::{Dropzone, DropzoneAccount};
use tokio::io::AsyncWriteExt;

/// How long anything may take to appear.
const PATIENCE: Duration = Duration::from_secs(20);
const USER: &str = "shop";

/// A simulator with a DropZone, and a key that opens it.
struct Harbour {
    rig: Rig,
    key: PrivateKey,
}

/// A client that is connected.
struct Visit {
    sftp: SftpSession,
    /// The fingerprint of the host key that it met.
    host_key: String,
    _connection: client::Handle<Greeter>,
}

struct Greeter(Arc<Mutex<String>>);

impl client::Handler for Greeter {
    type Error = russh::Error;

    async fn check_server_key(&mut self, key: &PublicKeyOrCertificate) -> Result<bool, russh::Error> {
        if let PublicKeyOrCertificate::PublicKey { key, .. } = key {
            *self.0.lock().unwrap() = key.fingerprint(HashAlg::Sha256).to_string();
        }
        Ok(true)
    }
}

fn new_key() -> PrivateKey {
    PrivateKey::new(KeypairData::Ed25519(Ed25519Keypair::from_seed(&rand::random())), "test").unwrap()
}

fn public(key: &PrivateKey) -> String {
    key.public_key().to_openssh().unwrap()
}

fn zone(key: &PrivateKey) -> Dropzone {
    let account = |user: &str, client_id: &str, keys| DropzoneAccount {
        user: user.to_owned(),
        client_id: client_id.to_owned(),
        public_keys: keys,
    };
    let accounts = vec![account(USER, ID, vec![public(key)]), account("other", "client-2", vec![])];
    let listen = "127.0.0.1:0".parse().unwrap();
    Dropzone { pick_up_after: Duration::from_millis(120), ..Dropzone::new(listen, accounts) }
}

impl Harbour {
    async fn start() -> Harbour {
        Harbour::with(Duration::ZERO, |zone| zone).await
    }

    async fn with(settle_after: Duration, change: impl FnOnce(Dropzone) -> Dropzone) -> Harbour {
        let key = new_key();
        let dropzone = Some(change(zone(&key)));
        Harbour { rig: Rig::with(Settings { dropzone, ..settings(settle_after) }).await, key }
    }

    async fn visit_as(&self, user: &str, key: &PrivateKey) -> Result<Visit, String> {
        let address = self.rig.simulator.dropzone_address().expect("a DropZone");
        let host_key = Arc::new(Mutex::new(String::new()));
        let config = Arc::new(client::Config { nodelay: true, ..client::Config::default() });
        let connected = client::connect(config, address, Greeter(Arc::clone(&host_key))).await;
        let mut connection = connected.map_err(|error| error.to_string())?;
        let key = PrivateKeyWithHashAlg::new(Arc::new(key.clone()), None);
        match connection.authenticate_publickey(user, key).await {
            Ok(AuthResult::Success) => {}
            Ok(AuthResult::Failure { remaining_methods, .. }) => return Err(format!("refused: {remaining_methods:?}")),
            Err(error) => return Err(error.to_string()),
        }
        let channel = connection.channel_open_session().await.map_err(|error| error.to_string())?;
        channel.request_subsystem(true, "sftp").await.map_err(|error| error.to_string())?;
        let sftp = SftpSession::new(channel.into_stream()).await.map_err(|error| error.to_string())?;
        let host_key = host_key.lock().unwrap().clone();
        Ok(Visit { sftp, host_key, _connection: connection })
    }

    async fn visit(&self) -> Visit {
        self.visit_as(USER, &self.key).await.expect("the key opens the DropZone")
    }

    /// A well-formed name, `ahead` of now.
    async fn name_ahead(&self, reference: &str, ahead: i64) -> String {
        let now = self.rig.get("/_simulator/clock").await.json()["now"].as_str().expect("a time").to_owned();
        let now = time::OffsetDateTime::parse(&now, &time::format_description::well_known::Rfc3339).unwrap();
        format!("pp_payouts_{}_{reference}.csv", now.unix_timestamp() + ahead)
    }

    async fn name(&self, reference: &str) -> String {
        self.name_ahead(reference, -60).await
    }

    async fn put(&self, name: &str, content: &[u8]) {
        self.visit().await.put(name, content).await.expect("the file is taken");
    }

    /// What stands in Outgoing.
    async fn outgoing(&self) -> Vec<String> {
        self.visit().await.list("Outgoing").await
    }

    async fn fetch(&self, name: &str) -> String {
        String::from_utf8(self.visit().await.fetch(name).await).expect("UTF-8")
    }

    /// The file with this name in Outgoing, once it is there.
    async fn wait_for(&self, name: &str) -> String {
        let visit = self.visit().await;
        let seen = tokio::time::timeout(PATIENCE, async {
            while !visit.list("Outgoing").await.iter().any(|there| there == name) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        if seen.await.is_err() {
            panic!("{name} never came; there is {:?}", visit.list("Outgoing").await);
        }
        String::from_utf8(visit.fetch(name).await).expect("UTF-8")
    }

    /// Puts a file, waits for its ACK, and gives its batch.
    async fn accepted(&self, name: &str, content: &[u8]) -> Value {
        self.put(name, content).await;
        self.wait_for(&format!("{}_ack.csv", stem(name))).await;
        self.batch_of(name).await
    }

    /// The batch that came in a file.
    async fn batch_of(&self, name: &str) -> Value {
        let bank = self.rig.bank().await;
        let mut batches = bank["batches"].as_array().expect("batches").iter();
        batches.find(|batch| batch["file_name"] == name).unwrap_or_else(|| panic!("no batch of {name}")).clone()
    }

    /// What became of the files, by name.
    async fn files(&self) -> Vec<(String, String)> {
        let shown = self.rig.get("/_simulator/dropzone").await.json();
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let files = shown["files"].as_array().expect("files").iter();
        files.map(|file| (text(&file["name"]), text(&file["answer"]))).collect()
    }

    /// Waits until so many files were picked up.
    async fn picked_up(&self, count: usize) {
        let enough = async {
            while self.files().await.len() < count {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, enough).await.expect("the files are picked up");
    }

    /// No money has moved for anything.
    async fn nothing_was_paid(&self) {
        let bank = self.rig.bank().await;
        assert_eq!(bank["batches"], json!([]));
        assert_eq!(bank["accounts"][0]["balances"]["USD"], "100000000.00");
    }

    /// Each account's opening balance is its balance, what its receivers have, and its fees.
    async fn conserved(&self) {
        let bank = self.rig.get("/_simulator/bank?summary=1").await.json();
        let decimal = |value: &Value| value.as_str().expect("a decimal").parse::<Decimal>().expect("a decimal");
        let batches = bank["batches"].as_array().expect("batches").iter().filter(|batch| batch["currency"] == "USD");
        let sums = batches.filter(|batch| batch["client_id"] == ID).flat_map(|batch| {
            batch["states"].as_object().expect("states").values().map(|state| [&state["money_moved"], &state["fee"]])
        });
        let spent: Decimal = sums.flatten().map(decimal).sum();
        let accounts = bank["accounts"].as_array().expect("accounts");
        let own = accounts.iter().find(|account| account["client_id"] == ID).expect("the account");
        assert_eq!(decimal(&own["balances"]["USD"]) + spent, Decimal::from(100_000_000));
    }
}

impl Visit {
    async fn put(&self, name: &str, content: &[u8]) -> Result<(), String> {
        let mut file = self.sftp.create(format!("/Incoming/{name}")).await.map_err(|error| error.to_string())?;
        file.write_all(content).await.map_err(|error| error.to_string())?;
        file.flush().await.map_err(|error| error.to_string())?;
        file.close().await.map_err(|error| error.to_string())
    }

    async fn list(&self, folder: &str) -> Vec<String> {
        let files = self.sftp.read_dir(folder).await.expect("a listing");
        files.map(|file| file.file_name()).collect()
    }

    async fn fetch(&self, name: &str) -> Vec<u8> {
        self.sftp.read(format!("Outgoing/{name}")).await.expect("the file can be read")
    }
}

fn stem(name: &str) -> &str {
    name.split('.').next().unwrap()
}

/// A file that pays ten dollars to each receiver, with reference ids R1, R2, ...
fn file(receivers: &[&str]) -> String {
    let mut text = format!("PAYOUT_SUMMARY,{}.00,USD,{},You have a payout,\n", receivers.len() * 10, receivers.len());
    for (place, receiver) in receivers.iter().enumerate() {
        text += &format!("PAYOUT,{receiver},10.00,USD,R{},\n", place + 1);
    }
    text
}

/// The rows of a report, by reference id.
fn rows(report: &str) -> std::collections::BTreeMap<String, Vec<String>> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(report.as_bytes());
    let rows = reader.records().map(|row| row.expect("a row").iter().map(str::to_owned).collect::<Vec<_>>());
    rows.map(|row| (row[0].clone(), row)).collect()
}
