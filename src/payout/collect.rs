//! Step 5 of the file rail: PayPal's folders are read, and what is new about our files is fetched and kept as it is. Then
//! [`super::answers`] and [`super::reports`] apply it.
//!
//! A file is told by its name, size and time, and fetched once; it counts once by its content. It is kept before it is
//! believed, so a crash leaves it to be applied. Nothing is ever deleted or moved at PayPal's.

use super::batch::BatchState;
use super::claim;
use super::crash::crash_point;
use super::file::{LIST_FOR_FINAL, list_after};
use super::lease::{FolderLease, holding};
use super::upload::no_session;
use super::{answers, reports};
use crate::app::App;
use crate::connection::dropzone;
use crate::database::Tx;
use crate::id::{BatchId, DropzoneFileId};
use crate::paypal::dropzone::{Account, Entry, Failed, Session};
use crate::paypal::large_batch::{Outgoing, outgoing};
use anyhow::ensure;
use sha2::{Digest, Sha256};
use std::collections::HashSet;
use std::io::{Read, Seek, SeekFrom, Write};
use time::{Duration, OffsetDateTime};

/// The largest file that is fetched: millions of rows. Past it, somebody has put something else there.
const LARGEST: u64 = 4 * 1024 * 1024 * 1024;
/// How much of a file is one row.
const PART: usize = 1024 * 1024;
/// After trouble, the folders are read again no sooner.
const AFTER_TROUBLE: Duration = Duration::seconds(15);
/// The same where a person has to mend it: whoever knocks all the time is locked out.
const AFTER_REFUSAL: Duration = Duration::minutes(15);

/// Why the folders could not be read, and how long they are let alone.
struct Trouble {
    why: String,
    wait: Duration,
}

/// Claims one merchant's folders, reads them and applies what is new. False when none were due.
pub async fn next(app: &App) -> anyhow::Result<bool> {
    let Some(lease) = claim::to_list(app).await? else { return Ok(false) };
    let trouble = holding(app, lease, async {
        let read = read_folders(app, lease).await;
        // What was fetched before is applied, whether the server answers now or not.
        reports::apply_kept(app, lease).await?;
        answers::judge_all(app, lease).await?;
        anyhow::Ok(read?.err())
    })
    .await;
    let trouble = match trouble {
        Ok(trouble) => trouble,
        Err(error) => {
            tracing::error!(merchant.id = %lease.merchant, "what PayPal's folders hold could not be kept: {error:#}");
            Some(Trouble { why: format!("it could not be kept: {error:#}"), wait: AFTER_TROUBLE })
        }
    };
    finish(app, lease, trouble).await?;
    app.wake.notify_waiters();
    Ok(true)
}

/// One of our files about which PayPal still has something to say.
struct Awaited {
    batch: BatchId,
    name: String,
    state: BatchState,
    uploaded: bool,
    gone: bool,
}

impl Awaited {
    fn stem(&self) -> &str {
        self.name.split('.').next().unwrap_or_default()
    }
}

/// Both folders, and every new file about one of ours.
async fn read_folders(app: &App, lease: FolderLease) -> anyhow::Result<Result<(), Trouble>> {
    let mut tx = app.database.merchant(lease.merchant).await?;
    let account = dropzone::account(&mut tx, &app.vault, lease.dropzone).await?;
    let awaited = awaited(&mut tx, lease, app.clock.now() - super::file::FINAL_OVERDUE).await?;
    drop(tx);
    let Some(account) = account else {
        return Ok(Err(Trouble { why: "the account has no key any more".into(), wait: AFTER_REFUSAL }));
    };
    let session = match app.dropzone.session(&account).await {
        Ok(session) => session,
        Err(error) => {
            let (why, needs_a_person) = no_session(&error);
            return Ok(Err(Trouble { why, wait: if needs_a_person { AFTER_REFUSAL } else { AFTER_TROUBLE } }));
        }
    };
    if account.keys.len() > 1 && session.key() == 0 {
        let mut tx = app.database.merchant(lease.merchant).await?;
        dropzone::next_key_works(&mut tx, lease.dropzone, app.clock.now()).await?;
        tx.commit().await?;
    }
    match read_with(app, lease, &session, &awaited).await? {
        Ok(()) => Ok(Ok(())),
        Err(error) => {
            forget_if_broken(app, &account, &error);
            Ok(Err(Trouble { why: error.to_string(), wait: AFTER_TROUBLE }))
        }
    }
}

fn forget_if_broken(app: &App, account: &Account, error: &Failed) {
    match error {
        Failed::Broken(_) => app.dropzone.forget(account),
        Failed::NotFound | Failed::Refused(_) => {}
    }
}

async fn read_with(
    app: &App,
    lease: FolderLease,
    session: &Session,
    awaited: &[Awaited],
) -> anyhow::Result<Result<(), Failed>> {
    let listed = match (session.incoming().await, session.outgoing().await) {
        (Ok(incoming), Ok(outgoing)) => (incoming, outgoing),
        (Err(error), _) | (_, Err(error)) => return Ok(Err(error)),
    };
    let (waiting, answered) = listed;
    note_gone(app, lease, awaited, &waiting).await?;
    let known = known(app, lease, awaited).await?;
    for entry in answered {
        let ours = awaited.iter().find_map(|file| Some((file, outgoing(file.stem(), &entry.name)?)));
        let Some((file, kind)) = ours else { continue };
        if entry.bytes == 0 || known.contains(&key(file.batch, &entry)) {
            continue;
        }
        match fetch(session, &entry).await {
            Ok(Some(fetched)) => keep(app, lease, file.batch, kind, &entry, fetched).await?,
            // Still being written: it is another one next time.
            Ok(None) => {}
            Err(error) => return Ok(Err(error)),
        }
    }
    Ok(Ok(()))
}

async fn awaited(tx: &mut Tx, lease: FolderLease, watched_since: OffsetDateTime) -> sqlx::Result<Vec<Awaited>> {
    sqlx::query_as!(
        Awaited,
        r#"
        select
            b.id as "batch: BatchId",
            f.name,
            b.state as "state: BatchState",
            f.uploaded_at is not null as "uploaded!",
            f.gone_at is not null as "gone!"
        from payout_batches b
        join payout_files f on f.merchant_id = b.merchant_id and f.batch_id = b.id
        where b.merchant_id = $1
            and b.dropzone_id = $2
            and (b.state in ('submitting', 'accepted', 'stuck') or (b.state = 'refused' and b.changed_at > $3))
        "#,
        lease.merchant.0,
        lease.dropzone.0,
        watched_since
    )
    .fetch_all(&mut **tx)
    .await
}

/// Files that have left the Incoming folder: PayPal has picked them up.
async fn note_gone(app: &App, lease: FolderLease, awaited: &[Awaited], waiting: &[Entry]) -> anyhow::Result<()> {
    let waits = |file: &Awaited| waiting.iter().any(|entry| entry.name == file.name);
    let gone: Vec<_> = awaited
        .iter()
        .filter(|file| file.state == BatchState::Submitting && file.uploaded && !file.gone && !waits(file))
        .map(|file| file.batch.0)
        .collect();
    if gone.is_empty() {
        return Ok(());
    }
    let mut tx = app.database.merchant(lease.merchant).await?;
    ensure_held(&mut tx, lease).await?;
    sqlx::query!(
        "update payout_files set gone_at = $3 where merchant_id = $1 and batch_id = any($2) and gone_at is null",
        lease.merchant.0,
        &gone,
        app.clock.now()
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(())
}

/// What tells one file in the folder from another.
type Key = (BatchId, String, i64, Option<OffsetDateTime>);

fn key(batch: BatchId, entry: &Entry) -> Key {
    (batch, entry.name.clone(), i64::try_from(entry.bytes).unwrap_or(i64::MAX), entry.modified_at)
}

async fn known(app: &App, lease: FolderLease, awaited: &[Awaited]) -> anyhow::Result<HashSet<Key>> {
    let batches: Vec<_> = awaited.iter().map(|file| file.batch.0).collect();
    let mut tx = app.database.merchant(lease.merchant).await?;
    let rows = sqlx::query!(
        r#"
        select batch_id as "batch: BatchId", name, bytes, modified_at
        from dropzone_files
        where merchant_id = $1 and batch_id = any($2)
        "#,
        lease.merchant.0,
        &batches
    )
    .fetch_all(&mut *tx)
    .await?;
    Ok(rows.into_iter().map(|row| (row.batch, row.name, row.bytes, row.modified_at)).collect())
}

/// A file that was read to its end, on disk.
struct Fetched {
    content: std::fs::File,
    sha256: Vec<u8>,
}

/// Reads a file to its end. Nothing if it was not as long as the listing said, or has grown meanwhile: PayPal is still
/// writing it.
async fn fetch(session: &Session, entry: &Entry) -> Result<Option<Fetched>, Failed> {
    let on_disk = |error: std::io::Error| Failed::Refused(format!("no place for a file of PayPal’s: {error}"));
    if entry.bytes > LARGEST {
        return Err(Failed::Refused(format!("{} is larger than any report", entry.name)));
    }
    let mut content = tempfile::tempfile().map_err(on_disk)?;
    let mut digest = Sha256::new();
    let mut file = session.get(entry).await?;
    let mut length = 0;
    loop {
        let portion = file.next().await?;
        if portion.is_empty() {
            break;
        }
        length += portion.len() as u64;
        if length > entry.bytes {
            return Ok(None);
        }
        digest.update(portion);
        content.write_all(portion).map_err(on_disk)?;
    }
    if length != entry.bytes || !session.is_unchanged(entry).await? {
        return Ok(None);
    }
    content.seek(SeekFrom::Start(0)).map_err(on_disk)?;
    Ok(Some(Fetched { content, sha256: digest.finalize().to_vec() }))
}

/// Keeps a file as it is, once by its content.
async fn keep(
    app: &App,
    lease: FolderLease,
    batch: BatchId,
    kind: Outgoing,
    entry: &Entry,
    mut fetched: Fetched,
) -> anyhow::Result<()> {
    crash_point("before_report");
    let now = app.clock.now();
    let mut tx = app.database.merchant(lease.merchant).await?;
    ensure_held(&mut tx, lease).await?;
    let kind = reports::code(kind);
    let repeated = sqlx::query_scalar!(
        "select 1 as one from dropzone_files where merchant_id = $1 and batch_id = $2 and sha256 = $3 and kind = $4 limit 1",
        lease.merchant.0,
        batch.0,
        fetched.sha256,
        kind
    )
    .fetch_optional(&mut *tx)
    .await?
    .is_some();
    let id = DropzoneFileId::new();
    sqlx::query!(
        r#"
        insert into dropzone_files (
            merchant_id, id, dropzone_id, batch_id, name, bytes, modified_at, kind, sha256, fetched_at, handled_at, outcome
        )
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10::timestamptz, case when $11 then $10::timestamptz end,
            case when $11 then 'repeated' end)
        "#,
        lease.merchant.0,
        id.0,
        lease.dropzone.0,
        batch.0,
        entry.name,
        i64::try_from(entry.bytes)?,
        entry.modified_at,
        kind,
        fetched.sha256,
        now,
        repeated
    )
    .execute(&mut *tx)
    .await?;
    if !repeated {
        keep_content(&mut tx, id, &mut fetched.content).await?;
    }
    tx.commit().await?;
    crash_point("after_report");
    tracing::info!(batch.id = %batch, repeated, "{} was fetched", entry.name);
    Ok(())
}

async fn keep_content(tx: &mut Tx, id: DropzoneFileId, content: &mut std::fs::File) -> anyhow::Result<()> {
    let merchant = tx.merchant();
    for place in 0.. {
        let mut part = Vec::with_capacity(PART);
        Read::by_ref(content).take(PART as u64).read_to_end(&mut part)?;
        if part.is_empty() {
            break;
        }
        sqlx::query!(
            "insert into dropzone_file_parts (merchant_id, file_id, place, content) values ($1, $2, $3, $4)",
            merchant.0,
            id.0,
            place,
            part
        )
        .execute(&mut **tx)
        .await?;
    }
    Ok(())
}

/// Whoever slept past the lease writes nothing.
pub(super) async fn ensure_held(tx: &mut Tx, lease: FolderLease) -> anyhow::Result<()> {
    let held = sqlx::query_scalar!(
        "select 1 as one from dropzones where merchant_id = $1 and id = $2 and fence = $3 for update",
        lease.merchant.0,
        lease.dropzone.0,
        lease.fence
    )
    .fetch_optional(&mut **tx)
    .await?;
    ensure!(held.is_some(), "the lease on the folders of merchant {} was lost", lease.merchant);
    Ok(())
}

/// When the folders are read next: soon after something happened, then ever less, and not at all once nothing is waited
/// for.
async fn finish(app: &App, lease: FolderLease, trouble: Option<Trouble>) -> anyhow::Result<()> {
    let now = app.clock.now();
    let mut tx = app.database.merchant(lease.merchant).await?;
    let waits = sqlx::query!(
        r#"
        select
            max(case
                when b.state = 'submitting' then coalesce(f.nack_at, f.uploaded_at, f.put_at, b.changed_at)
                when b.state = 'accepted' and b.settled_at is null then greatest(b.accepted_at, f.staged_at)
            end) as since,
            count(*) as "files!"
        from payout_batches b
        join payout_files f on f.merchant_id = b.merchant_id and f.batch_id = b.id
        where b.merchant_id = $1 and b.dropzone_id = $2 and b.state in ('submitting', 'accepted', 'stuck', 'refused')
        "#,
        lease.merchant.0,
        lease.dropzone.0
    )
    .fetch_one(&mut *tx)
    .await?;
    let after = match waits.since {
        Some(since) => Some(list_after(now - since)),
        None => (waits.files > 0).then_some(LIST_FOR_FINAL),
    };
    let after = after.map(|after| trouble.as_ref().map_or(after, |trouble| after.max(trouble.wait)));
    sqlx::query!(
        r#"
        update dropzones
        set look_at = $4,
            owner = null,
            listed_at = case when $5::text is null then $6 else listed_at end,
            trouble = $5,
            trouble_since = case when $5::text is not null then coalesce(trouble_since, $6) end
        where merchant_id = $1 and id = $2 and fence = $3
        "#,
        lease.merchant.0,
        lease.dropzone.0,
        lease.fence,
        after.map(|after| now + after),
        trouble.map(|trouble| trouble.why),
        now
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(())
}
