//! Runs `pg_dump` and `pg_restore`. Settings are passed through environment variables, which only the same user can
//! read; arguments can be read by every user of the machine.

use crate::postgres::config::Config;
use crate::postgres::failed::Failed;
use crate::postgres::servers::Server;
use crate::postgres::worker::Worker;
use host_provider_api::Secret;
use sha2::{Digest, Sha256};
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Interval between checks whether a program has exited.
const POLL_INTERVAL: Duration = Duration::from_millis(20);
/// Maximum number of bytes of a program's error output that are kept.
const STDERR_BYTES_MAX: u64 = 4 * 1024;
/// Maximum number of characters of the error output in an error message.
const MESSAGE_CHARS_MAX: usize = 200;

/// A program that failed.
#[derive(Debug)]
pub(crate) struct ProgramFailed {
    /// Whether the program was killed at its deadline.
    pub is_late: bool,
    stderr: String,
}

impl ProgramFailed {
    /// Returns an error message with the first line of the error output.
    pub fn message(&self, program: &str) -> String {
        let why = if self.is_late { "took too long" } else { "failed" };
        let first = self.stderr.lines().next().unwrap_or_default();
        format!("{program} {why}: {}", first.chars().take(MESSAGE_CHARS_MAX).collect::<String>())
    }

    pub fn retry(&self, program: &str) -> Failed {
        Failed::retry("work-failed", self.message(program))
    }
}

/// Prepares `pg_dump` or `pg_restore` without a target.
pub(crate) fn program(config: &Config, name: &str) -> Command {
    let mut command = Command::new(config.programs.join(name));
    // Settings in the environment of the host's own user must not interfere.
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("LC_ALL", "C").current_dir("/");
    command.stdin(Stdio::null());
    command
}

/// Connection settings of a database for these programs.
pub(crate) struct DumpTarget {
    pub host: String,
    pub port: u16,
    pub user: String,
    pub password: Secret,
    pub database: String,
    /// The role to assume, if it differs from the user.
    pub role: Option<String>,
    pub tls: bool,
}

impl DumpTarget {
    /// Returns the target of a tenant's database on one of our servers, with only the tenant's rights.
    pub fn to_tenant(server: &Server<'_>, worker: &Worker) -> DumpTarget {
        let (settings, names) = (server.settings, &worker.names);
        DumpTarget {
            host: settings.host.clone(),
            port: settings.port,
            user: names.worker.clone(),
            password: worker.password.clone(),
            database: names.database.clone(),
            role: Some(names.role.clone()),
            tls: settings.tls,
        }
    }

    /// Prepares `pg_dump` or `pg_restore` for the schema `app`.
    fn program(&self, config: &Config, name: &str) -> Command {
        let mut command = program(config, name);
        command
            .env("PGHOST", &self.host)
            .env("PGPORT", self.port.to_string())
            .env("PGUSER", &self.user)
            .env("PGPASSWORD", self.password.expose())
            .env("PGDATABASE", &self.database)
            .env("PGCONNECT_TIMEOUT", "10")
            .env("PGSSLMODE", if self.tls { "verify-full" } else { "disable" })
            .args(["--no-password", "--no-owner", "--no-privileges", "--schema=app"])
            .args(self.role.as_ref().map(|role| format!("--role={role}")));
        if self.tls {
            command.env("PGSSLROOTCERT", config.ca.as_deref().unwrap_or(Path::new("system")));
        }
        if let Some(address) = config.addresses.get(&self.host) {
            command.env("PGHOSTADDR", address.ip().to_string()).env("PGPORT", address.port().to_string());
        }
        command
    }

    /// Returns a hash of the database's content, as it is now or in `snapshot`. If there is a `file`, also writes a
    /// dump to it.
    pub fn dump(
        &self,
        config: &Config,
        snapshot: Option<&str>,
        file: Option<&Path>,
        until: Instant,
    ) -> Result<String, Failed> {
        let program = || {
            let mut dump = self.program(config, "pg_dump");
            dump.args(snapshot.map(|snapshot| format!("--snapshot={snapshot}")));
            dump
        };
        let failed = |ended: ProgramFailed| ended.retry("pg_dump");
        if let Some(file) = file {
            run(program().arg("--format=custom").arg("--file").arg(file), until, None).map_err(failed)?;
        }
        let mut hash = DumpHash::default();
        run(&mut program(), until, Some(&mut hash)).map_err(failed)?;
        Ok(hash.end())
    }

    /// Restores a file into the database in one transaction.
    pub fn fill(&self, config: &Config, file: &Path, until: Instant) -> Result<(), Failed> {
        let mut fill = self.program(config, "pg_restore");
        fill.args(["--single-transaction", "--exit-on-error", "--dbname", &self.database]).arg(file);
        run(&mut fill, until, None).map_err(|ended| ended.retry("pg_restore"))
    }
}

/// Runs a program until it exits or, at the deadline `until`, is killed. Hashes its output into `digest`.
pub(crate) fn run(command: &mut Command, until: Instant, digest: Option<&mut DumpHash>) -> Result<(), ProgramFailed> {
    let failed = |stderr: String| ProgramFailed { is_late: false, stderr };
    let printed = if digest.is_some() { Stdio::piped() } else { Stdio::null() };
    let child = command.stdout(printed).stderr(Stdio::piped()).spawn();
    let mut child = child.map_err(|error| failed(error.to_string()))?;
    let (out, err) = (child.stdout.take(), child.stderr.take());
    thread::scope(|scope| {
        let stderr = scope.spawn(move || {
            let mut stderr = Vec::new();
            if let Some(mut err) = err {
                // The rest of the output must also be read; otherwise the program would block on a full pipe.
                let _ = err.by_ref().take(STDERR_BYTES_MAX).read_to_end(&mut stderr);
                let _ = std::io::copy(&mut err, &mut std::io::sink());
            }
            String::from_utf8_lossy(&stderr).into_owned()
        });
        let read = scope.spawn(move || match (out, digest) {
            (Some(out), Some(digest)) => digest.read(out),
            _ => Ok(()),
        });
        let status = loop {
            match child.try_wait() {
                Ok(Some(status)) => break Some(status),
                Ok(None) if Instant::now() < until => thread::sleep(POLL_INTERVAL),
                _ => {
                    // Killing fails if the program has just exited.
                    let _ = child.kill();
                    let _ = child.wait();
                    break None;
                }
            }
        };
        let read = read.join().unwrap_or_else(|_| Err(std::io::Error::other("its output can't be read")));
        let stderr = stderr.join().unwrap_or_default();
        match status {
            None => Err(ProgramFailed { is_late: true, stderr }),
            Some(status) if !status.success() => Err(failed(stderr)),
            Some(_) => read.map_err(|error| failed(error.to_string())),
        }
    })
}

/// Prefixes of lines that differ between dumps of the same content.
const VOLATILE: [&[u8]; 3] = [b"-- Dumped ", b"\\restrict ", b"\\unrestrict "];
/// Number of bytes of a line that are enough to recognize each prefix.
const HEAD: usize = 12;

/// A hash of an SQL dump, without the lines that differ between dumps of the same content.
#[derive(Default)]
pub(crate) struct DumpHash {
    hash: Sha256,
    /// The beginning of a line that has not been classified yet.
    head: Vec<u8>,
    /// Whether the current line is skipped. None until the line is classified.
    is_left_out: Option<bool>,
}

impl DumpHash {
    fn read(&mut self, mut from: impl Read) -> std::io::Result<()> {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            match from.read(&mut buffer)? {
                0 => return Ok(()),
                read => self.update(&buffer[..read]),
            }
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let ends = piece.ends_with(b"\n");
            match self.is_left_out {
                Some(is_left_out) => {
                    if !is_left_out {
                        self.hash.update(piece);
                    }
                    self.is_left_out = self.is_left_out.filter(|_| !ends);
                }
                None => {
                    self.head.extend_from_slice(piece);
                    if ends || self.head.len() >= HEAD {
                        let is_left_out = VOLATILE.iter().any(|volatile| self.head.starts_with(volatile));
                        if !is_left_out {
                            self.hash.update(&self.head);
                        }
                        self.head.clear();
                        self.is_left_out = (!ends).then_some(is_left_out);
                    }
                }
            }
        }
    }

    /// Returns the hash in hex.
    pub fn end(mut self) -> String {
        self.hash.update(&self.head);
        hex::encode(self.hash.finalize())
    }
}

/// Returns a file's SHA-256 in hex and its size in bytes.
pub(crate) fn file(path: &Path) -> std::io::Result<(String, u64)> {
    let mut from = std::fs::File::open(path)?;
    let (mut hash, mut bytes, mut buffer) = (Sha256::new(), 0, vec![0; 64 * 1024]);
    loop {
        match from.read(&mut buffer)? {
            0 => return Ok((hex::encode(hash.finalize()), bytes)),
            read => {
                hash.update(&buffer[..read]);
                bytes += read as u64;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(pieces: &[&str]) -> String {
        let mut digest = DumpHash::default();
        pieces.iter().for_each(|piece| digest.update(piece.as_bytes()));
        digest.end()
    }

    #[test]
    fn volatile_lines_do_not_count_however_the_input_is_split() {
        let text = "--\n\\restrict abc\n-- Dumped from 15\nCREATE TABLE x;\n\\unrestrict abc\nend";
        let other = text.replace("abc", "xyz").replace("15", "16");
        assert_eq!(hash(&[text]), hash(&[&other]));
        for cut in 0..text.len() {
            assert_eq!(hash(&[&text[..cut], &text[cut..]]), hash(&[text]), "cut at {cut}");
        }
        assert_ne!(hash(&[text]), hash(&[&text.replace("TABLE x", "TABLE y")]));
        assert_ne!(hash(&[text]), hash(&[&text.replace("end", "End")]));
        assert_eq!(hash(&["--\nCREATE TABLE x;\nend"]), hash(&[text]));
    }

    #[test]
    fn a_hanging_program_is_killed_and_a_failing_one_reports_why() {
        // Without the kill, the program would exit with success after 30 seconds.
        let ended = run(Command::new("sleep").arg("30"), Instant::now(), None).expect_err("killed");
        assert!(ended.is_late);
        let later = Instant::now() + Duration::from_secs(30);
        let failed = run(Command::new("sh").args(["-c", "echo no >&2; exit 1"]), later, None).expect_err("failed");
        assert_eq!(failed.message("sh"), "sh failed: no");
        let mut digest = DumpHash::default();
        run(Command::new("printf").arg("a\\nb"), later, Some(&mut digest)).expect("printed");
        assert_eq!(digest.end(), hash(&["a\nb"]));
    }
}
