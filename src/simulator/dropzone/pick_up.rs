//! Picks files up, checks them, and has the bank pay them.

use super::faults::Wrong;
use super::folders::Taken;
use super::refusal::{FileError, Refusal};
use super::{Origin, check};
use crate::simulator::bank::WINDOW;
use crate::simulator::batch::new_batch_id;
use crate::simulator::journal::Entry;
use crate::simulator::request::Create;
use crate::simulator::state::State;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::time::Duration;
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;

/// How often Incoming folders are looked at.
const LOOKS_EVERY: Duration = Duration::from_millis(20);
/// How far ahead the time in a name may be, from the page.
const AHEAD: time::Duration = time::Duration::days(7);

/// Works until told to stop.
pub async fn run(state: Arc<State>, stop: CancellationToken) {
    while stop.run_until_cancelled(tokio::time::sleep(LOOKS_EVERY)).await.is_some() {
        let Some(zone) = &state.dropzone else { return };
        let taken = {
            let (mut inner, _) = state.lock();
            // Counted by looks: a machine that stands still for a while has not left anything alone for so long.
            zone.folders().pick_up(LOOKS_EVERY, zone.pick_up_after, &mut inner.faults)
        };
        for file in taken {
            let state = Arc::clone(&state);
            // A large file takes a while.
            let done = tokio::task::spawn_blocking(move || process(&state, file)).await;
            if let Err(error) = done {
                tracing::error!("The simulated DropZone could not process a file: {error}");
            }
        }
    }
}

/// A file as it was read: what it asks for, the digest of its text, when its processing begins.
type Accepted = (Create, String, OffsetDateTime);

fn process(state: &State, file: Taken) {
    let Some(zone) = &state.dropzone else { return };
    if file.struck.has(Wrong::Lose) {
        return;
    }
    let client_id = state.lock().0.bank.dropzone().user(&file.user).map(|user| user.client_id.clone());
    let Some(client_id) = client_id else { return };
    let known = state.lock().0.bank.dropzone().has(&client_id, &file.name);
    let size = file.content.len();
    // A name that is no name can be refused as often as it comes.
    let read = match (check::name(&file.name), known) {
        (Some(_), true) => Err(None),
        (name, _) => read(state, name, &file).map_err(|refusal| Some(refusal.text())),
    };
    let (mut inner, now) = state.lock();
    let read = read.and_then(|(create, sha256, begin)| match inner.bank.dropzone().same(&client_id, &sha256, now) {
        Some(first) => Err(Some(Refusal::repeated(&create.currency, first).text())),
        None => Ok((create, sha256, begin)),
    });
    let Taken { user, name, .. } = file;
    let entry = match read {
        Err(nack) => Entry::File { at: now, client_id, user, name, size, nack },
        Ok((create, sha256, begin)) => {
            let account = inner.accounts.iter().find(|account| account.client_id == client_id);
            let may_pay = account.is_some_and(|account| account.payouts && account.approved);
            let settle = state.settle_after.as_millis().try_into().unwrap_or(u64::MAX);
            Entry::Batch {
                at: now,
                payout_batch_id: new_batch_id(),
                settle_after_ms: settle.min(WINDOW.whole_milliseconds().try_into().unwrap_or(u64::MAX)),
                denied: (!may_pay).then(|| "REFUSED_ACTION_DENIED".to_owned()),
                later: account.map(|account| account.later).unwrap_or_default(),
                create,
                client_id,
                file: Some(Box::new(Origin { user, name, size, sha256, begin, part_size: zone.part_size })),
            }
        }
    };
    if let Err(error) = inner.record(entry) {
        tracing::error!("{error:#}");
    }
}

fn read(state: &State, name: Option<check::Name>, file: &Taken) -> Result<Accepted, Refusal> {
    let refuse = |error| Err(Refusal::of("", error));
    if let Some(rule) = file.struck.by(Wrong::Reject) {
        let name = rule.name.as_deref().unwrap_or_default();
        return Err(Refusal::named("", name, "The file was refused because a fault rule said so."));
    }
    let Some(name) = name else { return refuse(FileError::InvalidFileName) };
    let now = state.clock.now();
    if name.epoch > (now + AHEAD).unix_timestamp() {
        return refuse(FileError::ScheduledTimeError);
    }
    let begin = OffsetDateTime::from_unix_timestamp(name.epoch).unwrap_or(now).max(now);
    let Ok(bytes) = file.content.whole() else { return refuse(FileError::FileEmptyOrCorrupt) };
    let text = check::text(bytes, name.zipped)?;
    let create = check::read(&text)?;
    Ok((create, hex::encode(Sha256::digest(text.as_bytes())), begin))
}
