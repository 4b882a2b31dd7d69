//! The life of a Large Batch file on its batch's page: what was frozen, where it is, and what PayPal put into
//! its folder.

use super::Told;
use crate::app::App;
use crate::database::Tx;
use crate::money::for_people;
use crate::payout::batch::{BatchState, Rail};
use crate::payout::batches::Batch;
use crate::payout::file::{FINAL_AFTER, FINAL_OVERDUE, LATE_ANSWER, SILENCE};
use crate::payout::files::{self, Answered, InputFile, Rejected};
use crate::paypal::large_batch::{Outgoing, outgoing};
use crate::web::pages::counted;
use crate::web::when::{When, when};
use crate::web::{Error, Result};
use std::collections::BTreeMap;

/// What the page shows of a file.
pub(super) struct Large {
    pub(super) input: InputFile,
    pub(super) answers: Vec<AnswerRow>,
    pub(super) rejected: Vec<Rejected>,
    pub(super) rejections: usize,
    /// When it will be uploaded, if that is later.
    pub(super) scheduled: Option<When>,
    /// When a corrected one may be made.
    pub(super) correctable: Option<When>,
    is_silent: bool,
    final_due: Option<String>,
    final_is_late: bool,
}

/// A file of PayPal's.
pub(super) struct AnswerRow {
    pub(super) file: Answered,
    pub(super) fetched: When,
}

impl AnswerRow {
    pub(super) fn word(&self) -> &'static str {
        match self.file.kind.as_str() {
            "ack" => "Accepted (ACK)",
            "nack" => "Rejected (NACK)",
            "dups" => "Known already (DUPS)",
            "part" => "Part report",
            "out" => "Out report",
            _ => "Final report",
        }
    }

    pub(super) fn state(&self) -> (&'static str, String) {
        match self.file.outcome.as_deref() {
            None => ("info", "Being read".into()),
            Some("repeated") => ("quiet", "Same as an earlier one".into()),
            Some("unreadable") => ("bad", "Cannot be used".into()),
            Some(_) if self.file.bad_rows + self.file.unknown_refs > 0 => {
                let (bad, unknown) = (self.file.bad_rows, self.file.unknown_refs);
                ("warning", format!("Read, but for {}", counted(bad + unknown, "row", "rows")))
            }
            Some(_) => ("good", "Read".into()),
        }
    }
}

impl Large {
    /// Nothing for a batch that is no file.
    pub(super) async fn load(app: &App, tx: &mut Tx, batch: &Batch, zone: &str) -> Result<Option<Self>> {
        if batch.rail != Rail::File {
            return Ok(None);
        }
        let input = files::input(tx, batch.id).await?.ok_or(Error::NotFound)?;
        let answers = files::answers(tx, batch.id).await?;
        let (rejected, rejections) =
            if input.nack_at.is_some() { files::rejected(tx, batch.id).await? } else { (Vec::new(), 0) };
        let now = app.clock.now();
        let waits = batch.state == BatchState::Ready && batch.attempts == 0;
        let final_due = batch.settled_at.map(|settled| settled + FINAL_AFTER);
        Ok(Some(Self {
            scheduled: batch.look_at.filter(|at| waits && *at > now).map(|at| when(at, zone)),
            correctable: input
                .nack_at
                .map(|at| at + LATE_ANSWER)
                .filter(|at| batch.state == BatchState::Submitting && *at > now)
                .map(|at| when(at, zone)),
            is_silent: batch.state == BatchState::Submitting
                && input.nack_at.is_none()
                && input.uploaded_at.is_some_and(|at| now - at >= SILENCE),
            final_due: final_due.map(|at| when(at, zone).day),
            final_is_late: input.stage.as_deref() != Some("final")
                && batch.settled_at.is_some_and(|settled| now - settled >= FINAL_OVERDUE),
            answers: answers.into_iter().map(|file| AnswerRow { fetched: when(file.fetched_at, zone), file }).collect(),
            rejected,
            rejections,
            input,
        }))
    }

    pub(super) fn needs_a_look(&self) -> bool {
        self.answers.iter().any(|row| row.file.needs_a_look())
    }

    pub(super) fn size(&self) -> String {
        match self.input.bytes {
            bytes if bytes >= 1_000_000 => format!("{}.{} MB", bytes / 1_000_000, bytes / 100_000 % 10),
            bytes if bytes >= 1000 => format!("{} kB", bytes / 1000),
            bytes => format!("{bytes} bytes"),
        }
    }

    /// The state in a word, where that of other batches does not fit.
    pub(super) fn told(&self, b: &Batch) -> Option<Told> {
        let (tone, word) = match b.state {
            BatchState::Ready if self.scheduled.is_some() => ("info", "Scheduled"),
            BatchState::Submitting if self.input.nack_at.is_some() => ("warning", "Rejected"),
            BatchState::Submitting if self.input.uploaded_at.is_some() && b.doubted_at.is_none() => {
                ("info", "Waiting for PayPal’s answer")
            }
            _ => return None,
        };
        Some(Told { tone, word })
    }

    /// What the page says above everything else, where the words of other batches do not fit.
    pub(super) fn sentence(&self, b: &Batch) -> Option<String> {
        let input = &self.input;
        Some(match b.state {
            BatchState::Prepared | BatchState::Cancelled if b.waits_for_approval => return None,
            BatchState::Prepared => {
                "The file is prepared and frozen. Nothing has been sent: look at it, then upload it now or at a time you choose.".into()
            }
            BatchState::Ready => match &self.scheduled {
                Some(at) => format!("Will be uploaded on {}. Until then it can be taken back or given another time.", at.minute),
                None if b.attempts > 0 => return None,
                None => "Waiting to be uploaded to PayPal.".into(),
            },
            BatchState::Submitting if input.nack_at.is_some() => {
                "PayPal rejected this file. Nothing of it should be paid, but PayPal may still correct itself. An hour after that answer everything in it is due again, or a person is asked if it is not certain that nothing is paid.".into()
            }
            BatchState::Submitting if input.dups_at.is_some() => {
                "PayPal says that it has had this file before. It is waiting for the answer to the first upload; please do not pay these affiliates again.".into()
            }
            BatchState::Submitting if self.is_silent => {
                "PayPal has had this file for more than an hour and has not answered. Ask PayPal’s support with the file’s name; please do not pay these affiliates again.".into()
            }
            BatchState::Submitting if input.uploaded_at.is_some() => "Uploaded. Waiting for PayPal to accept or reject the file.".into(),
            BatchState::Submitting if b.doubted_at.is_some() => {
                "The upload broke off, and it is not known how much of the file arrived. We are looking whether PayPal has it; the same file goes under the same name, so it cannot be paid twice.".into()
            }
            BatchState::Submitting => "Being uploaded to PayPal.".into(),
            BatchState::Accepted if b.settled_at.is_none() => {
                "PayPal accepted the file and is paying. It can no longer be taken back.".into()
            }
            BatchState::Accepted | BatchState::Closed => {
                let paid = for_people(b.paid_amount, b.currency);
                let unmentioned = self.unmentioned(b);
                let rest = match unmentioned {
                    0 => String::new(),
                    rest => format!(" PayPal’s reports do not mention {}: see below.", counted(rest, "payment", "payments")),
                };
                let last = match (input.stage.as_deref(), &self.final_due) {
                    (Some("final"), _) => " The Final report is in.".to_owned(),
                    (_, Some(day)) if self.final_is_late => format!(" The Final report was due on {day} and has not come. Ask PayPal for it."),
                    (_, Some(day)) => format!(" The Final report comes about {day}."),
                    (_, None) => String::new(),
                };
                format!("Done. {} of {} were paid {} {paid}.{rest}{last}", b.paid, b.items, b.currency)
            }
            BatchState::Refused if self.is_contradicted(b) => {
                "PayPal rejected this file, so everything in it became due again; then it said that it had accepted it. Nothing of it is paid again through PayPal until you have asked PayPal what holds.".into()
            }
            BatchState::Refused if b.why.as_deref() != Some("TAKEN_BACK") && input.nack_at.is_some() => {
                "PayPal rejected the file. Nothing was paid, and everything in it is due again.".into()
            }
            BatchState::Refused | BatchState::Stuck | BatchState::Cancelled | BatchState::Exported => return None,
        })
    }

    /// PayPal accepted the file after it had been given up, and nobody has cleared that up.
    pub(super) fn is_contradicted(&self, b: &Batch) -> bool {
        let input = &self.input;
        b.state == BatchState::Refused
            && input.cleared_at.is_none()
            && (input.ack_at.is_some() || input.stage.is_some())
    }

    /// Payments that no report has mentioned, once there is one about all of them.
    pub(super) fn unmentioned(&self, b: &Batch) -> i64 {
        let mentioned = b.paid + b.processing + b.unclaimed + b.on_hold + b.unpaid + b.needs_a_person;
        if b.settled_at.is_some() { (i64::from(b.items) - mentioned).max(0) } else { 0 }
    }

    /// Prepared – Uploaded – Accepted – Parts – Processed – Final.
    pub(super) fn steps(&self, b: &Batch) -> Vec<(&'static str, String)> {
        let input = &self.input;
        let step = |done: bool, current: bool| {
            if done {
                "done"
            } else if current {
                "current"
            } else {
                "waiting"
            }
        };
        let stopped = matches!(b.state, BatchState::Refused | BatchState::Stuck);
        let uploaded = input.uploaded_at.is_some();
        let on_its_way = matches!(b.state, BatchState::Ready | BatchState::Submitting);
        let accepted = b.accepted_at.is_some();
        let answer = match () {
            () if accepted => ("done", "Accepted by PayPal"),
            () if stopped || input.nack_at.is_some() => ("bad", "Rejected by PayPal"),
            () => (step(false, uploaded && on_its_way), "Waiting for PayPal’s answer"),
        };
        let settled = b.settled_at.is_some();
        let mut steps = vec![
            ("done", "Prepared".to_owned()),
            (step(uploaded, on_its_way && self.scheduled.is_none()), "Uploaded".to_owned()),
            (answer.0, answer.1.to_owned()),
            (step(settled, accepted), self.parts(b)),
            (step(settled, false), "Processed".to_owned()),
        ];
        let is_final = input.stage.as_deref() == Some("final");
        let last = match &self.final_due {
            _ if is_final => "Final".to_owned(),
            Some(day) => format!("Final on {day}"),
            None => "Final, 31 days later".to_owned(),
        };
        steps.push((step(is_final, settled), last));
        steps
    }

    /// "Part 2 of 3 paid", as far as the names of the reports tell.
    fn parts(&self, b: &Batch) -> String {
        let stem = self.input.name.split('.').next().unwrap_or_default();
        let named = self.answers.iter().filter_map(|row| outgoing(stem, &row.file.name));
        let parts: BTreeMap<u64, u64> = named
            .filter_map(|kind| match kind {
                Outgoing::Part { first, last } => Some((first, last)),
                Outgoing::Ack | Outgoing::Nack | Outgoing::Dups | Outgoing::Out | Outgoing::Final => None,
            })
            .collect();
        let Some((first, last)) = parts.first_key_value() else { return "Parts paid".to_owned() };
        let all = u64::from(b.items.cast_unsigned()).div_ceil((last - first + 1).max(1));
        format!("Part {} of {} paid", parts.len(), all.max(parts.len() as u64))
    }
}
