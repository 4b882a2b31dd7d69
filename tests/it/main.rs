//! One binary of integration tests: through the door, and then the simulator's bank is asked.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod administration;
mod answers;
mod configuration;
mod crash;
mod local_postgres;
mod pay;
mod random;
mod simulator;
mod support;
mod verify;
