//! The verbs of the program and their flags.

use crate::config::{DataFlags, ServeFlags};
use crate::demo;
use crate::large_batch_check;
use crate::role::Role;
use crate::simulator;
use clap::{Parser, Subcommand};
use std::path::PathBuf;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

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
    /// Bring merchants over from PayPal's old Mass Pay service
    #[command(subcommand)]
    Legacy(LegacyCommand),
    /// Add merchants
    #[command(subcommand)]
    Merchant(MerchantCommand),
    /// Add people who sign in, and help those who cannot
    #[command(subcommand)]
    User(UserCommand),
    /// Change the master key
    #[command(subcommand)]
    Key(KeyCommand),
    /// After a backup was restored, before the first start: nobody is paid until what PayPal did since is signed off
    Restored {
        /// The time of the backup, or somewhat earlier, as in 2026-01-31T23:00:00Z
        #[arg(long, value_name = "TIME", value_parser = time_of)]
        since: OffsetDateTime,
        /// Where the data is.
        #[command(flatten)]
        data: DataFlags,
    },
}

fn time_of(text: &str) -> Result<OffsetDateTime, String> {
    OffsetDateTime::parse(text, &Rfc3339)
        .map_err(|_| "it is written as in 2026-01-31T23:00:00Z or 2026-01-31T23:00:00+01:00".to_owned())
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

/// What can be brought over from PayPal's old Mass Pay service.
#[derive(Debug, Subcommand)]
pub enum LegacyCommand {
    /// Enter the connections in a CSV file, one line a merchant; status 1 if a line could not be used
    ///
    /// The first line names the columns, in any order:
    ///
    ///   merchant       the name of a merchant that is here already (stipend merchant add)
    ///   api_username   the user name,
    ///   api_password   the password and
    ///   api_signature  the signature of PayPal's old API
    ///   environment    live, sandbox or simulator
    ///   connected_on   may be left out: since when, as in 2016-01-31
    ///
    /// Other columns are not read. The secrets are sealed and never shown; nothing is ever sent through such a connection.
    /// A line that cannot be used is named by its number, never by what stands in it, and the others come in. The same
    /// file can be read again: what is here stays as it is.
    #[command(verbatim_doc_comment)]
    Import {
        /// The file, in UTF-8 or UTF-16, with commas, semicolons or tabs between the cells
        file: PathBuf,
        /// Replace the details of merchants whose legacy connection has others, and bring back disconnected ones
        #[arg(long)]
        replace: bool,
        /// Where the data is.
        #[command(flatten)]
        data: DataFlags,
    },
    /// Bring in what was paid, one line a payment, so that nobody is paid for it again; status 1 if a line was not used
    ///
    /// The first line names the columns, in any order:
    ///
    ///   merchant        the merchant's name; it has a legacy connection here, or had one
    ///   email           the affiliate's e-mail, or the address that the money went to
    ///   amount          with a point, as in 1234.50
    ///   currency        as in USD
    ///   date            the day of the payment, as in 2026-01-31
    ///   state           completed (or success, paid): its commissions are paid.
    ///                   failed (or returned, denied, canceled): nothing is changed, they are due as before.
    ///                   unknown, pending, processing, processed, unclaimed, held, blocked, refunded, reversed or
    ///                   nothing: they are not due, and wait under Needs attention until a person has decided
    ///   transaction_id  may be left out: PayPal's id of the payment
    ///   reference       may be left out: the references of the commissions that it paid, with | between several.
    ///                   Without it they are all those due on that day, if they come to the amount, else the only one of
    ///                   this amount
    ///
    /// Other columns are not read. The same file can be read again: a payment that is here is not brought in twice.
    #[command(verbatim_doc_comment)]
    History {
        /// The file, in UTF-8 or UTF-16, with commas, semicolons or tabs between the cells
        file: PathBuf,
        /// Where the data is.
        #[command(flatten)]
        data: DataFlags,
    },
}

/// What can be done with merchants.
#[derive(Debug, Subcommand)]
pub enum MerchantCommand {
    /// Add one or more merchants
    Add {
        /// Their names
        #[arg(required = true)]
        name: Vec<String>,
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
    /// Make somebody who can sign in an administrator of this installation, who sees how far the merchants' upgrades are
    InstallationAdmin {
        /// With which they sign in
        email: String,
        /// They are one no longer
        #[arg(long)]
        remove: bool,
        /// Where the data is.
        #[command(flatten)]
        data: DataFlags,
    },
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
    /// Give a person another password, read from standard input, and end their sessions; a second factor stays
    Password {
        /// With which they sign in
        email: String,
        /// Where the data is.
        #[command(flatten)]
        data: DataFlags,
    },
    /// Remove every second factor of a person who has lost all of them, and end their sessions
    ResetFactors {
        /// With which they sign in
        email: String,
        /// Where the data is.
        #[command(flatten)]
        data: DataFlags,
    },
}
