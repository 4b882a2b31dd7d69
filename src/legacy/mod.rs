//! Bringing merchants over from PayPal's old Mass Pay service: their connections ([`import`]), what was paid through
//! them ([`history`]), and what the administrator of the installation sees and does about it ([`overview`], [`remind`]).
//!
//! Both files are read line by line. A line that cannot be used is named with its number and what to do; the others come
//! in, each in a transaction of its own or of its merchant, so that the same file can be read again after any end. What
//! stands in a cell is never said again, whatever column it stands in: it may be a secret.

pub mod history;
pub mod import;
mod lines;
pub mod overview;
pub mod remind;
mod reported;

pub use reported::Reported;

/// Why a file cannot be read at all. Nothing of it was used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unusable(pub String);
