//! `cargo xtask mutants --hand`: checks that the named scenarios and tests notice the mutants of `xtask/mutants.txt`.

mod build;
mod catcher;
mod copy;
mod list;
mod place;
mod report;
mod results;

pub use list::{FILE, Mutant, Test, Verdict, read};
pub use place::find;

use crate::groups::Groups;
use anyhow::{Result, bail};
use catcher::Programs;
use results::Results;

/// Check that scenarios and tests notice wrong rules about money and access.
///
/// A mutant is a wrong version of one place of the code. `xtask/mutants.txt` lists mutants that people wrote, and names for each the
/// scenarios or the test that must fail with it. `--hand` copies the workspace to `target/mutants/source`, puts a switch at each
/// place, builds the copy once, and runs for each mutant what must catch it. The shipped sources never contain a switch.
///
/// A mutant is not run again if neither the mutant nor a file of the workspace has changed since its last run. The exit code is 1 if a
/// mutant survives that must be caught.
///
/// For mutants that a program makes, see cargo-mutants in CONTRIBUTING.md.
#[derive(clap::Args)]
#[command(arg_required_else_help = true)]
pub struct Options {
    /// Run the mutants of `xtask/mutants.txt`.
    #[arg(long, required = true)]
    hand: bool,
    /// Run only the mutant with this id; can be repeated.
    #[arg(long, value_name = "ID")]
    only: Vec<String>,
    /// Run mutants again that have a result.
    #[arg(long)]
    again: bool,
    /// Instead, play all scenarios with each mutant, and print the scenarios that fail.
    #[arg(long)]
    find: bool,
    /// Instead, judge each mutant by the laws of `explore` and by `simulate` alone, without what its scenarios expect.
    #[arg(long, conflicts_with = "find")]
    laws: bool,
    /// Format of the report on standard output.
    #[arg(long, value_enum, default_value_t = report::Format::Text)]
    format: report::Format,
}

/// Runs the command.
///
/// # Errors
///
/// Fails if the list is wrong, if the copy does not compile, if a catcher fails without a mutant, or if a mutant survives.
pub fn run(options: &Options) -> Result<()> {
    let all = read(&component_builder::workspace_root())?;
    let chosen = choose(&all, &options.only)?;
    let mut groups = Groups::default();
    let mut steps = || -> Result<bool> {
        let sources_hash = groups.run("copy", || copy::workspace(&all))?;
        let programs = groups.run("build", || build::programs(&all, options.laws))?;
        if options.find {
            groups.run("find", || find_catchers(&chosen, &programs))?;
            return Ok(true);
        }
        if options.laws {
            groups.run("laws", || judge_by_laws(&chosen, &programs))?;
            return Ok(true);
        }
        let mut results = Results::open(sources_hash)?;
        let due: Vec<&Mutant> =
            chosen.iter().copied().filter(|mutant| options.again || results.of(mutant).is_none()).collect();
        groups.run("without a mutant", || catcher::all_pass(&due, &programs))?;
        groups.run("mutants", || {
            for mutant in &due {
                let result = catcher::run(mutant, &programs)?;
                report::progress(mutant, &result);
                results.add(mutant, result)?;
            }
            Ok(())
        })?;
        Ok(report::print(options.format, &chosen, &results))
    };
    let result = steps();
    eprint!("{}", groups.summary());
    match result? {
        true => Ok(()),
        false => bail!("a mutant survives that must be caught"),
    }
}

/// Returns the mutants with the given ids, or all mutants if none are given.
fn choose<'m>(all: &'m [Mutant], ids: &[String]) -> Result<Vec<&'m Mutant>> {
    if let Some(unknown) = ids.iter().find(|id| all.iter().all(|mutant| mutant.id != **id)) {
        bail!("--only: {FILE} has no mutant `{unknown}`");
    }
    Ok(all.iter().filter(|mutant| ids.is_empty() || ids.contains(&mutant.id)).collect())
}

/// Prints for each mutant the scenarios that fail with it.
fn find_catchers(chosen: &[&Mutant], programs: &Programs) -> Result<()> {
    for mutant in chosen {
        println!("{}", mutant.id);
        for scenario in catcher::failing_scenarios(mutant, programs)? {
            println!("    {scenario}");
        }
    }
    Ok(())
}

/// Prints the law that each mutant breaks, and how many mutants break one.
fn judge_by_laws(chosen: &[&Mutant], programs: &Programs) -> Result<()> {
    let judged = || chosen.iter().filter(|mutant| !matches!(mutant.verdict, Verdict::Survives(_)));
    let mut noticed = 0;
    for mutant in judged() {
        let law = catcher::broken_law(mutant, programs)?;
        noticed += usize::from(law.is_some());
        println!("{}\t{}", mutant.id, law.as_deref().unwrap_or("no law"));
    }
    println!("{noticed} of {} mutants break a law", judged().count());
    Ok(())
}
