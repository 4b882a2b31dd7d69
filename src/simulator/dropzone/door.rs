//! The DropZone's own door: for PayPal's staff, who make accounts and enter keys, and for whoever wants to see what became
//! of the files.

use super::Zone;
use super::keys;
use super::ledger::Outcome;
use crate::simulator::bank::Bank;
use crate::simulator::journal::Entry;
use crate::simulator::state::{Inner, State};
use crate::simulator::view;
use serde::Deserialize;
use serde_json::{Value, json};
use time::OffsetDateTime;

const CLOSED: &str = "there is no DropZone; start the simulator with --dropzone ADDR";
const FORMS: &str = r#"send {"user": "...", "client_id": "...", "public_key": "ssh-ed25519 ..."} for an account or one more key, {"user": "...", "remove_key": "SHA256:..."}, or {"new_host_key": true}"#;

/// What is asked for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    user: Option<String>,
    client_id: Option<String>,
    public_key: Option<String>,
    remove_key: Option<String>,
    new_host_key: Option<bool>,
}

/// Accounts, the host key, files.
pub fn show(state: &State) -> Result<Value, String> {
    let zone = state.dropzone.as_ref().ok_or(CLOSED)?;
    let (inner, now) = state.lock();
    Ok(shown(zone, &inner.bank, now))
}

/// Does what is asked for.
pub fn change(state: &State, body: &[u8]) -> Result<Value, String> {
    let zone = state.dropzone.as_ref().ok_or(CLOSED)?;
    let wanted: Wanted = serde_json::from_slice(body).map_err(|error| format!("{error}; {FORMS}"))?;
    match wanted {
        Wanted { user: None, client_id: None, public_key: None, remove_key: None, new_host_key: Some(true) } => {
            zone.change_host_key().map_err(|error| format!("{error:#}"))?;
        }
        Wanted { user: Some(user), client_id, public_key: Some(key), remove_key: None, new_host_key: None } => {
            add_key(state, &user, client_id.as_deref(), &key)?;
        }
        Wanted { user: Some(user), client_id: None, public_key: None, remove_key: Some(key), new_host_key: None } => {
            remove_key(&mut state.lock().0, user, key)?;
        }
        _ => return Err(FORMS.to_owned()),
    }
    show(state)
}

/// Makes an account, or lets one have more keys: those of an OpenSSH `.pub` file.
pub fn add_key(state: &State, user: &str, client_id: Option<&str>, text: &str) -> Result<(), String> {
    let keys = keys::read(text)?;
    if keys.is_empty() {
        return Err("there is no public key in this".to_owned());
    }
    let (mut inner, _) = state.lock();
    let client_id = account(&inner, user, client_id)?;
    for key in keys {
        let public_key = key.to_openssh().map_err(|error| error.to_string())?;
        let entry = Entry::Key { user: user.to_owned(), client_id: client_id.clone(), public_key };
        inner.record(entry).map_err(|error| format!("{error:#}"))?;
    }
    Ok(())
}

/// Whose balance an account uses, or shall use.
pub fn account(inner: &Inner, user: &str, client_id: Option<&str>) -> Result<String, String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if !(1..=64).contains(&user.len()) || !user.bytes().all(plain) {
        return Err("a user name is 1 to 64 letters, digits, dots, dashes and underscores".to_owned());
    }
    let known = inner.bank.dropzone().user(user).map(|known| known.client_id.as_str());
    let client_id = client_id.or(known).ok_or("a new account needs a client_id")?;
    if known.is_some_and(|known| known != client_id) {
        return Err(format!("{user} is an account of another client_id"));
    }
    if !inner.accounts.iter().any(|account| account.client_id == client_id) {
        return Err("no account has this client_id".to_owned());
    }
    Ok(client_id.to_owned())
}

fn remove_key(inner: &mut Inner, user: String, fingerprint: String) -> Result<(), String> {
    let known = inner.bank.dropzone().user(&user).ok_or("there is no such user")?;
    let has =
        |text: &String| keys::read(text).unwrap_or_default().iter().any(|key| keys::fingerprint(key) == fingerprint);
    if !known.public_keys.iter().any(has) {
        return Err("the user has no such key".to_owned());
    }
    inner.record(Entry::Unkey { user, fingerprint }).map_err(|error| format!("{error:#}"))
}

fn shown(zone: &Zone, bank: &Bank, now: OffsetDateTime) -> Value {
    let folders = zone.folders();
    let users: Vec<Value> = bank
        .dropzone()
        .users()
        .iter()
        .map(|user| {
            let keys = user.public_keys.iter().flat_map(|text| keys::read(text).unwrap_or_default());
            let keys: Vec<String> = keys.map(|key| keys::fingerprint(&key)).collect();
            let incoming = folders.incoming(&user.user);
            let incoming: Vec<Value> =
                incoming.map(|(name, upload)| json!({"name": name, "size": upload.written().content.len()})).collect();
            let outgoing = folders.outgoing(&user.user, now).into_iter();
            let outgoing: Vec<Value> =
                outgoing.map(|(name, paper)| json!({"name": name, "size": paper.content.len()})).collect();
            json!({"user": user.user, "client_id": user.client_id, "keys": keys, "incoming": incoming,
                "outgoing": outgoing})
        })
        .collect();
    let files: Vec<Value> = bank
        .dropzone()
        .files()
        .iter()
        .map(|file| {
            let (answer, batch, nack) = match &file.outcome {
                Outcome::Accepted(id) => ("ACK", Some(id), None),
                Outcome::Refused(nack) => ("NACK", None, Some(nack)),
                Outcome::Repeated => ("DUPS", None, None),
            };
            json!({"user": file.user, "name": file.name, "size": file.size, "picked_up": view::time(file.at),
                "answer": answer, "payout_batch_id": batch, "nack": nack})
        })
        .collect();
    let key = zone.host_key();
    json!({
        "address": format!("sftp://{}", zone.address),
        "host_key": key.public(),
        "host_key_fingerprint": key.fingerprint(),
        "users": users,
        "files": files,
    })
}
