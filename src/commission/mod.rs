//! Commissions: what was earned, entered by hand or imported, and where each of them stands.
//!
//! A commission is written once and then only cancelled. What is neither paid, nor being paid, nor cancelled has a row
//! in `owed`; whoever takes a commission deletes that row, in the same statement in which it says why.

mod add;
mod cancel;
pub mod due;
mod list;
pub mod overview;
mod payments;
mod standing;
mod typed;

pub use add::{Added, New, Suggestion, add, find_affiliate, insert_many, suggestions};
pub use cancel::{Cancelled, Kept, cancel};
pub use list::{Filter, Listed, Place, Sum, Which, list, some, upcoming};
pub use payments::{Channel, Payment, Wanted, payments};
pub use standing::Standing;
pub use typed::{NOTE_CHARS, REFERENCE_CHARS, Raw, Typed, checked_note, checked_reference};
