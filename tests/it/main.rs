//! One binary of integration tests: through the door, and then the simulator's bank is asked.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod administration;
mod answers;
mod architecture;
mod configuration;
mod contention;
mod crash;
mod local_postgres;
mod pay;
mod properties;
mod random;
mod simulator;
mod strange;
mod support;
mod verify;
