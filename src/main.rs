//! The `stipend` program: its verbs, each a few lines over the library.

use clap::Parser;
use nix::sys::termios::{LocalFlags, SetArg, tcgetattr, tcsetattr};
use secrecy::SecretString;
use std::io::{BufRead, IsTerminal, Write};
use std::process::ExitCode;
use stipend::admin::{self, Added, NewMerchant, NewPerson};
use stipend::clock::Clock;
use stipend::command_line::{
    Command, CommandLine, KeyCommand, LargeBatchCommand, LegacyCommand, MerchantCommand, UserCommand,
};
use stipend::config::{Data, DataFlags, Problems};
use stipend::database::Database;
use stipend::database::local::LocalPostgres;
use stipend::legacy::{self, Reported};
use stipend::role::Role;
use stipend::{demo, large_batch_check, restored, rotation, serve, simulator, telemetry, verify};

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
        Command::Legacy(command) => return bring_over(command).await,
        Command::Merchant(MerchantCommand::Add { name, time_zone, data }) => {
            administer(data, async |database| add_merchants(database, name, &time_zone).await).await?;
        }
        Command::User(UserCommand::Add { email, merchant, role, data }) => {
            administer(data, async |database| add_person(database, &email, &merchant, role).await).await?;
        }
        Command::User(UserCommand::InstallationAdmin { email, remove, data }) => {
            administer(data, async |database| {
                admin::set_installation_admin(database, &Clock::system(), &email, !remove).await?;
                let what = if remove { "no longer is an administrator" } else { "is an administrator" };
                Ok(format!("{email} {what} of this installation"))
            })
            .await?;
        }
        Command::User(UserCommand::Password { email, data }) => {
            administer(data, async |database| set_password(database, &email).await).await?;
        }
        Command::User(UserCommand::ResetFactors { email, data }) => {
            administer(data, async |database| reset_factors(database, &email).await).await?;
        }
        Command::Key(KeyCommand::Rotate { data }) => {
            let data = read(data)?;
            let key_file = data.master_key_file.clone();
            administer_on(data, async |database| rotation::rotate(database, &Clock::system(), &key_file).await).await?;
        }
        Command::Restored { since, data } => {
            administer(data, async |database| restored::begin(database, since, Clock::system().now()).await).await?;
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

/// Reads a file of PayPal's old Mass Pay service, and tells of each line that it could not use.
async fn bring_over(command: LegacyCommand) -> anyhow::Result<ExitCode> {
    let mut say = |sentence: &str| {
        let _nobody_reads = writeln!(std::io::stdout(), "{sentence}");
    };
    let mut reported = Reported::new(&mut say);
    let (LegacyCommand::Import { file: path, .. } | LegacyCommand::History { file: path, .. }) = &command;
    let path = path.clone();
    let file = match std::fs::File::open(&path) {
        Ok(file) => file,
        Err(error) => {
            eprintln!("stipend: {}: {error}", path.display());
            return Ok(ExitCode::from(MISUSED));
        }
    };
    let mut unusable = None;
    match command {
        LegacyCommand::Import { replace, data, .. } => {
            let data = read(data)?;
            let key_file = data.master_key_file.clone();
            administer_on(data, async |database| {
                let clock = Clock::system();
                let vault = admin::open_vault(database, &clock, &key_file).await?;
                let read = legacy::import::import(database, &vault, &clock, file, replace, &mut reported).await?;
                unusable = read.err();
                Ok(if unusable.is_none() { reported.summary() } else { "nothing of it was used".to_owned() })
            })
            .await?;
        }
        LegacyCommand::History { data, .. } => {
            administer(data, async |database| {
                let read = legacy::history::history(database, &Clock::system(), file, &mut reported).await?;
                unusable = read.err();
                Ok(if unusable.is_none() { reported.summary() } else { "nothing of it was used".to_owned() })
            })
            .await?;
        }
    }
    if let Some(unusable) = unusable {
        eprintln!("stipend: {}: {unusable}", path.display());
        return Ok(ExitCode::from(MISUSED));
    }
    Ok(if reported.not_used() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
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

/// One after the other; the first that cannot be added ends it.
async fn add_merchants(database: &Database, names: Vec<String>, time_zone: &str) -> anyhow::Result<String> {
    let mut said = Vec::new();
    for name in names {
        said.push(format!("{name} is a merchant here now"));
        let new = NewMerchant { name, time_zone: time_zone.to_owned() };
        admin::add_merchant(database, &Clock::system(), new).await?;
    }
    Ok(said.join("\n"))
}

async fn add_person(database: &Database, email: &str, merchant: &str, role: Role) -> anyhow::Result<String> {
    // Only somebody new needs one.
    let password = if admin::is_known(database, email).await? { SecretString::default() } else { read_password()? };
    let new = NewPerson { email: email.to_owned(), name: String::new(), password };
    Ok(match admin::add_person(database, &Clock::system(), merchant, role, new).await? {
        Added::Person(_) => format!("{email} can sign in now, as {role} of {merchant}"),
        Added::Membership(_) => format!("{email} is {role} of {merchant} now too, with the password they have"),
        Added::RoleChanged(_, was) => format!("{email} is {role} of {merchant} now, and was {was}; the password stays"),
    })
}

async fn set_password(database: &Database, email: &str) -> anyhow::Result<String> {
    let known = admin::set_password(database, &Clock::system(), email, &read_password()?).await?;
    anyhow::ensure!(known, "nobody signs in as {email}");
    Ok(format!("{email} signs in with this password now; their sessions are ended, and their second factor stays"))
}

async fn reset_factors(database: &Database, email: &str) -> anyhow::Result<String> {
    let known = admin::reset_factors(database, &Clock::system(), email).await?;
    anyhow::ensure!(known, "nobody signs in as {email}");
    Ok(format!("{email} has no second factor any more and signs in with the password alone; their sessions are ended"))
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
