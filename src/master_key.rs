//! The file of the master key: 32 random bytes in hex, readable by its owner alone. It never touches the database.

use anyhow::{Context, bail, ensure};
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

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
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        writeln!(file, "{}", hex::encode(key))?;
        file.sync_all()?;
        File::open(folder)?.sync_all()
    };
    write().with_context(|| format!("the master key file {} cannot be written", path.display()))?;
    Ok(key)
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
}
