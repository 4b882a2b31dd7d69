//! The `stipend` program: its verbs, each a few lines over the library.

use clap::Parser;
use nix::sys::termios::{LocalFlags, SetArg, tcgetattr, tcsetattr};
use secrecy::SecretString;
use std::io::{BufRead, IsTerminal, Write};
use std::process::ExitCode;
use stipend::admin::{self, Added, NewMerchant, NewPerson};
use stipend::clock::Clock;
use stipend::command_line::{Command, CommandLine, KeyCommand, LargeBatchCommand, MerchantCommand, UserCommand};
use stipend::config::{Data, DataFlags, Problems};
use stipend::database::Database;
use stipend::database::local::LocalPostgres;
use stipend::role::Role;
use stipend::{demo, large_batch_check, rotation, serve, simulator, telemetry, verify};

/// The status of a configuration that cannot be run with, and of a file that cannot be checked; clap uses it for unknown
/// flags too.
const MISUSED: u8 = 2;

fn main() -> ExitCode {
    let command_line = CommandLine::parse();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error.into()),
    };
    let outcome = runtime.block_on(run(command_line.command));
    runtime.shutdown_background();
    match outcome {
        Ok(status) => status,
        Err(error) => failed(&error),
    }
}

fn failed(error: &anyhow::Error) -> ExitCode {
    if let Some(problems) = error.downcast_ref::<Problems>() {
        eprint!("{problems}");
        return ExitCode::from(MISUSED);
    }
    eprintln!("stipend: {error:#}");
    ExitCode::FAILURE
}

async fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Serve { data, serve } => {
            let mut problems = Problems::default();
            let read = (data.read(&mut problems), serve.read(&mut problems));
            let (Some(data), Some(serve)) = problems.none_or_all(read)? else {
                unreachable!("what is not read is a problem")
            };
            telemetry::start_log(&data.log);
            serve::run(data, serve).await?;
        }
        Command::Demo(args) => demo::run(args).await?,
        Command::Migrate { data } => {
            administer(data, async |_| Ok("The database has this version's schema".to_owned())).await?;
        }
        Command::Verify { merchant, data } => {
            let mut broken = Vec::new();
            administer(data, async |database| {
                let report = verify::verify(database, merchant.as_deref()).await?;
                broken = report.broken();
                Ok(report.to_string())
            })
            .await?;
            anyhow::ensure!(broken.is_empty(), "these do not hold: {broken:?}");
        }
        Command::PaypalSimulator(args) => {
            telemetry::start_log("warn");
            simulator::run(args).await?;
        }
        Command::Merchant(MerchantCommand::Add { name, time_zone, data }) => {
            administer(data, async |database| add_merchant(database, NewMerchant { name, time_zone }).await).await?;
        }
        Command::User(UserCommand::Add { email, merchant, role, data }) => {
            administer(data, async |database| add_person(database, &email, &merchant, role).await).await?;
        }
        Command::Key(KeyCommand::Rotate { data }) => {
            let data = read(data)?;
            let key_file = data.master_key_file.clone();
            administer_on(data, async |database| rotation::rotate(database, &Clock::system(), &key_file).await).await?;
        }
        Command::LargeBatch(LargeBatchCommand::Check(args)) => return Ok(check_large_batch(&args)),
    }
    Ok(ExitCode::SUCCESS)
}

/// Needs neither a database nor a configuration.
fn check_large_batch(args: &large_batch_check::Args) -> ExitCode {
    match large_batch_check::run(args, Clock::system().now(), &mut std::io::stdout().lock()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("stipend: {error:#}");
            ExitCode::from(MISUSED)
        }
    }
}

/// Runs a command of administration on the migrated database and prints what came of it. A local Postgres that an
/// instance runs right now is joined, else it is started for as long as this takes.
async fn administer(
    data: DataFlags,
    command: impl AsyncFnOnce(&Database) -> anyhow::Result<String>,
) -> anyhow::Result<()> {
    administer_on(read(data)?, command).await
}

fn read(data: DataFlags) -> anyhow::Result<Data> {
    let mut problems = Problems::default();
    let data = data.read(&mut problems);
    let Some(data) = problems.none_or_all(data)? else { unreachable!("what is not read is a problem") };
    Ok(data)
}

async fn administer_on(
    mut data: Data,
    command: impl AsyncFnOnce(&Database) -> anyhow::Result<String>,
) -> anyhow::Result<()> {
    telemetry::start_log("warn");
    if data.database_url.is_none() {
        data.database_url = LocalPostgres::of_another_instance(&data.folder)?.map(SecretString::from);
    }
    let (database, local) = serve::open_database(&data).await?;
    let outcome = match database.migrate().await {
        Ok(()) => command(&database).await,
        Err(error) => Err(error),
    };
    database.pool().close().await;
    if let Some(local) = local {
        local.stop().await;
    }
    writeln!(std::io::stdout(), "{}", outcome?.trim_end())?;
    Ok(())
}

async fn add_merchant(database: &Database, new: NewMerchant) -> anyhow::Result<String> {
    let said = format!("{} is a merchant here now", new.name);
    admin::add_merchant(database, &Clock::system(), new).await?;
    Ok(said)
}

async fn add_person(database: &Database, email: &str, merchant: &str, role: Role) -> anyhow::Result<String> {
    let new = NewPerson { email: email.to_owned(), name: String::new(), password: read_password()? };
    Ok(match admin::add_person(database, &Clock::system(), merchant, role, new).await? {
        Added::Person(_) => format!("{email} can sign in now, as {role} of {merchant}"),
        Added::Membership(_) => format!("{email} is {role} of {merchant} now too, with the password they have"),
        Added::RoleChanged(_, was) => format!("{email} is {role} of {merchant} now, and was {was}; the password stays"),
    })
}

/// The first line of standard input. On a terminal it is asked for, and not shown.
fn read_password() -> anyhow::Result<SecretString> {
    let stdin = std::io::stdin();
    let mut line = String::new();
    if stdin.is_terminal() {
        eprint!("Password: ");
        let shown = tcgetattr(&stdin)?;
        let mut hidden = shown.clone();
        hidden.local_flags.remove(LocalFlags::ECHO);
        tcsetattr(&stdin, SetArg::TCSAFLUSH, &hidden)?;
        let read = stdin.lock().read_line(&mut line);
        tcsetattr(&stdin, SetArg::TCSAFLUSH, &shown)?;
        eprintln!();
        read?;
    } else {
        stdin.lock().read_line(&mut line)?;
    }
    Ok(SecretString::from(line.trim_end_matches(['\r', '\n'])))
}
