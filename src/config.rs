//! What the program is told, by flags and by the environment: read once, and refused with every problem at once.

use clap::Args;
use lettre::message::Mailbox;
use lettre::{AsyncSmtpTransport, Tokio1Executor};
use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::PgConnectOptions;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use tracing_subscriber::EnvFilter;

pub(crate) const BIND_DEFAULT: &str = "127.0.0.1:3000";
const LOG_DEFAULT: &str = "info,sqlx=warn,hyper=warn,tower_sessions=warn";

/// Where the data is, and how much is told about it.
#[derive(Debug, Args)]
pub struct DataFlags {
    /// Postgres 15 or newer; without it, a local Postgres is run in the data folder
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    database_url: Option<String>,
    /// The data folder [default: /var/lib/stipend for root, else stipend in the user's data folder]
    #[arg(long, env = "STIPEND_DATA_DIR", hide_env_values = true, value_name = "FOLDER")]
    data_dir: Option<String>,
    /// The key that seals secrets [default: master.key in the data folder]
    #[arg(long, env = "STIPEND_MASTER_KEY_FILE", hide_env_values = true, value_name = "FILE")]
    master_key_file: Option<String>,
    /// What is logged, as in "info,stipend=debug"
    #[arg(long, env = "STIPEND_LOG", hide_env_values = true, value_name = "FILTER")]
    log: Option<String>,
}

/// How the application is reached, and whom it talks to.
#[derive(Debug, Args)]
pub struct ServeFlags {
    /// Address and port to listen on [default: 127.0.0.1:3000]
    #[arg(long, env = "STIPEND_BIND", hide_env_values = true, value_name = "ADDRESS")]
    bind: Option<String>,
    /// Serve /metrics on this address alone, instead of beside the application
    #[arg(long, env = "STIPEND_METRICS_BIND", hide_env_values = true, value_name = "ADDRESS")]
    metrics_bind: Option<String>,
    /// The address people type, as in https://payouts.example.com
    #[arg(long, env = "STIPEND_PUBLIC_URL", hide_env_values = true, value_name = "URL")]
    public_url: Option<String>,
    /// Rehearse with the simulated PayPal at this address; live and sandbox are refused then
    #[arg(long, env = "STIPEND_SIMULATOR_URL", hide_env_values = true, value_name = "URL")]
    simulator_url: Option<String>,
    /// The simulated PayPal's DropZone, as in localhost:2222
    #[arg(long, env = "STIPEND_SIMULATOR_DROPZONE", hide_env_values = true, value_name = "HOST:PORT")]
    simulator_dropzone: Option<String>,
    #[command(flatten)]
    mail: MailFlags,
}

/// How e-mail leaves. Without any of these, none is written.
#[derive(Debug, Default, Args)]
struct MailFlags {
    /// The server that takes e-mail, as in smtps://user:password@smtp.example.com or smtp://localhost:25; with
    /// ?tls=required an smtp:// address uses STARTTLS
    #[arg(long, env = "STIPEND_SMTP_URL", hide_env_values = true, value_name = "URL")]
    smtp_url: Option<String>,
    /// Whom e-mail comes from, as in payouts@example.com
    #[arg(long, env = "STIPEND_MAIL_FROM", hide_env_values = true, value_name = "ADDRESS")]
    mail_from: Option<String>,
    /// Write e-mail as files to this folder instead; it reaches nobody
    #[arg(long, env = "STIPEND_MAIL_FOLDER", hide_env_values = true, value_name = "FOLDER")]
    mail_folder: Option<String>,
}

/// Where the data is.
#[derive(Debug, Clone)]
pub struct Data {
    /// The database elsewhere; without it, the local Postgres in `folder`.
    pub database_url: Option<SecretString>,
    /// The data folder.
    pub folder: PathBuf,
    /// The file of the master key.
    pub master_key_file: PathBuf,
    /// What is logged.
    pub log: String,
}

/// How the application is reached, and whom it talks to.
#[derive(Debug, Clone)]
pub struct Serve {
    /// Where it listens.
    pub bind: SocketAddr,
    /// Where `/metrics` is, if not beside the application.
    pub metrics_bind: Option<SocketAddr>,
    /// The address people type, without a slash at its end.
    pub public_url: Option<String>,
    /// The simulated PayPal, without a slash at its end: this installation rehearses.
    pub simulator_url: Option<String>,
    /// The simulated PayPal's DropZone.
    pub simulator_dropzone: Option<String>,
    /// How e-mail leaves, if any does.
    pub mail: Option<Mail>,
}

/// How e-mail leaves.
#[derive(Debug, Clone)]
pub enum Mail {
    /// As files.
    Folder {
        /// Where.
        folder: PathBuf,
        /// Whom it comes from.
        from: Mailbox,
    },
    /// Through a server.
    Smtp {
        /// Its address, with the password.
        url: SecretString,
        /// Whom it comes from.
        from: Mailbox,
    },
}

impl Mail {
    /// A folder that reaches nobody.
    pub fn folder(folder: PathBuf, from: Option<Mailbox>) -> Self {
        let from = from.unwrap_or_else(|| "stipend@localhost".parse().expect("this is an address"));
        Self::Folder { folder, from }
    }
}

/// Everything that is wrong, in plain words.
#[derive(Debug, Default)]
pub struct Problems(Vec<String>);

impl Problems {
    /// Either nothing is wrong, or all of it is told.
    pub fn none_or_all<T>(self, value: T) -> Result<T, Self> {
        if self.0.is_empty() { Ok(value) } else { Err(self) }
    }

    /// Notes a problem and goes on looking for others.
    pub fn note(&mut self, problem: impl Into<String>) {
        self.0.push(problem.into());
    }

    /// Notes what is wrong with one value.
    pub(crate) fn take<T>(&mut self, read: Result<T, String>) -> Option<T> {
        read.map_err(|problem| self.note(problem)).ok()
    }
}

impl std::error::Error for Problems {}

impl std::fmt::Display for Problems {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "stipend cannot start with this configuration:")?;
        self.0.iter().try_for_each(|problem| writeln!(f, "  - {problem}"))
    }
}

impl DataFlags {
    /// Reads these flags; what is wrong with them is noted.
    pub fn read(self, problems: &mut Problems) -> Option<Data> {
        let database_url = given(self.database_url).map(SecretString::from);
        let reachable = database_url.as_ref().map_or(Ok(()), |url| database_address(url.expose_secret()));
        let folder = given(self.data_dir).map(PathBuf::from).or_else(default_data_dir);
        let folder =
            folder.ok_or("STIPEND_DATA_DIR: there is no home folder, so say where the data shall be".to_owned());
        let log = log_filter(&given(self.log).unwrap_or_else(|| LOG_DEFAULT.to_owned()));

        let reachable = problems.take(reachable);
        let folder = problems.take(folder.and_then(|folder| absolute(&folder)));
        let log = problems.take(log);
        let (_, folder, log) = (reachable?, folder?, log?);
        let master_key_file = given(self.master_key_file).map_or_else(|| folder.join("master.key"), PathBuf::from);
        Some(Data { database_url, folder, master_key_file, log })
    }
}

impl ServeFlags {
    /// Reads these flags; what is wrong with them is noted.
    pub fn read(self, problems: &mut Problems) -> Option<Serve> {
        let bind = given(self.bind).unwrap_or_else(|| BIND_DEFAULT.to_owned());
        let bind = problems.take(socket_address("STIPEND_BIND", &bind));
        let metrics_bind = given(self.metrics_bind).map(|text| socket_address("STIPEND_METRICS_BIND", &text));
        let metrics_bind = metrics_bind.map_or(Some(None), |read| problems.take(read).map(Some));
        let public_url = given(self.public_url).map(|text| base_url("STIPEND_PUBLIC_URL", &text));
        let public_url = public_url.map_or(Some(None), |read| problems.take(read).map(Some));
        let simulator_url = given(self.simulator_url).map(|text| base_url("STIPEND_SIMULATOR_URL", &text));
        let simulator_url = simulator_url.map_or(Some(None), |read| problems.take(read).map(Some));
        let dropzone = given(self.simulator_dropzone).map(|text| host_and_port("STIPEND_SIMULATOR_DROPZONE", &text));
        if dropzone.is_some() && simulator_url == Some(None) {
            problems.note("STIPEND_SIMULATOR_DROPZONE is set but STIPEND_SIMULATOR_URL is not: set both, or neither");
        }
        let simulator_dropzone = dropzone.map_or(Some(None), |read| problems.take(read).map(Some));
        let rehearses = simulator_url.as_ref().is_some_and(Option::is_some);
        let mail = problems.take(self.mail.read(rehearses));
        Some(Serve {
            bind: bind?,
            metrics_bind: metrics_bind?,
            public_url: public_url?,
            simulator_url: simulator_url?,
            simulator_dropzone: simulator_dropzone?,
            mail: mail?,
        })
    }
}

impl MailFlags {
    /// The server's address may hold a password, so no message repeats it.
    fn read(self, rehearses: bool) -> Result<Option<Mail>, String> {
        let from = given(self.mail_from).map(|text| {
            let read = text.parse::<Mailbox>();
            read.map_err(|_| format!("STIPEND_MAIL_FROM: {text:?} is no e-mail address"))
        });
        match (given(self.smtp_url), given(self.mail_folder), from.transpose()?) {
            (None, None, _) => Ok(None),
            (Some(_), Some(_), _) => {
                Err("STIPEND_SMTP_URL and STIPEND_MAIL_FOLDER are both set: choose one".to_owned())
            }
            (None, Some(folder), from) => Ok(Some(Mail::folder(PathBuf::from(folder), from))),
            (Some(_), None, _) if rehearses => Err("STIPEND_SMTP_URL: a rehearsal sends e-mail to nobody; use \
                STIPEND_MAIL_FOLDER beside STIPEND_SIMULATOR_URL"
                .to_owned()),
            (Some(_), None, None) => {
                Err("STIPEND_MAIL_FROM: say whom e-mail comes from, as in payouts@example.com".to_owned())
            }
            (Some(url), None, Some(from)) => match AsyncSmtpTransport::<Tokio1Executor>::from_url(&url) {
                Ok(_) => Ok(Some(Mail::Smtp { url: url.into(), from })),
                Err(_) => Err("STIPEND_SMTP_URL: write it as smtps://user:password@smtp.example.com, with what is \
                    special in the password percent-encoded"
                    .to_owned()),
            },
        }
    }
}

/// An empty value is one that was not given: `NAME=` in a file of settings means that.
pub(crate) fn given(value: Option<String>) -> Option<String> {
    value.map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
}

pub(crate) fn default_data_dir() -> Option<PathBuf> {
    if nix::unistd::Uid::effective().is_root() {
        return Some(PathBuf::from("/var/lib/stipend"));
    }
    let named = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let data = named("XDG_DATA_HOME").filter(|path| path.is_absolute());
    let data = data.or_else(|| Some(named("HOME")?.join(".local/share")))?;
    Some(data.join("stipend"))
}

/// A filter for the log, checked and given back.
pub(crate) fn log_filter(text: &str) -> Result<String, String> {
    let checked = EnvFilter::try_new(text);
    checked.map(|_| text.to_owned()).map_err(|error| format!("STIPEND_LOG: {text:?} is no log filter ({error})"))
}

pub(crate) fn absolute(folder: &Path) -> Result<PathBuf, String> {
    std::path::absolute(folder).map_err(|error| format!("STIPEND_DATA_DIR: {} ({error})", folder.display()))
}

/// The address itself may hold a password, so no message repeats it.
fn database_address(url: &str) -> Result<(), String> {
    let shape = "DATABASE_URL: write it as postgres://user:password@host:5432/database";
    if !(url.starts_with("postgres://") || url.starts_with("postgresql://")) {
        return Err(shape.to_owned());
    }
    url.parse::<PgConnectOptions>().map(drop).map_err(|_| shape.to_owned())
}

pub(crate) fn socket_address(name: &str, text: &str) -> Result<SocketAddr, String> {
    let problem = || format!("{name}: {text:?} is no address with a port; write it as in 127.0.0.1:3000");
    match text.parse() {
        Ok(address) => Ok(address),
        Err(_) => host_and_port(name, text)
            .and_then(|text| text.to_socket_addrs().map_err(|_| problem())?.next().ok_or_else(problem))
            .map_err(|_| problem()),
    }
}

fn host_and_port(name: &str, text: &str) -> Result<String, String> {
    match text.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0) => Ok(text.to_owned()),
        _ => Err(format!("{name}: {text:?} is no host with a port; write it as in localhost:2222")),
    }
}

pub(crate) fn base_url(name: &str, text: &str) -> Result<String, String> {
    let url = reqwest::Url::parse(text).ok().filter(|url| {
        let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        let anonymous = url.username().is_empty() && url.password().is_none();
        matches!(url.scheme(), "http" | "https") && url.host_str().is_some() && bare && anonymous
    });
    match url {
        Some(url) => Ok(url.as_str().trim_end_matches('/').to_owned()),
        None => Err(format!("{name}: {text:?} must be http:// or https:// and a host, with nothing after it")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(flags: &[(&str, &str)]) -> Vec<String> {
        let value = |name: &str| flags.iter().find(|(flag, _)| *flag == name).map(|(_, value)| (*value).to_owned());
        let mut problems = Problems::default();
        let serve = ServeFlags {
            bind: value("bind"),
            metrics_bind: value("metrics"),
            public_url: value("public"),
            simulator_url: value("simulator"),
            simulator_dropzone: value("dropzone"),
            mail: MailFlags { smtp_url: value("smtp"), mail_from: value("from"), mail_folder: value("folder") },
        };
        let data = DataFlags {
            database_url: value("database"),
            data_dir: value("data"),
            master_key_file: value("key"),
            log: value("log"),
        };
        let read = (data.read(&mut problems), serve.read(&mut problems));
        assert!(!problems.0.is_empty() || matches!(read, (Some(_), Some(_))), "what is not read is a problem");
        problems.0
    }

    #[test]
    fn nothing_is_required_and_an_empty_value_is_none() {
        assert_eq!(problems(&[]), [""; 0]);
        let empty = ["bind", "metrics", "public", "simulator", "dropzone", "database", "data", "key", "log"];
        assert_eq!(problems(&empty.map(|name| (name, ""))), [""; 0]);
    }

    #[test]
    fn what_is_well_formed_is_taken() {
        for (name, value) in [
            ("bind", "0.0.0.0:3000"),
            ("bind", "[::1]:0"),
            ("public", "https://payouts.example.com"),
            ("public", "http://localhost:3000/"),
            ("simulator", "http://127.0.0.1:4000"),
            ("database", "postgresql://stipend@localhost/stipend?host=/run/postgresql"),
            ("log", "debug,hyper=off"),
        ] {
            assert_eq!(problems(&[(name, value)]), [""; 0], "{name} {value}");
        }
    }

    #[test]
    fn every_problem_is_told_and_no_password() {
        let told = problems(&[
            ("bind", "3000"),
            ("metrics", "localhost"),
            ("public", "https://example.com/app"),
            ("simulator", "ftp://example.com"),
            ("dropzone", "localhost:0"),
            ("database", "mysql://me:hunter2@db/x"),
            ("log", "stipend=loud"),
        ]);
        assert_eq!(told.len(), 7, "{told:?}");
        assert!(told.iter().all(|problem| !problem.contains("hunter2")));
        let names = ["BIND", "METRICS", "PUBLIC_URL", "SIMULATOR_URL", "DROPZONE", "DATABASE_URL", "LOG"];
        assert!(names.iter().all(|name| told.iter().any(|problem| problem.contains(name))), "{told:?}");
    }

    #[test]
    fn mail_has_one_way_and_a_rehearsal_reaches_nobody() {
        let (smtp, from) = (("smtp", "smtps://me:hunter2@mail.example.com"), ("from", "Payouts <pay@example.com>"));
        let simulator = ("simulator", "http://127.0.0.1:4000");
        assert_eq!(problems(&[smtp, from]), [""; 0]);
        assert_eq!(problems(&[("folder", "/tmp/mails"), simulator]), [""; 0]);
        for wrong in [
            &[smtp, from, ("folder", "/tmp/mails")][..],
            &[smtp],
            &[smtp, ("from", "nobody")],
            &[smtp, from, simulator],
            &[("smtp", "https://me:hunter2@mail.example.com"), from],
        ] {
            let told = problems(wrong);
            assert!(told.len() == 1 && !told[0].contains("hunter2"), "{told:?}");
        }
    }

    #[test]
    fn a_dropzone_alone_is_no_rehearsal() {
        assert_eq!(problems(&[("dropzone", "localhost:2222")]).len(), 1);
    }
}
