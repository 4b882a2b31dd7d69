//! A real OpenSSH server on loopback, with the two folders of a DropZone account.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A server on a port of loopback, with one account: whoever runs the tests.
pub struct Server {
    process: Child,
    pub folder: PathBuf,
    pub port: u16,
    pub user: String,
}

impl Server {
    /// Starts it, with everything in this folder, which it makes.
    ///
    /// # Panics
    /// When the machine lacks OpenSSH, with what to install.
    pub fn start(folder: &Path) -> Server {
        let folder = folder.to_owned();
        for name in ["Incoming", "Outgoing"] {
            fs::create_dir_all(folder.join(name)).unwrap();
        }
        let key = folder.join("host_key");
        let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key).status();
        assert!(made.is_ok_and(|status| status.success()), "these tests need OpenSSH: apt-get install openssh-client");
        // The server separates its privileges by an empty folder that only root can make.
        if nix::unistd::Uid::effective().is_root() {
            fs::create_dir_all("/run/sshd").unwrap();
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let config = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {key}\nAuthorizedKeysFile {keys}\nStrictModes no\nUsePAM no\n\
            PidFile none\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin yes\n\
            Subsystem sftp internal-sftp\nForceCommand internal-sftp -d {home}\n",
            key = key.display(),
            keys = folder.join("authorized_keys").display(),
            home = folder.display(),
        );
        fs::write(folder.join("sshd_config"), config).unwrap();
        let sshd = ["/usr/sbin/sshd", "/usr/bin/sshd", "/usr/local/sbin/sshd"]
            .into_iter()
            .find(|path| Path::new(path).is_file());
        let sshd = sshd.expect("these tests need an OpenSSH server: apt-get install openssh-server");
        let log = fs::File::create(folder.join("log")).unwrap();
        let process = Command::new(sshd)
            .args(["-D", "-e", "-f"])
            .arg(folder.join("sshd_config"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let user = nix::unistd::User::from_uid(nix::unistd::Uid::effective()).unwrap().unwrap().name;
        let server = Server { process, folder, port, user };
        for _ in 0..100 {
            if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return server;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        panic!("sshd did not start: {}", fs::read_to_string(server.folder.join("log")).unwrap());
    }

    /// Lets whoever has this key in.
    pub fn admit(&self, key: &str) {
        let keys = self.folder.join("authorized_keys");
        fs::write(&keys, format!("{key}\n")).unwrap();
        fs::set_permissions(&keys, fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// Puts an answer into the Outgoing folder.
    pub fn answer(&self, name: &str, content: &str) {
        fs::write(self.folder.join("Outgoing").join(name), content).unwrap();
    }

    /// What stands in the Incoming folder.
    pub fn incoming(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.join("Incoming")).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _gone_already = self.process.kill();
        let _reaped = self.process.wait();
        let _nothing_depends_on_it = fs::remove_dir_all(&self.folder);
    }
}
