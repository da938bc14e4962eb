//! `cargo xtask test`: everything that must hold before a change goes in.

use crate::coverage::{self, Case, Passed};
use crate::groups::{Done, Groups};
use crate::tool::Tool;
use crate::{build, cargo_component, process};
use anyhow::Result;

/// Check everything: format, lints, the component, all tests, the fixtures, the local Stripe's clients, the providers on real
/// servers.
///
/// The groups run in order and the first that fails ends the run. The last lines of the summary tell what did not run,
/// or ran in part, and what is missing for it; with CI=true missing tools of cargo are installed. All is built in the development profile, which the
/// tests need anyway; only `build` and `replay` build for release. The properties tell the
/// same stories in every run; PROPTEST_CASES says how many others they tell.
#[derive(clap::Args)]
pub struct Options {
    /// Run these groups only.
    #[arg(value_name = "GROUP", value_parser = GROUPS.map(|(name, _)| name))]
    groups: Vec<String>,
    /// Leave out a client of the local Stripe's tests, where it cannot be installed; may be given more than once.
    #[arg(long, value_name = "NAME")]
    without: Vec<String>,
}

/// One run: what was asked for, and what its groups found out.
struct Run<'o> {
    options: &'o Options,
    passed: Option<Passed>,
    cases: Option<Vec<Case>>,
}

/// What a group does.
type Step = fn(&mut Run) -> Result<Done>;

/// The groups in order, quick ones first; what `tests` compiles serves those after it.
const GROUPS: [(&str, Step); 11] = [
    ("fmt", |_| whole(process::run(&mut process::cargo(["fmt", "--all", "--check"])))),
    ("clippy", |_| clippy()),
    ("component", |_| whole(build::component())),
    ("tests", tests),
    ("doc-tests", |_| whole(process::run(&mut process::cargo(["test", "--doc"])))),
    ("fixtures", fixtures),
    ("coverage", covered),
    ("cargo-component", |_| cargo_component::check()),
    ("deny", |_| deny()),
    ("clients", clients),
    ("providers", |_| providers()),
];

/// Run the chore.
pub fn run(options: &Options) -> Result<()> {
    let mut groups = Groups::default();
    let asked = |name: &str| options.groups.is_empty() || options.groups.iter().any(|group| group == name);
    let (wanted, others): (Vec<_>, Vec<_>) = GROUPS.into_iter().partition(|(name, _)| asked(name));
    let mut run = Run { options, passed: None, cases: None };
    let mut result = Ok(());
    for (at, (name, step)) in wanted.iter().enumerate() {
        result = groups.run_or_tell(name, || step(&mut run));
        if result.is_err() {
            groups.skipped(&names(&wanted[at + 1..]), &format!("`{name}` failed before"));
            break;
        }
    }
    let rest = names(&others);
    groups.skipped(&rest, &format!("not asked for; to run: cargo xtask test {}", rest.join(" ")));
    println!("\n{}", groups.summary());
    result
}

fn names(groups: &[(&'static str, Step)]) -> Vec<&'static str> {
    groups.iter().map(|(name, _)| *name).collect()
}

/// A step that either does all or fails.
fn whole<T>(result: Result<T>) -> Result<Done> {
    result.map(|_| Done::Whole)
}

/// The lints: of the default members, and of what is built apart from them.
fn clippy() -> Result<Done> {
    let apart = ["--package", "xtask", "--package", component_builder::PROVISIONER, "--package", "hostile-guest"];
    for packages in [&[][..], &apart] {
        let mut command = process::cargo(["clippy", "--all-targets"]);
        process::run(command.args(packages).args(["--", "--deny", "warnings"]))?;
    }
    Ok(Done::Whole)
}

/// All tests of the workspace.
fn tests(run: &mut Run) -> Result<Done> {
    run.passed = Some(coverage::tests()?);
    Ok(match coverage::objects() {
        Some(_) => Done::Whole,
        None => Done::InPart(format!(
            "the local Stripe was not held against Stripe's example objects; to do it: {}=FOLDER cargo xtask test tests",
            coverage::OBJECTS
        )),
    })
}

/// Every fixture through the component.
fn fixtures(run: &mut Run) -> Result<Done> {
    run.cases = Some(coverage::replay()?);
    Ok(Done::Whole)
}

/// Each id is shown by tests and cases; what no group before has run is run now.
fn covered(run: &mut Run) -> Result<Done> {
    let mut done = Done::Whole;
    if run.passed.is_none() {
        done = tests(run)?;
    }
    if run.cases.is_none() {
        fixtures(run)?;
    }
    if let (Some(passed), Some(cases)) = (&run.passed, &run.cases) {
        coverage::show(passed, cases)?;
    }
    Ok(done)
}

/// The tool that reads `deny.toml`.
const DENY: Tool = Tool { name: "cargo-deny", version: "0.20.2" };

/// Licences, sources and duplicates of the dependencies, where the tool is installed.
fn deny() -> Result<Done> {
    if let Some(missing) = DENY.missing()? {
        return Ok(Done::Nothing(missing));
    }
    whole(process::run(&mut DENY.command(["check", "bans", "licenses", "sources"])))
}

/// What does something in the world: crates apart from the others, since SDKs of clouds take minutes to compile.
const PROVIDERS: [&str; 9] = [
    "counterparts",
    "end-to-end",
    "host-aws",
    "host-http",
    "host-mail",
    "host-postgres",
    "host-health",
    "host-stripe",
    "host-supabase",
];

/// A command of cargo about them, in one set of features.
pub fn with_providers(command: &'static str) -> std::process::Command {
    let packages = PROVIDERS.iter().flat_map(|name| ["--package", *name]);
    process::cargo([command].into_iter().chain(packages).chain(["--features", "end-to-end/providers,host-mail/smtp"]))
}

/// Providers against real servers, lints and tests in one set of features. They install what they need.
fn providers() -> Result<Done> {
    process::run(with_providers("clippy").args(["--all-targets", "--", "--deny", "warnings"]))?;
    let targets = ["aws", "clouds", "exchange", "mail", "postgres", "probe", "provider", "proxy"];
    let mut test = with_providers("test");
    test.arg("--lib").args(targets.iter().flat_map(|name| ["--test", name]));
    whole(process::run(&mut test))
}

/// Real clients of Stripe against the local one. They install what they need.
fn clients(run: &mut Run) -> Result<Done> {
    // With the features that the tests had, so that only the local Stripe is compiled once more.
    let mut command = process::cargo(["test", "--features", "local-stripe/client-tests", "--test", "clients"]);
    let without = run.options.without.join(",");
    if without.is_empty() {
        return whole(process::run(&mut command));
    }
    process::run(command.env("LOCAL_STRIPE_WITHOUT", &without))?;
    Ok(Done::InPart(format!("without {without}; what they need: local-stripe/clients/README.md")))
}
