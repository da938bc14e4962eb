//! `cargo xtask test`: everything that must hold before a change goes in.

use crate::groups::Groups;
use crate::{build, cargo_component, process};
use anyhow::Result;
use std::process::Command;

/// Check everything: format, lints, the component, all tests, the fixtures, the local Stripe's clients.
///
/// The groups run in order and the first that fails ends the run. All is built in the development profile, which the
/// tests need anyway; only `build` and `replay` build for release. PROPTEST_CASES raises the budget of the property
/// tests.
#[derive(clap::Args)]
pub struct Options {
    /// Run these groups only.
    #[arg(value_name = "GROUP", value_parser = GROUPS.map(|(name, _)| name))]
    groups: Vec<String>,
    /// Leave out a client of the local Stripe's tests, where it cannot be installed; may be given more than once.
    #[arg(long, value_name = "NAME")]
    without: Vec<String>,
}

/// What a group does.
type Step = fn(&Options) -> Result<()>;

/// The groups in order, quick ones first.
const GROUPS: [(&str, Step); 9] = [
    ("fmt", |_| process::run(&mut process::cargo(["fmt", "--all", "--check"]))),
    ("clippy", |_| {
        process::run(&mut process::cargo(["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"]))
    }),
    ("component", |_| build::component().map(|_| ())),
    ("tests", |_| {
        // Built as programs first: some tests start an example, which `--examples` would make a test of.
        build::debug_host()?;
        process::run(&mut process::cargo(["test", "--workspace", "--lib", "--bins", "--tests"]))
    }),
    ("doc-tests", |_| process::run(&mut process::cargo(["test", "--workspace", "--doc"]))),
    ("fixtures", |_| fixtures()),
    ("cargo-component", |_| cargo_component::run(&cargo_component::Options {})),
    ("deny", |_| deny()),
    ("clients", clients),
];

/// Run the chore.
pub fn run(options: &Options) -> Result<()> {
    let mut groups = Groups::default();
    let wanted = |name: &str| options.groups.is_empty() || options.groups.iter().any(|group| group == name);
    let result =
        GROUPS.iter().filter(|(name, _)| wanted(name)).try_for_each(|(name, step)| groups.run(name, || step(options)));
    println!("\n{}", groups.summary());
    result
}

/// Replay every fixture through the component and show that each id is covered.
fn fixtures() -> Result<()> {
    let component = build::component()?;
    let mut command = Command::new(build::debug_host()?);
    command.current_dir(component_builder::workspace_root());
    command.args(["replay", "--coverage", "--component"]).arg(&component).arg("fixtures");
    process::run(&mut command)
}

/// Licences, sources and duplicates of the dependencies, where the tool is installed.
fn deny() -> Result<()> {
    if !process::succeeds(&mut process::cargo(["deny", "--version"])) {
        println!("not checked: cargo-deny is not installed; to install it: cargo install cargo-deny --locked");
        return Ok(());
    }
    process::run(&mut process::cargo(["deny", "check", "bans", "licenses", "sources"]))
}

/// Real clients of Stripe against the local one. They install what they need.
fn clients(options: &Options) -> Result<()> {
    let mut command = process::cargo(["test", "--package", "local-stripe", "--features", "client-tests"]);
    if !options.without.is_empty() {
        command.env("LOCAL_STRIPE_WITHOUT", options.without.join(","));
    }
    process::run(&mut command)
}
