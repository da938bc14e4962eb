//! Runs the scripts that use Stripe's official libraries, and those that drive a browser.

use std::process::Command;
use std::time::Duration;

use local_stripe::server::Options;

use crate::{install, left_out, runtime, start, succeeds};

const LIMIT: Duration = Duration::from_secs(300);

#[test]
fn python() {
    if left_out("python") {
        return;
    }
    let runtime = runtime();
    let server = start(&runtime, Options::default());
    let out = succeeds(
        Command::new(counterparts::stripe_python()).arg(install::clients().join("story.py")).arg(server.url()),
        LIMIT,
    );
    print!("{out}");
    assert!(out.contains("all checks passed"), "{out}");
}

/// Compares the library's parameters with `src/params/stripe.txt`. After an update of the library, `UPDATE_PARAMETERS=1` rewrites the
/// file.
#[test]
fn parameters() {
    if left_out("python") {
        return;
    }
    let file = install::clients().join("../src/params/stripe.txt");
    let found =
        succeeds(Command::new(counterparts::stripe_python()).arg(install::clients().join("parameters.py")), LIMIT);
    if std::env::var_os("UPDATE_PARAMETERS").is_some() {
        std::fs::write(&file, found).unwrap();
        return;
    }
    let known = std::fs::read_to_string(&file).unwrap();
    let different = found.lines().zip(known.lines()).find(|(found, known)| found != known);
    assert!(found == known, "the library has other parameters; UPDATE_PARAMETERS=1 writes them: {different:?}");
}

#[test]
fn node() {
    if left_out("node") {
        return;
    }
    let runtime = runtime();
    let server = start(&runtime, Options::default());
    let mut command = Command::new("node");
    command
        .env("NODE_CLIENTS", counterparts::stripe_node())
        .arg(install::clients().join("story.mjs"))
        .arg(server.url());
    let out = succeeds(&mut command, LIMIT);
    print!("{out}");
    assert!(out.contains("all checks passed"), "{out}");
}

#[test]
fn chromium() {
    if left_out("chromium") {
        return;
    }
    let runtime = runtime();
    let server = start(&runtime, Options::default());
    let mut command = Command::new("node");
    command
        .env("NODE_CLIENTS", counterparts::stripe_node())
        .arg(install::clients().join("checkout.mjs"))
        .arg(server.url())
        .arg(counterparts::chromium());
    let out = succeeds(&mut command, LIMIT);
    print!("{out}");
    assert!(out.contains("both modes paid, declined, authenticated and left"), "{out}");
}

/// `UPDATE_SCREENSHOTS=1` rewrites the screenshots in the documentation.
#[test]
fn pages() {
    if left_out("chromium") {
        return;
    }
    let runtime = runtime();
    let server = start(&runtime, Options::default());
    let mut command = Command::new("node");
    command
        .env("NODE_CLIENTS", counterparts::stripe_node())
        .arg(install::clients().join("pages.mjs"))
        .arg(server.url())
        .arg(counterparts::chromium());
    if std::env::var_os("UPDATE_SCREENSHOTS").is_some() {
        command.arg(install::clients().join("../images"));
    }
    let out = succeeds(&mut command, LIMIT);
    print!("{out}");
    assert!(out.contains("axe-core found nothing"), "{out}");
}
