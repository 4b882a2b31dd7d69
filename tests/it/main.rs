//! One binary of integration tests: through the door, and then the simulator's bank is asked.
#![expect(clippy::too_many_lines, reason = "a list of cases is read as one")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod administration;
mod affiliates;
mod answers;
mod approval;
mod architecture;
mod attention;
mod audit;
mod by_file;
mod commissions;
mod compose;
mod configuration;
mod contention;
mod crash;
mod demo;
mod factor;
mod home;
mod import;
mod in_a_browser;
mod large_batch;
mod legacy;
mod local_postgres;
mod mail;
mod main_job;
mod outcomes;
mod pay;
mod people;
mod pictures;
mod properties;
mod prune;
mod random;
mod rehearsal;
mod restored;
mod rules;
mod sign_in;
mod simulator;
mod sqlx_data;
mod statements;
mod strange;
mod support;
mod verify;
mod webhooks;
