//! Runs the command in a separate process, which tests can kill.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use local_stripe::settings::START_S;

use crate::client::Client;

/// Returns the command line of the example `local-stripe`, which cargo builds with the tests.
fn command(state: &Path, more: &[&str]) -> Command {
    let mut path: PathBuf = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    let mut command = Command::new(path.join("examples").join("local-stripe"));
    command.args(["--port", "0", "--state"]).arg(state).args(more);
    command
}

/// Starts a command that must fail, and returns its error message.
pub fn refusal(state: &Path, more: &[&str]) -> String {
    let mut child = command(state, more).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (mut line, mut words) = (String::new(), String::new());
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    // A server that started wrongly must not run on.
    child.kill().unwrap();
    child.stderr.take().unwrap().read_to_string(&mut words).unwrap();
    let started = child.wait().unwrap().success();
    assert!(line.is_empty() && !started, "it started: {line}");
    words
}

pub struct Running {
    child: Child,
    pub client: Client,
}

/// Starts the command with a clock that stands still, so that the same calls give the same objects.
pub fn start(state: &Path) -> Running {
    start_with(state, &["--seed", "5", "--clock", &START_S.to_string()])
}

pub fn start_with(state: &Path, more: &[&str]) -> Running {
    run(state, more, Stdio::inherit())
}

/// Starts a command whose messages the test reads with [`Running::messages`].
pub fn start_heard(state: &Path, more: &[&str]) -> Running {
    run(state, more, Stdio::piped())
}

fn run(state: &Path, more: &[&str], messages: Stdio) -> Running {
    let mut child = command(state, more).stdout(Stdio::piped()).stderr(messages).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let url = line.trim().strip_prefix("listening on ").unwrap_or_else(|| panic!("{line}")).to_owned();
    Running { child, client: Client::new(&url) }
}

impl Running {
    /// Stops the process, and returns its messages.
    pub fn messages(mut self) -> String {
        self.child.kill().unwrap();
        let mut words = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut words).unwrap();
        words
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // SIGKILL: the process can't write anything more.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
