//! Payments that wait for something at PayPal: why, since when, and the button that ends it. Shown wherever somebody
//! may wonder: `{% call ui::waits(frame, wait) %}{% endcall %}`.

use super::when::{When, when};
use crate::app::App;
use crate::connection::{self, Connection, Pause, dropzone, pause};
use crate::database::Tx;
use crate::money::Currency;
use crate::payout::batch::{BatchState, Rail};
use crate::payout::batches::Batch;
use crate::payout::reason::{self, Fix, Reason};

/// One thing that waits, in words.
pub(super) struct Waits {
    /// "Payments wait", "Payments in EUR wait", "PayPal cannot be read".
    pub(super) title: String,
    pub(super) since: When,
    /// When it is tried again; none once that time has come.
    pub(super) again: Option<When>,
    reason: Reason,
}

impl Waits {
    /// A pause.
    pub(super) fn of(app: &App, pause: &Pause, zone: &str) -> Self {
        let title =
            pause.currency.map_or("Payments wait".to_owned(), |currency| format!("Payments in {currency} wait"));
        let again = pause.resume_at.filter(|at| *at > app.clock.now());
        Self {
            title,
            since: when(pause.since, zone),
            again: again.map(|at| when(at, zone)),
            reason: reason::of_call(&pause.why, ""),
        }
    }

    /// What waits for payments in this currency, the most general first.
    pub(super) fn in_currency(app: &App, pauses: &[Pause], currency: Currency, zone: &str) -> Option<Self> {
        let pause = pauses.iter().find(|pause| pause.currency.is_none_or(|one| one == currency))?;
        Some(Self::of(app, pause, zone))
    }

    /// What keeps a batch from being handed over, or from being read.
    pub(super) async fn of_batch(app: &App, tx: &mut Tx, batch: &Batch, zone: &str) -> sqlx::Result<Option<Self>> {
        match batch.rail {
            Rail::Api => {}
            Rail::File => return Self::of_file(app, tx, batch, zone).await,
            Rail::Manual => return Ok(None),
        }
        Ok(match batch.state {
            BatchState::Ready | BatchState::Submitting => {
                Self::in_currency(app, &pause::all(tx).await?, batch.currency, zone)
            }
            BatchState::Accepted if batch.trouble.is_some() => {
                connection::in_force(tx).await?.and_then(|connection| Self::of_reading(&connection, zone))
            }
            BatchState::Accepted
            | BatchState::Prepared
            | BatchState::Closed
            | BatchState::Refused
            | BatchState::Stuck
            | BatchState::Cancelled
            | BatchState::Exported => None,
        })
    }

    /// What keeps a file from being uploaded.
    async fn of_file(app: &App, tx: &mut Tx, batch: &Batch, zone: &str) -> sqlx::Result<Option<Self>> {
        let waits = matches!(batch.state, BatchState::Ready | BatchState::Submitting);
        let Some(dropzone) = dropzone::show(tx).await?.filter(|_| waits) else { return Ok(None) };
        let (Some(since), Some(why)) = (dropzone.paused_at, dropzone.paused_why) else { return Ok(None) };
        Ok(Some(Self {
            title: "Files wait".to_owned(),
            since: when(since, zone),
            again: dropzone.resume_at.filter(|at| *at > app.clock.now()).map(|at| when(at, zone)),
            reason: reason::of_call(&why, ""),
        }))
    }

    /// It is about the DropZone.
    pub(super) fn is_of_files(&self) -> bool {
        self.title == "Files wait"
    }

    /// The connection cannot be read.
    pub(super) fn of_reading(connection: &Connection, zone: &str) -> Option<Self> {
        let (at, why) = (connection.unreadable_at?, connection.unreadable_why.as_deref()?);
        Some(Self {
            title: "What becomes of payments cannot be seen".to_owned(),
            since: when(at, zone),
            again: None,
            reason: reason::of_call(why, ""),
        })
    }

    /// What PayPal wants.
    pub(super) fn text(&self) -> &str {
        &self.reason.merchant
    }

    /// Other details are needed.
    pub(super) fn wants_details(&self) -> bool {
        self.reason.fix == Fix::Details
    }

    /// Something must be done at PayPal, and then PayPal be asked whether it was enough.
    pub(super) fn wants_a_check(&self) -> bool {
        match self.reason.fix {
            Fix::Account | Fix::ContactPayPal => true,
            Fix::Wait
            | Fix::PayAgain
            | Fix::Address
            | Fix::TellAffiliate
            | Fix::Details
            | Fix::TopUp
            | Fix::PayElsewhere => false,
        }
    }

    /// Money is needed at PayPal.
    pub(super) fn wants_money(&self) -> bool {
        self.reason.fix == Fix::TopUp
    }

    /// What the button says.
    pub(super) fn label(&self) -> &'static str {
        self.reason.fix.label()
    }
}
