//! Reading who changed what (`audit.rs` writes it): the list with its filters, whether its chain is whole, and what the
//! objects of the entries are called.

mod chain;
mod list;
mod object;

pub use chain::{Checked, check};
pub use list::{Entry, Wanted, list};
pub use object::{Object, objects};
