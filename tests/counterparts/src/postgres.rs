//! A PostgreSQL server in a temporary folder.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tempfile::TempDir;

use crate::install::apt;
use crate::run::{run, succeeds};
use crate::server::free_port;

const LIMIT: Duration = Duration::from_secs(60);
/// Maximum number of attempts to start, each on a different free port.
const STARTS: usize = 3;
/// System user that runs the server; PostgreSQL refuses to run as root. The package creates this user.
const USER: &str = "postgres";

/// A server on a Unix socket in its folder and on a port of 127.0.0.1. Only connections to the port need a password.
pub struct Postgres {
    folder: TempDir,
    bin: PathBuf,
    port: u16,
    /// The addresses of databases that several tests share.
    databases: Mutex<BTreeMap<String, String>>,
}

/// The shared server, while any thread needs it.
static SHARED: Mutex<Weak<Postgres>> = Mutex::new(Weak::new());

thread_local! {
    /// Keeps the shared server until the end of the thread.
    static KEPT: RefCell<Option<Arc<Postgres>>> = const { RefCell::new(None) };
}

/// What a server's commits wait for.
#[derive(Clone, Copy)]
enum Storage<'d> {
    /// Nothing: the folder is temporary, so nothing needs to reach the disk.
    Volatile,
    /// The disk of this folder.
    Durable(&'d Path),
}

impl Storage<'_> {
    fn settings(self) -> &'static str {
        match self {
            Storage::Volatile => "-c fsync=off",
            Storage::Durable(_) => "-c fsync=on -c shared_preload_libraries=pg_stat_statements",
        }
    }
}

/// File names of the server's TLS key and certificate.
const KEY: &str = "server.key";
const CERTIFICATE: &str = "server.crt";
/// Password of the administrator `postgres`.
const PASSWORD: &str = "administrators-password";

impl Postgres {
    /// Installs PostgreSQL if needed, creates a cluster and starts it.
    pub fn start() -> Postgres {
        Postgres::with(&[], Storage::Volatile)
    }

    /// Like [`start`](Self::start), with its files in a new folder in `disk` and a sync for each commit, for measurements. The server's
    /// user must be able to reach `disk`. The server can count statements (`pg_stat_statements`), but
    /// does not until its setting `pg_stat_statements.track` is changed.
    pub fn durable(disk: &Path) -> Postgres {
        Postgres::with(&[], Storage::Durable(disk))
    }

    /// Returns the server shared by all tests of this program. It stops when the last thread that has called this function ends.
    pub fn shared() -> Arc<Postgres> {
        let mut server = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        let running = server.upgrade().unwrap_or_else(|| Arc::new(Postgres::start()));
        *server = Arc::downgrade(&running);
        KEPT.set(Some(running.clone()));
        running
    }

    /// Like [`start`](Self::start), with TLS and a self-signed certificate for these names.
    pub fn with_tls(names: &[&str]) -> Postgres {
        Postgres::with(names, Storage::Volatile)
    }

    /// Starts a standby of this server: a copy that follows it and accepts no writes until [`Postgres::promote`].
    ///
    /// # Panics
    /// Panics if it does not start.
    pub fn standby(&self) -> Postgres {
        let folder = tempfile::tempdir().expect("a folder");
        let mut standby = Postgres { folder, bin: self.bin.clone(), port: free_port(), databases: Mutex::default() };
        if is_root() {
            succeeds(Command::new("chown").arg("-R").arg(USER).arg(standby.folder.path()), LIMIT);
        }
        let (socket, port) = (self.folder.path().display().to_string(), self.port.to_string());
        let mut copy = standby.command("pg_basebackup");
        copy.args(["-h", &socket, "-p", &port, "-U", USER, "--write-recovery-conf", "--checkpoint=fast", "--no-sync"]);
        succeeds(copy.arg("-D").arg(standby.data()), LIMIT);
        standby.begin(&[], Storage::Volatile);
        standby
    }

    /// Makes a standby the primary server.
    ///
    /// # Panics
    /// Panics if it is not a standby.
    pub fn promote(&self) {
        succeeds(self.command("pg_ctl").arg("-D").arg(self.data()).args(["-w", "promote"]), LIMIT);
    }

    /// Stops the server as a crash would.
    ///
    /// # Panics
    /// Panics if it is not running.
    pub fn crash(&self) {
        succeeds(self.command("pg_ctl").arg("-D").arg(self.data()).args(["-w", "-m", "immediate", "stop"]), LIMIT);
    }

    fn with(names: &[&str], storage: Storage) -> Postgres {
        let bin = apt("postgresql", || {
            let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
            versions.map(|version| version.path().join("bin")).filter(|bin| bin.join("initdb").exists()).max()
        });
        let folder = match storage {
            Storage::Volatile => tempfile::tempdir(),
            Storage::Durable(disk) => tempfile::tempdir_in(disk),
        };
        let folder = folder.expect("a folder");
        let mut server = Postgres { folder, bin, port: free_port(), databases: Mutex::default() };
        let password = server.folder.path().join("password");
        std::fs::write(&password, PASSWORD).expect("the file of the password");
        if !names.is_empty() {
            server.make_certificate(names);
        }
        if is_root() {
            succeeds(Command::new("chown").arg("-R").arg(USER).arg(server.folder.path()), LIMIT);
        }
        let data = server.data();
        let made = ["-U", USER, "--auth-local=trust", "--auth-host=scram-sha-256", "-E", "UTF8", "--locale=C.UTF-8"];
        let mut initdb = server.command("initdb");
        succeeds(initdb.arg("-D").arg(&data).args(made).arg("--no-sync").arg("--pwfile").arg(&password), LIMIT);
        if matches!(storage, Storage::Durable(_)) {
            // Set in the file rather than on the command line, which would take precedence over a later change.
            let file = std::fs::OpenOptions::new().append(true).open(data.join("postgresql.conf"));
            let line = b"pg_stat_statements.track = none\n";
            file.and_then(|mut file| file.write_all(line)).expect("the settings of the server");
        }
        server.begin(names, storage);
        server
    }

    /// Starts the server on its data.
    fn begin(&mut self, names: &[&str], storage: Storage) {
        let (socket, log) = (self.folder.path().display().to_string(), self.folder.path().join("log"));
        for left in (0..STARTS).rev() {
            let mut settings = format!(
                "-p {} -c listen_addresses=127.0.0.1 -c unix_socket_directories='{socket}' \
                 -c track_commit_timestamp=on {}",
                self.port,
                storage.settings()
            );
            if !names.is_empty() {
                settings +=
                    &format!(" -c ssl=on -c ssl_cert_file='{socket}/{CERTIFICATE}' -c ssl_key_file='{socket}/{KEY}'");
            }
            let mut start = self.command("pg_ctl");
            start.arg("-D").arg(self.data()).arg("-l").arg(&log).args(["-w", "-o", &settings, "start"]);
            let started = run(&mut start, LIMIT);
            if started.status.success() {
                break;
            }
            assert!(left > 0, "PostgreSQL does not start:\n{}", self.log());
            // Another process may have taken the port in the meantime.
            self.port = free_port();
        }
    }

    /// Stops the server as a crash would, and restarts it on the same data.
    ///
    /// # Panics
    /// Panics if it does not start.
    pub fn restart(&mut self) {
        let mut restart = self.command("pg_ctl");
        restart.arg("-D").arg(self.data()).arg("-l").arg(self.folder.path().join("log"));
        succeeds(restart.args(["-w", "-m", "immediate", "restart"]), LIMIT);
    }

    /// Returns the server's port on 127.0.0.1. Connections to this port require a password.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the folder of the server's Unix socket.
    pub fn socket(&self) -> &Path {
        self.folder.path()
    }

    /// Returns the id of the server's process, the parent of the processes for its connections.
    pub fn id(&self) -> u32 {
        let file = std::fs::read_to_string(self.data().join("postmaster.pid")).expect("a running server has this file");
        file.lines().next().and_then(|line| line.trim().parse().ok()).expect("the first line is a number")
    }

    /// Returns the password of the administrator `postgres`, a superuser.
    pub fn password(&self) -> &'static str {
        PASSWORD
    }

    /// Returns the path of the server's TLS certificate. It is self-signed, so clients use it as the authority.
    pub fn authority(&self) -> PathBuf {
        self.folder.path().join(CERTIFICATE)
    }

    /// Changes the administrator's password.
    pub fn set_password(&self, password: &str) {
        let quoted = password.replace('\'', "''");
        self.sql("postgres", &format!("ALTER ROLE {USER} PASSWORD '{quoted}'"));
    }

    /// Runs a statement as administrator; returns one line per row.
    pub fn sql(&self, database: &str, statement: &str) -> String {
        let (socket, port) = (self.folder.path().display().to_string(), self.port.to_string());
        let mut psql = self.command("psql");
        psql.args(["-h", &socket, "-p", &port, "-U", USER, "-d", database, "-v", "ON_ERROR_STOP=1", "-Atc", statement]);
        succeeds(&mut psql, LIMIT)
    }

    fn make_certificate(&self, names: &[&str]) {
        let folder = self.folder.path();
        let names: Vec<String> = names.iter().map(|name| format!("DNS:{name}")).collect();
        let mut openssl = Command::new("openssl");
        openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]);
        openssl.args(["-subj", "/CN=database", "-addext", &format!("subjectAltName={}", names.join(","))]);
        openssl.args(["-addext", "basicConstraints=critical,CA:FALSE"]);
        openssl.arg("-keyout").arg(folder.join(KEY)).arg("-out").arg(folder.join(CERTIFICATE));
        succeeds(&mut openssl, LIMIT);
    }

    /// Returns the folder of `psql`, `pg_dump` and the other programs.
    pub fn programs(&self) -> &Path {
        &self.bin
    }

    /// Returns the server's log.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.folder.path().join("log")).unwrap_or_default()).into_owned()
    }

    /// Returns the URL of a database on the socket, which is created by the first call.
    pub fn shared_database(&self, name: &str) -> String {
        let mut databases = self.databases.lock().unwrap_or_else(PoisonError::into_inner);
        databases.entry(name.to_owned()).or_insert_with(|| self.database(name)).clone()
    }

    /// Creates a database; returns its URL on the socket.
    pub fn database(&self, name: &str) -> String {
        let socket = self.folder.path().display().to_string();
        let port = self.port.to_string();
        succeeds(self.command("createdb").args(["-h", &socket, "-p", &port, "-U", USER, name]), LIMIT);
        format!("postgres:///{name}?host={socket}&port={port}&user={USER}")
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
        // The result does not matter: the test is over.
        let _ = run(self.command("pg_ctl").arg("-D").arg(data).args(["-m", "immediate", "-w", "stop"]), LIMIT);
    }
}

fn is_root() -> bool {
    succeeds(Command::new("id").arg("-u"), LIMIT).trim() == "0"
}
