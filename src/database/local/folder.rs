//! The data folder of a local Postgres: who owns it, what lies in it, and whether the server can enter it.

use anyhow::{Context, bail, ensure};
use nix::unistd::{Gid, Uid, User, chown};
use sha2::{Digest, Sha256};
use std::fs::{self, DirBuilder, File, Permissions, TryLockError};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// A socket's path must fit into 104 bytes on every platform, its end included.
const SOCKET_PATH_MAX: usize = 103;
const SOCKET_NAME: &str = ".s.PGSQL.5432";

/// As whom the server runs when we are root: it refuses to be root itself.
#[derive(Debug, Clone)]
pub(super) struct Owner {
    pub(super) name: String,
    pub(super) uid: Uid,
    pub(super) gid: Gid,
}

/// Where everything lies.
#[derive(Debug, Clone)]
pub(super) struct Folder {
    root: PathBuf,
    /// Whom the server's files belong to, if not to us.
    pub(super) owner: Option<Owner>,
}

impl Folder {
    /// Makes the folder where it is missing, and refuses one that the server could not enter.
    pub(super) fn prepare(data_dir: &Path) -> anyhow::Result<Self> {
        let we_are_root = Uid::effective().is_root();
        if !data_dir.exists() {
            fs::create_dir_all(data_dir).with_context(|| cannot(data_dir, "be made"))?;
            let mode = if we_are_root { 0o711 } else { 0o700 };
            fs::set_permissions(data_dir, Permissions::from_mode(mode)).with_context(|| cannot(data_dir, "be made"))?;
        }
        let root = data_dir.canonicalize().with_context(|| cannot(data_dir, "be entered"))?;
        ensure!(root.is_dir(), "the data folder {} is not a folder", root.display());
        let owner = if we_are_root { Some(server_user(&root.join("pg"))?) } else { None };
        if let Some(owner) = &owner {
            ensure_enterable(&root, owner)?;
        }
        Ok(Self { root, owner })
    }

    /// Takes the folder for this process, until the returned file is closed; nothing if another instance has it.
    pub(super) fn lock(&self) -> anyhow::Result<Option<File>> {
        let file = File::create(self.root.join("app.lock")).with_context(|| cannot(&self.root, "be written to"))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error).with_context(|| cannot(&self.root, "be locked")),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.root
    }

    /// The server's own files.
    pub(super) fn pg(&self) -> PathBuf {
        self.root.join("pg")
    }

    /// Where a new server's files are made: an interrupted beginning never looks like data.
    pub(super) fn pg_new(&self) -> PathBuf {
        self.root.join("pg.new")
    }

    /// What the server tells.
    pub(super) fn log(&self) -> PathBuf {
        self.root.join("postgres.log")
    }

    /// Where the server's socket is: in the data folder, or in a short place if that path is too long for a socket.
    pub(super) fn socket_dir(&self) -> PathBuf {
        let within = self.root.join("run");
        let text = within.to_string_lossy();
        // Postgres reads a list of folders here, parted by commas.
        if text.len() + 1 + SOCKET_NAME.len() <= SOCKET_PATH_MAX && !text.contains([',', '"']) {
            return within;
        }
        let name = hex::encode(&Sha256::digest(self.root.as_os_str().as_encoded_bytes())[..8]);
        Path::new("/tmp").join(format!("stipend-{name}"))
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.socket_dir().join(SOCKET_NAME)
    }

    pub(super) fn socket_lock(&self) -> PathBuf {
        self.socket_dir().join(format!("{SOCKET_NAME}.lock"))
    }

    /// A folder that only the server's user can enter. One that is there already must be theirs or ours.
    pub(super) fn make_private(&self, path: &Path) -> anyhow::Result<()> {
        if let Err(error) = DirBuilder::new().mode(0o700).create(path)
            && error.kind() != std::io::ErrorKind::AlreadyExists
        {
            return Err(error).with_context(|| cannot(path, "be made"));
        }
        let there = fs::symlink_metadata(path).with_context(|| cannot(path, "be entered"))?;
        let owners = [Uid::effective(), self.owner.as_ref().map_or(Uid::effective(), |owner| owner.uid)];
        ensure!(
            there.is_dir() && owners.contains(&Uid::from_raw(there.uid())),
            "the folder {} belongs to another user, so the local Postgres cannot use it",
            path.display()
        );
        if let Some(owner) = &self.owner {
            chown(path, Some(owner.uid), Some(owner.gid)).with_context(|| cannot(path, "be given away"))?;
        }
        fs::set_permissions(path, Permissions::from_mode(0o700)).with_context(|| cannot(path, "be made private"))
    }
}

fn cannot(path: &Path, what: &str) -> String {
    format!(
        "the folder {} cannot {what}; choose another data folder with --data-dir or STIPEND_DATA_DIR, or mend its rights",
        path.display()
    )
}

/// Whoever owns the data already, else the user that Postgres packages make, else nobody.
fn server_user(pg: &Path) -> anyhow::Result<Owner> {
    let known = match fs::metadata(pg) {
        Ok(there) if there.uid() != 0 => {
            let (uid, gid) = (Uid::from_raw(there.uid()), Gid::from_raw(there.gid()));
            let name = User::from_uid(uid)?.map_or_else(|| format!("user {uid}"), |user| user.name);
            return Ok(Owner { name, uid, gid });
        }
        _ => [User::from_name("postgres")?, User::from_name("nobody")?],
    };
    match known.into_iter().flatten().next() {
        Some(user) => Ok(Owner { name: user.name, uid: user.uid, gid: user.gid }),
        None => bail!("a Postgres server refuses to run as root, and there is no user postgres or nobody to run it as"),
    }
}

/// The server enters by way of every folder above; root's own rights do not help it.
fn ensure_enterable(root: &Path, owner: &Owner) -> anyhow::Result<()> {
    for folder in root.ancestors() {
        let there = fs::metadata(folder).with_context(|| cannot(folder, "be entered"))?;
        let (mode, theirs) = (there.mode(), there.uid() == owner.uid.as_raw());
        ensure!(
            mode & 0o001 != 0 || (theirs && mode & 0o100 != 0),
            "the local Postgres runs as {}, who cannot enter {} (mode {:04o}) on the way to the data folder {}; choose \
             another data folder with --data-dir or STIPEND_DATA_DIR, or run `chmod o+x {}`",
            owner.name,
            folder.display(),
            mode & 0o7777,
            root.display(),
            folder.display()
        );
    }
    Ok(())
}
