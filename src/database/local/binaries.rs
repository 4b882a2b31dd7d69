//! Finds the Postgres server's programs on this machine.

use anyhow::{Context, bail};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The oldest major version that is known to work.
pub(super) const OLDEST: u32 = 15;

/// A folder that has both `initdb` and `postgres`.
#[derive(Debug, Clone)]
pub(super) struct Binaries {
    pub(super) folder: PathBuf,
    pub(super) major: u32,
}

impl Binaries {
    /// The first programs found that suit: of this major version where data is there already, else any recent enough.
    /// Several versions may be installed side by side.
    pub(super) fn find(initialised_by: Option<u32>) -> anyhow::Result<Self> {
        let mut others = Vec::new();
        for folder in candidates() {
            let Some(found) = Self::in_folder(&folder) else { continue };
            let suits = initialised_by.map_or(found.major >= OLDEST, |major| found.major == major);
            if suits {
                return Ok(found);
            }
            others.push(format!("{} in {}", found.major, found.folder.display()));
        }
        let found = if others.is_empty() { "none".to_owned() } else { others.join(", ") };
        match initialised_by {
            Some(major) => bail!(
                "the data folder was made by Postgres {major}, but no server programs of that version are here (found: \
                 {found}). Install Postgres {major} again, or move the data with pg_dump or pg_upgrade; nothing was changed"
            ),
            None => bail!(
                "no Postgres server from version {OLDEST} on is installed here (found: {found}). {}, or point DATABASE_URL \
                 at a Postgres elsewhere",
                how_to_install()
            ),
        }
    }

    fn in_folder(folder: &Path) -> Option<Self> {
        // A link such as /usr/local/bin/postgres leads to the folder where the programs find their own files.
        let postgres = folder.join("postgres").canonicalize().ok()?;
        let folder = postgres.parent()?.to_owned();
        if !folder.join("initdb").exists() {
            return None;
        }
        let told = Command::new(&postgres).arg("--version").output().ok()?;
        let major = major_version(&String::from_utf8_lossy(&told.stdout))?;
        Some(Self { folder, major })
    }

    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

/// The major version that made a data folder.
pub(super) fn initialised_by(pg: &Path) -> anyhow::Result<u32> {
    let file = pg.join("PG_VERSION");
    let text = std::fs::read_to_string(&file).with_context(|| format!("{} cannot be read", file.display()))?;
    text.trim().parse().with_context(|| format!("{} holds no version but {:?}", file.display(), text.trim()))
}

/// "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)" and "postgres (PostgreSQL) 18beta1" name a major version.
fn major_version(told: &str) -> Option<u32> {
    let number = told.split_once(") ")?.1;
    let end = number.find(|c: char| !c.is_ascii_digit()).unwrap_or(number.len());
    number[..end].parse().ok()
}

/// Where the programs may be, the most deliberate choice first.
fn candidates() -> Vec<PathBuf> {
    if let Some(chosen) = std::env::var_os("PG_BIN_DIR").filter(|chosen| !chosen.is_empty()) {
        return vec![chosen.into()];
    }
    let mut folders: Vec<PathBuf> = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).collect();
    let pg_config = std::env::var_os("PG_CONFIG").unwrap_or_else(|| OsString::from("pg_config"));
    if let Ok(told) = Command::new(pg_config).arg("--bindir").output() {
        folders.push(String::from_utf8_lossy(&told.stdout).trim().into());
    }
    folders.extend(versions_in("/usr/lib/postgresql", "", "bin"));
    folders.extend(versions_in("/usr", "pgsql-", "bin"));
    folders.extend(versions_in("/opt/homebrew/opt", "postgresql@", "bin"));
    folders.extend(versions_in("/usr/local/opt", "postgresql@", "bin"));
    folders.extend(versions_in("/Applications/Postgres.app/Contents/Versions", "", "bin"));
    folders
}

/// `<parent>/<prefix><version>/<within>`, the highest version first.
fn versions_in(parent: &str, prefix: &str, within: &str) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(parent) else { return Vec::new() };
    let mut found: Vec<(u32, PathBuf)> = entries
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let version = entry.file_name().to_str()?.strip_prefix(prefix)?.parse().ok()?;
            Some((version, entry.path().join(within)))
        })
        .collect();
    found.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
    found.into_iter().map(|(_, path)| path).collect()
}

fn how_to_install() -> &'static str {
    let known = [
        ("/usr/bin/apt-get", "Run `apt-get install postgresql`"),
        ("/usr/bin/dnf", "Run `dnf install postgresql-server`"),
        ("/sbin/apk", "Run `apk add postgresql`"),
        ("/usr/bin/pacman", "Run `pacman -S postgresql`"),
        ("/opt/homebrew/bin/brew", "Run `brew install postgresql@17`"),
        ("/usr/local/bin/brew", "Run `brew install postgresql@17`"),
    ];
    known
        .iter()
        .find(|(manager, _)| Path::new(manager).exists())
        .map_or("Install the Postgres server", |(_, line)| line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_is_read_from_what_the_program_tells() {
        assert_eq!(major_version("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"), Some(15));
        assert_eq!(major_version("postgres (PostgreSQL) 18beta1\n"), Some(18));
        assert_eq!(major_version("postgres: command not found"), None);
    }
}
