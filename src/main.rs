//! The `stipend` program.

use clap::{Parser, Subcommand};
use stipend::simulator;

#[derive(Parser)]
#[command(name = "stipend", version, about)]
struct Program {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    PaypalSimulator(simulator::Args),
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    match Program::parse().command {
        Command::PaypalSimulator(args) => simulator::run(args).await,
    }
}
