//! The programs that make and read dumps. What they need to know they get by their environment, which only the same user reads;
//! arguments everybody on the machine reads.

use crate::config::Config;
use crate::failed::Failed;
use crate::servers::Server;
use crate::worker::Worker;
use host_provider_api::Secret;
use sha2::{Digest, Sha256};
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How often to look whether a program has ended.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Bytes of what a program complains of that are kept.
const SAID_MAX: u64 = 4 * 1024;
/// Characters of that which are told.
const TOLD_MAX: usize = 200;

/// A program that did not do what it was asked.
#[derive(Debug)]
pub(crate) struct Ended {
    /// It was ended, since it took too long.
    pub is_late: bool,
    said: String,
}

impl Ended {
    /// What to tell of it.
    pub fn told(&self, program: &str) -> String {
        let why = if self.is_late { "took too long" } else { "failed" };
        let first = self.said.lines().next().unwrap_or_default();
        format!("{program} {why}: {}", first.chars().take(TOLD_MAX).collect::<String>())
    }

    pub fn retry(&self, program: &str) -> Failed {
        Failed::retry("work-failed", self.told(program))
    }
}

/// `pg_dump` or `pg_restore`, knowing nothing yet.
pub(crate) fn program(config: &Config, name: &str) -> Command {
    let mut command = Command::new(config.programs.join(name));
    // A service or a password of the host's own user must not come in between.
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("LC_ALL", "C").current_dir("/");
    command.stdin(Stdio::null());
    command
}

/// The way to a database.
pub(crate) struct Way {
    pub host: String,
    pub port: u16,
    pub user: String,
    pub password: Secret,
    pub database: String,
    /// As whom things are done there, if not as the user.
    pub role: Option<String>,
    pub tls: bool,
}

impl Way {
    /// A tenant's database on a server of ours, with no more rights than the tenant has.
    pub fn to_tenant(server: &Server<'_>, worker: &Worker) -> Way {
        let (settings, names) = (server.settings, &worker.names);
        Way {
            host: settings.host.clone(),
            port: settings.port,
            user: names.worker.clone(),
            password: worker.password.clone(),
            database: names.database.clone(),
            role: Some(names.role.clone()),
            tls: settings.tls,
        }
    }

    /// `pg_dump` or `pg_restore`, of what stands in the schema `app`.
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

    /// A hash of what the database says, of a snapshot if one is given; and a file of it if one is wanted.
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
        let failed = |ended: Ended| ended.retry("pg_dump");
        if let Some(file) = file {
            run(program().arg("--format=custom").arg("--file").arg(file), until, None).map_err(failed)?;
        }
        let mut plain = Plain::default();
        run(&mut program(), until, Some(&mut plain)).map_err(failed)?;
        Ok(plain.end())
    }

    /// Brings what a file says into the database, all of it or nothing.
    pub fn fill(&self, config: &Config, file: &Path, until: Instant) -> Result<(), Failed> {
        let mut fill = self.program(config, "pg_restore");
        fill.args(["--single-transaction", "--exit-on-error", "--dbname", &self.database]).arg(file);
        run(&mut fill, until, None).map_err(|ended| ended.retry("pg_restore"))
    }
}

/// Runs a program to its end, which comes by `until`; what it prints goes into the digest.
pub(crate) fn run(command: &mut Command, until: Instant, digest: Option<&mut Plain>) -> Result<(), Ended> {
    let failed = |said: String| Ended { is_late: false, said };
    let printed = if digest.is_some() { Stdio::piped() } else { Stdio::null() };
    let child = command.stdout(printed).stderr(Stdio::piped()).spawn();
    let mut child = child.map_err(|error| failed(error.to_string()))?;
    let (out, err) = (child.stdout.take(), child.stderr.take());
    thread::scope(|scope| {
        let said = scope.spawn(move || {
            let mut said = Vec::new();
            if let Some(mut err) = err {
                // What is left is read too, else the program would wait for a reader.
                let _ = err.by_ref().take(SAID_MAX).read_to_end(&mut said);
                let _ = std::io::copy(&mut err, &mut std::io::sink());
            }
            String::from_utf8_lossy(&said).into_owned()
        });
        let read = scope.spawn(move || match (out, digest) {
            (Some(out), Some(digest)) => digest.read(out),
            _ => Ok(()),
        });
        let status = loop {
            match child.try_wait() {
                Ok(Some(status)) => break Some(status),
                Ok(None) if Instant::now() < until => thread::sleep(LOOK_EVERY),
                _ => {
                    // It may have ended by itself just now.
                    let _ = child.kill();
                    let _ = child.wait();
                    break None;
                }
            }
        };
        let read = read.join().unwrap_or_else(|_| Err(std::io::Error::other("its output can't be read")));
        let said = said.join().unwrap_or_default();
        match status {
            None => Err(Ended { is_late: true, said }),
            Some(status) if !status.success() => Err(failed(said)),
            Some(_) => read.map_err(|error| failed(error.to_string())),
        }
    })
}

/// Lines that differ from one dump of the same content to the next.
const PASSING: [&[u8]; 3] = [b"-- Dumped ", b"\\restrict ", b"\\unrestrict "];
/// Bytes of a line that tell whether it is one of those.
const HEAD: usize = 12;

/// A hash of what a dump in SQL says, without what differs each time.
#[derive(Default)]
pub(crate) struct Plain {
    hash: Sha256,
    /// The beginning of a line of which it is not known yet.
    head: Vec<u8>,
    /// In the middle of a line: whether it is left out.
    is_left_out: Option<bool>,
}

impl Plain {
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
                        let is_left_out = PASSING.iter().any(|passing| self.head.starts_with(passing));
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

    /// The hash, in hex.
    pub fn end(mut self) -> String {
        self.hash.update(&self.head);
        hex::encode(self.hash.finalize())
    }
}

/// SHA-256 of a file in hex, and its bytes.
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
        let mut plain = Plain::default();
        pieces.iter().for_each(|piece| plain.update(piece.as_bytes()));
        plain.end()
    }

    #[test]
    fn what_differs_from_dump_to_dump_does_not_count_however_it_is_cut() {
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
    fn a_program_that_does_not_end_is_ended_and_one_that_fails_says_why() {
        let soon = Instant::now() + Duration::from_millis(100);
        let ended = run(Command::new("sleep").arg("30"), soon, None).expect_err("ended");
        assert!(ended.is_late && Instant::now() < soon + Duration::from_secs(5));
        let later = Instant::now() + Duration::from_secs(30);
        let failed = run(Command::new("sh").args(["-c", "echo no >&2; exit 1"]), later, None).expect_err("failed");
        assert_eq!(failed.told("sh"), "sh failed: no");
        let mut plain = Plain::default();
        run(Command::new("printf").arg("a\\nb"), later, Some(&mut plain)).expect("printed");
        assert_eq!(plain.end(), hash(&["a\nb"]));
    }
}
