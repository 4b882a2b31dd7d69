//! One binary of integration tests: through the door, and then the simulator's bank is asked.

mod answers;
mod pay;
mod simulator;
mod support;
