//! The file of the master key: 32 random bytes in hex, readable by its owner alone. It never touches the database.

use anyhow::{Context, bail, ensure};
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The key in the file, or nothing if there is no such file.
pub fn read(path: &Path) -> anyhow::Result<Option<[u8; 32]>> {
    let there = match fs::metadata(path) {
        Ok(there) => there,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            return Err(error).with_context(|| format!("the master key file {} cannot be read", path.display()));
        }
    };
    let mode = there.permissions().mode() & 0o7777;
    // A group may share the key: that is how a container's secrets are mounted.
    ensure!(
        mode & 0o007 == 0,
        "everybody on this machine may read the master key file {path} (mode {mode:04o}); run `chmod 600 {path}`",
        path = path.display()
    );
    let text =
        fs::read_to_string(path).with_context(|| format!("the master key file {} cannot be read", path.display()))?;
    let mut key = [0; 32];
    if hex::decode_to_slice(text.trim(), &mut key).is_err() {
        bail!("the master key file {} must hold 64 hexadecimal digits and nothing else", path.display());
    }
    Ok(Some(key))
}

/// A new key in a new file. It is on the disk before anything is sealed under it.
pub fn create(path: &Path) -> anyhow::Result<[u8; 32]> {
    let key: [u8; 32] = rand::random();
    let write = || -> std::io::Result<()> {
        let folder = folder_of(path);
        fs::create_dir_all(folder)?;
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        writeln!(file, "{}", hex::encode(key))?;
        file.sync_all()?;
        File::open(folder)?.sync_all()
    };
    write().with_context(|| format!("the master key file {} cannot be written", path.display()))?;
    Ok(key)
}

/// A new key beside the one in use. One that an interrupted rotation has left behind is replaced: nothing is sealed with
/// it.
pub fn create_next(path: &Path) -> anyhow::Result<[u8; 32]> {
    let next = beside(path, "next");
    match fs::remove_file(&next) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("the file {} cannot be removed", next.display()))
        }
        Ok(()) | Err(_) => create(&next),
    }
}

/// The key beside takes the place of the one in use, which is kept under its name: backups need it. Says where.
pub fn put_in_place(path: &Path, before: &str) -> anyhow::Result<PathBuf> {
    let kept = beside(path, before);
    let change = || -> std::io::Result<()> {
        match fs::rename(path, &kept) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        fs::rename(beside(path, "next"), path)?;
        File::open(folder_of(path))?.sync_all()
    };
    change().with_context(|| format!("the new master key could not be put in place of {}", path.display()))?;
    Ok(kept)
}

/// If the key beside is the one that is wanted: a rotation was cut off after all was sealed, and is completed.
pub fn complete(path: &Path, is_wanted: impl Fn(&[u8; 32]) -> bool) -> anyhow::Result<()> {
    let in_use = read(path)?;
    if in_use.as_ref().is_some_and(&is_wanted) || !read(&beside(path, "next"))?.as_ref().is_some_and(&is_wanted) {
        return Ok(());
    }
    let before = if in_use.is_some() { "before" } else { "none" };
    put_in_place(path, before)?;
    tracing::info!("The new master key is in its place: a rotation had been cut off");
    Ok(())
}

/// "master.key.next" beside "master.key".
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    name.into()
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_for_its_owner_alone() {
        let folder = std::env::temp_dir().join(format!("stipend-key-{}", uuid::Uuid::now_v7()));
        let path = folder.join("below").join("master.key");
        assert_eq!(read(&path).unwrap(), None);
        let key = create(&path).unwrap();
        assert_eq!(read(&path).unwrap(), Some(key));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(create(&path).is_err(), "an existing key is never overwritten");

        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(format!("{:#}", read(&path).unwrap_err()).contains("chmod 600"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, "not a key").unwrap();
        assert!(format!("{:#}", read(&path).unwrap_err()).contains("64 hexadecimal digits"));
        fs::remove_dir_all(folder).unwrap();
    }
    #[test]
    fn a_new_key_takes_the_place_of_the_one_before_wherever_that_was_cut_off() {
        let folder = std::env::temp_dir().join(format!("stipend-key-{}", uuid::Uuid::now_v7()));
        let path = folder.join("master.key");
        let first = create(&path).unwrap();
        let unused = create_next(&path).unwrap();
        complete(&path, |key| *key == first).unwrap();
        assert_eq!(read(&path).unwrap(), Some(first), "what nothing is sealed with stays beside");

        let second = create_next(&path).unwrap();
        assert_ne!(unused, second);
        complete(&path, |key| *key == second).unwrap();
        assert_eq!(read(&path).unwrap(), Some(second));

        // Between its two renames.
        let third = create_next(&path).unwrap();
        fs::rename(&path, folder.join("master.key.aside")).unwrap();
        complete(&path, |key| *key == third).unwrap();
        assert_eq!(read(&path).unwrap(), Some(third));

        create_next(&path).unwrap();
        let kept = put_in_place(&path, "0123").unwrap();
        assert_eq!(read(&kept).unwrap(), Some(third));
        fs::remove_dir_all(folder).unwrap();
    }
}
