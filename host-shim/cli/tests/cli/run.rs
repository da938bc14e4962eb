//! Runs the program, and makes the inputs that several tests use.

use serde_json::{Value, json};
use std::ffi::OsStr;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

pub use test_support::{fixtures, in_business};

/// The secrets key of the tests.
pub const SECRETS_KEY: (&str, &str) =
    ("PROVISIONER_SECRETS_KEY", "1111111111111111111111111111111111111111111111111111111111111111");

/// The result of a run.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    /// Returns the result of a process that has ended.
    pub fn of(output: Output) -> Ran {
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        let code = output.status.code().expect("an exit code");
        Ran { code, stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// Returns the lines of stdout, each of which must be a JSON object.
    pub fn lines(&self) -> Vec<Value> {
        self.stdout.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
    }

    /// Returns the last line's summary.
    pub fn summary(&self) -> Value {
        self.lines().last().expect("a summary")["summary"].clone()
    }
}

/// Makes a folder with the built component; returns the folder and the path of the component.
pub fn component() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("component.wasm");
    let bytes = component_builder::build(component_builder::PROVISIONER).expect("a built component");
    std::fs::write(&file, bytes).expect("written");
    (folder, file.display().to_string())
}

/// Runs the program with standard input.
pub fn run(args: &[impl AsRef<OsStr>], stdin: &[u8]) -> Ran {
    run_with(args, stdin, &[])
}

/// Runs the program with standard input and environment variables.
pub fn run_with(args: &[impl AsRef<OsStr>], stdin: &[u8], environment: &[(&str, &str)]) -> Ran {
    let mut child = Command::new(env!("CARGO_BIN_EXE_provisioner"))
        .args(args)
        .env_remove("NO_COLOR")
        .envs(environment.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut pipe = child.stdin.take().expect("a pipe");
    let bytes = stdin.to_owned();
    // The write fails if the program has refused its arguments and closed the pipe.
    let writer = std::thread::spawn(move || drop(pipe.write_all(&bytes)));
    let output = child.wait_with_output().expect("the program ends");
    writer.join().expect("written");
    Ran::of(output)
}

/// Runs `provisioner replay --native` with further arguments.
pub fn replay(args: &[&str], stdin: &[u8]) -> Ran {
    let mut all = vec!["replay", "--native"];
    all.extend(args);
    run(&all, stdin)
}

fn body(name: &str) -> Value {
    let file = fixtures().join("stripe/2025-03-31.basil").join(format!("{name}.json"));
    serde_json::from_str(&std::fs::read_to_string(file).expect("a base body")).expect("JSON")
}

fn event(id: &str, kind: &str, object: Value) -> Value {
    let mut event = body("event");
    event["id"] = json!(id);
    event["type"] = json!(kind);
    event["data"]["object"] = object;
    event
}

/// Returns the event of user `u1`'s subscription to the plan Hobby.
pub fn subscription(id: &str) -> Value {
    let mut object = body("subscription");
    object["metadata"]["user_id"] = json!("u1");
    object["items"]["data"][0]["price"]["id"] = json!("price_xyz789");
    object["items"]["data"][0]["plan"]["id"] = json!("price_xyz789");
    event(id, "customer.subscription.created", object)
}

/// Returns the event of that subscription's paid invoice, which does not name the user.
pub fn invoice(id: &str) -> Value {
    let mut object = body("invoice");
    object["lines"]["data"][0]["pricing"]["price_details"]["price"] = json!("price_xyz789");
    for amount in ["amount_due", "amount_paid", "subtotal", "total"] {
        object[amount] = json!(500);
    }
    object["lines"]["data"][0]["amount"] = json!(500);
    event(id, "invoice.paid", object)
}

/// Returns events as JSON lines.
pub fn lines(events: &[Value]) -> Vec<u8> {
    events.iter().flat_map(|event| format!("{event}\n").into_bytes()).collect()
}

/// Copies a folder with all files in it.
pub fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let (kind, to) = (entry.file_type().expect("a kind"), to.join(entry.file_name()));
        if kind.is_dir() {
            copy_folder(&entry.path(), &to);
        } else if kind.is_file() {
            std::fs::copy(entry.path(), to).expect("copied");
        }
    }
}
