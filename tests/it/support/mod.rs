//! What tests stand on.

pub mod postgres;
pub mod program;
pub mod world;
