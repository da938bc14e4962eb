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
use anyhow::{Context, Result, anyhow, bail};
use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;

/// Check everything that needs no other server: format, lints, all tests, every fixture through the component, and which
/// requirement each test covers.
///
/// Takes 18 to 40 minutes on two cores the first time, and three after a change of the extension: test programs whose inputs did not
/// change are skipped, which the output says. `--all` adds what takes longer: real clients of the local Stripe, providers on real servers, the
/// full host, the Debian package on a machine with systemd, and the block for a Solobase platform. What takes long for what it finds runs once
/// a week, or when it is named: full counts of properties and kills, the files for GitHub and Grafana, `cargo component`, `cargo deny` and a short benchmark. The last lines
/// name what was left out and how to run it.
///
/// Groups run in order, and the first group that fails ends the run. With `--all`, groups that mostly compile run beside groups that mostly
/// wait for browsers and servers; their output follows at the end. Property tests try the same cases in every run; PROPTEST_CASES=NUMBER makes
/// them try this number of random cases.
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

/// Returns the path of a file that the last run kept for `cargo xtask coverage`: `passed.json` or `cases.jsonl`.
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
    /// With `--all`, beside the groups that run in order. Such a group mostly compiles, while the others mostly wait.
    Beside,
    /// With `--all`, after all others: tests of the group have time limits of a second.
    Alone,
    /// Only if the group is named: it takes long, and seldom finds what the others do not.
    Weekly,
}

/// The groups in order. Groups after `coverage` use the programs of [`everything`].
const GROUPS: [Group; 18] = [
    group("fmt", When::Always, |_| whole(process::run(&mut process::cargo(["fmt", "--all", "--check"])))),
    group("tests", When::Always, |_| tests()),
    group("fixtures", When::Always, |_| whole(fixtures::replay(&host()?))),
    group("coverage", When::Always, |_| coverage()),
    group("compile", When::InAll, |_| whole(everything())),
    group("clients", When::InAll, clients),
    group("full-host", When::InAll, |_| full_host()),
    group("package", When::InAll, |_| package()),
    group("notes", When::Beside, |_| notes()),
    group("block", When::Beside, |_| block()),
    group("guests", When::Beside, |_| guests()),
    group("doc-tests", When::Beside, |_| {
        whole(process::run(&mut process::cargo(["test", "--doc", "--package", "extension-reader"])))
    }),
    group("providers", When::Alone, |_| providers()),
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
    let splits = options.all && options.groups.is_empty();
    let (aside, in_order): (Vec<_>, Vec<_>) =
        wanted.into_iter().partition(|group| splits && group.when == When::Beside);
    let mut waiting = names(&aside);
    let mut beside = None;
    let mut result = Ok(());
    for (at, group) in in_order.iter().enumerate() {
        if let Some(beside) = beside.take_if(|_| group.when == When::Alone) {
            result = groups.run("beside", || Beside::end(beside));
        }
        if result.is_ok() {
            result = groups.run_or_tell(group.name, || (group.step)(options));
        }
        if result.is_err() {
            let rest = [names(&in_order[at + 1..]), std::mem::take(&mut waiting)].concat();
            groups.skipped(&rest, &format!("`{}` failed before", group.name));
            break;
        }
        // The other groups use what this one has compiled.
        if group.name == "compile" && !waiting.is_empty() {
            beside = Some(Beside::start(&std::mem::take(&mut waiting))?);
        }
    }
    if let Some(beside) = beside {
        // A group in order has failed, and the output of the others may say more.
        result = result.and(groups.run("beside", || beside.end()));
    }
    let rest = names(&others);
    groups.skipped(&rest, &format!("not asked for; to run them: cargo xtask test {}", rest.join(" ")));
    println!("\n{}", groups.summary());
    result
}

/// Groups that another process of this program runs.
struct Beside {
    process: Child,
    /// The file with its output, which is printed whole at the end.
    output: PathBuf,
}

impl Beside {
    fn start(names: &[&str]) -> Result<Beside> {
        eprintln!("== beside the next groups: {}", names.join(", "));
        let output = run::folder().join("beside.txt");
        let file = File::create(&output).with_context(|| format!("cannot write {}", output.display()))?;
        // Not `current_exe`: what was compiled meanwhile has replaced the file of this process.
        let program = std::env::args_os().next().context("the path of this program is not known")?;
        let mut command = Command::new(program);
        command.arg("test").args(names).stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        let process = command.spawn().context("cannot start this program again")?;
        Ok(Beside { process, output })
    }

    /// Waits for the end of the groups and prints their output.
    fn end(mut self) -> Result<()> {
        let status = self.process.wait()?;
        let mut output = File::open(&self.output)?;
        std::io::copy(&mut output, &mut std::io::stdout())?;
        if !status.success() {
            bail!("a group that ran beside the others failed; its output is above");
        }
        Ok(())
    }
}

fn names(groups: &[&Group]) -> Vec<&'static str> {
    groups.iter().map(|group| group.name).collect()
}

/// Converts the result of a step that does all of its work or fails.
fn whole<T>(result: Result<T>) -> Result<Done> {
    result.map(|_| Done::Whole)
}

/// Features of the tests: the extension as a library. The group `tests` and [`host`] use the same features, so that nothing is compiled twice.
pub const FEATURES: &str = "provisioner/native";
/// Features of [`everything`] besides [`FEATURES`]: the SDKs of clouds, which take minutes to compile.
const ALL_FEATURES: &str = "end-to-end/providers,provisioner/aws,notes/lambda";
/// Arguments that compile `xtask` with all of its programs and tests.
const OF_XTASK: [&str; 4] = ["--package", "xtask", "--features", "xtask/coverage,xtask/pack"];
/// Tests of one program that the group `full-counts` runs with higher counts.
struct FullCount {
    package: &'static str,
    target: &'static str,
    /// Environment variables with the counts.
    variables: &'static [(&'static str, &'static str)],
    /// Beginnings of the paths of the tests that read the variables.
    tests: &'static [&'static str],
}

/// Full counts of tests that a plain run repeats less often: with random stories, stories with failures, exported
/// accounts, pairs of mistakes in a catalog, connections, and killed processes.
const FULL_COUNTS: [FullCount; 6] = [
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

/// Compiles and lints everything, and runs all tests.
fn tests() -> Result<Done> {
    let packages = packages::all()?;
    let module = build::start_module();
    let mut compiled = programs::compile(&["--features", FEATURES], &packages)?;
    let encoder = compiled.binary("component-builder", build::ENCODER).context("cargo built no encode-component")?;
    let encoder = encoder.to_owned();
    // `xtask` is compiled separately: with the feature `coverage` it uses the crates that macros use, with other
    // features. If all were compiled together, every macro would be compiled again.
    compiled.add(programs::compile(&OF_XTASK, &packages)?);
    let component = || build::encode(&encoder, &build::finish_module(module)?).map(drop);
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
    let packages = packages::all()?;
    let module = build::start_module();
    let mut compiled = programs::compile(&["--features", FEATURES], &packages)?;
    let encoder = compiled.binary("component-builder", build::ENCODER).context("cargo built no encode-component")?;
    build::encode(encoder, &build::finish_module(module)?)?;
    compiled.tests = with_full_counts(&compiled.tests)?;
    whole(run::run(&compiled, &packages, || Ok(())))
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
///
/// # Errors
///
/// Fails if the host does not compile.
pub fn host() -> Result<PathBuf> {
    let compiled = programs::compile(&["--features", FEATURES], &packages::all()?)?;
    compiled.binary("provisioner", "provisioner").map(PathBuf::from).context("cargo built no provisioner")
}

/// Lists which requirement is covered, with the program that the group `tests` compiles.
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

/// Crates that call clouds, and the counterparts that replace clouds in tests.
const PROVIDERS: [&str; 3] = ["counterparts", "end-to-end", "host-providers"];

/// Crates of the block for a Solobase platform, and the stand-in for the platform's host.
const OF_BLOCK: [&str; 2] = ["host-block", "solobase-host"];

/// Returns the arguments that select the packages and features of [`everything`].
///
/// # Errors
///
/// Fails if cargo can't read a manifest.
pub fn selection_of_everything() -> Result<Vec<String>> {
    let names = packages::default_members()?
        .into_iter()
        .chain([PROVIDERS.as_slice(), &OF_BLOCK].concat().into_iter().map(str::to_owned));
    let packages = names.flat_map(|name| ["--package".to_owned(), name]);
    Ok(packages.chain(["--features".to_owned(), format!("{FEATURES},{ALL_FEATURES}")]).collect())
}

/// Compiles and lints all programs and tests, with the SDKs of clouds, in one pass, and puts the component and the full host into `dist`. What
/// the group `tests` has compiled is not compiled again: cargo compiles a crate for each set of features, and both use the same sets
/// (`xtask/shared-features`).
///
/// # Errors
///
/// Something does not compile, or a lint warns.
pub fn everything() -> Result<programs::Compiled> {
    let module = build::start_module();
    let selection = selection_of_everything()?;
    let compiled = programs::compile(&selection.iter().map(String::as_str).collect::<Vec<_>>(), &packages::all()?);
    let module = build::finish_module(module)?;
    let compiled = compiled?;
    let program =
        |package: &str, name: &str| compiled.binary(package, name).with_context(|| format!("cargo built no {name}"));
    build::encode(program("component-builder", build::ENCODER)?, &module)?;
    build::install_program(program("provisioner", "provisioner")?)?;
    Ok(compiled)
}

/// Test programs of the crates of `PROVIDERS` that start real servers. The libraries' own tests run with them.
const WITH_SERVERS: [&str; 3] = ["clouds", "proxy", "servers"];

/// Tests the providers. The tests install and start real servers, and the program of instances on Lambda.
fn providers() -> Result<Done> {
    if !notes::is_possible() {
        bail!("the group `providers` runs the program of instances: expected Linux on x86_64");
    }
    let mut compiled = everything()?;
    notes::build_for_tests()?;
    let is_kind = |program: &programs::Program, kind: &str| program.target.kind.iter().any(|name| name == kind);
    compiled.tests.retain(|program| {
        PROVIDERS.contains(&program.package.as_str())
            && (is_kind(program, "lib")
                || is_kind(program, "test") && WITH_SERVERS.contains(&program.target.name.as_str()))
    });
    whole(run::run(&compiled, &packages::all()?, || Ok(())))
}

/// Builds the program of instances on Lambda, which the group `providers` runs.
fn notes() -> Result<Done> {
    if !notes::is_possible() {
        return Ok(Done::Nothing("the program of instances is built on Linux on x86_64".into()));
    }
    whole(notes::build_for_tests())
}

/// Runs every command of the README with the full host, tries local mode, fills a disk, and plays the stories of the five businesses on
/// PostgreSQL and simulated clouds.
fn full_host() -> Result<Done> {
    let compiled = everything()?;
    ignored(&compiled, "provisioner", "readme", &[])?;
    ignored(&compiled, "provisioner", "local_mode", &[])?;
    ignored(&compiled, "provisioner", "cli", &["serve::full_disk", "serve::sources"])
}

/// Builds the block, and tests it on a stand-in for a Solobase platform: its store, every scenario of one business, a kill at each call of
/// a service, and the way of all data to `provisioner` and back.
fn block() -> Result<Done> {
    let built = thread::spawn(component_builder::block);
    let compiled = everything();
    built.join().map_err(|_| anyhow!("the build of the block panicked"))??;
    for program in compiled?.tests.iter().filter(|program| OF_BLOCK.contains(&program.package.as_str())) {
        process::run(program.command().arg("--include-ignored"))?;
    }
    Ok(Done::Whole)
}

/// Makes the Debian package with the full host, and follows `docs/operate/deploying.md` on a Debian machine of its own.
fn package() -> Result<Done> {
    if let Some(reason) = package::untestable() {
        return Ok(Done::Nothing(reason));
    }
    everything()?;
    package::make(package::Size::Large)?;
    ignored(&of_xtask()?, "xtask", "package", &[])
}

/// Measures a short stream of webhooks on both stores, with the programs that `tests` compiles, as it does the benchmark of the JSON reader.
/// They are not optimised: the figures say nothing, but a wrong answer or a missing row fails.
fn short_bench() -> Result<Done> {
    let compiled = everything()?;
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

/// Runs the ignored tests of one program; of these only those whose path has one of `names`, if there are some.
fn ignored(compiled: &programs::Compiled, package: &str, target: &str, names: &[&str]) -> Result<Done> {
    let is_it = |program: &&programs::Program| program.package == package && program.target.name == target;
    let program = compiled.tests.iter().find(is_it).with_context(|| format!("cargo built no test program {target}"))?;
    whole(process::run(program.command().arg("--ignored").args(names)))
}

/// Tests the server with real clients of Stripe, compilers, and a client of a registry for images, then the local Stripe with real
/// clients. The tests install the clients.
fn clients(options: &Options) -> Result<Done> {
    let mut command =
        process::cargo(["test", "--package", "local-stripe", "--features", "client-tests", "--test", "clients"]);
    programs::lint(&mut command)?;
    let without = options.without.join(",");
    let compiled = everything()?;
    let is_it = |program: &&programs::Program| program.package == "provisioner" && program.target.name == "cli";
    let server = compiled.tests.iter().find(is_it).context("cargo built no test program cli")?;
    let mut server = server.command();
    server.args(["--ignored", "serve::clients", "serve::api_clients", "serve::oidc", "serve::pages", "serve::pull"]);
    for command in [&mut server, &mut command] {
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
