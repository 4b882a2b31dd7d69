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
//! A crash between any two leaves rows that the worker finds by looking. No step's repetition can pay twice: PayPal
//! refuses a name it has seen, and what we do not know frees nothing.

mod adopt;
pub mod batch;
pub mod batches;
mod claim;
pub(crate) mod crash;
pub mod draft;
mod facts;
mod frozen;
pub mod item;
pub mod manual;
pub mod reconcile;
mod refuse;
pub mod selection;
mod store;
pub mod submit;
