//! Plays what others wrote for Stripe: shops with better-auth and medusa, the examples of Stripe's reference, and localstripe's calls.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use local_stripe::server::{ClockMode, Options};
use local_stripe::settings::Settings;

use crate::{install, left_out, run, runtime, start, succeeds};

const LIMIT: Duration = Duration::from_secs(120);

/// Runs `clients/NAME/SCRIPT` against a server of its own, on the machine's time, which these shops compare with periods.
fn shop(name: &str, script: &str, passed: &str) {
    if left_out(name) {
        return;
    }
    let (runtime, home) = (runtime(), install::node(name));
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let settings = Settings { start_s: now.as_secs().try_into().unwrap(), ..Settings::default() };
    // Without retries, a failed delivery fails the test.
    let server =
        start(&runtime, Options { clock: ClockMode::Wall, retry_s: Vec::new(), settings, ..Options::default() });
    let mut command = Command::new("node");
    command.env("NODE_CLIENTS", home).arg(install::clients().join(name).join(script)).arg(server.url());
    let out = succeeds(&mut command, LIMIT);
    print!("{out}");
    assert!(out.contains(passed), "{out}");
}

#[test]
fn better_auth() {
    shop("better-auth", "shop.mjs", "every row right");
}

#[test]
fn medusa() {
    shop("medusa", "checkout.mjs", "all checks passed");
}

/// Compares lines with a file. `UPDATE_SUITES=1` rewrites the file.
fn compare(file: &Path, found: &str) {
    if std::env::var_os("UPDATE_SUITES").is_some() {
        std::fs::write(file, found).unwrap();
        return;
    }
    let known = std::fs::read_to_string(file).unwrap();
    let only = |these: &str, others: &str| -> Vec<String> {
        these.lines().filter(|line| !others.lines().any(|other| other == *line)).map(str::to_owned).collect()
    };
    assert!(
        known == found,
        "{} differs; UPDATE_SUITES=1 writes it.\nnew: {:#?}\ngone: {:#?}",
        file.display(),
        only(found, &known),
        only(&known, found)
    );
}

#[test]
fn stripe_python_examples() {
    if left_out("python") {
        return;
    }
    let (runtime, sources) = (runtime(), install::stripe_python_sources());
    let server = start(&runtime, Options::default());
    let clients = install::clients();
    let mut command = Command::new(counterparts::stripe_python());
    command.arg(clients.join("examples.py")).arg(server.url()).arg(sources.join("tests"));
    let output = run(&mut command, LIMIT);
    let (found, counts) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{counts}");
    print!("{counts}");
    compare(&clients.join("examples.txt"), &found);
}

#[test]
fn localstripe() {
    if left_out("localstripe") {
        return;
    }
    let (runtime, python) = (runtime(), install::python("localstripe"));
    let server = start(&runtime, Options::default());
    let folder = install::clients().join("localstripe");
    let found = succeeds(Command::new(python).arg(folder.join("calls.py")).arg(server.url()), LIMIT);
    compare(&folder.join("calls.txt"), &found);
}
