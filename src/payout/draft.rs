//! Step 1: a selection becomes batches, items and allocations, in one transaction. From here on we owe it to finish.
//!
//! Everything is set-based: 100,000 commissions cost the same statements as one.

use super::batch::Rail;
use super::crash::crash_point;
use super::frozen::{NewBatch, allocate, compose, insert_batches, insert_items};
use super::frozen_file;
use super::restoration;
use super::selection::{BULK, Line, Seen};
use super::store::take_lines;
use super::{approval, limits};
use crate::app::App;
use crate::audit::{self, Actor};
use crate::database::Tx;
use crate::id::{BatchId, ConnectionId, DropzoneId, MerchantId, RequestId};
use crate::money::Money;
use crate::paypal::Environment;
use crate::paypal::large_batch::Compression;
use sha2::{Digest, Sha256};
use time::{Date, OffsetDateTime};

/// One click on Pay.
#[derive(Debug, Clone)]
pub struct Ask {
    /// The selection, and the id that makes a repeated click harmless.
    pub request: RequestId,
    /// Who clicked.
    pub actor: Actor,
    /// How it is to travel.
    pub how: How,
    /// Subject of PayPal's mail to the recipients, at most 255 characters.
    pub subject: String,
    /// Message in that mail, at most 1,000 characters.
    pub message: String,
    /// What the review showed ([`super::selection::Selection::seen`]).
    pub seen: [u8; 32],
}

impl Ask {
    /// All of what was asked, in one value.
    fn hash(&self) -> Vec<u8> {
        let how = match &self.how {
            How::PayPal => format!("paypal\0{}\0{}", self.subject, self.message),
            How::File { compression } => format!("file {compression:?}\0{}\0{}", self.subject, self.message),
            How::Manual { reference } => format!("manual\0{reference}"),
            How::Export => "export".to_owned(),
        };
        Sha256::digest([how.as_bytes(), &self.seen].concat()).to_vec()
    }
}

/// How a payment travels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum How {
    /// Through PayPal's Payouts API.
    PayPal,
    /// As a Large Batch file, which is prepared and waits until a person lets it go.
    File {
        /// Whether it is compressed.
        compression: Compression,
    },
    /// Paid outside already; the reference says where it can be found.
    Manual {
        /// Check number, bank reference, and the like.
        reference: String,
    },
    /// Exported as a file that somebody will pay outside.
    Export,
}

impl How {
    pub(super) fn rail(&self) -> Rail {
        match self {
            Self::PayPal => Rail::Api,
            Self::File { .. } => Rail::File,
            Self::Manual { .. } | Self::Export => Rail::Manual,
        }
    }

    /// The state of a batch right after the draft.
    pub(super) fn batch_state(&self, release: Release) -> &'static str {
        match (self, release) {
            (_, Release::OnceApproved) => "prepared",
            (Self::PayPal, Release::Now) => "ready",
            (Self::File { .. }, Release::Now) => "prepared",
            (Self::Manual { .. }, Release::Now) => "closed",
            (Self::Export, Release::Now) => "exported",
        }
    }

    /// The state of its items then.
    pub(super) fn item_state(&self) -> &'static str {
        match self {
            Self::Manual { .. } => "paid",
            Self::PayPal | Self::File { .. } | Self::Export => "queued",
        }
    }

    /// Money leaves by it. What was paid outside has left before: limits come too late for it, and so does approval.
    pub(super) fn moves_money(&self) -> bool {
        match self {
            Self::PayPal | Self::File { .. } | Self::Export => true,
            Self::Manual { .. } => false,
        }
    }

    fn action(&self, release: Release) -> &'static str {
        if release == Release::OnceApproved {
            return "asked for approval";
        }
        match self {
            Self::PayPal => "asked PayPal to pay",
            Self::File { .. } => "prepared a Large Batch file",
            Self::Manual { .. } => "marked as paid",
            Self::Export => "exported a payment",
        }
    }
}

/// When what was drafted may leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Release {
    /// At once; a file, once somebody lets it go.
    Now,
    /// When a second person has approved it.
    OnceApproved,
}

/// Why nothing was drafted. Nothing was changed either.
#[derive(Debug, thiserror::Error)]
pub enum DraftError {
    /// There is no such selection.
    #[error("this selection does not exist")]
    NotFound,
    /// What would be paid is not what the review showed.
    #[error("the selection has changed since it was reviewed")]
    Changed,
    /// These cannot be paid through PayPal.
    #[error("some affiliates cannot be paid")]
    Unpayable(Vec<Line>),
    /// No connection is in force.
    #[error("no PayPal connection is in force")]
    NoConnection,
    /// More than the merchant's limits allow, in words.
    #[error("the payment is above a limit: {}", .0.join(" "))]
    OverLimit(Vec<String>),
    /// A second person must approve a payment of this amount.
    #[error("a payment of this amount needs approval")]
    NeedsApproval,
    /// The database is a restored backup that nobody has signed off.
    #[error("nothing is sent before the restored backup is signed off")]
    Restored,
    /// More payments in one currency than a file may have.
    #[error("too many payments for one file")]
    TooMany,
    /// The same form was used before, to ask for something else.
    #[error("this payment was already made, with another content")]
    AskedOtherwise,
    /// The database failed.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    /// A bug, or a corrupt row.
    #[error(transparent)]
    Internal(#[from] anyhow::Error),
}

/// Drafts and releases a payment. The same ask again finds the first one's batches.
pub async fn draft(app: &App, merchant: MerchantId, ask: &Ask) -> Result<Vec<BatchId>, DraftError> {
    write(app, merchant, ask, Release::Now).await
}

/// Drafts a payment that leaves now, or once it is approved.
pub(super) async fn write(
    app: &App,
    merchant: MerchantId,
    ask: &Ask,
    release: Release,
) -> Result<Vec<BatchId>, DraftError> {
    let now = app.clock.now();
    let mut tx = app.database.merchant(merchant).await?;
    let ground = lock(app, &mut tx, ask.request, release).await?.ok_or(DraftError::NotFound)?;
    if !insert_request(&mut tx, ask, &ground, now).await? {
        return earlier(&mut tx, ask).await;
    }
    // What was paid outside may still be entered: that is how the backup is brought up to date.
    if !matches!(ask.how, How::Manual { .. }) && ground.restoring {
        return Err(DraftError::Restored);
    }
    let bulk = ground.selected >= BULK;
    if bulk {
        tx.expect_many_rows().await?;
    }
    let batches = match ask.how {
        How::File { compression } => frozen_file::draft(&mut tx, ask, compression, &ground, now).await?,
        How::PayPal | How::Manual { .. } | How::Export => at_once(app, &mut tx, ask, &ground, now).await?,
    };
    let amounts: Vec<String> = batches.iter().map(|batch| batch.total.to_string()).collect();
    let details = serde_json::json!({ "rail": ask.how.rail().code(), "amounts": amounts });
    let action = ask.how.action(release);
    audit::record(&mut tx, &ask.actor, action, &format!("payment {}", ask.request), details).await?;
    if release == Release::OnceApproved {
        approval::insert(&mut tx, ask, now).await?;
    }
    tx.commit().await?;
    crash_point("after_draft");
    app.wake.notify_waiters();
    if bulk {
        let database = app.database.clone();
        tokio::spawn(async move {
            if let Err(error) = database.analyze().await {
                tracing::warn!(%error, "the planner's statistics could not be refreshed after a large payment");
            }
        });
    }
    Ok(batches.into_iter().map(|batch| batch.id).collect())
}

/// Everything in memory: at most some hundred thousand lines.
async fn at_once(
    app: &App,
    tx: &mut Tx,
    ask: &Ask,
    ground: &Ground,
    now: OffsetDateTime,
) -> Result<Vec<NewBatch>, DraftError> {
    let lines = take_lines(tx, ask.request, now).await?;
    let count: i64 = lines.iter().map(|line| line.commissions).sum();
    if lines.is_empty() || count != ground.selected || Seen::of(&lines) != ask.seen {
        return Err(DraftError::Changed);
    }
    // Rules do not undo what has happened.
    if !ground.restoring {
        ensure_payable(&ask.how, &lines)?;
    }
    let (environment, link) = match ask.how {
        How::PayPal | How::File { .. } => {
            let (connection, environment) = ground.connection.ok_or(DraftError::NoConnection)?;
            (environment, Link::App(connection))
        }
        How::Manual { .. } | How::Export => (manual_environment(app, ground), Link::Outside),
    };
    fix_environment(tx, ground, environment).await?;
    let (batches, items) = compose(ask, lines);
    let sums: Vec<Money> = batches.iter().map(|batch| batch.total).collect();
    limits::ensure(tx, ask, ground, &sums).await?;
    insert_batches(tx, ask, ground, environment, link, &batches, now).await?;
    insert_items(tx, &ask.how, &items, now).await?;
    allocate(tx, ask.request, &items).await?;
    Ok(batches)
}

/// All of these can be paid in this way: no rule of the merchant's stops them, and PayPal takes what it is to pay.
pub(super) fn ensure_payable(how: &How, lines: &[Line]) -> Result<(), DraftError> {
    let by_paypal = matches!(how, How::PayPal | How::File { .. });
    let is_bad = |line: &&Line| line.is_stopped() || (by_paypal && line.problem.is_some());
    let unpayable: Vec<Line> = lines.iter().filter(is_bad).cloned().collect();
    if unpayable.is_empty() { Ok(()) } else { Err(DraftError::Unpayable(unpayable)) }
}

/// What batches are sent through.
#[derive(Debug, Clone, Copy)]
pub(super) enum Link {
    App(ConnectionId),
    DropZone(DropzoneId),
    Outside,
}

/// What the draft stands on, read under the merchant's lock.
pub(super) struct Ground {
    pub(super) connection: Option<(ConnectionId, Environment)>,
    /// A legacy connection carries no payment, and still says how real the money is.
    pub(super) legacy: Option<Environment>,
    pub(super) dropzone: Option<(DropzoneId, Environment)>,
    pub(super) environment: Option<Environment>,
    pub(super) last_number: i64,
    pub(super) selected: i64,
    pub(super) release: Release,
    /// The database is a restored backup that nobody has signed off.
    pub(super) restoring: bool,
    /// The merchant's day.
    pub(super) today: Date,
}

/// Drafts of one merchant follow each other, and never cross a change of the connection. The lock is a statement of
/// its own: one that waits for it would go on with what it saw before, the last number and the connection of then. The
/// selection is held too, so that it is not pruned meanwhile.
async fn lock(app: &App, tx: &mut Tx, request: RequestId, release: Release) -> anyhow::Result<Option<Ground>> {
    let merchant = tx.merchant();
    sqlx::query!("select id from merchants where id = $1 for no key update", merchant.0).fetch_one(&mut **tx).await?;
    let row = sqlx::query!(
        r#"
        select
            m.environment as "environment: Environment",
            m.time_zone,
            c.id as "connection?: ConnectionId",
            c.environment as "connected?: Environment",
            l.environment as "legacy?: Environment",
            d.id as "dropzone?: DropzoneId",
            d.environment as "dropped?: Environment",
            (select coalesce(max(number), 0) from payout_batches b where b.merchant_id = m.id) as "last_number!",
            (select count(*) from selected_commissions p where p.merchant_id = m.id and p.selection_id = s.id) as "selected!"
        from merchants m
        join selections s on s.merchant_id = m.id and s.id = $2
        left join connections c on c.merchant_id = m.id and c.in_force and c.kind = 'rest'
        left join connections l on l.merchant_id = m.id and l.in_force and l.kind = 'legacy_masspay'
        left join dropzones d on d.merchant_id = m.id and d.in_force
        where m.id = $1
        for key share of s
        "#,
        merchant.0,
        request.0
    )
    .fetch_optional(&mut **tx)
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Ground {
        connection: row.connection.zip(row.connected),
        legacy: row.legacy,
        dropzone: row.dropzone.zip(row.dropped),
        environment: row.environment,
        last_number: row.last_number,
        selected: row.selected,
        release,
        restoring: restoration::is_open(tx).await?,
        today: app.clock.today(&row.time_zone),
    }))
}

/// False if the request exists already.
async fn insert_request(tx: &mut Tx, ask: &Ask, ground: &Ground, now: OffsetDateTime) -> sqlx::Result<bool> {
    let merchant = tx.merchant();
    let inserted = sqlx::query!(
        r#"
        insert into payout_requests
            (merchant_id, id, person_id, created_at, asked, rail, subject, message, released_at, counts_on)
        values ($1, $2, $3, $4, $5, $6, $7, $8, case when $6 <> 'file' and $9 then $4::timestamptz end, $10)
        on conflict do nothing
        "#,
        merchant.0,
        ask.request.0,
        ask.actor.person.map(|person| person.0),
        now,
        ask.hash(),
        ask.how.rail().code(),
        ask.subject,
        ask.message,
        ground.release == Release::Now,
        (ground.release == Release::Now && ask.how.moves_money()).then_some(ground.today)
    )
    .execute(&mut **tx)
    .await?;
    Ok(inserted.rows_affected() == 1)
}

async fn earlier(tx: &mut Tx, ask: &Ask) -> Result<Vec<BatchId>, DraftError> {
    let merchant = tx.merchant();
    let rows = sqlx::query!(
        r#"
        select r.asked, b.id as "batch: BatchId"
        from payout_requests r
        join payout_batches b on b.merchant_id = r.merchant_id and b.request_id = r.id
        where r.merchant_id = $1 and r.id = $2
        order by b.part
        "#,
        merchant.0,
        ask.request.0
    )
    .fetch_all(&mut **tx)
    .await?;
    let same = rows.iter().all(|row| row.asked == ask.hash());
    if same { Ok(rows.into_iter().map(|row| row.batch).collect()) } else { Err(DraftError::AskedOtherwise) }
}

/// Money paid outside is as real as the connection beside it; without one it is real unless the installation rehearses.
fn manual_environment(app: &App, ground: &Ground) -> Environment {
    let connected = ground.connection.map(|(_, environment)| environment).or(ground.legacy);
    let offered = app.paypal.environments().first().copied().expect("at least one environment is offered");
    ground.environment.or(connected).unwrap_or(offered)
}

/// The first batch fixes the merchant's environment. Where another is fixed already, the foreign key of the batches
/// would refuse them; connections are not let in force that far.
pub(super) async fn fix_environment(tx: &mut Tx, ground: &Ground, environment: Environment) -> sqlx::Result<()> {
    if ground.environment.is_some() {
        return Ok(());
    }
    let merchant = tx.merchant();
    sqlx::query!(
        "update merchants set environment = $2 where id = $1 and environment is null",
        merchant.0,
        environment.code()
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
