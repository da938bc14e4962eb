//! `cargo xtask test`: runs all checks that must pass before a change is merged.

mod fixtures;
mod inputs;
pub mod programs;
mod run;

pub use run::Passed;

use crate::groups::{Done, Groups};
use crate::packages;
use crate::tool::Tool;
use crate::{bench, build, cargo_component, notes, package, process};
use anyhow::{Context, Result, anyhow};
use std::path::PathBuf;
use std::process::Command;
use std::thread;

/// Check everything that needs no other server: format, lints, all tests, every fixture through the component, and which
/// requirement each test covers.
///
/// Takes 18 to 40 minutes on two cores the first time, and three after a change of the extension: test programs whose inputs did not
/// change are skipped, which the output says. `--all` adds real clients, and the commands of the README. What takes long for what it finds runs
/// once a week, or when it is named: every page at two widths in two colour schemes, the Debian package on a machine with systemd, providers and
/// the five businesses on real servers, the block for a Solobase platform, full counts of properties and kills, the files for GitHub and
/// Grafana, `cargo component`, `cargo deny` and a short benchmark. The last lines name what was left out and how to run it.
///
/// Groups run in order, and the first group that fails ends the run. Property tests try the same cases in every run; PROPTEST_CASES=NUMBER
/// makes them try this number of random cases.
#[derive(clap::Args)]
pub struct Options {
    /// Run these groups only.
    #[arg(value_name = "GROUP", value_parser = GROUPS.map(|group| group.name))]
    groups: Vec<String>,
    /// Run the groups that take longer, too.
    #[arg(long)]
    all: bool,
    /// Leave out a client of the local Stripe's tests that cannot be installed; may be given more than once.
    #[arg(long, value_name = "NAME")]
    without: Vec<String>,
}

impl Options {
    /// With `--all`, everything that any group needs is compiled at once.
    fn extent(&self) -> Extent {
        if self.all { Extent::Full } else { Extent::Plain }
    }
}

/// Returns the path of a file that the last run saved for `cargo xtask coverage`: `passed.json` or `cases.jsonl`.
pub fn kept(name: &str) -> PathBuf {
    run::folder().join(name)
}

/// A group of checks.
struct Group {
    name: &'static str,
    when: When,
    step: fn(&Options) -> Result<Done>,
}

/// When a group runs. Every group also runs if its name is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    /// In every run.
    Always,
    /// With `--all`.
    InAll,
    /// Only if the group is named: it takes long, and seldom finds anything that the others do not.
    Weekly,
}

/// The groups in order.
const GROUPS: [Group; 19] = [
    group("fmt", When::Always, |_| whole(process::run(&mut process::cargo(["fmt", "--all", "--check"])))),
    group("tests", When::Always, tests),
    group("fixtures", When::Always, |options| whole(fixtures::replay(&host(options.extent())?))),
    group("coverage", When::Always, |_| coverage()),
    group("guests", When::InAll, |_| guests()),
    group("doc-tests", When::InAll, |_| {
        whole(process::run(&mut process::cargo(["test", "--doc", "--package", "extension-reader"])))
    }),
    group("full-host", When::InAll, |_| full_host()),
    group("clients", When::InAll, clients),
    group("pages", When::Weekly, |_| pages()),
    group("package", When::Weekly, |_| package()),
    group("providers", When::Weekly, |_| providers()),
    group("block", When::Weekly, |_| block()),
    group("clouds", When::Weekly, |_| clouds()),
    group("async-stripe", When::Weekly, |_| {
        ignored(&compile(Extent::Full)?, "local-stripe", "clients", &["async_stripe"])
    }),
    group("full-counts", When::Weekly, |_| full_counts()),
    group("workflows", When::Weekly, |_| workflows()),
    group("cargo-component", When::Weekly, |_| cargo_component::check()),
    group("deny", When::Weekly, |_| deny()),
    group("bench", When::Weekly, |_| short_bench()),
];

const fn group(name: &'static str, when: When, step: fn(&Options) -> Result<Done>) -> Group {
    Group { name, when, step }
}

/// Runs the command.
///
/// # Errors
///
/// Fails with the error of the first group that fails.
pub fn run(options: &Options) -> Result<()> {
    let mut groups = Groups::default();
    let is_wanted = |group: &Group| match options.groups.is_empty() {
        true => group.when == When::Always || options.all && group.when != When::Weekly,
        false => options.groups.iter().any(|name| name == group.name),
    };
    let (wanted, others): (Vec<_>, Vec<_>) = GROUPS.iter().partition(|group| is_wanted(group));
    let mut result = Ok(());
    for (at, group) in wanted.iter().enumerate() {
        result = groups.run_or_tell(group.name, || (group.step)(options));
        if result.is_err() {
            groups.skipped(&names(&wanted[at + 1..]), &format!("`{}` failed before", group.name));
            break;
        }
    }
    let rest = names(&others);
    groups.skipped(&rest, &format!("not asked for; to run them: cargo xtask test {}", rest.join(" ")));
    println!("\n{}", groups.summary());
    result
}

fn names(groups: &[&Group]) -> Vec<&'static str> {
    groups.iter().map(|group| group.name).collect()
}

/// Converts the result of a step that does all of its work or fails.
fn whole<T>(result: Result<T>) -> Result<Done> {
    result.map(|_| Done::Whole)
}

/// Features of the tests: the extension as a library.
pub const FEATURES: &str = "provisioner/native";
/// Arguments that compile `xtask` with all of its programs and tests.
const OF_XTASK: [&str; 4] = ["--package", "xtask", "--features", "xtask/coverage,xtask/pack"];
/// Tests of one program that the group `full-counts` runs with higher counts.
struct FullCount {
    package: &'static str,
    target: &'static str,
    /// Environment variables with the counts.
    variables: &'static [(&'static str, &'static str)],
    /// Prefixes of the paths of the tests that read the variables.
    tests: &'static [&'static str],
}

/// Full counts of tests that a plain run repeats less often: with random stories, stories with failures, exported
/// accounts, pairs of mistakes in a catalog, connections, and killed processes.
const FULL_COUNTS: [FullCount; 7] = [
    FullCount {
        package: "end-to-end",
        target: "all",
        variables: &[("ONE_STORY_IN", "4")],
        tests: &[
            "businesses::",
            "properties::",
            "providers::killed::",
            "saga::",
            "tesslate::credits::",
            "tesslate::splits::",
        ],
    },
    FullCount {
        package: "end-to-end",
        target: "all",
        variables: &[("ONE_STORY_IN", "1")],
        tests: &["over_http::every_scenario_of_the_fixtures"],
    },
    FullCount {
        package: "host-explore",
        target: "all",
        variables: &[("ONE_STORY_IN", "8")],
        tests: &["explore::fixtures::no_law_breaks_when_provider_calls_fail_and_the_host_is_killed"],
    },
    FullCount {
        package: "host-explore",
        target: "all",
        variables: &[("ONE_STORY_IN", "3")],
        tests: &["record::fixtures::"],
    },
    FullCount {
        package: "host-replay",
        target: "all",
        variables: &[("ONE_PAIR_IN", "3"), ("ONE_STORY_IN", "1")],
        tests: &["all_mistakes::", "catalog_schema::"],
    },
    FullCount {
        package: "provisioner",
        target: "cli",
        variables: &[("CONNECTIONS", "10000"), ("HOST_KILLS", "20"), ("KILLS", "60")],
        tests: &[
            "kill::",
            "serve::connections::",
            "serve::several_hosts::",
            "serve::what_a_server_has_acknowledged_survives_kills",
        ],
    },
    FullCount { package: "local-stripe", target: "http", variables: &[("KILLS", "60")], tests: &["state::"] },
];
/// Environment variable with the folder of Stripe's example objects, which are not part of the repository. If it is
/// set, a test of the local Stripe compares its objects with them.
const OBJECTS: &str = "STRIPE_OBJECTS";

/// Compiles and lints everything, and runs all tests that need no other program.
fn tests(options: &Options) -> Result<Done> {
    let packages = packages::all()?;
    let (mut compiled, component) = started(options.extent())?;
    compiled.tests.retain(|program| !needs_others(program));
    // `xtask` is compiled separately: with the feature `coverage` it uses the crates that macros use, but with different features. If
    // everything were compiled together, every macro would be compiled again.
    compiled.add(programs::compile(&OF_XTASK, &packages)?);
    let summary = run::run(&compiled, &packages, component)?;
    run::keep(&summary.passed)?;
    Ok(match std::env::var_os(OBJECTS).filter(|folder| !folder.is_empty()) {
        Some(_) => Done::Whole,
        None => Done::InPart(format!(
            "the local Stripe was not compared with Stripe's example objects; to do it: {OBJECTS}=FOLDER cargo xtask test tests"
        )),
    })
}

/// Runs the tests of [`FULL_COUNTS`] with their counts.
fn full_counts() -> Result<Done> {
    let (mut compiled, component) = started(Extent::Plain)?;
    compiled.tests = with_full_counts(&compiled.tests)?;
    whole(run::run(&compiled, &packages::all()?, component))
}

/// Returns the programs of [`FULL_COUNTS`], with their counts and tests.
fn with_full_counts(programs: &[programs::Program]) -> Result<Vec<programs::Program>> {
    let with = |full: &FullCount| {
        let is_it =
            |program: &&programs::Program| program.package == full.package && program.target.name == full.target;
        let program =
            programs.iter().find(is_it).with_context(|| format!("no test program {} {}", full.package, full.target))?;
        Ok(programs::Program { variables: full.variables.to_vec(), only: full.tests, ..program.clone() })
    };
    FULL_COUNTS.iter().map(with).collect()
}

/// Returns the path of the host that the tests were compiled with. Compiles the host if needed.
fn host(extent: Extent) -> Result<PathBuf> {
    let (compiled, _) = started(extent)?;
    compiled.binary("provisioner", "provisioner").map(PathBuf::from).context("cargo built no provisioner")
}

/// Lists which requirements are covered, with the program that the group `tests` compiles.
fn coverage() -> Result<Done> {
    let compiled = programs::compile(&OF_XTASK, &packages::all()?)?;
    let program = compiled.binary("xtask", "coverage").context("cargo built no coverage")?;
    whole(process::run(&mut Command::new(program)))
}

/// Lints the crates that become components. They are compiled for WebAssembly but linted for this machine.
fn guests() -> Result<Done> {
    let packages = ["--package", component_builder::PROVISIONER, "--package", "hostile-guest"];
    whole(process::run(process::cargo(["clippy"]).args(packages).args(["--", "--deny", "warnings"])))
}

/// The tool that reads `deny.toml`.
const DENY: Tool = Tool { name: "cargo-deny", version: "0.20.2" };

/// Checks licences, sources and duplicates of the dependencies, if the tool is installed.
fn deny() -> Result<Done> {
    if let Some(missing) = DENY.missing()? {
        return Ok(Done::Nothing(missing));
    }
    whole(process::run(&mut DENY.command(["check", "bans", "licenses", "sources"])))
}

/// How much cargo compiles. Each extent includes the previous one. A dependency is compiled once for all of them, since they request the
/// same features (`xtask/shared-features`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Extent {
    /// What a plain run needs.
    Plain,
    /// Also the tests that start real clients.
    Full,
    /// Also the cloud SDKs, which take minutes to compile, the block for a Solobase platform, the stand-in for the platform's host, and the
    /// program for instances.
    Whole,
}

/// Crates of the block for a Solobase platform, and the stand-in for the platform's host.
const OF_BLOCK: [&str; 2] = ["host-block", "solobase-host"];

impl Extent {
    /// Returns the cargo arguments that select its packages and features.
    ///
    /// # Errors
    ///
    /// Fails if cargo can't read a manifest.
    pub fn selection(self) -> Result<Vec<String>> {
        let mut packages = packages::default_members()?;
        let mut features = vec![FEATURES];
        if self >= Extent::Full {
            packages.push("counterparts".into());
            features.push("local-stripe/client-tests");
        }
        if self == Extent::Whole {
            packages.extend(OF_BLOCK.map(str::to_owned));
            features.extend(["end-to-end/providers", "notes/lambda", "provisioner/aws"]);
        }
        let packages = packages.into_iter().flat_map(|name| ["--package".to_owned(), name]);
        Ok(packages.chain(["--features".to_owned(), features.join(",")]).collect())
    }
}

/// Compiles and lints all programs and tests of an extent in one pass. Also returns the step that waits for the component and puts it into
/// `dist`.
fn started(extent: Extent) -> Result<(programs::Compiled, impl FnOnce() -> Result<()> + Send)> {
    let module = build::start_module();
    let selection = extent.selection()?;
    let selection: Vec<&str> = selection.iter().map(String::as_str).collect();
    let compiled = programs::compile(&selection, &packages::all()?)?;
    let encoder = compiled.binary("component-builder", build::ENCODER).context("cargo built no encode-component")?;
    let encoder = encoder.to_owned();
    Ok((compiled, move || build::encode(&encoder, &build::finish_module(module)?).map(drop)))
}

/// Compiles and lints all programs and tests of an extent, and puts the component and the host into `dist`.
///
/// # Errors
///
/// Fails if something does not compile, or a lint warns.
pub fn compile(extent: Extent) -> Result<programs::Compiled> {
    let (compiled, component) = started(extent)?;
    component()?;
    build::install_program(compiled.binary("provisioner", "provisioner").context("cargo built no provisioner")?)?;
    Ok(compiled)
}

/// Test programs that install and start other programs, by crate.
const WITH_OTHERS: [(&str, &str); 4] =
    [("counterparts", "proxy"), ("end-to-end", "clouds"), ("host-providers", "servers"), ("local-stripe", "clients")];

/// Returns true for a program that the group `tests` leaves to others.
fn needs_others(program: &programs::Program) -> bool {
    let is_it = |(package, target): &(&str, &str)| program.package == *package && program.target.name == *target;
    OF_BLOCK.contains(&program.package.as_str()) || WITH_OTHERS.iter().any(is_it)
}

/// Tests the providers on real servers, which the tests install and start.
fn providers() -> Result<Done> {
    let mut compiled = compile(Extent::Whole)?;
    compiled.tests.retain(|program| {
        needs_others(program) && ["counterparts", "host-providers"].contains(&program.package.as_str())
    });
    whole(run::run(&compiled, &packages::all()?, || Ok(())))
}

/// Plays the stories of the five businesses on real servers and stand-ins for clouds, with the program for instances run as on AWS Lambda.
fn clouds() -> Result<Done> {
    if !notes::is_possible() {
        return Ok(Done::Nothing("the program of instances is built on Linux on x86_64".into()));
    }
    notes::build_for_tests()?;
    let mut compiled = compile(Extent::Whole)?;
    compiled.tests.retain(|program| program.package == "end-to-end" && program.target.name == "clouds");
    whole(run::run(&compiled, &packages::all()?, || Ok(())))?;
    ignored(&compile(Extent::Whole)?, "provisioner", "cli", &["serve::sources"])
}

/// Runs every command of the README, tries local mode, and fills a disk.
fn full_host() -> Result<Done> {
    let compiled = compile(Extent::Full)?;
    ignored(&compiled, "provisioner", "readme", &[])?;
    ignored(&compiled, "provisioner", "local_mode", &[])?;
    ignored(&compiled, "provisioner", "cli", &["serve::full_disk"])
}

/// Builds the block, and tests it on a stand-in for a Solobase platform: its store, every scenario of one business, a kill at each call of
/// a service, and moving all data to `provisioner` and back.
fn block() -> Result<Done> {
    let built = thread::spawn(component_builder::block);
    let compiled = compile(Extent::Whole);
    built.join().map_err(|_| anyhow!("the build of the block panicked"))??;
    for program in compiled?.tests.iter().filter(|program| OF_BLOCK.contains(&program.package.as_str())) {
        process::run(program.command().arg("--include-ignored"))?;
    }
    Ok(Done::Whole)
}

/// Checks every state of the stories in a browser at two widths in two colour schemes; a plain run checks one combination.
fn pages() -> Result<Done> {
    ignored(&compile(Extent::Full)?, "provisioner", "cli", &["serve::pages"])
}

/// Builds the Debian package with the full host, and follows `docs/operate/deploying.md` on a separate Debian machine.
fn package() -> Result<Done> {
    if let Some(reason) = package::untestable() {
        return Ok(Done::Nothing(reason));
    }
    compile(Extent::Whole)?;
    package::make(package::Size::Large)?;
    ignored(&of_xtask()?, "xtask", "package", &[])
}

/// Measures a short stream of webhooks on both stores, and the JSON reader, with the programs that `tests` compiles. They are not
/// optimised, so the figures mean nothing, but a wrong answer or a missing row fails.
fn short_bench() -> Result<Done> {
    let compiled = compile(Extent::Plain)?;
    let program = compiled.binary("host-bench", "host-bench").context("cargo built no host-bench")?;
    let server = compiled.binary("provisioner", "provisioner").context("cargo built no provisioner")?;
    let args = ["--quick", "--only", "http", "--without-peers"];
    whole(process::run(bench::command(program, server, &build::dist_component()).args(args)))
}

/// Tests the files that other programs read: GitHub Actions, Terraform, Prometheus and Grafana.
fn workflows() -> Result<Done> {
    ignored(&of_xtask()?, "xtask", "workflows", &[])
}

/// Compiles `xtask` with its tests, as the group `tests` does.
fn of_xtask() -> Result<programs::Compiled> {
    programs::compile(&OF_XTASK, &packages::all()?)
}

/// Runs the ignored tests of one program, or if `names` are given, only those whose path contains one of them.
fn ignored(compiled: &programs::Compiled, package: &str, target: &str, names: &[&str]) -> Result<Done> {
    whole(process::run(command(compiled, package, target)?.arg("--ignored").args(names)))
}

/// Returns the command that runs a test program.
fn command(compiled: &programs::Compiled, package: &str, target: &str) -> Result<Command> {
    let is_it = |program: &&programs::Program| program.package == package && program.target.name == target;
    let program = compiled.tests.iter().find(is_it).with_context(|| format!("cargo built no test program {target}"))?;
    Ok(program.command())
}

/// Tests the server with real Stripe clients, compilers, and a client of an image registry, then the local Stripe with real clients. The
/// tests install the clients.
fn clients(options: &Options) -> Result<Done> {
    let without = options.without.join(",");
    let compiled = compile(Extent::Full)?;
    let mut server = command(&compiled, "provisioner", "cli")?;
    server.args(["--ignored", "serve::clients", "serve::api_clients", "serve::oidc", "serve::pull"]);
    for mut command in [server, command(&compiled, "local-stripe", "clients")?] {
        process::run(command.env("LOCAL_STRIPE_WITHOUT", &without))?;
    }
    if without.is_empty() {
        return Ok(Done::Whole);
    }
    Ok(Done::InPart(format!("without {without}; what they need: local-stripe/clients/README.md")))
}

#[cfg(test)]
mod tests {
    use super::{GROUPS, When, names};

    #[test]
    fn the_weekly_workflow_runs_the_weekly_groups() {
        let weekly: Vec<_> = GROUPS.iter().filter(|group| group.when == When::Weekly).collect();
        let line = format!("run: CI=true cargo xtask test {}", names(&weekly).join(" "));
        let workflow = include_str!("../../.github/workflows/weekly.yml");
        assert!(workflow.lines().any(|found| found.trim() == line), "{line}");
    }
}
