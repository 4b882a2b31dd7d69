//! Stipend: self-hosted affiliate payouts through PayPal.
//!
//! Each commission is paid once, or the merchant is told why it is not. `ARCHITECTURE.md` is the map.

pub mod admin;
pub mod affiliate;
pub mod app;
pub mod audit;
pub mod carrier;
pub mod clock;
pub mod command_line;
pub mod commission;
pub mod config;
pub mod connection;
mod crash;
pub mod database;
pub mod demo;
pub mod factor;
pub mod id;
pub mod import;
pub mod large_batch_check;
pub mod legacy;
pub mod mail;
pub mod master_key;
pub mod money;
mod name;
mod newcomer;
pub mod password;
pub mod payout;
pub mod paypal;
pub mod people;
pub mod presence;
pub mod prune;
pub mod rehearsal;
pub mod restored;
pub mod role;
pub mod rotation;
pub mod rules;
pub mod serve;
pub mod simulator;
pub mod telemetry;
pub mod trail;
pub mod vault;
pub mod verify;
pub mod web;
pub mod worker;
