//! Commissions in, money out, exactly once.
//!
//! A payment takes six steps, each durable before the next begins:
//!
//! 1. [`draft`]: a [`selection`] becomes batches, items and allocations in one transaction. Names and bytes are frozen.
//! 2. claim: one conditional update takes a batch that is due, with a lease and a higher fence.
//! 3. send: those bytes go to PayPal. No transaction is open.
//! 4. record: accepted, refused, not yet, or unknown. Only a refusal that no doubt precedes frees commissions.
//! 5. observe: the batch is read from PayPal, page by page.
//! 6. apply: what was read moves the items; paid ones settle, unpaid ones release their commissions.
//!
//! A payment above the merchant's rule waits between the first two steps until a second person approves it
//! ([`approval`]); [`limits`] refuses what is too much.
//!
//! What is not PayPal's to say is a person's: [`cancel`] takes an unclaimed item back, [`decide`] says what follows when
//! money came back, and [`stuck`] lets people end a doubt that lasts.
//!
//! Beside them, [`inbox`] keeps what PayPal tells by itself, and [`hint`] has the batches that it names read soon.
//!
//! A crash between any two leaves rows that the worker finds by looking. No step's repetition can pay twice: PayPal
//! refuses a name it has seen, and what we do not know frees nothing.

mod adopt;
pub mod again;
pub mod answers;
pub mod approval;
pub mod attention;
pub mod batch;
pub mod batches;
pub mod cancel;
mod claim;
pub mod collect;
pub mod decide;
pub mod draft;
pub mod evidence;
mod facts;
pub mod file;
pub mod files;
mod frozen;
pub mod frozen_file;
pub mod hint;
pub mod inbox;
pub mod item;
pub mod items;
mod lease;
pub mod limits;
pub mod manual;
pub mod masspay;
pub mod reason;
pub mod reconcile;
mod refuse;
pub mod report;
mod reports;
pub mod restoration;
pub mod review;
pub mod selection;
mod store;
pub mod stuck;
pub mod submit;
pub mod totals;
pub mod upload;
pub mod uploaded;
pub mod why;

pub(crate) use crate::crash;
