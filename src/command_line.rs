//! The verbs of the program and their flags.

use crate::config::{DataFlags, ServeFlags};
use crate::demo;
use crate::large_batch_check;
use crate::role::Role;
use crate::simulator;
use clap::{Parser, Subcommand};

/// Affiliate payouts through PayPal: each commission is paid once, or you are told why it is not.
#[derive(Debug, Parser)]
#[command(name = "stipend", version, disable_help_subcommand = true)]
pub struct CommandLine {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The program's verbs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the application
    Serve {
        /// Where its data is.
        #[command(flatten)]
        data: DataFlags,
        /// How it is reached.
        #[command(flatten)]
        serve: ServeFlags,
    },
    /// Try it: the application with a simulated PayPal and example data, on this machine alone
    Demo(demo::Args),
    /// Bring the database's schema up to this version, and stop
    Migrate {
        /// Where its data is.
        #[command(flatten)]
        data: DataFlags,
    },
    /// Check on the database, while the application may run, that everything is as it must be; status 1 if it is not
    Verify {
        /// Only this merchant
        #[arg(long, value_name = "NAME")]
        merchant: Option<String>,
        /// Where its data is.
        #[command(flatten)]
        data: DataFlags,
    },
    /// Run the simulated PayPal alone, to develop and test against
    PaypalSimulator(simulator::Args),
    /// Work with the files of PayPal's Large Batch Payouts
    #[command(subcommand)]
    LargeBatch(LargeBatchCommand),
    /// Add merchants
    #[command(subcommand)]
    Merchant(MerchantCommand),
    /// Add people who sign in
    #[command(subcommand)]
    User(UserCommand),
    /// Change the master key
    #[command(subcommand)]
    Key(KeyCommand),
}

/// What can be done with the master key.
#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Make a new master key and seal every secret with it, while no instance runs; the key before is kept beside it
    Rotate {
        /// Where the data is.
        #[command(flatten)]
        data: DataFlags,
    },
}

/// What can be done with the files of Large Batch Payouts.
#[derive(Debug, Subcommand)]
pub enum LargeBatchCommand {
    /// Print what PayPal would answer to a file, and what to do about it; status 1 if PayPal would reject it
    Check(large_batch_check::Args),
}

/// What can be done with merchants.
#[derive(Debug, Subcommand)]
pub enum MerchantCommand {
    /// Add a merchant
    Add {
        /// The merchant's name
        name: String,
        /// Whose days decide what is due, as in Europe/Berlin
        #[arg(long, value_name = "ZONE")]
        time_zone: String,
        /// Where the data is.
        #[command(flatten)]
        data: DataFlags,
    },
}

/// What can be done with people.
#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// Add a person to a merchant, or change their role; a new person's password is read from standard input
    Add {
        /// With which they sign in
        email: String,
        /// The merchant's name
        #[arg(long, value_name = "NAME")]
        merchant: String,
        /// What they may do; each role may do what those before it may
        #[arg(long)]
        role: Role,
        /// Where the data is.
        #[command(flatten)]
        data: DataFlags,
    },
}
