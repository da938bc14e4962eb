//! A PostgreSQL of one's own: in a folder that goes with the test, on a socket in it, no port.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::{install, run, succeeds};

const LIMIT: Duration = Duration::from_secs(60);
/// The system user that the package makes; the server refuses to run as root.
const USER: &str = "postgres";

pub struct Postgres {
    folder: TempDir,
    bin: PathBuf,
}

impl Postgres {
    pub fn start() -> Self {
        let bin = install::postgres();
        let folder = tempfile::tempdir().unwrap();
        let server = Self { folder, bin };
        if is_root() {
            succeeds(Command::new("chown").arg(USER).arg(server.folder.path()), LIMIT);
        }
        let data = server.data();
        let made = ["-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"];
        succeeds(server.command("initdb").arg("-D").arg(&data).args(made), LIMIT);
        // The folder is thrown away, so nothing needs to reach the disk.
        let socket = server.folder.path().display();
        let settings = format!("-c listen_addresses='' -c unix_socket_directories='{socket}' -c fsync=off");
        let log = server.folder.path().join("log");
        let start = ["-w", "-o", &settings, "start"];
        succeeds(server.command("pg_ctl").arg("-D").arg(&data).arg("-l").arg(log).args(start), LIMIT);
        server
    }

    /// Makes a database; gives its address.
    pub fn database(&self, name: &str) -> String {
        let socket = self.folder.path().display().to_string();
        succeeds(self.command("createdb").args(["-h", &socket, "-U", USER, name]), LIMIT);
        format!("postgres:///{name}?host={socket}&user={USER}")
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn command(&self, name: &str) -> Command {
        let program = self.bin.join(name);
        let mut command = if is_root() {
            let mut as_user = Command::new("setpriv");
            as_user.args([&format!("--reuid={USER}"), &format!("--regid={USER}"), "--clear-groups", "--"]).arg(program);
            as_user
        } else {
            Command::new(program)
        };
        command.current_dir(Path::new("/"));
        command
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let data = self.data();
        // Whatever comes of it, the test is over.
        let _ = run(self.command("pg_ctl").arg("-D").arg(data).args(["-m", "immediate", "-w", "stop"]), LIMIT);
    }
}

fn is_root() -> bool {
    succeeds(Command::new("id").arg("-u"), LIMIT).trim() == "0"
}
