//! What is owed.

pub mod due;
