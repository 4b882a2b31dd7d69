//! Stipend: self-hosted affiliate payouts through PayPal.
//!
//! Each commission is paid once, or the merchant is told why it is not. `ARCHITECTURE.md` is the map.

pub mod app;
pub mod audit;
pub mod clock;
pub mod connection;
pub mod database;
pub mod id;
pub mod money;
pub mod password;
pub mod payout;
pub mod paypal;
pub mod role;
pub mod simulator;
pub mod vault;
pub mod web;
pub mod worker;
