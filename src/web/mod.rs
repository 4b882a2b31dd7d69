//! HTML over HTTP.

pub mod health;
