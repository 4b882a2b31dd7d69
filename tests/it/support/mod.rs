//! What the tests stand on.

pub mod postgres;
pub mod program;
