//! Runs every command that the README shows for `dist/provisioner`, with the program that `cargo xtask build` makes.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The options of commands that run until they are stopped, and the text that such a command prints once it serves. All
/// other commands end by themselves.
const SERVES: [(&str, &str); 2] = [("--keep", "served at"), ("stripe --port", "http://")];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Returns the command lines of the README, without their comments.
fn commands() -> Vec<String> {
    let text = std::fs::read_to_string(root().join("README.md")).expect("the README");
    let lines = text.lines().filter(|line| line.starts_with("dist/provisioner "));
    lines.map(|line| line.split(" #").next().unwrap_or_default().trim_end().to_owned()).collect()
}

fn start(line: &str) -> Command {
    let mut words = line.split_whitespace();
    let program = root().join(words.next().expect("a program"));
    let mut command = Command::new(program);
    command.args(words).current_dir(root()).stdin(Stdio::null());
    command
}

/// Runs a command until it prints `sign`, and stops it.
fn serve(line: &str, sign: &str) {
    let mut child = start(line).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
    let output = BufReader::new(child.stdout.take().expect("a pipe"));
    let errors = BufReader::new(child.stderr.take().expect("a pipe"));
    let errors = std::thread::spawn(move || errors.lines().map_while(Result::ok).collect::<Vec<_>>().join("\n"));
    let serves = output.lines().map_while(Result::ok).any(|text| text.contains(sign));
    child.kill().expect("the program can be stopped");
    child.wait().expect("the program has ended");
    assert!(serves, "{line} never prints `{sign}`: {}", errors.join().unwrap_or_default());
}

#[test]
#[ignore = "needs the program of `cargo xtask build`; `cargo xtask test full-host` makes and tests it"]
fn every_command_of_the_readme_works() {
    let commands = commands();
    assert!(commands.len() >= 6, "{commands:?}");
    for line in commands {
        match SERVES.iter().find(|(option, _)| line.contains(option)) {
            Some((_, sign)) => serve(&line, sign),
            None => {
                let output = start(&line).output().expect("the program starts");
                let errors = String::from_utf8_lossy(&output.stderr);
                assert!(output.status.success(), "{line}: {}{errors}", String::from_utf8_lossy(&output.stdout));
            }
        }
    }
}
