//! An ssh server for this machine's own user: on a free port, with keys that live as long as the test.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use testkit::server::wait_until;

/// Where `sshd` is; it insists on being called by its whole path.
const PROGRAM: &str = "/usr/sbin/sshd";
/// Where Debian's `sshd` confines itself when root starts it; it does not start without.
const CONFINEMENT: &str = "/run/sshd";

/// A running server; dropped, it ends.
#[derive(Debug)]
pub(crate) struct Sshd {
    child: Child,
    programs: PathBuf,
}

impl Sshd {
    /// Starts a server whose files are in `directory`.
    pub(crate) fn start(directory: &Path) -> Sshd {
        let programs = directory.join("bin");
        fs::create_dir_all(&programs).unwrap();
        // Only root may make it, and only root needs it.
        let _not_root = fs::create_dir_all(CONFINEMENT);
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let at = |name: &str| directory.join(name).display().to_string();
        key(&at("host_key"));
        key(&at("key"));
        let settings = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\nStrictModes no\nUsePAM no\nPermitRootLogin yes\n",
            at("host_key"),
            at("key.pub")
        );
        fs::write(at("sshd_config"), settings).unwrap();
        let client = format!(
            "HostName 127.0.0.1\nPort {port}\nIdentityFile {}\nUserKnownHostsFile {}\n",
            at("key"),
            at("known_hosts")
        );
        fs::write(at("ssh_config"), client).unwrap();
        let ssh = programs.join("ssh");
        fs::write(&ssh, format!("#!/bin/sh\nexec /usr/bin/ssh -F {} \"$@\"\n", at("ssh_config")))
            .unwrap();
        fs::set_permissions(&ssh, fs::Permissions::from_mode(0o755)).unwrap();
        let mut server = Command::new(PROGRAM);
        server.args(["-D", "-f", &at("sshd_config"), "-E", &at("log")]).stdin(Stdio::null());
        let sshd = Sshd { child: server.spawn().unwrap(), programs };
        wait_until("sshd answers", || TcpStream::connect(("127.0.0.1", port)).is_ok()).unwrap();
        sshd
    }

    /// `PATH` with a client in front that knows this server as every host.
    pub(crate) fn path(&self) -> String {
        format!("{}:{}", self.programs.display(), std::env::var("PATH").unwrap_or_default())
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _already_gone = self.child.kill();
        let _status = self.child.wait();
    }
}

fn key(path: &str) {
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-f", path])
        .status()
        .unwrap();
    assert!(made.success(), "ssh-keygen {path}");
}
