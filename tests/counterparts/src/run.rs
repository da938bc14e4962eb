//! Runs commands with a time limit.

use std::io::Read;
use std::process::{Command, Output, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Runs a command and waits for its exit. Kills the command and panics after `limit`.
pub fn run(command: &mut Command, limit: Duration) -> Output {
    let shown = format!("{command:?}");
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{shown}: {error}"));
    // The pipes are drained concurrently, so that the command can't block on a full pipe.
    let out = drain(child.stdout.take());
    let err = drain(child.stderr.take());
    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().expect("a child that was started can be asked") {
            break status;
        }
        if start.elapsed() > limit {
            // `kill` fails if the command has exited just now; the command is too late in any case.
            let _ = child.kill();
            let _ = child.wait();
            panic!("{shown} took longer than {limit:?}");
        }
        thread::sleep(Duration::from_millis(20));
    };
    let read = |pipe: JoinHandle<Vec<u8>>| pipe.join().expect("the reader of a pipe");
    Output { status, stdout: read(out), stderr: read(err) }
}

fn drain(pipe: Option<impl Read + Send + 'static>) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            pipe.read_to_end(&mut bytes).expect("a pipe that can be read");
        }
        bytes
    })
}

/// Runs a command that must succeed; returns its standard output.
pub fn succeeds(command: &mut Command, limit: Duration) -> String {
    let shown = format!("{command:?}");
    let output = run(command, limit);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{shown}: {}\n{out}\n{err}", output.status);
    out
}
